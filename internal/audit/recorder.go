package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/work"
)

const (
	maxDenials  = 1024 // waiting to be written; more are counted
	maxCounters = 8192 // distinct uses counted in one interval
	writeBatch  = 256  // entries in one transaction
	overflowed  = "*"
)

// use is what is counted; strings are kept as they came.
type use struct{ tenant, principal, action, resource string }

// Recorder implements authz.Recorder. Each denial becomes an entry of its own soon after; when they come faster than they
// can be written, the rest are written as counts per principal and action ("overflow"), never dropped. Allowed uses are
// counted per principal, action and resource and written as counts at intervals; what was counted since the last interval
// is lost when the process is killed. It is a lifecycle.Part and safe for concurrent use.
type Recorder struct {
	store    Store
	now      func() time.Time
	log      *slog.Logger
	interval time.Duration

	mu       sync.Mutex // guards the fields below; held for a map access
	denials  []work.Audit
	overflow map[use]int64
	counts   map[use]int64
	since    time.Time

	flushing sync.Mutex // one writer at a time; taken before mu

	wake   chan struct{}
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// NewRecorder returns a recorder that writes counts every interval (0: one minute). now may be nil.
func NewRecorder(store Store, now func() time.Time, log *slog.Logger, interval time.Duration) *Recorder {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if interval <= 0 {
		interval = time.Minute
	}
	return &Recorder{
		store: store, now: now, log: log, interval: interval, since: now(),
		overflow: map[use]int64{}, counts: map[use]int64{}, wake: make(chan struct{}, 1),
	}
}

var _ authz.Recorder = (*Recorder)(nil)

// Record implements authz.Recorder. It takes no more than a map access.
func (r *Recorder) Record(_ context.Context, d authz.Decision) {
	u := use{d.Tenant, d.Principal, d.Action, d.Resource}
	if d.Allowed {
		r.count(u)
		return
	}
	at := r.now().UTC()
	r.mu.Lock()
	if len(r.denials) < maxDenials {
		r.denials = append(r.denials, work.Audit{
			Tenant: u.tenant, At: at, Principal: u.principal, Action: u.action, Resource: u.resource, Outcome: Denied,
		})
	} else {
		u.resource = overflowed
		addBounded(r.overflow, u, 1)
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// count adds one use. A module touches thousands of resources; only their type is kept for it.
func (r *Recorder) count(u use) {
	if strings.Contains(u.principal, ":role/svc/") {
		u.resource = resourceType(u.resource)
	}
	r.mu.Lock()
	addBounded(r.counts, u, 1)
	r.mu.Unlock()
}

// addBounded adds n to a counter; new ones beyond the bound are counted without their resource, then without their action,
// and at last all together.
func addBounded(m map[use]int64, u use, n int64) {
	for _, k := range [...]use{u, {u.tenant, u.principal, u.action, overflowed}, {u.tenant, u.principal, overflowed, overflowed}} {
		if _, ok := m[k]; ok || len(m) < maxCounters {
			m[k] += n
			return
		}
	}
	m[use{"", overflowed, overflowed, overflowed}] += n
}

// resourceType cuts an ARN after its type, without allocating: of arn:aws:tandem::t:contact/1 stays arn:aws:tandem::t:contact/, which is
// written with a star.
func resourceType(arn string) string {
	start := 0
	for range 5 { // the resource is the sixth part and may hold colons itself
		i := strings.IndexByte(arn[start:], ':')
		if i < 0 {
			return arn
		}
		start += i + 1
	}
	slash := strings.IndexByte(arn[start:], '/')
	if slash < 0 {
		return arn
	}
	return arn[:start+slash+1]
}

// Start begins to write in the background.
func (r *Recorder) Start(ctx context.Context) error {
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.done.Go(func() { r.loop(ctx) })
	return nil
}

// Stop writes everything recorded, until ctx ends; its error tells how much could not be written.
func (r *Recorder) Stop(ctx context.Context) error {
	r.cancel()
	r.done.Wait()
	return r.Flush(ctx)
}

func (r *Recorder) loop(ctx context.Context) {
	counts := time.NewTicker(r.interval)
	defer counts.Stop()
	// Denials are collected for a moment, so that a burst of them is one transaction.
	gather := time.NewTicker(100 * time.Millisecond)
	defer gather.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-counts.C:
			err = r.Flush(ctx)
		case <-r.wake:
			select {
			case <-ctx.Done():
				return
			case <-gather.C:
			}
			r.flushing.Lock()
			err = r.flushDenials(ctx)
			r.flushing.Unlock()
		}
		if err != nil && ctx.Err() == nil {
			r.log.ErrorContext(ctx, "writing audit entries", slog.Any("error", err))
		}
	}
}

// Flush writes all denials and counts.
func (r *Recorder) Flush(ctx context.Context) error {
	r.flushing.Lock()
	defer r.flushing.Unlock()
	return errors.Join(r.flushDenials(ctx), r.flushCounts(ctx))
}

func (r *Recorder) flushDenials(ctx context.Context) error {
	for {
		r.mu.Lock()
		batch := r.denials[:min(len(r.denials), writeBatch):min(len(r.denials), writeBatch)]
		r.mu.Unlock()
		if len(batch) == 0 {
			break
		}
		// Only this function removes from the front, and only after they are stored.
		if err := r.write(ctx, batch); err != nil {
			return fmt.Errorf("%d denials wait: %w", len(batch), err)
		}
		r.mu.Lock()
		r.denials = append([]work.Audit(nil), r.denials[len(batch):]...)
		r.mu.Unlock()
	}
	return r.flushMap(ctx, func() *map[use]int64 { return &r.overflow }, Denied, "overflow")
}

func (r *Recorder) flushCounts(ctx context.Context) error {
	return r.flushMap(ctx, func() *map[use]int64 { return &r.counts }, Count, "count")
}

// flushMap takes a map, writes it in batches and puts back what could not be written.
func (r *Recorder) flushMap(ctx context.Context, which func() *map[use]int64, outcome, field string) error {
	now := r.now().UTC()
	r.mu.Lock()
	m, since := *which(), r.since
	if len(m) == 0 {
		r.mu.Unlock()
		return nil
	}
	*which() = make(map[use]int64, len(m))
	if outcome == Count {
		r.since = now
	}
	r.mu.Unlock()
	var batch []work.Audit
	var keys []use
	var failed error
	flush := func() {
		if failed == nil {
			failed = r.write(ctx, batch)
		}
		if failed == nil {
			for _, k := range keys {
				delete(m, k)
			}
		}
		batch, keys = nil, nil
	}
	for k, n := range m {
		batch, keys = append(batch, countEntry(k, n, outcome, field, since, now)), append(keys, k)
		if len(batch) == writeBatch {
			flush()
		}
	}
	if len(batch) > 0 {
		flush()
	}
	if failed == nil {
		return nil
	}
	r.mu.Lock()
	for k, n := range m {
		addBounded(*which(), k, n)
	}
	r.mu.Unlock()
	return fmt.Errorf("%d counts wait: %w", len(m), failed)
}

func countEntry(k use, n int64, outcome, field string, since, now time.Time) work.Audit {
	detail, _ := json.Marshal(map[string]any{field: n, "from": since.UTC().UnixMilli(), "to": now.UnixMilli()})
	if strings.HasSuffix(k.resource, "/") {
		k.resource += overflowed
	}
	return work.Audit{
		Tenant: k.tenant, At: now, Principal: k.principal, Action: k.action, Resource: k.resource, Outcome: outcome, Detail: detail,
	}
}

func (r *Recorder) write(ctx context.Context, batch []work.Audit) error {
	return r.store.Update(ctx, func(tx Tx) error {
		for _, a := range batch {
			if err := tx.Audit(ctx, a); err != nil {
				return err
			}
		}
		return nil
	})
}

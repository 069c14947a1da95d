package httpx

import (
	"context"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// maxHosts bounds the memory of the per-host state; tenants choose host names.
const maxHosts = 4096

// hosts has the state of every scope and host that was called lately.
type hosts struct {
	perHost  int
	failures int // negative: the breaker is off
	pause    time.Duration

	mu  sync.Mutex // guards byKey and refs of its values
	all map[string]*host
}

// host limits and watches the requests of one scope to one host.
type host struct {
	refs    int // requests that use it now
	slots   chan struct{}
	breaker breaker
}

func newHosts(perHost, failures int, pause time.Duration) *hosts {
	return &hosts{perHost: perHost, failures: failures, pause: pause, all: map[string]*host{}}
}

// use returns the state of a scope and host; done must be called at the end.
func (h *hosts) use(scope, name string) (state *host, done func(), err error) {
	key := scope + "\x00" + name
	h.mu.Lock()
	defer h.mu.Unlock()
	st := h.all[key]
	if st == nil {
		if len(h.all) >= maxHosts && !h.evict() {
			return nil, nil, errs.New(errs.Exhausted, "too many different hosts are called at once: try again later")
		}
		st = &host{slots: make(chan struct{}, h.perHost), breaker: breaker{limit: h.failures, pause: h.pause}}
		h.all[key] = st
	}
	st.refs++
	return st, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		st.refs--
	}, nil
}

// evict forgets the hosts that nobody uses and that are well; when all idle hosts are paused, those too.
func (h *hosts) evict() bool {
	before := len(h.all)
	for _, paused := range []bool{false, true} {
		for key, st := range h.all {
			if st.refs == 0 && (paused || st.breaker.closed()) {
				delete(h.all, key)
			}
		}
		if len(h.all) < before {
			return true
		}
	}
	return false
}

// acquire waits for a turn.
func (st *host) acquire(ctx context.Context, name string) error {
	select {
	case st.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case st.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errs.Wrap(errs.Exhausted, context.Cause(ctx), "too many requests to %s run at once: try again later", name)
	}
}

func (st *host) release() { <-st.slots }

// breaker stops requests to a host after limit failures in a row, for pause; then one request tries the host, and its
// fate decides for the others.
type breaker struct {
	limit int
	pause time.Duration

	mu       sync.Mutex // guards what follows
	failures int
	until    time.Time // zero: closed
	probing  bool
}

type verdict int

const (
	neutral verdict = iota // says nothing about the host: the caller gave up, or a rule of ours refused
	success
	failure
)

// allow reports whether a request may be sent, and if not, how long the pause still lasts. Each true must be followed
// by one record.
func (b *breaker) allow(now time.Time) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.until.IsZero():
		return 0, true
	case now.Before(b.until):
		return b.until.Sub(now), false
	case b.probing:
		return time.Second, false
	}
	b.probing = true
	return 0, true
}

// record takes a request's fate. A late answer to a request sent before the pause does not end it.
func (b *breaker) record(v verdict, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	paused := !b.until.IsZero() && now.Before(b.until)
	if paused {
		return
	}
	wasProbe := b.probing
	b.probing = false
	switch v {
	case success:
		b.failures, b.until = 0, time.Time{}
	case failure:
		b.failures++
		if b.limit > 0 && (wasProbe || b.failures >= b.limit) {
			b.until = now.Add(b.pause)
		}
	case neutral:
	}
}

func (b *breaker) closed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.until.IsZero()
}

package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/clock"
	"github.com/tandemcc/tandem/internal/errs"
)

// Options configure a Runner; the zero value of a field means its default.
type Options struct {
	Node        string        // unique among the living nodes, the same again after a restart
	Workers     int           // jobs run at once; default 32
	PerConn     int           // jobs run at once for one connection; default 8
	Lease       time.Duration // default 60 s
	Poll        time.Duration // how often other nodes' jobs and lost leases are looked for; default 2 s
	Log         *slog.Logger
	OnCompleted func(j Job, o Outcome) // called after an outcome is stored
}

// Runner claims jobs and runs their handlers. Start it once; Wake makes it look at once.
type Runner struct {
	store    Store
	clock    *clock.Clock
	opts     Options
	handlers map[string]Handler

	wake   chan struct{}
	done   chan Outcome
	cancel context.CancelFunc // ends claiming
	hard   context.CancelFunc // ends handlers
	loops  sync.WaitGroup

	mu      sync.Mutex // guards running and perConn
	running map[string]Job
	perConn map[string]int
}

// NewRunner returns a runner; handlers maps a job's kind to what runs it and must not change later.
func NewRunner(store Store, clk *clock.Clock, handlers map[string]Handler, opts Options) *Runner {
	if opts.Workers == 0 {
		opts.Workers = 32
	}
	if opts.PerConn == 0 {
		opts.PerConn = 8
	}
	if opts.Lease == 0 {
		opts.Lease = time.Minute
	}
	if opts.Poll == 0 {
		opts.Poll = 2 * time.Second
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Runner{
		store: store, clock: clk, opts: opts, handlers: handlers,
		wake: make(chan struct{}, 1), done: make(chan Outcome, opts.Workers),
		running: map[string]Job{}, perConn: map[string]int{},
	}
}

// Start takes up what this node held before it died, and begins to claim.
func (r *Runner) Start(ctx context.Context) error {
	if _, err := r.store.Release(ctx, r.opts.Node, r.clock.Now()); err != nil {
		return fmt.Errorf("taking up orphaned jobs: %w", err)
	}
	base := context.WithoutCancel(ctx)
	claimCtx, cancel := context.WithCancel(base)
	hardCtx, hard := context.WithCancel(base)
	r.cancel, r.hard = cancel, hard
	r.loops.Add(2)
	go func() { defer r.loops.Done(); r.claimLoop(claimCtx, hardCtx) }()
	go func() { defer r.loops.Done(); r.finishLoop(base, claimCtx) }()
	return nil
}

// Stop ends claiming, lets running handlers end until ctx is done, cancels them then, and stores every outcome.
func (r *Runner) Stop(ctx context.Context) error {
	r.cancel()
	stopped := make(chan struct{})
	go func() { r.loops.Wait(); close(stopped) }()
	select {
	case <-stopped:
	case <-ctx.Done():
		r.hard()
		<-stopped
	}
	r.hard()
	return nil
}

// Wake makes the runner look for jobs now; it is called after a transaction that enqueued some.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Runner) claimLoop(ctx, hardCtx context.Context) {
	var workers sync.WaitGroup
	defer func() { workers.Wait(); close(r.done) }()
	poll := time.NewTicker(r.opts.Poll)
	defer poll.Stop()
	lastRelease := r.clock.Now()
	for ctx.Err() == nil {
		due, stop := r.claimSome(ctx, hardCtx, &workers)
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-due:
		case <-poll.C:
			if now := r.clock.Now(); now.Sub(lastRelease) > r.opts.Lease/3 {
				lastRelease = now
				r.keepLeases(ctx, now)
			}
		}
		stop()
	}
}

// claimSome starts what is due and fits; due is closed when the next waiting job becomes due.
func (r *Runner) claimSome(ctx, hardCtx context.Context, workers *sync.WaitGroup) (due <-chan struct{}, stop func() bool) {
	none := func() bool { return true }
	r.mu.Lock()
	free, inUse := r.opts.Workers-len(r.running), maps.Clone(r.perConn)
	r.mu.Unlock()
	if free <= 0 {
		return nil, none
	}
	now := r.clock.Now()
	jobs, err := r.store.Claim(ctx, Claim{Node: r.opts.Node, Now: now, Lease: r.opts.Lease, Limit: free, PerConn: r.opts.PerConn, InUse: inUse})
	if err != nil {
		if ctx.Err() == nil {
			r.opts.Log.ErrorContext(ctx, "claiming jobs", slog.Any("error", err))
		}
		return nil, none
	}
	for _, j := range jobs {
		r.mu.Lock()
		r.running[j.ID] = j
		if j.Connection != "" {
			r.perConn[j.Connection]++
		}
		r.mu.Unlock()
		workers.Go(func() { r.done <- r.run(hardCtx, j) })
	}
	if len(jobs) > 0 {
		r.Wake() // more may be due
		return nil, none
	}
	// What is due now is held back by its order key or its connection: an outcome wakes us for it.
	at, ok, err := r.store.NextDue(ctx, now)
	if err != nil || !ok {
		return nil, none
	}
	return r.clock.After(at.Sub(r.clock.Now()))
}

func (r *Runner) keepLeases(ctx context.Context, now time.Time) {
	r.mu.Lock()
	held := make([]string, 0, len(r.running))
	for id := range r.running {
		held = append(held, id)
	}
	r.mu.Unlock()
	if len(held) > 0 {
		if err := r.store.Extend(ctx, r.opts.Node, held, now.Add(r.opts.Lease)); err != nil {
			r.opts.Log.ErrorContext(ctx, "extending leases", slog.Any("error", err))
			return // do not release what may be ours
		}
	}
	if _, err := r.store.Release(ctx, "", now); err != nil {
		r.opts.Log.ErrorContext(ctx, "releasing lost leases", slog.Any("error", err))
	}
}

// run calls the handler and turns its error into an outcome.
func (r *Runner) run(ctx context.Context, j Job) (o Outcome) {
	o = Outcome{ID: j.ID, State: Completed}
	err := r.call(ctx, j)
	if err == nil {
		return o
	}
	now := r.clock.Now()
	var snooze snoozeError
	var discard discardError
	switch {
	case errors.As(err, &snooze):
		o.State, o.RunAt = Scheduled, now.Add(snooze.d)
		return o
	case ctx.Err() != nil:
		o.State, o.RunAt, o.LastError = Scheduled, now, "the hub was stopped while the job ran"
		return o
	case errors.As(err, &discard):
		o.State = Discarded
	case j.Attempt >= maxAttempts(j):
		o.State = Discarded
	default:
		o.State, o.RunAt = Retryable, now.Add(Backoff(j.Attempt))
	}
	o.LastError = errs.Message(err)
	r.opts.Log.WarnContext(ctx, "job failed", slog.String("job", j.ID), slog.String("kind", j.Kind),
		slog.Int("attempt", j.Attempt), slog.String("then", string(o.State)), slog.Any("error", err))
	return o
}

func (r *Runner) call(ctx context.Context, j Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			// What it panicked with may be anybody's data: it is for the log, not for the job's row.
			err = errs.Wrap(errs.Internal, fmt.Errorf("panic: %v", p), "the handler of %q panicked; the log has the details", j.Kind)
		}
	}()
	h, ok := r.handlers[j.Kind]
	if !ok {
		return Discard(errs.New(errs.Invalid, "no handler for jobs of kind %q in this version", j.Kind))
	}
	return h(ctx, j)
}

func maxAttempts(j Job) int {
	if j.MaxAttempts == 0 {
		return DefaultMaxAttempts
	}
	return j.MaxAttempts
}

// Backoff is the wait before the next attempt: 1, 2, 4 .. seconds up to two hours, with a fifth of jitter.
func Backoff(attempt int) time.Duration {
	const limit = 2 * time.Hour
	d := limit
	if attempt < 13 {
		d = min(time.Second<<max(attempt-1, 0), limit)
	}
	return d - time.Duration(rand.Int64N(int64(d)/5))
}

// finishLoop stores outcomes in batches; it ends when every worker has.
func (r *Runner) finishLoop(ctx, claimCtx context.Context) {
	for o := range r.done {
		batch := []Outcome{o}
		for more := true; more && len(batch) < 128; {
			select {
			case o, ok := <-r.done:
				if more = ok; ok {
					batch = append(batch, o)
				}
			default:
				more = false
			}
		}
		r.finish(ctx, batch)
		if claimCtx.Err() == nil {
			r.Wake()
		}
	}
}

func (r *Runner) finish(ctx context.Context, batch []Outcome) {
	stored := false
	for try := range 5 {
		err := r.store.Finish(ctx, r.opts.Node, r.clock.Now(), batch)
		if stored = err == nil; stored {
			break
		}
		// What cannot be stored runs again after its lease: at least once.
		r.opts.Log.ErrorContext(ctx, "storing job outcomes", slog.Any("error", err), slog.Int("try", try))
		select {
		case <-time.After(100 * time.Millisecond << try):
		case <-ctx.Done():
			return
		}
	}
	for _, o := range batch {
		r.mu.Lock()
		j := r.running[o.ID]
		delete(r.running, o.ID)
		if j.Connection != "" {
			if r.perConn[j.Connection]--; r.perConn[j.Connection] == 0 {
				delete(r.perConn, j.Connection)
			}
		}
		r.mu.Unlock()
		if stored && r.opts.OnCompleted != nil {
			r.opts.OnCompleted(j, o)
		}
	}
}

package job_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemcc/tandem/internal/clock"
	"github.com/tandemcc/tandem/internal/job"
)

// bench runs a Runner over a memory store in a bubble whose time moves by itself.
type bench struct {
	*memory
	*job.Runner
	mu   sync.Mutex // guards runs and done
	runs []string
	done []job.Outcome
}

func (b *bench) note(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.runs = append(b.runs, id)
}

func (b *bench) ran() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.runs)
}

func (b *bench) outcomes() []job.Outcome {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.done)
}

// inBubble starts a runner whose jobs of kind "k" run h, and stops it in the end.
func inBubble(t *testing.T, o job.Options, h func(b *bench) job.Handler, f func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{memory: &memory{}}
		o.Node = "n"
		o.OnCompleted = func(_ job.Job, out job.Outcome) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.done = append(b.done, out)
		}
		b.Runner = job.NewRunner(b.memory, clock.New(), map[string]job.Handler{"k": h(b)}, o)
		if err := b.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		f(t, b)
		if err := b.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// settle lets everything happen that happens without time passing, then lets d pass.
func settle(d time.Duration) {
	synctest.Wait()
	<-time.After(d)
	synctest.Wait()
}

func TestOrderPerKeyOverRetries(t *testing.T) {
	handler := func(b *bench) job.Handler {
		return func(_ context.Context, j job.Job) error {
			b.note(j.ID)
			if j.ID == "a1" && j.Attempt < 3 {
				return errors.New("not yet")
			}
			return nil
		}
	}
	inBubble(t, job.Options{}, handler, func(t *testing.T, b *bench) {
		for _, id := range []string{"a1", "b1", "a2", "b2", "a3"} {
			b.add(job.Job{ID: id, Kind: "k", OrderKey: id[:1]})
		}
		b.Wake()
		settle(10 * time.Second)
		var a, other []string
		for _, id := range b.ran() {
			if id[0] == 'a' {
				a = append(a, id)
			} else {
				other = append(other, id)
			}
		}
		if want := []string{"a1", "a1", "a1", "a2", "a3"}; !slices.Equal(a, want) {
			t.Errorf("the key with retries ran %v, want %v", a, want)
		}
		if want := []string{"b1", "b2"}; !slices.Equal(other, want) {
			t.Errorf("the other key ran %v, want %v", other, want)
		}
	})
}

func TestOutcomes(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name    string
		job     job.Job
		err     func(j job.Job) error
		state   job.State
		attempt int // in the end
		message string
	}{
		{name: "success", state: job.Completed, attempt: 1},
		{name: "discard", err: func(job.Job) error { return job.Discard(boom) }, state: job.Discarded, attempt: 1, message: "internal error"},
		{name: "wrapped discard", err: func(job.Job) error { return fmt.Errorf("x: %w", job.Discard(boom)) }, state: job.Discarded, attempt: 1},
		{name: "most attempts", job: job.Job{MaxAttempts: 3}, err: func(job.Job) error { return boom }, state: job.Discarded, attempt: 3},
		{name: "snooze does not count", job: job.Job{MaxAttempts: 1}, err: func(j job.Job) error {
			if time.Since(j.CreatedAt) < time.Minute {
				return job.SnoozeFor(25 * time.Second)
			}
			return nil
		}, state: job.Completed, attempt: 1},
		{name: "panic is retried", err: func(j job.Job) error {
			if j.Attempt == 1 {
				panic("secret of a caller")
			}
			return nil
		}, state: job.Completed, attempt: 2},
		{name: "panic for good", job: job.Job{MaxAttempts: 1}, err: func(job.Job) error { panic("secret of a caller") }, state: job.Discarded, attempt: 1, message: "panicked"},
		{name: "unknown kind", job: job.Job{Kind: "other"}, state: job.Discarded, attempt: 1, message: `no handler for jobs of kind "other"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			handler := func(*bench) job.Handler {
				return func(_ context.Context, j job.Job) error {
					if c.err == nil {
						return nil
					}
					return c.err(j)
				}
			}
			inBubble(t, job.Options{}, handler, func(t *testing.T, b *bench) {
				j := c.job
				j.ID, j.CreatedAt = "x", time.Now()
				if j.Kind == "" {
					j.Kind = "k"
				}
				b.add(j)
				b.Wake()
				settle(10 * time.Minute)
				got := b.get("x")
				if got.State != c.state || got.Attempt != c.attempt || !strings.Contains(got.LastError, c.message) {
					t.Errorf("got %s after %d attempts with %q, want %s after %d with %q", got.State, got.Attempt, got.LastError, c.state, c.attempt, c.message)
				}
				if strings.Contains(got.LastError, "secret") {
					t.Errorf("what a handler panicked with is kept in clear: %q", got.LastError)
				}
			})
		})
	}
}

func TestBackoffGrowsToItsLimit(t *testing.T) {
	for attempt, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 13: 2 * time.Hour, 60: 2 * time.Hour, 0: time.Second} {
		for range 100 {
			if got := job.Backoff(attempt); got > want || got < want*4/5 {
				t.Fatalf("attempt %d waits %v, want %v less at most a fifth", attempt, got, want)
			}
		}
	}
	total := time.Duration(0)
	for n := 1; n < job.DefaultMaxAttempts; n++ {
		total += job.Backoff(n)
	}
	if total < 3*24*time.Hour || total > 5*24*time.Hour {
		t.Errorf("all attempts span %v", total)
	}
}

// TestOneConnectionDoesNotStarveOthers has a slow connection with more jobs than there are workers.
func TestOneConnectionDoesNotStarveOthers(t *testing.T) {
	release := make(chan struct{})
	handler := func(b *bench) job.Handler {
		return func(_ context.Context, j job.Job) error {
			b.note(j.Connection)
			if j.Connection == "slow" {
				<-release
			}
			return nil
		}
	}
	inBubble(t, job.Options{Workers: 6, PerConn: 4}, func(b *bench) job.Handler { release = make(chan struct{}); return handler(b) }, func(t *testing.T, b *bench) {
		for i := range 20 {
			b.add(job.Job{ID: fmt.Sprint("s", i), Kind: "k", Connection: "slow"})
		}
		b.Wake()
		settle(time.Second)
		if n := len(b.ran()); n != 4 {
			t.Errorf("%d jobs of the slow connection run, want 4", n)
		}
		for i := range 10 {
			b.add(job.Job{ID: fmt.Sprint("f", i), Kind: "k", Connection: "fast"})
		}
		b.Wake()
		settle(time.Millisecond)
		if n := len(b.ran()); n != 14 {
			t.Errorf("%d jobs were started, want the 4 and the 10 of the other connection", n)
		}
		close(release)
		settle(time.Second)
		if n := len(b.ran()); n != 30 {
			t.Errorf("%d jobs ran in the end, want 30", n)
		}
	})
}

// TestHeldBackJobsDoNotHideTheNextDue has a job that is due but waits behind another of its key, and one due soon.
func TestHeldBackJobsDoNotHideTheNextDue(t *testing.T) {
	handler := func(b *bench) job.Handler {
		return func(_ context.Context, j job.Job) error { b.note(j.ID); return nil }
	}
	inBubble(t, job.Options{Poll: time.Hour}, handler, func(t *testing.T, b *bench) {
		b.add(job.Job{ID: "first", Kind: "k", OrderKey: "a", State: job.Retryable, RunAt: time.Now().Add(time.Minute)})
		b.add(job.Job{ID: "second", Kind: "k", OrderKey: "a"})
		b.add(job.Job{ID: "soon", Kind: "k", State: job.Scheduled, RunAt: time.Now().Add(time.Second)})
		b.Wake()
		settle(1100 * time.Millisecond)
		if got := b.ran(); !slices.Equal(got, []string{"soon"}) {
			t.Errorf("after a second %v ran", got)
		}
		settle(time.Minute)
		if got := b.ran(); !slices.Equal(got, []string{"soon", "first", "second"}) {
			t.Errorf("after a minute %v ran", got)
		}
	})
}

func TestLeaseIsExtendedWhileAJobRuns(t *testing.T) {
	handler := func(b *bench) job.Handler {
		return func(ctx context.Context, j job.Job) error {
			b.note(j.ID)
			select {
			case <-time.After(5 * time.Minute):
			case <-ctx.Done():
			}
			return ctx.Err()
		}
	}
	inBubble(t, job.Options{Lease: 30 * time.Second}, handler, func(t *testing.T, b *bench) {
		b.add(job.Job{ID: "long", Kind: "k"})
		b.add(job.Job{ID: "lost", Kind: "k", State: job.Running, LeaseUntil: time.Now().Add(20 * time.Second)})
		b.memory.jobs[1].Node = "dead"
		b.Wake()
		for range 12 {
			settle(20 * time.Second)
			if j := b.get("long"); j.State != job.Running || !j.LeaseUntil.After(time.Now()) {
				t.Fatalf("the running job's lease: %s until %v at %v", j.State, j.LeaseUntil, time.Now())
			}
		}
		if got := b.ran(); !slices.Equal(got, []string{"long", "lost"}) {
			t.Errorf("%v ran, want each once: the second was another node's", got)
		}
		settle(10 * time.Minute)
		if j := b.get("long"); j.State != job.Completed {
			t.Errorf("in the end: %+v", j)
		}
	})
}

// TestTakeoverAfterAKill starts a node that held a job when it died: it runs at once, not when its lease is over.
func TestTakeoverAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		m.add(job.Job{ID: "held", Kind: "k", State: job.Running, Node: "n", Attempt: 1, LeaseUntil: time.Now().Add(time.Hour)})
		ran := make(chan int, 1)
		r := job.NewRunner(m, clock.New(), map[string]job.Handler{"k": func(_ context.Context, j job.Job) error { ran <- j.Attempt; return nil }}, job.Options{Node: "n"})
		begin := time.Now()
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if attempt := <-ran; attempt != 2 || time.Since(begin) > 0 {
			t.Errorf("attempt %d after %v", attempt, time.Since(begin))
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if j := m.get("held"); j.State != job.Completed {
			t.Errorf("got %+v", j)
		}
	})
}

func TestStop(t *testing.T) {
	for _, c := range []struct {
		name     string
		patience time.Duration
		state    job.State
		attempt  int
	}{
		{name: "waits for handlers", patience: time.Minute, state: job.Completed, attempt: 1},
		{name: "cancels those that take too long", patience: time.Second, state: job.Scheduled, attempt: 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &memory{}
				m.add(job.Job{ID: "x", Kind: "k"})
				m.add(job.Job{ID: "later", Kind: "k", State: job.Scheduled, RunAt: time.Now().Add(time.Second / 2)})
				r := job.NewRunner(m, clock.New(), map[string]job.Handler{"k": func(ctx context.Context, _ job.Job) error {
					select {
					case <-time.After(10 * time.Second):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}}, job.Options{Node: "n"})
				if err := r.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				ctx, cancel := context.WithTimeout(context.Background(), c.patience)
				defer cancel()
				if err := r.Stop(ctx); err != nil {
					t.Error(err)
				}
				if j := m.get("x"); j.State != c.state || j.Attempt != c.attempt {
					t.Errorf("got %s, attempt %d; want %s, attempt %d", j.State, j.Attempt, c.state, c.attempt)
				}
				if j := m.get("later"); j.State != job.Scheduled {
					t.Errorf("a job was started while stopping: %+v", j)
				}
			})
		})
	}
}

// TestUnstoredOutcomeIsNotReported: the job runs again once its lease is over.
func TestUnstoredOutcomeIsNotReported(t *testing.T) {
	handler := func(b *bench) job.Handler {
		return func(_ context.Context, j job.Job) error { b.note(j.ID); return nil }
	}
	inBubble(t, job.Options{Lease: 10 * time.Second}, handler, func(t *testing.T, b *bench) {
		b.broken = errors.New("the disk is full")
		b.add(job.Job{ID: "x", Kind: "k"})
		b.Wake()
		settle(5 * time.Second)
		if n := len(b.outcomes()); n != 0 {
			t.Errorf("%d outcomes were reported that are not stored", n)
		}
		b.memory.mu.Lock()
		b.broken = nil
		b.memory.mu.Unlock()
		settle(time.Minute)
		if got := b.ran(); len(got) != 2 || len(b.outcomes()) != 1 {
			t.Errorf("it ran %v with outcomes %v", got, b.outcomes())
		}
	})
}

package job_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/job"
)

// memory is a store that keeps the contract in a slice. It is safe for concurrent use.
type memory struct {
	mu      sync.Mutex // guards the fields below
	jobs    []*job.Job
	broken  error // what every Finish returns
	extends int
}

func (m *memory) add(j job.Job) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j.Seq, j.Tenant = int64(len(m.jobs)+1), "t"
	if j.State == "" {
		j.State = job.Available
	}
	m.jobs = append(m.jobs, &j)
}

func (m *memory) get(id string) job.Job {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs {
		if j.ID == id {
			return *j
		}
	}
	return job.Job{}
}

func waiting(j *job.Job) bool {
	return j.State == job.Available || j.State == job.Scheduled || j.State == job.Retryable
}

// Claim implements job.Store.
func (m *memory) Claim(_ context.Context, c job.Claim) (list []job.Job, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken, held := map[string]int{}, map[string]bool{}
	for _, j := range m.jobs {
		blocked := j.OrderKey != "" && held[j.OrderKey]
		if waiting(j) || j.State == job.Running {
			held[j.OrderKey] = true
		}
		if !waiting(j) || blocked || j.RunAt.After(c.Now) || len(list) == c.Limit || taken[j.Connection] >= c.Free(j.Connection) {
			continue
		}
		taken[j.Connection]++
		j.State, j.Node, j.LeaseUntil = job.Running, c.Node, c.Now.Add(c.Lease)
		j.Attempt++
		list = append(list, *j)
	}
	return list, nil
}

// Finish implements job.Store.
func (m *memory) Finish(_ context.Context, node string, _ time.Time, done []job.Outcome) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	for _, o := range done {
		for _, j := range m.jobs {
			if j.ID == o.ID && j.Node == node && j.State == job.Running {
				j.State, j.RunAt, j.LastError = o.State, o.RunAt, o.LastError
				if o.State == job.Scheduled {
					j.Attempt--
				}
			}
		}
	}
	return nil
}

// Progress implements job.Store.
func (*memory) Progress(context.Context, string, string, job.Progress) error { return errNotHere }

// Extend implements job.Store.
func (m *memory) Extend(_ context.Context, node string, ids []string, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.extends++
	for _, j := range m.jobs {
		if j.Node == node && j.State == job.Running && slices.Contains(ids, j.ID) {
			j.LeaseUntil = until
		}
	}
	return nil
}

// Release implements job.Store.
func (m *memory) Release(_ context.Context, node string, now time.Time) (n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs {
		if j.State == job.Running && (j.LeaseUntil.Before(now) || (node != "" && j.Node == node)) {
			j.State = job.Available
			n++
		}
	}
	return n, nil
}

// NextDue implements job.Store.
func (m *memory) NextDue(_ context.Context, after time.Time) (at time.Time, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs {
		if waiting(j) && j.RunAt.After(after) && (!ok || j.RunAt.Before(at)) {
			at, ok = j.RunAt, true
		}
	}
	return at, ok, nil
}

var errNotHere = errors.New("the runner does not ask for this")

// Get implements job.Store.
func (*memory) Get(context.Context, string, string) (job.Job, error) { return job.Job{}, errNotHere }

// List implements job.Store.
func (*memory) List(context.Context, string, job.State, int64, int) ([]job.Job, error) {
	return nil, errNotHere
}

// Retry implements job.Store.
func (*memory) Retry(context.Context, string, string, time.Time) error { return errNotHere }

// Cancel implements job.Store.
func (*memory) Cancel(context.Context, string, string, time.Time) error { return errNotHere }

// Purge implements job.Store.
func (*memory) Purge(context.Context, time.Time) (int64, error) { return 0, errNotHere }

// Package job runs durable background work: at least once, in order per key, with back-off, a rate per connection and
// leases, so that what a killed node held is taken up by the next one at once.
package job

import (
	"context"
	"errors"
	"time"
)

// State is a job's place in its life.
type State string

// The states. Scheduled and retryable wait for RunAt; available waits for a worker; running is leased.
const (
	Scheduled State = "scheduled"
	Available State = "available"
	Running   State = "running"
	Retryable State = "retryable"
	Completed State = "completed"
	Cancelled State = "cancelled"
	Discarded State = "discarded"
)

// Job is one unit of background work. Payload is stored encrypted.
type Job struct {
	ID          string
	Tenant      string
	Kind        string // chooses the handler
	OrderKey    string // jobs with the same non-empty key run one after another, in order of insertion
	RecordKey   string // a second such line, beside OrderKey: jobs that write the same record of a foreign system
	Connection  string // rate and concurrency are limited per connection; "" is unlimited
	Payload     []byte
	State       State
	Attempt     int // how often it was started
	MaxAttempts int // 0 means DefaultMaxAttempts
	RunAt       time.Time
	CreatedAt   time.Time
	LeaseUntil  time.Time
	Node        string
	LastError   string
	Progress    Progress // what Progress of the store kept last
	Seq         int64    // order of insertion, assigned by the store
}

// DefaultMaxAttempts with the default back-off spans about three days.
const DefaultMaxAttempts = 60

// Outcome is what a run of a job led to.
type Outcome struct {
	ID        string
	State     State // Completed, Retryable, Cancelled or Discarded
	RunAt     time.Time
	LastError string
}

// Claim asks for due jobs: at most Limit of them, leased to Node until Now+Lease.
type Claim struct {
	Node    string
	Now     time.Time
	Lease   time.Duration
	Limit   int
	PerConn int            // slots of each connection; 0 means no limit
	InUse   map[string]int // slots taken, by connection
}

// Free returns how many more jobs of a connection may be claimed.
func (c *Claim) Free(connection string) int {
	if connection == "" || c.PerConn == 0 {
		return c.Limit
	}
	return max(c.PerConn-c.InUse[connection], 0)
}

// Store keeps jobs. It is safe for concurrent use.
type Store interface {
	// Claim leases due jobs and returns them as Running, the longest due first. A job whose order key or record key has an
	// earlier unfinished job is passed over, and so is one whose connection has no free slot: a connection with many jobs due does
	// not keep the others' from being found.
	Claim(ctx context.Context, c Claim) ([]Job, error)
	// Finish stores outcomes in one transaction. A job that node no longer holds is left alone.
	Finish(ctx context.Context, node string, now time.Time, done []Outcome) error
	// Progress stores how far a job came that the node holds, durably once it returns; errs.Conflict when another node has
	// taken the job over, which must then not go on here.
	Progress(ctx context.Context, node, id string, p Progress) error
	// Extend moves the lease of the node's running jobs to until.
	Extend(ctx context.Context, node string, ids []string, until time.Time) error
	// Release makes running jobs available again whose lease ended before now, or that node itself holds (a restarted
	// node calls it before it claims; "" names none); it returns how many.
	Release(ctx context.Context, node string, now time.Time) (int, error)
	// NextDue returns when the next job becomes due after a time; ok is false when none does.
	NextDue(ctx context.Context, after time.Time) (at time.Time, ok bool, err error)
	// Get returns one job without its payload.
	Get(ctx context.Context, tenant, id string) (Job, error)
	// List returns jobs of a tenant without payloads, newest first; state "" means every one.
	List(ctx context.Context, tenant string, state State, beforeSeq int64, limit int) ([]Job, error)
	// Retry makes a discarded or waiting job available now.
	Retry(ctx context.Context, tenant, id string, now time.Time) error
	// Cancel ends a job that is not running.
	Cancel(ctx context.Context, tenant, id string, now time.Time) error
	// Purge removes finished jobs older than before.
	Purge(ctx context.Context, before time.Time) (int64, error)
}

// Handler runs one job. The error decides what follows: nil completes it, Discard ends it, SnoozeFor waits without
// counting the attempt, anything else is retried with back-off until MaxAttempts. It may run more than once.
type Handler func(ctx context.Context, j Job) error

type discardError struct{ err error }

func (e discardError) Error() string { return e.err.Error() }
func (e discardError) Unwrap() error { return e.err }

// Discard marks an error as final: trying again cannot help.
func Discard(err error) error { return discardError{err} }

type snoozeError struct{ d time.Duration }

func (snoozeError) Error() string { return "snoozed" }

// SnoozeFor puts the job off by d without counting the attempt.
func SnoozeFor(d time.Duration) error { return snoozeError{d} }

// Snoozed reports whether err puts a job off, and by how much.
func Snoozed(err error) (d time.Duration, ok bool) {
	var s snoozeError
	ok = errors.As(err, &s)
	return s.d, ok
}

// ErrNotWaiting is returned by Retry and Cancel for a job that is running or finished.
var ErrNotWaiting = errors.New("the job is running or finished")

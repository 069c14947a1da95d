// Package work is the unit of work: what commits together. A domain's Tx derives from Tx, so that its changes, their
// events, jobs and audit rows are one transaction.
package work

import (
	"context"
	"encoding/json"
	"time"

	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/job"
)

// Audit is one entry of the audit log. Detail must hold no personal data in clear; Personal is only committed to by a
// salted hash, so that the person can be erased and the log still verifies.
type Audit struct {
	Tenant    string          `json:"tenant"`
	At        time.Time       `json:"at"`
	Principal string          `json:"principal"` // ARN
	Action    string          `json:"action"`    // "contact:Update"
	Resource  string          `json:"resource"`  // ARN or id
	Outcome   string          `json:"outcome"`   // "ok", "denied", "count"
	Detail    json.RawMessage `json:"detail,omitempty"`
	Personal  []byte          `json:"-"`
}

// Tx is one transaction. It is used by one goroutine and is dead once Update returns.
type Tx interface {
	// Emit appends an event; its Seq is assigned by the store.
	Emit(ctx context.Context, e event.Event) error
	// Enqueue stores a job that runs only if the transaction commits.
	Enqueue(ctx context.Context, j job.Job) error
	// Audit appends an audit entry.
	Audit(ctx context.Context, a Audit) error
}

// Store runs units of work of a domain whose transaction type is T. It is safe for concurrent use.
type Store[T any] interface {
	// Update runs f in a read-write transaction and commits when f returns nil. f may run again: it does no I/O, asks
	// no key service and no clock. The error of f is returned as it is.
	Update(ctx context.Context, f func(tx T) error) error
	// View runs f on a consistent snapshot; writes fail.
	View(ctx context.Context, f func(tx T) error) error
}

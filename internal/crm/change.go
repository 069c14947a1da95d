// Package crm says what the hub needs of a CRM, whichever product it is: here, to hear of changed records. Products are
// sub-packages.
package crm

import (
	"context"
	"time"
)

// ChangeKind says what happened to records.
type ChangeKind string

// The kinds.
const (
	Created   ChangeKind = "created"
	Updated   ChangeKind = "updated"
	Deleted   ChangeKind = "deleted"
	Undeleted ChangeKind = "undeleted"
	// Resync says that changes were lost for good: whoever keeps copies of the object must read all of it again.
	Resync ChangeKind = "resync"
)

// Change is one change of records of one object. A change may be told more than once and, after a gap, late: handling it again
// must do no harm, and the record itself tells its state.
type Change struct {
	Object string
	IDs    []string // none for Resync
	Kind   ChangeKind
	At     time.Time
	// Fields are the new values of the fields that changed, as far as the source tells: texts, numbers, bools, nil and maps
	// of such; nil when it tells none.
	Fields map[string]any
	// Repaired is true when the change was found by comparing, not told as it happened.
	Repaired bool
}

// Cursor is how far a subscriber has come. It is opaque but for its encoding.
type Cursor struct {
	Replay []byte               `json:"replay,omitempty"` // place in the stream; none: from now on
	Seen   map[string]time.Time `json:"seen,omitempty"`   // by object: the newest change that a comparison has seen, in the CRM's time
	// Covered is by object how far the CRM's log of deletions was read, in its time.
	Covered map[string]time.Time `json:"covered,omitempty"`
	At      time.Time            `json:"at,omitzero"` // when changes were last compared, in the hub's time
}

// Cursors keep cursors durably. They are safe for concurrent use.
type Cursors interface {
	// Load returns a cursor; the zero one when there is none.
	Load(ctx context.Context, name string) (Cursor, error)
	Save(ctx context.Context, name string, c Cursor) error
}

// Subscription is who wants to hear of what.
type Subscription struct {
	Name    string // of the cursor
	Objects []string
	Cursors Cursors
	// Handle takes changes in the order of the source. The cursor moves on once it returns nil; on an error the same changes
	// come again later.
	Handle func(ctx context.Context, list []Change) error
}

// Source tells of changes.
type Source interface {
	// Subscribe runs until ctx ends: it resumes where the cursor stands, repairs gaps and reconnects by itself.
	Subscribe(ctx context.Context, s Subscription) error
}

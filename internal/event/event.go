// Package event is the durable log of what happened: transitions, written in the unit of work that made them, read by
// consumers that keep a cursor and by browsers that replay from the last one they saw.
package event

import (
	"context"
	"encoding/json"
	"time"
)

// Event is one entry. Seq is dense and grows by one within the whole log; Type is past tense ("contact.ended").
type Event struct {
	Seq     int64           `json:"seq"`
	Tenant  string          `json:"tenant"`
	Type    string          `json:"type"`
	Subject string          `json:"subject"` // id of what it is about
	At      time.Time       `json:"at"`
	Data    json.RawMessage `json:"data"` // never personal data in clear: ids, states, codes
}

// Log reads events. It is safe for concurrent use.
type Log interface {
	// Read returns at most limit events of the tenant with Seq greater than after, in order. tenant "" means all.
	Read(ctx context.Context, tenant string, after int64, limit int) ([]Event, error)
	// Head returns the highest Seq, 0 when the log is empty.
	Head(ctx context.Context) (int64, error)
	// Oldest returns the lowest Seq still kept, 0 when the log is empty.
	Oldest(ctx context.Context) (int64, error)
	// Cursor returns the stored position of a consumer, 0 at first.
	Cursor(ctx context.Context, consumer string) (int64, error)
	// SetCursor stores the position of a consumer.
	SetCursor(ctx context.Context, consumer string, seq int64) error
	// Purge removes events older than before and returns how many went.
	Purge(ctx context.Context, before time.Time) (int64, error)
}

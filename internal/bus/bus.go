// Package bus carries live signals: hints that something changed. They are not truth: a signal may be lost or doubled,
// and whoever receives one reads the store.
package bus

import "context"

// Signal names what changed: a topic such as "events" or "agent.<id>", and an optional short payload without personal data.
type Signal struct {
	Topic   string
	Payload string
}

// Bus publishes and subscribes. It is safe for concurrent use.
type Bus interface {
	// Publish never blocks; a slow subscriber misses signals, and its channel then still holds at least one.
	Publish(ctx context.Context, s Signal)
	// Subscribe delivers signals of the topics until ctx ends; the channel is closed then.
	Subscribe(ctx context.Context, topics ...string) <-chan Signal
}

// Package inproc is the bus of one process.
package inproc

import (
	"context"
	"slices"
	"sync"

	"github.com/tandemcc/tandem/internal/bus"
)

// buffer is how many signals a subscriber may lag behind before it misses some.
const buffer = 64

// Bus is an in-process bus.Bus.
type Bus struct {
	mu   sync.RWMutex // guards subs and every send on their channels
	subs map[string][]chan bus.Signal
}

var _ bus.Bus = (*Bus)(nil)

// New returns an empty bus.
func New() *Bus { return &Bus{subs: map[string][]chan bus.Signal{}} }

// Publish implements bus.Bus.
func (b *Bus) Publish(_ context.Context, s bus.Signal) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, ch := range b.subs[s.Topic] {
		select {
		case ch <- s:
		default:
		}
	}
}

// Subscribe implements bus.Bus.
func (b *Bus) Subscribe(ctx context.Context, topics ...string) <-chan bus.Signal {
	ch := make(chan bus.Signal, buffer)
	b.mu.Lock()
	for _, t := range topics {
		b.subs[t] = append(b.subs[t], ch)
	}
	b.mu.Unlock()
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, t := range topics {
			b.subs[t] = slices.DeleteFunc(b.subs[t], func(c chan bus.Signal) bool { return c == ch })
			if len(b.subs[t]) == 0 {
				delete(b.subs, t)
			}
		}
		close(ch)
	})
	return ch
}

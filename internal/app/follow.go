package app

import (
	"context"

	"github.com/tandemcc/tandem/internal/bus"
	"github.com/tandemcc/tandem/internal/event"
)

// followBatch is how many events are read at once.
const followBatch = 500

// follow calls f with the events after a sequence number, in order, until ctx ends. It reads when a signal says that there is
// something; what cannot be read now is read with the next signal.
func follow(ctx context.Context, b bus.Bus, log event.Log, tenant string, after int64, f func(list []event.Event)) {
	for range b.Subscribe(ctx, "events") {
		for {
			list, err := log.Read(ctx, tenant, after, followBatch)
			if err != nil || len(list) == 0 {
				break
			}
			after = list[len(list)-1].Seq
			f(list)
		}
	}
}

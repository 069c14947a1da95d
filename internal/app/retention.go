package app

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/caller"
)

const (
	purgeEvery = time.Hour
	clipsKept  = 90 * 24 * time.Hour
	beatEvery  = 2 * time.Second
)

// retention removes what is kept long enough, by the process clock, and notes that this process lives.
type retention struct {
	hub    *Hub
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Start implements lifecycle.Part.
func (r *retention) Start(ctx context.Context) error {
	ctx, r.cancel = context.WithCancel(caller.With(context.WithoutCancel(ctx), service("retention")))
	r.done.Add(2)
	go func() { defer r.done.Done(); r.beat(ctx) }()
	go func() { defer r.done.Done(); r.loop(ctx) }()
	return nil
}

// Stop implements lifecycle.Part.
func (r *retention) Stop(context.Context) error {
	r.cancel()
	r.done.Wait()
	return nil
}

func (r *retention) loop(ctx context.Context) {
	for ctx.Err() == nil {
		due, stop := r.hub.clock.After(purgeEvery)
		select {
		case <-due:
			r.purge(ctx)
		case <-ctx.Done():
			stop()
		}
	}
}

// purge does one round; a part that fails is tried again in the next.
func (r *retention) purge(ctx context.Context) {
	h, now := r.hub, r.hub.clock.Now()
	steps := map[string]func() (int64, error){
		"contacts": func() (int64, error) {
			n, err := h.contacts.Purge(ctx, Tenant, now.Add(-h.cfg.Retention.Contacts))
			return int64(n), err
		},
		"events":   func() (int64, error) { return h.db.Events().Purge(ctx, now.Add(-h.cfg.Retention.Events)) },
		"jobs":     func() (int64, error) { return h.db.Jobs().Purge(ctx, now.Add(-h.cfg.Retention.Jobs)) },
		"sessions": func() (int64, error) { return h.identity.Purge(ctx) },
		"keys":     func() (int64, error) { return 0, h.ring.Tidy(ctx) },
		"answers":  func() (int64, error) { return h.db.PurgeAnswers(ctx, now.Add(-answersKept)) },
		"clips":    func() (int64, error) { return h.db.PurgeClips(ctx, now.Add(-clipsKept)) },
	}
	for name, f := range steps {
		n, err := f()
		switch {
		case err != nil && ctx.Err() == nil:
			h.log.ErrorContext(ctx, "retention", slog.String("of", name), slog.Any("error", err))
		case n > 0:
			h.log.InfoContext(ctx, "retention", slog.String("of", name), slog.Int64("removed", n))
		}
	}
}

func aliveSetting(node string) string { return "alive." + node }

// beat notes the time, so that a call the process died under is known to have ended about then.
func (r *retention) beat(ctx context.Context) {
	t := time.NewTicker(beatEvery)
	defer t.Stop()
	for {
		now := strconv.FormatInt(r.hub.clock.Now().UnixMilli(), 10)
		if err := r.hub.db.PutSetting(ctx, "", aliveSetting(r.hub.cfg.Node), now); err != nil && ctx.Err() == nil {
			r.hub.log.WarnContext(ctx, "noting that the hub lives", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// lastAlive reads when this node's former process lived last; the zero time when there was none.
func (h *Hub) lastAlive(ctx context.Context) (time.Time, error) {
	value, ok, err := h.db.Setting(ctx, "", aliveSetting(h.cfg.Node))
	if err != nil || !ok {
		return time.Time{}, err
	}
	ms, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(ms).UTC(), nil
}

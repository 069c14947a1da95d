package app

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/bus"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/identity"
	"github.com/tandemcc/tandem/internal/registry"
	"github.com/tandemcc/tandem/internal/routing"
)

// roster keeps routing's queues and agents the same as the configuration: it reads them at the start and whenever an event
// says that one has changed.
type roster struct {
	tenant   string
	router   *routing.Router
	queues   *registry.Collection[registry.Queue]
	identity *identity.Service
	events   event.Log
	bus      bus.Bus
	as       caller.Principal
	log      *slog.Logger

	cancel context.CancelFunc
	done   sync.WaitGroup
	known  map[string]bool // queues in the engine
	agents map[string]bool
	states map[string]routing.Presence // from before the restart
}

// Start implements lifecycle.Part.
func (r *roster) Start(ctx context.Context) error {
	ctx = caller.With(ctx, r.as)
	var err error
	if r.states, err = r.router.Restore(ctx); err != nil {
		return err
	}
	after, err := r.events.Head(ctx)
	if err != nil {
		return err
	}
	r.known, r.agents = map[string]bool{}, map[string]bool{}
	if err := r.sync(ctx); err != nil {
		return err
	}
	loop, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.cancel = cancel
	r.done.Go(func() {
		follow(loop, r.bus, r.events, r.tenant, after, func(list []event.Event) { r.changed(loop, list) })
	})
	return nil
}

// Stop implements lifecycle.Part.
func (r *roster) Stop(context.Context) error {
	r.cancel()
	r.done.Wait()
	return nil
}

// changed reads the configuration again when one of the events says so.
func (r *roster) changed(ctx context.Context, list []event.Event) {
	if !slices.ContainsFunc(list, func(e event.Event) bool {
		return strings.HasPrefix(e.Type, "queue.") || strings.HasPrefix(e.Type, "user.")
	}) {
		return
	}
	if err := r.sync(ctx); err != nil && ctx.Err() == nil {
		r.log.ErrorContext(ctx, "reading queues and agents", slog.Any("error", err))
	}
}

func (r *roster) sync(ctx context.Context) error {
	users, err := r.users(ctx)
	if err != nil {
		return err
	}
	queues, err := r.queues.List(ctx, r.tenant)
	if err != nil {
		return err
	}
	r.router.With(func(e *routing.Engine, now time.Time) (acts []routing.Action) {
		acts = append(acts, r.syncAgents(e, users, now)...)
		return append(acts, r.syncQueues(e, queues, now)...)
	})
	return nil
}

func (r *roster) users(ctx context.Context) (list []identity.User, err error) {
	after := ""
	for {
		page, err := r.identity.Users(ctx, after, identity.MaxPage)
		if err != nil {
			return nil, err
		}
		list = append(list, page...)
		if len(page) < identity.MaxPage {
			return list, nil
		}
		after = page[len(page)-1].Login
	}
}

func (r *roster) syncAgents(e *routing.Engine, users []identity.User, now time.Time) (acts []routing.Action) {
	living := map[string]bool{}
	for _, u := range users {
		if u.Disabled || !has(u.Roles, identity.Agent) {
			continue
		}
		living[u.ID] = true
		p, ok := r.states[u.ID]
		if !ok || p.State == routing.RONA {
			p = routing.Presence{State: routing.Offline}
		}
		acts = append(acts, e.SetAgent(u.ID, u.Name, p, now)...)
		e.SetAddress(u.ID, u.Login, u.Email)
		r.agents[u.ID] = true
	}
	for id := range r.agents {
		if !living[id] && e.RemoveAgent(id) == nil {
			delete(r.agents, id)
		}
	}
	return acts
}

func (r *roster) syncQueues(e *routing.Engine, queues []registry.Object[registry.Queue], now time.Time) (acts []routing.Action) {
	living := map[string]bool{}
	for _, q := range queues {
		living[q.ID], r.known[q.ID] = true, true
		acts = append(acts, e.SetQueue(routing.Queue{
			ID: q.ID, Name: q.Name, Ring: seconds(q.Spec.RingSeconds), WrapUp: seconds(q.Spec.WrapUpSeconds),
			MaxWait: seconds(q.Spec.MaxWaitSeconds), AgentIDs: q.Spec.AgentIDs, Record: q.Spec.Record,
			AutoAccept: q.Spec.AutoAccept, WrapUpCodes: q.Spec.WrapUpCodes,
		}, now)...)
	}
	for id := range r.known {
		if !living[id] {
			acts = append(acts, e.RemoveQueue(id, now)...)
			delete(r.known, id)
		}
	}
	return acts
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func has(list []string, v string) bool {
	return slices.Contains(list, v)
}

package routing

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/clock"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/work"
)

// StoredState is an agent's last chosen state, kept over restarts.
type StoredState struct {
	Tenant, AgentID string
	Presence        Presence
	At              time.Time
}

// Tx is the domain's transaction.
type Tx interface {
	work.Tx
	// PutAgentState stores an agent's state.
	PutAgentState(ctx context.Context, s StoredState) error
	// AgentStates returns the stored states of a tenant.
	AgentStates(ctx context.Context, tenant string) ([]StoredState, error)
}

// Store runs the domain's units of work.
type Store = work.Store[Tx]

// Listener is told what to do. Its methods are called in order, outside the router's lock, and must not block long.
type Listener interface {
	// Do carries out one action.
	Do(ctx context.Context, a Action)
}

// Router runs the engine of one tenant by the process clock. It is safe for concurrent use.
type Router struct {
	tenant   string
	clock    *clock.Clock
	store    Store
	listener Listener
	log      *slog.Logger

	mu    sync.Mutex // guards engine, timer and queue order of actions
	eng   *Engine
	timer *clock.Timer

	actions fifo[Action] // in order to one dispatcher
	states  fifo[StoredState]
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// NewRouter returns a router; Start it before use.
func NewRouter(tenant string, clk *clock.Clock, store Store, l Listener, log *slog.Logger) *Router {
	return &Router{
		tenant: tenant, clock: clk, store: store, listener: l, log: log, eng: NewEngine(),
		actions: newFIFO[Action](), states: newFIFO[StoredState](),
	}
}

// Start begins to dispatch actions.
func (r *Router) Start(ctx context.Context) error {
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	r.done.Add(2)
	go func() { defer r.done.Done(); r.dispatch(ctx) }()
	go func() { defer r.done.Done(); r.persist(ctx) }()
	return nil
}

// Stop ends dispatching; the stored states are complete after it.
func (r *Router) Stop(context.Context) error {
	r.mu.Lock()
	r.timer.Stop()
	r.mu.Unlock()
	r.stop()
	r.done.Wait()
	return nil
}

// SetListener sets who carries actions out; call it before Start.
func (r *Router) SetListener(l Listener) { r.listener = l }

// Restore returns the agents' states from before the restart.
func (r *Router) Restore(ctx context.Context) (map[string]Presence, error) {
	out := map[string]Presence{}
	err := r.store.View(ctx, func(tx Tx) error {
		list, err := tx.AgentStates(ctx, r.tenant)
		for _, s := range list {
			out[s.AgentID] = s.Presence
		}
		return err
	})
	return out, err
}

// With runs f on the engine under the lock and dispatches the actions it returns.
func (r *Router) With(f func(e *Engine, now time.Time) []Action) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.publish(f(r.eng, r.clock.Now()))
}

// Try is With for calls that can fail.
func (r *Router) Try(f func(e *Engine, now time.Time) ([]Action, error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	acts, err := f(r.eng, r.clock.Now())
	r.publish(acts)
	return err
}

// publish hands actions to the dispatcher, notes states to store and arms the timer; r.mu is held.
func (r *Router) publish(acts []Action) {
	for _, a := range acts {
		if a.Kind == AgentChanged {
			r.note(a.AgentID)
		}
	}
	r.actions.put(acts...)
	r.timer.Stop()
	if at, ok := r.eng.NextDue(); ok {
		r.timer = r.clock.AfterFunc(at.Sub(r.clock.Now()), func() {
			r.With(func(e *Engine, now time.Time) []Action { return e.Tick(now) })
		})
	}
}

// note queues the state an agent goes back to for storing.
func (r *Router) note(agentID string) {
	a, ok := r.eng.Agent(agentID)
	if !ok {
		return
	}
	p := Presence{State: a.State, Reason: a.Reason}
	if a.State.Busy() {
		if a.Next == nil {
			return
		}
		p = *a.Next
	}
	r.states.put(StoredState{Tenant: r.tenant, AgentID: a.ID, Presence: p, At: r.clock.Now()})
}

func (r *Router) dispatch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.actions.ready:
			for _, a := range r.actions.take() {
				r.listener.Do(ctx, a)
			}
		}
	}
}

// persist stores states in batches, each with its event; on stop it stores what is left.
func (r *Router) persist(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-r.states.ready:
		}
		r.store1(ctx, r.states.take())
	}
}

func (r *Router) store1(ctx context.Context, batch []StoredState) {
	if len(batch) == 0 {
		return
	}
	err := r.store.Update(context.WithoutCancel(ctx), func(tx Tx) error {
		for _, s := range batch {
			if err := tx.PutAgentState(ctx, s); err != nil {
				return err
			}
			data, err := json.Marshal(s.Presence)
			if err != nil {
				return err
			}
			if err := tx.Emit(ctx, event.Event{Tenant: s.Tenant, Type: "agent.state", Subject: s.AgentID, At: s.At, Data: data}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.log.ErrorContext(ctx, "storing agents' states", slog.Any("error", err))
	}
}

// fifo is an unbounded queue with one reader: who puts never waits for who takes, since both hold locks of their own.
type fifo[T any] struct {
	mu    *sync.Mutex // guards list
	list  *[]T
	ready chan struct{}
}

func newFIFO[T any]() fifo[T] {
	return fifo[T]{mu: new(sync.Mutex), list: new([]T), ready: make(chan struct{}, 1)}
}

func (f fifo[T]) put(v ...T) {
	if len(v) == 0 {
		return
	}
	f.mu.Lock()
	*f.list = append(*f.list, v...)
	f.mu.Unlock()
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

func (f fifo[T]) take() []T {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := *f.list
	*f.list = nil
	return out
}

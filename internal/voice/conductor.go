package voice

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/bus"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/clock"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/routing"
)

// Entry is what answers calls to a number: a compiled flow, and values for its variables that the installation sets.
type Entry struct {
	ID, Name    string // of the entry point
	FlowID      string
	FlowName    string
	FlowVersion int
	Program     *flow.Program
	Pins        map[string]int // versions of the flow and of those it leads to, by id
	Vars        map[string]any
}

// Flows finds flows. It is safe for concurrent use.
type Flows interface {
	// Entry returns what answers calls to number; errs.NotFound when nothing does.
	Entry(ctx context.Context, tenant, number string) (Entry, error)
	// Program returns a version of a flow, however old, with the flows linked into it that pins name; errs.NotFound.
	Program(ctx context.Context, tenant, flowID string, version int, pins map[string]int) (*flow.Program, error)
	// Find returns another flow, by our id or by its name: the version that pins name, else the published one; errs.NotFound.
	Find(ctx context.Context, tenant string, ref flow.Destination, pins map[string]int) (Entry, error)
}

// Prompts makes audio, 8 kHz µ-law. It is safe for concurrent use.
type Prompts interface {
	// Clip returns prompts spoken and joined. It fails when ctx ends, with errs.Exhausted under load.
	Clip(ctx context.Context, tenant string, prompts []flow.Prompt) ([]byte, error)
	// Music returns a file to wait with; an unknown name gives the hold music.
	Music(ctx context.Context, tenant, file string) ([]byte, error)
}

// Dips makes a flow's HTTP requests with the connector's credentials. It is safe for concurrent use.
type Dips interface {
	// Do returns the answer, whatever its status. Its error means that there was none.
	Do(ctx context.Context, tenant string, req flow.HTTP) (*flow.HTTPResult, error)
	// Deliver makes a durable job's request so that it has its effect, once where the other side allows it. It is called again
	// until it returns no error; one with job.SnoozeFor in its chain means that nothing was tried. The progress says how
	// exact the delivery is.
	Deliver(ctx context.Context, tenant string, req flow.HTTP, w Write) (*flow.HTTPResult, job.Progress, error)
	// RecordKey names the foreign record that a request writes: the same text for the same one, "" when there is none.
	RecordKey(req flow.HTTP) string
}

// Write is what a durable job knows of its request.
type Write struct {
	Key      string       // unique for the write and the same at every attempt
	Progress job.Progress // what Keep kept at an earlier attempt
	// Keep stores progress durably; the request must not go out when it fails.
	Keep func(ctx context.Context, p job.Progress) error
}

// Jobs keeps how far a job came.
type Jobs interface {
	// Progress is as of job.Store.
	Progress(ctx context.Context, node, id string, p job.Progress) error
}

// Customers finds out who calls. It is safe for concurrent use.
type Customers interface {
	// Find returns what the CRM knows of a number; the Status says how it went.
	Find(ctx context.Context, tenant, number string) contact.Customer
}

// Numbers normalises telephone numbers.
type Numbers interface {
	// E164 returns the number in E.164 form, or what it was given when it is none.
	E164(number string) string
}

// Deps are what a Conductor works with; every field is needed unless it says otherwise.
type Deps struct {
	Tenant    string
	Node      string
	Clock     *clock.Clock
	Phone     Phone
	Contacts  *contact.Service
	Router    *routing.Router
	Flows     Flows
	Prompts   Prompts
	Dips      Dips
	Jobs      Jobs
	Customers Customers
	Outside   Outside
	Numbers   Numbers
	Bus       bus.Bus
	Principal caller.Principal
	LastAlive time.Time // when this node's former process was last known to live
	Log       *slog.Logger
	Trunk     Trunk    // the zero Trunk: calls to the outside fail
	Stations  Stations // nil: agents' telephones are forgotten at the stop
}

// Stations keeps where agents' calls ring over restarts. It is safe for concurrent use.
type Stations interface {
	// Put stores an agent's SIP address; empty means the browser.
	Put(ctx context.Context, tenant, agentID, address string) error
	// All returns the stored addresses by agent.
	All(ctx context.Context, tenant string) (map[string]string, error)
}

// Conductor runs the calls of this node: it carries out what flows ask for, connects callers with agents and keeps the
// contact's record. It is safe for concurrent use; each call has one goroutine of its own.
type Conductor struct {
	Deps

	mu       sync.Mutex // guards calls, sips, outside and stopping
	calls    map[string]*call
	sips     map[string]string // agent id -> address of their SIP phone
	outside  int               // calls through the trunk
	stopping bool
	running  sync.WaitGroup
	ctx      context.Context //nolint:containedctx // the life of calls, which no request bounds
	cancel   context.CancelFunc
}

// New returns a conductor; Start it before the phone.
func New(d Deps) *Conductor {
	return &Conductor{Deps: d, calls: map[string]*call{}, sips: map[string]string{}}
}

// Start takes up what this node held when it stopped and begins to take calls.
func (c *Conductor) Start(ctx context.Context) error {
	c.ctx, c.cancel = context.WithCancel(caller.With(context.WithoutCancel(ctx), c.Principal))
	c.Phone.SetHandler(c.incoming)
	if err := c.loadStations(); err != nil {
		return err
	}
	return c.recover(c.ctx)
}

// Drain refuses new calls and waits until every call is over or ctx ends.
func (c *Conductor) Drain(ctx context.Context) {
	c.Phone.SetDraining(true)
	c.suspendCallbacks()
	done := make(chan struct{})
	go func() { c.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Stop ends what is left. Contacts that are still open are taken up at the next start.
func (c *Conductor) Stop(ctx context.Context) error {
	c.mu.Lock()
	c.stopping = true
	open := make([]*call, 0, len(c.calls))
	for _, k := range c.calls {
		open = append(open, k)
	}
	c.mu.Unlock()
	for _, k := range open {
		k.post(func() { k.shutdown() })
	}
	done := make(chan struct{})
	go func() { c.running.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	c.cancel()
	return err
}

// suspendCallbacks leaves the callbacks that wait to the next start: a drain does not wait for them.
func (c *Conductor) suspendCallbacks() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.calls {
		k.post(func() {
			if k.isCallback() {
				k.suspend()
			}
		})
	}
}

// incoming answers a call: number -> flow -> record -> answer -> first step.
func (c *Conductor) incoming(leg Leg) {
	info := leg.Info()
	entry, err := c.Flows.Entry(c.ctx, c.Tenant, info.To)
	if err != nil {
		code, reason := 503, "Service Unavailable"
		if errs.Is(err, errs.NotFound) {
			code, reason = 404, "Not Found"
		}
		c.Log.WarnContext(c.ctx, "call refused", slog.String("dnis", info.To), slog.Int("status", code), slog.Any("error", err))
		c.reject(leg, code, reason)
		return
	}
	if err := leg.Ring(); err != nil { // the caller may have given up; its end follows as an event
		c.Log.DebugContext(c.ctx, "ringing", slog.Any("error", err))
	}
	now := c.Clock.Now()
	ct := &contact.Contact{
		Tenant: c.Tenant, ID: ids.New(), Node: c.Node, DNIS: info.To, EntryPointID: entry.ID, FlowID: entry.FlowID,
		FlowVersion: entry.FlowVersion, Priority: 10, CreatedAt: now, WriteBack: contact.NoWriteBack,
		Details: contact.Details{
			ANI: info.From, CallerName: info.FromName, EntryPoint: entry.Name, FlowName: entry.FlowName, FlowPins: entry.Pins,
		},
	}
	ct.SetState(contact.InFlow, now)
	ct.Customer = contact.Customer{Status: "off"}
	ct.Note(now, "started", "Call received", "")
	k := c.newCall(ct)
	k.leg, k.prog = leg, entry.Program
	if !c.register(k) {
		c.reject(leg, 503, "Service Unavailable")
		return
	}
	if err := c.Contacts.Create(c.ctx, ct, c.Numbers.E164(info.From), contact.Event(ct, "contact.created", now, map[string]string{"entryPoint": entry.ID})); err != nil {
		c.Log.ErrorContext(c.ctx, "a call could not be recorded and is refused", slog.Any("error", err))
		c.reject(leg, 503, "Service Unavailable")
		c.unregister(k)
		return
	}
	go k.run()
	go k.watch(leg)
	k.post(func() { k.answer(entry) })
}

func (c *Conductor) reject(leg Leg, code int, reason string) {
	if err := leg.Reject(code, reason); err != nil {
		c.Log.DebugContext(c.ctx, "rejecting a call", slog.Any("error", err))
	}
}

func (c *Conductor) register(k *call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		return false
	}
	c.calls[k.ct.ID] = k
	c.running.Add(1)
	return true
}

func (c *Conductor) unregister(k *call) {
	c.mu.Lock()
	delete(c.calls, k.ct.ID)
	c.mu.Unlock()
	c.running.Done()
	c.signal(k)
}

// signal tells whoever looks at the call that it changed.
func (c *Conductor) signal(k *call) {
	c.Bus.Publish(c.ctx, bus.Signal{Topic: "live"})
	if id := k.agentID(); id != "" {
		c.Bus.Publish(c.ctx, bus.Signal{Topic: "agent." + id})
	}
}

func (c *Conductor) call(id string) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[id]
}

// View is a call as others see it: a copy that does not change.
type View struct {
	Contact   contact.Contact
	Muted     bool
	Held      bool
	RingUntil time.Time
	Node      string // name of the flow's node
}

// View returns a living call.
func (c *Conductor) View(contactID string) (View, bool) {
	k := c.call(contactID)
	if k == nil {
		return View{}, false
	}
	return *k.view.Load(), true
}

// Views returns all living calls in no order.
func (c *Conductor) Views() []View {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]View, 0, len(c.calls))
	for _, k := range c.calls {
		if v := k.view.Load(); v != nil {
			out = append(out, *v)
		}
	}
	return out
}

// Count returns how many calls live here.
func (c *Conductor) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls)
}

// Do implements routing.Listener.
func (c *Conductor) Do(ctx context.Context, a routing.Action) {
	if a.AgentID != "" {
		c.Bus.Publish(ctx, bus.Signal{Topic: "agent." + a.AgentID})
	}
	c.Bus.Publish(ctx, bus.Signal{Topic: "live"})
	k := c.call(a.ContactID)
	if k == nil {
		return
	}
	switch a.Kind {
	case routing.Offer:
		k.post(func() { k.offered(a) })
	case routing.Withdraw:
		k.post(func() { k.withdrawn(a) })
	case routing.Expire:
		k.post(func() { k.expired(a) })
	case routing.Recover:
		k.post(func() { k.recovered(a) })
	case routing.WrapUpOver:
		k.post(func() { k.wrapUpOver() })
	case routing.AgentChanged:
	}
}

// traceJSON encodes trace entries; they are plain data.
func traceJSON(list []flow.TraceEntry) []byte {
	if len(list) == 0 {
		return nil
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return nil
	}
	return raw
}

var errGone = errors.New("the call is over")

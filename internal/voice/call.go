package voice

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandemcc/tandem/internal/clock"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/routing"
	"github.com/tandemcc/tandem/internal/work"
)

// call is one contact's goroutine. Its fields are touched only by functions that run in it (posted with post); view is
// the exception.
type call struct {
	c    *Conductor
	ct   *contact.Contact
	prog *flow.Program
	sess *flow.Session
	leg  Leg
	view atomic.Pointer[View]
	log  *slog.Logger

	inbox  inbox
	cancel map[flow.CommandID]func() // stops an outstanding command
	gather *gatherer
	trace  []flow.TraceEntry // not stored yet
	node   flow.NodeID       // where the flow was last
	events []event.Event
	jobs   []job.Job
	audit  []work.Audit

	agent     *routing.Agent // who was offered the contact, or talks
	agentLeg  Leg            // the agent's SIP phone
	unbridge  func()
	xfer      *transfer // to a number outside
	dialing   *dialing  // a callback's customer, whose telephone rings
	rec       *recorder
	msg       *message // that the caller leaves
	ringUntil time.Time
	muted     bool
	legOver   bool // the caller's leg is gone, or never was
	agentDone bool // nobody has wrap-up to do
	byAgent   bool // the step is the answer to the agent's hang-up
	stopping  bool // the hub stops: nothing is waited for
	closed    bool
	quit      bool
	handOvers int // from flow to flow

	silent     int // how often in a row silentNode has played nothing
	silentNode flow.NodeID

	refreshing bool // the caller is being looked up again
	stale      bool // and must be once more
}

func (c *Conductor) newCall(ct *contact.Contact) *call {
	k := &call{
		c: c, ct: ct, cancel: map[flow.CommandID]func(){}, agentDone: true, inbox: newInbox(),
		log: c.Log.With(slog.String("contact", ct.ID)),
	}
	k.publish()
	return k
}

// inbox is an unbounded mailbox with one reader.
type inbox struct {
	mu    *sync.Mutex // guards list
	list  *[]func()
	ready chan struct{}
}

func newInbox() inbox {
	return inbox{mu: new(sync.Mutex), list: new([]func()), ready: make(chan struct{}, 1)}
}

// post runs f in the call's goroutine, after what was posted before. It never blocks; after the call's end f does not run.
func (k *call) post(f func()) {
	k.inbox.mu.Lock()
	*k.inbox.list = append(*k.inbox.list, f)
	k.inbox.mu.Unlock()
	select {
	case k.inbox.ready <- struct{}{}:
	default:
	}
}

// ask runs f in the call's goroutine and returns its error, or the context's.
func (k *call) ask(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	k.post(func() { done <- f() })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-k.c.ctx.Done():
		return errGone
	}
}

func (k *call) run() {
	defer k.c.unregister(k)
	for !k.quit {
		select {
		case <-k.inbox.ready:
		case <-k.c.ctx.Done():
			return
		}
		k.inbox.mu.Lock()
		list := *k.inbox.list
		*k.inbox.list = nil
		k.inbox.mu.Unlock()
		for _, f := range list {
			if !k.quit {
				f()
			}
		}
		k.publish()
	}
	for _, stop := range k.cancel {
		stop()
	}
}

// publish shows the call's state to others.
func (k *call) publish() {
	v := View{Contact: *k.ct, Node: string(k.node), Muted: k.muted, Held: k.ct.State == contact.Held, RingUntil: k.ringUntil}
	v.Contact.Variables = slices.Clone(k.ct.Variables)
	v.Contact.Timeline = slices.Clone(k.ct.Timeline)
	if cb := k.ct.Callback; cb != nil {
		own := *cb // the call goes on counting attempts
		v.Contact.Callback = &own
	}
	k.view.Store(&v)
	k.c.signal(k)
}

// agentID returns whose desk shows the call; it may be called from any goroutine.
func (k *call) agentID() string {
	if v := k.view.Load(); v != nil {
		return v.Contact.AgentID
	}
	return ""
}

func (k *call) now() time.Time { return k.c.Clock.Now() }

// watch turns the leg's events into posts until the leg ends.
func (k *call) watch(leg Leg) {
	for ev := range leg.Events() {
		k.legEvent(ev)
	}
}

// legEvent takes one event of the caller's leg.
func (k *call) legEvent(ev LegEvent) {
	switch ev.Type {
	case LegDigit:
		k.post(func() { k.digit(ev.Digit.Key) })
	case LegEnded:
		k.post(func() { k.legEnded(ev) })
	case LegMediaTimeout:
		k.post(func() { k.ct.Note(k.now(), "media", "No audio from the caller", "") })
	case LegMediaBack:
		k.post(func() { k.ct.Note(k.now(), "media", "Audio from the caller again", "") })
	case LegRinging, LegAnswered, LegHeld, LegResumed:
	}
}

// answer takes the call and starts its flow.
func (k *call) answer(entry Entry) {
	go func() {
		err := k.leg.Answer(k.c.ctx)
		if err != nil {
			k.log.WarnContext(k.c.ctx, "answering", slog.Any("error", err))
		}
	}()
	info := k.leg.Info()
	in := flow.Input{
		Contact: flow.Contact{
			ID: k.ct.ID, ANI: info.From, DNIS: info.To, EntryPointID: entry.ID, EntryPointName: entry.Name, OrgID: k.ct.Tenant,
			Channel: "telephony", Direction: "INBOUND", Headers: firstValues(info.Headers),
		},
		At: k.now(), Seed: rand.Uint64(), Vars: entry.Vars,
	}
	k.lookUp()
	k.begin(in)
}

// begin starts a flow's session and carries out its first step.
func (k *call) begin(in flow.Input) {
	sess, out, err := flow.Start(k.prog, in)
	if err != nil {
		k.log.ErrorContext(k.c.ctx, "starting the flow", slog.Any("error", err))
		k.ct.Note(k.now(), "error", "The flow could not be started", err.Error())
		k.leg.Hangup("flow error")
		return
	}
	k.sess = sess
	k.ct.Variables = variables(k.prog.CAD(sess))
	k.perform(out)
}

// lookUp finds the caller in the CRM for the desk, beside the flow.
func (k *call) lookUp() {
	k.ct.Customer = contact.Customer{Status: "loading"}
	number := k.ct.ANI
	go func() {
		found := k.c.Customers.Find(k.c.ctx, k.ct.Tenant, number)
		k.post(func() { k.ct.Customer = found })
	}()
}

// RefreshCustomers looks the callers of living calls up again whose customer, as the desk shows it, a change in the CRM touches.
// What is shown stays until the new answer is there; a look-up that fails changes nothing.
func (c *Conductor) RefreshCustomers(touches func(contact.Customer) bool) {
	c.mu.Lock()
	list := slices.Collect(maps.Values(c.calls))
	c.mu.Unlock()
	for _, k := range list {
		k.post(func() {
			if k.ct.ANI == "" || k.ct.Customer.Status == "loading" || k.closed || !touches(k.ct.Customer) {
				return
			}
			k.refreshCustomer()
		})
	}
}

// refreshCustomer looks the caller up again. Changes that come meanwhile are seen by one more look-up after it.
func (k *call) refreshCustomer() {
	if k.refreshing {
		k.stale = true
		return
	}
	k.refreshing = true
	number := k.ct.ANI
	go func() {
		found := k.c.Customers.Find(k.c.ctx, k.ct.Tenant, number)
		k.post(func() {
			k.refreshing = false
			if found.Status != "error" {
				k.ct.Customer = found
			}
			if k.stale {
				k.stale = false
				k.refreshCustomer()
			}
		})
	}()
}

// step feeds one event to the flow and carries out what it asks for.
func (k *call) step(ev flow.Event) {
	if k.sess == nil || k.sess.Over {
		return
	}
	ev.At, ev.Seed = k.now(), rand.Uint64()
	out, err := flow.Step(k.prog, k.sess, ev)
	if err != nil {
		k.log.ErrorContext(k.c.ctx, "flow step", slog.Any("error", err), slog.String("event", string(ev.Kind)))
		k.ct.Note(k.now(), "error", "The flow failed", err.Error())
		if !k.legOver {
			k.leg.Hangup("flow error")
		}
		return
	}
	k.perform(out)
}

// perform carries out commands in their order and stores the step, unless all that is waited for is a dip's answer.
func (k *call) perform(out flow.Output) {
	k.trace = append(k.trace, out.Trace...)
	if n := len(out.Trace); n > 0 {
		k.node = out.Trace[n-1].Node
	}
	store := len(out.Commands) == 0
	for _, cmd := range out.Commands {
		k.do(cmd)
		store = store || cmd.Kind != flow.CmdHTTP
	}
	k.hangUpIfIdle()
	if store {
		k.save()
	}
}

// hangUpIfIdle ends a call that nothing can happen to any more: the flow has ended without a disconnect, or the agent has
// left and no handler goes on with the caller.
func (k *call) hangUpIfIdle() {
	if k.legOver || k.ct.State != contact.InFlow || len(k.cancel) > 0 {
		return
	}
	if k.ct.AnsweredAt.IsZero() {
		k.setEnd(contact.ByFlow)
	} else {
		k.setEnd(contact.ByAgent)
	}
	k.leg.Hangup("flow ended")
}

// save stores the contact, its session and what has piled up. When the store fails the call goes on and the next save
// carries everything.
func (k *call) save() {
	ch := contact.Change{Contact: k.ct, Trace: traceJSON(k.trace), Events: k.events, Jobs: k.jobs, Audit: k.audit}
	if k.sess != nil {
		raw, err := k.sess.JSON()
		if err != nil {
			k.log.ErrorContext(k.c.ctx, "encoding the session", slog.Any("error", err))
			return
		}
		ch.Session = raw
	}
	if err := k.c.Contacts.Save(k.c.ctx, ch); err != nil {
		k.log.ErrorContext(k.c.ctx, "storing the call", slog.Any("error", err))
		return
	}
	k.trace, k.events, k.jobs, k.audit = nil, nil, nil, nil
}

func (k *call) emit(typ string, data map[string]string) {
	k.events = append(k.events, contact.Event(k.ct, typ, k.now(), data))
}

// after posts f once d of process time has passed; the returned function cancels it.
func (k *call) after(d time.Duration, f func()) *clock.Timer {
	return k.c.Clock.AfterFunc(d, func() { k.post(f) })
}

func firstValues(h map[string][]string) map[string]string {
	out := make(map[string]string, len(h))
	for name, v := range h {
		if len(v) > 0 {
			out[name] = v[0]
		}
	}
	return out
}

// variables is what the desk shows; the values of secure ones are not for eyes.
func variables(list []flow.CADValue) []contact.Variable {
	out := make([]contact.Variable, 0, len(list))
	for _, v := range list {
		cv := contact.Variable{Name: v.Name, Label: v.Label, Value: v.Value, Type: "STRING", Editable: v.Editable}
		if v.Secure {
			cv.Value, cv.Editable = "••••", false
		}
		if cv.Label == "" {
			cv.Label = v.Name
		}
		out = append(out, cv)
	}
	return out
}

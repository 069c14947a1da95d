package voice

import (
	"context"
	"net/netip"
	"strconv"
	"time"

	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/routing"
)

// Limits and defaults of callbacks. The bounds are those of Webex Contact Center, which every format's fit into.
const (
	defaultAttempts = 3
	maxAttempts     = 10
	defaultRetry    = 10 * time.Minute
	minRetry        = 10 * time.Second
	maxRetry        = 72 * time.Hour
	callbackLife    = 14 * 24 * time.Hour // from the registration on
	callbackRing    = 45 * time.Second    // how long the customer's telephone rings
)

// eventCallbackFailed is the event that a flow may handle when no attempt has reached the customer (Webex).
const eventCallbackFailed flow.EventName = "ContactCallbackFailed"

// registerCallback makes a contact that calls the customer back and takes this one's place in the queue. This one goes on without it.
func (k *call) registerCallback(id flow.CommandID, cb flow.Callback) {
	k.cancel[id] = func() {}
	out := flow.Event{Kind: flow.EvAnswer, Outcome: "ok"}
	if err := k.makeCallback(cb); err != nil {
		k.ct.Note(k.now(), "error", "The callback could not be registered", errs.Message(err))
		out.Outcome, out.Error = "failed", errs.Message(err)
	}
	k.post(func() { k.result(id, out) })
}

func (k *call) makeCallback(cb flow.Callback) error {
	number, err := k.c.mayCall(cb.Number)
	if err != nil {
		return err
	}
	now := k.now()
	place := routing.Item{At: now, Priority: k.ct.Priority}
	var queue routing.Queue
	k.c.Router.With(func(e *routing.Engine, _ time.Time) []routing.Action {
		queue, _ = findQueue(e, flow.Enqueue{Queue: cb.Queue, QueueName: cb.Queue, Fallback: k.ct.QueueID})
		if it, ok := e.Item(k.ct.ID); ok {
			place = it
		}
		return nil
	})
	if queue.ID == "" {
		return errs.New(errs.NotFound, "no queue is named for the callback")
	}
	ct := k.callbackContact(cb, number, queue, place, now)
	b := k.c.newCall(ct)
	b.leg, b.prog = nobody{b}, k.prog
	if k.sess != nil {
		b.sess = k.sess.Callback(ct.ID)
	}
	if !k.c.register(b) {
		return errs.New(errs.Unavailable, "the hub is stopping")
	}
	if err := k.c.Contacts.Create(k.c.ctx, ct, k.c.Numbers.E164(number), contact.Event(ct, "contact.created", now, map[string]string{"callbackOf": k.ct.ID})); err != nil {
		k.c.unregister(b)
		return err
	}
	k.leaveQueue()
	k.ct.CalledBack = ct.ID
	k.ct.Note(now, "callback", "Callback registered", queue.Name)
	k.emit("contact.callbackRegistered", map[string]string{"callback": ct.ID, "queue": queue.ID})
	go b.run()
	b.post(func() {
		if ct.Customer.Status == "" {
			b.lookUp()
		}
		b.save() // with the session
		b.line()
	})
	return nil
}

func (k *call) callbackContact(cb flow.Callback, number string, queue routing.Queue, place routing.Item, now time.Time) *contact.Contact {
	ct := &contact.Contact{
		Tenant: k.ct.Tenant, ID: ids.New(), Node: k.ct.Node, DNIS: k.ct.DNIS, EntryPointID: k.ct.EntryPointID, FlowID: k.ct.FlowID,
		FlowVersion: k.ct.FlowVersion, QueueID: queue.ID, Priority: place.Priority, CreatedAt: now, QueuedAt: now, WriteBack: contact.NoWriteBack,
		Details: contact.Details{
			ANI: number, EntryPoint: k.ct.EntryPoint, FlowName: k.ct.FlowName, QueueName: queue.Name, Record: k.ct.Record,
			Variables: append([]contact.Variable(nil), k.ct.Variables...),
		},
	}
	retry := defaultRetry
	if cb.RetrySeconds > 0 {
		retry = min(max(time.Duration(cb.RetrySeconds)*time.Second, minRetry), maxRetry)
	}
	attempts := defaultAttempts
	if cb.Attempts > 0 {
		attempts = min(cb.Attempts, maxAttempts)
	}
	ct.Callback = &contact.Callback{
		Number: number, CallerID: k.callerID(cb.ANI), Previous: k.ct.ID, At: place.At, OlderSeconds: int(place.Older / time.Second),
		MaxAttempts: attempts, RetrySeconds: int(retry / time.Second),
	}
	if cb.DelaySeconds > 0 {
		ct.Callback.NextAt = now.Add(min(time.Duration(cb.DelaySeconds)*time.Second, maxRetry))
	}
	if number == destination(k.ct.ANI) {
		ct.CallerName, ct.Customer = k.ct.CallerName, k.ct.Customer
	}
	ct.SetState(contact.Queued, now)
	ct.Note(now, "callback", "Callback to "+number, "waiting since "+place.At.UTC().Format(time.TimeOnly))
	return ct
}

// leaveQueue takes the contact out of its queue, and an offer of it back.
func (k *call) leaveQueue() {
	if k.ct.State != contact.Queued && k.ct.State != contact.Ringing {
		return
	}
	if k.agentLeg != nil {
		k.agentLeg.Hangup("caller has gone")
		k.agentLeg = nil
	}
	k.c.Router.With(func(e *routing.Engine, now time.Time) []routing.Action { return e.Remove(k.ct.ID, now) })
	k.agent, k.ringUntil = nil, time.Time{}
	k.ct.AgentID, k.ct.AgentName = "", ""
	k.ct.SetState(contact.InFlow, k.now())
}

// isCallback reports whether the call is a callback whose customer is not on the line yet.
func (k *call) isCallback() bool {
	_, waits := k.leg.(nobody)
	return waits && !k.legOver
}

// line puts the callback into its queue, at its place, once it may be.
func (k *call) line() {
	cb := k.ct.Callback
	k.ct.SetState(contact.Queued, k.now())
	if wait := cb.NextAt.Sub(k.now()); wait > 0 {
		k.after(wait, func() {
			if k.isCallback() && k.ct.State == contact.Queued {
				k.line()
			}
		})
		return
	}
	err := k.c.Router.Try(func(e *routing.Engine, now time.Time) ([]routing.Action, error) {
		return e.Enqueue(routing.Item{
			ContactID: k.ct.ID, QueueID: k.ct.QueueID, Priority: k.ct.Priority, At: cb.At, Older: seconds(cb.OlderSeconds),
			MaxWait: max(k.ct.CreatedAt.Add(callbackLife).Sub(cb.At), time.Second),
		}, now)
	})
	if err != nil {
		k.callbackOver(errs.Message(err))
		return
	}
	k.emit("contact.queued", map[string]string{"queue": k.ct.QueueID})
	k.save()
}

// dialCustomer calls the customer for the agent who has accepted; agent is the agent's audio, who hears it ring.
func (k *call) dialCustomer(agent Media) error {
	cb := k.ct.Callback
	agentID := k.ct.AgentID
	if err := k.c.Router.Try(func(e *routing.Engine, now time.Time) ([]routing.Action, error) {
		return e.Accept(agentID, k.ct.ID, now)
	}); err != nil {
		return err
	}
	now := k.now()
	k.agent, k.ringUntil = k.findAgent(agentID), time.Time{}
	cb.Attempts++
	k.ct.SetState(contact.Dialing, now)
	k.ct.Note(now, "dialing", "Calling the customer for "+k.agent.Name, attemptText(cb))
	k.emit("contact.dialing", map[string]string{"agent": agentID})
	k.save() // the attempt counts even if the hub dies now
	leg, err := k.c.callOut(cb.Number, cb.CallerID, "", callbackRing)
	if err != nil {
		k.customerFailed(errs.Message(err))
		return nil
	}
	d := &dialing{leg: leg, agent: agent}
	k.dialing = d
	go k.followCustomer(d)
	return nil
}

func attemptText(cb *contact.Callback) string {
	return "attempt " + strconv.Itoa(cb.Attempts) + " of " + strconv.Itoa(cb.MaxAttempts)
}

// dialing is a customer's telephone that rings for an agent.
type dialing struct {
	leg   Leg
	agent Media
}

func (k *call) followCustomer(d *dialing) {
	defer k.c.goneOut()
	for ev := range d.leg.Events() {
		switch ev.Type {
		case LegRinging:
			k.post(func() {
				if k.dialing == d {
					d.agent.Play(ringback(), true, nil)
				}
			})
		case LegAnswered:
			k.post(func() { k.customerAnswered(d) })
		case LegEnded:
			k.post(func() { k.customerEnded(d, ev) })
		default:
			k.legEvent(ev)
		}
	}
}

func (k *call) customerAnswered(d *dialing) {
	if k.dialing != d {
		d.leg.Hangup("the agent has gone")
		return
	}
	k.dialing, k.leg = nil, d.leg
	d.agent.Stop()
	k.talk(d.agent)
}

func (k *call) customerEnded(d *dialing, ev LegEvent) {
	switch {
	case k.dialing == d:
		k.dialing = nil
		d.agent.Stop()
		why, _ := unreached(ev)
		k.customerFailed(why)
	case k.leg == d.leg:
		k.legEnded(ev)
	}
}

// stopDialing gives an attempt up.
func (k *call) stopDialing(why string) {
	if d := k.dialing; d != nil {
		k.dialing = nil
		d.agent.Stop()
		d.leg.Hangup(why)
	}
	k.customerFailed(why)
}

// customerFailed frees the agent and tries again later, as long as attempts are left.
func (k *call) customerFailed(why string) {
	cb, now := k.ct.Callback, k.now()
	k.freeAgent("the customer was not reached")
	k.ct.Note(now, "callbackFailed", "The customer was not reached: "+why, attemptText(cb))
	k.emit("contact.callbackFailed", map[string]string{"attempt": strconv.Itoa(cb.Attempts)})
	if cb.Attempts >= cb.MaxAttempts {
		k.callbackOver("")
		return
	}
	cb.NextAt = now.Add(time.Duration(cb.RetrySeconds) * time.Second)
	k.line()
	k.save()
}

// freeAgent lets an agent go who waited for the customer; there is nothing to wrap up.
func (k *call) freeAgent(why string) {
	agentID := k.ct.AgentID
	if k.agentLeg != nil {
		leg := k.agentLeg
		k.agentLeg = nil
		leg.Hangup(why)
	}
	k.agent = nil
	k.ct.AgentID, k.ct.AgentName = "", ""
	k.c.Router.With(func(e *routing.Engine, now time.Time) []routing.Action { return e.Finish(agentID, k.ct.ID, now) })
}

// callbackOver closes a callback that has come to nothing; its flow's handler runs before the end.
func (k *call) callbackOver(why string) {
	now := k.now()
	k.legOver = true
	k.setEnd(contact.Unreachable)
	k.ct.EndedAt = now
	k.ct.Note(now, "ended", endText[k.ct.EndReason], why)
	k.emit("contact.ended", map[string]string{"reason": string(k.ct.EndReason)})
	k.afterEnd()
}

// callbackFailedEvent is what a flow may handle before the contact's end.
func callbackFailedEvent(ct *contact.Contact) flow.Event {
	return flow.Event{Kind: flow.EvCustom, Name: eventCallbackFailed, Fields: map[string]any{
		"Reason": string(ct.EndReason), "Attempts": int64(ct.Callback.Attempts), "CallbackNumber": ct.Callback.Number,
	}}
}

// suspend leaves a waiting callback to the next start of this node.
func (k *call) suspend() {
	if k.dialing != nil || k.ct.State != contact.Queued && k.ct.State != contact.Ringing {
		return
	}
	k.leaveQueue()
	k.ct.SetState(contact.Queued, k.now())
	k.save()
	k.quit = true
}

// resumeCallback puts a callback back into its queue after a restart.
func (k *call) resumeCallback() {
	k.leg, k.legOver = nobody{k}, false
	k.ct.AgentID, k.ct.AgentName = "", ""
	cb := k.ct.Callback
	if k.ct.State == contact.Dialing { // the hub died while the telephone rang
		k.ct.Note(k.now(), "callbackFailed", "The customer was not reached: the hub was restarted", attemptText(cb))
		if cb.Attempts >= cb.MaxAttempts {
			k.callbackOver("")
			return
		}
	}
	k.line()
	k.save()
}

// callbackPending reports whether a stored contact is a callback that nobody has talked in.
func callbackPending(ct *contact.Contact) bool {
	return ct.Callback != nil && ct.AnsweredAt.IsZero() && ct.EndedAt.IsZero()
}

// nobody is the customer's leg of a callback before the customer is called: what is played reaches nobody.
type nobody struct{ k *call }

// Info implements Leg.
func (n nobody) Info() LegInfo { return LegInfo{To: n.k.ct.ANI, RemoteAddr: netip.AddrPort{}} }

// Ring implements Leg.
func (nobody) Ring() error { return errNobody }

// Answer implements Leg.
func (nobody) Answer(context.Context) error { return errNobody }

// Reject implements Leg.
func (nobody) Reject(int, string) error { return errNobody }

// Hangup implements Leg: the flow gives the callback up.
func (n nobody) Hangup(reason string) {
	n.k.post(func() {
		if n.k.isCallback() {
			if d := n.k.dialing; d != nil {
				n.k.dialing = nil
				d.agent.Stop()
				d.leg.Hangup(reason)
				n.k.freeAgent(reason)
			}
			n.k.legEnded(LegEvent{Type: LegEnded, End: EndLocal, Reason: reason})
		}
	})
}

// Events implements Leg.
func (nobody) Events() <-chan LegEvent { return nil }

// Media implements Leg.
func (nobody) Media() Media { return noAudio{} }

var errNobody = errs.New(errs.Conflict, "the customer is not on the line")

// noAudio is the media of nobody.
type noAudio struct{}

// Play implements Media.
func (noAudio) Play(_ []byte, loop bool, done func(bool)) {
	if done != nil && !loop {
		go done(true)
	}
}

// Stop implements Media.
func (noAudio) Stop() {}

// SendDigits implements Media.
func (noAudio) SendDigits(string) error { return errNobody }

// SetMuted implements Media.
func (noAudio) SetMuted(bool) {}

// OnDigit implements Media.
func (noAudio) OnDigit(func(Digit)) {}

// Tap implements Media.
func (noAudio) Tap(func(Direction, []byte)) {}

// Stats implements Media.
func (noAudio) Stats() MediaStats { return MediaStats{} }

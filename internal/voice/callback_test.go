package voice_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/routing"
	"github.com/tandemcc/tandem/internal/voice"
)

func calledBack(more string) string {
	return `
tandem: flow/1
name: Callback
handlers: {ContactCallbackFailed: Failed}
nodes:
  Call: {op: start, exits: Wait}
  Wait: {op: queue, in: {queueName: Support, priority: "2"}, exits: Ask}
  Ask: {op: collect, in: {prompts: "One digit.", interruptible: true, min: 1, max: 1, entryTimeoutMS: 600000}, exits: {ok: Register, timeout: Ask, nomatch: Ask}}
  Register: {op: callback, in: {retrySeconds: 30` + more + `}, exits: {ok: Bye, failure: Sorry}}
  Bye: {op: hangup}
  Sorry: {op: music, in: {file: hold}, exits: Sorry}
  Failed: {op: event, exits: Note}
  Note: {op: set, in: {sets: {x: failed}}, exits: {}}
`
}

// registered lets a caller ask for a callback and returns its contact.
func (r *rig) registered() (callback string) {
	r.t.Helper()
	in, id := r.call()
	r.is(id, contact.Queued)
	in.presses("1")
	r.until("the callback is there", func() bool {
		for _, v := range r.Views() {
			if cb := v.Contact.Callback; cb != nil && cb.Previous == id && v.Contact.State == contact.Queued {
				callback = v.Contact.ID
			}
		}
		return callback != ""
	})
	r.record(id) // only now has the caller left the queue
	return callback
}

func (r *rig) item(id string) (it routing.Item, ok bool) {
	r.router.With(func(e *routing.Engine, _ time.Time) []routing.Action { it, ok = e.Item(id); return nil })
	return it, ok
}

// offered makes the agent available, waits for the offer and accepts it.
func (r *rig) accepted(id string) {
	r.t.Helper()
	r.available()
	r.is(id, contact.Ringing)
	if err := r.Accept(r.t.Context(), agent, id); err != nil {
		r.t.Fatal(err)
	}
}

// TestCallbackPlace: the callback has the caller's place, age and priority; the call itself is over and not abandoned.
func TestCallbackPlace(t *testing.T) {
	t.Parallel()
	r := newRig(t, calledBack(""))
	in, id := r.call()
	r.is(id, contact.Queued)
	before, _ := r.item(id)
	r.clock.Advance(5 * time.Minute)
	in.presses("1")
	c := r.record(id)
	after, ok := r.item(c.CalledBack)
	if !ok || !after.At.Equal(before.At) || after.Priority != 2 || c.EndReason != contact.ByFlow {
		t.Errorf("the place was %+v and is %+v; the call ended by %s", before, after, c.EndReason)
	}
	if _, still := r.item(id); still {
		t.Error("the call itself still waits")
	}
}

// TestCallbackOlder: by how much the caller counted as older than they are, the callback does too, at every attempt.
func TestCallbackOlder(t *testing.T) {
	t.Parallel()
	r := newRig(t, strings.NewReplacer("exits: Wait", "exits: Rank", "  Wait:", `  Rank: {op: routing, in: {adjustSeconds: "900"}, exits: Wait}
  Wait:`).Replace(calledBack("")))
	in, id := r.call()
	r.is(id, contact.Queued)
	before, _ := r.item(id)
	in.presses("1")
	c := r.record(id)
	if after, _ := r.item(c.CalledBack); before.Older != 15*time.Minute || after.Older != before.Older || !after.At.Equal(before.At) {
		t.Errorf("the place was %+v and is %+v", before, after)
	}
	r.accepted(c.CalledBack)
	r.dialled(1).end(voice.EndNoAnswer, 0)
	r.is(c.CalledBack, contact.Queued)
	r.until("the agent is free", func() bool { return r.agentState() == routing.Available })
	r.clock.Advance(time.Minute)
	r.until("it waits again", func() bool { _, ok := r.item(c.CalledBack); return ok })
	if again, _ := r.item(c.CalledBack); again.Older != before.Older {
		t.Errorf("the second attempt waits at %+v", again)
	}
}

// TestCallbackTalks: the customer is called once the agent accepts, both talk, and the record is the callback's.
func TestCallbackTalks(t *testing.T) {
	t.Parallel()
	r := newRig(t, calledBack(""))
	id := r.registered()
	r.accepted(id)
	r.is(id, contact.Dialing)
	out := r.dialled(1)
	if d := r.phone.dial(1); d.URI != "sip:"+number+"@trunk.test:5060" || d.From != "+18005550199" {
		t.Errorf("dialled %+v", d)
	}
	out.rings()
	r.until("the agent hears it ring", r.phone.station.media.plays)
	out.answers()
	r.is(id, contact.Connected)
	r.until("they talk", func() bool { return r.phone.bridged(out.media, r.phone.station.media) })
	if r.phone.station.media.plays() {
		t.Error("it still rings in the agent's ear")
	}
	out.end(voice.EndRemote, 0)
	c := r.record(id)
	if c.EndReason != contact.ByCustomer || c.AgentID != agent || c.Callback.Attempts != 1 || c.Direction() != "callback" {
		t.Errorf("the record: %s by %q, %+v", c.EndReason, c.AgentID, c.Callback)
	}
}

// TestCallbackAttempts: each failed attempt frees the agent without wrap-up; the next comes after its time, the last runs the handler.
func TestCallbackAttempts(t *testing.T) {
	t.Parallel()
	r := newRig(t, calledBack(", attempts: 2"))
	id := r.registered()
	for n, end := range []voice.LegEvent{{End: voice.EndRejected, Code: 486}, {End: voice.EndNoAnswer}} {
		r.accepted(id)
		r.dialled(n+1).end(end.End, end.Code)
		r.until("the agent is free", func() bool { return r.agentState() == routing.Available })
		if n == 0 {
			r.is(id, contact.Queued)
			if _, waits := r.item(id); waits {
				t.Error("it waits before its time")
			}
			r.clock.Advance(30 * time.Second)
		}
	}
	c := r.record(id)
	if c.EndReason != contact.Unreachable || c.Callback.Attempts != 2 || !strings.Contains(had(c, "callbackFailed"), "busy") {
		t.Errorf("the record: %s %+v %q", c.EndReason, c.Callback, had(c, "callbackFailed"))
	}
	pieces, err := r.service.Trace(caller.With(t.Context(), r.deps.Principal), tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	ran := false
	for _, p := range pieces {
		ran = ran || strings.Contains(string(p), `"Note"`)
	}
	if !ran {
		t.Error("the flow's handler did not run")
	}
}

// TestCallbackDelay: the first attempt waits for its time and keeps the place.
func TestCallbackDelay(t *testing.T) {
	t.Parallel()
	r := newRig(t, calledBack(", delaySeconds: 600"))
	id := r.registered()
	r.available()
	r.clock.Advance(9 * time.Minute)
	if v, _ := r.View(id); v.Contact.State != contact.Queued || r.agentState() != routing.Available {
		t.Errorf("before its time it is %s", v.Contact.State)
	}
	r.clock.Advance(2 * time.Minute)
	r.is(id, contact.Ringing)
}

// TestCallbackAgentGivesUp: the agent may stop the ringing, and declining gives the callback back to the queue.
func TestCallbackAgentGivesUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, calledBack(""))
	id := r.registered()
	r.available()
	r.is(id, contact.Ringing)
	if err := r.Decline(t.Context(), agent, id); err != nil {
		t.Fatal(err)
	}
	r.is(id, contact.Queued)
	r.accepted(id)
	out := r.dialled(1)
	if err := r.End(t.Context(), agent, id); err != nil {
		t.Fatal(err)
	}
	r.until("the ringing is over", out.over)
	r.until("the agent is free", func() bool { return r.agentState() == routing.Available })
	r.is(id, contact.Queued)
}

// TestCallbackExpires: one that nobody takes for two weeks is over.
func TestCallbackExpires(t *testing.T) {
	t.Parallel()
	r := newRig(t, calledBack(""))
	id := r.registered()
	r.clock.Advance(15 * 24 * time.Hour)
	if c := r.record(id); c.EndReason != contact.Unreachable || c.Callback.Attempts != 0 {
		t.Errorf("the record: %s %+v", c.EndReason, c.Callback)
	}
}

// TestCallbackResumes: a new conductor takes up a callback that waited, and one whose customer was being called.
func TestCallbackResumes(t *testing.T) {
	t.Parallel()
	for name, dialing := range map[string]bool{"waiting": false, "dialing": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, calledBack(", attempts: 3"))
			id := r.registered()
			var place routing.Item
			r.until("it waits", func() (ok bool) { place, ok = r.item(id); return ok })
			ctx := caller.With(context.WithoutCancel(t.Context()), r.deps.Principal)
			if dialing {
				r.accepted(id)
				r.is(id, contact.Dialing)
				r.dialled(1)
				r.until("the attempt is stored", func() bool {
					c, err := r.service.Get(ctx, tenant, id)
					return err == nil && c.State == contact.Dialing
				})
			} else {
				r.until("it is stored", func() bool {
					c, err := r.service.Get(ctx, tenant, id)
					return err == nil && c.Version > 2 // made, its session, its place
				})
			}
			// As after a kill: routing knows nothing, the store everything.
			if err := r.router.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			r.phone.mu.Lock()
			r.phone.legs = nil
			r.phone.mu.Unlock()
			fresh := *r
			fresh.router = routing.NewRouter(tenant, r.clock, r.states, nil, r.deps.Log)
			fresh.deps.Router = fresh.router
			fresh.start(ctx)
			t.Cleanup(func() { _ = fresh.router.Stop(ctx) }) // it cannot fail
			fresh.is(id, contact.Queued)
			v, _ := fresh.View(id)
			want := 0
			if dialing {
				want = 1
			}
			if cb := v.Contact.Callback; cb.Attempts != want || !cb.At.Equal(place.At) {
				t.Errorf("after the restart %+v", cb)
			}
			fresh.accepted(id)
			fresh.dialled(1).answers()
			fresh.is(id, contact.Connected)
		})
	}
}

// TestCallbackNotDiallable: a number outside the dial plan fails at once, and the caller keeps waiting.
func TestCallbackNotDiallable(t *testing.T) {
	t.Parallel()
	r := newRig(t, calledBack(`, number: "sip:eve@192.0.2.9"`))
	in, id := r.call()
	r.is(id, contact.Queued)
	in.presses("1")
	r.at(id, "Sorry")
	if _, waits := r.item(id); !waits {
		t.Error("the caller has lost the place")
	}
}

// TestOneAgentOlder: who waits for one agent keeps the real age, and counts as older beside it.
func TestOneAgentOlder(t *testing.T) {
	t.Parallel()
	r := newRig(t, `
tandem: flow/1
name: One agent
nodes:
  Call: {op: start, exits: Rank}
  Rank: {op: routing, in: {adjustSeconds: "900"}, exits: Wait}
  Wait: {op: queueAgent, in: {agent: agent-1, lookup: id, park: true}, exits: Music}
  Music: {op: music, in: {file: hold}, exits: Music}
`)
	before := r.clock.Now()
	_, id := r.call()
	r.is(id, contact.Queued)
	if it, ok := r.item(id); !ok || it.Older != 15*time.Minute || it.At.Before(before) {
		t.Errorf("the place is %+v", it)
	}
}

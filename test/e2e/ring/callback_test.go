package ring

import (
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/testkit/hub"
)

const callbackFlow = `
tandem: flow/1
name: Callback
vars:
  topic: {type: STRING, cad: true, label: Topic, value: Delivery}
handlers:
  agentAnswered: Answered
  contactEnded: Ended
  ContactCallbackFailed: Failed
nodes:
  Call: {op: start, exits: Wait}
  Wait: {op: queue, in: {queueName: Support, priority: "3"}, exits: {ok: Ask}}
  Ask: {op: menu, in: {prompts: "Press 1 to be called back.", digits: ["1"], interruptible: true, entryTimeoutMS: 600000}, exits: {"digit:1": Register, timeout: Ask, nomatch: Ask}}
  Register: {op: callback, in: {attempts: 2, retrySeconds: 60}, exits: {ok: Bye, failure: Sorry}}
  Bye: {op: hangup}
  Sorry: {op: music, in: {file: hold, durationMS: 600000}, exits: Bye}
  Answered: {op: event, exits: Pop}
  Pop: {op: pop, in: {url: "https://crm.example.test/{{ topic }}", label: Page}, exits: {}}
  Failed: {op: event, exits: Note}
  Note: {op: set, in: {sets: {topic: Unreached}}, exits: {}}
  Ended: {op: event, exits: {}}
`

// callbackOf presses the key and waits until the caller's callback is registered and returns the contacts of the call and of the callback.
func callbackOf(h *hub.Hub, call *line) (first, second string) {
	id := contactOf(h, caller)
	h.Eventually("the menu is there", func() bool { return h.Record(id).Had("prompt") })
	<-call.Answered()
	if err := call.SendDigits("1"); err != nil {
		panic(err)
	}
	h.Eventually("the callback is registered", func() bool {
		var r struct{ CalledBack string }
		h.API().Must("GET", "/contacts/"+id, nil, &r)
		second = r.CalledBack
		return second != ""
	})
	return id, second
}

type callbackDesk struct {
	Contact *struct {
		ID, ANI, State, Direction string
		Callback                  *struct {
			Number               string
			WaitingSince         time.Time
			Attempt, MaxAttempts int
		}
		ScreenPop *struct{ URL string }
	}
}

// TestCallback: the caller hangs up and keeps the place in the queue; the agent sees that it is a callback, accepts, and talks to the
// customer once their telephone is answered.
func TestCallback(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	home := x.answers(caller, callerTone)
	h := withTrunk(t, x, nil, callbackFlow)
	call := reach(h, caller, "3000", callerTone)
	first, id := callbackOf(h, call)
	isOver(h, call)
	r := closed(t, h, first)
	if r.EndReason != "flow" || !r.Had("callback") || r.AnsweredAt != nil {
		t.Errorf("the call's own record: %s %+v", r.EndReason, r.Timeline)
	}
	later := dial(h, "+15005550177", "1000", 0) // came after the caller who is called back
	laterID := queued(h, "+15005550177")
	ada := sit(t, h, "ada", agentTone)
	if got := ada.rings(); got != id {
		t.Fatalf("ada is offered %s, want the callback %s, which keeps its place before %s", got, id, laterID)
	}
	var d callbackDesk
	ada.Must("GET", "/desk", nil, &d)
	if c := d.Contact; c == nil || c.Direction != "callback" || c.Callback == nil || c.Callback.Number != caller || c.Callback.Attempt != 1 || c.Callback.MaxAttempts != 2 || c.ANI != caller {
		t.Fatalf("the desk shows %+v", d.Contact)
	}
	ada.do(id, "accept")
	ada.is("connected")
	h.Eventually("the customer hears the agent", func() bool { return home.hears(agentTone) })
	h.Eventually("the agent hears the customer", func() bool { return ada.ear.hears(callerTone) })
	h.Eventually("the flow pops its page", func() bool {
		var d callbackDesk
		ada.Must("GET", "/desk", nil, &d)
		return d.Contact != nil && d.Contact.ScreenPop != nil && strings.HasSuffix(d.Contact.ScreenPop.URL, "/Delivery")
	})
	if to := x.last().To; to != caller {
		t.Errorf("called %s", to)
	}
	x.hangsUp(caller)
	ada.is("wrapup")
	ada.finishes(id, "resolved", "")
	r = closed(t, h, id)
	if r.EndReason != "customer" || r.Agent == nil || r.Queue == nil || r.Queue.Name != "Support" || r.AnsweredAt == nil || !r.Had("dialing") {
		t.Errorf("the callback's record: %+v", r)
	}
	if got := ada.rings(); got != laterID {
		t.Errorf("then ada is offered %s, want %s", got, laterID)
	}
	later.Hangup()
}

// TestCallbackRetry: a customer who is not reached is called again after a while, and after the last attempt the flow is told.
func TestCallbackRetry(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	x.set(caller, refuses(486))
	h := withTrunk(t, x, nil, callbackFlow)
	call := reach(h, caller, "3000", callerTone)
	_, id := callbackOf(h, call)
	ada := sit(t, h, "ada", agentTone)
	for attempt := 1; attempt <= 2; attempt++ {
		if got := ada.rings(); got != id {
			t.Fatalf("ada is offered %s, want %s", got, id)
		}
		ada.do(id, "accept")
		ada.is("available") // at once: there is nothing to wrap up
		if n := x.count(caller); n != attempt {
			t.Fatalf("%d calls to the customer, want %d", n, attempt)
		}
		if attempt == 1 {
			h.Advance(55 * time.Second)
			if s := ada.Desk().State; s != "available" {
				t.Errorf("before the time ada is %s", s)
			}
			h.Advance(10 * time.Second)
		}
	}
	r := closed(t, h, id)
	if r.EndReason != "unreachable" || !strings.Contains(said(r, "callbackFailed"), "busy") || r.AnsweredAt != nil || r.Agent != nil {
		t.Errorf("the record: %+v", r)
	}
	stands(h, id, "Note")
	stands(h, id, "Ended")
	h.Advance(time.Hour)
	if n := x.count(caller); n != 2 {
		t.Errorf("%d calls in all", n)
	}
}

// TestCallbackGivenUp: an agent who ends the call while it rings takes the ringing back; the customer is tried again.
func TestCallbackGivenUp(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	x.set(caller, onlyRings)
	h := withTrunk(t, x, nil, callbackFlow)
	_, id := callbackOf(h, reach(h, caller, "3000", callerTone))
	ada := sit(t, h, "ada", agentTone)
	ada.rings()
	ada.do(id, "accept")
	h.Eventually("the customer's telephone rings", func() bool { return x.count(caller) == 1 })
	h.Eventually("the agent hears it ring", func() bool { return !ada.ear.silent() })
	var d callbackDesk
	ada.Must("GET", "/desk", nil, &d)
	if d.Contact == nil || d.Contact.State != "dialing" {
		t.Errorf("while it rings the desk shows %+v", d.Contact)
	}
	ada.do(id, "end")
	ada.is("available")
	x.answers(caller, callerTone)
	h.Advance(time.Minute)
	ada.accepts()
	h.Eventually("the agent hears the customer", func() bool { return ada.ear.hears(callerTone) })
}

// TestCallbackRestart: a callback survives an orderly stop.
func TestCallbackRestart(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	home := x.answers(caller, callerTone)
	dir := t.TempDir()
	start := func() *hub.Hub {
		return hub.Start(t, hub.Options{Dir: dir, Flags: map[string]any{"trunk.address": x.address}})
	}
	h := start()
	route(h, "3000", callbackFlow)
	_, id := callbackOf(h, reach(h, caller, "3000", callerTone))
	before := h.Record(id)
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	h = start()
	if r := h.Record(id); r.State != "queued" || !r.CreatedAt.Equal(before.CreatedAt.Truncate(time.Millisecond)) {
		t.Fatalf("after the restart the callback is %+v", r)
	}
	ada := sit(t, h, "ada", agentTone)
	if got := ada.accepts(); got != id {
		t.Fatalf("ada got %s", got)
	}
	h.Eventually("the customer hears the agent", func() bool { return home.hears(agentTone) })
	x.hangsUp(caller)
	ada.is("wrapup")
}

// TestCallbackKilled: a callback survives a kill, once while it waits and once while the customer's telephone rings, which counts as
// an attempt.
func TestCallbackKilled(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	x.set(caller, onlyRings)
	binary, dir := builtHub(t), t.TempDir()
	start := func() *hub.Hub { return hub.Exec(t, binary, dir, "sqlite", "--trunk", x.address) }
	h := start()
	route(h, "3000", callbackFlow)
	_, id := callbackOf(h, reach(h, caller, "3000", callerTone))
	for _, dial := range []bool{false, true} {
		if dial {
			ada := sit(t, h, "ada", agentTone)
			ada.rings()
			ada.do(id, "accept")
			h.Eventually("the customer's telephone rings", func() bool { return x.count(caller) == 1 })
		}
		if err := h.Stop(); err != nil {
			t.Fatal(err)
		}
		h = start()
		h.Eventually("the callback waits again", func() bool { return h.Record(id).State == "queued" || h.Record(id).State == "ringing" })
	}
	home := x.answers(caller, callerTone)
	ada := sit(t, h, "ada", agentTone)
	ada.rings()
	var d callbackDesk
	ada.Must("GET", "/desk", nil, &d)
	if d.Contact == nil || d.Contact.Callback == nil || d.Contact.Callback.Attempt != 2 {
		t.Errorf("after the kill the desk shows %+v", d.Contact)
	}
	ada.do(id, "accept")
	h.Eventually("the customer hears the agent", func() bool { return home.hears(agentTone) })
	if !h.Record(id).Had("callbackFailed") {
		t.Error("the record does not say that an attempt was cut off")
	}
}

// TestCallbackRefused: a number that may not be called is no callback; the caller keeps the place in the queue.
func TestCallbackRefused(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	h := withTrunk(t, x, map[string]any{"trunk.allow": `\+44[0-9]+`}, callbackFlow)
	call := reach(h, caller, "3000", callerTone)
	id := contactOf(h, caller)
	h.Eventually("the menu is there", func() bool { return h.Record(id).Had("prompt") })
	<-call.Answered()
	if err := call.SendDigits("1"); err != nil {
		t.Fatal(err)
	}
	stands(h, id, "Sorry")
	if r := h.Record(id); r.State != "queued" {
		t.Errorf("the call is %s", r.State)
	}
	ada := sit(t, h, "ada", agentTone)
	if got := ada.accepts(); got != id {
		t.Errorf("ada got %s", got)
	}
}

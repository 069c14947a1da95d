package ring

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/softphone"
	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// spare is how far before a limit a test looks: the process clock that it moves runs on meanwhile.
const spare = time.Minute

// setQueue changes fields of the queue Support.
func setQueue(h *hub.Hub, fields map[string]any) {
	api := h.API()
	var res struct{ Items []map[string]any }
	api.Must("GET", "/queues", nil, &res)
	for _, q := range res.Items {
		if q["name"] != "Support" {
			continue
		}
		id, _ := q["id"].(string)
		for name := range q {
			switch name {
			case "name", "ringSeconds", "wrapUpSeconds", "maxWaitSeconds", "agentIds", "wrapUpCodes", "autoAccept", "hoursId":
			default:
				delete(q, name)
			}
		}
		maps.Copy(q, fields)
		api.Must("PUT", "/queues/"+id, q, nil)
	}
}

// queued waits until the newest call waits in a queue and returns its contact's id.
func queued(h *hub.Hub, number string) (id string) {
	h.Eventually("the call from "+number+" waits", func() bool {
		for _, r := range h.Records() {
			if r.ANI == number && r.State == "queued" {
				id = r.ID
			}
		}
		return id != ""
	})
	return id
}

func isOver(h *hub.Hub, l *line) softphone.Event {
	var ev softphone.Event
	h.Eventually("the caller's call has ended", func() (ok bool) { ev, ok = l.ear.ended(); return ok })
	return ev
}

// TestAbandonedInQueue: the caller gives up; no agent is touched.
func TestAbandonedInQueue(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	ada := h.SignIn("ada") // signed in, but not available
	call := dial(h, "+15005550142", "1000", 0)
	id := queued(h, "+15005550142")
	h.Eventually("the caller hears music", func() bool { return len(call.ear.audio(4)) == 4 && !call.ear.silent() })
	h.Eventually("the desk shows that a call waits", func() bool {
		for _, q := range ada.Desk().Queues {
			if q.Name == "Support" {
				return q.Waiting == 1
			}
		}
		return false
	})
	call.Hangup()
	r := closed(t, h, id)
	if r.EndReason != "abandoned" || r.Agent != nil || r.Queue == nil || r.Queue.Name != "Support" || r.AnsweredAt != nil || r.Had("offered") {
		t.Errorf("the record: %+v", r)
	}
	if d := ada.Desk(); d.State != "offline" || d.Contact != nil {
		t.Errorf("the desk: %+v", d)
	}
}

// TestAbandonedWhileRinging: the caller gives up while the offer rings; the agent stays in the line.
func TestAbandonedWhileRinging(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	ada := sit(t, h, "ada", 0)
	call := dial(h, "+15005550142", "1000", 0)
	id := ada.rings()
	call.Hangup()
	ada.is("available")
	if r := closed(t, h, id); r.EndReason != "abandoned" || r.Agent != nil {
		t.Errorf("the record: %+v", r)
	}
	status, _, err := ada.Do("POST", "/desk/contacts/"+id+"/accept", nil, nil)
	if err != nil || status != 404 && status != 409 {
		t.Errorf("accepting a call that has gone: %d %v", status, err)
	}
	if d := ada.Desk(); d.Contact != nil {
		t.Errorf("the desk still shows %+v", d.Contact)
	}
}

// TestNobodyAnswers: the offer goes to the next agent; the contact keeps its place before one that came later.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	const ring = 2 * time.Minute
	setQueue(h, map[string]any{"ringSeconds": ring / time.Second})
	first := dial(h, "+15005550101", "1000", 0)
	firstID := queued(h, "+15005550101")
	second := dial(h, "+15005550102", "1000", 0)
	secondID := queued(h, "+15005550102")
	ada := sit(t, h, "ada", 0)
	if id := ada.rings(); id != firstID {
		t.Fatalf("ada is offered %s, want the call that came first, %s", id, firstID)
	}
	h.Advance(ring - spare)
	if s := ada.Desk().State; s != "ringing" {
		t.Errorf("before the ring time is over ada is %s", s)
	}
	h.Advance(spare)
	ada.is("rona")
	if d := ada.Desk(); d.Contact != nil {
		t.Errorf("after the ring limit ada's desk shows %+v", d.Contact)
	}
	ben := sit(t, h, "ben", agentTone)
	if id := ben.rings(); id != firstID {
		t.Errorf("ben is offered %s, want %s, which has waited longest", id, firstID)
	}
	ben.accepts()
	ada.is("rona") // until she says otherwise
	ada.Available()
	if id := ada.rings(); id != secondID {
		t.Errorf("ada is offered %s, want %s", id, secondID)
	}
	first.Hangup()
	ben.is("wrapup")
	ben.finishes(firstID, "resolved", "")
	if r := closed(t, h, firstID); r.Agent == nil || r.Agent.Name != "Ben Okafor" || !r.Had("noAnswer") {
		t.Errorf("the record: %+v", r)
	}
	second.Hangup()
}

// TestDecline: a declined call goes to the next agent and leaves who declined out of the line.
func TestDecline(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	ada := sit(t, h, "ada", 0)
	call := dial(h, "+15005550142", "1000", callerTone)
	id := ada.rings()
	ada.do(id, "decline")
	ada.is("idle")
	if r := ada.Desk().Reason; r == nil || r.Name != "Declined" {
		t.Errorf("the reason is %+v", r)
	}
	h.Eventually("the call waits again", func() bool { return h.Record(id).State == "queued" })
	if !h.Record(id).Had("declined") {
		t.Error("the record does not say that the call was declined")
	}
	ben := sit(t, h, "ben", agentTone)
	if got := ben.accepts(); got != id {
		t.Errorf("ben got %s, want %s", got, id)
	}
	hearsBoth(h, ben, call)
	if status, _, _ := ada.Do("POST", "/desk/contacts/"+id+"/end", nil, nil); status < 400 {
		t.Error("ada may end ben's call")
	}
}

// TestMaxWait: a caller who has waited as long as the queue allows is told so and leaves it.
func TestMaxWait(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	const wait = 5 * time.Minute
	setQueue(h, map[string]any{"maxWaitSeconds": wait / time.Second})
	call := dial(h, "+15005550142", "1000", 0)
	id := queued(h, "+15005550142")
	h.Advance(wait - spare)
	if r := h.Record(id); r.State != "queued" {
		t.Errorf("before the longest wait is over the call is %s", r.State)
	}
	h.Advance(spare)
	isOver(h, call)
	if r := closed(t, h, id); r.EndReason != "flow" || !r.Had("expired") {
		t.Errorf("the record: %+v", r)
	}
}

// TestNextState: a state chosen on a call holds after it.
func TestNextState(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	ada, call, id := talk(t, h)
	ada.Must("POST", "/desk/state", map[string]string{"state": "idle", "reasonId": "lunch"}, nil)
	if d := ada.Desk(); d.State != "connected" || d.NextState == nil || d.NextState.State != "idle" {
		t.Errorf("on the call the desk is %s, next %+v", d.State, d.NextState)
	}
	call.Hangup()
	ada.is("wrapup")
	if d := ada.Desk(); d.NextState == nil {
		t.Error("in wrap-up the next state is lost")
	}
	ada.finishes(id, "resolved", "")
	ada.is("idle")
	if d := ada.Desk(); d.Reason == nil || d.Reason.Name != "Lunch" || d.NextState != nil {
		t.Errorf("after the call the reason is %+v, next %+v", d.Reason, d.NextState)
	}
}

// TestWrapUpTimeout: the wrap-up ends by itself, once it is not extended; what was known is written.
func TestWrapUpTimeout(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	who := withCase(t, h)
	const wrapUp = 5 * time.Minute
	setQueue(h, map[string]any{"wrapUpSeconds": wrapUp / time.Second})
	ada, call, id := take(t, h, who.number)
	popped(h, ada)
	call.Hangup()
	ada.is("wrapup")
	h.Advance(wrapUp - spare)
	ada.do(id, "wrapup/extend")
	if u := ada.Desk().Contact.WrapUpUntil; u == nil {
		t.Error("the desk does not show when the wrap-up ends")
	}
	h.Advance(wrapUp)
	if s := ada.Desk().State; s != "wrapup" {
		t.Errorf("in the extended wrap-up ada is %s", s)
	}
	h.Advance(spare)
	ada.is("available")
	r := writtenBack(t, h, id)
	if got := comments(h, who.caseID, id); len(got) != 1 || r.Disposition != nil {
		t.Errorf("comments %q, disposition %+v", got, r.Disposition)
	}
}

// TestNoWrapUp: a queue without wrap-up gives the agent the next call at once.
func TestNoWrapUp(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	setQueue(h, map[string]any{"wrapUpSeconds": 0})
	ada, call, id := talk(t, h)
	call.Hangup()
	ada.is("available")
	if r := closed(t, h, id); r.EndReason != "customer" {
		t.Errorf("the record: %+v", r)
	}
}

// TestLive: the supervisor sees the call, the agents and the queues, and a change without asking.
func TestLive(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	ada, call, id := talk(t, h)
	sam := h.SignIn("sam")
	live := func() (l live) { sam.Must("GET", "/live", nil, &l); return l }
	l := live()
	if len(l.Calls) != 1 || l.Calls[0].ID != id || l.Calls[0].State != "connected" || l.Calls[0].Agent == nil || l.Calls[0].Agent.Name != "Ada Bell" ||
		l.Calls[0].Flow == nil || l.Calls[0].Queue == nil || l.Calls[0].Queue.Name != "Support" {
		t.Errorf("live calls: %+v", l.Calls)
	}
	states := map[string]string{}
	for _, a := range l.Agents {
		states[a.Name] = a.State
	}
	if states["Ada Bell"] != "connected" || states["Ben Okafor"] != "offline" {
		t.Errorf("live agents: %v", states)
	}
	changes := sam.Stream(t.Context(), "/live/events")
	ada.do(id, "hold")
	for ev := range changes {
		var now struct{ Calls []struct{ State string } }
		if ev.Type != "live" || json.Unmarshal(ev.Data, &now) != nil {
			continue
		}
		if len(now.Calls) == 1 && now.Calls[0].State == "held" {
			break
		}
	}
	ada.do(id, "resume")
	call.Hangup()
	h.Eventually("the call has left the wall", func() bool {
		l := live()
		return len(l.Calls) == 0 || l.Calls[0].State == "wrapup"
	})
	ada.finishes(id, "resolved", "")
	h.Eventually("the queue's count", func() bool {
		for _, q := range live().Queues {
			if q.Name == "Support" {
				return q.AnsweredToday == 1 && q.AbandonedToday == 0
			}
		}
		return false
	})
	if status, _, _ := ada.Do("GET", "/live", nil, nil); status != 403 {
		t.Errorf("an agent asks for the wall: %d, want 403", status)
	}
}

type live struct {
	Calls []struct {
		ID, State   string
		Agent, Flow *struct{ Name string }
		Queue       *struct{ Name string }
	}
	Agents []struct{ Name, State string }
	Queues []struct {
		Name                          string
		AnsweredToday, AbandonedToday int
	}
}

// TestTwoCalls: the second call waits until the agent has finished the first.
func TestTwoCalls(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	ada := sit(t, h, "ada", agentTone)
	first := dial(h, "+15005550101", "1000", callerTone)
	firstID := ada.accepts()
	second := dial(h, "+15005550102", "1000", 500)
	secondID := queued(h, "+15005550102")
	hearsBoth(h, ada, first)
	first.Hangup()
	ada.is("wrapup")
	if r := h.Record(secondID); r.State != "queued" {
		t.Errorf("in the wrap-up of the first call the second is %s", r.State)
	}
	ada.finishes(firstID, "resolved", "")
	if id := ada.accepts(); id != secondID {
		t.Errorf("ada got %s, want %s", id, secondID)
	}
	h.Eventually("the agent hears the second caller", func() bool { return ada.ear.hears(500) })
	h.Eventually("the second caller hears the agent", func() bool { return second.ear.hears(agentTone) })
}

// TestWithheldNumber: nobody is looked up, the call goes its way.
func TestWithheldNumber(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	ada := sit(t, h, "ada", agentTone)
	call := dial(h, "anonymous", "1000", callerTone)
	id := ada.accepts()
	hearsBoth(h, ada, call)
	c := customer(h, ada, "none")
	if c.ANI != "" || c.ScreenPop != nil || len(c.Earlier) != 0 {
		t.Errorf("the desk shows %+v", c)
	}
	for _, s := range h.Trace(id) {
		if s.Op == "http" {
			t.Errorf("the CRM was asked at %s", s.Name)
		}
	}
	call.Hangup()
	ada.is("wrapup")
	ada.finishes(id, "wrong-number", "")
	if r := closed(t, h, id); r.ANI != "" || r.Disposition == nil || r.Disposition.Name != "Wrong number" {
		t.Errorf("the record: %+v", r)
	}
}

// TestEarlierContacts: the desk shows the caller's former calls.
func TestEarlierContacts(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	ada, call, first := talk(t, h)
	call.Hangup()
	ada.is("wrapup")
	ada.finishes(first, "resolved", "first time")
	call = dial(h, "+15005550142", "1001", 0)
	<-call.Answered()
	press(t, h, call, "0")
	ada.accepts()
	if e := ada.Desk().Contact.Earlier; len(e) != 1 || e[0].ID != first {
		t.Errorf("earlier contacts: %+v, want %s", e, first)
	}
}

// TestDrain: a stop refuses new calls and lets the one in progress end, with its wrap-up and its record.
func TestDrain(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{Flags: map[string]any{"voice.drain": "60s"}})
	ada, call, id := talk(t, h)
	h.Drain()
	h.Eventually("the hub says that it drains", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+h.HTTP+"/readyz", nil)
		if err != nil {
			return false
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return false
		}
		defer func() { _ = res.Body.Close() }()
		return res.StatusCode == http.StatusServiceUnavailable
	})
	other := dial(h, "+15005550199", "1000", 0)
	if ev := isOver(h, other); ev.Code != 503 {
		t.Errorf("a new call ends with %+v, want 503", ev)
	}
	hearsBoth(h, ada, call)
	ada.do(id, "end")
	ada.is("wrapup")
	ada.finishes(id, "resolved", "")
	if err := h.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	again := hub.Start(t, hub.Options{Dir: h.Dir})
	if r := again.Record(id); r.State != "ended" || r.EndReason != "agent" {
		t.Errorf("the record: %+v", r)
	}
	if n := len(again.Records()); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
}

// TestStopUnderCall: the drain is over while a call stands; the record says so, and the agent's wrap-up is there after
// the restart, with the write-back at its end.
func TestStopUnderCall(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	who := withCase(t, h)
	ada, call, id := take(t, h, who.number)
	popped(h, ada)
	begin := time.Now()
	if err := h.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if d := time.Since(begin); d > 8*time.Second {
		t.Errorf("the stop took %v though the drain is 1 s", d)
	}
	isOver(h, call)
	again := hub.Start(t, hub.Options{Dir: h.Dir})
	ada = &desk{Client: again.SignIn("ada"), h: again, t: t}
	ada.is("wrapup")
	if c := ada.Desk().Contact; c == nil || c.ID != id || c.EndedBy != "system" {
		t.Fatalf("after the restart the desk shows %+v", c)
	}
	ada.finishes(id, "follow-up-needed", "cut off")
	r := writtenBack(t, again, id)
	got := comments(again, who.caseID, id)
	if r.EndReason != "hub_restart" || len(got) != 1 || !strings.Contains(got[0], "Follow-up needed") {
		t.Errorf("the record says %q, comments %q", r.EndReason, got)
	}
}

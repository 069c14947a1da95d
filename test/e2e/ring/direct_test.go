package ring

import (
	"testing"

	"github.com/tandemcc/tandem/internal/testkit/hub"
)

func directFlow(agent, more string) string {
	return `
tandem: flow/1
name: Direct
nodes:
  Call: {op: start, exits: One}
  One: {op: queueAgent, in: {agent: "` + agent + `", lookup: email, queue: Sales` + more + `}, exits: {ok: Music, error: Sorry}}
  Music: {op: music, in: {file: hold, durationMS: 600000}, exits: Music}
  Sorry: {op: music, in: {file: hold, durationMS: 600000}, exits: Sorry}
`
}

// TestQueueToAgent: the call rings at the one agent though another has waited longer, and talks to them.
func TestQueueToAgent(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	var users struct{ Items []struct{ ID, Login string } }
	h.API().Must("GET", "/users", nil, &users)
	for _, u := range users.Items {
		if u.Login == "ben" {
			h.API().Must("PATCH", "/users/"+u.ID, map[string]string{"email": "ben@example.test"}, nil)
		}
	}
	route(h, "3000", directFlow("Ben@Example.test", ""))
	ada := sit(t, h, "ada", 0)
	ben := sit(t, h, "ben", agentTone)
	call := reach(h, caller, "3000", callerTone)
	id := ben.accepts()
	hearsBoth(h, ben, call)
	if s := ada.Desk().State; s != "available" {
		t.Errorf("ada is %s", s)
	}
	call.Hangup()
	ben.is("wrapup")
	ben.finishes(id, "resolved", "")
	if r := closed(t, h, id); r.Agent == nil || r.Agent.Name != "Ben Okafor" || r.Queue == nil || r.Queue.Name != "Sales" {
		t.Errorf("the record: %+v", r)
	}
}

// TestQueueToAgentAway: without parking the flow goes on at once; a parked call waits for its agent, and goes to the recovery queue
// when they decline it.
func TestQueueToAgentAway(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	route(h, "3000", directFlow("ben", ""))
	route(h, "3001", directFlow("ben", `, park: true, fallback: Support`))
	ben := sit(t, h, "ben", agentTone)
	ben.Must("POST", "/desk/state", map[string]string{"state": "idle", "reasonId": "lunch"}, nil)
	reach(h, caller, "3000", 0)
	stands(h, contactOf(h, caller), "Sorry")
	parked := reach(h, "+15005550143", "3001", callerTone)
	id := queued(h, "+15005550143")
	ben.Available()
	if got := ben.rings(); got != id {
		t.Fatalf("ben is offered %s, want %s", got, id)
	}
	ben.do(id, "decline")
	ada := sit(t, h, "ada", agentTone)
	if got := ada.accepts(); got != id {
		t.Errorf("ada got %s, want %s", got, id)
	}
	hearsBoth(h, ada, parked)
	if r := h.Record(id); r.Queue == nil || r.Queue.Name != "Support" {
		t.Errorf("the record: %+v", r)
	}
}

// TestStationSurvives: an agent's telephone is known after a restart.
func TestStationSurvives(t *testing.T) {
	t.Parallel()
	phone := listen(t)
	dir := t.TempDir()
	h := hub.Start(t, hub.Options{Dir: dir})
	address := "sip:201@" + phone.address
	ada := h.SignIn("ada")
	ada.Must("POST", "/desk/station", map[string]string{"kind": "sip", "address": address}, nil)
	ada.Available()
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	h = hub.Start(t, hub.Options{Dir: dir})
	ada = h.SignIn("ada")
	if s := ada.Desk().Station; s.Kind != "sip" || s.Address != address {
		t.Fatalf("after the restart the station is %+v", s)
	}
	ada.Available()
	call := dial(h, caller, "1000", callerTone)
	d := &desk{Client: ada, h: h, t: t}
	d.accepts()
	h.Eventually("the telephone hears the caller", func() bool { return phone.ear.hears(callerTone) })
	h.Eventually("the caller hears the telephone", func() bool { return call.ear.hears(agentTone) })
}

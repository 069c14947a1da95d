package routing

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model runs an engine by random calls and keeps what must be true of it.
type model struct {
	e       *Engine
	now     time.Time
	next    int
	waiting map[string]bool   // contacts that neither left nor were taken
	talking map[string]string // agent -> contact
}

var (
	modelAgents = []string{"a", "b", "c"}
	modelQueues = []string{"q", "r"}
)

func newModel() *model {
	m := &model{e: NewEngine(), now: time.Unix(1_800_000_000, 0), waiting: map[string]bool{}, talking: map[string]string{}}
	for _, id := range modelAgents {
		m.see(m.e.SetAgent(id, id, Presence{State: Offline}, m.now))
	}
	m.see(m.e.SetQueue(Queue{ID: "q", Name: "q", Ring: 20 * time.Second, WrapUp: time.Minute, AgentIDs: modelAgents}, m.now))
	m.see(m.e.SetQueue(Queue{ID: "r", Name: "r", Ring: 10 * time.Second, MaxWait: 2 * time.Minute, AgentIDs: modelAgents[:2]}, m.now))
	return m
}

// see follows what the engine says it has done.
func (m *model) see(acts []Action) {
	for _, a := range acts {
		if a.Kind == Expire {
			delete(m.waiting, a.ContactID)
		}
	}
}

func (m *model) agent(t *rapid.T) string { return rapid.SampledFrom(modelAgents).Draw(t, "agent") }

func (m *model) contact(t *rapid.T) (string, bool) {
	var list []string
	for id := range m.waiting {
		list = append(list, id)
	}
	if len(list) == 0 {
		return "", false
	}
	slices.Sort(list)
	return rapid.SampledFrom(list).Draw(t, "contact"), true
}

func (m *model) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"enqueue": func(t *rapid.T) {
			m.next++
			id := fmt.Sprintf("c%04d", m.next)
			it := Item{ContactID: id, QueueID: rapid.SampledFrom(modelQueues).Draw(t, "queue"), Priority: rapid.IntRange(1, 10).Draw(t, "priority"), At: m.now}
			acts, err := m.e.Enqueue(it, m.now)
			if err != nil {
				t.Fatal(err)
			}
			m.waiting[id] = true
			m.see(acts)
		},
		"enqueue to one agent": func(t *rapid.T) {
			m.next++
			it := Item{
				ContactID: fmt.Sprintf("c%04d", m.next), QueueID: rapid.SampledFrom([]string{"", "q"}).Draw(t, "queue"), Priority: 5, At: m.now,
				Only: m.agent(t), Park: rapid.Bool().Draw(t, "park"), Recovery: rapid.SampledFrom([]string{"", "r"}).Draw(t, "recovery"),
			}
			a, _ := m.e.Agent(it.Only)
			acts, err := m.e.Enqueue(it, m.now)
			if want := it.Park || a.State == Available && a.Reachable; (err == nil) != want {
				t.Fatalf("queueing to an agent who is %s, parked %t: %v", a.State, it.Park, err)
			}
			if err == nil {
				m.waiting[it.ContactID] = true
			}
			m.see(acts)
		},
		"leave": func(t *rapid.T) {
			if id, ok := m.contact(t); ok {
				delete(m.waiting, id)
				m.see(m.e.Remove(id, m.now))
			}
		},
		"accept": func(t *rapid.T) {
			id := m.agent(t)
			a, _ := m.e.Agent(id)
			acts, err := m.e.Accept(id, a.ContactID, m.now)
			if (err == nil) != (a.State == Ringing) {
				t.Fatalf("accepting as %s: %v", a.State, err)
			}
			if err == nil {
				delete(m.waiting, a.ContactID)
				m.talking[id] = a.ContactID
			}
			m.see(acts)
		},
		"decline": func(t *rapid.T) {
			id := m.agent(t)
			a, _ := m.e.Agent(id)
			acts, err := m.e.Decline(id, a.ContactID, m.now)
			if (err == nil) != (a.State == Ringing) {
				t.Fatalf("declining as %s: %v", a.State, err)
			}
			m.see(acts)
		},
		"hang up": func(t *rapid.T) {
			id := m.agent(t)
			m.see(m.e.Hangup(id, m.talking[id], m.now))
			delete(m.talking, id)
		},
		"finish": func(t *rapid.T) {
			id := m.agent(t)
			if a, _ := m.e.Agent(id); a.State == WrapUp {
				m.see(m.e.Finish(id, a.ContactID, m.now))
			}
		},
		"choose": func(t *rapid.T) {
			state := rapid.SampledFrom([]AgentState{Available, Idle, Offline}).Draw(t, "state")
			acts, err := m.e.Choose(m.agent(t), Presence{State: state}, m.now)
			if err != nil {
				t.Fatal(err)
			}
			m.see(acts)
		},
		"reach": func(t *rapid.T) { m.see(m.e.SetReachable(m.agent(t), rapid.Bool().Draw(t, "reachable"), m.now)) },
		"time": func(t *rapid.T) {
			m.now = m.now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second)
			m.see(m.e.Tick(m.now))
		},
		"": m.check,
	}
}

// check is what must be true after every call.
func (m *model) check(t *rapid.T) {
	offered := map[string]string{}
	for _, q := range append([]string{""}, modelQueues...) {
		for _, it := range m.e.Waiting(q) {
			if !m.waiting[it.ContactID] {
				t.Fatalf("%s waits though it left", it.ContactID)
			}
			offered[it.ContactID] = it.AgentID
		}
	}
	if len(offered) != len(m.waiting) {
		t.Fatalf("%d contacts wait in the engine, %d have not left", len(offered), len(m.waiting))
	}
	for _, a := range m.e.Agents() {
		switch {
		case a.State.Busy() != (a.ContactID != ""):
			t.Fatalf("%s is %s with contact %q", a.ID, a.State, a.ContactID)
		case a.State == Ringing && offered[a.ContactID] != a.ID:
			t.Fatalf("%s rings for %s, which is offered to %q", a.ID, a.ContactID, offered[a.ContactID])
		case a.State == Connected && m.talking[a.ID] != a.ContactID:
			t.Fatalf("%s talks to %s, not to %s", a.ID, a.ContactID, m.talking[a.ID])
		}
		if a.State == Available && a.Reachable {
			m.checkIdle(t, a)
		}
	}
}

// checkIdle: nobody of an agent's queues waits unoffered while the agent is free.
func (m *model) checkIdle(t *rapid.T, a Agent) {
	for _, q := range append(m.e.Queues(), Queue{}) {
		for _, it := range m.e.Waiting(q.ID) {
			mine := it.Only == a.ID || it.Only == "" && slices.Contains(q.AgentIDs, a.ID)
			if it.AgentID == "" && mine {
				t.Fatalf("%s waits in %s while %s is free", it.ContactID, q.ID, a.ID)
			}
		}
	}
}

// TestEngineProperties: whatever happens in whatever order, no contact is lost or offered twice, no free agent is left idle.
func TestEngineProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { t.Repeat(newModel().actions()) })
}

// TestOrder: priority first, then age; the longest available agent first; a declined contact keeps its place.
func TestOrder(t *testing.T) {
	m := newModel()
	for i, c := range []struct {
		id       string
		priority int
	}{{"old", 5}, {"new", 5}, {"urgent", 1}} {
		if _, err := m.e.Enqueue(Item{ContactID: c.id, QueueID: "q", Priority: c.priority, At: m.now.Add(time.Duration(i))}, m.now); err != nil {
			t.Fatal(err)
		}
	}
	free := func(id string) {
		m.e.SetReachable(id, true, m.now)
		if _, err := m.e.Choose(id, Presence{State: Available}, m.now); err != nil {
			t.Fatal(err)
		}
	}
	rings := func(agent, contact string) {
		t.Helper()
		if a, _ := m.e.Agent(agent); a.State != Ringing || a.ContactID != contact {
			t.Errorf("%s is %s with %q, want ringing with %s", agent, a.State, a.ContactID, contact)
		}
	}
	free("a")
	rings("a", "urgent")
	free("b")
	rings("b", "old")
	if _, err := m.e.Decline("b", "old", m.now); err != nil {
		t.Fatal(err)
	}
	free("c")
	rings("c", "old")
	if b, _ := m.e.Agent("b"); b.State != Idle || b.Reason == nil {
		t.Errorf("after declining b is %s %+v", b.State, b.Reason)
	}
}

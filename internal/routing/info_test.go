package routing

import (
	"fmt"
	"testing"
	"time"
)

// TestInfo: a queue's figures are those of its agents and contacts.
func TestInfo(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	e := NewEngine()
	q := Queue{ID: "q", Ring: time.Minute, WrapUp: time.Minute, AgentIDs: []string{"free", "away", "off", "lunch", "busy", "acw", "missed"}}
	e.SetQueue(q, now)
	for _, id := range q.AgentIDs {
		e.SetAgent(id, id, Presence{State: Idle}, now)
	}
	for id, s := range map[string]AgentState{"free": Available, "away": Available, "off": Offline, "busy": Connected, "acw": WrapUp, "missed": RONA} {
		e.agents[id].State = s
	}
	e.SetAgent("stranger", "stranger", Presence{State: Available}, now)
	for i, id := range []string{"a", "b"} {
		if _, err := e.Enqueue(Item{ContactID: id, QueueID: "q", Priority: 5, At: now.Add(time.Duration(i) * time.Minute)}, now); err != nil {
			t.Fatal(err)
		}
	}
	e.agents["free"].Reachable = true
	want := Info{
		Position: 2, Waiting: 2, Oldest: 3 * time.Minute, EWT: -1, Online: 6, Staffed: 4, Available: 1, Busy: 1, AfterWork: 1, Missed: 1, NonProductive: 1,
	}
	if got := e.Info(q, "b", time.Hour, now.Add(3*time.Minute)); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := e.Info(q, "somebody else", time.Hour, now); got.Position != 3 {
		t.Errorf("who does not wait would stand at %d, want 3", got.Position)
	}
}

// TestEstimate: the mean wait of those who were answered, when most were and their waits are alike.
func TestEstimate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		answered, gone   []int // waits in seconds
		lookback, passed time.Duration
		want             time.Duration
	}{
		{name: "nobody", want: -1},
		{name: "alike", answered: []int{50, 60, 70}, want: time.Minute},
		{name: "at once", answered: []int{0, 0}, want: 0},
		{name: "too different", answered: []int{10, 200}, want: -1},
		{name: "most gave up", answered: []int{60}, gone: []int{1, 1}, want: -1},
		{name: "some gave up", answered: []int{60, 60}, gone: []int{1, 1, 1}, want: time.Minute},
		{name: "long ago", answered: []int{60}, lookback: 10 * time.Minute, passed: 11 * time.Minute, want: -1},
		{name: "within the look-back", answered: []int{60}, lookback: 10 * time.Minute, passed: 9 * time.Minute, want: time.Minute},
	} {
		now := time.Unix(1_800_000_000, 0)
		e := NewEngine()
		q := Queue{ID: "q", Ring: time.Minute, AgentIDs: []string{"a"}}
		e.SetQueue(q, now)
		e.SetAgent("a", "a", Presence{State: Available}, now)
		n := 0
		wait := func(s int) string {
			n++
			id := fmt.Sprint(n)
			if _, err := e.Enqueue(Item{ContactID: id, QueueID: "q", At: now.Add(-time.Duration(s) * time.Second)}, now); err != nil {
				t.Fatal(err)
			}
			return id
		}
		for _, s := range c.gone {
			e.Remove(wait(s), now)
		}
		e.SetReachable("a", true, now)
		for _, s := range c.answered {
			id := wait(s)
			if _, err := e.Accept("a", id, now); err != nil {
				t.Fatal(err)
			}
			e.Hangup("a", id, now)
		}
		if got := e.Info(q, "", max(c.lookback, time.Minute), now.Add(c.passed)).EWT; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestOlder: an adjusted contact is served as if it had waited longer, and its real age stays.
func TestOlder(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	e := NewEngine()
	q := Queue{ID: "q", Ring: time.Minute, MaxWait: 10 * time.Minute, AgentIDs: []string{"a"}}
	e.SetQueue(q, now)
	put := func(id string, at time.Time, older time.Duration) {
		if _, err := e.Enqueue(Item{ContactID: id, QueueID: "q", Priority: 5, At: at, Older: older}, now); err != nil {
			t.Fatal(err)
		}
	}
	put("first", now.Add(-2*time.Minute), 0)
	put("second", now.Add(-time.Minute), 90*time.Second)
	put("young", now.Add(-time.Minute), -time.Hour)
	if got := e.Waiting("q"); got[0].ContactID != "second" || got[1].ContactID != "first" || got[2].ContactID != "young" {
		t.Errorf("%+v", got)
	}
	e.SetOlder("young", time.Hour)
	if got := e.Waiting("q"); got[0].ContactID != "young" {
		t.Errorf("%+v", got)
	}
	if got := e.Info(q, "young", 0, now); got.Oldest != 2*time.Minute || got.Position != 1 {
		t.Errorf("%+v", got)
	}
	e.SetAgent("a", "a", Presence{State: Available}, now)
	acts := e.SetReachable("a", true, now)
	if last := acts[len(acts)-1]; last.Kind != Offer || last.ContactID != "young" {
		t.Errorf("%+v", acts)
	}
	for _, a := range e.Tick(now.Add(8 * time.Minute)) {
		if a.Kind == Expire && a.ContactID != "first" {
			t.Errorf("%s has waited too long by its adjusted age", a.ContactID)
		}
	}
}

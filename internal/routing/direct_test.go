package routing

import (
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// direct is an engine with the agents a, b and c, none in the queue r but a and b.
type direct struct {
	*model
	t *testing.T
}

func newDirect(t *testing.T) direct { return direct{newModel(), t} }

func (d direct) choose(agent string, s AgentState) []Action {
	d.t.Helper()
	d.e.SetReachable(agent, true, d.now)
	acts, err := d.e.Choose(agent, Presence{State: s}, d.now)
	if err != nil {
		d.t.Fatal(err)
	}
	return acts
}

func (d direct) enqueue(it Item) []Action {
	d.t.Helper()
	it.At = d.now
	acts, err := d.e.Enqueue(it, d.now)
	if err != nil {
		d.t.Fatal(err)
	}
	return acts
}

// rings checks that the contact x rings at an agent.
func (d direct) rings(agent string) {
	d.t.Helper()
	if a, _ := d.e.Agent(agent); a.State != Ringing || a.ContactID != "x" {
		d.t.Errorf("%s is %s with %q, want ringing with x", agent, a.State, a.ContactID)
	}
}

// kinds returns the actions that are no news of an agent.
func kinds(acts []Action) (out []ActionKind) {
	for _, a := range acts {
		if a.Kind != AgentChanged {
			out = append(out, a.Kind)
		}
	}
	return out
}

func equal(t *testing.T, got []ActionKind, want ...ActionKind) {
	t.Helper()
	same := len(got) == len(want)
	for i := range want {
		same = same && got[i] == want[i]
	}
	if !same {
		t.Errorf("actions %v, want %v", got, want)
	}
}

// TestFind: a flow names agents by id, login or e-mail address.
func TestFind(t *testing.T) {
	d := newDirect(t)
	d.e.SetAddress("b", "ben", "Ben@Example.test")
	for _, name := range []string{"b", "ben", "BEN", "ben@example.TEST"} {
		if a, ok := d.e.Find(name); !ok || a.ID != "b" {
			t.Errorf("%q finds %+v", name, a)
		}
	}
	for _, name := range []string{"", "nobody", "ben@"} {
		if a, ok := d.e.Find(name); ok {
			t.Errorf("%q finds %+v", name, a)
		}
	}
}

// TestDirectOffer: a contact for one agent rings there and nowhere else, in the queue's time or without a queue in 20 s.
func TestDirectOffer(t *testing.T) {
	d := newDirect(t)
	d.choose("a", Available)
	d.choose("c", Available)
	d.enqueue(Item{ContactID: "x", Only: "c"})
	d.rings("c")
	if a, _ := d.e.Agent("a"); a.State != Available {
		t.Errorf("a, who has waited longest, is %s", a.State)
	}
	if c, _ := d.e.Agent("c"); c.Until != d.now.Add(directRing) {
		t.Errorf("rings until %v", c.Until)
	}
	if _, err := d.e.Accept("c", "x", d.now); err != nil {
		t.Fatal(err)
	}
	d.e.Hangup("c", "x", d.now)
	if c, _ := d.e.Agent("c"); c.State != WrapUp || c.Until != d.now.Add(directWrapUp) {
		t.Errorf("after the call c is %s until %v", c.State, c.Until)
	}
}

// TestDirectUnavailable: without parking, a busy, absent or unknown agent is an error at once, so that the flow can try another.
func TestDirectUnavailable(t *testing.T) {
	d := newDirect(t)
	d.choose("a", Idle)
	for agent, code := range map[string]errs.Code{"a": errs.Conflict, "b": errs.Conflict, "nobody": errs.NotFound} {
		if _, err := d.e.Enqueue(Item{ContactID: "x", Only: agent, Recovery: "r"}, d.now); !errs.Is(err, code) {
			t.Errorf("queueing to %s: %v, want %s", agent, err, code)
		}
	}
	if n := len(d.e.Waiting("")) + len(d.e.Waiting("r")); n != 0 {
		t.Errorf("%d contacts wait", n)
	}
}

// TestDirectParked: a parked contact waits for its agent though others are free, and comes before those of the queue by its age.
func TestDirectParked(t *testing.T) {
	d := newDirect(t)
	d.choose("b", Available)
	d.choose("a", Idle)
	d.enqueue(Item{ContactID: "x", QueueID: "q", Only: "a", Park: true, Priority: 5})
	if b, _ := d.e.Agent("b"); b.State != Available {
		t.Errorf("b is %s", b.State)
	}
	d.now = d.now.Add(time.Second)
	d.choose("a", Available)
	d.rings("a")
	// Nobody takes it: it is parked on and rings again once the agent is back.
	d.now = d.now.Add(time.Minute)
	equal(t, kinds(d.e.Tick(d.now)), Withdraw)
	d.choose("a", Available)
	d.rings("a")
}

// TestDirectRecovery: an agent who declines, does not answer, signs off or is removed leaves the contact to the recovery queue,
// where it keeps its age; without one it goes back to the flow unless it is parked.
func TestDirectRecovery(t *testing.T) {
	leave := map[string]func(d direct) []Action{
		"declined": func(d direct) []Action {
			d.choose("c", Available)
			acts, err := d.e.Decline("c", "x", d.now)
			if err != nil {
				d.t.Fatal(err)
			}
			return acts
		},
		"no answer": func(d direct) []Action {
			d.choose("c", Available)
			return d.e.Tick(d.now.Add(time.Minute))
		},
		"signed off": func(d direct) []Action { return d.choose("c", Offline) },
		"removed": func(d direct) []Action {
			if err := d.e.RemoveAgent("c"); err != nil {
				d.t.Fatal(err)
			}
			return d.e.Tick(d.now)
		},
	}
	for name, f := range leave {
		t.Run(name, func(t *testing.T) {
			d := newDirect(t)
			d.choose("c", Idle)
			d.enqueue(Item{ContactID: "x", Only: "c", Park: true, Recovery: "r", Priority: 3})
			at := d.now
			got := kinds(f(d))
			if got[len(got)-1] != Recover {
				t.Errorf("actions %v", got)
			}
			list := d.e.Waiting("r")
			if len(list) != 1 || list[0].At != at || list[0].Priority != 3 || list[0].Only != "" {
				t.Fatalf("the recovery queue holds %+v", list)
			}
			d.choose("b", Available)
			d.rings("b")
		})
	}
	t.Run("without a queue", func(t *testing.T) {
		d := newDirect(t)
		d.choose("c", Available)
		d.enqueue(Item{ContactID: "x", Only: "c"})
		acts := d.e.Tick(d.now.Add(time.Minute))
		equal(t, kinds(acts), Withdraw, Expire)
		for _, a := range acts {
			if a.Kind == Expire && !a.Untaken {
				t.Error("the contact is said to have waited too long")
			}
		}
	})
	t.Run("signed off before", func(t *testing.T) {
		d := newDirect(t)
		equal(t, kinds(d.enqueue(Item{ContactID: "x", Only: "c", Park: true, Recovery: "r"})), Recover)
	})
}

// TestItemMaxWait: a contact's own limit counts instead of its queue's.
func TestItemMaxWait(t *testing.T) {
	d := newDirect(t)
	d.enqueue(Item{ContactID: "x", QueueID: "r", MaxWait: time.Hour})
	equal(t, kinds(d.e.Tick(d.now.Add(59*time.Minute))))
	equal(t, kinds(d.e.Tick(d.now.Add(time.Hour))), Expire)
}

package httpapi

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/routing"
)

type liveCall struct {
	ID         string    `json:"id"`
	Direction  string    `json:"direction" enum:"inbound,callback"`
	ANI        string    `json:"ani"`
	DNIS       string    `json:"dnis"`
	State      string    `json:"state"`
	StateSince time.Time `json:"stateSince"`
	CreatedAt  time.Time `json:"createdAt"`
	Flow       *flowRef  `json:"flow"`
	Node       string    `json:"node"`
	Queue      *ref      `json:"queue"`
	Agent      *ref      `json:"agent"`
}

type liveQueue struct {
	QueueLine
	AgentsAvailable int      `json:"agentsAvailable"`
	AgentsBusy      int      `json:"agentsBusy"`
	AgentsStaffed   int      `json:"agentsStaffed"`
	AbandonedToday  int      `json:"abandonedToday"`
	AnsweredToday   int      `json:"answeredToday"`
	ServiceLevel    *float64 `json:"serviceLevel" doc:"share answered within 20 s today; null before the first"`
}

type liveAgent struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	State     string    `json:"state"`
	Reason    *ref      `json:"reason"`
	Since     time.Time `json:"since"`
	ContactID string    `json:"contactId,omitempty"`
}

type live struct {
	Now    time.Time   `json:"now"`
	Calls  []liveCall  `json:"calls"`
	Queues []liveQueue `json:"queues"`
	Agents []liveAgent `json:"agents"`
}

// liveLimit is how many calls the live page shows; with more it shows the oldest.
const liveLimit = 500

func (a *API) liveOps() {
	add(a, op("GET", "/live", "getLive", "Living calls, queues and agents", "live", 200), func(ctx context.Context, _ *none) (*body[live], error) {
		if err := a.Authz.Check(ctx, "live:Get", "arn:aws:tandem::"+a.Tenant+":live"); err != nil {
			return nil, err
		}
		out, err := a.live(ctx)
		return &body[live]{Body: out}, err
	})
}

func (a *API) live(ctx context.Context) (live, error) {
	out := live{Now: a.Clock.Now(), Calls: []liveCall{}, Queues: []liveQueue{}, Agents: []liveAgent{}}
	for _, v := range a.Conductor.Views() {
		c := v.Contact
		if c.State == contact.Ended {
			continue
		}
		out.Calls = append(out.Calls, liveCall{
			ID: c.ID, Direction: c.Direction(), ANI: c.ANI, DNIS: c.DNIS, State: string(c.State), StateSince: c.StateAt, CreatedAt: c.CreatedAt,
			Flow: &flowRef{ID: c.FlowID, Name: c.FlowName, Version: c.FlowVersion}, Node: v.Node, Queue: refOf(c.QueueID, c.QueueName),
			Agent: refOf(c.AgentID, c.AgentName),
		})
	}
	slices.SortFunc(out.Calls, func(x, y liveCall) int { return cmp.Compare(x.ID, y.ID) })
	out.Calls = out.Calls[:min(len(out.Calls), liveLimit)]
	midnight := out.Now.Truncate(24 * time.Hour)
	tallies, err := a.Contacts.Tallies(caller.As(ctx, a.Desk), a.Tenant, midnight, 20*time.Second)
	if err != nil {
		return out, err
	}
	a.Router.With(func(e *routing.Engine, now time.Time) []routing.Action {
		for _, g := range e.Agents() {
			out.Agents = append(out.Agents, liveAgent{
				ID: g.ID, Name: g.Name, State: string(g.State), Reason: reasonOf(g.Reason), Since: g.Since, ContactID: g.ContactID,
			})
		}
		for _, q := range e.Queues() {
			lq := queueNow(e, q, now)
			t := tallies[q.ID]
			lq.AnsweredToday, lq.AbandonedToday = t.Answered, t.Abandoned
			if t.Answered+t.Abandoned > 0 {
				share := float64(t.Within) / float64(t.Answered+t.Abandoned)
				lq.ServiceLevel = &share
			}
			out.Queues = append(out.Queues, lq)
		}
		return nil
	})
	return out, nil
}

func queueNow(e *routing.Engine, q routing.Queue, now time.Time) liveQueue {
	n, longest := waiting(e, q.ID, now)
	out := liveQueue{QueueLine: QueueLine{ID: q.ID, Name: q.Name, Waiting: n, LongestWaitSeconds: longest}}
	for _, id := range q.AgentIDs {
		g, ok := e.Agent(id)
		if !ok || g.State == routing.Offline {
			continue
		}
		out.AgentsStaffed++
		switch {
		case g.State == routing.Available && g.Reachable:
			out.AgentsAvailable++
		case g.State.Busy():
			out.AgentsBusy++
		}
	}
	return out
}

package routing

import (
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// What holds for a contact that goes to one agent without a queue.
const (
	directRing   = 20 * time.Second
	directWrapUp = time.Minute
)

// Find returns the agent a flow names: by id, login or e-mail address, the latter two in any case.
func (e *Engine) Find(name string) (Agent, bool) {
	if a, ok := e.agents[name]; ok {
		return *a, true
	}
	if name == "" {
		return Agent{}, false
	}
	for _, a := range e.Agents() { // in order, should two have the same address
		if strings.EqualFold(a.Login, name) || strings.EqualFold(a.Email, name) {
			return a, true
		}
	}
	return Agent{}, false
}

// Item returns a waiting contact.
func (e *Engine) Item(contactID string) (Item, bool) {
	if it, ok := e.items[contactID]; ok {
		return *it, true
	}
	return Item{}, false
}

// SetAddress says by which names besides the id an agent is found.
func (e *Engine) SetAddress(agentID, login, email string) {
	if a, ok := e.agents[agentID]; ok {
		a.Login, a.Email = login, email
	}
}

// checkDirect refuses a contact whose one agent cannot take it: an unknown one, and unless it may be parked, one who is not free. A
// parked contact whose agent is signed off waits in the recovery queue at once, and without one for the agent.
func (e *Engine) checkDirect(it *Item) error {
	if it.Only == "" {
		it.Park, it.Recovery = false, ""
		return nil
	}
	a, ok := e.agents[it.Only]
	switch {
	case !ok:
		return errs.New(errs.NotFound, "there is no such agent")
	case !it.Park && !a.free():
		return errs.New(errs.Conflict, "the agent is not available")
	case it.Park && a.State == Offline && e.queues[it.Recovery] != nil:
		e.out = append(e.out, Action{Kind: Recover, ContactID: it.ContactID, AgentID: it.Only, QueueID: it.Recovery})
		it.QueueID, it.Only, it.Park, it.Recovery = it.Recovery, "", false, ""
	}
	return nil
}

// untaken sends a contact on that its one agent did not take: to the recovery queue with its place, else back to the flow. One
// that is parked without a recovery queue waits on for the agent.
func (e *Engine) untaken(it *Item, now time.Time) {
	switch {
	case e.queues[it.Recovery] != nil:
		e.out = append(e.out, Action{Kind: Recover, ContactID: it.ContactID, AgentID: it.Only, QueueID: it.Recovery})
		it.QueueID, it.Only, it.Park, it.Recovery = it.Recovery, "", false, ""
	case !it.Park:
		e.expire(it, now)
		e.out[len(e.out)-1].Untaken = true
	}
}

// left sends on what waits for an agent who signs off.
func (e *Engine) left(a *Agent, now time.Time) {
	for _, it := range e.ordered() {
		if it.Only == a.ID && it.AgentID == "" {
			e.untaken(it, now)
		}
	}
}

// orphans sends on what waits for an agent who does not exist any more; the next call returns the actions.
func (e *Engine) orphans(agentID string) {
	for _, it := range e.ordered() {
		if it.Only == agentID {
			it.Park = false
			e.untaken(it, it.At)
		}
	}
}

func (e *Engine) ring(queueID string) time.Duration {
	if q := e.queues[queueID]; q != nil {
		return q.Ring
	}
	return directRing
}

func (e *Engine) wrapUp(queueID string) time.Duration {
	if q := e.queues[queueID]; q != nil {
		return q.WrapUp
	}
	if queueID == "" {
		return directWrapUp
	}
	return 0
}

// Package routing offers waiting contacts to agents. Engine is deterministic: what it does depends only on its state and
// on the calls made to it with their times; Router runs it with the process clock, stores the agents' states and tells the
// rest of the hub what happened.
package routing

import (
	"cmp"
	"slices"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// AgentState is what an agent does.
type AgentState string

// The states. Only available agents whose station can be reached are offered contacts.
const (
	Offline   AgentState = "offline"
	Available AgentState = "available"
	Idle      AgentState = "idle"      // with a reason
	Ringing   AgentState = "ringing"   // a contact is offered
	Connected AgentState = "connected" // talks to a caller
	WrapUp    AgentState = "wrapup"    // after-call work
	RONA      AgentState = "rona"      // did not answer an offer (redirection on no answer); stays until the agent chooses a state
)

// Busy reports whether the state belongs to a contact.
func (s AgentState) Busy() bool { return s == Ringing || s == Connected || s == WrapUp }

// Reason says why an agent is idle.
type Reason struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Presence is a state an agent chose.
type Presence struct {
	State  AgentState `json:"state"`
	Reason *Reason    `json:"reason"`
}

// Agent is an agent as routing sees them.
type Agent struct {
	ID        string
	Name      string
	Login     string // with Email, how flows name an agent
	Email     string
	State     AgentState
	Reason    *Reason
	Since     time.Time // of State
	IdleSince time.Time // when the agent last ended a contact or became available: the longest comes first
	Next      *Presence // chosen while busy
	Reachable bool
	ContactID string
	QueueID   string    // of the contact
	Until     time.Time // ring or wrap-up deadline
}

// Queue is a queue's rule.
type Queue struct {
	ID       string
	Name     string
	Ring     time.Duration
	WrapUp   time.Duration // 0: none
	MaxWait  time.Duration
	AgentIDs []string
	Record   bool // conversations are recorded
	// AutoAccept connects the agent without asking, after a tone.
	AutoAccept bool
	// WrapUpCodes are the ids of the codes agents may choose; empty means all.
	WrapUpCodes []string
}

// Allows reports whether agents may end a contact of the queue with a wrap-up code.
func (q *Queue) Allows(codeID string) bool {
	return len(q.WrapUpCodes) == 0 || slices.Contains(q.WrapUpCodes, codeID)
}

// Item is a waiting contact.
type Item struct {
	ContactID string
	QueueID   string // may be empty with Only
	Priority  int    // 1 first, 10 last
	At        time.Time
	Older     time.Duration // by how much it counts as older than it is; negative: younger
	MaxWait   time.Duration // instead of the queue's; 0: the queue's
	Only      string        // the one agent who may take it; "": any of the queue
	Park      bool          // with Only: wait while the agent is busy
	Recovery  string        // with Only: the queue for when the agent does not take it; "": none
	AgentID   string        // offered to; "" while it waits
	Until     time.Time
}

// ActionKind says what the engine wants done.
type ActionKind string

// The kinds of actions.
const (
	Offer        ActionKind = "offer"        // ring the agent until Until
	Withdraw     ActionKind = "withdraw"     // stop ringing: the contact left, or the agent did not answer
	Expire       ActionKind = "expire"       // the contact waited too long and has left the queue
	AgentChanged ActionKind = "agentChanged" // show it, store it
	WrapUpOver   ActionKind = "wrapUpOver"   // the wrap-up time of the contact has run out
	Recover      ActionKind = "recover"      // its agent did not take the contact: it waits in the queue QueueID now
)

// Action is one thing to do. Contact is empty for AgentChanged without one.
type Action struct {
	Kind      ActionKind
	ContactID string
	AgentID   string
	QueueID   string
	Until     time.Time
	NoAnswer  bool // Withdraw: the agent did not answer or declined, the contact waits on
	Declined  bool // Withdraw: the agent said no
	Untaken   bool // Expire: not for the time, its agent did not take the contact
}

// Engine is the state of routing. It is not safe for concurrent use.
type Engine struct {
	agents map[string]*Agent
	queues map[string]*Queue
	items  map[string]*Item
	past   map[string]*history
	out    []Action
}

// NewEngine returns an engine without queues and agents.
func NewEngine() *Engine {
	return &Engine{agents: map[string]*Agent{}, queues: map[string]*Queue{}, items: map[string]*Item{}, past: map[string]*history{}}
}

// take returns the collected actions.
func (e *Engine) take() []Action {
	out := e.out
	e.out = nil
	return out
}

// SetQueue adds or replaces a queue.
func (e *Engine) SetQueue(q Queue, now time.Time) []Action {
	e.queues[q.ID] = &q
	e.assign(now)
	return e.take()
}

// RemoveQueue removes a queue; its contacts expire.
func (e *Engine) RemoveQueue(id string, now time.Time) []Action {
	delete(e.queues, id)
	delete(e.past, id)
	for _, it := range e.ordered() {
		if it.QueueID == id {
			e.expire(it, now)
		}
	}
	return e.take()
}

// SetAgent adds an agent, or renames one; a new agent is in the given state.
func (e *Engine) SetAgent(id, name string, p Presence, now time.Time) []Action {
	if a, ok := e.agents[id]; ok {
		a.Name = name
		return nil
	}
	e.agents[id] = &Agent{ID: id, Name: name, State: p.State, Reason: p.Reason, Since: now, IdleSince: now}
	e.assign(now)
	return e.take()
}

// RemoveAgent forgets an agent, who must not be on a contact.
func (e *Engine) RemoveAgent(id string) error {
	if a, ok := e.agents[id]; ok && a.State.Busy() {
		return errs.New(errs.Conflict, "the agent is on a contact; try again when it is over")
	}
	delete(e.agents, id)
	e.orphans(id)
	return nil
}

// Agent returns a copy of an agent.
func (e *Engine) Agent(id string) (Agent, bool) {
	a, ok := e.agents[id]
	if !ok {
		return Agent{}, false
	}
	return *a, true
}

// Agents returns copies of all agents, by name.
func (e *Engine) Agents() []Agent {
	out := make([]Agent, 0, len(e.agents))
	for _, a := range e.agents {
		out = append(out, *a)
	}
	slices.SortFunc(out, func(a, b Agent) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Queues returns copies of all queues, by name.
func (e *Engine) Queues() []Queue {
	out := make([]Queue, 0, len(e.queues))
	for _, q := range e.queues {
		out = append(out, *q)
	}
	slices.SortFunc(out, func(a, b Queue) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Queue returns a copy of a queue.
func (e *Engine) Queue(id string) (Queue, bool) {
	q, ok := e.queues[id]
	if !ok {
		return Queue{}, false
	}
	return *q, true
}

// Waiting returns copies of the contacts of a queue in the order in which they are served, those being offered included.
func (e *Engine) Waiting(queueID string) []Item {
	var out []Item
	for _, it := range e.ordered() {
		if it.QueueID == queueID {
			out = append(out, *it)
		}
	}
	return out
}

// Choose puts an agent into a state of their own choice. On a contact it is kept for later.
func (e *Engine) Choose(agentID string, p Presence, now time.Time) ([]Action, error) {
	a, ok := e.agents[agentID]
	if !ok {
		return nil, errs.New(errs.NotFound, "there is no such agent")
	}
	if p.State != Available && p.State != Idle && p.State != Offline {
		return nil, errs.New(errs.Invalid, "an agent may choose available, idle or offline")
	}
	if a.State.Busy() {
		a.Next = &p
		e.changed(a)
		return e.take(), nil
	}
	e.rest(a, p, now)
	e.assign(now)
	return e.take(), nil
}

// SetReachable says whether the agent's station can take a call now.
func (e *Engine) SetReachable(agentID string, reachable bool, now time.Time) []Action {
	a, ok := e.agents[agentID]
	if !ok || a.Reachable == reachable {
		return nil
	}
	a.Reachable = reachable
	e.changed(a)
	e.assign(now)
	return e.take()
}

// Enqueue lets a contact wait.
func (e *Engine) Enqueue(it Item, now time.Time) ([]Action, error) {
	if _, ok := e.queues[it.QueueID]; !ok && (it.Only == "" || it.QueueID != "") {
		return nil, errs.New(errs.NotFound, "there is no such queue")
	}
	if _, ok := e.items[it.ContactID]; ok {
		return nil, errs.New(errs.Conflict, "the contact waits already")
	}
	if err := e.checkDirect(&it); err != nil {
		return nil, err
	}
	it.AgentID, it.Until = "", time.Time{}
	e.items[it.ContactID] = &it
	e.assign(now)
	return e.take(), nil
}

// Remove takes a contact out of its queue; an offer is withdrawn and the agent becomes available again.
func (e *Engine) Remove(contactID string, now time.Time) []Action {
	it, ok := e.items[contactID]
	if !ok {
		return nil
	}
	delete(e.items, contactID)
	e.remember(it, false, now)
	e.withdraw(it, false, now)
	e.assign(now)
	return e.take()
}

// SetPriority changes a waiting contact's priority.
func (e *Engine) SetPriority(contactID string, priority int) {
	if it, ok := e.items[contactID]; ok {
		it.Priority = priority
	}
}

// Accept connects the agent with the contact that is offered to them; the contact leaves its queue.
func (e *Engine) Accept(agentID, contactID string, now time.Time) ([]Action, error) {
	a, it, err := e.offer(agentID, contactID)
	if err != nil {
		return nil, err
	}
	delete(e.items, it.ContactID)
	e.remember(it, true, now)
	a.Until = time.Time{}
	e.move(a, Connected, nil, now)
	return e.take(), nil
}

// Decline gives the contact back: it keeps its place, and the agent is out of the line until they choose a state.
func (e *Engine) Decline(agentID, contactID string, now time.Time) ([]Action, error) {
	if _, _, err := e.offer(agentID, contactID); err != nil {
		return nil, err
	}
	e.noAnswer(e.items[contactID], &Reason{ID: "declined", Name: "Declined"}, now)
	e.assign(now)
	return e.take(), nil
}

func (e *Engine) offer(agentID, contactID string) (*Agent, *Item, error) {
	a, it := e.agents[agentID], e.items[contactID]
	if a == nil || it == nil || it.AgentID != agentID || a.ContactID != contactID {
		return nil, nil, errs.New(errs.Conflict, "the contact is not offered to this agent any more")
	}
	return a, it, nil
}

// Hangup ends the call of a connected agent. Wrap-up follows when the queue has one.
func (e *Engine) Hangup(agentID, contactID string, now time.Time) []Action {
	a := e.agents[agentID]
	if a == nil || a.ContactID != contactID || a.State != Connected {
		return nil
	}
	if w := e.wrapUp(a.QueueID); w > 0 {
		a.Until = now.Add(w)
		e.move(a, WrapUp, nil, now)
		return e.take()
	}
	e.free(a, now)
	return e.take()
}

// Resume puts an agent back into the wrap-up of a contact, as it was before a restart.
func (e *Engine) Resume(agentID, contactID, queueID string, until, now time.Time) []Action {
	a := e.agents[agentID]
	if a == nil || a.State.Busy() {
		return nil
	}
	if a.State != Offline {
		a.Next = &Presence{State: a.State, Reason: a.Reason}
	}
	a.ContactID, a.QueueID, a.Until = contactID, queueID, until
	e.move(a, WrapUp, nil, now)
	return e.take()
}

// Extend gives the agent one more wrap-up period and returns its new end.
func (e *Engine) Extend(agentID, contactID string, now time.Time) (time.Time, []Action, error) {
	a := e.agents[agentID]
	if a == nil || a.ContactID != contactID || a.State != WrapUp {
		return time.Time{}, nil, errs.New(errs.Conflict, "the agent is not in the wrap-up of this contact")
	}
	period := time.Minute
	if q := e.queues[a.QueueID]; q != nil && q.WrapUp > 0 {
		period = q.WrapUp
	}
	a.Until = maxTime(a.Until, now).Add(period)
	e.changed(a)
	return a.Until, e.take(), nil
}

// Finish ends the wrap-up, or whatever else the agent has to do with the contact.
func (e *Engine) Finish(agentID, contactID string, now time.Time) []Action {
	a := e.agents[agentID]
	if a == nil || a.ContactID != contactID || a.State == Ringing {
		return nil
	}
	e.free(a, now)
	return e.take()
}

// NextDue returns when Tick has something to do; ok is false when nothing is timed.
func (e *Engine) NextDue() (at time.Time, ok bool) {
	soonest := func(t time.Time) {
		if !t.IsZero() && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	for _, it := range e.items {
		soonest(it.Until)
		soonest(e.expiry(it))
	}
	for _, a := range e.agents {
		if a.State == WrapUp {
			soonest(a.Until)
		}
	}
	return at, ok
}

// Tick does what has become due: offers nobody took, waits that were too long, wrap-ups that are over.
func (e *Engine) Tick(now time.Time) []Action {
	for _, it := range e.ordered() {
		if x := e.expiry(it); !x.IsZero() && !now.Before(x) {
			e.expire(it, now)
			continue
		}
		if !it.Until.IsZero() && !now.Before(it.Until) {
			e.noAnswer(it, nil, now)
		}
	}
	for _, a := range e.Agents() {
		if a.State == WrapUp && !a.Until.IsZero() && !now.Before(a.Until) {
			e.agents[a.ID].Until = time.Time{}
			e.out = append(e.out, Action{Kind: WrapUpOver, ContactID: a.ContactID, AgentID: a.ID, QueueID: a.QueueID})
		}
	}
	e.assign(now)
	return e.take()
}

func (e *Engine) expiry(it *Item) time.Time {
	if it.MaxWait > 0 {
		return it.At.Add(it.MaxWait)
	}
	if q := e.queues[it.QueueID]; q != nil && q.MaxWait > 0 {
		return it.At.Add(q.MaxWait)
	}
	return time.Time{}
}

func (e *Engine) expire(it *Item, now time.Time) {
	delete(e.items, it.ContactID)
	e.remember(it, false, now)
	e.withdraw(it, false, now)
	e.out = append(e.out, Action{Kind: Expire, ContactID: it.ContactID, QueueID: it.QueueID})
}

// withdraw ends an offer; the agent, who could not know, is available again.
func (e *Engine) withdraw(it *Item, noAnswer bool, now time.Time) {
	a := e.agents[it.AgentID]
	if a == nil {
		return
	}
	it.AgentID, it.Until = "", time.Time{}
	e.out = append(e.out, Action{Kind: Withdraw, ContactID: it.ContactID, AgentID: a.ID, QueueID: it.QueueID, NoAnswer: noAnswer})
	if !noAnswer {
		idle := a.IdleSince
		e.free(a, now)
		a.IdleSince = idle // the agent keeps their turn
	}
}

func (e *Engine) noAnswer(it *Item, reason *Reason, now time.Time) {
	a := e.agents[it.AgentID]
	e.withdraw(it, true, now)
	if a == nil {
		return
	}
	e.out[len(e.out)-1].Declined = reason != nil
	if it.Only == a.ID {
		e.untaken(it, now)
	}
	next := a.Next
	a.ContactID, a.QueueID, a.Until, a.Next = "", "", time.Time{}, nil
	switch {
	case next != nil && next.State != Available:
		e.rest(a, *next, now)
	case reason != nil:
		e.move(a, Idle, reason, now)
	default:
		e.move(a, RONA, nil, now)
	}
}

// free ends an agent's contact: the state they chose meanwhile comes first, else available.
func (e *Engine) free(a *Agent, now time.Time) {
	next := Presence{State: Available}
	if a.Next != nil {
		next = *a.Next
	}
	a.ContactID, a.QueueID, a.Until, a.Next = "", "", time.Time{}, nil
	e.rest(a, next, now)
	e.assign(now)
}

func (e *Engine) rest(a *Agent, p Presence, now time.Time) {
	if p.State == Offline {
		e.left(a, now)
	}
	if p.State == Available && a.State != Available {
		a.IdleSince = now
	}
	e.move(a, p.State, p.Reason, now)
}

func (e *Engine) move(a *Agent, s AgentState, r *Reason, now time.Time) {
	a.State, a.Reason, a.Since = s, r, now
	e.changed(a)
}

func (e *Engine) changed(a *Agent) {
	e.out = append(e.out, Action{Kind: AgentChanged, AgentID: a.ID, ContactID: a.ContactID, QueueID: a.QueueID, Until: a.Until})
}

// ordered returns the waiting contacts as they are served: by priority, then by age with its adjustment.
func (e *Engine) ordered() []*Item {
	out := make([]*Item, 0, len(e.items))
	for _, it := range e.items {
		out = append(out, it)
	}
	slices.SortFunc(out, func(a, b *Item) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), a.At.Add(-a.Older).Compare(b.At.Add(-b.Older)), cmp.Compare(a.ContactID, b.ContactID))
	})
	return out
}

// assign offers waiting contacts to free agents: the first contact to whoever of its queue has been available longest.
func (e *Engine) assign(now time.Time) {
	if !e.anyFree() {
		return
	}
	for _, it := range e.ordered() {
		if it.AgentID != "" {
			continue
		}
		a := e.takerOf(it)
		if a == nil {
			continue
		}
		it.AgentID, it.Until = a.ID, now.Add(e.ring(it.QueueID))
		a.ContactID, a.QueueID, a.Until = it.ContactID, it.QueueID, it.Until
		e.move(a, Ringing, nil, now)
		e.out = append(e.out, Action{Kind: Offer, ContactID: it.ContactID, AgentID: a.ID, QueueID: it.QueueID, Until: it.Until})
	}
}

// takerOf returns the free agent who is to take a contact; nil when there is none.
func (e *Engine) takerOf(it *Item) *Agent {
	if it.Only != "" {
		if a := e.agents[it.Only]; a != nil && a.free() {
			return a
		}
		return nil
	}
	if q := e.queues[it.QueueID]; q != nil {
		return e.longestAvailable(q)
	}
	return nil
}

func (a *Agent) free() bool { return a.State == Available && a.Reachable }

func (e *Engine) anyFree() bool {
	for _, a := range e.agents {
		if a.free() {
			return true
		}
	}
	return false
}

func (e *Engine) longestAvailable(q *Queue) *Agent {
	var best *Agent
	for _, id := range q.AgentIDs {
		a := e.agents[id]
		if a == nil || !a.free() {
			continue
		}
		if best == nil || a.IdleSince.Before(best.IdleSince) || (a.IdleSince.Equal(best.IdleSince) && a.ID < best.ID) {
			best = a
		}
	}
	return best
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

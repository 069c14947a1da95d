package flowtest

import (
	"fmt"
	"time"

	"github.com/tandemcc/tandem/internal/flow"
)

const outcomeWaiting = "waiting"

// enqueue places the contact and plans what the queue does with it.
func (x *run) enqueue(c flow.Command) {
	e := c.Enqueue
	for id, i := range x.placed { // a placement replaces the one before
		if x.res.Queued[i].Outcome == outcomeWaiting && id != c.ID {
			x.res.Queued[i].Outcome = "left"
		}
	}
	x.answered[c.ID] = true
	x.placed[c.ID] = len(x.res.Queued)
	x.res.Queued = append(x.res.Queued, Placed{
		At: x.offset(), Queue: e.Queue, Name: e.QueueName, Agent: e.Agent, Priority: e.Priority, Outcome: outcomeWaiting,
	})
	x.line(LogCommand, fmt.Sprintf("queues in %s, priority %d", or(e.QueueName, e.Queue, e.Agent), e.Priority))
	q := x.queueFor(e)
	if q.Full || q.Fail != "" {
		ev := flow.Event{Kind: flow.EvQueueFailed, Command: c.ID, Error: or(q.Fail, "the queue is full")}
		if q.Full {
			ev.Outcome = "capacity"
		}
		x.at(serverDelay, ev, condition{placement: c.ID})
		return
	}
	here := condition{placement: c.ID}
	x.at(0, flow.Event{Kind: flow.EvQueued, Command: c.ID}, here)
	if q.HangUp != nil {
		x.do(span(*q.HangUp), func() { x.endCall(byCaller, "abandoned") }, here)
	}
	if q.NoAnswer {
		if q.HangUp == nil {
			x.do(pick(span(x.sc.Patience), defaultPatience), func() { x.endCall(byCaller, "abandoned") }, here)
		}
		return
	}
	x.offers(q, e, here)
}

// offers plans the offers to agents: those that come to nothing, and the one that is answered.
func (x *run) offers(q Queueing, e *flow.Enqueue, here condition) {
	agent := flow.Agent{
		ID: or(q.Agent.ID, "agent-1"), Name: or(q.Agent.Name, "Test Agent"), DN: or(q.Agent.DN, "1001"),
		Email: or(q.Agent.Email, "agent@example.com"), Team: or(q.Agent.Team, "Test Team"),
	}
	switch {
	case e.Agent == "" || q.Agent.ID != "" || q.Agent.Email != "":
	case e.AgentBy == "email":
		agent.Email = e.Agent
	default:
		agent.ID = e.Agent
	}
	answer, ring := defaultAnswer, defaultRing
	if q.Answer != nil {
		answer = span(*q.Answer)
	}
	if q.Ring != nil {
		ring = span(*q.Ring)
	}
	ring = min(ring, answer)
	begin := answer - ring
	for i := range min(q.Unanswered, 100) {
		at := begin * time.Duration(i) / time.Duration(q.Unanswered+1)
		x.at(at, flow.Event{Kind: flow.EvAgentOffered, Agent: &agent}, here)
		x.at(at, flow.Event{Kind: flow.EvAgentNoAnswer, Agent: &agent}, here)
	}
	x.at(begin, flow.Event{Kind: flow.EvAgentOffered, Agent: &agent}, here)
	x.at(answer, flow.Event{Kind: flow.EvAgentAnswered, Agent: &agent}, here)
}

// queueFor chooses what happens in a queue: the first unused entry that matches, else the last that matches.
func (x *run) queueFor(e *flow.Enqueue) Queueing {
	last := -1
	for i, q := range x.sc.Queue {
		if !anyGlob(q.Queue, e.QueueName, e.Queue, e.Agent) {
			continue
		}
		if last = i; !x.queued[i] {
			x.queued[i] = true
			break
		}
	}
	if last < 0 {
		return Queueing{}
	}
	return x.sc.Queue[last]
}

// transfer sends the caller away. A bridged transfer comes back.
func (x *run) transfer(c flow.Command) {
	t := c.Transfer
	x.line(LogCommand, "transfers to "+t.Number)
	def := Reply{Outcome: "ok", After: Duration(connectDelay)}
	if t.Bridged {
		def.After = Duration(defaultTalk)
	}
	x.reply(c.ID, "transfer", []string{t.Number}, def)
}

// ask answers what a flow asks about the installation.
func (x *run) ask(c flow.Command) {
	a := c.Ask
	x.line(LogCommand, "asks "+a.What+" "+or(a.Name, a.Ref))
	def := Reply{Outcome: "ok"}
	switch a.What {
	case flow.AskHours:
		def.Outcome = "work"
	case flow.AskQueueInfo:
		def.Outcome = "insufficient"
		def.Fields = map[string]any{
			"PIQ": int64(1), "EWT": int64(-1), "CallsQueuedNow": int64(0), "OldestCallTime": int64(0),
			"LoggedOnAgentsAll": int64(1), "LoggedOnAgentsCurrent": int64(1), "AvailableAgents": int64(1),
		}
	case flow.AskRecordMessage:
		def.After, def.Fields = Duration(messageTime), map[string]any{"recordingId": "message", "durationMS": messageTime.Milliseconds()}
	case flow.AskView, flow.AskTask, flow.AskStream: // as in a hub, which has none of it
		def = Reply{Outcome: "failed", Error: "the script has no answer to " + a.What}
	case flow.AskTreatment:
		def.After = Duration(musicClip)
	case flow.AskBot:
		def.Outcome = "ended"
		if x.watch != nil {
			def.Fields = x.watch.utterance()
		}
	}
	x.replyWithin(c.ID, a.What, []string{a.Name, a.Ref}, def, time.Duration(a.TimeoutMS)*time.Millisecond)
}

// reply answers a question by the script, or as def says.
func (x *run) reply(id flow.CommandID, to string, refs []string, def Reply) {
	x.replyWithin(id, to, refs, def, 0)
}

// replyWithin does so within a time; 0 is without limit.
func (x *run) replyWithin(id flow.CommandID, to string, refs []string, def Reply, limit time.Duration) {
	r := def
	for i, s := range x.sc.Answers {
		if s.Times > 0 && x.replied[i] >= s.Times || s.To != "" && s.To != to || !anyGlob(s.Ref, refs...) {
			continue
		}
		x.replied[i]++
		if s.Outcome == "" && s.Error == "" {
			s.Outcome = def.Outcome
		}
		if s.Outcome == "" {
			s.Outcome = "failed"
		}
		r = s
		break
	}
	ev := flow.Event{Kind: flow.EvAnswer, Outcome: r.Outcome, Error: r.Error, Fields: r.Fields}
	after := pick(span(r.After), serverDelay)
	if limit > 0 && after > limit {
		after, ev.Outcome, ev.Error = limit, "failed", fmt.Sprintf("no answer within %s", limit)
	}
	x.answer(id, after, ev)
}

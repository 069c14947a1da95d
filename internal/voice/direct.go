package voice

import (
	"strconv"
	"time"

	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/routing"
)

// enqueueAgent lets the contact wait for one agent, named by id, login or e-mail address. The queue, if one is named, is whose rules
// and figures count; the fallback is where the contact goes when the agent does not take it.
func (k *call) enqueueAgent(id flow.CommandID, q flow.Enqueue) {
	now := k.now()
	var agent routing.Agent
	var queue routing.Queue
	err := k.c.Router.Try(func(e *routing.Engine, now time.Time) ([]routing.Action, error) {
		var ok bool
		if agent, ok = e.Find(q.Agent); !ok {
			return nil, errs.New(errs.NotFound, "there is no agent %q", q.Agent)
		}
		queue, _ = findQueue(e, flow.Enqueue{Queue: q.Queue, QueueName: q.QueueName})
		recovery, _ := findQueue(e, flow.Enqueue{Queue: q.Fallback})
		acts := e.Remove(k.ct.ID, now)
		more, err := e.Enqueue(routing.Item{
			ContactID: k.ct.ID, QueueID: queue.ID, Priority: q.Priority, At: now, Older: seconds(q.AgeAdjustSeconds),
			Only: agent.ID, Park: q.Park, Recovery: recovery.ID,
		}, now)
		return append(acts, more...), err
	})
	if err != nil {
		k.cancel[id] = func() {}
		k.ct.Note(now, "error", "The call could not be queued to one agent", errs.Message(err))
		k.post(func() { k.result(id, flow.Event{Kind: flow.EvQueueFailed, Error: errs.Message(err)}) })
		return
	}
	k.cancel[id] = func() {
		k.c.Router.With(func(e *routing.Engine, now time.Time) []routing.Action { return e.Remove(k.ct.ID, now) })
	}
	k.ct.QueueID, k.ct.QueueName, k.ct.Priority, k.ct.QueuedAt = queue.ID, queue.Name, q.Priority, now
	k.ct.SetState(contact.Queued, now)
	k.ct.Note(now, "queued", "Waiting for "+agent.Name, "priority "+strconv.Itoa(q.Priority))
	k.emit("contact.queued", map[string]string{"queue": queue.ID, "agent": agent.ID})
}

// recovered notes that the contact waits in its recovery queue now.
func (k *call) recovered(a routing.Action) {
	if k.ct.State != contact.Queued && k.ct.State != contact.Ringing {
		return
	}
	k.ct.QueueID, k.ct.QueueName = a.QueueID, a.QueueID
	k.c.Router.With(func(e *routing.Engine, _ time.Time) []routing.Action {
		for _, q := range e.Queues() {
			if q.ID == a.QueueID {
				k.ct.QueueName = q.Name
			}
		}
		return nil
	})
	k.ct.Note(k.now(), "queued", "Waiting in "+k.ct.QueueName, "the agent did not take the contact")
	k.emit("contact.queued", map[string]string{"queue": a.QueueID})
	k.save()
}

package voice

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"time"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/routing"
	"github.com/tandemcc/tandem/internal/work"
)

// setEnd notes why the call ends; the first reason stays.
func (k *call) setEnd(r contact.EndReason) {
	if k.ct.EndReason == "" {
		k.ct.EndReason = r
	}
}

// agentEnds is the agent's hang-up. When the flow goes on with the caller after it (a survey), the caller stays; else the
// call ends.
func (k *call) agentEnds() {
	k.leaveAgent()
	k.ct.SetState(contact.InFlow, k.now())
	k.byAgent = true // a flow that has nothing more to say hangs up because the agent did
	k.step(flow.Event{Kind: flow.EvAgentDisconnected, Agent: k.flowAgent()})
	k.byAgent = false
	k.hangUpIfIdle() // the leg's end does the rest
}

// leaveAgent takes the agent's audio away and starts their wrap-up.
func (k *call) leaveAgent() {
	if k.agentDone {
		return
	}
	k.noteLegs()
	k.stopRecording()
	k.split()
	if k.agentLeg != nil {
		leg := k.agentLeg
		k.agentLeg = nil
		leg.Hangup("call ended")
	}
	k.c.Router.With(func(e *routing.Engine, now time.Time) []routing.Action {
		acts := e.Hangup(k.ct.AgentID, k.ct.ID, now)
		a, _ := e.Agent(k.ct.AgentID)
		k.agentDone = a.State != routing.WrapUp || a.ContactID != k.ct.ID
		k.ct.WrapUpUntil = a.Until
		return acts
	})
	if k.agentDone {
		k.ct.WrapUpUntil = time.Time{}
	}
}

// noteLegs keeps the audio quality of both ends, as long as they can be asked.
func (k *call) noteLegs() {
	noted := slices.ContainsFunc(k.ct.Legs, func(l contact.Leg) bool { return l.Kind == "customer" })
	if k.leg == nil || noted || k.isCallback() {
		return
	}
	k.ct.Legs = append(k.ct.Legs, legRecord("customer", k.leg.Info().RemoteAddr.String(), k.leg.Media().Stats()))
	if k.ct.AnsweredAt.IsZero() {
		return
	}
	if m := k.currentMedia(); m != nil {
		k.ct.Legs = append(k.ct.Legs, legRecord("agent", k.ct.AgentID, m.Stats()))
	}
}

func legRecord(kind, address string, s MediaStats) contact.Leg {
	return contact.Leg{
		Kind: kind, Address: address, PacketsReceived: s.Received, PacketsLost: s.Lost,
		JitterMS: float64(s.Jitter.Microseconds()) / 1000,
	}
}

// legEnded is the end of the caller's leg, whoever hung up.
func (k *call) legEnded(ev LegEvent) {
	if k.legOver {
		return
	}
	now := k.now()
	k.noteLegs()
	k.legOver = true
	k.dropTransfer()
	k.stopRecording()
	k.dropMessage()
	k.endGather()
	if ev.End == EndRemote && k.ct.EndReason == contact.ByFlow {
		k.ct.EndReason = "" // the flow wanted to, but the caller was first
	}
	k.setEnd(k.endReason(ev))
	k.ct.EndedAt = now
	k.ct.Note(now, "ended", endText[k.ct.EndReason], ev.Reason)
	k.emit("contact.ended", map[string]string{"reason": string(k.ct.EndReason)})
	if k.ct.State == contact.Queued || k.ct.State == contact.Ringing {
		if k.agentLeg != nil {
			k.agentLeg.Hangup("caller has gone")
			k.agentLeg = nil
		}
		k.c.Router.With(func(e *routing.Engine, now time.Time) []routing.Action { return e.Remove(k.ct.ID, now) })
		k.ct.AgentID, k.ct.AgentName, k.ringUntil = "", "", time.Time{}
	}
	k.leaveAgent()
	k.step(flow.Event{Kind: flow.EvHungUp, Reason: string(k.ct.EndReason)})
	k.afterEnd()
}

var endText = map[contact.EndReason]string{
	contact.ByCustomer: "The caller hung up",
	contact.ByAgent:    "The agent ended the call",
	contact.ByFlow:     "The flow ended the call",
	contact.Abandoned:  "The caller gave up waiting",
	contact.ByError:    "The connection failed",
	contact.ByRestart:  "The hub was restarted during the call",
	contact.Rejected:   "The call was not answered",

	contact.ByTransfer:  "The number the caller was transferred to hung up",
	contact.Unreachable: "The customer could not be called back",
}

func (k *call) endReason(ev LegEvent) contact.EndReason {
	switch ev.End {
	case EndRemote, EndCancelled, EndNoAck:
		if k.ct.State == contact.Queued || k.ct.State == contact.Ringing {
			return contact.Abandoned
		}
		return contact.ByCustomer
	case EndLocal:
		return contact.ByFlow
	case EndRejected, EndNoAnswer:
		return contact.Rejected
	case EndShutdown:
		return contact.ByRestart
	case EndError:
		return contact.ByError
	}
	return contact.ByError
}

// afterEnd closes the record, or waits for the agent's wrap-up.
func (k *call) afterEnd() {
	if !k.legOver {
		return
	}
	if k.agentDone {
		k.close()
		return
	}
	k.ct.SetState(contact.WrapUp, k.now())
	k.save()
	k.quit = k.stopping // the wrap-up goes on after the restart
}

func (k *call) wrapUpOver() {
	if k.ct.State == contact.WrapUp || !k.agentDone {
		k.finishWrapUp()
	}
}

// finishWrapUp frees the agent.
func (k *call) finishWrapUp() {
	k.agentDone = true
	k.c.Router.With(func(e *routing.Engine, now time.Time) []routing.Action { return e.Finish(k.ct.AgentID, k.ct.ID, now) })
	k.afterEnd()
}

// close ends the contact: its handlers run, what they write becomes jobs, and all of it is stored in one transaction.
func (k *call) close() {
	if k.closed {
		return
	}
	now := k.now()
	k.closed = true
	k.ct.ClosedAt, k.ct.WrapUpUntil = now, time.Time{}
	k.ct.SetState(contact.Ended, now)
	k.emit("contact.closed", map[string]string{"reason": string(k.ct.EndReason), "disposition": k.ct.DispositionID})
	k.audit = append(k.audit, work.Audit{
		Tenant: k.ct.Tenant, At: now, Principal: k.c.Principal.ARN, Action: "contact:Close",
		Resource: contact.ResourceARN(k.ct.Tenant, k.ct.ID), Outcome: "ok", Detail: k.closeDetail(),
	})
	if k.ct.EndReason == contact.Unreachable {
		k.step(callbackFailedEvent(k.ct))
	}
	k.step(contactEnded(k.ct))
	k.save()
	k.quit = len(k.events) == 0 // stored: the call is over
	if !k.quit {
		k.retryClose()
	}
}

// retryClose stores the record again until the store takes it; until then the call stays open and a restart finds it.
func (k *call) retryClose() {
	k.after(time.Second, func() {
		k.save()
		if k.quit = len(k.events) == 0; !k.quit {
			k.retryClose()
		}
	})
}

func (k *call) closeDetail() json.RawMessage {
	raw, err := json.Marshal(map[string]any{
		"reason": k.ct.EndReason, "queue": k.ct.QueueID, "agent": k.ct.AgentID, "seconds": int(k.ct.Duration().Seconds()),
	})
	if err != nil {
		k.log.ErrorContext(k.c.ctx, "encoding", slog.Any("error", err))
		return nil
	}
	return raw
}

// contactEnded is the flow's last event, with what its handler may read.
func contactEnded(ct *contact.Contact) flow.Event {
	return flow.Event{Kind: flow.EvContactEnded, Reason: string(ct.EndReason), Fields: map[string]any{
		"Disposition": ct.Disposition, "DispositionCode": ct.Disposition, "DispositionId": ct.DispositionID, "Notes": ct.Notes, "AgentName": ct.AgentName,
		"AgentId": ct.AgentID, "QueueName": ct.QueueName, "EndReason": string(ct.EndReason), "InteractionId": ct.ID,
		"DurationSeconds": int64(ct.Duration().Seconds()), "TalkSeconds": int64(ct.Talk().Seconds()), "WaitSeconds": int64(ct.Wait().Seconds()),
	}}
}

// shutdown is the hub's stop under the call: the caller is told by the phone, the record stays open for the next start.
func (k *call) shutdown() {
	k.stopping = true
	if k.isCallback() {
		if k.dialing != nil {
			k.stopDialing("the hub stops")
		}
		k.suspend()
		k.quit = true
		return
	}
	if k.leg != nil && !k.legOver {
		k.setEnd(contact.ByRestart)
		k.leg.Hangup("hub stops")
		return // legEnded closes the record, or leaves it in wrap-up
	}
	k.save()
	k.quit = true
}

// recover takes up the contacts this node held: a call whose hub died has ended; an agent in wrap-up goes on with it.
func (c *Conductor) recover(ctx context.Context) error {
	refs, err := c.Contacts.Open(ctx, c.Node)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if err := c.takeUp(caller.With(ctx, c.Principal), ref.Name, ref.ID); err != nil {
			c.Log.ErrorContext(ctx, "taking up a contact", slog.String("contact", ref.ID), slog.Any("error", err))
		}
	}
	return nil
}

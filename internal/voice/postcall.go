package voice

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/routing"
)

// takeUp restores one contact after a restart of its node.
func (c *Conductor) takeUp(ctx context.Context, tenant, id string) error {
	ct, raw, err := c.Contacts.Resume(ctx, tenant, id)
	if err != nil {
		return err
	}
	k := c.newCall(ct)
	k.legOver = true
	if err := k.restore(ctx, raw); err != nil {
		return err
	}
	if !c.register(k) {
		return nil
	}
	go k.run()
	k.post(func() { k.resume() })
	return nil
}

func (k *call) restore(ctx context.Context, raw []byte) error {
	if len(raw) == 0 {
		return nil // killed before the flow's first wait
	}
	prog, err := k.c.Flows.Program(ctx, k.ct.Tenant, k.ct.FlowID, k.ct.FlowVersion, k.ct.FlowPins)
	if err != nil {
		return fmt.Errorf("finding the flow: %w", err)
	}
	k.prog = prog
	k.sess, err = flow.Restore(raw)
	return err
}

// resume ends the call the hub died under, and gives the agent back their wrap-up.
func (k *call) resume() {
	if callbackPending(k.ct) {
		k.resumeCallback()
		return
	}
	now := k.now()
	k.endRecordings()
	for _, cmd := range k.outstandingOf() {
		k.cancel[cmd.ID] = func() {}
	}
	if k.ct.EndedAt.IsZero() {
		k.setEnd(contact.ByRestart)
		k.ct.EndedAt = latest(k.ct.StateAt, k.c.LastAlive)
		k.ct.Note(now, "ended", endText[contact.ByRestart], "")
		k.emit("contact.ended", map[string]string{"reason": string(k.ct.EndReason)})
		k.step(flow.Event{Kind: flow.EvHungUp, Reason: string(k.ct.EndReason)})
	}
	if !k.ct.AnsweredAt.IsZero() && k.ct.AgentID != "" {
		until := k.ct.WrapUpUntil
		k.c.Router.With(func(e *routing.Engine, now time.Time) []routing.Action {
			if until.IsZero() {
				until = now.Add(wrapUpOf(e, k.ct.QueueID))
			}
			acts := e.Resume(k.ct.AgentID, k.ct.ID, k.ct.QueueID, until, now)
			a, _ := e.Agent(k.ct.AgentID)
			k.agentDone = a.ContactID != k.ct.ID
			return acts
		})
		k.ct.WrapUpUntil = until
	} else {
		k.ct.AgentID, k.ct.AgentName = "", ""
	}
	k.afterEnd()
}

// endRecordings notes when the recordings have ended that the hub died under.
func (k *call) endRecordings() {
	if k.ct.AnsweredAt.IsZero() {
		return
	}
	if err := k.c.Contacts.EndRecordings(k.c.ctx, k.ct.Tenant, k.ct.ID, latest(k.ct.AnsweredAt, k.c.LastAlive)); err != nil {
		k.log.WarnContext(k.c.ctx, "ending recordings", slog.Any("error", err))
	}
}

func (k *call) outstandingOf() []flow.Command {
	if k.sess == nil {
		return nil
	}
	return k.sess.Outstanding()
}

func wrapUpOf(e *routing.Engine, queueID string) time.Duration {
	for _, q := range e.Queues() {
		if q.ID == queueID && q.WrapUp > 0 {
			return q.WrapUp
		}
	}
	return time.Minute
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// WriteBack runs one write-back job: the request is made, its answer goes to the flow, and what the flow asks for next
// becomes the next job in the same transaction. A request without an answer, or answered 401, 429 or 5xx, is tried again with
// back-off; a request that keeps failing leaves the flow by its error exit and the record says so. Delivery is as exact as the
// other side allows; the record of the attempt says how exact that is.
func (c *Conductor) WriteBack(ctx context.Context, j job.Job) error {
	ctx = caller.With(ctx, c.Principal)
	var p jobPayload
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return job.Discard(errs.Wrap(errs.Invalid, err, "the job's payload cannot be read"))
	}
	ct, raw, err := c.Contacts.Resume(ctx, j.Tenant, p.ContactID)
	if errs.Is(err, errs.NotFound) {
		return job.Discard(err)
	}
	if err != nil {
		return err
	}
	k := c.newCall(ct)
	if err := k.restore(ctx, raw); err != nil {
		return err
	}
	if k.sess == nil || !waits(k.sess, p.Command.ID) {
		return nil // done before a crash
	}
	k.closed, k.legOver = true, true
	ev, err := c.carryOut(ctx, j, k, p.Command)
	if err != nil {
		return err
	}
	ev.Command, ev.At, ev.Seed = p.Command.ID, c.Clock.Now(), rand.Uint64()
	out, err := flow.Step(k.prog, k.sess, ev)
	if err != nil {
		return job.Discard(errs.Wrap(errs.Invalid, err, "the flow cannot take the answer"))
	}
	return k.storeWriteBack(ctx, out)
}

func waits(s *flow.Session, id flow.CommandID) bool {
	for _, cmd := range s.Outstanding() {
		if cmd.ID == id {
			return true
		}
	}
	return false
}

// carryOut makes the job's request and notes the attempt; an error means: again later.
func (c *Conductor) carryOut(ctx context.Context, j job.Job, k *call, cmd flow.Command) (flow.Event, error) {
	switch {
	case cmd.Ask != nil:
		return c.askAfter(ctx, j, k, *cmd.Ask)
	case cmd.HTTP == nil:
		return flow.Event{Kind: flow.EvTimerFired}, nil
	}
	req := *cmd.HTTP
	req.Retries = 0 // the job retries
	res, progress, err := c.Dips.Deliver(ctx, j.Tenant, req, Write{
		Key: j.ID, Progress: j.Progress,
		Keep: func(ctx context.Context, p job.Progress) error { return c.Jobs.Progress(ctx, j.Node, j.ID, p) },
	})
	status, problem := 0, ""
	if err != nil {
		problem = errs.Message(err)
	} else if status = res.Status; status >= 400 {
		problem = fmt.Sprintf("the other side answered %d", status)
	}
	note := k.attempt(j.ID)
	note.Status, note.Attempts, note.LastError, note.At = status, j.Attempt, problem, c.Clock.Now()
	note.Delivery, note.How, note.Marker, note.Stage = string(progress.Delivery), progress.How, progress.Marker, string(progress.Stage)
	_, snoozed := job.Snoozed(err)
	if snoozed {
		note.Attempts-- // nothing was tried
	}
	if snoozed || again(err, status) && j.Attempt < j.MaxAttempts {
		if err == nil {
			err = errs.New(errs.Unavailable, "%s", problem)
		}
		return flow.Event{}, c.later(ctx, k, err)
	}
	ev := flow.Event{Kind: flow.EvHTTPResult, HTTP: res}
	if err != nil {
		ev.Error = problem
	}
	return ev, nil
}

// later keeps what is noted of an attempt and returns why there will be another.
func (c *Conductor) later(ctx context.Context, k *call, why error) error {
	if err := c.Contacts.Save(ctx, contact.Change{Contact: k.ct}); err != nil {
		return err
	}
	return why
}

// again says whether a request may be answered well later.
func again(err error, status int) bool {
	if err != nil {
		return !errs.Is(err, errs.Invalid) && !errs.Is(err, errs.Denied)
	}
	return status == 401 || status == 408 || status == 429 || status >= 500
}

func (k *call) attempt(jobID string) *contact.WriteBackAttempt {
	for i := range k.ct.WriteBacks {
		if k.ct.WriteBacks[i].JobID == jobID {
			return &k.ct.WriteBacks[i]
		}
	}
	k.ct.WriteBacks = append(k.ct.WriteBacks, contact.WriteBackAttempt{JobID: jobID})
	return &k.ct.WriteBacks[len(k.ct.WriteBacks)-1]
}

func (k *call) storeWriteBack(ctx context.Context, out flow.Output) error {
	for _, cmd := range out.Commands {
		switch cmd.Kind { //nolint:exhaustive // after the call nothing else has an effect
		case flow.CmdHTTP, flow.CmdTimer, flow.CmdAsk:
			k.do(cmd)
		case flow.CmdSetCAD:
			k.setCAD(cmd.SetCAD)
		}
	}
	if len(k.jobs) == 0 && len(k.ct.WriteBacks) > 0 {
		k.ct.WriteBack = outcome(k.ct.WriteBacks)
		k.emit("contact.writtenBack", map[string]string{"status": string(k.ct.WriteBack)})
	}
	raw, err := k.sess.JSON()
	if err != nil {
		return fmt.Errorf("encoding the session: %w", err)
	}
	return k.c.Contacts.Save(ctx, contact.Change{
		Contact: k.ct, Session: raw, Trace: traceJSON(out.Trace), Events: k.events, Jobs: k.jobs,
	})
}

// outcome is the write-back's as a whole: one request that failed for good is a failure.
func outcome(list []contact.WriteBackAttempt) contact.WriteBack {
	for _, a := range list {
		if a.LastError != "" {
			return contact.WriteBackFailed
		}
	}
	return contact.WriteBackDone
}

package voice

import (
	"context"
	"strconv"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/routing"
)

// Hours is what hours of operation say of a moment.
type Hours struct {
	// Outcome is one of work, holiday, override and closed; Open says whether it is a time of work, which an override may be.
	Outcome string
	Open    bool
	Name    string // of the hours of operation, and of the holiday or override
}

// Outside answers what flows ask about the installation. It is safe for concurrent use.
type Outside interface {
	// Hours returns what the hours of operation say that a flow asks for, by id, by name, or as that of a queue; errs.Invalid when
	// there is none.
	Hours(ctx context.Context, tenant string, a flow.Ask, at time.Time) (Hours, error)
	// Call runs the function that a flow names and returns the fields of its answer. Its error means that there is none: the
	// function is not set up, failed, took too long or did not answer with a JSON object.
	Call(ctx context.Context, tenant string, a flow.Ask) (map[string]any, error)
}

// slack is what a function's own time limit is given for the way there and back.
const slack = 500 * time.Millisecond

// askOutside answers what a flow asks about the installation: in the call, or, when the call is over, by a durable job.
func (k *call) askOutside(cmd flow.Command) {
	if k.askLine(cmd) {
		return
	}
	if k.closed {
		k.jobs = append(k.jobs, k.c.writeBackJob(k.ct, cmd, k.now()))
		return
	}
	a, tenant, at := *cmd.Ask, k.ct.Tenant, k.now()
	switch {
	case a.What == flow.AskFunction && a.Async: // it runs on when the call is over, within its time
		go func() {
			ctx, cancel := context.WithTimeout(k.c.ctx, functionLimit(a))
			defer cancel()
			if _, err := k.c.Outside.Call(ctx, tenant, a); err != nil {
				k.post(func() { k.ct.Note(k.now(), "error", "A function failed", errs.Message(err)) })
			}
		}()
		k.answerLater(cmd.ID, flow.Event{Kind: flow.EvAnswer, Outcome: "ok"})
	case a.What == flow.AskFunction, a.What == flow.AskHours:
		k.outstanding(cmd.ID, functionLimit(a), func(ctx context.Context) flow.Event {
			return answerOf(k.c.answer(ctx, tenant, a, at))
		})
	case a.What == flow.AskQueueInfo:
		k.answerNow(cmd.ID, answerOf(k.c.askQueue(k.ct.ID, a)))
	default:
		k.answerNow(cmd.ID, answerOf(k.c.answer(k.c.ctx, tenant, a, at)))
	}
}

// functionLimit is how long an answer is waited for.
func functionLimit(a flow.Ask) time.Duration {
	if a.TimeoutMS <= 0 {
		return 10 * time.Second
	}
	return time.Duration(a.TimeoutMS)*time.Millisecond + slack
}

// answer finds what a flow asks for, wherever the call is.
func (c *Conductor) answer(ctx context.Context, tenant string, a flow.Ask, at time.Time) (flow.Event, error) {
	name := strconv.Quote(firstOf(a.Name, a.Ref))
	ev := flow.Event{Kind: flow.EvAnswer, Outcome: "ok"}
	switch a.What {
	case flow.AskHours:
		h, err := c.Outside.Hours(ctx, tenant, a, at)
		ev.Outcome, ev.Fields = h.Outcome, map[string]any{"open": h.Open, "name": h.Name}
		return ev, err
	case flow.AskFunction:
		fields, err := c.Outside.Call(ctx, tenant, a)
		ev.Fields = fields
		return ev, err
	case flow.AskSub:
		return ev, errs.New(errs.Invalid, "the flow %s was not bound and published when the call began", name)
	case flow.AskTreatment:
		return ev, errs.New(errs.Invalid, "the flow %s for waiting callers was not bound and published when the call began", name)
	case flow.AskBot:
		return ev, errs.New(errs.Invalid, "no dialogue platform is connected to this installation, so %s cannot speak", name)
	case flow.AskView:
		return ev, errs.New(errs.Invalid, "agents' desks of this installation show no pages of flows, so %s cannot be shown", name)
	case flow.AskTask:
		return ev, errs.New(errs.Invalid, "this installation has no tasks, so none can be made for the flow %s", name)
	case flow.AskStream:
		return ev, errs.New(errs.Invalid, "this installation sends the audio of calls to no other system")
	case flow.AskSendDigits, flow.AskRecordMessage:
		return ev, errGoneCaller
	}
	return ev, errs.New(errs.Invalid, "this installation cannot answer %s", a.What)
}

// answerOf is what the flow hears: the answer, or why there is none.
func answerOf(ev flow.Event, err error) flow.Event {
	if err != nil {
		return flow.Event{Kind: flow.EvAnswer, Outcome: "failed", Error: errs.Message(err)}
	}
	return ev
}

// answerNow gives an answer that is there already; one that failed is in the contact's timeline too.
func (k *call) answerNow(id flow.CommandID, ev flow.Event) {
	if ev.Error != "" {
		k.unavailable(id, ev.Outcome, ev.Error)
		return
	}
	k.answerLater(id, ev)
}

// unavailable answers a command that this installation cannot carry out: the flow takes its error exit, visibly.
func (k *call) unavailable(id flow.CommandID, outcome, why string) {
	k.ct.Note(k.now(), "error", "Not available", why)
	k.answerLater(id, flow.Event{Kind: flow.EvAnswer, Outcome: outcome, Error: why})
}

// answerLater gives a result once the step that asked is over.
func (k *call) answerLater(id flow.CommandID, ev flow.Event) {
	k.cancel[id] = func() {}
	k.post(func() { k.result(id, ev) })
}

// askAfter answers a flow whose call is over. A function that cannot be reached is tried again, as a write-back is.
func (c *Conductor) askAfter(ctx context.Context, j job.Job, k *call, a flow.Ask) (flow.Event, error) {
	if a.What == flow.AskQueueInfo {
		return answerOf(c.askQueue(k.ct.ID, a)), nil
	}
	bounded, cancel := context.WithTimeout(ctx, functionLimit(a))
	defer cancel()
	ev, err := c.answer(bounded, j.Tenant, a, c.Clock.Now())
	if a.What != flow.AskFunction {
		return answerOf(ev, err), nil
	}
	note := k.attempt(j.ID)
	note.Attempts, note.LastError, note.At = j.Attempt, "", c.Clock.Now()
	if err != nil {
		note.LastError = errs.Message(err)
	}
	again := errs.Is(err, errs.Unavailable) || errs.Is(err, errs.Exhausted)
	if !again || j.Attempt >= j.MaxAttempts {
		return answerOf(ev, err), nil
	}
	// A job's error stands in clear, and what a function complains of may name a person: that is in the contact's record.
	return flow.Event{}, c.later(ctx, k, errs.New(errs.Unavailable, "the function did not answer; see the contact's record"))
}

// defaultLookback is how far back the estimated wait looks when a flow does not say (Webex, "Get Queue Info").
const defaultLookback = 30 * time.Minute

// askQueue answers with a queue's figures of this moment.
func (c *Conductor) askQueue(contactID string, a flow.Ask) (flow.Event, error) {
	lookback := defaultLookback
	if n, err := strconv.ParseFloat(a.Params["lookbackMinutes"], 64); err == nil && n > 0 {
		lookback = time.Duration(min(max(n, 5), 240) * float64(time.Minute))
	}
	var info routing.Info
	found := false
	c.Router.With(func(e *routing.Engine, now time.Time) []routing.Action {
		if q, ok := findQueue(e, flow.Enqueue{Queue: a.Ref, QueueName: a.Name}); ok {
			info, found = e.Info(q, contactID, lookback, now), true
		}
		return nil
	})
	if !found {
		return flow.Event{}, errs.New(errs.NotFound, "there is no queue %q", firstOf(a.Name, a.Ref))
	}
	ev := flow.Event{Kind: flow.EvAnswer, Outcome: "ok", Fields: queueFields(info)}
	if info.EWT < 0 {
		ev.Outcome = "insufficient"
	}
	return ev, nil
}

// queueFields are a queue's figures by the names that flows read.
func queueFields(i routing.Info) map[string]any {
	ewt := int64(-1)
	if i.EWT >= 0 {
		ewt = i.EWT.Milliseconds()
	}
	return map[string]any{
		"PIQ": int64(i.Position), "EWT": ewt, "CallsQueuedNow": int64(i.Waiting), "OldestCallTime": i.Oldest.Milliseconds(),
		"LoggedOnAgentsAll": int64(i.Online), "LoggedOnAgentsCurrent": int64(i.Online), "AvailableAgents": int64(i.Available),
		"StaffedAgents": int64(i.Staffed), "BusyAgents": int64(i.Busy), "AfterContactWorkAgents": int64(i.AfterWork),
		"MissedAgents": int64(i.Missed), "NonProductiveAgents": int64(i.NonProductive),
	}
}

// reorder changes the contact's place among those that wait.
func (k *call) reorder(cmd flow.Command) {
	if cmd.Priority > 0 {
		k.ct.Priority = cmd.Priority
	}
	if cb := k.ct.Callback; cb != nil && cmd.AgeAdjustSeconds != nil {
		cb.OlderSeconds = *cmd.AgeAdjustSeconds // for the next attempt too
	}
	k.c.Router.With(func(e *routing.Engine, _ time.Time) []routing.Action {
		if cmd.Priority > 0 {
			e.SetPriority(k.ct.ID, cmd.Priority)
		}
		if cmd.AgeAdjustSeconds != nil {
			e.SetOlder(k.ct.ID, seconds(*cmd.AgeAdjustSeconds))
		}
		return nil
	})
}

// seconds is a time that flows give; what is beyond ten years counts as ten years.
func seconds(n int) time.Duration {
	const most = 10 * 365 * 86_400
	return time.Duration(min(max(n, -most), most)) * time.Second
}

package voice

import (
	"context"
	"strconv"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/routing"
)

// Hours is what a time table says of a moment.
type Hours struct {
	// Outcome is one of work, holiday, override and closed; Open says whether it is a time of work, which an override may be.
	Outcome string
	Open    bool
	Name    string // of the time table, and of the holiday or override
}

// Outside answers what flows ask about the installation. It is safe for concurrent use.
type Outside interface {
	// Hours returns what the time table says that a flow asks for, by id, by name, or as that of a queue; errs.Invalid when
	// there is none.
	Hours(ctx context.Context, tenant string, a flow.Ask, at time.Time) (Hours, error)
	// Call runs the function that a flow names and returns the fields of its answer. Its error means that there is none: the
	// function is not set up, failed, took too long or did not answer with a JSON object.
	Call(ctx context.Context, tenant string, a flow.Ask) (map[string]any, error)
}

// slack is what a function's own time limit is given for the way there and back.
const slack = 500 * time.Millisecond

// askOutside answers what a flow asks about the installation.
func (k *call) askOutside(id flow.CommandID, a flow.Ask) {
	name := strconv.Quote(firstOf(a.Name, a.Ref))
	switch a.What {
	case flow.AskQueueInfo:
		k.askQueue(id, a)
	case flow.AskHours:
		k.askHours(id, a)
	case flow.AskFunction:
		k.askFunction(id, a)
	case flow.AskSub:
		k.unavailable(id, "failed", "the flow "+name+" was not bound and published when the call began")
	case flow.AskTreatment:
		k.unavailable(id, "failed", "the flow "+name+" for waiting callers was not bound and published when the call began")
	case flow.AskBot:
		k.unavailable(id, "failed", "no dialogue platform is connected to this installation, so "+name+" cannot speak")
	default:
		k.unavailable(id, "failed", "this installation cannot answer "+a.What)
	}
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

func (k *call) askHours(id flow.CommandID, a flow.Ask) {
	at := k.now()
	k.outstanding(id, 10*time.Second, func(ctx context.Context) flow.Event {
		h, err := k.c.Outside.Hours(ctx, k.ct.Tenant, a, at)
		ev := flow.Event{Kind: flow.EvAnswer, Outcome: h.Outcome, Fields: map[string]any{"open": h.Open, "name": h.Name}}
		if err != nil {
			ev = flow.Event{Kind: flow.EvAnswer, Outcome: "failed", Error: errs.Message(err)}
		}
		return ev
	})
}

// askFunction calls a function. One that is not waited for runs on when the call is over, within its time.
func (k *call) askFunction(id flow.CommandID, a flow.Ask) {
	limit := time.Duration(a.TimeoutMS)*time.Millisecond + slack
	tenant := k.ct.Tenant
	if a.Async {
		go func() {
			ctx, cancel := context.WithTimeout(k.c.ctx, limit)
			defer cancel()
			if _, err := k.c.Outside.Call(ctx, tenant, a); err != nil {
				k.post(func() { k.ct.Note(k.now(), "error", "A function failed", errs.Message(err)) })
			}
		}()
		k.answerLater(id, flow.Event{Kind: flow.EvAnswer, Outcome: "ok"})
		return
	}
	k.outstanding(id, limit, func(ctx context.Context) flow.Event {
		fields, err := k.c.Outside.Call(ctx, tenant, a)
		if err != nil {
			return flow.Event{Kind: flow.EvAnswer, Outcome: "failed", Error: errs.Message(err)}
		}
		return flow.Event{Kind: flow.EvAnswer, Outcome: "ok", Fields: fields}
	})
}

// defaultLookback is how far back the estimated wait looks when a flow does not say (Webex, "Get Queue Info").
const defaultLookback = 30 * time.Minute

// askQueue answers with a queue's figures of this moment.
func (k *call) askQueue(id flow.CommandID, a flow.Ask) {
	lookback := defaultLookback
	if n, err := strconv.ParseFloat(a.Params["lookbackMinutes"], 64); err == nil && n > 0 {
		lookback = time.Duration(min(max(n, 5), 240) * float64(time.Minute))
	}
	var info routing.Info
	found := false
	k.c.Router.With(func(e *routing.Engine, now time.Time) []routing.Action {
		if q, ok := findQueue(e, flow.Enqueue{Queue: a.Ref, QueueName: a.Name}); ok {
			info, found = e.Info(q, k.ct.ID, lookback, now), true
		}
		return nil
	})
	if !found {
		k.unavailable(id, "failed", "there is no queue "+strconv.Quote(firstOf(a.Name, a.Ref)))
		return
	}
	ev := flow.Event{Kind: flow.EvAnswer, Outcome: "ok", Fields: queueFields(info)}
	if info.EWT < 0 {
		ev.Outcome = "insufficient"
	}
	k.answerLater(id, ev)
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

package voice

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"time"

	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/routing"
)

// speechLimit bounds how long a caller waits for a prompt to be spoken.
const speechLimit = 15 * time.Second

// do carries out one command of the flow. Results come back as posts.
func (k *call) do(cmd flow.Command) {
	switch cmd.Kind {
	case flow.CmdPlay:
		k.play(cmd)
	case flow.CmdMusic:
		k.music(cmd.ID, *cmd.Music)
	case flow.CmdGather:
		k.startGather(cmd.ID, *cmd.Gather)
	case flow.CmdHTTP:
		k.http(cmd)
	case flow.CmdEnqueue:
		k.enqueue(cmd.ID, *cmd.Enqueue)
	case flow.CmdTimer:
		k.timer(cmd)
	case flow.CmdTransfer:
		k.startTransfer(cmd.ID, *cmd.Transfer)
	case flow.CmdCallback:
		k.registerCallback(cmd.ID, *cmd.Callback)
	case flow.CmdAsk:
		k.askOutside(cmd)
	default:
		k.act(cmd)
	}
}

// act carries out a command that has no result.
func (k *call) act(cmd flow.Command) {
	switch cmd.Kind { //nolint:exhaustive // those with a result are done by do
	case flow.CmdScreenPop:
		p := *cmd.ScreenPop
		k.ct.ScreenPop = &contact.ScreenPop{URL: p.URL, Label: p.Label, Target: p.Target, At: k.now()}
		k.ct.Note(k.now(), "screenPop", "Screen pop: "+p.Label, p.URL)
		k.emit("contact.screenPopped", nil)
	case flow.CmdSetCAD:
		k.setCAD(cmd.SetCAD)
	case flow.CmdPriority:
		k.reorder(cmd)
	case flow.CmdHangup:
		k.hangUp()
	case flow.CmdGoto:
		k.goTo(*cmd.Goto)
	case flow.CmdCancel:
		if stop, ok := k.cancel[cmd.Cancel]; ok {
			delete(k.cancel, cmd.Cancel)
			stop()
		}
	case flow.CmdRecord:
		k.record(*cmd.Record)
	case flow.CmdEnded:
	}
}

// hangUp ends the call for the flow, or for the agent whose leaving the flow only follows.
func (k *call) hangUp() {
	if k.legOver {
		return
	}
	if k.byAgent {
		k.setEnd(contact.ByAgent)
	} else {
		k.setEnd(contact.ByFlow)
	}
	k.leg.Hangup("flow ended")
}

// result reports a command's result once; a cancelled command reports nothing.
func (k *call) result(id flow.CommandID, ev flow.Event) {
	if _, ok := k.cancel[id]; !ok {
		return
	}
	delete(k.cancel, id)
	ev.Command = id
	k.step(ev)
}

// outstanding runs work beside the call and posts its result, unless the command was cancelled.
func (k *call) outstanding(id flow.CommandID, limit time.Duration, work func(ctx context.Context) flow.Event) {
	ctx, cancel := context.WithTimeout(k.c.ctx, limit)
	k.cancel[id] = cancel
	go func() {
		defer cancel()
		ev := work(ctx)
		k.post(func() { k.result(id, ev) })
	}()
}

// sound makes a clip beside the call and plays it; then hears when it has ended.
func (k *call) sound(id flow.CommandID, produce func(ctx context.Context) ([]byte, error), then func(err error)) {
	ctx, cancel := context.WithTimeout(k.c.ctx, speechLimit)
	k.cancel[id] = cancel
	go func() {
		defer cancel()
		clip, err := produce(ctx)
		k.post(func() {
			if _, ok := k.cancel[id]; !ok {
				return
			}
			if err != nil || len(clip) == 0 {
				then(err)
				return
			}
			k.cancel[id] = k.leg.Media().Stop
			k.leg.Media().Play(clip, false, func(bool) { k.post(func() { then(nil) }) })
		})
	}()
}

func (k *call) play(cmd flow.Command) {
	id, p := cmd.ID, *cmd.Play
	text := promptText(p.Prompts)
	k.ct.Note(k.now(), "prompt", "Prompt", text)
	k.sound(id, func(ctx context.Context) ([]byte, error) {
		clip, err := k.c.Prompts.Clip(ctx, k.ct.Tenant, p.Prompts)
		if p.LimitMS > 0 {
			clip = clip[:min(len(clip), p.LimitMS*bytesPerMS)]
		}
		k.post(func() { k.silence(cmd, len(clip) == 0 && err == nil) })
		return clip, err
	}, func(err error) {
		if k.silent > 1 { // without a voice a flow that repeats its prompts would run in a circle
			round := silentRound
			if p.LimitMS > 0 {
				round = min(round, time.Duration(p.LimitMS)*time.Millisecond)
			}
			t := k.after(round, func() { k.result(id, promptDone(err)) })
			k.cancel[id] = func() { t.Stop() }
			return
		}
		k.result(id, promptDone(err))
	})
}

// silentRound is how long a prompt takes that is repeated and cannot be heard.
const silentRound = 5 * time.Second

// silence counts how often in a row one node has played nothing.
func (k *call) silence(cmd flow.Command, silent bool) {
	switch {
	case !silent:
		k.silent, k.silentNode = 0, ""
	case k.silentNode != cmd.Node:
		k.silent, k.silentNode = 1, cmd.Node
	default:
		k.silent++
	}
}

func promptDone(err error) flow.Event {
	ev := flow.Event{Kind: flow.EvPromptDone}
	if err != nil {
		ev.Error = errs.Message(err)
	}
	return ev
}

func promptText(prompts []flow.Prompt) string {
	var text string
	for _, p := range prompts {
		if text != "" {
			text += " "
		}
		if p.Kind == flow.PromptFile {
			text += "[" + p.File + "]"
		} else {
			text += p.Text
		}
	}
	return text
}

const bytesPerMS = 8 // µ-law at 8 kHz

func (k *call) music(id flow.CommandID, m flow.Music) {
	k.sound(id, func(ctx context.Context) ([]byte, error) {
		clip, err := k.c.Prompts.Music(ctx, k.ct.Tenant, m.File)
		if err != nil || len(clip) == 0 {
			return clip, err
		}
		start := (m.OffsetMS * bytesPerMS) % len(clip)
		clip = clip[max(start, 0):]
		if m.DurationMS > 0 {
			clip = clip[:min(len(clip), m.DurationMS*bytesPerMS)]
		}
		return clip, nil
	}, func(err error) { k.result(id, promptDone(err)) })
}

// http makes a dip in the call, or, when the call is over, a durable job: what is written back must arrive.
func (k *call) http(cmd flow.Command) {
	if k.closed {
		k.jobs = append(k.jobs, k.c.writeBackJob(k.ct, cmd, k.now()))
		return
	}
	req := *cmd.HTTP
	limit := time.Duration(max(req.TimeoutMS, 1000)*(req.Retries+1))*time.Millisecond + 5*time.Second
	k.outstanding(cmd.ID, limit, func(ctx context.Context) flow.Event {
		res, err := k.c.Dips.Do(ctx, k.ct.Tenant, req)
		ev := flow.Event{Kind: flow.EvHTTPResult, HTTP: res}
		if err != nil {
			ev.Error = errs.Message(err)
		}
		return ev
	})
}

func (k *call) enqueue(id flow.CommandID, q flow.Enqueue) {
	if q.Agent != "" {
		k.enqueueAgent(id, q)
		return
	}
	now := k.now()
	var queue routing.Queue
	err := k.c.Router.Try(func(e *routing.Engine, now time.Time) ([]routing.Action, error) {
		var ok bool
		if queue, ok = findQueue(e, q); !ok {
			return nil, errs.New(errs.NotFound, "there is no queue %q", q.QueueName)
		}
		acts := e.Remove(k.ct.ID, now)
		more, err := e.Enqueue(routing.Item{ContactID: k.ct.ID, QueueID: queue.ID, Priority: q.Priority, At: now, Older: seconds(q.AgeAdjustSeconds)}, now)
		return append(acts, more...), err
	})
	k.cancel[id] = func() {
		k.c.Router.With(func(e *routing.Engine, now time.Time) []routing.Action { return e.Remove(k.ct.ID, now) })
	}
	if err != nil {
		k.ct.Note(now, "error", "The call could not be queued", errs.Message(err))
		k.post(func() { k.result(id, flow.Event{Kind: flow.EvQueueFailed, Error: errs.Message(err)}) })
		return
	}
	k.ct.QueueID, k.ct.QueueName, k.ct.Priority, k.ct.QueuedAt = queue.ID, queue.Name, q.Priority, now
	k.ct.SetState(contact.Queued, now)
	k.ct.Note(now, "queued", "Waiting in "+queue.Name, "priority "+strconv.Itoa(q.Priority))
	k.emit("contact.queued", map[string]string{"queue": queue.ID})
}

// findQueue finds the queue by our id, then by name, then the fallback.
func findQueue(e *routing.Engine, q flow.Enqueue) (routing.Queue, bool) {
	for _, want := range []string{q.Queue, q.QueueName, q.Fallback} {
		for _, have := range e.Queues() {
			if want != "" && (have.ID == want || have.Name == want) {
				return have, true
			}
		}
	}
	return routing.Queue{}, false
}

func (k *call) timer(cmd flow.Command) {
	d := time.Duration(cmd.Timer.MS) * time.Millisecond
	if k.closed {
		j := k.c.writeBackJob(k.ct, cmd, k.now())
		j.RunAt = k.now().Add(d)
		k.jobs = append(k.jobs, j)
		return
	}
	t := k.after(d, func() { k.result(cmd.ID, flow.Event{Kind: flow.EvTimerFired}) })
	k.cancel[cmd.ID] = func() { t.Stop() }
}

func (k *call) setCAD(changed []flow.CADValue) {
	for _, v := range variables(changed) {
		found := false
		for i := range k.ct.Variables {
			if k.ct.Variables[i].Name == v.Name {
				k.ct.Variables[i], found = v, true
			}
		}
		if !found {
			k.ct.Variables = append(k.ct.Variables, v)
		}
	}
}

// jobPayload is what a write-back job carries.
type jobPayload struct {
	ContactID string       `json:"contactId"`
	Command   flow.Command `json:"command"`
}

// KindWriteBack is the kind of the jobs that carry a flow on after its call.
const KindWriteBack = "contact.writeBack"

// writeBackJob makes a command of a flow whose call is over durable. Jobs of one contact run in order, and so do those of all
// contacts that write the same record of the CRM.
func (c *Conductor) writeBackJob(ct *contact.Contact, cmd flow.Command, now time.Time) job.Job {
	payload, err := json.Marshal(jobPayload{ContactID: ct.ID, Command: cmd})
	if err != nil {
		c.Log.ErrorContext(c.ctx, "encoding a write-back", slog.Any("error", err)) // plain data always encodes
	}
	j := job.Job{
		ID: ids.New(), Tenant: ct.Tenant, Kind: KindWriteBack, OrderKey: "contact/" + ct.ID, Payload: payload, CreatedAt: now, RunAt: now,
	}
	if cmd.Ask != nil && cmd.Ask.What == flow.AskFunction {
		ct.WriteBack = contact.WriteBackPending
		ct.WriteBacks = append(ct.WriteBacks, contact.WriteBackAttempt{JobID: j.ID, Method: "INVOKE", Target: firstOf(cmd.Ask.Name, cmd.Ask.Ref), At: now})
	}
	if cmd.HTTP != nil {
		j.Connection, j.RecordKey = cmd.HTTP.Connector, c.Dips.RecordKey(*cmd.HTTP)
		ct.WriteBack = contact.WriteBackPending
		ct.WriteBacks = append(ct.WriteBacks, contact.WriteBackAttempt{JobID: j.ID, Method: cmd.HTTP.Method, Target: target(*cmd.HTTP), At: now})
	}
	return j
}

// target is where a request goes, without its query, which may hold personal data.
func target(h flow.HTTP) string {
	t := h.URL + h.Path
	for i := range t {
		if t[i] == '?' {
			return t[:i]
		}
	}
	return t
}

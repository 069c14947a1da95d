package flowtest

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/tandemcc/tandem/internal/flow"
)

// Defaults of a script.
const (
	defaultSteps    = 20_000
	defaultLoops    = 1_500
	defaultTime     = 7 * 24 * time.Hour
	defaultAnswer   = 5 * time.Second
	defaultRing     = 2 * time.Second
	defaultTalk     = 30 * time.Second
	defaultPatience = 5 * time.Minute
	defaultStay     = time.Hour
	defaultFrom     = "+14155550100"
	defaultTo       = "+18005550199"
	wrapUp          = time.Second
)

// firstCall is the moment of a call whose script says none: a Monday morning.
func firstCall() time.Time { return time.Date(2026, time.January, 5, 9, 0, 0, 0, time.UTC) }

// Runner runs one flow. It is immutable and safe for concurrent use.
type Runner struct {
	f      *flow.Flow
	p      *flow.Program
	secure map[string]bool
}

// New compiles a flow. The flow must not be changed afterwards. An error wraps flow.ErrInvalid.
func New(f *flow.Flow) (*Runner, error) {
	if f.Options.MaxSteps > defaultSteps { // a run has its own limit, and a step must not take for ever
		f = f.Clone()
		f.Options.MaxSteps = defaultSteps
	}
	p, err := flow.Compile(f)
	if err != nil {
		return nil, fmt.Errorf("compiling the flow: %w", err)
	}
	r := &Runner{f: f, p: p, secure: make(map[string]bool)}
	for _, v := range f.Vars {
		if v.Secure {
			r.secure[v.Name] = true
		}
	}
	return r, nil
}

// Flow is the flow that is run.
func (r *Runner) Flow() *flow.Flow { return r.f }

// Run plays one call through the flow. A nil script is the default. An error means that the call could not begin.
func (r *Runner) Run(s *Script) (*Result, error) { return r.run(context.Background(), s, nil) }

// RunContext is Run for a run that somebody waits for: once ctx is over it stops between two steps, as by a limit.
func (r *Runner) RunContext(ctx context.Context, s *Script) (*Result, error) {
	return r.run(ctx, s, nil)
}

func (r *Runner) run(ctx context.Context, s *Script, w *watcher) (*Result, error) {
	if s == nil {
		s = new(Script)
	}
	x := newRun(r, s, w)
	if w != nil {
		w.x = x
	}
	in := flow.Input{
		At: x.now, Seed: s.Seed, Vars: s.Vars,
		Contact: flow.Contact{
			ID: or(s.ID, "00000000-0000-4000-8000-000000000001"), ANI: or(s.From, defaultFrom), DNIS: or(s.To, defaultTo),
			EntryPointID: s.EntryPoint, EntryPointName: s.EntryPoint, Channel: or(s.Channel, "telephony"), Direction: "INBOUND",
			Language: s.Language, Headers: s.Headers,
		},
	}
	sess, out, err := flow.Start(r.p, in)
	if err != nil {
		return nil, fmt.Errorf("starting the flow: %w", err)
	}
	x.s = sess
	x.line(LogEvent, "call from "+in.Contact.ANI+" to "+in.Contact.DNIS)
	x.begin()
	x.take(out)
	if err := x.loop(ctx); err != nil {
		return nil, err
	}
	return x.finish(), nil
}

// run is one call at work.
type run struct {
	r     *Runner
	sc    *Script
	res   *Result
	s     *flow.Session
	watch *watcher // nil, or a test that reacts to what it sees

	now, began time.Time
	until      time.Time // when a caller who reaches no agent goes
	agenda     agenda
	answered   map[flow.CommandID]bool // a result is on its way
	visits     map[flow.NodeID]int
	vars       map[string]any // as last seen
	used       []bool         // of sc.Digits
	given      map[int]int    // how often sc.HTTP[i] was given
	replied    map[int]int    // how often sc.Answers[i] was
	queued     []bool         // of sc.Queue
	said       []string       // since the last entry
	ending     bool
	agentLeft  bool // the agent has left once: the next talk is ended by the caller
	placed     map[flow.CommandID]int
	agent      flow.Agent
	over       string // why to stop, if a limit says so
}

func newRun(r *Runner, s *Script, w *watcher) *run {
	at := s.At
	if at.IsZero() {
		at = firstCall()
	}
	return &run{
		r: r, sc: s, watch: w, now: at, began: at,
		res: &Result{
			Flow: r.f.Name, Trace: []Step{}, Prompts: []Spoken{}, Requests: []Request{}, Changes: []Change{}, Queued: []Placed{},
			Pops: []flow.ScreenPop{}, Shown: map[string]string{}, Vars: map[string]any{}, Commands: []flow.Command{},
		},
		answered: make(map[flow.CommandID]bool), visits: make(map[flow.NodeID]int), used: make([]bool, len(s.Digits)),
		given: make(map[int]int), replied: make(map[int]int), queued: make([]bool, len(s.Queue)), placed: make(map[flow.CommandID]int),
	}
}

// begin puts on the agenda what the script does by the clock.
func (x *run) begin() {
	for _, c := range x.sc.Events {
		x.at(span(c.After), flow.Event{Kind: flow.EvCustom, Name: flow.EventName(c.Name), Fields: c.Fields}, whenever)
	}
	if h := x.sc.HangUp; h != nil && h.Node == "" && h.Prompt == "" {
		x.do(span(h.After), func() { x.endCall(byCaller, "customer") }, whenever)
	}
	x.until = x.began.Add(pick(span(x.sc.Stay), defaultStay))
	if k := x.r.f.Kind; k == flow.KindQueue || k == flow.KindHold {
		x.accompany()
	}
}

// stays lets a caller who is not talking to an agent go after a while, before the next thing happens: nobody listens to
// announcements for ever. It reports whether he went.
func (x *run) stays() (gone bool) {
	next, ok := x.agenda.peek()
	if !ok || x.ending || !next.at.After(x.until) {
		return false
	}
	if x.s.Talking {
		x.until = next.at.Add(pick(span(x.sc.Stay), defaultStay))
		return false
	}
	x.now = x.until
	x.endCall(byCaller, "customer")
	return true
}

// accompany is the end of a flow that another one plays to a waiting contact: an agent answers, or the caller gives up.
func (x *run) accompany() {
	q := x.queueFor(&flow.Enqueue{})
	if q.NoAnswer || q.Full || q.Fail != "" || q.HangUp != nil {
		after := pick(span(x.sc.Patience), defaultPatience)
		if q.HangUp != nil {
			after = span(*q.HangUp)
		}
		x.do(after, func() { x.endCall(byCaller, "abandoned") }, whenever)
		return
	}
	x.offers(q, &flow.Enqueue{}, whenever)
}

// loop takes the call from event to event.
func (x *run) loop(ctx context.Context) error {
	limit := defaultTime
	if x.sc.Limits.Time > 0 {
		limit = span(x.sc.Limits.Time)
	}
	for !x.s.Over && x.over == "" {
		if ctx.Err() != nil {
			x.over = "the run took too long"
			break
		}
		if x.watch != nil && x.watch.done() {
			x.res.End = End{Reason: EndTest, Detail: "the test has ended"}
			return nil
		}
		if x.stays() {
			continue
		}
		e, ok := x.agenda.next()
		if !ok {
			if !x.idle() {
				x.res.End = End{Reason: EndStuck, By: x.res.End.By, Detail: "the flow waits for " + x.waitsFor()}
				return nil
			}
			continue
		}
		if e.at.Sub(x.began) > limit {
			x.now = x.began.Add(limit)
			x.over = fmt.Sprintf("the call lasted longer than %s", limit)
			break
		}
		x.now = e.at
		if !x.holds(e) {
			continue
		}
		if err := x.deliver(e); err != nil {
			return err
		}
	}
	if x.over != "" {
		x.res.End = End{Reason: EndBudget, By: x.res.End.By, Detail: x.over}
	}
	return nil
}

// deliver gives the flow an event, or does what the script says.
func (x *run) deliver(e *entry) error {
	if e.do != nil {
		e.do()
		return nil
	}
	ev := e.ev
	ev.At, ev.Seed = x.now, x.sc.Seed
	talked := x.s.Talking
	x.tell(ev)
	out, err := flow.Step(x.r.p, x.s, ev)
	if err != nil {
		return fmt.Errorf("stepping: %w", err)
	}
	if x.s.Talking && !talked {
		x.talk()
	}
	x.take(out)
	return nil
}

// tell logs an event that is not the mere result of a command.
func (x *run) tell(ev flow.Event) {
	text := ""
	switch ev.Kind {
	case flow.EvGathered:
		text = entered(ev)
	case flow.EvAgentOffered:
		text = "offered to " + ev.Agent.Name
	case flow.EvAgentAnswered:
		text = ev.Agent.Name + " answered"
		x.agent = *ev.Agent
		x.outcome(x.s.Placement, "answered")
	case flow.EvAgentNoAnswer:
		text = "no answer"
	case flow.EvAgentDisconnected:
		text = "the agent left"
	case flow.EvQueueFailed:
		text = "not queued: " + ev.Error
		x.outcome(ev.Command, "failed")
	case flow.EvHungUp:
		text = "the caller's line is gone (" + ev.Reason + ")"
	case flow.EvContactEnded:
		text = "the contact ended"
	case flow.EvVarsEdited:
		text = "the agent changed variables"
	case flow.EvCustom:
		text = "event " + string(ev.Name)
	default: // results are seen in the trace
	}
	if text != "" {
		x.line(LogEvent, text)
	}
}

// outcome notes what became of a placement.
func (x *run) outcome(id flow.CommandID, what string) {
	if i, ok := x.placed[id]; ok {
		x.res.Queued[i].Outcome = what
	}
}

func entered(ev flow.Event) string {
	text := "the caller entered " + or(ev.Digits, "nothing")
	if ev.Reason != "" {
		text += " (" + ev.Reason + ")"
	}
	return text
}

// take records what a step gave and carries its commands out. The trace and the commands come in two lists; the log
// brings them into one order, a node's commands after the node.
func (x *run) take(out flow.Output) {
	commands := out.Commands
	for _, t := range out.Trace {
		x.step(t)
		i := slices.IndexFunc(commands, func(c flow.Command) bool { return c.Node == t.Node && c.Thread == t.Thread })
		if i >= 0 && t.Node != "" {
			x.carryAll(commands[:i+1])
			commands = commands[i+1:]
		}
	}
	x.carryAll(commands)
	x.changed()
	for _, c := range x.s.Outstanding() {
		if !x.answered[c.ID] {
			x.unknown(c)
		}
	}
	if x.s.Over && x.res.End.Reason == "" {
		x.res.End.Reason = EndContact
	}
}

func (x *run) carryAll(cs []flow.Command) {
	for _, c := range cs {
		x.res.Commands = append(x.res.Commands, c)
		x.carry(c)
	}
}

// step records one node and keeps the limits.
func (x *run) step(t flow.TraceEntry) {
	st := Step{At: x.offset(), Thread: t.Thread, ID: t.Node, Node: string(t.Node), Port: t.Port, Detail: t.Detail}
	n := x.r.f.Nodes[t.Node]
	if n != nil {
		st.Node, st.Op = n.Name, n.Op
	}
	x.res.Trace = append(x.res.Trace, st)
	text := st.Node
	if st.Op != "" {
		text += " (" + string(st.Op) + ")"
	}
	if t.Port != "" {
		text += " -> " + string(t.Port)
	}
	if t.Detail != "" {
		text += ": " + t.Detail
	}
	if t.Thread > 1 {
		text = fmt.Sprintf("[thread %d] %s", t.Thread, text)
	}
	x.line(LogStep, text)
	if n == nil {
		return
	}
	x.visits[t.Node]++
	steps, loops := pick(x.sc.Limits.Steps, defaultSteps), pick(x.sc.Limits.Loops, defaultLoops)
	switch {
	case len(x.res.Trace) > steps:
		x.over = fmt.Sprintf("more than %d steps", steps)
	case x.visits[t.Node] > 2*loops: // a node that waits is seen twice
		x.over = fmt.Sprintf("%s was run more than %d times", st.Node, loops)
	}
	if h := x.sc.HangUp; h != nil && h.Node != "" && h.Node == st.Node {
		x.endCall(byCaller, "customer")
	}
	if x.watch != nil {
		x.watch.node(n, t)
	}
}

// changed notes what became of the variables.
func (x *run) changed() {
	for _, name := range slices.Sorted(maps.Keys(x.s.Vars)) {
		now := x.s.Vars[name]
		was, known := x.vars[name]
		if x.vars == nil || known && reflect.DeepEqual(was, now) {
			continue
		}
		c := Change{At: x.offset(), Name: name, From: was, To: now}
		if x.r.secure[name] {
			c.From, c.To = nil, hidden
		}
		x.res.Changes = append(x.res.Changes, c)
		x.line(LogChange, name+" = "+show(c.To))
	}
	x.vars = maps.Clone(map[string]any(x.s.Vars))
}

// hidden stands for the value of a secure variable.
const hidden = "(secure)"

// idle says what happens when nothing is on the agenda: who waits gives up, and what is over ends. False means that
// nothing can go on.
func (x *run) idle() bool {
	switch {
	case x.ending:
		return false
	case x.s.HangupSent:
		x.endCall(byFlow, "flow")
	case x.s.Left:
		x.endCall(byTransfer, "transfer")
	case x.s.Placement != 0:
		x.do(pick(span(x.sc.Patience), defaultPatience), func() { x.endCall(byCaller, "abandoned") }, whenever)
	default:
		x.endCall(byCaller, "customer")
	}
	return true
}

// endCall ends the contact: the line is gone, and after the wrap-up the contact is over.
func (x *run) endCall(by, reason string) {
	if x.ending {
		return
	}
	x.ending = true
	x.res.End.By = or(x.res.End.By, by)
	after := time.Duration(0)
	fields := map[string]any{}
	if x.agent.ID != "" {
		after = wrapUp
	}
	if x.sc.Disposition != "" {
		fields["DispositionCode"] = x.sc.Disposition
	}
	x.at(0, flow.Event{Kind: flow.EvHungUp, Reason: reason}, whenever)
	x.at(after, flow.Event{Kind: flow.EvContactEnded, Reason: reason, Fields: fields}, whenever)
}

// talk plays the conversation.
func (x *run) talk() {
	t := x.sc.Talk
	for _, e := range t.Edits {
		x.at(span(e.After), flow.Event{Kind: flow.EvVarsEdited, Fields: e.Vars}, talking)
	}
	long := defaultTalk
	if t.For != nil {
		long = span(*t.For)
	}
	if t.By == byAgent && !x.agentLeft {
		x.agentLeft = true
		agent := x.agent
		x.do(long, func() { x.res.End.By = byAgent }, talking)
		x.at(long, flow.Event{Kind: flow.EvAgentDisconnected, Agent: &agent, Reason: "agent"}, talking)
		return
	}
	x.do(long, func() { x.endCall(byCaller, "customer") }, talking)
}

// finish completes the result.
func (x *run) finish() *Result {
	for name, v := range x.s.Vars {
		if x.r.secure[name] {
			v = hidden
		}
		x.res.Vars[name] = v
	}
	x.res.Took = x.offset()
	return x.res
}

func (x *run) waitsFor() string {
	for _, c := range x.s.Outstanding() {
		return "a result of " + string(c.Kind)
	}
	return "nothing that can come"
}

func (x *run) offset() Offset { return Offset(x.now.Sub(x.began)) }

func (x *run) line(kind, text string) {
	x.res.Log = append(x.res.Log, Line{At: x.offset(), Kind: kind, Text: clip(text, 500)})
}

// nameOf is the name of a node.
func (x *run) nameOf(id flow.NodeID) string {
	if n := x.r.f.Nodes[id]; n != nil {
		return n.Name
	}
	return string(id)
}

func span(d Duration) time.Duration { return time.Duration(d) }

func or(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}

func pick[T int | time.Duration](v, def T) T {
	if v > 0 {
		return v
	}
	return def
}

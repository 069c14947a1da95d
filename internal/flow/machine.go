package flow

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/flow/expr"
)

// machine is the work of one step.
type machine struct {
	p     *Program
	s     *Session
	env   *expr.Env
	seed  uint64
	out   Output
	dirty []int // agent-viewable variables that changed, by index
}

// machines are to be used again: their parts live in the session or in what a step returns.
var machines = sync.Pool{New: func() any { return new(machine) }}

func newMachine(p *Program, s *Session, seed uint64) *machine {
	m, ok := machines.Get().(*machine)
	if !ok {
		m = new(machine)
	}
	m.p, m.s, m.env, m.seed = p, s, p.envOf(s), seed
	return m
}

// done takes the step's output and gives the machine back.
func (m *machine) done() Output {
	out := m.out
	*m = machine{dirty: m.dirty[:0]}
	machines.Put(m)
	return out
}

// way is how a node was left.
type way uint8

const (
	wayOn   way = iota // by result.port
	wayWait            // it waits for a command's result
	wayEnd             // the thread is over
	wayFail            // it failed: result.detail says why; result.port is tried first
	wayBack            // a flow that was called is over: the thread goes on after the node that called it
)

type result struct {
	way    way
	port   Port
	detail string
	to     *cnode // where to go on instead of by the port
}

func on(p Port, detail string) result  { return result{port: p, detail: detail} }
func wait(detail string) result        { return result{way: wayWait, detail: detail} }
func ended(detail string) result       { return result{way: wayEnd, detail: detail} }
func failed(f string, a ...any) result { return result{way: wayFail, detail: fmt.Sprintf(f, a...)} }
func failedErr(what string, err error) result {
	return result{way: wayFail, detail: what + ": " + err.Error()}
}

// Start opens a session for a contact and runs it to its first waits.
func Start(p *Program, in Input) (*Session, Output, error) {
	s := &Session{
		FlowID: p.id, Pin: p.pin, Contact: in.Contact, Started: in.At, now: in.At,
		Vars: make(Values, len(p.vars)),
	}
	for i := range p.vars {
		v := &p.vars[i]
		s.Vars[v.Name] = v.Value
		if x, ok := in.Vars[v.Name]; ok {
			typed, err := v.Type.convert(plain(x))
			if err != nil {
				return nil, Output{}, wrapf(err, "setting variable %s at the start", v.Name)
			}
			s.Vars[v.Name] = typed
		}
	}
	if p.connect {
		carryOver(s, in.Vars)
	}
	m := newMachine(p, s, in.Seed)
	t := m.newThread("")
	m.walk(t, p.start)
	m.finish()
	return s, m.done(), nil
}

// Step takes the session one event further. A result of a command that is not outstanding, and any event after the
// session's end, changes nothing. Its only error is ErrVersion, and then the session is unchanged.
func Step(p *Program, s *Session, ev Event) (Output, error) {
	if s.Pin != p.pin {
		return Output{}, fmt.Errorf("%w: session %s, program %s", ErrVersion, s.Pin, p.pin)
	}
	if s.Over {
		return Output{}, nil
	}
	if !ev.At.IsZero() {
		s.now = ev.At
	}
	if s.Vars == nil { // JSON leaves it out when it is empty
		s.Vars = make(Values)
	}
	m := newMachine(p, s, ev.Seed)
	m.dispatch(&ev)
	m.finish()
	return m.done(), nil
}

func (m *machine) dispatch(ev *Event) {
	switch ev.Kind {
	case EvPromptDone, EvGathered, EvHTTPResult, EvTimerFired, EvAnswer:
		m.resume(ev)
	case EvQueueFailed:
		m.queueFailed(ev)
	case EvAgentOffered:
		m.handle(OnAgentOffered, ev)
	case EvAgentAnswered:
		m.agentAnswered(ev)
	case EvAgentDisconnected:
		m.agentDisconnected(ev)
	case EvHungUp:
		m.hungUp()
	case EvContactEnded:
		m.contactEnded(ev)
	case EvVarsEdited:
		m.varsEdited(ev)
	case EvCustom:
		m.handle(ev.Name, ev)
	case EvQueued, EvAgentNoAnswer:
		// what they say changes nothing here: the treatment goes on
	}
}

// walk runs a thread from node n on until it waits or is over.
func (m *machine) walk(t *Thread, n *cnode) {
	circles := 0
	for steps := 1; n != nil; steps++ {
		if steps > m.p.maxSteps {
			if circles++; circles > 1 {
				m.endThread(t, "what handles errors runs in a circle too")
				return
			}
			steps = 1
			if n = m.failure(t, n, fmt.Sprintf("more than %d nodes without a wait: the flow runs in a circle", m.p.maxSteps)); n == nil {
				return
			}
		}
		t.Node = n.id
		r := m.run(t, n)
		if r.way == wayWait {
			m.trace(t, n, "", r.detail)
			return
		}
		n = m.leave(t, n, r)
	}
}

// run executes a node, within the limits of its loop and of what a thread may do without a caller.
func (m *machine) run(t *Thread, n *cnode) result {
	if m.s.HungUp || t.Quiet {
		if r, skip := withoutCaller(n, t.Quiet); skip {
			return r
		}
	}
	if n.limit > 0 {
		if m.s.Loops == nil {
			m.s.Loops = make(map[NodeID]int)
		}
		m.s.Loops[n.id]++
		if m.s.Loops[n.id] > n.limit {
			return failed("it was run more than %d times, its limit for one contact", n.limit)
		}
	}
	return n.exec(m, t, n)
}

const noCaller = "passed over: there is no caller"

// withoutCaller says how a node that needs the caller is left when there is none, or none may be disturbed.
func withoutCaller(n *cnode, quiet bool) (result, bool) {
	const why = noCaller
	switch n.op {
	case OpSay, OpMusic:
		if n.next == n {
			return ended(why), true
		}
		return on(PortOK, why), true
	case OpLoopPrompts:
		return firstExit(n, PortInterrupted, PortOK), true
	case OpMenu, OpCollect:
		return firstExit(n, PortTimeout, PortNoMatch, PortError), true
	case OpQueue, OpQueueAgent, OpTransfer, OpBot, OpGoto, OpSendDigits, OpRecordMessage:
		return firstExit(n, PortFailure, PortError), true
	case OpHangup:
		return ended("nothing to disconnect"), true
	case OpCallback, OpPriority:
		if quiet {
			return firstExit(n, PortFailure, PortOK), true
		}
	default: // needs no caller
	}
	return result{}, false
}

// firstExit leaves by the first port that leads to another node; without one the thread is over.
func firstExit(n *cnode, ports ...Port) result {
	const why = noCaller
	for _, p := range ports {
		if to := n.exits[p]; to != nil && to != n {
			return on(p, why)
		}
	}
	return ended(why)
}

// leave takes a thread out of a node and returns the next one, or nil when the thread is over or waits.
func (m *machine) leave(t *Thread, n *cnode, r result) *cnode {
	switch r.way {
	case wayEnd:
		m.trace(t, n, "", r.detail)
		m.endThread(t, r.detail)
		return nil
	case wayFail:
		if to := n.exits[r.port]; r.port != "" && to != nil {
			m.trace(t, n, r.port, r.detail)
			return to
		}
		return m.failure(t, n, r.detail)
	case wayBack:
		return m.back(t, n, r)
	case wayOn, wayWait:
	}
	if r.to != nil {
		m.trace(t, n, r.port, r.detail)
		return r.to
	}
	to := n.exits[r.port]
	if to == nil && (r.port == PortTimeout || r.port == PortNoMatch && n.op != OpCase || r.port == PortFailure || r.port == PortInsufficient) {
		return m.failure(t, n, "port "+string(r.port)+" leads nowhere. "+r.detail)
	}
	m.trace(t, n, r.port, r.detail)
	if to == nil {
		m.endThread(t, "port "+string(r.port)+" leads nowhere")
	}
	return to
}

// failure finds the way on after an error: the node's own port, the flow's handler, the default announcement.
func (m *machine) failure(t *Thread, n *cnode, why string) *cnode {
	if n.secret {
		why = errSecure.Error()
	}
	if to := n.exits[PortError]; to != nil {
		m.trace(t, n, PortError, why)
		return to
	}
	m.trace(t, n, PortError, why)
	handler := m.p.on[OnError]
	if handler != nil && !t.Failing {
		t.Failing = true
		t.Quiet = t.Quiet || t.Handler != "" || m.s.Talking || m.s.HungUp
		m.eventOutput(OnError, "errorMessage", why)
		m.eventOutput(OnError, "activityName", n.name)
		return handler
	}
	// Music that cannot be played is no reason to lose a caller who waits, nor a failed look-up one who is talking.
	if t.Quiet || t.Handler != "" || m.s.Talking || m.s.HungUp || m.s.Placement != 0 {
		m.endThread(t, why)
		return nil
	}
	t.Closing = true
	announcement := m.p.opts.ErrorText
	if announcement == "" {
		announcement = DefaultErrorText
	}
	prompt := Prompt{Kind: PromptTTS, Text: announcement, Fixed: true, Language: m.language(""), Voice: m.voice("")}
	m.command(t, n.id, Command{Kind: CmdPlay, Play: &Play{Prompts: []Prompt{prompt}}})
	return nil
}

// finish sends what a step leads to when all threads stand still.
func (m *machine) finish() {
	m.flushCAD()
	s := m.s
	if len(s.Threads) > 0 || s.Over {
		return
	}
	if !s.HungUp && !s.Talking && !s.HangupSent && !s.Left && s.Placement == 0 {
		m.hangup(0, "")
	}
	if s.ContactOver {
		m.over("")
	}
}

// over ends the session.
func (m *machine) over(reason string) {
	s := m.s
	for _, c := range s.Waiting {
		m.emit(Command{Kind: CmdCancel, Thread: c.Thread, Cancel: c.ID})
	}
	s.Waiting, s.Placement, s.Threads = nil, 0, nil
	s.Over = true
	m.emit(Command{Kind: CmdEnded, Ended: &Ended{Session: true, Reason: reason}})
}

func (m *machine) flushCAD() {
	if len(m.dirty) == 0 {
		return
	}
	vals := make([]CADValue, 0, len(m.dirty))
	for _, i := range m.dirty {
		v := &m.p.vars[i]
		vals = append(vals, cadValue(v, m.s.Vars[v.Name]))
	}
	m.dirty = m.dirty[:0]
	m.emit(Command{Kind: CmdSetCAD, SetCAD: vals})
}

func (m *machine) hangup(thread int, node NodeID) {
	m.s.HangupSent = true
	m.emit(Command{Kind: CmdHangup, Thread: thread, Node: node})
}

// emit gives a command without a result.
func (m *machine) emit(c Command) CommandID {
	m.s.LastCommand++
	c.ID = m.s.LastCommand
	if m.out.Commands == nil {
		m.out.Commands = make([]Command, 0, 2) // most steps end one thing and begin another
	}
	m.out.Commands = append(m.out.Commands, c)
	return c.ID
}

// command gives a command whose result the thread waits for.
func (m *machine) command(t *Thread, node NodeID, c Command) {
	c.Thread, c.Node = t.ID, node
	id := m.emit(c)
	c.ID = id
	m.s.Waiting = append(m.s.Waiting, c)
	t.Wait = id
}

func (m *machine) trace(t *Thread, n *cnode, port Port, detail string) {
	if n.secret && n.op != OpSet {
		detail = ""
	}
	if m.out.Trace == nil {
		m.out.Trace = make([]TraceEntry, 0, 4)
	}
	m.out.Trace = append(m.out.Trace, TraceEntry{At: m.s.now, Thread: t.ID, Node: n.id, Port: port, Detail: detail})
}

func (m *machine) newThread(h EventName) *Thread {
	m.s.LastThread++
	t := &Thread{ID: m.s.LastThread, Handler: h}
	m.s.Threads = append(m.s.Threads, t)
	return t
}

// endThread removes a thread; what it waited for is cancelled.
func (m *machine) endThread(t *Thread, reason string) {
	m.cancel(t)
	for i, x := range m.s.Threads {
		if x == t {
			m.s.Threads = append(m.s.Threads[:i], m.s.Threads[i+1:]...)
			m.emit(Command{Kind: CmdEnded, Thread: t.ID, Ended: &Ended{Thread: t.ID, Reason: clip(reason)}})
			return
		}
	}
}

// cancel stops the command a thread waits for.
func (m *machine) cancel(t *Thread) {
	if t.Wait == 0 {
		return
	}
	if _, ok := m.s.take(t.Wait); ok {
		m.emit(Command{Kind: CmdCancel, Thread: t.ID, Cancel: t.Wait})
	}
	t.Wait = 0
}

// cancelPlacement takes the contact out of its queue.
func (m *machine) cancelPlacement() {
	if m.s.Placement == 0 {
		return
	}
	if c, ok := m.s.take(m.s.Placement); ok {
		m.emit(Command{Kind: CmdCancel, Thread: c.Thread, Cancel: c.ID})
	}
	m.s.Placement = 0
}

// setVar stores a value with its type. A name that is not declared becomes a STRING variable, as long as there are not too many.
func (m *machine) setVar(name string, v any) error {
	i, declared := m.p.varIndex[name]
	typ := TypeString
	if declared {
		typ = m.p.vars[i].Type
	} else if len(m.s.Vars) >= MaxVars {
		return fmt.Errorf("there are more than %d variables", MaxVars)
	}
	x, err := typ.convert(v)
	if err != nil {
		return err
	}
	if declared && m.p.vars[i].CAD && !m.isDirty(i) && text(m.s.Vars[name]) != text(x) {
		m.dirty = append(m.dirty, i)
	}
	m.s.Vars[name] = x
	m.env.Vars[name] = x
	return nil
}

func (m *machine) isDirty(i int) bool {
	return slices.Contains(m.dirty, i)
}

// output stores a field of a node or an event where templates find it.
func (m *machine) output(node, field string, v any) {
	o := m.s.Outputs[node]
	if o == nil {
		o = make(Values)
		if m.s.Outputs == nil {
			m.s.Outputs = make(map[string]Values)
		}
		m.s.Outputs[node] = o
		m.env.Vars[node] = map[string]any(o)
	}
	o[field] = v
}

// eventOutput stores a field of an event under each name of the event by which some template reads it.
func (m *machine) eventOutput(ev EventName, field string, v any) {
	for _, name := range m.p.eventNames[ev] {
		if m.p.readsField(name, field) {
			m.output(name, field, plain(v))
		}
	}
}

// language chooses the language of speech: the node's, the flow's global variable, the flow's, the contact's.
func (m *machine) language(node string) string {
	return firstText(node, m.global("Global_Language"), m.p.opts.Language, m.s.Contact.Language)
}

func (m *machine) voice(node string) string {
	return firstText(node, m.global("Global_VoiceName"), m.p.opts.Voice)
}

// global reads a global variable by which Webex chooses language and voice.
func (m *machine) global(name string) string {
	s, _ := m.s.Vars[name].(string)
	if strings.EqualFold(s, "automatic") || Unset(s) {
		return ""
	}
	return s
}

func firstText(s ...string) string {
	for _, x := range s {
		if x != "" {
			return x
		}
	}
	return ""
}

// clip shortens a text for a trace or a report.
func clip(s string) string {
	const limit = 200
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "..."
}

// contactField is one thing templates may read of the contact.
type contactField struct {
	name string
	get  func(p *Program, s *Session) any
}

// contactFieldTable lists them all; it is never changed.
var contactFieldTable = []contactField{
	{"ANI", func(_ *Program, s *Session) any { return s.Contact.ANI }},
	{"DNIS", func(_ *Program, s *Session) any { return s.Contact.DNIS }},
	{"DN", func(_ *Program, s *Session) any { return s.Contact.DNIS }},
	{"InteractionId", func(_ *Program, s *Session) any { return s.Contact.ID }},
	{"ContactId", func(_ *Program, s *Session) any { return s.Contact.ID }},
	{"EntryPointId", func(_ *Program, s *Session) any { return s.Contact.EntryPointID }},
	{"EntryPointName", func(_ *Program, s *Session) any { return s.Contact.EntryPointName }},
	{"OrgId", func(_ *Program, s *Session) any { return s.Contact.OrgID }},
	{"FlowId", func(p *Program, _ *Session) any { return p.id }},
	{"FlowName", func(p *Program, _ *Session) any { return p.name }},
	{"Channel", func(_ *Program, s *Session) any { return s.Contact.Channel }},
	{"Direction", func(_ *Program, s *Session) any { return s.Contact.Direction }},
	{"Language", func(_ *Program, s *Session) any { return s.Contact.Language }},
	{"StartTime", func(_ *Program, s *Session) any { return s.Started.UTC().Format(time.RFC3339) }},
	{"Headers", func(_ *Program, s *Session) any {
		h := make(map[string]any, len(s.Contact.Headers))
		for k, v := range s.Contact.Headers {
			h[k] = v
		}
		return h
	}},
}

// contactFields is what templates of the flow read of the contact.
func contactFields(p *Program, s *Session) map[string]any {
	m := make(map[string]any, len(p.contactReads))
	for _, f := range p.contactReads {
		m[f.name] = f.get(p, s)
	}
	return m
}

// readsOfContact fixes which fields of the contact templates read, by whatever name and case they call it.
func (p *Program) readsOfContact() {
	for _, f := range contactFieldTable {
		for root := range p.reads {
			if p.isContact(root) && p.readsField(root, f.name) {
				p.contactReads = append(p.contactReads, f)
				break
			}
		}
	}
}

// isContact reports whether templates mean the contact by that name.
func (p *Program) isContact(name string) bool {
	return slices.ContainsFunc(p.contactNames, func(n string) bool { return strings.EqualFold(n, name) })
}

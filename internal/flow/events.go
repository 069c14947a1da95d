package flow

import (
	"slices"
	"strings"
)

// handle keeps what an event brought and starts a handler thread, if the flow has one for the event.
func (m *machine) handle(name EventName, ev *Event) {
	for k, v := range ev.Fields {
		m.eventOutput(name, k, v)
	}
	if a := ev.Agent; a != nil {
		m.eventOutput(name, "AgentId", a.ID)
		m.eventOutput(name, "AgentName", a.Name)
		m.eventOutput(name, "AgentDN", a.DN)
		m.eventOutput(name, "AgentEmail", a.Email)
		m.eventOutput(name, "TeamName", a.Team)
	}
	if ev.Reason != "" {
		m.eventOutput(name, "Reason", ev.Reason)
	}
	n := m.p.on[name]
	if n == nil {
		return
	}
	if len(m.s.Threads) >= MaxThreads {
		m.trace(&Thread{}, n, "", "too many handlers run at once: the event is not handled")
		return
	}
	m.walk(m.newThread(name), n)
}

// agentAnswered ends the wait treatment and starts the handler.
func (m *machine) agentAnswered(ev *Event) {
	if m.s.HungUp || m.s.ContactOver {
		return
	}
	m.s.Talking = true
	m.s.take(m.s.Placement)
	m.s.Placement = 0
	for _, t := range slices.Clone(m.s.Threads) {
		if t.Handler == "" || t.Queue != "" {
			m.endThread(t, "an agent answered")
		}
	}
	m.leaveMedia()
	m.agentState(ev.Agent)
	m.handle(OnAgentAnswered, ev)
}

// leaveMedia takes handlers that talk to the caller on, as if what they play had ended.
func (m *machine) leaveMedia() {
	for _, t := range slices.Clone(m.s.Threads) {
		n := m.p.nodes[t.Node]
		if t.Wait == 0 || n == nil {
			continue
		}
		if t.Closing {
			m.endThread(t, "the call went on without it")
			continue
		}
		r, media := withoutCaller(n, false)
		if !media {
			continue
		}
		m.cancel(t)
		if next := m.leave(t, n, r); next != nil {
			m.walk(t, next)
		}
	}
}

func (m *machine) agentDisconnected(ev *Event) {
	if !m.s.Talking {
		return
	}
	m.s.Talking = false
	m.handle(OnAgentDisconnected, ev)
	if flow := m.stateOf("$Hooks", "CustomerRemaining"); flow != "" && m.p.connect && m.p.on[OnAgentDisconnected] == nil {
		m.emit(Command{Kind: CmdGoto, Goto: &Destination{ID: flow}})
		m.flushCAD()
		m.over("the contact went on to the flow for callers whose agent has left")
	}
}

// agentState keeps who answered, as $.Agent.
func (m *machine) agentState(a *Agent) {
	if !m.p.connect || a == nil {
		return
	}
	first, last, _ := strings.Cut(a.Name, " ")
	m.state("$Agent", map[string]any{"UserName": firstText(a.Email, a.ID), "FirstName": first, "LastName": last, "ARN": a.ID})
}

// hungUp ends the main thread and whatever plays to the caller.
func (m *machine) hungUp() {
	if m.s.HungUp {
		return
	}
	m.s.HungUp, m.s.Talking = true, false
	m.cancelPlacement()
	for _, t := range slices.Clone(m.s.Threads) {
		if t.Handler == "" {
			m.endThread(t, "the caller hung up")
		}
	}
	m.leaveMedia()
}

func (m *machine) contactEnded(ev *Event) {
	if m.s.ContactOver {
		return
	}
	m.hungUp()
	m.s.ContactOver = true
	m.handle(OnContactEnded, ev)
}

// varsEdited takes over what the agent changed: agent-editable variables only, and only values of the right type.
func (m *machine) varsEdited(ev *Event) {
	for i := range m.p.vars {
		v := &m.p.vars[i]
		x, edited := ev.Fields[v.Name]
		if !edited || !v.AgentEditable {
			continue
		}
		if err := m.setVar(v.Name, plain(x)); err != nil {
			m.out.Trace = append(m.out.Trace, TraceEntry{At: m.s.now, Detail: "the agent's change of " + v.Name + " is not taken: it does not fit its type"})
		}
	}
}

// queueFailed takes the thread whose placement failed out of the queue node by its failure port.
func (m *machine) queueFailed(ev *Event) {
	if ev.Command == 0 || ev.Command != m.s.Placement {
		return
	}
	c, _ := m.s.take(ev.Command)
	m.s.Placement = 0
	n := m.p.nodes[c.Node]
	if n == nil {
		return
	}
	t := m.s.thread(c.Thread)
	if t == nil {
		t = m.newThread("") // the treatment had ended before
	}
	m.cancel(t)
	t.Queue = ""
	port := PortFailure
	switch {
	case n.exits[PortCapacity] != nil && (strings.EqualFold(ev.Outcome, "capacity") || n.exits[PortError] == nil):
		port = PortCapacity
	case n.exits[port] == nil:
		port = PortError
	}
	if next := m.leave(t, n, on(port, firstText(clip(ev.Error), "not queued"))); next != nil {
		m.walk(t, next)
	}
}

// resume takes the thread on that waited for a command's result.
func (m *machine) resume(ev *Event) {
	i := slices.IndexFunc(m.s.Waiting, func(c Command) bool { return c.ID == ev.Command })
	if i < 0 || !answers(ev.Kind, m.s.Waiting[i].Kind) {
		return
	}
	c, _ := m.s.take(ev.Command)
	t := m.s.thread(c.Thread)
	if t == nil || t.Wait != c.ID {
		return
	}
	t.Wait = 0
	n := m.p.nodes[t.Node]
	if t.Closing {
		m.endThread(t, "error announced")
		if !m.s.HungUp && !m.s.HangupSent {
			m.hangup(t.ID, t.Node)
		}
		return
	}
	if n == nil {
		m.endThread(t, "its node is gone")
		return
	}
	r := m.after(t, n, ev)
	if r.way == wayWait {
		m.trace(t, n, "", r.detail)
		return
	}
	if next := m.leave(t, n, r); next != nil {
		m.walk(t, next)
	}
}

// answers reports whether an event of one kind is a result of a command of the other.
func answers(e EventKind, c CommandKind) bool {
	switch c {
	case CmdPlay, CmdMusic:
		return e == EvPromptDone
	case CmdGather:
		return e == EvGathered
	case CmdHTTP:
		return e == EvHTTPResult
	case CmdTimer:
		return e == EvTimerFired
	case CmdTransfer, CmdCallback, CmdAsk:
		return e == EvAnswer
	default: // has no result
		return false
	}
}

// after says how a node is left with the result of its command.
func (m *machine) after(t *Thread, n *cnode, ev *Event) result {
	switch n.op {
	case OpSay, OpMusic, OpLoopPrompts:
		switch {
		case ev.Error != "":
			return failed("playing: %s", clip(ev.Error))
		case n.op == OpLoopPrompts:
			return m.playAgain(t, n)
		}
		return on(PortOK, "")
	case OpMenu, OpCollect:
		return m.afterGather(t, n, ev)
	case OpHTTP:
		return m.afterHTTP(n, ev)
	case OpTransfer:
		return m.afterTransfer(n, ev)
	case OpCallback:
		return m.afterCallback(t, ev)
	case OpQueue:
		return m.afterHookQueue(t, n, ev)
	case OpWait:
		return m.choose(n, "WaitCompleted", "")
	default:
		return m.afterQuestion(n, ev)
	}
}

// afterQuestion says how a node is left that has asked the driver for something.
func (m *machine) afterQuestion(n *cnode, ev *Event) result {
	switch n.op {
	case OpBot:
		return m.afterBot(n, ev)
	case OpHours, OpQueueInfo, OpSub, OpSendDigits, OpRecordMessage, OpTask, OpStream:
		return m.afterAsk(n, ev)
	case OpFunction:
		return m.afterFunction(n, ev)
	case OpMetric:
		return m.afterMetric(n, ev)
	case OpView:
		return m.afterView(n, ev)
	default:
		return on(PortOK, "")
	}
}

// afterCallback goes on once a callback is registered. It has taken the contact's place in the queue.
func (m *machine) afterCallback(t *Thread, ev *Event) result {
	if ev.Error != "" || ev.Outcome == "failed" {
		return on(PortFailure, firstText(clip(ev.Error), "not registered"))
	}
	m.cancelPlacement()
	t.Queue = ""
	return on(PortOK, "registered")
}

// gathered is the port of what was entered.
func gathered(n *cnode, g *cgather, ev *Event) Port {
	free := !g.menu || n.match != nil // conditions judge what was entered
	switch {
	case ev.Reason == GatherTimeout:
		return PortTimeout
	case ev.Reason == GatherInvalid, !free && !g.digits[ev.Digits], len(ev.Digits) > g.max:
		return PortNoMatch
	case len(ev.Digits) < g.min:
		return PortTimeout
	case !free:
		return PortDigit(ev.Digits)
	}
	return PortOK
}

func (m *machine) afterGather(t *Thread, n *cnode, ev *Event) result {
	g, _ := n.data.(*cgather)
	if ev.Error != "" {
		return failed("reading digits: %s", clip(ev.Error))
	}
	port := gathered(n, g, ev)
	if port != PortTimeout {
		field := "DigitsEntered"
		if g.menu {
			field = "OptionEntered"
		}
		if m.p.readsField(n.name, field) {
			m.output(n.name, field, ev.Digits)
		}
	}
	if (port == PortTimeout || port == PortNoMatch) && t.Tries+1 < g.maxTries {
		t.Tries++
		return execGather(m, t, n)
	}
	t.Tries = 0
	switch {
	case g.store != "":
		return m.stored(n, g, ev, port)
	case n.match != nil && port != PortTimeout:
		return m.choose(n, ev.Digits, "")
	}
	return on(port, "")
}

// stored keeps what was entered. Nothing entered in time is kept as the text Timeout (Amazon Connect, "Store customer input").
func (m *machine) stored(n *cnode, g *cgather, ev *Event, port Port) result {
	digits := ev.Digits
	switch {
	case port == PortTimeout && n.exits[PortTimeout] != nil:
		return on(PortTimeout, "")
	case port == PortTimeout:
		digits = "Timeout"
	case port == PortNoMatch && n.exits[PortNoMatch] == nil:
		return failed("what was entered cannot be used")
	case port == PortNoMatch:
		return on(PortNoMatch, "")
	case g.phone != "":
		full, ok := phoneNumber(digits, g.phone, g.prefix)
		if !ok {
			return result{way: wayFail, port: PortErrorOf("InvalidPhoneNumber"), detail: "what was entered is no phone number"}
		}
		digits = full
	}
	m.state(g.store, digits)
	return m.choose(n, digits, "")
}

// phoneNumber completes a number that was entered: a local one gets the prefix of its country in the place of a leading 0.
func phoneNumber(digits, format, prefix string) (string, bool) {
	d := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, digits)
	if strings.EqualFold(format, "Local") && prefix != "" {
		d = strings.TrimPrefix(prefix, "+") + strings.TrimLeft(d, "0")
	}
	return "+" + d, len(d) >= 7 && len(d) <= 15 // ITU-T E.164
}

func (m *machine) afterTransfer(n *cnode, ev *Event) result {
	d, _ := n.data.(*ctransfer)
	switch {
	case strings.EqualFold(ev.Outcome, "timeout") && n.exits[PortTimeout] != nil:
		return on(PortTimeout, "no answer in time")
	case ev.Error != "" || ev.Outcome == "failed" || strings.EqualFold(ev.Outcome, "timeout"):
		return on(PortFailure, firstText(clip(ev.Error), "no connection"))
	case d.bridged:
		return on(PortOK, "back from the transfer")
	}
	m.s.Left = true
	return ended("transferred")
}

// afterAsk turns an outcome into a port.
func (m *machine) afterAsk(n *cnode, ev *Event) result {
	for k, v := range ev.Fields {
		if m.p.readsField(n.name, k) {
			m.output(n.name, k, plain(v))
		}
	}
	outcome := strings.ToLower(ev.Outcome)
	if ev.Error != "" || outcome == "failed" {
		return notDone(n, ev)
	}
	switch n.op {
	case OpHours:
		return m.afterHours(n, outcome, ev.Fields["open"] == true)
	case OpBot:
		if outcome == "escalate" {
			return on(PortEscalate, outcome)
		}
		return on(PortDone, outcome)
	case OpQueueInfo:
		if outcome == "insufficient" && n.exits[PortInsufficient] != nil {
			return on(PortInsufficient, outcome)
		}
	case OpRecordMessage:
		if outcome == "timeout" {
			return on(PortTimeout, "nothing was said")
		}
	default: // a subflow, digits, a task
	}
	m.bindAll(n, ev.Fields)
	if n.match != nil {
		return m.choose(n, ev.Outcome, outcome)
	}
	return on(PortOK, outcome)
}

// notDone leaves a node by its port for failures, or fails.
func notDone(n *cnode, ev *Event) result {
	if (n.op == OpQueueInfo || n.op == OpSendDigits) && n.exits[PortFailure] != nil {
		return on(PortFailure, clip(ev.Error))
	}
	return failed("%s", firstText(clip(ev.Error), "no answer"))
}

func (m *machine) afterHours(n *cnode, outcome string, open bool) result {
	switch {
	case n.match != nil && (open || outcome == "work"):
		return m.choose(n, "True", outcome)
	case n.match != nil: // an exception to the hours is a time of rest unless it says otherwise
		return m.choose(n, "False", outcome)
	case outcome == "closed":
		return on(PortOK, outcome)
	}
	return on(Port("hours:"+outcome), outcome)
}

// afterBot keeps what a dialogue platform understood as $.Lex and chooses by the intent.
func (m *machine) afterBot(n *cnode, ev *Event) result {
	if !m.p.connect {
		return m.afterAsk(n, ev)
	}
	if ev.Error != "" || strings.EqualFold(ev.Outcome, "failed") {
		return failed("%s", firstText(clip(ev.Error), "no answer"))
	}
	lex := make(map[string]any, len(ev.Fields))
	for k, v := range ev.Fields {
		lex[k] = plain(v)
	}
	m.state("$Lex", lex)
	intent := firstText(text(lex["IntentName"]), ev.Outcome)
	return m.choose(n, intent, clip(intent))
}

// afterView keeps what was entered as $.Views.ViewResultData, and chooses by the action that was taken.
func (m *machine) afterView(n *cnode, ev *Event) result {
	if ev.Error != "" || strings.EqualFold(ev.Outcome, "failed") {
		return failed("%s", firstText(clip(ev.Error), "nobody saw the page"))
	}
	data := make(map[string]any, len(ev.Fields))
	for k, v := range ev.Fields {
		data[k] = plain(v)
	}
	m.state("$Views", map[string]any{"ViewResultData": data, "Action": ev.Outcome})
	return m.choose(n, ev.Outcome, clip(ev.Outcome))
}

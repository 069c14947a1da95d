package flow

import (
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"strings"
)

// Limits of what functions of the installation are told and answer, as documented for Amazon Connect.
const (
	maxFunctionAnswer = 32 << 10
	maxStack          = 20 // flows within each other
	maxLoops          = 100
	// defaultPriority is the priority of a contact of Amazon Connect that was given none.
	defaultPriority = 5
	holdMusic       = "defaultmusic_on_hold.wav"
)

// choose leaves a node by the first condition that holds for its result.
func (m *machine) choose(n *cnode, res, detail string) result {
	if len(n.match) == 0 && n.op != OpCompare && n.op != OpBot && n.op != OpMenu {
		return on(PortOK, detail)
	}
	for i := range n.match {
		c := &n.match[i]
		if len(c.want) == 0 && c.holds(res, "") {
			return on(c.port, detail)
		}
		for _, w := range c.want {
			want, err := w.render(m.env)
			if err != nil {
				return failedErr("evaluating the conditions", err)
			}
			if c.holds(res, want) {
				return on(c.port, detail)
			}
		}
	}
	if n.exits[PortNoMatch] == nil && n.next != nil {
		return on(PortOK, detail)
	}
	return on(PortNoMatch, detail)
}

// state stores what the contact's flows know besides attributes; v is never changed afterwards.
func (m *machine) state(name string, v any) {
	m.s.Vars[name] = v
	m.env.Vars[name] = v
}

// stateOf reads a field of a stored object.
func (m *machine) stateOf(name, field string) string {
	o, _ := m.env.Vars[name].(map[string]any)
	return text(o[field])
}

func execCompare(m *machine, _ *Thread, n *cnode) result {
	c, _ := n.data.(*ctext)
	v, err := c.render(m.env)
	if err != nil {
		return failedErr("reading the value", err)
	}
	return m.choose(n, v, "")
}

// execLoop counts; after its last round the loop can be entered anew.
func execLoop(m *machine, _ *Thread, n *cnode) result {
	c, _ := n.data.(*ctext)
	v, err := c.render(m.env)
	if err != nil {
		return failedErr("reading the count", err)
	}
	count, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
	if err != nil || count != count {
		return failed("the number of rounds is no number")
	}
	if m.s.Loops == nil {
		m.s.Loops = make(map[NodeID]int)
	}
	if done := m.s.Loops[n.id]; done < int(min(count, maxLoops)) {
		m.s.Loops[n.id] = done + 1
		return m.choose(n, "ContinueLooping", "round "+strconv.Itoa(done+1))
	}
	delete(m.s.Loops, n.id)
	return m.choose(n, "DoneLooping", "done")
}

func execFunction(m *machine, t *Thread, n *cnode) result {
	d, _ := n.data.(*cfunction)
	ref, params, err := m.asked(d.ask)
	if err != nil {
		return failedErr("writing the request", err)
	}
	if ref == "" && d.ask.name == "" {
		return failed("no function is named")
	}
	ask := &Ask{What: AskFunction, Ref: ref, Name: d.ask.name, TimeoutMS: d.ms, Async: d.async}
	if m.p.connect {
		ask.Payload = m.functionEvent(params)
	} else {
		in := make(map[string]any, len(params))
		for k, v := range params {
			in[k] = v
		}
		ask.Payload = appendValue(nil, in)
	}
	m.command(t, n.id, Command{Kind: CmdAsk, Ask: ask})
	return wait(firstText(d.ask.name, ref))
}

// functionEvent is what a function is told ("Amazon Connect, Invoke AWS Lambda functions", example JSON request).
func (m *machine) functionEvent(params map[string]string) json.RawMessage {
	attrs := make(map[string]any)
	for name, v := range m.s.Vars {
		if !strings.HasPrefix(name, "$") && !strings.HasPrefix(name, "Global_") && !m.p.hidden[name] {
			attrs[name] = text(v)
		}
	}
	in := make(map[string]any, len(params))
	for name, v := range params {
		in[name] = v
	}
	var queue any
	if q, ok := m.env.Vars["$Queue"].(map[string]any); ok {
		queue = map[string]any{"ARN": text(q["ARN"]), "Name": text(q["Name"])}
	}
	c := &m.s.Contact
	return appendValue(nil, map[string]any{"Name": "ContactFlowEvent", "Details": map[string]any{
		"Parameters": in,
		"ContactData": map[string]any{
			"Attributes": attrs, "Channel": connectChannel(c.Channel), "ContactId": c.ID, "InitialContactId": c.ID, "PreviousContactId": c.ID,
			"CustomerEndpoint": map[string]any{"Address": c.ANI, "Type": "TELEPHONE_NUMBER"},
			"SystemEndpoint":   map[string]any{"Address": c.DNIS, "Type": "TELEPHONE_NUMBER"},
			"CustomerId":       m.env.Vars["$CustomerId"], "Description": m.env.Vars["$Description"],
			"InitiationMethod": firstText(strings.ToUpper(c.Direction), "INBOUND"), "InstanceARN": c.OrgID,
			"LanguageCode": firstText(m.global("Global_Language"), c.Language, "en-US"),
			"MediaStreams": map[string]any{"Customer": map[string]any{"Audio": nil}}, "Name": m.env.Vars["$Name"], "Queue": queue,
			"References": map[string]any{}, "SegmentAttributes": map[string]any{}, "Tags": map[string]any{},
		},
	}})
}

// afterFunction keeps an answer as $.External, in the place of the one before.
func (m *machine) afterFunction(n *cnode, ev *Event) result {
	d, _ := n.data.(*cfunction)
	if ev.Error != "" || strings.EqualFold(ev.Outcome, "failed") {
		return failed("%s", firstText(clip(ev.Error), "the function failed"))
	}
	if d.async {
		return m.choose(n, "", "called")
	}
	answer := make(map[string]any, len(ev.Fields))
	for k, v := range ev.Fields {
		v = plain(v)
		switch v.(type) {
		case map[string]any, []any:
			if !d.document {
				return failed("the function's answer is not a flat list of texts: %s is not one", clip(k))
			}
		default:
			if !d.document {
				v = text(v)
			}
		}
		answer[k] = v
	}
	if len(appendValue(nil, answer)) > maxFunctionAnswer {
		return failed("the function's answer has more than %d bytes", maxFunctionAnswer)
	}
	detail := strconv.Itoa(len(answer)) + " values"
	if !m.p.connect {
		for k, v := range answer {
			if m.p.readsField(n.name, k) {
				m.output(n.name, k, v)
			}
		}
		return on(PortOK, firstText(m.bindAll(n, answer), detail))
	}
	m.state("$External", answer)
	if d := m.bindAll(n, answer); d != "" {
		detail += ", " + d
	}
	return m.choose(n, "", detail)
}

func execLoopPrompts(m *machine, t *Thread, n *cnode) result {
	t.Since = m.s.now
	return m.playAgain(t, n)
}

// playAgain plays the prompts once more, or for as long as is left until the next interruption.
func (m *machine) playAgain(t *Thread, n *cnode) result {
	d, _ := n.data.(*cloopPrompts)
	left := 0
	if d.interruptMS > 0 {
		left = d.interruptMS - int(m.s.now.Sub(t.Since).Milliseconds())
		if left <= 0 {
			return m.choose(n, "MessagesInterrupted", "interrupted")
		}
	}
	ps, err := m.prompts(d.say)
	if err != nil {
		return failedErr("writing the prompts", err)
	}
	switch {
	case len(ps) == 0 && left > 0:
		m.command(t, n.id, Command{Kind: CmdTimer, Timer: &Timer{MS: int64(left)}})
	case len(ps) == 0:
		return failed("there is nothing to play")
	case len(ps) == 1 && ps[0].Kind == PromptFile:
		m.command(t, n.id, Command{Kind: CmdMusic, Music: &Music{File: ps[0].File, DurationMS: left}})
	default:
		m.command(t, n.id, Command{Kind: CmdPlay, Play: &Play{Prompts: ps, LimitMS: left}})
	}
	return wait("")
}

func execSetQueue(m *machine, _ *Thread, n *cnode) result {
	d, _ := n.data.(*csetQueue)
	q, err := m.queueNamed(d)
	if err != nil {
		return failedErr("choosing the queue", err)
	}
	if q == nil {
		return failed("no queue is named")
	}
	m.state("$Queue", q)
	return on(PortOK, firstText(text(q["Name"]), text(q["ARN"]), text(q["Agent"])))
}

// queueNamed is the queue or agent a node names; nil if it names none.
func (m *machine) queueNamed(d *csetQueue) (map[string]any, error) {
	id, err := d.queue.render(m.env)
	if err != nil {
		return nil, err
	}
	agent := ""
	if d.agent != nil {
		if agent, err = d.agent.render(m.env); err != nil {
			return nil, err
		}
	}
	id, agent = strings.TrimSpace(id), strings.TrimSpace(agent)
	if id == "" && agent == "" && d.name == "" {
		return nil, nil //nolint:nilnil // none is named
	}
	q := map[string]any{"ARN": id, "Name": firstText(d.name, d.names[id])}
	if b := d.resolve(id); b != id {
		q["Bound"] = b
	}
	if agent != "" {
		q["Agent"] = agent
	}
	return q, nil
}

// execHookQueue places the contact in the queue chosen before. The flow is over with it: what the contact hears while it
// waits is the flow of the hook, and without one music.
func execHookQueue(m *machine, t *Thread, n *cnode) result {
	d, _ := n.data.(*cqueue)
	q, _ := m.env.Vars["$Queue"].(map[string]any)
	e := &Enqueue{
		Queue: firstText(text(q["Bound"]), text(q["ARN"])), QueueName: text(q["Name"]), Agent: text(q["Agent"]), Priority: defaultPriority,
	}
	if e.Queue == "" && e.QueueName == "" && e.Agent == "" {
		return failed("no queue was chosen")
	}
	if e.Agent != "" {
		e.AgentBy, e.Park = "id", true
		if strings.Contains(e.Agent, "@") {
			e.AgentBy = "email"
		}
	}
	if m.s.Talking {
		return failed("the contact talks to an agent")
	}
	e.Queue = d.resolve(e.Queue, e.QueueName)
	if p, err := strconv.Atoi(m.stateOf("$Routing", "Priority")); err == nil {
		e.Priority = clamp(p, 1, 10)
	}
	e.AgeAdjustSeconds, _ = strconv.Atoi(m.stateOf("$Routing", "Adjust"))
	m.s.take(m.s.Placement) // replaced by this one
	c := Command{Kind: CmdEnqueue, Thread: t.ID, Node: n.id, Enqueue: e}
	c.ID = m.emit(c)
	m.s.Waiting = append(m.s.Waiting, c)
	m.s.Placement = c.ID
	t.Queue = n.id
	detail := firstText(e.QueueName, e.Queue, e.Agent)
	hook := m.stateOf("$Hooks", d.hook)
	if entry := m.p.links[hook]; entry != nil {
		t.Stack = nil
		return result{port: PortOK, detail: detail, to: entry}
	}
	if hook != "" {
		m.command(t, n.id, Command{Kind: CmdAsk, Ask: &Ask{What: AskTreatment, Ref: hook}})
		return wait(detail)
	}
	return m.waitMusic(t, n, detail)
}

func (m *machine) waitMusic(t *Thread, n *cnode, detail string) result {
	m.command(t, n.id, Command{Kind: CmdMusic, Music: &Music{File: holdMusic}})
	return wait(detail)
}

// afterHookQueue goes on with what a waiting contact hears: the driver could not play the hook's flow, or the music is over.
func (m *machine) afterHookQueue(t *Thread, n *cnode, ev *Event) result {
	switch {
	case ev.Kind == EvAnswer && (ev.Error != "" || strings.EqualFold(ev.Outcome, "failed")):
		return m.waitMusic(t, n, "music instead of the flow: "+clip(ev.Error))
	case ev.Error == "":
		return m.waitMusic(t, n, "")
	}
	return ended("waits without treatment")
}

func execRouting(m *machine, t *Thread, n *cnode) result {
	d, _ := n.data.(*crouting)
	prio, err := d.priority.render(m.env)
	adjust, err2 := d.adjust.render(m.env)
	if err = errors.Join(err, err2); err != nil {
		return failedErr("reading the priority", err)
	}
	prio, adjust = strings.TrimSpace(prio), strings.TrimSpace(adjust)
	p, perr := strconv.Atoi(prio)
	seconds, aerr := strconv.Atoi(adjust)
	if prio != "" && (perr != nil || p < 1) || adjust != "" && aerr != nil || prio == "" && adjust == "" {
		return failed("neither a priority nor a time to adjust by")
	}
	m.state("$Routing", map[string]any{
		"Priority": firstText(prio, m.stateOf("$Routing", "Priority")), "Adjust": firstText(adjust, m.stateOf("$Routing", "Adjust")),
	})
	if prio != "" && m.s.Placement != 0 {
		m.emit(Command{Kind: CmdPriority, Thread: t.ID, Node: n.id, Priority: min(p, 10)})
	}
	if adjust != "" && m.s.Placement != 0 {
		m.emit(Command{Kind: CmdPriority, Thread: t.ID, Node: n.id, AgeAdjustSeconds: &seconds})
	}
	return on(PortOK, firstText(prio, adjust+" s"))
}

func execHooks(m *machine, _ *Thread, n *cnode) result {
	d, _ := n.data.([]cpair)
	pairs, err := m.pairs(d)
	if err != nil {
		return failedErr("reading the flows", err)
	}
	hooks := make(map[string]any, len(pairs))
	if old, ok := m.env.Vars["$Hooks"].(map[string]any); ok {
		maps.Copy(hooks, old)
	}
	detail := ""
	for _, p := range pairs {
		hooks[p.Name] = m.p.flowRef(strings.TrimSpace(p.Value))
		detail = strings.TrimPrefix(detail+", "+p.Name, ", ")
	}
	m.state("$Hooks", hooks)
	return on(PortOK, clip(detail))
}

func execMetric(m *machine, t *Thread, n *cnode) result {
	d, _ := n.data.(*cmetric)
	q, err := m.queueNamed(d.queue)
	if err != nil {
		return failedErr("choosing the queue", err)
	}
	if q == nil {
		q, _ = m.env.Vars["$Queue"].(map[string]any)
	}
	ref, name := firstText(text(q["Bound"]), d.queue.resolve(text(q["ARN"]))), text(q["Name"])
	if ref == "" && name == "" {
		return failed("no queue was chosen")
	}
	m.command(t, n.id, Command{Kind: CmdAsk, Ask: &Ask{What: AskQueueInfo, Ref: ref, Name: name}})
	return wait(firstText(name, ref))
}

// afterMetric keeps a queue's figures as $.Metrics, or compares the one that was asked for.
func (m *machine) afterMetric(n *cnode, ev *Event) result {
	d, _ := n.data.(*cmetric)
	if ev.Error != "" || strings.EqualFold(ev.Outcome, "failed") {
		return failed("%s", firstText(clip(ev.Error), "no figures"))
	}
	num := func(name string) int64 {
		i, err := toInteger(plain(ev.Fields[name]))
		if err != nil {
			return 0
		}
		n, _ := i.(int64)
		return n
	}
	staffed, available := num("LoggedOnAgentsCurrent"), num("AvailableAgents")
	if ev.Fields["StaffedAgents"] != nil {
		staffed = num("StaffedAgents")
	}
	busy := max(0, staffed-available)
	if ev.Fields["BusyAgents"] != nil {
		busy = num("BusyAgents")
	}
	figures := map[string]int64{
		"NumberOfAgentsAvailable": available, "NumberOfAgentsStaffed": staffed, "NumberOfAgentsOnline": num("LoggedOnAgentsAll"),
		"OldestContactInQueueAgeSeconds": num("OldestCallTime") / 1000, "NumberOfContactsInQueue": num("CallsQueuedNow"),
	}
	metric, err := d.metric.render(m.env)
	if err != nil {
		return failedErr("reading the metric", err)
	}
	if metric != "" {
		v, ok := figures[strings.TrimSpace(metric)]
		if !ok {
			return failed("the metric %.60q is not known", metric)
		}
		return m.choose(n, strconv.FormatInt(v, 10), metric+" = "+strconv.FormatInt(v, 10))
	}
	count := func(v int64) map[string]any { return map[string]any{"Count": text(v)} }
	q, _ := m.env.Vars["$Queue"].(map[string]any)
	m.state("$Metrics", map[string]any{
		"Queue": map[string]any{
			"Name": text(q["Name"]), "ARN": text(q["ARN"]), "Size": text(figures["NumberOfContactsInQueue"]),
			"OldestContactAge": text(figures["OldestContactInQueueAgeSeconds"]), "EstimatedWaitTime": text(max(-1, num("EWT")/1000)),
			"PositionInQueue": text(num("PIQ")),
		},
		"Agents": map[string]any{
			"Online": count(num("LoggedOnAgentsAll")), "Staffed": count(staffed), "Available": count(available),
			"AfterContactWork": count(num("AfterContactWorkAgents")), "Busy": count(busy), "Missed": count(num("MissedAgents")),
			"NonProductive": count(num("NonProductiveAgents")),
		},
	})
	return m.choose(n, "", "figures kept")
}

func execRecord(m *machine, t *Thread, n *cnode) result {
	d, _ := n.data.(*crecord)
	r := d.who
	if d.on != nil {
		v, err := d.on.value(m.env)
		if err != nil {
			return failedErr("reading whether to record", err)
		}
		yes, err := toBoolean(v)
		if err != nil {
			return failedErr("reading whether to record", err)
		}
		if yes == false {
			r = Record{}
		}
	}
	m.emit(Command{Kind: CmdRecord, Thread: t.ID, Node: n.id, Record: &r})
	return on(PortOK, "")
}

// execSub runs a flow that was linked in; any other is the driver's to run.
func execSub(m *machine, t *Thread, n *cnode) result {
	d, _ := n.data.(*cask)
	ref, err := d.ref.render(m.env)
	if err != nil {
		return failedErr("choosing the flow", err)
	}
	entry := m.p.links[firstText(strings.TrimSpace(ref), d.name)]
	if entry == nil {
		return execAsk(m, t, n)
	}
	if len(t.Stack) >= maxStack {
		return failed("more than %d flows call each other", maxStack)
	}
	_, params, err := m.asked(d)
	if err != nil {
		return failedErr("writing what the flow is given", err)
	}
	if err := m.handOver(params); err != nil {
		return failedErr("calling the flow", err)
	}
	t.Stack = append(t.Stack, n.id)
	return result{port: PortOK, detail: "into " + firstText(d.name, entry.name), to: entry}
}

func execEndSub(m *machine, t *Thread, n *cnode) result {
	if len(t.Stack) == 0 {
		return ended("end")
	}
	d, _ := n.data.(*ctext)
	outcome, err := d.render(m.env)
	if err != nil {
		return failedErr("reading the result", err)
	}
	return result{way: wayBack, detail: outcome}
}

// back goes on behind the node that called the flow which is over.
func (m *machine) back(t *Thread, n *cnode, r result) *cnode {
	m.trace(t, n, "", "back")
	caller := m.p.nodes[t.Stack[len(t.Stack)-1]]
	t.Stack = t.Stack[:len(t.Stack)-1]
	if caller == nil {
		m.endThread(t, "the calling node is gone")
		return nil
	}
	t.Node = caller.id
	missing := m.takeOver(caller)
	return m.leave(t, caller, m.choose(caller, r.detail, firstText(missing, r.detail)))
}

// flowRef is a flow as the driver knows it; a flow that was linked in is found by that too.
func (p *Program) flowRef(id string) string { return firstText(p.flows[id], id) }

package flow

import (
	"errors"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
)

var (
	errSecure   = errors.New("it failed on a secure value")
	errTrailing = errors.New("there is more than one JSON document")
)

func execHTTP(m *machine, t *Thread, n *cnode) result {
	h, _ := n.data.(*chttp)
	if h.skip != "" && Unset(lookup(m.env.Vars, h.skip)) {
		return on(PortOK, "passed over: "+h.skip+" is not set")
	}
	req := &HTTP{
		Connector: h.connector, ConnectorName: h.connectorName, Method: h.method, ContentType: h.contentType,
		TimeoutMS: h.timeoutMS, Retries: h.retries,
	}
	var err error
	if req.URL, err = h.url.render(m.env); err != nil {
		return failedErr("writing the URL", err)
	}
	if req.Path, err = h.path.render(m.env); err != nil {
		return failedErr("writing the path", err)
	}
	if req.Body, err = h.body.render(m.env); err != nil {
		return failedErr("writing the body", err)
	}
	if req.Headers, err = m.pairs(h.headers); err != nil {
		return failedErr("writing the headers", err)
	}
	if req.Query, err = m.pairs(h.query); err != nil {
		return failedErr("writing the query", err)
	}
	if req.URL == "" && req.Path == "" && req.Connector == "" {
		return failed("the request has no URL")
	}
	m.command(t, n.id, Command{Kind: CmdHTTP, HTTP: req})
	return wait(h.method)
}

func (m *machine) pairs(in []cpair) ([]Pair, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make([]Pair, 0, len(in))
	for i := range in {
		v, err := in[i].val.render(m.env)
		if err != nil {
			return nil, err
		}
		out = append(out, Pair{in[i].name, v})
	}
	return out, nil
}

// afterHTTP stores a server's answer. Its status is for the flow to judge; only a request without an answer is an error.
func (m *machine) afterHTTP(n *cnode, ev *Event) result {
	h, _ := n.data.(*chttp)
	if ev.HTTP == nil {
		if h.status {
			m.output(n.name, "httpStatusCode", int64(0))
		}
		return failed("no answer: %s", firstText(clip(ev.Error), "connection lost"))
	}
	if h.status {
		m.output(n.name, "httpStatusCode", int64(ev.HTTP.Status))
	}
	if h.response {
		m.output(n.name, "httpResponseBody", clipBody(ev.HTTP.Body))
	}
	if h.header {
		hd := make(map[string]any, len(ev.HTTP.Headers))
		for k, v := range ev.HTTP.Headers {
			hd[k] = v
		}
		m.output(n.name, "httpResponseHeaders", hd)
	}
	detail := strconv.Itoa(ev.HTTP.Status)
	if !h.parse {
		return on(PortOK, detail)
	}
	d, ok := m.bindText(n, ev.HTTP.Body)
	if !ok {
		return on(PortOK, detail+", no JSON in the answer")
	}
	if d != "" {
		detail += ", " + d
	}
	return on(PortOK, detail)
}

// clipBody keeps a body within what a variable holds.
func clipBody(b []byte) string {
	if len(b) > MaxVarBytes {
		b = b[:MaxVarBytes]
	}
	return strings.ToValidUTF8(string(b), "")
}

// rank gives a contact the priority that its node says, else the one that was set before, and the age that was.
func (m *machine) rank(e *Enqueue, prio string) {
	if p, err := strconv.Atoi(prio); err == nil && p >= 1 && p <= 9 {
		e.Priority = p
	} else if p, err := strconv.Atoi(m.stateOf("$Routing", "Priority")); err == nil && prio == "" {
		e.Priority = clamp(p, 1, 10)
	}
	e.AgeAdjustSeconds, _ = strconv.Atoi(m.stateOf("$Routing", "Adjust"))
}

func execQueue(m *machine, t *Thread, n *cnode) result {
	q, _ := n.data.(*cqueue)
	e := &Enqueue{QueueName: q.name, Priority: 10, AgentBy: q.agentBy, Park: q.park}
	var errs [4]error
	var prio string
	e.Queue, errs[0] = q.queue.render(m.env)
	e.Fallback, errs[1] = q.fallback.render(m.env)
	prio, errs[2] = q.priority.render(m.env)
	if q.agent != nil {
		e.Agent, errs[3] = q.agent.render(m.env)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return failedErr("choosing the queue", err)
	}
	e.Queue, e.Fallback, e.Agent = strings.TrimSpace(e.Queue), strings.TrimSpace(e.Fallback), strings.TrimSpace(e.Agent)
	if Unset(e.Queue) {
		e.Queue, e.Fallback = e.Fallback, ""
	}
	if Unset(e.Queue) && e.QueueName == "" && e.Agent == "" {
		return queueRefused(n, "no queue is named")
	}
	if e.Queue = q.resolve(e.Queue, q.name); e.Fallback != "" {
		e.Fallback = q.resolve(e.Fallback, "")
	}
	m.rank(e, strings.TrimSpace(prio))
	for i := range q.skills {
		v, err := q.skills[i].val.render(m.env)
		if err != nil {
			return failedErr("writing the skills", err)
		}
		e.Skills = append(e.Skills, SkillNeed{ID: q.skills[i].id, Name: q.skills[i].name, Op: q.skills[i].op, Value: v})
	}
	if m.s.Talking {
		return queueRefused(n, "the contact talks to an agent")
	}
	m.s.take(m.s.Placement) // replaced by this one
	c := Command{Kind: CmdEnqueue, Thread: t.ID, Node: n.id, Enqueue: e}
	c.ID = m.emit(c)
	m.s.Waiting = append(m.s.Waiting, c)
	m.s.Placement = c.ID
	t.Queue = n.id
	return on(PortOK, firstText(e.QueueName, e.Queue, e.Agent))
}

func queueRefused(n *cnode, why string) result {
	if n.exits[PortFailure] != nil {
		return on(PortFailure, why)
	}
	return failed("%s", why)
}

// execPop opens a page. Only addresses of the web, or relative ones, are let through: a page that runs a script is none.
func execPop(m *machine, t *Thread, n *cnode) result {
	d, _ := n.data.(*cpop)
	u, err := d.url.render(m.env)
	if err != nil {
		return failedErr("writing the address", err)
	}
	label, err := d.label.render(m.env)
	if err != nil {
		return failedErr("writing the label", err)
	}
	q, err := m.pairs(d.query)
	if err != nil {
		return failedErr("writing the address", err)
	}
	u = appendQuery(strings.TrimSpace(u), q)
	parsed, err := url.Parse(u)
	if err != nil || u == "" || parsed.Scheme != "" && parsed.Scheme != "https" && parsed.Scheme != "http" {
		return failed("the address is not one of a web page")
	}
	m.emit(Command{Kind: CmdScreenPop, Thread: t.ID, Node: n.id, ScreenPop: &ScreenPop{URL: u, Label: label, Target: d.target}})
	return on(PortOK, label)
}

// appendQuery adds encoded parameters to an address.
func appendQuery(u string, q []Pair) string {
	if len(q) == 0 {
		return u
	}
	frag := ""
	if i := strings.IndexByte(u, '#'); i >= 0 {
		u, frag = u[:i], u[i:]
	}
	var b strings.Builder
	b.WriteString(u)
	for _, p := range q {
		switch {
		case !strings.Contains(b.String(), "?"):
			b.WriteByte('?')
		case !strings.HasSuffix(b.String(), "?") && !strings.HasSuffix(b.String(), "&"):
			b.WriteByte('&')
		}
		b.WriteString(escapeURL(p.Name) + "=" + escapeURL(p.Value))
	}
	return b.String() + frag
}

func execTransfer(m *machine, t *Thread, n *cnode) result {
	d, _ := n.data.(*ctransfer)
	num, err := d.number.render(m.env)
	if err != nil {
		return failedErr("writing the number", err)
	}
	if num = strings.TrimSpace(num); Unset(num) {
		return on(PortFailure, "no number")
	}
	callerID, err := d.caller.render(m.env)
	digits, err2 := d.digits.render(m.env)
	if err = errors.Join(err, err2); err != nil {
		return failedErr("writing the caller's number", err)
	}
	m.cancelPlacement()
	m.command(t, n.id, Command{Kind: CmdTransfer, Transfer: &Transfer{
		Number: num, Bridged: d.bridged, TimeoutMS: d.timeoutMS, CallerID: firstText(strings.TrimSpace(callerID), m.callerID()), Digits: strings.TrimSpace(digits),
	}})
	return wait("")
}

func execCallback(m *machine, t *Thread, n *cnode) result {
	d, _ := n.data.(*ccallback)
	num, err := d.number.render(m.env)
	queue, err2 := d.queue.render(m.env)
	ani, err3 := d.ani.render(m.env)
	if err = errors.Join(err, err2, err3); err != nil {
		return failedErr("writing the number", err)
	}
	if num = strings.TrimSpace(num); Unset(num) {
		num = m.s.Contact.ANI
	}
	if Unset(num) {
		return on(PortFailure, "no number to call back")
	}
	m.command(t, n.id, Command{Kind: CmdCallback, Callback: &Callback{
		Number: num, Queue: d.resolve(strings.TrimSpace(queue)), ANI: firstText(ani, m.callerID()), DelaySeconds: d.delay, RetrySeconds: d.retry, Attempts: d.attempts,
	}})
	return wait("")
}

func execAsk(m *machine, t *Thread, n *cnode) result {
	d, _ := n.data.(*cask)
	ref, params, err := m.asked(d)
	if err != nil {
		return failedErr("writing the request", err)
	}
	m.command(t, n.id, Command{Kind: CmdAsk, Ask: &Ask{What: d.what, Ref: ref, Name: d.name, Params: params}})
	return wait(d.what)
}

func (m *machine) asked(d *cask) (ref string, params map[string]string, err error) {
	if ref, err = d.ref.render(m.env); err != nil {
		return "", nil, err
	}
	pairs, err := m.pairs(d.params)
	if err != nil {
		return "", nil, err
	}
	for _, p := range pairs {
		if params == nil {
			params = make(map[string]string, len(pairs))
		}
		params[p.Name] = p.Value
	}
	return d.resolve(strings.TrimSpace(ref)), params, nil
}

func execGoto(m *machine, t *Thread, n *cnode) result {
	d, _ := n.data.(*cask)
	ref, _, err := m.asked(d)
	if err != nil {
		return failedErr("choosing the flow", err)
	}
	if ref == "" && d.name == "" {
		return failed("no flow is named")
	}
	m.emit(Command{Kind: CmdGoto, Thread: t.ID, Node: n.id, Goto: &Destination{ID: ref, Name: d.name}})
	m.trace(t, n, "", d.name)
	m.flushCAD()
	m.over("the contact went on to another flow")
	return result{way: wayEnd, detail: "handed over"}
}

// execSplit draws a branch by weight, by the seed that came with the event.
func execSplit(m *machine, _ *Thread, n *cnode) result {
	d, _ := n.data.(*csplit)
	if len(d.upTo) == 0 || d.upTo[len(d.upTo)-1] == 0 {
		return failed("no branch has a weight")
	}
	draw := rand.New(rand.NewPCG(m.seed, uint64(m.s.LastCommand))).Uint64N(d.upTo[len(d.upTo)-1]) //nolint:gosec // chance of a flow, replayable on purpose
	for i, up := range d.upTo {
		if draw < up {
			return on(PortShare(d.labels[i]), d.labels[i])
		}
	}
	return failed("no branch was drawn")
}

func execWait(m *machine, t *Thread, n *cnode) result {
	d, _ := n.data.(*cwait)
	v, err := d.time.render(m.env)
	if err != nil {
		return failedErr("reading the time to wait", err)
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
	if err != nil || f != f {
		return failed("the time to wait is no number")
	}
	const week = 7 * 86_400_000
	m.command(t, n.id, Command{Kind: CmdTimer, Timer: &Timer{MS: int64(max(0, min(f*d.unit, week)))}})
	return wait("")
}

func execPriority(m *machine, t *Thread, n *cnode) result {
	d, _ := n.data.(*ctext)
	v, err := d.render(m.env)
	if err != nil {
		return failedErr("reading the priority", err)
	}
	p, err := strconv.Atoi(strings.TrimSpace(v))
	if err != nil || p < 1 || p > 9 {
		p = 10
	}
	m.emit(Command{Kind: CmdPriority, Thread: t.ID, Node: n.id, Priority: p})
	return on(PortOK, strconv.Itoa(p))
}

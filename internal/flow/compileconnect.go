package flow

import (
	"slices"
	"strconv"
	"strings"
)

// cmatch is one condition on a node's result.
type cmatch struct {
	op   string
	want []*ctext
	port Port
}

func (c *compiler) matches(n *Node) []cmatch {
	if _, ok := n.In["match"]; !ok {
		return nil
	}
	out := []cmatch{}
	for _, item := range n.In["match"].List {
		m := cmatch{op: text(item.Map["op"].Lit), port: Port(text(item.Map["port"].Lit))}
		for _, v := range item.Map["operands"].List {
			m.want = append(m.want, c.text(v))
		}
		out = append(out, m)
	}
	return out
}

// holds reports whether a condition is true of a value (Amazon Connect, "Flow language", Compare). An operator nobody knows
// never holds; numbers that are none never do either.
func (c *cmatch) holds(got, want string) bool {
	switch c.op {
	case "", "Equals":
		return got == want
	case "NotEquals":
		return got != want
	case "TextStartsWith":
		return strings.HasPrefix(got, want)
	case "TextEndsWith":
		return strings.HasSuffix(got, want)
	case "TextContains", "Contains":
		return strings.Contains(got, want)
	case "Exists":
		return got != ""
	}
	a, err := strconv.ParseFloat(strings.TrimSpace(got), 64)
	b, err2 := strconv.ParseFloat(strings.TrimSpace(want), 64)
	if err != nil || err2 != nil {
		return false
	}
	switch c.op {
	case "NumberGreaterThan":
		return a > b
	case "NumberGreaterOrEqualTo":
		return a >= b
	case "NumberLessThan":
		return a < b
	case "NumberLessOrEqualTo":
		return a <= b
	}
	return false
}

// connect compiles chance and waiting, and the operations that come from Amazon Connect.
func (c *compiler) connect(n *Node, out *cnode) {
	switch n.Op {
	case OpSplit:
		out.data, out.exec = c.split(n), execSplit
	case OpWait:
		d := &cwait{c.text(n.In["durationMS"]), 1}
		if v, ok := n.In["seconds"]; ok {
			d = &cwait{c.text(v), 1000}
		}
		out.data, out.exec = d, execWait
	case OpPriority:
		out.data, out.exec = c.text(n.In["priority"]), execPriority
	case OpFunction:
		out.data, out.exec = c.function(n), execFunction
	case OpCompare:
		out.data, out.exec = c.text(n.In["value"]), execCompare
	case OpLoop:
		out.data, out.exec = c.text(n.In["count"]), execLoop
	case OpLoopPrompts:
		out.data, out.exec = &cloopPrompts{say: c.say(n), interruptMS: clamp(c.number(n.In["interruptMS"], 0), 0, 86_400_000)}, execLoopPrompts
	case OpSetQueue:
		out.data, out.exec = c.setQueue(n), execSetQueue
	case OpRouting:
		out.data, out.exec = &crouting{c.text(n.In["priority"]), c.text(n.In["adjustSeconds"])}, execRouting
	case OpHooks:
		out.data, out.exec = c.pairs(n.In["hooks"], func(string) place { return nil }), execHooks
	case OpMetric:
		out.data, out.exec = &cmetric{c.setQueue(n), c.text(n.In["metric"])}, execMetric
	case OpRecord:
		out.data, out.exec = c.record(n), execRecord
	default:
		c.more(n, out)
	}
}

// more compiles secrets, and what the driver is asked to do.
func (c *compiler) more(n *Node, out *cnode) {
	switch n.Op {
	case OpHash:
		out.data, out.exec = c.hash(n), execHash
	case OpOTP:
		out.data, out.exec = c.otp(n), execOTP
	case OpVerifyOTP:
		out.data, out.exec = &cverify{c.text(n.In["reference"]), c.text(n.In["otp"]), c.text(n.In["resend"])}, execVerifyOTP
	case OpCallerID:
		out.data, out.exec = c.text(n.In["number"]), execCallerID
	case OpSendDigits:
		a := c.ask(n, AskSendDigits, "", "")
		a.params = append(a.params, cpair{"digits", c.text(n.In["digits"])})
		out.data, out.exec = a, execAsk
	case OpRecordMessage:
		out.data, out.exec = c.ask(n, AskRecordMessage, "", ""), execAsk
	case OpView:
		out.data, out.exec = c.ask(n, AskView, RefView, "view"), execAsk
	case OpStream:
		out.data, out.exec = c.ask(n, AskStream, "", ""), execAsk
	case OpTask:
		out.data, out.exec = c.ask(n, AskTask, RefFlow, "flow"), execAsk
	default:
		out.exec = execUnsupported
	}
}

type cfunction struct {
	ask   *cask
	async bool
	ms    int
	// document takes any JSON document as an answer; else its values are texts.
	document bool
}

func (c *compiler) function(n *Node) *cfunction {
	return &cfunction{
		ask: c.ask(n, AskFunction, RefFunction, "function"), async: c.flag(n.In["async"]),
		ms:       clamp(c.number(n.In["timeoutMS"], 3000), 100, maxHTTPTimeoutMS),
		document: strings.EqualFold(text(n.In["response"].Lit), "JSON"),
	}
}

type cloopPrompts struct {
	say         *csay
	interruptMS int
}

type csetQueue struct {
	queue, agent *ctext
	name         string
	resolve      func(string) string
	names        map[string]string // of queues by identifier
}

func (c *compiler) setQueue(n *Node) *csetQueue {
	s := &csetQueue{queue: c.text(n.In["queue"]), name: text(n.In["queueName"].Lit), names: make(map[string]string)}
	if v, ok := n.In["agent"]; ok {
		s.agent = c.text(v)
	}
	for _, r := range c.f.Refs {
		if r.Kind == RefQueue && r.Name != "" {
			s.names[r.ID] = r.Name
		}
	}
	refs := c.refs[RefQueue]
	s.resolve = func(id string) string { return firstText(refs[id], id) }
	return s
}

type crouting struct{ priority, adjust *ctext }

type cmetric struct {
	queue  *csetQueue
	metric *ctext
}

// crecord is who is recorded; on, if there is one, decides whether anybody is.
type crecord struct {
	who Record
	on  *ctext
}

func (c *compiler) record(n *Node) *crecord {
	out := &crecord{}
	if v, ok := n.In["on"]; ok {
		out.on, out.who = c.text(v), Record{Agent: true, Customer: true}
	}
	r := &out.who
	for _, v := range n.In["participants"].List {
		switch text(v.Lit) {
		case "Agent":
			r.Agent = true
		case "Customer":
			r.Customer = true
		}
	}
	return out
}

// MaxLinks is how many other flows Link puts into one.
const MaxLinks = 50

// Link returns a copy of a flow of Amazon Connect with the flows put into it that it calls as modules or plays to waiting
// contacts; find returns the flow a reference leads to, or nil. What is not found stays a question to the driver. The
// copy is for running: nodes of a linked flow stand under its number and their own identifier, and where their name is taken
// they have another.
func Link(f *Flow, find func(Ref) *Flow) *Flow {
	out := f.Clone()
	done := make(map[*Flow]NodeID)
	own := make(map[NodeID]map[string]string) // the new names of variables, by entry
	todo := slices.Clone(out.Refs)
	for len(todo) > 0 && len(done) < MaxLinks {
		r := todo[0]
		todo = todo[1:]
		if r.Kind != RefFlow || out.Links[r.ID] != "" || !callsOrPlays(out.Nodes[r.Node]) {
			continue
		}
		g := find(r)
		if g == nil || len(out.Nodes)+len(g.Nodes) > MaxNodes {
			continue
		}
		entry, known := done[g]
		if !known {
			prefix := NodeID(strconv.Itoa(len(done)+1) + "/")
			entry = prefix + g.Start
			done[g] = entry
			refs, names := out.graft(g, prefix)
			todo, own[entry] = append(todo, refs...), names
		}
		if out.Links == nil {
			out.Links = make(map[string]NodeID)
		}
		out.Links[r.ID] = entry
		if r.Bound != "" {
			out.Links[r.Bound] = entry
		}
	}
	out.passRenamed(own)
	return out
}

func callsOrPlays(n *Node) bool { return n != nil && (n.Op == OpSub || n.Op == OpHooks) }

// graft copies another flow's nodes, variables and references into f and returns the references, and the new names of the
// variables that have others.
func (f *Flow) graft(g *Flow, prefix NodeID) ([]Ref, map[string]string) {
	g = g.Clone()
	suffix := "_" + strings.TrimSuffix(string(prefix), "/")
	f.apart(g, suffix)
	names := f.ownVars(g, suffix)
	for id, n := range g.Nodes {
		n.ID = prefix + id
		for port, to := range n.Exits {
			n.Exits[port] = prefix + to
		}
		f.Nodes[n.ID] = n
	}
	f.share(g)
	for i := range g.Refs {
		g.Refs[i].Node = prefix + g.Refs[i].Node
	}
	f.Refs = append(f.Refs, g.Refs...)
	return g.Refs, names
}

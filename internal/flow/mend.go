package flow

import "strings"

// Mended is one correction that Mend made.
type Mended struct {
	Node  string `json:"node"`
	Field string `json:"field"`
	What  string `json:"what"`
}

// mendRounds bounds how often a text is corrected: one correction may bring the next defect to light.
const mendRounds = 8

// Mend returns a copy of the flow with the defects corrected that have a sure correction: malformed templates and paths,
// unescaped values, paths to lists, texts that stand for nothing, requests for records that were not found (a condition
// goes before them) and missing error handling (errors go to the flow's first queue, else to an apology). With a
// report only the problems it names are corrected; a nil report means all. The flow itself is not changed.
func Mend(f *Flow, r *Report) (*Flow, []Mended) {
	c := f.Clone()
	m := &mender{f: c}
	if r != nil {
		m.named = make(map[[2]string]bool, len(r.Problems))
		for _, p := range r.Problems {
			m.named[[2]string{p.Node, p.Field}] = true
		}
	}
	for range mendRounds {
		if !m.round() {
			break
		}
	}
	return c, m.done
}

type mender struct {
	f     *Flow
	named map[[2]string]bool
	done  []Mended
}

// round corrects each field at most once, and reports whether it corrected anything.
func (m *mender) round() bool {
	touched := make(map[[2]string]bool)
	for _, p := range Lint(m.f) {
		key := [2]string{string(p.ID), p.Field}
		if touched[key] || m.named != nil && !m.named[[2]string{p.Node, p.Field}] {
			continue
		}
		if m.apply(p) {
			touched[key] = true
		}
	}
	return len(touched) > 0
}

func (m *mender) apply(p Problem) bool {
	var what string
	switch {
	case p.Replace:
		if !m.replace(p) {
			return false
		}
		what = "replaced by: " + p.Fix
	case p.Rule == RuleDefault:
		m.empty(p)
		what = "starts empty"
	case p.Rule == RuleUnguarded:
		m.guard(p)
		what = "a condition comes before it: " + guardOf(p.Var)
	case p.Rule == RuleNoHandler:
		what = m.handleErrors()
	default:
		return false
	}
	m.done = append(m.done, Mended{Node: p.Node, Field: p.Field, What: what})
	return true
}

// replace puts the corrected text in the place of the field.
func (m *mender) replace(p Problem) bool {
	n := m.f.Nodes[p.ID]
	if n == nil {
		return false
	}
	for i := range n.Out {
		if n.Out[i].Field == p.Field && n.Out[i].Path != p.Fix {
			n.Out[i].Path = p.Fix
			return true
		}
	}
	found := false
	for k, v := range n.In {
		if w, ok := replaced(v, p); ok {
			n.In[k] = w
			found = true
		}
	}
	return found
}

func replaced(v Value, p Problem) (Value, bool) {
	found := false
	for i := range v.List {
		w, ok := replaced(v.List[i], p)
		v.List[i] = w
		found = found || ok
	}
	for k, x := range v.Map {
		w, ok := replaced(x, p)
		v.Map[k] = w
		found = found || ok
	}
	if v.Field == p.Field && v.Dialect != DialectLiteral && v.Src != p.Fix {
		v.Src = p.Fix
		return v, true
	}
	return v, found
}

func (m *mender) empty(p Problem) {
	name := strings.TrimSuffix(strings.TrimPrefix(p.Field, "variables."), ".value")
	for i := range m.f.Vars {
		if m.f.Vars[i].Name == name {
			m.f.Vars[i].Value = nil
		}
	}
}

// guard puts a condition before a node: without the variable the flow goes on after it.
func (m *mender) guard(p Problem) {
	n := m.f.Nodes[p.ID]
	id := m.newID(string(n.ID) + "-guard-" + p.Var)
	g := &Node{
		ID: id, Name: n.Name + "_Guard", Op: OpCond, Type: "condition-activity",
		In:    map[string]Value{"expr": Pebble(guardOf(p.Var), "expression")},
		Exits: map[Port]NodeID{PortTrue: n.ID}, PortNames: map[Port]string{PortTrue: "true", PortFalse: "false"},
	}
	next := n.Exits[PortOK]
	if next == "" {
		next = m.newID(string(n.ID) + "-end")
		m.f.Nodes[next] = &Node{ID: next, Name: n.Name + "_End", Op: OpEnd, Type: "end"}
	}
	g.Exits[PortFalse] = next
	for _, x := range m.f.Nodes {
		for port, to := range x.Exits {
			if to == n.ID && x != n {
				x.Exits[port] = id
			}
		}
	}
	for ev, to := range m.f.On {
		if to == n.ID {
			m.f.On[ev] = id
		}
	}
	m.f.Nodes[id] = g
	m.place(id, n.ID, 0, -120)
}

// handleErrors sends errors to the flow's first queue, so that callers are served while another system is down.
func (m *mender) handleErrors() string {
	on := m.f.On[OnError]
	ev := m.f.Nodes[on]
	if ev == nil {
		on = m.newID("GlobalErrorHandling")
		ev = &Node{ID: on, Name: "GlobalErrorHandling", Op: OpEvent, Type: "event", In: map[string]Value{"event": Lit("OnGlobalError")}}
		m.f.Nodes[on] = ev
		if m.f.On == nil {
			m.f.On = make(map[EventName]NodeID)
		}
		m.f.On[OnError] = on
	}
	if ev.Exits == nil {
		ev.Exits = make(map[Port]NodeID)
	}
	out := m.newID("GlobalErrorHandling-disconnect")
	m.f.Nodes[out] = &Node{ID: out, Name: "DisconnectAfterError", Op: OpHangup, Type: "disconnect-contact"}
	id := m.newID("GlobalErrorHandling-serve")
	ev.Exits[PortOK] = id
	if q := m.firstQueue(); q != nil {
		c := *q
		c.ID, c.Name, c.Raw = id, q.Name+"_AfterError", nil
		c.In = cloneValues(q.In)
		c.Exits = map[Port]NodeID{PortFailure: out}
		if to := q.Exits[PortOK]; to != "" {
			c.Exits[PortOK] = to
		}
		c.PortNames = nil
		m.f.Nodes[id] = &c
		return "errors put the caller into the queue of " + q.Name
	}
	m.f.Nodes[id] = &Node{
		ID: id, Name: "ApologyAfterError", Op: OpSay, Type: "play-message", Exits: map[Port]NodeID{PortOK: out},
		In: map[string]Value{"prompts": {List: []Value{{Map: map[string]Value{"kind": Lit(string(PromptTTS)), "text": Lit(DefaultErrorText)}}}}},
	}
	return "errors are answered with an apology"
}

// firstQueue is the queue node that comes first on the way from the start, by breadth.
func (m *mender) firstQueue() *Node {
	seen := map[NodeID]bool{m.f.Start: true}
	for todo := []NodeID{m.f.Start}; len(todo) > 0; todo = todo[1:] {
		n := m.f.Nodes[todo[0]]
		if n == nil {
			continue
		}
		if n.Op == OpQueue {
			return n
		}
		for _, port := range sortedPorts(n.Exits) {
			if to := n.Exits[port]; !seen[to] {
				seen[to] = true
				todo = append(todo, to)
			}
		}
	}
	return nil
}

func (m *mender) newID(base string) NodeID {
	id := NodeID(base)
	for m.f.Nodes[id] != nil {
		id += "+"
	}
	return id
}

func (m *mender) place(id, near NodeID, dx, dy float64) {
	if pt, ok := m.f.Layout[near]; ok {
		m.f.Layout[id] = Point{pt.X + dx, pt.Y + dy}
	}
}

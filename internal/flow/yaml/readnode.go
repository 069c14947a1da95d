package yaml

import (
	"strconv"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"

	"github.com/tandemcc/tandem/internal/flow"
)

// name gives every node its identifier before exits are read.
func (r *reader) name(list []pair) {
	ids := make(map[flow.NodeID]bool, len(list))
	for _, p := range list {
		id := flow.NodeID(p.key)
		if v := r.resolve(p.val); v != nil && v.Kind == yaml3.MappingNode {
			for i := 0; i+1 < len(v.Content); i += 2 {
				if v.Content[i].Value == "id" {
					id = flow.NodeID(r.text(v.Content[i+1], "nodes."+p.key+".id"))
				}
			}
		}
		if ids[id] {
			r.problem(p.at, "nodes."+p.key, "give it another id", "the identifier %q stands twice", id)
			id = r.unused(flow.NodeID(p.key), ids)
		}
		ids[id] = true
		r.keys[p.key] = id
	}
}

func (r *reader) unused(base flow.NodeID, ids map[flow.NodeID]bool) flow.NodeID {
	for i := 2; ; i++ {
		if id := base + flow.NodeID("#"+strconv.Itoa(i)); !ids[id] {
			return id
		}
	}
}

// step reads one node.
func (r *reader) step(p pair) {
	id := r.keys[p.key]
	n := &flow.Node{ID: id, Name: p.key, Exits: make(map[flow.Port]flow.NodeID)}
	r.node = p.key
	r.f.Nodes[id] = n
	r.rep.Nodes++
	var ownRefs *yaml3.Node
	for _, q := range r.pairs(p.val, "") {
		switch q.key {
		case "id":
		case "name":
			n.Name = r.text(q.val, q.key)
		case "op":
			n.Op = flow.Op(r.text(q.val, q.key))
			r.checkOp(n, q.val)
		case "type":
			n.Type = r.text(q.val, q.key)
		case "in":
			r.inputs(n, q.val)
		case "out":
			r.outputs(n, q.val)
		case "exits":
			r.exits(n, q.val)
		case "refs":
			ownRefs = q.val
		case "ports", "at":
			r.source(n, q)
		default:
			r.problem(q.at, q.key, nearest(q.key, "op", "in", "out", "exits", "name", "id", "type", "ports", "refs", "at"), "%q is no part of a node", q.key)
		}
	}
	if n.Op == "" {
		r.problem(p.at, "op", "say what the node does, e.g. op: say", "the node has no operation")
		n.Op = flow.OpUnsupported
	}
	r.checkNames(n, p)
	if n.Op == flow.OpUnsupported {
		r.rep.Unsupported = append(r.rep.Unsupported, flow.Unsupported{Node: n.Name, Type: or(n.Type, string(n.Op))})
	} else {
		r.rep.Mapped++
	}
	if ownRefs == nil {
		r.f.Refs = append(r.f.Refs, derivedRefs(n)...)
		return
	}
	r.refs(n.ID, ownRefs)
}

// source reads what belongs to the format and the canvas the node came from.
func (r *reader) source(n *flow.Node, q pair) {
	if q.key == "at" {
		r.point(n, q.val)
		return
	}
	for _, x := range r.pairs(q.val, q.key) {
		if n.PortNames == nil {
			n.PortNames = make(map[flow.Port]string)
		}
		n.PortNames[flow.Port(x.key)] = r.text(x.val, "ports."+x.key)
	}
}

func (r *reader) point(n *flow.Node, v *yaml3.Node) {
	v = r.resolve(v)
	if v == nil || v.Kind != yaml3.SequenceNode || len(v.Content) != 2 {
		if v != nil {
			r.problem(v, "at", "write [x, y]", "at is not a place")
		}
		return
	}
	if r.f.Layout == nil {
		r.f.Layout = make(map[flow.NodeID]flow.Point)
	}
	r.f.Layout[n.ID] = flow.Point{X: r.number(v.Content[0], "at[0]"), Y: r.number(v.Content[1], "at[1]")}
}

// inputs reads the inputs, with the short forms of prompts and sets.
func (r *reader) inputs(n *flow.Node, v *yaml3.Node) {
	for _, p := range r.pairs(v, "in") {
		if n.In == nil {
			n.In = make(map[string]flow.Value)
		}
		at := "in." + p.key
		switch p.key {
		case "prompts":
			n.In[p.key] = r.prompts(p.val, at)
		case "sets":
			n.In[p.key] = r.sets(p.val, at)
		default:
			n.In[p.key] = r.value(p.val, at, 0)
		}
	}
}

// prompts reads a list of prompts: a text, {tts: text} or {file: name}, or the long form.
func (r *reader) prompts(n *yaml3.Node, field string) flow.Value {
	v := r.resolve(n)
	if v == nil || v.Kind == yaml3.ScalarNode && v.Tag == "!!null" {
		return flow.Value{}
	}
	items := []*yaml3.Node{v}
	if v.Kind == yaml3.SequenceNode {
		items = v.Content
	}
	out := make([]flow.Value, 0, len(items))
	for i, item := range items {
		at := field + "[" + strconv.Itoa(i) + "]"
		x := r.resolve(item)
		switch {
		case x == nil:
		case x.Kind == yaml3.ScalarNode && x.Tag != "!!null":
			out = append(out, prompt(string(flow.PromptTTS), r.value(x, at, 0)))
		case x.Kind == yaml3.MappingNode && len(x.Content) == 2 && isPrompt(x.Content[0].Value):
			out = append(out, prompt(x.Content[0].Value, r.value(x.Content[1], at+"."+x.Content[0].Value, 0)))
		default:
			out = append(out, r.value(x, at, 0))
		}
	}
	return flow.Value{List: out}
}

func isPrompt(kind string) bool {
	return kind == string(flow.PromptTTS) || kind == string(flow.PromptFile) || kind == "ssml"
}

func prompt(kind string, text flow.Value) flow.Value {
	return flow.Value{Map: map[string]flow.Value{"kind": flow.Lit(kind), "text": text}}
}

// sets reads assignments: name: value in order, or the long form.
func (r *reader) sets(n *yaml3.Node, field string) flow.Value {
	v := r.resolve(n)
	if v == nil || v.Kind != yaml3.MappingNode {
		return r.value(n, field, 0)
	}
	out := make([]flow.Value, 0, len(v.Content)/2)
	for _, p := range r.pairs(v, field) {
		name := flow.Value{Lit: p.key, Field: field + "." + p.key + " " + at(p.at)}
		out = append(out, flow.Value{Map: map[string]flow.Value{"var": name, "value": r.value(p.val, field+"."+p.key, 0)}})
	}
	return flow.Value{List: out}
}

// outputs reads what of a result goes where: variable: path, or a list of path and var.
func (r *reader) outputs(n *flow.Node, node *yaml3.Node) {
	v := r.resolve(node)
	if v == nil {
		return
	}
	if v.Kind != yaml3.SequenceNode {
		for _, p := range r.pairs(v, "out") {
			n.Out = append(n.Out, flow.Bind{Path: r.text(p.val, "out."+p.key), Var: p.key, Field: "out." + p.key + " " + at(p.val)})
		}
		return
	}
	for i, item := range v.Content {
		field := "out[" + strconv.Itoa(i) + "]"
		b := flow.Bind{Field: field + " " + at(item)}
		for _, p := range r.pairs(item, field) {
			switch p.key {
			case "path":
				b.Path = r.text(p.val, field+".path")
			case "var":
				b.Var = r.text(p.val, field+".var")
			default:
				r.problem(p.at, field, nearest(p.key, "path", "var"), "%q is no part of an output", p.key)
			}
		}
		n.Out = append(n.Out, b)
	}
}

// exits reads where each port leads; a mere name is the port ok.
func (r *reader) exits(n *flow.Node, node *yaml3.Node) {
	v := r.resolve(node)
	if v == nil {
		return
	}
	if v.Kind == yaml3.ScalarNode && v.Tag != "!!null" {
		r.exit(n, flow.PortOK, v)
		return
	}
	for _, p := range r.pairs(v, "exits") {
		r.exit(n, flow.Port(p.key), p.val)
	}
}

func (r *reader) exit(n *flow.Node, port flow.Port, v *yaml3.Node) {
	key := r.text(v, "exits."+string(port))
	id, ok := r.keys[key]
	if !ok {
		r.problem(v, "exits."+string(port), r.nearestNode(key), "the exit %s leads to %q, which is not in the flow", port, key)
		return
	}
	n.Exits[port] = id
	r.rep.Edges++
}

// checkOp reports an operation that does not exist; the node then stands for a step that cannot be run.
func (r *reader) checkOp(n *flow.Node, at *yaml3.Node) {
	if _, ok := opNamed(n.Op); ok {
		return
	}
	r.problem(at, "op", nearest(string(n.Op), opNames()...), "there is no operation %.40q", n.Op)
	n.Type, n.Op = or(n.Type, string(n.Op)), flow.OpUnsupported
}

// checkNames reports inputs and exits that are probably misspelt. Others are let through: formats differ, and what is not
// known has no effect.
func (r *reader) checkNames(n *flow.Node, p pair) {
	op, ok := opNamed(n.Op)
	if !ok || n.Op == flow.OpUnsupported {
		return
	}
	for name := range n.In {
		if hint, typo := misspelt(name, op.inputs); typo {
			r.problem(p.at, "in."+name, hint, "the operation %s has no input %q", n.Op, name)
		}
	}
	if _, matched := n.In["match"]; matched {
		return // exits by the conditions' own names
	}
	ports := make([]string, 0, len(op.ports))
	for _, q := range op.ports {
		ports = append(ports, q)
		if strings.HasSuffix(q, ">") || strings.HasPrefix(q, "as ") {
			return // exits by value: any name will do
		}
	}
	for port := range n.Exits {
		if hint, typo := misspelt(string(port), ports); typo {
			r.problem(p.at, "exits."+string(port), hint, "the operation %s has no exit %q", n.Op, port)
		}
	}
}

func misspelt(name string, known []string) (string, bool) {
	best, far := "", 3
	for _, k := range known {
		d := distance(strings.ToLower(name), strings.ToLower(k))
		if d == 0 && name == k {
			return "", false
		}
		if d < far {
			best, far = k, d
		}
	}
	return best, best != ""
}

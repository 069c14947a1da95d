package yaml

import (
	"strconv"

	yaml3 "go.yaml.in/yaml/v3"

	"github.com/tandemcc/tandem/internal/flow"
)

// refInputs are the inputs by which nodes name things outside the flow: identifier, name and kind.
var refInputs = []struct {
	id, name string
	kind     flow.RefKind
}{
	{"queue", "queueName", flow.RefQueue},
	{"fallback", "", flow.RefQueue},
	{"connector", "connectorName", flow.RefConnector},
	{"bot", "botName", flow.RefBot},
	{"hours", "hoursName", flow.RefHours},
	{"flow", "flowName", flow.RefFlow},
	{"function", "functionName", "function"},
	{"file", "", flow.RefPrompt},
}

// builtin is the music that every installation has.
const builtin = "defaultmusic_on_hold.wav"

// derivedRefs are the references a node makes by literal inputs. They need not be written down.
func derivedRefs(n *flow.Node) []flow.Ref {
	var out []flow.Ref
	add := func(kind flow.RefKind, id, name flow.Value) {
		key, _ := id.Lit.(string)
		label, _ := name.Lit.(string)
		if key == "" && label == "" || kind == flow.RefPrompt && key == builtin {
			return
		}
		out = append(out, flow.Ref{Node: n.ID, Kind: kind, ID: key, Name: label})
	}
	for _, in := range refInputs {
		add(in.kind, n.In[in.id], n.In[in.name])
	}
	for _, p := range n.In["prompts"].List {
		if p.Map["kind"].Lit == string(flow.PromptFile) {
			add(flow.RefPrompt, p.Map["text"], flow.Value{})
		}
	}
	for _, s := range n.In["skills"].List {
		add(flow.RefSkill, s.Map["id"], s.Map["name"])
	}
	return out
}

// refs reads the references of a node where they are written down.
func (r *reader) refs(node flow.NodeID, n *yaml3.Node) {
	v := r.resolve(n)
	if v == nil || v.Kind == yaml3.ScalarNode && v.Tag == "!!null" {
		return
	}
	if v.Kind != yaml3.SequenceNode {
		r.problem(v, "refs", "write a list", "refs is not a list")
		return
	}
	for i, item := range v.Content {
		field := "refs[" + strconv.Itoa(i) + "]"
		ref := flow.Ref{Node: node}
		for _, p := range r.pairs(item, field) {
			s := r.text(p.val, field+"."+p.key)
			switch p.key {
			case "node":
				ref.Node = flow.NodeID(s)
			case "kind":
				ref.Kind = flow.RefKind(s)
			case "id":
				ref.ID = s
			case "name":
				ref.Name = s
			case "bound":
				ref.Bound = s
			default:
				r.problem(p.at, field, nearest(p.key, "kind", "id", "name", "bound", "node"), "%q is no part of a reference", p.key)
			}
		}
		r.f.Refs = append(r.f.Refs, ref)
	}
}

func (r *reader) moreRefs(n *yaml3.Node) {
	if n != nil {
		r.refs("", n)
	}
}

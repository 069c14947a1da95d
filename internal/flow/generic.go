package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// ConnectImporter recognises flows of Amazon Connect (Flow language 2019-10-30) and keeps them whole: their shape is read,
// their actions are not translated and stand as unsupported nodes with their source text.
type ConnectImporter struct{}

var _ Importer = ConnectImporter{}

// Format returns the format's name.
func (ConnectImporter) Format() string { return "connect" }

// Sniff looks for StartAction and Actions.
func (ConnectImporter) Sniff(data []byte) bool {
	var head struct {
		StartAction *json.RawMessage
		Actions     []json.RawMessage
	}
	return json.Unmarshal(data, &head) == nil && head.StartAction != nil && head.Actions != nil
}

type connectAction struct {
	Identifier  string
	Type        string
	Transitions struct {
		NextAction string
		Conditions []connectExit
		Errors     []connectExit
	}
}

type connectExit struct {
	NextAction string
	ErrorType  string
	Condition  struct {
		Operator string
		Operands []any
	}
}

// Import reads the shape of a flow.
func (ConnectImporter) Import(data []byte) (*Flow, *Report, error) {
	var raw struct {
		StartAction string
		Actions     []json.RawMessage
		Metadata    struct{ Name string }
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, nil, wrapf(err, "reading an Amazon Connect flow")
	}
	g := newShape("connect", raw.Metadata.Name, data)
	actions := make([]connectAction, len(raw.Actions))
	for i, r := range raw.Actions {
		if err := json.Unmarshal(r, &actions[i]); err != nil {
			g.problem("Actions[%d] is not read: %v", i, err)
		}
		g.node(i, actions[i].Identifier, "", actions[i].Type, r)
	}
	for i, a := range actions {
		from := g.ids[i]
		if a.Transitions.NextAction != "" {
			g.edge(from, PortOK, a.Transitions.NextAction)
		}
		for _, c := range a.Transitions.Conditions {
			want := ""
			if len(c.Condition.Operands) > 0 {
				want = text(c.Condition.Operands[0])
			}
			g.edge(from, Port("case:"+c.Condition.Operator+":"+want), c.NextAction)
		}
		for _, e := range a.Transitions.Errors {
			g.edge(from, Port("error:"+e.ErrorType), e.NextAction)
		}
	}
	return g.done(raw.StartAction)
}

// LegacyImporter does for the older exports of Amazon Connect ("modules") what ConnectImporter does for the newer.
type LegacyImporter struct{}

var _ Importer = LegacyImporter{}

// Format returns the format's name.
func (LegacyImporter) Format() string { return "connect-legacy" }

// Sniff looks for modules and start.
func (LegacyImporter) Sniff(data []byte) bool {
	var head struct {
		Start   *json.RawMessage  `json:"start"`
		Modules []json.RawMessage `json:"modules"`
	}
	return json.Unmarshal(data, &head) == nil && head.Start != nil && head.Modules != nil
}

type legacyModule struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Branches []struct {
		Condition      string `json:"condition"`
		ConditionValue any    `json:"conditionValue"`
		Transition     string `json:"transition"`
	} `json:"branches"`
}

// Import reads the shape of a flow.
func (LegacyImporter) Import(data []byte) (*Flow, *Report, error) {
	var raw struct {
		Start    string            `json:"start"`
		Modules  []json.RawMessage `json:"modules"`
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, nil, wrapf(err, "reading an older Amazon Connect flow")
	}
	g := newShape("connect-legacy", raw.Metadata.Name, data)
	modules := make([]legacyModule, len(raw.Modules))
	for i, r := range raw.Modules {
		if err := json.Unmarshal(r, &modules[i]); err != nil {
			g.problem("modules[%d] is not read: %v", i, err)
		}
		g.node(i, modules[i].ID, "", modules[i].Type, r)
	}
	for i, m := range modules {
		for _, b := range m.Branches {
			if b.Transition == "" {
				continue
			}
			port := Port(b.Condition)
			if b.ConditionValue != nil {
				port += Port(":" + text(b.ConditionValue))
			}
			g.edge(g.ids[i], port, b.Transition)
		}
	}
	return g.done(raw.Start)
}

// shape builds a flow of nodes that are not translated.
type shape struct {
	f   *Flow
	rep *Report
	ids []NodeID
}

func newShape(format, name string, data []byte) *shape {
	f := &Flow{Name: name, Kind: KindInbound, Nodes: make(map[NodeID]*Node), Origin: Origin{Format: format, Raw: slices.Clone(data)}}
	return &shape{f: f, rep: &Report{Format: format, Name: name}}
}

func (g *shape) problem(format string, args ...any) {
	g.rep.Problems = append(g.rep.Problems, Problem{
		Position: -1, Message: fmt.Sprintf(format, args...), Fix: "correct it in the source system and export the flow again", Rule: RuleShape,
	})
}

func (g *shape) node(i int, id, name, typ string, raw json.RawMessage) {
	nid := NodeID(id)
	if id == "" || g.f.Nodes[nid] != nil {
		if id != "" {
			g.problem("identifier %q stands twice", id)
		}
		nid = NodeID(fmt.Sprintf("%s#%d", id, i+1))
	}
	g.ids = append(g.ids, nid)
	g.rep.Nodes++
	name = firstText(name, string(nid))
	g.f.Nodes[nid] = &Node{ID: nid, Name: name, Op: OpUnsupported, Type: typ, Exits: make(map[Port]NodeID), Raw: slices.Clone(raw)}
	g.rep.Unsupported = append(g.rep.Unsupported, Unsupported{Node: name, Type: typ})
}

func (g *shape) edge(from NodeID, port Port, to string) {
	g.rep.Edges++
	if g.f.Nodes[NodeID(to)] == nil {
		g.problem("%s leads by %s to %q, which is not in the file", from, port, to)
		return
	}
	n := g.f.Nodes[from]
	if _, taken := n.Exits[port]; !taken {
		n.Exits[port] = NodeID(to)
	}
}

func (g *shape) done(start string) (*Flow, *Report, error) {
	if len(g.ids) == 0 {
		return nil, nil, errors.New("the Amazon Connect flow has no actions")
	}
	g.f.Start = NodeID(start)
	if g.f.Nodes[g.f.Start] == nil {
		g.problem("the start %q is not in the file; the first action is taken", start)
		g.f.Start = g.ids[0]
	}
	Finish(g.f, g.rep)
	return g.f, g.rep, nil
}

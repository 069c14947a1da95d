// Package webex reads call flows of Webex Contact Center as the Flow Designer exports them ("raw FDL"; called Legacy
// Flows since the API documents FlowV2). Shapes and property names follow real exports and developer.webex.com.
//
// An import never loses data: nodes keep their source text, and the flow keeps the whole file.
package webex

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tandemcc/tandem/internal/flow"
)

// Format is the name of the format in reports.
const Format = "webex"

// Importer reads raw exports. The zero value is ready and safe for concurrent use.
type Importer struct{}

var _ flow.Importer = Importer{}

// Format returns the format's name.
func (Importer) Format() string { return Format }

// Sniff reports whether data has the parts by which a raw export is known: process.activities.
func (Importer) Sniff(data []byte) bool {
	var head struct {
		Process struct {
			Activities json.RawMessage `json:"activities"`
		} `json:"process"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return false
	}
	return bytes.HasPrefix(bytes.TrimSpace(head.Process.Activities), []byte("{"))
}

// Import reads a raw export.
func (Importer) Import(data []byte) (*flow.Flow, *flow.Report, error) {
	top, err := object(data)
	if err != nil {
		return nil, nil, fmt.Errorf("reading a Webex flow: %w", err)
	}
	im := newImport(top, data)
	im.process(top.obj("process"), "")
	im.events(top.obj("eventFlows").obj("eventsMap"))
	im.layout(top.obj("diagram"))
	if im.f.Start == "" {
		return nil, nil, errors.New("the Webex flow has no start activity")
	}
	im.refs()
	im.rep.Problems = append(im.rep.Problems, flow.Lint(im.f)...)
	flow.Finish(im.f, im.rep)
	return im.f, im.rep, nil
}

// importing is one import at work.
type importing struct {
	f   *flow.Flow
	rep *flow.Report
	// at maps an activity of the part being read to its node: the parts of a file may use an identifier twice.
	at map[string]flow.NodeID
}

func newImport(top props, data []byte) *importing {
	f := &flow.Flow{
		ID: cmp.Or(top.text("flowId"), top.text("id")), Name: top.text("name"), Description: top.text("description"),
		Kind: flow.KindInbound, Version: top.number("version"),
		Nodes: make(map[flow.NodeID]*flow.Node), On: make(map[flow.EventName]flow.NodeID), Layout: make(map[flow.NodeID]flow.Point),
		Origin: flow.Origin{Format: Format, Raw: slices.Clone(data)},
	}
	if strings.EqualFold(top.text("flowType"), "SUBFLOW") {
		f.Kind = flow.KindSub
	}
	im := &importing{f: f, rep: &flow.Report{Format: Format, Name: f.Name}}
	im.variables(top.list("variables"))
	return im
}

func (im *importing) problem(node, field, format string, args ...any) {
	im.rep.Problems = append(im.rep.Problems, flow.Problem{
		Node: node, Field: field, Position: -1, Message: fmt.Sprintf(format, args...),
		Fix: "correct it in the Flow Designer and export the flow again", Rule: flow.RuleShape,
	})
}

func (im *importing) variables(list []any) {
	seen := make(map[string]bool)
	for i, item := range list {
		p := asProps(item)
		field := fmt.Sprintf("variables[%d]", i)
		v := flow.Var{
			Name: p.text("name"), Type: flow.Type(strings.ToUpper(p.text("type"))), Description: p.text("description"), Value: plainLit(p["value"]),
			CAD: p.flag("isCAD"), Label: p.text("desktopLabel"), AgentEditable: p.flag("isAgentEditable"),
			Reportable: p.flag("isReportable"), Secure: p.flag("isSecure"), Global: strings.HasPrefix(p.text("source"), "GLOBAL"),
		}
		switch {
		case v.Name == "":
			im.problem("", field, "the variable has no name and is left out")
			continue
		case seen[v.Name]:
			im.problem("", field, "variable %s is declared twice; the first declaration counts", v.Name)
			continue
		}
		seen[v.Name] = true
		if !slices.Contains([]flow.Type{flow.TypeString, flow.TypeInteger, flow.TypeBoolean, flow.TypeDecimal, flow.TypeDateTime, flow.TypeJSON}, v.Type) {
			im.problem("", field+".type", "variable %s has the unknown type %q and is read as STRING", v.Name, p.text("type"))
			v.Type = flow.TypeString
		}
		im.f.Vars = append(im.f.Vars, v)
	}
}

// process reads the activities and links of one part of the file; prefix keeps the parts' identifiers apart if need be.
func (im *importing) process(p props, prefix string) {
	acts := p.obj("activities")
	im.at = make(map[string]flow.NodeID, len(acts))
	for _, id := range slices.Sorted(maps.Keys(acts)) {
		a := asProps(acts[id])
		im.rep.Nodes++
		nid := flow.NodeID(id)
		if im.f.Nodes[nid] != nil {
			nid = flow.NodeID(prefix + ":" + id)
		}
		im.at[id] = nid
		im.activity(nid, a)
	}
	for i, l := range p.list("links") {
		im.rep.Edges++
		im.link(i, asProps(l))
	}
}

func (im *importing) activity(id flow.NodeID, a props) {
	pr := a.obj("properties")
	n := &flow.Node{
		ID: id, Name: cmp.Or(a.text("name"), pr.text("name"), string(id)), Type: typeOf(a, pr),
		In: make(map[string]flow.Value), Exits: make(map[flow.Port]flow.NodeID), PortNames: make(map[flow.Port]string),
	}
	if raw, err := json.Marshal(map[string]any(a)); err == nil {
		n.Raw = raw
	}
	im.f.Nodes[id] = n
	how := convert(n, pr)
	switch how {
	case mapped:
		im.rep.Mapped++
	case approximated:
		im.rep.Approximated++
	case unsupported:
		n.Op = flow.OpUnsupported
		im.rep.Unsupported = append(im.rep.Unsupported, flow.Unsupported{Node: n.Name, Type: n.Type})
	}
	if n.Op == flow.OpStart {
		if im.f.Start != "" {
			im.problem(n.Name, "group", "the flow has more than one start; the first one counts")
			return
		}
		im.f.Start = id
	}
}

// typeOf names an activity. Start and event activities carry the event's name where others carry their type.
func typeOf(a, pr props) string {
	group := strings.ToLower(cmp.Or(a.text("group"), a.text("activityType")))
	if group == "start" || group == "event" {
		return group
	}
	if kind := strings.ToLower(a.text("activityType")); kind == "start" || kind == "event" {
		return kind
	}
	name := cmp.Or(pr.text("activityName"), pr.text("activityId"), group)
	if name == "Event" || name == "start" { // as hand-written FlowV2 has it
		return strings.ToLower(name)
	}
	return name
}

func (im *importing) link(i int, l props) {
	from, to := im.at[l.text("sourceActivityId")], im.at[l.text("targetActivityId")]
	im.edge(fmt.Sprintf("links[%d]", i), from, to, cmp.Or(l.text("conditionExpr"), l.obj("properties").text("value")))
}

// edge adds one way from a node to another by the source format's port name.
func (im *importing) edge(field string, from, to flow.NodeID, name string) {
	if im.f.Nodes[from] == nil || im.f.Nodes[to] == nil {
		im.problem("", field, "the link leads from or to an activity that is not in the file")
		return
	}
	n := im.f.Nodes[from]
	port := portOf(n, name)
	if _, taken := n.Exits[port]; taken {
		im.problem(n.Name, field, "two links leave by port %q; the first one counts", name)
		return
	}
	n.Exits[port] = to
	n.PortNames[port] = name
}

// events reads the event flows: their activities, and which event starts which of them.
func (im *importing) events(parts props) {
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		part := parts.obj(name)
		im.process(part.obj("process"), name)
		wired := part.obj("onEvents")
		for _, ev := range slices.Sorted(maps.Keys(wired)) {
			im.handler(ev, wired.text(ev))
		}
	}
}

func (im *importing) handler(ev, activity string) {
	id, ok := im.at[activity]
	if !ok {
		im.problem("", "eventFlows.onEvents."+ev, "the handler's activity is not in the file")
		return
	}
	im.rep.Handlers++
	name := EventOf(ev)
	if _, taken := im.f.On[name]; taken {
		im.problem("", "eventFlows.onEvents."+ev, "the event has two handlers; the first one counts")
		return
	}
	im.f.On[name] = id
}

// EventOf names an event of Webex in our terms; events we have no name for keep theirs.
func EventOf(spec string) flow.EventName {
	switch spec {
	case "AgentOfferContact":
		return flow.OnAgentOffered
	case "AgentContactAssigned":
		return flow.OnAgentAnswered
	case "FCAsk(ContactLastAgentRemoved)", "ContactLastAgentRemoved":
		return flow.OnAgentDisconnected
	case "ContactEnded":
		return flow.OnContactEnded
	case "GlobalErrorHandling":
		return flow.OnError
	}
	return flow.EventName(spec)
}

func (im *importing) layout(d props) {
	widgets := d.obj("widgets")
	for id := range widgets {
		if im.f.Nodes[flow.NodeID(id)] == nil {
			continue
		}
		pt := asProps(widgets[id]).obj("point")
		im.f.Layout[flow.NodeID(id)] = flow.Point{X: pt.float("x"), Y: pt.float("y")}
	}
}

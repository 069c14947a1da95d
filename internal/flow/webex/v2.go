package webex

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tandemcc/tandem/internal/flow"
)

// V2Importer reads FlowV2 ("FDL 2.0"), the form of the Flows API: nodes and edges as lists, with the properties and
// ports of the raw exports. The zero value is ready and safe for concurrent use.
type V2Importer struct{}

var _ flow.Importer = V2Importer{}

// FormatV2 is the name of the format in reports.
const FormatV2 = "webex-v2"

// Format returns the format's name.
func (V2Importer) Format() string { return FormatV2 }

// Sniff looks for a list of nodes and a list of edges.
func (V2Importer) Sniff(data []byte) bool {
	top, err := object(data)
	if err != nil {
		return false
	}
	_, nodes := top["nodes"].([]any)
	_, edges := top["edges"].([]any)
	return nodes && edges
}

// Import reads a flow.
func (V2Importer) Import(data []byte) (*flow.Flow, *flow.Report, error) {
	top, err := object(data)
	if err != nil {
		return nil, nil, fmt.Errorf("reading a Webex flow: %w", err)
	}
	im := newImport(top, data)
	im.rep.Format, im.f.Origin.Format = FormatV2, FormatV2
	im.lists(top, "")
	parts := top.obj("eventFlows")
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		part := parts.obj(name)
		im.lists(part, name)
		wired := part.obj("onEvents")
		for _, ev := range slices.Sorted(maps.Keys(wired)) {
			im.handler(ev, wired.text(ev))
		}
		if ev := part.text("eventSpecificationName"); ev != "" && wired == nil {
			im.handler(ev, im.entry(part))
		}
	}
	if im.f.Start == "" {
		return nil, nil, errors.New("the Webex flow has no start activity")
	}
	im.refs()
	im.rep.Problems = append(im.rep.Problems, flow.Lint(im.f)...)
	flow.Finish(im.f, im.rep)
	return im.f, im.rep, nil
}

// entry is the event node of a part that is one event's, as hand-written files have it.
func (im *importing) entry(part props) string {
	for _, item := range part.list("nodes") {
		a := asProps(item)
		if id := cmp.Or(a.text("id"), a.text("name")); im.f.Nodes[im.at[id]] != nil && im.f.Nodes[im.at[id]].Op == flow.OpEvent {
			return id
		}
	}
	return ""
}

// lists reads the nodes and edges of one part. An edge names its nodes by identifier or by name.
func (im *importing) lists(p props, prefix string) {
	nodes := p.list("nodes")
	im.at = make(map[string]flow.NodeID, len(nodes))
	byName := make(map[string]flow.NodeID, len(nodes))
	for i, item := range nodes {
		a := asProps(item)
		im.rep.Nodes++
		id := cmp.Or(a.text("id"), a.text("name"), fmt.Sprintf("node-%d", i+1))
		nid := flow.NodeID(id)
		if im.f.Nodes[nid] != nil {
			nid = flow.NodeID(fmt.Sprintf("%s:%s#%d", prefix, id, i+1))
		}
		im.at[id] = nid
		byName[a.text("name")] = nid
		im.activity(nid, a)
	}
	find := func(key string) flow.NodeID {
		if id, ok := im.at[key]; ok {
			return id
		}
		if id, ok := byName[key]; ok || prefix == "" {
			return id
		}
		if im.f.Nodes[flow.NodeID(key)] != nil {
			im.problem("", "eventFlows."+prefix+".edges", "the event flow leads into the main flow, to %s: Webex refuses that when the flow is published", key)
			return flow.NodeID(key)
		}
		return ""
	}
	for i, item := range p.list("edges") {
		im.rep.Edges++
		e := asProps(item)
		im.edge(fmt.Sprintf("edges[%d]", i), find(e.text("from")), find(e.text("to")), cmp.Or(e.text("condition"), e.obj("properties").text("value")))
	}
}

package webex

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/tandemcc/tandem/internal/flow"
)

// rawLayout is that of the raw exports: activities by identifier, links as a list.
type rawLayout struct{}

func (rawLayout) part(doc props, name string) props {
	if name == "" {
		return doc.obj("process")
	}
	return doc.obj("eventFlows").obj("eventsMap").obj(name).obj("process")
}

func (rawLayout) activities(part props, fn func(int, string, props)) {
	acts := part.obj("activities")
	for i, id := range slices.Sorted(maps.Keys(acts)) {
		fn(i, id, asProps(acts[id]))
	}
}

func (rawLayout) addActivity(part props, id string, a map[string]any) {
	acts, _ := part["activities"].(map[string]any)
	if acts == nil {
		acts = map[string]any{}
		part["activities"] = acts
	}
	acts[id] = a
}

func (rawLayout) removeActivity(part props, id string) { delete(part.obj("activities"), id) }

func (rawLayout) links(part props) []any { return part.list("links") }

func (rawLayout) setLinks(part props, links []any) { part["links"] = links }

func (rawLayout) ends() (from, to string) { return "sourceActivityId", "targetActivityId" }

func (rawLayout) name(l props) string {
	return cmp.Or(l.text("conditionExpr"), l.obj("properties").text("value"))
}

func (rawLayout) setName(l map[string]any, name string) {
	l["conditionExpr"], l["properties"] = name, map[string]any{"value": name}
}

func (rawLayout) empty(f *flow.Flow) props {
	return props{
		"name": f.Name, "description": f.Description, "flowType": flowType(f), "version": 1, "variables": []any{},
		"process": map[string]any{"activities": map[string]any{}, "links": []any{}},
		"eventFlows": map[string]any{"eventsMap": map[string]any{"GLOBAL_EVENTS": map[string]any{
			"process": map[string]any{"activities": map[string]any{}, "links": []any{}}, "onEvents": map[string]any{},
		}}},
		"diagram": map[string]any{"widgets": map[string]any{}, "properties": map[string]any{}},
	}
}

func flowType(f *flow.Flow) string {
	if f.Kind == flow.KindSub {
		return "SUBFLOW"
	}
	return "FLOW"
}

// v2Layout is that of FlowV2: nodes and edges as lists.
type v2Layout struct{}

func (v2Layout) part(doc props, name string) props {
	if name == "" {
		return doc
	}
	return doc.obj("eventFlows").obj(name)
}

func (v2Layout) activities(part props, fn func(int, string, props)) {
	for i, item := range part.list("nodes") {
		a := asProps(item)
		fn(i, cmp.Or(a.text("id"), a.text("name"), fmt.Sprintf("node-%d", i+1)), a)
	}
}

func (v2Layout) addActivity(part props, id string, a map[string]any) {
	a["id"] = id
	kind := "action"
	switch asProps(a).text("group") {
	case "start", "event", "end":
		kind = asProps(a).text("group")
	case "terminating-action":
		kind = "end"
	}
	a["activityType"] = kind
	part["nodes"] = append(part.list("nodes"), a)
}

func (v2Layout) removeActivity(part props, id string) {
	part["nodes"] = slices.DeleteFunc(part.list("nodes"), func(x any) bool { return cmp.Or(asProps(x).text("id"), asProps(x).text("name")) == id })
}

func (v2Layout) links(part props) []any { return part.list("edges") }

func (v2Layout) setLinks(part props, links []any) { part["edges"] = links }

func (v2Layout) ends() (from, to string) { return "from", "to" }

func (v2Layout) name(l props) string {
	return cmp.Or(l.text("condition"), l.obj("properties").text("value"))
}

func (v2Layout) setName(l map[string]any, name string) { l["condition"] = name }

func (v2Layout) empty(f *flow.Flow) props {
	return props{
		"name": f.Name, "description": f.Description, "flowType": flowType(f), "variables": []any{}, "nodes": []any{}, "edges": []any{},
		"eventFlows": map[string]any{"GLOBAL_EVENTS": map[string]any{"onEvents": map[string]any{}, "nodes": []any{}, "edges": []any{}}},
	}
}

package library

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/tandemcc/tandem/internal/flow"
)

// DiffNode is a node that is only in one of two versions.
type DiffNode struct {
	ID   flow.NodeID
	Name string
	Op   flow.Op
}

// DiffField is what has changed, as text; nothing is an empty text.
type DiffField struct{ Name, From, To string }

// DiffChange is a node that both versions have, with what differs.
type DiffChange struct {
	Node   flow.NodeID
	Name   string // in the newer one
	Fields []DiffField
}

// Diff is what leads from one version to another. Its lists are sorted.
type Diff struct {
	Added, Removed           []DiffNode
	Changed                  []DiffChange
	EdgesAdded, EdgesRemoved []EditEdge
	// Variables are the declared variables that differ; values of secure ones are not told.
	Variables []DiffField
	// Handlers are the events whose handler starts at another step, by the steps' names.
	Handlers []DiffField
	// Options is what differs of the flow as a whole: its name, kind, budget and so on.
	Options []DiffField
}

// Diff compares two versions of a flow; 0 means the latest.
func (s *Service) Diff(ctx context.Context, tenant, id string, from, to int) (*Diff, error) {
	a, err := s.Get(ctx, tenant, id, from)
	if err != nil {
		return nil, err
	}
	b, err := s.Get(ctx, tenant, id, to)
	if err != nil {
		return nil, err
	}
	return compare(a.Flow, b.Flow), nil
}

func compare(a, b *flow.Flow) *Diff {
	d := &Diff{Added: only(b, a), Removed: only(a, b), EdgesAdded: onlyEdges(b, a), EdgesRemoved: onlyEdges(a, b)}
	for _, id := range slices.Sorted(maps.Keys(b.Nodes)) {
		if a.Nodes[id] == nil {
			continue
		}
		if fields := differing(described(a, id), described(b, id)); len(fields) > 0 {
			d.Changed = append(d.Changed, DiffChange{Node: id, Name: b.Nodes[id].Name, Fields: fields})
		}
	}
	d.Variables, d.Handlers, d.Options = differing(variables(a), variables(b)), differing(handlers(a), handlers(b)), differing(whole(a), whole(b))
	return d
}

// summary counts for people.
func (d *Diff) summary() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{
		{len(d.Added), "added"},
		{len(d.Removed), "removed"},
		{len(d.Changed), "changed"},
		{len(d.EdgesAdded) + len(d.EdgesRemoved), "connections"},
		{len(d.Variables), "variables"},
		{len(d.Handlers), "handlers"},
		{len(d.Options), "options"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing changed")
}

func only(f, other *flow.Flow) (list []DiffNode) {
	for _, id := range slices.Sorted(maps.Keys(f.Nodes)) {
		if n := f.Nodes[id]; other.Nodes[id] == nil {
			list = append(list, DiffNode{ID: id, Name: n.Name, Op: n.Op})
		}
	}
	return list
}

func onlyEdges(f, other *flow.Flow) (list []EditEdge) {
	for _, id := range slices.Sorted(maps.Keys(f.Nodes)) {
		exits := f.Nodes[id].Exits
		for _, port := range slices.Sorted(maps.Keys(exits)) {
			if n := other.Nodes[id]; n == nil || n.Exits[port] != exits[port] {
				list = append(list, EditEdge{From: id, Port: port, To: exits[port]})
			}
		}
	}
	return list
}

// described is all there is to say of a node, by name.
func described(f *flow.Flow, id flow.NodeID) map[string]any {
	n := f.Nodes[id]
	out := Properties(n)
	out["name"], out["operation"] = n.Name, string(n.Op)
	if at, ok := f.Layout[id]; ok {
		out["position"] = fmt.Sprintf("%.0f, %.0f", at.X, at.Y)
	}
	for _, r := range f.Refs {
		if r.Node == id && r.Bound != "" {
			out["bound "+string(r.Kind)+" "+cmp.Or(r.Name, r.ID)] = r.Bound
		}
	}
	return out
}

func variables(f *flow.Flow) map[string]any {
	out := map[string]any{}
	for _, v := range f.Vars {
		parts := []string{string(v.Type)}
		if text := flow.Source(flow.Lit(v.Value)); text != "" && !v.Secure {
			parts = append(parts, text)
		}
		if v.CAD {
			parts = append(parts, strings.TrimSpace("shown to agents "+v.Label))
		}
		for _, flag := range []struct {
			set  bool
			what string
		}{{v.AgentEditable, "edited by agents"}, {v.Secure, "secure"}, {v.Reportable, "reportable"}, {v.Global, "global"}} {
			if flag.set {
				parts = append(parts, flag.what)
			}
		}
		if v.Description != "" {
			parts = append(parts, v.Description)
		}
		out[v.Name] = strings.Join(parts, ", ")
	}
	return out
}

func handlers(f *flow.Flow) map[string]any {
	out := map[string]any{}
	for ev, id := range f.On {
		out[string(ev)] = string(id)
		if n := f.Nodes[id]; n != nil {
			out[string(ev)] = cmp.Or(n.Name, string(id))
		}
	}
	return out
}

// whole describes a flow without its steps and variables.
func whole(f *flow.Flow) map[string]any {
	out := map[string]any{
		"name": f.Name, "description": f.Description, "kind": string(f.Kind), "start": string(f.Start), "time zone": f.Options.Zone,
		"announcement of errors": f.Options.ErrorText, "language": f.Options.Language, "voice": f.Options.Voice,
	}
	if n := f.Nodes[f.Start]; n != nil {
		out["start"] = cmp.Or(n.Name, string(f.Start))
	}
	if f.Options.MaxSteps > 0 {
		out["steps between two waits"] = f.Options.MaxSteps
	}
	if f.Options.RawInterpolation {
		out["raw interpolation"] = true
	}
	return out
}

func differing(a, b map[string]any) (list []DiffField) {
	names := maps.Clone(a)
	maps.Copy(names, b)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !reflect.DeepEqual(a[name], b[name]) {
			list = append(list, DiffField{Name: name, From: plain(a[name]), To: plain(b[name])})
		}
	}
	return list
}

// plain is a value as text: texts as they are, the rest as JSON.
func plain(v any) string {
	switch t := v.(type) {
	case nil:
		return ""
	case string:
		return t
	}
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}

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
	d.Variables = differing(variables(a), variables(b))
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
		value := fmt.Sprintf("%s %s", v.Type, plain(v.Value))
		if v.Secure {
			value = string(v.Type) + " (secure)"
		}
		out[v.Name] = strings.TrimSpace(value)
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

package flow

import (
	"slices"
	"strings"

	"github.com/tandemcc/tandem/internal/flow/expr"
)

// apart gives nodes of g whose names are taken in f other names, with suffix, so that the results of either are read by the
// templates that mean them. A start keeps its name: templates know the contact by it.
func (f *Flow) apart(g *Flow, suffix string) {
	taken := make(map[string]bool, len(f.Nodes))
	for _, n := range f.Nodes {
		taken[n.Name] = true
	}
	names := make(map[string]string)
	for _, n := range g.Nodes {
		if n.Op != OpStart && n.Op != OpEvent && taken[n.Name] {
			names[n.Name] = n.Name + suffix
			n.Name += suffix
		}
	}
	if len(names) == 0 {
		return
	}
	for _, n := range g.Nodes {
		for field, v := range n.In {
			n.In[field] = v.rename(names)
		}
		renameVars(n, names)
	}
}

// renameVars renames what a node names without a template.
func renameVars(n *Node, names map[string]string) {
	for _, field := range []string{"skipWhenUnset", "input"} {
		if v, ok := n.In[field]; ok && (field != "input" || n.Op == OpParse) {
			v.Lit = renamed(v.Lit, names)
			n.In[field] = v
		}
	}
	for _, item := range n.In["sets"].List {
		if item.Map["from"].Lit == "var" {
			v := item.Map["value"]
			v.Lit = renamed(v.Lit, names)
			item.Map["value"] = v
		}
	}
}

func renamed(lit any, names map[string]string) any {
	s, _ := lit.(string)
	root, field, dotted := strings.Cut(s, ".")
	if to, ok := names[root]; ok && dotted {
		return to + "." + field
	}
	return lit
}

// rename returns the value with other names for the objects that its templates read.
func (v Value) rename(names map[string]string) Value {
	for i := range v.List {
		v.List[i] = v.List[i].rename(names)
	}
	for k, x := range v.Map {
		v.Map[k] = x.rename(names)
	}
	if v.Dialect != DialectPebble {
		return v
	}
	t, err := expr.Parse(v.Src)
	if err != nil {
		return v
	}
	refs := slices.SortedFunc(slices.Values(t.Refs()), func(a, b expr.Ref) int { return b.Pos - a.Pos })
	for _, r := range refs { // the last first, so that the places of the others stay
		if to, ok := names[r.Name]; ok && strings.HasPrefix(v.Src[r.Pos:], r.Name) {
			v.Src = v.Src[:r.Pos] + to + v.Src[r.Pos+len(r.Name):]
		}
	}
	return v
}

// share adds the variables of g to those of f. One that both have is one variable, and secure when either says so.
func (f *Flow) share(g *Flow) {
	have := make(map[string]int, len(f.Vars))
	for i, v := range f.Vars {
		have[v.Name] = i
	}
	for _, v := range g.Vars {
		if i, ok := have[v.Name]; ok {
			f.Vars[i].Secure = f.Vars[i].Secure || v.Secure
			continue
		}
		f.Vars = append(f.Vars, v)
	}
}

// handOver sets the variables that the call of a linked flow names.
func (m *machine) handOver(params map[string]string) error {
	for name, v := range params {
		if err := m.setVar(name, v); err != nil {
			return wrapf(err, "setting variable %s", name)
		}
	}
	return nil
}

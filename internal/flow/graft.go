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

// formatWebex is the format whose subflows have variables of their own: only global ones are shared, and others are passed
// by the mappings of the step that calls (Webex, "Subflows"). What agents see is one, whichever flow sets it.
const formatWebex = "webex"

// ownVars gives the variables that g has for itself, and whose names are taken in f, other names.
func (f *Flow) ownVars(g *Flow, suffix string) map[string]string {
	if g.Origin.Format != formatWebex {
		return nil
	}
	taken := make(map[string]bool, len(f.Vars)+len(g.Vars))
	shared := make(map[string]bool)
	for _, v := range f.Vars {
		taken[v.Name], shared[v.Name] = true, v.Global || v.CAD
	}
	names := make(map[string]string)
	for _, v := range g.Vars {
		if taken[v.Name] && !shared[v.Name] && !v.Global && !v.CAD {
			names[v.Name] = v.Name + suffix
		}
		taken[v.Name] = true
	}
	for i, v := range g.Vars {
		to, ok := names[v.Name]
		if !ok {
			continue
		}
		for taken[to] {
			to += "_"
		}
		taken[to], names[v.Name], g.Vars[i].Name = true, to, to
	}
	if len(names) > 0 {
		for _, n := range g.Nodes {
			renameOwn(n, names)
		}
	}
	return names
}

// renameOwn renames the variables that a node reads and writes.
func renameOwn(n *Node, names map[string]string) {
	for field, v := range n.In {
		n.In[field] = v.rename(names)
	}
	bare := func(v Value) Value {
		s := text(v.Lit)
		root, rest, dotted := strings.Cut(s, ".")
		if to, ok := names[root]; ok && v.Dialect != DialectPebble {
			if v.Lit = to; dotted {
				v.Lit = to + "." + rest
			}
		}
		return v
	}
	for _, field := range []string{"skipWhenUnset", "input"} {
		if v, ok := n.In[field]; ok && (field != "input" || n.Op == OpParse) {
			n.In[field] = bare(v)
		}
	}
	for _, item := range n.In["sets"].List {
		item.Map["var"] = bare(item.Map["var"])
		if item.Map["from"].Lit == "var" {
			item.Map["value"] = bare(item.Map["value"])
		}
	}
	for i, b := range n.Out {
		if to, ok := names[b.Var]; ok {
			n.Out[i].Var = to
		}
	}
}

// passRenamed makes the steps that call linked flows name the variables there as they are called now; own has the new names by
// the entry of the linked flow.
func (f *Flow) passRenamed(own map[NodeID]map[string]string) {
	for _, n := range f.Nodes {
		if n.Op != OpSub {
			continue
		}
		ref := strings.TrimSpace(firstText(text(n.In["flow"].Lit), n.In["flow"].Src, text(n.In["flowName"].Lit)))
		names := own[f.Links[ref]]
		if len(names) == 0 {
			continue
		}
		for _, group := range []string{"params", "inputs"} {
			v, ok := n.In[group]
			if !ok {
				continue
			}
			m := make(map[string]Value, len(v.Map))
			for name, x := range v.Map {
				m[firstText(names[name], name)] = x
			}
			v.Map = m
			n.In[group] = v
		}
		for i, b := range n.Out {
			if name, ok := varOfPath(b.Path); ok && names[name] != "" {
				n.Out[i].Path = PathOfVar(names[name])
			}
		}
	}
}

// PathOfVar is the path of an OpSub's output (Bind.Path) that is a variable of the flow it calls.
func PathOfVar(name string) string {
	return "$['" + strings.ReplaceAll(name, "'", "\\'") + "']"
}

// varOfPath is the variable that a path of PathOfVar names.
func varOfPath(path string) (name string, ok bool) {
	name, ok = strings.CutPrefix(path, "$['")
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, "']")
	return strings.ReplaceAll(name, "\\'", "'"), ok
}

// takeOver sets the variables that the step which called a linked flow takes from it.
func (m *machine) takeOver(caller *cnode) string {
	if len(caller.binds) == 0 {
		return ""
	}
	return m.bindAll(caller, map[string]any(m.s.Vars))
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

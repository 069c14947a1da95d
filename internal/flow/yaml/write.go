package yaml

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"

	"github.com/tandemcc/tandem/internal/flow"
)

// FormatYAML is the name of the format for those who write it.
const FormatYAML = "yaml"

// Exporter writes the format; nothing of a flow's model is lost in it. The zero value is ready and safe for concurrent use.
type Exporter struct{}

var _ flow.Exporter = Exporter{}

// Format returns the format's name.
func (Exporter) Format() string { return FormatYAML }

// Export writes the flow.
func (Exporter) Export(f *flow.Flow) ([]byte, []flow.Loss, error) {
	data, err := Export(f)
	return data, nil, err
}

// Export writes a flow as YAML. Reading it again gives the same flow, but for the source text of nodes and of the flow, which
// belongs to the format it came from, and the places where values stand. Export does not change f and may run concurrently.
func Export(f *flow.Flow) ([]byte, error) {
	w := &writer{f: f, keys: make(map[flow.NodeID]string, len(f.Nodes))}
	w.names()
	top := mapping()
	add(top, "tandem", str(Mark))
	optional(top, "id", f.ID)
	add(top, "name", str(f.Name))
	optional(top, "description", f.Description)
	add(top, "kind", str(string(f.Kind)))
	if f.Version != 0 {
		add(top, "version", number(strconv.Itoa(f.Version), "!!int"))
	}
	w.options(top)
	w.vars(top)
	add(top, "start", str(w.keys[f.Start]))
	if len(f.On) > 0 {
		on := mapping()
		for _, ev := range slices.Sorted(maps.Keys(f.On)) {
			add(on, string(ev), str(w.keys[f.On[ev]]))
		}
		add(top, "handlers", on)
	}
	nodes := mapping()
	for _, id := range w.order() {
		add(nodes, w.keys[id], w.node(f.Nodes[id]))
	}
	add(top, "nodes", nodes)
	w.strayRefs(top)
	var buf bytes.Buffer
	enc := yaml3.NewEncoder(&buf)
	enc.SetIndent(2)
	if err := enc.Encode(top); err != nil {
		return nil, fmt.Errorf("writing a flow as YAML: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("writing a flow as YAML: %w", err)
	}
	return buf.Bytes(), nil
}

// writer is one export at work.
type writer struct {
	f    *flow.Flow
	keys map[flow.NodeID]string
}

// names gives each node a key of its own: its name where that is free.
func (w *writer) names() {
	taken := make(map[string]bool, len(w.f.Nodes))
	for _, id := range slices.Sorted(maps.Keys(w.f.Nodes)) {
		base := clean(or(w.f.Nodes[id].Name, string(id), "node"))
		key := base
		for i := 2; taken[key]; i++ {
			key = base + " #" + strconv.Itoa(i)
		}
		taken[key] = true
		w.keys[id] = key
	}
}

// order lists the nodes as a reader follows the flow: from the start, then from each handler, then what nothing leads to.
func (w *writer) order() []flow.NodeID {
	seen := make(map[flow.NodeID]bool, len(w.f.Nodes))
	out := make([]flow.NodeID, 0, len(w.f.Nodes))
	from := []flow.NodeID{w.f.Start}
	for _, ev := range slices.Sorted(maps.Keys(w.f.On)) {
		from = append(from, w.f.On[ev])
	}
	rest := slices.SortedFunc(maps.Keys(w.f.Nodes), func(a, b flow.NodeID) int { return cmp.Compare(w.keys[a], w.keys[b]) })
	for _, first := range slices.Concat(from, rest) {
		for todo := []flow.NodeID{first}; len(todo) > 0; {
			id := todo[0]
			todo = todo[1:]
			n := w.f.Nodes[id]
			if n == nil || seen[id] {
				continue
			}
			seen[id] = true
			out = append(out, id)
			for _, p := range slices.Sorted(maps.Keys(n.Exits)) {
				todo = append(todo, n.Exits[p])
			}
		}
	}
	return out
}

func (w *writer) options(top *yaml3.Node) {
	o, m := w.f.Options, mapping()
	truth(m, "rawInterpolation", o.RawInterpolation)
	if o.MaxSteps > 0 {
		add(m, "maxSteps", number(strconv.Itoa(o.MaxSteps), "!!int"))
	}
	optional(m, "zone", o.Zone)
	optional(m, "errorText", o.ErrorText)
	optional(m, "language", o.Language)
	optional(m, "voice", o.Voice)
	if len(m.Content) > 0 {
		add(top, "options", m)
	}
}

func (w *writer) vars(top *yaml3.Node) {
	if len(w.f.Vars) == 0 {
		return
	}
	names := make(map[string]bool, len(w.f.Vars))
	twice := false
	for _, v := range w.f.Vars {
		twice = twice || names[clean(v.Name)]
		names[clean(v.Name)] = true
	}
	all := mapping()
	if twice {
		all = sequence()
	}
	for _, v := range w.f.Vars {
		m := mapping()
		if twice {
			add(m, "name", str(v.Name))
		}
		add(m, "type", str(string(v.Type)))
		if v.Value != nil {
			add(m, "value", plain(v.Value))
		}
		optional(m, "description", v.Description)
		truth(m, "cad", v.CAD)
		optional(m, "label", v.Label)
		truth(m, "agentEditable", v.AgentEditable)
		truth(m, "reportable", v.Reportable)
		truth(m, "secure", v.Secure)
		truth(m, "global", v.Global)
		if len(m.Content) <= 4 {
			m.Style = yaml3.FlowStyle
		}
		if twice {
			all.Content = append(all.Content, m)
		} else {
			add(all, v.Name, m)
		}
	}
	add(top, "vars", all)
}

func (w *writer) node(n *flow.Node) *yaml3.Node {
	m := mapping()
	key := w.keys[n.ID]
	add(m, "op", str(string(n.Op)))
	if n.Name != key {
		add(m, "name", str(n.Name))
	}
	if len(n.In) > 0 {
		in := mapping()
		for _, name := range slices.Sorted(maps.Keys(n.In)) {
			add(in, name, w.input(name, n.In[name]))
		}
		add(m, "in", in)
	}
	if len(n.Out) > 0 {
		add(m, "out", outputs(n.Out))
	}
	if x := w.exits(n); x != nil {
		add(m, "exits", x)
	}
	if string(n.ID) != key {
		add(m, "id", str(string(n.ID)))
	}
	optional(m, "type", n.Type)
	if len(n.PortNames) > 0 {
		ports := mapping()
		ports.Style = yaml3.FlowStyle
		for _, p := range slices.Sorted(maps.Keys(n.PortNames)) {
			add(ports, string(p), str(n.PortNames[p]))
		}
		add(m, "ports", ports)
	}
	w.refs(m, n)
	if p, ok := w.f.Layout[n.ID]; ok {
		at := sequence()
		at.Style = yaml3.FlowStyle
		at.Content = []*yaml3.Node{plain(p.X), plain(p.Y)}
		add(m, "at", at)
	}
	return m
}

// refs writes the references of a node if they are others than those its inputs make.
func (w *writer) refs(m *yaml3.Node, n *flow.Node) {
	var have []flow.Ref
	for _, r := range w.f.Refs {
		if r.Node == n.ID {
			have = append(have, r)
		}
	}
	if slices.Equal(have, derivedRefs(n)) {
		return
	}
	add(m, "refs", refList(have, false))
}

// strayRefs writes the references of nodes that are not in the flow.
func (w *writer) strayRefs(top *yaml3.Node) {
	var stray []flow.Ref
	for _, r := range w.f.Refs {
		if w.f.Nodes[r.Node] == nil {
			stray = append(stray, r)
		}
	}
	if len(stray) > 0 {
		add(top, "refs", refList(stray, true))
	}
}

func refList(refs []flow.Ref, withNode bool) *yaml3.Node {
	list := sequence()
	for _, r := range refs {
		m := mapping()
		m.Style = yaml3.FlowStyle
		if withNode {
			add(m, "node", str(string(r.Node)))
		}
		add(m, "kind", str(string(r.Kind)))
		optional(m, "id", r.ID)
		optional(m, "name", r.Name)
		optional(m, "bound", r.Bound)
		list.Content = append(list.Content, m)
	}
	return list
}

func (w *writer) exits(n *flow.Node) *yaml3.Node {
	if len(n.Exits) == 0 {
		return nil
	}
	if to, ok := n.Exits[flow.PortOK]; ok && len(n.Exits) == 1 {
		return str(w.keys[to])
	}
	m := mapping()
	for _, p := range slices.Sorted(maps.Keys(n.Exits)) {
		add(m, string(p), str(w.keys[n.Exits[p]]))
	}
	return m
}

// input writes a value, prompts and assignments in their short forms.
func (w *writer) input(name string, v flow.Value) *yaml3.Node {
	switch {
	case name == "prompts" && v.List != nil:
		list := sequence()
		for _, p := range v.List {
			list.Content = append(list.Content, promptNode(p))
		}
		return list
	case name == "sets" && shortSets(v.List):
		m := mapping()
		for _, s := range v.List {
			name, _ := s.Map["var"].Lit.(string)
			add(m, name, value(s.Map["value"]))
		}
		return m
	}
	return value(v)
}

func promptNode(p flow.Value) *yaml3.Node {
	kind, ok := p.Map["kind"].Lit.(string)
	text, has := p.Map["text"]
	if !ok || !has || len(p.Map) != 2 || !isPrompt(kind) {
		return value(p)
	}
	m := mapping()
	add(m, kind, value(text))
	return m
}

// shortSets reports whether assignments can be written as name: value.
func shortSets(list []flow.Value) bool {
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		name, ok := s.Map["var"].Lit.(string)
		_, has := s.Map["value"]
		if !ok || !has || len(s.Map) != 2 || seen[clean(name)] {
			return false
		}
		seen[clean(name)] = true
	}
	return len(list) > 0
}

func outputs(binds []flow.Bind) *yaml3.Node {
	seen := make(map[string]bool, len(binds))
	short := true
	for _, b := range binds {
		short = short && !seen[clean(b.Var)]
		seen[clean(b.Var)] = true
	}
	if short {
		m := mapping()
		for _, b := range binds {
			add(m, b.Var, str(b.Path))
		}
		return m
	}
	list := sequence()
	for _, b := range binds {
		m := mapping()
		m.Style = yaml3.FlowStyle
		add(m, "path", str(b.Path))
		add(m, "var", str(b.Var))
		list.Content = append(list.Content, m)
	}
	return list
}

// value writes an input so that reading it gives the same value.
func value(v flow.Value) *yaml3.Node {
	switch {
	case v.List != nil:
		list := sequence()
		scalars := true
		for _, x := range v.List {
			list.Content = append(list.Content, value(x))
			scalars = scalars && x.List == nil && x.Map == nil
		}
		if scalars && len(v.List) <= 12 {
			list.Style = yaml3.FlowStyle
		}
		return list
	case v.Map != nil:
		m := mapping()
		for _, k := range slices.Sorted(maps.Keys(v.Map)) {
			add(m, k, value(v.Map[k]))
		}
		return m
	case v.Dialect == flow.DialectPebble && isTemplate(v.Src):
		return str(v.Src)
	case v.Dialect == flow.DialectPebble:
		return tagged(tagPebble, v.Src)
	case v.Dialect == flow.DialectConnect:
		return tagged(tagConnect, v.Src)
	}
	return literal(v.Lit)
}

// literal writes a value that is no template, whatever it looks like.
func literal(v any) *yaml3.Node {
	n := plain(v)
	switch {
	case n.Kind != yaml3.ScalarNode:
		n.Tag = tagLiteral
	case n.Tag == "!!str" && isTemplate(n.Value):
		return tagged(tagLiteral, n.Value)
	}
	return n
}

// plain writes a literal.
func plain(v any) *yaml3.Node {
	switch t := v.(type) {
	case nil:
		return number("null", "!!null")
	case string:
		return str(t)
	case bool:
		return number(strconv.FormatBool(t), "!!bool")
	case int:
		return number(strconv.Itoa(t), "!!int")
	case int64:
		return number(strconv.FormatInt(t, 10), "!!int")
	case float64:
		return float(t)
	case json.Number:
		if i, err := t.Int64(); err == nil {
			return number(strconv.FormatInt(i, 10), "!!int")
		}
		if f, err := t.Float64(); err == nil {
			return float(f)
		}
		return str(string(t))
	case []any:
		list := sequence()
		for _, x := range t {
			list.Content = append(list.Content, plain(x))
		}
		return list
	case map[string]any:
		m := mapping()
		for _, k := range slices.Sorted(maps.Keys(t)) {
			add(m, k, plain(t[k]))
		}
		return m
	}
	return str(fmt.Sprint(v))
}

func float(f float64) *yaml3.Node {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return number("null", "!!null")
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return number(s, "!!float")
}

func mapping() *yaml3.Node  { return &yaml3.Node{Kind: yaml3.MappingNode} }
func sequence() *yaml3.Node { return &yaml3.Node{Kind: yaml3.SequenceNode} }

// clean is text as YAML can hold it.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// str writes text: long text in a block where lines allow it, else as short as its look allows.
func str(s string) *yaml3.Node {
	s = clean(s)
	n := &yaml3.Node{Kind: yaml3.ScalarNode, Tag: "!!str", Value: s}
	if blockable(s) {
		n.Style = yaml3.LiteralStyle
	} else if strings.ContainsAny(s, "\n\r\t\u0085\u2028\u2029\ufeff") || s != strings.TrimSpace(s) {
		n.Style = yaml3.DoubleQuotedStyle
	}
	return n
}

// blockable reports whether text keeps its lines in a literal block without loss.
func blockable(s string) bool {
	if !strings.Contains(s, "\n") || strings.HasPrefix(s, " ") || strings.HasPrefix(s, "\n") || strings.HasSuffix(s, "\n\n") {
		return false
	}
	for line := range strings.Lines(s) {
		line = strings.TrimSuffix(line, "\n")
		if line != strings.TrimRight(line, " ") {
			return false
		}
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '\n' && r < 0x20 || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r > 0xffff
	})
}

func number(s, tag string) *yaml3.Node {
	return &yaml3.Node{Kind: yaml3.ScalarNode, Tag: tag, Value: s}
}

func tagged(tag, s string) *yaml3.Node {
	return &yaml3.Node{Kind: yaml3.ScalarNode, Tag: tag, Value: clean(s), Style: yaml3.DoubleQuotedStyle | yaml3.TaggedStyle}
}

func add(m *yaml3.Node, key string, v *yaml3.Node) {
	k := str(key)
	if k.Style == yaml3.LiteralStyle {
		k.Style = yaml3.DoubleQuotedStyle
	}
	m.Content = append(m.Content, k, v)
}

func optional(m *yaml3.Node, key, s string) {
	if s != "" {
		add(m, key, str(s))
	}
}

func truth(m *yaml3.Node, key string, on bool) {
	if on {
		add(m, key, number("true", "!!bool"))
	}
}

package yaml

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"

	"github.com/tandemcc/tandem/internal/flow"
)

// Tags by which a text says how it is read, where its look does not.
const (
	tagPebble  = "!pebble"
	tagConnect = "!connect"
	tagLiteral = "!literal"
)

// isTemplate reports whether plain text is read as a template.
func isTemplate(s string) bool {
	return strings.Contains(s, "{{") || strings.Contains(s, "{%") || strings.Contains(s, "{#")
}

// value reads an input. Plain text with {{, {% or {# is a template.
func (r *reader) value(n *yaml3.Node, field string, depth int) flow.Value {
	v := r.resolve(n)
	if v == nil || depth > maxDepth {
		r.problem(n, field, "make it simpler", "it is nested too deep, or the file is too large")
		return flow.Value{}
	}
	here := field + " " + at(v)
	if v.Tag == tagLiteral && v.Kind != yaml3.ScalarNode {
		return flow.Value{Lit: r.plain(v, field, depth), Field: here}
	}
	switch v.Kind { //nolint:exhaustive // what is left is a scalar
	case yaml3.MappingNode:
		m := make(map[string]flow.Value, len(v.Content)/2)
		for _, p := range r.pairs(v, field) {
			m[p.key] = r.value(p.val, field+"."+p.key, depth+1)
		}
		return flow.Value{Map: m}
	case yaml3.SequenceNode:
		l := make([]flow.Value, 0, len(v.Content))
		for i, x := range v.Content {
			l = append(l, r.value(x, field+"["+strconv.Itoa(i)+"]", depth+1))
		}
		return flow.Value{List: l}
	}
	switch v.Tag {
	case tagPebble:
		return flow.Value{Src: v.Value, Dialect: flow.DialectPebble, Field: here}
	case tagConnect:
		return flow.Value{Src: v.Value, Dialect: flow.DialectConnect, Field: here}
	case tagLiteral:
		return flow.Value{Lit: v.Value, Field: here}
	case "!!str":
		if isTemplate(v.Value) {
			return flow.Value{Src: v.Value, Dialect: flow.DialectPebble, Field: here}
		}
	}
	return flow.Value{Lit: r.scalar(v, field), Field: here}
}

// scalar reads a number, a truth value, nothing or text.
func (r *reader) scalar(v *yaml3.Node, field string) any {
	switch v.Tag {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if v.Decode(&b) == nil {
			return b
		}
	case "!!int":
		var i int64
		if v.Decode(&i) == nil {
			return i
		}
		return r.float(v)
	case "!!float":
		return r.float(v)
	case "!!str", "!!timestamp", tagLiteral:
	default:
		r.problem(v, field, "use !pebble, !connect or !literal, or none", "the tag %.40s is not known here", v.Tag)
	}
	return v.Value
}

func (r *reader) float(v *yaml3.Node) any {
	var f float64
	if v.Decode(&f) == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
		return f
	}
	return v.Value
}

// plain reads a document that is a value as a whole.
func (r *reader) plain(n *yaml3.Node, field string, depth int) any {
	v := r.resolve(n)
	if v == nil || depth > maxDepth {
		r.problem(n, field, "make it simpler", "it is nested too deep, or the file is too large")
		return nil
	}
	switch v.Kind { //nolint:exhaustive // what is left is a scalar
	case yaml3.MappingNode:
		m := make(map[string]any, len(v.Content)/2)
		for _, p := range r.pairs(v, field) {
			m[p.key] = r.plain(p.val, field+"."+p.key, depth+1)
		}
		return m
	case yaml3.SequenceNode:
		l := make([]any, 0, len(v.Content))
		for i, x := range v.Content {
			l = append(l, r.plain(x, field+"["+strconv.Itoa(i)+"]", depth+1))
		}
		return l
	}
	return r.scalar(v, field)
}

// whole reads a whole number that is not negative.
func (r *reader) whole(n *yaml3.Node, field string) int {
	i, err := strconv.Atoi(r.text(n, field))
	if err != nil || i < 0 || i > 1<<31 {
		r.problem(n, field, "write a whole number", "%s is not a whole number", field)
		return 0
	}
	return i
}

func (r *reader) flag(n *yaml3.Node, field string) bool {
	switch strings.ToLower(r.text(n, field)) {
	case "true":
		return true
	case "false":
		return false
	}
	r.problem(n, field, "write true or false", "%s is neither true nor false", field)
	return false
}

// number reads a coordinate.
func (r *reader) number(n *yaml3.Node, field string) float64 {
	f, err := strconv.ParseFloat(r.text(n, field), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		r.problem(n, field, "write a number", "%s is not a number", field)
		return 0
	}
	return f
}

// vars reads the variables: a mapping by name, or a list where names stand twice.
func (r *reader) vars(n *yaml3.Node) {
	v := r.resolve(n)
	if v == nil {
		return
	}
	if v.Kind == yaml3.SequenceNode {
		for i, x := range v.Content {
			r.f.Vars = append(r.f.Vars, r.variable("", x, "vars["+strconv.Itoa(i)+"]"))
		}
	} else {
		for _, p := range r.pairs(v, "vars") {
			r.f.Vars = append(r.f.Vars, r.variable(p.key, p.val, "vars."+p.key))
		}
	}
	if len(r.f.Vars) > flow.MaxVars {
		r.problem(n, "vars", "remove what is not used", "there are %d variables, at most %d run", len(r.f.Vars), flow.MaxVars)
	}
}

// variable reads one variable; a mere value stands for one of the value's type.
func (r *reader) variable(name string, n *yaml3.Node, field string) flow.Var {
	out := flow.Var{Name: name, Type: flow.TypeString}
	v := r.resolve(n)
	if v == nil {
		return out
	}
	if v.Kind != yaml3.MappingNode {
		out.Value = r.plain(v, field, 0)
		out.Type = typeOf(out.Value)
		return out
	}
	for _, p := range r.pairs(v, field) {
		at := field + "." + p.key
		switch p.key {
		case "name":
			out.Name = r.text(p.val, at)
		case "type":
			out.Type = r.varType(p.val, at)
		case "value":
			out.Value = r.plain(p.val, at, 0)
		case "description":
			out.Description = r.text(p.val, at)
		case "label":
			out.Label = r.text(p.val, at)
		default:
			if on := switches(&out)[p.key]; on != nil {
				*on = r.flag(p.val, at)
				continue
			}
			r.problem(p.at, at, nearest(p.key, "name", "type", "value", "description", "label", "cad", "agentEditable", "reportable", "secure", "global"),
				"%q is no property of a variable", p.key)
		}
	}
	return out
}

// switches are the properties of a variable that are on or off.
func switches(v *flow.Var) map[string]*bool {
	return map[string]*bool{
		"cad": &v.CAD, "agentEditable": &v.AgentEditable, "reportable": &v.Reportable, "secure": &v.Secure, "global": &v.Global,
	}
}

// typeOf is the type of a variable of which only the value is said.
func typeOf(v any) flow.Type {
	switch v.(type) {
	case bool:
		return flow.TypeBoolean
	case int64:
		return flow.TypeInteger
	case float64:
		return flow.TypeDecimal
	case []any:
		return flow.TypeJSON
	}
	return flow.TypeString
}

func (r *reader) varType(n *yaml3.Node, field string) flow.Type {
	t := r.text(n, field)
	switch up := flow.Type(strings.ToUpper(t)); up {
	case flow.TypeString, flow.TypeInteger, flow.TypeBoolean, flow.TypeDecimal, flow.TypeDateTime, flow.TypeJSON:
		return up
	}
	r.problem(n, field, "use STRING, INTEGER, BOOLEAN, DECIMAL, DATETIME or JSON", "%q is no type of a variable", t)
	return flow.Type(t)
}

func (r *reader) options(n *yaml3.Node) {
	o := &r.f.Options
	for _, p := range r.pairs(n, "options") {
		at := "options." + p.key
		switch p.key {
		case "rawInterpolation":
			o.RawInterpolation = r.flag(p.val, at)
		case "maxSteps":
			if o.MaxSteps = r.whole(p.val, at); o.MaxSteps > maxSteps {
				r.problem(p.val, at, strconv.Itoa(maxSteps), "at most %d nodes may run between two waits", maxSteps)
				o.MaxSteps = maxSteps
			}
		case "zone":
			o.Zone = r.text(p.val, at)
		case "errorText":
			o.ErrorText = r.text(p.val, at)
		case "language":
			o.Language = r.text(p.val, at)
		case "voice":
			o.Voice = r.text(p.val, at)
		default:
			r.problem(p.at, at, nearest(p.key, "rawInterpolation", "maxSteps", "zone", "errorText", "language", "voice"), "%q is no option", p.key)
		}
	}
}

// nearest proposes the name that was probably meant.
func nearest(have string, names ...string) string {
	best, far := "", 3
	for _, n := range names {
		if d := distance(strings.ToLower(have), strings.ToLower(n)); d < far {
			best, far = n, d
		}
	}
	if best != "" {
		return best
	}
	if len(names) > 12 {
		names = names[:12]
	}
	return "use one of " + strings.Join(names, ", ")
}

// distance is the edit distance of two short names; long ones are far apart.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			last, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, last+cost)
		}
	}
	return row[len(b)]
}

// nearestNode proposes the node that was probably meant.
func (r *reader) nearestNode(key string) string {
	best, far := "", 4
	for name := range r.keys {
		if d := distance(strings.ToLower(key), strings.ToLower(name)); d < far || d == far && name < best {
			best, far = name, d
		}
	}
	if best == "" {
		return "name a node of this flow"
	}
	return fmt.Sprintf("did you mean %s?", best)
}

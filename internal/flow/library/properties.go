package library

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
)

// Limits of what an edit may hold.
const (
	maxText  = 64 << 10 // of one text
	maxDepth = 8        // of lists and maps in each other
)

// Results is the name under which Properties shows where a node's results go.
const Results = "results"

// Properties shows what a node does: its inputs as they stand in the source, and where its results go, one a line as
// "variable = path". Edit takes them back in the same form.
func Properties(n *flow.Node) map[string]any {
	out := map[string]any{}
	for name, v := range n.In {
		out[name] = shown(v)
	}
	if text := resultsOf(n); text != "" {
		out[Results] = text
	}
	return out
}

func resultsOf(n *flow.Node) string {
	to := make([]string, 0, len(n.Out))
	for _, b := range n.Out {
		to = append(to, b.Var+" = "+cmp.Or(b.Path, "$"))
	}
	return strings.Join(to, "\n")
}

func shown(v flow.Value) any {
	switch {
	case v.Map != nil:
		m := map[string]any{}
		for k, x := range v.Map {
			m[k] = shown(x)
		}
		return m
	case v.List != nil:
		l := []any{}
		for _, x := range v.List {
			l = append(l, shown(x))
		}
		return l
	case v.Src != "":
		return v.Src
	}
	if raw, err := json.Marshal(v.Lit); err == nil && len(raw) > maxText {
		return string(raw[:maxText])
	}
	return v.Lit
}

// isShown reports whether v, which came as JSON, is what is shown of old.
func isShown(old flow.Value, v any) bool {
	raw, err := json.Marshal(shown(old))
	if err != nil {
		return false
	}
	var was any
	return json.Unmarshal(raw, &was) == nil && reflect.DeepEqual(was, v)
}

// reader turns what a person wrote into values of one flow.
type reader struct {
	connect bool
	texts   bool // the format holds the initial values of variables as texts, whatever their type
}

// inputs merges the properties of a node into its inputs; what is unchanged keeps all that the source format said of it.
func (r reader) inputs(n *flow.Node, props map[string]any) error {
	in := make(map[string]flow.Value, len(props))
	for name, v := range props {
		if name == Results {
			continue
		}
		old, known := n.In[name]
		if known && isShown(old, v) {
			in[name] = old
			continue
		}
		if old.Field == "" {
			old.Field = name
		}
		got, err := r.value(old, v, 0)
		if err != nil {
			return errs.Wrap(errs.Invalid, err, "%s of step %q: %s", name, n.Name, err.Error())
		}
		in[name] = got
	}
	if len(in) > 0 || n.In != nil {
		n.In = in
	}
	return r.results(n, props[Results])
}

func (r reader) value(old flow.Value, v any, depth int) (flow.Value, error) {
	if depth > maxDepth {
		return flow.Value{}, fmt.Errorf("lists and maps go at most %d deep", maxDepth)
	}
	switch t := v.(type) {
	case map[string]any:
		out := flow.Value{Map: make(map[string]flow.Value, len(t)), Field: old.Field}
		for k, x := range t {
			was, known := old.Map[k]
			if !known {
				was.Field = old.Field + "." + k
			}
			got, err := r.value(was, x, depth+1)
			if err != nil {
				return out, err
			}
			out.Map[k] = got
		}
		return out, nil
	case []any:
		out := flow.Value{List: make([]flow.Value, 0, len(t)), Field: old.Field}
		for i, x := range t {
			was := flow.Value{Field: fmt.Sprintf("%s[%d]", old.Field, i)}
			if i < len(old.List) {
				was = old.List[i]
			}
			got, err := r.value(was, x, depth+1)
			if err != nil {
				return out, err
			}
			out.List = append(out.List, got)
		}
		return out, nil
	case string:
		return r.text(old, t)
	default: // a number, a truth value or nothing
		return flow.Value{Lit: v, Field: old.Field}, nil
	}
}

// text reads a text as its field is read: a template stays one, and what was a number stays one if it still reads so.
func (r reader) text(old flow.Value, s string) (flow.Value, error) {
	if len(s) > maxText {
		return flow.Value{}, fmt.Errorf("a text has at most %d bytes", maxText)
	}
	if raw, ok := old.Lit.(string); ok && len(raw) > maxText {
		return flow.Value{}, fmt.Errorf("the text is too long to be changed here")
	}
	switch {
	case r.connect:
		return flow.Dynamic(s, old.Field), nil
	case s != "" && (old.Dialect == flow.DialectPebble || strings.Contains(s, "{{") || strings.Contains(s, "{%")):
		return flow.Pebble(s, old.Field), nil
	}
	out := flow.Value{Lit: s, Field: old.Field}
	switch old.Lit.(type) {
	case bool:
		if b, err := strconv.ParseBool(s); err == nil {
			out.Lit = b
		}
	case float64, int64, int:
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			out.Lit = f
		}
	}
	return out, nil
}

// results reads "variable = path", one a line.
func (r reader) results(n *flow.Node, v any) error {
	s, isText := v.(string)
	if v != nil && !isText || len(s) > maxText {
		return errs.New(errs.Invalid, "the results of step %q are lines such as name = $.path", n.Name)
	}
	if s == resultsOf(n) {
		return nil
	}
	fields := map[string]string{}
	for _, b := range n.Out {
		fields[b.Var] = b.Field
	}
	n.Out = nil
	for line := range strings.Lines(s) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, path, _ := strings.Cut(line, "=")
		name, path = strings.TrimSpace(name), strings.TrimSpace(path)
		if name == "" || path == "" {
			return errs.New(errs.Invalid, "the results of step %q: %.60q is not name = $.path", n.Name, strings.TrimSpace(line))
		}
		n.Out = append(n.Out, flow.Bind{Path: path, Var: name, Field: fields[name]})
	}
	return nil
}

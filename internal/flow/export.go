package flow

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Loss is something of a flow that a format cannot hold, or that an export could not put into it.
type Loss struct {
	Node  string `json:"node"` // empty for the flow as a whole
	Field string `json:"field,omitempty"`
	What  string `json:"what"`
}

// Exporter writes one format of flows. A flow that came from the format is written as it came, with what was changed since
// changed in it; any other is written anew.
type Exporter interface {
	// Format is the format's name, as in Report.Format.
	Format() string
	// Export writes the flow and says what it could not write. It gives an error only for a flow that cannot be written at all.
	Export(f *Flow) ([]byte, []Loss, error)
}

// Edit is a text of a node that differs from what was imported; Field is where in the source format it stands.
type Edit struct{ Field, Old, New string }

// Edits compares a node with itself as it was imported. Names of inputs that differ in more than texts, or in texts that
// stand nowhere in the source format, are returned as shapes.
func Edits(base, now *Node) (edits []Edit, shapes []string) {
	c := &comparison{}
	for _, name := range slices.Sorted(maps.Keys(mergedKeys(base.In, now.In))) {
		if name == "match" || name == "digits" || name == "weights" { // follow from the ways on
			continue
		}
		c.shape = false
		c.value(base.In[name], now.In[name])
		if c.shape {
			shapes = append(shapes, name)
		}
	}
	c.shape = len(base.Out) != len(now.Out)
	for i := range min(len(base.Out), len(now.Out)) {
		a, b := base.Out[i], now.Out[i]
		if a.Path != b.Path {
			c.edits = append(c.edits, Edit{a.Field, a.Path, b.Path})
		}
		if a.Var != b.Var {
			c.edits = append(c.edits, Edit{strings.TrimSuffix(a.Field, "jsonPathExp") + "outputVariable", a.Var, b.Var})
		}
	}
	if c.shape {
		shapes = append(shapes, "out")
	}
	return c.edits, shapes
}

func mergedKeys(a, b map[string]Value) map[string]bool {
	out := make(map[string]bool, len(a))
	for k := range a {
		out[k] = true
	}
	for k := range b {
		out[k] = true
	}
	return out
}

type comparison struct {
	edits []Edit
	shape bool
}

func (c *comparison) value(a, b Value) {
	if len(a.List) != len(b.List) {
		c.shape = true
		return
	}
	for i := range a.List {
		c.value(a.List[i], b.List[i])
	}
	for k := range mergedKeys(a.Map, b.Map) {
		x, inA := a.Map[k]
		y, inB := b.Map[k]
		if inA != inB {
			c.shape = true
			continue
		}
		c.value(x, y)
	}
	before, after := Source(a), Source(b)
	switch {
	case before == after:
	case a.Field == "":
		c.shape = true
	default:
		c.edits = append(c.edits, Edit{a.Field, before, after})
	}
}

// Source is the text of a value as a format holds it: a template's source, or the literal.
func Source(v Value) string {
	if v.Src != "" {
		return v.Src
	}
	return text(v.Lit)
}

// ChangedExits lists the ports that lead elsewhere in one of two nodes.
func ChangedExits(a, b *Node) (differ []Port) {
	for p, to := range a.Exits {
		if b.Exits[p] != to {
			differ = append(differ, p)
		}
	}
	for p := range b.Exits {
		if _, ok := a.Exits[p]; !ok {
			differ = append(differ, p)
		}
	}
	slices.Sort(differ)
	return differ
}

// PutField changes one field of a decoded JSON object, such as "Messages[0].Text", and keeps its type and unit: a time in
// seconds that was read as milliseconds is written in seconds again, a bare variable name as one. It reports whether the
// field held what was read from it.
func PutField(obj map[string]any, e Edit) bool {
	parent, key, index := locate(obj, e.Field)
	switch {
	case parent != nil:
		v, ok := fieldText(parent[key], e)
		if ok {
			parent[key] = v
		}
		return ok
	case index != nil:
		v, ok := fieldText(*index, e)
		if ok {
			*index = v
		}
		return ok
	}
	return false
}

// locate finds the place of a field: a member of an object, or an element of a list. Names may hold points: the longest name
// that exists is taken.
func locate(obj map[string]any, field string) (parent map[string]any, key string, element *any) {
	var at any = obj
	for field != "" {
		switch t := at.(type) {
		case map[string]any:
			name := longestName(t, field)
			rest := strings.TrimPrefix(field[len(name):], ".")
			if rest == "" {
				return t, name, nil
			}
			at, field = t[name], rest
		case []any:
			end := strings.IndexByte(field, ']')
			if !strings.HasPrefix(field, "[") || end < 0 {
				return nil, "", nil
			}
			i, err := strconv.Atoi(field[1:end])
			if err != nil || i < 0 || i >= len(t) {
				return nil, "", nil
			}
			field = strings.TrimPrefix(field[end+1:], ".")
			if field == "" {
				return nil, "", &t[i]
			}
			at = t[i]
		default:
			return nil, "", nil
		}
	}
	return nil, "", nil
}

func longestName(m map[string]any, field string) string {
	best := ""
	for k := range m {
		if len(k) > len(best) && strings.HasPrefix(field, k) && (len(field) == len(k) || field[len(k)] == '.' || field[len(k)] == '[') {
			best = k
		}
	}
	if best != "" {
		return best
	}
	if i := strings.IndexAny(field, ".["); i > 0 {
		return field[:i]
	}
	return field
}

var (
	bareName  = regexp.MustCompile(`^\{\{\s*([\w.]+)\s*\}\}$`)
	clockTime = regexp.MustCompile(`^\d+:\d\d(:\d\d)?$`)
)

// fieldText is what a field holds after an edit, in the field's own type and unit.
func fieldText(raw any, e Edit) (any, bool) {
	old := text(raw)
	if old == e.Old || strings.EqualFold(old, e.Old) {
		return typedAs(raw, e.New), true
	}
	was, err := strconv.ParseFloat(e.Old, 64)
	now, err2 := strconv.ParseFloat(e.New, 64)
	numbers := err == nil && err2 == nil
	switch rawNumber, rawErr := strconv.ParseFloat(strings.TrimSpace(old), 64); {
	case numbers && rawErr == nil && math.Abs(rawNumber-was) < 1e-9:
		return typedAs(raw, e.New), true
	case numbers && rawErr == nil && math.Abs(rawNumber*1000-was) < 1e-6:
		return typedAs(raw, strconv.FormatFloat(now/1000, 'f', -1, 64)), true
	case numbers && clockTime.MatchString(old):
		s := int(now / 1000)
		return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60), true
	case e.Old == "{{"+old+"}}":
		if m := bareName.FindStringSubmatch(e.New); m != nil {
			return m[1], true
		}
		return e.New, true
	}
	return nil, false
}

// typedAs writes a text as the type that a field has.
func typedAs(raw any, s string) any {
	switch raw.(type) {
	case json.Number:
		if _, err := strconv.ParseFloat(s, 64); err == nil && json.Valid([]byte(s)) {
			return json.Number(s)
		}
	case bool:
		if b, err := toBoolean(s); err == nil {
			return b
		}
	}
	return s
}

// Encode writes a document of an export, indented and without escaping what HTML would need.
func Encode(doc any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return nil, wrapf(err, "writing a flow")
	}
	return []byte(b.String()), nil
}

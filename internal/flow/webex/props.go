package webex

import (
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/flow"
)

// props is a JSON object whose fields may be absent, null or of another type than expected: real files have all of these.
type props map[string]any

// object reads a JSON object with its numbers as written.
func object(data []byte) (props, error) {
	m, err := flow.DecodeObject(data)
	return m, err //nolint:wrapcheck // the caller says what was read
}

func asProps(v any) props {
	m, _ := v.(map[string]any)
	return m
}

func (p props) obj(key string) props { return asProps(p[key]) }

func (p props) list(key string) []any {
	l, _ := p[key].([]any)
	return l
}

// text returns a field as text; "" when it is absent, null or no scalar.
func (p props) text(key string) string { return scalar(p[key]) }

func scalar(v any) string {
	switch t := v.(type) {
	case string:
		return t
	case json.Number:
		return string(t)
	case bool:
		return strconv.FormatBool(t)
	}
	return ""
}

// twin returns a field that Webex writes as X:suffix and as X_suffix.
func (p props) twin(key, suffix string) string {
	return cmp.Or(p.text(key+":"+suffix), p.text(key+"_"+suffix))
}

// flag reads a boolean, which may be a text.
func (p props) flag(key string) bool { return strings.EqualFold(p.text(key), "true") }

// number reads a whole number, which may be a text or have a fraction.
func (p props) number(key string) int {
	f := p.float(key)
	if math.Abs(f) > math.MaxInt32 {
		return 0
	}
	return int(f)
}

func (p props) float(key string) float64 {
	f, _ := flow.ParseNumber(p.text(key))
	return f
}

// has reports whether a field holds something.
func (p props) has(key string) bool { return strings.TrimSpace(p.text(key)) != "" }

// value turns a field into an input: a template if it has one in it, else a literal.
func (p props) value(key string) flow.Value { return input(p.text(key), key) }

func input(src, field string) flow.Value {
	if strings.Contains(src, "{{") || strings.Contains(src, "{%") || strings.Contains(src, "{#") {
		return flow.Pebble(src, field)
	}
	return flow.Value{Lit: src, Field: field}
}

// variable turns a field that names a variable, bare or as a template, into an input that reads it.
func (p props) variable(key string) flow.Value {
	s := strings.TrimSpace(p.text(key))
	if s == "" || strings.Contains(s, "{") {
		return input(s, key)
	}
	return flow.Pebble("{{"+s+"}}", key)
}

// values turns an object into a map of inputs.
func (p props) values(key string) flow.Value {
	o := p.obj(key)
	if len(o) == 0 {
		return flow.Value{Field: key}
	}
	m := make(map[string]flow.Value, len(o))
	for k := range o {
		if o[k] != nil {
			m[k] = input(o.text(k), key+"."+k)
		}
	}
	return flow.Value{Map: m, Field: key}
}

// texts returns a list's scalars.
func (p props) texts(key string) []string {
	var out []string
	for _, v := range p.list(key) {
		out = append(out, scalar(v))
	}
	return out
}

// plainLit makes a decoded scalar one that a flow's JSON keeps: numbers become float64 or stay text.
func plainLit(v any) any {
	n, ok := v.(json.Number)
	if !ok {
		return v
	}
	if f, err := n.Float64(); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return f
	}
	return string(n)
}

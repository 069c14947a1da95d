package connect

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/tandemcc/tandem/internal/flow"
)

// props is a JSON object whose fields may be absent, null, of another type than expected, or written with another first
// letter: real files have all of these.
type props map[string]any

// decode reads a JSON object with its numbers as written.
func decode(data []byte) (props, error) {
	m, err := flow.DecodeObject(data)
	return m, err //nolint:wrapcheck // the caller says what was read
}

func asProps(v any) props {
	m, _ := v.(map[string]any)
	return m
}

// key is the name under which a field stands.
func (p props) key(name string) string {
	if _, ok := p[name]; ok || name == "" {
		return name
	}
	first := strings.ToUpper(name[:1])
	if first == name[:1] {
		first = strings.ToLower(first)
	}
	if alt := first + name[1:]; p[alt] != nil {
		return alt
	}
	return name
}

func (p props) get(name string) any { return p[p.key(name)] }

func (p props) obj(name string) props { return asProps(p.get(name)) }

func (p props) list(name string) []any {
	l, _ := p.get(name).([]any)
	return l
}

// text returns a field as text; "" when it is absent, null or no scalar.
func (p props) text(name string) string { return scalar(p.get(name)) }

func scalar(v any) string {
	switch t := v.(type) {
	case string:
		return t
	case json.Number:
		return string(t)
	case bool:
		if t {
			return "True"
		}
		return "False"
	}
	return ""
}

// anyText is a field as text, objects and lists as JSON.
func anyText(v any) string {
	switch v.(type) {
	case map[string]any, []any:
		data, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(data)
	}
	return scalar(v)
}

func (p props) flag(name string) bool { return strings.EqualFold(p.text(name), "true") }

func (p props) has(name string) bool { return strings.TrimSpace(p.text(name)) != "" }

// number reads a number, which may be a text.
func (p props) number(name string) (float64, bool) {
	return flow.ParseNumber(p.text(name))
}

// names are the object's names in order.
func (p props) names() []string { return slices.Sorted(maps.Keys(p)) }

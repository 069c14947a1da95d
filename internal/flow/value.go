package flow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Values are variables by name. A value is a string, bool, int64, float64, nil, or a map[string]any or []any of them. Their
// JSON keeps int64 and float64 apart (a float64 is always written with a point or an exponent), so that a restored
// session computes as before.
type Values map[string]any

// MarshalJSON writes the values with sorted names.
func (v Values) MarshalJSON() ([]byte, error) {
	return appendValue(nil, map[string]any(v)), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *Values) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return wrapf(err, "reading flow values")
	}
	for k, x := range m {
		m[k] = plain(x)
	}
	*v = m
	return nil
}

func appendValue(b []byte, v any) []byte {
	switch t := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendString(b, t)
	case bool:
		return strconv.AppendBool(b, t)
	case int64:
		return strconv.AppendInt(b, t, 10)
	case int:
		return strconv.AppendInt(b, int64(t), 10)
	case float64:
		return appendFloat(b, t)
	case map[string]any:
		b = append(b, '{')
		for i, k := range slices.Sorted(maps.Keys(t)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, k), ':')
			b = appendValue(b, t[k])
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, x := range t {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, x)
		}
		return append(b, ']')
	default:
		return appendString(b, text(v))
	}
}

func appendFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	n := len(b)
	b = strconv.AppendFloat(b, f, 'g', -1, 64)
	if !bytes.ContainsAny(b[n:], ".e") {
		b = append(b, ".0"...)
	}
	return b
}

// appendString writes a JSON string without escaping <, > and &, which the values are not written into HTML for.
func appendString(b []byte, s string) []byte {
	simple := true
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			simple = false
			break
		}
	}
	if simple {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return append(b, `""`...)
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// plain turns a decoded JSON document into values: numbers become int64 or float64. The document is not changed.
func plain(v any) any {
	switch t := v.(type) {
	case json.Number:
		return plainNumber(string(t))
	case map[string]any:
		m := make(map[string]any, len(t))
		for k, x := range t {
			m[k] = plain(x)
		}
		return m
	case []any:
		l := make([]any, len(t))
		for i, x := range t {
			l[i] = plain(x)
		}
		return l
	case time.Time:
		return t.UTC().Format(time.RFC3339Nano)
	case int:
		return int64(t)
	case int32:
		return int64(t)
	case float32:
		return float64(t)
	default:
		return v
	}
}

func plainNumber(s string) any {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && math.IsInf(f, 0) {
		return s // beyond a float64: the text loses nothing
	}
	return f
}

// text renders a value as a STRING variable holds it: documents as JSON, null as nothing.
func text(v any) string {
	switch t := v.(type) {
	case nil:
		return ""
	case string:
		return t
	case bool:
		return strconv.FormatBool(t)
	case int64:
		return strconv.FormatInt(t, 10)
	case int:
		return strconv.Itoa(t)
	case float64:
		return strconv.FormatFloat(t, 'f', -1, 64)
	case json.Number:
		return string(t)
	case map[string]any, []any:
		return string(appendValue(nil, plain(t)))
	case time.Time:
		return t.UTC().Format(time.RFC3339)
	default:
		return fmt.Sprint(t)
	}
}

// zero is the value of a variable that nobody has set.
func (t Type) zero() any {
	switch t {
	case TypeInteger:
		return int64(0)
	case TypeDecimal:
		return float64(0)
	case TypeBoolean:
		return false
	case TypeJSON:
		return nil
	default:
		return ""
	}
}

// convert makes v a value of the type. null and, but for STRING, blank text give the empty value.
func (t Type) convert(v any) (any, error) {
	if v == nil {
		return t.zero(), nil
	}
	s, isText := v.(string)
	if isText && t != TypeString && strings.TrimSpace(s) == "" {
		return t.zero(), nil
	}
	var out any
	var err error
	switch t {
	case TypeInteger:
		out, err = toInteger(v)
	case TypeDecimal:
		out, err = toDecimal(v)
	case TypeBoolean:
		out, err = toBoolean(v)
	case TypeJSON:
		return toDocument(v)
	default:
		str := text(v)
		if len(str) > MaxVarBytes {
			return nil, fmt.Errorf("the value has %d bytes; a variable holds at most %d", len(str), MaxVarBytes)
		}
		return str, nil
	}
	return out, err
}

func toInteger(v any) (any, error) {
	switch t := v.(type) {
	case int64:
		return t, nil
	case int:
		return int64(t), nil
	case float64:
		if t == math.Trunc(t) && math.Abs(t) < 1<<63 {
			return int64(t), nil
		}
	case json.Number:
		return toInteger(plainNumber(string(t)))
	case string:
		s := strings.TrimSpace(t)
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i, nil
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return toInteger(f)
		}
	}
	return nil, fmt.Errorf("%.40q is not a whole number", text(v))
}

func toDecimal(v any) (any, error) {
	switch t := v.(type) {
	case float64:
		return t, nil
	case int64:
		return float64(t), nil
	case int:
		return float64(t), nil
	case json.Number, string:
		f, err := strconv.ParseFloat(strings.TrimSpace(text(t)), 64)
		if err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, nil
		}
	}
	return nil, fmt.Errorf("%.40q is not a number", text(v))
}

func toBoolean(v any) (any, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	switch strings.ToLower(strings.TrimSpace(text(v))) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return nil, fmt.Errorf("%.40q is neither true nor false", text(v))
}

func toDocument(v any) (any, error) {
	if s, ok := v.(string); ok {
		if len(s) > MaxVarBytes {
			return nil, fmt.Errorf("the document has %d bytes; a JSON variable holds at most %d", len(s), MaxVarBytes)
		}
		doc, err := decodeJSON([]byte(s))
		if err != nil {
			return nil, fmt.Errorf("%.40q is not a JSON document", s)
		}
		return plain(doc), nil
	}
	doc := plain(v)
	if n := len(appendValue(nil, doc)); n > MaxVarBytes {
		return nil, fmt.Errorf("the document has %d bytes; a JSON variable holds at most %d", n, MaxVarBytes)
	}
	return doc, nil
}

// wrapf wraps a cause that is not nil.
func wrapf(err error, format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}

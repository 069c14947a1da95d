package salesforce

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// references are the answers of the parts of a composite that succeeded, which later parts may use as @{name.field}
// (REST API developer guide, "Composite Subrequest").
type references struct {
	version int // of the composite, which settles how nulls are taken
	done    map[string]referenced
}

type referenced struct {
	body any  // decoded, numbers as json.Number
	row  bool // a single record was read
}

var (
	referencePattern = regexp.MustCompile(`@\{([^{}]*)\}`)
	referenceName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_]*$`)
	referencePath    = regexp.MustCompile(`^[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+|\[\d{1,5}\])+$`)
)

func isReferenceID(name string) bool { return referenceName.MatchString(name) }

func referenceForm(name string) string {
	return "Provided referenceId ('" + shorten(name) + "') must start with a letter or a number, and it can contain only letters, numbers and underscores ('_')."
}

// body replaces what is referred to within a JSON body. A text that is one reference and nothing else becomes the value as
// it is; else the value becomes part of the text.
func (r *references) body(raw json.RawMessage) ([]byte, error) {
	if !bytes.Contains(raw, []byte("@{")) {
		return raw, nil
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, jsonFault(raw, err)
	}
	v, err := r.walk(v)
	if err != nil {
		return nil, err
	}
	return encode(v)
}

func (r *references) walk(v any) (any, error) {
	var err error
	switch x := v.(type) {
	case string:
		if m := referencePattern.FindStringSubmatch(x); m != nil && m[0] == x {
			return r.value(m[1])
		}
		return r.text(x)
	case []any:
		for i := range x {
			if x[i], err = r.walk(x[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range x {
			if x[k], err = r.walk(x[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// text replaces references within a text.
func (r *references) text(s string) (string, error) {
	return r.replace(s, func(_ int, v string) string { return v })
}

// url replaces references within an address, where the values are escaped.
func (r *references) url(s string) (string, error) {
	query := strings.IndexByte(s, '?')
	return r.replace(s, func(at int, v string) string {
		if query >= 0 && at > query {
			return url.QueryEscape(v)
		}
		return url.PathEscape(v)
	})
}

func (r *references) replace(s string, form func(at int, v string) string) (string, error) {
	var b strings.Builder
	end := 0
	for _, m := range referencePattern.FindAllStringSubmatchIndex(s, -1) {
		v, err := r.value(s[m[2]:m[3]])
		if err != nil {
			return "", err
		}
		text := ""
		if v != nil {
			text = fmt.Sprint(v)
		}
		b.WriteString(s[end:m[0]] + form(m[0], text))
		end = m[1]
	}
	return b.String() + s[end:], nil
}

// value looks a path up. A null of a record that was read is one from 52.0 on; everything else that is not there fails.
func (r *references) value(path string) (any, error) {
	name := path[:len(path)-len(strings.TrimLeft(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"))]
	missing := badRequest("PROCESSING_HALTED", "Invalid reference specified. No value for %s found in %s. %s", shorten(path), shorten(name), referenceForm(path))
	ref, found := r.done[name]
	if !found || !referencePath.MatchString(path) {
		return nil, missing
	}
	v, found := follow(ref.body, path[len(name):])
	_, isMap := v.(map[string]any)
	_, isList := v.([]any)
	if !found || isMap || isList || v == nil && (!ref.row || r.version < 52) {
		return nil, missing // only plain values can be referred to
	}
	return v, nil
}

// follow walks a path of .field and [index] into a value.
func follow(v any, path string) (_ any, found bool) {
	found = true
	for _, key := range strings.FieldsFunc(path, func(c rune) bool { return c == '.' || c == '[' || c == ']' }) {
		switch x := v.(type) {
		case map[string]any:
			v, found = x[key]
		case []any:
			n, err := strconv.Atoi(key)
			if found = err == nil && n < len(x); found {
				v = x[n]
			}
		default:
			found = false
		}
		if !found {
			return nil, false
		}
	}
	return v, found
}

package salesforce

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// decodeRecord reads a JSON object without its attributes. Depth and size are bounded by what carries it.
func decodeRecord(body []byte) (map[string]json.RawMessage, error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(body, &in); err != nil || in == nil {
		return nil, jsonFault(body, err)
	}
	return in, nil
}

// noBody is what the platform says to a request without the body it needs.
const noBody = "The HTTP entity body is required, but this request has no entity body."

// jsonFault tells where a body stops being JSON of the form a resource takes, with the parser's words and place that the
// platform has (REST API developer guide, "Status Codes": JSON_PARSER_ERROR).
func jsonFault(body []byte, err error) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return badRequest("JSON_PARSER_ERROR", noBody)
	}
	syntax, broken := errors.AsType[*json.SyntaxError](err)
	if !broken {
		token := "null"
		if c := bytes.TrimSpace(body)[0]; c != 'n' {
			token = string(rune(c))
		}
		if mismatch, isType := errors.AsType[*json.UnmarshalTypeError](err); isType && mismatch.Field != "" {
			return badRequest("JSON_PARSER_ERROR", "Cannot deserialize %s: a JSON %s does not belong there%s", mismatch.Field, mismatch.Value, atPlace(body, int(mismatch.Offset)))
		}
		return badRequest("JSON_PARSER_ERROR", "Json Deserialization failed on token '%s': an object or array of the documented form is expected%s", token, atPlace(body, 0))
	}
	at := max(0, min(int(syntax.Offset), len(body))-1)
	rest := body[min(int(syntax.Offset), len(body)):]
	if len(bytes.TrimSpace(rest)) == 0 && strings.Contains(syntax.Error(), "unexpected end") {
		return badRequest("JSON_PARSER_ERROR", "Unexpected end-of-input: expected close marker for %s (from [line:1, column:0])%s",
			map[bool]string{true: "ARRAY", false: "OBJECT"}[bytes.HasPrefix(bytes.TrimSpace(body), []byte("["))], atPlace(body, len(body)))
	}
	c, _ := utf8.DecodeRune(body[at:])
	return badRequest("JSON_PARSER_ERROR", "Unexpected character ('%c' (code %d)): %s%s", c, c, expected(syntax.Error()), atPlace(body, at))
}

// expected says what a parser looked for, in the words the platform's parser has for it.
func expected(reason string) string {
	for _, w := range [][2]string{
		{"beginning of value", "expected a value"},
		{"beginning of object key", "was expecting double-quote to start field name"},
		{"after object key:value", "was expecting comma to separate OBJECT entries"},
		{"after object key", "was expecting a colon to separate field name and value"},
		{"after array element", "was expecting comma to separate ARRAY entries"},
		{"in string", "has to be escaped using backslash to be included in string value"},
		{"in literal", "was expecting 'null', 'true' or 'false'"},
		{"in numeric literal", "was expecting a digit"},
		{"after top-level value", "was expecting the end of the body"},
	} {
		if strings.Contains(reason, w[0]) {
			return w[1]
		}
	}
	return "expected a value"
}

// atPlace writes a position in a body as the platform does.
func atPlace(body []byte, offset int) string {
	before := body[:max(0, min(offset, len(body)))]
	return fmt.Sprintf(" at [line:%d, column:%d]", 1+bytes.Count(before, []byte("\n")), len(before)-bytes.LastIndexByte(before, '\n'))
}

// cannotRead refuses a value of the wrong JSON type or form for its field. located adds where it stands.
func cannotRead(f *field, v any) error {
	kind, shown := "VALUE_STRING", fmt.Sprint(v)
	switch x := v.(type) {
	case json.Number:
		kind = "VALUE_NUMBER_INT"
		if strings.ContainsAny(x.String(), ".eE") {
			kind = "VALUE_NUMBER_FLOAT"
		}
	case bool:
		kind = map[bool]string{true: "VALUE_TRUE", false: "VALUE_FALSE"}[x]
	case map[string]any:
		kind, shown = "START_OBJECT", "{"
	case []any:
		kind, shown = "START_ARRAY", "["
	}
	e := badRequest("JSON_PARSER_ERROR", "Cannot deserialize instance of %s from %s value %s or request may be missing a required field", f.kind, kind, shorten(shown))
	e.at = f.name
	return e
}

// located completes an error about the form of a field's value with its place in the body.
func located(body []byte, err error) error {
	e, ok := errors.AsType[*apiError](err)
	if !ok || e.at == "" {
		return err
	}
	out := *e
	out.Message += atPlace(body, keyOffset(body, e.at))
	out.at = ""
	return &out
}

// keyOffset returns where a key of a JSON object begins, 0 when it has none of the name.
func keyOffset(body []byte, name string) int {
	dec := json.NewDecoder(bytes.NewReader(body))
	if _, err := dec.Token(); err != nil {
		return 0
	}
	for dec.More() {
		from := int(dec.InputOffset())
		tok, err := dec.Token()
		if err != nil {
			return 0
		}
		if key, isText := tok.(string); isText && strings.EqualFold(key, name) {
			if quote := bytes.IndexByte(body[from:], '"'); quote >= 0 {
				return from + quote
			}
			return from
		}
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil && !errors.Is(err, io.EOF) {
			return 0
		}
	}
	return 0
}

// recordIn reads the record in the body of a request. Checkboxes are stricter here than in bulk jobs: of texts only true and
// false count.
func recordIn(rq *request, obj *object) (map[string]json.RawMessage, error) {
	in, err := decodeRecord(rq.body)
	if err != nil {
		return nil, err
	}
	for name, raw := range in {
		f := obj.field(name)
		if f != nil && f.kind == typeID {
			return nil, badRequest("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
		}
		if f == nil || f.kind != typeBoolean {
			continue
		}
		var s string
		if json.Unmarshal(raw, &s) == nil && s != "true" && s != "false" && !bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
			return nil, located(rq.body, cannotRead(f, s))
		}
	}
	return in, nil
}

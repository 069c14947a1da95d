package salesforce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// checkInput turns a JSON record into stored values, for a new record or a change.
func (o *Org) checkInput(ctx context.Context, db querier, obj *object, in map[string]json.RawMessage, isNew bool) (record, error) {
	if obj.readOnly {
		return nil, badRequest("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "entity type %s is not createable or updateable", obj.name)
	}
	out := record{}
	var locked []string
	for _, name := range slices.Sorted(maps.Keys(in)) {
		raw := in[name]
		if strings.EqualFold(name, "attributes") {
			continue
		}
		f, nested := obj.field(name), false
		if c := obj.compound(name); f == nil && c != nil {
			locked = append(locked, c.name)
			continue
		}
		if f == nil {
			f, nested = obj.byRel[strings.ToLower(name)], true
		}
		if f == nil {
			return nil, badRequest("INVALID_FIELD", "No such column '%s' on sobject of type %s", name, obj.name)
		}
		if f.kind == typeID || f.readOnly || f.createOnly && !isNew {
			locked = append(locked, f.name)
			continue
		}
		check := o.checkValue
		if nested {
			check = func(ctx context.Context, db querier, _ *object, f *field, raw json.RawMessage) (any, error) {
				return o.checkNested(ctx, db, f, name, raw)
			}
		}
		v, err := check(ctx, db, obj, f, raw)
		if err != nil {
			return nil, err
		}
		out[f.name] = v
	}
	if len(locked) > 0 {
		return nil, onFields(badRequest("INVALID_FIELD_FOR_INSERT_UPDATE",
			"Unable to create/update fields: %s. Please check the security settings of this field and verify that it is read/write for your "+
				"profile or permission set.", strings.Join(locked, ", ")), locked...)
	}
	return out, checkRequired(obj, out, isNew)
}

func checkRequired(obj *object, r record, isNew bool) error {
	var missing []string
	for _, f := range obj.fields {
		v, given := r[f.name]
		if f.required && f.defaultTo == "" && v == nil && (isNew || given) {
			missing = append(missing, f.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if obj.event {
		return onFields(badRequest("REQUIRED_FIELD_MISSING", "You must enter a value: %s", strings.Join(missing, ", ")), missing...)
	}
	return onFields(badRequest("REQUIRED_FIELD_MISSING", "Required fields are missing: [%s]", strings.Join(missing, ", ")), missing...)
}

func (o *Org) checkValue(ctx context.Context, db querier, obj *object, f *field, raw json.RawMessage) (any, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, jsonFault(raw, err)
	}
	if v == nil {
		if f.kind == typeBoolean {
			return bit(false), nil // a checkbox has no third state
		}
		return nil, nil //nolint:nilnil // null clears a field
	}
	return o.checkDecoded(ctx, db, obj, f, v)
}

// checkDecoded is checkValue for a value that is no JSON text any more.
func (o *Org) checkDecoded(ctx context.Context, db querier, obj *object, f *field, v any) (any, error) {
	switch f.kind {
	case typeBoolean:
		switch x := v.(type) {
		case bool:
			return bit(x), nil
		case string:
			if strings.EqualFold(x, "true") || strings.EqualFold(x, "false") {
				return bit(strings.EqualFold(x, "true")), nil
			}
		}
		return nil, cannotRead(f, v)
	case typeInt, typeDouble, typeCurrency:
		return checkNumber(f, v)
	case typeDate, typeDateTime:
		return checkMoment(f, v)
	case typeReference:
		return o.checkReference(ctx, db, obj, f, v)
	case typeJunction:
		return o.checkJunction(ctx, db, obj, f, v)
	default:
		return checkText(obj, f, v)
	}
}

// maxNumber bounds numbers: the platform's have eighteen digits at most.
const maxNumber = 1e18

func checkNumber(f *field, v any) (any, error) {
	n, err := numberText(f, v)
	if err != nil || n == "" {
		return nil, err
	}
	if f.kind == typeInt {
		if i, err := n.Int64(); err == nil && i >= math.MinInt32 && i <= math.MaxInt32 {
			return i, nil
		}
	}
	x, err := n.Float64()
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && !f.holds(x):
		return nil, onFields(badRequest("NUMBER_OUTSIDE_VALID_RANGE", "%s: value outside of valid range on numeric field: %s", f.label, shorten(n.String())), f.name)
	case err != nil || f.kind == typeInt && x != math.Trunc(x):
		return nil, cannotRead(f, v)
	case f.kind == typeInt:
		return int64(x), nil
	}
	return x, nil
}

// holds reports whether a number is within what a field can have.
func (f *field) holds(x float64) bool {
	switch x = math.Abs(x); {
	case f.kind == typeInt:
		return x <= math.MaxInt32
	case f.bound > 0 && x > f.bound, f.precision > 0 && x >= math.Pow10(f.precision-f.scale):
		return false
	}
	return x < maxNumber
}

// numberText is a number as it was written, "" for an empty text, which clears the field.
func numberText(f *field, v any) (json.Number, error) {
	switch x := v.(type) {
	case json.Number:
		return x, nil
	case string:
		x = strings.TrimSpace(x)
		if strings.ContainsFunc(x, func(r rune) bool { return !strings.ContainsRune("+-.0123456789eE", r) }) {
			return "", cannotRead(f, v) // NaN, Inf and hexadecimals, which Go would read
		}
		return json.Number(x), nil
	default:
		return "", cannotRead(f, v)
	}
}

func checkMoment(f *field, v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		return nil, cannotRead(f, v)
	}
	t, err := parseDateTime(s)
	if err != nil {
		if t, err = time.Parse(time.DateOnly, s); err != nil {
			return nil, cannotRead(f, v)
		}
	}
	if f.kind == typeDate {
		return t.UTC().Format(time.DateOnly), nil
	}
	return t.Truncate(time.Second).UnixMilli(), nil
}

func checkText(obj *object, f *field, v any) (any, error) {
	var s string
	switch x := v.(type) {
	case string:
		s = x
	case json.Number:
		s = x.String()
	case bool:
		s = fmt.Sprint(x)
	default:
		return nil, cannotRead(f, v)
	}
	if f.kind != typeTextArea {
		s = strings.TrimSpace(s)
	}
	if s == "" {
		return nil, nil //nolint:nilnil // the platform keeps empty text as no value
	}
	if utf8.RuneCountInString(s) > f.length {
		return nil, onFields(badRequest("STRING_TOO_LONG", "%s: data value too large: %s (max length=%d)", f.label, shorten(s), f.length), f.name)
	}
	if f.kind == typeEmail {
		if a, err := mail.ParseAddress(s); err != nil || a.Address != s || !strings.Contains(s[strings.LastIndexByte(s, '@'):], ".") {
			return nil, onFields(badRequest("INVALID_EMAIL_ADDRESS", "%s: invalid email address: %s", f.label, s), f.name)
		}
	}
	if f.kind == typeMulti {
		s = ordered(f, s)
	}
	if f.restricted && !allListed(f, s) {
		return nil, onFields(badRequest("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "%s: bad value for restricted picklist field: %s", f.label, s), f.name)
	}
	_ = obj
	return s, nil
}

func shorten(s string) string {
	const keep = 200
	if r := []rune(s); len(r) > keep {
		return string(r[:keep]) + "..."
	}
	return s
}

// ordered puts the values of a multi-select picklist into the order of their definition, each once, as the platform keeps
// them; what is not defined comes last.
func ordered(f *field, s string) string {
	var given, out []string
	for part := range strings.SplitSeq(s, ";") {
		if part = strings.TrimSpace(part); part != "" && !slices.Contains(given, part) {
			given = append(given, part)
		}
	}
	for _, v := range f.values {
		if slices.Contains(given, v) {
			out = append(out, v)
		}
	}
	for _, v := range given {
		if !slices.Contains(f.values, v) {
			out = append(out, v)
		}
	}
	return strings.Join(out, ";")
}

// allListed reports whether a text is a value of the picklist, or for one of several values a list of them.
func allListed(f *field, s string) bool {
	if f.kind != typeMulti {
		return listed(f.values, s)
	}
	for part := range strings.SplitSeq(s, ";") {
		if !listed(f.values, part) {
			return false
		}
	}
	return true
}

func listed(values []string, s string) bool {
	return slices.Contains(values, s)
}

func (o *Org) checkReference(ctx context.Context, db querier, obj *object, f *field, v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		return nil, cannotRead(f, v)
	}
	if s == "" {
		return nil, nil //nolint:nilnil // an empty reference clears the field
	}
	id, ok := normalID(s)
	if !ok {
		return nil, onFields(badRequest("MALFORMED_ID", "%s: id value of incorrect type: %s", f.label, shorten(s)), f.name)
	}
	target := o.schema.objectOf(id)
	if target == nil || !listed(f.refs, target.name) {
		return nil, onFields(badRequest("FIELD_INTEGRITY_EXCEPTION", "%s: id value of incorrect type: %s", f.label, s), f.name)
	}
	if _, err := readRecord(ctx, db, target, id); err != nil {
		if e, ok := errors.AsType[*apiError](err); ok {
			if e.Code == "ENTITY_IS_DELETED" {
				return nil, badRequest(e.Code, "%s", e.Message)
			}
			return nil, onFields(badRequest("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"), f.name)
		}
		return nil, fmt.Errorf("checking %s.%s: %w", obj.name, f.name, err)
	}
	return id, nil
}

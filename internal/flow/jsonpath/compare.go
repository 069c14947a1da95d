package jsonpath

import (
	"encoding/json"
	"math"
	"strconv"
)

// nothing is the absence of a value, which a comparison can meet (RFC 9535 §2.3.5.2.2).
type nothing struct{}

// asNumber reads any of the Go types that a decoded number may have. A whole number is also given exactly.
func asNumber(v any) (f float64, whole int64, exact, ok bool) {
	switch x := v.(type) {
	case float64:
		return x, int64(x), x == math.Trunc(x) && math.Abs(x) < 1<<53, true
	case json.Number:
		if i, err := strconv.ParseInt(string(x), 10, 64); err == nil {
			return float64(i), i, true, true
		}
		f, err := strconv.ParseFloat(string(x), 64)
		return f, int64(f), f == math.Trunc(f) && math.Abs(f) < 1<<53, err == nil || math.IsInf(f, 0)
	case int64:
		return float64(x), x, true, true
	case int:
		return float64(x), int64(x), true, true
	case int32:
		return float64(x), int64(x), true, true
	case float32:
		return float64(x), int64(x), float64(x) == math.Trunc(float64(x)), true
	}
	return 0, 0, false, false
}

// compareNumbers orders two numbers; ok is false where one is none.
func compareNumbers(a, b any) (order int, ok bool) {
	x, i, iExact, aok := asNumber(a)
	y, j, jExact, bok := asNumber(b)
	switch {
	case !aok || !bok:
		return 0, false
	case iExact && jExact:
		return order3(i < j, i > j), true
	}
	return order3(x < y, x > y), !math.IsNaN(x) && !math.IsNaN(y)
}

func order3(less, more bool) int {
	switch {
	case less:
		return -1
	case more:
		return 1
	}
	return 0
}

// equal compares values deeply; numbers by value.
func (e *evaluator) equal(a, b any, depth int) bool {
	if depth > MaxDepth && e.err == nil {
		e.err = ErrLimit
	}
	if !e.step() {
		return false
	}
	switch x := a.(type) {
	case nil:
		return b == nil
	case nothing, string, bool:
		return kind(a) == kind(b) && a == b
	case []any:
		y, ok := b.([]any)
		return ok && len(x) == len(y) && e.equalLists(x, y, depth)
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && len(x) == len(y) && e.equalMaps(x, y, depth)
	}
	order, ok := compareNumbers(a, b)
	return ok && order == 0
}

func (e *evaluator) equalLists(x, y []any, depth int) bool {
	for i := range x {
		if !e.equal(x[i], y[i], depth+1) {
			return false
		}
	}
	return true
}

func (e *evaluator) equalMaps(x, y map[string]any, depth int) bool {
	for k, v := range x {
		w, ok := y[k]
		if !ok || !e.equal(v, w, depth+1) {
			return false
		}
	}
	return true
}

// less orders numbers and strings; all else is never less (RFC 9535 §2.3.5.2.2).
func less(a, b any) bool {
	if order, ok := compareNumbers(a, b); ok {
		return order < 0
	}
	x, ok1 := a.(string)
	y, ok2 := b.(string)
	return ok1 && ok2 && x < y
}

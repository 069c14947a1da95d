package jsonpath

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// function is a Jayway function at the end of a path, such as $.items.length().
type function struct {
	name string
	args []operand
}

// ErrFunction is the base of errors that a Jayway function's input causes.
var ErrFunction = errors.New("function cannot be applied")

func (s *scanner) jaywayFunction(name string) (*function, error) {
	switch name {
	case "min", "max", "avg", "stddev", "sum", "length", "size", "keys", "concat", "append", "first", "last", "index":
	default:
		return nil, s.errorf("there is no function " + name + "(): known are min, max, avg, stddev, sum, length, size, keys, " +
			"concat, append, first, last and index")
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer func() { s.depth-- }()
	fn := &function{name: name}
	s.pos++
	for {
		s.space()
		if s.take(")") {
			return fn, nil
		}
		if len(fn.args) > 0 && !s.take(",") {
			return nil, s.errorf("unexpected " + s.here() + ", expected , or )")
		}
		s.space()
		arg, err := s.jaywayValue()
		if err != nil {
			return nil, err
		}
		fn.args = append(fn.args, arg)
	}
}

func (f *function) fail(e *evaluator, msg string) any {
	if e.err == nil {
		e.err = fmt.Errorf("%w: %s() %s", ErrFunction, f.name, msg)
	}
	return nil
}

func (f *function) apply(e *evaluator, model any) any {
	var args []any
	for _, a := range f.args {
		args = append(args, a.value(e, e.root))
	}
	list, isList := model.([]any)
	e.steps -= len(list)
	if !e.step() {
		return nil
	}
	switch f.name {
	case "length", "size":
		return length(model, args)
	case "keys":
		m, ok := model.(map[string]any)
		if !ok {
			return f.fail(e, "takes an object")
		}
		out := make([]any, 0, len(m))
		for _, k := range names(m) {
			out = append(out, k)
		}
		return out
	case "append":
		if !isList {
			return model
		}
		return append(append(make([]any, 0, len(list)+len(args)), list...), args...)
	case "concat":
		return concat(list, args)
	case "first", "last", "index":
		return f.pick(e, list, isList, args)
	}
	return f.aggregate(e, list, args)
}

func length(model any, args []any) any {
	if len(args) > 0 {
		model = args[0]
	}
	switch x := model.(type) {
	case []any:
		return int64(len(x))
	case map[string]any:
		return int64(len(x))
	}
	return nil
}

func concat(list, args []any) any {
	var b strings.Builder
	for _, v := range list {
		if s, ok := v.(string); ok {
			b.WriteString(s)
		}
	}
	for _, v := range args {
		switch x := v.(type) {
		case nil, nothing:
		case string:
			b.WriteString(x)
		case []any:
			for _, item := range x {
				if s, ok := item.(string); ok {
					b.WriteString(s)
				}
			}
		default:
			b.WriteString(numberText(x))
		}
	}
	return b.String()
}

func (f *function) pick(e *evaluator, list []any, isList bool, args []any) any {
	i := 0
	switch f.name {
	case "last":
		i = -1
	case "index":
		n, exact, ok := 0, false, false
		if len(args) == 1 {
			n, exact, ok = sizeOf(args[0])
		}
		if !ok || !exact {
			return f.fail(e, "takes one whole number")
		}
		i = n
	}
	i = int(absolute(int64(i), int64(len(list))))
	if !isList || i < 0 || i >= len(list) {
		return f.fail(e, "finds no element")
	}
	return list[i]
}

// aggregate works on the numbers of a list and of the arguments; other elements are left out.
func (f *function) aggregate(e *evaluator, list, args []any) any {
	var values []float64
	collect := func(v any) {
		switch v.(type) {
		case string, bool, nil, nothing:
			return
		}
		if n, _, _, ok := asNumber(v); ok {
			values = append(values, n)
		}
	}
	for _, v := range list {
		collect(v)
	}
	for _, a := range args {
		inner, ok := a.([]any)
		if !ok {
			inner = []any{a}
		}
		for _, v := range inner {
			collect(v)
		}
	}
	if len(values) == 0 {
		return f.fail(e, "needs numbers")
	}
	low, high, sum, squares := values[0], values[0], 0.0, 0.0
	for _, v := range values {
		low, high, sum, squares = min(low, v), max(high, v), sum+v, squares+v*v
	}
	n := float64(len(values))
	switch f.name {
	case "min":
		return low
	case "max":
		return high
	case "sum":
		return sum
	case "avg":
		return sum / n
	}
	return math.Sqrt(squares/n - sum*sum/n/n)
}

// rfcFix writes a path that only Jayway accepts in the syntax of RFC 9535, or "" where it has no equal there.
func rfcFix(src string) string {
	p, err := parseJayway(src)
	if err != nil || p.root != '$' {
		return ""
	}
	for i, s := range p.segments {
		last := i == len(p.segments)-1
		if s.fn != nil || len(s.selectors) > 1 && s.selectors[0].kind == selectName && last {
			return ""
		}
	}
	text := segmentsText(p.segments)
	if strings.Contains(text, noText) {
		return ""
	}
	if _, err := parseMode("$"+text, Strict); err != nil {
		return ""
	}
	return "$" + text
}

// jaywayFix drops what Jayway does not accept at the end of a path.
func jaywayFix(src string) string {
	text := strings.TrimRight(strings.TrimSpace(src), ".")
	if _, err := parseMode(text, Jayway); err != nil || text == src {
		return ""
	}
	return text
}

// noText stands for a part that has no text in RFC 9535.
const noText = "\x00"

// segmentsText writes segments in the syntax of RFC 9535, names by their shorthand where they have one.
func segmentsText(segments []segment) string {
	var b strings.Builder
	for _, s := range segments {
		if s.fn != nil {
			return noText
		}
		if s.descend {
			b.WriteString("..")
		}
		if len(s.selectors) == 1 && s.selectors[0].kind == selectName {
			name := s.selectors[0].name
			if short := (&scanner{src: name}).shorthand(); short == name && name != "" {
				if !s.descend {
					b.WriteByte('.')
				}
				b.WriteString(name)
				continue
			}
		}
		b.WriteByte('[')
		for i, sel := range s.selectors {
			if i > 0 {
				b.WriteByte(',')
			}
			if sel.kind == selectFilter {
				b.WriteString("?" + predicateText(sel.filter))
				continue
			}
			b.WriteString(sel.normal())
		}
		b.WriteByte(']')
	}
	return b.String()
}

func predicateText(t predicate) string {
	switch x := t.(type) {
	case *orTest:
		return joinTexts(x.terms, " || ")
	case *andTest:
		return joinTexts(x.terms, " && ")
	case *notTest:
		return "!(" + predicateText(x.term) + ")"
	case *jaywayExists:
		return queryText(x.path)
	case *jaywayCompare:
		op := x.op
		switch op {
		case "==", "!=", "<", ">", "<=", ">=":
		case "===", "!==":
			op = op[:2]
		default:
			return noText
		}
		return valueText(x.left) + " " + op + " " + valueText(x.right)
	}
	return noText
}

func joinTexts(terms []predicate, glue string) string {
	parts := make([]string, len(terms))
	for i, t := range terms {
		parts[i] = predicateText(t)
		switch t.(type) {
		case *orTest, *andTest:
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return strings.Join(parts, glue)
}

func queryText(p *Path) string { return string(p.root) + segmentsText(p.segments) }

func valueText(o operand) string {
	switch x := o.(type) {
	case *jaywayQuery:
		return queryText(x.path)
	case *literal:
		switch v := x.val.(type) {
		case string:
			return quoteName(v)
		case bool, nil, json.Number:
			return numberText(v)
		}
	}
	return noText
}

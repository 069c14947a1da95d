package expr

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

type (
	logic struct {
		pos         int
		left, right expression
		or          bool
	}
	contains struct {
		pos         int
		left, right expression
	}
	concat struct {
		pos         int
		left, right expression
	}
	arith struct {
		pos         int
		left, right expression
		op          byte
	}
	compare struct {
		pos         int
		left, right expression
		op          string
	}
	unary struct {
		pos     int
		operand expression
		op      byte // n for not, + or -
	}
)

func (e *logic) at() int    { return e.pos }
func (e *contains) at() int { return e.pos }
func (e *concat) at() int   { return e.pos }
func (e *arith) at() int    { return e.pos }
func (e *compare) at() int  { return e.pos }
func (e *unary) at() int    { return e.pos }

func (e *logic) eval(r *run) (any, error) {
	left, err := e.side(r, e.left)
	if err != nil {
		return nil, err
	}
	if left == e.or {
		return left, nil
	}
	return boxed(e.side(r, e.right))
}

func boxed(v bool, err error) (any, error) { return v, err }

func (e *logic) side(r *run, x expression) (bool, error) {
	v, err := x.eval(r)
	if err != nil {
		return false, err
	}
	yes, null, err := truth(v)
	if null && r.env.Strict {
		err = fail("null value used in and operator and strict variables is set to true")
	}
	return yes, at(e.pos, err)
}

func (e *contains) eval(r *run) (any, error) {
	left, err := e.left.eval(r)
	if err != nil || left == nil {
		return false, err
	}
	right, err := e.right.eval(r)
	if err != nil {
		return nil, err
	}
	switch l := left.(type) {
	case []any:
		return e.inList(r, l, right)
	case *collection:
		return e.inList(r, l.items, right)
	case *array:
		return r.has(l.items, right)
	case map[string]any, *hashMap:
		if err := r.keyCost(l, right); err != nil {
			return nil, at(e.pos, err)
		}
		_, ok := mapGet(l, right)
		return ok, nil
	case string:
		needle, err := r.str(right)
		if err != nil {
			return nil, at(e.pos, err)
		}
		return strings.Contains(l, needle), at(e.pos, r.read(len(l)))
	}
	return nil, at(e.pos, failFix("Contains operator can only be used on collections, maps and strings, not on "+kindName(left),
		"make a string of it first: value ~ \"\""))
}

// inList reports whether a list holds a value, or each element of a list.
func (e *contains) inList(r *run, items []any, v any) (any, error) {
	var wanted []any
	switch x := v.(type) {
	case []any:
		wanted = x
	case *collection:
		wanted = x.items
	default:
		ok, err := r.has(items, v)
		return ok, at(e.pos, err)
	}
	for _, w := range wanted {
		ok, err := r.has(items, norm(w))
		if err != nil || !ok {
			return false, at(e.pos, err)
		}
	}
	return true, nil
}

func (r *run) has(items []any, v any) (bool, error) {
	if err := r.read(len(items) * 16); err != nil {
		return false, err
	}
	for _, item := range items {
		if err := r.equalCost(norm(item), v); err != nil {
			return false, err
		}
		if javaEquals(item, v) {
			return true, nil
		}
	}
	return false, r.step(1)
}

func (e *concat) eval(r *run) (any, error) {
	left, err := e.left.eval(r)
	if err != nil {
		return nil, err
	}
	right, err := e.right.eval(r)
	if err != nil {
		return nil, err
	}
	if left == nil {
		left = ""
	}
	if right == nil {
		right = ""
	}
	s, err := r.join(left, right)
	return s, at(e.pos, err)
}

func (r *run) join(a, b any) (any, error) {
	left, err := r.str(a)
	if err != nil {
		return nil, err
	}
	right, err := r.str(b)
	if err != nil {
		return nil, err
	}
	if err := r.build(len(left) + len(right)); err != nil {
		return nil, err
	}
	return left + right, r.step(1)
}

func (e *arith) eval(r *run) (any, error) {
	left, err := e.left.eval(r)
	if err != nil {
		return nil, at(e.pos, opaque(err))
	}
	right, err := e.right.eval(r)
	if err != nil {
		return nil, at(e.pos, opaque(err))
	}
	if err := r.step(1); err != nil {
		return nil, at(e.pos, err)
	}
	v, err := e.apply(r, left, right)
	return v, at(e.pos, err)
}

// opaque makes an error one that default and defined do not take for null: Pebble wraps what fails inside an operator.
func opaque(err error) error {
	if !isMissing(err) {
		return err
	}
	var f *failure
	if !errors.As(err, &f) {
		return err
	}
	plain := &failure{msg: f.msg, fix: f.fix, err: f.err}
	if l, ok := errors.AsType[*located](err); ok {
		return &located{l.pos, plain}
	}
	return plain
}

func (e *arith) apply(r *run, left, right any) (any, error) {
	if e.op == '+' && (isStringy(left) || isStringy(right)) {
		return r.join(left, right)
	}
	if list, ok := left.([]any); ok && (e.op == '+' || e.op == '-') {
		return e.lists(r, list, right)
	}
	return arithmetic(e.op, left, right)
}

func isStringy(v any) bool {
	switch v.(type) {
	case string, safe:
		return true
	}
	return false
}

func (e *arith) lists(r *run, left []any, right any) (any, error) {
	other := []any{right}
	many := false
	switch x := right.(type) {
	case []any:
		other, many = x, true
	case *collection:
		other, many = x.items, true
	}
	if err := r.list(len(left) + len(other)); err != nil {
		return nil, err
	}
	if e.op == '+' {
		return append(append(make([]any, 0, len(left)+len(other)), left...), other...), nil
	}
	out := make([]any, 0, len(left))
	removed := false
	for _, v := range left {
		if !many && removed {
			out = append(out, v)
			continue
		}
		hit, err := r.has(other, norm(v))
		if err != nil {
			return nil, err
		}
		if hit {
			removed = true
			continue
		}
		out = append(out, v)
	}
	return out, nil
}

var errNotNumber = failFix("arithmetic needs numbers", "make sure that both sides hold numbers at this point")

// arithmetic widens as Java does: double before long before int; an int operation overflows as an int and gives a long.
func arithmetic(op byte, left, right any) (any, error) {
	a, err := toNumber(left)
	if err != nil {
		return nil, err
	}
	b, err := toNumber(right)
	if err != nil {
		return nil, err
	}
	_, aDouble := a.(float64)
	_, bDouble := b.(float64)
	if aDouble || bDouble {
		x, _ := number(a)
		y, _ := number(b)
		return doubleOp(op, x, y), nil
	}
	x, _ := integral(a)
	y, _ := integral(b)
	if (op == '/' || op == '%') && y == 0 {
		return nil, failFix("division by zero", "test the divisor before dividing")
	}
	v := longOp(op, x, y)
	_, aLong := a.(long)
	_, bLong := b.(long)
	if !aLong && !bLong {
		v = int64(int32(v)) //nolint:gosec // an int operation overflows in Java, too
	}
	return long(v), nil
}

func doubleOp(op byte, x, y float64) float64 {
	switch op {
	case '+':
		return x + y
	case '-':
		return x - y
	case '*':
		return x * y
	case '/':
		return x / y
	}
	return math.Mod(x, y)
}

func longOp(op byte, x, y int64) int64 {
	switch op {
	case '+':
		return x + y
	case '-':
		return x - y
	case '*':
		return x * y
	case '/':
		return x / y
	}
	return x % y
}

// toNumber takes numbers, and strings that spell one.
func toNumber(v any) (any, error) {
	if _, ok := number(v); ok {
		return v, nil
	}
	s, ok := v.(string)
	if !ok {
		return nil, errNotNumber
	}
	if strings.ContainsAny(s, ".eE") {
		f, ok := parseJavaDouble(s)
		if !ok {
			return nil, errNotNumber
		}
		return f, nil
	}
	i, ok := parseJavaLong(s)
	if !ok {
		return nil, errNotNumber
	}
	return long(i), nil
}

// parseJavaDouble is Double.parseDouble: blanks around the number and a suffix d or f are allowed.
func parseJavaDouble(s string) (float64, bool) {
	s = javaTrim(s)
	if len(s) > 400 || strings.Contains(s, "_") {
		return 0, false
	}
	if n := len(s); n > 1 && strings.IndexByte("dDfF", s[n-1]) >= 0 && !strings.ContainsAny(s, "xX") {
		s = s[:n-1]
	}
	switch strings.TrimLeft(s, "+-") {
	case "NaN", "Infinity":
	default:
		if strings.ContainsAny(s, "nNiI") {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if errors.Is(err, strconv.ErrRange) {
		return f, true
	}
	return f, err == nil
}

func parseJavaLong(s string) (int64, bool) {
	if strings.Contains(s, "_") {
		return 0, false
	}
	i, err := strconv.ParseInt(s, 10, 64)
	return i, err == nil
}

func (e *compare) eval(r *run) (any, error) {
	left, err := e.left.eval(r)
	if err != nil {
		return nil, at(e.pos, opaque(err))
	}
	right, err := e.right.eval(r)
	if err != nil {
		return nil, at(e.pos, opaque(err))
	}
	if err := r.step(1); err != nil {
		return nil, at(e.pos, err)
	}
	switch e.op {
	case "==", "equals", "!=":
		if err := r.equalCost(left, right); err != nil {
			return nil, at(e.pos, err)
		}
		return looseEquals(left, right) == (e.op != "!="), nil
	}
	ok, err := ordered(e.op, left, right)
	return ok, at(e.pos, err)
}

// looseEquals compares numbers by value and everything else as Java's equals does.
func looseEquals(a, b any) bool {
	x, aNumber := number(a)
	y, bNumber := number(b)
	if aNumber && bNumber {
		return x == y
	}
	return javaEquals(a, b)
}

func ordered(op string, left, right any) (bool, error) {
	if left == nil || right == nil {
		return false, nil
	}
	x, aNumber := number(left)
	y, bNumber := number(right)
	if !aNumber || !bNumber {
		return false, failFix("Could not perform the comparison "+op+" of "+kindName(left)+" with "+kindName(right)+": it takes numbers only",
			"compare strings with == or !=, and make numbers of digits by adding 0: (value - 0)")
	}
	switch op {
	case ">":
		return x > y, nil
	case ">=":
		return x >= y, nil
	case "<":
		return x < y, nil
	}
	return x <= y, nil
}

func (e *unary) eval(r *run) (any, error) {
	v, err := e.operand.eval(r)
	if err != nil {
		return nil, err
	}
	if err := r.step(1); err != nil {
		return nil, at(e.pos, err)
	}
	if e.op != 'n' {
		factor := int32(1)
		if e.op == '-' {
			factor = -1
		}
		v, err = arithmetic('*', factor, v)
		return v, at(e.pos, err)
	}
	yes, null, err := truth(v)
	if null && r.env.Strict {
		err = fail("null value given to not() and strict variables is set to true")
	}
	return !yes, at(e.pos, err)
}

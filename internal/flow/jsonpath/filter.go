package jsonpath

import (
	"encoding/json"
	"unicode/utf8"
)

// operand is one side of a comparison, or an argument of a function; its value may be nothing.
type operand interface {
	value(e *evaluator, item any) any
}

type (
	orTest  struct{ terms []predicate }
	andTest struct{ terms []predicate }
	notTest struct{ term predicate }
	// existTest takes items for which a query selects something.
	existTest   struct{ query *subquery }
	compareTest struct {
		op          string
		left, right operand
	}
	literal struct{ val any }
	// subquery is a path within a filter, from the document ($) or from the item (@).
	subquery struct {
		fromRoot bool
		segments []segment
	}
)

func (t *orTest) test(e *evaluator, item any) bool {
	for _, term := range t.terms {
		if term.test(e, item) {
			return true
		}
	}
	return false
}

func (t *andTest) test(e *evaluator, item any) bool {
	for _, term := range t.terms {
		if !term.test(e, item) {
			return false
		}
	}
	return true
}

func (t *notTest) test(e *evaluator, item any) bool { return !t.term.test(e, item) }

func (t *existTest) test(e *evaluator, item any) bool { return len(t.query.nodes(e, item)) > 0 }

func (t *compareTest) test(e *evaluator, item any) bool {
	a, b := t.left.value(e, item), t.right.value(e, item)
	switch t.op {
	case "==":
		return e.equal(a, b, 0)
	case "!=":
		return !e.equal(a, b, 0)
	case "<":
		return less(a, b)
	case ">":
		return less(b, a)
	case "<=":
		return less(a, b) || e.equal(a, b, 0)
	}
	return less(b, a) || e.equal(a, b, 0)
}

func (l *literal) value(*evaluator, any) any { return l.val }

func (q *subquery) nodes(e *evaluator, item any) []any {
	if !e.step() {
		return nil
	}
	if q.fromRoot {
		item = e.root
	}
	return e.run(q.segments, item)
}

func (q *subquery) value(e *evaluator, item any) any {
	nodes := q.nodes(e, item)
	if len(nodes) != 1 {
		return nothing{}
	}
	return nodes[0]
}

// logical reads logical-or-expr.
func (s *scanner) logical() (predicate, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer func() { s.depth-- }()
	terms, err := s.chain("||", func() (predicate, error) {
		terms, err := s.chain("&&", s.basic)
		if err != nil || len(terms) == 1 {
			return first(terms), err
		}
		return &andTest{terms}, nil
	})
	if err != nil || len(terms) == 1 {
		return first(terms), err
	}
	return &orTest{terms}, nil
}

func first(terms []predicate) predicate {
	if len(terms) == 0 {
		return nil
	}
	return terms[0]
}

func (s *scanner) chain(op string, term func() (predicate, error)) ([]predicate, error) {
	var out []predicate
	for {
		t, err := term()
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		before := s.pos
		s.space()
		if !s.take(op) {
			s.pos = before
			return out, nil
		}
		s.space()
	}
}

// basic reads paren-expr, comparison-expr or test-expr.
func (s *scanner) basic() (predicate, error) {
	start := s.pos
	negated := s.take("!")
	if negated {
		s.space()
	}
	if s.take("(") {
		s.space()
		inner, err := s.logical()
		if err != nil {
			return nil, err
		}
		s.space()
		if !s.take(")") {
			return nil, s.errorf("unexpected " + s.here() + ", expected )")
		}
		return negate(inner, negated), nil
	}
	left, err := s.comparable()
	if err != nil {
		return nil, err
	}
	after := s.pos
	s.space()
	op := s.operator()
	if op == "" {
		s.pos = after
		t, err := s.asTest(left, start)
		return negate(t, negated), err
	}
	if negated {
		s.pos = start
		return nil, s.errorf("a comparison is negated with parentheses: !(a == b)")
	}
	s.space()
	right, err := s.comparable()
	if err != nil {
		return nil, err
	}
	for _, side := range []operand{left, right} {
		if err := s.checkComparable(side, start); err != nil {
			return nil, err
		}
	}
	return &compareTest{op, left, right}, nil
}

func negate(t predicate, negated bool) predicate {
	if negated {
		return &notTest{t}
	}
	return t
}

func (s *scanner) operator() string {
	for _, op := range [...]string{"==", "!=", "<=", ">=", "<", ">"} {
		if s.take(op) {
			return op
		}
	}
	return ""
}

// asTest makes a test of what stands without a comparison: a query, or a function with a logical result.
func (s *scanner) asTest(o operand, start int) (predicate, error) {
	switch x := o.(type) {
	case *subquery:
		return &existTest{x}, nil
	case *regexpCall:
		return x, nil
	}
	s.pos = start
	return nil, s.errorf("a value alone is no condition: compare it")
}

func (s *scanner) checkComparable(o operand, start int) error {
	switch x := o.(type) {
	case *subquery:
		if singular(x.segments) {
			return nil
		}
		s.pos = start
		return s.errorf("a comparison takes only paths that select one value")
	case *regexpCall:
		s.pos = start
		return s.errorf("match() and search() are conditions, not values to compare")
	}
	return nil
}

// comparable reads a literal, a query or a function call.
func (s *scanner) comparable() (operand, error) {
	switch c := s.peek(); {
	case c == '@' || c == '$':
		s.pos++
		segments, err := s.segments()
		return &subquery{c == '$', segments}, err
	case c == '\'' || c == '"':
		text, err := s.quoted()
		return &literal{text}, err
	case c == '-' || isDigit(c):
		return s.number()
	}
	start := s.pos
	word := s.word()
	if word != "" && s.peek() == '(' {
		return s.call(word, start)
	}
	if l, ok := keyword(word); ok {
		return l, nil
	}
	s.pos = start
	return nil, s.errorf("unexpected " + s.here() + ", expected a path, a literal or a function")
}

// word reads the name of a function or a keyword.
func (s *scanner) word() string {
	start := s.pos
	for c := s.peek(); c >= 'a' && c <= 'z' || s.pos > start && (c == '_' || isDigit(c)); c = s.peek() {
		s.pos++
	}
	return s.src[start:s.pos]
}

func keyword(word string) (*literal, bool) {
	switch word {
	case "true":
		return &literal{true}, true
	case "false":
		return &literal{false}, true
	case "null":
		return &literal{nil}, true
	}
	return nil, false
}

func (s *scanner) number() (operand, error) {
	start := s.pos
	s.take("-")
	first := s.pos
	for isDigit(s.peek()) {
		s.pos++
	}
	if digits := s.src[first:s.pos]; digits == "" || digits[0] == '0' && len(digits) > 1 {
		s.pos = start
		return nil, s.errorf("a number has no leading zero")
	}
	if s.peek() == '.' {
		s.pos++
		if !isDigit(s.peek()) {
			return nil, s.errorf("a number has digits after its point")
		}
		for isDigit(s.peek()) {
			s.pos++
		}
	}
	if s.peek()|0x20 == 'e' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !isDigit(s.peek()) {
			return nil, s.errorf("a number has digits in its exponent")
		}
		for isDigit(s.peek()) {
			s.pos++
		}
	}
	return &literal{json.Number(s.src[start:s.pos])}, nil
}

// The functions of RFC 9535 §2.4.
type (
	lengthCall struct{ arg operand }
	countCall  struct{ arg *subquery }
	valueCall  struct{ arg *subquery }
	regexpCall struct {
		text, pattern operand
		whole         bool
		compiled      *compiledRegexp // of a constant pattern
	}
)

func (c *lengthCall) value(e *evaluator, item any) any {
	switch x := c.arg.value(e, item).(type) {
	case string:
		return int64(utf8.RuneCountInString(x))
	case []any:
		return int64(len(x))
	case map[string]any:
		return int64(len(x))
	}
	return nothing{}
}

func (c *countCall) value(e *evaluator, item any) any { return int64(len(c.arg.nodes(e, item))) }

func (c *valueCall) value(e *evaluator, item any) any { return c.arg.value(e, item) }

func (c *regexpCall) value(*evaluator, any) any { return nothing{} }

func (c *regexpCall) test(e *evaluator, item any) bool {
	text, ok := c.text.value(e, item).(string)
	if !ok {
		return false
	}
	re := c.compiled
	if re == nil {
		pattern, ok := c.pattern.value(e, item).(string)
		if !ok {
			return false
		}
		e.steps -= regexpSteps
		re = compileRegexp(pattern, c.whole)
	}
	e.steps -= len(text) / 16
	return e.step() && re.match(text)
}

// call reads the arguments of a function and checks their types.
func (s *scanner) call(name string, start int) (operand, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer func() { s.depth-- }()
	s.pos++
	s.space()
	var args []operand
	for !s.take(")") {
		if len(args) > 0 {
			if !s.take(",") {
				return nil, s.errorf("unexpected " + s.here() + ", expected , or )")
			}
			s.space()
		}
		arg, err := s.comparable()
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
		s.space()
	}
	out := makeCall(name, args)
	if out == nil {
		s.pos = start
		return nil, s.errorf(callHint(name))
	}
	return out, nil
}

func callHint(name string) string {
	switch name {
	case "length":
		return "length() takes one value: a literal or a path that selects one value"
	case "count", "value":
		return name + "() takes one path"
	case "match", "search":
		return name + "() takes two values: a text and a pattern"
	}
	return "there is no function " + name + "(): known are length, count, match, search and value"
}

// makeCall returns nil where the function does not exist or its arguments are not of its types.
func makeCall(name string, args []operand) operand {
	switch {
	case name == "length" && len(args) == 1 && isValue(args[0]):
		return &lengthCall{args[0]}
	case (name == "count" || name == "value") && len(args) == 1:
		q, ok := args[0].(*subquery)
		switch {
		case !ok:
			return nil
		case name == "count":
			return &countCall{q}
		}
		return &valueCall{q}
	case (name == "match" || name == "search") && len(args) == 2:
		return makeRegexp(args, name == "match")
	}
	return nil
}

func makeRegexp(args []operand, whole bool) operand {
	if !isValue(args[0]) || !isValue(args[1]) {
		return nil
	}
	c := &regexpCall{text: args[0], pattern: args[1], whole: whole}
	if l, ok := args[1].(*literal); ok {
		if pattern, ok := l.val.(string); ok {
			c.compiled = compileRegexp(pattern, whole)
		}
	}
	return c
}

// isValue reports whether an argument has ValueType.
func isValue(o operand) bool {
	switch x := o.(type) {
	case *subquery:
		return singular(x.segments)
	case *regexpCall:
		return false
	}
	return true
}

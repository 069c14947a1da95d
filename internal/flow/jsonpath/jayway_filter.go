package jsonpath

import (
	"encoding/json"
	"regexp"
	"strings"
)

// jaywayFilter reads ?( expression ).
func (s *scanner) jaywayFilter() (predicate, error) {
	s.pos++
	s.space()
	if s.peek() != '(' {
		return nil, s.errorf("a filter is written [?( ... )]")
	}
	return s.jaywayOperand()
}

func (s *scanner) jaywayOr() (predicate, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer func() { s.depth-- }()
	s.space()
	terms, err := s.chain("||", func() (predicate, error) {
		terms, err := s.chain("&&", s.jaywayOperand)
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

func (s *scanner) jaywayOperand() (predicate, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer func() { s.depth-- }()
	s.space()
	if s.take("!") {
		s.space()
		inner, err := s.jaywayOperand()
		return negate(inner, true), err
	}
	if s.take("(") {
		inner, err := s.jaywayOr()
		if err != nil {
			return nil, err
		}
		s.space()
		if !s.take(")") {
			return nil, s.errorf("unexpected " + s.here() + ", expected )")
		}
		return inner, nil
	}
	return s.jaywayExpression()
}

// jaywayExpression reads a comparison, or a path whose existence is the condition.
func (s *scanner) jaywayExpression() (predicate, error) {
	left, err := s.jaywayValue()
	if err != nil {
		return nil, err
	}
	after := s.pos
	s.space()
	op := s.jaywayOperator()
	if op == "" {
		s.pos = after
		if q, ok := left.(*jaywayQuery); ok {
			return &jaywayExists{q.path}, nil
		}
		return nil, s.errorf("unexpected " + s.here() + ", expected an operator")
	}
	s.space()
	right, err := s.jaywayValue()
	if err != nil {
		return nil, err
	}
	return &jaywayCompare{op, left, right}, nil
}

func (s *scanner) jaywayOperator() string {
	for _, op := range [...]string{"===", "!==", "==", "!=", "<=", ">=", "=~", "<", ">"} {
		if s.take(op) {
			return op
		}
	}
	for _, op := range [...]string{"nin", "in", "contains", "all", "size", "empty", "subsetof", "anyof", "noneof"} {
		if end := s.pos + len(op); end < len(s.src) && strings.EqualFold(s.src[s.pos:end], op) && !isLetter(s.src[end]) {
			s.pos = end
			return op
		}
	}
	return ""
}

// pattern is a regular expression literal, /.../flags.
type pattern struct{ re *regexp.Regexp }

func (s *scanner) jaywayValue() (operand, error) {
	switch c := s.peek(); {
	case c == '$' || c == '@':
		return s.jaywayQuery()
	case c == '\'' || c == '"':
		text, err := s.jaywayString()
		return &literal{text}, err
	case c == '/':
		return s.jaywayPattern()
	case c == '[' || c == '{':
		return s.jaywayJSON()
	case s.take("true"):
		return &literal{true}, nil
	case s.take("false"):
		return &literal{false}, nil
	case s.take("null"):
		return &literal{nil}, nil
	}
	end := s.pos
	for end < len(s.src) && strings.IndexByte("+-.eE0123456789", s.src[end]) >= 0 {
		end++
	}
	n := json.Number(s.src[s.pos:end])
	if _, err := n.Float64(); err != nil {
		return nil, s.errorf("unexpected " + s.here() + ", expected a path or a literal")
	}
	s.pos = end
	return &literal{n}, nil
}

// jaywayQuery reads a path within a filter: it ends at a blank, an operator or a bracket that it did not open.
func (s *scanner) jaywayQuery() (operand, error) {
	start := s.pos
	end, parens := s.pos+1, 0
	for end < len(s.src) {
		switch s.src[end] {
		case '[':
			n := closing(s.src[end:])
			if n < 0 {
				return nil, s.errorf("the bracket is not closed")
			}
			end += n
		case '(':
			parens++
		case ')':
			parens--
		}
		if end >= len(s.src) || parens < 0 || strings.IndexByte(" <>=!&|,", s.src[end]) >= 0 && parens == 0 {
			break
		}
		end++
	}
	end = min(end, len(s.src))
	inner := &scanner{src: s.src[start:end], depth: s.depth}
	p, err := inner.jayway()
	if err != nil {
		if bad, ok := err.(*SyntaxError); ok { //nolint:errorlint // made in this package, never wrapped
			bad.Pos += start
		}
		return nil, err
	}
	s.pos = end
	return &jaywayQuery{p}, nil
}

// closing is the offset of the bracket that closes the one at the start of s, quotes aside, or -1.
func closing(s string) int {
	depth := 0
	var quote byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

func (s *scanner) jaywayJSON() (operand, error) {
	n := closing(s.src[s.pos:])
	if n < 0 {
		return nil, s.errorf("the literal is not closed")
	}
	text := s.src[s.pos : s.pos+n+1]
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		// Jayway takes single quotes, too.
		if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "'", `"`)), &v); err != nil {
			return nil, s.errorf("the literal is no JSON")
		}
	}
	s.pos += n + 1
	return &literal{v}, nil
}

func (s *scanner) jaywayPattern() (operand, error) {
	start := s.pos
	end := start + 1
	for end < len(s.src) && s.src[end] != '/' {
		if s.src[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(s.src) {
		return nil, s.errorf("the pattern is not closed")
	}
	text := s.src[start+1 : end]
	s.pos = end + 1
	flags := ""
	for strings.IndexByte("ismux", s.peek()) >= 0 && s.pos < len(s.src) {
		if c := s.peek(); c == 'i' || c == 's' || c == 'm' {
			flags += string(c)
		}
		s.pos++
	}
	if flags != "" {
		flags = "(?" + flags + ")"
	}
	re, err := regexp.Compile(flags + `\A(?:` + text + `)\z`)
	if err != nil || len(text) > maxPattern {
		s.pos = start
		return nil, s.errorf("the pattern cannot be used: write it without look-ahead, look-behind and back references")
	}
	return &literal{&pattern{re}}, nil
}

type (
	jaywayQuery   struct{ path *Path }
	jaywayExists  struct{ path *Path }
	jaywayCompare struct {
		op          string
		left, right operand
	}
)

// value is what the path leads to, nothing where it leads nowhere. An indefinite path gives a list.
func (q *jaywayQuery) value(e *evaluator, item any) any {
	if q.path.root == '$' {
		item = e.root
	}
	sub := &evaluator{root: e.root, steps: e.steps - 1}
	nodes := sub.jayway(q.path, item)
	e.steps = sub.steps
	switch {
	case sub.err == ErrLimit: //nolint:errorlint // the evaluator stores the sentinel itself
		e.err = ErrLimit
		return nothing{}
	case sub.err != nil:
		return nothing{}
	case !q.path.definite:
		if nodes == nil {
			nodes = []any{}
		}
		return nodes
	case len(nodes) == 0:
		return nothing{}
	}
	return nodes[len(nodes)-1]
}

// test holds for every path that leads somewhere; an indefinite path always does.
func (t *jaywayExists) test(e *evaluator, item any) bool {
	v := (&jaywayQuery{t.path}).value(e, item)
	_, none := v.(nothing)
	return !none
}

func (t *jaywayCompare) test(e *evaluator, item any) bool {
	a, b := t.left.value(e, item), t.right.value(e, item)
	if e.err != nil {
		return false
	}
	switch t.op {
	case "==", "!=":
		return e.jaywayEqual(a, b) == (t.op == "==")
	case "===", "!==":
		return (kind(a) == kind(b) && e.jaywayEqual(a, b)) == (t.op == "===")
	case "<", "<=":
		return less(a, b) || t.op == "<=" && e.sameOrdered(a, b)
	case ">", ">=":
		return less(b, a) || t.op == ">=" && e.sameOrdered(a, b)
	case "=~":
		return e.matches(a, b)
	case "in", "nin":
		return e.listed(a, b) == (t.op == "in")
	case "contains":
		return e.jaywayContains(a, b)
	}
	return e.jaywaySet(t.op, a, b)
}

// matches takes the pattern on either side.
func (e *evaluator) matches(a, b any) bool {
	e.steps -= (max(lengthOf(a), 0) + max(lengthOf(b), 0)) / 16
	return e.step() && (matchAny(a, b) || matchAny(b, a))
}

func (e *evaluator) sameOrdered(a, b any) bool {
	return kind(a) == kind(b) && ordered(a) && e.equal(a, b, 0)
}

func (e *evaluator) jaywayContains(a, b any) bool {
	if text, ok := a.(string); ok {
		part, ok := b.(string)
		return ok && strings.Contains(text, part)
	}
	return e.listed(b, a)
}

// jaywaySet are the operators on lists.
func (e *evaluator) jaywaySet(op string, a, b any) bool {
	switch op {
	case "size":
		want, exact, ok := sizeOf(b)
		return ok && exact && kind(a) != 'm' && lengthOf(a) == want
	case "empty":
		want, ok := b.(bool)
		n := lengthOf(a)
		return ok && n >= 0 && want == (n == 0)
	}
	x, aList := a.([]any)
	y, bList := b.([]any)
	if !aList || !bList {
		return false
	}
	switch op {
	case "all":
		return e.countListed(y, x) == len(y)
	case "subsetof":
		return e.countListed(x, y) == len(x)
	case "anyof":
		return e.countListed(x, y) > 0
	}
	return e.countListed(x, y) == 0 // noneof
}

// lengthOf is the length of a string, list or object, -1 for any other value.
func lengthOf(v any) int {
	switch x := v.(type) {
	case string:
		return len([]rune(x))
	case []any:
		return len(x)
	case map[string]any:
		return len(x)
	}
	return -1
}

func sizeOf(v any) (n int, exact, ok bool) {
	_, whole, exact, ok := asNumber(v)
	return int(whole), exact, ok
}

func (e *evaluator) countListed(items, in []any) int {
	n := 0
	for _, v := range items {
		if e.listed(v, in) {
			n++
		}
	}
	return n
}

func (e *evaluator) listed(v, in any) bool {
	list, ok := in.([]any)
	if !ok {
		return false
	}
	for _, item := range list {
		if e.jaywayEqual(item, v) {
			return true
		}
		if e.err != nil {
			return false
		}
	}
	return false
}

// jaywayEqual also takes a number for the string that spells it. Nothing equals nothing.
func (e *evaluator) jaywayEqual(a, b any) bool {
	if _, ok := a.(nothing); ok {
		return false
	}
	text, isText := a.(string)
	if _, _, _, isNumber := asNumber(b); isText && isNumber {
		return text == numberText(b)
	}
	text, isText = b.(string)
	if _, _, _, isNumber := asNumber(a); isText && isNumber {
		order, ok := compareNumbers(a, json.Number(strings.TrimSpace(text)))
		return ok && order == 0
	}
	return e.equal(a, b, 0)
}

func numberText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

func ordered(v any) bool { k := kind(v); return k == 's' || k == 'n' }

// kind is a letter for the type of a value.
func kind(v any) byte {
	switch v.(type) {
	case nil:
		return '0'
	case string:
		return 's'
	case bool:
		return 'b'
	case []any:
		return 'l'
	case map[string]any:
		return 'm'
	case nothing:
		return '?'
	case *pattern:
		return 'p'
	}
	return 'n'
}

func matchAny(v, p any) bool {
	re, ok := p.(*pattern)
	if !ok {
		return false
	}
	switch x := v.(type) {
	case string:
		return re.re.MatchString(x)
	case []any:
		for _, item := range x {
			if _, nested := item.([]any); !nested && matchAny(item, p) {
				return true
			}
		}
		return false
	case bool:
		return re.re.MatchString(numberText(x))
	}
	if kind(v) == 'n' {
		return re.re.MatchString(numberText(v))
	}
	return re.re.MatchString("")
}

package jsonpath

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseJayway reads a path as Jayway's PathCompiler does: the $ may be missing, a dot may stand before a bracket, a
// name may hold almost any character, and functions follow a dot.
func parseJayway(src string) (*Path, error) {
	text := strings.Trim(src, " \t\n\r")
	lead := strings.Index(src, text)
	s := &scanner{src: text}
	if !utf8.ValidString(text) {
		return nil, s.errorf("the path is not valid UTF-8")
	}
	if text == "" {
		return nil, s.errorf("the path is empty")
	}
	p, err := s.jayway()
	if err != nil {
		if bad, ok := err.(*SyntaxError); ok { //nolint:errorlint // made in this package, never wrapped
			bad.Pos += lead
		}
		return nil, err
	}
	return p, nil
}

func (s *scanner) jayway() (*Path, error) {
	p := &Path{mode: Jayway, root: '$'}
	if c := s.peek(); c == '$' || c == '@' {
		p.root = c
		s.pos++
		if c := s.peek(); s.pos < len(s.src) && c != '.' && c != '[' {
			return nil, s.errorf("unexpected " + s.here() + ", expected . or [")
		}
	} else if c != '[' {
		s.src = "." + s.src // read as $.src; positions are put right below
		p, err := s.jaywaySegments(p)
		if bad, ok := err.(*SyntaxError); ok { //nolint:errorlint // made in this package, never wrapped
			bad.Pos = max(bad.Pos-1, 0)
		}
		return p, err
	}
	return s.jaywaySegments(p)
}

func (s *scanner) jaywaySegments(p *Path) (*Path, error) {
	if strings.HasSuffix(s.src, ".") {
		s.pos = len(s.src) - 1
		return nil, s.errorf("a path does not end with a dot")
	}
	for s.pos < len(s.src) {
		seg, err := s.jaywaySegment()
		if err != nil {
			return nil, err
		}
		p.segments = append(p.segments, seg)
	}
	p.definite = true
	for i, seg := range p.segments {
		last := i == len(p.segments)-1
		if !seg.definite(last) {
			p.definite = false
		}
	}
	if n := len(p.segments); n > 1 && p.segments[0].descend && p.segments[n-1].fn != nil {
		p.definite = true // the function is applied to all that the scan finds
	}
	return p, nil
}

// definite reports whether a segment selects at most one value. Several names at the end make one object.
func (s *segment) definite(last bool) bool {
	switch {
	case s.descend:
		return false
	case s.fn != nil:
		return true
	case len(s.selectors) > 1:
		return last && s.selectors[0].kind == selectName
	}
	k := s.selectors[0].kind
	return k == selectName || k == selectIndex
}

func (s *scanner) jaywaySegment() (segment, error) {
	var seg segment
	dotted := s.peek() == '.'
	if s.take("..") {
		seg.descend = true
	} else {
		s.take(".")
	}
	var err error
	switch c := s.peek(); {
	case c == '.':
		return seg, s.errorf("unexpected \".\"")
	case c == '[':
		seg.selectors, err = s.jaywayBracket()
	case s.take("*"):
		seg.selectors = []selector{{kind: selectWildcard}}
	case !dotted:
		return seg, s.errorf("unexpected " + s.here() + ", expected . or [")
	default:
		err = s.jaywayName(&seg)
	}
	return seg, err
}

// jaywayName reads a name or a function up to the next dot or bracket.
func (s *scanner) jaywayName(seg *segment) error {
	start := s.pos
	end := strings.IndexAny(s.src[start:], ".[( ")
	if end < 0 {
		end = len(s.src) - start
	}
	end += start
	name := s.src[start:end]
	s.pos = end
	switch {
	case s.peek() == ' ':
		return s.errorf("a name with a blank is written in brackets: ['my name']")
	case name == "":
		return s.errorf("unexpected " + s.here() + ", expected a name")
	case s.peek() != '(':
		seg.selectors = []selector{{kind: selectName, name: name}}
		return nil
	}
	fn, err := s.jaywayFunction(name)
	seg.fn = fn
	return err
}

func (s *scanner) jaywayBracket() ([]selector, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer func() { s.depth-- }()
	s.pos++
	s.space()
	var out []selector
	var err error
	switch c := s.peek(); {
	case c == '\'' || c == '"':
		out, err = s.jaywayNames(c)
	case c == '*':
		s.pos++
		out = []selector{{kind: selectWildcard}}
	case c == '?':
		var filter predicate
		filter, err = s.jaywayFilter()
		out = []selector{{kind: selectFilter, filter: filter}}
	case c == '-' || c == ':' || isDigit(c):
		return s.jaywayIndexes()
	default:
		return nil, s.errorf("unexpected " + s.here() + ", expected ?, ', 0-9 or *")
	}
	if err != nil {
		return nil, err
	}
	s.space()
	if !s.take("]") {
		return nil, s.errorf("unexpected " + s.here() + ", expected ]")
	}
	return out, nil
}

func (s *scanner) jaywayNames(quote byte) ([]selector, error) {
	var out []selector
	for {
		if s.peek() != quote {
			return nil, s.errorf("unexpected " + s.here() + ", expected a quoted name")
		}
		name, err := s.jaywayString()
		if err != nil {
			return nil, err
		}
		out = append(out, selector{kind: selectName, name: name})
		s.space()
		if !s.take(",") {
			return out, nil
		}
		s.space()
	}
}

// jaywayString reads a quoted string; a backslash stands for the next character except in \b \f \n \r \t and \uXXXX.
func (s *scanner) jaywayString() (string, error) {
	quote, open := s.src[s.pos], s.pos
	var b strings.Builder
	for s.pos++; s.pos < len(s.src); s.pos++ {
		c := s.src[s.pos]
		switch {
		case c == quote:
			s.pos++
			return b.String(), nil
		case c != '\\':
			b.WriteByte(c)
			continue
		}
		s.pos++
		if s.peek() == 'u' {
			r, ok := s.hex4()
			if !ok {
				return "", s.errorf("\\u takes four hexadecimal digits")
			}
			s.pos--
			b.WriteRune(r)
			continue
		}
		if i := strings.IndexByte("bfnrt", s.peek()); i >= 0 && s.pos < len(s.src) {
			b.WriteByte("\b\f\n\r\t"[i])
		} else if s.pos < len(s.src) {
			b.WriteByte(s.src[s.pos])
		}
	}
	s.pos = open
	return "", s.errorf("the string is not closed")
}

// jaywayIndexes reads an index, several, or a slice, up to the closing bracket.
func (s *scanner) jaywayIndexes() ([]selector, error) {
	start := s.pos
	end := strings.IndexByte(s.src[start:], ']')
	if end < 0 {
		return nil, s.errorf("the bracket is not closed")
	}
	body := strings.TrimSpace(s.src[start : start+end])
	if strings.Contains(body, ":") {
		sel, ok := jaywaySlice(body)
		if !ok {
			return nil, s.errorf("a slice is written [1:], [:2] or [1:2]")
		}
		s.pos = start + end + 1
		return []selector{sel}, nil
	}
	var out []selector
	for part := range strings.SplitSeq(body, ",") {
		i, err := strconv.ParseInt(strings.TrimSpace(part), 10, 32)
		if err != nil {
			return nil, s.errorf("an index is a whole number")
		}
		out = append(out, selector{kind: selectIndex, index: i})
	}
	s.pos = start + end + 1
	return out, nil
}

func jaywaySlice(body string) (selector, bool) {
	sel := selector{kind: selectSlice, step: 1}
	from, to, _ := strings.Cut(body, ":")
	to, _, _ = strings.Cut(to, ":")
	var err error
	if from != "" {
		sel.hasStart = true
		if sel.start, err = strconv.ParseInt(from, 10, 32); err != nil {
			return sel, false
		}
	}
	if to != "" {
		sel.hasEnd = true
		if sel.end, err = strconv.ParseInt(to, 10, 32); err != nil {
			return sel, false
		}
	}
	return sel, sel.hasStart || sel.hasEnd
}

// jayway evaluates a path of the Jayway dialect. Before the first indefinite step a missing member or a value of the
// wrong kind is ErrNotFound; after it such a node is left out.
func (e *evaluator) jayway(p *Path, doc any) []any {
	segments := p.segments
	var tail *function
	if n := len(segments); n > 1 && segments[0].descend && segments[n-1].fn != nil {
		tail, segments = segments[n-1].fn, segments[:n-1]
	}
	nodes := []any{doc}
	definite := true
	for i := range segments {
		last := i == len(segments)-1
		nodes = e.jaywayStep(&segments[i], nodes, definite, last)
		if e.err != nil {
			return nil
		}
		definite = definite && segments[i].definite(last)
	}
	if tail != nil {
		if nodes == nil {
			nodes = []any{}
		}
		return []any{tail.apply(e, nodes)}
	}
	return nodes
}

func (e *evaluator) jaywayStep(s *segment, nodes []any, definite, last bool) []any {
	var out []any
	for _, n := range nodes {
		if !e.step() {
			return nil
		}
		switch {
		case s.fn != nil:
			out = append(out, s.fn.apply(e, n))
		case s.descend && s.selectors[0].kind == selectFilter:
			e.jaywayScan(n, s.selectors[0].filter, &out, 0)
		case s.descend:
			e.descend(n, s.selectors, &out, 0)
		case len(s.selectors) > 1 && s.selectors[0].kind == selectName && last:
			e.merged(n, s.selectors, definite, &out)
		default:
			e.jaywayChild(n, s.selectors, definite, last, &out)
		}
		if e.err != nil {
			return nil
		}
	}
	return out
}

func (e *evaluator) notFound() {
	if e.err == nil {
		e.err = ErrNotFound
	}
}

func (e *evaluator) jaywayChild(n any, selectors []selector, definite, last bool, out *[]any) {
	_, isList := n.([]any)
	m, isMap := n.(map[string]any)
	for i := range selectors {
		sel := &selectors[i]
		if !e.step() {
			return
		}
		switch sel.kind {
		case selectName:
			_, has := m[sel.name]
			if definite && (!isMap || !has && !last && len(selectors) == 1) {
				e.notFound()
				return
			}
		case selectIndex, selectSlice:
			if !isList && definite {
				e.notFound()
				return
			}
		case selectFilter, selectWildcard:
		}
		e.jaywaySelect(n, sel, out)
	}
}

func (e *evaluator) jaywaySelect(n any, sel *selector, out *[]any) {
	switch n.(type) {
	case map[string]any:
		if sel.kind != selectFilter {
			break
		}
		if sel.filter.test(e, n) { // a filter on an object takes the object itself
			*out = append(*out, n)
		}
		return
	case []any:
		if sel.kind == selectSlice {
			e.jaywaySlice(n, sel, out)
			return
		}
	}
	e.child(n, sel, out)
}

// jaywaySlice differs from RFC 9535 where both bounds are given: neither counts from the end.
func (e *evaluator) jaywaySlice(n any, sel *selector, out *[]any) {
	l, _ := n.([]any)
	if sel.hasStart && sel.hasEnd {
		for i := sel.start; i < min(sel.end, int64(len(l))) && e.step(); i++ {
			if at := absolute(i, int64(len(l))); at >= 0 && at < int64(len(l)) {
				*out = append(*out, l[at])
			}
		}
		return
	}
	e.slice(l, sel, out)
}

// merged makes one object of several members.
func (e *evaluator) merged(n any, selectors []selector, definite bool, out *[]any) {
	m, ok := n.(map[string]any)
	if !ok {
		if definite {
			e.notFound()
		}
		return
	}
	object := make(map[string]any, len(selectors))
	for _, sel := range selectors {
		if v, ok := m[sel.name]; ok {
			object[sel.name] = v
		}
	}
	*out = append(*out, object)
}

// jaywayScan takes, for "..[?(...)]", the descendants that pass the filter: objects themselves and elements of lists.
func (e *evaluator) jaywayScan(n any, filter predicate, out *[]any, depth int) {
	if depth > MaxDepth && e.err == nil {
		e.err = ErrLimit
	}
	if !e.step() {
		return
	}
	if _, ok := n.(map[string]any); ok && filter.test(e, n) {
		*out = append(*out, n)
	}
	e.each(n, func(v any) {
		if e.err == nil {
			e.jaywayScan(v, filter, out, depth+1)
		}
	})
}

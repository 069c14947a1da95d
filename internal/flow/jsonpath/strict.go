package jsonpath

import (
	"strings"
	"unicode/utf8"
)

// maxInt is the largest index of RFC 9535 §2.1: the integers that I-JSON carries exactly.
const maxInt = 1<<53 - 1

// scanner reads a path by the grammar of RFC 9535.
type scanner struct {
	src   string
	pos   int
	depth int
}

func parseStrict(src string) (*Path, error) {
	s := &scanner{src: src}
	if !utf8.ValidString(src) {
		return nil, s.errorf("the path is not valid UTF-8")
	}
	if !s.take("$") {
		return nil, s.errorf("a path starts with $")
	}
	segments, err := s.segments()
	if err != nil {
		return nil, err
	}
	if s.pos != len(src) {
		return nil, s.errorf("unexpected " + s.here() + ", expected . or [")
	}
	return &Path{mode: Strict, root: '$', segments: segments, definite: singular(segments)}, nil
}

func (s *scanner) errorf(msg string) error { return &SyntaxError{Pos: s.pos, Msg: msg} }

// here describes the next character for a message.
func (s *scanner) here() string {
	if s.pos >= len(s.src) {
		return "end of the path"
	}
	c, _ := utf8.DecodeRuneInString(s.src[s.pos:])
	return "\"" + string(c) + "\""
}

func (s *scanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

func (s *scanner) take(text string) bool {
	if strings.HasPrefix(s.src[s.pos:], text) {
		s.pos += len(text)
		return true
	}
	return false
}

func (s *scanner) space() {
	for s.pos < len(s.src) && strings.IndexByte(" \t\n\r", s.src[s.pos]) >= 0 {
		s.pos++
	}
}

func (s *scanner) enter() error {
	s.depth++
	if s.depth > MaxNest {
		return s.errorf("too many levels within each other")
	}
	return nil
}

// segments reads *(S segment); blanks that no segment follows are left unread.
func (s *scanner) segments() ([]segment, error) {
	var out []segment
	for {
		before := s.pos
		s.space()
		if c := s.peek(); c != '.' && c != '[' {
			s.pos = before
			return out, nil
		}
		seg, err := s.segment()
		if err != nil {
			return nil, err
		}
		out = append(out, seg)
	}
}

func (s *scanner) segment() (segment, error) {
	var seg segment
	seg.descend = s.take("..")
	dot := seg.descend || s.take(".")
	switch {
	case s.peek() == '[' && (seg.descend || !dot):
		var err error
		seg.selectors, err = s.bracketed()
		return seg, err
	case s.take("*"):
		seg.selectors = []selector{{kind: selectWildcard}}
		return seg, nil
	}
	name := s.shorthand()
	if name == "" {
		return seg, s.errorf("unexpected " + s.here() + " after the dot, expected a name or *")
	}
	seg.selectors = []selector{{kind: selectName, name: name}}
	return seg, nil
}

// shorthand reads a member-name-shorthand.
func (s *scanner) shorthand() string {
	start := s.pos
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		digit := c >= '0' && c <= '9'
		if c < utf8.RuneSelf && c != '_' && !isLetter(c) && (!digit || s.pos == start) {
			break
		}
		s.pos++
	}
	return s.src[start:s.pos]
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// bracketed reads [selector, selector].
func (s *scanner) bracketed() ([]selector, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer func() { s.depth-- }()
	s.pos++
	var out []selector
	for {
		s.space()
		sel, err := s.selector()
		if err != nil {
			return nil, err
		}
		out = append(out, sel)
		s.space()
		if s.take("]") {
			return out, nil
		}
		if !s.take(",") {
			return nil, s.errorf("unexpected " + s.here() + ", expected , or ]")
		}
	}
}

func (s *scanner) selector() (selector, error) {
	switch c := s.peek(); {
	case c == '\'' || c == '"':
		name, err := s.quoted()
		return selector{kind: selectName, name: name}, err
	case c == '*':
		s.pos++
		return selector{kind: selectWildcard}, nil
	case c == '?':
		s.pos++
		s.space()
		filter, err := s.logical()
		return selector{kind: selectFilter, filter: filter}, err
	case c == '-' || c == ':' || isDigit(c):
		return s.indexOrSlice()
	}
	return selector{}, s.errorf("unexpected " + s.here() + ", expected a quoted name, an index, a slice, * or ?")
}

func (s *scanner) indexOrSlice() (selector, error) {
	sel := selector{kind: selectSlice, step: 1}
	var err error
	if s.peek() != ':' {
		if sel.start, err = s.integer(); err != nil {
			return sel, err
		}
		sel.hasStart = true
		after := s.pos
		s.space()
		if s.peek() != ':' {
			s.pos = after
			return selector{kind: selectIndex, index: sel.start}, nil
		}
	}
	s.pos++
	s.space()
	if c := s.peek(); c == '-' || isDigit(c) {
		if sel.end, err = s.integer(); err != nil {
			return sel, err
		}
		sel.hasEnd = true
		s.space()
	}
	if !s.take(":") {
		return sel, nil
	}
	before := s.pos
	s.space()
	if c := s.peek(); c != '-' && !isDigit(c) {
		s.pos = before
		return sel, nil
	}
	sel.step, err = s.integer()
	return sel, err
}

// integer reads "0" or an integer without leading zeros, within maxInt.
func (s *scanner) integer() (int64, error) {
	start := s.pos
	neg := s.take("-")
	first := s.pos
	var n int64
	for isDigit(s.peek()) {
		if n <= maxInt {
			n = n*10 + int64(s.peek()-'0')
		}
		s.pos++
	}
	switch digits := s.src[first:s.pos]; {
	case digits == "":
		return 0, s.errorf("unexpected " + s.here() + ", expected a digit")
	case digits[0] == '0' && (len(digits) > 1 || neg):
		s.pos = start
		return 0, s.errorf("an index has no leading zero and no -0")
	case n > maxInt:
		s.pos = start
		return 0, s.errorf("the index is out of range")
	}
	if neg {
		n = -n
	}
	return n, nil
}

// quoted reads a string literal.
func (s *scanner) quoted() (string, error) {
	quote := s.src[s.pos]
	open := s.pos
	s.pos++
	var b strings.Builder
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		switch {
		case c == quote:
			s.pos++
			return b.String(), nil
		case c < 0x20:
			return "", s.errorf("a control character in a string is written as an escape")
		case c == '\\':
			r, err := s.escape(quote)
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		default:
			b.WriteByte(c)
			s.pos++
		}
	}
	s.pos = open
	return "", s.errorf("the string is not closed")
}

func (s *scanner) escape(quote byte) (rune, error) {
	s.pos++
	c := s.peek()
	if c == 'u' {
		return s.unicodeEscape()
	}
	if i := strings.IndexByte(`bfnrt/\`, c); i >= 0 && c != 0 {
		s.pos++
		return rune("\b\f\n\r\t/\\"[i]), nil
	}
	if c == quote {
		s.pos++
		return rune(c), nil
	}
	return 0, s.errorf("unknown escape in a string")
}

func (s *scanner) unicodeEscape() (rune, error) {
	r, ok := s.hex4()
	if !ok {
		return 0, s.errorf("\\u takes four hexadecimal digits")
	}
	switch {
	case r >= 0xDC00 && r <= 0xDFFF:
		return 0, s.errorf("a low surrogate without the high one")
	case r < 0xD800 || r > 0xDBFF:
		return r, nil
	}
	if s.peek() == '\\' {
		s.pos++
		if low, ok := s.hex4(); ok && low >= 0xDC00 && low <= 0xDFFF {
			return 0x10000 + (r-0xD800)<<10 + (low - 0xDC00), nil
		}
	}
	return 0, s.errorf("a high surrogate without the low one")
}

// hex4 reads uXXXX.
func (s *scanner) hex4() (rune, bool) {
	if s.peek() != 'u' || s.pos+5 > len(s.src) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s.src[s.pos+1 : s.pos+5]) {
		switch {
		case isDigit(c):
			r = r<<4 + rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 + rune(c|0x20-'a') + 10
		default:
			return 0, false
		}
	}
	s.pos += 5
	return r, true
}

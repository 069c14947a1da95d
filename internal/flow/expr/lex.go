package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokText
	tokPrintStart
	tokPrintEnd
	tokTagStart
	tokTagEnd
	tokName
	tokLong
	tokNumber
	tokString
	tokOperator
	tokPunct
	tokInterpolation
	tokInterpolationEnd
)

type token struct {
	kind tokenKind
	pos  int
	end  int
	text string
}

// maxTokens bounds what one template may consist of, and with it the memory of its compiled form.
const maxTokens = 20_000

type lexState uint8

const (
	inData lexState = iota
	inPrint
	inTag
	inString
	inInterpolation
)

type bracket struct {
	open byte // ( [ { " or # for an interpolation
	pos  int
}

// lexer cuts a template into tokens by the rules of Pebble's lexer, quirks included: one line break after a closing
// delimiter is dropped, "{{-" trims only when a blank follows, and backslashes stay in a string with an interpolation.
type lexer struct {
	src      string
	pos      int
	tokens   []token
	segments []mark
	states   []lexState
	brackets []bracket
	trimNext bool
}

// mark is a Segment before its lines are counted.
type mark struct {
	kind SegmentKind
	pos  int
}

// operators in the order in which they are tried: the longest first.
var operators = [...]string{
	"contains", "equals", "is not", "and", "not", "or", "is", "==", "!=", ">=", "<=", "..",
	"+", "-", ">", "<", "*", "/", "%", "|", "~",
}

func lex(src string) ([]token, []mark, error) {
	l := &lexer{src: src, states: []lexState{inData}}
	for l.pos < len(src) {
		if len(l.tokens) > maxTokens {
			return nil, nil, l.errAt(l.pos, "the template is too long: split it over several assignments")
		}
		if err := l.next(); err != nil {
			return nil, nil, err
		}
	}
	if n := len(l.brackets); n > 0 {
		return nil, nil, l.unclosed(l.brackets[n-1], l.pos)
	}
	l.push(tokEOF, len(src), len(src), "")
	return l.tokens, l.segments, nil
}

func (l *lexer) next() error {
	switch l.states[len(l.states)-1] {
	case inData:
		return l.data()
	case inPrint:
		return l.between("}}", tokPrintEnd)
	case inTag:
		return l.between("%}", tokTagEnd)
	case inString:
		return l.inString()
	default:
		return l.interpolation()
	}
}

func (l *lexer) errAt(pos int, msg string) error { return &SyntaxError{Pos: pos, Msg: msg} }

// syntaxHint carries, besides the error, where the mend of a bracket would go.
type syntaxHint struct {
	SyntaxError

	bracket bracket
	end     int // where the bracket was found to be open still
}

func (l *lexer) unclosed(b bracket, end int) error {
	open := string(b.open)
	if b.open == '#' {
		open = "#{"
	}
	return &syntaxHint{SyntaxError{Pos: b.pos, Msg: "Unclosed \"" + open + "\""}, b, end}
}

func (l *lexer) push(kind tokenKind, pos, end int, text string) {
	l.tokens = append(l.tokens, token{kind, pos, end, text})
}

func (l *lexer) pop() { l.states = l.states[:len(l.states)-1] }

func (l *lexer) skipSpace(pos int) int {
	for pos < len(l.src) && regexSpace(l.src[pos]) {
		pos++
	}
	return pos
}

// afterClose drops one line break after a closing delimiter.
func (l *lexer) afterClose(pos int) int {
	rest := l.src[pos:]
	for _, nl := range [...]string{"\r\n", "\n\r", "\r", "\n", "\u0085", "\u2028", "\u2029"} {
		if strings.HasPrefix(rest, nl) {
			return pos + len(nl)
		}
	}
	return pos
}

// data reads text up to the next opening delimiter.
func (l *lexer) data() error {
	start := l.pos
	open := openDelimiter(l.src, start)
	text := l.src[start:open]
	if l.trimNext {
		text = strings.TrimLeftFunc(text, javaSpace)
		l.trimNext = false
	}
	if open > start {
		l.segments = append(l.segments, mark{SegmentText, start})
	}
	textToken := -1
	if text != "" {
		textToken = len(l.tokens)
		l.push(tokText, start, open, text)
	}
	if open == len(l.src) {
		l.pos = open
		return nil
	}
	l.pos = open + 2
	if l.pos+1 < len(l.src) && l.src[l.pos] == '-' && regexSpace(l.src[l.pos+1]) {
		if textToken >= 0 {
			l.tokens[textToken].text = strings.TrimRightFunc(text, javaSpace)
		}
		l.pos = l.skipSpace(l.pos + 1)
	}
	switch l.src[open+1] {
	case '#':
		return l.comment(open)
	case '{':
		l.segments = append(l.segments, mark{SegmentOutput, open})
		l.push(tokPrintStart, open, l.pos, "")
		l.states = append(l.states, inPrint)
	default:
		l.segments = append(l.segments, mark{SegmentTag, open})
		return l.tag(open)
	}
	return nil
}

// openDelimiter returns the offset of the next "{{", "{%" or "{#", or the end.
func openDelimiter(src string, pos int) int {
	for pos < len(src) {
		i := strings.IndexByte(src[pos:], '{')
		if i < 0 || pos+i+1 >= len(src) {
			return len(src)
		}
		pos += i
		switch src[pos+1] {
		case '{', '%', '#':
			return pos
		}
		pos++
	}
	return len(src)
}

func (l *lexer) comment(open int) error {
	l.segments = append(l.segments, mark{SegmentComment, open})
	if l.pos == len(l.src) {
		return nil
	}
	i := strings.Index(l.src[l.pos:], "#}")
	if i < 0 {
		return l.errAt(open, "Unclosed comment: write #} where it ends")
	}
	body := l.src[l.pos : l.pos+i]
	if n := len(body); n >= 2 && body[n-1] == '-' && regexSpace(body[n-2]) {
		l.trimNext = true
	}
	l.pos = l.afterClose(l.pos + i + 2)
	return nil
}

func (l *lexer) tag(open int) error {
	p := l.skipSpace(l.pos)
	if strings.HasPrefix(l.src[p:], "verbatim") {
		p = l.skipSpace(p + len("verbatim"))
		if strings.HasPrefix(l.src[p:], "-") {
			p++
		}
		if strings.HasPrefix(l.src[p:], "%}") {
			return l.verbatim(open, l.afterClose(p+2))
		}
	}
	l.push(tokTagStart, open, l.pos, "")
	l.states = append(l.states, inTag)
	return nil
}

// verbatim reads text up to the tag endverbatim. Pebble always drops the white space at its start.
func (l *lexer) verbatim(open, start int) error {
	for p := start; p < len(l.src); {
		i := strings.Index(l.src[p:], "{%")
		if i < 0 {
			break
		}
		textEnd := p + i
		trimEnd, trimNext, after := l.endVerbatim(textEnd)
		if after < 0 {
			p = textEnd + 2
			continue
		}
		text := strings.TrimLeftFunc(l.src[start:textEnd], javaSpace)
		if trimEnd {
			text = strings.TrimRightFunc(text, javaSpace)
		}
		l.trimNext = trimNext
		l.pos = after
		if text != "" {
			l.push(tokText, start, textEnd, text)
		}
		return nil
	}
	return l.errAt(open, "Unclosed verbatim tag: write {% endverbatim %} where it ends")
}

func (l *lexer) endVerbatim(pos int) (trimEnd, trimNext bool, after int) {
	p := pos + 2
	if strings.HasPrefix(l.src[p:], "-") {
		trimEnd = true
		p++
	}
	p = l.skipSpace(p)
	if !strings.HasPrefix(l.src[p:], "endverbatim") {
		return false, false, -1
	}
	p = l.skipSpace(p + len("endverbatim"))
	if strings.HasPrefix(l.src[p:], "-") {
		trimNext = true
		p++
	}
	if !strings.HasPrefix(l.src[p:], "%}") {
		return false, false, -1
	}
	return trimEnd, trimNext, l.afterClose(p + 2)
}

// between reads one token inside {{ }} or {% %}, or the closing delimiter.
func (l *lexer) between(closing string, kind tokenKind) error {
	p := l.skipSpace(l.pos)
	dash := p < len(l.src) && l.src[p] == '-'
	if dash {
		rest := l.src[p+1:]
		if strings.HasPrefix(rest, "}}") || strings.HasPrefix(rest, "%}") || strings.HasPrefix(rest, "#}") {
			l.trimNext = true
		}
	}
	if len(l.brackets) == 0 {
		q := p
		if dash {
			q++
		}
		if strings.HasPrefix(l.src[q:], closing) {
			l.push(kind, p, q+2, closing)
			l.pos = l.afterClose(q + 2)
			l.pop()
			return nil
		}
	}
	return l.expression()
}

func (l *lexer) interpolation() error {
	p := l.skipSpace(l.pos)
	if n := len(l.brackets); n > 0 && l.brackets[n-1].open == '#' && strings.HasPrefix(l.src[p:], "}") {
		l.brackets = l.brackets[:n-1]
		l.push(tokInterpolationEnd, p, p+1, "}")
		l.pos = p + 1
		l.pop()
		return nil
	}
	return l.expression()
}

// inString reads a part of a double-quoted string that has interpolations.
func (l *lexer) inString() error {
	if strings.HasPrefix(l.src[l.pos:], "#{") {
		l.brackets = append(l.brackets, bracket{'#', l.pos})
		l.push(tokInterpolation, l.pos, l.pos+2, "#{")
		l.pos += 2
		l.states = append(l.states, inInterpolation)
		return nil
	}
	p := l.pos
	for p < len(l.src) && l.src[p] != '"' && !strings.HasPrefix(l.src[p:], "#{") {
		if l.src[p] == '\\' {
			if p+1 == len(l.src) {
				break
			}
			_, n := utf8.DecodeRuneInString(l.src[p+1:])
			p += n
		}
		p++
	}
	if p > l.pos {
		l.push(tokString, l.pos, p, l.src[l.pos:p])
		l.pos = p
		return nil
	}
	if l.src[p] != '"' {
		return l.unclosed(l.brackets[len(l.brackets)-1], p)
	}
	l.brackets = l.brackets[:len(l.brackets)-1]
	l.pop()
	l.pos++
	return nil
}

// expression reads one token of an expression.
func (l *lexer) expression() error {
	for l.pos < len(l.src) {
		r, n := utf8.DecodeRuneInString(l.src[l.pos:])
		if !javaSpace(r) {
			break
		}
		l.pos += n
	}
	if l.pos == len(l.src) {
		return nil
	}
	start := l.pos
	if end := l.operator(); end > 0 {
		l.accept(tokOperator, end)
		return nil
	}
	if end := l.name(); end > start {
		l.accept(tokName, end)
		return nil
	}
	c := l.src[start]
	if c >= '0' && c <= '9' {
		l.number()
		return nil
	}
	if strings.IndexByte("()[]{}?:.,|=", c) >= 0 {
		return l.punctuation(c)
	}
	if c == '"' || c == '\'' {
		return l.quoted(c)
	}
	r, _ := utf8.DecodeRuneInString(l.src[start:])
	return l.errAt(start, "Unexpected character ["+string(r)+"]")
}

func (l *lexer) accept(kind tokenKind, end int) {
	l.push(kind, l.pos, end, l.src[l.pos:end])
	l.pos = end
}

func (l *lexer) operator() int {
	rest := l.src[l.pos:]
	for _, op := range operators {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		if last := op[len(op)-1]; last >= 'a' && last <= 'z' && len(rest) > len(op) && isWordByte(rest[len(op)]) {
			continue
		}
		return l.pos + len(op)
	}
	return 0
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

func (l *lexer) name() int {
	p := l.pos
	for p < len(l.src) {
		r, n := utf8.DecodeRuneInString(l.src[p:])
		if r != '_' && !unicode.IsLetter(r) && (p == l.pos || !unicode.IsDigit(r)) {
			break
		}
		p += n
	}
	return p
}

func (l *lexer) digits(p int) int {
	for p < len(l.src) && l.src[p] >= '0' && l.src[p] <= '9' {
		p++
	}
	return p
}

func (l *lexer) number() {
	end := l.digits(l.pos)
	if end < len(l.src) && l.src[end] == 'L' {
		l.push(tokLong, l.pos, end+1, l.src[l.pos:end])
		l.pos = end + 1
		return
	}
	if end+1 < len(l.src) && l.src[end] == '.' {
		if frac := l.digits(end + 1); frac > end+1 {
			end = frac
		}
	}
	l.accept(tokNumber, end)
}

func (l *lexer) punctuation(c byte) error {
	switch c {
	case '(', '[', '{':
		if len(l.brackets) >= maxDepth {
			return l.errAt(l.pos, "too many brackets within each other")
		}
		l.brackets = append(l.brackets, bracket{c, l.pos})
	case ')', ']', '}':
		n := len(l.brackets)
		if n == 0 {
			return l.errAt(l.pos, "Unexpected \""+string(c)+"\"")
		}
		if b := l.brackets[n-1]; closer(b.open) != c {
			return l.unclosed(b, l.pos)
		}
		l.brackets = l.brackets[:n-1]
	}
	l.accept(tokPunct, l.pos+1)
	return nil
}

func closer(open byte) byte {
	switch open {
	case '(':
		return ')'
	case '[':
		return ']'
	case '{':
		return '}'
	}
	return open
}

// quoted reads a string. A double-quoted one with a # in it may hold interpolations and is read part by part.
func (l *lexer) quoted(quote byte) error {
	for p := l.pos + 1; p < len(l.src); p++ {
		switch c := l.src[p]; {
		case c == '\\':
			p++
		case c == '#' && quote == '"':
			return l.openString()
		case c == quote:
			body := strings.ReplaceAll(l.src[l.pos+1:p], "\\"+string(quote), string(quote))
			l.push(tokString, l.pos, p+1, body)
			l.pos = p + 1
			return nil
		}
	}
	if quote == '"' {
		return l.openString()
	}
	return l.unclosed(bracket{'\'', l.pos}, len(l.src))
}

func (l *lexer) openString() error {
	if len(l.brackets) >= maxDepth {
		return l.errAt(l.pos, "too many strings within each other")
	}
	l.brackets = append(l.brackets, bracket{'"', l.pos})
	l.states = append(l.states, inString)
	l.pos++
	return nil
}

package soql

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

type tokenKind int

const (
	tokEOF tokenKind = iota
	tokWord
	tokString
	tokInteger
	tokDecimal
	tokDate
	tokDateTime
	tokTime
	tokPunct
	tokBraces // {term} of a search
)

// token is a piece of the text. For strings and braces text excludes the delimiters.
type token struct {
	kind tokenKind
	pos  Pos
	text string
}

// show is the token as an error message names it.
func (t token) show() string {
	switch t.kind {
	case tokEOF:
		return "<EOF>"
	case tokString:
		return "'" + t.text + "'"
	case tokBraces:
		return "{" + t.text + "}"
	default:
		return t.text
	}
}

type lexer struct {
	src string
	at  int
}

// scan cuts the whole text. Braces are a token of searches only; elsewhere they are a fault the parser reports.
func scan(src string, braces bool) ([]token, error) {
	if !utf8.ValidString(src) {
		return nil, newError(src, 0, "the query is not valid UTF-8: encode it as UTF-8")
	}
	if n := utf8.RuneCountInString(src); n > MaxLength {
		return nil, newError(src, 0, fmt.Sprintf(
			"SOQL statements cannot be longer than %d characters: this one has %d, split it", MaxLength, n))
	}
	lx := lexer{src: src}
	tokens := make([]token, 0, len(src)/5+4)
	for {
		t, err := lx.next(braces)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		if t.kind == tokEOF {
			return tokens, nil
		}
	}
}

func (l *lexer) next(braces bool) (token, error) {
	for l.at < len(l.src) && isSpace(l.src[l.at]) {
		l.at++
	}
	start := l.at
	if start == len(l.src) {
		return token{kind: tokEOF, pos: Pos(start)}, nil
	}
	c := l.src[start]
	if c == '\'' {
		return l.quoted('\'', tokString, "string")
	}
	if c == '{' && braces {
		return l.quoted('}', tokBraces, "search term")
	}
	return l.plain(c, start), nil
}

// plain cuts a token without delimiters that starts with c.
func (l *lexer) plain(c byte, start int) token {
	switch {
	case isLetter(c):
		for l.at < len(l.src) && isWordByte(l.src[l.at]) {
			l.at++
		}
		return l.token(tokWord, start)
	case isDigit(c) || c == '.' && start+1 < len(l.src) && isDigit(l.src[start+1]):
		return l.number()
	case strings.HasPrefix(l.src[start:], "!="), strings.HasPrefix(l.src[start:], "<>"):
		l.at += 2
	default:
		_, size := utf8.DecodeRuneInString(l.src[start:])
		l.at += size
	}
	return l.token(tokPunct, start)
}

func (l *lexer) token(kind tokenKind, start int) token {
	return token{kind: kind, pos: Pos(start), text: l.src[start:l.at]}
}

// quoted cuts up to the closing byte; a backslash protects what follows it.
func (l *lexer) quoted(closing byte, kind tokenKind, what string) (token, error) {
	start := l.at
	for l.at++; l.at < len(l.src); l.at++ {
		switch l.src[l.at] {
		case '\\':
			l.at++
		case closing:
			l.at++
			return token{kind: kind, pos: Pos(start), text: l.src[start+1 : l.at-1]}, nil
		}
	}
	l.at = len(l.src)
	return token{}, newError(l.src, Pos(start), fmt.Sprintf("unexpected token: '<EOF>' (the %s is never closed with %c)", what, closing))
}

// The shapes of what starts with a digit, longest first: 9 is a digit, + a digit or more, other letters stand for
// themselves. An offset may have its colon or not.
const (
	shapeDate = "9999-99-99"
	shapeTime = "99:99:99"
)

func (l *lexer) number() token {
	start := l.at
	if l.shape(shapeDate) {
		mark := l.at
		if l.either('T', 't') && l.shape(shapeTime) {
			l.fraction()
			if l.zone() {
				return l.token(tokDateTime, start)
			}
		}
		l.at = mark
		return l.token(tokDate, start)
	}
	if mark := l.at; l.shape(shapeTime) {
		l.fraction()
		if l.zone() {
			return l.token(tokTime, start)
		}
		l.at = mark // a time without a zone is none
	}
	l.digits()
	if l.fraction() {
		return l.token(tokDecimal, start)
	}
	return l.token(tokInteger, start)
}

func (l *lexer) shape(shape string) bool {
	if len(l.src)-l.at < len(shape) {
		return false
	}
	for i := range len(shape) {
		c := l.src[l.at+i]
		if shape[i] == '9' && !isDigit(c) || shape[i] != '9' && c != shape[i] {
			return false
		}
	}
	l.at += len(shape)
	return true
}

func (l *lexer) either(a, b byte) bool {
	if l.at < len(l.src) && (l.src[l.at] == a || l.src[l.at] == b) {
		l.at++
		return true
	}
	return false
}

func (l *lexer) digits() {
	for l.at < len(l.src) && isDigit(l.src[l.at]) {
		l.at++
	}
}

func (l *lexer) fraction() bool {
	if l.at+1 < len(l.src) && l.src[l.at] == '.' && isDigit(l.src[l.at+1]) {
		l.at++
		l.digits()
		return true
	}
	return false
}

func (l *lexer) zone() bool {
	if l.either('Z', 'z') {
		return true
	}
	mark := l.at
	if l.either('+', '-') && (l.shape("99:99") || l.shape("9999")) {
		return true
	}
	l.at = mark
	return false
}

func isSpace(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// isWordByte says what may follow the first letter of a name. Dots belong to it: a relationship path is one name.
func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' || c == '.' }

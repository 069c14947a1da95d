package jsonpath

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	// maxPattern bounds a pattern, since a repeated group multiplies its compiled size.
	maxPattern = 500
	// regexpSteps is the price of compiling a pattern that is not constant.
	regexpSteps = 1000
)

// compiledRegexp is an I-Regexp (RFC 9485); nil inside means that the pattern is not one and matches nothing.
type compiledRegexp struct{ re *regexp.Regexp }

func (c *compiledRegexp) match(s string) bool {
	return c.re != nil && utf8.ValidString(s) && c.re.MatchString(s)
}

// compileRegexp translates an I-Regexp to RE2 as RFC 9485 §5.4 says.
func compileRegexp(pattern string, whole bool) *compiledRegexp {
	text, ok := translate(pattern)
	if !ok || len(pattern) > maxPattern {
		return &compiledRegexp{}
	}
	if whole {
		text = `\A(?:` + text + `)\z`
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return &compiledRegexp{}
	}
	return &compiledRegexp{re}
}

// translate checks what RE2 would read differently from I-Regexp, and writes the dot, which matches no line break.
func translate(p string) (string, bool) {
	var b strings.Builder
	class := false
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case c == '\\':
			n := escapeLength(p[i:])
			if n == 0 {
				return "", false
			}
			b.WriteString(p[i : i+n])
			i += n - 1
			continue
		case class:
			if c == '[' {
				return "", false // RE2 reads [[:alpha:]] inside a class
			}
			class = c != ']'
		case c == '[':
			class = true
		case c == '.':
			b.WriteString(`[^\n\r]`)
			continue
		case c == '(' && strings.HasPrefix(p[i+1:], "?"):
			return "", false
		case strings.IndexByte("*+?}", c) >= 0 && i+1 < len(p) && strings.IndexByte("*+?{", p[i+1]) >= 0:
			return "", false // no lazy or repeated quantifiers
		}
		b.WriteByte(c)
	}
	return b.String(), !class
}

// escapeLength is the length of SingleCharEsc or of a category escape, 0 for any other.
func escapeLength(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch c := s[1]; {
	case strings.IndexByte(`()*+-.?[\]^nrt{|}$`, c) >= 0:
		return 2
	case c == 'p' || c == 'P':
		if end := strings.IndexByte(s, '}'); len(s) > 4 && s[2] == '{' && (end == 4 || end == 5) {
			return end + 1
		}
	}
	return 0
}

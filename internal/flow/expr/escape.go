package expr

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// filterEscape escapes for HTML (the default), JavaScript, CSS identifiers, URL parameters or JSON, with the characters
// that the Java engine's library escapes.
func filterEscape(r *run, in any, a *arguments) (any, error) {
	if s, ok := in.(safe); ok {
		return s, nil
	}
	if in == nil {
		return nil, nil
	}
	s, err := r.str(in)
	if err != nil {
		return nil, err
	}
	strategy, given, err := a.stringArg(0, "strategy")
	if err != nil {
		return nil, err
	}
	if !given {
		strategy = "html"
	}
	if err := r.build(len(s) * 2); err != nil {
		return nil, err
	}
	switch strategy {
	case "html":
		s = htmlReplacer.Replace(s)
	case "js":
		s = escapeScript(s, false)
	case "json":
		s = escapeScript(s, true)
	case "css":
		s = escapeCSS(s)
	case "url_param":
		s = escapeParam(s)
	default:
		return nil, failFix("Unknown escaping strategy ["+strategy+"]", "strategies are html, js, css, url_param and json")
	}
	return safe(s), r.build(len(s))
}

var htmlReplacer = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

// escapeScript escapes what a JavaScript or JSON string cannot hold, all that is not ASCII, "&", and "/" after "<".
func escapeScript(s string, json bool) string {
	var b strings.Builder
	prev := rune(0)
	for _, c := range s {
		switch {
		case c == '/' && prev == '<':
			b.WriteString(`\/`)
		case c == '"' || c == '\\' || c == '\'' && !json:
			b.WriteByte('\\')
			b.WriteRune(c)
		case c >= 0x20 && c < 0x7F && c != '&':
			b.WriteRune(c)
		default:
			escapeUnit(&b, c, json)
		}
		prev = c
	}
	return b.String()
}

func escapeUnit(b *strings.Builder, c rune, json bool) {
	if i := strings.IndexRune("\b\t\n\f\r", c); i >= 0 {
		b.WriteByte('\\')
		b.WriteByte("btnfr"[i])
		return
	}
	switch {
	case c == 0 && !json:
		b.WriteString(`\0`)
	case c <= 0xFF && !json:
		fmt.Fprintf(b, `\x%02X`, c)
	case c > 0xFFFF:
		hi, lo := utf16.EncodeRune(c)
		fmt.Fprintf(b, `\u%04X\u%04X`, hi, lo)
	default:
		fmt.Fprintf(b, `\u%04X`, c)
	}
}

// escapeCSS escapes for a CSS identifier. A number is followed by a blank where the next character could belong to it.
func escapeCSS(s string) string {
	var b strings.Builder
	for i, c := range s {
		switch {
		case c < utf8.RuneSelf && isWordByte(byte(c)) && (i > 0 || isLetterByte(byte(c))): //nolint:gosec // ASCII
			b.WriteRune(c)
		case c == '-' && (i > 0 || !dashNeedsEscape(s)):
			b.WriteRune(c)
		case c >= ' ' && c < 0x7F && !strings.ContainsRune(":0123456789", c):
			b.WriteByte('\\')
			b.WriteRune(c)
		default:
			fmt.Fprintf(&b, `\%X`, c)
			if next := i + utf8.RuneLen(c); next < len(s) && isHex(s[next]) {
				b.WriteByte(' ')
			}
		}
	}
	return b.String()
}

func isLetterByte(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func dashNeedsEscape(s string) bool {
	return len(s) > 1 && (s[1] == '-' || s[1] >= '0' && s[1] <= '9')
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// escapeParam percent-encodes all but what RFC 3986 allows in a query, less the delimiters "=", "&", "+" and "#".
func escapeParam(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < 0x80 && isWordByte(c) || strings.IndexByte("-.~!$'()*,;:@/?", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

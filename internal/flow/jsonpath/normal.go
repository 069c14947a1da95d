package jsonpath

import (
	"fmt"
	"strconv"
	"strings"
)

// normal is a selector in the form of a normalized path (RFC 9535 §2.7), without the brackets.
func (s selector) normal() string {
	switch s.kind {
	case selectName:
		return quoteName(s.name)
	case selectWildcard:
		return "*"
	case selectIndex:
		return strconv.FormatInt(s.index, 10)
	case selectFilter:
		return "?"
	case selectSlice:
	}
	out := ""
	if s.hasStart {
		out = strconv.FormatInt(s.start, 10)
	}
	out += ":"
	if s.hasEnd {
		out += strconv.FormatInt(s.end, 10)
	}
	if s.step != 1 {
		out += ":" + strconv.FormatInt(s.step, 10)
	}
	return out
}

func quoteName(name string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, c := range name {
		switch {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case strings.ContainsRune("\b\f\n\r\t", c):
			b.WriteByte('\\')
			b.WriteByte("bfnrt"[strings.IndexRune("\b\f\n\r\t", c)])
		case c < 0x20:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

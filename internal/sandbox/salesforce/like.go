package salesforce

import (
	"strings"
	"unicode/utf8"

	"github.com/tandemcc/tandem/internal/soql"
)

// like compiles LIKE, with an index where the pattern lets one be used: texts that start alike, and numbers by their last
// digits.
func (s *scope) like(out *sqlText, v *value, lit soql.Value) error {
	if v.isID() {
		return atQuery("INVALID_QUERY_FILTER_OPERATOR", s.c.src, lit.Pos, "invalid operator on id field")
	}
	if !v.text() {
		return atQuery("INVALID_QUERY_FILTER_OPERATOR", s.c.src, lit.Pos, "invalid operator on %s field '%s': LIKE needs text", v.kind, v.name)
	}
	if lit.Kind == soql.Null {
		out.WriteString("0")
		return nil
	}
	if lit.Kind != soql.Text {
		return s.wrongType(v, lit)
	}
	pattern := strings.ToLower(lit.Str)
	match := func(column string) {
		out.WriteString(column + " LIKE ")
		out.arg(pattern)
		out.WriteString(` ESCAPE '\'`)
	}
	start := likePrefix(pattern)
	switch {
	case !v.direct || !v.field.indexed && v.kind != typePhone:
		match(v.folded)
	case start != "" && v.field.indexed:
		// SQLite does not look into values that are bound: that the pattern bounds an index must be said.
		out.WriteString("(" + v.folded + " >= ")
		out.arg(start)
		if after := following(start); after != "" {
			out.WriteString(" AND " + v.folded + " < ")
			out.arg(after)
		}
		out.WriteString(" AND ")
		match(v.folded)
		out.WriteString(")")
	case v.kind == typePhone && digitPattern(pattern):
		s.likeNumber(out, pattern)
		match(v.folded)
		out.WriteString(")")
	case !v.field.indexed:
		match(v.folded)
	default:
		// Reading the narrow index through and then fetching the few hits is much cheaper than reading the wide table.
		out.WriteString(s.root.alias + `."Id" IN (SELECT "Id" FROM ` + s.obj.table() + " WHERE ")
		match(v.field.folded())
		out.WriteString(")")
	}
	return nil
}

// likePrefix is what every text that is like a pattern starts with.
func likePrefix(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '%' || c == '_':
			return b.String()
		case c == '\\' && i+1 < len(pattern):
			i++
			b.WriteByte(pattern[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// following is the first text after all those that start with a prefix, "" when there is none.
func following(prefix string) string {
	r, size := utf8.DecodeLastRuneInString(prefix)
	switch r {
	case utf8.RuneError, utf8.MaxRune:
		return ""
	case 0xD7FF:
		r = 0xDFFF // what lies between stands for no character
	}
	return prefix[:len(prefix)-size] + string(r+1)
}

// minTail is how many digits a pattern must end with for numbers to be found by them.
const minTail = 3

// digitPattern reports whether a pattern is made of digits and % alone and ends with digits, as look-ups of numbers do.
func digitPattern(pattern string) bool {
	tail := 0
	for i := range len(pattern) {
		switch c := pattern[i]; {
		case c == '%':
			tail = 0
		case c >= '0' && c <= '9':
			tail++
		default:
			return false
		}
	}
	return tail >= minTail
}

// likeNumber narrows a search for a number down by its last digits: text that is like the pattern has digits that are.
func (s *scope) likeNumber(out *sqlText, pattern string) {
	backwards := reverse(pattern)
	tail, _, _ := strings.Cut(backwards, "%")
	out.WriteString("(" + s.root.alias + `."Id" IN (SELECT id FROM phone WHERE entity IN (`)
	out.arg(s.obj.prefix)
	out.WriteString(", ")
	out.arg(s.obj.prefix + extended)
	out.WriteString(") AND reversed >= ")
	out.arg(tail)
	out.WriteString(" AND reversed < ")
	out.arg(tail + "~")
	out.WriteString(" AND reversed LIKE ")
	out.arg(strings.TrimSuffix(backwards, "%") + "%")
	out.WriteString(") AND ")
}

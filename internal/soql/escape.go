package soql

import "strings"

// String quotes a value for SOQL: 'O\'Brien'. What comes back is one string literal whatever v holds.
func String(v string) string { return "'" + escape(v, false) + "'" }

// Like escapes a value for use inside a LIKE pattern, so that its % and _ stand for themselves. It adds no quotes, since
// a pattern is built of several parts: "'%" + Like(name) + "%'".
func Like(v string) string { return escape(v, true) }

func escape(v string, like bool) string {
	var b strings.Builder
	b.Grow(len(v) + 8)
	for _, r := range v {
		switch {
		case r == '\\' || r == '\'' || r == '"':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\u000c`) // \f is no escape of the grammar
		case like && (r == '%' || r == '_'):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// reservedTerm is what a SOSL search term must escape (SOQL and SOSL reference, "Reserved Characters").
const reservedTerm = `?&|!{}[]()^~*:\"'+-`

// Term escapes a value for use between the braces of FIND {..}, so that it is searched for as it stands. Words of the
// search grammar (AND, OR, NOT) in it are quoted.
func Term(v string) string {
	var b strings.Builder
	b.Grow(len(v) + 8)
	for _, r := range v {
		if strings.ContainsRune(reservedTerm, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	out := b.String()
	for word := range strings.FieldsSeq(out) {
		switch strings.ToUpper(word) {
		case "AND", "OR", "NOT":
			return `"` + out + `"`
		}
	}
	return out
}

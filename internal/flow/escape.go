package flow

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
)

// Safe interpolation. A template's literal text is left as its author encoded it; each interpolated value is encoded for
// the place it stands in, so that what a caller or a foreign system supplies can never become part of a URL's structure, a
// SOQL query or a JSON document.

// authorEscaped reports whether an expression itself guards a value for a query in a URL, as the proposed fixes do.
func authorEscaped(expression string) bool {
	return strings.Contains(expression, "urlencode") && (strings.Contains(expression, "%27") || strings.Contains(expression, `"''"`))
}

// urlencodeFilter and jsonFilter match an expression whose own last filter is the encoding of the place.
var (
	urlencodeFilter = regexp.MustCompile(`\|\s*(urlencode|escape\(\s*(strategy\s*=\s*)?["']url_param["']\s*\))\s*$`)
	jsonFilter      = regexp.MustCompile(`\|\s*escape\(\s*(strategy\s*=\s*)?["']json["']\s*\)\s*$`)
)

// urlPlace follows a URL or a path with query from left to right.
type urlPlace struct {
	seen strings.Builder // the literal text so far, with \x00 for values
}

func (u *urlPlace) literal(s string) string {
	u.seen.WriteString(s)
	return cleanURL(s)
}

func (u *urlPlace) escape(expression string) func(string) string {
	before := u.seen.String()
	u.seen.WriteByte(0)
	base := escaperAt(before)
	switch {
	case authorEscaped(expression):
		return cleanURL
	case base == nil:
		return cleanURL
	case urlencodeFilter.MatchString(expression):
		return func(v string) string {
			if d, err := url.QueryUnescape(v); err == nil {
				v = d
			}
			return base(v)
		}
	}
	return base
}

func (u *urlPlace) whole(src string) func(string) string {
	if kind, _ := queryLanguage(src); kind == "soql" {
		return func(v string) string { return escapeURL(escapeSOQL(v)) }
	}
	return escapeURL
}

// escaperAt returns the escaping for a value after the text before; nil where a whole URL or its base may stand.
func escaperAt(before string) func(string) string {
	if strings.Trim(before, "\x00") == "" {
		return nil
	}
	if rest, ok := afterScheme(before); ok && !strings.ContainsAny(rest, "/?#") {
		return escapeHost
	}
	if !strings.Contains(before, "?") {
		return escapePath
	}
	kind, q := queryLanguage(before)
	switch kind {
	case "soql":
		return soqlEscaper(q)
	case "odata":
		if strings.Count(q, "'")%2 == 1 {
			return func(v string) string { return escapeURL(strings.ReplaceAll(v, "'", "''")) }
		}
	}
	return escapeURL
}

func afterScheme(s string) (string, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || strings.ContainsAny(scheme, "/?#\x00") {
		return "", false
	}
	return rest, true
}

// queryLanguage looks at the last query parameter of a URL's text and returns which language its value is in, with the
// value decoded.
func queryLanguage(before string) (kind, decoded string) {
	_, query, ok := strings.Cut(before, "?")
	if !ok {
		return "", ""
	}
	name, val, ok := strings.Cut(query[strings.LastIndexByte(query, '&')+1:], "=")
	if !ok {
		return "", ""
	}
	return languageOf(name, decodeLoose(val))
}

func languageOf(name, val string) (kind, text string) {
	if n := strings.ToLower(name); n == "$filter" || n == "%24filter" {
		return "odata", val
	}
	head := strings.ToUpper(strings.TrimSpace(val))
	for _, k := range []string{"SELECT ", "SELECT\t", "SELECT\n", "FIND "} {
		if strings.HasPrefix(head, k) {
			return "soql", val
		}
	}
	return "", val
}

// decodeLoose decodes + and %XX and leaves what is neither as it is.
func decodeLoose(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}

var endsWithLike = regexp.MustCompile(`(?i)\bLIKE\s*$`)

// soqlPlace says where in a SOQL text the next value stands.
func soqlPlace(q string) (quoted, like bool) {
	open := -1
	for i := 0; i < len(q); i++ {
		switch {
		case q[i] == '\\' && open >= 0:
			i++
		case q[i] == '\'' && open >= 0:
			open = -1
		case q[i] == '\'':
			open = i
		}
	}
	if open < 0 {
		return false, false
	}
	return true, endsWithLike.MatchString(q[:open])
}

func soqlEscaper(q string) func(string) string {
	esc := soqlValueEscaper(q)
	return func(v string) string { return escapeURL(esc(v)) }
}

// soqlValueEscaper returns the escaping of a value within a SOQL text that is not URL-encoded.
func soqlValueEscaper(q string) func(string) string {
	quoted, like := soqlPlace(q)
	switch {
	case quoted && like:
		return func(v string) string { return likeEscape.Replace(escapeSOQL(v)) }
	case quoted:
		return escapeSOQL
	}
	return soqlToken
}

var (
	soqlEscape = strings.NewReplacer(`\`, `\\`, `'`, `\'`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`, "\f", `\f`)
	likeEscape = strings.NewReplacer(`%`, `\%`, `_`, `\_`)
)

// escapeSOQL escapes a value for a SOQL string literal (SOQL and SOSL Reference, "Quoted String Escape Sequences").
func escapeSOQL(v string) string { return soqlEscape.Replace(v) }

// soqlToken keeps what a number, a date or a name outside quotes may consist of and drops the rest.
func soqlToken(v string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("_.:+-,", r) {
			return r
		}
		return -1
	}, v)
}

const upperHex = "0123456789ABCDEF"

func percent(s string, keep func(byte) bool) string {
	n := 0
	for i := range len(s) {
		if !keep(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+2*n)
	for i := range len(s) {
		if c := s[i]; keep(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(b)
}

// unreserved are the characters that never need encoding (RFC 3986 §2.3).
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// escapeURL encodes a value for a query.
func escapeURL(v string) string { return percent(v, unreserved) }

// escapePath encodes a value for one path segment; "." and ".." could climb and are encoded so that no server takes them so.
func escapePath(v string) string {
	if v == "." || v == ".." {
		return strings.ReplaceAll(v, ".", "%252E")
	}
	return percent(v, unreserved)
}

// escapeHost encodes a value for a host name, with a port at most.
func escapeHost(v string) string {
	return percent(v, func(c byte) bool { return unreserved(c) || c == ':' })
}

// cleanURL encodes only what no URL may hold: blanks, control characters, quotes, angle brackets, bytes above ASCII and a
// percent sign that encodes nothing. Everything else stays as written.
func cleanURL(s string) string {
	return percentAt(s, func(i int) bool {
		c := s[i]
		if c == '%' {
			return i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])
		}
		return c > 0x20 && c < 0x7f && !strings.ContainsRune("\"<>\\^`{|}", rune(c))
	})
}

func percentAt(s string, keep func(int) bool) string {
	for i := range len(s) {
		if !keep(i) {
			var b strings.Builder
			for j := range len(s) {
				if keep(j) {
					b.WriteByte(s[j])
				} else {
					b.WriteByte('%')
					b.WriteByte(upperHex[s[j]>>4])
					b.WriteByte(upperHex[s[j]&15])
				}
			}
			return b.String()
		}
	}
	return s
}

// queryPlace is the value of one query parameter that the driver encodes: only its own language is escaped here.
type queryPlace struct {
	name string
	seen strings.Builder
}

func (q *queryPlace) literal(s string) string {
	q.seen.WriteString(s)
	return s
}

func (q *queryPlace) escape(expression string) func(string) string {
	kind, txt := languageOf(q.name, q.seen.String())
	q.seen.WriteByte(0)
	switch {
	case authorEscaped(expression):
	case kind == "soql":
		return soqlValueEscaper(txt)
	case kind == "odata" && strings.Count(txt, "'")%2 == 1:
		return func(v string) string { return strings.ReplaceAll(v, "'", "''") }
	}
	return nil
}

func (q *queryPlace) whole(src string) func(string) string {
	if kind, _ := languageOf(q.name, src); kind == "soql" {
		return escapeSOQL
	}
	return nil
}

// jsonPlace follows a JSON text from left to right.
type jsonPlace struct {
	inString, escaped bool
}

func (j *jsonPlace) literal(s string) string {
	for i := range len(s) {
		switch {
		case j.escaped:
			j.escaped = false
		case s[i] == '\\' && j.inString:
			j.escaped = true
		case s[i] == '"':
			j.inString = !j.inString
		}
	}
	return s
}

func (j *jsonPlace) escape(expression string) func(string) string {
	if jsonFilter.MatchString(expression) {
		return nil
	}
	if j.inString {
		return jsonText
	}
	return jsonElement
}

func (j *jsonPlace) whole(string) func(string) string { return jsonText }

// jsonText escapes a value for the inside of a JSON string.
func jsonText(v string) string {
	for i := range len(v) {
		if c := v[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			q := appendString(nil, v)
			return string(q[1 : len(q)-1])
		}
	}
	return v
}

// jsonElement leaves a value that is JSON and writes any other as a string.
func jsonElement(v string) string {
	if json.Valid([]byte(v)) {
		return v
	}
	return string(appendString(nil, v))
}

// formPlace is a form body: every value is encoded.
type formPlace struct{}

func (formPlace) literal(s string) string { return s }
func (formPlace) escape(e string) func(string) string {
	if urlencodeFilter.MatchString(e) {
		return nil
	}
	return escapeURL
}
func (formPlace) whole(string) func(string) string { return escapeURL }

var xmlEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;")

// xmlPlace is an XML body.
type xmlPlace struct{}

func (xmlPlace) literal(s string) string           { return s }
func (xmlPlace) escape(string) func(string) string { return xmlEscape.Replace }
func (xmlPlace) whole(string) func(string) string  { return xmlEscape.Replace }

// headerPlace keeps a value within its header.
type headerPlace struct{}

func (headerPlace) literal(s string) string           { return s }
func (headerPlace) escape(string) func(string) string { return oneLine }
func (headerPlace) whole(string) func(string) string  { return oneLine }

func oneLine(v string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, v)
}

// bodyPlace chooses the escaping of a request body by its content type, and by its look when none is said.
func bodyPlace(contentType, src string) place {
	ct := strings.ToLower(contentType)
	head := strings.TrimSpace(src)
	switch {
	case strings.Contains(ct, "json"), ct == "" && (strings.HasPrefix(head, "{") && !strings.HasPrefix(head, "{{") || strings.HasPrefix(head, "[")):
		return &jsonPlace{}
	case strings.Contains(ct, "form"):
		return formPlace{}
	case strings.Contains(ct, "xml"):
		return xmlPlace{}
	}
	return nil
}

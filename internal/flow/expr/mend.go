package expr

import (
	"errors"
	"strings"
)

// mend proposes a whole template without the mistake that err reports. Each proposal is compiled, and the first that
// compiles is taken, so the mend can be applied as it stands. Templates longer than maxMend are not mended.
func mend(src string, err error) string {
	if len(src) > maxMend {
		return ""
	}
	var proposals []string
	var hint *syntaxHint
	var bad *SyntaxError
	switch {
	case errors.As(err, &hint):
		proposals = bracketMends(src, hint)
	case errors.As(err, &bad):
		proposals = positionMends(src, bad.Pos)
	}
	proposals = append(proposals, wordMends(src)...)
	for _, p := range proposals {
		if p == src {
			continue
		}
		if t, err := compile(p); err == nil && (!t.literal || !strings.Contains(src, "{{")) {
			return p
		}
	}
	return ""
}

const maxMend = 4 << 10

func insert(src string, pos int, s string) string { return src[:pos] + s + src[pos:] }

func remove(src string, pos, n int) string { return src[:pos] + src[min(pos+n, len(src)):] }

// bracketMends drop a bracket that opens nothing, or close it before the end of its expression.
func bracketMends(src string, h *syntaxHint) []string {
	open := h.bracket
	end := expressionEnd(src, open.pos, h.end)
	drop := remove(src, open.pos, 1)
	var shut string
	switch open.open {
	case '#':
		return []string{insert(src, end, "}")}
	case '"', '\'':
		shut = closeQuote(src, open)
	default:
		shut = insert(src, end, string(closer(open.open)))
	}
	if open.open == '[' && !followsValue(src, open.pos) && !strings.Contains(src[open.pos:end], ",") {
		return []string{drop, shut}
	}
	return []string{shut, drop}
}

// followsValue reports whether the bracket at pos stands right behind a name or a closing bracket, as in a[0].
func followsValue(src string, pos int) bool {
	return pos > 0 && (isWordByte(src[pos-1]) || src[pos-1] == ')' || src[pos-1] == ']')
}

// expressionEnd is where the expression that holds from ends: before its closing delimiter, and no later than most.
func expressionEnd(src string, from, most int) int {
	end := most
	for _, d := range [...]string{"}}", "%}"} {
		if i := strings.Index(src[from:], d); i >= 0 {
			end = min(end, from+i)
		}
	}
	for end > from+1 && src[end-1] == ' ' {
		end--
	}
	return end
}

func closeQuote(src string, open bracket) string {
	end := expressionEnd(src, open.pos, len(src))
	for end > open.pos+1 && strings.IndexByte(")]", src[end-1]) >= 0 {
		end--
	}
	return insert(src, end, string(open.open))
}

// positionMends drop what is wrong at pos, or add the delimiter that is missing there.
func positionMends(src string, pos int) []string {
	rest := src[pos:]
	var out []string
	switch {
	case strings.HasPrefix(rest, "&&"):
		out = append(out, src[:pos]+"and"+rest[2:])
	case strings.HasPrefix(rest, "||"):
		out = append(out, src[:pos]+"or"+rest[2:])
	case strings.HasPrefix(rest, "!"):
		out = append(out, src[:pos]+"not "+rest[1:])
	case strings.HasPrefix(rest, "="):
		out = append(out, insert(src, pos, "="))
	case strings.HasPrefix(rest, ">"):
		out = append(out, strings.Replace(src, "<>", "!=", 1))
	}
	for _, quote := range [...]string{"“", "”", "„", "‘", "’"} {
		if strings.HasPrefix(rest, quote) {
			out = append(out, straightQuotes(src))
		}
	}
	if strings.HasPrefix(rest, "}") {
		out = append(out, insert(src, pos, "}"), remove(src, pos, 1))
	}
	if strings.HasPrefix(rest, ")") || strings.HasPrefix(rest, "]") {
		out = append(out, remove(src, pos, 1))
	}
	if pos == len(src) || strings.Contains(rest, "{{") || strings.HasPrefix(rest, "{#") {
		out = append(out, src+"}}", src+"{% endif %}", src+"{% endfor %}", src+" #}", src+" %}")
	}
	if next := strings.Index(rest, "{{"); next > 0 {
		out = append(out, insert(src, pos+next, "}}"))
	}
	return append(out, strings.TrimRight(src, "}")+"}}")
}

func straightQuotes(src string) string {
	return strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‘", "'", "’", "'").Replace(src)
}

// wordMends write the words of other template languages as Pebble's.
func wordMends(src string) []string {
	return []string{
		strings.NewReplacer("&&", " and ", "||", " or ", "===", "==", "!==", "!=", "<>", "!=").Replace(src),
		strings.NewReplacer("{% elif ", "{% elseif ", "{% elsif ", "{% elseif ", "{% else if ", "{% elseif ").Replace(src),
		strings.NewReplacer("[[", "{{", "]]", "}}").Replace(src),
		straightQuotes(src),
	}
}

package expr

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	// maxRegexp bounds a pattern, since a repeated group multiplies its compiled size.
	maxRegexp = 200
	// regexCost is how much slower a pattern reads a byte than a plain search.
	regexCost = 16
	// regexSteps is the price of compiling a pattern.
	regexSteps = 1000
)

// regexp compiles a java.util.regex pattern, once in an evaluation. What RE2 has no equal for, such as look-ahead and
// back references, fails with a message.
func (r *run) regexp(pattern string) (*regexp.Regexp, error) {
	if re, ok := r.regexps[pattern]; ok {
		return re, nil
	}
	if len(pattern) > maxRegexp {
		return nil, failFix("the pattern is longer than 200 bytes", "shorten the pattern")
	}
	if err := r.step(regexSteps); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, failFix("the pattern "+pattern+" cannot be used: "+err.Error(),
			"write it without look-ahead, look-behind and back references")
	}
	if r.regexps == nil {
		r.regexps = map[string]*regexp.Regexp{}
	}
	r.regexps[pattern] = re
	return re, nil
}

// split is String.split. A negative limit keeps empty strings at the end, 0 drops them, a positive one is the number of
// parts at most.
func (r *run) split(s, delimiter string, limit int) (any, error) {
	if err := r.read(len(s)); err != nil {
		return nil, err
	}
	if delimiter == "" && limit == 0 && s != "" {
		return r.letters(s)
	}
	parts, err := r.splitParts(s, delimiter, limit)
	if err != nil {
		return nil, err
	}
	if limit == 0 {
		for len(parts) > 1 && parts[len(parts)-1] == "" {
			parts = parts[:len(parts)-1]
		}
		if len(parts) == 1 && parts[0] == "" && s != "" {
			parts = nil
		}
	}
	if err := r.list(len(parts)); err != nil {
		return nil, err
	}
	items := make([]any, len(parts))
	for i, part := range parts {
		items[i] = part
	}
	return &array{items}, nil
}

// letters splits a text into its characters.
func (r *run) letters(s string) (any, error) {
	n := utf8.RuneCountInString(s)
	if err := r.list(n); err != nil {
		return nil, err
	}
	items := make([]any, 0, n)
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			items = append(items, asciiLetters[c])
			i++
			continue
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		items = append(items, s[i:i+size])
		i += size
	}
	return &array{items}, nil
}

// asciiLetters are the texts of one letter, as values; it is never changed.
var asciiLetters = func() (out [utf8.RuneSelf]any) {
	for i := range out {
		out[i] = string(rune(i))
	}
	return out
}()

func (r *run) splitParts(s, delimiter string, limit int) ([]string, error) {
	if s == "" {
		return []string{""}, nil
	}
	if limit <= 0 {
		limit = -1
	}
	if delimiter != "" && !strings.ContainsAny(delimiter, "\\.[]{}()*+-?^$|&") {
		if err := r.list(strings.Count(s, delimiter)); err != nil {
			return nil, err
		}
		return strings.SplitN(s, delimiter, limit), nil
	}
	if err := r.read(len(s) * regexCost); err != nil {
		return nil, err
	}
	re, err := r.regexp(delimiter)
	if err != nil {
		return nil, err
	}
	return splitRegexp(s, re, limit), nil
}

func splitRegexp(s string, re *regexp.Regexp, limit int) []string {
	var parts []string
	start := 0
	for _, m := range re.FindAllStringIndex(s, -1) {
		if limit > 0 && len(parts) == limit-1 {
			break
		}
		// A match without width gives no empty part at the start.
		if m[1] == 0 {
			continue
		}
		parts = append(parts, s[start:m[0]])
		start = m[1]
	}
	return append(parts, s[start:])
}

// replaceRegexp is String.replaceAll and replaceFirst: $n stands for a group and a backslash for the next character.
func (r *run) replaceRegexp(s, pattern, repl string, first bool) (string, error) {
	if err := r.read(len(s) * regexCost); err != nil {
		return "", err
	}
	re, err := r.regexp(pattern)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	last := 0
	n := -1
	if first {
		n = 1
	}
	for _, m := range re.FindAllStringSubmatchIndex(s, n) {
		b.WriteString(s[last:m[0]])
		if err := expandGroups(&b, s, m, repl); err != nil {
			return "", err
		}
		last = m[1]
		if b.Len() > r.bytes {
			return "", budgetError("bytes")
		}
	}
	b.WriteString(s[last:])
	return b.String(), r.build(b.Len())
}

func expandGroups(b *strings.Builder, s string, m []int, repl string) error {
	for i := 0; i < len(repl); i++ {
		switch c := repl[i]; {
		case c == '\\' && i+1 < len(repl):
			i++
			b.WriteByte(repl[i])
		case c == '$' && i+1 < len(repl) && repl[i+1] >= '0' && repl[i+1] <= '9':
			i++
			g := int(repl[i] - '0')
			if 2*g+1 >= len(m) {
				return fail("the pattern has no group " + string(repl[i]))
			}
			if m[2*g] >= 0 {
				b.WriteString(s[m[2*g]:m[2*g+1]])
			}
		case c == '\\' || c == '$':
			return fail("the replacement " + repl + " is not valid: write \\$ for a dollar sign")
		default:
			b.WriteByte(c)
		}
	}
	return nil
}

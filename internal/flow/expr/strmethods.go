package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// stringMethod are the methods of java.lang.String that read. The caller paid for looking through the string once.
func (r *run) stringMethod(s, name string, args []any) (any, bool, error) {
	switch len(args) {
	case 0:
		return r.stringGetter(s, name)
	case 1:
		if other, ok := args[0].(string); ok {
			return r.stringWith(s, name, other)
		}
		if i, ok := args[0].(int32); ok {
			return r.stringAt(s, name, int(i))
		}
	case 2:
		return r.stringTwo(s, name, args[0], args[1])
	}
	return nil, false, nil
}

func (r *run) stringGetter(s, name string) (any, bool, error) {
	switch name {
	case "length":
		return int32(units(s)), true, nil //nolint:gosec // bounded by Limits
	case "isempty":
		return s == "", true, nil
	case "isblank":
		return strings.TrimFunc(s, javaSpace) == "", true, nil
	}
	var out string
	switch name {
	case "trim":
		out = javaTrim(s)
	case "strip":
		out = strings.TrimFunc(s, javaSpace)
	case "stripleading":
		out = strings.TrimLeftFunc(s, javaSpace)
	case "striptrailing":
		out = strings.TrimRightFunc(s, javaSpace)
	case "tolowercase":
		out = javaLower(s)
	case "touppercase":
		out = javaUpper(s)
	case "intern":
		out = s
	default:
		return nil, false, nil
	}
	return out, true, r.build(len(out))
}

func (r *run) stringWith(s, name, other string) (any, bool, error) {
	if err := r.read(len(other)); err != nil {
		return nil, false, err
	}
	switch name {
	case "contains":
		return strings.Contains(s, other), true, nil
	case "startswith":
		return strings.HasPrefix(s, other), true, nil
	case "endswith":
		return strings.HasSuffix(s, other), true, nil
	case "equalsignorecase":
		return strings.EqualFold(s, other), true, nil
	case "contentequals":
		return s == other, true, nil
	case "concat":
		v, err := r.join(s, other)
		return v, true, err
	case "indexof":
		return unitIndex(s, strings.Index(s, other)), true, nil
	case "lastindexof":
		return unitIndex(s, strings.LastIndex(s, other)), true, nil
	case "compareto":
		return int32(compareStrings(s, other)), true, nil //nolint:gosec // a difference of lengths or units
	case "comparetoignorecase":
		d := compareStrings(javaLower(javaUpper(s)), javaLower(javaUpper(other)))
		return int32(d), true, nil //nolint:gosec // a difference of lengths or units
	case "matches":
		re, err := r.regexp("^(?:" + other + ")$")
		if err != nil {
			return nil, false, err
		}
		return re.MatchString(s), true, r.read(len(s) * 8)
	case "split":
		v, err := r.split(s, other, 0)
		return v, true, err
	}
	return nil, false, nil
}

func unitIndex(s string, byteIndex int) int32 {
	if byteIndex < 0 {
		return -1
	}
	return int32(units(s[:byteIndex])) //nolint:gosec // bounded by Limits
}

// compareStrings is String.compareTo: by UTF-16 units, then by length.
func compareStrings(a, b string) int {
	if isASCII(a) && isASCII(b) {
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				return int(a[i]) - int(b[i])
			}
		}
		return len(a) - len(b)
	}
	x, y := utf16Of(a), utf16Of(b)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return int(x[i]) - int(y[i])
		}
	}
	return len(x) - len(y)
}

func (r *run) stringAt(s, name string, i int) (any, bool, error) {
	n := units(s)
	switch name {
	case "charat", "codepointat":
		if i < 0 || i >= n {
			return nil, false, fail("the string has no character " + text(int32(i))) //nolint:gosec // came from an int32
		}
		if name == "charat" {
			return unitAt(s, i), true, nil
		}
		c, _ := utf8.DecodeRuneInString(s[unitOffset(s, i):])
		return c, true, nil
	case "substring":
		if i < 0 || i > n {
			return nil, false, fail("the string has no position " + text(int32(i))) //nolint:gosec // came from an int32
		}
		return unitSlice(s, i, n), true, r.build(len(s))
	case "repeat":
		if i < 0 {
			return nil, false, fail("a string cannot be repeated less than 0 times")
		}
		if i > 0 && len(s) > r.bytes/i {
			return nil, false, budgetError("bytes")
		}
		return strings.Repeat(s, i), true, r.build(len(s) * i)
	}
	return nil, false, nil
}

func unitAt(s string, i int) char {
	if isASCII(s) {
		return char(s[i])
	}
	return char(utf16Of(s)[i])
}

func (r *run) stringTwo(s, name string, a, b any) (any, bool, error) {
	from, okFrom := a.(int32)
	to, okTo := b.(int32)
	if name == "substring" && okFrom && okTo {
		return r.substring(s, int(from), int(to))
	}
	oldChar, okOld := a.(char)
	newChar, okNew := b.(char)
	if name == "replace" && okOld && okNew {
		a, b = unitString(uint16(oldChar)), unitString(uint16(newChar))
	}
	x, okX := a.(string)
	y, okY := b.(string)
	switch {
	case !okX:
	case name == "split" && okTo:
		v, err := r.split(s, x, int(to))
		return v, true, err
	case !okY:
	case name == "replace":
		v, err := r.replaceAll(s, x, y)
		return v, true, err
	case name == "replaceall", name == "replacefirst":
		v, err := r.replaceRegexp(s, x, y, name == "replacefirst")
		return v, true, err
	}
	return nil, false, nil
}

func (r *run) substring(s string, from, to int) (any, bool, error) {
	if from < 0 || to < from || to > units(s) {
		return nil, false, fail("the string has no positions " + text(long(from)) + " to " + text(long(to)))
	}
	return unitSlice(s, from, to), true, r.build(len(s))
}

// replaceAll is String.replace, with the result's size taken off the budget before it is built.
func (r *run) replaceAll(s, old, repl string) (string, error) {
	if err := r.read(len(s)); err != nil {
		return "", err
	}
	n := strings.Count(s, old)
	if n == 0 {
		return s, nil
	}
	if len(repl) > 0 && n > r.bytes/len(repl) {
		return "", budgetError("bytes")
	}
	if err := r.build(len(s) + n*max(len(repl)-len(old), 0)); err != nil {
		return "", err
	}
	return strings.ReplaceAll(s, old, repl), nil
}

// javaTrim is String.trim: it drops everything up to the blank.
func javaTrim(s string) string {
	return strings.TrimFunc(s, func(c rune) bool { return c <= ' ' })
}

// javaUpper and javaLower add to Go's case mapping the letters whose other case is longer or depends on the context.
func javaUpper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	s = strings.ToUpper(s)
	for _, pair := range [...][2]string{
		{"ß", "SS"},
		{"ŉ", "ʼN"},
		{"ǰ", "J̌"},
		{"ΐ", "Ϊ́"},
		{"ΰ", "Ϋ́"},
		{"և", "ԵՒ"},
		{"ﬀ", "FF"},
		{"ﬁ", "FI"},
		{"ﬂ", "FL"},
		{"ﬃ", "FFI"},
		{"ﬄ", "FFL"},
		{"ﬅ", "ST"},
		{"ﬆ", "ST"},
	} {
		s = strings.ReplaceAll(s, pair[0], pair[1])
	}
	return s
}

func javaLower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	s = strings.ReplaceAll(s, "İ", "i̇")
	if !strings.Contains(s, "Σ") {
		return strings.ToLower(s)
	}
	var b strings.Builder
	prev := ' '
	for i, c := range s {
		next, _ := utf8.DecodeRuneInString(s[min(i+max(utf8.RuneLen(c), 1), len(s)):])
		if c == 'Σ' && unicode.IsLetter(prev) && !unicode.IsLetter(next) {
			b.WriteRune('ς')
		} else {
			b.WriteRune(unicode.ToLower(c))
		}
		prev = c
	}
	return b.String()
}

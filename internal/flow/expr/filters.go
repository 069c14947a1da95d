package expr

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const filterNames = "abbreviate, abs, base64decode, base64encode, capitalize, date, default, epoch, escape, first, format, join, " +
	"last, length, lower, merge, nl2br, numberformat, raw, replace, reverse, rsort, sha256, slice, sort, split, title, " +
	"trim, upper, urlencode"

// lookupFilter returns a filter by its name, or nil.
func lookupFilter(name string) *builtin {
	if fn := lookupTextFilter(name); fn != nil {
		return fn
	}
	if fn := lookupListFilter(name); fn != nil {
		return fn
	}
	switch name {
	case "abs":
		return &builtin{nil, filterAbs}
	case "date":
		return &builtin{[]string{"format", "existingFormat", "timeZone"}, filterDate}
	case "default":
		return &builtin{[]string{"default"}, filterDefault}
	case "epoch":
		return &builtin{[]string{"format", "inMillis"}, filterEpoch}
	case "escape":
		return &builtin{[]string{"strategy"}, filterEscape}
	case "format":
		return &builtin{nil, filterFormat}
	case "numberformat":
		return &builtin{[]string{"format"}, filterNumberFormat}
	}
	return nil
}

func lookupListFilter(name string) *builtin {
	switch name {
	case "first":
		return &builtin{nil, filterFirst}
	case "join":
		return &builtin{[]string{"separator"}, filterJoin}
	case "last":
		return &builtin{nil, filterLast}
	case "length":
		return &builtin{nil, filterLength}
	case "merge":
		return &builtin{[]string{"items"}, filterMerge}
	case "reverse":
		return &builtin{nil, filterReverse}
	case "rsort":
		return &builtin{nil, filterRsort}
	case "slice":
		return &builtin{[]string{"fromIndex", "toIndex"}, filterSlice}
	case "sort":
		return &builtin{nil, filterSort}
	}
	return nil
}

func lookupTextFilter(name string) *builtin {
	switch name {
	case "abbreviate":
		return &builtin{[]string{"length"}, filterAbbreviate}
	case "base64decode":
		return &builtin{nil, filterBase64Decode}
	case "base64encode":
		return &builtin{nil, filterBase64Encode}
	case "capitalize":
		return &builtin{nil, filterCapitalize}
	case "lower":
		return &builtin{nil, filterLower}
	case "nl2br":
		return &builtin{nil, filterNl2br}
	case "raw":
		return &builtin{nil, filterRaw}
	case "replace":
		return &builtin{[]string{"replace_pairs"}, filterReplace}
	case "sha256":
		return &builtin{nil, filterSha256}
	case "split":
		return &builtin{[]string{"delimiter", "limit"}, filterSplit}
	case "title":
		return &builtin{nil, filterTitle}
	case "trim":
		return &builtin{nil, filterTrim}
	case "upper":
		return &builtin{nil, filterUpper}
	case "urlencode":
		return &builtin{nil, filterURLEncode}
	}
	return nil
}

// stringInput is a Java cast of a filter's input to String; null stays null.
func (r *run) stringInput(in any, a *arguments) (s string, null bool, err error) {
	switch x := in.(type) {
	case nil:
		return "", true, nil
	case string:
		return x, false, r.read(len(x))
	}
	return "", false, failFix("the filter "+a.call.name+" takes a string, not "+kindName(in),
		"make a string of it first: (value ~ \"\")")
}

func (r *run) built(s string) (any, error) { return s, r.build(len(s)) }

func filterAbbreviate(r *run, in any, a *arguments) (any, error) {
	s, null, err := r.stringInput(in, a)
	if null || err != nil {
		return nil, err
	}
	width, ok := a.get(0).(long)
	if !ok {
		return nil, fail("the argument length of abbreviate must be a whole number")
	}
	w := int(int32(width)) //nolint:gosec // Java's narrowing
	n := units(s)
	switch {
	case w < 0:
		return nil, fail("Invalid argument to abbreviate filter; must be greater than zero")
	case n < w || n <= 3:
		return s, nil
	case w <= 3:
		return r.built(unitSlice(s, 0, w))
	}
	return r.built(unitSlice(s, 0, w-3) + "...")
}

func filterAbs(_ *run, in any, _ *arguments) (any, error) {
	switch x := in.(type) {
	case int32:
		return max(x, -x), nil
	case long:
		return max(x, -x), nil
	case float64:
		return math.Abs(x), nil
	case lazyInt:
		return math.Abs(float64(x)), nil
	case nil:
		return nil, fail("Can not pass null value to \"abs\" filter.")
	}
	return nil, fail("The 'abs' filter does require as input a number.")
}

func filterBase64Decode(r *run, in any, a *arguments) (any, error) {
	s, null, err := r.stringInput(in, a)
	if null || err != nil {
		return nil, err
	}
	// Java takes both padded text and text whose padding is left out, and no line breaks.
	enc := base64.StdEncoding
	if !strings.HasSuffix(s, "=") {
		enc = base64.RawStdEncoding
	}
	b, err := enc.DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		return nil, fail("Please provide a correctly Base64 encoded string containing an UTF-8 string")
	}
	return r.built(string([]rune(string(b)))) // each byte that is not UTF-8 becomes U+FFFD
}

func filterBase64Encode(r *run, in any, _ *arguments) (any, error) {
	if in == nil {
		return nil, nil
	}
	s, err := r.str(in)
	if err != nil {
		return nil, err
	}
	return r.built(base64.StdEncoding.EncodeToString([]byte(s)))
}

func filterCapitalize(r *run, in any, a *arguments) (any, error) {
	s, null, err := r.stringInput(in, a)
	if null || err != nil {
		return nil, err
	}
	i := strings.IndexFunc(s, func(c rune) bool { return !javaSpace(c) })
	if i < 0 {
		return s, nil
	}
	c, n := utf8.DecodeRuneInString(s[i:])
	return r.built(s[:i] + titleRune(c) + s[i+n:])
}

// titleRune is Character.toTitleCase, which leaves halves of surrogate pairs alone.
func titleRune(c rune) string {
	if c > 0xFFFF {
		return string(c)
	}
	return string(unicode.ToTitle(c))
}

func filterLower(r *run, in any, _ *arguments) (any, error) {
	if in == nil {
		return nil, nil
	}
	s, err := r.str(in)
	if err != nil {
		return nil, err
	}
	return r.built(javaLower(s))
}

func filterUpper(r *run, in any, _ *arguments) (any, error) {
	if in == nil {
		return nil, nil
	}
	s, err := r.str(in)
	if err != nil {
		return nil, err
	}
	return r.built(javaUpper(s))
}

func filterNl2br(r *run, in any, a *arguments) (any, error) {
	s, null, err := r.stringInput(in, a)
	if null || err != nil {
		return nil, err
	}
	if err := r.build(len(s) + 6*strings.Count(s, "\n") + 6*strings.Count(s, "\r")); err != nil {
		return nil, err
	}
	return breakReplacer.Replace(s), nil
}

var breakReplacer = strings.NewReplacer("\r\n", "<br />", "\r", "<br />", "\n", "<br />")

func filterRaw(r *run, in any, _ *arguments) (any, error) {
	if in == nil {
		return nil, nil
	}
	s, err := r.str(in)
	return safe(s), err
}

func filterReplace(r *run, in any, a *arguments) (any, error) {
	if in == nil {
		return nil, nil
	}
	if a.get(0) == nil {
		return nil, failFix("The argument 'replace_pairs' is required.", "write replace({\"old\": \"new\"})")
	}
	if !isMap(a.get(0)) {
		return nil, failFix("the argument of replace must be a map", "write replace({\"old\": \"new\"})")
	}
	s, err := r.str(in)
	if err != nil {
		return nil, err
	}
	before := s
	for _, e := range pairsOf(a.get(0)) {
		if e.key == nil || e.val == nil {
			return nil, fail("replace cannot replace null, nor by null")
		}
		old, err := r.str(e.key)
		if err != nil {
			return nil, err
		}
		repl, err := r.str(e.val)
		if err != nil {
			return nil, err
		}
		if s, err = r.replaceAll(s, old, repl); err != nil {
			return nil, err
		}
	}
	return same(in, before, s), nil
}

// same gives back the value a text came from where the text is still the same.
func same(in any, before, after string) any {
	if was, ok := in.(string); ok && before == after && len(was) == len(after) {
		return in
	}
	return after
}

// pairsOf are the entries of a map in Java's order.
func pairsOf(v any) []entry {
	if m, ok := v.(*hashMap); ok && m.frozen != nil {
		return m.frozen
	}
	items := entriesOf(v)
	out := make([]entry, 0, len(items))
	for _, item := range items {
		if e, ok := item.(*entry); ok {
			out = append(out, *e)
		}
	}
	return out
}

func filterSha256(r *run, in any, a *arguments) (any, error) {
	s, null, err := r.stringInput(in, a)
	if null || err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(s))
	return r.built(hex.EncodeToString(sum[:]))
}

func filterSplit(r *run, in any, a *arguments) (any, error) {
	if in == nil {
		return nil, nil
	}
	delimiter, given, err := a.stringArg(0, "delimiter")
	if err != nil {
		return nil, err
	}
	limit := 0
	if a.get(1) != nil {
		n, ok := toInt(a.get(1))
		if !ok {
			return nil, fail("the argument limit of split must be a number")
		}
		limit = n
	}
	if !given {
		return nil, failFix("missing delimiter parameter in split filter", "write split(\",\")")
	}
	s, _, err := r.stringInput(in, a)
	if err != nil {
		return nil, err
	}
	return r.split(s, delimiter, limit)
}

func filterTitle(r *run, in any, a *arguments) (any, error) {
	s, null, err := r.stringInput(in, a)
	if null || err != nil {
		return nil, err
	}
	if err := r.build(len(s)); err != nil {
		return nil, err
	}
	var b strings.Builder
	b.Grow(len(s))
	start := true
	for _, c := range s {
		if start && !javaSpace(c) {
			b.WriteString(titleRune(c))
			start = false
			continue
		}
		start = start || javaSpace(c)
		b.WriteRune(c)
	}
	return b.String(), nil
}

func filterTrim(r *run, in any, a *arguments) (any, error) {
	s, null, err := r.stringInput(in, a)
	if null || err != nil {
		return nil, err
	}
	return javaTrim(s), nil
}

// filterURLEncode is URLEncoder: application/x-www-form-urlencoded, which keeps * and encodes ~.
func filterURLEncode(r *run, in any, a *arguments) (any, error) {
	s, null, err := r.stringInput(in, a)
	if null || err != nil {
		return nil, err
	}
	if err := r.build(len(s) * 3); err != nil {
		return nil, err
	}
	if plainForm(s) {
		return in, nil
	}
	s = url.QueryEscape(strings.ToValidUTF8(s, "?"))
	return formReplacer.Replace(s), nil
}

var formReplacer = strings.NewReplacer("%2A", "*", "~", "%7E")

// plainForm reports whether a text is its own encoding.
func plainForm(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.' && c != '*' {
			return false
		}
	}
	return true
}

func filterDefault(_ *run, in any, a *arguments) (any, error) {
	if isEmpty(in) {
		return a.get(0), nil
	}
	return in, nil
}

// sortable are the elements of a List, ready to be sorted in a copy.
func (r *run) sortable(items []any) ([]any, error) {
	if err := r.list(len(items) * 2); err != nil {
		return nil, err
	}
	if err := r.read(sizeList(items, r.bytes) * 16); err != nil {
		return nil, err
	}
	out := make([]any, len(items))
	for i, v := range items {
		out[i] = norm(v)
	}
	return out, nil
}

func filterSort(r *run, in any, _ *arguments) (any, error) { return r.sorted(in, 1) }

func filterRsort(r *run, in any, _ *arguments) (any, error) {
	if _, ok := in.(*array); ok {
		return nil, fail("Unsupported input type for rsort filter")
	}
	return r.sorted(in, -1)
}

func (r *run) sorted(in any, direction int) (any, error) {
	var items []any
	switch x := in.(type) {
	case nil:
		return nil, nil
	case []any:
		items = x
	case *array:
		items = x.items
	default:
		return nil, fail("Unsupported input type for sort filter: it takes a list")
	}
	out, err := r.sortable(items)
	if err != nil {
		return nil, err
	}
	var bad error
	slices.SortStableFunc(out, func(a, b any) int {
		c, err := compareTo(a, b)
		if err != nil {
			bad = err
		}
		return c * direction
	})
	return out, bad
}

// compareTo is Comparable.compareTo: only values of one class compare.
func compareTo(a, b any) (int, error) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return compareStrings(x, y), nil
		}
	case int32:
		if y, ok := b.(int32); ok {
			return order(x, y), nil
		}
	case long:
		if y, ok := b.(long); ok {
			return order(x, y), nil
		}
	case char:
		if y, ok := b.(char); ok {
			return order(x, y), nil
		}
	case float64:
		if y, ok := b.(float64); ok {
			return order(x, y), nil
		}
	case bool:
		if y, ok := b.(bool); ok {
			return order(text(x), text(y)), nil
		}
	}
	return 0, failFix("sort cannot compare "+kindName(a)+" with "+kindName(b), "sort lists whose elements are all of one type")
}

func order[T int32 | long | char | float64 | string](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func filterReverse(r *run, in any, _ *arguments) (any, error) {
	if in == nil {
		return nil, nil
	}
	items, ok := in.([]any)
	if !ok {
		return nil, fail("reverse takes a list, not " + kindName(in))
	}
	if err := r.list(len(items)); err != nil {
		return nil, err
	}
	out := slices.Clone(items)
	slices.Reverse(out)
	return out, nil
}

package expr

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The evaluator's values mirror the Java classes whose differences show in results:
//
//	nil null, bool Boolean, int32 Integer, long Long, float64 Double, string String, char Character, safe SafeString,
//	lazyInt the loop's Number, []any List, *array Object[], *collection Set or Collection, map[string]any a map of
//	Env.Vars, *hashMap HashMap, *entry Map.Entry, *loop the loop variable, time.Time ZonedDateTime.
//
// A whole number of Env.Vars is an Integer where it fits, else a Long; a whole number in a template is a Long.
type (
	long    int64
	char    uint16
	safe    string
	lazyInt int32
	array   struct{ items []any }
	// collection is a Java Collection that is no List: a map's keys, values or entries.
	collection struct{ items []any }
	entry      struct{ key, val any }
)

// norm turns a value of Env.Vars into the evaluator's type; on the evaluator's own values it changes nothing.
func norm(v any) any {
	switch x := v.(type) {
	case nil, string, bool, float64, int32, long, []any, map[string]any:
		return v
	case int64:
		return whole(x)
	case int:
		return whole(int64(x))
	default:
		return normRare(v)
	}
}

func normRare(v any) any {
	switch x := v.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(string(x), 10, 64); err == nil {
			return whole(i)
		}
		if f, err := strconv.ParseFloat(string(x), 64); err == nil {
			return f
		}
		return string(x)
	case float32:
		return float64(x)
	case int8:
		return int32(x)
	case int16:
		return int32(x)
	case uint8:
		return int32(x)
	case uint16:
		return int32(x)
	case uint32:
		return whole(int64(x))
	case []string:
		out := make([]any, len(x))
		for i, s := range x {
			out[i] = s
		}
		return out
	case map[string]string:
		out := make(map[string]any, len(x))
		for k, s := range x {
			out[k] = s
		}
		return out
	}
	return v
}

func whole(i int64) any {
	if i >= math.MinInt32 && i <= math.MaxInt32 {
		return int32(i)
	}
	return long(i)
}

// export turns an evaluator's value into a type that Env.Vars takes. Depth is bounded by the depth of what was built.
func export(v any) any {
	switch x := v.(type) {
	case int32:
		return int64(x)
	case long:
		return int64(x)
	case lazyInt:
		return int64(x)
	case char, safe:
		return text(v)
	case []any:
		return exportList(x)
	case *array:
		return exportList(x.items)
	case *collection:
		return exportList(x.items)
	case *hashMap:
		out := make(map[string]any, len(x.keys))
		for i, k := range x.keys {
			out[text(k)] = export(x.vals[i])
		}
		return out
	case *entry:
		return map[string]any{"key": export(x.key), "value": export(x.val)}
	case *loop:
		return text(x)
	}
	return normExport(v)
}

func normExport(v any) any {
	switch n := norm(v).(type) {
	case int32:
		return int64(n)
	case long:
		return int64(n)
	case bool, string, float64, map[string]any, time.Time, nil:
		return n
	case []any:
		return n
	}
	return text(v)
}

func exportList(items []any) []any {
	out := make([]any, len(items))
	for i, v := range items {
		out[i] = export(v)
	}
	return out
}

// text is Java's String.valueOf.
func text(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case safe:
		return string(x)
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(x)
	case int32:
		return strconv.Itoa(int(x))
	case long:
		return strconv.FormatInt(int64(x), 10)
	case float64:
		return javaDouble(x)
	}
	var b strings.Builder
	writeText(&b, v, 0)
	return b.String()
}

// maxPrintDepth bounds how deep lists and maps are written; deeper levels are cut.
const maxPrintDepth = 64

func writeText(b *strings.Builder, v any, depth int) {
	if depth > maxPrintDepth {
		b.WriteString("...")
		return
	}
	switch x := norm(v).(type) {
	case char:
		b.WriteString(unitString(uint16(x)))
	case lazyInt:
		b.WriteString(strconv.Itoa(int(x)))
	case []any:
		writeList(b, x, depth)
	case *collection:
		writeList(b, x.items, depth)
	case *array:
		// Java prints an array's class and address; the address here is made from the content, so that it repeats.
		b.WriteString("[Ljava.lang.String;@")
		b.WriteString(strconv.FormatUint(uint64(uint32(listHash(x.items))*0x9E3779B1), 16)) //nolint:gosec // a hash, not a quantity
	case map[string]any, *hashMap:
		b.WriteByte('{')
		for i, e := range entriesOf(x) {
			if i > 0 {
				b.WriteString(", ")
			}
			writeText(b, e, depth+1)
		}
		b.WriteByte('}')
	case *entry:
		writeText(b, x.key, depth+1)
		b.WriteByte('=')
		writeText(b, x.val, depth+1)
	case *loop:
		x.write(b)
	case time.Time:
		b.WriteString(zonedText(x))
	default:
		b.WriteString(scalarText(x))
	}
}

func scalarText(v any) string {
	switch v.(type) {
	case string, safe, nil, bool, int32, long, float64:
		return text(v)
	}
	return "?"
}

func writeList(b *strings.Builder, items []any, depth int) {
	b.WriteByte('[')
	for i, v := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		writeText(b, v, depth+1)
	}
	b.WriteByte(']')
}

// size estimates the bytes of a value's text, without building it, and stops counting beyond limit. It counts an element
// of a list for more than its text, because it also bounds the work of walking the value.
func size(v any, limit int) int {
	switch x := norm(v).(type) {
	case string:
		return len(x)
	case safe:
		return len(x)
	case []any:
		return sizeList(x, limit)
	case *array:
		return 40
	case *collection:
		return sizeList(x.items, limit)
	case *entry:
		return 1 + size(x.key, limit) + size(x.val, limit)
	case *hashMap:
		return sizeList(x.keys, limit) + sizeList(x.vals, limit)
	case map[string]any:
		n := 2
		for k, e := range x {
			if n > limit {
				return n
			}
			n += len(k) + 3 + size(e, limit-n)
		}
		return n
	}
	return 24
}

func sizeList(items []any, limit int) int {
	n := 2
	for _, e := range items {
		if n > limit {
			return n
		}
		n += 8 + size(e, limit-n)
	}
	return n
}

// javaDouble is Double.toString: decimal from 10^-3 up to 10^7, else computerised scientific notation.
func javaDouble(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		if math.Signbit(f) {
			return "-0.0"
		}
		return "0.0"
	}
	if a := math.Abs(f); a >= 1e-3 && a < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	s := strconv.FormatFloat(f, 'E', -1, 64)
	mant, exp, _ := strings.Cut(s, "E")
	if !strings.Contains(mant, ".") {
		mant += ".0"
	}
	neg := strings.HasPrefix(exp, "-")
	exp = strings.TrimLeft(exp, "+-0")
	if neg {
		exp = "-" + exp
	}
	return mant + "E" + exp
}

// units returns the UTF-16 length of s.
func units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// unitOffset returns the byte offset of the UTF-16 unit i; within a surrogate pair it is the offset of its end.
func unitOffset(s string, i int) int {
	n := 0
	for off, r := range s {
		if n >= i {
			return off
		}
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return len(s)
}

// unitSlice is Java's substring. Half of a surrogate pair at either end becomes U+FFFD, since UTF-8 cannot carry it.
func unitSlice(s string, from, to int) string {
	if isASCII(s) {
		return s[from:to]
	}
	u := utf16Of(s)
	return utf16String(u[from:to])
}

// number reports whether v is a java.lang.Number, and its double value.
func number(v any) (float64, bool) {
	switch x := v.(type) {
	case int32:
		return float64(x), true
	case long:
		return float64(x), true
	case float64:
		return x, true
	case lazyInt:
		return float64(x), true
	}
	return 0, false
}

// integral is Number.longValue.
func integral(v any) (int64, bool) {
	switch x := v.(type) {
	case int32:
		return int64(x), true
	case long:
		return int64(x), true
	case lazyInt:
		return int64(x), true
	case float64:
		return doubleToLong(x), true
	}
	return 0, false
}

func doubleToLong(f float64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// toInt is Number.intValue: a long is cut to its low 32 bits, a double is clamped.
func toInt(v any) (int, bool) {
	switch x := v.(type) {
	case long:
		return int(int32(x)), true //nolint:gosec // Java's narrowing
	case float64:
		return int(min(max(doubleToLong(x), math.MinInt32), math.MaxInt32)), true
	}
	i, ok := integral(v)
	return int(i), ok
}

// listOf returns the elements of a value that Java iterates; a map gives its entries.
func listOf(v any) ([]any, bool) {
	switch x := v.(type) {
	case []any:
		return x, true
	case *array:
		return x.items, true
	case *collection:
		return x.items, true
	case map[string]any, *hashMap:
		return entriesOf(x), true
	}
	return nil, false
}

// entriesOf returns a map's entries in Java's order; a map of Env.Vars is taken for sorted by name.
func entriesOf(v any) []any {
	switch x := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		out := make([]any, len(keys))
		for i, k := range keys {
			out[i] = &entry{k, norm(x[k])}
		}
		return out
	case *hashMap:
		out := make([]any, 0, len(x.keys))
		for _, i := range x.order() {
			out = append(out, &entry{x.keys[i], x.vals[i]})
		}
		return out
	}
	return nil
}

// kindName names a value's type for a message, in the words of a flow's author.
func kindName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string, safe, char:
		return "a string"
	case bool:
		return "a boolean"
	case int32, long, lazyInt:
		return "an integer"
	case float64:
		return "a decimal"
	case []any, *array, *collection:
		return "a list"
	case map[string]any, *hashMap, *entry, *loop:
		return "an object"
	case time.Time:
		return "a date"
	}
	return "a value of another type"
}

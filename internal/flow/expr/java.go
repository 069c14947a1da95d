package expr

import (
	"math"
	"slices"
	"time"
	"unicode"
	"unicode/utf16"
)

func utf16Of(s string) []uint16 { return utf16.Encode([]rune(s)) }

func utf16String(u []uint16) string { return string(utf16.Decode(u)) }

func unitString(u uint16) string { return utf16String([]uint16{u}) }

// hashMap is java.util.HashMap, with its iteration order: by bucket, then by insertion. (Buckets of eight and more keys,
// which Java turns into trees, keep the order of insertion here.)
type hashMap struct {
	keys, vals []any
	hashes     []int32
	index      map[string]int // of string keys, once there are more than smallMap; others are searched
	capacity   int
	// frozen are the entries in order of a map that is part of a template and never changes.
	frozen []entry
}

// smallMap is how many keys are found faster by comparing than by hashing.
const smallMap = 8

// newHashMap makes a map with the table that Java allots for an initial capacity of n.
func newHashMap(n int) *hashMap {
	c := 1
	for c < n {
		c <<= 1
	}
	return &hashMap{capacity: c}
}

// freeze keeps the entries of a map that will not change any more.
func (m *hashMap) freeze() {
	m.frozen = make([]entry, 0, len(m.keys))
	for _, i := range m.order() {
		m.frozen = append(m.frozen, entry{m.keys[i], m.vals[i]})
	}
}

func (m *hashMap) find(k any) (int, bool) {
	if s, ok := k.(string); ok {
		return m.findString(s)
	}
	for i, have := range m.keys {
		if javaEquals(have, k) {
			return i, true
		}
	}
	return 0, false
}

func (m *hashMap) findString(s string) (int, bool) {
	if m.index != nil {
		i, found := m.index[s]
		return i, found
	}
	for i, have := range m.keys {
		if t, ok := have.(string); ok && t == s {
			return i, true
		}
	}
	return 0, false
}

func (m *hashMap) get(k any) (any, bool) {
	if i, ok := m.find(k); ok {
		return m.vals[i], true
	}
	return nil, false
}

func (m *hashMap) put(k, v any) {
	if i, ok := m.find(k); ok {
		m.vals[i] = v
		return
	}
	if s, ok := k.(string); ok && m.index != nil {
		m.index[s] = len(m.keys)
	}
	m.keys, m.vals, m.hashes = append(m.keys, k), append(m.vals, v), append(m.hashes, javaHash(k))
	if m.index == nil && len(m.keys) > smallMap {
		m.index = make(map[string]int, 2*smallMap)
		for i, have := range m.keys {
			if s, ok := have.(string); ok {
				m.index[s] = i
			}
		}
	}
	if len(m.keys) > m.capacity*3/4 {
		m.capacity <<= 1
	}
}

func (m *hashMap) order() []int {
	bucket := make([]int, len(m.keys))
	out := make([]int, len(m.keys))
	for i, hash := range m.hashes {
		h := uint32(hash)                                   //nolint:gosec // bits of a hash
		bucket[i] = int((h ^ h>>16) & uint32(m.capacity-1)) //nolint:gosec // a power of two
		out[i] = i
	}
	slices.SortStableFunc(out, func(a, b int) int { return bucket[a] - bucket[b] })
	return out
}

// javaHash is Object.hashCode.
func javaHash(v any) int32 {
	switch x := v.(type) {
	case string:
		return stringHash(x)
	case safe:
		return stringHash(string(x))
	case int32:
		return x
	case lazyInt:
		return int32(x)
	case long:
		return int32(x ^ long(uint64(x)>>32)) //nolint:gosec // bits of a hash
	case float64:
		b := math.Float64bits(x)
		return int32(b ^ b>>32) //nolint:gosec // bits of a hash
	case char:
		return int32(x)
	case bool:
		if x {
			return 1231
		}
		return 1237
	case []any:
		return listHash(x)
	case map[string]any, *hashMap:
		var h int32
		for _, e := range entriesOf(x) {
			h += javaHash(e)
		}
		return h
	case *entry:
		return javaHash(x.key) ^ javaHash(norm(x.val))
	}
	return 0
}

func stringHash(s string) int32 {
	var h int32
	for _, r := range s {
		if r > 0xFFFF {
			hi, lo := utf16.EncodeRune(r)
			h = 31*(31*h+hi) + lo
			continue
		}
		h = 31*h + r
	}
	return h
}

func listHash(items []any) int32 {
	h := int32(1)
	for _, v := range items {
		h = 31*h + javaHash(norm(v))
	}
	return h
}

// javaEquals is Objects.equals: values of different classes differ, so the Integer 3 is not the Long 3.
func javaEquals(a, b any) bool {
	a, b = norm(a), norm(b)
	switch x := a.(type) {
	case nil:
		return b == nil
	case float64:
		y, ok := b.(float64)
		return ok && math.Float64bits(x) == math.Float64bits(y)
	case string, bool, int32, long, char, safe, lazyInt, *array, *loop:
		return a == b
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, javaEquals)
	case *collection:
		y, ok := b.(*collection)
		return ok && slices.EqualFunc(x.items, y.items, javaEquals)
	case map[string]any, *hashMap:
		return mapEquals(x, b)
	case *entry:
		return sameEntry(x, b)
	case time.Time:
		return sameTime(x, b)
	}
	return false
}

func sameEntry(x *entry, b any) bool {
	y, ok := b.(*entry)
	return ok && javaEquals(x.key, y.key) && javaEquals(x.val, y.val)
}

func sameTime(x time.Time, b any) bool {
	y, ok := b.(time.Time)
	return ok && x.Equal(y) && x.Location().String() == y.Location().String()
}

func mapEquals(a, b any) bool {
	if !isMap(b) || mapLen(a) != mapLen(b) {
		return false
	}
	for _, e := range entriesOf(a) {
		ent, ok := e.(*entry)
		if !ok {
			return false
		}
		other, found := mapGet(b, ent.key)
		if !found || !javaEquals(ent.val, other) {
			return false
		}
	}
	return true
}

func isMap(v any) bool {
	switch v.(type) {
	case map[string]any, *hashMap:
		return true
	}
	return false
}

func mapLen(v any) int {
	switch x := v.(type) {
	case map[string]any:
		return len(x)
	case *hashMap:
		return len(x.keys)
	}
	return 0
}

func mapGet(v, key any) (any, bool) {
	switch x := v.(type) {
	case map[string]any:
		s, ok := key.(string)
		if !ok {
			return nil, false
		}
		val, ok := x[s]
		return norm(val), ok
	case *hashMap:
		return x.get(key)
	}
	return nil, false
}

// javaSpace is Character.isWhitespace.
func javaSpace(r rune) bool {
	switch {
	case r >= 0x09 && r <= 0x0D, r >= 0x1C && r <= 0x20:
		return true
	case r < 0x80, r == 0xA0, r == 0x2007, r == 0x202F:
		return false
	}
	return unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp)
}

// regexSpace is \s of java.util.regex.
func regexSpace(c byte) bool {
	return c == ' ' || c >= 0x09 && c <= 0x0D
}

package expr

import (
	"strings"
)

func filterFirst(r *run, in any, _ *arguments) (any, error) {
	return r.edge(in, false)
}

func filterLast(r *run, in any, _ *arguments) (any, error) {
	return r.edge(in, true)
}

// edge is the first or the last element of a list, or character of a string.
func (r *run) edge(in any, last bool) (any, error) {
	var items []any
	switch x := in.(type) {
	case nil:
		return nil, nil
	case string:
		if x == "" {
			return nil, fail("an empty string has no first or last character")
		}
		i := 0
		if last {
			i = units(x) - 1
		}
		return unitAt(x, i), r.read(len(x))
	case []any:
		items = x
	case *array:
		items = x.items
	case *collection:
		items = x.items
	default:
		return nil, fail("first and last take a string or a list, not " + kindName(in))
	}
	if len(items) == 0 {
		return nil, nil
	}
	if last {
		return norm(items[len(items)-1]), nil
	}
	return norm(items[0]), nil
}

func filterJoin(r *run, in any, a *arguments) (any, error) {
	if in == nil {
		return nil, nil
	}
	glue, _, err := a.stringArg(0, "separator")
	if err != nil {
		return nil, err
	}
	var items []any
	switch x := in.(type) {
	case []any:
		items = x
	case *array:
		items = x.items
	case *collection:
		items = x.items
	default:
		return nil, fail("The 'join' filter expects that the input is either a collection or an array.")
	}
	var b strings.Builder
	for i, v := range items {
		if i > 0 {
			b.WriteString(glue)
		}
		if err := r.build(len(glue)); err != nil {
			return nil, err
		}
		s, err := r.str(norm(v))
		if err != nil {
			return nil, err
		}
		if err := r.build(len(s) + readPerStep); err != nil {
			return nil, err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func filterLength(r *run, in any, _ *arguments) (any, error) {
	n := 0
	switch x := in.(type) {
	case string:
		n = units(x)
		if err := r.read(len(x)); err != nil {
			return nil, err
		}
	case []any:
		n = len(x)
	case *array:
		n = len(x.items)
	case *collection:
		n = len(x.items)
	case map[string]any, *hashMap:
		n = mapLen(x)
	}
	return int32(n), nil
}

func filterMerge(r *run, in any, a *arguments) (any, error) {
	items := a.get(0)
	switch {
	case in == nil && items == nil:
		return nil, fail("The two arguments to be merged are null")
	case in == nil:
		return items, nil
	case items == nil:
		return in, nil
	}
	switch x := in.(type) {
	case map[string]any, *hashMap:
		return r.mergeMap(x, items)
	case []any:
		return r.mergeList(x, items)
	case *array:
		other, ok := items.(*array)
		if !ok {
			return nil, fail("an array can only be merged with an array")
		}
		if err := r.list(len(x.items) + len(other.items)); err != nil {
			return nil, err
		}
		return &array{append(append([]any{}, x.items...), other.items...)}, nil
	}
	return nil, fail("The object being filtered is not a Map/List/Array")
}

func (r *run) mergeMap(m, items any) (any, error) {
	var add []any
	switch x := items.(type) {
	case map[string]any, *hashMap:
		add = entriesOf(x)
	case []any:
		for _, v := range x {
			add = append(add, &entry{norm(v), norm(v)})
		}
	default:
		return nil, fail("Currently, only Maps and Lists can be merged with a Map")
	}
	if err := r.build((mapLen(m) + len(add)) * 64); err != nil {
		return nil, err
	}
	out := newHashMap(mapLen(m) + len(add) + 16)
	for _, v := range append(entriesOf(m), add...) {
		if e, ok := v.(*entry); ok {
			if err := r.put(out, e.key, e.val); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (r *run) mergeList(list []any, items any) (any, error) {
	var add []any
	switch x := items.(type) {
	case map[string]any, *hashMap:
		add = entriesOf(x)
	case []any:
		add = x
	default:
		return nil, fail("Currently, only Maps and Lists can be merged with a List")
	}
	if err := r.list(len(list) + len(add)); err != nil {
		return nil, err
	}
	return append(append(make([]any, 0, len(list)+len(add)), list...), add...), nil
}

// filterSlice fails outside the bounds, also for an empty slice with an explicit end, as Pebble does.
func filterSlice(r *run, in any, a *arguments) (any, error) {
	if in == nil {
		return nil, nil
	}
	from, err := sliceIndex(a.get(0), "fromIndex")
	if err != nil {
		return nil, err
	}
	if from < 0 {
		return nil, fail("fromIndex must be greater than 0")
	}
	to, err := sliceIndex(a.get(1), "toIndex")
	if err != nil {
		return nil, err
	}
	length, err := r.sliceLength(in)
	if err != nil {
		return nil, err
	}
	switch {
	case a.get(1) == nil:
		to = length
	case to > length:
		return nil, failFix("toIndex must be smaller than input size: "+text(long(length)),
			"test the length first, or leave the second argument out")
	case from >= to:
		return nil, fail("toIndex must be greater than fromIndex")
	}
	if from > to {
		return nil, failFix("fromIndex must be smaller than input size: "+text(long(length)), "test the length first")
	}
	switch x := in.(type) {
	case []any:
		return x[from:to:to], nil
	case *array:
		return &array{x.items[from:to:to]}, nil
	case string:
		return r.built(unitSlice(x, from, to))
	}
	return nil, nil
}

func sliceIndex(v any, name string) (int, error) {
	if v == nil {
		return 0, nil
	}
	i, ok := toInt(v)
	if !ok {
		return 0, failFix("Argument "+name+" must be a number, not "+kindName(v), "write a number without quotes")
	}
	return i, nil
}

func (r *run) sliceLength(in any) (int, error) {
	switch x := in.(type) {
	case []any:
		return len(x), nil
	case *array:
		return len(x.items), nil
	case string:
		return units(x), r.read(len(x))
	}
	return 0, failFix("Slice filter can only be applied to String, List and array inputs, not to "+kindName(in),
		"make a string of it first: (value ~ \"\")")
}

// lookupFunc returns a function by its name, or nil.
func lookupFunc(name string) *builtin {
	switch name {
	case "max":
		return &builtin{nil, func(_ *run, _ any, a *arguments) (any, error) { return extreme(a, ">") }}
	case "min":
		return &builtin{nil, func(_ *run, _ any, a *arguments) (any, error) { return extreme(a, "<") }}
	case "range":
		return &builtin{[]string{"start", "end", "increment"}, funcRange}
	case "now":
		return &builtin{nil, funcNow}
	}
	return nil
}

func extreme(a *arguments, op string) (any, error) {
	var best any
	for _, v := range a.vals {
		if best == nil {
			best = v
			continue
		}
		better, err := ordered(op, v, best)
		if err != nil {
			return nil, err
		}
		if better {
			best = v
		}
	}
	return best, nil
}

func funcRange(r *run, _ any, a *arguments) (any, error) {
	step := int64(1)
	if a.get(2) != nil {
		n, ok := integral(a.get(2))
		if !ok {
			return nil, fail("The increment of the range function must be a number")
		}
		step = n
	}
	if step == 0 {
		return nil, fail("The increment of the range function must be different than 0")
	}
	if s, ok := a.get(0).(string); ok {
		return r.charRange(s, a.get(1), step)
	}
	start, ok1 := integral(a.get(0))
	end, ok2 := integral(a.get(1))
	if !ok1 || !ok2 {
		return nil, fail("Arguments of range function must be of type Number or String with a length of 1")
	}
	return r.span(start, end, step, func(i int64) any { return long(i) })
}

func (r *run) charRange(s string, v any, step int64) (any, error) {
	e, ok := v.(string)
	if !ok || units(s) != 1 || units(e) != 1 {
		return nil, fail("Arguments of range function must be of type Number or String with a length of 1")
	}
	return r.span(int64(unitAt(s, 0)), int64(unitAt(e, 0)), step, func(i int64) any { return char(i) }) //nolint:gosec // within two chars
}

func (r *run) span(start, end, step int64, element func(int64) any) (any, error) {
	out := []any{}
	for i := start; step > 0 && i <= end || step < 0 && i >= end; {
		if err := r.list(1); err != nil {
			return nil, err
		}
		if err := r.step(1); err != nil {
			return nil, err
		}
		out = append(out, element(i))
		next := i + step
		if (next > i) != (step > 0) {
			break // past the largest long; Java would go round for ever
		}
		i = next
	}
	return out, nil
}

package jsonpath

import (
	"slices"
)

// evaluator is one query: the document and what is left of the budget. The first error stops it.
type evaluator struct {
	root  any
	steps int
	err   error
}

// predicate decides whether a filter takes a child.
type predicate interface {
	test(e *evaluator, item any) bool
}

// step takes one visit off the budget and reports whether the query may go on.
func (e *evaluator) step() bool {
	e.steps--
	if e.steps < 0 && e.err == nil {
		e.err = ErrLimit
	}
	return e.err == nil
}

// run applies segments to a node.
func (e *evaluator) run(segments []segment, start any) []any {
	nodes := []any{start}
	for i := range segments {
		s := &segments[i]
		var out []any
		for _, n := range nodes {
			if s.descend {
				e.descend(n, s.selectors, &out, 0)
			} else {
				e.children(n, s.selectors, &out)
			}
			if e.err != nil {
				return nil
			}
		}
		nodes = out
	}
	return nodes
}

// descend applies selectors to a node, then to its descendants, parents before children.
func (e *evaluator) descend(node any, selectors []selector, out *[]any, depth int) {
	if depth > MaxDepth && e.err == nil {
		e.err = ErrLimit
	}
	if !e.step() {
		return
	}
	e.children(node, selectors, out)
	switch x := node.(type) {
	case []any:
		for _, v := range x {
			e.descend(v, selectors, out, depth+1)
			if e.err != nil {
				return
			}
		}
	case map[string]any:
		for _, k := range names(x) {
			e.descend(x[k], selectors, out, depth+1)
			if e.err != nil {
				return
			}
		}
	}
}

func names(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (e *evaluator) children(node any, selectors []selector, out *[]any) {
	for i := range selectors {
		if !e.step() {
			return
		}
		e.child(node, &selectors[i], out)
	}
}

func (e *evaluator) child(node any, s *selector, out *[]any) {
	switch s.kind {
	case selectName:
		if m, ok := node.(map[string]any); ok {
			if v, ok := m[s.name]; ok {
				*out = append(*out, v)
			}
		}
	case selectIndex:
		if l, ok := node.([]any); ok {
			if i := absolute(s.index, int64(len(l))); i >= 0 && i < int64(len(l)) {
				*out = append(*out, l[i])
			}
		}
	case selectSlice:
		if l, ok := node.([]any); ok {
			e.slice(l, s, out)
		}
	case selectWildcard, selectFilter:
		e.each(node, func(v any) {
			if s.filter == nil || s.filter.test(e, v) {
				*out = append(*out, v)
			}
		})
	}
}

// each calls fn with every child of a node, as long as the budget lasts.
func (e *evaluator) each(node any, fn func(any)) {
	switch x := node.(type) {
	case []any:
		for _, v := range x {
			if !e.step() {
				return
			}
			fn(v)
		}
	case map[string]any:
		for _, k := range names(x) {
			if !e.step() {
				return
			}
			fn(x[k])
		}
	}
}

func absolute(i, length int64) int64 {
	if i < 0 {
		return length + i
	}
	return i
}

// slice follows RFC 9535 §2.3.4.2.2.
func (e *evaluator) slice(l []any, s *selector, out *[]any) {
	n := int64(len(l))
	if s.step == 0 {
		return
	}
	start, end := int64(0), n
	if s.step < 0 {
		start, end = n-1, -n-1
	}
	if s.hasStart {
		start = s.start
	}
	if s.hasEnd {
		end = s.end
	}
	start, end = absolute(start, n), absolute(end, n)
	if s.step > 0 {
		upper := min(max(end, 0), n)
		for i := min(max(start, 0), n); i < upper && e.step(); i += min(s.step, n) {
			*out = append(*out, l[i])
		}
		return
	}
	lower := min(max(end, -1), n-1)
	for i := min(max(start, -1), n-1); i > lower && e.step(); i += max(s.step, -n) {
		*out = append(*out, l[i])
	}
}

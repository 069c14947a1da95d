package jsonpath

import (
	"errors"
	"strings"
)

// A Path is a compiled path. It is immutable and safe for concurrent use.
type Path struct {
	mode     Mode
	segments []segment
	root     byte // $ or @
	definite bool
	plain    []Step // the whole path, if it is nothing but names and indexes
}

// A Step is one name or index of a plain path. A negative index counts from the end.
type Step struct {
	Name  string
	Index int64
	List  bool // it is an index
}

// Plain returns the steps of a path that is nothing but single names and indexes, so that a caller may walk them in a
// document of its own; false if it is more than that. Such a path leads to one value or, in both modes, to ErrNotFound.
func (p *Path) Plain() ([]Step, bool) { return p.plain, p.plain != nil }

// steps are those of a plain path.
func (p *Path) steps() []Step {
	out := make([]Step, 0, len(p.segments))
	for i := range p.segments {
		s := &p.segments[i]
		if s.descend || s.fn != nil || len(s.selectors) != 1 {
			return nil
		}
		switch sel := &s.selectors[0]; sel.kind {
		case selectName:
			out = append(out, Step{Name: sel.name})
		case selectIndex:
			out = append(out, Step{Index: sel.index, List: true})
		default:
			return nil
		}
	}
	return out
}

// walk follows a plain path.
func (p *Path) walk(doc any) (any, error) {
	for i := range p.plain {
		s := &p.plain[i]
		if !s.List {
			m, ok := doc.(map[string]any)
			if !ok {
				return nil, ErrNotFound
			}
			if doc, ok = m[s.Name]; !ok {
				return nil, ErrNotFound
			}
			continue
		}
		l, ok := doc.([]any)
		at := absolute(s.Index, int64(len(l)))
		if !ok || at < 0 || at >= int64(len(l)) {
			return nil, ErrNotFound
		}
		doc = l[at]
	}
	return doc, nil
}

// segment is one step of a path: what it selects among the children of a node, or among all its descendants.
type segment struct {
	descend   bool
	selectors []selector
	fn        *function // Jayway only; excludes selectors
}

type selectorKind uint8

const (
	selectName selectorKind = iota
	selectWildcard
	selectIndex
	selectSlice
	selectFilter
)

type selector struct {
	kind             selectorKind
	name             string
	index            int64 // of selectIndex
	start, end, step int64 // of selectSlice
	hasStart, hasEnd bool
	filter           predicate
}

// Parse compiles a path of at most MaxSource bytes. Its error is a *SyntaxError. For a path that only the other dialect
// accepts, Strict names the equivalent text of RFC 9535 as the mend, where there is one.
func Parse(src string, mode Mode) (*Path, error) {
	p, err := parseMode(src, mode)
	if err == nil {
		p.plain = p.steps()
		return p, nil
	}
	var bad *SyntaxError
	if !errors.As(err, &bad) {
		bad = &SyntaxError{Msg: err.Error()}
	}
	if mode == Strict {
		bad.Fix = rfcFix(src)
	} else {
		bad.Fix = jaywayFix(src)
	}
	return nil, bad
}

func parseMode(src string, mode Mode) (*Path, error) {
	if len(src) > MaxSource {
		return nil, &SyntaxError{Msg: "the path is longer than 4096 bytes"}
	}
	if mode == Jayway {
		return parseJayway(src)
	}
	return parseStrict(src)
}

// Query returns the values that the path selects: in Strict mode the node list, which may be empty; in Jayway mode the
// one value of a definite path or the values of an indefinite one. Errors are ErrNotFound, in Jayway mode where the
// library throws PathNotFoundException, ErrLimit, and what is wrong with a Jayway function's input.
func (p *Path) Query(doc any) ([]any, error) {
	e := &evaluator{root: doc, steps: MaxSteps}
	var out []any
	if p.mode == Jayway {
		out = e.jayway(p, doc)
	} else {
		out = e.run(p.segments, doc)
	}
	if e.err != nil {
		return nil, e.err
	}
	if p.mode == Jayway && p.definite && len(out) == 0 {
		return nil, ErrNotFound
	}
	return out, nil
}

// One returns the one value of a definite path, or the list of values of an indefinite one. A definite path that leads
// to nothing gives ErrNotFound; one that leads to null gives nil.
func (p *Path) One(doc any) (any, error) {
	if p.plain != nil {
		return p.walk(doc)
	}
	out, err := p.Query(doc)
	if err != nil {
		return nil, err
	}
	if !p.definite {
		if out == nil {
			out = []any{}
		}
		return out, nil
	}
	if len(out) == 0 {
		return nil, ErrNotFound
	}
	return out[len(out)-1], nil
}

// Definite reports whether the path can select no more than one value: in RFC 9535 a singular query.
func (p *Path) Definite() bool { return p.definite }

// String returns the path in normal form: names and indexes in brackets. Filters are written as a question mark.
func (p *Path) String() string {
	var b strings.Builder
	b.WriteByte(p.root)
	for _, s := range p.segments {
		if s.descend {
			b.WriteString("..")
		}
		if s.fn != nil {
			b.WriteString("." + s.fn.name + "()")
			continue
		}
		b.WriteByte('[')
		for i, sel := range s.selectors {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(sel.normal())
		}
		b.WriteByte(']')
	}
	return b.String()
}

// singular reports whether segments select at most one node (RFC 9535 §2.3.5.1).
func singular(segments []segment) bool {
	for _, s := range segments {
		if s.descend || len(s.selectors) != 1 {
			return false
		}
		if k := s.selectors[0].kind; k != selectName && k != selectIndex {
			return false
		}
	}
	return true
}

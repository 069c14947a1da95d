package expr

import (
	"math"
	"strings"
)

// An expression has a value; at is its offset in the source.
type expression interface {
	eval(r *run) (any, error)
	at() int
}

// A statement writes to the output.
type statement interface {
	render(r *run) error
}

type (
	literal struct {
		pos int
		val any
	}
	variable struct {
		pos  int
		name string
	}
	listExpr struct {
		pos   int
		items []expression
	}
	mapExpr struct {
		pos        int
		keys, vals []expression
		fixed      *hashMap // the map itself, when keys and values are texts of the template
	}
	ternary struct {
		pos           int
		cond, yes, no expression
	}
	// renderExpr is the body of a filter tag.
	renderExpr struct{ body []statement }
	blockCall  struct{ call *call }
)

func (e *literal) at() int    { return e.pos }
func (e *variable) at() int   { return e.pos }
func (e *listExpr) at() int   { return e.pos }
func (e *mapExpr) at() int    { return e.pos }
func (e *ternary) at() int    { return e.pos }
func (e *renderExpr) at() int { return 0 }
func (e *blockCall) at() int  { return e.call.pos }

func (e *literal) eval(r *run) (any, error) { return e.val, r.step(1) }

func (e *variable) eval(r *run) (any, error) {
	if err := r.step(1); err != nil {
		return nil, err
	}
	v, ok := r.lookup(e.name)
	if !ok && r.env.Strict {
		return nil, at(e.pos, &failure{
			msg:     "the variable " + e.name + " does not exist",
			fix:     "declare the variable, or give it a value before this point",
			missing: true,
		})
	}
	return v, nil
}

func (e *listExpr) eval(r *run) (any, error) {
	if err := r.list(len(e.items)); err != nil {
		return nil, at(e.pos, err)
	}
	out := make([]any, len(e.items))
	for i, item := range e.items {
		v, err := item.eval(r)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, r.step(1)
}

func (e *mapExpr) eval(r *run) (any, error) {
	if err := r.build(len(e.keys) * 64); err != nil {
		return nil, at(e.pos, err)
	}
	if e.fixed != nil {
		return e.fixed, r.step(1 + 3*len(e.keys))
	}
	m := newHashMap((len(e.keys)*4 + 2) / 3)
	for i := range e.keys {
		k, err := e.keys[i].eval(r)
		if err != nil {
			return nil, err
		}
		v, err := e.vals[i].eval(r)
		if err != nil {
			return nil, err
		}
		if err := r.put(m, k, v); err != nil {
			return nil, at(e.pos, err)
		}
	}
	return m, r.step(1)
}

// fix builds the map of a literal that is the same in every evaluation.
func (e *mapExpr) fix() *mapExpr {
	m := newHashMap((len(e.keys)*4 + 2) / 3)
	for i := range e.keys {
		k, ok := constant(e.keys[i])
		v, ok2 := constant(e.vals[i])
		if !ok || !ok2 {
			return e
		}
		m.put(k, v)
	}
	m.freeze()
	e.fixed = m
	return e
}

// put pays for the search that a key other than a string needs.
func (r *run) put(m *hashMap, k, v any) error {
	if err := r.step(1); err != nil {
		return err
	}
	if _, ok := k.(string); !ok {
		if err := r.build(size(k, r.bytes)); err != nil {
			return err
		}
		if err := r.keyCost(m, k); err != nil {
			return err
		}
	}
	m.put(k, v)
	return nil
}

func (e *ternary) eval(r *run) (any, error) {
	v, err := e.cond.eval(r)
	if err != nil {
		return nil, err
	}
	yes, null, err := truth(v)
	if err != nil {
		return nil, at(e.pos, err)
	}
	if yes && !null {
		return e.yes.eval(r)
	}
	return e.no.eval(r)
}

// truth is Pebble's cast to Boolean: numbers other than 0 and strings that are not empty are true; lists and maps fail.
func truth(v any) (yes, null bool, err error) {
	switch x := v.(type) {
	case nil:
		return false, true, nil
	case bool:
		return x, false, nil
	case string:
		return x != "", false, nil
	}
	if f, ok := number(v); ok {
		return f != 0 && !math.IsNaN(f), false, nil
	}
	return false, false, failFix(kindName(v)+" cannot be used as a condition", "compare it, or test it with is empty")
}

// capture renders a body to a string of its own.
func (r *run) capture(body []statement) (string, error) {
	saved := r.out
	r.out = strings.Builder{}
	err := renderAll(r, body)
	s := r.out.String()
	r.out = saved
	return s, err
}

func (e *renderExpr) eval(r *run) (any, error) { return r.capture(e.body) }

func (e *blockCall) eval(r *run) (any, error) {
	if len(e.call.args) != 1 {
		return nil, at(e.call.pos, fail("block() takes the name of a block"))
	}
	name, err := e.call.args[0].eval(r)
	if err != nil {
		return nil, err
	}
	b, ok := r.t.blocks[text(name)]
	if !ok {
		return nil, nil
	}
	if err := r.call(); err != nil {
		return nil, at(e.call.pos, err)
	}
	defer r.ret()
	return r.capture(b.body)
}

func (r *run) call() error {
	r.calls++
	if r.calls > maxCalls {
		return fail("macros or blocks call each other too deeply")
	}
	return r.step(1)
}

func (r *run) ret() { r.calls-- }

type (
	textNode  struct{ text string }
	printNode struct{ expr expression }
	bodyNode  struct{ body []statement }
	block     struct{ body []statement }
	ifArm     struct {
		pos  int
		cond expression
		body []statement
	}
	ifNode struct {
		arms      []ifArm
		otherwise []statement
	}
	forNode struct {
		pos             int
		name            string
		over            expression
		body, otherwise []statement
	}
	setNode struct {
		name string
		expr expression
	}
	macro struct {
		params   []string
		defaults []expression
		body     []statement
	}
)

func renderAll(r *run, body []statement) error {
	for _, s := range body {
		if err := s.render(r); err != nil {
			return err
		}
	}
	return nil
}

func (n *textNode) render(r *run) error { return r.write(n.text) }

func (r *run) write(s string) error {
	if err := r.step(1); err != nil {
		return err
	}
	if err := r.build(len(s)); err != nil {
		return err
	}
	r.out.WriteString(s)
	return nil
}

func (n *printNode) render(r *run) error {
	v, err := n.expr.eval(r)
	if err != nil || v == nil {
		return at(n.expr.at(), err)
	}
	s, err := r.str(v)
	if err != nil {
		return at(n.expr.at(), err)
	}
	if r.env.Escape != nil {
		s = r.env.Escape(s)
	}
	return at(n.expr.at(), r.write(s))
}

func (n *bodyNode) render(r *run) error { return renderAll(r, n.body) }

func (n *block) render(r *run) error { return renderAll(r, n.body) }

func (n *ifNode) render(r *run) error {
	for _, arm := range n.arms {
		v, err := arm.cond.eval(r)
		if err != nil {
			return at(arm.pos, opaque(err))
		}
		yes, null, err := truth(v)
		if err != nil {
			return at(arm.pos, err)
		}
		if null && r.env.Strict {
			return at(arm.pos, fail("null value given to if statement and strict variables is set to true"))
		}
		if yes {
			return renderAll(r, arm.body)
		}
	}
	return renderAll(r, n.otherwise)
}

func (n *forNode) render(r *run) error {
	v, err := n.over.eval(r)
	if err != nil {
		return err
	}
	if v == nil {
		return nil
	}
	if err := r.build(mapLen(v) * 64); err != nil {
		return at(n.pos, err)
	}
	items, ok := listOf(v)
	if !ok {
		return at(n.pos, fail("Not an iterable object: "+kindName(v)))
	}
	if len(items) == 0 {
		return renderAll(r, n.otherwise)
	}
	r.push(false)
	defer r.pop()
	state := &loop{length: len(items)}
	for i, item := range items {
		if err := r.step(1); err != nil {
			return at(n.pos, err)
		}
		state.index = i
		s := &r.scopes[len(r.scopes)-1]
		s.put("loop", state)
		s.put(n.name, norm(item))
		if err := renderAll(r, n.body); err != nil {
			return err
		}
	}
	return nil
}

func (n *setNode) render(r *run) error {
	v, err := n.expr.eval(r)
	if err != nil {
		return err
	}
	r.set(n.name, v)
	return r.step(1)
}

// loop is the variable loop inside a for tag.
type loop struct{ index, length int }

func (l *loop) attr(name string) (any, bool) {
	switch strings.ToLower(name) {
	case "index", "getindex":
		return int32(l.index), true //nolint:gosec // bounded by Limits
	case "first", "isfirst":
		return l.index == 0, true
	case "last", "islast":
		return l.index == l.length-1, true
	case "length", "getlength":
		return lazyInt(l.length), true //nolint:gosec // bounded by Limits
	case "revindex", "getrevindex":
		return lazyInt(l.length - l.index - 1), true //nolint:gosec // bounded by Limits
	}
	return nil, false
}

func (l *loop) write(b *strings.Builder) {
	b.WriteString("{last=" + text(l.index == l.length-1))
	b.WriteString(", length=" + text(int32(l.length)))             //nolint:gosec // bounded by Limits
	b.WriteString(", index=" + text(int32(l.index)))               //nolint:gosec // bounded by Limits
	b.WriteString(", revindex=" + text(int32(l.length-l.index-1))) //nolint:gosec // bounded by Limits
	b.WriteString(", first=" + text(l.index == 0) + "}")
}

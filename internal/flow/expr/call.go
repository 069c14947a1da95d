package expr

import (
	"slices"
	"strings"
)

type namedArg struct {
	name string
	expr expression
}

// call is the name and the arguments of a filter, test, function or method.
type call struct {
	name  string
	pos   int
	args  []expression
	named []namedArg
}

// builtin is a filter, test or function. Without names it takes any arguments by position.
type builtin struct {
	names []string
	apply func(r *run, in any, a *arguments) (any, error)
}

// arguments are the values of a call, in the order of the builtin's names; an absent one is nil.
type arguments struct {
	few  [3]any
	vals []any
	call *call
	pre  any // what newFilter compiled ahead of evaluation
}

func (a *arguments) get(i int) any {
	if i < len(a.vals) {
		return a.vals[i]
	}
	return nil
}

// stringArg is a Java cast to String.
func (a *arguments) stringArg(i int, name string) (s string, given bool, err error) {
	switch v := a.get(i).(type) {
	case nil:
		return "", false, nil
	case string:
		return v, true, nil
	default:
		return "", true, fail("the argument " + name + " of " + a.call.name + " must be a string, not " + kindName(v))
	}
}

// bind evaluates the arguments of a call for a builtin.
func (r *run) bind(c *call, b *builtin, a *arguments) error {
	a.call = c
	if len(b.names) == 0 {
		return r.bindFree(c, a)
	}
	a.vals = a.few[:len(b.names)]
	if len(c.args) > len(b.names) {
		return at(c.pos, failFix("The argument at position "+text(long(len(b.names)+1))+" is not allowed. Only "+
			text(long(len(b.names)))+" argument(s) are allowed.", "remove the surplus arguments of "+c.name))
	}
	for i, e := range c.args {
		v, err := e.eval(r)
		if err != nil {
			return err
		}
		a.vals[i] = v
	}
	for _, n := range c.named {
		i := slices.Index(b.names, n.name)
		if i < 0 {
			return at(c.pos, failFix("The following named argument does not exist: "+n.name, argumentHint(b)))
		}
		v, err := n.expr.eval(r)
		if err != nil {
			return err
		}
		a.vals[i] = v
	}
	return nil
}

func argumentHint(b *builtin) string {
	return "the arguments are called " + strings.Join(b.names, ", ")
}

func (r *run) bindFree(c *call, a *arguments) error {
	for _, e := range c.args {
		v, err := e.eval(r)
		if err != nil {
			return err
		}
		a.vals = append(a.vals, v)
	}
	for _, n := range c.named {
		if _, err := n.expr.eval(r); err != nil {
			return err
		}
	}
	return nil
}

// filterExpr is left | name(arguments).
type filterExpr struct {
	left expression
	call *call
	fn   *builtin
	pre  any
}

func newFilter(left expression, c *call) expression {
	return &filterExpr{left: left, call: c, fn: lookupFilter(c.name), pre: precompile(c)}
}

func (e *filterExpr) at() int { return e.call.pos }

func (e *filterExpr) eval(r *run) (any, error) {
	if e.fn == nil {
		return nil, at(e.call.pos, failFix("Filter ["+e.call.name+"] does not exist.", "filters are "+filterNames))
	}
	if err := r.step(1); err != nil {
		return nil, at(e.call.pos, err)
	}
	a := r.borrow()
	defer r.giveBack(a)
	if err := r.bind(e.call, e.fn, a); err != nil {
		return nil, err
	}
	a.pre = e.pre
	in, err := e.left.eval(r)
	if err != nil && (e.call.name != "default" || !isMissing(err)) {
		return nil, err
	}
	if s, ok := in.(safe); ok && e.call.name != "escape" {
		in = string(s)
	}
	v, err := e.fn.apply(r, in, a)
	return v, at(e.call.pos, err)
}

// testExpr is left is name(arguments).
type testExpr struct {
	left expression
	call *call
	not  bool
}

func (e *testExpr) at() int { return e.call.pos }

func (e *testExpr) eval(r *run) (any, error) {
	if err := r.step(1); err != nil {
		return nil, at(e.call.pos, err)
	}
	if !knownTest(e.call.name) {
		return nil, at(e.call.pos, failFix("Test ["+e.call.name+"] does not exist.",
			"tests are defined, empty, even, iterable, map, null, odd"))
	}
	a := r.borrow()
	defer r.giveBack(a)
	if err := r.bindFree(e.call, a); err != nil {
		return nil, err
	}
	in, err := e.left.eval(r)
	if err != nil && (e.call.name != "defined" || !isMissing(err)) {
		return nil, err
	}
	ok, err := applyTest(e.call.name, in)
	return ok != e.not, at(e.call.pos, err)
}

func knownTest(name string) bool {
	switch name {
	case "empty", "even", "odd", "iterable", "map", "null", "defined":
		return true
	}
	return false
}

func applyTest(name string, in any) (bool, error) {
	switch name {
	case "empty":
		return isEmpty(in), nil
	case "iterable":
		switch in.(type) {
		case []any, *array, *collection:
			return true, nil
		}
		return false, nil
	case "map":
		return isMap(in), nil
	case "null":
		return in == nil, nil
	case "defined":
		return in != nil, nil
	}
	switch x := in.(type) {
	case int32:
		return (x%2 == 0) == (name == "even"), nil
	case long:
		return (x%2 == 0) == (name == "even"), nil
	case nil:
		return false, failFix("Can not pass null value to \""+name+"\" test.", "give the variable a value first")
	}
	return false, failFix("the test "+name+" takes an integer, not "+kindName(in),
		"make an integer of a string of digits by subtracting 0: (value - 0)")
}

func isEmpty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case string:
		return javaTrim(x) == ""
	case []any:
		return len(x) == 0
	case *collection:
		return len(x.items) == 0
	}
	return isMap(v) && mapLen(v) == 0
}

// funcExpr is name(arguments): a function, else a macro of the template.
type funcExpr struct {
	call *call
	fn   *builtin
}

func (e *funcExpr) at() int { return e.call.pos }

func (e *funcExpr) eval(r *run) (any, error) {
	if err := r.step(1); err != nil {
		return nil, at(e.call.pos, err)
	}
	if e.fn == nil {
		return e.macro(r)
	}
	a := r.borrow()
	defer r.giveBack(a)
	if err := r.bind(e.call, e.fn, a); err != nil {
		return nil, err
	}
	v, err := e.fn.apply(r, nil, a)
	return v, at(e.call.pos, err)
}

// macro calls a macro: its body sees its arguments only.
func (e *funcExpr) macro(r *run) (any, error) {
	m, ok := r.t.macros[e.call.name]
	if !ok {
		return nil, at(e.call.pos, failFix("Function or Macro ["+e.call.name+"] does not exist.",
			"functions are now, range, min and max"))
	}
	given, err := r.macroArgs(e.call, m)
	if err != nil {
		return nil, err
	}
	if err := r.call(); err != nil {
		return nil, at(e.call.pos, err)
	}
	defer r.ret()
	r.push(true)
	defer r.pop()
	base := len(r.scopes) - 1
	for i, name := range m.params {
		var v any
		if m.defaults[i] != nil {
			if v, err = m.defaults[i].eval(r); err != nil {
				return nil, err
			}
		}
		r.scopes[base].put(name, v)
	}
	r.scopes = append(r.scopes, given)
	defer r.pop()
	s, err := r.capture(m.body)
	return safe(s), err
}

func (r *run) macroArgs(c *call, m *macro) (scope, error) {
	var given scope
	if len(c.args) > len(m.params) && len(m.params) > 0 {
		return given, at(c.pos, fail("The argument at position "+text(long(len(m.params)+1))+" is not allowed. Only "+
			text(long(len(m.params)))+" argument(s) are allowed."))
	}
	for i, e := range c.args {
		v, err := e.eval(r)
		if err != nil {
			return given, err
		}
		if i < len(m.params) {
			given.put(m.params[i], v)
		}
	}
	for _, n := range c.named {
		if len(m.params) > 0 && !slices.Contains(m.params, n.name) {
			return given, at(c.pos, fail("The following named argument does not exist: "+n.name))
		}
		v, err := n.expr.eval(r)
		if err != nil {
			return given, err
		}
		given.put(n.name, v)
	}
	return given, nil
}

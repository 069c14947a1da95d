package expr

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"time"
)

const (
	defaultSteps = 20_000
	defaultBytes = 1 << 20
	// readPerStep is how many bytes an operation may look through for the price of one step.
	readPerStep = 64
	// maxCalls bounds macros that call themselves.
	maxCalls = 50
)

// run is one evaluation: the variables, the scopes that tags opened, and what is left of the budget.
type run struct {
	t      *Template
	env    *Env
	scopes []scope
	steps  int
	bytes  int
	calls  int
	out    strings.Builder
	// regexps are the patterns compiled so far.
	regexps map[string]*regexp.Regexp
	// spare are arguments to use again.
	spare []*arguments
}

// runs are evaluations to use again: an expression is evaluated at nearly every step of a call.
var runs = sync.Pool{New: func() any { return new(run) }}

// release gives an evaluation back, with nothing of what it saw.
func (r *run) release() {
	r.t, r.env, r.regexps, r.calls = nil, nil, nil, 0
	r.out = strings.Builder{}
	for i := range r.scopes {
		r.scopes[i].clear()
	}
	r.scopes = r.scopes[:0]
	runs.Put(r)
}

// borrow gives the arguments of one call; they are given back when it is over.
func (r *run) borrow() *arguments {
	if n := len(r.spare); n > 0 {
		a := r.spare[n-1]
		r.spare = r.spare[:n-1]
		return a
	}
	return new(arguments)
}

func (r *run) giveBack(a *arguments) {
	*a = arguments{}
	r.spare = append(r.spare, a)
}

// scope is one level of names that a tag defined. A local scope hides all below it, Env.Vars included.
type scope struct {
	names []string
	vals  []any
	local bool
}

func (s *scope) find(name string) int {
	for i, n := range s.names {
		if n == name {
			return i
		}
	}
	return -1
}

// clear forgets the names and keeps their room.
func (s *scope) clear() {
	clear(s.vals)
	s.names, s.vals, s.local = s.names[:0], s.vals[:0], false
}

func (s *scope) put(name string, v any) {
	if i := s.find(name); i >= 0 {
		s.vals[i] = v
		return
	}
	s.names, s.vals = append(s.names, name), append(s.vals, v)
}

var errBudget = errors.New("the expression needs more work than one evaluation is allowed")

// failure is an error without a position; the node that sees it first adds its own.
type failure struct {
	msg, fix string
	missing  bool // a variable or attribute does not exist: default and defined take that for null
	err      error
}

func (f *failure) Error() string { return f.msg }
func (f *failure) Unwrap() error { return f.err }

func fail(msg string) error { return &failure{msg: msg} }

func failFix(msg, fix string) error { return &failure{msg: msg, fix: fix} }

// located is a failure at a position in the source.
type located struct {
	pos int
	err error
}

func (l *located) Error() string { return l.err.Error() }
func (l *located) Unwrap() error { return l.err }

// at gives a failure its position; it costs nothing where nothing failed, which is the way of every evaluation.
func at(pos int, err error) error {
	if err == nil {
		return nil
	}
	return locatedAt(pos, err)
}

func locatedAt(pos int, err error) error {
	if _, ok := errors.AsType[*located](err); ok {
		return err
	}
	return &located{pos, err}
}

func isMissing(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.missing
}

// step takes n steps off the budget.
func (r *run) step(n int) error {
	r.steps -= n
	if r.steps < 0 {
		return budgetError("steps")
	}
	return nil
}

// build takes n bytes that are about to be built off the budget.
func (r *run) build(n int) error {
	r.bytes -= n
	if r.bytes < 0 {
		return budgetError("bytes")
	}
	return r.step(n / readPerStep)
}

// read takes the work of looking through n bytes off the budget.
func (r *run) read(n int) error { return r.step(n / readPerStep) }

func budgetError(what string) error {
	return &failure{
		msg: errBudget.Error() + " (" + what + ")",
		fix: "use a shorter range, fewer nested loops or smaller values",
		err: errBudget,
	}
}

func composite(v any) bool {
	switch v.(type) {
	case []any, map[string]any, *hashMap, *collection, *entry:
		return true
	}
	return false
}

// equalCost takes the work of comparing two values off the budget. A list that holds another one twice, and so on, is
// small in memory and endless to walk, so the values are measured first.
func (r *run) equalCost(a, b any) error {
	if composite(a) && composite(b) {
		limit := max(r.steps, 0) * readPerStep / 4
		return r.read(1 + 4*(size(a, limit)+size(b, limit)))
	}
	s, ok1 := a.(string)
	t, ok2 := b.(string)
	if ok1 && ok2 && len(s) == len(t) {
		return r.read(len(s))
	}
	return nil
}

// keyCost takes the work of looking a key up in a map off the budget; only strings are indexed.
func (r *run) keyCost(m, key any) error {
	n := 1
	if composite(key) {
		n = 1 + 4*size(key, max(r.steps, 0)*readPerStep/4)
	}
	return r.read(n * (1 + mapLen(m)))
}

// str is the text of a value, with its size taken off the budget.
func (r *run) str(v any) (string, error) {
	switch x := v.(type) {
	case string:
		return x, r.read(len(x))
	case safe:
		return string(x), r.read(len(x))
	}
	if err := r.build(size(v, r.bytes)); err != nil {
		return "", err
	}
	return text(v), nil
}

func (r *run) list(n int) error { return r.build(n * 24) }

// lookup finds a variable: the scopes from the innermost, then Env.Vars.
func (r *run) lookup(name string) (any, bool) {
	for i := len(r.scopes) - 1; i >= 0; i-- {
		s := &r.scopes[i]
		if j := s.find(name); j >= 0 {
			return s.vals[j], true
		}
		if s.local {
			return nil, false
		}
	}
	if v, ok := r.env.Vars[name]; ok {
		return norm(v), true
	}
	return r.env.systemRoot(name)
}

// set assigns as the set tag does: to the innermost scope that has the name, else a new name in the innermost scope.
func (r *run) set(name string, v any) {
	for i := len(r.scopes) - 1; i >= 0; i-- {
		s := &r.scopes[i]
		if s.local || s.find(name) >= 0 {
			s.put(name, v)
			return
		}
	}
	top := len(r.scopes) - 1
	if _, ok := r.env.Vars[name]; ok {
		top = 0
	}
	r.scopes[top].put(name, v)
}

func (r *run) push(local bool) {
	if n := len(r.scopes); n < cap(r.scopes) {
		r.scopes = r.scopes[:n+1]
		r.scopes[n].local = local
		return
	}
	r.scopes = append(r.scopes, scope{local: local})
}

func (r *run) pop() {
	top := len(r.scopes) - 1
	r.scopes[top].clear()
	r.scopes = r.scopes[:top]
}

func (e *Env) zone() *time.Location {
	if e.Zone == nil {
		return time.UTC
	}
	return e.Zone
}

func (e *Env) now() time.Time {
	if e.Now == nil {
		return time.Now()
	}
	return e.Now()
}

// SystemObjects returns the names of the platform's own objects: their attributes are found without regard to case when
// the exact name is absent. The first two are one object under its old and its new name.
func SystemObjects() []string {
	return []string{
		"NewPhoneContact", "NewContact", "AgentAnswered", "AgentContactAssigned", "AgentOfferContact", "ContactEnded",
		"GlobalErrorHandling", "PhoneContactEnded",
	}
}

func (e *Env) isSystem(name string) bool {
	for _, sys := range SystemObjects() {
		if strings.EqualFold(sys, name) {
			return true
		}
	}
	return e.System != nil && e.System(name)
}

// alias is the other name of the contact object, renamed in April 2025.
func alias(name string) string {
	switch {
	case strings.EqualFold(name, "NewPhoneContact"):
		return "NewContact"
	case strings.EqualFold(name, "NewContact"):
		return "NewPhoneContact"
	}
	return ""
}

// systemRoot finds a system object under its other name or another spelling.
func (e *Env) systemRoot(name string) (any, bool) {
	if other := alias(name); other != "" {
		if v, ok := e.Vars[other]; ok {
			return norm(v), true
		}
	}
	for _, sys := range SystemObjects() {
		if strings.EqualFold(sys, name) {
			v, ok := e.Vars[sys]
			return norm(v), ok
		}
	}
	return nil, false
}

// systemAttr finds an attribute of a system object under another spelling, or on its twin.
func (e *Env) systemAttr(root string, obj map[string]any, attr string) (any, bool) {
	if !e.isSystem(root) {
		return nil, false
	}
	if v, ok := foldKey(obj, attr); ok {
		return v, true
	}
	if twin, ok := e.Vars[alias(root)].(map[string]any); ok {
		if v, found := twin[attr]; found {
			return norm(v), true
		}
		return foldKey(twin, attr)
	}
	return nil, false
}

// foldKey finds a key without regard to case; of several it takes the first in order, so that the choice repeats.
func foldKey(m map[string]any, key string) (any, bool) {
	best, found := "", false
	for k := range m {
		if strings.EqualFold(k, key) && (!found || k < best) {
			best, found = k, true
		}
	}
	if !found {
		return nil, false
	}
	return norm(m[best]), true
}

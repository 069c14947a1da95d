package flowtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Suite is a list of tests of one flow.
type Suite struct {
	// Flow is the flow's file, as seen from the suite's own.
	Flow  string
	Tests []Test
}

// Test is one call with what is expected of it.
type Test struct {
	Name   string
	Script Script
	Then   Expect
	// Amazon is set instead of Script and Then for a test in Amazon Connect's testing language.
	Amazon *Amazon
}

// Expect says what a run must have done. What is not said is not looked at.
type Expect struct {
	// Prompts are parts of what is said, in this order; other prompts may stand between.
	Prompts []string `yaml:"prompts"`
	// Silent are parts that must not be said.
	Silent []string `yaml:"silent"`
	// Path are names of nodes passed, in this order; others may stand between. Never are nodes not passed.
	Path  []string `yaml:"path"`
	Never []string `yaml:"never"`
	// Requests are HTTP requests made, in this order; others may stand between. NoRequests are requests not made.
	Requests   []Wanted `yaml:"requests"`
	NoRequests []Wanted `yaml:"noRequests"`
	// Vars are values of variables at the end, Shown what the agent sees; both are compared as text.
	Vars  map[string]any `yaml:"vars"`
	Shown map[string]any `yaml:"shown"`
	// Queue is a pattern for a queue the contact is placed in; "-" means that there is none. Answered says whether an agent
	// answered.
	Queue    string `yaml:"queue"`
	Answered *bool  `yaml:"answered"`
	// Pop is a pattern for a page opened at the agent's desk; "-" means that there is none.
	Pop string `yaml:"pop"`
	// Goto is a pattern for the flow that the contact goes on to.
	Goto string `yaml:"goto"`
	End  Ending `yaml:"end"`
}

// Wanted describes a request. Empty fields are not looked at.
type Wanted struct {
	Method string `yaml:"method"`
	// URL is a pattern as in Answer.
	URL string `yaml:"url"`
	// Node is the name of the node that makes it.
	Node string `yaml:"node"`
	// Body is a part of the body.
	Body   string `yaml:"body"`
	Status int    `yaml:"status"`
}

// Ending says how a run must end; empty fields are not looked at. Without one any end will do but one by a limit.
type Ending struct {
	Reason string `yaml:"reason"`
	By     string `yaml:"by"`
}

// UnmarshalYAML reads an ending, or only who ends the call.
func (e *Ending) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		e.By = n.Value
	} else {
		type plain Ending
		if err := known(n, "reason", "by"); err != nil {
			return err
		}
		if err := n.Decode((*plain)(e)); err != nil {
			return err
		}
	}
	if e.By != "" && !slices.Contains([]string{byCaller, byAgent, byFlow, byTransfer}, e.By) {
		return fmt.Errorf("line %d: %.40q ends no call: use caller, agent, flow or transfer", n.Line, e.By)
	}
	if e.Reason != "" && !slices.Contains([]string{EndContact, EndGoto, EndBudget, EndStuck}, e.Reason) {
		return fmt.Errorf("line %d: %.40q is no reason: use contactEnded, goto, budget or stuck", n.Line, e.Reason)
	}
	return nil
}

// ParseSuite reads a suite from YAML:
//
//	flow: menu.json          # seen from this file
//	given: {to: "+18005550199"}   # part of every test
//	tests:
//	  - name: an order by its number
//	    given: {queue: [{queue: Support, answer: 10s}]}
//	    when: {digits: ["1", "1234#"]}
//	    then: {path: [AskOrder, QueueSupport], vars: {topic: Order}}
//
// given and when are both parts of the Script: what the world is like, and what the people in the call do; when stands above
// given, and a test's own given above that of the suite. A document of Amazon Connect's testing language is a suite of one
// test. Errors name the line.
func ParseSuite(data []byte) (*Suite, error) {
	if IsAmazon(data) {
		a, err := ParseAmazon(data)
		if err != nil {
			return nil, err
		}
		return &Suite{Flow: a.Flow, Tests: []Test{{Name: a.Name, Amazon: a}}}, nil
	}
	var raw struct {
		Flow  string    `yaml:"flow"`
		Given yaml.Node `yaml:"given"`
		Tests []rawTest `yaml:"tests"`
	}
	if err := decode(data, &raw); err != nil {
		return nil, fmt.Errorf("reading a test suite: %w", err)
	}
	if len(raw.Tests) == 0 {
		return nil, errors.New("reading a test suite: it has no tests")
	}
	if len(raw.Tests) > MaxItems {
		return nil, fmt.Errorf("reading a test suite: it has %d tests, at most %d are read", len(raw.Tests), MaxItems)
	}
	s := &Suite{Flow: raw.Flow}
	names := make(map[string]bool, len(raw.Tests))
	for i, r := range raw.Tests {
		t := Test{Name: r.Name, Then: r.Then}
		if t.Name == "" || names[t.Name] {
			return nil, fmt.Errorf("reading a test suite: test %d needs a name of its own", i+1)
		}
		names[t.Name] = true
		for _, part := range []*yaml.Node{&raw.Given, &r.Given, &r.When} {
			if err := overlay(part, &t.Script); err != nil {
				return nil, fmt.Errorf("reading test %q: %w", t.Name, err)
			}
		}
		if err := t.Script.check(); err != nil {
			return nil, fmt.Errorf("reading test %q: %w", t.Name, err)
		}
		s.Tests = append(s.Tests, t)
	}
	return s, nil
}

type rawTest struct {
	Name  string    `yaml:"name"`
	Given yaml.Node `yaml:"given"`
	When  yaml.Node `yaml:"when"`
	Then  Expect    `yaml:"then"`
}

// overlay reads a part of a script over what is there. Lists replace lists.
func overlay(n *yaml.Node, s *Script) error {
	if n.Kind == 0 {
		return nil
	}
	if err := known(n, scriptFields()...); err != nil {
		return err
	}
	data, err := yaml.Marshal(n)
	if err != nil {
		return oneLine(err)
	}
	if err := decode(data, s); err != nil {
		return fmt.Errorf("from line %d on: %w", n.Line, err)
	}
	return nil
}

// scriptFields are the names of a script's parts.
func scriptFields() []string {
	return []string{
		"from", "to", "id", "entryPoint", "channel", "language", "headers", "at", "seed", "vars", "digits", "http", "queue",
		"answers", "playErrors", "talk", "hangUp", "patience", "stay", "disposition", "events", "limits",
	}
}

// Outcome is what came of one test.
type Outcome struct {
	Name string `json:"name"`
	// Failures is empty for a test that passed.
	Failures []string `json:"failures"`
	Result   *Result  `json:"result,omitempty"`
}

// Passed reports whether the test met every expectation.
func (o Outcome) Passed() bool { return len(o.Failures) == 0 }

// Report is what came of a suite.
type Report struct {
	Flow     string    `json:"flow"`
	Tests    []Outcome `json:"tests"`
	Coverage Coverage  `json:"coverage"`
}

// Failed counts the tests that failed.
func (r *Report) Failed() int {
	n := 0
	for _, t := range r.Tests {
		if !t.Passed() {
			n++
		}
	}
	return n
}

// RunSuite runs all tests of a suite, one after the other.
func (r *Runner) RunSuite(s *Suite) *Report {
	rep := &Report{Flow: r.f.Name}
	cover := newCover(r.f)
	for i := range s.Tests {
		o := r.runTest(&s.Tests[i])
		if o.Result != nil {
			cover.add(o.Result)
		}
		rep.Tests = append(rep.Tests, o)
	}
	rep.Coverage = cover.report()
	return rep
}

func (r *Runner) runTest(t *Test) Outcome {
	o := Outcome{Name: t.Name, Failures: []string{}}
	if t.Amazon != nil {
		return r.runAmazon(t)
	}
	res, err := r.Run(&t.Script)
	if err != nil {
		o.Failures = append(o.Failures, err.Error())
		return o
	}
	o.Result = res
	o.Failures = append(o.Failures, t.Then.check(res)...)
	return o
}

// check compares a run with what is expected of it.
func (e *Expect) check(r *Result) []string {
	var out []string
	said := make([]string, len(r.Prompts))
	for i, p := range r.Prompts {
		said[i] = p.Text
	}
	out = append(out, inOrder("prompt", e.Prompts, said, contains)...)
	for _, s := range e.Silent {
		if i := slices.IndexFunc(said, func(t string) bool { return contains(t, s) }); i >= 0 {
			out = append(out, fmt.Sprintf("it was said %q, which must not be", said[i]))
		}
	}
	path := r.Path(0)
	out = append(out, inOrder("node", e.Path, path, func(have, want string) bool { return have == want })...)
	for _, n := range e.Never {
		if slices.Contains(path, n) {
			out = append(out, "the call passed "+n+", which it must not")
		}
	}
	out = append(out, e.requests(r)...)
	for _, name := range sortedKeys(e.Vars) {
		have, ok := r.Vars[name]
		if !ok {
			out = append(out, "there is no variable "+name)
		} else if plainText(have) != plainText(e.Vars[name]) {
			out = append(out, fmt.Sprintf("variable %s is %s, not %s", name, show(have), show(e.Vars[name])))
		}
	}
	for _, name := range sortedKeys(e.Shown) {
		if have, ok := r.Shown[name]; !ok || have != plainText(e.Shown[name]) {
			out = append(out, fmt.Sprintf("the agent sees %s = %q, not %s", name, have, show(e.Shown[name])))
		}
	}
	out = append(out, e.routing(r)...)
	return append(out, e.end(r)...)
}

func (e *Expect) requests(r *Result) []string {
	var out []string
	from := 0
	for _, w := range e.Requests {
		i := slices.IndexFunc(r.Requests[from:], w.is)
		if i < 0 {
			have := make([]string, len(r.Requests))
			for j, q := range r.Requests {
				have[j] = q.Method + " " + q.URL
			}
			out = append(out, fmt.Sprintf("no request %s came in its turn; requests: %s", w, clip(list(have), 600)))
			continue
		}
		from += i + 1
	}
	for _, w := range e.NoRequests {
		if i := slices.IndexFunc(r.Requests, w.is); i >= 0 {
			out = append(out, fmt.Sprintf("%s %s was requested, which must not be", r.Requests[i].Method, clip(r.Requests[i].URL, 200)))
		}
	}
	return out
}

func (w Wanted) is(q Request) bool {
	return matches(w.Method, w.URL, q.Method, q.URL) && (w.Node == "" || w.Node == q.Node) &&
		strings.Contains(q.Body, w.Body) && (w.Status == 0 || w.Status == q.Status)
}

// String describes the request.
func (w Wanted) String() string {
	s := strings.TrimSpace(w.Method + " " + w.URL)
	if w.Node != "" {
		s += " by " + w.Node
	}
	if w.Body != "" {
		s += fmt.Sprintf(" with %.80q", w.Body)
	}
	if w.Status != 0 {
		s += fmt.Sprintf(" answered %d", w.Status)
	}
	return strings.TrimSpace(s)
}

func (e *Expect) routing(r *Result) []string {
	var out []string
	queues := make([]string, 0, len(r.Queued))
	hit, answered := false, false
	for _, q := range r.Queued {
		queues = append(queues, or(q.Name, q.Queue, q.Agent))
		hit = hit || e.Queue != "" && anyGlob(e.Queue, q.Name, q.Queue, q.Agent)
		answered = answered || q.Outcome == "answered"
	}
	switch {
	case e.Queue == "-" && len(queues) > 0:
		out = append(out, "the contact was queued in "+list(queues)+", which it must not be")
	case e.Queue != "" && e.Queue != "-" && !hit:
		out = append(out, fmt.Sprintf("the contact was not queued in %s; queues: %s", e.Queue, list(queues)))
	}
	if e.Answered != nil && *e.Answered != answered {
		out = append(out, fmt.Sprintf("an agent answered: %t, not %t", answered, *e.Answered))
	}
	if e.Goto != "" && (r.Goto == nil || !anyGlob(e.Goto, r.Goto.Name, r.Goto.ID)) {
		out = append(out, "the contact did not go on to "+e.Goto)
	}
	return append(out, e.pops(r)...)
}

func (e *Expect) pops(r *Result) []string {
	pops := make([]string, 0, len(r.Pops))
	for _, p := range r.Pops {
		pops = append(pops, p.URL)
	}
	switch {
	case e.Pop == "-" && len(pops) > 0:
		return []string{"a page was opened at the desk, which must not be: " + list(pops)}
	case e.Pop != "" && e.Pop != "-" && !slices.ContainsFunc(pops, func(u string) bool { return glob(e.Pop, u) }):
		return []string{fmt.Sprintf("no page %s was opened at the desk; pages: %s", e.Pop, list(pops))}
	}
	return nil
}

func (e *Expect) end(r *Result) []string {
	var out []string
	if e.End.Reason == "" && r.End.Stopped() || e.End.Reason != "" && e.End.Reason != r.End.Reason {
		out = append(out, fmt.Sprintf("the run ended by %s (%s), not by %s", r.End.Reason, r.End.Detail, or(e.End.Reason, EndContact)))
	}
	if e.End.By != "" && e.End.By != r.End.By {
		out = append(out, fmt.Sprintf("the %s ended the call, not the %s", or(r.End.By, "nobody"), e.End.By))
	}
	return out
}

// inOrder says which of the wanted things did not come, or not in their turn.
func inOrder(what string, want, have []string, same func(have, want string) bool) []string {
	from := 0
	for _, w := range want {
		i := slices.IndexFunc(have[from:], func(h string) bool { return same(h, w) })
		if i >= 0 {
			from += i + 1
			continue
		}
		if slices.ContainsFunc(have, func(h string) bool { return same(h, w) }) {
			return []string{fmt.Sprintf("%s %q came, but not in its turn; order: %s", what, w, clip(list(have), 600))}
		}
		return []string{fmt.Sprintf("%s %q did not come; there were: %s", what, w, clip(list(have), 600))}
	}
	return nil
}

func list(s []string) string {
	if len(s) == 0 {
		return "none"
	}
	return strings.Join(s, ", ")
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// plainText is a value as text; documents are JSON.
func plainText(v any) string {
	switch t := v.(type) {
	case nil:
		return ""
	case string:
		return t
	case map[string]any, []any:
		data, err := json.Marshal(value(t))
		if err == nil {
			return string(data)
		}
	}
	return fmt.Sprint(v)
}

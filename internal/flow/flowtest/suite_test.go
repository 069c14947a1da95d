package flowtest_test

import (
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/flow/flowtest"
)

func suite(t testing.TB, text string) *flowtest.Suite {
	t.Helper()
	s, err := flowtest.ParseSuite([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestExpectations looks at every expectation from both sides: met it is silent, unmet it is named.
func TestExpectations(t *testing.T) {
	t.Parallel()
	r := parse(t, queueing)
	for _, c := range []struct{ met, unmet, says string }{
		{`path: [Q, Music]`, `path: [Music, Q]`, "not in its turn"},
		{`path: [Answered]`, `path: [Nowhere]`, `"Nowhere" did not come`},
		{`never: [Full]`, `never: [Pop]`, "passed Pop"},
		{`silent: [Full]`, `prompts: [Full]`, "did not come"},
		{`vars: {n: 1, note: ""}`, `vars: {n: 2}`, "n is 1, not 2"},
		{`vars: {}`, `vars: {no: 1}`, "no variable no"},
		{`queue: S*s`, `queue: Other`, "not queued in Other"},
		{`queue: Sales`, `queue: "-"`, "must not be"},
		{`answered: true`, `answered: false`, "answered: true, not false"},
		{`pop: "https://x.example/Test*"`, `pop: "https://y*"`, "no page"},
		{`pop: "*"`, `pop: "-"`, "must not be"},
		{`requests: [{method: POST, url: /w, body: customer, status: 404, node: Write}]`, `requests: [{method: PUT}]`, "no request PUT"},
		{`requests: [{}]`, `requests: [{}, {}]`, "came in its turn"},
		{`noRequests: [{method: GET}]`, `noRequests: [{url: /w}]`, "must not be"},
		{`end: caller`, `end: flow`, "the caller ended the call, not the flow"},
		{`end: {reason: contactEnded}`, `end: {reason: goto}`, "not by goto"},
		{`{}`, `goto: Other`, "did not go on"},
		{`{}`, `shown: {n: 5}`, "the agent sees"},
	} {
		s := suite(t, "tests:\n - {name: met, then: {"+strip(c.met)+"}}\n - {name: unmet, then: {"+strip(c.unmet)+"}}\n")
		rep := r.RunSuite(s)
		if !rep.Tests[0].Passed() {
			t.Errorf("%s: %v", c.met, rep.Tests[0].Failures)
		}
		if got := strings.Join(rep.Tests[1].Failures, "\n"); !strings.Contains(got, c.says) {
			t.Errorf("%s: %q does not say %q", c.unmet, got, c.says)
		}
		if rep.Failed() != 1 {
			t.Errorf("%s: %d failed", c.unmet, rep.Failed())
		}
	}
}

func strip(s string) string {
	if s == "{}" {
		return ""
	}
	return s
}

// TestBudgetFails makes a test fail whose run a limit stopped, unless that is expected.
func TestBudgetFails(t *testing.T) {
	t.Parallel()
	r := parse(t, `nodes: {A: {op: say, in: {prompts: x}, exits: A}}`)
	rep := r.RunSuite(suite(t, "tests: [{name: a}, {name: b, then: {end: {reason: budget}}}]"))
	if rep.Tests[0].Passed() || !rep.Tests[1].Passed() {
		t.Errorf("%+v", rep.Tests)
	}
}

// TestLayers lays what a test says over what the suite says.
func TestLayers(t *testing.T) {
	t.Parallel()
	s := suite(t, `
given: {from: "1", to: "2", digits: ["1"]}
tests:
  - {name: a}
  - {name: b, given: {to: "3"}, when: {from: "4", digits: ["7", "8"]}}
`)
	a, b := s.Tests[0].Script, s.Tests[1].Script
	if a.From != "1" || a.To != "2" || len(a.Digits) != 1 {
		t.Errorf("%+v", a)
	}
	if b.From != "4" || b.To != "3" || len(b.Digits) != 2 || b.Digits[0].Enter != "7" {
		t.Errorf("%+v", b)
	}
}

// TestCoverage counts nodes and exits, and leaves out what nothing leads to.
func TestCoverage(t *testing.T) {
	t.Parallel()
	r := parse(t, `
nodes:
  A: {op: cond, in: {expr: "{{ NewContact.ANI == '1' }}"}, exits: {"true": B, "false": C}}
  B: {op: end}
  C: {op: say, in: {prompts: x}, exits: B}
  Z: {op: end}
`)
	c := r.RunSuite(suite(t, `tests: [{name: a, given: {from: "1"}}]`)).Coverage
	if c.Nodes != 3 || c.NodesReached != 2 || c.Edges != 3 || c.EdgesTaken != 1 || len(c.Missed) != 3 || len(c.Unreachable) != 1 {
		t.Errorf("%+v", c)
	}
	c = r.RunSuite(suite(t, `tests: [{name: a, given: {from: "1"}}, {name: b}]`)).Coverage
	if c.NodeShare() != 1 || c.EdgeShare() != 1 {
		t.Errorf("%+v", c)
	}
}

// TestBadSuites are refused with the line and what to do.
func TestBadSuites(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		``:                                    "no tests",
		`tests: []`:                           "no tests",
		`tests: [{then: {}}]`:                 "name of its own",
		`tests: [{name: a}, {name: a}]`:       "name of its own",
		"tests:\n - name: a\n   wen: {}":      "line 3: field wen not found",
		"tests: [{name: a, given: {frm: 1}}]": "field frm is not known",
		"tests:\n - name: a\n   when: {digits: [x]}":                  "cannot be entered",
		"tests:\n - name: a\n   when: {digits: [{enter: 1, foo: 2}]}": "foo",
		"tests:\n - name: a\n   given: {queue: [{answer: soon}]}":     "not a time span",
		"tests:\n - name: a\n   given: {http: [{status: 20}]}":        "no HTTP status",
		"tests:\n - name: a\n   when: {talk: {by: nobody}}":           "caller or agent",
		"tests:\n - name: a\n   then: {end: {reason: tired}}":         "no reason",
		"tests:\n - name: a\n   then: {end: cat}":                     "ends no call",
		"tests: {": "line 1",
		"tests: [{name: a, given: {limits: {steps: -1}}}]":                                        "between 1 and",
		`{"Version": "2025-06-21", "Observations": []}`:                                           "0 observations",
		`{"Version": "1", "Observations": [{"Identifier": "a"}]}`:                                 "version",
		`{"Version": "2025-06-21", "Observations": [{"Event":{}}]}`:                               "Identifier",
		`{"Version": "2025-06-21", "Observations": [{"Identifier":"a","Event":{"Type":"Rain"}}]}`: "not known",
	} {
		_, err := flowtest.ParseSuite([]byte(text))
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s\n  gives %v\n  without %q", text, err, says)
		}
	}
}

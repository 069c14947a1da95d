package flowtest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tandemcc/tandem/internal/flow/flowtest"
)

// FuzzScript reads any text as a script; what is read can be run, and the run ends.
func FuzzScript(f *testing.F) {
	for _, s := range []string{
		"", "from: '1'", `digits: [1, "12#", {prompt: x, enter: "3", after: 1s, early: true, repeat: true}]`,
		`http: [{method: GET, url: "*a*", body: {a: [1, 2.5, null]}, delay: 0.5, times: 1}]`,
		`{queue: [{noAnswer: true}, {answer: 3, ring: 1, unanswered: 3}], talk: {by: agent, for: 1h}}`,
		`{at: 2026-01-01T00:00:00Z, seed: 3, vars: {n: 5}, hangUp: {prompt: x}, events: [{after: 1, name: e}], limits: {steps: 3}}`,
		"a: &a [*a]", "digits: &d [1]\nhttp: *d",
	} {
		f.Add([]byte(s))
	}
	r := parse(f, queueing)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := flowtest.ParseScript(data)
		if err != nil {
			return
		}
		res, err := r.Run(s)
		if err == nil && res.End.Reason == "" {
			t.Errorf("the run has no end")
		}
	})
}

// FuzzSuite reads any text as a suite, in either form; what is read can be run.
func FuzzSuite(f *testing.F) {
	paths, err := filepath.Glob(examples + "/*.test.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"Version":"2025-06-21","Observations":[` + observation("a", initiated, press("1"), `"a"`) + `]}`))
	f.Add([]byte(`{"Version":"2025-06-21","Observations":[` + observation("a", toQueue, assert("$.a[?(@.b)]", "Exists", ""), ``) + `]}`))
	r := parse(f, support)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := flowtest.ParseSuite(data)
		if err != nil {
			return
		}
		if len(s.Tests) > 5 {
			s.Tests = s.Tests[:5]
		}
		if rep := r.RunSuite(s); len(rep.Tests) != len(s.Tests) {
			t.Errorf("%d of %d tests ran", len(rep.Tests), len(s.Tests))
		}
	})
}

// FuzzAnswer reads any text as an answer.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"GET /a=200:{}", "/a=error:x", "* *=404", "==200", "/a=200=300:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := flowtest.ParseAnswer(text)
		if err == nil && (a.URL == "" || a.Status == 0 && a.Error == "") {
			t.Errorf("%q is read as %+v", text, a)
		}
	})
}

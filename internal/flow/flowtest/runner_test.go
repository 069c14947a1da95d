package flowtest_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/flowtest"
	"github.com/tandemcc/tandem/internal/flow/yaml"
)

// parse reads a flow in YAML; nodes is what stands below nodes.
func parse(t testing.TB, text string) *flowtest.Runner {
	t.Helper()
	f, rep, err := yaml.Importer{}.Import([]byte("tandem: flow/1\nname: test\n" + text))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range rep.Problems {
		if p.Rule == flow.RuleShape {
			t.Fatalf("%s %s: %s", p.Node, p.Field, p.Message)
		}
	}
	r, err := flowtest.New(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func script(t testing.TB, text string) *flowtest.Script {
	t.Helper()
	s, err := flowtest.ParseScript([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func run(t testing.TB, r *flowtest.Runner, s string) *flowtest.Result {
	t.Helper()
	res, err := r.Run(script(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

const collector = `
vars: {pin: {type: STRING, secure: true}, number: ""}
nodes:
  Ask:
    op: collect
    in: {prompts: Your number please, min: 3, max: 5, terminators: "#", entryTimeoutMS: 4000, interDigitTimeoutMS: 2000%s}
    exits: {ok: Keep, timeout: Late, nomatch: Wrong}
  Keep: {op: set, in: {sets: {number: "{{ Ask.DigitsEntered }}", pin: "{{ Ask.DigitsEntered }}"}}, exits: End}
  Late: {op: say, in: {prompts: Too late}, exits: End}
  Wrong: {op: say, in: {prompts: Too short}, exits: End}
  End: {op: end}
`

// TestGather presses keys as callers do; the rules are those of the real driver.
func TestGather(t *testing.T) {
	t.Parallel()
	plain := parse(t, strings.Replace(collector, "%s", "", 1))
	barge := parse(t, strings.Replace(collector, "%s", ", interruptible: true", 1))
	for _, c := range []struct {
		name, script, last, number string
		r                          *flowtest.Runner
	}{
		{"in full", `digits: ["12345"]`, "Keep", "12345", plain},
		{"more than can be used", `digits: ["123456789"]`, "Keep", "12345", plain},
		{"ended by the key for it", `digits: ["123#"]`, "Keep", "123", plain},
		{"too few, ended", `digits: ["12#"]`, "Wrong", "", plain},
		{"too few, then nothing", `digits: ["12"]`, "Late", "", plain},
		{"enough, then nothing", `digits: ["1234"]`, "Keep", "1234", plain},
		{"nothing", ``, "Late", "", plain},
		{"too late", `digits: [{enter: "123#", after: 5s}]`, "Late", "", plain},
		{"under the prompt, which may not be interrupted", `digits: [{enter: "12", early: true}]`, "Late", "", plain},
		{"under the prompt, which may", `digits: [{enter: "123#", early: true}]`, "Keep", "123", barge},
		{"by the question's words", `digits: ["999#", {prompt: YOUR  number, enter: "111#"}]`, "Keep", "111", plain},
		{"by the node", `digits: [{node: Other, enter: "1"}, {node: Ask, enter: "222#"}]`, "Keep", "222", plain},
	} {
		res := run(t, c.r, c.script)
		path := res.Path(1)
		if !slices.Contains(path, c.last) || res.Vars["number"] != c.number {
			t.Errorf("%s: path %v, number %v", c.name, path, res.Vars["number"])
		}
		if res.Vars["pin"] != "(secure)" {
			t.Errorf("%s: a secure variable is shown: %v", c.name, res.Vars["pin"])
		}
	}
}

const dip = `
vars: {id: none, code: 0}
nodes:
  Get:
    op: http
    in: {url: "https://crm.example/a/b?x=1", query: {y: "2 3"}, method: GET, parse: JSON, timeoutMS: 1000, retries: 2}
    out: {id: $.id}
    exits: {ok: Keep, error: Failed}
  Keep: {op: set, in: {sets: {code: "{{ Get.httpStatusCode }}"}}, exits: End}
  Failed: {op: say, in: {prompts: No luck}, exits: End}
  End: {op: end}
`

// TestHTTP answers requests by patterns, with the retries and the time-out of the real client.
func TestHTTP(t *testing.T) {
	t.Parallel()
	r := parse(t, dip)
	for _, c := range []struct {
		name, script, id, last string
		attempts               int
	}{
		{"nothing said", ``, "none", "Keep", 1},
		{"by the whole address", `http: [{url: "https://crm.example/a/b?x=1&y=2+3", body: {id: whole}}]`, "whole", "Keep", 1},
		{"by the address without a query", `http: [{url: https://crm.example/a/b, body: {id: bare}}]`, "bare", "Keep", 1},
		{"by the path", `http: [{url: /a/b, body: {id: path}}]`, "path", "Keep", 1},
		{"by a pattern", `http: [{method: get, url: "*/a/*x=1*", body: '{"id":"glob"}'}]`, "glob", "Keep", 1},
		{"by the node", `http: [{node: Other, body: {id: 1}}, {node: Get, body: {id: mine}}]`, "mine", "Keep", 1},
		{"another method", `http: [{method: POST, body: {id: no}}]`, "none", "Keep", 1},
		{"refused", `http: [{error: refused}]`, "none", "Failed", 3},
		{"too late", `http: [{delay: 2s}]`, "none", "Failed", 3},
		{"well in the end", `http: [{status: 503, times: 2}, {body: {id: third}}]`, "third", "Keep", 3},
		{"not well at all", `http: [{status: 500, body: {id: broken}}]`, "broken", "Keep", 3},
	} {
		res := run(t, r, c.script)
		if len(res.Requests) != 1 {
			t.Fatalf("%s: %d requests", c.name, len(res.Requests))
		}
		if q := res.Requests[0]; q.Attempts != c.attempts || q.URL != "https://crm.example/a/b?x=1&y=2+3" {
			t.Errorf("%s: %d attempts at %s", c.name, q.Attempts, q.URL)
		}
		if res.Vars["id"] != c.id || !slices.Contains(res.Path(1), c.last) {
			t.Errorf("%s: id %v, path %v", c.name, res.Vars["id"], res.Path(1))
		}
	}
}

const queueing = `
vars: {n: 0, note: {type: STRING, agentEditable: true}}
handlers: {agentAnswered: Answered, contactEnded: Over, agentDisconnected: Survey, agentOffered: Offered}
nodes:
  Q: {op: queue, in: {queueName: Sales}, exits: {ok: Music, failure: Full}}
  Music: {op: music, in: {file: a.wav, durationMS: 10000}, exits: Music}
  Full: {op: say, in: {prompts: Full}, exits: End}
  Offered: {op: event, exits: Count}
  Count: {op: set, in: {sets: {n: "{{ n + 1 }}"}}, exits: End}
  Answered: {op: event, exits: Pop}
  Pop: {op: pop, in: {url: "https://x.example/{{ AgentAnswered.AgentName | urlencode }}"}, exits: End}
  Survey: {op: event, exits: Rate}
  Rate: {op: say, in: {prompts: "Were you content?"}, exits: Bye}
  Bye: {op: hangup}
  Over: {op: event, exits: Write}
  Write: {op: http, in: {url: "https://x.example/w", method: POST, body: "{{ note }} {{ ContactEnded.DispositionCode }} {{ ContactEnded.Reason }}"}, exits: End}
  End: {op: end}
`

// TestQueue plays what queues, agents and waiting callers do.
func TestQueue(t *testing.T) {
	t.Parallel()
	r := parse(t, queueing)
	for _, c := range []struct {
		name, script, by, outcome, body string
		took                            time.Duration
		offers                          int64
	}{
		{"default", `disposition: Done`, "caller", "answered", " Done customer", 5*time.Second + 30*time.Second + time.Second, 1},
		{
			"edits", `{queue: [{queue: "Sa*", answer: 65s, unanswered: 2, agent: {name: Ada L}}], talk: {for: 5s, edits: [{after: 1s, vars: {note: hi, n: 7}}]}}`,
			"caller", "answered", "hi  customer", 65*time.Second + 5*time.Second + time.Second, 3,
		},
		{"agent first", `talk: {by: agent}`, "agent", "answered", "  flow", 5*time.Second + 30*time.Second + 1020*time.Millisecond + time.Second, 1},
		{"full", `queue: [{full: true}]`, "flow", "failed", "  flow", 600 * time.Millisecond, 0},
		{"gives up", `queue: [{noAnswer: true, hangUp: 95s}]`, "caller", "left", "  abandoned", 95 * time.Second, 0},
		{"has no patience", `{queue: [{noAnswer: true}], patience: 33}`, "caller", "left", "  abandoned", 33 * time.Second, 0},
		{"hangs up at a node", `hangUp: {node: Music}`, "caller", "left", "  customer", 0, 0},
		{"hangs up by the clock", `hangUp: {after: 2.5s}`, "caller", "left", "  customer", 2500 * time.Millisecond, 0},
	} {
		res := run(t, r, c.script)
		if res.End.Reason != flowtest.EndContact || res.End.By != c.by {
			t.Errorf("%s: %+v", c.name, res.End)
		}
		if q := res.Queued; len(q) != 1 || q[0].Outcome != c.outcome || q[0].Name != "Sales" {
			t.Errorf("%s: queued %+v", c.name, q)
		}
		if len(res.Requests) != 1 || res.Requests[0].Body != c.body {
			t.Errorf("%s: requests %+v", c.name, res.Requests)
		}
		if res.Vars["n"] != c.offers {
			t.Errorf("%s: %v offers", c.name, res.Vars["n"])
		}
		if took := time.Duration(res.Took); took != c.took && took != c.took+100*time.Millisecond {
			t.Errorf("%s: it took %s, not %s\n%s", c.name, took, c.took, res.Text())
		}
	}
}

// TestEnds names every way in which a run ends.
func TestEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, flow, script, reason, by string }{
		{"says its word and hangs up", `nodes: {A: {op: say, in: {prompts: Hi}, exits: B}, B: {op: hangup}}`, ``, flowtest.EndContact, "flow"},
		{"ends", `nodes: {A: {op: end}}`, ``, flowtest.EndContact, "flow"},
		{"goes on to another flow", `nodes: {A: {op: goto, in: {flow: "7", flowName: Next}}}`, ``, flowtest.EndGoto, ""},
		{"transfers", `nodes: {A: {op: transfer, in: {number: "+1"}, exits: {failure: B}}, B: {op: end}}`, ``, flowtest.EndContact, "transfer"},
		{"waits for days", `nodes: {A: {op: wait, in: {durationMS: 80000000}, exits: A}}`, `stay: 2400h`, flowtest.EndBudget, ""},
		{"runs in a circle", `nodes: {A: {op: pass, exits: B}, B: {op: pass, exits: A}}`, ``, flowtest.EndContact, "flow"},
		{"plays for ever", `nodes: {A: {op: say, in: {prompts: x}, exits: A}}`, ``, flowtest.EndBudget, ""},
		{"plays long things for ever", `nodes: {A: {op: music, in: {file: x}, exits: A}}`, ``, flowtest.EndContact, "caller"},
		{"few steps allowed", `nodes: {A: {op: music, in: {file: x}, exits: A}}`, `limits: {steps: 5}`, flowtest.EndBudget, ""},
		{"few loops allowed", `nodes: {A: {op: music, in: {file: x}, exits: A}}`, `limits: {loops: 5}`, flowtest.EndBudget, ""},
		{"little time allowed", `nodes: {A: {op: music, in: {file: x}, exits: A}}`, `limits: {time: 5m}`, flowtest.EndBudget, ""},
		{"a handler that never ends", "handlers: {contactEnded: B}\nnodes: {A: {op: end}, B: {op: wait, in: {durationMS: 1000}, exits: B}}", ``, flowtest.EndBudget, "flow"},
		{"played to a waiting caller", "kind: queue\nnodes: {A: {op: music, in: {file: x}, exits: A}}", ``, flowtest.EndContact, "caller"},
	} {
		res := run(t, parse(t, c.flow), c.script)
		if res.End.Reason != c.reason || res.End.By != c.by {
			t.Errorf("%s: %+v", c.name, res.End)
		}
		if res.End.Stopped() != (c.reason == flowtest.EndBudget) || !strings.Contains(res.Text(), "end: "+c.reason) {
			t.Errorf("%s: %s", c.name, res.Text())
		}
	}
}

// TestAnswers replies to what flows ask of the installation.
func TestAnswers(t *testing.T) {
	t.Parallel()
	r := parse(t, `
vars: {said: ""}
nodes:
  H: {op: hours, in: {hoursName: Office}, exits: {"hours:work": B, ok: Shut, error: Shut}}
  B: {op: bot, in: {bot: helper}, exits: {done: T, escalate: Human, error: Human}}
  T: {op: transfer, in: {number: "+49", bridged: true}, exits: {ok: C, failure: Human}}
  C: {op: callback, in: {number: "+1", queue: Q}, exits: {ok: S, failure: Human}}
  S: {op: sub, in: {flow: f2}, out: {said: $.word}, exits: {ok: Done, error: Human}}
  Done: {op: end}
  Shut: {op: end}
  Human: {op: end}
`)
	for _, c := range []struct{ name, script, last string }{
		{"default", ``, "Done"},
		{"closed", `answers: [{to: hours, ref: Other}, {to: hours, ref: "Off*", outcome: closed}]`, "Shut"},
		{"escalated", `answers: [{to: bot, outcome: escalate}]`, "Human"},
		{"no connection", `answers: [{to: transfer, ref: "+49", error: busy}]`, "Human"},
		{"no call back", `answers: [{to: callback, outcome: failed}]`, "Human"},
		{"all fails", `answers: [{error: down}]`, "Shut"},
	} {
		res := run(t, r, c.script)
		if path := res.Path(1); path[len(path)-1] != c.last {
			t.Errorf("%s: %v", c.name, path)
		}
	}
	if res := run(t, r, `answers: [{to: sub, fields: {word: [1, {a: 2}]}}]`); res.Vars["said"] != `[1,{"a":2}]` {
		t.Errorf("a sub-flow's outputs: %v", res.Vars["said"])
	}
}

// TestReplay runs a flow twice: all that happens is the same, and so is its JSON.
func TestReplay(t *testing.T) {
	t.Parallel()
	r := parse(t, queueing)
	var texts []string
	for range 2 {
		data, err := json.Marshal(run(t, r, `{seed: 7, disposition: x}`))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(data))
	}
	if d := cmp.Diff(texts[0], texts[1]); d != "" {
		t.Error(d)
	}
}

// TestParseAnswer reads the short form of answers.
func TestParseAnswer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]flowtest.Answer{
		`GET /a=200:{"x":1}`:             {Method: "GET", URL: "/a", Status: 200, Body: `{"x":1}`},
		`/a=204`:                         {URL: "/a", Status: 204},
		`* *q=a=b*=404:`:                 {Method: "*", URL: "*q=a=b*", Status: 404},
		`PATCH /a?b=200&c=1=503:x=200:y`: {Method: "PATCH", URL: "/a?b=200&c=1", Status: 503, Body: "x=200:y"},
		`/a=error`:                       {URL: "/a", Error: "connection refused"},
		`/a=error:no route`:              {URL: "/a", Error: "no route"},
	} {
		have, err := flowtest.ParseAnswer(text)
		if err != nil || cmp.Diff(want, have) != "" {
			t.Errorf("%s: %v %s", text, err, cmp.Diff(want, have))
		}
	}
	for _, text := range []string{"", "GET", "/a", "/a=", "/a=20", "/a=999:x", "=200", "/a=ok"} {
		if a, err := flowtest.ParseAnswer(text); err == nil {
			t.Errorf("%q is read as %+v", text, a)
		}
	}
}

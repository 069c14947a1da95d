package flow_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/testkit/fixtures"
)

// bodies are answers a server may give.
var bodies = []string{
	`{"records":[{"Id":"001A","Name":"Ada \"L\" O'Neil","CaseNumber":"0042"}]}`, `{"records":[]}`, `{}`, `not json`, ``, `[1,2.50,null]`,
	`{"data":[{"id":7,"attributes":[{"result":3}]}],"value":[{"contactid":"c","fullname":"Bo"}],"users":[{"id":12345678901234567890}]}`,
}

// anyEvent draws what may happen next: mostly the result of something outstanding.
func anyEvent(rt *rapid.T, s *flow.Session, at time.Time) flow.Event {
	ev := flow.Event{At: at, Seed: rapid.Uint64().Draw(rt, "seed")}
	open := s.Outstanding()
	if len(open) > 0 && rapid.IntRange(0, 9).Draw(rt, "what") < 7 {
		c := rapid.SampledFrom(open).Draw(rt, "command")
		ev.Command = c.ID
		failed := rapid.IntRange(0, 5).Draw(rt, "fails") == 0
		if failed {
			ev.Error = "it failed"
		}
		switch c.Kind {
		case flow.CmdPlay, flow.CmdMusic:
			ev.Kind = flow.EvPromptDone
		case flow.CmdGather:
			ev.Kind, ev.Digits = flow.EvGathered, rapid.SampledFrom([]string{"1", "2", "0", "9", "12345", ""}).Draw(rt, "digits")
		case flow.CmdHTTP:
			ev.Kind = flow.EvHTTPResult
			if !failed {
				ev.HTTP = &flow.HTTPResult{Status: rapid.SampledFrom([]int{200, 204, 404, 500}).Draw(rt, "status"), Body: []byte(rapid.SampledFrom(bodies).Draw(rt, "body"))}
			}
		case flow.CmdEnqueue:
			ev.Kind = rapid.SampledFrom([]flow.EventKind{flow.EvQueueFailed, flow.EvAgentAnswered, flow.EvQueued}).Draw(rt, "queue")
		case flow.CmdTimer:
			ev.Kind = flow.EvTimerFired
		default:
			ev.Kind = flow.EvAnswer
			ev.Outcome = rapid.SampledFrom([]string{"ok", "failed", "escalate", "ended", "work", "closed", "insufficient", "timeout"}).Draw(rt, "outcome")
			ev.Fields = map[string]any{"PIQ": 3, "EWT": 1.5, "MetaData": `{"a":1}`, "queue": "support", "CurrentRule_messageType": "Text", "nested": map[string]any{"a": "b"}}
		}
	} else {
		ev.Kind = rapid.SampledFrom([]flow.EventKind{
			flow.EvAgentOffered, flow.EvAgentAnswered, flow.EvAgentNoAnswer, flow.EvAgentDisconnected, flow.EvHungUp, flow.EvContactEnded,
			flow.EvVarsEdited, flow.EvCustom, flow.EvQueued, flow.EvPromptDone,
		}).Draw(rt, "event")
		ev.Fields = map[string]any{"notes": "typed by hand", "DispositionCode": "solved"}
		ev.Name = "ContactPredial"
	}
	if ev.Kind == flow.EvAgentOffered || ev.Kind == flow.EvAgentAnswered {
		ev.Agent = &flow.Agent{ID: "a1", Name: "Ada", DN: "1001"}
	}
	return ev
}

func flat(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// checkRestore runs one random call on a session, on a copy that is stored and restored before every event, and on clones:
// all must do the same. It returns the largest JSON of a session.
func checkRestore(t *testing.T, rt *rapid.T, p *flow.Program) int {
	a, first, err := flow.Start(p, flow.Input{Contact: flow.Contact{ID: "i", ANI: "+14155550100"}, At: epoch, Seed: 1})
	if err != nil {
		rt.Fatal(err)
	}
	checkOutput(rt, first)
	largest := 0
	at := epoch
	for range rapid.IntRange(1, 40).Draw(rt, "events") {
		stored := flat(t, a)
		largest = max(largest, len(stored))
		b, err := flow.Restore([]byte(stored))
		if err != nil {
			rt.Fatal(err)
		}
		c := a.Clone()
		at = at.Add(time.Second)
		ev := anyEvent(rt, a, at)
		before := flat(t, a)
		outA, _ := flow.Step(p, a, ev)
		outB, _ := flow.Step(p, b, ev)
		if before != flat(t, c) {
			rt.Fatal("stepping changed a clone")
		}
		outC, _ := flow.Step(p, c, ev)
		checkOutput(rt, outA)
		if diff := cmp.Diff(flat(t, outA), flat(t, outB)); diff != "" {
			rt.Fatalf("a restored session went another way: %s", diff)
		}
		if diff := cmp.Diff(outA, outC); diff != "" {
			rt.Fatalf("a clone went another way: %s", diff)
		}
		if diff := cmp.Diff(flat(t, a), flat(t, b)); diff != "" {
			rt.Fatalf("a restored session differs: %s", diff)
		}
		checkSession(rt, a)
	}
	return largest
}

func checkOutput(rt *rapid.T, out flow.Output) {
	if len(out.Commands) > 200 {
		rt.Fatalf("one step gave %d commands", len(out.Commands))
	}
}

// checkSession checks what the contract promises of every session.
func checkSession(rt *rapid.T, s *flow.Session) {
	waits := map[int]int{}
	placements := 0
	for _, c := range s.Outstanding() {
		if c.Kind == flow.CmdEnqueue {
			placements++
			continue
		}
		waits[c.Thread]++
		if waits[c.Thread] > 1 {
			rt.Fatalf("thread %d waits for more than one command", c.Thread)
		}
		if s.HungUp && (c.Kind == flow.CmdPlay || c.Kind == flow.CmdMusic || c.Kind == flow.CmdGather) {
			rt.Fatalf("%s after the hang-up", c.Kind)
		}
	}
	if len(waits) != len(s.Threads) || placements > 1 {
		rt.Fatalf("%d threads, %d of them wait; %d placements", len(s.Threads), len(waits), placements)
	}
	if s.ContactOver && len(s.Threads) == 0 && !s.Over {
		rt.Fatal("nothing is left to do and the session is not over")
	}
}

// A session that is stored and restored at any wait goes on as if it had not been.
func TestRestoreGoesOnTheSame(t *testing.T) {
	for _, name := range []string{"data-dip.json", "menu.json"} {
		f, _ := example(t, name)
		p, err := flow.Compile(f)
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(rt *rapid.T) {
			if n := checkRestore(t, rt, p); n > 10_000 {
				rt.Fatalf("a waiting session has %d bytes", n)
			}
		})
	}
}

// Real flows, as they are and mended, go through any call without a panic, a circle or a thread that is lost.
func TestFixtureFlowsRun(t *testing.T) {
	paths := webexFiles(t)
	for _, dir := range []string{"connect", "connect-legacy"} {
		more, err := filepath.Glob(filepath.Join(fixtures.Dir(t, "flows", dir), "*.json"))
		if err != nil || len(more) == 0 {
			t.Fatalf("no flows in %s: %v", dir, err)
		}
		paths = append(paths, more...)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, rep, err := allFormats.Import(data)
		if err != nil {
			continue // no flow, which the import tests judge
		}
		flows := []*flow.Flow{f}
		if mended, done := flow.Mend(f, rep); len(done) > 0 {
			flows = append(flows, mended)
		}
		for _, g := range flows {
			p, err := flow.Compile(g)
			if err != nil {
				t.Fatalf("%s: %v", filepath.Base(path), err)
			}
			rapid.Check(t, func(rt *rapid.T) { checkRestore(t, rt, p) })
		}
	}
}

func webexFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(fixtures.Dir(t, "flows", "webex"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no Webex flows among the fixtures: %v", err)
	}
	return files
}

// Values keep their types over JSON.
func TestValuesKeepTypes(t *testing.T) {
	in := flow.Values{"i": int64(5), "f": 5.0, "e": 1e300, "s": "5<é\n\"", "b": true, "n": nil, "m": map[string]any{"l": []any{int64(1), 2.5, "x", nil}}, "big": int64(1) << 62}
	data := flat(t, in)
	var out flow.Values
	if err := json.Unmarshal([]byte(data), &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, out); diff != "" {
		t.Errorf("%s: %s", data, diff)
	}
}

// FuzzStep feeds a running call whatever may come from outside.
func FuzzStep(f *testing.F) {
	fl, _ := example(f, "data-dip.json")
	p, err := flow.Compile(fl)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`[{"kind":"promptDone","command":1},{"kind":"httpResult","command":3,"http":{"status":200,"body":"e30="}},{"kind":"contactEnded"}]`))
	f.Add([]byte(`[{"kind":"varsEdited","fields":{"notes":[1,{"a":null}]}},{"kind":"agentAnswered","agent":{"id":"x"}},{"kind":"hungUp"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var events []flow.Event
		if json.Unmarshal(data, &events) != nil || len(events) > 200 {
			return
		}
		s, _, err := flow.Start(p, flow.Input{Contact: flow.Contact{ANI: "+1"}, At: epoch})
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			if _, err := flow.Step(p, s, ev); err != nil {
				t.Fatal(err)
			}
			if _, err := flow.Restore([]byte(flat(t, s))); err != nil {
				t.Fatalf("a session cannot be restored: %v", err)
			}
		}
	})
}

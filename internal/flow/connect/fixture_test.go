package connect_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
	"github.com/tandemcc/tandem/internal/testkit/fixtures"
	"github.com/tandemcc/tandem/internal/testkit/flows"
)

// nothingIn reports whether a file is an empty list of steps, which is no flow.
func nothingIn(data []byte) bool {
	var raw struct {
		Actions, Modules []any
		Content          struct{ Actions []any }
	}
	return json.Unmarshal(data, &raw) == nil && raw.Content.Actions != nil && len(raw.Content.Actions) == 0 ||
		raw.Actions != nil && len(raw.Actions) == 0 || raw.Modules != nil && len(raw.Modules) == 0
}

// files calls fn for each flow of a folder; what is no JSON, or an empty list of steps, is left out.
func files(t *testing.T, dir string, fn func(t *testing.T, data []byte)) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(fixtures.Dir(t, "flows", dir), "*"))
	if err != nil || len(list) == 0 {
		t.Fatalf("no flows in %s: %v", dir, err)
	}
	for _, path := range list {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(data) || nothingIn(data) {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) { fn(t, data) })
	}
}

// shares sums up reports.
type shares struct{ nodes, mapped, approximated int }

func (s *shares) add(r *flow.Report) {
	s.nodes += r.Nodes
	s.mapped += r.Mapped
	s.approximated += r.Approximated
}

func (s *shares) check(t *testing.T) {
	t.Helper()
	runs := float64(s.mapped+s.approximated) / float64(s.nodes)
	t.Logf("%d nodes: %.1f %% mapped, %.1f %% run", s.nodes, 100*float64(s.mapped)/float64(s.nodes), 100*runs)
	if runs < 0.95 {
		t.Errorf("only %.1f %% of the nodes run", 100*runs)
	}
}

// checkImport reads a flow quickly, counts it by another way and compiles it.
func checkImport(t *testing.T, data []byte, nodes, edges int) *flow.Report {
	t.Helper()
	best := time.Hour
	var f *flow.Flow
	var rep *flow.Report
	for range 3 {
		at := time.Now()
		f, rep = imported(t, data)
		best = min(best, time.Since(at))
	}
	if best > importSlack*50*time.Millisecond {
		t.Errorf("importing took %v", best)
	}
	if rep.Nodes != nodes || rep.Edges != edges || len(f.Nodes) != nodes || rep.Mapped+rep.Approximated+len(rep.Unsupported) != nodes {
		t.Errorf("%d nodes and %d edges, want %d and %d; %d mapped, %d approximated, %d not", rep.Nodes, rep.Edges, nodes, edges, rep.Mapped, rep.Approximated, len(rep.Unsupported))
	}
	if _, err := flow.Compile(f); err != nil {
		t.Error(err)
	}
	for _, n := range f.Nodes {
		if !json.Valid(n.Raw) {
			t.Errorf("node %s has no source", n.ID)
		}
	}
	for _, p := range rep.Problems {
		if p.Message == "" || p.Fix == "" {
			t.Errorf("a problem without advice: %+v", p)
		}
	}
	mended, _ := flow.Mend(f, rep)
	for _, p := range flow.Lint(mended) {
		if p.Replace {
			t.Errorf("still to be corrected after mending: %+v", p)
		}
	}
	return rep
}

type exits []struct {
	NextAction string
}

func TestFixtureConnectImports(t *testing.T) {
	sum := &shares{}
	files(t, "connect", func(t *testing.T, data []byte) {
		var raw struct {
			Actions []struct {
				Transitions struct {
					NextAction         string
					Conditions, Errors exits
				}
			}
		}
		if err := json.Unmarshal(data, &raw); err != nil || raw.Actions == nil {
			return // in a wrapper: not counted by this test
		}
		edges := 0
		for _, a := range raw.Actions {
			edges += len(a.Transitions.Conditions) + len(a.Transitions.Errors)
			if a.Transitions.NextAction != "" {
				edges++
			}
		}
		rep := checkImport(t, data, len(raw.Actions), edges)
		if rep.Format != "connect" {
			t.Errorf("format %s", rep.Format)
		}
		sum.add(rep)
	})
	sum.check(t)
}

func TestFixtureLegacyImports(t *testing.T) {
	sum := &shares{}
	files(t, "connect-legacy", func(t *testing.T, data []byte) {
		var raw struct {
			Modules []struct {
				Branches []struct{ Transition string }
			}
		}
		if err := json.Unmarshal(data, &raw); err != nil || raw.Modules == nil {
			return // in a wrapper: not counted by this test
		}
		edges := 0
		for _, m := range raw.Modules {
			edges += len(m.Branches)
		}
		rep := checkImport(t, data, len(raw.Modules), edges)
		if rep.Format != "connect-legacy" {
			t.Errorf("format %s", rep.Format)
		}
		sum.add(rep)
	})
	sum.check(t)
}

// script answers everything in one way.
type script struct {
	name   string
	digits string
	silent bool
	fails  bool
}

// Every real flow goes to its end with any of some callers, within a number of events.
func TestFixtureConnectRunsToEnd(t *testing.T) {
	scripts := []script{{name: "presses 1", digits: "1"}, {name: "presses 9", digits: "9"}, {name: "says nothing", silent: true}, {name: "all fails", fails: true, digits: "1"}}
	for _, dir := range []string{"connect", "connect-legacy"} {
		files(t, dir, func(t *testing.T, data []byte) {
			f, _ := imported(t, data)
			for _, s := range scripts {
				if !runsToEnd(t, f, s) {
					t.Errorf("%s: it does not end", s.name)
				}
			}
		})
	}
}

func runsToEnd(t *testing.T, f *flow.Flow, s script) bool {
	t.Helper()
	c := beginFlow(t, f, map[string]any{"queue": "support"})
	for i := range 400 {
		if c.s.Over {
			return true
		}
		open := c.s.Outstanding()
		switch {
		case i > 300: // a loop of prompts is the flow's own: the caller has had enough
			c.step(flow.Event{Kind: flow.EvContactEnded})
		case len(open) == 0:
			c.step(flow.Event{Kind: flow.EvContactEnded})
		case i > 40 && c.s.Placement != 0:
			c.step(flow.Event{Kind: flow.EvAgentAnswered, Agent: &flow.Agent{ID: "a1", Name: "Ada"}})
		default:
			c.step(s.answer(open[len(open)-1]))
		}
	}
	return false
}

func (s script) answer(c flow.Command) flow.Event {
	ev := flow.Event{Command: c.ID}
	if s.fails {
		ev.Error = "it failed"
	}
	switch c.Kind {
	case flow.CmdPlay, flow.CmdMusic:
		ev.Kind = flow.EvPromptDone
	case flow.CmdGather:
		ev.Kind, ev.Digits = flow.EvGathered, s.digits
		if s.silent {
			ev.Reason = flow.GatherTimeout
		}
	case flow.CmdEnqueue:
		ev.Kind = flow.EvQueued
		if s.fails {
			ev.Kind = flow.EvQueueFailed
		}
	case flow.CmdTimer:
		ev.Kind = flow.EvTimerFired
	default:
		ev.Kind, ev.Outcome = flow.EvAnswer, "ok"
		ev.Fields = map[string]any{"status": "ok", "queue": "support", "CallsQueuedNow": 2}
	}
	return ev
}

// What was imported is exported as it was.
func TestFixtureConnectRoundTrip(t *testing.T) {
	files(t, "connect", func(t *testing.T, data []byte) {
		f, _ := imported(t, data)
		out, losses, err := connect.Exporter{}.Export(flows.Stored(t, f))
		if err != nil || len(losses) > 0 {
			t.Fatalf("%v, losses %v", err, losses)
		}
		if diff := cmp.Diff(flows.Tree(t, data), flows.Tree(t, out)); diff != "" {
			t.Error(diff)
		}
	})
}

// editPrompt changes the first spoken text of a flow and returns the node, or nil when the flow says nothing.
func editPrompt(f *flow.Flow, text string) *flow.Node {
	for _, id := range slices.Sorted(maps.Keys(f.Nodes)) {
		n := f.Nodes[id]
		for i, item := range n.In["prompts"].List {
			if v := item.Map["text"]; item.Map["kind"].Lit == "tts" {
				item.Map["text"] = flow.Value{Lit: text, Field: v.Field}
				n.In["prompts"].List[i] = item
				return n
			}
		}
	}
	return nil
}

// A prompt that was edited is the only thing that changes in the export, and comes back from it.
func TestFixtureConnectEditedRoundTrip(t *testing.T) {
	files(t, "connect", func(t *testing.T, data []byte) {
		f, _ := imported(t, data)
		g := flows.Stored(t, f)
		n := editPrompt(g, "A new greeting.")
		if n == nil {
			return // nothing to edit: the flow says nothing
		}
		out, losses, err := connect.Exporter{}.Export(g)
		if err != nil || len(losses) > 0 {
			t.Fatalf("%v, losses %v", err, losses)
		}
		back, _ := imported(t, out)
		if got := flow.Source(back.Nodes[n.ID].In["prompts"].List[0].Map["text"]); got != "A new greeting." && n.Op != flow.OpLoopPrompts {
			t.Errorf("it came back as %q", got)
		}
		changed := flows.Differences("", flows.Tree(t, data), flows.Tree(t, out))
		if len(changed) != 1 || !strings.HasSuffix(changed[0], "Text") {
			t.Errorf("changed: %v", changed)
		}
	})
}

// An older export, written in the newer language, is the same flow.
func TestFixtureLegacyToConnect(t *testing.T) {
	files(t, "connect-legacy", func(t *testing.T, data []byte) {
		f, rep := imported(t, data)
		out, losses, err := connect.Exporter{}.Export(f)
		if err != nil || len(losses) > 0 {
			t.Fatalf("%v, losses %v", err, losses)
		}
		back, again := imported(t, out)
		if again.Format != "connect" || again.Mapped != rep.Mapped || again.Approximated != rep.Approximated || back.Kind != f.Kind {
			t.Errorf("%+v came back as %+v", rep, again)
		}
		for id, n := range f.Nodes {
			m := back.Nodes[id]
			if m == nil || m.Op != n.Op {
				t.Fatalf("node %s is lost or another", id)
			}
			if edits, shapes := flow.Edits(n, m); len(edits)+len(shapes) > 0 {
				t.Errorf("%s: %v %v", id, edits, shapes)
			}
		}
	})
}

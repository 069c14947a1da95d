package library_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/library"
	"github.com/tandemcc/tandem/internal/flow/webex"
	"github.com/tandemcc/tandem/internal/testkit/fixtures"
)

// varsOf is what a client sends when it changes nothing.
func varsOf(f *flow.Flow) []library.EditVar {
	out := []library.EditVar{}
	for _, v := range f.Vars {
		out = append(out, library.EditVar{Was: v.Name, Var: v})
	}
	return out
}

func TestEditChangesVariablesHandlersAndOptions(t *testing.T) {
	s, _, ctx, d := start(t)
	e := editOf(t, d)
	e.Nodes = append(e.Nodes, library.EditNode{ID: "over", Name: "CallOver", Op: flow.OpEvent, In: map[string]any{"event": "Call over"}})
	e.Edges = append(e.Edges, library.EditEdge{From: "over", Port: flow.PortOK, To: "End"})
	e.Vars = varsOf(d.Flow)
	for i := range e.Vars {
		if v := &e.Vars[i]; v.Was == "name" {
			v.Name, v.CAD, v.Label, v.Text = "callerName", true, "Caller", new("somebody")
		}
	}
	e.Vars = append(e.Vars, library.EditVar{Var: flow.Var{Name: "tries", Type: flow.TypeInteger, Reportable: true}, Text: new("3")})
	e.On = map[flow.EventName]flow.NodeID{flow.OnContactEnded: "over"}
	e.Head = library.EditHead{
		Name: new("Front door"), Description: new("Who rings gets in"), Kind: new(flow.KindQueue),
		Options: &flow.Options{MaxSteps: 250, Zone: "Europe/Berlin", ErrorText: "Sorry"},
	}
	got, err := s.Edit(ctx, "t", d.ID, e)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]flow.Var{
		"pin":        {Name: "pin", Type: flow.TypeString, Value: "topsecret", Secure: true},
		"callerName": {Name: "callerName", Type: flow.TypeString, Value: "somebody", CAD: true, Label: "Caller"},
		"tries":      {Name: "tries", Type: flow.TypeInteger, Value: int64(3), Reportable: true},
	}
	have := map[string]flow.Var{}
	for _, v := range got.Flow.Vars {
		have[v.Name] = v
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	if got.Name != "Front door" || got.Flow.Name != "Front door" || got.Flow.Kind != flow.KindQueue || got.Flow.Options != *e.Head.Options {
		t.Errorf("%q, %+v", got.Name, got.Flow)
	}
	if got.Flow.On[flow.OnContactEnded] != "over" || got.Report.Handlers != 1 {
		t.Errorf("handlers: %v", got.Flow.On)
	}
	told := false // the steps still read the old name
	for _, p := range got.Report.Problems {
		told = told || strings.Contains(p.Message, "name")
	}
	if !told {
		t.Errorf("the report does not tell of the name that is gone: %+v", got.Report.Problems)
	}
	diff, err := s.Diff(ctx, "t", d.ID, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(diff.Variables) != 3 || len(diff.Handlers) != 1 || diff.Handlers[0].To != "CallOver" || len(diff.Options) != 6 {
		t.Errorf("difference: %+v", diff)
	}
	if raw, err := json.Marshal(diff); err != nil || strings.Contains(string(raw), "topsecret") {
		t.Errorf("the difference tells a secret: %s, %v", raw, err)
	}
	back, err := s.Restore(ctx, "t", d.ID, 1)
	if err != nil || len(back.Flow.On) != 0 || len(back.Flow.Vars) != 2 || back.Name != "Front door" {
		t.Errorf("restored: %+v, %v", back, err)
	}
}

func TestEditRefusesWrongParts(t *testing.T) {
	s, _, ctx, d := start(t)
	variable := func(v flow.Var, was string, text *string) func(*library.Edit) {
		return func(e *library.Edit) { e.Vars = []library.EditVar{{Var: v, Was: was, Text: text}} }
	}
	for name, change := range map[string]func(e *library.Edit){
		"name with a space":     variable(flow.Var{Name: "a b", Type: flow.TypeString}, "", nil),
		"name of a digit":       variable(flow.Var{Name: "1a", Type: flow.TypeString}, "name", nil),
		"unknown type":          variable(flow.Var{Name: "a", Type: "LIST"}, "", nil),
		"value of another type": variable(flow.Var{Name: "a", Type: flow.TypeInteger}, "", new("many")),
		"no document":           variable(flow.Var{Name: "a", Type: flow.TypeJSON}, "", new("{")),
		"type the value is not": variable(flow.Var{Name: "name", Type: flow.TypeBoolean}, "name", nil),
		"was never there":       variable(flow.Var{Name: "a", Type: flow.TypeString}, "b", nil),
		"edited but not shown":  variable(flow.Var{Name: "a", Type: flow.TypeString, AgentEditable: true}, "", nil),
		"secret laid open":      variable(flow.Var{Name: "pin", Type: flow.TypeString}, "pin", nil),
		"long label":            variable(flow.Var{Name: "a", Type: flow.TypeString, Label: strings.Repeat("x", 300)}, "", nil),
		"two of a name": func(e *library.Edit) {
			e.Vars = append(varsOf(d.Flow), library.EditVar{Var: flow.Var{Name: "pin", Type: flow.TypeString}})
		},
		"two from one": func(e *library.Edit) {
			e.Vars = append(varsOf(d.Flow), library.EditVar{Was: "pin", Var: flow.Var{Name: "copy", Type: flow.TypeString}})
		},
		"handler nowhere":    func(e *library.Edit) { e.On = map[flow.EventName]flow.NodeID{flow.OnError: "nowhere"} },
		"handler of nothing": func(e *library.Edit) { e.On = map[flow.EventName]flow.NodeID{" ": "Bye"} },
		"handler at start":   func(e *library.Edit) { e.On = map[flow.EventName]flow.NodeID{flow.OnError: d.Flow.Start} },
		"no name":            func(e *library.Edit) { e.Head.Name = new(" ") },
		"long description":   func(e *library.Edit) { e.Head.Description = new(strings.Repeat("x", 3000)) },
		"unknown kind":       func(e *library.Edit) { e.Head.Kind = new(flow.Kind("fax")) },
		"start nowhere":      func(e *library.Edit) { e.Head.Start = new(flow.NodeID("x")) },
		"unknown zone":       func(e *library.Edit) { e.Head.Options = &flow.Options{Zone: "Mars/Olympus"} },
		"negative budget":    func(e *library.Edit) { e.Head.Options = &flow.Options{MaxSteps: -1} },
		"boundless budget":   func(e *library.Edit) { e.Head.Options = &flow.Options{MaxSteps: 1 << 30} },
	} {
		e := editOf(t, d)
		change(&e)
		_, err := s.Edit(ctx, "t", d.ID, e)
		if !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: the error tells a secret: %v", name, err)
		}
	}
}

// TestEditKeepsTheFile edits what a Webex file declares and writes the file again: what was not edited is as it was.
func TestEditKeepsTheFile(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fixtures.Dir(t, "flows/webex"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no Webex files: %v", err)
	}
	s, _, ctx, _ := start(t)
	s.Formats = flow.Registry{webex.Importer{}, webex.V2Importer{}}
	ctx = caller.As(ctx, caller.Principal{ID: "u1", Login: "nora", ARN: "arn:nora"})
	edited := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.Import(ctx, "t", "", "", data)
		if err != nil || d.Format != webex.Format {
			continue
		}
		if d, err = s.Get(ctx, "t", d.ID, 0); err != nil {
			t.Fatal(err)
		}
		e := editOf(t, d)
		e.Vars = append(varsOf(d.Flow), library.EditVar{Var: flow.Var{Name: "addedHere", Type: flow.TypeInteger, CAD: true, Label: "Added"}, Text: new("7")})
		e.Head.Description = new("Edited here")
		if edited == 0 {
			addsHandler(t, s, d)
		}
		got, err := s.Edit(ctx, "t", d.ID, e)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		before, _, err := webex.Exporter{}.Export(d.Flow)
		if err != nil {
			t.Fatal(err)
		}
		after, losses, err := webex.Exporter{}.Export(got.Flow)
		if err != nil || len(losses) > 0 {
			t.Errorf("%s: %v, %v", filepath.Base(file), losses, err)
		}
		var a, b map[string]any
		if json.Unmarshal(before, &a) != nil || json.Unmarshal(after, &b) != nil {
			t.Fatalf("%s: no JSON", file)
		}
		list, _ := b["variables"].([]any)
		last, _ := list[len(list)-1].(map[string]any)
		if last["name"] != "addedHere" || last["value"] != "7" || last["type"] != "INTEGER" || b["description"] != "Edited here" {
			t.Errorf("%s: %v, %v", filepath.Base(file), last, b["description"])
		}
		b["variables"], b["description"] = list[:len(list)-1], a["description"]
		if len(list) == 1 && a["variables"] == nil {
			delete(b, "variables")
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%s: what was not edited differs: %s", filepath.Base(file), diff)
		}
		edited++
	}
	if edited == 0 {
		t.Error("no Webex file was edited")
	}
}

// addsHandler gives a Webex flow a handler as the console does, and reads it again from the file that is written.
func addsHandler(t *testing.T, s *library.Service, d *library.Detail) {
	t.Helper()
	e := editOf(t, d)
	e.Nodes = append(e.Nodes,
		library.EditNode{ID: "offered", Name: "Offered", Op: flow.OpEvent, In: map[string]any{"event": "AgentOffered"}},
		library.EditNode{ID: "log", Name: "Log", Op: flow.OpSet, In: map[string]any{"sets": []any{map[string]any{"var": d.Flow.Vars[0].Name, "value": "x"}}}},
	)
	e.Edges = append(e.Edges, library.EditEdge{From: "offered", Port: flow.PortOK, To: "log"})
	e.On = maps.Clone(d.Flow.On)
	if e.On == nil {
		e.On = map[flow.EventName]flow.NodeID{}
	}
	e.On[flow.OnAgentOffered] = "offered"
	ctx := caller.As(t.Context(), caller.Principal{ID: "u1", Login: "nora", ARN: "arn:nora"})
	copied, err := s.Import(ctx, "t", "", "Copy", d.Flow.Origin.Raw)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Edit(ctx, "t", copied.ID, e)
	if err != nil {
		t.Fatal(err)
	}
	data, losses, err := webex.Exporter{}.Export(got.Flow)
	if err != nil || len(losses) > 0 {
		t.Errorf("a handler in the file: %v, %v", losses, err)
	}
	again, _, err := webex.Importer{}.Import(data)
	if err != nil {
		t.Fatal(err)
	}
	entry := again.Nodes[again.On[flow.OnAgentOffered]]
	if entry == nil || again.Nodes[entry.Exits[flow.PortOK]] == nil || again.Nodes[entry.Exits[flow.PortOK]].Name != "Log" {
		t.Errorf("the handler is not read again: %v, %+v", again.On, entry)
	}
}

func TestTryPlaysAnEditThatIsNotStored(t *testing.T) {
	s, _, ctx, d := start(t)
	e := editOf(t, d)
	node(t, &e, "Bye").In["prompts"] = []any{map[string]any{"kind": "tts", "text": "So long"}}
	_, res, err := s.Try(ctx, "t", d.ID, d.Version, &e, []byte(`{"digits": ["1"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(res.Prompts); n == 0 || res.Prompts[n-1].Text != "So long" {
		t.Errorf("prompts: %+v", res.Prompts)
	}
	if now, err := s.Get(ctx, "t", d.ID, 0); err != nil || now.Latest != 1 {
		t.Errorf("a test stored a version: %+v, %v", now, err)
	}
	s.Authz = only{"flow:Get"}
	if _, _, err := s.Try(ctx, "t", d.ID, d.Version, &e, nil); !errs.Is(err, errs.Denied) {
		t.Errorf("without the right to store it: %v", err)
	}
}

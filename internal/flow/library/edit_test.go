package library_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/library"
	"github.com/tandemcc/tandem/internal/flow/yaml"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/work"
)

// memory is a store without rollback: the service writes only once all is checked.
type memory struct {
	mu       sync.Mutex
	flows    map[string]library.Entry
	versions map[string]library.Version
	audits   []work.Audit
}

func (m *memory) Update(_ context.Context, f func(library.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f(m)
}

func (m *memory) View(ctx context.Context, f func(library.Tx) error) error { return m.Update(ctx, f) }

func (*memory) Emit(context.Context, event.Event) error { return nil }
func (*memory) Enqueue(context.Context, job.Job) error  { return nil }
func (m *memory) Audit(_ context.Context, a work.Audit) error {
	m.audits = append(m.audits, a)
	return nil
}

func (m *memory) PutFlow(_ context.Context, e library.Entry) error {
	m.flows[e.ID] = e
	return nil
}

func (m *memory) Flow(_ context.Context, _, id string) (library.Entry, error) {
	e, ok := m.flows[id]
	if !ok {
		return e, errs.New(errs.NotFound, "no flow")
	}
	return e, nil
}
func (*memory) Flows(context.Context, string) ([]library.Entry, error) { return nil, nil }
func (*memory) DeleteFlow(context.Context, string, string) error       { return nil }

func (m *memory) InsertFlowVersion(_ context.Context, v library.Version) error {
	m.versions[fmt.Sprint(v.FlowID, v.Version)] = v
	return nil
}

func (m *memory) FlowVersion(_ context.Context, _, id string, n int) (library.Version, error) {
	v, ok := m.versions[fmt.Sprint(id, n)]
	if !ok {
		return v, errs.New(errs.NotFound, "no version")
	}
	return v, nil
}

func (*memory) FlowVersions(context.Context, string, string) ([]library.Version, error) {
	return nil, nil
}
func (*memory) PutBinding(context.Context, library.Binding) error { return nil }
func (*memory) Bindings(context.Context, string) ([]library.Binding, error) {
	return []library.Binding{{Kind: flow.RefQueue, Ref: "Support", Target: "q9"}}, nil
}

// only allows the actions it names.
type only []string

func (o only) Check(_ context.Context, action, _ string, _ ...authz.Attr) error {
	if slices.Contains(o, action) {
		return nil
	}
	return errs.New(errs.Denied, "%s is not allowed", action)
}

// sample is the importer of the flow below, whatever the file.
type sample struct{ yaml.Importer }

func (sample) Sniff([]byte) bool { return true }

func (s sample) Import([]byte) (*flow.Flow, *flow.Report, error) {
	return s.Importer.Import([]byte(source))
}

const source = `
tandem: flow/1
name: Main
vars:
  pin: {type: STRING, value: topsecret, secure: true}
  name: {type: STRING, value: nobody}
start: Call
nodes:
  Call: {op: start, exits: Ask}
  Ask:
    op: menu
    in: {prompts: Press one or two, digits: ["1", "2"], entryTimeoutMS: 3000}
    exits: {"digit:1": Look, timeout: Bye, nomatch: Bye, error: Bye}
  Look:
    op: http
    in: {method: GET, url: "https://crm.example/{{ name }}?pin={{ pin }}", parse: JSON}
    out: {name: $.name}
    exits: {ok: Bye, error: Bye}
  Bye: {op: say, in: {prompts: "Goodbye {{ name }}"}, exits: End}
  End: {op: hangup}
`

func start(t *testing.T) (*library.Service, *memory, context.Context, *library.Detail) {
	t.Helper()
	m := &memory{flows: map[string]library.Entry{}, versions: map[string]library.Version{}}
	s := &library.Service{
		Store: m, Authz: only{"flow:Import", "flow:Get"}, Formats: flow.Registry{sample{}},
		Now: func() time.Time { return time.Unix(1_700_000_000, 0) }, Log: slog.New(slog.DiscardHandler),
	}
	ctx := caller.As(t.Context(), caller.Principal{ID: "u1", Login: "nora", ARN: "arn:nora"})
	d, err := s.Import(ctx, "t", "", "Main", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if d, err = s.Get(ctx, "t", d.ID, 0); err != nil { // as it is stored
		t.Fatal(err)
	}
	return s, m, ctx, d
}

// editOf is the edit that changes nothing, as a client makes it: over the wire.
func editOf(t *testing.T, d *library.Detail) library.Edit {
	t.Helper()
	e := library.Edit{Version: d.Version}
	for id, n := range d.Flow.Nodes {
		raw, err := json.Marshal(library.Properties(n))
		if err != nil {
			t.Fatal(err)
		}
		in := map[string]any{}
		if err := json.Unmarshal(raw, &in); err != nil {
			t.Fatal(err)
		}
		e.Nodes = append(e.Nodes, library.EditNode{ID: string(id), Name: n.Name, Op: n.Op, In: in})
		for port, to := range n.Exits {
			e.Edges = append(e.Edges, library.EditEdge{From: id, Port: port, To: to})
		}
	}
	return e
}

func node(t *testing.T, e *library.Edit, id string) *library.EditNode {
	t.Helper()
	for i := range e.Nodes {
		if e.Nodes[i].ID == id {
			return &e.Nodes[i]
		}
	}
	t.Fatalf("no node %s", id)
	return nil
}

func TestEditOfNothingChangesNothing(t *testing.T) {
	s, _, ctx, d := start(t)
	got, err := s.Edit(ctx, "t", d.ID, editOf(t, d))
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != 2 || got.Note != "Edited: nothing changed" || got.CreatedBy != "nora" {
		t.Errorf("version %d, %q by %q", got.Version, got.Note, got.CreatedBy)
	}
	want := d.Flow.Clone()
	want.Version = 2
	if diff := cmp.Diff(want, got.Flow); diff != "" {
		t.Error(diff)
	}
}

func TestEditAppliesAndIsCompared(t *testing.T) {
	s, m, ctx, d := start(t)
	e := editOf(t, d)
	node(t, &e, "Bye").In["prompts"] = []any{map[string]any{"kind": "tts", "text": "So long {{ name"}}
	node(t, &e, "Look").In[library.Results] = "name = $.person.name"
	node(t, &e, "Ask").In["entryTimeoutMS"] = "5000"
	x, y := 10.0, 20.0
	e.Nodes = append(e.Nodes, library.EditNode{ID: "new", Name: "Wait for an agent", Op: flow.OpQueue, In: map[string]any{"queueName": "Support"}, X: &x, Y: &y})
	e.Edges = append(e.Edges, library.EditEdge{From: "Ask", Port: "digit:2", To: "new"})
	got, err := s.Edit(ctx, "t", d.ID, e)
	if err != nil {
		t.Fatal(err)
	}
	if p := got.Flow.Nodes["Bye"].In["prompts"].List[0].Map["text"]; p.Dialect != flow.DialectPebble || p.Src != "So long {{ name" {
		t.Errorf("the prompt is %+v", p)
	}
	if v := got.Flow.Nodes["Ask"].In["entryTimeoutMS"].Lit; v != 5000.0 {
		t.Errorf("the time-out is %#v", v)
	}
	if diff := cmp.Diff([]flow.Bind{{Path: "$.person.name", Var: "name", Field: d.Flow.Nodes["Look"].Out[0].Field}}, got.Flow.Nodes["Look"].Out); diff != "" {
		t.Error(diff)
	}
	if len(got.Flow.Refs) != 1 || got.Flow.Refs[0].Bound != "q9" {
		t.Errorf("references: %+v", got.Flow.Refs)
	}
	broken := false
	for _, p := range got.Report.Problems {
		broken = broken || p.Node == "Bye"
	}
	if !broken {
		t.Errorf("the report does not tell of the broken template: %+v", got.Report.Problems)
	}
	if last := m.audits[len(m.audits)-1]; last.Action != "flow:Import" || last.Principal != "arn:nora" {
		t.Errorf("audit: %+v", last)
	}
	diff, err := s.Diff(ctx, "t", d.ID, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(diff.Added) != 1 || diff.Added[0].ID != "new" || len(diff.Removed) != 0 || len(diff.Changed) != 3 || len(diff.EdgesAdded) != 1 {
		t.Errorf("difference: %+v", diff)
	}
	want := library.DiffChange{Node: "Ask", Name: "Ask", Fields: []library.DiffField{{Name: "entryTimeoutMS", From: "3000", To: "5000"}}}
	if d := cmp.Diff(want, diff.Changed[0]); d != "" {
		t.Error(d)
	}
	back, err := s.Diff(ctx, "t", d.ID, 2, 1)
	if err != nil || len(back.Removed) != 1 || len(back.EdgesRemoved) != 1 {
		t.Errorf("the other way: %+v, %v", back, err)
	}
}

func TestEditRemoves(t *testing.T) {
	s, _, ctx, d := start(t)
	e := editOf(t, d)
	var nodes []library.EditNode
	for _, n := range e.Nodes {
		if n.ID != "Look" {
			nodes = append(nodes, n)
		}
	}
	var edges []library.EditEdge
	for _, v := range e.Edges {
		if v.From != "Look" && v.To != "Look" {
			edges = append(edges, v)
		}
	}
	e.Nodes, e.Edges = nodes, edges
	got, err := s.Edit(ctx, "t", d.ID, e)
	if err != nil {
		t.Fatal(err)
	}
	if got.Flow.Nodes["Look"] != nil || got.Report.Nodes != 4 || got.Report.Mapped != d.Report.Mapped-1 {
		t.Errorf("%d nodes, %d mapped", got.Report.Nodes, got.Report.Mapped)
	}
}

func TestEditRefuses(t *testing.T) {
	s, _, ctx, d := start(t)
	for name, change := range map[string]func(e *library.Edit){
		"no start":   func(e *library.Edit) { e.Nodes, e.Edges = []library.EditNode{*node(t, e, "Bye")}, nil },
		"unknown op": func(e *library.Edit) { e.Nodes = append(e.Nodes, library.EditNode{ID: "n", Name: "n", Op: "fly"}) },
		"second start": func(e *library.Edit) {
			e.Nodes = append(e.Nodes, library.EditNode{ID: "n", Name: "n", Op: flow.OpStart})
		},
		"other op":   func(e *library.Edit) { node(t, e, "Bye").Op = flow.OpHTTP },
		"node twice": func(e *library.Edit) { e.Nodes = append(e.Nodes, *node(t, e, "Bye")) },
		"name taken": func(e *library.Edit) { node(t, e, "Bye").Name = "End" },
		"edge to nowhere": func(e *library.Edit) {
			e.Edges = append(e.Edges, library.EditEdge{From: "Bye", Port: "error", To: "x"})
		},
		"port twice":      func(e *library.Edit) { e.Edges = append(e.Edges, library.EditEdge{From: "Bye", Port: "ok", To: "Ask"}) },
		"long text":       func(e *library.Edit) { node(t, e, "Look").In["url"] = strings.Repeat("x", 70_000) },
		"results no path": func(e *library.Edit) { node(t, e, "Look").In[library.Results] = "name" },
		"no version":      func(e *library.Edit) { e.Version = 0 },
		"depth":           func(e *library.Edit) { node(t, e, "Look").In["deep"] = nested(20) },
	} {
		e := editOf(t, d)
		change(&e)
		if _, err := s.Edit(ctx, "t", d.ID, e); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Authz = only{"flow:Get"}
	if _, err := s.Edit(ctx, "t", d.ID, editOf(t, d)); !errs.Is(err, errs.Denied) {
		t.Errorf("without the right: %v", err)
	}
	if _, err := s.Restore(ctx, "t", d.ID, 1); !errs.Is(err, errs.Denied) {
		t.Errorf("restore without the right: %v", err)
	}
}

func nested(depth int) any {
	if depth == 0 {
		return "x"
	}
	return []any{nested(depth - 1)}
}

func TestEditConflictNamesWhoSaved(t *testing.T) {
	s, _, ctx, d := start(t)
	e := editOf(t, d)
	var wg sync.WaitGroup
	results := make([]error, 5)
	for i := range results {
		wg.Go(func() { _, results[i] = s.Edit(ctx, "t", d.ID, e) })
	}
	wg.Wait()
	saved := 0
	for _, err := range results {
		switch {
		case err == nil:
			saved++
		case !errs.Is(err, errs.Conflict) || !strings.Contains(err.Error(), "version 2 was saved by nora"):
			t.Errorf("conflict: %v", err)
		}
	}
	if saved != 1 {
		t.Errorf("%d of 5 edits of the same version were saved", saved)
	}
}

func TestRestore(t *testing.T) {
	s, _, ctx, d := start(t)
	e := editOf(t, d)
	node(t, &e, "Look").In["method"] = "POST"
	if _, err := s.Edit(ctx, "t", d.ID, e); err != nil {
		t.Fatal(err)
	}
	got, err := s.Restore(ctx, "t", d.ID, 1)
	if err != nil || got.Version != 3 || got.Note != "Version 1 restored" || got.Flow.Nodes["Look"].In["method"].Lit != "GET" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := s.Restore(ctx, "t", d.ID, 3); !errs.Is(err, errs.Conflict) {
		t.Errorf("the newest: %v", err)
	}
	if _, err := s.Restore(ctx, "t", d.ID, 9); !errs.Is(err, errs.NotFound) {
		t.Errorf("an unknown one: %v", err)
	}
}

func TestTry(t *testing.T) {
	s, _, ctx, d := start(t)
	_, res, err := s.Try(ctx, "t", d.ID, 0, nil, []byte(`{"from": "+15550100", "digits": ["1"], "http": [{"url": "*", "status": 200, "body": {"name": "Ada"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Call", "Ask", "Look", "Bye", "End"}, res.Path(1)); diff != "" {
		t.Error(diff)
	}
	if n := len(res.Prompts); n == 0 || res.Prompts[n-1].Text != "Goodbye Ada" {
		t.Errorf("prompts: %+v", res.Prompts)
	}
	if len(res.Requests) != 1 || strings.Contains(res.Requests[0].URL, "topsecret") || res.End.By != "flow" {
		t.Errorf("requests: %+v, end %+v", res.Requests, res.End)
	}
	for script, want := range map[string]errs.Code{`{"digits": ["x"]}`: errs.Invalid, `{"nonsense": 1}`: errs.Invalid} {
		if _, _, err := s.Try(ctx, "t", d.ID, 0, nil, []byte(script)); !errs.Is(err, want) {
			t.Errorf("%s: %v", script, err)
		}
	}
}

// TestTryEnds has a flow that goes round for ever.
func TestTryEnds(t *testing.T) {
	s, _, ctx, d := start(t)
	e := editOf(t, d)
	for i := range e.Edges {
		if e.Edges[i].From == "Bye" {
			e.Edges[i].To = "Ask"
		}
	}
	if _, err := s.Edit(ctx, "t", d.ID, e); err != nil {
		t.Fatal(err)
	}
	_, res, err := s.Try(ctx, "t", d.ID, 0, nil, []byte(`{"digits": [{"enter": "1", "repeat": true}], "limits": {"steps": 100000}}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Trace) > 2100 || !res.End.Stopped() {
		t.Errorf("%d steps, %+v", len(res.Trace), res.End)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, res, err = s.Try(over, "t", d.ID, 0, nil, nil); err != nil || !res.End.Stopped() {
		t.Errorf("a run nobody waits for: %+v, %v", res, err)
	}
}

package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/flowtest"
	"github.com/tandemcc/tandem/internal/flow/library"
)

type editNode struct {
	ID   string         `json:"id" minLength:"1" maxLength:"200"`
	Name string         `json:"name" maxLength:"200"`
	Op   string         `json:"op" maxLength:"40"`
	In   map[string]any `json:"in,omitempty" doc:"as properties of the flow; left out: unchanged"`
	X    *float64       `json:"x,omitempty" doc:"left out: unchanged"`
	Y    *float64       `json:"y,omitempty"`
}

type editVariable struct {
	Was         string  `json:"was,omitempty" maxLength:"400" doc:"its name in the version that was edited; left out: a new variable"`
	Name        string  `json:"name" minLength:"1" maxLength:"400"`
	Type        string  `json:"type" maxLength:"20" doc:"STRING, INTEGER, BOOLEAN, DECIMAL, DATETIME or JSON"`
	Description string  `json:"description,omitempty" maxLength:"2000"`
	Value       *string `json:"value,omitempty" maxLength:"16384" doc:"the initial value; left out: unchanged"`
	CAD         bool    `json:"cad,omitempty" doc:"shown to agents"`
	Label       string  `json:"label,omitempty" maxLength:"200"`
	Editable    bool    `json:"editable,omitempty"`
	Reportable  bool    `json:"reportable,omitempty"`
	Secure      bool    `json:"secure,omitempty"`
	Global      bool    `json:"global,omitempty"`
}

// flowModel is an edited flow. What is left out stays as it is.
type flowModel struct {
	Version     int            `json:"version" minimum:"1" doc:"the version that was edited, which must be the newest"`
	Note        string         `json:"note,omitempty" maxLength:"500"`
	Name        *string        `json:"name,omitempty" maxLength:"200"`
	Description *string        `json:"description,omitempty" maxLength:"2000"`
	Kind        *string        `json:"kind,omitempty" maxLength:"20" doc:"inbound, queue, hold, whisper, transfer or sub"`
	Start       *string        `json:"start,omitempty" maxLength:"200" doc:"the node at which calls come in"`
	Options     *flowOptions   `json:"options,omitempty"`
	Nodes       []editNode     `json:"nodes" minItems:"1" maxItems:"5000" doc:"all of them: what is left out is deleted"`
	Edges       []flowEdge     `json:"edges" maxItems:"20000"`
	Variables   []editVariable `json:"variables,omitempty" maxItems:"1000" doc:"all of them; left out or null: unchanged"`
	Handlers    []flowHandler  `json:"handlers,omitempty" maxItems:"100" doc:"all of them; left out or null: unchanged"`
}

type modelInput struct {
	IDInput
	IfMatch string `header:"If-Match" maxLength:"100" doc:"the version that was edited, as the ETag of a flow; it must be the newest"`
	Body    flowModel
}

type restoreInput struct {
	IDInput
	Body struct {
		Version int `json:"version" minimum:"1"`
	}
}

type diffInput struct {
	IDInput
	From int `query:"from" minimum:"0" doc:"0: the latest version"`
	To   int `query:"to" minimum:"0" doc:"0: the latest version"`
}

type diffNode struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Op   string `json:"op"`
}

type diffField struct {
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
}

type diffChange struct {
	Node   string      `json:"node"`
	Name   string      `json:"name"`
	Fields []diffField `json:"fields"`
}

type diffEdges struct {
	Added   []flowEdge `json:"added"`
	Removed []flowEdge `json:"removed"`
}

type flowDiff struct {
	Added     []diffNode   `json:"added"`
	Removed   []diffNode   `json:"removed"`
	Changed   []diffChange `json:"changed"`
	Edges     diffEdges    `json:"edges"`
	Variables []diffField  `json:"variables"`
	Handlers  []diffField  `json:"handlers" doc:"events whose handler starts at another node, by the nodes' names"`
	Options   []diffField  `json:"options" doc:"what differs of the flow as a whole"`
}

type tryInput struct {
	IDInput
	Body struct {
		Version int            `json:"version,omitempty" minimum:"0" doc:"0: the latest"`
		Model   *flowModel     `json:"model,omitempty" doc:"plays this edited flow, which is not stored; needs the right to store it"`
		Script  map[string]any `json:"script,omitempty" doc:"what the caller, servers and agents do: from, to, digits, http and so on, as in files of flow tests"`
	}
}

type tryStep struct {
	At     float64 `json:"at" doc:"seconds since the call came in"`
	Thread int     `json:"thread"`
	Node   string  `json:"node" doc:"the node's id"`
	Name   string  `json:"name"`
	Op     string  `json:"op"`
	Port   string  `json:"port" doc:"empty: the node waits, or the way ends here"`
	Detail string  `json:"detail"`
}

type tryPrompt struct {
	At   float64 `json:"at"`
	Node string  `json:"node" doc:"the node's name"`
	Text string  `json:"text"`
}

type tryRequest struct {
	At      float64 `json:"at"`
	Node    string  `json:"node" doc:"the node's name"`
	Method  string  `json:"method"`
	URL     string  `json:"url"`
	Body    string  `json:"body"`
	Status  int     `json:"status" doc:"0: no answer"`
	Error   string  `json:"error"`
	Matched bool    `json:"matched" doc:"false: the script had no answer, and 404 was given"`
}

type tryEnd struct {
	Reason string `json:"reason" enum:"contactEnded,goto,test,budget,stuck"`
	By     string `json:"by"`
	Detail string `json:"detail"`
}

type flowTry struct {
	Version  int          `json:"version"`
	Seconds  float64      `json:"seconds" doc:"how long the call would have lasted"`
	End      tryEnd       `json:"end"`
	Steps    []tryStep    `json:"steps"`
	Prompts  []tryPrompt  `json:"prompts"`
	Requests []tryRequest `json:"requests"`
	// Suite is the run as a suite of flowtest.
	Suite map[string]any `json:"suite" doc:"a suite for flow tests with this one call, which expects what has happened"`
}

func (a *API) flowEditOps() {
	model := op("PUT", "/flows/{id}/model", "editFlow", "Store an edited flow as a new version", "flows", 200)
	model.MaxBodyBytes = maxImport
	add(a, model, a.editFlow)
	add(a, op("POST", "/flows/{id}/restore", "restoreFlow", "Make an old version the newest", "flows", 200), a.restoreFlow)
	add(a, op("GET", "/flows/{id}/diff", "diffFlow", "What differs between two versions", "flows", 200), a.diffFlow)
	test := op("POST", "/flows/{id}/test", "testFlow", "Play one call through a version, without a telephone", "flows", 200)
	test.MaxBodyBytes = maxImport
	add(a, test, a.testFlow)
}

func (a *API) editFlow(ctx context.Context, in *modelInput) (*viewOutput[flowDetail], error) {
	version, err := seen(in.IfMatch)
	if err != nil {
		return nil, err
	}
	if version != 0 && version != in.Body.Version {
		return nil, errs.New(errs.Invalid, "If-Match names version %d, and the flow version %d: edit one of them", version, in.Body.Version)
	}
	e, err := in.Body.edit()
	if err != nil {
		return nil, err
	}
	d, err := a.Library.Edit(ctx, a.Tenant, in.ID, e)
	if err != nil {
		return nil, err
	}
	out, err := a.detail(ctx, d)
	return &viewOutput[flowDetail]{ETag: etag(out.Version), Body: out}, err
}

func (m *flowModel) edit() (library.Edit, error) {
	e := library.Edit{
		Version: m.Version, Note: m.Note,
		Head: library.EditHead{Name: m.Name, Description: m.Description, Kind: (*flow.Kind)(m.Kind), Start: (*flow.NodeID)(m.Start)},
	}
	if o := m.Options; o != nil {
		e.Head.Options = &flow.Options{
			MaxSteps: o.MaxSteps, Zone: o.Zone, ErrorText: o.ErrorText, Language: o.Language, Voice: o.Voice, RawInterpolation: o.RawInterpolation,
		}
	}
	for _, n := range m.Nodes {
		e.Nodes = append(e.Nodes, library.EditNode{ID: n.ID, Name: n.Name, Op: flow.Op(n.Op), In: n.In, X: n.X, Y: n.Y})
	}
	for _, v := range m.Edges {
		e.Edges = append(e.Edges, library.EditEdge{From: flow.NodeID(v.From), Port: flow.Port(v.Port), To: flow.NodeID(v.To)})
	}
	if m.Variables != nil {
		e.Vars = make([]library.EditVar, 0, len(m.Variables))
	}
	for _, v := range m.Variables {
		e.Vars = append(e.Vars, library.EditVar{Was: v.Was, Text: v.Value, Var: flow.Var{
			Name: v.Name, Type: flow.Type(v.Type), Description: v.Description, CAD: v.CAD, Label: v.Label, AgentEditable: v.Editable,
			Reportable: v.Reportable, Secure: v.Secure, Global: v.Global,
		}})
	}
	if m.Handlers != nil {
		e.On = make(map[flow.EventName]flow.NodeID, len(m.Handlers))
	}
	for _, h := range m.Handlers {
		if _, twice := e.On[flow.EventName(h.Event)]; twice {
			return e, errs.New(errs.Invalid, "the event %q has two handlers", h.Event)
		}
		e.On[flow.EventName(h.Event)] = flow.NodeID(h.Node)
	}
	return e, nil
}

func (a *API) restoreFlow(ctx context.Context, in *restoreInput) (*body[flowDetail], error) {
	d, err := a.Library.Restore(ctx, a.Tenant, in.ID, in.Body.Version)
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, d)
}

func (a *API) diffFlow(ctx context.Context, in *diffInput) (*body[flowDiff], error) {
	d, err := a.Library.Diff(ctx, a.Tenant, in.ID, in.From, in.To)
	if err != nil {
		return nil, err
	}
	out := flowDiff{
		Added: diffNodes(d.Added), Removed: diffNodes(d.Removed), Changed: []diffChange{}, Variables: diffFields(d.Variables), Handlers: diffFields(d.Handlers), Options: diffFields(d.Options),
		Edges: diffEdges{Added: diffWays(d.EdgesAdded), Removed: diffWays(d.EdgesRemoved)},
	}
	for _, c := range d.Changed {
		out.Changed = append(out.Changed, diffChange{Node: string(c.Node), Name: c.Name, Fields: diffFields(c.Fields)})
	}
	return &body[flowDiff]{Body: out}, nil
}

func diffNodes(list []library.DiffNode) []diffNode {
	out := []diffNode{}
	for _, n := range list {
		out = append(out, diffNode{ID: string(n.ID), Name: n.Name, Op: string(n.Op)})
	}
	return out
}

func diffFields(list []library.DiffField) []diffField {
	out := []diffField{}
	for _, f := range list {
		out = append(out, diffField(f))
	}
	return out
}

func diffWays(list []library.EditEdge) []flowEdge {
	out := []flowEdge{}
	for _, e := range list {
		out = append(out, flowEdge{From: string(e.From), Port: string(e.Port), To: string(e.To)})
	}
	return out
}

func (a *API) testFlow(ctx context.Context, in *tryInput) (*body[flowTry], error) {
	script, err := json.Marshal(in.Body.Script)
	if err != nil {
		return nil, fmt.Errorf("encoding a script: %w", err)
	}
	var edit *library.Edit
	if in.Body.Model != nil {
		e, err := in.Body.Model.edit()
		if err != nil {
			return nil, err
		}
		edit = &e
	}
	d, res, err := a.Library.Try(ctx, a.Tenant, in.ID, in.Body.Version, edit, script)
	if err != nil {
		return nil, err
	}
	seconds := func(o flowtest.Offset) float64 { return time.Duration(o).Seconds() }
	out := flowTry{
		Version: d.Version, Seconds: seconds(res.Took), End: tryEnd{Reason: res.End.Reason, By: res.End.By, Detail: res.End.Detail},
		Steps: []tryStep{}, Prompts: []tryPrompt{}, Requests: []tryRequest{},
	}
	for _, s := range res.Trace {
		out.Steps = append(out.Steps, tryStep{
			At: seconds(s.At), Thread: s.Thread, Node: string(s.ID), Name: s.Node, Op: string(s.Op), Port: string(s.Port), Detail: s.Detail,
		})
	}
	for _, p := range res.Prompts {
		out.Prompts = append(out.Prompts, tryPrompt{At: seconds(p.At), Node: p.Node, Text: p.Text})
	}
	for _, q := range res.Requests {
		out.Requests = append(out.Requests, tryRequest{
			At: seconds(q.At), Node: q.Node, Method: q.Method, URL: q.URL, Body: q.Body, Status: q.Status, Error: q.Error, Matched: q.Matched,
		})
	}
	out.Suite = suiteOf(d, in.Body.Script, res)
	return &body[flowTry]{Body: out}, nil
}

// suiteOf makes a test of a run: the same script, and what happened as what is expected.
func suiteOf(d *library.Detail, script map[string]any, res *flowtest.Result) map[string]any {
	prompts, requests := []string{}, []map[string]any{}
	for _, p := range res.Prompts {
		if !strings.Contains(p.Text, library.Concealed) {
			prompts = append(prompts, p.Text)
		}
	}
	for _, q := range res.Requests {
		requests = append(requests, map[string]any{"node": q.Node, "method": q.Method})
	}
	then := map[string]any{"path": res.Path(0), "prompts": prompts, "requests": requests, "end": map[string]any{"reason": res.End.Reason, "by": res.End.By}}
	if script == nil {
		script = map[string]any{}
	}
	return map[string]any{"flow": d.ID + ".json", "tests": []map[string]any{{"name": fmt.Sprintf("As version %d went", d.Version), "given": script, "then": then}}}
}

package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

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

type modelInput struct {
	IDInput
	Body struct {
		Version int        `json:"version" minimum:"1" doc:"the version that was edited, which must be the newest"`
		Note    string     `json:"note,omitempty" maxLength:"500"`
		Nodes   []editNode `json:"nodes" minItems:"1" maxItems:"5000" doc:"all of them: what is left out is deleted"`
		Edges   []flowEdge `json:"edges" maxItems:"20000"`
	}
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
}

type tryInput struct {
	IDInput
	Body struct {
		Version int            `json:"version,omitempty" minimum:"0" doc:"0: the latest"`
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
}

func (a *API) flowEditOps() {
	model := op("PUT", "/flows/{id}/model", "editFlow", "Store an edited flow as a new version", "flows", 200)
	model.MaxBodyBytes = maxImport
	add(a, model, a.editFlow)
	add(a, op("POST", "/flows/{id}/restore", "restoreFlow", "Make an old version the newest", "flows", 200), a.restoreFlow)
	add(a, op("GET", "/flows/{id}/diff", "diffFlow", "What differs between two versions", "flows", 200), a.diffFlow)
	add(a, op("POST", "/flows/{id}/test", "testFlow", "Play one call through a version, without a telephone", "flows", 200), a.testFlow)
}

func (a *API) editFlow(ctx context.Context, in *modelInput) (*body[flowDetail], error) {
	e := library.Edit{Version: in.Body.Version, Note: in.Body.Note}
	for _, n := range in.Body.Nodes {
		e.Nodes = append(e.Nodes, library.EditNode{ID: n.ID, Name: n.Name, Op: flow.Op(n.Op), In: n.In, X: n.X, Y: n.Y})
	}
	for _, v := range in.Body.Edges {
		e.Edges = append(e.Edges, library.EditEdge{From: flow.NodeID(v.From), Port: flow.Port(v.Port), To: flow.NodeID(v.To)})
	}
	d, err := a.Library.Edit(ctx, a.Tenant, in.ID, e)
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, d)
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
		Added: diffNodes(d.Added), Removed: diffNodes(d.Removed), Changed: []diffChange{}, Variables: diffFields(d.Variables),
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
	d, res, err := a.Library.Try(ctx, a.Tenant, in.ID, in.Body.Version, script)
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
	return &body[flowTry]{Body: out}, nil
}

package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/library"
	"github.com/tandemcc/tandem/internal/registry"
)

type flowSummary struct {
	ID               string    `json:"id"`
	Name             string    `json:"name"`
	Format           string    `json:"format"`
	PublishedVersion int       `json:"publishedVersion" doc:"0: none"`
	LatestVersion    int       `json:"latestVersion"`
	Problems         int       `json:"problems"`
	Unresolved       int       `json:"unresolved"`
	UpdatedAt        time.Time `json:"updatedAt"`
	EntryPoints      []string  `json:"entryPoints"`
}

type flowNode struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Op         string         `json:"op"`
	Type       string         `json:"type"`
	Group      string         `json:"group" enum:"main,event"`
	X          *float64       `json:"x"`
	Y          *float64       `json:"y"`
	Status     string         `json:"status" enum:"mapped,approximated,unsupported"`
	Properties map[string]any `json:"properties"`
	Problems   []int          `json:"problems" doc:"indexes into report.problems"`
}

type flowEdge struct {
	From string `json:"from"`
	To   string `json:"to"`
	Port string `json:"port"`
}

type flowHandler struct {
	Event string `json:"event"`
	Node  string `json:"node"`
}

type flowVariable struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Description string `json:"description"`
	Value       string `json:"value" doc:"the initial value; dots for a secure one"`
	CAD         bool   `json:"cad" doc:"shown to agents"`
	Label       string `json:"label"`
	Editable    bool   `json:"editable"`
	Reportable  bool   `json:"reportable"`
	Secure      bool   `json:"secure"`
	Global      bool   `json:"global" doc:"shared between flows by name"`
}

type flowOptions struct {
	MaxSteps         int    `json:"maxSteps" minimum:"0" maximum:"100000" doc:"steps between two waits; 0: as usual"`
	Zone             string `json:"zone" maxLength:"100" doc:"IANA time zone of dates; empty: UTC"`
	ErrorText        string `json:"errorText" maxLength:"1000" doc:"what a caller hears when nothing else handles an error"`
	Language         string `json:"language" maxLength:"40"`
	Voice            string `json:"voice" maxLength:"100"`
	RawInterpolation bool   `json:"rawInterpolation" doc:"values go into addresses and queries unescaped"`
}

type flowBinding struct {
	Kind       string `json:"kind"`
	Ref        string `json:"ref"`
	Name       string `json:"name"`
	Target     string `json:"target"`
	TargetName string `json:"targetName"`
}

type flowDetail struct {
	ID               string         `json:"id"`
	Name             string         `json:"name"`
	Format           string         `json:"format"`
	Version          int            `json:"version"`
	PublishedVersion int            `json:"publishedVersion"`
	ETag             string         `json:"etag" doc:"changes when a version is added or published"`
	Description      string         `json:"description"`
	Kind             string         `json:"kind"`
	Start            string         `json:"start" doc:"the node at which calls come in"`
	Options          flowOptions    `json:"options"`
	Nodes            []flowNode     `json:"nodes"`
	Edges            []flowEdge     `json:"edges"`
	Handlers         []flowHandler  `json:"handlers"`
	Variables        []flowVariable `json:"variables"`
	Report           *flow.Report   `json:"report"`
	Bindings         []flowBinding  `json:"bindings"`
}

type versionInput struct {
	IDInput
	Version int `path:"version" minimum:"1"`
}

type flowVersion struct {
	Version   int       `json:"version"`
	CreatedAt time.Time `json:"createdAt"`
	CreatedBy string    `json:"createdBy"`
	Note      string    `json:"note"`
	Published bool      `json:"published"`
}

func (a *API) flowOps() {
	add(a, op("GET", "/flows", "listFlows", "All flows", "flows", 200), a.listFlows)
	imp := op("POST", "/flows/import", "importFlow", "Import a flow of any known format", "flows", 201)
	imp.MaxBodyBytes, imp.SkipValidateBody = maxImport, true // the importers say what is wrong with a file
	add(a, imp, a.importFlow)
	add(a, op("GET", "/flows/{id}", "getFlow", "The latest version of a flow", "flows", 200), func(ctx context.Context, in *IDInput) (*body[flowDetail], error) {
		return a.flow(ctx, in.ID, 0)
	})
	add(a, op("GET", "/flows/{id}/versions", "listFlowVersions", "All versions of a flow", "flows", 200), a.flowVersions)
	add(a, op("GET", "/flows/{id}/versions/{version}", "getFlowVersion", "One version of a flow", "flows", 200),
		func(ctx context.Context, in *versionInput) (*body[flowDetail], error) {
			return a.flow(ctx, in.ID, in.Version)
		})
	add(a, op("POST", "/flows/{id}/mend", "mendFlow", "Apply proposed mends as a new version", "flows", 201), a.mendFlow)
	add(a, op("PUT", "/flows/{id}/bindings", "bindFlow", "Bind references to objects of this installation", "flows", 200), a.bindFlow)
	add(a, op("POST", "/flows/{id}/publish", "publishFlow", "Make a version the one that new calls run", "flows", 200), a.publishFlow)
	a.flowEditOps()
	add(a, op("GET", "/flows/{id}/export", "exportFlow", "A flow as a file: the original, or in another format", "flows", 200), a.exportFlow)
	add(a, op("GET", "/flows/{id}/written", "writeFlow", "A version as a file of a format, with what was edited", "flows", 200), a.writeFlow)
	add(a, op("DELETE", "/flows/{id}", "deleteFlow", "Delete a flow with its versions", "flows", 204), a.deleteFlow)
}

func (a *API) listFlows(ctx context.Context, _ *none) (*body[list[flowSummary]], error) {
	entries, err := a.Library.List(ctx, a.Tenant)
	if err != nil {
		return nil, err
	}
	numbers := map[string][]string{}
	points, err := a.EntryPoints.List(ctx, a.Tenant)
	if err != nil {
		return nil, err
	}
	for _, p := range points {
		numbers[p.Spec.FlowID] = append(numbers[p.Spec.FlowID], p.Spec.Number)
	}
	out := make([]flowSummary, 0, len(entries))
	for _, e := range entries {
		out = append(out, flowSummary{
			ID: e.ID, Name: e.Name, Format: e.Format, PublishedVersion: e.Published, LatestVersion: e.Latest, Problems: e.Problems,
			Unresolved: e.Unresolved, UpdatedAt: e.UpdatedAt, EntryPoints: orEmpty(numbers[e.ID]),
		})
	}
	return items(out, ""), nil
}

type importInput struct {
	Name    string `query:"name" maxLength:"200"`
	FlowID  string `query:"flowId" maxLength:"100" doc:"adds a version to this flow"`
	RawBody []byte `contentType:"application/json"`
}

type importOutput struct {
	Body struct {
		Flow flowDetail `json:"flow"`
	}
}

func (a *API) importFlow(ctx context.Context, in *importInput) (*importOutput, error) {
	d, err := a.Library.Import(ctx, a.Tenant, in.FlowID, in.Name, in.RawBody)
	if err != nil {
		return nil, err
	}
	out := &importOutput{}
	out.Body.Flow, err = a.detail(ctx, d)
	return out, err
}

func (a *API) flow(ctx context.Context, id string, version int) (*body[flowDetail], error) {
	d, err := a.Library.Get(ctx, a.Tenant, id, version)
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, d)
}

func (a *API) answer(ctx context.Context, d *library.Detail) (*body[flowDetail], error) {
	out, err := a.detail(ctx, d)
	return &body[flowDetail]{Body: out}, err
}

func (a *API) flowVersions(ctx context.Context, in *IDInput) (*body[list[flowVersion]], error) {
	versions, err := a.Library.Versions(ctx, a.Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	latest, err := a.Library.Get(ctx, a.Tenant, in.ID, 0)
	if err != nil {
		return nil, err
	}
	out := make([]flowVersion, 0, len(versions))
	for _, v := range versions {
		out = append(out, flowVersion{
			Version: v.Version, CreatedAt: v.CreatedAt, CreatedBy: v.CreatedBy, Note: v.Note, Published: v.Version == latest.Published,
		})
	}
	return items(out, ""), nil
}

type mendInput struct {
	IDInput
	Body struct {
		Version  int   `json:"version,omitempty" minimum:"0" doc:"0: the latest"`
		All      bool  `json:"all,omitempty"`
		Problems []int `json:"problems,omitempty" maxItems:"10000" doc:"indexes into report.problems"`
	}
}

func (a *API) mendFlow(ctx context.Context, in *mendInput) (*body[flowDetail], error) {
	which := in.Body.Problems
	if in.Body.All {
		which = nil
	} else if len(which) == 0 {
		return nil, errs.New(errs.Invalid, "name the problems to mend, or all")
	}
	d, err := a.Library.Mend(ctx, a.Tenant, in.ID, in.Body.Version, which)
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, d)
}

type bindingBody struct {
	Kind   string `json:"kind" maxLength:"40"`
	Ref    string `json:"ref" maxLength:"400"`
	Target string `json:"target" maxLength:"100"`
}

type bindInput struct {
	IDInput
	Body struct {
		Version  int           `json:"version,omitempty" minimum:"0"`
		Bindings []bindingBody `json:"bindings" minItems:"1" maxItems:"1000"`
	}
}

func (a *API) bindFlow(ctx context.Context, in *bindInput) (*body[flowDetail], error) {
	var bindings []library.Binding
	for _, b := range in.Body.Bindings {
		bindings = append(bindings, library.Binding{Kind: flow.RefKind(b.Kind), Ref: b.Ref, Target: b.Target})
	}
	d, err := a.Library.Bind(ctx, a.Tenant, in.ID, in.Body.Version, bindings)
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, d)
}

type publishInput struct {
	IDInput
	Body struct {
		Version int `json:"version" minimum:"1"`
	}
}

func (a *API) publishFlow(ctx context.Context, in *publishInput) (*body[flowDetail], error) {
	d, err := a.Library.Publish(ctx, a.Tenant, in.ID, in.Body.Version)
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, d)
}

type exportInput struct {
	IDInput
	Version int    `query:"version" minimum:"0"`
	Format  string `query:"format" enum:"webex,webex-v2,connect,yaml" doc:"write the flow in this format; without it the original file is given"`
}

// exportFlow gives the original file of a version, or writes the flow in the format that is asked for. How much of the flow
// the format cannot hold is told in the header Tandem-Losses, a JSON list as in "tandem flow export".
func (a *API) exportFlow(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	d, err := a.file(ctx, in.ID, in.Version)
	if err != nil {
		return nil, err
	}
	data, losses := []byte(d.Flow.Origin.Raw), []flow.Loss(nil)
	if in.Format != "" {
		if data, losses, err = a.Exporters.Export(in.Format, d.Flow); err != nil {
			return nil, err
		}
	}
	if len(data) == 0 {
		return nil, errs.New(errs.NotFound, "this version has no original file: choose a format")
	}
	ext, typ := ".json", "application/json"
	if !json.Valid(data) {
		ext, typ = ".yaml", "application/yaml"
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", typ)
		hc.SetHeader("Content-Disposition", fmt.Sprintf("attachment; filename=%q", d.ID+ext))
		if in.Format != "" {
			hc.SetHeader("Tandem-Losses", lossHeader(losses))
		}
		// An error means that the peer has gone.
		_, _ = hc.BodyWriter().Write(data)
	}}, nil
}

// maxLossHeader bounds the header, which servers between may refuse when it is long.
const maxLossHeader = 4 << 10

// lossHeader is a JSON list in ASCII; of a long one the first that fit.
func lossHeader(losses []flow.Loss) string {
	for n := len(losses); n > 0; n-- {
		data, err := json.Marshal(losses[:n])
		if s := asciiJSON(data); err == nil && len(s) <= maxLossHeader {
			return s
		}
	}
	return "[]"
}

// asciiJSON writes what is not ASCII in a JSON text as \uXXXX.
func asciiJSON(data []byte) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(string(data))) {
		if u < 0x80 {
			b.WriteByte(byte(u))
			continue
		}
		fmt.Fprintf(&b, "\\u%04x", u)
	}
	return b.String()
}

func (a *API) deleteFlow(ctx context.Context, in *IDInput) (*none, error) {
	if err := a.Authz.Check(ctx, "flow:Delete", library.ARN(a.Tenant, in.ID)); err != nil {
		return nil, err
	}
	points, err := a.EntryPoints.List(ctx, a.Tenant)
	if err != nil {
		return nil, err
	}
	for _, p := range points {
		if p.Spec.FlowID == in.ID {
			return nil, errs.New(errs.Conflict, "the entry point %s runs this flow; point it to another one first", p.Spec.Number)
		}
	}
	return &none{}, a.Library.Delete(ctx, a.Tenant, in.ID)
}

// detail draws a flow: nodes in a fixed order, handlers' nodes in their own group.
func (a *API) detail(ctx context.Context, d *library.Detail) (flowDetail, error) {
	f := d.Flow
	out := flowDetail{
		ID: d.ID, Name: d.Name, Format: d.Format, Version: d.Version, PublishedVersion: d.Published, ETag: fmt.Sprintf("%d-%d", d.Latest, d.Published),
		Description: f.Description, Kind: string(f.Kind), Start: string(f.Start), Options: optionsOf(f.Options),
		Nodes: []flowNode{}, Edges: []flowEdge{}, Handlers: []flowHandler{}, Variables: []flowVariable{}, Report: d.Report, Bindings: []flowBinding{},
	}
	main := reachable(f, f.Start)
	problems := map[string][]int{}
	for i, p := range d.Report.Problems {
		problems[p.Node] = append(problems[p.Node], i)
	}
	for _, id := range slices.Sorted(maps.Keys(f.Nodes)) {
		n := f.Nodes[id]
		node := flowNode{
			ID: string(id), Name: n.Name, Op: string(n.Op), Type: cmp.Or(n.Type, string(n.Op)), Group: "event", Status: status(n, d.Report),
			Properties: library.Properties(n), Problems: orEmpty(problems[n.Name]),
		}
		if main[id] {
			node.Group = "main"
		}
		if at, ok := f.Layout[id]; ok {
			node.X, node.Y = &at.X, &at.Y
		}
		out.Nodes = append(out.Nodes, node)
		for _, port := range slices.Sorted(maps.Keys(n.Exits)) {
			out.Edges = append(out.Edges, flowEdge{From: string(id), To: string(n.Exits[port]), Port: string(port)})
		}
	}
	for _, ev := range slices.Sorted(maps.Keys(f.On)) {
		out.Handlers = append(out.Handlers, flowHandler{Event: string(ev), Node: string(f.On[ev])})
	}
	for _, v := range f.Vars {
		out.Variables = append(out.Variables, variableOf(v))
	}
	var err error
	out.Bindings, err = a.bindings(ctx, f)
	return out, err
}

func variableOf(v flow.Var) flowVariable {
	value := flow.Source(flow.Lit(v.Value))
	if v.Secure {
		value = "••••"
	}
	return flowVariable{
		Name: v.Name, Type: string(v.Type), Description: v.Description, Value: value, CAD: v.CAD, Label: v.Label, Editable: v.AgentEditable,
		Reportable: v.Reportable, Secure: v.Secure, Global: v.Global,
	}
}

func optionsOf(o flow.Options) flowOptions {
	return flowOptions{
		MaxSteps: o.MaxSteps, Zone: o.Zone, ErrorText: o.ErrorText, Language: o.Language, Voice: o.Voice, RawInterpolation: o.RawInterpolation,
	}
}

func reachable(f *flow.Flow, from flow.NodeID) map[flow.NodeID]bool {
	seen := map[flow.NodeID]bool{}
	todo := []flow.NodeID{from}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := f.Nodes[id]
		if n == nil || seen[id] {
			continue
		}
		seen[id] = true
		for _, next := range n.Exits {
			todo = append(todo, next)
		}
	}
	return seen
}

func status(n *flow.Node, r *flow.Report) string {
	for _, u := range r.Unsupported {
		if u.Node == n.Name {
			return "unsupported"
		}
	}
	return "mapped"
}

// bindings lists the flow's references once each, with what they are bound to.
func (a *API) bindings(ctx context.Context, f *flow.Flow) ([]flowBinding, error) {
	out := []flowBinding{}
	seen := map[string]bool{}
	for _, r := range f.Refs {
		key := string(r.Kind) + "/" + cmp.Or(r.ID, r.Name)
		if seen[key] {
			continue
		}
		seen[key] = true
		b := flowBinding{Kind: string(r.Kind), Ref: cmp.Or(r.ID, r.Name), Name: r.Name, Target: r.Bound}
		name, err := a.nameOf(ctx, r)
		if err != nil {
			return nil, err
		}
		b.TargetName = name
		out = append(out, b)
	}
	return out, nil
}

func (a *API) nameOf(ctx context.Context, r flow.Ref) (name string, err error) {
	if r.Bound == "" {
		return "", nil
	}
	ctx = caller.As(ctx, a.Self) // who may read a flow may read what its references are called
	switch r.Kind {
	case flow.RefQueue:
		name, err = nameIn(ctx, a.Tenant, a.Queues, r.Bound)
	case flow.RefConnector:
		name, err = nameIn(ctx, a.Tenant, a.Connectors, r.Bound)
	case flow.RefHours:
		name, err = nameIn(ctx, a.Tenant, a.Hours, r.Bound)
	case flow.RefFunction:
		name, err = nameIn(ctx, a.Tenant, a.Functions, r.Bound)
	case flow.RefFlow:
		o, e := a.Library.Get(ctx, a.Tenant, r.Bound, 0)
		if err = e; e == nil {
			name = o.Name
		}
	default:
		name = r.Bound
	}
	if errs.Is(err, errs.NotFound) {
		return "(deleted)", nil
	}
	return name, err
}

// nameIn is the name of an object.
func nameIn[T any](ctx context.Context, tenant string, c *registry.Collection[T], id string) (string, error) {
	o, err := c.Get(ctx, tenant, id)
	return o.Name, err
}

package library

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
)

// Limits of an edited flow.
const (
	maxNodes = 5000
	maxEdges = 20_000
	maxName  = 200 // of a node or a port, in bytes
	maxNote  = 500 // in bytes
)

// EditNode is a step as it is to be. In is as Properties shows it; nil leaves it as it is. X and Y are its place; nil
// leaves it where it is.
type EditNode struct {
	ID, Name string
	Op       flow.Op
	In       map[string]any
	X, Y     *float64
}

// EditEdge is a way from one step to the next.
type EditEdge struct {
	From flow.NodeID
	Port flow.Port
	To   flow.NodeID
}

// Edit is a whole flow as it is to be: nodes that it leaves out are removed, unknown ones are added.
type Edit struct {
	// Version is the version that was edited, which must still be the newest.
	Version int
	Note    string // empty: a note that counts the changes
	Nodes   []EditNode
	Edges   []EditEdge
	Head    EditHead
	// Vars are all variables; nil leaves them as they are.
	Vars []EditVar
	// On is where the handlers start; nil leaves them as they are.
	On map[flow.EventName]flow.NodeID
}

// Ops are the operations that a step may be added with, in the order of their names.
func Ops() []flow.Op {
	return []flow.Op{
		flow.OpBot, flow.OpCallback, flow.OpCase, flow.OpCollect, flow.OpCompare, flow.OpCond, flow.OpEnd, flow.OpEndSub, flow.OpEvent, flow.OpFunction,
		flow.OpGoto, flow.OpHangup, flow.OpHooks, flow.OpHours, flow.OpHTTP, flow.OpLoop, flow.OpLoopPrompts, flow.OpMenu, flow.OpMetric,
		flow.OpMusic, flow.OpParse, flow.OpPass, flow.OpPop, flow.OpPriority, flow.OpQueue, flow.OpQueueAgent, flow.OpQueueInfo, flow.OpRecord,
		flow.OpCallerID, flow.OpHash, flow.OpOTP, flow.OpRecordMessage, flow.OpSendDigits, flow.OpStream, flow.OpTask, flow.OpVerifyOTP, flow.OpView,
		flow.OpRouting, flow.OpSay, flow.OpSet, flow.OpSetQueue, flow.OpSplit, flow.OpSub, flow.OpTransfer, flow.OpWait,
	}
}

// Edit stores an edited flow as the next version. A flow that cannot run is stored too, its report says what is wrong;
// errs.Invalid is for what is no flow: an unknown operation, an edge to nowhere, no start. errs.Conflict says that
// somebody has stored a version in the meantime, and nothing was stored.
func (s *Service) Edit(ctx context.Context, tenant, id string, e Edit) (*Detail, error) {
	if err := s.Authz.Check(ctx, "flow:Import", ARN(tenant, id)); err != nil {
		return nil, err
	}
	if e.Version <= 0 {
		return nil, errs.New(errs.Invalid, "say which version was edited")
	}
	d, err := s.load(ctx, tenant, id, e.Version)
	if err != nil {
		return nil, err
	}
	if d.Latest != e.Version {
		return nil, s.Store.View(ctx, func(tx Tx) error { return outdated(ctx, tx, d.Entry, e.Version) })
	}
	f, err := apply(d.Flow, d.Format, e)
	if err != nil {
		return nil, err
	}
	rename := f.Name != d.Flow.Name
	note := strings.TrimSpace(e.Note)
	if note == "" {
		note = "Edited: " + compare(d.Flow, f).summary()
	}
	if len(note) > maxNote {
		return nil, errs.New(errs.Invalid, "a note has at most %d characters", maxNote)
	}
	return s.add(ctx, tenant, draft{flowID: id, flow: f, report: examine(d.Report, d.Flow, f), note: note, after: e.Version, rename: rename})
}

// Restore stores an old version again as the newest one.
func (s *Service) Restore(ctx context.Context, tenant, id string, version int) (*Detail, error) {
	if err := s.Authz.Check(ctx, "flow:Import", ARN(tenant, id)); err != nil {
		return nil, err
	}
	d, err := s.load(ctx, tenant, id, version)
	if err != nil {
		return nil, err
	}
	if d.Version == d.Latest {
		return nil, errs.New(errs.Conflict, "version %d is the newest already", d.Version)
	}
	return s.add(ctx, tenant, draft{flowID: id, flow: d.Flow, report: d.Report, note: fmt.Sprintf("Version %d restored", d.Version)})
}

// outdated says who has stored the newest version.
func outdated(ctx context.Context, tx Tx, e Entry, seen int) error {
	v, err := tx.FlowVersion(ctx, e.Tenant, e.ID, e.Latest)
	if err != nil {
		return err
	}
	return errs.New(errs.Conflict, "version %d was saved by %s in the meantime, after the version %d that was edited; nothing was saved",
		e.Latest, cmp.Or(v.CreatedBy, "somebody"), seen)
}

// apply returns a changed copy of a flow.
func apply(old *flow.Flow, format string, e Edit) (*flow.Flow, error) {
	if len(e.Nodes) > maxNodes || len(e.Edges) > maxEdges {
		return nil, errs.New(errs.Invalid, "a flow has at most %d steps and %d ways between them", maxNodes, maxEdges)
	}
	f := old.Clone()
	f.Nodes = make(map[flow.NodeID]*flow.Node, len(e.Nodes))
	ed := editor{old: old.Clone(), f: f, read: reader{connect: strings.Contains(format, "connect"), texts: strings.Contains(format, "webex")}, names: map[string]int{}}
	for _, n := range e.Nodes {
		ed.names[strings.TrimSpace(n.Name)]++
	}
	for _, n := range e.Nodes {
		if err := ed.node(n); err != nil {
			return nil, err
		}
	}
	if err := ed.whole(e); err != nil {
		return nil, err
	}
	ed.tidy()
	return f, nil
}

// whole changes all but the steps themselves.
func (ed *editor) whole(e Edit) error {
	if err := ed.head(e.Head); err != nil {
		return err
	}
	if ed.f.Nodes[ed.f.Start] == nil {
		return errs.New(errs.Invalid, "the step at which the flow starts cannot be deleted")
	}
	for _, edge := range e.Edges {
		if err := ed.edge(edge); err != nil {
			return err
		}
	}
	if e.Vars != nil {
		if err := ed.vars(e.Vars); err != nil {
			return err
		}
	}
	if e.On != nil {
		return ed.handlers(e.On)
	}
	return nil
}

// editor builds the new flow f from the old one, whose nodes it takes over.
type editor struct {
	old, f *flow.Flow
	read   reader
	names  map[string]int // how many steps are to have it
}

func (ed *editor) node(e EditNode) error {
	n, err := ed.start(e)
	if err != nil {
		return err
	}
	if e.In != nil {
		before := refInputs(n)
		if err := ed.read.inputs(n, e.In); err != nil {
			return err
		}
		if after := refInputs(n); !maps.Equal(before, after) {
			ed.refer(n, after)
		}
	}
	n.Exits = nil
	ed.f.Nodes[n.ID] = n
	if e.X != nil && e.Y != nil {
		if ed.f.Layout == nil {
			ed.f.Layout = map[flow.NodeID]flow.Point{}
		}
		ed.f.Layout[n.ID] = flow.Point{X: *e.X, Y: *e.Y}
	}
	return nil
}

// start returns the old node, or a new one, with its new name.
func (ed *editor) start(e EditNode) (*flow.Node, error) {
	id := flow.NodeID(e.ID)
	name := strings.TrimSpace(e.Name)
	if id == "" || len(id) > maxName || len(name) > maxName {
		return nil, errs.New(errs.Invalid, "a step's id and name have 1 to %d characters", maxName)
	}
	if ed.f.Nodes[id] != nil {
		return nil, errs.New(errs.Invalid, "the step %q is there twice", e.ID)
	}
	n := ed.old.Nodes[id]
	switch {
	case n == nil && !slices.Contains(Ops(), e.Op):
		return nil, errs.New(errs.Invalid, "a step cannot be added with the operation %.40q", e.Op)
	case n == nil:
		n = &flow.Node{ID: id, Op: e.Op}
	case n.Op != e.Op:
		return nil, errs.New(errs.Invalid, "the operation of step %q cannot be changed: add another step", n.Name)
	}
	if name != n.Name && (name == "" || ed.names[name] > 1) {
		return nil, errs.New(errs.Invalid, "the step %q needs a name that no other has", cmp.Or(name, e.ID))
	}
	n.Name = name
	return n, nil
}

func (ed *editor) edge(e EditEdge) error {
	from := ed.f.Nodes[e.From]
	if from == nil || ed.f.Nodes[e.To] == nil {
		return errs.New(errs.Invalid, "a way leads from %q to %q, and one of them is not there", e.From, e.To)
	}
	if e.Port == "" || len(e.Port) > maxName {
		return errs.New(errs.Invalid, "the way from %q to %q needs a name of 1 to %d characters", e.From, e.To, maxName)
	}
	if from.Exits[e.Port] != "" {
		return errs.New(errs.Invalid, "two ways lead from %q by %q", from.Name, e.Port)
	}
	if from.Exits == nil {
		from.Exits = map[flow.Port]flow.NodeID{}
	}
	from.Exits[e.Port] = e.To
	return nil
}

// tidy lets go of what belonged to removed nodes.
func (ed *editor) tidy() {
	f := ed.f
	gone := func(id flow.NodeID) bool { return f.Nodes[id] == nil }
	maps.DeleteFunc(f.On, func(_ flow.EventName, id flow.NodeID) bool { return gone(id) })
	maps.DeleteFunc(f.Layout, func(id flow.NodeID, _ flow.Point) bool { return gone(id) })
	maps.DeleteFunc(f.Links, func(_ string, id flow.NodeID) bool { return gone(id) })
	f.Refs = slices.DeleteFunc(f.Refs, func(r flow.Ref) bool { return r.Node != "" && ed.old.Nodes[r.Node] != nil && gone(r.Node) })
}

// refInput is an input that names something outside the flow.
type refInput struct {
	kind flow.RefKind
	name string // the input; its text for people is in the input of that name and "Name"
}

// refInputs returns the texts by which a node names things outside the flow.
func refInputs(n *flow.Node) map[refInput]string {
	inputs := map[flow.Op]refInput{
		flow.OpHTTP: {flow.RefConnector, "connector"}, flow.OpQueue: {flow.RefQueue, "queue"}, flow.OpQueueAgent: {flow.RefQueue, "queue"},
		flow.OpQueueInfo: {flow.RefQueue, "queue"}, flow.OpCallback: {flow.RefQueue, "queue"}, flow.OpSetQueue: {flow.RefQueue, "queue"},
		flow.OpMetric: {flow.RefQueue, "queue"}, flow.OpHours: {flow.RefHours, "hours"}, flow.OpGoto: {flow.RefFlow, "flow"},
		flow.OpSub: {flow.RefFlow, "flow"}, flow.OpBot: {flow.RefBot, "bot"}, flow.OpFunction: {flow.RefFunction, "function"},
	}
	in, named := inputs[n.Op]
	if !named {
		return nil
	}
	out := map[refInput]string{}
	for _, name := range []string{in.name, in.name + "Name"} {
		if text, ok := n.In[name].Lit.(string); ok && text != "" {
			out[refInput{in.kind, name}] = text
		}
	}
	return out
}

// refer replaces the references of a node by those its inputs name now; what is bound already stays so.
func (ed *editor) refer(n *flow.Node, texts map[refInput]string) {
	ref := flow.Ref{Node: n.ID}
	for in, text := range texts {
		ref.Kind = in.kind
		if strings.HasSuffix(in.name, "Name") {
			ref.Name = text
		} else {
			ref.ID = text
		}
	}
	keep := func(r flow.Ref) bool {
		return r.Node != n.ID || ref.Kind == "" || r.Kind != ref.Kind || r.ID == ref.ID && r.Name == ref.Name
	}
	ed.f.Refs = slices.DeleteFunc(ed.f.Refs, func(r flow.Ref) bool { return !keep(r) })
	ref.ID = cmp.Or(ref.ID, ref.Name)
	known := slices.ContainsFunc(ed.f.Refs, func(r flow.Ref) bool { return r.Node == n.ID && r.Kind == ref.Kind })
	if ref.ID != "" && !known {
		ed.f.Refs = append(ed.f.Refs, ref)
	}
}

// examine brings a report up to date with an edited flow.
func examine(old *flow.Report, before, after *flow.Flow) *flow.Report {
	r := *old
	r.Nodes, r.Edges, r.Handlers = len(after.Nodes), 0, len(after.On)
	renamed, added, dropped := map[string]string{}, 0, 0
	for id, n := range after.Nodes {
		r.Edges += len(n.Exits)
		if was := before.Nodes[id]; was != nil {
			renamed[was.Name] = n.Name
		} else {
			added++
		}
	}
	r.Unsupported = []flow.Unsupported{}
	for _, u := range old.Unsupported {
		if name, still := renamed[u.Node]; still {
			u.Node = name
			r.Unsupported = append(r.Unsupported, u)
		}
	}
	for id, n := range before.Nodes {
		gone := after.Nodes[id] == nil
		if gone && !slices.ContainsFunc(old.Unsupported, func(u flow.Unsupported) bool { return u.Node == n.Name }) {
			dropped++
		}
	}
	r.Mapped = max(0, r.Mapped+added-dropped)
	r.Problems = append([]flow.Problem{}, flow.Lint(after)...)
	if _, err := flow.Compile(after); err != nil && len(r.Problems) == 0 {
		r.Problems = append(r.Problems, flow.Problem{Position: -1, Message: "the flow cannot run: " + err.Error(), Fix: "mend it before it is published"})
	}
	return &r
}

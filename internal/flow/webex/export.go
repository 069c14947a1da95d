package webex

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tandemcc/tandem/internal/flow"
)

// Exporter writes raw exports, as the Flow Designer reads them. The zero value is ready and safe for concurrent use.
type Exporter struct{}

// V2Exporter writes FlowV2. The zero value is ready and safe for concurrent use.
type V2Exporter struct{}

var (
	_ flow.Exporter = Exporter{}
	_ flow.Exporter = V2Exporter{}
)

// Format returns the format's name.
func (Exporter) Format() string { return Format }

// Format returns the format's name.
func (V2Exporter) Format() string { return FormatV2 }

// Export writes a flow as a raw export. One that came as such keeps everything of its file; any other is written anew, and
// what it cannot say there is lost.
func (Exporter) Export(f *flow.Flow) ([]byte, []flow.Loss, error) {
	return export(f, Format, Importer{}, rawLayout{})
}

// Export writes a flow as FlowV2, as [Exporter] does raw exports.
func (V2Exporter) Export(f *flow.Flow) ([]byte, []flow.Loss, error) {
	return export(f, FormatV2, V2Importer{}, v2Layout{})
}

// Export writes a flow as a raw export, without naming the losses.
func Export(f *flow.Flow) ([]byte, error) {
	data, _, err := Exporter{}.Export(f)
	return data, err
}

// ExportV2 writes a flow as FlowV2, without naming the losses.
func ExportV2(f *flow.Flow) ([]byte, error) {
	data, _, err := V2Exporter{}.Export(f)
	return data, err
}

// layout is how one of the two forms holds activities and links.
type layout interface {
	// part is the object that holds the activities of the main part or, by name, of an event flow.
	part(doc props, name string) props
	// activities calls fn for each activity of a part in the importer's order, with its identifier.
	activities(part props, fn func(i int, id string, a props))
	addActivity(part props, id string, a map[string]any)
	removeActivity(part props, id string)
	links(part props) []any
	setLinks(part props, links []any)
	// ends are the identifiers that a link names, and their keys.
	ends() (from, to string)
	// name is the port a link leaves by, and setName writes it.
	name(link props) string
	setName(link map[string]any, name string)
	empty(f *flow.Flow) props
}

// spot is where a node's activity stands.
type spot struct {
	obj  props
	part string
	id   string // in the document
}

// exporting is one export at work.
type exporting struct {
	f      *flow.Flow
	base   *flow.Flow
	doc    props
	lay    layout
	at     map[flow.NodeID]spot
	losses []flow.Loss
}

func (ex *exporting) lose(n *flow.Node, field, format string, args ...any) {
	l := flow.Loss{Field: field, What: fmt.Sprintf(format, args...)}
	if n != nil {
		l.Node = n.Name
	}
	ex.losses = append(ex.losses, l)
}

func export(f *flow.Flow, format string, im flow.Importer, lay layout) ([]byte, []flow.Loss, error) {
	ex := &exporting{f: f, base: &flow.Flow{Nodes: map[flow.NodeID]*flow.Node{}}, lay: lay, at: make(map[flow.NodeID]spot)}
	if f.Origin.Format == format {
		doc, err := object(f.Origin.Raw)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the flow's source: %w", err)
		}
		base, _, err := im.Import(f.Origin.Raw)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the flow's source: %w", err)
		}
		ex.doc, ex.base = doc, base
		ex.index()
	} else {
		ex.doc = lay.empty(f)
	}
	ex.run()
	data, err := flow.Encode(map[string]any(ex.doc))
	return data, ex.losses, err
}

// partNames are the event flows of a document in the importer's order, after the main part "".
func (ex *exporting) partNames() []string {
	events := ex.doc.obj("eventFlows")
	if m := events.obj("eventsMap"); m != nil {
		events = m
	}
	names := []string{""}
	for _, name := range slices.Sorted(maps.Keys(events)) {
		if asProps(events[name]) != nil {
			names = append(names, name)
		}
	}
	return names
}

// index finds the activities of the nodes, which the importer named in the same way.
func (ex *exporting) index() {
	for _, part := range ex.partNames() {
		ex.lay.activities(ex.lay.part(ex.doc, part), func(i int, id string, a props) {
			nid := flow.NodeID(id)
			if _, taken := ex.at[nid]; taken {
				nid = flow.NodeID(part + ":" + id)
				if _, ok := ex.lay.(v2Layout); ok {
					nid = flow.NodeID(fmt.Sprintf("%s:%s#%d", part, id, i+1))
				}
			}
			ex.at[nid] = spot{a, part, id}
		})
	}
}

// run brings the document to what the flow says.
func (ex *exporting) run() {
	for _, id := range slices.Sorted(maps.Keys(ex.base.Nodes)) {
		if s := ex.at[id]; ex.f.Nodes[id] == nil && s.obj != nil {
			ex.remove(s)
			delete(ex.at, id)
		}
	}
	ids := slices.Sorted(maps.Keys(ex.f.Nodes))
	for _, id := range ids {
		if _, ok := ex.at[id]; !ok {
			ex.add(ex.f.Nodes[id])
		}
	}
	if n := ex.f.Nodes[ex.f.Start]; len(ex.base.Nodes) == 0 && (n == nil || n.Op != flow.OpStart) {
		ex.begin()
	}
	for _, id := range ids {
		n, b := ex.f.Nodes[id], ex.base.Nodes[id]
		if b == nil {
			b = &flow.Node{Op: n.Op}
		} else {
			ex.edit(b, n)
		}
		for _, port := range flow.ChangedExits(b, n) {
			ex.exit(b, n, port)
		}
	}
	ex.head()
}

// remove takes an activity out, with what leads from it and to it.
func (ex *exporting) remove(s spot) {
	part := ex.lay.part(ex.doc, s.part)
	ex.lay.removeActivity(part, s.id)
	from, to := ex.lay.ends()
	ex.lay.setLinks(part, slices.DeleteFunc(ex.lay.links(part), func(l any) bool {
		p := asProps(l)
		return p.text(from) == s.id || p.text(to) == s.id
	}))
	delete(ex.doc.obj("diagram").obj("widgets"), s.id)
}

// edit writes what has changed in an activity. The diagram repeats its properties.
func (ex *exporting) edit(b, n *flow.Node) {
	s := ex.at[n.ID]
	edits, shapes := flow.Edits(b, n)
	pr := s.obj.obj("properties")
	if n.Name != b.Name {
		for _, o := range []props{s.obj, pr} {
			if o.text("name") == b.Name {
				o["name"] = n.Name
			}
		}
	}
	if n.Op != b.Op || len(shapes) > 0 {
		name, fresh := ex.encode(n)
		if name == "" {
			ex.lose(n, strings.Join(shapes, ", "), "the change has no form in Webex")
			return
		}
		if pr == nil {
			pr = props{}
			s.obj["properties"] = map[string]any(pr)
		}
		maps.Copy(pr, fresh)
		return
	}
	widget := ex.doc.obj("diagram").obj("widgets").obj(s.id).obj("properties")
	for _, e := range edits {
		if pr == nil || !flow.PutField(pr, e) {
			ex.lose(n, e.Field, "the change to %q could not be written", e.New)
			continue
		}
		twins(pr, e)
		if widget != nil && flow.PutField(widget, e) {
			twins(widget, e)
		}
	}
}

// twins changes the fields that repeat another: X:suffix and X_suffix, and the first assignment of several at the top.
func twins(p props, e flow.Edit) {
	var others []string
	if rest, ok := strings.CutPrefix(e.Field, "setVariablesArray[0]."); ok {
		others = append(others, rest)
	}
	for _, f := range append(slices.Clone(others), e.Field) {
		head, tail := "", f
		if i := strings.LastIndex(f, "."); i >= 0 {
			head, tail = f[:i+1], f[i+1:]
		}
		switch tail {
		case "expr":
			others = append(others, head+"literal")
		case "literal":
			others = append(others, head+"expr")
		}
	}
	name, rest := e.Field, ""
	if i := strings.IndexAny(name, ".["); i >= 0 {
		name, rest = name[:i], name[i:]
	}
	for _, pair := range [][2]string{{":", "_"}, {"_", ":"}} {
		if base, suffix, ok := strings.Cut(name, pair[0]); ok {
			others = append(others, base+pair[1]+suffix+rest)
		}
	}
	for _, o := range others {
		flow.PutField(p, flow.Edit{Field: o, Old: e.Old, New: e.New})
	}
}

// exit changes where a port leads.
func (ex *exporting) exit(b, n *flow.Node, port flow.Port) {
	s := ex.at[n.ID]
	if s.obj == nil {
		return
	}
	name := b.PortNames[port]
	if name == "" {
		name = portName(n, port)
	}
	part := ex.lay.part(ex.doc, s.part)
	links := ex.lay.links(part)
	from, to := ex.lay.ends()
	i := slices.IndexFunc(links, func(l any) bool {
		p := asProps(l)
		start := p.text(from)
		return (start == s.id || start == s.obj.text("name") && start != "") && ex.lay.name(p) == name
	})
	target, ok := ex.at[ex.follow(n.Exits[port])]
	switch {
	case n.Exits[port] == "" || !ok:
		if i >= 0 {
			ex.lay.setLinks(part, slices.Delete(links, i, i+1))
		}
	case target.part != s.part:
		ex.lose(n, string(port), "a way cannot lead from one event flow into another part")
	case i >= 0:
		asProps(links[i])[to] = target.id
	default:
		l := map[string]any{"id": fmt.Sprintf("%s-%s", s.id, name), from: s.id, to: target.id}
		ex.lay.setName(l, name)
		ex.lay.setLinks(part, append(links, l))
	}
}

// follow passes nodes that have no form.
func (ex *exporting) follow(id flow.NodeID) flow.NodeID {
	for range len(ex.f.Nodes) {
		n := ex.f.Nodes[id]
		if _, ok := ex.at[id]; ok || n == nil {
			return id
		}
		id = n.Exits[flow.PortOK]
	}
	return id
}

// head writes the name, the variables, the handlers and the places on the canvas.
func (ex *exporting) head() {
	if ex.f.Name != ex.base.Name && ex.base.Name != "" {
		ex.doc["name"] = ex.f.Name
	}
	if ex.f.Description != ex.base.Description {
		ex.doc["description"] = ex.f.Description
	}
	ex.variables()
	ex.handlers()
	widgets := ex.doc.obj("diagram").obj("widgets")
	for id, p := range ex.f.Layout {
		s := ex.at[id]
		w := widgets.obj(s.id)
		if p == ex.base.Layout[id] || w == nil {
			continue
		}
		w["point"] = map[string]any{"x": p.X, "y": p.Y}
	}
}

// variables writes what was changed in the declarations.
func (ex *exporting) variables() {
	old := make(map[string]flow.Var, len(ex.base.Vars))
	for _, v := range ex.base.Vars {
		old[v.Name] = v
	}
	list := ex.doc.list("variables")
	have := make(map[string]bool)
	for _, v := range ex.f.Vars {
		have[v.Name] = true
		b, known := old[v.Name]
		if !known {
			if !strings.HasPrefix(v.Name, "$") {
				list = append(list, variable(v))
			}
			continue
		}
		i := slices.IndexFunc(list, func(x any) bool { return asProps(x).text("name") == v.Name })
		o, now, was := asProps(list[i]), variable(v), variable(b)
		for key := range now {
			if fmt.Sprint(now[key]) != fmt.Sprint(was[key]) {
				o[key] = now[key]
			}
		}
	}
	list = slices.DeleteFunc(list, func(x any) bool {
		name := asProps(x).text("name")
		_, known := old[name]
		return known && !have[name]
	})
	if len(list) > 0 || ex.doc["variables"] != nil {
		ex.doc["variables"] = list
	}
}

// variable writes a declaration.
func variable(v flow.Var) map[string]any {
	typ := v.Type
	if typ == "" {
		typ = flow.TypeString
	}
	source := ""
	if v.Global {
		source = "GLOBAL_TM"
	}
	return map[string]any{
		"name": v.Name, "type": string(typ), "value": v.Value, "description": v.Description, "isCAD": v.CAD, "desktopLabel": v.Label,
		"isAgentEditable": v.AgentEditable, "isReportable": v.Reportable, "isSecure": v.Secure, "source": source,
	}
}

// specOf names an event as Webex does.
func specOf(ev flow.EventName) string {
	switch ev {
	case flow.OnAgentOffered:
		return "AgentOfferContact"
	case flow.OnAgentAnswered:
		return "AgentContactAssigned"
	case flow.OnAgentDisconnected:
		return "FCAsk(ContactLastAgentRemoved)"
	case flow.OnContactEnded:
		return "ContactEnded"
	case flow.OnError:
		return "GlobalErrorHandling"
	}
	return string(ev)
}

// handlers writes which activity handles which event.
func (ex *exporting) handlers() {
	events := mergedEvents(ex.base.On, ex.f.On)
	for _, ev := range slices.Sorted(maps.Keys(events)) {
		id := ex.f.On[ev]
		if id == ex.base.On[ev] {
			continue
		}
		s := ex.at[ex.follow(id)]
		if id == "" {
			s = ex.at[ex.base.On[ev]]
		}
		if s.part == "" {
			ex.lose(ex.f.Nodes[id], "on", "the handler of %s does not stand in an event flow", ev)
			continue
		}
		wired := ex.wired(s.part)
		spec := specOf(ev)
		for name := range wired {
			if EventOf(name) == ev {
				spec = name
			}
		}
		if id == "" {
			delete(wired, spec)
			continue
		}
		wired[spec] = s.id
	}
}

func mergedEvents(a, b map[flow.EventName]flow.NodeID) map[flow.EventName]bool {
	out := make(map[flow.EventName]bool)
	for ev := range a {
		out[ev] = true
	}
	for ev := range b {
		out[ev] = true
	}
	return out
}

// wired is the table of handlers of an event flow.
func (ex *exporting) wired(part string) map[string]any {
	events := ex.doc.obj("eventFlows")
	if m := events.obj("eventsMap"); m != nil {
		events = m
	}
	p := events.obj(part)
	w, _ := p["onEvents"].(map[string]any)
	if w == nil {
		w = map[string]any{}
		if p != nil {
			p["onEvents"] = w
		}
	}
	return w
}

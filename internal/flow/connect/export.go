package connect

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/flow"
)

// Exporter writes the Flow language of version 2019-10-30. The zero value is ready and safe for concurrent use.
type Exporter struct{}

var _ flow.Exporter = Exporter{}

// Format returns the format's name.
func (Exporter) Format() string { return Format }

// Export writes a flow in the Flow language. A flow that came from Amazon Connect keeps everything of its file, its wrapper
// included; one that came as an older export is translated; any other is written anew, and what it cannot say there is lost.
func (Exporter) Export(f *flow.Flow) ([]byte, []flow.Loss, error) { return Convert(f) }

// Export is [Convert] without the losses.
func Export(f *flow.Flow) ([]byte, error) {
	data, _, err := Convert(f)
	return data, err
}

// Convert writes a flow in the Flow language and says what is lost.
func Convert(f *flow.Flow) ([]byte, []flow.Loss, error) {
	ex := &exporting{f: f, taken: make(map[string]bool)}
	var top props
	var path []string
	switch f.Origin.Format {
	case Format:
		t, err := decode(f.Origin.Raw)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the flow's source: %w", err)
		}
		doc, p, ok := unwrap(t, isFlow, 0)
		if !ok {
			return nil, nil, errors.New("the flow's source is no flow of Amazon Connect")
		}
		top, path, ex.doc = t, p, doc
	case FormatLegacy:
		t, err := decode(f.Origin.Raw)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the flow's source: %w", err)
		}
		old, _, ok := unwrap(t, isLegacy, 0)
		if !ok {
			return nil, nil, errors.New("the flow's source is no flow of Amazon Connect")
		}
		ex.doc, _ = translate(old)
		top = ex.doc
	default:
		ex.doc = props{"Version": "2019-10-30", "Actions": []any{}, "Metadata": map[string]any{
			"entryPointPosition": map[string]any{"x": 0, "y": 0}, "ActionMetadata": map[string]any{}, "name": f.Name, "type": typeOfKind(f.Kind),
		}}
		top = ex.doc
	}
	if err := ex.run(); err != nil {
		return nil, nil, err
	}
	if f.Origin.Format != Format {
		ex.mirrors()
	}
	wrapped, err := rewrap(top, path, ex.doc, ex.changed)
	if err != nil {
		return nil, nil, err
	}
	data, err := flow.Encode(map[string]any(wrapped))
	return data, ex.losses, err
}

// rewrap puts a changed flow back into its wrapper.
func rewrap(top props, path []string, doc props, changed bool) (props, error) {
	if len(path) == 0 {
		return doc, nil
	}
	if !changed {
		return top, nil
	}
	name := path[0]
	s, isText := top[name].(string)
	if !isText {
		inner, err := rewrap(asProps(top[name]), path[1:], doc, changed)
		top[name] = map[string]any(inner)
		return top, err
	}
	o, err := decode([]byte(s))
	if err != nil {
		return nil, fmt.Errorf("reading the flow within its wrapper: %w", err)
	}
	inner, err := rewrap(o, path[1:], doc, changed)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(map[string]any(inner))
	top[name] = string(data)
	if err != nil {
		return nil, fmt.Errorf("writing the flow within its wrapper: %w", err)
	}
	return top, nil
}

func typeOfKind(k flow.Kind) string {
	switch k {
	case flow.KindQueue:
		return "customerQueue"
	case flow.KindHold:
		return "customerHold"
	case flow.KindWhisper:
		return "agentWhisper"
	case flow.KindTransfer:
		return "queueTransfer"
	case flow.KindSub:
		return "flowModule"
	case flow.KindInbound:
	}
	return "contactFlow"
}

// exporting is one export at work.
type exporting struct {
	f       *flow.Flow
	doc     props
	base    *flow.Flow
	objs    map[flow.NodeID]map[string]any // the actions of the document by node
	ids     map[flow.NodeID]string         // identifiers of the document by node
	taken   map[string]bool
	order   []flow.NodeID // the nodes as their actions stand in the document
	losses  []flow.Loss
	changed bool
}

func (ex *exporting) lose(n *flow.Node, field, format string, args ...any) {
	l := flow.Loss{Field: field, What: fmt.Sprintf(format, args...)}
	if n != nil {
		l.Node = n.Name
	}
	ex.losses = append(ex.losses, l)
}

// run brings the document to what the flow says.
func (ex *exporting) run() error {
	ex.base = &flow.Flow{Nodes: map[flow.NodeID]*flow.Node{}}
	ex.objs, ex.ids = make(map[flow.NodeID]map[string]any), make(map[flow.NodeID]string)
	list := ex.doc.list("Actions")
	if len(list) > 0 {
		// The import of the document as it stands says which node came from which action, and what has changed since.
		data, err := json.Marshal(map[string]any(ex.doc))
		if err != nil {
			return fmt.Errorf("reading the flow's source: %w", err)
		}
		im := Importer{}
		base, _, err := im.Import(data)
		if err != nil {
			return fmt.Errorf("reading the flow's source: %w", err)
		}
		ex.base = base
		ex.index(list)
	}
	ex.remove(list)
	ids := slices.Sorted(maps.Keys(ex.f.Nodes))
	for _, id := range ids {
		if ex.objs[id] == nil {
			ex.add(ex.f.Nodes[id])
		}
	}
	for _, id := range ids {
		if b := ex.base.Nodes[id]; b != nil {
			ex.edit(b, ex.f.Nodes[id])
		}
	}
	for _, id := range ids {
		if ex.base.Nodes[id] == nil && ex.objs[id] != nil {
			ex.connect(ex.f.Nodes[id])
		}
	}
	ex.head()
	return nil
}

// index finds the actions of the document's nodes, which the importer named in the same order.
func (ex *exporting) index(list []any) {
	im := &importing{f: &flow.Flow{Nodes: map[flow.NodeID]*flow.Node{}, Layout: map[flow.NodeID]flow.Point{}}, rep: &flow.Report{}, byID: map[string]flow.NodeID{}}
	for i, item := range list {
		im.action(i, item)
		n := im.actions[i].n
		o, _ := item.(map[string]any)
		ex.objs[n.ID] = o
		id := cmp.Or(asProps(item).text("Identifier"), asProps(item).text("Id"))
		ex.ids[n.ID] = id
		ex.taken[id] = true
		ex.order = append(ex.order, n.ID)
	}
}

// remove takes out the actions whose nodes are gone.
func (ex *exporting) remove(list []any) {
	gone := make(map[string]bool)
	kept := make([]any, 0, len(list))
	for i, item := range list {
		id := ex.order[i]
		if ex.f.Nodes[id] != nil || ex.base.Nodes[id] == nil {
			kept = append(kept, item)
			continue
		}
		gone[ex.ids[id]] = true
		delete(ex.objs, id)
		ex.changed = true
	}
	if len(gone) == 0 {
		return
	}
	ex.doc[ex.doc.key("Actions")] = kept
	meta := ex.doc.obj("Metadata").obj("ActionMetadata")
	for id := range gone {
		delete(meta, id)
	}
}

// edit writes what has changed in a node that came with the document.
func (ex *exporting) edit(b, n *flow.Node) {
	o := ex.objs[n.ID]
	if o == nil {
		return
	}
	edits, shapes := flow.Edits(b, n)
	if n.Op != b.Op || len(shapes) > 0 {
		ex.changed = true
		typ, params := ex.encode(n)
		if typ != "" {
			o["Type"], o["Parameters"] = typ, map[string]any(params)
		} else {
			ex.lose(n, strings.Join(shapes, ", "), "the change has no form in Amazon Connect")
		}
		edits = nil
	}
	for _, e := range edits {
		ex.changed = true
		if !flow.PutField(o, e) {
			ex.lose(n, e.Field, "the change to %q could not be written", e.New)
		}
	}
	for _, port := range flow.ChangedExits(b, n) {
		ex.changed = true
		ex.exit(o, b, n, port)
	}
}

// exit changes where a port leads. Where NextAction repeats the branch, as the editor writes it, it follows.
func (ex *exporting) exit(o map[string]any, b, n *flow.Node, port flow.Port) {
	place := b.PortNames[port]
	to := ex.ids[n.Exits[port]]
	if place == "" {
		ex.addExit(o, n, port, to)
		return
	}
	trans := asProps(asProps(o).get("Transitions"))
	old := ex.ids[b.Exits[port]]
	if n.Exits[port] == "" {
		ex.dropExit(trans, place)
		return
	}
	field := "Transitions.NextAction"
	if place != field {
		field = place + ".NextAction"
	}
	if !flow.PutField(o, flow.Edit{Field: field, Old: old, New: to}) {
		ex.lose(n, field, "the way to %q could not be written", to)
	}
	if port != flow.PortOK && trans.text("NextAction") == old && n.Exits[flow.PortOK] == b.Exits[flow.PortOK] && mirrored(port) {
		trans[trans.key("NextAction")] = to
	}
}

func mirrored(p flow.Port) bool {
	return p == flow.PortNoMatch || p == flow.PortDone || p == flow.PortFalse
}

// dropExit empties the branch at a place.
func (ex *exporting) dropExit(trans props, place string) {
	if place == "Transitions.NextAction" {
		delete(trans, trans.key("NextAction"))
		return
	}
	name, at, _ := strings.Cut(strings.TrimPrefix(place, "Transitions."), "[")
	i, err := strconv.Atoi(strings.TrimSuffix(at, "]"))
	list := trans.list(name)
	if err == nil && i < len(list) {
		asProps(list[i])["NextAction"] = ""
	}
}

// addExit writes a branch that the document does not have.
func (ex *exporting) addExit(o map[string]any, n *flow.Node, port flow.Port, to string) {
	if to == "" {
		return
	}
	trans, _ := o["Transitions"].(map[string]any)
	if trans == nil {
		trans = map[string]any{}
		o["Transitions"] = trans
	}
	if port == flow.PortOK {
		trans["NextAction"] = to
		return
	}
	if kind, ok := errorOf(n, port); ok {
		list, _ := trans["Errors"].([]any)
		trans["Errors"] = append(list, map[string]any{"NextAction": to, "ErrorType": kind})
		return
	}
	operator, operand, ok := conditionOf(n, port)
	if !ok {
		ex.lose(n, "Transitions", "the way out by %s has no form in Amazon Connect", port)
		return
	}
	list, _ := trans["Conditions"].([]any)
	trans["Conditions"] = append(list, map[string]any{"NextAction": to, "Condition": map[string]any{"Operator": operator, "Operands": []any{operand}}})
}

// errorOf is the error type of a port.
func errorOf(n *flow.Node, port flow.Port) (string, bool) {
	if n.Op == flow.OpCond && port == flow.PortFalse {
		return "NoMatchingCondition", true
	}
	switch port {
	case flow.PortError:
		return "NoMatchingError", true
	case flow.PortNoMatch:
		return "NoMatchingCondition", true
	case flow.PortTimeout:
		switch n.Op {
		case flow.OpTransfer:
			return "ConnectionTimeLimitExceeded", true
		case flow.OpMenu, flow.OpCollect:
			return "InputTimeLimitExceeded", true
		default:
			return "TimeLimitExceeded", true
		}
	case flow.PortCapacity:
		return "QueueAtCapacity", true
	case flow.PortFailure:
		if n.Op == flow.OpTransfer {
			return "CallFailed", true
		}
		return "NoMatchingError", true
	default:
		kind, ok := strings.CutPrefix(string(port), "error:")
		return kind, ok
	}
}

// conditionOf is the condition of a port.
func conditionOf(n *flow.Node, port flow.Port) (operator, operand string, ok bool) {
	for _, m := range n.In["match"].List {
		if m.Map["port"].Lit == string(port) && len(m.Map["operands"].List) > 0 {
			return flow.Source(m.Map["op"]), flow.Source(m.Map["operands"].List[0]), true
		}
	}
	if label, ok := strings.CutPrefix(string(port), "pct:"); ok {
		return "NumberLessThan", strconv.FormatFloat(upTo(n, label)+1, 'f', -1, 64), true
	}
	if n.Op == flow.OpCond && port == flow.PortTrue {
		_, value := yes(n)
		return "Equals", value, true
	}
	switch port {
	case flow.PortHoursWork, flow.PortTrue:
		return "Equals", "True", true
	case flow.PortFalse:
		return "Equals", "False", true
	case flow.PortContinue:
		return "Equals", "ContinueLooping", true
	case flow.PortDone:
		return "Equals", "DoneLooping", true
	case flow.PortInterrupted:
		return "Equals", "MessagesInterrupted", true
	default: // holds its value
	}
	for _, prefix := range []string{"digit:", "case:"} {
		if v, found := strings.CutPrefix(string(port), prefix); found {
			return "Equals", v, true
		}
	}
	return "", "", false
}

// upTo is the sum of the shares up to that of a label.
func upTo(n *flow.Node, label string) float64 {
	sum := 0.0
	for _, w := range n.In["weights"].List {
		p, _ := strconv.ParseFloat(flow.Source(w.Map["percent"]), 64)
		sum += p
		if flow.Source(w.Map["label"]) == label {
			break
		}
	}
	return sum
}

// head writes the name, the start and the places on the canvas.
func (ex *exporting) head() {
	md, _ := ex.doc[ex.doc.key("Metadata")].(map[string]any)
	if md == nil {
		md = map[string]any{}
		if ex.f.Name != ex.base.Name || len(ex.base.Nodes) == 0 {
			ex.doc["Metadata"] = md
		}
	}
	if ex.f.Name != ex.base.Name && ex.f.Name != "" && ex.base.Name != "" {
		md["name"], ex.changed = ex.f.Name, true
	}
	if ex.f.Description != ex.base.Description {
		md["description"], ex.changed = ex.f.Description, true
	}
	for _, ev := range slices.Sorted(maps.Keys(ex.f.On)) {
		ex.lose(nil, "on", "Amazon Connect has no handlers of events: %s is left out", ev)
	}
	if start := ex.ids[ex.follow(ex.f.Start)]; ex.f.Start != ex.base.Start {
		ex.doc[ex.doc.key("StartAction")], ex.changed = start, true
	}
	ex.places(md)
}

// places writes where nodes stand on the canvas.
func (ex *exporting) places(md map[string]any) {
	for id, p := range ex.f.Layout {
		if q, ok := ex.base.Layout[id]; ok && p == q || ex.objs[id] == nil {
			continue
		}
		ex.changed = true
		all, _ := md["ActionMetadata"].(map[string]any)
		if all == nil {
			all = map[string]any{}
			md["ActionMetadata"] = all
		}
		meta, _ := all[ex.ids[id]].(map[string]any)
		if meta == nil {
			meta = map[string]any{}
			all[ex.ids[id]] = meta
		}
		meta[props(meta).key("position")] = map[string]any{"x": p.X, "y": p.Y}
	}
}

// mirrors adds what the editor writes into NextAction where a branch has no other: the one for everything else.
func (ex *exporting) mirrors() {
	for _, item := range ex.doc.list("Actions") {
		trans := asProps(item).obj("Transitions")
		if trans == nil || trans.text("NextAction") != "" {
			continue
		}
		to := ""
		for _, e := range trans.list("Errors") {
			if asProps(e).text("ErrorType") == "NoMatchingCondition" {
				to = asProps(e).text("NextAction")
			}
		}
		for _, c := range trans.list("Conditions") {
			to = cmp.Or(to, asProps(c).text("NextAction"))
		}
		for _, e := range trans.list("Errors") {
			to = cmp.Or(to, asProps(e).text("NextAction"))
		}
		if to != "" {
			trans["NextAction"] = to
		}
	}
}

// Package connect reads and writes call flows of Amazon Connect: the Flow language of version 2019-10-30, and the older
// exports ("modules"), which are translated to it. Shapes follow real exports and the "Amazon Connect Flow language"
// reference (docs.aws.amazon.com/connect/latest/APIReference/flow-language.html).
//
// An import never loses data: nodes keep their source text, and the flow keeps the whole file. What stands for something
// to be filled in later (${X}, %X%, {{X}}) is kept and reported as an unresolved reference.
package connect

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tandemcc/tandem/internal/flow"
)

// Names of the formats in reports.
const (
	Format       = "connect"
	FormatLegacy = "connect-legacy"
)

// Importer reads the Flow language. The zero value is ready and safe for concurrent use.
type Importer struct{}

// LegacyImporter reads the older exports. The zero value is ready and safe for concurrent use.
type LegacyImporter struct{}

var (
	_ flow.Importer = Importer{}
	_ flow.Importer = LegacyImporter{}
)

// Format returns the format's name.
func (Importer) Format() string { return Format }

// Format returns the format's name.
func (LegacyImporter) Format() string { return FormatLegacy }

// Sniff looks for a list of actions with a start, also within a wrapper or a CloudFormation template.
func (Importer) Sniff(data []byte) bool {
	top, err := decode(data)
	if err != nil {
		return isTemplate(data)
	}
	_, _, ok := unwrap(top, isFlow, 0)
	return ok || top.obj("Resources") != nil && isTemplate(data)
}

// Sniff looks for a list of modules with a start, also within a wrapper.
func (LegacyImporter) Sniff(data []byte) bool {
	top, err := decode(data)
	if err != nil {
		return false
	}
	_, _, ok := unwrap(top, isLegacy, 0)
	return ok
}

func isFlow(p props) bool {
	actions, ok := p["Actions"].([]any)
	if !ok {
		return false
	}
	_, start := p["StartAction"].(string)
	return start || len(actions) > 0 && asProps(actions[0]).has("Type") && strings.HasPrefix(p.text("Version"), "20")
}

func isLegacy(p props) bool {
	_, ok := p["modules"].([]any)
	_, start := p["start"].(string)
	return ok && start
}

// wrappers are the names under which tools and answers of the service hold a flow, as an object or as its JSON text.
var wrappers = []string{"Content", "ContactFlow", "ContactFlowModule", "Properties", "content", "contactFlow", "flow", "Flow"}

// unwrap finds the flow in a file: at its top, or in a wrapper. path says where it was found.
func unwrap(p props, is func(props) bool, depth int) (found props, path []string, ok bool) {
	if is(p) {
		return p, nil, true
	}
	if depth > 3 {
		return nil, nil, false
	}
	for _, name := range wrappers {
		inner := asProps(p[name])
		if s, isText := p[name].(string); isText && strings.HasPrefix(strings.TrimSpace(s), "{") {
			if o, err := decode([]byte(s)); err == nil {
				inner = o
			}
		}
		if inner == nil {
			continue
		}
		if found, path, ok = unwrap(inner, is, depth+1); ok {
			return found, append([]string{name}, path...), true
		}
	}
	return nil, nil, false
}

// Import reads a flow.
func (Importer) Import(data []byte) (*flow.Flow, *flow.Report, error) {
	top, err := decode(data)
	if err != nil && isTemplate(data) {
		return importTemplate(data)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading an Amazon Connect flow: %w", err)
	}
	doc, path, ok := unwrap(top, isFlow, 0)
	if !ok && isTemplate(data) {
		return importTemplate(data)
	}
	if !ok {
		return nil, nil, errors.New("the file has no Actions with a StartAction: it is no flow of Amazon Connect")
	}
	return read(doc, data, Format, cmp.Or(doc.obj("Metadata").text("name"), wrapperName(top, path)), nil)
}

// wrapperName is the name that a wrapper gives the flow.
func wrapperName(top props, path []string) string {
	name := ""
	for _, key := range path {
		name = cmp.Or(top.text("Name"), top.text("name"), name)
		top = asProps(top[key])
	}
	return name
}

// Import reads a flow.
func (LegacyImporter) Import(data []byte) (*flow.Flow, *flow.Report, error) {
	top, err := decode(data)
	if err != nil {
		return nil, nil, fmt.Errorf("reading an older Amazon Connect flow: %w", err)
	}
	old, _, ok := unwrap(top, isLegacy, 0)
	if !ok {
		return nil, nil, errors.New("the file has no modules with a start: it is no flow of Amazon Connect")
	}
	doc, sources := translate(old)
	return read(doc, data, FormatLegacy, doc.obj("Metadata").text("name"), sources)
}

// source is the step of an older export that an action was translated from.
type source struct {
	typ string
	raw any
}

// importing is one import at work.
type importing struct {
	f       *flow.Flow
	rep     *flow.Report
	actions []*action
	byID    map[string]flow.NodeID
	meta    props // ActionMetadata
	sources []source
}

// action is one action of a file with what is known of it.
type action struct {
	n      *flow.Node
	typ    string
	params props
	trans  props
	meta   props
	im     *importing
}

// read makes a flow of a document in the Flow language; sources are the older steps it was translated from, in order.
func read(doc props, data []byte, format, name string, sources []source) (*flow.Flow, *flow.Report, error) {
	md := doc.obj("Metadata")
	f := &flow.Flow{
		Name: name, Description: md.text("description"), Kind: kindOf(md.text("type"), doc),
		Nodes: make(map[flow.NodeID]*flow.Node), Layout: make(map[flow.NodeID]flow.Point),
		Origin: flow.Origin{Format: format, Raw: slices.Clone(data)},
	}
	im := &importing{
		f: f, rep: &flow.Report{Format: format, Name: name}, byID: make(map[string]flow.NodeID),
		meta: md.obj("ActionMetadata"), sources: sources,
	}
	list := doc.list("Actions")
	if len(list) == 0 {
		return nil, nil, errors.New("the Amazon Connect flow has no actions")
	}
	for i, item := range list {
		im.action(i, item)
	}
	im.start(doc.text("StartAction"))
	for _, a := range im.actions {
		im.convert(a)
		im.transitions(a)
		im.placeholders(string(a.n.ID), a.params)
	}
	im.placeholders("", props{"name": name, "description": f.Description})
	im.attributes()
	im.rep.Problems = append(im.rep.Problems, flow.Lint(f)...)
	flow.Finish(f, im.rep)
	return f, im.rep, nil
}

// kindOf reads what a flow is for.
func kindOf(typ string, doc props) flow.Kind {
	low := strings.ToLower(typ)
	switch {
	case strings.Contains(low, "queue") && !strings.Contains(low, "transfer"):
		return flow.KindQueue
	case strings.Contains(low, "hold"):
		return flow.KindHold
	case strings.Contains(low, "whisper"):
		return flow.KindWhisper
	case strings.Contains(low, "transfer"):
		return flow.KindTransfer
	case strings.Contains(low, "module"), low == "" && doc["Settings"] != nil:
		return flow.KindSub
	}
	for _, item := range doc.list("Actions") {
		if asProps(item).text("Type") == "EndFlowModuleExecution" {
			return flow.KindSub
		}
	}
	return flow.KindInbound
}

func (im *importing) problem(node, field string, rule flow.Rule, fix, format string, args ...any) {
	im.rep.Problems = append(im.rep.Problems, flow.Problem{
		Node: node, ID: flow.NodeID(node), Field: field, Position: -1, Message: fmt.Sprintf(format, args...), Fix: fix, Rule: rule,
	})
}

const fixFile = "correct it in Amazon Connect and export the flow again"

// action reads what an action is called; what it does is read when all are known.
func (im *importing) action(i int, item any) {
	a := asProps(item)
	field := fmt.Sprintf("Actions[%d]", i)
	id := cmp.Or(a.text("Identifier"), a.text("Id"))
	if a == nil {
		im.problem("", field, flow.RuleShape, fixFile, "this is not an action")
	}
	nid := flow.NodeID(id)
	switch {
	case id == "":
		nid = im.free(fmt.Sprintf("action-%d", i+1))
		im.problem(string(nid), field, flow.RuleShape, fixFile, "the action has no Identifier: nothing can lead to it")
	case im.f.Nodes[nid] != nil:
		nid = im.free(fmt.Sprintf("%s#%d", id, i+1))
		im.problem(string(nid), field, flow.RuleShape, fixFile, "identifier %q stands twice; what leads to it leads to the first", id)
	default:
		im.byID[id] = nid
	}
	n := &flow.Node{
		ID: nid, Name: string(nid), Type: a.text("Type"), In: make(map[string]flow.Value), Exits: make(map[flow.Port]flow.NodeID),
		PortNames: make(map[flow.Port]string),
	}
	raw := item
	if im.sources != nil {
		raw, n.Type = im.sources[i].raw, im.sources[i].typ
	}
	if data, err := json.Marshal(raw); err == nil {
		n.Raw = data
	}
	im.f.Nodes[nid] = n
	im.rep.Nodes++
	meta := asProps(im.meta[id])
	if pos := meta.obj("position"); pos != nil {
		x, _ := pos.number("x")
		y, _ := pos.number("y")
		im.f.Layout[nid] = flow.Point{X: x, Y: y}
	}
	im.actions = append(im.actions, &action{n: n, typ: a.text("Type"), params: a.obj("Parameters"), trans: a.obj("Transitions"), meta: meta, im: im})
}

func (im *importing) free(id string) flow.NodeID {
	for im.f.Nodes[flow.NodeID(id)] != nil {
		id += "'"
	}
	return flow.NodeID(id)
}

func (im *importing) start(id string) {
	nid, ok := im.byID[id]
	if !ok {
		nid = im.actions[0].n.ID
		im.problem("", "StartAction", flow.RuleShape, fixFile, "the start %q is not in the file; the first action is taken", id)
	}
	im.f.Start = nid
}

// convert fills in what a node does and counts how well it is understood.
func (im *importing) convert(a *action) {
	how := unsupported
	if fn := converters[a.typ]; fn != nil {
		how = fn(a)
	}
	switch how {
	case mapped:
		im.rep.Mapped++
	case approximated:
		im.rep.Approximated++
	case unsupported:
		a.n.Op = flow.OpUnsupported
		im.rep.Unsupported = append(im.rep.Unsupported, flow.Unsupported{Node: a.n.Name, Type: a.n.Type})
	}
}

// Types are the actions of the Flow language that run here, in order of their names.
func Types() []string { return slices.Sorted(maps.Keys(converters)) }

// LegacyTypes are the modules of older exports that are translated, in order of their names.
func LegacyTypes() []string { return slices.Sorted(maps.Keys(legacyTypes)) }

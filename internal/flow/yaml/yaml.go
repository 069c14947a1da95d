// Package yaml reads and writes call flows as YAML that people write and review: nodes by name with their operation, their
// inputs and what each exit leads to. It is the flow model itself in readable form, so that every flow, whatever format it
// was imported from, can be written as YAML and read again without a change in what it does.
//
// What a problem of the flow says names the line and the column. The operations with their inputs and exits are listed in
// docs/authoring.md.
package yaml

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"

	"github.com/tandemcc/tandem/internal/flow"
)

// Format is the name of the format in reports.
const Format = "tandem"

// Mark is the value of the key tandem, by which a file is known and its version told.
const Mark = "flow/1"

// Limits of a file.
const (
	// MaxBytes is the longest file that is read.
	MaxBytes = 4 << 20
	// maxItems bounds all values of a file together, aliases counted as often as they are used.
	maxItems = 400_000
	maxDepth = 100
	// maxSteps is the highest limit of nodes between two waits that a flow may ask for.
	maxSteps = 100_000
)

// Importer reads the format. The zero value is ready and safe for concurrent use.
type Importer struct{}

var _ flow.Importer = Importer{}

// Format returns the format's name.
func (Importer) Format() string { return Format }

// Sniff looks for a line that begins with the key tandem; the same in JSON is found too.
func (Importer) Sniff(data []byte) bool {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(data) > MaxBytes {
		return false
	}
	for line := range bytes.Lines(data) {
		line = bytes.TrimRight(line, " \t\r\n")
		if bytes.HasPrefix(line, []byte("tandem:")) {
			return true
		}
		rest := bytes.TrimLeft(line, "{ \t")
		if bytes.HasPrefix(data, []byte("{")) && bytes.HasPrefix(rest, []byte(`"tandem":`)) {
			return true
		}
	}
	return false
}

// Import reads a flow. Its error is for what is no flow at all, and names the line; every defect of a flow is a problem in
// the report.
func (Importer) Import(data []byte) (*flow.Flow, *flow.Report, error) {
	if len(data) > MaxBytes {
		return nil, nil, fmt.Errorf("reading a flow: the file has %d bytes, at most %d are read", len(data), MaxBytes)
	}
	root, err := parse(data)
	if err != nil {
		return nil, nil, fmt.Errorf("reading a flow: %w", err)
	}
	r := &reader{
		f: &flow.Flow{
			Kind: flow.KindInbound, Nodes: make(map[flow.NodeID]*flow.Node), On: make(map[flow.EventName]flow.NodeID),
			Origin: flow.Origin{Format: Format},
		},
		rep:  &flow.Report{Format: Format},
		keys: make(map[string]flow.NodeID), left: maxItems,
	}
	if err := r.document(root); err != nil {
		return nil, nil, fmt.Errorf("reading a flow: %w", err)
	}
	r.rep.Name = r.f.Name
	r.rep.Problems = append(r.rep.Problems, flow.Lint(r.f)...)
	flow.Finish(r.f, r.rep)
	return r.f, r.rep, nil
}

// parse reads the text into nodes and returns the top mapping.
func parse(data []byte) (*yaml3.Node, error) {
	var doc yaml3.Node
	if err := yaml3.Unmarshal(data, &doc); err != nil {
		return nil, errors.New(strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " "))
	}
	if doc.Kind != yaml3.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml3.MappingNode {
		return nil, errors.New("the file is not a mapping; it begins with tandem: " + Mark)
	}
	return doc.Content[0], nil
}

// reader is one import at work.
type reader struct {
	f    *flow.Flow
	rep  *flow.Report
	keys map[string]flow.NodeID
	node string // the name of the node being read, for problems
	left int    // how many values may still be read
}

// at says where something stands.
func at(n *yaml3.Node) string { return fmt.Sprintf("(line %d, column %d)", n.Line, n.Column) }

// problem reports a defect of a part of the file.
func (r *reader) problem(n *yaml3.Node, field, fix, format string, args ...any) {
	if len(r.rep.Problems) >= 1000 {
		return // nobody reads more
	}
	r.rep.Problems = append(r.rep.Problems, flow.Problem{
		Node: r.node, Field: strings.TrimSpace(field + " " + at(n)), Position: -1, Message: fmt.Sprintf(format, args...), Fix: fix,
		Rule: flow.RuleShape,
	})
}

// pair is one entry of a mapping.
type pair struct {
	key string
	at  *yaml3.Node
	val *yaml3.Node
}

// pairs lists a mapping's entries in order; a key that stands twice is reported and counts once.
func (r *reader) pairs(n *yaml3.Node, field string) []pair {
	n = r.resolve(n)
	if n == nil || n.Kind == yaml3.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml3.MappingNode {
		r.problem(n, field, "write it as name: value", "%s is not a mapping", or(field, "this"))
		return nil
	}
	seen := make(map[string]bool, len(n.Content)/2)
	out := make([]pair, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := r.resolve(n.Content[i])
		if k == nil || k.Kind != yaml3.ScalarNode {
			r.problem(n.Content[i], field, "use a plain name", "a name is not plain text")
			continue
		}
		if seen[k.Value] {
			r.problem(k, field, "remove one of them", "%q stands twice; the first one counts", k.Value)
			continue
		}
		seen[k.Value] = true
		out = append(out, pair{k.Value, n.Content[i], n.Content[i+1]})
	}
	return out
}

// resolve follows an alias and counts what is read; nil when there is too much.
func (r *reader) resolve(n *yaml3.Node) *yaml3.Node {
	for range 10 {
		if n == nil || n.Kind != yaml3.AliasNode {
			break
		}
		n = n.Alias
	}
	if r.left--; r.left < 0 || n == nil || n.Kind == yaml3.AliasNode {
		return nil
	}
	return n
}

// text reads plain text; anything else is reported.
func (r *reader) text(n *yaml3.Node, field string) string {
	v := r.resolve(n)
	if v == nil || v.Kind != yaml3.ScalarNode {
		r.problem(n, field, "write plain text", "%s is not plain text", field)
		return ""
	}
	if v.Tag == "!!null" {
		return ""
	}
	return v.Value
}

func or(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}

// document reads the top of the file, nodes last, since exits name nodes that stand below.
func (r *reader) document(top *yaml3.Node) error {
	var nodes, handlers, refs, start *yaml3.Node
	marked := false
	for _, p := range r.pairs(top, "") {
		switch p.key {
		case "tandem":
			marked = true
			if v := r.text(p.val, "tandem"); v != Mark {
				return fmt.Errorf("line %d: the version is %.40q; %s is read", p.at.Line, v, Mark)
			}
		case "nodes":
			nodes = p.val
		case "handlers":
			handlers = p.val
		case "start":
			start = p.val
		case "refs":
			refs = p.val
		default:
			r.head(p)
		}
	}
	if !marked {
		return errors.New("the first line is missing: tandem: " + Mark)
	}
	list := r.pairs(nodes, "nodes")
	if len(list) == 0 {
		return errors.New("the flow has no nodes")
	}
	if len(list) > flow.MaxNodes {
		return fmt.Errorf("the flow has %d nodes, at most %d are read", len(list), flow.MaxNodes)
	}
	r.name(list)
	for _, p := range list {
		r.step(p)
	}
	r.node = ""
	r.begin(start, list)
	r.handlers(handlers)
	r.moreRefs(refs)
	if r.left < 0 {
		return fmt.Errorf("the file holds more than %d values", maxItems)
	}
	return nil
}

// head reads the properties of the flow itself.
func (r *reader) head(p pair) {
	f := r.f
	switch p.key {
	case "name":
		f.Name = r.text(p.val, p.key)
	case "id":
		f.ID = r.text(p.val, p.key)
	case "description":
		f.Description = r.text(p.val, p.key)
	case "kind":
		f.Kind = flow.Kind(r.text(p.val, p.key))
		known := []flow.Kind{flow.KindInbound, flow.KindQueue, flow.KindHold, flow.KindWhisper, flow.KindTransfer, flow.KindSub}
		if !slices.Contains(known, f.Kind) {
			r.problem(p.val, p.key, "use inbound, queue, hold, whisper, transfer or sub", "%q is no kind of flow", f.Kind)
		}
	case "version":
		f.Version = r.whole(p.val, p.key)
	case "vars":
		r.vars(p.val)
	case "options":
		r.options(p.val)
	default:
		r.problem(p.at, p.key, nearest(p.key, "name", "id", "description", "kind", "version", "vars", "options", "start", "nodes", "handlers", "refs"),
			"%q is no part of a flow", p.key)
	}
}

// begin finds the first node.
func (r *reader) begin(start *yaml3.Node, list []pair) {
	if start != nil {
		key := r.text(start, "start")
		if id, ok := r.keys[key]; ok {
			r.f.Start = id
			return
		}
		r.problem(start, "start", r.nearestNode(key), "the first node %q is not in the flow", key)
	}
	for _, p := range list {
		if n := r.f.Nodes[r.keys[p.key]]; n != nil && n.Op == flow.OpStart {
			r.f.Start = n.ID
			return
		}
	}
	r.f.Start = r.keys[list[0].key]
}

func (r *reader) handlers(n *yaml3.Node) {
	if n == nil {
		return
	}
	for _, p := range r.pairs(n, "handlers") {
		key := r.text(p.val, "handlers."+p.key)
		id, ok := r.keys[key]
		if !ok {
			r.problem(p.val, "handlers."+p.key, r.nearestNode(key), "the handler's node %q is not in the flow", key)
			continue
		}
		r.f.On[flow.EventName(p.key)] = id
		r.rep.Handlers++
	}
}

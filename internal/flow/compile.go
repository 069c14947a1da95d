package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/flow/expr"
	"github.com/tandemcc/tandem/internal/flow/jsonpath"
)

// Limits of a flow's size.
const (
	MaxNodes = 5000
	MaxVars  = 1000
)

// ErrInvalid is the error, wrapped, for a flow that cannot be compiled at all.
var ErrInvalid = errors.New("the flow cannot run")

type cbind struct {
	path *jsonpath.Path // nil is the whole result
	name string
}

// Compile makes a flow executable. Every template and path is parsed here, once. A node whose own texts are malformed does
// not spoil the rest: it fails when it is reached, as in the source system, and Lint names it. An error, wrapping
// ErrInvalid, means that the flow has no start, is too large or has an exit to nowhere.
func Compile(f *Flow) (*Program, error) {
	if err := checkShape(f); err != nil {
		return nil, err
	}
	p := &Program{
		id: f.ID, name: f.Name, opts: f.Options, maxSteps: f.Options.MaxSteps,
		nodes: make(map[NodeID]*cnode, len(f.Nodes)), on: make(map[EventName]*cnode, len(f.On)),
		vars: slices.Clone(f.Vars), varIndex: make(map[string]int, len(f.Vars)),
		system: make(map[string]bool), eventNames: make(map[EventName][]string), reads: make(map[string]*fieldReads),
		zone: time.UTC,
	}
	if p.maxSteps <= 0 {
		p.maxSteps = DefaultMaxSteps
	}
	if f.Options.Zone != "" {
		z, err := time.LoadLocation(f.Options.Zone)
		if err != nil {
			return nil, fmt.Errorf("%w: time zone %q is not known: %w", ErrInvalid, f.Options.Zone, err)
		}
		p.zone = z
	}
	if err := p.compileVars(); err != nil {
		return nil, err
	}
	p.nameObjects(f)
	p.hidden = secureClosure(f)
	c := &compiler{p: p, f: f, refs: boundRefs(f)}
	p.connect, p.flows = usesConnect(f), c.refs[RefFlow]
	for id, n := range f.Nodes {
		p.nodes[id] = c.node(n)
	}
	p.link(f)
	p.pin = pinOf(f)
	return p, nil
}

func checkShape(f *Flow) error {
	switch {
	case len(f.Nodes) > MaxNodes:
		return fmt.Errorf("%w: it has %d nodes, at most %d are allowed", ErrInvalid, len(f.Nodes), MaxNodes)
	case len(f.Vars) > MaxVars:
		return fmt.Errorf("%w: it has %d variables, at most %d are allowed", ErrInvalid, len(f.Vars), MaxVars)
	case f.Nodes[f.Start] == nil:
		return fmt.Errorf("%w: its start node %q does not exist", ErrInvalid, f.Start)
	}
	for id, n := range f.Nodes {
		if n == nil {
			return fmt.Errorf("%w: node %q is empty", ErrInvalid, id)
		}
		for port, to := range n.Exits {
			if f.Nodes[to] == nil {
				return fmt.Errorf("%w: node %q leads by %q to %q, which does not exist", ErrInvalid, n.Name, port, to)
			}
		}
	}
	for ref, to := range f.Links {
		if f.Nodes[to] == nil {
			return fmt.Errorf("%w: the linked flow %q begins at %q, which does not exist", ErrInvalid, ref, to)
		}
	}
	for ev, to := range f.On {
		if f.Nodes[to] == nil {
			return fmt.Errorf("%w: the handler for %q is %q, which does not exist", ErrInvalid, ev, to)
		}
	}
	return nil
}

func (p *Program) compileVars() error {
	for i := range p.vars {
		v := &p.vars[i]
		if v.Name == "" {
			return fmt.Errorf("%w: variable %d has no name", ErrInvalid, i+1)
		}
		if _, dup := p.varIndex[v.Name]; dup {
			return fmt.Errorf("%w: variable %q is declared twice", ErrInvalid, v.Name)
		}
		x, err := v.Type.convert(plain(v.Value))
		if err != nil {
			x = v.Type.zero() // Lint names it; the variable starts empty
		}
		v.Value = x
		p.varIndex[v.Name] = i
	}
	return nil
}

// nameObjects fixes under which names templates read the contact and the events, and which of their fields they read.
func (p *Program) nameObjects(f *Flow) {
	p.contactNames = []string{"NewPhoneContact", "NewContact"}
	if n := f.Nodes[f.Start].Name; !slices.Contains(p.contactNames, n) {
		p.contactNames = append(p.contactNames, n)
	}
	p.nameEvents(f)
	for _, n := range f.Nodes {
		p.system[n.Name] = true // outputs of nodes are found without regard to case, like the contact's fields
	}
	eachTemplate(f, func(_ *Node, _ Value, t *expr.Template) {
		for _, r := range t.Refs() {
			p.noteRead(r.Name, r.Path)
		}
	})
	for _, n := range f.Nodes {
		for _, s := range namedVars(n) {
			root, _, _ := strings.Cut(s, ".")
			p.noteRead(root, s)
		}
	}
	p.readsOfContact()
}

// nameEvents fixes the names of the events' objects.
func (p *Program) nameEvents(f *Flow) {
	for ev, id := range f.On {
		n := f.Nodes[id]
		names := []string{n.Name}
		if s, ok := n.In["event"].Lit.(string); ok && s != "" && s != n.Name {
			names = append(names, s)
		}
		for _, alias := range eventAliases[ev] {
			if !slices.Contains(names, alias) {
				names = append(names, alias)
			}
		}
		p.eventNames[ev] = names
	}
	for ev, names := range eventAliases { // what an event brought can be read whether or not a handler runs on it
		if p.eventNames[ev] == nil {
			p.eventNames[ev] = names
		}
	}
	for _, names := range p.eventNames {
		for _, name := range names {
			p.system[name] = true
		}
	}
}

// namedVars lists what a node reads by a bare name instead of a template.
func namedVars(n *Node) []string {
	out := []string{text(n.In["skipWhenUnset"].Lit)}
	if n.Op == OpParse {
		out = append(out, text(n.In["input"].Lit))
	}
	for _, item := range n.In["sets"].List {
		if item.Map["from"].Lit == "var" {
			out = append(out, text(item.Map["value"].Lit))
		}
	}
	return out
}

// noteRead records that templates read path, whose first name is root.
func (p *Program) noteRead(root, path string) {
	field, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, root), "."), ".")
	set := p.reads[root]
	if set == nil {
		set = new(fieldReads)
		p.reads[root] = set
	}
	switch {
	case field == "":
		set.all = true
	case !set.has(field):
		set.fields = append(set.fields, field)
	}
}

// readsField reports whether a template may read a field of a node or an event.
func (p *Program) readsField(root, field string) bool {
	set := p.reads[root]
	return set != nil && set.has(field)
}

// eventAliases are the names by which the templates of Webex know the objects of events.
var eventAliases = map[EventName][]string{
	OnAgentOffered:      {"AgentOfferContact", "AgentOffered"},
	OnAgentAnswered:     {"AgentContactAssigned", "AgentAnswered"},
	OnAgentDisconnected: {"AgentDisconnected"},
	OnContactEnded:      {"ContactEnded", "PhoneContactEnded"},
	OnError:             {"GlobalErrorHandling", "OnGlobalError"},
}

func (p *Program) link(f *Flow) {
	for id, n := range f.Nodes {
		c := p.nodes[id]
		c.exits = make(map[Port]*cnode, len(n.Exits))
		for port, to := range n.Exits {
			c.exits[port] = p.nodes[to]
		}
		c.next = c.exits[PortOK]
	}
	p.start = p.nodes[f.Start]
	for ev, id := range f.On {
		p.on[ev] = p.nodes[id]
	}
	p.links = make(map[string]*cnode, len(f.Links))
	for ref, id := range f.Links {
		p.links[ref] = p.nodes[id]
	}
}

// pinOf identifies what the flow does; where its nodes stand on the canvas, where it came from and what its references are
// bound to play no part.
func pinOf(f *Flow) string {
	c := f.Clone()
	c.Origin, c.Layout, c.Refs = Origin{}, nil, nil
	for _, n := range c.Nodes {
		n.Raw = nil
	}
	data, err := json.Marshal(c)
	if err != nil {
		data = []byte(fmt.Sprintf("%#v", c.Name)) // literals that JSON cannot hold: compiling has refused nothing, the name must do
	}
	sum := sha256.Sum256(data)
	return fmt.Sprintf("%d-%s", f.Version, hex.EncodeToString(sum[:8]))
}

// boundRefs maps a reference to our identifier, or to the source system's if it is not bound.
func boundRefs(f *Flow) map[RefKind]map[string]string {
	out := make(map[RefKind]map[string]string)
	for _, r := range f.Refs {
		if r.Bound == "" {
			continue
		}
		if out[r.Kind] == nil {
			out[r.Kind] = make(map[string]string)
		}
		out[r.Kind][r.ID] = r.Bound
		if r.Name != "" {
			out[r.Kind][r.Name] = r.Bound
		}
	}
	return out
}

// eachTemplate calls fn for every template of the flow that compiles.
func eachTemplate(f *Flow, fn func(n *Node, v Value, t *expr.Template)) {
	for _, n := range f.Nodes {
		eachValue(n, func(v Value) {
			if v.Dialect != DialectPebble || !strings.Contains(v.Src, "{") {
				return
			}
			if t, err := expr.Parse(v.Src); err == nil {
				fn(n, v, t)
			}
		})
	}
}

// eachValue calls fn for every value of a node that holds no others.
func eachValue(n *Node, fn func(Value)) {
	var walk func(Value)
	walk = func(v Value) {
		for _, x := range v.List {
			walk(x)
		}
		for _, x := range v.Map {
			walk(x)
		}
		if v.List == nil && v.Map == nil {
			fn(v)
		}
	}
	for _, v := range n.In {
		walk(v)
	}
}

// secureClosure returns the secure variables and those that are set from them.
func secureClosure(f *Flow) map[string]bool {
	hidden := make(map[string]bool)
	for _, n := range f.Nodes {
		if n.Op != OpOTP {
			continue
		}
		hidden[n.Name] = true // a one-time password is nobody's business
		for _, b := range n.Out {
			hidden[b.Var] = true
		}
	}
	for _, v := range f.Vars {
		if v.Secure {
			hidden[v.Name] = true
		}
	}
	if len(hidden) == 0 {
		return hidden
	}
	edges := setEdges(f)
	for changed := true; changed; {
		changed = false
		for _, e := range edges {
			if hidden[e.from] && !hidden[e.to] {
				hidden[e.to] = true
				changed = true
			}
		}
	}
	return hidden
}

type setEdge struct{ from, to string }

func setEdges(f *Flow) []setEdge {
	var out []setEdge
	for _, n := range f.Nodes {
		for _, item := range n.In["sets"].List {
			to, _ := item.Map["var"].Lit.(string)
			for _, from := range readNames(item.Map["value"]) {
				out = append(out, setEdge{from, to})
			}
		}
		if n.Op == OpSub {
			out = append(out, passEdges(n)...)
		}
		if n.Op != OpParse {
			continue
		}
		from, _ := n.In["input"].Lit.(string)
		for _, b := range n.Out {
			out = append(out, setEdge{from, b.Var})
		}
	}
	return out
}

// passEdges are what a step that calls another flow hands over and takes back.
func passEdges(n *Node) (out []setEdge) {
	for _, group := range []string{"params", "inputs"} {
		for to, v := range n.In[group].Map {
			for _, from := range readNames(v) {
				out = append(out, setEdge{from, to})
			}
		}
	}
	for _, b := range n.Out {
		if from, ok := varOfPath(b.Path); ok {
			out = append(out, setEdge{from, b.Var})
		}
	}
	return out
}

// readNames lists the variables a value reads: a template's, or the one it names.
func readNames(v Value) []string {
	if v.Dialect == DialectConnect {
		return connectReads(v.Src)
	}
	if v.Dialect != DialectPebble {
		s, _ := v.Lit.(string)
		return []string{s}
	}
	t, err := expr.Parse(v.Src)
	if err != nil {
		return nil
	}
	var out []string
	for _, r := range t.Refs() {
		out = append(out, r.Name)
	}
	return out
}

package flow

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// NodeID names a node within its flow. Importers keep the identifier of the source format.
type NodeID string

// Port names one way out of a node, in our own terms (PortOK, PortDigit("1") and so on) whatever the source format calls it.
type Port string

// EventName names what a handler reacts to, in our own terms (OnAgentAnswered and so on).
type EventName string

// Kind says what a flow is for.
type Kind string

// Kinds of flows.
const (
	KindInbound  Kind = "inbound"
	KindQueue    Kind = "queue"
	KindHold     Kind = "hold"
	KindWhisper  Kind = "whisper"
	KindTransfer Kind = "transfer"
	KindSub      Kind = "sub"
)

// Flow is one call flow, independent of the format it came from. It is plain data: it is stored as JSON, and Compile
// makes it executable. Maps may be nil. A Flow is not safe for concurrent changes.
type Flow struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Kind        Kind   `json:"kind"`
	// Version counts the published versions of the flow. A session runs to its end on the version it started with.
	Version int                  `json:"version,omitempty"`
	Vars    []Var                `json:"vars,omitempty"`
	Start   NodeID               `json:"start"`
	Nodes   map[NodeID]*Node     `json:"nodes"`
	On      map[EventName]NodeID `json:"on,omitempty"`
	Layout  map[NodeID]Point     `json:"layout,omitempty"`
	Options Options              `json:"options,omitzero"`
	// Refs are the queues, connectors, prompts and flows of the source system that the flow names; see Flow.Bind.
	Refs   []Ref  `json:"refs,omitempty"`
	Origin Origin `json:"origin,omitzero"`
	// Links are the entry nodes of other flows that Link has put into this one, by the reference that leads to them.
	Links map[string]NodeID `json:"links,omitempty"`
}

// Options are the switches of one flow.
type Options struct {
	// RawInterpolation turns safe interpolation off: values go into URLs, SOQL and JSON bodies as they are. Only for a
	// flow that escapes everything itself.
	RawInterpolation bool `json:"rawInterpolation,omitempty"`
	// MaxSteps is the number of nodes a thread may run between two waits; 0 means DefaultMaxSteps.
	MaxSteps int `json:"maxSteps,omitempty"`
	// Zone is the IANA time zone for dates in templates; empty means UTC.
	Zone string `json:"zone,omitempty"`
	// ErrorText is what a caller hears when nothing else handles an error; empty means DefaultErrorText.
	ErrorText string `json:"errorText,omitempty"`
	// Language and Voice are used for speech that names none.
	Language string `json:"language,omitempty"`
	Voice    string `json:"voice,omitempty"`
}

// Type is the type of a flow variable. Values are converted when they are stored.
type Type string

// Variable types, as in Webex Contact Center.
const (
	TypeString   Type = "STRING"
	TypeInteger  Type = "INTEGER"
	TypeBoolean  Type = "BOOLEAN"
	TypeDecimal  Type = "DECIMAL"
	TypeDateTime Type = "DATETIME"
	TypeJSON     Type = "JSON"
)

// Var declares a flow variable.
type Var struct {
	Name        string `json:"name"`
	Type        Type   `json:"type"`
	Description string `json:"description,omitempty"`
	// Value is the value at the start; nil means the type's empty value.
	Value any `json:"value,omitempty"`
	// CAD variables (call-associated data) are shown to the agent, under Label.
	CAD           bool   `json:"cad,omitempty"`
	Label         string `json:"label,omitempty"`
	AgentEditable bool   `json:"agentEditable,omitempty"`
	Reportable    bool   `json:"reportable,omitempty"`
	// Secure values never reach a trace or a log.
	Secure bool `json:"secure,omitempty"`
	// Global variables are shared between flows by name.
	Global bool `json:"global,omitempty"`
}

// Node is one step of a flow.
type Node struct {
	ID   NodeID `json:"id"`
	Name string `json:"name"`
	Op   Op     `json:"op"`
	// Type is the step's type in the source format, for people to read.
	Type string `json:"type,omitempty"`
	// In holds the inputs by name; each operation's names are listed beside its Op constant.
	In map[string]Value `json:"in,omitempty"`
	// Out says which parts of the result go into which variables, in order.
	Out   []Bind          `json:"out,omitempty"`
	Exits map[Port]NodeID `json:"exits,omitempty"`
	// PortNames keeps the source format's name of each port.
	PortNames map[Port]string `json:"portNames,omitempty"`
	// Raw is the step as it stood in the source format.
	Raw json.RawMessage `json:"raw,omitempty"`
}

// Dialect says how the text of a Value is read.
type Dialect string

// Dialects of values.
const (
	DialectLiteral Dialect = ""        // Lit is the value
	DialectPebble  Dialect = "pebble"  // Src is a Pebble template, as in Webex
	DialectConnect Dialect = "connect" // Src is an Amazon Connect dynamic value
)

// Value is an input of a node: a literal, a template, a list or a map; exactly one of Lit, Src, List and Map is set.
type Value struct {
	Lit     any              `json:"lit,omitempty"`
	Src     string           `json:"src,omitempty"`
	Dialect Dialect          `json:"dialect,omitempty"`
	List    []Value          `json:"list,omitempty"`
	Map     map[string]Value `json:"map,omitempty"`
	// Field is where the value stands in the source format, e.g. "httpRequestPath"; problems are reported under it.
	Field string `json:"field,omitempty"`
}

// Bind stores a part of a node's result in a variable. A path that finds nothing leaves the variable as it is; a null empties it.
type Bind struct {
	// Path is a JSONPath (Jayway reading); "" or "$" is the whole result.
	Path  string `json:"path"`
	Var   string `json:"var"`
	Field string `json:"field,omitempty"`
}

// Point is a place on the canvas, in the source format's units.
type Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// Origin is the text a flow was imported from, kept so that nothing is lost.
type Origin struct {
	Format string          `json:"format,omitempty"`
	Raw    json.RawMessage `json:"raw,omitempty"`
}

// RefKind says what a Ref points to.
type RefKind string

// Kinds of references.
const (
	RefQueue     RefKind = "queue"
	RefConnector RefKind = "connector"
	RefPrompt    RefKind = "prompt"
	RefFlow      RefKind = "flow"
	RefHours     RefKind = "hours"
	RefSkill     RefKind = "skill"
	RefBot       RefKind = "bot"
	RefFunction  RefKind = "function"
	RefView      RefKind = "view"
	RefOther     RefKind = "other"
)

// Ref is something outside the flow that it names by the source system's identifier or name.
type Ref struct {
	Node NodeID  `json:"node"`
	Kind RefKind `json:"kind"`
	ID   string  `json:"id"`
	Name string  `json:"name,omitempty"`
	// Bound is our own identifier of the thing; empty means not resolved yet.
	Bound string `json:"bound,omitempty"`
}

// Bind resolves every reference of the kind whose ID or Name is key to our identifier, and says how many it found.
func (f *Flow) Bind(kind RefKind, key, bound string) int {
	n := 0
	for i := range f.Refs {
		r := &f.Refs[i]
		if r.Kind == kind && (r.ID == key || r.Name != "" && r.Name == key) {
			r.Bound = bound
			n++
		}
	}
	return n
}

// Clone returns a copy that shares no changeable state with f. Raw texts are shared, since nobody changes them in place.
func (f *Flow) Clone() *Flow {
	c := *f
	c.Vars = slices.Clone(f.Vars)
	c.Refs = slices.Clone(f.Refs)
	c.On = maps.Clone(f.On)
	c.Layout = maps.Clone(f.Layout)
	c.Links = maps.Clone(f.Links)
	c.Nodes = make(map[NodeID]*Node, len(f.Nodes))
	for id, n := range f.Nodes {
		m := *n
		m.Out = slices.Clone(n.Out)
		m.Exits = maps.Clone(n.Exits)
		m.PortNames = maps.Clone(n.PortNames)
		m.In = cloneValues(n.In)
		c.Nodes[id] = &m
	}
	return &c
}

func cloneValues(in map[string]Value) map[string]Value {
	if in == nil {
		return nil
	}
	out := make(map[string]Value, len(in))
	for k, v := range in {
		out[k] = v.clone()
	}
	return out
}

func (v Value) clone() Value {
	v.Map = cloneValues(v.Map)
	list := slices.Clone(v.List)
	for i := range list {
		list[i] = list[i].clone()
	}
	v.List = list
	return v
}

// NodeByName returns the node with the name, or nil.
func (f *Flow) NodeByName(name string) *Node {
	for _, n := range f.Nodes {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// Lit makes a literal value.
func Lit(v any) Value { return Value{Lit: v} }

// Dynamic makes a value in the manner of Amazon Connect: src with its references ($.Attributes.x) is dynamic, else literal.
func Dynamic(src, field string) Value {
	if !strings.Contains(src, "$.") && !strings.HasPrefix(src, "$[") {
		return Value{Lit: src, Field: field}
	}
	return Value{Src: src, Dialect: DialectConnect, Field: field}
}

// Pebble makes a template value that stands in the source format's field.
func Pebble(src, field string) Value { return Value{Src: src, Dialect: DialectPebble, Field: field} }

func sortedPorts(exits map[Port]NodeID) []Port { return slices.Sorted(maps.Keys(exits)) }

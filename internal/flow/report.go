package flow

import (
	"cmp"
	"errors"
	"slices"
)

// Report says what an import understood. Its JSON is what "tandem flow lint FILE --json" prints.
type Report struct {
	Format string `json:"format"`
	Name   string `json:"name"`
	// Nodes, Edges and Handlers count what the file holds; Mapped and Approximated how many nodes run as in the source
	// system and how many run nearly so.
	Nodes        int           `json:"nodes"`
	Edges        int           `json:"edges"`
	Handlers     int           `json:"handlers"`
	Mapped       int           `json:"mapped"`
	Approximated int           `json:"approximated"`
	Unsupported  []Unsupported `json:"unsupported"`
	Unresolved   []Unresolved  `json:"unresolved"`
	Problems     []Problem     `json:"problems"`
}

// Unsupported names a node we cannot run and its type in the source format.
type Unsupported struct {
	Node string `json:"node"`
	Type string `json:"type"`
}

// Unresolved names a reference to something outside the flow that is not bound to anything of ours.
type Unresolved struct {
	Node string  `json:"node"`
	Kind RefKind `json:"kind"`
	ID   string  `json:"id"`
	Name string  `json:"name,omitempty"`
}

// Problem is a defect of the flow. Node is the node's name, empty for the flow as a whole; Field is where in the source
// format it stands; Position is a byte offset in that field's text, or -1.
type Problem struct {
	Node     string `json:"node"`
	Field    string `json:"field"`
	Position int    `json:"position"`
	Message  string `json:"message"`
	// Fix is the field's complete new text if Replace is set, else advice.
	Fix string `json:"fix"`

	// Replace says that Fix is a text that Mend may put in the field's place.
	Replace bool `json:"-"`
	// Rule is the kind of defect, stable for programs; ID is the node, and Var the variable it is about, if it is about one.
	Rule Rule   `json:"-"`
	ID   NodeID `json:"-"`
	Var  string `json:"-"`
}

// Importer reads one format of flows.
type Importer interface {
	// Format is the format's name, as in Report.Format.
	Format() string
	// Sniff reports whether data, which is valid JSON or YAML text, looks like this format. It must be cheap.
	Sniff(data []byte) bool
	// Import reads a flow. It gives an error only for what is no flow at all; every defect of a flow is a problem in the report.
	Import(data []byte) (*Flow, *Report, error)
}

// MaxImportBytes is the longest flow file that is read.
const MaxImportBytes = 16 << 20

// Registry is the list of formats a program reads, tried in order. It is safe for concurrent use once built.
type Registry []Importer

// ErrNotAFlow is the error, wrapped, for a file that no importer knows.
var ErrNotAFlow = errors.New("this is not a call flow")

// sortReport puts the lists in a fixed order, and makes them lists rather than null in JSON.
func sortReport(r *Report) {
	if r.Unsupported == nil {
		r.Unsupported = []Unsupported{}
	}
	if r.Unresolved == nil {
		r.Unresolved = []Unresolved{}
	}
	if r.Problems == nil {
		r.Problems = []Problem{}
	}
	slices.SortFunc(r.Unsupported, func(a, b Unsupported) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Type, b.Type))
	})
	slices.SortFunc(r.Unresolved, func(a, b Unresolved) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	slices.SortStableFunc(r.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Position, b.Position))
	})
}

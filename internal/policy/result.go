package policy

import "fmt"

// Decision is the outcome of a request.
type Decision uint8

// The decisions. The zero value is a denial.
const (
	ImplicitlyDenied Decision = iota // nothing allowed it
	ExplicitlyDenied                 // a Deny statement matched
	Allowed
)

// String returns the name of the decision, as in "ImplicitlyDenied".
func (d Decision) String() string {
	switch d {
	case Allowed:
		return "Allowed"
	case ExplicitlyDenied:
		return "ExplicitlyDenied"
	case ImplicitlyDenied:
		return "ImplicitlyDenied"
	default:
		return fmt.Sprintf("Decision(%d)", uint8(d))
	}
}

// MarshalText writes the decision as String does.
func (d Decision) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Decision) UnmarshalText(text []byte) error {
	for c := ImplicitlyDenied; c <= Allowed; c++ {
		if string(text) == c.String() {
			*d = c
			return nil
		}
	}
	return fmt.Errorf("decision %q is unknown: use Allowed, ExplicitlyDenied or ImplicitlyDenied", text)
}

// Layer is the group of policies that settled a decision.
type Layer uint8

// The layers, in the order in which a denial is attributed to them.
const (
	LayerNone     Layer = iota // no policy spoke
	LayerResource              // the resource's own policy, or a role's trust policy
	LayerIdentity
	LayerBoundary
	LayerSession
)

// String returns the layer in lower case, "none" for LayerNone.
func (l Layer) String() string {
	switch l {
	case LayerNone:
		return "none"
	case LayerResource:
		return "resource"
	case LayerIdentity:
		return "identity"
	case LayerBoundary:
		return "boundary"
	case LayerSession:
		return "session"
	default:
		return fmt.Sprintf("Layer(%d)", uint8(l))
	}
}

// MarshalText writes the layer as String does.
func (l Layer) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (l *Layer) UnmarshalText(text []byte) error {
	for c := LayerNone; c <= LayerSession; c++ {
		if string(text) == c.String() {
			*l = c
			return nil
		}
	}
	return fmt.Errorf("policy layer %q is unknown: use none, resource, identity, boundary or session", text)
}

// Result is what Decide returns. The zero value is a denial.
type Result struct {
	Decision Decision
	// Layer settled the decision: for an explicit denial the layer of the Deny statement, for a grant the layer that
	// allowed, for an implicit denial the first layer that had to allow and did not.
	Layer Layer
	// Statement is the statement that denied or allowed; nil for an implicit denial. Not to be changed.
	Statement *Statement
}

// Allowed reports whether the request may go on.
func (r Result) Allowed() bool { return r.Decision == Allowed }

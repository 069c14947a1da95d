package policy

import (
	"fmt"
	"strings"
)

// Limits on what Parse accepts. They are wider than those of AWS (6,144 characters for a managed policy, 20 KiB for a
// bucket policy) and only keep a hostile document from costing more than a moment.
const (
	MaxDocumentBytes = 128 << 10 // bytes of one document
	MaxStatements    = 512       // statements of one document
	MaxListLength    = 1024      // entries of one list, such as Action or the values of a condition
	MaxStringBytes   = 4096      // bytes of one string
	MaxDepth         = 12        // nesting of objects and lists; a valid policy needs 7
	maxErrors        = 50        // problems reported for one document
)

// The versions of the language. Only Version2012 knows policy variables; under Version2008, which a document without a
// Version has, "${aws:username}" is plain text.
const (
	Version2008 = "2008-10-17"
	Version2012 = "2012-10-17"
)

// Kind is the place a document is attached to. It decides which elements are required and which are forbidden.
type Kind uint8

// The kinds of policy.
const (
	KindIdentity Kind = iota // attached to a user or role: no Principal, Resource required
	KindResource             // attached to a resource: Principal and Resource required
	KindBoundary             // permissions boundary: as KindIdentity, grants nothing by itself
	KindSession              // passed when a session is made: as KindIdentity, grants nothing by itself
	KindTrust                // who may assume a role: Principal required, no Resource
)

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case KindIdentity:
		return "identity"
	case KindResource:
		return "resource"
	case KindBoundary:
		return "boundary"
	case KindSession:
		return "session"
	case KindTrust:
		return "trust"
	default:
		return fmt.Sprintf("kind %d", uint8(k))
	}
}

// MarshalText writes the kind as String does.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *Kind) UnmarshalText(text []byte) error {
	for c := KindIdentity; c <= KindTrust; c++ {
		if string(text) == c.String() {
			*k = c
			return nil
		}
	}
	return fmt.Errorf("policy kind %q is unknown: use identity, resource, boundary, session or trust", text)
}

// takesPrincipal reports whether statements of this kind say who they are for.
func (k Kind) takesPrincipal() bool { return k == KindResource || k == KindTrust }

// Effect is what a matching statement does.
type Effect uint8

// The effects. The zero value is Deny, so that a forgotten effect never grants.
const (
	Deny Effect = iota
	Allow
)

// String returns "Allow" or "Deny".
func (e Effect) String() string {
	if e == Allow {
		return "Allow"
	}
	return "Deny"
}

// MarshalText writes the effect as String does.
func (e Effect) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// Document is a parsed policy. It is not to be changed after Parse returned it; then it may be shared by goroutines.
type Document struct {
	Kind       Kind
	Version    string // Version2008 where the document names none
	ID         string
	Statements []Statement

	versionGiven bool
}

// Statement is one statement of a document. Exactly one of Action and NotAction is set, and at most one of Resource and
// NotResource and of Principal and NotPrincipal.
type Statement struct {
	Sid          string
	Path         string // JSON path of the statement, such as $.Statement[2]
	Effect       Effect
	Principal    []PrincipalRef
	NotPrincipal []PrincipalRef
	Action       []string
	NotAction    []string
	Resource     []string
	NotResource  []string
	Conditions   []Condition
}

// PrincipalRef is one entry of a Principal or NotPrincipal element.
type PrincipalRef struct {
	Type  string // AWS, Service, Federated, CanonicalUser, or "*" for the bare "Principal": "*"
	Value string
}

// Condition is one operator applied to one key of a Condition element.
type Condition struct {
	Operator string // as written, such as ForAnyValue:StringLike
	Key      string // as written
	Values   []string
	Path     string // JSON path, such as $.Statement[0].Condition.Bool["aws:SecureTransport"]
}

// Problem is one fault of a document, with the way to mend it.
type Problem struct {
	Path    string `json:"path"` // JSON path of the fault, $ for the whole document
	Rule    string `json:"rule"` // stable name of the rule broken
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

// Error returns path, message and what to do.
func (p *Problem) Error() string {
	if p.Fix == "" {
		return p.Path + ": " + p.Message
	}
	return p.Path + ": " + p.Message + ": " + p.Fix
}

// ParseError is returned by Parse: every fault found, at most 50.
type ParseError struct {
	Problems []*Problem
}

// Error returns one line for each problem.
func (e *ParseError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Error()
	}
	return "invalid policy: " + strings.Join(lines, "; ")
}

// Unwrap gives the problems to errors.As.
func (e *ParseError) Unwrap() []error {
	out := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		out[i] = p
	}
	return out
}

package jsonpath

import "errors"

// A Path is a compiled path. It is immutable and safe for concurrent use.
type Path struct {
	src string
}

// Parse compiles a path. Its error is a *SyntaxError.
func Parse(src string, _ Mode) (*Path, error) { return &Path{src: src}, nil }

// ErrNotFound is returned when a definite path of the Jayway dialect leads to nothing.
var ErrNotFound = errors.New("path not found")

// Query returns the values that the path selects, in document order where the document has one.
func (p *Path) Query(_ any) ([]any, error) { return nil, ErrNotFound }

// One returns the one value of a definite path, or the list of values of an indefinite one.
func (p *Path) One(_ any) (any, error) { return nil, ErrNotFound }

// Definite reports whether the path can select no more than one value.
func (p *Path) Definite() bool { return false }

// String returns the path in normal form.
func (p *Path) String() string { return p.src }

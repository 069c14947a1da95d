// Package jsonpath queries decoded JSON with JSONPath, in two dialects: [Strict] is RFC 9535, complete; [Jayway] is the
// dialect of the Java library Jayway JsonPath, which Webex Contact Center uses and which accepts paths that RFC 9535
// does not ("$.records.[0].Id", "value[0].x").
//
// Documents are what encoding/json decodes: map[string]any, []any, string, float64 or json.Number, bool and nil; Go's
// integer types are taken as well. Queries never change the document and return its values, not copies. As a decoded
// object has no order, its members are visited in the order of their names.
//
// A query visits no more than MaxSteps nodes and goes no deeper than MaxDepth.
package jsonpath

import (
	"errors"
	"fmt"
)

// The limits of a path and of a query.
const (
	MaxSource = 4096    // bytes of a path
	MaxNest   = 50      // filters, parentheses and arguments within each other
	MaxSteps  = 100_000 // nodes that one query may visit
	MaxDepth  = 1000    // levels of a document that a query may descend
)

// Mode selects the dialect.
type Mode int

// The dialects.
const (
	Strict Mode = iota // RFC 9535
	Jayway             // Jayway JsonPath 2
)

// ErrNotFound is returned when a path that must lead to a value leads to nothing.
var ErrNotFound = errors.New("path not found")

// ErrLimit is returned when a query would exceed MaxSteps or MaxDepth.
var ErrLimit = errors.New("the query visits more of the document than is allowed: use a path without \"..\" or a smaller document")

// A SyntaxError says why a path was refused.
type SyntaxError struct {
	Pos int    // byte offset in the path
	Msg string // what is wrong
	// Fix is an equivalent path that the mode accepts, or empty when none is evident.
	Fix string
}

// Error returns the message with its position.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("JSONPath offset %d: %s", e.Pos, e.Msg)
}

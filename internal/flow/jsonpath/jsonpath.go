// Package jsonpath queries decoded JSON with JSONPath, in two dialects: [Strict] is RFC 9535, complete; [Jayway] is the
// dialect of the Java library Jayway JsonPath, which Webex Contact Center uses and which accepts paths that RFC 9535
// does not ("$.records.[0].Id", "value[0].x").
//
// Documents are what encoding/json decodes: map[string]any, []any, string, float64 or json.Number, bool and nil. Queries
// never change the document; they return its values, not copies.
package jsonpath

import "fmt"

// Mode selects the dialect.
type Mode int

// The dialects.
const (
	Strict Mode = iota // RFC 9535
	Jayway             // Jayway JsonPath 2
)

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

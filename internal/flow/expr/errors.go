package expr

import "fmt"

// A SyntaxError says why a template could not be compiled.
type SyntaxError struct {
	Pos  int    // byte offset in the source
	Line int    // from 1
	Col  int    // from 1, in bytes
	Msg  string // what is wrong, and what to write instead where that is known
	// Fix is the whole template with the evident mistake mended, known to compile; empty when no mend is evident.
	Fix string
}

// Error returns the message with its position.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("template line %d column %d: %s", e.Line, e.Col, e.Msg)
}

// An EvalError says why a compiled template could not be evaluated with the variables at hand.
type EvalError struct {
	Pos  int    // byte offset in the source of the expression that failed
	Line int    // from 1
	Col  int    // from 1, in bytes
	Msg  string // what is wrong
	Fix  string // what the author can do about it; may be empty
}

// Error returns the message with its position.
func (e *EvalError) Error() string {
	return fmt.Sprintf("template line %d column %d: %s", e.Line, e.Col, e.Msg)
}

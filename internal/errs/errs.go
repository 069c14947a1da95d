// Package errs is the one error type that crosses package borders: a code that each edge maps to its own status, and a
// message that is fit to show to a user. The cause stays in the chain for logs.
package errs

import (
	"errors"
	"fmt"
)

// Code classifies an error. There are eight, and each edge (HTTP, Amazon wire, SIP) owns one table from code to status.
type Code string

// The codes.
const (
	Invalid         Code = "invalid"         // the request is wrong and will stay wrong
	NotFound        Code = "not_found"       // what was named does not exist, or must not be known to exist
	Conflict        Code = "conflict"        // the state does not allow it now: a version, a duplicate, a wrong phase
	Unauthenticated Code = "unauthenticated" // nobody, or an expired session
	Denied          Code = "denied"          // known, but not permitted
	Exhausted       Code = "exhausted"       // a limit, a rate or a quota
	Unavailable     Code = "unavailable"     // try again later: a dependency is down, or the hub drains
	Internal        Code = "internal"        // a bug or a broken machine
)

// Error carries a code and a message for people; Err is the cause and is never shown to them.
type Error struct {
	Code Code
	Msg  string
	Err  error
}

// Error returns the message with its cause, for logs.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Msg
	case e.Msg == "":
		return e.Err.Error()
	default:
		return e.Msg + ": " + e.Err.Error()
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns an error whose message says what is wrong and what to do.
func New(code Code, format string, args ...any) error {
	return &Error{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// Wrap gives a cause a code and a message fit to show. A nil cause stays nil.
func Wrap(code Code, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Code: code, Msg: fmt.Sprintf(format, args...), Err: err}
}

// CodeOf returns the outermost code in the chain; an error without one is Internal, nil is "".
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// Is reports whether the outermost code in the chain is code.
func Is(err error, code Code) bool { return err != nil && CodeOf(err) == code }

// Message returns what a user may see: the outermost message, or a neutral text for errors that carry none.
func Message(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Msg != "" {
		return e.Msg
	}
	if err == nil {
		return ""
	}
	return "internal error; the log has the details"
}

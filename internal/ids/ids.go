// Package ids makes identifiers: UUIDv7 (RFC 9562 §5.7), so that they sort by time of creation.
package ids

import "github.com/google/uuid"

// New returns a new identifier. It panics only when the system's random source is broken.
func New() string { return uuid.Must(uuid.NewV7()).String() }

// Valid reports whether s has the form of an identifier.
func Valid(s string) bool { return uuid.Validate(s) == nil && len(s) == 36 }

//go:build !flite

package flite

// Available reports whether this build has the speech module.
func Available() bool { return false }

// Licence returns flite's licence, which must go with every copy of the module; empty in a build without it.
func Licence() string { return "" }

func embedded() []byte { return nil }

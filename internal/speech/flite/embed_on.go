//go:build flite

package flite

import _ "embed"

//go:embed flite.wasm
var wasm []byte

//go:embed COPYING
var copying string

// Available reports whether this build has the speech module.
func Available() bool { return true }

// Licence returns flite's licence, which must go with every copy of the module; empty in a build without it.
func Licence() string { return copying }

func embedded() []byte { return wasm }

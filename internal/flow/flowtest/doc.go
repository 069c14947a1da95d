// Package flowtest runs call flows without a telephone: a [Runner] drives the step machine of package flow as the real
// driver does, a [Script] says what callers, servers, agents and the installation do, and a virtual clock passes as fast as
// the machine can go. What happened comes back as a [Result]: the trace, the commands, what was said, the requests made and
// every change of a variable.
//
// A run always ends. A flow that would go on for ever is stopped by the script's limits, and the result says which.
//
// A [Suite] is a list of tests of one flow, each a script with what is expected of it; suites are read from YAML, and from
// Amazon Connect's testing language. [Coverage] says which nodes and exits of a flow no test has reached.
//
// Nothing here does I/O or reads a clock. A Runner may be shared by goroutines, a Result belongs to whoever asked for it.
package flowtest

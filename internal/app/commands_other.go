//go:build !unix

package app

import "os/exec"

// ownGroup and killGroup leave it at the command itself where there are no process groups.
func ownGroup(*exec.Cmd)  {}
func killGroup(*exec.Cmd) {}

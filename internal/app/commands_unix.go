//go:build unix

package app

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup starts a command in a process group of its own, which is killed as a whole when its time is over.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		killGroup(cmd)
		return os.ErrProcessDone
	}
}

// killGroup kills what is left of a command's group.
func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // nothing is left of it as a rule
	}
}

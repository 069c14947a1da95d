package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// Limits of commands.
const (
	maxCommands    = 64          // at once; more are refused
	maxCommandNote = 4 << 10     // of what it writes to standard error
	commandGrace   = time.Second // for its pipes to close once it is killed
)

// commands runs the programs that the configuration file allows as functions. It is safe for concurrent use.
type commands struct {
	allowed map[string][]string
	free    chan struct{}
}

func newCommands(allowed map[string][]string) *commands {
	return &commands{allowed: allowed, free: make(chan struct{}, maxCommands)}
}

// names are the commands there are, in order.
func (c *commands) names() []string {
	out := make([]string, 0, len(c.allowed))
	for name := range c.allowed {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// run gives a command the event on standard input and returns what it writes to standard output. It runs without a shell, in
// the root directory, with nothing of this process's environment, and is killed with its children when ctx ends.
func (c *commands) run(ctx context.Context, name string, event []byte) ([]byte, error) {
	argv := c.allowed[name]
	if len(argv) == 0 {
		return nil, errs.New(errs.Denied, "the configuration file allows no command %.100q under functions.commands", name)
	}
	select {
	case c.free <- struct{}{}:
		defer func() { <-c.free }()
	default:
		return nil, errs.New(errs.Exhausted, "%d functions run as commands already; try again", maxCommands)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	out, note := &bounded{limit: maxFunctionAnswer, over: stop}, &bounded{limit: maxCommandNote}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // the operator's own configuration file
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/nonexistent"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = bytes.NewReader(event), out, note, commandGrace
	ownGroup(cmd)
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		killGroup(cmd) // children that were left behind hold its output open
	}
	switch {
	case out.full:
		return nil, errs.New(errs.Invalid, "the command %s writes more than %d bytes", name, maxFunctionAnswer)
	case err == nil || errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState.Success():
		return out.kept, nil
	case cmd.ProcessState == nil:
		return nil, errs.Wrap(errs.Unavailable, err, "the command %s cannot be started; see functions.commands in the configuration file", name)
	}
	return nil, errs.Wrap(errs.Unavailable, err, "the command %s failed: %s", name, firstLine(string(note.kept), fmt.Sprint(cmd.ProcessState)))
}

// firstLine is the beginning of what a program complains of.
func firstLine(text, otherwise string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(strings.ToValidUTF8(text, "")), "\n")
	if line == "" {
		return otherwise
	}
	const limit = 200
	if len(line) > limit {
		line = strings.ToValidUTF8(line[:limit], "") + "..."
	}
	return line
}

// bounded keeps the beginning of what is written. It is no bytes.Buffer to the eye: that one's ReadFrom knows no limit.
type bounded struct {
	kept  []byte
	limit int
	full  bool
	over  func() // told when there is more; may be nil
}

// Write implements io.Writer; what is too much is let go of.
func (b *bounded) Write(p []byte) (int, error) {
	room := min(len(p), b.limit-len(b.kept))
	b.kept = append(b.kept, p[:room]...)
	if room < len(p) && !b.full {
		if b.full = true; b.over != nil {
			b.over()
		}
	}
	return len(p), nil
}

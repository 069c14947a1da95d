//go:build unix

package app

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// script writes a program into the test's directory.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func runScript(ctx context.Context, t *testing.T, text string, args ...string) (string, error) {
	t.Helper()
	out, err := newCommands(map[string][]string{"x": append([]string{script(t, text)}, args...)}).run(ctx, "x", []byte(`{"Name":"ContactFlowEvent"}`))
	return string(out), err
}

// TestCommand: a command hears the event, sees nothing of the hub, and cannot be talked into anything by its arguments.
func TestCommand(t *testing.T) {
	t.Setenv("TANDEM_PASSPHRASE", "secret of the hub")
	out, err := runScript(t.Context(), t, `cat; echo "$1"; pwd; env`, "$(id); `id`")
	if err != nil || !strings.HasPrefix(out, `{"Name":"ContactFlowEvent"}$(id); `+"`id`\n/\n") || strings.Contains(out, "secret") {
		t.Errorf("%s %v", out, err)
	}
	_, err = runScript(t.Context(), t, `echo "no such customer" >&2; exit 3`)
	if !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "no such customer") {
		t.Errorf("%v", err)
	}
	if _, err = runScript(t.Context(), t, `exit 3`); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("%v", err)
	}
	c := newCommands(map[string][]string{"gone": {"/nonexistent/program"}})
	if _, err = c.run(t.Context(), "gone", nil); !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "functions.commands") {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"/bin/sh", "", "id"} {
		if _, err := c.run(t.Context(), name, nil); !errs.Is(err, errs.Denied) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCommandIsBounded: one that writes without end is ended, and too many at once are refused.
func TestCommandIsBounded(t *testing.T) {
	t.Parallel()
	if _, err := runScript(t.Context(), t, `exec yes`); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("%v", err)
	}
	c := newCommands(map[string][]string{"x": {"/bin/true"}})
	for range maxCommands {
		c.free <- struct{}{}
	}
	if _, err := c.run(t.Context(), "x", nil); !errs.Is(err, errs.Exhausted) {
		t.Errorf("%v", err)
	}
}

// TestCommandIsKilled: when its time is over a command ends, and its children with it.
func TestCommandIsKilled(t *testing.T) {
	// Not beside the test that takes all places of commands.
	fifo := filepath.Join(t.TempDir(), "alive")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := make(chan error, 1)
	go func() {
		f, err := os.Open(fifo) // returns when the child has opened it too
		cancel(errors.New("time is over"))
		if err == nil {
			_, err = io.ReadAll(f) // until nobody holds it any more
		}
		gone <- err
	}()
	_, err := runScript(ctx, t, `(exec 3>"$1"; sleep 300) & wait`, fifo)
	if err == nil {
		t.Error("the command succeeded")
	}
	select {
	case err := <-gone:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the command's child lives on")
	}
}

package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/app"
)

// Build builds the binary into a directory, without speech, and returns its path.
func Build(dir string) (string, error) {
	name := filepath.Join(dir, "tandem")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", name, "github.com/tandemcc/tandem/cmd/tandem") //nolint:gosec // the test's own path
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the hub: %w: %s", err, out)
	}
	return name, nil
}

// Exec runs a built hub as a process of its own, so that it can be killed. dsn is "sqlite" or a postgres:// URL.
// More flags may follow.
func Exec(t testing.TB, binary, dir, dsn string, more ...string) *Hub {
	t.Helper()
	const free = "127.0.0.1:0"
	ready := filepath.Join(dir, "ready.json")
	if err := os.Remove(ready); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	args := []string{
		"up", "--data", dir, "--db", dsn, "--http", free, "--sandbox", free, "--sip", free, "--webrtc", free, "--metrics", free,
		"--clock", "controllable", "--log-level", "info",
	}
	cmd := exec.CommandContext(context.Background(), binary, append(args, more...)...) //nolint:gosec // built by the test
	log := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	h := &Hub{Dir: dir, t: t, log: log, cancel: func() {}}
	h.stop = func() error {
		err := cmd.Process.Kill()
		<-exited
		if err != nil && err.Error() == os.ErrProcessDone.Error() {
			return nil
		}
		return err
	}
	t.Cleanup(func() {
		_ = h.stop()
		h.quiet()
		if t.Failed() {
			t.Logf("the hub's log:\n%s", log)
		}
	})
	h.Eventually("the hub is ready", func() bool {
		select {
		case <-exited:
			t.Fatalf("the hub has ended\n%s", log)
		default:
		}
		raw, err := os.ReadFile(ready) //nolint:gosec // the test's own path
		var r app.Ready
		if err != nil || json.Unmarshal(raw, &r) != nil {
			return false
		}
		h.Ready = r
		return true
	})
	return h
}

// After returns a channel that is closed after d, for a test that must let the hub's work overlap.
func After(d time.Duration) <-chan struct{} {
	done := make(chan struct{})
	time.AfterFunc(d, func() { close(done) })
	return done
}

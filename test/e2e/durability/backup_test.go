package durability

import (
	"bufio"
	"bytes"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
)

// TestBackupWhileWriting takes copies of a database that is being written as fast as it can be, restores the last one beside a dead
// original and finds everything that was acknowledged before the copy began, whole and once.
func TestBackupWhileWriting(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs another process for seconds")
	}
	dsn, dir := storetest.DSN(t, sqlstore.SQLite), t.TempDir()
	cmd := run(t, dsn, dir, "write")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // guards acked
	acked := map[string]bool{}
	first, read := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if id, ok := strings.CutPrefix(lines.Text(), "ack "); ok {
				mu.Lock()
				if acked[id] = true; len(acked) == 20 {
					close(first)
				}
				mu.Unlock()
			}
		}
	}()
	select {
	case <-first:
	case <-time.After(30 * time.Second):
		t.Fatalf("the writer does not write: %s", stderr.String())
	}
	var before map[string]bool
	file := ""
	for i := range 3 {
		mu.Lock()
		before = maps.Clone(acked)
		mu.Unlock()
		file = filepath.Join(dir, "copy-"+string(rune('a'+i))+".db")
		begin := time.Now()
		if err := sqlstore.Backup(t.Context(), dsn, file); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		t.Logf("copy of at least %d units of work in %v, %d more meanwhile", len(before), time.Since(begin).Round(time.Millisecond), len(acked)-len(before))
		mu.Unlock()
	}
	if err := sqlstore.Restore(t.Context(), dsn, file); err == nil {
		t.Error("restored over a database that is in use")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-read
	_ = cmd.Wait() // it was killed
	restored := "sqlite:" + filepath.Join(t.TempDir(), "tandem.db")
	if err := sqlstore.Restore(t.Context(), restored, file); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, restored, dir, "drain").CombinedOutput(); err != nil {
		t.Fatalf("going on from the copy: %v\n%s", err, out)
	}
	inspect(t, restored, dir, before)
}

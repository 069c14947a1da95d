package sqlstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/audit"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
	"github.com/tandemcc/tandem/internal/work"
)

// open opens a database that the test itself closes.
func open(t *testing.T, dsn string) *sqlstore.DB {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), dsn, sqlstore.Options{Cipher: storetest.Cipher{}})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func shut(t *testing.T, db *sqlstore.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// fill writes n units, each with an event, a job and an audit entry, and a setting.
func fill(t *testing.T, db *sqlstore.DB, n int) {
	t.Helper()
	for i := range n {
		err := sqlstore.As[work.Tx](db).Update(t.Context(), func(tx work.Tx) error {
			if err := emit(t.Context(), tx, fmt.Sprint("s", i)); err != nil {
				return err
			}
			return tx.Enqueue(t.Context(), job.Job{ID: ids.New(), Tenant: "t", Kind: "k", Payload: []byte{0, 1, 0xff}, RunAt: start, CreatedAt: start})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	storetest.WriteAudit(t, sqlstore.As[audit.Tx](db), n)
	if err := db.PutSetting(t.Context(), "t", "greeting", "Grüß Gott, 你好"); err != nil {
		t.Fatal(err)
	}
	if err := db.PutClip(t.Context(), "t", "empty", []byte{}, start); err != nil {
		t.Fatal(err)
	}
}

// contents is what a copy must keep.
func contents(t *testing.T, db *sqlstore.DB) (events []event.Event, jobs []job.Job, entries []audit.Entry) {
	t.Helper()
	var err error
	if events, err = db.Events().Read(t.Context(), "", 0, 10_000); err != nil {
		t.Fatal(err)
	}
	if jobs, err = db.Jobs().List(t.Context(), "t", "", 0, 10_000); err != nil {
		t.Fatal(err)
	}
	err = sqlstore.As[audit.Tx](db).View(t.Context(), func(tx audit.Tx) error {
		entries, err = tx.ListAudit(t.Context(), audit.Filter{Tenant: "t", Limit: 10_000})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return events, jobs, entries
}

func TestCopyBetweenEngines(t *testing.T) {
	for _, way := range [][2]sqlstore.Engine{{sqlstore.SQLite, sqlstore.Postgres}, {sqlstore.Postgres, sqlstore.SQLite}, {sqlstore.SQLite, sqlstore.SQLite}} {
		t.Run(string(way[0]+" to "+way[1]), func(t *testing.T) {
			from, to := storetest.DSN(t, way[0]), storetest.DSN(t, way[1])
			src := open(t, from)
			const n = 1234 // more than one batch
			fill(t, src, n)
			waitEvents(t, src.Events(), n)
			events, jobs, entries := contents(t, src)
			shut(t, src)
			list, err := sqlstore.Copy(t.Context(), from, to)
			if err != nil {
				t.Fatal(err)
			}
			rows := map[string]int64{}
			for _, c := range list {
				rows[c.Table] = c.Rows
			}
			if rows["events"] != n || rows["jobs"] != n || rows["audit_entries"] != n || rows["settings"] != 1 || rows["clips"] != 1 {
				t.Errorf("copied %v", rows)
			}
			dst := open(t, to)
			defer shut(t, dst)
			events2, jobs2, entries2 := contents(t, dst)
			if d := cmp.Diff(events, events2); d != "" {
				t.Error("events", d)
			}
			if d := cmp.Diff(jobs, jobs2); d != "" {
				t.Error("jobs", d)
			}
			if d := cmp.Diff(entries, entries2); d != "" {
				t.Error("audit entries", d)
			}
			if v, _, err := dst.Setting(t.Context(), "t", "greeting"); err != nil || v != "Grüß Gott, 你好" {
				t.Error(v, err)
			}
			if body, ok, err := dst.Clip(t.Context(), "t", "empty"); err != nil || !ok || len(body) != 0 {
				t.Error(body, ok, err)
			}
			// Numbers go on where they were.
			fill(t, dst, 1)
			if all := waitEvents(t, dst.Events(), n+1); len(all) != n+1 || all[n].Seq != n+1 {
				t.Errorf("the next event is not number %d: %d events", n+1, len(all))
			}
			if _, err := sqlstore.Copy(t.Context(), from, to); !errs.Is(err, errs.Conflict) {
				t.Errorf("a copy into a full database: %v", err)
			}
		})
	}
}

// TestBackupWhileWriting takes a backup amid writers: it must be whole and hold every unit or none of it.
func TestBackupWhileWriting(t *testing.T) {
	dir := t.TempDir()
	dsn := "sqlite:" + filepath.Join(dir, "tandem.db")
	db := open(t, dsn)
	fill(t, db, 20)
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				err := sqlstore.As[work.Tx](db).Update(ctx, func(tx work.Tx) error {
					if err := emit(ctx, tx, "pair"); err != nil {
						return err
					}
					return emit(ctx, tx, "pair")
				})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	copyName := filepath.Join(dir, "it's a copy.db")
	err := sqlstore.Backup(t.Context(), dsn, copyName)
	cancel()
	writers.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(copyName); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy must be the owner's alone: %v %v", info.Mode(), err)
	}
	if err := sqlstore.Restore(t.Context(), dsn, copyName); !errs.Is(err, errs.Conflict) {
		t.Errorf("a restore under a running hub: %v", err)
	}
	fill(t, db, 1)
	shut(t, db)
	if err := sqlstore.Restore(t.Context(), dsn, copyName); err != nil {
		t.Fatal(err)
	}
	db = open(t, dsn)
	defer shut(t, db)
	events, jobs, entries := contents(t, db)
	if len(jobs) != 20 || len(entries) != 20 || len(events) < 20 || len(events)%2 != 0 {
		t.Errorf("%d events, %d jobs, %d entries", len(events), len(jobs), len(entries))
	}
}

func TestBackupAndRestoreRefuse(t *testing.T) {
	dir := t.TempDir()
	name := func(s string) string { return filepath.Join(dir, s) }
	dsn := "sqlite:" + name("tandem.db")
	shut(t, open(t, dsn))
	if err := sqlstore.Backup(t.Context(), dsn, name("copy")); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(name("copy"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := []byte(strings.Repeat("x", len(whole)))
	copy(damaged, whole[:len(whole)/4])
	for file, data := range map[string][]byte{"text": []byte("hello"), "cut": whole[:len(whole)/2], "damaged": damaged} {
		if err := os.WriteFile(name(file), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := sqlstore.Restore(t.Context(), dsn, name(file)); !errs.Is(err, errs.Invalid) {
			t.Errorf("restoring %s: %v", file, err)
		}
	}
	for what, err := range map[string]error{
		"backup of PostgreSQL":    sqlstore.Backup(t.Context(), "postgres://h/n", name("p")),
		"restore of PostgreSQL":   sqlstore.Restore(t.Context(), "postgres://h/n", name("copy")),
		"copy onto itself":        second(sqlstore.Copy(t.Context(), dsn, dsn)),
		"backup of nothing":       sqlstore.Backup(t.Context(), "sqlite:"+name("none"), name("p")),
		"backup over a file":      sqlstore.Backup(t.Context(), dsn, name("text")),
		"backup to a folder gone": sqlstore.Backup(t.Context(), dsn, name("gone/p")),
	} {
		if err == nil || errs.CodeOf(err) == errs.Internal {
			t.Errorf("%s: %v", what, err)
		}
	}
	if before, after, err := sqlstore.Migrate(t.Context(), dsn); err != nil || before != after || before == 0 {
		t.Errorf("migrating what is new: %d to %d, %v", before, after, err)
	}
	if before, after, err := sqlstore.Migrate(t.Context(), "sqlite:"+name("fresh.db")); err != nil || before != 0 || after == 0 {
		t.Errorf("migrating nothing: %d to %d, %v", before, after, err)
	}
}

func second[T any](_ T, err error) error { return err }

package sqlstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tandemcc/tandem/internal/audit"
	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
)

func TestAuditStore(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) { storetest.Audit(t, sqlstore.As[audit.Tx](db)) })
}

func TestAuditConcurrent(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) { storetest.AuditConcurrent(t, sqlstore.As[audit.Tx](db)) })
}

// sealedLog is a SQLite database with n sealed entries and a connection that tampers with it.
func sealedLog(t *testing.T, n int) (store audit.Store, verify func(witnessed ...string) audit.Result, tamper func(q string, args ...any)) {
	t.Helper()
	dsn := storetest.DSN(t, sqlstore.SQLite)
	store = sqlstore.As[audit.Tx](storetest.Open(t, dsn))
	signer, verifiers := storetest.AuditSigner(t)
	at := time.UnixMilli(1_790_000_000_000)
	seq, err := audit.NewSequencer(audit.Config{
		Store: store, Signer: signer, Verifiers: verifiers, Node: "n", Batch: 100, Now: func() time.Time { at = at.Add(time.Minute); return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	storetest.WriteAudit(t, store, n)
	if sealed, err := seq.SealAll(t.Context()); err != nil || sealed != n {
		t.Fatalf("sealed %d, %v", sealed, err)
	}
	raw, err := sql.Open("sqlite", strings.TrimPrefix(dsn, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	verify = func(witnessed ...string) audit.Result {
		t.Helper()
		res, err := audit.Verify(t.Context(), store, seq.Origin(), verifiers, witnessed...)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	tamper = func(q string, args ...any) {
		t.Helper()
		if _, err := raw.ExecContext(t.Context(), q, args...); err != nil {
			t.Fatal(err)
		}
	}
	return store, verify, tamper
}

func TestAuditVerifyFindsDamage(t *testing.T) {
	store, verify, tamper := sealedLog(t, 1234)
	head, err := audit.Head(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	if res := verify(head.Note); !res.OK || res.Size != 1234 || res.Root == "" {
		t.Fatalf("got %+v", res)
	}
	for _, c := range []struct {
		name, do, undo string
		problem        audit.Problem
		seq            int64
	}{
		{"outcome", "UPDATE audit_entries SET outcome = 'denied' WHERE seq = 700", "UPDATE audit_entries SET outcome = 'ok' WHERE seq = 700", audit.Changed, 700},
		{"last row", "UPDATE audit_entries SET at = at + 1 WHERE seq = 1234", "UPDATE audit_entries SET at = at - 1 WHERE seq = 1234", audit.Changed, 1234},
		{
			"commitment", "UPDATE audit_entries SET commitment = CAST(X'00' || substr(commitment, 1) AS BLOB) WHERE seq = 1",
			"UPDATE audit_entries SET commitment = CAST(substr(commitment, 2) AS BLOB) WHERE seq = 1", audit.Changed, 1,
		},
		{"salt erased", "UPDATE audit_entries SET salt = X''", "", "", 0},
		{"removed", "UPDATE audit_entries SET seq = NULL WHERE seq = 501", "UPDATE audit_entries SET seq = 501 WHERE seq IS NULL", audit.Missing, 501},
		{"removed at the end", "UPDATE audit_entries SET seq = NULL WHERE seq = 1234", "UPDATE audit_entries SET seq = 1234 WHERE seq IS NULL", audit.Missing, 1234},
		{"swapped", "UPDATE audit_entries SET seq = CASE seq WHEN -1 THEN 8 ELSE 7 END WHERE seq IN (-1, 8)", "", audit.Reordered, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "swapped" {
				tamper("UPDATE audit_entries SET seq = -1 WHERE seq = 7")
				tamper("UPDATE audit_entries SET seq = 7 WHERE seq = 8")
				tamper("UPDATE audit_entries SET seq = 8 WHERE seq = -1")
			} else {
				tamper(c.do)
			}
			if res := verify(); res.OK != (c.problem == "") || res.Problem != c.problem || res.Seq != c.seq {
				t.Errorf("got %+v, want %s at %d", res, c.problem, c.seq)
			}
			if c.undo != "" {
				tamper(c.undo)
				if res := verify(); !res.OK {
					t.Errorf("after undoing: %+v", res)
				}
			}
		})
	}
}

func TestAuditVerifyFindsTruncation(t *testing.T) {
	store, verify, tamper := sealedLog(t, 250) // checkpoints at 100, 200 and 250 in one hour: only 250 is kept
	head, err := audit.Head(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	tamper("DELETE FROM audit_checkpoints")
	if res := verify(); res.OK || res.Problem != audit.Unexpected || res.Seq != 1 {
		t.Errorf("got %+v", res)
	}
	tamper("DELETE FROM audit_entries")
	if res := verify(); !res.OK { // nothing is left that could tell
		t.Errorf("got %+v", res)
	}
	if res := verify(head.Note); res.OK || res.Problem != audit.Truncated {
		t.Errorf("got %+v", res)
	}
	if res := verify(strings.Replace(head.Note, "250", "240", 1)); res.OK || res.Problem != audit.Forged {
		t.Errorf("got %+v", res)
	}
}

func TestAuditSequencerRefusesDamagedLog(t *testing.T) {
	store, verify, tamper := sealedLog(t, 5)
	tamper("UPDATE audit_blocks SET hashes = CAST(zeroblob(length(hashes)) AS BLOB)")
	signer, verifiers := storetest.AuditSigner(t)
	seq, err := audit.NewSequencer(audit.Config{Store: store, Signer: signer, Verifiers: verifiers, Node: "n"})
	if err != nil {
		t.Fatal(err)
	}
	storetest.WriteAudit(t, store, 1)
	if _, err := seq.SealAll(t.Context()); err == nil {
		t.Error("a damaged log grew")
	}
	if res := verify(); res.Problem != audit.Changed || res.Seq != 1 || res.Pending != 1 {
		t.Errorf("got %+v", res)
	}
}

// TestAuditCrash ends the sealing transaction at each of its steps; the next run makes the same log.
func TestAuditCrash(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		inner := sqlstore.As[audit.Tx](db)
		signer, verifiers := storetest.AuditSigner(t)
		storetest.WriteAudit(t, inner, 30)
		crash := errors.New("crash")
		for step := 1; ; step++ {
			store := crashing{inner, step, crash}
			seq, err := audit.NewSequencer(audit.Config{Store: store, Signer: signer, Verifiers: verifiers, Node: "n", Batch: 10})
			if err != nil {
				t.Fatal(err)
			}
			_, err = seq.SealAll(t.Context())
			res, verr := audit.Verify(t.Context(), inner, seq.Origin(), verifiers)
			if verr != nil || !res.OK || res.Size+res.Pending != 30 {
				t.Fatalf("after step %d: %+v, %v", step, res, verr)
			}
			if err == nil {
				if res.Size != 30 {
					t.Fatalf("got %+v", res)
				}
				return
			}
			if !errors.Is(err, crash) {
				t.Fatal(err)
			}
		}
	})
}

// crashing fails a unit of work at its n-th write.
type crashing struct {
	audit.Store
	n   int
	err error
}

func (c crashing) Update(ctx context.Context, f func(audit.Tx) error) error {
	return c.Store.Update(ctx, func(tx audit.Tx) error { return f(&crashTx{Tx: tx, left: c.n, err: c.err}) })
}

type crashTx struct {
	audit.Tx
	left int
	err  error
}

func (c *crashTx) step() error {
	if c.left--; c.left == 0 {
		return c.err
	}
	return nil
}

func (c *crashTx) SealAuditEntry(ctx context.Context, id, seq int64) error {
	return errors.Join(c.Tx.SealAuditEntry(ctx, id, seq), c.step())
}

func (c *crashTx) PutAuditBlock(ctx context.Context, block int64, hashes []byte) error {
	return errors.Join(c.Tx.PutAuditBlock(ctx, block, hashes), c.step())
}

func (c *crashTx) PutAuditCheckpoint(ctx context.Context, cp audit.Checkpoint, replaced int64) error {
	return errors.Join(c.Tx.PutAuditCheckpoint(ctx, cp, replaced), c.step())
}

func TestAuditProofs(t *testing.T) {
	store, _, _ := sealedLog(t, 300)
	ctx := t.Context()
	head, err := audit.Head(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	tree := parseHead(t, head)
	for _, seq := range []int64{1, 2, 255, 256, 257, 300} {
		p, err := audit.Prove(ctx, store, seq)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(p.Path, tree.N, tree.Hash, seq-1, tlog.RecordHash(p.Leaf)); err != nil {
			t.Errorf("entry %d: %v", seq, err)
		}
	}
	if _, err := audit.Prove(ctx, store, 301); err == nil {
		t.Error("proved an entry that is not there")
	}
	path, _, err := audit.ProveGrowth(ctx, store, 300)
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckTree(path, 300, tree.Hash, 300, tree.Hash); err != nil {
		t.Error(err)
	}
	tiles := map[string][]byte{}
	if err := audit.Tiles(ctx, store, func(path string, data []byte) error { tiles[path] = data; return nil }); err != nil {
		t.Fatal(err)
	}
	if len(tiles["tile/0/000"]) != 256*32 || len(tiles["tile/0/001.p/44"]) != 44*32 || len(tiles["tile/1/000.p/1"]) != 32 || len(tiles["checkpoint"]) == 0 {
		t.Errorf("%d tiles", len(tiles))
	}
}

func parseHead(t *testing.T, c audit.Checkpoint) tlog.Tree {
	t.Helper()
	lines := strings.Split(c.Note, "\n")
	h, err := tlog.ParseHash(lines[2])
	if err != nil {
		t.Fatal(err)
	}
	return tlog.Tree{N: c.Size, Hash: h}
}

func TestAuditRecorder(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		ctx := t.Context()
		store := sqlstore.As[audit.Tx](db)
		r := audit.NewRecorder(store, nil, nil, time.Hour)
		if err := r.Start(ctx); err != nil {
			t.Fatal(err)
		}
		const denials = 3000 // far more than are kept one by one
		for i := range denials {
			r.Record(ctx, authz.Decision{Tenant: "t", Principal: "p", Action: "a:Deny", Resource: "x/" + string(rune('a'+i%26))})
		}
		for range 50 {
			r.Record(ctx, authz.Decision{Tenant: "t", Principal: "arn:aws:iam::t:role/svc/voice", Action: "a:Get", Resource: "arn:aws:tandem::t:contact/" + time.Now().String(), Allowed: true})
			r.Record(ctx, authz.Decision{Tenant: "t", Principal: "arn:aws:iam::t:user/ann", Action: "a:Get", Resource: "arn:aws:tandem::t:contact/1", Allowed: true})
		}
		if err := r.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		denied, counted := int64(0), map[string]string{}
		err := store.View(ctx, func(tx audit.Tx) error {
			list, err := tx.ListAudit(ctx, audit.Filter{Tenant: "t", Limit: 10_000})
			for _, e := range list {
				switch {
				case e.Outcome == audit.Count:
					counted[e.Principal] = e.Resource + " " + string(e.Detail)
				case e.Resource == "*":
					denied += detailNumber(t, e, "overflow")
				default:
					denied++
				}
			}
			return err
		})
		if err != nil || denied != denials {
			t.Errorf("%d denials are recorded of %d (%v)", denied, denials, err)
		}
		if got := counted["arn:aws:iam::t:role/svc/voice"]; len(counted) != 2 || !strings.HasPrefix(got, `arn:aws:tandem::t:contact/* {"count":50,`) {
			t.Errorf("counts %v", counted)
		}
	})
}

func detailNumber(t *testing.T, e audit.Entry, field string) int64 {
	t.Helper()
	var m map[string]int64
	if err := json.Unmarshal(e.Detail, &m); err != nil {
		t.Fatal(err)
	}
	return m[field]
}

func TestAuditService(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		store := sqlstore.As[audit.Tx](db)
		signer, verifiers := storetest.AuditSigner(t)
		witness := filepath.Join(t.TempDir(), "witness")
		seq, err := audit.NewSequencer(audit.Config{
			Store: store, Signer: signer, Verifiers: verifiers, Node: "n", Interval: time.Millisecond, Witness: audit.NewFileWitness(witness),
		})
		if err != nil {
			t.Fatal(err)
		}
		svc := audit.NewService(store, allowAll{}, seq.Origin(), verifiers)
		ctx := caller.With(t.Context(), caller.Principal{Tenant: "t", Kind: caller.User, ID: "u", ARN: "arn:aws:iam::t:user/u"})
		if st, err := svc.Status(ctx); err != nil || st.Size != 0 || st.Root != "" {
			t.Errorf("an empty log: %+v, %v", st, err)
		}
		if res, err := svc.Verify(ctx); err != nil || !res.OK {
			t.Errorf("an empty log: %+v, %v", res, err)
		}
		storetest.WriteAudit(t, store, 3)
		if err := seq.Start(ctx); err != nil {
			t.Fatal(err)
		}
		storetest.WriteAudit(t, store, 3)
		seq.Wake()
		if err := seq.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		st, err := svc.Status(ctx)
		if err != nil || st.Size != 6 || st.Pending != 0 || st.SealedAt.IsZero() {
			t.Errorf("got %+v, %v", st, err)
		}
		if err := audit.NewFileWitness(witness).Publish(ctx, st.Checkpoint); err != nil {
			t.Fatal(err)
		}
		notes, err := audit.ReadWitness(witness)
		if err != nil || len(notes) != 2 || notes[1] != st.Checkpoint {
			t.Fatalf("notes %q, %v", notes, err)
		}
		res, err := svc.Verify(ctx, notes...)
		if err != nil || !res.OK || res.Root != st.Root {
			t.Errorf("got %+v, %v", res, err)
		}
		list, err := svc.List(ctx, audit.Filter{Tenant: "other"})
		if err != nil || len(list) != 6 || list[0].Seq != 6 {
			t.Errorf("listed %+v, %v", list, err)
		}
		if _, err := svc.List(t.Context(), audit.Filter{}); !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("nobody listed: %v", err)
		}
	})
}

// TestAuditSurvivesKill runs a process that writes and seals as fast as it can, kills it several times at any moment, and expects
// a log that verifies each time and goes on.
func TestAuditSurvivesKill(t *testing.T) {
	const env = "TANDEM_TEST_AUDIT_KILL"
	if dsn := os.Getenv(env); dsn != "" {
		sealForever(t, dsn)
		return
	}
	dsn := storetest.DSN(t, sqlstore.SQLite)
	signer, verifiers := killSigner(t)
	size := int64(0)
	for round := range 5 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAuditSurvivesKill$")
		cmd.Env = append(os.Environ(), env+"="+dsn)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Its first line says that it seals; a few more bytes later it dies in the middle of something.
		if _, err := io.ReadFull(out, make([]byte, 10+7*round)); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		db, err := sqlstore.Open(t.Context(), dsn, sqlstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		res, err := audit.Verify(t.Context(), sqlstore.As[audit.Tx](db), signer.Name(), verifiers)
		if err != nil || !res.OK || res.Size <= size {
			t.Errorf("round %d: %+v after %d, %v", round, res, size, err)
		}
		size = res.Size
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killSigner is the same in parent and child.
func killSigner(t *testing.T) (note.Signer, note.Verifiers) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(bytes.NewReader(make([]byte, 64)), "kill.test")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return signer, note.VerifierList(verifier)
}

func sealForever(t *testing.T, dsn string) {
	t.Helper()
	store := sqlstore.As[audit.Tx](storetest.Open(t, dsn))
	signer, verifiers := killSigner(t)
	seq, err := audit.NewSequencer(audit.Config{Store: store, Signer: signer, Verifiers: verifiers, Node: "n", Batch: 3})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for t.Context().Err() == nil {
			storetest.WriteAudit(t, store, 2)
		}
	}()
	for t.Context().Err() == nil {
		if n, _, err := seq.Seal(t.Context()); err != nil {
			t.Error(err)
		} else if n > 0 {
			_, _ = os.Stdout.WriteString(".")
		}
	}
}

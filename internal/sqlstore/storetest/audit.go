package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/tandemcc/tandem/internal/audit"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/work"
)

// WriteAudit writes n entries, each in a unit of work of its own.
func WriteAudit(t testing.TB, store audit.Store, n int) {
	t.Helper()
	for i := range n {
		err := store.Update(t.Context(), func(tx audit.Tx) error {
			return tx.Audit(t.Context(), work.Audit{
				Tenant: "t", At: time.UnixMilli(1_790_000_000_000 + int64(i)), Principal: fmt.Sprint("p", i%2), Action: "a:B",
				Resource: fmt.Sprint("r", i), Outcome: audit.OK, Detail: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i)), Personal: []byte("someone"),
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// AuditSigner returns a signer and what verifies it.
func AuditSigner(t testing.TB) (note.Signer, note.Verifiers) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, "log.test")
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

// Audit is the contract of audit.Store.
func Audit(t *testing.T, store audit.Store) {
	t.Helper()
	ctx := t.Context()
	WriteAudit(t, store, 5)
	now := time.UnixMilli(1_790_000_000_000)
	err := store.Update(ctx, func(tx audit.Tx) error {
		pending, err := tx.AuditPending(ctx, 3)
		if err != nil || len(pending) != 3 || pending[0].Seq != 0 || pending[0].Resource != "r0" || len(pending[0].Commitment) != 32 ||
			string(pending[2].Detail) != `{"n":2}` || pending[1].At.UnixMilli() != now.UnixMilli()+1 {
			t.Errorf("pending %+v, %v", pending, err)
		}
		for i, e := range pending {
			if err := tx.SealAuditEntry(ctx, e.ID, int64(i+1)); err != nil {
				return err
			}
		}
		if err := tx.SealAuditEntry(ctx, pending[0].ID, 9); !errs.Is(err, errs.NotFound) {
			t.Errorf("sealed twice: %v", err)
		}
		n, err := tx.AuditPendingCount(ctx)
		if n != 2 {
			t.Errorf("%d pending", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Update(ctx, func(tx audit.Tx) error {
		pending, err := tx.AuditPending(ctx, 1)
		if err != nil {
			return err
		}
		return tx.SealAuditEntry(ctx, pending[0].ID, 2)
	}); !errs.Is(err, errs.Conflict) {
		t.Errorf("a seq was given twice: %v", err)
	}
	auditLists(t, store, now)
	auditTree(t, store, now)
}

func auditLists(t *testing.T, store audit.Store, now time.Time) {
	t.Helper()
	ctx := t.Context()
	for _, c := range []struct {
		f    audit.Filter
		want string
	}{
		{audit.Filter{Tenant: "t", Limit: 10}, "r4 r3 r2 r1 r0 "},
		{audit.Filter{Tenant: "other", Limit: 10}, ""},
		{audit.Filter{Tenant: "t", Limit: 2}, "r4 r3 "},
		{audit.Filter{Tenant: "t", Principal: "p1", Limit: 10}, "r3 r1 "},
		{audit.Filter{Tenant: "t", Action: "a:C", Limit: 10}, ""},
		{audit.Filter{Tenant: "t", Outcome: audit.OK, From: now.Add(time.Millisecond), To: now.Add(3 * time.Millisecond), Limit: 10}, "r2 r1 "},
	} {
		var got strings.Builder
		err := store.View(ctx, func(tx audit.Tx) error {
			list, err := tx.ListAudit(ctx, c.f)
			for _, e := range list {
				got.WriteString(e.Resource + " ")
			}
			if len(list) > 1 {
				f := c.f
				f.Before = list[0].ID
				next, err := tx.ListAudit(ctx, f)
				if err != nil || len(next) == 0 || next[0].ID != list[1].ID {
					t.Errorf("after the cursor: %+v, %v", next, err)
				}
			}
			return err
		})
		if err != nil || got.String() != c.want {
			t.Errorf("%+v lists %q, want %q (%v)", c.f, got.String(), c.want, err)
		}
	}
}

func auditTree(t *testing.T, store audit.Store, now time.Time) {
	t.Helper()
	ctx := t.Context()
	err := store.Update(ctx, func(tx audit.Tx) error {
		if b, err := tx.AuditBlock(ctx, 0); b != nil || err != nil {
			t.Errorf("block %v, %v", b, err)
		}
		if c, err := tx.AuditHead(ctx); c.Size != 0 || err != nil {
			t.Errorf("head %v, %v", c, err)
		}
		for _, s := range []string{"one", "two"} {
			if err := tx.PutAuditBlock(ctx, 0, []byte(s)); err != nil {
				return err
			}
		}
		b, err := tx.AuditBlock(ctx, 0)
		if string(b) != "two" {
			t.Errorf("block %q", b)
		}
		return errors.Join(err, tx.PutAuditCheckpoint(ctx, audit.Checkpoint{Size: 2, At: now, Note: "x"}, 0),
			tx.PutAuditCheckpoint(ctx, audit.Checkpoint{Size: 3, At: now, Note: "y"}, 0),
			tx.PutAuditCheckpoint(ctx, audit.Checkpoint{Size: 5, At: now, Note: "z"}, 3))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = store.Update(ctx, func(tx audit.Tx) error {
		head, err := tx.AuditHead(ctx)
		if head.Size != 5 || head.Note != "z" || !head.At.Equal(now) {
			t.Errorf("head %+v", head)
		}
		list, err2 := tx.AuditCheckpoints(ctx, 0, 10)
		if len(list) != 2 || list[0].Size != 2 {
			t.Errorf("checkpoints %+v", list)
		}
		n, err3 := tx.EraseAuditSalts(ctx, "t", "r1")
		if again, _ := tx.EraseAuditSalts(ctx, "t", "r1"); n != 1 || again != 0 {
			t.Errorf("erased %d, then %d salts", n, again)
		}
		mine, err4 := tx.AuditLease(ctx, "n1", now, now.Add(time.Minute))
		theirs, err5 := tx.AuditLease(ctx, "n2", now.Add(time.Second), now.Add(time.Minute))
		later, err6 := tx.AuditLease(ctx, "n2", now.Add(time.Minute), now.Add(time.Hour))
		if !mine || theirs || !later {
			t.Errorf("leases %v %v %v", mine, theirs, later)
		}
		return errors.Join(err, err2, err3, err4, err5, err6)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// AuditConcurrent has writers and two sequencers at work at once: every entry is sealed once and the log verifies.
func AuditConcurrent(t *testing.T, store audit.Store) {
	t.Helper()
	ctx := t.Context()
	signer, verifiers := AuditSigner(t)
	now := time.Now()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { WriteAudit(t, store, 40) })
	}
	for i := range 2 {
		seq, err := audit.NewSequencer(audit.Config{
			Store: store, Signer: signer, Verifiers: verifiers, Node: fmt.Sprint("n", i), Batch: 7,
			Now: func() time.Time { return now.Add(time.Duration(i) * time.Hour) },
		})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for range 30 {
				if _, _, err := seq.Seal(ctx); err != nil && !errs.Is(err, errs.Conflict) {
					t.Errorf("sealing: %v", err)
				}
			}
		})
	}
	wg.Wait()
	seq, err := audit.NewSequencer(audit.Config{Store: store, Signer: signer, Verifiers: verifiers, Node: "n1", Now: func() time.Time { return now.Add(time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seq.SealAll(ctx); err != nil {
		t.Fatal(err)
	}
	res, err := audit.Verify(ctx, store, seq.Origin(), verifiers)
	if err != nil || !res.OK || res.Size != 160 || res.Pending != 0 {
		t.Errorf("got %+v, %v", res, err)
	}
}

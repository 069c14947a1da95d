package audit

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Problem says what Verify found first.
type Problem string

// The problems.
const (
	Changed    Problem = "changed"    // the row is not what was sealed
	Missing    Problem = "missing"    // the row is gone
	Reordered  Problem = "reordered"  // the row was moved from another place
	Hashes     Problem = "hashes"     // stored hashes are changed or missing; Seq is the entry they were stored with
	Forged     Problem = "forged"     // a checkpoint is not validly signed, or does not fit the entries up to Seq
	Truncated  Problem = "truncated"  // the log is shorter than a checkpoint that was given
	Unexpected Problem = "unexpected" // an entry has a place beyond the newest checkpoint
)

// Result is the outcome of Verify.
type Result struct {
	OK      bool
	Size    int64  // of the log that the newest checkpoint states
	Root    string // hash recomputed from the rows, base64; empty when not OK
	Pending int64  // entries not sealed yet
	Problem Problem
	Seq     int64  // entry concerned, 0 for the log as a whole
	Message string // for people
}

const verifyPage = 500

// Verify recomputes the log from its rows: every leaf, every stored hash, every kept checkpoint, and the checkpoints given in
// witnessed, which were taken elsewhere. It reads in pages of short snapshots and holds a few hashes in memory, so that a log
// of any length may be verified while it grows. An error means that it could not be checked; damage is a Result.
func Verify(ctx context.Context, store Store, origin string, verifiers note.Verifiers, witnessed ...string) (Result, error) {
	v := &verifier{store: store, origin: origin, verifiers: verifiers, edge: &frontier{}, due: map[int64]tlog.Hash{}}
	err := v.run(ctx, witnessed)
	if err != nil && !errors.Is(err, errStop) {
		return Result{}, fmt.Errorf("verifying the audit log: %w", err)
	}
	v.res.OK = err == nil
	if v.res.OK {
		root := v.edge.root()
		v.res.Root = base64.StdEncoding.EncodeToString(root[:])
		v.res.Message = fmt.Sprintf("all %d entries are as they were sealed", v.res.Size)
	}
	return v.res, nil
}

type verifier struct {
	store     Store
	origin    string
	verifiers note.Verifiers
	edge      *frontier
	due       map[int64]tlog.Hash // checkpoints by size, not checked yet
	res       Result
	lastGood  int64 // size of the last checkpoint that fitted
}

func (v *verifier) found(p Problem, seq int64, format string, args ...any) error {
	v.res.Problem, v.res.Seq, v.res.Message = p, seq, fmt.Sprintf(format, args...)
	return errStop
}

func (v *verifier) run(ctx context.Context, witnessed []string) error {
	err := v.store.View(ctx, func(tx Tx) (err error) {
		head, err := tx.AuditHead(ctx)
		v.res.Size = head.Size
		if err == nil {
			v.res.Pending, err = tx.AuditPendingCount(ctx)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, text := range witnessed {
		tree, err := ParseCheckpoint(text, v.origin, v.verifiers)
		if err != nil {
			return v.found(Forged, 0, "the given checkpoint cannot be used: %v", err)
		}
		if tree.N > v.res.Size {
			return v.found(Truncated, v.res.Size+1, "the log has %d entries, and a checkpoint given states %d: its end was cut off", v.res.Size, tree.N)
		}
		if old, ok := v.due[tree.N]; ok && old != tree.Hash {
			return v.found(Forged, tree.N, "two checkpoints given for size %d differ", tree.N)
		}
		v.due[tree.N] = tree.Hash
	}
	if err := v.checkRoot(); err != nil {
		return err
	}
	for v.edge.size < v.res.Size {
		if err := v.page(ctx); err != nil {
			return err
		}
	}
	return v.beyond(ctx)
}

// page checks the next entries, their stored hashes and the checkpoints among them.
func (v *verifier) page(ctx context.Context) error {
	return v.store.View(ctx, func(tx Tx) error {
		limit := int(min(verifyPage, v.res.Size-v.edge.size))
		entries, err := tx.AuditEntries(ctx, v.edge.size, limit)
		if err != nil {
			return err
		}
		checkpoints, err := tx.AuditCheckpoints(ctx, v.edge.size, limit)
		if err != nil {
			return err
		}
		for _, c := range checkpoints {
			if err := v.expect(c); err != nil {
				return err
			}
		}
		hashes := newBlocks(ctx, tx)
		for i := range limit {
			if i >= len(entries) || entries[i].Seq != v.edge.size+1 {
				return v.found(Missing, v.edge.size+1, "entry %d is missing", v.edge.size+1)
			}
			if err := v.entry(entries, i, hashes); err != nil {
				return err
			}
		}
		return nil
	})
}

func (v *verifier) expect(c Checkpoint) error {
	tree, err := ParseCheckpoint(c.Note, v.origin, v.verifiers)
	if err != nil || tree.N != c.Size {
		return v.found(Forged, c.Size, "the checkpoint for size %d is not validly signed", c.Size)
	}
	if old, ok := v.due[tree.N]; ok && old != tree.Hash {
		return v.found(Forged, tree.N, "the log was rewritten: its checkpoint for size %d differs from the one given", tree.N)
	}
	v.due[tree.N] = tree.Hash
	return nil
}

func (v *verifier) entry(entries []Entry, i int, stored *blocks) error {
	seq := v.edge.size + 1
	from := tlog.StoredHashCount(v.edge.size)
	want := v.edge.add(entries[i].hash(), nil)
	for k := range want {
		got, err := stored.ReadHashes([]int64{from + int64(k)})
		if err != nil {
			return v.found(Hashes, seq, "the stored hashes of entry %d are missing", seq)
		}
		if got[0] == want[k] {
			continue
		}
		if k > 0 {
			return v.found(Hashes, seq, "stored hashes above entry %d do not fit: they, or entries before it together with theirs, were changed", seq)
		}
		if other := findMoved(entries, i, got[0]); other > 0 {
			return v.found(Reordered, seq, "entry %d was moved: what was sealed there stands at %d now", seq, other)
		}
		return v.found(Changed, seq, "entry %d is not what was sealed", seq)
	}
	return v.checkRoot()
}

// findMoved looks near an entry for the row that was sealed in its place and returns where it is now.
func findMoved(entries []Entry, i int, sealed tlog.Hash) int64 {
	for k, e := range entries {
		if k == i {
			continue
		}
		now := e.Seq
		e.Seq = entries[i].Seq
		if e.hash() == sealed {
			return now
		}
	}
	return 0
}

func (v *verifier) checkRoot() error {
	want, ok := v.due[v.edge.size]
	if !ok {
		return nil
	}
	if want != v.edge.root() {
		return v.found(Forged, v.edge.size, "the checkpoint for size %d does not fit: entries from %d to %d were rewritten together with their hashes",
			v.edge.size, v.lastGood+1, v.edge.size)
	}
	v.lastGood = v.edge.size
	delete(v.due, v.edge.size)
	return nil
}

// beyond looks for entries with a place that no checkpoint covers; sealing may have gone on meanwhile.
func (v *verifier) beyond(ctx context.Context) error {
	return v.store.View(ctx, func(tx Tx) error {
		head, err := tx.AuditHead(ctx)
		if err != nil {
			return err
		}
		if head.Size < v.res.Size {
			return v.found(Truncated, head.Size+1, "the newest checkpoint was removed while the log was verified")
		}
		entries, err := tx.AuditEntries(ctx, head.Size, 1)
		if err == nil && len(entries) > 0 {
			return v.found(Unexpected, entries[0].Seq, "entry %d has a place beyond the newest checkpoint, which was removed or never made", entries[0].Seq)
		}
		return err
	})
}

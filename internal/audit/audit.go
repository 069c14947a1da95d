// Package audit seals the audit entries of all tenants into one append-only Merkle tree (RFC 6962, as in
// golang.org/x/mod/sumdb/tlog), so that a changed, missing or moved row is found, and proves to others that an entry is in
// the log and that the log only ever grew.
//
// Entries are written by units of work and have no place at first. The Sequencer gives them a dense seq in batches, one
// transaction each: places, hashes and a signed checkpoint commit together, so that a kill at any point leaves either the
// old log or the new one. The Recorder writes denials and counts of allowed uses.
//
// What the tree alone cannot show is that its end was cut off together with the newest checkpoints: give checkpoints to a
// second place (Config.Witness) and pass them to Verify.
package audit

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tandemcc/tandem/internal/work"
)

// The outcomes of an entry.
const (
	OK     = "ok"
	Denied = "denied"
	Count  = "count"
)

// Entry is one row of the log.
type Entry struct {
	ID         int64 // order of insertion; not part of the tree
	Seq        int64 // place in the log from 1, dense; 0 while it is not sealed
	Tenant     string
	At         time.Time // milliseconds
	Principal  string
	Action     string
	Resource   string
	Outcome    string
	Detail     json.RawMessage
	Commitment []byte // SHA-256 of salt and personal data; empty when there is none
}

// Leaf returns the bytes that the tree holds of the entry at its Seq: a version byte, then every field with its length as
// a uvarint before it; numbers are uvarints. They are stable: a change of form needs a new version.
func (e Entry) Leaf() []byte {
	b := []byte{1}
	b = binary.AppendUvarint(b, uint64(e.Seq)) //nolint:gosec // never negative
	b = binary.AppendUvarint(b, uint64(e.At.UnixMilli()))
	for _, s := range []string{e.Tenant, e.Principal, e.Action, e.Resource, e.Outcome, string(e.Detail), string(e.Commitment)} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

// hash is the leaf hash at the entry's seq.
func (e Entry) hash() tlog.Hash { return tlog.RecordHash(e.Leaf()) }

// Checkpoint is a signed statement of the log's size and root hash.
type Checkpoint struct {
	Size int64
	At   time.Time
	Note string // C2SP signed note: origin, size, root hash in base64, signatures
}

// Filter selects entries for List; zero fields select all.
type Filter struct {
	Tenant    string // required
	Principal string
	Action    string
	Outcome   string
	From, To  time.Time // To is exclusive
	Before    int64     // only entries with a smaller ID: the cursor
	Limit     int
}

// blockHashes is how many stored hashes one block holds.
const blockHashes = 256

// Tx is the log's transaction.
type Tx interface {
	work.Tx
	// AuditLease takes or extends the sequencer's lease for node until then; false when another node holds it at now.
	AuditLease(ctx context.Context, node string, now, until time.Time) (bool, error)
	// AuditPending returns at most limit entries without a seq, by ID.
	AuditPending(ctx context.Context, limit int) ([]Entry, error)
	// AuditPendingCount returns how many entries have no seq.
	AuditPendingCount(ctx context.Context) (int64, error)
	// SealAuditEntry gives an entry its seq. errs.Conflict: the seq is taken; errs.NotFound: no such unsealed entry.
	SealAuditEntry(ctx context.Context, id, seq int64) error
	// AuditEntries returns at most limit sealed entries of all tenants with Seq greater than after, in order.
	AuditEntries(ctx context.Context, after int64, limit int) ([]Entry, error)
	// ListAudit returns the entries that f selects, newest first, sealed or not.
	ListAudit(ctx context.Context, f Filter) ([]Entry, error)
	// AuditBlock returns a block of stored hashes, nil when there is none.
	AuditBlock(ctx context.Context, block int64) ([]byte, error)
	// PutAuditBlock stores a block in place of the one there.
	PutAuditBlock(ctx context.Context, block int64, hashes []byte) error
	// AuditHead returns the newest checkpoint, a zero one for an empty log.
	AuditHead(ctx context.Context) (Checkpoint, error)
	// AuditCheckpoints returns at most limit checkpoints with Size greater than after, ascending.
	AuditCheckpoints(ctx context.Context, after int64, limit int) ([]Checkpoint, error)
	// PutAuditCheckpoint stores a checkpoint and removes the one of size replaced, 0 for none.
	PutAuditCheckpoint(ctx context.Context, c Checkpoint, replaced int64) error
	// EraseAuditSalts removes the salts of a tenant's entries about a resource and returns of how many; their commitments can then be
	// tied to nobody any more.
	EraseAuditSalts(ctx context.Context, tenant, resource string) (int64, error)
}

// Store runs the log's units of work.
type Store = work.Store[Tx]

// Signer signs checkpoints; it is note.Signer.
type Signer = note.Signer

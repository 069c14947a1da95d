package sqlstore

import (
	"context"
	"math"
	"time"

	"github.com/tandemcc/tandem/internal/audit"
	"github.com/tandemcc/tandem/internal/errs"
)

var _ audit.Tx = (*Tx)(nil)

const (
	auditColumns = `SELECT id, COALESCE(seq, 0), tenant, at, principal, action, resource, outcome, detail, commitment FROM audit_entries `

	qAuditLease = `INSERT INTO audit_leases (name, node, until) VALUES ('sequencer', $1, $3)
		ON CONFLICT (name) DO UPDATE SET node = excluded.node, until = excluded.until
		WHERE audit_leases.node = excluded.node OR audit_leases.until <= $2`
	qAuditPending      = auditColumns + `WHERE seq IS NULL ORDER BY id LIMIT $1`
	qAuditPendingCount = `SELECT COUNT(*) FROM audit_entries WHERE seq IS NULL`
	qAuditSeal         = `UPDATE audit_entries SET seq = $2 WHERE id = $1 AND seq IS NULL`
	qAuditSealed       = auditColumns + `WHERE seq > $1 ORDER BY seq LIMIT $2`
	qAuditList         = auditColumns + `WHERE tenant = $1 AND id < $2 AND at >= $3 AND at < $4 AND ($5 = '' OR principal = $5)
		AND ($6 = '' OR action = $6) AND ($7 = '' OR outcome = $7) ORDER BY id DESC LIMIT $8`
	qAuditBlock            = `SELECT hashes FROM audit_blocks WHERE block = $1`
	qAuditBlockPut         = `INSERT INTO audit_blocks (block, hashes) VALUES ($1, $2) ON CONFLICT (block) DO UPDATE SET hashes = excluded.hashes`
	qAuditHead             = `SELECT size, at, note FROM audit_checkpoints ORDER BY size DESC LIMIT 1`
	qAuditCheckpoints      = `SELECT size, at, note FROM audit_checkpoints WHERE size > $1 ORDER BY size LIMIT $2`
	qAuditCheckpointInsert = `INSERT INTO audit_checkpoints (size, at, note) VALUES ($1, $2, $3)`
	qAuditCheckpointDelete = `DELETE FROM audit_checkpoints WHERE size = $1`
	qAuditEraseSalts       = `UPDATE audit_entries SET salt = $3 WHERE tenant = $1 AND resource = $2 AND salt <> $3`
)

// AuditLease implements audit.Tx.
func (tx *Tx) AuditLease(ctx context.Context, node string, now, until time.Time) (bool, error) {
	n, err := tx.exec(ctx, qAuditLease, node, ms(now), ms(until))
	return n > 0, err
}

func scanAudit(s scanner) (e audit.Entry, err error) {
	var at int64
	var detail string
	err = s.Scan(&e.ID, &e.Seq, &e.Tenant, &at, &e.Principal, &e.Action, &e.Resource, &e.Outcome, &detail, &e.Commitment)
	e.At, e.Detail = time.UnixMilli(at).UTC(), []byte(detail)
	return e, err
}

// AuditPending implements audit.Tx.
func (tx *Tx) AuditPending(ctx context.Context, limit int) ([]audit.Entry, error) {
	return all(ctx, tx, scanAudit, qAuditPending, limit)
}

// AuditPendingCount implements audit.Tx.
func (tx *Tx) AuditPendingCount(ctx context.Context) (n int64, err error) {
	_, err = tx.row(ctx, []any{&n}, qAuditPendingCount)
	return n, err
}

// SealAuditEntry implements audit.Tx.
func (tx *Tx) SealAuditEntry(ctx context.Context, id, seq int64) error {
	return tx.must(ctx, "no unsealed audit entry has that id", qAuditSeal, id, seq)
}

// AuditEntries implements audit.Tx.
func (tx *Tx) AuditEntries(ctx context.Context, after int64, limit int) ([]audit.Entry, error) {
	return all(ctx, tx, scanAudit, qAuditSealed, after, limit)
}

// ListAudit implements audit.Tx.
func (tx *Tx) ListAudit(ctx context.Context, f audit.Filter) ([]audit.Entry, error) {
	before, to := f.Before, int64(math.MaxInt64)
	if before == 0 {
		before = math.MaxInt64
	}
	if !f.To.IsZero() {
		to = ms(f.To)
	}
	return all(ctx, tx, scanAudit, qAuditList, f.Tenant, before, ms(f.From), to, f.Principal, f.Action, f.Outcome, f.Limit)
}

// AuditBlock implements audit.Tx.
func (tx *Tx) AuditBlock(ctx context.Context, block int64) (hashes []byte, err error) {
	_, err = tx.row(ctx, []any{&hashes}, qAuditBlock, block)
	return hashes, err
}

// PutAuditBlock implements audit.Tx.
func (tx *Tx) PutAuditBlock(ctx context.Context, block int64, hashes []byte) error {
	_, err := tx.exec(ctx, qAuditBlockPut, block, hashes)
	return err
}

func scanCheckpoint(s scanner) (c audit.Checkpoint, err error) {
	var at int64
	err = s.Scan(&c.Size, &at, &c.Note)
	c.At = fromMS(at)
	return c, err
}

// AuditHead implements audit.Tx.
func (tx *Tx) AuditHead(ctx context.Context) (audit.Checkpoint, error) {
	list, err := all(ctx, tx, scanCheckpoint, qAuditHead)
	if err != nil || len(list) == 0 {
		return audit.Checkpoint{}, err
	}
	return list[0], nil
}

// AuditCheckpoints implements audit.Tx.
func (tx *Tx) AuditCheckpoints(ctx context.Context, after int64, limit int) ([]audit.Checkpoint, error) {
	return all(ctx, tx, scanCheckpoint, qAuditCheckpoints, after, limit)
}

// PutAuditCheckpoint implements audit.Tx.
func (tx *Tx) PutAuditCheckpoint(ctx context.Context, c audit.Checkpoint, replaced int64) error {
	if c.Size <= replaced {
		return errs.New(errs.Internal, "a checkpoint of size %d cannot replace one of %d", c.Size, replaced)
	}
	if replaced > 0 {
		if _, err := tx.exec(ctx, qAuditCheckpointDelete, replaced); err != nil {
			return err
		}
	}
	_, err := tx.exec(ctx, qAuditCheckpointInsert, c.Size, ms(c.At), c.Note)
	return err
}

// EraseAuditSalts implements audit.Tx.
func (tx *Tx) EraseAuditSalts(ctx context.Context, tenant, resource string) (int64, error) {
	return tx.exec(ctx, qAuditEraseSalts, tenant, resource, []byte{})
}

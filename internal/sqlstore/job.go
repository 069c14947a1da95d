package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/job"
)

const (
	jobColumns = `id, tenant, kind, order_key, connection, payload, state, attempt, max_attempts, run_at, created_at, lease_until, node, last_error, seq, record_key, progress`

	qJobDue = `SELECT j.seq, j.connection FROM jobs j WHERE j.state IN ('available', 'scheduled', 'retryable') AND j.run_at <= $1
		AND (j.order_key = '' OR NOT EXISTS (SELECT 1 FROM jobs k WHERE k.tenant = j.tenant AND k.order_key = j.order_key
			AND k.seq < j.seq AND k.state IN ('available', 'scheduled', 'retryable', 'running')))
		AND (j.record_key = '' OR NOT EXISTS (SELECT 1 FROM jobs k WHERE k.tenant = j.tenant AND k.record_key = j.record_key AND k.record_key <> ''
			AND k.seq < j.seq AND k.state IN ('available', 'scheduled', 'retryable', 'running')))`
	qJobLease = `UPDATE jobs SET state = 'running', attempt = attempt + 1, node = $1, lease_until = $2 WHERE seq = $3
		AND state IN ('available', 'scheduled', 'retryable') RETURNING ` + jobColumns
	qJobFinish = `UPDATE jobs SET state = $1, run_at = $2, last_error = $3, finished_at = $4, attempt = attempt - $5, lease_until = 0
		WHERE id = $6 AND node = $7 AND state = 'running'`
	qJobProgress    = `UPDATE jobs SET progress = $1 WHERE id = $2 AND node = $3 AND state = 'running'`
	qJobExtend      = `UPDATE jobs SET lease_until = $1 WHERE id = $2 AND node = $3 AND state = 'running'`
	qJobReleaseLost = `UPDATE jobs SET state = 'available', lease_until = 0 WHERE state = 'running' AND lease_until < $1`
	qJobReleaseOwn  = `UPDATE jobs SET state = 'available', lease_until = 0 WHERE state = 'running' AND node = $1`
	qJobNextDue     = `SELECT run_at FROM jobs WHERE state IN ('available', 'scheduled', 'retryable') AND run_at > $1 ORDER BY run_at LIMIT 1`
	qJobGet         = `SELECT ` + jobColumns + ` FROM jobs WHERE tenant = $1 AND id = $2`
	qJobList        = `SELECT ` + jobColumns + ` FROM jobs WHERE tenant = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3`
	qJobListState   = `SELECT ` + jobColumns + ` FROM jobs WHERE tenant = $1 AND state = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4`
	qJobRetry       = `UPDATE jobs SET state = 'available', run_at = $1, finished_at = 0, max_attempts = CASE WHEN max_attempts <= attempt THEN attempt + 1 ELSE max_attempts END
		WHERE tenant = $2 AND id = $3 AND state IN ('scheduled', 'retryable', 'discarded', 'cancelled')`
	qJobCancel = `UPDATE jobs SET state = 'cancelled', finished_at = $1 WHERE tenant = $2 AND id = $3 AND state IN ('available', 'scheduled', 'retryable')`
	qJobPurge  = `DELETE FROM jobs WHERE state IN ('completed', 'cancelled', 'discarded') AND finished_at < $1`
)

// Jobs returns the job store.
func (db *DB) Jobs() job.Store { return jobStore{db} }

type jobStore struct{ db *DB }

func scanJob(s scanner) (job.Job, error) {
	var j job.Job
	var state, progress string
	var runAt, created, lease int64
	err := s.Scan(&j.ID, &j.Tenant, &j.Kind, &j.OrderKey, &j.Connection, &j.Payload, &state, &j.Attempt, &j.MaxAttempts,
		&runAt, &created, &lease, &j.Node, &j.LastError, &j.Seq, &j.RecordKey, &progress)
	if err == nil {
		j.Progress, err = job.DecodeProgress(progress)
	}
	j.State, j.RunAt, j.CreatedAt, j.LeaseUntil = job.State(state), fromMS(runAt), fromMS(created), fromMS(lease)
	return j, err
}

// dueJob is a job that may be claimed.
type dueJob struct {
	seq        int64
	connection string
}

func scanDue(s scanner) (d dueJob, err error) { err = s.Scan(&d.seq, &d.connection); return d, err }

// dueQuery adds the busy connections and, where several nodes claim, the row locks.
func (s jobStore) dueQuery(now time.Time, limit int, busy []string) (q string, args []any) {
	args = []any{ms(now)}
	var b strings.Builder
	b.WriteString(qJobDue)
	if len(busy) > 0 {
		b.WriteString(` AND j.connection NOT IN (`)
		for i, conn := range busy {
			if i > 0 {
				b.WriteByte(',')
			}
			args = append(args, conn)
			b.WriteString("$" + strconv.Itoa(len(args)))
		}
		b.WriteByte(')')
	}
	args = append(args, limit)
	b.WriteString(` ORDER BY j.run_at, j.seq LIMIT $` + strconv.Itoa(len(args)))
	if s.db.engine == Postgres {
		b.WriteString(` FOR UPDATE SKIP LOCKED`)
	}
	return b.String(), args
}

// Claim implements job.Store.
func (s jobStore) Claim(ctx context.Context, c job.Claim) (list []job.Job, err error) {
	var busy []string
	for conn := range c.InUse {
		if c.Free(conn) == 0 {
			busy = append(busy, conn)
		}
	}
	slices.Sort(busy)          // one statement for one set
	if s.db.engine == SQLite { // a look without the writer first: most looks find nothing
		due := false
		err = s.db.View(ctx, func(tx *Tx) error {
			q, args := s.dueQuery(c.Now, 1, busy)
			found, err := all(ctx, tx, scanDue, q, args...)
			due = len(found) > 0
			return err
		})
		if err != nil || !due {
			return nil, err
		}
	}
	err = s.db.updateRows(ctx, func(tx *Tx) (err error) {
		list, err = s.claim(ctx, tx, c, slices.Clone(busy))
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.open(ctx, list)
}

// claim leases what is due. Connections that fill up are left out of the next look, so that what is due behind their jobs is
// found as well.
func (s jobStore) claim(ctx context.Context, tx *Tx, c job.Claim, busy []string) (list []job.Job, err error) {
	taken := map[string]int{}
	for full := true; full && len(list) < c.Limit; {
		full = false
		q, args := s.dueQuery(c.Now, c.Limit-len(list), busy)
		found, err := all(ctx, tx, scanDue, q, args...)
		if err != nil {
			return nil, err
		}
		for _, d := range found {
			if taken[d.connection] >= c.Free(d.connection) {
				if !slices.Contains(busy, d.connection) {
					busy, full = append(busy, d.connection), true
				}
				continue
			}
			got, err := all(ctx, tx, scanJob, qJobLease, c.Node, ms(c.Now.Add(c.Lease)), d.seq)
			if err != nil {
				return nil, err
			}
			taken[d.connection] += len(got)
			list = append(list, got...)
		}
	}
	return list, nil
}

// open decrypts payloads. A payload that cannot be read is a discarded job, not a lost batch.
func (s jobStore) open(ctx context.Context, list []job.Job) ([]job.Job, error) {
	ok := list[:0]
	for _, j := range list {
		if len(j.Payload) == 0 {
			ok = append(ok, j)
			continue
		}
		plain, err := s.db.opts.Cipher.OpenJob(ctx, j.Tenant, j.ID, j.Payload)
		if err != nil {
			out := job.Outcome{ID: j.ID, State: job.Discarded, LastError: "its payload cannot be decrypted: " + errs.Message(err)}
			if err := s.Finish(ctx, j.Node, j.RunAt, []job.Outcome{out}); err != nil {
				return nil, fmt.Errorf("discarding an unreadable job: %w", err)
			}
			continue
		}
		j.Payload = plain
		ok = append(ok, j)
	}
	return ok, nil
}

// Finish implements job.Store.
func (s jobStore) Finish(ctx context.Context, node string, now time.Time, done []job.Outcome) error {
	return s.db.updateRows(ctx, func(tx *Tx) error {
		for _, o := range done {
			var finished, uncount int64
			switch o.State { //nolint:exhaustive // the others keep their defaults
			case job.Completed, job.Cancelled, job.Discarded:
				finished = ms(now)
			case job.Scheduled:
				uncount = 1
			}
			if _, err := tx.exec(ctx, qJobFinish, string(o.State), ms(o.RunAt), o.LastError, finished, uncount, o.ID, node); err != nil {
				return err
			}
		}
		return nil
	})
}

// Progress implements job.Store.
func (s jobStore) Progress(ctx context.Context, node, id string, p job.Progress) error {
	return s.db.updateRows(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, qJobProgress, p.Encode(), id, node)
		if err == nil && n == 0 {
			return errs.New(errs.Conflict, "another node runs the job")
		}
		return err
	})
}

// Extend implements job.Store.
func (s jobStore) Extend(ctx context.Context, node string, ids []string, until time.Time) error {
	return s.db.updateRows(ctx, func(tx *Tx) error {
		for _, id := range ids {
			if _, err := tx.exec(ctx, qJobExtend, ms(until), id, node); err != nil {
				return err
			}
		}
		return nil
	})
}

// Release implements job.Store.
func (s jobStore) Release(ctx context.Context, node string, now time.Time) (n int, err error) {
	err = s.db.updateRows(ctx, func(tx *Tx) error {
		lost, err := tx.exec(ctx, qJobReleaseLost, ms(now))
		if err != nil {
			return err
		}
		n = int(lost)
		if node == "" {
			return nil
		}
		own, err := tx.exec(ctx, qJobReleaseOwn, node)
		n += int(own)
		return err
	})
	return n, err
}

// NextDue implements job.Store.
func (s jobStore) NextDue(ctx context.Context, after time.Time) (at time.Time, ok bool, err error) {
	err = s.db.View(ctx, func(tx *Tx) error {
		var v int64
		ok, err = tx.row(ctx, []any{&v}, qJobNextDue, ms(after))
		at = fromMS(v)
		return err
	})
	return at, ok, err
}

// Get implements job.Store.
func (s jobStore) Get(ctx context.Context, tenant, id string) (j job.Job, err error) {
	err = s.db.View(ctx, func(tx *Tx) error {
		list, err := all(ctx, tx, scanJob, qJobGet, tenant, id)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return errs.New(errs.NotFound, "there is no such job")
		}
		j = list[0]
		j.Payload = nil
		return nil
	})
	return j, err
}

// List implements job.Store.
func (s jobStore) List(ctx context.Context, tenant string, state job.State, beforeSeq int64, limit int) (list []job.Job, err error) {
	if beforeSeq == 0 {
		beforeSeq = 1 << 62
	}
	err = s.db.View(ctx, func(tx *Tx) error {
		if state == "" {
			list, err = all(ctx, tx, scanJob, qJobList, tenant, beforeSeq, limit)
		} else {
			list, err = all(ctx, tx, scanJob, qJobListState, tenant, string(state), beforeSeq, limit)
		}
		return err
	})
	for i := range list {
		list[i].Payload = nil
	}
	return list, err
}

// Retry implements job.Store.
func (s jobStore) Retry(ctx context.Context, tenant, id string, now time.Time) error {
	return s.change(ctx, qJobRetry, ms(now), tenant, id)
}

// Cancel implements job.Store.
func (s jobStore) Cancel(ctx context.Context, tenant, id string, now time.Time) error {
	return s.change(ctx, qJobCancel, ms(now), tenant, id)
}

func (s jobStore) change(ctx context.Context, q string, args ...any) error {
	return s.db.updateRows(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, q, args...)
		tx.changes.Jobs = true
		if err == nil && n == 0 {
			return errs.Wrap(errs.Conflict, job.ErrNotWaiting, "there is no such waiting job")
		}
		return err
	})
}

// Purge implements job.Store.
func (s jobStore) Purge(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.db.updateRows(ctx, func(tx *Tx) error {
		n, err = tx.exec(ctx, qJobPurge, ms(before))
		return err
	})
	return n, err
}

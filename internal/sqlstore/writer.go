package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// Group commit: units that wait while one is being written share the next one's fsync.
const (
	batchUnits = 256
	batchTime  = 4 * time.Millisecond
)

// unit is one Update waiting for the SQLite writer.
type unit struct {
	ctx  context.Context //nolint:containedctx // it crosses to the writer's goroutine with its caller waiting
	f    func(*Tx) error
	done chan error
	err  error
	tx   *Tx
}

func (db *DB) writeLoop(ctx context.Context, conn *sql.Conn) {
	run := &connRunner{conn: conn, stmts: map[string]*sql.Stmt{}}
	defer func() {
		if err := errors.Join(run.close(), conn.Close()); err != nil {
			db.opts.Log.ErrorContext(ctx, "closing the writer", slog.Any("error", err))
		}
	}()
	for {
		select {
		case u := <-db.units:
			db.writeBatch(ctx, run, u)
		case <-db.closed:
			for {
				select {
				case u := <-db.units:
					db.writeBatch(ctx, run, u)
				default:
					return
				}
			}
		}
	}
}

// writeBatch runs first and what else waits in one transaction, each unit in a savepoint of its own.
func (db *DB) writeBatch(ctx context.Context, run *connRunner, first *unit) {
	batch := []*unit{first}
	err := run.exec0(ctx, "BEGIN IMMEDIATE")
	if err == nil {
		deadline := time.Now().Add(batchTime)
		err = db.runUnit(ctx, run, first)
		for more := true; more && err == nil && len(batch) < batchUnits && time.Now().Before(deadline); {
			select {
			case u := <-db.units:
				batch = append(batch, u)
				err = db.runUnit(ctx, run, u)
			default:
				more = false
			}
		}
	}
	err = db.endBatch(ctx, run, batch, err)
	for _, u := range batch {
		if u.err == nil {
			u.err = err
		}
		u.done <- u.err
	}
}

// endBatch commits, or rolls back after err, and returns what became of the transaction.
func (db *DB) endBatch(ctx context.Context, run *connRunner, batch []*unit, err error) error {
	if err == nil {
		err = run.exec0(ctx, "COMMIT")
	}
	if err != nil {
		if e := run.exec0(ctx, "ROLLBACK"); e != nil {
			db.opts.Log.WarnContext(ctx, "rolling back", slog.Any("error", e))
		}
		return classify(err)
	}
	var ch Changes
	for _, u := range batch {
		if u.err == nil {
			ch.merge(u.tx.changes)
		}
	}
	db.committed(ch)
	return nil
}

// runUnit runs one closure in a savepoint; the returned error is of the transaction itself, the unit's own is in u.err.
func (db *DB) runUnit(ctx context.Context, run *connRunner, u *unit) error {
	if u.err = u.ctx.Err(); u.err != nil {
		return nil //nolint:nilerr // the caller has gone; the batch goes on
	}
	if err := run.exec0(ctx, "SAVEPOINT u"); err != nil {
		return err
	}
	u.tx = &Tx{db: db, run: run, writable: true}
	u.err = protect(u.f, u.tx)
	if u.err != nil {
		if err := run.exec0(ctx, "ROLLBACK TO u"); err != nil {
			return err
		}
	}
	return run.exec0(ctx, "RELEASE u")
}

func protect(f func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errs.Wrap(errs.Internal, fmt.Errorf("panic in a unit of work: %v", p), "internal error; the log has the details")
		}
	}()
	return f(tx)
}

func (db *DB) committed(ch Changes) {
	if db.seqr != nil && ch.Events {
		db.seqr.wake()
	}
	if db.opts.OnCommit != nil && (ch.Events || ch.Jobs || ch.Audit) {
		db.opts.OnCommit(ch)
	}
}

func (c *Changes) merge(o Changes) {
	c.Events = c.Events || o.Events
	c.Jobs = c.Jobs || o.Jobs
	c.Audit = c.Audit || o.Audit
}

// serializationRetries bounds how often PostgreSQL may refuse a unit before the caller is told to try again.
const serializationRetries = 12

func (db *DB) updatePostgres(ctx context.Context, level sql.IsolationLevel, f func(*Tx) error) error {
	for try := 0; ; try++ {
		err := db.tryPostgres(ctx, level, f)
		if !retryable(err) || ctx.Err() != nil {
			return err
		}
		if try == serializationRetries {
			return errs.Wrap(errs.Conflict, err, "too many changes of the same data at once; try again")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Duration(rand.Int64N(int64(2*time.Millisecond) << min(try, 6)))):
		}
	}
}

func (db *DB) tryPostgres(ctx context.Context, level sql.IsolationLevel, f func(*Tx) error) (err error) {
	select {
	case <-db.closed:
		return errClosed()
	default:
	}
	stx, err := db.write.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	if err != nil {
		return classify(err)
	}
	tx := &Tx{db: db, run: txRunner{stx, db.stmts}, writable: true}
	if err := protect(f, tx); err != nil {
		if e := stx.Rollback(); e != nil && !errors.Is(e, sql.ErrTxDone) {
			return fmt.Errorf("rolling back after %w: %w", err, e)
		}
		return err
	}
	if err := stx.Commit(); err != nil {
		return classify(err)
	}
	db.committed(tx.changes)
	return nil
}

package sqlstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/work"
)

// Tx is one transaction. It implements every domain's Tx interface; it is used by one goroutine.
type Tx struct {
	db       *DB
	run      runner
	writable bool
	changes  Changes
}

var _ work.Tx = (*Tx)(nil)

// runner executes statements: on the writer's connection or in a database/sql transaction.
type runner interface {
	exec(ctx context.Context, q string, args []any) (sql.Result, error)
	query(ctx context.Context, q string, args []any) (*sql.Rows, error)
}

// connRunner keeps prepared statements of the one writer connection.
type connRunner struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func (r *connRunner) stmt(ctx context.Context, q string) (*sql.Stmt, error) {
	if s, ok := r.stmts[q]; ok {
		return s, nil
	}
	if len(r.stmts) >= maxStatements {
		if err := r.close(); err != nil {
			return nil, err
		}
		clear(r.stmts)
	}
	s, err := r.conn.PrepareContext(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", q, err)
	}
	r.stmts[q] = s
	return s, nil
}

// The caller's context must not interrupt a statement: SQLite would roll the whole batch back.
func (r *connRunner) exec(ctx context.Context, q string, args []any) (sql.Result, error) {
	ctx = context.WithoutCancel(ctx)
	s, err := r.stmt(ctx, q) //nolint:sqlclosecheck // kept for the next time
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (r *connRunner) query(ctx context.Context, q string, args []any) (*sql.Rows, error) {
	ctx = context.WithoutCancel(ctx)
	s, err := r.stmt(ctx, q) //nolint:sqlclosecheck // kept for the next time
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (r *connRunner) exec0(ctx context.Context, q string) error {
	_, err := r.exec(ctx, q, nil)
	return err
}

func (r *connRunner) close() error {
	var list []error
	for _, s := range r.stmts {
		list = append(list, s.Close())
	}
	return errors.Join(list...)
}

// txRunner runs in a database/sql transaction, with statements that are prepared on its pool where they are.
type txRunner struct {
	tx    *sql.Tx
	stmts *stmtCache // nil: the driver keeps prepared statements itself, as pgx does
}

func (r txRunner) exec(ctx context.Context, q string, args []any) (sql.Result, error) {
	if s := r.stmts.get(q); s != nil {
		return r.tx.StmtContext(ctx, s).ExecContext(ctx, args...) //nolint:sqlclosecheck // closed with the transaction
	}
	return r.tx.ExecContext(ctx, q, args...)
}

func (r txRunner) query(ctx context.Context, q string, args []any) (*sql.Rows, error) {
	if s := r.stmts.get(q); s != nil {
		return r.tx.StmtContext(ctx, s).QueryContext(ctx, args...) //nolint:sqlclosecheck // closed with the transaction
	}
	return r.tx.QueryContext(ctx, q, args...)
}

// maxStatements bounds a stmtCache: statements with lists of values in them come in many forms.
const maxStatements = 512

// stmtCache prepares each statement once per pool, in the background: whoever is inside a transaction holds a connection and
// must never wait for a second one, or all of them wait for each other. It is safe for concurrent use; a nil one has nothing.
type stmtCache struct {
	db     *sql.DB
	ctx    context.Context //nolint:containedctx // of the preparations, ended by close
	cancel context.CancelFunc
	doing  sync.WaitGroup

	mu sync.Mutex // guards m; never held while preparing
	m  map[string]*sql.Stmt
}

func newStmtCache(db *sql.DB) *stmtCache {
	ctx, cancel := context.WithCancel(context.Background())
	return &stmtCache{db: db, ctx: ctx, cancel: cancel, m: map[string]*sql.Stmt{}}
}

// get returns the prepared statement, nil when there is none yet.
func (c *stmtCache) get(q string) *sql.Stmt {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s, known := c.m[q]
	if known || len(c.m) >= maxStatements || c.ctx.Err() != nil {
		return s
	}
	c.m[q] = nil // somebody is at it
	c.doing.Go(func() {
		s, err := c.db.PrepareContext(c.ctx, q) //nolint:sqlclosecheck // kept until close
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil {
			delete(c.m, q) // the next use tries again, and whoever ran it has seen the error
			return
		}
		c.m[q] = s
	})
	return nil
}

func (c *stmtCache) close() error {
	c.cancel()
	c.mu.Lock()   // no more preparations begin after this
	c.mu.Unlock() //nolint:staticcheck // as above
	c.doing.Wait()
	var list []error
	for _, s := range c.m {
		if s != nil {
			list = append(list, s.Close())
		}
	}
	return errors.Join(list...)
}

// exec runs a statement and returns how many rows it changed.
func (tx *Tx) exec(ctx context.Context, q string, args ...any) (int64, error) {
	if !tx.writable {
		return 0, errs.New(errs.Internal, "a write in a read-only transaction")
	}
	res, err := tx.run.exec(ctx, q, args)
	if err != nil {
		return 0, classify(err)
	}
	n, err := res.RowsAffected()
	return n, classify(err)
}

// must runs a statement that has to change at least one row; otherwise it returns errs.NotFound with the message.
func (tx *Tx) must(ctx context.Context, notFound, q string, args ...any) error {
	n, err := tx.exec(ctx, q, args...)
	if err == nil && n == 0 {
		return errs.New(errs.NotFound, "%s", notFound)
	}
	return err
}

// query runs a query and calls scan for each row.
func (tx *Tx) query(ctx context.Context, scan func(scanner) error, q string, args ...any) (err error) {
	rows, err := tx.run.query(ctx, q, args)
	if err != nil {
		return classify(err)
	}
	defer func() {
		if e := rows.Close(); e != nil && err == nil {
			err = classify(e)
		}
	}()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return classify(err)
		}
	}
	return classify(rows.Err())
}

// row runs a query for at most one row and scans it into dest; ok is false when there is none.
func (tx *Tx) row(ctx context.Context, dest []any, q string, args ...any) (ok bool, err error) {
	err = tx.query(ctx, func(s scanner) error {
		if ok {
			return nil
		}
		ok = true
		return s.Scan(dest...)
	}, q, args...)
	return ok, err
}

// all collects the rows of a query.
func all[T any](ctx context.Context, tx *Tx, scan func(scanner) (T, error), q string, args ...any) ([]T, error) {
	var list []T
	err := tx.query(ctx, func(s scanner) error {
		v, err := scan(s)
		if err == nil {
			list = append(list, v)
		}
		return err
	}, q, args...)
	return list, err
}

type scanner interface{ Scan(dest ...any) error }

// ms is a time as stored: milliseconds since 1970, 0 for the zero time.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// fromMS is the time of a stored value.
func fromMS(v int64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(v).UTC()
}

// flag stores a bool as 0 or 1.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

const (
	qEventInsert = `INSERT INTO events (tenant, type, subject, at, data) VALUES ($1, $2, $3, $4, $5)`
	qEventOutbox = `INSERT INTO event_outbox (tenant, type, subject, at, data) VALUES ($1, $2, $3, $4, $5)`
	qAuditInsert = `INSERT INTO audit_entries (tenant, at, principal, action, resource, outcome, detail, commitment, salt)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	qJobInsert = `INSERT INTO jobs (id, tenant, kind, order_key, connection, payload, state, attempt, max_attempts, run_at,
		created_at, lease_until, node, last_error, finished_at, record_key) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, 0, '', '', 0, $11)`
)

// Emit implements work.Tx.
func (tx *Tx) Emit(ctx context.Context, e event.Event) error {
	q := qEventInsert
	if tx.db.engine == Postgres {
		q = qEventOutbox
	}
	data := string(e.Data)
	if data == "" {
		data = "{}"
	}
	_, err := tx.exec(ctx, q, e.Tenant, e.Type, e.Subject, ms(e.At), data)
	tx.changes.Events = true
	return err
}

// Enqueue implements work.Tx.
func (tx *Tx) Enqueue(ctx context.Context, j job.Job) error {
	payload := []byte{}
	if len(j.Payload) > 0 {
		if tx.db.opts.Cipher == nil {
			return errs.New(errs.Internal, "a job payload without a cipher")
		}
		var err error
		if payload, err = tx.db.opts.Cipher.SealJob(j.Tenant, j.ID, j.Payload); err != nil {
			return fmt.Errorf("sealing a job: %w", err)
		}
	}
	state := job.Available
	if j.RunAt.After(j.CreatedAt) {
		state = job.Scheduled
	}
	if j.RunAt.IsZero() {
		j.RunAt = j.CreatedAt
	}
	if j.MaxAttempts == 0 {
		j.MaxAttempts = job.DefaultMaxAttempts
	}
	_, err := tx.exec(ctx, qJobInsert, j.ID, j.Tenant, j.Kind, j.OrderKey, j.Connection, payload, string(state),
		j.MaxAttempts, ms(j.RunAt), ms(j.CreatedAt), j.RecordKey)
	tx.changes.Jobs = true
	return err
}

// Audit implements work.Tx.
func (tx *Tx) Audit(ctx context.Context, a work.Audit) error {
	commitment, salt := []byte{}, []byte{}
	if len(a.Personal) > 0 {
		salt = make([]byte, 16)
		if _, err := rand.Read(salt); err != nil {
			return fmt.Errorf("reading randomness: %w", err)
		}
		sum := sha256.Sum256(append(append([]byte{}, salt...), a.Personal...))
		commitment = sum[:]
	}
	detail := string(a.Detail)
	if detail == "" {
		detail = "{}"
	}
	_, err := tx.exec(ctx, qAuditInsert, a.Tenant, ms(a.At), a.Principal, a.Action, a.Resource, a.Outcome, detail, commitment, salt)
	tx.changes.Audit = true
	return err
}

// classify turns a driver's error into one of ours; this is the only place that knows drivers.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*errs.Error](err); ok {
		return err
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		switch lite.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			return errs.Wrap(errs.Conflict, err, "it exists already")
		case sqlite3.SQLITE_FULL:
			return errs.Wrap(errs.Unavailable, err, "the disk is full")
		}
		return err
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case pg.Code == "23505":
			return errs.Wrap(errs.Conflict, err, "it exists already")
		case pg.Code == "40001", pg.Code == "40P01":
			return err
		case pg.Code[:2] == "08", pg.Code[:2] == "57", pg.Code[:2] == "53":
			return errs.Wrap(errs.Unavailable, err, "the database is not available")
		}
		return err
	}
	if errors.Is(err, sql.ErrConnDone) {
		return errs.Wrap(errs.Unavailable, err, "the database is not available")
	}
	return err
}

// retryable reports whether PostgreSQL asks for the transaction to be run again (40001, 40P01).
func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

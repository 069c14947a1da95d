package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the PostgreSQL driver
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the SQLite driver

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/work"
)

//go:embed migrations
var migrations embed.FS

// Engine names the database engine.
type Engine string

// The engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// Cipher encrypts what the core itself stores: job payloads. It is pure computation, safe for concurrent use.
type Cipher interface {
	SealJob(tenant, id string, plain []byte) ([]byte, error)
	OpenJob(ctx context.Context, tenant, id string, sealed []byte) ([]byte, error)
}

// Options configure Open.
type Options struct {
	Cipher   Cipher // may be set later by SetCipher, before the first job with a payload
	Log      *slog.Logger
	Readers  int           // size of the reader pool; default 8
	OnCommit func(Changes) // called after each commit; must not block
}

// Changes tells what a commit brought, as a hint for whoever waits.
type Changes struct {
	Events, Jobs, Audit bool
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	engine Engine
	opts   Options
	read   *sql.DB // on PostgreSQL also the writer
	write  *sql.DB
	stmts  *stmtCache // of the SQLite readers

	units  chan *unit // SQLite: what waits for the writer
	closed chan struct{}
	writer sync.WaitGroup
	seqr   *sequencer // PostgreSQL only
	path   string     // SQLite file
}

// Open opens the database at dsn ("sqlite:PATH" or a postgres:// URL) and brings its schema to this version.
func Open(ctx context.Context, dsn string, opts Options) (*DB, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Readers == 0 {
		opts.Readers = 8
	}
	db := &DB{opts: opts, closed: make(chan struct{})}
	var err error
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		err = db.openSQLite(ctx, path)
	} else if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		err = db.openPostgres(ctx, dsn)
	} else {
		return nil, errs.New(errs.Invalid, "the database must be sqlite:PATH or postgres://USER@HOST/NAME")
	}
	if err != nil {
		return nil, errors.Join(err, db.closePools())
	}
	return db, nil
}

func (db *DB) openSQLite(ctx context.Context, path string) error {
	db.engine, db.path = SQLite, path
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("opening the database file: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("opening the database file: %w", err)
	}
	pragmas := url.Values{"_pragma": {
		"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)", "foreign_keys(1)", "secure_delete(1)",
		"temp_store(2)", "cache_size(-16000)", "wal_autocheckpoint(4000)",
	}}
	base := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas.Encode()
	if db.write, err = sql.Open("sqlite", base); err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	db.write.SetMaxOpenConns(1)
	if err := db.migrate(ctx, db.write, goose.DialectSQLite3, "migrations/sqlite"); err != nil {
		return err
	}
	if db.read, err = sql.Open("sqlite", base+"&_pragma=query_only(1)"); err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	db.read.SetMaxOpenConns(db.opts.Readers)
	db.read.SetMaxIdleConns(db.opts.Readers)
	db.stmts = newStmtCache(db.read)
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("opening the writer: %w", err)
	}
	db.units = make(chan *unit, 1024)
	db.writer.Go(func() { db.writeLoop(context.WithoutCancel(ctx), conn) })
	return nil
}

func (db *DB) openPostgres(ctx context.Context, dsn string) error {
	db.engine = Postgres
	var err error
	if db.read, err = sql.Open("pgx", dsn); err != nil {
		return errs.Wrap(errs.Invalid, err, "the PostgreSQL URL cannot be read; use postgres://USER:PASSWORD@HOST/NAME")
	}
	db.write = db.read
	db.read.SetMaxOpenConns(max(db.opts.Readers, 24))
	db.read.SetMaxIdleConns(max(db.opts.Readers, 24))
	if err := db.read.PingContext(ctx); err != nil {
		return errs.Wrap(errs.Unavailable, err, "PostgreSQL does not answer; check the address and the credentials")
	}
	if err := db.migrate(ctx, db.read, goose.DialectPostgres, "migrations/postgres"); err != nil {
		return err
	}
	db.seqr = newSequencer(db)
	return db.seqr.start(ctx)
}

func (db *DB) migrate(ctx context.Context, to *sql.DB, dialect goose.Dialect, dir string) error {
	sub, err := fs.Sub(migrations, dir)
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	provider, err := goose.NewProvider(dialect, to, sub)
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrating the database: %w", err)
	}
	return nil
}

// Engine tells which engine it is.
func (db *DB) Engine() Engine { return db.engine }

// SetCipher sets the cipher of job payloads; call it before jobs are enqueued or run.
func (db *DB) SetCipher(c Cipher) { db.opts.Cipher = c }

// OnCommit sets the function that is called after each commit; call it before the first Update.
func (db *DB) OnCommit(f func(Changes)) { db.opts.OnCommit = f }

// Close lets what is being written end and closes the database. Updates that come later fail with errs.Unavailable.
func (db *DB) Close() error {
	close(db.closed)
	if db.seqr != nil {
		db.seqr.stop()
	}
	db.writer.Wait()
	return db.closePools()
}

func (db *DB) closePools() error {
	var list []error
	if db.stmts != nil {
		list = append(list, db.stmts.close())
	}
	if db.read != nil {
		list = append(list, db.read.Close())
	}
	if db.write != nil && db.write != db.read {
		list = append(list, db.write.Close())
	}
	return errors.Join(list...)
}

// As returns the database as the store of a domain whose transaction interface is T. It panics when Tx does not
// implement T, which is a bug found by the first test.
func As[T any](db *DB) work.Store[T] {
	if _, ok := any((*Tx)(nil)).(T); !ok {
		panic(fmt.Sprintf("sqlstore.Tx does not implement %T", *new(T)))
	}
	return store[T]{db}
}

type store[T any] struct{ db *DB }

// Update implements work.Store.
func (s store[T]) Update(ctx context.Context, f func(T) error) error {
	return s.db.Update(ctx, func(tx *Tx) error { return f(any(tx).(T)) }) //nolint:forcetypeassert,errcheck // As has checked it
}

// View implements work.Store.
func (s store[T]) View(ctx context.Context, f func(T) error) error {
	return s.db.View(ctx, func(tx *Tx) error { return f(any(tx).(T)) }) //nolint:forcetypeassert,errcheck // As has checked it
}

// Update runs f in a read-write transaction; see work.Store.
func (db *DB) Update(ctx context.Context, f func(*Tx) error) error {
	if db.engine == Postgres {
		return db.updatePostgres(ctx, sql.LevelSerializable, f)
	}
	return db.updateSQLite(ctx, f)
}

// updateRows is Update for statements that each stand for themselves: they see what others have committed and lock the rows they
// change. A claim that had to be serializable would conflict with every job that is enqueued meanwhile.
func (db *DB) updateRows(ctx context.Context, f func(*Tx) error) error {
	if db.engine == Postgres {
		return db.updatePostgres(ctx, sql.LevelReadCommitted, f)
	}
	return db.updateSQLite(ctx, f)
}

func (db *DB) updateSQLite(ctx context.Context, f func(*Tx) error) error {
	u := &unit{ctx: ctx, f: f, done: make(chan error, 1)}
	select {
	case <-db.closed:
		return errClosed()
	case <-ctx.Done():
		return context.Cause(ctx)
	case db.units <- u:
	}
	select {
	case err := <-u.done:
		return err
	case <-ctx.Done():
		// It may still commit; the caller is told that it does not know.
		select {
		case err := <-u.done:
			return err
		case <-time.After(5 * time.Second):
			return context.Cause(ctx)
		}
	}
}

// View runs f on a snapshot; see work.Store.
func (db *DB) View(ctx context.Context, f func(*Tx) error) (err error) {
	stx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: db.viewIsolation()})
	if err != nil {
		return classify(err)
	}
	defer func() {
		if e := stx.Rollback(); e != nil && err == nil && !errors.Is(e, sql.ErrTxDone) {
			err = classify(e)
		}
	}()
	return f(&Tx{db: db, run: txRunner{stx, db.stmts}})
}

func (db *DB) viewIsolation() sql.IsolationLevel {
	if db.engine == Postgres {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault
}

func errClosed() error { return errs.New(errs.Unavailable, "the hub is stopping") }

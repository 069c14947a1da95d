package salesforce

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
)

// querier is what reading needs: the read pool, or a transaction that must see its own changes.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// store is the org's database: one writer and a pool of readers over a file in WAL mode.
type store struct {
	write *sql.DB
	read  *sql.DB
	stmts statements
	ready statements // of the writer
	dir   string     // of the files
	temp  string     // folder to remove at the end, empty: none
	lock  *dirLock   // of the folder, nil where it is temporary
	bell  bell       // rings after each commit that logged changes

	// One transaction writes at a time, and only it touches what follows.
	txn     txnState
	pruned  time.Time // when old changes were last dropped
	commits int64     // number of the last transaction that logged changes

	rolledBack func() // told when a transaction was undone, nil: nobody
}

// txnState is what the write transaction under way keeps.
type txnState struct {
	key     string // names it in change events; empty: nothing was logged yet
	at      time.Time
	commit  int64 // its number
	changes int64
	held    *loggedChange // not written yet: more records may follow with the same change

	overflowed map[string]bool // channels that were told that there are too many changes

	stmts map[string]*sql.Stmt // nil: the text ran once so far

	after  []func() // run once the transaction is in the file
	mirror bool     // records of grants are written that follow the rules

	runs    *runs // see together.go; nil: rows are not put together
	waiting []*waiting
}

// The writer keeps what a bulk load touches, the inner pages of all indexes, and moves the log into the file every 64 MiB
// rather than every 4. A reader has little of its own and leans on the system's cache.
const (
	writerPragmas = "&_pragma=cache_size(-64000)&_pragma=wal_autocheckpoint(16384)&_txlock=immediate"
	readerPragmas = "&_pragma=cache_size(-8000)&_pragma=query_only(1)"
)

const (
	readers       = 4
	maxStatements = 300
)

const databaseFile = "salesforce.db"

// registerFunctions adds our SQL functions to the driver, which keeps them for the whole process.
var registerFunctions = sync.OnceValue(func() error { //nolint:gochecknoglobals // the driver's registry is global too
	return errors.Join(
		sqlite.RegisterDeterministicScalarFunction("sandbox_local", 2, localMillis),
		sqlite.RegisterDeterministicScalarFunction("sandbox_distance", 5, haversine),
		sqlite.RegisterDeterministicScalarFunction("sandbox_fold", 1, foldText),
	)
})

// localMillis shifts a moment in milliseconds to the wall clock of a zone.
func localMillis(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	ms, ok := args[0].(int64)
	if !ok {
		return nil, nil
	}
	name, _ := args[1].(string)
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("loading the zone %s: %w", name, err)
	}
	_, offset := time.UnixMilli(ms).In(zone).Zone()
	return ms + int64(offset)*1000, nil
}

// openStore opens the database in dir, or in a temporary folder when dir is empty.
func openStore(ctx context.Context, dir string, begin []byte, sc *schema, up upgrade) (*store, error) {
	if err := registerFunctions(); err != nil {
		return nil, fmt.Errorf("adding SQL functions: %w", err)
	}
	s := &store{}
	// What was answered outlives the process. A power cut may take the last moments with it, which a stand-in can bear; an
	// org in a temporary folder ends with the process anyway and asks nothing of the disk.
	durability := "NORMAL"
	var err error
	if dir == "" {
		if s.temp, err = tempDir(begin); err != nil {
			return nil, err
		}
		dir, durability = s.temp, "OFF"
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	} else if s.lock, err = lockDir(ctx, dir); err != nil {
		return nil, err
	}
	s.dir = dir
	file := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.Join(dir, databaseFile)}).EscapedPath()}
	pragmas := "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(" + durability + ")" +
		"&_pragma=case_sensitive_like(1)&_pragma=temp_store(MEMORY)"
	if s.write, err = sql.Open("sqlite", file.String()+pragmas+writerPragmas); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database: %w", err), s.close())
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", file.String()+pragmas+readerPragmas); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database for reading: %w", err), s.close())
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	if err := s.migrate(ctx, sc, up); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// tempDir makes a folder for an org that ends with the process, with its file in it if there is one.
func tempDir(begin []byte) (string, error) {
	dir, err := os.MkdirTemp("", "sandbox-salesforce-")
	if err != nil {
		return "", fmt.Errorf("making a temporary folder: %w", err)
	}
	if begin == nil {
		return dir, nil
	}
	if err := os.WriteFile(filepath.Join(dir, databaseFile), begin, 0o600); err != nil {
		return "", errors.Join(fmt.Errorf("beginning the database: %w", err), os.RemoveAll(dir))
	}
	return dir, nil
}

func (s *store) close() error {
	errs := []error{s.stmts.close(), s.ready.close()}
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	errs = append(errs, s.lock.release())
	if s.temp != "" {
		errs = append(errs, os.RemoveAll(s.temp))
	}
	return errors.Join(errs...)
}

const qSystemTables = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sequence (prefix TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS app (client_id TEXT PRIMARY KEY, data TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS secret (user_id TEXT PRIMARY KEY, password TEXT NOT NULL, token TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (
  hash TEXT PRIMARY KEY, kind TEXT NOT NULL, user_id TEXT NOT NULL, client_id TEXT NOT NULL, scope TEXT NOT NULL,
  created INTEGER NOT NULL, expires INTEGER NOT NULL, family TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;
-- by the last digits of numbers, and with a + after the entity by those of texts (see phoneKeys)
CREATE TABLE IF NOT EXISTS phone (
  entity TEXT NOT NULL, reversed TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (entity, reversed, id)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_expires ON session (expires);` + qChangeTable + qJobTable + qManagedTable + qAttemptTable + qSchemaTable + qChannelTable

// storedColumn is one column of a table; text fields have a folded one besides their own.
type storedColumn struct{ name, sqlType string }

func storedColumns(o *object) []storedColumn {
	var out []storedColumn
	for _, f := range o.fields {
		if f.writeOnly {
			continue
		}
		out = append(out, storedColumn{f.column(), f.sqlType()})
		if f.folded() != f.column() {
			out = append(out, storedColumn{f.folded(), "TEXT"})
		}
	}
	return out
}

func tablesDDL(sc *schema) string {
	var b strings.Builder
	for _, o := range sc.objects {
		b.WriteString("CREATE TABLE IF NOT EXISTS " + o.table() + " (")
		for i, c := range storedColumns(o) {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(c.name + " " + c.sqlType)
			if c.name == `"Id"` {
				b.WriteString(" PRIMARY KEY")
			}
		}
		b.WriteString(") STRICT, WITHOUT ROWID;\n")
		b.WriteString(`CREATE INDEX IF NOT EXISTS "` + o.name + `.bin" ON ` + o.table() + ` ("SystemModstamp") WHERE "IsDeleted" = 1;` + "\n")
		for _, f := range o.fields {
			if f.indexed && !f.writeOnly {
				// What has no value is left out: most records have none in most fields, and loading them is the faster for it.
				b.WriteString(`CREATE INDEX IF NOT EXISTS "` + o.name + "." + f.name + `" ON ` + o.table() + " (" + f.folded() + ") WHERE " + f.folded() + " IS NOT NULL;\n")
			}
		}
	}
	return b.String()
}

// addColumnsTo brings an older file's table up to the definition.
func addColumnsTo(ctx context.Context, tx *sql.Tx, table string, columns []storedColumn) error {
	rows, err := tx.QueryContext(ctx, "SELECT name FROM pragma_table_info("+table+")") //nolint:gosec // names come from the definitions
	if err != nil {
		return fmt.Errorf("reading the columns of %s: %w", table, err)
	}
	have := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return errors.Join(fmt.Errorf("reading the columns of %s: %w", table, err), rows.Close()) //nolint:sqlclosecheck // closed with its error on either way out
		}
		have[`"`+name+`"`] = true
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("reading the columns of %s: %w", table, err)
	}
	if len(have) == 0 {
		return nil
	}
	for _, c := range columns {
		if have[c.name] {
			continue
		}
		if _, err := tx.ExecContext(ctx, "ALTER TABLE "+table+" ADD COLUMN "+c.name+" "+c.sqlType); err != nil {
			return fmt.Errorf("adding %s to %s: %w", c.name, table, err)
		}
	}
	return nil
}

// update runs fn in one write transaction. When ctx ends, it waits no longer for its turn, and what fn asks with it fails; but
// the transaction stays open until fn returns: the next one has the same state in the store.
func (s *store) update(ctx context.Context, fn func(tx *sql.Tx) error) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("waiting for a transaction: %w", err)
	}
	done, err := s.transact(ctx, conn, fn) // the next one may begin now
	if err != nil {
		return err
	}
	for _, then := range done.after {
		then()
	}
	if done.changes > 0 {
		s.bell.ring()
	}
	for text := range done.stmts {
		if len(text) <= maxReadyText {
			s.ready.prepare(context.WithoutCancel(ctx), s.write, text)
		}
	}
	return nil
}

// transact runs fn in a transaction of conn, which it gives back, and returns what fn left in the store.
func (s *store) transact(ctx context.Context, conn *sql.Conn, fn func(tx *sql.Tx) error) (done txnState, err error) {
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return done, errors.Join(fmt.Errorf("starting a transaction: %w", err), conn.Close())
	}
	defer func() { err = errors.Join(err, ignoreDone(tx.Rollback()), conn.Close()) }() // undone already, unless fn panicked
	s.txn = txnState{}
	err = fn(tx)
	if err == nil {
		err = s.release(ctx, tx)
	}
	if err == nil {
		err = s.settleAll(ctx, tx)
	}
	s.txn.runs.end()
	if err != nil {
		err = errors.Join(err, ignoreDone(tx.Rollback()))
		if s.rolledBack != nil {
			s.rolledBack()
		}
		return done, err
	}
	if s.txn.changes > 0 {
		s.commits++
	}
	if err := tx.Commit(); err != nil {
		return done, fmt.Errorf("committing: %w", err)
	}
	return s.txn, nil
}

// afterCommit runs fn when the transaction under way has taken effect. fn must not write to the store.
func (s *store) afterCommit(fn func()) { s.txn.after = append(s.txn.after, fn) }

// maxReadyText keeps what is made for one statement alone, such as a list of rows, from staying prepared.
const maxReadyText = 32 << 10

// stmt returns the statement of a text that an earlier write transaction ran, or that this one runs for the second time;
// nil: run it as it is.
func (s *store) stmt(ctx context.Context, tx *sql.Tx, query string) (*sql.Stmt, error) {
	st, seen := s.txn.stmts[query]
	if st != nil {
		return st, nil
	}
	if s.txn.stmts == nil {
		s.txn.stmts = map[string]*sql.Stmt{}
	}
	if ready := s.ready.have(query); ready != nil {
		st = tx.StmtContext(ctx, ready)
		s.txn.stmts[query] = st
		return st, nil
	}
	if !seen {
		s.txn.stmts[query] = nil
		return nil, nil //nolint:nilnil // documented
	}
	st, err := tx.PrepareContext(ctx, query) //nolint:gosec // names come from the definitions; ends with its transaction
	if err != nil {
		return nil, fmt.Errorf("preparing: %w", err)
	}
	s.txn.stmts[query] = st
	return st, nil
}

// exec runs a statement in the write transaction, prepared once it repeats.
func (s *store) exec(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	if err := s.settle(ctx, tx, query); err != nil {
		return err
	}
	return s.run(ctx, tx, query, args)
}

// run is exec without a look at the rows that wait.
func (s *store) run(ctx context.Context, tx *sql.Tx, query string, args []any) error {
	do, err := s.prepared(ctx, tx, query)
	if err != nil {
		return err
	}
	return do(args)
}

// prepared returns what runs a statement in the write transaction.
func (s *store) prepared(ctx context.Context, tx *sql.Tx, query string) (func(args []any) error, error) {
	st, err := s.stmt(ctx, tx, query) //nolint:sqlclosecheck // ends with its transaction
	if err != nil {
		return nil, err
	}
	// The transaction ends with the context; a watch over each statement besides would cost more than the statement.
	ctx = context.WithoutCancel(ctx)
	return func(args []any) error {
		if st != nil {
			_, err := st.ExecContext(ctx, args...)
			return err //nolint:wrapcheck // the caller says what it did
		}
		_, err := tx.ExecContext(ctx, query, args...) //nolint:gosec // the callers' queries are constants, or compiled with arguments
		return err                                    //nolint:wrapcheck // the caller says what it did
	}, nil
}

// inTx reads within the write transaction, with statements prepared once they repeat.
type inTx struct {
	store *store
	tx    *sql.Tx
}

// QueryContext reads.
func (q inTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := q.store.settle(ctx, q.tx, query); err != nil {
		return nil, err
	}
	st, err := q.store.stmt(ctx, q.tx, query) //nolint:sqlclosecheck // ends with its transaction
	if err != nil {
		return nil, err
	}
	if st == nil {
		return q.tx.QueryContext(ctx, query, args...) //nolint:gosec,wrapcheck // names come from the definitions; the caller says what it did
	}
	return st.QueryContext(ctx, args...) //nolint:wrapcheck // the caller says what it did
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

func (s *store) meta(ctx context.Context, key string) (string, error) {
	var v string
	err := s.read.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", key).Scan(&v)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", key, err)
	}
	return v, nil
}

func setMeta(ctx context.Context, tx *sql.Tx, key, value string) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
	if err != nil {
		return fmt.Errorf("storing %s: %w", key, err)
	}
	return nil
}

// statements keeps prepared statements by text. Once full it takes no more and further texts run unprepared: closing a
// statement another request may be running would fail that request.
type statements struct {
	mu   sync.RWMutex // guards both below
	all  map[string]*sql.Stmt
	done bool
}

func (c *statements) get(ctx context.Context, db *sql.DB, query string) (*sql.Stmt, error) {
	c.mu.RLock()
	st := c.all[query]
	full := c.done || len(c.all) >= maxStatements
	c.mu.RUnlock()
	if st != nil || full {
		return st, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if st := c.all[query]; st != nil || c.done {
		return st, nil
	}
	st, err := db.PrepareContext(ctx, query) //nolint:gosec,sqlclosecheck // names come from the definitions; stays prepared until the store closes
	if err != nil {
		return nil, fmt.Errorf("preparing a query: %w", err)
	}
	if c.all == nil {
		c.all = map[string]*sql.Stmt{}
	}
	c.all[query] = st
	return st, nil
}

// prepare makes a statement ready for the next time. It waits for a connection and so holds no lock meanwhile: who has the
// connection may be asking what is ready. A text that cannot be prepared is run as it is.
func (c *statements) prepare(ctx context.Context, db *sql.DB, query string) {
	c.mu.RLock()
	known := c.all[query] != nil || c.done || len(c.all) >= maxStatements
	c.mu.RUnlock()
	if known {
		return
	}
	st, err := db.PrepareContext(ctx, query)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all[query] != nil || c.done {
		_ = st.Close() //nolint:sqlclosecheck // another was faster
		return
	}
	if c.all == nil {
		c.all = map[string]*sql.Stmt{}
	}
	c.all[query] = st
}

// have returns a statement that is prepared already, nil: there is none.
func (c *statements) have(query string) *sql.Stmt {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.all[query]
}

func (c *statements) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, st := range c.all {
		errs = append(errs, st.Close())
	}
	c.all, c.done = nil, true
	return errors.Join(errs...)
}

// QueryContext reads with a statement that stays prepared.
func (s *store) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := s.stmts.get(ctx, s.read, query) //nolint:sqlclosecheck // stays prepared until the store closes
	if err != nil {
		return nil, err
	}
	var rows *sql.Rows
	if st != nil {
		rows, err = st.QueryContext(ctx, args...)
	} else {
		rows, err = s.read.QueryContext(ctx, query, args...) //nolint:gosec // names come from the definitions, values are arguments
	}
	if err != nil {
		return nil, fmt.Errorf("running a query: %w", err)
	}
	return rows, nil
}

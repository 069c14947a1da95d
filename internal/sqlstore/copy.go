package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

const (
	copyBatch  = 500              // rows read before they are written
	outboxWait = 30 * time.Second // for the sequencer to move the last events
)

// Copied is how many rows of a table were copied.
type Copied struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// Copy copies everything from one database into an empty one, from either engine to either, in one transaction of the
// destination. Stop the hub first: what is written to the source while it runs may be missing. The keys are not in the database: the
// copy needs the same root key. errs.Conflict: the destination has rows already.
func Copy(ctx context.Context, from, to string) (list []Copied, err error) {
	if from == to {
		return nil, errs.New(errs.Invalid, "the source and the destination are the same database")
	}
	src, err := Open(ctx, from, Options{})
	if err != nil {
		return nil, fmt.Errorf("opening the source: %w", err)
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := Open(ctx, to, Options{})
	if err != nil {
		return nil, fmt.Errorf("opening the destination: %w", err)
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	if err := src.drainOutbox(ctx); err != nil {
		return nil, err
	}
	rtx, err := src.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: src.viewIsolation()})
	if err != nil {
		return nil, fmt.Errorf("reading the source: %w", err)
	}
	defer func() { err = errors.Join(err, undo(rtx)) }()
	err = dst.exclusively(ctx, func(w execer) error {
		list, err = copyTables(ctx, src, rtx, dst, w)
		return err
	})
	return list, err
}

func undo(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("ending a transaction: %w", err)
	}
	return nil
}

// execer is what copying needs of a transaction.
type execer interface {
	ExecContext(ctx context.Context, q string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, q string, args ...any) (*sql.Rows, error)
}

// exclusively runs f in one transaction of its own. On SQLite a second connection is used, since the writer's belongs to
// its loop.
func (db *DB) exclusively(ctx context.Context, f func(execer) error) (err error) {
	pool := db.write
	if db.engine == SQLite {
		if pool, err = sql.Open("sqlite", fileURL(db.path, map[string][]string{"_pragma": {"busy_timeout(10000)", "synchronous(FULL)"}})); err != nil {
			return fmt.Errorf("opening the destination: %w", err)
		}
		defer func() { err = errors.Join(err, pool.Close()) }()
	}
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("writing the destination: %w", err)
	}
	defer func() { err = errors.Join(err, undo(tx)) }()
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing the copy: %w", err)
	}
	return nil
}

// drainOutbox waits until the sequencer has moved every event into the log.
func (db *DB) drainOutbox(ctx context.Context) error {
	if db.engine != Postgres {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, outboxWait)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var n int64
		if err := db.read.QueryRowContext(ctx, "SELECT count(*) FROM event_outbox").Scan(&n); err != nil {
			return fmt.Errorf("reading the outbox: %w", err)
		}
		if n == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errs.New(errs.Conflict, "events still come in: stop the hub first")
		case <-tick.C:
		}
	}
}

// ordered lists the tables of an engine's schema, those that others refer to first.
func ordered(ctx context.Context, db *DB, r execer) ([]string, error) {
	qTables := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
	qRefs := "SELECT m.name, f.\"table\" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'"
	if db.engine == Postgres {
		qTables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
		qRefs = "SELECT c.relname, p.relname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid " +
			"WHERE k.contype = 'f' AND c.relnamespace = current_schema()::regnamespace"
	}
	tables, err := pairs(ctx, r, qTables, 1)
	if err != nil {
		return nil, err
	}
	refs, err := pairs(ctx, r, qRefs, 2)
	if err != nil {
		return nil, err
	}
	var out []string
	var visit func(name string)
	visit = func(name string) {
		if slices.Contains(out, name) || name == "goose_db_version" {
			return
		}
		for _, ref := range refs {
			if ref[0] == name && ref[1] != name {
				visit(ref[1])
			}
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, t := range tables {
		visit(t[0])
	}
	return out, nil
}

func pairs(ctx context.Context, r execer, q string, n int) (out [][2]string, err error) {
	rows, err := r.QueryContext(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var p [2]string
		if err := rows.Scan([]any{&p[0], &p[1]}[:n]...); err != nil {
			return nil, fmt.Errorf("reading the schema: %w", err)
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

func copyTables(ctx context.Context, src *DB, r execer, dst *DB, w execer) ([]Copied, error) {
	tables, err := ordered(ctx, src, r)
	if err != nil {
		return nil, err
	}
	var list []Copied
	for _, t := range tables {
		n, err := countRows(ctx, w, t)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			return nil, errs.New(errs.Conflict, "the destination is not empty: its table %s has %d rows", t, n)
		}
	}
	for _, t := range tables {
		n, err := copyTable(ctx, r, dst, w, t)
		if err != nil {
			return nil, fmt.Errorf("copying %s: %w", t, classify(err))
		}
		list = append(list, Copied{t, n})
	}
	return list, fixSequences(ctx, src, dst, w)
}

func countRows(ctx context.Context, r execer, table string) (n int64, err error) {
	rows, err := r.QueryContext(ctx, "SELECT count(*) FROM "+quote(table))
	if err != nil {
		return 0, fmt.Errorf("counting %s: %w", table, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			return 0, fmt.Errorf("counting %s: %w", table, err)
		}
	}
	return n, rows.Err()
}

// quote quotes a name that comes from the schema.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func copyTable(ctx context.Context, r execer, dst *DB, w execer, table string) (n int64, err error) {
	rows, err := r.QueryContext(ctx, "SELECT * FROM "+quote(table))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	batch := min(copyBatch, 30000/len(names)) // both engines bound the parameters of a statement
	var values []any
	flush := func() error {
		if len(values) == 0 {
			return nil
		}
		_, err := w.ExecContext(ctx, insert(dst.engine, table, names, len(values)/len(names)), values...)
		values = values[:0]
		return err
	}
	for rows.Next() {
		row := make([]any, len(names))
		into := make([]any, len(names))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return n, err
		}
		for i, v := range row {
			if b, ok := v.([]byte); ok && b == nil {
				row[i] = []byte{} // an empty one: written as it came it would be NULL
			}
		}
		values = append(values, row...)
		n++
		if len(values) >= batch*len(names) {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return n, err
	}
	return n, flush()
}

func insert(engine Engine, table string, names []string, rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + quote(table) + " (")
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(name))
	}
	b.WriteString(")")
	if engine == Postgres {
		b.WriteString(" OVERRIDING SYSTEM VALUE")
	}
	b.WriteString(" VALUES ")
	p := 0
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(")
		for k := range names {
			if k > 0 {
				b.WriteString(", ")
			}
			p++
			fmt.Fprintf(&b, "$%d", p)
		}
		b.WriteString(")")
	}
	return b.String()
}

// fixSequences lets numbers go on after the highest copied: identity columns on PostgreSQL, and the counter of events, which SQLite
// keeps in the table itself.
func fixSequences(ctx context.Context, src, dst *DB, w execer) error {
	if dst.engine == SQLite {
		return nil // AUTOINCREMENT goes on after the highest number by itself
	}
	if src.engine == SQLite {
		q := "INSERT INTO counters (name, value) SELECT 'events', coalesce(max(seq), 0) FROM events ON CONFLICT (name) DO UPDATE SET value = excluded.value"
		if _, err := w.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("setting the counter of events: %w", err)
		}
	}
	columns, err := pairs(ctx, w, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() AND is_identity = 'YES'", 2)
	if err != nil {
		return err
	}
	for _, c := range columns {
		q := fmt.Sprintf("SELECT setval(pg_get_serial_sequence('%s', '%s'), coalesce(max(%s), 0) + 1, false) FROM %s", quote(c[0]), c[1], quote(c[1]), quote(c[0]))
		if _, err := w.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("setting the numbers of %s: %w", c[0], err)
		}
	}
	return nil
}

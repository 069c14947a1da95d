package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
)

// dialects are the engines as goose and database/sql know them.
var dialects = map[sqlstore.Engine]struct { //nolint:gochecknoglobals // constant
	dialect goose.Dialect
	driver  string
}{sqlstore.SQLite: {goose.DialectSQLite3, "sqlite"}, sqlstore.Postgres: {goose.DialectPostgres, "pgx"}}

func migrationsOf(engine sqlstore.Engine) fs.FS {
	return os.DirFS(filepath.Join("migrations", string(engine)))
}

// TestMigrationsAreInOrder: the same numbers on both engines, growing, each with a way back.
func TestMigrationsAreInOrder(t *testing.T) {
	var names []string
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.Postgres} {
		list, err := fs.Glob(migrationsOf(engine), "*.sql")
		if err != nil || len(list) == 0 {
			t.Fatalf("%s: %d migrations, %v", engine, len(list), err)
		}
		slices.Sort(list)
		last := 0
		for _, name := range list {
			number, _, _ := strings.Cut(name, "_")
			n, err := strconv.Atoi(number)
			if err != nil || len(number) != 4 || n <= last {
				t.Errorf("%s/%s does not follow number %d", engine, name, last)
			}
			last = n
			text, err := fs.ReadFile(migrationsOf(engine), name)
			up, down, ok := strings.Cut(string(text), "-- +goose Down")
			if err != nil || !ok || !strings.HasPrefix(up, "-- +goose Up") || strings.TrimSpace(down) == "" {
				t.Errorf("%s/%s lacks a way up or down (%v)", engine, name, err)
			}
			if engine == sqlstore.SQLite && strings.Count(up, "CREATE TABLE") != strings.Count(up, ") STRICT") {
				t.Errorf("%s has a table that is not STRICT", name)
			}
		}
		if names != nil && !slices.Equal(names, list) {
			t.Errorf("the engines have different migrations: %v and %v", names, list)
		}
		names = list
	}
}

// TestUpgradeKeepsData fills every table of each older schema and brings it to the newest one: no row is lost or changed.
func TestUpgradeKeepsData(t *testing.T) {
	for engine, d := range dialects {
		list, err := fs.Glob(migrationsOf(engine), "*.sql")
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(list)
		for i, name := range list {
			from := i + 1
			version, err := strconv.ParseInt(name[:4], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(string(engine)+" from "+name[:4], func(t *testing.T) {
				dsn := storetest.DSN(t, engine)
				conn, err := sql.Open(d.driver, strings.TrimPrefix(dsn, "sqlite:"))
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				provider, err := goose.NewProvider(d.dialect, conn, migrationsOf(engine))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := provider.UpTo(t.Context(), version); err != nil {
					t.Fatal(err)
				}
				// What stands in the outbox is moved by whoever opens the database.
				tables := slices.DeleteFunc(tablesOf(t, engine, from), func(tb table) bool { return tb.name == "event_outbox" })
				fillAll(t, engine, conn, tables)
				before := dumpAll(t, conn, tables)
				storetest.Open(t, dsn)
				for name, rows := range dumpAll(t, conn, tables) {
					if rows == "" || rows != before[name] {
						t.Errorf("%s was %q and is %q", name, before[name], rows)
					}
				}
			})
		}
		t.Run(string(engine)+" down", func(t *testing.T) { downAndUp(t, engine) })
	}
}

// downAndUp goes all the way back to nothing and up again.
func downAndUp(t *testing.T, engine sqlstore.Engine) {
	t.Helper()
	dsn := storetest.DSN(t, engine)
	conn, err := sql.Open(dialects[engine].driver, strings.TrimPrefix(dsn, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	provider, err := goose.NewProvider(dialects[engine].dialect, conn, migrationsOf(engine))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := provider.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := provider.DownTo(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range tablesOf(t, engine, 99) {
		if _, err := conn.ExecContext(t.Context(), "SELECT 1 FROM "+name.name); err == nil {
			t.Errorf("%s is left", name.name)
		}
	}
}

// table is a table as its migration made it.
type table struct {
	name    string
	columns []string // names with their types
}

var createTable = regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n?\)(?: STRICT)?;`)

// tablesOf reads the tables from the migrations up to a number, in the order of their creation.
func tablesOf(t *testing.T, engine sqlstore.Engine, upTo int) (list []table) {
	t.Helper()
	names, err := fs.Glob(migrationsOf(engine), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	for _, name := range names[:min(upTo, len(names))] {
		text, err := fs.ReadFile(migrationsOf(engine), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range createTable.FindAllStringSubmatch(string(text), -1) {
			tb := table{name: m[1]}
			for _, c := range regexp.MustCompile(`(?:^|[,\n(])\s*(\w+) (TEXT|INTEGER|BIGINT|BIGSERIAL|BLOB|BYTEA)\b`).FindAllStringSubmatch(m[2], -1) {
				tb.columns = append(tb.columns, c[1]+" "+c[2])
			}
			list = append(list, tb)
		}
	}
	return list
}

// fillAll puts a row into every table: texts and numbers that satisfy every constraint the schema has.
func fillAll(t *testing.T, engine sqlstore.Engine, conn *sql.DB, tables []table) {
	t.Helper()
	overriding := ""
	if engine == sqlstore.Postgres {
		overriding = " OVERRIDING SYSTEM VALUE" // ids that the engine makes
	}
	for _, tb := range tables {
		var names, places []string
		var args []any
		for i, c := range tb.columns {
			name, typ, _ := strings.Cut(c, " ")
			names, places = append(names, name), append(places, "$"+strconv.Itoa(i+1))
			switch typ {
			case "TEXT":
				args = append(args, "x")
			case "BLOB", "BYTEA":
				args = append(args, []byte{1, 2})
			default:
				args = append(args, 1)
			}
		}
		q := "INSERT INTO " + tb.name + " (" + strings.Join(names, ", ") + ")" + overriding + " VALUES (" + strings.Join(places, ", ") + ")"
		if _, err := conn.ExecContext(t.Context(), q, args...); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// dumpAll writes the old columns of every table as text.
func dumpAll(t *testing.T, conn *sql.DB, tables []table) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, tb := range tables {
		var names []string
		for _, c := range tb.columns {
			name, _, _ := strings.Cut(c, " ")
			names = append(names, name)
		}
		out[tb.name] = dump(t.Context(), t, conn, "SELECT "+strings.Join(names, ", ")+" FROM "+tb.name, len(names))
	}
	return out
}

func dump(ctx context.Context, t *testing.T, conn *sql.DB, q string, columns int) string {
	t.Helper()
	rows, err := conn.QueryContext(ctx, q)
	if err != nil {
		t.Errorf("%s: %v", q, err)
		return ""
	}
	defer func() { _ = rows.Close() }()
	var b strings.Builder
	for rows.Next() {
		values := make([]any, columns)
		into := make([]any, columns)
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Error(err)
		}
		fmt.Fprintln(&b, values...)
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
	return b.String()
}

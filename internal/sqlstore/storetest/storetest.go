// Package storetest is the conformance suite of the stores: each contract once, run on every engine.
package storetest

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the PostgreSQL driver

	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/sqlstore"
)

// Cipher is a stand-in for the keyring: it turns bytes around, so that a test sees that it was used.
type Cipher struct{}

// SealJob implements sqlstore.Cipher.
func (Cipher) SealJob(_, _ string, plain []byte) ([]byte, error) { return flip(plain), nil }

// OpenJob implements sqlstore.Cipher.
func (Cipher) OpenJob(_ context.Context, _, _ string, sealed []byte) ([]byte, error) {
	return flip(sealed), nil
}

func flip(p []byte) []byte {
	out := make([]byte, len(p))
	for i, b := range p {
		out[i] = b ^ 0x5a
	}
	return out
}

// Engines runs f as a subtest on each engine with an empty database of its own. PostgreSQL is the server named by
// TANDEM_TEST_POSTGRES; without it that half is skipped, and fails where CI is set.
func Engines(t *testing.T, f func(t *testing.T, db *sqlstore.DB)) {
	t.Helper()
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			f(t, Open(t, DSN(t, engine)))
		})
	}
}

// Open opens the database and closes it with the test.
func Open(t testing.TB, dsn string) *sqlstore.DB {
	t.Helper()
	db, err := sqlstore.Open(context.Background(), dsn, sqlstore.Options{Cipher: Cipher{}})
	if err != nil {
		t.Fatalf("opening the database: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing the database: %v", err)
		}
	})
	return db
}

// DSN returns the address of a new, empty database of the engine.
func DSN(t testing.TB, engine sqlstore.Engine) string {
	t.Helper()
	if engine == sqlstore.SQLite {
		return "sqlite:" + filepath.Join(t.TempDir(), "tandem.db")
	}
	server := os.Getenv("TANDEM_TEST_POSTGRES")
	if server == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TANDEM_TEST_POSTGRES is not set: the PostgreSQL half must run")
		}
		t.Skip("set TANDEM_TEST_POSTGRES to a server's URL to run the PostgreSQL half")
	}
	return postgresDatabase(t, server)
}

func postgresDatabase(t testing.TB, server string) string {
	t.Helper()
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatalf("reading TANDEM_TEST_POSTGRES: %v", err)
	}
	name := "t_" + strings.ReplaceAll(ids.New(), "-", "")
	if _, err := admin.ExecContext(context.Background(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("creating a database: %v", err)
	}
	t.Cleanup(func() {
		if _, err := admin.ExecContext(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("dropping the database: %v", err)
		}
		if err := admin.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("reading TANDEM_TEST_POSTGRES: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

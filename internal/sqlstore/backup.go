package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/tandemcc/tandem/internal/errs"
)

// path returns the file of a SQLite address and refuses the other engine, for which PostgreSQL's own tools are the right ones.
func sqlitePath(dsn, tool string) (string, error) {
	path, ok := strings.CutPrefix(dsn, "sqlite:")
	if !ok {
		return "", errs.New(errs.Invalid, "this is for SQLite; for PostgreSQL use %s", tool)
	}
	return path, nil
}

func fileURL(path string, params url.Values) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + params.Encode()
}

// Backup writes a consistent copy of the SQLite database at dsn to a new file (mode 0600), while the hub may be running and
// writing. The copy has what was committed when it began. errs.Conflict: the file exists.
func Backup(ctx context.Context, dsn, to string) (err error) {
	path, err := sqlitePath(dsn, "pg_dump")
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return errs.New(errs.NotFound, "there is no database at %s", path)
	}
	// Made here first, so that it is never readable by others and a file that exists is never overwritten.
	f, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names the file
	if errors.Is(err, fs.ErrExist) {
		return errs.New(errs.Conflict, "%s exists: name another file", to)
	}
	if err != nil {
		return errs.Wrap(errs.Invalid, err, "%s cannot be written", to)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(to))
		}
	}()
	db, err := sql.Open("sqlite", fileURL(path, url.Values{"_pragma": {"busy_timeout(10000)"}}))
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "VACUUM INTO $1", to); err != nil { // it takes an empty file for a new one
		return fmt.Errorf("copying the database: %w", classify(err))
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("writing the copy to disk: %w", err)
	}
	return checkFile(ctx, to)
}

// Restore puts a copy made by Backup in the place of the SQLite database at dsn. The hub must not be running. The database that
// was there is kept beside it with the suffix ".before-restore" and replaces an older one of that name. errs.Conflict: the database is
// in use; errs.Invalid: the copy is damaged, or of a newer version of this program.
func Restore(ctx context.Context, dsn, from string) error {
	path, err := sqlitePath(dsn, "pg_restore")
	if err != nil {
		return err
	}
	if err := checkFile(ctx, from); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	if err := alone(ctx, path); err != nil {
		return err
	}
	temp := path + ".restoring"
	if err := copyFile(from, temp); err != nil {
		return err
	}
	if err := os.Rename(path, path+".before-restore"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("putting the old database aside: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("putting the copy in place: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// checkFile reads a database file whole and says whether it is one of this program's and undamaged.
func checkFile(ctx context.Context, path string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return errs.New(errs.NotFound, "there is no file %s", path)
	}
	db, err := sql.Open("sqlite", fileURL(path, url.Values{"mode": {"ro"}, "immutable": {"1"}}))
	if err != nil {
		return fmt.Errorf("opening the copy: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return errs.New(errs.Invalid, "%s is no database: name a file that tandem db backup wrote", path)
	}
	if verdict != "ok" {
		return errs.New(errs.Invalid, "%s is damaged: %s", path, verdict)
	}
	version, err := schemaOf(ctx, db)
	if err != nil {
		return errs.New(errs.Invalid, "%s is no database of this program: name a file that tandem db backup wrote", path)
	}
	newest, err := newestSchema()
	if err == nil && version > newest {
		err = errs.New(errs.Invalid, "%s has schema %d, this program knows up to %d: use a newer one", path, version, newest)
	}
	return err
}

// schemaOf returns the number of the newest migration applied.
func schemaOf(ctx context.Context, db *sql.DB) (version int64, err error) {
	err = db.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("reading the schema's version: %w", err)
	}
	return version, nil
}

func newestSchema() (int64, error) {
	names, err := fs.Glob(migrations, "migrations/sqlite/*.sql")
	if err != nil {
		return 0, fmt.Errorf("reading migrations: %w", err)
	}
	newest := int64(0)
	for _, name := range names {
		n, err := goose.NumericComponent(filepath.Base(name))
		if err != nil {
			return 0, fmt.Errorf("reading migrations: %w", err)
		}
		newest = max(newest, n)
	}
	return newest, nil
}

// alone makes sure that nobody has the database open, and moves what stands in its write-ahead log into the file: a log left
// beside another file would damage it. Leaving WAL mode needs the file for oneself; the next Open goes back to it.
func alone(ctx context.Context, path string) (err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := sql.Open("sqlite", fileURL(path, nil))
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode = DELETE").Scan(&mode); err != nil || mode != "delete" {
		return errs.New(errs.Conflict, "the database %s is in use: stop the hub first", path)
	}
	return nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from) //nolint:gosec // the operator names the file
	if err != nil {
		return errs.Wrap(errs.Invalid, err, "%s cannot be read", from)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // beside the database
	if err != nil {
		return fmt.Errorf("writing %s: %w", to, err)
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", to, err)
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path) //nolint:gosec // the data directory
	if err != nil {
		return fmt.Errorf("opening the data directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("writing the data directory to disk: %w", err)
	}
	return nil
}

// Schema returns the number of the newest migration applied to an open database.
func (db *DB) Schema(ctx context.Context) (int64, error) { return schemaOf(ctx, db.read) }

// Migrate brings the database at dsn to this version and returns the number of its schema before (0: there was none) and after.
func Migrate(ctx context.Context, dsn string) (before, after int64, err error) {
	before, err = schemaBefore(ctx, dsn)
	if err != nil {
		return 0, 0, err
	}
	db, err := Open(ctx, dsn, Options{})
	if err != nil {
		return before, 0, err
	}
	after, err = db.Schema(ctx)
	return before, after, errors.Join(err, db.Close())
}

func schemaBefore(ctx context.Context, dsn string) (version int64, err error) {
	driver, source := "pgx", dsn
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		driver, source = "sqlite", fileURL(path, url.Values{"_pragma": {"busy_timeout(10000)"}})
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return 0, errs.Wrap(errs.Invalid, err, "the database address cannot be read")
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	version, err = schemaOf(ctx, db)
	if err != nil {
		return 0, nil // there is no schema yet; Open tells of a database that does not answer
	}
	return version, nil
}

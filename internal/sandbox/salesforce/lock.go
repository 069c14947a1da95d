package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// dirLock keeps a data folder to one process: two would give the same ids and sign-ins twice. It is an exclusive transaction
// over a file of its own, which every system releases with the process.
type dirLock struct {
	db *sql.DB
	tx *sql.Tx
}

// errInUse is returned where another process has the folder.
var errInUse = errors.New("another sandbox org uses this directory: stop it, or give this one a directory of its own")

func lockDir(ctx context.Context, dir string) (*dirLock, error) {
	file := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.Join(dir, "salesforce.lock")}).EscapedPath()}
	db, err := sql.Open("sqlite", file.String()+"?_pragma=busy_timeout(0)&_pragma=journal_mode(MEMORY)&_txlock=exclusive")
	if err != nil {
		return nil, fmt.Errorf("opening the lock of %s: %w", dir, err)
	}
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTx(context.WithoutCancel(ctx), nil)
	if err == nil {
		return &dirLock{db, tx}, nil
	}
	if code, ok := errors.AsType[*sqlite.Error](err); ok && code.Code()&0xff == sqlite3.SQLITE_BUSY {
		err = errInUse
	}
	return nil, errors.Join(fmt.Errorf("opening %s: %w", dir, err), db.Close())
}

func (l *dirLock) release() error {
	if l == nil {
		return nil
	}
	return errors.Join(ignoreDone(l.tx.Rollback()), l.db.Close())
}

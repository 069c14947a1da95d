package cli

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/sqlstore"
)

type dbCmd struct {
	Backup  dbBackupCmd  `cmd:"" help:"Copy the SQLite database to a file, while the hub runs."`
	Restore dbRestoreCmd `cmd:"" help:"Put a backup in the database's place; the hub must not run."`
	Migrate dbMigrateCmd `cmd:"" help:"Bring the database's schema to this version."`
	Copy    dbCopyCmd    `cmd:"" help:"Copy a database into an empty one, also of the other engine; the hub must not run."`
}

type dbBackupCmd struct {
	Settings settings `embed:""`
	To       string   `arg:"" help:"The new file."`
}

// Run backs the database up.
func (c *dbBackupCmd) Run(ctx context.Context, e *env) error {
	cfg, err := c.Settings.load(nil)
	if err != nil {
		return err
	}
	if err := sqlstore.Backup(ctx, cfg.DSN(), c.To); err != nil {
		return err
	}
	return e.printf("wrote %s; it is of no use without the root key: keep a copy of %s in another place\n", c.To, cfg.RootKeyFile())
}

type dbRestoreCmd struct {
	Settings settings `embed:""`
	From     string   `arg:"" help:"A file that tandem db backup wrote."`
}

// Run restores a backup.
func (c *dbRestoreCmd) Run(ctx context.Context, e *env) error {
	cfg, err := c.Settings.load(nil)
	if err != nil {
		return err
	}
	if err := sqlstore.Restore(ctx, cfg.DSN(), c.From); err != nil {
		return err
	}
	path := strings.TrimPrefix(cfg.DSN(), "sqlite:")
	return e.printf("restored %s; what was there before is %s.before-restore\n", path, path)
}

type dbMigrateCmd struct {
	Settings settings `embed:""`
}

// Run migrates the database.
func (c *dbMigrateCmd) Run(ctx context.Context, e *env) error {
	cfg, err := c.Settings.load(nil)
	if err != nil {
		return err
	}
	if err := cfg.Prepare(); err != nil {
		return err
	}
	before, after, err := sqlstore.Migrate(ctx, cfg.DSN())
	if err != nil {
		return err
	}
	switch before {
	case after:
		return e.printf("the schema is at %d already\n", after)
	case 0:
		return e.printf("made the schema, version %d\n", after)
	}
	return e.printf("migrated the schema from %d to %d\n", before, after)
}

type dbCopyCmd struct {
	From string `help:"Data directory, sqlite:FILE or postgres:// URL." required:"" placeholder:"DB"`
	To   string `help:"Data directory, sqlite:FILE or postgres:// URL." required:"" placeholder:"DB"`
	JSON bool   `help:"Print the tables and their rows as JSON."`
}

// Run copies a database.
func (c *dbCopyCmd) Run(ctx context.Context, e *env) error {
	from, to := dsn(c.From), dsn(c.To)
	if err := exists(from); err != nil {
		return err
	}
	list, err := sqlstore.Copy(ctx, from, to)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.printJSON(list)
	}
	rows := int64(0)
	for _, t := range list {
		rows += t.Rows
	}
	return e.printf("copied %d rows of %d tables; give the new hub the same root key\n", rows, len(list))
}

// dsn takes a data directory for the SQLite file in it.
func dsn(s string) string {
	if strings.HasPrefix(s, "sqlite:") || strings.Contains(s, "://") {
		return s
	}
	if strings.HasSuffix(s, ".db") {
		return "sqlite:" + s
	}
	return "sqlite:" + filepath.Join(s, "tandem.db")
}

// exists makes sure that a SQLite database is there: opening would make an empty one.
func exists(dsn string) error {
	path, ok := strings.CutPrefix(dsn, "sqlite:")
	if !ok {
		return nil
	}
	if !isFile(path) {
		return errs.New(errs.NotFound, "there is no database at %s: give the hub's data directory with --data", path)
	}
	return nil
}

package salesforce

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// upgrade says how the file of an older version is brought up to date. The zero value is the usual way.
type upgrade struct {
	page    int    // records in one transaction, reindexStep if 0
	indexed func() // called after each page of numbers, nil: nobody
}

// migrate makes the tables, and adds what a newer definition has and the file has not. An unchanged file is left at two
// comparisons.
func (s *store) migrate(ctx context.Context, sc *schema, up upgrade) error {
	ddl := tablesDDL(sc)
	sum := sha256.Sum256([]byte(qSystemTables + ddl))
	want := hex.EncodeToString(sum[:])
	if have, err := s.meta(ctx, "schema"); err != nil || have != want {
		if err := s.update(ctx, func(tx *sql.Tx) error { return makeTables(ctx, tx, sc, ddl, want) }); err != nil {
			return err
		}
	}
	if have, err := s.meta(ctx, "phones"); err == nil && have == phoneIndex {
		return nil
	}
	return s.reindexPhones(ctx, sc, up)
}

// systemColumns are what tables besides those of records got since they were first made.
var systemColumns = map[string][]storedColumn{ //nolint:gochecknoglobals // never changed
	`"session"`: {{`"family"`, "TEXT NOT NULL DEFAULT ''"}},
	`"change"`:  {{`"commit_no"`, "INTEGER NOT NULL DEFAULT 0"}, {`"origin"`, "TEXT NOT NULL DEFAULT ''"}},
}

func makeTables(ctx context.Context, tx *sql.Tx, sc *schema, ddl, sum string) error {
	if _, err := tx.ExecContext(ctx, qSystemTables); err != nil {
		return fmt.Errorf("making the system tables: %w", err)
	}
	for table, columns := range systemColumns {
		if err := addColumnsTo(ctx, tx, table, columns); err != nil {
			return err
		}
	}
	for _, o := range sc.objects {
		if err := addColumns(ctx, tx, o); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, ddl); err != nil {
		return fmt.Errorf("making the tables: %w", err)
	}
	return setMeta(ctx, tx, "schema", sum)
}

const (
	// phoneIndex names what the index of numbers holds; another name makes it be filled anew.
	phoneIndex = "2"
	// phonesAt is the key of how far that has come: the name, the entity and the id of the last record, with spaces between.
	phonesAt    = "phones.at"
	pastAll     = "~"    // comes after every id
	reindexStep = 10_000 // records that are in memory, and in one transaction
)

// reindexPhones adds what an older file's index of numbers has not, page by page. Each page is kept, so that a process that
// ends meanwhile leaves only the rest to the next one.
func (s *store) reindexPhones(ctx context.Context, sc *schema, up upgrade) error {
	if up.page <= 0 {
		up.page = reindexStep
	}
	at, err := s.meta(ctx, phonesAt)
	done := strings.Fields(at)
	resumes := err == nil && len(done) == 3 && done[0] == phoneIndex && sc.object(done[1]) != nil
	for _, o := range sc.objects {
		after := ""
		if resumes {
			if o.name != done[1] {
				continue
			}
			resumes, after = false, done[2]
		}
		if err := s.reindexObject(ctx, o, after, up); err != nil {
			return fmt.Errorf("indexing the numbers of %s: %w", o.name, err)
		}
	}
	return s.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM meta WHERE key = ?", phonesAt)
		return errors.Join(err, setMeta(ctx, tx, "phones", phoneIndex))
	})
}

func (s *store) reindexObject(ctx context.Context, o *object, after string, up upgrade) error {
	cols := []string{`"Id"`}
	for _, f := range o.fields {
		if f.kind == typePhone && !f.writeOnly {
			cols = append(cols, f.column())
		}
	}
	if len(cols) == 1 || o.event {
		return nil
	}
	query := "SELECT " + strings.Join(cols, ", ") + " FROM " + o.table() + ` WHERE "Id" > ? ORDER BY "Id" LIMIT ?`
	for after != pastAll {
		err := s.update(ctx, func(tx *sql.Tx) error {
			rows, err := inTx{s, tx}.QueryContext(ctx, query, after, up.page)
			if err != nil {
				return err
			}
			page, err := scanAll(rows, len(cols))
			if err != nil {
				return err
			}
			for _, row := range page {
				if err := s.reindexRow(ctx, tx, o, row); err != nil {
					return err
				}
				after, _ = row[0].(string)
			}
			if len(page) < up.page {
				after = pastAll
			}
			return setMeta(ctx, tx, phonesAt, phoneIndex+" "+o.name+" "+after)
		})
		if err != nil {
			return err
		}
		if up.indexed != nil {
			up.indexed()
		}
	}
	return nil
}

// reindexRow takes an id and the numbers after it.
func (s *store) reindexRow(ctx context.Context, tx *sql.Tx, o *object, row []any) error {
	for _, v := range row[1:] {
		text, _ := v.(string)
		for _, k := range phoneKeys(o, text) {
			if err := s.exec(ctx, tx, addPhoneRow.one, k.entity, k.reversed, row[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

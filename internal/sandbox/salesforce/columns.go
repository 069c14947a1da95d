package salesforce

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
)

// foldText is fold as a function of SQL.
func foldText(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	return fold(args[0]), nil
}

// addColumns brings an older file's table up to the definition: fields that are new, that have another name, or another
// type. What is not defined any more stays in the file, and is there again when the field is.
func addColumns(ctx context.Context, tx *sql.Tx, o *object) error {
	have, err := tableColumns(ctx, tx, o)
	if err != nil || len(have) == 0 {
		return err
	}
	run := func(f *field, statements ...string) error {
		for _, text := range statements {
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return fmt.Errorf("changing %s.%s in the file: %w", o.name, f.name, err)
			}
		}
		return nil
	}
	for _, f := range o.fields {
		if f.writeOnly {
			continue
		}
		if was := (&field{name: f.renamedFrom}); f.renamedFrom != "" && have[f.column()] == "" && have[was.column()] != "" {
			if err := run(f, renameColumn(o, was.column(), f.column())); err != nil {
				return err
			}
			have[f.column()] = have[was.column()]
		}
		if err := run(f, columnChanges(o, f, have)...); err != nil {
			return err
		}
	}
	return nil
}

// columnChanges are the statements that make the columns of a field what they are to be.
func columnChanges(o *object, f *field, have map[string]string) []string {
	var out []string
	switch was, want := have[f.column()], f.sqlType(); {
	case was == "":
		out = append(out, addColumn(o, f.column(), want))
	case was != want:
		const temporary = `"~changing"`
		out = append(out,
			`DROP INDEX IF EXISTS "`+o.name+"."+f.name+`"`,
			addColumn(o, temporary, want),
			"UPDATE "+o.table()+" SET "+temporary+" = "+converted(f.column(), was, want),
			"ALTER TABLE "+o.table()+" DROP COLUMN "+f.column(),
			renameColumn(o, temporary, f.column()),
		)
	}
	folded := f.folded()
	if folded == f.column() {
		return out
	}
	fresh := have[folded] == ""
	if fresh {
		out = append(out, addColumn(o, folded, "TEXT"))
	}
	if have[f.column()] != "" && (fresh || len(out) > 0) {
		out = append(out, "UPDATE "+o.table()+" SET "+folded+" = sandbox_fold("+f.column()+")")
	}
	return out
}

func addColumn(o *object, name, kind string) string {
	return "ALTER TABLE " + o.table() + " ADD COLUMN " + name + " " + kind
}

func renameColumn(o *object, from, to string) string {
	return "ALTER TABLE " + o.table() + " RENAME COLUMN " + from + " TO " + to
}

// converted is what becomes of a value when its field changes type: text that is no number is lost where a number is wanted.
func converted(column, was, want string) string {
	if want == "TEXT" {
		return "CAST(" + column + " AS TEXT)"
	}
	cast := "CAST(" + column + " AS " + want + ")"
	if was != "TEXT" {
		return cast
	}
	return "CASE WHEN TRIM(" + column + ") GLOB '*[0-9]*' AND TRIM(" + column + ") NOT GLOB '*[^-+.0-9]*' THEN " + cast + " END"
}

// tableColumns are the types of a table's columns by their quoted names, none where there is no table.
func tableColumns(ctx context.Context, tx *sql.Tx, o *object) (map[string]string, error) {
	rows, err := tx.QueryContext(ctx, "SELECT name, type FROM pragma_table_info("+o.table()+")") //nolint:gosec // names come from the definitions
	if err != nil {
		return nil, fmt.Errorf("reading the columns of %s: %w", o.name, err)
	}
	have := map[string]string{}
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return nil, errors.Join(fmt.Errorf("reading the columns of %s: %w", o.name, err), rows.Close()) //nolint:sqlclosecheck // closed with its error on either way out
		}
		have[`"`+name+`"`] = strings.ToUpper(kind)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("reading the columns of %s: %w", o.name, err)
	}
	return have, nil
}

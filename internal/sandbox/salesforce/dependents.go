package salesforce

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// removeDependents does to the records that point at a deleted one what their reference says.
func (o *Org) removeDependents(ctx context.Context, tx *sql.Tx, user string, obj *object, r record, rel childRel) error {
	ids, err := o.pointing(ctx, tx, rel, r.text("Id"), ` AND "IsDeleted" = 0`)
	if err != nil || len(ids) == 0 {
		return err
	}
	what := onDelete(obj, rel.child, rel.field)
	if what == deleteRestricted {
		return badRequest("DELETE_FAILED", "Your attempt to delete %s could not be completed because it is associated with %d %s: "+
			"delete or move them first", r.text(titleField(obj)), len(ids), lowerFirst(rel.child.plural))
	}
	for _, id := range ids {
		if what == deleteCascades {
			err = o.remove(ctx, tx, user, rel.child, id)
		} else {
			err = o.change(ctx, tx, user, rel.child, id, record{rel.field.name: nil})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pointing lists the records that point at one by a field.
func (o *Org) pointing(ctx context.Context, tx *sql.Tx, rel childRel, id, where string, args ...any) ([]string, error) {
	query := `SELECT "Id" FROM ` + rel.child.table() + " WHERE " + rel.field.column() + " = ?" + where
	rows, err := inTx{o.store, tx}.QueryContext(ctx, query, append([]any{id}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("reading the %s of %s: %w", rel.child.plural, id, err)
	}
	raw, err := scanAll(rows, 1)
	if err != nil {
		return nil, fmt.Errorf("reading the %s of %s: %w", rel.child.plural, id, err)
	}
	ids := make([]string, 0, len(raw))
	for _, row := range raw {
		ids = append(ids, text(row[0]))
	}
	return ids, nil
}

// restore takes a record out of the bin, and with it what went there with it.
func (o *Org) restore(ctx context.Context, tx *sql.Tx, user string, obj *object, id string) error {
	r, err := readBinned(ctx, inTx{o.store, tx}, obj, id)
	if err != nil {
		return err
	}
	if o.now().UnixMilli()-millis(r["SystemModstamp"]) > binTime.Milliseconds() {
		return badRequest("UNDELETE_FAILED", "The record is in the bin for more than 15 days and cannot be restored any more")
	}
	for _, f := range obj.fields {
		if parent := r.text(f.name); f.master && parent != "" {
			if _, err := readRecord(ctx, inTx{o.store, tx}, o.schema.objectOf(parent), parent); err != nil {
				return badRequest("UNDELETE_FAILED", "Restore the record it belongs to first: %s", parent)
			}
		}
	}
	if err := o.unique(ctx, tx, obj, r, id); err != nil {
		return err
	}
	now := o.stamp()
	query := "UPDATE " + obj.table() + ` SET "IsDeleted" = 0, "SystemModstamp" = ?, "LastModifiedDate" = ?, "LastModifiedById" = ? WHERE "Id" = ?`
	if err := o.store.exec(ctx, tx, query, now, now, user, id); err != nil {
		return fmt.Errorf("restoring %s %s: %w", obj.name, id, err)
	}
	binnedAt := r["SystemModstamp"]
	r["IsDeleted"] = int64(0)
	touch(r, user, now)
	if err := o.logChange(ctx, tx, user, obj, kindUndelete, nil, r); err != nil {
		return err
	}
	for _, rel := range o.schema.object(obj.name).dependents {
		if onDelete(obj, rel.child, rel.field) != deleteCascades {
			continue
		}
		ids, err := o.pointing(ctx, tx, rel, id, ` AND "IsDeleted" = 1 AND "SystemModstamp" BETWEEN ? AND ?`, millis(binnedAt), millis(binnedAt)+binnedTogether)
		if err != nil {
			return err
		}
		for _, child := range ids {
			if err := o.restore(ctx, tx, user, rel.child, child); err != nil {
				return err
			}
		}
	}
	return nil
}

// binnedTogether is within what time records go to the bin that one deletion puts there, in milliseconds.
const binnedTogether = 2000

// readBinned returns a record of the bin.
func readBinned(ctx context.Context, db querier, obj *object, id string) (record, error) {
	r, err := readAny(ctx, db, obj, id)
	if err == nil && r["IsDeleted"] != int64(1) {
		err = badRequest("UNDELETE_FAILED", "The record is not in the bin")
	}
	return r, err
}

func millis(v any) int64 {
	n, _ := v.(int64)
	return n
}

// titleField is the field that names records of an entity.
func titleField(obj *object) string {
	if obj.nameField != nil {
		return obj.nameField.name
	}
	return "Id"
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

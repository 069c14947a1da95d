package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
)

// record is a record's values by canonical field name, as the store holds them: string, int64, float64, bool or nil.
type record map[string]any

func (r record) text(name string) string {
	s, _ := r[name].(string)
	return s
}

// nextID takes the next id of an entity.
func nextID(ctx context.Context, tx *sql.Tx, prefix string) (string, int64, error) {
	var n int64
	err := tx.QueryRowContext(ctx,
		"INSERT INTO sequence (prefix, n) VALUES (?, 1) ON CONFLICT (prefix) DO UPDATE SET n = n + 1 RETURNING n", prefix).Scan(&n)
	if err != nil {
		return "", 0, fmt.Errorf("taking an id for %s: %w", prefix, err)
	}
	return makeID(prefix, n), n, nil
}

// insertSQL and insertArgs belong together: all columns, in the order of the definition.
func insertSQL(o *object) string {
	cols := storedColumns(o)
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.name
	}
	return "INSERT INTO " + o.table() + " (" + strings.Join(names, ", ") + ") VALUES (" +
		strings.TrimSuffix(strings.Repeat("?, ", len(cols)), ", ") + ")"
}

func insertArgs(o *object, r record) []any {
	args := make([]any, 0, len(o.fields)*2)
	for _, f := range o.fields {
		if f.writeOnly {
			continue
		}
		v := r[f.name]
		if v == nil && f.kind == typeBoolean {
			v = false
		}
		args = append(args, v)
		if f.folded() != f.column() {
			args = append(args, fold(v))
		}
	}
	return args
}

func fold(v any) any {
	if s, ok := v.(string); ok {
		return strings.ToLower(s)
	}
	return nil
}

// stamp is the moment of a change: the API knows whole seconds.
func (o *Org) stamp() int64 { return o.now().Truncate(time.Second).UnixMilli() }

// create stores a new record of checked values and returns its id.
func (o *Org) create(ctx context.Context, tx *sql.Tx, user string, obj *object, in record) (string, error) {
	id, n, err := nextID(ctx, tx, obj.prefix)
	if err != nil {
		return "", err
	}
	if obj.event {
		in["Id"] = id
		data := withEventUUID(appendFields(nil, obj, kindCreate, nil, in), orElse(in.text(eventUUIDKey), eventUUID(id)))
		return id, o.addChange(ctx, tx, "/event/"+obj.name, kindEvent, id, user, data)
	}
	if err := o.fill(ctx, tx, user, obj, in, id, n); err != nil {
		return "", err
	}
	if err := o.store.exec(ctx, tx, insertSQL(obj), insertArgs(obj, in)...); err != nil {
		return "", fmt.Errorf("storing a %s: %w", obj.name, err)
	}
	return id, o.created(ctx, tx, user, obj, in)
}

// created does what follows a record that was stored.
func (o *Org) created(ctx context.Context, tx *sql.Tx, user string, obj *object, in record) error {
	if err := indexPhones(ctx, o.store, tx, obj, in.text("Id"), nil, in); err != nil {
		return err
	}
	if err := o.logChange(ctx, tx, user, obj, kindCreate, nil, in); err != nil {
		return err
	}
	return o.sideEffects(ctx, tx, user, obj, in.text("Id"), in)
}

// fill completes and checks a new record before it is stored.
func (o *Org) fill(ctx context.Context, tx *sql.Tx, user string, obj *object, in record, id string, n int64) error {
	in["Id"] = id
	for _, f := range obj.fields {
		if _, ok := in[f.name]; !ok && f.defaultTo != "" {
			in[f.name] = defaultValue(f)
		}
	}
	if obj.hasOwner() && in["OwnerId"] == nil {
		in["OwnerId"] = user
	}
	now := o.stamp()
	in["CreatedDate"], in["CreatedById"] = now, user
	touch(in, user, now)
	number(obj, in, n)
	if err := o.derive(ctx, tx, obj, in); err != nil {
		return err
	}
	return o.unique(ctx, tx, obj, in, id)
}

// number fills what the platform counts: case numbers, and the names of records that have no other.
func number(obj *object, in record, n int64) {
	for _, f := range obj.fields {
		if f.auto {
			in[f.name] = fmt.Sprintf("%08d", firstNumber+n)
		}
	}
}

const firstNumber = 1000

func defaultValue(f *field) any {
	if f.kind == typeBoolean {
		return f.defaultTo == "true"
	}
	return f.defaultTo
}

func touch(r record, user string, now int64) {
	r["LastModifiedDate"], r["LastModifiedById"], r["SystemModstamp"] = now, user, now
}

// read returns a live record; a missing one is NOT_FOUND, a deleted one ENTITY_IS_DELETED.
func readRecord(ctx context.Context, db querier, obj *object, id string) (record, error) {
	r, err := readRow(ctx, db, obj, id)
	if err == nil && r["IsDeleted"] == int64(1) {
		return nil, entityDeleted()
	}
	return r, err
}

// readRow returns a record, also a deleted one; a missing one is NOT_FOUND.
func readRow(ctx context.Context, db querier, obj *object, id string) (record, error) {
	var names []string
	var fields []*field
	for _, f := range obj.fields {
		if !f.writeOnly {
			names, fields = append(names, f.column()), append(fields, f)
		}
	}
	rows, err := db.QueryContext(ctx, "SELECT "+strings.Join(names, ", ")+" FROM "+obj.table()+` WHERE "Id" = ?`, id)
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", obj.name, id, err)
	}
	raw, err := scanAll(rows, len(names))
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", obj.name, id, err)
	}
	if len(raw) == 0 {
		return nil, notFound()
	}
	r := record{}
	for i, f := range fields {
		r[f.name] = raw[0][i]
	}
	return r, nil
}

// change stores checked values over a live record.
func (o *Org) change(ctx context.Context, tx *sql.Tx, user string, obj *object, id string, in record) error {
	old, err := readRecord(ctx, inTx{o.store, tx}, obj, id)
	if err != nil {
		return err
	}
	merged := record{}
	maps.Copy(merged, old)
	maps.Copy(merged, in)
	if err := o.derive(ctx, tx, obj, merged); err != nil {
		return err
	}
	if err := o.unique(ctx, tx, obj, in, id); err != nil {
		return err
	}
	touch(merged, user, o.stamp())
	var set strings.Builder
	var args []any
	for _, f := range obj.fields {
		if f.writeOnly || merged[f.name] == old[f.name] {
			continue
		}
		if set.Len() > 0 {
			set.WriteString(", ")
		}
		set.WriteString(f.column() + " = ?")
		args = append(args, merged[f.name])
		if f.folded() != f.column() {
			set.WriteString(", " + f.folded() + " = ?")
			args = append(args, fold(merged[f.name]))
		}
	}
	if set.Len() > 0 {
		if err := o.store.exec(ctx, tx, "UPDATE "+obj.table()+" SET "+set.String()+` WHERE "Id" = ?`, append(args, id)...); err != nil {
			return fmt.Errorf("changing %s %s: %w", obj.name, id, err)
		}
	}
	if err := indexPhones(ctx, o.store, tx, obj, id, old, merged); err != nil {
		return err
	}
	if set.Len() > 0 {
		if err := o.logChange(ctx, tx, user, obj, kindUpdate, old, merged); err != nil {
			return err
		}
	}
	if obj.name == "User" {
		o.zones.clear()
		o.access.forget()
	}
	return o.sideEffects(ctx, tx, user, obj, id, in)
}

// derive works out the fields the platform computes.
func (o *Org) derive(ctx context.Context, tx *sql.Tx, obj *object, r record) error {
	switch obj.name {
	case "Contact", "User":
		r["Name"] = strings.TrimSpace(r.text("FirstName") + " " + r.text("LastName"))
	case "Case":
		o.deriveCase(r)
		if r["ContactId"] != nil && r["AccountId"] == nil {
			return inherit(ctx, tx, r, "ContactId", o.schema.object("Contact"), "AccountId", "AccountId")
		}
	case "Task":
		o.deriveTask(r)
		if what := r.text("WhatId"); strings.HasPrefix(what, "001") {
			r["AccountId"] = what
		} else if r["WhoId"] != nil {
			return inherit(ctx, tx, r, "WhoId", o.schema.object("Contact"), "AccountId", "AccountId")
		}
	case "PushTopic":
		return o.checkTopic(obj, r)
	case "StreamingChannel":
		return checkPushChannel(r)
	case "CaseComment":
		r["CreatorId"] = r["CreatedById"]
		return inherit(ctx, tx, r, "CreatedById", o.schema.object("User"), "Name", "CreatorName")
	}
	return nil
}

func (o *Org) deriveCase(r record) {
	closed := strings.EqualFold(r.text("Status"), "Closed")
	r["IsClosed"] = bit(closed)
	switch {
	case !closed:
		r["ClosedDate"] = nil
	case r["ClosedDate"] == nil:
		r["ClosedDate"] = o.stamp()
	}
}

func (o *Org) deriveTask(r record) {
	closed := strings.EqualFold(r.text("Status"), "Completed")
	r["IsClosed"] = bit(closed)
	r["IsHighPriority"] = bit(strings.EqualFold(r.text("Priority"), "High"))
	switch {
	case !closed:
		r["CompletedDateTime"] = nil
	case r["CompletedDateTime"] == nil:
		r["CompletedDateTime"] = o.stamp()
	}
}

// bit is a boolean as it comes back from the store, so that an unchanged one compares equal.
func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// inherit copies a field of the record that ref points at.
func inherit(ctx context.Context, tx *sql.Tx, r record, ref string, from *object, source, dest string) error {
	var v sql.NullString
	query := "SELECT " + from.field(source).column() + " FROM " + from.table() + ` WHERE "Id" = ?`
	if err := tx.QueryRowContext(ctx, query, r[ref]).Scan(&v); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("reading the %s of %s: %w", source, from.name, err)
	}
	if v.Valid {
		r[dest] = v.String
	}
	return nil
}

// unique refuses a value that another live record has in a unique field.
func (o *Org) unique(ctx context.Context, tx *sql.Tx, obj *object, in record, id string) error {
	for _, f := range obj.fields {
		v := in[f.name]
		if !f.unique || v == nil {
			continue
		}
		query := `SELECT "Id" FROM ` + obj.table() + " WHERE " + f.folded() + ` = ? AND "Id" <> ? AND "IsDeleted" = 0 LIMIT 1`
		rows, err := inTx{o.store, tx}.QueryContext(ctx, query, fold(v), id)
		if err != nil {
			return fmt.Errorf("looking for duplicates: %w", err)
		}
		found, err := scanAll(rows, 1)
		if err != nil {
			return fmt.Errorf("looking for duplicates: %w", err)
		}
		if len(found) == 0 {
			continue
		}
		other, _ := found[0][0].(string)
		return onFields(badRequest("DUPLICATE_VALUE", "duplicate value found: %s duplicates value on record with id: %s", f.name, other[:15]), f.name)
	}
	return nil
}

// sideEffects does what a change brings about elsewhere: text written to a case's internal comments becomes a comment.
func (o *Org) sideEffects(ctx context.Context, tx *sql.Tx, user string, obj *object, id string, in record) error {
	if obj.name != "Case" || in.text("Comments") == "" {
		return nil
	}
	comment := record{"ParentId": id, "CommentBody": in.text("Comments")}
	if _, err := o.create(ctx, tx, user, o.schema.object("CaseComment"), comment); err != nil {
		return fmt.Errorf("adding the internal comment: %w", err)
	}
	return nil
}

// remove puts a record into the bin, and with it what belongs to it alone.
func (o *Org) remove(ctx context.Context, tx *sql.Tx, user string, obj *object, id string) error {
	if obj.name == "PushTopic" {
		o.topics.clear()
	}
	if obj.readOnly || obj.name == "User" {
		return badRequest("INSUFFICIENT_ACCESS_OR_READONLY", "entity type %s cannot be deleted", obj.label)
	}
	r, err := readRecord(ctx, inTx{o.store, tx}, obj, id)
	if err != nil {
		return err
	}
	for _, rel := range obj.children {
		if err := o.removeChildren(ctx, tx, user, obj, r, rel); err != nil {
			return err
		}
	}
	if err := o.logChange(ctx, tx, user, obj, kindDelete, r, r); err != nil {
		return err
	}
	err = o.store.exec(ctx, tx, "UPDATE "+obj.table()+
		` SET "IsDeleted" = 1, "SystemModstamp" = ?, "LastModifiedDate" = ?, "LastModifiedById" = ? WHERE "Id" = ?`, o.stamp(), o.stamp(), user, id)
	if err != nil {
		return fmt.Errorf("deleting %s %s: %w", obj.name, id, err)
	}
	return nil
}

// removeChildren follows one relationship: contacts go with their account and comments with their case, cases keep an
// account or contact from being deleted, and all else stays.
func (o *Org) removeChildren(ctx context.Context, tx *sql.Tx, user string, obj *object, r record, rel childRel) error {
	pair := obj.name + "." + rel.child.name
	if pair != "Account.Contact" && pair != "Case.CaseComment" && rel.child.name != "Case" || pair == "Case.Case" {
		return nil
	}
	rows, err := inTx{o.store, tx}.QueryContext(ctx, `SELECT "Id" FROM `+rel.child.table()+" WHERE "+rel.field.column()+` = ? AND "IsDeleted" = 0`, r["Id"])
	if err != nil {
		return fmt.Errorf("reading the %s of %s: %w", rel.name, obj.name, err)
	}
	children, err := scanAll(rows, 1)
	if err != nil {
		return fmt.Errorf("reading the %s of %s: %w", rel.name, obj.name, err)
	}
	if rel.child.name == "Case" && len(children) > 0 {
		return badRequest("DELETE_FAILED", "Your attempt to delete %s could not be completed because it is associated with %d cases: "+
			"delete or move them first", r.text("Name"), len(children))
	}
	for _, c := range children {
		id, _ := c[0].(string)
		if err := o.remove(ctx, tx, user, rel.child, id); err != nil {
			return err
		}
	}
	return nil
}

package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

const (
	qPermissionSet = `SELECT "Id" FROM "PermissionSet" WHERE ("Name" = ? OR "Label" = ?) AND "IsOwnedByProfile" = 0 AND "IsDeleted" = 0 ORDER BY "Id" LIMIT 1`
	qAssigned      = `SELECT a."Id", u."Username" FROM "PermissionSetAssignment" a JOIN "User" u ON u."Id" = a."AssigneeId"
 WHERE a."PermissionSetId" = ? AND a."IsDeleted" = 0`
	qUserNamed = `SELECT "Id" FROM "User" WHERE LOWER("Username") = ? LIMIT 1`
	qAccessOf  = `SELECT "Id" FROM "SetupEntityAccess" WHERE "ParentId" = ? AND "IsDeleted" = 0`
	qDropSet   = `UPDATE "PermissionSet" SET "IsDeleted" = 1 WHERE "Id" = ?`
)

// mirrorSet makes the PermissionSet and the PermissionSetAssignments of a set as queries expect them.
func (o *Org) mirrorSet(ctx context.Context, tx *sql.Tx, next *accessRules, name string, p *Permissions) error {
	id, err := o.setRecord(ctx, tx, next, name, p != nil)
	if err != nil || id == "" {
		return err
	}
	var users []string
	if p != nil {
		users = p.Users
	}
	gone := p == nil && next.Made[name] == id
	if p == nil {
		p = &Permissions{}
	}
	if err := errors.Join(o.assign(ctx, tx, id, users), o.mirrorGrants(ctx, tx, id, p)); err != nil || !gone {
		return err
	}
	delete(next.Made, name)
	rows, err := inTx{o.store, tx}.QueryContext(ctx, qAccessOf, id)
	if err != nil {
		return fmt.Errorf("reading what the permission set %s gives access to: %w", shorten(name), err)
	}
	list, err := scanAll(rows, 1)
	if err != nil {
		return fmt.Errorf("reading what the permission set %s gives access to: %w", shorten(name), err)
	}
	for _, row := range list {
		access, _ := row[0].(string)
		if err := o.remove(ctx, tx, o.admin, o.schema.object("SetupEntityAccess"), access); err != nil {
			return err
		}
	}
	return o.store.exec(ctx, tx, qDropSet, id)
}

// setRecord finds the record of a set, or makes it where it is wanted.
func (o *Org) setRecord(ctx context.Context, tx *sql.Tx, next *accessRules, name string, wanted bool) (id string, err error) {
	api := apiName(name)
	err = tx.QueryRowContext(ctx, qPermissionSet, api, name).Scan(&id)
	switch {
	case err == nil:
		return id, nil
	case !errors.Is(err, sql.ErrNoRows):
		return "", fmt.Errorf("looking for the permission set %s: %w", shorten(name), err)
	case !wanted:
		return "", nil
	}
	label := string([]rune(name)[:min(80, len([]rune(name)))])
	id, err = o.create(ctx, tx, o.admin, o.schema.object("PermissionSet"), record{"Name": api, "Label": label})
	if err != nil {
		return "", err
	}
	if next.Made == nil {
		next.Made = map[string]string{}
	}
	next.Made[name] = id
	return id, nil
}

// apiName is a label as the name of a record: letters, digits and single underscores, the first one a letter.
func apiName(label string) string {
	words := strings.FieldsFunc(label, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	name := strings.Join(words, "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = strings.TrimSuffix("X"+name, "_")
	}
	return name[:min(80, len(name))]
}

// assign makes the users of a set those that are named and known.
func (o *Org) assign(ctx context.Context, tx *sql.Tx, set string, users []string) error {
	rows, err := inTx{o.store, tx}.QueryContext(ctx, qAssigned, set)
	if err != nil {
		return fmt.Errorf("reading the assignments: %w", err)
	}
	list, err := scanAll(rows, 2)
	if err != nil {
		return fmt.Errorf("reading the assignments: %w", err)
	}
	had := map[string]string{} // by username
	for _, row := range list {
		id, _ := row[0].(string)
		user, _ := row[1].(string)
		had[strings.ToLower(user)] = id
	}
	obj := o.schema.object("PermissionSetAssignment")
	wanted := map[string]bool{}
	for _, user := range users {
		key := strings.ToLower(user)
		if wanted[key] {
			continue
		}
		wanted[key] = true
		if had[key] != "" {
			continue
		}
		var id string
		switch err := tx.QueryRowContext(ctx, qUserNamed, key).Scan(&id); {
		case errors.Is(err, sql.ErrNoRows):
			continue // one that is made later gets the grants, and the record when the set is saved again
		case err != nil:
			return fmt.Errorf("looking for the user %s: %w", shorten(user), err)
		}
		if _, err := o.create(ctx, tx, o.admin, obj, record{"PermissionSetId": set, "AssigneeId": id}); err != nil {
			return err
		}
	}
	for user, id := range had {
		if wanted[user] {
			continue
		}
		if err := o.remove(ctx, tx, o.admin, obj, id); err != nil {
			return err
		}
	}
	return nil
}

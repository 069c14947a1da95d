package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// What profiles and permission sets grant is kept twice: as rules, which decide, and as the records programs know from the
// platform (PermissionSet, PermissionSetAssignment, ObjectPermissions, FieldPermissions). Whichever is written, the other
// follows in the same transaction.

// grants reports whether records of an entity grant something.
func (o *object) grants() bool {
	switch o.name {
	case "PermissionSet", "PermissionSetAssignment", "ObjectPermissions", "FieldPermissions":
		return true
	}
	return false
}

// granted reports whether an entity can be granted by ObjectPermissions.
func (o *object) granted() bool { return o.layoutable() && o.name != "User" }

const (
	qProfileNamed = `SELECT "Id" FROM "Profile" WHERE "Name" = ? AND "IsDeleted" = 0 LIMIT 1`
	qProfileSet   = `SELECT "Id" FROM "PermissionSet" WHERE "ProfileId" = ? AND "IsOwnedByProfile" = 1 LIMIT 1`
	qObjectGrants = `SELECT "SobjectType", "PermissionsRead", "PermissionsCreate", "PermissionsEdit", "PermissionsDelete", "PermissionsViewAllRecords",
 "PermissionsModifyAllRecords" FROM "ObjectPermissions" WHERE "ParentId" = ? AND "IsDeleted" = 0`
	qFieldGrants = `SELECT "Field", "PermissionsRead", "PermissionsEdit" FROM "FieldPermissions" WHERE "ParentId" = ? AND "IsDeleted" = 0`
)

// profileSet finds the permission set that shows what a profile grants, and makes it where it is wanted, with the profile.
func (o *Org) profileSet(ctx context.Context, tx *sql.Tx, profile string, wanted bool) (string, error) {
	var id, set string
	err := tx.QueryRowContext(ctx, qProfileNamed, profile).Scan(&id)
	switch {
	case errors.Is(err, sql.ErrNoRows) && !wanted:
		return "", nil
	case errors.Is(err, sql.ErrNoRows):
		id, err = o.create(ctx, tx, o.admin, o.schema.object("Profile"), record{"Name": profile})
	}
	if err != nil {
		return "", fmt.Errorf("looking for the profile %s: %w", shorten(profile), err)
	}
	err = tx.QueryRowContext(ctx, qProfileSet, id).Scan(&set)
	if errors.Is(err, sql.ErrNoRows) {
		set, err = o.create(ctx, tx, o.admin, o.schema.object("PermissionSet"), record{
			"Name": "X" + id[:15], "Label": profile[:min(80, len(profile))], "ProfileId": id, "IsOwnedByProfile": int64(1), "Type": "Profile",
		})
	}
	if err != nil {
		return "", fmt.Errorf("looking for the permission set of %s: %w", shorten(profile), err)
	}
	return set, nil
}

// mirrorGrants makes the records below a permission set those of p; nil is everything, an empty parent none.
func (o *Org) mirrorGrants(ctx context.Context, tx *sql.Tx, parent string, p *Permissions) error {
	if parent == "" {
		return nil
	}
	for _, table := range []string{"ObjectPermissions", "FieldPermissions"} {
		if err := o.store.exec(ctx, tx, `DELETE FROM "`+table+`" WHERE "ParentId" = ?`, parent); err != nil {
			return fmt.Errorf("dropping the grants of %s: %w", parent, err)
		}
	}
	var objects, fields []record
	for _, obj := range o.schema.objects {
		a := Access{Read: true, Create: true, Edit: true, Delete: true, ViewAll: true, ModifyAll: true}
		if p != nil {
			a = p.object(obj)
		}
		if !a.Read || !obj.granted() {
			continue
		}
		objects = append(objects, record{
			"ParentId": parent, "SobjectType": obj.name, "PermissionsRead": bit(true), "PermissionsCreate": bit(a.Create), "PermissionsEdit": bit(a.Edit),
			"PermissionsDelete": bit(a.Delete), "PermissionsViewAllRecords": bit(a.ViewAll), "PermissionsModifyAllRecords": bit(a.ModifyAll),
		})
		for _, f := range obj.fields {
			if fa := grantOf(p, obj, f); f.permissionable(obj) && (fa.Read || fa.Edit) {
				fields = append(fields, record{
					"ParentId": parent, "SobjectType": obj.name, "Field": obj.name + "." + f.name, "PermissionsRead": bit(true),
					"PermissionsEdit": bit(fa.Edit && !f.readOnly),
				})
			}
		}
	}
	if err := o.addRows(ctx, tx, "ObjectPermissions", objects); err != nil {
		return err
	}
	if err := o.addRows(ctx, tx, "FieldPermissions", fields); err != nil {
		return err
	}
	return o.mirrorSystem(ctx, tx, parent, p)
}

func grantOf(p *Permissions, obj *object, f *field) FieldAccess {
	if p == nil {
		return FieldAccess{Read: true, Edit: true}
	}
	return p.field(obj, f)
}

// mirrorSystem writes the system permissions of a set. Those of a profile that names none are the usual ones.
func (o *Org) mirrorSystem(ctx context.Context, tx *sql.Tx, parent string, p *Permissions) error {
	var owned bool
	if err := tx.QueryRowContext(ctx, `SELECT "IsOwnedByProfile" FROM "PermissionSet" WHERE "Id" = ?`, parent).Scan(&owned); err != nil {
		return fmt.Errorf("reading the permission set %s: %w", parent, err)
	}
	set, args := make([]string, 0, len(SystemPermissions())), []any{}
	for _, name := range SystemPermissions() {
		set = append(set, `"`+permissionField+name+`" = ?`)
		args = append(args, p == nil || slices.Contains(p.System, name) || p.System == nil && owned && name == apiEnabled)
	}
	if err := o.store.exec(ctx, tx, `UPDATE "PermissionSet" SET `+strings.Join(set, ", ")+` WHERE "Id" = ?`, append(args, parent)...); err != nil {
		return fmt.Errorf("storing the system permissions of %s: %w", parent, err)
	}
	return nil
}

// addRows stores many records of checked values at once. Nothing else follows from them.
func (o *Org) addRows(ctx context.Context, tx *sql.Tx, entity string, list []record) error {
	if len(list) == 0 {
		return nil
	}
	obj := o.schema.object(entity)
	var last int64
	err := tx.QueryRowContext(ctx, "INSERT INTO sequence (prefix, n) VALUES (?, ?) ON CONFLICT (prefix) DO UPDATE SET n = n + excluded.n RETURNING n",
		obj.prefix, len(list)).Scan(&last)
	if err != nil {
		return fmt.Errorf("taking ids for %s: %w", entity, err)
	}
	now := o.stamp()
	rows := make([][]any, len(list))
	for i, r := range list {
		if r["Id"] == nil {
			r["Id"] = makeID(obj.prefix, last-int64(len(list)-1-i))
		}
		r["CreatedDate"], r["CreatedById"] = now, o.admin
		touch(r, o.admin, now)
		rows[i] = insertArgs(obj, r)
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", entity, err)
	}
	cols := storedColumns(obj)
	names, values := make([]string, len(cols)), make([]string, len(cols))
	for i, c := range cols {
		names[i], values[i] = c.name, "json_extract(value, '$["+itoa(i)+"]')"
	}
	query := "INSERT INTO " + obj.table() + " (" + strings.Join(names, ", ") + ") SELECT " + strings.Join(values, ", ") + " FROM json_each(?)"
	if err := o.store.exec(ctx, tx, query, string(raw)); err != nil {
		return fmt.Errorf("storing %s: %w", entity, err)
	}
	return nil
}

// checkGrant refuses records that would grant what there is not.
func (o *Org) checkGrant(ctx context.Context, tx *sql.Tx, obj *object, r record) error {
	switch {
	case obj.name == "PermissionSetAssignment" || o.store.txn.mirror:
		return nil
	case r["IsOwnedByProfile"] == int64(1) || obj.name != "PermissionSet" && o.ownedByAdmin(ctx, tx, r.text("ParentId")):
		return fault(http.StatusForbidden, "INSUFFICIENT_ACCESS_OR_READONLY", "the permission set of this profile cannot be changed here: see the profiles of the setup")
	case obj.name == "PermissionSet":
		return nil
	}
	entity := o.schema.object(r.text("SobjectType"))
	if entity == nil || !entity.granted() {
		return notListed(obj, r, "SobjectType")
	}
	r["SobjectType"] = entity.name
	key, arg, others := `"SobjectType" = ?`, entity.name, []string{"Create", "Edit", "Delete", "ViewAllRecords", "ModifyAllRecords"}
	if obj.name == "FieldPermissions" {
		name, fieldName, _ := strings.Cut(r.text("Field"), ".")
		f := entity.field(fieldName)
		if f == nil || !strings.EqualFold(name, entity.name) || !f.permissionable(entity) {
			return notListed(obj, r, "Field")
		}
		r["Field"] = entity.name + "." + f.name
		key, arg, others = `"Field" = ?`, r.text("Field"), []string{"Edit"}
	}
	more := slices.ContainsFunc(others, func(name string) bool { return r[permissionField+name] == int64(1) })
	if more && r["PermissionsRead"] != int64(1) {
		return onFields(badRequest("FIELD_INTEGRITY_EXCEPTION", "Permission Read is required for the other permissions on %s", arg), "PermissionsRead")
	}
	return o.onlyGrant(ctx, tx, obj, r, key, arg)
}

func notListed(obj *object, r record, name string) error {
	return onFields(badRequest("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "%s: bad value for restricted picklist field: %s", obj.field(name).label, shorten(r.text(name))), name)
}

// onlyGrant refuses a second record for the same thing.
func (o *Org) onlyGrant(ctx context.Context, tx *sql.Tx, obj *object, r record, key, arg string) error {
	query := `SELECT "Id" FROM ` + obj.table() + ` WHERE "ParentId" = ? AND ` + key + ` AND "Id" <> ? AND "IsDeleted" = 0 LIMIT 1`
	list, err := o.txRows(ctx, tx, query, 1, r.text("ParentId"), arg, r.text("Id"))
	if err != nil || len(list) == 0 {
		return err
	}
	return badRequest("DUPLICATE_VALUE", "duplicate value found: SobjectType duplicates value on record with id: %s", text(list[0][0])[:15])
}

func (o *Org) ownedByAdmin(ctx context.Context, tx *sql.Tx, set string) bool {
	name, _, err := o.profileOfSet(ctx, tx, set)
	return err == nil && name == adminProfile
}

// profileOfSet returns the name of the profile that owns a permission set, "" when none does, and the set.
func (o *Org) profileOfSet(ctx context.Context, tx *sql.Tx, id string) (string, record, error) {
	set, err := readAny(ctx, inTx{o.store, tx}, o.schema.object("PermissionSet"), id)
	if err != nil || set["IsOwnedByProfile"] != int64(1) {
		return "", set, err
	}
	profile, err := readRecord(ctx, inTx{o.store, tx}, o.schema.object("Profile"), set.text("ProfileId"))
	if err != nil {
		return "", set, err
	}
	return profile.text("Name"), set, nil
}

// grantsChanged makes the rules follow a record of a grant that was written, or deleted.
func (o *Org) grantsChanged(ctx context.Context, tx *sql.Tx, obj *object, id string) error {
	if o.store.txn.mirror {
		return nil
	}
	r, err := readAny(ctx, inTx{o.store, tx}, obj, id)
	if err != nil {
		return err
	}
	parent := orElse(orElse(r.text("ParentId"), r.text("PermissionSetId")), id)
	profile, set, err := o.profileOfSet(ctx, tx, parent)
	if err != nil || profile != "" && obj.name == "PermissionSetAssignment" {
		return err
	}
	rules, err := o.txRules(ctx, tx)
	if err != nil {
		return err
	}
	p, err := o.recordedGrants(ctx, tx, parent, set)
	if err != nil {
		return err
	}
	if profile != "" {
		p.LoginRanges = rules.Profiles[profile].LoginRanges
		rules.Profiles[profile] = p
		return o.keepRules(ctx, tx, rules)
	}
	key := rules.keyOf(set)
	if key == "" {
		key = rules.newKey(set)
	}
	if set["IsDeleted"] == int64(1) {
		delete(rules.Sets, key)
		delete(rules.Made, key)
		return o.keepRules(ctx, tx, rules)
	}
	if p.Users, err = o.assigned(ctx, tx, parent, rules.Sets[key].Users); err != nil {
		return err
	}
	rules.Sets[key] = p
	return o.keepRules(ctx, tx, rules)
}

// keyOf is the name a set has among the rules, "" when it has none: the one it was set or made under.
func (r *accessRules) keyOf(set record) string {
	for key, id := range r.Made {
		if id == set.text("Id") {
			return key
		}
	}
	for key := range r.Sets {
		if r.Made[key] == "" && (apiName(key) == set.text("Name") || key == set.text("Label")) {
			return key
		}
	}
	return ""
}

// newKey names a set among the rules: by its label, or where another has that, by its name, which no other has.
func (r *accessRules) newKey(set record) string {
	key := set.text("Label")
	if _, taken := r.Sets[key]; taken {
		key = set.text("Name")
	}
	if r.Made == nil {
		r.Made = map[string]string{}
	}
	r.Made[key] = set.text("Id")
	return key
}

// recordedGrants reads what the records below a permission set grant.
func (o *Org) recordedGrants(ctx context.Context, tx *sql.Tx, parent string, set record) (Permissions, error) {
	p := Permissions{Objects: map[string]Access{}, Fields: map[string]FieldAccess{}, System: []string{}}
	for _, name := range SystemPermissions() {
		if set[permissionField+name] == int64(1) {
			p.System = append(p.System, name)
		}
	}
	on := func(v any) bool { return v == int64(1) }
	list, err := o.txRows(ctx, tx, qObjectGrants, 7, parent)
	if err != nil {
		return p, err
	}
	for _, row := range list {
		p.Objects[text(row[0])] = Access{Read: on(row[1]), Create: on(row[2]), Edit: on(row[3]), Delete: on(row[4]), ViewAll: on(row[5]), ModifyAll: on(row[6])}
	}
	if list, err = o.txRows(ctx, tx, qFieldGrants, 3, parent); err != nil {
		return p, err
	}
	for _, row := range list {
		p.Fields[text(row[0])] = FieldAccess{Read: on(row[1]), Edit: on(row[2])}
	}
	return p, nil
}

func (o *Org) txRows(ctx context.Context, tx *sql.Tx, query string, columns int, args ...any) ([][]any, error) {
	rows, err := inTx{o.store, tx}.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the grants: %w", err)
	}
	list, err := scanAll(rows, columns)
	if err != nil {
		return nil, fmt.Errorf("reading the grants: %w", err)
	}
	return list, nil
}

// assigned are the usernames a set is assigned to, and those of before that nobody has yet.
func (o *Org) assigned(ctx context.Context, tx *sql.Tx, set string, before []string) ([]string, error) {
	list, err := o.txRows(ctx, tx, qAssigned, 2, set)
	if err != nil {
		return nil, err
	}
	var users []string
	for _, row := range list {
		users = append(users, text(row[1]))
	}
	for _, name := range before {
		var id string
		err := tx.QueryRowContext(ctx, qUserNamed, strings.ToLower(name)).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) && !slices.Contains(users, name) {
			users = append(users, name)
		} else if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("looking for the user %s: %w", shorten(name), err)
		}
	}
	return users, nil
}

// mirrorAll makes the records of all grants anew where the definitions of entities changed since they were made.
func (o *Org) mirrorAll(ctx context.Context) error {
	schema, err := o.store.meta(ctx, "schema")
	if err != nil {
		return err
	}
	if made, err := o.store.meta(ctx, "mirrored"); err == nil && made == schema {
		return nil
	}
	return o.store.update(ctx, func(tx *sql.Tx) error {
		o.store.txn.mirror = true
		rules, err := o.txRules(ctx, tx)
		if err != nil {
			return err
		}
		sets, err := o.txRows(ctx, tx, `SELECT "Id" FROM "PermissionSet" WHERE "IsDeleted" = 0 ORDER BY "Id"`, 1)
		if err != nil {
			return err
		}
		for _, row := range sets {
			if err := o.mirrorOne(ctx, tx, rules, text(row[0])); err != nil {
				return err
			}
		}
		return setMeta(ctx, tx, "mirrored", schema)
	})
}

func (o *Org) mirrorOne(ctx context.Context, tx *sql.Tx, rules *accessRules, id string) error {
	profile, set, err := o.profileOfSet(ctx, tx, id)
	if err != nil {
		return err
	}
	if profile != "" {
		if p, restricted := rules.Profiles[profile]; restricted {
			return o.mirrorGrants(ctx, tx, id, &p)
		}
		return o.mirrorGrants(ctx, tx, id, nil)
	}
	if p, found := rules.Sets[rules.keyOf(set)]; found {
		return o.mirrorGrants(ctx, tx, id, &p)
	}
	return nil
}

// usesAPI reports whether a user may use the API at all.
func (o *Org) usesAPI(ctx context.Context, user string) bool {
	return o.viewOf(ctx, user).may(apiEnabled)
}

func apiDisabled() *apiError {
	return fault(http.StatusForbidden, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.")
}

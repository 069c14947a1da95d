package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Access is what may be done with the records of an entity. Each of the last three needs Read.
type Access struct {
	Read   bool `json:"read"`
	Create bool `json:"create"`
	Edit   bool `json:"edit"`
	Delete bool `json:"delete"`
	// ViewAll and ModifyAll are of all records, whoever owns them. Records are not shared one by one here, so that they mean
	// Read, and all of the above.
	ViewAll   bool `json:"view_all,omitempty"`
	ModifyAll bool `json:"modify_all,omitempty"`
}

// The permissions of Permissions.System, by the platform's names.
const (
	apiEnabled             = "ApiEnabled"
	viewSetup              = "ViewSetup"
	manageUsers            = "ManageUsers"
	viewAllData            = "ViewAllData"
	modifyAllData          = "ModifyAllData"
	bulkAPIHardDelete      = "BulkApiHardDelete"
	manageDataIntegrations = "ManageDataIntegrations"
	viewDeveloperName      = "ViewDeveloperName"
	permissionField        = "Permissions" // before the name, of a field of PermissionSet
)

// SystemPermissions lists the permissions that are not of an entity.
func SystemPermissions() []string {
	return []string{
		apiEnabled, viewSetup, manageUsers, viewAllData, modifyAllData, bulkAPIHardDelete, manageDataIntegrations, viewDeveloperName,
	}
}

// FieldAccess is what may be done with a field. Edit needs Read.
type FieldAccess struct {
	Read bool `json:"read"`
	Edit bool `json:"edit"`
}

// Permissions is what a profile or a permission set grants. What is not named is not granted, but for the fields of an
// entity of which none is named: those go with the entity. Id, the audit fields and required fields always can be read.
type Permissions struct {
	Objects map[string]Access      `json:"objects"` // by entity
	Fields  map[string]FieldAccess `json:"fields"`  // by Entity.Field
	// System are the permissions that are not of an entity, see SystemPermissions. A profile that has none of them has
	// ApiEnabled, as the platform's Standard User; one with an empty list has not.
	System []string `json:"system,omitzero"`
	// LoginRanges are the addresses (as SetLoginRanges takes them) users of a profile may sign in from, besides those of
	// SetLoginRanges; empty: any. Permission sets have none.
	LoginRanges []string `json:"login_ranges,omitempty"`
	// Users are the usernames a permission set is assigned to. Profiles are named by their users.
	Users []string `json:"users,omitempty"`
}

// access keeps the grants. A profile that is not restricted may do everything.
type access struct {
	// changing is held over a whole change. mu is not: what runs in a write transaction may wait for it.
	changing sync.Mutex

	mu    sync.RWMutex // guards all below
	rules accessRules
	views map[string]*view // by user id
	age   int64            // counts what made views go
}

type accessRules struct {
	Profiles map[string]Permissions `json:"profiles"`
	Sets     map[string]Permissions `json:"sets"`
	// Made are the ids of the PermissionSet records that were made for sets, by name: they end with the set.
	Made map[string]string `json:"made,omitempty"`
	// Ranges are the login IP ranges of profiles, restricted or not.
	Ranges map[string][]string `json:"ranges,omitempty"`
	Age    int64               `json:"age,omitempty"` // counts the changes
}

// view is the org as a user sees it: the entities and fields that can be read, and which can be written.
type view struct {
	key     string // the same for the same view, and another once what is granted changed
	schema  *schema
	all     bool // nothing is restricted
	objects map[string]Access
	edit    map[string]bool // Entity.Field
	system  []string
}

const maxGrants = 200

// RestrictProfile limits the users of a profile to what p grants; nil lifts the limits. A profile that is not there is made.
// The administrator's own profile cannot be limited, so that there is always a way back in.
func (o *Org) RestrictProfile(ctx context.Context, profile string, p *Permissions) error {
	if profile == adminProfile {
		return fmt.Errorf("the profile %s cannot be restricted: put the user into another", adminProfile)
	}
	return o.changeAccess(ctx, p, func(tx *sql.Tx, rules *accessRules) error {
		parent, err := o.profileSet(ctx, tx, profile, p != nil)
		if err != nil {
			return err
		}
		if p == nil {
			delete(rules.Profiles, profile)
		} else {
			rules.Profiles[profile] = *p
		}
		return o.mirrorGrants(ctx, tx, parent, p)
	})
}

// SetPermissionSet gives the users of p what it grants, besides what their profile does; nil removes the set. Queries find the
// set as a PermissionSet, one that was there under the name or label if there is, and its users as PermissionSetAssignments.
func (o *Org) SetPermissionSet(ctx context.Context, name string, p *Permissions) error {
	return o.changeAccess(ctx, p, func(tx *sql.Tx, rules *accessRules) error {
		if p == nil {
			delete(rules.Sets, name)
		} else {
			rules.Sets[name] = *p
		}
		return o.mirrorSet(ctx, tx, rules, name, p)
	})
}

const adminProfile = "System Administrator"

// changeAccess changes the rules, and with them the records that show them, in one transaction.
func (o *Org) changeAccess(ctx context.Context, p *Permissions, change func(tx *sql.Tx, rules *accessRules) error) error {
	if p != nil {
		if err := o.checkPermissions(p); err != nil {
			return err
		}
	}
	return o.changeRules(ctx, change)
}

// changeRules is changeAccess for what is checked already.
func (o *Org) changeRules(ctx context.Context, change func(tx *sql.Tx, rules *accessRules) error) error {
	o.access.changing.Lock()
	defer o.access.changing.Unlock()
	return o.store.update(ctx, func(tx *sql.Tx) error {
		o.store.txn.mirror = true
		rules, err := o.txRules(ctx, tx)
		if err != nil {
			return err
		}
		if err := change(tx, rules); err != nil {
			return err
		}
		return o.keepRules(ctx, tx, rules)
	})
}

// txRules are the grants as the transaction under way sees them.
func (o *Org) txRules(ctx context.Context, tx *sql.Tx) (*accessRules, error) {
	rules := &accessRules{Profiles: map[string]Permissions{}, Sets: map[string]Permissions{}}
	var raw string
	err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = 'permissions'").Scan(&raw)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return rules, nil
	case err != nil:
		return nil, fmt.Errorf("reading the permissions: %w", err)
	}
	if err := json.Unmarshal([]byte(raw), rules); err != nil {
		return nil, fmt.Errorf("reading the permissions: %w", err)
	}
	return rules, nil
}

// keepRules stores the grants; they are in force once the transaction is.
func (o *Org) keepRules(ctx context.Context, tx *sql.Tx, rules *accessRules) error {
	if len(rules.Profiles)+len(rules.Sets) > maxGrants {
		return fmt.Errorf("more than %d profiles and permission sets", maxGrants)
	}
	rules.Age++
	raw, err := json.Marshal(rules)
	if err != nil {
		return fmt.Errorf("encoding permissions: %w", err)
	}
	ctx = context.WithoutCancel(ctx)
	o.store.afterCommit(func() {
		if err := o.reloadRules(ctx); err != nil {
			_ = o.fail(ctx, err) // logs it
		}
	})
	return setMeta(ctx, tx, "permissions", string(raw))
}

// reloadRules puts what the file has into force: a part of a transaction may have been undone before its end.
func (o *Org) reloadRules(ctx context.Context) error {
	raw, err := o.store.meta(ctx, "permissions")
	if err != nil {
		return err
	}
	var kept accessRules
	if err := json.Unmarshal([]byte(raw), &kept); err != nil {
		return fmt.Errorf("reading the permissions: %w", err)
	}
	o.access.use(kept)
	return nil
}

// use puts rules into force, unless newer ones are.
func (a *access) use(rules accessRules) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if rules.Age < a.rules.Age {
		return
	}
	a.rules, a.views = rules, map[string]*view{}
	a.age++
}

func (o *Org) checkPermissions(p *Permissions) error {
	for name := range p.Objects {
		if o.schema.object(name) == nil {
			return fmt.Errorf("there is no entity %s", shorten(name))
		}
	}
	for name := range p.Fields {
		entity, f, _ := strings.Cut(name, ".")
		if obj := o.schema.object(entity); obj == nil || obj.field(f) == nil {
			return fmt.Errorf("there is no field %s: write Entity.Field", shorten(name))
		}
	}
	for _, name := range p.System {
		if !slices.Contains(SystemPermissions(), name) {
			return fmt.Errorf("there is no permission %s: use %s", shorten(name), strings.Join(SystemPermissions(), ", "))
		}
	}
	_, err := parseRanges(p.LoginRanges)
	return err
}

func (o *Org) loadAccess(ctx context.Context) error {
	o.access.rules = accessRules{Profiles: map[string]Permissions{}, Sets: map[string]Permissions{}}
	o.access.views = map[string]*view{}
	if raw, err := o.store.meta(ctx, "permissions"); err == nil {
		if err := json.Unmarshal([]byte(raw), &o.access.rules); err != nil {
			return fmt.Errorf("reading the permissions: %w", err)
		}
	}
	return nil
}

func (a *access) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.views = map[string]*view{}
	a.age++
}

const qProfileOf = `SELECT COALESCE(p."Name", ''), u."Username" FROM "User" u LEFT JOIN "Profile" p ON p."Id" = u."ProfileId" WHERE u."Id" = ?`

// viewOf returns the org as a user sees it. A user that cannot be read sees nothing.
func (o *Org) viewOf(ctx context.Context, user string) *view {
	a := &o.access
	a.mu.RLock()
	v, open, age := a.views[user], len(a.rules.Profiles) == 0, a.age
	a.mu.RUnlock()
	switch {
	case v != nil:
		return v
	case open:
		return &view{schema: o.schema, all: true}
	}
	var profile, name string
	if err := o.store.read.QueryRowContext(ctx, qProfileOf, user).Scan(&profile, &name); err != nil {
		return &view{key: "none", schema: &schema{}}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p, restricted := a.rules.Profiles[profile]
	if !restricted {
		v = &view{schema: o.schema, all: true}
	} else {
		granted := []Permissions{p}
		for _, key := range slices.Sorted(maps.Keys(a.rules.Sets)) {
			set := a.rules.Sets[key]
			if slices.ContainsFunc(set.Users, func(u string) bool { return strings.EqualFold(u, name) }) {
				granted = append(granted, set)
			}
		}
		v = newView(o.schema, user+"/"+strconv.FormatInt(age, 10), granted)
	}
	if a.age == age { // else the profile that was read may be another by now
		a.views[user] = v
	}
	return v
}

// newView joins what is granted: by the profile first.
func newView(full *schema, key string, granted []Permissions) *view {
	v := &view{
		key: key, objects: map[string]Access{}, edit: map[string]bool{},
		schema: &schema{byName: map[string]*object{}, byPrefix: map[string]*object{}},
	}
	if granted[0].System == nil {
		v.system = append(v.system, apiEnabled)
	}
	for _, g := range granted {
		v.system = append(v.system, g.System...)
	}
	for _, obj := range full.objects {
		v.see(obj, granted)
	}
	v.schema.narrow()
	_ = v.schema.relate() // narrow took out what could fail
	return v
}

// see adds an entity as far as it is granted.
func (v *view) see(obj *object, granted []Permissions) {
	whole := v.implied(obj, granted)
	sum := whole
	for _, g := range granted {
		add := g.object(obj)
		sum = Access{Read: sum.Read || add.Read, Create: sum.Create || add.Create, Edit: sum.Edit || add.Edit, Delete: sum.Delete || add.Delete}
	}
	if !sum.Read {
		return
	}
	v.objects[obj.name] = sum
	hidden := obj.developerNamed() && !v.may(viewDeveloperName) && !v.may(viewSetup) && !v.may(modifyAllData)
	v.schema.add(obj.without(func(f *field) bool {
		fa := fieldOf(granted, obj, f, FieldAccess{Read: whole.Read, Edit: whole.Create || whole.Edit})
		v.edit[obj.name+"."+f.name] = fa.Edit
		return fa.Read && (!hidden || f.name != "DeveloperName")
	}))
}

// fieldOf joins what is granted of a field to what is implied.
func fieldOf(granted []Permissions, obj *object, f *field, fa FieldAccess) FieldAccess {
	for _, g := range granted {
		add := g.field(obj, f)
		fa = FieldAccess{Read: fa.Read || add.Read || add.Edit, Edit: fa.Edit || add.Edit}
	}
	return fa
}

// implied is what system permissions grant of an entity, and what everybody may look at.
func (v *view) implied(obj *object, granted []Permissions) Access {
	users := obj.grants() || slices.Contains([]string{"User", "UserLogin", "UserRole", "Group", "GroupMember"}, obj.name)
	switch {
	case v.may(modifyAllData), users && v.may(manageUsers):
		return Access{Read: true, Create: true, Edit: true, Delete: true}
	case v.may(viewAllData), obj.setup && v.may(viewSetup):
		return Access{Read: true}
	}
	named := slices.ContainsFunc(granted, func(p Permissions) bool { return p.names(obj) })
	return Access{Read: !named && obj.forEverybody()}
}

// forEverybody reports whether all users of the platform may read an entity, without a grant.
func (o *object) forEverybody() bool {
	return slices.Contains([]string{
		"User", "Profile", "UserRole", "Organization", "Group", "GroupMember", "QueueSobject", "RecordType", "CallCenter", "EntityDefinition",
		"FieldDefinition", "EntityParticle", "PicklistValueInfo",
	}, o.name)
}

// developerNamed reports whether the DeveloperName of an entity is shown to who may see such names only (object reference,
// "View DeveloperName").
func (o *object) developerNamed() bool {
	return slices.Contains([]string{"ServicePresenceStatus", "ServiceChannel", "PresenceUserConfig", "QueueRoutingConfig"}, o.name)
}

// names reports whether an entity is named, be it with nothing.
func (p *Permissions) names(obj *object) bool {
	for name := range p.Objects {
		if strings.EqualFold(name, obj.name) {
			return true
		}
	}
	return false
}

func (p *Permissions) object(obj *object) Access {
	for name, a := range p.Objects {
		if !strings.EqualFold(name, obj.name) {
			continue
		}
		if a.ModifyAll {
			return Access{Read: true, Create: a.Create, Edit: true, Delete: true, ViewAll: true, ModifyAll: true}
		}
		a.Read = a.Read || a.Create || a.Edit || a.Delete || a.ViewAll
		return a
	}
	return Access{}
}

// field is what is granted of a field: system and required fields go with the entity, and so do all where none is named.
func (p *Permissions) field(obj *object, f *field) FieldAccess {
	a := p.object(obj)
	if !a.Read {
		return FieldAccess{}
	}
	whole := FieldAccess{Read: true, Edit: a.Create || a.Edit}
	if f.required || f.nameField || f.system() {
		return whole
	}
	named := false
	for name, fa := range p.Fields {
		entity, fieldName, _ := strings.Cut(name, ".")
		if !strings.EqualFold(entity, obj.name) {
			continue
		}
		named = true
		if strings.EqualFold(fieldName, f.name) {
			return fa
		}
	}
	if named {
		return FieldAccess{}
	}
	return whole
}

// may reports whether a permission that is not of an entity is granted.
func (v *view) may(permission string) bool { return v.all || slices.Contains(v.system, permission) }

func (s *schema) add(o *object) {
	s.objects = append(s.objects, o)
	s.byName[strings.ToLower(o.name)] = o
	s.byPrefix[o.prefix] = o
}

// without copies an entity with the fields that are kept.
func (o *object) without(keep func(*field) bool) *object {
	out := *o
	out.fields, out.children, out.nameField = nil, nil, nil
	out.byName, out.byRel = map[string]*field{}, map[string]*field{}
	for _, f := range o.fields {
		if !keep(f) {
			continue
		}
		c := *f
		out.fields = append(out.fields, &c)
		out.byName[strings.ToLower(c.name)] = &c
		if c.nameField {
			out.nameField = &c
		}
	}
	out.keepCompounds(o.compounds)
	return &out
}

// narrow takes references to entities out that are not there.
func (s *schema) narrow() {
	for _, obj := range s.objects {
		for _, f := range obj.fields {
			f.refs = slices.DeleteFunc(slices.Clone(f.refs), func(name string) bool { return s.object(name) == nil })
			if len(f.refs) == 0 {
				f.rel, f.childRel = "", ""
			}
			if f.rel != "" {
				obj.byRel[strings.ToLower(f.rel)] = f
			}
		}
	}
}

type writeKind int

const (
	writeCreate writeKind = iota
	writeEdit
	writeDelete
)

// mayWrite refuses what a user is not granted, as the platform words it.
func (o *Org) mayWrite(ctx context.Context, user string, obj *object, kind writeKind, names []string) error {
	v := o.viewOf(ctx, user)
	if v.all {
		return nil
	}
	a := v.objects[obj.name]
	if kind == writeCreate && !a.Create {
		return badRequest("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "entity type cannot be inserted: %s", obj.label)
	}
	if kind == writeEdit && !a.Edit || kind == writeDelete && !a.Delete {
		return fault(http.StatusForbidden, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
	}
	var locked []string
	for _, name := range names {
		f := obj.field(name)
		if f == nil || f.kind == typeID {
			continue
		}
		if v.schema.object(obj.name).field(name) == nil {
			return badRequest("INVALID_FIELD", "No such column '%s' on sobject of type %s", name, obj.name)
		}
		if !v.edit[obj.name+"."+f.name] {
			locked = append(locked, f.name)
		}
	}
	if len(locked) == 0 {
		return nil
	}
	slices.Sort(locked)
	return onFields(badRequest("INVALID_FIELD_FOR_INSERT_UPDATE",
		"Unable to create/update fields: %s. Please check the security settings of this field and verify that it is read/write for your "+
			"profile or permission set.", strings.Join(locked, ", ")), locked...)
}

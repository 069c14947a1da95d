package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Access is what may be done with the records of an entity. Each of the last three needs Read.
type Access struct {
	Read   bool `json:"read"`
	Create bool `json:"create"`
	Edit   bool `json:"edit"`
	Delete bool `json:"delete"`
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
}

type accessRules struct {
	Profiles map[string]Permissions `json:"profiles"`
	Sets     map[string]Permissions `json:"sets"`
	// Ranges are the login IP ranges of profiles, restricted or not.
	Ranges map[string][]string `json:"ranges,omitempty"`
	// Made are the ids of the PermissionSet records that were made for sets, by name: they end with the set.
	Made map[string]string `json:"made,omitempty"`
}

// view is the org as a user sees it: the entities and fields that can be read, and which can be written.
type view struct {
	key     string // the same for the same view
	schema  *schema
	all     bool // nothing is restricted
	objects map[string]Access
	edit    map[string]bool // Entity.Field
}

const maxGrants = 200

// RestrictProfile limits the users of a profile to what p grants; nil lifts the limits. The administrator's own profile
// cannot be limited, so that there is always a way back in.
func (o *Org) RestrictProfile(ctx context.Context, profile string, p *Permissions) error {
	if profile == adminProfile {
		return fmt.Errorf("the profile %s cannot be restricted: put the user into another", adminProfile)
	}
	return o.changeAccess(ctx, p, func(r *accessRules) map[string]Permissions { return r.Profiles }, profile, nil)
}

// SetPermissionSet gives the users of p what it grants, besides what their profile does; nil removes the set. Queries find the
// set as a PermissionSet, one that was there under the name or label if there is, and its users as PermissionSetAssignments.
func (o *Org) SetPermissionSet(ctx context.Context, name string, p *Permissions) error {
	return o.changeAccess(ctx, p, func(r *accessRules) map[string]Permissions { return r.Sets }, name, o.mirrorSet)
}

const adminProfile = "System Administrator"

// mirrorFunc makes the records that show a change of the grants called name; p is nil where they end.
type mirrorFunc func(ctx context.Context, tx *sql.Tx, next *accessRules, name string, p *Permissions) error

func (o *Org) changeAccess(ctx context.Context, p *Permissions, part func(*accessRules) map[string]Permissions, name string, mirror mirrorFunc) error {
	if p != nil {
		if err := o.checkPermissions(p); err != nil {
			return err
		}
	}
	o.access.changing.Lock()
	defer o.access.changing.Unlock()
	o.access.mu.RLock()
	was := o.access.rules
	o.access.mu.RUnlock()
	next := accessRules{Profiles: maps.Clone(was.Profiles), Sets: maps.Clone(was.Sets), Made: maps.Clone(was.Made), Ranges: was.Ranges}
	if p == nil {
		delete(part(&next), name)
	} else {
		part(&next)[name] = *p
	}
	if len(next.Profiles)+len(next.Sets) > maxGrants {
		return fmt.Errorf("more than %d profiles and permission sets", maxGrants)
	}
	return o.keepAccess(ctx, &next, func(tx *sql.Tx) error {
		if mirror == nil {
			return nil
		}
		return mirror(ctx, tx, &next, name, p)
	})
}

// keepAccess stores the grants, after what first does in the same transaction, and puts them into force. changing is held.
func (o *Org) keepAccess(ctx context.Context, next *accessRules, first func(tx *sql.Tx) error) error {
	err := o.store.update(ctx, func(tx *sql.Tx) error {
		if err := first(tx); err != nil {
			return err
		}
		raw, err := json.Marshal(next)
		if err != nil {
			return fmt.Errorf("encoding permissions: %w", err)
		}
		return setMeta(ctx, tx, "permissions", string(raw))
	})
	if err != nil {
		return err
	}
	o.access.mu.Lock()
	defer o.access.mu.Unlock()
	o.access.rules, o.access.views = *next, map[string]*view{}
	return nil
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
}

const qProfileOf = `SELECT COALESCE(p."Name", ''), u."Username" FROM "User" u LEFT JOIN "Profile" p ON p."Id" = u."ProfileId" WHERE u."Id" = ?`

// viewOf returns the org as a user sees it. A user that cannot be read sees nothing.
func (o *Org) viewOf(ctx context.Context, user string) *view {
	a := &o.access
	a.mu.RLock()
	v, open := a.views[user], len(a.rules.Profiles) == 0
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
		v = newView(o.schema, user, granted)
	}
	a.views[user] = v
	return v
}

// newView joins what is granted.
func newView(full *schema, key string, granted []Permissions) *view {
	v := &view{key: key, objects: map[string]Access{}, edit: map[string]bool{}, schema: &schema{byName: map[string]*object{}, byPrefix: map[string]*object{}}}
	for _, obj := range full.objects {
		var sum Access
		readable := map[string]bool{}
		for _, g := range granted {
			add := g.object(obj)
			sum = Access{sum.Read || add.Read, sum.Create || add.Create, sum.Edit || add.Edit, sum.Delete || add.Delete}
			for _, f := range obj.fields {
				fa := g.field(obj, f)
				readable[f.name] = readable[f.name] || fa.Read || fa.Edit
				v.edit[obj.name+"."+f.name] = v.edit[obj.name+"."+f.name] || fa.Edit
			}
		}
		if !sum.Read {
			continue
		}
		v.objects[obj.name] = sum
		v.schema.add(obj.without(func(f *field) bool { return readable[f.name] }))
	}
	v.schema.narrow()
	_ = v.schema.relate() // narrow took out what could fail
	return v
}

func (p *Permissions) object(obj *object) Access {
	for name, a := range p.Objects {
		if strings.EqualFold(name, obj.name) {
			a.Read = a.Read || a.Create || a.Edit || a.Delete
			return a
		}
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
	if f.required || f.nameField || f.kind == typeID || f.readOnly && (f.name == "IsDeleted" || strings.HasPrefix(f.name, "Created") || strings.HasPrefix(f.name, "LastModified") || f.name == "SystemModstamp") {
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
	if kind == writeCreate && !a.Create || kind == writeEdit && !a.Edit || kind == writeDelete && !a.Delete {
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

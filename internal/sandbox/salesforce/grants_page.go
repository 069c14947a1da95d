package salesforce

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// matrix is what a profile or a permission set grants, as boxes to tick.
type matrix struct {
	Kind, Name    string // kind is profile or set
	Restricted    bool
	System        []box
	Objects       []matrixRow
	Setup         []matrixRow
	Users         string // of a set: usernames, one a line
	Ranges        string // of a profile: login IP ranges, one a line
	Known         []option
	Where, Around string // address of the form, and of the page it is reached from
}

type box struct {
	Name, Label string
	On          bool
}

// matrixRow is an entity with its boxes, and its fields with theirs.
type matrixRow struct {
	Name, Label string
	Boxes       []box
	Fields      []matrixField
	Granted     int // fields that can be read
}

type matrixField struct {
	Name, Label string
	Read, Edit  bool
	Fixed       bool // nobody can change it
}

// boxNames are the boxes of an entity: form name and label.
func boxNames() [][2]string {
	return [][2]string{{"read", "Read"}, {"create", "Create"}, {"edit", "Edit"}, {"delete", "Delete"}, {"viewall", "View All"}, {"modifyall", "Modify All"}}
}

func grantsPath(kind, name string) string {
	return "/sandbox/setup/grants?" + url.Values{"kind": {kind}, "name": {name}}.Encode()
}

func (s *site) grantsPage(w http.ResponseWriter, r *http.Request) {
	s.showGrants(w, r, r.URL.Query().Get("kind"), strings.TrimSpace(r.URL.Query().Get("name")), "", "")
}

func (s *site) showGrants(w http.ResponseWriter, r *http.Request, kind, name, problem, done string) {
	if name == "" || kind != "profile" && kind != "set" {
		s.problem(w, r, notFound())
		return
	}
	a := &s.org.access
	a.mu.RLock()
	p, found := a.rules.Profiles[name]
	if kind == "set" {
		p, found = a.rules.Sets[name]
	}
	ranges := a.rules.Ranges[name]
	a.mu.RUnlock()
	m := &matrix{Ranges: strings.Join(ranges, "\n"), Kind: kind, Name: name, Restricted: found, Where: grantsPath(kind, name), Around: "/sandbox/setup/profiles", Users: strings.Join(p.Users, "\n")}
	s.fillMatrix(m, &p, kind == "profile" && !found)
	d := pageData{Title: name, Here: "/sandbox/setup", Section: "profiles", Problem: problem, Done: done, Matrix: m}
	d.Kind = map[string]string{"profile": "Profile", "set": "Permission set"}[kind]
	s.show(w, r, statusOf(problem), "grants", d)
}

// fillMatrix ticks the boxes; all of them where everything is granted.
func (s *site) fillMatrix(m *matrix, p *Permissions, all bool) {
	for _, name := range SystemPermissions() {
		on := all || slices.Contains(p.System, name) || m.Kind == "profile" && p.System == nil && name == apiEnabled
		m.System = append(m.System, box{name, s.org.schema.object("PermissionSet").field(permissionField + name).label, on})
	}
	for _, obj := range s.org.schema.objects {
		open := obj.forEverybody() && !p.names(obj) // to everybody: there is nothing to grant
		switch {
		case obj.granted():
			m.Objects = append(m.Objects, newMatrixRow(obj, p, all))
		case obj.setup && !open && !obj.grants():
			m.Setup = append(m.Setup, newMatrixRow(obj, p, all))
		}
	}
}

func newMatrixRow(obj *object, p *Permissions, all bool) matrixRow {
	a := p.object(obj)
	row := matrixRow{Name: obj.name, Label: obj.plural}
	on := map[string]bool{"read": a.Read, "create": a.Create, "edit": a.Edit, "delete": a.Delete, "viewall": a.ViewAll, "modifyall": a.ModifyAll}
	for _, b := range boxNames() {
		row.Boxes = append(row.Boxes, box{b[0], b[1], all || on[b[0]]})
	}
	for _, f := range obj.fields {
		if !f.permissionable(obj) {
			continue
		}
		fa := p.field(obj, f)
		read := all || fa.Read || fa.Edit
		row.Fields = append(row.Fields, matrixField{f.name, f.label, read, (all || fa.Edit) && !f.readOnly, f.readOnly})
		if read {
			row.Granted++
		}
	}
	return row
}

// saveGrants carries out the form of boxes.
func (s *site) saveGrants(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.problem(w, r, badRequest("INVALID_INPUT", "The form cannot be read."))
		return
	}
	kind, name := r.PostForm.Get("kind"), strings.TrimSpace(r.PostForm.Get("name"))
	if name == "" || kind != "profile" && kind != "set" {
		s.profilesPage(w, r, "Give it a name.", "")
		return
	}
	p, done := s.grantsOfForm(r, kind, name), "Saved. It is in force at once."
	switch r.PostForm.Get("do") {
	case "lift":
		p, done = nil, map[string]string{"profile": "The profile may everything again.", "set": "The permission set is removed."}[kind]
	case "new":
		p, done = &Permissions{System: []string{apiEnabled}}, "It grants nothing yet: tick what it is to grant."
	}
	set := s.org.RestrictProfile
	if kind == "set" {
		set = s.org.SetPermissionSet
	}
	err := set(r.Context(), name, p)
	switch {
	case err != nil:
		s.showGrants(w, r, kind, name, messageOf(err), "")
	case p == nil && kind == "set":
		s.profilesPage(w, r, "", done)
	default:
		s.showGrants(w, r, kind, name, "", done)
	}
}

// grantsOfForm reads the boxes.
func (s *site) grantsOfForm(r *http.Request, kind, name string) *Permissions {
	has := func(key string) bool { return r.PostForm.Get(key) != "" }
	p := &Permissions{Objects: map[string]Access{}, Fields: map[string]FieldAccess{}, System: []string{}}
	for _, permission := range SystemPermissions() {
		if has("system." + permission) {
			p.System = append(p.System, permission)
		}
	}
	for _, obj := range s.org.schema.objects {
		key := "o." + obj.name + "."
		a := Access{Read: has(key + "read"), Create: has(key + "create"), Edit: has(key + "edit"), Delete: has(key + "delete"), ViewAll: has(key + "viewall"), ModifyAll: has(key + "modifyall")}
		if a != (Access{}) {
			p.Objects[obj.name] = a
			maps.Copy(p.Fields, fieldsOfForm(has, obj, p.object(obj)))
		}
	}
	if kind == "set" {
		p.Users = strings.Fields(r.PostForm.Get("users"))
		return p
	}
	a := &s.org.access
	a.mu.RLock()
	defer a.mu.RUnlock()
	p.LoginRanges = a.rules.Profiles[name].LoginRanges
	return p
}

// fieldsOfForm names the fields of an entity where one of them is not granted as the entity is.
func fieldsOfForm(has func(key string) bool, obj *object, a Access) map[string]FieldAccess {
	named, differs, first := map[string]FieldAccess{}, false, ""
	for _, f := range obj.fields {
		if !f.permissionable(obj) {
			continue
		}
		key, full := "f."+obj.name+"."+f.name, obj.name+"."+f.name
		first = orElse(first, full)
		fa := FieldAccess{Read: has(key+".read") || has(key+".edit"), Edit: has(key + ".edit")}
		differs = differs || !fa.Read || !f.readOnly && fa.Edit != (a.Create || a.Edit)
		if fa.Read {
			named[full] = fa
		}
	}
	switch {
	case !differs:
		return nil
	case len(named) == 0: // naming one with nothing is how all others are kept back
		return map[string]FieldAccess{first: {}}
	}
	return named
}

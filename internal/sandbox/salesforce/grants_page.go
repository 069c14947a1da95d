package salesforce

import (
	"errors"
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
		if !obj.granted() && (!obj.setup || obj.forEverybody() && !p.names(obj) || obj.grants()) {
			continue
		}
		a := p.object(obj)
		row := matrixRow{Name: obj.name, Label: obj.plural}
		for _, b := range boxNames() {
			on := map[string]bool{"read": a.Read, "create": a.Create, "edit": a.Edit, "delete": a.Delete, "viewall": a.ViewAll, "modifyall": a.ModifyAll}[b[0]]
			row.Boxes = append(row.Boxes, box{b[0], b[1], all || on})
		}
		for _, f := range obj.fields {
			if !f.permissionable(obj) {
				continue
			}
			fa := p.field(obj, f)
			row.Fields = append(row.Fields, matrixField{f.name, f.label, all || fa.Read || fa.Edit, (all || fa.Edit) && !f.readOnly, f.readOnly})
			if all || fa.Read || fa.Edit {
				row.Granted++
			}
		}
		if obj.granted() {
			m.Objects = append(m.Objects, row)
		} else {
			m.Setup = append(m.Setup, row)
		}
	}
}

// saveGrants carries out the form of boxes.
func (s *site) saveGrants(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.problem(w, r, badRequest("INVALID_INPUT", "The form cannot be read."))
		return
	}
	kind, name := r.PostForm.Get("kind"), strings.TrimSpace(r.PostForm.Get("name"))
	set := s.org.RestrictProfile
	if kind == "set" {
		set = s.org.SetPermissionSet
	}
	var p *Permissions
	done := "Saved. It is in force at once."
	var err error
	switch {
	case name == "" || kind != "profile" && kind != "set":
		err = errors.New("give it a name")
	case r.PostForm.Get("do") == "lift":
		done = map[string]string{"profile": "The profile may everything again.", "set": "The permission set is removed."}[kind]
	case r.PostForm.Get("do") == "new":
		p, done = &Permissions{System: []string{apiEnabled}}, "It grants nothing yet: tick what it is to grant."
	default:
		p = s.grantsOfForm(r, kind, name)
	}
	if err == nil {
		err = set(r.Context(), name, p)
	}
	switch {
	case err != nil && name == "":
		s.profilesPage(w, r, messageOf(err), "")
	case err != nil:
		s.showGrants(w, r, kind, name, messageOf(err), "")
	case p == nil && kind == "set":
		s.profilesPage(w, r, "", done)
	default:
		s.showGrants(w, r, kind, name, "", done)
	}
}

// grantsOfForm reads the boxes. The fields of an entity are named only if one of them is not granted as the entity is.
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
		if a == (Access{}) {
			continue
		}
		p.Objects[obj.name] = a
		named, differs := map[string]FieldAccess{}, false
		edit := p.object(obj).Create || p.object(obj).Edit
		for _, f := range obj.fields {
			if !f.permissionable(obj) {
				continue
			}
			full := "f." + obj.name + "." + f.name
			fa := FieldAccess{Read: has(full+".read") || has(full+".edit"), Edit: has(full + ".edit")}
			differs = differs || !fa.Read || edit != fa.Edit && !f.readOnly
			if fa.Read {
				named[obj.name+"."+f.name] = fa
			}
		}
		if !differs || len(obj.fields) == 0 {
			continue
		}
		for k, fa := range named {
			p.Fields[k] = fa
		}
		if len(named) == 0 && obj.granted() { // naming one field is how the others are kept back
			p.Fields[obj.name+"."+firstPermissionable(obj)] = FieldAccess{}
		}
	}
	a := &s.org.access
	a.mu.RLock()
	defer a.mu.RUnlock()
	if kind == "profile" {
		p.LoginRanges = a.rules.Profiles[name].LoginRanges
		return p
	}
	for line := range strings.Lines(r.PostForm.Get("users")) {
		if line = strings.TrimSpace(line); line != "" {
			p.Users = append(p.Users, line)
		}
	}
	return p
}

func firstPermissionable(obj *object) string {
	for _, f := range obj.fields {
		if f.permissionable(obj) {
			return f.name
		}
	}
	return "Id"
}

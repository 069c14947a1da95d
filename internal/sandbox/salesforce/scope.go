package salesforce

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/soql"
)

// scope resolves the names of one SELECT to columns, joining parents as they are named.
type scope struct {
	c      *compiler
	obj    *object
	root   target
	names  map[string][]string // lower-case prefix -> the path it stands for, relative to the root
	joins  map[string]*join    // lower-case path
	joined strings.Builder
	having bool // aggregates may stand in conditions
	tables int  // joined

	nested     int  // ORs and NOTs around the condition being compiled
	semiJoins  int  // seen so far
	inSemiJoin bool // this SELECT is the inside of one

	rolled map[string]int // of ROLLUP and CUBE: the fields grouped by, and their places
}

// target is one table a path may lead to.
type target struct {
	object *object
	alias  string
}

// join is a step to a parent. A polymorphic reference has one target per entity, of which at most one has a row.
type join struct {
	field   *field
	path    string
	targets []target
}

// reference is a resolved field.
type reference struct {
	field  *field
	sql    string
	folded string
	path   []*join
	direct bool // a column of the root table itself

	compound *compound // the field is one, of the table alias; sql is empty
	alias    string
}

func (c *compiler) newScope(q *soql.Query, obj *object) (*scope, error) {
	s := &scope{c: c, obj: obj, joins: map[string]*join{}, names: map[string][]string{strings.ToLower(obj.name): nil}}
	s.root = target{object: obj, alias: c.alias()}
	if name := q.From[0].Name; !strings.Contains(name, ".") {
		s.names[strings.ToLower(name)] = nil // of children the name of their relationship
	}
	if a := q.From[0].Alias; a != "" {
		s.names[strings.ToLower(a)] = nil
	}
	for _, f := range q.From[1:] {
		path := strings.Split(f.Name, ".")
		if prefix, ok := s.names[strings.ToLower(path[0])]; ok && len(path) > 1 {
			path = append(append([]string{}, prefix...), path[1:]...)
		}
		if _, err := s.steps(path, f.Pos); err != nil {
			return nil, err
		}
		if f.Alias != "" {
			s.names[strings.ToLower(f.Alias)] = path
		}
	}
	return s, nil
}

func (c *compiler) alias() string {
	c.aliases++
	return "t" + strconv.Itoa(c.aliases)
}

// resolve finds the column of a field path such as Account.Owner.Name.
func (s *scope) resolve(name string, pos soql.Pos) (*reference, error) {
	parts := strings.Split(name, ".")
	if len(parts) > 1 && s.obj.byRel[strings.ToLower(parts[0])] == nil {
		if prefix, ok := s.names[strings.ToLower(parts[0])]; ok {
			parts = append(append([]string{}, prefix...), parts[1:]...)
		}
	}
	last := parts[len(parts)-1]
	path, err := s.steps(parts[:len(parts)-1], pos)
	if err != nil {
		return nil, err
	}
	targets, poly := []target{s.root}, false
	if len(path) > 0 {
		end := path[len(path)-1]
		targets, poly = end.targets, end.field.polymorphic()
	}
	r, err := s.column(targets, last, poly, pos)
	if err != nil {
		return nil, err
	}
	r.path, r.direct = path, len(path) == 0
	return r, nil
}

// steps joins the parents along a path of relationship names.
func (s *scope) steps(names []string, pos soql.Pos) ([]*join, error) {
	if len(names) > maxParents {
		return nil, atQuery("MALFORMED_QUERY", s.c.src, pos,
			"Only parent-to-child relationships up to %d levels are supported: shorten the path", maxParents)
	}
	var path []*join
	targets := []target{s.root}
	key := ""
	for _, name := range names {
		var step *join
		poly := len(path) > 0 && path[len(path)-1].field.polymorphic()
		for _, t := range targets {
			f := t.object.byRel[strings.ToLower(name)]
			if f == nil || poly && !listed(namePaths(), f.rel) {
				continue
			}
			var err error
			if step, err = s.join(t, f, key, pos); err != nil {
				return nil, err
			}
			break
		}
		if step == nil {
			return nil, atQuery("INVALID_FIELD", s.c.src, pos,
				"Didn't understand relationship '%s' in field path. %s", name, adviceRelationship)
		}
		path = append(path, step)
		targets, key = step.targets, step.path
	}
	return path, nil
}

// relate counts child-to-parent relationships.
func (c *compiler) relate(n int, pos soql.Pos) error {
	if c.relations += n; c.relations > maxRelations {
		return atQuery("MALFORMED_QUERY", c.src, pos, "No more than %d child-to-parent relationships can be specified in a query", maxRelations)
	}
	return nil
}

// join adds the tables a reference points at, once per path.
func (s *scope) join(from target, f *field, prefix string, pos soql.Pos) (*join, error) {
	path := prefix + "." + strings.ToLower(f.rel)
	if j := s.joins[path]; j != nil {
		return j, nil
	}
	if err := s.c.relate(1, pos); err != nil {
		return nil, err
	}
	j := &join{field: f, path: path}
	for _, name := range f.refs {
		t := target{object: s.c.schema.object(name), alias: s.c.alias()}
		s.tables++
		j.targets = append(j.targets, t)
		s.joined.WriteString(" LEFT JOIN " + t.object.table() + " " + t.alias +
			" ON " + t.alias + `."Id" = ` + from.alias + "." + f.column())
	}
	s.joins[path] = j
	return j, nil
}

// Behind a polymorphic reference stands the entity Name, which has the fields users, people and queues share (Object
// Reference, "Name"), and the relationships of users.
func nameFields() []*field {
	return []*field{
		{name: "Id", kind: typeID},
		{name: "Name", kind: typeString},
		{name: "Type", kind: typePicklist},
		{name: "FirstName", kind: typeString},
		{name: "LastName", kind: typeString},
		{name: "Alias", kind: typeString},
		{name: "Email", kind: typeEmail},
		{name: "IsActive", kind: typeBoolean},
		{name: "Phone", kind: typePhone},
		{name: "ProfileId", kind: typeReference},
		{name: "Title", kind: typeString},
		{name: "Username", kind: typeString},
		{name: "UserRoleId", kind: typeReference},
	}
}

func namePaths() []string { return []string{"Profile", "UserRole"} }

// column finds a field among the targets of a path.
func (s *scope) column(targets []target, name string, poly bool, pos soql.Pos) (*reference, error) {
	if poly {
		return s.nameColumn(targets, name, pos)
	}
	t := targets[0]
	if r := compoundColumn(t, name); r != nil {
		return r, nil
	}
	f := t.object.field(name)
	if f == nil || !f.listed() {
		return nil, s.noColumn(name, t.object.name, pos)
	}
	if f.kind == typeJunction {
		return junctionColumn(t, f), nil
	}
	return &reference{field: f, sql: t.alias + "." + f.column(), folded: t.alias + "." + f.folded()}, nil
}

// nameColumn finds a field of what a polymorphic reference points at: the value is that of the target that has a row, and
// nothing where that has no such field.
func (s *scope) nameColumn(targets []target, name string, pos soql.Pos) (*reference, error) {
	i := slices.IndexFunc(nameFields(), func(f *field) bool { return strings.EqualFold(f.name, name) })
	if i < 0 {
		return nil, s.noColumn(name, "Name", pos)
	}
	r := &reference{field: nameFields()[i]}
	if r.field.name == "Type" {
		r.sql, r.folded = typeColumn(targets)
		return r, nil
	}
	var sql, folded []string
	for _, t := range targets {
		f := t.object.field(name)
		if r.field.name == "Name" && t.object.nameField != nil {
			f = t.object.nameField
		}
		if f == nil || f.writeOnly {
			continue
		}
		if r.field.isID() {
			r.field = f // for what it points at
		}
		sql = append(sql, t.alias+"."+f.column())
		folded = append(folded, t.alias+"."+f.folded())
	}
	switch len(sql) {
	case 0:
		r.sql, r.folded = "NULL", "NULL"
	case 1:
		r.sql, r.folded = sql[0], folded[0]
	default:
		r.sql = "COALESCE(" + strings.Join(sql, ", ") + ")"
		r.folded = "COALESCE(" + strings.Join(folded, ", ") + ")"
	}
	return r, nil
}

// typeColumn is the Type of a polymorphic parent: the name of its entity.
func typeColumn(targets []target) (sql, folded string) {
	var out, lower strings.Builder
	out.WriteString("CASE")
	lower.WriteString("CASE")
	for _, t := range targets {
		when := " WHEN " + t.alias + `."Id" IS NOT NULL THEN `
		out.WriteString(when + "'" + t.object.name + "'")
		lower.WriteString(when + "'" + strings.ToLower(t.object.name) + "'")
	}
	return out.String() + " END", lower.String() + " END"
}

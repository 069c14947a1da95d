package salesforce

import (
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/soql"
)

// records compiles the SELECT list of a query for records.
func (b *builder) records(q *soql.Query) error {
	b.plan.idColumn = b.column(b.root.alias + `."Id"`)
	for _, item := range q.Select {
		if err := b.item(q, item); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) item(q *soql.Query, item soql.SelectItem) error {
	switch {
	case item.Sub != nil:
		return b.subquery(q, item.Sub)
	case item.TypeOf != nil:
		return b.typeOf(item.TypeOf)
	}
	switch e := item.Expr.(type) {
	case *soql.Field:
		if item.Alias != "" {
			// Only grouped queries and functions name their columns; the grammar lets an alias through.
			return badRequest("MALFORMED_QUERY", "only aggregate expressions use field aliasing: remove '%s'", item.Alias)
		}
		r, err := b.resolve(e.Name, e.Pos)
		if err != nil {
			return err
		}
		return b.leaf(r, e.Pos, false)
	case *soql.Func:
		if strings.EqualFold(e.Name, "FIELDS") {
			return b.allFields(q, e)
		}
		return b.function(e, item.Alias)
	}
	v, err := b.value(item.Expr, false)
	if err != nil {
		return err
	}
	name := item.Alias
	if name == "" {
		name = "expr" + strconv.Itoa(b.unnamed)
		b.unnamed++
	}
	return b.named(name, item.Pos, &node{field: &field{name: v.name, kind: v.kind}, column: b.column(v.sql)})
}

// function puts a function of a field into a record: FORMAT and toLabel, under the field's name or an alias.
func (b *builder) function(f *soql.Func, alias string) error {
	v, err := b.value(f, false)
	if err != nil {
		return err
	}
	if v.field == nil {
		return badRequest("MALFORMED_QUERY", "Grouped query required for function %s: add GROUP BY %s", f.Name, f)
	}
	inner := f.Arg
	if g, nested := inner.(*soql.Func); nested {
		inner = g.Arg
	}
	r, err := b.resolve(inner.String(), inner.Position())
	if err != nil {
		return err
	}
	format := strings.EqualFold(f.Name, "FORMAT")
	if alias == "" {
		return b.leaf(r, f.Pos, format)
	}
	return b.named(alias, f.Pos, &node{field: r.field, column: b.column(r.sql), format: format})
}

// named adds a column of the record itself under a name of its own.
func (b *builder) named(name string, pos soql.Pos, n *node) error {
	if taken(b.plan.nodes, name) {
		return atQuery("MALFORMED_QUERY", b.c.src, pos, "duplicate alias: %s", name)
	}
	n.name = name
	b.plan.nodes = append(b.plan.nodes, n)
	return nil
}

// leaf adds a field at its place below its parents, as text in the user's way of writing where format says so.
func (b *builder) leaf(r *reference, pos soql.Pos, format bool) error {
	list := &b.plan.nodes
	for _, step := range r.path {
		parent := findNode(*list, step.field.rel, parentNode)
		if parent == nil {
			parent = b.parent(step)
			*list = append(*list, parent)
		}
		list = &parent.children
	}
	if taken(*list, r.field.name) {
		return atQuery("INVALID_FIELD", b.c.src, pos, "duplicate field selected: %s", r.field.name)
	}
	if r.compound != nil {
		*list = append(*list, b.compoundNode(r))
		return nil
	}
	*list = append(*list, &node{name: r.field.name, field: r.field, column: b.column(r.sql), format: format})
	return nil
}

func (b *builder) parent(step *join) *node {
	n := &node{name: step.field.rel, kind: parentNode, poly: step.field.polymorphic()}
	for _, t := range step.targets {
		n.targets = append(n.targets, branch{object: t.object, idColumn: b.column(t.alias + `."Id"`)})
	}
	return n
}

// taken reports whether a record has a key already.
func taken(list []*node, name string) bool {
	for _, n := range list {
		if strings.EqualFold(n.name, name) {
			return true
		}
	}
	return false
}

func findNode(list []*node, name string, kind nodeKind) *node {
	for _, n := range list {
		if n.kind == kind && n.name == name {
			return n
		}
	}
	return nil
}

func (b *builder) allFields(q *soql.Query, f *soql.Func) error {
	which, err := b.fieldsGroup(q, f)
	if err != nil {
		return err
	}
	var names []string
	add := func(name string, custom bool) {
		if which == "ALL" || custom == (which == "CUSTOM") {
			names = append(names, name)
		}
	}
	for _, fd := range b.obj.fields {
		if fd.listed() {
			add(fd.name, fd.custom())
		}
	}
	for _, c := range b.obj.compounds {
		add(c.name, c.custom())
	}
	for _, name := range names {
		r, err := b.resolve(name, f.Pos)
		if err != nil {
			return err
		}
		if err := b.leaf(r, f.Pos, false); err != nil {
			return err
		}
	}
	return nil
}

// fieldsGroup reads the argument of FIELDS: ALL, STANDARD or CUSTOM.
func (b *builder) fieldsGroup(q *soql.Query, f *soql.Func) (string, error) {
	arg, isField := f.Arg.(*soql.Field)
	if !isField {
		return "", atQuery("INVALID_FIELD", b.c.src, f.Pos, "FIELDS takes ALL, STANDARD or CUSTOM")
	}
	switch which := strings.ToUpper(arg.Name); which {
	case "STANDARD":
		return which, nil
	case "ALL", "CUSTOM":
		if q.Limit == nil || q.Limit.Value > maxFieldsAll {
			return "", badRequest("MALFORMED_QUERY", "The SOQL FIELDS function must have a LIMIT of at most %d", maxFieldsAll)
		}
		return which, nil
	}
	return "", atQuery("INVALID_FIELD", b.c.src, f.Pos, "FIELDS takes ALL, STANDARD or CUSTOM")
}

func (b *builder) subquery(outer, q *soql.Query) error {
	name := q.From[0].Name
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:] // Account.Contacts, a.Contacts
	}
	for _, rel := range b.obj.children {
		if !strings.EqualFold(rel.name, name) {
			continue
		}
		if b.c.subqueries++; b.c.subqueries > maxSubquery {
			return atQuery("MALFORMED_QUERY", b.c.src, q.Pos, "No more than %d parent-to-child relationships can be specified in a query", maxSubquery)
		}
		if q.Offset != nil && (outer.Limit == nil || outer.Limit.Value != 1) {
			return badRequest("MALFORMED_QUERY", "OFFSET is allowed in a sub-query only where the parent query has LIMIT 1")
		}
		sub, err := b.c.query(q, rel.child, rel.field)
		if err != nil {
			return err
		}
		if sub.aggregate || sub.count {
			return badRequest("MALFORMED_QUERY", "only root queries support aggregate expressions")
		}
		if taken(b.plan.nodes, rel.name) {
			return atQuery("MALFORMED_QUERY", b.c.src, q.Pos, "duplicate relationship selected: %s", rel.name)
		}
		b.plan.nodes = append(b.plan.nodes, &node{name: rel.name, kind: subqueryNode, sub: sub})
		return nil
	}
	return atQuery("INVALID_TYPE", b.c.src, q.From[0].Pos,
		"Didn't understand relationship '%s' in FROM part of query call. %s", name, adviceRelationship)
}

func (s *scope) noColumn(name, entity string, pos soql.Pos) error {
	return atQuery("INVALID_FIELD", s.c.src, pos, "No such column '%s' on entity '%s'. %s", name, entity, adviceField)
}

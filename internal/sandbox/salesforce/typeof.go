package salesforce

import (
	"strings"

	"github.com/tandemcc/tandem/internal/soql"
)

// typeOf compiles TYPEOF (SOQL and SOSL reference, "TYPEOF"): the fields of the branch for the type a polymorphic
// reference points at, those of ELSE for other types, and null where neither is there.
func (b *builder) typeOf(t *soql.TypeOf) error {
	step, prefix, err := b.typeOfWhat(t)
	if err == nil {
		err = b.checkWhens(t, step.field.rel)
	}
	if err == nil {
		err = b.c.relate(len(t.Whens), t.Pos)
	}
	if err != nil {
		return err
	}
	n := &node{name: step.field.rel, kind: typeofNode}
	for _, tgt := range step.targets {
		br := branch{object: tgt.object, idColumn: b.column(tgt.alias + `."Id"`)}
		fields, named := t.Else, false
		for _, w := range t.Whens {
			if strings.EqualFold(w.Type, tgt.object.name) {
				fields, named = w.Fields, true
			}
		}
		for _, e := range fields {
			if err := b.branchField(&br, e, tgt, prefix, named); err != nil {
				return err
			}
		}
		br.none = len(fields) == 0
		n.targets = append(n.targets, br)
	}
	list := b.typeOfList(prefix)
	if taken(*list, n.name) {
		return atQuery("INVALID_FIELD", b.c.src, t.Pos, "the relationship '%s' of TYPEOF cannot be in the SELECT list besides", n.name)
	}
	*list = append(*list, n)
	return nil
}

// typeOfWhat joins the reference, which may be one of a parent.
func (b *builder) typeOfWhat(t *soql.TypeOf) (step *join, prefix []*join, err error) {
	what, isField := t.What.(*soql.Field)
	if !isField {
		return nil, nil, atQuery("INVALID_FIELD", b.c.src, t.Pos, "TYPEOF takes the name of a relationship")
	}
	parts := strings.Split(what.Name, ".")
	if alias, known := b.names[strings.ToLower(parts[0])]; known && len(parts) > 1 && b.obj.byRel[strings.ToLower(parts[0])] == nil {
		parts = append(append([]string{}, alias...), parts[1:]...)
	}
	path, err := b.steps(parts, what.Pos)
	if err != nil {
		return nil, nil, err
	}
	step = path[len(path)-1]
	if !step.field.polymorphic() {
		return nil, nil, atQuery("INVALID_FIELD", b.c.src, t.Pos, "TYPEOF needs a relationship to several entities, such as Owner: '%s' is none", what.Name)
	}
	return step, path[:len(path)-1], nil
}

// typeOfList is the part of the record the expression stands in.
func (b *builder) typeOfList(prefix []*join) *[]*node {
	list := &b.plan.nodes
	for _, step := range prefix {
		parent := findNode(*list, step.field.rel, parentNode)
		if parent == nil {
			parent = b.parent(step)
			*list = append(*list, parent)
		}
		list = &parent.children
	}
	return list
}

// checkWhens wants known types, each once.
func (b *builder) checkWhens(t *soql.TypeOf, rel string) error {
	seen := map[string]bool{}
	for _, w := range t.Whens {
		obj := b.c.schema.object(w.Type)
		if obj == nil {
			return atQuery("INVALID_TYPE", b.c.src, w.Pos, "sObject type '%s' is not supported. %s", w.Type, adviceEntity)
		}
		if seen[obj.name] {
			return atQuery("MALFORMED_QUERY", b.c.src, w.Pos, "TYPEOF %s names '%s' twice", rel, obj.name)
		}
		seen[obj.name] = true
	}
	return nil
}

// branchField adds a field of one branch: of the entity itself after WHEN, of the entity Name after ELSE.
func (b *builder) branchField(br *branch, e soql.Expr, t target, prefix []*join, named bool) error {
	f, isField := e.(*soql.Field)
	if !isField {
		return atQuery("INVALID_FIELD", b.c.src, e.Position(), "TYPEOF takes field names only")
	}
	if !named {
		r, err := b.nameColumn([]target{t}, f.Name, f.Pos)
		if err != nil {
			return err
		}
		br.children = append(br.children, &node{name: r.field.name, kind: leafNode, field: r.field, column: b.column(r.sql)})
		return nil
	}
	names := strings.Split(f.Name, ".")
	list, targets, poly, key := &br.children, []target{t}, false, "typeof"+t.alias
	for _, name := range names[:len(names)-1] {
		fd := targets[0].object.byRel[strings.ToLower(name)]
		if fd == nil || len(names)+len(prefix) > maxParents {
			return atQuery("INVALID_FIELD", b.c.src, f.Pos, "Didn't understand relationship '%s' in field path. %s", name, adviceRelationship)
		}
		step, err := b.join(targets[0], fd, key, f.Pos)
		if err != nil {
			return err
		}
		parent := findNode(*list, fd.rel, parentNode)
		if parent == nil {
			parent = b.parent(step)
			*list = append(*list, parent)
		}
		list, targets, poly, key = &parent.children, step.targets, fd.polymorphic(), step.path
	}
	r, err := b.scope.column(targets, names[len(names)-1], poly, f.Pos)
	if err != nil {
		return err
	}
	if taken(*list, r.field.name) {
		return atQuery("INVALID_FIELD", b.c.src, f.Pos, "duplicate field selected: %s", r.field.name)
	}
	if r.compound != nil {
		*list = append(*list, b.compoundNode(r))
		return nil
	}
	*list = append(*list, &node{name: r.field.name, field: r.field, column: b.column(r.sql)})
	return nil
}

package salesforce

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// relationsSince is the API version from which relationships can be followed by address.
const relationsSince = 36

// related follows relationships of a record by their names: up to five to parents, or one to the list of its children at the
// end (REST API developer guide, "Traverse Relationships with Friendly URLs").
func (o *Org) related(rq *request, obj *object, id string, path []string) (*response, error) {
	if rq.version < relationsSince {
		return nil, notFound()
	}
	if len(path) > maxParents {
		return nil, badRequest("INVALID_FIELD", "No more than %d relationships can be followed: shorten the path", maxParents)
	}
	if obj.name == "StreamingChannel" && len(path) == 1 && strings.EqualFold(path[0], "push") {
		return o.push(rq, obj, id)
	}
	for i, name := range path {
		r, err := readRecord(rq.ctx, o.db(rq), o.schema.object(obj.name), id)
		if err != nil {
			return nil, err
		}
		if f := obj.byRel[strings.ToLower(name)]; f != nil {
			// A parent that is not set is not there.
			if id = r.text(f.name); id == "" {
				return nil, notFound()
			}
			if obj = o.seen(rq).objectOf(id); obj == nil {
				return nil, notFound()
			}
			continue
		}
		rel := childNamed(obj, name)
		if rel == nil || i != len(path)-1 {
			return nil, notFound()
		}
		return o.relatedList(rq, rel, id)
	}
	return o.byID(rq, obj, id)
}

func childNamed(obj *object, name string) *childRel {
	for i := range obj.children {
		if strings.EqualFold(obj.children[i].name, name) {
			return &obj.children[i]
		}
	}
	return nil
}

// relatedList answers the children of a record as a query does, with the ?fields= asked for or all.
func (o *Org) relatedList(rq *request, rel *childRel, id string) (*response, error) {
	if rq.method != http.MethodGet && rq.method != http.MethodHead {
		return nil, methodNotAllowed(rq.method, readOnlyMethods...)
	}
	names, err := o.wantedFields(rq, rel.child)
	if err != nil {
		return nil, err
	}
	inner := *rq
	inner.segs = []string{"query"}
	inner.query = url.Values{"q": {"SELECT " + strings.Join(names, ", ") + " FROM " + rel.child.name + " WHERE " + rel.field.name + " = '" + id + "'"}}
	res, err := o.query(&inner, false)
	if err != nil {
		return nil, ofRecord(err)
	}
	return res, nil
}

// wantedFields are those of ?fields=, or else all that can be read.
func (o *Org) wantedFields(rq *request, obj *object) ([]string, error) {
	var names []string
	if list := rq.query.Get("fields"); list != "" {
		names = splitList(list)
		for i, n := range names {
			names[i] = strings.TrimSpace(n)
			if err := readable(obj, names[i]); err != nil {
				return nil, err
			}
		}
		return dedupe(names), nil
	}
	for _, f := range obj.fields {
		if f.listed() {
			names = append(names, f.name)
		}
	}
	for _, c := range obj.compounds {
		names = append(names, c.name)
	}
	return names, nil
}

// readable refuses what is no name of a field, or of one behind a relationship. Whether there is such a field the query tells.
func readable(obj *object, name string) error {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isNameRune(r) }) {
		return badRequest("INVALID_FIELD", "No such column '%s' on sobject of type %s", shorten(name), obj.name)
	}
	return nil
}

var noColumn = regexp.MustCompile(`No such column '([^']*)' on entity '([^']*)'`) //nolint:gochecknoglobals // compiled once

// ofRecord words an error about a field for who asked for a record, and has not written a query.
func ofRecord(err error) error {
	e, isFault := errors.AsType[*apiError](err)
	if !isFault || e.Code != "INVALID_FIELD" {
		return err
	}
	m := noColumn.FindStringSubmatch(e.Message)
	if m == nil {
		return err
	}
	return badRequest("INVALID_FIELD", "No such column '%s' on sobject of type %s", m[1], m[2])
}

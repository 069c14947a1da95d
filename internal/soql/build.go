package soql

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Builder puts a SOQL query together from names and values, so that no value can become grammar: names must be names, and
// values are quoted. It is made by Build and is not safe for concurrent use.
type Builder struct {
	object string
	fields []string
	where  []string
	order  []string
	limit  int
	err    error
}

// name is an object, a field, or a path of them over relationships.
var name = regexp.MustCompile(`^[A-Za-z]\w{0,79}(\.[A-Za-z]\w{0,79}){0,5}$`)

// Build begins a query of an object.
func Build(object string) *Builder {
	b := &Builder{object: object}
	b.check(object)
	return b
}

func (b *Builder) check(n string) {
	if b.err == nil && !name.MatchString(n) {
		b.err = fmt.Errorf("%q is no name of an object or field", n)
	}
}

// Select adds fields; paths over relationships are written with dots.
func (b *Builder) Select(fields ...string) *Builder {
	for _, f := range fields {
		b.check(f)
	}
	b.fields = append(b.fields, fields...)
	return b
}

// Where adds a condition; all of them must hold. op is =, !=, <, <=, > or >=; value is a string, bool, int, int64 or
// time.Time.
func (b *Builder) Where(field, op string, value any) *Builder {
	b.check(field)
	switch op {
	case "=", "!=", "<", "<=", ">", ">=":
	default:
		b.fail("%q is no operator", op)
	}
	b.where = append(b.where, field+" "+op+" "+b.literal(value))
	return b
}

// In adds the condition that the field is one of the values; none of them matches nothing.
func (b *Builder) In(field string, values ...string) *Builder {
	b.check(field)
	if len(values) == 0 {
		values = []string{""}
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = String(v)
	}
	b.where = append(b.where, field+" IN ("+strings.Join(quoted, ", ")+")")
	return b
}

// AnyLike adds the condition that one of the fields holds the parts in this order, with anything before, between and after.
func (b *Builder) AnyLike(fields []string, parts ...string) *Builder {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = Like(p)
	}
	pattern := " LIKE '%" + strings.Join(escaped, "%") + "%'"
	list := make([]string, len(fields))
	for i, f := range fields {
		b.check(f)
		list[i] = f + pattern
	}
	b.where = append(b.where, "("+strings.Join(list, " OR ")+")")
	return b
}

// After adds the condition that the record stands after the place (at, id) in the order of a time field and the id.
func (b *Builder) After(field string, at time.Time, id string) *Builder {
	b.check(field)
	t := b.literal(at)
	b.where = append(b.where, "("+field+" > "+t+" OR ("+field+" = "+t+" AND Id > "+String(id)+"))")
	return b
}

// OrderBy adds an order, ascending unless desc.
func (b *Builder) OrderBy(field string, desc bool) *Builder {
	b.check(field)
	if desc {
		field += " DESC"
	}
	b.order = append(b.order, field)
	return b
}

// Limit bounds the number of records; 0 means the platform's own bound.
func (b *Builder) Limit(n int) *Builder {
	b.limit = n
	return b
}

func (b *Builder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
	}
}

func (b *Builder) literal(value any) string {
	switch v := value.(type) {
	case string:
		return String(v)
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	b.fail("a %T cannot be a value", value)
	return "null"
}

// Text returns the query's text, or what is wrong with it.
func (b *Builder) Text() (string, error) {
	if len(b.fields) == 0 {
		b.fail("the query selects nothing")
	}
	var q strings.Builder
	q.WriteString("SELECT " + strings.Join(b.fields, ", ") + " FROM " + b.object)
	if len(b.where) > 0 {
		q.WriteString(" WHERE " + strings.Join(b.where, " AND "))
	}
	if len(b.order) > 0 {
		q.WriteString(" ORDER BY " + strings.Join(b.order, ", "))
	}
	if b.limit > 0 {
		q.WriteString(" LIMIT " + strconv.Itoa(b.limit))
	}
	if b.err != nil {
		return "", b.err
	}
	if _, err := Parse(q.String()); err != nil {
		return "", fmt.Errorf("building a query: %w", err)
	}
	return q.String(), nil
}

// Found is what a search is to return of one object.
type Found struct {
	Object string
	Fields []string
}

// FindPhone returns a search for a term in all telephone fields.
func FindPhone(term string, limit int, returning ...Found) (string, error) {
	b := &Builder{}
	parts := make([]string, len(returning))
	for i, r := range returning {
		b.check(r.Object)
		for _, f := range r.Fields {
			b.check(f)
		}
		parts[i] = r.Object + "(" + strings.Join(r.Fields, ", ") + ")"
	}
	if b.err != nil {
		return "", b.err
	}
	q := "FIND {" + Term(term) + "} IN PHONE FIELDS RETURNING " + strings.Join(parts, ", ") + " LIMIT " + strconv.Itoa(limit)
	if _, err := ParseSearch(q); err != nil {
		return "", fmt.Errorf("building a search: %w", err)
	}
	return q, nil
}

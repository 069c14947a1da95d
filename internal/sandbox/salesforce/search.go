package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/tandemcc/tandem/internal/soql"
)

const maxFound = 2000 // rows of a search (SOQL and SOSL limits)

// find runs a search and returns the records as JSON, entity by entity.
func (o *Org) find(rq *request, src string, s *soql.Search) ([][]byte, error) {
	m, err := parseTerm(s.Term)
	if err == nil {
		err = errors.Join(checkSearchWith(src, s), pageOnce(src, s))
	}
	if err != nil {
		return nil, err
	}
	limit := maxFound
	if s.Limit != nil {
		if s.Limit.Value < 0 {
			return nil, atQuery("MALFORMED_SEARCH", src, s.Limit.Pos, "unexpected token: '-'")
		}
		limit = min(limit, s.Limit.Value)
	}
	returning := s.Returning
	if len(returning) == 0 {
		for _, obj := range o.seen(rq).objects {
			if obj.searchable() {
				returning = append(returning, soql.Returning{Name: obj.name})
			}
		}
	}
	var out [][]byte
	for _, ret := range returning {
		if left := limit - len(out); ret.Limit == nil || ret.Limit.Value > left {
			ret.Limit = &soql.Int{Value: left} // more would be read for nothing
		}
		found, err := o.findIn(rq, src, s.Scope, m, ret)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out[:min(limit, len(out))], nil
}

// checkSearchWith refuses what steers a search in ways this org has nothing for, and what is no clause at all. Spelling is never
// corrected here, so that it may be switched on or off.
func checkSearchWith(src string, s *soql.Search) error {
	for _, w := range s.With {
		refuse := func(format string, args ...any) error {
			return atQuery("MALFORMED_SEARCH", src, w.Pos, format, args...)
		}
		switch w.Name {
		case "SPELL_CORRECTION":
			value, isSet := strings.CutPrefix(w.Text, "=")
			if value = strings.ToLower(strings.TrimSpace(value)); !isSet || value != "true" && value != "false" {
				return refuse("WITH SPELL_CORRECTION takes = true or = false")
			}
		case "DATA", "DIVISION", "HIGHLIGHT", "METADATA", "NETWORK", "PRICEBOOKID", "SNIPPET":
			return refuse("this org has no data categories, divisions, sites and price books, and marks no terms in what it finds: remove WITH %s", w.Name)
		default:
			return refuse("unexpected token: '%s'", w.Name)
		}
	}
	return nil
}

// pageOnce checks the OFFSET of a search, which belongs to a single entity wherever it is written, and moves it there.
func pageOnce(src string, s *soql.Search) error {
	offset := s.Offset
	for _, r := range s.Returning {
		if offset == nil {
			offset = r.Offset
		}
	}
	switch {
	case offset == nil:
		return nil
	case len(s.Returning) != 1 || s.Offset != nil && s.Returning[0].Offset != nil:
		return atQuery("MALFORMED_SEARCH", src, offset.Pos, "OFFSET is allowed once, where RETURNING names a single sObject")
	case offset.Value < 0 || offset.Value > maxOffset:
		return badRequest("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOSL offset allowed is %d", maxOffset)
	}
	s.Returning[0].Offset = offset
	return nil
}

func (o *Org) findIn(rq *request, src string, scope soql.Scope, m matcher, ret soql.Returning) ([][]byte, error) {
	var err error
	env := o.environment(rq)
	seen := env.view.schema
	obj := seen.object(ret.Name)
	if obj == nil {
		return nil, atQuery("INVALID_TYPE", src, ret.Pos, "sObject type '%s' is not supported. %s", ret.Name, adviceEntity)
	}
	if !obj.searchable() {
		return nil, atQuery("INVALID_TYPE", src, ret.Pos, "entity type %s does not support search", obj.name)
	}
	if err := checkReturned(src, ret.Fields); err != nil {
		return nil, err
	}
	q := &soql.Query{
		Select: ret.Fields, From: []soql.From{{Name: obj.name}}, Where: ret.Where, OrderBy: ret.OrderBy, Limit: ret.Limit, Offset: ret.Offset,
	}
	if len(q.Select) == 0 {
		q.Select = []soql.SelectItem{{Expr: &soql.Field{Name: "Id"}}}
	}
	if q.From[0].Scope, err = searchList(src, obj, ret); err != nil {
		return nil, err
	}
	c := &compiler{schema: seen, src: src, zone: env.zone.String()}
	if ret.Limit.Value != 0 {
		if c.only, err = o.found(rq, obj, scope, m); err != nil {
			return nil, err
		}
	}
	p, err := c.compile(q)
	if err != nil || ret.Limit.Value == 0 {
		return nil, err // of a wrong field, whatever the data
	}
	run := &runner{db: o.db(rq), env: env, base: rq.base()}
	return run.records(rq.ctx, p, "")
}

// checkReturned refuses columns that are of queries alone.
func checkReturned(src string, fields []soql.SelectItem) error {
	for _, item := range fields {
		f, isFunc := item.Expr.(*soql.Func)
		if item.Expr == nil || isFunc && hasAggregate(f) {
			return atQuery("MALFORMED_SEARCH", src, item.Pos, "a search returns fields, and no aggregates, children or TYPEOF: remove %s", item)
		}
	}
	return nil
}

// searchList is the scope of USING ListView: the platform's own lists of all records and of one's own are known.
func searchList(src string, obj *object, ret soql.Returning) (string, error) {
	lists := strings.ReplaceAll(obj.plural, " ", "")
	switch {
	case ret.ListView == "", strings.EqualFold(ret.ListView, "All"+lists):
		return "", nil
	case strings.EqualFold(ret.ListView, "My"+lists) && obj.hasOwner():
		return "mine", nil
	}
	return "", atQuery("MALFORMED_SEARCH", src, ret.Pos, "the list view '%s' of '%s' does not exist: use All%s or My%s", ret.ListView, obj.name, lists, lists)
}

// found returns the ids of the records that match, as SQL. A plain number in phone fields is found by index.
func (o *Org) found(rq *request, obj *object, scope soql.Scope, m matcher) (*sqlText, error) {
	var numbered *sqlText
	if scope == soql.ScopePhone {
		if digits, plain := m.plainNumber(); plain {
			numbered = byNumber(obj, digits)
			if len(searchFields(obj, scope)) == len(searchFields(o.schema.object(obj.name), scope)) {
				return numbered, nil
			}
			// The index does not know which field a number is in, and the user may not read all of them.
		}
	}
	out := &sqlText{}
	ids, err := o.candidates(rq, obj, scope, m, numbered)
	if err != nil {
		return nil, err
	}
	list := []byte{'['}
	for i, id := range ids {
		if i > 0 {
			list = append(list, ',')
		}
		list = appendString(list, id)
	}
	out.WriteString("SELECT value FROM json_each(")
	out.arg(string(append(list, ']')))
	out.WriteString(")")
	return out, nil
}

// byNumber selects the ids of the records with a number that ends in the digits.
func byNumber(obj *object, digits string) *sqlText {
	out, key := &sqlText{}, reverse(digits)
	out.WriteString("SELECT id FROM phone WHERE entity = ")
	out.arg(obj.prefix)
	out.WriteString(" AND reversed >= ")
	out.arg(key)
	out.WriteString(" AND reversed < ")
	out.arg(key + "~")
	return out
}

// candidates reads the fields that are searched, record by record, and returns the ids of those that match. within selects
// the ids it looks at, nil: all.
func (o *Org) candidates(rq *request, obj *object, scope soql.Scope, m matcher, within *sqlText) (ids []string, err error) {
	fields := searchFields(obj, scope)
	if len(fields) == 0 || m.root == nil {
		return nil, nil
	}
	cols := []string{`"Id"`}
	for _, f := range fields {
		cols = append(cols, f.folded())
	}
	query := &sqlText{}
	query.WriteString("SELECT " + strings.Join(cols, ", ") + " FROM " + obj.table() + ` WHERE "IsDeleted" = 0`)
	if within != nil {
		query.WriteString(` AND "Id" IN (`)
		query.add(within)
		query.WriteString(")")
	}
	rows, err := o.db(rq).QueryContext(rq.ctx, query.String(), (&plan{args: query.args}).values(environment{}, "")...)
	if err != nil {
		return nil, fmt.Errorf("searching %s: %w", obj.name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row, ptrs := make([]any, len(cols)), make([]any, len(cols))
	for i := range row {
		ptrs[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(ptrs...); err != nil {
			return nil, fmt.Errorf("searching %s: %w", obj.name, err)
		}
		if id, _ := row[0].(string); m.match(documentOf(fields, row[1:])) {
			ids = append(ids, id)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("searching %s: %w", obj.name, err)
	}
	return ids, nil
}

// alsoNames are the fields IN NAME FIELDS searches besides those that name records (SOQL and SOSL reference, "IN SearchGroup").
func alsoNames() []string {
	return []string{
		"Contact.FirstName", "Contact.LastName", "User.FirstName", "User.LastName", "User.CommunityNickname", "Account.Website",
		"Case.SuppliedName", "Case.Subject", "Task.Subject",
	}
}

func searchFields(obj *object, scope soql.Scope) []*field {
	var out []*field
	for _, f := range obj.fields {
		var fits bool
		switch scope {
		case soql.ScopePhone:
			fits = f.kind == typePhone
		case soql.ScopeEmail:
			fits = f.kind == typeEmail
		case soql.ScopeName:
			fits = f.nameField || slices.Contains(alsoNames(), obj.name+"."+f.name)
		default:
			fits = f.text() && f.kind != typePicklist
		}
		if fits && !f.writeOnly {
			out = append(out, f)
		}
	}
	return out
}

// document is what a record is searched by: the words of its fields, and the digits of its numbers.
type document struct {
	words  [][]string // per field, in order
	digits []string
}

func documentOf(fields []*field, values []any) document {
	var d document
	for i, f := range fields {
		s, _ := values[i].(string)
		if s == "" {
			continue
		}
		if f.kind == typePhone {
			d.digits = append(d.digits, digitsOf(s))
		}
		d.words = append(d.words, words(strings.ToLower(s)))
	}
	return d
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// digitsOf keeps the digits of a number up to an extension, without an international 00.
func digitsOf(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsLetter(r) && b.Len() >= 7 {
			break
		}
		if r >= '0' && r <= '9' {
			b.WriteRune(r)
		}
	}
	return strings.TrimPrefix(b.String(), "00")
}

func reverse(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

var addPhoneRow = newInsertion("phone", []string{"entity", "reversed", "id"}, " ON CONFLICT DO NOTHING") //nolint:gochecknoglobals // never changed

const qDropPhone = `DELETE FROM phone WHERE entity = ? AND reversed = ? AND id = ?`

// phoneKey is a place in the index of numbers.
type phoneKey struct{ entity, reversed string }

// extended marks, after the prefix of an entity, texts with other last digits than those of their number: an extension.
// Searches do not look at them; LIKE, which compares texts, does.
const extended = "+"

// phoneKeys lists where the index has a number: by the digits of the number and, where they differ, by those of the text.
func phoneKeys(obj *object, text string) (keys []phoneKey) {
	number := digitsOf(text)
	if number != "" {
		keys = append(keys, phoneKey{obj.prefix, reverse(number)})
	}
	if all := onlyDigits(text); all != number {
		keys = append(keys, phoneKey{obj.prefix + extended, reverse(all)})
	}
	return keys
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// indexPhones keeps the numbers of a record where a search finds them by their last digits. old is nil for a new record.
func indexPhones(ctx context.Context, st *store, tx *sql.Tx, obj *object, id string, old, r record) error {
	var errs []error
	for _, f := range obj.fields {
		if f.kind != typePhone || old.text(f.name) == r.text(f.name) {
			continue
		}
		for _, was := range phoneKeys(obj, old.text(f.name)) {
			err := st.exec(ctx, tx, qDropPhone, was.entity, was.reversed, id)
			errs = append(errs, err)
		}
	}
	for _, f := range obj.fields {
		// Two fields may hold one number: what was dropped above for the one comes back for the other.
		if f.kind != typePhone {
			continue
		}
		for _, is := range phoneKeys(obj, r.text(f.name)) {
			err := st.add(ctx, tx, addPhoneRow, is.entity, is.reversed, id)
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("indexing the numbers of a %s: %w", obj.name, err)
	}
	return nil
}

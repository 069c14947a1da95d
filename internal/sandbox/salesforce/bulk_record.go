package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// input turns the values of a record into stored ones: what is empty is left alone, #N/A clears a field.
func (l *loader) input(ctx context.Context, tx *sql.Tx, values []string, isNew bool) (record, error) {
	if l.values == nil {
		l.values = make(record, len(l.obj.fields))
	}
	r := l.values // nobody keeps it: what is stored and logged are its values
	clear(r)
	for i, c := range l.columns {
		s := values[i]
		if s == "" || c.f.kind == typeID {
			continue
		}
		if c.locked {
			return nil, onFields(badRequest("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: %s. Please check the security settings of "+
				"this field and verify that it is read/write for your profile or permission set.", c.f.name), c.f.name)
		}
		if s == "#N/A" {
			r[c.f.name] = nil
			continue
		}
		if len(s) > maxCSVField && utf8.RuneCountInString(s) > maxCSVField {
			return nil, onFields(badRequest("STRING_TOO_LONG", "%s: data value too large: a field of a bulk job takes %d characters", c.f.label, maxCSVField), c.f.name)
		}
		v, err := l.value(ctx, tx, c, s)
		if err != nil {
			return nil, err
		}
		r[c.f.name] = v
	}
	return r, checkRequired(l.obj, r, isNew)
}

func (l *loader) value(ctx context.Context, tx *sql.Tx, c csvColumn, s string) (any, error) {
	if c.rel != nil && c.relKey.kind != typeID {
		return l.parent(ctx, tx, c, s)
	}
	if c.f.kind == typeReference {
		if l.known[s] {
			return s, nil
		}
		v, err := l.org.checkReference(ctx, inTx{l.org.store, tx}, l.obj, c.f, s)
		if id, isText := v.(string); err == nil && isText && id == s && len(c.f.refs) == 1 {
			l.known[s] = c.f.refs[0] == l.org.schema.objectOf(s).name
		}
		return v, err
	}
	switch c.f.kind {
	case typeBoolean:
		switch strings.ToLower(s) {
		case "1", "yes", "y", "on", "t":
			s = "true"
		case "0", "no", "n", "off", "f":
			s = "false"
		}
	case typeDate:
		s = strings.TrimSuffix(s, "Z") // of XML Schema's date, which the guide's sample has
	default:
	}
	return l.org.checkDecoded(ctx, tx, l.obj, c.f, s)
}

// parent finds the record a reference by an external id is to.
func (l *loader) parent(ctx context.Context, tx *sql.Tx, c csvColumn, s string) (any, error) {
	ids, err := l.org.idsBy(ctx, tx, c.rel, c.relKey, s)
	switch {
	case err != nil:
		return nil, err
	case len(ids) > 1:
		return nil, onFields(badRequest("INVALID_FIELD", "More than one record found for external id field: [%s]", strings.Join(ids, ", ")), c.f.name)
	case len(ids) == 0:
		return nil, onFields(badRequest("INVALID_FIELD", "Foreign key external ID: %s not found for field %s in entity %s", shorten(s), c.relKey.name, c.rel.name), c.f.name)
	}
	return ids[0], nil
}

// csvColumn is what a column of the upload fills: a field, or a reference by an external id of what it points at.
type csvColumn struct {
	f      *field
	rel    *object
	relKey *field
	locked bool // cannot be written
}

// errNoHeader is data without a first line.
var errNoHeader = fmt.Errorf("%w : Unable to find any header row", errCSV)

const maxHeader = 32_000 // characters

func (l *loader) readHeader(ctx context.Context, c *csvReader) error {
	header, err := c.read()
	switch {
	case errors.Is(err, io.EOF):
		return errNoHeader
	case errors.Is(err, errInput):
		return err
	case err != nil:
		return fmt.Errorf("%w : the header cannot be read: %w", errCSV, err)
	case utf8.RuneCount(c.line) > maxHeader:
		return fmt.Errorf("%w : the header has more than %d characters", errCSV, maxHeader)
	}
	l.header = header
	if l.job.ExternalID != "" {
		l.key = l.obj.field(l.job.ExternalID)
	}
	seen := map[string]bool{}
	visible := l.org.viewOf(ctx, l.job.User).schema.object(l.obj.name)
	if visible == nil {
		return fmt.Errorf("%w : Unable to find object: %s", errCSV, l.obj.name)
	}
	for i, name := range header {
		col, err := l.column(visible, strings.TrimSpace(name))
		if err != nil {
			return err
		}
		if seen[col.f.name] {
			return fmt.Errorf("%w : Field name found twice : %s", errCSV, shorten(name))
		}
		seen[col.f.name] = true
		if col.f.kind == typeID {
			l.idAt = i
		}
		if col.f == l.key && col.rel == nil {
			l.keyAt = i
		}
		l.columns = append(l.columns, col)
	}
	return nil
}

// column resolves a name of the header: Name, or Account.Ext__c, or Account:What.Ext__c where there is a choice. What the
// user cannot see is not there; what cannot be written fails the records that have a value.
func (l *loader) column(visible *object, name string) (csvColumn, error) {
	relation, key, dotted := strings.Cut(name, ".")
	if dotted {
		return l.reference(visible, name, relation, key)
	}
	f := l.obj.field(name)
	if f == nil || visible.field(name) == nil {
		return csvColumn{}, unknownColumn(name)
	}
	return csvColumn{f: f, locked: l.locks(f)}, nil
}

func unknownColumn(name string) error {
	return fmt.Errorf("%w : Field name not found : %s", errCSV, shorten(name))
}

// locks reports whether the operation cannot write a field.
func (l *loader) locks(f *field) bool {
	return f.kind != typeID && (f.readOnly || f.createOnly && l.job.Operation == "update")
}

// reference resolves a column of the form relationship.field.
func (l *loader) reference(visible *object, name, relation, key string) (csvColumn, error) {
	entity, rel, chosen := strings.Cut(relation, ":")
	if !chosen {
		entity, rel = "", relation
	}
	f := l.obj.byRel[strings.ToLower(rel)]
	switch {
	case f == nil || visible.field(f.name) == nil:
		return csvColumn{}, fmt.Errorf("%w : Unable to find relationship: %s", errCSV, shorten(rel))
	case chosen && !f.polymorphic():
		return csvColumn{}, fmt.Errorf("%w : type is not needed for non polymorphic foreign key references: %s", errCSV, f.rel)
	case !chosen && f.polymorphic():
		return csvColumn{}, fmt.Errorf("%w : type is needed for polymorphic foreign key references: %s", errCSV, f.rel)
	}
	for _, target := range f.refs {
		if entity != "" && !strings.EqualFold(target, entity) {
			continue
		}
		obj := l.org.schema.object(target)
		if kf := obj.field(key); kf != nil && kf.lookedUp() {
			return csvColumn{f: f, rel: obj, relKey: kf, locked: l.locks(f)}, nil
		}
	}
	return csvColumn{}, unknownColumn(name)
}

// lookedUp reports whether a field names records: an external id, or one that is indexed for looking up (describe's
// idLookup: Id, Name, Email and what is unique).
func (f *field) lookedUp() bool {
	return f.kind == typeID || f.external || f.unique || f.indexed && (f.nameField || f.kind == typeEmail)
}

// insertPlan is the statement for new records of this chunk: it names only the columns the upload and the platform fill.
type insertPlan struct {
	row    *insertion
	fields []*field
	next   int64 // ids are taken in blocks
	last   int64
}

func (l *loader) create(ctx context.Context, tx *sql.Tx, r record) (string, error) {
	if l.insert == nil {
		l.insert = l.planInsert()
	}
	p := l.insert
	if p.next >= p.last {
		err := tx.QueryRowContext(ctx, "INSERT INTO sequence (prefix, n) VALUES (?, ?) ON CONFLICT (prefix) DO UPDATE SET n = n + excluded.n RETURNING n",
			l.obj.prefix, idBlock).Scan(&p.last)
		if err != nil {
			return "", fmt.Errorf("taking ids: %w", err)
		}
		p.next = p.last - idBlock
	}
	p.next++
	id := makeID(l.obj.prefix, p.next)
	if err := l.org.fill(ctx, tx, l.job.User, l.obj, r, id, p.next); err != nil {
		return "", err
	}
	args := make([]any, 0, 2*len(p.fields))
	for _, f := range p.fields {
		v := r[f.name]
		if v == nil && f.kind == typeBoolean {
			v = false
		}
		args = append(args, v)
		if f.folded() != f.column() {
			args = append(args, fold(v))
		}
	}
	if err := l.org.store.add(ctx, tx, p.row, args...); err != nil {
		return "", fmt.Errorf("storing a %s: %w", l.obj.name, err)
	}
	return id, l.org.created(ctx, tx, l.job.User, l.obj, r)
}

const idBlock = 1000

func (l *loader) planInsert() *insertPlan {
	given := map[string]bool{}
	for _, c := range l.columns {
		given[c.f.name] = true
	}
	if l.key != nil {
		given[l.key.name] = true
	}
	p := &insertPlan{}
	var names []string
	for _, f := range l.obj.fields {
		// The platform fills what is read-only, has a default, or follows from another field.
		if f.writeOnly || !given[f.name] && !f.readOnly && f.defaultTo == "" && f.kind != typeBoolean && f.kind != typeID && f.kind != typeReference {
			continue
		}
		p.fields = append(p.fields, f)
		names = append(names, f.column())
		if f.folded() != f.column() {
			names = append(names, f.folded())
		}
	}
	p.row = newInsertion(l.obj.table(), names, "")
	return p
}

package salesforce

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/soql"
)

// pushTopic is an active PushTopic with its query understood.
type pushTopic struct {
	name     string
	query    *soql.Query
	src      string
	selected map[string]bool // canonical field names
	filtered map[string]bool
	fields   string // NotifyForFields
	kinds    map[changeKind]bool
}

// topics keeps the active PushTopics by entity. They are read again after one was changed or a transaction undone.
type topics struct {
	mu       sync.Mutex // guards below
	byEntity map[string][]*pushTopic
}

func (t *topics) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byEntity = nil
}

const qTopics = `SELECT "Name", "Query", "NotifyForFields", "NotifyForOperationCreate", "NotifyForOperationUpdate", "NotifyForOperationDelete",
 "NotifyForOperationUndelete" FROM "PushTopic" WHERE "IsActive" = 1 AND "IsDeleted" = 0 ORDER BY "Id"`

func (o *Org) topicsOf(ctx context.Context, tx *sql.Tx, obj *object) ([]*pushTopic, error) {
	o.topics.mu.Lock()
	defer o.topics.mu.Unlock()
	if o.topics.byEntity != nil {
		return o.topics.byEntity[obj.name], nil
	}
	rows, err := tx.QueryContext(ctx, qTopics)
	if err != nil {
		return nil, fmt.Errorf("reading the topics: %w", err)
	}
	raw, err := scanAll(rows, 7)
	if err != nil {
		return nil, fmt.Errorf("reading the topics: %w", err)
	}
	all := map[string][]*pushTopic{}
	for _, row := range raw {
		name, _ := row[0].(string)
		src, _ := row[1].(string)
		t, entity, err := o.parseTopic(name, src)
		if err != nil {
			continue // its entity was taken away since
		}
		t.fields, _ = row[2].(string)
		t.kinds = map[changeKind]bool{
			kindCreate: row[3] == int64(1), kindUpdate: row[4] == int64(1), kindDelete: row[5] == int64(1), kindUndelete: row[6] == int64(1),
		}
		all[entity.name] = append(all[entity.name], t)
	}
	o.topics.byEntity = all
	return all[obj.name], nil
}

// parseTopic checks the query of a PushTopic: Id must be selected, and nothing but fields and conditions is allowed
// (Streaming API guide, "Supported PushTopic Queries").
func (o *Org) parseTopic(name, src string) (*pushTopic, *object, error) {
	q, err := soql.Parse(src)
	if err != nil {
		return nil, nil, badRequest("INVALID_FIELD", "the query of a PushTopic: %s", err)
	}
	obj := o.schema.object(q.From[0].Name)
	if obj == nil || !obj.tracked() {
		return nil, nil, badRequest("INVALID_FIELD", "entity %s is not supported by PushTopics", shorten(q.From[0].Name))
	}
	if problem := unsupported(obj, q); problem != "" {
		return nil, nil, badRequest("INVALID_FIELD", "%s", problem)
	}
	c := &compiler{schema: o.schema, src: src, zone: "UTC"}
	p, err := c.compile(q)
	if err != nil {
		return nil, nil, err
	}
	t := &pushTopic{name: name, query: q, src: src, selected: map[string]bool{}, filtered: map[string]bool{}}
	for _, n := range p.nodes {
		if n.kind != leafNode {
			return nil, nil, badRequest("INVALID_FIELD", "relationships are not supported")
		}
		t.selected[n.field.name] = true
	}
	if !t.selected["Id"] {
		return nil, nil, badRequest("INVALID_FIELD", "Id field must be selected in a PushTopic query")
	}
	fieldsOf(q.Where, func(name string) {
		if f := obj.field(name); f != nil {
			t.filtered[f.name] = true
		}
	})
	return t, obj, nil
}

// unsupported says what of a query PushTopics do not take, in the platform's words (Streaming API guide, "Unsupported
// PushTopic Queries").
func unsupported(obj *object, q *soql.Query) string {
	switch {
	case q.Count || isAggregate(q):
		return "Aggregate queries are not supported"
	case len(q.From) > 1:
		return "relationships are not supported"
	case len(q.OrderBy) > 0:
		return "'ORDER BY' clause is not allowed"
	case q.Limit != nil:
		return "'LIMIT' is not allowed"
	case q.Offset != nil:
		return "'OFFSET' is not allowed"
	case negates(q.Where):
		return "'NOT' is not supported"
	}
	problem := ""
	operands(q.Where, func(e soql.Expr) {
		f, isField := e.(*soql.Field)
		if isField && strings.Contains(f.Name, ".") {
			problem = "relationships are not supported"
		}
	})
	conditions(q.Where, func(c soql.Cond) {
		in, isIn := c.(*soql.In)
		if isIn && in.Sub != nil {
			problem = "semi/anti join sub-selects are not supported"
		}
	})
	fieldsOf(q.Where, func(name string) {
		if f := obj.field(name); f != nil && f.kind == typeTextArea {
			problem = "text area field '" + f.name + "' cannot be searched in a PushTopic query"
		}
	})
	return problem
}

// conditions tells a condition and those in it.
func conditions(c soql.Cond, tell func(c soql.Cond)) {
	if c == nil {
		return
	}
	tell(c)
	switch c := c.(type) {
	case *soql.And:
		for _, term := range c.Terms {
			conditions(term, tell)
		}
	case *soql.Or:
		for _, term := range c.Terms {
			conditions(term, tell)
		}
	case *soql.Not:
		conditions(c.Term, tell)
	}
}

// negates reports whether a condition has a NOT; NOT IN and != are none.
func negates(c soql.Cond) (found bool) {
	conditions(c, func(c soql.Cond) {
		_, is := c.(*soql.Not)
		found = found || is
	})
	return found
}

// fieldsOf tells the names of the fields a condition looks at.
func fieldsOf(c soql.Cond, tell func(name string)) {
	operands(c, func(e soql.Expr) {
		for {
			f, isFunc := e.(*soql.Func)
			if !isFunc {
				break
			}
			e = f.Arg
		}
		if f, isField := e.(*soql.Field); isField {
			tell(f.Name)
		}
	})
}

// operands tells what a condition compares with values.
func operands(c soql.Cond, tell func(e soql.Expr)) {
	conditions(c, func(c soql.Cond) {
		switch c := c.(type) {
		case *soql.Compare:
			tell(c.Left)
		case *soql.In:
			tell(c.Left)
		case *soql.Includes:
			tell(c.Left)
		case *soql.Calc:
			tell(c.A)
			tell(c.B)
		}
	})
}

// logTopics adds the events of the PushTopics whose conditions a changed record meets.
func (o *Org) logTopics(ctx context.Context, tx *sql.Tx, user string, obj *object, kind changeKind, old, now record) error {
	list, err := o.topicsOf(ctx, tx, obj)
	if err != nil {
		return err
	}
	for _, t := range list {
		if !t.kinds[kind] || kind == kindUpdate && !t.touched(old, now) {
			continue
		}
		sobject, err := o.topicRecord(ctx, tx, user, t, now.text("Id"))
		if err != nil || sobject == nil {
			if err != nil {
				return err
			}
			continue
		}
		if kind == kindDelete {
			sobject = append(appendString([]byte(`{"Id":`), now.text("Id")), '}')
		}
		data := append([]byte(`{"type":"`+topicType(kind)+`","sobject":`), sobject...)
		if err := o.addChange(ctx, tx, "/topic/"+t.name, kindTopic, now.text("Id"), user, append(data, '}')); err != nil {
			return err
		}
	}
	return nil
}

func topicType(kind changeKind) string {
	switch kind {
	case kindCreate:
		return "created"
	case kindDelete:
		return "deleted"
	case kindUndelete:
		return "undeleted"
	default:
		return "updated"
	}
}

// touched reports whether a change is of a field the topic notifies for.
func (t *pushTopic) touched(old, now record) bool {
	for name, v := range now {
		switch {
		case v == old[name], name == "SystemModstamp", name == "LastModifiedDate", name == "LastModifiedById":
			continue
		case strings.EqualFold(t.fields, "All"):
			return true
		case strings.EqualFold(t.fields, "Select") && t.selected[name],
			strings.EqualFold(t.fields, "Where") && t.filtered[name],
			strings.EqualFold(t.fields, "Referenced") && (t.selected[name] || t.filtered[name]):
			return true
		}
	}
	return false
}

// topicRecord reads what a topic selects of a record, nil when the record does not meet the conditions.
func (o *Org) topicRecord(ctx context.Context, tx *sql.Tx, user string, t *pushTopic, id string) ([]byte, error) {
	q := *t.query
	var where soql.Cond = &soql.In{Left: &soql.Field{Name: "Id"}, Values: []soql.Value{{Kind: soql.Text, Raw: id, Str: id}}}
	if q.Where != nil {
		where = &soql.And{Terms: []soql.Cond{where, q.Where}}
	}
	q.Where = where
	c := &compiler{schema: o.schema, src: t.src, zone: "UTC"}
	p, err := c.compile(&q)
	if err != nil {
		return nil, err
	}
	run := &runner{db: inTx{o.store, tx}, env: environment{now: o.now(), zone: time.UTC, user: user}}
	records, err := run.records(ctx, p, "")
	if err != nil || len(records) == 0 {
		return nil, err
	}
	_, rest, _ := bytes.Cut(records[0], []byte("},")) // what follows the attributes, which hold no object
	return slices.Concat([]byte("{"), rest), nil
}

// checkTopic refuses a PushTopic whose query cannot work, or names none of the fields it is to notify for.
func (o *Org) checkTopic(obj *object, r record) error {
	if obj.name != "PushTopic" {
		return nil
	}
	o.topics.clear()
	t, _, err := o.parseTopic(r.text("Name"), r.text("Query"))
	if err != nil {
		return err
	}
	selects, filters := len(t.selected) > 1, len(t.filtered) > 1 || len(t.filtered) == 1 && !t.filtered["Id"]
	fields := r.text("NotifyForFields")
	if !selects && !filters && strings.EqualFold(fields, "Referenced") || !selects && strings.EqualFold(fields, "Select") || !filters && strings.EqualFold(fields, "Where") {
		return onFields(badRequest("INVALID_FIELD", "NotifyForFields %s needs a field other than Id in the clause it names: change it to All or name one", fields), "NotifyForFields")
	}
	return nil
}

// topicMessage writes the event of a PushTopic as the streaming API delivers it: without the fields a user may not see.
func (o *Org) topicMessage(c *change, v *view) ([]byte, error) {
	var in struct {
		Type    string          `json:"type"`
		SObject json.RawMessage `json:"sobject"`
	}
	if err := json.Unmarshal(c.data, &in); err != nil {
		return nil, err //nolint:wrapcheck // the log is ours: the caller reports it as such
	}
	if obj := o.schema.objectOf(c.id); !v.all {
		if obj == nil || !v.sees(obj) {
			return nil, nil
		}
		var values map[string]json.RawMessage
		if err := json.Unmarshal(in.SObject, &values); err != nil {
			return nil, err //nolint:wrapcheck // as above
		}
		maps.DeleteFunc(values, func(name string, _ json.RawMessage) bool { return v.schema.object(obj.name).field(name) == nil })
		raw, err := json.Marshal(values)
		if err != nil {
			return nil, err //nolint:wrapcheck // as above
		}
		in.SObject = raw
	}
	return json.Marshal(map[string]any{ //nolint:wrapcheck // as above
		"event":   map[string]any{"createdDate": c.at.UTC().Format(eventTime), "replayId": c.seq, "type": in.Type},
		"sobject": in.SObject,
	})
}

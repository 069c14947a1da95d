package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// manyMatches is the answer to an external id that several records have.
type manyMatches struct {
	field     *field
	ids, urls []string
}

func (m *manyMatches) Error() string { return "several records match" }

// fault is the error where the answer has no room for the list.
func (m *manyMatches) fault() *apiError {
	return onFields(badRequest("DUPLICATE_EXTERNAL_ID", "%s: more than one record found for external id field: [%s]", m.field.label, strings.Join(m.ids, ", ")), m.field.name)
}

// saveResult is the answer to a create, and one entry of a collection's.
type saveResult struct {
	ID      string     `json:"id,omitempty"`
	Success bool       `json:"success"`
	Errors  []apiError `json:"errors"`
	Created *bool      `json:"created,omitempty"`
}

// sobjects answers below /sobjects.
func (o *Org) sobjects(rq *request) (*response, error) {
	if len(rq.segs) == 1 {
		return rq.get(func() (*response, error) { return o.describeAll(rq), nil })
	}
	obj := o.seen(rq).object(rq.segs[1])
	if obj == nil {
		return nil, notFound()
	}
	rest := rq.segs[2:]
	if len(rest) == 0 {
		switch rq.method {
		case http.MethodGet, http.MethodHead:
			return o.overview(rq, obj)
		case http.MethodPost:
			return o.createOne(rq, obj)
		}
		return nil, methodNotAllowed(rq.method)
	}
	if read := o.sobjectPart(strings.ToLower(rest[0])); read != nil {
		return rq.get(func() (*response, error) { return read(rq, obj) })
	}
	return o.one(rq, obj, rest)
}

// sobjectPart is what a word after the name of an entity stands for, nil: it is no such word.
func (o *Org) sobjectPart(word string) func(*request, *object) (*response, error) {
	switch word {
	case "describe":
		return o.describe
	case "updated":
		return o.updated
	case "deleted":
		return o.deleted
	case "listviews":
		return o.listViews
	case "quickactions":
		return func(rq *request, obj *object) (*response, error) {
			if len(rq.segs) > 3 || !obj.layoutable() {
				return nil, notFound()
			}
			return ok([]any{}), nil
		}
	}
	return nil
}

// overview answers what an entity is and which of its records the user had to do with last.
func (o *Org) overview(rq *request, obj *object) (*response, error) {
	recent, err := o.recentRecords(rq, obj, maxRecentItems)
	if err != nil {
		return nil, err
	}
	return ok(map[string]any{"objectDescribe": o.describeBrief(rq, obj), "recentItems": recent}), nil
}

// one answers for a single record: by id, by external id, or what relationships of it lead to.
func (o *Org) one(rq *request, obj *object, rest []string) (*response, error) {
	if f := obj.field(rest[0]); f != nil {
		return o.byField(rq, obj, f, rest[1:])
	}
	id, valid := normalID(rest[0])
	switch {
	case valid && id[:3] == obj.prefix:
		return o.byIDAndPath(rq, obj, id, rest[1:])
	case len(rest) > 1:
		return nil, noExternalID(rest[0])
	case !valid:
		return nil, badRequest("MALFORMED_ID", "malformed id %s", shorten(rest[0]))
	}
	return nil, notFound()
}

func noExternalID(name string) error {
	return fault(http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: %s", shorten(name))
}

// byField answers below the name of a field: /Id takes new records and ids, an external id its values. A new record may be
// sent to either (REST API developer guide, "Create Records Using sObject Rows by External ID").
func (o *Org) byField(rq *request, obj *object, f *field, rest []string) (*response, error) {
	if !f.external && f.kind != typeID {
		return nil, noExternalID(f.name)
	}
	switch {
	case len(rest) == 0 && rq.method == http.MethodPost:
		return o.createOne(rq, obj)
	case len(rest) == 0 && rq.method == http.MethodPatch:
		return nil, badRequest("MISSING_ARGUMENT", "%s not specified", f.name)
	case len(rest) == 0:
		return nil, methodNotAllowed(rq.method, http.MethodPost)
	case f.kind != typeID:
		return o.byExternalID(rq, obj, f, rest[0], rest[1:])
	}
	id, valid := normalID(rest[0])
	if !valid || id[:3] != obj.prefix {
		return nil, badRequest("MALFORMED_ID", "malformed id %s", shorten(rest[0]))
	}
	return o.byIDAndPath(rq, obj, id, rest[1:])
}

func (o *Org) byIDAndPath(rq *request, obj *object, id string, path []string) (*response, error) {
	switch {
	case len(path) == 0:
		return o.byID(rq, obj, id)
	case obj.name == "User" && len(path) == 1 && strings.EqualFold(path[0], "password"):
		return o.userPassword(rq, id)
	}
	return o.related(rq, obj, id, path)
}

func (o *Org) byID(rq *request, obj *object, id string) (*response, error) {
	switch rq.method {
	case http.MethodGet, http.MethodHead:
		return o.retrieve(rq, obj, id)
	case http.MethodPatch:
		if err := o.precondition(rq, obj, id); err != nil {
			return nil, err
		}
		in, err := recordIn(rq, obj)
		if err != nil {
			return nil, err
		}
		if err := o.updateOne(rq, obj, id, in); err != nil {
			return nil, located(rq.body, err)
		}
		o.noteRecent(rq, id)
		return noContent(), nil
	case http.MethodDelete:
		if err := o.precondition(rq, obj, id); err != nil {
			return nil, err
		}
		return noContent(), o.removeOne(rq, obj, id)
	}
	return nil, methodNotAllowed(rq.method)
}

// retrieve reads a record, all of it or the ?fields= asked for.
func (o *Org) retrieve(rq *request, obj *object, id string) (*response, error) {
	rec, err := readRecord(rq.ctx, o.db(rq), obj, id)
	if err != nil {
		return nil, err
	}
	header := validators(rec)
	if fresh, err := unchanged(rq, rec); err != nil || fresh {
		return &response{status: http.StatusNotModified, header: header}, err
	}
	names, err := o.wantedFields(rq, obj)
	if err != nil {
		return nil, err
	}
	body, err := o.selectOne(rq, obj, id, names)
	if err != nil {
		return nil, err
	}
	o.noteRecent(rq, id)
	return &response{status: http.StatusOK, header: header, body: body}, nil
}

func (o *Org) selectOne(rq *request, obj *object, id string, names []string) (json.RawMessage, error) {
	for _, n := range names {
		if err := readable(obj, n); err != nil {
			return nil, err
		}
	}
	env := o.environment(rq)
	p, err := o.planFor("SELECT "+strings.Join(dedupe(names), ", ")+" FROM "+obj.name+" WHERE Id = '"+id+"'", false, env)
	if err != nil {
		return nil, ofRecord(err)
	}
	run := &runner{db: o.db(rq), env: env, base: rq.base()}
	records, err := run.records(rq.ctx, p, "")
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, notFound()
	}
	return records[0], nil
}

func isNameRune(r rune) bool {
	return r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

func dedupe(names []string) []string {
	seen := map[string]bool{}
	out := names[:0:0]
	for _, n := range names {
		if k := strings.ToLower(n); !seen[k] {
			seen[k] = true
			out = append(out, n)
		}
	}
	return out
}

func (o *Org) createOne(rq *request, obj *object) (*response, error) {
	in, err := recordIn(rq, obj)
	if err != nil {
		return nil, err
	}
	id, err := o.insertOne(rq, obj, in)
	if err != nil {
		return nil, located(rq.body, err)
	}
	if obj.event {
		// A published event is on its way, and has no address but a name.
		queued := []collectionError{{Code: "OPERATION_ENQUEUED", Message: eventUUID(id), Fields: []string{}}}
		return &response{status: http.StatusCreated, body: collectionResult{saveResult: saveResult{ID: id, Success: true}, Errors: queued}}, nil
	}
	o.noteRecent(rq, id)
	return &response{
		status: http.StatusCreated, header: http.Header{"Location": {rq.base() + "/sobjects/" + obj.name + "/" + id}},
		body: saveResult{ID: id, Success: true, Errors: []apiError{}},
	}, nil
}

func (o *Org) insertOne(rq *request, obj *object, in map[string]json.RawMessage) (id string, err error) {
	obj = o.schema.object(obj.name)
	if err := o.mayWrite(rq.ctx, rq.user.user, obj, writeCreate, writtenFields(obj, in)); err != nil {
		return "", err
	}
	err = o.update(rq, func(tx *sql.Tx) error {
		r, err := o.checkInput(rq.ctx, tx, obj, in, true)
		if err != nil {
			return err
		}
		if err := o.strikeRecord(rq.ctx, http.MethodPost, restRecords, obj, "", rq.user.user); err != nil {
			return err
		}
		id, err = o.create(rq.ctx, tx, rq.user.user, obj, r)
		return err
	})
	return id, err
}

func (o *Org) updateOne(rq *request, obj *object, id string, in map[string]json.RawMessage) error {
	obj = o.schema.object(obj.name)
	if err := o.mayWrite(rq.ctx, rq.user.user, obj, writeEdit, writtenFields(obj, in)); err != nil {
		return err
	}
	return o.update(rq, func(tx *sql.Tx) error {
		r, err := o.checkInput(rq.ctx, tx, obj, in, false)
		if err != nil {
			return err
		}
		if err := o.strikeRecord(rq.ctx, http.MethodPatch, restRecords, obj, id, rq.user.user); err != nil {
			return err
		}
		return o.change(rq.ctx, tx, rq.user.user, obj, id, r)
	})
}

func (o *Org) removeOne(rq *request, obj *object, id string) error {
	obj = o.schema.object(obj.name)
	if err := o.mayWrite(rq.ctx, rq.user.user, obj, writeDelete, nil); err != nil {
		return err
	}
	return o.update(rq, func(tx *sql.Tx) error {
		if err := o.strikeRecord(rq.ctx, http.MethodDelete, restRecords, obj, id, rq.user.user); err != nil {
			return err
		}
		return o.remove(rq.ctx, tx, rq.user.user, obj, id)
	})
}

// seen is the entities and fields a call may know of.
func (o *Org) seen(rq *request) *schema { return o.viewOf(rq.ctx, rq.user.user).schema }

// byExternalID reads, upserts or deletes by a field that identifies records in another system, or follows relationships of
// the record it finds.
func (o *Org) byExternalID(rq *request, obj *object, f *field, value string, path []string) (*response, error) {
	switch {
	case len(path) > 0 || slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodDelete}, rq.method):
	case rq.method == http.MethodPatch:
		return o.upsert(rq, obj, f, value)
	default:
		return nil, methodNotAllowed(rq.method, recordMethods...)
	}
	ids, err := o.idsBy(rq.ctx, o.db(rq), obj, f, value)
	switch {
	case err != nil:
		return nil, err
	case len(ids) == 0:
		return nil, notFound()
	case len(ids) > 1:
		return nil, severalMatch(rq, obj, f, ids)
	}
	return o.byIDAndPath(rq, obj, ids[0], path)
}

func severalMatch(rq *request, obj *object, f *field, ids []string) error {
	m := &manyMatches{field: f, ids: ids}
	for _, id := range ids {
		m.urls = append(m.urls, rq.base()+"/sobjects/"+obj.name+"/"+id)
	}
	return m
}

func (o *Org) idsBy(ctx context.Context, db querier, obj *object, f *field, value string) ([]string, error) {
	if tx, isTx := db.(*sql.Tx); isTx {
		db = inTx{o.store, tx}
	}
	rows, err := db.QueryContext(ctx, `SELECT "Id" FROM `+obj.table()+" WHERE "+f.matched("?")+` AND "IsDeleted" = 0 LIMIT 20`, f.matching(value)...)
	if err != nil {
		return nil, fmt.Errorf("looking for %s: %w", obj.name, err)
	}
	raw, err := scanAll(rows, 1)
	if err != nil {
		return nil, fmt.Errorf("looking for %s: %w", obj.name, err)
	}
	var ids []string
	for _, row := range raw {
		id, _ := row[0].(string)
		ids = append(ids, id)
	}
	return ids, nil
}

// upsert changes the record with the external id, or makes it.
func (o *Org) upsert(rq *request, obj *object, f *field, value string) (*response, error) {
	in, err := recordIn(rq, obj)
	if err != nil {
		return nil, err
	}
	for name := range in {
		if obj.field(name) == f {
			return nil, badRequest("INVALID_FIELD", "The %s field should not be specified in the sobject data.", f.name)
		}
	}
	var id string
	created := false
	err = o.update(rq, func(tx *sql.Tx) error {
		ids, err := o.idsBy(rq.ctx, tx, obj, f, value)
		if err != nil {
			return err
		}
		inner := *rq
		inner.tx = tx
		switch len(ids) {
		case 0:
			if strings.EqualFold(rq.query.Get("updateOnly"), "true") {
				return notFound()
			}
			created = true
			raw, err := json.Marshal(value)
			if err != nil {
				return fmt.Errorf("encoding the external id: %w", err)
			}
			in[f.name] = raw
			id, err = o.insertOne(&inner, obj, in)
			return err
		case 1:
			id = ids[0]
			if err := o.precondition(&inner, obj, id); err != nil {
				return err
			}
			return o.updateOne(&inner, obj, id, in)
		}
		return severalMatch(rq, obj, f, ids)
	})
	if err != nil {
		return nil, located(rq.body, err)
	}
	o.noteRecent(rq, id)
	if !created && rq.version < 46 {
		return noContent(), nil
	}
	status, header := http.StatusOK, http.Header{}
	if created {
		status = http.StatusCreated
		header.Set("Location", rq.base()+"/sobjects/"+obj.name+"/"+id)
	}
	return &response{status: status, header: header, body: saveResult{ID: id, Success: true, Errors: []apiError{}, Created: &created}}, nil
}

// The window of updated and deleted lists, and how long deleted records stay in the bin.
const (
	maxWindow = 30 * 24 * time.Hour
	binTime   = 15 * 24 * time.Hour
)

func window(rq *request, now time.Time) (from, to time.Time, err error) {
	var bounds [2]time.Time
	for i, name := range []string{"start", "end"} {
		// A + that was not encoded arrives as a space.
		text := strings.ReplaceAll(rq.query.Get(name), " ", "+")
		if bounds[i], err = parseDateTime(text); err != nil {
			return from, to, badRequest("INVALID_REPLICATION_DATE", "%s: %s", name, err)
		}
	}
	// Seconds are left out of account.
	from, to = bounds[0].Truncate(time.Minute), bounds[1].Truncate(time.Minute)
	switch {
	case !to.After(from):
		return from, to, badRequest("INVALID_REPLICATION_DATE", "endDate should be at least a minute greater than startDate")
	case to.Sub(from) > maxWindow:
		return from, to, badRequest("INVALID_REPLICATION_DATE", "the time span is longer than 30 days: shorten it")
	case from.Before(now.Add(-maxWindow - time.Minute)):
		return from, to, badRequest("INVALID_REPLICATION_DATE", "startDate cannot be more than 30 days ago")
	}
	return from, to, nil
}

// covered is how far a list reaches: to the end that was asked for, but never into the future.
func covered(to, now time.Time) string {
	if to.After(now) {
		to = now.Truncate(time.Minute)
	}
	return to.UTC().Format(wireTime)
}

func (o *Org) inWindow(rq *request, obj *object, deleted bool, from, to time.Time) ([][]any, error) {
	rows, err := o.db(rq).QueryContext(rq.ctx, `SELECT "Id", "SystemModstamp" FROM `+obj.table()+
		` WHERE "SystemModstamp" >= ? AND "SystemModstamp" < ? AND "IsDeleted" = ? ORDER BY "SystemModstamp", "Id"`, from.UnixMilli(), to.UnixMilli(), deleted)
	if err != nil {
		return nil, fmt.Errorf("reading the changes of %s: %w", obj.name, err)
	}
	raw, err := scanAll(rows, 2)
	if err != nil {
		return nil, fmt.Errorf("reading the changes of %s: %w", obj.name, err)
	}
	return raw, nil
}

func (o *Org) updated(rq *request, obj *object) (*response, error) {
	from, to, err := window(rq, o.now())
	if err != nil {
		return nil, err
	}
	raw, err := o.inWindow(rq, obj, false, from, to)
	if err != nil {
		return nil, err
	}
	ids := []any{}
	for _, row := range raw {
		ids = append(ids, row[0])
	}
	return ok(map[string]any{"ids": ids, "latestDateCovered": covered(to, o.now())}), nil
}

func (o *Org) deleted(rq *request, obj *object) (*response, error) {
	from, to, err := window(rq, o.now())
	if err != nil {
		return nil, err
	}
	earliest := o.now().Add(-binTime)
	raw, err := o.inWindow(rq, obj, true, from, to)
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, row := range raw {
		ms, _ := row[1].(int64)
		list = append(list, map[string]any{"id": row[0], "deletedDate": time.UnixMilli(ms).UTC().Format(wireTime)})
	}
	return ok(map[string]any{
		"deletedRecords": list, "earliestDateAvailable": earliest.UTC().Format(wireTime), "latestDateCovered": covered(to, o.now()),
	}), nil
}

// faultOf is an error as one entry of a collection's result shows it.
func (o *Org) faultOf(rq *request, err error) apiError {
	if many, ok := errors.AsType[*manyMatches](err); ok {
		return *many.fault()
	}
	return *o.fail(rq.ctx, err)
}

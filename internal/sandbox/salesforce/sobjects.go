package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// manyMatches is the answer to an external id that several records have.
type manyMatches struct{ urls []string }

func (m *manyMatches) Error() string { return "several records match" }

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
		case http.MethodGet:
			return ok(map[string]any{"objectDescribe": o.describeBrief(rq, obj), "recentItems": []any{}}), nil
		case http.MethodPost:
			return o.createOne(rq, obj)
		}
		return nil, methodNotAllowed(rq.method)
	}
	switch strings.ToLower(rest[0]) {
	case "describe":
		return rq.get(func() (*response, error) { return o.describe(rq, obj) })
	case "updated":
		return rq.get(func() (*response, error) { return o.updated(rq, obj) })
	case "deleted":
		return rq.get(func() (*response, error) { return o.deleted(rq, obj) })
	}
	return o.one(rq, obj, rest)
}

// one answers for a single record: by id, by external id, or what a relationship of it leads to.
func (o *Org) one(rq *request, obj *object, rest []string) (*response, error) {
	if len(rest) == 0 || len(rest) > 2 {
		return nil, notFound()
	}
	key, below := rest[0], ""
	if len(rest) == 2 {
		below = rest[1] //nolint:gosec // the length is two here
		if f := obj.field(key); f != nil {
			return o.byExternalID(rq, obj, f, below)
		}
	}
	id, valid := normalID(key)
	switch {
	case valid && id[:3] == obj.prefix && below != "":
		return o.related(rq, obj, id, below)
	case valid && id[:3] == obj.prefix:
		return o.byID(rq, obj, id)
	case below != "":
		return nil, fault(http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: %s", shorten(key))
	case !valid:
		return nil, badRequest("MALFORMED_ID", "malformed id %s", shorten(key))
	}
	return nil, notFound()
}

func (o *Org) byID(rq *request, obj *object, id string) (*response, error) {
	switch rq.method {
	case http.MethodGet, http.MethodHead:
		return o.retrieve(rq, obj, id)
	case http.MethodPatch:
		if err := o.precondition(rq, obj, id); err != nil {
			return nil, err
		}
		in, err := decodeRecord(rq.body)
		if err != nil {
			return nil, err
		}
		if err := o.updateOne(rq, obj, id, in); err != nil {
			return nil, err
		}
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
	var names []string
	for _, f := range obj.fields {
		if !f.writeOnly {
			names = append(names, f.name)
		}
	}
	if list := rq.query.Get("fields"); list != "" {
		names = splitList(list)
		for i, n := range names {
			names[i] = strings.TrimSpace(n)
		}
	}
	body, err := o.selectOne(rq, obj, id, names)
	if err != nil {
		return nil, err
	}
	return &response{status: http.StatusOK, header: header, body: body}, nil
}

func (o *Org) selectOne(rq *request, obj *object, id string, names []string) (json.RawMessage, error) {
	for _, n := range names {
		if strings.ContainsFunc(n, func(r rune) bool { return !isNameRune(r) }) || n == "" {
			return nil, badRequest("INVALID_FIELD", "No such column '%s' on sobject of type %s", shorten(n), obj.name)
		}
	}
	env := o.environment(rq)
	p, err := o.planFor("SELECT "+strings.Join(dedupe(names), ", ")+" FROM "+obj.name+" WHERE Id = '"+id+"'", false, env)
	if err != nil {
		return nil, err
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
	in, err := decodeRecord(rq.body)
	if err != nil {
		return nil, err
	}
	id, err := o.insertOne(rq, obj, in)
	if err != nil {
		return nil, err
	}
	if obj.event {
		// A published event is on its way, and has no address.
		queued := []collectionError{{Code: "OPERATION_ENQUEUED", Message: id, Fields: []string{}}}
		return &response{status: http.StatusCreated, body: map[string]any{"id": id, "success": true, "errors": queued}}, nil
	}
	return &response{
		status: http.StatusCreated, header: http.Header{"Location": {rq.base() + "/sobjects/" + obj.name + "/" + id}},
		body: saveResult{ID: id, Success: true, Errors: []apiError{}},
	}, nil
}

func (o *Org) insertOne(rq *request, obj *object, in map[string]json.RawMessage) (id string, err error) {
	obj = o.schema.object(obj.name)
	if err := o.mayWrite(rq.ctx, rq.user.user, obj, writeCreate, slices.Collect(maps.Keys(in))); err != nil {
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
	if err := o.mayWrite(rq.ctx, rq.user.user, obj, writeEdit, slices.Collect(maps.Keys(in))); err != nil {
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

// byExternalID reads, upserts or deletes by a field that identifies records in another system, or by Id.
func (o *Org) byExternalID(rq *request, obj *object, f *field, value string) (*response, error) {
	if !f.external && f.kind != typeID {
		return nil, fault(http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: %s", f.name)
	}
	if f.kind == typeID {
		return o.one(rq, obj, []string{value})
	}
	if rq.method == http.MethodPatch {
		return o.upsert(rq, obj, f, value)
	}
	ids, err := o.idsBy(rq.ctx, o.db(rq), obj, f, value)
	if err != nil {
		return nil, err
	}
	switch len(ids) {
	case 0:
		return nil, notFound()
	case 1:
		return o.byID(rq, obj, ids[0])
	}
	return nil, severalMatch(rq, obj, ids)
}

func severalMatch(rq *request, obj *object, ids []string) error {
	m := &manyMatches{}
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
	in, err := decodeRecord(rq.body)
	if err != nil {
		return nil, err
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
			return o.updateOne(&inner, obj, id, in)
		}
		return severalMatch(rq, obj, ids)
	})
	if err != nil {
		return nil, err
	}
	if !created && rq.version < 46 {
		return noContent(), nil
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return &response{status: status, body: saveResult{ID: id, Success: true, Errors: []apiError{}, Created: &created}}, nil
}

// related follows a relationship of a record: to its parent, or to the list of its children.
func (o *Org) related(rq *request, obj *object, id, name string) (*response, error) {
	r, err := readRecord(rq.ctx, o.db(rq), obj, id)
	if err != nil {
		return nil, err
	}
	if f := obj.byRel[strings.ToLower(name)]; f != nil {
		parent := o.seen(rq).objectOf(r.text(f.name))
		if parent == nil {
			return nil, fault(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
		}
		inner := *rq
		inner.segs = nil
		return o.byID(&inner, parent, r.text(f.name))
	}
	for _, rel := range obj.children {
		if strings.EqualFold(rel.name, name) {
			inner := *rq
			inner.segs = inner.segs[:1]
			inner.query = url.Values{"q": {"SELECT FIELDS(STANDARD) FROM " + rel.child.name + " WHERE " + rel.field.name + " = '" + id + "'"}}
			return rq.get(func() (*response, error) { return o.query(&inner, false) })
		}
	}
	return nil, notFound()
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
	if _, ok := errors.AsType[*manyMatches](err); ok {
		return *badRequest("DUPLICATE_EXTERNAL_ID", "several records have this external id")
	}
	return *o.fail(rq.ctx, err)
}

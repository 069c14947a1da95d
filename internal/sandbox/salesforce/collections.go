package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Limits of collections (REST API developer guide, "sObject Collections"; SOAP API developer guide, "update()").
const (
	maxCollection = 200
	maxChunks     = 10 // runs of records of one entity
	maxSameID     = 12 // changes of one record in one call
)

// typedRecord is a record with the entity it is of.
type typedRecord struct {
	object *object
	id     string
	ref    string
	fields map[string]json.RawMessage
}

// typed reads a record of a collection or a tree: entity and field names are part of its form.
func typed(seen *schema, raw json.RawMessage) (typedRecord, error) {
	fields, err := decodeRecord(raw)
	if err != nil {
		return typedRecord{}, err
	}
	var attributes struct {
		Type string `json:"type"`
		Ref  string `json:"referenceId"`
	}
	rec := typedRecord{fields: fields}
	for name, v := range fields {
		switch strings.ToLower(name) {
		case "attributes":
			if err := json.Unmarshal(v, &attributes); err != nil {
				return rec, jsonFault(v, err)
			}
			delete(fields, name)
		case "id":
			if err := json.Unmarshal(v, &rec.id); err != nil {
				return rec, jsonFault(v, err)
			}
			delete(fields, name)
		}
	}
	rec.ref = attributes.Ref
	if attributes.Type == "" {
		return rec, badRequest("JSON_PARSER_ERROR", "Each record needs attributes with its type.")
	}
	if rec.object = seen.object(attributes.Type); rec.object == nil {
		return rec, badRequest("INVALID_TYPE", "sObject type '%s' is not supported. %s", shorten(attributes.Type), adviceEntity)
	}
	return rec, nil
}

// typedRecords reads the records of a collection. One that is not well formed fails the call as a whole.
func (o *Org) typedRecords(rq *request, list []json.RawMessage) ([]typedRecord, error) {
	seen := o.seen(rq)
	out := make([]typedRecord, 0, len(list))
	chunks, setup := 0, false
	for i, raw := range list {
		rec, err := typed(seen, raw)
		if err != nil {
			return nil, err
		}
		for name := range rec.fields {
			if rec.object.field(name) == nil {
				return nil, badRequest("INVALID_FIELD", "No such column '%s' on sobject of type %s", shorten(name), rec.object.name)
			}
		}
		if i == 0 || rec.object != out[i-1].object {
			chunks++
		}
		setup = setup || rec.object.setup || rec.object.name == "User"
		out = append(out, rec)
	}
	if chunks > maxChunks {
		return nil, badRequest("INVALID_INPUT", "Cannot have more than %d chunks in a single operation. Please rearrange the data to reduce chunking.", maxChunks)
	}
	if setup && chunks > 1 {
		return nil, badRequest("MIXED_DML_OPERATION", "Records of the org's setup cannot be written together with those of other entities: send them on their own.")
	}
	return out, nil
}

// collection answers /composite/sobjects: up to 200 records at once, each with a result of its own.
func (o *Org) collection(rq *request) (*response, error) {
	rest := rq.segs[2:]
	switch {
	case len(rest) == 1 && (rq.method == http.MethodPost || rq.method == http.MethodGet):
		return o.collectionRead(rq, rest[0])
	case len(rest) == 0 && rq.method == http.MethodDelete:
		return o.collectionDelete(rq)
	case len(rest) == 0 && (rq.method == http.MethodPost || rq.method == http.MethodPatch):
		return o.collectionWrite(rq)
	case len(rest) == 2 && rq.method == http.MethodPatch && rq.version >= 46:
		return o.collectionUpserts(rq, rest[0], rest[1])
	case len(rest) > 2 || len(rest) == 2 && rq.version < 46:
		return nil, notFound()
	}
	return nil, methodNotAllowed(rq.method)
}

// records reads the body of a write and checks its size.
func (o *Org) records(rq *request) (list []typedRecord, allOrNone bool, err error) {
	var in struct {
		AllOrNone bool              `json:"allOrNone"`
		Records   []json.RawMessage `json:"records"`
	}
	if err := json.Unmarshal(rq.body, &in); err != nil {
		return nil, false, jsonFault(rq.body, err)
	}
	if in.Records == nil {
		return nil, false, badRequest("JSON_PARSER_ERROR", "'records' is a required field.")
	}
	if err := tooMany(len(in.Records)); err != nil {
		return nil, false, err
	}
	list, err = o.typedRecords(rq, in.Records)
	return list, in.AllOrNone, err
}

func tooMany(n int) error {
	if n > maxCollection {
		return badRequest("EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than %d records into this call", maxCollection)
	}
	return nil
}

func (o *Org) collectionWrite(rq *request) (*response, error) {
	list, allOrNone, err := o.records(rq)
	if err != nil {
		return nil, err
	}
	if rq.method == http.MethodPost {
		for _, rec := range list {
			if rec.id != "" {
				return nil, badRequest("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
			}
		}
		return o.each(rq, allOrNone, len(list), func(part *request, i int) (saveResult, error) {
			id, err := o.insertOne(part, list[i].object, list[i].fields)
			return saveResult{ID: id}, err
		})
	}
	times := map[string]int{}
	return o.each(rq, allOrNone, len(list), func(part *request, i int) (saveResult, error) {
		rec := list[i]
		if rec.id == "" {
			return saveResult{}, missingID("an update")
		}
		id, valid := normalID(rec.id)
		if !valid || id[:3] != rec.object.prefix {
			return saveResult{}, onFields(badRequest("MALFORMED_ID", "%s ID: id value of incorrect type: %s", rec.object.label, shorten(rec.id)), "Id")
		}
		if times[id]++; times[id] > maxSameID {
			return saveResult{}, sameID(id)
		}
		return saveResult{ID: id}, o.updateOne(part, rec.object, id, rec.fields)
	})
}

func missingID(call string) *apiError {
	return badRequest("MISSING_ARGUMENT", "Id not specified in %s call", call)
}

func sameID(id string) *apiError {
	return onFields(badRequest("DUPLICATE_VALUE", "Maximum number of duplicate updates in one batch (%d allowed). "+
		"Attempt to update Id more than once in this Api call: %s", maxSameID, id), "Id")
}

func (o *Org) collectionDelete(rq *request) (*response, error) {
	ids := splitList(rq.query.Get("ids"))
	if len(ids) == 0 {
		return nil, badRequest("MISSING_ARGUMENT", "ids is required: name the records to delete")
	}
	if err := tooMany(len(ids)); err != nil {
		return nil, err
	}
	return o.each(rq, strings.EqualFold(rq.query.Get("allOrNone"), "true"), len(ids), func(part *request, i int) (saveResult, error) {
		raw := strings.TrimSpace(ids[i])
		id, valid := normalID(raw)
		obj := o.seen(rq).objectOf(id)
		if !valid || obj == nil {
			return saveResult{}, badRequest("MALFORMED_ID", "malformed id %s", shorten(raw))
		}
		return saveResult{ID: id}, o.removeOne(part, obj, id)
	})
}

// collectionUpserts answers PATCH /composite/sobjects/{entity}/{field}.
func (o *Org) collectionUpserts(rq *request, entity, name string) (*response, error) {
	obj := o.seen(rq).object(entity)
	if obj == nil {
		return nil, notFound()
	}
	f := obj.field(name)
	if f == nil || !f.external && f.kind != typeID {
		return nil, fault(http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: %s", shorten(name))
	}
	list, allOrNone, err := o.records(rq)
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(list))
	times := map[string]int{}
	for i, rec := range list {
		if rec.object != obj {
			return nil, badRequest("INVALID_TYPE", "The records must be of the entity of the address, %s: one is of %s.", obj.name, rec.object.name)
		}
		if keys[i], err = takeKey(rec, f); err != nil {
			return nil, err
		}
		times[strings.ToLower(keys[i])]++
	}
	return o.each(rq, allOrNone, len(list), func(part *request, i int) (saveResult, error) {
		if f.kind != typeID && times[strings.ToLower(keys[i])] > 1 && keys[i] != "" {
			return saveResult{}, sameKey(f, keys[i])
		}
		return o.collectionUpsert(part, list[i], f, keys[i])
	})
}

// sameKey refuses records that name the same external id: which of them is to stay cannot be told.
func sameKey(f *field, key string) *apiError {
	return onFields(badRequest("DUPLICATE_VALUE", "Duplicate external id specified: %s", shorten(key)), f.name)
}

// takeKey takes the value that identifies a record out of it.
func takeKey(rec typedRecord, f *field) (string, error) {
	if f.kind == typeID {
		return rec.id, nil
	}
	for k, raw := range rec.fields {
		if !strings.EqualFold(k, f.name) {
			continue
		}
		delete(rec.fields, k)
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return "", jsonFault(raw, err)
		}
		switch x := v.(type) {
		case string:
			return x, nil
		case float64:
			return string(raw), nil
		case nil:
			return "", nil
		}
		return "", cannotRead(f, v)
	}
	return "", nil
}

func (o *Org) collectionUpsert(rq *request, rec typedRecord, f *field, key string) (saveResult, error) {
	made, kept := true, false
	if f.kind == typeID {
		if key == "" {
			id, err := o.insertOne(rq, rec.object, rec.fields)
			return saveResult{ID: id, Created: &made}, err
		}
		id, valid := normalID(key)
		if !valid || id[:3] != rec.object.prefix {
			return saveResult{}, onFields(badRequest("MALFORMED_ID", "%s ID: id value of incorrect type: %s", rec.object.label, shorten(key)), "Id")
		}
		return saveResult{ID: id, Created: &kept}, o.updateOne(rq, rec.object, id, rec.fields)
	}
	if key == "" {
		return saveResult{}, badRequest("MISSING_ARGUMENT", "%s not specified", f.name)
	}
	body, err := json.Marshal(rec.fields)
	if err != nil {
		return saveResult{}, fmt.Errorf("encoding a record: %w", err)
	}
	part := *rq
	part.body = body
	res, err := o.upsert(&part, rec.object, f, key)
	if err != nil {
		return saveResult{}, err
	}
	result, _ := res.body.(saveResult)
	return result, nil
}

// each runs fn for every record. With allOrNone the first failure undoes all.
func (o *Org) each(rq *request, allOrNone bool, n int, fn func(part *request, i int) (saveResult, error)) (*response, error) {
	allOrNone = allOrNone || rq.allOrNone
	var results []saveResult
	failed := false
	err := o.update(rq, func(tx *sql.Tx) error {
		results, failed = results[:0], false
		for i := range n {
			part := *rq
			part.tx = tx
			r, err := o.store.savepoint(rq.ctx, tx, func() (saveResult, error) { return fn(&part, i) })
			if e, isFault := errors.AsType[*apiError](err); isFault && e.Code == "JSON_PARSER_ERROR" {
				return err // a value that is not of its field's form: the call is not well formed
			}
			r.Success, r.Errors = err == nil, []apiError{}
			if err != nil {
				failed = true
				r.ID, r.Created = "", nil
				r.Errors = append(r.Errors, o.recordFault(rq, err))
			}
			results = append(results, r)
		}
		if failed && allOrNone {
			undone(results, rq.method == http.MethodPost)
			return errUndo
		}
		return nil
	})
	if err != nil && !errors.Is(err, errUndo) {
		return nil, err
	}
	list := make([]collectionResult, len(results))
	for i, r := range results {
		list[i] = collectionResult{saveResult: r, Errors: collectionErrors(r.Errors)}
	}
	return &response{status: http.StatusOK, body: list, failed: failed}, nil
}

// recordFault is the error of one record among several: what is not there is no resource of the address then.
func (o *Org) recordFault(rq *request, err error) apiError {
	e := o.faultOf(rq, err)
	if e.Code == "NOT_FOUND" && e.Message == notFound().Message {
		return *badRequest("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
	}
	return e
}

// collectionResult spells errors as collections do: statusCode instead of errorCode.
type collectionResult struct {
	saveResult
	Errors []collectionError `json:"errors"`
}

type collectionError struct {
	Code    string   `json:"statusCode"`
	Message string   `json:"message"`
	Fields  []string `json:"fields"`
}

func collectionErrors(list []apiError) []collectionError {
	out := []collectionError{}
	for _, e := range list {
		out = append(out, collectionError{Code: e.Code, Message: e.Message, Fields: append([]string{}, e.Fields...)})
	}
	return out
}

// undone tells of records that were taken and are not any more; those that were new have no id then.
func undone(results []saveResult, isNew bool) {
	for i, r := range results {
		if !r.Success {
			continue
		}
		if isNew || r.Created != nil && *r.Created {
			r.ID = ""
		}
		results[i] = saveResult{ID: r.ID, Errors: []apiError{*badRequest("ALL_OR_NONE_OPERATION_ROLLED_BACK",
			"Record rolled back because not all records were valid and the request was using AllOrNone header")}}
	}
}

// savepoint undoes what fn did when it fails, and only that.
func (s *store) savepoint(ctx context.Context, tx *sql.Tx, fn func() (saveResult, error)) (saveResult, error) {
	logged := s.txn.mark()
	if _, err := tx.ExecContext(ctx, "SAVEPOINT part"); err != nil {
		return saveResult{}, fmt.Errorf("setting a savepoint: %w", err)
	}
	r, err := fn()
	if err != nil {
		if _, undo := tx.ExecContext(ctx, "ROLLBACK TO part"); undo != nil {
			return r, errors.Join(err, undo)
		}
		s.txn.undo(logged)
	}
	if _, release := tx.ExecContext(ctx, "RELEASE part"); release != nil {
		return r, errors.Join(err, release)
	}
	return r, err
}

// collectionRead answers many ids of one entity, in their order; what is not there is null.
func (o *Org) collectionRead(rq *request, entity string) (*response, error) {
	obj := o.seen(rq).object(entity)
	if obj == nil {
		return nil, notFound()
	}
	in := struct {
		IDs    []string `json:"ids"`
		Fields []string `json:"fields"`
	}{IDs: splitList(rq.query.Get("ids")), Fields: splitList(rq.query.Get("fields"))}
	if rq.method == http.MethodPost {
		if err := json.Unmarshal(rq.body, &in); err != nil {
			return nil, jsonFault(rq.body, err)
		}
	}
	for _, f := range []struct {
		name string
		n    int
	}{{"ids", len(in.IDs)}, {"fields", len(in.Fields)}} {
		if f.n == 0 {
			return nil, badRequest("MISSING_ARGUMENT", "%s is required: give at least one", f.name)
		}
	}
	if len(in.IDs) > maxBatch {
		return nil, badRequest("EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than %d records into this call", maxBatch)
	}
	for i, name := range in.Fields {
		in.Fields[i] = strings.TrimSpace(name)
	}
	found, err := o.selectMany(rq, obj, in.IDs, in.Fields)
	if err != nil {
		return nil, err
	}
	out := make([]json.RawMessage, len(in.IDs))
	for i, raw := range in.IDs {
		id, _ := normalID(strings.TrimSpace(raw))
		if out[i] = found[id]; out[i] == nil {
			out[i] = json.RawMessage("null")
		}
	}
	return ok(out), nil
}

// selectMany reads records by id in one query. Ids that are none, or of another entity, are left out.
func (o *Org) selectMany(rq *request, obj *object, ids, names []string) (map[string]json.RawMessage, error) {
	for _, n := range names {
		if strings.ContainsFunc(n, func(r rune) bool { return !isNameRune(r) }) || n == "" {
			return nil, badRequest("INVALID_FIELD", "No such column '%s' on sobject of type %s", shorten(n), obj.name)
		}
	}
	var quoted []string
	for _, raw := range ids {
		if id, valid := normalID(strings.TrimSpace(raw)); valid && id[:3] == obj.prefix {
			quoted = append(quoted, "'"+id+"'")
		}
	}
	if len(quoted) == 0 {
		quoted = []string{"'" + makeID(obj.prefix, 0) + "'"} // of no record; the fields are checked all the same
	}
	env := o.environment(rq)
	p, err := o.planFor("SELECT "+strings.Join(dedupe(names), ", ")+" FROM "+obj.name+" WHERE Id IN ("+strings.Join(dedupe(quoted), ",")+")", false, env)
	if err != nil {
		return nil, err
	}
	run := &runner{db: o.db(rq), env: env, base: rq.base()}
	records, err := run.records(rq.ctx, p, "")
	if err != nil {
		return nil, err
	}
	out := make(map[string]json.RawMessage, len(records))
	for _, rec := range records {
		var head struct {
			Attributes struct {
				URL string `json:"url"`
			} `json:"attributes"`
		}
		if err := json.Unmarshal(rec, &head); err != nil {
			return nil, fmt.Errorf("reading back a record: %w", err)
		}
		out[head.Attributes.URL[strings.LastIndexByte(head.Attributes.URL, '/')+1:]] = rec
	}
	return out, nil
}

package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// Limits of composite calls (REST API developer guide, "Composite Resources").
const (
	maxSubrequests = 25
	maxCollection  = 200
	maxNested      = 2
	maxHeavy       = 5
)

// errUndo rolls a transaction back whose answer is already made.
var errUndo = errors.New("rolled back")

// composite answers below /composite.
func (o *Org) composite(rq *request) (*response, error) {
	if len(rq.segs) == 1 {
		if rq.method != http.MethodPost {
			return nil, methodNotAllowed(rq.method)
		}
		return o.compositeRequest(rq)
	}
	switch strings.ToLower(rq.segs[1]) {
	case "sobjects":
		return o.collection(rq)
	case "batch":
		return o.batch(rq)
	case "tree":
		return o.tree(rq)
	}
	return nil, notFound()
}

type subrequest struct {
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	ReferenceID string            `json:"referenceId"`
	Body        json.RawMessage   `json:"body"`
	Headers     map[string]string `json:"httpHeaders"`
	RichInput   json.RawMessage   `json:"richInput"` // the body, in a batch
}

type subresponse struct {
	Body    any               `json:"body"`
	Headers map[string]string `json:"httpHeaders"`
	Status  int               `json:"httpStatusCode"`
	Ref     string            `json:"referenceId"`
}

func (o *Org) compositeRequest(rq *request) (*response, error) {
	var in struct {
		AllOrNone bool         `json:"allOrNone"`
		Requests  []subrequest `json:"compositeRequest"`
	}
	if err := json.Unmarshal(rq.body, &in); err != nil {
		return nil, jsonFault(rq.body, err)
	}
	if len(in.Requests) == 0 || len(in.Requests) > maxSubrequests || rq.nested >= maxNested {
		return nil, badRequest("INVALID_INPUT", "between 1 and %d subrequests are allowed: split the call", maxSubrequests)
	}
	if err := checkHeavy(in.Requests); err != nil {
		return nil, err
	}
	var out []subresponse
	run := func(tx *sql.Tx) error {
		out = out[:0]
		done := map[string]any{}
		for i, sub := range in.Requests {
			res := o.compositePart(rq, tx, sub, done)
			out = append(out, res)
			if in.AllOrNone && res.Status >= http.StatusBadRequest {
				halt(&out, i, in.Requests)
				return errUndo
			}
		}
		return nil
	}
	var err error
	if in.AllOrNone {
		err = o.update(rq, run)
	} else {
		err = run(rq.tx)
	}
	if err != nil && !errors.Is(err, errUndo) {
		return nil, err
	}
	return ok(map[string]any{"compositeResponse": out}), nil
}

// checkHeavy refuses more than five queries and collections in one call (REST API developer guide, "Composite").
func checkHeavy(list []subrequest) error {
	n := 0
	for _, r := range list {
		path, _, _ := strings.Cut(strings.ToLower(r.URL), "?")
		segs := strings.Split(strings.Trim(kit.CleanPath(path), "/"), "/")
		if len(segs) < 4 || segs[0] != "services" || segs[1] != "data" {
			continue
		}
		switch segs[3] {
		case "query", "queryall", "search", "parameterizedsearch":
			n++
		case "composite":
			if len(segs) > 4 && segs[4] == "sobjects" {
				n++
			}
		}
	}
	if n > maxHeavy {
		return badRequest("INVALID_INPUT", "a composite call takes %d queries and collections at most: it has %d", maxHeavy, n)
	}
	return nil
}

// halt marks all but the failed part as not done.
func halt(out *[]subresponse, failed int, requests []subrequest) {
	stopped := []*apiError{badRequest("PROCESSING_HALTED", "The transaction was rolled back since another operation in the same transaction failed.")}
	all := make([]subresponse, len(requests))
	for i, r := range requests {
		all[i] = subresponse{Body: stopped, Headers: map[string]string{}, Status: http.StatusBadRequest, Ref: r.ReferenceID}
	}
	all[failed] = (*out)[failed]
	*out = all
}

func (o *Org) compositePart(rq *request, tx *sql.Tx, sub subrequest, done map[string]any) subresponse {
	res := subresponse{Headers: map[string]string{}, Ref: sub.ReferenceID}
	target, err := substitute(sub.URL, done)
	if err == nil {
		var body string
		if body, err = substitute(string(sub.Body), done); err == nil {
			res.Status, res.Body, err = o.subcall(rq, tx, sub, target, []byte(body), res.Headers)
		}
	}
	if err != nil {
		e := o.faultOf(rq, err)
		res.Status, res.Body = e.Status, []*apiError{&e}
		return res
	}
	raw, err := encode(res.Body)
	if err == nil && sub.ReferenceID != "" {
		var v any
		if json.Unmarshal(raw, &v) == nil {
			done[sub.ReferenceID] = v
		}
	}
	return res
}

// subcall runs one part of a composite or batch call.
func (o *Org) subcall(rq *request, tx *sql.Tx, sub subrequest, target string, body []byte, headers map[string]string) (int, any, error) {
	u, err := url.Parse(target)
	if err != nil {
		return 0, nil, badRequest("INVALID_INPUT", "the url of a subrequest cannot be read: %s", shorten(target))
	}
	segs := strings.Split(strings.Trim(kit.CleanPath("/"+u.Path), "/"), "/")
	if len(segs) > 2 && strings.EqualFold(segs[0], "services") && strings.EqualFold(segs[1], "data") {
		segs = segs[2:]
	}
	version, err := parseVersion(segs[0])
	if err != nil {
		return 0, nil, err
	}
	header := http.Header{}
	for k, v := range sub.Headers {
		header.Set(k, v)
	}
	inner := &request{
		ctx: rq.ctx, method: strings.ToUpper(sub.Method), version: version, segs: segs[1:], query: u.Query(), header: header, body: body,
		user: rq.user, tx: tx, nested: rq.nested + 1,
	}
	res, err := o.route(inner)
	if err != nil {
		return 0, nil, err
	}
	for k := range res.header {
		headers[k] = res.header.Get(k)
	}
	return res.status, res.body, nil
}

// substitute replaces @{ref.path} by what an earlier part answered.
func substitute(text string, done map[string]any) (string, error) {
	if !strings.Contains(text, "@{") {
		return text, nil
	}
	var fail error
	out := regexp.MustCompile(`@\{([A-Za-z0-9_]+)((?:\.[A-Za-z0-9_]+|\[\d+\])*)\}`).ReplaceAllStringFunc(text, func(m string) string {
		path := strings.FieldsFunc(m[2:len(m)-1], func(r rune) bool { return r == '.' || r == '[' || r == ']' })
		v, found := done[path[0]]
		for _, key := range path[1:] {
			switch x := v.(type) {
			case map[string]any:
				v = x[key]
			case []any:
				n, err := strconv.Atoi(key)
				if err != nil || n >= len(x) {
					found = false
					continue
				}
				v = x[n]
			default:
				found = false
			}
		}
		if !found || v == nil {
			fail = badRequest("PROCESSING_HALTED", "Invalid reference specified. No value for %s found: an earlier subrequest failed or has no such field", m[2:len(m)-1])
			return ""
		}
		return fmt.Sprint(v)
	})
	return out, fail
}

// batch runs independent calls.
func (o *Org) batch(rq *request) (*response, error) {
	if rq.method != http.MethodPost {
		return nil, methodNotAllowed(rq.method)
	}
	var in struct {
		Halt     bool         `json:"haltOnError"`
		Requests []subrequest `json:"batchRequests"`
	}
	if err := json.Unmarshal(rq.body, &in); err != nil {
		return nil, jsonFault(rq.body, err)
	}
	if len(in.Requests) == 0 || len(in.Requests) > maxSubrequests || rq.nested >= maxNested {
		return nil, badRequest("INVALID_INPUT", "between 1 and %d subrequests are allowed: split the call", maxSubrequests)
	}
	results := make([]map[string]any, 0, len(in.Requests))
	failed := false
	for _, sub := range in.Requests {
		if failed && in.Halt {
			results = append(results, map[string]any{"statusCode": 412, "result": []*apiError{fault(412, "BATCH_PROCESSING_HALTED", "an earlier request failed")}})
			continue
		}
		target := sub.URL
		if !strings.HasPrefix(target, "/") {
			target = "/" + target
		}
		status, body, err := o.subcall(rq, rq.tx, sub, target, sub.RichInput, map[string]string{})
		if err != nil {
			e := o.faultOf(rq, err)
			status, body, failed = e.Status, []*apiError{&e}, true
		}
		results = append(results, map[string]any{"statusCode": status, "result": body})
	}
	return ok(map[string]any{"hasErrors": failed, "results": results}), nil
}

// typedRecord is a record with the entity it is of.
type typedRecord struct {
	object *object
	id     string
	ref    string
	fields map[string]json.RawMessage
}

func (o *Org) typed(seen *schema, raw json.RawMessage) (typedRecord, error) {
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
	if rec.object = seen.object(attributes.Type); rec.object == nil {
		return rec, badRequest("INVALID_TYPE", "sObject type '%s' is not supported. %s", attributes.Type, adviceEntity)
	}
	return rec, nil
}

// collection answers /composite/sobjects: up to 200 records at once, each with a result of its own.
func (o *Org) collection(rq *request) (*response, error) {
	rest := rq.segs[2:]
	if len(rest) == 1 && (rq.method == http.MethodPost || rq.method == http.MethodGet) {
		return o.collectionRead(rq, rest[0])
	}
	if rq.method == http.MethodDelete && len(rest) == 0 {
		return o.collectionDelete(rq)
	}
	if rq.method != http.MethodPost && rq.method != http.MethodPatch {
		return nil, methodNotAllowed(rq.method)
	}
	var in struct {
		AllOrNone bool              `json:"allOrNone"`
		Records   []json.RawMessage `json:"records"`
	}
	if err := json.Unmarshal(rq.body, &in); err != nil {
		return nil, jsonFault(rq.body, err)
	}
	return o.each(rq, in.AllOrNone, len(in.Records), func(part *request, i int) (saveResult, error) {
		rec, err := o.typed(o.seen(rq), in.Records[i])
		switch {
		case err != nil:
			return saveResult{}, err
		case rq.method == http.MethodPost && len(rest) == 0:
			id, err := o.insertOne(part, rec.object, rec.fields)
			return saveResult{ID: id}, err
		case len(rest) == 0:
			return o.collectionUpdate(part, rec)
		case len(rest) == 2 && rq.method == http.MethodPatch:
			return o.collectionUpsert(part, rec, rest[1])
		}
		return saveResult{}, notFound()
	})
}

func (o *Org) collectionDelete(rq *request) (*response, error) {
	ids := splitList(rq.query.Get("ids"))
	return o.each(rq, rq.query.Get("allOrNone") == "true", len(ids), func(part *request, i int) (saveResult, error) {
		id, valid := normalID(ids[i])
		obj := o.seen(rq).objectOf(id)
		if !valid || obj == nil {
			return saveResult{}, badRequest("MALFORMED_ID", "malformed id %s", shorten(ids[i]))
		}
		return saveResult{ID: id}, o.removeOne(part, obj, id)
	})
}

func (o *Org) collectionUpdate(rq *request, rec typedRecord) (saveResult, error) {
	id, valid := normalID(rec.id)
	if !valid || id[:3] != rec.object.prefix {
		return saveResult{}, badRequest("MALFORMED_ID", "malformed id %s", shorten(rec.id))
	}
	return saveResult{ID: id}, o.updateOne(rq, rec.object, id, rec.fields)
}

func (o *Org) collectionUpsert(rq *request, rec typedRecord, name string) (saveResult, error) {
	f := rec.object.field(name)
	if f == nil || !f.external {
		return saveResult{}, fault(http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: %s", name)
	}
	var value string
	for k, v := range rec.fields {
		if strings.EqualFold(k, name) {
			if err := json.Unmarshal(v, &value); err != nil {
				return saveResult{}, jsonFault(v, err)
			}
			delete(rec.fields, k)
		}
	}
	if value == "" {
		return saveResult{}, badRequest("MISSING_ARGUMENT", "%s not specified", f.name)
	}
	body, err := json.Marshal(rec.fields)
	if err != nil {
		return saveResult{}, fmt.Errorf("encoding a record: %w", err)
	}
	part := *rq
	part.body, part.version = body, maxVersion
	res, err := o.upsert(&part, rec.object, f, value)
	if err != nil {
		return saveResult{}, err
	}
	result, _ := res.body.(saveResult)
	return result, nil
}

// each runs fn for every record. With allOrNone the first failure undoes all.
func (o *Org) each(rq *request, allOrNone bool, n int, fn func(part *request, i int) (saveResult, error)) (*response, error) {
	if n > maxCollection {
		return nil, badRequest("EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than %d records into this call", maxCollection)
	}
	var results []saveResult
	err := o.update(rq, func(tx *sql.Tx) error {
		results = results[:0]
		failed := false
		for i := range n {
			part := *rq
			part.tx = tx
			r, err := o.store.savepoint(rq.ctx, tx, func() (saveResult, error) { return fn(&part, i) })
			r.Success, r.Errors = err == nil, []apiError{}
			if err != nil {
				r.ID, failed = "", true
				r.Errors = append(r.Errors, o.faultOf(rq, err))
			}
			results = append(results, r)
		}
		if failed && allOrNone {
			undone(results)
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
	return ok(list), nil
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

func undone(results []saveResult) {
	for i := range results {
		if results[i].Success {
			results[i] = saveResult{Errors: []apiError{*badRequest("ALL_OR_NONE_OPERATION_ROLLED_BACK",
				"Record rolled back because not all records were valid and the request was using AllOrNone header")}}
		}
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

// collectionRead answers many ids of one entity; what is not there is null.
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
	if len(in.IDs) > maxBatch || len(in.Fields) == 0 {
		return nil, badRequest("INVALID_INPUT", "up to %d ids and at least one field are needed", maxBatch)
	}
	out := make([]json.RawMessage, len(in.IDs))
	for i, raw := range in.IDs {
		out[i] = json.RawMessage("null")
		id, valid := normalID(raw)
		if !valid || id[:3] != obj.prefix {
			return nil, badRequest("MALFORMED_ID", "malformed id %s", shorten(raw))
		}
		body, err := o.selectOne(rq, obj, id, in.Fields)
		var e *apiError
		switch {
		case err == nil:
			out[i] = body
		case !errors.As(err, &e) || e.Status != http.StatusNotFound:
			return nil, err
		}
	}
	return ok(out), nil
}

// tree answers /composite/tree/{entity}: records with their children, all or none.
func (o *Org) tree(rq *request) (*response, error) {
	if rq.method != http.MethodPost || len(rq.segs) != 3 {
		return nil, notFound()
	}
	var in struct {
		Records []json.RawMessage `json:"records"`
	}
	if err := json.Unmarshal(rq.body, &in); err != nil {
		return nil, jsonFault(rq.body, err)
	}
	t := &treeSaver{org: o, rq: rq}
	err := o.update(rq, func(tx *sql.Tx) error {
		part := *rq
		part.tx, t.rq = tx, &part
		t.ids, t.failed, t.count = nil, nil, 0
		if err := t.save(in.Records, nil, "", 1); err != nil {
			return err
		}
		if len(t.failed) > 0 {
			return errUndo
		}
		return nil
	})
	switch {
	case errors.Is(err, errUndo):
		return &response{status: http.StatusBadRequest, body: map[string]any{"hasErrors": true, "results": t.failed}}, nil
	case err != nil:
		return nil, err
	}
	return &response{status: http.StatusCreated, body: map[string]any{"hasErrors": false, "results": t.ids}}, nil
}

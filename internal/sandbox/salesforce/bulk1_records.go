package salesforce

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// row1 is a record of a batch in JSON, or why it cannot be one.
type row1 struct {
	fields map[string]json.RawMessage
	bad    *error1
}

// loadBatch1 writes the records of a batch, 200 at a time.
func (o *Org) loadBatch1(rq *request, j *job1) ([]result1, error) {
	read := o.rowsOfCSV
	if j.content == "JSON" {
		read = o.rowsOfJSON
	}
	rows, err := read(rq, j)
	if err != nil {
		return nil, err
	}
	if len(rows) > maxBatch1Records {
		return nil, badJob1("InvalidBatch", "Records in batch exceeded the limit of %d", maxBatch1Records)
	}
	out := make([]result1, 0, len(rows))
	for from := 0; from < len(rows); from += maxRows1 {
		part, err := o.loadRows1(rq, j, rows[from:min(from+maxRows1, len(rows))])
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	return out, nil
}

// loadRows1 writes up to 200 records by the collections of the REST API, which have the same rules.
func (o *Org) loadRows1(rq *request, j *job1, rows []row1) ([]result1, error) {
	out := make([]result1, len(rows))
	var good []int // of rows
	for i, row := range rows {
		if row.bad != nil {
			out[i] = result1{Errors: []error1{*row.bad}}
			continue
		}
		good = append(good, i)
	}
	if len(good) == 0 {
		return out, nil
	}
	done, err := o.collect1(rq, j, rows, good)
	if err != nil {
		return nil, err
	}
	for k, i := range good {
		if out[i] = j.outcomeOf(done[k]); !done[k].Success || j.operation != "hardDelete" {
			continue
		}
		if err := o.purge(rq, j.object, done[k].ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// collect1 returns what became of the rows named by good. A row that is not well formed fails the call for all: it is
// found by sending them one by one.
func (o *Org) collect1(rq *request, j *job1, rows []row1, good []int) ([]result1, error) {
	res, err := o.route(collection1(rq, j, rows, good))
	if e, isFault := errors.AsType[*apiError](err); isFault && e.Status < http.StatusInternalServerError {
		if len(good) == 1 {
			return []result1{{Errors: []error1{{e.Code, e.Message, append([]string{}, e.Fields...)}}}}, nil
		}
		out := make([]result1, 0, len(good))
		for _, i := range good {
			one, err := o.collect1(rq, j, rows, []int{i})
			if err != nil {
				return nil, err
			}
			out = append(out, one...)
		}
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	body, err := encode(res.body)
	if err != nil {
		return nil, err
	}
	var done []result1
	if err := json.Unmarshal(body, &done); err != nil || len(done) != len(good) {
		return nil, fmt.Errorf("reading the results of %d records: %w", len(good), err)
	}
	return done, nil
}

// outcomeOf is a result as Bulk API 1.0 has it.
func (j *job1) outcomeOf(r result1) result1 {
	r.Created = r.Success && (j.operation == "insert" || j.operation == "upsert" && r.Created)
	if !r.Success {
		r.ID = ""
	}
	if r.Errors == nil {
		r.Errors = []error1{}
	}
	return r
}

// collection1 is the call that writes some of the rows.
func collection1(rq *request, j *job1, rows []row1, good []int) *request {
	call := &request{ctx: rq.ctx, version: rq.version, header: rq.header, query: url.Values{}, user: rq.user, segs: []string{"composite", "sobjects"}}
	if j.operation == "delete" || j.operation == "hardDelete" {
		ids := make([]string, 0, len(good))
		for _, i := range good {
			ids = append(ids, textOf1(rows[i].fields["Id"]))
		}
		call.method, call.query = http.MethodDelete, url.Values{"ids": {strings.Join(ids, ",")}}
		return call
	}
	type collection struct {
		Records []map[string]json.RawMessage `json:"records"`
	}
	var in collection
	for _, i := range good {
		fields := map[string]json.RawMessage{"attributes": json.RawMessage(`{"type":"` + j.object + `"}`)}
		for name, v := range rows[i].fields {
			if name != "attributes" {
				fields[name] = v
			}
		}
		in.Records = append(in.Records, fields)
	}
	call.body, _ = json.Marshal(in) // of texts alone
	switch j.operation {
	case "insert":
		call.method = http.MethodPost
	case "update":
		call.method = http.MethodPatch
	default:
		call.method, call.version = http.MethodPatch, max(rq.version, 46) // the version the call came with
		call.segs = append(call.segs, j.object, j.externalID)
	}
	return call
}

func textOf1(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // "" is no id, and refused as such
	return s
}

// purge removes a deleted record for good.
func (o *Org) purge(rq *request, entity, id string) error {
	return o.update(rq, func(tx *sql.Tx) error {
		return o.store.exec(rq.ctx, tx, "DELETE FROM "+o.schema.object(entity).table()+` WHERE "Id" = ?`, id)
	})
}

func (o *Org) rowsOfJSON(rq *request, j *job1) ([]row1, error) {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(rq.body, &list); err != nil {
		return nil, badJob1("InvalidBatch", "Failed to parse the JSON: %s", err)
	}
	obj := o.seen(rq).object(j.object)
	rows := make([]row1, 0, len(list))
	for _, fields := range list {
		row := row1{fields: map[string]json.RawMessage{}}
		for name, v := range fields {
			key := name
			if f := obj.field(name); f != nil {
				key = f.name
			} else if obj.byRel[strings.ToLower(name)] == nil && name != "attributes" {
				return nil, badJob1("InvalidBatch", "Field name not found : %s", shorten(name))
			}
			row.fields[key] = v
		}
		rows = append(rows, j.checked(row))
	}
	return rows, nil
}

// checked refuses a row without an id that needs one, and takes one off that must have none.
func (j *job1) checked(row row1) row1 {
	id, has := row.fields["Id"]
	has = has && textOf1(id) != ""
	switch {
	case j.operation == "insert" && has:
		row.bad = &error1{"INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", []string{"Id"}}
	case (j.operation == "update" || strings.HasSuffix(strings.ToLower(j.operation), "delete")) && !has:
		row.bad = &error1{"MISSING_ARGUMENT", "Id not specified in " + map[bool]string{true: "an update call", false: "a delete call"}[j.operation == "update"], []string{}}
	case !has:
		delete(row.fields, "Id")
	}
	return row
}

// column1 is what a column of a CSV batch fills.
type column1 struct {
	f    *field
	path []string // Account, Ext__c for a reference by an external id
}

func (o *Org) rowsOfCSV(rq *request, j *job1) ([]row1, error) {
	c := newCSVReader(bytes.NewReader(rq.body), ',')
	c.skipMark()
	header, err := c.read()
	if err != nil {
		return nil, badJob1("InvalidBatch", "Unable to find any header row")
	}
	columns := make([]column1, 0, len(header))
	for _, name := range header {
		col, err := o.columnOf1(rq, j, strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		columns = append(columns, col)
	}
	var rows []row1
	for len(rows) <= maxBatch1Records {
		values, err := c.read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if _, isRow := errors.AsType[*rowError](err); err != nil && !isRow {
			return nil, badJob1("InvalidBatch", "the CSV cannot be read: %s", err)
		}
		row := row1{fields: map[string]json.RawMessage{}}
		if err != nil || len(values) != len(columns) {
			row.bad = &error1{"INVALID_CSV", fmt.Sprintf("the record has %d values, the header %d", len(values), len(columns)), []string{}}
			rows = append(rows, row)
			continue
		}
		for i, col := range columns {
			col.fill(row.fields, values[i])
		}
		rows = append(rows, j.checked(row))
	}
	return rows, nil
}

func (o *Org) columnOf1(rq *request, j *job1, name string) (column1, error) {
	obj := o.seen(rq).object(j.object)
	relation, key, dotted := strings.Cut(name, ".")
	if !dotted {
		if f := obj.field(name); f != nil {
			return column1{f: f}, nil
		}
		return column1{}, badJob1("InvalidBatch", "Field name not found : %s", shorten(name))
	}
	_, rel, chosen := strings.Cut(relation, ":") // What:Account.Ext__c names the type
	if !chosen {
		rel = relation
	}
	f := obj.byRel[strings.ToLower(rel)]
	if f == nil {
		return column1{}, badJob1("InvalidBatch", "Unable to find relationship: %s", shorten(rel))
	}
	return column1{f: f, path: []string{f.rel, key}}, nil
}

// fill puts a value into a record: what is empty is left alone, #N/A clears a field.
func (c column1) fill(fields map[string]json.RawMessage, s string) {
	switch {
	case s == "":
	case c.path != nil:
		value, _ := json.Marshal(map[string]string{c.path[1]: s}) // of texts alone
		fields[c.path[0]] = value
	default:
		fields[c.f.name] = jsonOf1(c.f.kind, s)
	}
}

// jsonOf1 is a value of CSV as JSON has it; what is no number or no yes and no stays text, and is refused as such.
func jsonOf1(kind fieldType, s string) json.RawMessage {
	if s == "#N/A" {
		return json.RawMessage("null")
	}
	switch kind {
	case typeBoolean:
		switch strings.ToLower(s) {
		case "true", "1", "yes", "y", "on", "t":
			return json.RawMessage("true")
		case "false", "0", "no", "n", "off", "f":
			return json.RawMessage("false")
		}
	case typeInt, typeDouble, typeCurrency:
		if v, err := strconv.ParseFloat(s, 64); err == nil {
			if raw, err := json.Marshal(v); err == nil { // not for what is infinite
				return raw
			}
		}
	default:
	}
	return appendString(nil, s)
}

// readBatch1 runs the query of a batch into a file, whose id it returns within out.
func (o *Org) readBatch1(rq *request, j *job1) (out job, err error) {
	out = job{Operation: j.operation, LineEnding: "LF", Delimiter: "COMMA", User: rq.user.user, Version: max(j.version, 50), State: jobInProgress}
	if err := o.checkQueryJob(rq, &out, newJob{Operation: j.operation, Query: strings.TrimSpace(string(rq.body))}); err != nil {
		return out, err
	}
	if !strings.EqualFold(out.Object, j.object) {
		return out, badJob1("InvalidBatch", "the query is of %s, the job of %s", out.Object, j.object)
	}
	if out.ID, err = o.takeID(rq.ctx, "752"); err != nil {
		return out, err
	}
	out.State = jobInProgress
	if j.content == "CSV" {
		return out, o.bulk.query(rq.ctx, &out)
	}
	out.Processed, err = o.readJSON1(rq, j, &out)
	return out, err
}

// readJSON1 writes the records of a query as a JSON array, page by page.
func (o *Org) readJSON1(rq *request, j *job1, out *job) (n int64, err error) {
	f, err := os.Create(o.bulk.file(out.ID, "out"))
	if err != nil {
		return 0, fmt.Errorf("making the result: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	segs, query, sep := []string{j.operation}, url.Values{"q": {out.Query}}, "["
	for segs != nil {
		page, err := o.page1(rq, segs, query)
		if err != nil {
			return n, err
		}
		for _, r := range page.Records {
			_, _ = w.WriteString(sep) // an error stays until Flush
			_, _ = w.Write(r)
			n++
			sep = ","
		}
		segs, query = nil, url.Values{}
		if page.Next != "" {
			segs = []string{"query", page.Next[strings.LastIndex(page.Next, "/")+1:]}
		}
	}
	if n == 0 {
		_, _ = w.WriteString(sep)
	}
	_, _ = w.WriteString("]")
	if err := w.Flush(); err != nil {
		return n, fmt.Errorf("writing the result: %w", err)
	}
	return n, nil
}

// page1 is a page of a query.
type page1 struct {
	Records []json.RawMessage `json:"records"`
	Next    string            `json:"nextRecordsUrl"`
}

func (o *Org) page1(rq *request, segs []string, query url.Values) (page page1, err error) {
	res, err := o.route(&request{ctx: rq.ctx, method: http.MethodGet, version: rq.version, segs: segs, query: query, header: http.Header{}, user: rq.user})
	if err != nil {
		return page, err
	}
	raw, err := encode(res.body)
	if err != nil {
		return page, err
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return page, fmt.Errorf("reading a page: %w", err)
	}
	return page, nil
}

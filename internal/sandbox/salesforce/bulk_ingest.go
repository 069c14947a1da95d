package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// ingestChunk is the number of records one transaction takes: writers of other kinds wait for it.
const ingestChunk = 5000

func (o *Org) checkIngest(rq *request, j *job, in newJob) error {
	obj := o.seen(rq).object(in.Object)
	if obj == nil || obj.readOnly {
		return badRequest("INVALIDENTITY", "InvalidEntity : Unable to find object: %s", shorten(in.Object))
	}
	j.Object, j.Operation = obj.name, in.Operation
	switch in.Operation {
	case "insert", "update", "delete", "hardDelete":
	case "upsert":
		f := obj.field(in.ExternalID)
		if f == nil || !f.external && f.kind != typeID {
			return badRequest("INVALIDJOB", "InvalidJob : externalIdFieldName must be an external id of %s or Id: it is %q", obj.name, shorten(in.ExternalID))
		}
		j.ExternalID = f.name
	default:
		return badRequest("INVALIDJOB", "InvalidJob : operation must be insert, update, upsert, delete or hardDelete: it is %s", shorten(in.Operation))
	}
	return nil
}

// upload keeps the data of a job and moves it to the state that follows.
func (o *Org) upload(ctx context.Context, j *job, r io.Reader, next jobState) error {
	err := o.bulk.change(ctx, j, func(j *job) error {
		switch {
		case j.State != jobOpen:
			return jobFault("the job is %s: data is taken while it is Open", j.State)
		case j.Uploaded:
			return jobFault("Found multiple contents for job: <%s>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job and make sure you only do 'PUT' once on a given Job.", j.ID)
		}
		j.Uploaded = true
		return nil
	})
	if err != nil {
		return err
	}
	failed := writeUpload(o.bulk.file(j.ID, "in"), r)
	return errors.Join(failed, o.bulk.change(ctx, j, func(j *job) error {
		j.Uploaded = failed == nil // else another try is welcome
		if j.Uploaded {
			j.State = next
		}
		return nil
	}))
}

func writeUpload(name string, r io.Reader) (err error) {
	f, err := os.Create(name) //nolint:gosec // the name is made of the job's id
	if err != nil {
		return fmt.Errorf("keeping the upload: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	n, err := io.Copy(f, io.LimitReader(r, maxUpload+1))
	if err != nil {
		return fmt.Errorf("keeping the upload: %w", err)
	}
	if n > maxUpload {
		return fault(http.StatusRequestEntityTooLarge, "REQUEST_ENTITY_TOO_LARGE", "the upload is larger than %d bytes: split it", maxUpload)
	}
	return nil
}

// ingestPart answers below /jobs/ingest/{id}.
func (o *Org) ingestPart(rq *request, j *job, part string) (*response, error) {
	if part == "batches" {
		if rq.method != http.MethodPut {
			return nil, methodNotAllowed(rq.method)
		}
		var r io.Reader = strings.NewReader(string(rq.body))
		if rq.stream != nil {
			r = rq.stream
		}
		if err := o.upload(rq.ctx, j, r, jobOpen); err != nil {
			return nil, err
		}
		return &response{status: http.StatusCreated}, nil
	}
	if rq.method != http.MethodGet {
		return nil, methodNotAllowed(rq.method)
	}
	s := o.bulk.snapshot(j)
	if !s.State.over() {
		return nil, jobFault("the job is %s: its results are there once it is JobComplete, Failed or Aborted", s.State)
	}
	header := http.Header{"Content-Type": {"text/csv"}}
	switch part {
	case "successfulresults":
		return &response{status: http.StatusOK, header: header, send: func(w io.Writer) error { return o.sendFile(w, s, "ok", "sf__Id", "sf__Created") }}, nil
	case "failedresults":
		return &response{status: http.StatusOK, header: header, send: func(w io.Writer) error { return o.sendFile(w, s, "bad", "sf__Id", "sf__Error") }}, nil
	case "unprocessedrecords":
		return &response{status: http.StatusOK, header: header, send: func(w io.Writer) error { return o.sendRest(w, s) }}, nil
	}
	return nil, notFound()
}

// sendFile writes a file of results, or its header alone when nothing was written to it.
func (o *Org) sendFile(w io.Writer, j job, kind string, extra ...string) error {
	f, err := os.Open(o.bulk.file(j.ID, kind))
	if errors.Is(err, os.ErrNotExist) {
		_, err := w.Write(appendCSV(nil, append(extra, o.uploadHeader(j)...), j.comma(), j.eol()))
		return err //nolint:wrapcheck // the client is gone
	}
	if err != nil {
		return fmt.Errorf("opening the results: %w", err)
	}
	defer func() { _ = f.Close() }()
	_, err = io.Copy(w, f)
	return err //nolint:wrapcheck // the client is gone
}

func (o *Org) uploadHeader(j job) []string {
	f, err := os.Open(o.bulk.file(j.ID, "in"))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	c := newCSVReader(f, j.comma())
	c.skipMark()
	header, err := c.read()
	if err != nil {
		return nil
	}
	return header
}

// sendRest writes the records of the upload that were not come to.
func (o *Org) sendRest(w io.Writer, j job) error {
	header := o.uploadHeader(j)
	if _, err := w.Write(appendCSV(nil, header, j.comma(), j.eol())); err != nil || j.State == jobComplete {
		return err //nolint:wrapcheck // the client is gone
	}
	f, err := os.Open(o.bulk.file(j.ID, "in"))
	if err != nil {
		return nil // nothing was uploaded
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(j.In, io.SeekStart); err != nil {
		return fmt.Errorf("reading the upload: %w", err)
	}
	c := newCSVReader(f, j.comma())
	if j.In == 0 {
		c.skipMark()
		if _, err := c.read(); err != nil {
			return nil // it cannot be read: that is why it was not come to
		}
	}
	for {
		rec, err := c.read()
		if _, bad := errors.AsType[*rowError](err); err != nil && !bad {
			return nil // as above
		}
		if _, err := w.Write(appendCSV(nil, rec, j.comma(), j.eol())); err != nil {
			return err //nolint:wrapcheck // the client is gone
		}
	}
}

// loader carries one ingest out.
type loader struct {
	org     *Org
	job     *job
	obj     *object
	header  []string
	columns []csvColumn
	key     *field // of an upsert
	idAt    int    // column of Id, -1: none
	insert  *insertPlan
	known   map[string]bool // ids references may point at, seen in this chunk

	ok, bad   []byte
	failed    int64
	processed int64
}

// ingest reads the upload a chunk at a time, each chunk in a transaction that also notes how far the job is.
func (b *bulk) ingest(ctx context.Context, j *job) (err error) {
	in, err := os.Open(b.file(j.ID, "in"))
	if err != nil {
		return fmt.Errorf("%w : the job has no data", errCSV)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	c := newCSVReader(in, j.comma())
	c.skipMark()
	l := &loader{org: b.org, job: j, obj: b.org.schema.object(j.Object), idAt: -1}
	if err := l.readHeader(c); err != nil {
		return err
	}
	if j.In > 0 { // taken up again
		if _, err := in.Seek(j.In, io.SeekStart); err != nil {
			return fmt.Errorf("reading the upload: %w", err)
		}
		c = newCSVReader(in, j.comma())
		c.offset = j.In
	}
	var out [2]*os.File
	for i, kind := range []string{"ok", "bad"} {
		f, err := os.OpenFile(b.file(j.ID, kind), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return fmt.Errorf("opening the results: %w", err)
		}
		defer func() { _ = f.Close() }()
		out[i] = f
	}
	if err := l.startResults(j.In == 0); err != nil {
		return err
	}
	for {
		rows, end, err := readChunk(c)
		if err != nil {
			return err
		}
		if err := b.loadChunk(ctx, l, rows, c.offset, out); err != nil || end {
			return err
		}
	}
}

func (l *loader) startResults(fresh bool) error {
	if fresh {
		l.ok = appendCSV(l.ok, append([]string{"sf__Id", "sf__Created"}, l.header...), l.job.comma(), l.job.eol())
		l.bad = appendCSV(l.bad, append([]string{"sf__Id", "sf__Error"}, l.header...), l.job.comma(), l.job.eol())
	}
	return nil
}

// csvRow is a record of the upload, or why it is none.
type csvRow struct {
	values []string
	bad    error
}

func readChunk(c *csvReader) (rows []csvRow, end bool, err error) {
	for len(rows) < ingestChunk {
		values, err := c.read()
		bad, isBad := errors.AsType[*rowError](err)
		switch {
		case errors.Is(err, io.EOF):
			return rows, true, nil
		case isBad:
			rows = append(rows, csvRow{values, badRequest("INVALID_CSV", "%s", bad.reason)})
		case err != nil:
			return nil, false, err
		default:
			rows = append(rows, csvRow{values: values})
		}
	}
	return rows, false, nil
}

// loadChunk stores the records of a chunk, each on its own, and the job's progress with them.
func (b *bulk) loadChunk(ctx context.Context, l *loader, rows []csvRow, offset int64, out [2]*os.File) error {
	keepOK, keepBad := l.ok, l.bad
	b.mu.Lock()
	aborted := l.job.State != jobInProgress
	next := *l.job
	b.mu.Unlock()
	if aborted {
		return errAborted
	}
	err := b.org.store.update(ctx, func(tx *sql.Tx) error {
		l.ok, l.bad, l.failed, l.processed = keepOK, keepBad, 0, 0
		l.insert, l.known = nil, map[string]bool{}
		for _, row := range rows {
			if err := l.row(ctx, tx, row); err != nil {
				return err
			}
		}
		next.In, next.Processed, next.Failed = offset, next.Processed+l.processed, next.Failed+l.failed
		for i, part := range []struct {
			data []byte
			at   *int64
		}{{l.ok, &next.OK}, {l.bad, &next.Bad}} {
			if _, err := out[i].WriteAt(part.data, *part.at); err != nil {
				return fmt.Errorf("writing the results: %w", err)
			}
			*part.at += int64(len(part.data))
			if err := out[i].Truncate(*part.at); err != nil {
				return fmt.Errorf("writing the results: %w", err)
			}
		}
		if err := stillRuns(ctx, tx, next.ID); err != nil {
			return err
		}
		return saveJob(ctx, tx, &next)
	})
	if err != nil {
		return err
	}
	l.ok, l.bad = l.ok[:0], l.bad[:0]
	b.mu.Lock()
	defer b.mu.Unlock()
	j := l.job
	j.In, j.OK, j.Bad, j.Processed, j.Failed = next.In, next.OK, next.Bad, next.Processed, next.Failed
	return nil
}

// stillRuns fails with errAborted when a job was aborted or deleted meanwhile. The store is asked, not the memory: who
// aborts holds the lock of the jobs while waiting for this transaction.
func stillRuns(ctx context.Context, tx *sql.Tx, id string) error {
	var raw string
	err := tx.QueryRowContext(ctx, "SELECT data FROM bulk_job WHERE id = ?", id).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return errAborted
	}
	var stored job
	if err == nil {
		err = json.Unmarshal([]byte(raw), &stored)
	}
	if err != nil {
		return fmt.Errorf("reading the bulk job: %w", err)
	}
	if stored.State != jobInProgress {
		return errAborted
	}
	return nil
}

// row carries out one record and writes its result down.
func (l *loader) row(ctx context.Context, tx *sql.Tx, row csvRow) error {
	l.processed++
	id, created, err := "", false, row.bad
	if err == nil && len(row.values) != len(l.header) {
		err = badRequest("INVALID_CSV", "the record has %d values, the header %d", len(row.values), len(l.header))
	}
	if err == nil {
		id, created, err = l.store(ctx, tx, row.values)
	}
	if err == nil {
		l.ok = appendCSV(l.ok, append([]string{id, boolText(created)}, row.values...), l.job.comma(), l.job.eol())
		return nil
	}
	e, isFault := errors.AsType[*apiError](err)
	if !isFault {
		many, isMany := errors.AsType[*manyMatches](err)
		if !isMany {
			return err
		}
		e = badRequest("DUPLICATE_EXTERNAL_ID", "%d records have this external id", len(many.urls))
	}
	l.failed++
	text := e.Code + ":" + e.Message + ":" + strings.Join(e.Fields, " ") + " --"
	l.bad = appendCSV(l.bad, append([]string{id, text}, row.values...), l.job.comma(), l.job.eol())
	return nil
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// store carries out the operation for one record. On failure nothing of it stays.
func (l *loader) store(ctx context.Context, tx *sql.Tx, values []string) (id string, created bool, err error) {
	o, user := l.org, l.job.User
	if l.idAt >= 0 {
		id = values[l.idAt]
	}
	if err := l.allowed(ctx); err != nil {
		return id, false, err
	}
	switch l.job.Operation {
	case "insert":
		r, err := l.input(ctx, tx, values, true)
		if err != nil {
			return "", false, err
		}
		id, err = l.create(ctx, tx, r)
		return id, true, err
	case "delete", "hardDelete":
		return l.remove(ctx, tx, id)
	case "upsert":
		if l.key.kind != typeID {
			if id, err = l.match(ctx, tx, values); err != nil {
				return "", false, err
			}
		}
		if id == "" {
			r, err := l.input(ctx, tx, values, true)
			if err != nil {
				return "", false, err
			}
			id, err = l.create(ctx, tx, r)
			return id, true, err
		}
	}
	n, valid := normalID(id)
	if !valid || n[:3] != l.obj.prefix {
		return id, false, badRequest("MALFORMED_ID", "bad id %s", shorten(id))
	}
	r, err := l.input(ctx, tx, values, false)
	if err != nil {
		return n, false, err
	}
	return n, false, o.change(ctx, tx, user, l.obj, n, r)
}

// allowed refuses what the job's user is not granted; an upsert needs both to create and to edit.
func (l *loader) allowed(ctx context.Context) error {
	if l.org.viewOf(ctx, l.job.User).all {
		return nil
	}
	var names []string
	for _, c := range l.columns {
		names = append(names, c.f.name)
	}
	kinds := map[string][]writeKind{"insert": {writeCreate}, "update": {writeEdit}, "upsert": {writeCreate, writeEdit}}[l.job.Operation]
	if kinds == nil {
		kinds, names = []writeKind{writeDelete}, nil
	}
	for _, kind := range kinds {
		if err := l.org.mayWrite(ctx, l.job.User, l.obj, kind, names); err != nil {
			return err
		}
	}
	return nil
}

// match finds the record an upsert changes, "" when there is none yet.
func (l *loader) match(ctx context.Context, tx *sql.Tx, values []string) (string, error) {
	for i, c := range l.columns {
		if c.f != l.key || c.rel != nil {
			continue
		}
		if values[i] == "" {
			return "", badRequest("MISSING_ARGUMENT", "%s not specified", l.key.name)
		}
		ids, err := l.org.idsBy(ctx, tx, l.obj, l.key, values[i])
		switch {
		case err != nil || len(ids) == 0:
			return "", err
		case len(ids) > 1:
			return "", &manyMatches{urls: ids}
		}
		return ids[0], nil
	}
	return "", badRequest("MISSING_ARGUMENT", "%s not specified", l.key.name)
}

func (l *loader) remove(ctx context.Context, tx *sql.Tx, raw string) (string, bool, error) {
	id, valid := normalID(raw)
	if !valid || id[:3] != l.obj.prefix {
		return raw, false, badRequest("MALFORMED_ID", "bad id %s", shorten(raw))
	}
	_, err := savepoint(ctx, tx, func() (saveResult, error) {
		if err := l.org.remove(ctx, tx, l.job.User, l.obj, id); err != nil {
			return saveResult{}, err
		}
		if l.job.Operation == "hardDelete" {
			if err := l.org.store.exec(ctx, tx, "DELETE FROM "+l.obj.table()+` WHERE "Id" = ?`, id); err != nil {
				return saveResult{}, fmt.Errorf("removing a record for good: %w", err)
			}
		}
		return saveResult{}, nil
	})
	return id, false, err
}

// input turns the values of a record into stored ones: what is empty is left alone, #N/A clears a field.
func (l *loader) input(ctx context.Context, tx *sql.Tx, values []string, isNew bool) (record, error) {
	r := make(record, len(values)+16)
	for i, c := range l.columns {
		s := values[i]
		if s == "" || c.f.kind == typeID {
			continue
		}
		if s == "#N/A" {
			r[c.f.name] = nil
			continue
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
	if c.rel != nil {
		ids, err := l.org.idsBy(ctx, tx, c.rel, c.relKey, s)
		switch {
		case err != nil:
			return nil, err
		case len(ids) != 1:
			return nil, onFields(badRequest("INVALID_FIELD", "Foreign key external ID: %s not found for field %s in entity %s", shorten(s), c.relKey.name, c.rel.name), c.f.name)
		}
		return ids[0], nil
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
	if c.f.kind == typeBoolean {
		switch strings.ToLower(s) {
		case "1", "yes", "y", "on", "t":
			s = "true"
		case "0", "no", "n", "off", "f":
			s = "false"
		}
	}
	return l.org.checkDecoded(ctx, tx, l.obj, c.f, s)
}

// csvColumn is what a column of the upload fills: a field, or a reference by an external id of what it points at.
type csvColumn struct {
	f      *field
	rel    *object
	relKey *field
}

func (l *loader) readHeader(c *csvReader) error {
	header, err := c.read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w : Unable to find any header row", errCSV)
		}
		return fmt.Errorf("%w : the header cannot be read: %w", errCSV, err)
	}
	if want := l.job.LineEnding == "CRLF"; c.crlf != want && strings.HasSuffix(string(c.line), "\n") {
		return fmt.Errorf("%w : LineEnding is invalid on user data. Current LineEnding setting is %s", errCSV, l.job.LineEnding)
	}
	l.header = header
	seen := map[string]bool{}
	for i, name := range header {
		col, err := l.column(strings.TrimSpace(name))
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
		l.columns = append(l.columns, col)
	}
	if l.job.ExternalID != "" {
		l.key = l.obj.field(l.job.ExternalID)
	}
	if op := l.job.Operation; op != "insert" && op != "upsert" && l.idAt < 0 {
		return fmt.Errorf("%w : %s needs a column Id", errCSV, op)
	}
	return nil
}

// column resolves a name of the header: Name, or Account.Ext__c, or Account:What.Ext__c where there is a choice.
func (l *loader) column(name string) (csvColumn, error) {
	unknown := fmt.Errorf("%w : Field name not found : %s", errCSV, shorten(name))
	relation, key, dotted := strings.Cut(name, ".")
	if !dotted {
		f := l.obj.field(name)
		if f == nil {
			return csvColumn{}, unknown
		}
		if f.readOnly || f.createOnly && l.job.Operation == "update" {
			return csvColumn{}, fmt.Errorf("%w : Field cannot be written : %s", errCSV, f.name)
		}
		return csvColumn{f: f}, nil
	}
	entity, rel, chosen := strings.Cut(relation, ":")
	if !chosen {
		entity, rel = "", relation
	}
	f := l.obj.byRel[strings.ToLower(rel)]
	if f == nil || f.readOnly {
		return csvColumn{}, unknown
	}
	for _, target := range f.refs {
		if entity != "" && !strings.EqualFold(target, entity) {
			continue
		}
		obj := l.org.schema.object(target)
		if kf := obj.field(key); kf != nil && (kf.external || kf.unique) {
			return csvColumn{f: f, rel: obj, relKey: kf}, nil
		}
	}
	return csvColumn{}, unknown
}

// insertPlan is the statement for new records of this chunk: it names only the columns the upload and the platform fill.
type insertPlan struct {
	sql    string
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
	if err := l.org.store.exec(ctx, tx, p.sql, args...); err != nil {
		return "", fmt.Errorf("storing a %s: %w", l.obj.name, err)
	}
	return id, l.org.created(ctx, tx, l.job.User, l.obj, r)
}

const idBlock = 200

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
	p.sql = "INSERT INTO " + l.obj.table() + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", ") + ")"
	return p
}

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
	values  record          // of the record under way

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
	chunks, stop := readAhead(c)
	defer stop()
	for ch := range chunks {
		if ch.err != nil {
			return ch.err
		}
		if err := b.loadChunk(ctx, l, ch.rows, ch.offset, out); err != nil {
			return err
		}
	}
	return nil
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

// chunk is a number of rows, and where in the upload they end.
type chunk struct {
	rows   []csvRow
	offset int64
	err    error // why there are no more
}

// readAhead reads the next chunk while one is stored. stop must be called before the file is closed.
func readAhead(c *csvReader) (chunks <-chan chunk, stop func()) {
	out, quit, ended := make(chan chunk), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(out)
		for end := false; !end; {
			var ch chunk
			ch.rows, end, ch.err = readChunk(c)
			ch.offset = c.offset
			select {
			case out <- ch:
			case <-quit:
				return
			}
			if ch.err != nil {
				return
			}
		}
	}()
	return out, func() {
		close(quit)
		<-ended
	}
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
		l.known = map[string]bool{}
		if op := l.job.Operation; op == "insert" || op == "upsert" {
			b.org.store.together() // no savepoint there, which rows that wait would escape
		}
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
		l.ok = append(appendCSV(l.ok, []string{id, boolText(created)}, l.job.comma(), ""), l.job.comma())
		l.ok = appendCSV(l.ok, row.values, l.job.comma(), l.job.eol())
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
	if err := l.org.strikeRecord(ctx, bulkMethod(l.job.Operation), bulkRecords, l.obj, id, l.job.User); err != nil {
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

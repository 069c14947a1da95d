package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// ingestChunk is the number of records one transaction takes: writers of other kinds wait for it. Within it the platform's
// own transactions count, which have bulkGroup records: what may not come twice may not come twice in one of them.
const (
	ingestChunk = 5000
	bulkGroup   = 200
)

func (o *Org) checkIngest(rq *request, j *job, in newJob) error {
	obj := o.seen(rq).object(in.Object)
	switch {
	case obj == nil:
		return badRequest("INVALIDENTITY", "InvalidEntity : Unable to find object: %s", shorten(in.Object))
	case obj.readOnly:
		return badRequest("INVALIDENTITY", "Entity '%s' is not supported by the Bulk API.", obj.name)
	case in.Operation == "hardDelete" && !o.viewOf(rq.ctx, rq.user.user).may(bulkAPIHardDelete):
		return badRequest("FEATURENOTENABLED", "hardDelete operation requires special user profile permission, please contact your system administrator")
	}
	if in.Rule != "" {
		if err := checkRule(rq, j, obj, in.Rule); err != nil {
			return err
		}
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

// checkRule takes the id of an assignment rule, which cases and leads have.
func checkRule(rq *request, j *job, obj *object, rule string) error {
	id, valid := normalID(rule)
	if !valid || id[:3] != "01Q" || obj.name != "Case" && obj.name != "Lead" || rq.version < 49 {
		return badRequest("INVALIDJOB", "InvalidJob : assignmentRuleId must be the id of a rule (01Q) for cases, with 49.0 or later: it is %s", shorten(rule))
	}
	j.Rule = id
	return nil
}

// loader carries one ingest out.
type loader struct {
	org     *Org
	job     *job // as it was when it began
	live    *job // as it is: others may change its state meanwhile
	obj     *object
	header  []string
	columns []csvColumn
	key     *field // of an upsert
	idAt    int    // column of Id, -1: none
	keyAt   int    // column of key, -1: none
	insert  *insertPlan
	known   map[string]bool // ids references may point at, seen in this chunk
	values  record          // of the record under way
	keys    map[string]int  // how often a group names a key, or did so far an id

	ok, bad   []byte
	failed    int64
	processed int64
}

// ingest reads the upload a chunk at a time, each chunk in a transaction that also notes how far the job is.
func (b *bulk) ingest(ctx context.Context, live *job) (err error) {
	j := b.snapshot(live)
	if !j.Uploaded {
		return errNoHeader
	}
	ctx = withOrigin(ctx, "bulkapi", j.Version, "")
	in, err := os.Open(b.file(j.ID, "in"))
	if err != nil {
		return fmt.Errorf("opening the upload: %w", err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	c := newCSVReader(in, j.comma())
	c.ending = j.LineEnding
	c.skipMark()
	l := &loader{org: b.org, job: &j, live: live, obj: b.org.schema.object(j.Object), idAt: -1, keyAt: -1}
	if err := l.readHeader(ctx, c); err != nil {
		return err
	}
	if j.In > 0 { // taken up again
		if _, err := in.Seek(j.In, io.SeekStart); err != nil {
			return fmt.Errorf("reading the upload: %w", err)
		}
		c = newCSVReader(in, j.comma())
		c.ending, c.offset = j.LineEnding, j.In
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
	if j.In == 0 && j.Parent != "" {
		l.ok = appendCSV(l.ok, []string{"Id", "Success", "Created", "Error"}, ',', "\n")
	} else if j.In == 0 {
		l.ok, l.bad = appendHeader(l.ok, []string{"sf__Id", "sf__Created"}, l.header, j), appendHeader(l.bad, []string{"sf__Id", "sf__Error"}, l.header, j)
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
			rows = append(rows, csvRow{validText(values), badRequest("INVALID_CSV", "%s", bad.reason)})
		case err != nil:
			return nil, false, err
		default:
			rows = append(rows, csvRow{values: validText(values)})
		}
	}
	return rows, false, nil
}

// validText puts the replacement character in the place of what is no UTF-8, as the platform does.
func validText(values []string) []string {
	for i, s := range values {
		if !utf8.ValidString(s) {
			values[i] = strings.ToValidUTF8(s, "\uFFFD")
		}
	}
	return values
}

// loadChunk stores the records of a chunk, each on its own, and the job's progress with them.
func (b *bulk) loadChunk(ctx context.Context, l *loader, rows []csvRow, offset int64, out [2]*os.File) error {
	keepOK, keepBad := l.ok, l.bad
	next := b.snapshot(l.live)
	if next.State != jobInProgress {
		return errAborted
	}
	err := b.org.store.update(ctx, func(tx *sql.Tx) error {
		l.ok, l.bad, l.failed, l.processed = keepOK, keepBad, 0, 0
		l.known = map[string]bool{}
		if op := l.job.Operation; op == "insert" || op == "upsert" {
			b.org.store.together() // no savepoint there, which rows that wait would escape
		}
		for i, row := range rows {
			if i%bulkGroup == 0 {
				l.group(rows[i:min(i+bulkGroup, len(rows))])
			}
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
	l.live.progress = next.progress
	return nil
}

// stillRuns fails with errAborted when a job was aborted or deleted meanwhile. The store is asked, not the memory: who
// aborts holds the lock of the jobs while waiting for this transaction.
func stillRuns(ctx context.Context, tx *sql.Tx, id string) error {
	stored, err := storedJob(ctx, tx, id)
	if err == nil && stored.State != jobInProgress {
		err = errAborted
	}
	return err
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
	if err == nil && l.job.Parent != "" {
		l.ok = appendCSV(l.ok, []string{id, "true", boolText(created), ""}, ',', "\n")
		return nil
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
		e = many.fault()
	}
	if e.Code == "NOT_FOUND" {
		e = badRequest("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
	}
	l.failed++
	text := e.Code + ":" + e.Message + ":" + strings.Join(append(e.Fields, "--"), " ")
	if l.job.Parent != "" { // all results in one file, in the order of the records
		l.ok = appendCSV(l.ok, []string{"", "false", "false", text}, ',', "\n")
		return nil
	}
	// A record of another length would make the file of failures one that cannot be read.
	line := make([]string, 2+len(l.header))
	line[0], line[1] = id, text
	copy(line[2:], row.values)
	l.bad = appendCSV(l.bad, line, l.job.comma(), l.job.eol())
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
	if err := l.refused(ctx, id, values); err != nil {
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

// group counts the keys of a group of records.
func (l *loader) group(rows []csvRow) {
	l.keys = map[string]int{}
	if l.job.Operation != "upsert" || l.keyAt < 0 || l.key.kind == typeID {
		return
	}
	for _, row := range rows {
		if row.bad == nil && len(row.values) == len(l.header) && row.values[l.keyAt] != "" {
			l.keys[strings.ToLower(row.values[l.keyAt])]++
		}
	}
}

// refused refuses a record for what it is rather than for what it says.
func (l *loader) refused(ctx context.Context, id string, values []string) error {
	if err := l.allowed(ctx); err != nil {
		return err
	}
	switch op := l.job.Operation; {
	case op == "insert" && id != "":
		return onFields(badRequest("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call"), "Id")
	case op == "update" && id == "":
		return missingID("an update")
	case (op == "delete" || op == "hardDelete") && id == "":
		return missingID("a delete")
	case op == "upsert" && l.keyAt >= 0 && l.keys[strings.ToLower(values[l.keyAt])] > 1:
		return sameKey(l.key, values[l.keyAt])
	case op == "update":
		if n, valid := normalID(id); valid {
			return l.tooOften(n)
		}
	}
	return nil
}

func (l *loader) tooOften(id string) error {
	if l.keys[id]++; l.keys[id] > maxSameID {
		return sameID(id)
	}
	return nil
}

// allowed refuses what the job's user is not granted; an upsert needs both to create and to edit.
func (l *loader) allowed(ctx context.Context) error {
	if l.org.viewOf(ctx, l.job.User).all {
		return nil
	}
	var names []string
	for _, c := range l.columns {
		if !c.locked { // that is told where such a column has a value
			names = append(names, c.f.name)
		}
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
	if l.keyAt < 0 || values[l.keyAt] == "" {
		return "", badRequest("MISSING_ARGUMENT", "%s not specified", l.key.name)
	}
	ids, err := l.org.idsBy(ctx, tx, l.obj, l.key, values[l.keyAt])
	switch {
	case err != nil || len(ids) == 0:
		return "", err
	case len(ids) > 1:
		return "", &manyMatches{field: l.key, ids: ids}
	}
	return ids[0], nil
}

func (l *loader) remove(ctx context.Context, tx *sql.Tx, raw string) (string, bool, error) {
	id, valid := normalID(raw)
	if !valid || id[:3] != l.obj.prefix {
		return raw, false, badRequest("MALFORMED_ID", "bad id %s", shorten(raw))
	}
	_, err := l.org.store.savepoint(ctx, tx, func() (saveResult, error) {
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

package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bulk API 2.0 (guide of 66.0): jobs that load or read many records as CSV. Uploads and results are files in the bulk
// folder; what a job is stands in the store, so that a restart takes it up where it was.

// jobState is where a job stands.
type jobState string

const (
	jobOpen       jobState = "Open"
	jobUploaded   jobState = "UploadComplete"
	jobInProgress jobState = "InProgress"
	jobComplete   jobState = "JobComplete"
	jobFailed     jobState = "Failed"
	jobAborted    jobState = "Aborted"
)

func (s jobState) over() bool { return s == jobComplete || s == jobFailed || s == jobAborted }

const (
	maxUpload  = 150 << 20 // bytes
	maxJobs    = 5000      // kept; the oldest that are over go first
	jobTTL     = 7 * 24 * time.Hour
	jobWorkers = 2
	jobPage    = 1000
)

const qJobTable = `
CREATE TABLE IF NOT EXISTS bulk_job (id TEXT PRIMARY KEY, data TEXT NOT NULL) STRICT, WITHOUT ROWID;`

const qSaveJob = `INSERT INTO bulk_job (id, data) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data`

// job is a bulk job as the store keeps it.
type job struct {
	ID         string   `json:"id"`
	Ingest     bool     `json:"ingest"`
	Object     string   `json:"object"`
	Operation  string   `json:"operation"`
	ExternalID string   `json:"external_id,omitempty"`
	LineEnding string   `json:"line_ending"`
	Delimiter  string   `json:"delimiter"`
	Query      string   `json:"query,omitempty"`
	State      jobState `json:"state"`
	User       string   `json:"user"`
	Version    int      `json:"version"`
	Created    int64    `json:"created"` // ms
	Modified   int64    `json:"modified"`
	Uploaded   bool     `json:"uploaded,omitempty"`
	Processed  int64    `json:"processed"`
	Failed     int64    `json:"failed"`
	Message    string   `json:"message,omitempty"`
	Millis     int64    `json:"millis"`

	// How far an ingest is, in bytes: of the upload, and of the two files of results.
	In  int64 `json:"in,omitempty"`
	OK  int64 `json:"ok,omitempty"`
	Bad int64 `json:"bad,omitempty"`
	// Where every indexStep-th record of a query's result starts.
	Index []int64 `json:"index,omitempty"`
}

func (j *job) comma() byte { return delimiter(j.Delimiter) }

func (j *job) eol() string {
	if j.LineEnding == "CRLF" {
		return "\r\n"
	}
	return "\n"
}

// bulk runs the jobs.
type bulk struct {
	org    *Org
	dir    string
	ctx    context.Context //nolint:containedctx // ends the workers with the org
	cancel context.CancelFunc
	work   sync.WaitGroup
	places chan struct{} // one for each job that may run

	mu   sync.Mutex // guards below and the jobs themselves
	jobs map[string]*job
}

func newBulk(o *Org) *bulk {
	b := &bulk{org: o, dir: filepath.Join(o.store.dir, "bulk"), places: make(chan struct{}, jobWorkers), jobs: map[string]*job{}}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// load reads the jobs of an earlier run and goes on with those that were under way.
func (b *bulk) load(ctx context.Context) error {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return fmt.Errorf("making the folder of bulk jobs: %w", err)
	}
	rows, err := b.org.store.read.QueryContext(ctx, "SELECT data FROM bulk_job")
	if err != nil {
		return fmt.Errorf("reading the bulk jobs: %w", err)
	}
	raw, err := scanAll(rows, 1)
	if err != nil {
		return fmt.Errorf("reading the bulk jobs: %w", err)
	}
	for _, row := range raw {
		j := &job{}
		text, _ := row[0].(string)
		if err := json.Unmarshal([]byte(text), j); err != nil {
			return fmt.Errorf("reading a bulk job: %w", err)
		}
		b.jobs[j.ID] = j
	}
	for _, j := range b.jobs {
		if j.State == jobUploaded || j.State == jobInProgress {
			b.start(j)
		}
	}
	return nil
}

// close ends the workers; their jobs go on at the next start.
func (b *bulk) close() {
	b.cancel()
	b.work.Wait()
}

func (b *bulk) file(id, kind string) string { return filepath.Join(b.dir, id+"."+kind) }

// start runs a job in the background as soon as there is a place.
func (b *bulk) start(j *job) {
	b.work.Go(func() {
		select {
		case b.places <- struct{}{}:
			defer func() { <-b.places }()
		case <-b.ctx.Done():
			return
		}
		b.run(j)
	})
}

func (b *bulk) run(j *job) {
	begin := time.Now()
	err := b.change(b.ctx, j, func(j *job) error {
		if j.State != jobUploaded && j.State != jobInProgress {
			return errAborted
		}
		j.State = jobInProgress
		return nil
	})
	if err == nil && j.Ingest {
		err = b.ingest(b.ctx, j)
	} else if err == nil {
		err = b.query(b.ctx, j)
	}
	if b.ctx.Err() != nil || errors.Is(err, errAborted) {
		return
	}
	err = b.change(b.ctx, j, func(j *job) error {
		if j.State != jobInProgress {
			return errAborted
		}
		j.State, j.Millis = jobComplete, time.Since(begin).Milliseconds()
		if err != nil {
			j.State, j.Message = jobFailed, b.reason(err)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errAborted) && b.ctx.Err() == nil {
		_ = b.org.fail(b.ctx, err) // logs it
	}
}

func (b *bulk) reason(err error) string {
	if errors.Is(err, errCSV) {
		return err.Error()
	}
	e := b.org.fail(b.ctx, err)
	return e.Code + " : " + e.Message
}

// errAborted ends a job that someone aborted or deleted.
var errAborted = errors.New("the job was aborted")

// change applies fn to a job and stores it. What fn refuses is not stored.
func (b *bulk) change(ctx context.Context, j *job, fn func(j *job) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := *j
	if err := fn(&next); err != nil {
		return err
	}
	next.Modified = b.org.now().UnixMilli()
	err := b.org.store.update(ctx, func(tx *sql.Tx) error { return saveJob(ctx, tx, &next) })
	if err != nil {
		return err
	}
	*j = next
	return nil
}

func saveJob(ctx context.Context, tx *sql.Tx, j *job) error {
	raw, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encoding a bulk job: %w", err)
	}
	if _, err := tx.ExecContext(ctx, qSaveJob, j.ID, string(raw)); err != nil {
		return fmt.Errorf("storing a bulk job: %w", err)
	}
	return nil
}

// snapshot returns a copy of a job as it is now.
func (b *bulk) snapshot(j *job) job {
	b.mu.Lock()
	defer b.mu.Unlock()
	return *j
}

func (b *bulk) find(id string, ingest bool) *job {
	n, valid := normalID(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	j := b.jobs[n]
	if !valid || j == nil || j.Ingest != ingest {
		return nil
	}
	return j
}

// add gives a job its id and keeps it, dropping what is old.
func (b *bulk) add(ctx context.Context, j *job) error {
	now := b.org.now()
	j.Created, j.Modified = now.UnixMilli(), now.UnixMilli()
	var dropped []string
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.org.store.update(ctx, func(tx *sql.Tx) error {
		id, _, err := nextID(ctx, tx, "750")
		if err != nil {
			return err
		}
		j.ID = id
		dropped = b.old(now)
		for _, id := range dropped {
			if _, err := tx.ExecContext(ctx, "DELETE FROM bulk_job WHERE id = ?", id); err != nil {
				return fmt.Errorf("dropping an old bulk job: %w", err)
			}
		}
		return saveJob(ctx, tx, j)
	})
	if err != nil {
		return err
	}
	b.jobs[j.ID] = j
	for _, id := range dropped {
		delete(b.jobs, id)
		b.removeFiles(id)
	}
	return nil
}

// old lists the jobs to drop: past their time, and the oldest of too many.
func (b *bulk) old(now time.Time) []string {
	var over []*job
	for _, j := range b.jobs {
		if j.State.over() || now.Sub(time.UnixMilli(j.Modified)) > jobTTL && j.State == jobOpen {
			over = append(over, j)
		}
	}
	slices.SortFunc(over, func(x, y *job) int { return strings.Compare(x.ID, y.ID) })
	var out []string
	for i, j := range over {
		if now.Sub(time.UnixMilli(j.Modified)) > jobTTL || len(b.jobs)-i >= maxJobs {
			out = append(out, j.ID)
		}
	}
	return out
}

func (b *bulk) removeFiles(id string) {
	for _, kind := range []string{"in", "ok", "bad", "out"} {
		_ = os.Remove(b.file(id, kind)) // there may be none
	}
}

// jobs answers below /jobs.
func (o *Org) jobs(rq *request) (*response, error) {
	if len(rq.segs) < 2 {
		return nil, notFound()
	}
	ingest := strings.EqualFold(rq.segs[1], "ingest")
	if !ingest && !strings.EqualFold(rq.segs[1], "query") {
		return nil, notFound()
	}
	if len(rq.segs) == 2 {
		switch rq.method {
		case http.MethodGet:
			return o.listJobs(rq, ingest)
		case http.MethodPost:
			return o.createJob(rq, ingest)
		}
		return nil, methodNotAllowed(rq.method)
	}
	j := o.bulk.find(rq.segs[2], ingest)
	if j == nil {
		return nil, notFound()
	}
	if len(rq.segs) == 3 {
		return o.oneJob(rq, j)
	}
	if ingest {
		return o.ingestPart(rq, j, strings.ToLower(rq.segs[3]))
	}
	return o.queryPart(rq, j, strings.ToLower(rq.segs[3]))
}

func jobFault(format string, args ...any) error {
	return badRequest("INVALIDJOBSTATE", format, args...)
}

func (o *Org) oneJob(rq *request, j *job) (*response, error) {
	switch rq.method {
	case http.MethodGet:
		return ok(o.jobInfo(o.bulk.snapshot(j), true)), nil
	case http.MethodPatch:
		return o.patchJob(rq, j)
	case http.MethodDelete:
		return o.deleteJob(rq, j)
	}
	return nil, methodNotAllowed(rq.method)
}

func (o *Org) patchJob(rq *request, j *job) (*response, error) {
	var in struct {
		State jobState `json:"state"`
	}
	if err := json.Unmarshal(rq.body, &in); err != nil {
		return nil, jsonFault(rq.body, err)
	}
	err := o.bulk.change(rq.ctx, j, func(j *job) error {
		switch {
		case in.State == jobAborted && j.State.over():
			return jobFault("Aborting already %s job not allowed", j.State)
		case in.State == jobAborted:
		case in.State != jobUploaded || !j.Ingest:
			return badRequest("INVALIDJOB", "state must be UploadComplete or Aborted: it is %s", shorten(string(in.State)))
		case j.State != jobOpen:
			return jobFault("Closing already %s job not allowed", j.State)
		}
		j.State = in.State
		return nil
	})
	if err != nil {
		return nil, err
	}
	if in.State == jobUploaded {
		o.bulk.start(j)
	}
	return ok(o.jobInfo(o.bulk.snapshot(j), false)), nil
}

func (o *Org) deleteJob(rq *request, j *job) (*response, error) {
	b := o.bulk
	b.mu.Lock()
	defer b.mu.Unlock()
	if !j.State.over() && j.State != jobUploaded {
		return nil, jobFault("a job in state %s cannot be deleted: abort it first", j.State)
	}
	err := o.store.update(rq.ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(rq.ctx, "DELETE FROM bulk_job WHERE id = ?", j.ID)
		return err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return nil, fmt.Errorf("deleting a bulk job: %w", err)
	}
	j.State = jobAborted // whoever waits to run it leaves it alone
	delete(b.jobs, j.ID)
	b.removeFiles(j.ID)
	return noContent(), nil
}

func (o *Org) listJobs(rq *request, ingest bool) (*response, error) {
	after := rq.query.Get("queryLocator")
	if after != "" {
		if _, valid := normalID(after); !valid {
			return nil, badRequest("INVALID_QUERY_LOCATOR", "invalid query locator")
		}
	}
	wanted, err := jobFilter(rq, ingest)
	if err != nil {
		return nil, err
	}
	o.bulk.mu.Lock()
	var list []job
	for _, j := range o.bulk.jobs {
		if wanted(j) && (after == "" || j.ID > after) {
			list = append(list, *j)
		}
	}
	o.bulk.mu.Unlock()
	slices.SortFunc(list, func(x, y job) int { return strings.Compare(x.ID, y.ID) })
	var next any
	if len(list) > jobPage {
		list = list[:jobPage]
		query := maps.Clone(rq.query)
		query.Set("queryLocator", list[jobPage-1].ID)
		next = rq.base() + "/jobs/" + strings.ToLower(rq.segs[1]) + "?" + query.Encode()
	}
	records := make([]map[string]any, 0, len(list))
	for _, j := range list {
		info := o.jobInfo(j, false)
		info["jobType"] = jobType(j.Ingest)
		records = append(records, info)
	}
	return ok(map[string]any{"done": next == nil, "records": records, "nextRecordsUrl": next}), nil
}

// jobFilter reads which jobs a list is to hold: those of its kind, unless jobType names another. There is neither Bulk API
// 1.0 nor PK chunking, which is its, nor any job that is not parallel.
func jobFilter(rq *request, ingest bool) (func(j *job) bool, error) {
	none := strings.EqualFold(rq.query.Get("isPkChunkingEnabled"), "true")
	switch mode := rq.query.Get("concurrencyMode"); {
	case mode == "" || strings.EqualFold(mode, "parallel"):
	case strings.EqualFold(mode, "serial"):
		none = true
	default:
		return nil, badRequest("INVALID_PARAMETER", "concurrencyMode is parallel or serial: it is %s", shorten(mode))
	}
	switch kind := rq.query.Get("jobType"); kind {
	case "":
	case "V2Ingest", "V2Query":
		ingest = kind == "V2Ingest"
	case "Classic", "BigObjectIngest":
		none = true
	default:
		return nil, badRequest("INVALID_PARAMETER", "jobType is Classic, BigObjectIngest, V2Ingest or V2Query: it is %s", shorten(kind))
	}
	return func(j *job) bool { return !none && j.Ingest == ingest }, nil
}

func jobType(ingest bool) string {
	if ingest {
		return "V2Ingest"
	}
	return "V2Query"
}

// jobInfo is a job as the API shows it; progress is left out of the answers to changes.
func (o *Org) jobInfo(j job, progress bool) map[string]any {
	stamp := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(wireTime) }
	out := map[string]any{
		"id": j.ID, "operation": j.Operation, "object": j.Object, "createdById": j.User, "createdDate": stamp(j.Created),
		"systemModstamp": stamp(j.Modified), "state": j.State, "concurrencyMode": "Parallel", "contentType": "CSV",
		"apiVersion": json.RawMessage(itoa(j.Version) + ".0"), "lineEnding": j.LineEnding, "columnDelimiter": j.Delimiter,
	}
	if j.Ingest {
		if j.State == jobOpen {
			out["contentUrl"] = "services/data/v" + itoa(j.Version) + ".0/jobs/ingest/" + j.ID + "/batches"
		}
		if j.ExternalID != "" {
			out["externalIdFieldName"] = j.ExternalID
		}
	}
	if !progress {
		return out
	}
	out["jobType"], out["retries"], out["totalProcessingTime"] = jobType(j.Ingest), 0, j.Millis
	out["numberRecordsProcessed"] = j.Processed
	if j.Ingest {
		out["numberRecordsFailed"], out["apiActiveProcessingTime"], out["apexProcessingTime"] = j.Failed, j.Millis, 0
	} else {
		out["isPkChunkingSupported"] = true
	}
	if j.Message != "" {
		out["errorMessage"] = j.Message
	}
	return out
}

// newJob is what a client sends to make a job.
type newJob struct {
	Object      string `json:"object"`
	Operation   string `json:"operation"`
	ExternalID  string `json:"externalIdFieldName"`
	LineEnding  string `json:"lineEnding"`
	Delimiter   string `json:"columnDelimiter"`
	ContentType string `json:"contentType"`
	Query       string `json:"query"`
}

func (o *Org) createJob(rq *request, ingest bool) (*response, error) {
	body, content, err := jobParts(rq)
	if err != nil {
		return nil, err
	}
	var in newJob
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, jsonFault(body, err)
	}
	j := &job{
		Ingest: ingest, User: rq.user.user, Version: rq.version, State: jobOpen,
		LineEnding: strings.ToUpper(orElse(in.LineEnding, "LF")), Delimiter: strings.ToUpper(orElse(in.Delimiter, "COMMA")),
	}
	switch {
	case j.LineEnding != "LF" && j.LineEnding != "CRLF":
		return nil, badRequest("INVALIDJOB", "lineEnding must be LF or CRLF: it is %s", shorten(in.LineEnding))
	case j.comma() == 0:
		return nil, badRequest("INVALIDJOB", "columnDelimiter must be BACKQUOTE, CARET, COMMA, PIPE, SEMICOLON or TAB: it is %s", shorten(in.Delimiter))
	case in.ContentType != "" && !strings.EqualFold(in.ContentType, "CSV"):
		return nil, badRequest("INVALIDJOB", "contentType must be CSV: it is %s", shorten(in.ContentType))
	}
	if ingest {
		err = o.checkIngest(rq, j, in)
	} else {
		err = o.checkQueryJob(rq, j, in)
	}
	if err != nil {
		return nil, err
	}
	if err := o.bulk.add(rq.ctx, j); err != nil {
		return nil, err
	}
	if content != nil {
		if err := o.upload(rq.ctx, j, content, jobUploaded); err != nil {
			return nil, err
		}
	}
	info := o.jobInfo(o.bulk.snapshot(j), false)
	if j.Ingest == (content != nil) { // a query, or an ingest that has its data: nothing more is to come
		o.bulk.start(j)
	}
	return ok(info), nil
}

// jobParts splits a request that brings the data along: a multipart form with a part job and a part content.
func jobParts(rq *request) (body []byte, content io.Reader, err error) {
	kind, params, err := mime.ParseMediaType(rq.header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return rq.body, nil, nil //nolint:nilerr // any other type is taken for JSON
	}
	wrong := func() error {
		return badRequest("INVALIDJOB", "a multipart request has a part named job in JSON and a part named content in CSV")
	}
	mr := multipart.NewReader(strings.NewReader(string(rq.body)), params["boundary"])
	for {
		part, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, wrong()
		}
		raw, err := io.ReadAll(part)
		if err != nil {
			return nil, nil, wrong()
		}
		switch part.FormName() {
		case "job":
			body = raw
		case "content":
			content = strings.NewReader(string(raw))
		}
	}
	if body == nil || content == nil {
		return nil, nil, wrong()
	}
	return body, content, nil
}

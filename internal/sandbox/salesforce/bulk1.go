package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bulk API 1.0 (Bulk API 2.0 and Bulk API developer guide, "Bulk API"): what older clients load and read many records by. A
// job has batches, each of up to 10,000 records as CSV or JSON, written by 200 at a time as on the platform. XML batches are
// not taken. Jobs live in memory and end with the process, as locators do.

const (
	maxBatch1        = 10_000_000 // bytes of a batch
	maxBatch1Records = 10_000
	maxJobs1         = 500 // the oldest that are closed go first
	maxJob1Batches   = 10_000
	maxRows1         = 200 // records that are written at once
	csvType1         = "text/csv"
)

// The states of a batch.
const (
	batchQueued     = "Queued"
	batchInProgress = "InProgress"
	batchDone       = "Completed"
	batchFailed     = "Failed"
)

// job1 is a job of Bulk API 1.0.
type job1 struct {
	id, operation, object, externalID, content, concurrency, state string
	version                                                        int
	user                                                           *session
	created, modified                                              time.Time
	batches                                                        []*batch1
}

func (j *job1) isQuery() bool { return j.operation == "query" || j.operation == "queryAll" }

func (j *job1) batch(id string) *batch1 {
	for _, b := range j.batches {
		if b.id == id {
			return b
		}
	}
	return nil
}

// batch1 is a batch. Its results are those of its records in their order, or the file named by its result's id.
type batch1 struct {
	id, job, state, message, result string
	processed, failed               int64
	created, modified               time.Time
	millis                          int64
	results                         []result1
}

// result1 is what became of a record.
type result1 struct {
	ID      string   `json:"id"`
	Success bool     `json:"success"`
	Created bool     `json:"created"`
	Errors  []error1 `json:"errors"`
}

type error1 struct {
	Code    string   `json:"statusCode"`
	Message string   `json:"message"`
	Fields  []string `json:"fields"`
}

// bulk1 keeps the jobs.
type bulk1 struct {
	places chan struct{} // one for each batch that may run

	mu   sync.Mutex // guards the jobs and all in them
	jobs map[string]*job1
}

func newBulk1() *bulk1 {
	return &bulk1{places: make(chan struct{}, jobWorkers), jobs: map[string]*job1{}}
}

// fault1 is an error in the form of Bulk API 1.0.
type fault1 struct{ code, message string }

func (f *fault1) Error() string { return f.code + " : " + f.message }

func badJob1(code, format string, args ...any) error {
	return &fault1{code, fmt.Sprintf(format, args...)}
}

// async answers below /services/async: segs are the version, "job", and what is below.
func (o *Org) async(w http.ResponseWriter, r *http.Request, segs []string) {
	res, err := o.asyncAnswer(w, r, segs)
	if err == nil {
		err = res.write(w, wantsJSON(r))
	}
	if err == nil {
		return
	}
	f, isFault := errors.AsType[*fault1](err)
	status := http.StatusBadRequest
	if !isFault {
		e := o.fail(r.Context(), err)
		f = &fault1{e.Code, e.Message}
		if e.Status >= http.StatusInternalServerError {
			status = e.Status
		}
	}
	_ = (&answer1{status: status, name: "error", fields: []pair1{{"exceptionCode", f.code}, {"exceptionMessage", f.message}}}).write(w, wantsJSON(r))
}

func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Content-Type"), "json") || strings.Contains(r.Header.Get("Accept"), "json")
}

func (o *Org) asyncAnswer(w http.ResponseWriter, r *http.Request, segs []string) (*answer1, error) {
	if len(segs) < 2 || !strings.EqualFold(segs[1], "job") {
		return nil, badPath1()
	}
	version, err := parseVersion("v" + strings.TrimPrefix(segs[0], "v"))
	if err != nil {
		return nil, badJob1("InvalidVersion", "Version %s is not supported: use %d.0 to %d.0", shorten(segs[0]), minVersion, maxVersion)
	}
	s := o.sessions.find(orElse(r.Header.Get("X-SFDC-Session"), bearer(r)), false)
	if s == nil {
		return nil, badJob1("InvalidSessionId", "Invalid session id")
	}
	note(w, s)
	if err := o.budget(w); err != nil {
		return nil, badJob1("ExceededQuota", "%s", err.Message)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBatch1+1))
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	rq := &request{ctx: r.Context(), method: r.Method, version: version, segs: segs[2:], header: r.Header, body: body, user: s}
	if len(rq.segs) == 0 {
		if r.Method != http.MethodPost {
			return nil, badJob1("InvalidUrl", "Path is not valid: send POST to make a job")
		}
		return o.newJob1(rq)
	}
	return o.job1(rq)
}

// job1 answers below /job/{id}.
func (o *Org) job1(rq *request) (*answer1, error) {
	o.bulk.first.mu.Lock()
	defer o.bulk.first.mu.Unlock()
	id, _ := normalID(rq.segs[0])
	j := o.bulk.first.jobs[id]
	if j == nil {
		return nil, badJob1("InvalidJob", "Unable to find object: %s", shorten(rq.segs[0]))
	}
	rest := rq.segs[1:]
	get, post := rq.method == http.MethodGet, rq.method == http.MethodPost
	switch {
	case len(rest) == 0 && get:
		return j.info(http.StatusOK), nil
	case len(rest) == 0 && post:
		return o.closeJob1(rq, j)
	case len(rest) == 0 || !strings.EqualFold(rest[0], "batch"):
		return nil, badPath1()
	case len(rest) == 1 && post:
		return o.addBatch1(rq, j)
	case !get:
		return nil, badPath1()
	case len(rest) == 1:
		return j.list(), nil
	}
	return o.batch1(j, rest[1], rest[2:])
}

func badPath1() error { return badJob1("InvalidUrl", "Path is not valid") }

// batch1 answers below /job/{id}/batch/{id}.
func (o *Org) batch1(j *job1, id string, rest []string) (*answer1, error) {
	n, _ := normalID(id)
	b := j.batch(n)
	if b == nil {
		return nil, badJob1("InvalidBatch", "Unable to find batch: %s", shorten(id))
	}
	switch part := strings.ToLower(strings.Join(rest[:min(len(rest), 1)], "")); {
	case part == "":
		return b.info(http.StatusOK), nil
	case part == "request" && len(rest) == 1:
		return &answer1{status: http.StatusOK, file: o.bulk.file(b.id, "request"), kind: j.mediaType()}, nil
	case part == "result" && len(rest) <= 2:
		return o.result1(j, b, strings.Join(rest[1:], ""))
	}
	return nil, badPath1()
}

// result1 answers what became of a batch.
func (o *Org) result1(j *job1, b *batch1, id string) (*answer1, error) {
	switch {
	case b.state == batchFailed:
		return nil, badJob1("InvalidBatch", "Batch failed: %s", b.message)
	case b.state != batchDone:
		return nil, badJob1("InvalidBatch", "Batch not completed")
	case !j.isQuery():
		return b.outcome(j), nil
	case id == "":
		return &answer1{status: http.StatusOK, name: "result-list", array: []string{b.result}}, nil
	case id != b.result:
		return nil, badJob1("InvalidBatch", "Unable to find result: %s", shorten(id))
	}
	return &answer1{status: http.StatusOK, file: o.bulk.file(b.result, "out"), kind: j.mediaType()}, nil
}

func (j *job1) mediaType() string {
	if j.content == "JSON" {
		return "application/json"
	}
	return csvType1
}

// closeJob1 closes or aborts a job.
func (o *Org) closeJob1(rq *request, j *job1) (*answer1, error) {
	in, err := readInfo1(rq.body, wantsJSON(&http.Request{Header: rq.header}))
	if err != nil {
		return nil, err
	}
	switch state := in["state"]; {
	case state != "Closed" && state != "Aborted":
		return nil, badJob1("InvalidJobState", "Invalid job state: %s: Closed or Aborted", shorten(state))
	case j.state == "Aborted" && state == "Closed":
		return nil, badJob1("InvalidJobState", "Closing already aborted Job not allowed")
	default:
		j.state, j.modified = state, o.now()
	}
	return j.info(http.StatusOK), nil
}

func (o *Org) newJob1(rq *request) (*answer1, error) {
	in, err := readInfo1(rq.body, wantsJSON(&http.Request{Header: rq.header}))
	if err != nil {
		return nil, err
	}
	j := &job1{
		operation: in["operation"], object: in["object"], externalID: in["externalIdFieldName"], content: orElse(in["contentType"], "XML"),
		concurrency: orElse(in["concurrencyMode"], "Parallel"), state: "Open", version: rq.version, user: rq.user, created: o.now(), modified: o.now(),
	}
	if err := o.checkJob1(rq, j); err != nil {
		return nil, err
	}
	if j.id, err = o.takeID(rq.ctx, "750"); err != nil {
		return nil, err
	}
	b := o.bulk.first
	b.mu.Lock()
	defer b.mu.Unlock()
	o.dropJobs1()
	if len(b.jobs) >= maxJobs1 {
		return nil, badJob1("TooManyJobs", "%d jobs are open: close some first", maxJobs1)
	}
	b.jobs[j.id] = j
	return j.info(http.StatusCreated), nil
}

func (o *Org) checkJob1(rq *request, j *job1) error {
	obj := o.seen(rq).object(j.object)
	switch {
	case j.content != "CSV" && j.content != "JSON":
		return badJob1("FeatureNotEnabled", "contentType %s is not taken by this org: use CSV or JSON", shorten(j.content))
	case j.concurrency != "Parallel" && j.concurrency != "Serial":
		return badJob1("InvalidJob", "concurrencyMode must be Parallel or Serial: it is %s", shorten(j.concurrency))
	case obj == nil || obj.event:
		return badJob1("InvalidJob", "Unable to find object: %s", shorten(j.object))
	}
	j.object = obj.name
	switch j.operation {
	case "insert", "update", "delete", "hardDelete", "query", "queryAll":
		return nil
	case "upsert":
	default:
		return badJob1("InvalidJob", "Unknown operation: %s", shorten(j.operation))
	}
	f := obj.field(orElse(j.externalID, "Id"))
	if j.externalID == "" {
		return badJob1("InvalidJob", "External ID was blank for %s. An External ID must be specified for upsert.", obj.name)
	}
	if f == nil || !f.external && f.kind != typeID {
		return badJob1("InvalidJob", "Field name provided: %s does not match an External ID, Salesforce Id, or indexed field for %s", shorten(j.externalID), obj.name)
	}
	j.externalID = f.name
	return nil
}

// takeID returns the next id of a kind of thing.
func (o *Org) takeID(ctx context.Context, prefix string) (id string, err error) {
	err = o.store.update(ctx, func(tx *sql.Tx) error {
		id, _, err = nextID(ctx, tx, prefix)
		return err
	})
	return id, err
}

// dropJobs1 forgets jobs past their time, and the oldest closed ones of too many. The caller holds the lock.
func (o *Org) dropJobs1() {
	b, now := o.bulk.first, o.now()
	for len(b.jobs) > 0 {
		var oldest *job1
		for _, j := range b.jobs {
			if j.state != "Open" && !j.running() && (oldest == nil || j.id < oldest.id) {
				oldest = j
			}
		}
		if oldest == nil || len(b.jobs) < maxJobs1 && now.Sub(oldest.modified) < jobTTL {
			return
		}
		delete(b.jobs, oldest.id)
		for _, part := range oldest.batches {
			_ = os.Remove(o.bulk.file(part.id, "request")) // there may be none
			_ = os.Remove(o.bulk.file(part.result, "out"))
		}
	}
}

func (j *job1) running() bool {
	for _, b := range j.batches {
		if b.state == batchQueued || b.state == batchInProgress {
			return true
		}
	}
	return false
}

// addBatch1 takes a batch and starts it.
func (o *Org) addBatch1(rq *request, j *job1) (*answer1, error) {
	switch {
	case j.state != "Open":
		return nil, badJob1("InvalidJobState", "Job is not open: it is %s", j.state)
	case len(rq.body) > maxBatch1:
		return nil, badJob1("ClientInputError", "A batch takes %d bytes", maxBatch1)
	case len(j.batches) >= maxJob1Batches:
		return nil, badJob1("ExceededQuota", "A job takes %d batches", maxJob1Batches)
	}
	id, err := o.takeID(rq.ctx, "751")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(o.bulk.file(id, "request"), rq.body, 0o600); err != nil {
		return nil, fmt.Errorf("keeping a batch: %w", err)
	}
	b := &batch1{id: id, job: j.id, state: batchQueued, created: o.now(), modified: o.now()}
	j.batches = append(j.batches, b)
	header, body := rq.header.Clone(), rq.body
	o.bulk.work.Go(func() {
		select {
		case o.bulk.first.places <- struct{}{}:
			defer func() { <-o.bulk.first.places }()
		case <-o.bulk.ctx.Done():
			return
		}
		o.runBatch1(&request{ctx: o.bulk.ctx, version: j.version, header: header, body: body, user: j.user}, j, b)
	})
	return b.info(http.StatusCreated), nil
}

// runBatch1 does what a batch asks for, unless its job was aborted before.
func (o *Org) runBatch1(rq *request, j *job1, b *batch1) {
	begin := time.Now()
	o.bulk.first.mu.Lock()
	aborted := j.state == "Aborted"
	b.state = batchInProgress
	o.bulk.first.mu.Unlock()
	var results []result1
	var out job
	var err error
	switch {
	case aborted:
		err = badJob1("InvalidJobState", "the job was aborted")
	case j.isQuery():
		out, err = o.readBatch1(rq, j)
	default:
		results, err = o.loadBatch1(rq, j)
	}
	o.bulk.first.mu.Lock()
	defer o.bulk.first.mu.Unlock()
	b.state, b.modified, b.millis, b.results = batchDone, o.now(), time.Since(begin).Milliseconds(), results
	b.processed, b.result = int64(len(results))+out.Processed, out.ID
	for _, r := range results {
		if !r.Success {
			b.failed++
		}
	}
	if err != nil {
		b.state, b.message = batchFailed, o.reason1(rq.ctx, err)
	}
}

func (o *Org) reason1(ctx context.Context, err error) string {
	if f, isFault := errors.AsType[*fault1](err); isFault {
		return f.Error()
	}
	e := o.fail(ctx, err)
	return "InvalidBatch : " + e.Code + ": " + e.Message
}

// info describes a job.
func (j *job1) info(status int) *answer1 {
	count := map[string]int{}
	var processed, failed, millis int64
	for _, b := range j.batches {
		count[b.state]++
		processed, failed, millis = processed+b.processed, failed+b.failed, millis+b.millis
	}
	a := &answer1{status: status, name: "jobInfo"}
	a.add("id", j.id, "operation", j.operation, "object", j.object, "createdById", j.user.user, "createdDate", stamp1(j.created),
		"systemModstamp", stamp1(j.modified), "state", j.state)
	if j.externalID != "" {
		a.add("externalIdFieldName", j.externalID)
	}
	a.add("concurrencyMode", j.concurrency, "contentType", j.content, "numberBatchesQueued", count[batchQueued],
		"numberBatchesInProgress", count[batchInProgress], "numberBatchesCompleted", count[batchDone], "numberBatchesFailed", count[batchFailed],
		"numberBatchesTotal", len(j.batches), "numberRecordsProcessed", processed, "numberRetries", 0, "apiVersion", float1(j.version),
		"numberRecordsFailed", failed, "totalProcessingTime", millis, "apiActiveProcessingTime", millis, "apexProcessingTime", 0)
	return a
}

// list describes the batches of a job.
func (j *job1) list() *answer1 {
	a := &answer1{status: http.StatusOK, name: "batchInfoList", item: "batchInfo"}
	for _, b := range j.batches {
		a.list = append(a.list, b.info(http.StatusOK).fields)
	}
	return a
}

func (b *batch1) info(status int) *answer1 {
	a := &answer1{status: status, name: "batchInfo"}
	a.add("id", b.id, "jobId", b.job, "state", b.state)
	if b.message != "" {
		a.add("stateMessage", b.message)
	}
	a.add("createdDate", stamp1(b.created), "systemModstamp", stamp1(b.modified), "numberRecordsProcessed", b.processed,
		"numberRecordsFailed", b.failed, "totalProcessingTime", b.millis, "apiActiveProcessingTime", b.millis, "apexProcessingTime", 0)
	return a
}

func stamp1(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// float1 is a version as a number is written there: 60.0.
type float1 int

func (f float1) String() string { return strconv.Itoa(int(f)) + ".0" }

// MarshalJSON makes it a number.
func (f float1) MarshalJSON() ([]byte, error) { return []byte(f.String()), nil }

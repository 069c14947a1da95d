package salesforce

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Bulk API 1.0 (guide of 66.0, "Bulk API"): jobs of batches below /services/async. Each batch is a job of the bulk engine, so
// that it runs, survives and is kept as those of 2.0 are. Job bodies are XML or JSON, data is CSV or JSON.

// Limits of a batch (guide, "Bulk API Limits").
const (
	maxClassicBatch   = 10_000_000 // bytes
	maxClassicRecords = 10_000
	maxClassicBatches = 1000 // of a job: each is kept in memory
)

// jobClosed is a job of Bulk API 1.0 that takes no more batches.
const jobClosed jobState = "Closed"

// classicJob is what a job of Bulk API 1.0 has besides. Its batches are the jobs that name it as their parent.
type classicJob struct {
	ContentType string `json:"content_type"` // CSV or JSON
	Concurrency string `json:"concurrency"`  // Parallel or Serial; one transaction writes at a time either way
}

// classicError is an error in the words of Bulk API 1.0.
type classicError struct {
	status        int
	code, message string
}

func (e *classicError) Error() string { return e.code + " : " + e.message }

func classicFault(code, format string, args ...any) *classicError {
	return &classicError{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// classicCall is one request below /services/async.
type classicCall struct {
	*request
	json        bool   // the answer is JSON
	contentType string // of the body
}

// classicAnswer is an answer: an element with fields, a list of such elements, or something that is sent as it is.
type classicAnswer struct {
	status int
	name   string
	fields []classicField
	list   [][]classicField // of elements called by item
	item   string
	raw    *response
}

type classicField struct {
	name  string
	value any // string, int64, bool or json.RawMessage
}

// async answers below /services/async: segs are the version and the path below it.
func (o *Org) async(w http.ResponseWriter, r *http.Request, segs []string) {
	c := &classicCall{json: strings.Contains(r.Header.Get("Accept"), "application/json") || strings.Contains(r.Header.Get("Content-Type"), "application/json")}
	c.contentType, _, _ = strings.Cut(strings.ToLower(r.Header.Get("Content-Type")), ";")
	answer, err := o.classic(w, r, segs, c)
	if err != nil {
		e := o.classicFaultOf(r.Context(), err)
		answer = &classicAnswer{status: e.status, name: "error", fields: []classicField{{"exceptionCode", e.code}, {"exceptionMessage", e.message}}}
	}
	if answer.raw == nil {
		writeClassic(w, c.json, answer)
		return
	}
	w.Header().Set("Content-Type", answer.raw.header.Get("Content-Type"))
	if err := sendTo(w, r, answer.raw); err != nil && r.Context().Err() == nil {
		_ = o.fail(r.Context(), err) // logs it
		panic(http.ErrAbortHandler)  // the answer is not whole: the client must not take it for that
	}
}

// classicFaultOf turns any error into a classic one.
func (o *Org) classicFaultOf(ctx context.Context, err error) *classicError {
	if e, ok := errors.AsType[*classicError](err); ok {
		return e
	}
	e := o.fail(ctx, err)
	code, message := map[string]string{
		"INVALIDENTITY": "InvalidEntity", "INVALIDJOB": "InvalidJob", "FEATURENOTENABLED": "FeatureNotEnabled", "INVALIDUSER": "InvalidUser", "REQUEST_LIMIT_EXCEEDED": "ExceededQuota",
		"METHOD_NOT_ALLOWED": "MethodNotAllowed", "NOT_FOUND": "InvalidUrl",
	}[e.Code], e.Message
	switch {
	case code != "":
		message = strings.TrimPrefix(message, code+" : ")
	case e.Status >= http.StatusInternalServerError:
		code = "Unknown"
	default:
		code = "ClientInputError"
	}
	return &classicError{e.Status, code, message}
}

func (o *Org) classic(w http.ResponseWriter, r *http.Request, segs []string, c *classicCall) (*classicAnswer, error) {
	if len(segs) < 2 || !strings.EqualFold(segs[1], "job") {
		return nil, classicFault("InvalidUrl", "Destination URL not reset. The URL must be /services/async/%d.0/job...", maxVersion)
	}
	version, err := parseVersion("v" + segs[0])
	if err != nil {
		return nil, classicFault("InvalidVersion", "Api version %s is not supported: use %d.0 to %d.0", shorten(segs[0]), minVersion, maxVersion)
	}
	token := r.Header.Get("X-SFDC-Session")
	if token == "" {
		token = bearer(r)
	}
	s := o.sessionOf(r.Context(), token, r.RemoteAddr)
	if s == nil {
		return nil, classicFault("InvalidSessionId", "Invalid session id")
	}
	note(w, s)
	if !o.usesAPI(r.Context(), s.user) {
		return nil, classicFault("FeatureNotEnabled", "The API is not enabled for this user: grant ApiEnabled")
	}
	if err := o.budget(w); err != nil {
		return nil, err
	}
	c.request = &request{ctx: r.Context(), method: r.Method, version: version, segs: segs[1:], query: r.URL.Query(), header: r.Header, user: s}
	if err := c.read(r); err != nil {
		return nil, err
	}
	return o.classicRoute(c)
}

func (o *Org) classicRoute(c *classicCall) (*classicAnswer, error) {
	if len(c.segs) == 1 {
		if c.method != http.MethodPost {
			return nil, methodNotAllowed(c.method)
		}
		return o.classicCreate(c)
	}
	j := o.bulk.classic(c.segs[1])
	if j == nil {
		return nil, classicFault("InvalidJob", "Unable to find job for id: %s", shorten(c.segs[1]))
	}
	if err := o.mayUseJob(c.request, j); err != nil {
		return nil, err
	}
	if len(c.segs) == 2 {
		switch c.method {
		case http.MethodGet:
			return o.classicInfo(j, http.StatusOK), nil
		case http.MethodPost:
			return o.classicChange(c, j)
		}
		return nil, methodNotAllowed(c.method)
	}
	if !strings.EqualFold(c.segs[2], "batch") {
		return nil, notFound()
	}
	return o.classicBatches(c, j)
}

// classicBatches answers what is below the batches of a job.
func (o *Org) classicBatches(c *classicCall, j *job) (*classicAnswer, error) {
	switch {
	case len(c.segs) == 3 && c.method == http.MethodPost:
		return o.classicAdd(c, j)
	case c.method != http.MethodGet:
		return nil, methodNotAllowed(c.method)
	}
	batches := o.bulk.batches(j.ID)
	if len(c.segs) == 3 {
		list := &classicAnswer{status: http.StatusOK, name: "batchInfoList", item: "batchInfo", list: [][]classicField{}}
		for _, b := range batches {
			list.list = append(list.list, batchFields(b))
		}
		return list, nil
	}
	id, _ := normalID(c.segs[3])
	at := slices.IndexFunc(batches, func(b job) bool { return b.ID == id })
	if at < 0 {
		return nil, classicFault("InvalidBatch", "Unable to find batch for id: %s", shorten(c.segs[3]))
	}
	return o.classicBatch(c, j, batches[at])
}

// classic finds a job of Bulk API 1.0.
func (b *bulk) classic(id string) *job {
	n, _ := normalID(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	if j := b.jobs[n]; j != nil && j.Classic != nil && !j.expired(b.org.now()) {
		return j
	}
	return nil
}

// batches lists copies of the batches of a job, in the order they came.
func (b *bulk) batches(parent string) []job {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []job
	for _, j := range b.jobs {
		if j.Parent == parent {
			out = append(out, *j)
		}
	}
	slices.SortFunc(out, func(x, y job) int { return strings.Compare(x.ID, y.ID) })
	return out
}

// classicIn is the body of a job, in XML or JSON.
type classicIn struct {
	Operation   string `json:"operation" xml:"operation"`
	Object      string `json:"object" xml:"object"`
	ExternalID  string `json:"externalIdFieldName" xml:"externalIdFieldName"`
	Concurrency string `json:"concurrencyMode" xml:"concurrencyMode"`
	Rule        string `json:"assignmentRuleId" xml:"assignmentRuleId"`
	ContentType string `json:"contentType" xml:"contentType"`
	State       string `json:"state" xml:"state"`
}

func (c *classicCall) in() (in classicIn, err error) {
	if c.contentType == "application/json" {
		if err := json.Unmarshal(c.body, &in); err != nil {
			return in, classicFault("ClientInputError", "The job cannot be read: %s", err)
		}
		return in, nil
	}
	if err := xml.Unmarshal(c.body, &in); err != nil {
		return in, classicFault("InvalidXML", "The job cannot be read: %s", err)
	}
	return in, nil
}

func (o *Org) classicCreate(c *classicCall) (*classicAnswer, error) {
	in, err := c.in()
	if err != nil {
		return nil, err
	}
	j := &job{
		User: c.user.user, Version: c.version, State: jobOpen, Delimiter: "COMMA",
		Classic: &classicJob{ContentType: strings.ToUpper(orElse(in.ContentType, "XML")), Concurrency: orElse(in.Concurrency, "Parallel")},
	}
	switch kind := j.Classic; {
	case kind.ContentType != "CSV" && kind.ContentType != "JSON":
		return nil, classicFault("InvalidJob", "contentType %s is not supported here: use CSV or JSON", shorten(kind.ContentType))
	case kind.Concurrency != "Parallel" && kind.Concurrency != "Serial":
		return nil, classicFault("InvalidJob", "concurrencyMode must be Parallel or Serial: it is %s", shorten(kind.Concurrency))
	}
	if in.Operation == "query" || in.Operation == "queryAll" {
		obj := o.seen(c.request).object(in.Object)
		if obj == nil {
			return nil, classicFault("InvalidEntity", "Unable to find object: %s", shorten(in.Object))
		}
		j.Object, j.Operation = obj.name, in.Operation
	} else {
		j.Ingest = true
		if err := o.checkIngest(c.request, j, newJob{Object: in.Object, Operation: in.Operation, ExternalID: in.ExternalID, Rule: in.Rule}); err != nil {
			return nil, err
		}
	}
	if err := o.bulk.add(c.ctx, j); err != nil {
		return nil, err
	}
	return o.classicInfo(j, http.StatusCreated), nil
}

// classicChange closes a job, or aborts it with its batches that were not come to.
func (o *Org) classicChange(c *classicCall, j *job) (*classicAnswer, error) {
	in, err := c.in()
	if err != nil {
		return nil, err
	}
	want := jobState(in.State)
	err = o.bulk.change(c.ctx, j, func(j *job) error {
		word := map[jobState]string{jobClosed: "Closing", jobAborted: "Aborting"}[want]
		switch {
		case word == "":
			return classicFault("InvalidJob", "state must be Closed or Aborted: it is %s", shorten(in.State))
		case j.State == jobAborted || j.State == want:
			return classicFault("InvalidJobState", "%s already %s Job not allowed", word, strings.ToLower(string(j.State)))
		}
		j.State = want
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, b := range o.bulk.batches(j.ID) {
		if want == jobClosed || b.State.over() {
			continue
		}
		err := o.bulk.change(c.ctx, o.bulk.batch(b.ID), func(j *job) error {
			if !j.State.over() {
				j.State = jobAborted
			}
			return nil
		})
		if err != nil && !errors.Is(err, errAborted) {
			return nil, err
		}
	}
	return o.classicInfo(j, http.StatusOK), nil
}

func (b *bulk) batch(id string) *job {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.jobs[id]
}

// classicAdd takes a batch: records, or the text of a query.
func (o *Org) classicAdd(c *classicCall, parent *job) (*classicAnswer, error) {
	s := o.bulk.snapshot(parent)
	switch {
	case s.State != jobOpen:
		return nil, classicFault("InvalidJobState", "Job %s is %s: batches are taken while it is Open", s.ID, s.State)
	case len(o.bulk.batches(s.ID)) >= maxClassicBatches:
		return nil, classicFault("ExceededQuota", "The job has %d batches: make another", maxClassicBatches)
	}
	b := &job{
		Ingest: s.Ingest, Object: s.Object, Operation: s.Operation, ExternalID: s.ExternalID, Delimiter: "COMMA", State: jobOpen, User: c.user.user,
		Version: s.Version, Parent: s.ID,
	}
	if !s.Ingest {
		o.classicQuery(c, b)
		if err := o.bulk.add(c.ctx, b); err != nil {
			return nil, err
		}
		return o.classicStarted(b), nil
	}
	data := c.body
	var bad error
	if s.Classic.ContentType == "JSON" {
		data, bad = jsonBatch(c.body)
	}
	if bad == nil {
		bad = checkBatch(data)
	}
	if bad != nil {
		b.State, b.Message = jobFailed, bad.Error()
	}
	if err := o.bulk.add(c.ctx, b); err != nil {
		return nil, err
	}
	if err := o.keepRequest(b.ID, c.body); err != nil {
		return nil, err
	}
	if bad == nil {
		if err := o.upload(c.ctx, b, bytes.NewReader(data), jobUploaded); err != nil {
			return nil, err
		}
	}
	return o.classicStarted(b), nil
}

func (o *Org) classicStarted(b *job) *classicAnswer {
	s := o.bulk.snapshot(b)
	if s.State == jobUploaded {
		o.bulk.start(b)
	}
	return &classicAnswer{status: http.StatusCreated, name: "batchInfo", fields: batchFields(s)}
}

// classicQuery readies a batch of a query. A query that cannot be run fails the batch, not the request.
func (o *Org) classicQuery(c *classicCall, b *job) {
	object := b.Object
	err := o.checkQueryJob(c.request, b, newJob{Operation: b.Operation, Query: string(c.body)})
	if err == nil && b.Object != object {
		err = badRequest("INVALID_TYPE", "the query is of %s, the job of %s", b.Object, object)
	}
	if err != nil {
		e := o.fail(c.ctx, err)
		b.Object, b.Query, b.State, b.Message = object, string(c.body), jobFailed, "InvalidBatch : Failed to process query: "+e.Code+": "+e.Message
	}
}

// classicBatch answers for one batch.
func (o *Org) classicBatch(c *classicCall, parent *job, b job) (*classicAnswer, error) {
	if len(c.segs) == 4 {
		return &classicAnswer{status: http.StatusOK, name: "batchInfo", fields: batchFields(b)}, nil
	}
	switch part := strings.ToLower(c.segs[4]); {
	case part == "request" && len(c.segs) == 5:
		return o.classicRequest(parent, b)
	case part != "result" || len(c.segs) > 6 || b.Ingest && len(c.segs) > 5:
		return nil, notFound()
	case b.State != jobComplete:
		return nil, classicFault("InvalidBatch", "Batch not completed")
	case b.Ingest:
		return o.classicResults(parent, b), nil
	}
	return o.classicResultSet(c, parent, b)
}

// classicResultSet answers for the one result that a batch of a query has.
func (o *Org) classicResultSet(c *classicCall, parent *job, b job) (*classicAnswer, error) {
	result, _ := normalID("752" + b.ID[3:15])
	if len(c.segs) == 5 {
		return &classicAnswer{status: http.StatusOK, name: "result-list", fields: []classicField{{"result", result}}}, nil
	}
	if id, _ := normalID(c.segs[5]); id != result {
		return nil, classicFault("InvalidBatch", "Unable to find result for id: %s", shorten(c.segs[5]))
	}
	if parent.Classic.ContentType == "JSON" {
		return o.classicRecords(c, b)
	}
	send := func(w io.Writer) error { return o.sendResult(w, b, 0, b.Processed) }
	return &classicAnswer{raw: &response{status: http.StatusOK, header: http.Header{"Content-Type": {csvType}}, send: send}}, nil
}

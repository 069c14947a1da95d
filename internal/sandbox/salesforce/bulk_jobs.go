package salesforce

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
)

// jobs answers below /jobs.
func (o *Org) jobs(rq *request) (*response, error) {
	if len(rq.segs) < 2 {
		return nil, notFound()
	}
	ingest := strings.EqualFold(rq.segs[1], "ingest")
	switch {
	case ingest && rq.version >= 41:
	case strings.EqualFold(rq.segs[1], "query") && rq.version >= 47:
	default:
		return nil, notFound()
	}
	if len(rq.segs) == 2 {
		return o.allJobs(rq, ingest)
	}
	j := o.bulk.find(rq.segs[2], ingest)
	if j == nil {
		return nil, notFound()
	}
	if len(rq.segs) == 3 && rq.method == http.MethodGet {
		return ok(o.jobInfo(o.bulk.snapshot(j), progressInfo)), nil
	}
	if err := o.mayUseJob(rq, j); err != nil {
		return nil, err
	}
	if len(rq.segs) == 3 {
		return o.oneJob(rq, j)
	}
	if ingest {
		return o.ingestPart(rq, j, strings.ToLower(rq.segs[3]))
	}
	return o.queryPart(rq, j, strings.ToLower(rq.segs[3]))
}

func (o *Org) allJobs(rq *request, ingest bool) (*response, error) {
	switch rq.method {
	case http.MethodGet:
		return o.listJobs(rq, ingest)
	case http.MethodPost:
		return o.createJob(rq, ingest)
	}
	return nil, methodNotAllowed(rq.method)
}

// mayUseJob keeps a job and its data to the user who made it, and to those who manage all.
func (o *Org) mayUseJob(rq *request, j *job) error {
	if j.User == rq.user.user || o.viewOf(rq.ctx, rq.user.user).may(manageDataIntegrations) {
		return nil
	}
	return badRequest("INVALIDUSER", "InvalidUser : The job was created by another user, and Manage Data Integrations is not granted")
}

func jobFault(format string, args ...any) error {
	return badRequest("INVALIDJOBSTATE", format, args...)
}

func (o *Org) oneJob(rq *request, j *job) (*response, error) {
	switch rq.method {
	case http.MethodPatch:
		return o.patchJob(rq, j)
	case http.MethodDelete:
		return o.deleteJob(rq, j)
	}
	return nil, methodNotAllowed(rq.method)
}

// word is a state as messages tell it.
func (s jobState) word() string {
	switch s {
	case jobComplete:
		return "Completed"
	case jobUploaded, jobInProgress:
		return "Closed"
	case jobOpen, jobFailed, jobAborted, jobClosed:
	}
	return string(s)
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
			return jobFault("Aborting already %s Job not allowed", j.State.word())
		case in.State == jobAborted:
		case in.State != jobUploaded || !j.Ingest:
			return badRequest("INVALIDJOB", "InvalidJob : state must be UploadComplete or Aborted: it is %s", shorten(string(in.State)))
		case j.State != jobOpen:
			return jobFault("Closing already %s Job not allowed", j.State.word())
		case j.Multiple:
			return badRequest("INVALIDJOB", "Found multipe contents for job: <%s>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job "+ //nolint:misspell // the platform's
				"and make sure you only do 'PUT' once on a given Job.", j.ID[:15])
		}
		j.State = in.State
		return nil
	})
	if errors.Is(err, errAborted) { // it was deleted meanwhile
		err = notFound()
	}
	if err != nil {
		return nil, err
	}
	if in.State == jobUploaded {
		o.bulk.start(j)
	}
	return ok(o.jobInfo(o.bulk.snapshot(j), changeInfo)), nil
}

func (o *Org) deleteJob(rq *request, j *job) (*response, error) {
	b := o.bulk
	b.mu.Lock()
	defer b.mu.Unlock()
	if !j.State.over() && (j.State != jobUploaded || !j.Ingest) {
		return nil, badRequest("API_ERROR", "Error encountered when deleting the job because the job is not terminated")
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
	now := o.now()
	o.bulk.mu.Lock()
	var list []job
	for _, j := range o.bulk.jobs {
		if wanted(j) && !j.expired(now) && (after == "" || j.ID > after) {
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
		records = append(records, o.jobInfo(j, listInfo))
	}
	return ok(map[string]any{"done": next == nil, "records": records, "nextRecordsUrl": next}), nil
}

// jobFilter reads which jobs a list is to hold: those of its kind and those of Bulk API 1.0, unless jobType names a kind. There
// is no PK chunking.
func jobFilter(rq *request, ingest bool) (func(j *job) bool, error) {
	none := strings.EqualFold(rq.query.Get("isPkChunkingEnabled"), "true")
	mode := rq.query.Get("concurrencyMode")
	if mode != "" && !strings.EqualFold(mode, "parallel") && !strings.EqualFold(mode, "serial") {
		return nil, badRequest("INVALID_PARAMETER", "concurrencyMode is parallel or serial: it is %s", shorten(mode))
	}
	kind := rq.query.Get("jobType")
	switch kind {
	case "", "Classic":
	case "V2Ingest", "V2Query":
		ingest = kind == "V2Ingest"
	case "BigObjectIngest":
		none = true
	default:
		return nil, badRequest("INVALID_PARAMETER", "jobType is Classic, BigObjectIngest, V2Ingest or V2Query: it is %s", shorten(kind))
	}
	return func(j *job) bool {
		if none || j.Parent != "" || mode != "" && !strings.EqualFold(mode, j.concurrency()) {
			return false
		}
		if j.Classic != nil {
			return kind == "" || kind == "Classic"
		}
		return kind != "Classic" && j.Ingest == ingest
	}, nil
}

func (j *job) concurrency() string {
	if j.Classic != nil {
		return j.Classic.Concurrency
	}
	return "Parallel"
}

func (j *job) jobType() string {
	switch {
	case j.Classic != nil:
		return "Classic"
	case j.Ingest:
		return "V2Ingest"
	}
	return "V2Query"
}

// infoKind is how much an answer tells of a job.
type infoKind int

const (
	changeInfo   infoKind = iota // of a job that was changed: the least
	createInfo                   // of a new job: with the form of its data
	listInfo                     // in a list: with its type
	progressInfo                 // of one job: with how far it is
)

// jobInfo is a job as the API shows it.
func (o *Org) jobInfo(j job, kind infoKind) map[string]any {
	out := map[string]any{
		"id": j.ID, "operation": j.Operation, "object": j.Object, "createdById": j.User, "createdDate": wireStamp(j.Created),
		"systemModstamp": wireStamp(j.Modified), "state": j.State, "concurrencyMode": j.concurrency(), "contentType": "CSV",
		"apiVersion": json.RawMessage(itoa(j.Version) + ".0"),
	}
	if j.ExternalID != "" {
		out["externalIdFieldName"] = j.ExternalID
	}
	if j.Rule != "" {
		out["assignmentRuleId"] = j.Rule
	}
	if kind == changeInfo {
		return out
	}
	if j.Classic != nil { // in a list; all else is told by its own API
		out["contentType"], out["jobType"] = j.Classic.ContentType, j.jobType()
		return out
	}
	out["lineEnding"], out["columnDelimiter"] = j.LineEnding, j.Delimiter
	if j.Ingest && j.State == jobOpen {
		out["contentUrl"] = "services/data/v" + itoa(j.Version) + ".0/jobs/ingest/" + j.ID + "/batches"
	}
	if kind == createInfo {
		return out
	}
	out["jobType"] = j.jobType()
	if kind == listInfo {
		return out
	}
	out["retries"], out["totalProcessingTime"], out["numberRecordsProcessed"] = 0, j.Millis, j.Processed
	if j.Ingest {
		out["numberRecordsFailed"], out["apiActiveProcessingTime"], out["apexProcessingTime"] = j.Failed, j.Millis, 0
	}
	if j.Version >= 58 {
		out["isPkChunkingSupported"] = !j.Ingest
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
	Rule        string `json:"assignmentRuleId"`
	Query       string `json:"query"`
}

func (o *Org) createJob(rq *request, ingest bool) (*response, error) {
	body, content, err := jobParts(rq, ingest)
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
		return nil, badRequest("INVALIDJOB", "InvalidJob : lineEnding must be LF or CRLF: it is %s", shorten(in.LineEnding))
	case j.comma() == 0:
		return nil, badRequest("INVALIDJOB", "InvalidJob : columnDelimiter must be BACKQUOTE, CARET, COMMA, PIPE, SEMICOLON or TAB: it is %s", shorten(in.Delimiter))
	case in.ContentType != "" && !strings.EqualFold(in.ContentType, "CSV"):
		return nil, badRequest("INVALIDJOB", "InvalidJob : contentType must be CSV: it is %s", shorten(in.ContentType))
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
		if err := o.upload(rq.ctx, j, bytes.NewReader(content), jobUploaded); err != nil {
			return nil, err
		}
	}
	info := o.jobInfo(o.bulk.snapshot(j), createInfo)
	if j.Ingest == (content != nil) { // a query, or an ingest that has its data: nothing more is to come
		o.bulk.start(j)
	}
	return ok(info), nil
}

// jobParts splits a request that brings the data along: a multipart form with a part job and a part content.
func jobParts(rq *request, ingest bool) (body, content []byte, err error) {
	kind, params, err := mime.ParseMediaType(rq.header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || !ingest {
		return rq.body, nil, nil //nolint:nilerr // any other type is taken for JSON
	}
	wrong := func() error {
		return badRequest("INVALIDJOB", "InvalidJob : a multipart request has a part named job in JSON and a part named content in CSV")
	}
	mr := multipart.NewReader(bytes.NewReader(rq.body), params["boundary"])
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
			content = append([]byte{}, raw...)
		}
	}
	if body == nil || content == nil {
		return nil, nil, wrong()
	}
	if len(content) > maxMultipart {
		return nil, nil, badRequest("INVALIDJOB", "InvalidJob : a multipart request takes %d characters of data: upload more with a request of its own", maxMultipart)
	}
	return body, content, nil
}

package salesforce

import (
	"bytes"
	"context"
	"encoding/csv"
	"iter"
	"net/http"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
)

// BulkLoad is a load of many records, in parts of one ingest job each, one after the other, so that a record that comes in two
// parts ends as it came last. Within a part the org refuses records of one external id that it takes together, which are up to
// 200 in a row.
//
// No part is loaded twice, whatever is lost on the way: an ingest job takes effect only once it is closed, its id is kept before
// anything is sent to it, and after a crash the job itself is asked how far it came. That holds for an insert too, which has
// nothing else to tell a repetition by.
type BulkLoad struct {
	Object     string
	Operation  string // "upsert" by ExternalID, "insert", "update", "delete"
	ExternalID string
	Columns    []string
	// Rows yields the records after the first skip ones: always the same records in the same order. An error ends the load.
	Rows func(skip int) iter.Seq2[[]string, error]
	// PartBytes is how much CSV one job is sent; 90 MB when 0, and never more.
	PartBytes int
	// Progress is what Keep kept at an earlier run of the same load.
	Progress BulkProgress
	// Keep stores how far the load has come; it is durable when Keep returns. Without it a load that ended with an error must be
	// called again with the progress it returned.
	Keep func(ctx context.Context, p BulkProgress) error
	// Took is told what became of a part before the progress moves past it, after a crash maybe once more; may be nil.
	Took func(ctx context.Context, part BulkPart) error
}

// BulkStage says how far the part under way has come.
type BulkStage string

// The stages.
const (
	BulkNone    BulkStage = ""        // there is none
	BulkOpen    BulkStage = "open"    // its job is there; nothing in it takes effect yet
	BulkClosing BulkStage = "closing" // its data is there and the org is told, or about to be told, to load it
)

// BulkProgress is how far a load has come.
type BulkProgress struct {
	Rows      int `json:"rows"`      // of parts that are over
	Processed int `json:"processed"` // of these: what the org came to, failures included
	Failed    int `json:"failed"`    // of these: what the org did not take
	// Of the part under way.
	Job     string    `json:"job,omitempty"`
	JobRows int       `json:"jobRows,omitempty"`
	Stage   BulkStage `json:"stage,omitempty"`
}

// BulkFailure is a record that the org did not take.
type BulkFailure struct {
	Row   map[string]string // the values as they were sent
	Error string            // in the org's words; "unprocessed" when it never came to it
}

// BulkPart is what became of one part.
type BulkPart struct {
	Job       string
	First     int // how many rows came before it
	Rows      int
	Processed int
	Failures  []BulkFailure
}

// BulkLoad runs a load, or goes on with one, and returns how far it has come. Records that fail are told to Took and are no error.
// Errors: Invalid for a load that cannot work, such as one with a field that is not there; Conflict when what became of a part
// cannot be told any more, because the org has forgotten its job, and sending it again could double its records; Exhausted and
// Unavailable, and those of Keep, Took and Rows: call again with the progress.
func (c *Client) BulkLoad(ctx context.Context, l BulkLoad) (BulkProgress, error) {
	if l.Rows == nil || len(l.Columns) == 0 || l.Object == "" {
		return l.Progress, errs.New(errs.Invalid, "a bulk load needs an object, columns and rows")
	}
	if l.PartBytes <= 0 || l.PartBytes > bulkPart {
		l.PartBytes = bulkPart
	}
	r := &bulkRun{c: c, l: l, st: l.Progress}
	if err := r.resume(ctx); err != nil {
		return r.st, err
	}
	next, stop := iter.Pull2(l.Rows(r.st.Rows))
	defer stop()
	for {
		data, rows, err := r.part(next)
		if err != nil || rows == 0 {
			return r.st, err
		}
		if err := r.load(ctx, data, rows); err != nil {
			return r.st, err
		}
	}
}

// bulkRun is a load under way; it is used by one goroutine.
type bulkRun struct {
	c  *Client
	l  BulkLoad
	st BulkProgress
}

func (r *bulkRun) keep(ctx context.Context, st BulkProgress) error {
	if r.l.Keep != nil {
		if err := r.l.Keep(ctx, st); err != nil {
			return err
		}
	}
	r.st = st
	return nil
}

// part encodes the next rows.
func (r *bulkRun) part(next func() ([]string, error, bool)) (data []byte, rows int, err error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	failed := func(err error) error { return errs.Wrap(errs.Internal, err, "encoding a bulk load") }
	if err := w.Write(r.l.Columns); err != nil {
		return nil, 0, failed(err)
	}
	for b.Len() < r.l.PartBytes {
		row, err, ok := next()
		if err != nil {
			return nil, 0, err
		}
		if !ok {
			break
		}
		if len(row) != len(r.l.Columns) {
			return nil, 0, errs.New(errs.Invalid, "a row has %d values for %d columns", len(row), len(r.l.Columns))
		}
		if err := w.Write(row); err != nil {
			return nil, 0, failed(err)
		}
		rows++
		w.Flush()
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return nil, 0, failed(err)
	}
	return b.Bytes(), rows, nil
}

func (r *bulkRun) base() string { return "/jobs/ingest/" + r.st.Job }

// load sends one part and waits until it is over.
func (r *bulkRun) load(ctx context.Context, data []byte, rows int) error {
	in := map[string]string{"object": r.l.Object, "operation": r.l.Operation, "contentType": "CSV", "lineEnding": "LF"}
	if r.l.ExternalID != "" {
		in["externalIdFieldName"] = r.l.ExternalID
	}
	// A job whose answer is lost stays empty and open, and has no effect; the org drops it after a week.
	job, err := r.c.bulkCall(ctx, http.MethodPost, "/jobs/ingest", in, httpx.RetryNever)
	if err != nil {
		return err
	}
	st := r.st
	st.Job, st.JobRows, st.Stage = job.ID, rows, BulkOpen
	if err := r.keep(ctx, st); err != nil {
		return err
	}
	// The platform takes one upload for a job: whether one without an answer arrived does not matter, as the job is given up then.
	if _, err := r.c.bulkDo(ctx, Request{
		Method: http.MethodPut, Path: bulkPath(r.base()) + "/batches", Body: data, Header: http.Header{"Content-Type": {"text/csv"}}, Retry: httpx.RetryNever,
	}); err != nil {
		return err
	}
	st.Stage = BulkClosing
	if err := r.keep(ctx, st); err != nil {
		return err
	}
	if err := r.closeJob(ctx); err != nil {
		return err
	}
	return r.finish(ctx)
}

// closeJob has the org load what was uploaded. To say so twice does no harm: the second time is refused.
func (r *bulkRun) closeJob(ctx context.Context) error {
	_, err := r.c.bulkCall(ctx, http.MethodPatch, r.base(), map[string]string{"state": "UploadComplete"}, httpx.RetrySafe)
	if err == nil {
		return nil
	}
	job, askErr := r.c.bulkCall(ctx, http.MethodGet, r.base(), nil, httpx.RetryIdempotent)
	if askErr == nil && job.State != jobOpen {
		return nil // an earlier request, or an attempt whose answer was lost, has closed it
	}
	return err
}

// resume settles the part that an earlier run left.
func (r *bulkRun) resume(ctx context.Context) error {
	if r.st.Job == "" {
		return nil
	}
	if !recordID.MatchString(r.st.Job) {
		return errs.New(errs.Invalid, "the progress of the bulk load names no job")
	}
	if r.st.Stage != BulkClosing {
		// Nobody has told the org to load it, and nobody will: it is done anew.
		if err := r.forget(ctx); err != nil {
			return err
		}
		_, err := r.c.bulkCall(ctx, http.MethodPatch, "/jobs/ingest/"+r.l.Progress.Job, map[string]string{"state": "Aborted"}, httpx.RetrySafe)
		if code := errs.CodeOf(err); code == errs.NotFound || code == errs.Invalid {
			return nil // gone or aborted before
		}
		return err
	}
	job, err := r.c.bulkCall(ctx, http.MethodGet, r.base(), nil, httpx.RetryIdempotent)
	switch {
	case errs.Is(err, errs.NotFound) && r.l.Operation != "insert":
		return r.forget(ctx) // the same again changes the records to what they are
	case errs.Is(err, errs.NotFound):
		return errs.New(errs.Conflict, "the org has forgotten the bulk job %s: whether rows %d to %d were inserted cannot be told; look for them and go on after them", r.st.Job, r.st.Rows+1, r.st.Rows+r.st.JobRows)
	case err != nil:
		return err
	case job.State == jobOpen:
		if err := r.closeJob(ctx); err != nil {
			return err
		}
	}
	return r.finish(ctx)
}

// forget gives the job of the part up; its rows are the next to be sent.
func (r *bulkRun) forget(ctx context.Context) error {
	st := r.st
	st.Job, st.JobRows, st.Stage = "", 0, BulkNone
	return r.keep(ctx, st)
}

// finish waits for the part's job and hands on what became of it.
func (r *bulkRun) finish(ctx context.Context) error {
	job, err := r.c.bulkWait(ctx, r.base())
	if err != nil {
		return err
	}
	failed := job.failure()
	if failed != nil && job.Processed == 0 {
		if err := r.forget(ctx); err != nil {
			return err
		}
		return failed
	}
	part := BulkPart{Job: r.st.Job, First: r.st.Rows, Rows: r.st.JobRows, Processed: job.Processed}
	if part.Failures, err = r.failures(ctx, job); err != nil {
		return err
	}
	if r.l.Took != nil {
		if err := r.l.Took(ctx, part); err != nil {
			return err
		}
	}
	st := r.st
	st.Rows, st.Processed, st.Failed = st.Rows+part.Rows, st.Processed+part.Processed, st.Failed+len(part.Failures)
	st.Job, st.JobRows, st.Stage = "", 0, BulkNone
	if err := r.keep(ctx, st); err != nil {
		return err
	}
	return failed
}

// failures reads what the org did not take of a job that is over.
func (r *bulkRun) failures(ctx context.Context, job bulkJob) (list []BulkFailure, err error) {
	for _, kind := range []string{"failedResults", "unprocessedrecords"} {
		if kind == "failedResults" && job.Failed == 0 {
			continue
		}
		resp, err := r.c.bulkDo(ctx, Request{Path: bulkPath(r.base()) + "/" + kind})
		if err != nil {
			return nil, err
		}
		err = parseCSV(bytes.NewReader(resp.Body), func(row map[string]string) error {
			f := BulkFailure{Row: row, Error: row["sf__Error"]}
			if f.Error == "" {
				f.Error = "unprocessed"
			}
			delete(row, "sf__Error")
			delete(row, "sf__Id")
			list = append(list, f)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

package salesforce

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
)

// Bulk API 2.0 is for more than some ten thousand records: a query that is read page by page in parallel, or a load of CSV.
// Its requests are Background: they leave the reserve of the org's API requests to live calls.

const (
	bulkTimeout  = 5 * time.Minute // of one request that carries data; the HTTP client may allow less
	bulkPoll     = 500 * time.Millisecond
	bulkPollMax  = 10 * time.Second
	bulkParallel = 5
	// bulkPart is how much one ingest job is sent, in bytes: the platform takes 150 MB after base64, so 100 MB of CSV.
	bulkPart = 90 << 20
	bulkPage = 50_000 // records of a result page
)

// BulkQuery is a query for many records.
type BulkQuery struct {
	Text     string // of soql.Builder; no aggregates, sub-queries or OFFSET
	All      bool   // deleted records too
	Parallel int    // pages read at the same time; 5 when 0
	PageSize int    // records of a page; 50,000 when 0
}

// bulkJob is a job as the platform describes it.
type bulkJob struct {
	ID        string `json:"id"`
	State     string `json:"state"`
	Processed int    `json:"numberRecordsProcessed"`
	Failed    int    `json:"numberRecordsFailed"`
	Message   string `json:"errorMessage"`
}

// BulkQuery runs the query and calls row with each record's values by column name. Calls do not overlap; records come in no
// order, since pages are read in parallel. An error of row ends it. It returns how many records there were.
func (c *Client) BulkQuery(ctx context.Context, q BulkQuery, row func(map[string]string) error) (n int, err error) {
	operation := "query"
	if q.All {
		operation = "queryAll"
	}
	job, err := c.bulkCall(ctx, http.MethodPost, "/jobs/query", map[string]string{"operation": operation, "query": q.Text}, httpx.RetryNever)
	if err != nil {
		return 0, err
	}
	base := "/jobs/query/" + job.ID
	// What is left of a job lies in the org for a week, unless it is removed.
	defer func() {
		_, _ = c.bulkDo(context.WithoutCancel(ctx), Request{Method: http.MethodDelete, Path: bulkPath(base)})
	}()
	if _, err := c.bulkWait(ctx, base); err != nil {
		return 0, err
	}
	if q.PageSize <= 0 {
		q.PageSize = bulkPage
	}
	if q.Parallel <= 0 {
		q.Parallel = bulkParallel
	}
	var mu sync.Mutex // guards n and row
	read := func(ctx context.Context, path string) error {
		resp, err := c.bulkDo(ctx, Request{Path: path, Header: http.Header{"Accept": {"text/csv"}}})
		if err != nil {
			return err
		}
		return parseCSV(bytes.NewReader(resp.Body), func(r map[string]string) error {
			mu.Lock()
			defer mu.Unlock()
			n++
			return row(r)
		})
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(q.Parallel)
	err = c.resultPages(gctx, base, q.PageSize, func(path string) { g.Go(func() error { return read(gctx, path) }) })
	return n, errors.Join(err, g.Wait())
}

// resultPages calls each with the paths of the result's pages.
func (c *Client) resultPages(ctx context.Context, base string, size int, each func(path string)) error {
	next := bulkPath(base) + "/resultPages?maxRecords=" + strconv.Itoa(size)
	for range maxPages {
		resp, err := c.bulkDo(ctx, Request{Path: next})
		if err != nil {
			return err
		}
		pages, more, err := parseResultPages(resp.Body)
		if err != nil {
			return err
		}
		for _, p := range pages {
			each(p)
		}
		if more == "" {
			return nil
		}
		next = more
	}
	return errs.New(errs.Exhausted, "the result of the bulk query has more than %d pages", maxPages)
}

// parseResultPages reads the list of a result's pages; more is where the list goes on.
func parseResultPages(body []byte) (pages []string, more string, err error) {
	var out struct {
		Pages []struct {
			URL string `json:"resultUrl"`
		} `json:"resultPages"`
		Next string `json:"nextRecordsUrl"`
		Done bool   `json:"done"`
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return nil, "", errs.Wrap(errs.Unavailable, err, "the org's list of result pages cannot be read")
	}
	foreign := func(path string) bool { return !strings.HasPrefix(path, "/services/data/") }
	for _, p := range out.Pages {
		if foreign(p.URL) {
			return nil, "", errs.New(errs.Unavailable, "the org's list of result pages leads elsewhere")
		}
		pages = append(pages, p.URL)
	}
	switch {
	case out.Done || out.Next == "":
		return pages, "", nil
	case foreign(out.Next):
		return nil, "", errs.New(errs.Unavailable, "the org's list of result pages leads elsewhere")
	}
	return pages, out.Next, nil
}

func bulkPath(below string) string { return "/services/data/" + APIVersion + below }

// bulkDo sends a request of a bulk job; an answer that is an error becomes one.
func (c *Client) bulkDo(ctx context.Context, r Request) (*Response, error) {
	r.Urgency, r.Timeout, r.MaxResponseBytes = Background, bulkTimeout, 2*bulkPart
	resp, err := c.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	return resp, resp.Err()
}

func (c *Client) bulkCall(ctx context.Context, method, below string, body any, retry httpx.Retry) (job bulkJob, err error) {
	r := Request{Method: method, Path: bulkPath(below), Retry: retry}
	if body != nil {
		if r.Body, err = json.Marshal(body); err != nil {
			return job, errs.Wrap(errs.Internal, err, "encoding a bulk job")
		}
	}
	resp, err := c.bulkDo(ctx, r)
	if err != nil {
		return job, err
	}
	if err := json.Unmarshal(resp.Body, &job); err != nil || !recordID.MatchString(job.ID) {
		return job, errs.New(errs.Unavailable, "the org's answer about a bulk job cannot be read")
	}
	return job, nil
}

// bulkWait waits until the job is over.
func (c *Client) bulkWait(ctx context.Context, base string) (bulkJob, error) {
	for wait := bulkPoll; ; wait = min(wait*3/2, bulkPollMax) {
		job, err := c.bulkCall(ctx, http.MethodGet, base, nil, httpx.RetryIdempotent)
		if err != nil {
			return job, err
		}
		switch job.State {
		case "JobComplete":
			return job, nil
		case "Failed", "Aborted":
			return job, errs.New(errs.Unavailable, "the bulk job ended as %s: %s", job.State, shorten(job.Message))
		}
		timer := time.NewTimer(wait - rand.N(wait/4))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return job, errs.Wrap(errs.Unavailable, context.Cause(ctx), "the bulk job takes too long")
		}
	}
}

// BulkLoad is a load of many records.
type BulkLoad struct {
	Object     string
	Operation  string // "upsert" by ExternalID, which may be repeated without harm; "insert", "update", "delete"
	ExternalID string
	Columns    []string
}

// BulkFailure is a record that the org did not take.
type BulkFailure struct {
	Row   map[string]string // the values as they were sent
	Error string            // in the org's words; "unprocessed" when it never came to it
}

// BulkResult says what became of a load.
type BulkResult struct {
	Jobs      []string // ids
	Processed int
	Failures  []BulkFailure
}

// BulkLoad sends the rows, which next returns until it returns nil, in jobs of at most 90 MB, one after the other, so that a
// record that comes twice ends as it came last. Records that fail are in the result and are no error.
func (c *Client) BulkLoad(ctx context.Context, l BulkLoad, next func() []string) (res BulkResult, err error) {
	var part bytes.Buffer
	w := csv.NewWriter(&part)
	begin := func() error { part.Reset(); return w.Write(l.Columns) }
	if err := begin(); err != nil {
		return res, errs.Wrap(errs.Internal, err, "encoding a bulk load")
	}
	rows := 0
	for row := next(); row != nil; row = next() {
		if len(row) != len(l.Columns) {
			return res, errs.New(errs.Invalid, "a row has %d values for %d columns", len(row), len(l.Columns))
		}
		if err := w.Write(row); err != nil {
			return res, errs.Wrap(errs.Internal, err, "encoding a bulk load")
		}
		if w.Flush(); part.Len() >= bulkPart {
			if err := c.bulkPart(ctx, l, part.Bytes(), &res); err != nil {
				return res, err
			}
			if err := begin(); err != nil {
				return res, errs.Wrap(errs.Internal, err, "encoding a bulk load")
			}
			rows = -1
		}
		rows++
	}
	if w.Flush(); rows > 0 {
		err = c.bulkPart(ctx, l, part.Bytes(), &res)
	}
	return res, err
}

// bulkPart runs one ingest job.
func (c *Client) bulkPart(ctx context.Context, l BulkLoad, data []byte, res *BulkResult) error {
	in := map[string]string{"object": l.Object, "operation": l.Operation, "contentType": "CSV", "lineEnding": "LF"}
	if l.ExternalID != "" {
		in["externalIdFieldName"] = l.ExternalID
	}
	job, err := c.bulkCall(ctx, http.MethodPost, "/jobs/ingest", in, httpx.RetryNever)
	if err != nil {
		return err
	}
	base := "/jobs/ingest/" + job.ID
	res.Jobs = append(res.Jobs, job.ID)
	// A second upload to the same job is refused, so none is taken twice.
	if _, err := c.bulkDo(ctx, Request{Method: http.MethodPut, Path: bulkPath(base) + "/batches", Body: data, Header: http.Header{"Content-Type": {"text/csv"}}, Retry: httpx.RetryNever}); err != nil {
		return err
	}
	if _, err := c.bulkCall(ctx, http.MethodPatch, base, map[string]string{"state": "UploadComplete"}, httpx.RetrySafe); err != nil {
		return err
	}
	job, err = c.bulkWait(ctx, base)
	if err != nil {
		return err
	}
	res.Processed += job.Processed
	for _, kind := range []string{"failedResults", "unprocessedrecords"} {
		if kind == "failedResults" && job.Failed == 0 {
			continue
		}
		resp, err := c.bulkDo(ctx, Request{Path: bulkPath(base) + "/" + url.PathEscape(kind)})
		if err != nil {
			return err
		}
		err = parseCSV(bytes.NewReader(resp.Body), func(row map[string]string) error {
			f := BulkFailure{Row: row, Error: row["sf__Error"]}
			if f.Error == "" {
				f.Error = "unprocessed"
			}
			delete(row, "sf__Error")
			delete(row, "sf__Id")
			res.Failures = append(res.Failures, f)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// parseCSV reads a result and hands its rows on by column name.
func parseCSV(r io.Reader, row func(map[string]string) error) error {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	var columns []string
	for {
		values, err := in.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return errs.Wrap(errs.Unavailable, err, "the org's result is no CSV")
		case columns == nil:
			columns = append([]string{}, values...)
			continue
		}
		m := make(map[string]string, len(columns))
		for i, v := range values {
			m[columns[i]] = v
		}
		if err := row(m); err != nil {
			return err
		}
	}
}

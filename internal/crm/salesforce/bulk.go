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

// The states of a job that matter here (Bulk API 2.0 guide, "Get Job Info").
const (
	jobOpen     = "Open"
	jobComplete = "JobComplete"
	jobFailed   = "Failed"
	jobAborted  = "Aborted"
)

// failure is why a job that is over did not end well, nil when it did: Invalid for what would fail again, such as a field that is
// not there, else Unavailable.
func (j bulkJob) failure() error {
	if j.State == jobComplete {
		return nil
	}
	code := errs.Unavailable
	if j.State == jobFailed && strings.HasPrefix(strings.ToLower(j.Message), "invalid") {
		code = errs.Invalid
	}
	return errs.New(code, "the bulk job %s ended as %s: %s", j.ID, j.State, shorten(j.Message))
}

// BulkQuery runs the query and calls row with each record's values by column name. Calls do not overlap; records come in no
// order, since pages are read in parallel. An error of row ends it. It returns how many records there were. A query changes
// nothing in the org: after an error, or a crash, it is run again from its beginning, so that a backfill asks for a span of time
// that it can afford to read twice.
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
	if job, err = c.bulkWait(ctx, base); err != nil {
		return 0, err
	}
	if err := job.failure(); err != nil {
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
		// A page is whole or not read: what row is called with is in n.
		if want, err := strconv.Atoi(resp.Header.Get("Sforce-NumberOfRecords")); err == nil && want != countCSV(resp.Body) {
			return errs.New(errs.Unavailable, "a page of the bulk query's result is not whole: run the query again")
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

// bulkWait waits until the job is over, well or not.
func (c *Client) bulkWait(ctx context.Context, base string) (bulkJob, error) {
	for wait := bulkPoll; ; wait = min(wait*3/2, bulkPollMax) {
		job, err := c.bulkCall(ctx, http.MethodGet, base, nil, httpx.RetryIdempotent)
		if err != nil {
			return job, err
		}
		switch job.State {
		case jobComplete, jobFailed, jobAborted:
			return job, nil
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

// countCSV counts the records of a result, -1 when it cannot be read.
func countCSV(body []byte) (n int) {
	if parseCSV(bytes.NewReader(body), func(map[string]string) error { n++; return nil }) != nil {
		return -1
	}
	return n
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

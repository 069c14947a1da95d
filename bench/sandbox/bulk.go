package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const bulkFields = "LastName,FirstName,Email,Title,Department,MailingCity,MailingCountry,LeadSource"

// bulk measures a load of records with eight fields, and a query of the same with Id and seven fields named.
func bulk(ctx context.Context, o *options, out io.Writer) error {
	return withOrg(ctx, o, "none", func(org *process, c *client) error {
		var data strings.Builder
		data.WriteString(bulkFields + "\n")
		for i := range o.records {
			fmt.Fprintf(&data, "Last%d,First%d,c%d@x.example,Buyer,Sales,Paris,France,Web\n", i, i, i)
		}
		begin, used := time.Now(), org.processor()
		j, err := c.ingest(ctx, data.String())
		if err != nil {
			return err
		}
		if j.Failed > 0 || j.Processed != o.records {
			return fmt.Errorf("the load came to %+v", j)
		}
		report(out, "bulk ingest", o.records, time.Since(begin), org.processor()-used)
		begin, used = time.Now(), org.processor()
		rows, size, err := c.export(ctx, "SELECT Id, LastName, FirstName, Email, Title, Department, MailingCity, CreatedDate FROM Contact")
		if err != nil {
			return err
		}
		if rows != o.records {
			return fmt.Errorf("%d records came back of %d", rows, o.records)
		}
		report(out, "bulk query", rows, time.Since(begin), org.processor()-used)
		now, peak := org.memory()
		_, err = fmt.Fprintf(out, "  the result has %.1f MB; the org takes %d MB, at most %d MB\n", float64(size)/1e6, now, peak)
		return err
	})
}

func report(out io.Writer, what string, n int, took, used time.Duration) {
	_, _ = fmt.Fprintf(out, "%s: %d records in %.2f s, %.0f a second, %.2f s of processor time\n", what, n, took.Seconds(), float64(n)/took.Seconds(), used.Seconds())
}

// bulkJob is a job as the API tells of it.
type bulkJob struct {
	ID        string `json:"id"`
	State     string `json:"state"`
	Processed int    `json:"numberRecordsProcessed"`
	Failed    int    `json:"numberRecordsFailed"`
	Message   string `json:"errorMessage"`
}

func (c *client) job(ctx context.Context, method, path, body string) (bulkJob, error) {
	var j bulkJob
	raw, err := c.json(ctx, method, path, body)
	if err == nil {
		err = json.Unmarshal(raw, &j)
	}
	return j, err
}

const jobPoll = 5 * time.Millisecond

func (c *client) finished(ctx context.Context, path string) (bulkJob, error) {
	tick := time.NewTicker(jobPoll)
	defer tick.Stop()
	for {
		j, err := c.job(ctx, http.MethodGet, path, "")
		switch {
		case err != nil:
			return j, err
		case j.State == "JobComplete":
			return j, nil
		case j.State == "Failed" || j.State == "Aborted":
			return j, fmt.Errorf("the job is %s: %s", j.State, j.Message)
		}
		<-tick.C
	}
}

func (c *client) ingest(ctx context.Context, data string) (bulkJob, error) {
	j, err := c.job(ctx, http.MethodPost, "/jobs/ingest", `{"object":"Contact","operation":"insert"}`)
	if err != nil {
		return j, err
	}
	path := "/jobs/ingest/" + j.ID
	if _, _, err := c.send(ctx, http.MethodPut, path+"/batches", data, "text/csv"); err != nil {
		return j, err
	}
	if _, err := c.job(ctx, http.MethodPatch, path, `{"state":"UploadComplete"}`); err != nil {
		return j, err
	}
	return c.finished(ctx, path)
}

// export runs a query job and reads the whole of its result.
func (c *client) export(ctx context.Context, query string) (rows, size int, err error) {
	body, err := json.Marshal(map[string]string{"operation": "query", "query": query})
	if err != nil {
		return 0, 0, err
	}
	j, err := c.job(ctx, http.MethodPost, "/jobs/query", string(body))
	if err != nil {
		return 0, 0, err
	}
	path := "/jobs/query/" + j.ID
	if _, err := c.finished(ctx, path); err != nil {
		return 0, 0, err
	}
	for locator := ""; locator != "null"; {
		raw, header, err := c.send(ctx, http.MethodGet, path+"/results?maxRecords=250000&locator="+locator, "", "application/json")
		if err != nil {
			return 0, 0, err
		}
		rows += bytes.Count(raw, []byte("\n")) - 1 // no value has line breaks
		size += len(raw)
		locator = header.Get("Sforce-Locator")
	}
	return rows, size, nil
}

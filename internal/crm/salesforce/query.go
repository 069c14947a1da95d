package salesforce

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
)

// APIVersion is the version of the API that the hub uses where a flow does not name its own.
const APIVersion = "v68.0"

// Query is a SOQL query; its Text comes from soql.Builder.
type Query struct {
	Text    string
	Version string // "v68.0"; APIVersion when empty
	Batch   int    // records of an answer, 200 to 2000; the platform's own choice when 0
	All     bool   // deleted records too (queryAll)
	Urgency Urgency
}

// Record is one record of an answer. It is read-only.
type Record map[string]json.RawMessage

// Text returns a text field; empty when it is null or no text. Field names are those of the query in canonical case.
func (r Record) Text(field string) string {
	var s string
	if json.Unmarshal(r[field], &s) != nil {
		return ""
	}
	return s
}

// Bool returns a checkbox field.
func (r Record) Bool(field string) bool { return string(r[field]) == "true" }

// ID returns the record's id.
func (r Record) ID() string { return r.Text("Id") }

// Type returns the object that the record is of.
func (r Record) Type() string {
	var a struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(r["attributes"], &a) != nil {
		return ""
	}
	return a.Type
}

// maxPages bounds a query whose answers never say that they are the last.
const maxPages = 50_000

// Query yields the records of a query page by page; an error ends it. Bulk is for more than some ten thousand of them.
func (c *Client) Query(ctx context.Context, q Query) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		version, resource := q.Version, "/query"
		if version == "" {
			version = APIVersion
		}
		if q.All {
			resource = "/queryAll"
		}
		r := Request{Path: "/services/data/" + version + resource, Query: url.Values{"q": {q.Text}}, Retry: httpx.RetryIdempotent, Urgency: q.Urgency}
		if q.Batch > 0 {
			r.Header = http.Header{"Sforce-Query-Options": {"batchSize=" + strconv.Itoa(q.Batch)}}
		}
		for range maxPages {
			page, next, err := c.page(ctx, r)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, rec := range page {
				if !yield(rec, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			r.Path, r.Query = next, nil
		}
		yield(nil, errs.New(errs.Exhausted, "the query has more than %d pages: use Bulk", maxPages))
	}
}

func (c *Client) page(ctx context.Context, r Request) (list []Record, next string, err error) {
	resp, err := c.Do(ctx, r)
	if err != nil {
		return nil, "", err
	}
	if err := resp.Err(); err != nil {
		return nil, "", err
	}
	return parsePage(resp.Body)
}

// parsePage reads an answer to a query.
func parsePage(body []byte) (list []Record, next string, err error) {
	var out struct {
		Done    bool     `json:"done"`
		Next    string   `json:"nextRecordsUrl"`
		Records []Record `json:"records"`
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return nil, "", errs.Wrap(errs.Unavailable, err, "the CRM's answer cannot be read")
	}
	if out.Done {
		return out.Records, "", nil
	}
	if out.Next != "" && !strings.HasPrefix(out.Next, "/services/data/") {
		return nil, "", errs.New(errs.Unavailable, "the CRM's answer goes on at an address that is not its own")
	}
	return out.Records, out.Next, nil
}

// Search returns the records that a SOSL search finds; its text comes from the soql package.
func (c *Client) Search(ctx context.Context, sosl string) ([]Record, error) {
	resp, err := c.Do(ctx, Request{Path: "/services/data/" + APIVersion + "/search", Query: url.Values{"q": {sosl}}, Retry: httpx.RetryIdempotent})
	if err != nil {
		return nil, err
	}
	if err := resp.Err(); err != nil {
		return nil, err
	}
	var out struct {
		Records []Record `json:"searchRecords"`
	}
	if err := json.Unmarshal(resp.Body, &out); err != nil {
		return nil, errs.Wrap(errs.Unavailable, err, "the CRM's answer cannot be read")
	}
	return out.Records, nil
}

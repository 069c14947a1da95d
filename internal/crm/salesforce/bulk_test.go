package salesforce_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
	"github.com/tandemcc/tandem/internal/sandbox/kit"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/sandbox/sandboxtest"
	"github.com/tandemcc/tandem/internal/soql"
)

// rowsOf yields n rows as BulkLoad.Rows wants them.
func rowsOf(n int, row func(i int) []string) func(int) iter.Seq2[[]string, error] {
	return func(skip int) iter.Seq2[[]string, error] {
		return func(yield func([]string, error) bool) {
			for i := skip; i < n; i++ {
				if !yield(row(i), nil) {
					return
				}
			}
		}
	}
}

// large is a client that sends and takes the parts of bulk jobs.
func large(t *testing.T, org *sandboxtest.Salesforce) *salesforce.Client {
	t.Helper()
	h, err := httpx.New(httpx.Options{Allow: []string{strings.TrimPrefix(org.URL, "http://")}, MaxRequestBytes: 100 << 20, MaxResponseBytes: 100 << 20, BreakerFailures: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return connect(t, org, func(o *salesforce.Options) { o.HTTP = h })
}

// TestBulk loads contacts by external id, twice and in parts, and reads them back over parallel pages: each once, failures named.
func TestBulk(t *testing.T) {
	t.Parallel()
	org := sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone})
	c := large(t, org)
	const n = 3000
	var failures []salesforce.BulkFailure
	parts := 0
	load := salesforce.BulkLoad{
		Object: "Contact", Operation: "upsert", ExternalID: salesforce.PhoneField, Columns: []string{"LastName", salesforce.PhoneField, "Description"},
		PartBytes: 50_000,
		Rows: rowsOf(n, func(i int) []string {
			if i == 7 {
				return []string{"", "+19995550007", "no name"}
			}
			return []string{"Load " + strconv.Itoa(i), fmt.Sprintf("+1999555%04d", i), "two\nlines, \"quoted\""}
		}),
		Took: func(_ context.Context, p salesforce.BulkPart) error {
			failures, parts = append(failures, p.Failures...), parts+1
			return nil
		},
	}
	for range 2 {
		failures, parts = nil, 0
		p, err := c.BulkLoad(t.Context(), load)
		if err != nil || p.Rows != n || p.Processed != n || p.Failed != 1 || p.Job != "" || parts < 3 {
			t.Fatalf("%+v in %d parts, %v", p, parts, err)
		}
		if len(failures) != 1 || failures[0].Row[salesforce.PhoneField] != "+19995550007" || !strings.Contains(failures[0].Error, "LastName") {
			t.Fatalf("%+v", failures)
		}
	}
	q, err := soql.Build("Contact").Select("Id", "LastName", "Description").Text()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	got, err := c.BulkQuery(t.Context(), salesforce.BulkQuery{Text: q, PageSize: 250}, func(r map[string]string) error {
		seen[r["LastName"]]++
		if r["Description"] != "two\nlines, \"quoted\"" {
			t.Errorf("read %q", r)
		}
		return nil
	})
	if err != nil || got != n-1 || len(seen) != n-1 {
		t.Errorf("%d records, %d of them different, want %d; %v", got, len(seen), n-1, err)
	}
	if _, err := c.BulkQuery(t.Context(), salesforce.BulkQuery{Text: "SELECT Nonsense FROM Contact"}, nil); !errs.Is(err, errs.Invalid) {
		t.Errorf("a wrong query: %v", err)
	}
}

// deadly is an org whose client can be killed at any of its requests: the request has its effect or not, no answer comes, and
// nothing that is sent afterwards arrives.
type deadly struct {
	next  http.Handler
	until atomic.Int64 // requests that get through
	after atomic.Bool  // the last one takes effect
	dead  atomic.Bool
}

// ServeHTTP implements http.Handler.
func (d *deadly) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, "oauth2") {
		d.next.ServeHTTP(w, r)
		return
	}
	if left := d.until.Add(-1); left < 0 || d.dead.Load() {
		if left == -1 && d.after.Load() {
			d.next.ServeHTTP(httptest.NewRecorder(), r)
		}
		d.dead.Store(true)
		panic(http.ErrAbortHandler)
	}
	d.next.ServeHTTP(w, r)
}

var errKilled = errors.New("killed")

// TestBulkLoadSurvivesKills inserts contacts, which have nothing that a repetition could be told by, and kills the load at each
// request, before and after its effect, and at each storing of its progress, before and after it is stored. It goes on with what
// was stored, and each contact is there once.
func TestBulkLoadSurvivesKills(t *testing.T) {
	t.Parallel()
	const n = 40
	rounds := 0
	// once runs the load with a kill and then without; false when it ended before the kill came.
	once := func(t *testing.T, org sandboxtest.Salesforce, requests int, after bool, keeps int) (killed bool) {
		t.Helper()
		rounds++
		name := func(i int) string { return fmt.Sprintf("Round %d row %03d", rounds, i) }
		insert := salesforce.BulkLoad{
			Object: "Contact", Operation: "insert", Columns: []string{"LastName"}, PartBytes: 500, // two parts
			Rows: rowsOf(n, func(i int) []string { return []string{name(i)} }),
		}
		d := &deadly{next: org.Handler()}
		d.until.Store(int64(requests))
		d.after.Store(after)
		server := httptest.NewServer(d)
		defer server.Close()
		org.URL = server.URL
		var stored salesforce.BulkProgress
		load := insert
		load.Keep = func(_ context.Context, p salesforce.BulkProgress) error {
			if keeps--; keeps <= 0 || d.dead.Load() {
				if keeps == 0 && after {
					stored = p
				}
				d.dead.Store(true)
				return errKilled
			}
			stored = p
			return nil
		}
		c := large(t, &org)
		if p, err := c.BulkLoad(t.Context(), load); err != nil {
			killed = true
			c.Close()
		} else if p.Rows != n {
			t.Fatalf("it ended after %+v", p)
		}
		d.dead.Store(false)
		d.until.Store(1 << 30)
		load.Progress = stored
		load.Keep = func(_ context.Context, p salesforce.BulkProgress) error { stored = p; return nil }
		fresh := large(t, &org)
		if p, err := fresh.BulkLoad(t.Context(), load); err != nil || p.Rows != n || p.Failed != 0 || p != stored {
			t.Fatalf("going on: %+v, stored %+v, %v", p, stored, err)
		}
		q, err := soql.Build("Contact").Select("LastName").OrderBy("LastName", false).Text()
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for rec, err := range fresh.Query(t.Context(), salesforce.Query{Text: q}) {
			if err == nil && !strings.HasPrefix(rec.Text("LastName"), fmt.Sprintf("Round %d ", rounds)) {
				continue
			}
			if want := name(i); err != nil || rec.Text("LastName") != want {
				t.Fatalf("contact %d is %s, %v; want %s", i, rec.Text("LastName"), err, want)
			}
			i++
		}
		if i != n {
			t.Fatalf("%d contacts, want %d", i, n)
		}
		return killed
	}
	const never = 1 << 30
	org := sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone})
	for _, after := range []bool{false, true} {
		for _, step := range []string{"request", "keep"} {
			t.Run(fmt.Sprintf("%s, after it %v", step, after), func(t *testing.T) {
				at := 0
				for killed := true; killed; at++ {
					if step == "request" {
						killed = once(t, *org, at, after, never)
					} else {
						killed = once(t, *org, never, after, at+1)
					}
				}
				if at < 6 {
					t.Errorf("it was killed %d times: this shows nothing", at)
				}
			})
		}
	}
}

// TestBulkLoadWhoseJobIsForgotten: what cannot be told any more is not guessed for an insert, and done again where that does no harm.
func TestBulkLoadWhoseJobIsForgotten(t *testing.T) {
	t.Parallel()
	org := sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone})
	c := large(t, org)
	load := salesforce.BulkLoad{
		Object: "Contact", Operation: "insert", Columns: []string{"LastName", salesforce.PhoneField},
		Rows:     rowsOf(3, func(i int) []string { return []string{"R", "+1555000000" + strconv.Itoa(i)} }),
		Progress: salesforce.BulkProgress{Job: "750000000000999AAA", JobRows: 3, Stage: salesforce.BulkClosing},
	}
	if p, err := c.BulkLoad(t.Context(), load); !errs.Is(err, errs.Conflict) || !strings.Contains(errs.Message(err), "rows 1 to 3") || p != load.Progress {
		t.Errorf("an insert: %+v, %v", p, err)
	}
	load.Progress.Stage = salesforce.BulkOpen // it was never closed, so it had no effect
	if p, err := c.BulkLoad(t.Context(), load); err != nil || p.Rows != 3 {
		t.Errorf("an insert that was not closed: %+v, %v", p, err)
	}
	load.Operation, load.ExternalID, load.Progress.Stage = "upsert", salesforce.PhoneField, salesforce.BulkClosing
	if p, err := c.BulkLoad(t.Context(), load); err != nil || p.Rows != 3 || countOf(t, c, "Contact") != 3 {
		t.Errorf("an upsert: %+v, %v", p, err)
	}
}

// TestBulkLoadThatFails: a load with a field that is not there says so and stays where it is; records that another change holds
// are told, and the rest is taken.
func TestBulkLoadThatFails(t *testing.T) {
	t.Parallel()
	org := sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone})
	c := large(t, org)
	load := salesforce.BulkLoad{Object: "Contact", Operation: "insert", Columns: []string{"Nonsense"}, Rows: rowsOf(3, func(int) []string { return []string{"x"} })}
	if p, err := c.BulkLoad(t.Context(), load); !errs.Is(err, errs.Invalid) || p != (salesforce.BulkProgress{}) {
		t.Errorf("an unknown field: %+v, %v", p, err)
	}
	load.Columns = []string{"LastName", "FirstName"}
	if _, err := c.BulkLoad(t.Context(), load); !errs.Is(err, errs.Invalid) {
		t.Errorf("rows of another length: %v", err)
	}
	if _, err := org.Faults().Add(kit.Fault{Kind: kit.FaultRecord, Match: "/jobs/ingest/Contact", After: 1, Count: 2}); err != nil {
		t.Fatal(err)
	}
	var failures []salesforce.BulkFailure
	load.Columns = []string{"LastName"}
	load.Took = func(_ context.Context, p salesforce.BulkPart) error { failures = p.Failures; return nil }
	p, err := c.BulkLoad(t.Context(), load)
	if err != nil || p.Failed != 2 || p.Processed != 3 || len(failures) != 2 || !strings.HasPrefix(failures[0].Error, "UNABLE_TO_LOCK_ROW") || countOf(t, c, "Contact") != 1 {
		t.Errorf("%+v, %+v, %v", p, failures, err)
	}
}

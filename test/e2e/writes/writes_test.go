package writes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/sandbox/kit"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/soql"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
	"github.com/tandemcc/tandem/internal/work"
)

const (
	perCase = 20
	kills   = 5
	touched = 10 // cases that somebody else changes at each kill
)

// TestCommentsArriveOnceAndInOrder writes 10,000 comments to 500 cases while three of ten calls fail in every way there is, and
// kills the writing process five times: each comment is on its case once, and those of a case are in order. Beside it a bulk load
// meets records that are refused, and a subscription a stream with gaps.
//
// With the race detector it runs itself as the program is built; TestCommentsUnderTheRaceDetector sees the same path.
func TestCommentsArriveOnceAndInOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes 10,000 comments for about a minute")
	}
	if raced {
		asBuilt(t)
		return
	}
	r := newRun(t, 500)
	r.storm(func(dsn string, at int) {
		kill(t, r.calm, command(t, dsn, r.address, r.login), at)
	}, func(dsn string) {
		if out, err := command(t, dsn, r.address, r.login).CombinedOutput(); err != nil {
			t.Fatalf("finishing what was left: %v\n%s", err, out)
		}
	})
	r.weather.toll(t, 0.30)
}

// TestCommentsUnderTheRaceDetector is the same with a tenth of the comments in this process, so that the race detector sees the whole
// path. A kill drops all requests under way and keeps the job store from hearing of anything more.
func TestCommentsUnderTheRaceDetector(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes 1,000 comments for about half a minute")
	}
	r := newRun(t, 50)
	begin := func(dsn string) *delivery {
		d, err := deliver(t.Context(), dsn, r.address, r.login)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	r.storm(func(dsn string, at int) {
		d := begin(dsn)
		until(t, r.calm, at, nil)
		if err := d.kill(t.Context()); err != nil {
			t.Fatal(err)
		}
	}, func(dsn string) {
		d := begin(dsn)
		limit := time.After(5 * time.Minute)
		for {
			left, err := d.left(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if left == 0 {
				break
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-limit:
				t.Fatalf("%d jobs are left", left)
			}
		}
		if err := d.end(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	r.weather.toll(t, 0.25) // fewer calls: the share varies more
}

// asBuilt runs the calling test in a program without the race detector, and tells what it tells.
func asBuilt(t *testing.T) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "writes.test")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("building the test without the race detector: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), binary, "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "10m").CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("without the race detector: %v", err)
	}
}

// run is an org in a storm, and what is written to it.
type run struct {
	t       *testing.T
	org     *sandbox.Org
	weather *storm
	address string
	login   string
	calm    *salesforce.Client // goes through the storm as well
	aside   *salesforce.Client // does not
	cases   []string
	changed map[string]time.Time // cases that somebody else changed, and when
}

func newRun(t *testing.T, cases int) *run {
	t.Helper()
	org, err := sandbox.New(sandbox.Options{Dir: t.TempDir(), Seed: sandbox.SeedNone})
	if err != nil {
		t.Fatal(err)
	}
	// The org's clock is wrong, as clocks are, and gets wronger.
	org.SetSkew(-17 * time.Minute)
	r := &run{t: t, org: org, changed: map[string]time.Time{}}
	r.weather = &storm{next: org.Handler(), expire: func() { org.ExpireSessions(context.Background()) }}
	server, quiet := httptest.NewServer(r.weather), httptest.NewServer(org.Handler())
	t.Cleanup(func() {
		server.Close()
		quiet.Close()
		if err := org.Close(); err != nil {
			t.Error(err)
		}
	})
	login, err := json.Marshal(org.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	r.address, r.login = server.URL, string(login)
	r.calm, r.aside = calmClient(t, r.address, r.login), calmClient(t, quiet.URL, r.login)
	r.cases = makeCases(t, r.aside, cases)
	return r
}

// storm writes all comments: killed runs a process until so many comments are there and kills it, last runs one to the end.
func (r *run) storm(killed func(dsn string, at int), last func(dsn string)) {
	t := r.t
	dsn := storetest.DSN(t, sqlstore.SQLite)
	enqueue(t, dsn, r.cases)
	total := len(r.cases) * perCase
	listener := startListener(t, r.org, r.address, r.login)
	refused, err := r.org.Faults().Add(kit.Fault{Kind: kit.FaultRecord, Match: "/jobs/ingest/Contact", Share: 0.2})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	r.weather.blowing.Store(true)
	loader := startLoader(t.Context(), calmClient(t, r.address, r.login))
	for i := range kills {
		killed(dsn, (i+1)*total/(kills+2))
		r.org.SetSkew(r.org.Skew() + 6*time.Minute)
		r.org.CutStreams()
		if i == kills/2 {
			if err := r.org.ForgetEvents(t.Context()); err != nil { // as if the retention had passed
				t.Fatal(err)
			}
		}
		r.touch()
	}
	last(dsn)
	if err := <-loader.done; err != nil {
		t.Errorf("the bulk load: %v", err)
	}
	r.weather.blowing.Store(false)
	t.Logf("%d comments over %d kills in %v", total, kills, time.Since(begin).Round(time.Millisecond))
	listener.stop(t, r.changed)
	t.Logf("  %d contacts loaded in bulk, %d records refused on the way", bulkRows, loader.failed)
	if n := struck(r.org, refused); n == 0 || loader.failed == 0 {
		t.Errorf("%d records of the bulk load were refused, %d told: the test shows nothing of partial failures", n, loader.failed)
	}
	loaded(t, r.aside)
	r.inspect()
	finished(t, dsn)
}

// touch changes some cases as somebody else in the org would, and notes when.
func (r *run) touch() {
	r.t.Helper()
	for range touched {
		id := r.cases[len(r.changed)%len(r.cases)]
		resp, err := r.aside.Do(r.t.Context(), salesforce.Request{Method: "PATCH", Path: "/services/data/v68.0/sobjects/Case/" + id, Body: []byte(`{"Priority":"High"}`)})
		if err != nil || resp.Err() != nil {
			r.t.Fatalf("changing a case: %v, %v", err, resp)
		}
		q, err := soql.Build("Case").Select("SystemModstamp").Where("Id", "=", id).Text()
		if err != nil {
			r.t.Fatal(err)
		}
		for rec, err := range r.aside.Query(r.t.Context(), salesforce.Query{Text: q}) {
			at, parseErr := time.Parse("2006-01-02T15:04:05.000-0700", rec.Text("SystemModstamp"))
			if err != nil || parseErr != nil {
				r.t.Fatal(err, parseErr)
			}
			r.changed[id] = at.Truncate(time.Second)
		}
	}
}

func command(t *testing.T, dsn, address, login string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envDSN+"="+dsn, envURL+"="+address, envCreds+"="+login, "GOCOVERDIR=")
	return cmd
}

// makeCases returns the ids of new cases.
func makeCases(t *testing.T, c *salesforce.Client, n int) (list []string) {
	t.Helper()
	for len(list) < n {
		var body struct {
			Records []map[string]any `json:"records"`
		}
		for range min(200, n-len(list)) {
			body.Records = append(body.Records, map[string]any{"attributes": map[string]string{"type": "Case"}, "Subject": "Storm", "Status": "New", "Origin": "Phone"})
		}
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(t.Context(), salesforce.Request{Method: "POST", Path: "/services/data/v68.0/composite/sobjects", Body: raw})
		if err != nil || resp.Err() != nil {
			t.Fatalf("making cases: %v, %v", err, resp)
		}
		var made []struct{ ID string }
		if err := json.Unmarshal(resp.Body, &made); err != nil {
			t.Fatal(err)
		}
		for _, m := range made {
			list = append(list, m.ID)
		}
	}
	return list
}

func text(n int) string { return fmt.Sprintf("Comment %02d: the customer called about it", n) }

// enqueue stores the jobs, the first comment of every case, then the second. Every other one is written as a flow does it, as
// Comments of the case.
func enqueue(t *testing.T, dsn string, list []string) {
	t.Helper()
	ctx := t.Context()
	db, err := sqlstore.Open(ctx, dsn, sqlstore.Options{Cipher: storetest.Cipher{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for n := range perCase {
		now := time.Now().UTC()
		if err := sqlstore.As[work.Tx](db).Update(ctx, func(tx work.Tx) error {
			for _, id := range list {
				p := payload{"POST", "/services/data/v68.0/sobjects/CaseComment", `{"ParentId":"` + id + `","CommentBody":"` + text(n) + `"}`}
				if n%2 == 1 {
					p = payload{"PATCH", "/services/data/v68.0/sobjects/Case/" + id, `{"Comments":"` + text(n) + `"}`}
				}
				raw, err := json.Marshal(p)
				if err != nil {
					return err
				}
				if err := tx.Enqueue(ctx, job.Job{
					ID: ids.New(), Tenant: tenant, Kind: jobKind, RecordKey: salesforce.RecordKey("", p.request()), Connection: "org", Payload: raw, CreatedAt: now,
				}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// kill starts the child and kills it at a random moment once the org has so many comments.
func kill(t *testing.T, c *salesforce.Client, cmd *exec.Cmd, at int) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	until(t, c, at, func() {
		select {
		case err := <-ended:
			t.Fatalf("the child ended by itself: %v\n%s", err, out.Bytes())
		default:
		}
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Fatal("the child ended well")
	}
	if cmd.ProcessState.Exited() {
		t.Fatalf("the child was not killed: %v", cmd.ProcessState)
	}
}

// until waits until the org has so many comments, and a random while more; check is called meanwhile.
func until(t *testing.T, c *salesforce.Client, at int, check func()) {
	t.Helper()
	limit := time.After(4 * time.Minute)
	for written(t, c) < at {
		if check != nil {
			check()
		}
		select {
		case <-limit:
			t.Fatalf("it does not come to %d comments", at)
		case <-time.After(100*time.Millisecond + rand.N(100*time.Millisecond)):
		}
	}
}

// written counts the comments. The storm strikes this client as well, so it asks until there is an answer.
func written(t *testing.T, c *salesforce.Client) int {
	t.Helper()
	for {
		resp, err := c.Do(t.Context(), salesforce.Request{Path: "/services/data/v68.0/query", Query: url.Values{"q": {"SELECT COUNT() FROM CaseComment"}}})
		var out struct{ TotalSize int }
		if err == nil && resp.Status == http.StatusOK && json.Unmarshal(resp.Body, &out) == nil {
			return out.TotalSize
		}
		if !sleep(t.Context(), 50*time.Millisecond) {
			t.Fatal(t.Context().Err())
		}
	}
}

// inspect looks at every comment there is.
func (r *run) inspect() {
	t := r.t
	t.Helper()
	q, err := soql.Build("CaseComment").Select("Id", "ParentId", "CommentBody").OrderBy("Id", false).Text()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	total := 0
	for rec, err := range r.aside.Query(t.Context(), salesforce.Query{Text: q}) {
		if err != nil {
			t.Fatal(err)
		}
		body, mark, marked := strings.Cut(rec.Text("CommentBody"), " [ref:")
		if !marked || len(mark) != 11 {
			t.Errorf("the comment %q has no mark", rec.Text("CommentBody"))
		}
		got[rec.Text("ParentId")] = append(got[rec.Text("ParentId")], body)
		total++
	}
	if total != len(r.cases)*perCase {
		t.Errorf("%d comments, want %d", total, len(r.cases)*perCase)
	}
	var want []string
	for n := range perCase {
		want = append(want, text(n))
	}
	wrong := 0
	for _, id := range r.cases {
		if !slices.Equal(got[id], want) {
			if wrong++; wrong <= 3 {
				t.Errorf("case %s has %d comments: %q", id, len(got[id]), got[id])
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d cases are wrong", wrong)
	}
}

// finished looks for jobs that were given up.
func finished(t *testing.T, dsn string) {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), dsn, sqlstore.Options{Cipher: storetest.Cipher{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, state := range []job.State{job.Discarded, job.Cancelled, job.Running, job.Retryable} {
		left, err := db.Jobs().List(t.Context(), tenant, state, 0, 10)
		if err != nil || len(left) > 0 {
			t.Errorf("jobs that are %s: %+v, %v", state, left, err)
		}
	}
}

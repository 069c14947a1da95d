package writes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/job"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/soql"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
	"github.com/tandemcc/tandem/internal/work"
)

const (
	cases   = 500
	perCase = 20
	kills   = 5
)

// TestCommentsArriveOnceAndInOrder writes 10,000 comments to 500 cases while three of ten calls fail in every way there is, and
// kills the writing process five times: each comment is on its case once, and those of a case are in order.
func TestCommentsArriveOnceAndInOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes 10,000 comments for about a minute")
	}
	// The org's clock is wrong, as clocks are.
	org, err := sandbox.New(sandbox.Options{Dir: t.TempDir(), Seed: sandbox.SeedNone, Now: func() time.Time { return time.Now().Add(-17 * time.Minute) }})
	if err != nil {
		t.Fatal(err)
	}
	weather := &storm{next: org.Handler(), expire: func() { org.ExpireSessions(t.Context()) }}
	server := httptest.NewServer(weather)
	t.Cleanup(func() {
		server.Close()
		if err := org.Close(); err != nil {
			t.Error(err)
		}
	})
	login, err := json.Marshal(org.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	calm, err := connect(server.URL, string(login))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(calm.Close)
	dsn := storetest.DSN(t, sqlstore.SQLite)
	list := makeCases(t, calm)
	enqueue(t, dsn, list)

	begin := time.Now()
	weather.blowing.Store(true)
	for i := range kills {
		kill(t, calm, run(t, dsn, server.URL, string(login)), (i+1)*cases*perCase/(kills+2))
	}
	last := run(t, dsn, server.URL, string(login))
	if out, err := last.CombinedOutput(); err != nil {
		t.Fatalf("finishing what was left: %v\n%s", err, out)
	}
	weather.blowing.Store(false)
	t.Logf("%d comments over %d kills in %v, %d calls", cases*perCase, kills, time.Since(begin).Round(time.Millisecond), weather.calls.Load())
	for i, k := range kinds {
		n := weather.struck[i].Load()
		t.Logf("  %-22s %d", k.name, n)
		if n == 0 {
			t.Errorf("no call failed with %q: the test shows nothing of it", k.name)
		}
	}
	inspect(t, calm, list)
	finished(t, dsn)
}

func run(t *testing.T, dsn, address, login string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envDSN+"="+dsn, envURL+"="+address, envCreds+"="+login, "GOCOVERDIR=")
	return cmd
}

// makeCases returns the ids of new cases.
func makeCases(t *testing.T, c *salesforce.Client) (list []string) {
	t.Helper()
	for len(list) < cases {
		var body struct {
			Records []map[string]any `json:"records"`
		}
		for range min(200, cases-len(list)) {
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
	limit := time.After(3 * time.Minute)
	for written(t, c) < at {
		select {
		case err := <-ended:
			t.Fatalf("the child ended by itself: %v\n%s", err, out.Bytes())
		case <-limit:
			_ = cmd.Process.Kill()
			t.Fatalf("the child does not come to %d comments:\n%s", at, out.Bytes())
		case <-time.After(100*time.Millisecond + rand.N(100*time.Millisecond)):
		}
	}
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

// written counts the comments. The storm strikes this client as well, so it asks until there is an answer.
func written(t *testing.T, c *salesforce.Client) int {
	t.Helper()
	for {
		resp, err := c.Do(t.Context(), salesforce.Request{Path: "/services/data/v68.0/query", Query: url.Values{"q": {"SELECT COUNT() FROM CaseComment"}}})
		var out struct{ TotalSize int }
		if err == nil && resp.Status == http.StatusOK && json.Unmarshal(resp.Body, &out) == nil {
			return out.TotalSize
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func inspect(t *testing.T, c *salesforce.Client, list []string) {
	t.Helper()
	q, err := soql.Build("CaseComment").Select("Id", "ParentId", "CommentBody").OrderBy("Id", false).Text()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	total := 0
	for rec, err := range c.Query(t.Context(), salesforce.Query{Text: q}) {
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
	if total != cases*perCase {
		t.Errorf("%d comments, want %d", total, cases*perCase)
	}
	var want []string
	for n := range perCase {
		want = append(want, text(n))
	}
	wrong := 0
	for _, id := range list {
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

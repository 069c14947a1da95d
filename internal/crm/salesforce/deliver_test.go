package salesforce_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/job"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/sandbox/sandboxtest"
	"github.com/tandemcc/tandem/internal/soql"
)

// unsteady is an org that can be told to do a request and not say so.
type unsteady struct {
	*sandboxtest.Salesforce

	spoil atomic.Value // func(w, r) bool: true when it has answered
	calls atomic.Int64
	now   atomic.Int64 // the client's clock, in seconds
}

func newUnsteady(t *testing.T) (*unsteady, *salesforce.Client) {
	t.Helper()
	org := sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone})
	u := &unsteady{Salesforce: org}
	u.spoil.Store(func(http.ResponseWriter, *http.Request) bool { return false })
	handler := org.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.calls.Add(1)
		spoil, _ := u.spoil.Load().(func(http.ResponseWriter, *http.Request) bool)
		if !spoil(w, r) {
			handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	org.URL = server.URL
	begin := time.Now()
	c := connect(t, org, func(o *salesforce.Options) {
		o.Now = func() time.Time { return begin.Add(time.Duration(u.now.Load()) * time.Second) }
	})
	return u, c
}

// cutOnce lets the next write take effect and closes the connection unanswered.
func (u *unsteady) cutOnce() {
	var once sync.Once
	handler := u.Handler()
	u.spoil.Store(func(_ http.ResponseWriter, r *http.Request) (done bool) {
		if r.Method == http.MethodGet || strings.Contains(r.URL.Path, "oauth2") {
			return false
		}
		once.Do(func() {
			handler.ServeHTTP(httptest.NewRecorder(), r)
			done = true
		})
		if done {
			panic(http.ErrAbortHandler)
		}
		return false
	})
}

// create makes a case.
func create(t *testing.T, c *salesforce.Client, body string) string {
	t.Helper()
	resp, err := c.Do(t.Context(), salesforce.Request{Method: http.MethodPost, Path: "/services/data/v68.0/sobjects/Case", Body: []byte(body)})
	if err != nil || resp.Status != http.StatusCreated {
		t.Fatalf("creating a case: %v, %v", resp, err)
	}
	var made struct{ ID string }
	if err := json.Unmarshal(resp.Body, &made); err != nil {
		t.Fatal(err)
	}
	return made.ID
}

func countOf(t *testing.T, c *salesforce.Client, object string) (n int) {
	t.Helper()
	q, err := soql.Build(object).Select("Id").Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range c.Query(t.Context(), salesforce.Query{Text: q}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// TestDoubtfulWrites: the connection is cut after each kind of write took effect. It is looked for before it is sent again, not
// before it must have ended; what cannot be looked for is sent again and says that it may be there twice.
func TestDoubtfulWrites(t *testing.T) {
	t.Parallel()
	const base = "/services/data/v68.0/sobjects/"
	for _, k := range []struct {
		name, method, path, body string
		counts                   string // the object whose records are counted
		want                     int
		status                   int
		delivery                 job.Delivery
	}{
		{"comment", "POST", "CaseComment", `{"ParentId":"CASE","CommentBody":"hello"}`, "CaseComment", 1, 201, job.ExactlyOnce},
		{"comment through its case", "PATCH", "Case/CASE", `{"Comments":"hello","Status":"Working"}`, "CaseComment", 1, 204, job.ExactlyOnce},
		{"long comment", "PATCH", "Case/CASE", `{"Comments":"` + strings.Repeat("x", 3990) + `"}`, "CaseComment", 2, 204, job.AtLeastOnce},
		{"task", "POST", "Task", `{"WhatId":"CASE","Subject":"Call","Description":"hello"}`, "Task", 1, 201, job.ExactlyOnce},
		{"case without parent", "POST", "Case", `{"Subject":"New","Description":"hello"}`, "Case", 2, 201, job.ExactlyOnce}, // with the one that is there
		{"external id", "PATCH", "Account/Phone_E164__c/+15550001111", `{"Name":"Upserted"}`, "Account", 1, 200, job.ExactlyOnce},
		{"update", "PATCH", "Case/CASE", `{"Subject":"Changed "}`, "Case", 1, 204, job.ExactlyOnce},
		{"deletion", "DELETE", "Case/CASE", ``, "Case", 0, 204, job.ExactlyOnce},
		{"nothing to go by", "POST", "Account", `{"Name":"Twice"}`, "Account", 2, 201, job.AtLeastOnce},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			u, c := newUnsteady(t)
			id := create(t, c, `{"Subject":"S"}`)
			var kept job.Progress
			w := salesforce.Write{
				Request: salesforce.Request{Method: k.method, Path: base + strings.ReplaceAll(k.path, "CASE", id), Body: []byte(strings.ReplaceAll(k.body, "CASE", id))},
				Key:     "job-1", Keep: func(_ context.Context, p job.Progress) error { kept = p; return nil },
			}
			u.cutOnce()
			if _, _, err := c.Deliver(t.Context(), w); !errs.Is(err, errs.Unavailable) || kept.Stage != job.StageSending {
				t.Fatalf("the cut: %v, kept %+v", err, kept)
			}
			w.Progress = kept
			before := u.calls.Load()
			_, _, err := c.Deliver(t.Context(), w)
			if wait, ok := job.Snoozed(err); !ok || wait < 10*time.Second || u.calls.Load() != before {
				t.Fatalf("at once: %v; it must wait until the first request has ended", err)
			}
			u.now.Add(60)
			resp, p, err := c.Deliver(t.Context(), w)
			if err != nil || resp.Status != k.status || p.Delivery != k.delivery || p.Stage != job.StageDone || p.How == "" {
				t.Fatalf("again: %+v, %+v, %v", resp, p, err)
			}
			if n := countOf(t, c, k.counts); n != k.want {
				t.Errorf("%d records of %s, want %d", n, k.counts, k.want)
			}
		})
	}
}

// TestDoubtfulUpdateAgainstAnothersChange: between a doubtful update and its repetition somebody else changes the record; the
// comparison sees it and the condition guards what is written then.
func TestDoubtfulUpdateAgainstAnothersChange(t *testing.T) {
	t.Parallel()
	u, c := newUnsteady(t)
	id := create(t, c, `{"Subject":"S"}`)
	var conditions []string
	u.spoil.Store(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			conditions = append(conditions, r.Header.Get("If-Unmodified-Since"))
		}
		return false
	})
	w := salesforce.Write{
		Request:  salesforce.Request{Method: "PATCH", Path: "/services/data/v68.0/sobjects/Case/" + id, Body: []byte(`{"Subject":"Mine"}`)},
		Progress: job.Progress{Stage: job.StageDoubtful, Delivery: job.ExactlyOnce}, Keep: func(context.Context, job.Progress) error { return nil },
	}
	resp, _, err := c.Deliver(t.Context(), w)
	if err != nil || resp.Status != http.StatusNoContent || len(conditions) != 1 || conditions[0] == "" {
		t.Errorf("%v, %v; conditions %q", resp, err, conditions)
	}
}

// TestWriteIsNotSentUnlessKept: what is not known to be on its way must not be on its way.
func TestWriteIsNotSentUnlessKept(t *testing.T) {
	t.Parallel()
	u, c := newUnsteady(t)
	id := create(t, c, `{"Subject":"S"}`)
	before := u.calls.Load()
	_, _, err := c.Deliver(t.Context(), salesforce.Write{
		Request: salesforce.Request{Method: "PATCH", Path: "/services/data/v68.0/sobjects/Case/" + id, Body: []byte(`{"Subject":"T"}`)},
		Key:     "k", Keep: func(context.Context, job.Progress) error { return errors.New("the disk is full") },
	})
	if err == nil || u.calls.Load() != before {
		t.Errorf("%v after %d requests", err, u.calls.Load()-before)
	}
}

// TestWritesGoTogether: many writes at once need few requests, and each gets its own answer.
func TestWritesGoTogether(t *testing.T) {
	t.Parallel()
	u, c := newUnsteady(t)
	if _, err := c.Test(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := u.calls.Load()
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			body := `{"LastName":"Together"}`
			if i%10 == 0 {
				body = `{"FirstName":"No last name"}`
			}
			resp, _, err := c.Deliver(t.Context(), salesforce.Write{
				Request: salesforce.Request{Method: "POST", Path: "/services/data/v68.0/sobjects/Contact", Body: []byte(body)},
				Keep:    func(context.Context, job.Progress) error { return nil },
			})
			want := map[bool]int{true: http.StatusBadRequest, false: http.StatusCreated}[i%10 == 0]
			if err != nil || resp.Status != want {
				t.Errorf("write %d: %+v, %v, want %d", i, resp, err, want)
			}
		})
	}
	wg.Wait()
	if n := u.calls.Load() - before; n > 50 {
		t.Errorf("100 writes took %d requests", n)
	}
	if n := countOf(t, c, "Contact"); n != 90 {
		t.Errorf("%d contacts, want 90", n)
	}
}

// TestLimitsKeepBackgroundWorkBack: with the reserve reached writes wait and live requests go out; once the org refuses, nothing
// does until the pause is over.
func TestLimitsKeepBackgroundWorkBack(t *testing.T) {
	t.Parallel()
	u, c := newUnsteady(t)
	tell := func(status int, header, body string) {
		u.spoil.Store(func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "oauth2") {
				return false
			}
			w.Header().Set("Sforce-Limit-Info", header)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		})
	}
	live := func() error {
		resp, err := c.Do(t.Context(), salesforce.Request{Path: "/services/data/v68.0/limits"})
		if err == nil {
			err = resp.Err()
		}
		return err
	}
	write := func() error {
		_, _, err := c.Deliver(t.Context(), salesforce.Write{
			Request: salesforce.Request{Method: "POST", Path: "/services/data/v68.0/sobjects/Account", Body: []byte(`{"Name":"x"}`)},
			Keep:    func(context.Context, job.Progress) error { return nil },
		})
		return err
	}
	tell(200, "api-usage=96/100", `{"success":true}`)
	if err := errors.Join(live(), write()); err != nil { // one goes out to see whether the count is still true
		t.Fatal(err)
	}
	if err := write(); !errs.Is(err, errs.Exhausted) {
		t.Errorf("a write in the reserve: %v", err)
	} else if _, ok := job.Snoozed(err); !ok {
		t.Errorf("it is no wait: %v", err)
	}
	if err := live(); err != nil || !c.LimitState().Tight {
		t.Errorf("a live request in the reserve: %v, %+v", err, c.LimitState())
	}
	tell(403, "api-usage=100/100", `[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]`)
	if err := live(); !errs.Is(err, errs.Exhausted) {
		t.Errorf("over the limit: %v", err)
	}
	before := u.calls.Load()
	if err := live(); !errs.Is(err, errs.Exhausted) || u.calls.Load() != before || c.LimitState().Paused.IsZero() {
		t.Errorf("in the pause: %v, %d requests", err, u.calls.Load()-before)
	}
	u.now.Add(61)
	tell(200, "api-usage=50/100", `{"success":true}`)
	if err := errors.Join(live(), write()); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

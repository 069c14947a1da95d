package salesforce_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
	"github.com/tandemcc/tandem/internal/job"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/sandbox/sandboxtest"
	"github.com/tandemcc/tandem/internal/soql"
)

// between is what stands between the hub and an org, and spoils answers.
type between struct {
	t     *testing.T
	org   *sandboxtest.Salesforce
	other *httptest.Server // another host, which must hear nothing
	heard atomic.Int64     // by it
	now   atomic.Int64     // the client's clock, in seconds
	spoil atomic.Value     // func(w, r): nil lets everything through
	stop  chan struct{}    // ends what trickles
}

// stand stands before an org; the client has little patience and takes small answers.
func stand(t *testing.T, org *sandboxtest.Salesforce) (*between, *salesforce.Client) {
	t.Helper()
	b := &between{t: t, org: &sandboxtest.Salesforce{Org: org.Org}, stop: make(chan struct{})}
	b.let(nil)
	b.other = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.heard.Add(1) }))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		spoil, _ := b.spoil.Load().(func(http.ResponseWriter, *http.Request))
		if spoil == nil {
			b.org.Handler().ServeHTTP(w, r)
			return
		}
		spoil(w, r)
	}))
	t.Cleanup(func() { close(b.stop); server.Close(); b.other.Close() })
	b.org.URL = server.URL
	h, err := httpx.New(httpx.Options{
		Allow:   []string{strings.TrimPrefix(server.URL, "http://"), strings.TrimPrefix(b.other.URL, "http://")},
		Timeout: 2 * time.Second, MaxResponseBytes: 64 << 10, Backoff: time.Millisecond, BreakerFailures: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	begin := time.Now()
	return b, connect(t, b.org, func(o *salesforce.Options) {
		o.HTTP, o.Now = h, func() time.Time { return begin.Add(time.Duration(b.now.Load()) * time.Second) }
	})
}

func (b *between) let(spoil func(http.ResponseWriter, *http.Request)) { b.spoil.Store(spoil) }

// peers are the ways in which what answers is not the org, or answers without end.
func (b *between) peers() map[string]func(http.ResponseWriter, *http.Request) {
	page := func(status int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<!DOCTYPE html><html><body>Sign in to the network</body></html>")
		}
	}
	text := func(kind, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, body)
		}
	}
	return map[string]func(http.ResponseWriter, *http.Request){
		"a page with 200": page(200), "a page with 502": page(502), "a page with 403": page(403), "a page with 407": page(407),
		"an empty 200": text("application/json", ""), "another program's JSON": text("application/json", `{"ok":true}`), "half an answer": text("application/json", `{"id":"500`),
		"a redirect to another host": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", b.other.URL+r.URL.Path)
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"an answer without end": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for line := strings.Repeat(" ", 1<<16); r.Context().Err() == nil; {
				if _, err := io.WriteString(w, line); err != nil {
					return
				}
			}
		},
		"an answer that trickles": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for {
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
				select {
				case <-time.After(20 * time.Millisecond):
				case <-r.Context().Done():
					return
				case <-b.stop:
					return
				}
			}
		},
		"no answer": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-b.stop:
			}
		},
		"no HTTP": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				b.t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.6\r\n")
			_ = conn.Close()
		},
		"a cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
}

// TestDeadPeers writes a comment while something else answers in the org's place, after the org has done it or instead of it, for hours.
// Each attempt ends, is an error and not the end of the job; once the org answers again the comment is there once. The session's token
// goes nowhere else.
func TestDeadPeers(t *testing.T) {
	t.Parallel()
	org := sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone})
	for name := range (&between{}).peers() {
		for _, done := range []bool{false, true} {
			t.Run(name+map[bool]string{true: " after it was done", false: " instead"}[done], func(t *testing.T) {
				t.Parallel()
				deadPeer(t, org, name, done)
			})
		}
	}
}

func deadPeer(t *testing.T, org *sandboxtest.Salesforce, name string, done bool) {
	t.Helper()
	b, c := stand(t, org)
	id := create(t, c, `{"Subject":"S"}`)
	answer := b.peers()[name]
	var kept job.Progress
	w := salesforce.Write{
		Request: salesforce.Request{Method: "POST", Path: "/services/data/v68.0/sobjects/CaseComment", Body: []byte(`{"ParentId":"` + id + `","CommentBody":"hello"}`)},
		Key:     "job-1", Keep: func(_ context.Context, p job.Progress) error { kept = p; return nil },
	}
	var once atomic.Bool
	b.let(func(w http.ResponseWriter, r *http.Request) {
		if done && r.Method == http.MethodPost && strings.Contains(r.URL.Path, "CaseComment") && !once.Swap(true) {
			b.org.Handler().ServeHTTP(httptest.NewRecorder(), r)
		}
		answer(w, r)
	})
	for hour := range 3 {
		began := time.Now()
		resp, p, err := c.Deliver(t.Context(), w)
		if err == nil && resp.Status < 500 || errs.Is(err, errs.Invalid) || errs.Is(err, errs.Denied) {
			t.Fatalf("attempt %d: %+v, %+v, %v: the job would end with it", hour, resp, p, err)
		}
		if time.Since(began) > 8*time.Second {
			t.Errorf("attempt %d took %v", hour, time.Since(began))
		}
		w.Progress = kept
		b.now.Add(3600)
	}
	b.let(nil)
	resp, p, err := c.Deliver(t.Context(), w)
	if err != nil || resp.Status != http.StatusCreated || p.Stage != job.StageDone {
		t.Errorf("the org is back: %+v, %+v, %v", resp, p, err)
	}
	q, err := soql.Build("CaseComment").Select("Id").Where("ParentId", "=", id).Text()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range c.Query(t.Context(), salesforce.Query{Text: q}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d comments, want one", n)
	}
	if b.heard.Load() != 0 {
		t.Error("another host was called")
	}
}

// TestDeadPeersOfReads: a query, a search and a login end with an error of the right kind, whatever answers.
func TestDeadPeersOfReads(t *testing.T) {
	t.Parallel()
	b, c := stand(t, sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone}))
	create(t, c, `{"Subject":"S"}`)
	for name, answer := range b.peers() {
		b.let(answer)
		for _, err := range c.Query(t.Context(), salesforce.Query{Text: "SELECT Id FROM Case"}) {
			if err == nil {
				t.Errorf("%s: a record was read", name)
			}
		}
		if _, err := c.LookUp(t.Context(), salesforce.Lookup{Number: "+14155550101", Region: "US"}); err == nil && name != "another program's JSON" {
			t.Errorf("%s: a look-up found nobody", name)
		}
		if _, err := c.Test(t.Context()); err == nil || strings.Contains(err.Error(), "hello") {
			t.Errorf("%s: a test was well: %v", name, err)
		}
		b.let(nil)
		if _, err := c.Test(t.Context()); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
	if b.heard.Load() != 0 {
		t.Error("another host was called")
	}
}

// nowhere is a resolver that knows no name.
type nowhere struct{}

// LookupNetIP implements httpx.Resolver.
func (nowhere) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// TestUnreachable: a name that is not there, a certificate that is not trusted, a port where nobody listens; a write to each waits, and
// nothing of it goes out.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	strange := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request was sent over a connection that is not trusted")
	}))
	strange.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	strange.StartTLS()
	t.Cleanup(strange.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, k := range map[string]struct {
		address string
		want    string
		resolve httpx.Resolver
	}{
		"name":        {"https://gone.example", "is not known", nowhere{}},
		"certificate": {strange.URL, "certificate", nil},
		"port":        {closed.URL, "cannot be reached", nil},
	} {
		u, err := url.Parse(k.address)
		if err != nil {
			t.Fatal(err)
		}
		if u.Port() == "" {
			u.Host += ":443"
		}
		h, err := httpx.New(httpx.Options{Allow: []string{u.Host}, Backoff: time.Millisecond, BreakerFailures: -1, Resolver: k.resolve})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)
		c, err := salesforce.New(salesforce.Options{BaseURL: k.address, Grant: salesforce.Password, HTTP: h, ClientID: "c", ClientSecret: "hush-1", Username: "u", Password: "hush-2"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		_, err = c.Test(t.Context())
		if err == nil || !strings.Contains(errs.Message(err), k.want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want %q", name, err, k.want)
		}
		_, p, err := c.Deliver(t.Context(), salesforce.Write{
			Request: salesforce.Request{Method: "DELETE", Path: "/services/data/v68.0/sobjects/Case/500000000000001"}, Key: "k",
			Keep: func(_ context.Context, p job.Progress) error { t.Errorf("%s: it was sent: %+v", name, p); return nil },
		})
		if !errs.Is(err, errs.Unavailable) || p.Stage != job.StageNone {
			t.Errorf("%s: a write: %+v, %v", name, p, err)
		}
	}
}

// TestRefusedSignInKeepsWrites: a password that was changed, a revoked token or an app that was switched off is put right by somebody;
// writes wait for it.
func TestRefusedSignInKeepsWrites(t *testing.T) {
	t.Parallel()
	u, c := newUnsteady(t)
	id := create(t, c, `{"Subject":"S"}`)
	u.ExpireSessions(t.Context())
	if err := u.SetFlow(t.Context(), sandbox.FlowPassword, false); err != nil {
		t.Fatal(err)
	}
	var kept job.Progress
	w := salesforce.Write{
		Request: salesforce.Request{Method: "PATCH", Path: "/services/data/v68.0/sobjects/Case/" + id, Body: []byte(`{"Subject":"T"}`)},
		Key:     "k", Keep: func(_ context.Context, p job.Progress) error { kept = p; return nil },
	}
	if _, _, err := c.Deliver(t.Context(), w); !errs.Is(err, errs.Unavailable) || !strings.Contains(errs.Message(err), "sign in") {
		t.Errorf("a refused sign-in gives %v: the job would end with it", err)
	}
	if err := u.SetFlow(t.Context(), sandbox.FlowPassword, true); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Test(t.Context()); err != nil { // as somebody does who has put it right
		t.Fatal(err)
	}
	u.now.Add(60)
	w.Progress = kept
	if resp, p, err := c.Deliver(t.Context(), w); err != nil || resp.Status != http.StatusNoContent || p.Stage != job.StageDone {
		t.Errorf("afterwards: %+v, %+v, %v", resp, p, err)
	}
}

// TestTwoRecordsWithOneExternalID: the platform answers 300 and does nothing; that is no success.
func TestTwoRecordsWithOneExternalID(t *testing.T) {
	t.Parallel()
	b, c := stand(t, sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone}))
	b.let(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPatch {
			b.org.Handler().ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusMultipleChoices)
		_, _ = io.WriteString(w, `["/services/data/v68.0/sobjects/Account/001A","/services/data/v68.0/sobjects/Account/001B"]`)
	})
	resp, p, err := c.Deliver(t.Context(), salesforce.Write{
		Request: salesforce.Request{Method: "PATCH", Path: "/services/data/v68.0/sobjects/Account/Phone_E164__c/x", Body: []byte(`{"Name":"N"}`)},
		Key:     "k", Keep: func(context.Context, job.Progress) error { return nil },
	})
	if !errs.Is(err, errs.Invalid) || p.Stage != job.StageNone || resp != nil || !strings.Contains(errs.Message(err), "more than one record") {
		t.Errorf("%+v, %+v, %v", resp, p, err)
	}
}

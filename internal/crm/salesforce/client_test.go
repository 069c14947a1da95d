package salesforce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// org is a small stand-in: it hands out tokens, forgets them on demand and counts.
type org struct {
	*httptest.Server

	mu      sync.Mutex // guards what follows
	n       int        // tokens handed out
	valid   map[string]bool
	refresh string // the refresh token that is valid
	rotate  bool
	forms   []url.Values
	refuse  func(w http.ResponseWriter) bool // of the token endpoint
	api     http.HandlerFunc
	logins  atomic.Int64
	calls   atomic.Int64
	held    chan struct{} // when set, logins wait for it
}

func newOrg(t *testing.T) *org {
	t.Helper()
	o := &org{valid: map[string]bool{}, refresh: "refresh-0"}
	o.api = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/15000", o.calls.Load()))
		switch r.URL.Path {
		case "/services/data":
			_, _ = w.Write([]byte(`[{"label":"Winter '27","url":"/services/data/v68.0","version":"68.0"},{"label":"x","url":"/services/data/v9.0","version":"9.0"}]`))
		default:
			body, _ := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"), body)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /services/oauth2/token", o.token)
	mux.HandleFunc("/", o.serve)
	o.Server = httptest.NewServer(mux)
	t.Cleanup(o.Close)
	return o
}

func (o *org) token(w http.ResponseWriter, r *http.Request) {
	o.logins.Add(1)
	if o.held != nil {
		<-o.held
	}
	_ = r.ParseForm()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forms = append(o.forms, r.PostForm)
	if o.refuse != nil && o.refuse(w) {
		return
	}
	if r.PostForm.Get("grant_type") == "refresh_token" && r.PostForm.Get("refresh_token") != o.refresh {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"expired access/refresh token"}`))
		return
	}
	o.n++
	token := fmt.Sprintf("00D000000000001!tok%d", o.n)
	o.valid[token] = true
	answer := map[string]string{"access_token": token, "instance_url": o.URL, "token_type": "Bearer"}
	if o.rotate {
		o.refresh = fmt.Sprintf("refresh-%d", o.n)
		answer["refresh_token"] = o.refresh
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (o *org) serve(w http.ResponseWriter, r *http.Request) {
	o.calls.Add(1)
	o.mu.Lock()
	good := o.valid[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	o.mu.Unlock()
	if !good {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`))
		return
	}
	o.api(w, r)
}

func (o *org) expire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.valid)
}

func (o *org) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

func (o *org) client(t *testing.T, change func(*Options)) *Client {
	t.Helper()
	h, err := httpx.New(httpx.Options{Allow: []string{strings.TrimPrefix(o.URL, "http://")}, Backoff: time.Millisecond, BreakerFailures: -1, PerHost: 200})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	opts := Options{
		BaseURL: o.URL + "/", Grant: Password, ClientID: "key-3MVG", ClientSecret: "hush-secret", Username: "ada@example.com",
		Password: "hush-word", SecurityToken: "hush-token", RefreshToken: "refresh-0", HTTP: h, Scope: "t1",
	}
	if change != nil {
		change(&opts)
	}
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func noSecrets(t *testing.T, err error) {
	t.Helper()
	for _, s := range []string{"hush", "refresh-", "tok1", "tok2"} {
		if err != nil && strings.Contains(err.Error(), s) {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	for grant, want := range map[Grant]url.Values{
		Password: {
			"grant_type": {"password"}, "client_id": {"key-3MVG"}, "client_secret": {"hush-secret"},
			"username": {"ada@example.com"}, "password": {"hush-wordhush-token"},
		},
		ClientCredentials: {"grant_type": {"client_credentials"}, "client_id": {"key-3MVG"}, "client_secret": {"hush-secret"}},
		RefreshToken:      {"grant_type": {"refresh_token"}, "client_id": {"key-3MVG"}, "client_secret": {"hush-secret"}, "refresh_token": {"refresh-0"}},
	} {
		c := o.client(t, func(op *Options) { op.Grant = grant })
		for range 3 {
			resp, err := c.Do(t.Context(), Request{Path: "/services/data/v68.0/limits"})
			if err != nil || resp.Status != http.StatusOK {
				t.Fatalf("%s: %v, %v", grant, resp, err)
			}
		}
		if d := cmp.Diff(want, o.forms[len(o.forms)-1]); d != "" {
			t.Errorf("%s: %s", grant, d)
		}
	}
	if o.logins.Load() != 3 {
		t.Errorf("%d logins for 3 clients", o.logins.Load())
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	good := o.client(t, nil).o
	for name, change := range map[string]func(*Options){
		"no client id":     func(op *Options) { op.ClientID = " " },
		"no secret":        func(op *Options) { op.ClientSecret = "" },
		"no user":          func(op *Options) { op.Username = "" },
		"no password":      func(op *Options) { op.Password = "" },
		"no refresh token": func(op *Options) { op.Grant, op.RefreshToken = RefreshToken, "" },
		"unknown grant":    func(op *Options) { op.Grant = "magic" },
		"no address":       func(op *Options) { op.BaseURL = "" },
		"a bare host":      func(op *Options) { op.BaseURL = "login.salesforce.com" },
		"user in address":  func(op *Options) { op.BaseURL = "https://hush@login.salesforce.com" },
	} {
		op := good
		change(&op)
		_, err := New(op)
		if !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
		noSecrets(t, err)
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	c := o.client(t, nil)
	for path, want := range map[string]string{
		"/services/data/v68.0/query":            "/services/data/v68.0/query?q=SELECT+Id+FROM+Contact",
		"services/data":                         "",
		"//services/data/v66.0/":                "/services/data/v66.0/?q=SELECT+Id+FROM+Contact",
		"//evil.example/x":                      "/evil.example/x?q=SELECT+Id+FROM+Contact",
		"/services/x?a=1":                       "/services/x?a=1&q=SELECT+Id+FROM+Contact",
		"/sobjects/Account/Ext__c/a%2Fb%20c":    "/sobjects/Account/Ext__c/a%2Fb%20c?q=SELECT+Id+FROM+Contact",
		o.URL + "/services/abs":                 "/services/abs?q=SELECT+Id+FROM+Contact",
		strings.ToUpper("http") + o.URL[4:]:     "/?q=SELECT+Id+FROM+Contact",
		"/services/data/v60.0/query/0r8xx-2000": "/services/data/v60.0/query/0r8xx-2000?q=SELECT+Id+FROM+Contact",
	} {
		resp, err := c.Do(t.Context(), Request{Path: path, Query: url.Values{"q": {"SELECT Id FROM Contact"}}, Header: http.Header{"authorization": {"Bearer mine"}}})
		if err != nil || resp.Status != http.StatusOK {
			t.Errorf("%s: %v, %v", path, resp, err)
			continue
		}
		if want != "" && string(resp.Body) != "GET "+want+"  " {
			t.Errorf("%s became %q, want %q", path, resp.Body, want)
		}
	}
	for _, path := range []string{"https://evil.example/services", "http://127.0.0.1:1/x", strings.Replace(o.URL, "http://", "https://", 1), strings.Replace(o.URL, "http://", "http://me:x@", 1)} {
		if _, err := c.Do(t.Context(), Request{Path: path}); !errs.Is(err, errs.Denied) {
			t.Errorf("%s: got %v, want denied", path, err)
		}
	}
	if _, err := c.Do(t.Context(), Request{Path: "/%zz"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("a bad path: %v", err)
	}
	resp, err := c.Do(t.Context(), Request{Method: http.MethodPatch, Path: "/x", Body: []byte(`{}`)})
	if err != nil || string(resp.Body) != "PATCH /x application/json {}" {
		t.Errorf("a body: %v, %v", resp, err)
	}
}

func TestExpiredSession(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	c := o.client(t, nil)
	if _, err := c.Do(t.Context(), Request{Path: "/a"}); err != nil {
		t.Fatal(err)
	}
	o.expire()
	// A POST is repeated too: a 401 was not carried out.
	resp, err := c.Do(t.Context(), Request{Method: http.MethodPost, Path: "/b", Body: []byte("{}"), Retry: httpx.RetryNever})
	if err != nil || resp.Status != http.StatusOK || o.logins.Load() != 2 || o.calls.Load() != 3 {
		t.Errorf("got %v, %v after %d logins and %d calls", resp, err, o.logins.Load(), o.calls.Load())
	}
}

func TestSessionRefusedAgain(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.api = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`))
	}
	c := o.client(t, nil)
	resp, err := c.Do(t.Context(), Request{Path: "/a"})
	if err != nil || resp.Status != http.StatusUnauthorized || o.logins.Load() != 2 || o.calls.Load() != 2 {
		t.Errorf("got %v, %v after %d logins and %d calls: want one repetition", resp, err, o.logins.Load(), o.calls.Load())
	}
}

func TestManyExpireAtOnce(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	c := o.client(t, nil)
	if _, err := c.Do(t.Context(), Request{Path: "/a"}); err != nil {
		t.Fatal(err)
	}
	o.expire()
	// All requests arrive with the dead session before the first new login ends.
	o.held = make(chan struct{})
	var wg sync.WaitGroup
	var well atomic.Int64
	for range 100 {
		wg.Go(func() {
			if resp, err := c.Do(t.Context(), Request{Path: "/b"}); err == nil && resp.Status == http.StatusOK {
				well.Add(1)
			} else {
				t.Errorf("got %v, %v", resp, err)
			}
		})
	}
	for o.calls.Load() < 50 {
		runtime.Gosched()
	}
	close(o.held)
	wg.Wait()
	if well.Load() != 100 || o.logins.Load() != 2 {
		t.Errorf("%d requests went well after %d logins, want 100 after 2", well.Load(), o.logins.Load())
	}
}

func TestFirstRequestsLogInOnce(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	c := o.client(t, nil)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := c.Do(t.Context(), Request{Path: "/a"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if o.logins.Load() != 1 {
		t.Errorf("%d logins", o.logins.Load())
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.rotate = true
	var stored []string
	var mu sync.Mutex
	fail := true
	var logged bytes.Buffer
	c := o.client(t, func(op *Options) {
		op.Grant = RefreshToken
		op.Log = slog.New(slog.NewTextHandler(&logged, nil))
		op.OnRefreshToken = func(_ context.Context, token string) error {
			mu.Lock()
			defer mu.Unlock()
			if fail {
				return errors.New("the store is down")
			}
			stored = append(stored, token)
			return nil
		}
	})
	if _, err := c.Do(t.Context(), Request{Path: "/a"}); err != nil {
		t.Fatalf("a store that is down must not stop the work: %v", err)
	}
	if _, err := c.Do(t.Context(), Request{Path: "/a"}); err != nil { // does not ask the store again so soon
		t.Fatal(err)
	}
	mu.Lock()
	fail = false
	mu.Unlock()
	c.mu.Lock()
	c.saveAt = time.Now()
	c.mu.Unlock()
	if _, err := c.Do(t.Context(), Request{Path: "/a"}); err != nil { // stores refresh-1 beside it
		t.Fatal(err)
	}
	c.running.Wait()
	o.expire()
	if _, err := c.Do(t.Context(), Request{Path: "/a"}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if len(stored) < 2 || stored[0] != "refresh-1" || stored[len(stored)-1] != "refresh-2" {
		t.Errorf("stored %v", stored)
	}
	if got := []string{o.forms[0].Get("refresh_token"), o.forms[1].Get("refresh_token")}; got[0] != "refresh-0" || got[1] != "refresh-1" {
		t.Errorf("sent %v", got)
	}
	if strings.Count(logged.String(), "the store is down") != 1 || strings.Contains(logged.String(), "refresh-1") {
		t.Errorf("logged %q", logged.String())
	}
}

func TestRotationSurvivesCaller(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.rotate, o.held = true, make(chan struct{})
	stored := make(chan string, 1)
	c := o.client(t, func(op *Options) {
		op.Grant = RefreshToken
		op.OnRefreshToken = func(_ context.Context, token string) error { stored <- token; return nil }
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Do(ctx, Request{Path: "/a"}); !errs.Is(err, errs.Unavailable) {
		t.Errorf("got %v", err)
	}
	close(o.held)
	if got := <-stored; got != "refresh-1" {
		t.Errorf("stored %q", got)
	}
	if _, err := c.Do(t.Context(), Request{Path: "/a"}); err != nil || o.logins.Load() != 1 {
		t.Errorf("%v after %d logins", err, o.logins.Load())
	}
}

func TestRetryOnlyWhereSafe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		r      Request
		sent   int64
		status int
	}{
		{"a query", Request{Path: "/query"}, 3, http.StatusOK},
		{"a creation", Request{Method: http.MethodPost, Path: "/sobjects/Case", Body: []byte("{}")}, 1, http.StatusInternalServerError},
		{"an upsert", Request{Method: http.MethodPatch, Path: "/sobjects/Case/X__c/1", Body: []byte("{}"), Retry: httpx.RetrySafe}, 3, http.StatusOK},
	} {
		o := newOrg(t)
		var n atomic.Int64
		o.api = func(w http.ResponseWriter, _ *http.Request) {
			if n.Add(1) < 3 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}
		resp, err := o.client(t, nil).Do(t.Context(), c.r)
		if err != nil || resp.Status != c.status || n.Load() != c.sent {
			t.Errorf("%s: %v, %v after %d", c.name, resp, err, n.Load())
		}
	}
	// The login itself: a password may be sent again, a refresh token may not.
	o := newOrg(t)
	o.refuse = func(w http.ResponseWriter) bool {
		if o.logins.Load() < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	}
	if _, err := o.client(t, nil).Do(t.Context(), Request{Path: "/a"}); err != nil || o.logins.Load() != 3 {
		t.Errorf("got %v after %d attempts at the login", err, o.logins.Load())
	}
	rotating := o.client(t, func(op *Options) { op.Grant = RefreshToken })
	o.logins.Store(0)
	if _, err := rotating.Do(t.Context(), Request{Path: "/a"}); err == nil || o.logins.Load() != 1 {
		t.Errorf("a refresh token was sent %d times: %v", o.logins.Load(), err)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	release := make(chan struct{})
	defer close(release)
	o.api = func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}
	c := o.client(t, nil)
	began := time.Now()
	_, err := c.Do(t.Context(), Request{Path: "/slow", Timeout: 30 * time.Millisecond})
	if !errs.Is(err, errs.Unavailable) || time.Since(began) > 5*time.Second {
		t.Errorf("got %v after %v", err, time.Since(began))
	}
}

func TestRefusedLoginIsNotHammered(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.refuse = func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"authentication failure"}`))
		return true
	}
	c := o.client(t, nil)
	for range 20 {
		_, err := c.Do(t.Context(), Request{Path: "/a"})
		if !errs.Is(err, errs.Invalid) {
			t.Errorf("got %v", err)
		}
		noSecrets(t, err)
	}
	if o.logins.Load() != 1 {
		t.Errorf("%d logins with refused credentials", o.logins.Load())
	}
	o.set(func() { o.refuse = nil })
	if _, err := c.Test(t.Context()); err != nil || o.logins.Load() != 2 {
		t.Errorf("a test by hand: %v after %d logins", err, o.logins.Load())
	}
}

func TestRenewAhead(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	c := o.client(t, func(op *Options) { op.RenewAfter = time.Nanosecond })
	for range 2 {
		if _, err := c.Do(t.Context(), Request{Path: "/a"}); err != nil {
			t.Fatal(err)
		}
	}
	c.Close() // waits for the renewal
	if n := o.logins.Load(); n < 2 {
		t.Errorf("%d logins", n)
	}
	if _, err := c.Do(t.Context(), Request{Path: "/a"}); err != nil && !errs.Is(err, errs.Unavailable) {
		t.Errorf("after Close: %v", err)
	}
}

func TestTroubleEnds(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	c := o.client(t, nil)
	c.trouble = &trouble{err: errs.New(errs.Invalid, "refused"), until: time.Now().Add(time.Hour)}
	if _, err := c.Do(t.Context(), Request{Path: "/a"}); !errs.Is(err, errs.Invalid) || o.logins.Load() != 0 {
		t.Errorf("within the pause: %v, %d logins", err, o.logins.Load())
	}
	c.trouble.until = time.Now().Add(-time.Second)
	if _, err := c.Do(t.Context(), Request{Path: "/a"}); err != nil || o.logins.Load() != 1 {
		t.Errorf("after the pause: %v, %d logins", err, o.logins.Load())
	}
}

func FuzzResolve(f *testing.F) {
	f.Add("/services/data?x=1")
	f.Add("//evil.example/x")
	f.Add("https://na1.example@evil.example/x")
	f.Add("/\\evil.example")
	f.Fuzz(func(t *testing.T, path string) {
		s := &session{instance: &url.URL{Scheme: "https", Host: "na1.example"}}
		out, err := s.resolve(path, nil)
		if err != nil {
			return
		}
		u, err := url.Parse(out)
		if err != nil || u.Host != "na1.example" || u.Scheme != "https" || u.User != nil {
			t.Errorf("%q leads to %q", path, out)
		}
	})
}

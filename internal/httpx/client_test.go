package httpx

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDo(t *testing.T) {
	t.Parallel()
	srv, _ := target(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Header.Get("X-Tenant")+"/"+r.Header.Get("User-Agent")+"/"+r.Header.Get("Accept-Encoding"))
		w.WriteHeader(http.StatusTeapot)
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.URL, body)
	})
	cl := client(t, Options{Allow: []string{hostPort(srv)}})
	resp, err := cl.Do(t.Context(), &Request{
		Method: http.MethodPost, URL: srv.URL + "/a%2Fb?q=1", Body: []byte("hello"),
		Header: http.Header{"x-tenant": {"one"}, "Accept-Encoding": {"br"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != http.StatusTeapot || string(resp.Body) != "POST /a%2Fb?q=1 hello" || resp.Header.Get("X-Seen") != "one/Tandem/gzip" || resp.Attempts != 1 {
		t.Errorf("got %d %s %q after %d", resp.Status, resp.Body, resp.Header.Get("X-Seen"), resp.Attempts)
	}
}

func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	cl := client(t, Options{MaxRequestBytes: 10, MaxHeaderBytes: 100, AllowPrivate: true})
	for name, c := range map[string]struct {
		r    Request
		code errs.Code
	}{
		"no scheme":     {Request{URL: "example.com/x"}, errs.Invalid},
		"file":          {Request{URL: "file:///etc/passwd"}, errs.Invalid},
		"no host":       {Request{URL: "http:///x"}, errs.Invalid},
		"user":          {Request{URL: "http://me:secret@example.com/"}, errs.Invalid},
		"control":       {Request{URL: "http://example.com/\x00secret"}, errs.Invalid},
		"long":          {Request{URL: "http://example.com/" + strings.Repeat("secret", 4000)}, errs.Invalid},
		"method":        {Request{URL: "http://example.com/", Method: "GET /secret"}, errs.Invalid},
		"connect":       {Request{URL: "http://example.com/", Method: "CONNECT"}, errs.Invalid},
		"host header":   {Request{URL: "http://example.com/", Header: http.Header{"host": {"secret"}}}, errs.Invalid},
		"proxy header":  {Request{URL: "http://example.com/", Header: http.Header{"Proxy-Authorization": {"secret"}}}, errs.Invalid},
		"upgrade":       {Request{URL: "http://example.com/", Header: http.Header{"Upgrade": {"h2c"}}}, errs.Invalid},
		"smuggled":      {Request{URL: "http://example.com/", Header: http.Header{"X": {"a\r\nB: secret"}}}, errs.Invalid},
		"header name":   {Request{URL: "http://example.com/", Header: http.Header{"a b": {"secret"}}}, errs.Invalid},
		"large body":    {Request{URL: "http://example.com/", Body: []byte("secret, secret")}, errs.Exhausted},
		"large headers": {Request{URL: "http://example.com/", Header: http.Header{"X": {strings.Repeat("secret", 20)}}}, errs.Exhausted},
	} {
		_, err := cl.Do(t.Context(), &c.r)
		if !errs.Is(err, c.code) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	other, otherHits := target(t, ok)
	srv, _ := target(t, func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.URL.Query().Get("s"))
		switch r.URL.Path {
		case "/to":
			w.Header().Set("Location", r.URL.Query().Get("l"))
			w.WriteHeader(status)
		case "/loop":
			http.Redirect(w, r, "/loop?x=secret", http.StatusFound)
		default:
			body, _ := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL.Path, body, r.Header.Get("Content-Type"))
		}
	})
	cl := client(t, Options{Allow: []string{hostPort(srv), hostPort(other)}})
	call := func(method, path string) (*Response, error) {
		return cl.Do(t.Context(), &Request{Method: method, URL: srv.URL + path, Body: []byte("b"), Header: http.Header{"Content-Type": {"text/x"}, "Authorization": {"secret"}}})
	}
	for _, c := range []struct{ method, path, want string }{
		{"POST", "/to?s=303&l=/done", "GET /done  "},
		{"POST", "/to?s=302&l=/done", "GET /done  "},
		{"POST", "/to?s=307&l=/done", "POST /done b text/x"},
		{"PUT", "/to?s=308&l=done", "PUT /done b text/x"},
		{"PUT", "/to?s=301&l=" + srv.URL + "/done", "PUT /done b text/x"},
	} {
		resp, err := call(c.method, c.path)
		if err != nil || string(resp.Body) != c.want {
			t.Errorf("%s %s: got %v, %v", c.method, c.path, resp, err)
		}
	}
	for _, path := range []string{
		"/to?s=302&l=" + other.URL + "/secret",
		"/to?s=307&l=http://169.254.169.254/latest/meta-data/secret",
		"/to?s=302&l=//localhost:" + portText(srv) + "/secret",
		"/to?s=302&l=http://127.0.0.1:22/secret",
		"/to?s=302&l=file:///etc/secret",
		"/loop",
	} {
		_, err := call("GET", path)
		if !errs.Is(err, errs.Invalid) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want invalid", path, err)
		}
	}
	if otherHits.Load() != 0 {
		t.Error("the other host was called")
	}
	if resp, err := call("GET", "/to?s=302"); err != nil || resp.Status != http.StatusFound {
		t.Errorf("a redirect to nowhere: %v, %v", resp, err)
	}
	plain := client(t, Options{Allow: []string{hostPort(srv)}, MaxRedirects: -1})
	if resp, err := plain.Do(t.Context(), &Request{URL: srv.URL + "/loop"}); err != nil || resp.Status != http.StatusFound || resp.Header.Get("Location") == "" {
		t.Errorf("redirects off: %v, %v", resp, err)
	}
}

func TestAnswerLimits(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	_, _ = zip.Write(make([]byte, 50<<20))
	_ = zip.Close()
	release := make(chan struct{})
	srv, _ := target(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		case "/long":
			for range 100 {
				_, _ = w.Write(make([]byte, 4096))
			}
		case "/declared":
			w.Header().Set("Content-Length", "1000000")
			_, _ = w.Write([]byte("x"))
		case "/headers":
			for i := range 100 {
				w.Header().Set("X-"+strconv.Itoa(i), strings.Repeat("x", 1000))
			}
		case "/slow":
			_, _ = w.Write([]byte("x"))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-release:
			}
		case "/fits":
			_, _ = w.Write(make([]byte, 10000))
		}
	})
	defer close(release)
	cl := client(t, Options{Allow: []string{hostPort(srv)}, MaxResponseBytes: 10000, MaxHeaderBytes: 8192, MaxAttempts: 1, BreakerFailures: -1, Timeout: time.Minute})
	for path, code := range map[string]errs.Code{
		"/bomb": errs.Exhausted, "/long": errs.Exhausted, "/declared": errs.Exhausted, "/headers": errs.Unavailable, "/slow": errs.Unavailable,
	} {
		r := &Request{URL: srv.URL + path}
		if path == "/slow" {
			r.Timeout = 200 * time.Millisecond // without it the test would hang until its release
		}
		if _, err := cl.Do(t.Context(), r); !errs.Is(err, code) {
			t.Errorf("%s: got %v, want %s", path, err, code)
		}
	}
	if resp, err := cl.Do(t.Context(), &Request{URL: srv.URL + "/fits"}); err != nil || len(resp.Body) != 10000 {
		t.Errorf("an answer at the limit: %v", err)
	}
	if _, err := cl.Do(t.Context(), &Request{URL: srv.URL + "/fits", MaxResponseBytes: 9999}); !errs.Is(err, errs.Exhausted) {
		t.Errorf("an answer over the request's own limit: %v", err)
	}
}

func TestTransportErrors(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	addr := hostPort(closed)
	closed.Close()
	garbage, _ := target(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte("secret garbage\r\n\r\n"))
		_ = conn.Close()
	})
	secure := httptest.NewTLSServer(http.HandlerFunc(ok))
	defer secure.Close()
	secure.Config.ErrorLog = nil
	cl := client(t, Options{
		AllowPrivate: true, Allow: []string{addr, hostPort(garbage), secure.Listener.Addr().String()}, MaxAttempts: 1,
		Resolver: &names{answers: [][]string{nil}},
	})
	for _, c := range []struct{ url, want string }{
		{"http://" + addr + "/secret", "refuses connections"},
		{garbage.URL + "/", "no usable answer"},
		{secure.URL + "/secret", "certificate"},
		{"https://" + hostPort(garbage) + "/", "no usable answer"},
		{"https://nowhere.example/secret?x=secret", "not known"},
	} {
		_, err := cl.Do(t.Context(), &Request{URL: c.url})
		if !errs.Is(err, errs.Unavailable) || !strings.Contains(errs.Message(err), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %q", c.url, err, c.want)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	trusting := client(t, Options{Allow: []string{secure.Listener.Addr().String()}, TLS: &tls.Config{RootCAs: roots}})
	if resp, err := trusting.Do(t.Context(), &Request{URL: secure.URL}); err != nil || string(resp.Body) != "ok" {
		t.Errorf("a trusted authority: %v", err)
	}
}

func TestNoProxyFromEnvironment(t *testing.T) {
	proxy, proxied := target(t, ok)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	cl := client(t, Options{Resolver: &names{answers: [][]string{nil}}, MaxAttempts: 1})
	if _, err := cl.Do(t.Context(), &Request{URL: "http://example.invalid/"}); err == nil || proxied.Load() != 0 {
		t.Errorf("the proxy was asked %d times: %v", proxied.Load(), err)
	}
}

// script answers requests in turn: a status, or 0 for a transport error. The last step repeats.
type script struct {
	steps []int
	after string // Retry-After
	delay time.Duration

	mu    sync.Mutex // guards times
	times []time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	status := s.steps[min(len(s.times), len(s.steps)-1)]
	s.times = append(s.times, time.Now())
	s.mu.Unlock()
	select {
	case <-time.After(s.delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	h := http.Header{}
	if s.after != "" && status >= 429 {
		h.Set("Retry-After", s.after)
	}
	return &http.Response{StatusCode: status, Header: h, Body: http.NoBody, Request: r}, nil
}

func (s *script) count() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.times) }

func scripted(t *testing.T, s *script, o Options) *Client {
	t.Helper()
	c := client(t, o)
	c.rt = s
	return c
}

func TestRetryCounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		method string
		retry  Retry
		steps  []int
		after  string
		sent   int
		status int // 0: an error
	}{
		{"get, then well", "GET", RetryIdempotent, []int{500, 503, 200}, "", 3, 200},
		{"get, never well", "GET", RetryIdempotent, []int{500}, "", 4, 500},
		{"no answer, then well", "", RetryIdempotent, []int{0, 0, 200}, "", 3, 200},
		{"no answer ever", "PUT", RetryIdempotent, []int{0}, "", 4, 0},
		{"delete", "DELETE", RetryIdempotent, []int{502, 204}, "", 2, 204},
		{"post", "POST", RetryIdempotent, []int{500, 200}, "", 1, 500},
		{"post, no answer", "POST", RetryIdempotent, []int{0, 200}, "", 1, 0},
		{"patch", "PATCH", RetryIdempotent, []int{503, 200}, "", 1, 503},
		{"post declared safe", "POST", RetrySafe, []int{504, 0, 200}, "", 3, 200},
		{"get declared unsafe", "GET", RetryNever, []int{500, 200}, "", 1, 500},
		{"not implemented", "GET", RetryIdempotent, []int{501, 200}, "", 1, 501},
		{"not found", "GET", RetryIdempotent, []int{404, 200}, "", 1, 404},
		{"too many", "GET", RetryIdempotent, []int{429, 200}, "1", 2, 200},
		{"asked for too long", "GET", RetryIdempotent, []int{429, 200}, "60", 1, 429},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: c.steps, after: c.after}
				cl := scripted(t, s, Options{MaxAttempts: 4, Timeout: time.Minute})
				resp, err := cl.Do(t.Context(), &Request{Method: c.method, Retry: c.retry, URL: "https://example.com/"})
				if s.count() != c.sent || (err == nil) != (c.status != 0) || resp != nil && (resp.Status != c.status || resp.Attempts != c.sent) {
					t.Errorf("sent %d times, got %+v, %v; want %d times, %d", s.count(), resp, err, c.sent, c.status)
				}
			})
		})
	}
}

func TestRetryWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []int{503}}
		cl := scripted(t, s, Options{MaxAttempts: 8, Backoff: 100 * time.Millisecond, MaxBackoff: time.Second, Timeout: time.Minute, BreakerFailures: -1})
		if _, err := cl.Do(t.Context(), &Request{URL: "https://example.com/"}); err != nil {
			t.Fatal(err)
		}
		var waits []time.Duration
		for i := 1; i < len(s.times); i++ {
			limit := min(100*time.Millisecond<<(i-1), time.Second)
			wait := s.times[i].Sub(s.times[i-1])
			if wait > limit {
				t.Errorf("wait %d is %v, at most %v", i, wait, limit)
			}
			waits = append(waits, wait)
		}
		if slices.Max(waits) == slices.Min(waits) {
			t.Error("the waits are not random")
		}
	})
	synctest.Test(t, func(t *testing.T) { // a date in Retry-After
		s := &script{steps: []int{503, 200}, after: time.Now().Add(3 * time.Second).UTC().Format(http.TimeFormat)}
		cl := scripted(t, s, Options{})
		if _, err := cl.Do(t.Context(), &Request{URL: "https://example.com/"}); err != nil {
			t.Fatal(err)
		}
		if wait := s.times[1].Sub(s.times[0]); wait < 2*time.Second || wait > 4*time.Second {
			t.Errorf("waited %v, the server asked for 3 s", wait)
		}
	})
	synctest.Test(t, func(t *testing.T) { // no wait beyond the deadline
		s := &script{steps: []int{503}, after: "4"}
		cl := scripted(t, s, Options{Timeout: 3 * time.Second})
		began := time.Now()
		resp, err := cl.Do(t.Context(), &Request{URL: "https://example.com/"})
		if err != nil || resp.Status != 503 || s.count() != 1 || time.Since(began) > time.Second {
			t.Errorf("got %v, %v after %v", resp, err, time.Since(began))
		}
	})
}

// patience answers nothing until the request's time is over.
type patience struct{}

// RoundTrip implements http.RoundTripper.
func (patience) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestTimeouts: a request may ask for less time than the client's own, and for more only as far as the client permits.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ own, most, asked, want time.Duration }{
		{0, 0, 0, 10 * time.Second},
		{0, 0, time.Second, time.Second},
		{0, 0, time.Minute, 10 * time.Second},
		{0, 5 * time.Minute, 0, 10 * time.Second},
		{0, 5 * time.Minute, time.Minute, time.Minute},
		{0, 5 * time.Minute, time.Hour, 5 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			cl := client(t, Options{Timeout: c.own, MaxTimeout: c.most})
			cl.rt = patience{}
			began := time.Now()
			_, err := cl.Do(t.Context(), &Request{URL: "https://example.com/", Timeout: c.asked, Retry: RetryNever})
			if !errs.Is(err, errs.Unavailable) || time.Since(began) != c.want {
				t.Errorf("%+v: %v after %v", c, err, time.Since(began))
			}
		})
	}
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []int{500, 0, 500, 200}}
		var outcomes []Outcome
		cl := scripted(t, s, Options{BreakerFailures: 3, BreakerPause: 10 * time.Second, Observe: func(o Observation) { outcomes = append(outcomes, o.Outcome) }})
		call := func(scope string) error {
			_, err := cl.Do(t.Context(), &Request{URL: "https://example.com/x", Scope: scope, Retry: RetryNever})
			return err
		}
		_, _, _ = call("a"), call("a"), call("a")
		if err := call("a"); !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "10s") || s.count() != 3 {
			t.Errorf("the fourth call gave %v and %d were sent", err, s.count())
		}
		if err := call("b"); err != nil {
			t.Errorf("another scope: %v", err)
		}
		time.Sleep(11 * time.Second) //nolint:forbidigo // the bubble's clock
		if err := call("a"); err != nil || s.count() != 5 {
			t.Errorf("after the pause: %v, %d sent", err, s.count())
		}
		if err := call("a"); err != nil {
			t.Errorf("closed again: %v", err)
		}
		want := []Outcome{OutcomeServer, OutcomeTransport, OutcomeServer, OutcomeBreaker, OutcomeOK, OutcomeOK, OutcomeOK}
		if !slices.Equal(outcomes, want) {
			t.Errorf("observed %v, want %v", outcomes, want)
		}
	})
}

func TestBreakerProbe(t *testing.T) {
	t.Parallel()
	at := time.Unix(1000, 0)
	b := breaker{limit: 1, pause: time.Second}
	b.allow(at)
	b.record(failure, at)
	at = at.Add(time.Second)
	_, first := b.allow(at)
	_, second := b.allow(at)
	if !first || second {
		t.Errorf("after the pause %v and %v may go, want one", first, second)
	}
	b.record(neutral, at) // the probe's caller went away: the next one probes
	if _, ok := b.allow(at); !ok {
		t.Error("no new probe after one that said nothing")
	}
	b.record(failure, at)
	if _, ok := b.allow(at.Add(999 * time.Millisecond)); ok {
		t.Error("a failed probe does not pause again")
	}
}

func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []int{200}, delay: time.Hour}
		cl := scripted(t, s, Options{BreakerFailures: 1, Timeout: 5 * time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := cl.Do(ctx, &Request{URL: "https://example.com/"})
		if !errs.Is(err, errs.Unavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		// That was no failure of the host; a timeout is.
		for _, want := range []string{"in time", "in a row"} {
			if _, err := cl.Do(t.Context(), &Request{URL: "https://example.com/"}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
	})
}

func TestPerHostLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []int{200}, delay: 2 * time.Second}
		cl := scripted(t, s, Options{PerHost: 2, Timeout: 3 * time.Second})
		var done, late atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				_, err := cl.Do(t.Context(), &Request{URL: "https://example.com/"})
				switch {
				case err == nil:
					done.Add(1)
				case errs.Is(err, errs.Exhausted), errs.Is(err, errs.Unavailable):
					late.Add(1)
				}
			})
		}
		time.Sleep(time.Second) //nolint:forbidigo // the bubble's clock
		if s.count() != 2 {
			t.Errorf("%d run at once, want 2", s.count())
		}
		if resp, err := cl.Do(t.Context(), &Request{URL: "https://other.example/"}); err != nil || resp.Status != 200 {
			t.Errorf("another host waits: %v", err)
		}
		wg.Wait()
		if done.Load() != 2 || late.Load() != 2 {
			t.Errorf("%d answered and %d late, want 2 and 2", done.Load(), late.Load())
		}
	})
}

func TestHostsAreBounded(t *testing.T) {
	t.Parallel()
	h := newHosts(1, 1, time.Minute)
	var held []func()
	for i := range 3 * maxHosts {
		st, done, err := h.use("", strconv.Itoa(i))
		if err != nil {
			t.Fatalf("host %d: %v", i, err)
		}
		st.breaker.record(failure, time.Now()) // even paused ones
		done()
	}
	if len(h.all) > maxHosts {
		t.Errorf("%d hosts are kept", len(h.all))
	}
	for i := range maxHosts + 1 {
		_, done, err := h.use("busy", strconv.Itoa(i))
		if err != nil {
			if !errs.Is(err, errs.Exhausted) || i < maxHosts {
				t.Errorf("host %d: %v", i, err)
			}
			continue
		}
		held = append(held, done)
	}
	if len(held) != maxHosts {
		t.Errorf("%d busy hosts, want %d", len(held), maxHosts)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reg := telemetry.NewRegistry("test")
		cl := scripted(t, &script{steps: []int{503, 200}}, Options{Observe: Metrics(reg)})
		if _, err := cl.Do(t.Context(), &Request{URL: "https://example.com/"}); err != nil {
			t.Fatal(err)
		}
		rec := httptest.NewRecorder()
		reg.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		for _, want := range []string{
			`tandem_http_client_requests_total{outcome="server"} 1`, `tandem_http_client_requests_total{outcome="ok"} 1`,
			`tandem_http_client_retries_total 1`, `tandem_http_client_request_seconds_count{outcome="ok"} 1`,
		} {
			if !strings.Contains(rec.Body.String(), want) {
				t.Errorf("no %s in the metrics", want)
			}
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("-1")
	f.Add("Fri, 31 Dec 1999 23:59:59 GMT")
	f.Add("99999999999999999999")
	f.Fuzz(func(t *testing.T, v string) {
		if d := retryAfter(v, time.Unix(0, 0)); d < 0 {
			t.Errorf("%q gives %v", v, d)
		}
	})
}

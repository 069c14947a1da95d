package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// api is a hub with signed-in users of every role.
type api struct {
	*hub.Hub
	base    string
	cookies map[string]*http.Cookie // by login
	csrf    map[string]string
	ids     map[string]string
}

func startAPI(t *testing.T) *api {
	t.Helper()
	return startAPIWith(t, hub.Options{})
}

func startAPIWith(t *testing.T, o hub.Options) *api {
	t.Helper()
	h := hub.Start(t, o)
	a := &api{Hub: h, base: "http://" + h.HTTP + "/api/v1", cookies: map[string]*http.Cookie{}, csrf: map[string]string{}, ids: map[string]string{}}
	for _, login := range []string{"admin", "sam", "ada"} {
		a.signIn(t, login, h.Password(login))
	}
	return a
}

func (a *api) signIn(t *testing.T, login, password string) {
	t.Helper()
	r := a.do(t, req{method: "POST", path: "/session", body: map[string]string{"login": login, "password": password}})
	if r.status != http.StatusOK {
		t.Fatalf("signing in %s: %d %s", login, r.status, r.raw)
	}
	for _, line := range r.header.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		a.cookies[login] = c
	}
	a.csrf[login], _ = r.json["csrf"].(string)
	if user, ok := r.json["user"].(map[string]any); ok {
		a.ids[login], _ = user["id"].(string)
	}
}

// req is one request; as is a login, "token" for the sample API token, or "" for nobody.
type req struct {
	method, path, as string
	body             any // []byte is sent as it is
	header           map[string]string
	noCSRF           bool
}

type answer struct {
	status int
	header http.Header
	raw    string
	json   map[string]any
}

func (a *api) request(ctx context.Context, t *testing.T, q req) *http.Request {
	t.Helper()
	var body io.Reader
	switch v := q.body.(type) {
	case nil:
	case []byte:
		body = bytes.NewReader(v)
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, a.base+q.path, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	switch c := a.cookies[q.as]; {
	case q.as == "token":
		r.Header.Set("Authorization", "Bearer "+a.APIToken)
	case c != nil:
		r.AddCookie(c)
		if !q.noCSRF {
			r.Header.Set("X-CSRF-Token", a.csrf[q.as])
		}
	}
	for name, v := range q.header {
		r.Header.Set(name, v)
	}
	return r
}

func (a *api) do(t *testing.T, q req) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	res, err := http.DefaultTransport.RoundTrip(a.request(ctx, t, q))
	if err != nil {
		t.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	if strings.Contains(res.Header.Get("Content-Type"), "json") && len(raw) > 0 && raw[0] == '{' {
		if err := json.Unmarshal(raw, &out.json); err != nil {
			t.Errorf("%s %s: %v in %s", q.method, q.path, err, raw)
		}
	}
	return out
}

func (r answer) text(path ...string) string {
	var v any = r.json
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[p]
	}
	s, _ := v.(string)
	return s
}

// problem checks that an answer is an RFC 9457 problem with our code.
func (r answer) problem(t *testing.T, what string, status int, code string) {
	t.Helper()
	if r.status != status || r.text("code") != code {
		t.Errorf("%s: %d %s, want %d with code %s", what, r.status, r.raw, status, code)
		return
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s: content type %q", what, got)
	}
	if n, ok := r.json["status"].(float64); !ok || int(n) != status || r.text("type") == "" || r.text("title") == "" || r.text("detail") == "" {
		t.Errorf("%s: the problem lacks fields: %s", what, r.raw)
	}
}

// sse is one server-sent event.
type sse struct{ id, name, data string }

// stream opens a stream and returns its events; it ends with the test.
func (a *api) stream(t *testing.T, q req) <-chan sse {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	res, err := http.DefaultTransport.RoundTrip(a.request(ctx, t, q)) //nolint:bodyclose // closed where it is read
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s: %d %s", q.path, res.StatusCode, res.Header.Get("Content-Type"))
	}
	out := make(chan sse, 100)
	go func() {
		defer close(out)
		defer func() { _ = res.Body.Close() }()
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		var e sse
		for lines.Scan() {
			name, v, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = v
			case "event":
				e.name = v
			case "data":
				e.data = v
			case "":
				out <- e
				e = sse{}
			}
		}
	}()
	return out
}

func next(t *testing.T, events <-chan sse, what string) sse {
	t.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			t.Fatalf("%s: the stream ended", what)
		}
		return e
	case <-time.After(15 * time.Second):
		t.Fatalf("%s: nothing comes", what)
	}
	return sse{}
}

package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

const builtPage = `<meta name="csp-nonce" content="__CSP_NONCE__"><meta name="tandem-frame-origins" content="__FRAME_ORIGINS__">`

func built() fstest.MapFS {
	return fstest.MapFS{
		"index.html":          {Data: []byte(builtPage)},
		"theme.js":            {Data: []byte("1")},
		"assets/app-Ab12.js":  {Data: []byte("2")},
		"assets/app-Ab12.css": {Data: []byte("3")},
		".gitkeep":            {Data: []byte("")},
	}
}

func ask(t *testing.T, h http.Handler, method, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody))
	return w
}

func TestHandlerServes(t *testing.T) {
	t.Parallel()
	h := newHandler(built())
	tests := []struct {
		name, method, target string
		status               int
		cache, contains      string
	}{
		{"root", "GET", "/", 200, cacheNever, "csp-nonce"},
		{"deep link", "GET", "/contacts/0190-ab", 200, cacheNever, "csp-nonce"},
		{"index by name", "GET", "/index.html", 200, cacheNever, "csp-nonce"},
		{"hashed asset", "GET", "/assets/app-Ab12.js", 200, cacheForever, "2"},
		{"unhashed file", "GET", "/theme.js", 200, cacheShort, "1"},
		{"asset of a former build", "GET", "/assets/app-Old.js", 404, cacheNever, "reload"},
		{"unknown operation", "GET", "/api/v1/nothing", 404, cacheNever, "no such operation"},
		{"folder is not listed", "GET", "/assets/", 200, cacheNever, "csp-nonce"},
		{"hidden file is not served", "GET", "/.gitkeep", 200, cacheNever, "csp-nonce"},
		{"climbing path", "GET", "/../../etc/passwd", 200, cacheNever, "csp-nonce"},
		{"head", "HEAD", "/desk", 200, cacheNever, ""},
		{"post", "POST", "/desk", 405, "", "not allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := ask(t, h, tt.method, tt.target)
			if w.Code != tt.status {
				t.Errorf("status = %d, want %d", w.Code, tt.status)
			}
			if got := w.Header().Get("Cache-Control"); got != tt.cache {
				t.Errorf("Cache-Control = %q, want %q", got, tt.cache)
			}
			if !strings.Contains(w.Body.String(), tt.contains) {
				t.Errorf("body = %q, want it to contain %q", w.Body, tt.contains)
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Error("security headers are missing")
			}
		})
	}
}

func TestPolicyIsStrict(t *testing.T) {
	t.Parallel()
	w := ask(t, newHandler(built()), "GET", "/")
	policy := w.Header().Get("Content-Security-Policy")
	for _, bad := range []string{"unsafe", "{", "\n", "*"} {
		if strings.Contains(policy, bad) {
			t.Errorf("policy %q contains %q", policy, bad)
		}
	}
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "frame-src 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q does not contain %q", policy, want)
		}
	}
	_, rest, _ := strings.Cut(policy, "'nonce-")
	nonce, _, _ := strings.Cut(rest, "'")
	if nonce == "" || !strings.Contains(w.Body.String(), `content="`+nonce+`"`) {
		t.Errorf("the page does not carry the nonce %q of its policy", nonce)
	}
}

func TestNonceIsNewEachTime(t *testing.T) {
	t.Parallel()
	h := newHandler(built())
	first := ask(t, h, "GET", "/").Header().Get("Content-Security-Policy")
	second := ask(t, h, "GET", "/").Header().Get("Content-Security-Policy")
	if first == second {
		t.Error("two pages share a nonce")
	}
}

func TestFrameOrigins(t *testing.T) {
	t.Parallel()
	h := newHandler(built(), FrameOrigins("https://crm.example.com/path?x=1", "javascript:alert(1)", "https://a;b", "http://127.0.0.1:8090"))
	w := ask(t, h, "GET", "/")
	const want = "https://crm.example.com http://127.0.0.1:8090"
	if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "frame-src "+want+";") {
		t.Errorf("policy = %q, want frame-src %s", got, want)
	}
	if !strings.Contains(w.Body.String(), `content="`+want+`"`) {
		t.Errorf("page = %q, want the origins in it", w.Body)
	}
}

func TestPlaceholderSaysHowToBuild(t *testing.T) {
	t.Parallel()
	w := ask(t, newHandler(fstest.MapFS{".gitkeep": {}}), "GET", "/desk")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "npm run build") {
		t.Errorf("answer = %d %q, want the way to build the console", w.Code, w.Body)
	}
	if strings.Contains(w.Body.String(), "__CSP_NONCE__") {
		t.Error("the style of the placeholder has no nonce")
	}
}

func TestHandlerIsEmbedded(t *testing.T) {
	t.Parallel()
	if w := ask(t, Handler(), "GET", "/"); w.Code != http.StatusOK {
		t.Errorf("status = %d, want 200 with or without a built console", w.Code)
	}
}

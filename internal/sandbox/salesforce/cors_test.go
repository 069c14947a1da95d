package salesforce

import (
	"net/http"
	"testing"
)

func TestRuleCrossOrigin(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	set := func(body string) int {
		status, _, _ := o.send(http.MethodPut, "/sandbox/api/cors", body, http.Header{"Content-Type": {"application/json"}})
		return status
	}
	for _, bad := range []string{
		`{"origins":["http://app.example.com"]}`, `{"origins":["https://app.example.com/x"]}`, `{"origins":["https://a*.example.com"]}`,
		`{"origins":["app.example.com"]}`, `{"origins":["*"]}`, `{"x":1}`, `[`,
	} {
		if status := set(bad); status != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, status)
		}
	}
	const path = "/services/data/v60.0/limits"
	ask := func(method, origin string) (int, http.Header) {
		status, _, h := o.do(method, path, "", "Origin", origin, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
		return status, h
	}
	if status, h := ask(http.MethodGet, "https://app.example.com"); status != http.StatusForbidden || h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a new org lets scripts in: %d", status)
	}
	if status := set(`{"origins":["https://app.example.com","https://*.example.org","http://localhost:3000"]}`); status != http.StatusNoContent {
		t.Fatalf("%d", status)
	}
	for origin, want := range map[string]int{
		"https://app.example.com": 200, "https://APP.example.com": 200, "https://a.example.org": 200, "http://localhost:3000": 200, o.url: 200,
		"https://example.org": 403, "http://a.example.org": 403, "https://evil.example.com": 403, "https://app.example.com.evil.test": 403, "null": 403,
	} {
		status, h := ask(http.MethodGet, origin)
		if status != want || want == 200 && origin != o.url && h.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("GET from %s: %d %q", origin, status, h.Get("Access-Control-Allow-Origin"))
		}
		if origin == o.url {
			continue
		}
		status, h = ask(http.MethodOptions, origin)
		if status != want || want == 200 && (h.Get("Access-Control-Allow-Methods") == "" || h.Get("Access-Control-Allow-Headers") != "authorization" || h.Get("Sforce-Limit-Info") != "") {
			t.Errorf("preflight from %s: %d %v", origin, status, h)
		}
	}
	if status, _, _ := o.do(http.MethodOptions, path, ""); status != http.StatusMethodNotAllowed {
		t.Errorf("OPTIONS of no browser: %d", status)
	}
}

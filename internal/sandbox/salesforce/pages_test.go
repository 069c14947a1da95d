package salesforce

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

func TestPages(t *testing.T) {
	t.Parallel()
	o := sampleOrg(t)
	evil := o.create("Account", `{"Name":"<script>alert(1)</script>","Website":"javascript:alert(1)"}`)
	for path, want := range map[string]string{
		"/": "Sandbox Org", "/?q=acm": "Acme", "/?q=4155550100": "Acme", "/?q=%3Cscript%3E": "&lt;script&gt;", "/lightning/o/Contact/list": "O&#39;Brien",
		"/lightning/o/contact/list?page=2": "Contacts", "/001000000000001AAA": "O&#39;Brien", "/lightning/r/Case/500000000000001AAA/view": "00001001",
		"/lightning/r/Account/001000000000001/view": "Acme", "/" + evil: "&lt;script&gt;", "/sandbox/log": "/services/oauth2/token", "/sandbox/faults": "The org is up", "/sandbox/style.css": "color-scheme",
	} {
		status, body, h := o.send(http.MethodGet, path, "", nil)
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d lacks %q: %.300s", path, status, want, body)
		}
		if strings.Contains(body, "<script") || strings.Contains(body, "style=") {
			t.Errorf("%s holds inline code", path)
		}
		if !strings.HasSuffix(path, ".css") && !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s has no policy", path)
		}
	}
	for path, want := range map[string]int{"/001000000000999AAA": 404, "/nope": 404, "/lightning/o/Nope/list": 404, "/lightning/r/x/y/view": 404} {
		if status, _, _ := o.send(http.MethodGet, path, "", nil); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	_, body, _ := o.send(http.MethodGet, "/sandbox/log", "", nil)
	if c := o.Credentials(); strings.Contains(body, o.token) || strings.Contains(body, c.Password) || strings.Contains(body, c.ClientSecret) {
		t.Error("the log shows a secret")
	}
	status, _, _ := o.send(http.MethodGet, "/", "", http.Header{"Host": {"evil.example"}})
	if status != http.StatusOK { // Header.Host is ignored by the client; the guard itself is tested in kit
		t.Errorf("home: %d", status)
	}
}

// TestFaults goes through what the end-to-end tests need: a 401 and a refresh, errors that pass, silence, down and back.
func TestFaults(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	set := func(body string) string {
		t.Helper()
		status, out, _ := o.send(http.MethodPost, "/sandbox/api/faults", body, http.Header{"Content-Type": {"application/json"}})
		var f kit.Fault
		if err := json.Unmarshal([]byte(out), &f); err != nil || status != http.StatusCreated {
			t.Fatalf("%s: %d %s", body, status, out)
		}
		return f.ID
	}
	query := func() int {
		status, _ := o.soql("SELECT Id FROM User")
		return status
	}
	cut := func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.url+"/services/data", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			_ = res.Body.Close()
		}
		return errors.Is(err, io.EOF) || err != nil && strings.Contains(err.Error(), "reset")
	}
	set(`{"match":"/services/data/.*/query","kind":"status","status":500,"code":"UNKNOWN_EXCEPTION","count":3}`)
	for i, want := range []int{500, 500, 500, 200} {
		if got := query(); got != want {
			t.Errorf("call %d: %d, want %d", i, got, want)
		}
	}
	set(`{"kind":"status","status":503,"count":1}`)
	if _, body := o.soql("SELECT Id FROM User"); !strings.Contains(body, "SERVER_UNAVAILABLE") {
		t.Errorf("503 says %s", body)
	}
	set(`{"match":"query","kind":"expire","count":1}`)
	if got := query(); got != http.StatusUnauthorized {
		t.Errorf("expired: %d", got)
	}
	o.login()
	if got := query(); got != http.StatusOK {
		t.Errorf("signed in again: %d", got)
	}
	set(`{"match":"query","kind":"latency","delay_ms":30,"count":1}`)
	if at := time.Now(); query() != http.StatusOK || time.Since(at) < 30*time.Millisecond {
		t.Error("no latency")
	}
	id := set(`{"match":"/services/data$","kind":"cut"}`)
	for range 2 {
		if !cut() {
			t.Error("the connection is not cut")
		}
	}
	if status, _, _ := o.send(http.MethodDelete, "/sandbox/api/faults/"+id, "", nil); status != http.StatusNoContent || cut() {
		t.Errorf("a deleted rule strikes (%d)", status)
	}
	if status, _, _ := o.send(http.MethodPut, "/sandbox/api/down", `{"down":true}`, nil); status != http.StatusOK || !cut() {
		t.Errorf("down: %d", status)
	}
	if _, body, _ := o.send(http.MethodGet, "/sandbox/api/faults", "", nil); body != `{"down":true,"faults":[],"skew_ms":0}` {
		t.Errorf("list: %s", body)
	}
	if status, _, _ := o.send(http.MethodDelete, "/sandbox/api/faults", "", nil); status != http.StatusNoContent || cut() {
		t.Errorf("back up: %d", status)
	}
	if _, body, _ := o.send(http.MethodGet, "/sandbox/api/requests?n=3", "", nil); strings.Count(body, `"method"`) != 3 {
		t.Errorf("requests: %s", body)
	}
	for _, bad := range []string{`{}`, `{"kind":"status"}`, `{"kind":"magic"}`, `{"kind":"cut","match":"("}`, `{"kind":"latency"}`, `{"kind":"cut","share":2}`, `{"kind":"cut","x":1}`, `x`} {
		if status, _, _ := o.send(http.MethodPost, "/sandbox/api/faults", bad, nil); status != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, status)
		}
	}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	if status, _, _ := o.send(http.MethodPost, "/sandbox/faults", "do=add&kind=status&status=500&count=1&match=query", form); status != http.StatusSeeOther || query() != 500 {
		t.Errorf("form: %d", status)
	}
	form.Set("Origin", "https://evil.example")
	if status, _, _ := o.send(http.MethodPost, "/sandbox/faults", "do=down", form); status != http.StatusForbidden {
		t.Errorf("a form of another origin: %d", status)
	}
}

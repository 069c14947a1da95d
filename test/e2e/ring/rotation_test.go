package ring

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// rotating is an org that gives a new refresh token at each use and forgets the old one.
type rotating struct {
	mu    sync.Mutex // guards n and seen
	n     int
	seen  []string
	valid string
}

// ServeHTTP implements http.Handler.
func (o *rotating) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path != "/services/oauth2/token" {
		_, _ = fmt.Fprint(w, `[{"label":"Winter '27","url":"/services/data/v68.0","version":"68.0"}]`)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	token := r.FormValue("refresh_token")
	o.seen = append(o.seen, token)
	if token != o.valid {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"error":"invalid_grant","error_description":"expired access/refresh token"}`)
		return
	}
	o.n++
	o.valid = fmt.Sprintf("refresh-%d", o.n)
	_, _ = fmt.Fprintf(w, `{"access_token":"00D000000000001!access%d","refresh_token":%q,"instance_url":"http://%s","token_type":"Bearer"}`, o.n, o.valid, r.Host)
}

// TestRotatedRefreshTokenIsKept: with rotation the token in hand is dead after one use; a restart must find the newest.
func TestRotatedRefreshTokenIsKept(t *testing.T) {
	t.Parallel()
	org := &rotating{valid: "refresh-0"}
	srv := httptest.NewServer(org)
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	h := hub.Start(t, hub.Options{Dir: dir})
	var c struct{ ID string }
	h.API().Must("POST", "/connectors", map[string]any{
		"name": "rotating", "kind": "salesforce", "baseUrl": srv.URL, "grant": "refresh_token", "clientId": "id", "clientSecret": "secret",
		"refreshToken": "refresh-0", "allowPrivate": true,
	}, &c)
	try := func(h *hub.Hub) {
		t.Helper()
		var res struct {
			OK      bool
			Message string
		}
		h.API().Must("POST", "/connectors/"+c.ID+"/test", nil, &res)
		if !res.OK {
			t.Fatalf("the connector fails: %s (tokens used: %v)", res.Message, org.seen)
		}
	}
	try(h)
	try(h)
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	try(hub.Start(t, hub.Options{Dir: dir}))
}

package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// SOQL asks the sandbox org, as an administrator, through its own API.
func (h *Hub) SOQL(q string, out any) {
	h.t.Helper()
	h.CRM(http.MethodGet, "/query?q="+escape(q), nil, out)
}

// CRM makes a request of the sandbox org's REST API.
func (h *Hub) CRM(method, path string, in, out any) {
	h.t.Helper()
	token, err := h.orgToken()
	if err != nil {
		h.t.Fatal(err)
	}
	body, err := json.Marshal(in)
	if err != nil {
		h.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+h.Sandbox+"/services/data/v60.0"+path, bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		h.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, raw)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(raw, out); err != nil {
		h.t.Fatal(err)
	}
}

func (h *Hub) orgToken() (string, error) {
	form := "grant_type=client_credentials&client_id=" + escape(h.Org.ClientID) + "&client_secret=" + escape(h.Org.ClientSecret)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+h.Sandbox+"/services/oauth2/token", strings.NewReader(form))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	var t struct {
		AccessToken string `json:"access_token"`
	}
	return t.AccessToken, json.NewDecoder(res.Body).Decode(&t)
}

func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Fault switches a fault of the sandbox org on.
func (h *Hub) Fault(spec map[string]any) {
	h.t.Helper()
	h.sandbox(http.MethodPost, "/sandbox/api/faults", spec)
}

// NoFaults switches all faults off.
func (h *Hub) NoFaults() {
	h.t.Helper()
	h.sandbox(http.MethodDelete, "/sandbox/api/faults", nil)
}

// Down takes the sandbox org off the network, or brings it back.
func (h *Hub) Down(down bool) {
	h.t.Helper()
	h.sandbox(http.MethodPut, "/sandbox/api/down", map[string]bool{"down": down})
}

// ExpireSessions ends every access token of the sandbox org.
func (h *Hub) ExpireSessions() {
	h.t.Helper()
	h.sandbox(http.MethodPost, "/sandbox/api/sessions/expire", nil)
}

func (h *Hub) sandbox(method, path string, in any) {
	h.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		h.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+h.Sandbox+path, bytes.NewReader(raw))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 300 {
		body, _ := io.ReadAll(res.Body)
		h.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, body)
	}
}

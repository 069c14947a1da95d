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
	token, err := h.orgToken()
	if err != nil {
		h.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+h.Sandbox+"/services/data/v60.0/query?q="+escape(q), nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		h.t.Fatalf("%s: %d %s", q, res.StatusCode, raw)
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
		body, _ := io.ReadAll(res.Body) //nolint:errcheck // only for the message
		h.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, body)
	}
}

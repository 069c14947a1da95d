package salesforce

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, Credentials: Credentials{ClientID: "cid", ClientSecret: "sec", Username: "u@x.test", Password: "pw", SecurityToken: "tok"}})
	form := func(pairs ...string) url.Values {
		v := url.Values{"client_id": {"cid"}, "client_secret": {"sec"}, "grant_type": {"password"}, "username": {"U@x.test"}, "password": {"pwtok"}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	for _, c := range []struct {
		name              string
		form              url.Values
		code, description string
	}{
		{"password", form(), "", ""},
		{"client credentials", form("grant_type", "client_credentials"), "", ""},
		{"password without the token", form("password", "pw"), "invalid_grant", "authentication failure"},
		{"wrong password", form("password", "x"), "invalid_grant", "authentication failure"},
		{"unknown user", form("username", "nobody@x.test"), "invalid_grant", "authentication failure"},
		{"user without a password", form("username", "integration@sandbox.example", "password", ""), "invalid_grant", "authentication failure"},
		{"wrong client", form("client_id", "x"), "invalid_client_id", "client identifier invalid"},
		{"wrong secret", form("client_secret", "x"), "invalid_client", "invalid client credentials"},
		{"no secret", form("grant_type", "client_credentials", "client_secret", ""), "invalid_client", "invalid client credentials"},
		{"unknown grant", form("grant_type", "magic"), "unsupported_grant_type", "grant type not supported"},
		{"bad refresh token", form("grant_type", "refresh_token", "refresh_token", "x"), "invalid_grant", "expired access/refresh token"},
		{"bad code", form("grant_type", "authorization_code", "code", "x"), "invalid_grant", "expired authorization code"},
	} {
		status, body, h := o.send(http.MethodPost, "/services/oauth2/token", c.form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
		if h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the answer may be cached", c.name)
		}
		if c.code == "" {
			var a map[string]any
			if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusOK {
				t.Errorf("%s: %d %s", c.name, status, body)
			}
			if !regexp.MustCompile(`^00D\w{12,15}![.\w]+$`).MatchString(str(a["access_token"])) || a["refresh_token"] != nil {
				t.Errorf("%s: token %v", c.name, a)
			}
			continue
		}
		want, _ := encode(&oauthError{c.code, c.description})
		if status != http.StatusBadRequest || body != string(want) {
			t.Errorf("%s: %d %s, want %s", c.name, status, body, want)
		}
	}
	status, _, _ := o.send(http.MethodPost, "/services/oauth2/token", "grant_type=client_credentials",
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("cid:sec"))}})
	if status != http.StatusOK {
		t.Errorf("client by Basic: %d", status)
	}
}

func TestPasswordFlowOptions(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, TrustLoopback: true})
	c := o.Credentials()
	v := url.Values{"grant_type": {"password"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "username": {c.Username}, "password": {c.Password}}
	if status, body := o.form("/services/oauth2/token", v); status != http.StatusOK {
		t.Errorf("bare password from a trusted address: %d %s", status, body)
	}
	if err := o.SetFlow(t.Context(), FlowPassword, false); err != nil {
		t.Fatal(err)
	}
	if status, body := o.form("/services/oauth2/token", v); status != http.StatusBadRequest {
		t.Errorf("password flow that is off: %d %s", status, body)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	now := fixedNow()
	o := start(t, Options{Seed: SeedNone, Now: func() time.Time { return now }, SessionTTL: time.Hour})
	good := func() bool {
		status, body := o.api(http.MethodGet, "/limits", "")
		if status == http.StatusUnauthorized && body != `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]` {
			t.Errorf("401 says %s", body)
		}
		return status == http.StatusOK
	}
	if !good() {
		t.Fatal("a new token does not work")
	}
	now = now.Add(time.Hour)
	if good() {
		t.Error("a token outlives its time")
	}
	o.login()
	if status, _ := o.form("/services/oauth2/revoke", url.Values{"token": {o.token}}); status != http.StatusOK || good() {
		t.Errorf("a revoked token works (revoke: %d)", status)
	}
	if status, _ := o.form("/services/oauth2/revoke", url.Values{"token": {o.token}}); status != http.StatusBadRequest {
		t.Errorf("revoking twice: %d", status)
	}
	o.login()
	o.ExpireSessions(t.Context())
	if good() {
		t.Error("an expired token works")
	}
	o.login()
	status, body, _ := o.send(http.MethodGet, "/services/data/v60.0/limits", "", http.Header{"Authorization": {"OAuth " + o.token}})
	if status != http.StatusOK {
		t.Errorf("OAuth scheme: %d %s", status, body)
	}
}

// TestAuthorizationCode goes through the page a person sees, PKCE included, and refreshes with rotation.
func TestAuthorizationCode(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, RotateRefreshTokens: true})
	c := o.Credentials()
	sum := sha256.Sum256([]byte("verifier"))
	ask := url.Values{
		"response_type": {"code"}, "client_id": {c.ClientID}, "redirect_uri": {"http://127.0.0.1:1/cb?a=b"}, "state": {"st"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	status, body, _ := o.send(http.MethodGet, "/services/oauth2/authorize?"+ask.Encode(), "", nil)
	if status != http.StatusOK || !strings.Contains(body, `name="code_challenge"`) {
		t.Fatalf("authorize page: %d %s", status, body)
	}
	post := func(pairs ...string) (int, *url.URL) {
		for i := 0; i < len(pairs); i += 2 {
			ask.Set(pairs[i], pairs[i+1])
		}
		status, _, h := o.send(http.MethodPost, "/services/oauth2/authorize", ask.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
		u, err := url.Parse(h.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		return status, u
	}
	if _, u := post("answer", "deny"); u.Query().Get("error") != "access_denied" || u.Query().Get("state") != "st" {
		t.Errorf("denied: %s", u)
	}
	if status, _ := post("answer", "allow", "username", c.Username, "password", "x"); status != http.StatusUnauthorized {
		t.Errorf("wrong password: %d", status)
	}
	_, u := post("password", c.Password)
	if u.Query().Get("a") != "b" {
		t.Errorf("the address lost its query: %s", u)
	}
	exchange := url.Values{"grant_type": {"authorization_code"}, "client_id": {c.ClientID}, "code": {u.Query().Get("code")}, "redirect_uri": {"http://127.0.0.1:1/cb?a=b"}, "code_verifier": {"verifier"}}
	var a struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	_, body2 := o.form("/services/oauth2/token", exchange)
	if err := json.Unmarshal([]byte(body2), &a); err != nil || a.Refresh == "" {
		t.Fatalf("exchange: %s", body2)
	}
	if status, _ := o.form("/services/oauth2/token", exchange); status != http.StatusBadRequest {
		t.Error("a code works twice")
	}
	first := a.Refresh
	refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ClientID}, "refresh_token": {first}}
	_, body2 = o.form("/services/oauth2/token", refresh)
	if err := json.Unmarshal([]byte(body2), &a); err != nil || a.Refresh == "" || a.Refresh == first {
		t.Errorf("rotation: %s", body2)
	}
	if status, _ := o.form("/services/oauth2/token", refresh); status != http.StatusBadRequest {
		t.Error("a rotated refresh token works")
	}
	_, u = post()
	exchange.Set("code", u.Query().Get("code"))
	exchange.Set("code_verifier", "other")
	if status, _ := o.form("/services/oauth2/token", exchange); status != http.StatusBadRequest {
		t.Error("a wrong verifier is accepted")
	}
	for _, bad := range []string{"", "javascript:alert(1)", "data:text/html,x", "http://a;b/"} {
		ask.Set("redirect_uri", bad)
		if status, _, _ := o.send(http.MethodGet, "/services/oauth2/authorize?"+ask.Encode(), "", nil); status != http.StatusBadRequest {
			t.Errorf("redirect_uri %q: %d", bad, status)
		}
	}
}

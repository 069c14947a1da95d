package salesforce

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// from sends a request as if it came from an address.
func (o *ruled) from(address, method, path, body string, header http.Header) (int, string) {
	o.t.Helper()
	r := httptest.NewRequestWithContext(o.t.Context(), method, path, strings.NewReader(body))
	r.RemoteAddr, r.Host = address, strings.TrimPrefix(o.url, "http://")
	maps.Copy(r.Header, header)
	w := httptest.NewRecorder()
	o.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func (o *ruled) put(path, body string) {
	o.t.Helper()
	if status, out, _ := o.send(http.MethodPut, path, body, nil); status != http.StatusOK && status != http.StatusNoContent {
		o.t.Fatalf("%s: %d %s", path, status, out)
	}
}

const (
	agent     = "ana.silva@sandbox.example" // a Standard User
	agentPass = "agent's password"
	inside    = "198.51.100.7:4000"
	outside   = "203.0.113.9:4000"
)

// agentToken gives the agent a password and returns the security token.
func (o *ruled) agentToken() string {
	o.t.Helper()
	token, err := o.SetPassword(o.t.Context(), agent, agentPass)
	if err != nil {
		o.t.Fatal(err)
	}
	return token
}

func (o *ruled) agentForm(password string) string {
	v := o.passwordForm()
	v.Set("username", agent)
	v.Set("password", password)
	return v.Encode()
}

var formType = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}} //nolint:gochecknoglobals // constant

// TestSecurityToken: the token goes after the password unless the address is trusted: by the org's ranges, or by ranges of the
// profile that hold it, such as all addresses there are.
func TestSecurityToken(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	token := o.agentToken()
	login := func(address, password string) int {
		status, _ := o.from(address, http.MethodPost, "/services/oauth2/token", o.agentForm(password), formType)
		return status
	}
	soap := func(address, password string) string {
		body := `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><login xmlns="urn:partner.soap.sforce.com"><username>` + agent +
			`</username><password>` + escapeXML(password) + `</password></login></e:Body></e:Envelope>`
		_, out := o.from(address, http.MethodPost, "/services/Soap/u/60.0", body, http.Header{"Content-Type": {"text/xml"}})
		return out
	}
	if login(inside, agentPass+token) != http.StatusOK || login(inside, agentPass) != http.StatusBadRequest {
		t.Error("the token is not asked for")
	}
	if out := soap(inside, agentPass); !strings.Contains(out, "<faultstring>LOGIN_MUST_USE_SECURITY_TOKEN: Invalid username, password, security token; or user locked out. Are you at a new location?") ||
		!strings.Contains(out, "<sf:LoginFault>") {
		t.Errorf("SOAP without the token: %s", out)
	}
	// Trusted by the org: no token, wherever else one is still asked for.
	o.put("/sandbox/api/security", `{"trusted_ranges":["198.51.100.0/24"]}`)
	if login(inside, agentPass) != http.StatusOK || login(inside, agentPass+token) != http.StatusOK || login(outside, agentPass) != http.StatusBadRequest || login(outside, agentPass+token) != http.StatusOK {
		t.Error("the org's trusted ranges")
	}
	if out := soap(inside, agentPass); !strings.Contains(out, "<sessionId>") {
		t.Errorf("SOAP from a trusted address: %s", out)
	}
	// Trusted by the profile: from everywhere.
	o.put("/sandbox/api/security", `{"trusted_ranges":[]}`)
	o.put("/sandbox/api/profiles/Standard%20User/login-ranges", `{"ranges":["0.0.0.0-255.255.255.255"]}`)
	if login(inside, agentPass) != http.StatusOK || login(outside, agentPass) != http.StatusOK || login(outside, "wrong") != http.StatusBadRequest {
		t.Error("all addresses as login IP ranges of the profile")
	}
}

// TestLoginRangesOfAProfile: from outside of the profile's ranges nobody signs in, whatever the way; who is in already stays, unless
// every request is held to them.
func TestLoginRangesOfAProfile(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	token := o.agentToken()
	for _, a := range o.Apps() {
		a.Username = agent
		if _, err := o.AddApp(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	request := signInAsk()
	form := values("answer", "allow", "username", agent, "password", agentPass)
	maps.Copy(form, request)
	person, err := o.userByName(t.Context(), agent)
	if err != nil {
		t.Fatal(err)
	}
	refresh, err := o.sessions.add(t.Context(), session{user: person.id, client: ruleClient, scope: fullScope, name: agent, refresh: true}, untilRevoked)
	if err != nil {
		t.Fatal(err)
	}
	_, body := o.from(outside, http.MethodPost, "/services/oauth2/token", o.agentForm(agentPass+token), formType)
	session := readForm(t, body, "application/json")["access_token"]
	o.put("/sandbox/api/profiles/Standard%20User/login-ranges", `{"ranges":["198.51.100.1 - 198.51.100.99"]}`)
	ways := map[string]string{
		"password":           o.agentForm(agentPass + token),
		"client credentials": values("grant_type", "client_credentials", "client_id", ruleClient, "client_secret", ruleSecret).Encode(),
		"JWT":                o.jwtForm(strings.Replace(o.claims(), ruleUser, agent, 1)).Encode(),
		"refresh token":      values("grant_type", "refresh_token", "client_id", ruleClient, "refresh_token", refresh).Encode(),
	}
	for name, way := range ways {
		if status, out := o.from(outside, http.MethodPost, "/services/oauth2/token", way, formType); status != http.StatusBadRequest || out != `{"error":"invalid_grant","error_description":"ip restricted"}` {
			t.Errorf("%s from outside: %d %s", name, status, out)
		}
		if status, out := o.from(inside, http.MethodPost, "/services/oauth2/token", way, formType); status != http.StatusOK {
			t.Errorf("%s from inside: %d %s", name, status, out)
		}
	}
	envelope := `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><login><username>` + agent + `</username><password>` + escapeXML(agentPass+token) + `</password></login></e:Body></e:Envelope>`
	if status, out := o.from(outside, http.MethodPost, "/services/Soap/c/60.0", envelope, nil); status != http.StatusInternalServerError || !strings.Contains(out, "LOGIN_DURING_RESTRICTED_DOMAIN") {
		t.Errorf("SOAP from outside: %d %s", status, out)
	}
	// The page is for this machine alone: that is outside, too.
	if status, out, _ := o.send(http.MethodPost, "/services/oauth2/authorize", form.Encode(), formType); status != http.StatusUnauthorized || !strings.Contains(out, "login IP ranges") {
		t.Errorf("the page from outside: %d", status)
	}

	limits := func(address string) int {
		status, _ := o.from(address, http.MethodGet, "/services/data/v60.0/limits", "", http.Header{"Authorization": {"Bearer " + session}})
		return status
	}
	if limits(outside) != http.StatusOK {
		t.Error("a session of before is held to the ranges without the switch")
	}
	o.put("/sandbox/api/security", `{"enforce_login_ranges":true}`)
	if limits(outside) != http.StatusUnauthorized || limits(inside) != http.StatusOK {
		t.Error("requests are not held to the ranges")
	}
	for path, want := range map[string]int{"/services/oauth2/userinfo": 403, "/services/scim/v2/Me": 401} {
		if status, _ := o.from(outside, http.MethodGet, path, "", http.Header{"Authorization": {"Bearer " + session}}); status != want {
			t.Errorf("%s from outside: %d", path, status)
		}
	}
	for _, a := range o.Apps() {
		a.RelaxIP = true
		if _, err := o.AddApp(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if status, _ := o.from(outside, http.MethodPost, "/services/oauth2/token", ways["JWT"], formType); status != http.StatusOK || limits(outside) != http.StatusOK {
		t.Error("an app that relaxes the ranges is held to them")
	}
}

func TestParseRange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, in, out string }{
		{"0.0.0.0-255.255.255.255", "203.0.113.9:1", "[2001:db8::1]:1"},
		{"198.51.100.0/25", "198.51.100.127:1", "198.51.100.128:1"},
		{" 198.51.100.5 ", "198.51.100.5", "198.51.100.6"},
		{"198.51.100.5 - 198.51.100.6", "[::ffff:198.51.100.6]:1", "198.51.100.7:1"},
		{"2001:db8::/64", "[2001:db8::ffff]:1", "[2001:db8:0:1::1]:1"},
		{"fe80::1-fe80::9", "[fe80::5%eth0]:1", "198.51.100.5:1"},
	} {
		r, err := parseRange(c.text)
		if err != nil || !within([]addrRange{r}, c.in) || within([]addrRange{r}, c.out) || within([]addrRange{r}, "x") {
			t.Errorf("%q: %v %v", c.text, r, err)
		}
	}
	for _, bad := range []string{"", "x", "198.51.100.6-198.51.100.5", "198.51.100.5-::1", "198.51.100.0/33", "-", "1.2.3.4-"} {
		if r, err := parseRange(bad); err == nil {
			t.Errorf("%q is taken: %v", bad, r)
		}
	}
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"0.0.0.0-255.255.255.255", "10.0.0.0/8", "::/0", "::1", "fe80::1%a-fe80::2", "-", "1.2.3.4-1.2.3.5-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseRange(s)
		if err == nil && (!within([]addrRange{r}, r.from.String()) || !within([]addrRange{r}, r.to.String())) {
			t.Errorf("%q does not hold its own ends: %v", s, r)
		}
	})
}

// mustForm reads an encoded form.
func mustForm(t *testing.T, encoded string) url.Values {
	t.Helper()
	v, err := url.ParseQuery(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

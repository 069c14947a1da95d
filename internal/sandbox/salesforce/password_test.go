package salesforce

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestUserPassword: a password is set and made up by REST, which ends the user's sessions and makes another security token.
func TestUserPassword(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	user := o.idOf("SELECT Id FROM User WHERE Username = '" + agent + "'")
	path := "/sobjects/User/" + user + "/password"
	mail := func(method string) string {
		_, body, _ := o.send(method, "/sandbox/api/users/"+agent+"/security-token", "", nil)
		var sent map[string]string
		if err := json.Unmarshal([]byte(body), &sent); err != nil {
			return ""
		}
		return sent["security_token"]
	}
	if status, body := o.api(http.MethodGet, path, ""); status != http.StatusOK || body != `{"isExpired":false}` || mail(http.MethodGet) != "" {
		t.Errorf("before: %d %s", status, body)
	}
	if status, body := o.api(http.MethodPost, path, `{"NewPassword":"`+agentPass+`"}`); status != http.StatusNoContent {
		t.Fatalf("setting: %d %s", status, body)
	}
	access, _ := o.tokens()
	first := mail(http.MethodGet)
	o.granted(mustForm(t, o.agentForm(agentPass+first)))
	second := mail(http.MethodPost)
	o.refused("the token of before the reset", mustForm(t, o.agentForm(agentPass+first)), "invalid_grant", "authentication failure")
	o.granted(mustForm(t, o.agentForm(agentPass+second)))
	if !o.works(access) {
		t.Error("resetting the security token ends a session")
	}
	status, body := o.api(http.MethodDelete, path, "")
	var made struct{ NewPassword string }
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusOK || len(made.NewPassword) < minPassword {
		t.Fatalf("making one up: %d %s", status, body)
	}
	if o.works(access) {
		t.Error("a session outlives a reset password")
	}
	o.granted(mustForm(t, o.agentForm(made.NewPassword+mail(http.MethodGet))))
	for body, want := range map[string]string{`{"NewPassword":"short"}`: "INVALID_NEW_PASSWORD", `{}`: "INVALID_NEW_PASSWORD", `{`: "JSON_PARSER_ERROR"} {
		if status, out := o.api(http.MethodPost, path, body); status != http.StatusBadRequest || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s", body, status, out)
		}
	}
	for path, want := range map[string]int{"/sobjects/User/" + makeID("005", 99) + "/password": 404, "/sobjects/User/" + o.admin + "/password": 400} {
		if status, out := o.api(http.MethodPost, path, `{"NewPassword":"`+agentPass+`"}`); status != want {
			t.Errorf("%s: %d %s", path, status, out)
		}
	}
	if status, out := o.form("/sandbox/setup/users", values("do", "token", "username", agent)); status != http.StatusOK || !strings.Contains(out, mail(http.MethodGet)) {
		t.Errorf("by the page: %d", status)
	}
}

// TestFrontDoor: an address to the pages is asked for by GET or POST, works once within a minute and leads nowhere else; a code
// of authorize is none, and it is no code.
func TestFrontDoor(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	bearer := http.Header{"Authorization": {"Bearer " + o.token}}
	door := func(method, path, body string, header http.Header) string {
		t.Helper()
		status, out, h := o.send(method, path, body, header)
		var a map[string]string
		if err := json.Unmarshal([]byte(out), &a); err != nil || status != http.StatusOK || h.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s", status, out)
		}
		return strings.TrimPrefix(a["frontdoor_uri"], o.url)
	}
	open := func(path string) (int, string) {
		status, _, h := o.send(http.MethodGet, path, "", nil)
		return status, h.Get("Location")
	}
	const api = "/services/oauth2/singleaccess"
	for _, path := range []string{
		door(http.MethodGet, api+"?redirect_uri=%2Flightning%2Fo%2FCase%2Flist%3Fview%3Dopen", "", bearer),
		door(http.MethodGet, api+"?redirect_uri=lightning/o/Case/list%3Fview%3Dopen&access_token="+url.QueryEscape(o.token), "", nil),
		door(http.MethodPost, api, values("redirect_uri", "/lightning/o/Case/list?view=open", "access_token", o.token).Encode(), formType),
	} {
		if status, to := open(path); status != http.StatusSeeOther || to != "/lightning/o/Case/list?view=open" {
			t.Errorf("%s: %d %s", path, status, to)
		}
		if status, _ := open(path); status != http.StatusForbidden {
			t.Errorf("%s, a second time: %d", path, status)
		}
	}
	late := door(http.MethodGet, api, "", bearer)
	o.at = o.at.Add(time.Minute + time.Second)
	if status, _ := open(late); status != http.StatusForbidden {
		t.Errorf("after a minute: %d", status)
	}
	code := o.allow(signInAsk()).Query().Get("code")
	if status, _ := open("/secur/frontdoor.jsp?otp=" + url.QueryEscape(code)); status != http.StatusForbidden {
		t.Errorf("a code of authorize: %d", status)
	}
	key, _ := url.Parse(door(http.MethodGet, api, "", bearer))
	o.refused("a key of the pages", values("grant_type", "authorization_code", "client_id", ruleClient, "client_secret", ruleSecret, "code", key.Query().Get("otp"), "redirect_uri", "/"),
		"invalid_grant", "expired authorization code")
	for _, c := range []struct {
		sid, to string
		status  int
	}{{o.token, "/lightning/o/Case/list", 303}, {o.token, "", 303}, {"x", "/", 403}, {o.token, "//evil.example", 403}, {o.token, `/\evil.example`, 403}, {o.token, "https://evil.example", 403}} {
		status, to := open("/secur/frontdoor.jsp?" + values("sid", c.sid, "retURL", c.to).Encode())
		if status != c.status || status == http.StatusSeeOther && !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
			t.Errorf("sid to %q: %d %s", c.to, status, to)
		}
	}
	if status, _, h := o.send(http.MethodPost, "/secur/frontdoor.jsp", values("sid", o.token, "retURL", "/sandbox/log").Encode(), formType); status != http.StatusSeeOther || h.Get("Location") != "/sandbox/log" {
		t.Errorf("by POST: %d %s", status, h.Get("Location"))
	}
}

// TestRetiredVersions: 31.0 to 68.0 are listed and answer; 21.0 to 30.0 are gone, each API in its own words.
func TestRetiredVersions(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	_, body, _ := o.send(http.MethodGet, "/services/data", "", nil)
	var list []struct{ Label, URL, Version string }
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) != 38 || list[0].Version != "31.0" || list[37].Version != "68.0" || list[37].Label != "Winter '27" || list[36].Label != "Summer '26" || list[35].Label != "Spring '26" {
		t.Fatalf("%v %s", err, body)
	}
	for _, v := range list {
		if status, out, _ := o.send(http.MethodGet, v.URL, "", http.Header{"Authorization": {"Bearer " + o.token}}); status != http.StatusOK || !strings.Contains(out, v.URL+"/query") {
			t.Errorf("%s: %d %s", v.Version, status, out)
		}
	}
	for _, version := range []string{"21.0", "25.0", "30.0"} {
		if status, out, _ := o.send(http.MethodGet, "/services/data/v"+version+"/limits", "", http.Header{"Authorization": {"Bearer " + o.token}}); status != http.StatusGone {
			t.Errorf("REST %s: %d %s", version, status, out)
		}
		if status, out := soapLogin(o.testOrg, "/services/Soap/u/"+version, ruleUser, rulePass+ruleToken); status != http.StatusInternalServerError || !strings.Contains(out, "UNSUPPORTED_API_VERSION") {
			t.Errorf("SOAP %s: %d %s", version, status, out)
		}
		for kind, want := range map[string]string{"application/xml": "<exceptionCode>InvalidVersion</exceptionCode>", "application/json": `"exceptionCode":"InvalidVersion"`} {
			status, out, _ := o.send(http.MethodPost, "/services/async/"+version+"/job", "", http.Header{"Content-Type": {kind}, "X-SFDC-Session": {o.token}})
			if status != http.StatusBadRequest || !strings.Contains(out, want) {
				t.Errorf("Bulk %s: %d %s", version, status, out)
			}
		}
	}
	for _, path := range []string{"/services/async", "/services/async/60.0/job", "/services/async/x/job"} {
		if status, _, _ := o.send(http.MethodPost, path, "", nil); status != http.StatusBadRequest && status != http.StatusNotFound {
			t.Errorf("%s without a session: %d", path, status)
		}
	}
}

// TestOAuthFaults: errors of sign-in that the org has no reason for itself are had by a fault rule.
func TestOAuthFaults(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	for code, words := range map[string]string{"inactive_org": "organization is locked, closed, or suspended", "rate_limit_exceeded": "number of login requests exceeded"} {
		rule := `{"kind":"status","match":"/services/oauth2/token","status":400,"code":"` + code + `","count":1}`
		if status, out, _ := o.send(http.MethodPost, "/sandbox/api/faults", rule, nil); status != http.StatusCreated {
			t.Fatalf("%d %s", status, out)
		}
		o.refused(code, o.passwordForm(), code, words)
		o.granted(o.passwordForm())
	}
}

package salesforce

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestCLIApp signs in as the Salesforce CLI does in a browser: by an app that every org has, which has no secret.
func TestCLIApp(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	c := o.Credentials()
	verifier := "a-verifier-of-more-than-forty-three-characters"
	sum := sha256.Sum256([]byte(verifier))
	back := "http://localhost:1717/OauthRedirect"
	form := url.Values{
		"response_type": {"code"}, "client_id": {"PlatformCLI"}, "redirect_uri": {back}, "scope": {"refresh_token api web"}, "prompt": {"login"},
		"state": {"s"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "username": {c.Username}, "password": {c.Password},
		"answer": {"allow"},
	}
	status, body, header := o.send(http.MethodPost, "/services/oauth2/authorize", form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	to, err := url.Parse(header.Get("Location"))
	if err != nil || status != http.StatusFound || to.Query().Get("code") == "" || to.Query().Get("state") != "s" {
		t.Fatalf("allowing: %d %q %.300s", status, header.Get("Location"), body)
	}
	exchange := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"PlatformCLI"}, "client_secret": {""}, "redirect_uri": {back},
		"code": {to.Query().Get("code")}, "code_verifier": {verifier},
	}
	status, body = o.form("/services/oauth2/token", exchange)
	var got struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK || got.Refresh == "" {
		t.Fatalf("exchanging the code: %d %s", status, body)
	}
	status, body = o.form("/services/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"PlatformCLI"}, "refresh_token": {got.Refresh}})
	if status != http.StatusOK {
		t.Errorf("refreshing: %d %s", status, body)
	}
	status, body = o.form("/services/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"PlatformCLI"}, "client_secret": {""}})
	if status != http.StatusBadRequest {
		t.Errorf("client credentials without a secret: %d %s", status, body)
	}
}

// TestRealtimeAlert publishes what a contact centre's alarms are told by, a platform event every org of service has.
func TestRealtimeAlert(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = 5 * time.Second
	s := o.stream()
	s.join("/event/RealtimeAlertEvent", replayNew)
	alert := `{"Name":"queue","Description":"too long","Source":"alarms","Severity":"Informational","Payload":"{}","EventDateTime":"2026-11-18T15:00:00.000Z"}`
	status, out := o.api(http.MethodPost, "/sobjects/realtimealertevent", alert)
	if status != http.StatusCreated || !strings.Contains(out, `"OPERATION_ENQUEUED"`) || !strings.Contains(out, `"success":true`) {
		t.Fatalf("publishing: %d %s", status, out)
	}
	p, _ := s.events(1)[0]["payload"].(map[string]any)
	if p["Name"] != "queue" || p["Severity"] != "Informational" || p["EventDateTime"] == nil || p["Payload"] != "{}" {
		t.Errorf("event: %v", p)
	}
	if status, out := o.api(http.MethodPost, "/sobjects/RealtimeAlertEvent", `{"Name":"queue"}`); status != http.StatusBadRequest || !strings.Contains(out, "REQUIRED_FIELD_MISSING") {
		t.Errorf("without its severity: %d %s", status, out)
	}
	if status, out := o.api(http.MethodGet, "/sobjects/RealtimeAlertEvent/describe", ""); status != http.StatusOK || !strings.Contains(out, `"custom":false`) {
		t.Errorf("describe: %d %.200s", status, out)
	}
}

// TestLocaleKeys are what clients hand on when they make a user like another.
func TestLocaleKeys(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedSmall})
	for query, want := range map[string]string{
		"SELECT LanguageLocaleKey, LocaleSidKey, EmailEncodingKey FROM User LIMIT 1": `{"LanguageLocaleKey":"en_US","LocaleSidKey":"en_US","EmailEncodingKey":"UTF-8"}`,
		"SELECT LanguageLocaleKey, DefaultLocaleSidKey FROM Organization":            `{"LanguageLocaleKey":"en_US","DefaultLocaleSidKey":"en_US"}`,
		"SELECT Language FROM ServicePresenceStatus LIMIT 1":                         `{"Language":"en_US"}`,
		"SELECT Type FROM Account WHERE Type != null ORDER BY Id LIMIT 1":            `{"Type":"Customer - Direct"}`,
	} {
		if _, out := o.soql(query); !strings.Contains(strip(t, out), want) {
			t.Errorf("%s: %s", query, out)
		}
	}
}

// TestObjectsInOrder is how clients print the list of objects: they leave it as the org sends it.
func TestObjectsInOrder(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	_, out := o.api(http.MethodGet, "/sobjects", "")
	var all struct{ Sobjects []struct{ Name string } }
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all.Sobjects) < 10 {
		t.Fatalf("%v %.200s", err, out)
	}
	for i := 1; i < len(all.Sobjects); i++ {
		if all.Sobjects[i-1].Name >= all.Sobjects[i].Name {
			t.Errorf("%s is before %s", all.Sobjects[i-1].Name, all.Sobjects[i].Name)
		}
	}
}

// TestSingleAccessPaths opens pages as the CLI names them, with and without the first slash, and none of another place.
func TestSingleAccessPaths(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for target, want := range map[string]string{
		"lightning/o/Account/list": "/lightning/o/Account/list", "/lightning/o/Account/list?a=b:c": "/lightning/o/Account/list?a=b:c", "": "/",
		"//elsewhere.example": "", "https://elsewhere.example/": "", "javascript:alert(1)": "", `\\elsewhere.example`: "", `/\elsewhere.example`: "",
	} {
		form := url.Values{"access_token": {o.token}, "redirect_uri": {target}}
		status, body := o.form("/services/oauth2/singleaccess", form)
		if want == "" {
			if status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", target, status, body)
			}
			continue
		}
		var answer struct {
			Address string `json:"frontdoor_uri"`
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
			t.Errorf("%s: %d %s", target, status, body)
			continue
		}
		_, _, header := o.send(http.MethodGet, strings.TrimPrefix(answer.Address, o.url), "", nil)
		if got := header.Get("Location"); got != want {
			t.Errorf("%s leads to %q", target, got)
		}
	}
}

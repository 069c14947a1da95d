package salesforce

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestPermittedUsers: an app whose users approve it themselves, and one whose users an administrator approves, in each flow.
func TestPermittedUsers(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	own := func(change func(a *App)) {
		t.Helper()
		for _, a := range o.Apps() {
			if a.ClientID == ruleClient {
				change(&a)
				if _, err := o.AddApp(t.Context(), a); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	own(func(a *App) { a.PermittedUsers = PermitSelf })
	o.refused("JWT before anybody approved", o.jwtForm(o.claims()), "invalid_grant", "user hasn't approved this consumer")
	approval := o.granted(o.codeForm(signInAsk()))
	o.granted(o.jwtForm(o.claims()))
	if status, _ := o.form("/services/oauth2/revoke", values("token", str(approval["refresh_token"]))); status != http.StatusOK {
		t.Fatal(status)
	}
	o.refused("JWT after the approval was revoked", o.jwtForm(o.claims()), "invalid_grant", "user hasn't approved this consumer")

	before := o.codeForm(signInAsk())
	refresh := values("grant_type", "refresh_token", "client_id", ruleClient, "refresh_token", str(o.granted(o.codeForm(signInAsk()))["refresh_token"]))
	own(func(a *App) { a.PermittedUsers, a.Profiles = PermitAdmin, []string{"Standard User"} })
	const code, words = "invalid_app_access", "user is not admin approved to access this app"
	o.refused("JWT", o.jwtForm(o.claims()), code, words)
	o.refused("password", o.passwordForm(), code, words)
	o.refused("a code of before", before, code, words)
	o.refused("a refresh token of before", refresh, code, words)
	if to := o.allow(signInAsk()); to.Query().Get("error") != code || to.Query().Get("error_description") != words || to.Query().Get("state") != "s 1" {
		t.Errorf("on the page: %s", to)
	}
	own(func(a *App) { a.Profiles = []string{"system administrator"} })
	o.granted(o.jwtForm(o.claims()))
	o.granted(refresh)
	own(func(a *App) { a.Profiles, a.PermissionSets = nil, []string{"Dialler"} })
	o.refused("without the permission set", o.jwtForm(o.claims()), code, words)
	if err := o.SetPermissionSet(t.Context(), "Dialler", &Permissions{Users: []string{ruleUser}}); err != nil {
		t.Fatal(err)
	}
	o.granted(o.jwtForm(o.claims()))
}

// TestAppPolicies: scopes, secrets, and how long a refresh token lives.
func TestAppPolicies(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	add := func(a App) {
		t.Helper()
		a.ClientID, a.ClientSecret, a.Username, a.PublicKeys = "app", "s", ruleUser, []string{publicPEM(t, testKey())}
		if _, err := o.AddApp(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	request := signInAsk("client_id", "app")
	exchange := func(pairs ...string) map[string]any {
		status, answer, _ := o.post(o.codeForm(request, append([]string{"client_id", "app"}, pairs...)...))
		answer["status"] = status
		return answer
	}
	refresh := func(a map[string]any, pairs ...string) map[string]any {
		form := values(append([]string{"grant_type", "refresh_token", "client_id", "app", "refresh_token", str(a["refresh_token"])}, pairs...)...)
		status, answer, _ := o.post(form)
		answer["status"] = status
		return answer
	}
	add(App{Scopes: []string{"api", "refresh_token", "web"}})
	if a := exchange(); a["scope"] != "api refresh_token web" {
		t.Errorf("scopes of the app: %v", a)
	}
	for grant, form := range map[string]map[string]any{
		"client credentials": o.granted(values("grant_type", "client_credentials", "client_id", "app", "client_secret", "s")),
		"JWT":                o.granted(o.jwtForm(strings.Replace(o.claims(), ruleClient, "app", 1))),
	} {
		if form["scope"] != "api web" {
			t.Errorf("%s: scopes %v", grant, form["scope"])
		}
	}
	add(App{RequireSecretWeb: true, RequireSecretRefresh: true})
	if a := exchange(); a["error"] != "invalid_client" {
		t.Errorf("a code without the secret: %v", a)
	}
	a := exchange("client_secret", "s")
	if b := refresh(a); b["error"] != "invalid_client" {
		t.Errorf("a refresh token without the secret: %v", b)
	}
	if b := refresh(a, "client_secret", "s"); b["status"] != http.StatusOK {
		t.Errorf("a refresh token with the secret: %v", b)
	}
	add(App{RefreshTokenPolicy: RefreshImmediately})
	if b := refresh(exchange()); b["error_description"] != "expired access/refresh token" {
		t.Errorf("expired at once: %v", b)
	}
	add(App{RefreshTokenPolicy: RefreshAfter, RefreshTokenHours: 10, RotateRefreshTokens: true})
	a = exchange()
	o.at = o.at.Add(9 * time.Hour)
	if a = refresh(a); a["status"] != http.StatusOK || a["refresh_token"] == nil {
		t.Fatalf("within the hours: %v", a)
	}
	o.at = o.at.Add(time.Hour)
	if b := refresh(a); b["error"] != "invalid_grant" {
		t.Errorf("a successor outlives the hours: %v", b)
	}
	add(App{RefreshTokenPolicy: RefreshUnused, RefreshTokenHours: 10})
	a = exchange()
	for range 3 {
		o.at = o.at.Add(9 * time.Hour)
		if b := refresh(a); b["status"] != http.StatusOK {
			t.Errorf("used in time: %v", b)
		}
	}
	o.at = o.at.Add(10 * time.Hour)
	if b := refresh(a); b["error"] != "invalid_grant" {
		t.Errorf("not used for long: %v", b)
	}
	for name, bad := range map[string]App{
		"users": {PermittedUsers: "x"}, "policy": {RefreshTokenPolicy: "x"}, "hours": {RefreshTokenPolicy: RefreshAfter}, "scope": {Scopes: []string{"x"}},
	} {
		if _, err := o.AddApp(t.Context(), bad); err == nil {
			t.Errorf("a wrong %s is taken", name)
		}
	}
}

// TestFlowsClosed: each flow that is closed says so in its own way.
func TestFlowsClosed(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	a := o.granted(o.codeForm(signInAsk()))
	code := o.codeForm(signInAsk())
	for _, f := range Flows() {
		if err := o.SetFlow(t.Context(), f, false); err != nil {
			t.Fatal(err)
		}
	}
	const unsupported, words = "unsupported_grant_type", "grant type not supported"
	o.refused("password", o.passwordForm(), "invalid_grant", "authentication failure")
	o.refused("client credentials", values("grant_type", "client_credentials", "client_id", ruleClient, "client_secret", ruleSecret), "invalid_grant", "no client credentials user enabled")
	o.refused("refresh token", values("grant_type", "refresh_token", "client_id", ruleClient, "refresh_token", str(a["refresh_token"])), unsupported, words)
	o.refused("code", code, unsupported, words)
	o.refused("JWT", o.jwtForm(o.claims()), unsupported, words)
	o.refused("exchange", values("grant_type", grantExchange, "client_id", ruleClient, "client_secret", ruleSecret), unsupported, words)
	o.refused("device", values("grant_type", "device", "client_id", ruleClient), unsupported, words)
	o.refused("device, begun", values("response_type", "device_code", "client_id", ruleClient), "invalid_request", "device flow is blocked in this org")
	_, _, h := o.send(http.MethodGet, "/services/oauth2/authorize?"+signInAsk().Encode(), "", nil)
	if !strings.Contains(h.Get("Location"), "error=unsupported_response_type") {
		t.Errorf("authorize: %s", h.Get("Location"))
	}
	if status, body := soapLogin(o.testOrg, "/services/Soap/u/50.0", ruleUser, rulePass+ruleToken); status != http.StatusInternalServerError || !strings.Contains(body, "INVALID_OPERATION") {
		t.Errorf("SOAP: %d %s", status, body)
	}
}

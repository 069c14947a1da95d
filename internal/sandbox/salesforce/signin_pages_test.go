package salesforce

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestAuthorizeRequests: what is wrong with the app or its address is shown to the person, and all else goes to that address,
// before anybody signs in.
func TestAuthorizeRequests(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	_, err := o.AddApp(t.Context(), App{
		ClientID: "strict", ClientSecret: "s", CallbackURLs: []string{ruleBack + "?a=b"}, Scopes: []string{"api", "web", "refresh_token"}, RequirePKCE: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	strict := func(pairs ...string) url.Values {
		return signInAsk(append([]string{"client_id", "strict", "redirect_uri", ruleBack + "?a=b"}, pairs...)...)
	}
	for _, c := range []struct {
		name    string
		request url.Values
		status  int
		code    string // of the error: in the page, or in the address
		words   string
	}{
		{"a good one", signInAsk(), http.StatusOK, "", ""},
		{"a good one with all parameters", signInAsk("scope", "api  refresh_token openid", "display", "popup", "prompt", "login consent", "nonce", "n", "code_challenge_method", "S256"), http.StatusOK, "", ""},
		{"the strict app", strict("scope", "api offline_access id"), http.StatusOK, "", ""},
		{"an unknown app", signInAsk("client_id", "x"), http.StatusBadRequest, "invalid_client_id", ""},
		{"no app", signInAsk("client_id", ""), http.StatusBadRequest, "invalid_client_id", ""},
		{"no address", signInAsk("redirect_uri", ""), http.StatusBadRequest, "redirect_uri_missing", ""},
		{"an address the app has not", strict("redirect_uri", ruleBack), http.StatusBadRequest, "redirect_uri_mismatch", ""},
		{"an address below the app's", strict("redirect_uri", ruleBack+"/x?a=b"), http.StatusBadRequest, "redirect_uri_mismatch", ""},
		{"an address with a fragment", signInAsk("redirect_uri", ruleBack+"#x"), http.StatusBadRequest, "redirect_uri_mismatch", ""},
		{"a script as address", signInAsk("redirect_uri", "javascript:alert(1)"), http.StatusBadRequest, "redirect_uri_mismatch", ""},
		{"no response type", signInAsk("response_type", ""), http.StatusFound, "unsupported_response_type", "response type not supported"},
		{"a hybrid response type", signInAsk("response_type", "hybrid_token"), http.StatusFound, "unsupported_response_type", "response type not supported"},
		{"the user-agent flow, closed", signInAsk("response_type", "token"), http.StatusFound, "unsupported_response_type", "response type not supported"},
		{"plain PKCE", signInAsk("code_challenge_method", "plain"), http.StatusFound, "invalid_request", "code_challenge_method must be S256"},
		{"no PKCE", strict("code_challenge", ""), http.StatusFound, "invalid_request", "missing required code challenge"},
		{"an unknown scope", signInAsk("scope", "api telepathy"), http.StatusFound, "invalid_scope", "the requested scope is not allowed"},
		{"a scope the app has not", strict("scope", "api full"), http.StatusFound, "invalid_scope", "the requested scope is not allowed"},
		{"without a page", signInAsk("immediate", "true"), http.StatusFound, "immediate_unsuccessful", "the user is not signed in or has not approved the application"},
		{"prompt=none", signInAsk("prompt", "none"), http.StatusFound, "immediate_unsuccessful", "the user is not signed in or has not approved the application"},
	} {
		status, body, h := o.send(http.MethodGet, "/services/oauth2/authorize?"+c.request.Encode(), "", nil)
		if status != c.status || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s", c.name, status, h.Get("Location"))
			continue
		}
		if status != http.StatusFound {
			if h.Get("Location") != "" || !strings.Contains(body, c.code) {
				t.Errorf("%s: goes to %q, page without %s", c.name, h.Get("Location"), c.code)
			}
			continue
		}
		to, err := url.Parse(h.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		said := to.Query()
		if c.request.Get("response_type") == "token" {
			said, _ = url.ParseQuery(to.EscapedFragment())
		}
		if to.Host != "app.example" || said.Get("error") != c.code || said.Get("error_description") != c.words || said.Get("state") != "s 1" {
			t.Errorf("%s: %s", c.name, to)
		}
	}
	if status, _, _ := o.send(http.MethodDelete, "/services/oauth2/authorize?"+signInAsk().Encode(), "", nil); status != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %d", status)
	}
}

// TestAuthorizePage: the page says who asks for what, knows the user the app names, keeps it over a wrong password, and sends
// the browser back with a code or with the person's refusal.
func TestAuthorizePage(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	post := func(pairs ...string) (int, string, string) {
		form := signInAsk("scope", "api id")
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		status, body, h := o.send(http.MethodPost, "/services/oauth2/authorize", form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
		return status, body, h.Get("Location")
	}
	status, page, h := o.send(http.MethodGet, "/services/oauth2/authorize?"+signInAsk("scope", "api id", "login_hint", `"ada"@x.example`).Encode(), "", nil)
	for _, want := range []string{"Sandbox App", "<code>api id</code>", ruleBack, `value="&#34;ada&#34;@x.example"`, `name="login_hint"`} {
		if status != http.StatusOK || !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://app.example") {
		t.Errorf("policy %s", csp)
	}
	if status, page, to := post("answer", "allow", "username", ruleUser, "password", "wrong"); status != http.StatusUnauthorized || to != "" ||
		!strings.Contains(page, "The username or password is wrong") || !strings.Contains(page, `value="`+ruleUser+`"`) || strings.Contains(page, `"wrong"`) {
		t.Errorf("a wrong password: %d %s", status, to)
	}
	if status, _, to := post("answer", "allow", "username", ruleUser, "password", rulePass+ruleToken); status != http.StatusUnauthorized || to != "" {
		t.Errorf("the security token on a page: %d %s", status, to)
	}
	if _, _, to := post("answer", "deny"); to != ruleBack+"?error=access_denied&error_description=end-user+denied+authorization&state=s+1" {
		t.Errorf("denied: %s", to)
	}
	status, _, to := post("answer", "allow", "username", ruleUser, "password", rulePass)
	if status != http.StatusFound || !strings.HasPrefix(to, ruleBack+"?code=aPrx") || !strings.HasSuffix(to, "%3D%3D&state=s+1") {
		t.Errorf("allowed: %d %s", status, to)
	}
}

// TestUserAgentFlow: the token itself comes back in the fragment, once an administrator opened the flow.
func TestUserAgentFlow(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	if err := o.SetFlow(t.Context(), FlowUserAgent, true); err != nil {
		t.Fatal(err)
	}
	to := o.allow(signInAsk("response_type", "token", "code_challenge", "", "scope", "api refresh_token"))
	said, err := url.ParseQuery(to.EscapedFragment())
	if err != nil || to.RawQuery != "" {
		t.Fatalf("%s: %v", to, err)
	}
	for _, name := range []string{"access_token", "refresh_token", "instance_url", "id", "issued_at", "signature", "scope", "token_type", "state"} {
		if said.Get(name) == "" {
			t.Errorf("no %s in %v", name, said)
		}
	}
	answer := map[string]any{}
	for k := range said {
		answer[k] = said.Get(k)
	}
	checkGrant(t, o, answer)
}

// TestIdentityService: by header or parameter, by GET or POST, in JSON, XML or pairs; refusals in the service's own words.
func TestIdentityService(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	bearer := http.Header{"Authorization": {"Bearer " + o.token}}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	own := "/id/" + orgID + "/" + o.admin
	for _, c := range []struct {
		name, method, path, body string
		header                   http.Header
		status                   int
		has                      []string
	}{
		{"userinfo", "GET", "/services/oauth2/userinfo", "", bearer, 200, []string{
			`"user_id":"` + o.admin, `"organization_id":"` + orgID, `"preferred_username":"` + ruleUser, `"sub":"` + o.url + own, `"active":true`, `"user_type":"STANDARD"`, "{version}",
		}},
		{"userinfo by POST", "POST", "/services/oauth2/userinfo", "access_token=" + url.QueryEscape(o.token), form, 200, []string{`"user_id"`}},
		{"userinfo in XML", "GET", "/services/oauth2/userinfo?format=xml", "", bearer, 200, []string{"<user ", "<preferred_username>" + ruleUser + "</preferred_username>", "<address></address>"}},
		{"identity", "GET", own, "", bearer, 200, []string{`"username":"` + ruleUser, `"asserted_user":true`, `"urls":{`}},
		{"identity by parameter", "GET", own + "?format=json&oauth_token=" + url.QueryEscape(o.token), "", nil, 200, []string{`"user_id"`}},
		{"identity of a version", "GET", own + "?version=60.0", "", bearer, 200, []string{"/services/data/v60.0/query/"}},
		{"identity of the latest version", "GET", own + "?version=latest", "", bearer, 200, []string{"/services/data/v68.0/query/"}},
		{"identity in XML", "GET", own + "?format=xml", "", bearer, 200, []string{"<username>" + ruleUser + "</username>", `<addr_city xsi:nil="true"/>`, "<active>true</active>"}},
		{"identity in pairs", "GET", own, "", http.Header{"Authorization": bearer["Authorization"], "Accept": {"application/x-www-form-urlencoded"}}, 200, []string{"username=" + url.QueryEscape(ruleUser), "urls.rest="}},
		{"identity of 15 characters", "GET", "/id/" + orgID[:15] + "/" + o.admin[:15], "", bearer, 200, []string{`"user_id"`}},
		{"no token", "GET", own, "", nil, 403, []string{"Missing_OAuth_Token"}},
		{"a wrong token", "GET", "/services/oauth2/userinfo", "", http.Header{"Authorization": {"Bearer x"}}, 403, []string{"Bad_OAuth_Token"}},
		{"another org", "GET", "/id/00D000000000009EAA/" + o.admin, "", bearer, 403, []string{"Wrong_Org"}},
		{"nobody", "GET", "/id/" + orgID + "/" + makeID("005", 99), "", bearer, 403, []string{"Bad_Id"}},
		{"no id", "GET", "/id/" + orgID + "/x", "", bearer, 403, []string{"Bad_Id"}},
		{"DELETE", "DELETE", own, "", bearer, 405, []string{"METHOD_NOT_ALLOWED"}},
	} {
		status, body, _ := o.send(c.method, c.path, c.body, c.header)
		if status != c.status {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
		for _, want := range c.has {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %s in %s", c.name, want, body)
			}
		}
	}
}

// TestIntrospection: an app learns of its own tokens, by a secret in the form or by Basic; others' are not active to it.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	if _, err := o.AddApp(t.Context(), App{ClientID: "other", ClientSecret: "s"}); err != nil {
		t.Fatal(err)
	}
	a := o.granted(o.codeForm(signInAsk()))
	inspect := func(token any, client, secret string) (int, string) {
		return o.form("/services/oauth2/introspect", values("token", str(token), "client_id", client, "client_secret", secret))
	}
	for kind, token := range map[string]any{"access_token": a["access_token"], "refresh_token": a["refresh_token"]} {
		status, body := inspect(token, ruleClient, ruleSecret)
		for _, want := range []string{`"active":true`, `"token_type":"` + kind, `"client_id":"` + ruleClient, `"username":"` + ruleUser, `"scope":"`, `"sub":"` + o.url + "/id/", `"exp":`, `"iat":`, `"nbf":`} {
			if status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s: %d, no %s in %s", kind, status, want, body)
			}
		}
		if status, body := inspect(token, "other", "s"); status != http.StatusOK || body != `{"active":false}` {
			t.Errorf("another app's %s: %d %s", kind, status, body)
		}
	}
	o.send(http.MethodPost, "/services/oauth2/revoke?token="+url.QueryEscape(str(a["access_token"])), "", nil)
	if _, body := inspect(a["access_token"], ruleClient, ruleSecret); body != `{"active":false}` {
		t.Errorf("a revoked token: %s", body)
	}
	if status, body := inspect(a["refresh_token"], ruleClient, "x"); status != http.StatusBadRequest || !strings.Contains(body, `"invalid_client"`) {
		t.Errorf("a wrong secret: %d %s", status, body)
	}
	if status, body := inspect(a["refresh_token"], "x", "x"); status != http.StatusBadRequest || !strings.Contains(body, `"invalid_client_id"`) {
		t.Errorf("an unknown app: %d %s", status, body)
	}
}

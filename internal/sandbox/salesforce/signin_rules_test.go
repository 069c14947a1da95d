package salesforce

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The rules of signing in, one row or sub-test each: what each grant sends and is answered, and each error's code and words.

const (
	ruleClient = "3MVG9rules"
	ruleSecret = "RULESECRET"
	ruleUser   = "rules@sandbox.example"
	rulePass   = "rules pass&word"
	ruleToken  = "TOKENtokenTOKEN"
	ruleBack   = "https://app.example/cb"
)

// ruled is an org whose clock a test moves, and whose own app it knows by heart.
type ruled struct {
	*testOrg
	at time.Time
}

func startRuled(t *testing.T) *ruled {
	t.Helper()
	r := &ruled{at: fixedNow()}
	r.testOrg = start(t, Options{
		Seed: SeedNone, Now: func() time.Time { return r.at }, PublicKeys: []string{certificatePEM(t, testKey())},
		Credentials: Credentials{ClientID: ruleClient, ClientSecret: ruleSecret, Username: ruleUser, Password: rulePass, SecurityToken: ruleToken},
	})
	return r
}

// values makes a form of pairs.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func (o *ruled) passwordForm() url.Values {
	return values("grant_type", "password", "client_id", ruleClient, "client_secret", ruleSecret, "username", ruleUser, "password", rulePass+ruleToken)
}

// post sends a form to the token endpoint, and reads the answer as JSON.
func (o *ruled) post(form url.Values, header ...string) (status int, answer map[string]any, h http.Header) {
	o.t.Helper()
	sent := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for i := 0; i+1 < len(header); i += 2 {
		sent.Set(header[i], header[i+1])
	}
	status, body, h := o.send(http.MethodPost, "/services/oauth2/token", form.Encode(), sent)
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		o.t.Fatalf("%d %s: %v", status, body, err)
	}
	return status, answer, h
}

// granted is post for a grant that must succeed.
func (o *ruled) granted(form url.Values) map[string]any {
	o.t.Helper()
	status, answer, _ := o.post(form)
	if status != http.StatusOK {
		o.t.Fatalf("%s: %d %v", form.Get("grant_type"), status, answer)
	}
	return answer
}

// refused checks that a grant is refused in these words.
func (o *ruled) refused(name string, form url.Values, code, description string) {
	o.t.Helper()
	status, answer, h := o.post(form)
	want := map[string]any{"error": code, "error_description": description}
	if status != http.StatusBadRequest || !maps.Equal(answer, want) || h.Get("Cache-Control") != "no-store" {
		o.t.Errorf("%s: %d %v (Cache-Control %q), want %v", name, status, answer, h.Get("Cache-Control"), want)
	}
}

const ruleVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// signInAsk is an authorization request with PKCE, changed by pairs; an empty value takes a parameter out.
func signInAsk(pairs ...string) url.Values {
	v := values("response_type", "code", "client_id", ruleClient, "redirect_uri", ruleBack, "state", "s 1", "code_challenge", challengeOf(ruleVerifier))
	for i := 0; i+1 < len(pairs); i += 2 {
		if v.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return v
}

// allow carries out the form of the authorize page, and returns where the browser is sent.
func (o *ruled) allow(request url.Values) *url.URL {
	o.t.Helper()
	form := values("answer", "allow", "username", ruleUser, "password", rulePass)
	maps.Copy(form, request)
	status, body, h := o.send(http.MethodPost, "/services/oauth2/authorize", form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	to, err := url.Parse(h.Get("Location"))
	if status != http.StatusFound || err != nil {
		o.t.Fatalf("allowing: %d %s", status, body)
	}
	return to
}

// codeForm exchanges the code of a request that is allowed.
func (o *ruled) codeForm(request url.Values, pairs ...string) url.Values {
	o.t.Helper()
	v := values("grant_type", "authorization_code", "client_id", ruleClient, "redirect_uri", ruleBack, "code_verifier", ruleVerifier,
		"code", o.allow(request).Query().Get("code"))
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func (o *ruled) jwtForm(claims string) url.Values {
	return values("grant_type", grantJWT, "assertion", signJWT(o.t, testKey(), rs256, claims))
}

func (o *ruled) claims() string {
	return fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":"https://login.salesforce.com","exp":%d}`, ruleClient, ruleUser, o.at.Unix()+60)
}

// TestGrantAnswers: each grant's fields, no more and no fewer, and what is in them.
func TestGrantAnswers(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	if err := o.SetFlow(t.Context(), FlowDevice, true); err != nil {
		t.Fatal(err)
	}
	common := []string{"access_token", "id", "instance_url", "issued_at", "signature", "token_type"}
	refresh := o.granted(o.codeForm(signInAsk()))["refresh_token"]
	started := o.granted(values("response_type", "device_code", "client_id", ruleClient, "scope", "api"))
	user, err := o.userByName(t.Context(), ruleUser)
	if err != nil || !o.devices.answer(str(started["user_code"]), user) {
		t.Fatalf("letting the device in: %v", err)
	}
	for _, g := range []struct {
		name  string
		form  url.Values
		more  []string // besides the common ones
		fewer []string
	}{
		{name: "password", form: o.passwordForm()},
		{name: "client credentials", form: values("grant_type", "client_credentials", "client_id", ruleClient, "client_secret", ruleSecret), more: []string{"api_instance_url", "scope"}},
		{name: "refresh token", form: values("grant_type", "refresh_token", "client_id", ruleClient, "client_secret", ruleSecret, "refresh_token", str(refresh)), more: []string{"scope"}},
		{name: "code with PKCE", form: o.codeForm(signInAsk()), more: []string{"refresh_token", "scope"}},
		{name: "code with a secret", form: o.codeForm(signInAsk("code_challenge", ""), "client_secret", ruleSecret, "code_verifier", ""), more: []string{"refresh_token", "scope"}},
		{name: "code for openid", form: o.codeForm(signInAsk("scope", "openid offline_access", "nonce", "n")), more: []string{"id_token", "refresh_token", "scope"}},
		{name: "code without refresh_token", form: o.codeForm(signInAsk("scope", "api")), more: []string{"scope"}},
		{name: "JWT bearer", form: o.jwtForm(o.claims()), more: []string{"scope"}, fewer: []string{"issued_at", "signature"}},
		{name: "device", form: values("grant_type", "device", "client_id", ruleClient, "code", str(started["device_code"])), more: []string{"scope"}},
		{name: "token exchange", form: values("grant_type", grantExchange, "client_id", ruleClient, "client_secret", ruleSecret, "subject_token", o.token,
			"subject_token_type", tokenTypes+"access_token"), more: []string{"issued_token_type", "scope"}},
	} {
		t.Run(g.name, func(t *testing.T) { //nolint:paralleltest // one org
			status, answer, h := o.post(g.form)
			want := slices.DeleteFunc(slices.Concat(common, g.more), func(k string) bool { return slices.Contains(g.fewer, k) })
			slices.Sort(want)
			if got := slices.Sorted(maps.Keys(answer)); status != http.StatusOK || !slices.Equal(got, want) {
				t.Fatalf("%d %v, want %v", status, answer, want)
			}
			if h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json;charset=UTF-8" {
				t.Errorf("headers %v", h)
			}
			checkGrant(t, o, answer)
		})
	}
}

func checkGrant(t *testing.T, o *ruled, answer map[string]any) {
	t.Helper()
	token, id := str(answer["access_token"]), str(answer["id"])
	if !regexp.MustCompile(`^(00D\w{12,15})![.\w]*$`).MatchString(token) || !strings.HasPrefix(token, orgID[:15]+"!") {
		t.Errorf("access_token %q", token)
	}
	if answer["instance_url"] != o.url || answer["token_type"] != "Bearer" || id != o.url+"/id/"+orgID+"/"+o.admin {
		t.Errorf("instance_url %v, token_type %v, id %q", answer["instance_url"], answer["token_type"], id)
	}
	if issued, has := answer["issued_at"]; has {
		mac := hmac.New(sha256.New, []byte(ruleSecret))
		mac.Write([]byte(id + str(issued)))
		if issued != strconv.FormatInt(o.at.UnixMilli(), 10) || answer["signature"] != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			t.Errorf("issued_at %v, signature %v", issued, answer["signature"])
		}
	}
	if refresh, has := answer["refresh_token"]; has && !strings.HasPrefix(str(refresh), "5Aep") {
		t.Errorf("refresh_token %v", refresh)
	}
	if status, _, _ := o.send(http.MethodGet, "/services/data/v60.0/limits", "", http.Header{"Authorization": {"Bearer " + token}}); status != http.StatusOK {
		t.Errorf("the token does not work: %d", status)
	}
}

// TestSignatureIsOfTheApp: each app's answers are signed with its own secret.
func TestSignatureIsOfTheApp(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	if _, err := o.AddApp(t.Context(), App{ClientID: "other", ClientSecret: "other secret", Username: ruleUser}); err != nil {
		t.Fatal(err)
	}
	answer := o.granted(values("grant_type", "client_credentials", "client_id", "other", "client_secret", "other secret"))
	mac := hmac.New(sha256.New, []byte("other secret"))
	mac.Write([]byte(str(answer["id"]) + str(answer["issued_at"])))
	if answer["signature"] != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		t.Errorf("signature %v", answer["signature"])
	}
}

// TestGrantErrors: each refusal has its code and its words, status 400, and may not be kept.
func TestGrantErrors(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	with := func(form url.Values, pairs ...string) url.Values {
		for i := 0; i+1 < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return form
	}
	app := func(grant string, pairs ...string) url.Values {
		return with(values("grant_type", grant, "client_id", ruleClient, "client_secret", ruleSecret), pairs...)
	}
	claims := func(format string, args ...any) url.Values { return o.jwtForm(fmt.Sprintf(format, args...)) }
	const aud = "https://login.salesforce.com"
	later := o.at.Unix() + 60
	if _, err := o.AddApp(t.Context(), App{ClientID: "nobody", ClientSecret: "s"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name              string
		form              url.Values
		code, description string
	}{
		{"no grant type", app(""), "unsupported_grant_type", "grant type not supported"},
		{"an unknown grant type", app("implicit"), "unsupported_grant_type", "grant type not supported"},
		{"no client", with(o.passwordForm(), "client_id", ""), "invalid_client_id", "client identifier invalid"},
		{"an unknown client", with(o.passwordForm(), "client_id", "x"), "invalid_client_id", "client identifier invalid"},
		{"no secret", with(o.passwordForm(), "client_secret", ""), "invalid_client", "invalid client credentials"},
		{"a wrong secret", with(o.passwordForm(), "client_secret", "x"), "invalid_client", "invalid client credentials"},
		{"a wrong password", with(o.passwordForm(), "password", "x"), "invalid_grant", "authentication failure"},
		{"no security token", with(o.passwordForm(), "password", rulePass), "invalid_grant", "authentication failure"},
		{"an unknown user", with(o.passwordForm(), "username", "x@x.example"), "invalid_grant", "authentication failure"},
		{"client credentials without a user", values("grant_type", "client_credentials", "client_id", "nobody", "client_secret", "s"), "invalid_grant", "no client credentials user enabled"},
		{"client credentials without a secret", values("grant_type", "client_credentials", "client_id", ruleClient), "invalid_client", "invalid client credentials"},
		{"an unknown refresh token", app("refresh_token", "refresh_token", "x"), "invalid_grant", "expired access/refresh token"},
		{"an access token to refresh with", app("refresh_token", "refresh_token", o.token), "invalid_grant", "expired access/refresh token"},
		{"a wrong secret to refresh with", app("refresh_token", "refresh_token", "x", "client_secret", "x"), "invalid_client", "invalid client credentials"},
		{"an unknown code", app("authorization_code", "code", "x", "redirect_uri", ruleBack), "invalid_grant", "expired authorization code"},
		{"another callback than asked for", o.codeForm(signInAsk(), "redirect_uri", "https://app.example/other"), "redirect_uri_mismatch", "redirect_uri must match configuration"},
		{"a wrong verifier", o.codeForm(signInAsk(), "code_verifier", "x"), "invalid_grant", "invalid code verifier"},
		{"no verifier", o.codeForm(signInAsk(), "code_verifier", ""), "invalid_grant", "invalid code verifier"},
		{"a verifier nobody asked for", o.codeForm(signInAsk("code_challenge", ""), "client_secret", ruleSecret), "invalid_grant", "invalid code verifier"},
		{"neither verifier nor secret", o.codeForm(signInAsk("code_challenge", ""), "code_verifier", ""), "invalid_client", "invalid client credentials"},
		{"another app's code", o.codeForm(signInAsk(), "client_id", "nobody"), "invalid_grant", "expired authorization code"},
		{"no assertion", values("grant_type", grantJWT), "invalid_grant", "invalid assertion"},
		{"an assertion of another app", claims(`{"iss":"x","sub":%q,"aud":%q,"exp":%d}`, ruleUser, aud, later), "invalid_client_id", "client identifier invalid"},
		{"an assertion for nobody", claims(`{"iss":%q,"sub":"x","aud":%q,"exp":%d}`, ruleClient, aud, later), "invalid_grant", "user hasn't approved this consumer"},
		{"an assertion for elsewhere", claims(`{"iss":%q,"sub":%q,"aud":"https://x.example","exp":%d}`, ruleClient, ruleUser, later), "invalid_grant", "Audience validation failed"},
		{"an expired assertion", claims(`{"iss":%q,"sub":%q,"aud":%q,"exp":%d}`, ruleClient, ruleUser, aud, o.at.Unix()), "invalid_grant", "expired authorization code"},
		{"an assertion without an end", claims(`{"iss":%q,"sub":%q,"aud":%q}`, ruleClient, ruleUser, aud), "invalid_grant", "expired authorization code"},
		{"a device nobody knows", app("device", "code", "x"), "unsupported_grant_type", "grant type not supported"},
	} {
		o.refused(c.name, c.form, c.code, c.description)
	}
	status, body, h := o.send(http.MethodGet, "/services/oauth2/token?"+o.passwordForm().Encode(), "", nil)
	if status != http.StatusBadRequest || body != `{"error":"invalid_request","error_description":"must use HTTP POST"}` || h.Get("Allow") != http.MethodPost {
		t.Errorf("GET: %d %s", status, body)
	}
}

// TestClientPlaces: an app says who it is in the form, in the address or by Basic.
func TestClientPlaces(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(ruleClient+":"+ruleSecret))
	if status, answer, _ := o.post(values("grant_type", "client_credentials"), "Authorization", basic); status != http.StatusOK {
		t.Errorf("by Basic: %d %v", status, answer)
	}
	wrong := "Basic " + base64.StdEncoding.EncodeToString([]byte(ruleClient+":x"))
	if status, answer, _ := o.post(values("grant_type", "client_credentials"), "Authorization", wrong); status != http.StatusBadRequest || answer["error"] != "invalid_client" {
		t.Errorf("by Basic, wrong: %d %v", status, answer)
	}
	if status, body, _ := o.send(http.MethodPost, "/services/oauth2/token?"+o.passwordForm().Encode(), "", nil); status != http.StatusOK {
		t.Errorf("in the address: %d %s", status, body)
	}
	entries, _ := o.Requests(10)
	for _, e := range entries {
		if strings.Contains(e.Path, ruleSecret) || strings.Contains(e.Path, "client_secret") {
			t.Errorf("the log has the secret: %s", e.Path)
		}
	}
}

// TestAnswerForms: JSON unless format or Accept asks for urlencoded or XML; format comes first, Accept is read from the left.
func TestAnswerForms(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	for _, c := range []struct{ format, accept, kind string }{
		{"", "", "application/json;charset=UTF-8"},
		{"", "*/*", "application/json;charset=UTF-8"},
		{"", "text/html, application/xml;q=0.9, application/json", "application/xml;charset=UTF-8"},
		{"", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded;charset=UTF-8"},
		{"json", "application/xml", "application/json;charset=UTF-8"},
		{"xml", "application/json", "application/xml;charset=UTF-8"},
		{"urlencoded", "", "application/x-www-form-urlencoded;charset=UTF-8"},
		{"yaml", "", "application/json;charset=UTF-8"},
	} {
		for _, good := range []bool{true, false} {
			form := o.passwordForm()
			if !good {
				form.Set("client_secret", "x")
			}
			if c.format != "" {
				form.Set("format", c.format)
			}
			_, body, h := o.send(http.MethodPost, "/services/oauth2/token", form.Encode(),
				http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {c.accept}})
			if h.Get("Content-Type") != c.kind || h.Get("Cache-Control") != "no-store" {
				t.Errorf("format %q, accept %q: %s", c.format, c.accept, h.Get("Content-Type"))
			}
			name, value := "token_type", "Bearer"
			if !good {
				name, value = "error", "invalid_client"
			}
			if got := readForm(t, body, c.kind)[name]; got != value {
				t.Errorf("format %q, accept %q: %s is %q in %s", c.format, c.accept, name, got, body)
			}
		}
	}
}

// readForm reads an answer of texts in any of the forms.
func readForm(t *testing.T, body, kind string) map[string]string {
	t.Helper()
	out := map[string]string{}
	switch {
	case strings.HasPrefix(kind, "application/json"):
		if err := json.Unmarshal([]byte(body), &out); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
	case strings.HasPrefix(kind, "application/xml"):
		for _, m := range regexp.MustCompile(`<(\w+)>([^<]*)</\w+>`).FindAllStringSubmatch(body, -1) {
			out[m[1]] = m[2]
		}
		if !strings.Contains(body, "<OAuth") {
			t.Errorf("root of %s", body)
		}
	default:
		v, err := url.ParseQuery(body)
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		for k := range v {
			out[k] = v.Get(k)
		}
	}
	return out
}

// TestCodeLife: a code is good for 15 minutes and once.
func TestCodeLife(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	form := o.codeForm(signInAsk())
	o.at = o.at.Add(15*time.Minute - time.Second)
	o.granted(form)
	o.refused("a second time", form, "invalid_grant", "expired authorization code")
	form = o.codeForm(signInAsk())
	o.at = o.at.Add(15 * time.Minute)
	o.refused("after 15 minutes", form, "invalid_grant", "expired authorization code")
}

// TestRefreshTokens: without rotation a refresh token stays; with it each use gives another and the old one is dead at once,
// and one that is used again ends its successor and all access tokens that came of it.
func TestRefreshTokens(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	refresh := func(token any) url.Values {
		return values("grant_type", "refresh_token", "client_id", ruleClient, "refresh_token", str(token))
	}
	works := func(answer map[string]any) bool {
		status, _, _ := o.send(http.MethodGet, "/services/data/v60.0/limits", "", http.Header{"Authorization": {"Bearer " + str(answer["access_token"])}})
		return status == http.StatusOK
	}
	first := o.granted(o.codeForm(signInAsk()))
	for range 2 {
		if again := o.granted(refresh(first["refresh_token"])); again["refresh_token"] != nil || !works(again) {
			t.Errorf("without rotation: %v", again)
		}
	}
	o.at = o.at.AddDate(5, 0, 0)
	o.granted(refresh(first["refresh_token"])) // until it is revoked
	if err := o.SetRotation(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	bystander := o.granted(o.codeForm(signInAsk()))
	second := o.granted(refresh(first["refresh_token"]))
	third := o.granted(refresh(second["refresh_token"]))
	if second["refresh_token"] == first["refresh_token"] || third["refresh_token"] == second["refresh_token"] || !works(third) {
		t.Fatalf("rotation: %v, %v", second, third)
	}
	o.refused("the old one", refresh(second["refresh_token"]), "invalid_grant", "expired access/refresh token")
	o.refused("its successor, after that", refresh(third["refresh_token"]), "invalid_grant", "expired access/refresh token")
	if works(second) || works(third) {
		t.Error("access tokens outlive the reuse of a refresh token")
	}
	if !works(bystander) {
		t.Error("another approval ended, too")
	}
	o.granted(refresh(bystander["refresh_token"]))
}

// TestApprovals: a user lets an app in five times at once; the sixth time ends the first, and what came of it.
func TestApprovals(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	var all []map[string]any
	for range 7 {
		all = append(all, o.granted(o.codeForm(signInAsk())))
	}
	for i, a := range all {
		status, _, _ := o.send(http.MethodGet, "/services/data/v60.0/limits", "", http.Header{"Authorization": {"Bearer " + str(a["access_token"])}})
		refreshed, _, _ := o.post(values("grant_type", "refresh_token", "client_id", ruleClient, "refresh_token", str(a["refresh_token"])))
		if live := i >= 2; (status == http.StatusOK) != live || (refreshed == http.StatusOK) != live {
			t.Errorf("approval %d: access token %d, refresh token %d", i, status, refreshed)
		}
	}
}

// TestRevocation: by GET and POST, of either token; with a refresh token all that came of it ends.
func TestRevocation(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	works := func(token any) bool {
		status, body, _ := o.send(http.MethodGet, "/services/data/v60.0/limits", "", http.Header{"Authorization": {"Bearer " + str(token)}})
		if status == http.StatusUnauthorized && body != `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]` {
			t.Errorf("401 says %s", body)
		}
		return status == http.StatusOK
	}
	revoke := func(method, token string) (int, string) {
		path, body := "/services/oauth2/revoke", values("token", token).Encode()
		if method == http.MethodGet {
			path, body = path+"?"+body, ""
		}
		status, out, _ := o.send(method, path, body, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
		return status, out
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		a, other := o.granted(o.codeForm(signInAsk())), o.granted(o.codeForm(signInAsk()))
		refresh := values("grant_type", "refresh_token", "client_id", ruleClient, "refresh_token", str(a["refresh_token"]))
		if status, out := revoke(method, str(a["access_token"])); status != http.StatusOK || works(a["access_token"]) {
			t.Errorf("%s of an access token: %d %s", method, status, out)
		}
		later := o.granted(refresh) // its refresh token lives
		if status, out := revoke(method, str(a["refresh_token"])); status != http.StatusOK || works(later["access_token"]) {
			t.Errorf("%s of a refresh token: %d %s", method, status, out)
		}
		o.refused("a revoked refresh token", refresh, "invalid_grant", "expired access/refresh token")
		if !works(other["access_token"]) {
			t.Errorf("%s ends another approval", method)
		}
		for _, dead := range []string{str(a["refresh_token"]), "x", ""} {
			if status, out := revoke(method, dead); status != http.StatusBadRequest || out != `{"error":"invalid_token","error_description":"invalid token"}` {
				t.Errorf("%s of a dead token: %d %s", method, status, out)
			}
		}
	}
	if status, _ := revoke(http.MethodPut, "x"); status != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", status)
	}
}

// TestAssertions: what real clients send is taken, and what nobody should is not.
func TestAssertions(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	exp := o.at.Unix() + 170
	claims := func(aud string, exp any) string {
		return fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":%q,"exp":%v}`, ruleClient, ruleUser, aud, exp)
	}
	for name, c := range map[string]string{
		"sf: a slash, milliseconds":       claims("https://login.salesforce.com/", exp*1000),
		"go-salesforce: exp as a string":  claims("https://login.salesforce.com", fmt.Sprintf("%q", strconv.FormatInt(exp, 10))),
		"milliseconds as a string":        claims("https://test.salesforce.com/", fmt.Sprintf("%q", strconv.FormatInt(exp*1000, 10))),
		"the org itself":                  claims(o.url, exp),
		"the org itself with a slash":     claims(o.url+"/", exp),
		"a site of the org":               claims(o.url+"/customers/", exp),
		"in ten years":                    claims("https://test.salesforce.com", exp+10*365*86400),
		"a fraction of a second":          claims("https://login.salesforce.com", fmt.Sprintf("%d.5", exp)),
		"the user as prn":                 strings.Replace(claims("https://login.salesforce.com", exp), `"sub"`, `"prn"`, 1),
		"the user in another case":        strings.Replace(claims("https://login.salesforce.com", exp), ruleUser, strings.ToUpper(ruleUser), 1),
		"an audience in a list":           strings.Replace(claims("https://login.salesforce.com", exp), `"https://login.salesforce.com"`, `["https://login.salesforce.com"]`, 1),
		"claims the org does not look at": strings.Replace(claims("https://login.salesforce.com", exp), `{`, `{"iat":1,"jti":"x","nbf":1,`, 1),
	} {
		if status, answer, _ := o.post(o.jwtForm(c)); status != http.StatusOK {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	for _, alg := range []string{"none", "HS256", "RS384", "ES256", ""} {
		form := values("grant_type", grantJWT, "assertion", signJWT(t, testKey(), fmt.Sprintf(`{"alg":%q}`, alg), o.claims()))
		o.refused("algorithm "+alg, form, "invalid_grant", "invalid assertion")
	}
	signed := o.jwtForm(o.claims()).Get("assertion")
	for name, text := range map[string]string{"no signature": signed[:strings.LastIndex(signed, ".")+1], "a changed body": strings.Replace(signed, ".", ".e", 1)} {
		o.refused(name, values("grant_type", grantJWT, "assertion", text), "invalid_grant", "invalid assertion")
	}
	// An org whose clock is ahead takes an assertion for expired that its maker thinks good, and the other way around.
	form := o.jwtForm(o.claims())
	o.SetSkew(90 * time.Second)
	o.refused("a clock that is ahead", form, "invalid_grant", "expired authorization code")
	o.SetSkew(-90 * time.Second)
	o.at = o.at.Add(2 * time.Minute)
	o.granted(form)
}

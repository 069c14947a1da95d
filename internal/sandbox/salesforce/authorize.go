package salesforce

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The kinds of answer authorize gives: the web server flow's code, and the user-agent flow's token in the fragment. The
// hybrid flows need the platform's other domains, which this org has none of.
const (
	responseCode  = "code"
	responseToken = "token"
)

// authorizeFields are carried from the address to the form and back.
func authorizeFields() []string {
	return []string{"response_type", "client_id", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method", "nonce", "display", "login_hint", "prompt"}
}

// authorize answers /services/oauth2/authorize: a person signs in and allows, and the application gets a code. What is wrong
// with the application or its address is shown to the person, all else told to the application at that address. This org's
// pages keep no browser session: a person signs in each time, as with prompt=login.
func (o *Org) authorize(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "Use GET or POST.", http.StatusMethodNotAllowed)
		return
	}
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form cannot be read.", http.StatusBadRequest)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	app := o.apps.find(r.Form.Get("client_id"))
	back, problem := callback(app, r.Form.Get("redirect_uri"))
	if problem != "" {
		o.site.show(w, r, http.StatusBadRequest, "home", pageData{Title: "Not available", Query: "-", Problem: problem})
		return
	}
	answer := url.Values{}
	if v := r.Form.Get("state"); v != "" {
		answer.Set("state", v)
	}
	if err := o.checkAuthorize(r, app); err != nil {
		goBack(w, r, back, answer, err)
		return
	}
	if r.Method != http.MethodPost {
		o.site.authorizePage(w, r, back, app, http.StatusOK, "")
		return
	}
	if r.Form.Get("answer") != "allow" {
		goBack(w, r, back, answer, &oauthError{"access_denied", "end-user denied authorization"})
		return
	}
	user, problem := o.personOf(r)
	if problem != "" {
		o.site.authorizePage(w, r, back, app, http.StatusUnauthorized, problem)
		return
	}
	err := o.allow(r, app, user, answer)
	if e, isOAuth := err.(*oauthError); err == nil || isOAuth { //nolint:errorlint // made bare here
		goBack(w, r, back, answer, e)
		return
	}
	o.site.problem(w, r, err)
}

// callback is where authorize goes back to; a problem is one the person is shown, since nothing is known of that place.
func callback(app *registered, target string) (back *url.URL, problem string) {
	back, err := url.Parse(target)
	switch {
	case app == nil:
		return nil, "error=invalid_client_id: client identifier invalid"
	case target == "":
		return nil, "error=redirect_uri_missing: redirect_uri not provided"
	case err != nil || !safeTarget(back) || back.Fragment != "" || !app.allowsCallback(back.String()):
		return nil, "error=redirect_uri_mismatch: redirect_uri must match configuration"
	}
	return back, ""
}

// safeTarget refuses addresses a browser would run, and hosts that would end a security policy's list.
func safeTarget(u *url.URL) bool {
	switch u.Scheme {
	case "", "javascript", "data", "vbscript":
		return false
	}
	return !strings.ContainsAny(u.Host, ";, '\"")
}

// goBack sends the browser back to the application with a code, a token or an error. The token, and errors of its flow, go
// into the fragment (RFC 6749 §4.2.2).
func goBack(w http.ResponseWriter, r *http.Request, back *url.URL, answer url.Values, e *oauthError) {
	if e != nil {
		answer.Set("error", e.Code)
		answer.Set("error_description", e.Description)
	}
	to := *back
	if r.Form.Get("response_type") == responseToken {
		to.Fragment, to.RawFragment = "", ""
		w.Header().Set("Location", to.String()+"#"+answer.Encode())
	} else {
		query := to.Query()
		for k := range answer {
			query.Set(k, answer.Get(k))
		}
		to.RawQuery = query.Encode()
		w.Header().Set("Location", to.String())
	}
	w.WriteHeader(http.StatusFound)
}

// checkAuthorize refuses what no person has to be asked about.
func (o *Org) checkAuthorize(r *http.Request, app *registered) *oauthError {
	challenge, method := r.Form.Get("code_challenge"), r.Form.Get("code_challenge_method")
	kind := r.Form.Get("response_type")
	switch {
	case kind == responseToken && !o.FlowEnabled(FlowUserAgent), kind == responseCode && !o.FlowEnabled(FlowAuthorizationCode),
		kind != responseCode && kind != responseToken:
		return &oauthError{"unsupported_response_type", "response type not supported"}
	case method != "" && method != "S256":
		return &oauthError{"invalid_request", "code_challenge_method must be S256"}
	case app.RequirePKCE && challenge == "" && kind == responseCode:
		return &oauthError{"invalid_request", "missing required code challenge"}
	case !app.allowsScope(r.Form.Get("scope")):
		return disallowedScope()
	case r.Form.Get("immediate") == "true" || r.Form.Get("prompt") == "none":
		return &oauthError{"immediate_unsuccessful", "the user is not signed in or has not approved the application"}
	}
	return nil
}

// authorizePage asks the person.
func (s *site) authorizePage(w http.ResponseWriter, r *http.Request, back *url.URL, app *registered, status int, problem string) {
	d := pageData{
		Title: "Allow access", Kind: back.String(), FormTarget: back.Scheme + "://" + back.Host, Problem: problem, App: app.Name,
		Login: orElse(r.PostForm.Get("username"), r.Form.Get("login_hint")), Scope: app.scope(r.Form.Get("scope")),
	}
	for _, name := range authorizeFields() {
		if v := r.Form.Get(name); v != "" {
			d.Fields = append(d.Fields, cell{Label: name, Text: v})
		}
	}
	s.show(w, r, status, "authorize", d)
}

// personOf is who signs in on a page of this org; a problem is told to the person.
func (o *Org) personOf(r *http.Request) (user *account, problem string) {
	user, result, err := o.byPassword(r, r.PostForm.Get("username"), r.PostForm.Get("password"), false)
	switch {
	case err != nil:
		return nil, o.fail(r.Context(), err).Message
	case result == loginInactive:
		return nil, "The user is not active, or frozen: ask an administrator of the org."
	case result != loginOK:
		return nil, "The username or password is wrong, or the user is locked out after too many attempts."
	case !o.mayCome(r.Context(), user.id, r.RemoteAddr):
		return nil, "The profile's login IP ranges do not hold the address you come from."
	}
	return user, ""
}

// allow fills the answer to the application with a code, or in the user-agent flow with the token itself.
func (o *Org) allow(r *http.Request, app *registered, user *account, answer url.Values) error {
	c := code{
		client: app.ClientID, user: user.id, name: user.username, redirect: r.Form.Get("redirect_uri"),
		challenge: r.Form.Get("code_challenge"), scope: app.scope(r.Form.Get("scope")), nonce: r.Form.Get("nonce"),
	}
	if err := o.mayUse(r.Context(), app, user.id); err != nil {
		return err
	}
	if r.Form.Get("response_type") == responseCode {
		answer.Set("code", o.codes.add(c))
		return nil
	}
	given, err := o.codeAnswer(r, app, c)
	if err != nil {
		return err
	}
	for k, v := range given {
		if text, isText := v.(string); isText {
			answer.Set(k, text)
		}
	}
	return nil
}

// code is an authorization code that waits to be exchanged.
type code struct {
	client, user, name, redirect, challenge, scope, nonce string
	expires                                               time.Time
}

package salesforce

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	tokenTypes    = "urn:ietf:params:oauth:token-type:" //nolint:gosec // a name of RFC 8693, no secret
)

// exchangeGrant gives a token of this org for another (RFC 8693): for a JWT or id token that one of the application's keys
// signed, whose subject is a user here, or for an access token of this org, with the same or fewer scopes. Where the
// platform asks a handler of the org's own making who the subject is, this org takes it as the username.
func (o *Org) exchangeGrant(r *http.Request, form url.Values) (map[string]any, error) {
	if !o.FlowEnabled(FlowTokenExchange) {
		return nil, unsupportedGrant()
	}
	app, err := o.client(form, true)
	if err != nil {
		return nil, err
	}
	s, err := o.subjectOf(r, app, form)
	if err != nil {
		return nil, err
	}
	if wanted := strings.Fields(form.Get("scope")); len(wanted) > 0 {
		had := strings.Fields(s.scope)
		if slices.ContainsFunc(wanted, func(w string) bool { return !slices.Contains(had, w) }) {
			return nil, &oauthError{"invalid_scope", "the subject token does not hold every scope that is asked for"}
		}
		s.scope = strings.Join(wanted, " ")
	}
	answer, err := o.grant(r, s)
	if err != nil {
		return nil, err
	}
	answer["scope"], answer["issued_token_type"] = s.scope, tokenTypes+"access_token"
	return answer, nil
}

// subjectOf reads the token that is given in exchange.
func (o *Org) subjectOf(r *http.Request, app *registered, form url.Values) (session, error) {
	token := form.Get("subject_token")
	switch form.Get("subject_token_type") {
	case tokenTypes + "access_token":
		s := o.sessions.find(token, false)
		if s == nil {
			return session{}, invalidGrant("invalid subject token")
		}
		return session{user: s.user, client: app.ClientID, scope: s.scope, name: s.name}, nil
	case tokenTypes + "jwt", tokenTypes + "id_token":
	default:
		return session{}, &oauthError{"invalid_request", "unsupported subject token type: use " + tokenTypes + "jwt, id_token or access_token"}
	}
	a, valid := parseAssertion(token)
	if !valid || !a.signedBy(app.keys) {
		return session{}, invalidGrant("invalid subject token")
	}
	if !o.now().Before(a.Expires.Time) {
		return session{}, invalidGrant("expired subject token")
	}
	user, err := o.userByName(r.Context(), a.Subject)
	switch {
	case err != nil:
		return session{}, err
	case user == nil:
		return session{}, invalidGrant("user hasn't approved this consumer")
	case !user.active:
		return session{}, invalidGrant("inactive user")
	}
	return session{user: user.id, client: app.ClientID, scope: fullScope, name: user.username}, nil
}

// singleAccess answers POST /services/oauth2/singleaccess: an address that opens the org's pages for a token, once and for
// a minute. The pages here need no sign-in, so that following it leads on at once.
func (o *Org) singleAccess(w http.ResponseWriter, r *http.Request) {
	s := o.sessions.find(bearer(r), false)
	if s == nil {
		if err := r.ParseForm(); err == nil && r.Method == http.MethodPost {
			s = o.sessions.find(r.PostForm.Get("access_token"), false)
		}
	}
	if s == nil {
		writeFault(w, invalidSession())
		return
	}
	note(w, s)
	next := orElse(r.FormValue("redirect_uri"), "/")
	u, err := url.Parse(next)
	if err == nil && !u.IsAbs() && !strings.HasPrefix(next, "/") { // the CLI is given paths without their first slash
		next = "/" + next
		u, err = url.Parse(next)
	}
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(next, `\`) {
		writeOAuthError(w, &oauthError{"invalid_request", "redirect_uri must be a path of this org, such as /lightning/o/Account/list"})
		return
	}
	key := o.codes.add(code{user: s.user, client: s.client, redirect: u.RequestURI()})
	writeJSON(w, http.StatusOK, map[string]string{"frontdoor_uri": o.base(r) + "/secur/frontdoor.jsp?otp=" + url.QueryEscape(key)})
}

// frontDoor follows an address of singleAccess.
func (s *site) frontDoor(w http.ResponseWriter, r *http.Request) {
	c, known := s.org.codes.take(r.URL.Query().Get("otp"))
	if !known || s.org.now().After(c.expires.Add(singleTTL-codeTTL)) {
		s.show(w, r, http.StatusForbidden, "home", pageData{Title: "Not available", Query: "-", Problem: "This address was used before or is older than a minute: ask for another."})
		return
	}
	http.Redirect(w, r, c.redirect, http.StatusSeeOther) // checked when it was taken in
}

const singleTTL = time.Minute

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
	if err := o.mayUse(r.Context(), app, s.user); err != nil {
		return nil, err
	}
	if wanted := strings.Fields(form.Get("scope")); len(wanted) > 0 {
		had := strings.Fields(s.scope)
		if slices.ContainsFunc(wanted, func(w string) bool { return !slices.Contains(had, w) }) {
			return nil, &oauthError{"invalid_scope", "the subject token does not hold every scope that is asked for"}
		}
		s.scope = strings.Join(wanted, " ")
	}
	answer, err := o.grant(r, app, s)
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
		s := o.sessionOf(r.Context(), token, r.RemoteAddr)
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
	}
	s := session{user: user.id, client: app.ClientID, scope: app.scopeWithout(fullScope), name: user.username}
	return s, o.hasApproved(r.Context(), app, user.id)
}

// singleAccess answers GET and POST /services/oauth2/singleaccess: an address that opens the org's pages for a token, once and for
// a minute. The pages here need no sign-in, so that following it leads on at once.
func (o *Org) singleAccess(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET, POST")
		writeFault(w, methodNotAllowed(r.Method))
		return
	}
	s := o.sessionOf(r.Context(), orElse(bearer(r), r.FormValue("access_token")), r.RemoteAddr)
	if s == nil {
		writeFault(w, invalidSession())
		return
	}
	note(w, s)
	next, safe := ownPath(r.FormValue("redirect_uri"))
	if !safe {
		writeOAuthError(w, r, &oauthError{"invalid_request", "redirect_uri must be a path of this org, such as /lightning/o/Account/list"})
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	key := o.codes.add(code{user: s.user, client: frontDoorKey, redirect: next})
	writeJSON(w, http.StatusOK, map[string]string{"frontdoor_uri": o.base(r) + "/secur/frontdoor.jsp?otp=" + url.QueryEscape(key)})
}

// ownPath is a path of this org that a browser may be sent to; false: it leads elsewhere.
func ownPath(target string) (string, bool) {
	given, err := url.Parse(target)
	if err != nil || given.IsAbs() {
		return "", false
	}
	target = "/" + strings.TrimPrefix(target, "/")
	u, err := url.Parse(target)
	if err != nil || u.Host != "" || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(target, "\\\r\n\t") {
		return "", false
	}
	return u.RequestURI(), true
}

// frontDoor follows an address of singleAccess, or takes a session id (sid) and a path (retURL) as older clients send.
func (s *site) frontDoor(w http.ResponseWriter, r *http.Request) {
	if sid := r.FormValue("sid"); sid != "" {
		next, safe := ownPath(r.FormValue("retURL"))
		if !safe || s.org.sessionOf(r.Context(), sid, r.RemoteAddr) == nil {
			s.show(w, r, http.StatusForbidden, "home", pageData{Title: "Not available", Query: "-", Problem: "The session has ended, or the address it should open is not of this org."})
			return
		}
		http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // a path of this org
		return
	}
	c, known := s.org.codes.take(r.FormValue("otp"))
	if !known || c.client != frontDoorKey || s.org.now().After(c.expires.Add(singleTTL-codeTTL)) {
		s.show(w, r, http.StatusForbidden, "home", pageData{Title: "Not available", Query: "-", Problem: "This address was used before or is older than a minute: ask for another."})
		return
	}
	http.Redirect(w, r, c.redirect, http.StatusSeeOther) // checked when it was taken in
}

const (
	singleTTL    = time.Minute
	frontDoorKey = "\x00front door" // no app has it: a code is no key to the pages, nor the other way around
)

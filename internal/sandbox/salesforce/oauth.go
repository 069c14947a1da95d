package salesforce

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// oauthError is an error in OAuth's form.
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Description }

func invalidGrant(description string) error { return &oauthError{"invalid_grant", description} }

const (
	fullScope  = "api refresh_token web full id"
	refreshTTL = 180 * 24 * time.Hour
)

// token answers POST /services/oauth2/token.
func (o *Org) token(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeOAuthError(w, &oauthError{"invalid_request", "must use HTTP POST"})
		return
	}
	if err := r.ParseForm(); err != nil {
		writeOAuthError(w, &oauthError{"invalid_request", "the form cannot be read: send application/x-www-form-urlencoded"})
		return
	}
	form := r.PostForm
	basicInto(r, form)
	var answer map[string]any
	var err error
	grant := form.Get("grant_type")
	if form.Get("response_type") == "device_code" {
		grant = "device_code"
	}
	switch grant {
	case "device_code":
		answer, err = o.deviceStart(r, form)
	case grantDevice:
		answer, err = o.deviceGrant(r, form)
	case grantExchange:
		answer, err = o.exchangeGrant(r, form)
	case "password":
		answer, err = o.passwordGrant(r, form)
	case "client_credentials":
		answer, err = o.clientGrant(r, form)
	case "refresh_token":
		answer, err = o.refreshGrant(r, form)
	case "authorization_code":
		answer, err = o.codeGrant(r, form)
	case grantJWT:
		answer, err = o.jwtGrant(r, form)
	default:
		err = unsupportedGrant()
	}
	if err != nil {
		o.refuseToken(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, answer)
}

func unsupportedGrant() error {
	return &oauthError{"unsupported_grant_type", "grant type not supported"}
}

// basicInto puts the client of an Authorization header into the form.
func basicInto(r *http.Request, form url.Values) {
	if id, secret, ok := r.BasicAuth(); ok {
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	}
}

func (o *Org) refuseToken(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := err.(*oauthError) //nolint:errorlint // the grants return it bare
	if !ok {
		_ = o.fail(r.Context(), err) // logs it
		w.Header().Set("Cache-Control", "no-store")
		writeJSON(w, http.StatusInternalServerError, &oauthError{"server_error", "see the log of the sandbox org"})
		return
	}
	writeOAuthError(w, e)
}

func writeOAuthError(w http.ResponseWriter, e *oauthError) {
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusBadRequest, e)
}

// client checks the id, and the secret where one must be given.
func (o *Org) client(form url.Values, needSecret bool) (*registered, error) {
	app := o.apps.find(form.Get("client_id"))
	if app == nil {
		return nil, &oauthError{"invalid_client_id", "client identifier invalid"}
	}
	secret := form.Get("client_secret")
	if (needSecret || secret != "") && !same(secret, app.ClientSecret) {
		return nil, &oauthError{"invalid_client", "invalid client credentials"}
	}
	return app, nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (o *Org) passwordGrant(r *http.Request, form url.Values) (map[string]any, error) {
	app, err := o.client(form, true)
	if err != nil {
		return nil, err
	}
	if !o.FlowEnabled(FlowPassword) {
		return nil, invalidGrant("authentication failure")
	}
	user, err := o.userByName(r.Context(), form.Get("username"))
	if err != nil {
		return nil, err
	}
	if user == nil || !o.passwordMatches(r, user, form.Get("password")) {
		return nil, invalidGrant("authentication failure")
	}
	if !user.active {
		return nil, invalidGrant("inactive user")
	}
	return o.grant(r, session{user: user.id, client: app.ClientID, scope: fullScope, name: user.username})
}

// passwordMatches wants the password followed by the security token, as one does from outside the trusted addresses.
func (o *Org) passwordMatches(r *http.Request, user *account, given string) bool {
	if user.password == "" {
		return false
	}
	if same(given, user.password+user.token) {
		return true
	}
	return o.opts.TrustLoopback && kit.FromLoopback(r) && same(given, user.password)
}

func (o *Org) clientGrant(r *http.Request, form url.Values) (map[string]any, error) {
	app, err := o.client(form, true)
	if err != nil {
		return nil, err
	}
	if !o.FlowEnabled(FlowClientCredentials) || app.Username == "" {
		return nil, invalidGrant("no client credentials user enabled")
	}
	user, err := o.userByName(r.Context(), app.Username)
	switch {
	case err != nil:
		return nil, err
	case user == nil:
		return nil, invalidGrant("no client credentials user enabled")
	case !user.active:
		return nil, invalidGrant("inactive user")
	}
	answer, err := o.grant(r, session{user: user.id, client: app.ClientID, scope: "api", name: user.username})
	if err != nil {
		return nil, err
	}
	answer["scope"], answer["api_instance_url"] = "api", answer["instance_url"]
	return answer, nil
}

func (o *Org) refreshGrant(r *http.Request, form url.Values) (map[string]any, error) {
	if !o.FlowEnabled(FlowRefreshToken) {
		return nil, unsupportedGrant()
	}
	if _, err := o.client(form, false); err != nil {
		return nil, err
	}
	old := form.Get("refresh_token")
	s := o.sessions.find(old, true)
	if s == nil || s.client != form.Get("client_id") {
		return nil, invalidGrant("expired access/refresh token")
	}
	user, err := readRecord(r.Context(), o.store, o.schema.object("User"), s.user)
	switch {
	case err != nil:
		return nil, err
	case user["IsActive"] != int64(1):
		return nil, invalidGrant("inactive user")
	}
	answer, err := o.grant(r, session{user: s.user, client: s.client, scope: s.scope, name: s.name})
	if err != nil {
		return nil, err
	}
	answer["scope"] = s.scope
	if !o.rotates() {
		return answer, nil
	}
	next := *s
	if answer["refresh_token"], err = o.sessions.add(r.Context(), next, refreshTTL); err != nil {
		return nil, err
	}
	return answer, o.sessions.drop(r.Context(), s.hash)
}

func (o *Org) codeGrant(r *http.Request, form url.Values) (map[string]any, error) {
	if !o.FlowEnabled(FlowAuthorizationCode) {
		return nil, unsupportedGrant()
	}
	app, err := o.client(form, false)
	if err != nil {
		return nil, err
	}
	c, ok := o.codes.take(form.Get("code"))
	if !ok || c.client != app.ClientID {
		return nil, invalidGrant("expired authorization code")
	}
	if c.redirect != form.Get("redirect_uri") {
		return nil, &oauthError{"redirect_uri_mismatch", "redirect_uri must match configuration"}
	}
	switch {
	case c.challenge != "":
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if !same(base64.RawURLEncoding.EncodeToString(sum[:]), c.challenge) {
			return nil, invalidGrant("invalid code verifier")
		}
	case form.Get("client_secret") == "":
		return nil, &oauthError{"invalid_client", "invalid client credentials"}
	}
	return o.codeAnswer(r, c)
}

// codeAnswer gives what the scopes of the code allow: a refresh token, and with openid an id token.
func (o *Org) codeAnswer(r *http.Request, c code) (map[string]any, error) {
	scopes := strings.Fields(c.scope)
	answer, err := o.grant(r, session{user: c.user, client: c.client, scope: c.scope, name: c.name})
	if err != nil {
		return nil, err
	}
	answer["scope"] = c.scope
	if slices.Contains(scopes, "refresh_token") || slices.Contains(scopes, "offline_access") {
		refresh := session{user: c.user, client: c.client, scope: c.scope, name: c.name, refresh: true}
		if answer["refresh_token"], err = o.sessions.add(r.Context(), refresh, refreshTTL); err != nil {
			return nil, err
		}
	}
	if slices.Contains(scopes, "openid") {
		access, _ := answer["access_token"].(string)
		answer["id_token"], err = o.idToken(r, c.client, c.user, c.nonce, access)
	}
	return answer, err
}

// grant makes an access token and the answer that carries it.
func (o *Org) grant(r *http.Request, s session) (map[string]any, error) {
	if !o.mayCome(r.Context(), s.user, r.RemoteAddr) {
		return nil, invalidGrant("ip restricted")
	}
	token, err := o.sessions.add(r.Context(), s, o.opts.SessionTTL)
	if err != nil {
		return nil, err
	}
	base := o.base(r)
	id := base + "/id/" + orgID + "/" + s.user
	issued := strconv.FormatInt(o.now().UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(o.creds.ClientSecret))
	mac.Write([]byte(id + issued))
	return map[string]any{
		"access_token": token, "instance_url": base, "id": id, "token_type": "Bearer", "issued_at": issued,
		"signature": base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}, nil
}

// base is the org's address as this client sees it.
func (o *Org) base(r *http.Request) string {
	if o.opts.BaseURL != "" {
		return strings.TrimRight(o.opts.BaseURL, "/")
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// revoke answers POST and GET /services/oauth2/revoke.
func (o *Org) revoke(w http.ResponseWriter, r *http.Request) {
	token := r.FormValue("token")
	known, err := o.sessions.revoke(r.Context(), token)
	switch {
	case err != nil:
		o.refuseToken(w, r, err)
	case !known:
		writeOAuthError(w, &oauthError{"invalid_token", "invalid token: " + strconv.Itoa(len(token)) + " characters"})
	default:
		w.WriteHeader(http.StatusOK)
	}
}

// bearer returns the token of a request: `Bearer x`, or `OAuth x` as older clients send.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "OAuth") {
		return strings.TrimSpace(token)
	}
	return ""
}

// userinfo answers GET /services/oauth2/userinfo, and identity GET /id/{org}/{user}.
func (o *Org) userinfo(w http.ResponseWriter, r *http.Request) {
	s := o.sessions.find(bearer(r), false)
	if s == nil {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("Bad_OAuth_Token"))
		return
	}
	note(w, s)
	info, err := o.identityOf(r, s.user)
	if err != nil {
		o.writeFault(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, userinfoOf(info))
}

func (o *Org) identity(w http.ResponseWriter, r *http.Request, segs []string) {
	token := r.URL.Query().Get("oauth_token")
	if token == "" {
		token = bearer(r)
	}
	s := o.sessions.find(token, false)
	if s == nil {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("Bad_OAuth_Token"))
		return
	}
	note(w, s)
	// The check characters of the org id are not looked at: there is one org.
	ours := len(segs[0]) >= 15 && strings.EqualFold(segs[0][:15], orgID[:15])
	user, valid := normalID(segs[1])
	if !valid || !ours {
		o.writeFault(w, r, notFound())
		return
	}
	info, err := o.identityOf(r, user)
	if err != nil {
		o.writeFault(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, info)
}

// userinfoOf renames what identity tells to the claims of OpenID Connect Core §5.1, and adds the platform's own.
func userinfoOf(info map[string]any) map[string]any {
	out := map[string]any{
		"sub": info["id"], "picture": "", "profile": "", "email_verified": true, "address": map[string]string{}, "phone_number": info["mobile_phone"],
		"updated_at": info["last_modified_date"], "zoneinfo": info["timezone"], "preferred_username": info["username"], "name": info["display_name"],
		"nickname": info["nick_name"], "given_name": info["first_name"], "family_name": info["last_name"],
	}
	for _, k := range []string{
		"user_id", "organization_id", "email", "photos", "urls", "active", "user_type", "language", "locale", "utcOffset", "is_app_installed",
	} {
		out[k] = info[k]
	}
	if urls, isMap := info["urls"].(map[string]string); isMap {
		out["profile"] = urls["profile"]
	}
	if photos, isMap := info["photos"].(map[string]string); isMap {
		out["picture"] = photos["picture"]
	}
	return out
}

func (o *Org) identityOf(r *http.Request, user string) (map[string]any, error) {
	u, err := readRecord(r.Context(), o.store, o.schema.object("User"), user)
	if err != nil {
		return nil, err
	}
	base := o.base(r)
	rest := base + "/services/data/v{version}/"
	modified, _ := u["LastModifiedDate"].(int64)
	return map[string]any{
		"id": base + "/id/" + orgID + "/" + user, "asserted_user": true, "user_id": user, "organization_id": orgID,
		"username": u["Username"], "nick_name": u["CommunityNickname"], "display_name": u["Name"], "email": u["Email"],
		"first_name": u["FirstName"], "last_name": u["LastName"], "timezone": u["TimeZoneSidKey"],
		"locale": u["LocaleSidKey"], "language": u["LanguageLocaleKey"], "user_type": "STANDARD", "active": u["IsActive"] == int64(1),
		"last_modified_date": time.UnixMilli(modified).UTC().Format(wireTime), "is_app_installed": true, "mobile_phone": u["MobilePhone"],
		"mobile_phone_verified": false, "email_verified": true, "is_lightning_login_user": false, "utcOffset": o.offsetOf(u.text("TimeZoneSidKey")),
		"addr_street": nil, "addr_city": nil, "addr_state": nil, "addr_country": nil, "addr_zip": nil,
		"status": map[string]any{"created_date": nil, "body": nil},
		"photos": map[string]string{"picture": base + "/profilephoto/005/F", "thumbnail": base + "/profilephoto/005/F"},
		"urls": map[string]string{
			"rest": rest, "sobjects": rest + "sobjects/", "search": rest + "search/", "query": rest + "query/", "recent": rest + "recent/",
			"enterprise": base + "/services/Soap/c/{version}/" + orgID[:15], "metadata": base + "/services/Soap/m/{version}/" + orgID[:15],
			"partner": base + "/services/Soap/u/{version}/" + orgID[:15], "tooling_rest": rest + "tooling/", "profile": base + "/" + user,
			"custom_domain": base,
		},
	}, nil
}

// offsetOf is what a zone's standard time differs from UTC by, in milliseconds.
func (o *Org) offsetOf(name string) int {
	zone, err := time.LoadLocation(orElse(name, "GMT"))
	if err != nil {
		return 0
	}
	_, seconds := time.Date(o.now().Year(), time.January, 1, 0, 0, 0, 0, zone).Zone()
	return seconds * 1000
}

// code is an authorization code that waits to be exchanged.
type code struct {
	client, user, name, redirect, challenge, scope, nonce string
	expires                                               time.Time
}

// authCodes keeps authorization codes, in memory: they live for minutes.
type authCodes struct {
	now func() time.Time
	mu  sync.Mutex // guards all
	all map[string]code
}

const (
	codeTTL  = 15 * time.Minute
	maxCodes = 1000
)

func newCodes(now func() time.Time) *authCodes { return &authCodes{now: now, all: map[string]code{}} }

func (c *authCodes) add(x code) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	x.expires = c.now().Add(codeTTL)
	for k, v := range c.all {
		if len(c.all) >= maxCodes || c.now().After(v.expires) {
			delete(c.all, k)
		}
	}
	key := "aPrx" + randomText(60)
	c.all[key] = x
	return key
}

// take returns a code once.
func (c *authCodes) take(key string) (code, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, ok := c.all[key]
	delete(c.all, key)
	return x, ok && c.now().Before(x.expires)
}

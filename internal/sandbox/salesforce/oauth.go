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
)

// oauthError is an error in OAuth's form.
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Description }

func invalidGrant(description string) error { return &oauthError{"invalid_grant", description} }

const fullScope = "api refresh_token web full id"

// token answers POST /services/oauth2/token. Parameters may also be in the address, as the platform has it.
func (o *Org) token(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeOAuthError(w, r, &oauthError{"invalid_request", "must use HTTP POST"})
		return
	}
	if err := r.ParseForm(); err != nil {
		writeOAuthError(w, r, &oauthError{"invalid_request", "the form cannot be read: send application/x-www-form-urlencoded"})
		return
	}
	basicInto(r, r.Form)
	grant := r.Form.Get("grant_type")
	if r.Form.Get("response_type") == "device_code" {
		grant = "device_code"
	}
	answer, err := o.grantOf(grant)(r, r.Form)
	if err != nil {
		o.refuseToken(w, r, err)
		return
	}
	writeOAuth(w, r, http.StatusOK, answer)
}

type grantFunc func(r *http.Request, form url.Values) (map[string]any, error)

// grantOf is what answers a grant type.
func (o *Org) grantOf(grant string) grantFunc {
	switch grant {
	case "device_code":
		return o.deviceStart
	case grantDevice:
		return o.deviceGrant
	case grantExchange:
		return o.exchangeGrant
	case "password":
		return o.passwordGrant
	case "client_credentials":
		return o.clientGrant
	case "refresh_token":
		return o.refreshGrant
	case "authorization_code":
		return o.codeGrant
	case grantJWT:
		return o.jwtGrant
	}
	return func(*http.Request, url.Values) (map[string]any, error) { return nil, unsupportedGrant() }
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
		writeOAuth(w, r, http.StatusInternalServerError, map[string]any{"error": "server_error", "error_description": "see the log of the sandbox org"})
		return
	}
	writeOAuthError(w, r, e)
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
	user, result, err := o.byPassword(r, form.Get("username"), form.Get("password"), true)
	switch {
	case err != nil:
		return nil, err
	case result == loginInactive:
		return nil, invalidGrant("inactive user")
	case result != loginOK:
		return nil, invalidGrant("authentication failure")
	}
	if err := o.mayUse(r.Context(), app, user.id); err != nil {
		return nil, err
	}
	return o.grant(r, app, session{user: user.id, client: app.ClientID, scope: app.scopeWithout(fullScope), name: user.username})
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
	if err != nil {
		return nil, err
	}
	if user == nil {
		return nil, invalidGrant("no client credentials user enabled")
	}
	scope := app.scopeWithout("api")
	answer, err := o.grant(r, app, session{user: user.id, client: app.ClientID, scope: scope, name: user.username})
	if err != nil {
		return nil, err
	}
	answer["scope"], answer["api_instance_url"] = scope, answer["instance_url"]
	return answer, nil
}

func (o *Org) refreshGrant(r *http.Request, form url.Values) (map[string]any, error) {
	if !o.FlowEnabled(FlowRefreshToken) {
		return nil, unsupportedGrant()
	}
	app, err := o.client(form, false)
	if err != nil {
		return nil, err
	}
	if app.RequireSecretRefresh && form.Get("client_secret") == "" {
		return nil, &oauthError{"invalid_client", "invalid client credentials"}
	}
	token := form.Get("refresh_token")
	s := o.sessions.find(token, true)
	if s == nil || s.client != app.ClientID {
		return nil, o.deadRefresh(r, app, token)
	}
	if err := o.mayUse(r.Context(), app, s.user); err != nil {
		return nil, err
	}
	answer, err := o.grant(r, app, session{user: s.user, client: s.client, scope: s.scope, name: s.name, family: s.family})
	if err != nil {
		return nil, err
	}
	answer["scope"] = s.scope
	switch {
	case o.rotates() || app.RotateRefreshTokens:
		ttl := app.refreshTTL()
		if app.RefreshTokenPolicy == RefreshAfter {
			ttl = s.expires.Sub(o.now()) // the while began with the first one
		}
		answer["refresh_token"], err = o.sessions.rotate(r.Context(), s, ttl)
	case app.RefreshTokenPolicy == RefreshUnused:
		err = o.sessions.prolong(r.Context(), s, app.refreshTTL())
	}
	return answer, err
}

// deadRefresh refuses a refresh token. One that was exchanged before is in two hands, so that its successor and all access
// tokens of the approval end (Salesforce Help, "Refresh Token Rotation").
func (o *Org) deadRefresh(r *http.Request, app *registered, token string) error {
	if spent := o.sessions.spentBy(token); spent != nil && spent.client == app.ClientID {
		if err := o.sessions.end(r.Context(), spent.sameFamily); err != nil {
			return err
		}
	}
	return invalidGrant("expired access/refresh token")
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
	verifier := form.Get("code_verifier")
	sum := sha256.Sum256([]byte(verifier))
	switch {
	case c.challenge == "" && verifier != "", c.challenge != "" && !same(base64.RawURLEncoding.EncodeToString(sum[:]), strings.TrimRight(c.challenge, "=")):
		return nil, invalidGrant("invalid code verifier")
	case (c.challenge == "" || app.RequireSecretWeb) && form.Get("client_secret") == "":
		return nil, &oauthError{"invalid_client", "invalid client credentials"}
	}
	return o.codeAnswer(r, app, c)
}

// codeAnswer gives what the scopes of the code allow: a refresh token, and with openid an id token.
func (o *Org) codeAnswer(r *http.Request, app *registered, c code) (map[string]any, error) {
	scopes := strings.Fields(c.scope)
	s := session{user: c.user, client: c.client, scope: c.scope, name: c.name, family: randomText(20)}
	if err := o.mayUse(r.Context(), app, c.user); err != nil {
		return nil, err
	}
	answer, err := o.grant(r, app, s)
	if err != nil {
		return nil, err
	}
	answer["scope"] = c.scope
	if slices.Contains(scopes, "refresh_token") || slices.Contains(scopes, "offline_access") {
		s.refresh = true
		if answer["refresh_token"], err = o.sessions.add(r.Context(), s, app.refreshTTL()); err != nil {
			return nil, err
		}
		if err := o.sessions.limitApprovals(r.Context(), c.user, c.client); err != nil {
			return nil, err
		}
	}
	if slices.Contains(scopes, "openid") {
		access, _ := answer["access_token"].(string)
		answer["id_token"], err = o.idToken(r, c.client, c.user, c.nonce, access)
	}
	return answer, err
}

// grant makes an access token and the answer that carries it, unless the user must not come in: not active, frozen, or from
// outside of the profile's login IP ranges.
func (o *Org) grant(r *http.Request, app *registered, s session) (map[string]any, error) {
	user, err := o.userByID(r.Context(), s.user)
	switch {
	case err != nil:
		return nil, err
	case user == nil || !user.mayEnter():
		return nil, invalidGrant("inactive user")
	case !app.RelaxIP && !o.mayCome(r.Context(), s.user, r.RemoteAddr):
		return nil, invalidGrant("ip restricted")
	}
	token, err := o.sessions.add(r.Context(), s, o.opts.SessionTTL)
	if err != nil {
		return nil, err
	}
	base := o.base(r)
	id := base + "/id/" + orgID + "/" + s.user
	issued := strconv.FormatInt(o.now().UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(app.ClientSecret))
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
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET, POST")
		writeFault(w, methodNotAllowed(r.Method))
		return
	}
	known, err := o.sessions.revoke(r.Context(), r.FormValue("token"))
	switch {
	case err != nil:
		o.refuseToken(w, r, err)
	case !known:
		writeOAuthError(w, r, &oauthError{"invalid_token", "invalid token"})
	default:
		w.Header().Set("Cache-Control", "no-store")
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

// userinfo answers GET and POST /services/oauth2/userinfo.
func (o *Org) userinfo(w http.ResponseWriter, r *http.Request) {
	s := o.identified(w, r)
	if s == nil {
		return
	}
	info, err := o.identityOf(r, s.user)
	if err != nil {
		o.writeFault(w, r, err)
		return
	}
	writeAs(w, r, http.StatusOK, "user", userinfoOf(info))
}

// identified is the session of who asks the identity service: by a header, or by a parameter as older clients do. nil: it was
// refused, in the service's own words (Salesforce Help, "Identity URLs").
func (o *Org) identified(w http.ResponseWriter, r *http.Request) *session {
	if r.Method != http.MethodGet && r.Method != http.MethodPost && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, POST")
		writeFault(w, methodNotAllowed(r.Method))
		return nil
	}
	token := orElse(bearer(r), orElse(r.FormValue("oauth_token"), r.FormValue("access_token")))
	if token == "" {
		refuseIdentity(w, "Missing_OAuth_Token")
		return nil
	}
	s := o.sessionOf(r.Context(), token, r.RemoteAddr)
	if s == nil {
		refuseIdentity(w, "Bad_OAuth_Token")
		return nil
	}
	note(w, s)
	return s
}

func refuseIdentity(w http.ResponseWriter, word string) {
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.Write([]byte(word))
}

// identity answers GET and POST /id/{org}/{user}. version is put into the addresses it tells, or latest.
func (o *Org) identity(w http.ResponseWriter, r *http.Request, segs []string) {
	s := o.identified(w, r)
	if s == nil {
		return
	}
	// The check characters of the org id are not looked at: there is one org.
	if len(segs[0]) < 15 || !strings.EqualFold(segs[0][:15], orgID[:15]) {
		refuseIdentity(w, "Wrong_Org")
		return
	}
	user, valid := normalID(segs[1])
	if valid {
		found, err := o.userByID(r.Context(), user)
		if err != nil {
			o.writeFault(w, r, err)
			return
		}
		valid = found != nil
	}
	if !valid {
		refuseIdentity(w, "Bad_Id")
		return
	}
	info, err := o.identityOf(r, user)
	if err != nil {
		o.writeFault(w, r, err)
		return
	}
	if version := r.FormValue("version"); version != "" {
		urls, _ := info["urls"].(map[string]string)
		for k, v := range urls {
			urls[k] = strings.ReplaceAll(v, "{version}", url.PathEscape(strings.Replace(version, "latest", itoa(maxVersion)+".0", 1)))
		}
	}
	writeAs(w, r, http.StatusOK, "user", info)
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
	key := "aPrx" + randomText(60) + "==" // which clients have to unescape, as the platform's
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

package salesforce

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	grantJWT     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	maxAssertion = 16 << 10 // bytes
	// milliSince tells seconds from milliseconds: as seconds it is the year 5138, as milliseconds 1973.
	milliSince = 100_000_000_000
)

// assertion is a JWT as clients send it: signed by RS256.
type assertion struct {
	Issuer   string    `json:"iss"`
	Subject  string    `json:"sub"`
	Person   string    `json:"prn"` // what sub was called in drafts of the grant, and still may be
	Audience audience  `json:"aud"`
	Expires  looseTime `json:"exp"`
	signed   string
	mac      []byte
}

// audience is one string, or a list of them (RFC 7519 §4.1.3).
type audience []string

// UnmarshalJSON reads either form.
func (a *audience) UnmarshalJSON(raw []byte) error {
	if bytes.HasPrefix(raw, []byte("[")) {
		return json.Unmarshal(raw, (*[]string)(a)) //nolint:wrapcheck // the assertion is refused as a whole
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err //nolint:wrapcheck // the assertion is refused as a whole
	}
	*a = audience{s}
	return nil
}

// looseTime is a moment in seconds or milliseconds since 1970, as a number or as a string: clients send each of these and
// the platform takes all.
type looseTime struct{ time.Time }

// UnmarshalJSON reads any of the forms.
func (t *looseTime) UnmarshalJSON(raw []byte) error {
	n, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	if err != nil {
		return err //nolint:wrapcheck // the assertion is refused as a whole
	}
	if n >= milliSince {
		n /= 1000
	}
	if n > milliSince || n < 0 || n != n { //nolint:gocritic // NaN
		return strconv.ErrRange
	}
	t.Time = time.UnixMilli(int64(n * 1000))
	return nil
}

// parseAssertion reads a JWT without checking its signature.
func parseAssertion(text string) (*assertion, bool) {
	if len(text) > maxAssertion {
		return nil, false
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, false
	}
	var raw [3][]byte
	for i, p := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(strings.TrimRight(p, "=")); err != nil {
			return nil, false
		}
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	a := &assertion{signed: parts[0] + "." + parts[1], mac: raw[2]}
	if json.Unmarshal(raw[0], &header) != nil || header.Algorithm != "RS256" || json.Unmarshal(raw[1], a) != nil {
		return nil, false
	}
	a.Subject = orElse(a.Subject, a.Person)
	return a, true
}

func (a *assertion) signedBy(keys []*rsa.PublicKey) bool {
	sum := sha256.Sum256([]byte(a.signed))
	return slices.ContainsFunc(keys, func(k *rsa.PublicKey) bool {
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], a.mac) == nil
	})
}

// jwtGrant exchanges a signed assertion for a token (OAuth 2.0 JWT bearer flow). The user must exist, and be let in by the
// app's policy.
func (o *Org) jwtGrant(r *http.Request, form url.Values) (map[string]any, error) {
	if !o.FlowEnabled(FlowJWTBearer) {
		return nil, unsupportedGrant()
	}
	a, valid := parseAssertion(form.Get("assertion"))
	if !valid {
		return nil, invalidGrant("invalid assertion")
	}
	app := o.apps.find(a.Issuer)
	switch {
	case app == nil:
		return nil, &oauthError{"invalid_client_id", "client identifier invalid"}
	case !a.signedBy(app.keys):
		return nil, invalidGrant("invalid assertion")
	case !o.now().Before(a.Expires.Time):
		return nil, invalidGrant("expired authorization code")
	case !slices.ContainsFunc(a.Audience, func(s string) bool { return o.isAudience(r, s) }):
		return nil, invalidGrant("Audience validation failed")
	}
	user, err := o.userByName(r.Context(), a.Subject)
	switch {
	case err != nil:
		return nil, err
	case user == nil:
		return nil, invalidGrant("user hasn't approved this consumer")
	}
	if err := o.hasApproved(r.Context(), app, user.id); err != nil {
		return nil, err
	}
	scope := app.scopeWithout(jwtScope)
	answer, err := o.grant(r, app, session{user: user.id, client: app.ClientID, scope: scope, name: user.username})
	if err != nil {
		return nil, err
	}
	answer["scope"] = scope
	delete(answer, "issued_at")
	delete(answer, "signature")
	return answer, nil
}

const jwtScope = "api web full id"

// isAudience accepts the platform's login addresses and any address of this org, a site's path included.
func (o *Org) isAudience(r *http.Request, s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	if h := strings.ToLower(u.Host); u.Scheme == "https" && (h == "login.salesforce.com" || h == "test.salesforce.com") {
		return strings.Trim(u.Path, "/") == ""
	}
	for _, base := range []string{o.base(r), "http://" + r.Host, "https://" + r.Host} {
		own, err := url.Parse(base)
		if err == nil && strings.EqualFold(own.Host, u.Host) && strings.EqualFold(own.Scheme, u.Scheme) {
			return true
		}
	}
	return false
}

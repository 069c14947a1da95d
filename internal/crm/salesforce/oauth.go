package salesforce

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
)

// assertionLife is how long a signed login request is good for. The platform takes three minutes at most ("OAuth 2.0 JWT
// Bearer Flow", exp).
const assertionLife = 2 * time.Minute

// assertion signs a login request for the user (RFC 7523; grant JWTBearer).
func (c *Client) assertion() (string, error) {
	now := time.Now()
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer: c.o.ClientID, Subject: c.o.Username, Audience: jwt.ClaimStrings{c.jwtAudience()},
		ExpiresAt: jwt.NewNumericDate(now.Add(assertionLife)),
	})
	signed, err := t.SignedString(c.key)
	if err != nil {
		return "", errs.Wrap(errs.Internal, err, "signing the login request")
	}
	return signed, nil
}

// jwtAudience is the login server a signed request names: production orgs and sandboxes have one each, whatever My Domain
// the request is sent to; a server that is not Salesforce's is its own.
func (c *Client) jwtAudience() string {
	host := strings.ToLower(c.login.Hostname())
	switch {
	case c.o.Audience != "":
		return c.o.Audience
	case strings.HasSuffix(host, ".sandbox.my.salesforce.com"), host == "test.salesforce.com":
		return "https://test.salesforce.com"
	case strings.HasSuffix(host, ".salesforce.com"):
		return "https://login.salesforce.com"
	}
	return c.login.String()
}

// Authorization is a sign-in by a person in their browser (authorization code with PKCE, RFC 7636).
type Authorization struct {
	URL      string // where the browser goes
	State    string // comes back with the code; it must be the same
	Verifier string // kept secret until Exchange
}

// Authorize begins a sign-in. redirect is the hub's own address that the app knows as its callback.
func Authorize(baseURL, clientID, redirect string) (Authorization, error) {
	u, err := url.Parse(strings.TrimRight(baseURL, "/"))
	if err != nil || u.Host == "" || clientID == "" {
		return Authorization{}, errs.New(errs.Invalid, "give the login address and the client id (consumer key) first")
	}
	a := Authorization{State: randomText(), Verifier: randomText()}
	sum := sha256.Sum256([]byte(a.Verifier))
	u.Path += "/services/oauth2/authorize"
	u.RawQuery = url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirect}, "scope": {"api refresh_token"}, "state": {a.State},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "prompt": {"login consent"},
	}.Encode()
	a.URL = u.String()
	return a, nil
}

// randomText returns 43 characters of 256 random bits.
func randomText() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// Exchange turns the code of a sign-in into a refresh token, which the grant RefreshToken uses from then on. o needs BaseURL,
// ClientID, HTTP and, when the app asks for it, ClientSecret. Errors are as of a login.
func Exchange(ctx context.Context, o Options, code, verifier, redirect string) (refreshToken string, err error) {
	o.Grant, o.RefreshToken = RefreshToken, "none yet"
	c, err := New(o)
	if err != nil {
		return "", err
	}
	defer c.Close()
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "client_id": {o.ClientID}, "code_verifier": {verifier},
	}
	if o.ClientSecret != "" {
		form.Set("client_secret", o.ClientSecret)
	}
	resp, err := o.HTTP.Do(ctx, &httpx.Request{
		Method: http.MethodPost, URL: c.login.String() + "/services/oauth2/token", Body: []byte(form.Encode()), Retry: httpx.RetryNever, Scope: o.Scope,
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}},
	})
	if err != nil {
		return "", errs.Wrap(errs.CodeOf(err), err, "Salesforce cannot be reached for the login: %s", errs.Message(err))
	}
	if resp.Status != http.StatusOK {
		return "", c.loginError(resp.Status, resp.Body, code, verifier)
	}
	a, ok := parseToken(resp.Body)
	switch {
	case !ok:
		return "", c.notSalesforce()
	case a.RefreshToken == "":
		return "", errs.New(errs.Invalid, "Salesforce gave no refresh token: add the scope refresh_token (perform requests at any time) to the app")
	}
	return a.RefreshToken, nil
}

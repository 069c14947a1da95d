// Package salesforce is the hub's client for a Salesforce org: it logs in, keeps the session, and sends REST requests to
// the org's instance for flows and write-backs.
//
// A session that has expired is renewed once, by one login for all requests that found it so, and their requests are
// repeated: a 401 was not processed. Everything else is repeated only where httpx.Retry says it is safe. Secrets and
// tokens appear in no error and no log.
package salesforce

import (
	"context"
	"crypto/rsa"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/singleflight"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
)

// Grant is the OAuth flow that a client logs in by.
type Grant string

// The grants.
const (
	// Password sends the user's name and password. Salesforce has it off by default in new orgs.
	Password Grant = "password"
	// ClientCredentials logs in as the user that the app names under "Run As".
	ClientCredentials Grant = "client_credentials"
	// RefreshToken renews a session that a person once permitted.
	RefreshToken Grant = "refresh_token"
	// JWTBearer signs a request for the user with a key whose certificate the app holds: no secret ever travels.
	JWTBearer Grant = "jwt_bearer"
	// SOAPLogin is no OAuth flow: the user's name and password go to the SOAP API, without an app. Salesforce has it off by
	// default in new orgs and ends it on SOAPLoginEnds.
	SOAPLogin Grant = "soap_login"
)

// Advice says what is to be known of a login flow before it is chosen; empty when there is nothing to warn of.
func (g Grant) Advice() string {
	switch g {
	case Password:
		return "Salesforce has the username-password flow off in new orgs and advises against it: the password travels with each login, and a changed password or token stops the connector. Use JWT bearer or client credentials."
	case SOAPLogin:
		return "Salesforce ends SOAP login on " + SOAPLoginEnds.Format("2 January 2006") + " and has it off in new orgs; this connector stops working then. The password travels with each login, and no app limits what the session may do. Use JWT bearer or client credentials."
	case ClientCredentials, RefreshToken, JWTBearer:
	}
	return ""
}

// Options describe a connection.
type Options struct {
	// BaseURL is the login address: https://MyDomain.my.salesforce.com, or https://login.salesforce.com.
	BaseURL      string
	Grant        Grant
	ClientID     string
	ClientSecret string
	// Username, Password and SecurityToken belong to the grants Password and SOAPLogin; the token is appended to the password and may
	// be empty when the hub's address is trusted by the org.
	Username      string
	Password      string
	SecurityToken string
	// PrivateKey belongs to the grant JWTBearer: an RSA key in PEM form whose certificate is in the app. Username is whom
	// it logs in as. Audience is the login server that the request is meant for; empty: see jwtAudience.
	PrivateKey string
	Audience   string
	// RefreshToken belongs to the grant RefreshToken.
	RefreshToken string
	// OnRefreshToken is told of a new refresh token when the org rotates them; the old one is dead by then, so it must
	// store the new one durably. When it fails the client works on and tells it again before later requests.
	OnRefreshToken func(ctx context.Context, newToken string) error

	// HTTP sends the requests; needed.
	HTTP *httpx.Client
	// Scope separates this connection from others of the hub to the same host, see httpx.Request.
	Scope string
	// RenewAfter is the age at which a session is renewed while it still works, in the background; 0 never. Salesforce
	// does not tell how long a session lives; the default of an org is two hours without use.
	RenewAfter time.Duration
	// Marker is the word in the marks of writes, DefaultMarker when empty, NoMarker for none; see Deliver.
	Marker string
	// Settle is how long a write without an answer is left alone before it is looked for; 0 means 20 s.
	Settle time.Duration
	// Reserve is the share of the org's daily API requests that background work leaves to live requests; 0 means 0.05.
	Reserve float64
	// LimitPause is how long an org is left alone that has used up its API requests; 0 means a minute.
	LimitPause time.Duration
	// Now is the clock that marks when a write went out; nil for time.Now.
	Now func() time.Time
	// Streams is where changes are heard of; see Subscribe.
	Streams Streams
	// Log takes what nobody waits for, such as a failed OnRefreshToken; nil for none.
	Log *slog.Logger
}

// Client sends requests to one org as one user. It is safe for concurrent use. Close must be called at the end.
type Client struct {
	o     Options
	login *url.URL
	log   *slog.Logger

	flight  singleflight.Group
	gate    *gate
	batch   *batcher
	marks   *finder
	missing sync.Map        // "Object.Field" -> when the org was found not to have it
	key     *rsa.PrivateKey // of the grant JWTBearer

	mu      sync.Mutex // guards what follows
	current *session   // nil before the first login
	refresh string     // the refresh token that is valid now
	unsaved bool       // OnRefreshToken has not yet taken refresh
	saveAt  time.Time  // not before then is it asked again
	trouble *trouble   // the last login's failure
	closed  bool
	running sync.WaitGroup // logins and composite requests, which outlive the request that asked first; Add is guarded by mu
}

// Request is one call of the org's API.
type Request struct {
	Method string // GET when empty
	// Path is below the instance, such as /services/data/v68.0/query or a nextRecordsUrl; it may carry a query. An
	// absolute URL is taken when it leads to the instance.
	Path   string
	Query  url.Values // added to what Path has
	Header http.Header
	Body   []byte
	// Retry says whether the request may be sent again after a failure; see httpx.Retry.
	Retry httpx.Retry
	// Timeout shortens that of the HTTP client.
	Timeout time.Duration
	// MaxResponseBytes bounds the answer; 0 means 32 MiB. The HTTP client may allow less.
	MaxResponseBytes int64
	// Urgency says whether the request may wait when the org's API requests run out.
	Urgency Urgency
}

// maxAnswer bounds an answer unless the request says otherwise, in bytes: 2,000 records with long texts.
const maxAnswer = 32 << 20

// Response is the org's answer, whatever its status.
type Response struct {
	Status int
	Header http.Header
	Body   []byte

	secrets []string // of the connection: errors never repeat them
}

// New returns a client; it sends nothing yet. It fails with Invalid when something that the grant needs is missing.
func New(o Options) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(o.BaseURL, "/"))
	switch {
	case o.HTTP == nil:
		return nil, errs.New(errs.Internal, "a Salesforce client needs an HTTP client")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "":
		return nil, errs.New(errs.Invalid, "the Salesforce address cannot be used: it looks like https://MyDomain.my.salesforce.com")
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Settle <= 0 {
		o.Settle = settle
	}
	c := &Client{o: o, login: u, log: log, refresh: o.RefreshToken, gate: newGate(o)}
	c.batch, c.marks = &batcher{c: c}, &finder{c: c}
	if o.Grant == JWTBearer {
		if c.key, err = jwt.ParseRSAPrivateKeyFromPEM([]byte(o.PrivateKey)); err != nil {
			return nil, errs.New(errs.Invalid, "the private key cannot be read: paste the RSA key in PEM form, from BEGIN to END, without a passphrase")
		}
	}
	return c, nil
}

func (o Options) check() error {
	need := []struct{ value, name string }{{o.ClientID, "the client id (consumer key)"}}
	switch o.Grant {
	case SOAPLogin:
		need = []struct{ value, name string }{{o.Username, "the user name"}, {o.Password, "the password"}}
	case Password:
		need = append(need, []struct{ value, name string }{
			{o.ClientSecret, "the client secret (consumer secret)"}, {o.Username, "the user name"}, {o.Password, "the password"},
		}...)
	case JWTBearer:
		need = append(need, []struct{ value, name string }{{o.Username, "the user name"}, {o.PrivateKey, "the private key"}}...)
	case ClientCredentials:
		need = append(need, struct{ value, name string }{o.ClientSecret, "the client secret (consumer secret)"})
	case RefreshToken:
		need = append(need, struct{ value, name string }{o.RefreshToken, "the refresh token"})
	default:
		return errs.New(errs.Invalid, "the login flow %q is unknown: use jwt_bearer, client_credentials, refresh_token, password or soap_login", o.Grant)
	}
	for _, n := range need {
		if strings.TrimSpace(n.value) == "" {
			return errs.New(errs.Invalid, "%s is missing: the login flow %s needs it", n.name, o.Grant)
		}
	}
	return nil
}

// background runs f so that Close waits for it, or refused when the client is closed.
func (c *Client) background(f func(), refused func(error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		refused(errClosed())
		return
	}
	c.running.Go(f)
}

func errClosed() error { return errs.New(errs.Unavailable, "the connection to Salesforce is closed") }

// Close waits for a login and for composite requests that run. Requests fail afterwards. The session is not revoked: other nodes may use it.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.running.Wait()
}

// Do sends a request with the session's token and returns the answer of any status; Response.Err makes an error of one
// that is none of 2xx and 3xx. An Authorization header of the request is replaced. Errors: Invalid for a path that
// cannot be used or credentials that Salesforce refuses, Denied for a URL to another host, and those of httpx.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	if err := c.gate.enter(r.Urgency); err != nil {
		return nil, err
	}
	s, err := c.session(ctx, nil)
	if err != nil {
		return nil, &signInError{err}
	}
	resp, err := c.send(ctx, s, r)
	if err != nil || !expired(resp) {
		return resp, err
	}
	if s, err = c.session(ctx, s); err != nil {
		return nil, &signInError{err}
	}
	return c.send(ctx, s, r)
}

// signInError says that a request could not be made for want of a session. The request itself may be right.
type signInError struct{ err error }

// Error returns the cause's text.
func (e *signInError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *signInError) Unwrap() error { return e.err }

func (c *Client) send(ctx context.Context, s *session, r Request) (*Response, error) {
	u, err := s.resolve(r.Path, r.Query)
	if err != nil {
		return nil, err
	}
	header := r.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	for name := range header { // whatever its spelling
		if strings.EqualFold(name, "Authorization") {
			delete(header, name)
		}
	}
	header.Set("Authorization", "Bearer "+s.token)
	if len(r.Body) > 0 && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	if r.MaxResponseBytes == 0 {
		r.MaxResponseBytes = maxAnswer
	}
	resp, err := c.o.HTTP.Do(ctx, &httpx.Request{
		Method: r.Method, URL: u, Header: header, Body: r.Body, Retry: r.Retry, Timeout: r.Timeout, Scope: c.o.Scope,
		MaxResponseBytes: r.MaxResponseBytes,
	})
	if err != nil {
		return nil, err
	}
	out := &Response{Status: resp.Status, Header: resp.Header, Body: resp.Body, secrets: c.secrets(s.token)}
	var e APIError
	if resp.Status >= http.StatusBadRequest {
		e = *parseError(out)
	}
	c.gate.heard(resp.Header.Get("Sforce-Limit-Info"), e.Code, e.Message)
	return out, nil
}

// expired tells an answer to a dead session: 401 INVALID_SESSION_ID from the API, 403 Bad_OAuth_Token from the identity
// service. A 401 without a readable code counts too.
func expired(r *Response) bool {
	switch r.Status {
	case http.StatusUnauthorized:
		code := parseError(r).Code
		return code == "" || code == "INVALID_SESSION_ID"
	case http.StatusForbidden:
		return strings.TrimSpace(string(r.Body)) == "Bad_OAuth_Token"
	default:
		return false
	}
}

// session is a login's result.
type session struct {
	token    string
	instance *url.URL // scheme and host
	since    time.Time
	identity string // path that says who is signed in, "/id/00D../005.."; may be empty
}

// resolve returns the URL of a path on the instance.
func (s *session) resolve(path string, query url.Values) (string, error) {
	var u *url.URL
	var err error
	if isAbsolute(path) {
		if u, err = url.Parse(path); err == nil && (u.User != nil || !sameOrigin(u, s.instance)) {
			return "", errs.New(errs.Denied, "the URL leads to %s: this connection calls %s only; give a path instead", u.Hostname(), s.instance.Hostname())
		}
	} else {
		// Slashes in front never name another host: //services is what the sf command line sends, too.
		u, err = url.Parse("/" + strings.TrimLeft(path, "/"))
	}
	if err != nil {
		return "", errs.New(errs.Invalid, "the path cannot be read: check it for spaces and percent signs")
	}
	out := url.URL{Scheme: s.instance.Scheme, Host: s.instance.Host, Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
	if len(query) > 0 {
		if out.RawQuery != "" {
			out.RawQuery += "&"
		}
		out.RawQuery += query.Encode()
	}
	return out.String(), nil
}

func isAbsolute(path string) bool {
	lower := strings.ToLower(path)
	return strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "http://")
}

func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case strings.EqualFold(u.Scheme, "http"):
		return "80"
	default:
		return "443"
	}
}

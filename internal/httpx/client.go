package httpx

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/tandemcc/tandem/internal/errs"
)

// Client sends requests under the rules of its Options. It is safe for concurrent use.
type Client struct {
	o     Options
	guard *guard
	hosts *hosts
	rt    http.RoundTripper
	close func()
	now   func() time.Time
}

// New returns a client. It fails with Invalid when an entry of Allow or Ports cannot be used.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	for _, p := range o.Ports {
		if p < 1 || p > 65535 {
			return nil, errs.New(errs.Invalid, "port %d is not possible: use 1 to 65535", p)
		}
	}
	g, err := newGuard(o)
	if err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "the list of allowed addresses cannot be used")
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		conf = o.TLS.Clone()
		conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	}
	t := &http.Transport{
		Proxy:                  nil, // a proxy from the environment would connect past the guard
		DialContext:            g.dial,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    o.ConnectTimeout,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    o.PerHost,
		MaxConnsPerHost:        0, // scopes share connections, not limits
		IdleConnTimeout:        60 * time.Second,
		MaxResponseHeaderBytes: o.MaxHeaderBytes,
		ExpectContinueTimeout:  time.Second,
		ForceAttemptHTTP2:      true,
	}
	return &Client{
		o: o, guard: g, hosts: newHosts(o.PerHost, o.BreakerFailures, o.BreakerPause),
		rt: t, close: t.CloseIdleConnections, now: time.Now,
	}, nil
}

func (o Options) withDefaults() Options {
	def(&o.Timeout, 10*time.Second)
	def(&o.ConnectTimeout, 5*time.Second)
	def(&o.MaxRequestBytes, 1<<20)
	def(&o.MaxResponseBytes, 1<<20)
	def(&o.MaxHeaderBytes, 64<<10)
	def(&o.MaxRedirects, 3)
	def(&o.MaxAttempts, 3)
	def(&o.Backoff, 200*time.Millisecond)
	def(&o.MaxBackoff, 5*time.Second)
	def(&o.PerHost, 16)
	def(&o.BreakerFailures, 8)
	def(&o.BreakerPause, 15*time.Second)
	def(&o.UserAgent, "Tandem")
	if o.Ports == nil {
		o.Ports = []int{80, 443, 8080, 8443}
	}
	return o
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Close closes the idle connections. Requests that run are not stopped; their contexts are.
func (c *Client) Close() { c.close() }

// Dial connects to addr, "host:port", under the same rules as requests: for protocols other than HTTP/1 and 2 by this client.
func (c *Client) Dial(ctx context.Context, addr string) (net.Conn, error) {
	return c.guard.dial(ctx, "tcp", addr)
}

// Do sends a request and reads the answer to its end. An answer of any status is no error, 500 after the last attempt
// too. Errors: Invalid for a request that can never be sent or a redirect that is not followed, Denied for an address
// that must not be called, Exhausted for a size or load limit, Unavailable when the host does not answer in time or is
// paused after failures.
func (c *Client) Do(ctx context.Context, r *Request) (*Response, error) {
	hr, err := c.prepare(r)
	if err != nil {
		return nil, err
	}
	timeout := c.o.Timeout
	if r.Timeout > 0 {
		timeout = min(max(timeout, c.o.MaxTimeout), r.Timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	st, done, err := c.hosts.use(r.Scope, hr.key)
	if err != nil {
		return nil, err
	}
	defer done()
	for attempt := 1; ; attempt++ {
		resp, err := c.attempt(ctx, st, hr, attempt)
		wait, again := c.again(r, resp, err, attempt)
		if !again || !pause(ctx, wait) {
			return resp, err
		}
	}
}

// prepared is a request that passed all checks that need no network.
type prepared struct {
	*Request
	method string
	url    *url.URL
	header http.Header
	key    string // host:port in canonical form
	limit  int64  // bytes of the answer
}

func (c *Client) prepare(r *Request) (*prepared, error) {
	p := &prepared{Request: r, method: r.Method, limit: c.o.MaxResponseBytes}
	if p.method == "" {
		p.method = http.MethodGet
	}
	if r.MaxResponseBytes > 0 {
		p.limit = min(p.limit, r.MaxResponseBytes)
	}
	if !httpguts.ValidHeaderFieldName(p.method) || p.method == http.MethodConnect {
		return nil, errs.New(errs.Invalid, "the request's method cannot be used: use GET, POST, PUT, PATCH or DELETE")
	}
	if int64(len(r.Body)) > c.o.MaxRequestBytes {
		return nil, errs.New(errs.Exhausted, "the request's body has %d bytes, %d are allowed: send less", len(r.Body), c.o.MaxRequestBytes)
	}
	u, err := url.Parse(r.URL)
	if err != nil { // its text quotes the URL
		return nil, errs.New(errs.Invalid, "the request's URL cannot be read: check it for spaces and percent signs")
	}
	if err := c.checkURL(u); err != nil {
		return nil, err
	}
	p.url, p.key = u, hostKey(u.Hostname(), portOf(u))
	p.header, err = c.headers(r.Header)
	return p, err
}

const maxURL = 16 << 10 // bytes; Salesforce answers 414 beyond, others sooner

func (c *Client) checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return errs.New(errs.Invalid, "the request's URL must start with https:// or http://")
	case u.Hostname() == "":
		return errs.New(errs.Invalid, "the request's URL names no host")
	case u.User != nil:
		return errs.New(errs.Invalid, "the request's URL holds a user or password: send them in an Authorization header")
	case len(u.String()) > maxURL:
		return errs.New(errs.Invalid, "the request's URL is longer than %d bytes: send the data in the body", maxURL)
	}
	if err := c.guard.checkPort(u.Hostname(), portOf(u)); err != nil {
		return errs.Wrap(errs.Denied, quiet{err}, "%s", err.Error())
	}
	return nil
}

// quiet keeps a cause for errors.As without repeating a text that the message has already.
type quiet struct{ error }

// Error returns nothing new.
func (q quiet) Error() string { return "refused before sending" }

// Unwrap returns the cause.
func (q quiet) Unwrap() error { return q.error }

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

const maxHeaders = 100

// headers copies a request's headers and refuses those that belong to the connection.
func (c *Client) headers(in http.Header) (http.Header, error) {
	out := make(http.Header, len(in)+1)
	size, count := int64(0), 0
	for name, values := range in {
		key := http.CanonicalHeaderKey(name)
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, errs.New(errs.Invalid, "a header's name has characters that are not allowed")
		}
		if connectionHeader(key) {
			return nil, errs.New(errs.Invalid, "the header %s is set by the hub itself: leave it out", key)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return nil, errs.New(errs.Invalid, "the value of header %s has characters that are not allowed, such as a line break", key)
			}
			size += int64(len(key) + len(v) + 4)
			count++
			out.Add(key, v)
		}
	}
	if size > c.o.MaxHeaderBytes || count > maxHeaders {
		return nil, errs.New(errs.Exhausted, "the request's headers are too large: %d headers and %d bytes are allowed", maxHeaders, c.o.MaxHeaderBytes)
	}
	// The transport asks for gzip and unpacks it under the size limit; what it does not ask for it does not unpack.
	out.Del("Accept-Encoding")
	if out.Get("User-Agent") == "" {
		out.Set("User-Agent", c.o.UserAgent)
	}
	return out, nil
}

func connectionHeader(key string) bool {
	return strings.HasPrefix(key, "Proxy-") || slices.Contains([]string{
		"Host", "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Expect",
	}, key)
}

// again decides on a repetition and how long to wait before it.
func (c *Client) again(r *Request, resp *Response, err error, attempt int) (time.Duration, bool) {
	if attempt >= c.o.MaxAttempts || !repeatable(r) {
		return 0, false
	}
	wait := c.backoff(attempt)
	if err != nil {
		var f *failed
		return wait, errors.As(err, &f) && (f.outcome == OutcomeTransport || f.outcome == OutcomeTimeout)
	}
	switch resp.Status {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return 0, false
	}
	asked := retryAfter(resp.Header.Get("Retry-After"), c.now())
	return max(wait, asked), asked <= c.o.MaxBackoff
}

func repeatable(r *Request) bool {
	switch r.Retry {
	case RetrySafe:
		return true
	case RetryNever:
		return false
	case RetryIdempotent:
	}
	return slices.Contains([]string{"", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete}, r.Method)
}

// backoff is a random share of an exponentially growing wait ("full jitter"), so that many clients do not return at once.
func (c *Client) backoff(attempt int) time.Duration {
	limit := c.o.Backoff << (attempt - 1)
	if limit <= 0 || limit > c.o.MaxBackoff {
		limit = c.o.MaxBackoff
	}
	return rand.N(limit + 1)
}

// retryAfter reads seconds or a date (RFC 9110 §10.2.3); 0 when there is none.
func retryAfter(v string, now time.Time) time.Duration {
	if v == "" {
		return 0
	}
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(n, 0), 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// pause waits; false when ctx ends before, at once when its deadline leaves no time.
func pause(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// displayHost is a host with its port unless that is the scheme's own.
func displayHost(u *url.URL) string {
	if u.Port() == "" {
		return u.Hostname()
	}
	return net.JoinHostPort(u.Hostname(), u.Port())
}

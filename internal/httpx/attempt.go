package httpx

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// failed is an attempt without a usable answer.
type failed struct {
	outcome Outcome
	err     error
}

// Error returns the cause's text.
func (f *failed) Error() string { return f.err.Error() }

// Unwrap returns the cause.
func (f *failed) Unwrap() error { return f.err }

// WasSent reports whether an error of Client.Do is of a request that was at least begun to be sent: what is wrong may be the other side,
// such as a gateway that redirects elsewhere. Else it is the request itself, or a limit here.
func WasSent(err error) bool {
	_, ok := errors.AsType[*failed](err)
	return ok
}

// attempt sends the request once, when its host may be asked.
func (c *Client) attempt(ctx context.Context, st *host, p *prepared, n int) (*Response, error) {
	began := c.now()
	ob := Observation{Scope: p.Scope, Host: p.key, Method: p.method, Attempt: n}
	report := func(outcome Outcome, status int) {
		if c.o.Observe != nil {
			ob.Outcome, ob.Status, ob.Duration = outcome, status, c.now().Sub(began)
			c.o.Observe(ob)
		}
	}
	if err := st.acquire(ctx, p.url.Hostname()); err != nil {
		report(OutcomeTimeout, 0)
		return nil, err
	}
	defer st.release()
	if wait, ok := st.breaker.allow(c.now()); !ok {
		report(OutcomeBreaker, 0)
		return nil, errs.New(errs.Unavailable, "%s failed several times in a row: it is asked again in %v", p.url.Hostname(), wait.Round(time.Second))
	}
	resp, err := c.follow(ctx, p)
	if err != nil {
		outcome := outcomeOf(ctx, err)
		st.breaker.record(verdictOf(ctx, outcome), c.now())
		report(outcome, 0)
		return nil, describe(p.url, &failed{outcome, err})
	}
	resp.Attempts = n
	if resp.Status >= http.StatusInternalServerError {
		st.breaker.record(failure, c.now())
		report(OutcomeServer, resp.Status)
		return resp, nil
	}
	st.breaker.record(success, c.now())
	report(OutcomeOK, resp.Status)
	return resp, nil
}

func outcomeOf(ctx context.Context, err error) Outcome {
	var r *refusal
	var ne net.Error
	switch {
	case errors.As(err, &r):
		return OutcomeRefused
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		return OutcomeTimeout
	default:
		return OutcomeTransport
	}
}

// verdictOf says what a failed attempt tells about its host; a caller that went away tells nothing.
func verdictOf(ctx context.Context, outcome Outcome) verdict {
	if outcome == OutcomeRefused || errors.Is(context.Cause(ctx), context.Canceled) {
		return neutral
	}
	return failure
}

// hop is one request on the way along redirects.
type hop struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte
}

// follow sends the request and goes along redirects within the same host.
func (c *Client) follow(ctx context.Context, p *prepared) (*Response, error) {
	h := hop{method: p.method, url: p.url, header: p.header, body: p.Body}
	for hops := 0; ; hops++ {
		resp, next, err := c.roundTrip(ctx, h, p.limit)
		if err != nil || next == nil {
			return resp, err
		}
		if hops >= c.o.MaxRedirects {
			return nil, refuse(errs.Invalid, "%s redirects too often: call the final address directly", h.url.Hostname())
		}
		if !sameSite(h.url, next) {
			return nil, refuse(errs.Invalid, "%s redirects to another host (%s): call that one directly", h.url.Hostname(), displayHost(next))
		}
		if err := c.checkURL(next); err != nil {
			return nil, &refusal{errs.CodeOf(err), errs.Message(err)}
		}
		// RFC 9110 §15.4: 303 turns everything into GET; for 301 and 302 that is what all clients do with POST.
		if resp.Status == http.StatusSeeOther || h.method == http.MethodPost && resp.Status < http.StatusTemporaryRedirect {
			h.method, h.body, h.header = http.MethodGet, nil, h.header.Clone()
			h.header.Del("Content-Type")
		}
		h.url = next
	}
}

// sameSite allows the same host, and the step from http to https on it.
func sameSite(from, to *url.URL) bool {
	if hostKey(from.Hostname(), "0") != hostKey(to.Hostname(), "0") {
		return false
	}
	upgrade := from.Scheme == "http" && to.Scheme == "https" && portOf(from) == "80" && portOf(to) == "443"
	return upgrade || from.Scheme == to.Scheme && portOf(from) == portOf(to)
}

// roundTrip sends one request and reads at most limit bytes of its answer; next is where a redirect leads.
func (c *Client) roundTrip(ctx context.Context, h hop, limit int64) (resp *Response, next *url.URL, err error) {
	var reader io.Reader
	if len(h.body) > 0 {
		reader = bytes.NewReader(h.body)
	}
	req, err := http.NewRequestWithContext(ctx, h.method, h.url.String(), reader)
	if err != nil {
		return nil, nil, refuse(errs.Invalid, "the request cannot be built: check its method and URL")
	}
	req.Header = h.header
	hr, err := c.rt.RoundTrip(req)
	if err != nil {
		return nil, nil, safe(err)
	}
	defer func() { _ = hr.Body.Close() }()
	if hr.StatusCode == http.StatusSwitchingProtocols {
		return nil, nil, refuse(errs.Invalid, "%s changed the protocol: only plain HTTP answers can be used", h.url.Hostname())
	}
	resp = &Response{Status: hr.StatusCode, Header: hr.Header}
	if next = location(hr, h.url); next != nil && c.o.MaxRedirects >= 0 {
		return resp, next, nil
	}
	resp.Body, err = read(hr, limit, h.url.Hostname())
	return resp, nil, err
}

func location(hr *http.Response, base *url.URL) *url.URL {
	switch hr.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil
	}
	v := hr.Header.Get("Location")
	if v == "" {
		return nil
	}
	next, err := base.Parse(v)
	if err != nil {
		return nil
	}
	return next
}

// read takes at most limit bytes, counted after decompression, so that a small packed answer cannot fill the memory.
func read(hr *http.Response, limit int64, host string) ([]byte, error) {
	tooLarge := refuse(errs.Exhausted, "the answer of %s is larger than %d bytes: ask for less, or raise the limit", host, limit)
	if hr.ContentLength > limit && hr.Request.Method != http.MethodHead {
		return nil, tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(hr.Body, limit+1))
	if err != nil {
		return nil, safe(err)
	}
	if int64(len(body)) > limit {
		return nil, tooLarge
	}
	return body, nil
}

// safe keeps errors whose texts name addresses and certificates only, and replaces those that could quote an answer.
func safe(err error) error {
	var (
		r    *refusal
		ne   net.Error
		dns  *net.DNSError
		op   *net.OpError
		cert *tls.CertificateVerificationError
		al   tls.AlertError
		hdr  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &r):
		return r
	case errors.As(err, &dns):
		return dns
	case errors.As(err, &cert):
		return cert
	case errors.As(err, &hdr):
		return errors.New("the host does not speak TLS on this port")
	case errors.As(err, &al):
		return al
	case errors.As(err, &op):
		return op
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &ne) && ne.Timeout():
		return context.DeadlineExceeded
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return errors.New("the connection was closed before the end of the answer")
	default:
		return errors.New("the answer is not valid HTTP")
	}
}

// describe gives a failed attempt a code and a message that says what to do.
func describe(u *url.URL, f *failed) error {
	host := displayHost(u)
	var (
		r    *refusal
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
	)
	switch {
	case errors.As(f.err, &r):
		return errs.Wrap(r.code, &failed{f.outcome, quiet{r}}, "%s", r.msg)
	case errors.As(f.err, &dns) && dns.IsNotFound:
		return errs.Wrap(errs.Unavailable, f, "the host %s is not known: check its name", u.Hostname())
	case errors.As(f.err, &cert):
		return errs.Wrap(errs.Unavailable, f, "the certificate of %s is not trusted: have its owner renew it, or add its authority to the hub", host)
	case errors.Is(f.err, syscall.ECONNREFUSED):
		return errs.Wrap(errs.Unavailable, f, "%s refuses connections: check host and port, and whether the server runs", host)
	case f.outcome == OutcomeTimeout:
		return errs.Wrap(errs.Unavailable, f, "%s did not answer in time: try again later, or allow it more time", host)
	default:
		return errs.Wrap(errs.Unavailable, f, "%s gave no usable answer: try again later, and check that the address is right", host)
	}
}

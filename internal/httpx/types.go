// Package httpx is the only way the hub calls foreign HTTP servers. Tenants choose the addresses, so a client refuses
// what could reach into the hub's own network (SSRF), bounds every size and time, retries only what is safe to send
// twice, and stops asking a host that keeps failing.
//
// Errors carry a code and a message that says what to do; they name the host but never the path, the query, a header or
// the body, since those hold personal data and secrets.
package httpx

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/netip"
	"time"
)

// Retry says whether a request may be sent more than once.
type Retry int

const (
	// RetryIdempotent repeats GET, HEAD, OPTIONS, PUT and DELETE (RFC 9110 §9.2.2), and nothing else.
	RetryIdempotent Retry = iota
	// RetrySafe says that the caller knows a repetition does no harm, whatever the method.
	RetrySafe
	// RetryNever sends the request once.
	RetryNever
)

// Options build a Client. Zero values mean the defaults named at each field.
type Options struct {
	// Timeout bounds one request with its retries, redirects, waits and body; 10 s.
	Timeout time.Duration
	// MaxTimeout bounds what a request may ask for with its own Timeout; 0: no more than Timeout.
	MaxTimeout time.Duration
	// ConnectTimeout bounds one connection attempt with its TLS handshake; 5 s.
	ConnectTimeout time.Duration
	// MaxRequestBytes bounds a request's body; 1 MiB.
	MaxRequestBytes int64
	// MaxResponseBytes bounds a response's body after decompression; 1 MiB.
	MaxResponseBytes int64
	// MaxHeaderBytes bounds the headers of a request, and those of a response; 64 KiB.
	MaxHeaderBytes int64
	// MaxRedirects is how many redirects within one host are followed; 3. Negative returns redirects as answers; else one
	// that leads to another host is an error.
	MaxRedirects int

	// Allow lists "host:port" pairs (name or address as it stands in the URL) that may be called on that port and may
	// resolve to loopback and private addresses. Link-local, metadata and multicast addresses must be listed as addresses.
	Allow []string
	// AllowPrivate permits loopback, private and carrier-grade NAT addresses for all hosts, on the permitted ports.
	AllowPrivate bool
	// Ports that may be connected to without being listed in Allow; 80, 443, 8080 and 8443.
	Ports []int

	// MaxAttempts is how often a request that is safe to repeat is sent; 3.
	MaxAttempts int
	// Backoff is the longest wait before the first repetition; it doubles up to MaxBackoff, and the wait is a random
	// share of it (full jitter); 200 ms.
	Backoff time.Duration
	// MaxBackoff bounds a wait, a server's Retry-After included: one that asks for more is not repeated; 5 s.
	MaxBackoff time.Duration

	// PerHost is how many requests run at once against one host and scope; more wait their turn; 16.
	PerHost int
	// BreakerFailures is how many failures (transport errors and 5xx) in a row stop requests to a host and scope; 8,
	// negative for never.
	BreakerFailures int
	// BreakerPause is how long a stopped host is left alone before one request tries it again; 15 s.
	BreakerPause time.Duration

	// UserAgent is sent unless the request has its own; "Tandem".
	UserAgent string
	// TLS is the base of the client's TLS settings; nil for the system's roots and TLS 1.2 or later.
	TLS *tls.Config
	// Resolver looks names up; nil for the system's.
	Resolver Resolver
	// Observe, when set, is told of every request sent, after its end. It must not block.
	Observe func(Observation)
}

// Resolver is the part of net.Resolver that a client uses.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Request is one call.
type Request struct {
	Method string // GET when empty
	URL    string // absolute, http or https
	Header http.Header
	Body   []byte
	// Retry says whether the request may be repeated after a transport error, 429, 500, 502, 503 or 504.
	Retry Retry
	// Timeout shortens the client's own, or lengthens it up to Options.MaxTimeout.
	Timeout time.Duration
	// MaxResponseBytes lowers the client's own.
	MaxResponseBytes int64
	// Scope separates the breaker and the concurrency limit of callers that share a host, such as tenants.
	Scope string
}

// Response is a server's answer, read to its end. Any status is a response, 500 too.
type Response struct {
	Status   int
	Header   http.Header
	Body     []byte
	Attempts int // how often the request was sent
}

// Outcome classifies a sent request for metrics.
type Outcome string

// The outcomes.
const (
	OutcomeOK        Outcome = "ok"        // an answer below 500
	OutcomeServer    Outcome = "server"    // an answer of 500 or more
	OutcomeTransport Outcome = "transport" // no answer
	OutcomeTimeout   Outcome = "timeout"   // no answer in time
	OutcomeRefused   Outcome = "refused"   // not sent or not read: address, port, redirect or size
	OutcomeBreaker   Outcome = "breaker"   // not sent: the host is paused
)

// Observation describes one attempt at a request.
type Observation struct {
	Scope    string
	Host     string // with port
	Method   string
	Status   int // 0 without an answer
	Outcome  Outcome
	Attempt  int // from 1
	Duration time.Duration
}

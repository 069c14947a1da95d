package kit

import (
	"net"
	"net/http"
	"strings"
)

// Limits bounds what one client may ask of a stand-in.
type Limits struct {
	URL        int   // bytes of the request target; longer: 414
	Body       int64 // bytes; reading past it fails with *http.MaxBytesError
	Concurrent int   // requests at once; more: 503
	// BodyOf overrules Body for a request, nil: it is the same for all.
	BodyOf func(r *http.Request) int64
}

// Middleware applies the limits in front of next. refuse writes an error in the platform's form.
func (l Limits) Middleware(refuse func(w http.ResponseWriter, r *http.Request, status int), next http.Handler) http.Handler {
	places := make(chan struct{}, l.Concurrent)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.RequestURI) > l.URL {
			refuse(w, r, http.StatusRequestURITooLong)
			return
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			refuse(w, r, http.StatusServiceUnavailable)
			return
		}
		limit := l.Body
		if l.BodyOf != nil {
			limit = l.BodyOf(r)
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}

// FromLoopback reports whether a request came from this machine and names it as such. The Host is checked too, so that a
// page of the open web cannot reach a stand-in by a name of its own that resolves to 127.0.0.1.
func FromLoopback(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() && loopbackName(r.Host)
}

func loopbackName(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// LoopbackOnly refuses what does not come from this machine, and changes asked for by pages of another origin.
func LoopbackOnly(next http.Handler) http.Handler {
	guarded := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !FromLoopback(r) {
			http.Error(w, "This page answers on the machine it runs on only: open it at 127.0.0.1.", http.StatusForbidden)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// CleanPath joins repeated slashes and drops a trailing one, as clients rely on: `//services/data/` is `/services/data`.
func CleanPath(path string) string {
	if !strings.Contains(path, "//") && (len(path) < 2 || !strings.HasSuffix(path, "/")) {
		return path
	}
	var b strings.Builder
	b.Grow(len(path))
	for part := range strings.SplitSeq(path, "/") {
		if part != "" {
			b.WriteByte('/')
			b.WriteString(part)
		}
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// PageHeaders sets the headers of a human page: no script, no framing, nothing from elsewhere.
func PageHeaders(h http.Header) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

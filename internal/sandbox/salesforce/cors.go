package salesforce

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// corsList is the org's allow list of web origins (Salesforce help, "Configure Salesforce CORS Allowlist"): scripts of other
// origins than these may not call its APIs. It is kept in memory, and empty at first as in a new org.
type corsList struct {
	mu      sync.RWMutex // guards origins
	origins []string     // https://app.example.com, https://*.example.com or http://localhost:3000
}

const maxOrigins = 100

// corsSwitches adds PUT /sandbox/api/cors {"origins": [...]}, which sets the list.
func (o *Org) corsSwitches(mux *http.ServeMux) {
	mux.HandleFunc("PUT /sandbox/api/cors", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Origins []string `json:"origins"`
		}
		if err := strict(r, &in); err != nil || len(in.Origins) > maxOrigins || slices.ContainsFunc(in.Origins, badOrigin) {
			writeFault(w, badRequest("INVALID_INPUT", `send {"origins": [...]} with at most %d such as https://app.example.com, https://*.example.com or http://localhost:3000`, maxOrigins))
			return
		}
		o.cors.mu.Lock()
		defer o.cors.mu.Unlock()
		o.cors.origins = in.Origins
		w.WriteHeader(http.StatusNoContent)
	})
}

// badOrigin reports whether a text is no pattern of an origin: https, or http for this machine, and a host without a path.
func badOrigin(s string) bool {
	u, err := url.Parse(strings.Replace(s, "://*.", "://", 1))
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || strings.Contains(u.Host, "*") {
		return true
	}
	local := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1"
	return u.Scheme != "https" && (u.Scheme != "http" || !local)
}

func (c *corsList) allows(origin string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.ContainsFunc(c.origins, func(pattern string) bool {
		scheme, domain, wild := strings.Cut(strings.ToLower(pattern), "*")
		origin := strings.ToLower(origin)
		if !wild {
			return origin == scheme
		}
		return strings.HasPrefix(origin, scheme) && strings.HasSuffix(origin, domain) && len(origin) > len(scheme)+len(domain)
	})
}

// crossOrigin answers browsers that ask whether a script may call the REST APIs, and refuses calls of scripts that may not.
func (o *Org) crossOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := r.Header.Get("Origin")
		path := strings.ToLower(r.URL.Path)
		if from == "" || from == o.base(r) || !strings.HasPrefix(path, "/services/data") && !strings.HasPrefix(path, "/services/apexrest") {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		if !o.cors.allows(from) {
			writeFault(w, fault(http.StatusForbidden, "CORS_ORIGIN_NOT_ALLOWED", "the origin %s is not on the CORS allow list: add it by PUT /sandbox/api/cors", shorten(from)))
			return
		}
		h.Set("Access-Control-Allow-Origin", from)
		h.Set("Access-Control-Expose-Headers", "ETag, Last-Modified, Location, Sforce-Limit-Info, Sforce-Locator, Sforce-NumberOfRecords")
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", "DELETE, GET, HEAD, PATCH, POST, PUT")
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
			h.Set("Access-Control-Allow-Headers", asked)
		}
		h.Set("Access-Control-Max-Age", "86400")
		w.WriteHeader(http.StatusOK)
	})
}

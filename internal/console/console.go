// Package console serves the agent desk and the console: a single-page application built from web/
// into dist and embedded here. The Go build needs no npm: with an empty dist the handler answers a
// page that says how to build the console.
//
// Files under assets/ carry a hash of their content in their name and are cached for ever. Every
// other path that names no file answers index.html, so that the application's own addresses can be
// opened and reloaded.
package console

import (
	"crypto/rand"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// The folder holds at least .gitkeep, which "all:" lets the pattern match.
//
//go:embed all:dist
var dist embed.FS

//go:embed placeholder.html
var placeholder string

// The policy is a file of its own so that the browser tests serve the pages under the same one.
//
//go:embed csp.txt
var policy string

const (
	cacheForever = "public, max-age=31536000, immutable"
	cacheShort   = "public, max-age=300"
	cacheNever   = "no-store"

	assetsDir  = "assets/"
	apiDir     = "api/"
	nonceBytes = 18
)

// An Option changes what Handler serves.
type Option func(*handler)

// FrameOrigins allows the desk to show screen pops of these origins ("https://crm.example.com")
// inside itself. What is not an http or https origin is ignored. The default is none: such screen
// pops open in a tab.
func FrameOrigins(origins ...string) Option {
	return func(h *handler) {
		for _, origin := range origins {
			if clean, ok := cleanOrigin(origin); ok {
				h.frames = append(h.frames, clean)
			}
		}
	}
}

// Handler serves the console. It is safe for concurrent use and belongs at "/" of a mux, behind
// the API's more specific patterns.
func Handler(options ...Option) http.Handler {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		// The name is a constant, so fs.Sub cannot refuse it.
		panic(err)
	}
	return newHandler(files, options...)
}

func newHandler(files fs.FS, options ...Option) *handler {
	h := &handler{files: files, server: http.FileServerFS(files), index: placeholder, packed: packAll(files)}
	if built, err := fs.ReadFile(files, "index.html"); err == nil {
		h.index = string(built)
	}
	for _, option := range options {
		option(h)
	}
	return h
}

type handler struct {
	files  fs.FS
	server http.Handler
	index  string
	frames []string
	packed map[string]func() []byte
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	switch {
	case h.isFile(name):
		h.serveFile(w, r, name)
	case strings.HasPrefix(name, apiDir):
		// A program that mistypes an address must not get a page for an answer.
		w.Header().Set("Cache-Control", cacheNever)
		http.Error(w, "no such operation; see /api/v1/openapi.json", http.StatusNotFound)
	case strings.HasPrefix(name, assetsDir):
		// An old page asking for a file of a former build must not get HTML in place of a script.
		w.Header().Set("Cache-Control", cacheNever)
		http.Error(w, "no such file; reload the page", http.StatusNotFound)
	default:
		h.serveIndex(w, r)
	}
}

func (h *handler) isFile(name string) bool {
	if name == "" || name == "index.html" || strings.HasPrefix(path.Base(name), ".") {
		return false
	}
	info, err := fs.Stat(h.files, name)
	return err == nil && info.Mode().IsRegular()
}

func (h *handler) serveFile(w http.ResponseWriter, r *http.Request, name string) {
	cache := cacheShort
	if strings.HasPrefix(name, assetsDir) {
		cache = cacheForever
	}
	w.Header().Set("Cache-Control", cache)
	// A worker script is a document of its own to the policy.
	w.Header().Set("Content-Security-Policy", h.policy(""))
	if pack, ok := h.packed[name]; ok {
		w.Header().Set("Vary", "Accept-Encoding")
		if packed := pack(); packed != nil && acceptsGzip(r) {
			servePacked(w, r, name, packed)
			return
		}
	}
	h.server.ServeHTTP(w, r)
}

// serveIndex writes the page with a nonce of its own: the styles that the interface makes at run
// time carry it, and no others are accepted.
func (h *handler) serveIndex(w http.ResponseWriter, r *http.Request) {
	nonce, err := newNonce()
	if err != nil {
		http.Error(w, "no randomness", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", cacheNever)
	header.Set("Content-Security-Policy", h.policy(nonce))
	if r.Method == http.MethodHead {
		return
	}
	page := strings.NewReplacer("__CSP_NONCE__", nonce, "__FRAME_ORIGINS__", strings.Join(h.frames, " "))
	// The client is gone when this fails; there is nobody left to tell.
	_, _ = page.WriteString(w, h.index)
}

func (h *handler) policy(nonce string) string {
	frames := "'none'"
	if len(h.frames) > 0 {
		frames = strings.Join(h.frames, " ")
	}
	text := strings.Join(strings.Fields(policy), " ")
	if nonce == "" {
		text = strings.Replace(text, " 'nonce-{nonce}'", "", 1)
	}
	return strings.NewReplacer("{nonce}", nonce, "{frames}", frames).Replace(text)
}

// secure sets what every answer carries. Pop-ups keep their own world, so that a named tab for
// screen pops can be found again.
func secure(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin-allow-popups")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Permissions-Policy", "microphone=(self), speaker-selection=(self), camera=(), geolocation=(), payment=(), usb=(), display-capture=()")
}

func newNonce() (string, error) {
	raw := make([]byte, nonceBytes)
	if _, err := rand.Read(raw); err != nil {
		return "", fmt.Errorf("making a nonce: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// cleanOrigin keeps scheme, host and port only: anything else could break out of the policy.
func cleanOrigin(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", false
	}
	if strings.ContainsAny(u.Host, " ;,'\"<>&*") {
		return "", false
	}
	return u.Scheme + "://" + u.Host, true
}

package flowtest

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/flow"
)

// glob reports whether s matches a pattern in which * stands for any text.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, last)
}

// anyGlob reports whether one of the names matches; an empty pattern matches all.
func anyGlob(pattern string, names ...string) bool {
	if pattern == "" {
		return true
	}
	for _, n := range names {
		if glob(pattern, n) {
			return true
		}
	}
	return false
}

// address is a request's whole address.
func address(h *flow.HTTP) string {
	u := h.URL + h.Path
	if len(h.Query) == 0 {
		return u
	}
	q := make([]string, 0, len(h.Query))
	for _, p := range h.Query {
		q = append(q, url.QueryEscape(p.Name)+"="+url.QueryEscape(p.Value))
	}
	sep := "?"
	if strings.Contains(u, "?") {
		sep = "&"
	}
	return u + sep + strings.Join(q, "&")
}

// matches reports whether a request is one the method and the pattern mean.
func matches(method, pattern, haveMethod, haveURL string) bool {
	if method != "" && method != "*" && !strings.EqualFold(method, haveMethod) {
		return false
	}
	if pattern == "" {
		return true
	}
	path := haveURL
	if _, rest, found := strings.Cut(haveURL, "://"); found {
		path = "/"
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			path = rest[i:]
		}
	}
	for _, u := range []string{haveURL, path} {
		bare, _, _ := strings.Cut(u, "?")
		if glob(pattern, u) || glob(pattern, bare) {
			return true
		}
	}
	return false
}

// contains reports whether a text holds another, whatever the case and the blanks.
func contains(text, part string) bool {
	norm := func(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
	return strings.Contains(norm(text), norm(part))
}

// show renders a value in one line.
func show(v any) string {
	switch t := v.(type) {
	case nil:
		return "(unset)"
	case string:
		return strconv.Quote(t)
	default:
		return fmt.Sprint(t)
	}
}

// clip shortens a text at a character's border.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xC0 == 0x80 {
		limit--
	}
	return s[:limit] + "..."
}

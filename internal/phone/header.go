package phone

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/tandemcc/tandem/internal/voice"
)

// expire ends a finished transaction long before the library would.
func (p *Phone) expire(tx sip.ServerTransaction) {
	time.AfterFunc(lingerRounds*p.cfg.T1, tx.Terminate)
}

const maxHeaderText = 120

// headerText makes text safe for a quoted header parameter: printable ASCII, no quotes.
func headerText(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() == maxHeaderText {
			break
		}
		if r >= ' ' && r < 0x7F && r != '"' && r != '\\' {
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}

// routeSet returns the Route values for requests within a dialog: the Record-Route values in order as callee, reversed as
// caller (RFC 3261 §12.1).
func routeSet(msg sip.Message, reverse bool) []string {
	var routes []string
	for _, h := range msg.GetHeaders("Record-Route") {
		routes = append(routes, splitList(h.Value())...)
	}
	if reverse {
		for i, j := 0, len(routes)-1; i < j; i, j = i+1, j-1 {
			routes[i], routes[j] = routes[j], routes[i]
		}
	}
	return routes
}

// splitList splits a header's value at commas outside of quotes and angle brackets.
func splitList(value string) []string {
	var parts []string
	start, quoted, angle := 0, false, false
	for i := range len(value) {
		switch c := value[i]; {
		case c == '"' && !angle:
			quoted = !quoted
		case c == '<' && !quoted:
			angle = true
		case c == '>' && !quoted:
			angle = false
		case c == ',' && !quoted && !angle:
			parts = append(parts, strings.TrimSpace(value[start:i]))
			start = i + 1
		}
	}
	return append(parts, strings.TrimSpace(value[start:]))
}

// routed returns the request URI and Route values. A first hop without lr is a strict router, which takes the request URI's place
// (RFC 3261 §12.2.1.1).
func routed(target sip.Uri, routes []string) (sip.Uri, []string) {
	if len(routes) == 0 {
		return *target.Clone(), nil
	}
	_, first, ok := identity(routes[0])
	var uri sip.Uri
	if !ok || sip.ParseUri(first, &uri) != nil || uri.UriParams.Has("lr") {
		return *target.Clone(), routes
	}
	rest := append([]string{}, routes[1:]...)
	return uri, append(rest, "<"+target.String()+">")
}

// behindNAT reports whether a Contact cannot be reached from here: a private address, while the peer's packets come from another.
func behindNAT(contactHost, source string) bool {
	src, err := netip.ParseAddrPort(source)
	if err != nil {
		return false
	}
	host, err := netip.ParseAddr(strings.Trim(contactHost, "[]"))
	return err == nil && host.IsPrivate() && host != src.Addr().Unmap() && !src.Addr().Unmap().IsPrivate()
}

// infoDigit reads the body of an INFO: "Signal=5\r\nDuration=160" or a bare key. The duration is in milliseconds.
func infoDigit(kind, body string) (voice.Digit, bool) {
	var key, duration string
	switch {
	case isType(kind, "application/dtmf"):
		key = body
	case isType(kind, "application/dtmf-relay"):
		for line := range strings.Lines(body) {
			name, value, _ := strings.Cut(line, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "signal":
				key = value
			case "duration":
				duration = value
			}
		}
	default:
		return voice.Digit{}, false
	}
	key = strings.ToUpper(strings.TrimSpace(key))
	if len(key) != 1 || !strings.Contains("0123456789*#ABCD", key) {
		return voice.Digit{}, false
	}
	ms, err := strconv.ParseUint(strings.TrimSpace(duration), 10, 16)
	if err != nil {
		ms = 0 // absent
	}
	return voice.Digit{Key: rune(key[0]), Duration: time.Duration(ms) * time.Millisecond}, true
}

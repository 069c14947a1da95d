// Package telemetry sets up what operators see of a running hub: logs with secrets and personal data masked, metrics
// and traces.
package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// LogOptions choose a logger's form.
type LogOptions struct {
	Format string // json or text; text when empty
	Level  string // debug, info, warn or error; info when empty
}

// NewLogger returns a logger that writes to w, with secrets and personal data masked as Redact says.
func NewLogger(w io.Writer, o LogOptions) (*slog.Logger, error) {
	var level slog.Level
	if o.Level != "" {
		if err := level.UnmarshalText([]byte(o.Level)); err != nil {
			return nil, fmt.Errorf("log level %q is unknown: use debug, info, warn or error", o.Level)
		}
	}
	ho := &slog.HandlerOptions{Level: level}
	switch o.Format {
	case "", "text":
		return slog.New(Redact(slog.NewTextHandler(w, ho))), nil
	case "json":
		return slog.New(Redact(slog.NewJSONHandler(w, ho))), nil
	default:
		return nil, fmt.Errorf("log format %q is unknown: use json or text", o.Format)
	}
}

// Masked stands in a log where a secret was.
const Masked = "***"

// Redact wraps a handler so that attributes whose key names a secret (password, token, authorization, ...) are replaced
// by Masked, and those whose key names personal data (ani, phone, email, name parts, ...) keep only a hint: the last two
// digits of a number, the domain of an address. Keys are compared without case, hyphens and underscores, by their words.
// Groups and LogValuers are looked into. The message and errors are left alone: do not put such data there.
func Redact(h slog.Handler) slog.Handler { return redactor{h} }

type redactor struct{ next slog.Handler }

// Enabled asks the handler behind.
func (r redactor) Enabled(ctx context.Context, l slog.Level) bool { return r.next.Enabled(ctx, l) }

// Handle passes the record on with its attributes masked.
func (r redactor) Handle(ctx context.Context, rec slog.Record) error {
	out := slog.NewRecord(rec.Time, rec.Level, rec.Message, rec.PC)
	rec.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(mask(a))
		return true
	})
	return r.next.Handle(ctx, out)
}

// WithAttrs masks the attributes once.
func (r redactor) WithAttrs(attrs []slog.Attr) slog.Handler {
	return redactor{r.next.WithAttrs(maskAll(attrs))}
}

// WithGroup keeps masking inside the group.
func (r redactor) WithGroup(name string) slog.Handler { return redactor{r.next.WithGroup(name)} }

func maskAll(attrs []slog.Attr) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = mask(a)
	}
	return out
}

func mask(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	kind := classify(a.Key)
	switch {
	case kind == secretKey:
		return slog.String(a.Key, Masked)
	case a.Value.Kind() == slog.KindGroup:
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(maskAll(a.Value.Group())...)}
	case kind == personalKey:
		return slog.String(a.Key, Hint(a.Value.String()))
	default:
		return a
	}
}

// Hint shortens personal data to what still helps to recognise it in a log: the domain of an e-mail or SIP address, the
// last two digits of a number of seven or more; anything else is masked whole.
func Hint(s string) string {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		return Masked + s[at:]
	}
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
	if len(digits) >= 7 && len(s)-len(digits) <= 6 {
		return Masked + digits[len(digits)-2:]
	}
	return Masked
}

type keyKind int

const (
	plainKey keyKind = iota
	secretKey
	personalKey
)

// classify decides by a key's words: access_token, accessToken and access-token are "access" and "token".
func classify(key string) keyKind {
	ws := words(key)
	joined := strings.Join(ws, "")
	for _, s := range []string{"password", "passwd", "secret", "authorization", "apikey", "accesskey", "privatekey", "credential", "passphrase"} {
		if strings.Contains(joined, s) {
			return secretKey
		}
	}
	has := func(set ...string) bool {
		return slices.ContainsFunc(ws, func(w string) bool { return slices.Contains(set, w) })
	}
	switch {
	case has("token", "tokens", "bearer", "cookie", "cookies", "jwt", "signature", "pin", "otp"):
		return secretKey
	case has("ani", "phone", "mobile", "email", "mail", "msisdn", "birthdate", "dob", "ssn", "sms"):
		return personalKey
	}
	for _, s := range []string{"phonenumber", "callernumber", "callerid", "firstname", "lastname", "fullname", "emailaddress"} {
		if strings.Contains(joined, s) {
			return personalKey
		}
	}
	return plainKey
}

// words splits a key at case changes and at everything that is no letter or digit, in lower case.
func words(key string) []string {
	var out []string
	start, prevLower := 0, false
	flush := func(end int) {
		if end > start {
			out = append(out, strings.ToLower(key[start:end]))
		}
	}
	for i, r := range key {
		upper := r >= 'A' && r <= 'Z'
		letter := upper || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127
		switch {
		case !letter:
			flush(i)
			start = i + 1
		case upper && prevLower:
			flush(i)
			start = i
		}
		prevLower = letter && !upper
	}
	flush(len(key))
	return out
}

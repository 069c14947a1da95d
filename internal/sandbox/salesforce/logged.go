package salesforce

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// loggedChange is an entry of the log on its way there.
type loggedChange struct {
	channel      string
	kind         changeKind
	ids          []string
	user, origin string
	data         []byte
	n            int64
}

// maxMerged is how many records one event tells of. The platform changes records in portions of 200.
const maxMerged = 200

// merges reports whether the same change of several records is one event.
func (k changeKind) merges() bool { return k == kindUpdate || k == kindDelete }

// takes reports whether next tells of the same change of another record: in one transaction, to the same values, and by
// their LastModifiedDate in the same second (Change Data Capture guide, "Merged Change Events").
func (l *loggedChange) takes(next *loggedChange) bool {
	return l != nil && len(l.ids) < maxMerged && l.kind == next.kind && l.channel == next.channel && l.user == next.user &&
		l.origin == next.origin && bytes.Equal(l.data, next.data) && !slices.Contains(l.ids, next.ids[0])
}

// logEvent writes an entry of the log in the transaction under way.
func (s *store) logEvent(ctx context.Context, tx *sql.Tx, l *loggedChange) error {
	t := &s.txn
	err := s.add(ctx, tx, addChangeRow, t.at.UnixMilli(), l.channel, string(l.kind), strings.Join(l.ids, ","), l.user, t.key, l.n, l.data, t.commit, l.origin)
	if err != nil {
		return fmt.Errorf("logging a change: %w", err)
	}
	return nil
}

// release writes the entry that was held back for more records.
func (s *store) release(ctx context.Context, tx *sql.Tx) error {
	held := s.txn.held
	if held == nil {
		return nil
	}
	s.txn.held = nil
	return s.logEvent(ctx, tx, held)
}

// logMark is what was logged at a savepoint.
type logMark struct {
	changes    int64
	held       *loggedChange
	overflowed map[string]bool
}

func (t *txnState) mark() logMark {
	m := logMark{changes: t.changes, overflowed: maps.Clone(t.overflowed)}
	if t.held != nil {
		held := *t.held
		held.ids = slices.Clone(held.ids)
		m.held = &held
	}
	return m
}

// undo forgets what was logged since a savepoint that was gone back to.
func (t *txnState) undo(m logMark) { t.changes, t.held, t.overflowed = m.changes, m.held, m.overflowed }

// transactionKey names a transaction as the platform does.
func transactionKey() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the program instead
	return uuidText(raw)
}

// uuidText writes 16 bytes in the form of a UUID.
func uuidText(raw [16]byte) string {
	s := hex.EncodeToString(raw[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

type originKey struct{}

// maxOrigin bounds the name a client gives itself.
const maxOrigin = 200

// withOrigin says which API a change comes by, with the name the client gives itself, if any (Change Data Capture guide,
// "ChangeEventHeader Fields", changeOrigin).
func withOrigin(ctx context.Context, api string, version int, client string) context.Context {
	origin := "com/salesforce/api/" + api + "/" + itoa(version) + ".0"
	if client != "" {
		origin += ";client=" + strings.ToValidUTF8(client[:min(len(client), maxOrigin)], "")
	}
	return context.WithValue(ctx, originKey{}, origin)
}

// originOf is what changeOrigin says of a change, "" where no API made it.
func originOf(ctx context.Context) string {
	origin, _ := ctx.Value(originKey{}).(string)
	return origin
}

// callOption reads an option of the Sforce-Call-Options header, such as "client=caseSensitiveToken, defaultNamespace=x".
func callOption(h http.Header, name string) string {
	for part := range strings.SplitSeq(h.Get("Sforce-Call-Options"), ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// eventMoment writes a moment as JSON events do: with milliseconds only where there are some.
func eventMoment(buf []byte, t time.Time) []byte {
	if t.Nanosecond()/int(time.Millisecond) == 0 {
		return t.UTC().AppendFormat(buf, "2006-01-02T15:04:05Z")
	}
	return t.UTC().AppendFormat(buf, eventTime)
}

// eventUUIDKey is what a platform event's name is logged and delivered as (Platform Events guide, "EventUuid").
const eventUUIDKey = "EventUuid"

// eventUUID names a platform event by the id of its record.
func eventUUID(id string) string {
	sum := sha256.Sum256([]byte("event " + id))
	return uuidText([16]byte(sum[:16]))
}

// withEventUUID puts the name of a platform event before its fields.
func withEventUUID(fields []byte, name string) []byte {
	out := appendString([]byte(`{"`+eventUUIDKey+`":`), name)
	if len(fields) > len("{}") {
		out = append(out, ',')
	}
	return append(out, fields[1:]...)
}

// uuid names an event the same way each time it is delivered: a platform event as its publisher was told.
func (c *change) uuid() string {
	var in struct {
		Name string `json:"EventUuid"`
	}
	if c.kind == kindEvent && json.Unmarshal(c.data, &in) == nil && in.Name != "" {
		return in.Name
	}
	return eventUUID(strconv.FormatInt(c.seq, 10))
}

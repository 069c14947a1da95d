package salesforce

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// changeKind is what happened to a record, as change events name it.
type changeKind string

const (
	kindCreate changeKind = "CREATE"
	kindUpdate changeKind = "UPDATE"
	kindDelete changeKind = "DELETE"
	// kindUndelete is a record that came back from the bin.
	kindUndelete changeKind = "UNDELETE"
	kindTopic    changeKind = "TOPIC" // an event of a PushTopic, with its JSON as the data
	kindEvent    changeKind = "EVENT" // a platform event, with its fields as the data

	kindPush changeKind = "PUSH" // a notification of a generic streaming channel, with its text and users as the data

	kindOverflow changeKind = "GAP_OVERFLOW" // there were too many changes to tell
)

// How long events can be replayed: change events and platform events (Pub/Sub API guide, "Event Message Durability"), and
// those of PushTopics and generic streaming channels (Streaming API guide, "Message Durability").
const (
	retention      = 72 * time.Hour
	topicRetention = 24 * time.Hour
)

// qChangeTable is the log of all that was changed, in the order of the commits: there is one writer, so numbers are given
// in that order. The numbers are the replay ids of every stream.
const qChangeTable = `
CREATE TABLE IF NOT EXISTS change (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, channel TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
  user_id TEXT NOT NULL, txn TEXT NOT NULL, n INTEGER NOT NULL, data BLOB NOT NULL,
  commit_no INTEGER NOT NULL DEFAULT 0, origin TEXT NOT NULL DEFAULT '') STRICT;
CREATE INDEX IF NOT EXISTS change_channel ON change (channel, seq);`

var addChangeRow = newInsertion("change", []string{"at", "channel", "kind", "id", "user_id", "txn", "n", "data", "commit_no", "origin"}, "") //nolint:gochecknoglobals // never changed

// bell wakes whoever waits for commits.
type bell struct {
	mu sync.Mutex // guards ch
	ch chan struct{}
}

// wait returns a channel that is closed at the next ring. Ask for it before looking at what may have changed.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// tracked reports whether changes of an entity are events.
func (o *object) tracked() bool {
	return !o.event && !o.setup
}

// channelOf is the name change events of an entity are logged under: Account is AccountChangeEvent, Foo__c is Foo__ChangeEvent.
func channelOf(obj *object) string {
	if n := len(obj.name); obj.custom() {
		return obj.name[:n-1] + "ChangeEvent"
	}
	return obj.name + "ChangeEvent"
}

// logChange adds a change to the log, in the change's own transaction, and the events of the PushTopics it meets. now is
// the record as it is, old as it was: nil for a new one.
func (o *Org) logChange(ctx context.Context, tx *sql.Tx, user string, obj *object, kind changeKind, old, now record) error {
	if !obj.tracked() {
		return nil
	}
	data := appendFields(make([]byte, 0, 512), obj, kind, old, now)
	if err := o.addChange(ctx, tx, channelOf(obj), kind, now.text("Id"), user, data); err != nil {
		return err
	}
	return o.logTopics(ctx, tx, user, obj, kind, old, now)
}

func (o *Org) addChange(ctx context.Context, tx *sql.Tx, channel string, kind changeKind, id, user string, data []byte) error {
	t := &o.store.txn
	if t.key == "" {
		t.key, t.at, t.commit = transactionKey(), o.now(), o.store.commits+1
		if err := o.prune(ctx, tx); err != nil {
			return err
		}
	}
	t.changes++
	if kind, id, data = t.bounded(channel, kind, id, data); kind == "" {
		return nil
	}
	if kind, data = o.strikeEvent(ctx, channel, kind, user, data); kind == "" {
		return nil
	}
	next := loggedChange{channel: channel, kind: kind, ids: []string{id}, user: user, origin: originOf(ctx), data: data, n: t.changes}
	if t.held.takes(&next) {
		t.held.ids = append(t.held.ids, id)
		t.changes-- // numbers are those of events
		return nil
	}
	if kind == kindTopic || kind == kindEvent || kind == kindPush {
		return o.store.logEvent(ctx, tx, &next) // of a channel of its own: what is held need not come first
	}
	if err := o.store.release(ctx, tx); err != nil {
		return err
	}
	if !kind.merges() || o.channels.refines(channel) { // what is added to an event is of one record
		return o.store.logEvent(ctx, tx, &next)
	}
	t.held = &next
	return nil
}

// maxChanges is how many changes of a transaction are events of their own.
const maxChanges = 100_000

// bounded keeps events within the platform's limits: one that is too large becomes a gap event, and what a transaction
// changes past the first 100,000 one overflow event an entity (Change Data Capture guide, "Gap Events" and "Overflow
// Events"). The kind is empty when there is to be no event.
func (t *txnState) bounded(channel string, kind changeKind, id string, data []byte) (changeKind, string, []byte) {
	switch {
	case kind == kindTopic || kind == kindEvent || kind == kindPush:
	case t.changes > maxChanges && t.overflowed[channel]:
		return "", "", nil
	case t.changes > maxChanges:
		if t.overflowed == nil {
			t.overflowed = map[string]bool{}
		}
		t.overflowed[channel] = true
		return kindOverflow, "", []byte("{}")
	case len(data) > maxEvent:
		return gap + kind, id, []byte("{}")
	}
	return kind, id, data
}

// appendFields writes the values an event carries, as the store holds them: all that are set of a new record, what differs
// of a changed one, large texts by their lines, and nothing of a deleted one.
func appendFields(buf []byte, obj *object, kind changeKind, old, now record) []byte {
	buf = append(buf, '{')
	if kind == kindDelete {
		return append(buf, '}')
	}
	for _, f := range obj.fields {
		v := now[f.name]
		if unlogged(f) || (kind == kindCreate || kind == kindUndelete) && v == nil && f.kind != typeBoolean || kind == kindUpdate && v == old[f.name] && f.name != "LastModifiedDate" {
			continue
		}
		if len(buf) > 1 {
			buf = append(buf, ',')
		}
		buf = append(appendString(buf, f.name), ':')
		if diff, short := diffOf(f, kind, old, now); short {
			buf = append(appendString(append(buf, `{"diff":`...), string(diff)), '}')
		} else {
			buf = appendStored(buf, f, v)
		}
	}
	return append(buf, '}')
}

// unlogged reports whether events never carry a field.
func unlogged(f *field) bool {
	return f.writeOnly || f.name == "Id" || f.name == "IsDeleted" || f.name == "SystemModstamp"
}

// diffOf is the change of a large text; false: the field is none, or is sent whole.
func diffOf(f *field, kind changeKind, old, now record) (textDiff, bool) {
	if kind != kindUpdate || f.kind != typeTextArea {
		return "", false
	}
	return diffText(old.text(f.name), now.text(f.name))
}

func appendStored(buf []byte, f *field, v any) []byte {
	switch x := v.(type) {
	case string:
		return appendString(buf, x)
	case int64:
		return strconv.AppendInt(buf, x, 10)
	case float64:
		return strconv.AppendFloat(buf, x, 'g', -1, 64)
	case bool:
		return strconv.AppendInt(buf, bit(x), 10)
	}
	if f.kind == typeBoolean {
		return append(buf, '0')
	}
	return append(buf, "null"...)
}

// change is an entry of the log.
type change struct {
	seq     int64
	at      time.Time
	channel string
	kind    changeKind
	id      string // of the record, several with commas between
	user    string
	txn     string
	n       int64
	data    []byte
	commit  int64 // number of the transaction; 0: of a log that did not keep it
	origin  string

	extra record // unchanged values that a custom channel adds
}

// fields reads the values of a change event or platform event as the store holds them.
func (c *change) fields(obj *object) (record, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(c.data, &raw); err != nil {
		return nil, fmt.Errorf("reading a change: %w", err)
	}
	out := record{}
	for name, text := range raw {
		f := obj.field(name)
		if f == nil {
			continue // a field that was taken away since
		}
		v, err := storedValue(f, text)
		if err != nil {
			return nil, fmt.Errorf("reading a change of %s: %w", name, err)
		}
		out[f.name] = v
	}
	return out, nil
}

func storedValue(f *field, text []byte) (any, error) {
	if string(text) == "null" {
		return nil, nil //nolint:nilnil // no value
	}
	switch f.sqlType() {
	case "INTEGER":
		n, err := strconv.ParseInt(string(text), 10, 64)
		return n, err //nolint:wrapcheck // wrapped by the caller
	case "REAL":
		n, err := strconv.ParseFloat(string(text), 64)
		return n, err //nolint:wrapcheck // wrapped by the caller
	}
	if f.kind == typeTextArea && bytes.HasPrefix(text, []byte("{")) {
		var in struct {
			Diff textDiff `json:"diff"`
		}
		err := json.Unmarshal(text, &in)
		return in.Diff, err //nolint:wrapcheck // wrapped by the caller
	}
	var s string
	err := json.Unmarshal(text, &s)
	return s, err //nolint:wrapcheck // wrapped by the caller
}

const (
	qChangeColumns = `SELECT seq, at, channel, kind, id, user_id, txn, n, data, commit_no, origin FROM change WHERE seq > ? AND `
	qChanges       = qChangeColumns + `channel = ? ORDER BY seq LIMIT ?`
	qAllChanges    = qChangeColumns + `kind NOT IN ('TOPIC', 'EVENT', 'PUSH') ORDER BY seq LIMIT ?`
	qSomeChanges   = qChangeColumns + `channel IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?`
	qLastChange    = `SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'change'), 0)`
)

// allChanges is the channel of the change events of all entities.
const allChanges = "ChangeEvents"

// changesAfter reads up to n changes of a topic after a number, oldest first, and of large ones no more than exceed
// size bytes, though one at least: so much of a subscriber's is in memory at once.
func (o *Org) changesAfter(ctx context.Context, topic string, after int64, n, size int) (out []*change, err error) {
	query, args := qChanges, []any{after, logChannel(topic), n}
	if c := o.channels.byTopic(topic); c != nil {
		members, err := json.Marshal(c.logs())
		if err != nil {
			return nil, fmt.Errorf("encoding a channel: %w", err)
		}
		query, args = qSomeChanges, []any{after, string(members), n}
	} else if logChannel(topic) == allChanges {
		query, args = qAllChanges, []any{after, n}
	}
	rows, err := o.store.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for size > 0 && rows.Next() {
		c := &change{}
		var at int64
		if err := rows.Scan(&c.seq, &at, &c.channel, &c.kind, &c.id, &c.user, &c.txn, &c.n, &c.data, &c.commit, &c.origin); err != nil {
			return nil, fmt.Errorf("reading the changes: %w", err)
		}
		c.at = time.UnixMilli(at)
		out = append(out, c)
		size -= len(c.data) + len(c.id)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the changes: %w", err)
	}
	return out, nil
}

func (o *Org) one64(ctx context.Context, query string, args ...any) (int64, error) {
	var n int64
	if err := o.store.read.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("reading the change log: %w", err)
	}
	return n, nil
}

// lastChange is the number of the newest change there ever was; 0: none.
func (o *Org) lastChange(ctx context.Context) (int64, error) { return o.one64(ctx, qLastChange) }

// firstChange is the number before the oldest change that is no older than a time.
func (o *Org) firstChange(ctx context.Context, age time.Duration) (int64, error) {
	return o.one64(ctx, `SELECT COALESCE((SELECT seq - 1 FROM change WHERE at >= ? ORDER BY seq LIMIT 1), (`+qLastChange+`))`, o.now().Add(-age).UnixMilli())
}

const (
	pruneStep = 5000
	pruneEach = 10 * time.Minute
)

// prune drops changes past the retention, some at a time so that no transaction is long.
func (o *Org) prune(ctx context.Context, tx *sql.Tx) error {
	now := o.now()
	if now.Sub(o.store.pruned) < pruneEach && !now.Before(o.store.pruned) {
		return nil
	}
	res, err := tx.ExecContext(ctx, `DELETE FROM change WHERE seq IN (SELECT seq FROM change ORDER BY seq LIMIT ?) AND at < ?`, pruneStep, now.Add(-retention).UnixMilli())
	if err != nil {
		return fmt.Errorf("dropping old changes: %w", err)
	}
	if n, err := res.RowsAffected(); err == nil && n < pruneStep {
		o.store.pruned = now // else there is more to drop next time
	}
	return nil
}

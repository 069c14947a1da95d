package sqlstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/tandemcc/tandem/internal/event"
)

const (
	qEventRead      = `SELECT seq, tenant, type, subject, at, data FROM events WHERE seq > $1 AND tenant = $2 ORDER BY seq LIMIT $3`
	qEventReadAll   = `SELECT seq, tenant, type, subject, at, data FROM events WHERE seq > $1 ORDER BY seq LIMIT $2`
	qEventHead      = `SELECT coalesce(max(seq), 0) FROM events`
	qEventOldest    = `SELECT coalesce(min(seq), 0) FROM events`
	qEventPurge     = `DELETE FROM events WHERE at < $1`
	qCursorGet      = `SELECT seq FROM event_cursors WHERE consumer = $1`
	qCursorSet      = `INSERT INTO event_cursors (consumer, seq) VALUES ($1, $2) ON CONFLICT (consumer) DO UPDATE SET seq = excluded.seq`
	qOutboxTake     = `DELETE FROM event_outbox WHERE id IN (SELECT id FROM event_outbox ORDER BY id LIMIT 2000) RETURNING id, tenant, type, subject, at, data`
	qEventInsertSeq = `INSERT INTO events (seq, tenant, type, subject, at, data) VALUES ($1, $2, $3, $4, $5, $6)`
	qCounterAdd     = `INSERT INTO counters (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value RETURNING value`
)

// Events returns the event log.
func (db *DB) Events() event.Log { return eventLog{db} }

type eventLog struct{ db *DB }

func scanEvent(s scanner) (event.Event, error) {
	var e event.Event
	var at int64
	var data string
	err := s.Scan(&e.Seq, &e.Tenant, &e.Type, &e.Subject, &at, &data)
	e.At, e.Data = fromMS(at), json.RawMessage(data)
	return e, err
}

// Read implements event.Log.
func (l eventLog) Read(ctx context.Context, tenant string, after int64, limit int) (list []event.Event, err error) {
	err = l.db.View(ctx, func(tx *Tx) error {
		if tenant == "" {
			list, err = all(ctx, tx, scanEvent, qEventReadAll, after, limit)
		} else {
			list, err = all(ctx, tx, scanEvent, qEventRead, after, tenant, limit)
		}
		return err
	})
	return list, err
}

func (l eventLog) number(ctx context.Context, q string, args ...any) (n int64, err error) {
	err = l.db.View(ctx, func(tx *Tx) error {
		_, err := tx.row(ctx, []any{&n}, q, args...)
		return err
	})
	return n, err
}

// Head implements event.Log.
func (l eventLog) Head(ctx context.Context) (int64, error) { return l.number(ctx, qEventHead) }

// Oldest implements event.Log.
func (l eventLog) Oldest(ctx context.Context) (int64, error) { return l.number(ctx, qEventOldest) }

// Cursor implements event.Log.
func (l eventLog) Cursor(ctx context.Context, consumer string) (int64, error) {
	return l.number(ctx, qCursorGet, consumer)
}

// SetCursor implements event.Log.
func (l eventLog) SetCursor(ctx context.Context, consumer string, seq int64) error {
	return l.db.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, qCursorSet, consumer, seq)
		return err
	})
}

// Purge implements event.Log.
func (l eventLog) Purge(ctx context.Context, before time.Time) (n int64, err error) {
	err = l.db.Update(ctx, func(tx *Tx) error {
		n, err = tx.exec(ctx, qEventPurge, ms(before))
		return err
	})
	return n, err
}

package sqlstore

import (
	"context"
	"time"
)

// Setting returns a tenant's named value; ok is false when there is none. The tenant "" holds the installation's own.
func (db *DB) Setting(ctx context.Context, tenant, name string) (value string, ok bool, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		var version int
		ok, err = tx.row(ctx, []any{&value, &version}, qSettingGet, tenant, name)
		return err
	})
	return value, ok, err
}

// PutSetting stores a tenant's named value.
func (db *DB) PutSetting(ctx context.Context, tenant, name, value string) error {
	return db.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, qSettingPut, tenant, name, value)
		return err
	})
}

// Clip returns a stored, sealed piece of audio; ok is false when there is none.
func (db *DB) Clip(ctx context.Context, tenant, name string) (body []byte, ok bool, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		ok, err = tx.row(ctx, []any{&body}, qClipGet, tenant, name)
		return err
	})
	return body, ok, err
}

// PutClip stores a sealed piece of audio.
func (db *DB) PutClip(ctx context.Context, tenant, name string, body []byte, at time.Time) error {
	return db.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, qClipPut, tenant, name, body, ms(at))
		return err
	})
}

// PurgeClips removes audio not made since before; it is made again when it is needed.
func (db *DB) PurgeClips(ctx context.Context, before time.Time) (n int64, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		n, err = tx.exec(ctx, qClipPurge, ms(before))
		return err
	})
	return n, err
}

// Counts are rough numbers for an overview.
type Counts struct{ Contacts, Events, JobsWaiting int64 }

// Counts returns how much a tenant has.
func (db *DB) Counts(ctx context.Context, tenant string) (c Counts, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		for q, into := range map[string]*int64{qCountContacts: &c.Contacts, qCountEvents: &c.Events, qCountJobs: &c.JobsWaiting} {
			if _, err := tx.row(ctx, []any{into}, q, tenant); err != nil {
				return err
			}
		}
		return nil
	})
	return c, err
}

const (
	qCountContacts = `SELECT count(*) FROM contacts WHERE tenant = $1`
	qCountEvents   = `SELECT count(*) FROM events WHERE tenant = $1`
	qCountJobs     = `SELECT count(*) FROM jobs WHERE tenant = $1 AND state IN ('available', 'scheduled', 'retryable', 'running')`
)

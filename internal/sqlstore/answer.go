package sqlstore

import (
	"context"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

const (
	qAnswerInsert = `INSERT INTO answers (tenant, principal, key_hash, request_hash, answer, at) VALUES ($1, $2, $3, $4, $5, $6)`
	qAnswerGet    = `SELECT request_hash, answer FROM answers WHERE tenant = $1 AND principal = $2 AND key_hash = $3`
	qAnswerSet    = `UPDATE answers SET answer = $4 WHERE tenant = $1 AND principal = $2 AND key_hash = $3`
	qAnswerDrop   = `DELETE FROM answers WHERE tenant = $1 AND principal = $2 AND key_hash = $3`
	qAnswerStale  = `DELETE FROM answers WHERE tenant = $1 AND principal = $2 AND key_hash = $3 AND at < $4`
	qAnswerPurge  = `DELETE FROM answers WHERE at < $1`
)

// Answer is what is kept of a request that must not be done twice.
type Answer struct {
	Tenant, Principal string
	Key               []byte // hash of the key the client chose
	Request           []byte // hash of the request
	Sealed            []byte // empty: the request has not been answered
}

// BeginAnswer reserves a's key. When it was taken at stale or later, it changes nothing and returns what is there with
// taken true.
func (db *DB) BeginAnswer(ctx context.Context, a Answer, now, stale time.Time) (have Answer, taken bool, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		have, taken = a, false
		if _, err := tx.exec(ctx, qAnswerStale, a.Tenant, a.Principal, a.Key, ms(stale)); err != nil {
			return err
		}
		ok, err := tx.row(ctx, []any{&have.Request, &have.Sealed}, qAnswerGet, a.Tenant, a.Principal, a.Key)
		if taken = ok; ok || err != nil {
			return err
		}
		_, err = tx.exec(ctx, qAnswerInsert, a.Tenant, a.Principal, a.Key, a.Request, []byte{}, ms(now))
		if errs.Is(err, errs.Conflict) {
			return errs.Wrap(errs.Conflict, err, "a request with this key has just begun")
		}
		return err
	})
	return have, taken, err
}

// EndAnswer stores the answer of a's key; without an answer it frees the key.
func (db *DB) EndAnswer(ctx context.Context, a Answer) error {
	return db.Update(ctx, func(tx *Tx) (err error) {
		if len(a.Sealed) == 0 {
			_, err = tx.exec(ctx, qAnswerDrop, a.Tenant, a.Principal, a.Key)
		} else {
			_, err = tx.exec(ctx, qAnswerSet, a.Tenant, a.Principal, a.Key, a.Sealed)
		}
		return err
	})
}

// PurgeAnswers removes those older than before.
func (db *DB) PurgeAnswers(ctx context.Context, before time.Time) (n int64, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		n, err = tx.exec(ctx, qAnswerPurge, ms(before))
		return err
	})
	return n, err
}

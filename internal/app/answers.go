package app

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/clock"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/sqlstore"
)

// answersKept is how long the answer to a request with an Idempotency-Key is kept.
const answersKept = 24 * time.Hour

// answers keeps what the API answered, sealed: an answer may hold a token that is shown once.
type answers struct {
	db    *sqlstore.DB
	ring  *keyring.Ring
	clock *clock.Clock
	as    caller.Principal
}

func answerAAD(who string, key []byte) []byte {
	return []byte("answer/" + who + "/" + hex.EncodeToString(key))
}

// Begin implements httpapi.Answers.
func (a *answers) Begin(ctx context.Context, who string, key, request []byte) (usedBy, answer []byte, taken bool, err error) {
	now := a.clock.Now()
	have, taken, err := a.db.BeginAnswer(ctx, sqlstore.Answer{Tenant: Tenant, Principal: who, Key: key, Request: request}, now, now.Add(-answersKept))
	if err != nil || !taken || len(have.Sealed) == 0 {
		return have.Request, nil, taken, err
	}
	answer, err = a.ring.Open(caller.As(ctx, a.as), Tenant, have.Sealed, answerAAD(who, key))
	return have.Request, answer, true, err
}

// End implements httpapi.Answers.
func (a *answers) End(ctx context.Context, who string, key, answer []byte) (err error) {
	row := sqlstore.Answer{Tenant: Tenant, Principal: who, Key: key}
	if len(answer) > 0 {
		if row.Sealed, err = a.ring.Seal(caller.As(ctx, a.as), Tenant, keyring.Secret, "answers", answerAAD(who, key), answer); err != nil {
			return err
		}
	}
	return a.db.EndAnswer(ctx, row)
}

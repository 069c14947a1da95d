package sqlstore

import (
	"context"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/identity"
)

var _ identity.Tx = (*Tx)(nil)

const (
	userColumns = `SELECT tenant, id, login, personal, roles, password, disabled, created_at, updated_at, last_login_at, version FROM users `

	qUserInsert = `INSERT INTO users (tenant, id, login, personal, roles, password, disabled, created_at, updated_at, last_login_at, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	qUserUpdate = `UPDATE users SET personal = $4, roles = $5, password = $6, disabled = $7, updated_at = $8, version = version + 1
		WHERE tenant = $1 AND id = $2 AND version = $3`
	qUserLogin   = `UPDATE users SET password = $3, last_login_at = $4 WHERE tenant = $1 AND id = $2`
	qUserByID    = userColumns + `WHERE tenant = $1 AND id = $2`
	qUserByLogin = userColumns + `WHERE tenant = $1 AND login = $2`
	qUserList    = userColumns + `WHERE tenant = $1 AND login > $2 ORDER BY login LIMIT $3`

	qLoginAttempts    = `SELECT failures, locked_until, at FROM login_attempts WHERE tenant = $1 AND login_hash = $2`
	qLoginAttemptsPut = `INSERT INTO login_attempts (tenant, login_hash, failures, locked_until, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant, login_hash) DO UPDATE SET failures = excluded.failures, locked_until = excluded.locked_until, at = excluded.at`
	qLoginAttemptsDelete = `DELETE FROM login_attempts WHERE tenant = $1 AND login_hash = $2`
	qLoginAttemptsPurge  = `DELETE FROM login_attempts WHERE at < $1 AND locked_until < $2`

	qLoginSessionInsert = `INSERT INTO login_sessions (hash, tenant, user_id, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`
	qLoginSession       = `SELECT hash, tenant, user_id, created_at, seen_at, expires_at FROM login_sessions WHERE hash = $1`
	qLoginSessionTouch  = `UPDATE login_sessions SET seen_at = $2 WHERE hash = $1`
	qLoginSessionDelete = `DELETE FROM login_sessions WHERE hash = $1`
	qUserSessionsDelete = `DELETE FROM login_sessions WHERE tenant = $1 AND user_id = $2 AND hash <> $3`
	qLoginSessionsPurge = `DELETE FROM login_sessions WHERE expires_at <= $1 OR seen_at <= $2`

	apiTokenColumns = `SELECT tenant, id, name, roles, created_by, created_at, expires_at, used_at FROM api_tokens `

	//nolint:gosec // a statement, no credential
	qAPITokenInsert = `INSERT INTO api_tokens (tenant, id, hash, name, roles, created_by, created_at, expires_at, used_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)`
	qAPITokenByHash   = apiTokenColumns + `WHERE hash = $1`
	qAPITokenList     = apiTokenColumns + `WHERE tenant = $1 ORDER BY id DESC LIMIT $2`
	qAPITokenListFrom = apiTokenColumns + `WHERE tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3`
	qAPITokenTouch    = `UPDATE api_tokens SET used_at = $3 WHERE tenant = $1 AND id = $2`
	qAPITokenDelete   = `DELETE FROM api_tokens WHERE tenant = $1 AND id = $2` //nolint:gosec // a statement, no credential

	qAccessKeyInsert = `INSERT INTO access_keys (id, tenant, secret, name, roles, created_by, created_at, used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)`
	qAccessKey       = `SELECT id, tenant, name, roles, created_by, created_at, used_at, secret FROM access_keys WHERE id = $1`
	qAccessKeyList   = `SELECT id, tenant, name, roles, created_by, created_at, used_at FROM access_keys WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3`
	qAccessKeyTouch  = `UPDATE access_keys SET used_at = $2 WHERE id = $1`
	qAccessKeyDelete = `DELETE FROM access_keys WHERE tenant = $1 AND id = $2`
)

// Roles are stored as words with a space between them.
func joinRoles(roles []string) string { return strings.Join(roles, " ") }

func splitRoles(s string) []string { return strings.Fields(s) }

func scanUser(s scanner) (u identity.UserRow, err error) {
	var roles string
	var disabled, created, updated, login int64
	err = s.Scan(&u.Tenant, &u.ID, &u.Login, &u.Personal, &roles, &u.Password, &disabled, &created, &updated, &login, &u.Version)
	u.Roles, u.Disabled = splitRoles(roles), disabled != 0
	u.CreatedAt, u.UpdatedAt, u.LastLoginAt = fromMS(created), fromMS(updated), fromMS(login)
	return u, err
}

// InsertUser implements identity.Tx.
func (tx *Tx) InsertUser(ctx context.Context, u identity.UserRow) error {
	_, err := tx.exec(ctx, qUserInsert, u.Tenant, u.ID, u.Login, u.Personal, joinRoles(u.Roles), u.Password, flag(u.Disabled),
		ms(u.CreatedAt), ms(u.UpdatedAt), ms(u.LastLoginAt), u.Version)
	return err
}

// UpdateUser implements identity.Tx.
func (tx *Tx) UpdateUser(ctx context.Context, u identity.UserRow) error {
	n, err := tx.exec(ctx, qUserUpdate, u.Tenant, u.ID, u.Version, u.Personal, joinRoles(u.Roles), u.Password, flag(u.Disabled), ms(u.UpdatedAt))
	if err == nil && n == 0 {
		return errs.New(errs.Conflict, "the user was changed meanwhile; load it again")
	}
	return err
}

// RecordLogin implements identity.Tx.
func (tx *Tx) RecordLogin(ctx context.Context, tenant, id, password string, at time.Time) error {
	return tx.must(ctx, errNoUser, qUserLogin, tenant, id, password, ms(at))
}

const errNoUser = "the user does not exist"

func (tx *Tx) oneUser(ctx context.Context, q string, args ...any) (identity.UserRow, error) {
	list, err := all(ctx, tx, scanUser, q, args...)
	if err != nil {
		return identity.UserRow{}, err
	}
	if len(list) == 0 {
		return identity.UserRow{}, errs.New(errs.NotFound, errNoUser)
	}
	return list[0], nil
}

// UserByID implements identity.Tx.
func (tx *Tx) UserByID(ctx context.Context, tenant, id string) (identity.UserRow, error) {
	return tx.oneUser(ctx, qUserByID, tenant, id)
}

// UserByLogin implements identity.Tx.
func (tx *Tx) UserByLogin(ctx context.Context, tenant, login string) (identity.UserRow, error) {
	return tx.oneUser(ctx, qUserByLogin, tenant, login)
}

// ListUsers implements identity.Tx.
func (tx *Tx) ListUsers(ctx context.Context, tenant, after string, limit int) ([]identity.UserRow, error) {
	return all(ctx, tx, scanUser, qUserList, tenant, after, limit)
}

// LoginAttempts implements identity.Tx.
func (tx *Tx) LoginAttempts(ctx context.Context, tenant string, loginHash []byte) (identity.Attempts, error) {
	a := identity.Attempts{Tenant: tenant, LoginHash: loginHash}
	var locked, at int64
	_, err := tx.row(ctx, []any{&a.Failures, &locked, &at}, qLoginAttempts, tenant, loginHash)
	a.LockedUntil, a.At = fromMS(locked), fromMS(at)
	return a, err
}

// PutLoginAttempts implements identity.Tx.
func (tx *Tx) PutLoginAttempts(ctx context.Context, a identity.Attempts) error {
	if a.Failures == 0 {
		_, err := tx.exec(ctx, qLoginAttemptsDelete, a.Tenant, a.LoginHash)
		return err
	}
	_, err := tx.exec(ctx, qLoginAttemptsPut, a.Tenant, a.LoginHash, a.Failures, ms(a.LockedUntil), ms(a.At))
	return err
}

// PurgeLogins implements identity.Tx.
func (tx *Tx) PurgeLogins(ctx context.Context, attempts, now, idle time.Time) (int64, error) {
	n, err := tx.exec(ctx, qLoginAttemptsPurge, ms(attempts), ms(now))
	if err != nil {
		return 0, err
	}
	m, err := tx.exec(ctx, qLoginSessionsPurge, ms(now), ms(idle))
	return n + m, err
}

// InsertLoginSession implements identity.Tx.
func (tx *Tx) InsertLoginSession(ctx context.Context, s identity.SessionRow) error {
	_, err := tx.exec(ctx, qLoginSessionInsert, s.Hash, s.Tenant, s.UserID, ms(s.CreatedAt), ms(s.SeenAt), ms(s.ExpiresAt))
	return err
}

// LoginSession implements identity.Tx.
func (tx *Tx) LoginSession(ctx context.Context, hash []byte) (s identity.SessionRow, err error) {
	var created, seen, expires int64
	ok, err := tx.row(ctx, []any{&s.Hash, &s.Tenant, &s.UserID, &created, &seen, &expires}, qLoginSession, hash)
	if err == nil && !ok {
		return s, errs.New(errs.NotFound, "the session does not exist")
	}
	s.CreatedAt, s.SeenAt, s.ExpiresAt = fromMS(created), fromMS(seen), fromMS(expires)
	return s, err
}

// TouchLoginSession implements identity.Tx.
func (tx *Tx) TouchLoginSession(ctx context.Context, hash []byte, at time.Time) error {
	_, err := tx.exec(ctx, qLoginSessionTouch, hash, ms(at))
	return err
}

// DeleteLoginSession implements identity.Tx.
func (tx *Tx) DeleteLoginSession(ctx context.Context, hash []byte) (bool, error) {
	n, err := tx.exec(ctx, qLoginSessionDelete, hash)
	return n > 0, err
}

// DeleteUserSessions implements identity.Tx.
func (tx *Tx) DeleteUserSessions(ctx context.Context, tenant, userID string, keep []byte) (int64, error) {
	if keep == nil {
		keep = []byte{}
	}
	return tx.exec(ctx, qUserSessionsDelete, tenant, userID, keep)
}

func scanAPIToken(s scanner) (t identity.APIToken, err error) {
	var roles string
	var created, expires, used int64
	err = s.Scan(&t.Tenant, &t.ID, &t.Name, &roles, &t.CreatedBy, &created, &expires, &used)
	t.Roles, t.CreatedAt, t.ExpiresAt, t.UsedAt = splitRoles(roles), fromMS(created), fromMS(expires), fromMS(used)
	return t, err
}

// InsertAPIToken implements identity.Tx.
func (tx *Tx) InsertAPIToken(ctx context.Context, t identity.APIToken, hash []byte) error {
	_, err := tx.exec(ctx, qAPITokenInsert, t.Tenant, t.ID, hash, t.Name, joinRoles(t.Roles), t.CreatedBy, ms(t.CreatedAt), ms(t.ExpiresAt))
	return err
}

// APITokenByHash implements identity.Tx.
func (tx *Tx) APITokenByHash(ctx context.Context, hash []byte) (identity.APIToken, error) {
	list, err := all(ctx, tx, scanAPIToken, qAPITokenByHash, hash)
	if err != nil {
		return identity.APIToken{}, err
	}
	if len(list) == 0 {
		return identity.APIToken{}, errs.New(errs.NotFound, errNoToken)
	}
	return list[0], nil
}

const errNoToken = "the API token does not exist"

// ListAPITokens implements identity.Tx.
func (tx *Tx) ListAPITokens(ctx context.Context, tenant, before string, limit int) ([]identity.APIToken, error) {
	if before == "" {
		return all(ctx, tx, scanAPIToken, qAPITokenList, tenant, limit)
	}
	return all(ctx, tx, scanAPIToken, qAPITokenListFrom, tenant, before, limit)
}

// TouchAPIToken implements identity.Tx.
func (tx *Tx) TouchAPIToken(ctx context.Context, tenant, id string, at time.Time) error {
	_, err := tx.exec(ctx, qAPITokenTouch, tenant, id, ms(at))
	return err
}

// DeleteAPIToken implements identity.Tx.
func (tx *Tx) DeleteAPIToken(ctx context.Context, tenant, id string) error {
	return tx.must(ctx, errNoToken, qAPITokenDelete, tenant, id)
}

func accessKeyDest(k *identity.AccessKey, roles *string, created, used *int64) []any {
	return []any{&k.ID, &k.Tenant, &k.Name, roles, &k.CreatedBy, created, used}
}

// InsertAccessKey implements identity.Tx.
func (tx *Tx) InsertAccessKey(ctx context.Context, k identity.AccessKey, secret []byte) error {
	_, err := tx.exec(ctx, qAccessKeyInsert, k.ID, k.Tenant, secret, k.Name, joinRoles(k.Roles), k.CreatedBy, ms(k.CreatedAt))
	return err
}

// AccessKeyByID implements identity.Tx.
func (tx *Tx) AccessKeyByID(ctx context.Context, id string) (k identity.AccessKey, secret []byte, err error) {
	var roles string
	var created, used int64
	ok, err := tx.row(ctx, append(accessKeyDest(&k, &roles, &created, &used), &secret), qAccessKey, id)
	if err == nil && !ok {
		return k, nil, errs.New(errs.NotFound, errNoAccessKey)
	}
	k.Roles, k.CreatedAt, k.UsedAt = splitRoles(roles), fromMS(created), fromMS(used)
	return k, secret, err
}

const errNoAccessKey = "the access key does not exist"

// ListAccessKeys implements identity.Tx.
func (tx *Tx) ListAccessKeys(ctx context.Context, tenant, after string, limit int) ([]identity.AccessKey, error) {
	return all(ctx, tx, func(s scanner) (k identity.AccessKey, err error) {
		var roles string
		var created, used int64
		err = s.Scan(accessKeyDest(&k, &roles, &created, &used)...)
		k.Roles, k.CreatedAt, k.UsedAt = splitRoles(roles), fromMS(created), fromMS(used)
		return k, err
	}, qAccessKeyList, tenant, after, limit)
}

// TouchAccessKey implements identity.Tx.
func (tx *Tx) TouchAccessKey(ctx context.Context, id string, at time.Time) error {
	_, err := tx.exec(ctx, qAccessKeyTouch, id, ms(at))
	return err
}

// DeleteAccessKey implements identity.Tx.
func (tx *Tx) DeleteAccessKey(ctx context.Context, tenant, id string) error {
	return tx.must(ctx, errNoAccessKey, qAccessKeyDelete, tenant, id)
}

package identity

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/work"
)

const (
	touchEvery     = time.Minute    // how exactly "last used" is kept
	attemptsForget = 24 * time.Hour // failed logins this old no longer count
)

// LoginInput is one attempt to log in.
type LoginInput struct {
	Tenant   string
	Login    string
	Password string
	Source   string // address of the peer, with or without port
}

// Session is a live session.
type Session struct {
	Token     string // for the cookie; only whoever logged in has it
	CSRF      string // to be sent back with unsafe requests
	User      User
	ExpiresAt time.Time // when it ends even if it is used
}

func errBadLogin() error {
	return errs.New(errs.Unauthenticated, "login or password is wrong")
}

// Login checks a password and starts a session. A login that does not exist is treated as one that does: same answers, same
// locks, same time. errs.Unauthenticated: wrong, or disabled; errs.Exhausted: too many attempts for this login or from this
// address, the message says how long to wait.
func (s *Service) Login(ctx context.Context, in LoginInput) (Session, error) {
	now := s.now()
	if !s.sources.allow(in.Source, now) {
		return Session{}, errs.New(errs.Exhausted, "too many logins from this address; try again in a minute")
	}
	ctx = caller.With(ctx, caller.NewService(in.Tenant, "identity"))
	login := normalLogin(in.Login)
	if len(login) > 256 || len(in.Password) > maxPassword {
		login, in.Password = "", "" // never right, and takes as long
	}
	if err := s.countAttempt(ctx, in.Tenant, login, now); err != nil {
		return Session{}, err
	}
	row, err := s.findLogin(ctx, in.Tenant, login)
	if err != nil {
		return Session{}, err
	}
	ok, stale, err := s.hasher.verify(ctx, row.Password, in.Password)
	if err != nil {
		return Session{}, err
	}
	if !ok || row.Disabled {
		return Session{}, s.refuse(ctx, in.Tenant, row, login)
	}
	hash := row.Password
	if stale {
		if hash, err = s.hasher.hash(ctx, in.Password); err != nil {
			return Session{}, err
		}
	}
	return s.startSession(ctx, row, hash)
}

// findLogin returns the zero row for a login that does not exist.
func (s *Service) findLogin(ctx context.Context, tenant, login string) (row UserRow, err error) {
	err = s.store.View(ctx, func(tx Tx) (err error) {
		row, err = tx.UserByLogin(ctx, tenant, login)
		return err
	})
	if errs.Is(err, errs.NotFound) {
		return UserRow{}, nil
	}
	return row, err
}

// countAttempt counts the attempt as failed before the password is checked, so that guesses made at the same time count too; a
// success takes it back.
func (s *Service) countAttempt(ctx context.Context, tenant, login string, now time.Time) error {
	key := tokenHash(login)
	return s.store.Update(ctx, func(tx Tx) error {
		a, err := tx.LoginAttempts(ctx, tenant, key)
		if err != nil {
			return err
		}
		if wait := a.LockedUntil.Sub(now); wait > 0 {
			return errs.New(errs.Exhausted, "too many failed logins; try again in %d seconds", int(math.Ceil(wait.Seconds())))
		}
		if now.Sub(a.At) > attemptsForget {
			a.Failures = 0
		}
		a.Tenant, a.LoginHash, a.At = tenant, key, now
		a.Failures++
		a.LockedUntil = time.Time{}
		if over := a.Failures - s.cfg.MaxFailures; over >= 0 {
			a.LockedUntil = now.Add(s.lockFor(over))
		}
		return tx.PutLoginAttempts(ctx, a)
	})
}

// lockFor doubles the lock with each failure over the limit.
func (s *Service) lockFor(over int) time.Duration {
	if over > 20 {
		return s.cfg.LockMost
	}
	return min(s.cfg.LockFirst<<over, s.cfg.LockMost)
}

// refuse audits a failed login. What was typed is only committed to: it may be a password in the wrong field.
func (s *Service) refuse(ctx context.Context, tenant string, row UserRow, login string) error {
	id := row.ID
	if id == "" {
		id = "unknown"
	}
	err := s.store.Update(ctx, func(tx Tx) error {
		return tx.Audit(ctx, work.Audit{
			Tenant: tenant, At: s.now(), Principal: caller.ServiceARN(tenant, "identity"), Action: ActionLogin,
			Resource: ResourceARN(tenant, "user", id), Outcome: "denied", Personal: []byte(login),
		})
	})
	if err != nil {
		return fmt.Errorf("auditing a failed login: %w", err)
	}
	return errBadLogin()
}

func (s *Service) startSession(ctx context.Context, row UserRow, hash string) (Session, error) {
	u, err := s.user(ctx, row)
	if err != nil {
		return Session{}, err
	}
	now, token := s.now(), newSessionToken()
	sess := SessionRow{
		Hash: tokenHash(token), Tenant: row.Tenant, UserID: row.ID, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(s.cfg.Absolute),
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		fresh, err := tx.UserByID(ctx, row.Tenant, row.ID)
		if err != nil {
			return err
		}
		if fresh.Disabled || fresh.Password != row.Password { // changed while the password was checked
			return errBadLogin()
		}
		if err := tx.RecordLogin(ctx, row.Tenant, row.ID, hash, now); err != nil {
			return err
		}
		if err := tx.PutLoginAttempts(ctx, Attempts{Tenant: row.Tenant, LoginHash: tokenHash(row.Login)}); err != nil {
			return err
		}
		if err := tx.InsertLoginSession(ctx, sess); err != nil {
			return err
		}
		return note(ctx, tx, row.Tenant, now, caller.UserARN(row.Tenant, row.Login), change{
			event: "session.started", action: ActionLogin, resource: ResourceARN(row.Tenant, "user", row.ID), subject: row.ID,
		})
	})
	if err != nil {
		return Session{}, err
	}
	u.LastLoginAt = now
	return Session{Token: token, CSRF: csrfToken(token), User: u, ExpiresAt: sess.ExpiresAt}, nil
}

// Credential is what a request shows: one of the two.
type Credential struct {
	Session string // the cookie's value
	Bearer  string // an API token
}

// Authenticate returns who a request is from. errs.Unauthenticated: nobody, unknown, expired, or a disabled user. The caller checks
// the CSRF token of unsafe requests that come with a session.
func (s *Service) Authenticate(ctx context.Context, c Credential) (caller.Principal, error) {
	switch {
	case c.Bearer != "":
		return s.authenticateToken(ctx, c.Bearer)
	case c.Session != "":
		_, row, err := s.session(ctx, c.Session)
		if err != nil {
			return caller.Principal{}, err
		}
		return userPrincipal(row), nil
	default:
		return caller.Principal{}, errUnauthenticated()
	}
}

func userPrincipal(row UserRow) caller.Principal {
	return caller.Principal{
		Tenant: row.Tenant, Kind: caller.User, ID: row.ID, ARN: caller.UserARN(row.Tenant, row.Login), Login: row.Login, Roles: row.Roles,
	}
}

func errSessionOver() error {
	return errs.New(errs.Unauthenticated, "the session is over; log in again")
}

// session finds a live session and its user and notes that it was used.
func (s *Service) session(ctx context.Context, token string) (sess SessionRow, user UserRow, err error) {
	if !validSessionToken(token) {
		return sess, user, errSessionOver()
	}
	hash := tokenHash(token)
	err = s.store.View(ctx, func(tx Tx) (err error) {
		if sess, err = tx.LoginSession(ctx, hash); err != nil {
			return err
		}
		user, err = tx.UserByID(ctx, sess.Tenant, sess.UserID)
		return err
	})
	if errs.Is(err, errs.NotFound) {
		return sess, user, errSessionOver()
	}
	if err != nil {
		return sess, user, err
	}
	now := s.now()
	if user.Disabled || !now.Before(sess.ExpiresAt) || now.Sub(sess.SeenAt) >= s.cfg.Idle {
		return sess, user, errSessionOver()
	}
	if now.Sub(sess.SeenAt) < touchEvery {
		return sess, user, nil
	}
	err = s.store.Update(ctx, func(tx Tx) error { return tx.TouchLoginSession(ctx, hash, now) })
	return sess, user, err
}

// Session returns the session of a token, for showing who is logged in. errs.Unauthenticated.
func (s *Service) Session(ctx context.Context, token string) (Session, error) {
	sess, row, err := s.session(ctx, token)
	if err != nil {
		return Session{}, err
	}
	u, err := s.user(ctx, row)
	if err != nil {
		return Session{}, err
	}
	return Session{Token: token, CSRF: csrfToken(token), User: u, ExpiresAt: sess.ExpiresAt}, nil
}

// Logout ends a session; one that is over already is no error.
func (s *Service) Logout(ctx context.Context, token string) error {
	if !validSessionToken(token) {
		return nil
	}
	hash, now := tokenHash(token), s.now()
	return s.store.Update(ctx, func(tx Tx) error {
		sess, err := tx.LoginSession(ctx, hash)
		if errs.Is(err, errs.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		user, err := tx.UserByID(ctx, sess.Tenant, sess.UserID)
		if err != nil {
			return err
		}
		if _, err := tx.DeleteLoginSession(ctx, hash); err != nil {
			return err
		}
		return note(ctx, tx, sess.Tenant, now, caller.UserARN(sess.Tenant, user.Login), change{
			event: "session.ended", action: "identity:Logout", resource: ResourceARN(sess.Tenant, "user", user.ID), subject: user.ID,
		})
	})
}

// ChangePassword changes the caller's own password and ends all their sessions but the one of token (may be ""). A wrong present
// password counts as a failed login. errs.Denied: wrong; errs.Invalid: a rule; errs.Exhausted.
func (s *Service) ChangePassword(ctx context.Context, token, present, wanted string) error {
	p, ok := caller.From(ctx)
	if !ok || p.Kind != caller.User {
		return errUnauthenticated()
	}
	if err := s.authz.Check(ctx, ActionChangePassword, ResourceARN(p.Tenant, "user", p.ID)); err != nil {
		return err
	}
	if err := checkPassword(wanted, p.Login, s.cfg.MinPassword); err != nil {
		return err
	}
	if present == wanted {
		return errs.New(errs.Invalid, "the new password is the present one: choose another one")
	}
	if err := s.countAttempt(ctx, p.Tenant, p.Login, s.now()); err != nil {
		return err
	}
	row, err := s.findLogin(ctx, p.Tenant, p.Login)
	if err != nil {
		return err
	}
	if len(present) > maxPassword {
		present = ""
	}
	if ok, _, err = s.hasher.verify(ctx, row.Password, present); err != nil {
		return err
	}
	if !ok {
		return errs.New(errs.Denied, "the present password is wrong")
	}
	var keep []byte
	if token != "" {
		keep = tokenHash(token)
	}
	return s.storePassword(ctx, p, row, wanted, keep, ActionChangePassword)
}

// SetPassword sets anyone's password and ends all their sessions. errs.NotFound; errs.Invalid: a rule.
func (s *Service) SetPassword(ctx context.Context, id, wanted string) error {
	p, ok := caller.From(ctx)
	if !ok {
		return errUnauthenticated()
	}
	if err := s.authz.Check(ctx, ActionSetPassword, ResourceARN(p.Tenant, "user", id)); err != nil {
		return err
	}
	var row UserRow
	if err := s.store.View(ctx, func(tx Tx) (err error) { row, err = tx.UserByID(ctx, p.Tenant, id); return err }); err != nil {
		return err
	}
	if err := checkPassword(wanted, row.Login, s.cfg.MinPassword); err != nil {
		return err
	}
	return s.storePassword(ctx, p, row, wanted, nil, ActionSetPassword)
}

func (s *Service) storePassword(ctx context.Context, p caller.Principal, row UserRow, wanted string, keep []byte, action string) error {
	hash, err := s.hasher.hash(ctx, wanted)
	if err != nil {
		return err
	}
	now := s.now()
	return s.store.Update(ctx, func(tx Tx) error {
		fresh, err := tx.UserByID(ctx, row.Tenant, row.ID)
		if err != nil {
			return err
		}
		if fresh.Password != row.Password {
			return errs.New(errs.Conflict, "the password was changed meanwhile; try again")
		}
		fresh.Password, fresh.UpdatedAt = hash, now
		if err := tx.UpdateUser(ctx, fresh); err != nil {
			return err
		}
		if _, err := tx.DeleteUserSessions(ctx, row.Tenant, row.ID, keep); err != nil {
			return err
		}
		if err := tx.PutLoginAttempts(ctx, Attempts{Tenant: row.Tenant, LoginHash: tokenHash(row.Login)}); err != nil {
			return err
		}
		return note(ctx, tx, row.Tenant, now, p.ARN, change{
			event: "user.password_changed", action: action, resource: ResourceARN(row.Tenant, "user", row.ID), subject: row.ID,
		})
	})
}

// Unlock forgets the failed logins of a user. errs.NotFound.
func (s *Service) Unlock(ctx context.Context, id string) error {
	p, ok := caller.From(ctx)
	if !ok {
		return errUnauthenticated()
	}
	arn := ResourceARN(p.Tenant, "user", id)
	if err := s.authz.Check(ctx, ActionUnlockUser, arn); err != nil {
		return err
	}
	now := s.now()
	return s.store.Update(ctx, func(tx Tx) error {
		row, err := tx.UserByID(ctx, p.Tenant, id)
		if err != nil {
			return err
		}
		if err := tx.PutLoginAttempts(ctx, Attempts{Tenant: p.Tenant, LoginHash: tokenHash(row.Login)}); err != nil {
			return err
		}
		return note(ctx, tx, p.Tenant, now, p.ARN, change{event: "user.unlocked", action: ActionUnlockUser, resource: arn, subject: id})
	})
}

// Purge removes sessions that are over and failed logins that no longer count. Run it now and then.
func (s *Service) Purge(ctx context.Context) (int64, error) {
	now := s.now()
	var n int64
	err := s.store.Update(ctx, func(tx Tx) (err error) {
		n, err = tx.PurgeLogins(ctx, now.Add(-attemptsForget), now, now.Add(-s.cfg.Idle))
		return err
	})
	return n, err
}

package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"strings"
	"time"
)

// Whether a user may sign in, and what ends it: a user that is deactivated (User.IsActive) or frozen (UserLogin.IsFrozen)
// loses all sessions with the change itself, whoever makes it: REST, Bulk, SCIM or a page, and a refresh token opens nothing
// until the user may come in again. Too many wrong passwords in a row lock a user out for a while
// (UserLogin.IsPasswordLocked), which ends no session.

const loginEntity = "UserLogin"

func loginDefinitions() []definition {
	return []definition{{name: loginEntity, label: "User Login", plural: "User Logins", prefix: "0Yw", fields: userLoginFields, setup: true}}
}

// Not to be made or deleted: there is one for each user. IsPasswordLocked can be set to false only (object reference).
const userLoginFields = `UserId reference createonly ->User/User
IsFrozen boolean
IsPasswordLocked boolean`

const qAttemptTable = `
CREATE TABLE IF NOT EXISTS login_attempt (user_id TEXT PRIMARY KEY, failures INTEGER NOT NULL, locked_until INTEGER NOT NULL) STRICT, WITHOUT ROWID;`

const qWithoutLogin = `SELECT u."Id" FROM "User" u LEFT JOIN "UserLogin" l ON l."UserId" = u."Id" WHERE l."Id" IS NULL ORDER BY u."Id"`

// ensureLogins makes the UserLogin of users who have none yet: those of a new org, and of one that an older version made.
func (o *Org) ensureLogins(ctx context.Context) error {
	rows, err := o.store.read.QueryContext(ctx, qWithoutLogin)
	if err != nil {
		return fmt.Errorf("reading the users: %w", err)
	}
	raw, err := scanAll(rows, 1)
	if err != nil || len(raw) == 0 {
		return err
	}
	return o.store.update(ctx, func(tx *sql.Tx) error {
		for _, row := range raw {
			if err := o.addLogin(ctx, tx, text(row[0])); err != nil {
				return err
			}
		}
		return nil
	})
}

func (o *Org) addLogin(ctx context.Context, tx *sql.Tx, user string) error {
	if _, err := o.create(ctx, tx, o.admin, o.schema.object(loginEntity), record{"UserId": user}); err != nil {
		return fmt.Errorf("adding the login of a user: %w", err)
	}
	return nil
}

// account is what signing in needs of a user.
type account struct {
	id, username, password, token string
	active, frozen                bool
	failures                      int
	lockedUntil                   time.Time // zero: not locked out
}

func (a *account) mayEnter() bool { return a.active && !a.frozen }

const qAccount = `SELECT u."Id", u."Username", u."IsActive", COALESCE(l."IsFrozen", 0), COALESCE(x.password, ''), COALESCE(x.token, ''),
COALESCE(t.failures, 0), COALESCE(t.locked_until, 0) FROM "User" u LEFT JOIN secret x ON x.user_id = u."Id"
LEFT JOIN "UserLogin" l ON l."UserId" = u."Id" LEFT JOIN login_attempt t ON t.user_id = u."Id" WHERE u."IsDeleted" = 0 AND `

// userByName returns nil when there is no such user.
func (o *Org) userByName(ctx context.Context, name string) (*account, error) {
	return o.accountBy(ctx, `u."Username~" = ?`, strings.ToLower(name))
}

// userNamed is userByName for a user who must be there.
func (o *Org) userNamed(ctx context.Context, name string) (*account, error) {
	user, err := o.userByName(ctx, name)
	if err == nil && user == nil {
		err = fmt.Errorf("there is no user %s", shorten(name))
	}
	return user, err
}

// userByID returns nil when there is no such user.
func (o *Org) userByID(ctx context.Context, id string) (*account, error) {
	return o.accountBy(ctx, `u."Id" = ?`, id)
}

func (o *Org) accountBy(ctx context.Context, where, arg string) (*account, error) {
	var a account
	var locked int64
	err := o.store.read.QueryRowContext(ctx, qAccount+where, arg).Scan(
		&a.id, &a.username, &a.active, &a.frozen, &a.password, &a.token, &a.failures, &locked)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // documented
	}
	if err != nil {
		return nil, fmt.Errorf("reading a user: %w", err)
	}
	if locked != 0 {
		a.lockedUntil = time.UnixMilli(locked)
	}
	return &a, nil
}

// loginResult is how an attempt to sign in by password ended.
type loginResult int

const (
	loginOK loginResult = iota
	loginWrong
	loginNeedsToken // the password is right, but from this address the security token goes after it
	loginInactive   // all is right, but the user is not active, or frozen
)

// byPassword checks a password; a program sends the security token after it unless it comes from a trusted address, a person
// on a page never does. Wrong ones are counted, and too many in a row lock the user out: a right one is wrong then.
func (o *Org) byPassword(r *http.Request, username, given string, program bool) (*account, loginResult, error) {
	ctx := r.Context()
	user, err := o.userByName(ctx, strings.TrimSpace(username))
	if err != nil || user == nil || user.password == "" || o.now().Before(user.lockedUntil) {
		return nil, loginWrong, err
	}
	bare := same(given, user.password)
	result := loginOK
	switch {
	case bare && (!program || o.trusts(r, user.id)), program && same(given, user.password+user.token):
		if !user.mayEnter() {
			result = loginInactive
		}
		return user, result, o.countAttempt(ctx, user, true)
	case bare:
		result = loginNeedsToken
	default:
		result = loginWrong
	}
	return nil, result, o.countAttempt(ctx, user, false)
}

// countAttempt keeps count of wrong passwords, and locks the user out or lets the user in again.
func (o *Org) countAttempt(ctx context.Context, user *account, good bool) error {
	if good && user.failures == 0 && user.lockedUntil.IsZero() {
		return nil
	}
	ctx = context.WithoutCancel(ctx) // one who hangs up has tried all the same
	return o.store.update(ctx, func(tx *sql.Tx) error {
		if good {
			return o.unlock(ctx, tx, user.id)
		}
		s := o.Security()
		var failures int
		const qFailed = `INSERT INTO login_attempt (user_id, failures, locked_until) VALUES (?, 1, 0)
ON CONFLICT (user_id) DO UPDATE SET failures = CASE WHEN locked_until > 0 THEN 1 ELSE failures + 1 END, locked_until = 0 RETURNING failures`
		if err := tx.QueryRowContext(ctx, qFailed, user.id).Scan(&failures); err != nil {
			return fmt.Errorf("counting a wrong password: %w", err)
		}
		if s.MaxAttempts == 0 || failures < s.MaxAttempts {
			return o.showLock(ctx, tx, user.id, false)
		}
		until := int64(math.MaxInt64)
		if s.LockoutMinutes > 0 {
			until = o.now().Add(time.Duration(s.LockoutMinutes) * time.Minute).UnixMilli()
		}
		if _, err := tx.ExecContext(ctx, "UPDATE login_attempt SET locked_until = ? WHERE user_id = ?", until, user.id); err != nil {
			return fmt.Errorf("locking a user out: %w", err)
		}
		return o.showLock(ctx, tx, user.id, true)
	})
}

// unlock forgets the wrong passwords of a user.
func (o *Org) unlock(ctx context.Context, tx *sql.Tx, user string) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM login_attempt WHERE user_id = ?", user); err != nil {
		return fmt.Errorf("unlocking a user: %w", err)
	}
	return o.showLock(ctx, tx, user, false)
}

const qLoginOf = `SELECT "Id", "IsFrozen", "IsPasswordLocked" FROM "UserLogin" WHERE "UserId" = ?`

// showLock makes the UserLogin say whether the user is locked out.
func (o *Org) showLock(ctx context.Context, tx *sql.Tx, user string, locked bool) error {
	var id string
	var frozen, shown bool
	if err := tx.QueryRowContext(ctx, qLoginOf, user).Scan(&id, &frozen, &shown); err != nil {
		return fmt.Errorf("reading the login of a user: %w", err)
	}
	if shown == locked {
		return nil
	}
	return o.change(ctx, tx, o.admin, o.schema.object(loginEntity), id, record{"IsPasswordLocked": bit(locked)})
}

// checkStanding refuses what must not be done to the users, and to the administrator of the org above all. That a user is
// locked out is for the org to say: anybody else can only say that the user is not.
func (o *Org) checkStanding(ctx context.Context, tx *sql.Tx, obj *object, old, next record) error {
	ends := obj.name == "User" && endsActive(old, next) || obj.name == loginEntity && freezes(old, next)
	if whom := orElse(next.text("UserId"), next.text("Id")); ends && whom == o.admin {
		return onFields(badRequest("FIELD_INTEGRITY_EXCEPTION", "the administrator stays active, so that there is always a way back in"), "Id")
	}
	if obj.name != loginEntity || truth(old["IsPasswordLocked"]) || !truth(next["IsPasswordLocked"]) {
		return nil
	}
	var locked int64
	err := tx.QueryRowContext(ctx, "SELECT locked_until FROM login_attempt WHERE user_id = ?", next["UserId"]).Scan(&locked)
	if errors.Is(err, sql.ErrNoRows) || err == nil && locked == 0 {
		return onFields(badRequest("INVALID_FIELD_FOR_INSERT_UPDATE", "IsPasswordLocked can be set to false only"), "IsPasswordLocked")
	}
	if err != nil {
		return fmt.Errorf("reading the attempts of a user: %w", err)
	}
	return nil
}

// checkNewLogin refuses a UserLogin that nobody but the org makes: one for a user who has one.
func (o *Org) checkNewLogin(ctx context.Context, tx *sql.Tx, obj *object, in record) error {
	if obj.name != loginEntity {
		return nil
	}
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM "UserLogin" WHERE "UserId" = ?`, in["UserId"]).Scan(&n); err != nil {
		return fmt.Errorf("reading the login of a user: %w", err)
	}
	if n > 0 || in["UserId"] == nil {
		return badRequest("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "entity type cannot be inserted: %s", obj.label)
	}
	return nil
}

func truth(v any) bool { return v == true || v == int64(1) }

func endsActive(old, next record) bool { return truth(old["IsActive"]) && !truth(next["IsActive"]) }

func freezes(old, next record) bool { return !truth(old["IsFrozen"]) && truth(next["IsFrozen"]) }

// settleStanding does what a change of a user's standing brings about, in the transaction of the change.
func (o *Org) settleStanding(ctx context.Context, tx *sql.Tx, obj *object, old, next record) error {
	switch {
	case obj.name == "User" && endsActive(old, next):
		return o.endSessionsOf(ctx, tx, next.text("Id"))
	case obj.name == loginEntity && freezes(old, next):
		return o.endSessionsOf(ctx, tx, next.text("UserId"))
	case obj.name == loginEntity && truth(old["IsPasswordLocked"]) && !truth(next["IsPasswordLocked"]):
		if _, err := tx.ExecContext(ctx, "DELETE FROM login_attempt WHERE user_id = ? AND locked_until > 0", next["UserId"]); err != nil {
			return fmt.Errorf("unlocking a user: %w", err)
		}
	}
	return nil
}

// endSessionsOf ends the access tokens of a user together with a change: in the store within its transaction, in memory once
// it took effect. Refresh tokens stay, and open nothing while the user may not come in.
func (o *Org) endSessionsOf(ctx context.Context, tx *sql.Tx, user string) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM session WHERE user_id = ? AND kind = ?", user, kindAccess); err != nil {
		return fmt.Errorf("ending the sessions of a user: %w", err)
	}
	o.store.afterCommit(func() {
		o.sessions.mu.Lock()
		defer o.sessions.mu.Unlock()
		maps.DeleteFunc(o.sessions.live, func(_ string, s *session) bool { return s.user == user && !s.refresh })
	})
	return nil
}

// setFrozen freezes a user or lets the user in again, as the button of the users page does.
func (o *Org) setFrozen(rq *request, user string, frozen bool) error {
	return o.update(rq, func(tx *sql.Tx) error {
		var id string
		var was, locked bool
		if err := tx.QueryRowContext(rq.ctx, qLoginOf, user).Scan(&id, &was, &locked); err != nil {
			return notFound()
		}
		return o.change(rq.ctx, tx, rq.user.user, o.schema.object(loginEntity), id, record{"IsFrozen": bit(frozen)})
	})
}

// Unlock lets a user in again who was locked out after wrong passwords.
func (o *Org) Unlock(ctx context.Context, username string) error {
	user, err := o.userNamed(ctx, username)
	if err != nil {
		return err
	}
	return o.store.update(ctx, func(tx *sql.Tx) error { return o.unlock(ctx, tx, user.id) })
}

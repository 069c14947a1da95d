package salesforce

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// session is a signed-in user, or the promise of one that a refresh token is.
type session struct {
	hash    string
	user    string // id
	client  string // client_id
	scope   string
	name    string // username, for the log
	created time.Time
	expires time.Time
	refresh bool
	family  string // the same for all that came of one approval: a refresh token, its successors and their access tokens
	serial  int64  // in the order they were made, of those of one process
	spent   bool   // a refresh token that was exchanged for its successor
}

// The kinds of token in the store.
const (
	kindAccess  = "access"
	kindRefresh = "refresh"
	kindSpent   = "spent"
)

// sessions keeps tokens by hash, in memory with the store behind it.
type sessions struct {
	store *store
	now   func() time.Time
	mu    sync.RWMutex // guards all below
	live  map[string]*session
	made  int64 // tokens since the start
}

// maxSessions bounds the tokens that are kept; the oldest go first.
const maxSessions = 10_000

func newSessions(st *store, now func() time.Time) *sessions {
	return &sessions{store: st, now: now, live: map[string]*session{}}
}

func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

const qSessions = `SELECT s.hash, s.kind, s.user_id, s.client_id, s.scope, s.created, s.expires, s.family, COALESCE(u."Username", '')
FROM session s LEFT JOIN "User" u ON u."Id" = s.user_id ORDER BY s.created DESC LIMIT ?`

// load reads the tokens of an earlier run: clients stay signed in over a restart.
func (s *sessions) load(ctx context.Context) (err error) {
	rows, err := s.store.read.QueryContext(ctx, qSessions, maxSessions)
	if err != nil {
		return fmt.Errorf("reading sessions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var x session
		var kind string
		var created, expires int64
		if err := rows.Scan(&x.hash, &kind, &x.user, &x.client, &x.scope, &created, &expires, &x.family, &x.name); err != nil {
			return fmt.Errorf("reading a session: %w", err)
		}
		x.created, x.expires, x.refresh = time.UnixMilli(created), time.UnixMilli(expires), kind != kindAccess
		x.spent = kind == kindSpent
		s.live[x.hash] = &x
	}
	return rows.Err() //nolint:wrapcheck // the caller starts the org and says so
}

const qAddSession = `INSERT INTO session (hash, kind, user_id, client_id, scope, created, expires, family) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

// add makes a token of the platform's shape: the 15-character org id, "!", and letters, digits and dots.
func (s *sessions) add(ctx context.Context, x session, ttl time.Duration) (string, error) {
	token := orgID[:15] + "!AQ" + randomText(60) + "." + randomText(32)
	kind := kindAccess
	if x.refresh {
		token, kind = "5Aep"+randomText(80), kindRefresh
	}
	x.hash, x.created = tokenHash(token), s.now()
	x.expires = x.created.Add(ttl)
	err := s.store.update(ctx, func(tx *sql.Tx) error {
		// A user who is deactivated meanwhile gets none: changes of users take turns with this.
		var active, frozen bool
		if err := tx.QueryRowContext(ctx, qMayEnter, x.user).Scan(&active, &frozen); err != nil {
			return fmt.Errorf("reading the user of a session: %w", err)
		}
		if !active || frozen {
			return invalidGrant("inactive user")
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM session WHERE expires < ?", x.created.UnixMilli()); err != nil {
			return fmt.Errorf("dropping old sessions: %w", err)
		}
		if _, err := tx.ExecContext(ctx, qAddSession, x.hash, kind, x.user, x.client, x.scope, x.created.UnixMilli(), x.expires.UnixMilli(), x.family); err != nil {
			return fmt.Errorf("storing a session: %w", err)
		}
		s.keep(&x) // before the next change, so that one which ends the user's sessions finds it
		return nil
	})
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.live, x.hash)
		return "", err
	}
	return token, nil
}

const qMayEnter = `SELECT u."IsActive", COALESCE(l."IsFrozen", 0) FROM "User" u LEFT JOIN "UserLogin" l ON l."UserId" = u."Id" WHERE u."Id" = ?`

func (s *sessions) keep(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.live) >= maxSessions {
		s.makeRoom()
	}
	s.made++
	x.serial = s.made
	s.live[x.hash] = x
}

// makeRoom forgets what has expired, and if that is nothing the oldest token.
func (s *sessions) makeRoom() {
	now := s.now()
	var oldest *session
	for hash, x := range s.live {
		if x.expires.Before(now) {
			delete(s.live, hash)
		} else if oldest == nil || x.created.Before(oldest.created) {
			oldest = x
		}
	}
	if len(s.live) >= maxSessions {
		delete(s.live, oldest.hash)
	}
}

// find returns the session of a token, nil when it is unknown, expired or of the other kind.
func (s *sessions) find(token string, refresh bool) *session {
	s.mu.RLock()
	defer s.mu.RUnlock()
	x := s.live[tokenHash(token)]
	if x == nil || x.refresh != refresh || x.spent || !s.now().Before(x.expires) {
		return nil
	}
	return x
}

// spentBy returns the refresh token that was exchanged for another before, nil when the token is none.
func (s *sessions) spentBy(token string) *session {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if x := s.live[tokenHash(token)]; x != nil && x.spent {
		return x
	}
	return nil
}

// approved reports whether a user has let an application in: it holds a refresh token that lives.
func (s *sessions) approved(user, client string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, x := range s.live {
		if x.refresh && !x.spent && x.user == user && x.client == client && s.now().Before(x.expires) {
			return true
		}
	}
	return false
}

// maxApprovals is how often a user can let one application in at the same time: another approval ends the oldest, as on the
// platform.
const maxApprovals = 5

// limitApprovals ends the oldest approvals of a user and an application beyond the limit.
func (s *sessions) limitApprovals(ctx context.Context, user, client string) error {
	s.mu.RLock()
	var have []*session
	for _, x := range s.live {
		if x.refresh && !x.spent && x.user == user && x.client == client && s.now().Before(x.expires) {
			have = append(have, x)
		}
	}
	s.mu.RUnlock()
	if len(have) <= maxApprovals {
		return nil
	}
	slices.SortFunc(have, func(a, b *session) int { return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.serial, b.serial)) })
	oldest := have[:len(have)-maxApprovals]
	return s.end(ctx, func(x *session) bool {
		return slices.ContainsFunc(oldest, func(old *session) bool { return x == old || old.family != "" && old.sameFamily(x) })
	})
}

// sameFamily reports whether two tokens came of one approval. Those of before families were kept are taken together by user
// and client.
func (x *session) sameFamily(y *session) bool {
	if x.family == "" {
		return x.user == y.user && x.client == y.client
	}
	return x.family == y.family
}

// revoke ends a token, and with a refresh token all access tokens that came of it. It reports whether the token lived.
func (s *sessions) revoke(ctx context.Context, token string) (bool, error) {
	s.mu.Lock()
	x := s.live[tokenHash(token)]
	if x == nil || x.spent || !s.now().Before(x.expires) {
		s.mu.Unlock()
		return false, nil
	}
	s.mu.Unlock()
	if x.refresh {
		return true, s.end(ctx, x.sameFamily)
	}
	return true, s.end(ctx, func(y *session) bool { return y == x })
}

// end ends the tokens that are chosen, in memory and, so that a restart does not bring them back, in the store.
func (s *sessions) end(ctx context.Context, chosen func(*session) bool) error {
	s.mu.Lock()
	var hashes []string
	for hash, x := range s.live {
		if chosen(x) {
			delete(s.live, hash)
			hashes = append(hashes, hash)
		}
	}
	s.mu.Unlock()
	return s.forget(ctx, hashes)
}

// rotate adds the successor of a refresh token, which is dead from now on: of two who send it at once one is refused. The
// old one is kept as spent, so that another use of it is noticed.
func (s *sessions) rotate(ctx context.Context, old *session, ttl time.Duration) (string, error) {
	spent := *old
	spent.spent = true
	s.mu.Lock()
	if s.live[old.hash] != old {
		s.mu.Unlock()
		return "", invalidGrant("expired access/refresh token")
	}
	s.live[old.hash] = &spent
	s.mu.Unlock()
	err := s.store.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE session SET kind = ? WHERE hash = ?", kindSpent, old.hash); err != nil {
			return fmt.Errorf("spending a refresh token: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	next := *old
	return s.add(ctx, next, ttl)
}

// prolong lets a token live longer.
func (s *sessions) prolong(ctx context.Context, old *session, ttl time.Duration) error {
	next := *old
	next.expires = s.now().Add(ttl)
	s.mu.Lock()
	s.live[old.hash] = &next
	s.mu.Unlock()
	return s.store.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE session SET expires = ? WHERE hash = ?", next.expires.UnixMilli(), old.hash); err != nil {
			return fmt.Errorf("prolonging a token: %w", err)
		}
		return nil
	})
}

func (s *sessions) forget(ctx context.Context, hashes []string) error {
	return s.store.update(ctx, func(tx *sql.Tx) error {
		for _, h := range hashes {
			if _, err := tx.ExecContext(ctx, "DELETE FROM session WHERE hash = ?", h); err != nil {
				return fmt.Errorf("revoking a session: %w", err)
			}
		}
		return nil
	})
}

// expireAll ends the access tokens of a user, or of all when the username is empty, in memory and, so that a restart does
// not bring them back, in the store.
func (s *sessions) expireAll(ctx context.Context, user string) error {
	return s.expire(ctx, func(x *session) bool { return user == "" || strings.EqualFold(user, x.name) })
}

// expire ends the access tokens that are chosen.
func (s *sessions) expire(ctx context.Context, chosen func(*session) bool) error {
	return s.end(ctx, func(x *session) bool { return !x.refresh && chosen(x) })
}

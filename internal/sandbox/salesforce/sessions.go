package salesforce

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
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
}

// sessions keeps tokens by hash, in memory with the store behind it.
type sessions struct {
	store *store
	now   func() time.Time
	mu    sync.RWMutex // guards live
	live  map[string]*session
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

const qSessions = `SELECT s.hash, s.kind, s.user_id, s.client_id, s.scope, s.created, s.expires, COALESCE(u."Username", '')
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
		if err := rows.Scan(&x.hash, &kind, &x.user, &x.client, &x.scope, &created, &expires, &x.name); err != nil {
			return fmt.Errorf("reading a session: %w", err)
		}
		x.created, x.expires, x.refresh = time.UnixMilli(created), time.UnixMilli(expires), kind == "refresh"
		s.live[x.hash] = &x
	}
	return rows.Err() //nolint:wrapcheck // the caller starts the org and says so
}

const qAddSession = `INSERT INTO session (hash, kind, user_id, client_id, scope, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)`

// add makes a token of the platform's shape: the 15-character org id, "!", and letters, digits and dots.
func (s *sessions) add(ctx context.Context, x session, ttl time.Duration) (string, error) {
	token := orgID[:15] + "!AQ" + randomText(60) + "." + randomText(32)
	kind := "access"
	if x.refresh {
		token, kind = "5Aep"+randomText(80), "refresh"
	}
	x.hash, x.created = tokenHash(token), s.now()
	x.expires = x.created.Add(ttl)
	err := s.store.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM session WHERE expires < ?", x.created.UnixMilli()); err != nil {
			return fmt.Errorf("dropping old sessions: %w", err)
		}
		if _, err := tx.ExecContext(ctx, qAddSession, x.hash, kind, x.user, x.client, x.scope, x.created.UnixMilli(), x.expires.UnixMilli()); err != nil {
			return fmt.Errorf("storing a session: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.live) >= maxSessions {
		s.makeRoom()
	}
	s.live[x.hash] = &x
	return token, nil
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
	if x == nil || x.refresh != refresh || !s.now().Before(x.expires) {
		return nil
	}
	return x
}

// revoke ends a token, and with a refresh token the access tokens of the same user and client. It reports whether the
// token was known.
func (s *sessions) revoke(ctx context.Context, token string) (bool, error) {
	s.mu.Lock()
	x := s.live[tokenHash(token)]
	if x == nil {
		s.mu.Unlock()
		return false, nil
	}
	hashes := []string{x.hash}
	if x.refresh {
		for hash, y := range s.live {
			if !y.refresh && y.user == x.user && y.client == x.client {
				hashes = append(hashes, hash)
			}
		}
	}
	for _, h := range hashes {
		delete(s.live, h)
	}
	s.mu.Unlock()
	return true, s.forget(ctx, hashes)
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
	s.mu.Lock()
	var hashes []string
	for hash, x := range s.live {
		if !x.refresh && chosen(x) {
			delete(s.live, hash)
			hashes = append(hashes, hash)
		}
	}
	s.mu.Unlock()
	return s.forget(ctx, hashes)
}

// drop ends one token by its hash.
func (s *sessions) drop(ctx context.Context, hash string) error {
	s.mu.Lock()
	delete(s.live, hash)
	s.mu.Unlock()
	return s.forget(ctx, []string{hash})
}

// account is what signing in needs of a user.
type account struct {
	id, username, password, token string
	active                        bool
}

const qAccount = `SELECT u."Id", u."Username", u."IsActive", COALESCE(x.password, ''), COALESCE(x.token, '')
FROM "User" u LEFT JOIN secret x ON x.user_id = u."Id" WHERE u."Username~" = ? AND u."IsDeleted" = 0`

// userByName returns nil when there is no such user.
func (o *Org) userByName(ctx context.Context, name string) (*account, error) {
	var a account
	err := o.store.read.QueryRowContext(ctx, qAccount, strings.ToLower(name)).Scan(&a.id, &a.username, &a.active, &a.password, &a.token)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // documented
	}
	if err != nil {
		return nil, fmt.Errorf("reading a user: %w", err)
	}
	return &a, nil
}

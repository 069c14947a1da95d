package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/audit"
	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/identity"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
)

func TestIdentityStore(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) { storetest.Identity(t, sqlstore.As[identity.Tx](db)) })
}

func TestIdentityConcurrent(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) { storetest.IdentityConcurrent(t, sqlstore.As[identity.Tx](db)) })
}

type allowAll struct{}

func (allowAll) Check(context.Context, string, string, ...authz.Attr) error { return nil }

const secret = "correct horse battery"

// office is identity on a real store and keyring with a clock of its own.
type office struct {
	*identity.Service
	db    *sqlstore.DB
	admin context.Context //nolint:containedctx // the administrator's, for all calls of a test
	mu    sync.Mutex
	at    time.Time
}

func (o *office) now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.at
}

func (o *office) advance(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at = o.at.Add(d)
}

func newOffice(t *testing.T, db *sqlstore.DB, change func(*identity.Config)) *office {
	t.Helper()
	o := &office{db: db, at: time.UnixMilli(1_790_000_000_000)}
	root, err := keyring.OpenRoot(filepath.Join(t.TempDir(), "root.key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.New(keyring.Config{Store: sqlstore.As[keyring.Tx](db), Root: root, Authz: allowAll{}, Now: o.now})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ring.Start(t.Context()), ring.EnsureTenant(t.Context(), "t")); err != nil {
		t.Fatal(err)
	}
	cfg := identity.Config{
		Store: sqlstore.As[identity.Tx](db), Vault: ring.Box(keyring.Identity), Authz: allowAll{}, Now: o.now,
		Hashing: identity.Hashing{Memory: 64, Time: 1, Threads: 1},
	}
	if change != nil {
		change(&cfg)
	}
	if o.Service, err = identity.New(cfg); err != nil {
		t.Fatal(err)
	}
	made, err := o.Bootstrap(t.Context(), "t", identity.NewUser{Login: "Root@X", Name: "Änne Root", Email: "root@example.com", Password: secret})
	if again, err2 := o.Bootstrap(t.Context(), "t", identity.NewUser{Login: "b", Name: "B", Password: secret}); err != nil || err2 != nil || !made || again {
		t.Fatalf("bootstrap %v %v, %v %v", made, again, err, err2)
	}
	s := o.login(t, "root@x", secret)
	p, err := o.Authenticate(t.Context(), identity.Credential{Session: s.Token})
	if err != nil {
		t.Fatal(err)
	}
	o.admin = caller.With(t.Context(), p)
	return o
}

func (o *office) try(ctx context.Context, login, password string) (identity.Session, error) {
	o.advance(3 * time.Second) // spares the tests the limit per address
	return o.Login(ctx, identity.LoginInput{Tenant: "t", Login: login, Password: password, Source: "192.0.2.1:5555"})
}

func (o *office) login(t *testing.T, login, password string) identity.Session {
	t.Helper()
	s, err := o.try(t.Context(), login, password)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (o *office) wantOver(t *testing.T, token string) {
	t.Helper()
	if _, err := o.Authenticate(t.Context(), identity.Credential{Session: token}); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("the session lives: %v", err)
	}
}

func (o *office) wantLive(t *testing.T, token string) {
	t.Helper()
	if _, err := o.Authenticate(t.Context(), identity.Credential{Session: token}); err != nil {
		t.Errorf("the session is over: %v", err)
	}
}

func TestIdentityUsersAndSessions(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		o := newOffice(t, db, nil)
		u, err := o.CreateUser(o.admin, identity.NewUser{Login: " Ann ", Name: "Ann", Email: "ann@example.com", Roles: []string{"agent", "agent"}, Password: secret})
		if err != nil || u.Login != "ann" || u.Name != "Ann" || len(u.Roles) != 1 {
			t.Fatalf("got %+v, %v", u, err)
		}
		if _, err := o.CreateUser(o.admin, identity.NewUser{Login: "ANN", Name: "x", Roles: []string{"agent"}, Password: secret}); !errs.Is(err, errs.Conflict) {
			t.Errorf("a taken login: %v", err)
		}
		one, two := o.login(t, "ann", secret), o.login(t, "ANN", secret)
		if one.Token == two.Token || !identity.CheckCSRF(one.Token, one.CSRF) || identity.CheckCSRF(one.Token, two.CSRF) || one.User.Name != "Ann" {
			t.Errorf("sessions %+v, %+v", one, two)
		}
		p, err := o.Authenticate(t.Context(), identity.Credential{Session: one.Token})
		if err != nil || p.ARN != "arn:aws:iam::t:user/ann" || !p.Has("agent") || p.ID != u.ID {
			t.Fatalf("got %+v, %v", p, err)
		}
		ann := caller.With(t.Context(), p)
		if err := o.ChangePassword(ann, one.Token, "wrong password", secret+"!"); !errs.Is(err, errs.Denied) {
			t.Errorf("a wrong present password: %v", err)
		}
		if err := o.ChangePassword(ann, one.Token, secret, secret+"!"); err != nil {
			t.Fatal(err)
		}
		o.wantOver(t, two.Token)
		o.wantLive(t, one.Token)
		if _, err := o.try(t.Context(), "ann", secret); !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("the old password: %v", err)
		}
		if err := o.SetPassword(o.admin, u.ID, "another long one"); err != nil {
			t.Fatal(err)
		}
		o.wantOver(t, one.Token)
		three := o.login(t, "ann", "another long one")
		yes, name := true, "Ann B."
		u, err = o.UpdateUser(o.admin, u.ID, identity.UserChange{Name: &name, Disabled: &yes})
		if err != nil || u.Name != name || u.Email != "ann@example.com" || !u.Disabled {
			t.Errorf("got %+v, %v", u, err)
		}
		o.wantOver(t, three.Token)
		if _, err := o.try(t.Context(), "ann", "another long one"); !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("a disabled user: %v", err)
		}
		if _, err := o.UpdateUser(o.admin, u.ID, identity.UserChange{Name: &name, Version: 1}); !errs.Is(err, errs.Conflict) {
			t.Errorf("an old version: %v", err)
		}
		list, err := o.Users(o.admin, "", 0)
		if err != nil || len(list) != 2 || list[0].Login != "ann" || list[1].Email != "root@example.com" {
			t.Errorf("got %+v, %v", list, err)
		}
	})
}

func TestIdentitySessionExpiry(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		o := newOffice(t, db, func(c *identity.Config) { c.Idle, c.Absolute = time.Hour, 3*time.Hour })
		idle, busy, out := o.login(t, "root@x", secret), o.login(t, "root@x", secret), o.login(t, "root@x", secret)
		for range 4 {
			o.advance(40 * time.Minute)
			o.wantLive(t, busy.Token)
		}
		o.wantOver(t, idle.Token)
		o.wantOver(t, out.Token)
		o.advance(40 * time.Minute)
		o.wantOver(t, busy.Token)
		if n, err := o.Purge(t.Context()); err != nil || n < 3 {
			t.Errorf("purged %d, %v", n, err)
		}
		s := o.login(t, "root@x", secret)
		if err := errors.Join(o.Logout(t.Context(), s.Token), o.Logout(t.Context(), s.Token), o.Logout(t.Context(), "nonsense")); err != nil {
			t.Error(err)
		}
		o.wantOver(t, s.Token)
		o.wantOver(t, "")
		o.wantOver(t, strings.Repeat("A", 43))
	})
}

// TestIdentityLockout holds a login that exists and one that does not to the same behaviour.
func TestIdentityLockout(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		o := newOffice(t, db, func(c *identity.Config) { c.MaxFailures = 3 })
		for _, login := range []string{"nobody", "root@x"} {
			for i := range 3 {
				if _, err := o.try(t.Context(), login, fmt.Sprint("wrong ", i)); !errs.Is(err, errs.Unauthenticated) || errs.Message(err) != "login or password is wrong" {
					t.Errorf("%s, attempt %d: %v", login, i, err)
				}
			}
			if _, err := o.try(t.Context(), login, secret); !errs.Is(err, errs.Exhausted) {
				t.Errorf("%s is not locked: %v", login, err)
			}
			o.advance(30 * time.Second)
			if _, err := o.try(t.Context(), login, "wrong"); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("%s is locked for too long: %v", login, err)
			}
			o.advance(50 * time.Second)
			if _, err := o.try(t.Context(), login, secret); !errs.Is(err, errs.Exhausted) {
				t.Errorf("the lock of %s did not grow: %v", login, err)
			}
		}
		users, err := o.Users(o.admin, "", 0)
		if err != nil || users[0].LockedUntil.IsZero() {
			t.Fatalf("got %+v, %v", users, err)
		}
		if err := o.Unlock(o.admin, users[0].ID); err != nil {
			t.Fatal(err)
		}
		o.login(t, "root@x", secret)
		denied := 0
		err = sqlstore.As[audit.Tx](db).View(t.Context(), func(tx audit.Tx) error {
			list, err := tx.ListAudit(t.Context(), audit.Filter{Tenant: "t", Action: identity.ActionLogin, Outcome: audit.Denied, Limit: 100})
			for _, e := range list {
				if strings.Contains(e.Resource+string(e.Detail), "nobody") || len(e.Commitment) != 32 {
					t.Errorf("the audit log shows what was typed: %+v", e)
				}
			}
			denied = len(list)
			return err
		})
		if err != nil || denied != 8 {
			t.Errorf("%d refused logins are audited (%v)", denied, err)
		}
	})
}

func TestIdentityParallelGuesses(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		o := newOffice(t, db, nil)
		var mu sync.Mutex
		checked := 0
		var wg sync.WaitGroup
		for i := range 15 {
			wg.Go(func() {
				_, err := o.Login(t.Context(), identity.LoginInput{Tenant: "t", Login: "root@x", Password: "guess", Source: fmt.Sprintf("198.51.100.%d", i)})
				mu.Lock()
				defer mu.Unlock()
				if errs.Is(err, errs.Unauthenticated) {
					checked++
				} else if !errs.Is(err, errs.Exhausted) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if checked != 5 {
			t.Errorf("%d guesses were checked at once, want 5", checked)
		}
	})
}

func TestIdentitySourceLimit(t *testing.T) {
	o := newOffice(t, storetest.Open(t, storetest.DSN(t, sqlstore.SQLite)), nil)
	limited := 0
	for i := range 40 {
		_, err := o.Login(t.Context(), identity.LoginInput{Tenant: "t", Login: fmt.Sprint("u", i), Password: "x", Source: "[2001:db8::" + fmt.Sprint(i) + "]:1"})
		if errs.Is(err, errs.Exhausted) {
			limited++
		}
	}
	if limited != 20 {
		t.Errorf("%d of 40 logins from one network were limited, want 20", limited)
	}
}

func TestIdentityRehash(t *testing.T) {
	o := newOffice(t, storetest.Open(t, storetest.DSN(t, sqlstore.SQLite)), nil)
	stored := func() (hash string) {
		if err := sqlstore.As[identity.Tx](o.db).View(t.Context(), func(tx identity.Tx) error {
			u, err := tx.UserByLogin(t.Context(), "t", "root@x")
			hash = u.Password
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return hash
	}
	before := stored()
	o.login(t, "root@x", secret)
	if stored() != before {
		t.Error("a hash with today's parameters was replaced")
	}
	if err := sqlstore.As[identity.Tx](o.db).Update(t.Context(), func(tx identity.Tx) error {
		u, err := tx.UserByLogin(t.Context(), "t", "root@x")
		if err != nil {
			return err
		}
		// argon2id of the same password with m=32, made by the service of another configuration
		return tx.RecordLogin(t.Context(), "t", u.ID, weakHash(t), o.now())
	}); err != nil {
		t.Fatal(err)
	}
	o.login(t, "root@x", secret)
	if h := stored(); !strings.HasPrefix(h, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("the weak hash was kept: %s", h)
	}
	o.login(t, "root@x", secret)
}

func weakHash(t *testing.T) (hash string) {
	t.Helper()
	o := newOffice(t, storetest.Open(t, storetest.DSN(t, sqlstore.SQLite)), func(c *identity.Config) { c.Hashing.Memory = 32 })
	if err := sqlstore.As[identity.Tx](o.db).View(t.Context(), func(tx identity.Tx) error {
		u, err := tx.UserByLogin(t.Context(), "t", "root@x")
		hash = u.Password
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestIdentityLastAdmin(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		o := newOffice(t, db, nil)
		users, err := o.Users(o.admin, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		yes := true
		for _, c := range []identity.UserChange{{Disabled: &yes}, {Roles: []string{"agent"}}} {
			if _, err := o.UpdateUser(o.admin, users[0].ID, c); !errs.Is(err, errs.Conflict) {
				t.Errorf("the last administrator went: %v", err)
			}
		}
		if _, err := o.CreateUser(o.admin, identity.NewUser{Login: "two", Name: "Two", Roles: []string{"admin"}, Password: secret}); err != nil {
			t.Fatal(err)
		}
		if _, err := o.UpdateUser(o.admin, users[0].ID, identity.UserChange{Roles: []string{"agent"}}); err != nil {
			t.Errorf("with another administrator: %v", err)
		}
	})
}

func TestIdentityCredentials(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		o := newOffice(t, db, nil)
		tok, text, err := o.CreateAPIToken(o.admin, "export", []string{"supervisor"}, o.now().Add(time.Hour))
		if err != nil || !identity.ValidAPIToken(text) {
			t.Fatalf("%q, %v", text, err)
		}
		p, err := o.Authenticate(t.Context(), identity.Credential{Bearer: text})
		if err != nil || p.Kind != caller.Token || p.ARN != "arn:aws:iam::t:user/token/"+tok.ID || !p.Has("supervisor") {
			t.Errorf("got %+v, %v", p, err)
		}
		list, err := o.APITokens(o.admin, "", 0)
		if err != nil || len(list) != 1 || list[0].UsedAt.IsZero() {
			t.Errorf("got %+v, %v", list, err)
		}
		o.advance(time.Hour)
		if _, err := o.Authenticate(t.Context(), identity.Credential{Bearer: text}); !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("an expired token: %v", err)
		}
		if err := o.DeleteAPIToken(o.admin, tok.ID); err != nil {
			t.Fatal(err)
		}
		k, sec, err := o.CreateAccessKey(o.admin, "loader")
		if err != nil || len(k.ID) != 20 || len(sec) != 40 {
			t.Fatalf("%q %q, %v", k.ID, sec, err)
		}
		for range 2 {
			got, p, err := o.AccessKeySecret(t.Context(), k.ID)
			if err != nil || got != sec || p.Kind != caller.Key || !p.Has(identity.Integration) {
				t.Errorf("%q, %+v, %v", got, p, err)
			}
		}
		if err := o.DeleteAccessKey(o.admin, k.ID); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{k.ID, "AKIAIOSFODNN7EXAMPLE", "", "TDIA"} {
			if _, _, err := o.AccessKeySecret(t.Context(), id); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("%s: %v", id, err)
			}
		}
	})
}

// TestIdentityNothingInClear searches the whole database file for what must not be in it.
func TestIdentityNothingInClear(t *testing.T) {
	dsn := storetest.DSN(t, sqlstore.SQLite)
	db := storetest.Open(t, dsn)
	o := newOffice(t, db, nil)
	s := o.login(t, "root@x", secret)
	_, token, err := o.CreateAPIToken(o.admin, "n", []string{"admin"}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	_, sec, err := o.CreateAccessKey(o.admin, "n")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range databaseFiles(t, dsn) {
		for _, text := range []string{"Änne", "root@example.com", secret, s.Token, token, sec} {
			if strings.Contains(file, text) {
				t.Errorf("%q stands in the database", text)
			}
		}
	}
}

func databaseFiles(t *testing.T, dsn string) (out []string) {
	t.Helper()
	path := strings.TrimPrefix(dsn, "sqlite:")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(data))
	}
	return out
}

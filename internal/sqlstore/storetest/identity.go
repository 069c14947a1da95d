package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/identity"
	"github.com/tandemcc/tandem/internal/ids"
)

// Identity is the contract of identity.Store.
func Identity(t *testing.T, store identity.Store) {
	t.Helper()
	t.Run("users", func(t *testing.T) { identityUsers(t, store) })
	t.Run("sessions", func(t *testing.T) { identitySessions(t, store) })
	t.Run("credentials", func(t *testing.T) { identityCredentials(t, store) })
}

func testUser(login string, at time.Time) identity.UserRow {
	return identity.UserRow{
		Tenant: "t", ID: ids.New(), Login: login, Personal: []byte{0, 1}, Roles: []string{"admin", "agent"}, Password: "$x",
		CreatedAt: at, UpdatedAt: at, Version: 1,
	}
}

func identityUsers(t *testing.T, store identity.Store) {
	ctx := t.Context()
	at := time.UnixMilli(1_790_000_000_123).UTC()
	ann, bob := testUser("ann", at), testUser("bob", at)
	err := store.Update(ctx, func(tx identity.Tx) error { return errors.Join(tx.InsertUser(ctx, bob), tx.InsertUser(ctx, ann)) })
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Update(ctx, func(tx identity.Tx) error { return tx.InsertUser(ctx, testUser("ann", at)) }); !errs.Is(err, errs.Conflict) {
		t.Errorf("a login was given twice: %v", err)
	}
	other := testUser("ann", at)
	other.Tenant = "other"
	if err := store.Update(ctx, func(tx identity.Tx) error { return tx.InsertUser(ctx, other) }); err != nil {
		t.Errorf("another tenant's login: %v", err)
	}
	changed := ann
	changed.Roles, changed.Disabled, changed.Password, changed.Personal = []string{"agent"}, true, "$y", []byte{2}
	changed.UpdatedAt = at.Add(time.Second)
	if err := store.Update(ctx, func(tx identity.Tx) error {
		return errors.Join(tx.UpdateUser(ctx, changed), tx.RecordLogin(ctx, "t", ann.ID, "$z", at.Add(time.Minute)))
	}); err != nil {
		t.Fatal(err)
	}
	if err := store.Update(ctx, func(tx identity.Tx) error { return tx.UpdateUser(ctx, changed) }); !errs.Is(err, errs.Conflict) {
		t.Errorf("an old version was stored: %v", err)
	}
	changed.Version, changed.Password, changed.LastLoginAt = 2, "$z", at.Add(time.Minute)
	err = store.View(ctx, func(tx identity.Tx) error {
		byID, err := tx.UserByID(ctx, "t", ann.ID)
		byLogin, err2 := tx.UserByLogin(ctx, "t", "ann")
		if d := cmp.Diff(changed, byID) + cmp.Diff(changed, byLogin); d != "" {
			t.Error(d)
		}
		list, err3 := tx.ListUsers(ctx, "t", "", 10)
		if len(list) != 2 || list[0].Login != "ann" || list[1].Login != "bob" {
			t.Errorf("listed %+v", list)
		}
		next, err4 := tx.ListUsers(ctx, "t", "ann", 1)
		if len(next) != 1 || next[0].Login != "bob" {
			t.Errorf("after ann: %+v", next)
		}
		if _, err := tx.UserByID(ctx, "other", ann.ID); !errs.Is(err, errs.NotFound) {
			t.Errorf("another tenant sees ann: %v", err)
		}
		if _, err := tx.UserByLogin(ctx, "t", "nobody"); !errs.Is(err, errs.NotFound) {
			t.Errorf("nobody: %v", err)
		}
		return errors.Join(err, err2, err3, err4)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func identitySessions(t *testing.T, store identity.Store) {
	ctx := t.Context()
	at := time.UnixMilli(1_790_000_000_123).UTC()
	u := testUser("carl", at)
	sess := func(b byte) identity.SessionRow {
		return identity.SessionRow{Hash: []byte{b}, Tenant: "t", UserID: u.ID, CreatedAt: at, SeenAt: at, ExpiresAt: at.Add(time.Hour)}
	}
	err := store.Update(ctx, func(tx identity.Tx) error {
		list := []error{tx.InsertUser(ctx, u)}
		for b := range byte(5) {
			list = append(list, tx.InsertLoginSession(ctx, sess(b)))
		}
		list = append(list, tx.TouchLoginSession(ctx, []byte{1}, at.Add(time.Minute)))
		ok, err := tx.DeleteLoginSession(ctx, []byte{0})
		again, err2 := tx.DeleteLoginSession(ctx, []byte{0})
		if !ok || again {
			t.Errorf("deleted %v, again %v", ok, again)
		}
		return errors.Join(append(list, err, err2)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = store.Update(ctx, func(tx identity.Tx) error {
		got, err := tx.LoginSession(ctx, []byte{1})
		want := sess(1)
		want.SeenAt = at.Add(time.Minute)
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if _, err := tx.LoginSession(ctx, []byte{0}); !errs.Is(err, errs.NotFound) {
			t.Errorf("a deleted session: %v", err)
		}
		n, err2 := tx.PurgeLogins(ctx, at, at.Add(30*time.Minute), at.Add(time.Second)) // 2, 3 and 4 are idle
		if n != 3 {
			t.Errorf("purged %d", n)
		}
		list := []error{err, err2, tx.InsertLoginSession(ctx, sess(6)), tx.InsertLoginSession(ctx, sess(7))}
		n, err = tx.DeleteUserSessions(ctx, "t", u.ID, []byte{6})
		if n != 2 {
			t.Errorf("deleted %d but one", n)
		}
		m, err2 := tx.DeleteUserSessions(ctx, "t", u.ID, nil)
		if m != 1 {
			t.Errorf("deleted %d", m)
		}
		return errors.Join(append(list, err, err2)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = store.Update(ctx, func(tx identity.Tx) error {
		a := identity.Attempts{Tenant: "t", LoginHash: []byte{9}, Failures: 3, LockedUntil: at.Add(time.Hour), At: at}
		list := []error{tx.PutLoginAttempts(ctx, identity.Attempts{Tenant: "t", LoginHash: []byte{9}, Failures: 1, At: at}), tx.PutLoginAttempts(ctx, a)}
		got, err := tx.LoginAttempts(ctx, "t", []byte{9})
		if d := cmp.Diff(a, got); d != "" {
			t.Error(d)
		}
		n, err2 := tx.PurgeLogins(ctx, at.Add(time.Minute), at.Add(time.Minute), at)
		if n != 0 {
			t.Errorf("purged %d locks", n)
		}
		list = append(list, err, err2, tx.PutLoginAttempts(ctx, identity.Attempts{Tenant: "t", LoginHash: []byte{9}}))
		got, err = tx.LoginAttempts(ctx, "t", []byte{9})
		if got.Failures != 0 {
			t.Errorf("got %+v", got)
		}
		return errors.Join(append(list, err)...)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func identityCredentials(t *testing.T, store identity.Store) {
	ctx := t.Context()
	at := time.UnixMilli(1_790_000_000_123).UTC()
	token := func() identity.APIToken {
		return identity.APIToken{Tenant: "t", ID: ids.New(), Name: "n", Roles: []string{"admin"}, CreatedBy: "me", CreatedAt: at, ExpiresAt: at.Add(time.Hour)}
	}
	a, b := token(), token()
	key := identity.AccessKey{Tenant: "t", ID: "TDIAX", Name: "n", Roles: []string{"integration"}, CreatedBy: "me", CreatedAt: at}
	err := store.Update(ctx, func(tx identity.Tx) error {
		return errors.Join(tx.InsertAPIToken(ctx, a, []byte{1}), tx.InsertAPIToken(ctx, b, []byte{2}), tx.TouchAPIToken(ctx, "t", a.ID, at),
			tx.InsertAccessKey(ctx, key, []byte{3}), tx.TouchAccessKey(ctx, key.ID, at))
	})
	if err != nil {
		t.Fatal(err)
	}
	a.UsedAt, key.UsedAt = at, at
	err = store.Update(ctx, func(tx identity.Tx) error {
		got, err := tx.APITokenByHash(ctx, []byte{1})
		if d := cmp.Diff(a, got); d != "" {
			t.Error(d)
		}
		list, err2 := tx.ListAPITokens(ctx, "t", "", 10)
		next, err3 := tx.ListAPITokens(ctx, "t", b.ID, 10)
		if len(list) != 2 || list[0].ID != b.ID || len(next) != 1 || next[0].ID != a.ID {
			t.Errorf("listed %+v, then %+v", list, next)
		}
		gotKey, secret, err4 := tx.AccessKeyByID(ctx, key.ID)
		if d := cmp.Diff(key, gotKey) + cmp.Diff([]byte{3}, secret); d != "" {
			t.Error(d)
		}
		keys, err5 := tx.ListAccessKeys(ctx, "t", "", 10)
		if d := cmp.Diff([]identity.AccessKey{key}, keys); d != "" {
			t.Error(d)
		}
		for _, err := range []error{tx.DeleteAPIToken(ctx, "other", a.ID), tx.DeleteAccessKey(ctx, "other", key.ID)} {
			if !errs.Is(err, errs.NotFound) {
				t.Errorf("another tenant deleted it: %v", err)
			}
		}
		return errors.Join(err, err2, err3, err4, err5, tx.DeleteAPIToken(ctx, "t", a.ID), tx.DeleteAccessKey(ctx, "t", key.ID))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = store.View(ctx, func(tx identity.Tx) error {
		_, err := tx.APITokenByHash(ctx, []byte{1})
		_, _, err2 := tx.AccessKeyByID(ctx, key.ID)
		if !errs.Is(err, errs.NotFound) || !errs.Is(err2, errs.NotFound) {
			t.Errorf("deleted credentials: %v, %v", err, err2)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// IdentityConcurrent counts attempts from many goroutines: none may be lost.
func IdentityConcurrent(t *testing.T, store identity.Store) {
	t.Helper()
	ctx := t.Context()
	at := time.UnixMilli(1_790_000_000_123).UTC()
	var mu sync.Mutex
	var seen []int
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			n := 0
			err := store.Update(ctx, func(tx identity.Tx) error {
				a, err := tx.LoginAttempts(ctx, "t", []byte{7})
				if err != nil {
					return err
				}
				a.Failures++
				a.At, n = at, a.Failures
				return tx.PutLoginAttempts(ctx, a)
			})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, n)
		})
	}
	wg.Wait()
	slices.Sort(seen)
	if !slices.Equal(seen, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}) {
		t.Errorf("counts %v", seen)
	}
}

package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/keyring"
)

// Keyring is the contract of keyring.Store.
func Keyring(t *testing.T, store keyring.Store) {
	t.Helper()
	ctx := t.Context()
	at := time.UnixMilli(1_790_000_000_000).UTC()
	update := func(f func(tx keyring.Tx) error) error { return store.Update(ctx, f) }
	must := func(f func(tx keyring.Tx) error) {
		t.Helper()
		if err := update(f); err != nil {
			t.Fatal(err)
		}
	}
	row := func(subject string, version, tenantVersion int) keyring.Row {
		return keyring.Row{
			Tenant: "t", ID: ids.New(), Purpose: keyring.Contact, Subject: subject, Version: version,
			TenantVersion: tenantVersion, Wrapped: []byte("w" + subject), At: at,
		}
	}
	for v := 1; v <= 2; v++ {
		must(func(tx keyring.Tx) error {
			return tx.PutTenantKey(ctx, keyring.TenantKey{Tenant: "t", Version: v, RootID: "r", Wrapped: []byte{9}, At: at})
		})
	}
	one, two := row("c1", 1, 1), row("c1", 2, 1)
	must(func(tx keyring.Tx) error { return errors.Join(tx.PutDataKey(ctx, one), tx.PutDataKey(ctx, two)) })
	if err := update(func(tx keyring.Tx) error { return tx.PutDataKey(ctx, row("c1", 2, 1)) }); !errs.Is(err, errs.Conflict) {
		t.Errorf("a second version 2: got %v, want a conflict", err)
	}
	if err := update(func(tx keyring.Tx) error { return tx.PutDataKey(ctx, row("c2", 1, 7)) }); !errs.Is(err, errs.Conflict) {
		t.Errorf("under an unknown tenant key: got %v, want a conflict", err)
	}
	if err := update(func(tx keyring.Tx) error {
		return tx.PutTenantKey(ctx, keyring.TenantKey{Tenant: "t", Version: 2, Wrapped: []byte{1}})
	}); !errs.Is(err, errs.Conflict) {
		t.Errorf("a second tenant key 2: got %v, want a conflict", err)
	}
	if err := update(func(tx keyring.Tx) error {
		return tx.RewrapTenantKey(ctx, keyring.TenantKey{Tenant: "no", Version: 2, Wrapped: []byte{1}})
	}); !errs.Is(err, errs.NotFound) {
		t.Errorf("got %v, want not found", err)
	}
	keyringRotation(t, store, two)
	keyringShredding(t, store, []string{one.ID, two.ID}, at)
}

func keyringRotation(t *testing.T, store keyring.Store, two keyring.Row) {
	t.Helper()
	ctx := t.Context()
	err := store.Update(ctx, func(tx keyring.Tx) error {
		if ok, err := tx.DropTenantKey(ctx, "t", 1); ok || err != nil {
			t.Errorf("dropped a tenant key in use (%v)", err)
		}
		stale, err := tx.StaleDataKeys(ctx, "t", 2, 1)
		if err != nil || len(stale) != 1 {
			t.Errorf("the limit is not kept: %d, %v", len(stale), err)
		}
		if stale, err = tx.StaleDataKeys(ctx, "t", 2, 10); err != nil || len(stale) != 2 {
			t.Errorf("%d stale keys, want 2 (%v)", len(stale), err)
		}
		for _, r := range stale {
			r.TenantVersion, r.Wrapped = 2, []byte("new")
			if err := tx.RewrapDataKey(ctx, r, 1); err != nil {
				return err
			}
			r.Wrapped = []byte("late") // whoever comes late from version 1 changes nothing
			if err := tx.RewrapDataKey(ctx, r, 1); err != nil {
				return err
			}
		}
		ok, err := tx.DropTenantKey(ctx, "t", 1)
		if !ok {
			t.Error("an unused tenant key was kept")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = store.View(ctx, func(tx keyring.Tx) error {
		r, err := tx.DataKey(ctx, "t", two.ID)
		if string(r.Wrapped) != "new" || r.TenantVersion != 2 || r.Subject != "c1" || !r.At.Equal(two.At) || !r.ShreddedAt.IsZero() {
			t.Errorf("got %+v", r)
		}
		if _, err := tx.DataKey(ctx, "other", two.ID); !errs.Is(err, errs.NotFound) {
			t.Errorf("another tenant reads the key: %v", err)
		}
		keys, err2 := tx.TenantKeys(ctx, "")
		if len(keys) != 1 || keys[0].Version != 2 {
			t.Errorf("tenant keys %+v", keys)
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func keyringShredding(t *testing.T, store keyring.Store, want []string, at time.Time) {
	t.Helper()
	ctx := t.Context()
	shred := func(below int) (gone []string) {
		if err := store.Update(ctx, func(tx keyring.Tx) (err error) {
			gone, err = tx.ShredDataKeys(ctx, "t", keyring.Contact, "c1", below, at)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return gone
	}
	if got := shred(2); !slices.Equal(got, want[:1]) {
		t.Errorf("shredded %v below 2, want %v", got, want[:1])
	}
	if got := shred(0); !slices.Equal(got, want[1:]) {
		t.Errorf("shredded %v, want %v", got, want[1:])
	}
	if got := shred(0); len(got) != 0 {
		t.Errorf("shredded twice: %v", got)
	}
	err := store.View(ctx, func(tx keyring.Tx) error {
		rows, err := tx.DataKeys(ctx, "t", keyring.Contact, "c1")
		for i, r := range rows {
			if len(r.Wrapped) != 0 || !r.ShreddedAt.Equal(at) || r.Version != i+1 {
				t.Errorf("tombstone %+v", r)
			}
		}
		if len(rows) != 2 {
			t.Errorf("%d tombstones, want 2", len(rows))
		}
		if _, err := tx.ShredDataKeys(ctx, "t", keyring.Contact, "c1", 0, at); err == nil {
			t.Error("a view shredded")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ok := false
	if err := store.Update(ctx, func(tx keyring.Tx) (err error) { ok, err = tx.DropTenantKey(ctx, "t", 2); return err }); err != nil || !ok {
		t.Errorf("tombstones keep a tenant key in use: %v", err)
	}
}

// KeyringConcurrent has many goroutines make the first version of the same key: one wins, the others see a conflict.
func KeyringConcurrent(t *testing.T, store keyring.Store) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	if err := store.Update(ctx, func(tx keyring.Tx) error {
		return tx.PutTenantKey(ctx, keyring.TenantKey{Tenant: "t", Version: 1, RootID: "r", Wrapped: []byte{9}})
	}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	won := 0
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			err := store.Update(ctx, func(tx keyring.Tx) error {
				return tx.PutDataKey(ctx, keyring.Row{Tenant: "t", ID: ids.New(), Purpose: keyring.Job, Version: 1, TenantVersion: 1, Wrapped: []byte{1}})
			})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errs.Is(err, errs.Conflict) {
				t.Errorf("got %v, want a conflict", err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d first versions", won)
	}
}

package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
)

// TestTransactionsTakeTurns: a client that goes away in the middle of a write does not let the next write in before the first
// is over, for both keep their state in the store.
func TestTransactionsTakeTurns(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	still := t.Context()
	ctx, leave := context.WithCancel(still)
	var within atomic.Bool
	next := make(chan error, 1)
	err := o.store.update(ctx, func(tx *sql.Tx) error {
		within.Store(true)
		defer within.Store(false)
		leave()
		go func() {
			next <- o.store.update(still, func(*sql.Tx) error {
				if within.Load() {
					return errors.New("it runs beside the first")
				}
				return nil
			})
		}()
		for range 2000 { // as long as it takes a transaction to be undone behind our back
			if _, err := tx.ExecContext(still, "SELECT 1"); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "SELECT 1")
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v", err)
	}
	if err := <-next; err != nil {
		t.Error(err)
	}
}

// TestTransactionThatPanics leaves nothing behind, and the next one can begin.
func TestTransactionThatPanics(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	func() {
		defer func() { _ = recover() }()
		_ = o.store.update(t.Context(), func(tx *sql.Tx) error {
			if err := setMeta(t.Context(), tx, "panicked", "yes"); err != nil {
				t.Error(err)
			}
			panic("on purpose")
		})
	}()
	if err := o.store.update(t.Context(), func(tx *sql.Tx) error { return setMeta(t.Context(), tx, "after", "yes") }); err != nil {
		t.Fatal(err)
	}
	if v, err := o.store.meta(t.Context(), "panicked"); err == nil || strings.Contains(v, "yes") {
		t.Errorf("what panicked is there: %q", v)
	}
}

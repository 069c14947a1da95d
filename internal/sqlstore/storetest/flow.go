package storetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/library"
)

// Library is the contract of library.Store.
func Library(t *testing.T, store library.Store) {
	t.Helper()
	ctx := t.Context()
	update := func(f func(tx library.Tx) error) error { return store.Update(ctx, f) }
	must := func(f func(tx library.Tx) error) {
		t.Helper()
		if err := update(f); err != nil {
			t.Fatal(err)
		}
	}
	entry := func(tenant, id, name string) library.Entry {
		return library.Entry{Tenant: tenant, ID: id, Name: name, Format: "webex", Latest: 2, Published: 1, Problems: 3, Unresolved: 4, CreatedAt: contactAt, UpdatedAt: contactAt}
	}
	version := func(id string, n int) library.Version {
		return library.Version{Tenant: "t", FlowID: id, Version: n, CreatedAt: contactAt, CreatedBy: "admin", Note: "note", Body: []byte(`{"v":1}`), Report: []byte(`{"r":1}`)}
	}
	must(func(tx library.Tx) error { return tx.PutFlow(ctx, entry("t", "f1", "Welcome")) })
	must(func(tx library.Tx) error { return tx.PutFlow(ctx, entry("t", "f2", "after hours")) })
	must(func(tx library.Tx) error { return tx.PutFlow(ctx, entry("u", "f1", "Welcome")) })
	for n := 1; n <= 3; n++ {
		must(func(tx library.Tx) error { return tx.InsertFlowVersion(ctx, version("f1", n)) })
	}
	if err := update(func(tx library.Tx) error { return tx.PutFlow(ctx, entry("t", "f3", "WELCOME")) }); !errs.Is(err, errs.Conflict) {
		t.Errorf("a name twice: %v", err)
	}
	if err := update(func(tx library.Tx) error { return tx.InsertFlowVersion(ctx, version("f1", 3)) }); !errs.Is(err, errs.Conflict) {
		t.Errorf("a version twice: %v", err)
	}
	changed := entry("t", "f1", "Welcome 2")
	changed.Published, changed.Latest = 3, 3
	must(func(tx library.Tx) error { return tx.PutFlow(ctx, changed) })
	must(func(tx library.Tx) error {
		got, err := tx.Flow(ctx, "t", "f1")
		if diff := cmp.Diff(changed, got); err != nil || diff != "" {
			t.Errorf("read back (%v):\n%s", err, diff)
		}
		v, err := tx.FlowVersion(ctx, "t", "f1", 2)
		if diff := cmp.Diff(version("f1", 2), v); err != nil || diff != "" {
			t.Errorf("read back (%v):\n%s", err, diff)
		}
		if _, err := tx.FlowVersion(ctx, "t", "f1", 9); !errs.Is(err, errs.NotFound) {
			t.Errorf("an unknown version: %v", err)
		}
		if _, err := tx.Flow(ctx, "t", "f9"); !errs.Is(err, errs.NotFound) {
			t.Errorf("an unknown flow: %v", err)
		}
		list, err := tx.Flows(ctx, "t")
		if err != nil || len(list) != 2 || list[0].ID != "f2" || list[1].ID != "f1" {
			t.Errorf("by name without regard to case: %+v, %v", list, err)
		}
		versions, err := tx.FlowVersions(ctx, "t", "f1")
		var numbers []int
		for _, v := range versions {
			numbers = append(numbers, v.Version)
			if len(v.Body)+len(v.Report) > 0 {
				t.Error("the list of versions brings their bodies")
			}
		}
		if err != nil || !slices.Equal(numbers, []int{3, 2, 1}) {
			t.Errorf("versions %v, %v", numbers, err)
		}
		return nil
	})
	libraryBindings(t, store)
	must(func(tx library.Tx) error { return tx.DeleteFlow(ctx, "t", "f1") })
	if err := update(func(tx library.Tx) error { return tx.DeleteFlow(ctx, "t", "f1") }); !errs.Is(err, errs.NotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	must(func(tx library.Tx) error {
		if left, err := tx.FlowVersions(ctx, "t", "f1"); err != nil || len(left) != 0 {
			t.Errorf("versions outlive their flow: %d, %v", len(left), err)
		}
		_, err := tx.Flow(ctx, "u", "f1") // another tenant's
		return err
	})
	libraryRace(t, store, version)
}

func libraryBindings(t *testing.T, store library.Store) {
	t.Helper()
	ctx := t.Context()
	bind := func(kind flow.RefKind, ref, target string) library.Binding {
		return library.Binding{Tenant: "t", Kind: kind, Ref: ref, Target: target}
	}
	for _, b := range []library.Binding{bind(flow.RefQueue, "q", "1"), bind(flow.RefConnector, "q", "2"), bind(flow.RefQueue, "q", "3")} {
		if err := store.Update(ctx, func(tx library.Tx) error { return tx.PutBinding(ctx, b) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.View(ctx, func(tx library.Tx) error {
		got, err := tx.Bindings(ctx, "t")
		if want := []library.Binding{bind(flow.RefConnector, "q", "2"), bind(flow.RefQueue, "q", "3")}; cmp.Diff(want, got) != "" {
			t.Errorf("bindings:\n%s", cmp.Diff(want, got))
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// libraryRace has several importers add the next version of one flow, as the service does: each gets a number of its own.
func libraryRace(t *testing.T, store library.Store, version func(id string, n int) library.Version) {
	t.Helper()
	ctx := t.Context()
	if err := store.Update(ctx, func(tx library.Tx) error {
		return tx.PutFlow(ctx, library.Entry{Tenant: "t", ID: "race", Name: "race"})
	}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var added atomic.Int64
	for range 6 {
		wg.Go(func() {
			err := store.Update(ctx, func(tx library.Tx) error {
				e, err := tx.Flow(ctx, "t", "race")
				if err != nil {
					return err
				}
				e.Latest++
				if err := tx.PutFlow(ctx, e); err != nil {
					return err
				}
				return tx.InsertFlowVersion(ctx, version("race", e.Latest))
			})
			if err != nil {
				t.Error(err)
				return
			}
			added.Add(1)
		})
	}
	wg.Wait()
	if err := store.View(ctx, func(tx library.Tx) error {
		e, err := tx.Flow(ctx, "t", "race")
		list, listErr := tx.FlowVersions(ctx, "t", "race")
		if err != nil || listErr != nil || int64(e.Latest) != added.Load() || len(list) != e.Latest {
			t.Errorf("%d were added, the latest is %d of %d (%v)", added.Load(), e.Latest, len(list), fmt.Sprint(err, listErr))
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

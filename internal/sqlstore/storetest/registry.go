package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/registry"
	"github.com/tandemcc/tandem/internal/routing"
)

// Numbers checks that of entry points for one number that are written at once only one is stored.
func Numbers(t *testing.T, store registry.Store) {
	t.Helper()
	points := &registry.Collection[registry.EntryPoint]{
		Kind: registry.KindEntryPoint, Store: store, Authz: everything{}, Now: func() time.Time { return contactAt },
		Check: registry.CheckEntryPoint, Clash: registry.SameNumber(func(n string) string { return strings.TrimPrefix(n, "+") }),
	}
	var stored, refused atomic.Int32
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			number := []string{"15005550100", "+15005550100"}[i%2]
			_, err := points.Create(t.Context(), "t", registry.Object[registry.EntryPoint]{
				Name: fmt.Sprint("Line ", i), Spec: registry.EntryPoint{Number: number, FlowID: "f"},
			})
			switch {
			case err == nil:
				stored.Add(1)
			case errs.Is(err, errs.Conflict):
				refused.Add(1)
			default:
				t.Errorf("entry point %d: %v", i, err)
			}
		})
	}
	wait.Wait()
	if stored.Load() != 1 || refused.Load() != 7 {
		t.Errorf("%d entry points were stored and %d refused, want 1 and 7", stored.Load(), refused.Load())
	}
}

// everything allows everything.
type everything struct{}

// Check implements authz.Decider.
func (everything) Check(context.Context, string, string, ...authz.Attr) error { return nil }

// Registry is the contract of registry.Store.
func Registry(t *testing.T, store registry.Store) {
	t.Helper()
	ctx := t.Context()
	put := func(r registry.Row) error {
		return store.Update(ctx, func(tx registry.Tx) error { return tx.PutObject(ctx, r) })
	}
	must := func(r registry.Row) {
		t.Helper()
		if err := put(r); err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
	}
	row := func(tenant, kind, id, name string, version int) registry.Row {
		at := contactAt.Add(time.Duration(version) * time.Second)
		return registry.Row{Tenant: tenant, Kind: kind, ID: id, Name: name, Body: []byte(fmt.Sprint(name, version)), Version: version, CreatedAt: contactAt, UpdatedAt: at}
	}
	for _, r := range []registry.Row{
		row("t", "queue", "1", "Sales", 1), row("t", "queue", "2", "billing", 1), row("t", "connector", "1", "Sales", 1), row("u", "queue", "1", "Sales", 1),
	} {
		must(r)
	}
	for what, r := range map[string]registry.Row{
		"the id is taken":                      row("t", "queue", "1", "New", 1),
		"the name is taken in other case":      row("t", "queue", "3", "SALES", 1),
		"a change takes another's name":        row("t", "queue", "2", "sAles", 2),
		"a change of a version not the newest": row("t", "queue", "1", "Sales", 3),
		"a change of what does not exist":      row("t", "queue", "9", "Nine", 2),
	} {
		if err := put(r); !errs.Is(err, errs.Conflict) {
			t.Errorf("%s: %v, want a conflict", what, err)
		}
	}
	must(row("t", "queue", "1", "SALES", 2)) // the case of one's own name may change
	if err := store.View(ctx, func(tx registry.Tx) error {
		got, err := tx.Object(ctx, "t", "queue", "1")
		if diff := cmp.Diff(row("t", "queue", "1", "SALES", 2), got); err != nil || diff != "" {
			t.Errorf("read back (%v):\n%s", err, diff)
		}
		if got, err = tx.ObjectNamed(ctx, "t", "queue", "sales"); err != nil || got.ID != "1" {
			t.Errorf("by name: %+v, %v", got, err)
		}
		for _, none := range [][3]string{{"t", "queue", "9"}, {"v", "queue", "1"}, {"t", "codes", "1"}} {
			if _, err := tx.Object(ctx, none[0], none[1], none[2]); !errs.Is(err, errs.NotFound) {
				t.Errorf("%v: %v, want not found", none, err)
			}
		}
		list, err := tx.Objects(ctx, "t", "queue")
		if err != nil || len(list) != 2 || list[0].Name != "billing" || list[1].Name != "SALES" {
			t.Errorf("by name without regard to case: %+v, %v", list, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	remove := func() error {
		return store.Update(ctx, func(tx registry.Tx) error { return tx.DeleteObject(ctx, "t", "queue", "1") })
	}
	if err := remove(); err != nil {
		t.Error(err)
	}
	if err := remove(); !errs.Is(err, errs.NotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	must(row("t", "queue", "7", "Sales", 1)) // the name is free again
	registryRace(t, store, row)
}

func registryRace(t *testing.T, store registry.Store, row func(tenant, kind, id, name string, version int) registry.Row) {
	t.Helper()
	ctx := t.Context()
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			err := store.Update(ctx, func(tx registry.Tx) error { return tx.PutObject(ctx, row("race", "queue", fmt.Sprint(i), "Same", 1)) })
			switch {
			case err == nil:
				won.Add(1)
			case !errs.Is(err, errs.Conflict):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d objects have one name", won.Load())
	}
}

// Routing is the contract of the store of agents' states.
func Routing(t *testing.T, store interface {
	Update(ctx context.Context, f func(tx routing.Tx) error) error
	View(ctx context.Context, f func(tx routing.Tx) error) error
},
) {
	t.Helper()
	ctx := t.Context()
	put := func(s routing.StoredState) {
		t.Helper()
		if err := store.Update(ctx, func(tx routing.Tx) error { return tx.PutAgentState(ctx, s) }); err != nil {
			t.Fatal(err)
		}
	}
	list := func(tenant string) (got []routing.StoredState) {
		t.Helper()
		if err := store.View(ctx, func(tx routing.Tx) (err error) {
			got, err = tx.AgentStates(ctx, tenant)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	state := func(tenant, id string, st routing.AgentState, reason *routing.Reason) routing.StoredState {
		return routing.StoredState{Tenant: tenant, AgentID: id, Presence: routing.Presence{State: st, Reason: reason}, At: contactAt}
	}
	put(state("t", "b", routing.Available, nil))
	put(state("t", "a", routing.Idle, &routing.Reason{ID: "lunch", Name: "Lunch"}))
	put(state("u", "a", routing.Offline, nil))
	put(state("t", "b", routing.Idle, nil))
	want := []routing.StoredState{state("t", "a", routing.Idle, &routing.Reason{ID: "lunch", Name: "Lunch"}), state("t", "b", routing.Idle, nil)}
	if diff := cmp.Diff(want, list("t")); diff != "" {
		t.Errorf("states:\n%s", diff)
	}
	if got := list("none"); len(got) != 0 {
		t.Errorf("a tenant without agents has %v", got)
	}
	var wg sync.WaitGroup
	states := []routing.AgentState{routing.Available, routing.Idle, routing.Offline}
	for i := range 12 {
		wg.Go(func() { put(state("race", "a", states[i%3], nil)) })
	}
	wg.Wait()
	if got := list("race"); len(got) != 1 || !slices.Contains(states, got[0].Presence.State) {
		t.Errorf("many changes at once left %v", got)
	}
}

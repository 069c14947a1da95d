package contact_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
)

const tenant = "000000000001"

// asked is a decider that allows everything and remembers what it was asked about.
type asked struct{ resources []string }

// Check implements authz.Decider.
func (a *asked) Check(_ context.Context, _, resource string, _ ...authz.Attr) error {
	a.resources = append(a.resources, resource)
	return nil
}

// failing is a keyring whose shredding can be made to fail.
type failing struct {
	*keyring.Ring
	err error
}

// Shred implements contact.Ring.
func (f *failing) Shred(ctx context.Context, tx keyring.ShredTx, tenant string, p keyring.Purpose, subject string) error {
	if f.err != nil {
		return f.err
	}
	return f.Ring.Shred(ctx, tx, tenant, p, subject)
}

type rig struct {
	*contact.Service
	ring  *failing
	authz *asked
	ctx   context.Context //nolint:containedctx // of the test
}

func newRig(t *testing.T, db *sqlstore.DB) *rig {
	t.Helper()
	root, err := keyring.OpenRoot(filepath.Join(t.TempDir(), "root.key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{authz: &asked{}, ctx: caller.With(t.Context(), caller.NewService(tenant, "test"))}
	ring, err := keyring.New(keyring.Config{Store: sqlstore.As[keyring.Tx](db), Root: root, Authz: r.authz})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ring.Start(r.ctx), ring.EnsureTenant(r.ctx, tenant)); err != nil {
		t.Fatal(err)
	}
	r.ring = &failing{Ring: ring}
	r.Service = contact.NewService(sqlstore.As[contact.Tx](db), r.ring, r.authz)
	return r
}

func (r *rig) create(t *testing.T, closed time.Time) *contact.Contact {
	t.Helper()
	c := &contact.Contact{Tenant: tenant, ID: ids.New(), Node: "n", State: contact.Ended, CreatedAt: closed, ClosedAt: closed, Details: contact.Details{ANI: "+14155550100"}}
	if err := r.Create(r.ctx, c, "+14155550100"); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPurgeShredsWithTheRow: neither the row without its key nor the key without its row is ever left.
func TestPurgeShredsWithTheRow(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		r := newRig(t, db)
		day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		old, young := r.create(t, day), r.create(t, day.Add(48*time.Hour))
		r.ring.err = errors.New("boom")
		if n, err := r.Purge(r.ctx, tenant, day.Add(time.Hour)); !errors.Is(err, r.ring.err) || n != 0 {
			t.Fatalf("purged %d, %v", n, err)
		}
		if c, err := r.Get(r.ctx, tenant, old.ID); err != nil || c.ANI != "+14155550100" {
			t.Fatalf("after a failed purge: %+v, %v", c, err)
		}
		r.ring.err = nil
		if n, err := r.Purge(r.ctx, tenant, day.Add(time.Hour)); err != nil || n != 1 {
			t.Fatalf("purged %d, %v", n, err)
		}
		if _, err := r.Get(r.ctx, tenant, old.ID); !errs.Is(err, errs.NotFound) {
			t.Errorf("the purged contact: %v", err)
		}
		if _, err := r.ring.Key(r.ctx, tenant, keyring.Contact, old.ID); !keyring.IsShredded(err) {
			t.Errorf("its key: %v", err)
		}
		if c, err := r.Get(r.ctx, tenant, young.ID); err != nil || c.ANI == "" {
			t.Errorf("the younger contact: %+v, %v", c, err)
		}
		found, err := r.List(r.ctx, tenant, contact.Query{Number: "+14155550100"})
		if err != nil || len(found) != 1 || found[0].ID != young.ID {
			t.Errorf("found %d, %v", len(found), err)
		}
	})
}

// TestShreddedContactKeepsItsClearColumns: who was erased is still counted.
func TestShreddedContactKeepsItsClearColumns(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		r := newRig(t, db)
		c := r.create(t, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
		if err := sqlstore.As[contact.Tx](db).Update(r.ctx, func(tx contact.Tx) error {
			return r.ring.Shred(r.ctx, tx, tenant, keyring.Contact, c.ID)
		}); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Get(r.ctx, tenant, c.ID); err != nil || got.State != contact.Ended || got.ANI != "" {
			t.Errorf("got %+v, %v", got, err)
		}
		if list, err := r.List(r.ctx, tenant, contact.Query{}); err != nil || len(list) != 1 {
			t.Errorf("listed %d, %v", len(list), err)
		}
		if trace, err := r.Trace(r.ctx, tenant, c.ID); err != nil || len(trace) != 0 {
			t.Errorf("trace %v, %v", trace, err)
		}
	})
}

// TestTypedIDIsNotAsked: what is no id is not put into a resource that the audit log keeps.
func TestTypedIDIsNotAsked(t *testing.T) {
	storetest.Engines(t, func(t *testing.T, db *sqlstore.DB) {
		r := newRig(t, db)
		const number = "14155550100"
		if _, err := r.Get(r.ctx, tenant, number); !errs.Is(err, errs.NotFound) {
			t.Errorf("got %v", err)
		}
		if _, err := r.Trace(r.ctx, tenant, number); err != nil {
			t.Errorf("got %v", err)
		}
		for _, res := range r.authz.resources {
			if res == contact.ResourceARN(tenant, number) {
				t.Errorf("asked about %s", res)
			}
		}
	})
}

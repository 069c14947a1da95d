package keyring_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/work"
)

var errCrash = errors.New("crash")

// memory is a keyring.Store in memory whose updates can be made to fail.
type memory struct {
	mu        sync.Mutex // guards the fields below; held during a unit of work
	tenants   []keyring.TenantKey
	keys      map[string]keyring.Row
	events    []event.Event
	failAfter int // updates until one fails; 0 means never
	reads     int
}

func newMemory() *memory { return &memory{keys: map[string]keyring.Row{}} }

// Update implements work.Store.
func (m *memory) Update(_ context.Context, f func(keyring.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failAfter > 0 {
		if m.failAfter--; m.failAfter == 0 {
			return errCrash
		}
	}
	tx := &memoryTx{tenants: slices.Clone(m.tenants), keys: maps.Clone(m.keys)}
	if err := f(tx); err != nil {
		return err
	}
	m.tenants, m.keys, m.events = tx.tenants, tx.keys, append(m.events, tx.events...)
	return nil
}

// View implements work.Store.
func (m *memory) View(_ context.Context, f func(keyring.Tx) error) error {
	m.mu.Lock()
	m.reads++
	tx := &memoryTx{tenants: slices.Clone(m.tenants), keys: maps.Clone(m.keys)}
	m.mu.Unlock()
	return f(tx)
}

type memoryTx struct {
	tenants []keyring.TenantKey
	keys    map[string]keyring.Row
	events  []event.Event
}

func (tx *memoryTx) Emit(_ context.Context, e event.Event) error {
	tx.events = append(tx.events, e)
	return nil
}
func (*memoryTx) Enqueue(context.Context, job.Job) error  { return nil }
func (*memoryTx) Audit(context.Context, work.Audit) error { return nil }

func (tx *memoryTx) TenantKeys(_ context.Context, tenant string) (out []keyring.TenantKey, _ error) {
	for _, k := range tx.tenants {
		if tenant == "" || k.Tenant == tenant {
			out = append(out, k)
		}
	}
	return out, nil
}

func (tx *memoryTx) tenant(tenant string, version int) int {
	return slices.IndexFunc(tx.tenants, func(k keyring.TenantKey) bool { return k.Tenant == tenant && k.Version == version })
}

func (tx *memoryTx) PutTenantKey(_ context.Context, k keyring.TenantKey) error {
	if tx.tenant(k.Tenant, k.Version) >= 0 {
		return errs.New(errs.Conflict, "exists")
	}
	tx.tenants = append(tx.tenants, k)
	return nil
}

func (tx *memoryTx) RewrapTenantKey(_ context.Context, k keyring.TenantKey) error {
	i := tx.tenant(k.Tenant, k.Version)
	if i < 0 {
		return errs.New(errs.NotFound, "none")
	}
	tx.tenants[i].RootID, tx.tenants[i].Wrapped = k.RootID, k.Wrapped
	return nil
}

func (tx *memoryTx) DropTenantKey(_ context.Context, tenant string, version int) (bool, error) {
	for _, r := range tx.keys {
		if r.Tenant == tenant && r.TenantVersion == version {
			return false, nil
		}
	}
	i := tx.tenant(tenant, version)
	if i < 0 {
		return false, nil
	}
	tx.tenants = slices.Delete(tx.tenants, i, i+1)
	return true, nil
}

func (tx *memoryTx) PutDataKey(ctx context.Context, r keyring.Row) error {
	rows, _ := tx.DataKeys(ctx, r.Tenant, r.Purpose, r.Subject)
	if slices.ContainsFunc(rows, func(o keyring.Row) bool { return o.Version == r.Version }) || tx.tenant(r.Tenant, r.TenantVersion) < 0 {
		return errs.New(errs.Conflict, "exists")
	}
	tx.keys[r.ID] = r
	return nil
}

func (tx *memoryTx) DataKey(_ context.Context, tenant, id string) (keyring.Row, error) {
	r, ok := tx.keys[id]
	if !ok || r.Tenant != tenant {
		return keyring.Row{}, errs.New(errs.NotFound, "none")
	}
	return r, nil
}

func (tx *memoryTx) DataKeys(_ context.Context, tenant string, p keyring.Purpose, subject string) (out []keyring.Row, _ error) {
	for _, r := range tx.keys {
		if r.Tenant == tenant && r.Purpose == p && r.Subject == subject {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b keyring.Row) int { return cmp.Compare(a.Version, b.Version) })
	return out, nil
}

func (tx *memoryTx) StaleDataKeys(_ context.Context, tenant string, current, limit int) (out []keyring.Row, _ error) {
	for _, r := range tx.keys {
		if r.Tenant == tenant && r.TenantVersion < current && r.ShreddedAt.IsZero() && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (tx *memoryTx) RewrapDataKey(_ context.Context, r keyring.Row, from int) error {
	if old := tx.keys[r.ID]; old.TenantVersion == from {
		old.TenantVersion, old.Wrapped = r.TenantVersion, r.Wrapped
		tx.keys[r.ID] = old
	}
	return nil
}

func (tx *memoryTx) ShredDataKeys(_ context.Context, tenant string, p keyring.Purpose, subject string, below int, at time.Time) (out []string, _ error) {
	for id, r := range tx.keys {
		if r.Tenant == tenant && r.Purpose == p && r.Subject == subject && r.ShreddedAt.IsZero() && (below == 0 || r.Version < below) {
			r.Wrapped, r.TenantVersion, r.ShreddedAt = nil, 0, at
			tx.keys[id] = r
			out = append(out, id)
		}
	}
	return out, nil
}

// open allows everything but the action denied.
type open struct{ denied string }

func (o open) Check(_ context.Context, action, resource string, _ ...authz.Attr) error {
	if action == o.denied {
		return authz.Denied(action, resource)
	}
	return nil
}

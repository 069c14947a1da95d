package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/work"
)

const (
	rewrapBatch = 500
	// retireAfter is how long a rotated tenant key stays stored, so that a unit of work that made a data key under it just
	// before can still commit.
	retireAfter = time.Hour
)

// RotateRoot makes a new root key, wraps every tenant key with it and forgets the old one. After a crash at any point the
// next Start finishes it. Other nodes must be able to read the same root key file.
func (r *Ring) RotateRoot(ctx context.Context) error {
	if err := r.authz.Check(ctx, ActionRotate, ResourceARN("", "root", "")); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.root.load(); err != nil {
		return err
	}
	if err := r.root.addKey(); err != nil {
		return err
	}
	return r.finishRoot(ctx)
}

// finishRoot wraps what old root keys wrap with the current one and drops the old ones; r.mu is held.
func (r *Ring) finishRoot(ctx context.Context) error {
	var rows []TenantKey
	err := r.store.View(ctx, func(tx Tx) (err error) {
		rows, err = tx.TenantKeys(ctx, "")
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the tenants' keys: %w", err)
	}
	current := r.root.ID()
	var renewed []TenantKey
	for _, row := range rows {
		if row.RootID == current {
			continue
		}
		key, err := r.root.unwrap(row)
		if err != nil {
			return err
		}
		row.RootID, row.Wrapped = r.root.wrap(row.Tenant, row.Version, key)
		renewed = append(renewed, row)
	}
	err = r.store.Update(ctx, func(tx Tx) error {
		for _, row := range renewed {
			if err := tx.RewrapTenantKey(ctx, row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("storing the tenants' keys: %w", err)
	}
	return r.root.dropOld()
}

// RotateTenant makes a new version of a tenant's key and wraps every data key of the tenant with it. Sealed data is not
// touched. After a crash at any point the next Start, Tidy or RotateTenant finishes it.
func (r *Ring) RotateTenant(ctx context.Context, tenant string) error {
	if err := r.authz.Check(ctx, ActionRotate, ResourceARN(tenant, "tenant", "")); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reload(ctx, tenant); err != nil {
		return err
	}
	t := r.tenant(tenant)
	if t == nil {
		return errs.New(errs.NotFound, "tenant %q has no keys", tenant)
	}
	if err := r.addTenantKey(ctx, tenant, t.current+1); err != nil {
		return err
	}
	return r.tidyTenant(ctx, tenant)
}

// Tidy wraps data keys that an old tenant key still wraps and removes tenant keys that were rotated out more than an hour
// ago. It is cheap when there is nothing to do; run it now and then.
func (r *Ring) Tidy(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tidy(ctx)
}

func (r *Ring) tidy(ctx context.Context) error {
	for name, t := range *r.tenants.Load() {
		if len(t.keys) < 2 {
			continue
		}
		if err := r.tidyTenant(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// tidyTenant moves data keys to the current tenant key and drops old versions; r.mu is held.
func (r *Ring) tidyTenant(ctx context.Context, tenant string) error {
	t := r.tenant(tenant)
	for {
		n, err := r.rewrapBatch(ctx, tenant, t)
		if err != nil {
			return err
		}
		if n < rewrapBatch {
			break
		}
	}
	if r.now().Sub(t.keys[t.current].at) < retireAfter {
		return nil
	}
	for version := range t.keys {
		if version == t.current {
			continue
		}
		err := r.store.Update(ctx, func(tx Tx) error {
			_, err := tx.DropTenantKey(ctx, tenant, version)
			return err
		})
		if err != nil {
			return fmt.Errorf("removing a rotated tenant key: %w", err)
		}
	}
	return r.reload(ctx, tenant)
}

func (r *Ring) rewrapBatch(ctx context.Context, tenant string, t *tenantState) (int, error) {
	var rows []Row
	err := r.store.Update(ctx, func(tx Tx) (err error) {
		if rows, err = tx.StaleDataKeys(ctx, tenant, t.current, rewrapBatch); err != nil {
			return err
		}
		for _, row := range rows {
			from := row.TenantVersion
			key, err := t.unwrap(row)
			if err != nil {
				return err
			}
			row.TenantVersion = t.current
			row.Wrapped = t.wrap(row, key)
			if err := tx.RewrapDataKey(ctx, row, from); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("wrapping data keys anew: %w", err)
	}
	return len(rows), nil
}

// RotateData makes a new version of a subject's key for new data; what older versions sealed stays readable.
func (r *Ring) RotateData(ctx context.Context, tenant string, p Purpose, subject string) (*DataKey, error) {
	if err := r.authz.Check(ctx, ActionRotate, ResourceARN(tenant, p, subject)); err != nil {
		return nil, err
	}
	sk := subjectKey{tenant, p, subject}
	rows, err := r.rows(ctx, sk)
	if err != nil {
		return nil, err
	}
	version := 1
	if n := len(rows); n > 0 {
		if !rows[n-1].ShreddedAt.IsZero() {
			return nil, shredded(p, subject)
		}
		version = rows[n-1].Version + 1
	}
	k, err := r.makeKey(tenant, p, subject, version)
	if err != nil {
		return nil, err
	}
	if err := r.store.Update(ctx, func(tx Tx) error { return tx.PutDataKey(ctx, k.row) }); err != nil {
		return nil, fmt.Errorf("storing a data key: %w", err)
	}
	r.current.forget(sk)
	r.current.put(sk, k)
	r.byID.put(k.id, k)
	return k, nil
}

// ShredTx is what Shred needs of a transaction.
type ShredTx interface {
	work.Tx
	ShredDataKeys(ctx context.Context, tenant string, p Purpose, subject string, below int, at time.Time) ([]string, error)
}

// Shred destroys every version of a subject's key in the caller's unit of work: once it commits, what they sealed cannot be
// read by anyone, here at once and on other nodes within Config.CacheAge or when Forget is called for the event
// "key.shredded" it emits. A tombstone stays, so that no new key is made for the subject. Copies of the wrapped key in
// backups last as long as these. A rolled back unit of work leaves the key in use. Shredding twice is no error.
func (r *Ring) Shred(ctx context.Context, tx ShredTx, tenant string, p Purpose, subject string) error {
	arn := ResourceARN(tenant, p, subject)
	if err := r.authz.Check(ctx, ActionShred, arn); err != nil {
		return err
	}
	r.Forget(tenant, p, subject)
	at := r.now().UTC()
	gone, err := tx.ShredDataKeys(ctx, tenant, p, subject, 0, at)
	if err != nil {
		return fmt.Errorf("shredding: %w", err)
	}
	for _, id := range gone {
		r.dropID(id)
	}
	if len(gone) == 0 {
		return nil
	}
	who, _ := caller.From(ctx)
	err = tx.Audit(ctx, work.Audit{Tenant: tenant, At: at, Principal: who.ARN, Action: ActionShred, Resource: arn, Outcome: "ok"})
	if err != nil {
		return fmt.Errorf("auditing the shredding: %w", err)
	}
	return tx.Emit(ctx, event.Event{Tenant: tenant, Type: "key.shredded", Subject: string(p) + "/" + subject, At: at})
}

// Forget drops a subject's keys from memory and keeps them out for ten minutes; they are read from the store meanwhile.
func (r *Ring) Forget(tenant string, p Purpose, subject string) {
	sk := subjectKey{tenant, p, subject}
	r.current.drop(sk)
	r.byID.dropIf(func(k *DataKey) bool { return subjectKey{k.row.Tenant, k.row.Purpose, k.row.Subject} == sk })
}

// IsShredded reports whether err says that the key was destroyed.
func IsShredded(err error) bool { return errors.Is(err, ErrShredded) }

// Live reports which rows are not shredded.
func live(rows []Row) []Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return !r.ShreddedAt.IsZero() })
}

func (r *Ring) dropID(id string) {
	if u, err := uuid.Parse(id); err == nil {
		r.byID.drop(u)
	}
}

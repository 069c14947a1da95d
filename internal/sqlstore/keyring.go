package sqlstore

import (
	"context"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/keyring"
)

var _ keyring.Tx = (*Tx)(nil)

const (
	qTenantKeys      = `SELECT tenant, version, root_id, wrapped, at FROM tenant_keys WHERE tenant = $1 ORDER BY version`
	qTenantKeysAll   = `SELECT tenant, version, root_id, wrapped, at FROM tenant_keys ORDER BY tenant, version`
	qTenantKeyInsert = `INSERT INTO tenant_keys (tenant, version, root_id, wrapped, at) VALUES ($1, $2, $3, $4, $5)`
	qTenantKeyRewrap = `UPDATE tenant_keys SET root_id = $3, wrapped = $4 WHERE tenant = $1 AND version = $2`
	qTenantKeyDrop   = `DELETE FROM tenant_keys WHERE tenant = $1 AND version = $2
		AND NOT EXISTS (SELECT 1 FROM data_keys WHERE tenant = $1 AND tenant_version = $2)`
	qTenantKeyExists = `SELECT version FROM tenant_keys WHERE tenant = $1 AND version = $2`

	dataKeyColumns = `SELECT tenant, id, purpose, subject, version, COALESCE(tenant_version, 0), wrapped, at, shredded_at FROM data_keys `

	qDataKeyInsert = `INSERT INTO data_keys (tenant, id, purpose, subject, version, tenant_version, wrapped, at, shredded_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)`
	qDataKey       = dataKeyColumns + `WHERE tenant = $1 AND id = $2`
	qDataKeys      = dataKeyColumns + `WHERE tenant = $1 AND purpose = $2 AND subject = $3 ORDER BY version`
	qDataKeysStale = dataKeyColumns + `WHERE tenant = $1 AND tenant_version < $2 ORDER BY id LIMIT $3`
	qDataKeyRewrap = `UPDATE data_keys SET tenant_version = $3, wrapped = $4 WHERE tenant = $1 AND id = $2 AND tenant_version = $5`
	qDataKeysShred = `UPDATE data_keys SET wrapped = $4, tenant_version = NULL, shredded_at = $5
		WHERE tenant = $1 AND purpose = $2 AND subject = $3 AND shredded_at = 0 AND version < $6 RETURNING id`
	maxKeyVersion = 1 << 31
)

// TenantKeys implements keyring.Tx.
func (tx *Tx) TenantKeys(ctx context.Context, tenant string) ([]keyring.TenantKey, error) {
	scan := func(s scanner) (k keyring.TenantKey, err error) {
		var at int64
		err = s.Scan(&k.Tenant, &k.Version, &k.RootID, &k.Wrapped, &at)
		k.At = fromMS(at)
		return k, err
	}
	if tenant == "" {
		return all(ctx, tx, scan, qTenantKeysAll)
	}
	return all(ctx, tx, scan, qTenantKeys, tenant)
}

// PutTenantKey implements keyring.Tx.
func (tx *Tx) PutTenantKey(ctx context.Context, k keyring.TenantKey) error {
	_, err := tx.exec(ctx, qTenantKeyInsert, k.Tenant, k.Version, k.RootID, k.Wrapped, ms(k.At))
	return err
}

// RewrapTenantKey implements keyring.Tx.
func (tx *Tx) RewrapTenantKey(ctx context.Context, k keyring.TenantKey) error {
	return tx.must(ctx, "the tenant key does not exist", qTenantKeyRewrap, k.Tenant, k.Version, k.RootID, k.Wrapped)
}

// DropTenantKey implements keyring.Tx.
func (tx *Tx) DropTenantKey(ctx context.Context, tenant string, version int) (bool, error) {
	n, err := tx.exec(ctx, qTenantKeyDrop, tenant, version)
	return n > 0, err
}

func scanDataKey(s scanner) (r keyring.Row, err error) {
	var at, shredded int64
	err = s.Scan(&r.Tenant, &r.ID, &r.Purpose, &r.Subject, &r.Version, &r.TenantVersion, &r.Wrapped, &at, &shredded)
	r.At, r.ShreddedAt = fromMS(at), fromMS(shredded)
	return r, err
}

// PutDataKey implements keyring.Tx.
func (tx *Tx) PutDataKey(ctx context.Context, r keyring.Row) error {
	var version int
	ok, err := tx.row(ctx, []any{&version}, qTenantKeyExists, r.Tenant, r.TenantVersion)
	if err != nil {
		return err
	}
	if !ok {
		return errs.New(errs.Conflict, "the tenant's key was rotated meanwhile; try again")
	}
	_, err = tx.exec(ctx, qDataKeyInsert, r.Tenant, r.ID, string(r.Purpose), r.Subject, r.Version, r.TenantVersion, r.Wrapped, ms(r.At))
	return err
}

// DataKey implements keyring.Tx.
func (tx *Tx) DataKey(ctx context.Context, tenant, id string) (keyring.Row, error) {
	list, err := all(ctx, tx, scanDataKey, qDataKey, tenant, id)
	if err != nil {
		return keyring.Row{}, err
	}
	if len(list) == 0 {
		return keyring.Row{}, errs.New(errs.NotFound, "the key of the sealed text is unknown")
	}
	return list[0], nil
}

// DataKeys implements keyring.Tx.
func (tx *Tx) DataKeys(ctx context.Context, tenant string, p keyring.Purpose, subject string) ([]keyring.Row, error) {
	return all(ctx, tx, scanDataKey, qDataKeys, tenant, string(p), subject)
}

// StaleDataKeys implements keyring.Tx.
func (tx *Tx) StaleDataKeys(ctx context.Context, tenant string, current, limit int) ([]keyring.Row, error) {
	return all(ctx, tx, scanDataKey, qDataKeysStale, tenant, current, limit)
}

// RewrapDataKey implements keyring.Tx.
func (tx *Tx) RewrapDataKey(ctx context.Context, r keyring.Row, from int) error {
	_, err := tx.exec(ctx, qDataKeyRewrap, r.Tenant, r.ID, r.TenantVersion, r.Wrapped, from)
	return err
}

// ShredDataKeys implements keyring.Tx.
func (tx *Tx) ShredDataKeys(ctx context.Context, tenant string, p keyring.Purpose, subject string, below int, at time.Time) ([]string, error) {
	if !tx.writable {
		return nil, errs.New(errs.Internal, "a write in a read-only transaction")
	}
	if below == 0 {
		below = maxKeyVersion
	}
	scan := func(s scanner) (id string, err error) { err = s.Scan(&id); return id, err }
	return all(ctx, tx, scan, qDataKeysShred, tenant, string(p), subject, []byte{}, ms(at), below)
}

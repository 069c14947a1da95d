package sqlstore

import (
	"context"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/library"
)

const (
	flowColumns = `tenant, id, name, format, latest, published, problems, unresolved, created_at, updated_at`

	qFlowPut = `INSERT INTO flows (` + flowColumns + `, name_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (tenant, id) DO UPDATE SET name = excluded.name, format = excluded.format, latest = excluded.latest,
		published = excluded.published, problems = excluded.problems, unresolved = excluded.unresolved, updated_at = excluded.updated_at,
		name_key = excluded.name_key`
	qFlowGet            = `SELECT ` + flowColumns + ` FROM flows WHERE tenant = $1 AND id = $2`
	qFlowList           = `SELECT ` + flowColumns + ` FROM flows WHERE tenant = $1 ORDER BY name_key`
	qFlowDelete         = `DELETE FROM flows WHERE tenant = $1 AND id = $2`
	qFlowVersionsDelete = `DELETE FROM flow_versions WHERE tenant = $1 AND flow_id = $2`
	qFlowVersionInsert  = `INSERT INTO flow_versions (tenant, flow_id, version, created_at, created_by, note, body, report)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	qFlowVersionGet  = `SELECT created_at, created_by, note, body, report FROM flow_versions WHERE tenant = $1 AND flow_id = $2 AND version = $3`
	qFlowVersionList = `SELECT version, created_at, created_by, note FROM flow_versions WHERE tenant = $1 AND flow_id = $2 ORDER BY version DESC`
	qBindingPut      = `INSERT INTO flow_bindings (tenant, kind, ref, target) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant, kind, ref) DO UPDATE SET target = excluded.target`
	qBindingList = `SELECT kind, ref, target FROM flow_bindings WHERE tenant = $1 ORDER BY kind, ref`

	qClipGet = `SELECT body FROM clips WHERE tenant = $1 AND name = $2`
	qClipPut = `INSERT INTO clips (tenant, name, body, used_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant, name) DO UPDATE SET body = excluded.body, used_at = excluded.used_at`
	qClipPurge  = `DELETE FROM clips WHERE used_at < $1`
	qSettingGet = `SELECT value, version FROM settings WHERE tenant = $1 AND name = $2`
	qSettingPut = `INSERT INTO settings (tenant, name, value, version) VALUES ($1, $2, $3, 1)
		ON CONFLICT (tenant, name) DO UPDATE SET value = excluded.value, version = settings.version + 1`
)

var _ library.Tx = (*Tx)(nil)

func scanFlow(s scanner) (e library.Entry, err error) {
	var created, updated int64
	err = s.Scan(&e.Tenant, &e.ID, &e.Name, &e.Format, &e.Latest, &e.Published, &e.Problems, &e.Unresolved, &created, &updated)
	e.CreatedAt, e.UpdatedAt = fromMS(created), fromMS(updated)
	return e, err
}

// PutFlow implements library.Tx.
func (tx *Tx) PutFlow(ctx context.Context, e library.Entry) error {
	_, err := tx.exec(ctx, qFlowPut, e.Tenant, e.ID, e.Name, e.Format, e.Latest, e.Published, e.Problems, e.Unresolved,
		ms(e.CreatedAt), ms(e.UpdatedAt), strings.ToLower(e.Name))
	if errs.Is(err, errs.Conflict) {
		return errs.Wrap(errs.Conflict, err, "there is a flow %q already; choose another name, or import it as a new version", e.Name)
	}
	return err
}

// Flow implements library.Tx.
func (tx *Tx) Flow(ctx context.Context, tenant, id string) (library.Entry, error) {
	list, err := all(ctx, tx, scanFlow, qFlowGet, tenant, id)
	if err != nil {
		return library.Entry{}, err
	}
	if len(list) == 0 {
		return library.Entry{}, errs.New(errs.NotFound, "there is no such flow")
	}
	return list[0], nil
}

// Flows implements library.Tx.
func (tx *Tx) Flows(ctx context.Context, tenant string) ([]library.Entry, error) {
	return all(ctx, tx, scanFlow, qFlowList, tenant)
}

// DeleteFlow implements library.Tx.
func (tx *Tx) DeleteFlow(ctx context.Context, tenant, id string) error {
	if _, err := tx.exec(ctx, qFlowVersionsDelete, tenant, id); err != nil {
		return err
	}
	return tx.must(ctx, "there is no such flow", qFlowDelete, tenant, id)
}

// InsertFlowVersion implements library.Tx.
func (tx *Tx) InsertFlowVersion(ctx context.Context, v library.Version) error {
	_, err := tx.exec(ctx, qFlowVersionInsert, v.Tenant, v.FlowID, v.Version, ms(v.CreatedAt), v.CreatedBy, v.Note, v.Body, string(v.Report))
	return err
}

// FlowVersion implements library.Tx.
func (tx *Tx) FlowVersion(ctx context.Context, tenant, id string, version int) (library.Version, error) {
	v := library.Version{Tenant: tenant, FlowID: id, Version: version}
	var at int64
	var report string
	ok, err := tx.row(ctx, []any{&at, &v.CreatedBy, &v.Note, &v.Body, &report}, qFlowVersionGet, tenant, id, version)
	if err == nil && !ok {
		err = errs.New(errs.NotFound, "the flow has no version %d", version)
	}
	v.CreatedAt, v.Report = fromMS(at), []byte(report)
	return v, err
}

// FlowVersions implements library.Tx.
func (tx *Tx) FlowVersions(ctx context.Context, tenant, id string) ([]library.Version, error) {
	return all(ctx, tx, func(s scanner) (library.Version, error) {
		v := library.Version{Tenant: tenant, FlowID: id}
		var at int64
		err := s.Scan(&v.Version, &at, &v.CreatedBy, &v.Note)
		v.CreatedAt = fromMS(at)
		return v, err
	}, qFlowVersionList, tenant, id)
}

// PutBinding implements library.Tx.
func (tx *Tx) PutBinding(ctx context.Context, b library.Binding) error {
	_, err := tx.exec(ctx, qBindingPut, b.Tenant, string(b.Kind), b.Ref, b.Target)
	return err
}

// Bindings implements library.Tx.
func (tx *Tx) Bindings(ctx context.Context, tenant string) ([]library.Binding, error) {
	return all(ctx, tx, func(s scanner) (library.Binding, error) {
		b := library.Binding{Tenant: tenant}
		var kind string
		err := s.Scan(&kind, &b.Ref, &b.Target)
		b.Kind = flow.RefKind(kind)
		return b, err
	}, qBindingList, tenant)
}

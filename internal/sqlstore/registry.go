package sqlstore

import (
	"context"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/registry"
	"github.com/tandemcc/tandem/internal/routing"
)

const (
	objectColumns = `tenant, kind, id, name, body, version, created_at, updated_at`

	qObjectInsert = `INSERT INTO objects (` + objectColumns + `, name_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	qObjectUpdate = `UPDATE objects SET (name, body, version, updated_at, name_key) = ($1, $2, $3, $4, $5)
		WHERE tenant = $6 AND kind = $7 AND id = $8 AND version = $9`
	qObjectGet    = `SELECT ` + objectColumns + ` FROM objects WHERE tenant = $1 AND kind = $2 AND id = $3`
	qObjectNamed  = `SELECT ` + objectColumns + ` FROM objects WHERE tenant = $1 AND kind = $2 AND name_key = $3`
	qObjectList   = `SELECT ` + objectColumns + ` FROM objects WHERE tenant = $1 AND kind = $2 ORDER BY name_key`
	qObjectDelete = `DELETE FROM objects WHERE tenant = $1 AND kind = $2 AND id = $3`

	qAgentStatePut = `INSERT INTO agent_states (tenant, agent_id, state, reason_id, reason_name, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant, agent_id) DO UPDATE SET state = excluded.state, reason_id = excluded.reason_id,
		reason_name = excluded.reason_name, at = excluded.at`
	qAgentStates = `SELECT agent_id, state, reason_id, reason_name, at FROM agent_states WHERE tenant = $1 ORDER BY agent_id`
)

var (
	_ registry.Tx = (*Tx)(nil)
	_ routing.Tx  = (*Tx)(nil)
)

func scanObject(s scanner) (r registry.Row, err error) {
	var created, updated int64
	err = s.Scan(&r.Tenant, &r.Kind, &r.ID, &r.Name, &r.Body, &r.Version, &created, &updated)
	r.CreatedAt, r.UpdatedAt = fromMS(created), fromMS(updated)
	return r, err
}

// PutObject implements registry.Tx.
func (tx *Tx) PutObject(ctx context.Context, r registry.Row) error {
	if r.Version == 1 {
		_, err := tx.exec(ctx, qObjectInsert, r.Tenant, r.Kind, r.ID, r.Name, r.Body, r.Version, ms(r.CreatedAt), ms(r.UpdatedAt), strings.ToLower(r.Name))
		if errs.Is(err, errs.Conflict) {
			return errs.Wrap(errs.Conflict, err, "the name %q is taken; choose another", r.Name)
		}
		return err
	}
	n, err := tx.exec(ctx, qObjectUpdate, r.Name, r.Body, r.Version, ms(r.UpdatedAt), strings.ToLower(r.Name), r.Tenant, r.Kind, r.ID, r.Version-1)
	if errs.Is(err, errs.Conflict) {
		return errs.Wrap(errs.Conflict, err, "the name %q is taken; choose another", r.Name)
	}
	if err == nil && n == 0 {
		return errs.New(errs.Conflict, "somebody changed it in the meantime; load it again")
	}
	return err
}

func (tx *Tx) oneObject(ctx context.Context, q string, args ...any) (registry.Row, error) {
	list, err := all(ctx, tx, scanObject, q, args...)
	if err != nil {
		return registry.Row{}, err
	}
	if len(list) == 0 {
		return registry.Row{}, errs.New(errs.NotFound, "there is no such %s", args[1])
	}
	return list[0], nil
}

// Object implements registry.Tx.
func (tx *Tx) Object(ctx context.Context, tenant, kind, id string) (registry.Row, error) {
	return tx.oneObject(ctx, qObjectGet, tenant, kind, id)
}

// ObjectNamed implements registry.Tx.
func (tx *Tx) ObjectNamed(ctx context.Context, tenant, kind, name string) (registry.Row, error) {
	return tx.oneObject(ctx, qObjectNamed, tenant, kind, strings.ToLower(name))
}

// Objects implements registry.Tx.
func (tx *Tx) Objects(ctx context.Context, tenant, kind string) ([]registry.Row, error) {
	return all(ctx, tx, scanObject, qObjectList, tenant, kind)
}

// DeleteObject implements registry.Tx.
func (tx *Tx) DeleteObject(ctx context.Context, tenant, kind, id string) error {
	return tx.must(ctx, "there is no such "+kind, qObjectDelete, tenant, kind, id)
}

// PutAgentState implements routing.Tx.
func (tx *Tx) PutAgentState(ctx context.Context, s routing.StoredState) error {
	var reason routing.Reason
	if s.Presence.Reason != nil {
		reason = *s.Presence.Reason
	}
	_, err := tx.exec(ctx, qAgentStatePut, s.Tenant, s.AgentID, string(s.Presence.State), reason.ID, reason.Name, ms(s.At))
	return err
}

// AgentStates implements routing.Tx.
func (tx *Tx) AgentStates(ctx context.Context, tenant string) ([]routing.StoredState, error) {
	return all(ctx, tx, func(s scanner) (v routing.StoredState, err error) {
		var state string
		var reason routing.Reason
		var at int64
		err = s.Scan(&v.AgentID, &state, &reason.ID, &reason.Name, &at)
		v.Tenant, v.At, v.Presence.State = tenant, fromMS(at), routing.AgentState(state)
		if reason.ID != "" {
			v.Presence.Reason = &reason
		}
		return v, err
	}, qAgentStates, tenant)
}

package sqlstore

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
)

const (
	contactColumns = `tenant, id, node, state, state_at, dnis, entry_point_id, flow_id, flow_version, queue_id, agent_id, priority,
		created_at, queued_at, offered_at, answered_at, ended_at, wrap_up_until, closed_at, end_reason, disposition_id, write_back, version, body`
	contactSet = `(node, state, state_at, dnis, entry_point_id, flow_id, flow_version, queue_id, agent_id, priority, created_at,
		queued_at, offered_at, answered_at, ended_at, wrap_up_until, closed_at, end_reason, disposition_id, write_back, version, body)
		= ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)`

	qContactInsert = `INSERT INTO contacts (` + contactColumns + `, session) VALUES
		($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)`
	qContactUpdate        = `UPDATE contacts SET ` + contactSet + ` WHERE tenant = $1 AND id = $2 AND version = $25`
	qContactUpdateSession = `UPDATE contacts SET ` + contactSet + `, session = $26 WHERE tenant = $1 AND id = $2 AND version = $25`
	qContactGet           = `SELECT ` + contactColumns + `, session FROM contacts WHERE tenant = $1 AND id = $2`
	qContactOpen          = `SELECT ` + contactColumns + ` FROM contacts WHERE closed_at = 0 AND node = $1 ORDER BY id`
	qContactOpenAll       = `SELECT ` + contactColumns + ` FROM contacts WHERE closed_at = 0 ORDER BY id`
	qContactList          = `SELECT ` + contactColumns + ` FROM contacts c WHERE tenant = $1`
	qContactToken         = `INSERT INTO contact_tokens (tenant, token, contact_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	qTraceAppend          = `INSERT INTO contact_traces (tenant, contact_id, body) VALUES ($1, $2, $3)`
	qTraceGet             = `SELECT body FROM contact_traces WHERE tenant = $1 AND contact_id = $2 ORDER BY seq`
	qContactTallies       = `SELECT queue_id, sum(CASE WHEN answered_at > 0 THEN 1 ELSE 0 END), sum(CASE WHEN end_reason = 'abandoned' THEN 1 ELSE 0 END),
		sum(CASE WHEN answered_at > 0 AND answered_at - queued_at <= $3 THEN 1 ELSE 0 END)
		FROM contacts WHERE tenant = $1 AND created_at >= $2 AND queue_id <> '' GROUP BY queue_id`
	qContactPurgeable = `SELECT id FROM contacts WHERE tenant = $1 AND closed_at > 0 AND closed_at < $2 ORDER BY id LIMIT $3`
	qContactDelete    = `DELETE FROM contacts WHERE tenant = $1 AND id = $2`
	qTokenDelete      = `DELETE FROM contact_tokens WHERE tenant = $1 AND contact_id = $2`
	qTraceDelete      = `DELETE FROM contact_traces WHERE tenant = $1 AND contact_id = $2`
)

var _ contact.Tx = (*Tx)(nil)

func contactArgs(r contact.Row) []any {
	return []any{
		r.Tenant, r.ID, r.Node, string(r.State), ms(r.StateAt), r.DNIS, r.EntryPointID, r.FlowID, r.FlowVersion, r.QueueID, r.AgentID,
		r.Priority, ms(r.CreatedAt), ms(r.QueuedAt), ms(r.OfferedAt), ms(r.AnsweredAt), ms(r.EndedAt), ms(r.WrapUpUntil), ms(r.ClosedAt),
		string(r.EndReason), r.DispositionID, string(r.WriteBack), r.Version, r.Body,
	}
}

type contactScan struct {
	row                     contact.Row
	state, end, back        string
	at, created, queued     int64
	offered, answered, over int64
	wrap, closed            int64
}

func (c *contactScan) dest() []any {
	r := &c.row
	return []any{
		&r.Tenant, &r.ID, &r.Node, &c.state, &c.at, &r.DNIS, &r.EntryPointID, &r.FlowID, &r.FlowVersion, &r.QueueID, &r.AgentID,
		&r.Priority, &c.created, &c.queued, &c.offered, &c.answered, &c.over, &c.wrap, &c.closed, &c.end, &r.DispositionID, &c.back,
		&r.Version, &r.Body,
	}
}

func (c *contactScan) done() contact.Row {
	r := c.row
	r.State, r.EndReason, r.WriteBack = contact.State(c.state), contact.EndReason(c.end), contact.WriteBack(c.back)
	r.StateAt, r.CreatedAt, r.QueuedAt, r.OfferedAt = fromMS(c.at), fromMS(c.created), fromMS(c.queued), fromMS(c.offered)
	r.AnsweredAt, r.EndedAt, r.WrapUpUntil, r.ClosedAt = fromMS(c.answered), fromMS(c.over), fromMS(c.wrap), fromMS(c.closed)
	return r
}

func scanContact(s scanner) (contact.Row, error) {
	var c contactScan
	err := s.Scan(c.dest()...)
	return c.done(), err
}

// InsertContact implements contact.Tx.
func (tx *Tx) InsertContact(ctx context.Context, r contact.Row) error {
	if r.Session == nil {
		r.Session = []byte{}
	}
	_, err := tx.exec(ctx, qContactInsert, append(contactArgs(r), r.Session)...)
	return err
}

// UpdateContact implements contact.Tx.
func (tx *Tx) UpdateContact(ctx context.Context, r contact.Row) error {
	q, args := qContactUpdate, append(contactArgs(r), r.Version-1)
	if r.Session != nil {
		q, args = qContactUpdateSession, append(args, r.Session)
	}
	n, err := tx.exec(ctx, q, args...)
	if err == nil && n == 0 {
		return errs.New(errs.Conflict, "the contact was changed in the meantime")
	}
	return err
}

// Contact implements contact.Tx.
func (tx *Tx) Contact(ctx context.Context, tenant, id string) (contact.Row, error) {
	var c contactScan
	ok, err := tx.row(ctx, append(c.dest(), &c.row.Session), qContactGet, tenant, id)
	if err == nil && !ok {
		err = errs.New(errs.NotFound, "there is no such contact")
	}
	return c.done(), err
}

// Contacts implements contact.Tx.
func (tx *Tx) Contacts(ctx context.Context, tenant string, f contact.Filter) ([]contact.Row, error) {
	args := []any{tenant}
	var b strings.Builder
	b.WriteString(qContactList)
	where := func(cond string, v any) {
		args = append(args, v)
		b.WriteString(" AND " + strings.ReplaceAll(cond, "?", "$"+strconv.Itoa(len(args))))
	}
	if f.State != "" {
		where("state = ?", string(f.State))
	}
	if f.QueueID != "" {
		where("queue_id = ?", f.QueueID)
	}
	if f.AgentID != "" {
		where("agent_id = ?", f.AgentID)
	}
	if !f.From.IsZero() {
		where("created_at >= ?", ms(f.From))
	}
	if !f.To.IsZero() {
		where("created_at < ?", ms(f.To))
	}
	if f.Before != "" {
		where("id < ?", f.Before)
	}
	if f.Tokens != nil {
		b.WriteString(" AND id IN (SELECT contact_id FROM contact_tokens t WHERE t.tenant = c.tenant AND t.token IN (''")
		for _, token := range f.Tokens {
			args = append(args, token)
			b.WriteString(", $" + strconv.Itoa(len(args)))
		}
		b.WriteString("))")
	}
	args = append(args, f.Limit)
	b.WriteString(" ORDER BY id DESC LIMIT $" + strconv.Itoa(len(args)))
	return all(ctx, tx, scanContact, b.String(), args...)
}

// OpenContacts implements contact.Tx.
func (tx *Tx) OpenContacts(ctx context.Context, node string) ([]contact.Row, error) {
	if node == "" {
		return all(ctx, tx, scanContact, qContactOpenAll)
	}
	return all(ctx, tx, scanContact, qContactOpen, node)
}

// IndexContact implements contact.Tx.
func (tx *Tx) IndexContact(ctx context.Context, tenant, token, id string) error {
	_, err := tx.exec(ctx, qContactToken, tenant, token, id)
	return err
}

// AppendTrace implements contact.Tx.
func (tx *Tx) AppendTrace(ctx context.Context, tenant, id string, sealed []byte) error {
	_, err := tx.exec(ctx, qTraceAppend, tenant, id, sealed)
	return err
}

func scanBytes(s scanner) (b []byte, err error) { err = s.Scan(&b); return b, err }

func scanText(s scanner) (v string, err error) { err = s.Scan(&v); return v, err }

// Trace implements contact.Tx.
func (tx *Tx) Trace(ctx context.Context, tenant, id string) ([][]byte, error) {
	return all(ctx, tx, scanBytes, qTraceGet, tenant, id)
}

// QueueTallies implements contact.Tx.
func (tx *Tx) QueueTallies(ctx context.Context, tenant string, since time.Time, wait time.Duration) (map[string]contact.Tally, error) {
	out := map[string]contact.Tally{}
	err := tx.query(ctx, func(s scanner) error {
		var id string
		var t contact.Tally
		if err := s.Scan(&id, &t.Answered, &t.Abandoned, &t.Within); err != nil {
			return err
		}
		out[id] = t
		return nil
	}, qContactTallies, tenant, ms(since), wait.Milliseconds())
	return out, err
}

// PurgeContacts implements contact.Tx.
func (tx *Tx) PurgeContacts(ctx context.Context, tenant string, before time.Time, limit int) ([]string, error) {
	gone, err := all(ctx, tx, scanText, qContactPurgeable, tenant, ms(before), limit)
	if err != nil {
		return nil, err
	}
	for _, id := range gone {
		for _, q := range []string{qTokenDelete, qTraceDelete, qContactDelete} {
			if _, err := tx.exec(ctx, q, tenant, id); err != nil {
				return nil, err
			}
		}
	}
	return gone, nil
}

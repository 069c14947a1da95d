package sqlstore

import (
	"context"
	"time"

	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
)

const (
	qRecordingInsert = `INSERT INTO recordings (tenant, id, contact_id, started_at, ended_at, agent, customer, frames) VALUES ($1, $2, $3, $4, 0, $5, $6, 0)`
	qRecordingGrow   = `UPDATE recordings SET frames = frames + $3 WHERE tenant = $1 AND id = $2`
	qRecordingEnd    = `UPDATE recordings SET ended_at = $3 WHERE tenant = $1 AND contact_id = $2 AND ended_at = 0`
	qRecordingList   = `SELECT tenant, id, contact_id, started_at, ended_at, agent, customer, frames FROM recordings WHERE tenant = $1 AND contact_id = $2 ORDER BY id`
	qRecordingIDs    = `SELECT id FROM recordings WHERE tenant = $1 AND contact_id = $2 ORDER BY id`
	qRecordingDelete = `DELETE FROM recordings WHERE tenant = $1 AND id = $2`
	qPieceInsert     = `INSERT INTO recording_pieces (tenant, recording_id, seq, frames, body) VALUES ($1, $2, $3, $4, $5)`
	qPieceList       = `SELECT recording_id, seq, frames FROM recording_pieces WHERE tenant = $1 AND recording_id = $2 ORDER BY seq`
	qPieceGet        = `SELECT body FROM recording_pieces WHERE tenant = $1 AND recording_id = $2 AND seq = $3`
	qPieceDelete     = `DELETE FROM recording_pieces WHERE tenant = $1 AND recording_id = $2`

	qStationPut    = `INSERT INTO stations (tenant, agent_id, body) VALUES ($1, $2, $3) ON CONFLICT (tenant, agent_id) DO UPDATE SET body = excluded.body`
	qStationDelete = `DELETE FROM stations WHERE tenant = $1 AND agent_id = $2`
	qStationList   = `SELECT agent_id, body FROM stations WHERE tenant = $1 ORDER BY agent_id`
)

// InsertRecording implements contact.RecordingTx.
func (tx *Tx) InsertRecording(ctx context.Context, r contact.Recording) error {
	_, err := tx.exec(ctx, qRecordingInsert, r.Tenant, r.ID, r.ContactID, ms(r.StartedAt), flag(r.Agent), flag(r.Customer))
	return err
}

// AppendRecording implements contact.RecordingTx.
func (tx *Tx) AppendRecording(ctx context.Context, tenant string, p contact.Piece, sealed []byte) error {
	n, err := tx.exec(ctx, qRecordingGrow, tenant, p.RecordingID, p.Frames)
	if err != nil {
		return err
	}
	if n == 0 {
		return errs.New(errs.NotFound, "the recording was removed")
	}
	_, err = tx.exec(ctx, qPieceInsert, tenant, p.RecordingID, p.Seq, p.Frames, sealed)
	return err
}

// EndRecordings implements contact.RecordingTx.
func (tx *Tx) EndRecordings(ctx context.Context, tenant, contactID string, at time.Time) error {
	_, err := tx.exec(ctx, qRecordingEnd, tenant, contactID, ms(at))
	return err
}

func scanRecording(s scanner) (r contact.Recording, err error) {
	var started, ended int64
	var agent, customer int
	err = s.Scan(&r.Tenant, &r.ID, &r.ContactID, &started, &ended, &agent, &customer, &r.Frames)
	r.StartedAt, r.EndedAt, r.Agent, r.Customer = fromMS(started), fromMS(ended), agent != 0, customer != 0
	return r, err
}

// Recordings implements contact.RecordingTx.
func (tx *Tx) Recordings(ctx context.Context, tenant, contactID string) ([]contact.Recording, error) {
	return all(ctx, tx, scanRecording, qRecordingList, tenant, contactID)
}

func scanPiece(s scanner) (p contact.Piece, err error) {
	err = s.Scan(&p.RecordingID, &p.Seq, &p.Frames)
	return p, err
}

// RecordingPieces implements contact.RecordingTx.
func (tx *Tx) RecordingPieces(ctx context.Context, tenant, id string) ([]contact.Piece, error) {
	return all(ctx, tx, scanPiece, qPieceList, tenant, id)
}

// RecordingPiece implements contact.RecordingTx.
func (tx *Tx) RecordingPiece(ctx context.Context, tenant, id string, seq int) (body []byte, err error) {
	ok, err := tx.row(ctx, []any{&body}, qPieceGet, tenant, id, seq)
	if err == nil && !ok {
		err = errs.New(errs.NotFound, "the recording was removed")
	}
	return body, err
}

// PurgeRecordings implements contact.RecordingTx.
func (tx *Tx) PurgeRecordings(ctx context.Context, tenant, contactID string) ([]string, error) {
	gone, err := all(ctx, tx, scanText, qRecordingIDs, tenant, contactID)
	if err != nil {
		return nil, err
	}
	for _, id := range gone {
		for _, q := range []string{qPieceDelete, qRecordingDelete} {
			if _, err := tx.exec(ctx, q, tenant, id); err != nil {
				return nil, err
			}
		}
	}
	return gone, nil
}

// PutStation stores an agent's sealed station; an empty body removes it.
func (db *DB) PutStation(ctx context.Context, tenant, agentID string, body []byte) error {
	return db.Update(ctx, func(tx *Tx) error {
		if len(body) == 0 {
			_, err := tx.exec(ctx, qStationDelete, tenant, agentID)
			return err
		}
		_, err := tx.exec(ctx, qStationPut, tenant, agentID, body)
		return err
	})
}

// Stations returns the sealed stations of a tenant by agent.
func (db *DB) Stations(ctx context.Context, tenant string) (out map[string][]byte, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		out = map[string][]byte{}
		return tx.query(ctx, func(s scanner) error {
			var id string
			var body []byte
			if err := s.Scan(&id, &body); err != nil {
				return err
			}
			out[id] = body
			return nil
		}, qStationList, tenant)
	})
	return out, err
}

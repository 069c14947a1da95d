package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/event"
)

// sequencerLock is the advisory lock that makes one node the sequencer.
const sequencerLock = 0x74616e64656d

// sequencer moves events from the outbox into the log with a dense seq; on PostgreSQL several writers commit in an order
// that a sequence does not show. One node holds the advisory lock; the others wait to take over.
type sequencer struct {
	db     *DB
	signal chan struct{}
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func newSequencer(db *DB) *sequencer { return &sequencer{db: db, signal: make(chan struct{}, 1)} }

func (s *sequencer) start(ctx context.Context) error {
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.done.Go(func() { s.loop(ctx) })
	return nil
}

func (s *sequencer) stop() { s.cancel(); s.done.Wait() }

func (s *sequencer) wake() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

func (s *sequencer) loop(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.lead(ctx); err != nil && ctx.Err() == nil {
			s.db.opts.Log.ErrorContext(ctx, "sequencing events", slog.Any("error", err))
		}
		s.wait(ctx, time.Second)
	}
}

func (s *sequencer) wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-s.signal:
	case <-t.C:
	}
}

// lead sequences while this node holds the lock, which lives as long as its connection.
func (s *sequencer) lead(ctx context.Context) (err error) {
	conn, err := s.db.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var mine bool
	if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", int64(sequencerLock)).Scan(&mine); err != nil || !mine {
		return err
	}
	defer func() {
		_, e := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(sequencerLock))
		err = errors.Join(err, e)
	}()
	for ctx.Err() == nil {
		n, err := s.move(ctx, conn)
		if err != nil {
			return err
		}
		if n > 0 {
			if s.db.opts.OnCommit != nil {
				s.db.opts.OnCommit(Changes{Events: true})
			}
			continue
		}
		s.wait(ctx, 250*time.Millisecond)
	}
	return nil
}

type outboxRow struct {
	id int64
	event.Event
}

// move carries one batch over in one transaction and returns its size.
func (s *sequencer) move(ctx context.Context, conn *sql.Conn) (n int, err error) {
	stx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := stx.Rollback(); e != nil && !errors.Is(e, sql.ErrTxDone) {
			err = errors.Join(err, e)
		}
	}()
	list, err := takeOutbox(ctx, stx)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	var last int64
	if err := stx.QueryRowContext(ctx, qCounterAdd, "events", len(list)).Scan(&last); err != nil {
		return 0, err
	}
	first := last - int64(len(list)) + 1
	for i, e := range list {
		if _, err := stx.ExecContext(ctx, qEventInsertSeq, first+int64(i), e.Tenant, e.Type, e.Subject, ms(e.At), string(e.Data)); err != nil {
			return 0, fmt.Errorf("moving event: %w", err)
		}
	}
	return len(list), stx.Commit()
}

func takeOutbox(ctx context.Context, stx *sql.Tx) (list []outboxRow, err error) {
	rows, err := stx.QueryContext(ctx, qOutboxTake)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r outboxRow
		var at int64
		var data string
		if err := rows.Scan(&r.id, &r.Tenant, &r.Type, &r.Subject, &at, &data); err != nil {
			return nil, err
		}
		r.At, r.Data = fromMS(at), []byte(data)
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b outboxRow) int { return cmp.Compare(a.id, b.id) })
	return list, rows.Err()
}

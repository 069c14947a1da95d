package audit

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tandemcc/tandem/internal/errs"
)

// Witness takes checkpoints to a second place. Publish is called with signed notes, in order, not for every one.
type Witness interface {
	Publish(ctx context.Context, checkpoint string) error
}

// Config is what a Sequencer needs.
type Config struct {
	Store     Store
	Signer    Signer         // of new checkpoints
	Verifiers note.Verifiers // of all checkpoints; nil means those of Signer only when VerifierKeys is set
	Node      string         // this node's name, for the lease
	Now       func() time.Time
	Log       *slog.Logger
	Interval  time.Duration // at most this long an entry waits; 0 means 1 second
	Batch     int           // entries sealed in one transaction; 0 means 256
	Witness   Witness       // optional
}

const (
	leaseFor     = 15 * time.Second
	witnessEvery = time.Minute
)

// Sequencer seals entries. One node does it at a time; it is a lifecycle.Part and safe for concurrent use.
type Sequencer struct {
	cfg    Config
	wake   chan struct{}
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu        sync.Mutex // guards published
	published time.Time
}

// NewSequencer returns a sequencer.
func NewSequencer(cfg Config) (*Sequencer, error) {
	if cfg.Store == nil || cfg.Signer == nil || cfg.Verifiers == nil || cfg.Node == "" {
		return nil, errs.New(errs.Internal, "the audit sequencer needs a store, a signer, verifiers and a node name")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Interval <= 0 {
		cfg.Interval = time.Second
	}
	if cfg.Batch <= 0 {
		cfg.Batch = 256
	}
	return &Sequencer{cfg: cfg, wake: make(chan struct{}, 1)}, nil
}

// Origin names the log in its checkpoints: the signer's name.
func (s *Sequencer) Origin() string { return s.cfg.Signer.Name() }

// Start seals what waits from an earlier run in the background and goes on.
func (s *Sequencer) Start(ctx context.Context) error {
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.done.Go(func() { s.loop(ctx) })
	return nil
}

// Stop ends the loop and seals what is left, until ctx ends.
func (s *Sequencer) Stop(ctx context.Context) error {
	s.cancel()
	s.done.Wait()
	_, err := s.SealAll(ctx)
	return err
}

// Wake has entries sealed soon; it never blocks. Call it after a commit that wrote some.
func (s *Sequencer) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Sequencer) loop(ctx context.Context) {
	timer := time.NewTicker(s.cfg.Interval)
	defer timer.Stop()
	for {
		if _, err := s.SealAll(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.ErrorContext(ctx, "sealing audit entries", slog.Any("error", err))
		}
		// Waking early only matters for a full batch: entries of one interval share a checkpoint.
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		select {
		case <-s.wake:
		default:
			s.idle(ctx, timer.C)
		}
	}
}

// idle waits for a wake-up, and a few intervals at most, as another node may have written.
func (s *Sequencer) idle(ctx context.Context, tick <-chan time.Time) {
	for range 5 {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
			return
		case <-tick:
		}
	}
}

// SealAll seals until nothing waits and returns how many entries it sealed; 0 also when another node holds the lease.
func (s *Sequencer) SealAll(ctx context.Context) (int, error) {
	total := 0
	for {
		n, head, err := s.Seal(ctx)
		total += n
		if err != nil {
			return total, err
		}
		if n > 0 {
			s.publish(ctx, head)
		}
		if n < s.cfg.Batch {
			return total, nil
		}
	}
}

// Seal seals one batch in one transaction.
func (s *Sequencer) Seal(ctx context.Context) (n int, head Checkpoint, err error) {
	waiting := int64(0)
	err = s.cfg.Store.View(ctx, func(tx Tx) error { // spares the writer when there is nothing to do
		pending, err := tx.AuditPending(ctx, 1)
		waiting = int64(len(pending))
		return err
	})
	if err != nil {
		return 0, head, fmt.Errorf("reading unsealed entries: %w", err)
	}
	if waiting == 0 {
		return 0, head, nil
	}
	now := s.cfg.Now().UTC()
	err = s.cfg.Store.Update(ctx, func(tx Tx) error {
		n, head, err = s.sealBatch(ctx, tx, now)
		return err
	})
	if err != nil {
		return 0, Checkpoint{}, err
	}
	return n, head, nil
}

func (s *Sequencer) sealBatch(ctx context.Context, tx Tx, now time.Time) (int, Checkpoint, error) {
	mine, err := tx.AuditLease(ctx, s.cfg.Node, now, now.Add(leaseFor))
	if err != nil || !mine {
		return 0, Checkpoint{}, err
	}
	pending, err := tx.AuditPending(ctx, s.cfg.Batch)
	if err != nil || len(pending) == 0 {
		return 0, Checkpoint{}, err
	}
	hashes := newBlocks(ctx, tx)
	old, edge, err := s.edge(ctx, tx, hashes)
	if err != nil {
		return 0, Checkpoint{}, err
	}
	var out []tlog.Hash
	for _, e := range pending {
		e.Seq = edge.size + 1
		if err := tx.SealAuditEntry(ctx, e.ID, e.Seq); err != nil {
			return 0, Checkpoint{}, fmt.Errorf("placing entry %d: %w", e.Seq, err)
		}
		out = edge.add(e.hash(), out)
	}
	if err := hashes.write(tlog.StoredHashCount(old.Size), out); err != nil {
		return 0, Checkpoint{}, err
	}
	head, err := s.sign(edge, now)
	if err != nil {
		return 0, Checkpoint{}, err
	}
	// The newest checkpoint of each hour is kept, so that damage can be narrowed down.
	replaced := int64(0)
	if old.Size > 0 && old.At.Truncate(time.Hour).Equal(now.Truncate(time.Hour)) {
		replaced = old.Size
	}
	return len(pending), head, tx.PutAuditCheckpoint(ctx, head, replaced)
}

// edge loads the right edge and checks it against the newest checkpoint, so that nothing is built on a damaged log.
func (s *Sequencer) edge(ctx context.Context, tx Tx, hashes *blocks) (Checkpoint, *frontier, error) {
	head, err := tx.AuditHead(ctx)
	if err != nil {
		return head, nil, fmt.Errorf("reading the newest checkpoint: %w", err)
	}
	edge, err := loadFrontier(head.Size, hashes)
	if err != nil || head.Size == 0 {
		return head, edge, err
	}
	tree, err := ParseCheckpoint(head.Note, s.Origin(), s.cfg.Verifiers)
	if err != nil {
		return head, nil, err
	}
	if tree.N != head.Size || tree.Hash != edge.root() {
		return head, nil, errs.New(errs.Internal, "the audit log's hashes do not agree with its newest checkpoint: verify the log")
	}
	return head, edge, nil
}

func (s *Sequencer) sign(edge *frontier, now time.Time) (Checkpoint, error) {
	signed, err := note.Sign(&note.Note{Text: checkpointText(s.Origin(), edge.size, edge.root())}, s.cfg.Signer)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("signing the checkpoint: %w", err)
	}
	return Checkpoint{Size: edge.size, At: now, Note: string(signed)}, nil
}

func (s *Sequencer) publish(ctx context.Context, head Checkpoint) {
	if s.cfg.Witness == nil {
		return
	}
	s.mu.Lock()
	due := head.At.Sub(s.published) >= witnessEvery
	if due {
		s.published = head.At
	}
	s.mu.Unlock()
	if !due {
		return
	}
	if err := s.cfg.Witness.Publish(ctx, head.Note); err != nil {
		s.cfg.Log.WarnContext(ctx, "publishing the audit checkpoint", slog.Any("error", err))
	}
}

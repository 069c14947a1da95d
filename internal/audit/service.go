package audit

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
)

// The actions that policies name; their resource is ResourceARN.
const (
	ActionList          = "audit:List"
	ActionGetCheckpoint = "audit:GetCheckpoint"
	ActionVerify        = "audit:Verify"
)

// ResourceARN names the log for policies.
func ResourceARN(tenant string) string { return "arn:aws:tandem::" + tenant + ":audit/log" }

// Service is the log as people use it. It is safe for concurrent use.
type Service struct {
	store     Store
	authz     authz.Decider
	origin    string
	verifiers note.Verifiers
	verifying chan struct{} // one at a time: it reads everything
}

// NewService returns a service for the log of a sequencer with that origin.
func NewService(store Store, decider authz.Decider, origin string, verifiers note.Verifiers) *Service {
	return &Service{store: store, authz: decider, origin: origin, verifiers: verifiers, verifying: make(chan struct{}, 1)}
}

func (s *Service) check(ctx context.Context, action string) (caller.Principal, error) {
	p, ok := caller.From(ctx)
	if !ok {
		return p, errs.New(errs.Unauthenticated, "log in first")
	}
	return p, s.authz.Check(ctx, action, ResourceARN(p.Tenant))
}

// maxList is the largest page of entries.
const maxList = 500

// List returns entries of the caller's tenant, newest first; f.Limit 0 means 100. The cursor of the next page is the last ID.
func (s *Service) List(ctx context.Context, f Filter) (list []Entry, err error) {
	p, err := s.check(ctx, ActionList)
	if err != nil {
		return nil, err
	}
	f.Tenant = p.Tenant
	if f.Limit <= 0 {
		f.Limit = 100
	}
	f.Limit = min(f.Limit, maxList)
	err = s.store.View(ctx, func(tx Tx) (err error) {
		list, err = tx.ListAudit(ctx, f)
		return err
	})
	return list, err
}

// Status is the state of the log.
type Status struct {
	Size       int64
	Root       string    // hash of the tree, base64; empty for an empty log
	SealedAt   time.Time // zero for an empty log
	Pending    int64     // entries not sealed yet
	Checkpoint string    // the newest signed note
}

// Status returns the newest checkpoint and how much waits.
func (s *Service) Status(ctx context.Context) (Status, error) {
	if _, err := s.check(ctx, ActionGetCheckpoint); err != nil {
		return Status{}, err
	}
	var st Status
	err := s.store.View(ctx, func(tx Tx) error {
		head, err := tx.AuditHead(ctx)
		if err != nil {
			return err
		}
		st = Status{Size: head.Size, SealedAt: head.At, Checkpoint: head.Note}
		st.Pending, err = tx.AuditPendingCount(ctx)
		return err
	})
	if err != nil || st.Size == 0 {
		return st, err
	}
	tree, err := ParseCheckpoint(st.Checkpoint, s.origin, s.verifiers)
	if err != nil {
		return st, err
	}
	st.Root = base64.StdEncoding.EncodeToString(tree.Hash[:])
	return st, nil
}

// Verify is the function Verify for whoever may; one runs at a time. errs.Conflict: one is running.
func (s *Service) Verify(ctx context.Context, witnessed ...string) (Result, error) {
	if _, err := s.check(ctx, ActionVerify); err != nil {
		return Result{}, err
	}
	select {
	case s.verifying <- struct{}{}:
		defer func() { <-s.verifying }()
	default:
		return Result{}, errs.New(errs.Conflict, "the log is being verified already; wait for that to end")
	}
	return Verify(ctx, s.store, s.origin, s.verifiers, witnessed...)
}

// FileWitness appends checkpoints to a file, synced each time; put it on another disk or ship it elsewhere.
type FileWitness struct {
	mu   sync.Mutex // guards path's content
	path string
}

// NewFileWitness returns a witness that writes to path, which it makes when needed (mode 0600).
func NewFileWitness(path string) *FileWitness { return &FileWitness{path: path} }

// Publish implements Witness. Notes are separated by an empty line.
func (w *FileWitness) Publish(_ context.Context, checkpoint string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, err := os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the witness file: %w", err)
	}
	_, err = f.WriteString(checkpoint + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the witness file: %w", err)
	}
	return nil
}

// maxWitness is the largest witness file read, in bytes: half a year of one note a minute.
const maxWitness = 64 << 20

// ReadWitness returns the notes of a FileWitness, for Verify.
func ReadWitness(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the witness file: %w", err)
	}
	if info.Size() > maxWitness {
		return nil, errs.New(errs.Invalid, "the witness file is larger than %d bytes: keep its newest part", maxWitness)
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("reading the witness file: %w", err)
	}
	return splitNotes(string(data)), nil
}

// splitNotes takes notes apart: each is a text and its signatures with an empty line between, and one after them. A note that a
// crash cut short at the end is left out.
func splitNotes(text string) (notes []string) {
	for {
		body, rest, ok := strings.Cut(text, "\n\n")
		if !ok {
			return notes
		}
		signatures, next, ok := strings.Cut(rest, "\n\n")
		if !ok {
			return notes
		}
		notes = append(notes, body+"\n\n"+signatures+"\n")
		text = next
	}
}

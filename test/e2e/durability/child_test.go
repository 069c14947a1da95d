package durability

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/tandemcc/tandem/internal/audit"
	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/clock"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/registry"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/work"
)

// The child is this test's binary run again: it writes until it is killed, or finishes what is left and ends.
const (
	envChild = "TANDEM_TEST_DURABILITY" // "write" or "drain"
	envDSN   = "TANDEM_TEST_DURABILITY_DSN"
	envDir   = "TANDEM_TEST_DURABILITY_DIR"
)

const (
	tenant  = "000000000001"
	writers = 4
	lines   = 6 // order keys of a writer
	jobKind = "mark"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(envChild); mode != "" {
		if err := child(mode); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// entityTx is the small domain of this test: an object sealed under a key of its own.
type entityTx interface {
	work.Tx
	keyring.Keys
	PutObject(ctx context.Context, r registry.Row) error
	Objects(ctx context.Context, tenant, kind string) ([]registry.Row, error)
}

type allowAll struct{}

// Check implements authz.Decider.
func (allowAll) Check(context.Context, string, string, ...authz.Attr) error { return nil }

// program is the spine put together as the hub does it.
type program struct {
	db       *sqlstore.DB
	ring     *keyring.Ring
	store    work.Store[entityTx]
	sealer   *audit.Sequencer
	verifier note.Verifiers
	jobKey   *keyring.DataKey
}

// SealJob implements sqlstore.Cipher.
func (p *program) SealJob(_, id string, plain []byte) ([]byte, error) {
	return p.jobKey.Seal([]byte("job/"+id), plain), nil
}

// OpenJob implements sqlstore.Cipher.
func (p *program) OpenJob(ctx context.Context, tenant, id string, sealed []byte) ([]byte, error) {
	return p.ring.Open(ctx, tenant, sealed, []byte("job/"+id))
}

func asTest(ctx context.Context) context.Context {
	return caller.With(ctx, caller.NewService(tenant, "test"))
}

func open(ctx context.Context, dsn, dir string) (*program, error) {
	root, err := keyring.OpenRoot(filepath.Join(dir, "root.key"), nil)
	if err != nil {
		return nil, err
	}
	p := &program{}
	if p.db, err = sqlstore.Open(ctx, dsn, sqlstore.Options{}); err != nil {
		return nil, err
	}
	if p.ring, err = keyring.New(keyring.Config{Store: sqlstore.As[keyring.Tx](p.db), Root: root, Authz: allowAll{}}); err != nil {
		return nil, err
	}
	if err := errors.Join(p.ring.Start(ctx), p.ring.EnsureTenant(ctx, tenant)); err != nil {
		return nil, err
	}
	if p.jobKey, err = p.ring.Key(ctx, tenant, keyring.Job, ""); err != nil {
		return nil, err
	}
	p.db.SetCipher(p)
	p.store = sqlstore.As[entityTx](p.db)
	signer, err := p.ring.Signer(ctx, tenant, "tandem/test")
	if err != nil {
		return nil, err
	}
	keys, err := p.ring.VerifierKeys(ctx, tenant, "tandem/test")
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(keys[0])
	if err != nil {
		return nil, err
	}
	p.verifier = note.VerifierList(verifier)
	p.sealer, err = audit.NewSequencer(audit.Config{
		Store: sqlstore.As[audit.Tx](p.db), Signer: signer, Verifiers: p.verifier, Node: "n", Interval: 20 * time.Millisecond,
	})
	return p, err
}

// entity is what one unit of work writes.
type entity struct {
	ID     string
	Writer int
	N      int // counts the writer's entities within one life of the process
	Text   string
}

// line is the order key of the entity's job.
func (e entity) line() string { return strconv.Itoa(e.Writer) + "-" + strconv.Itoa(e.N%lines) }

func body(id string) string { return "what is known of " + id }

func aad(id string) []byte { return []byte("entity/" + id) }

// write stores one entity with its key, event, job and audit entry in one unit of work.
func (p *program) write(ctx context.Context, e entity) error {
	key, err := p.ring.NewDataKey(ctx, tenant, keyring.Contact, e.ID)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	sealed := key.Seal(aad(e.ID), raw)
	return p.store.Update(ctx, func(tx entityTx) error {
		return errors.Join(
			tx.PutDataKey(ctx, key.Row()),
			tx.PutObject(ctx, registry.Row{Tenant: tenant, Kind: "entity", ID: e.ID, Name: e.ID, Body: sealed, Version: 1, CreatedAt: now, UpdatedAt: now}),
			tx.Emit(ctx, event.Event{Tenant: tenant, Type: "entity.created", Subject: e.ID, At: now}),
			tx.Enqueue(ctx, job.Job{
				ID: "job-" + e.ID, Tenant: tenant, Kind: jobKind, OrderKey: e.line(), Connection: "far", Payload: raw, CreatedAt: now,
			}),
			tx.Audit(ctx, work.Audit{Tenant: tenant, At: now, Principal: caller.ServiceARN(tenant, "test"), Action: "entity:Create", Resource: e.ID, Outcome: "ok", Personal: raw}),
		)
	})
}

// mark is the job's handler. It may run again after a kill; its effect commits once because it commits with its own proof.
func (p *program) mark(ctx context.Context, j job.Job) error {
	var e entity
	if err := json.Unmarshal(j.Payload, &e); err != nil {
		return job.Discard(err)
	}
	now := time.Now().UTC()
	err := p.store.Update(ctx, func(tx entityTx) error {
		row := registry.Row{Tenant: tenant, Kind: "effect", ID: e.ID, Name: e.ID, Body: []byte{}, Version: 1, CreatedAt: now, UpdatedAt: now}
		if err := tx.PutObject(ctx, row); err != nil {
			return err
		}
		return tx.Emit(ctx, event.Event{Tenant: tenant, Type: "entity.marked", Subject: e.ID, At: now})
	})
	if errs.Is(err, errs.Conflict) && p.marked(ctx, e.ID) {
		return nil // done before a kill
	}
	return err
}

func (p *program) marked(ctx context.Context, id string) bool {
	return sqlstore.As[registry.Tx](p.db).View(ctx, func(tx registry.Tx) error {
		_, err := tx.Object(ctx, tenant, "effect", id)
		return err
	}) == nil
}

func child(mode string) error {
	ctx := asTest(context.Background())
	p, err := open(ctx, os.Getenv(envDSN), os.Getenv(envDir))
	if err != nil {
		return err
	}
	runner := job.NewRunner(p.db.Jobs(), clock.New(), map[string]job.Handler{jobKind: p.mark}, job.Options{Node: "n", Workers: 24, PerConn: 24})
	p.db.OnCommit(func(c sqlstore.Changes) {
		if c.Jobs {
			runner.Wake()
		}
		if c.Audit {
			p.sealer.Wake()
		}
	})
	if err := errors.Join(p.sealer.Start(ctx), runner.Start(ctx)); err != nil {
		return err
	}
	if mode == "write" {
		return p.writeForever(ctx)
	}
	for {
		counts, err := p.db.Counts(ctx, tenant)
		if err != nil {
			return err
		}
		if counts.JobsWaiting == 0 {
			break
		}
		<-time.After(20 * time.Millisecond)
	}
	err = errors.Join(runner.Stop(ctx), p.sealer.Stop(ctx))
	if _, e := p.sealer.SealAll(ctx); e != nil {
		err = errors.Join(err, e)
	}
	return errors.Join(err, p.db.Close())
}

// writeForever acknowledges each entity on standard output once its unit of work has committed.
func (p *program) writeForever(ctx context.Context) error {
	var mu sync.Mutex // guards standard output
	var wg sync.WaitGroup
	failed := make(chan error, writers)
	for w := range writers {
		wg.Go(func() {
			for n := 0; ; n++ {
				e := entity{ID: ids.New(), Writer: w, N: n}
				e.Text = body(e.ID)
				if err := p.write(ctx, e); err != nil {
					failed <- err
					return
				}
				mu.Lock()
				_, err := os.Stdout.WriteString("ack " + e.ID + "\n")
				mu.Unlock()
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	return <-failed
}

// Package registry keeps a tenant's configuration objects: queues, entry points, connectors, lists of codes. Each is a
// named, versioned JSON document of a kind; the domain that owns the kind checks it and says what it means.
package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/work"
)

// Row is an object as stored. Name is unique within tenant and kind, without regard to case.
type Row struct {
	Tenant, Kind, ID, Name string
	Body                   []byte
	Version                int
	CreatedAt, UpdatedAt   time.Time
}

// Tx is the registry's transaction.
type Tx interface {
	work.Tx
	// PutObject inserts (Version 1) or updates (stored version is r.Version-1) an object; errs.Conflict when the name is
	// taken or the version is another.
	PutObject(ctx context.Context, r Row) error
	// Object returns one object; errs.NotFound.
	Object(ctx context.Context, tenant, kind, id string) (Row, error)
	// ObjectNamed returns one object by its name; errs.NotFound.
	ObjectNamed(ctx context.Context, tenant, kind, name string) (Row, error)
	// Objects returns all objects of a kind ordered by name.
	Objects(ctx context.Context, tenant, kind string) ([]Row, error)
	// DeleteObject removes an object; errs.NotFound.
	DeleteObject(ctx context.Context, tenant, kind, id string) error
}

// Store runs the registry's units of work.
type Store = work.Store[Tx]

// Object is one configuration object of type T.
type Object[T any] struct {
	ID        string
	Name      string
	Version   int
	CreatedAt time.Time
	UpdatedAt time.Time
	Spec      T
}

// Sealer encrypts the bodies of a kind that holds secrets.
type Sealer interface {
	Seal(ctx context.Context, tenant, id string, plain []byte) ([]byte, error)
	Open(ctx context.Context, tenant, id string, sealed []byte) ([]byte, error)
}

// Collection is the objects of one kind. It is safe for concurrent use.
type Collection[T any] struct {
	Kind   string // also the policy resource and the prefix of the event type: "queue"
	Store  Store
	Authz  authz.Decider
	Now    func() time.Time
	Check  func(name string, spec *T) error // errs.Invalid with what to do; may fill in defaults
	Sealer Sealer                           // nil: stored in clear
	// Clash returns errs.Conflict when an object cannot stand beside another of the kind. It is asked for each other in the
	// unit of work that stores the object, so that of two written at once one is refused. Not for a kind with a Sealer.
	Clash func(o, other Object[T]) error
	Max   int // objects a tenant may have; 0 means 1000
}

// ARN is what policies name.
func (c *Collection[T]) ARN(tenant, id string) string {
	return "arn:aws:tandem::" + tenant + ":" + c.Kind + "/" + id
}

func (c *Collection[T]) action(verb string) string {
	return "setup:" + verb + strings.ToUpper(c.Kind[:1]) + c.Kind[1:]
}

// List returns all objects, ordered by name.
func (c *Collection[T]) List(ctx context.Context, tenant string) ([]Object[T], error) {
	if err := c.Authz.Check(ctx, c.action("List"), c.ARN(tenant, "*")); err != nil {
		return nil, err
	}
	var rows []Row
	if err := c.Store.View(ctx, func(tx Tx) (err error) {
		rows, err = tx.Objects(ctx, tenant, c.Kind)
		return err
	}); err != nil {
		return nil, err
	}
	out := make([]Object[T], 0, len(rows))
	for _, r := range rows {
		o, err := c.decode(ctx, r)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// Get returns one object.
func (c *Collection[T]) Get(ctx context.Context, tenant, id string) (Object[T], error) {
	return c.get(ctx, tenant, id, func(tx Tx) (Row, error) { return tx.Object(ctx, tenant, c.Kind, id) })
}

// Named returns one object by its name, without regard to case.
func (c *Collection[T]) Named(ctx context.Context, tenant, name string) (Object[T], error) {
	return c.get(ctx, tenant, "*", func(tx Tx) (Row, error) { return tx.ObjectNamed(ctx, tenant, c.Kind, name) })
}

func (c *Collection[T]) get(ctx context.Context, tenant, id string, read func(Tx) (Row, error)) (o Object[T], err error) {
	if err := c.Authz.Check(ctx, c.action("Get"), c.ARN(tenant, id)); err != nil {
		return o, err
	}
	var row Row
	if err := c.Store.View(ctx, func(tx Tx) (err error) { row, err = read(tx); return err }); err != nil {
		return o, err
	}
	return c.decode(ctx, row)
}

// Create stores a new object; its ID may be chosen, else it is made.
func (c *Collection[T]) Create(ctx context.Context, tenant string, o Object[T]) (Object[T], error) {
	limit := c.Max
	if limit == 0 {
		limit = 1000
	}
	if o.ID == "" {
		o.ID = ids.New()
	}
	now := c.Now()
	o.Version, o.CreatedAt, o.UpdatedAt = 1, now, now
	return o, c.put(ctx, tenant, "Create", "created", &o, func(tx Tx) error {
		rows, err := tx.Objects(ctx, tenant, c.Kind)
		if err == nil && len(rows) >= limit {
			return errs.New(errs.Exhausted, "there are %d of them already, which is the limit; remove some first", limit)
		}
		return err
	})
}

// Update replaces an object. version is the one the caller has seen; 0 takes any.
func (c *Collection[T]) Update(ctx context.Context, tenant string, o Object[T], version int) (Object[T], error) {
	old, err := c.Get(ctx, tenant, o.ID)
	if err != nil {
		return old, err
	}
	if version != 0 && version != old.Version {
		return old, errs.New(errs.Conflict, "somebody changed it in the meantime (version %d, not %d); load it again", old.Version, version)
	}
	o.Version, o.CreatedAt, o.UpdatedAt = old.Version+1, old.CreatedAt, c.Now()
	return o, c.put(ctx, tenant, "Update", "updated", &o, func(Tx) error { return nil })
}

func (c *Collection[T]) put(ctx context.Context, tenant, verb, past string, o *Object[T], before func(Tx) error) error {
	if err := c.Authz.Check(ctx, c.action(verb), c.ARN(tenant, o.ID)); err != nil {
		return err
	}
	o.Name = strings.TrimSpace(o.Name)
	if o.Name == "" || len(o.Name) > 200 {
		return errs.New(errs.Invalid, "give it a name of 1 to 200 characters")
	}
	if c.Check != nil {
		if err := c.Check(o.Name, &o.Spec); err != nil {
			return err
		}
	}
	body, err := json.Marshal(o.Spec)
	if err != nil {
		return fmt.Errorf("encoding a %s: %w", c.Kind, err)
	}
	if c.Sealer != nil {
		if body, err = c.Sealer.Seal(ctx, tenant, o.ID, body); err != nil {
			return fmt.Errorf("sealing a %s: %w", c.Kind, err)
		}
	}
	row := Row{
		Tenant: tenant, Kind: c.Kind, ID: o.ID, Name: o.Name, Body: body, Version: o.Version,
		CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt,
	}
	return c.Store.Update(ctx, func(tx Tx) error {
		if err := before(tx); err != nil {
			return err
		}
		if err := c.clash(ctx, tx, tenant, *o); err != nil {
			return err
		}
		if err := tx.PutObject(ctx, row); err != nil {
			return err
		}
		return c.record(ctx, tx, tenant, verb, past, o.ID, o.UpdatedAt)
	})
}

func (c *Collection[T]) clash(ctx context.Context, tx Tx, tenant string, o Object[T]) error {
	if c.Clash == nil {
		return nil
	}
	rows, err := tx.Objects(ctx, tenant, c.Kind)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.ID == o.ID {
			continue
		}
		other, err := c.decode(ctx, r)
		if err != nil {
			return err
		}
		if err := c.Clash(o, other); err != nil {
			return err
		}
	}
	return nil
}

// Delete removes an object.
func (c *Collection[T]) Delete(ctx context.Context, tenant, id string) error {
	if err := c.Authz.Check(ctx, c.action("Delete"), c.ARN(tenant, id)); err != nil {
		return err
	}
	now := c.Now()
	return c.Store.Update(ctx, func(tx Tx) error {
		if err := tx.DeleteObject(ctx, tenant, c.Kind, id); err != nil {
			return err
		}
		return c.record(ctx, tx, tenant, "Delete", "deleted", id, now)
	})
}

func (c *Collection[T]) record(ctx context.Context, tx Tx, tenant, verb, past, id string, at time.Time) error {
	p, _ := caller.From(ctx)
	if err := tx.Emit(ctx, event.Event{Tenant: tenant, Type: c.Kind + "." + past, Subject: id, At: at}); err != nil {
		return err
	}
	return tx.Audit(ctx, work.Audit{
		Tenant: tenant, At: at, Principal: p.ARN, Action: c.action(verb), Resource: c.ARN(tenant, id), Outcome: "ok",
	})
}

func (c *Collection[T]) decode(ctx context.Context, r Row) (o Object[T], err error) {
	body := r.Body
	if c.Sealer != nil {
		if body, err = c.Sealer.Open(ctx, r.Tenant, r.ID, body); err != nil {
			return o, fmt.Errorf("opening %s %s: %w", c.Kind, r.ID, err)
		}
	}
	o = Object[T]{ID: r.ID, Name: r.Name, Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}
	if err := json.Unmarshal(body, &o.Spec); err != nil {
		return o, fmt.Errorf("decoding %s %s: %w", c.Kind, r.ID, err)
	}
	return o, nil
}

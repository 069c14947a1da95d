package contact

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/keyring"
)

// Ring is what the domain needs of the keyring.
type Ring interface {
	// NewDataKey makes a data key without I/O; its row is stored with what it seals.
	NewDataKey(ctx context.Context, tenant string, p keyring.Purpose, subject string) (*keyring.DataKey, error)
	// Open opens what a key of the tenant has sealed.
	Open(ctx context.Context, tenant string, sealed, aad []byte) ([]byte, error)
	// Key returns the subject's newest data key, for sealing more.
	Key(ctx context.Context, tenant string, p keyring.Purpose, subject string) (*keyring.DataKey, error)
	// Blind returns the index to store for a value.
	Blind(ctx context.Context, tenant, field, value string) (string, error)
	// Search returns the indexes to look a value up by.
	Search(ctx context.Context, tenant string, f keyring.Form) ([]string, error)
	// Shred destroys a subject's keys in a unit of work.
	Shred(ctx context.Context, tx keyring.ShredTx, tenant string, p keyring.Purpose, subject string) error
	// Forget drops a subject's keys from memory; called once the unit of work has committed.
	Forget(tenant string, p keyring.Purpose, subject string)
}

// Service reads and writes contacts. It is safe for concurrent use; one contact is written by one goroutine at a time.
type Service struct {
	store Store
	ring  Ring
	authz authz.Decider
}

// NewService returns the service.
func NewService(store Store, ring Ring, decider authz.Decider) *Service {
	return &Service{store: store, ring: ring, authz: decider}
}

// numberField is the blind-index field of the caller's number.
const numberField = "contact.ani"

// ResourceARN is what policies name.
func ResourceARN(tenant, id string) string {
	return "arn:aws:tandem::" + tenant + ":contact/" + id
}

// asked is ResourceARN of an id that a client sent. What is no id at all is not written into the audit log: it may be a number
// typed into the wrong place.
func asked(tenant, id string) string {
	if !ids.Valid(id) {
		id = "unknown"
	}
	return ResourceARN(tenant, id)
}

// Create stores a new contact with its own data key. Its number becomes findable by its exact form and its last digits;
// e164 is the normalised number, or what was received when it is none.
func (s *Service) Create(ctx context.Context, c *Contact, e164 string, events ...event.Event) error {
	if err := s.authz.Check(ctx, "contact:Create", ResourceARN(c.Tenant, c.ID)); err != nil {
		return err
	}
	key, err := s.ring.NewDataKey(ctx, c.Tenant, keyring.Contact, c.ID)
	if err != nil {
		return fmt.Errorf("making the contact's key: %w", err)
	}
	c.Key, c.Version = key, 1
	row, err := seal(c, nil)
	if err != nil {
		return err
	}
	var tokens []string
	for _, f := range keyring.NumberForms(numberField, e164) {
		token, err := s.ring.Blind(ctx, c.Tenant, f.Field, f.Value)
		if err != nil {
			return fmt.Errorf("indexing the number: %w", err)
		}
		tokens = append(tokens, token)
	}
	return s.store.Update(ctx, func(tx Tx) error {
		if err := tx.PutDataKey(ctx, key.Row()); err != nil {
			return err
		}
		if err := tx.InsertContact(ctx, row); err != nil {
			return err
		}
		for _, token := range tokens {
			if err := tx.IndexContact(ctx, c.Tenant, token, c.ID); err != nil {
				return err
			}
		}
		return emitAll(ctx, tx, events)
	})
}

func emitAll(ctx context.Context, tx Tx, events []event.Event) error {
	for _, e := range events {
		if err := tx.Emit(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// Save stores a change of a contact with its session, trace, events, jobs and audit entries in one transaction. On
// errs.Conflict somebody else has written the contact; on any error the contact in memory keeps its version.
func (s *Service) Save(ctx context.Context, ch Change) error {
	c := ch.Contact
	if err := s.authz.Check(ctx, "contact:Update", ResourceARN(c.Tenant, c.ID)); err != nil {
		return err
	}
	row, err := seal(c, ch.Session)
	if err != nil {
		return err
	}
	row.Version = c.Version + 1
	var trace []byte
	if len(ch.Trace) > 0 {
		trace = c.Key.Seal(aad(c.ID, "trace"), ch.Trace)
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		if err := tx.UpdateContact(ctx, row); err != nil {
			return err
		}
		if trace != nil {
			if err := tx.AppendTrace(ctx, c.Tenant, c.ID, trace); err != nil {
				return err
			}
		}
		for _, j := range ch.Jobs {
			if err := tx.Enqueue(ctx, j); err != nil {
				return err
			}
		}
		for _, a := range ch.Audit {
			if err := tx.Audit(ctx, a); err != nil {
				return err
			}
		}
		return emitAll(ctx, tx, ch.Events)
	})
	if err == nil {
		c.Version++
	}
	return err
}

func aad(id, part string) []byte { return []byte("contact/" + id + "/" + part) }

// seal makes the stored form.
func seal(c *Contact, session []byte) (Row, error) {
	body, err := json.Marshal(c.Details)
	if err != nil {
		return Row{}, fmt.Errorf("encoding a contact: %w", err)
	}
	r := Row{Contact: *c, Body: c.Key.Seal(aad(c.ID, "body"), body)}
	if session != nil {
		r.Session = c.Key.Seal(aad(c.ID, "session"), session)
	}
	return r, nil
}

// open reads a row's details. A shredded contact keeps its clear columns.
func (s *Service) open(ctx context.Context, r Row) (*Contact, []byte, error) {
	c := r.Contact
	body, err := s.ring.Open(ctx, c.Tenant, r.Body, aad(c.ID, "body"))
	if errs.Is(err, errs.NotFound) { // shredded: the clear columns are all that is left
		return &c, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("opening contact %s: %w", c.ID, err)
	}
	if err := json.Unmarshal(body, &c.Details); err != nil {
		return nil, nil, fmt.Errorf("decoding contact %s: %w", c.ID, err)
	}
	if len(r.Session) == 0 {
		return &c, nil, nil
	}
	session, err := s.ring.Open(ctx, c.Tenant, r.Session, aad(c.ID, "session"))
	if err != nil {
		return nil, nil, fmt.Errorf("opening the session of contact %s: %w", c.ID, err)
	}
	return &c, session, nil
}

// Get returns one contact.
func (s *Service) Get(ctx context.Context, tenant, id string) (*Contact, error) {
	c, _, err := s.load(ctx, "contact:Get", tenant, id)
	return c, err
}

// Resume returns a contact with its session and its key, for going on with it.
func (s *Service) Resume(ctx context.Context, tenant, id string) (*Contact, []byte, error) {
	c, session, err := s.load(ctx, "contact:Update", tenant, id)
	if err != nil {
		return nil, nil, err
	}
	if c.Key, err = s.ring.Key(ctx, tenant, keyring.Contact, id); err != nil {
		return nil, nil, fmt.Errorf("reading the key of contact %s: %w", id, err)
	}
	return c, session, nil
}

func (s *Service) load(ctx context.Context, action, tenant, id string) (*Contact, []byte, error) {
	if err := s.authz.Check(ctx, action, asked(tenant, id)); err != nil {
		return nil, nil, err
	}
	var row Row
	if err := s.store.View(ctx, func(tx Tx) (err error) {
		row, err = tx.Contact(ctx, tenant, id)
		return err
	}); err != nil {
		return nil, nil, err
	}
	return s.open(ctx, row)
}

// Query chooses contacts to list. Number is exact; NumberEnds are the last 4 or 7 digits.
type Query struct {
	State      State
	QueueID    string
	AgentID    string
	Number     string
	NumberEnds string
	From, To   time.Time
	Before     string
	Limit      int
}

// List returns matching contacts, newest first, at most 200.
func (s *Service) List(ctx context.Context, tenant string, q Query) ([]*Contact, error) {
	if err := s.authz.Check(ctx, "contact:List", ResourceARN(tenant, "*")); err != nil {
		return nil, err
	}
	return s.list(ctx, tenant, q)
}

// ListOwn returns contacts that the calling agent took.
func (s *Service) ListOwn(ctx context.Context, tenant, agentID, before string, limit int) ([]*Contact, error) {
	if err := s.authz.Check(ctx, "contact:ListOwn", ResourceARN(tenant, "*"), authz.A("tandem:AgentId", agentID)); err != nil {
		return nil, err
	}
	return s.list(ctx, tenant, Query{AgentID: agentID, Before: before, Limit: limit})
}

// Earlier returns the contacts of the same caller before c, newest first.
func (s *Service) Earlier(ctx context.Context, c *Contact, e164 string, limit int) ([]*Contact, error) {
	if err := s.authz.Check(ctx, "contact:Earlier", ResourceARN(c.Tenant, c.ID)); err != nil {
		return nil, err
	}
	if e164 == "" {
		return nil, nil
	}
	return s.list(ctx, c.Tenant, Query{Number: e164, Before: c.ID, Limit: limit})
}

func (s *Service) list(ctx context.Context, tenant string, q Query) ([]*Contact, error) {
	f := Filter{State: q.State, QueueID: q.QueueID, AgentID: q.AgentID, From: q.From, To: q.To, Before: q.Before, Limit: q.Limit}
	if f.Limit <= 0 || f.Limit > 200 {
		f.Limit = 50
	}
	form, ok, err := q.form()
	if err != nil {
		return nil, err
	}
	if ok {
		if f.Tokens, err = s.ring.Search(ctx, tenant, form); err != nil {
			return nil, fmt.Errorf("looking up a number: %w", err)
		}
	}
	var rows []Row
	if err := s.store.View(ctx, func(tx Tx) (err error) {
		rows, err = tx.Contacts(ctx, tenant, f)
		return err
	}); err != nil {
		return nil, err
	}
	out := make([]*Contact, 0, len(rows))
	for _, r := range rows {
		c, _, err := s.open(ctx, r)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// form returns the indexed form that the query asks for.
func (q Query) form() (f keyring.Form, ok bool, err error) {
	if q.Number == "" && q.NumberEnds == "" {
		return f, false, nil
	}
	number := q.Number
	if number == "" {
		number = q.NumberEnds
	}
	forms := keyring.NumberForms(numberField, number)
	if q.Number != "" && len(forms) > 0 {
		return forms[0], true, nil
	}
	for _, f := range forms {
		if n := len(f.Value); f.Field != numberField && n == len(q.NumberEnds) {
			return f, true, nil
		}
	}
	return f, false, errs.New(errs.Invalid, "search by the whole number, or by its last 4 or 7 digits")
}

// Tallies counts per queue what became of the contacts created since a time; within counts answers within wait.
func (s *Service) Tallies(ctx context.Context, tenant string, since time.Time, wait time.Duration) (out map[string]Tally, err error) {
	if err := s.authz.Check(ctx, "contact:List", ResourceARN(tenant, "*")); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		out, err = tx.QueueTallies(ctx, tenant, since, wait)
		return err
	})
	return out, err
}

// Open returns what this node held when it stopped: contacts that are not ended.
func (s *Service) Open(ctx context.Context, node string) ([]Ref, error) {
	if err := s.authz.Check(ctx, "contact:Recover", ResourceARN("*", "*")); err != nil {
		return nil, err
	}
	var refs []Ref
	err := s.store.View(ctx, func(tx Tx) error {
		rows, err := tx.OpenContacts(ctx, node)
		refs = nil
		for _, r := range rows {
			refs = append(refs, Ref{ID: r.ID, Name: r.Tenant})
		}
		return err
	})
	return refs, err
}

// Trace returns the contact's trace: one JSON array per stored piece.
func (s *Service) Trace(ctx context.Context, tenant, id string) ([]json.RawMessage, error) {
	if err := s.authz.Check(ctx, "contact:GetTrace", asked(tenant, id)); err != nil {
		return nil, err
	}
	var sealed [][]byte
	if err := s.store.View(ctx, func(tx Tx) (err error) {
		sealed, err = tx.Trace(ctx, tenant, id)
		return err
	}); err != nil {
		return nil, err
	}
	out := make([]json.RawMessage, 0, len(sealed))
	for _, p := range sealed {
		plain, err := s.ring.Open(ctx, tenant, p, aad(id, "trace"))
		if err != nil {
			return nil, fmt.Errorf("opening the trace of contact %s: %w", id, err)
		}
		out = append(out, plain)
	}
	return out, nil
}

// purgeBatch is how many contacts are purged in one unit of work, which nothing else can write beside on SQLite.
const purgeBatch = 100

// Purge removes contacts closed before a time, in batches, and returns how many. A contact's key is shredded in the unit of
// work that removes it: a copy of the row, wherever it lies, cannot be read afterwards, and a kill in between leaves neither.
func (s *Service) Purge(ctx context.Context, tenant string, before time.Time) (int, error) {
	if err := s.authz.Check(ctx, "contact:Purge", ResourceARN(tenant, "*")); err != nil {
		return 0, err
	}
	total := 0
	for {
		var gone, recordings []string
		err := s.store.Update(ctx, func(tx Tx) (err error) {
			if gone, err = tx.PurgeContacts(ctx, tenant, before, purgeBatch); err != nil {
				return err
			}
			recordings, err = s.shred(ctx, tx, tenant, gone)
			return err
		})
		if err != nil {
			return total, err
		}
		for _, id := range gone {
			s.ring.Forget(tenant, keyring.Contact, id)
		}
		for _, id := range recordings {
			s.ring.Forget(tenant, keyring.Recording, id)
		}
		if total += len(gone); len(gone) < purgeBatch {
			return total, nil
		}
	}
}

// shred destroys the keys of contacts and of their recordings, which it removes, and returns the recordings' ids.
func (s *Service) shred(ctx context.Context, tx Tx, tenant string, contacts []string) (recordings []string, err error) {
	for _, id := range contacts {
		if err := s.ring.Shred(ctx, tx, tenant, keyring.Contact, id); err != nil {
			return nil, fmt.Errorf("shredding the key of contact %s: %w", id, err)
		}
		list, err := tx.PurgeRecordings(ctx, tenant, id)
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			if err := s.ring.Shred(ctx, tx, tenant, keyring.Recording, r); err != nil {
				return nil, fmt.Errorf("shredding the key of recording %s: %w", r, err)
			}
		}
		recordings = append(recordings, list...)
	}
	return recordings, nil
}

// Event makes an event about the contact; data must hold no personal data.
func Event(c *Contact, typ string, at time.Time, data map[string]string) event.Event {
	raw, err := json.Marshal(data)
	if err != nil { // a map of texts always encodes
		raw = nil
	}
	return event.Event{Tenant: c.Tenant, Type: typ, Subject: c.ID, At: at, Data: raw}
}

package keyring

import (
	"context"
	"crypto/cipher"
	"fmt"
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/ids"
)

// The actions that policies name; their resource is ResourceARN.
const (
	ActionEncrypt = "keyring:Encrypt" // get the key that seals new data
	ActionDecrypt = "keyring:Decrypt" // open sealed data
	ActionNewKey  = "keyring:GenerateDataKey"
	ActionIndex   = "keyring:Index" // compute blind indexes; purpose "index", subject the field
	ActionSign    = "keyring:Sign"  // use a signing key; purpose "signing", subject the signer's name
	ActionShred   = "keyring:Shred"
	ActionRotate  = "keyring:Rotate"
)

// Config is what a Ring needs.
type Config struct {
	Store Store
	Root  *Root
	Authz authz.Decider    // asked before every use of a key
	Now   func() time.Time // time as data; nil is time.Now

	CacheKeys int           // unwrapped data keys held in memory; 0 means 10,000
	CacheAge  time.Duration // how long one is held: the bound on how late another node notices a shredding; 0 means 5 minutes
}

// Ring hands out keys. It is safe for concurrent use.
type Ring struct {
	store Store
	root  *Root
	authz authz.Decider
	now   func() time.Time

	byID    *cache[uuid.UUID]
	current *cache[subjectKey]

	tenants atomic.Pointer[map[string]*tenantState]
	mu      sync.Mutex // serialises changes of tenants and rotations; never held while sealing or opening
}

type subjectKey struct {
	tenant  string
	purpose Purpose
	subject string
}

// tenantState is immutable; a change makes a new one.
type tenantState struct {
	current int
	keys    map[int]tenantKey
	index   []indexKey // living versions, newest first
}

type tenantKey struct {
	key  secret
	aead cipher.AEAD
	at   time.Time
}

// New returns a ring; Start must be called before it is used.
func New(cfg Config) (*Ring, error) {
	if cfg.Store == nil || cfg.Root == nil || cfg.Authz == nil {
		return nil, errs.New(errs.Internal, "the keyring needs a store, a root key and a decider")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.CacheKeys <= 0 {
		cfg.CacheKeys = 10_000
	}
	if cfg.CacheAge <= 0 {
		cfg.CacheAge = 5 * time.Minute
	}
	seed := maphash.MakeSeed()
	r := &Ring{store: cfg.Store, root: cfg.Root, authz: cfg.Authz, now: cfg.Now}
	r.byID = newCache(cfg.CacheKeys, cfg.CacheAge, func(id uuid.UUID) uint32 { return uint32(id[15]) | uint32(id[14])<<8 })
	r.current = newCache(cfg.CacheKeys, cfg.CacheAge, func(k subjectKey) uint32 {
		return uint32(maphash.Comparable(seed, k)) //nolint:gosec // the low bits choose a shard
	})
	r.tenants.Store(&map[string]*tenantState{})
	return r, nil
}

// Format implements fmt.Formatter, so that no verb reaches a key.
func (*Ring) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("keyring")) }

// Start loads the tenants' keys, fails with errs.Unavailable when the root key is not the one they were wrapped with, and
// finishes rotations that a crash cut short.
func (r *Ring) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reload(ctx, ""); err != nil {
		return err
	}
	if r.root.rotating() {
		if err := r.finishRoot(ctx); err != nil {
			return err
		}
	}
	return r.tidy(ctx)
}

// Stop implements lifecycle.Part; the ring holds nothing that needs to be ended.
func (*Ring) Stop(context.Context) error { return nil }

// EnsureTenant makes a tenant's first key and first index key unless they exist. Call it before a tenant is used.
func (r *Ring) EnsureTenant(ctx context.Context, tenant string) error {
	if tenant == "" {
		return errs.New(errs.Invalid, "a tenant needs a name")
	}
	if t := r.tenant(tenant); t != nil && len(t.index) > 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reload(ctx, tenant); err != nil {
		return err
	}
	if r.tenant(tenant) == nil {
		if err := r.addTenantKey(ctx, tenant, 1); err != nil {
			return err
		}
	}
	if len(r.tenant(tenant).index) == 0 {
		if _, err := r.addIndex(ctx, tenant, 1); err != nil {
			return err
		}
	}
	return nil
}

// NewDataKey makes the first key of a subject in memory, wrapped already: store k.Row() with PutDataKey in the unit of
// work that stores what it sealed. It does no I/O. errs.NotFound: EnsureTenant was not called for the tenant.
func (r *Ring) NewDataKey(ctx context.Context, tenant string, p Purpose, subject string) (*DataKey, error) {
	if err := r.authz.Check(ctx, ActionNewKey, ResourceARN(tenant, p, subject)); err != nil {
		return nil, err
	}
	k, err := r.makeKey(tenant, p, subject, 1)
	if err != nil {
		return nil, err
	}
	r.byID.put(k.id, k)
	return k, nil
}

// Key returns the key that seals new data of a subject; it makes and stores one in a unit of work of its own when there is
// none, so it must not be called inside another. errs.NotFound with ErrShredded: the subject was erased.
func (r *Ring) Key(ctx context.Context, tenant string, p Purpose, subject string) (*DataKey, error) {
	sk := subjectKey{tenant, p, subject}
	if k := r.current.get(sk); k != nil {
		return k, r.authz.Check(ctx, ActionEncrypt, k.arn)
	}
	if err := r.authz.Check(ctx, ActionEncrypt, ResourceARN(tenant, p, subject)); err != nil {
		return nil, err
	}
	k, err := r.loadOrMake(ctx, sk)
	if err != nil {
		return nil, err
	}
	r.current.put(sk, k)
	r.byID.put(k.id, k)
	return k, nil
}

// loadOrMake returns the newest version of a subject's key and makes version 1 when there is none.
func (r *Ring) loadOrMake(ctx context.Context, sk subjectKey) (*DataKey, error) {
	for range 3 {
		rows, err := r.rows(ctx, sk)
		if err != nil {
			return nil, err
		}
		if n := len(rows); n > 0 {
			return r.unwrap(ctx, rows[n-1])
		}
		k, err := r.makeKey(sk.tenant, sk.purpose, sk.subject, 1)
		if err != nil {
			return nil, err
		}
		err = r.store.Update(ctx, func(tx Tx) error { return tx.PutDataKey(ctx, k.row) })
		if err == nil {
			return k, nil
		}
		if !errs.Is(err, errs.Conflict) { // on a conflict another was first: read theirs
			return nil, fmt.Errorf("storing a data key: %w", err)
		}
		if err := r.Reload(ctx, sk.tenant); err != nil {
			return nil, err
		}
	}
	return nil, errs.New(errs.Conflict, "the key of %s %q changes too often: try again", sk.purpose, sk.subject)
}

func (r *Ring) rows(ctx context.Context, sk subjectKey) (rows []Row, err error) {
	err = r.store.View(ctx, func(tx Tx) error {
		rows, err = tx.DataKeys(ctx, sk.tenant, sk.purpose, sk.subject)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading data keys: %w", err)
	}
	return rows, nil
}

// Seal seals with the subject's current key: Key, then DataKey.Seal.
func (r *Ring) Seal(ctx context.Context, tenant string, p Purpose, subject string, aad, plaintext []byte) ([]byte, error) {
	k, err := r.Key(ctx, tenant, p, subject)
	if err != nil {
		return nil, err
	}
	return k.Seal(aad, plaintext), nil
}

// Box is the ring bound to one purpose, for domains that know nothing of keys.
type Box struct {
	ring    *Ring
	purpose Purpose
}

// Box returns the ring bound to a purpose.
func (r *Ring) Box(p Purpose) Box { return Box{r, p} }

// Seal is Ring.Seal for the box's purpose.
func (b Box) Seal(ctx context.Context, tenant, subject string, aad, plaintext []byte) ([]byte, error) {
	return b.ring.Seal(ctx, tenant, b.purpose, subject, aad, plaintext)
}

// Open is Ring.Open.
func (b Box) Open(ctx context.Context, tenant string, sealed, aad []byte) ([]byte, error) {
	return b.ring.Open(ctx, tenant, sealed, aad)
}

// Open decrypts a text of the tenant that was sealed with the same aad. It may read the store, so it must not be called
// inside a unit of work. errs.Invalid: altered, cut or from elsewhere; errs.NotFound with ErrShredded: erased;
// errs.NotFound: the key is unknown to this tenant; errs.Denied.
func (r *Ring) Open(ctx context.Context, tenant string, sealed, aad []byte) ([]byte, error) {
	id, err := parseHeader(sealed)
	if err != nil {
		return nil, err
	}
	k := r.byID.get(id)
	if k == nil {
		if k, err = r.load(ctx, tenant, id.String()); err != nil {
			return nil, err
		}
	}
	if k.row.Tenant != tenant {
		return nil, errs.New(errs.NotFound, "the key of the sealed text is unknown")
	}
	if err := r.authz.Check(ctx, ActionDecrypt, k.arn); err != nil {
		return nil, err
	}
	return k.open(aad, sealed)
}

func (r *Ring) load(ctx context.Context, tenant, id string) (*DataKey, error) {
	var row Row
	err := r.store.View(ctx, func(tx Tx) (err error) {
		row, err = tx.DataKey(ctx, tenant, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the data key: %w", err)
	}
	k, err := r.unwrap(ctx, row)
	if err != nil {
		return nil, err
	}
	r.byID.put(k.id, k)
	return k, nil
}

func (r *Ring) tenant(name string) *tenantState { return (*r.tenants.Load())[name] }

func (r *Ring) setTenant(name string, t *tenantState) {
	m := maps.Clone(*r.tenants.Load())
	m[name] = t
	r.tenants.Store(&m)
}

// Reload reads a tenant's keys again, "" means all; another node may have rotated them.
func (r *Ring) Reload(ctx context.Context, tenant string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reload(ctx, tenant)
}

// reload does the work of Reload; r.mu is held.
func (r *Ring) reload(ctx context.Context, tenant string) error {
	var rows []TenantKey
	indexes := map[string][]Row{}
	err := r.store.View(ctx, func(tx Tx) (err error) {
		if rows, err = tx.TenantKeys(ctx, tenant); err != nil {
			return err
		}
		clear(indexes)
		for _, k := range rows {
			if _, ok := indexes[k.Tenant]; ok {
				continue
			}
			if indexes[k.Tenant], err = tx.DataKeys(ctx, k.Tenant, index, ""); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the tenants' keys: %w", err)
	}
	states := map[string]*tenantState{}
	for _, row := range rows {
		k, err := r.unwrapTenant(row)
		if err != nil {
			return err
		}
		t := states[row.Tenant]
		if t == nil {
			t = &tenantState{keys: map[int]tenantKey{}}
			states[row.Tenant] = t
		}
		t.keys[row.Version] = k
		t.current = max(t.current, row.Version)
	}
	for name, t := range states {
		if t.index, err = indexKeys(t, indexes[name]); err != nil {
			return err
		}
		r.setTenant(name, t)
	}
	return nil
}

func (r *Ring) unwrapTenant(row TenantKey) (tenantKey, error) {
	key, err := r.root.unwrap(row)
	if errs.Is(err, errs.Unavailable) { // another process may have rotated the root
		if loadErr := r.root.load(); loadErr != nil {
			return tenantKey{}, loadErr
		}
		key, err = r.root.unwrap(row)
	}
	if err != nil {
		return tenantKey{}, err
	}
	aead, err := newAEAD(key)
	if err != nil {
		return tenantKey{}, err
	}
	return tenantKey{key: key, aead: aead, at: row.At}, nil
}

// addTenantKey makes and stores a version of a tenant's key; r.mu is held. When another node was first, theirs is used.
func (r *Ring) addTenantKey(ctx context.Context, tenant string, version int) error {
	if err := r.root.load(); err != nil { // never wrap under a root key that was rotated out
		return err
	}
	row := TenantKey{Tenant: tenant, Version: version, At: r.now().UTC()}
	row.RootID, row.Wrapped = r.root.wrap(tenant, version, secret(random(32)))
	err := r.store.Update(ctx, func(tx Tx) error { return tx.PutTenantKey(ctx, row) })
	if err != nil && !errs.Is(err, errs.Conflict) {
		return fmt.Errorf("storing a tenant key: %w", err)
	}
	return r.reload(ctx, tenant)
}

// makeKey makes a data key under the tenant's current key.
func (r *Ring) makeKey(tenant string, p Purpose, subject string, version int) (*DataKey, error) {
	t := r.tenant(tenant)
	if t == nil {
		return nil, errs.New(errs.NotFound, "tenant %q has no keys yet: make them at start", tenant)
	}
	row := Row{
		Tenant: tenant, ID: ids.New(), Purpose: p, Subject: subject, Version: version,
		TenantVersion: t.current, At: r.now().UTC(),
	}
	key := secret(random(32))
	row.Wrapped = t.wrap(row, key)
	return newDataKey(row, key, time.Now())
}

func wrapAAD(r Row) []byte {
	return append(rowBindings("tandem data key", r), itoa(r.TenantVersion)...)
}

func (t *tenantState) wrap(r Row, k secret) []byte {
	return t.keys[r.TenantVersion].aead.Seal(nil, nil, k[:], wrapAAD(r)) //nolint:gosec // the cipher makes random nonces itself
}

func (t *tenantState) unwrap(r Row) (secret, error) {
	if !r.ShreddedAt.IsZero() {
		return secret{}, shredded(r.Purpose, r.Subject)
	}
	tk, ok := t.keys[r.TenantVersion]
	if !ok {
		return secret{}, errs.New(errs.Unavailable, "version %d of the key of tenant %q is not loaded", r.TenantVersion, r.Tenant)
	}
	raw, err := tk.aead.Open(nil, nil, r.Wrapped, wrapAAD(r))
	if err != nil || len(raw) != 32 {
		return secret{}, errs.New(errs.Internal, "data key %s is damaged: restore the database from a backup", r.ID)
	}
	return secret(raw), nil
}

// unwrap turns a stored row into a key and reads the tenant's keys again when it needs a version it does not know.
func (r *Ring) unwrap(ctx context.Context, row Row) (*DataKey, error) {
	key, err := r.unwrapMaterial(ctx, row)
	if err != nil {
		return nil, err
	}
	return newDataKey(row, key, time.Now())
}

func (r *Ring) unwrapMaterial(ctx context.Context, row Row) (secret, error) {
	if !row.ShreddedAt.IsZero() {
		return secret{}, shredded(row.Purpose, row.Subject)
	}
	t := r.tenant(row.Tenant)
	if t == nil || t.keys[row.TenantVersion].aead == nil {
		if err := r.Reload(ctx, row.Tenant); err != nil {
			return secret{}, err
		}
		if t = r.tenant(row.Tenant); t == nil {
			return secret{}, errs.New(errs.NotFound, "tenant %q has no keys", row.Tenant)
		}
	}
	return t.unwrap(row)
}

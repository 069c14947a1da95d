// Package keyring keeps the hub's keys and seals data with them: a root key (a file, or a passphrase) wraps one key per
// tenant, a tenant key wraps data keys, and data keys seal data. A data key belongs to a purpose and a subject (one
// contact, one recording), so that destroying it erases that subject's data wherever it lies ("shredding").
//
// A sealed text names its key and is bound to tenant, purpose, subject and whatever else its user passes as associated
// data, so that it can be neither altered nor moved. Ciphers are AES-256-GCM with random nonces: one data key must not
// seal more than 2^32 texts (NIST SP 800-38D §8.3); Ring.RotateData makes a new version for new data.
//
// Keys never leave the package: nothing here prints, marshals or logs them.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/work"
)

// Purpose says what a data key is for. It is part of every ciphertext's binding and of the resource that policies name.
type Purpose string

// The purposes. A purpose without a natural subject uses the empty one.
const (
	Contact   Purpose = "contact"   // subject: contact id; everything kept about one call
	Recording Purpose = "recording" // subject: recording id
	Job       Purpose = "job"       // payloads of background jobs
	Secret    Purpose = "secret"    // credentials of connectors; subject: connector id or empty
	Speech    Purpose = "speech"    // synthesised prompts at rest
	Identity  Purpose = "identity"  // names and e-mail addresses of users, secrets of access keys
	Profile   Purpose = "profile"   // subject: profile domain
	Param     Purpose = "param"     // parameters and secrets of the parameter store
	Queue     Purpose = "queue"     // bodies of durable messages

	// Keys derived from these are never used to seal.
	index   Purpose = "index"   // blind indexes; the version is the index version
	signing Purpose = "signing" // Ed25519 keys; subject: the signer's name
)

// TenantKey is a tenant's wrapped key as stored.
type TenantKey struct {
	Tenant  string
	Version int    // 1 at first; the highest wraps new data keys
	RootID  string // which root key wraps it
	Wrapped []byte
	At      time.Time
}

// Row is a wrapped data key as stored. Once shredded, Wrapped is empty and the row stays as a tombstone.
type Row struct {
	Tenant        string
	ID            string
	Purpose       Purpose
	Subject       string
	Version       int // 1 at first, counted per tenant, purpose and subject
	TenantVersion int // which tenant key wraps it
	Wrapped       []byte
	At            time.Time
	ShreddedAt    time.Time // zero while the key lives
}

// Keys stores new data keys. Units of work of other domains may embed it in their own transaction type.
type Keys interface {
	// PutDataKey stores a new key. errs.Conflict: the version exists for this tenant, purpose and subject (a shredded one
	// counts), or the tenant key that wraps it is gone because it was rotated out; make the key again then.
	PutDataKey(ctx context.Context, r Row) error
}

// Tx is the keyring's transaction.
type Tx interface {
	work.Tx
	Keys
	// TenantKeys returns every version of a tenant's key, ascending; tenant "" means all tenants.
	TenantKeys(ctx context.Context, tenant string) ([]TenantKey, error)
	// PutTenantKey stores a new version. errs.Conflict: it exists.
	PutTenantKey(ctx context.Context, k TenantKey) error
	// RewrapTenantKey replaces Wrapped and RootID of one version. errs.NotFound: no such version.
	RewrapTenantKey(ctx context.Context, k TenantKey) error
	// DropTenantKey removes a version that wraps no data key; it reports whether it did.
	DropTenantKey(ctx context.Context, tenant string, version int) (bool, error)
	// DataKey returns one key, shredded or not. errs.NotFound: no such key.
	DataKey(ctx context.Context, tenant, id string) (Row, error)
	// DataKeys returns the versions of a subject's key, shredded ones too, ascending.
	DataKeys(ctx context.Context, tenant string, p Purpose, subject string) ([]Row, error)
	// StaleDataKeys returns at most limit living keys that an older version of the tenant key than current wraps.
	StaleDataKeys(ctx context.Context, tenant string, current, limit int) ([]Row, error)
	// RewrapDataKey replaces Wrapped and TenantVersion of a living key that the version from wraps; other rows are left alone.
	RewrapDataKey(ctx context.Context, r Row, from int) error
	// ShredDataKeys destroys the versions of a subject's key that are lower than below (0: all) and returns the ids of
	// those that lived.
	ShredDataKeys(ctx context.Context, tenant string, p Purpose, subject string, below int, at time.Time) ([]string, error)
}

// Store runs the keyring's units of work.
type Store = work.Store[Tx]

// ErrShredded is in the chain of every error about a key that was destroyed; its code is errs.NotFound.
var ErrShredded = errors.New("shredded")

func shredded(p Purpose, subject string) error {
	return errs.Wrap(errs.NotFound, ErrShredded, "the %s data of %q was erased and cannot be read again", p, subject)
}

// ResourceARN is what policies name: arn:aws:tandem:{region}:{tenant}:key/{purpose}/{subject}; the region is empty.
func ResourceARN(tenant string, p Purpose, subject string) string {
	return "arn:aws:tandem::" + tenant + ":key/" + string(p) + "/" + subject
}

const redacted = "[key]"

// secret is key material that refuses to be shown.
type secret [32]byte

// String implements fmt.Stringer.
func (secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (secret) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb reaches the bytes.
func (secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText implements encoding.TextMarshaler and with it JSON.
func (secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (secret) LogValue() slog.Value { return slog.StringValue(redacted) }

package identity

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/ids"
)

// CreateAPIToken makes a bearer token; the secret is returned this once. expires may be zero for never.
func (s *Service) CreateAPIToken(ctx context.Context, name string, roles []string, expires time.Time) (t APIToken, secret string, err error) {
	p, ok := caller.From(ctx)
	if !ok {
		return t, "", errUnauthenticated()
	}
	id, now := ids.New(), s.now()
	arn := ResourceARN(p.Tenant, "api-token", id)
	if err := s.authz.Check(ctx, ActionCreateAPIToken, arn, authz.A(AttrRoles, roles...)); err != nil {
		return t, "", err
	}
	if err := checkName(name); err != nil {
		return t, "", err
	}
	if roles, err = checkRoles(roles, Admin, Supervisor, Agent, Integration); err != nil {
		return t, "", err
	}
	if !expires.IsZero() && !expires.After(now) {
		return t, "", errs.New(errs.Invalid, "the token would be expired at once: give a later time")
	}
	t = APIToken{Tenant: p.Tenant, ID: id, Name: name, Roles: roles, CreatedBy: p.ARN, CreatedAt: now, ExpiresAt: expires.UTC()}
	secret = newAPIToken()
	err = s.store.Update(ctx, func(tx Tx) error {
		if err := tx.InsertAPIToken(ctx, t, tokenHash(secret)); err != nil {
			return err
		}
		return note(ctx, tx, p.Tenant, now, p.ARN, change{
			event: "api_token.created", action: ActionCreateAPIToken, resource: arn, subject: id, detail: map[string]any{"roles": roles},
		})
	})
	if err != nil {
		return APIToken{}, "", err
	}
	return t, secret, nil
}

// APITokens lists tokens, newest first, from the one after the cursor before.
func (s *Service) APITokens(ctx context.Context, before string, limit int) (list []APIToken, err error) {
	p, ok := caller.From(ctx)
	if !ok {
		return nil, errUnauthenticated()
	}
	if err := s.authz.Check(ctx, ActionListAPITokens, ResourceARN(p.Tenant, "api-token", "*")); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) (err error) {
		list, err = tx.ListAPITokens(ctx, p.Tenant, before, pageLimit(limit))
		return err
	})
	return list, err
}

// DeleteAPIToken ends a token at once. errs.NotFound.
func (s *Service) DeleteAPIToken(ctx context.Context, id string) error {
	p, ok := caller.From(ctx)
	if !ok {
		return errUnauthenticated()
	}
	arn, now := ResourceARN(p.Tenant, "api-token", id), s.now()
	if err := s.authz.Check(ctx, ActionDeleteAPIToken, arn); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		if err := tx.DeleteAPIToken(ctx, p.Tenant, id); err != nil {
			return err
		}
		return note(ctx, tx, p.Tenant, now, p.ARN, change{event: "api_token.deleted", action: ActionDeleteAPIToken, resource: arn, subject: id})
	})
}

func (s *Service) authenticateToken(ctx context.Context, secret string) (caller.Principal, error) {
	bad := errs.New(errs.Unauthenticated, "the API token is not valid, or it has expired")
	if !ValidAPIToken(secret) {
		return caller.Principal{}, bad
	}
	var t APIToken
	err := s.store.View(ctx, func(tx Tx) (err error) {
		t, err = tx.APITokenByHash(ctx, tokenHash(secret))
		return err
	})
	if errs.Is(err, errs.NotFound) {
		return caller.Principal{}, bad
	}
	if err != nil {
		return caller.Principal{}, err
	}
	now := s.now()
	if !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) {
		return caller.Principal{}, bad
	}
	if now.Sub(t.UsedAt) >= touchEvery {
		if err := s.store.Update(ctx, func(tx Tx) error { return tx.TouchAPIToken(ctx, t.Tenant, t.ID, now) }); err != nil {
			return caller.Principal{}, err
		}
	}
	return caller.Principal{
		Tenant: t.Tenant, Kind: caller.Token, ID: t.ID, ARN: caller.UserARN(t.Tenant, "token/"+t.ID), Roles: t.Roles,
	}, nil
}

func accessKeyAAD(id string) []byte { return []byte("access_keys/" + id + "/secret") }

// CreateAccessKey makes a key pair with the role Integration; the secret is returned this once.
func (s *Service) CreateAccessKey(ctx context.Context, name string) (k AccessKey, secret string, err error) {
	p, ok := caller.From(ctx)
	if !ok {
		return k, "", errUnauthenticated()
	}
	now := s.now()
	k = AccessKey{Tenant: p.Tenant, Name: name, Roles: []string{Integration}, CreatedBy: p.ARN, CreatedAt: now}
	k.ID, secret = newAccessKey()
	arn := ResourceARN(p.Tenant, "access-key", k.ID)
	if err := s.authz.Check(ctx, ActionCreateAccessKey, arn, authz.A(AttrRoles, k.Roles...)); err != nil {
		return AccessKey{}, "", err
	}
	if err := checkName(name); err != nil {
		return AccessKey{}, "", err
	}
	sealed, err := s.vault.Seal(vaultCtx(ctx, p.Tenant), p.Tenant, "access-keys", accessKeyAAD(k.ID), []byte(secret))
	if err != nil {
		return AccessKey{}, "", fmt.Errorf("sealing an access key: %w", err)
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		if err := tx.InsertAccessKey(ctx, k, sealed); err != nil {
			return err
		}
		return note(ctx, tx, p.Tenant, now, p.ARN, change{event: "access_key.created", action: ActionCreateAccessKey, resource: arn, subject: k.ID})
	})
	if err != nil {
		return AccessKey{}, "", err
	}
	return k, secret, nil
}

// AccessKeys lists keys by ID, from the one after the cursor after.
func (s *Service) AccessKeys(ctx context.Context, after string, limit int) (list []AccessKey, err error) {
	p, ok := caller.From(ctx)
	if !ok {
		return nil, errUnauthenticated()
	}
	if err := s.authz.Check(ctx, ActionListAccessKeys, ResourceARN(p.Tenant, "access-key", "*")); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) (err error) {
		list, err = tx.ListAccessKeys(ctx, p.Tenant, after, pageLimit(limit))
		return err
	})
	return list, err
}

// DeleteAccessKey ends a key: here at once, on other nodes within half a minute. errs.NotFound.
func (s *Service) DeleteAccessKey(ctx context.Context, id string) error {
	p, ok := caller.From(ctx)
	if !ok {
		return errUnauthenticated()
	}
	arn, now := ResourceARN(p.Tenant, "access-key", id), s.now()
	if err := s.authz.Check(ctx, ActionDeleteAccessKey, arn); err != nil {
		return err
	}
	err := s.store.Update(ctx, func(tx Tx) error {
		if err := tx.DeleteAccessKey(ctx, p.Tenant, id); err != nil {
			return err
		}
		return note(ctx, tx, p.Tenant, now, p.ARN, change{event: "access_key.deleted", action: ActionDeleteAccessKey, resource: arn, subject: id})
	})
	s.keys.drop(id)
	return err
}

// AccessKeySecret returns the secret that a signature is verified with, and who signs with it. The caller must verify the signature
// before it trusts the principal. errs.Unauthenticated: no such key.
func (s *Service) AccessKeySecret(ctx context.Context, id string) (secret string, p caller.Principal, err error) {
	bad := errs.New(errs.Unauthenticated, "the access key is unknown")
	if !validAccessKeyID(id) {
		return "", p, bad
	}
	now := s.now()
	entry, generation := s.keys.get(id, now)
	if entry.secret != "" {
		return entry.secret, entry.principal, nil
	}
	var k AccessKey
	var sealed []byte
	err = s.store.View(ctx, func(tx Tx) (err error) { k, sealed, err = tx.AccessKeyByID(ctx, id); return err })
	if errs.Is(err, errs.NotFound) {
		return "", p, bad
	}
	if err != nil {
		return "", p, err
	}
	plain, err := s.vault.Open(vaultCtx(ctx, k.Tenant), k.Tenant, sealed, accessKeyAAD(id))
	if err != nil {
		return "", p, fmt.Errorf("opening an access key: %w", err)
	}
	if now.Sub(k.UsedAt) >= touchEvery {
		if err := s.store.Update(ctx, func(tx Tx) error { return tx.TouchAccessKey(ctx, id, now) }); err != nil {
			return "", p, err
		}
	}
	p = caller.Principal{Tenant: k.Tenant, Kind: caller.Key, ID: id, ARN: caller.UserARN(k.Tenant, "key/"+id), Roles: slices.Clone(k.Roles)}
	s.keys.put(id, keyEntry{secret: string(plain), principal: p, until: now.Add(keyCacheFor)}, generation)
	return string(plain), p, nil
}

const (
	keyCacheFor = 30 * time.Second
	maxKeyCache = 1024
)

type keyEntry struct {
	secret    string
	principal caller.Principal
	until     time.Time
}

// keyCache spares signed requests a read and a decryption each.
type keyCache struct {
	mu         sync.Mutex // guards the fields below
	m          map[string]keyEntry
	generation uint64 // grows with each drop, so that what was read before one is not put after it
}

func newKeyCache() *keyCache { return &keyCache{m: map[string]keyEntry{}} }

func (c *keyCache) get(id string, now time.Time) (keyEntry, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.m[id]
	if !now.Before(e.until) {
		delete(c.m, id)
		return keyEntry{}, c.generation
	}
	return e, c.generation
}

func (c *keyCache) put(id string, e keyEntry, generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation != c.generation {
		return
	}
	if len(c.m) >= maxKeyCache {
		clear(c.m)
	}
	c.m[id] = e
}

func (c *keyCache) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.m, id)
	c.generation++
}

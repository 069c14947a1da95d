package identity

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/work"
)

// Config is what a Service needs. Zero values of the rest mean the defaults named.
type Config struct {
	Store Store
	Vault Vault
	Authz authz.Decider
	Now   func() time.Time // time.Now

	Hashing     Hashing       // DefaultHashing
	HashSlots   int           // passwords hashed at once; 4
	MinPassword int           // characters; MinPassword
	Idle        time.Duration // a session ends when it is not used for so long; 2 hours
	Absolute    time.Duration // a session ends after so long; 14 hours
	MaxFailures int           // failed logins in a row before a login is locked; 5
	LockFirst   time.Duration // the first lock, doubled with each further failure; 30 seconds
	LockMost    time.Duration // the longest lock; 30 minutes
}

// Service is the use cases of identity. It is safe for concurrent use.
type Service struct {
	cfg     Config
	store   Store
	vault   Vault
	authz   authz.Decider
	hasher  *hasher
	sources *sources
	keys    *keyCache
}

// New returns a service.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Vault == nil || cfg.Authz == nil {
		return nil, errs.New(errs.Internal, "identity needs a store, a vault and a decider")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Hashing == (Hashing{}) {
		cfg.Hashing = DefaultHashing()
	}
	cfg.HashSlots = cmp.Or(cfg.HashSlots, 4)
	cfg.MinPassword = cmp.Or(cfg.MinPassword, MinPassword)
	cfg.Idle = cmp.Or(cfg.Idle, 2*time.Hour)
	cfg.Absolute = cmp.Or(cfg.Absolute, 14*time.Hour)
	cfg.MaxFailures = cmp.Or(cfg.MaxFailures, 5)
	cfg.LockFirst = cmp.Or(cfg.LockFirst, 30*time.Second)
	cfg.LockMost = cmp.Or(cfg.LockMost, 30*time.Minute)
	return &Service{
		cfg: cfg, store: cfg.Store, vault: cfg.Vault, authz: cfg.Authz,
		hasher: newHasher(cfg.Hashing, cfg.HashSlots), sources: newSources(), keys: newKeyCache(),
	}, nil
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC() }

// vaultCtx has the vault used by this module on behalf of whoever calls.
func vaultCtx(ctx context.Context, tenant string) context.Context {
	return caller.As(ctx, caller.NewService(tenant, "identity"))
}

type personal struct {
	Name  string `json:"name"`
	Email string `json:"email,omitempty"`
}

func personalAAD(id string) []byte { return []byte("users/" + id + "/personal") }

func (s *Service) sealPersonal(ctx context.Context, tenant, id string, p personal) ([]byte, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encoding a user: %w", err)
	}
	sealed, err := s.vault.Seal(vaultCtx(ctx, tenant), tenant, id, personalAAD(id), data)
	if err != nil {
		return nil, fmt.Errorf("sealing a user: %w", err)
	}
	return sealed, nil
}

// user opens a stored user. One whose key was shredded has no name.
func (s *Service) user(ctx context.Context, r UserRow) (User, error) {
	u := User{
		Tenant: r.Tenant, ID: r.ID, Login: r.Login, Roles: r.Roles, Disabled: r.Disabled, CreatedAt: r.CreatedAt,
		UpdatedAt: r.UpdatedAt, LastLoginAt: r.LastLoginAt, Version: r.Version,
	}
	data, err := s.vault.Open(vaultCtx(ctx, r.Tenant), r.Tenant, r.Personal, personalAAD(r.ID))
	if errs.Is(err, errs.NotFound) {
		return u, nil
	}
	if err != nil {
		return User{}, fmt.Errorf("opening a user: %w", err)
	}
	var p personal
	if err := json.Unmarshal(data, &p); err != nil {
		return User{}, fmt.Errorf("decoding a user: %w", err)
	}
	u.Name, u.Email = p.Name, p.Email
	return u, nil
}

var loginForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{0,63}$`)

func normalLogin(login string) string { return strings.ToLower(strings.TrimSpace(login)) }

func checkName(name string) error {
	if n := utf8.RuneCountInString(name); !utf8.ValidString(name) || n == 0 || n > 100 || strings.ContainsAny(name, "\r\n\x00") {
		return errs.New(errs.Invalid, "a name has 1 to 100 characters in one line")
	}
	return nil
}

func checkRoles(roles []string, allowed ...string) ([]string, error) {
	out := slices.Compact(slices.Sorted(slices.Values(roles)))
	if len(out) == 0 {
		return nil, errs.New(errs.Invalid, "at least one role is needed: %s", strings.Join(allowed, ", "))
	}
	for _, r := range out {
		if !slices.Contains(allowed, r) {
			return nil, errs.New(errs.Invalid, "role %q is unknown: use %s", r, strings.Join(allowed, ", "))
		}
	}
	return out, nil
}

// NewUser is what CreateUser needs.
type NewUser struct {
	Login    string // letters, digits and . _ @ + - ; case does not count
	Name     string
	Email    string // optional
	Roles    []string
	Password string
}

// CreateUser makes a user. errs.Invalid: a rule of login, name, roles or password; errs.Conflict: the login is taken.
func (s *Service) CreateUser(ctx context.Context, in NewUser) (User, error) {
	p, ok := caller.From(ctx)
	if !ok {
		return User{}, errUnauthenticated()
	}
	id := ids.New()
	if err := s.authz.Check(ctx, ActionCreateUser, ResourceARN(p.Tenant, "user", id), authz.A(AttrRoles, in.Roles...)); err != nil {
		return User{}, err
	}
	row, err := s.newRow(ctx, p.Tenant, id, in)
	if err != nil {
		return User{}, err
	}
	err = s.store.Update(ctx, func(tx Tx) error { return s.insertUser(ctx, tx, p.ARN, row) })
	if err != nil {
		return User{}, err
	}
	return s.user(ctx, row)
}

// Bootstrap makes the tenant's first administrator without asking for permission; it does nothing when there is a user.
func (s *Service) Bootstrap(ctx context.Context, tenant string, in NewUser) (created bool, err error) {
	in.Roles = append(slices.Clone(in.Roles), Admin)
	ctx = caller.With(ctx, caller.NewService(tenant, "identity"))
	some := false
	if err := s.store.View(ctx, func(tx Tx) error {
		list, err := tx.ListUsers(ctx, tenant, "", 1)
		some = len(list) > 0
		return err
	}); err != nil || some {
		return false, err
	}
	row, err := s.newRow(ctx, tenant, ids.New(), in)
	if err != nil {
		return false, err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		list, err := tx.ListUsers(ctx, tenant, "", 1)
		if err != nil || len(list) > 0 {
			return err
		}
		created = true
		return s.insertUser(ctx, tx, caller.ServiceARN(tenant, "identity"), row)
	})
	return created && err == nil, err
}

func (s *Service) newRow(ctx context.Context, tenant, id string, in NewUser) (UserRow, error) {
	login := normalLogin(in.Login)
	if !loginForm.MatchString(login) {
		return UserRow{}, errs.New(errs.Invalid, "a login has 1 to 64 letters, digits and . _ @ + - and starts with a letter or digit")
	}
	roles, err := checkRoles(in.Roles, Admin, Supervisor, Agent)
	if err != nil {
		return UserRow{}, err
	}
	if err := checkName(in.Name); err != nil {
		return UserRow{}, err
	}
	if err := checkEmail(in.Email); err != nil {
		return UserRow{}, err
	}
	if err := checkPassword(in.Password, login, s.cfg.MinPassword); err != nil {
		return UserRow{}, err
	}
	hash, err := s.hasher.hash(ctx, in.Password)
	if err != nil {
		return UserRow{}, err
	}
	sealed, err := s.sealPersonal(ctx, tenant, id, personal{in.Name, in.Email})
	if err != nil {
		return UserRow{}, err
	}
	now := s.now()
	return UserRow{
		Tenant: tenant, ID: id, Login: login, Personal: sealed, Roles: roles, Password: hash, CreatedAt: now, UpdatedAt: now, Version: 1,
	}, nil
}

func checkEmail(email string) error {
	if email == "" {
		return nil
	}
	at := strings.LastIndexByte(email, '@')
	if len(email) > 254 || at < 1 || at == len(email)-1 || strings.ContainsAny(email, " \t\r\n\x00") {
		return errs.New(errs.Invalid, "the e-mail address is not valid")
	}
	return nil
}

func (s *Service) insertUser(ctx context.Context, tx Tx, who string, row UserRow) error {
	if err := tx.InsertUser(ctx, row); err != nil {
		if errs.Is(err, errs.Conflict) {
			return errs.Wrap(errs.Conflict, err, "the login %s is taken", row.Login)
		}
		return err
	}
	return note(ctx, tx, row.Tenant, row.CreatedAt, who, change{
		event: "user.created", action: ActionCreateUser, resource: ResourceARN(row.Tenant, "user", row.ID), subject: row.ID,
		detail: map[string]any{"login": row.Login, "roles": row.Roles},
	})
}

// change is what a unit of work tells the event log and the audit log.
type change struct {
	event, action, resource, subject string
	detail                           map[string]any // no personal data
}

func note(ctx context.Context, tx work.Tx, tenant string, at time.Time, who string, c change) error {
	detail, err := json.Marshal(c.detail)
	if err != nil {
		return fmt.Errorf("encoding the detail: %w", err)
	}
	if c.detail == nil {
		detail = nil
	}
	if err := tx.Audit(ctx, work.Audit{Tenant: tenant, At: at, Principal: who, Action: c.action, Resource: c.resource, Outcome: "ok", Detail: detail}); err != nil {
		return fmt.Errorf("auditing: %w", err)
	}
	if err := tx.Emit(ctx, event.Event{Tenant: tenant, Type: c.event, Subject: c.subject, At: at}); err != nil {
		return fmt.Errorf("emitting: %w", err)
	}
	return nil
}

// MaxPage is the largest number of items that a list returns.
const MaxPage = 500

func pageLimit(n int) int {
	if n <= 0 {
		return 100
	}
	return min(n, MaxPage)
}

// Users lists users by login, from the one after the cursor after; limit 0 means 100.
func (s *Service) Users(ctx context.Context, after string, limit int) ([]User, error) {
	p, ok := caller.From(ctx)
	if !ok {
		return nil, errUnauthenticated()
	}
	if err := s.authz.Check(ctx, ActionListUsers, ResourceARN(p.Tenant, "user", "*")); err != nil {
		return nil, err
	}
	var rows []UserRow
	locks := map[string]time.Time{}
	err := s.store.View(ctx, func(tx Tx) (err error) {
		if rows, err = tx.ListUsers(ctx, p.Tenant, after, pageLimit(limit)); err != nil {
			return err
		}
		for _, r := range rows {
			a, err := tx.LoginAttempts(ctx, p.Tenant, tokenHash(r.Login))
			if err != nil {
				return err
			}
			locks[r.ID] = a.LockedUntil
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]User, 0, len(rows))
	for _, r := range rows {
		u, err := s.user(ctx, r)
		if err != nil {
			return nil, err
		}
		if at := locks[r.ID]; at.After(s.now()) {
			u.LockedUntil = at
		}
		out = append(out, u)
	}
	return out, nil
}

// User returns one user. errs.NotFound.
func (s *Service) User(ctx context.Context, id string) (User, error) {
	p, ok := caller.From(ctx)
	if !ok {
		return User{}, errUnauthenticated()
	}
	if err := s.authz.Check(ctx, ActionGetUser, ResourceARN(p.Tenant, "user", id)); err != nil {
		return User{}, err
	}
	var row UserRow
	err := s.store.View(ctx, func(tx Tx) (err error) { row, err = tx.UserByID(ctx, p.Tenant, id); return err })
	if err != nil {
		return User{}, err
	}
	return s.user(ctx, row)
}

// UserChange is a partial change; nil fields stay.
type UserChange struct {
	Name     *string
	Email    *string
	Roles    []string
	Disabled *bool
	Version  int64 // the version the change was made to; 0 does not check
}

// UpdateUser changes a user; disabling ends their sessions. errs.Conflict: another change was first, or nobody would be left who
// can administer.
func (s *Service) UpdateUser(ctx context.Context, id string, in UserChange) (User, error) {
	p, ok := caller.From(ctx)
	if !ok {
		return User{}, errUnauthenticated()
	}
	arn := ResourceARN(p.Tenant, "user", id)
	if err := s.authz.Check(ctx, ActionUpdateUser, arn, authz.A(AttrRoles, in.Roles...)); err != nil {
		return User{}, err
	}
	var row UserRow
	if err := s.store.View(ctx, func(tx Tx) (err error) { row, err = tx.UserByID(ctx, p.Tenant, id); return err }); err != nil {
		return User{}, err
	}
	if in.Version != 0 && in.Version != row.Version {
		return User{}, errs.New(errs.Conflict, "the user was changed meanwhile; load it again")
	}
	fields, err := s.applyChange(ctx, &row, in)
	if err != nil {
		return User{}, err
	}
	now := s.now()
	row.UpdatedAt = now
	err = s.store.Update(ctx, func(tx Tx) error {
		if err := tx.UpdateUser(ctx, row); err != nil {
			return err
		}
		if err := keepAdmin(ctx, tx, row); err != nil {
			return err
		}
		if row.Disabled {
			if _, err := tx.DeleteUserSessions(ctx, row.Tenant, row.ID, nil); err != nil {
				return err
			}
		}
		return note(ctx, tx, p.Tenant, now, p.ARN, change{
			event: "user.updated", action: ActionUpdateUser, resource: arn, subject: id,
			detail: map[string]any{"fields": fields, "roles": row.Roles, "disabled": row.Disabled},
		})
	})
	if err != nil {
		return User{}, err
	}
	row.Version++
	return s.user(ctx, row)
}

// applyChange checks a change, applies it to the row and returns which fields it has.
func (s *Service) applyChange(ctx context.Context, row *UserRow, in UserChange) (fields []string, err error) {
	if in.Roles != nil {
		if row.Roles, err = checkRoles(in.Roles, Admin, Supervisor, Agent); err != nil {
			return nil, err
		}
		fields = append(fields, "roles")
	}
	if in.Disabled != nil {
		row.Disabled = *in.Disabled
		fields = append(fields, "disabled")
	}
	if in.Name == nil && in.Email == nil {
		return fields, nil
	}
	old, err := s.user(ctx, *row)
	if err != nil {
		return nil, err
	}
	p := personal{old.Name, old.Email}
	if in.Name != nil {
		p.Name = *in.Name
		fields = append(fields, "name")
	}
	if in.Email != nil {
		p.Email = *in.Email
		fields = append(fields, "email")
	}
	if err := checkName(p.Name); err != nil {
		return nil, err
	}
	if err := checkEmail(p.Email); err != nil {
		return nil, err
	}
	row.Personal, err = s.sealPersonal(ctx, row.Tenant, row.ID, p)
	return fields, err
}

// keepAdmin refuses a change after which the tenant has no administrator who can log in.
func keepAdmin(ctx context.Context, tx Tx, changed UserRow) error {
	if slices.Contains(changed.Roles, Admin) && !changed.Disabled {
		return nil
	}
	for after := ""; ; {
		page, err := tx.ListUsers(ctx, changed.Tenant, after, MaxPage)
		if err != nil {
			return err
		}
		for _, u := range page {
			if slices.Contains(u.Roles, Admin) && !u.Disabled {
				return nil
			}
			after = u.Login
		}
		if len(page) < MaxPage {
			return errs.New(errs.Conflict, "this is the last administrator: make another one first")
		}
	}
}

func errUnauthenticated() error { return errs.New(errs.Unauthenticated, "log in first") }

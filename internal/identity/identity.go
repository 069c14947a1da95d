// Package identity knows who may act: people with logins and sessions, API tokens for programs and access keys for clients
// that sign as Amazon's do. Its sub-package access answers what they may do.
//
// Resources are named arn:aws:tandem:{region}:{tenant}:{type}/{id}, with an empty region; the types here are user, api-token and
// access-key. A person's own ARN as a principal is caller.UserARN with the login, a token's ends in token/{id} and a key's
// in key/{id}.
//
// Logins are stored in clear, as they are searched and shown in audit entries; names and e-mail addresses are encrypted with
// a key per user. Of passwords an argon2id hash is stored, of session and API tokens a SHA-256, and of access keys the
// secret, encrypted, because verifying a signature needs it.
package identity

import (
	"context"
	"time"

	"github.com/tandemcc/tandem/internal/work"
)

// The roles of people.
const (
	Admin       = "admin"
	Supervisor  = "supervisor"
	Agent       = "agent"
	Integration = "integration" // programs with an access key
)

// The actions that policies name.
const (
	ActionCreateUser      = "identity:CreateUser"
	ActionListUsers       = "identity:ListUsers"
	ActionGetUser         = "identity:GetUser"
	ActionUpdateUser      = "identity:UpdateUser"
	ActionSetPassword     = "identity:SetPassword"    // of anyone
	ActionChangePassword  = "identity:ChangePassword" // one's own
	ActionUnlockUser      = "identity:UnlockUser"
	ActionCreateAPIToken  = "identity:CreateAPIToken"
	ActionListAPITokens   = "identity:ListAPITokens"
	ActionDeleteAPIToken  = "identity:DeleteAPIToken"
	ActionCreateAccessKey = "identity:CreateAccessKey"
	ActionListAccessKeys  = "identity:ListAccessKeys"
	ActionDeleteAccessKey = "identity:DeleteAccessKey"
	ActionLogin           = "identity:Login" // only audited: logging in asks for no permission
)

// AttrRoles is the condition key with the roles that a new user, token or key is to have.
const AttrRoles = "tandem:Roles"

// User is a person.
type User struct {
	Tenant      string
	ID          string
	Login       string // lower case
	Name        string
	Email       string
	Roles       []string
	Disabled    bool
	CreatedAt   time.Time
	UpdatedAt   time.Time
	LastLoginAt time.Time
	LockedUntil time.Time // zero unless locked after failed logins
	Version     int64     // grows with each change of the fields above it, logins aside
}

// UserRow is a user as stored.
type UserRow struct {
	Tenant, ID, Login string
	Personal          []byte // name and e-mail, sealed
	Roles             []string
	Password          string // PHC string of argon2id
	Disabled          bool
	CreatedAt         time.Time
	UpdatedAt         time.Time
	LastLoginAt       time.Time
	Version           int64
}

// Attempts counts failed logins of one login name, whether it exists or not.
type Attempts struct {
	Tenant      string
	LoginHash   []byte
	Failures    int
	LockedUntil time.Time
	At          time.Time
}

// SessionRow is a session as stored.
type SessionRow struct {
	Hash      []byte // SHA-256 of the token
	Tenant    string
	UserID    string
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time // absolute
}

// APIToken is a program's bearer token, without the secret.
type APIToken struct {
	Tenant    string
	ID        string
	Name      string
	Roles     []string
	CreatedBy string // ARN
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	UsedAt    time.Time // to the minute; zero: never
}

// AccessKey is a key pair for signed requests, without the secret.
type AccessKey struct {
	Tenant    string
	ID        string // "TDIA" and 16 characters
	Name      string
	Roles     []string
	CreatedBy string // ARN
	CreatedAt time.Time
	UsedAt    time.Time // to the minute; zero: never
}

// Tx is identity's transaction.
type Tx interface {
	work.Tx
	UserTx
	SessionTx
	CredentialTx
}

// UserTx keeps users and failed logins.
type UserTx interface {
	// InsertUser stores a new user. errs.Conflict: the login is taken.
	InsertUser(ctx context.Context, u UserRow) error
	// UpdateUser stores a change made to u.Version and adds one to it. errs.Conflict: another change was first.
	UpdateUser(ctx context.Context, u UserRow) error
	// RecordLogin stores the time of a login and the password's hash, which may be a stronger one.
	RecordLogin(ctx context.Context, tenant, id, password string, at time.Time) error
	// UserByID returns a user. errs.NotFound.
	UserByID(ctx context.Context, tenant, id string) (UserRow, error)
	// UserByLogin returns a user. errs.NotFound.
	UserByLogin(ctx context.Context, tenant, login string) (UserRow, error)
	// ListUsers returns at most limit users with a login greater than after, by login.
	ListUsers(ctx context.Context, tenant, after string, limit int) ([]UserRow, error)
	// LoginAttempts returns the failures of a login name; zero failures when there are none.
	LoginAttempts(ctx context.Context, tenant string, loginHash []byte) (Attempts, error)
	// PutLoginAttempts stores them; zero failures remove the row.
	PutLoginAttempts(ctx context.Context, a Attempts) error
	// PurgeLogins removes failures last counted before attempts, and sessions that ended before now or were last seen before idle.
	PurgeLogins(ctx context.Context, attempts, now, idle time.Time) (int64, error)
}

// SessionTx keeps sessions.
type SessionTx interface {
	// InsertLoginSession stores a session.
	InsertLoginSession(ctx context.Context, s SessionRow) error
	// LoginSession returns a session by the hash of its token. errs.NotFound.
	LoginSession(ctx context.Context, hash []byte) (SessionRow, error)
	// TouchLoginSession stores when a session was last used.
	TouchLoginSession(ctx context.Context, hash []byte, at time.Time) error
	// DeleteLoginSession removes a session; it reports whether there was one.
	DeleteLoginSession(ctx context.Context, hash []byte) (bool, error)
	// DeleteUserSessions removes the sessions of a user but the one with hash keep, and returns how many.
	DeleteUserSessions(ctx context.Context, tenant, userID string, keep []byte) (int64, error)
}

// CredentialTx keeps API tokens and access keys.
type CredentialTx interface {
	// InsertAPIToken stores a token with the hash of its secret.
	InsertAPIToken(ctx context.Context, t APIToken, hash []byte) error
	// APITokenByHash returns a token. errs.NotFound.
	APITokenByHash(ctx context.Context, hash []byte) (APIToken, error)
	// ListAPITokens returns at most limit tokens with an ID smaller than before ("": all), newest first.
	ListAPITokens(ctx context.Context, tenant, before string, limit int) ([]APIToken, error)
	// TouchAPIToken stores when a token was last used.
	TouchAPIToken(ctx context.Context, tenant, id string, at time.Time) error
	// DeleteAPIToken removes a token. errs.NotFound.
	DeleteAPIToken(ctx context.Context, tenant, id string) error
	// InsertAccessKey stores a key with its sealed secret. errs.Conflict: the ID is taken.
	InsertAccessKey(ctx context.Context, k AccessKey, secret []byte) error
	// AccessKeyByID returns a key of any tenant with its sealed secret. errs.NotFound.
	AccessKeyByID(ctx context.Context, id string) (AccessKey, []byte, error)
	// ListAccessKeys returns at most limit keys of a tenant with an ID greater than after, by ID.
	ListAccessKeys(ctx context.Context, tenant, after string, limit int) ([]AccessKey, error)
	// TouchAccessKey stores when a key was last used.
	TouchAccessKey(ctx context.Context, id string, at time.Time) error
	// DeleteAccessKey removes a tenant's key. errs.NotFound.
	DeleteAccessKey(ctx context.Context, tenant, id string) error
}

// Store runs identity's units of work.
type Store = work.Store[Tx]

// Vault seals personal data and secrets; subject is whose they are. It is not called inside a unit of work.
type Vault interface {
	Seal(ctx context.Context, tenant, subject string, aad, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, tenant string, sealed, aad []byte) ([]byte, error)
}

// ResourceARN names a resource of this package for policies: typ is user, api-token or access-key.
func ResourceARN(tenant, typ, id string) string {
	return "arn:aws:tandem::" + tenant + ":" + typ + "/" + id
}

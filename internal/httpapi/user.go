package httpapi

import (
	"context"
	"slices"
	"time"

	"github.com/tandemcc/tandem/internal/identity"
)

type user struct {
	ID           string     `json:"id"`
	Login        string     `json:"login"`
	Name         string     `json:"name"`
	Roles        []string   `json:"roles"`
	AgentID      string     `json:"agentId,omitempty"`
	Agent        bool       `json:"agent"`
	Disabled     bool       `json:"disabled"`
	Locked       bool       `json:"locked"`
	LockedUntil  *time.Time `json:"lockedUntil"`
	LastSignInAt *time.Time `json:"lastSignInAt"`
	Version      int64      `json:"version"`
}

func userOf(u identity.User, now time.Time) user {
	out := user{
		ID: u.ID, Login: u.Login, Name: u.Name, Roles: u.Roles, Agent: slices.Contains(u.Roles, identity.Agent), Disabled: u.Disabled,
		Locked: u.LockedUntil.After(now), LockedUntil: when(u.LockedUntil), LastSignInAt: when(u.LastLoginAt), Version: u.Version,
	}
	if out.Agent {
		out.AgentID = u.ID
	}
	return out
}

type apiToken struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Roles      []string   `json:"roles"`
	CreatedAt  time.Time  `json:"createdAt"`
	ExpiresAt  *time.Time `json:"expiresAt"`
	LastUsedAt *time.Time `json:"lastUsedAt"`
	Token      string     `json:"token,omitempty" doc:"shown once, at creation"`
}

func tokenOf(t identity.APIToken, secret string) apiToken {
	return apiToken{
		ID: t.ID, Name: t.Name, Roles: t.Roles, CreatedAt: t.CreatedAt, ExpiresAt: when(t.ExpiresAt), LastUsedAt: when(t.UsedAt), Token: secret,
	}
}

type accessKey struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	CreatedAt   time.Time  `json:"createdAt"`
	LastUsedAt  *time.Time `json:"lastUsedAt"`
	AccessKeyID string     `json:"accessKeyId"`
	Secret      string     `json:"secret,omitempty" doc:"shown once, at creation"`
}

func keyOf(k identity.AccessKey, secret string) accessKey {
	return accessKey{ID: k.ID, AccessKeyID: k.ID, Name: k.Name, CreatedAt: k.CreatedAt, LastUsedAt: when(k.UsedAt), Secret: secret}
}

func (a *API) userOps() {
	add(a, op("GET", "/users", "listUsers", "All users, by login", "users", 200), a.listUsers)
	add(a, op("POST", "/users", "createUser", "Create a user", "users", 201), a.createUser)
	add(a, op("PATCH", "/users/{id}", "changeUser", "Change a user", "users", 200), a.changeUser)
	add(a, op("POST", "/users/{id}/password", "setPassword", "Set a user's password", "users", 204), a.setPassword)
	add(a, op("POST", "/users/{id}/unlock", "unlockUser", "Forget failed sign-ins", "users", 204), func(ctx context.Context, in *IDInput) (*none, error) {
		return &none{}, a.Identity.Unlock(ctx, in.ID)
	})
	add(a, op("GET", "/api-tokens", "listAPITokens", "API tokens, newest first", "users", 200), a.listTokens)
	add(a, op("POST", "/api-tokens", "createAPIToken", "Create an API token", "users", 201), a.createToken)
	add(a, op("DELETE", "/api-tokens/{id}", "deleteAPIToken", "End an API token", "users", 204), func(ctx context.Context, in *IDInput) (*none, error) {
		return &none{}, a.Identity.DeleteAPIToken(ctx, in.ID)
	})
	add(a, op("GET", "/access-keys", "listAccessKeys", "Access keys, by id", "users", 200), a.listKeys)
	add(a, op("POST", "/access-keys", "createAccessKey", "Create an access key", "users", 201), a.createKey)
	add(a, op("DELETE", "/access-keys/{id}", "deleteAccessKey", "End an access key", "users", 204), func(ctx context.Context, in *IDInput) (*none, error) {
		return &none{}, a.Identity.DeleteAccessKey(ctx, in.ID)
	})
}

// pageOf cuts a list that was asked for with one more than fits.
func pageOf[T, V any](found []T, limit int, view func(T) V, key func(T) string) *body[list[V]] {
	next := ""
	if len(found) > limit {
		found = found[:limit]
		next = key(found[limit-1])
	}
	out := make([]V, 0, len(found))
	for _, f := range found {
		out = append(out, view(f))
	}
	return items(out, next)
}

func (a *API) listUsers(ctx context.Context, in *Page) (*body[list[user]], error) {
	found, err := a.Identity.Users(ctx, in.Cursor, in.Limit+1)
	now := a.Clock.Now()
	return pageOf(found, in.Limit, func(u identity.User) user { return userOf(u, now) }, func(u identity.User) string { return u.Login }), err
}

type newUserInput struct {
	Body struct {
		Login    string   `json:"login" minLength:"1" maxLength:"100"`
		Name     string   `json:"name" minLength:"1" maxLength:"200"`
		Email    string   `json:"email,omitempty" maxLength:"254"`
		Roles    []string `json:"roles,omitempty" maxItems:"10"`
		Agent    bool     `json:"agent,omitempty" doc:"short for the role agent"`
		Password string   `json:"password" maxLength:"1024" writeOnly:"true"`
	}
}

func (a *API) createUser(ctx context.Context, in *newUserInput) (*body[user], error) {
	roles := in.Body.Roles
	if in.Body.Agent && !slices.Contains(roles, identity.Agent) {
		roles = append(roles, identity.Agent)
	}
	u, err := a.Identity.CreateUser(ctx, identity.NewUser{
		Login: in.Body.Login, Name: in.Body.Name, Email: in.Body.Email, Roles: roles, Password: in.Body.Password,
	})
	return &body[user]{Body: userOf(u, a.Clock.Now())}, err
}

type changeUserInput struct {
	IDInput
	IfMatch string `header:"If-Match" maxLength:"100"`
	Body    struct {
		Name     *string  `json:"name,omitempty" minLength:"1" maxLength:"200"`
		Email    *string  `json:"email,omitempty" maxLength:"254"`
		Roles    []string `json:"roles,omitempty" maxItems:"10"`
		Disabled *bool    `json:"disabled,omitempty"`
	}
}

func (a *API) changeUser(ctx context.Context, in *changeUserInput) (*body[user], error) {
	version, err := seen(in.IfMatch)
	if err != nil {
		return nil, err
	}
	u, err := a.Identity.UpdateUser(ctx, in.ID, identity.UserChange{
		Name: in.Body.Name, Email: in.Body.Email, Roles: in.Body.Roles, Disabled: in.Body.Disabled, Version: int64(version),
	})
	return &body[user]{Body: userOf(u, a.Clock.Now())}, err
}

type setPasswordInput struct {
	IDInput
	Body struct {
		New string `json:"new" maxLength:"1024" writeOnly:"true"`
	}
}

func (a *API) setPassword(ctx context.Context, in *setPasswordInput) (*none, error) {
	return &none{}, a.Identity.SetPassword(ctx, in.ID, in.Body.New)
}

func (a *API) listTokens(ctx context.Context, in *Page) (*body[list[apiToken]], error) {
	found, err := a.Identity.APITokens(ctx, in.Cursor, in.Limit+1)
	return pageOf(found, in.Limit, func(t identity.APIToken) apiToken { return tokenOf(t, "") }, func(t identity.APIToken) string { return t.ID }), err
}

type newTokenInput struct {
	Body struct {
		Name      string     `json:"name" minLength:"1" maxLength:"200"`
		Roles     []string   `json:"roles" minItems:"1" maxItems:"10"`
		ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"empty: never"`
	}
}

func (a *API) createToken(ctx context.Context, in *newTokenInput) (*body[apiToken], error) {
	var expires time.Time
	if in.Body.ExpiresAt != nil {
		expires = *in.Body.ExpiresAt
	}
	t, secret, err := a.Identity.CreateAPIToken(ctx, in.Body.Name, in.Body.Roles, expires)
	return &body[apiToken]{Body: tokenOf(t, secret)}, err
}

func (a *API) listKeys(ctx context.Context, in *Page) (*body[list[accessKey]], error) {
	found, err := a.Identity.AccessKeys(ctx, in.Cursor, in.Limit+1)
	return pageOf(found, in.Limit, func(k identity.AccessKey) accessKey { return keyOf(k, "") }, func(k identity.AccessKey) string { return k.ID }), err
}

type newKeyInput struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"200"`
	}
}

func (a *API) createKey(ctx context.Context, in *newKeyInput) (*body[accessKey], error) {
	k, secret, err := a.Identity.CreateAccessKey(ctx, in.Body.Name)
	return &body[accessKey]{Body: keyOf(k, secret)}, err
}

package httpapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/identity"
)

const cookieName = "tandem_session"

type sessionUser struct {
	ID      string   `json:"id"`
	Login   string   `json:"login"`
	Name    string   `json:"name"`
	Roles   []string `json:"roles"`
	AgentID string   `json:"agentId,omitempty"`
}

type session struct {
	User      sessionUser `json:"user"`
	CSRF      string      `json:"csrf" doc:"to be sent as X-CSRF-Token with every unsafe request"`
	ExpiresAt time.Time   `json:"expiresAt"`
}

type sessionOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      session
}

type loginInput struct {
	Peer
	Body struct {
		Login    string `json:"login" maxLength:"256"`
		Password string `json:"password" maxLength:"1024"`
	}
}

// Peer finds out where a request comes from.
type Peer struct {
	remote string
	secure bool
}

// Resolve implements huma.Resolver.
func (p *Peer) Resolve(ctx huma.Context) []error {
	p.remote, p.secure = source(ctx.RemoteAddr()), ctx.TLS() != nil
	return nil
}

// CookieInput is a request with the session cookie.
type CookieInput struct {
	Peer
	Session string `cookie:"tandem_session"`
}

func sessionOf(s identity.Session) session {
	u := sessionUser{ID: s.User.ID, Login: s.User.Login, Name: s.User.Name, Roles: s.User.Roles}
	if slices.Contains(u.Roles, identity.Agent) {
		u.AgentID = u.ID
	}
	return session{User: u, CSRF: s.CSRF, ExpiresAt: s.ExpiresAt}
}

func cookie(token string, expires time.Time, secure bool) http.Cookie {
	c := http.Cookie{ //nolint:gosec // Secure wherever the request came by TLS; on loopback it may not
		Name: cookieName, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: secure, Expires: expires,
	}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}

func (a *API) sessionOps() {
	signIn := op("POST", "/session", "signIn", "Sign in", "session", 200)
	signIn.Security = []map[string][]string{}
	add(a, signIn, a.signIn)
	add(a, op("GET", "/session", "getSession", "The signed-in user", "session", 200), a.getSession)
	add(a, op("DELETE", "/session", "signOut", "Sign out", "session", 204), a.signOut)
	add(a, op("POST", "/session/password", "changePassword", "Change one's own password", "session", 204), a.changePassword)
}

func (a *API) signIn(ctx context.Context, in *loginInput) (*sessionOutput, error) {
	s, err := a.Identity.Login(ctx, identity.LoginInput{Tenant: a.Tenant, Login: in.Body.Login, Password: in.Body.Password, Source: in.remote})
	if err != nil {
		return nil, err
	}
	return &sessionOutput{SetCookie: []http.Cookie{cookie(s.Token, s.ExpiresAt, in.secure)}, Body: sessionOf(s)}, nil
}

func (a *API) getSession(ctx context.Context, in *CookieInput) (*body[session], error) {
	if in.Session == "" {
		return nil, errs.New(errs.Unauthenticated, "sign in first; API tokens have no session")
	}
	s, err := a.Identity.Session(ctx, in.Session)
	if err != nil {
		return nil, err
	}
	return &body[session]{Body: sessionOf(s)}, nil
}

type signOutOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

// signOut ends the session; an agent who signs out is offline.
func (a *API) signOut(ctx context.Context, in *CookieInput) (*signOutOutput, error) {
	if err := a.Identity.Logout(ctx, in.Session); err != nil {
		return nil, err
	}
	if p := principal(ctx); p.Has(identity.Agent) {
		a.goOffline(p.ID)
	}
	return &signOutOutput{SetCookie: []http.Cookie{cookie("", time.Unix(0, 0), in.secure)}}, nil
}

type passwordInput struct {
	CookieInput
	Body struct {
		Current string `json:"current" maxLength:"1024"`
		New     string `json:"new" maxLength:"1024"`
	}
}

func (a *API) changePassword(ctx context.Context, in *passwordInput) (*none, error) {
	return &none{}, a.Identity.ChangePassword(ctx, in.Session, in.Body.Current, in.Body.New)
}

// Package caller carries who a call is made for. Every module works under its own service principal; a user's or an
// agent's request carries theirs.
package caller

import (
	"context"
	"slices"
)

// Kind tells what a principal is.
type Kind string

// The kinds.
const (
	User    Kind = "user"
	Service Kind = "service"
	Key     Kind = "access-key"
	Token   Kind = "api-token"
)

// Principal is who acts. It is immutable.
type Principal struct {
	Tenant string
	Kind   Kind
	ID     string   // user id, or the service's name: "svc/crm-client"
	ARN    string   // what policies name
	Login  string   // for people
	Roles  []string // "admin", "supervisor", "agent"
	Tags   map[string]string
	Via    []string // services the call came through, first one first (aws:CalledVia)
}

// Has reports whether the principal has the role.
func (p Principal) Has(role string) bool { return slices.Contains(p.Roles, role) }

// ServiceARN is the ARN of a module's own principal.
func ServiceARN(tenant, name string) string {
	return "arn:aws:iam::" + tenant + ":role/svc/" + name
}

// UserARN is the ARN of a person or key.
func UserARN(tenant, login string) string { return "arn:aws:iam::" + tenant + ":user/" + login }

// NewService returns the principal of a module.
func NewService(tenant, name string) Principal {
	return Principal{Tenant: tenant, Kind: Service, ID: "svc/" + name, ARN: ServiceARN(tenant, name)}
}

type key struct{}

// With returns a context that carries p.
func With(ctx context.Context, p Principal) context.Context { return context.WithValue(ctx, key{}, p) }

// From returns the principal of ctx; ok is false when there is none, and then nothing may be done.
func From(ctx context.Context) (p Principal, ok bool) {
	p, ok = ctx.Value(key{}).(Principal)
	return p, ok
}

// As returns a context in which service acts on behalf of the caller in ctx: the chain of services grows by one.
func As(ctx context.Context, service Principal) context.Context {
	if p, ok := From(ctx); ok {
		service.Via = append(slices.Clone(p.Via), p.ID)
	}
	return With(ctx, service)
}

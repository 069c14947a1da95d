package identity

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/policy"
)

//go:embed policies/*.json
var policyFiles embed.FS

// Policies returns the policies shipped: role-{role}.json for people, tokens and keys, svc-{name}.json for modules.
func Policies() fs.FS {
	sub, err := fs.Sub(policyFiles, "policies")
	if err != nil {
		panic(err) // the path is a constant
	}
	return sub
}

// stranger stands in for the account of a tenant whose name is not a 12-digit account number, which policies require.
const stranger = "000000000000"

const (
	maxPrincipals = 4096 // compiled principals held in memory
	attrRoom      = 14   // condition keys of a request for which no memory is allocated
)

// Decider implements authz.Decider over the policy language. A person has the policies of all their roles together, a module
// its own; whoever has none may do nothing. Besides what the caller passes, policies see aws:userid (the principal's
// id), aws:username (the login), aws:PrincipalTag/{tag}, aws:CalledVia with First and Last (the ids of the services a call came
// through) and what the policy engine derives itself.
//
// Nobody reaches another tenant: a resource ARN names its tenant as account, and one of another tenant is refused whatever the
// policies say. An empty account means the hub itself; "*", all tenants, is for modules only.
//
// It is safe for concurrent use and does not allocate on an allowed request whose principal it has seen.
type Decider struct {
	docs     map[string]*policy.Document
	recorder authz.Recorder
	journal  *Journal
	scratch  sync.Pool // of *scratch

	mu         sync.Mutex // serialises growth of known and sets
	known      atomic.Pointer[map[string]*known]
	sets       map[string]*policy.Set // by names of documents
	privileges []string               // roles that have a document
}

// known is a principal as the engine wants it.
type known struct {
	caller caller.Principal
	who    policy.Principal
	set    *policy.Set
	base   []policy.Attr // without those of the call chain
}

// NewDecider reads and compiles the policies in files, nil for those shipped. recorder (may be nil) is told every decision,
// journal (may be nil) writes them down.
func NewDecider(files fs.FS, recorder authz.Recorder, journal *Journal) (*Decider, error) {
	if files == nil {
		files = Policies()
	}
	docs, err := readPolicies(files)
	if err != nil {
		return nil, err
	}
	return newDecider(docs, recorder, journal), nil
}

func newDecider(docs map[string]*policy.Document, recorder authz.Recorder, journal *Journal) *Decider {
	d := &Decider{docs: docs, recorder: recorder, journal: journal, sets: map[string]*policy.Set{}}
	for name := range docs {
		if role, ok := strings.CutPrefix(name, "role-"); ok {
			d.privileges = append(d.privileges, role)
		}
	}
	d.known.Store(&map[string]*known{})
	return d
}

func readPolicies(files fs.FS) (map[string]*policy.Document, error) {
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		return nil, fmt.Errorf("listing policies: %w", err)
	}
	docs := map[string]*policy.Document{}
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("reading policy %s: %w", name, err)
		}
		doc, err := policy.Parse(data, policy.KindIdentity)
		if err != nil {
			return nil, errs.Wrap(errs.Invalid, err, "policy %s is not valid", name)
		}
		if _, err := policy.Compile(doc); err != nil {
			return nil, errs.Wrap(errs.Invalid, err, "policy %s is not valid", name)
		}
		docs[strings.TrimSuffix(path.Base(name), ".json")] = doc
	}
	return docs, nil
}

// Check implements authz.Decider.
func (d *Decider) Check(ctx context.Context, action, resource string, attrs ...authz.Attr) error {
	p, ok := caller.From(ctx)
	if !ok || p.Tenant == "" {
		return errUnauthenticated()
	}
	allowed := d.decide(&p, action, resource, attrs)
	if d.recorder != nil {
		d.recorder.Record(ctx, authz.Decision{Tenant: p.Tenant, Principal: p.ARN, Action: action, Resource: resource, Attrs: attrs, Allowed: allowed})
	}
	if d.journal != nil {
		d.journal.write(p, action, resource, attrs, allowed)
	}
	if !allowed {
		return authz.Denied(action, resource)
	}
	return nil
}

func (d *Decider) decide(p *caller.Principal, action, resource string, attrs []authz.Attr) bool {
	k := d.principal(p)
	if k == nil || !sameTenant(p, resource) {
		return false
	}
	r, _ := d.scratch.Get().(*scratch)
	if r == nil {
		r = &scratch{}
	}
	r.req = policy.Request{
		Principal: k.who, Action: action, Resource: policy.NewResource(resource, k.who.Account()), Context: requestContext(r.room[:0], k, p, attrs),
	}
	layers := policy.Layers{Identity: k.set}
	allowed := layers.Decide(&r.req).Allowed()
	clear(r.req.Context) // keeps no text of the request alive
	r.req = policy.Request{}
	d.scratch.Put(r)
	return allowed
}

// scratch is the memory of one request; the engine keeps nothing of it.
type scratch struct {
	req  policy.Request
	room [attrRoom]policy.Attr
}

// Explain decides without recording and says why.
func (d *Decider) Explain(p caller.Principal, action, resource string, attrs ...authz.Attr) (policy.Explanation, error) {
	k := d.principal(&p)
	if k == nil {
		return policy.Explanation{}, errs.New(errs.NotFound, "no policy is attached to %s", p.ARN)
	}
	if !sameTenant(&p, resource) {
		return policy.Explanation{}, errs.New(errs.Denied, "%s belongs to another tenant", resource)
	}
	req := policy.Request{
		Principal: k.who, Action: action, Resource: policy.NewResource(resource, k.who.Account()), Context: requestContext(nil, k, &p, attrs),
	}
	return policy.Layers{Identity: k.set}.Explain(&req), nil
}

// requestContext appends the condition keys of a request to ctx: first those that say who calls, which a caller's own attributes
// cannot override, as the first of equal keys counts.
func requestContext(ctx []policy.Attr, k *known, p *caller.Principal, attrs []authz.Attr) policy.Context {
	ctx = append(ctx, k.base...)
	if n := len(p.Via); n > 0 {
		ctx = append(ctx, policy.Strings("aws:CalledVia", p.Via...), policy.String("aws:CalledViaFirst", p.Via[0]),
			policy.String("aws:CalledViaLast", p.Via[n-1]))
	}
	for _, a := range attrs {
		if len(a.Values) == 1 {
			ctx = append(ctx, policy.String(a.Key, a.Values[0]))
		} else {
			ctx = append(ctx, policy.Strings(a.Key, a.Values...))
		}
	}
	return ctx
}

// sameTenant keeps tenants apart.
func sameTenant(p *caller.Principal, resource string) bool {
	rest, ok := strings.CutPrefix(resource, "arn:")
	if !ok {
		return true // a plain name is within the tenant
	}
	for range 3 {
		i := strings.IndexByte(rest, ':')
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
	}
	account, _, ok := strings.Cut(rest, ":")
	switch account {
	case p.Tenant, "":
		return ok
	case "*":
		return ok && p.Kind == caller.Service
	default:
		return false
	}
}

// principal returns what is known of p, nil when it has no policy.
func (d *Decider) principal(p *caller.Principal) *known {
	if k := (*d.known.Load())[p.ARN]; k != nil && k.is(p) {
		return k
	}
	return d.learn(p)
}

// is guards against two principals that share an ARN: a login given to another person, roles that changed.
func (k *known) is(p *caller.Principal) bool {
	return k.caller.ID == p.ID && k.caller.Kind == p.Kind && k.caller.Tenant == p.Tenant && k.caller.Login == p.Login &&
		slices.Equal(k.caller.Roles, p.Roles) && maps.Equal(k.caller.Tags, p.Tags)
}

func (d *Decider) learn(p *caller.Principal) *known {
	d.mu.Lock()
	defer d.mu.Unlock()
	set := d.set(p)
	if set == nil {
		return nil
	}
	who, err := policy.NewPrincipal(enginePrincipal(p.ARN, p.Tenant))
	if err != nil {
		return nil
	}
	k := &known{caller: *p, who: who, set: set, base: []policy.Attr{policy.String("aws:userid", p.ID)}}
	k.caller.Roles, k.caller.Tags, k.caller.Via = slices.Clone(p.Roles), maps.Clone(p.Tags), nil
	if p.Login != "" {
		k.base = append(k.base, policy.String("aws:username", p.Login))
	}
	for _, tag := range slices.Sorted(maps.Keys(p.Tags)) {
		k.base = append(k.base, policy.String("aws:PrincipalTag/"+tag, p.Tags[tag]))
	}
	old := *d.known.Load()
	m := make(map[string]*known, len(old)+1)
	if len(old) < maxPrincipals {
		maps.Copy(m, old)
	}
	m[p.ARN] = k
	d.known.Store(&m)
	return k
}

// enginePrincipal gives a principal's ARN an account number when its tenant is no such number.
func enginePrincipal(arn, tenant string) string {
	if len(tenant) == len(stranger) && strings.Trim(tenant, "0123456789") == "" {
		return arn
	}
	return strings.Replace(arn, "::"+tenant+":", "::"+stranger+":", 1)
}

// set returns the compiled policies of a principal; d.mu is held.
func (d *Decider) set(p *caller.Principal) *policy.Set {
	var names []string
	if p.Kind == caller.Service {
		names = append(names, strings.Replace(p.ID, "/", "-", 1))
	} else {
		for _, role := range p.Roles {
			if slices.Contains(d.privileges, role) {
				names = append(names, "role-"+role)
			}
		}
		slices.Sort(names)
		names = slices.Compact(names)
	}
	key := strings.Join(names, " ")
	if s, ok := d.sets[key]; ok {
		return s
	}
	var docs []*policy.Document
	for _, name := range names {
		if doc := d.docs[name]; doc != nil {
			docs = append(docs, doc)
		}
	}
	if len(docs) == 0 {
		return nil
	}
	s, err := policy.Compile(docs...)
	if err != nil {
		return nil // each was compiled when it was read
	}
	d.sets[key] = s
	return s
}

// Services returns the names of the modules that have a policy, sorted: "svc/voice".
func (d *Decider) Services() []string {
	var out []string
	for name := range d.docs {
		if svc, ok := strings.CutPrefix(name, "svc-"); ok {
			out = append(out, "svc/"+svc)
		}
	}
	slices.SortFunc(out, cmp.Compare[string])
	return out
}

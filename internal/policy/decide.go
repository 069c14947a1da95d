package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Layers are the policies that bear on a request. A nil Set means there is no such layer: a principal without a boundary is
// not limited by one. Layers is a small value; build one for each call from Sets that were compiled once.
type Layers struct {
	Identity *Set // the principal's identity policies, of its groups too
	Boundary *Set // permissions boundary
	Session  *Set // session policy
	Resource *Set // policy of the resource; for sts:AssumeRole the role's trust policy
}

// Validate reports a Set that stands in the wrong layer. Decide only refuses all where it is the resource layer.
func (l Layers) Validate() error {
	check := func(name string, s *Set, kinds ...Kind) error {
		if s == nil || len(s.docs) == 0 {
			return nil
		}
		if slices.Contains(kinds, s.kind) {
			return nil
		}
		return fmt.Errorf("layer %s holds policies of kind %s: parse them as %s", name, s.kind, kinds[0])
	}
	return errors.Join(
		check("identity", l.Identity, KindIdentity),
		check("boundary", l.Boundary, KindBoundary, KindIdentity),
		check("session", l.Session, KindSession, KindIdentity),
		check("resource", l.Resource, KindResource, KindTrust),
	)
}

// misplaced reports policies without principals in the resource layer, where they would speak for everyone.
func (l Layers) misplaced() bool {
	return l.Resource != nil && len(l.Resource.docs) > 0 && !l.Resource.kind.takesPrincipal()
}

// Decide answers a request. It does not allocate, unless a string operator meets a Number, Time or IP attribute.
func (l Layers) Decide(req *Request) Result {
	var v verdicts
	switch {
	case l.misplaced():
		return Result{Layer: LayerResource}
	case !isAction(req.Action):
		return Result{}
	}
	l.Resource.judge(req, l.Boundary != nil, &v.resource)
	if req.Principal.ownsPolicies() {
		l.Identity.judge(req, false, &v.identity)
		if l.Boundary != nil {
			l.Boundary.judge(req, false, &v.boundary)
		}
		if l.Session != nil {
			l.Session.judge(req, false, &v.session)
		}
	}
	return l.settle(req, &v)
}

// isAction refuses what is no "service:Operation", which a bare * in a policy would otherwise cover.
func isAction(s string) bool {
	i := strings.IndexByte(s, ':')
	return i > 0 && i < len(s)-1
}

// gated reports whether nothing but the resource's own policy can open it: KMS keys, and roles that are to be assumed.
func gated(req *Request) bool {
	return req.Resource.PolicyRequired || req.Resource.isRole && hasPrefixFold(req.Action, "sts:")
}

// grant says how closely a resource policy names the principal it allows.
type grant uint8

const (
	grantNone     grant = iota
	grantAccount        // the whole account: IAM of that account still has to allow
	grantRole           // the ARN of the role, or everyone but those in NotPrincipal
	grantEveryone       // "*", which names users and sessions directly
	grantExact          // the ARN of the user or session, or the service
)

// verdict is what one layer says.
type verdict struct {
	deny, allow *statement
	grant       grant // of the closest Allow; only in the resource layer
}

type verdicts struct {
	resource, identity, boundary, session verdict
}

// settle joins the layers (IAM User Guide, "Policy evaluation logic"; "Permissions boundaries", "Session policies" and
// "Cross-account policy evaluation logic" for what a resource policy may bypass).
func (l Layers) settle(req *Request, v *verdicts) Result {
	if r, denied := v.denied(); denied {
		return r
	}
	byResource := allowedBy(LayerResource, v.resource.allow)
	p := &req.Principal
	if !p.ownsPolicies() {
		if v.resource.grant >= grantRole {
			return byResource
		}
		return Result{Layer: LayerResource}
	}
	same := sameAccount(req)
	if same && v.resource.grant >= grantEveryone {
		return byResource
	}
	if needed := !same || gated(req); needed && v.resource.grant == grantNone {
		return Result{Layer: LayerResource}
	}
	granted := allowedBy(LayerIdentity, v.identity.allow)
	if v.identity.allow == nil {
		if !same || v.resource.grant < grantRole {
			return Result{Layer: LayerIdentity}
		}
		granted = byResource
	}
	return l.limit(v, granted)
}

// limit applies the layers that only take away.
func (l Layers) limit(v *verdicts, granted Result) Result {
	if l.Boundary != nil && v.boundary.allow == nil {
		return Result{Layer: LayerBoundary}
	}
	if l.Session != nil && v.session.allow == nil {
		return Result{Layer: LayerSession}
	}
	return granted
}

// denied returns the first explicit denial.
func (v *verdicts) denied() (Result, bool) {
	switch {
	case v.resource.deny != nil:
		return Result{ExplicitlyDenied, LayerResource, v.resource.deny.src}, true
	case v.identity.deny != nil:
		return Result{ExplicitlyDenied, LayerIdentity, v.identity.deny.src}, true
	case v.boundary.deny != nil:
		return Result{ExplicitlyDenied, LayerBoundary, v.boundary.deny.src}, true
	case v.session.deny != nil:
		return Result{ExplicitlyDenied, LayerSession, v.session.deny.src}, true
	default:
		return Result{}, false
	}
}

func allowedBy(layer Layer, s *statement) Result {
	if s == nil {
		return Result{Layer: layer}
	}
	return Result{Allowed, layer, s.src}
}

// sameAccount reports whether principal and resource belong together. An action on no particular resource happens in the
// principal's account; a resource whose owner is unknown counts as foreign.
func sameAccount(req *Request) bool {
	if req.Resource.account == "" {
		return req.Resource.arn == "*"
	}
	return req.Principal.account == req.Resource.account
}

// judge asks the statements of a layer, those that deny first; the first Deny ends it, as does the closest possible Allow.
func (s *Set) judge(req *Request, bounded bool, out *verdict) {
	if s == nil || len(s.blocks) == 0 {
		return
	}
	e := env{req: req, set: s}
	first := s.blocks[0].candidates(req.Action)
	for _, denies := range [2]bool{true, false} {
		for i := range s.blocks {
			b, mask := &s.blocks[i], first
			if i > 0 {
				mask = b.candidates(req.Action)
			}
			if denies {
				mask &= b.denies
			} else {
				mask &^= b.denies
			}
			if b.judge(&e, mask, bounded, out) {
				return
			}
		}
	}
}

// judge tries the statements of a mask and reports whether the layer's verdict is final.
func (b *block) judge(e *env, mask uint64, bounded bool, out *verdict) bool {
	for mask != 0 {
		s := &b.statements[nextBit(&mask)]
		g := s.names(&e.req.Principal, bounded)
		if g == grantNone || !e.covers(s.resources) || !s.holds(e) {
			continue
		}
		if s.effect == Deny {
			out.deny = s
			return true
		}
		if out.allow == nil || g > out.grant {
			out.allow, out.grant = s, g
		}
		if out.grant == grantExact {
			return true
		}
	}
	return false
}

// match applies the element. A variable without a value matches nothing, in NotResource either.
func (l *resourceList) match(e *env) bool {
	if len(l.patterns) == 0 {
		return true
	}
	for i := range l.patterns {
		matched, known := l.patterns[i].match(&e.req.Resource, e)
		if matched {
			return !l.not
		}
		if !known && l.not {
			return false
		}
	}
	return l.not
}

func (s *statement) holds(e *env) bool {
	for _, c := range s.conditions {
		if !e.holds(c) {
			return false
		}
	}
	return true
}

// names reports how closely the statement names the principal. Statements of identity policies name whoever they are
// attached to.
func (s *statement) names(p *Principal, bounded bool) grant {
	if !s.hasPrincipal {
		return grantExact
	}
	best := grantNone
	for i := range s.principals {
		g := s.principals[i].match(p)
		if s.notPrincipal && g == grantRole && p.kind == roleSession {
			continue
		}
		best = max(best, g)
	}
	if !s.notPrincipal {
		return best
	}
	// IAM User Guide, "NotPrincipal": naming a role does not spare its sessions, which have to be named themselves or with
	// their account; and a Deny always hits a principal with a permissions boundary.
	if best != grantNone && (s.effect == Allow || !bounded) {
		return grantNone
	}
	return grantRole
}

// principalPattern is a compiled PrincipalRef.
type principalPattern struct {
	kind    principalPatternKind
	value   string // ARN, service or account
	name    string // role name
	account string
}

type principalPatternKind uint8

const (
	matchNobody principalPatternKind = iota // canonical users and deleted principals
	matchEveryone
	matchAccount
	matchRole
	matchExact
	matchService
	matchFederated
)

func compilePrincipals(refs []PrincipalRef) []principalPattern {
	out := make([]principalPattern, 0, len(refs))
	for _, ref := range refs {
		out = append(out, compilePrincipal(ref))
	}
	return out
}

func compilePrincipal(ref PrincipalRef) principalPattern {
	switch {
	case ref.Type == "*" || ref.Type == "AWS" && ref.Value == "*":
		return principalPattern{kind: matchEveryone}
	case ref.Type == "Service":
		return principalPattern{kind: matchService, value: ref.Value}
	case ref.Type == "Federated":
		return principalPattern{kind: matchFederated, value: ref.Value}
	case ref.Type != "AWS":
		return principalPattern{}
	case isAccountID(ref.Value):
		return principalPattern{kind: matchAccount, account: ref.Value}
	}
	p, err := NewPrincipal(ref.Value)
	switch {
	case err != nil:
		return principalPattern{}
	case p.kind == rootUser:
		return principalPattern{kind: matchAccount, account: p.account}
	case p.kind == iamRole:
		return principalPattern{kind: matchRole, value: p.arn, name: p.name, account: p.account}
	case p.ownsPolicies() && p.arn != "":
		return principalPattern{kind: matchExact, value: p.arn}
	default:
		return principalPattern{}
	}
}

func (m *principalPattern) match(p *Principal) grant {
	switch m.kind {
	case matchEveryone:
		return grantEveryone
	case matchAccount:
		return grantIf(p.account == m.account && p.ownsPolicies(), grantAccount)
	case matchRole:
		return m.matchRole(p)
	case matchExact:
		return grantIf(p.arn == m.value && p.ownsPolicies(), grantExact)
	case matchService:
		return grantIf(p.kind == servicePrincipal && p.arn == m.value, grantExact)
	case matchFederated:
		return grantIf(p.kind == federatedProvider && p.arn == m.value, grantExact)
	default:
		return grantNone
	}
}

func (m *principalPattern) matchRole(p *Principal) grant {
	switch {
	case p.role != "":
		return grantIf(p.role == m.value, grantRole)
	case p.kind == roleSession:
		return grantIf(p.account == m.account && p.name == m.name, grantRole)
	default:
		return grantNone
	}
}

func grantIf(ok bool, g grant) grant {
	if ok {
		return g
	}
	return grantNone
}

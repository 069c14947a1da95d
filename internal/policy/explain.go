package policy

import "fmt"

// Explanation says how a request was decided.
type Explanation struct {
	Decision   Decision          `json:"decision"`
	Layer      Layer             `json:"layer"`
	Reason     string            `json:"reason"`
	Statements []StatementReport `json:"statements"` // every statement of every layer that was asked
}

// Matched returns the statements that matched.
func (x *Explanation) Matched() []StatementReport {
	var out []StatementReport
	for i := range x.Statements {
		if x.Statements[i].Matched {
			out = append(out, x.Statements[i])
		}
	}
	return out
}

// StatementReport is one statement seen against the request.
type StatementReport struct {
	Layer   Layer  `json:"layer"`
	Policy  int    `json:"policy"` // which document of the layer, from 0
	Path    string `json:"path"`   // JSON path in that document
	Sid     string `json:"sid,omitempty"`
	Effect  Effect `json:"effect"`
	Matched bool   `json:"matched"`
	// Failed is the first part that did not match: principal, action, resource or condition; "" for a match.
	Failed     string            `json:"failed,omitempty"`
	Why        string            `json:"why,omitempty"`
	Conditions []ConditionReport `json:"conditions,omitempty"`
}

// ConditionReport is one condition seen against the request. Conditions are reported even where another part failed.
type ConditionReport struct {
	Operator string   `json:"operator"`
	Key      string   `json:"key"`
	Wanted   []string `json:"wanted"`
	Present  bool     `json:"present"`
	Actual   []string `json:"actual,omitempty"`
	Matched  bool     `json:"matched"`
	Why      string   `json:"why,omitempty"`
}

// Explain answers a request as Decide does, tries every statement one by one, and says why. It allocates.
func (l Layers) Explain(req *Request) Explanation {
	var v verdicts
	var x Explanation
	if l.misplaced() {
		return Explanation{Layer: LayerResource, Reason: "the resource layer holds policies that name no principal: parse them as resource policies"}
	}
	if !isAction(req.Action) {
		return Explanation{Reason: fmt.Sprintf("%q is no action: write service:Operation", req.Action)}
	}
	l.Resource.explain(req, LayerResource, l.Boundary != nil, &v.resource, &x)
	if req.Principal.ownsPolicies() {
		l.Identity.explain(req, LayerIdentity, false, &v.identity, &x)
		l.Boundary.explain(req, LayerBoundary, false, &v.boundary, &x)
		l.Session.explain(req, LayerSession, false, &v.session, &x)
	}
	res := l.settle(req, &v)
	x.Decision, x.Layer, x.Reason = res.Decision, res.Layer, l.reason(req, &v, res)
	return x
}

// explain goes through all statements in order, without the trie.
func (s *Set) explain(req *Request, layer Layer, bounded bool, out *verdict, x *Explanation) {
	if s == nil {
		return
	}
	e := env{req: req, set: s}
	for i := range s.blocks {
		for j := range s.blocks[i].statements {
			st := &s.blocks[i].statements[j]
			r := st.report(&e, bounded)
			r.Layer = layer
			x.Statements = append(x.Statements, r)
			if !r.Matched {
				continue
			}
			if st.effect == Deny {
				if out.deny == nil {
					out.deny = st
				}
				continue
			}
			if g := st.names(&req.Principal, bounded); out.allow == nil || g > out.grant {
				out.allow, out.grant = st, g
			}
		}
	}
}

func (s *statement) report(e *env, bounded bool) StatementReport {
	r := StatementReport{Policy: s.doc, Path: s.src.Path, Sid: s.src.Sid, Effect: s.effect, Matched: true}
	fail := func(part, why string) {
		if r.Matched {
			r.Matched, r.Failed, r.Why = false, part, why
		}
	}
	if s.names(&e.req.Principal, bounded) == grantNone {
		fail("principal", fmt.Sprintf("%s is not covered by %s", e.req.Principal, elementName("Principal", s.notPrincipal)))
	}
	if !s.namesAction(e.req.Action) {
		fail("action", fmt.Sprintf("%s is not covered by %s", e.req.Action, elementName("Action", s.notActionFlag)))
	}
	if list := &e.set.resources[s.resources]; !list.match(e) {
		fail("resource", fmt.Sprintf("%s is not covered by %s", e.req.Resource, elementName("Resource", list.not)))
	}
	for i, n := range s.conditions {
		c := e.set.conditions[n].report(e, &s.src.Conditions[i])
		r.Conditions = append(r.Conditions, c)
		if !c.Matched {
			fail("condition", c.Operator+" "+c.Key+": "+c.Why)
		}
	}
	return r
}

func elementName(name string, not bool) string {
	if not {
		return "Not" + name
	}
	return name
}

// namesAction tries each pattern by itself.
func (s *statement) namesAction(action string) bool {
	for _, p := range s.actionGlobs {
		if globFold(p, action) {
			return !s.notActionFlag
		}
	}
	return s.notActionFlag
}

func (c *condition) report(e *env, src *Condition) ConditionReport {
	r := ConditionReport{Operator: src.Operator, Key: src.Key, Wanted: src.Values, Matched: c.match(e)}
	a := e.lookup(c.key)
	if a != nil {
		r.Present, r.Actual = true, a.values()
	}
	if r.Matched {
		return r
	}
	switch {
	case c.op.family == familyNull && r.Present:
		r.Why = "the request has the key"
	case !r.Present:
		r.Why = "the request does not have the key"
	case a.kind == attrList && c.op.set == one && c.op.family != familyNull:
		r.Why = "the key has several values: use ForAnyValue or ForAllValues"
	case c.op.negated:
		r.Why = fmt.Sprintf("the request has %q, which is excluded or rests on a variable without a value", r.Actual)
	default:
		r.Why = fmt.Sprintf("the request has %q", r.Actual)
	}
	return r
}

// reason puts the outcome into a sentence.
func (l Layers) reason(req *Request, v *verdicts, res Result) string {
	switch res.Decision {
	case ExplicitlyDenied:
		return fmt.Sprintf("a Deny statement of the %s policy matches: %s", res.Layer, label(res.Statement))
	case Allowed:
		return fmt.Sprintf("the %s policy allows it: %s", res.Layer, label(res.Statement))
	default:
		return l.missing(req, v, res.Layer)
	}
}

func (l Layers) missing(req *Request, v *verdicts, layer Layer) string {
	switch layer {
	case LayerIdentity:
		if v.resource.grant == grantAccount {
			return "the resource policy trusts the account, but no identity policy of the principal allows it"
		}
		return "no identity policy allows it"
	case LayerBoundary:
		return "the permissions boundary does not allow it"
	case LayerSession:
		return "the session policy does not allow it"
	default:
		switch {
		case !req.Principal.ownsPolicies():
			return "only a resource policy can allow this principal, and none does"
		case req.Resource.account == "":
			return "the account of the resource is unknown, so it counts as foreign, and no resource policy allows it"
		case !sameAccount(req):
			return "the resource is of another account, and no policy of the resource allows it"
		default:
			return "the resource's own policy has to allow the principal or its account, and does not"
		}
	}
}

func label(s *Statement) string {
	if s == nil {
		return ""
	}
	if s.Sid != "" {
		return s.Sid + " (" + s.Path + ")"
	}
	return s.Path
}

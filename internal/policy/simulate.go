package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// MaxSimulationBytes bounds what SimulateJSON reads.
const MaxSimulationBytes = 64 << 20

// Case is a request with the policies that bear on it, as a JSON document.
type Case struct {
	Name               string            `json:"name,omitempty"`
	Request            CaseRequest       `json:"request"`
	IdentityPolicies   []json.RawMessage `json:"identityPolicies,omitempty"`
	PermissionBoundary json.RawMessage   `json:"permissionBoundary,omitempty"`
	SessionPolicy      json.RawMessage   `json:"sessionPolicy,omitempty"`
	ResourcePolicy     json.RawMessage   `json:"resourcePolicy,omitempty"`
	TrustPolicy        json.RawMessage   `json:"trustPolicy,omitempty"` // in place of resourcePolicy, for sts:AssumeRole
	IgnoredContextKeys []string          `json:"ignoredContextKeys,omitempty"`
	Expected           *Decision         `json:"expected,omitempty"`
}

// CaseRequest is the request of a Case.
type CaseRequest struct {
	Principal        string                     `json:"principal"` // as NewPrincipal reads it
	Action           string                     `json:"action"`
	Resource         CaseResource               `json:"resource"`
	ContextVariables map[string]json.RawMessage `json:"contextVariables,omitempty"` // a string, number, boolean or list of strings
}

// CaseResource is the resource of a CaseRequest; in JSON also a bare ARN.
type CaseResource struct {
	Resource  string `json:"resource"`
	AccountID string `json:"accountId,omitempty"`
	// PolicyRequired overrides what NewResource finds out.
	PolicyRequired *bool `json:"policyRequired,omitempty"`
}

// UnmarshalJSON reads the object or a string.
func (r *CaseResource) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &r.Resource)
	}
	type plain CaseResource
	return json.Unmarshal(data, (*plain)(r))
}

// CaseResult is the outcome of one Case. Error is set, and Decision a denial, if the case could not be read.
type CaseResult struct {
	Index       int          `json:"index"`
	Name        string       `json:"name,omitempty"`
	Decision    Decision     `json:"decision"`
	Layer       Layer        `json:"layer"`
	Sid         string       `json:"sid,omitempty"`
	Statement   string       `json:"statement,omitempty"` // JSON path of the statement that settled it
	Expected    *Decision    `json:"expected,omitempty"`
	Agrees      *bool        `json:"agrees,omitempty"` // set where the case says what it expects
	Explanation *Explanation `json:"explanation,omitempty"`
	Error       string       `json:"error,omitempty"`
}

// SimulateJSON reads a Case, a list of them, or an object with a list under "cases", and decides each with Decide. A
// case that cannot be read carries its error; the error returned is about the input as a whole.
func SimulateJSON(r io.Reader) ([]CaseResult, error) { return simulate(r, false) }

// ExplainJSON is SimulateJSON with an Explanation for each case.
func ExplainJSON(r io.Reader) ([]CaseResult, error) { return simulate(r, true) }

func simulate(r io.Reader, explain bool) ([]CaseResult, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSimulationBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading cases: %w", err)
	}
	if len(data) > MaxSimulationBytes {
		return nil, fmt.Errorf("reading cases: more than %d bytes: split the file", MaxSimulationBytes)
	}
	raw, err := splitCases(data)
	if err != nil {
		return nil, err
	}
	results := make([]CaseResult, len(raw))
	for i, one := range raw {
		var c Case
		if err := json.Unmarshal(one, &c); err != nil {
			results[i] = CaseResult{Index: i, Error: fmt.Sprintf("reading case %d: %v", i, err)}
			continue
		}
		results[i] = c.run(explain)
		results[i].Index = i
	}
	return results, nil
}

// splitCases accepts the three shapes a file of cases has.
func splitCases(data []byte) ([]json.RawMessage, error) {
	trimmed := strings.TrimSpace(string(data))
	if strings.HasPrefix(trimmed, "[") {
		var list []json.RawMessage
		if err := json.Unmarshal(data, &list); err != nil {
			return nil, fmt.Errorf("reading a list of cases: %w", err)
		}
		return list, nil
	}
	var file struct {
		Cases   []json.RawMessage `json:"cases"`
		Request json.RawMessage   `json:"request"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("reading cases: %w", err)
	}
	switch {
	case file.Cases != nil:
		return file.Cases, nil
	case file.Request != nil:
		return []json.RawMessage{data}, nil
	default:
		return nil, errors.New(`reading cases: no "request" and no "cases": give one case, a list, or {"cases": [...]}`)
	}
}

func (c *Case) run(explain bool) CaseResult {
	out := CaseResult{Name: c.Name, Expected: c.Expected}
	layers, req, err := c.Load()
	if err != nil {
		out.Error = err.Error()
		return out
	}
	res := layers.Decide(req)
	out.Decision, out.Layer = res.Decision, res.Layer
	if res.Statement != nil {
		out.Sid, out.Statement = res.Statement.Sid, res.Statement.Path
	}
	if c.Expected != nil {
		agrees := *c.Expected == res.Decision
		out.Agrees = &agrees
	}
	if explain {
		e := layers.Explain(req)
		out.Explanation = &e
	}
	return out
}

// Load reads the case's request and compiles its policies.
func (c *Case) Load() (Layers, *Request, error) {
	req, err := c.request()
	if err != nil {
		return Layers{}, nil, err
	}
	layers, err := c.layers()
	return layers, req, err
}

func (c *Case) request() (*Request, error) {
	who, err := NewPrincipal(c.Request.Principal)
	if err != nil {
		return nil, fmt.Errorf("reading request.principal: %w", err)
	}
	if c.Request.Action == "" || c.Request.Resource.Resource == "" {
		return nil, errors.New(`reading request: action or resource is missing: give both, "*" for no particular resource`)
	}
	req := &Request{Principal: who, Action: c.Request.Action}
	req.Resource = NewResource(c.Request.Resource.Resource, c.Request.Resource.AccountID)
	if must := c.Request.Resource.PolicyRequired; must != nil {
		req.Resource.PolicyRequired = *must
	}
	keys := make([]string, 0, len(c.Request.ContextVariables))
	for k := range c.Request.ContextVariables {
		if !slices.ContainsFunc(c.IgnoredContextKeys, func(s string) bool { return strings.EqualFold(s, k) }) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		a, err := parseAttr(k, c.Request.ContextVariables[k])
		if err != nil {
			return nil, fmt.Errorf("reading request.contextVariables[%q]: %w", k, err)
		}
		req.Context = append(req.Context, a)
	}
	return req, nil
}

func parseAttr(key string, raw json.RawMessage) (Attr, error) {
	var list []string
	if err := json.Unmarshal(raw, &list); err == nil && list != nil {
		return Strings(key, list...), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err == nil && string(raw) != "null" {
		if slices.Contains(multiValued, strings.ToLower(key)) {
			return Strings(key, text), nil // a list of one, however it is written
		}
		return String(key, text), nil
	}
	s := string(raw)
	if s == "true" || s == "false" {
		return Bool(key, s == "true"), nil
	}
	if _, ok := parseNumber(s); ok {
		return String(key, s), nil
	}
	return Attr{}, fmt.Errorf("%s is no value: use a string, number, boolean or list of strings", s)
}

func (c *Case) layers() (Layers, error) {
	var l Layers
	if len(c.TrustPolicy) > 0 && len(c.ResourcePolicy) > 0 {
		return l, errors.New("reading policies: both resourcePolicy and trustPolicy: keep one")
	}
	identity := make([][]byte, len(c.IdentityPolicies))
	for i, p := range c.IdentityPolicies {
		identity[i] = p
	}
	var err error
	if l.Identity, err = Load(KindIdentity, identity...); err != nil {
		return l, err
	}
	for _, part := range []struct {
		raw  json.RawMessage
		kind Kind
		set  **Set
	}{
		{c.PermissionBoundary, KindBoundary, &l.Boundary},
		{c.SessionPolicy, KindSession, &l.Session},
		{c.ResourcePolicy, KindResource, &l.Resource},
		{c.TrustPolicy, KindTrust, &l.Resource},
	} {
		if len(part.raw) == 0 || string(part.raw) == "null" {
			continue
		}
		if *part.set, err = Load(part.kind, part.raw); err != nil {
			return l, err
		}
	}
	return l, nil
}

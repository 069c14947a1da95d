package policy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tandemcc/tandem/internal/policy"
)

type object = map[string]any

// pick draws one to three of a few texts, as a bare string or a list.
func pick(t *rapid.T, label string, from ...string) any {
	list := rapid.SliceOfN(rapid.SampledFrom(from), 1, 3).Draw(t, label)
	if len(list) == 1 && rapid.Bool().Draw(t, label+" bare") {
		return list[0]
	}
	return list
}

func drawCondition(t *rapid.T) object {
	operators := []string{
		"StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase",
		"NumericLessThan", "NumericNotEquals", "DateGreaterThan", "Bool", "IpAddress", "NotIpAddress", "ArnLike", "ArnNotEquals", "Null", "BinaryEquals",
	}
	values := map[string][]string{
		"Nu": {"1", "300", "-2.5"}, "Da": {"2026-01-01", "2026-06-01T00:00:00Z"}, "Bo": {"true", "false"}, "NU": {"true", "false"},
		"Ip": {"10.0.0.0/8", "192.0.2.1", "2001:db8::/32"}, "No": {"10.0.0.0/8", "192.0.2.1"}, "Ar": {"arn:aws:sns:*:1:t*", "arn:aws:sns:eu:1:topic", "*"},
		"Bi": {"YWI=", "eA=="}, "St": {"x", "X", "a*", "?", "${aws:username}", "${aws:PrincipalTag/q, 'x'}", "*", ""},
	}
	out := object{}
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		op := rapid.SampledFrom(operators).Draw(t, "operator")
		family := op[:2]
		if op == "Null" {
			family = "NU"
		} else {
			op = rapid.SampledFrom([]string{"", "ForAnyValue:", "ForAllValues:"}).Draw(t, "set") + op + rapid.SampledFrom([]string{"", "IfExists"}).Draw(t, "suffix")
		}
		key := rapid.SampledFrom([]string{"aws:q", "aws:Many", "aws:username", "aws:PrincipalArn", "aws:PrincipalTag/q"}).Draw(t, "key")
		out[op] = object{key: pick(t, "values", values[family]...)}
	}
	return out
}

func drawPolicy(t *rapid.T, kind policy.Kind) []byte {
	var statements []object
	for range rapid.IntRange(1, 4).Draw(t, "statements") {
		s := object{"Effect": rapid.SampledFrom([]string{"Allow", "Allow", "Deny"}).Draw(t, "effect"), "Condition": drawCondition(t)}
		s[rapid.SampledFrom([]string{"Action", "Action", "NotAction"}).Draw(t, "action element")] = pick(t, "action", "sqs:SendMessage", "sqs:send*", "s?s:*e", "*", "kms:Decrypt", "sqs:Receive*")
		s[rapid.SampledFrom([]string{"Resource", "Resource", "NotResource"}).Draw(t, "resource element")] = pick(t, "resource", "*", queue, "arn:aws:sqs:*:*:d*", key, "arn:aws:kms:*", "arn:aws:sqs:*:*:${aws:username}")
		if kind == policy.KindResource {
			s[rapid.SampledFrom([]string{"Principal", "Principal", "NotPrincipal"}).Draw(t, "principal element")] = object{
				"AWS":     pick(t, "aws", "*", "111122223333", "arn:aws:iam::444455556666:root", ownRole, ownUser, session, foreign),
				"Service": pick(t, "service", service, "sqs.amazonaws.com"),
			}
		}
		statements = append(statements, s)
	}
	data, err := json.Marshal(object{"Version": rapid.SampledFrom([]string{policy.Version2008, policy.Version2012}).Draw(t, "version"), "Statement": statements})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func drawLayers(t *rapid.T) policy.Layers {
	load := func(label string, kind policy.Kind) *policy.Set {
		n := rapid.IntRange(0, 2).Draw(t, label)
		if n == 0 {
			return nil
		}
		docs := make([][]byte, n)
		for i := range docs {
			docs[i] = drawPolicy(t, kind)
		}
		set, err := policy.Load(kind, docs...)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	return policy.Layers{
		Identity: load("identity", policy.KindIdentity), Boundary: load("boundary", policy.KindBoundary),
		Session: load("session", policy.KindSession), Resource: load("resource", policy.KindResource),
	}
}

func drawRequest(t *rapid.T) *policy.Request {
	who, err := policy.NewPrincipal(rapid.SampledFrom([]string{ownRole, ownUser, session, foreign, service, "*"}).Draw(t, "principal"))
	if err != nil {
		t.Fatal(err)
	}
	req := &policy.Request{
		Principal: who, Action: rapid.SampledFrom([]string{"sqs:SendMessage", "SQS:sendmessage", "kms:Decrypt", "sqs:Purge"}).Draw(t, "action"),
		Resource: policy.NewResource(rapid.SampledFrom([]string{queue, key, "*", "arn:aws:s3:::b/k"}).Draw(t, "resource"), ""),
	}
	if rapid.Bool().Draw(t, "has q") {
		req.Context = append(req.Context, policy.String("aws:Q", rapid.SampledFrom([]string{"x", "", "1", "true", "10.1.1.1", "2026-03-01", "arn:aws:sns:eu:1:topic", "YWI="}).Draw(t, "q")))
	}
	if rapid.Bool().Draw(t, "has many") {
		req.Context = append(req.Context, policy.Strings("aws:many", rapid.SliceOfN(rapid.SampledFrom([]string{"x", "a1", "300", "10.0.0.1"}), 0, 3).Draw(t, "many")...))
	}
	if rapid.Bool().Draw(t, "has username") {
		req.Context = append(req.Context, policy.String("aws:username", rapid.SampledFrom([]string{"x", "dlq", "*"}).Draw(t, "username")))
	}
	return req
}

// TestPropertyDecideEqualsExplain checks the fast path against the slow one.
func TestPropertyDecideEqualsExplain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		layers, req := drawLayers(t), drawRequest(t)
		fast, slow := layers.Decide(req), layers.Explain(req)
		if fast.Decision != slow.Decision || fast.Layer != slow.Layer {
			t.Fatalf("Decide %v by %v, Explain %v by %v (%s)", fast.Decision, fast.Layer, slow.Decision, slow.Layer, slow.Reason)
		}
		if slow.Reason == "" {
			t.Fatal("no reason")
		}
		settles := fast.Statement == nil
		for _, s := range slow.Statements {
			if s.Matched != (s.Failed == "") || s.Matched != (s.Why == "") {
				t.Fatalf("report %+v contradicts itself", s)
			}
			settles = settles || s.Matched && s.Layer == fast.Layer && s.Path == fast.Statement.Path
		}
		if !settles {
			t.Fatalf("Decide rests on %+v, which Explain does not report as matched", fast.Statement)
		}
	})
}

// TestPropertyDenyWins checks that adding a Deny for everything always ends in an explicit denial, and that adding an
// Allow never takes a permission away.
func TestPropertyDenyWins(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		layers, req := drawLayers(t), drawRequest(t)
		before := layers.Decide(req)
		deny, err := policy.Load(policy.KindResource, []byte(strings.Replace(grantTo(`"*"`), "Allow", "Deny", 1)))
		if err != nil {
			t.Fatal(err)
		}
		denied := layers
		denied.Resource = deny
		if got := denied.Decide(req); got.Decision != policy.ExplicitlyDenied {
			t.Fatalf("denied for all, yet %v", got.Decision)
		}
		more := []*policy.Document{}
		if layers.Identity != nil {
			more = layers.Identity.Documents()
		}
		doc, err := policy.Parse([]byte(allowAll), policy.KindIdentity)
		if err != nil {
			t.Fatal(err)
		}
		if layers.Identity, err = policy.Compile(append(more, doc)...); err != nil {
			t.Fatal(err)
		}
		if after := layers.Decide(req); before.Allowed() && !after.Allowed() {
			t.Fatalf("an Allow took it away: %v by %v", after.Decision, after.Layer)
		}
	})
}

package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/policy"
)

func TestParse(t *testing.T) {
	t.Parallel()
	doc, err := policy.Parse([]byte("\ufeff"+`{"Version":"2012-10-17","Id":"p","Statement":{"Sid":"A","Effect":"Allow","Principal":{"AWS":["111122223333","*"],"Service":"sqs.amazonaws.com"},
		"Action":"sqs:*","NotResource":["arn:aws:sqs:*:*:q"],"Condition":{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"aws:MultiFactorAuthAge":[300,"400"]}}}}`),
		policy.KindResource)
	if err != nil {
		t.Fatal(err)
	}
	s := doc.Statements[0]
	want := []policy.PrincipalRef{{Type: "AWS", Value: "111122223333"}, {Type: "AWS", Value: "*"}, {Type: "Service", Value: "sqs.amazonaws.com"}}
	if diff := cmp.Diff(want, s.Principal); diff != "" {
		t.Error(diff)
	}
	if s.Sid != "A" || s.Effect != policy.Allow || s.Path != "$.Statement" || s.NotResource[0] != "arn:aws:sqs:*:*:q" || doc.ID != "p" {
		t.Errorf("read %+v", s)
	}
	if diff := cmp.Diff([]string{"300", "400"}, s.Conditions[1].Values); diff != "" || s.Conditions[0].Values[0] != "true" {
		t.Error(diff, s.Conditions[0].Values)
	}
}

// TestParseRefuses names for each fault the path and the rule; every problem must say what to do.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	statement := func(body string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"},{` + body + `}]}`
	}
	condition := func(body string) string {
		return statement(`"Effect":"Allow","Action":"*","Resource":"*","Condition":` + body)
	}
	const ok = `"Effect":"Allow","Action":"*","Resource":"*"`
	cases := []struct {
		name, doc string
		kind      policy.Kind
		path      string
		rule      string
	}{
		{"not JSON", `{"Statement":`, policy.KindIdentity, "$.Statement", "syntax"},
		{"bad JSON", `{"Statement" [}`, policy.KindIdentity, "$.Statement", "syntax"},
		{"empty", ``, policy.KindIdentity, "$", "syntax"},
		{"two documents", statement(ok) + `{}`, policy.KindIdentity, "$", "syntax"},
		{"not UTF-8", "{\"Id\":\"\xff\"}", policy.KindIdentity, "$", "syntax"},
		{"a list", `[]`, policy.KindIdentity, "$", "type"},
		{"too deep", strings.Repeat("[", 20), policy.KindIdentity, "$" + strings.Repeat("[0]", 13), "depth"},
		{"too large", `{"Id":"` + strings.Repeat("x", policy.MaxDocumentBytes) + `"}`, policy.KindIdentity, "$", "size"},
		{"string too long", `{"Id":"` + strings.Repeat("x", policy.MaxStringBytes+1) + `"}`, policy.KindIdentity, "$.Id", "size"},
		{"too many statements", `{"Statement":[` + strings.Repeat(`{`+ok+`},`, policy.MaxStatements) + `{` + ok + `}]}`, policy.KindIdentity, "$.Statement", "size"},
		{"unknown element", `{"Statements":[]}`, policy.KindIdentity, "$.Statements", "unknown-element"},
		{"unknown element of a statement", statement(ok + `,"Actions":"*"`), policy.KindIdentity, "$.Statement[1].Actions", "unknown-element"},
		{"duplicate name", statement(ok + `,"Effect":"Deny"`), policy.KindIdentity, "$.Statement[1].Effect", "duplicate-element"},
		{"duplicate Sid", `{"Version":"2012-10-17","Statement":[{"Sid":"a",` + ok + `},{"Sid":"a",` + ok + `}]}`, policy.KindIdentity, "$.Statement[1].Sid", "duplicate-sid"},
		{"unknown version", `{"Version":"2015-01-01","Statement":[{` + ok + `}]}`, policy.KindIdentity, "$.Version", "version"},
		{"number as version", `{"Version":2012,"Statement":[{` + ok + `}]}`, policy.KindIdentity, "$.Version", "version"},
		{"date as version", `{"Version":"2012-10-17T00:00:00Z","Statement":[{` + ok + `}]}`, policy.KindIdentity, "$.Version", "version-yaml-date"},
		{"no statement", `{"Version":"2012-10-17"}`, policy.KindIdentity, "$", "missing-element"},
		{"empty statements", `{"Statement":[]}`, policy.KindIdentity, "$.Statement", "empty-list"},
		{"statement is text", `{"Statement":["x"]}`, policy.KindIdentity, "$.Statement[0]", "type"},
		{"no effect", statement(`"Action":"*","Resource":"*"`), policy.KindIdentity, "$.Statement[1]", "missing-element"},
		{"unknown effect", statement(`"Effect":"allow","Action":"*","Resource":"*"`), policy.KindIdentity, "$.Statement[1].Effect", "effect"},
		{"both actions", statement(ok + `,"NotAction":"a:b"`), policy.KindIdentity, "$.Statement[1]", "both-elements"},
		{"no action", statement(`"Effect":"Deny","Resource":"*"`), policy.KindIdentity, "$.Statement[1]", "missing-element"},
		{"both resources", statement(ok + `,"NotResource":"*"`), policy.KindIdentity, "$.Statement[1]", "both-elements"},
		{"no resource", statement(`"Effect":"Deny","Action":"*"`), policy.KindIdentity, "$.Statement[1]", "missing-element"},
		{"empty actions", statement(`"Effect":"Deny","Action":[],"Resource":"*"`), policy.KindIdentity, "$.Statement[1].Action", "empty-list"},
		{"action is a number", statement(`"Effect":"Deny","Action":["a:b",1],"Resource":"*"`), policy.KindIdentity, "$.Statement[1].Action[1]", "type"},
		{"action is null", statement(`"Effect":"Deny","Action":null,"Resource":"*"`), policy.KindIdentity, "$.Statement[1].Action", "type"},
		{"action without service", statement(`"Effect":"Deny","Action":"GetObject","Resource":"*"`), policy.KindIdentity, "$.Statement[1].Action", "action"},
		{"action with variable", statement(`"Effect":"Deny","Action":"s3:${aws:username}","Resource":"*"`), policy.KindIdentity, "$.Statement[1].Action", "action"},
		{"resource is no ARN", statement(`"Effect":"Deny","Action":"*","Resource":["*","bucket/x"]`), policy.KindIdentity, "$.Statement[1].Resource[1]", "resource"},
		{"open variable", statement(`"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::${aws:username"`), policy.KindIdentity, "$.Statement[1].Resource", "variable"},
		{"variable without a name", condition(`{"StringEquals":{"aws:q":"${}"}}`), policy.KindIdentity, `$.Statement[1].Condition.StringEquals["aws:q"]`, "variable"},
		{"default without quotes", condition(`{"StringEquals":{"aws:q":"${aws:x, y}"}}`), policy.KindIdentity, `$.Statement[1].Condition.StringEquals["aws:q"]`, "variable"},
		{"principal in an identity policy", statement(ok + `,"Principal":"*"`), policy.KindIdentity, "$.Statement[1]", "forbidden-element"},
		{"no principal in a resource policy", `{"Statement":[{` + ok + `}]}`, policy.KindResource, "$.Statement[0]", "missing-element"},
		{"resource in a trust policy", `{"Statement":[{"Principal":"*",` + ok + `}]}`, policy.KindTrust, "$.Statement[0]", "forbidden-element"},
		{"principal is text", `{"Statement":[{"Principal":"111122223333",` + ok + `}]}`, policy.KindResource, "$.Statement[0].Principal", "principal"},
		{"principal with a wildcard", `{"Statement":[{"Principal":{"AWS":"arn:aws:iam::111122223333:role/*"},` + ok + `}]}`, policy.KindResource, "$.Statement[0].Principal.AWS", "principal"},
		{"principal of an unknown type", `{"Statement":[{"Principal":{"Aws":"*"},` + ok + `}]}`, policy.KindResource, "$.Statement[0].Principal.Aws", "unknown-element"},
		{"service with a wildcard", `{"Statement":[{"Principal":{"Service":["*"]},` + ok + `}]}`, policy.KindResource, "$.Statement[0].Principal.Service[0]", "principal"},
		{"empty principal", `{"Statement":[{"Principal":{},` + ok + `}]}`, policy.KindResource, "$.Statement[0].Principal", "empty-list"},
		{"condition is a list", condition(`[]`), policy.KindIdentity, "$.Statement[1].Condition", "type"},
		{"unknown operator", condition(`{"StringEqual":{"aws:q":"x"}}`), policy.KindIdentity, "$.Statement[1].Condition.StringEqual", "unknown-operator"},
		{"unknown prefix", condition(`{"ForSome:StringEquals":{"aws:q":"x"}}`), policy.KindIdentity, `$.Statement[1].Condition["ForSome:StringEquals"]`, "unknown-operator"},
		{"NullIfExists", condition(`{"NullIfExists":{"aws:q":"true"}}`), policy.KindIdentity, "$.Statement[1].Condition.NullIfExists", "unknown-operator"},
		{"empty operator", condition(`{"StringEquals":{}}`), policy.KindIdentity, "$.Statement[1].Condition.StringEquals", "empty-list"},
		{"key without service", condition(`{"StringEquals":{"q":"x"}}`), policy.KindIdentity, "$.Statement[1].Condition.StringEquals.q", "condition-key"},
		{"no values", condition(`{"StringEquals":{"aws:q":[]}}`), policy.KindIdentity, `$.Statement[1].Condition.StringEquals["aws:q"]`, "empty-list"},
		{"object as value", condition(`{"StringEquals":{"aws:q":{}}}`), policy.KindIdentity, `$.Statement[1].Condition.StringEquals["aws:q"]`, "type"},
		{"no number", condition(`{"NumericEquals":{"aws:q":"many"}}`), policy.KindIdentity, `$.Statement[1].Condition.NumericEquals["aws:q"]`, "value-type"},
		{"no date", condition(`{"DateEquals":{"aws:q":"yesterday"}}`), policy.KindIdentity, `$.Statement[1].Condition.DateEquals["aws:q"]`, "value-type"},
		{"no truth value", condition(`{"Bool":{"aws:q":"yes"}}`), policy.KindIdentity, `$.Statement[1].Condition.Bool["aws:q"]`, "value-type"},
		{"no truth value for Null", condition(`{"Null":{"aws:q":["true","no"]}}`), policy.KindIdentity, `$.Statement[1].Condition.Null["aws:q"][1]`, "value-type"},
		{"no address", condition(`{"IpAddress":{"aws:q":"10.0.0.0/99"}}`), policy.KindIdentity, `$.Statement[1].Condition.IpAddress["aws:q"]`, "value-type"},
		{"no base64", condition(`{"BinaryEquals":{"aws:q":"?"}}`), policy.KindIdentity, `$.Statement[1].Condition.BinaryEquals["aws:q"]`, "value-type"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := policy.Parse([]byte(c.doc), c.kind)
			var pe *policy.ParseError
			if !errors.As(err, &pe) {
				t.Fatalf("got %v, want a ParseError", err)
			}
			found := false
			for _, p := range pe.Problems {
				found = found || p.Path == c.path && p.Rule == c.rule
				if p.Fix == "" || p.Message == "" {
					t.Errorf("%+v does not say what to do", p)
				}
			}
			if !found {
				t.Errorf("got %v, want rule %s at %s", err, c.rule, c.path)
			}
		})
	}
}

func TestParseReportsEveryFaultUpToALimit(t *testing.T) {
	t.Parallel()
	_, err := policy.Parse([]byte(`{"Statement":[`+strings.Repeat(`{},`, 99)+`{}]}`), policy.KindIdentity)
	var pe *policy.ParseError
	if !errors.As(err, &pe) || len(pe.Problems) != 50 {
		t.Errorf("got %v", err)
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	identity, err := policy.Parse([]byte(allowAll), policy.KindIdentity)
	if err != nil {
		t.Fatal(err)
	}
	boundary, err := policy.Parse([]byte(allowAll), policy.KindBoundary)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policy.Compile(identity, boundary); err == nil {
		t.Error("compiled an identity policy with a boundary")
	}
	if _, err := policy.Compile(nil); err == nil {
		t.Error("compiled nil")
	}
	if _, err := policy.Compile(&policy.Document{Kind: policy.KindResource, Statements: []policy.Statement{{Effect: policy.Allow, Action: []string{"*"}, Resource: []string{"*"}}}}); err == nil {
		t.Error("compiled a resource policy without principals")
	}
	set, err := policy.Compile(identity)
	if err != nil {
		t.Fatal(err)
	}
	misplaced := policy.Layers{Resource: set}
	if misplaced.Validate() == nil {
		t.Error("an identity policy stands as a resource policy")
	}
	if misplaced.Decide(&policy.Request{Action: "s3:GetObject", Resource: policy.NewResource(queue, "")}).Allowed() {
		t.Error("an identity policy in the resource layer allowed the anonymous")
	}
}

func TestLayersWithoutPoliciesDeny(t *testing.T) {
	t.Parallel()
	empty, err := policy.Compile()
	if err != nil {
		t.Fatal(err)
	}
	role, err := policy.Load(policy.KindIdentity, []byte(allowAll))
	if err != nil {
		t.Fatal(err)
	}
	who, err := policy.NewPrincipal(ownRole)
	if err != nil {
		t.Fatal(err)
	}
	req := &policy.Request{Principal: who, Action: "sqs:SendMessage", Resource: policy.NewResource(queue, "")}
	if got := (policy.Layers{Identity: role, Boundary: empty}).Decide(req); got.Allowed() || got.Layer != policy.LayerBoundary {
		t.Errorf("an empty boundary gave %+v", got)
	}
	if !(policy.Layers{Identity: role}).Decide(req).Allowed() {
		t.Error("no boundary limits nothing")
	}
	if (policy.Layers{}).Decide(&policy.Request{}).Allowed() {
		t.Error("nothing allowed something")
	}
}

// TestManyStatements goes over the size of one block of statements, of the remembered keys and of the remembered conditions.
func TestManyStatements(t *testing.T) {
	t.Parallel()
	statements := make([]string, 0, 201)
	for i := range 200 {
		statements = append(statements, fmt.Sprintf(`{"Sid":"S%d","Effect":"Allow","Action":"svc:Do%d*","Resource":"arn:aws:svc:*:*:thing/%d","Condition":{"StringEquals":{"svc:K%d":"v%d"}}}`, i, i, i, i, i))
	}
	statements = append(statements, `{"Sid":"No","Effect":"Deny","Action":"svc:Do150x","Resource":"*","Condition":{"StringEquals":{"svc:k150":"v150"}}}`)
	set, err := policy.Load(policy.KindIdentity, []byte(`{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	who, err := policy.NewPrincipal(ownRole)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		req := &policy.Request{
			Principal: who, Action: fmt.Sprintf("svc:do%d", i), Resource: policy.NewResource(fmt.Sprintf("arn:aws:svc:eu:111122223333:thing/%d", i), ""),
			Context: policy.Context{policy.String(fmt.Sprintf("SVC:k%d", i), fmt.Sprintf("v%d", i))},
		}
		got := policy.Layers{Identity: set}.Decide(req)
		if !got.Allowed() || got.Statement.Sid != fmt.Sprintf("S%d", i) {
			t.Fatalf("statement %d: %+v", i, got)
		}
		req.Action += "x"
		if got := (policy.Layers{Identity: set}).Decide(req); (got.Decision == policy.ExplicitlyDenied) != (i == 150) {
			t.Errorf("statement %d with x: %v", i, got.Decision)
		}
	}
}

func TestPrincipals(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "*", ownUser, ownRole, session, "arn:aws:sts::111122223333:federated-user/bob", "arn:aws:iam::111122223333:root",
		"connect.amazonaws.com", "federated:accounts.google.com", "arn:aws:iam::111122223333:oidc-provider/x.org", "arn:aws-cn:iam::111122223333:role/a/b/c",
	} {
		if _, err := policy.NewPrincipal(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{
		"bob", "arn:aws:iam::1:user/x", "arn:aws:iam::111122223333:user/", "arn:aws:iam::111122223333:group/x", "arn:aws:sts::111122223333:assumed-role/x",
		"arn:aws:s3:::b", "Connect.amazonaws.com", "arn:aws:iam",
	} {
		if p, err := policy.NewPrincipal(s); err == nil {
			t.Errorf("%q was read as %v", s, p)
		}
	}
	if _, err := policy.NewSession(ownUser, "x"); err == nil {
		t.Error("a user has no sessions")
	}
	p, err := policy.NewSession(ownRole, "node-1")
	if err != nil || p.String() != session || p.Account() != "111122223333" {
		t.Errorf("session %v, %v", p, err)
	}
	// The full ARN tells roles of the same name apart.
	set, err := policy.Load(policy.KindResource, []byte(grantTo(`{"AWS":"arn:aws:iam::111122223333:role/elsewhere/lens"}`)))
	if err != nil {
		t.Fatal(err)
	}
	req := &policy.Request{Principal: p, Action: "sqs:SendMessage", Resource: policy.NewResource(queue, "")}
	if (policy.Layers{Resource: set}).Decide(req).Allowed() {
		t.Error("a role of another path matched")
	}
}

package policy_test

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/policy"
)

const (
	ownRole  = "arn:aws:iam::111122223333:role/svc/lens"
	ownUser  = "arn:aws:iam::111122223333:user/elinor"
	session  = "arn:aws:sts::111122223333:assumed-role/lens/node-1"
	foreign  = "arn:aws:iam::444455556666:role/other"
	queue    = "arn:aws:sqs:us-east-1:111122223333:dlq"
	key      = "arn:aws:kms:us-east-1:111122223333:key/1234abcd"
	service  = "profile.amazonaws.com"
	allowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	allowSQS = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"*"}}`
	allowKMS = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}`
	allowS3  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`
)

// grantTo is a resource policy that allows everything to a principal element.
func grantTo(principal string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":` + principal + `,"Action":"*","Resource":"*"}}`
}

func trustTo(principal, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"` + condition + `}}`
}

type decideCase struct {
	name                                        string
	principal, action, resource, account        string
	identity, boundary, session, resourcePolicy string
	trust                                       string
	context                                     policy.Context
	want                                        policy.Decision
	layer                                       policy.Layer
}

func (c *decideCase) load(t *testing.T) (policy.Layers, *policy.Request) {
	t.Helper()
	who, err := policy.NewPrincipal(c.principal)
	if err != nil {
		t.Fatal(err)
	}
	set := func(kind policy.Kind, doc string) *policy.Set {
		if doc == "" {
			return nil
		}
		s, err := policy.Load(kind, []byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	l := policy.Layers{
		Identity: set(policy.KindIdentity, c.identity), Boundary: set(policy.KindBoundary, c.boundary),
		Session: set(policy.KindSession, c.session), Resource: set(policy.KindResource, c.resourcePolicy),
	}
	if c.trust != "" {
		l.Resource = set(policy.KindTrust, c.trust)
	}
	if err := l.Validate(); err != nil {
		t.Fatal(err)
	}
	return l, &policy.Request{Principal: who, Action: c.action, Resource: policy.NewResource(c.resource, c.account), Context: c.context}
}

func runDecide(t *testing.T, cases []decideCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			layers, req := c.load(t)
			got := layers.Decide(req)
			x := layers.Explain(req)
			if got.Decision != c.want || got.Layer != c.layer {
				t.Errorf("got %v by %v (%s), want %v by %v", got.Decision, got.Layer, x.Reason, c.want, c.layer)
			}
			if x.Decision != got.Decision || x.Layer != got.Layer {
				t.Errorf("Explain says %v by %v, Decide %v by %v", x.Decision, x.Layer, got.Decision, got.Layer)
			}
		})
	}
}

func TestDecideSameAccountGrants(t *testing.T) {
	t.Parallel()
	sqs := func(c decideCase) decideCase {
		c.action, c.resource = "sqs:SendMessage", queue
		return c
	}
	runDecide(t, []decideCase{
		sqs(decideCase{name: "identity policy suffices", principal: ownRole, identity: allowSQS, want: policy.Allowed, layer: policy.LayerIdentity}),
		sqs(decideCase{name: "resource policy suffices", principal: ownRole, resourcePolicy: grantTo(`{"AWS":"` + ownRole + `"}`), want: policy.Allowed, layer: policy.LayerResource}),
		sqs(decideCase{name: "account root in the resource policy needs IAM too", principal: ownRole, resourcePolicy: grantTo(`{"AWS":"arn:aws:iam::111122223333:root"}`), want: policy.ImplicitlyDenied, layer: policy.LayerIdentity}),
		sqs(decideCase{name: "account id is the account root", principal: ownRole, identity: allowSQS, resourcePolicy: grantTo(`{"AWS":"111122223333"}`), want: policy.Allowed, layer: policy.LayerIdentity}),
		sqs(decideCase{name: "boundary limits the identity policy", principal: ownRole, identity: allowSQS, boundary: allowS3, want: policy.ImplicitlyDenied, layer: policy.LayerBoundary}),
		sqs(decideCase{name: "boundary grants nothing", principal: ownRole, boundary: allowAll, want: policy.ImplicitlyDenied, layer: policy.LayerIdentity}),
		sqs(decideCase{name: "grant to a role ARN is within the boundary", principal: ownRole, boundary: allowS3, resourcePolicy: grantTo(`{"AWS":"` + ownRole + `"}`), want: policy.ImplicitlyDenied, layer: policy.LayerBoundary}),
		sqs(decideCase{name: "grant to a user ARN bypasses the boundary", principal: ownUser, boundary: allowS3, resourcePolicy: grantTo(`{"AWS":"` + ownUser + `"}`), want: policy.Allowed, layer: policy.LayerResource}),
		sqs(decideCase{name: "grant to a session ARN bypasses boundary and session policy", principal: session, boundary: allowS3, session: allowS3, resourcePolicy: grantTo(`{"AWS":"` + session + `"}`), want: policy.Allowed, layer: policy.LayerResource}),
		sqs(decideCase{name: "grant to another session does not count", principal: session, resourcePolicy: grantTo(`{"AWS":"arn:aws:sts::111122223333:assumed-role/lens/node-2"}`), want: policy.ImplicitlyDenied, layer: policy.LayerIdentity}),
		sqs(decideCase{name: "grant to the role reaches its sessions", principal: session, resourcePolicy: grantTo(`{"AWS":"` + ownRole + `"}`), want: policy.Allowed, layer: policy.LayerResource}),
		sqs(decideCase{name: "grant to the role is within the session policy", principal: session, session: allowS3, resourcePolicy: grantTo(`{"AWS":"` + ownRole + `"}`), want: policy.ImplicitlyDenied, layer: policy.LayerSession}),
		sqs(decideCase{name: "grant to everyone bypasses the boundary", principal: ownRole, boundary: allowS3, resourcePolicy: grantTo(`"*"`), want: policy.Allowed, layer: policy.LayerResource}),
		sqs(decideCase{name: "role session under a session policy", principal: session, identity: allowAll, session: allowSQS, want: policy.Allowed, layer: policy.LayerIdentity}),
		sqs(decideCase{name: "session policy limits the role", principal: session, identity: allowSQS, session: allowS3, want: policy.ImplicitlyDenied, layer: policy.LayerSession}),
		sqs(decideCase{name: "session policy grants nothing", principal: session, session: allowAll, want: policy.ImplicitlyDenied, layer: policy.LayerIdentity}),
		sqs(decideCase{name: "deny in the session policy", principal: session, identity: allowAll, session: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"sqs:send*","Resource":"*"}]}`, want: policy.ExplicitlyDenied, layer: policy.LayerSession}),
		sqs(decideCase{name: "deny in the boundary beats a bypassing grant", principal: ownUser, boundary: `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`, resourcePolicy: grantTo(`{"AWS":"` + ownUser + `"}`), want: policy.ExplicitlyDenied, layer: policy.LayerBoundary}),
		sqs(decideCase{name: "nothing at all", principal: ownRole, want: policy.ImplicitlyDenied, layer: policy.LayerIdentity}),
	})
}

func TestDecideCrossAccount(t *testing.T) {
	t.Parallel()
	sqs := func(c decideCase) decideCase {
		c.action, c.resource, c.principal = "sqs:SendMessage", queue, foreign
		return c
	}
	runDecide(t, []decideCase{
		sqs(decideCase{name: "identity alone", identity: allowAll, want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
		sqs(decideCase{name: "resource alone", resourcePolicy: grantTo(`{"AWS":"` + foreign + `"}`), want: policy.ImplicitlyDenied, layer: policy.LayerIdentity}),
		sqs(decideCase{name: "both", identity: allowSQS, resourcePolicy: grantTo(`{"AWS":"` + foreign + `"}`), want: policy.Allowed, layer: policy.LayerIdentity}),
		sqs(decideCase{name: "account and identity", identity: allowSQS, resourcePolicy: grantTo(`{"AWS":"444455556666"}`), want: policy.Allowed, layer: policy.LayerIdentity}),
		sqs(decideCase{name: "both within no boundary", identity: allowSQS, boundary: allowS3, resourcePolicy: grantTo(`{"AWS":"` + foreign + `"}`), want: policy.ImplicitlyDenied, layer: policy.LayerBoundary}),
		sqs(decideCase{name: "everyone still needs identity", resourcePolicy: grantTo(`"*"`), want: policy.ImplicitlyDenied, layer: policy.LayerIdentity}),
		{name: "bucket without a known owner is foreign", principal: ownRole, action: "s3:GetObject", resource: "arn:aws:s3:::b/k", identity: allowAll, want: policy.ImplicitlyDenied, layer: policy.LayerResource},
		{name: "bucket of the own account", principal: ownRole, action: "s3:GetObject", resource: "arn:aws:s3:::b/k", account: "111122223333", identity: allowS3, want: policy.Allowed, layer: policy.LayerIdentity},
		{name: "no particular resource is the own account", principal: ownRole, action: "s3:ListAllMyBuckets", resource: "*", identity: allowS3, want: policy.Allowed, layer: policy.LayerIdentity},
	})
}

func TestDecideServicePrincipals(t *testing.T) {
	t.Parallel()
	bySource := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"profile.amazonaws.com"},"Action":"SQS:SendMessage",
		"Resource":"arn:aws:sqs:us-east-1:111122223333:dlq","Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"},
		"ArnLike":{"aws:SourceArn":"arn:aws:profile:*:111122223333:domains/*"}}}}`
	source := func(account, arn string) policy.Context {
		return policy.Context{policy.String("aws:SourceAccount", account), policy.String("aws:SourceArn", arn)}
	}
	sqs := func(c decideCase) decideCase {
		c.action, c.resource = "sqs:SendMessage", queue
		if c.principal == "" {
			c.principal = service
		}
		return c
	}
	runDecide(t, []decideCase{
		sqs(decideCase{name: "identity policies do not bear on services", identity: allowAll, want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
		sqs(decideCase{name: "resource policy names the service", resourcePolicy: grantTo(`{"Service":"profile.amazonaws.com"}`), want: policy.Allowed, layer: policy.LayerResource}),
		sqs(decideCase{name: "resource policy names another service", resourcePolicy: grantTo(`{"Service":"connect.amazonaws.com"}`), want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
		sqs(decideCase{name: "account root is not the service", resourcePolicy: grantTo(`{"AWS":"111122223333"}`), want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
		sqs(decideCase{name: "confused deputy: own source", resourcePolicy: bySource, context: source("111122223333", "arn:aws:profile:us-east-1:111122223333:domains/a"), want: policy.Allowed, layer: policy.LayerResource}),
		sqs(decideCase{name: "confused deputy: foreign account", resourcePolicy: bySource, context: source("444455556666", "arn:aws:profile:us-east-1:111122223333:domains/a"), want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
		sqs(decideCase{name: "confused deputy: foreign ARN", resourcePolicy: bySource, context: source("111122223333", "arn:aws:profile:us-east-1:444455556666:domains/a"), want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
		sqs(decideCase{name: "confused deputy: star does not cross a colon", resourcePolicy: bySource, context: source("111122223333", "arn:aws:profile:us:x:111122223333:domains/a"), want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
		sqs(decideCase{name: "confused deputy: no source at all", resourcePolicy: bySource, want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
		sqs(decideCase{name: "deny to all hits services", resourcePolicy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"profile.amazonaws.com"},"Action":"*","Resource":"*"},
			{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`, context: policy.Context{policy.Bool("aws:SecureTransport", false)}, want: policy.ExplicitlyDenied, layer: policy.LayerResource}),
		sqs(decideCase{name: "deny to all but services", resourcePolicy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"profile.amazonaws.com"},"Action":"*","Resource":"*"},
			{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"Bool":{"aws:PrincipalIsAWSService":"false"}}}]}`, want: policy.Allowed, layer: policy.LayerResource}),
		sqs(decideCase{name: "anonymous and a public queue", principal: "*", resourcePolicy: grantTo(`"*"`), want: policy.Allowed, layer: policy.LayerResource}),
		sqs(decideCase{name: "anonymous and a private queue", principal: "*", resourcePolicy: grantTo(`{"AWS":"111122223333"}`), want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
	})
}

func TestDecideKeyPolicies(t *testing.T) {
	t.Parallel()
	root := grantTo(`{"AWS":"arn:aws:iam::111122223333:root"}`)
	kms := func(c decideCase) decideCase {
		c.action, c.resource = "kms:Decrypt", key
		if c.principal == "" {
			c.principal = ownRole
		}
		return c
	}
	runDecide(t, []decideCase{
		kms(decideCase{name: "no key policy", identity: allowKMS, want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
		kms(decideCase{name: "key policy for someone else", identity: allowKMS, resourcePolicy: grantTo(`{"AWS":"` + ownUser + `"}`), want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
		kms(decideCase{name: "key policy opens to IAM", identity: allowKMS, resourcePolicy: root, want: policy.Allowed, layer: policy.LayerIdentity}),
		kms(decideCase{name: "key policy opens to IAM, IAM silent", resourcePolicy: root, want: policy.ImplicitlyDenied, layer: policy.LayerIdentity}),
		kms(decideCase{name: "key policy names the role", resourcePolicy: grantTo(`{"AWS":"` + ownRole + `"}`), want: policy.Allowed, layer: policy.LayerResource}),
		kms(decideCase{name: "key policy names the role, IAM allows too", identity: allowKMS, resourcePolicy: grantTo(`{"AWS":"` + ownRole + `"}`), want: policy.Allowed, layer: policy.LayerIdentity}),
		kms(decideCase{name: "foreign role named", principal: foreign, identity: allowKMS, resourcePolicy: grantTo(`{"AWS":"` + foreign + `"}`), want: policy.Allowed, layer: policy.LayerIdentity}),
		kms(decideCase{name: "foreign role, key open to own IAM only", principal: foreign, identity: allowKMS, resourcePolicy: root, want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
	})
}

func TestDecideTrust(t *testing.T) {
	t.Parallel()
	external := `{"StringEquals":{"sts:ExternalId":"s3cret"}}`
	sts := func(c decideCase) decideCase {
		c.resource = ownRole
		if c.action == "" {
			c.action = "sts:AssumeRole"
		}
		return c
	}
	runDecide(t, []decideCase{
		sts(decideCase{name: "service", principal: "lambda.amazonaws.com", trust: trustTo(`{"Service":"lambda.amazonaws.com"}`, ""), want: policy.Allowed, layer: policy.LayerResource}),
		sts(decideCase{name: "another service", principal: "ec2.amazonaws.com", trust: trustTo(`{"Service":"lambda.amazonaws.com"}`, ""), want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
		sts(decideCase{name: "IAM alone does not open a role", principal: ownUser, identity: allowAll, trust: trustTo(`{"Service":"lambda.amazonaws.com"}`, ""), want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
		sts(decideCase{name: "user named", principal: ownUser, trust: trustTo(`{"AWS":"`+ownUser+`"}`, ""), want: policy.Allowed, layer: policy.LayerResource}),
		sts(decideCase{name: "own account with IAM", principal: ownUser, identity: allowAll, trust: trustTo(`{"AWS":"111122223333"}`, ""), want: policy.Allowed, layer: policy.LayerIdentity}),
		sts(decideCase{name: "own account without IAM", principal: ownUser, trust: trustTo(`{"AWS":"111122223333"}`, ""), want: policy.ImplicitlyDenied, layer: policy.LayerIdentity}),
		sts(decideCase{name: "foreign with the ExternalId", principal: foreign, identity: allowAll, trust: trustTo(`{"AWS":"444455556666"}`, external), context: policy.Context{policy.String("sts:ExternalId", "s3cret")}, want: policy.Allowed, layer: policy.LayerIdentity}),
		sts(decideCase{name: "foreign with a wrong ExternalId", principal: foreign, identity: allowAll, trust: trustTo(`{"AWS":"444455556666"}`, external), context: policy.Context{policy.String("sts:ExternalId", "S3CRET")}, want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
		sts(decideCase{name: "foreign without ExternalId", principal: foreign, identity: allowAll, trust: trustTo(`{"AWS":"444455556666"}`, external), want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
		sts(decideCase{
			name: "SAML provider", action: "sts:AssumeRoleWithSAML", principal: "arn:aws:iam::111122223333:saml-provider/idp", trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:saml-provider/idp"},"Action":"sts:AssumeRoleWithSAML","Condition":{"StringEquals":{"SAML:aud":"https://signin.aws.amazon.com/saml"}}}}`,
			context: policy.Context{policy.String("saml:aud", "https://signin.aws.amazon.com/saml")}, want: policy.Allowed, layer: policy.LayerResource,
		}),
		sts(decideCase{name: "other action", action: "sts:TagSession", principal: ownUser, trust: trustTo(`{"AWS":"`+ownUser+`"}`, ""), identity: allowAll, want: policy.ImplicitlyDenied, layer: policy.LayerResource}),
	})
}

func TestDecideNotPrincipal(t *testing.T) {
	t.Parallel()
	denyBut := `{"Version":"2012-10-17","Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["` + ownRole + `","arn:aws:iam::111122223333:root"]},"Action":"*","Resource":"*"}}`
	allowBut := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotPrincipal":{"AWS":"` + ownRole + `"},"Action":"*","Resource":"*"}}`
	sqs := func(c decideCase) decideCase {
		c.action, c.resource = "sqs:SendMessage", queue
		return c
	}
	runDecide(t, []decideCase{
		sqs(decideCase{name: "listed role is spared", principal: ownRole, identity: allowSQS, resourcePolicy: denyBut, want: policy.Allowed, layer: policy.LayerIdentity}),
		sqs(decideCase{name: "listed role with a boundary is hit", principal: ownRole, identity: allowSQS, boundary: allowAll, resourcePolicy: denyBut, want: policy.ExplicitlyDenied, layer: policy.LayerResource}),
		sqs(decideCase{name: "session is spared with its account", principal: session, identity: allowSQS, resourcePolicy: denyBut, want: policy.Allowed, layer: policy.LayerIdentity}),
		sqs(decideCase{name: "session is not spared with its role alone", principal: session, identity: allowSQS, resourcePolicy: strings.Replace(denyBut, `,"arn:aws:iam::111122223333:root"`, "", 1), want: policy.ExplicitlyDenied, layer: policy.LayerResource}),
		sqs(decideCase{name: "foreigner is hit", principal: foreign, identity: allowSQS, resourcePolicy: denyBut, want: policy.ExplicitlyDenied, layer: policy.LayerResource}),
		sqs(decideCase{name: "service is hit", principal: service, resourcePolicy: denyBut, want: policy.ExplicitlyDenied, layer: policy.LayerResource}),
		sqs(decideCase{name: "allow spares the listed", principal: ownRole, resourcePolicy: allowBut, want: policy.ImplicitlyDenied, layer: policy.LayerIdentity}),
		sqs(decideCase{name: "allow reaches all others", principal: ownUser, resourcePolicy: allowBut, want: policy.Allowed, layer: policy.LayerResource}),
	})
}

// TestDecideConditions is the truth table of missing keys and set operators, and of each operator's values.
func TestDecideConditions(t *testing.T) {
	t.Parallel()
	str, list := policy.String, policy.Strings
	cases := []struct {
		name, condition string
		context         policy.Context
		want            bool
	}{
		{"StringEquals missing", `{"StringEquals":{"aws:q":"x"}}`, nil, false},
		{"StringNotEquals missing", `{"StringNotEquals":{"aws:q":"x"}}`, nil, true},
		{"IfExists missing", `{"StringEqualsIfExists":{"aws:q":"x"}}`, nil, true},
		{"Null true missing", `{"Null":{"aws:q":"true"}}`, nil, true},
		{"Null false missing", `{"Null":{"aws:q":"false"}}`, nil, false},
		{"Null false present", `{"Null":{"aws:q":false}}`, policy.Context{str("aws:Q", "")}, true},
		{"Null true on an empty list", `{"Null":{"aws:q":"true"}}`, policy.Context{list("aws:q")}, true},
		{"ForAnyValue missing", `{"ForAnyValue:StringEquals":{"aws:q":"x"}}`, nil, false},
		{"ForAnyValue negated missing", `{"ForAnyValue:StringNotEquals":{"aws:q":"x"}}`, nil, false},
		{"ForAllValues missing", `{"ForAllValues:StringEquals":{"aws:q":"x"}}`, nil, true},
		{"ForAllValues empty", `{"ForAllValues:StringEquals":{"aws:q":"x"}}`, policy.Context{list("aws:q")}, true},
		{"ForAllValues one differs", `{"ForAllValues:StringEquals":{"aws:q":["x","y"]}}`, policy.Context{list("aws:q", "x", "z")}, false},
		{"ForAllValues all within", `{"ForAllValues:StringEquals":{"aws:q":["x","y"]}}`, policy.Context{list("aws:q", "y", "x")}, true},
		{"ForAnyValue one within", `{"ForAnyValue:StringEquals":{"aws:q":["x"]}}`, policy.Context{list("aws:q", "z", "x")}, true},
		{"ForAnyValue single value", `{"ForAnyValue:StringEquals":{"aws:q":["x"]}}`, policy.Context{str("aws:q", "x")}, true},
		{"ForAnyValue IfExists has no effect", `{"ForAnyValue:StringEqualsIfExists":{"aws:q":["x"]}}`, nil, false},
		{"ForAnyValue negated, one outside", `{"ForAnyValue:StringNotEquals":{"aws:q":["x"]}}`, policy.Context{list("aws:q", "z", "x")}, true},
		{"ForAllValues negated, one inside", `{"ForAllValues:StringNotEquals":{"aws:q":["x"]}}`, policy.Context{list("aws:q", "z", "x")}, false},
		{"single operator on many", `{"StringEquals":{"aws:q":"x"}}`, policy.Context{list("aws:q", "x")}, false},
		{"negated single operator on many", `{"StringNotEquals":{"aws:q":"x"}}`, policy.Context{list("aws:q", "y")}, false},
		{"values are ORed", `{"StringEquals":{"aws:q":["x","y"]}}`, policy.Context{str("aws:q", "y")}, true},
		{"negated values are NORed", `{"StringNotEquals":{"aws:q":["x","y"]}}`, policy.Context{str("aws:q", "y")}, false},
		{"keys are ANDed", `{"StringEquals":{"aws:q":"x","aws:r":"y"}}`, policy.Context{str("aws:q", "x")}, false},
		{"values keep case", `{"StringEquals":{"aws:q":"x"}}`, policy.Context{str("aws:q", "X")}, false},
		{"IgnoreCase", `{"StringEqualsIgnoreCase":{"aws:q":"straße"}}`, policy.Context{str("aws:q", "STRAßE")}, true},
		{"StringEquals star is literal", `{"StringEquals":{"aws:q":"x*"}}`, policy.Context{str("aws:q", "xy")}, false},
		{"StringLike", `{"StringLike":{"aws:q":"a*c?e"}}`, policy.Context{str("aws:q", "abbbcde")}, true},
		{"StringLike question mark is a letter", `{"StringLike":{"aws:q":"a?c"}}`, policy.Context{str("aws:q", "aßc")}, true},
		{"StringLike escaped star", `{"StringLike":{"aws:q":"a${*}c"}}`, policy.Context{str("aws:q", "a*c")}, true},
		{"StringLike escaped star is no wildcard", `{"StringLike":{"aws:q":"a${*}c"}}`, policy.Context{str("aws:q", "abc")}, false},
		{"escaped dollar and question mark", `{"StringEquals":{"aws:q":"${$}${?}"}}`, policy.Context{str("aws:q", "$?")}, true},
		{"variable", `{"StringEquals":{"aws:q":"${aws:username}/x"}}`, policy.Context{str("aws:q", "bob/x"), str("aws:UserName", "bob")}, true},
		{"variable's star is literal", `{"StringLike":{"aws:q":"${aws:username}"}}`, policy.Context{str("aws:q", "bob"), str("aws:username", "*")}, false},
		{"variable missing", `{"StringEquals":{"aws:q":"${aws:username}"}}`, policy.Context{str("aws:q", "")}, false},
		{"variable missing, negated", `{"StringNotEquals":{"aws:q":"${aws:username}"}}`, policy.Context{str("aws:q", "z")}, false},
		{"placeholder with a broken variable", `{"StringEquals":{"aws:q":"{{x}}${"}}`, policy.Context{str("aws:q", "")}, false},
		{"variable default", `{"StringEquals":{"aws:q":"${aws:PrincipalTag/q, 'x'}"}}`, policy.Context{str("aws:q", "x")}, true},
		{"variable default not needed", `{"StringEquals":{"aws:q":"${aws:PrincipalTag/q, 'x'}"}}`, policy.Context{str("aws:q", "y"), str("aws:PrincipalTag/q", "y")}, true},
		{"NumericLessThan", `{"NumericLessThan":{"aws:n":"3600"}}`, policy.Context{str("aws:n", "0360")}, true},
		{"NumericLessThan typed", `{"NumericLessThan":{"aws:n":3600}}`, policy.Context{policy.Number("aws:n", 3600)}, false},
		{"NumericGreaterThanEquals decimal", `{"NumericGreaterThanEquals":{"aws:n":"1.5"}}`, policy.Context{str("aws:n", "1.50")}, true},
		{"NumericEquals not a number", `{"NumericEquals":{"aws:n":"1"}}`, policy.Context{str("aws:n", "0x1")}, false},
		{"NumericNotEquals not a number", `{"NumericNotEquals":{"aws:n":"1"}}`, policy.Context{str("aws:n", "one")}, true},
		{"StringEquals on a number", `{"StringEquals":{"aws:n":"10"}}`, policy.Context{policy.Number("aws:n", 10)}, true},
		{"DateLessThan zones", `{"DateLessThan":{"aws:d":"2026-01-01T00:00:00Z"}}`, policy.Context{str("aws:d", "2026-01-01T00:30:00+01:00")}, true},
		{"DateEquals epoch", `{"DateEquals":{"aws:d":"1767225600"}}`, policy.Context{str("aws:d", "2026-01-01")}, true},
		{"DateEquals minutes", `{"DateEquals":{"aws:d":"2026-01-01T00:00Z"}}`, policy.Context{policy.Time("aws:d", time.Unix(1767225600, 0))}, true},
		{"DateGreaterThan fractions", `{"DateGreaterThan":{"aws:d":"2026-01-01T00:00:00.5Z"}}`, policy.Context{policy.Time("aws:d", time.Unix(1767225600, 6e8))}, true},
		{"Bool in capitals", `{"Bool":{"aws:b":"TRUE"}}`, policy.Context{str("aws:b", "True")}, true},
		{"Bool of the wrong type", `{"Bool":{"aws:b":"false"}}`, policy.Context{str("aws:b", "0")}, false},
		{"BinaryEquals", `{"BinaryEquals":{"aws:x":"QmluYXJ5"}}`, policy.Context{str("aws:x", "QmluYXJ5")}, true},
		{"IpAddress", `{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}}`, policy.Context{str("aws:SourceIp", "2001:DB8::7")}, true},
		{"IpAddress typed", `{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, policy.Context{policy.IP("aws:SourceIp", netip.MustParseAddr("::ffff:10.1.2.3"))}, true},
		{"IpAddress of the other family", `{"IpAddress":{"aws:SourceIp":"::/0"}}`, policy.Context{str("aws:SourceIp", "10.1.2.3")}, false},
		{"block of length 0 is its own address", `{"NotIpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`, policy.Context{str("aws:SourceIp", "10.1.2.3")}, true},
		{"IPv6 block of length 0 is every address", `{"IpAddress":{"aws:SourceIp":"::/0"}}`, policy.Context{str("aws:SourceIp", "2001:db8::1")}, true},
		{"NotIpAddress", `{"NotIpAddress":{"aws:SourceIp":["10.0.0.5","192.0.2.0/24"]}}`, policy.Context{str("aws:SourceIp", "192.0.2.77")}, false},
		{"ArnLike per part", `{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:1:t"}}`, policy.Context{str("aws:SourceArn", "arn:aws:sns:eu:west:1:t")}, false},
		{"ArnEquals takes wildcards", `{"ArnEquals":{"aws:SourceArn":"arn:aws:sns:*:1:t?"}}`, policy.Context{str("aws:SourceArn", "arn:aws:sns:eu:1:tx")}, true},
		{"ArnNotLike", `{"ArnNotLike":{"aws:SourceArn":"arn:aws:sns:*:1:*"}}`, policy.Context{str("aws:SourceArn", "arn:aws:sns:eu:1:a:b")}, false},
		{"ArnLike on text", `{"ArnLike":{"aws:SourceArn":"arn:aws:*:*:*:*"}}`, policy.Context{str("aws:SourceArn", "arn:aws")}, false},
		{"principal ARN is known", `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/svc/*"}}`, policy.Context{str("aws:PrincipalArn", "arn:aws:iam::9:role/no")}, true},
		{"resource account is known", `{"StringEquals":{"aws:ResourceAccount":"${aws:PrincipalAccount}"}}`, nil, true},
		{"operator in another case", `{"stringequals":{"aws:q":"x"}}`, policy.Context{str("aws:q", "x")}, true},
	}
	for _, c := range cases {
		for _, effect := range []string{"Allow", "Deny"} {
			t.Run(c.name+"/"+effect, func(t *testing.T) {
				t.Parallel()
				doc := `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Action":"sqs:*","Resource":"*","Condition":` + c.condition + `}]}`
				d := decideCase{principal: ownRole, action: "sqs:SendMessage", resource: queue, identity: doc, context: c.context}
				layers, req := d.load(t)
				want := policy.ImplicitlyDenied
				if c.want {
					want = map[string]policy.Decision{"Allow": policy.Allowed, "Deny": policy.ExplicitlyDenied}[effect]
				}
				x := layers.Explain(req)
				if got := layers.Decide(req).Decision; got != want || x.Decision != want {
					t.Errorf("Decide %v, Explain %v, want %v: %+v", got, x.Decision, want, x.Statements)
				}
			})
		}
	}
}

func TestDecideElements(t *testing.T) {
	t.Parallel()
	statement := func(body string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow",` + body + `}}`
	}
	cases := []struct {
		name, doc, action, resource string
		want                        bool
	}{
		{"action case", statement(`"Action":"SQS:sendmessage","Resource":"*"`), "sqs:SendMessage", queue, true},
		{"action wildcards", statement(`"Action":"s?s:*Mess*e","Resource":"*"`), "sqs:SendMessage", queue, true},
		{"action prefix", statement(`"Action":"sqs:Send","Resource":"*"`), "sqs:SendMessage", queue, false},
		{"action all", statement(`"Action":"*:*","Resource":"*"`), "sqs:SendMessage", queue, true},
		{"NotAction", statement(`"NotAction":["sqs:Receive*","iam:*"],"Resource":"*"`), "sqs:SendMessage", queue, true},
		{"NotAction hit", statement(`"NotAction":["sqs:send*","iam:*"],"Resource":"*"`), "sqs:SendMessage", queue, false},
		{"NotResource", statement(`"Action":"*","NotResource":["arn:aws:sqs:*:*:other"]`), "sqs:SendMessage", queue, true},
		{"NotResource hit", statement(`"Action":"*","NotResource":["arn:aws:sqs:*:*:d*"]`), "sqs:SendMessage", queue, false},
		{"resource case", statement(`"Action":"*","Resource":"arn:aws:sqs:us-east-1:111122223333:DLQ"`), "sqs:SendMessage", queue, false},
		{"resource star stays in its part", statement(`"Action":"*","Resource":"arn:aws:sqs:*:dlq"`), "sqs:SendMessage", queue, false},
		{"resource star in the last part", statement(`"Action":"*","Resource":"arn:aws:logs:us-east-1:111122223333:log-group:*"`), "logs:Put", "arn:aws:logs:us-east-1:111122223333:log-group:a:b:c", true},
		{"short ARN is completed", statement(`"Action":"*","Resource":"arn:aws:sqs"`), "sqs:SendMessage", queue, true},
		{"variable in the resource", statement(`"Action":"*","Resource":"arn:aws:sqs:*:${aws:PrincipalAccount}:dl?"`), "sqs:SendMessage", queue, true},
		{"missing variable in the resource", statement(`"Action":"*","Resource":"arn:aws:sqs:*:*:${aws:username}"`), "sqs:SendMessage", queue, false},
		{"missing variable in NotResource", statement(`"Action":"*","NotResource":"arn:aws:sqs:*:*:${aws:username}"`), "sqs:SendMessage", queue, false},
		{"2008 has no variables", `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:sqs:*:${aws:PrincipalAccount}:dlq"}]}`, "sqs:SendMessage", queue, false},
		{"star does not cover a malformed action", statement(`"Action":"*","Resource":"*"`), "SendMessage", queue, false},
		{"passing a role is not assuming it", statement(`"Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/svc/*"`), "iam:PassRole", ownRole, true},
		{"assuming a role needs its trust", statement(`"Action":"sts:AssumeRole","Resource":"arn:aws:iam::*:role/svc/*"`), "sts:AssumeRole", ownRole, false},
		{"empty action", statement(`"Action":"sqs:*","Resource":"*"`), "", queue, false},
		{"placeholder matches nothing", statement(`"Action":"*","Resource":"{{queue}}"`), "sqs:SendMessage", queue, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := decideCase{principal: ownRole, action: c.action, resource: c.resource, identity: c.doc}
			layers, req := d.load(t)
			if got := layers.Decide(req).Allowed(); got != c.want {
				t.Errorf("allowed %v, want %v: %s", got, c.want, layers.Explain(req).Reason)
			}
		})
	}
}

// TestDecideWithAllLayersDoesNotAllocate covers what the plain role does not: typed operators, variables, four layers, denials.
func TestDecideWithAllLayersDoesNotAllocate(t *testing.T) {
	guarded := func(effect string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Action":["sqs:Send*","kms:?ecr*t"],"NotResource":"arn:aws:sqs:*:*:${aws:username}x",
			"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"DateLessThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"},"NumericLessThanIfExists":{"aws:MultiFactorAuthAge":"300"},
			"StringNotEqualsIgnoreCase":{"aws:username":"${aws:PrincipalTag/q, 'X'}"},"ForAnyValue:StringLike":{"aws:CalledVia":"*.amazonaws.com"},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"},
			"Null":{"aws:TokenIssueTime":"true"}}}]}`
	}
	for _, effect := range []string{"Allow", "Deny"} {
		d := decideCase{
			principal: ownRole, action: "sqs:SendMessage", resource: queue, identity: guarded(effect), boundary: allowAll, session: allowSQS,
			resourcePolicy: grantTo(`{"AWS":["111122223333","` + ownRole + `"],"Service":"sqs.amazonaws.com"}`),
			context: policy.Context{
				policy.String("aws:SourceIp", "10.9.8.7"), policy.String("aws:CurrentTime", "2026-05-05T05:05:05Z"), policy.Number("aws:MultiFactorAuthAge", 7),
				policy.String("aws:username", "bob"), policy.Strings("aws:CalledVia", "kms.amazonaws.com"),
			},
		}
		layers, req := d.load(t)
		want := map[string]policy.Decision{"Allow": policy.Allowed, "Deny": policy.ExplicitlyDenied}[effect]
		allocs := testing.AllocsPerRun(100, func() {
			if got := layers.Decide(req); got.Decision != want {
				t.Errorf("%s: %v by %v", effect, got.Decision, got.Layer)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: Decide allocates %v times", effect, allocs)
		}
	}
}

func TestDecideIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	layers, req := role20(t, false)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if !layers.Decide(req).Allowed() {
					t.Error("denied")
				}
			}
		})
	}
	wg.Wait()
}

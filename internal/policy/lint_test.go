package policy_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/policy"
)

func lintStatement(body string) string {
	return `{"Version":"2012-10-17","Statement":[{"Sid":"S",` + body + `}]}`
}

// TestLint names for each hole the rule that finds it, and for its repair that the rule is silent.
func TestLint(t *testing.T) {
	t.Parallel()
	const (
		onKey   = `"Resource":"arn:aws:kms:us-east-1:111122223333:key/1"`
		onQueue = `"Resource":"arn:aws:sqs:us-east-1:111122223333:q"`
		toAll   = `"Effect":"Allow","Action":"sqs:SendMessage",` + onQueue
	)
	cases := []struct {
		rule      string
		kind      policy.Kind
		bad, good string // statements without braces; whole documents where they start with {
	}{
		{
			"forallvalues-allow", policy.KindIdentity,
			`"Effect":"Allow","Action":"kms:CreateGrant",` + onKey + `,"Condition":{"ForAllValues:StringEquals":{"kms:GrantOperations":["Decrypt"]}}`,
			`"Effect":"Allow","Action":"kms:CreateGrant",` + onKey + `,"Condition":{"ForAllValues:StringEquals":{"kms:GrantOperations":["Decrypt"]},"Null":{"KMS:grantoperations":"false"}}`,
		},
		{
			"forallvalues-allow", policy.KindIdentity,
			`"Effect":"Allow","Action":"kms:CreateGrant",` + onKey + `,"Condition":{"ForAllValues:StringEquals":{"kms:GrantOperations":"Decrypt"},"Null":{"kms:GrantOperations":"true"}}`,
			`"Effect":"Deny","Action":"kms:CreateGrant",` + onKey + `,"Condition":{"ForAllValues:StringEquals":{"kms:GrantOperations":"Decrypt"}}`,
		},
		{
			"confused-deputy", policy.KindResource,
			`"Effect":"Allow","Principal":{"Service":"profile.amazonaws.com"},"Action":"SQS:SendMessage",` + onQueue,
			`"Effect":"Allow","Principal":{"Service":"profile.amazonaws.com"},"Action":"SQS:SendMessage",` + onQueue + `,"Condition":{"StringEquals":{"AWS:SourceAccount":"111122223333"}}`,
		},
		{
			"confused-deputy", policy.KindResource,
			`"Effect":"Allow","Principal":{"Service":"transcribe.amazonaws.com"},"Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"StringEqualsIfExists":{"aws:SourceAccount":"1"}}`,
			`"Effect":"Allow","Principal":{"Service":"transcribe.amazonaws.com"},"Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:transcribe:*:111122223333:*"}}`,
		},
		{
			"confused-deputy", policy.KindResource,
			`"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:*",` + onQueue + `,"Condition":{"StringLike":{"aws:SourceArn":"*"}}`,
			`"Effect":"Deny","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:*",` + onQueue,
		},
		{"service-wildcard", policy.KindIdentity, `"Effect":"Allow","Action":"ssm:*","Resource":"arn:aws:ssm:*:1:parameter/x"`, `"Effect":"Allow","Action":"ssm:GetParameter*","Resource":"arn:aws:ssm:*:1:parameter/x"`},
		{"all-actions", policy.KindIdentity, `"Effect":"Allow","Action":["s3:GetObject","*"],"Resource":"arn:aws:s3:::b/*"`, `"Effect":"Deny","Action":"*","Resource":"*"`},
		{"kms-any-key", policy.KindIdentity, `"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"`, `"Effect":"Allow","Action":"kms:Decrypt",` + onKey},
		{"kms-any-key", policy.KindIdentity, `"Effect":"Allow","Action":"kms:De*","Resource":"arn:aws:kms:*:*:key/*"`, `"Effect":"Allow","Action":"kms:DescribeKey","Resource":"*"`},
		{"escalation", policy.KindIdentity, `"Effect":"Allow","Action":"iam:PassRole","Resource":"*"`, `"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::111122223333:role/svc/x"`},
		{"escalation", policy.KindIdentity, `"Effect":"Allow","Action":"lambda:addpermission","Resource":"arn:aws:lambda:*:1:function:f"`, `"Effect":"Allow","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:*:1:function:f"`},
		{"escalation", policy.KindIdentity, `"Effect":"Allow","Action":"iam:Attach*","Resource":"arn:aws:iam::1:role/x"`, `"Effect":"Allow","Action":"iam:AttachRolePolicy","Resource":"arn:aws:iam::1:role/x","Condition":{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::1:policy/p"}}`},
		{"any-resource", policy.KindIdentity, `"Effect":"Allow","Action":"connect:UpdateContactAttributes","Resource":"*"`, `"Effect":"Allow","Action":"appflow:DeleteFlow","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"aws:ResourceTag/owner":"x"}}`},
		{
			"foreign-trust", policy.KindTrust,
			`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::444455556666:root"}`,
			`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Condition":{"StringEquals":{"sts:ExternalId":"x"}}`,
		},
		{"foreign-trust", policy.KindTrust, `"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"444455556666"}`, `"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"111122223333"}`},
		{"public-principal", policy.KindResource, toAll + `,"Principal":{"AWS":"*"}`, toAll + `,"Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`},
		{"notprincipal-allow", policy.KindResource, toAll + `,"NotPrincipal":{"AWS":"111122223333"}`, toAll + `,"Principal":{"AWS":"111122223333"}`},
		{"notprincipal-deny", policy.KindResource, `"Effect":"Deny","Action":"*","Resource":"*","NotPrincipal":{"AWS":"111122223333"}`, `"Effect":"Deny","Action":"*","Resource":"*","Principal":"*"`},
		{"deleted-principal", policy.KindResource, toAll + `,"Principal":{"AWS":"AROAEXAMPLE1234567890"}`, toAll + `,"Principal":{"AWS":"111122223333"}`},
		{"canonical-user", policy.KindResource, toAll + `,"Principal":{"CanonicalUser":"79a59d"}`, toAll + `,"Principal":{"AWS":"111122223333"}`},
		{"bool-operator", policy.KindIdentity, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:SecureTransport":"false"}}`, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}`},
		{"operator-type", policy.KindIdentity, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringLike":{"aws:SourceIp":"10.0.0.0/8"}}`, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`},
		{"operator-type", policy.KindIdentity, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:MultiFactorAuthAge":"10"}}`, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NumericLessThan":{"aws:EpochTime":"10"}}`},
		{"arn-operator", policy.KindIdentity, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringLike":{"aws:SourceArn":"arn:*"}}`, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:*:*:*"}}`},
		{"set-operator-missing", policy.KindIdentity, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:CalledVia":"x"}}`, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"aws:CalledVia":"x"}}`},
		{"placeholder", policy.KindIdentity, `"Effect":"Deny","Action":"kms:CreateGrant","Resource":"{{YourKey}}"`, `"Effect":"Deny","Action":"kms:CreateGrant",` + onKey},
		{"placeholder", policy.KindIdentity, `"Effect":"Deny","Action":"a:b","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":["profile.{{region}}.amazonaws.com"]}}`, `"Effect":"Deny","Action":"a:b","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"x"}}`},
		{"placeholder", policy.KindIdentity, `"Effect":"Deny","Action":"a:b","Resource":"arn:aws:s3:::<bucket>/*"`, `"Effect":"Deny","Action":"a:b","Resource":"arn:aws:s3:::${aws:username}/*"`},
		{"placeholder", policy.KindIdentity, `"Effect":"Deny","Action":"a:b","Resource":"arn:aws:sqs:${AWS::Region}:1:q"`, `"Effect":"Deny","Action":"a:b","Resource":"*"`},
		{"notaction-allow", policy.KindIdentity, `"Effect":"Allow","NotAction":"iam:*","Resource":"arn:aws:s3:::b"`, `"Effect":"Deny","NotAction":"iam:*","Resource":"*"`},
		{"notresource-allow", policy.KindIdentity, `"Effect":"Allow","Action":"s3:GetObject","NotResource":"arn:aws:s3:::b"`, `"Effect":"Deny","Action":"s3:GetObject","NotResource":"arn:aws:s3:::b"`},
		{"unknown-key", policy.KindIdentity, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:SourceAcount":"1"}}`, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:sourceaccount":"1","aws:RequestTag/x":"1","my:key":"1"}}`},
		{"literal-wildcard", policy.KindIdentity, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:username":"a*"}}`, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:username":"a${*}"}}`},
		{"useless-ifexists", policy.KindIdentity, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":"a"}}`, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEqualsIfExists":{"aws:username":"a"}}`},
		{"always-true", policy.KindIdentity, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":["true","false"]}}`, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}`},
		{"repeated-key", policy.KindIdentity, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:username":"a","aws:UserName":"b"}}`, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:username":"a"},"StringLike":{"aws:UserName":"b"}}`},
		{"contradiction", policy.KindIdentity, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:username":"a"},"Null":{"aws:username":"true"}}`, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:username":"a"},"Null":{"aws:username":"true"}}`},
		{"deny-missing-key", policy.KindIdentity, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}`, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}`},
		{"cidr-zero", policy.KindIdentity, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`},
		{"version-missing", policy.KindIdentity, `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`, `"Effect":"Deny","Action":"*","Resource":"*"`},
		{"variable-version", policy.KindIdentity, `{"Version":"2008-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::${aws:username}"}}`, `{"Version":"2008-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`},
		{"version-yaml-date", policy.KindIdentity, `{"Version":"2012-10-17T00:00:00.000Z","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`, `"Effect":"Deny","Action":"*","Resource":"*"`},
		{"unknown-operator", policy.KindIdentity, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringMatches":{"aws:username":"a"}}`, `"Effect":"Deny","Action":"*","Resource":"*"`},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			rules := func(body string) []string {
				if body[0] != '{' {
					body = lintStatement(body)
				}
				var out []string
				for _, f := range policy.LintJSON([]byte(body), c.kind, policy.OwnAccounts("111122223333")) {
					if f.Path == "" || f.Message == "" || f.Fix == "" {
						t.Errorf("%+v is incomplete", f)
					}
					out = append(out, f.Rule)
				}
				return out
			}
			if got := rules(c.bad); !slices.Contains(got, c.rule) {
				t.Errorf("not found in %s: got %v", c.bad, got)
			}
			if got := rules(c.good); slices.Contains(got, c.rule) {
				t.Errorf("found in %s", c.good)
			}
		})
	}
}

// TestLintCustomerProfilesPolicy lints the policy that the Customer Profiles guide gives for integrations, as published.
func TestLintCustomerProfilesPolicy(t *testing.T) {
	t.Parallel()
	const doc = `{"Version":"2012-10-17","Statement":[
		{"Sid":"AccessFlowResources","Effect":"Allow","Action":["appflow:DescribeFlow","appflow:DeleteFlow"],"Resource":"*",
		 "Condition":{"ForAnyValue:StringEquals":{"aws:ResourceTag/awsOwningService":"customer-profiles-integration-workflow"}}},
		{"Sid":"KMSAppflow","Effect":"Allow","Action":["kms:CreateGrant","kms:ListGrants"],"Resource":"{{YourKMSKeyConsumedByTheDomain}}",
		 "Condition":{"StringEquals":{"kms:ViaService":["appflow.{{region}}.amazonaws.com"]}}},
		{"Sid":"KMSCustomerProfiles","Effect":"Allow","Action":["kms:CreateGrant"],"Resource":"arn:aws:kms:us-east-1:111122223333:key/1",
		 "Condition":{"StringEquals":{"kms:ViaService":["profile.us-east-1.amazonaws.com"]},"ForAllValues:StringEquals":{"kms:GrantOperations":["Decrypt"]}}}]}`
	type brief struct{ Sid, Rule string }
	var got []brief
	for _, f := range policy.LintJSON([]byte(doc), policy.KindIdentity) {
		got = append(got, brief{f.Sid, f.Rule})
	}
	want := []brief{{"KMSAppflow", "placeholder"}, {"KMSAppflow", "placeholder"}, {"KMSCustomerProfiles", "forallvalues-allow"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLintIsSilentAboutATightPolicy(t *testing.T) {
	t.Parallel()
	const doc = `{"Version":"2012-10-17","Statement":[{"Sid":"Read","Effect":"Allow","Action":["ssm:GetParameter","ssm:GetParameters"],
		"Resource":"arn:aws:ssm:us-east-1:111122223333:parameter/cc-salesforce-*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}]}`
	if got := policy.LintJSON([]byte(doc), policy.KindIdentity); len(got) != 0 {
		t.Errorf("found %+v", got)
	}
}

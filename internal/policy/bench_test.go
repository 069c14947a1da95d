package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/policy"
)

// role20 is a role of 20 statements with two conditions each. With spread, each statement has an action of its own, as in
// a real role; without, all 20 bear on the one action and only the last one allows.
func role20(tb testing.TB, spread bool) (policy.Layers, *policy.Request) {
	tb.Helper()
	statements := make([]string, 20)
	for i := range statements {
		action, dept := fmt.Sprintf("ssm:Get%02d*", i), "care"
		if !spread {
			action = "ssm:Get*"
			if i != 19 {
				dept = fmt.Sprintf("dept-%d", i)
			}
		}
		statements[i] = fmt.Sprintf(`{"Sid":"S%d","Effect":"Allow","Action":["%s","kms:Op%d"],
			"Resource":"arn:aws:ssm:*:111122223333:parameter/cc-*",
			"Condition":{"Bool":{"aws:SecureTransport":"true"},"StringLike":{"aws:PrincipalTag/dept":["%s","x*y"]}}}`, i, action, i, dept)
	}
	set, err := policy.Load(policy.KindIdentity, []byte(`{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`))
	if err != nil {
		tb.Fatal(err)
	}
	who, err := policy.NewPrincipal("arn:aws:iam::111122223333:role/svc/crm-client")
	if err != nil {
		tb.Fatal(err)
	}
	return policy.Layers{Identity: set}, &policy.Request{
		Principal: who,
		Action:    "ssm:Get19Parameter",
		Resource:  policy.NewResource("arn:aws:ssm:us-east-1:111122223333:parameter/cc-salesforce-rest-api-access-token", ""),
		Context: policy.Context{
			policy.String("aws:SourceAccount", "111122223333"),
			policy.String("aws:RequestedRegion", "us-east-1"),
			policy.Bool("aws:SecureTransport", true),
			policy.String("aws:PrincipalTag/dept", "care"),
		},
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, spread := range []bool{true, false} {
		name := map[bool]string{true: "OwnActions", false: "AllStatementsTried"}[spread]
		b.Run(name, func(b *testing.B) {
			layers, req := role20(b, spread)
			b.ReportAllocs()
			for b.Loop() {
				if !layers.Decide(req).Allowed() {
					b.Fatal("denied")
				}
			}
		})
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	for _, spread := range []bool{true, false} {
		layers, req := role20(t, spread)
		allocs := testing.AllocsPerRun(200, func() {
			if !layers.Decide(req).Allowed() {
				t.Error("denied")
			}
		})
		if allocs != 0 {
			t.Errorf("spread %v: Decide allocates %v times", spread, allocs)
		}
	}
}

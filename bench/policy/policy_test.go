// Package policy_test measures our decisions beside those of cedar-go on the same rules: 20 policies with two conditions
// each, and a request that the last one allows. Cedar is another language; the rules say the same in both.
//
//	go test ./bench/policy -bench . -count 6
package policy_test

import (
	"fmt"
	"strings"
	"testing"

	cedar "github.com/cedar-policy/cedar-go"

	"github.com/tandemcc/tandem/internal/policy"
)

const (
	account   = "111122223333"
	roleARN   = "arn:aws:iam::111122223333:role/svc/crm-client"
	parameter = "arn:aws:ssm:us-east-1:111122223333:parameter/cc-salesforce-rest-api-access-token"
	count     = 20
)

// workload says which statements bear on the request: with own actions only the last, as in a real role; without, all are
// tried and only the last one's second condition holds.
type workload struct {
	name       string
	ownActions bool
}

var workloads = []workload{{"OwnActions", true}, {"AllTried", false}}

// rule returns the action and the department of the i-th policy.
func (w workload) rule(i int) (action, dept string) {
	if w.ownActions {
		return fmt.Sprintf("ssm:Operation%02d", i), "care"
	}
	if i == count-1 {
		return "ssm:Operation19", "care"
	}
	return "ssm:Operation19", fmt.Sprintf("dept-%d", i)
}

func (w workload) ours(tb testing.TB) (policy.Layers, *policy.Request) {
	tb.Helper()
	statements := make([]string, count)
	for i := range statements {
		action, dept := w.rule(i)
		statements[i] = fmt.Sprintf(`{"Effect":"Allow","Action":%q,"Resource":"arn:aws:ssm:*:111122223333:parameter/cc-*",
			"Condition":{"Bool":{"aws:SecureTransport":"true"},"StringEquals":{"aws:PrincipalTag/dept":%q}}}`, action, dept)
	}
	set, err := policy.Load(policy.KindIdentity, []byte(`{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`))
	if err != nil {
		tb.Fatal(err)
	}
	who, err := policy.NewPrincipal(roleARN)
	if err != nil {
		tb.Fatal(err)
	}
	return policy.Layers{Identity: set}, &policy.Request{
		Principal: who, Action: "ssm:Operation19", Resource: policy.NewResource(parameter, ""),
		Context: policy.Context{
			policy.String("aws:SourceAccount", account), policy.Bool("aws:SecureTransport", true), policy.String("aws:PrincipalTag/dept", "care"),
		},
	}
}

func (w workload) cedar(tb testing.TB) (*cedar.PolicySet, cedar.EntityMap, cedar.Request) {
	tb.Helper()
	set := cedar.NewPolicySet()
	for i := range count {
		action, dept := w.rule(i)
		text := fmt.Sprintf(`permit (principal == Role::%q, action == Action::%q, resource)
			when { resource.arn like "arn:aws:ssm:*:111122223333:parameter/cc-*" && context.secureTransport && principal.dept == %q };`, roleARN, action, dept)
		var p cedar.Policy
		if err := p.UnmarshalCedar([]byte(text)); err != nil {
			tb.Fatal(err)
		}
		set.Add(cedar.PolicyID(fmt.Sprintf("policy%d", i)), &p)
	}
	role, thing := cedar.NewEntityUID("Role", roleARN), cedar.NewEntityUID("Parameter", parameter)
	entities := cedar.EntityMap{
		role:  {UID: role, Attributes: cedar.NewRecord(cedar.RecordMap{"dept": cedar.String("care")})},
		thing: {UID: thing, Attributes: cedar.NewRecord(cedar.RecordMap{"arn": cedar.String(parameter)})},
	}
	return set, entities, cedar.Request{
		Principal: role, Action: cedar.NewEntityUID("Action", "ssm:Operation19"), Resource: thing,
		Context: cedar.NewRecord(cedar.RecordMap{"secureTransport": cedar.True, "sourceAccount": cedar.String(account)}),
	}
}

func BenchmarkTandem(b *testing.B) {
	for _, w := range workloads {
		b.Run(w.name, func(b *testing.B) {
			layers, req := w.ours(b)
			b.ReportAllocs()
			for b.Loop() {
				if !layers.Decide(req).Allowed() {
					b.Fatal("denied")
				}
			}
		})
	}
}

func BenchmarkTandemExplain(b *testing.B) {
	layers, req := workloads[0].ours(b)
	b.ReportAllocs()
	for b.Loop() {
		if layers.Explain(req).Decision != policy.Allowed {
			b.Fatal("denied")
		}
	}
}

func BenchmarkTandemParallel(b *testing.B) {
	layers, req := workloads[0].ours(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if !layers.Decide(req).Allowed() {
				b.Error("denied")
			}
		}
	})
}

func BenchmarkCedar(b *testing.B) {
	for _, w := range workloads {
		b.Run(w.name, func(b *testing.B) {
			set, entities, req := w.cedar(b)
			b.ReportAllocs()
			for b.Loop() {
				if decision, _ := cedar.Authorize(set, entities, req); decision != cedar.Allow {
					b.Fatal("denied")
				}
			}
		})
	}
}

// TestBothAgree keeps the two sides of the comparison honest: same rules, same answers.
func TestBothAgree(t *testing.T) {
	t.Parallel()
	for _, w := range workloads {
		layers, req := w.ours(t)
		set, entities, cedarReq := w.cedar(t)
		for _, action := range []string{"ssm:Operation19", "ssm:Operation20"} {
			req.Action, cedarReq.Action = action, cedar.NewEntityUID("Action", cedar.String(action))
			decision, _ := cedar.Authorize(set, entities, cedarReq)
			if got := layers.Decide(req).Allowed(); got != bool(decision) || got != (action == "ssm:Operation19") {
				t.Errorf("%s %s: ours %v, Cedar %v", w.name, action, got, decision)
			}
		}
	}
}

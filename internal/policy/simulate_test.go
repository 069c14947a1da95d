package policy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/policy"
)

func TestSimulateJSON(t *testing.T) {
	t.Parallel()
	const one = `{"name":"mine","request":{"principal":"` + ownRole + `","action":"sqs:SendMessage","resource":{"resource":"` + queue + `"},
		"contextVariables":{"aws:SecureTransport":true,"aws:MultiFactorAuthAge":300,"aws:CalledVia":["a"]}},
		"identityPolicies":[{"Version":"2012-10-17","Statement":{"Sid":"Send","Effect":"Allow","Action":"sqs:*","Resource":"*",
		"Condition":{"Bool":{"aws:SecureTransport":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"},"ForAnyValue:StringEquals":{"aws:CalledVia":"a"}}}}],"expected":"Allowed"}`
	for name, doc := range map[string]string{"one": one, "list": "[" + one + "]", "file": `{"note":"x","cases":[` + one + `]}`} {
		got, err := policy.SimulateJSON(strings.NewReader(doc))
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %v, %v", name, got, err)
		}
		r := got[0]
		if r.Decision != policy.Allowed || r.Layer != policy.LayerIdentity || r.Sid != "Send" || r.Agrees == nil || !*r.Agrees || r.Name != "mine" || r.Explanation != nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	ignored := strings.Replace(one, `"expected"`, `"ignoredContextKeys":["AWS:calledvia"],"expected"`, 1)
	got, err := policy.SimulateJSON(strings.NewReader(ignored))
	if err != nil || *got[0].Agrees {
		t.Errorf("an ignored key was read: %+v, %v", got, err)
	}
}

func TestSimulateJSONKeepsGoingAfterABadCase(t *testing.T) {
	t.Parallel()
	const doc = `[{"request":{"principal":"nobody","action":"a:b","resource":"*"}},
		{"request":{"principal":"*","action":"","resource":"*"}},
		{"request":{"principal":"*","action":"a:b","resource":"*"},"resourcePolicy":{"Statement":[]}},
		{"request":{"principal":"*","action":"a:b","resource":"*","contextVariables":{"aws:q":{}}}},
		{"request":{"principal":"*","action":"a:b","resource":"*"},"expected":"Perhaps"},
		{"request":{"principal":"*","action":"a:b","resource":"*"},"resourcePolicy":` + `{},"trustPolicy":{}},
		{"request":{"principal":"lambda.amazonaws.com","action":"sts:AssumeRole","resource":"` + ownRole + `"},"trustPolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}}]`
	got, err := policy.SimulateJSON(strings.NewReader(doc))
	if err != nil || len(got) != 7 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, r := range got {
		if bad := i < 6; bad != (r.Error != "") || bad == (r.Decision == policy.Allowed) {
			t.Errorf("case %d: %+v", i, r)
		}
	}
	for _, doc := range []string{"", "{}", "7", `{"cases":7}`, "[1"} {
		if _, err := policy.SimulateJSON(strings.NewReader(doc)); err == nil {
			t.Errorf("%q was read", doc)
		}
	}
}

// TestExplainSaysWhyNot checks the words for each part that can fail.
func TestExplainSaysWhyNot(t *testing.T) {
	t.Parallel()
	const doc = `{"Version":"2012-10-17","Statement":[
		{"Sid":"Action","Effect":"Allow","Action":"sqs:Receive*","Resource":"*"},
		{"Sid":"Resource","Effect":"Allow","Action":"sqs:*","NotResource":"*"},
		{"Sid":"Missing","Effect":"Allow","Action":"sqs:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}},
		{"Sid":"Differs","Effect":"Allow","Action":"sqs:*","Resource":"*","Condition":{"StringEquals":{"aws:username":["x","y"]}}},
		{"Sid":"Many","Effect":"Allow","Action":"sqs:*","Resource":"*","Condition":{"StringEquals":{"aws:TagKeys":"a"}}},
		{"Sid":"Present","Effect":"Allow","Action":"sqs:*","Resource":"*","Condition":{"Null":{"aws:username":"true"}}},
		{"Sid":"Excluded","Effect":"Allow","Action":"sqs:*","Resource":"*","Condition":{"StringNotEquals":{"aws:username":"bob"}}}]}`
	d := decideCase{principal: ownRole, action: "sqs:SendMessage", resource: queue, identity: doc, resourcePolicy: grantTo(`{"AWS":"` + ownUser + `"}`), context: policy.Context{policy.String("aws:username", "bob"), policy.Strings("aws:TagKeys", "a")}}
	layers, req := d.load(t)
	x := layers.Explain(req)
	if len(x.Matched()) != 0 || x.Decision != policy.ImplicitlyDenied || x.Layer != policy.LayerIdentity || x.Reason != "no identity policy allows it" {
		t.Errorf("got %+v", x)
	}
	got := map[string]string{}
	for _, s := range x.Statements {
		got[s.Sid] = s.Failed + ": " + s.Why
	}
	want := map[string]string{
		"":         "principal: " + ownRole + " is not covered by Principal",
		"Action":   "action: sqs:SendMessage is not covered by Action",
		"Resource": "resource: " + queue + " is not covered by NotResource",
		"Missing":  "condition: Bool aws:SecureTransport: the request does not have the key",
		"Differs":  `condition: StringEquals aws:username: the request has ["bob"]`,
		"Many":     "condition: StringEquals aws:TagKeys: the key has several values: use ForAnyValue or ForAllValues",
		"Present":  "condition: Null aws:username: the request has the key",
		"Excluded": `condition: StringNotEquals aws:username: the request has ["bob"], which is excluded or rests on a variable without a value`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if data, err := json.Marshal(x); err != nil || !strings.Contains(string(data), `"decision":"ImplicitlyDenied","layer":"identity"`) {
		t.Errorf("JSON %s, %v", data, err)
	}
}

func TestTextForms(t *testing.T) {
	t.Parallel()
	in := struct {
		D []policy.Decision
		L []policy.Layer
		K []policy.Kind
		S []policy.Severity
	}{
		[]policy.Decision{policy.Allowed, policy.ExplicitlyDenied, policy.ImplicitlyDenied},
		[]policy.Layer{policy.LayerNone, policy.LayerResource, policy.LayerIdentity, policy.LayerBoundary, policy.LayerSession},
		[]policy.Kind{policy.KindIdentity, policy.KindResource, policy.KindBoundary, policy.KindSession, policy.KindTrust},
		[]policy.Severity{policy.Info, policy.Warning, policy.Error},
	}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	out := in
	out.D, out.L, out.K, out.S = nil, nil, nil, nil
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, out); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{`{"D":["x"]}`, `{"L":["x"]}`, `{"K":["x"]}`, `{"S":["x"]}`} {
		if json.Unmarshal([]byte(bad), &out) == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

// TestSimulateJSONKeyOfManyValues: a key that holds any number of values is a list even when its one value is written alone.
func TestSimulateJSONKeyOfManyValues(t *testing.T) {
	t.Parallel()
	for operator, want := range map[string]string{"StringEquals": "ImplicitlyDenied", "StringNotEquals": "ImplicitlyDenied", "ForAnyValue:StringEquals": "Allowed"} {
		got, err := policy.ExplainJSON(strings.NewReader(`{"request":{"principal":"arn:aws:iam::111122223333:user/u","action":"a:b","resource":"arn:aws:a::111122223333:r",
			"contextVariables":{"AWS:CalledVia":"kms.amazonaws.com"}},"identityPolicies":[{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"` + operator + `":{"aws:CalledVia":"kms.amazonaws.com"}}}]}]}`))
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %d results, %v", operator, len(got), err)
		}
		if d := got[0].Decision.String(); d != want {
			t.Errorf("%s: %s, want %s (%s)", operator, d, want, got[0].Error)
		}
	}
}

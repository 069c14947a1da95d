package policy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/policy"
)

// FuzzParse checks that whatever Parse accepts compiles, decides alike on both paths and can be linted, and that whatever
// it refuses has a path and a remedy.
func FuzzParse(f *testing.F) {
	f.Add([]byte(allowAll), uint8(0))
	f.Add([]byte(grantTo(`{"AWS":["111122223333","*"],"Service":"a.amazonaws.com"}`)), uint8(1))
	f.Add([]byte(trustTo(`{"Federated":"x"}`, `{"StringEquals":{"sts:ExternalId":["${aws:username}","${*}"]}}`)), uint8(4))
	f.Add([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotAction":["a:?*b*"],"NotResource":"arn:aws:s3:::*/${aws:PrincipalTag/q, 'x'}",
		"Condition":{"ForAllValues:StringLike":{"aws:TagKeys":["a*","?"]},"DateLessThan":{"aws:CurrentTime":"2026"},"IpAddressIfExists":{"aws:SourceIp":"0.0.0.0/0"},
		"ArnLike":{"aws:SourceArn":"arn:*"},"Null":{"aws:q":true},"NumericEquals":{"aws:n":1e3},"BinaryEquals":{"aws:b":"QQ=="}}}]}`), uint8(2))
	f.Add([]byte(`{"Statement":{"Effect":"Allow","Action":"{{a}}","Resource":"{{region}}"}}`), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, k uint8) {
		kind := policy.Kind(k % 5)
		policy.LintJSON(data, kind)
		doc, err := policy.Parse(data, kind)
		if err != nil {
			var pe *policy.ParseError
			if !errors.As(err, &pe) || len(pe.Problems) == 0 {
				t.Fatalf("%v is no ParseError", err)
			}
			for _, p := range pe.Problems {
				if !strings.HasPrefix(p.Path, "$") || p.Rule == "" || p.Fix == "" {
					t.Fatalf("%+v lacks a path, a rule or a remedy", p)
				}
			}
			return
		}
		set, err := policy.Compile(doc)
		if err != nil {
			t.Fatalf("parsed, but: %v", err)
		}
		layers := policy.Layers{Identity: set}
		if kind == policy.KindResource || kind == policy.KindTrust {
			layers = policy.Layers{Resource: set}
		}
		for _, who := range []string{ownRole, service, "*"} {
			p, err := policy.NewPrincipal(who)
			if err != nil {
				t.Fatal(err)
			}
			req := &policy.Request{
				Principal: p, Action: "a:bb", Resource: policy.NewResource("arn:aws:s3:::b/x", "111122223333"),
				Context: policy.Context{policy.Strings("aws:TagKeys", "ab", "c"), policy.String("aws:username", "a*"), policy.String("aws:SourceIp", "10.0.0.1")},
			}
			if fast, slow := layers.Decide(req), layers.Explain(req); fast.Decision != slow.Decision || fast.Layer != slow.Layer {
				t.Fatalf("Decide %v by %v, Explain %v by %v", fast.Decision, fast.Layer, slow.Decision, slow.Layer)
			}
		}
	})
}

// FuzzMatch checks wildcards in StringLike and in actions against a plain matcher, and that no pattern takes long.
func FuzzMatch(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add(strings.Repeat("a*", 40)+"b", strings.Repeat("a", 2000))
	f.Add("*?*?*", "ß")
	f.Add("?", "\xff")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 200 || len(text) > 3000 || strings.ContainsAny(pattern, "$\"\\{") {
			return
		}
		for _, r := range pattern {
			if r < ' ' || r > '~' {
				return
			}
		}
		doc := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"aws:q":"` + pattern + `"}}}}`
		set, err := policy.Load(policy.KindIdentity, []byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		who, err := policy.NewPrincipal(ownRole)
		if err != nil {
			t.Fatal(err)
		}
		req := &policy.Request{Principal: who, Action: "a:b", Resource: policy.NewResource("*", ""), Context: policy.Context{policy.String("aws:q", text)}}
		start := time.Now()
		got := policy.Layers{Identity: set}.Decide(req).Allowed()
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("took %v", d)
		}
		if want := likeTable(pattern, text); got != want {
			t.Errorf("%q like %q: %v, want %v", text, pattern, got, want)
		}
	})
}

// likeTable decides a wildcard match by dynamic programming over characters.
func likeTable(pattern, text string) bool {
	letters := strings.Split(text, "")
	row := make([]bool, len(letters)+1)
	row[0] = true
	for i := range len(pattern) {
		next := make([]bool, len(letters)+1)
		next[0] = row[0] && pattern[i] == '*'
		for j, letter := range letters {
			switch pattern[i] {
			case '*':
				next[j+1] = next[j] || row[j+1]
			case '?':
				next[j+1] = row[j]
			default:
				next[j+1] = row[j] && letter == pattern[i:i+1]
			}
		}
		row = next
	}
	return row[len(letters)]
}

// FuzzPrincipal checks that a principal that was read prints as it was written.
func FuzzPrincipal(f *testing.F) {
	for _, s := range []string{ownRole, session, service, "*", "arn:aws:iam::111122223333:root", "federated:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := policy.NewPrincipal(s)
		if err == nil && s != "" && s != "federated:" && p.String() != strings.TrimPrefix(s, "federated:") {
			t.Errorf("%q became %q", s, p)
		}
	})
}

// FuzzSimulate checks that no file of cases brings the simulator down.
func FuzzSimulate(f *testing.F) {
	f.Add(`{"cases":[{"request":{"principal":"*","action":"a:b","resource":"*","contextVariables":{"aws:q":[1,null]}}}]}`)
	f.Add(`[{"request":{"principal":"` + ownRole + `","action":"a:b","resource":{"resource":"*"}},"identityPolicies":[` + allowAll + `],"expected":"Allowed"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		results, err := policy.ExplainJSON(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, r := range results {
			if r.Error != "" && r.Decision == policy.Allowed {
				t.Errorf("allowed in spite of %s", r.Error)
			}
		}
	})
}

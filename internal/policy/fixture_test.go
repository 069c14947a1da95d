package policy_test

import (
	"bytes"
	"testing"

	"github.com/tandemcc/tandem/internal/policy"
	"github.com/tandemcc/tandem/internal/testkit/fixtures"
)

// TestFixtureDecisions decides every recorded request as the independent evaluator did.
func TestFixtureDecisions(t *testing.T) {
	t.Parallel()
	data := fixtures.Read(t, "iam", "decisions.json")
	results, err := policy.ExplainJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if len(results) == 0 {
		t.Fatal("no cases")
	}
	wrong := 0
	for _, r := range results {
		if r.Error != "" || r.Agrees == nil {
			t.Errorf("case %d: error %q, expectation given %v", r.Index, r.Error, r.Agrees != nil)
			continue
		}
		if r.Explanation.Decision != r.Decision || r.Explanation.Layer != r.Layer {
			t.Errorf("case %d: Decide says %v by %v, Explain %v by %v", r.Index, r.Decision, r.Layer, r.Explanation.Decision, r.Explanation.Layer)
		}
		if !*r.Agrees {
			wrong++
			t.Errorf("case %d: %v (%s), want %v", r.Index, r.Decision, r.Explanation.Reason, *r.Expected)
		}
	}
	t.Logf("%d of %d cases agree", len(results)-wrong, len(results))
}

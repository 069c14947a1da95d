package soql

import (
	"encoding/json"
	"testing"

	"github.com/tandemcc/tandem/internal/testkit/fixtures"
)

// TestFixtureSOQL judges every labelled text as Salesforce's own grammar does, and prints and re-reads what is valid.
func TestFixtureSOQL(t *testing.T) {
	t.Parallel()
	var set struct {
		Cases []struct {
			SOQL  string `json:"soql"`
			Valid bool   `json:"valid"`
		} `json:"cases"`
	}
	if err := json.Unmarshal(fixtures.Read(t, "soql", "labelled.json"), &set); err != nil {
		t.Fatalf("reading the labelled texts: %v", err)
	}
	if len(set.Cases) == 0 {
		t.Fatal("the labelled set is empty")
	}
	for _, c := range set.Cases {
		q, err := Parse(c.SOQL)
		if (err == nil) != c.Valid {
			t.Errorf("Parse(%q): got error %v, want valid=%v", c.SOQL, err, c.Valid)
			continue
		}
		if err == nil {
			roundTrip(t, q)
		}
	}
}

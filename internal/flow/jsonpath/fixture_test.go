package jsonpath

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/testkit/fixtures"
)

func decode(t testing.TB, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("decoding: %v", err)
	}
	return v
}

type complianceCase struct {
	Name     string            `json:"name"`
	Selector string            `json:"selector"`
	Document json.RawMessage   `json:"document"`
	Result   json.RawMessage   `json:"result"`
	Results  []json.RawMessage `json:"results"`
	Invalid  bool              `json:"invalid_selector"`
}

func TestFixtureRFC9535(t *testing.T) {
	var suite struct {
		Tests []complianceCase `json:"tests"`
	}
	if err := json.Unmarshal(fixtures.Read(t, "expressions", "jsonpath-rfc9535-cts.json"), &suite); err != nil {
		t.Fatalf("decoding fixture: %v", err)
	}
	if len(suite.Tests) == 0 {
		t.Fatal("the fixture has no cases")
	}
	for _, c := range suite.Tests {
		p, err := Parse(c.Selector, Strict)
		if c.Invalid {
			if err == nil {
				t.Errorf("%s: %q must be refused", c.Name, c.Selector)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %q: %v", c.Name, c.Selector, err)
			continue
		}
		got, err := p.Query(decode(t, c.Document))
		if err != nil {
			t.Errorf("%s: %q: %v", c.Name, c.Selector, err)
			continue
		}
		if c.Result != nil {
			c.Results = append(c.Results, c.Result)
		}
		if !allowed(t, got, c.Results) {
			t.Errorf("%s: %q: got %v, want one of %s", c.Name, c.Selector, got, c.Results)
		}
	}
}

func allowed(t testing.TB, got []any, results []json.RawMessage) bool {
	t.Helper()
	for _, raw := range results {
		want, _ := decode(t, raw).([]any)
		if len(want) == 0 && len(got) == 0 || cmp.Equal(got, want) {
			return true
		}
	}
	return false
}

type jaywayCase struct {
	Path     string          `json:"path"`
	Compiled string          `json:"compiled"`
	Definite bool            `json:"definite"`
	Document json.RawMessage `json:"document"`
	Result   json.RawMessage `json:"result"`
	Error    string          `json:"error"`
}

func TestFixtureJayway(t *testing.T) {
	var suite struct {
		Cases []jaywayCase `json:"cases"`
	}
	if err := json.Unmarshal(fixtures.Read(t, "expressions", "jsonpath-jayway.json"), &suite); err != nil {
		t.Fatalf("decoding fixture: %v", err)
	}
	if len(suite.Cases) == 0 {
		t.Fatal("the fixture has no cases")
	}
	for _, c := range suite.Cases {
		p, err := Parse(c.Path, Jayway)
		if err != nil {
			if c.Error == "" {
				t.Errorf("%s: %v", c.Path, err)
			}
			continue
		}
		if p.Definite() != c.Definite {
			t.Errorf("%s: definite %v, want %v", c.Path, p.Definite(), c.Definite)
		}
		got, err := p.One(decode(t, c.Document))
		if c.Error != "" {
			if err == nil {
				t.Errorf("%s: %v, must fail with %s", c.Path, got, c.Error)
			} else if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrFunction) {
				t.Errorf("%s: unexpected error %v", c.Path, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.Path, err)
			continue
		}
		if !sameJayway(got, decode(t, c.Result), c.Definite) {
			t.Errorf("%s: got %v, want %s", c.Path, got, c.Result)
		}
	}
}

// sameJayway compares results. The members of an object come in the document's order from the library and in the order
// of their names here, so the list of an indefinite path is compared without regard to order.
func sameJayway(got, want any, definite bool) bool {
	x, okX := got.([]any)
	y, okY := want.([]any)
	if definite || !okX || !okY {
		return cmp.Equal(got, want)
	}
	if len(x) != len(y) {
		return false
	}
	used := make([]bool, len(y))
	for _, v := range x {
		found := false
		for i, w := range y {
			if !used[i] && cmp.Equal(v, w) {
				used[i], found = true, true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

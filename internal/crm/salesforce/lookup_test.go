package salesforce_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/sandbox/sandboxtest"
	"github.com/tandemcc/tandem/internal/soql"
)

// truth is which contacts of the seed have which number, by the exact field that the seed keeps.
func truth(t *testing.T, c *salesforce.Client) map[string][]string {
	t.Helper()
	q, err := soql.Build("Contact").Select("Id", salesforce.PhoneField).Text()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for rec, err := range c.Query(t.Context(), salesforce.Query{Text: q}) {
		if err != nil {
			t.Fatal(err)
		}
		n := rec.Text(salesforce.PhoneField)
		out[n] = append(out[n], rec.ID())
	}
	return out
}

// TestLookUpOfTypedNumbers looks every number of the seed up, which are typed in two dozen ways in three countries, once with the
// exact field and once as in an org that has none.
func TestLookUpOfTypedNumbers(t *testing.T) {
	t.Parallel()
	org := sandboxtest.Start(t)
	c := connect(t, org, nil)
	want := truth(t, c)
	for _, k := range []struct{ name, field string }{{"exact field and search", ""}, {"search and pattern", salesforce.NoMarker}} {
		found, missed, wrong, numbers := 0, 0, 0, 0
		for _, n := range slices.Sorted(maps.Keys(want)) {
			ids := want[n]
			if numbers++; numbers%2 == 0 && testing.Short() {
				continue
			}
			list, err := c.LookUp(t.Context(), salesforce.Lookup{Number: n, Region: "US", Field: k.field})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range list {
				if m.Object != "Contact" {
					continue
				}
				got = append(got, m.ID())
				switch {
				case slices.Contains(ids, m.ID()):
					found++
				case !strings.Contains(strings.Join([]string{m.Text("MobilePhone"), m.Text("HomePhone")}, ""), n[len(n)-4:]):
					// another contact may have the number in a second field
					wrong++
					t.Errorf("%s: %s gave %s (%s, %s)", k.name, n, m.ID(), m.Text("Phone"), m.Step)
				}
			}
			for _, id := range ids {
				if !slices.Contains(got, id) {
					missed++
					t.Logf("%s: %s missed %s", k.name, n, id)
				}
			}
		}
		t.Logf("%s: %d found, %d missed, %d wrong of %d numbers", k.name, found, missed, wrong, numbers)
		if missed > 0 || found < len(want)/2 {
			t.Errorf("%s: %d contacts were missed", k.name, missed)
		}
	}
}

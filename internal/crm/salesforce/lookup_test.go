package salesforce_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/tandemcc/tandem/internal/crm/salesforce"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
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
		t.Logf("%s: %d contacts found, %d missed, %d wrong of %d numbers", k.name, found, missed, wrong, numbers)
		if missed > 0 || wrong > 0 || found < 450 || found < 1000 && !testing.Short() {
			t.Errorf("%s: %d found, %d missed, %d wrong; the seed has 1,000 contacts with a number", k.name, found, missed, wrong)
		}
	}
}

// typed is how somebody may have typed a number, and how it calls.
type typed struct {
	text    string   // in the record
	region  string   // of the org
	callers []string // the same number as networks send it
}

// TestLookUpForms: extensions, trunk prefixes in brackets, leading zeros, letters and separators of all kinds, on both sides.
func TestLookUpForms(t *testing.T) {
	t.Parallel()
	org := sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone})
	c := connect(t, org, nil)
	contact(t, c, map[string]string{"LastName": "Decoy", "Phone": "415 555 9999 ext. 0101", "MobilePhone": "+44 20 7946 9999"})
	for _, k := range []typed{
		{"(415) 555-0101 ext. 12", "US", []string{"+14155550101", "4155550101", "14155550101", "0014155550101"}},
		{"415.555.0102 x12", "US", []string{"+14155550102"}},
		{"415-555-0103 extension 4", "US", []string{"+14155550103"}},
		{"+1 (415) 555-0104;ext=99", "US", []string{"+14155550104"}},
		{"1-415-555-0105", "US", []string{"+14155550105"}},
		{"+44 (0)20 7946 0101", "GB", []string{"+442079460101", "02079460101", "442079460101", "00442079460101"}},
		{"+44 (0)20 7946 0102", "US", []string{"+442079460102", "011442079460102", "00442079460102", "442079460102"}},
		{"020 7946 0103", "GB", []string{"+442079460103"}},
		{"0044 20 7946 0104", "US", []string{"+442079460104"}},
		{"+49 (0) 30 / 901820-105", "DE", []string{"+4930901820105", "030901820105", "4930901820105"}},
		{"030/90182 0106 Durchwahl", "DE", []string{"+4930901820106"}},
		{"0039 06 6982 0107", "IT", []string{"+390669820107", "0669820107"}}, // the zero belongs to the number
		{"+33 (0)1 42 68 53 08", "FR", []string{"+33142685308", "0142685308"}},
		{"call 415 555 0109 (mornings)", "US", []string{"+14155550109"}},
		{"Tel. (415) 555-0110, fax (415) 555-9110", "US", []string{"+14155550110"}},
		{"415-555-9111; 415-555-0111", "US", []string{"+14155550111"}},
	} {
		t.Run(k.text, func(t *testing.T) {
			id := contact(t, c, map[string]string{"LastName": "Typed", "Phone": k.text})
			for _, caller := range k.callers {
				list, err := c.LookUp(t.Context(), salesforce.Lookup{Number: caller, Region: k.region})
				if err != nil || len(list) != 1 || list[0].ID() != id || !list[0].Sure {
					t.Errorf("%s in %s: %+v, %v", caller, k.region, list, err)
				}
			}
		})
	}
}

func contact(t *testing.T, c *salesforce.Client, fields map[string]string) string {
	t.Helper()
	return made(t, c, "Contact", fields)
}

func made(t *testing.T, c *salesforce.Client, object string, fields map[string]string) string {
	t.Helper()
	raw, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(t.Context(), salesforce.Request{Method: http.MethodPost, Path: "/services/data/v68.0/sobjects/" + object, Body: raw})
	if err != nil || resp.Err() != nil {
		t.Fatalf("making a record: %v, %v", err, resp)
	}
	return gjson.GetBytes(resp.Body, "id").String()
}

// TestLookUpOfNobody: withheld and short numbers, and what is no number at all, are nobody's and cost no request; what a caller puts
// into the identity reaches no query.
func TestLookUpOfNobody(t *testing.T) {
	t.Parallel()
	u, c := newUnsteady(t)
	contact(t, c, map[string]string{"LastName": "Everybody", "Phone": "anonymous 1001 +266696687"})
	before := u.calls.Load()
	for _, number := range []string{
		"", "anonymous", "Anonymous", "Restricted", "unavailable", "+266696687", "266696687", "+7378742833", "1001", "911", "*67", "sip:anonymous@anonymous.invalid",
		"{*}", "' OR Name LIKE '%", "\\", "} RETURNING User(Id", "?*\"()[]{}+-&|!^~:'",
	} {
		if list, err := c.LookUp(t.Context(), salesforce.Lookup{Number: number, Region: "US"}); err != nil || len(list) != 0 {
			t.Errorf("%q gave %+v, %v", number, list, err)
		}
	}
	if n := u.calls.Load() - before; n != 0 {
		t.Errorf("%d requests were made", n)
	}
	for _, number := range []string{"41555{*}50199", "415' OR Name LIKE '%5550199", "4155550199} RETURNING User(Id", "415\\5550199", "415?*\"()[]{}+-&|!^~:5550199"} {
		if list, err := c.LookUp(t.Context(), salesforce.Lookup{Number: number, Region: "US"}); err != nil || len(list) != 0 {
			t.Errorf("%q gave %+v, %v", number, list, err)
		}
	}
}

// TestLookUpRanking: who surely has the number before who only may, the exact field before the search, names in order; an account
// that alone has the number is found.
func TestLookUpRanking(t *testing.T) {
	t.Parallel()
	org := sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone})
	c := connect(t, org, nil)
	contact(t, c, map[string]string{"LastName": "C typed", "MobilePhone": "(0)20 7946 0201"}) // in the org's country it is none
	contact(t, c, map[string]string{"LastName": "B full", "HomePhone": "+44 20 7946 0201"})
	contact(t, c, map[string]string{"LastName": "A full", "OtherPhone": "0044 (0)20 7946 0201"})
	contact(t, c, map[string]string{"LastName": "Z exact", salesforce.PhoneField: "+442079460201"})
	list, err := c.LookUp(t.Context(), salesforce.Lookup{Number: "+442079460201", Region: "US"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range list {
		got = append(got, m.Text("Name"))
	}
	if want := "Z exact, A full, B full, C typed"; strings.Join(got, ", ") != want || !list[2].Sure || list[3].Sure {
		t.Errorf("ranked %q, want %s", got, want)
	}
	account := made(t, c, "Account", map[string]string{"Name": "Switchboard", "Phone": "020 7946 0300"})
	list, err = c.LookUp(t.Context(), salesforce.Lookup{Number: "+442079460300", Region: "GB"})
	if err != nil || len(list) != 1 || list[0].ID() != account || list[0].Object != "Account" {
		t.Errorf("%+v, %v", list, err)
	}
}

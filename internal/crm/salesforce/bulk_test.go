package salesforce_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/sandbox/sandboxtest"
	"github.com/tandemcc/tandem/internal/soql"
)

// TestBulk loads contacts by external id, twice, and reads them back over parallel pages: each once, failures named.
func TestBulk(t *testing.T) {
	t.Parallel()
	org := sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone})
	h, err := httpx.New(httpx.Options{Allow: []string{strings.TrimPrefix(org.URL, "http://")}, MaxRequestBytes: 100 << 20, MaxResponseBytes: 100 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	c := connect(t, org, func(o *salesforce.Options) { o.HTTP = h })
	const n = 3000
	load := salesforce.BulkLoad{Object: "Contact", Operation: "upsert", ExternalID: salesforce.PhoneField, Columns: []string{"LastName", salesforce.PhoneField, "Description"}}
	for range 2 {
		i := -1
		res, err := c.BulkLoad(t.Context(), load, func() []string {
			switch i++; i {
			case n:
				return nil
			case 7:
				return []string{"", "+19995550007", "no name"}
			}
			return []string{"Load " + strconv.Itoa(i), fmt.Sprintf("+1999555%04d", i), "two\nlines, \"quoted\""}
		})
		if err != nil || res.Processed != n || len(res.Failures) != 1 || res.Failures[0].Row[salesforce.PhoneField] != "+19995550007" || !strings.Contains(res.Failures[0].Error, "LastName") {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	q, err := soql.Build("Contact").Select("Id", "LastName", "Description").Text()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	got, err := c.BulkQuery(t.Context(), salesforce.BulkQuery{Text: q, PageSize: 250}, func(r map[string]string) error {
		seen[r["LastName"]]++
		if r["Description"] != "two\nlines, \"quoted\"" {
			t.Errorf("read %q", r)
		}
		return nil
	})
	if err != nil || got != n-1 || len(seen) != n-1 {
		t.Errorf("%d records, %d of them different, want %d; %v", got, len(seen), n-1, err)
	}
	if _, err := c.BulkQuery(t.Context(), salesforce.BulkQuery{Text: "SELECT Nonsense FROM Contact"}, nil); !errs.Is(err, errs.Invalid) {
		t.Errorf("a wrong query: %v", err)
	}
}

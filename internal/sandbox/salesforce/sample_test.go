package salesforce

import (
	"net/http"
	"strings"
	"testing"
)

func TestMediumSeed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("makes 17,000 records")
	}
	o := start(t, Options{Seed: SeedMedium})
	for entity, want := range map[string]string{"Account": "2000", "Contact": "10000", "Case": "5000"} {
		if status, body := o.soql("SELECT COUNT() FROM " + entity); status != http.StatusOK || !strings.Contains(body, `"totalSize":`+want+",") {
			t.Errorf("%s: %s", entity, body)
		}
	}
}

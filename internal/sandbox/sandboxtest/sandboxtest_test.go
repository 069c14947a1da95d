package sandboxtest

import (
	"net/http"
	"testing"

	"github.com/tandemcc/tandem/internal/sandbox/salesforce"
)

func TestStart(t *testing.T) {
	t.Parallel()
	org := Start(t, salesforce.Options{Seed: salesforce.SeedNone})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, org.URL+"/services/data", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("the org answers %d, %v", res.StatusCode, err)
	}
	if c := org.Credentials(); c.ClientID == "" || c.Password == "" {
		t.Errorf("credentials are missing: %+v", c)
	}
}

// Package sandboxtest starts stand-ins for tests, so that the stand-ins themselves need no testing package.
package sandboxtest

import (
	"net/http/httptest"
	"testing"

	"github.com/tandemcc/tandem/internal/sandbox/salesforce"
)

// Salesforce is a running org and its address.
type Salesforce struct {
	*salesforce.Org
	URL string // "http://127.0.0.1:port"
}

// Start runs an org on a free loopback port until the test ends. Options are as for salesforce.New; by default it is a
// small org in a temporary folder.
func Start(t testing.TB, opts ...salesforce.Options) *Salesforce {
	t.Helper()
	var o salesforce.Options
	if len(opts) > 0 {
		o = opts[0]
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	org, err := salesforce.New(o)
	if err != nil {
		t.Fatalf("starting the sandbox org: %v", err)
	}
	server := httptest.NewServer(org.Handler())
	t.Cleanup(func() {
		server.Close()
		if err := org.Close(); err != nil {
			t.Errorf("closing the sandbox org: %v", err)
		}
	})
	return &Salesforce{Org: org, URL: server.URL}
}

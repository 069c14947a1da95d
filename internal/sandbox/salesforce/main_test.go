package salesforce

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines that outlive the tests. Fuzzing has its own, so it is left alone.
func TestMain(m *testing.M) {
	code := m.Run()
	if t, isTransport := http.DefaultTransport.(*http.Transport); isTransport {
		t.CloseIdleConnections()
	}
	fuzzing := flag.Lookup("test.fuzz").Value.String() != "" || flag.Lookup("test.fuzzworker").Value.String() == "true"
	if code == 0 && !fuzzing {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

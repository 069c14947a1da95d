// Package policies_test holds the shipped policies against what the hub really asks: a journal of the decisions of a whole test
// run, recorded with TANDEM_RECORD_DECISIONS and replayed by scripts/policy-replay.
package policies_test

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/identity"
)

// expected are denials of modules that a test provokes on purpose: "svc/name action".
var expected = []string{} //nolint:gochecknoglobals // constant

// later are statements for what no test can do yet, each with the reason.
//
//nolint:gochecknoglobals // constant
var later = map[string]string{
	"role-admin RotateKeys": "keys are rotated by an administrator of a running hub, for which there is no operation yet",
}

func journal(t *testing.T) *os.File {
	t.Helper()
	name := os.Getenv("TANDEM_REPLAY_DECISIONS")
	if name == "" {
		t.Skip("set TANDEM_REPLAY_DECISIONS to a journal; scripts/policy-replay records one and does")
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestEveryStatementIsNeeded leaves out each statement in turn: a decision must come out otherwise.
func TestEveryStatementIsNeeded(t *testing.T) {
	res, err := identity.ReplayJournal(t.Context(), nil, journal(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d different decisions", res.Decisions)
	if res.Decisions < 100 {
		t.Error("that is too few for a run of all tests")
	}
	for _, c := range res.Changed {
		t.Errorf("decided otherwise than when it was recorded: %s", c)
	}
	for _, u := range res.Unneeded {
		name, sid, _ := strings.Cut(u, " ")
		policy, _, _ := strings.Cut(name, "[")
		if _, ok := later[policy+" "+sid]; !ok {
			t.Errorf("no decision of the tests needs %s: remove it, or test what needs it", u)
		}
	}
}

// TestNoModuleIsDenied: a module that asks for what its policy does not grant has a bug, or its policy has.
func TestNoModuleIsDenied(t *testing.T) {
	lines := bufio.NewScanner(journal(t))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var d struct {
			Kind                 caller.Kind
			ID, Action, Resource string
			Via                  []string
			Allowed              bool
		}
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			t.Fatalf("%v in %.200s", err, lines.Text())
		}
		if d.Kind == caller.Service && !d.Allowed && !slices.Contains(expected, d.ID+" "+d.Action) {
			t.Errorf("%s (for %s) was denied %s on %s", d.ID, strings.Join(d.Via, ", "), d.Action, d.Resource)
		}
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
}

package flowtest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
	"github.com/tandemcc/tandem/internal/flow/flowtest"
	"github.com/tandemcc/tandem/internal/flow/webex"
	"github.com/tandemcc/tandem/internal/testkit/fixtures"
)

func formats() flow.Registry {
	return flow.Registry{webex.Importer{}, webex.V2Importer{}, connect.Importer{}, connect.LegacyImporter{}}
}

// TestFixtureFlowRunEnds runs every real export with the default script, and with a few that are less friendly: a run always
// ends by the flow or by a named limit.
func TestFixtureFlowRunEnds(t *testing.T) {
	t.Parallel()
	scripts := map[string]*flowtest.Script{
		"default":     nil,
		"presses one": {Digits: []flowtest.Entry{{Enter: "1", Repeat: true}}},
		"no agent":    {Queue: []flowtest.Queueing{{NoAnswer: true}}},
		"all fails": {
			HTTP: []flowtest.Answer{{Error: "connection refused"}}, Queue: []flowtest.Queueing{{Full: true}},
			Answers: []flowtest.Reply{{Outcome: "failed", Error: "not here"}}, PlayErrors: []string{"*"},
		},
		"agent leaves": {Talk: flowtest.Talk{By: "agent"}},
	}
	files, stopped := 0, 0
	for _, dir := range []string{"webex", "connect", "connect-legacy"} {
		root := fixtures.Dir(t, "flows", dir)
		entries, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(root, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			f, _, err := formats().Import(data)
			if err != nil {
				t.Logf("%s/%s: %v", dir, e.Name(), err)
				continue
			}
			r, err := flowtest.New(f)
			if err != nil {
				t.Errorf("%s/%s: %v", dir, e.Name(), err)
				continue
			}
			files++
			for name, s := range scripts {
				res, err := r.Run(s)
				switch {
				case err != nil:
					t.Errorf("%s/%s, %s: %v", dir, e.Name(), name, err)
				case res.End.Reason == "":
					t.Errorf("%s/%s, %s: it has no end", dir, e.Name(), name)
				case res.End.Stopped():
					stopped++
					t.Logf("%s/%s, %s: %s: %s", dir, e.Name(), name, res.End.Reason, res.End.Detail)
				}
			}
		}
	}
	if files == 0 {
		t.Error("no flow was run")
	}
	t.Logf("%d flows, %d scripts each, %d runs stopped by a limit", files, len(scripts), stopped)
}

package flowtest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/flowtest"
	"github.com/tandemcc/tandem/internal/flow/yaml"
)

const examples = "../../../examples/flows"

// load reads one of the project's own flows, in whatever format.
func load(t testing.TB, path string) *flow.Flow {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f *flow.Flow
	if (yaml.Importer{}).Sniff(data) {
		f, _, err = yaml.Importer{}.Import(data)
	} else {
		f, _, err = formats().Import(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestExamples runs the tests that are shipped with the example flows: they pass, and reach every node.
func TestExamples(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(examples + "/*.test.yaml")
	if err != nil || len(paths) < 3 {
		t.Fatalf("%d test suites: %v", len(paths), err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := flowtest.ParseSuite(data)
		if err != nil {
			t.Fatal(err)
		}
		r, err := flowtest.New(load(t, filepath.Join(examples, s.Flow)))
		if err != nil {
			t.Fatal(err)
		}
		rep := r.RunSuite(s)
		for _, o := range rep.Tests {
			for _, f := range o.Failures {
				t.Errorf("%s, %s: %s", path, o.Name, f)
			}
		}
		if c := rep.Coverage; c.NodesReached != c.Nodes || c.EdgeShare() < 0.9 {
			t.Errorf("%s reaches %d of %d nodes and %d of %d exits: %v", path, c.NodesReached, c.Nodes, c.EdgesTaken, c.Edges, c.Missed)
		}
	}
}

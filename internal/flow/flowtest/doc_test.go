package flowtest_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/tandemcc/tandem/internal/flow/flowtest"
)

// TestDocumentation runs the flow, and reads the script and the suite, that docs/authoring.md shows.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../../docs/authoring.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(doc, -1)
	if len(blocks) != 3 {
		t.Fatalf("%d examples", len(blocks))
	}
	path := t.TempDir() + "/flow.yaml"
	if err := os.WriteFile(path, blocks[0][1], 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := flowtest.New(load(t, path))
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.Run(script(t, string(blocks[1][1])))
	if err != nil || res.End.Stopped() {
		t.Errorf("%v %v", err, res)
	}
	suite(t, string(blocks[2][1]))
}

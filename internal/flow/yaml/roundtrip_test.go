package yaml_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
	"github.com/tandemcc/tandem/internal/flow/flowtest"
	"github.com/tandemcc/tandem/internal/flow/webex"
	"github.com/tandemcc/tandem/internal/flow/yaml"
	"github.com/tandemcc/tandem/internal/testkit/fixtures"
)

func formats() flow.Registry {
	return flow.Registry{webex.Importer{}, webex.V2Importer{}, connect.Importer{}, connect.LegacyImporter{}}
}

// model is the flow's JSON without what YAML does not keep: source texts, where values stand, and the order of references.
func model(t testing.TB, f *flow.Flow) string {
	t.Helper()
	c := f.Clone()
	c.Origin = flow.Origin{}
	if len(c.On) == 0 {
		c.On = nil
	}
	if len(c.Layout) == 0 {
		c.Layout = nil
	}
	slices.SortStableFunc(c.Refs, func(a, b flow.Ref) int { return cmp.Compare(a.Node, b.Node) })
	for _, n := range c.Nodes {
		n.Raw = nil
		if len(n.Exits) == 0 {
			n.Exits = nil
		}
		for i := range n.Out {
			n.Out[i].Field = ""
		}
		for k, v := range n.In {
			n.In[k] = placeless(v)
		}
	}
	data, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func placeless(v flow.Value) flow.Value {
	v.Field = ""
	for i := range v.List {
		v.List[i] = placeless(v.List[i])
	}
	for k, x := range v.Map {
		v.Map[k] = placeless(x)
	}
	return v
}

// behaviour is what a default call, and one with keys pressed, do in a flow.
func behaviour(t testing.TB, f *flow.Flow) string {
	t.Helper()
	r, err := flowtest.New(f)
	if err != nil {
		return "does not compile"
	}
	var b strings.Builder
	for _, s := range []*flowtest.Script{nil, {Digits: []flowtest.Entry{{Enter: "1", Repeat: true}}, Talk: flowtest.Talk{By: "agent"}}} {
		res, err := r.Run(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range res.Trace {
			b.WriteString(string(st.ID) + ">" + string(st.Port) + "\n")
		}
		for _, p := range res.Prompts {
			b.WriteString(p.Text + "\n")
		}
		b.WriteString(res.End.Reason + "\n")
	}
	return b.String()
}

// roundTrip writes a flow and reads it again.
func roundTrip(t testing.TB, f *flow.Flow) (*flow.Flow, []byte) {
	t.Helper()
	data, err := yaml.Export(f)
	if err != nil {
		t.Fatal(err)
	}
	if !(yaml.Importer{}).Sniff(data) {
		t.Error("what is written is not recognised")
	}
	g, _, err := yaml.Importer{}.Import(data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return g, data
}

// TestFixtureRoundTrip writes every real flow as YAML and reads it again: the model, what it does and its YAML are the same.
func TestFixtureRoundTrip(t *testing.T) {
	t.Parallel()
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
				t.Logf("%s: %v", e.Name(), err)
				continue
			}
			same(t, dir+"/"+e.Name(), f)
		}
	}
}

// TestExamplesRoundTrip does the same with the project's own flows.
func TestExamplesRoundTrip(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../examples/flows/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, _, err := formats().Import(data)
		if err != nil {
			t.Fatal(err)
		}
		same(t, path, f)
	}
}

func same(t *testing.T, name string, f *flow.Flow) {
	t.Helper()
	g, data := roundTrip(t, f)
	if d := gocmp.Diff(model(t, f), model(t, g)); d != "" {
		t.Errorf("%s: %s", name, clip(d))
	}
	if d := gocmp.Diff(behaviour(t, f), behaviour(t, g)); d != "" {
		t.Errorf("%s does something else: %s", name, clip(d))
	}
	again, err := yaml.Export(g)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, again) {
		t.Errorf("%s: written again, the YAML is another: %s", name, clip(gocmp.Diff(string(data), string(again))))
	}
}

func clip(s string) string { return s[:min(len(s), 3000)] }

package webex_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/webex"
	"github.com/tandemcc/tandem/internal/testkit/fixtures"
	"github.com/tandemcc/tandem/internal/testkit/flows"
)

// exports calls fn for each file of the importer's format.
func exports(t *testing.T, im flow.Importer, fn func(t *testing.T, data []byte, f *flow.Flow)) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(fixtures.Dir(t, "flows", "webex"), "*"))
	if err != nil || len(list) == 0 {
		t.Fatalf("no flows: %v", err)
	}
	for _, path := range list {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !im.Sniff(data) {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, _, err := im.Import(data)
			if err != nil {
				t.Fatal(err)
			}
			fn(t, data, f)
		})
	}
}

// write exports without a loss.
func write(t *testing.T, ex flow.Exporter, f *flow.Flow) []byte {
	t.Helper()
	out, losses, err := ex.Export(f)
	if err != nil || len(losses) > 0 {
		t.Fatalf("%v, losses %v", err, losses)
	}
	return out
}

// What was imported is exported as it was.
func TestFixtureWebexRoundTrip(t *testing.T) {
	exports(t, webex.Importer{}, func(t *testing.T, data []byte, f *flow.Flow) {
		if diff := cmp.Diff(flows.Tree(t, data), flows.Tree(t, write(t, webex.Exporter{}, flows.Stored(t, f)))); diff != "" {
			t.Error(diff)
		}
	})
	exports(t, webex.V2Importer{}, func(t *testing.T, data []byte, f *flow.Flow) {
		if diff := cmp.Diff(flows.Tree(t, data), flows.Tree(t, write(t, webex.V2Exporter{}, flows.Stored(t, f)))); diff != "" {
			t.Error(diff)
		}
	})
}

// A raw export written as FlowV2 is the same flow, and FlowV2 is written back as it was.
func TestFixtureWebexV2RoundTrip(t *testing.T) {
	exports(t, webex.Importer{}, func(t *testing.T, _ []byte, f *flow.Flow) {
		v2, losses, err := webex.V2Exporter{}.Export(f)
		if err != nil {
			t.Fatal(err)
		}
		g, rep, err := webex.V2Importer{}.Import(v2)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(flows.Tree(t, v2), flows.Tree(t, write(t, webex.V2Exporter{}, flows.Stored(t, g)))); diff != "" {
			t.Error(diff)
		}
		lost := map[string]bool{}
		for _, l := range losses {
			lost[l.Node] = true
		}
		for _, n := range f.Nodes {
			m := g.NodeByName(n.Name)
			if m == nil && !lost[n.Name] {
				t.Errorf("%s is gone without a word", n.Name)
			} else if m != nil && m.Op != n.Op && !lost[n.Name] {
				t.Errorf("%s was %s and is %s", n.Name, n.Op, m.Op)
			}
		}
		for _, p := range rep.Problems {
			if p.Rule == flow.RuleShape && !strings.Contains(p.Message, "not in the file") {
				t.Errorf("%+v", p)
			}
		}
	})
}

// A prompt that was edited changes where it stands and where the diagram repeats it, and nowhere else.
func TestFixtureWebexEditedRoundTrip(t *testing.T) {
	exports(t, webex.Importer{}, func(t *testing.T, data []byte, f *flow.Flow) {
		g := flows.Stored(t, f)
		var edited *flow.Node
		for _, id := range slices.Sorted(maps.Keys(g.Nodes)) {
			if list := g.Nodes[id].In["prompts"].List; len(list) > 0 && edited == nil {
				list[0].Map["text"] = flow.Value{Lit: "A new greeting.", Field: list[0].Map["text"].Field}
				edited = g.Nodes[id]
			}
		}
		if edited == nil {
			return // nothing to edit: the flow plays nothing
		}
		out := write(t, webex.Exporter{}, g)
		back, _, err := webex.Importer{}.Import(out)
		if err != nil {
			t.Fatal(err)
		}
		if got := flow.Source(back.Nodes[edited.ID].In["prompts"].List[0].Map["text"]); got != "A new greeting." {
			t.Errorf("it came back as %q", got)
		}
		changed := flows.Differences("", flows.Tree(t, data), flows.Tree(t, out))
		if len(changed) == 0 || len(changed) > 2 {
			t.Errorf("changed: %v", changed)
		}
		for _, c := range changed {
			if !strings.Contains(c, string(edited.ID)) || !strings.HasSuffix(c, ".value") {
				t.Errorf("changed: %s", c)
			}
		}
	})
}

// Edits reach the fields that repeat each other, in the unit of the source.
func TestSemantics6ExportTwinsAndUnits(t *testing.T) {
	data := export(intVar, "set-variable", `"srcVariable":"y","setTo":"set-to-literal","expr":"a","literal":"a",
		"setVariablesArray":[{"srcVariable":"y","setTo":"set-to-literal","expr":"a","literal":"a"},{"srcVariable":"x","setTo":"set-to-literal","literal":"b","expr":"b"}]`, "out", "error")
	f, _, err := webex.Importer{}.Import(data)
	if err != nil {
		t.Fatal(err)
	}
	v := f.Nodes["a"].In["sets"].List[0].Map["value"]
	f.Nodes["a"].In["sets"].List[0].Map["value"] = flow.Pebble("{{ x }}", v.Field)
	f.Nodes["a"].Exits[flow.PortOK] = "e1"
	f.Vars[1].Value = "other"
	f.Vars = append(f.Vars, flow.Var{Name: "new", Type: flow.TypeInteger, Value: int64(5)})
	changed := flows.Differences("", flows.Tree(t, data), flows.Tree(t, write(t, webex.Exporter{}, f)))
	want := []string{
		".process.activities.a.properties.expr", ".process.activities.a.properties.literal", ".process.activities.a.properties.setVariablesArray[0].expr",
		".process.activities.a.properties.setVariablesArray[0].literal", ".process.links[1].targetActivityId", ".variables",
	}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct{ name, props, in, value, field, want string }{
		{"play-music", `"prompt":"m.wav","duration":"3"`, "durationMS", "4500", "duration", "4.5"},
		{"wait-activity", `"duration":"00:01:05"`, "durationMS", "3600000", "duration", "01:00:00"},
		{"http-request-v2", `"httpRequestUrl":"https://x.example","httpResponseTimeout":2000`, "timeoutMS", "2500", "httpResponseTimeout", "2500"},
		{"case-statement", `"expression":"x","menuLinks":["0"],"menuLinks_input":["1"]`, "expr", "{{ y }}", "expression", "y"},
	} {
		f, _, err := webex.Importer{}.Import(export(intVar, tt.name, tt.props, "default"))
		if err != nil {
			t.Fatal(err)
		}
		v := f.Nodes["a"].In[tt.in]
		if v.Dialect == flow.DialectPebble {
			v.Src = tt.value
		} else {
			v.Lit = tt.value
		}
		f.Nodes["a"].In[tt.in] = v
		out := write(t, webex.Exporter{}, f)
		var doc struct {
			Process struct {
				Activities map[string]struct{ Properties map[string]any }
			}
		}
		if err := json.Unmarshal(out, &doc); err != nil {
			t.Fatal(err)
		}
		got := doc.Process.Activities["a"].Properties[tt.field]
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
}

// A menu's labels stand under two names.
func TestExportMenuTwins(t *testing.T) {
	data := export("", "ivr-menu", `"menuLinks":["1","2"],"menuLinks:input":["Sales","Help"],"menuLinks_input":["Sales","Help"],"toggle":true,"promptsTts":[{"type":"tts","value":"press"}]`, "1", "2", "timeout")
	f, _, err := webex.Importer{}.Import(data)
	if err != nil {
		t.Fatal(err)
	}
	l := f.Nodes["a"].In["labels"].List
	l[1] = flow.Value{Lit: "Support", Field: l[1].Field}
	changed := flows.Differences("", flows.Tree(t, data), flows.Tree(t, write(t, webex.Exporter{}, f)))
	if len(changed) != 2 || !strings.HasSuffix(changed[0], "menuLinks:input[1]") || !strings.HasSuffix(changed[1], "menuLinks_input[1]") {
		t.Errorf("changed: %v", changed)
	}
}

// Nodes that were added or removed reach the export, also behind a handler.
func TestExportNewNodes(t *testing.T) {
	f, _, err := webex.Importer{}.Import(export(intVar, "play-message", `"toggle":true,"promptsTts":[{"type":"tts","value":"hello"}]`, "default", "error"))
	if err != nil {
		t.Fatal(err)
	}
	f.Nodes["n"] = &flow.Node{
		ID: "n", Name: "Ask", Op: flow.OpCond, In: map[string]flow.Value{"expr": flow.Pebble("{{ n == 1 }}", "expression")},
		Exits: map[flow.Port]flow.NodeID{flow.PortTrue: "e0", flow.PortFalse: "a"},
	}
	f.Nodes["a"].Exits[flow.PortOK] = "n"
	f.Nodes["a"].Exits[flow.PortError] = "e0"
	delete(f.Nodes, "e1")
	back, rep, err := webex.Importer{}.Import(write(t, webex.Exporter{}, f))
	if err != nil {
		t.Fatal(err)
	}
	if n := back.Nodes["n"]; n == nil || n.Op != flow.OpCond || n.Exits[flow.PortFalse] != "a" || back.Nodes["a"].Exits[flow.PortOK] != "n" || back.Nodes["e1"] != nil {
		t.Errorf("%+v", back.Nodes)
	}
	for _, p := range rep.Problems {
		if p.Rule == flow.RuleShape {
			t.Errorf("%+v", p)
		}
	}
}

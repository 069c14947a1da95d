package flow_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
	"github.com/tandemcc/tandem/internal/flow/webex"
	"github.com/tandemcc/tandem/internal/testkit/fixtures"
)

var allFormats = flow.Registry{webex.Importer{}, webex.V2Importer{}, connect.Importer{}, connect.LegacyImporter{}}

// Flows of Amazon Connect are recognised, counted and kept whole; files that are no JSON are refused.
func TestFixtureConnectRecognised(t *testing.T) {
	for _, dir := range []string{"connect", "connect-legacy"} {
		files, err := filepath.Glob(filepath.Join(fixtures.Dir(t, "flows", dir), "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no flows in %s", dir)
		}
		for _, path := range files {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f, rep, err := allFormats.Import(data)
			if err != nil {
				if json.Valid(data) {
					t.Errorf("%s: %v", filepath.Base(path), err)
				}
				continue
			}
			var raw struct{ Actions, Modules []any }
			if err := json.Unmarshal(data, &raw); err != nil {
				t.Fatal(err)
			}
			if rep.Format != dir || rep.Nodes != len(raw.Actions)+len(raw.Modules) || len(f.Nodes) != rep.Nodes || rep.Edges == 0 && rep.Nodes > 1 {
				t.Errorf("%s: %s with %d nodes and %d edges", filepath.Base(path), rep.Format, rep.Nodes, rep.Edges)
			}
			if _, err := flow.Compile(f); err != nil {
				t.Errorf("%s: %v", filepath.Base(path), err)
			}
		}
	}
}

// FlowV2 has the activities and ports of the raw form, in lists, and names nodes by identifier or name.
func TestFlowV2(t *testing.T) {
	data := []byte(`{"name":"v2","flowType":"FLOW","variables":[],"nodes":[
		{"id":"n1","name":"Start","activityType":"start","group":"start","properties":{"activityName":"start"}},
		{"id":"n2","name":"Hello","activityType":"action","group":"action","properties":{"activityName":"play-message","toggle":true,"promptsTts":[{"type":"tts","value":"Hello {{ NewPhoneContact.ani }}"}]}},
		{"id":"n3","name":"Queue","activityType":"action","group":"action","properties":{"activityName":"queue-contact","queueId":"q-1"}},
		{"id":"n4","name":"Bye","activityType":"end","group":"terminating-action","properties":{"activityName":"disconnect-contact"}}],
		"edges":[{"id":"1","from":"n1","to":"Hello","condition":"out"},{"id":"2","from":"Hello","to":"n3","condition":"default"},{"id":"3","from":"n3","to":"n4","condition":"failure"}],
		"eventFlows":{"GLOBAL_EVENTS":{"onEvents":{"GlobalErrorHandling":"e1"},"nodes":[
			{"id":"e1","name":"OnGlobalError","activityType":"event","group":"action","properties":{"activityName":"event","eventSpecificationName":"GlobalErrorHandling"}},
			{"id":"e2","name":"Off","activityType":"end","properties":{"activityName":"disconnect-contact"}}],"edges":[{"from":"e1","to":"e2","condition":"out"}]}}}`)
	f, rep, err := allFormats.Import(data)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Format != "webex-v2" || rep.Nodes != 6 || rep.Edges != 4 || rep.Handlers != 1 || rep.Mapped != 6 || len(rep.Problems) != 0 {
		t.Errorf("report %+v", rep)
	}
	c := start(t, f, nil)
	if got := c.want(flow.CmdPlay).Play.Prompts[0].Text; got != "Hello +14155550100" {
		t.Errorf("said %q", got)
	}
	if q := c.played().want(flow.CmdEnqueue).Enqueue; q.Queue != "q-1" {
		t.Errorf("queue %+v", q)
	}
}

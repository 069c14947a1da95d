package flow_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
	"github.com/tandemcc/tandem/internal/flow/webex"
	"github.com/tandemcc/tandem/internal/testkit/fixtures"
)

// A flow of one system, written for the other, can be read there and runs; every node is there or named as lost.
func TestFixtureAcrossFormats(t *testing.T) {
	ways := []struct {
		dir string
		to  flow.Exporter
	}{
		{"webex", connect.Exporter{}},
		{"connect", webex.Exporter{}},
		{"connect", webex.V2Exporter{}},
		{"connect-legacy", webex.Exporter{}},
	}
	for _, way := range ways {
		files, err := filepath.Glob(filepath.Join(fixtures.Dir(t, "flows", way.dir), "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no flows in %s: %v", way.dir, err)
		}
		nodes, kept := 0, 0
		for _, path := range files {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f, _, err := allFormats.Import(data)
			if err != nil {
				continue
			}
			out, losses, err := way.to.Export(f)
			if err != nil {
				t.Errorf("%s to %s: %v", filepath.Base(path), way.to.Format(), err)
				continue
			}
			g, rep, err := allFormats.Import(out)
			if err != nil || rep.Format != way.to.Format() {
				t.Errorf("%s to %s: %v, read as %v", filepath.Base(path), way.to.Format(), err, rep)
				continue
			}
			checkKept(t, filepath.Base(path), f, g, losses)
			nodes += len(f.Nodes)
			kept += len(g.Nodes)
			if _, err := flow.Compile(g); err != nil {
				t.Errorf("%s to %s: %v", filepath.Base(path), way.to.Format(), err)
			}
		}
		t.Logf("%s to %s: %d nodes became %d", way.dir, way.to.Format(), nodes, kept)
	}
}

func checkKept(t *testing.T, name string, f, g *flow.Flow, losses []flow.Loss) {
	t.Helper()
	lost := make(map[string]bool, len(losses))
	for _, l := range losses {
		lost[l.Node] = true
	}
	for id, n := range f.Nodes {
		if g.Nodes[id] == nil && g.NodeByName(n.Name) == nil && !lost[n.Name] && n.Op != flow.OpStart {
			t.Errorf("%s: %s (%s) is gone without a word", name, n.Name, n.Op)
		}
	}
}

// A simple flow of one system does the same in the other.
func TestAcrossFormatsRunsTheSame(t *testing.T) {
	source := []byte(`{"name":"x","variables":[{"name":"name","type":"STRING","value":"Ada"}],"process":{"activities":{
		"s":{"id":"s","name":"NewPhoneContact","group":"start","properties":{"activityName":"NewPhoneContact"}},
		"p":{"id":"p","name":"Hello","group":"action","properties":{"activityName":"play-message","toggle":true,"promptsTts":[{"type":"tts","value":"Hello {{ name }} at {{ NewPhoneContact.ANI }}"}]}},
		"m":{"id":"m","name":"Menu","group":"enum-gateway","properties":{"activityName":"ivr-menu","toggle":true,"promptsTts":[{"type":"tts","value":"press"}],"menuLinks":["1","2"],"entryTimeout":"4"}},
		"q":{"id":"q","name":"Queue","group":"action","properties":{"activityName":"queue-contact","destination":"q-1"}},
		"e":{"id":"e","name":"Bye","group":"terminating-action","properties":{"activityName":"disconnect-contact"}}},
		"links":[{"id":"1","sourceActivityId":"s","targetActivityId":"p","conditionExpr":"out"},{"id":"2","sourceActivityId":"p","targetActivityId":"m","conditionExpr":"default"},
		{"id":"3","sourceActivityId":"m","targetActivityId":"q","conditionExpr":"1"},{"id":"4","sourceActivityId":"m","targetActivityId":"e","conditionExpr":"2"},
		{"id":"5","sourceActivityId":"m","targetActivityId":"e","conditionExpr":"timeout"},{"id":"6","sourceActivityId":"m","targetActivityId":"m","conditionExpr":"invalid"}]},"eventFlows":{"eventsMap":{}}}`)
	f, _, err := allFormats.Import(source)
	if err != nil {
		t.Fatal(err)
	}
	there, losses, err := connect.Convert(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(losses) > 0 {
		t.Errorf("losses %v", losses)
	}
	g, _, err := allFormats.Import(there)
	if err != nil {
		t.Fatal(err)
	}
	back, _, err := webex.Exporter{}.Export(g)
	if err != nil {
		t.Fatal(err)
	}
	h, _, err := allFormats.Import(back)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []*flow.Flow{f, g, h} {
		c := start(t, x, map[string]any{"name": "Ada"})
		if got := c.want(flow.CmdPlay).Play.Prompts[0].Text; got != "Hello Ada at +14155550100" {
			t.Errorf("%s: says %q", x.Origin.Format, got)
		}
		c.played()
		if m := c.want(flow.CmdGather).Gather; m.EntryTimeoutMS != 4000 {
			t.Errorf("%s: %+v", x.Origin.Format, m)
		}
		c.entered("7").entered("1")
		if x != h { // the queue was chosen by an action before, which Webex has not
			if q := c.want(flow.CmdEnqueue).Enqueue; q.Queue != "q-1" {
				t.Errorf("%s: %+v", x.Origin.Format, q)
			}
		}
	}
}

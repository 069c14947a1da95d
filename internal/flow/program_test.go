package flow_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/flow"
)

func TestScreenPopAddress(t *testing.T) {
	tests := []struct{ base, id, want string }{
		{"https://org.example", "500A", "https://org.example/r/500A?tab=a+b%26c"},
		{"https://org.example", "../x?y", "https://org.example/r/..%2Fx%3Fy?tab=a+b%26c"},
		{"javascript:alert(1)//", "1", ""},
		{"", "1", "/r/1?tab=a+b%26c"},
	}
	for _, tt := range tests {
		c := start(t, build([]flow.Var{{Name: "base", Type: flow.TypeString, Value: "unset"}, {Name: "id", Type: flow.TypeString}},
			node("start", flow.OpStart, nil, "ok", "P"),
			node("P", flow.OpPop, map[string]flow.Value{
				"url": pebble("{{ base }}/r/{{ id }}"), "label": flow.Lit("L"), "target": flow.Lit("newBrowserTab"),
				"query": {Map: map[string]flow.Value{"tab": flow.Lit("a b&c")}},
			})), map[string]any{"base": tt.base, "id": tt.id})
		got := ""
		if pops := c.got(flow.CmdScreenPop); len(pops) == 1 {
			got = pops[0].ScreenPop.URL
		}
		if want := strings.ReplaceAll(tt.want, "+", "%20"); got != want {
			t.Errorf("%s, %s: opened %q, want %q", tt.base, tt.id, got, want)
		}
	}
}

// Chance comes with the event: the same seed takes the same branch, and shares come out as given.
func TestSplit(t *testing.T) {
	share := func(l, p string) flow.Value {
		return flow.Value{Map: map[string]flow.Value{"label": flow.Lit(l), "percent": flow.Lit(p)}}
	}
	p, err := flow.Compile(build(nil, node("start", flow.OpStart, nil, "ok", "S"),
		node("S", flow.OpSplit, map[string]flow.Value{"weights": {List: []flow.Value{share("A", "70"), share("B", "30")}}}, "pct:A", "E", "pct:B", "E"), node("E", flow.OpEnd, nil)))
	if err != nil {
		t.Fatal(err)
	}
	count := map[flow.Port]int{}
	for seed := range uint64(10_000) {
		_, a, _ := flow.Start(p, flow.Input{At: epoch, Seed: seed})
		_, b, _ := flow.Start(p, flow.Input{At: epoch, Seed: seed})
		if !cmp.Equal(a, b) {
			t.Fatal("the same seed took another branch")
		}
		count[a.Trace[1].Port]++
	}
	if n := count["pct:A"]; n < 6800 || n > 7200 || count["pct:B"]+n != 10_000 {
		t.Errorf("shares %v", count)
	}
}

// A caller who is neither queued nor talking when all paths have ended is disconnected: nobody listens to silence.
func TestNobodyListensToSilence(t *testing.T) {
	c := start(t, build(nil, node("start", flow.OpStart, nil, "ok", "E"), node("E", flow.OpEnd, nil)), nil)
	if len(c.got(flow.CmdHangup)) != 1 {
		t.Errorf("commands %+v", c.last)
	}
	if c.step(flow.Event{Kind: flow.EvContactEnded}); len(c.got(flow.CmdHangup)) != 0 {
		t.Error("hung up twice")
	}
	c.over()
}

func TestCompileRefuses(t *testing.T) {
	ok := build(nil, node("start", flow.OpStart, nil, "ok", "E"), node("E", flow.OpEnd, nil))
	broken := map[string]func(*flow.Flow){
		"no start":      func(f *flow.Flow) { f.Start = "x" },
		"dangling exit": func(f *flow.Flow) { f.Nodes["start"].Exits[flow.PortOK] = "x" },
		"dangling on":   func(f *flow.Flow) { f.On[flow.OnError] = "x" },
		"twice":         func(f *flow.Flow) { f.Vars = []flow.Var{{Name: "a"}, {Name: "a"}} },
		"zone":          func(f *flow.Flow) { f.Options.Zone = "Nowhere/City" },
		"nil node":      func(f *flow.Flow) { f.Nodes["y"] = nil },
	}
	for name, spoil := range broken {
		f := ok.Clone()
		if name == "nil node" {
			f.Nodes["y"] = nil
		}
		spoil(f)
		if _, err := flow.Compile(f); !errors.Is(err, flow.ErrInvalid) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if !slices.Equal([]string{"start>ok"}, start(t, ok, nil).path()) {
		t.Error("the sound flow does not run")
	}
}

// One program serves many calls at once.
func TestProgramIsShared(t *testing.T) {
	f, _ := example(t, "data-dip.json")
	p, err := flow.Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	outs := make([]flow.Output, 8)
	var wg sync.WaitGroup
	for i := range outs {
		wg.Go(func() {
			s, _, err := flow.Start(p, flow.Input{Contact: flow.Contact{ANI: "+14155550100"}, At: epoch})
			if err != nil {
				t.Error(err)
				return
			}
			for range 2 {
				c := s.Outstanding()[0]
				ev := flow.Event{Kind: flow.EvPromptDone, Command: c.ID, At: epoch, HTTP: &flow.HTTPResult{Status: 200, Body: []byte(`{"records":[{"Id":"1","Name":"x"}]}`)}}
				if c.Kind == flow.CmdHTTP {
					ev.Kind = flow.EvHTTPResult
				}
				if outs[i], err = flow.Step(p, s, ev); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, out := range outs[1:] {
		if diff := cmp.Diff(outs[0], out); diff != "" {
			t.Error(diff)
		}
	}
}

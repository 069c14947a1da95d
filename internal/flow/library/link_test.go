package library_test

import (
	"fmt"
	"testing"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/library"
	"github.com/tandemcc/tandem/internal/flow/yaml"
)

// caller of a subflow that is bound to another flow.
func callerOf(name, ref string) string {
	return fmt.Sprintf(`
tandem: flow/1
name: %s
start: Call
nodes:
  Call: {op: start, exits: Sub}
  Sub: {op: sub, in: {flow: %s}, exits: {ok: End, error: End}}
  End: {op: hangup}
`, name, ref)
}

func subOf(text string) string {
	return fmt.Sprintf(`
tandem: flow/1
name: Sub
kind: sub
start: Call
nodes:
  Call: {op: start, exits: Say}
  Say: {op: say, in: {prompts: %s}, exits: Back}
  Back: {op: endSub}
`, text)
}

// TestPinnedPrograms: the program of a call is the same after publications and in another process, as long as its pins are.
func TestPinnedPrograms(t *testing.T) {
	t.Parallel()
	s, m, ctx, _ := start(t)
	s.Formats, s.Authz = flow.Registry{yaml.Importer{}}, only{"flow:Import", "flow:Get", "flow:Bind", "flow:Publish", "flow:Run"}
	load := func(id, source string, bind ...library.Binding) string {
		t.Helper()
		d, err := s.Import(ctx, "t", id, "", []byte(source))
		if err == nil && len(bind) > 0 {
			d, err = s.Bind(ctx, "t", d.ID, d.Version, bind)
		}
		if err == nil {
			_, err = s.Publish(ctx, "t", d.ID, d.Version)
		}
		if err != nil {
			t.Fatal(err)
		}
		return d.ID
	}
	sub := load("", subOf("one"))
	main := load("", callerOf("Caller", "sf-1"), library.Binding{Kind: flow.RefFlow, Ref: "sf-1", Target: sub})
	before, err := s.Published(ctx, "t", main)
	if err != nil || before.Pins[sub] != 1 || before.Pins[main] != 2 || len(before.Flow.Nodes) != 6 {
		t.Fatalf("%+v %v", before, err)
	}
	load(sub, subOf("two"))
	after, err := s.Published(ctx, "t", main)
	if err != nil || after.Pins[sub] != 2 || after.Program.Pin() == before.Program.Pin() {
		t.Errorf("a new call does not run what was published: %+v %v", after.Pins, err)
	}
	other := &library.Service{Store: m, Authz: s.Authz, Formats: s.Formats, Now: s.Now, Log: s.Log}
	for name, svc := range map[string]*library.Service{"this process": s, "another": other} {
		c, err := svc.Pinned(ctx, "t", main, before.Version, before.Pins)
		if err != nil || c.Program.Pin() != before.Program.Pin() {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A call from before there were pins had nothing linked in, and must not have now.
	bare, err := other.Pinned(ctx, "t", main, before.Version, nil)
	if err != nil || len(bare.Flow.Nodes) != 3 {
		t.Errorf("%+v %v", bare, err)
	}
}

// TestFlowsInACircle: flows that call each other compile, once each.
func TestFlowsInACircle(t *testing.T) {
	t.Parallel()
	s, _, ctx, _ := start(t)
	s.Formats, s.Authz = flow.Registry{yaml.Importer{}}, only{"flow:Import", "flow:Get", "flow:Bind", "flow:Publish", "flow:Run"}
	var ids [2]string
	for i := range ids {
		d, err := s.Import(ctx, "t", "", "", []byte(callerOf(fmt.Sprint("F", i), "other")))
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = d.ID
	}
	for i, id := range ids {
		d, err := s.Bind(ctx, "t", id, 1, []library.Binding{{Kind: flow.RefFlow, Ref: "other", Target: ids[1-i]}})
		if err == nil {
			_, err = s.Publish(ctx, "t", id, d.Version)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := s.Published(ctx, "t", ids[0])
	if err != nil || len(c.Pins) != 2 || len(c.Flow.Nodes) > 9 {
		t.Errorf("%+v %v", c, err)
	}
	_, err = s.Bind(ctx, "t", ids[0], 0, []library.Binding{{Kind: flow.RefFlow, Ref: "other", Target: "nothing"}})
	if err == nil {
		t.Error("a reference was bound to a flow that is not there")
	}
}

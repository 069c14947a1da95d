package flow_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/webex"
)

// epoch is when every test call comes in.
var epoch = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// node makes a node whose name is its identifier; exits are port, target, port, target...
func node(name string, op flow.Op, in map[string]flow.Value, exits ...string) *flow.Node {
	n := &flow.Node{ID: flow.NodeID(name), Name: name, Op: op, In: in, Exits: map[flow.Port]flow.NodeID{}}
	for i := 0; i+1 < len(exits); i += 2 {
		n.Exits[flow.Port(exits[i])] = flow.NodeID(exits[i+1])
	}
	return n
}

// build makes a flow that starts at its first node.
func build(vars []flow.Var, nodes ...*flow.Node) *flow.Flow {
	f := &flow.Flow{ID: "f", Name: "test", Vars: vars, Start: nodes[0].ID, Nodes: map[flow.NodeID]*flow.Node{}, On: map[flow.EventName]flow.NodeID{}}
	for _, n := range nodes {
		f.Nodes[n.ID] = n
	}
	return f
}

func pebble(s string) flow.Value { return flow.Pebble(s, "field") }

func tts(s string) map[string]flow.Value {
	return map[string]flow.Value{"prompts": {List: []flow.Value{{Map: map[string]flow.Value{"kind": flow.Lit("tts"), "text": pebble(s)}}}}}
}

func sets(pairs ...string) map[string]flow.Value {
	var list []flow.Value
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, flow.Value{Map: map[string]flow.Value{"var": flow.Lit(pairs[i]), "value": pebble(pairs[i+1])}})
	}
	return map[string]flow.Value{"sets": {List: list}}
}

// call is a session with everything that came out of it.
type call struct {
	t     testing.TB
	p     *flow.Program
	s     *flow.Session
	all   []flow.Command
	last  []flow.Command
	trace []flow.TraceEntry
	at    time.Time
}

func start(t testing.TB, f *flow.Flow, vars map[string]any) *call {
	t.Helper()
	p, err := flow.Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	c := &call{t: t, p: p, at: epoch}
	in := flow.Input{Contact: flow.Contact{ID: "int-1", ANI: "+14155550100", DNIS: "+18005550199"}, At: epoch, Seed: 7, Vars: vars}
	s, out, err := flow.Start(p, in)
	if err != nil {
		t.Fatal(err)
	}
	c.s = s
	c.take(out)
	return c
}

func (c *call) take(out flow.Output) {
	c.last = out.Commands
	c.all = append(c.all, out.Commands...)
	c.trace = append(c.trace, out.Trace...)
}

func (c *call) step(ev flow.Event) *call {
	c.t.Helper()
	c.at = c.at.Add(time.Second)
	ev.At = c.at
	out, err := flow.Step(c.p, c.s, ev)
	if err != nil {
		c.t.Fatal(err)
	}
	c.take(out)
	return c
}

// want returns the last outstanding command and fails unless it is of the kind.
func (c *call) want(kind flow.CommandKind) flow.Command {
	c.t.Helper()
	open := c.s.Outstanding()
	for _, o := range slices.Backward(open) {
		if o.Kind == kind {
			return o
		}
	}
	c.t.Fatalf("no %s is outstanding: %+v", kind, open)
	return flow.Command{}
}

// got returns the commands of the kind that the last step gave.
func (c *call) got(kind flow.CommandKind) []flow.Command {
	var out []flow.Command
	for _, o := range c.last {
		if o.Kind == kind {
			out = append(out, o)
		}
	}
	return out
}

func (c *call) played() *call {
	c.t.Helper()
	open := c.s.Outstanding()
	for _, o := range slices.Backward(open) {
		if o.Kind == flow.CmdPlay || o.Kind == flow.CmdMusic {
			return c.step(flow.Event{Kind: flow.EvPromptDone, Command: o.ID})
		}
	}
	c.t.Fatalf("nothing is playing: %+v", open)
	return c
}

// answer gives the outstanding request an answer.
func (c *call) answer(status int, body string) *call {
	c.t.Helper()
	return c.step(flow.Event{Kind: flow.EvHTTPResult, Command: c.want(flow.CmdHTTP).ID, HTTP: &flow.HTTPResult{Status: status, Body: []byte(body)}})
}

// lost tells the outstanding request that nobody answered.
func (c *call) lost() *call {
	c.t.Helper()
	return c.step(flow.Event{Kind: flow.EvHTTPResult, Command: c.want(flow.CmdHTTP).ID, Error: "connection refused"})
}

func (c *call) entered(digits string) *call {
	c.t.Helper()
	return c.step(flow.Event{Kind: flow.EvGathered, Command: c.want(flow.CmdGather).ID, Digits: digits})
}

func (c *call) agentAnswers() *call {
	return c.step(flow.Event{Kind: flow.EvAgentAnswered, Agent: &flow.Agent{ID: "a1", Name: "Ada", DN: "1001"}})
}

func (c *call) over() {
	c.t.Helper()
	if !c.s.Over {
		c.t.Fatalf("the session is not over; threads %d, waiting %+v", len(c.s.Threads), c.s.Outstanding())
	}
}

// path is the way of the main thread as node>port words.
func (c *call) path() []string {
	var out []string
	for _, e := range c.trace {
		if e.Thread == 1 && e.Port != "" {
			out = append(out, string(e.Node)+">"+string(e.Port))
		}
	}
	return out
}

// example reads one of the project's own flows.
func example(t testing.TB, name string) (*flow.Flow, *flow.Report) {
	t.Helper()
	data, err := os.ReadFile("../../examples/flows/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return imported(t, data)
}

func imported(t testing.TB, data []byte) (*flow.Flow, *flow.Report) {
	t.Helper()
	f, rep, err := flow.Registry{webex.Importer{}, webex.V2Importer{}}.Import(data)
	if err != nil {
		t.Fatal(err)
	}
	return f, rep
}

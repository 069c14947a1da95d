package flow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
	"github.com/tandemcc/tandem/internal/flow/webex"
	"github.com/tandemcc/tandem/internal/testkit/flows"
)

// What a Webex flow does after queueing goes on at once, while the contact waits: the queue node does not wait for an agent.
func TestSemantics1WebexQueueReturnsAtOnce(t *testing.T) {
	f := build([]flow.Var{{Name: "queued", Type: flow.TypeBoolean}}, node("Queue", flow.OpQueue, map[string]flow.Value{"queue": flow.Lit("q")}, "ok", "Mark"),
		node("Mark", flow.OpSet, sets("queued", "true"), "ok", "Hold"), node("Hold", flow.OpSay, tts("please hold"), "ok", "Lookup"),
		httpNode("Lookup", map[string]flow.Value{"url": flow.Lit("https://x.example/")}, "ok", "Hold"))
	c := start(t, f, nil)
	if c.s.Vars["queued"] != true || c.s.Placement == 0 {
		t.Fatalf("queued %v, placement %d", c.s.Vars["queued"], c.s.Placement)
	}
	lookup := c.played().want(flow.CmdHTTP)
	c.agentAnswers()
	if got := c.got(flow.CmdCancel); len(got) != 1 || got[0].Cancel != lookup.ID {
		t.Errorf("the answer cancels %+v, want the request of the treatment", got)
	}
	if c.step(flow.Event{Kind: flow.EvHTTPResult, Command: lookup.ID, HTTP: &flow.HTTPResult{Status: 200}}); len(c.last) != 0 {
		t.Errorf("a late answer goes on with the treatment: %+v", c.last)
	}
}

// handlers is a flow that says something and has handlers for an answered, an ended and a disconnected contact.
func handlers() *flow.Flow {
	f := build([]flow.Var{{Name: "n", Type: flow.TypeInteger}, {Name: "seen", Type: flow.TypeString}},
		node("start", flow.OpStart, nil, "ok", "Queue"), node("Queue", flow.OpQueue, map[string]flow.Value{"queue": flow.Lit("q")}, "ok", "Count"),
		node("Count", flow.OpSet, sets("n", "{{ n + 1 }}"), "ok", "Music"), node("Music", flow.OpMusic, nil, "ok", "Count"),
		node("Offered", flow.OpEvent, nil, "ok", "Slow"), httpNode("Slow", map[string]flow.Value{"url": pebble("https://x.example/{{ n }}")}, "ok", "See"),
		node("See", flow.OpSet, sets("seen", "{{ n }}"), "ok", "End"), node("End", flow.OpEnd, nil),
		node("Ended", flow.OpEvent, nil, "ok", "Say"), node("Say", flow.OpSay, tts("nobody hears this"), "ok", "Ask"),
		node("Ask", flow.OpCollect, map[string]flow.Value{"min": flow.Lit("1"), "max": flow.Lit("1")}, "ok", "Again", "timeout", "Again"),
		node("Again", flow.OpQueue, map[string]flow.Value{"queue": flow.Lit("q")}, "ok", "Patch", "failure", "Patch"),
		httpNode("Patch", map[string]flow.Value{"method": flow.Lit("PATCH"), "url": pebble("https://x.example/{{ seen }}")}, "ok", "End"))
	f.On[flow.OnAgentOffered], f.On[flow.OnContactEnded] = "Offered", "Ended"
	return f
}

// A handler runs beside the main thread, on the same variables.
func TestSemantics2HandlersShareVariables(t *testing.T) {
	c := start(t, handlers(), nil)
	c.step(flow.Event{Kind: flow.EvAgentOffered, Agent: &flow.Agent{ID: "a"}})
	if len(c.s.Threads) != 2 || c.want(flow.CmdMusic).Thread != 1 || c.want(flow.CmdHTTP).Thread == 1 {
		t.Fatalf("threads %d, outstanding %+v", len(c.s.Threads), c.s.Outstanding())
	}
	c.played().played() // the main thread goes on while the handler waits
	c.answer(200, "{}")
	if c.s.Vars["seen"] != "3" {
		t.Errorf("the handler sees n as %v", c.s.Vars["seen"])
	}
}

// A handler may run after the caller has hung up; what needs the caller is passed over, and the write-back goes out.
func TestSemantics2NoMediaAfterHangUp(t *testing.T) {
	c := start(t, handlers(), nil)
	c.step(flow.Event{Kind: flow.EvHungUp}).step(flow.Event{Kind: flow.EvContactEnded})
	for _, kind := range []flow.CommandKind{flow.CmdPlay, flow.CmdMusic, flow.CmdGather, flow.CmdEnqueue} {
		if len(c.got(kind)) > 0 {
			t.Errorf("%s after the caller has gone", kind)
		}
	}
	if got := c.want(flow.CmdHTTP).HTTP.Method; got != "PATCH" {
		t.Errorf("the write-back is a %s", got)
	}
	c.answer(204, "").over()
}

// An error goes by the node's own port, else by the flow's handler, else the caller hears an apology and is disconnected.
func TestSemantics3OrderOfErrors(t *testing.T) {
	flowWith := func(port, handler bool) *flow.Flow {
		f := build(nil, httpNode("Get", map[string]flow.Value{"url": flow.Lit("https://x.example/")}, "ok", "End"),
			node("Own", flow.OpSay, tts("own port"), "ok", "End"), node("OnError", flow.OpEvent, nil, "ok", "Told"),
			node("Told", flow.OpSay, tts("{{ GlobalErrorHandling.activityName }} failed"), "ok", "End"), node("End", flow.OpHangup, nil))
		if port {
			f.Nodes["Get"].Exits[flow.PortError] = "Own"
		}
		if handler {
			f.On[flow.OnError] = "OnError"
		}
		return f
	}
	for _, tt := range []struct {
		port, handler bool
		want          string
	}{{true, true, "own port"}, {true, false, "own port"}, {false, true, "Get failed"}, {false, false, flow.DefaultErrorText}} {
		c := start(t, flowWith(tt.port, tt.handler), nil).lost()
		if got := c.want(flow.CmdPlay).Play.Prompts[0].Text; got != tt.want {
			t.Errorf("port %t, handler %t: the caller hears %q, want %q", tt.port, tt.handler, got, tt.want)
		}
		if c.played(); len(c.got(flow.CmdHangup)) != 1 {
			t.Errorf("port %t, handler %t: nobody hangs up: %+v", tt.port, tt.handler, c.last)
		}
		if c := start(t, flowWith(tt.port, tt.handler), nil).answer(503, "down"); len(c.got(flow.CmdPlay)) != 0 {
			t.Errorf("an answer of 503 is an error: %+v", c.last)
		}
	}
}

// Each operation that Webex limits is run as often as documented for one contact, and once more is an error that can be
// handled; waits do not start these limits anew.
func TestSemantics4LimitOfEachOperation(t *testing.T) {
	q := map[string]flow.Value{"queue": flow.Lit("q")}
	number := func(more string) map[string]flow.Value {
		in := map[string]flow.Value{"number": flow.Lit("+1"), "queue": flow.Lit("q")}
		if more != "" {
			in[more] = flow.Lit(true)
		}
		return in
	}
	tests := []struct {
		name  string
		op    flow.Op
		in    map[string]flow.Value
		port  string
		ev    flow.Event
		limit int
	}{
		{"menu", flow.OpMenu, map[string]flow.Value{"digits": {List: []flow.Value{flow.Lit("1")}}}, "digit:1", flow.Event{Kind: flow.EvGathered, Digits: "1"}, 100},
		{"collect", flow.OpCollect, map[string]flow.Value{"min": flow.Lit("1"), "max": flow.Lit("1")}, "ok", flow.Event{Kind: flow.EvGathered, Digits: "1"}, 100},
		{"queue", flow.OpQueue, q, "failure", flow.Event{Kind: flow.EvQueueFailed}, 100},
		{"bridged transfer", flow.OpTransfer, number("bridged"), "ok", flow.Event{Kind: flow.EvAnswer, Outcome: "ok"}, 75},
		{"blind transfer", flow.OpTransfer, number(""), "failure", flow.Event{Kind: flow.EvAnswer, Outcome: "failed"}, 10},
		{"callback", flow.OpCallback, number(""), "ok", flow.Event{Kind: flow.EvAnswer, Outcome: "ok"}, 10},
		{"virtual agent", flow.OpBot, map[string]flow.Value{"bot": flow.Lit("b")}, "done", flow.Event{Kind: flow.EvAnswer, Outcome: "ended"}, 20},
		{"media stream", flow.OpStream, nil, "ok", flow.Event{Kind: flow.EvAnswer, Outcome: "ok"}, 20},
		{"queue info", flow.OpQueueInfo, q, "ok", flow.Event{Kind: flow.EvAnswer, Outcome: "ok"}, 1500},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := start(t, build(nil, node("N", tt.op, tt.in, tt.port, "N", "error", "E"), node("E", flow.OpSay, tts("enough"))), nil)
			rounds := 0
			for ; rounds <= tt.limit+1; rounds++ {
				open := c.s.Outstanding()
				if len(open) == 0 || open[len(open)-1].Node == "E" {
					break
				}
				tt.ev.Command = open[len(open)-1].ID
				c.step(tt.ev)
			}
			if rounds != tt.limit {
				t.Errorf("it ran %d times, want %d", rounds, tt.limit)
			}
			i := slices.IndexFunc(c.trace, func(e flow.TraceEntry) bool { return e.Port == flow.PortError })
			if i < 0 || !strings.Contains(c.trace[i].Detail, fmt.Sprint(tt.limit)) {
				t.Errorf("the limit is not visible in the trace: %+v", c.trace[max(0, len(c.trace)-2):])
			}
		})
	}
}

// A request has two seconds and one retry unless the flow says otherwise, and never more than the installation allows.
func TestSemantics4RequestDefaults(t *testing.T) {
	url := flow.Lit("https://x.example/")
	for _, tt := range []struct {
		in               map[string]flow.Value
		timeout, retries int
	}{
		{map[string]flow.Value{"url": url}, 2000, 1},
		{map[string]flow.Value{"url": url, "timeoutMS": flow.Lit("5000"), "retries": flow.Lit("0")}, 5000, 0},
		{map[string]flow.Value{"url": url, "timeoutMS": flow.Lit("9999999"), "retries": flow.Lit("99")}, 60_000, 5},
	} {
		if got := start(t, build(nil, httpNode("H", tt.in)), nil).want(flow.CmdHTTP).HTTP; got.TimeoutMS != tt.timeout || got.Retries != tt.retries {
			t.Errorf("%v: %d ms and %d retries, want %d and %d", tt.in, got.TimeoutMS, got.Retries, tt.timeout, tt.retries)
		}
	}
}

// A variable holds 16 KB at most; what is longer changes nothing.
func TestSemantics5LongValues(t *testing.T) {
	long := strings.Repeat("x", flow.MaxVarBytes+1)
	for _, typ := range []flow.Type{flow.TypeString, flow.TypeJSON} {
		f := build([]flow.Var{{Name: "v", Type: typ, Value: "0"}}, httpNode("H", map[string]flow.Value{"url": flow.Lit("https://x.example/")}, "ok", "P"), node("P", flow.OpSay, tts("x")))
		f.Nodes["H"].Out = []flow.Bind{{Path: "$.a", Var: "v"}}
		c := start(t, f, nil)
		before := c.s.Vars["v"]
		if c.answer(200, `{"a":"`+long+`"}`); c.s.Vars["v"] != before {
			t.Errorf("%s: %.20v", typ, c.s.Vars["v"])
		}
	}
}

// What was imported is written as it was, in either format; an edit changes its place and nothing else; a defect is named with
// its place and a mend, and is no reason to refuse the flow.
func TestSemantics6NothingIsLost(t *testing.T) {
	menu, rep := example(t, "menu.json")
	dip, _ := example(t, "data-dip.json")
	conn := []byte(`{"Version":"2019-10-30","StartAction":"a","Metadata":{"entryPointPosition":{"x":1,"y":2},"unknown":{"kept":true}},"Actions":[
		{"Identifier":"a","Type":"MessageParticipant","Parameters":{"Text":"Hello $.Attributes.name"},"Transitions":{"NextAction":"b"}},
		{"Identifier":"b","Type":"SomethingNew","Parameters":{"Deep":{"List":[1,"2",null]}},"Transitions":{"NextAction":"c","Errors":[{"NextAction":"c","ErrorType":"NoMatchingError"}]}},
		{"Identifier":"c","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`)
	c, crep, err := allFormats.Import(conn)
	if err != nil || len(crep.Unsupported) != 1 || crep.Unsupported[0].Type != "SomethingNew" {
		t.Fatalf("%v, %+v", err, crep)
	}
	if rep.Mapped != rep.Nodes || len(crep.Problems) == 0 || crep.Problems[0].Fix == "" || crep.Problems[0].Node != "a" {
		t.Errorf("%+v, %+v", rep, crep.Problems)
	}
	for _, tt := range []struct {
		ex flow.Exporter
		f  *flow.Flow
	}{{webex.Exporter{}, menu}, {webex.Exporter{}, dip}, {connect.Exporter{}, c}} {
		out, losses, err := tt.ex.Export(flows.Stored(t, tt.f))
		if diff := flows.Differences("", flows.Tree(t, tt.f.Origin.Raw), flows.Tree(t, out)); err != nil || len(losses)+len(diff) > 0 {
			t.Errorf("%s: %v, %v, %v", tt.f.Name, err, losses, diff)
		}
	}
	g := flows.Stored(t, c)
	item := g.Nodes["a"].In["prompts"].List[0]
	item.Map["text"] = flow.Dynamic("Good day", item.Map["text"].Field)
	out, losses, err := connect.Exporter{}.Export(g)
	if diff := flows.Differences("", flows.Tree(t, conn), flows.Tree(t, out)); err != nil || len(losses) > 0 || !slices.Equal(diff, []string{".Actions[0].Parameters.Text"}) {
		t.Errorf("after an edit: %v, %v, %v", err, losses, diff)
	}
}

// A step knows no clock and no chance but the event's: the same events give the same commands and the same trace.
func TestSemanticsSameEventsSameCommands(t *testing.T) {
	run := func() string {
		c := start(t, otpFlow(false), nil)
		c.at = c.at.Add(time.Minute)
		c.entered("1").entered("0")
		return fmt.Sprint(c.trace, said(c))
	}
	if a, b := run(), run(); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}

package flow_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/flow"
)

func httpNode(name string, in map[string]flow.Value, exits ...string) *flow.Node {
	if in == nil {
		in = map[string]flow.Value{}
	}
	if _, ok := in["url"]; !ok {
		in["url"] = flow.Lit("https://crm.example/x")
	}
	return node(name, flow.OpHTTP, in, exits...)
}

// Any HTTP status leaves by the ok port, and the outputs can be read under the node's name.
func TestSemantics3HTTPStatusIsNoError(t *testing.T) {
	for _, status := range []int{200, 204, 301, 404, 500, 503} {
		c := start(t, build(nil,
			node("start", flow.OpStart, nil, "ok", "Dip"),
			httpNode("Dip", nil, "ok", "Cond"),
			node("Cond", flow.OpCond, map[string]flow.Value{"expr": pebble("{{Dip.httpStatusCode==" + fmt.Sprint(status) + "}}")}, "true", "Say"),
			node("Say", flow.OpSay, tts("{{ Dip.httpResponseBody }} {{ Dip.httpResponseHeaders.Server }}"), "ok", "End"),
			node("End", flow.OpEnd, nil)), nil)
		c.step(flow.Event{Kind: flow.EvHTTPResult, Command: c.want(flow.CmdHTTP).ID, HTTP: &flow.HTTPResult{
			Status: status, Body: []byte("body"), Headers: map[string]string{"Server": "x"},
		}})
		if got := c.want(flow.CmdPlay).Play.Prompts[0].Text; got != "body x" {
			t.Errorf("status %d: said %q", status, got)
		}
	}
}

// A transport error goes to the node's error port, else to the handler, else to the default announcement and hang-up.
func TestSemantics3TransportError(t *testing.T) {
	nodes := func() []*flow.Node {
		return []*flow.Node{
			node("start", flow.OpStart, nil, "ok", "Dip"), httpNode("Dip", nil, "ok", "End"), node("End", flow.OpEnd, nil),
			node("Own", flow.OpSay, tts("own"), "ok", "End"),
			node("OnGlobalError", flow.OpEvent, nil, "ok", "Global"), node("Global", flow.OpSay, tts("{{ GlobalErrorHandling.errorMessage }}"), "ok", "Bye"),
			node("Bye", flow.OpHangup, nil),
		}
	}
	t.Run("own port", func(t *testing.T) {
		f := build(nil, nodes()...)
		f.Nodes["Dip"].Exits[flow.PortError] = "Own"
		f.On[flow.OnError] = "OnGlobalError"
		if got := start(t, f, nil).lost().want(flow.CmdPlay).Node; got != "Own" {
			t.Errorf("played by %s", got)
		}
	})
	t.Run("handler", func(t *testing.T) {
		f := build(nil, nodes()...)
		f.On[flow.OnError] = "OnGlobalError"
		c := start(t, f, nil).lost()
		if p := c.want(flow.CmdPlay); p.Node != "Global" || !strings.Contains(p.Play.Prompts[0].Text, "connection refused") {
			t.Errorf("played %+v", p.Play)
		}
		if c.played(); len(c.got(flow.CmdHangup)) != 1 {
			t.Errorf("no hang-up: %+v", c.last)
		}
	})
	t.Run("default announcement", func(t *testing.T) {
		c := start(t, build(nil, nodes()...), nil).lost()
		if p := c.want(flow.CmdPlay).Play.Prompts[0]; p.Text != flow.DefaultErrorText {
			t.Errorf("said %q", p.Text)
		}
		if c.played(); len(c.got(flow.CmdHangup)) != 1 {
			t.Errorf("no hang-up: %+v", c.last)
		}
	})
	t.Run("error in the handler", func(t *testing.T) {
		f := build(nil, nodes()...)
		f.On[flow.OnError] = "OnGlobalError"
		f.Nodes["Global"].In = tts("{{ \"b\" > \"a\" }}")
		if p := start(t, f, nil).lost().want(flow.CmdPlay).Play.Prompts[0]; p.Text != flow.DefaultErrorText {
			t.Errorf("said %q", p.Text)
		}
	})
	t.Run("while an agent talks", func(t *testing.T) {
		f := build(nil, nodes()...)
		f.On[flow.OnError] = "OnGlobalError"
		f.Nodes["start"].Exits[flow.PortOK] = "Queue"
		f.Nodes["Queue"] = node("Queue", flow.OpQueue, map[string]flow.Value{"queue": flow.Lit("q")})
		f.Nodes["Answered"] = node("Answered", flow.OpEvent, nil, "ok", "Dip")
		f.On[flow.OnAgentAnswered] = "Answered"
		c := start(t, f, nil).agentAnswers().lost()
		if len(c.got(flow.CmdPlay))+len(c.got(flow.CmdHangup)) > 0 || !c.s.Talking {
			t.Errorf("the call was touched: %+v", c.last)
		}
	})
}

// An error in a handler, such as a look-up for the agent who is offered the contact, does not touch the waiting caller.
func TestSemantics3ErrorInHandlerKeepsCaller(t *testing.T) {
	f := build(nil, node("start", flow.OpStart, nil, "ok", "Queue"),
		node("Queue", flow.OpQueue, map[string]flow.Value{"queue": flow.Lit("q")}, "ok", "Music"),
		node("Music", flow.OpMusic, map[string]flow.Value{"file": flow.Lit("m")}, "ok", "Music"),
		node("Offered", flow.OpEvent, nil, "ok", "Dip"), httpNode("Dip", nil, "ok", "End"), node("End", flow.OpEnd, nil),
		node("OnGlobalError", flow.OpEvent, nil, "ok", "Sorry"), node("Sorry", flow.OpSay, tts("sorry"), "ok", "Bye"), node("Bye", flow.OpHangup, nil))
	f.On[flow.OnAgentOffered], f.On[flow.OnError] = "Offered", "OnGlobalError"
	for _, handled := range []bool{true, false} {
		if !handled {
			delete(f.On, flow.OnError)
		}
		c := start(t, f, nil).step(flow.Event{Kind: flow.EvAgentOffered}).lost()
		if len(c.got(flow.CmdPlay))+len(c.got(flow.CmdHangup))+len(c.got(flow.CmdCancel)) > 0 || c.s.Placement == 0 {
			t.Errorf("handled %v: the caller was touched: %+v", handled, c.last)
		}
	}
}

// A request that says so is passed over while its variable is unset.
func TestSkipWhenUnset(t *testing.T) {
	for v, sent := range map[string]bool{"": false, "null": false, "None": false, " NA ": false, "500C": true} {
		c := start(t, build([]flow.Var{{Name: "id", Type: flow.TypeString}}, node("start", flow.OpStart, nil, "ok", "H"),
			httpNode("H", map[string]flow.Value{"skipWhenUnset": flow.Lit("id"), "method": flow.Lit("PATCH")}, "ok", "P"), node("P", flow.OpSay, tts("after"))), map[string]any{"id": v})
		if got := len(c.got(flow.CmdHTTP)) == 1; got != sent {
			t.Errorf("%q: sent %v", v, got)
		}
	}
}

// After the hang-up the handler runs on: no media, but requests and variables as before.
func TestSemantics2HandlerAfterHangup(t *testing.T) {
	f := build([]flow.Var{{Name: "note", Type: flow.TypeString}},
		node("start", flow.OpStart, nil, "ok", "Music"),
		node("Music", flow.OpMusic, map[string]flow.Value{"file": flow.Lit("m.wav")}, "ok", "Music"),
		node("ContactEnded", flow.OpEvent, nil, "ok", "Say"),
		node("Say", flow.OpSay, tts("nobody hears this"), "ok", "Menu"),
		node("Menu", flow.OpMenu, tts("nor this"), "timeout", "Set", "digit:1", "End"),
		node("Set", flow.OpSet, sets("note", "{{ ContactEnded.reason }}"), "ok", "Patch"),
		httpNode("Patch", map[string]flow.Value{"method": flow.Lit("PATCH"), "body": pebble("{{ note }}")}, "ok", "End"),
		node("End", flow.OpEnd, nil))
	f.On[flow.OnContactEnded] = "ContactEnded"
	c := start(t, f, nil)
	music := c.want(flow.CmdMusic)
	c.step(flow.Event{Kind: flow.EvContactEnded, Reason: "callerHungUp"})
	if got := c.got(flow.CmdCancel); len(got) != 1 || got[0].Cancel != music.ID {
		t.Errorf("cancelled %+v, want the music", got)
	}
	if len(c.got(flow.CmdPlay))+len(c.got(flow.CmdGather)) > 0 {
		t.Errorf("media after the hang-up: %+v", c.last)
	}
	if h := c.want(flow.CmdHTTP).HTTP; h.Method != http.MethodPatch || h.Body != "callerHungUp" {
		t.Errorf("request %+v", h)
	}
	c.answer(204, "").over()
	if got := c.last[len(c.last)-1]; got.Kind != flow.CmdEnded || !got.Ended.Session {
		t.Errorf("last command %+v", got)
	}
}

// HungUp ends the main thread at once; ContactEnded may follow after the wrap-up and starts the handler then.
func TestSemantics2ContactEndedAfterWrapUp(t *testing.T) {
	f := build([]flow.Var{{Name: "notes", Type: flow.TypeString, AgentEditable: true}},
		node("start", flow.OpStart, nil, "ok", "Queue"), node("Queue", flow.OpQueue, map[string]flow.Value{"queue": flow.Lit("q")}),
		node("PhoneContactEnded", flow.OpEvent, nil, "ok", "Patch"),
		httpNode("Patch", map[string]flow.Value{"body": pebble("{{ PhoneContactEnded.dispositionCode }}/{{ notes }}/{{ AgentAnswered.agentName }}")}))
	f.On[flow.OnContactEnded] = "PhoneContactEnded"
	c := start(t, f, nil).agentAnswers()
	c.step(flow.Event{Kind: flow.EvHungUp})
	if len(c.last) != 0 || c.s.Over {
		t.Errorf("hang-up gave %+v", c.last)
	}
	c.step(flow.Event{Kind: flow.EvVarsEdited, Fields: map[string]any{"notes": "called about the bill"}})
	c.step(flow.Event{Kind: flow.EvContactEnded, Fields: map[string]any{"DispositionCode": "solved"}})
	if got := c.want(flow.CmdHTTP).HTTP.Body; got != "solved/called about the bill/Ada" {
		t.Errorf("body %q", got)
	}
	c.lost().over()
}

// queue-contact returns at once; its treatment plays until an agent answers, and goes on when an offer is not taken.
func TestSemantics1QueueTreatment(t *testing.T) {
	f := func() *flow.Flow {
		f := build(nil,
			node("start", flow.OpStart, nil, "ok", "Queue"),
			node("Queue", flow.OpQueue, map[string]flow.Value{"queue": flow.Lit("src-1"), "priority": flow.Lit("3")}, "ok", "Music", "failure", "Sorry"),
			node("Music", flow.OpMusic, map[string]flow.Value{"file": flow.Lit("m.wav"), "durationMS": flow.Lit(30000)}, "ok", "Music"),
			node("Sorry", flow.OpSay, tts("sorry"), "ok", "Bye"), node("Bye", flow.OpHangup, nil),
			node("Offered", flow.OpEvent, nil, "ok", "End"), node("Answered", flow.OpEvent, nil, "ok", "Pop"),
			node("Pop", flow.OpPop, map[string]flow.Value{"url": flow.Lit("https://x.example/")}, "ok", "End"), node("End", flow.OpEnd, nil))
		f.On[flow.OnAgentOffered], f.On[flow.OnAgentAnswered] = "Offered", "Answered"
		f.Refs = []flow.Ref{{Node: "Queue", Kind: flow.RefQueue, ID: "src-1"}}
		f.Bind(flow.RefQueue, "src-1", "our-queue")
		return f
	}
	t.Run("answered", func(t *testing.T) {
		c := start(t, f(), nil)
		if q := c.want(flow.CmdEnqueue).Enqueue; q.Queue != "our-queue" || q.Priority != 3 {
			t.Errorf("enqueued %+v", q)
		}
		c.played().played()
		music := c.want(flow.CmdMusic)
		c.step(flow.Event{Kind: flow.EvAgentOffered}).step(flow.Event{Kind: flow.EvAgentNoAnswer})
		if c.want(flow.CmdMusic).ID != music.ID {
			t.Error("the treatment was interrupted by an offer that nobody took")
		}
		c.agentAnswers()
		if got := c.got(flow.CmdCancel); len(got) != 1 || got[0].Cancel != music.ID {
			t.Errorf("cancelled %+v, want the music only", got)
		}
		if len(c.got(flow.CmdScreenPop)) != 1 || len(c.s.Outstanding()) != 0 || len(c.s.Threads) != 0 {
			t.Errorf("after the answer: %+v, outstanding %+v", c.last, c.s.Outstanding())
		}
		if c.step(flow.Event{Kind: flow.EvAgentDisconnected}); len(c.got(flow.CmdHangup)) != 1 {
			t.Errorf("the agent left and nobody hung up: %+v", c.last)
		}
	})
	t.Run("placement fails", func(t *testing.T) {
		c := start(t, f(), nil)
		q := c.want(flow.CmdEnqueue)
		c.step(flow.Event{Kind: flow.EvQueueFailed, Command: q.ID, Error: "queue is full"})
		if c.want(flow.CmdPlay).Node != "Sorry" || len(c.got(flow.CmdCancel)) != 1 {
			t.Errorf("after the failure: %+v", c.last)
		}
		if c.played(); len(c.got(flow.CmdHangup)) != 1 {
			t.Errorf("no hang-up: %+v", c.last)
		}
	})
	t.Run("caller gives up", func(t *testing.T) {
		c := start(t, f(), nil).step(flow.Event{Kind: flow.EvContactEnded})
		if got := c.got(flow.CmdCancel); len(got) != 2 {
			t.Errorf("cancelled %+v, want the placement and the music", got)
		}
		c.over()
	})
	t.Run("music fails", func(t *testing.T) {
		c := start(t, f(), nil)
		c.step(flow.Event{Kind: flow.EvPromptDone, Command: c.want(flow.CmdMusic).ID, Error: "no such file"})
		if c.s.Placement == 0 || len(c.got(flow.CmdHangup)) > 0 {
			t.Error("a missing file cost a waiting caller his place")
		}
	})
	t.Run("queued again", func(t *testing.T) {
		g := f()
		g.Nodes["Music"].Exits[flow.PortOK] = "Queue"
		c := start(t, g, nil)
		first := c.want(flow.CmdEnqueue).ID
		if second := c.played().want(flow.CmdEnqueue).ID; second == first || c.s.Placement != second {
			t.Errorf("placement %d, commands %d and %d", c.s.Placement, first, second)
		}
	})
}

// A condition leaves by true, false or error.
func TestCondition(t *testing.T) {
	tests := []struct{ expr, want string }{
		{"{{ n == 3 }}", "true"},
		{"{{ n > 3 }}", "false"},
		{"{{ name == \"Ada\" }}", "true"},
		{"{{ missing is null }}", "true"},
		{"{{ \"b\" > \"a\" }}", "error"},
		{"{{ name }}", "error"},
		{"{% if n == 3 %}true{% else %}false{% endif %}", "true"},
		{"true", "true"},
		{"{{ flag }}", "true"},
		{"{{ n == }}", "error"},
	}
	for _, tt := range tests {
		vars := []flow.Var{{Name: "n", Type: flow.TypeInteger, Value: "3"}, {Name: "name", Type: flow.TypeString, Value: "Ada"}, {Name: "flag", Type: flow.TypeBoolean, Value: "true"}}
		c := start(t, build(vars, node("start", flow.OpStart, nil, "ok", "C"),
			node("C", flow.OpCond, map[string]flow.Value{"expr": pebble(tt.expr)}, "true", "End", "false", "End", "error", "End"), node("End", flow.OpEnd, nil)), nil)
		if got := c.path()[1]; got != "C>"+tt.want {
			t.Errorf("%s: left by %s, want %s", tt.expr, got, tt.want)
		}
	}
}

func TestCase(t *testing.T) {
	in := func() map[string]flow.Value {
		return map[string]flow.Value{"expr": pebble("{{ v }}"), "cases": {List: []flow.Value{flow.Lit("a"), pebble("{{ other }}"), flow.Lit("a")}}}
	}
	for v, want := range map[string]string{"a": "case:a", "x": "case:{{ other }}", " a ": "case:a", "A": "nomatch", "": "nomatch"} {
		c := start(t, build([]flow.Var{{Name: "v", Type: flow.TypeString, Value: v}, {Name: "other", Type: flow.TypeString, Value: "x"}},
			node("start", flow.OpStart, nil, "ok", "C"), node("C", flow.OpCase, in(), "case:a", "End", "nomatch", "End"), node("End", flow.OpEnd, nil)), nil)
		if got := c.path()[1]; got != "C>"+want {
			t.Errorf("%q: left by %s, want %s", v, got, want)
		}
	}
}

func TestMenu(t *testing.T) {
	f := func(tries int) *flow.Flow {
		in := tts("press")
		in["digits"] = flow.Value{List: []flow.Value{flow.Lit("1"), flow.Lit("2")}}
		in["maxTries"], in["entryTimeoutMS"] = flow.Lit(tries), flow.Lit("3000")
		return build(nil, node("start", flow.OpStart, nil, "ok", "M"),
			node("M", flow.OpMenu, in, "digit:1", "One", "timeout", "T", "nomatch", "N", "error", "E"),
			node("One", flow.OpSay, tts("{{ M.OptionEntered }}")), node("T", flow.OpSay, tts("t")), node("N", flow.OpSay, tts("{{ M.optionEntered }}")), node("E", flow.OpSay, tts("e")))
	}
	if g := start(t, f(1), nil).want(flow.CmdGather).Gather; g.Min != 1 || g.Max != 1 || g.EntryTimeoutMS != 3000 {
		t.Errorf("gather %+v", g)
	}
	if got := start(t, f(1), nil).entered("1").want(flow.CmdPlay).Play.Prompts[0].Text; got != "1" {
		t.Errorf("OptionEntered is %q", got)
	}
	if got := start(t, f(1), nil).entered("9").want(flow.CmdPlay).Play.Prompts[0].Text; got != "9" {
		t.Errorf("invalid OptionEntered is %q", got)
	}
	c := start(t, f(2), nil).entered("9")
	if got := c.want(flow.CmdGather).Node; got != "M" {
		t.Errorf("second try at %s", got)
	}
	c.step(flow.Event{Kind: flow.EvGathered, Command: c.want(flow.CmdGather).ID, Reason: flow.GatherTimeout})
	if got := c.want(flow.CmdPlay).Node; got != "T" {
		t.Errorf("after the last try at %s", got)
	}
	c = start(t, f(1), nil)
	c.step(flow.Event{Kind: flow.EvGathered, Command: c.want(flow.CmdGather).ID, Error: "no media"})
	if got := c.want(flow.CmdPlay).Node; got != "E" {
		t.Errorf("after an error at %s", got)
	}
}

func TestCollect(t *testing.T) {
	in := tts("enter")
	in["min"], in["max"], in["terminators"] = flow.Lit("4"), flow.Lit(6), flow.Lit("#")
	f := build(nil, node("start", flow.OpStart, nil, "ok", "C"),
		node("C", flow.OpCollect, in, "ok", "Say", "timeout", "T", "nomatch", "N"), node("Say", flow.OpSay, tts("{{ C.DigitsEntered }}")),
		node("T", flow.OpSay, tts("t")), node("N", flow.OpSay, tts("n")))
	for digits, want := range map[string]string{"1234": "1234", "123456": "123456", "123": "t", "1234567": "n", "": "t"} {
		if got := start(t, f, nil).entered(digits).want(flow.CmdPlay).Play.Prompts[0].Text; got != want {
			t.Errorf("%q: said %q, want %q", digits, got, want)
		}
	}
}

// An operation may run only so often for one contact; a thread may run only so many nodes between two waits.
func TestSemantics4LoopBudgets(t *testing.T) {
	menu := tts("again")
	menu["digits"] = flow.Value{List: []flow.Value{flow.Lit("1")}}
	c := start(t, build(nil, node("start", flow.OpStart, nil, "ok", "M"), node("M", flow.OpMenu, menu, "digit:1", "M", "error", "E"), node("E", flow.OpSay, tts("enough"))), nil)
	for range 100 {
		c.entered("1")
	}
	if got := c.want(flow.CmdPlay).Node; got != "E" {
		t.Errorf("after 100 rounds at %s", got)
	}
	f := build([]flow.Var{{Name: "n", Type: flow.TypeInteger}}, node("start", flow.OpStart, nil, "ok", "S"), node("S", flow.OpSet, sets("n", "{{ n + 1 }}"), "ok", "S"))
	f.Options.MaxSteps = 50
	c = start(t, f, nil)
	if c.s.Vars["n"] != int64(49) || len(c.got(flow.CmdHangup)) != 0 || c.want(flow.CmdPlay).Play.Prompts[0].Text != flow.DefaultErrorText {
		t.Errorf("ran %v rounds", c.s.Vars["n"])
	}
	f.Nodes["E"] = node("E", flow.OpSay, tts("handled"))
	f.Nodes["S"].Exits[flow.PortError] = "E"
	if c = start(t, f, nil); c.want(flow.CmdPlay).Node != "E" {
		t.Errorf("the error port of a circle leads to %+v", c.last)
	}
	f.Nodes["S"].Exits[flow.PortError] = "S"
	if c = start(t, f, nil); len(c.got(flow.CmdHangup)) != 1 {
		t.Errorf("a circle without a way out: %+v", c.last)
	}
	f = build([]flow.Var{{Name: "n", Type: flow.TypeInteger}}, node("start", flow.OpStart, nil, "ok", "S"),
		node("S", flow.OpSet, sets("n", "{{ n + 1 }}"), "ok", "P"), node("P", flow.OpSay, tts("x"), "ok", "S"))
	f.Options.MaxSteps = 5
	c = start(t, f, nil)
	for range 200 {
		c.played()
	}
	if c.s.Vars["n"] != int64(201) {
		t.Errorf("the budget does not start anew at a wait: %v rounds", c.s.Vars["n"])
	}
}

// A path that finds nothing leaves the variable as it was, a null empties it, and what does not fit its type changes nothing.
func TestOutputsIntoVariables(t *testing.T) {
	vars := []flow.Var{
		{Name: "s", Type: flow.TypeString, Value: "NA"},
		{Name: "i", Type: flow.TypeInteger, Value: 7.0},
		{Name: "b", Type: flow.TypeBoolean, Value: true},
		{Name: "d", Type: flow.TypeDecimal, Value: "1.5"},
		{Name: "j", Type: flow.TypeJSON},
		{Name: "t", Type: flow.TypeDateTime, Value: "2026-01-01"},
	}
	tests := []struct {
		name, body string
		want       flow.Values
	}{
		{"all", `{"s":"x","i":"12","b":"false","d":2,"j":{"a":[1,2.5]},"t":"2026-02-03"}`, flow.Values{"s": "x", "i": int64(12), "b": false, "d": 2.0, "j": map[string]any{"a": []any{int64(1), 2.5}}, "t": "2026-02-03"}},
		{"missing", `{"other":1}`, flow.Values{"s": "NA", "i": int64(7), "b": true, "d": 1.5, "j": nil, "t": "2026-01-01"}},
		{"null", `{"s":null,"i":null,"b":null,"d":null,"j":null,"t":null}`, flow.Values{"s": "", "i": int64(0), "b": false, "d": 0.0, "j": nil, "t": ""}},
		{"no fit", `{"s":1.50,"i":"x","b":"maybe","d":"y","j":"{","t":true}`, flow.Values{"s": "1.50", "i": int64(7), "b": true, "d": 1.5, "j": nil, "t": "true"}},
		{"documents as text", `{"s":{"b":1,"a":[true]},"i":3.0,"d":"3"}`, flow.Values{"s": `{"a":[true],"b":1}`, "i": int64(3), "b": true, "d": 3.0, "j": nil, "t": "2026-01-01"}},
		{"no JSON", `<html>`, flow.Values{"s": "NA", "i": int64(7), "b": true, "d": 1.5, "j": nil, "t": "2026-01-01"}},
		{"empty", ``, flow.Values{"s": "NA", "i": int64(7), "b": true, "d": 1.5, "j": nil, "t": "2026-01-01"}},
	}
	for _, tt := range tests {
		dip := httpNode("Dip", nil, "ok", "P")
		for _, v := range vars {
			dip.Out = append(dip.Out, flow.Bind{Path: "$." + v.Name, Var: v.Name})
		}
		c := start(t, build(vars, node("start", flow.OpStart, nil, "ok", "Dip"), dip, node("P", flow.OpSay, tts("x"))), nil).answer(200, tt.body)
		if diff := cmp.Diff(tt.want, c.s.Vars); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// What templates write into a typed variable is converted; what does not fit leaves by the error port.
func TestSemantics5TypedAtTheEdge(t *testing.T) {
	tests := []struct {
		typ       flow.Type
		src, port string
		want      any
	}{
		{flow.TypeString, "{{ 1 + 2 }}", "ok", "3"},
		{flow.TypeInteger, "{{ 1 + 2 }}", "ok", int64(3)},
		{flow.TypeInteger, "12", "ok", int64(12)},
		{flow.TypeInteger, "12.0", "ok", int64(12)},
		{flow.TypeInteger, "1.5", "error", int64(0)},
		{flow.TypeInteger, "", "ok", int64(0)},
		{flow.TypeBoolean, "{{ 1 == 1 }}", "ok", true},
		{flow.TypeBoolean, "TRUE", "ok", true},
		{flow.TypeBoolean, "yes", "error", false},
		{flow.TypeDecimal, "{{ 7 / 2 }}", "ok", 3.0},
		{flow.TypeDecimal, "3.5", "ok", 3.5},
		{flow.TypeJSON, `{"a":1}`, "ok", map[string]any{"a": int64(1)}},
		{flow.TypeJSON, "{", "error", nil},
		{flow.TypeString, "plain", "ok", "plain"},
		{flow.TypeString, strings.Repeat("x", flow.MaxVarBytes+1), "error", ""},
	}
	for _, tt := range tests {
		c := start(t, build([]flow.Var{{Name: "v", Type: tt.typ}}, node("start", flow.OpStart, nil, "ok", "S"),
			node("S", flow.OpSet, sets("v", tt.src), "ok", "End", "error", "End"), node("End", flow.OpEnd, nil)), nil)
		if got := c.path()[1]; got != "S>"+tt.port {
			t.Errorf("%s %.20q: left by %s, want %s", tt.typ, tt.src, got, tt.port)
		}
		if diff := cmp.Diff(tt.want, c.s.Vars["v"]); diff != "" {
			t.Errorf("%s %.20q: %s", tt.typ, tt.src, diff)
		}
	}
}

// Agent-viewable variables are announced when they change, once for each step and never otherwise.
func TestSemantics5CADOnChange(t *testing.T) {
	c := start(t, build([]flow.Var{{Name: "a", Type: flow.TypeString, CAD: true, Label: "A", AgentEditable: true}, {Name: "b", Type: flow.TypeString}},
		node("start", flow.OpStart, nil, "ok", "S"), node("S", flow.OpSet, sets("a", "1", "b", "2", "a", "3"), "ok", "P"),
		node("P", flow.OpSay, tts("x"), "ok", "S2"), node("S2", flow.OpSet, sets("a", "3"), "ok", "P")), nil)
	want := []flow.CADValue{{Name: "a", Label: "A", Value: "3", Editable: true}}
	if got := c.got(flow.CmdSetCAD); len(got) != 1 || !cmp.Equal(got[0].SetCAD, want) {
		t.Errorf("announced %+v", got)
	}
	if c.played(); len(c.got(flow.CmdSetCAD)) != 0 {
		t.Errorf("announced without a change: %+v", c.last)
	}
	c.step(flow.Event{Kind: flow.EvVarsEdited, Fields: map[string]any{"a": "by hand", "b": "not editable"}})
	if c.s.Vars["a"] != "by hand" || c.s.Vars["b"] != "2" {
		t.Errorf("after the agent's edit: %v", c.s.Vars)
	}
	if got := c.p.CAD(c.s); len(got) != 1 || got[0].Value != "by hand" {
		t.Errorf("CAD is %+v", got)
	}
}

// The value of a secure variable, or of one that was set from it, never stands in a trace.
func TestSemantics5SecureNeverTraced(t *testing.T) {
	const pin = "493817"
	f := build([]flow.Var{{Name: "pin", Type: flow.TypeString, Value: pin, Secure: true}, {Name: "copy", Type: flow.TypeString}, {Name: "num", Type: flow.TypeInteger}, {Name: "open", Type: flow.TypeString}},
		node("start", flow.OpStart, nil, "ok", "S"),
		node("S", flow.OpSet, sets("copy", "x{{ pin }}", "open", "visible", "pin", "{{ pin }}", "num", "{{ pin }}"), "ok", "T"),
		node("T", flow.OpSet, sets("num", "a{{ copy }}"), "error", "C"),
		node("C", flow.OpCond, map[string]flow.Value{"expr": pebble("{{ pin }}")}, "error", "K"),
		node("K", flow.OpCase, map[string]flow.Value{"expr": pebble("{{ pin }}"), "cases": {List: []flow.Value{flow.Lit("1")}}}, "nomatch", "H"),
		httpNode("H", map[string]flow.Value{"url": pebble("https://x.example/{{ pin }}"), "headers": {Map: map[string]flow.Value{"X": pebble("{{ pin }}")}}}, "ok", "P"),
		node("P", flow.OpPop, map[string]flow.Value{"url": pebble("javascript:{{ pin }}"), "label": pebble("x")}))
	c := start(t, f, nil).answer(200, "")
	data, err := json.Marshal(c.trace)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), pin) {
		t.Errorf("the trace holds the secure value: %s", data)
	}
	if !strings.Contains(string(data), "open = visible") {
		t.Errorf("the trace lacks what is not secure: %s", data)
	}
}

// Results that come late, twice, or for another command change nothing; another version of the flow is refused.
func TestStaleAndForeign(t *testing.T) {
	f := build(nil, node("start", flow.OpStart, nil, "ok", "A"), node("A", flow.OpSay, tts("a"), "ok", "B"), node("B", flow.OpSay, tts("b")))
	c := start(t, f, nil)
	first := c.want(flow.CmdPlay)
	c.step(flow.Event{Kind: flow.EvHTTPResult, Command: first.ID, HTTP: &flow.HTTPResult{Status: 200}})
	c.step(flow.Event{Kind: flow.EvPromptDone, Command: 99})
	if c.want(flow.CmdPlay).ID != first.ID {
		t.Error("a wrong result moved the thread")
	}
	c.played().step(flow.Event{Kind: flow.EvPromptDone, Command: first.ID})
	if c.want(flow.CmdPlay).Node != "B" {
		t.Error("a result that came twice moved the thread")
	}
	g := f.Clone()
	g.Nodes["B"].In = tts("other")
	p, err := flow.Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flow.Step(p, c.s, flow.Event{}); !errors.Is(err, flow.ErrVersion) {
		t.Errorf("stepping with another version: %v", err)
	}
}

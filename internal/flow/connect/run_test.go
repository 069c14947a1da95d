package connect_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
)

var epoch = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

var formats = flow.Registry{connect.Importer{}, connect.LegacyImporter{}}

// act writes one action; trans are the ways on: "next", "if Operator operand" and "on ErrorType", each with its target.
func act(id, typ, params string, trans ...string) string {
	next, conds, errs := "", []string{}, []string{}
	for i := 0; i+1 < len(trans); i += 2 {
		words, to := strings.SplitN(trans[i], " ", 3), trans[i+1]
		switch words[0] {
		case "next":
			next = fmt.Sprintf(`"NextAction":%q,`, to)
		case "if":
			conds = append(conds, fmt.Sprintf(`{"NextAction":%q,"Condition":{"Operator":%q,"Operands":[%q]}}`, to, words[1], words[2]))
		case "on":
			errs = append(errs, fmt.Sprintf(`{"NextAction":%q,"ErrorType":%q}`, to, words[1]))
		}
	}
	return fmt.Sprintf(`{"Identifier":%q,"Type":%q,"Parameters":%s,"Transitions":{%s"Conditions":[%s],"Errors":[%s]}}`,
		id, typ, params, next, strings.Join(conds, ","), strings.Join(errs, ","))
}

// says is an action that a test recognises by what it says.
func says(id string) string {
	return act(id, "MessageParticipant", `{"Text":"`+id+`"}`, "next", "bye", "on NoMatchingError", "bye")
}

func doc(actions ...string) []byte {
	first := struct{ Identifier string }{}
	if err := json.Unmarshal([]byte(actions[0]), &first); err != nil {
		panic(err)
	}
	actions = append(actions, act("bye", "DisconnectParticipant", `{}`))
	return fmt.Appendf(nil, `{"Version":"2019-10-30","StartAction":%q,"Metadata":{"name":"t"},"Actions":[%s]}`, first.Identifier, strings.Join(actions, ","))
}

// call is a session with what came out of it.
type call struct {
	t     *testing.T
	p     *flow.Program
	s     *flow.Session
	at    time.Time
	last  []flow.Command
	trace []flow.TraceEntry
}

func imported(t *testing.T, data []byte) (*flow.Flow, *flow.Report) {
	t.Helper()
	f, rep, err := formats.Import(data)
	if err != nil {
		t.Fatal(err)
	}
	return f, rep
}

func begin(t *testing.T, data []byte, vars map[string]any) *call {
	t.Helper()
	f, _ := imported(t, data)
	return beginFlow(t, f, vars)
}

func beginFlow(t *testing.T, f *flow.Flow, vars map[string]any) *call {
	t.Helper()
	p, err := flow.Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	s, out, err := flow.Start(p, flow.Input{Contact: flow.Contact{ID: "c-1", ANI: "+14155550100", DNIS: "+18005550199"}, At: epoch, Seed: 3, Vars: vars})
	if err != nil {
		t.Fatal(err)
	}
	return &call{t: t, p: p, s: s, at: epoch, last: out.Commands, trace: out.Trace}
}

// open is the last command that waits for a result.
func (c *call) open() flow.Command {
	c.t.Helper()
	list := c.s.Outstanding()
	if len(list) == 0 {
		c.t.Fatalf("nothing is outstanding; %+v", c.trace)
	}
	return list[len(list)-1]
}

func (c *call) step(ev flow.Event) *call {
	c.t.Helper()
	c.at = c.at.Add(time.Second)
	ev.At = c.at
	out, err := flow.Step(c.p, c.s, ev)
	if err != nil {
		c.t.Fatal(err)
	}
	c.last, c.trace = out.Commands, append(c.trace, out.Trace...)
	return c
}

func (c *call) result(ev flow.Event) *call {
	c.t.Helper()
	ev.Command = c.open().ID
	return c.step(ev)
}

func (c *call) played() *call { return c.result(flow.Event{Kind: flow.EvPromptDone}) }
func (c *call) entered(digits string) *call {
	return c.result(flow.Event{Kind: flow.EvGathered, Digits: digits})
}

func (c *call) silent() *call {
	return c.result(flow.Event{Kind: flow.EvGathered, Reason: flow.GatherTimeout})
}

func (c *call) answered(fields map[string]any) *call {
	return c.result(flow.Event{Kind: flow.EvAnswer, Outcome: "ok", Fields: fields})
}

func (c *call) outcome(s string) *call { return c.result(flow.Event{Kind: flow.EvAnswer, Outcome: s}) }

func (c *call) failed() *call { return c.result(flow.Event{Kind: flow.EvAnswer, Error: "not here"}) }

// heard is what the caller hears now.
func (c *call) heard() string {
	c.t.Helper()
	switch o := c.open(); o.Kind {
	case flow.CmdPlay:
		return text(o.Play.Prompts)
	case flow.CmdGather:
		return text(o.Gather.Prompts)
	case flow.CmdMusic:
		return "music " + o.Music.File
	default:
		return string(o.Kind)
	}
}

func text(ps []flow.Prompt) string {
	out := ""
	for _, p := range ps {
		out += p.Text + p.File
	}
	return out
}

func (c *call) hear(want string) *call {
	c.t.Helper()
	if got := c.heard(); got != want {
		c.t.Errorf("the caller hears %q, want %q", got, want)
	}
	return c
}

func (c *call) hungUp() *call {
	c.t.Helper()
	for _, o := range c.last {
		if o.Kind == flow.CmdHangup {
			return c
		}
	}
	c.t.Errorf("the contact is not disconnected: %+v", c.last)
	return c
}

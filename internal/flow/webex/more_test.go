package webex_test

import (
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/webex"
)

// What only the hub can do is asked of it, and leaves by the port for failures where it cannot.
func TestAsksTheHub(t *testing.T) {
	tests := []struct {
		name, props, ask, param, want string
		ports                         []string
		outcome, port                 string
	}{
		{"send-digits", `"transferoutdigits":"12#","transferoutdigits:radioName":"setToValue"`, flow.AskSendDigits, "digits", "12#", []string{"default", "failure"}, "ok", "default"},
		{"send-digits", `"transferoutdigits":"x","transferoutdigits:radioName":"setToVariable"`, flow.AskSendDigits, "digits", "42", []string{"default", "failure"}, "failed", "failure"},
		{"record", `"playStartTone":true,"silenceTimeout":4,"maxRecordingTime":30,"terminationSymbol":"#"`, flow.AskRecordMessage, "maxMS", "30000", []string{"out", "noInputTimeout", "undefinedErrors"}, "timeout", "noInputTimeout"},
		{"record", `"playStartTone":true,"maxRecordingTime":30`, flow.AskRecordMessage, "tone", "true", []string{"out", "noInputTimeout", "undefinedErrors"}, "failed", "undefinedErrors"},
		{"fn-activity", `"fnName":"format","fnVersionConfig":{"id":"fn-1","tag":"Latest"},"fnInputVariables":[{"src":"x","target":"value","type":"STRING"}]`, flow.AskFunction, "", "", []string{"default", "error"}, "ok", "default"},
		{"subflow-handoff", `"subflowVersion":{"id":"sub-1","tag":"Latest"},"subflowInputVariables":[{"src":"x","target":"in","type":"STRING"}]`, flow.AskSub, "in", "42", []string{"default", "error"}, "ok", "default"},
	}
	for _, tt := range tests {
		r := begin(t, export(`{"name":"x","type":"STRING","value":"42"}`, tt.name, tt.props, tt.ports...))
		cmd := r.only()
		if cmd.Ask == nil || cmd.Ask.What != tt.ask || tt.param != "" && cmd.Ask.Params[tt.param] != tt.want {
			t.Errorf("%s: asks %+v", tt.name, cmd.Ask)
			continue
		}
		out, err := flow.Step(r.p, r.s, flow.Event{Kind: flow.EvAnswer, Command: cmd.ID, Outcome: tt.outcome})
		if err != nil {
			t.Fatal(err)
		}
		r.out = out
		if got := r.left(); got != tt.port {
			t.Errorf("%s, %s: left by %q, want %q", tt.name, tt.outcome, got, tt.port)
		}
	}
}

// A function's answer fills the variables that are named, and a subflow's.
func TestFunctionAndSubflowOutputs(t *testing.T) {
	for name, props := range map[string]string{
		"fn-activity":     `"fnVersionConfig":{"id":"fn-1"},"fnInputVariables":[{"src":"x","target":"value"}],"fnOutputVariables":[{"outputVariable":"x","jsonPathExp":"$.result"}]`,
		"subflow-handoff": `"subflowVersion":{"id":"s-1"},"subflowOutputVariables":[{"outputVariable":"x","target":"result"}]`,
	} {
		r := begin(t, export(`{"name":"x","type":"STRING","value":"42"}`, name, props, "default", "error"))
		cmd := r.only()
		if name == "fn-activity" && string(cmd.Ask.Payload) != `{"value":"42"}` {
			t.Errorf("the function is told %s", cmd.Ask.Payload)
		}
		_, err := flow.Step(r.p, r.s, flow.Event{Kind: flow.EvAnswer, Command: cmd.ID, Outcome: "ok", Fields: map[string]any{"result": "done"}})
		if err != nil || r.s.Vars["x"] != "done" {
			t.Errorf("%s: x is %v, %v", name, r.s.Vars["x"], err)
		}
	}
}

// RecordingControl turns recording on or off by a variable.
func TestRecordingControl(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "false": false} {
		r := begin(t, export(`{"name":"rec","type":"BOOLEAN","value":`+value+`}`, "RecordingControl", `"enableRecording":"{{rec}}"`, "out"))
		for _, c := range r.out.Commands {
			if c.Record != nil && c.Record.Agent == want && c.Record.Customer == want {
				return
			}
		}
		t.Errorf("%s: %+v", value, r.out.Commands)
	}
}

// Hand-written FlowV2 keeps each event's nodes under the event, and may lead from them into the main flow.
func TestV2EventsByName(t *testing.T) {
	f, rep, err := webex.V2Importer{}.Import([]byte(`{"name":"x","nodes":[
		{"id":"s","name":"NewPhoneContact","activityType":"start","properties":{"activityName":"start"}},
		{"id":"e","name":"End","activityType":"action","properties":{"activityName":"disconnect-contact"}}],
		"edges":[{"id":"1","from":"s","to":"e"}],
		"eventFlows":{"OnGlobalError":{"eventSpecificationName":"GlobalErrorHandling",
			"nodes":[{"id":"ev","name":"OnGlobalError","activityType":"action","properties":{"activityName":"Event"}}],
			"edges":[{"id":"2","from":"ev","to":"e"}]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if rep.Handlers != 1 || f.On[flow.OnError] != "ev" || f.Nodes["ev"].Exits[flow.PortOK] != "e" || len(rep.Unsupported) > 0 {
		t.Errorf("%+v, handlers %v", rep, f.On)
	}
	if len(rep.Problems) == 0 || !strings.Contains(rep.Problems[0].Message, "main flow") {
		t.Errorf("the way into the main flow is no problem: %+v", rep.Problems)
	}
}

package webex_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/webex"
)

// linkedSub runs a flow whose node A calls a subflow that sets a variable, and returns the session.
func linkedSub(t *testing.T, vars, call, subVars, set string) (*flow.Session, flow.Output) {
	t.Helper()
	read := func(data []byte) *flow.Flow {
		f, _, err := webex.Importer{}.Import(data)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	main := read(export(vars, "subflow-handoff", `"subflowVersion":{"id":"sub-1"},`+call, "default", "error"))
	sub := read([]byte(strings.ReplaceAll(string(export(subVars, "set-variable", `"setVariablesArray":[`+set+`]`, "out")),
		`"group":"end","properties":{"activityName":"end"}`, `"group":"action","properties":{"activityName":"end-subflow"}`)))
	p, err := flow.Compile(flow.Link(main, func(flow.Ref) *flow.Flow { return sub }))
	if err != nil {
		t.Fatal(err)
	}
	s, out, err := flow.Start(p, flow.Input{Contact: flow.Contact{ID: "i-1"}, At: time.Unix(0, 0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	return s, out
}

// TestSubflowMappings: a subflow has variables of its own; what is mapped comes in at its entry and back at its exit.
func TestSubflowMappings(t *testing.T) {
	const set = `{"srcVariable":"result","setTo":"set-to-literal","literal":"{{ in }} and {{ x }}"},{"srcVariable":"x","setTo":"set-to-literal","literal":"changed"},
		{"srcVariable":"copy","setTo":"set-to-variable","expr":"x"}`
	const subVars = `{"name":"in","type":"STRING"},{"name":"x","type":"STRING","value":"own x"},{"name":"result","type":"STRING"},{"name":"copy","type":"STRING"}`
	s, _ := linkedSub(t, intVar, `"subflowInputVariables":[{"src":"x","target":"in"}],"subflowOutputVariables":[{"outputVariable":"y","target":"result"}]`, subVars, set)
	if s.Vars["x"] != "from x" || s.Vars["y"] != "from x and own x" || s.Vars["copy"] != "changed" {
		t.Errorf("%+v", s.Vars)
	}
	// names that both have: each mapping means the variable of its side
	s, _ = linkedSub(t, intVar, `"subflowInputVariables":[{"src":"y","target":"x"}],"subflowOutputVariables":[{"outputVariable":"y","target":"x"}]`, subVars, set)
	if s.Vars["x"] != "from x" || s.Vars["y"] != "changed" {
		t.Errorf("%+v", s.Vars)
	}
}

// TestSubflowShares: global variables and those that agents see are one in both flows.
func TestSubflowShares(t *testing.T) {
	const vars = `{"name":"g","type":"STRING","source":"GLOBAL_TM"},{"name":"seen","type":"STRING","isCAD":true}`
	s, _ := linkedSub(t, vars, `"subflowName":"Sub"`, vars,
		`{"srcVariable":"g","setTo":"set-to-literal","literal":"1"},{"srcVariable":"seen","setTo":"set-to-literal","literal":"2"}`)
	if s.Vars["g"] != "1" || s.Vars["seen"] != "2" {
		t.Errorf("%+v", s.Vars)
	}
}

// TestSubflowSecrets: what a secure variable is mapped into is secure too, there and back.
func TestSubflowSecrets(t *testing.T) {
	s, out := linkedSub(t, `{"name":"pin","type":"STRING","value":"4711","isSecure":true},{"name":"y","type":"STRING"}`,
		`"subflowInputVariables":[{"src":"pin","target":"in"}],"subflowOutputVariables":[{"outputVariable":"y","target":"copy"}]`,
		`{"name":"in","type":"STRING"},{"name":"copy","type":"STRING"}`, `{"srcVariable":"copy","setTo":"set-to-variable","expr":"in"}`)
	if s.Vars["y"] != "4711" {
		t.Fatalf("%+v", s.Vars)
	}
	for _, e := range out.Trace {
		if strings.Contains(e.Detail, "4711") {
			t.Errorf("the trace tells %+v", e)
		}
	}
}

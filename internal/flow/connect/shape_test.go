package connect_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
	"github.com/tandemcc/tandem/internal/testkit/flows"
)

// Files differ from the documentation in many small ways, and are read all the same.
func TestShapes(t *testing.T) {
	data := []byte(`{"Version":"2019-10-30","StartAction":"a","Metadata":{"EntryPointPosition":{"X":1,"Y":2},"ActionMetadata":{"a":{"Position":{"X":"10","Y":20.5}}}},"Actions":[
		{"Identifier":"a","Type":"MessageParticipant","Parameters":{"Text":"Welcome to ${Company}, %Greeting%"},"Transitions":{"NextAction":"b"}},
		{"Identifier":"b","Type":"UpdateContactTargetQueue","Parameters":{"QueueId":"{{queues.main}}"},"Transitions":{"NextAction":"nowhere","Errors":[{"NextAction":"c","ErrorType":"NoMatchingError"}]}},
		{"Identifier":"c","Type":"DisconnectParticipant","Parameters":null,"Transitions":null},
		{"Type":"DisconnectParticipant"},
		{"Identifier":"c","Type":"DisconnectParticipant"},
		{"Identifier":"d","Type":"Compare","Parameters":{"ComparisonValue":"$.Attributes.my value"},"Transitions":{"Conditions":[{"NextAction":"c","Condition":{"Operands":["1"]}}]}},
		{"Identifier":"e","Type":"MessageParticipant","Parameters":{"Text":"$.attributes.x and $."},"Transitions":{"NextAction":"c"}}, 7, null]}`)
	f, rep := imported(t, data)
	if len(f.Nodes) != 9 || rep.Nodes != 9 || f.Layout["a"] != (flow.Point{X: 10, Y: 20.5}) {
		t.Errorf("%d nodes, %+v", len(f.Nodes), f.Layout)
	}
	problems := []struct {
		rule        flow.Rule
		node, field string
		pos         int
		fix         string
	}{
		{flow.RuleShape, "b", "Transitions.NextAction.NextAction", -1, "export"},
		{flow.RuleErrorBranch, "a", "Transitions.Errors", -1, "NoMatchingError"},
		{flow.RuleErrorBranch, "d", "Transitions.Errors", -1, "NoMatchingCondition"},
		{flow.RulePath, "d", "Parameters.ComparisonValue", 15, "$.Attributes['my value']"},
		{flow.RulePath, "e", "Parameters.Text", 0, "$.Attributes.x and $."},
		{flow.RulePath, "e", "Parameters.Text", 19, "reference"},
		{flow.RuleExit, "d", "", -1, "connect"},
	}
	for _, w := range problems {
		if !slices.ContainsFunc(rep.Problems, func(p flow.Problem) bool {
			return p.Rule == w.rule && p.Node == w.node && p.Field == w.field && p.Position == w.pos && strings.Contains(p.Fix, w.fix)
		}) {
			t.Errorf("%+v is not named in %+v", w, rep.Problems)
		}
	}
	for _, w := range []flow.Unresolved{{Node: "a", Kind: flow.RefOther, ID: "${Company}"}, {Node: "a", Kind: flow.RefOther, ID: "%Greeting%"}, {Node: "b", Kind: flow.RefQueue, ID: "{{queues.main}}"}} {
		if !slices.Contains(rep.Unresolved, w) {
			t.Errorf("%+v is not named in %+v", w, rep.Unresolved)
		}
	}
	if f.Bind(flow.RefQueue, "{{queues.main}}", "q-9") != 1 {
		t.Error("the queue cannot be bound")
	}
	if _, err := flow.Compile(f); err != nil {
		t.Error(err)
	}
	mended, done := flow.Mend(f, rep)
	if len(done) == 0 || flow.Source(mended.Nodes["d"].In["value"]) != "$.Attributes['my value']" {
		t.Errorf("mended: %+v", done)
	}
}

// A flow within what a tool or the service puts around it is found, and is exported in the same wrapper.
func TestWrappers(t *testing.T) {
	inner := string(doc(act("a", "MessageParticipant", `{"Text":"hello"}`, "next", "bye")))
	text, err := json.Marshal(inner)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{
		`{"ContactFlow":{"Arn":"arn","Name":"Wrapped","Content":` + string(text) + `}}`,
		`{"Type":"AWS::Connect::ContactFlow","Properties":{"Name":"Wrapped","Content":` + string(text) + `}}`,
		`{"content":` + inner + `,"other":[1.50]}`,
	} {
		f, _ := imported(t, []byte(data))
		if f.Name != "t" || len(f.Nodes) != 2 {
			t.Errorf("%s: %+v", data, f)
		}
		out, losses, err := connect.Exporter{}.Export(f)
		if err != nil || len(losses) > 0 {
			t.Fatal(err, losses)
		}
		if diff := cmp.Diff(flows.Tree(t, []byte(data)), flows.Tree(t, out)); diff != "" {
			t.Error(diff)
		}
		editPrompt(f, "changed")
		if out, _, err = (connect.Exporter{}).Export(f); err != nil {
			t.Fatal(err)
		}
		back, _ := imported(t, out)
		if got := flow.Source(back.Nodes["a"].In["prompts"].List[0].Map["text"]); got != "changed" {
			t.Errorf("it came back as %q", got)
		}
	}
}

func TestNotAFlow(t *testing.T) {
	for name, data := range map[string]string{
		"no actions": `{"Version":"2019-10-30","StartAction":"a","Actions":[]}`, "actions of another kind": `{"StartAction":"a","Actions":{}}`, "other": `{"Actions":[1]}`,
		"no modules": `{"modules":[],"start":"a"}`, "template": `{"Version":"2012-10-17","Statement":[]}`, "text": "Actions", "null": "null",
		"more after it": `{"StartAction":"a","Actions":[{"Identifier":"a"}]} 0`, "more after older": `{"start":"a","modules":[{"id":"a"}]} {}`,
	} {
		_, _, err := formats.Import([]byte(data))
		if !errors.Is(err, flow.ErrNotAFlow) || errs.CodeOf(err) != errs.Invalid || strings.Contains(err.Error(), "\n") || len(err.Error()) > 300 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Changes of every kind reach the export.
func TestSemantics6ExportEdits(t *testing.T) {
	data := doc(act("g", "GetParticipantInput", `{"Text":"press","StoreInput":"False","InputTimeLimitSeconds":"5"}`, "if Equals 1", "a", "on NoMatchingCondition", "b", "on NoMatchingError", "b", "next", "b"),
		says("a"), says("b"), act("l", "InvokeLambdaFunction", `{"LambdaFunctionARN":"f","LambdaInvocationAttributes":{"a.b":"1"}}`, "next", "bye"))
	f, _ := imported(t, data)
	f.Name = "renamed"
	g := f.Nodes["g"]
	g.In["entryTimeoutMS"] = flow.Value{Lit: "9000", Field: g.In["entryTimeoutMS"].Field}
	g.Exits[flow.PortNoMatch] = "a"
	g.Exits[flow.PortTimeout] = "bye"
	f.Nodes["l"].In["params"].Map["a.b"] = flow.Value{Src: "$.Attributes.x", Dialect: flow.DialectConnect, Field: f.Nodes["l"].In["params"].Map["a.b"].Field}
	f.Nodes["new"] = &flow.Node{
		ID: "new", Name: "new", Op: flow.OpSet, In: map[string]flow.Value{"sets": {List: []flow.Value{{Map: map[string]flow.Value{"var": flow.Lit("v"), "value": flow.Pebble("{{ NewPhoneContact.ANI }}", "")}}}}},
		Exits: map[flow.Port]flow.NodeID{flow.PortOK: "a"},
	}
	g.Exits[flow.PortOK] = "new"
	delete(f.Nodes, "b")
	for _, n := range f.Nodes {
		for p, to := range n.Exits {
			if to == "b" {
				n.Exits[p] = "bye"
			}
		}
	}
	out, losses, err := connect.Convert(f)
	if err != nil || len(losses) > 0 {
		t.Fatal(err, losses)
	}
	back, rep := imported(t, out)
	m := back.Nodes["g"]
	want := map[flow.Port]flow.NodeID{flow.PortDigit("1"): "a", flow.PortNoMatch: "a", flow.PortError: "bye", flow.PortOK: "new", flow.PortTimeout: "bye"}
	if diff := cmp.Diff(want, m.Exits); diff != "" {
		t.Error(diff)
	}
	if flow.Source(m.In["entryTimeoutMS"]) != "9000" || back.Name != "renamed" || back.Nodes["b"] != nil || !strings.Contains(string(out), `"InputTimeLimitSeconds": "9"`) {
		t.Errorf("%s", out)
	}
	if s := back.Nodes["new"]; s == nil || flow.Source(s.In["sets"].List[0].Map["value"]) != "$.CustomerEndpoint.Address" || s.Exits[flow.PortOK] != "a" {
		t.Errorf("%+v", s)
	}
	if flow.Source(back.Nodes["l"].In["params"].Map["a.b"]) != "$.Attributes.x" {
		t.Errorf("%+v", back.Nodes["l"].In["params"])
	}
	for _, p := range rep.Problems {
		if p.Rule == flow.RuleShape {
			t.Errorf("%+v", p)
		}
	}
}

func FuzzConnectImport(f *testing.F) {
	f.Add(doc(act("a", "GetParticipantInput", `{"SSML":"<speak>$.External['x y']<break/>","StoreInput":"True","InputValidation":{"PhoneNumberValidation":{"NumberFormat":"Local","CountryCode":"DE"}}}`, "next", "a")))
	f.Add(doc(act("a", "Compare", `{"ComparisonValue":"$.Attributes.a.b[0]"}`, "if NumberLessThan $.External.x", "a", "on NoMatchingCondition", "bye")))
	f.Add(doc(act("a", "DistributeByPercentage", `null`, "if NumberLessThan 1e9", "a", "if NumberLessThan x", "bye")))
	f.Add([]byte(`{"ContactFlow":{"Content":"{\"StartAction\":\"a\",\"Actions\":[{\"Identifier\":\"a\",\"Type\":\"Loop\"}]}"}}`))
	f.Add([]byte(`{"StartAction":"a","Actions":[{"Identifier":"a","Transitions":{"NextAction":"a","Conditions":[{}],"Errors":[{}]}},{"Type":"UpdateFlowAttributes","Parameters":{"FlowAttributes":{"a":{"Value":1},"b":2}}}]}`))
	fuzz(f)
}

func FuzzLegacyImport(f *testing.F) {
	f.Add([]byte(`{"start":"a","type":"customerQueue","modules":[{"id":"a","type":"CheckAttribute","parameters":[{"name":"Attribute","value":"x y"},{"name":"Namespace","value":"User Defined"}],
		"branches":[{"condition":"Evaluate","conditionType":"GreaterThan","conditionValue":5,"transition":"a"},{"condition":"NoMatch","transition":"b"}]}],"metadata":{"name":"n"}}`))
	f.Add([]byte(`{"start":"a","modules":[{"id":"a","type":"CheckQueueStatus","branches":[{"condition":"CheckQueueTime","conditionType":"LessThan","conditionValue":300000,"transition":"a"}]},null,{"type":"Transfer","target":"Flow"}]}`))
	fuzz(f)
}

func fuzz(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		fl, _, err := formats.Import(data)
		if err != nil {
			return
		}
		if _, err := json.Marshal(fl); err != nil {
			t.Fatal(err)
		}
		if out, _, err := connect.Convert(fl); err != nil || !json.Valid(out) {
			t.Fatalf("exporting: %v", err)
		}
		p, err := flow.Compile(flow.Link(fl, func(flow.Ref) *flow.Flow { return fl }))
		if err != nil {
			return
		}
		s, _, err := flow.Start(p, flow.Input{At: epoch})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			for _, c := range s.Outstanding() {
				if _, err := flow.Step(p, s, (script{digits: "1"}).answer(c)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

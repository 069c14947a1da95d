package webex_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/webex"
)

// export makes a raw export of a start and one activity A with its ports leading to ends that are called like the ports.
func export(vars, name, props string, ports ...string) []byte {
	var acts, links strings.Builder
	for i, p := range ports {
		fmt.Fprintf(&acts, `,"e%d":{"id":"e%d","name":"to-%s","group":"end","properties":{"activityName":"end"}}`, i, i, p)
		fmt.Fprintf(&links, `,{"id":"l%d","sourceActivityId":"a","targetActivityId":"e%d","conditionExpr":%q,"properties":{"value":%q}}`, i, i, p, p)
	}
	return fmt.Appendf(nil, `{"name":"t","flowId":"f","variables":[%s],"process":{"activities":{
		"s":{"id":"s","name":"NewPhoneContact","group":"start","properties":{"activityName":"NewPhoneContact"}},
		"a":{"id":"a","name":"A","group":"action","properties":{"activityName":%q,"name":"A",%s}}%s},
		"links":[{"sourceActivityId":"s","targetActivityId":"a","conditionExpr":"out"}%s]},"eventFlows":{"eventsMap":{}}}`,
		vars, name, props, acts.String(), links.String())
}

type run struct {
	t   *testing.T
	f   *flow.Flow
	p   *flow.Program
	s   *flow.Session
	out flow.Output
}

func begin(t *testing.T, data []byte) *run {
	t.Helper()
	f, rep, err := webex.Importer{}.Import(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Unsupported) > 0 {
		t.Fatalf("unsupported: %v", rep.Unsupported)
	}
	p, err := flow.Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	s, out, err := flow.Start(p, flow.Input{Contact: flow.Contact{ID: "i-1", ANI: "+14155550100"}, At: time.Unix(0, 0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	return &run{t, f, p, s, out}
}

func (r *run) only() flow.Command {
	r.t.Helper()
	open := r.s.Outstanding()
	if len(open) != 1 {
		r.t.Fatalf("outstanding: %+v", open)
	}
	return open[0]
}

// left is the source format's name of the port that node A was left by.
func (r *run) left() string {
	for _, e := range r.out.Trace {
		if e.Node == "a" && e.Port != "" {
			if to, ok := r.f.Nodes["a"].Exits[e.Port]; ok {
				return strings.TrimPrefix(r.f.Nodes[to].Name, "to-")
			}
			return "(" + string(e.Port) + ")"
		}
	}
	return ""
}

func (r *run) step(ev flow.Event) *run {
	r.t.Helper()
	ev.Command = r.only().ID
	out, err := flow.Step(r.p, r.s, ev)
	if err != nil {
		r.t.Fatal(err)
	}
	r.out = out
	return r
}

const intVar = `{"name":"n","type":"INTEGER","value":"0"},{"name":"x","type":"STRING","value":"from x"},{"name":"y","type":"STRING","value":null}`

// set-variable has an old form and a new one; the new form repeats its first item at the top, which must not run twice.
func TestSetVariableForms(t *testing.T) {
	tests := []struct {
		name, props string
		n           int64
		y           string
	}{
		{"old literal", `"srcVariable":"y","setTo":"set-to-literal","expr":"lit {{ x }}"`, 0, "lit from x"},
		{"old variable, bare", `"srcVariable":"y","setTo":"set-to-variable","expr":"x"`, 0, "from x"},
		{"old variable, of the contact", `"srcVariable":"y","setTo":"set-to-variable","expr":"NewPhoneContact.interactionId"`, 0, "i-1"},
		{"old variable, as template", `"srcVariable":"y","setTo":"set-to-variable","expr":"{{ x }}"`, 0, "from x"},
		{"new, first repeated at the top", `"srcVariable":"n","srcVariableType":"INTEGER","setTo":"set-to-literal","literal":"{{ n + 1 }}","expr":"{{ n + 1 }}",
			"setVariablesArray":[{"srcVariable":"n","srcVariableType":"INTEGER","setTo":"set-to-literal","literal":"{{ n + 1 }}","expr":"{{ n + 1 }}"}]`, 1, ""},
		{"new, several in order", `"setVariablesArray":[{"srcVariable":"n","setTo":"set-to-literal","literal":"5"},{"srcVariable":"n","setTo":"set-to-literal","expr":"{{ n * 2 }}"},
			{"srcVariable":"y","setTo":"set-to-variable","expr":"x"}]`, 10, "from x"},
		{"empty list falls back to the old form", `"srcVariable":"y","setTo":"set-to-literal","expr":"v","setVariablesArray":[]`, 0, "v"},
	}
	for _, tt := range tests {
		r := begin(t, export(intVar, "set-variable", tt.props, "out", "error"))
		if r.s.Vars["n"] != tt.n || r.s.Vars["y"] != tt.y || r.left() != "out" {
			t.Errorf("%s: %v, left by %s", tt.name, r.s.Vars, r.left())
		}
	}
}

// case-statement: menuLinks are the ports' names, menuLinks_input (or its twin) the values.
func TestCaseStatementPorts(t *testing.T) {
	for _, twin := range []string{"menuLinks_input", "menuLinks:input"} {
		props := `"expression":"{{ x }}","menuLinks":["0","1","2"],"` + twin + `":["a","from x","from x"]`
		r := begin(t, export(intVar, "case-statement", props, "0", "1", "2", "default"))
		if r.left() != "1" {
			t.Errorf("%s: left by %s", twin, r.left())
		}
		if len(r.f.Nodes["a"].Exits) != 4 {
			t.Errorf("%s: exits %v", twin, r.f.Nodes["a"].Exits)
		}
	}
	r := begin(t, export(intVar, "case-statement", `"expression":"{{ y }}","menuLinks":["0"],"menuLinks_input":["0"]`, "0", "default"))
	if r.left() != "default" {
		t.Errorf("left by %s", r.left())
	}
}

// Numbers arrive as number or as text, in seconds or milliseconds.
func TestNumbersAsTextOrNumber(t *testing.T) {
	for _, num := range []string{`2500`, `"2500"`, `2500.0`, `"2500.0"`} {
		r := begin(t, export("", "http-request-v2", `"authenticated":false,"httpRequestUrl":"https://x.example","httpRequestMethod":"GET","httpResponseTimeout":`+num+`,"retryAttempts":"2"`, "default"))
		if h := r.only().HTTP; h.TimeoutMS != 2500 || h.Retries != 2 {
			t.Errorf("%s: %+v", num, h)
		}
	}
	r := begin(t, export("", "http-request-v2", `"httpRequestUrl":"https://x.example","httpResponseTimeout":null`, "default"))
	if h := r.only().HTTP; h.TimeoutMS != flow.DefaultHTTPTimeoutMS || h.Method != http.MethodGet || h.Retries != 1 {
		t.Errorf("defaults: %+v", h)
	}
	for _, sec := range []string{`3`, `"3"`, `"3.0"`} {
		r := begin(t, export("", "play-music", `"prompt":"m.wav","duration":`+sec+`,"skip":1`, "default"))
		if m := r.only().Music; m.DurationMS != 3000 || m.OffsetMS != 1000 {
			t.Errorf("%s: %+v", sec, m)
		}
	}
	if m := begin(t, export("", "play-music", `"prompt":"m.wav","duration":-1`, "default")).only().Music; m.DurationMS != 0 {
		t.Errorf("no limit: %+v", m)
	}
}

// A field and its twins: the name of a reference, and whether it names a variable.
func TestSuffixTwins(t *testing.T) {
	for _, twin := range []string{"connectorId:name", "connectorId_name"} {
		r := begin(t, export("", "http-request-v2", `"authenticated":true,"connectorId":"c-1","`+twin+`":"crm","httpRequestPath":"/x"`, "default"))
		if h := r.only().HTTP; h.Connector != "c-1" || h.ConnectorName != "crm" || h.Path != "/x" || h.URL != "" {
			t.Errorf("%s: %+v", twin, h)
		}
	}
	for _, twin := range []string{"callbackDn:radioName", "callbackDn_radioName"} {
		r := begin(t, export(intVar, "callback", `"callbackDn":"x","`+twin+`":"setToVariable","callbackQueue":"q"`, "default", "failure"))
		if c := r.only().Callback; c.Number != "from x" || c.Queue != "q" {
			t.Errorf("%s: %+v", twin, c)
		}
	}
}

func TestQueueContact(t *testing.T) {
	tests := []struct {
		name, props string
		want        flow.Enqueue
	}{
		{"by id", `"destination":"q1","destination:name":"Support","toggle":false,"priority":"2"`, flow.Enqueue{Queue: "q1", QueueName: "Support", Priority: 10}},
		{"priority", `"destination":"q1","toggle":true,"priority":"2","priorityRadioGroup":"staticPriority"`, flow.Enqueue{Queue: "q1", Priority: 2}},
		{"priority from a variable", `"destination":"q1","toggle":true,"priorityVariable":"n","priorityRadioGroup":"variablePriority"`, flow.Enqueue{Queue: "q1", Priority: 10}},
		{"bad priority", `"destination":"q1","toggle":true,"priority":"11"`, flow.Enqueue{Queue: "q1", Priority: 10}},
		{"variable", `"queueRadioGroup":"variableQueue","destinationVariable":"x"`, flow.Enqueue{Queue: "from x", Priority: 10}},
		{"variable unset", `"queueRadioGroup":"variableQueue","destinationVariable":"{{y}}","fallbackQueue":"fb"`, flow.Enqueue{Queue: "fb", Priority: 10}},
		{"queueId", `"queueId":"q2"`, flow.Enqueue{Queue: "q2", Priority: 10}},
	}
	for _, tt := range tests {
		r := begin(t, export(intVar, "queue-contact", tt.props, "default", "failure"))
		got := r.only().Enqueue
		if got.Queue != tt.want.Queue || got.QueueName != tt.want.QueueName || got.Priority != tt.want.Priority {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
	skills := `"destination":"q","skills":{"requirements":[{"skill":"s1","skillName":"French","condition":"GTE","value":"{{ n }}"}]}`
	r := begin(t, export(intVar, "queue-contact", skills, "default"))
	if got := r.only().Enqueue.Skills; len(got) != 1 || got[0] != (flow.SkillNeed{ID: "s1", Name: "French", Op: "gte", Value: "0"}) {
		t.Errorf("skills %+v", got)
	}
	r = begin(t, export(intVar, "queue-contact", `"queueRadioGroup":"variableQueue","destinationVariable":"y"`, "default", "failure"))
	if r.left() != "failure" {
		t.Errorf("no queue: left by %s", r.left())
	}
}

func TestPrompts(t *testing.T) {
	r := begin(t, export(intVar, "play-message", `"toggle":true,"promptsTts":[{"type":"tts","value":"Hello {{x}}"},{"type":"tts","value":""},{"type":"audioFile","value":"a.wav"}],"prompts":null,
		"voiceLanguage":"en-US-Wavenet-C","speakingRate":"1","volumeGainDb":"0"`, "default"))
	want := []flow.Prompt{{Kind: flow.PromptTTS, Text: "Hello from x", Language: "en-US", Voice: "en-US-Wavenet-C", Rate: 1}, {Kind: flow.PromptFile, File: "a.wav"}}
	if got := r.only().Play.Prompts; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("prompts %+v", got)
	}
	r = begin(t, export(intVar+`,{"name":"Global_Language","type":"STRING","value":"de-DE","source":"GLOBAL_TM"}`, "play-message", `"toggle":false,"promptsTts":[{"type":"tts","value":"no"}],"prompts":[{"type":"tts","value":"yes"}]`, "default"))
	if got := r.only().Play.Prompts; len(got) != 1 || got[0].Text != "yes" || got[0].Language != "de-DE" {
		t.Errorf("prompts %+v", got)
	}
}

func TestOtherActivities(t *testing.T) {
	tests := []struct {
		name, props string
		ports       []string
		answer      flow.Event
		want        string
	}{
		{"business-hours", `"businessHoursId":"h"`, []string{"workingHours", "holidays", "override", "default", "error"}, flow.Event{Kind: flow.EvAnswer, Outcome: "work"}, "workingHours"},
		{"business-hours", `"businessHoursId":"h"`, []string{"workingHours", "holidays", "override", "default", "error"}, flow.Event{Kind: flow.EvAnswer, Outcome: "closed"}, "default"},
		{"business-hours", `"businessHoursId":"h"`, []string{"workingHours", "override", "error"}, flow.Event{Kind: flow.EvAnswer, Outcome: "override"}, "override"},
		{"business-hours", `"businessHoursId":"h"`, []string{"workingHours", "error"}, flow.Event{Kind: flow.EvAnswer, Error: "no such table"}, "error"},
		{"ivr-virtualassistantvoice", `"connector":"c"`, []string{"ENDED", "ESCALATE", "error"}, flow.Event{Kind: flow.EvAnswer, Outcome: "escalate"}, "ESCALATE"},
		{"virtual-agent-v2", `"connector":"c"`, []string{"handled", "escalated", "errored"}, flow.Event{Kind: flow.EvAnswer, Error: "no platform"}, "errored"},
		{"queue-lookup", `"destination":"q"`, []string{"default", "insufficientdata", "failure"}, flow.Event{Kind: flow.EvAnswer, Outcome: "insufficient"}, "insufficientdata"},
		{"queue-lookup", `"destination":"q"`, []string{"out", "failure"}, flow.Event{Kind: flow.EvAnswer, Outcome: "ok"}, "out"},
		{"queue-lookup", `"destination":"q"`, []string{"out", "failure"}, flow.Event{Kind: flow.EvAnswer, Outcome: "failed"}, "failure"},
		{"callback", `"callbackDn":"+1","callbackQueue":"q"`, []string{"default", "failure"}, flow.Event{Kind: flow.EvAnswer, Outcome: "failed"}, "failure"},
		{"blind-transfer", `"transfertodn":"+1"`, []string{"failure"}, flow.Event{Kind: flow.EvAnswer, Outcome: "failed"}, "failure"},
		{"bridged-transfer", `"transfertodn":"+1","timeout":10`, []string{"default", "failure"}, flow.Event{Kind: flow.EvAnswer, Outcome: "ok"}, "default"},
		{"wait-activity", `"duration":"00:01:05"`, []string{"default"}, flow.Event{Kind: flow.EvTimerFired}, "default"},
		{"subflow-handoff", `"subflowId":"f2"`, []string{"default", "error"}, flow.Event{Kind: flow.EvAnswer, Outcome: "ok"}, "default"},
	}
	for _, tt := range tests {
		if got := begin(t, export(intVar, tt.name, tt.props, tt.ports...)).step(tt.answer).left(); got != tt.want {
			t.Errorf("%s, %+v: left by %s, want %s", tt.name, tt.answer, got, tt.want)
		}
	}
	if ms := begin(t, export("", "wait-activity", `"duration":"00:01:05"`, "default")).only().Timer.MS; ms != 65_000 {
		t.Errorf("waits %d ms", ms)
	}
	r := begin(t, export("", "percent-allocation", `"allocations":[{"percent":100,"desc":"All"},{"percent":"0","desc":"None"}]`, "All", "None", "error"))
	if r.left() != "All" {
		t.Errorf("split left by %s", r.left())
	}
	r = begin(t, export("", "hand-off", `"handOffFlow":"ep-1"`, "error"))
	if !r.s.Over || r.out.Commands[0].Goto == nil || r.out.Commands[0].Goto.ID != "ep-1" {
		t.Errorf("hand-off: %+v", r.out.Commands)
	}
	r = begin(t, export(intVar, "queue-to-agent", `"destinationVariable":"{{x}}","destinationLookupType":"agentEmail","reportingQueue":"q","recoveryQueue":"r"`, "default", "error"))
	if e := r.only().Enqueue; e.Agent != "from x" || e.AgentBy != "email" || e.Queue != "q" || e.Fallback != "r" {
		t.Errorf("queue-to-agent: %+v", e)
	}
	r = begin(t, export("", "set-contact-priority", `"priority":"3"`, "default"))
	if r.out.Commands[0].Priority != 3 || r.left() != "default" {
		t.Errorf("priority: %+v", r.out.Commands)
	}
}

// What an export holds beyond what we know is kept and named, and the rest of it is read.
func TestUnknownAndDefective(t *testing.T) {
	data := []byte(`{"name":"t","version":"x","variables":[{"name":"a","type":"LIST"},{"name":"a"},{},7],"process":{"activities":{
		"s":{"name":"S","group":"start"},"s2":{"name":"S2","group":"start"},"u":{"name":"U","group":"action","properties":{"activityName":"brand-new"}},"z":null},
		"links":[{"sourceActivityId":"s","targetActivityId":"u","properties":{"value":"out"}},{"sourceActivityId":"s","targetActivityId":"u","conditionExpr":"out"},{"sourceActivityId":"s","targetActivityId":"gone"},"x"]},
		"eventFlows":{"eventsMap":{"G":{"process":{"activities":{"s":{"name":"Ev","group":"event"}}},"onEvents":{"ContactEnded":"s","Other":"gone"}}}}}`)
	f, rep, err := webex.Importer{}.Import(data)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Nodes != 5 || rep.Edges != 4 || rep.Handlers != 1 || rep.Mapped != 3 || len(rep.Unsupported) != 2 {
		t.Errorf("counts %+v", rep)
	}
	if u := rep.Unsupported[1]; u.Node != "z" && u != (flow.Unsupported{Node: "U", Type: "brand-new"}) {
		t.Errorf("unsupported %+v", rep.Unsupported)
	}
	if f.On[flow.OnContactEnded] != "G:s" || f.Nodes["G:s"].Name != "Ev" {
		t.Errorf("an identifier that stands in both parts is mixed up: %v", f.On)
	}
	if !json.Valid(f.Nodes["u"].Raw) || !json.Valid(f.Origin.Raw) {
		t.Error("the source text is lost")
	}
	if len(rep.Problems) < 6 {
		t.Errorf("problems %+v", rep.Problems)
	}
	if _, err := flow.Compile(f); err != nil {
		t.Error(err)
	}
}

package ring

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// What the Amazon Connect flows of these tests name in their old system.
const (
	arn       = "arn:aws:connect:us-east-1:123456789012:instance/i-1/"
	hoursARN  = arn + "operating-hours/h-1"
	queueARN  = arn + "queue/q-1"
	moduleARN = arn + "flow-module/m-1"
	waitARN   = arn + "contact-flow/w-1"
	lookUpARN = "arn:aws:lambda:us-east-1:123456789012:function:look-up:live"
	gradeARN  = "arn:aws:lambda:us-east-1:123456789012:function:grade"
)

// action is one action of a flow of Amazon Connect: its parameters, where it goes on, and its conditions and errors as
// "name next".
func action(id, typ, parameters, next string, branches ...string) string {
	var conditions, failures []string
	for _, b := range branches {
		name, to, _ := strings.Cut(b, " ")
		if strings.HasPrefix(name, "=") {
			conditions = append(conditions, `{"NextAction":"`+to+`","Condition":{"Operator":"Equals","Operands":["`+name[1:]+`"]}}`)
		} else {
			failures = append(failures, `{"NextAction":"`+to+`","ErrorType":"`+name+`"}`)
		}
	}
	n := ""
	if next != "" {
		n = `"NextAction":"` + next + `",`
	}
	return `{"Identifier":"` + id + `","Type":"` + typ + `","Parameters":` + parameters + `,"Transitions":{` + n +
		`"Conditions":[` + strings.Join(conditions, ",") + `],"Errors":[` + strings.Join(failures, ",") + `]}}`
}

// connectFlow is a flow of Amazon Connect that starts at the first action.
func connectFlow(start string, actions ...string) []byte {
	return []byte(`{"Version":"2019-10-30","StartAction":"` + start + `","Metadata":{},"Actions":[` + strings.Join(actions, ",") + `]}`)
}

func says(id, text, next string) string {
	return action(id, "MessageParticipant", `{"Text":"`+text+`"}`, next, "NoMatchingError bye")
}

func bye() string { return action("bye", "DisconnectParticipant", `{}`, "") }

// setUp makes things of an installation through the API.
type setUp struct {
	t   *testing.T
	h   *hub.Hub
	api *hub.Client
}

func with(t *testing.T, h *hub.Hub) setUp { return setUp{t, h, h.API()} }

// make creates one thing and returns its id.
func (s setUp) make(path string, body map[string]any) string {
	s.t.Helper()
	var o struct{ ID string }
	s.api.Must("POST", path, body, &o)
	return o.ID
}

// queue returns the id of a sample queue.
func (s setUp) queue(name string) string {
	s.t.Helper()
	var res struct{ Items []struct{ ID, Name string } }
	s.api.Must("GET", "/queues", nil, &res)
	for _, q := range res.Items {
		if q.Name == name {
			return q.ID
		}
	}
	s.t.Fatalf("there is no queue %s", name)
	return ""
}

// bindings are what references of a flow stand for, as "kind ref" to id.
type bindings map[string]string

// load imports a flow, as a new version of id unless that is empty, binds its references and publishes it.
func (s setUp) load(id, name string, file []byte, bind bindings) string {
	s.t.Helper()
	var res struct {
		Flow struct {
			ID      string
			Version int
		}
	}
	s.api.Must("POST", "/flows/import?name="+name+"&flowId="+id, file, &res)
	version := res.Flow.Version
	if len(bind) > 0 {
		list := []map[string]string{}
		for ref, target := range bind {
			kind, ref, _ := strings.Cut(ref, " ")
			list = append(list, map[string]string{"kind": kind, "ref": ref, "target": target})
		}
		var bound struct{ Version int }
		s.api.Must("PUT", "/flows/"+res.Flow.ID+"/bindings", map[string]any{"version": version, "bindings": list}, &bound)
		version = bound.Version
	}
	s.api.Must("POST", "/flows/"+res.Flow.ID+"/publish", map[string]any{"version": version}, nil)
	return res.Flow.ID
}

func (s setUp) point(number, flowID string) {
	s.t.Helper()
	s.make("/entry-points", map[string]any{"name": "Line " + number, "number": number, "flowId": flowID})
}

func always() map[string]any {
	return map[string]any{"name": "Always", "zone": "Europe/Berlin", "week": []map[string]any{
		{"days": []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}, "from": "00:00", "to": "24:00"},
	}}
}

// endpoint is a function of somebody else, reached over HTTP; it keeps the last event.
func endpoint(t *testing.T) (url string, event chan map[string]any) {
	t.Helper()
	event = make(chan map[string]any, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		var ev map[string]any
		if err != nil || json.Unmarshal(raw, &ev) != nil || r.Header.Get("Authorization") != "Bearer of-functions" || r.URL.Path != "/fn/look-up" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		event <- ev
		_, _ = io.WriteString(w, `{"tier":"gold"}`)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, event
}

// at follows a path in an event.
func at(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// steps are the ports that nodes were left by, as "name port".
func steps(h *hub.Hub, id string) string {
	var list []string
	for _, s := range h.Trace(id) {
		if s.Port != "" {
			list = append(list, s.Name+" "+s.Port)
		}
	}
	return strings.Join(list, ", ")
}

// TestConnectFlow: a flow of Amazon Connect asks for the hours, calls one function over HTTP and one as a command, runs a module,
// and lets its caller wait in a queue to the sound of another flow until an agent answers.
func TestConnectFlow(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "grade")
	if err := os.WriteFile(program, []byte("#!/bin/sh\ngrep -q '\"tier\":\"gold\"' && echo '{\"grade\":\"first class\"}'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	h := hub.Start(t, hub.Options{Flags: map[string]any{"functions.commands.grade": []string{program}}})
	s := with(t, h)
	url, events := endpoint(t)
	connector := s.make("/connectors", map[string]any{"name": "functions", "kind": "http", "baseUrl": url, "grant": "bearer", "token": "of-functions", "allowPrivate": true})
	s.make("/functions", map[string]any{"name": "Look-up", "kind": "http", "refs": []string{"look-up:live"}, "connector": connector, "url": "/fn/look-up"})
	s.make("/functions", map[string]any{"name": "grade", "kind": "command", "command": "grade"})
	hours := s.make("/hours", always())
	setQueue(h, map[string]any{"hoursId": hours})

	module := s.load("", "Module", connectFlow("hello", says("hello", "Welcome, $.Attributes.grade customer", "back"), action("back", "EndFlowModuleExecution", `{}`, ""), bye()), nil)
	wait := s.load("", "Wait", connectFlow("hold", action("hold", "MessageParticipantIteratively", `{"Messages":[{"Text":"Please hold the line"}],"InterruptFrequencySeconds":"4"}`, "hold", "=MessagesInterrupted figures", "NoMatchingError hold"),
		action("figures", "GetMetricData", `{}`, "place", "NoMatchingError hold"), says("place", "You are number $.Metrics.Queue.PositionInQueue", "hold"), bye()), nil)
	main := s.load("", "Main", connectFlow("queue",
		action("queue", "UpdateContactTargetQueue", `{"QueueId":"`+queueARN+`"}`, "ownHours", "NoMatchingError bye"),
		action("ownHours", "CheckHoursOfOperation", `{}`, "bye", "=True open", "=False bye", "NoMatchingError bye"),
		action("open", "CheckHoursOfOperation", `{"HoursOfOperationId":"`+hoursARN+`"}`, "bye", "=True look", "=False bye", "NoMatchingError bye"),
		action("look", "InvokeLambdaFunction", `{"LambdaFunctionARN":"`+lookUpARN+`","InvocationTimeLimitSeconds":"8","LambdaInvocationAttributes":{"plan":"basic"}}`, "tier", "NoMatchingError bye"),
		action("tier", "UpdateContactAttributes", `{"Attributes":{"tier":"$.External.tier"}}`, "rate", "NoMatchingError bye"),
		action("rate", "InvokeLambdaFunction", `{"LambdaFunctionARN":"`+gradeARN+`","InvocationTimeLimitSeconds":"8"}`, "grade", "NoMatchingError bye"),
		action("grade", "UpdateContactAttributes", `{"Attributes":{"grade":"$.External.grade"}}`, "module", "NoMatchingError bye"),
		action("module", "InvokeFlowModule", `{"FlowModuleId":"`+moduleARN+`"}`, "hooks", "NoMatchingError bye"),
		action("hooks", "UpdateContactEventHooks", `{"EventHooks":{"CustomerQueue":"`+waitARN+`"}}`, "transfer", "NoMatchingError bye"),
		action("transfer", "TransferContactToQueue", `{}`, "bye", "QueueAtCapacity bye", "NoMatchingError bye"), bye()),
		bindings{"hours " + hoursARN: hours, "queue " + queueARN: s.queue("Support"), "flow " + moduleARN: module, "flow " + waitARN: wait})
	s.point("3000", main)

	call := dial(h, "+15005550150", "3000", callerTone)
	id := contactOf(h, "+15005550150")
	prompted(h, id, "Welcome, first class customer", 1)
	queued(h, "+15005550150")
	prompted(h, id, "Please hold the line", 1)
	prompted(h, id, "You are number 1", 1) // after the interruption
	prompted(h, id, "Please hold the line", 2)
	ev := <-events
	for path, want := range map[string]any{
		"Name": "ContactFlowEvent", "Details.Parameters.plan": "basic", "Details.ContactData.ContactId": id,
		"Details.ContactData.CustomerEndpoint.Address": "+15005550150", "Details.ContactData.Channel": "VOICE",
	} {
		if got := at(ev, path); got != want {
			t.Errorf("the function heard %s = %v, want %v", path, got, want)
		}
	}
	agent := sit(t, h, "ada", agentTone)
	if got := agent.accepts(); got != id {
		t.Errorf("the agent has contact %s, not %s", got, id)
	}
	h.Eventually("both hear each other", func() bool { return call.ear.hears(agentTone) && agent.ear.hears(callerTone) })
	call.Hangup()
	agent.is("wrapup")
	agent.finishes(id, "resolved", "")
	r := closed(t, h, id)
	vars := map[string]string{}
	for _, v := range r.Variables {
		vars[v.Name] = v.Value
	}
	if vars["tier"] != "gold" || vars["grade"] != "first class" || r.Had("error") {
		t.Errorf("variables %v, timeline %+v", vars, r.Timeline)
	}
	if got := steps(h, id); !strings.Contains(got, "hello ok") || !strings.Contains(got, "figures ok") {
		t.Errorf("the trace names no nodes of linked flows: %s", got)
	}
}

// TestFlowAsksInVain: what cannot be answered leaves by the error branch and says why.
func TestFlowAsksInVain(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	s := with(t, h)
	main := s.load("", "Main", connectFlow("hours",
		action("hours", "CheckHoursOfOperation", `{"HoursOfOperationId":"`+hoursARN+`"}`, "bye", "=True bye", "=False bye", "NoMatchingError fn"),
		action("fn", "InvokeLambdaFunction", `{"LambdaFunctionARN":"`+lookUpARN+`"}`, "bye", "NoMatchingError module"),
		action("module", "InvokeFlowModule", `{"FlowModuleId":"`+moduleARN+`"}`, "bye", "NoMatchingError metric"),
		action("metric", "GetMetricData", `{"QueueId":"`+queueARN+`"}`, "bye", "NoMatchingError bot"),
		action("bot", "ConnectParticipantWithLexBot", `{"Text":"hello","LexV2Bot":{"AliasArn":"arn:aws:lex:us-east-1:1:bot-alias/a/b"}}`, "bye", "NoMatchingError last"),
		says("last", "Nothing worked", "bye"), bye()), nil)
	s.point("3001", main)
	call := dial(h, "+15005550151", "3001", 0)
	id := contactOf(h, "+15005550151")
	prompted(h, id, "Nothing worked", 1)
	isOver(h, call)
	closed(t, h, id)
	if got, want := steps(h, id), "hours error, fn error, module error, metric error, bot error, last ok"; got != want {
		t.Errorf("the flow went %s, want %s", got, want)
	}
	for _, step := range h.Trace(id) {
		want := map[string]string{"hours": "hours of operation", "fn": "no function is set up", "module": "not bound and published", "metric": "there is no queue", "bot": "no dialogue platform"}[step.Name]
		if step.Port == "error" && !strings.Contains(step.Detail, want) {
			t.Errorf("%s says %q, not %q", step.Name, step.Detail, want)
		}
	}
}

// TestFlowsHandOverInACircle: flows that hand a call to each other do not do so for ever.
func TestFlowsHandOverInACircle(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	s := with(t, h)
	hop := func(to string) []byte {
		return connectFlow("go", action("go", "TransferToFlow", `{"ContactFlowId":"`+to+`"}`, "bye", "NoMatchingError bye"), bye())
	}
	one := s.load("", "One", hop("Two"), nil)
	s.load("", "Two", hop("One"), nil)
	s.load(one, "One", hop("Two"), nil)
	s.point("3002", one)
	call := dial(h, "+15005550152", "3002", 0)
	id := contactOf(h, "+15005550152")
	isOver(h, call)
	said := ""
	for _, m := range closed(t, h, id).Timeline {
		if m.Type == "error" {
			said += m.Text + " " + m.Detail
		}
	}
	if !strings.Contains(said, "circle") {
		t.Errorf("the record says %q", said)
	}
}

// TestPinnedFlows: a call runs the versions that were published when it began, those of modules, of the flow for waiting callers
// and of the one it is handed to included, also when the hub was started anew.
func TestPinnedFlows(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	s := with(t, h)
	version := func(n string, ids map[string]string) map[string]string {
		module := s.load(ids["module"], "Module", connectFlow("m", says("m", "module "+n, "back"), action("back", "EndFlowModuleExecution", `{}`, ""), bye()), nil)
		wait := s.load(ids["wait"], "Wait", connectFlow("w", action("w", "MessageParticipantIteratively", `{"Messages":[{"Text":"waiting `+n+`"}]}`, "", "NoMatchingError bye"), bye()), nil)
		next := s.load(ids["next"], "Next", connectFlow("n", says("n", "next "+n, "k"),
			action("k", "GetParticipantInput", `{"Text":"again","InputTimeLimitSeconds":"60","StoreInput":"False"}`, "bye", "=1 q", "NoMatchingCondition bye", "InputTimeLimitExceeded bye", "NoMatchingError bye"),
			action("q", "UpdateContactTargetQueue", `{"QueueId":"`+queueARN+`"}`, "h", "NoMatchingError bye"),
			action("h", "UpdateContactEventHooks", `{"EventHooks":{"CustomerQueue":"`+waitARN+`"}}`, "t", "NoMatchingError bye"),
			action("t", "TransferContactToQueue", `{}`, "bye", "NoMatchingError bye"), bye()),
			bindings{"queue " + queueARN: s.queue("Support"), "flow " + waitARN: wait})
		main := s.load(ids["main"], "Pinned", connectFlow("k",
			action("k", "GetParticipantInput", `{"Text":"press `+n+`","InputTimeLimitSeconds":"60","StoreInput":"False"}`, "bye", "=1 m", "NoMatchingCondition bye", "InputTimeLimitExceeded bye", "NoMatchingError bye"),
			action("m", "InvokeFlowModule", `{"FlowModuleId":"`+moduleARN+`"}`, "g", "NoMatchingError bye"),
			action("g", "TransferToFlow", `{"ContactFlowId":"`+arn+`contact-flow/n-1"}`, "bye", "NoMatchingError bye"), bye()),
			bindings{"flow " + moduleARN: module, "flow " + arn + "contact-flow/n-1": next})
		return map[string]string{"module": module, "wait": wait, "next": next, "main": main}
	}
	ids := version("one", nil)
	s.point("3003", ids["main"])
	old := dial(h, "+15005550153", "3003", 0)
	id := contactOf(h, "+15005550153")
	prompted(h, id, "press one", 1)
	version("two", ids)
	keys(t, old, "1")
	prompted(h, id, "module one", 1)
	prompted(h, id, "next one", 1)
	prompted(h, id, "again", 1)
	keys(t, old, "1")
	prompted(h, id, "waiting one", 1)

	young := dial(h, "+15005550154", "3003", 0)
	other := contactOf(h, "+15005550154")
	prompted(h, other, "press two", 1)
	keys(t, young, "1")
	prompted(h, other, "module two", 1)
	prompted(h, other, "next two", 1)

	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	again := hub.Start(t, hub.Options{Dir: h.Dir})
	for _, contact := range []string{id, other} {
		if r := closed(t, again, contact); r.EndReason != "hub_restart" || r.Had("error") {
			t.Errorf("the record: %s %+v", r.EndReason, r.Timeline)
		}
	}
	if got := steps(again, id); !strings.Contains(got, "w ok") && !strings.Contains(got, "t ok") {
		t.Errorf("the trace after the restart: %s", got)
	}
}

// TestFunctionAfterTheCall: what a flow asks for when its call is over is asked for by a durable job, again until there is an answer.
func TestFunctionAfterTheCall(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	s := with(t, h)
	var tries atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if tries.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"score":"nine"}`)
	}))
	t.Cleanup(srv.Close)
	connector := s.make("/connectors", map[string]any{"name": "fn", "kind": "http", "baseUrl": srv.URL, "grant": "none", "allowPrivate": true})
	s.make("/functions", map[string]any{"name": "rate", "kind": "http", "connector": connector, "url": "/"})
	s.make("/hours", always())
	id := s.load("", "After", []byte(`
tandem: flow/1
name: After
vars:
  score: {type: STRING, cad: true}
start: Call
handlers: {contactEnded: Ended}
nodes:
  Call: {op: start, exits: Hello}
  Hello: {op: say, in: {prompts: Hello}, exits: Bye}
  Bye: {op: hangup}
  Ended: {op: event, exits: Open}
  Open: {op: hours, in: {hours: Always}, exits: {"hours:work": Rate, ok: Over, error: Over}}
  Rate: {op: function, in: {function: rate, timeoutMS: 5000}, out: {score: $.score}, exits: {ok: Over, error: Over}}
  Over: {op: end}
`), nil)
	s.point("3004", id)
	call := dial(h, "+15005550155", "3004", 0)
	contact := contactOf(h, "+15005550155")
	isOver(h, call)
	h.Eventually("the function has been reached", func() bool {
		h.Advance(10 * time.Second) // the back-off
		return h.Record(contact).WriteBack == "done"
	})
	r := h.Record(contact)
	if len(r.Variables) != 1 || r.Variables[0].Value != "nine" || len(r.WriteBacks) != 1 || r.WriteBacks[0].Attempts != 3 {
		t.Errorf("variables %v, write-backs %+v", r.Variables, r.WriteBacks)
	}
	if got := steps(h, contact); !strings.HasSuffix(got, "Open hours:work, Rate ok") {
		t.Errorf("the flow went %s", got)
	}
}

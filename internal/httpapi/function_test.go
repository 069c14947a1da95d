package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// functionServer answers as functions do, well and badly, by path.
func functionServer(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/well":
			_, _ = io.WriteString(w, `{"tier":"gold"}`)
		case "/list":
			_, _ = io.WriteString(w, `[1,2]`)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "/raises": // as AWS Lambda does
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			_, _ = io.WriteString(w, `{"errorMessage":"division by zero","errorType":"ZeroDivisionError"}`)
		case "/large":
			_, _ = io.WriteString(w, `{"x":"`+strings.Repeat("x", 300<<10)+`"}`)
		case "/slow":
			<-r.Context().Done()
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestFunctions: the test button says how each function did, nobody reaches a private address without a connector that
// allows it, and nothing runs but what the configuration file names.
func TestFunctions(t *testing.T) {
	program := filepath.Join(t.TempDir(), "echo")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nprintf '{\"heard\":%s}' \"$(cat)\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	a := startAPIWith(t, hub.Options{Flags: map[string]any{"functions.commands.echo": []string{program}}})
	url := functionServer(t)
	r := a.do(t, req{method: "POST", path: "/connectors", as: "admin", body: m{"name": "fn", "kind": "http", "baseUrl": url, "grant": "none", "allowPrivate": true}})
	conn := r.text("id")
	for _, c := range []struct {
		name string
		body m
		ok   bool
		says string
	}{
		{"well", m{"kind": "http", "connector": conn, "url": "/well"}, true, "gold"},
		{"list", m{"kind": "http", "connector": conn, "url": "/list"}, false, "JSON object"},
		{"broken", m{"kind": "http", "connector": conn, "url": "/broken"}, false, "500"},
		{"raises", m{"kind": "http", "connector": conn, "url": "/raises"}, false, "division by zero"},
		{"large", m{"kind": "http", "connector": conn, "url": "/large"}, false, "bytes"},
		{"slow", m{"kind": "http", "connector": conn, "url": "/slow", "timeoutMs": 200}, false, "did not answer within 200ms"},
		{"private", m{"kind": "http", "url": url + "/well"}, false, "must not be called"},
		{"echo", m{"kind": "command", "command": "echo"}, true, `"plan": "basic"`},
	} {
		c.body["name"] = c.name
		made := a.do(t, req{method: "POST", path: "/functions", as: "admin", body: c.body})
		if made.status != 201 {
			t.Fatalf("%s: %d %s", c.name, made.status, made.raw)
		}
		r := a.do(t, req{method: "POST", path: "/functions/" + made.text("id") + "/test", as: "admin", body: m{"parameters": m{"plan": "basic"}}})
		if r.status != 200 || r.json["ok"] != c.ok || !strings.Contains(r.text("message")+r.text("answer"), c.says) {
			t.Errorf("%s: %d %.300s", c.name, r.status, r.raw)
		}
	}
	a.do(t, req{method: "POST", path: "/functions", as: "admin", body: m{"name": "x", "kind": "command", "command": "/bin/sh"}}).problem(t, "a command nobody has allowed", 422, "invalid")
	a.do(t, req{method: "POST", path: "/functions", as: "admin", body: m{"name": "y", "kind": "http", "connector": "none", "url": "/x"}}).problem(t, "no such connector", 422, "invalid")
	a.do(t, req{method: "POST", path: "/functions", as: "admin", body: m{"name": "z", "kind": "http", "url": "https://x.example", "refs": []string{"well"}}}).problem(t, "a name that is taken", 409, "conflict")
}

// connectFile names one thing of each kind by what it is called in its old system.
const connectFile = `{"Version":"2019-10-30","StartAction":"h","Metadata":{"ActionMetadata":{
 "h":{"parameters":{"HoursOfOperationId":{"displayName":"Shop hours"}}},"q":{"parameters":{"QueueId":{"displayName":"Complaints"}}},
 "p":{"parameters":{"PromptId":{"displayName":"welcome.wav"}}}}},
"Actions":[
{"Identifier":"h","Type":"CheckHoursOfOperation","Parameters":{"HoursOfOperationId":"arn:aws:connect:us-east-1:1:instance/i/operating-hours/h"},"Transitions":{"NextAction":"p","Conditions":[],"Errors":[]}},
{"Identifier":"p","Type":"MessageParticipant","Parameters":{"PromptId":"arn:aws:connect:us-east-1:1:instance/i/prompt/p"},"Transitions":{"NextAction":"f","Conditions":[],"Errors":[]}},
{"Identifier":"f","Type":"InvokeLambdaFunction","Parameters":{"LambdaFunctionARN":"arn:aws:lambda:us-east-1:123456789012:function:rate"},"Transitions":{"NextAction":"q","Conditions":[],"Errors":[]}},
{"Identifier":"q","Type":"UpdateContactTargetQueue","Parameters":{"QueueId":"arn:aws:connect:us-east-1:1:instance/i/queue/q"},"Transitions":{"NextAction":"t","Conditions":[],"Errors":[]}},
{"Identifier":"t","Type":"TransferToFlow","Parameters":{"ContactFlowId":"arn:aws:connect:us-east-1:1:instance/i/contact-flow/next"},"Transitions":{"NextAction":"e","Conditions":[],"Errors":[]}},
{"Identifier":"e","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}`

// TestMapping: what an import names is bound to what is called the same here, the rest by hand, once: the next import of the file,
// and of others that name the same things, knows it.
func TestMapping(t *testing.T) {
	a := startAPI(t)
	create := func(path string, body any) string {
		t.Helper()
		r := a.do(t, req{method: "POST", path: path, as: "admin", body: body})
		if r.status != 201 {
			t.Fatalf("%s: %d %s", path, r.status, r.raw)
		}
		return r.text("id")
	}
	load := func(query string) (id string, bound map[string]m) {
		t.Helper()
		r := a.do(t, req{method: "POST", path: "/flows/import?" + query, as: "admin", body: []byte(connectFile)})
		if r.status != 201 {
			t.Fatalf("import: %d %s", r.status, r.raw)
		}
		bound = map[string]m{}
		list, _ := object(t, r.json["flow"])["bindings"].([]any)
		for _, v := range list {
			b := object(t, v)
			kind, _ := b["kind"].(string)
			bound[kind] = b
		}
		return r.text("flow", "id"), bound
	}
	hours := create("/hours", m{"name": "shop HOURS", "zone": "UTC"})
	function := create("/functions", m{"name": "Rating", "kind": "http", "url": "https://fn.example/rate", "refs": []string{"rate"}})
	id, bound := load("name=Mapped")
	if bound["hours"]["target"] != hours || bound["hours"]["targetName"] != "shop HOURS" || bound["function"]["target"] != function || bound["function"]["targetName"] != "Rating" {
		t.Errorf("not bound by name: %v", bound)
	}
	for _, kind := range []string{"queue", "prompt", "flow"} {
		if bound[kind] == nil || bound[kind]["target"] != "" {
			t.Errorf("%s: %v", kind, bound[kind])
		}
	}
	queue := create("/queues", m{"name": "Other complaints"})
	next, _ := load("name=Next")
	targets := map[string]string{"queue": queue, "prompt": "beep.wav", "flow": next}
	var list []m
	for kind, target := range targets {
		list = append(list, m{"kind": kind, "ref": bound[kind]["ref"], "target": target})
	}
	r := a.do(t, req{method: "PUT", path: "/flows/" + id + "/bindings", as: "admin", body: m{"bindings": list}})
	if r.status != 200 {
		t.Fatalf("binding: %d %s", r.status, r.raw)
	}
	for _, query := range []string{"flowId=" + id, "name=Another"} {
		_, again := load(query)
		for kind, target := range targets {
			if again[kind]["target"] != target {
				t.Errorf("%s: %s is bound to %v, want %s", query, kind, again[kind]["target"], target)
			}
		}
		if again["hours"]["target"] != hours || again["function"]["target"] != function {
			t.Errorf("%s: %v", query, again)
		}
	}
	for _, kind := range []string{"queue", "hours", "function", "flow"} {
		a.do(t, req{method: "PUT", path: "/flows/" + id + "/bindings", as: "admin", body: m{"bindings": []m{{"kind": kind, "ref": bound[kind]["ref"], "target": "nothing"}}}}).
			problem(t, "a "+kind+" that is not there", 422, "invalid")
	}
	a.do(t, req{method: "POST", path: "/queues", as: "admin", body: m{"name": "Bad", "hoursId": "nothing"}}).problem(t, "a queue's hours", 422, "invalid")
}

package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	examples "github.com/tandemcc/tandem/examples/flows"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
	"github.com/tandemcc/tandem/internal/flow/flowtest"
	"github.com/tandemcc/tandem/internal/flow/webex"
	"github.com/tandemcc/tandem/internal/flow/yaml"
	"github.com/tandemcc/tandem/internal/testkit/flows"
)

// TestFlowEdit takes one flow through editing, a conflict, comparing, a test run and restoring, as the console does.
func TestFlowEdit(t *testing.T) {
	a := startAPI(t)
	file, err := examples.Files.ReadFile("menu.json")
	if err != nil {
		t.Fatal(err)
	}
	r := a.do(t, req{method: "POST", path: "/flows/import?name=Edited", as: "admin", body: file})
	id := r.text("flow", "id")
	if r.status != 201 || id == "" {
		t.Fatalf("import: %d %s", r.status, r.raw)
	}
	path := "/flows/" + id
	got := a.do(t, req{method: "GET", path: path, as: "admin"}).json
	nodes := []m{}
	said := false
	list, _ := got["nodes"].([]any)
	for _, v := range list {
		n := object(t, v)
		in := object(t, n["properties"])
		if n["op"] == "say" && !said {
			said = true
			in["prompts"] = []m{{"kind": "tts", "text": "Something else"}}
		}
		nodes = append(nodes, m{"id": n["id"], "name": n["name"], "op": n["op"], "in": in})
	}
	nodes = append(nodes, m{"id": "new", "name": "Added", "op": "hangup", "x": 5, "y": 6})
	body := m{"version": 1, "note": "Greets anew", "nodes": nodes, "edges": got["edges"]}
	r = a.do(t, req{method: "PUT", path: path + "/model", as: "admin", body: body})
	if r.status != 200 || r.json["version"] != 2.0 {
		t.Fatalf("edit: %d %s", r.status, r.raw)
	}
	a.do(t, req{method: "PUT", path: path + "/model", as: "admin", body: body}).problem(t, "a second edit of version 1", 409, "conflict")
	a.do(t, req{method: "PUT", path: path + "/model", as: "sam", body: body}).problem(t, "an edit by a supervisor", 403, "denied")

	diff := a.do(t, req{method: "GET", path: path + "/diff?from=1&to=2", as: "sam"})
	added, _ := diff.json["added"].([]any)
	changed, _ := diff.json["changed"].([]any)
	if len(added) != 1 || len(changed) != 1 {
		t.Errorf("difference: %s", diff.raw)
	}
	run := a.do(t, req{method: "POST", path: path + "/test", as: "sam", body: m{"version": 1, "script": m{"from": "+14155550123", "digits": []any{"1", "1234#"}}}})
	steps, _ := run.json["steps"].([]any)
	if run.status != 200 || len(steps) < 5 || object(t, run.json["end"])["reason"] == "" {
		t.Errorf("test: %d %s", run.status, run.raw)
	}
	keepsPassing(t, file, run.json["suite"])
	a.do(t, req{method: "POST", path: path + "/test", as: "admin", body: m{"script": m{"digits": []string{"x"}}}}).problem(t, "a wrong script", 422, "invalid")

	r = a.do(t, req{method: "POST", path: path + "/restore", as: "admin", body: m{"version": 1}})
	if r.status != 200 || r.json["version"] != 3.0 {
		t.Errorf("restore: %d %s", r.status, r.raw)
	}
	same := a.do(t, req{method: "GET", path: path + "/diff?from=1&to=3", as: "admin"})
	if list, _ := same.json["changed"].([]any); len(list) != 0 {
		t.Errorf("what was restored differs: %s", same.raw)
	}
}

// TestFlowExport gives a flow as it came, and in each format, with what that format cannot hold.
func TestFlowExport(t *testing.T) {
	a := startAPI(t)
	file, err := examples.Files.ReadFile("data-dip.json")
	if err != nil {
		t.Fatal(err)
	}
	r := a.do(t, req{method: "POST", path: "/flows/import?name=Exported", as: "admin", body: file})
	path := "/flows/" + r.text("flow", "id") + "/export"
	if got := a.do(t, req{method: "GET", path: path, as: "sam"}); got.status != 200 || len(flows.Differences("", flows.Tree(t, file), flows.Tree(t, []byte(got.raw)))) > 0 {
		t.Errorf("the original: %d %s", got.status, got.raw)
	}
	formats := flow.Registry{webex.Importer{}, webex.V2Importer{}, connect.Importer{}, yaml.Importer{}}
	for format, lossy := range map[string]bool{"webex": false, "webex-v2": false, "connect": true, "yaml": false} {
		got := a.do(t, req{method: "GET", path: path + "?format=" + format, as: "sam"})
		f, _, err := formats.Import([]byte(got.raw))
		if got.status != 200 || err != nil || f.Name != "Exported" && f.Name != "Salesforce data dip" {
			t.Errorf("%s: %d %v", format, got.status, err)
		}
		var losses []flow.Loss
		if err := json.Unmarshal([]byte(got.header.Get("Tandem-Losses")), &losses); err != nil || (len(losses) > 0) != lossy {
			t.Errorf("%s loses %v, %v", format, losses, err)
		}
	}
	a.do(t, req{method: "GET", path: path + "?format=visio", as: "sam"}).problem(t, "an unknown format", 422, "invalid")
}

// keepsPassing runs the suite that a test run was made into against the file.
func keepsPassing(t *testing.T, file []byte, suite any) {
	t.Helper()
	raw, err := json.Marshal(suite)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := flowtest.ParseSuite(raw)
	if err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	f, _, err := flow.Registry{webex.Importer{}, webex.V2Importer{}, connect.Importer{}}.Import(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := flowtest.New(f)
	if err != nil {
		t.Fatal(err)
	}
	rep := r.RunSuite(parsed)
	if len(rep.Tests) != 1 || rep.Failed() != 0 {
		t.Errorf("the kept test fails: %+v", rep.Tests)
	}
}

// TestFlowParts edits all that is no step: variables, handlers and what the flow is as a whole.
func TestFlowParts(t *testing.T) {
	a := startAPI(t)
	file, err := examples.Files.ReadFile("menu.json")
	if err != nil {
		t.Fatal(err)
	}
	r := a.do(t, req{method: "POST", path: "/flows/import?name=Parts", as: "admin", body: file})
	path := "/flows/" + r.text("flow", "id")
	got := a.do(t, req{method: "GET", path: path, as: "admin"}).json
	nodes := []m{}
	list, _ := got["nodes"].([]any)
	for _, v := range list {
		n := object(t, v)
		nodes = append(nodes, m{"id": n["id"], "name": n["name"], "op": n["op"]})
	}
	nodes = append(nodes, m{"id": "over", "name": "CallOver", "op": "event", "in": m{"event": "Call over"}})
	edges, _ := got["edges"].([]any)
	model := m{
		"version": 1, "nodes": nodes, "edges": edges, "name": "Renamed", "description": "What it does", "kind": "inbound",
		"options":   m{"maxSteps": 300, "zone": "Europe/Berlin", "errorText": "", "language": "", "voice": "", "rawInterpolation": false},
		"variables": []m{{"name": "code", "type": "STRING", "value": "4711", "secure": true}, {"name": "big", "type": "INTEGER", "value": "12345678"}},
		"handlers":  []m{{"event": "contactEnded", "node": "over"}},
	}
	r = a.do(t, req{method: "PUT", path: path + "/model", as: "admin", body: model, header: map[string]string{"If-Match": `"1"`}})
	if r.status != 200 || r.header.Get("ETag") != `"2"` || r.json["name"] != "Renamed" || r.json["description"] != "What it does" {
		t.Fatalf("edit: %d, ETag %s, %s", r.status, r.header.Get("ETag"), r.raw)
	}
	if o := object(t, r.json["options"]); o["maxSteps"] != 300.0 || o["zone"] != "Europe/Berlin" {
		t.Errorf("options: %v", o)
	}
	vars, _ := r.json["variables"].([]any)
	if len(vars) != 2 || object(t, vars[0])["value"] != "••••" || object(t, vars[1])["value"] != "12345678" {
		t.Errorf("variables: %v", vars)
	}
	handlers, _ := r.json["handlers"].([]any)
	if len(handlers) != 1 || object(t, handlers[0])["node"] != "over" {
		t.Errorf("handlers: %v", handlers)
	}
	diff := a.do(t, req{method: "GET", path: path + "/diff?from=1&to=2", as: "sam"})
	options, _ := diff.json["options"].([]any)
	changed, _ := diff.json["handlers"].([]any)
	if len(options) < 3 || len(changed) != 2 {
		t.Errorf("difference: %s", diff.raw)
	}

	for format, part := range map[string]string{"webex": `"CallOver"`, "webex-v2": `"CallOver"`, "connect": "2019-10-30", "yaml": "CallOver"} {
		file := a.do(t, req{method: "GET", path: path + "/written?format=" + format, as: "admin"})
		if file.status != 200 || !strings.Contains(file.text("text"), part) {
			t.Errorf("as %s: %d %.300s", format, file.status, file.raw)
		}
		if losses, _ := file.json["losses"].([]any); format == "connect" && len(losses) == 0 {
			t.Errorf("Amazon Connect has handlers now: %s", file.raw)
		}
	}
	a.do(t, req{method: "GET", path: path + "/written?format=webex", as: "sam"}).problem(t, "a file with secrets for a supervisor", 403, "denied")

	stale := map[string]string{"If-Match": `"1"`}
	model["version"] = 2
	a.do(t, req{method: "PUT", path: path + "/model", as: "admin", body: model, header: stale}).problem(t, "another If-Match", 422, "invalid")
	model["version"] = 1
	a.do(t, req{method: "PUT", path: path + "/model", as: "admin", body: model, header: stale}).problem(t, "an old If-Match", 409, "conflict")
	model["version"], model["handlers"] = 2, []m{{"event": "error", "node": "over"}, {"event": "error", "node": "over"}}
	a.do(t, req{method: "PUT", path: path + "/model", as: "admin", body: model}).problem(t, "two handlers of an event", 422, "invalid")

	model["handlers"] = []m{}
	run := a.do(t, req{method: "POST", path: path + "/test", as: "admin", body: m{"version": 2, "model": model, "script": m{"digits": []string{"1"}}}})
	if steps, _ := run.json["steps"].([]any); run.status != 200 || len(steps) < 2 {
		t.Errorf("test of what is not saved: %d %s", run.status, run.raw)
	}
	a.do(t, req{method: "POST", path: path + "/test", as: "sam", body: m{"version": 2, "model": model}}).problem(t, "the same by a supervisor", 403, "denied")
}

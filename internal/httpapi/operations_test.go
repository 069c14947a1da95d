package httpapi_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	examples "github.com/tandemcc/tandem/examples/flows"
)

// Who may do what.
var (
	everyone   = []string{"admin", "sam", "ada"}
	admins     = []string{"admin"}
	overseers  = []string{"admin", "sam"}
	agentsOnly = []string{"ada"}
)

// operation is one row of the API: who may, what is answered to whom may, and of which type of the console the answer is.
type operation struct {
	op     string // method and path template, as in the description
	path   string // filled in; {name} takes an id that a former row has saved
	who    []string
	body   any
	status int
	is     string // type in web/src/api/types.ts
	save   string // name under which the id of the answer is kept
}

type m = map[string]any

func operations(file []byte) []operation {
	queue := m{"name": "Accounts receivable", "ringSeconds": 15, "agentIds": []string{}}
	connector := m{"name": "billing", "kind": "http", "baseUrl": "http://127.0.0.1:9", "grant": "bearer", "token": "t-o-k", "allowPrivate": true}
	hours := m{
		"name": "Office", "zone": "Europe/Berlin", "week": []m{{"days": []string{"mon", "fri"}, "from": "08:00", "to": "17:00"}},
		"holidays":  []m{{"name": "New Year", "date": "2026-01-01", "yearly": true}},
		"overrides": []m{{"name": "Stocktaking", "from": "2026-06-30T12:00", "to": "2026-06-30T20:00"}},
	}
	function := m{"name": "look-up", "kind": "http", "url": "http://127.0.0.1:9/x", "refs": []string{"arn:aws:lambda:us-east-1:123456789012:function:look-up:live"}}
	return []operation{
		{op: "GET /session", who: everyone, status: 200, is: "Session"},
		{op: "GET /desk", who: agentsOnly, status: 200, is: "Desk"},
		{op: "GET /desk/history", who: agentsOnly, status: 200, is: "Page<ContactSummary>"},
		{op: "POST /desk/state", who: agentsOnly, body: m{"state": "idle", "reasonId": "lunch"}, status: 200, is: "Desk"},
		{op: "POST /desk/station", who: agentsOnly, body: m{"kind": "browser"}, status: 200, is: "Desk"},
		{op: "POST /desk/media", who: agentsOnly, body: m{"sdp": "v=0"}, status: 422},
		{op: "POST /desk/contacts/{id}/accept", path: "/desk/contacts/none/accept", who: agentsOnly, status: 404},
		{op: "POST /desk/contacts/{id}/decline", path: "/desk/contacts/none/decline", who: agentsOnly, status: 404},
		{op: "POST /desk/contacts/{id}/end", path: "/desk/contacts/none/end", who: agentsOnly, status: 404},
		{op: "POST /desk/contacts/{id}/hold", path: "/desk/contacts/none/hold", who: agentsOnly, status: 404},
		{op: "POST /desk/contacts/{id}/resume", path: "/desk/contacts/none/resume", who: agentsOnly, status: 404},
		{op: "POST /desk/contacts/{id}/mute", path: "/desk/contacts/none/mute", who: agentsOnly, status: 404},
		{op: "POST /desk/contacts/{id}/unmute", path: "/desk/contacts/none/unmute", who: agentsOnly, status: 404},
		{op: "POST /desk/contacts/{id}/digits", path: "/desk/contacts/none/digits", who: agentsOnly, body: m{"digits": "1"}, status: 404},
		{op: "PUT /desk/contacts/{id}/variables", path: "/desk/contacts/none/variables", who: agentsOnly, body: m{"values": m{"a": "b"}}, status: 404},
		{op: "POST /desk/contacts/{id}/wrapup", path: "/desk/contacts/none/wrapup", who: agentsOnly, body: m{"codeId": "resolved", "notes": ""}, status: 404},
		{op: "PUT /desk/contacts/{id}/wrapup", path: "/desk/contacts/none/wrapup", who: agentsOnly, body: m{"codeId": "resolved", "notes": ""}, status: 404},
		{op: "POST /desk/contacts/{id}/wrapup/extend", path: "/desk/contacts/none/wrapup/extend", who: agentsOnly, status: 404},
		{op: "GET /live", who: overseers, status: 200, is: "Live"},
		{op: "GET /contacts", who: overseers, status: 200, is: "Page<ContactSummary>"},
		{op: "GET /contacts", path: "/contacts?number=%2B14155550100&from=2026-01-01T00:00:00Z&state=ended", who: overseers, status: 200, is: "Page<ContactSummary>"},
		{op: "GET /contacts", path: "/contacts?numberEnds=0100", who: overseers, status: 200, is: "Page<ContactSummary>"},
		{op: "GET /contacts/{id}", path: "/contacts/none", who: overseers, status: 404},
		{op: "GET /contacts/{id}/trace", path: "/contacts/none/trace", who: overseers, status: 404},
		{op: "GET /contacts/{id}/recording", path: "/contacts/none/recording", who: overseers, status: 404},
		{op: "POST /queues", who: admins, body: queue, status: 201, is: "Queue", save: "queue"},
		{op: "GET /queues", who: overseers, status: 200, is: "Page<Queue>"},
		{op: "PUT /queues/{id}", path: "/queues/{queue}", who: admins, body: queue, status: 200, is: "Queue"},
		{op: "POST /connectors", who: admins, body: connector, status: 201, is: "Connector", save: "connector"},
		{op: "GET /connectors", who: admins, status: 200, is: "Page<Connector>"},
		{op: "PUT /connectors/{id}", path: "/connectors/{connector}", who: admins, body: connector, status: 200, is: "Connector"},
		{op: "GET /connectors/{id}/status", path: "/connectors/{connector}/status", who: admins, status: 200, is: "ConnectorStatus"},
		{op: "POST /connectors/{id}/authorize", path: "/connectors/{connector}/authorize", who: admins, body: m{"origin": "http://127.0.0.1:8080"}, status: 409},
		{op: "POST /connectors/{id}/test", path: "/connectors/{connector}/test", who: admins, status: 200, is: "ConnectorTest"},
		{op: "POST /hours", who: admins, body: hours, status: 201, is: "Hours", save: "hours"},
		{op: "GET /hours", who: overseers, status: 200, is: "Page<Hours>"},
		{op: "PUT /hours/{id}", path: "/hours/{hours}", who: admins, body: hours, status: 200, is: "Hours"},
		{op: "GET /hours/{id}/state", path: "/hours/{hours}/state?at=2026-06-30T12:00:00Z", who: overseers, status: 200, is: "HoursState"},
		{op: "DELETE /hours/{id}", path: "/hours/{hours}", who: admins, status: 204},
		{op: "POST /functions", who: admins, body: function, status: 201, is: "HubFunction", save: "function"},
		{op: "GET /functions", who: admins, status: 200, is: "Page<HubFunction>"},
		{op: "PUT /functions/{id}", path: "/functions/{function}", who: admins, body: function, status: 200, is: "HubFunction"},
		{op: "POST /functions/{id}/test", path: "/functions/{function}/test", who: admins, body: m{"parameters": m{"a": "b"}}, status: 200, is: "FunctionTest"},
		{op: "GET /function-commands", who: admins, status: 200, is: "Page<FunctionCommand>"},
		{op: "DELETE /functions/{id}", path: "/functions/{function}", who: admins, status: 204},
		{op: "POST /flows/import", path: "/flows/import?name=Second", who: admins, body: file, status: 201, is: "{flow: FlowDetail}", save: "flow"},
		{op: "GET /flows", who: overseers, status: 200, is: "Page<FlowSummary>"},
		{op: "GET /flows/{id}", path: "/flows/{flow}", who: overseers, status: 200, is: "FlowDetail"},
		{op: "GET /flows/{id}/versions", path: "/flows/{flow}/versions", who: overseers, status: 200, is: "Page<FlowVersion>"},
		{op: "GET /flows/{id}/versions/{version}", path: "/flows/{flow}/versions/1", who: overseers, status: 200, is: "FlowDetail"},
		{op: "GET /flows/{id}/export", path: "/flows/{flow}/export", who: overseers, status: 200},
		{op: "GET /flows/{id}/export", path: "/flows/{flow}/export?format=connect", who: overseers, status: 200},
		{op: "GET /flows/{id}/written", path: "/flows/{flow}/written?format=yaml", who: overseers, status: 200},
		{op: "POST /flows/{id}/mend", path: "/flows/{flow}/mend", who: admins, body: m{"all": true}, status: 409},
		{op: "PUT /flows/{id}/bindings", path: "/flows/{flow}/bindings", who: admins, body: m{"bindings": []m{{"kind": "connector", "ref": "nothing", "target": "x"}}}, status: 422},
		{op: "PUT /flows/{id}/model", path: "/flows/{flow}/model", who: admins, body: m{"version": 99, "nodes": []m{{"id": "a", "name": "a", "op": "say"}}, "edges": []m{}}, status: 404},
		{op: "POST /flows/{id}/restore", path: "/flows/{flow}/restore", who: admins, body: m{"version": 1}, status: 409},
		{op: "GET /flows/{id}/diff", path: "/flows/{flow}/diff?from=1", who: overseers, status: 200, is: "FlowDiff"},
		{op: "POST /flows/{id}/test", path: "/flows/{flow}/test", who: overseers, body: m{"script": m{"from": "+15550100", "digits": []string{"1"}}}, status: 200, is: "FlowTry"},
		{op: "POST /flows/{id}/publish", path: "/flows/{flow}/publish", who: admins, body: m{"version": 1}, status: 200, is: "FlowDetail"},
		{op: "POST /entry-points", who: admins, body: m{"name": "Sales line", "number": "2000", "flowId": "{flow}"}, status: 201, is: "EntryPoint", save: "point"},
		{op: "GET /entry-points", who: overseers, status: 200, is: "Page<EntryPoint>"},
		{op: "PUT /entry-points/{id}", path: "/entry-points/{point}", who: admins, body: m{"name": "Sales line", "number": "2001", "flowId": "{flow}"}, status: 200, is: "EntryPoint"},
		{op: "DELETE /flows/{id}", path: "/flows/{flow}", who: admins, status: 409},
		{op: "DELETE /entry-points/{id}", path: "/entry-points/{point}", who: admins, status: 204},
		{op: "DELETE /flows/{id}", path: "/flows/{flow}", who: admins, status: 204},
		{op: "DELETE /connectors/{id}", path: "/connectors/{connector}", who: admins, status: 204},
		{op: "DELETE /queues/{id}", path: "/queues/{queue}", who: admins, status: 204},
		{op: "GET /reasons", who: overseers, status: 200, is: "Page<Ref>"},
		{op: "PUT /reasons", who: admins, body: m{"items": []m{{"name": "Lunch"}, {"name": "Break"}}}, status: 200, is: "Page<Ref>"},
		{op: "GET /wrapup-codes", who: overseers, status: 200, is: "Page<Ref>"},
		{op: "PUT /wrapup-codes", who: admins, body: m{"items": []m{{"name": "Resolved"}}}, status: 200, is: "Page<Ref>"},
		{op: "POST /users", who: admins, body: m{"login": "dora", "name": "Dora Diaz", "roles": []string{"agent"}, "password": "long enough pw"}, status: 201, is: "User", save: "user"},
		{op: "GET /users", who: overseers, status: 200, is: "Page<User>"},
		{op: "PATCH /users/{id}", path: "/users/{user}", who: admins, body: m{"name": "Dora D."}, status: 200, is: "User"},
		{op: "POST /users/{id}/password", path: "/users/{user}/password", who: admins, body: m{"new": "another long pw"}, status: 204},
		{op: "POST /users/{id}/unlock", path: "/users/{user}/unlock", who: admins, status: 204},
		{op: "POST /api-tokens", who: admins, body: m{"name": "CI", "roles": []string{"supervisor"}}, status: 201, is: "ApiToken", save: "token"},
		{op: "GET /api-tokens", who: admins, status: 200, is: "Page<ApiToken>"},
		{op: "DELETE /api-tokens/{id}", path: "/api-tokens/{token}", who: admins, status: 204},
		{op: "POST /access-keys", who: admins, body: m{"name": "SDK"}, status: 201, is: "AccessKey", save: "key"},
		{op: "GET /access-keys", who: admins, status: 200, is: "Page<AccessKey>"},
		{op: "DELETE /access-keys/{id}", path: "/access-keys/{key}", who: admins, status: 204},
		{op: "GET /audit", who: admins, status: 200, is: "Page<AuditEntry>"},
		{op: "GET /audit/checkpoint", who: admins, status: 200, is: "Checkpoint"},
		{op: "POST /audit/verify", who: admins, status: 200, is: "{ok: boolean; size: number; message: string}"},
		{op: "GET /jobs", who: admins, status: 200, is: "Page<Job>"},
		{op: "POST /jobs/{id}/retry", path: "/jobs/none/retry", who: admins, status: 409},
		{op: "POST /jobs/{id}/cancel", path: "/jobs/none/cancel", who: admins, status: 409},
		{op: "GET /system", who: admins, status: 200, is: "System"},
		{op: "POST /system/clock/advance", who: admins, body: m{"seconds": 1}, status: 200, is: "System"},
		{op: "POST /session/password", who: everyone, body: m{"current": "wrong", "new": "whatever it is"}, status: 403},
		{op: "DELETE /session", who: everyone, status: 204},
	}
}

// TestOperations goes through the whole API: nobody gets in without a session, each role gets exactly what is its own, and what is
// answered has the fields the console reads.
func TestOperations(t *testing.T) {
	a := startAPI(t)
	file, err := examples.Files.ReadFile("data-dip.json")
	if err != nil {
		t.Fatal(err)
	}
	types := consoleTypes(t)
	seen := map[string]bool{"POST /session": true}
	saved := map[string]string{}
	fill := func(s string) string {
		for name, id := range saved {
			s = strings.ReplaceAll(s, "{"+name+"}", id)
		}
		return s
	}
	for _, o := range operations(file) {
		seen[o.op] = true
		method, path, _ := strings.Cut(o.op, " ")
		if o.path != "" {
			path = o.path
		}
		path = fill(path)
		body := o.body
		if b, ok := body.(m); ok && b["flowId"] != nil {
			b["flowId"] = saved["flow"]
		}
		a.do(t, req{method: method, path: path, body: body}).problem(t, "nobody: "+o.op, 401, "unauthenticated")
		for _, who := range []string{"ada", "sam", "admin"} {
			r := a.do(t, req{method: method, path: path, as: who, body: body})
			if !slices.Contains(o.who, who) {
				r.problem(t, who+": "+o.op, 403, "denied")
				continue
			}
			if r.status != o.status {
				t.Errorf("%s: %s: %d %s, want %d", who, o.op, r.status, r.raw, o.status)
				continue
			}
			if o.save != "" {
				saved[o.save] = r.text("id")
				if r.text("flow", "id") != "" {
					saved[o.save] = r.text("flow", "id")
				}
			}
			if o.is != "" {
				types.check(t, o.op, o.is, r.json)
			}
		}
	}
	for _, op := range described(t, a) {
		if !seen[op] {
			t.Errorf("%s is described and not tested", op)
		}
	}
}

// described returns the operations of the OpenAPI description that answer JSON.
func described(t *testing.T, a *api) (ops []string) {
	t.Helper()
	r := a.do(t, req{method: "GET", path: "/openapi.json"})
	paths, ok := r.json["paths"].(map[string]any)
	if !ok {
		t.Fatalf("no description: %d %.200s", r.status, r.raw)
	}
	for path, item := range paths {
		methods, ok := item.(map[string]any)
		if !ok {
			t.Fatalf("%s: %v", path, item)
		}
		for method := range methods {
			if !strings.HasSuffix(path, "/events") {
				ops = append(ops, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(ops)
	return ops
}

// tsField is a property of a TypeScript type.
type tsField struct {
	typ      string
	optional bool
}

// tsTypes are the console's types of the API: interfaces by name.
type tsTypes map[string]map[string]tsField

var (
	tsInterface = regexp.MustCompile(`(?ms)^export interface (\w+)(?:<T>)?(?: extends (\w+))? \{\n(.*?)^\}`)
	tsProperty  = regexp.MustCompile(`^(\w+)(\?)?: (.*)$`)
)

// consoleTypes reads the console's types; without the console's source the answers are only checked for their status.
func consoleTypes(t *testing.T) tsTypes {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "web", "src", "api", "types.ts"))
	if err != nil {
		t.Logf("the answers are not compared with the console's types: %v", err)
		return nil
	}
	out := tsTypes{}
	for _, match := range tsInterface.FindAllStringSubmatch(string(raw), -1) {
		fields := parseFields(match[3])
		maps.Copy(fields, out[match[2]])
		out[match[1]] = fields
	}
	if len(out) < 20 {
		t.Fatalf("only %d types were understood", len(out))
	}
	return out
}

// parseFields splits "a: string; b?: { c: number }[];" at the semicolons of its own level.
func parseFields(s string) map[string]tsField {
	fields := map[string]tsField{}
	depth, from := 0, 0
	for i, c := range s + ";" {
		switch c {
		case '{', '(':
			depth++
		case '}', ')':
			depth--
		case ';':
			if depth > 0 {
				continue
			}
			text := strings.Join(strings.Fields(s[from:min(i, len(s))]), " ")
			from = i + 1
			if j := strings.LastIndex(text, "*/ "); j >= 0 {
				text = text[j+3:]
			}
			if p := tsProperty.FindStringSubmatch(text); p != nil {
				fields[p[1]] = tsField{typ: p[3], optional: p[2] != ""}
			}
		}
	}
	return fields
}

// check reports where v is not of a type: a field that is missing, null where it may not be, or of another kind.
func (ts tsTypes) check(t *testing.T, where, typ string, v any) {
	t.Helper()
	if ts == nil {
		return
	}
	typ = strings.TrimSpace(typ)
	if strings.HasSuffix(typ, "| null") {
		if v == nil {
			return
		}
		typ = strings.TrimSpace(strings.TrimSuffix(typ, "| null"))
	}
	switch {
	case strings.HasPrefix(typ, "Page<"):
		ts.fields(t, where, map[string]tsField{"items": {typ: typ[5:len(typ)-1] + "[]"}, "next": {typ: "string", optional: true}}, v)
	case strings.HasSuffix(typ, "[]"):
		list, ok := v.([]any)
		if !ok {
			t.Errorf("%s is %T, want a list", where, v)
		}
		for i, item := range list {
			ts.check(t, fmt.Sprintf("%s[%d]", where, i), strings.TrimSuffix(typ, "[]"), item)
		}
	case strings.HasPrefix(typ, "{"):
		ts.fields(t, where, parseFields(strings.Trim(typ, "{}")), v)
	case strings.HasPrefix(typ, "Record<"), strings.Contains(typ, "|"), strings.HasPrefix(typ, `"`):
		if v == nil {
			t.Errorf("%s is null, want %s", where, typ)
		}
	case ts[typ] != nil:
		ts.fields(t, where, ts[typ], v)
	default:
		ts.scalar(t, where, typ, v)
	}
}

func (ts tsTypes) scalar(t *testing.T, where, typ string, v any) {
	t.Helper()
	ok := v != nil
	switch typ {
	case "string", "Time":
		_, ok = v.(string)
	case "number":
		_, ok = v.(float64)
	case "boolean":
		_, ok = v.(bool)
	}
	if !ok {
		t.Errorf("%s is %v, want %s", where, v, typ)
	}
}

func (ts tsTypes) fields(t *testing.T, where string, fields map[string]tsField, v any) {
	t.Helper()
	obj, ok := v.(map[string]any)
	if !ok {
		t.Errorf("%s is %T, want an object", where, v)
		return
	}
	for name, f := range fields {
		got, ok := obj[name]
		switch {
		case !ok && !f.optional:
			t.Errorf("%s.%s is missing", where, name)
		case ok && (got != nil || !f.optional):
			ts.check(t, where+"."+name, f.typ, got)
		}
	}
}

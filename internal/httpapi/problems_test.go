package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestProblems(t *testing.T) {
	a := startAPI(t)
	q := a.do(t, req{method: "POST", path: "/queues", as: "admin", body: m{"name": "Q"}})
	path := "/queues/" + q.text("id")
	if q.status != 201 || q.header.Get("ETag") != `"1"` {
		t.Fatalf("creating: %d %s, ETag %s", q.status, q.raw, q.header.Get("ETag"))
	}
	if r := a.do(t, req{method: "PUT", path: path, as: "admin", body: m{"name": "Q2"}, header: map[string]string{"If-Match": `"1"`}}); r.status != 200 || r.header.Get("ETag") != `"2"` {
		t.Errorf("changing what was seen: %d %s", r.status, r.raw)
	}
	user := a.do(t, req{method: "POST", path: "/users", as: "admin", body: m{"login": "eve", "name": "Eve", "roles": []string{"agent"}, "password": "s3cret-but-long"}})
	big := []byte(`{"name":"` + strings.Repeat("x", 2<<20) + `"}`)
	for _, c := range []struct {
		name   string
		req    req
		status int
		code   string
		where  string // of the first error
	}{
		{"stale If-Match", req{method: "PUT", path: path, as: "admin", body: m{"name": "Q3"}, header: map[string]string{"If-Match": `"1"`}}, 409, "conflict", ""},
		{"odd If-Match", req{method: "PUT", path: path, as: "admin", body: m{"name": "Q3"}, header: map[string]string{"If-Match": "abc"}}, 422, "invalid", ""},
		{"stale user", req{method: "PATCH", path: "/users/" + user.text("id"), as: "admin", body: m{"name": "E"}, header: map[string]string{"If-Match": `"9"`}}, 409, "conflict", ""},
		{"name taken", req{method: "POST", path: "/queues", as: "admin", body: m{"name": "support"}}, 409, "conflict", ""},
		{"login taken", req{method: "POST", path: "/users", as: "admin", body: m{"login": "ada", "name": "A", "roles": []string{"agent"}, "password": "long enough pw"}}, 409, "conflict", ""},
		{"weak password", req{method: "POST", path: "/users", as: "admin", body: m{"login": "eli", "name": "A", "roles": []string{"agent"}, "password": "x"}}, 422, "invalid", ""},
		{"unknown role", req{method: "POST", path: "/users", as: "admin", body: m{"login": "eli", "name": "A", "roles": []string{"root"}, "password": "long enough pw"}}, 422, "invalid", ""},
		{"field missing", req{method: "POST", path: "/queues", as: "admin", body: m{}}, 422, "invalid", "body"},
		{"field of another type", req{method: "POST", path: "/queues", as: "admin", body: m{"name": 7}}, 422, "invalid", "body.name"},
		{"out of range", req{method: "POST", path: "/queues", as: "admin", body: m{"name": "R", "ringSeconds": 4}}, 422, "invalid", ""},
		{"unknown field", req{method: "POST", path: "/queues", as: "admin", body: m{"name": "R", "colour": "red"}}, 422, "invalid", "body.colour"},
		{"no JSON", req{method: "POST", path: "/queues", as: "admin", body: []byte("{nope")}, 400, "invalid", "body"},
		{"no body", req{method: "POST", path: "/queues", as: "admin"}, 400, "invalid", ""},
		{"flow that is none", req{method: "POST", path: "/flows/import?name=x", as: "admin", body: []byte(`{"a":1}`)}, 422, "invalid", ""},
		{"flow that is no JSON", req{method: "POST", path: "/flows/import?name=x", as: "admin", body: []byte("\x00\x01")}, 422, "invalid", ""},
		{"limit", req{method: "GET", path: "/contacts?limit=1000", as: "admin"}, 422, "invalid", "query.limit"},
		{"cursor", req{method: "GET", path: "/jobs?cursor=abc", as: "admin"}, 422, "invalid", ""},
		{"enum", req{method: "GET", path: "/contacts?state=lost", as: "admin"}, 422, "invalid", "query.state"},
		{"digits of a number", req{method: "GET", path: "/contacts?numberEnds=12", as: "admin"}, 422, "invalid", ""},
		{"time", req{method: "GET", path: "/audit?from=yesterday", as: "admin"}, 422, "invalid", "query.from"},
		{"body too large", req{method: "POST", path: "/queues", as: "admin", body: big}, 413, "exhausted", ""},
		{"body too large with a key", req{method: "POST", path: "/queues", as: "admin", body: big, header: map[string]string{"Idempotency-Key": "big"}}, 413, "exhausted", ""},
		{"unknown queue", req{method: "PUT", path: "/queues/none", as: "admin", body: m{"name": "R"}}, 404, "not_found", ""},
		{"unknown connector", req{method: "POST", path: "/connectors/none/test", as: "admin"}, 404, "not_found", ""},
		{"unknown user", req{method: "PATCH", path: "/users/none", as: "admin", body: m{"name": "E"}}, 404, "not_found", ""},
		{"unknown token", req{method: "DELETE", path: "/api-tokens/none", as: "admin"}, 404, "not_found", ""},
		{"unknown flow", req{method: "GET", path: "/flows/none", as: "sam"}, 404, "not_found", ""},
		{"unknown flow's publication", req{method: "POST", path: "/flows/none/publish", as: "admin", body: m{"version": 1}}, 404, "not_found", ""},
		{"flow of an entry point", req{method: "POST", path: "/entry-points", as: "admin", body: m{"name": "E", "number": "77", "flowId": "none"}}, 422, "invalid", ""},
		{"number taken", req{method: "POST", path: "/entry-points", as: "admin", body: m{"name": "Another", "number": "1000", "flowId": a.flowID(t)}}, 409, "conflict", ""},
		{"no CSRF token", req{method: "POST", path: "/queues", as: "admin", noCSRF: true, body: m{"name": "R"}}, 403, "denied", ""},
		{"CSRF token of another", req{method: "POST", path: "/queues", as: "admin", noCSRF: true, body: m{"name": "R"}, header: map[string]string{"X-CSRF-Token": a.csrf["sam"]}}, 403, "denied", ""},
		{"token of nobody", req{method: "GET", path: "/queues", header: map[string]string{"Authorization": "Bearer nope"}}, 401, "unauthenticated", ""},
		{"session of a token", req{method: "GET", path: "/session", as: "token"}, 401, "unauthenticated", ""},
		{"wrong password", req{method: "POST", path: "/session", body: m{"login": "ada", "password": "x"}}, 401, "unauthenticated", ""},
		{"event id", req{method: "GET", path: "/events", as: "admin", header: map[string]string{"Last-Event-ID": "x"}}, 422, "invalid", ""},
		{"another's events", req{method: "GET", path: "/events", as: "ada"}, 403, "denied", ""},
		{"another's live page", req{method: "GET", path: "/live/events", as: "ada"}, 403, "denied", ""},
		{"another's desk", req{method: "GET", path: "/desk/events", as: "admin"}, 403, "denied", ""},
		{"unknown path", req{method: "GET", path: "/nothing", as: "admin"}, 404, "not_found", ""},
		{"unknown method", req{method: "PUT", path: "/queues", as: "admin"}, 405, "invalid", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := a.do(t, c.req)
			r.problem(t, c.name, c.status, c.code)
			var p struct {
				Errors []map[string]any `json:"errors"`
			}
			if err := json.Unmarshal([]byte(r.raw), &p); err != nil {
				t.Fatal(err)
			}
			if c.where != "" && (len(p.Errors) == 0 || p.Errors[0]["location"] != c.where) {
				t.Errorf("the errors do not name %s: %s", c.where, r.raw)
			}
			for _, e := range p.Errors {
				if len(e) != 2 || e["message"] == "" {
					t.Errorf("an error says more or less than where and what: %v", e)
				}
			}
		})
	}
}

// flowID returns the id of a flow of the sample data.
func (a *api) flowID(t *testing.T) string {
	t.Helper()
	r := a.do(t, req{method: "GET", path: "/flows", as: "admin"})
	list, ok := r.json["items"].([]any)
	if !ok || len(list) == 0 {
		t.Fatalf("no flows: %s", r.raw)
	}
	first, ok := list[0].(map[string]any)
	if !ok {
		t.Fatalf("no flows: %s", r.raw)
	}
	id, _ := first["id"].(string)
	return id
}

// TestValuesAreNotEchoed: what a client sent wrongly may be a password.
func TestValuesAreNotEchoed(t *testing.T) {
	a := startAPI(t)
	const secret = "hunter2-hunter2"
	for _, body := range []m{
		{"login": "x", "name": "X", "roles": []string{"agent"}, "password": []string{secret}},
		{"login": "x", "name": "X", "roles": "agent", "password": secret},
		{"login": "x", "password": secret},
		{"login": "x", "name": "X", "passwort": secret},
	} {
		if r := a.do(t, req{method: "POST", path: "/users", as: "admin", body: body}); r.status != 422 || strings.Contains(r.raw, secret) {
			t.Errorf("%v: %d %s", body, r.status, r.raw)
		}
	}
}

func TestLockout(t *testing.T) {
	a := startAPI(t)
	var last answer
	for range 30 {
		if last = a.do(t, req{method: "POST", path: "/session", body: m{"login": "ben", "password": "wrong"}}); last.status == 429 {
			break
		}
		last.problem(t, "a wrong password", 401, "unauthenticated")
	}
	last.problem(t, "too many wrong passwords", 429, "exhausted")
	r := a.do(t, req{method: "POST", path: "/session", body: m{"login": "ben", "password": a.Password("ben")}})
	r.problem(t, "the right password while locked", 429, "exhausted")
}

func TestSecretsAreWriteOnly(t *testing.T) {
	a := startAPI(t)
	const secret = "tok-0123456789-secret"
	r := a.do(t, req{method: "POST", path: "/connectors", as: "admin", body: m{"name": "c", "kind": "http", "baseUrl": "http://127.0.0.1:9", "grant": "bearer", "token": secret}})
	list := a.do(t, req{method: "GET", path: "/connectors", as: "admin"})
	if r.status != 201 || strings.Contains(r.raw+list.raw, secret) || strings.Contains(list.raw, a.Org.ClientSecret) {
		t.Errorf("a secret comes back: %s %s", r.raw, list.raw)
	}
}

func TestPagingIsStable(t *testing.T) {
	a := startAPI(t)
	for i := range 7 {
		r := a.do(t, req{method: "POST", path: "/users", as: "admin", body: m{"login": fmt.Sprintf("u%d", i), "name": "U", "roles": []string{"agent"}, "password": "long enough pw"}})
		if r.status != 201 {
			t.Fatal(r.raw)
		}
	}
	for _, c := range []struct{ path, key string }{{"/users", "login"}, {"/audit", "id"}} {
		whole := a.pages(t, c.path, c.key, 200, func(int) {})
		added := 0
		got := a.pages(t, c.path, c.key, 3, func(page int) {
			if page == 1 && c.path == "/users" { // behind what was read: nothing shifts
				added++
				a.do(t, req{method: "POST", path: "/users", as: "admin", body: m{"login": "aa", "name": "U", "roles": []string{"agent"}, "password": "long enough pw"}})
			}
		})
		if c.path == "/audit" { // newest first: what came meanwhile is not in the older pages
			whole, got = whole[len(whole)-5:], got[len(got)-5:]
		}
		if !slices.Equal(whole, got) {
			t.Errorf("%s in pages of 3: %v, whole: %v", c.path, got, whole)
		}
	}
}

func (a *api) pages(t *testing.T, path, key string, limit int, between func(page int)) (all []string) {
	t.Helper()
	cursor := ""
	for page := 0; ; page++ {
		r := a.do(t, req{method: "GET", path: path + "?limit=" + strconv.Itoa(limit) + "&cursor=" + cursor, as: "admin"})
		list, ok := r.json["items"].([]any)
		if !ok || len(list) > limit {
			t.Fatalf("%s: %d %s", path, r.status, r.raw)
		}
		for _, it := range list {
			item, ok := it.(map[string]any)
			if !ok {
				t.Fatalf("%s: %v", path, it)
			}
			all = append(all, fmt.Sprint(item[key]))
		}
		if cursor = r.text("next"); cursor == "" {
			return all
		}
		between(page)
	}
}

func TestIdempotencyKey(t *testing.T) {
	a := startAPI(t)
	post := func(as, key, path string, body any) answer {
		return a.do(t, req{method: "POST", path: path, as: as, body: body, header: map[string]string{"Idempotency-Key": key}})
	}
	first := post("admin", "k1", "/api-tokens", m{"name": "CI", "roles": []string{"agent"}})
	again := post("admin", "k1", "/api-tokens", m{"name": "CI", "roles": []string{"agent"}})
	if first.status != 201 || again.status != 201 || again.raw != first.raw || first.text("token") == "" {
		t.Errorf("first %d %s, again %d %s", first.status, first.raw, again.status, again.raw)
	}
	if first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" || again.header.Get("Content-Type") != first.header.Get("Content-Type") {
		t.Errorf("headers: %v and %v", first.header, again.header)
	}
	post("admin", "k1", "/api-tokens", m{"name": "other", "roles": []string{"agent"}}).problem(t, "another body", 409, "conflict")
	post("admin", "k1", "/access-keys", m{"name": "CI"}).problem(t, "another operation", 409, "conflict")
	if r := post("token", "k1", "/access-keys", m{"name": "CI"}); r.status != 201 {
		t.Errorf("the key of another principal: %d %s", r.status, r.raw)
	}
	post("admin", strings.Repeat("k", 256), "/access-keys", m{"name": "CI"}).problem(t, "a long key", 422, "invalid")
	post("admin", "k2", "/queues", m{"name": 7}).problem(t, "a refused request", 422, "invalid")
	q := post("admin", "k2", "/queues", m{"name": "Q"})
	if q.status != 201 || q.header.Get("ETag") == "" {
		t.Errorf("after a refusal the key is free: %d %s", q.status, q.raw)
	}
	if r := post("admin", "k2", "/queues", m{"name": "Q"}); r.status != 201 || r.raw != q.raw || r.header.Get("ETag") != q.header.Get("ETag") {
		t.Errorf("again: %d %s", r.status, r.raw)
	}
	post("ada", "k3", "/queues", m{"name": "Q5"}).problem(t, "whoever may not", 403, "denied")
	a.do(t, req{method: "POST", path: "/queues", body: m{"name": "Q"}, header: map[string]string{"Idempotency-Key": "k2"}}).problem(t, "nobody", 401, "unauthenticated")

	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]int{}
	for range 8 {
		wg.Go(func() {
			r := post("admin", "same", "/access-keys", m{"name": "once"})
			mu.Lock()
			defer mu.Unlock()
			switch r.status {
			case 201:
				ids[r.text("id")]++
			case 409:
			default:
				t.Errorf("at once: %d %s", r.status, r.raw)
			}
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Errorf("eight requests at once with one key made %v", ids)
	}
	a.do(t, req{method: "POST", path: "/system/clock/advance", as: "admin", body: m{"seconds": 25 * 3600}})
	a.signIn(t, "admin", a.Password("admin"))
	if r := post("admin", "k1", "/access-keys", m{"name": "late"}); r.status != 201 {
		t.Errorf("a day later the key is free: %d %s", r.status, r.raw)
	}
}

func TestEventStreamReplays(t *testing.T) {
	a := startAPI(t)
	live := a.stream(t, req{method: "GET", path: "/events", as: "admin"})
	for _, name := range []string{"One", "Two", "Three"} {
		if r := a.do(t, req{method: "POST", path: "/queues", as: "admin", body: m{"name": name}}); r.status != 201 {
			t.Fatal(r.raw)
		}
	}
	var seen []sse
	for len(seen) < 3 {
		if e := next(t, live, "the live stream"); e.name == "queue.created" {
			seen = append(seen, e)
		}
	}
	for i, e := range seen[1:] {
		if n, err := strconv.Atoi(e.id); err != nil || strconv.Itoa(n-1) != seen[i].id {
			t.Errorf("event %s follows %s", e.id, seen[i].id)
		}
	}
	var body struct {
		Seq     int64  `json:"seq"`
		Type    string `json:"type"`
		Subject string `json:"subject"`
		At      string `json:"at"`
	}
	if err := json.NewDecoder(bytes.NewReader([]byte(seen[0].data))).Decode(&body); err != nil || strconv.FormatInt(body.Seq, 10) != seen[0].id || body.Type != seen[0].name || body.Subject == "" || body.At == "" {
		t.Errorf("the data is %s (%v)", seen[0].data, err)
	}
	replay := a.stream(t, req{method: "GET", path: "/events", as: "admin", header: map[string]string{"Last-Event-ID": seen[0].id}})
	for _, want := range seen[1:] {
		if got := next(t, replay, "the replay"); got != want {
			t.Errorf("replayed %+v, want %+v", got, want)
		}
	}
	after := a.stream(t, req{method: "GET", path: "/events?after=" + seen[1].id, as: "admin"})
	if got := next(t, after, "?after="); got != seen[2] {
		t.Errorf("got %+v, want %+v", got, seen[2])
	}
}

func TestSnapshotStreams(t *testing.T) {
	a := startAPI(t)
	desk := a.stream(t, req{method: "GET", path: "/desk/events", as: "ada"})
	state := func(e sse) string {
		var d struct{ State string }
		if err := json.Unmarshal([]byte(e.data), &d); err != nil || e.name != "desk" {
			t.Errorf("got %+v, %v", e, err)
		}
		return d.State
	}
	if got := state(next(t, desk, "the first snapshot")); got != "offline" {
		t.Errorf("first %s", got)
	}
	a.do(t, req{method: "POST", path: "/desk/state", as: "ada", body: m{"state": "idle"}})
	for state(next(t, desk, "the change")) != "idle" {
	}
	live := a.stream(t, req{method: "GET", path: "/live/events", as: "sam"})
	if e := next(t, live, "the live page"); e.name != "live" || !strings.Contains(e.data, `"agents"`) {
		t.Errorf("got %+v", e)
	}
	if r := a.do(t, req{method: "DELETE", path: "/session", as: "ada"}); r.status != http.StatusNoContent {
		t.Errorf("signing out: %d", r.status)
	}
	for state(next(t, desk, "offline after signing out")) != "offline" {
	}
}

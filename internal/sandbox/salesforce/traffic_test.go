package salesforce

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
	"github.com/tandemcc/tandem/internal/testkit/fixtures"
)

type recorded struct {
	Method  string            `json:"m"`
	URL     string            `json:"u"`
	Headers map[string]string `json:"h"`
	Body    string            `json:"b"`
}

// outOfScope are the surfaces this org does not have; it says so with the status, never with a made-up answer.
func outOfScope() []struct {
	what    string
	pattern *regexp.Regexp
	status  int
} {
	return []struct {
		what    string
		pattern *regexp.Regexp
		status  int
	}{
		{"Connect API", regexp.MustCompile(`(?i)^/services/data/v[\d.]+/connect/`), http.StatusNotFound},
		{"telephony API", regexp.MustCompile(`^/telephony/`), http.StatusNotFound},
		{"Apex REST", regexp.MustCompile(`(?i)^/services/apexrest/`), http.StatusNotFound},
	}
}

// expectation is what a recorded request must get, worked out from the request and an org of two accounts.
type expectation struct {
	status int
	keys   []string // of the answered object, or of the first element of an answered array
	code   string   // errorCode, or error
	has    string   // of an answer that is no JSON object
}

var (
	fromEntity = regexp.MustCompile(`(?i)\bFROM\s+(\w+)`) //nolint:gochecknoglobals // compiled once
	orgToken   = regexp.MustCompile(`00D\w*![.\w]+`)      //nolint:gochecknoglobals // compiled once
)

// TestFixtureTraffic replays what real clients sent. A request that changes something has the org to itself.
func TestFixtureTraffic(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(fixtures.Dir(t, "salesforce", "traffic"), "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded traffic: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			replay(t, file)
		})
	}
}

func replay(t *testing.T, file string) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	n := 0
	var o *testOrg
	for lines.Scan() {
		n++
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		if o == nil {
			o = start(t, Options{Seed: SeedNone, PublicKeys: []string{publicPEM(t, testKey())}})
			o.comet.poll = 10 * time.Millisecond
			for _, name := range []string{"One", "Two"} {
				o.create("Account", `{"Name":"`+name+`"}`)
			}
		}
		checkTraffic(t, o, n, r)
		if r.Method != http.MethodGet && !strings.Contains(r.URL, "/oauth2/token") {
			o = nil
		}
	}
	if err := lines.Err(); err != nil || n == 0 {
		t.Fatalf("reading %s: %d lines, %v", file, n, err)
	}
}

func checkTraffic(t *testing.T, o *testOrg, n int, r recorded) {
	t.Helper()
	want, what := expect(t, o, &r)
	h := http.Header{}
	for k, v := range r.Headers {
		if !strings.EqualFold(k, "accept-encoding") {
			h.Set(k, orgToken.ReplaceAllString(v, o.token))
		}
	}
	target := orgToken.ReplaceAllString(r.URL, o.token)
	status, body, _ := o.send(r.Method, target, orgToken.ReplaceAllString(r.Body, o.token), h)
	if status != want.status {
		t.Errorf("line %d (%s): %s %s answered %d %.300s, want %d", n, what, r.Method, r.URL, status, body, want.status)
		return
	}
	if !strings.Contains(body, want.has) {
		t.Errorf("line %d (%s): %s %s lacks %s: %.300s", n, what, r.Method, r.URL, want.has, body)
	}
	var v any
	if body != "" && (len(want.keys) > 0 || want.code != "") {
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			t.Errorf("line %d: the answer is no JSON: %.200s", n, body)
			return
		}
	}
	if list, isList := v.([]any); isList && len(list) > 0 {
		v = list[0]
	}
	m, _ := v.(map[string]any)
	for _, k := range want.keys {
		if _, found := m[k]; !found {
			t.Errorf("line %d: %s %s: the answer lacks %q: %.300s", n, r.Method, r.URL, k, body)
		}
	}
	if got := orElse(str(m["errorCode"]), str(m["error"])); got != want.code {
		t.Errorf("line %d: %s %s: code %q, want %q", n, r.Method, r.URL, got, want.code)
	}
}

func str(v any) string { s, _ := v.(string); return s }

// expect works out what a request must get, and puts this org's credentials into a token request.
func expect(t *testing.T, o *testOrg, r *recorded) (expectation, string) {
	t.Helper()
	u, err := url.Parse(r.URL)
	if err != nil {
		t.Fatalf("url %q: %v", r.URL, err)
	}
	if strings.HasPrefix(r.URL, "//") { // not a host: the CLI doubles the slash
		if u, err = url.Parse(r.URL[1:]); err != nil {
			t.Fatal(err)
		}
	}
	path := kit.CleanPath(u.Path)
	for _, x := range outOfScope() {
		if x.pattern.MatchString(path) {
			return expectation{status: x.status, code: "NOT_FOUND"}, x.what
		}
	}
	lower := strings.ToLower(path)
	switch {
	case path == "/services/oauth2/token":
		return expectToken(t, o, r), "token"
	case strings.HasPrefix(lower, "/services/soap/"):
		return expectSOAP(o, r), "SOAP login"
	case strings.HasPrefix(lower, "/cometd/"):
		return expectComet(o, r), "CometD"
	case strings.Contains(lower, "/jobs/"):
		return expectJob(o, r, path), "bulk"
	case path == "/services/oauth2/revoke":
		return expectation{status: http.StatusOK}, "revoke"
	case path == "/services/oauth2/userinfo":
		return expectation{status: 200, keys: []string{"user_id", "organization_id", "preferred_username", "sub", "active", "urls"}}, "userinfo"
	case strings.HasPrefix(path, "/id/"):
		return expectation{status: 200, keys: []string{"id", "user_id", "organization_id", "username", "urls"}}, "identity"
	case path == "/services/data":
		return expectation{status: 200, keys: []string{"label", "url", "version"}}, "versions"
	}
	segs := strings.Split(strings.Trim(path, "/"), "/")
	if len(segs) < 3 || !strings.EqualFold(segs[1], "data") {
		return expectation{status: http.StatusNotFound, code: "NOT_FOUND"}, "not a path of the platform"
	}
	if segs = segs[3:]; len(segs) == 0 {
		return expectation{status: 200, keys: []string{"query", "sobjects"}}, "resources"
	}
	return expectRest(o, r.Method, segs, u.Query()), segs[0]
}

func expectToken(t *testing.T, o *testOrg, r *recorded) expectation {
	t.Helper()
	form, err := url.ParseQuery(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	c := o.Credentials()
	form.Set("client_id", c.ClientID)
	form.Set("client_secret", c.ClientSecret)
	good := expectation{status: 200, keys: []string{"access_token", "instance_url", "id", "token_type", "issued_at", "signature"}}
	switch form.Get("grant_type") {
	case "password":
		if !strings.Contains(form.Get("username"), "@") {
			good = expectation{status: 400, code: "invalid_grant"}
			break
		}
		form.Set("username", c.Username)
		form.Set("password", c.Password+c.SecurityToken)
	case "client_credentials":
		good.keys = append(good.keys, "scope", "api_instance_url")
	case grantJWT:
		form.Set("assertion", resign(t, o, form.Get("assertion")))
		good.keys = []string{"access_token", "scope", "instance_url", "id", "token_type"}
	default: // token exchange and devices are out of scope
		good = expectation{status: 400, code: "unsupported_grant_type"}
	}
	r.Body = form.Encode()
	return good
}

// resign signs an assertion again, with this org's app and user and all else as the client wrote it. An audience on
// loopback was the recorder's own address.
func resign(t *testing.T, o *testOrg, text string) string {
	t.Helper()
	parts := strings.Split(text, ".")
	var raw [2][]byte
	for i := range raw {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(parts[i]); err != nil {
			t.Fatal(err)
		}
	}
	var claims map[string]json.RawMessage
	if err := json.Unmarshal(raw[1], &claims); err != nil {
		t.Fatal(err)
	}
	quote := func(s string) json.RawMessage { return appendString(nil, s) }
	claims["iss"], claims["sub"] = quote(o.Credentials().ClientID), quote(o.Credentials().Username)
	if u, err := url.Parse(strings.Trim(string(claims["aud"]), `"`)); err == nil && u.Hostname() == "127.0.0.1" {
		claims["aud"] = quote(o.url + u.Path)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return signJWT(t, testKey(), string(raw[0]), string(body))
}

var (
	soapUser  = regexp.MustCompile(`<username>[^<]*</username><password>[^<]*</password>`) //nolint:gochecknoglobals // compiled once
	cometID   = regexp.MustCompile(`"clientId":"[^"]*"`)                                   //nolint:gochecknoglobals // compiled once
	cometWait = regexp.MustCompile(`/meta/(handshake|connect|subscribe|disconnect)`)       //nolint:gochecknoglobals // compiled once
)

func expectSOAP(o *testOrg, r *recorded) expectation {
	c := o.Credentials()
	r.Body = soapUser.ReplaceAllLiteralString(r.Body, "<username>"+c.Username+"</username><password>"+c.Password+c.SecurityToken+"</password>")
	return expectation{status: http.StatusOK, has: "<sessionId>"}
}

// expectComet gives the request a client of this org, which shook hands before.
func expectComet(o *testOrg, r *recorded) expectation {
	if r.Method != http.MethodPost {
		return expectation{status: http.StatusBadRequest}
	}
	if cometID.MatchString(r.Body) {
		r.Body = cometID.ReplaceAllLiteralString(r.Body, `"clientId":"`+o.stream().id+`"`)
	}
	want := expectation{status: http.StatusOK, keys: []string{"channel", "successful", "id"}, has: `"successful":true`}
	if !cometWait.MatchString(r.Body) {
		want.has = `"successful":false`
	}
	return want
}

// expectJob puts a job of this org, in the state the request needs, in the place of the recorded one.
func expectJob(o *testOrg, r *recorded, path string) expectation {
	segs := strings.Split(strings.Trim(path, "/"), "/")[3:] // jobs, kind, id, part
	info := []string{"id", "state", "object", "operation", "apiVersion"}
	if len(segs) == 2 {
		if r.Method == http.MethodGet {
			return expectation{status: http.StatusOK, keys: []string{"done", "records"}}
		}
		return expectation{status: http.StatusOK, keys: info}
	}
	o.version = strings.Split(strings.Trim(path, "/"), "/")[2]
	var j bulkJob
	if segs[1] == "query" {
		j = o.job(http.MethodPost, "/jobs/query", `{"operation":"query","query":"SELECT Id, Name FROM Account"}`)
		o.finished("query", j.ID)
	} else {
		j = o.job(http.MethodPost, "/jobs/ingest", `{"object":"Account","operation":"insert"}`)
		if r.Method != http.MethodPut {
			o.api(http.MethodPut, "/jobs/ingest/"+j.ID+"/batches", "Name\nA\n")
		}
		if r.Method == http.MethodGet {
			o.job(http.MethodPatch, "/jobs/ingest/"+j.ID, `{"state":"UploadComplete"}`)
			o.finished("ingest", j.ID)
		}
	}
	r.URL = strings.ReplaceAll(r.URL, segs[2], j.ID)
	r.Body = strings.ReplaceAll(r.Body, segs[2], j.ID)
	switch {
	case r.Method == http.MethodPut:
		return expectation{status: http.StatusCreated}
	case len(segs) == 3:
		return expectation{status: http.StatusOK, keys: info}
	case segs[1] == "query":
		return expectation{status: http.StatusOK, has: `"Id","Name"`}
	}
	return expectation{status: http.StatusOK, has: "Name\n"}
}

func expectRest(o *testOrg, method string, segs []string, q url.Values) expectation {
	switch strings.ToLower(segs[0]) {
	case "query", "queryall":
		if len(segs) > 1 {
			return expectation{status: 400, code: "INVALID_QUERY_LOCATOR"}
		}
		m := fromEntity.FindStringSubmatch(q.Get("q"))
		if m == nil || o.schema.object(m[1]) == nil {
			return expectation{status: 400, code: "INVALID_TYPE"}
		}
		if q.Get("columns") == "true" {
			return expectation{status: 200, keys: []string{"columnMetadata", "entityName", "keyPrefix", "idSelected"}}
		}
		return expectation{status: 200, keys: []string{"totalSize", "done", "records"}}
	case "search":
		return expectation{status: 200, keys: []string{"searchRecords"}}
	case "limits":
		return expectation{status: 200, keys: []string{"DailyApiRequests"}}
	case "sobjects":
		return expectSObject(o, method, segs[1:])
	case "composite":
		return expectComposite(method, segs[1:])
	}
	return expectation{status: 404, code: "NOT_FOUND"}
}

func expectSObject(o *testOrg, method string, segs []string) expectation {
	if len(segs) == 0 {
		return expectation{status: 200, keys: []string{"sobjects", "encoding"}}
	}
	if len(segs) == 1 {
		return expectation{status: 201, keys: []string{"id", "success", "errors"}}
	}
	switch segs[1] {
	case "describe":
		return expectation{status: 200, keys: []string{"name", "fields", "childRelationships", "keyPrefix"}}
	case "updated":
		return expectation{status: 200, keys: []string{"ids", "latestDateCovered"}}
	case "deleted":
		return expectation{status: 200, keys: []string{"deletedRecords", "earliestDateAvailable", "latestDateCovered"}}
	}
	if len(segs) == 3 {
		return expectation{status: 201, keys: []string{"id", "success", "errors", "created"}}
	}
	id, _ := normalID(segs[1])
	exists := id == makeID("001", 1) || id == makeID("001", 2) || id == o.admin
	switch {
	case !exists:
		return expectation{status: 404, code: "NOT_FOUND"}
	case method == http.MethodGet:
		return expectation{status: 200, keys: []string{"attributes", "Id"}}
	}
	return expectation{status: 204}
}

func expectComposite(method string, segs []string) expectation {
	switch {
	case len(segs) == 0:
		return expectation{status: 200, keys: []string{"compositeResponse"}}
	case segs[0] == "tree":
		return expectation{status: 201, keys: []string{"hasErrors", "results"}}
	case len(segs) == 2:
		return expectation{status: 200, keys: []string{"attributes"}}
	case method == http.MethodDelete:
		return expectation{status: 200, keys: []string{"id", "success", "errors"}}
	}
	return expectation{status: 200, keys: []string{"id", "success", "errors"}}
}

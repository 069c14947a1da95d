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
	"github.com/tandemcc/tandem/internal/soql"
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
	shape  string // of JSON, see shapeOf; empty: the answer is none, or empty
	code   string // errorCode, or error
	has    string // of an answer that is no JSON object
	header string // that must be there, with a value that fits the expression after the colon
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
	status, body, header := o.send(r.Method, target, orgToken.ReplaceAllString(r.Body, o.token), h)
	if status != want.status {
		t.Errorf("line %d (%s): %s %s answered %d %.300s, want %d", n, what, r.Method, r.URL, status, body, want.status)
		return
	}
	if !strings.Contains(body, want.has) {
		t.Errorf("line %d (%s): %s %s lacks %s: %.300s", n, what, r.Method, r.URL, want.has, body)
	}
	if name, value, _ := strings.Cut(want.header, ":"); name != "" && !regexp.MustCompile("^"+value+"$").MatchString(header.Get(name)) {
		t.Errorf("line %d (%s): %s %s: %s is %q", n, what, r.Method, r.URL, name, header.Get(name))
	}
	switch {
	case want.code != "":
		shape := `[{"message":".+","errorCode":"` + want.code + `"}]`
		if strings.Contains(r.URL, "/oauth2/") {
			shape = `{"error":"` + want.code + `","error_description":".+"}`
		}
		want.shape = shape
	case want.shape == "" && want.has == "" && body != "":
		t.Errorf("line %d (%s): %s %s answers %.200s, and should nothing", n, what, r.Method, r.URL, body)
	}
	if want.shape == "" {
		return
	}
	if bad := shapeOf(want.shape, body); bad != "" {
		t.Errorf("line %d (%s): %s %s: %s\n got %.600s\nwant %s", n, what, r.Method, r.URL, bad, body, want.shape)
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
		return expectation{status: 200, shape: `{"sub":"http.+/id/00D\\w{15}/005\\w{15}","user_id":"005\\w{15}","organization_id":"00D\\w{15}","preferred_username":".+@.+","name":".+",
			"email":".+@.+","active":true,"user_type":"STANDARD","urls":{"rest":"http.+/services/data/v.version./","sobjects":".+","query":".+","enterprise":".+"}}`}, "userinfo"
	case strings.HasPrefix(path, "/id/"):
		return expectation{status: 200, shape: `{"id":"http.+/id/00D\\w{15}/005\\w{15}","user_id":"005\\w{15}","organization_id":"00D\\w{15}","username":".+@.+","display_name":".+",
			"active":true,"user_type":"STANDARD","urls":{"rest":".+","query":".+","sobjects":".+"}}`}, "identity"
	case path == "/services/data":
		return expectation{status: 200, shape: `[{"label":"(Spring|Summer|Winter) '\\d\\d","url":"/services/data/v\\d\\d\\.0","version":"\\d\\d\\.0"}]`}, "versions"
	}
	segs := strings.Split(strings.Trim(path, "/"), "/")
	if len(segs) < 3 || !strings.EqualFold(segs[1], "data") {
		return expectation{status: http.StatusNotFound, code: "NOT_FOUND"}, "not a path of the platform"
	}
	if segs = segs[3:]; len(segs) == 0 {
		at := "/services/data/" + strings.Split(strings.Trim(path, "/"), "/")[2]
		return expectation{status: 200, shape: `{"query":"` + at + `/query","queryAll":"` + at + `/queryAll","sobjects":"` + at + `/sobjects","search":"` + at + `/search","limits":"` + at +
			`/limits","composite":"` + at + `/composite","jobs":"` + at + `/jobs","tooling":"` + at + `/tooling","identity":".+/id/00D\\w{15}/005\\w{15}"}`}, "resources"
	}
	return expectRest(t, o, r, segs, u.Query()), segs[0]
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
	const token = `"access_token":"00D\\w{12}![.\\w]+","instance_url":"http.+","id":"http.+/id/00D\\w{15}/005\\w{15}","token_type":"Bearer"`
	good := expectation{status: 200, shape: `{` + token + `,"issued_at":"\\d{13}","signature":".+"}`}
	switch form.Get("grant_type") {
	case "password":
		if !strings.Contains(form.Get("username"), "@") {
			good = expectation{status: 400, code: "invalid_grant"}
			break
		}
		form.Set("username", c.Username)
		form.Set("password", c.Password+c.SecurityToken)
	case "client_credentials":
		good.shape = `{` + token + `,"issued_at":"\\d{13}","signature":".+","scope":".+","api_instance_url":"http.+"}`
	case grantJWT:
		form.Set("assertion", resign(t, o, form.Get("assertion")))
		good.shape = `{` + token + `,"scope":".+"}`
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
	return expectation{status: http.StatusOK, has: "</serverUrl><sessionId>00D"}
}

// expectComet gives the request a client of this org, which shook hands before.
func expectComet(o *testOrg, r *recorded) expectation {
	if r.Method != http.MethodPost {
		return expectation{status: http.StatusBadRequest, has: "400::"}
	}
	if cometID.MatchString(r.Body) {
		r.Body = cometID.ReplaceAllLiteralString(r.Body, `"clientId":"`+o.stream().id+`"`)
	}
	if !cometWait.MatchString(r.Body) {
		return expectation{status: http.StatusOK, shape: `[{"channel":"/.+","successful":false,"id":"\\d+","error":".+"}]`}
	}
	want := expectation{status: http.StatusOK, shape: `[{"channel":"/meta/.+","successful":true,"id":"\\d+"}]`}
	if strings.Contains(r.Body, "/meta/handshake") {
		want.shape = `[{"channel":"/meta/handshake","successful":true,"id":"\\d+","clientId":".+","version":"1.0","supportedConnectionTypes":["long-polling"],
			"ext":{"replay":true,"payload.format":true}}]`
	}
	return want
}

// expectJob puts a job of this org, in the state the request needs, in the place of the recorded one.
func expectJob(o *testOrg, r *recorded, path string) expectation {
	segs := strings.Split(strings.Trim(path, "/"), "/")[3:] // jobs, kind, id, part
	const stamps = `"createdById":"005\\w{15}","createdDate":".+\\+0000","systemModstamp":".+\\+0000"`
	info := `{"id":"750\\w{15}","state":"(Open|UploadComplete|InProgress|JobComplete)","object":"Account","operation":"\\w+","apiVersion":60.0,"concurrencyMode":"Parallel",
		"lineEnding":"LF","columnDelimiter":"COMMA","contentType":"CSV",` + stamps + `}`
	if r.Method == http.MethodPatch { // the answer to it names less
		info = strings.Replace(info, `"lineEnding":"LF","columnDelimiter":"COMMA",`, "", 1)
	}
	if len(segs) == 2 {
		if r.Method == http.MethodGet {
			return expectation{status: http.StatusOK, shape: `{"done":true,"records":[]}`}
		}
		return expectation{status: http.StatusOK, shape: info}
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
		return expectation{status: http.StatusOK, shape: info}
	case segs[1] == "query":
		return expectation{status: http.StatusOK, has: "\"Id\",\"Name\"\n\"001", header: `Content-Type:text/csv.*`}
	}
	head := map[string]string{
		"successfulresults": `"sf__Id","sf__Created",Name`, "failedresults": `"sf__Id","sf__Error",Name`, "unprocessedrecords": `Name`,
	}[strings.ToLower(segs[3])]
	return expectation{status: http.StatusOK, has: head + "\n", header: `Content-Type:text/csv.*`}
}

// recordShape is a record of an entity with fields of given kinds.
func recordShape(entity, members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"attributes":{"type":"` + entity + `","url":"/services/data/v\\d\\d\\.0/sobjects/` + entity + `/\\w{18}"}` + members + `}`
}

// selected are the fields a query asks for, as members of a pattern.
func selected(t *testing.T, o *testOrg, src string) string {
	t.Helper()
	q, err := soql.Parse(src)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	obj := o.schema.object(q.From[0].Name)
	var members []string
	for _, item := range q.Select {
		members = append(members, `"`+obj.field(item.Expr.String()).name+`":null`)
	}
	return strings.Join(members, ",")
}

func expectRest(t *testing.T, o *testOrg, r *recorded, segs []string, q url.Values) expectation {
	t.Helper()
	switch strings.ToLower(segs[0]) {
	case "query", "queryall":
		return expectQuery(t, o, segs, q)
	case "search": // nobody has the numbers that were looked for
		return expectation{status: 200, shape: `{"searchRecords":[]}`}
	case "limits":
		return expectation{status: 200, shape: `{"DailyApiRequests":{"Max":1,"Remaining":1},"DailyBulkV2QueryJobs":{"Max":1,"Remaining":1}}`, header: `Sforce-Limit-Info:api-usage=\d+/\d+`}
	case "sobjects":
		return expectSObject(o, r.Method, segs[1:])
	case "composite":
		return expectComposite(segs[1:])
	}
	return expectation{status: 404, code: "NOT_FOUND"}
}

func expectQuery(t *testing.T, o *testOrg, segs []string, q url.Values) expectation {
	t.Helper()
	if len(segs) > 1 {
		return expectation{status: 400, code: "INVALID_QUERY_LOCATOR"}
	}
	m := fromEntity.FindStringSubmatch(q.Get("q"))
	if m == nil || o.schema.object(m[1]) == nil {
		return expectation{status: 400, code: "INVALID_TYPE"}
	}
	obj := o.schema.object(m[1])
	counts := strings.Contains(q.Get("q"), "COUNT()")
	switch {
	case q.Get("columns") == "true":
		columns := `{"aggregate":false,"apexType":".+","booleanType":false,"columnName":".+","custom":false,"displayName":".+","foreignKeyName":null,"insertable":true,
			"joinColumns":[],"numberType":false,"textType":true,"updatable":true}`
		if counts {
			columns = ""
		}
		return expectation{status: 200, shape: `{"columnMetadata":[` + columns + `],"entityName":"` + obj.name + `","groupBy":false,"idSelected":true,"keyPrefix":"` + obj.prefix + `"}`}
	case counts || strings.Contains(q.Get("q"), " LIKE "):
		return expectation{status: 200, shape: `{"totalSize":2,"done":true,"records":[]}`}
	}
	return expectation{status: 200, shape: `{"totalSize":2,"done":true,"records":[` + recordShape(obj.name, selected(t, o, q.Get("q"))) + `]}`}
}

func expectSObject(o *testOrg, method string, segs []string) expectation {
	const describe = `"name":".+","label":".+","labelPlural":".+","keyPrefix":"\\w{3}","createable":true,"custom":false,"queryable":true,"searchable":true,"layoutable":true,
		"urls":{"sobject":".+","describe":".+","rowTemplate":".+/[{]ID[}]"}`
	if len(segs) == 0 {
		return expectation{status: 200, shape: `{"encoding":"UTF-8","maxBatchSize":200,"sobjects":[{` + strings.ReplaceAll(describe, `"\\w{3}"`, "null") + `}]}`}
	}
	if len(segs) == 1 {
		return expectation{status: 201, shape: `{"id":"001\\w{15}","success":true,"errors":[]}`, header: `Location:/services/data/v\d\d\.0/sobjects/Account/001\w{15}`}
	}
	switch segs[1] {
	case "describe":
		return expectation{status: 200, shape: `{` + describe + `,"fields":[{"name":".+","label":".+","type":"\\w+","soapType":"(tns|xsd|urn):\\w+","length":1,"nillable":true,"createable":true,
			"updateable":true,"filterable":true,"sortable":true,"custom":true,"externalId":true,"referenceTo":[],"relationshipName":null,"picklistValues":[],"defaultValue":null}],
			"childRelationships":[{"childSObject":".+","field":".+","relationshipName":null,"cascadeDelete":true}],"recordTypeInfos":[{"recordTypeId":"012\\w{15}","master":true}]}`, header: `Last-Modified:.+ GMT`}
	case "updated":
		return expectation{status: 200, shape: `{"ids":["001\\w{15}"],"latestDateCovered":"` + wireShape + `"}`}
	case "deleted":
		return expectation{status: 200, shape: `{"deletedRecords":[],"earliestDateAvailable":"` + wireShape + `","latestDateCovered":"` + wireShape + `"}`}
	}
	if len(segs) == 3 {
		return expectation{status: 201, shape: `{"id":"001\\w{15}","success":true,"errors":[],"created":true}`}
	}
	id, _ := normalID(segs[1])
	switch {
	case id == o.admin && method == http.MethodGet:
		return expectation{status: 200, shape: recordShape("User", `"Id":"005\\w{15}","Username":".+@.+","LastName":".+","IsActive":true,"ProfileId":"00e\\w{15}"`)}
	case id != makeID("001", 1) && id != makeID("001", 2):
		return expectation{status: 404, code: "NOT_FOUND"}
	case method == http.MethodGet:
		return expectation{status: 200, shape: recordShape("Account", `"Id":"001\\w{15}","IsDeleted":false,"Name":"One|Two","OwnerId":"005\\w{15}","CreatedDate":"`+wireShape+`","SystemModstamp":"`+wireShape+`"`), header: `ETag:".+"`}
	}
	return expectation{status: 204}
}

// wireShape is a moment as the API writes it.
const wireShape = `\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.000\\+0000`

func expectComposite(segs []string) expectation {
	const saved = `{"id":"001\\w{15}","success":true,"errors":[]}`
	switch {
	case len(segs) == 0:
		return expectation{status: 200, shape: `{"compositeResponse":[{"body":[` + saved + `],"httpHeaders":{},"httpStatusCode":200,"referenceId":".+"}]}`}
	case segs[0] == "tree":
		return expectation{status: 201, shape: `{"hasErrors":false,"results":[{"referenceId":"AccountRef\\d","id":"001\\w{15}"}]}`}
	case len(segs) == 2:
		return expectation{status: 200, shape: `[` + recordShape("Account", `"Id":"001\\w{15}","Name":"One|Two"`) + `]`}
	}
	return expectation{status: 200, shape: `[` + saved + `]`}
}

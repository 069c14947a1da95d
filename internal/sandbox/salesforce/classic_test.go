package salesforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// async sends a call of Bulk API 1.0.
func (o *testOrg) async(method, path, body, contentType string) (int, string) {
	o.t.Helper()
	h := http.Header{"X-Sfdc-Session": {o.token}}
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	status, out, _ := o.send(method, "/services/async/60.0"+path, body, h)
	return status, out
}

// classicID is the id in an answer of either form.
func classicID(out string) string {
	for _, mark := range []string{"<id>", `"id":"`} {
		if _, rest, found := strings.Cut(out, mark); found {
			return rest[:18]
		}
	}
	return ""
}

// classicDone waits for a batch and returns its last answer.
func (o *testOrg) classicDone(path, contentType string) string {
	o.t.Helper()
	for tick := time.NewTicker(2 * time.Millisecond); ; <-tick.C {
		_, out := o.async(http.MethodGet, path, "", contentType)
		if !strings.Contains(out, "Queued") && !strings.Contains(out, "InProgress") {
			tick.Stop()
			return out
		}
	}
}

const jobXML = `<?xml version="1.0" encoding="UTF-8"?>
<jobInfo xmlns="http://www.force.com/2009/06/asyncapi/dataload"><operation>%s</operation><object>%s</object>%s<contentType>%s</contentType></jobInfo>`

// TestClassicLoad runs a load with XML and CSV.
func TestClassicLoad(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"Old","Ext__c":"k"}`)
	status, out := o.async(http.MethodPost, "/job", fmt.Sprintf(jobXML, "upsert", "account", "<externalIdFieldName>Ext__c</externalIdFieldName><concurrencyMode>Serial</concurrencyMode>", "CSV"), "application/xml; charset=UTF-8")
	job := "/job/" + classicID(out)
	for _, want := range []string{"<jobInfo xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\">", "<operation>upsert</operation>", "<object>Account</object>", "<createdById>" + o.admin + "</createdById>", "<createdDate>2026-11-18T15:30:00.000Z</createdDate>", "<state>Open</state>", "<externalIdFieldName>Ext__c</externalIdFieldName>", "<concurrencyMode>Serial</concurrencyMode>", "<contentType>CSV</contentType>", "<numberBatchesTotal>0</numberBatchesTotal>", "<apiVersion>60.0</apiVersion>"} {
		if status != http.StatusCreated || !strings.Contains(out, want) {
			t.Errorf("the job lacks %s: %d %s", want, status, out)
		}
	}
	data := "Ext__c,Name,Phone\r\nk,\"New, \"\"name\"\"\",#N/A\r\n,None,\r\nn,Made,1\r\n"
	status, out = o.async(http.MethodPost, job+"/batch", data, "text/csv; charset=UTF-8")
	batch := job + "/batch/" + classicID(out)
	if status != http.StatusCreated || !strings.Contains(out, "<jobId>"+job[5:]+"</jobId>") || !strings.HasPrefix(classicID(out), "751") {
		t.Errorf("%d %s", status, out)
	}
	if out = o.classicDone(batch, ""); !strings.Contains(out, "<state>Completed</state>") || !strings.Contains(out, "<numberRecordsProcessed>3</numberRecordsProcessed>") || !strings.Contains(out, "<numberRecordsFailed>1</numberRecordsFailed>") {
		t.Errorf("%s", out)
	}
	_, out = o.async(http.MethodGet, batch+"/result", "", "")
	made := out[strings.LastIndex(out, "\n\"001")+2:][:18]
	want := "\"Id\",\"Success\",\"Created\",\"Error\"\n\"" + id + "\",\"true\",\"false\",\"\"\n\"\",\"false\",\"false\",\"MISSING_ARGUMENT:Ext__c not specified:--\"\n\"" + made + "\",\"true\",\"true\",\"\"\n"
	if out != want {
		t.Errorf("%s", cmp.Diff(want, out))
	}
	if _, out := o.async(http.MethodGet, batch+"/request", "", ""); out != data {
		t.Errorf("the request: %q", out)
	}
	_, out = o.async(http.MethodPost, job+"/batch", "Nope\nx\n", "text/csv")
	if out := o.classicDone(job+"/batch/"+classicID(out), ""); !strings.Contains(out, "<state>Failed</state>\n <stateMessage>InvalidBatch : Field name not found : Nope</stateMessage>") {
		t.Errorf("%s", out)
	}
	if _, out := o.async(http.MethodGet, job+"/batch", "", ""); strings.Count(out, "<batchInfo>") != 2 || !strings.HasPrefix(out, `<?xml version="1.0" encoding="UTF-8"?><batchInfoList`) {
		t.Errorf("%s", out)
	}
	if status, out := o.async(http.MethodPost, job, ` <?xml version="1.0"?> <jobInfo xmlns="http://www.force.com/2009/06/asyncapi/dataload"><state>Closed</state></jobInfo>`, "application/xml"); status != http.StatusOK || !strings.Contains(out, "<state>Closed</state>") || !strings.Contains(out, "<numberBatchesFailed>1</numberBatchesFailed>") {
		t.Errorf("%d %s", status, out)
	}
	if status, out := o.async(http.MethodPost, job+"/batch", data, "text/csv"); status != http.StatusBadRequest || !strings.Contains(out, "<exceptionCode>InvalidJobState</exceptionCode>") {
		t.Errorf("a batch of a closed job: %d %s", status, out)
	}
	if status, out := o.async(http.MethodPost, job, `{"state":"Closed"}`, "application/json"); status != http.StatusBadRequest || out != `{"exceptionCode":"InvalidJobState","exceptionMessage":"Closing already closed Job not allowed"}` {
		t.Errorf("closed twice: %d %s", status, out)
	}
	if ids, _ := o.jobList("/jobs/ingest?jobType=Classic"); !cmp.Equal(ids, []string{job[5:] + " Classic"}) {
		t.Errorf("%q", ids)
	}
	if status, _ := o.api(http.MethodGet, "/jobs/ingest/"+job[5:], ""); status != http.StatusNotFound {
		t.Errorf("as a job of 2.0: %d", status)
	}
}

// TestClassicJSON runs loads and queries with JSON both ways.
func TestClassicJSON(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	const kind = "application/json"
	o.create("Account", `{"Name":"P","Ext__c":"p"}`)
	status, out := o.async(http.MethodPost, "/job", `{"operation":"insert","object":"Contact","contentType":"JSON"}`, kind)
	job := "/job/" + classicID(out)
	if status != http.StatusCreated || !strings.Contains(out, `"apiVersion":60.0`) || !strings.Contains(out, `"numberBatchesTotal":0`) {
		t.Errorf("%d %s", status, out)
	}
	_, out = o.async(http.MethodPost, job+"/batch", `[{"attributes":{"type":"Contact"},"LastName":"A \"x\"","DoNotCall":true,"Birthdate":"1990-02-03","Account":{"Ext__c":"p"}},{"LastName":null},{"LastName":"B","Email":"no"}]`, kind)
	batch := job + "/batch/" + classicID(out)
	if out := o.classicDone(batch, kind); !strings.Contains(out, `"state":"Completed"`) || !strings.Contains(out, `"numberRecordsFailed":2`) {
		t.Errorf("%s", out)
	}
	_, out = o.async(http.MethodGet, batch+"/result", "", kind)
	made := out[strings.Index(out, `"003`)+1:][:18]
	want := `[{"created":true,"errors":[],"id":"` + made + `","success":true},` +
		`{"created":false,"errors":[{"extendedErrorDetails":null,"fields":["LastName"],"message":"Required fields are missing: [LastName]","statusCode":"REQUIRED_FIELD_MISSING"}],"id":null,"success":false},` +
		`{"created":false,"errors":[{"extendedErrorDetails":null,"fields":["Email"],"message":"Email: invalid email address: no","statusCode":"INVALID_EMAIL_ADDRESS"}],"id":null,"success":false}]`
	if out != want {
		t.Errorf("%s", cmp.Diff(want, out))
	}
	for body, message := range map[string]string{`{`: "The records cannot be read", `[]`: "Unable to find any header row", `[{"LastName":["x"]}]`: "The value of LastName cannot be read"} {
		if status, out := o.async(http.MethodPost, job+"/batch", body, kind); status != http.StatusCreated || !strings.Contains(out, `"state":"Failed"`) || !strings.Contains(out, message) {
			t.Errorf("%s: %d %s", body, status, out)
		}
	}
	_, out = o.async(http.MethodPost, "/job", `{"operation":"query","object":"Contact","contentType":"JSON"}`, kind)
	job = "/job/" + classicID(out)
	_, out = o.async(http.MethodPost, job+"/batch", "SELECT Id, LastName, DoNotCall, Birthdate, CreatedDate, Email, Account.Name, ReportsTo.Name FROM Contact", kind)
	batch = job + "/batch/" + classicID(out)
	o.classicDone(batch, kind)
	_, out = o.async(http.MethodGet, batch+"/result", "", kind)
	result := decode[[]string](t, out)
	_, out = o.async(http.MethodGet, batch+"/result/"+result[0], "", kind)
	want = `[{"Account":{"Name":"P"},"Birthdate":634003200000,"CreatedDate":` + fmt.Sprint(fixedNow().UnixMilli()) + `,"DoNotCall":true,"Email":null,"Id":"` + made + `","LastName":"A \"x\"","ReportsTo":null,` +
		`"attributes":{"type":"Contact","url":"/services/data/v60.0/sobjects/Contact/` + made + `"}}]`
	if out != want {
		t.Errorf("%s", cmp.Diff(want, out))
	}
	_, out = o.async(http.MethodPost, job+"/batch", "SELECT Id FROM Contact WHERE LastName = 'none'", kind)
	batch = job + "/batch/" + classicID(out)
	o.classicDone(batch, kind)
	_, out = o.async(http.MethodGet, batch+"/result", "", kind)
	if _, out = o.async(http.MethodGet, batch+"/result/"+decode[[]string](t, out)[0], "", kind); out != "[]" {
		t.Errorf("nothing: %s", out)
	}
}

// TestClassicQuery holds results, and queries that cannot be run.
func TestClassicQuery(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.create("Account", `{"Name":"A"}`)
	_, out := o.async(http.MethodPost, "/job", fmt.Sprintf(jobXML, "query", "Account", "", "CSV"), "application/xml")
	job := "/job/" + classicID(out)
	_, out = o.async(http.MethodPost, job+"/batch", "SELECT Name FROM Account", "text/csv")
	batch := job + "/batch/" + classicID(out)
	o.classicDone(batch, "")
	_, out = o.async(http.MethodGet, batch+"/result", "", "")
	_, rest, _ := strings.Cut(out, "<result>")
	if !strings.Contains(out, "<result-list xmlns=") || !strings.HasPrefix(rest, "752") {
		t.Fatalf("%s", out)
	}
	if status, out := o.async(http.MethodGet, batch+"/result/"+rest[:18], "", ""); status != http.StatusOK || out != "\"Name\"\n\"A\"\n" {
		t.Errorf("%d %q", status, out)
	}
	for query, want := range map[string]string{
		"SELECT Foo FROM Account": "InvalidBatch : Failed to process query: INVALID_FIELD: ", "SELECT COUNT() FROM Account": "InvalidBatch : Failed to process query: API_ERROR", "SELECT Id FROM Contact": "the query is of Contact, the job of Account",
		"SELECT Id, (SELECT Id FROM Contacts) FROM Account": "FEATURENOTENABLED",
	} {
		if _, out := o.async(http.MethodPost, job+"/batch", query, "text/csv"); !strings.Contains(out, "<state>Failed</state>") || !strings.Contains(out, want) {
			t.Errorf("%s: %s", query, out)
		}
	}
	release := o.hold()
	_, out = o.async(http.MethodPost, job+"/batch", "SELECT Name FROM Account", "text/csv")
	waits := job + "/batch/" + classicID(out)
	if status, out := o.async(http.MethodGet, waits+"/result", "", ""); status != http.StatusBadRequest || !strings.Contains(out, "Batch not completed") {
		t.Errorf("%d %s", status, out)
	}
	if _, out := o.async(http.MethodPost, job, `{"state":"Aborted"}`, "application/json"); !strings.Contains(out, `"state":"Aborted"`) {
		t.Errorf("%s", out)
	}
	release()
	if _, out := o.async(http.MethodGet, waits, "", ""); !strings.Contains(out, "<state>NotProcessed</state>") {
		t.Errorf("a batch that was not come to: %s", out)
	}
}

// TestClassicRefusals holds the codes of the API.
func TestClassicRefusals(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	_, out := o.async(http.MethodPost, "/job", fmt.Sprintf(jobXML, "insert", "Account", "", "CSV"), "application/xml")
	job := "/job/" + classicID(out)
	_, out = o.async(http.MethodPost, job+"/batch", "Name\nA\n", "text/csv")
	batch := classicID(out)
	o.classicDone(job+"/batch/"+batch, "")
	for _, c := range []struct{ method, path, body, code string }{
		{"POST", "/job", "<x", "InvalidXML"},
		{"POST", "/job", fmt.Sprintf(jobXML, "insert", "Nope", "", "CSV"), "InvalidEntity"},
		{"POST", "/job", fmt.Sprintf(jobXML, "query", "Nope", "", "CSV"), "InvalidEntity"},
		{"POST", "/job", fmt.Sprintf(jobXML, "sing", "Account", "", "CSV"), "InvalidJob"},
		{"POST", "/job", fmt.Sprintf(jobXML, "insert", "Account", "", "XML"), "InvalidJob"},
		{"POST", "/job", fmt.Sprintf(jobXML, "insert", "Account", "<concurrencyMode>Both</concurrencyMode>", "CSV"), "InvalidJob"},
		{"POST", "/job", fmt.Sprintf(jobXML, "upsert", "Account", "", "CSV"), "InvalidJob"},
		{"GET", "/job", "", "MethodNotAllowed"},
		{"GET", "/job/" + makeID("750", 999), "", "InvalidJob"},
		{"GET", "/job/x", "", "InvalidJob"},
		{"DELETE", job, "", "MethodNotAllowed"},
		{"PUT", job + "/batch", "", "MethodNotAllowed"},
		{"POST", job, fmt.Sprintf(jobXML, "", "", "<state>Open</state>", ""), "InvalidJob"},
		{"GET", job + "/batch/x", "", "InvalidBatch"},
		{"GET", job + "/nope", "", "InvalidUrl"},
		{"GET", job + "/batch/" + batch + "/nope", "", "InvalidUrl"},
		{"GET", job + "/batch/" + batch + "/result/x", "", "InvalidUrl"},
		{"GET", "/nope", "", "InvalidUrl"},
	} {
		if status, out := o.async(c.method, c.path, c.body, "application/xml"); status < 400 || status > 405 || !strings.Contains(out, "<exceptionCode>"+c.code+"</exceptionCode>") {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, out)
		}
	}
	for version, code := range map[string]string{"30.0": "InvalidVersion", "21.0": "InvalidVersion", "99.0": "InvalidVersion", "x": "InvalidVersion", "31.0": "InvalidXML"} {
		status, out, _ := o.send(http.MethodPost, "/services/async/"+version+"/job", "", http.Header{"X-Sfdc-Session": {o.token}})
		if status != http.StatusBadRequest || !strings.Contains(out, code) {
			t.Errorf("%s: %d %s", version, status, out)
		}
	}
	status, out, _ := o.send(http.MethodGet, "/services/async/60.0"+job, "", http.Header{"X-Sfdc-Session": {"no"}})
	if status != http.StatusBadRequest || !strings.Contains(out, "<exceptionCode>InvalidSessionId</exceptionCode>") {
		t.Errorf("no session: %d %s", status, out)
	}
	if status, _, _ := o.send(http.MethodGet, "/services/async/60.0"+job, "", http.Header{"Authorization": {"Bearer " + o.token}}); status != http.StatusOK {
		t.Errorf("a session as in other APIs: %d", status)
	}
	many := "Name\n" + strings.Repeat("A\n", maxClassicRecords+1)
	if _, out := o.async(http.MethodPost, job+"/batch", many, "text/csv"); !strings.Contains(out, "more than 10000 records") {
		t.Errorf("%s", out)
	}
	if status, out := o.async(http.MethodPost, job+"/batch", strings.Repeat("x", maxClassicBatch+1), "text/csv"); status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", status, out)
	}
}

func FuzzJSONBatch(f *testing.F) {
	for _, seed := range []string{`[{"Name":"a","N":1.5,"B":true,"X":null}]`, `[{"Account":{"Ext__c":"p","attributes":{"type":"Account"}}}]`, `[{"a":[]}]`, `[null]`, `{}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		data, err := jsonBatch(body)
		if err != nil {
			return
		}
		c := newCSVReader(strings.NewReader(string(data)), ',')
		header, err := c.read()
		if err != nil {
			t.Fatalf("%q has no header: %v", data, err)
		}
		for {
			row, err := c.read()
			if err != nil {
				return
			}
			if len(row) != len(header) {
				t.Fatalf("%q has rows of %d and %d", data, len(header), len(row))
			}
		}
	})
}

func FuzzReferences(f *testing.F) {
	for _, seed := range []string{`{"a":"@{r.id}"}`, `"@{r.list[0].x} and @{r.id}"`, `["@{r[0]}","@{}","@{r.}"]`, `{"@{r.id}":1e400}`} {
		f.Add([]byte(seed))
	}
	r := references{version: 60, done: map[string]referenced{"r": {body: map[string]any{"id": `a"b`, "list": []any{map[string]any{"x": true}}}, row: true}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		out, err := r.body(body)
		if err == nil && strings.Contains(string(body), "@{") && !json.Valid(out) {
			t.Fatalf("%q becomes %q", body, out)
		}
		text, err := r.url(string(body))
		if err == nil && strings.Contains(text, "@{r.id}") {
			t.Fatalf("%q keeps a reference: %q", body, text)
		}
	})
}

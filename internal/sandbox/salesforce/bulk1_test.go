package salesforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// async sends a call to Bulk API 1.0, in JSON where the body is.
func (o *testOrg) async(method, path, body, kind string) (int, string) {
	o.t.Helper()
	status, out, _ := o.send(method, "/services/async/60.0/job"+path, body, http.Header{"X-Sfdc-Session": {o.token}, "Content-Type": {kind}})
	return status, out
}

const (
	kindXML  = "application/xml; charset=utf-8"
	kindCSV  = "text/csv"
	kindJSON = "application/json"
)

func element(body, name string) string {
	m := regexp.MustCompile("<" + name + ">([^<]*)<").FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return m[1]
}

// job1 makes a job of CSV and returns its id.
func (o *testOrg) job1(operation, more string) string {
	o.t.Helper()
	info := `<?xml version="1.0" encoding="UTF-8"?><jobInfo xmlns="` + ns1 + `"><operation>` + operation + `</operation><object>Account</object>` + more + `<contentType>CSV</contentType></jobInfo>`
	status, out := o.async(http.MethodPost, "", info, kindXML)
	if status != http.StatusCreated || element(out, "state") != "Open" || element(out, "apiVersion") != "60.0" {
		o.t.Fatalf("a job: %d %s", status, out)
	}
	return element(out, "id")
}

// batch1 adds a batch, waits until it is over, and returns its info and its result.
func (o *testOrg) batch1(job, data string) (info, result string) {
	o.t.Helper()
	status, out := o.async(http.MethodPost, "/"+job+"/batch", data, kindCSV)
	if status != http.StatusCreated {
		o.t.Fatalf("a batch: %d %s", status, out)
	}
	path := "/" + job + "/batch/" + element(out, "id")
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if _, info = o.async(http.MethodGet, path, "", kindXML); element(info, "state") == batchDone || element(info, "state") == batchFailed {
			_, result = o.async(http.MethodGet, path+"/result", "", kindXML)
			return info, result
		}
	}
	o.t.Fatalf("the batch is not over: %s", info)
	return "", ""
}

func TestBulk1Load(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.job1("insert", "<concurrencyMode>Serial</concurrencyMode>")
	info, got := o.batch1(id, "Name,NumberOfEmployees,Ext__c\nA,5,\"k,1\"\n,1,k2\nC,many,k3\n")
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) != 4 || lines[0] != `"Id","Success","Created","Error"` || !regexp.MustCompile(`^"001\w{15}","true","true",""$`).MatchString(lines[1]) ||
		!strings.HasPrefix(lines[2], `"","false","false","REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --`) || !strings.HasPrefix(lines[3], `"","false","false","`) {
		t.Errorf("results in the order of the records: %s", got)
	}
	if element(info, "numberRecordsProcessed") != "3" || element(info, "numberRecordsFailed") != "2" || element(info, "jobId") != id {
		t.Errorf("batch: %s", info)
	}
	if _, out := o.soql("SELECT Name, NumberOfEmployees, Ext__c FROM Account"); strip(t, out) != `{"totalSize":1,"done":true,"records":[{"Name":"A","NumberOfEmployees":5,"Ext__c":"k,1"}]}` {
		t.Errorf("records: %s", out)
	}
	if info, _ := o.batch1(id, "Name,Nope\nA,1\n"); element(info, "state") != batchFailed || element(info, "stateMessage") != "InvalidBatch : Field name not found : Nope" {
		t.Errorf("an unknown column: %s", info)
	}
	if _, out := o.async(http.MethodGet, "/"+id+"/batch", "", kindXML); strings.Count(out, "<batchInfo>") != 2 {
		t.Errorf("batches: %s", out)
	}
	closing := `<jobInfo xmlns="` + ns1 + `"><state>Closed</state></jobInfo>`
	if status, out := o.async(http.MethodPost, "/"+id, closing, kindXML); status != http.StatusOK || element(out, "state") != "Closed" ||
		element(out, "numberBatchesCompleted") != "1" || element(out, "numberBatchesFailed") != "1" || element(out, "numberRecordsFailed") != "2" {
		t.Errorf("closing: %d %s", status, out)
	}
	if status, out := o.async(http.MethodPost, "/"+id+"/batch", "Name\nB\n", kindCSV); status != http.StatusBadRequest || element(out, "exceptionCode") != "InvalidJobState" {
		t.Errorf("a batch of a closed job: %d %s", status, out)
	}
}

func TestBulk1Changes(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	one := o.create("Account", `{"Name":"One","Ext__c":"k1","Phone":"1"}`)
	if info, _ := o.batch1(o.job1("upsert", "<externalIdFieldName>Ext__c</externalIdFieldName>"), "Ext__c,Name,Phone\nk1,Uno,#N/A\nk2,Two,2\n"); element(info, "numberRecordsFailed") != "0" {
		t.Errorf("upsert: %s", info)
	}
	_, got := o.batch1(o.job1("update", ""), "Id,Name\n"+one+",Eins\n,None\n")
	if !strings.Contains(got, `"`+one+`","true","false",""`) || !strings.Contains(got, "MISSING_ARGUMENT") {
		t.Errorf("update: %s", got)
	}
	if _, out := o.soql("SELECT Name, Phone FROM Account ORDER BY Ext__c"); strip(t, out) != `{"totalSize":2,"done":true,"records":[{"Name":"Eins","Phone":null},{"Name":"Two","Phone":"2"}]}` {
		t.Errorf("records: %s", out)
	}
	o.batch1(o.job1("hardDelete", ""), "Id\n"+one+"\n")
	if _, out := o.api(http.MethodGet, "/queryAll?q=SELECT+Name+FROM+Account", ""); strip(t, out) != `{"totalSize":1,"done":true,"records":[{"Name":"Two"}]}` {
		t.Errorf("after a hard delete: %s", out)
	}
}

func TestBulk1Query(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedSmall})
	id := o.job1("query", "")
	info, got := o.batch1(id, "SELECT Id, Name, Owner.Name FROM Account ORDER BY Name")
	path := fmt.Sprintf("/%s/batch/%s/result/%s", id, element(info, "id"), element(got, "result"))
	if status, out := o.async(http.MethodGet, path, "", kindXML); status != http.StatusOK || strings.Count(out, "\n") != 201 || !strings.HasPrefix(out, `"Id","Name","Owner.Name"`+"\n"+`"001`) {
		t.Errorf("result: %d %.200s", status, out)
	}
	if info, _ := o.batch1(id, "SELECT COUNT(Id) FROM Account"); element(info, "state") != batchFailed || !strings.HasPrefix(element(info, "stateMessage"), "InvalidBatch : ") {
		t.Errorf("an aggregate: %s", info)
	}
}

func TestBulk1JSON(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	call := func(method, path, body string) map[string]any {
		_, out := o.async(method, path, body, kindJSON)
		var m map[string]any
		if err := json.Unmarshal([]byte(out), &m); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		return m
	}
	run := func(operation, data string) string {
		job := call(http.MethodPost, "", `{"operation":"`+operation+`","object":"contact","contentType":"JSON"}`)
		if job["object"] != "Contact" || job["apiVersion"] != 60.0 || job["numberBatchesTotal"] != 0.0 {
			t.Errorf("job: %v", job)
		}
		path := "/" + str(job["id"]) + "/batch"
		path += "/" + str(call(http.MethodPost, path, data)["id"])
		for end := time.Now().Add(10 * time.Second); call(http.MethodGet, path, "")["state"] != batchDone && time.Now().Before(end); {
		}
		_, out := o.async(http.MethodGet, path+"/result", "", kindJSON)
		if operation != "query" {
			return out
		}
		var list []string
		if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 1 {
			t.Fatalf("results: %s", out)
		}
		_, out = o.async(http.MethodGet, path+"/result/"+list[0], "", kindJSON)
		return out
	}
	got := run("insert", `[{"LastName":"A","attributes":{"type":"Contact"}},{"FirstName":"B"}]`)
	if !strings.Contains(got, `"success":true,"created":true,"errors":[]}`) || !strings.Contains(got, `"statusCode":"REQUIRED_FIELD_MISSING"`) {
		t.Errorf("insert: %s", got)
	}
	if got := run("query", "SELECT LastName, FirstName FROM Contact"); strip(t, got) != `[{"LastName":"A","FirstName":null}]` {
		t.Errorf("query: %s", got)
	}
	if got := run("query", "SELECT LastName FROM Contact WHERE LastName = 'none'"); got != "[]" {
		t.Errorf("empty query: %s", got)
	}
}

func TestBulk1Refusals(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	info := func(fields string) string { return `<jobInfo xmlns="` + ns1 + `">` + fields + `</jobInfo>` }
	const csv = "<contentType>CSV</contentType>"
	for _, tc := range []struct{ name, path, body, code string }{
		{"no object", "", info("<operation>insert</operation><object>None</object>" + csv), "InvalidJob"},
		{"no operation", "", info("<operation>merge</operation><object>Account</object>" + csv), "InvalidJob"},
		{"no external id", "", info("<operation>upsert</operation><object>Account</object>" + csv), "InvalidJob"},
		{"not an external id", "", info("<operation>upsert</operation><object>Account</object><externalIdFieldName>Phone</externalIdFieldName>" + csv), "InvalidJob"},
		{"XML batches", "", info("<operation>insert</operation><object>Account</object>"), "FeatureNotEnabled"},
		{"no XML", "", "nonsense", "InvalidJob"},
		{"unknown job", "/750000000000999AAA", info("<state>Closed</state>"), "InvalidJob"},
	} {
		if status, out := o.async(http.MethodPost, tc.path, tc.body, kindXML); status != http.StatusBadRequest || element(out, "exceptionCode") != tc.code {
			t.Errorf("%s: %d %s", tc.name, status, out)
		}
	}
	for path, code := range map[string]string{"/services/async/20.0/job": "InvalidVersion", "/services/async/60.0/job": "InvalidSessionId", "/services/async/60.0/x": "InvalidUrl"} {
		if status, out, _ := o.send(http.MethodPost, path, "", http.Header{"Content-Type": {kindXML}}); status != http.StatusBadRequest || element(out, "exceptionCode") != code {
			t.Errorf("%s: %d %s", path, status, out)
		}
	}
}

func FuzzJobInfo1(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?><jobInfo xmlns="x"><operation>insert</operation></jobInfo>`), false)
	f.Add([]byte(`{"operation":"insert","n":1}`), true)
	f.Add([]byte("<jobInfo><a><b/></a>"), false)
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		in, err := readInfo1(body, isJSON)
		if (in == nil) == (err == nil) {
			t.Errorf("%v with %v", in, err)
		}
	})
}

package salesforce

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBulkRows holds what the guide says of the values of a record.
func TestBulkRows(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	boss := o.create("Contact", `{"LastName":"Boss","Email":"buyer@customers.example"}`)
	data := "LastName,ReportsTo.Email,Owner.Email,Birthdate,DoNotCall,MailingCity,Description\r\n" +
		"\"Line\r\nbreak, and \"\"quotes\"\"\",BUYER@customers.example,aadmin@sandbox.example,1940-06-07Z,yes,Porto,\r\n" +
		"Nobody,none@customers.example,,,,,\r\n" +
		"Long,,,,,," + strings.Repeat("x", maxCSVField+1) + "\r\n" +
		"Date,,,1940-13-07,,,\r\n" +
		"Owner,,nobody@sandbox.example,,,,\r\n"
	j := o.load(`{"object":"Contact","operation":"insert","lineEnding":"CRLF"}`, data)
	if j.State != "JobComplete" || j.Processed != 5 || j.Failed != 4 {
		t.Fatalf("%+v", j)
	}
	_, out := o.soql("SELECT LastName, ReportsToId, Owner.Name, Birthdate, DoNotCall FROM Contact WHERE MailingCity = 'Porto'")
	want := `{"totalSize":1,"done":true,"records":[{"LastName":"Line\r\nbreak, and \"quotes\"","ReportsToId":"` + boss +
		`","Owner":{"Name":"Ada Admin"},"Birthdate":"1940-06-07","DoNotCall":true}]}`
	if diff := cmp.Diff(want, strip(t, out)); diff != "" {
		t.Error(diff)
	}
	failed := o.csv("/jobs/ingest/" + j.ID + "/failedResults/")
	for i, code := range []string{"INVALID_FIELD:Foreign key external ID: none@customers.example not found for field Email in entity Contact:ReportsToId --", "STRING_TOO_LONG", "JSON_PARSER_ERROR", "INVALID_FIELD"} {
		if i+1 >= len(failed) || !strings.HasPrefix(failed[i+1][1], code) {
			t.Errorf("failure %d is no %s: %.100q", i, code, failed[min(i+1, len(failed)-1)])
		}
	}
}

// TestBulkDelimiters loads and reads back with each separator.
func TestBulkDelimiters(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for _, name := range []string{"COMMA", "SEMICOLON", "TAB", "PIPE", "CARET", "BACKQUOTE"} {
		sep := string(rune(delimiter(name)))
		value := "a" + sep + "b \"" + name + "\""
		j := o.load(`{"object":"Account","operation":"upsert","externalIdFieldName":"Ext__c","columnDelimiter":"`+name+`"}`,
			"Name"+sep+"Ext__c\n\""+strings.ReplaceAll(value, `"`, `""`)+"\""+sep+name+"\n")
		if j.State != "JobComplete" || j.Failed != 0 {
			t.Errorf("%s: %+v", name, j)
		}
		q := o.job(http.MethodPost, "/jobs/query", `{"operation":"query","columnDelimiter":"`+name+`","lineEnding":"CRLF","query":"SELECT Name, Ext__c FROM Account WHERE Ext__c = '`+name+`'"}`)
		o.finished("query", q.ID)
		_, out := o.api(http.MethodGet, "/jobs/query/"+q.ID+"/results", "")
		if want := `"Name"` + sep + `"Ext__c"` + "\r\n\"" + strings.ReplaceAll(value, `"`, `""`) + `"` + sep + `"` + name + "\"\r\n"; out != want {
			t.Errorf("%s: %q instead of %q", name, out, want)
		}
	}
}

func (o *testOrg) jobList(path string) (ids []string, next string) {
	o.t.Helper()
	status, out := o.api(http.MethodGet, path, "")
	var list struct {
		Done    bool   `json:"done"`
		Next    string `json:"nextRecordsUrl"`
		Records []struct {
			ID   string `json:"id"`
			Type string `json:"jobType"`
		} `json:"records"`
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || status != http.StatusOK || list.Done != (list.Next == "") {
		o.t.Fatalf("%s: %d %s", path, status, out)
	}
	for _, r := range list.Records {
		ids = append(ids, r.ID+" "+r.Type)
	}
	return ids, list.Next
}

func TestBulkJobLists(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	ingest := o.load(`{"object":"Account","operation":"insert"}`, "Name\nA\n")
	query := o.job(http.MethodPost, "/jobs/query", `{"operation":"query","query":"SELECT Id FROM Account"}`)
	o.finished("query", query.ID)
	in, q := ingest.ID+" V2Ingest", query.ID+" V2Query"
	for path, want := range map[string][]string{
		"/jobs/ingest": {in}, "/jobs/query": {q}, "/jobs/query/": {q}, "/JOBS/Ingest": {in}, "/jobs/query?jobType=V2Ingest": {in}, "/jobs/query?jobType=Classic": nil,
		"/jobs/ingest?isPkChunkingEnabled=true": nil, "/jobs/ingest?isPkChunkingEnabled=false&concurrencyMode=Parallel": {in}, "/jobs/ingest?concurrencyMode=serial": nil,
	} {
		if got, _ := o.jobList(path); !cmp.Equal(want, got) {
			t.Errorf("%s: %q instead of %q", path, got, want)
		}
	}
	for _, path := range []string{"/jobs/ingest?jobType=V3", "/jobs/ingest?concurrencyMode=both", "/jobs/ingest?queryLocator=x"} {
		if status, out := o.api(http.MethodGet, path, ""); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, status, out)
		}
	}
	for i := range jobPage {
		j := &job{Ingest: true, Object: "Account", Operation: "insert", LineEnding: "LF", Delimiter: "COMMA", State: jobOpen, User: o.admin, Version: 60 + i%2}
		if err := o.bulk.add(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	first, next := o.jobList("/jobs/ingest?concurrencyMode=parallel")
	rest, end := o.jobList(strings.TrimPrefix(next, "/services/data/v60.0"))
	if len(first) != jobPage || len(rest) != 1 || end != "" || !strings.Contains(next, "concurrencyMode=parallel") {
		t.Errorf("%d and %d jobs, then %q and %q", len(first), len(rest), next, end)
	}
}

// TestBulkDeletesJobs holds which jobs can be deleted: all but those that are open or run.
func TestBulkDeletesJobs(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.bulk.places <- struct{}{} // nothing runs
	o.bulk.places <- struct{}{}
	j := o.job(http.MethodPost, "/jobs/ingest", `{"object":"Account","operation":"insert"}`)
	path := "/jobs/ingest/" + j.ID
	if status, out := o.api(http.MethodDelete, path, ""); status != http.StatusBadRequest || !strings.Contains(out, "the job is not terminated") {
		t.Errorf("an open one: %d %s", status, out)
	}
	o.api(http.MethodPut, path+"/batches", "Name\nA\n", "Content-Type", "text/csv")
	o.job(http.MethodPatch, path, `{"state":"UploadComplete"}`)
	if status, out := o.api(http.MethodDelete, path, ""); status != http.StatusNoContent {
		t.Errorf("one that waits: %d %s", status, out)
	}
	<-o.bulk.places
	<-o.bulk.places
	after := o.load(`{"object":"Account","operation":"insert"}`, "Name\nB\n")
	if _, out := o.soql("SELECT Name FROM Account"); !strings.Contains(out, `"totalSize":1,`) || after.Processed != 1 {
		t.Errorf("what was deleted ran: %s", out)
	}
	if ids, _ := o.jobList("/jobs/ingest"); len(ids) != 1 {
		t.Errorf("jobs left: %q", ids)
	}
}

// TestBulkAbort leaves what was not come to, and tells it.
func TestBulkAbort(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.bulk.places <- struct{}{}
	o.bulk.places <- struct{}{}
	j := o.job(http.MethodPost, "/jobs/ingest", `{"object":"Account","operation":"insert"}`)
	path := "/jobs/ingest/" + j.ID
	o.api(http.MethodPut, path+"/batches", "Name\n\"A,\nwith a break\"\nB\n", "Content-Type", "text/csv")
	o.job(http.MethodPatch, path, `{"state":"UploadComplete"}`)
	if j := o.job(http.MethodPatch, path, `{"id":"`+j.ID+`","state":"Aborted"}`); j.State != "Aborted" {
		t.Fatalf("%+v", j)
	}
	<-o.bulk.places
	<-o.bulk.places
	o.load(`{"object":"Account","operation":"insert"}`, "Name\nC\n")
	if rest := o.csv(path + "/unprocessedRecords"); !cmp.Equal(rest, [][]string{{"Name"}, {"A,\nwith a break"}, {"B"}}) {
		t.Errorf("unprocessed: %q", rest)
	}
	for _, part := range []string{"successfulResults", "failedresults"} {
		if rows := o.csv(path + "/" + part); len(rows) != 1 {
			t.Errorf("%s: %q", part, rows)
		}
	}
	q := o.job(http.MethodPost, "/jobs/query", `{"operation":"query","query":"SELECT Id FROM Account"}`)
	o.finished("query", q.ID)
	if status, out := o.api(http.MethodPatch, "/jobs/query/"+q.ID, `{"state":"Aborted"}`); status != http.StatusBadRequest || !strings.Contains(out, "already") {
		t.Errorf("aborting what is over: %d %s", status, out)
	}
}

// TestBulkTooLarge refuses what is past the platform's 150 MB of base64 and takes another try.
func TestBulkTooLarge(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	j := o.job(http.MethodPost, "/jobs/ingest", `{"object":"Account","operation":"insert"}`)
	line := "Name\n" + strings.Repeat(strings.Repeat("x", 1023)+"\n", maxUpload/1024+1)
	if status, out := o.api(http.MethodPut, "/jobs/ingest/"+j.ID+"/batches", line, "Content-Type", "text/csv"); status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", status, out)
	}
	if status, out := o.api(http.MethodPut, "/jobs/ingest/"+j.ID+"/batches", "Name\nA\n", "Content-Type", "text/csv"); status != http.StatusCreated {
		t.Errorf("another try: %d %s", status, out)
	}
}

// TestBulkResultPagesCoverTheResult reads all pages there are, side by side with the whole.
func TestBulkResultPagesCoverTheResult(t *testing.T) {
	t.Parallel()
	o := start(t, Options{})
	j := o.job(http.MethodPost, "/jobs/query", `{"operation":"query","query":"SELECT Id FROM Contact"}`)
	o.finished("query", j.ID)
	whole := o.csv("/jobs/query/" + j.ID + "/results")
	var parts [][]string
	for path := "/jobs/query/" + j.ID + "/resultPages?maxRecords=77"; path != ""; {
		_, out := o.api(http.MethodGet, path, "")
		var list struct {
			Pages []struct {
				URL string `json:"resultUrl"`
			} `json:"resultPages"`
			Next string `json:"nextRecordsUrl"`
			Done bool   `json:"done"`
		}
		if err := json.Unmarshal([]byte(out), &list); err != nil || list.Done != (list.Next == "") || len(list.Pages) > resultURLs {
			t.Fatalf("%v %s", err, out)
		}
		for _, p := range list.Pages {
			parts = append(parts, o.csv(strings.TrimPrefix(p.URL, "/services/data/v60.0"))[1:]...)
		}
		path = strings.TrimPrefix(list.Next, "/services/data/v60.0")
	}
	if diff := cmp.Diff(whole[1:], parts); diff != "" {
		t.Error(diff)
	}
	o.version = "v57.0"
	if status, _ := o.api(http.MethodGet, "/jobs/query/"+j.ID+"/resultPages", ""); status != http.StatusNotFound {
		t.Errorf("before 58.0: %d", status)
	}
}

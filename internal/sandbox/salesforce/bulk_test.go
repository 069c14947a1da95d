package salesforce

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bulkJob is a job as a client sees it.
type bulkJob struct {
	ID        string  `json:"id"`
	State     string  `json:"state"`
	Processed int     `json:"numberRecordsProcessed"`
	Failed    int     `json:"numberRecordsFailed"`
	Message   string  `json:"errorMessage"`
	Version   float64 `json:"apiVersion"`
}

func (o *testOrg) job(method, path, body string) bulkJob {
	o.t.Helper()
	status, out := o.api(method, path, body)
	var j bulkJob
	if err := json.Unmarshal([]byte(out), &j); err != nil || status != http.StatusOK {
		o.t.Fatalf("%s %s: %d %s", method, path, status, out)
	}
	return j
}

// finished waits for a job to be over.
func (o *testOrg) finished(kind, id string) bulkJob {
	o.t.Helper()
	for tick := time.NewTicker(2 * time.Millisecond); ; <-tick.C {
		if j := o.job(http.MethodGet, "/jobs/"+kind+"/"+id, ""); jobState(j.State).over() {
			tick.Stop()
			return j
		}
	}
}

// load runs an ingest and returns the job.
func (o *testOrg) load(create, data string) bulkJob {
	o.t.Helper()
	j := o.job(http.MethodPost, "/jobs/ingest", create)
	if status, out := o.api(http.MethodPut, "/jobs/ingest/"+j.ID+"/batches", data, "Content-Type", "text/csv"); status != http.StatusCreated {
		o.t.Fatalf("uploading: %d %s", status, out)
	}
	o.job(http.MethodPatch, "/jobs/ingest/"+j.ID, `{"state":"UploadComplete"}`)
	return o.finished("ingest", j.ID)
}

func (o *testOrg) csv(path string) [][]string {
	o.t.Helper()
	status, out := o.api(http.MethodGet, path, "")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || status != http.StatusOK {
		o.t.Fatalf("%s: %d %v %s", path, status, err, out)
	}
	return rows
}

func TestBulkInsert(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	parent := o.create("Account", `{"Name":"Parent","Ext__c":"p1"}`)
	data := "LastName,Phone,Account.Ext__c,DoNotCall,Description,Email\n" +
		"Silva,+1 415 555 0100,p1,true,\"two\nlines, \"\"quoted\"\"\",\n" +
		",x,,,,\n" +
		"Wrong,,nobody,,,\n" +
		"Mail,,,,,not-an-address\n" +
		"Short\n" +
		"Kept,,,#N/A,#N/A,\n"
	j := o.load(`{"object":"contact","operation":"insert","externalIdFieldName":""}`, data)
	if j.State != "JobComplete" || j.Processed != 6 || j.Failed != 4 || j.Version != 60 {
		t.Fatalf("job: %+v", j)
	}
	ok := o.csv("/jobs/ingest/" + j.ID + "/successfulResults")
	if len(ok) != 3 || ok[0][0] != "sf__Id" || ok[1][1] != "true" || ok[1][2] != "Silva" || ok[1][6] != "two\nlines, \"quoted\"" {
		t.Errorf("successes: %q", ok)
	}
	status, text := o.api(http.MethodGet, "/jobs/ingest/"+j.ID+"/FAILEDRESULTS", "")
	for _, want := range []string{"REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --", "INVALID_FIELD:Foreign key", "INVALID_EMAIL_ADDRESS", "INVALID_CSV"} {
		if status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("failures lack %s: %s", want, text)
		}
	}
	if rest := o.csv("/jobs/ingest/" + j.ID + "/unprocessedrecords"); len(rest) != 1 {
		t.Errorf("unprocessed: %q", rest)
	}
	_, body := o.soql("SELECT LastName, Name, AccountId, DoNotCall, Description FROM Contact ORDER BY LastName DESC")
	want := `{"totalSize":2,"done":true,"records":[{"LastName":"Silva","Name":"Silva","AccountId":"` + parent +
		`","DoNotCall":true,"Description":"two\nlines, \"quoted\""},{"LastName":"Kept","Name":"Kept","AccountId":null,"DoNotCall":false,"Description":null}]}`
	if diff := cmp.Diff(want, strip(t, body)); diff != "" {
		t.Error(diff)
	}
	if _, found := o.api(http.MethodGet, "/search?q=FIND+%7B4155550100%7D+IN+PHONE+FIELDS+RETURNING+Contact(Id)", ""); !strings.Contains(found, ok[1][0]) {
		t.Errorf("a loaded number is not found: %s", found)
	}
}

func TestBulkOtherOperations(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"One","Ext__c":"k1","Phone":"1"}`)
	gone := o.create("Account", `{"Name":"Two","Ext__c":"k2"}`)
	j := o.load(`{"object":"Account","operation":"update","columnDelimiter":"SEMICOLON","lineEnding":"CRLF"}`, "Id;Name;Phone\r\n"+id+";Changed;\r\n001000000000zzzAAA;None;\r\nx;y;\r\n")
	if j.Processed != 3 || j.Failed != 2 {
		t.Errorf("update: %+v", j)
	}
	j = o.load(`{"object":"Account","operation":"upsert","externalIdFieldName":"ext__c"}`, "Ext__c,Name\nk1,Again\nk3,Twice\n,Missing\nk4,Other\n")
	if j.Processed != 4 || j.Failed != 1 {
		t.Errorf("upsert: %+v", j)
	}
	if ok := o.csv("/jobs/ingest/" + j.ID + "/successfulResults"); len(ok) != 4 || ok[1][1] != "false" || ok[2][1] != "true" || ok[3][1] != "true" || ok[1][0] != id {
		t.Errorf("upsert: %q", ok)
	}
	_, body := o.soql("SELECT Name, Phone FROM Account WHERE Ext__c IN ('k1','k3') ORDER BY Name")
	if got := strip(t, body); !strings.Contains(got, `{"Name":"Again","Phone":"1"},{"Name":"Twice","Phone":null}`) {
		t.Errorf("after the upsert: %s", got)
	}
	o.load(`{"object":"Account","operation":"delete"}`, "Id\n"+id+"\n")
	o.load(`{"object":"Account","operation":"hardDelete"}`, "Id\n"+gone+"\n")
	if _, body := o.api(http.MethodGet, "/queryAll?q=SELECT+Id,IsDeleted+FROM+Account+WHERE+Ext__c+IN+('k1','k2')", ""); !strings.Contains(body, id) || strings.Contains(body, gone) {
		t.Errorf("after the deletes: %s", body)
	}
}

func TestBulkRefusals(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for body, code := range map[string]string{
		`{"object":"Nothing","operation":"insert"}`:                           "INVALIDENTITY",
		`{"object":"Account","operation":"sing"}`:                             "INVALIDJOB",
		`{"object":"Account","operation":"upsert"}`:                           "INVALIDJOB",
		`{"object":"Account","operation":"insert","columnDelimiter":"SPACE"}`: "INVALIDJOB",
		`{"object":"Account","operation":"insert","lineEnding":"CR"}`:         "INVALIDJOB",
		`[]`: "JSON_PARSER_ERROR",
	} {
		if status, out := o.api(http.MethodPost, "/jobs/ingest", body); status != http.StatusBadRequest || !strings.Contains(out, code) {
			t.Errorf("%s: %d %s", body, status, out)
		}
	}
	for q, code := range map[string]string{
		"SELECT COUNT() FROM Account": "API_ERROR", "SELECT Id FROM Account OFFSET 5": "API_ERROR", "SELECT Id, (SELECT Id FROM Contacts) FROM Account": "FEATURENOTENABLED",
		"SELECT Foo FROM Account": "INVALID_FIELD", "SELECT": "MALFORMED_QUERY",
	} {
		if status, out := o.api(http.MethodPost, "/jobs/query", fmt.Sprintf(`{"operation":"query","query":%q}`, q)); status != http.StatusBadRequest || !strings.Contains(out, code) {
			t.Errorf("%s: %d %s", q, status, out)
		}
	}
	for data, want := range map[string]string{
		"Name,Nope\na,b\n": "InvalidBatch : Field name not found : Nope", "Name\r\na\r\n": "LineEnding is invalid", "": "Unable to find any header row",
		"Name,NAME\na,b\n": "found twice", "Name\n\"open\n": "quote is not closed",
	} {
		if j := o.load(`{"object":"Account","operation":"insert"}`, data); j.State != "Failed" || !strings.Contains(j.Message, want) {
			t.Errorf("%q: %+v", data, j)
		}
	}
	open := o.job(http.MethodPost, "/jobs/ingest", `{"object":"Account","operation":"insert"}`)
	if status, _ := o.api(http.MethodGet, "/jobs/ingest/"+open.ID+"/successfulResults", ""); status != http.StatusBadRequest {
		t.Errorf("results of an open job: %d", status)
	}
	if status, _ := o.api(http.MethodDelete, "/jobs/ingest/"+open.ID, ""); status != http.StatusBadRequest {
		t.Errorf("deleting an open job: %d", status)
	}
	o.api(http.MethodPut, "/jobs/ingest/"+open.ID+"/batches", "Name\nA\nB\n")
	if j := o.job(http.MethodPatch, "/jobs/ingest/"+open.ID, `{"state":"Aborted"}`); j.State != "Aborted" {
		t.Errorf("aborting: %+v", j)
	}
	if rest := o.csv("/jobs/ingest/" + open.ID + "/unprocessedRecords"); len(rest) != 3 {
		t.Errorf("what an aborted job left: %q", rest)
	}
	if status, _ := o.api(http.MethodPatch, "/jobs/ingest/"+open.ID, `{"state":"UploadComplete"}`); status != http.StatusBadRequest {
		t.Errorf("closing an aborted job: %d", status)
	}
	if status, _ := o.api(http.MethodDelete, "/jobs/ingest/"+open.ID, ""); status != http.StatusNoContent {
		t.Errorf("deleting: %d", status)
	}
	if status, _ := o.api(http.MethodGet, "/jobs/ingest/"+open.ID, ""); status != http.StatusNotFound {
		t.Errorf("a deleted job: %d", status)
	}
	if status, out := o.api(http.MethodGet, "/jobs/ingest", ""); status != http.StatusOK || !strings.Contains(out, `"done":true`) {
		t.Errorf("list: %d %s", status, out)
	}
}

func TestBulkMultipart(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	var b bytes.Buffer
	mw := multipart.NewWriter(&b)
	for _, p := range [][3]string{{"job", "application/json", `{"object":"Account","operation":"insert"}`}, {"content", "text/csv", "Name\nA\n"}} {
		w, err := mw.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + p[0] + `"; filename="f"`}, "Content-Type": {p[1]}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, p[2]); err != nil {
			t.Fatal(err)
		}
	}
	_ = mw.Close()
	status, out := o.api(http.MethodPost, "/jobs/ingest", b.String(), "Content-Type", mw.FormDataContentType())
	var j bulkJob
	if err := json.Unmarshal([]byte(out), &j); err != nil || status != http.StatusOK || j.State != "UploadComplete" {
		t.Fatalf("%d %s", status, out)
	}
	if j = o.finished("ingest", j.ID); j.Processed != 1 || j.Failed != 0 {
		t.Errorf("%+v", j)
	}
}

func TestBulkQuery(t *testing.T) {
	t.Parallel()
	o := start(t, Options{})
	j := o.job(http.MethodPost, "/jobs/query", `{"operation":"query","query":"SELECT Id, Name, Account.Name, DoNotCall, CreatedDate FROM Contact ORDER BY Id"}`)
	if j = o.finished("query", j.ID); j.State != "JobComplete" || j.Processed != seedContacts {
		t.Fatalf("%+v", j)
	}
	path := "/jobs/query/" + j.ID + "/results"
	all := o.csv(path)
	if len(all) != seedContacts+1 || strings.Join(all[0], ",") != "Id,Name,Account.Name,DoNotCall,CreatedDate" || all[1][4] != "2025-01-06T09:00:00.000Z" || all[1][3] != "false" {
		t.Fatalf("%d records: %q", len(all), all[:2])
	}
	var pages [][]string
	for locator := ""; locator != "null"; {
		status, out, header := o.send(http.MethodGet, "/services/data/v60.0"+path+"?maxRecords=300&locator="+locator, "", http.Header{"Authorization": {"Bearer " + o.token}})
		rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil || status != http.StatusOK || header.Get("Sforce-NumberOfRecords") != fmt.Sprint(len(rows)-1) {
			t.Fatalf("%d %v %v", status, err, header)
		}
		pages = append(pages, rows[1:]...)
		locator = header.Get("Sforce-Locator")
	}
	if diff := cmp.Diff(all[1:], pages); diff != "" {
		t.Error(diff)
	}
	status, out := o.api(http.MethodGet, "/jobs/query/"+j.ID+"/resultPages?maxRecords=100", "")
	var list struct {
		Pages []struct {
			URL string `json:"resultUrl"`
		} `json:"resultPages"`
		Next string `json:"nextRecordsUrl"`
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || status != http.StatusOK || len(list.Pages) != 5 || list.Next == "" {
		t.Errorf("pages: %d %s", status, out)
	}
	if rows := o.csv(strings.TrimPrefix(list.Pages[4].URL, "/services/data/v60.0")); len(rows) != 101 || rows[1][0] != all[401][0] {
		t.Errorf("the fifth page: %q", rows[:2])
	}
	h := http.Header{"Authorization": {"Bearer " + o.token}}
	if status, _, _ := o.send(http.MethodGet, "/services/data/v61.0"+path, "", h); status != http.StatusConflict {
		t.Errorf("another version: %d", status)
	}
	if status, out := o.api(http.MethodGet, path+"?locator=xyz", ""); status != http.StatusBadRequest {
		t.Errorf("a wrong locator: %d %s", status, out)
	}
	empty := o.job(http.MethodPost, "/jobs/query", `{"operation":"queryAll","columnDelimiter":"PIPE","query":"SELECT Id FROM Task"}`)
	o.finished("query", empty.ID)
	if _, out := o.api(http.MethodGet, "/jobs/query/"+empty.ID+"/results", ""); out != "\"Id\"\n" {
		t.Errorf("an empty result: %q", out)
	}
	if status, _ := o.api(http.MethodDelete, "/jobs/query/"+empty.ID, ""); status != http.StatusNoContent {
		t.Errorf("deleting: %d", status)
	}
}

func TestBulkGoesOnAfterRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := New(Options{Seed: SeedNone, Dir: dir, Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	j := &job{Ingest: true, Object: "Account", Operation: "insert", LineEnding: "LF", Delimiter: "COMMA", State: jobOpen, User: first.admin, Version: 60}
	if err := first.bulk.add(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if err := first.upload(t.Context(), j, strings.NewReader("Name\nA\nB\n"), jobUploaded); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	o := start(t, Options{Dir: dir})
	if got := o.finished("ingest", j.ID); got.State != "JobComplete" || got.Processed != 2 {
		t.Errorf("%+v", got)
	}
}

func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"a,b\n1,2\n", "\"a\"\"b\",\"c\nd\"\r\ne,f", "\"open", "\"x\"y,z\n", ",,\n\n,", "\xef\xbb\xbfa\n"} {
		f.Add([]byte(seed), byte(','))
	}
	f.Fuzz(func(t *testing.T, data []byte, comma byte) {
		if delimiterName(comma) == "" {
			return
		}
		c := newCSVReader(bytes.NewReader(data), comma)
		var again []byte
		var rows [][]string
		for {
			rec, err := c.read()
			if _, bad := errors.AsType[*rowError](err); bad {
				continue
			}
			if err != nil {
				break
			}
			rows = append(rows, rec)
			again = appendCSV(again, rec, comma, "\n")
		}
		if c.offset > int64(len(data)) {
			t.Fatalf("%d bytes read of %d", c.offset, len(data))
		}
		d := newCSVReader(bytes.NewReader(again), comma)
		for i, want := range rows {
			got, err := d.read()
			if err != nil || !cmp.Equal(want, got) {
				t.Fatalf("record %d of %q comes back as %q, %v", i, again, got, err)
			}
		}
	})
}

func delimiterName(comma byte) string {
	for _, name := range []string{"COMMA", "SEMICOLON", "TAB", "PIPE", "CARET", "BACKQUOTE"} {
		if delimiter(name) == comma {
			return name
		}
	}
	return ""
}

func BenchmarkBulkIngest(b *testing.B) {
	o := start(b, Options{Seed: SeedNone})
	var data strings.Builder
	const n = 20_000
	for b.Loop() {
		data.Reset()
		data.WriteString("LastName,FirstName,Email,Title,Department,MailingCity,MailingCountry,LeadSource\n")
		for i := range n {
			fmt.Fprintf(&data, "Last%d,First%d,c%d@x.example,Buyer,Sales,Paris,France,Web\n", i, i, i)
		}
		if j := o.load(`{"object":"Contact","operation":"insert"}`, data.String()); j.Processed != n || j.Failed != 0 {
			b.Fatalf("%+v", j)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkBulkQuery(b *testing.B) {
	o := start(b, Options{Seed: SeedNone})
	var data strings.Builder
	data.WriteString("LastName,FirstName,Email,Title,Department,MailingCity,MailingCountry,LeadSource\n")
	const n = 100_000
	for i := range n {
		fmt.Fprintf(&data, "Last%d,First%d,c%d@x.example,Buyer,Sales,Paris,France,Web\n", i, i, i)
	}
	o.load(`{"object":"Contact","operation":"insert"}`, data.String())
	for b.Loop() {
		j := o.job(http.MethodPost, "/jobs/query", `{"operation":"query","query":"SELECT Id, Name, FirstName, Email, Title, Department, MailingCity, CreatedDate FROM Contact"}`)
		o.finished("query", j.ID)
		if status, out := o.api(http.MethodGet, "/jobs/query/"+j.ID+"/results?maxRecords=1000000", ""); status != http.StatusOK || len(out) < n*50 {
			b.Fatal(status, len(out))
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

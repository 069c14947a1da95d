package salesforce

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hold keeps all jobs from running until release is called.
func (o *testOrg) hold() (release func()) {
	for range jobWorkers {
		o.bulk.places <- struct{}{}
	}
	return func() {
		for range jobWorkers {
			<-o.bulk.places
		}
	}
}

// inState makes an ingest job that is in a state.
func (o *testOrg) inState(state jobState) string {
	o.t.Helper()
	j := o.job(http.MethodPost, "/jobs/ingest", `{"object":"Account","operation":"insert"}`)
	path := "/jobs/ingest/" + j.ID
	switch state {
	case jobOpen:
		return path
	case jobAborted:
		o.job(http.MethodPatch, path, `{"state":"Aborted"}`)
		return path
	case jobComplete:
		o.api(http.MethodPut, path+"/batches", "Name\nA\n", "Content-Type", "text/csv")
	case jobFailed:
		o.api(http.MethodPut, path+"/batches", "Nope\nA\n", "Content-Type", "text/csv")
	default:
		o.api(http.MethodPut, path+"/batches", "Name\nA\n", "Content-Type", "text/csv")
		release := o.hold()
		o.t.Cleanup(release)
		o.job(http.MethodPatch, path, `{"state":"UploadComplete"}`)
		if state == jobInProgress {
			o.bulk.mu.Lock()
			o.bulk.jobs[j.ID].State = jobInProgress
			o.bulk.mu.Unlock()
		}
		return path
	}
	o.job(http.MethodPatch, path, `{"state":"UploadComplete"}`)
	if got := o.finished("ingest", j.ID); got.State != string(state) {
		o.t.Fatalf("%+v is not %s", got, state)
	}
	return path
}

// TestBulkTransitions holds what may be done to a job in each state.
func TestBulkTransitions(t *testing.T) {
	t.Parallel()
	const notTerminated = "Error encountered when deleting the job because the job is not terminated"
	for _, c := range []struct {
		state               jobState
		end, abort, remove  string // the refusal, empty: it is done
		upload, readResults bool
	}{
		{jobOpen, "", "", notTerminated, true, false},
		{jobUploaded, "Closing already Closed Job not allowed", "", "", false, false},
		{jobInProgress, "Closing already Closed Job not allowed", "", notTerminated, false, false},
		{jobComplete, "Closing already Completed Job not allowed", "Aborting already Completed Job not allowed", "", false, true},
		{jobFailed, "Closing already Failed Job not allowed", "Aborting already Failed Job not allowed", "", false, true},
		{jobAborted, "Closing already Aborted Job not allowed", "Aborting already Aborted Job not allowed", "", false, true},
	} {
		t.Run(string(c.state), func(t *testing.T) {
			t.Parallel()
			o := start(t, Options{Seed: SeedNone})
			path := o.inState(c.state)
			for part := range map[string]bool{"successfulResults": true, "failedResults": true, "unprocessedrecords": true} {
				if status, out := o.api(http.MethodGet, path+"/"+part, ""); (status == http.StatusOK) != c.readResults || !c.readResults && !strings.Contains(out, "INVALIDJOBSTATE") {
					t.Errorf("%s: %d %s", part, status, out)
				}
			}
			if status, out := o.api(http.MethodPut, path+"/batches", "Name\nA\n"); (status == http.StatusCreated) != c.upload || !c.upload && !strings.Contains(out, "INVALIDJOBSTATE") {
				t.Errorf("upload: %d %s", status, out)
			}
			for _, state := range []string{"Open", "InProgress", "JobComplete", "Failed", "Closed", ""} {
				if status, out := o.api(http.MethodPatch, path, `{"state":"`+state+`"}`); status != http.StatusBadRequest {
					t.Errorf("state %s: %d %s", state, status, out)
				}
			}
			refused := func(what, method, body, want string, done int) {
				t.Helper()
				status, out := o.api(method, path, body)
				if want == "" && status != done || want != "" && (status != http.StatusBadRequest || !strings.Contains(out, want)) {
					t.Errorf("%s: %d %s", what, status, out)
				}
			}
			if c.end != "" { // else it would not be in the state any more
				refused("end", http.MethodPatch, `{"state":"UploadComplete"}`, c.end, 200)
			}
			if c.remove != "" {
				refused("delete", http.MethodDelete, "", c.remove, 204)
			}
			refused("abort", http.MethodPatch, `{"state":"Aborted"}`, c.abort, 200)
			refused("delete", http.MethodDelete, "", "", 204)
			if status, out := o.api(http.MethodGet, path, ""); status != http.StatusNotFound || out != `[{"message":"The requested resource does not exist","errorCode":"NOT_FOUND"}]` {
				t.Errorf("after it was deleted: %d %s", status, out)
			}
		})
	}
}

// TestBulkTwoUploads cannot be closed, as it cannot be told which was meant.
func TestBulkTwoUploads(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	path := o.inState(jobOpen)
	for range 2 {
		if status, out := o.api(http.MethodPut, path+"/batches/", "Name\nA\n", "Content-Type", "text/csv"); status != http.StatusCreated || out != "" {
			t.Errorf("%d %s", status, out)
		}
	}
	status, out := o.api(http.MethodPatch, path, `{"state":"UploadComplete"}`)
	//nolint:misspell // the platform's
	want := `[{"message":"Found multipe contents for job: <` + path[len("/jobs/ingest/"):][:15] + `>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job and make sure you only do 'PUT' once on a given Job.","errorCode":"INVALIDJOB"}]`
	if status != http.StatusBadRequest || out != want {
		t.Errorf("%d %s", status, out)
	}
	o.job(http.MethodPatch, path, `{"state":"Aborted"}`)
	if rest := o.csv(path + "/unprocessedrecords"); !cmp.Equal(rest, [][]string{{"Name"}, {"A"}}) {
		t.Errorf("%q", rest)
	}
}

// TestBulkEmptyUploads holds jobs with no data, no header and no records.
func TestBulkEmptyUploads(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	noHeader := "InvalidBatch : Unable to find any header row"
	path := o.inState(jobOpen)
	o.job(http.MethodPatch, path, `{"state":"UploadComplete"}`)
	if j := o.finished("ingest", path[len("/jobs/ingest/"):]); j.State != "Failed" || j.Message != noHeader {
		t.Errorf("no upload: %+v", j)
	}
	for data, state := range map[string]string{"": "Failed", "\n\n": "Failed", "\ufeff": "Failed", "Name\n": "JobComplete", "Name": "JobComplete"} {
		j := o.load(`{"object":"Account","operation":"insert"}`, data)
		if j.State != state || j.Processed != 0 || state == "Failed" && j.Message != noHeader {
			t.Errorf("%q: %+v", data, j)
		}
		if rows := o.csv("/jobs/ingest/" + j.ID + "/successfulResults"); len(rows) != 1 {
			t.Errorf("%q: %q", data, rows)
		}
	}
}

// TestBulkUploadBreaksOff leaves nothing that could be taken for the whole, and takes another try.
func TestBulkUploadBreaksOff(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	path := o.inState(jobOpen)
	j := o.bulk.find(path[len("/jobs/ingest/"):], true)
	if err := o.upload(t.Context(), j, io.MultiReader(strings.NewReader("Name\nA\n"), &brokenReader{}), jobOpen); err == nil {
		t.Error("an upload that breaks off is taken")
	}
	left, err := os.ReadDir(o.bulk.dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	o.api(http.MethodPut, path+"/batches", "Name\nA\nB\n", "Content-Type", "text/csv")
	o.job(http.MethodPatch, path, `{"state":"UploadComplete"}`)
	if got := o.finished("ingest", path[len("/jobs/ingest/"):]); got.Processed != 2 || got.Failed != 0 {
		t.Errorf("%+v", got)
	}
}

type brokenReader struct{}

func (*brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// multipartJob is a job and its data in one request.
func multipartJob(t *testing.T, parts ...[3]string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	mw := multipart.NewWriter(&b)
	for _, p := range parts {
		w, err := mw.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + p[0] + `"`}, "Content-Type": {p[1]}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, p[2]); err != nil {
			t.Fatal(err)
		}
	}
	if err := mw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), mw.FormDataContentType()
}

// TestBulkMultipartForm holds what a request must have that brings the data along.
func TestBulkMultipartForm(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	job, content := [3]string{"job", "application/json", `{"object":"Account","operation":"insert"}`}, [3]string{"content", "text/csv", "Name\nA\n"}
	for name, c := range map[string]struct {
		parts  [][3]string
		status int
	}{
		"both": {[][3]string{job, content}, 200}, "the other way round": {[][3]string{content, job}, 200}, "no data": {[][3]string{job}, 400}, "no job": {[][3]string{content}, 400},
		"a wrong job": {[][3]string{{"job", "application/json", `{"object":"Nope","operation":"insert"}`}, content}, 400},
		"too long":    {[][3]string{job, {"content", "text/csv", "Name\n" + strings.Repeat("x", 100_000)}}, 400}, "no records": {[][3]string{job, {"content", "text/csv", ""}}, 200},
	} {
		body, contentType := multipartJob(t, c.parts...)
		status, out := o.api(http.MethodPost, "/jobs/ingest/", body, "Content-Type", contentType)
		if status != c.status || status == http.StatusOK && decode[bulkJob](t, out).State != "UploadComplete" {
			t.Errorf("%s: %d %s", name, status, out)
		}
	}
	if status, out := o.api(http.MethodPost, "/jobs/ingest", "x", "Content-Type", "multipart/form-data; boundary=b"); status != http.StatusBadRequest || !strings.Contains(out, "INVALIDJOB") {
		t.Errorf("no form: %d %s", status, out)
	}
	if ids, _ := o.jobList("/jobs/ingest"); len(ids) != 3 {
		t.Errorf("what was refused left jobs: %q", ids)
	}
}

// TestBulkJobInfo holds the fields of each answer.
func TestBulkJobInfo(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.version = "v66.0"
	_, out := o.api(http.MethodPost, "/jobs/ingest", `{"object":"account","operation":"upsert","externalIdFieldName":"ext__c","contentType":"CSV","lineEnding":"CRLF","columnDelimiter":"TAB"}`)
	id := decode[bulkJob](t, out).ID
	common := `"apiVersion":66.0,"columnDelimiter":"TAB","concurrencyMode":"Parallel","contentType":"CSV",`
	tail := `"createdById":"` + o.admin + `","createdDate":"2026-11-18T15:30:00.000+0000","externalIdFieldName":"Ext__c","id":"` + id + `",`
	url := `"contentUrl":"services/data/v66.0/jobs/ingest/` + id + `/batches",`
	want := `{` + common + url + tail + `"lineEnding":"CRLF","object":"Account","operation":"upsert","state":"Open","systemModstamp":"2026-11-18T15:30:00.000+0000"}`
	if out != want {
		t.Errorf("made: %s", cmp.Diff(want, out))
	}
	progress := func(state string, processed, failed int, more string) string {
		return fmt.Sprintf(`{"apexProcessingTime":0,"apiActiveProcessingTime":0,%s%s%s"isPkChunkingSupported":false,"jobType":"V2Ingest","lineEnding":"CRLF","numberRecordsFailed":%d,"numberRecordsProcessed":%d,"object":"Account","operation":"upsert","retries":0,"state":%q,"systemModstamp":"2026-11-18T15:30:00.000+0000","totalProcessingTime":0}`,
			common, more, tail, failed, processed, state)
	}
	if _, out := o.api(http.MethodGet, "/jobs/ingest/"+id[:15], ""); out != progress("Open", 0, 0, url) {
		t.Errorf("open: %s", cmp.Diff(progress("Open", 0, 0, url), out))
	}
	_, out = o.api(http.MethodGet, "/jobs/ingest", "")
	want = `{"done":true,"nextRecordsUrl":null,"records":[{` + common + url + tail + `"jobType":"V2Ingest","lineEnding":"CRLF","object":"Account","operation":"upsert","state":"Open","systemModstamp":"2026-11-18T15:30:00.000+0000"}]}`
	if out != want {
		t.Errorf("listed: %s", cmp.Diff(want, out))
	}
	o.api(http.MethodPut, "/jobs/ingest/"+id+"/batches", "Ext__c\tName\r\nk\tA\r\n\tB\r\n")
	release := o.hold()
	_, out = o.api(http.MethodPatch, "/jobs/ingest/"+id, `{"state":"UploadComplete"}`)
	want = `{"apiVersion":66.0,"concurrencyMode":"Parallel","contentType":"CSV",` + tail + `"object":"Account","operation":"upsert","state":"UploadComplete","systemModstamp":"2026-11-18T15:30:00.000+0000"}`
	if out != want {
		t.Errorf("closed: %s", cmp.Diff(want, out))
	}
	release()
	o.finished("ingest", id)
	done := o.bulk.find(id, true)
	o.bulk.mu.Lock()
	done.Millis = 0
	o.bulk.mu.Unlock()
	if _, out := o.api(http.MethodGet, "/jobs/ingest/"+id, ""); out != progress("JobComplete", 2, 1, "") {
		t.Errorf("complete: %s", cmp.Diff(progress("JobComplete", 2, 1, ""), out))
	}
	rule := "01Q000000000001EAA"
	for body, want := range map[string]string{
		`{"object":"Case","operation":"insert","assignmentRuleId":"` + rule[:15] + `"}`: `"assignmentRuleId":"` + rule + `"`, `{"object":"Account","operation":"insert","assignmentRuleId":"` + rule + `"}`: "INVALIDJOB",
		`{"object":"Case","operation":"insert","assignmentRuleId":"x"}`: "INVALIDJOB", `{"object":"Case","operation":"insert","assignmentRuleId":null}`: `"state":"Open"`,
	} {
		if _, out := o.api(http.MethodPost, "/jobs/ingest", body); !strings.Contains(out, want) {
			t.Errorf("%s: %s", body, out)
		}
	}
	for version, want := range map[string]int{"v40.0": 404, "v41.0": 200} {
		o.version = version
		if status, _ := o.api(http.MethodGet, "/jobs/ingest", ""); status != want {
			t.Errorf("ingest in %s: %d", version, status)
		}
	}
	for version, want := range map[string]int{"v46.0": 404, "v47.0": 200} {
		o.version = version
		if status, _ := o.api(http.MethodGet, "/jobs/query", ""); status != want {
			t.Errorf("query in %s: %d", version, status)
		}
	}
}

// TestBulkJobsOfOthers can be seen, but neither changed nor read without Manage Data Integrations.
func TestBulkJobsOfOthers(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	u := asIntegration(t, o)
	grants := Permissions{Objects: map[string]Access{"Account": {Read: true}}}
	if err := o.RestrictProfile(t.Context(), "Standard User", &grants); err != nil {
		t.Fatal(err)
	}
	ingest := o.load(`{"object":"Account","operation":"insert"}`, "Name\nA\n")
	query := o.job(http.MethodPost, "/jobs/query", `{"operation":"query","query":"SELECT Id FROM Account"}`)
	o.finished("query", query.ID)
	calls := [][3]string{
		{"GET", "/jobs/ingest/" + ingest.ID + "/successfulResults", ""},
		{"GET", "/jobs/query/" + query.ID + "/results", ""},
		{"GET", "/jobs/query/" + query.ID + "/resultPages", ""},
		{"PATCH", "/jobs/ingest/" + ingest.ID, `{"state":"Aborted"}`},
		{"PUT", "/jobs/ingest/" + ingest.ID + "/batches", "x"},
		{"DELETE", "/jobs/query/" + query.ID, ""},
	}
	for _, c := range calls {
		if status, out := u.api(c[0], c[1], c[2]); status != http.StatusBadRequest || !strings.Contains(out, "INVALIDUSER") {
			t.Errorf("%v: %d %s", c, status, out)
		}
	}
	if j := u.job(http.MethodGet, "/jobs/ingest/"+ingest.ID, ""); j.Processed != 1 {
		t.Errorf("%+v", j)
	}
	if ids, _ := u.jobList("/jobs/ingest"); len(ids) != 1 {
		t.Errorf("%q", ids)
	}
	grants.System = []string{manageDataIntegrations}
	if err := o.RestrictProfile(t.Context(), "Standard User", &grants); err != nil {
		t.Fatal(err)
	}
	for _, c := range calls {
		if _, out := u.api(c[0], c[1], c[2]); strings.Contains(out, "INVALIDUSER") {
			t.Errorf("%v: %s", c, out)
		}
	}
}

// TestBulkJobsAreKeptSevenDays forgets jobs and their files after that, but none that is to run.
func TestBulkJobsAreKeptSevenDays(t *testing.T) {
	t.Parallel()
	var days time.Duration
	o := start(t, Options{Seed: SeedNone, SessionTTL: 30 * 24 * time.Hour, Now: func() time.Time { return fixedNow().Add(days) }})
	j := o.load(`{"object":"Account","operation":"insert"}`, "Name\nA\n")
	open := o.inState(jobOpen)
	waits := o.inState(jobUploaded)
	files := func() (n int) {
		list, err := filepath.Glob(filepath.Join(o.bulk.dir, j.ID+".*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	for _, c := range []struct {
		at     time.Duration
		status int
	}{{7 * 24 * time.Hour, 200}, {7*24*time.Hour + time.Second, 404}} {
		days = c.at
		for path, want := range map[string]int{"/jobs/ingest/" + j.ID: c.status, "/jobs/ingest/" + j.ID + "/successfulResults": c.status, open: c.status, waits: 200} {
			if status, _ := o.api(http.MethodGet, path, ""); status != want {
				t.Errorf("%s after %s: %d", path, c.at, status)
			}
		}
	}
	if ids, _ := o.jobList("/jobs/ingest"); len(ids) != 1 || files() == 0 {
		t.Errorf("%q, %d files", ids, files())
	}
	o.job(http.MethodPost, "/jobs/ingest", `{"object":"Account","operation":"insert"}`)
	if files() != 0 {
		t.Errorf("%d files are left", files())
	}
}

func zip(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestBulkCompression takes and gives gzip where the headers say so.
func TestBulkCompression(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	path := o.inState(jobOpen)
	for _, c := range []struct {
		body, encoding, contentType string
		status                      int
	}{
		{"Name\nA\n", "br", "text/csv", 415},
		{"Name\nA\n", "gzip", "text/csv", 400},
		{zip(t, "Name\nA\n")[:20], "gzip", "text/csv", 400},
		{zip(t, strings.Repeat("Name\n", maxUpload/5+1)), "gzip", "text/csv", 413},
		{"Name\nA\n", "", "text/csv; charset=ISO-8859-1", 415},
		{zip(t, "Name\nA\nB\n"), "gzip", "text/csv; charset=UTF-8", 201},
	} {
		if status, out := o.api(http.MethodPut, path+"/batches", c.body, "Content-Encoding", c.encoding, "Content-Type", c.contentType); status != c.status {
			t.Errorf("%s %s: %d %s", c.encoding, c.contentType, status, out)
		}
	}
	if status, out := o.api(http.MethodPatch, path, zip(t, `{"state":"UploadComplete"}`), "Content-Encoding", "gzip"); status != http.StatusOK {
		t.Fatalf("a body in JSON: %d %s", status, out)
	}
	o.finished("ingest", path[len("/jobs/ingest/"):])
	q := o.job(http.MethodPost, "/jobs/query", `{"operation":"query","query":"SELECT Name FROM Account ORDER BY Name"}`)
	o.finished("query", q.ID)
	for part, want := range map[string]string{path + "/successfulResults": "", "/jobs/query/" + q.ID + "/results": "\"Name\"\n\"A\"\n\"B\"\n"} {
		for accept, zipped := range map[string]bool{"gzip": true, "deflate, gzip;q=0.5": true, "identity": false, "gzip;q=0": false, "deflate": false} {
			status, out, header := o.send(http.MethodGet, "/services/data/v60.0"+part, "", http.Header{"Authorization": {"Bearer " + o.token}, "Accept-Encoding": {accept}})
			if status != http.StatusOK || (header.Get("Content-Encoding") == "gzip") != zipped {
				t.Errorf("%s: %d %v", accept, status, header)
			}
			if zipped {
				z, err := gzip.NewReader(strings.NewReader(out))
				if err != nil {
					t.Fatal(err)
				}
				raw, err := io.ReadAll(z)
				if err != nil {
					t.Fatal(err)
				}
				out = string(raw)
			}
			if want != "" && out != want || !strings.Contains(out, "\"B\"\n") {
				t.Errorf("%s, %s: %q", part, accept, out)
			}
		}
	}
}

// TestBulkAbortWhileRunning leaves each row in one of the three files.
func TestBulkAbortWhileRunning(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	const n = 40_000
	var data strings.Builder
	data.WriteString("Name,Ext__c\n")
	for i := range n {
		fmt.Fprintf(&data, "A,k%d\n", i-i%7) // six of seven are taken for doubles
	}
	path := o.inState(jobOpen)
	o.api(http.MethodPut, path+"/batches", data.String(), "Content-Type", "text/csv")
	o.job(http.MethodPatch, path, `{"state":"UploadComplete"}`)
	for o.job(http.MethodGet, path, "").Processed == 0 {
		continue
	}
	o.job(http.MethodPatch, path, `{"state":"Aborted"}`)
	seen := map[string]int{}
	counts := map[string]int{}
	for part, column := range map[string]int{"successfulResults": 3, "failedResults": 3, "unprocessedrecords": 1} {
		rows := o.csv(path + "/" + part)[1:]
		counts[part] = len(rows)
		for _, row := range rows {
			seen[row[column]]++
		}
	}
	stored := decode[struct {
		Total int `json:"totalSize"`
	}](t, o.count("Account")).Total
	if total := counts["successfulResults"] + counts["failedResults"] + counts["unprocessedrecords"]; total != n || counts["unprocessedrecords"] == 0 || counts["successfulResults"] != stored {
		t.Errorf("%v of %d, %d stored", counts, n, stored)
	}
	for key, times := range seen {
		if times != 7 && key != fmt.Sprintf("k%d", n-n%7) {
			t.Fatalf("%s is %d times in the files", key, times)
		}
	}
	raw, err := json.Marshal(o.job(http.MethodGet, path, ""))
	if err != nil || !strings.Contains(string(raw), fmt.Sprintf(`"numberRecordsProcessed":%d`, n-counts["unprocessedrecords"])) {
		t.Errorf("%s", raw)
	}
}

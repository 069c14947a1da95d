package salesforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRecords(t *testing.T) {
	t.Parallel()
	o := sampleOrg(t)
	long := strings.Repeat("x", 256)
	acme := "/sobjects/Account/001000000000001AAA"
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/sobjects/Contact", `{"FirstName":"x"}`, 400, `[{"message":"Required fields are missing: [LastName]","errorCode":"REQUIRED_FIELD_MISSING","fields":["LastName"]}]`},
		{"POST", "/sobjects/Account", `{"Name":"x","Foo":1}`, 400, `"errorCode":"INVALID_FIELD"`},
		{"POST", "/sobjects/Account", `{"Name":"` + long + `"}`, 400, `"errorCode":"STRING_TOO_LONG","fields":["Name"]`},
		{"POST", "/sobjects/Account", `{"Name":`, 400, `"errorCode":"JSON_PARSER_ERROR"`},
		{"POST", "/sobjects/Account", ``, 400, `"errorCode":"JSON_PARSER_ERROR"`},
		{"POST", "/sobjects/Account", `[]`, 400, `"errorCode":"JSON_PARSER_ERROR"`},
		{"POST", "/sobjects/Account", `{"Name":"x","NumberOfEmployees":"many"}`, 400, `"errorCode":"JSON_PARSER_ERROR"`},
		{"POST", "/sobjects/Account", `{"Name":"x","ParentId":"y"}`, 400, `"errorCode":"MALFORMED_ID","fields":["ParentId"]`},
		{"POST", "/sobjects/Account", `{"Name":"x","ParentId":"001000000000099AAA"}`, 400, `"errorCode":"INVALID_CROSS_REFERENCE_KEY"`},
		{"POST", "/sobjects/Account", `{"Name":"x","ParentId":"003000000000001AAA"}`, 400, `"errorCode":"FIELD_INTEGRITY_EXCEPTION"`},
		{"POST", "/sobjects/Account", `{"Name":"x","CreatedDate":"2026-01-01T00:00:00Z"}`, 400, `"errorCode":"INVALID_FIELD_FOR_INSERT_UPDATE","fields":["CreatedDate"]`},
		{"POST", "/sobjects/Contact", `{"LastName":"x","Email":"nope"}`, 400, `"errorCode":"INVALID_EMAIL_ADDRESS"`},
		{"POST", "/sobjects/Task", `{"CallType":"Sideways"}`, 400, `"errorCode":"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"`},
		{"POST", "/sobjects/Profile", `{"Name":"x"}`, 400, `"errorCode":"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"`},
		{"POST", "/sobjects/Nope", `{}`, 404, `"errorCode":"NOT_FOUND"`},
		{"PUT", "/sobjects/Account", `{}`, 405, `"errorCode":"METHOD_NOT_ALLOWED"`},
		{"PATCH", acme, `{"name":"Acme 2","attributes":{"type":"Account"}}`, 204, ""},
		{"GET", acme + "?fields=Name,Owner.Alias", "", 200, `"Name":"Acme 2","Owner":{`},
		{"GET", acme, "", 200, `"SystemModstamp":"2026-11-18T15:30:00.000+0000"`},
		{"GET", "/sobjects/account/001000000000001/", "", 200, `"Name":"Acme 2"`},
		{"GET", "/sobjects/Account/xyz", "", 400, `"errorCode":"MALFORMED_ID"`},
		{"GET", "/sobjects/Account/001000000000099AAA", "", 404, `[{"message":"The requested resource does not exist","errorCode":"NOT_FOUND"}]`},
		{"GET", "/sobjects/Account/003000000000001AAA", "", 404, `"errorCode":"NOT_FOUND"`},
		{"PATCH", acme, `{"Name":null}`, 400, `"errorCode":"REQUIRED_FIELD_MISSING"`},
		{"PATCH", acme, `{"Id":"001000000000002AAA"}`, 400, `[{"message":"The Id field should not be specified in the sobject data.","errorCode":"INVALID_FIELD"}]`},
		{"PATCH", "/sobjects/Account/Ext__c/k1", `{"Name":"New"}`, 201, `"success":true,"errors":[],"created":true`},
		{"PATCH", "/sobjects/Account/Ext__c/K1", `{"Name":"Newer"}`, 200, `"created":false`},
		{"GET", "/sobjects/Account/Ext__c/k1", "", 200, `"Name":"Newer"`},
		{"PATCH", "/sobjects/Account/Fax/1", `{}`, 404, `Provided external ID field does not exist or is not accessible: Fax`},
		{"PATCH", "/sobjects/Account/Nope__c/1", `{}`, 404, `Provided external ID field does not exist or is not accessible: Nope__c`},
		{"POST", "/sobjects/Account", `{"Name":"Dup","Ext__c":"k1"}`, 400, `"errorCode":"DUPLICATE_VALUE","fields":["Ext__c"]`},
		{"GET", acme + "/Contacts", "", 200, `"totalSize":1`},
		{"GET", "/sobjects/Contact/003000000000001AAA/Account", "", 200, `"Name":"Acme 2"`},
		{"GET", "/sobjects/Account/describe", "", 200, `"keyPrefix":"001"`},
		{"GET", "/sobjects", "", 200, `"maxBatchSize":200`},
		{"GET", "/limits", "", 200, `"DailyApiRequests":{"Max":15000000`},
		{"DELETE", "/sobjects/User/" + o.admin, "", 400, `INSUFFICIENT_ACCESS_OR_READONLY`},
	} {
		if status, body := o.api(c.method, c.path, c.body); status != c.status || !strings.Contains(body, c.want) || c.status == 204 && body != "" {
			t.Errorf("%s %s %.60s: %d %.400s, want %d %s", c.method, c.path, c.body, status, body, c.status, c.want)
		}
	}
}

func TestManyExternalMatches(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for range 2 {
		o.create("Contact", `{"LastName":"Twin","Phone_E164__c":"+14155550100"}`)
	}
	status, body := o.api(http.MethodGet, "/sobjects/Contact/Phone_E164__c/%2B14155550100", "")
	if want := `["/services/data/v60.0/sobjects/Contact/003000000000001AAA","/services/data/v60.0/sobjects/Contact/003000000000002AAA"]`; status != http.StatusMultipleChoices || body != want {
		t.Errorf("%d %s, want 300 %s", status, body, want)
	}
}

// TestCaseComment writes to the internal comments of a case as a contact centre does after a call.
func TestCaseComment(t *testing.T) {
	t.Parallel()
	o := sampleOrg(t)
	if status, body := o.api(http.MethodPatch, "/sobjects/Case/500000000000001AAA", `{"Comments":"Called at 15:30 <b>\n& agreed"}`); status != http.StatusNoContent || body != "" {
		t.Fatalf("%d %s", status, body)
	}
	_, body := o.soql("SELECT CommentBody, IsPublished, CreatorName, Parent.CaseNumber FROM CaseComment")
	if !strings.Contains(body, `"CommentBody":"Called at 15:30 <b>\n& agreed","IsPublished":false,"CreatorName":"Ada Admin"`) || !strings.Contains(body, `"CaseNumber":"00001001"`) {
		t.Errorf("the comment reads %s", body)
	}
	if _, body := o.api(http.MethodGet, "/sobjects/Case/500000000000001AAA", ""); strings.Contains(body, "Comments") {
		t.Errorf("the case shows the field: %s", body)
	}
	if status, body := o.api(http.MethodPost, "/sobjects/CaseComment", `{"ParentId":"500000000000001AAA","CommentBody":"x","IsPublished":true}`); status != http.StatusCreated {
		t.Errorf("a comment of its own: %d %s", status, body)
	}
	if status, body := o.api(http.MethodPost, "/sobjects/CaseComment", `{"CommentBody":"x"}`); status != http.StatusBadRequest || !strings.Contains(body, "ParentId") {
		t.Errorf("a comment on nothing: %d %s", status, body)
	}
}

func TestDerivedFields(t *testing.T) {
	t.Parallel()
	o := sampleOrg(t)
	for _, step := range []struct{ status, want string }{
		{"Closed", `"IsClosed":true,"ClosedDate":"2026-11-18T15:30:00.000+0000"`}, {"Working", `"IsClosed":false,"ClosedDate":null`},
	} {
		o.api(http.MethodPatch, "/sobjects/Case/500000000000001AAA", `{"Status":"`+step.status+`"}`)
		if _, body := o.api(http.MethodGet, "/sobjects/Case/500000000000001AAA?fields=IsClosed,ClosedDate", ""); !strings.Contains(body, step.want) {
			t.Errorf("%s: %s", step.status, body)
		}
	}
	o.api(http.MethodPatch, "/sobjects/Contact/003000000000001AAA", `{"FirstName":null}`)
	if _, body := o.soql("SELECT Name FROM Contact WHERE Name = 'o\\'brien'"); !strings.Contains(body, `"Name":"O'Brien"`) {
		t.Errorf("name: %s", body)
	}
	id := o.create("Task", `{"Subject":"Call","WhoId":"003000000000001AAA","Status":"Completed","CallType":"Inbound","CallDurationInSeconds":61,"TaskSubtype":"Call"}`)
	if _, body := o.api(http.MethodGet, "/sobjects/Task/"+id+"?fields=AccountId,IsClosed,CallDurationInSeconds", ""); !strings.Contains(body, `"AccountId":"001000000000001AAA","IsClosed":true,"CallDurationInSeconds":61`) {
		t.Errorf("task: %s", body)
	}
	// A number that changes is found by the new one only.
	o.api(http.MethodPatch, "/sobjects/Contact/003000000000001AAA", `{"Phone":"+1 212 555 0199"}`)
	for number, n := range map[string]int{"2125550199": 1, "4155550101": 0} {
		_, body := o.api(http.MethodGet, "/search?q=FIND+%7B"+number+"%7D+IN+PHONE+FIELDS+RETURNING+Contact", "")
		if got := strings.Count(body, `"Id"`); got != n {
			t.Errorf("%s is found %d times, want %d", number, got, n)
		}
	}
}

func TestVersionsAndPaths(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	h := http.Header{"Authorization": {"Bearer " + o.token}}
	for path, want := range map[string]int{
		"/services/data": 200, "//services/data/": 200, "/SERVICES/DATA/V31.0/Limits": 200, "/services/data/v68.0/": 200,
		"//services//data/v60.0/query/?q=SELECT+Id+FROM+User": 200, "/services/data/v30.0/limits": 410, "/services/data/v69.0/limits": 404,
		"/services/data/v60/limits": 404, "/services/data/v60.0/nope": 404, "/services/nope": 404, "/services/data/v60.0/tooling/nothing": 404,
		"/services/data/v60.0/query?q=" + strings.Repeat("x", maxURL): 414, "/services/data/v60.0/sobjects/Account/describe/layouts/x": 404,
	} {
		if status, body, _ := o.send(http.MethodGet, path, "", h); status != want {
			t.Errorf("%.80s: %d %.200s, want %d", path, status, body, want)
		}
	}
	_, body, _ := o.send(http.MethodGet, "/services/data", "", nil)
	if !strings.Contains(body, `{"label":"Winter '27","url":"/services/data/v68.0","version":"68.0"}`) || !strings.Contains(body, `Summer '26","url":"/services/data/v67.0"`) {
		t.Errorf("versions: %s", body)
	}
	if status, _, _ := o.send(http.MethodGet, "/services/data/v60.0/limits", "", nil); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	status, body, _ := o.send(http.MethodPost, "/services/data/v60.0/sobjects/Account", `{"Name":"`+strings.Repeat("x", maxBody)+`"}`, h)
	if status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: %d %.200s", status, body)
	}
}

func TestRequestLimit(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, DailyRequests: 2})
	for i := 1; i <= 3; i++ {
		status, body, h := o.send(http.MethodGet, "/services/data/v60.0/limits", "", http.Header{"Authorization": {"Bearer " + o.token}})
		if got, want := h.Get("Sforce-Limit-Info"), fmt.Sprintf("api-usage=%d/2", i); got != want {
			t.Errorf("call %d: header %q, want %q", i, got, want)
		}
		if over := i > 2; over != (status == http.StatusForbidden && strings.Contains(body, "REQUEST_LIMIT_EXCEEDED")) {
			t.Errorf("call %d: %d %s", i, status, body)
		}
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	o := sampleOrg(t)
	if status, _ := o.api(http.MethodGet, "/sobjects/Account/describe", "", "If-Modified-Since", o.described.Format(http.TimeFormat)); status != http.StatusNotModified {
		t.Errorf("describe: %d", status)
	}
	before := fixedNow().Add(-time.Minute).Format(http.TimeFormat)
	if status, _ := o.api(http.MethodPatch, "/sobjects/Account/001000000000001AAA", `{"Name":"x"}`, "If-Unmodified-Since", before); status != http.StatusPreconditionFailed {
		t.Errorf("changed since: %d", status)
	}
	if status, _ := o.api(http.MethodPatch, "/sobjects/Account/001000000000001AAA", `{"Name":"x"}`, "If-Unmodified-Since", fixedNow().Format(http.TimeFormat)); status != http.StatusNoContent {
		t.Errorf("unchanged since: %d", status)
	}
}

func TestComposite(t *testing.T) {
	t.Parallel()
	o := sampleOrg(t)
	post := func(path, body string) string {
		t.Helper()
		_, out := o.api(http.MethodPost, path, body)
		return out
	}
	total := func() string {
		_, body := o.soql("SELECT COUNT() FROM Account")
		return body[:16]
	}
	out := post("/composite", `{"compositeRequest":[
		{"method":"POST","url":"/services/data/v60.0/sobjects/Account","referenceId":"a","body":{"Name":"C"}},
		{"method":"POST","url":"/services/data/v60.0/sobjects/Contact","referenceId":"b","body":{"LastName":"D","AccountId":"@{a.id}"}},
		{"method":"GET","url":"/services/data/v60.0/sobjects/Contact/@{b.id}?fields=Account.Name","referenceId":"c"}]}`)
	if !strings.Contains(out, `"Name":"C"`) || strings.Count(out, `"httpStatusCode":201`) != 2 {
		t.Errorf("references: %s", out)
	}
	had := total()
	out = post("/composite", `{"allOrNone":true,"compositeRequest":[
		{"method":"POST","url":"/services/data/v60.0/sobjects/Account","referenceId":"a","body":{"Name":"E"}},
		{"method":"POST","url":"/services/data/v60.0/sobjects/Contact","referenceId":"b","body":{}}]}`)
	if !strings.Contains(out, "PROCESSING_HALTED") || !strings.Contains(out, "REQUIRED_FIELD_MISSING") || total() != had {
		t.Errorf("all or none: %s, %s records", out, total())
	}
	out = post("/composite/sobjects", `{"allOrNone":false,"records":[{"attributes":{"type":"Account"},"Name":"F"},{"attributes":{"type":"Account"}}]}`)
	if !strings.Contains(out, `"success":true,"errors":[]`) || !strings.Contains(out, `"statusCode":"REQUIRED_FIELD_MISSING"`) || total() == had {
		t.Errorf("collection: %s", out)
	}
	had = total()
	out = post("/composite/sobjects", `{"allOrNone":true,"records":[{"attributes":{"type":"Account"},"Name":"G"},{"attributes":{"type":"Account"}}]}`)
	if !strings.Contains(out, "ALL_OR_NONE_OPERATION_ROLLED_BACK") || total() != had {
		t.Errorf("collection, all or none: %s", out)
	}
	if out = post("/composite/sobjects/Account", `{"ids":["001000000000001AAA","001000000000999AAA"],"fields":["Name"]}`); !strings.HasSuffix(out, `"Name":"Acme"},null]`) {
		t.Errorf("collection read: %s", out)
	}
	_, out = o.api(http.MethodPatch, "/composite/sobjects/Account/Ext__c", `{"records":[{"attributes":{"type":"Account"},"Ext__c":"e1","Name":"U"}]}`)
	if !strings.Contains(out, `"created":true`) {
		t.Errorf("collection upsert: %s", out)
	}
	out = post("/composite/tree/Account", `{"records":[{"attributes":{"type":"Account","referenceId":"r1"},"Name":"T","Contacts":{"records":[{"attributes":{"type":"Contact","referenceId":"r2"},"LastName":"K"}]}}]}`)
	if !strings.Contains(out, `"hasErrors":false`) || strings.Count(out, "referenceId") != 2 {
		t.Errorf("tree: %s", out)
	}
	had = total()
	out = post("/composite/tree/Account", `{"records":[{"attributes":{"type":"Account","referenceId":"r1"},"Name":"T"},{"attributes":{"type":"Account","referenceId":"r2"}}]}`)
	if !strings.Contains(out, `"hasErrors":true`) || total() != had {
		t.Errorf("tree with a fault: %s", out)
	}
	out = post("/composite/batch", `{"batchRequests":[{"method":"GET","url":"v60.0/limits"},{"method":"GET","url":"v60.0/nope"}]}`)
	if !strings.Contains(out, `"hasErrors":true`) || !strings.Contains(out, `"statusCode":200`) || !strings.Contains(out, `"statusCode":404`) {
		t.Errorf("batch: %s", out)
	}
}

func TestRestartKeepsData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(use func(o *Org)) time.Duration {
		at := time.Now()
		o, err := New(Options{Dir: dir, Now: fixedNow})
		took := time.Since(at)
		if err != nil {
			t.Fatal(err)
		}
		use(o)
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		return took
	}
	var creds Credentials
	var token string
	first := run(func(o *Org) {
		creds = o.Credentials()
		var err error
		if token, err = o.sessions.add(t.Context(), session{user: o.admin, client: creds.ClientID}, time.Hour); err != nil {
			t.Fatal(err)
		}
	})
	second := run(func(o *Org) {
		if o.Credentials() != creds || creds.Password == "" || creds.ClientSecret == "" {
			t.Errorf("credentials changed: %+v and %+v", creds, o.Credentials())
		}
		if o.sessions.find(token, false) == nil {
			t.Error("a session is lost")
		}
		_, err := readRecord(t.Context(), o.store, o.schema.object("Contact"), makeID("003", seedContacts))
		if err != nil {
			t.Errorf("the last contact is lost: %v", err)
		}
	})
	t.Logf("new: %v, existing: %v", first, second)
}

// TestSeedIsDeterministic compares two small orgs, and counts what the seed promises.
func TestSeedIsDeterministic(t *testing.T) {
	t.Parallel()
	a, b := start(t, Options{}), start(t, Options{})
	for _, q := range []string{"SELECT FIELDS(ALL) FROM Contact LIMIT 200", "SELECT FIELDS(ALL) FROM Account LIMIT 200", "SELECT Id, Subject, Status, ContactId FROM Case"} {
		_, x := a.soql(q)
		if _, y := b.soql(q); x != y {
			t.Errorf("%s differs between two orgs", q)
		}
	}
	for q, want := range map[string]string{
		"SELECT COUNT() FROM Account": "200", "SELECT COUNT() FROM Contact": "1000", "SELECT COUNT() FROM Case": "500",
		"SELECT COUNT() FROM Contact WHERE Id NOT IN (SELECT ContactId FROM Case)":                                                               "700",
		"SELECT COUNT() FROM Contact WHERE Id IN (SELECT ContactId FROM Case) AND Id NOT IN (SELECT ContactId FROM Case WHERE IsClosed = false)": "100",
	} {
		if _, body := a.soql(q); !strings.HasPrefix(body, `{"totalSize":`+want+`,`) {
			t.Errorf("%s: %s, want %s", q, body, want)
		}
	}
	_, body := a.soql("SELECT Phone, COUNT(Id) n FROM Contact WHERE Phone != null GROUP BY Phone HAVING COUNT(Id) > 1")
	if strings.Contains(body, `"totalSize":0`) {
		t.Error("no two contacts share a number")
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	o := start(t, Options{})
	var wg sync.WaitGroup
	ids := make(chan string, 200)
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				status, body := o.api(http.MethodPost, "/sobjects/Contact", fmt.Sprintf(`{"LastName":"W%d-%d","Phone":"+1415555%04d"}`, w, i, w*10+i))
				var res saveResult
				if err := json.Unmarshal([]byte(body), &res); err != nil || status != http.StatusCreated {
					t.Errorf("create: %d %s", status, body)
					continue
				}
				ids <- res.ID
				if status, body := o.soql(fmt.Sprintf("SELECT Id FROM Contact WHERE LastName = 'W%d-%d'", w, i)); status != http.StatusOK || !strings.Contains(body, res.ID) {
					t.Errorf("what was written is not read: %d %s", status, body)
				}
				if status, body := o.api(http.MethodPatch, "/sobjects/Contact/"+res.ID, `{"Title":"x"}`); status != http.StatusNoContent {
					t.Errorf("change: %d %s", status, body)
				}
			}
		})
	}
	wg.Wait()
	close(ids)
	seen := map[string]bool{}
	for id := range ids {
		if seen[id] {
			t.Errorf("id %s was given twice", id)
		}
		seen[id] = true
	}
	if len(seen) != 80 {
		t.Errorf("%d contacts were made, want 80", len(seen))
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	// The first pair is the platform's own example (REST API developer guide).
	for short, long := range map[string]string{
		"001D000000IqhSL": "001D000000IqhSLIAZ", "001000000000001": "001000000000001AAA", "00D000000000001": "00D000000000001EAA",
	} {
		for _, given := range []string{short, long, strings.ToLower(long), strings.ToUpper(long)} {
			if got, valid := normalID(given); !valid || got != long {
				t.Errorf("normalID(%s) = %s, want %s", given, got, long)
			}
		}
	}
	for n := range int64(5000) {
		id := makeID("003", n*7919)
		if got, valid := normalID(strings.ToLower(id)); !valid || got != id {
			t.Fatalf("the case of %s comes back as %s", id, got)
		}
	}
	for _, bad := range []string{"", "001", "001000000000001!", "001000000000001AA!", "0010000000000011AAA", "00100000000000é"} {
		if got, valid := normalID(bad); valid {
			t.Errorf("normalID(%q) = %s", bad, got)
		}
	}
}

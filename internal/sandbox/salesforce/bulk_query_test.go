package salesforce

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// queried runs a query job and returns its id.
func (o *testOrg) queried(body string) string {
	o.t.Helper()
	j := o.job(http.MethodPost, "/jobs/query", body)
	if done := o.finished("query", j.ID); done.State != "JobComplete" {
		o.t.Fatalf("%s: %+v", body, done)
	}
	return j.ID
}

// result is the whole result of a query, as it is sent.
func (o *testOrg) result(soql string) string {
	o.t.Helper()
	_, out := o.api(http.MethodGet, "/jobs/query/"+o.queried(fmt.Sprintf(`{"operation":"query","query":%q}`, soql))+"/results", "")
	return out
}

// TestBulkQueryRefusals holds which queries have no place in a file, in the platform's words where they are known.
func TestBulkQueryRefusals(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for query, want := range map[string]string{
		"SELECT COUNT() FROM Account": "Aggregate functions not supported", "SELECT COUNT(Id) FROM Account": "Aggregate functions not supported", "SELECT MAX(CreatedDate) m FROM Account": "Aggregate functions not supported",
		"SELECT Name FROM Account GROUP BY Name": "GROUP BY clause not supported", "SELECT CALENDAR_YEAR(CreatedDate) FROM Account GROUP BY CALENDAR_YEAR(CreatedDate)": "GROUP BY clause not supported",
		"SELECT Id FROM Account LIMIT 5 OFFSET 5":                 "OFFSET clause not supported",
		"SELECT TYPEOF What WHEN Account THEN Name END FROM Task": "TYPEOF clause not supported",
		"SELECT Id, (SELECT Id FROM Contacts) FROM Account":       `"message":"Aggregate Relationships not supported in Bulk Query with CSV content type","errorCode":"FEATURENOTENABLED"`,
		"SELECT Id, BillingAddress FROM Account":                  `"message":"Selecting compound data not supported in Bulk Query","errorCode":"API_ERROR"`,
		"SELECT mailingaddress FROM Contact":                      "Selecting compound data not supported in Bulk Query",
		"SELECT Foo FROM Account":                                 "INVALID_FIELD",
		"SELECT Id FROM Nope":                                     "INVALID_TYPE",
		"SELECT Id, FROM Account":                                 "MALFORMED_QUERY",
		"SELECT Id FROM Account WHERE BillingAddress = 'x'":       "INVALID_FIELD",
		"": "MALFORMED_QUERY",
		"SELECT Id FROM Account WHERE Name = 'a' AND Phone = 'b' OR Fax = 'c' LIMIT 1": "MALFORMED_QUERY",
	} {
		status, out := o.api(http.MethodPost, "/jobs/query", fmt.Sprintf(`{"operation":"query","query":%q}`, query))
		if status != http.StatusBadRequest || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s", query, status, out)
		}
	}
	for body, code := range map[string]string{
		`{"operation":"insert","query":"SELECT Id FROM Account"}`: "INVALIDJOB", `{"query":"SELECT Id FROM Account"}`: "INVALIDJOB", `{"operation":"query"}`: "MALFORMED_QUERY", `[`: "JSON_PARSER_ERROR",
		`{"operation":"query","query":"SELECT Id FROM Account","columnDelimiter":"SPACE"}`: "INVALIDJOB", `{"operation":"query","query":"SELECT Id FROM Account","lineEnding":"CR"}`: "INVALIDJOB",
		`{"operation":"query","query":"SELECT Id FROM Account","contentType":"JSON"}`: "INVALIDJOB",
	} {
		if status, out := o.api(http.MethodPost, "/jobs/query", body); status != http.StatusBadRequest || !strings.Contains(out, code) {
			t.Errorf("%s: %d %s", body, status, out)
		}
	}
	if ids, _ := o.jobList("/jobs/query"); ids != nil {
		t.Errorf("what was refused left jobs: %q", ids)
	}
}

// TestBulkQueryValues writes each kind of value, and columns by their paths.
func TestBulkQueryValues(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	a := o.create("Account", `{"Name":"A","AnnualRevenue":1.5,"NumberOfEmployees":7,"Ext__c":"k"}`)
	c := o.create("Contact", `{"LastName":"Zoë, \"🎉\"","Description":"two\r\nlines; a|b^c`+"`"+`\td","AccountId":"`+a+`","Birthdate":"1990-02-03","DoNotCall":true}`)
	o.create("Contact", `{"LastName":"None"}`)
	o.create("Case", `{"Subject":"S","ContactId":"`+c+`"}`)
	o.create("Task", `{"Subject":"T","WhoId":"`+c+`","WhatId":"`+a+`"}`)
	gone := o.create("Account", `{"Name":"Gone"}`)
	o.api(http.MethodDelete, "/sobjects/Account/"+gone, "")
	for query, want := range map[string]string{
		"SELECT Name, Description, Account.Name, Account.AnnualRevenue, Account.Owner.Name, Birthdate, DoNotCall, CreatedDate FROM Contact ORDER BY LastName DESC": "\"Name\",\"Description\",\"Account.Name\",\"Account.AnnualRevenue\",\"Account.Owner.Name\",\"Birthdate\",\"DoNotCall\",\"CreatedDate\"\n" +
			"\"Zoë, \"\"🎉\"\"\",\"two\r\nlines; a|b^c`\td\",\"A\",\"1.5\",\"Ada Admin\",\"1990-02-03\",\"true\",\"2026-11-18T15:30:00.000Z\"\n" +
			"\"None\",\"\",\"\",\"\",\"\",\"\",\"false\",\"2026-11-18T15:30:00.000Z\"\n",
		"select id, numberofemployees, EXT__C from account":                        "\"Id\",\"NumberOfEmployees\",\"Ext__c\"\n\"" + a + "\",\"7\",\"k\"\n",
		"SELECT Contact.Account.Name n FROM Case WHERE Contact.Account.Name = 'A'": "",
		"SELECT Who.Name, What.Name, Owner.Name FROM Task":                         "\"Who.Name\",\"What.Name\",\"Owner.Name\"\n\"Zoë, \"\"🎉\"\"\",\"A\",\"Ada Admin\"\n",
		"SELECT Owner.Name, Owner.Type FROM Case":                                  "",
		"SELECT toLabel(Rating), FORMAT(AnnualRevenue) r FROM Account":             "",
		"SELECT Id FROM Account WHERE Name = 'none'":                               "\"Id\"\n",
		"SELECT Name FROM Account ORDER BY Name LIMIT 1":                           "\"Name\"\n\"A\"\n",
		"SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)":       "\"Id\"\n\"" + a + "\"\n",
		"SELECT Name FROM Account FOR VIEW":                                        "",
	} {
		if want == "" { // whatever the answer is, it is one
			status, out := o.api(http.MethodPost, "/jobs/query", fmt.Sprintf(`{"operation":"query","query":%q}`, query))
			if status == http.StatusOK {
				if done := o.finished("query", decode[bulkJob](t, out).ID); done.State != "JobComplete" {
					t.Errorf("%s: %+v", query, done)
				}
			}
			continue
		}
		if got := o.result(query); got != want {
			t.Errorf("%s: %s", query, cmp.Diff(want, got))
		}
	}
	id := o.queried(`{"operation":"queryAll","query":"SELECT Name, IsDeleted FROM Account ORDER BY Name"}`)
	if rows := o.csv("/jobs/query/" + id + "/results"); !cmp.Equal(rows, [][]string{{"Name", "IsDeleted"}, {"A", "false"}, {"Gone", "true"}}) {
		t.Errorf("queryAll: %q", rows)
	}
	o.version = "v49.0"
	if got := o.result("SELECT Name, Account.Name, Id FROM Contact WHERE LastName = 'None'"); !strings.HasPrefix(got, "\"Account.Name\",\"Id\",\"Name\"\n\"\",\"003") {
		t.Errorf("columns by the alphabet: %s", got)
	}
}

// TestBulkQueryResults holds locators, sizes, versions and states.
func TestBulkQueryResults(t *testing.T) {
	t.Parallel()
	o := start(t, Options{})
	id := o.queried(`{"operation":"query","query":"SELECT Id FROM Contact"}`)
	path := "/jobs/query/" + id + "/results"
	get := func(query string) (int, string, http.Header) {
		t.Helper()
		return o.send(http.MethodGet, "/services/data/v60.0"+path+query, "", http.Header{"Authorization": {"Bearer " + o.token}})
	}
	status, out, h := get("/")
	if status != http.StatusOK || h.Get("Sforce-Locator") != "null" || h.Get("Sforce-NumberOfRecords") != fmt.Sprint(seedContacts) || h.Get("Content-Type") != "text/csv; charset=UTF-8" || strings.Count(out, "\n") != seedContacts+1 {
		t.Errorf("the whole: %d %v", status, h)
	}
	_, page, h := get("?maxRecords=7&locator=null")
	next := h.Get("Sforce-Locator")
	_, second, h2 := get("?maxRecords=7&locator=" + next)
	_, again, _ := get("?maxRecords=7&locator=" + next)
	if next == "null" || h.Get("Sforce-NumberOfRecords") != "7" || second != again || h2.Get("Sforce-Locator") == next || !strings.HasPrefix(out, page+strings.TrimPrefix(second, "\"Id\"\n")) {
		t.Errorf("pages: %q, then %q, %v", page, second, h2)
	}
	for _, bad := range []string{"?locator=x!", "?locator=LTE", "?locator=" + locatorOf(1<<40, 60), "?maxRecords=0", "?maxRecords=-1", "?maxRecords=x", "?maxRecords=99999999999999999999"} {
		if status, out, _ := get(bad); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", bad, status, out)
		}
	}
	for _, part := range []string{"results", "resultPages"} {
		o.version = "v61.0"
		if status, out := o.api(http.MethodGet, "/jobs/query/"+id+"/"+part, ""); status != http.StatusConflict {
			t.Errorf("%s in another version: %d %s", part, status, out)
		}
	}
	if j := o.job(http.MethodGet, "/jobs/query/"+id, ""); j.State != "JobComplete" || j.Version != 60 {
		t.Errorf("info in another version: %+v", j)
	}
	o.version = "v48.0"
	old := o.queried(`{"operation":"query","query":"SELECT Id FROM Contact"}`)
	_, _, h = o.send(http.MethodGet, "/services/data/v48.0/jobs/query/"+old+"/results?maxRecords=7", "", http.Header{"Authorization": {"Bearer " + o.token}})
	if h.Get("Sforce-Locator") != "7" {
		t.Errorf("the locator of 48.0: %v", h)
	}
	if rows := o.csv("/jobs/query/" + old + "/results?locator=" + fmt.Sprint(seedContacts-1)); len(rows) != 2 {
		t.Errorf("from a locator of 48.0: %q", rows)
	}
	o.version = ""
	release := o.hold()
	defer release()
	j := o.job(http.MethodPost, "/jobs/query", `{"operation":"query","query":"SELECT Id FROM Contact"}`)
	for _, part := range []string{"results", "resultPages"} {
		if status, out := o.api(http.MethodGet, "/jobs/query/"+j.ID+"/"+part, ""); status != http.StatusBadRequest || !strings.Contains(out, "INVALIDJOBSTATE") {
			t.Errorf("%s of one that waits: %d %s", part, status, out)
		}
	}
	if status, out := o.api(http.MethodDelete, "/jobs/query/"+j.ID, ""); status != http.StatusBadRequest || out != `[{"message":"Error encountered when deleting the job because the job is not terminated","errorCode":"API_ERROR"}]` {
		t.Errorf("deleting one that waits: %d %s", status, out)
	}
	if status, out := o.api(http.MethodPatch, "/jobs/query/"+j.ID, `{"state":"UploadComplete"}`); status != http.StatusBadRequest {
		t.Errorf("closing a query: %d %s", status, out)
	}
	if got := o.job(http.MethodPatch, "/jobs/query/"+j.ID, `{"state":"Aborted"}`); got.State != "Aborted" {
		t.Errorf("%+v", got)
	}
	if status, out := o.api(http.MethodPatch, "/jobs/query/"+id, `{"state":"Aborted"}`); status != http.StatusBadRequest || out != `[{"message":"Aborting already Completed Job not allowed","errorCode":"INVALIDJOBSTATE"}]` {
		t.Errorf("aborting what is over: %d %s", status, out)
	}
	for _, c := range [][2]string{{"GET", "/jobs/query/" + id + "/nope"}, {"GET", "/jobs/query/" + makeID("750", 99999)}, {"GET", "/jobs/ingest/" + id}, {"GET", "/jobs/nope"}} {
		if status, _ := o.api(c[0], c[1], ""); status != http.StatusNotFound {
			t.Errorf("%s: %d", c[1], status)
		}
	}
	for _, c := range [][2]string{{"POST", path}, {"PUT", "/jobs/query/" + id}, {"DELETE", "/jobs/query"}} {
		if status, _ := o.api(c[0], c[1], "{}"); status != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %d", c[0], c[1], status)
		}
	}
}

// TestBulkRoundTrip loads what a query gave out, with all separators and both line endings.
func TestBulkRoundTrip(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	values := []string{"plain", "a,b;c|d^e`f\tg", "\"quoted\"", "line\nbreak", "line\r\nbreak", "Zoë 🎉 日本", "'single'", "a\"b", "#N/A-like", "=1+1"}
	for _, name := range []string{"COMMA", "TAB", "PIPE", "SEMICOLON", "CARET", "BACKQUOTE"} {
		for _, ending := range []string{"LF", "CRLF"} {
			eol := map[string]string{"LF": "\n", "CRLF": "\r\n"}[ending]
			comma := delimiter(name)
			data := appendCSV(nil, []string{"Name", "Description"}, comma, eol)
			for _, v := range values {
				data = appendCSV(data, []string{name + ending, v}, comma, eol)
			}
			form := `"columnDelimiter":"` + name + `","lineEnding":"` + ending + `"`
			if j := o.load(`{"object":"Account","operation":"insert",`+form+`}`, string(data)); j.Failed != 0 || j.Processed != len(values) {
				t.Errorf("%s %s: %+v", name, ending, j)
			}
			id := o.queried(`{"operation":"query",` + form + `,"query":"SELECT Name, Description FROM Account WHERE Name = '` + name + ending + `' ORDER BY Id"}`)
			if _, out := o.api(http.MethodGet, "/jobs/query/"+id+"/results", ""); out != string(data) {
				t.Errorf("%s %s: %s", name, ending, cmp.Diff(string(data), out))
			}
		}
	}
}

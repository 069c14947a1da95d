package salesforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func ask(resource, q string) string { return "/" + resource + "?q=" + url.QueryEscape(q) }

func TestRuleQueries(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	acme := o.create("Account", `{"Name":"Acme"}`)
	gone := o.create("Account", `{"Name":"Gone"}`)
	o.api(http.MethodDelete, "/sobjects/Account/"+gone, "")
	record := func(area, id, name string) string {
		return `{"attributes":{"type":"Account","url":"/services/data/v60.0` + area + `/sobjects/Account/` + id + `"},"Name":"` + name + `"}`
	}
	o.checkRules(t, []restRule{
		{"a query", "GET", ask("query", "select NAME from account"), "", 200, `={"totalSize":1,"done":true,"records":[` + record("", acme, "Acme") + `]}`, nil},
		{"deleted records too", "GET", ask("queryAll", "SELECT Name FROM Account ORDER BY Name"), "", 200, record("", acme, "Acme") + `,` + record("", gone, "Gone"), nil},
		{"the Tooling API", "GET", ask("tooling/query", "SELECT Name FROM Account"), "", 200, record("/tooling", acme, "Acme"), nil},
		{"a record of the Tooling API", "GET", "/tooling/sobjects/Account/" + acme, "", 200, `"Name":"Acme"`, nil},
		{"a number", "GET", ask("query", "SELECT COUNT() FROM Account"), "", 200, `={"totalSize":1,"done":true,"records":[]}`, nil},
		{"nothing found", "GET", ask("query", "SELECT Id FROM Account LIMIT 0"), "", 200, `={"totalSize":0,"done":true,"records":[]}`, nil},
		{"no query", "GET", "/query", "", 400, `MALFORMED_QUERY`, nil},
		{"a blank query", "GET", "/query?q=+", "", 400, `MALFORMED_QUERY`, nil},
		{"a query that is none", "GET", ask("query", "SELECT Id FROM Account WHERE"), "", 400, `"errorCode":"MALFORMED_QUERY"`, nil},
		{"the caret", "GET", ask("query", "SELECT Foo FROM Account"), "", 400, `"message":"\nSELECT Foo FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column 'Foo' on entity 'Account'.`, nil},
		{"the CLI's question whether this is a Dev Hub", "GET", ask("query", "SELECT Id FROM ScratchOrgInfo limit 1"), "", 400, `"errorCode":"INVALID_TYPE"`, nil},
		{"the CLI's question for the org", "GET", ask("query", "SELECT Name, InstanceName, IsSandbox, TrialExpirationDate, NamespacePrefix, OrganizationType FROM Organization"), "", 200, `"OrganizationType":"Developer Edition"`, nil},
		{"the CLI's questions in lower case", "GET", ask("query", "SELECT username, profileid, id FROM User"), "", 200, `"Username":"` + o.Credentials().Username + `","ProfileId":"00e`, nil},
		{"the user who signed in", "GET", "/sobjects/User/" + o.admin, "", 200, `"Username":"` + o.Credentials().Username + `"`, nil},
	})
}

func TestRuleQueryPages(t *testing.T) {
	t.Parallel()
	now := fixedNow()
	o := start(t, Options{Seed: SeedNone, Now: func() time.Time { return now }, SessionTTL: 100 * time.Hour})
	for i := range 5 {
		records := make([]string, 100)
		for j := range records {
			records[j] = fmt.Sprintf(`{"attributes":{"type":"Account"},"Name":"%03d"}`, 100*i+j)
		}
		if status, body := o.api(http.MethodPost, "/composite/sobjects", `{"records":[`+strings.Join(records, ",")+`]}`); status != http.StatusOK || strings.Contains(body, `"success":false`) {
			t.Fatalf("%d %.300s", status, body)
		}
	}
	type page struct {
		Total   int `json:"totalSize"`
		Done    bool
		Next    string `json:"nextRecordsUrl"`
		Records []struct{ Name string }
	}
	read := func(path string, header ...string) (p page) {
		t.Helper()
		status, body, _ := o.do(http.MethodGet, path, "", header...)
		if err := json.Unmarshal([]byte(body), &p); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %.300s", path, status, body)
		}
		return p
	}
	const q = "?q=SELECT+Name+FROM+Account+ORDER+BY+Name"
	for _, c := range []struct {
		option string
		sizes  []int
	}{
		{"batchSize=200", []int{200, 200, 100}},
		{"BATCHSIZE = 250", []int{250, 250}},
		{"batchSize=1", []int{200, 200, 100}}, // the least there is
		{"batchSize=9999", []int{500}},
		{"batchSize=x", []int{500}},
		{"", []int{500}},
	} {
		p := read("/services/data/v60.0/query/"+q, "Sforce-Query-Options", c.option)
		seen := 0
		for i, size := range c.sizes {
			last := i == len(c.sizes)-1
			if len(p.Records) != size || p.Total != 500 || p.Done != last || (p.Next == "") != last || p.Records[0].Name != fmt.Sprintf("%03d", seen) {
				t.Errorf("%q, page %d: %d records, done %v, next %s", c.option, i, len(p.Records), p.Done, p.Next)
			}
			if seen += size; last {
				break
			}
			if !strings.HasPrefix(p.Next, "/services/data/v60.0/query/0r8") || !strings.HasSuffix(p.Next, fmt.Sprintf("-%d", seen)) {
				t.Errorf("the address of page %d: %s", i+1, p.Next)
			}
			p = read(p.Next)
		}
	}
	small := []string{"Sforce-Query-Options", "batchSize=200"}
	if p := read("/services/data/v60.0/queryAll"+q, small...); !strings.HasPrefix(p.Next, "/services/data/v60.0/queryAll/0r8") {
		t.Errorf("queryAll goes on at %s", p.Next)
	}
	if p := read("/services/data/v60.0/tooling/query"+q, small...); !strings.HasPrefix(p.Next, "/services/data/v60.0/tooling/query/0r8") || len(read(p.Next).Records) != 200 {
		t.Errorf("the Tooling API goes on at %s", p.Next)
	}
	next := read("/services/data/v60.0/query"+q, small...).Next
	o.create("Account", `{"Name":"000a"}`)
	if p := read(next); p.Total != 500 || p.Records[0].Name != "200" {
		t.Errorf("a later record moved the pages: %d, %s", p.Total, p.Records[0].Name)
	}
	if p := read(strings.Replace(next, "v60.0", "v58.0", 1)); !strings.HasPrefix(p.Next, "/services/data/v58.0/") {
		t.Errorf("another version: %s", p.Next)
	}
	now = now.Add(47 * time.Hour)
	read(next)
	bad := func(rule, path string) {
		t.Helper()
		if status, body, _ := o.do(http.MethodGet, path, ""); status != http.StatusBadRequest || !strings.Contains(body, `"errorCode":"INVALID_QUERY_LOCATOR"`) {
			t.Errorf("%s: %d %s", rule, status, body)
		}
	}
	locator, _, _ := strings.Cut(next, "-")
	bad("past the end", locator+"-500")
	bad("before the start", locator+"--1")
	bad("no place", locator)
	bad("nobody's", "/services/data/v60.0/query/0r8000000000999AAA-200")
	bad("no locator", "/services/data/v60.0/query/next")
	mine := o.token
	other, err := o.sessions.add(t.Context(), session{user: makeID("005", 2), client: o.Credentials().ClientID}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	o.token = other
	bad("another user's", locator+"-200")
	o.token = mine
	now = now.Add(2 * time.Hour)
	bad("after two days", next)
}

func TestRuleColumns(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	type column struct {
		Aggregate                                                        bool
		ApexType                                                         string
		BooleanType, Custom, Insertable, NumberType, TextType, Updatable bool
		ColumnName, DisplayName                                          string
		ForeignKeyName                                                   *string
		JoinColumns                                                      []column
	}
	var list func(cols []column) string
	list = func(cols []column) string {
		var parts []string
		for _, c := range cols {
			text := c.ColumnName
			if c.DisplayName != c.ColumnName {
				text += "=" + c.DisplayName
			}
			if c.Aggregate {
				text += "*"
			}
			if len(c.JoinColumns) > 0 {
				text += "(" + list(c.JoinColumns) + ")"
			}
			parts = append(parts, text)
		}
		return strings.Join(parts, " ")
	}
	for _, c := range []struct{ q, want, entity string }{
		{"SELECT Id, name FROM Account", "Id Name", "Account 001 grouped=false id=true"},
		{"SELECT Name FROM Account", "Name", "Account 001 grouped=false id=false"},
		{"SELECT LastName, Account.Name, Account.Owner.Name FROM Contact", "LastName Account(Name Owner(Name))", "Contact 003 grouped=false id=false"},
		{"SELECT Name, (SELECT LastName, Owner.Name FROM Contacts) FROM Account", "Name Contacts*(LastName Owner(Name))", "Account 001 grouped=false id=false"},
		{"SELECT COUNT() FROM Account", "", "Account 001 grouped=false id=false"},
		{"SELECT COUNT(Id), MAX(Name) latest FROM Account", "expr0=COUNT(Id)* latest*", "Account 001 grouped=false id=false"},
		{"SELECT Industry, COUNT(Id) FROM Account GROUP BY Industry", "Industry expr0=COUNT(Id)*", "Account 001 grouped=true id=false"},
		{"SELECT TYPEOF What WHEN Account THEN Phone, Name WHEN Case THEN Subject, Id END FROM Task", "What(Phone Name Subject Id)", "Task 00T grouped=false id=false"},
	} {
		status, body := o.api(http.MethodGet, ask("query", c.q)+"&columns=true", "")
		var a struct {
			Columns []column `json:"columnMetadata"`
			Entity  string   `json:"entityName"`
			Grouped bool     `json:"groupBy"`
			ID      bool     `json:"idSelected"`
			Prefix  string   `json:"keyPrefix"`
		}
		if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusOK || a.Columns == nil {
			t.Errorf("%s: %d %s", c.q, status, body)
			continue
		}
		if got := list(a.Columns); got != c.want || fmt.Sprintf("%s %s grouped=%v id=%v", a.Entity, a.Prefix, a.Grouped, a.ID) != c.entity {
			t.Errorf("%s\n got %s %s\nwant %s %s", c.q, got, body[strings.Index(body, `"entityName"`):], c.want, c.entity)
		}
	}
	_, body := o.api(http.MethodGet, ask("query", "SELECT Id FROM Account")+"&columns=true", "")
	if want := `{"aggregate":false,"apexType":"Id","booleanType":false,"columnName":"Id","custom":false,"displayName":"Id","foreignKeyName":null,"insertable":false,"joinColumns":[],"numberType":false,"textType":true,"updatable":false}`; !strings.Contains(body, want) {
		t.Errorf("the column of an id: %s", body)
	}
	for _, q := range []string{"SELECT Foo FROM Account", "SELECT"} {
		if status, body := o.api(http.MethodGet, ask("query", q)+"&columns=true", ""); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", q, status, body)
		}
	}
}

func TestRuleQueryPlans(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	acme := o.create("Account", `{"Name":"Acme","Phone":"1"}`)
	o.create("Account", `{"Name":"Beta","Description":"x"}`)
	explain := func(q string) string { return "/query/?explain=" + url.QueryEscape(q) }
	o.checkRules(t, []restRule{
		{"an index", "GET", explain("SELECT Id FROM Account WHERE Name = 'acme'"), "", 200, `={"plans":[{"cardinality":1,"fields":["Name"],"leadingOperationType":"Index","notes":[],"relativeCost":0.5,"sobjectCardinality":2,"sobjectType":"Account"}],"sourceQuery":"SELECT Id FROM Account WHERE Name = 'acme'"}`, nil},
		{"an id", "GET", explain("SELECT Id FROM Account WHERE Id = '" + acme + "'"), "", 200, `"leadingOperationType":"Index"`, nil},
		{"all records", "GET", explain("SELECT Id FROM Account WHERE NumberOfEmployees > 5"), "", 200, `"leadingOperationType":"TableScan","notes":[{`, nil},
		{"a number", "GET", explain("SELECT COUNT() FROM Account"), "", 200, `"cardinality":2`, nil},
		{"a list view", "GET", explain(listViewsOf(o.schema.object("Account"))[0].id()), "", 200, `"cardinality":2`, nil},
		{"an id of nothing", "GET", explain("00B000000000000AAA"), "", 400, `MALFORMED_QUERY`, nil},
		{"a query that is none", "GET", explain("SELECT Foo FROM Account"), "", 400, `INVALID_FIELD`, nil},
	})
}

func TestRuleSearches(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.create("Account", `{"Name":"Acme One","Phone":"(415) 555-0100"}`)
	o.create("Account", `{"Name":"Acme Two","Industry":"Media"}`)
	o.create("Contact", `{"LastName":"Acme","Email":"a@acme.example"}`)
	const p = "/parameterizedSearch"
	found := func(names ...string) string { // the names of what is found
		return strings.Join(names, " ")
	}
	for _, c := range []struct{ rule, method, path, body, want string }{
		{"a statement", "GET", ask("search", "FIND {acme} IN NAME FIELDS RETURNING Account(Name ORDER BY Name), Contact(LastName)"), "", found("Acme One", "Acme Two", "Acme")},
		{"a number however it is written", "GET", ask("search", "FIND {4155550100} IN PHONE FIELDS RETURNING Account(Name)"), "", found("Acme One")},
		{"parameters", "GET", p + "?q=acme&sobject=Account&Account.fields=Name", "", found("Acme One", "Acme Two")},
		{"fields of all entities", "GET", p + "?q=acme&sobject=Account&sobject=Contact&fields=Name", "", found("Acme One", "Acme Two", "Acme")},
		{"a limit of an entity", "GET", p + "?q=acme&sobject=Account&Account.fields=Name&Account.limit=1", "", found("Acme One")},
		{"a limit of each entity", "GET", p + "?q=acme&sobject=Account,Contact&fields=Name&defaultLimit=1", "", found("Acme One", "Acme")},
		{"a limit of all", "GET", p + "?q=acme&sobject=Account,Contact&fields=Name&overallLimit=2", "", found("Acme One", "Acme Two")},
		{"a condition", "GET", p + "?q=acme&sobject=Account&Account.fields=Name&Account.where=Industry+%3D+%27Media%27", "", found("Acme Two")},
		{"where to look", "GET", p + "?q=acme&in=EMAIL&sobject=Account,Contact&fields=Name", "", found("Acme")},
		{"a place to start at", "GET", p + "?q=acme&sobject=Account&fields=Name&offset=1", "", found("Acme Two")},
		{"spelling", "GET", p + "?q=acme&sobject=Contact&fields=Name&spellCorrection=false", "", found("Acme")},
		{"a body", "POST", p, `{"q":"acme","in":"NAME","fields":["Name"],"sobjects":[{"name":"Account","where":"Industry = null","orderBy":"Name","limit":"5"},{"name":"Contact"}],"overallLimit":10,"defaultLimit":"2","spellCorrection":true}`, found("Acme One", "Acme")},
		{"signs of the language are none", "GET", p + "?q=" + url.QueryEscape("acme} RETURNING Contact(Id"), "", ""},
		{"a suggestion", "GET", "/search/suggestions?q=acm&sobject=Account&sobject=Contact", "", found("Acme One", "Acme Two", "Acme")},
		{"a suggestion from within a name", "GET", "/search/suggestions?q=two&sobject=Account", "", found("Acme Two")},
		{"a suggestion with a condition", "GET", "/search/suggestions?q=acme&sobject=Account&where=Industry+%3D+%27Media%27&limit=1", "", found("Acme Two")},
	} {
		status, body := o.api(c.method, c.path, c.body)
		var a struct {
			Records   []struct{ Name, LastName string } `json:"searchRecords"`
			Suggested []struct{ Name, LastName string } `json:"autoSuggestResults"`
		}
		if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusOK {
			t.Errorf("%s: %d %s", c.rule, status, body)
			continue
		}
		var names []string
		for _, r := range append(a.Records, a.Suggested...) {
			names = append(names, orElse(r.Name, r.LastName))
		}
		if got := found(names...); got != c.want {
			t.Errorf("%s: found %q, want %q", c.rule, got, c.want)
		}
	}
	o.checkRules(t, []restRule{
		{"labels", "GET", p + "?q=acme&sobject=Account&Account.fields=Name&metadata=LABELS", "", 200, `"metadata":{"entityMetadata":[{"entityName":"Account","errorMessages":null,"fieldMetadata":[{"label":"Name","name":"Name"}]}]}`, nil},
		{"no statement", "GET", "/search", "", 400, `MALFORMED_SEARCH`, nil},
		{"a statement that is none", "GET", ask("search", "FIND acme"), "", 400, `MALFORMED_SEARCH`, nil},
		{"an entity nobody has", "GET", p + "?q=acme&sobject=Nope", "", 400, `INVALID_TYPE`, nil},
		{"a field nobody has", "GET", p + "?q=acme&sobject=Account&fields=Nope", "", 400, `INVALID_FIELD`, nil},
		{"a place nobody can look in", "GET", p + "?q=acme&in=TITLES", "", 400, `MALFORMED_SEARCH`, nil},
		{"a limit that is none", "GET", p + "?q=acme&overallLimit=many", "", 400, `INVALID_INPUT`, nil},
		{"a limit that is too high", "GET", p + "?q=acme&overallLimit=2001", "", 400, `MALFORMED_SEARCH`, nil},
		{"a switch that is none", "GET", p + "?q=acme&spellCorrection=maybe", "", 400, `INVALID_INPUT`, nil},
		{"what this org has not", "POST", p, `{"q":"acme","division":"global"}`, 400, `remove division`, nil},
		{"a body that is none", "POST", p, `[`, 400, `JSON_PARSER_ERROR`, nil},
		{"a text that is no limit", "POST", p, `{"q":"acme","overallLimit":"many"}`, 400, `JSON_PARSER_ERROR`, nil},
		{"too short to suggest by", "GET", "/search/suggestions?q=ac&sobject=Account", "", 400, `INVALID_SEARCH`, nil},
		{"suggestions for nothing", "GET", "/search/suggestions?q=acme", "", 400, `MISSING_ARGUMENT`, nil},
		{"more than was asked for", "GET", "/search/suggestions?q=acme&sobject=Account&limit=1", "", 200, `"hasMoreResults":true`, nil},
		{"nothing below", "GET", "/search/nothing", "", 404, `NOT_FOUND`, nil},
	})
	o.version = "v36.0"
	o.checkRules(t, []restRule{{"before 37.0 the records are the answer", "GET", ask("search", "FIND {two} RETURNING Account(Name)"), "", 200, `=[{"attributes":{"type":"Account","url":"/services/data/v36.0/sobjects/Account/` + makeID("001", 2) + `"},"Name":"Acme Two"}]`, nil}})
	o.version = "v35.0"
	o.checkRules(t, []restRule{{"before 36.0 there are no parameters", "GET", p + "?q=acme", "", 404, `NOT_FOUND`, nil}})
}

func TestRuleLimits(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, DailyRequests: 4})
	for i, path := range []string{"/services/data/v60.0/limits", "/services/data/v60.0/nothing", "/services/apexrest/x", "/services/data/v60.0/sobjects"} {
		_, _, h := o.do(http.MethodGet, path, "")
		if got, want := h.Get("Sforce-Limit-Info"), fmt.Sprintf("api-usage=%d/4", i+1); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	status, body, h := o.do(http.MethodGet, "/services/data/v60.0/limits", "")
	if status != http.StatusForbidden || body != `[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]` || h.Get("Sforce-Limit-Info") != "api-usage=5/4" {
		t.Errorf("over the limit: %d %s %s", status, body, h.Get("Sforce-Limit-Info"))
	}
	if status, _, _ := o.send(http.MethodGet, "/services/data", "", nil); status != http.StatusOK {
		t.Errorf("the versions cost nothing: %d", status)
	}
	for _, token := range []string{"Bearer x", "OAuth x", "x", ""} {
		status, body, h := o.send(http.MethodGet, "/services/data/v60.0/limits", "", http.Header{"Authorization": {token}})
		if status != http.StatusUnauthorized || body != `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]` || h.Get("WWW-Authenticate") != "Token" {
			t.Errorf("nobody's session: %d %s", status, body)
		}
	}
	other := start(t, Options{Seed: SeedNone, DailyRequests: 100})
	_, body = other.api(http.MethodGet, "/limits", "")
	var limits map[string]struct{ Max, Remaining *int }
	if err := json.Unmarshal([]byte(body), &limits); err != nil || len(limits) < 30 {
		t.Fatalf("%v %s", err, body)
	}
	for name, l := range limits {
		if l.Max == nil || l.Remaining == nil || *l.Remaining > *l.Max {
			t.Errorf("%s: %+v", name, l)
		}
	}
	if used := limits["DailyApiRequests"]; *used.Max != 100 || *used.Remaining != 99 {
		t.Errorf("the day's requests: %d of %d", *used.Remaining, *used.Max)
	}
}

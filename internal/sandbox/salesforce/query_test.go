package salesforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sampleOrg holds a few records whose every query result can be worked out by hand.
func sampleOrg(t *testing.T) *testOrg {
	t.Helper()
	o := start(t, Options{Seed: SeedNone})
	acme := o.create("Account", `{"Name":"Acme","Phone":"(415) 555-0100","Industry":"Energy","AnnualRevenue":1000,"NumberOfEmployees":10}`)
	beta := o.create("Account", `{"Name":"beta 50%","Industry":"Media","AnnualRevenue":2500.5,"ParentId":"`+acme+`"}`)
	o.create("Account", `{"Name":"Émile_x","NumberOfEmployees":30}`)
	ana := o.create("Contact", `{"FirstName":"Ana","LastName":"O'Brien","AccountId":"`+acme+`","Phone":"+1 415-555-0101","Birthdate":"1990-05-01"}`)
	o.create("Contact", `{"LastName":"Zed","AccountId":"`+beta+`","MobilePhone":"415.555.0102","Birthdate":"2026-11-17"}`)
	o.create("Contact", `{"LastName":"Lone"}`)
	o.create("Case", `{"Subject":"One","ContactId":"`+ana+`"}`)
	o.create("Case", `{"Subject":"Two","ContactId":"`+ana+`","Status":"Closed","Priority":"High"}`)
	o.create("Case", `{"Subject":"Three","OwnerId":"`+makeID("00G", 1)+`"}`)
	return o
}

func TestSOQLSemantics(t *testing.T) {
	t.Parallel()
	o := sampleOrg(t)
	for _, c := range []struct{ name, q, want string }{
		{"canonical case and order of SELECT", "select NAME, id from ACCOUNT where name = 'ACME'", `[{"Name":"Acme","Id":"001000000000001AAA"}]`},
		{"compare without case, beyond ASCII", "SELECT Name FROM Account WHERE Name = 'éMILE_X'", `[{"Name":"Émile_x"}]`},
		{"LIKE without case", "SELECT Name FROM Account WHERE Name LIKE 'aC%'", `[{"Name":"Acme"}]`},
		{"LIKE escaped percent", `SELECT Name FROM Account WHERE Name LIKE '%50\%'`, `[{"Name":"beta 50%"}]`},
		{"LIKE escaped underscore", `SELECT Name FROM Account WHERE Name LIKE '%\_x'`, `[{"Name":"Émile_x"}]`},
		{"LIKE underscore is one character", "SELECT Name FROM Account WHERE Name LIKE 'Acm_'", `[{"Name":"Acme"}]`},
		{"LIKE digits in order", "SELECT Name FROM Account WHERE Phone LIKE '%415%555%0100'", `[{"Name":"Acme"}]`},
		{"quote in a string", `SELECT LastName FROM Contact WHERE LastName = 'o\'brien'`, `[{"LastName":"O'Brien"}]`},
		{"null equals", "SELECT Name FROM Account WHERE Industry = null", `[{"Name":"Émile_x"}]`},
		{"empty text is null", "SELECT Name FROM Account WHERE Industry = ''", `[{"Name":"Émile_x"}]`},
		{"not equal holds for null", "SELECT Name FROM Account WHERE Industry != 'media'", `[{"Name":"Acme"},{"Name":"Émile_x"}]`},
		{"not null", "SELECT Name FROM Account WHERE Industry <> null", `[{"Name":"Acme"},{"Name":"beta 50%"}]`},
		{"NOT of a missing value is true", "SELECT Name FROM Account WHERE (NOT Phone LIKE '%415%') AND Name != null", `[{"Name":"beta 50%"},{"Name":"Émile_x"}]`},
		{"IN with null", "SELECT Name FROM Account WHERE Industry IN ('energy', null)", `[{"Name":"Acme"},{"Name":"Émile_x"}]`},
		{"NOT IN holds for null", "SELECT Name FROM Account WHERE Industry NOT IN ('energy')", `[{"Name":"beta 50%"},{"Name":"Émile_x"}]`},
		{"numbers", "SELECT Name FROM Account WHERE AnnualRevenue > 1000 AND AnnualRevenue <= 2500.5", `[{"Name":"beta 50%"}]`},
		{"currency literal", "SELECT Name FROM Account WHERE AnnualRevenue = USD1000", `[{"Name":"Acme"}]`},
		{"currency has a fraction, int has none", "SELECT AnnualRevenue, NumberOfEmployees FROM Account WHERE Name = 'Acme'", `[{"AnnualRevenue":1000.0,"NumberOfEmployees":10}]`},
		{"nulls first ascending", "SELECT Name FROM Account ORDER BY Industry", `[{"Name":"Émile_x"},{"Name":"Acme"},{"Name":"beta 50%"}]`},
		{"nulls first descending", "SELECT Name FROM Account ORDER BY Industry DESC", `[{"Name":"Émile_x"},{"Name":"beta 50%"},{"Name":"Acme"}]`},
		{"nulls last", "SELECT Name FROM Account ORDER BY Industry DESC NULLS LAST", `[{"Name":"beta 50%"},{"Name":"Acme"},{"Name":"Émile_x"}]`},
		{"order without case", "SELECT Name FROM Account ORDER BY Name DESC", `[{"Name":"Émile_x"},{"Name":"beta 50%"},{"Name":"Acme"}]`},
		{"limit and offset", "SELECT Name FROM Account ORDER BY Name LIMIT 1 OFFSET 1", `[{"Name":"beta 50%"}]`},
		{"limit zero", "SELECT Name FROM Account LIMIT 0", `[]`},
		{"parent nests", "SELECT LastName, Account.Name, Account.Owner.Alias FROM Contact WHERE LastName = 'Zed'", `[{"LastName":"Zed","Account":{"Name":"beta 50%","Owner":{"Alias":"aadmin"}}}]`},
		{"null parent is null", "SELECT LastName, Account.Name FROM Contact WHERE AccountId = null", `[{"LastName":"Lone","Account":null}]`},
		{"parent in a condition", "SELECT LastName FROM Contact WHERE Account.Parent.Name = 'acme'", `[{"LastName":"Zed"}]`},
		{"entity as prefix, and alias", "SELECT Contact.LastName, c.Account.Name FROM Contact c WHERE c.LastName = 'Zed'", `[{"LastName":"Zed","Account":{"Name":"beta 50%"}}]`},
		{"alias of a relationship", "SELECT c.LastName, a.Name FROM Contact c, c.Account a WHERE a.Name = 'Acme'", `[{"LastName":"O'Brien","Account":{"Name":"Acme"}}]`},
		{"children", "SELECT Name, (SELECT LastName FROM Contacts) FROM Account ORDER BY Name LIMIT 1", `[{"Name":"Acme","Contacts":{"totalSize":1,"done":true,"records":[{"LastName":"O'Brien"}]}}]`},
		{"no children is null", "SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Name LIKE 'É%'", `[{"Name":"Émile_x","Contacts":null}]`},
		{
			"children of children", "SELECT Name, (SELECT LastName, (SELECT Subject FROM Cases ORDER BY Subject LIMIT 1) FROM Contacts) FROM Account WHERE Name = 'Acme'",
			`[{"Name":"Acme","Contacts":{"totalSize":1,"done":true,"records":[{"LastName":"O'Brien","Cases":{"totalSize":1,"done":true,"records":[{"Subject":"One"}]}}]}}]`,
		},
		{"semi-join", "SELECT LastName FROM Contact WHERE Id IN (SELECT ContactId FROM Case WHERE IsClosed = false)", `[{"LastName":"O'Brien"}]`},
		{"anti-join ignores nulls", "SELECT LastName FROM Contact WHERE Id NOT IN (SELECT ContactId FROM Case) ORDER BY LastName", `[{"LastName":"Lone"},{"LastName":"Zed"}]`},
		{"15-character id", "SELECT Name FROM Account WHERE Id = '001000000000001'", `[{"Name":"Acme"}]`},
		{"18-character id in any case", "SELECT Name FROM Account WHERE Id = '001000000000001aaa'", `[{"Name":"Acme"}]`},
		{"ids compare", "SELECT Name FROM Account WHERE Id > '001000000000001AAA' ORDER BY Id LIMIT 1", `[{"Name":"beta 50%"}]`},
		{"polymorphic owner", "SELECT Subject, Owner.Name, Owner.Type FROM Case WHERE Owner.Type = 'Group'", `[{"Subject":"Three","Owner":{"Name":"Support","Type":"Group"}}]`},
		{"TYPEOF", "SELECT TYPEOF Owner WHEN User THEN Alias ELSE Name END FROM Case ORDER BY Subject", `[{"Owner":{"Alias":"aadmin"}},{"Owner":{"Name":"Support"}},{"Owner":{"Alias":"aadmin"}}]`},
		{"boolean", "SELECT Subject, IsClosed FROM Case WHERE IsClosed = TRUE", `[{"Subject":"Two","IsClosed":true}]`},
		{"datetime form", "SELECT CreatedDate FROM Account LIMIT 1", `[{"CreatedDate":"2026-11-18T15:30:00.000+0000"}]`},
		{"datetime with an offset", "SELECT Name FROM Account WHERE CreatedDate = 2026-11-18T16:30:00+01:00 AND Name = 'Acme'", `[{"Name":"Acme"}]`},
		{"datetime today", "SELECT Subject FROM Case WHERE CreatedDate = TODAY AND CreatedDate = THIS_FISCAL_QUARTER AND Subject = 'One'", `[{"Subject":"One"}]`},
		{"before today is none", "SELECT Subject FROM Case WHERE CreatedDate < TODAY", `[]`},
		{"after today is none", "SELECT Subject FROM Case WHERE CreatedDate > TODAY", `[]`},
		{"date yesterday", "SELECT LastName FROM Contact WHERE Birthdate = YESTERDAY", `[{"LastName":"Zed"}]`},
		{"date in a span", "SELECT LastName FROM Contact WHERE Birthdate = LAST_N_DAYS:1", `[{"LastName":"Zed"}]`},
		{"date not in a span holds for null", "SELECT LastName FROM Contact WHERE Birthdate != THIS_YEAR ORDER BY LastName", `[{"LastName":"Lone"},{"LastName":"O'Brien"}]`},
		{"date in a list of literals", "SELECT LastName FROM Contact WHERE Birthdate IN (TODAY, 1990-05-01)", `[{"LastName":"O'Brien"}]`},
		{"count field", "SELECT COUNT(Industry) FROM Account", `[{"expr0":2}]`},
		{"aggregates", "SELECT COUNT(Id) n, SUM(AnnualRevenue), MIN(Name), AVG(NumberOfEmployees) FROM Account", `[{"n":3,"expr0":3500.5,"expr1":"Acme","expr2":20.0}]`},
		{"count distinct without case", "SELECT COUNT_DISTINCT(Status) d FROM Case", `[{"d":2}]`},
		{"group by", "SELECT Status, COUNT(Id) FROM Case GROUP BY Status ORDER BY COUNT(Id) DESC", `[{"Status":"New","expr0":2},{"Status":"Closed","expr0":1}]`},
		{"group by parent", "SELECT Contact.LastName, COUNT(Id) n FROM Case GROUP BY Contact.LastName ORDER BY Contact.LastName", `[{"LastName":null,"n":1},{"LastName":"O'Brien","n":2}]`},
		{
			"rollup", "SELECT Status s, Priority p, COUNT(Id) n, GROUPING(Priority) g FROM Case GROUP BY ROLLUP(Status, Priority) ORDER BY GROUPING(Status), Status, GROUPING(Priority)",
			`[{"s":"New","p":"Medium","n":2,"g":0},{"s":"New","p":null,"n":2,"g":1},{"s":"Closed","p":"High","n":1,"g":0},{"s":"Closed","p":null,"n":1,"g":1},{"s":null,"p":null,"n":3,"g":1}]`,
		},
		{
			"cube", "SELECT Status s, Priority p, COUNT(Id) n FROM Case WHERE Subject != 'Three' GROUP BY CUBE(Status, Priority) HAVING COUNT(Id) = 1 AND Status = 'new' ORDER BY GROUPING(Priority) LIMIT 5",
			`[{"s":"New","p":"Medium","n":1},{"s":"New","p":null,"n":1}]`,
		},
		{"having", "SELECT Status FROM Case GROUP BY Status HAVING COUNT(Id) > 1", `[{"Status":"New"}]`},
		{"date function", "SELECT CALENDAR_YEAR(CreatedDate) y, COUNT(Id) n FROM Case GROUP BY CALENDAR_YEAR(CreatedDate)", `[{"y":2026,"n":3}]`},
		{"date functions in a condition", "SELECT Subject FROM Case WHERE DAY_IN_WEEK(CreatedDate) = 4 AND HOUR_IN_DAY(CreatedDate) = 15 AND CALENDAR_QUARTER(CreatedDate) = 4 AND DAY_ONLY(CreatedDate) = 2026-11-18 AND Subject = 'One'", `[{"Subject":"One"}]`},
		{"convertTimezone", "SELECT HOUR_IN_DAY(convertTimezone(CreatedDate)) h FROM Case GROUP BY HOUR_IN_DAY(convertTimezone(CreatedDate))", `[{"h":15}]`},
		{"toLabel and FORMAT", "SELECT toLabel(Status), FORMAT(CreatedDate) FROM Case WHERE toLabel(Status) = 'closed'", `[{"Status":"Closed","CreatedDate":"11/18/2026, 3:30 PM"}]`},
		{"FIELDS(CUSTOM)", "SELECT FIELDS(CUSTOM) FROM Account WHERE Name = 'Acme' LIMIT 1", `[{"Phone_E164__c":null,"Ext__c":null}]`},
		{"scope mine", "SELECT Subject FROM Case USING SCOPE mine ORDER BY Subject", `[{"Subject":"One"},{"Subject":"Two"}]`},
		{"arithmetic", "SELECT Name FROM Account WHERE AnnualRevenue + NumberOfEmployees = 1010", `[{"Name":"Acme"}]`},
		{"case numbers count up", "SELECT CaseNumber FROM Case ORDER BY CaseNumber DESC LIMIT 1", `[{"CaseNumber":"00001003"}]`},
		{"contact inherits the account of its case", "SELECT Account.Name FROM Case WHERE Subject = 'One'", `[{"Account":{"Name":"Acme"}}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			status, body := o.soql(c.q)
			if status != http.StatusOK {
				t.Fatalf("%s: %d %s", c.q, status, body)
			}
			var res struct {
				Total   int             `json:"totalSize"`
				Records json.RawMessage `json:"records"`
			}
			if err := json.Unmarshal([]byte(body), &res); err != nil {
				t.Fatal(err)
			}
			if got := strip(t, string(res.Records)); got != strip(t, c.want) {
				t.Errorf("%s\n got %s\nwant %s", c.q, got, c.want)
			}
		})
	}
}

func TestSOQLShapes(t *testing.T) {
	t.Parallel()
	o := sampleOrg(t)
	for q, want := range map[string]string{
		"SELECT COUNT() FROM Account":         `{"totalSize":3,"done":true,"records":[]}`,
		"SELECT COUNT() FROM Account LIMIT 2": `{"totalSize":2,"done":true,"records":[]}`,
		"SELECT Id FROM Account WHERE Name = 'Acme'": `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"Account",` +
			`"url":"/services/data/v60.0/sobjects/Account/001000000000001AAA"},"Id":"001000000000001AAA"}]}`,
		"SELECT COUNT(Id) FROM Account": `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"AggregateResult"},"expr0":3}]}`,
		"SELECT Owner.Name FROM Case WHERE Subject = 'Three'": `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"Case",` +
			`"url":"/services/data/v60.0/sobjects/Case/500000000000003AAA"},"Owner":{"attributes":{"type":"Name",` +
			`"url":"/services/data/v60.0/sobjects/Group/00G000000000001EAA"},"Name":"Support"}}]}`,
	} {
		if _, body := o.soql(q); body != want {
			t.Errorf("%s\n got %s\nwant %s", q, body, want)
		}
	}
}

func TestSOQLErrors(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for _, c := range []struct{ q, code, message string }{
		{"SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"},
		{"SELECT Id FROM Bad", "INVALID_TYPE", "\nSELECT Id FROM Bad\n               ^\nERROR at Row:1:Column:16\nsObject type 'Bad' is not supported. " + adviceEntity},
		{"SELECT Foo FROM Account", "INVALID_FIELD", "\nSELECT Foo FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column 'Foo' on entity 'Account'. " + adviceField},
		{"SELECT Id FROM Contact WHERE Foo.Name = 'x'", "INVALID_FIELD", "\nSELECT Id FROM Contact WHERE Foo.Name = 'x'\n                             ^\nERROR at Row:1:Column:30\nDidn't understand relationship 'Foo' in field path. " + adviceRelationship},
		{"SELECT (SELECT Id FROM Foos) FROM Account", "INVALID_TYPE", ""},
		{"SELECT Id, Id FROM Account", "INVALID_FIELD", ""},
		{"SELECT Id FROM Account WHERE Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR", ""},
		{"SELECT Id FROM Account WHERE Id LIKE '001%'", "INVALID_QUERY_FILTER_OPERATOR", ""},
		{"SELECT Id FROM Account WHERE Name = 5", "INVALID_FIELD", ""},
		{"SELECT Id FROM Account WHERE CreatedDate = '2026-01-01'", "INVALID_FIELD", ""},
		{"SELECT Id FROM Account WHERE CreatedDate = 2026-01-01", "INVALID_FIELD", ""},
		{"SELECT Id FROM Account WHERE CreatedDate = 2026-13-41T00:00:00Z", "MALFORMED_QUERY", ""},
		{"SELECT Id FROM Account WHERE IsDeleted > true", "INVALID_QUERY_FILTER_OPERATOR", ""},
		{"SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", ""},
		{"SELECT Id FROM Account WHERE Name INCLUDES ('x')", "INVALID_QUERY_FILTER_OPERATOR", ""},
		{"SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS", "MALFORMED_QUERY", ""},
		{"SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"},
		{"SELECT Id FROM Account LIMIT -1", "MALFORMED_QUERY", ""},
		{"SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY", ""},
		{"SELECT Phone FROM Account GROUP BY Name", "MALFORMED_QUERY", ""},
		{"SELECT SUM(Name) FROM Account", "MALFORMED_QUERY", ""},
		{"SELECT Id FROM Account WHERE COUNT(Id) > 1", "MALFORMED_QUERY", ""},
		{"SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "The SOQL FIELDS function must have a LIMIT of at most 200"},
		{"SELECT Id FROM Account WHERE Id IN (SELECT Name FROM Contact)", "MALFORMED_QUERY", ""},
		{"SELECT Account.Account.Account.Account.Account.Account.Name FROM Contact", "MALFORMED_QUERY", ""},
		{"SELECT Id n FROM Account", "MALFORMED_QUERY", ""},
		{"SELECT Foo(Name) FROM Account", "INVALID_FIELD", ""},
		{"SELECT Id FROM Account USING SCOPE team", "INVALID_QUERY_SCOPE", ""},
		{"SELECT Id FROM Account WITH DATA CATEGORY a AT b", "INVALID_FIELD", ""},
		{"SELECT Comments FROM Case", "INVALID_FIELD", ""},
		{"SELECT GROUPING(Name), COUNT(Id) FROM Account GROUP BY Name", "MALFORMED_QUERY", ""},
		{"SELECT COUNT(Id) FROM Account GROUP BY CUBE(Name, Phone, Fax, Industry)", "MALFORMED_QUERY", ""},
		{"SELECT Name..x FROM Account", "INVALID_FIELD", ""},
		{"", "MALFORMED_QUERY", ""},
	} {
		status, body := o.soql(c.q)
		var list []apiError
		if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) != 1 || status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", c.q, status, body)
			continue
		}
		if list[0].Code != c.code || c.message != "" && list[0].Message != c.message {
			t.Errorf("%s\n got %s %q\nwant %s %q", c.q, list[0].Code, list[0].Message, c.code, c.message)
		}
	}
}

// TestLongQueries sends what is long but allowed, and what is past a bound, neither of which may fail inside.
func TestLongQueries(t *testing.T) {
	t.Parallel()
	o := sampleOrg(t)
	many := strings.Repeat("Name = 'x' OR ", 4000) + "Name = 'Acme'"
	if n, err := o.plan(many); err != nil || n != 1 {
		t.Errorf("4,001 conditions: %d, %v", n, err)
	}
	ids := strings.Repeat("'001000000000001AAA',", 4000) + "'001000000000002AAA'"
	if _, err := o.plan("Id IN (" + ids + ")"); err != nil {
		t.Errorf("4,001 ids: %v", err)
	}
	if _, err := o.plan("NumberOfEmployees IN (" + strings.Repeat("1,", 40_000) + "1)"); err == nil {
		t.Error("40,001 values are accepted")
	}
}

// plan compiles and runs a query for accounts with a condition, without the limits of a URL.
func (o *testOrg) plan(where string) (int, error) {
	p, err := o.planFor("SELECT Id FROM Account WHERE "+where, false, environment{zone: time.UTC})
	if err != nil {
		return 0, err
	}
	run := &runner{db: o.store, env: environment{now: fixedNow(), zone: time.UTC}}
	records, err := run.records(o.t.Context(), p, "")
	return len(records), err
}

func TestDeletedRecords(t *testing.T) {
	t.Parallel()
	o := sampleOrg(t)
	id := o.create("Account", `{"Name":"Gone"}`)
	if status, body := o.api(http.MethodDelete, "/sobjects/Account/"+id, ""); status != http.StatusNoContent || body != "" {
		t.Fatalf("delete: %d %s", status, body)
	}
	for path, want := range map[string]string{
		"/query?q=SELECT+COUNT()+FROM+Account+WHERE+Name='gone'":                        `"totalSize":0`,
		"/queryAll?q=SELECT+Name,IsDeleted+FROM+Account+WHERE+Name='gone'":              `"IsDeleted":true`,
		"/sobjects/Account/" + id:                                                       "ENTITY_IS_DELETED",
		"/sobjects/Account/deleted?start=2026-11-18T00:00:00Z&end=2026-11-19T00:00:00Z": `{"deletedDate":"2026-11-18T15:30:00.000+0000","id":"` + id + `"}`,
		"/sobjects/Account/updated?start=2026-11-18T00:00:00Z&end=2026-11-19T00:00:00Z": `{"ids":["001000000000001AAA","001000000000002AAA","001000000000003AAA"]`,
		"/sobjects/Account/updated?start=2026-11-18T00:00:00Z&end=2026-11-17T00:00:00Z": "INVALID_REPLICATION_DATE",
	} {
		if _, body := o.api(http.MethodGet, path, ""); !strings.Contains(body, want) {
			t.Errorf("%s: got %s, want %s", path, body, want)
		}
	}
	if status, body := o.api(http.MethodDelete, "/sobjects/Account/001000000000001AAA", ""); status != http.StatusBadRequest || !strings.Contains(body, "DELETE_FAILED") {
		t.Errorf("an account with cases went: %d %s", status, body)
	}
	if status, _ := o.api(http.MethodDelete, "/sobjects/Account/001000000000002AAA", ""); status != http.StatusNoContent {
		t.Errorf("an account without cases stays: %d", status)
	}
	if _, body := o.soql("SELECT COUNT() FROM Contact WHERE LastName = 'Zed'"); !strings.Contains(body, `"totalSize":0`) {
		t.Errorf("its contact stays: %s", body)
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	o := start(t, Options{})
	seen := map[string]bool{}
	next, pages := "/query?q=SELECT+Id+FROM+Contact", 0
	for next != "" {
		status, body := o.api(http.MethodGet, next, "", "Sforce-Query-Options", "batchSize=300")
		var res struct {
			Total   int    `json:"totalSize"`
			Done    bool   `json:"done"`
			Next    string `json:"nextRecordsUrl"`
			Records []struct{ ID string }
		}
		if err := json.Unmarshal([]byte(body), &res); err != nil || status != http.StatusOK || res.Total != seedContacts {
			t.Fatalf("page %d: %d %.300s", pages, status, body)
		}
		if pages++; res.Done != (res.Next == "") || len(res.Records) > 300 {
			t.Fatalf("page %d: done %v with next %q and %d records", pages, res.Done, res.Next, len(res.Records))
		}
		for _, r := range res.Records {
			seen[r.ID] = true
		}
		next = strings.TrimPrefix(res.Next, "/services/data/v60.0")
	}
	if pages != 4 || len(seen) != seedContacts {
		t.Errorf("got %d records on %d pages, want %d on 4", len(seen), pages, seedContacts)
	}
	if status, body := o.api(http.MethodGet, "/query/0r8000000000099AAA-300", ""); status != 400 || !strings.Contains(body, "INVALID_QUERY_LOCATOR") {
		t.Errorf("unknown locator: %d %s", status, body)
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	_, body := o.api(http.MethodGet, "/query?columns=true&q=SELECT+Id,Account.Name,(SELECT+Id+FROM+Cases)+FROM+Contact", "")
	for _, want := range []string{`"entityName":"Contact"`, `"keyPrefix":"003"`, `"idSelected":true`, `"columnName":"Account"`, `"foreignKeyName":"Account"`, `"columnName":"Cases"`} {
		if !strings.Contains(body, want) {
			t.Errorf("lacks %s: %s", want, body)
		}
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	o := sampleOrg(t)
	o.create("Contact", `{"LastName":"Uk","Phone":"+44 (0)20 7946 0018"}`)
	o.create("Contact", `{"LastName":"Zero","Phone":"0044 20 7946 0019"}`)
	for _, c := range []struct{ q, want string }{
		{"FIND {4155550101} IN PHONE FIELDS RETURNING Contact(LastName)", `[{"LastName":"O'Brien"}]`},
		{"FIND {5550101} IN Phone FIELDS RETURNING Contact(LastName)", `[{"LastName":"O'Brien"}]`},
		{`FIND {\(415\) 555\-0102} IN PHONE FIELDS RETURNING Contact(LastName)`, `[{"LastName":"Zed"}]`},
		{"FIND {2079460018} IN PHONE FIELDS RETURNING Contact(LastName)", `[{"LastName":"Uk"}]`},
		{"FIND {442079460019} IN PHONE FIELDS RETURNING Contact(LastName)", `[{"LastName":"Zero"}]`},
		{"FIND {415555*} IN PHONE FIELDS RETURNING Account(Name), Contact(LastName ORDER BY LastName)", `[{"Name":"Acme"},{"LastName":"Zed"}]`},
		{"FIND {brien} IN NAME FIELDS RETURNING Contact(Name)", `[{"Name":"Ana O'Brien"}]`},
		{"FIND {ACM*} IN ALL FIELDS RETURNING Account(Name)", `[{"Name":"Acme"}]`},
		{`FIND {"ana o brien"} RETURNING Contact(LastName)`, `[{"LastName":"O'Brien"}]`},
		{"FIND {ana AND brien} RETURNING Contact(LastName)", `[{"LastName":"O'Brien"}]`},
		{"FIND {ana AND NOT brien} RETURNING Contact(LastName)", `[]`},
		{"FIND {zed OR lone} RETURNING Contact(LastName WHERE AccountId = null)", `[{"LastName":"Lone"}]`},
		{"FIND {zed OR lone} RETURNING Contact(LastName ORDER BY LastName LIMIT 1)", `[{"LastName":"Lone"}]`},
		{"FIND {acme} LIMIT 1", `[{"Id":"001000000000001AAA"}]`},
		{"FIND {nothing}", `[]`},
	} {
		status, body := o.api(http.MethodGet, "/search/?q="+strings.NewReplacer(" ", "+", `"`, "%22", "{", "%7B", "}", "%7D", `\`, "%5C").Replace(c.q), "")
		var res struct {
			Records json.RawMessage `json:"searchRecords"`
		}
		if err := json.Unmarshal([]byte(body), &res); err != nil || status != http.StatusOK {
			t.Errorf("%s: %d %s", c.q, status, body)
			continue
		}
		if got := strip(t, string(res.Records)); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.q, got, c.want)
		}
	}
	for q, code := range map[string]string{"": "MALFORMED_SEARCH", "FIND+%7Bx%7D": "MALFORMED_SEARCH", "FIND+%7Bxy%7D+RETURNING+Bad": "INVALID_TYPE", "FIND+%7Bxy%7D+RETURNING+Contact(Bad)": "INVALID_FIELD"} {
		if status, body := o.api(http.MethodGet, "/search?q="+q, ""); status != 400 || !strings.Contains(body, code) {
			t.Errorf("%s: %d %s, want %s", q, status, body, code)
		}
	}
	if _, body := o.api(http.MethodPost, "/parameterizedSearch", `{"q":"acme","in":"NAME","sobjects":[{"name":"Account","fields":["Name"]}]}`); !strings.Contains(body, `"Name":"Acme"`) {
		t.Errorf("parameterized: %s", body)
	}
}

func FuzzQuery(f *testing.F) {
	o := start(f, Options{Seed: SeedNone})
	for _, seed := range []string{
		"SELECT Id, Account.Name, (SELECT Id FROM Cases) FROM Contact WHERE Name LIKE 'a%' ORDER BY Name LIMIT 1",
		"SELECT COUNT(Id), Status FROM Case GROUP BY Status HAVING COUNT(Id) > 1",
		"SELECT TYPEOF Owner WHEN User THEN Alias END FROM Case WHERE CreatedDate = LAST_N_DAYS:3 AND (NOT Owner.Name = 'x')",
		"SELECT FIELDS(ALL) FROM Account WHERE Id IN (SELECT AccountId FROM Contact) LIMIT 1",
		"SELECT DAY_ONLY(convertTimezone(CreatedDate)) FROM Task GROUP BY DAY_ONLY(convertTimezone(CreatedDate))",
		"SELECT BillingAddress, DISTANCE(BillingAddress, GEOLOCATION(1, -2.5), 'km') d FROM Account WHERE DISTANCE(ShippingAddress, GEOLOCATION(1, 2), 'mi') < 5 ORDER BY DISTANCE(BillingAddress, GEOLOCATION(1, 2), 'mi')",
		"SELECT TaskWhoIds, TYPEOF What WHEN Case THEN Contact.Name, Subject ELSE Name, Email END, Who.Type FROM Task USING SCOPE delegated WHERE What.Type = 'Case'",
		"SELECT MIN(Status), GROUPING(Priority), MAX(Subject) FROM Case GROUP BY ROLLUP(Priority, Status) HAVING MIN(Status) = 'New' ORDER BY MAX(Priority), Status DESC NULLS LAST",
		"SELECT FORMAT(CreatedDate) f, toLabel(Industry), FORMAT(AnnualRevenue) FROM Account ORDER BY Rating, Owner.Profile.Name",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, q string) {
		p, err := o.planFor(q, false, environment{zone: fixedNow().Location()})
		if err != nil {
			return
		}
		run := &runner{db: o.store, env: environment{now: fixedNow(), zone: fixedNow().Location()}, base: ""}
		records, err := run.records(t.Context(), p, "")
		if err != nil {
			t.Fatalf("%q compiled to %s, which failed: %v", q, p.sql, err)
		}
		for _, r := range records {
			if !json.Valid(r) {
				t.Fatalf("%q: no JSON: %s", q, r)
			}
		}
	})
}

func BenchmarkQuery(b *testing.B) {
	o := start(b, Options{})
	for name, q := range map[string]func(i int) string{
		"LikePhone": func(i int) string {
			return fmt.Sprintf("/query?q=SELECT+Id,Name,Account.Name+FROM+Contact+WHERE+Phone+LIKE+'%%25%d%%25555%%25%d'+LIMIT+1", 201+(i*37)%780, 100+i%100)
		},
		"ById": func(i int) string {
			return "/query?q=SELECT+Id,Name+FROM+Contact+WHERE+Id='" + makeID("003", int64(1+i%1000)) + "'"
		},
		"SearchPhone": func(i int) string {
			return fmt.Sprintf("/search?q=FIND+%%7B%d5550%d%%7D+IN+PHONE+FIELDS+RETURNING+Contact(Id,Name)", 201+(i*37)%780, 100+i%100)
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if status, body := o.api(http.MethodGet, q(i), ""); status != http.StatusOK {
						b.Fatal(body)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

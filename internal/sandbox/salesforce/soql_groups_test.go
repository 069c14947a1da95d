package salesforce

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestMeaningOfGroups(t *testing.T) {
	t.Parallel()
	meaningOrg(t).means(t, []meaning{
		{"COUNT() has no records", "SELECT COUNT() FROM Account", `[]`},
		{"COUNT of a field leaves nulls out", "SELECT COUNT(Industry), COUNT(Id), COUNT(NumberOfEmployees) FROM Account", `[{"expr0":3,"expr1":4,"expr2":2}]`},
		{"COUNT_DISTINCT without case and nulls", "SELECT COUNT_DISTINCT(Industry) n FROM Account", `[{"n":2}]`},
		{"names count the columns without an alias alone", "SELECT COUNT(Id), MAX(Name) m, MIN(Name) FROM Account WHERE Name < 'c'", `[{"expr0":2,"m":"beta 50%","expr1":"Acme"}]`},
		{"SUM, AVG, MIN and MAX of whole numbers", "SELECT SUM(NumberOfEmployees) s, AVG(NumberOfEmployees) a, MIN(NumberOfEmployees) i, MAX(NumberOfEmployees) x FROM Account", `[{"s":40,"a":20.0,"i":10,"x":30}]`},
		{"SUM, AVG, MIN and MAX of money", "SELECT SUM(AnnualRevenue) s, AVG(AnnualRevenue) a, MIN(AnnualRevenue) i, MAX(AnnualRevenue) x FROM Account WHERE Name IN ('Acme', 'beta 50%')", `[{"s":1.2346678E7,"a":6173339.0,"i":1000.0,"x":1.2345678E7}]`},
		{"MIN and MAX of days", "SELECT MIN(Birthdate) i, MAX(Birthdate) x FROM Contact", `[{"i":"1990-05-01","x":"2026-11-17"}]`},
		{"MAX of moments", "SELECT MAX(CreatedDate) x FROM Contact", `[{"x":"2026-11-18T15:30:00.000+0000"}]`},
		{"MIN and MAX of texts without case", "SELECT MIN(Name) i, MAX(Name) x FROM Account WHERE Name != 'Émile_x'", `[{"i":"Acme","x":"zeta"}]`},
		{"MIN and MAX of picklists by their definition", "SELECT MIN(Rating) i, MAX(Rating) x FROM Account", `[{"i":"Hot","x":"Cold"}]`},
		{"aggregates of nothing", "SELECT COUNT(Id) n, SUM(AnnualRevenue) s, MAX(Name) x FROM Account WHERE Name = 'none'", `[{"n":0,"s":null,"x":null}]`},
		{"groups of nothing", "SELECT Industry, COUNT(Id) n FROM Account WHERE Name = 'none' GROUP BY Industry", `[]`},
		{"GROUP BY", "SELECT Industry, COUNT(Id) FROM Account GROUP BY Industry ORDER BY Industry", `[{"Industry":null,"expr0":1},{"Industry":"Energy","expr0":2},{"Industry":"Media","expr0":1}]`},
		{"GROUP BY without its field in SELECT", "SELECT COUNT(Id) n FROM Account GROUP BY Industry ORDER BY COUNT(Id) DESC, Industry NULLS LAST", `[{"n":2},{"n":1},{"n":1}]`},
		{"GROUP BY without aggregates", "SELECT Industry FROM Account GROUP BY Industry ORDER BY Industry NULLS LAST", `[{"Industry":"Energy"},{"Industry":"Media"},{"Industry":null}]`},
		{"an alias of a grouped field", "SELECT Industry trade, COUNT(Id) n FROM Account WHERE Industry != null GROUP BY Industry ORDER BY Industry LIMIT 1", `[{"trade":"Energy","n":2}]`},
		{"GROUP BY two fields", "SELECT Status, Priority, COUNT(Id) n FROM Case GROUP BY Status, Priority ORDER BY Status", `[{"Status":"New","Priority":"Medium","n":2},{"Status":"Closed","Priority":"High","n":1}]`},
		{"GROUP BY a parent's field", "SELECT Account.Industry, COUNT(Id) n FROM Contact GROUP BY Account.Industry ORDER BY Account.Industry", `[{"Industry":null,"n":1},{"Industry":"Energy","n":1},{"Industry":"Media","n":1}]`},
		{"GROUP BY a date function", "SELECT CALENDAR_YEAR(Birthdate) y, COUNT(Id) n FROM Contact WHERE Birthdate != null GROUP BY CALENDAR_YEAR(Birthdate) ORDER BY CALENDAR_YEAR(Birthdate)", `[{"y":1990,"n":1},{"y":2026,"n":1}]`},
		{"a date function without an alias", "SELECT CALENDAR_YEAR(Birthdate), COUNT(Id) FROM Contact WHERE Birthdate < TODAY GROUP BY CALENDAR_YEAR(Birthdate) ORDER BY CALENDAR_YEAR(Birthdate) DESC LIMIT 1", `[{"expr0":2026,"expr1":1}]`},
		{"a date function that is not grouped by", "SELECT CALENDAR_YEAR(Birthdate), COUNT(Id) FROM Contact GROUP BY CALENDAR_MONTH(Birthdate)", "!MALFORMED_QUERY Field must be grouped or aggregated"},
		{"HAVING an aggregate", "SELECT Industry FROM Account GROUP BY Industry HAVING COUNT(Id) > 1", `[{"Industry":"Energy"}]`},
		{"HAVING a grouped field", "SELECT Industry, COUNT(Id) n FROM Account GROUP BY Industry HAVING Industry LIKE 'm%' OR Industry = null ORDER BY Industry", `[{"Industry":null,"n":1},{"Industry":"Media","n":1}]`},
		{"HAVING MAX of a text without case", "SELECT Industry FROM Account GROUP BY Industry HAVING MAX(Name) = 'ZETA'", `[{"Industry":"Energy"}]`},
		{"HAVING a field that is not grouped by", "SELECT Industry FROM Account GROUP BY Industry HAVING Name = 'x'", "!MALFORMED_QUERY Field must be grouped or aggregated: Name"},
		{"HAVING without GROUP BY", "SELECT COUNT(Id) FROM Account HAVING COUNT(Id) > 1", "!MALFORMED_QUERY unexpected token: 'HAVING'"},
		{"a field that is not grouped by", "SELECT Name, COUNT(Id) FROM Account GROUP BY Industry", "!MALFORMED_QUERY Field must be grouped or aggregated: Name"},
		{"a field beside an aggregate", "SELECT Name, COUNT(Id) FROM Account", "!MALFORMED_QUERY Field must be grouped or aggregated: Name"},
		{"a limit without groups", "SELECT MAX(Name) FROM Account LIMIT 1", "!MALFORMED_QUERY Non-grouped query that uses overall aggregate functions cannot also use LIMIT"},
		{"children in a grouped query", "SELECT Industry, (SELECT Id FROM Contacts) FROM Account GROUP BY Industry", "!MALFORMED_QUERY Grouped query cannot use child relationships in the SELECT list"},
		{"two columns of one name", "SELECT Name, Account.Name FROM Contact GROUP BY Name, Account.Name", "!MALFORMED_QUERY duplicate alias: Name"},
		{"an alias twice", "SELECT COUNT(Id) n, MAX(Name) N FROM Account", "!MALFORMED_QUERY duplicate alias: N"},
		{"an alias that is a name of the platform's", "SELECT COUNT(Id) expr0, MAX(Name) FROM Account", "!MALFORMED_QUERY duplicate alias: expr0"},
		{"COUNT() with order", "SELECT COUNT() FROM Account ORDER BY Name", "!MALFORMED_QUERY"},
		{"COUNT() beside a field", "SELECT COUNT(), Name FROM Account", "!MALFORMED_QUERY unexpected token: ','"},
		{"SUM of a text", "SELECT SUM(Name) FROM Account", "!MALFORMED_QUERY field Name does not support aggregate operator SUM"},
		{"SUM of days", "SELECT SUM(Birthdate) FROM Contact", "!MALFORMED_QUERY field Birthdate does not support aggregate operator SUM"},
		{"MAX of a boolean", "SELECT MAX(IsClosed) FROM Case", "!MALFORMED_QUERY field IsClosed does not support aggregate operator MAX"},
		{"COUNT of long text", "SELECT COUNT(Description) FROM Case", "!MALFORMED_QUERY field Description does not support aggregate operator COUNT"},
		{"GROUP BY a moment", "SELECT CreatedDate FROM Case GROUP BY CreatedDate", "!MALFORMED_QUERY field 'CreatedDate' can not be grouped in a query call"},
		{"GROUP BY money", "SELECT AnnualRevenue FROM Account GROUP BY AnnualRevenue", "!MALFORMED_QUERY field 'AnnualRevenue' can not be grouped in a query call"},
		{"GROUP BY multi-select picklists", "SELECT Channels__c FROM Account GROUP BY Channels__c", "!MALFORMED_QUERY field 'Channels__c' can not be grouped in a query call"},
		{"GROUP BY a compound", "SELECT COUNT(Id) FROM Account GROUP BY BillingAddress", "!MALFORMED_QUERY field 'BillingAddress' can not be grouped in a query call"},
		{
			"ROLLUP", "SELECT Status s, Priority p, GROUPING(Status) gs, GROUPING(Priority) gp, COUNT(Id) n FROM Case GROUP BY ROLLUP(Status, Priority) ORDER BY GROUPING(Status), Status, GROUPING(Priority)",
			`[{"s":"New","p":"Medium","gs":0,"gp":0,"n":2},{"s":"New","p":null,"gs":0,"gp":1,"n":2},{"s":"Closed","p":"High","gs":0,"gp":0,"n":1},{"s":"Closed","p":null,"gs":0,"gp":1,"n":1},{"s":null,"p":null,"gs":1,"gp":1,"n":3}]`,
		},
		{
			"CUBE", "SELECT Status s, Priority p, COUNT(Id) n FROM Case GROUP BY CUBE(Status, Priority) ORDER BY GROUPING(Status), GROUPING(Priority), Status, Priority",
			`[{"s":"New","p":"Medium","n":2},{"s":"Closed","p":"High","n":1},{"s":"New","p":null,"n":2},{"s":"Closed","p":null,"n":1},{"s":null,"p":"High","n":1},{"s":null,"p":"Medium","n":2},{"s":null,"p":null,"n":3}]`,
		},
		{"a null and a subtotal are told apart by GROUPING", "SELECT Industry i, GROUPING(Industry) g, COUNT(Id) n FROM Account GROUP BY ROLLUP(Industry) HAVING Industry = null ORDER BY GROUPING(Industry)", `[{"i":null,"g":0,"n":1},{"i":null,"g":1,"n":4}]`},
		{"GROUPING without ROLLUP", "SELECT GROUPING(Industry), COUNT(Id) FROM Account GROUP BY Industry", "!MALFORMED_QUERY GROUPING needs a field of GROUP BY ROLLUP or CUBE"},
		{"four fields of a CUBE", "SELECT COUNT(Id) FROM Account GROUP BY CUBE(Name, Phone, Fax, Industry)", "!MALFORMED_QUERY CUBE takes 3 fields at most"},
	})
}

// TestManyGroups: an aggregate query has one page.
func TestManyGroups(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.manyContacts(t, 2001)
	const q = "SELECT Email, COUNT(Id) n FROM Contact GROUP BY Email ORDER BY Email"
	status, body := o.soql(q)
	o.judge(t, meaning{q: q, want: "!EXCEEDED_ID_LIMIT Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"}, status, body, "records")
	if status, body := o.soql(q + " LIMIT 2000"); status != http.StatusOK || !strings.Contains(body, `"totalSize":2000,"done":true`) {
		t.Errorf("%d %.200s", status, body)
	}
}

// manyContacts stores contacts with an address of mail each.
func (o *testOrg) manyContacts(t *testing.T, n int) {
	t.Helper()
	obj := o.schema.object("Contact")
	err := o.store.update(t.Context(), func(tx *sql.Tx) error {
		for i := range n {
			r := record{"LastName": "C", "Email": fmt.Sprintf("c%d@customers.example", i)}
			if _, err := o.Org.create(t.Context(), tx, o.admin, obj, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestChildPages: lists of children that are longer than a batch go on at an address of their own, and children count as
// rows of the page their parents are on.
func TestChildPages(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	big := o.create("Account", `{"Name":"Big"}`)
	small := o.create("Account", `{"Name":"Small"}`)
	for _, part := range []struct {
		account string
		n       int
	}{{big, 450}, {small, 150}} {
		for from := 0; from < part.n; from += 150 {
			records := make([]string, 150)
			for i := range records {
				records[i] = fmt.Sprintf(`{"attributes":{"type":"Contact"},"LastName":"C%03d","AccountId":%q}`, from+i, part.account)
			}
			if status, body := o.api(http.MethodPost, "/composite/sobjects", `{"records":[`+strings.Join(records, ",")+`]}`); status != http.StatusOK {
				t.Fatalf("%d %.300s", status, body)
			}
		}
	}
	type list struct {
		Total   int    `json:"totalSize"`
		Done    bool   `json:"done"`
		Next    string `json:"nextRecordsUrl"`
		Records []struct {
			Name, LastName string
			Contacts       *childPage `json:"Contacts"`
		} `json:"records"`
	}
	get := func(path string) (out list) {
		t.Helper()
		status, body := o.api(http.MethodGet, strings.TrimPrefix(path, "/services/data/v60.0"), "", "Sforce-Query-Options", "batchSize=200")
		if err := json.Unmarshal([]byte(body), &out); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %.300s", path, status, body)
		}
		return out
	}
	page := get("/query?q=" + url.QueryEscape("SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account ORDER BY Name"))
	if page.Total != 2 || page.Done || len(page.Records) != 1 || page.Records[0].Name != "Big" {
		t.Fatalf("the first page: %+v", page)
	}
	seen, inner := 0, page.Records[0].Contacts
	if inner.Total != 450 || inner.Done || len(inner.Records) != 200 {
		t.Fatalf("children: %d of %d, done %v", len(inner.Records), inner.Total, inner.Done)
	}
	for _, r := range inner.Records {
		if want := fmt.Sprintf("C%03d", seen); r.LastName != want {
			t.Fatalf("child %s instead of %s", r.LastName, want)
		}
		seen++
	}
	for next := inner.Next; next != ""; {
		rest := get(next)
		for _, r := range rest.Records {
			if want := fmt.Sprintf("C%03d", seen); r.LastName != want {
				t.Fatalf("child %s instead of %s", r.LastName, want)
			}
			seen++
		}
		next = rest.Next
	}
	if seen != 450 {
		t.Errorf("%d children instead of 450", seen)
	}
	last := get(page.Next)
	if !last.Done || len(last.Records) != 1 || last.Records[0].Name != "Small" || !last.Records[0].Contacts.Done || len(last.Records[0].Contacts.Records) != 150 {
		t.Errorf("the last page: %+v", last)
	}
}

// childPage is a list of children.
type childPage struct {
	Total   int                         `json:"totalSize"`
	Done    bool                        `json:"done"`
	Next    string                      `json:"nextRecordsUrl"`
	Records []struct{ LastName string } `json:"records"`
}

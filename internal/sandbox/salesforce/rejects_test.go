package salesforce

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestSchemaRejects are queries the grammar takes and the platform refuses for what the fields are or where a part stands.
func TestSchemaRejects(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, Custom: []CustomObject{{
		Name: "Account", Fields: []CustomField{{Name: "Channels__c", Type: "multipicklist", Values: []string{"Phone"}}},
	}}})
	for _, c := range []struct{ q, code, message string }{
		{"SELECT Id FROM Case WHERE Description LIKE '%x%'", "INVALID_FIELD", "field 'Description' can not be filtered in a query call"},
		{"SELECT Id FROM Case ORDER BY Description", "INVALID_FIELD", "field 'Description' can not be sorted in a query call"},
		{"SELECT Description FROM Case GROUP BY Description", "MALFORMED_QUERY", "field 'Description' can not be grouped in a query call"},
		{"SELECT COUNT(Description) FROM Case", "MALFORMED_QUERY", "field Description does not support aggregate operator COUNT"},
		{"SELECT CreatedDate FROM Case GROUP BY CreatedDate", "MALFORMED_QUERY", "field 'CreatedDate' can not be grouped in a query call"},
		{"SELECT CaseNumber FROM Case GROUP BY CaseNumber", "MALFORMED_QUERY", "field 'CaseNumber' can not be grouped in a query call"},
		{"SELECT AnnualRevenue FROM Account GROUP BY AnnualRevenue", "MALFORMED_QUERY", "field 'AnnualRevenue' can not be grouped in a query call"},
		{"SELECT MAX(IsClosed) FROM Case", "MALFORMED_QUERY", "field IsClosed does not support aggregate operator MAX"},
		{"SELECT Id FROM Account ORDER BY Channels__c", "INVALID_FIELD", "field 'Channels__c' can not be sorted in a query call"},
		{"SELECT Id FROM Account WHERE Name INCLUDES ('x')", "INVALID_QUERY_FILTER_OPERATOR", "includes and excludes operators are not valid on field 'Name'"},
		{"SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY", "Field must be grouped or aggregated: Name"},
		{"SELECT Name FROM Account GROUP BY Name HAVING Phone = '1'", "MALFORMED_QUERY", "Field must be grouped or aggregated: Phone"},
		{"SELECT Name FROM Account GROUP BY Name ORDER BY Phone", "MALFORMED_QUERY", "Ordered field must be grouped or aggregated: Phone"},
		{"SELECT COUNT(Id) FROM Account ORDER BY Name", "MALFORMED_QUERY", "Ordered field must be grouped or aggregated: Name"},
		{"SELECT Name FROM Account ORDER BY COUNT(Id)", "MALFORMED_QUERY", "aggregate function COUNT is not allowed here"},
		{"SELECT COUNT() FROM Account ORDER BY Name", "MALFORMED_QUERY", "Grouped or ordered query cannot use COUNT(): use COUNT(Id)"},
		{"SELECT COUNT() FROM Account GROUP BY Name", "MALFORMED_QUERY", "Grouped or ordered query cannot use COUNT(): use COUNT(Id)"},
		{"SELECT COUNT(Id) n, MAX(Name) N FROM Account", "MALFORMED_QUERY", "duplicate alias: N"},
		{"SELECT Id FROM Foo__c", "INVALID_TYPE", "sObject type 'Foo__c' is not supported. " + adviceEntity},
		{"SELECT Account.Foo FROM Contact", "INVALID_FIELD", "No such column 'Foo' on entity 'Account'. " + adviceField},
		{"SELECT Id FROM Contact WHERE Account = null", "INVALID_FIELD", "No such column 'Account' on entity 'Contact'. " + adviceField},
		{"SELECT Id FROM Contact ORDER BY Foo.Name", "INVALID_FIELD", "Didn't understand relationship 'Foo' in field path. " + adviceRelationship},
		{"SELECT Id, (SELECT Id FROM Contact) FROM Account", "INVALID_TYPE", "Didn't understand relationship 'Contact' in FROM part of query call. " + adviceRelationship},
		{"SELECT Id, (SELECT COUNT() FROM Contacts) FROM Account", "MALFORMED_QUERY", "only root queries support aggregate expressions"},
		{"SELECT Id, (SELECT Id FROM Contacts OFFSET 1) FROM Account", "MALFORMED_QUERY", "OFFSET is allowed in a sub-query only where the parent query has LIMIT 1"},
		{"SELECT Id, Id FROM Account", "INVALID_FIELD", "duplicate field selected: Id"},
		{"SELECT Id FROM Account WHERE Id IN (SELECT ContactId FROM Case)", "INVALID_FIELD", "should point to the same object type"},
		{"SELECT Id FROM Account WHERE Id IN (SELECT ParentId FROM Account)", "MALFORMED_QUERY", "The inner and outer selects should not be on the same object type"},
		{"SELECT Id FROM Account WHERE Name = 'x' OR Id IN (SELECT AccountId FROM Contact)", "MALFORMED_QUERY", "Semi join sub-selects are only allowed at the top level"},
		{"SELECT Id FROM Account WHERE (NOT Id IN (SELECT AccountId FROM Contact))", "MALFORMED_QUERY", "Semi join sub-selects are only allowed at the top level"},
		{"SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE Id IN (SELECT ContactId FROM Case))", "MALFORMED_QUERY", "Nesting of semi join sub-selects is not supported"},
		{"SELECT Id FROM Contact WHERE Id IN (SELECT ContactId FROM Case) AND AccountId IN (SELECT Id FROM Account) AND AccountId IN (SELECT AccountId FROM Case)", "MALFORMED_QUERY", "Maximum 2 semi join sub-selects are allowed"},
		{"SELECT Id FROM Contact WHERE Id IN (SELECT WhoId FROM Task)", "MALFORMED_QUERY", "Entity 'Task' is not supported for semi join inner selects"},
		{"SELECT Id FROM Call_Notice__e", "INVALID_TYPE_FOR_OPERATION", "entity type Call_Notice__e does not support query"},
		{"SELECT Id FROM Case WHERE CreatedDate = LAST_N_DAYS:99999999999999999999", "MALFORMED_QUERY", "greater than 10000"},
		{"SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"},
		{"SELECT Account.Parent.Parent.Parent.Parent.Parent.Name FROM Contact", "MALFORMED_QUERY", "Only parent-to-child relationships up to 5 levels are supported: shorten the path"},
		{"SELECT Id, (SELECT Id, (SELECT Id, (SELECT Id, (SELECT Id, (SELECT Id FROM Cases) FROM Cases) FROM Cases) FROM Cases) FROM Contacts) FROM Account", "MALFORMED_QUERY", "SOQL statements cannot query aggregate relationships more than 4 level away from the root entity object."},
	} {
		status, body := o.soql(c.q)
		var list []apiError
		if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) != 1 || status != http.StatusBadRequest {
			t.Errorf("%.150s: %d %.300s", c.q, status, body)
			continue
		}
		if list[0].Code != c.code || !strings.Contains(list[0].Message, c.message) {
			t.Errorf("%.150s\n got %s %q\nwant %s %q", c.q, list[0].Code, list[0].Message, c.code, c.message)
		}
	}
	deep := "SELECT Id, (SELECT Id, (SELECT Id FROM Cases) FROM Contacts) FROM Account"
	if status, body := o.soql(deep); status != http.StatusOK {
		t.Errorf("60.0: %d %s", status, body)
	}
	o.version = "v57.0"
	if status, body := o.api(http.MethodGet, "/query?q="+url.QueryEscape(deep), ""); status != http.StatusBadRequest || !strings.Contains(body, "more than 1 level away") {
		t.Errorf("57.0: %d %s", status, body)
	}
}

// TestUsersZone: date literals are days where the user is. At 03:30 UTC it is still the day before in Los Angeles.
func TestUsersZone(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, Now: func() time.Time { return time.Date(2026, 11, 18, 3, 30, 0, 0, time.UTC) }})
	o.create("Contact", `{"LastName":"Day before","Birthdate":"2026-11-17"}`)
	o.create("Contact", `{"LastName":"Day","Birthdate":"2026-11-18"}`)
	check := func(where, want string) {
		t.Helper()
		_, body := o.soql("SELECT LastName FROM Contact WHERE " + where + " ORDER BY LastName")
		if got := strip(t, body); !strings.HasSuffix(got, `"records":`+want+`}`) {
			t.Errorf("%s\n got %s\nwant %s", where, got, want)
		}
	}
	check("Birthdate = TODAY", `[{"LastName":"Day"}]`)
	if status, body := o.api(http.MethodPatch, "/sobjects/User/"+o.admin, `{"TimeZoneSidKey":"America/Los_Angeles"}`); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, body)
	}
	check("Birthdate = TODAY", `[{"LastName":"Day before"}]`)
	check("Birthdate = TOMORROW", `[{"LastName":"Day"}]`)
	check("Birthdate = N_DAYS_AGO:0 AND CreatedDate = TODAY", `[{"LastName":"Day before"}]`)
	check("CreatedDate > 2026-11-18T00:00:00-08:00", `[]`)
	check("DAY_IN_MONTH(convertTimezone(CreatedDate)) = 17 AND DAY_IN_MONTH(CreatedDate) = 18 AND LastName = 'Day'", `[{"LastName":"Day"}]`)
}

// TestClauses are the clauses that change nothing of a result here, each with the result it must leave alone.
func TestClauses(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.create("Account", `{"Name":"Acme"}`)
	for _, clause := range []string{
		"WITH SECURITY_ENFORCED", "WITH USER_MODE", "WITH SYSTEM_MODE", "FOR VIEW", "FOR REFERENCE", "UPDATE TRACKING", "UPDATE VIEWSTAT",
		"LIMIT 5 OFFSET 0", "FOR VIEW UPDATE TRACKING, VIEWSTAT", ";", "WITH SECURITY_ENFORCED ORDER BY Name NULLS LAST LIMIT 1;",
	} {
		status, body := o.soql("SELECT Name FROM Account USING SCOPE everything " + clause)
		if got := strip(t, body); status != http.StatusOK || got != `{"totalSize":1,"done":true,"records":[{"Name":"Acme"}]}` {
			t.Errorf("%s: %d %s", clause, status, got)
		}
	}
}

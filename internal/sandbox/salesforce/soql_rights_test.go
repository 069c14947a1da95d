package salesforce

import (
	"net/http"
	"net/url"
	"testing"
)

// TestMeaningForRestricted: what a user may not read is not there, wherever a query or a search names it, and with
// whatever clause about security.
func TestMeaningForRestricted(t *testing.T) {
	t.Parallel()
	o := meaningOrg(t)
	u := asIntegration(t, o)
	err := o.RestrictProfile(t.Context(), "Standard User", &Permissions{
		Objects: map[string]Access{"Account": {Read: true}, "Task": {Read: true}, "Contact": {Read: true}},
		Fields: map[string]FieldAccess{
			"Account.Industry": {Read: true}, "Account.BillingCity": {Read: true}, "Account.Loc__Latitude__s": {Read: true}, "Account.Loc__Longitude__s": {Read: true},
			"Contact.MobilePhone": {Read: true}, "Contact.AccountId": {Read: true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	const hidden = "!INVALID_FIELD No such column 'Rating' on entity 'Account'."
	u.means(t, []meaning{
		{"what may be read", "SELECT Name, Industry FROM Account WHERE Industry = 'Media'", `[{"Name":"beta 50%","Industry":"Media"}]`},
		{"with SECURITY_ENFORCED", "SELECT Name FROM Account WHERE Industry = 'Media' WITH SECURITY_ENFORCED", `[{"Name":"beta 50%"}]`},
		{"a hidden field", "SELECT Rating FROM Account", hidden},
		{"a hidden field with SECURITY_ENFORCED", "SELECT Rating FROM Account WITH SECURITY_ENFORCED", hidden},
		{"a hidden field with USER_MODE", "SELECT Rating FROM Account WITH USER_MODE", hidden},
		{"a hidden field with SYSTEM_MODE", "SELECT Rating FROM Account WITH SYSTEM_MODE", hidden},
		{"a hidden field in a condition", "SELECT Id FROM Account WHERE Rating = 'Hot'", hidden},
		{"a hidden field in ORDER BY", "SELECT Id FROM Account ORDER BY Rating", hidden},
		{"a hidden field in GROUP BY", "SELECT COUNT(Id) FROM Account GROUP BY Rating", hidden},
		{"a hidden field in an aggregate", "SELECT MAX(Rating) FROM Account", hidden},
		{"a hidden field of a parent", "SELECT Account.Rating FROM Contact", hidden},
		{"a hidden field in TYPEOF", "SELECT TYPEOF What WHEN Account THEN Rating END FROM Task", hidden},
		{"a hidden field in a semi-join", "SELECT Id FROM Contact WHERE AccountId IN (SELECT Id FROM Account WHERE Rating = 'Hot')", hidden},
		{"a hidden entity", "SELECT Id FROM Case", "!INVALID_TYPE sObject type 'Case' is not supported."},
		{"a hidden entity in TYPEOF", "SELECT TYPEOF What WHEN Case THEN Id END FROM Task", "!INVALID_TYPE sObject type 'Case' is not supported."},
		{"an address of which a part is hidden", "SELECT BillingAddress FROM Account", "!INVALID_FIELD No such column 'BillingAddress' on entity 'Account'."},
		{"a place all of which may be read", "SELECT Loc__c FROM Account WHERE Industry = 'Media'", `[{"Loc__c":{"latitude":41.8781,"longitude":-87.6298}}]`},
		{"FIELDS leaves out what is hidden", "SELECT FIELDS(CUSTOM) FROM Account WHERE Industry = 'Media' LIMIT 1", `[{"Loc__Latitude__s":41.8781,"Loc__Longitude__s":-87.6298,"Loc__c":{"latitude":41.8781,"longitude":-87.6298}}]`},
	})
	for _, c := range []meaning{
		{"without RETURNING only what may be read", "FIND {acme}", `[{"Id":"001000000000001AAA"}]`},
		{"a number in a field that may be read", "FIND {5550102} IN PHONE FIELDS RETURNING Contact(LastName)", `[{"LastName":"Zed"}]`},
		{"a number in a hidden field", "FIND {5550101} IN PHONE FIELDS RETURNING Contact(LastName)", `[]`},
		{"a hidden entity", "FIND {three} RETURNING Case", "!INVALID_TYPE"},
		{"a hidden field", "FIND {acme} RETURNING Account(Rating)", hidden},
	} {
		t.Run(c.point, func(t *testing.T) {
			t.Parallel()
			status, body := u.api(http.MethodGet, "/search?q="+url.QueryEscape(c.q), "")
			u.judge(t, c, status, body, "searchRecords")
		})
	}
}

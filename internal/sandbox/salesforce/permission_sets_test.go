package salesforce

import (
	"net/http"
	"strings"
	"testing"
)

// TestPermissionSetRecords: a set that a switch makes is seen by queries, with its users, and ends with it.
func TestPermissionSetRecords(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	check := func(q, want string) {
		t.Helper()
		_, body := o.soql(q)
		if got := strip(t, body); !strings.HasSuffix(got, `"records":`+want+`}`) {
			t.Errorf("%s\n got %s\nwant %s", q, got, want)
		}
	}
	put := func(method, set, body string) {
		t.Helper()
		if status, out, _ := o.send(method, "/sandbox/api/permissionsets/"+set, body, nil); status != http.StatusNoContent {
			t.Fatalf("%s %s: %d %s", method, set, status, out)
		}
	}
	const (
		assigned = "SELECT Assignee.Username FROM PermissionSetAssignment WHERE PermissionSet.Name = 'Call_notes' ORDER BY Assignee.Username"
		sets     = "SELECT Label FROM PermissionSet WHERE Name = 'Call_notes'"
	)
	admin := o.Credentials().Username
	put(http.MethodPut, "Call%20notes", `{"objects":{"Task":{"read":true}},"users":["INTEGRATION@sandbox.example","integration@sandbox.example","nobody@x.example"]}`)
	check(sets, `[{"Label":"Call notes"}]`)
	check(assigned, `[{"Assignee":{"Username":"integration@sandbox.example"}}]`)
	put(http.MethodPut, "Call%20notes", `{"objects":{"Task":{"read":true}},"users":["`+admin+`"]}`)
	check(sets, `[{"Label":"Call notes"}]`)
	check(assigned, `[{"Assignee":{"Username":"`+admin+`"}}]`)
	put(http.MethodDelete, "Call%20notes", "")
	check(sets, `[]`)
	check(assigned, `[]`)

	// One that was there stays when its grants go.
	put(http.MethodPut, "Contact_Center_Agent", `{"objects":{"Task":{"read":true}},"users":["`+admin+`"]}`)
	check("SELECT Name FROM PermissionSet WHERE Name = 'Contact_Center_Agent'", `[{"Name":"Contact_Center_Agent"}]`)
	put(http.MethodDelete, "Contact_Center_Agent", "")
	check("SELECT Name FROM PermissionSet WHERE Name = 'Contact_Center_Agent'", `[{"Name":"Contact_Center_Agent"}]`)
	check("SELECT Id FROM PermissionSetAssignment WHERE PermissionSet.Name = 'Contact_Center_Agent' AND Assignee.Username = '"+admin+"'", `[]`)
}

func TestAPIName(t *testing.T) {
	t.Parallel()
	for label, want := range map[string]string{
		"Call notes": "Call_notes", "a__b-c": "a_b_c", "1st": "X1st", "\u00fc": "X", "": "X", strings.Repeat("n", 99): strings.Repeat("n", 80),
	} {
		if got := apiName(label); got != want {
			t.Errorf("apiName(%q) = %q, want %q", label, got, want)
		}
	}
}

package salesforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestQueryLimits are queries of just the size the platform takes, and one more.
func TestQueryLimits(t *testing.T) {
	t.Parallel()
	fields := make([]CustomField, 56)
	for i := range fields {
		fields[i] = CustomField{Name: fmt.Sprintf("P%d__c", i), Type: "reference", References: []string{"Account"}, ChildRelationship: fmt.Sprintf("Kids%d", i)}
	}
	o := start(t, Options{Seed: SeedNone, Custom: []CustomObject{{Name: "Account", Fields: fields}}})
	list := func(form string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, form, i)
		}
		return b.String()
	}
	for _, c := range []struct {
		name, fits, over, code, message string
	}{
		{
			"characters", "SELECT Id FROM Account" + strings.Repeat(" ", 100_000-22), "SELECT Id FROM Account" + strings.Repeat(" ", 100_001-22),
			"MALFORMED_QUERY", "SOQL statements cannot be longer than 100000 characters",
		},
		{
			"characters of a string", "SELECT Id FROM Account WHERE Name = '" + strings.Repeat("\u00e9", 4000) + "'",
			"SELECT Id FROM Account WHERE Name = '" + strings.Repeat("x", 4001) + "'", "MALFORMED_QUERY", "4000",
		},
		{
			"child-to-parent", "SELECT Id" + list(", P%d__r.Name", 55) + " FROM Account", "SELECT Id" + list(", P%d__r.Name", 56) + " FROM Account",
			"MALFORMED_QUERY", "No more than 55 child-to-parent relationships",
		},
		{
			"child-to-parent with a condition", "SELECT Id" + list(", P%d__r.Name", 55) + " FROM Account WHERE P0__r.Phone = null",
			"SELECT Id" + list(", P%d__r.Name", 55) + " FROM Account WHERE Owner.Name = 'x'", "MALFORMED_QUERY", "No more than 55 child-to-parent relationships",
		},
		{
			"parent-to-child", "SELECT Id" + list(", (SELECT Id FROM Kids%d__r)", 20) + " FROM Account", "SELECT Id" + list(", (SELECT Id FROM Kids%d__r)", 21) + " FROM Account",
			"MALFORMED_QUERY", "No more than 20 parent-to-child relationships",
		},
		{
			"parent-to-child, nested", "SELECT Id, (SELECT Id" + list(", (SELECT Id FROM Kids%d__r)", 19) + " FROM ChildAccounts) FROM Account",
			"SELECT Id, (SELECT Id" + list(", (SELECT Id FROM Kids%d__r)", 20) + " FROM ChildAccounts) FROM Account", "MALFORMED_QUERY", "No more than 20 parent-to-child relationships",
		},
		{
			"levels up", "SELECT Parent.Parent.Parent.Parent.Parent.Name FROM Account", "SELECT Parent.Parent.Parent.Parent.Parent.Parent.Name FROM Account",
			"MALFORMED_QUERY", "up to 5 levels",
		},
		{
			"levels down", "SELECT Id, (SELECT Id, (SELECT Id, (SELECT Id, (SELECT Id FROM ChildAccounts) FROM ChildAccounts) FROM ChildAccounts) FROM ChildAccounts) FROM Account",
			"SELECT Id, (SELECT Id, (SELECT Id, (SELECT Id, (SELECT Id, (SELECT Id FROM ChildAccounts) FROM ChildAccounts) FROM ChildAccounts) FROM ChildAccounts) FROM ChildAccounts) FROM Account",
			"MALFORMED_QUERY", "more than 4 level away",
		},
	} {
		// A URL is bounded too, and the parts of a composite request are not.
		if status, body := o.viaComposite("/query?q=" + url.QueryEscape(c.fits)); status != http.StatusOK {
			t.Errorf("%s: just the limit: %d %.300s", c.name, status, body)
		}
		status, body := o.viaComposite("/query?q=" + url.QueryEscape(c.over))
		if status != http.StatusBadRequest || !strings.Contains(body, `"`+c.code+`"`) || !strings.Contains(body, c.message) {
			t.Errorf("%s: past the limit: %d %.300s", c.name, status, body)
		}
	}
}

// viaComposite sends one GET as part of a composite request.
func (o *testOrg) viaComposite(path string) (status int, body string) {
	o.t.Helper()
	raw, err := json.Marshal(map[string]any{"compositeRequest": []map[string]string{{"method": "GET", "referenceId": "q", "url": "/services/data/v60.0" + path}}})
	if err != nil {
		o.t.Fatal(err)
	}
	_, answer := o.api(http.MethodPost, "/composite", string(raw))
	var out struct {
		List []struct {
			Status int             `json:"httpStatusCode"`
			Body   json.RawMessage `json:"body"`
		} `json:"compositeResponse"`
	}
	if err := json.Unmarshal([]byte(answer), &out); err != nil || len(out.List) != 1 {
		o.t.Fatalf("%.300s: %v", answer, err)
	}
	return out.List[0].Status, string(out.List[0].Body)
}

func TestSearchClauses(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for _, name := range []string{"Ada", "Bea", "Cleo"} {
		o.create("Contact", `{"LastName":"Silva","FirstName":"`+name+`"}`)
	}
	const find = "FIND {Silva} RETURNING Contact(FirstName ORDER BY FirstName)"
	for _, c := range []struct {
		q    string
		want string // of the first names, or the code and a part of the message
	}{
		{find + " OFFSET 1", "Bea Cleo"},
		{find + " LIMIT 1 OFFSET 2", "Cleo"},
		{find + " OFFSET 3", ""},
		{"FIND {Silva} RETURNING Contact(FirstName ORDER BY FirstName LIMIT 1 OFFSET 1)", "Bea"},
		{find + " WITH SPELL_CORRECTION = false LIMIT 1", "Ada"},
		{"FIND {Silva} OFFSET 1", "MALFORMED_SEARCH single sObject"},
		{"FIND {Silva} RETURNING Contact(FirstName), Account OFFSET 1", "MALFORMED_SEARCH single sObject"},
		{"FIND {Silva} RETURNING Contact(FirstName OFFSET 1), Account", "MALFORMED_SEARCH single sObject"},
		{"FIND {Silva} RETURNING Contact(FirstName OFFSET 1) OFFSET 1", "MALFORMED_SEARCH once"},
		{find + " OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE 2000"},
		{find + " WITH NONSENSE", "MALFORMED_SEARCH unexpected token: 'NONSENSE'"},
		{find + " WITH SPELL_CORRECTION = maybe", "MALFORMED_SEARCH = true or = false"},
		{find + " WITH SPELL_CORRECTION", "MALFORMED_SEARCH = true or = false"},
		{find + " WITH SNIPPET (target_length=120)", "MALFORMED_SEARCH remove WITH SNIPPET"},
		{find + " WITH HIGHLIGHT", "MALFORMED_SEARCH remove WITH HIGHLIGHT"},
		{find + " WITH DIVISION = 'Global'", "MALFORMED_SEARCH remove WITH DIVISION"},
		{find + " WITH DATA CATEGORY Geography__c AT usa__c", "MALFORMED_SEARCH remove WITH DATA"},
	} {
		status, body := o.api(http.MethodGet, "/search?q="+url.QueryEscape(c.q), "")
		if status != http.StatusOK {
			code, message, _ := strings.Cut(c.want, " ")
			if status != http.StatusBadRequest || !strings.Contains(body, `"`+code+`"`) || !strings.Contains(body, message) {
				t.Errorf("%s: %d %s", c.q, status, body)
			}
			continue
		}
		var out struct {
			Records []struct{ FirstName string } `json:"searchRecords"`
		}
		if err := json.Unmarshal([]byte(body), &out); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range out.Records {
			names = append(names, r.FirstName)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.q, got, c.want)
		}
	}
}

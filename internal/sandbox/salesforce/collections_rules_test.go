package salesforce

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// saves turns the results of a collection into words: ids, codes of errors, and whether a record is new.
func saves(t testing.TB, out string) string {
	t.Helper()
	var b strings.Builder
	for _, r := range decode[[]struct {
		ID      string            `json:"id"`
		Success bool              `json:"success"`
		Created *bool             `json:"created"`
		Errors  []collectionError `json:"errors"`
	}](t, out) {
		b.WriteString(r.ID)
		if r.Success != (len(r.Errors) == 0) || r.Errors == nil {
			t.Errorf("success and errors do not go together: %s", out)
		}
		if r.Created != nil {
			fmt.Fprintf(&b, "(new: %t)", *r.Created)
		}
		for _, e := range r.Errors {
			fmt.Fprintf(&b, "%s:%s:%s", e.Code, e.Message, strings.Join(e.Fields, ","))
		}
		b.WriteString("\n")
	}
	return b.String()
}

const rolledBack = "ALL_OR_NONE_OPERATION_ROLLED_BACK:Record rolled back because not all records were valid and the request was using AllOrNone header:\n"

// TestCollectionForm holds what fails a collection as a whole.
func TestCollectionForm(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"A"}`)
	account := `{"attributes":{"type":"Account"},"Name":"N"}`
	mixed := func(n int) string {
		var parts []string
		for i := range n {
			parts = append(parts, []string{account, `{"attributes":{"type":"Contact"},"LastName":"N"}`}[i%2])
		}
		return strings.Join(parts, ",")
	}
	list := func(records string) string { return `{"records":[` + records + `]}` }
	for name, c := range map[string]struct{ method, path, body, want string }{
		"no records":             {"POST", "", `{}`, "'records' is a required field."},
		"no JSON":                {"POST", "", `{"records":`, "JSON_PARSER_ERROR"},
		"201 records":            {"POST", "", list(strings.TrimSuffix(strings.Repeat(account+",", 201), ",")), `"message":"record limit reached. cannot submit more than 200 records into this call","errorCode":"EXCEEDED_ID_LIMIT"`},
		"no attributes":          {"POST", "", list(account + `,{"Name":"x"}`), "JSON_PARSER_ERROR"},
		"unknown type":           {"POST", "", list(account + `,{"attributes":{"type":"Nope"},"Name":"x"}`), "INVALID_TYPE"},
		"unknown field":          {"POST", "", list(account + `,{"attributes":{"type":"Account"},"Nope":"x"}`), "No such column 'Nope' on sobject of type Account"},
		"a value of wrong form":  {"POST", "", list(account + `,{"attributes":{"type":"Account"},"Name":"x","NumberOfEmployees":"many"}`), "JSON_PARSER_ERROR"},
		"a null record":          {"POST", "", list(account + `,null`), "JSON_PARSER_ERROR"},
		"an id in a new record":  {"POST", "", list(`{"attributes":{"type":"Account"},"id":"` + id + `","Name":"x"}`), "The Id field should not be specified in the sobject data."},
		"11 chunks":              {"POST", "", list(mixed(11)), "Cannot have more than 10 chunks in a single operation. Please rearrange the data to reduce chunking."},
		"setup and other":        {"POST", "", list(account + `,{"attributes":{"type":"Group"},"Name":"G","Type":"Regular"}`), "MIXED_DML_OPERATION"},
		"201 ids":                {"DELETE", "?ids=" + strings.TrimSuffix(strings.Repeat(id+",", 201), ","), "", "EXCEEDED_ID_LIMIT"},
		"nothing to delete":      {"DELETE", "", "", "MISSING_ARGUMENT"},
		"nothing to read":        {"GET", "/Account?fields=Name", "", "MISSING_ARGUMENT"},
		"no fields":              {"GET", "/Account?ids=" + id, "", "MISSING_ARGUMENT"},
		"an unknown field":       {"GET", "/Account?fields=Nope&ids=" + id, "", "INVALID_FIELD"},
		"no field's name":        {"GET", "/Account?fields=Name+FROM+User--&ids=" + id, "", "INVALID_FIELD"},
		"2001 ids":               {"POST", "/Account", `{"fields":["Name"],"ids":["` + strings.Repeat(id+`","`, 2000) + id + `"]}`, "EXCEEDED_ID_LIMIT"},
		"upsert of another type": {"PATCH", "/Contact/Ext__c", list(account), "INVALID_TYPE"},
	} {
		if status, out := o.api(c.method, "/composite/sobjects"+c.path, c.body); status != http.StatusBadRequest || !strings.Contains(out, c.want) {
			t.Errorf("%s: %d %.300s", name, status, out)
		}
	}
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/Nope?ids=" + id + "&fields=Id", 404},
		{"PATCH", "/Nope/Ext__c", 404},
		{"PATCH", "/Account/Name", 404},
		{"PATCH", "/Account/Nope", 404},
		{"PUT", "", 405},
		{"DELETE", "/Account", 405},
		{"POST", "/Account/Ext__c", 405},
		{"GET", "", 405},
		{"POST", "/Account/Ext__c/x", 404},
	} {
		if status, out := o.api(c.method, "/composite/sobjects"+c.path, list(account)); status != c.status {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, out)
		}
	}
	if out := o.count("Account"); !strings.Contains(out, `"totalSize":1,`) {
		t.Errorf("a collection that is not well formed was stored: %s", out)
	}
	if status, out := o.api(http.MethodPost, "/composite/sobjects", list(mixed(10))); status != http.StatusOK || strings.Count(out, `"success":true`) != 10 {
		t.Errorf("ten chunks: %d %s", status, out)
	}
}

// TestCollectionCreates keeps the order of the records.
func TestCollectionCreates(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	body := `{"allOrNone":%t,"records":[{"attributes":{"type":"Account"},"name":"One"},{"attributes":{"type":"Contact"}},{"attributes":{"type":"Contact"},"LastName":"L","Email":"no"},{"attributes":{"type":"Contact"},"LastName":"M"}]}`
	status, out := o.api(http.MethodPost, "/composite/sobjects/", fmt.Sprintf(body, true))
	missing := "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName\nINVALID_EMAIL_ADDRESS:Email: invalid email address: no:Email\n"
	if got := saves(t, out); status != http.StatusOK || got != rolledBack+missing+rolledBack {
		t.Errorf("%d %s", status, got)
	}
	_, out = o.api(http.MethodPost, "/composite/sobjects", fmt.Sprintf(body, false))
	if got := saves(t, out); !strings.HasPrefix(got, "001000000000") || !strings.Contains(got, "\n"+missing+"003000000000") {
		t.Errorf("%s", got)
	}
	for query, want := range map[string]string{"Account": `"totalSize":1,`, "Contact": `"totalSize":1,`} {
		if got := o.count(query); !strings.Contains(got, want) {
			t.Errorf("%s: %s", query, got)
		}
	}
}

// TestCollectionUpdates holds ids that are missing, wrong, gone, or come too often.
func TestCollectionUpdates(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id, gone := o.create("Account", `{"Name":"A"}`), o.create("Account", `{"Name":"B"}`)
	o.api(http.MethodDelete, "/sobjects/Account/"+gone, "")
	contact := o.create("Contact", `{"LastName":"L"}`)
	body := `{"allOrNone":%t,"records":[{"attributes":{"type":"Account"},"id":"` + id[:15] + `","Phone":"1"},{"attributes":{"type":"Account"},"Phone":"1"},{"attributes":{"type":"Contact"},"Id":"` + id + `","Phone":"1"},` +
		`{"attributes":{"type":"Account"},"id":"` + gone + `","Phone":"1"},{"attributes":{"type":"Account"},"id":"001000000000999AAA","Phone":"1"},{"attributes":{"type":"Account"},"id":"x","Phone":"1"}]}`
	failures := "MISSING_ARGUMENT:Id not specified in an update call:\nMALFORMED_ID:Contact ID: id value of incorrect type: " + id + ":Id\n" +
		"ENTITY_IS_DELETED:entity is deleted:\nINVALID_CROSS_REFERENCE_KEY:invalid cross reference id:\nMALFORMED_ID:Account ID: id value of incorrect type: x:Id\n"
	for allOrNone, first := range map[bool]string{true: id + rolledBack, false: id + "\n"} {
		_, out := o.api(http.MethodPatch, "/composite/sobjects", fmt.Sprintf(body, allOrNone))
		if got := saves(t, out); got != first+failures {
			t.Errorf("all or none %t: %s", allOrNone, got)
		}
	}
	var same []string
	for i := range 13 {
		same = append(same, fmt.Sprintf(`{"attributes":{"type":"Contact"},"id":%q,"Title":"%d"}`, contact, i))
	}
	_, out := o.api(http.MethodPatch, "/composite/sobjects", `{"records":[`+strings.Join(same, ",")+`]}`)
	want := strings.Repeat(contact+"\n", 12) + "DUPLICATE_VALUE:Maximum number of duplicate updates in one batch (12 allowed). Attempt to update Id more than once in this Api call: " + contact + ":Id\n"
	if got := saves(t, out); got != want {
		t.Errorf("one record 13 times: %s", got)
	}
	if _, out := o.api(http.MethodGet, "/sobjects/Contact/"+contact+"?fields=Title", ""); !strings.Contains(out, `"Title":"11"`) {
		t.Errorf("the last that was taken stays: %s", out)
	}
}

// TestCollectionUpserts holds keys of every kind.
func TestCollectionUpserts(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Contact", `{"LastName":"L","Ext__c":"k1"}`)
	a, b := o.create("Contact", `{"LastName":"A","Phone_E164__c":"+1"}`), o.create("Contact", `{"LastName":"B","Phone_E164__c":"+1"}`)
	rec := func(key, rest string) string {
		return `{"attributes":{"type":"Contact"}` + key + `,"LastName":"` + rest + `"}`
	}
	upsert := func(field string, allOrNone bool, records ...string) string {
		t.Helper()
		status, out := o.api(http.MethodPatch, "/composite/sobjects/Contact/"+field, fmt.Sprintf(`{"allOrNone":%t,"records":[%s]}`, allOrNone, strings.Join(records, ",")))
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, out)
		}
		return saves(t, out)
	}
	got := upsert("ext__c", false, rec(`,"Ext__c":"K1"`, "Changed"), rec(`,"ext__C":17`, "New"), rec("", "None"), rec(`,"Ext__c":null`, "Null"), rec(`,"Ext__c":"two"`, "T"), rec(`,"Ext__c":"TWO"`, "T"), rec(`,"Ext__c":"x"`, ""))
	made := strings.SplitN(got, "\n", 3)[1]
	twice := "DUPLICATE_VALUE:Duplicate external id specified: "
	want := id + "(new: false)\n" + made + "\nMISSING_ARGUMENT:Ext__c not specified:\nMISSING_ARGUMENT:Ext__c not specified:\n" + twice + "two:Ext__c\n" + twice + "TWO:Ext__c\n" +
		"REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName\n"
	if got != want || !strings.HasSuffix(made, "(new: true)") {
		t.Errorf("%s instead of %s", got, want)
	}
	if _, out := o.soql("SELECT LastName FROM Contact WHERE Ext__c IN ('k1','17','two') ORDER BY LastName"); strip(t, out) != `{"totalSize":2,"done":true,"records":[{"LastName":"Changed"},{"LastName":"New"}]}` {
		t.Errorf("stored: %s", out)
	}
	many := "DUPLICATE_EXTERNAL_ID:Phone E164: more than one record found for external id field: [" + a + ", " + b + "]:Phone_E164__c\n"
	if got := upsert("Phone_E164__c", false, rec(`,"Phone_E164__c":"+1"`, "x")); got != many {
		t.Errorf("two records have the key: %s", got)
	}
	if got := upsert("Ext__c", true, rec(`,"Ext__c":"k1"`, "x"), rec(`,"Ext__c":"k9"`, "x"), rec("", "x")); got != id+rolledBack+rolledBack+"MISSING_ARGUMENT:Ext__c not specified:\n" {
		t.Errorf("all or none: %s", got)
	}
	got = upsert("Id", false, rec(`,"Id":"`+id+`"`, "ById"), rec("", "Made"), rec(`,"Id":"001000000000001AAA"`, "x"))
	if !strings.HasPrefix(got, id+"(new: false)\n003") || strings.Count(got, "(new: true)") != 1 || !strings.HasSuffix(got, "MALFORMED_ID:Contact ID: id value of incorrect type: 001000000000001AAA:Id\n") {
		t.Errorf("by id: %s", got)
	}
}

// TestCollectionDeletes answers in the order of the ids.
func TestCollectionDeletes(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	a, b := o.create("Account", `{"Name":"A"}`), o.create("Contact", `{"LastName":"B"}`)
	path := "/composite/sobjects/?ids=" + a + "," + b[:15] + ",x,zzz000000000001AAA,001000000000999AAA"
	failures := "MALFORMED_ID:malformed id x:\nMALFORMED_ID:malformed id zzz000000000001AAA:\nINVALID_CROSS_REFERENCE_KEY:invalid cross reference id:\n"
	_, out := o.api(http.MethodDelete, path+"&allOrNone=TRUE", "")
	if got := saves(t, out); got != a+rolledBack+b+rolledBack+failures {
		t.Errorf("all or none: %s", got)
	}
	_, out = o.api(http.MethodDelete, path+"&allOrNone=false", "")
	if got := saves(t, out); got != a+"\n"+b+"\n"+failures {
		t.Errorf("%s", got)
	}
	_, out = o.api(http.MethodDelete, "/composite/sobjects?ids="+a, "")
	if got := saves(t, out); got != "ENTITY_IS_DELETED:entity is deleted:\n" {
		t.Errorf("again: %s", got)
	}
}

// TestCollectionReads has a place for each id, null where nothing can be read.
func TestCollectionReads(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	a, b, gone := o.create("Account", `{"Name":"A"}`), o.create("Account", `{"Name":"B"}`), o.create("Account", `{"Name":"C"}`)
	o.api(http.MethodDelete, "/sobjects/Account/"+gone, "")
	record := func(id, name string) string {
		return `{"attributes":{"type":"Account","url":"/services/data/v60.0/sobjects/Account/` + id + `"},"Name":"` + name + `"}`
	}
	ids := []string{b, a[:15], gone, "001000000000999AAA", "003000000000001AAA", "x", b}
	want := "[" + record(b, "B") + "," + record(a, "A") + ",null,null,null,null," + record(b, "B") + "]"
	if status, out := o.api(http.MethodGet, "/composite/sobjects/Account?fields=name,NAME&ids="+strings.Join(ids, ","), ""); status != http.StatusOK || out != want {
		t.Errorf("%d %s instead of %s", status, out, want)
	}
	if _, out := o.api(http.MethodPost, "/composite/sobjects/account", `{"fields":["Name"],"ids":["`+strings.Join(ids, `","`)+`"]}`); out != want {
		t.Errorf("%s instead of %s", out, want)
	}
	if _, out := o.api(http.MethodPost, "/composite/sobjects/Account", `{"fields":["Name"],"ids":["x"]}`); out != "[null]" {
		t.Errorf("nothing: %s", out)
	}
	many := strings.Repeat(a+`","`, 1999) + b
	if status, out := o.api(http.MethodPost, "/composite/sobjects/Account", `{"fields":["Id"],"ids":["`+many+`"]}`); status != http.StatusOK || strings.Count(out, `"Id":"001`) != 2000 {
		t.Errorf("2,000 ids: %d %.200s", status, out)
	}
}

// TestTree holds the levels, the order of the answer and what a tree may hold.
func TestTree(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	rec := func(kind, ref, fields string) string {
		return `{"attributes":{"type":"` + kind + `","referenceId":"` + ref + `"}` + fields + `}`
	}
	below := func(name string, records ...string) string {
		return `,"` + name + `":{"totalSize":9,"done":true,"records":[` + strings.Join(records, ",") + `]}`
	}
	send := func(entity string, records ...string) (int, string) {
		t.Helper()
		return o.api(http.MethodPost, "/composite/tree/"+entity, `{"records":[`+strings.Join(records, ",")+`]}`)
	}
	status, out := send("account",
		rec("Account", "ref1", `,"name":"One"`+below("Contacts", rec("Contact", "ref2", `,"lastname":"Smith"`+below("Cases", rec("Case", "ref5", `,"Subject":"S"`))), rec("Contact", "ref3", `,"lastname":"Evans"`))+below("Cases", rec("Case", "ref6", ``))),
		rec("Account", "ref4", `,"name":"Two"`+below("contacts")))
	var order []string
	for _, r := range decode[struct {
		Results []map[string]string `json:"results"`
	}](t, out).Results {
		order = append(order, r["referenceId"]+r["id"][:3])
	}
	if got := strings.Join(order, " "); status != http.StatusCreated || !strings.Contains(out, `"hasErrors":false`) || got != "ref1001 ref4001 ref2003 ref3003 ref6500 ref5500" {
		t.Errorf("%d %s: %s", status, got, out)
	}
	if _, out := o.soql("SELECT Contact.LastName, Contact.Account.Name FROM Case WHERE Subject = 'S'"); !strings.Contains(strip(t, out), `{"Contact":{"LastName":"Smith","Account":{"Name":"One"}}}`) {
		t.Errorf("levels: %s", out)
	}
	had := o.count("Account")
	status, out = send("Account", rec("Account", "a", `,"Name":"A"`+below("Contacts", rec("Contact", "b", `,"LastName":"B","Email":"123"`), rec("Contact", "c", ``), rec("Contact", "d", `,"LastName":"D"`))))
	want := `{"hasErrors":true,"results":[{"errors":[{"statusCode":"INVALID_EMAIL_ADDRESS","message":"Email: invalid email address: 123","fields":["Email"]}],"referenceId":"b"},` +
		`{"errors":[{"statusCode":"REQUIRED_FIELD_MISSING","message":"Required fields are missing: [LastName]","fields":["LastName"]}],"referenceId":"c"}]}`
	if status != http.StatusBadRequest || out != want {
		t.Errorf("failures: %d %s", status, out)
	}
	status, out = send("Account", rec("Account", "a", `,"Name":"A"`), rec("Account", "b", `,"Name":"A"`+below("Contacts", rec("Contact", "a", `,"LastName":"B"`))))
	if status != http.StatusBadRequest || strings.Count(out, `{"errors":[{"statusCode":"INVALID_INPUT","message":"Duplicate ReferenceId provided in the request.","fields":[]}],"referenceId":"a"}`) != 2 || strings.Contains(out, `"b"`) {
		t.Errorf("duplicates: %d %s", status, out)
	}
	status, out = send("Account", `{"attributes":{"type":"Account"},"Name":"A"}`)
	if status != http.StatusForbidden || !strings.Contains(out, "Include a reference ID for each record in the request.") {
		t.Errorf("no reference id: %d %s", status, out)
	}
	deep := func(n int) string {
		tree := ""
		for i := range n {
			tree = rec("Account", fmt.Sprintf("n%d", i), `,"Name":"N"`+map[bool]string{true: "", false: below("ChildAccounts", tree)}[i == 0])
		}
		return tree
	}
	var wide []string
	for i := range 201 {
		wide = append(wide, rec("Account", fmt.Sprintf("w%d", i), `,"Name":"W"`))
	}
	for name, records := range map[string][]string{
		"201 records": wide, "six levels": {deep(6)}, "another type": {rec("Contact", "a", `,"LastName":"A"`)}, "another child": {rec("Account", "a", `,"Name":"A"`+below("Contacts", rec("Case", "b", ``)))},
		"start of an id": {rec("Account", "_a", `,"Name":"A"`)}, "none": nil, "no type": {`{"attributes":{"referenceId":"a"},"Name":"A"}`}, "no relationship": {rec("Account", "a", `,"Name":"A"`+below("Nope", rec("Case", "b", ``)))},
	} {
		if status, out := send("Account", records...); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, status, out)
		}
	}
	if got := o.count("Account"); got != had {
		t.Errorf("what failed stays: %s", got)
	}
	if status, out := send("Account", deep(5)); status != http.StatusCreated {
		t.Errorf("five levels: %d %s", status, out)
	}
	if status, out := send("Account", wide[:200]...); status != http.StatusCreated || strings.Count(out, `"id"`) != 200 {
		t.Errorf("200 records: %d", status)
	}
	for path, want := range map[string]int{"/composite/tree/Nope": 404, "/composite/tree": 404, "/composite/tree/Account/x": 404} {
		if status, _ := o.api(http.MethodPost, path, "{}"); status != want {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _ := o.api(http.MethodGet, "/composite/tree/Account", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", status)
	}
}

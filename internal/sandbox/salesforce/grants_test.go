package salesforce

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// restricted signs the integration user in with a profile of its own, which grants p.
func (o *testOrg) restricted(p Permissions) *testOrg {
	o.t.Helper()
	if err := o.RestrictProfile(o.t.Context(), "Integration Profile", &p); err != nil {
		o.t.Fatal(err)
	}
	profile := o.first("SELECT Id FROM Profile WHERE Name = 'Integration Profile'", "Id")
	if status, out := o.api(http.MethodPatch, "/sobjects/User/"+makeID("005", 2), `{"ProfileId":"`+profile+`"}`); status != http.StatusNoContent {
		o.t.Fatalf("%d %s", status, out)
	}
	app, err := o.AddApp(o.t.Context(), App{Name: "Integration", Username: "integration@sandbox.example"})
	if err != nil {
		o.t.Fatal(err)
	}
	status, out := o.form("/services/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {app.ClientSecret}})
	var grant struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(out), &grant); err != nil || status != http.StatusOK {
		o.t.Fatalf("%d %s", status, out)
	}
	return &testOrg{Org: o.Org, t: o.t, url: o.url, token: grant.Token}
}

// first is a field of the first record of a query, as text.
func (o *testOrg) first(q, name string) string {
	o.t.Helper()
	status, body := o.soql(q)
	var res struct{ Records []map[string]any }
	if err := json.Unmarshal([]byte(body), &res); err != nil || status != http.StatusOK || len(res.Records) == 0 {
		o.t.Fatalf("%s: %d %s", q, status, body)
	}
	s, _ := res.Records[0][name].(string)
	return s
}

func (o *testOrg) rowsOf(q string) int {
	o.t.Helper()
	status, body := o.soql(q)
	var res struct{ TotalSize int }
	if err := json.Unmarshal([]byte(body), &res); err != nil || status != http.StatusOK {
		o.t.Fatalf("%s: %d %s", q, status, body)
	}
	return res.TotalSize
}

// TestGrantsAsRecords gives a user a permission set with the records of the platform alone; each takes effect at once.
func TestGrantsAsRecords(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.create("Account", `{"Name":"Acme","Phone":"1","Fax":"2"}`)
	u := o.restricted(Permissions{})
	refused := func(q, code string) {
		t.Helper()
		if status, body := u.soql(q); status != http.StatusBadRequest || !strings.Contains(body, code) {
			t.Errorf("%s: %d %s, want %s", q, status, body, code)
		}
	}
	allowed := func(q string) {
		t.Helper()
		if status, body := u.soql(q); status != http.StatusOK {
			t.Errorf("%s: %d %s", q, status, body)
		}
	}
	refused("SELECT Name FROM Account", "INVALID_TYPE")
	if _, body := u.soql("SELECT Name FROM Account"); !strings.Contains(body, "sObject type 'Account' is not supported") {
		t.Errorf("the message is %s", body)
	}
	set := o.create("PermissionSet", `{"Name":"Account_Reader","Label":"Account Reader"}`)
	grant := o.create("ObjectPermissions", `{"ParentId":"`+set+`","SobjectType":"Account","PermissionsRead":true}`)
	phone := o.create("FieldPermissions", `{"ParentId":"`+set+`","SobjectType":"Account","Field":"Account.Phone","PermissionsRead":true}`)
	refused("SELECT Name FROM Account", "INVALID_TYPE")
	assignment := o.create("PermissionSetAssignment", `{"PermissionSetId":"`+set+`","AssigneeId":"`+makeID("005", 2)+`"}`)
	allowed("SELECT Name, Phone FROM Account")
	for _, q := range []string{
		"SELECT Fax FROM Account", "SELECT Id FROM Account WHERE Fax = '2'", "SELECT Id FROM Account ORDER BY Fax",
		"SELECT COUNT(Id), Fax FROM Account GROUP BY Fax", "SELECT Account.Fax FROM Account",
	} {
		refused(q, "INVALID_FIELD")
	}
	if status, body := u.api(http.MethodPatch, "/sobjects/Account/"+makeID("001", 1), `{"Phone":"3"}`); status != http.StatusForbidden || !strings.Contains(body, "INSUFFICIENT_ACCESS_OR_READONLY") {
		t.Errorf("%d %s", status, body)
	}
	for _, c := range []struct{ path, body string }{
		{"/sobjects/ObjectPermissions/" + grant, `{"PermissionsEdit":true}`},
		{"/sobjects/FieldPermissions/" + phone, `{"PermissionsEdit":true}`},
	} {
		if status, body := o.api(http.MethodPatch, c.path, c.body); status != http.StatusNoContent {
			t.Fatalf("%s: %d %s", c.path, status, body)
		}
	}
	if status, body := u.api(http.MethodPatch, "/sobjects/Account/"+makeID("001", 1), `{"Phone":"3"}`); status != http.StatusNoContent {
		t.Errorf("after granting edit: %d %s", status, body)
	}
	if f := u.describeOf("Account"); f.field("Fax") != nil || f.field("Phone") == nil {
		t.Error("describe shows a hidden field")
	}
	if status, _ := o.api(http.MethodDelete, "/sobjects/PermissionSetAssignment/"+assignment, ""); status != http.StatusNoContent {
		t.Fatal(status)
	}
	refused("SELECT Name FROM Account", "INVALID_TYPE")
	o.create("PermissionSetAssignment", `{"PermissionSetId":"`+set+`","AssigneeId":"`+makeID("005", 2)+`"}`)
	allowed("SELECT Name FROM Account")
	if status, _ := o.api(http.MethodDelete, "/sobjects/PermissionSet/"+set, ""); status != http.StatusNoContent {
		t.Fatal(status)
	}
	refused("SELECT Name FROM Account", "INVALID_TYPE")
	if n := o.rowsOf("SELECT Id FROM ObjectPermissions WHERE ParentId = '" + set + "'"); n != 0 {
		t.Errorf("%d grants outlive their set", n)
	}
}

// TestGrantRecordsFollow sets permissions by the switches and reads them as records.
func TestGrantRecordsFollow(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	if n := o.rowsOf("SELECT Id FROM ObjectPermissions WHERE Parent.Profile.Name = 'Standard User' AND PermissionsModifyAllRecords = true"); n != 9 {
		t.Errorf("a profile that may everything has %d object permissions", n)
	}
	o.restricted(Permissions{
		Objects: map[string]Access{"Case": {Read: true, Edit: true}}, Fields: map[string]FieldAccess{"Case.Subject": {Read: true}},
		System: []string{"ApiEnabled", "ViewSetup"},
	})
	const of = " WHERE Parent.Profile.Name = 'Integration Profile'"
	if n := o.rowsOf("SELECT Id FROM ObjectPermissions" + of); n != 1 {
		t.Errorf("%d object permissions", n)
	}
	if got := o.first("SELECT Field FROM FieldPermissions"+of, "Field"); got != "Case.Subject" {
		t.Errorf("field permission of %s", got)
	}
	if n := o.rowsOf("SELECT Id FROM PermissionSet WHERE IsOwnedByProfile = true AND Profile.Name = 'Integration Profile' AND PermissionsApiEnabled = true AND PermissionsViewSetup = true AND PermissionsModifyAllData = false"); n != 1 {
		t.Errorf("%d permission sets of the profile", n)
	}
	id := o.first("SELECT Id FROM ObjectPermissions"+of, "Id")
	if status, body := o.api(http.MethodPatch, "/sobjects/ObjectPermissions/"+id, `{"PermissionsCreate":true}`); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, body)
	}
	o.access.mu.RLock()
	got := o.access.rules.Profiles["Integration Profile"]
	o.access.mu.RUnlock()
	if !got.Objects["Case"].Create || !got.Fields["Case.Subject"].Read || !slices.Contains(got.System, "ViewSetup") {
		t.Errorf("the profile grants %+v", got)
	}
	admin := o.first("SELECT Id FROM ObjectPermissions WHERE Parent.Profile.Name = 'System Administrator' AND SobjectType = 'Case'", "Id")
	set := o.create("PermissionSet", `{"Name":"S","Label":"S"}`)
	for _, c := range []struct{ method, path, body, code string }{
		{"PATCH", "/sobjects/ObjectPermissions/" + admin, `{"PermissionsEdit":false}`, "INSUFFICIENT_ACCESS"},
		{"POST", "/sobjects/ObjectPermissions", `{"ParentId":"` + set + `","SobjectType":"Nope","PermissionsRead":true}`, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"},
		{"POST", "/sobjects/ObjectPermissions", `{"ParentId":"` + set + `","SobjectType":"Case","PermissionsEdit":true}`, "FIELD_INTEGRITY_EXCEPTION"},
		{"POST", "/sobjects/FieldPermissions", `{"ParentId":"` + set + `","SobjectType":"Case","Field":"Case.Nope","PermissionsRead":true}`, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"},
		{"POST", "/sobjects/FieldPermissions", `{"ParentId":"` + set + `","SobjectType":"Account","Field":"Account.Name","PermissionsRead":true}`, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"},
		{"POST", "/sobjects/PermissionSet", `{"Name":"T"}`, "REQUIRED_FIELD_MISSING"},
	} {
		if status, body := o.api(c.method, c.path, c.body); status < 400 || !strings.Contains(body, c.code) {
			t.Errorf("%s %s %s: %d %s, want %s", c.method, c.path, c.body, status, body, c.code)
		}
	}
	o.create("ObjectPermissions", `{"ParentId":"`+set+`","SobjectType":"Case","PermissionsRead":true}`)
	if status, body := o.api(http.MethodPost, "/sobjects/ObjectPermissions", `{"ParentId":"`+set+`","SobjectType":"Case","PermissionsRead":true}`); status != http.StatusBadRequest || !strings.Contains(body, "DUPLICATE_VALUE") {
		t.Errorf("%d %s", status, body)
	}
}

// TestSetsOfOneLabel keeps apart what two sets grant whose labels are the same.
func TestSetsOfOneLabel(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	u := o.restricted(Permissions{})
	for i, entity := range []string{"Case", "Account"} {
		set := o.create("PermissionSet", `{"Name":"Set_`+itoa(i)+`","Label":"Same"}`)
		o.create("ObjectPermissions", `{"ParentId":"`+set+`","SobjectType":"`+entity+`","PermissionsRead":true}`)
		o.create("PermissionSetAssignment", `{"PermissionSetId":"`+set+`","AssigneeId":"`+makeID("005", 2)+`"}`)
	}
	for _, entity := range []string{"Case", "Account"} {
		if status, body := u.soql("SELECT Id FROM " + entity); status != http.StatusOK {
			t.Errorf("%s: %d %s", entity, status, body)
		}
	}
	if err := o.SetPermissionSet(t.Context(), "Same", nil); err != nil {
		t.Fatal(err)
	}
	if status, _ := u.soql("SELECT Id FROM Case"); status != http.StatusBadRequest {
		t.Errorf("a set that was removed grants: %d", status)
	}
	if status, _ := u.soql("SELECT Id FROM Account"); status != http.StatusOK {
		t.Errorf("the other set: %d", status)
	}
	if o.rowsOf("SELECT Id FROM PermissionSet WHERE Label = 'Same'") != 1 {
		t.Error("the record of the other set is gone, or that of the removed one is not")
	}
}

// TestGrantsUndone undoes a transaction that granted something: nothing of it is in force.
func TestGrantsUndone(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	u := o.restricted(Permissions{})
	body := `{"allOrNone":true,"compositeRequest":[
		{"method":"POST","url":"/services/data/v60.0/sobjects/PermissionSet","referenceId":"s","body":{"Name":"X","Label":"X"}},
		{"method":"POST","url":"/services/data/v60.0/sobjects/ObjectPermissions","referenceId":"o","body":{"ParentId":"@{s.id}","SobjectType":"Case","PermissionsRead":true}},
		{"method":"POST","url":"/services/data/v60.0/sobjects/PermissionSetAssignment","referenceId":"a","body":{"PermissionSetId":"@{s.id}","AssigneeId":"` + makeID("005", 2) + `"}},
		{"method":"POST","url":"/services/data/v60.0/sobjects/Account","referenceId":"f","body":{}}]}`
	if status, out := o.api(http.MethodPost, "/composite", body); status != http.StatusOK || !strings.Contains(out, "PROCESSING_HALTED") {
		t.Fatalf("%d %s", status, out)
	}
	if status, _ := u.soql("SELECT Id FROM Case"); status != http.StatusBadRequest {
		t.Errorf("an undone grant is in force: %d", status)
	}
	good := strings.Replace(body, `"body":{}}`, `"body":{"Name":"A"}}`, 1)
	if status, out := o.api(http.MethodPost, "/composite", good); status != http.StatusOK || strings.Contains(out, "PROCESSING_HALTED") {
		t.Fatalf("%d %s", status, out)
	}
	if status, out := u.soql("SELECT Id FROM Case"); status != http.StatusOK {
		t.Errorf("a grant of a composite request is not in force: %d %s", status, out)
	}
}

// TestSystemPermissions goes through each of them: without, with, and the error between.
func TestSystemPermissions(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	with := func(names ...string) *testOrg {
		p := Permissions{Objects: map[string]Access{"Account": {Read: true, Create: true, Edit: true, Delete: true}, "ServicePresenceStatus": {Read: true}}, System: append(names, "ApiEnabled")}
		return o.restricted(p)
	}
	for _, c := range []struct {
		permission, method, path, body string
		status                         int
		has                            string
	}{
		{"ViewDeveloperName", "GET", "/query?q=SELECT+DeveloperName+FROM+ServicePresenceStatus", "", 400, "No such column 'DeveloperName'"},
		{"ViewSetup", "GET", "/query?q=SELECT+DeveloperName+FROM+ServicePresenceStatus", "", 400, "No such column 'DeveloperName'"},
		{"ViewSetup", "GET", "/query?q=SELECT+Id+FROM+PermissionSet", "", 400, "INVALID_TYPE"},
		{"ViewAllData", "GET", "/query?q=SELECT+Id,Subject+FROM+Case", "", 400, "INVALID_TYPE"},
		{"ModifyAllData", "POST", "/sobjects/Case", `{"Subject":"x"}`, 404, "NOT_FOUND"},
		{"ManageUsers", "PATCH", "/sobjects/User/" + makeID("005", 3), `{"Title":"x"}`, 403, "INSUFFICIENT_ACCESS_OR_READONLY"},
	} {
		if status, out := with().api(c.method, c.path, c.body); status != c.status || !strings.Contains(out, c.has) {
			t.Errorf("without %s %s: %d %s", c.permission, c.path, status, out)
		}
		if status, out := with(c.permission).api(c.method, c.path, c.body); status >= 300 {
			t.Errorf("with %s %s: %d %s", c.permission, c.path, status, out)
		}
	}
	u := o.restricted(Permissions{Objects: map[string]Access{"Account": {Read: true}}, System: []string{"ViewSetup"}})
	for _, path := range []string{"/limits", "/query?q=SELECT+Id+FROM+Account", "/sobjects"} {
		if status, out := u.api(http.MethodGet, path, ""); status != http.StatusForbidden || !strings.Contains(out, "API_DISABLED_FOR_ORG") {
			t.Errorf("without ApiEnabled: %d %s", status, out)
		}
	}
	if err := o.RestrictProfile(t.Context(), "Standard User", &Permissions{System: []string{"Nope"}}); err == nil || !strings.Contains(err.Error(), "ApiEnabled") {
		t.Errorf("an unknown permission: %v", err)
	}
}

// TestEverybodySees holds what users of the platform read without a grant: who they are and what the org is.
func TestEverybodySees(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	u := o.restricted(Permissions{Objects: map[string]Access{"Account": {Read: true}}})
	for _, q := range []string{
		"SELECT Id, Username, Profile.Name FROM User", "SELECT Name, IsSandbox FROM Organization", "SELECT Id FROM Profile", "SELECT Id FROM RecordType",
		"SELECT Name FROM Group WHERE Type = 'Queue'", "SELECT QualifiedApiName FROM EntityDefinition LIMIT 1",
	} {
		if status, body := u.soql(q); status != http.StatusOK {
			t.Errorf("%s: %d %s", q, status, body)
		}
	}
	if status, body := u.api(http.MethodPatch, "/sobjects/User/"+makeID("005", 3), `{"Title":"x"}`); status != http.StatusForbidden {
		t.Errorf("%d %s", status, body)
	}
}

// TestHiddenFieldsEverywhere looks for a hidden field wherever records come out.
func TestHiddenFieldsEverywhere(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"Acme","Fax":"secret-fax","Phone":"555"}`)
	o.create("Case", `{"Subject":"s","AccountId":"`+id+`"}`)
	u := o.restricted(Permissions{
		Objects: map[string]Access{"Account": {Read: true, Edit: true}, "Case": {Read: true}},
		Fields:  map[string]FieldAccess{"Account.Phone": {Read: true, Edit: true}, "Account.Industry": {Read: true}},
	})
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/sobjects/Account/" + id, ""},
		{"GET", "/query?q=SELECT+FIELDS(ALL)+FROM+Account+LIMIT+10", ""},
		{"GET", "/queryAll?q=SELECT+FIELDS(STANDARD)+FROM+Account+LIMIT+10", ""},
		{"GET", "/search?q=FIND+%7Bsecret*%7D+RETURNING+Account(Id,Name)", ""},
		{"GET", "/parameterizedSearch?q=Acme&sobject=Account&Account.fields=Id,Name", ""},
		{"GET", "/sobjects/Account/describe", ""},
		{"GET", "/sobjects/Account/describe/layouts", ""},
		{"GET", "/composite/sobjects/Account?ids=" + id + "&fields=Id,Name", ""},
		{"POST", "/composite/batch", `{"batchRequests":[{"method":"GET","url":"v60.0/sobjects/Account/` + id + `"}]}`},
		{"GET", "/sobjects/Case/" + makeID("500", 1) + "/Account", ""},
	} {
		status, out := u.api(c.method, c.path, c.body)
		if status != http.StatusOK || strings.Contains(out, "secret-fax") || strings.Contains(out, `"Fax"`) {
			t.Errorf("%s: %d %.600s", c.path, status, out)
		}
	}
	for _, c := range []struct{ method, path, body, has string }{
		{"GET", "/composite/sobjects/Account?ids=" + id + "&fields=Id,Fax", "", "INVALID_FIELD"},
		{"POST", "/composite", `{"compositeRequest":[{"method":"GET","url":"/services/data/v60.0/sobjects/Account/` + id + `?fields=Fax","referenceId":"r"}]}`, "INVALID_FIELD"},
		{"POST", "/composite/batch", `{"batchRequests":[{"method":"GET","url":"v60.0/query?q=SELECT+Fax+FROM+Account"}]}`, "INVALID_FIELD"},
		{"GET", "/search?q=FIND+%7BAcme%7D+RETURNING+Account(Fax)", "", "INVALID_FIELD"},
		{"GET", "/query?q=SELECT+Account.Fax+FROM+Case", "", "INVALID_FIELD"},
		{"POST", "/jobs/query", `{"operation":"query","query":"SELECT Id FROM Account WHERE Fax = '1'"}`, "INVALID_FIELD"},
		{"PATCH", "/composite/sobjects", `{"records":[{"attributes":{"type":"Account"},"Id":"` + id + `","Fax":"x"}]}`, "INVALID_FIELD"},
		{"PATCH", "/composite/sobjects", `{"records":[{"attributes":{"type":"Account"},"Id":"` + id + `","Industry":"Media"}]}`, "INVALID_FIELD_FOR_INSERT_UPDATE"},
	} {
		if _, out := u.api(c.method, c.path, c.body); !strings.Contains(out, c.has) {
			t.Errorf("%s %s: %.400s, want %s", c.path, c.body, out, c.has)
		}
	}
}

// TestPresenceStatuses covers the one entity that only the Tooling API makes, from 65.0 on.
func TestPresenceStatuses(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	const body = `{"DeveloperName":"Lunch","MasterLabel":"Lunch"}`
	for path, status := range map[string]int{"v68.0/sobjects": 400, "v64.0/tooling/sobjects": 405, "v65.0/tooling/sobjects": 201} {
		version, rest, _ := strings.Cut(path, "/")
		o.version = version
		if got, out := o.api(http.MethodPost, "/"+rest+"/ServicePresenceStatus", body); got != status {
			t.Errorf("%s: %d %s, want %d", path, got, out, status)
		}
	}
	o.version = "v68.0"
	id := o.first("SELECT Id FROM ServicePresenceStatus WHERE DeveloperName = 'Lunch'", "Id")
	if status, out := o.api(http.MethodPatch, "/tooling/sobjects/ServicePresenceStatus/"+id, `{"FullName":"Lunch_Break","Metadata":{"label":"Lunch break"}}`); status != http.StatusNoContent {
		t.Errorf("%d %s", status, out)
	}
	if got := o.first("SELECT MasterLabel FROM ServicePresenceStatus WHERE DeveloperName = 'Lunch_Break'", "MasterLabel"); got != "Lunch break" {
		t.Error(got)
	}
	if status, out := o.api(http.MethodDelete, "/tooling/sobjects/ServicePresenceStatus/"+id, ""); status != http.StatusNoContent {
		t.Errorf("%d %s", status, out)
	}
	o.version = ""
}

// TestMetadataQueries asks for definitions by query, as tools do that do not describe.
func TestMetadataQueries(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for q, want := range map[string]string{
		"SELECT QualifiedApiName, KeyPrefix FROM EntityDefinition WHERE QualifiedApiName = 'Case'":                                                                                           `{"QualifiedApiName":"Case","KeyPrefix":"500"}`,
		"SELECT QualifiedApiName, DataType FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Case' AND QualifiedApiName = 'ContactId'":                                         `{"QualifiedApiName":"ContactId","DataType":"Lookup(Contact)"}`,
		"SELECT DurableId FROM FieldDefinition WHERE EntityDefinitionId = 'Account' AND QualifiedApiName = 'Phone'":                                                                          `{"DurableId":"Account.Phone"}`,
		"SELECT QualifiedApiName, (SELECT DataType FROM Particles WHERE QualifiedApiName = 'Phone') FROM EntityDefinition WHERE QualifiedApiName = 'Account'":                                `"Particles":{"totalSize":1,"done":true,"records":[{"DataType":"phone"}]}`,
		"SELECT Value, IsDefaultValue FROM PicklistValueInfo WHERE EntityParticle.EntityDefinition.QualifiedApiName = 'Case' AND EntityParticle.QualifiedApiName = 'Status' AND Value='New'": `{"Value":"New","IsDefaultValue":true}`,
	} {
		for _, via := range []string{"", "/tooling"} {
			status, body := o.api(http.MethodGet, via+"/query?q="+url.QueryEscape(q), "")
			if got := strip(t, body); status != http.StatusOK || !strings.Contains(got, want) {
				t.Errorf("%s%s: %d %s", via, q, status, got)
			}
		}
	}
	want := 0
	for _, obj := range o.schema.objects {
		want += len(obj.fields)
	}
	if got := o.rowsOf("SELECT COUNT() FROM FieldDefinition"); got != want {
		t.Errorf("%d fields are defined, %d described", want, got)
	}
}

// TestOlderOrg opens a file of before there were records of grants.
func TestOlderOrg(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := start(t, Options{Seed: SeedNone, Dir: dir})
	o.restricted(Permissions{Objects: map[string]Access{"Case": {Read: true}}})
	err := o.store.update(t.Context(), func(tx *sql.Tx) error {
		for _, text := range []string{
			"DROP TABLE \"ObjectPermissions\"", "DROP TABLE \"FieldPermissions\"", "DROP TABLE \"EntityDefinition\"",
			"DELETE FROM meta WHERE key IN ('mirrored', 'schema')",
		} {
			if _, err := tx.ExecContext(t.Context(), text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	again := start(t, Options{Dir: dir})
	var got []string
	_, body := again.soql("SELECT SobjectType FROM ObjectPermissions WHERE Parent.Profile.Name = 'Integration Profile'")
	var res struct {
		Records []struct{ SobjectType string }
	}
	if err := json.Unmarshal([]byte(body), &res); err != nil {
		t.Fatal(err)
	}
	for _, r := range res.Records {
		got = append(got, r.SobjectType)
	}
	if !slices.Equal(got, []string{"Case"}) {
		t.Errorf("%s", body)
	}
	if again.rowsOf("SELECT COUNT() FROM EntityDefinition") == 0 {
		t.Error("records are missing")
	}
}

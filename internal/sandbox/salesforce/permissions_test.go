package salesforce

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// asIntegration signs the integration user in, with the profile of standard users.
func asIntegration(t *testing.T, o *testOrg) *testOrg {
	t.Helper()
	_, body := o.soql("SELECT Id FROM Profile WHERE Name = 'Standard User'")
	profile := body[strings.Index(body, `"Id":"`)+6:][:18]
	if status, out := o.api(http.MethodPatch, "/sobjects/User/"+makeID("005", 2), `{"ProfileId":"`+profile+`"}`); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, out)
	}
	app, err := o.AddApp(t.Context(), App{Name: "Integration", Username: "integration@sandbox.example"})
	if err != nil {
		t.Fatal(err)
	}
	status, out := o.form("/services/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {app.ClientSecret}})
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, out)
	}
	token := out[strings.Index(out, `"access_token":"`)+16:]
	return &testOrg{Org: o.Org, t: t, url: o.url, token: token[:strings.IndexByte(token, '"')]}
}

func TestRestrictedUser(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"Acme","Phone":"1","Fax":"2"}`)
	o.create("Contact", `{"LastName":"Silva","AccountId":"`+id+`"}`)
	u := asIntegration(t, o)
	if status, _ := u.soql("SELECT Id FROM Contact"); status != http.StatusOK {
		t.Fatalf("before: %d", status)
	}
	put := `{"objects":{"Account":{"read":true,"edit":true},"Case":{"read":true,"create":true}},"fields":{"Account.Phone":{"read":true},"Account.Website":{"read":true,"edit":true}}}`
	if status, out, _ := o.send(http.MethodPut, "/sandbox/api/profiles/Standard%20User", put, nil); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, out)
	}
	account := "/sobjects/Account/" + id
	for _, c := range []struct {
		method, path, body string
		status             int
		has                string
	}{
		{"GET", "/query?q=SELECT+Name,Phone+FROM+Account", "", 200, `"Phone":"1"`},
		{"GET", "/query?q=SELECT+Fax+FROM+Account", "", 400, "INVALID_FIELD"},
		{"GET", "/query?q=SELECT+Id+FROM+Contact", "", 400, "INVALID_TYPE"},
		{"GET", "/query?q=SELECT+Id,(SELECT+Id+FROM+Contacts)+FROM+Account", "", 400, "Didn't understand relationship"},
		{"GET", "/query?q=SELECT+Contact.Name+FROM+Case", "", 400, "INVALID_FIELD"},
		{"GET", "/query?q=SELECT+Id+FROM+Account+WHERE+Fax='2'", "", 400, "INVALID_FIELD"},
		{"GET", "/search?q=FIND+{Silva}+RETURNING+Contact(Id)", "", 400, "INVALID_TYPE"},
		{"GET", "/sobjects/Contact/describe", "", 404, "NOT_FOUND"},
		{"GET", account, "", 200, `"Phone":"1"`},
		{"GET", account + "?fields=Fax", "", 400, "INVALID_FIELD"},
		{"PATCH", account, `{"Website":"https://x.example"}`, 204, ""},
		{"PATCH", account, `{"Phone":"3"}`, 400, "INVALID_FIELD_FOR_INSERT_UPDATE"},
		{"PATCH", account, `{"Fax":"3"}`, 400, "INVALID_FIELD"},
		{"DELETE", account, "", 403, "INSUFFICIENT_ACCESS_OR_READONLY"},
		{"POST", "/sobjects/Account", `{"Name":"New"}`, 400, "entity type cannot be inserted: Account"},
		{"POST", "/sobjects/Case", `{"Subject":"s"}`, 201, ""},
		{"POST", "/sobjects/Contact", `{"LastName":"x"}`, 404, "NOT_FOUND"},
		{"POST", "/composite/sobjects", `{"records":[{"attributes":{"type":"Account"},"Name":"x"}]}`, 200, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"},
		{"POST", "/jobs/query", `{"operation":"query","query":"SELECT Fax FROM Account"}`, 400, "INVALID_FIELD"},
		{"POST", "/jobs/ingest", `{"operation":"insert","object":"Contact"}`, 400, "INVALIDENTITY"},
	} {
		path := strings.NewReplacer("{Silva}", "%7BSilva%7D", "'", "%27").Replace(c.path)
		if status, out := u.api(c.method, path, c.body); status != c.status || !strings.Contains(out, c.has) {
			t.Errorf("%s %s %s: %d %s, want %d %s", c.method, c.path, c.body, status, out, c.status, c.has)
		}
	}
	if _, out := u.api(http.MethodGet, account, ""); strings.Contains(out, `"Fax"`) || !strings.Contains(out, "x.example") {
		t.Errorf("a hidden field is shown: %s", out)
	}
	if j := u.load(`{"object":"Account","operation":"insert"}`, "Name\nA\n"); j.Failed != 1 {
		t.Errorf("bulk: %+v", j)
	}
	set := `{"objects":{"Contact":{"read":true}},"users":["INTEGRATION@sandbox.example"]}`
	if status, out, _ := o.send(http.MethodPut, "/sandbox/api/permissionsets/Contacts", set, nil); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, out)
	}
	if status, out := u.soql("SELECT LastName, Account.Name FROM Contact"); status != http.StatusOK || !strings.Contains(out, "Acme") {
		t.Errorf("with the permission set: %d %s", status, out)
	}
	if status, _ := o.soql("SELECT Fax FROM Account"); status != http.StatusOK {
		t.Errorf("the administrator: %d", status)
	}
	if status, _, _ := o.send(http.MethodDelete, "/sandbox/api/profiles/Standard%20User", "", nil); status != http.StatusNoContent {
		t.Errorf("lifting: %d", status)
	}
	if status, _ := u.soql("SELECT Fax FROM Account"); status != http.StatusOK {
		t.Errorf("after lifting: %d", status)
	}
}

func TestLoginRanges(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	u := asIntegration(t, o)
	_ = u
	if err := o.RestrictProfile(t.Context(), "Standard User", &Permissions{LoginRanges: []string{"192.0.2.0/24"}}); err != nil {
		t.Fatal(err)
	}
	var app App
	for _, a := range o.Apps() {
		if a.Name == "Integration" {
			app = a
		}
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {app.ClientSecret}}
	if status, out := o.form("/services/oauth2/token", form); status != http.StatusBadRequest || !strings.Contains(out, "ip restricted") {
		t.Errorf("from elsewhere: %d %s", status, out)
	}
	if err := o.RestrictProfile(t.Context(), "Standard User", &Permissions{LoginRanges: []string{"127.0.0.0/8"}}); err != nil {
		t.Fatal(err)
	}
	if status, out := o.form("/services/oauth2/token", form); status != http.StatusOK {
		t.Errorf("from within: %d %s", status, out)
	}
	for _, p := range []Permissions{{LoginRanges: []string{"x"}}, {Objects: map[string]Access{"Nope": {}}}, {Fields: map[string]FieldAccess{"Account.Nope": {}}}} {
		if err := o.RestrictProfile(t.Context(), "Standard User", &p); err == nil {
			t.Errorf("%+v is taken", p)
		}
	}
	if err := o.RestrictProfile(t.Context(), adminProfile, &Permissions{}); err == nil {
		t.Error("the administrator is locked out")
	}
}

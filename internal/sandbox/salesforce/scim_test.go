package salesforce

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const scimRoot = "/services/scim/v2"

// scimCall sends a signed-in SCIM request.
func (o *testOrg) scimCall(method, path, body string, extra ...string) (int, map[string]any, http.Header) {
	o.t.Helper()
	h := http.Header{"Authorization": {"Bearer " + o.token}, "Content-Type": {"application/scim+json"}}
	for i := 0; i+1 < len(extra); i += 2 {
		h.Set(extra[i], extra[i+1])
	}
	status, out, header := o.send(method, scimRoot+path, body, h)
	var doc map[string]any
	if out != "" {
		if err := json.Unmarshal([]byte(out), &doc); err != nil {
			o.t.Fatalf("%s %s: %d %q: %v", method, path, status, out, err)
		}
		if kind := header.Get("Content-Type"); !strings.HasPrefix(kind, "application/scim+json") {
			o.t.Errorf("%s %s: content type %s", method, path, kind)
		}
	}
	return status, doc, header
}

// at follows keys and, by "0", the first element of a list.
func at(v any, path string) any {
	for key := range strings.SplitSeq(path, "/") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			if len(x) == 0 || key != "0" {
				return nil
			}
			v = x[0]
		default:
			return nil
		}
	}
	return v
}

func standardProfile(o *testOrg) string {
	o.t.Helper()
	_, doc, _ := o.scimCall("GET", "/Entitlements?filter="+url.QueryEscape(`displayName eq "standard user" and type eq "Profile"`), "")
	id, _ := at(doc, "Resources/0/id").(string)
	if id == "" {
		o.t.Fatalf("no profile in %v", doc)
	}
	return id
}

func newUserBody(o *testOrg, name string) string {
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + name + `","externalId":"E-1","name":{"familyName":"Lovelace","givenName":"Ada"},
"emails":[{"value":"home@x.example","type":"home"},{"value":"ada@x.example","type":"work","primary":true}],"phoneNumbers":[{"value":"+1 555 0100","type":"mobile"}],
"active":true,"ignored":{"a":1},"entitlements":[{"value":"` + standardProfile(o) + `"}],
"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Service"}}`
}

func makeSCIMUser(o *testOrg) string {
	o.t.Helper()
	status, doc, header := o.scimCall("POST", "/Users", newUserBody(o, "ada@x.example"))
	id, _ := doc["id"].(string)
	if status != http.StatusCreated || header.Get("Location") != o.url+scimRoot+"/Users/"+id || header.Get("Etag") == "" || at(doc, "meta/version") != header.Get("Etag") {
		o.t.Fatalf("%d %v %v", status, doc, header)
	}
	return id
}

func TestSCIMUser(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := makeSCIMUser(o)
	status, doc, header := o.scimCall("GET", "/Users/"+id[:15], "")
	for path, want := range map[string]any{
		"userName": "ada@x.example", "externalId": "E-1", "active": true, "name/formatted": "Ada Lovelace", "displayName": "Ada Lovelace", "nickName": "ada",
		"emails/0/value": "ada@x.example", "phoneNumbers/0/type": "mobile", "entitlements/0/display": "Standard User", scimEnterpriseURN + "/department": "Service",
		"meta/resourceType": "User", "meta/location": o.url + scimRoot + "/Users/" + id,
	} {
		if got := at(doc, path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if status != http.StatusOK || header.Get("Sforce-Limit-Info") == "" {
		t.Errorf("%d %v", status, header)
	}
	if _, out := o.soql("SELECT Alias, Username, FederationIdentifier, IsActive FROM User WHERE Id = '" + id + "'"); !strings.Contains(out, `"Alias":"alove"`) {
		t.Errorf("the record: %s", out)
	}
	if status, _, _ := o.scimCall("GET", "/Users/"+id, "", "If-None-Match", header.Get("Etag")); status != http.StatusNotModified {
		t.Errorf("If-None-Match: %d", status)
	}
	if status, _, _ := o.scimCall("DELETE", "/Users/"+id, "", "If-Match", `"other"`); status != http.StatusPreconditionFailed {
		t.Errorf("If-Match: %d", status)
	}
	put := `{"schemas":["` + scimUserURN + `"],"userName":"ada@x.example","name":{"familyName":"King"},"emails":[{"value":"king@x.example"}],"entitlements":[{"value":"` + standardProfile(o) + `"}]}`
	status, doc, _ = o.scimCall("PUT", "/Users/"+id, put)
	if status != http.StatusOK || doc["displayName"] != "King" || doc["externalId"] != nil || doc["active"] != true || doc["phoneNumbers"] != nil {
		t.Errorf("PUT: %d %v", status, doc)
	}
	if status, _, _ := o.scimCall("DELETE", "/Users/"+id, "", "If-Match", "W/"+header.Get("Etag")); status != http.StatusNoContent {
		t.Errorf("DELETE: %d", status)
	}
	if status, doc, _ = o.scimCall("GET", "/Users/"+id, ""); status != http.StatusOK || doc["active"] != false {
		t.Errorf("after DELETE: %d %v", status, doc)
	}
}

func TestSCIMPatch(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := makeSCIMUser(o)
	for _, c := range []struct {
		op     string
		status int
		path   string
		want   any
	}{
		{`{"op":"Replace","path":"active","value":"False"}`, 200, "active", false},
		{`{"op":"add","value":{"active":true,"urn:ietf:params:scim:schemas:core:2.0:User:name.givenName":"Augusta","unknown":1}}`, 200, "name/givenName", "Augusta"},
		{`{"op":"replace","path":"name","value":{"familyName":"King"}}`, 200, "displayName", "Augusta King"},
		{`{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:userName","value":"king@x.example"}`, 200, "userName", "king@x.example"},
		{`{"op":"remove","path":"name.givenName"}`, 200, "displayName", "King"},
		{`{"op":"replace","path":"emails[type eq \"work\"].value","value":"w@x.example"}`, 200, "emails/0/value", "w@x.example"},
		{`{"op":"replace","path":"emails","value":[{"value":"v@x.example","type":"work"}]}`, 200, "emails/0/value", "v@x.example"},
		{`{"op":"add","path":"phoneNumbers[type eq \"work\"].value","value":"1"}`, 200, "phoneNumbers/0/value", "1"},
		{`{"op":"remove","path":"phoneNumbers[type eq \"work\" or type eq \"fax\"]"}`, 200, "phoneNumbers/0/type", "mobile"},
		{`{"op":"remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"}`, 200, scimEnterpriseURN, nil},
		{`{"op":"remove","path":"phoneNumbers"}`, 200, "phoneNumbers", nil},
		{`{"op":"replace","path":"phoneNumbers[type eq \"mobile\"].value","value":"1"}`, 400, "scimType", scimNoTarget},
		{`{"op":"remove"}`, 400, "scimType", scimNoTarget},
		{`{"op":"replace","path":"id","value":"x"}`, 400, "scimType", scimMutability},
		{`{"op":"replace","path":"emails.type","value":"x"}`, 400, "scimType", scimMutability},
		{`{"op":"remove","path":"active"}`, 400, "scimType", scimMutability},
		{`{"op":"remove","path":"emails"}`, 400, "scimType", scimInvalidValue},
		{`{"op":"replace","path":"active","value":"maybe"}`, 400, "scimType", scimInvalidValue},
		{`{"op":"replace","path":"name","value":"x"}`, 400, "scimType", scimInvalidValue},
		{`{"op":"replace","path":"title"}`, 400, "scimType", scimInvalidValue},
		{`{"op":"replace","path":"emails","value":[{"value":"no address"}]}`, 400, "scimType", scimInvalidValue},
		{`{"op":"replace","path":"entitlements","value":[]}`, 400, "scimType", scimInvalidValue},
		{`{"op":"replace","path":"nothing","value":1}`, 400, "scimType", "invalidPath"},
		{`{"op":"replace","path":"emails[type eq]","value":1}`, 400, "scimType", scimInvalidFilter},
		{`{"op":"replace","path":"userName","value":"ANA.SILVA@sandbox.example"}`, 409, "scimType", "uniqueness"},
		{`{"op":"move","path":"title","value":1}`, 400, "scimType", scimInvalidSyntax},
	} {
		status, doc, _ := o.scimCall("PATCH", "/Users/"+id, `{"schemas":["`+scimPatchURN+`"],"Operations":[`+c.op+`]}`)
		if status != c.status || at(doc, c.path) != c.want {
			t.Errorf("%s: %d %v, want %d %s %v", c.op, status, doc, c.status, c.path, c.want)
		}
	}
	// Operations take effect together.
	both := `{"schemas":["` + scimPatchURN + `"],"Operations":[{"op":"add","path":"title","value":"Boss"},{"op":"remove","path":"userName"}]}`
	if status, _, _ := o.scimCall("PATCH", "/Users/"+id, both); status != http.StatusBadRequest {
		t.Errorf("%d", status)
	}
	if _, doc, _ := o.scimCall("GET", "/Users/"+id, ""); doc["title"] != nil || doc["userName"] != "king@x.example" {
		t.Errorf("half of a PATCH took effect: %v", doc)
	}
}

func TestSCIMList(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	makeSCIMUser(o)
	for _, c := range []struct {
		filter string
		total  float64 // -1: invalidFilter
	}{
		{"", 6},
		{`userName eq "ANA.silva@sandbox.example"`, 1},
		{`urn:ietf:params:scim:schemas:core:2.0:User:userName Eq "nobody"`, 0},
		{`externalId eq "E-1" and active eq true`, 1},
		{`externalId eq "e-1"`, 0},
		{`externalId eq null`, 5},
		{`not (externalId eq "E-1")`, 5},
		{`externalId ne "E-1"`, 5},
		{`id eq "` + makeID("005", 1) + `"`, 1},
		{`name.familyName sw "lo" or name.givenName eq "Ana"`, 2},
		{`userName eq "nobody" and active eq true or name.givenName eq "Ana"`, 1},
		{`name.givenName eq "Ana" or name.givenName eq "Ben" and active eq false`, 0}, // from left to right
		{`name.givenName eq "Ana" or (name.givenName eq "Ben" and active eq false)`, 1},
		{`emails.value co "@X." and emails ew "example"`, 1},
		{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department pr`, 1},
		{`active eq false`, 0},
		{`userName eq`, -1},
		{`userName`, -1},
		{`userName gt "a"`, -1},
		{`userName eq "a" xor active eq true`, -1},
		{`(userName eq "a"`, -1},
		{`active eq "true"`, -1},
		{`nothing eq "a"`, -1},
		{`userName eq 1`, -1},
		{`userName eq "a"; DROP TABLE "User"`, -1},
		{strings.Repeat("(", 20) + "active pr", -1},
		{strings.Repeat("active pr or ", 60) + "active pr", -1},
		{`userName eq "` + strings.Repeat("a", maxSCIMFilter) + `"`, -1},
	} {
		status, doc, _ := o.scimCall("GET", "/Users?filter="+url.QueryEscape(c.filter), "")
		if c.total < 0 {
			if status != http.StatusBadRequest || doc["scimType"] != scimInvalidFilter || doc["status"] != "400" {
				t.Errorf("%.80s: %d %v", c.filter, status, doc)
			}
		} else if status != http.StatusOK || doc["totalResults"] != c.total {
			t.Errorf("%s: %d %v, want %v", c.filter, status, doc["totalResults"], c.total)
		}
	}
	_, doc, _ := o.scimCall("GET", "/Users?startIndex=3&count=2&attributes=userName", "")
	list, _ := doc["Resources"].([]any)
	if doc["totalResults"] != 6.0 || doc["startIndex"] != 3.0 || doc["itemsPerPage"] != 2.0 || len(list) != 2 ||
		at(list, "0/userName") != "ana.silva@sandbox.example" || at(list, "0/emails") != nil || at(list, "0/id") == nil {
		t.Errorf("page: %v", doc)
	}
	if _, doc, _ := o.scimCall("GET", "/Users?count=0", ""); doc["totalResults"] != 6.0 || doc["itemsPerPage"] != 0.0 {
		t.Errorf("count=0: %v", doc)
	}
}

func TestSCIMGroupsAndDescription(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	user := makeID("005", 3)
	group := o.create("Group", `{"Name":"Tier 2","DeveloperName":"Tier_2","Type":"Regular"}`)
	o.create("GroupMember", `{"GroupId":"`+group+`","UserOrGroupId":"`+user+`"}`)
	for _, c := range []struct {
		path string
		at   string
		want any
	}{
		{"/Groups", "totalResults", 1.0},
		{"/Groups?filter=displayName+eq+%22tier+2%22", "Resources/0/members/0/display", "Ana Silva"},
		{"/Groups/" + group, "members/0/$ref", o.url + scimRoot + "/Users/" + user},
		{"/Users/" + user, "groups/0/display", "Tier 2"},
		{"/Me", "id", makeID("005", 1)},
		{"/Entitlements", "totalResults", 3.0},
		{"/ServiceProviderConfig", "patch/supported", true},
		{"/ServiceProviderConfigs", "filter/maxResults", 200.0},
		{"/ResourceTypes/User", "schema", scimUserURN},
		{"/Schemas", "totalResults", 4.0},
		{"/Schemas/" + scimUserURN, "attributes/0/name", "userName"},
		{"/Schemas?filter=id+pr", "status", "403"},
		{"/Groups/" + makeID("00G", 1), "status", "404"}, // a queue
		{"/Nothing", "status", "404"},
		{"/Users/" + makeID("005", 99), "status", "404"},
		{"/Users?startIndex=x", "scimType", scimInvalidValue},
	} {
		if _, doc, _ := o.scimCall("GET", c.path, ""); at(doc, c.at) != c.want {
			t.Errorf("%s: %v, want %s %v", c.path, doc, c.at, c.want)
		}
	}
}

func TestSCIMRefusals(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	admin := "/Users/" + makeID("005", 1)
	for _, c := range []struct {
		method, path, body string
		status             int
		kind               any
	}{
		{"POST", "/Users", `{`, 400, scimInvalidSyntax},
		{"POST", "/Users", `{"userName":"x"}`, 400, scimInvalidSyntax},
		{"POST", "/Users", `{"schemas":["` + scimUserURN + `"],"userName":"x"}`, 400, scimInvalidValue},
		{"POST", "/Users", strings.Replace(newUserBody(o, "x"), "00e", "0PS", 1), 400, scimInvalidValue},
		{"POST", "/Users", newUserBody(o, "Ana.Silva@sandbox.example"), 409, "uniqueness"},
		{"POST", "/Users", `{"schemas":["` + strings.Repeat("x", maxSCIMBody) + `"]}`, 413, nil},
		{"POST", "/Groups", `{}`, 405, nil},
		{"PATCH", admin, `{"schemas":["` + scimPatchURN + `"],"Operations":[]}`, 400, scimInvalidSyntax},
		{"DELETE", admin, "", 400, scimMutability},
		{"PUT", "/Schemas", "{}", 405, nil},
	} {
		status, doc, _ := o.scimCall(c.method, c.path, c.body)
		if status != c.status || doc["scimType"] != c.kind || at(doc, "schemas/0") != scimErrorURN {
			t.Errorf("%s %s %.60s: %d %v, want %d %v", c.method, c.path, c.body, status, doc, c.status, c.kind)
		}
	}
	if status, _, _ := o.scimCall("POST", "/Users", "a=b", "Content-Type", "text/plain"); status != http.StatusUnsupportedMediaType {
		t.Errorf("media type: %d", status)
	}
	u := asIntegration(t, o)
	if err := o.RestrictProfile(t.Context(), "Standard User", &Permissions{Objects: map[string]Access{"User": {Read: true}}}); err != nil {
		t.Fatal(err)
	}
	if status, doc, _ := u.scimCall("GET", "/Users", ""); status != http.StatusForbidden || doc["status"] != "403" {
		t.Errorf("without the right: %d %v", status, doc)
	}
	if status, doc, _ := u.scimCall("GET", "/Me", ""); status != http.StatusOK || doc["userName"] != "integration@sandbox.example" {
		t.Errorf("me: %d %v", status, doc)
	}
	// Who is deactivated is signed out.
	if status, _, _ := o.scimCall("DELETE", "/Users/"+makeID("005", 2), ""); status != http.StatusNoContent {
		t.Errorf("deactivating: %d", status)
	}
	if status, doc, header := u.scimCall("GET", "/Me", ""); status != http.StatusUnauthorized || at(doc, "schemas/0") != scimErrorURN || header.Get("WWW-Authenticate") == "" {
		t.Errorf("signed out: %d %v", status, doc)
	}
}

// TestSCIMDeactivation: a deactivated user, renamed or not, is signed out, and a refresh token opens nothing until the user is
// active again.
func TestSCIMDeactivation(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	u := asIntegration(t, o)
	user := "/Users/" + makeID("005", 2)
	c := o.Credentials()
	token, err := o.sessions.add(t.Context(), session{user: makeID("005", 2), client: c.ClientID, name: "integration@sandbox.example", refresh: true}, untilRevoked)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "refresh_token": {token}}
	active := func(value string) {
		t.Helper()
		op := `{"op":"replace","value":{"userName":"renamed@sandbox.example","active":` + value + `}}`
		if status, doc, _ := o.scimCall("PATCH", user, `{"schemas":["`+scimPatchURN+`"],"Operations":[`+op+`]}`); status != http.StatusOK {
			t.Fatalf("%d %v", status, doc)
		}
	}
	active("true")
	if status, _, _ := u.scimCall("GET", "/Me", ""); status != http.StatusOK {
		t.Errorf("renamed: %d", status)
	}
	active("false")
	if status, _, _ := u.scimCall("GET", "/Me", ""); status != http.StatusUnauthorized {
		t.Errorf("the session goes on: %d", status)
	}
	if status, out := o.form("/services/oauth2/token", form); status != http.StatusBadRequest || !strings.Contains(out, "inactive user") {
		t.Errorf("refreshing while inactive: %d %s", status, out)
	}
	active("true")
	if status, out := o.form("/services/oauth2/token", form); status != http.StatusOK {
		t.Errorf("refreshing afterwards: %d %s", status, out)
	}
}

func TestSCIMDailyLimit(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, DailyRequests: 1})
	if status, _, header := o.scimCall("GET", "/Me", ""); status != http.StatusOK || header.Get("Sforce-Limit-Info") != "api-usage=1/1" {
		t.Fatalf("%d %v", status, header)
	}
	if status, doc, header := o.scimCall("GET", "/Me", ""); status != http.StatusForbidden || at(doc, "schemas/0") != scimErrorURN || header.Get("Sforce-Limit-Info") != "api-usage=2/1" {
		t.Errorf("%d %v %v", status, doc, header)
	}
}

// TestSCIMFieldAccess: what a user may not see of User is not shown, cannot be filtered by, and cannot be changed.
func TestSCIMFieldAccess(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	u := asIntegration(t, o)
	err := o.RestrictProfile(t.Context(), "Standard User", &Permissions{
		Objects: map[string]Access{"User": {Read: true, Edit: true}},
		Fields:  map[string]FieldAccess{"User.IsActive": {Read: true, Edit: true}, "User.Title": {Read: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	user := "/Users/" + makeID("005", 3)
	patch := func(op string) string { return `{"schemas":["` + scimPatchURN + `"],"Operations":[` + op + `]}` }
	for _, c := range []struct {
		method, path, body string
		status             int
		at                 string
		want               any
	}{
		{"GET", user, "", 200, "nickName", nil},
		{"GET", user, "", 200, "name/givenName", nil},
		{"GET", "/Users?filter=nickName+eq+%22asilva%22", "", 400, "scimType", scimInvalidFilter},
		{"PATCH", user, patch(`{"op":"replace","path":"active","value":false}`), 200, "active", false},
		{"PATCH", user, patch(`{"op":"replace","path":"title","value":"Boss"}`), 403, "status", "403"},
		{"PATCH", user, patch(`{"op":"replace","path":"nickName","value":"x"}`), 403, "status", "403"},
		{"POST", "/Users", strings.Replace(newUserBody(o, "new@x.example"), "+1 555 0100", "1", 1), 403, "status", "403"},
	} {
		if status, doc, _ := u.scimCall(c.method, c.path, c.body); status != c.status || at(doc, c.at) != c.want {
			t.Errorf("%s %s %s: %d %v, want %d %v", c.method, c.path, c.body, status, doc, c.status, c.want)
		}
	}
}

func FuzzSCIMFilter(f *testing.F) {
	for _, seed := range []string{
		`userName eq "a"`, `id eq "x" and active eq true`, `not (a.b pr) or c:d ew "\"\u00e9"`, `(a eq null)`, `emails[type eq "work"].value`, `a eq 1e9`, `((`, `a eq {}`,
	} {
		f.Add(seed)
	}
	columns := map[string]scimColumn{"username": {exact: "u", fold: "f"}, "active": {exact: "a", bool: true}}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parseSCIMFilter(text)
		if (e == nil) == (err == nil) {
			t.Fatalf("%q: %v %v", text, e, err)
		}
		if err == nil {
			if where, args, err := e.where(columns); err == nil && strings.Count(where, "?") != len(args) {
				t.Fatalf("%q: %s takes %d arguments", text, where, len(args))
			}
			_, _ = e.matches(map[string]any{"type": "work", "value": "x", "primary": true})
		}
		if p, err := parseSCIMPath(text); err == nil && p.attr == "" {
			t.Fatalf("%q: a path without an attribute", text)
		}
	})
}

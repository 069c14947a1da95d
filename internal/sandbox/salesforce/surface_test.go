package salesforce

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func (o *testOrg) tokenError(form url.Values) string {
	o.t.Helper()
	c := o.Credentials()
	form.Set("client_id", c.ClientID)
	form.Set("client_secret", c.ClientSecret)
	_, body := o.form("/services/oauth2/token", form)
	var e oauthError
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		o.t.Fatalf("%s: %v", body, err)
	}
	return e.Code
}

func TestDeviceFlow(t *testing.T) {
	t.Parallel()
	now := fixedNow()
	o := start(t, Options{Seed: SeedNone, Now: func() time.Time { return now }})
	begin := url.Values{"response_type": {"device_code"}, "scope": {"api refresh_token"}}
	if code := o.tokenError(begin); code != "invalid_request" {
		t.Errorf("the flow is open in a new org: %q", code)
	}
	if err := o.SetFlow(t.Context(), FlowDevice, true); err != nil {
		t.Fatal(err)
	}
	c := o.Credentials()
	type codes struct {
		Device string `json:"device_code"`
		User   string `json:"user_code"`
		URI    string `json:"verification_uri"`
		Every  int    `json:"interval"`
	}
	ask := func() (a codes) {
		_, body := o.form("/services/oauth2/token", begin)
		if err := json.Unmarshal([]byte(body), &a); err != nil || len(a.User) != 8 || a.Every != 5 || !strings.HasSuffix(a.URI, "/setup/connect") {
			t.Fatalf("%s %v", body, err)
		}
		return a
	}
	decide := func(user, answer, password string) (int, string) {
		status, body, _ := o.send(http.MethodPost, "/setup/connect", url.Values{
			"user_code": {user}, "answer": {answer}, "username": {c.Username}, "password": {password},
		}.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
		return status, body
	}
	a := ask()
	poll := url.Values{"grant_type": {"device"}, "code": {a.Device}}
	if code := o.tokenError(poll); code != "authorization_pending" {
		t.Errorf("before: %q", code)
	}
	if code := o.tokenError(poll); code != "slow_down" {
		t.Errorf("at once again: %q", code)
	}
	if status, _ := decide(a.User, "allow", "wrong"); status != http.StatusUnauthorized {
		t.Errorf("a wrong password: %d", status)
	}
	if status, body := decide(strings.ToLower(a.User), "allow", c.Password); status != http.StatusOK || !strings.Contains(body, "signed in within seconds") {
		t.Errorf("%d %s", status, body)
	}
	status, body := o.form("/services/oauth2/token", poll)
	if status != http.StatusOK || !strings.Contains(body, `"refresh_token"`) || !strings.Contains(body, `"scope":"api refresh_token"`) {
		t.Errorf("%d %s", status, body)
	}
	if code := o.tokenError(poll); code != "invalid_grant" {
		t.Errorf("the code works twice: %q", code)
	}
	b := ask()
	if status, _ := decide(b.User, "deny", ""); status != http.StatusOK {
		t.Errorf("deny: %d", status)
	}
	if code := o.tokenError(url.Values{"grant_type": {"device"}, "code": {b.Device}}); code != "access_denied" {
		t.Errorf("denied: %q", code)
	}
	late := ask()
	now = now.Add(deviceTTL + time.Second)
	if status, _ := decide(late.User, "allow", c.Password); status != http.StatusBadRequest {
		t.Errorf("an old code: %d", status)
	}
}

func TestTokenExchange(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, PublicKeys: []string{publicPEM(t, testKey())}})
	c := o.Credentials()
	jwt := signJWT(t, testKey(), `{"alg":"RS256"}`, `{"iss":"https://idp.example","sub":"`+c.Username+`","aud":"x","exp":"1900000000"}`)
	form := url.Values{
		"grant_type": {grantExchange}, "subject_token": {jwt}, "subject_token_type": {tokenTypes + "jwt"},
		"client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "scope": {"api"},
	}
	status, body := o.form("/services/oauth2/token", form)
	if status != http.StatusOK || !strings.Contains(body, `"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"`) || !strings.Contains(body, `"scope":"api"`) {
		t.Fatalf("%d %s", status, body)
	}
	form.Set("subject_token", o.token)
	form.Set("subject_token_type", tokenTypes+"access_token")
	if status, body := o.form("/services/oauth2/token", form); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	for name, change := range map[string]func(url.Values){
		"invalid_scope":   func(v url.Values) { v.Set("scope", "everything") },
		"invalid_request": func(v url.Values) { v.Set("subject_token_type", "x") },
		"invalid_grant":   func(v url.Values) { v.Set("subject_token", "x") },
	} {
		bad := maps.Clone(form)
		change(bad)
		if code := o.tokenError(bad); code != name {
			t.Errorf("got %q, want %q", code, name)
		}
	}
	if err := o.SetFlow(t.Context(), FlowTokenExchange, false); err != nil {
		t.Fatal(err)
	}
	if code := o.tokenError(form); code != "unsupported_grant_type" {
		t.Errorf("closed: %q", code)
	}
}

func TestSingleAccess(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	status, body := o.form("/services/oauth2/singleaccess", url.Values{"access_token": {o.token}, "redirect_uri": {"/sandbox/log"}})
	var a struct {
		URI string `json:"frontdoor_uri"`
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	path := strings.TrimPrefix(a.URI, o.url)
	if status, _, h := o.send(http.MethodGet, path, "", nil); status != http.StatusSeeOther || h.Get("Location") != "/sandbox/log" {
		t.Errorf("%d to %s", status, h.Get("Location"))
	}
	if status, _, _ := o.send(http.MethodGet, path, "", nil); status != http.StatusForbidden {
		t.Errorf("a second time: %d", status)
	}
	for _, bad := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`} {
		if status, _ := o.form("/services/oauth2/singleaccess", url.Values{"access_token": {o.token}, "redirect_uri": {bad}}); status != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, status)
		}
	}
	if status, _ := o.form("/services/oauth2/singleaccess", url.Values{"access_token": {"x"}}); status != http.StatusUnauthorized {
		t.Errorf("without a session: %d", status)
	}
}

func TestApexREST(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	auth := http.Header{"Authorization": {"Bearer " + o.token}}
	for _, rule := range []string{`{"method":"post","path":"/calls/*","status":201,"body":{"ok":true}}`, `{"method":"POST","path":"calls/quiet","status":204}`} {
		if status, body, _ := o.send(http.MethodPut, "/sandbox/api/apexrest", rule, nil); status != http.StatusNoContent {
			t.Fatalf("%s: %d %s", rule, status, body)
		}
	}
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{http.MethodPost, "/services/apexrest/calls/7", 201, `{"ok":true}`},
		{http.MethodPost, "/services/apexrest/Calls/quiet", 204, ""},
		{http.MethodPost, "/services/apexrest/calls", 404, `[{"message":"Could not find a match for URL","errorCode":"NOT_FOUND"}]`},
		{http.MethodGet, "/services/apexrest/calls/7", 404, `[{"message":"Could not find a match for URL","errorCode":"NOT_FOUND"}]`},
	} {
		if status, body, h := o.send(c.method, c.path, "{}", auth); status != c.status || body != c.body || h.Get("Sforce-Limit-Info") == "" {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
		}
	}
	if status, _, _ := o.send(http.MethodPost, "/services/apexrest/calls/7", "{}", nil); status != http.StatusUnauthorized {
		t.Errorf("without a session: %d", status)
	}
}

func TestConversationUpload(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	const path = "/connect/conversations/upload"
	part := func(name, text string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"transcripts.txt\"\r\n\r\n" + text + "\r\n"
	}
	body := part("c-1", "{\"type\":\"conversation\",\"payload\":{\"conversationId\":\"c-1\"}}\n{\"type\":\"conversationEntry\",\"payload\":{}}") +
		part("c-2", "Hello") + part("c-3", "") + "--b--\r\n"
	status, out := o.api(http.MethodPost, path, body, "Content-Type", "multipart/form-data; boundary=b")
	var up struct {
		Results []upload `json:"conversationBulkUploadsResults"`
	}
	if err := json.Unmarshal([]byte(out), &up); err != nil || status != http.StatusCreated || len(up.Results) != 3 {
		t.Fatalf("%d %s", status, out)
	}
	first := up.Results[0]
	if want := `{"conversationIdentifier":"c-1","errorDetail":null,"status":"SUCCESS","uploadId":"` + first.ID + `"}`; !strings.Contains(out, want) || len(first.ID) != 36 {
		t.Errorf("got %s, want %s", out, want)
	}
	for i, reason := range map[int]string{1: "line 1 is no JSON object", 2: "the transcript is empty"} {
		if u := up.Results[i]; u.Status != "FAILURE" || u.Error == nil || !strings.HasPrefix(*u.Error, reason) {
			t.Errorf("%+v, want %s", u, reason)
		}
	}
	status, out = o.api(http.MethodGet, path+"?uploadIds="+first.ID+","+up.Results[1].ID, "")
	if status != http.StatusOK || !strings.HasPrefix(out, `{"conversationBulkUploadStatuses":[{"conversationIdentifier":"c-1","errorDetail":null,"status":"SUCCESS"`) || !strings.Contains(out, `"FAILURE"`) {
		t.Errorf("%d %s", status, out)
	}
	for _, c := range []struct {
		method, path, body, kind string
		status                   int
	}{
		{http.MethodGet, path + "?uploadIds=nope", "", "", 404},
		{http.MethodGet, path, "", "", 400},
		{http.MethodPost, path, "{}", "application/json", 415},
		{http.MethodPost, path, "--b", "multipart/form-data; boundary=b", 400},
		{http.MethodDelete, path, "", "", 405},
		{http.MethodGet, "/connect/users", "", "", 404},
	} {
		if status, out := o.api(c.method, c.path, c.body, "Content-Type", c.kind); status != c.status {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, out)
		}
	}
}

// TestHTTPStatuses are the answers that depend on no record.
func TestHTTPStatuses(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for _, c := range []struct {
		method, path, body string
		header             []string
		status             int
		code               string
	}{
		{http.MethodPost, "/sobjects/Account", `<Account/>`, []string{"Content-Type", "application/xml"}, 400, "REQUIRED_FIELD_MISSING"},
		{http.MethodPost, "/composite", `<Account/>`, []string{"Content-Type", "application/xml"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{http.MethodPost, "/sobjects/Account", "Name\nx", []string{"Content-Type", "text/csv"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{http.MethodPost, "/sobjects/Account", `Name=x`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{http.MethodPost, "/sobjects/Account", `{"Name":"x"}`, []string{"Content-Type", "application/json; charset=utf-8"}, 201, ""},
		{http.MethodPut, "/sobjects/Account", `{}`, nil, 405, "METHOD_NOT_ALLOWED"},
		{http.MethodPost, "/query", `{}`, nil, 405, "METHOD_NOT_ALLOWED"},
		{http.MethodPut, "/composite", "", nil, 405, "METHOD_NOT_ALLOWED"},
		{http.MethodGet, "/limits?" + strings.Repeat("x", maxURL), "", nil, 414, "URI_TOO_LONG"},
		{http.MethodGet, "/limits", "", []string{"X-Long", strings.Repeat("x", maxHead)}, 431, "REQUEST_HEADER_FIELDS_TOO_LARGE"},
		{http.MethodGet, "/nothing", "", nil, 404, "NOT_FOUND"},
		{http.MethodPost, "/sobjects/Account", "{", nil, 400, "JSON_PARSER_ERROR"},
	} {
		status, body := o.api(c.method, c.path, c.body, c.header...)
		if status != c.status || !strings.Contains(body, `"errorCode":"`+c.code+`"`) && c.code != "" {
			t.Errorf("%s %.60s: %d %.200s, want %d %s", c.method, c.path, status, body, c.status, c.code)
		}
	}
	for _, v := range []struct {
		path   string
		status int
	}{
		{"/services/data/v31.0", 200},
		{"/services/data/v68.0", 200},
		{"/services/data/v30.0", 410},
		{"/services/data/v21.0", 410},
		{"/services/data/v20.0", 410},
		{"/services/data/v6.0", 404},
		{"/services/data/v69.0", 404},
		{"//services//data//v60.0//", 200},
		{"/services/data/v60.0/query/?q=SELECT+Id+FROM+User", 200},
		{"/SERVICES/DATA/V60.0/SObjects/account/Describe", 200},
	} {
		status, body, h := o.send(http.MethodGet, v.path, "", http.Header{"Authorization": {"Bearer " + o.token}})
		if status != v.status || status == 200 && !strings.HasPrefix(h.Get("Sforce-Limit-Info"), "api-usage=") {
			t.Errorf("%s: %d %.100s", v.path, status, body)
		}
	}
}

func TestReplicationWindow(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"A"}`)
	gone := o.create("Account", `{"Name":"B"}`)
	o.api(http.MethodDelete, "/sobjects/Account/"+gone, "")
	ask := func(list, start, end string) (int, string) {
		return o.api(http.MethodGet, "/sobjects/Account/"+list+"?start="+url.QueryEscape(start)+"&end="+url.QueryEscape(end), "")
	}
	if _, body := ask("updated", "2026-11-18T15:00:59Z", "2026-11-18T15:31:00Z"); body != `{"ids":["`+id+`"],"latestDateCovered":"2026-11-18T15:30:00.000+0000"}` {
		t.Error(body)
	}
	if _, body := ask("deleted", "2026-11-18T16:00:00+01:00", "2026-11-18T15:31:00Z"); body != `{"deletedRecords":[{"deletedDate":"2026-11-18T15:30:00.000+0000","id":"`+gone+
		`"}],"earliestDateAvailable":"2026-11-03T15:30:00.000+0000","latestDateCovered":"2026-11-18T15:30:00.000+0000"}` {
		t.Error(body)
	}
	for _, c := range [][2]string{
		{"2026-11-18T15:00:01Z", "2026-11-18T15:00:59Z"}, // within one minute
		{"2026-11-18T15:30:00Z", "2026-11-18T15:00:00Z"},
		{"2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z"}, // too long ago
		{"2026-10-20T00:00:00Z", "2026-11-30T00:00:00Z"}, // too long
		{"yesterday", "2026-11-18T15:00:00Z"},
	} {
		if status, body := ask("updated", c[0], c[1]); status != http.StatusBadRequest || !strings.Contains(body, "INVALID_REPLICATION_DATE") {
			t.Errorf("%v: %d %s", c, status, body)
		}
	}
}

func TestParameterizedSearch(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for _, name := range []string{"Acme One", "Acme Two", "Acme Three"} {
		o.create("Account", `{"Name":"`+name+`","Industry":"Media"}`)
	}
	o.create("Contact", `{"LastName":"Acme"}`)
	for path, want := range map[string]string{
		"/parameterizedSearch?q=acme&sobject=Account&Account.fields=Name&Account.limit=1":                                    `[{"Name":"Acme One"}]`,
		"/parameterizedSearch?q=acme&sobject=Contact&sobject=Account&fields=Name&defaultLimit=1":                             `[{"Name":"Acme"},{"Name":"Acme One"}]`,
		"/parameterizedSearch?q=acme&in=NAME&sobject=Account&Account.fields=Name&Account.where=Name+LIKE+%27%25Two%27":       `[{"Name":"Acme Two"}]`,
		"/parameterizedSearch?q=acme&sobject=Account,Contact&Account.fields=Name&Contact.fields=LastName&overallLimit=2":     `[{"Name":"Acme One"},{"Name":"Acme Two"}]`,
		"/parameterizedSearch?q=acme&sobject=Account&Account.fields=Name&offset=2":                                           `[{"Name":"Acme Three"}]`,
		"/parameterizedSearch?q=nothing%7D+RETURNING+Contact%28Id%29&sobject=Account&Account.fields=Name&Account.limit=2000": `[]`,
	} {
		status, body := o.api(http.MethodGet, path, "")
		if got := strip(t, body); status != http.StatusOK || got != `{"searchRecords":`+want+`}` {
			t.Errorf("%s: %d\n got %s\nwant %s", path, status, got, want)
		}
	}
	_, body := o.api(http.MethodPost, "/parameterizedSearch", `{"q":"acme","in":"ALL","sobjects":[{"name":"Account","fields":["Name"],"where":"Industry = 'Media'","orderBy":"Name DESC","limit":2}],"overallLimit":5}`)
	if got := strip(t, body); got != `{"searchRecords":[{"Name":"Acme Two"},{"Name":"Acme Three"}]}` {
		t.Error(got)
	}
	for _, path := range []string{
		"/parameterizedSearch", "/parameterizedSearch?q=acme&overallLimit=x", "/parameterizedSearch?q=acme&offset=1",
		"/parameterizedSearch?q=acme&fields=Name", "/parameterizedSearch?q=acme&sobject=Nope", "/parameterizedSearch?q=acme&sobject=Account&offset=2001",
	} {
		if status, body := o.api(http.MethodGet, path, ""); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

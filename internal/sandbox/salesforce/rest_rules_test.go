package salesforce

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// restRule is one statement about the REST API with a request that shows it. want is a part of the answer, all of it where it
// begins with =, and one it must not have where it begins with !.
type restRule struct {
	rule, method, path, body string
	status                   int
	want                     string
	header                   []string
}

func (o *testOrg) checkRules(t *testing.T, rules []restRule) {
	t.Helper()
	for _, r := range rules {
		status, body := o.api(r.method, r.path, r.body, r.header...)
		fits := strings.Contains(body, r.want)
		if exact, isExact := strings.CutPrefix(r.want, "="); isExact {
			fits = body == exact
		} else if not, isNot := strings.CutPrefix(r.want, "!"); isNot {
			fits = !strings.Contains(body, not)
		}
		if status != r.status || !fits {
			t.Errorf("%s\n%s %s %.120s\n got %d %.700s\nwant %d %s", r.rule, r.method, r.path, r.body, status, body, r.status, r.want)
		}
	}
}

// do sends a signed-in request to any path and returns the answer as it came.
func (o *testOrg) do(method, path, body string, header ...string) (int, string, http.Header) {
	o.t.Helper()
	h := http.Header{"Authorization": {"Bearer " + o.token}}
	if body != "" {
		h.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return o.send(method, path, body, h)
}

func TestRuleVersions(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	var list []struct{ Label, URL, Version string }
	status, body, _ := o.send(http.MethodGet, "/services/data", "", nil)
	if err := json.Unmarshal([]byte(body), &list); err != nil || status != http.StatusOK {
		t.Fatalf("the list needs no sign-in: %d %s", status, body)
	}
	if n := len(list); n != 38 || list[0].Version != "31.0" || list[0].Label != "Summer '14" || list[37].Version != "68.0" || list[37].Label != "Winter '27" {
		t.Errorf("31.0 to 68.0 with their seasons: %+v", list)
	}
	for _, v := range list {
		status, body, _ := o.do(http.MethodGet, v.URL, "")
		if want := `"sobjects":"` + v.URL + `/sobjects"`; status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s answers its resources: %d %s", v.URL, status, body)
		}
	}
	for _, c := range []struct {
		rule, path string
		status     int
		want       string
	}{
		{"a retired version is gone", "/services/data/v30.0/limits", 410, `"errorCode":"GONE"`},
		{"so is the first one of REST", "/services/data/v20.0/sobjects", 410, `"errorCode":"GONE"`},
		{"the oldest retired version is gone", "/services/data/v7.0", 410, `"errorCode":"GONE"`},
		{"a version that never was", "/services/data/v6.0", 404, `"errorCode":"NOT_FOUND"`},
		{"a version written with zeros", "/services/data/v060.0", 404, `"errorCode":"NOT_FOUND"`},
		{"a version with a sign", "/services/data/v+60.0", 404, `"errorCode":"NOT_FOUND"`},
		{"a version that is not there yet", "/services/data/v69.0", 404, `"errorCode":"NOT_FOUND"`},
		{"a version without its fraction", "/services/data/v60", 404, `"errorCode":"NOT_FOUND"`},
		{"a version with another fraction", "/services/data/v60.1", 404, `"errorCode":"NOT_FOUND"`},
		{"a word for a version", "/services/data/latest", 404, `"errorCode":"NOT_FOUND"`},
		{"two slashes, as the CLI sends", "//services/data/v66.0/limits", 200, "DailyApiRequests"},
		{"slashes anywhere", "//services///data/v60.0//sobjects//", 200, "maxBatchSize"},
		{"a slash before the question mark", "/services/data/v60.0/query/?q=SELECT+Id+FROM+Profile", 200, `"totalSize"`},
		{"words without regard to case", "/Services/Data/V60.0/SObjects/ACCOUNT/Describe", 200, `"name":"Account"`},
		{"the suffix .json changes nothing", "/services/data/v60.0/limits.json", 200, `{"`},
		{"a resource nobody knows", "/services/data/v60.0/nothing", 404, `[{"message":"The requested resource does not exist","errorCode":"NOT_FOUND"}]`},
	} {
		if status, body, _ := o.do(http.MethodGet, c.path, ""); status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %s: %d %s, want %d %s", c.rule, c.path, status, body, c.status, c.want)
		}
	}
}

// TestRuleEveryNamedResourceAnswers: what the map of a version names is there.
func TestRuleEveryNamedResourceAnswers(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	_, body, _ := o.do(http.MethodGet, "/services/data/v60.0", "")
	var named map[string]string
	if err := json.Unmarshal([]byte(body), &named); err != nil || len(named) < 15 {
		t.Fatalf("%v %s", err, body)
	}
	needs := map[string]string{ // parameters without which a resource has nothing to say
		"query": "?q=SELECT+Id+FROM+User", "queryAll": "?q=SELECT+Id+FROM+User", "search": "?q=FIND+%7Bacme%7D", "parameterizedSearch": "?q=acme",
		"compactLayouts": "?q=Account,Contact",
	}
	if named["identity"] != o.url+"/id/"+orgID+"/"+o.admin {
		t.Errorf("who is signed in: %s", named["identity"])
	}
	for name, path := range named {
		path = strings.TrimPrefix(path, o.url)
		if status, body, _ := o.do(http.MethodGet, path+needs[name], ""); status != http.StatusOK {
			t.Errorf("%s: %d %s", name, status, body)
		}
		if needs[name] != "" {
			if status, _, _ := o.do(http.MethodGet, path, ""); status != http.StatusBadRequest {
				t.Errorf("%s without its parameters: %d", name, status)
			}
		}
	}
	for _, c := range []struct{ path, want string }{
		{"/composite", `"tree":"/services/data/v60.0/composite/tree"`},
		{"/jobs", `"ingest":"/services/data/v60.0/jobs/ingest"`},
		{"/tooling", `"query":"/services/data/v60.0/tooling/query"`},
		{"/process/rules", `{"rules":{}}`},
		{"/process/approvals", `{"approvals":{}}`},
		{"/appMenu/AppSwitcher", `"appMenuItems":[{`},
		{"/quickActions", `[]`},
		{"/sobjects/Account/quickActions", `[]`},
		{"/tabs", `"sobjectName":"Account"`},
		{"/theme", `{"themeItems":[{`},
		{"/limits/recordCount?sObjects=Account,Nope", `{"sObjects":[{"count":0,"name":"Account"}]}`},
		{"/search/scopeOrder", `{"type":"Account","url":"/services/data/v60.0/sobjects/Account/describe"}`},
		{"/search/layout?q=Account", `"objectType":"Account","searchColumns":[{"field":"Account.Name"`},
		{"/search/suggestSearchQueries?q=acm", `{"autoSuggestResults":[],"hasMoreResults":false}`},
	} {
		if status, body := o.api(http.MethodGet, c.path, ""); status != http.StatusOK || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %.300s, want %s", c.path, status, body, c.want)
		}
	}
}

func TestRuleMethods(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	acme := "/sobjects/Account/" + o.create("Account", `{"Name":"Acme"}`)
	for _, c := range []struct{ method, path, allow string }{
		{http.MethodPatch, "/sobjects/Account", "HEAD,GET,POST"},
		{http.MethodPut, acme, "HEAD,GET,PATCH,DELETE"},
		{http.MethodPost, acme, "HEAD,GET,PATCH,DELETE"},
		{http.MethodPost, "/sobjects/Account/Ext__c/k", "HEAD,GET,PATCH,DELETE"},
		{http.MethodPost, "/sobjects", "HEAD,GET"},
		{http.MethodPost, "/sobjects/Account/describe", "HEAD,GET"},
		{http.MethodDelete, "/sobjects/Account/updated", "HEAD,GET"},
		{http.MethodPost, "/query", "HEAD,GET"},
		{http.MethodDelete, "/limits", "HEAD,GET"},
		{http.MethodPatch, "/search", "HEAD,GET"},
		{http.MethodDelete, "/parameterizedSearch", "HEAD,GET,POST"},
		{http.MethodPatch, "/composite", "POST"},
		{http.MethodGet, "/composite/batch", "POST"},
		{http.MethodPost, acme + "/Contacts", "HEAD,GET"},
		{http.MethodPost, "/tooling/query", "HEAD,GET"},
	} {
		status, body, h := o.do(c.method, "/services/data/v60.0"+c.path, "{}")
		want := `[{"message":"HTTP Method '` + c.method + `' not allowed. Allowed are ` + c.allow + `","errorCode":"METHOD_NOT_ALLOWED"}]`
		if status != http.StatusMethodNotAllowed || body != want || h.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %s, Allow: %s\nwant %s", c.method, c.path, status, body, h.Get("Allow"), want)
		}
	}
	for _, path := range []string{acme, "/sobjects/Account", "/sobjects/Account/describe", "/limits", "/query?q=SELECT+Id+FROM+Account", acme + "/Contacts"} {
		status, body, h := o.do(http.MethodHead, "/services/data/v60.0"+path, "")
		if status != http.StatusOK || body != "" || !strings.HasPrefix(h.Get("Content-Type"), "application/json") {
			t.Errorf("HEAD %s: %d %q %v", path, status, body, h)
		}
	}
	status, body, _ := o.do(http.MethodPost, "/services/data/v60.0"+acme+"?_HttpMethod=PATCH", `{"Fax":"1"}`)
	if status != http.StatusNoContent || body != "" {
		t.Errorf("POST that stands for PATCH: %d %s", status, body)
	}
}

func TestRuleRequestForms(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	pack := func(w io.WriteCloser, buf *bytes.Buffer, text string) string {
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return buf.String()
	}
	var a, b, c bytes.Buffer
	zipped := pack(gzip.NewWriter(&a), &a, `{"Name":"Zipped"}`)
	deflated := pack(zlib.NewWriter(&b), &b, `{"Name":"Deflated"}`)
	bomb := pack(gzip.NewWriter(&c), &c, `{"Name":"`+strings.Repeat("x", maxBody)+`"}`)
	o.checkRules(t, []restRule{
		{"a body compressed with gzip", "POST", "/sobjects/Account", zipped, 201, `"success":true`, []string{"Content-Encoding", "gzip"}},
		{"a body compressed with deflate", "POST", "/sobjects/Account", deflated, 201, `"success":true`, []string{"Content-Encoding", "deflate"}},
		{"a body that is not compressed as it says", "POST", "/sobjects/Account", `{"Name":"x"}`, 400, `INVALID_CONTENT_ENCODING`, []string{"Content-Encoding", "gzip"}},
		{"a body cut short", "POST", "/sobjects/Account", zipped[:len(zipped)-9], 400, `INVALID_CONTENT_ENCODING`, []string{"Content-Encoding", "gzip"}},
		{"a compression nobody reads", "POST", "/sobjects/Account", "x", 415, `UNSUPPORTED_MEDIA_TYPE`, []string{"Content-Encoding", "br"}},
		{"a body that is too long once it is plain", "POST", "/sobjects/Account", bomb, 413, `REQUEST_ENTITY_TOO_LARGE`, []string{"Content-Encoding", "gzip"}},
		{"a form is no record", "POST", "/sobjects/Account", "Name=x", 415, `UNSUPPORTED_MEDIA_TYPE`, []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"a type nobody can read", "POST", "/sobjects/Account", `{"Name":"x"}`, 415, `UNSUPPORTED_MEDIA_TYPE`, []string{"Content-Type", ";;"}},
		{"a type with a charset", "POST", "/sobjects/Account", `{"Name":"x"}`, 201, `"success":true`, []string{"Content-Type", "application/json;charset=UTF-8"}},
		{"an address that is too long", "GET", "/limits?x=" + strings.Repeat("x", maxURL), "", 414, `URI_TOO_LONG`, nil},
		{"headers that are too long", "GET", "/limits", "", 431, `REQUEST_HEADER_FIELDS_TOO_LARGE`, []string{"X-Long", strings.Repeat("x", maxHead)}},
		{"headers of clients change nothing", "POST", "/sobjects/Account", `{"Name":"x"}`, 201, `"success":true`, []string{"Sforce-Auto-Assign", "FALSE", "Sforce-Call-Options", "client=acme/1.0, defaultNamespace=ns", "x-sfdc-packageversion-ns", "1.0"}},
	})
	long := o.create("Account", `{"Name":"Long","Description":"`+strings.Repeat("line ", 3000)+`"}`)
	path := "/services/data/v60.0/sobjects/Account/" + long
	status, body, h := o.do(http.MethodGet, path, "", "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(strings.NewReader(body))
	if err != nil || status != http.StatusOK || h.Get("Content-Encoding") != "gzip" || h.Get("Content-Length") != fmt.Sprint(len(body)) || len(body) > 3000 {
		t.Fatalf("a long answer is compressed for who takes it: %d, %d bytes, %v %v", status, len(body), h, err)
	}
	plain, err := io.ReadAll(z)
	if err != nil || !bytes.Contains(plain, []byte(`"Name":"Long"`)) {
		t.Errorf("%.100s %v", plain, err)
	}
	if status, _, _ := o.do(http.MethodGet, path, "", "If-None-Match", h.Get("ETag")); status != http.StatusNotModified || !strings.HasSuffix(h.Get("ETag"), `--gzip"`) {
		t.Errorf("the tag of a compressed answer %s: %d", h.Get("ETag"), status)
	}
	for _, accept := range []string{"identity", "gzip;q=0", "br"} {
		if _, _, h := o.do(http.MethodGet, path, "", "Accept-Encoding", accept); h.Get("Content-Encoding") != "" {
			t.Errorf("compressed for who takes %s", accept)
		}
	}
}

func TestRuleXML(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	acme := o.create("Account", `{"Name":"A & B","Phone":"1","Ext__c":"a.xml"}`)
	o.create("Contact", `{"LastName":"Kid","AccountId":"`+acme+`"}`)
	at := "/services/data/v60.0"
	for _, c := range []struct {
		rule, method, path, body string
		status                   int
		want                     string
	}{
		{"versions", "GET", "/services/data.xml", "", 200, `<Versions><Version><label>Summer &#39;14</label><url>/services/data/v31.0</url><version>31.0</version></Version>`},
		{"resources", "GET", at, "", 200, `<urls><appMenu>/services/data/v60.0/appMenu</appMenu>`},
		{"a record by suffix", "GET", at + "/sobjects/Account/" + acme + ".xml?fields=Name,Fax", "", 200, `<Account type="Account" url="/services/data/v60.0/sobjects/Account/` + acme + `"><Name>A &amp; B</Name><Fax xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/></Account>`},
		{"a query", "GET", at + "/query?q=SELECT+Name,(SELECT+LastName+FROM+Contacts)+FROM+Account", "", 200, `<QueryResult><totalSize>1</totalSize><done>true</done><records type="Account" url="/services/data/v60.0/sobjects/Account/` + acme + `"><Name>A &amp; B</Name><Contacts><totalSize>1</totalSize>`},
		{"a search", "GET", at + "/search?q=FIND+%7BKid%7D+RETURNING+Contact(LastName)", "", 200, `<SearchResults><searchRecords type="Contact"`},
		{"limits", "GET", at + "/limits", "", 200, `<LimitsSnapshot>`},
		{"all entities", "GET", at + "/sobjects", "", 200, `<DescribeGlobal><encoding>UTF-8</encoding>`},
		{"an error", "GET", at + "/query?q=SELECT", "", 400, `<Errors><Error><message>`},
		{"an error of the address", "GET", at + "/nothing.xml", "", 404, `<Errors><Error><message>The requested resource does not exist</message><errorCode>NOT_FOUND</errorCode></Error></Errors>`},
		{"a new record", "POST", at + "/sobjects/Contact", `<?xml version="1.0"?><Contact><LastName>X</LastName><DoNotCall>true</DoNotCall><Account><Ext__c>a.xml</Ext__c></Account></Contact>`, 201, `<success>true</success></Result>`},
		{"a changed record", "PATCH", at + "/sobjects/Account/" + acme, `<Account><Phone xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/><Fax>7</Fax></Account>`, 204, ""},
		{"what it made of it", "GET", at + "/sobjects/Account/" + acme + "?fields=Phone,Fax", "", 200, `<Fax>7</Fax></Account>`},
		{"an external id that ends like a suffix", "GET", at + "/sobjects/Account/Ext__c/a.xml", "", 200, `<Account type="Account"`},
		{"no XML", "POST", at + "/sobjects/Account", `<Account><Name>`, 400, `<errorCode>XML_PARSER_ERROR</errorCode>`},
		{"XML where there are no records", "POST", at + "/composite", `<x/>`, 415, `UNSUPPORTED_MEDIA_TYPE`},
	} {
		header := []string{"Accept", "application/xml"}
		if c.body != "" {
			header = append(header, "Content-Type", "application/xml; charset=utf-8")
		}
		status, body, h := o.do(c.method, c.path, c.body, header...)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %.600s\nwant %d %s", c.rule, status, body, c.status, c.want)
		}
		if body == "" {
			continue
		}
		dec := xml.NewDecoder(strings.NewReader(body))
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("%s is no XML: %v in %.300s", c.rule, err, body)
				break
			}
		}
		if h.Get("Content-Type") != "application/xml;charset=UTF-8" {
			t.Errorf("%s: %s", c.rule, h.Get("Content-Type"))
		}
	}
	for accept, isXML := range map[string]bool{
		"": false, "*/*": false, "application/json": false, "application/json, application/xml": false, "application/xml;q=0.5, application/json": false,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true, "text/xml": true, "application/xml;q=0.1, */*": false,
	} {
		if _, body, _ := o.do(http.MethodGet, at, "", "Accept", accept); strings.HasPrefix(body, "<?xml") != isXML {
			t.Errorf("Accept: %s gets %.40s", accept, body)
		}
	}
}

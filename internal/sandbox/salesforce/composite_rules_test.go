package salesforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// compositeAnswer is one part of an answer to /composite.
type compositeAnswer struct {
	Body    json.RawMessage   `json:"body"`
	Headers map[string]string `json:"httpHeaders"`
	Status  int               `json:"httpStatusCode"`
	Ref     *string           `json:"referenceId"`
}

func (a compositeAnswer) ref() string {
	if a.Ref == nil {
		return ""
	}
	return *a.Ref
}

// compose sends a composite, given as allOrNone and its parts, and returns the answers.
func (o *testOrg) compose(allOrNone bool, parts ...string) []compositeAnswer {
	o.t.Helper()
	status, out := o.api(http.MethodPost, "/composite", fmt.Sprintf(`{"allOrNone":%t,"compositeRequest":[%s]}`, allOrNone, strings.Join(parts, ",")))
	var answer struct {
		List []compositeAnswer `json:"compositeResponse"`
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || status != http.StatusOK {
		o.t.Fatalf("composite: %d %s", status, out)
	}
	return answer.List
}

// compositePart writes a part of a composite; the address is below /services/data/v60.0.
func compositePart(ref, method, path, body string) string {
	if body != "" {
		body = `,"body":` + body
	}
	return `{"method":"` + method + `","url":"/services/data/v60.0` + path + `","referenceId":"` + ref + `"` + body + `}`
}

// TestCompositeForm holds what fails a composite as a whole, before any part of it is run.
func TestCompositeForm(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	good := compositePart("first", "POST", "/sobjects/Account", `{"Name":"A"}`)
	for name, c := range map[string]struct{ body, want string }{
		"no parts":           {`{}`, "'compositeRequest' is a required field."},
		"no JSON":            {`{"compositeRequest":[`, "JSON_PARSER_ERROR"},
		"wrong collate":      {`{"collateSubrequests":"x","compositeRequest":[` + good + `]}`, "JSON_PARSER_ERROR"},
		"no reference id":    {`{"compositeRequest":[` + good + `,{"method":"GET","url":"/services/data/v60.0/sobjects"}]}`, `"message":"'referenceId' is a required field.","errorCode":"JSON_PARSER_ERROR"`},
		"no method":          {`{"compositeRequest":[{"url":"/services/data/v60.0/sobjects","referenceId":"a"}]}`, "'method' is a required field."},
		"no address":         {`{"compositeRequest":[{"method":"GET","referenceId":"a"}]}`, "'url' is a required field."},
		"lower case method":  {`{"compositeRequest":[` + good + `,` + compositePart("b", "get", "/sobjects", "") + `]}`, "'get' is no method"},
		"HEAD":               {`{"compositeRequest":[` + compositePart("b", "HEAD", "/sobjects", "") + `]}`, "'HEAD' is no method"},
		"relative address":   {`{"compositeRequest":[{"method":"GET","url":"v60.0/sobjects","referenceId":"a"}]}`, "must start with /services/data/vXX.X/"},
		"same id":            {`{"compositeRequest":[` + good + `,` + good + `]}`, "Duplicate referenceId 'first'"},
		"characters of ids":  {`{"compositeRequest":[` + good + `,` + compositePart("b[1]", "GET", "/sobjects", "") + `]}`, `Provided referenceId ('b[1]') must start with a letter or a number, and it can contain only letters, numbers and underscores ('_').`},
		"start of ids":       {`{"compositeRequest":[` + compositePart("_b", "GET", "/sobjects", "") + `]}`, `Provided referenceId ('_b')`},
		"header of the call": {`{"compositeRequest":[` + good + `,{"method":"GET","url":"/services/data/v60.0/sobjects","referenceId":"b","httpHeaders":{"authorization":"Bearer x"}}]}`, "JSON_PARSER_ERROR"},
	} {
		status, out := o.api(http.MethodPost, "/composite", c.body)
		if status != http.StatusBadRequest || !strings.Contains(out, c.want) || !strings.Contains(out, "JSON_PARSER_ERROR") {
			t.Errorf("%s: %d %s", name, status, out)
		}
	}
	if got := o.count("Account"); !strings.Contains(got, `"totalSize":0`) {
		t.Errorf("a composite that is not well formed was run: %s", got)
	}
	o.version = "v51.0" // such ids were taken then, and only references to them fail
	list := o.compose(false, compositePart("ref[1]", "POST", "/sobjects/Account", `{"Name":"A"}`), compositePart("b", "POST", "/sobjects/Contact", `{"LastName":"B","AccountId":"@{ref[1].id}"}`))
	if list[0].Status != http.StatusCreated || list[0].ref() != "ref[1]" || list[1].Status != http.StatusBadRequest || !strings.Contains(string(list[1].Body), "No value for ref[1].id found in ref.") {
		t.Errorf("51.0: %+v", list)
	}
}

// TestCompositeSize holds 25 parts, five of them queries or collections.
func TestCompositeSize(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	several := func(n int, format string) (parts []string) {
		for i := range n {
			parts = append(parts, compositePart(fmt.Sprintf("r%d", i), "GET", fmt.Sprintf(format, i), ""))
		}
		return parts
	}
	query := "/query/?q=SELECT+Id+FROM+User+LIMIT+%d"
	for name, c := range map[string]struct {
		parts []string
		fails bool
	}{
		"25 parts":                {several(25, "/sobjects/User/describe?x=%d"), false},
		"26 parts":                {several(26, "/sobjects/User/describe?x=%d"), true},
		"five queries":            {several(5, query), false},
		"six queries":             {several(6, query), true},
		"six of all":              {append(several(5, query), compositePart("x", "POST", "//composite/sobjects/", `{"records":[]}`)), true},
		"five, and what is light": {append(several(5, query), compositePart("x", "POST", "/sobjects/Account", `{"Name":"A"}`)), false},
	} {
		list := o.compose(false, c.parts...)
		failed := len(list) == 1 && list[0].Ref == nil && list[0].Status == http.StatusBadRequest && strings.Contains(string(list[0].Body), `"LIMIT_EXCEEDED"`)
		if failed != c.fails || !failed && len(list) != len(c.parts) {
			t.Errorf("%s: %+v", name, list)
		}
	}
	list := o.compose(false, several(26, "/sobjects/%d")...)
	if want := `[{"message":"The request can’t contain more than 25 operations.","errorCode":"LIMIT_EXCEEDED"}]`; string(list[0].Body) != want {
		t.Errorf("%s instead of %s", list[0].Body, want)
	}
}

// TestCompositeReferences holds where references stand, what they reach and what they become.
func TestCompositeReferences(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"R & \"D\", Ürün","NumberOfEmployees":1234567890,"AnnualRevenue":1.5,"Ext__c":"k/1 ä"}`)
	contact := o.create("Contact", `{"LastName":"Kid","AccountId":"`+id+`","DoNotCall":true,"Birthdate":"1990-02-03"}`)
	list := o.compose(false,
		compositePart("acc", "GET", "/sobjects/Account/"+id+"?fields=Name,NumberOfEmployees,AnnualRevenue,Ext__c,CreatedDate,Phone", ""),
		compositePart("kids", "GET", "/query?q=SELECT+Id,(SELECT+Id,DoNotCall,Birthdate,LastName+FROM+Contacts)+FROM+Account", ""),
		compositePart("copy", "POST", "/sobjects/Account", `{"Name":"@{acc.Name}","NumberOfEmployees":"@{acc.NumberOfEmployees}","AnnualRevenue":"@{acc.AnnualRevenue}","Phone":"@{acc.Phone}","Description":"of @{acc.Name}, made @{acc.CreatedDate}: @{kids.totalSize}","ParentId":"@{kids.records[0].Id}"}`),
		compositePart("kid", "POST", "/sobjects/Contact", `{"LastName":"@{kids.records[0].Contacts.records[0].LastName}","DoNotCall":"@{kids.records[0].Contacts.records[0].DoNotCall}","Birthdate":"@{kids.records[0].Contacts.records[0].Birthdate}","ReportsToId":"@{kids.records[0].Contacts.records[0].Id}","AccountId":"@{copy.id}"}`),
		compositePart("by", "GET", "/query?q=SELECT+Name+FROM+Account+WHERE+Name='@{acc.Name}'+ORDER+BY+Id", ""),
		compositePart("ext", "GET", "/sobjects/Account/Ext__c/@{acc.Ext__c}?fields=Id", ""),
		compositePart("many", "POST", "/composite/sobjects", `{"records":[{"attributes":{"type":"Contact"},"LastName":"M","AccountId":"@{copy.id}"}]}`),
		compositePart("last", "GET", "/sobjects/Contact/@{many[0].id}?fields=LastName", ""),
	)
	for _, a := range list {
		if a.Status >= 300 {
			t.Errorf("%s: %d %s", a.ref(), a.Status, a.Body)
		}
	}
	_, out := o.soql("SELECT Name, NumberOfEmployees, AnnualRevenue, Phone, Description, ParentId, (SELECT LastName, DoNotCall, Birthdate, ReportsToId FROM Contacts ORDER BY LastName LIMIT 1) FROM Account WHERE ParentId != null")
	want := `{"totalSize":1,"done":true,"records":[{"Name":"R & \"D\", Ürün","NumberOfEmployees":1234567890,"AnnualRevenue":1.5,"Phone":null,"Description":"of R & \"D\", Ürün, made 2026-11-18T15:30:00.000+0000: 1","ParentId":"` + id +
		`","Contacts":{"totalSize":1,"done":true,"records":[{"LastName":"Kid","DoNotCall":true,"Birthdate":"1990-02-03","ReportsToId":"` + contact + `"}]}}]}`
	if got := strings.ReplaceAll(strings.ReplaceAll(strip(t, out), `\u0026`, "&"), `\u00fc`, "ü"); got != want {
		t.Error(cmp.Diff(want, got))
	}
	if got := string(list[4].Body); !strings.Contains(got, `"totalSize":2`) {
		t.Errorf("a value in a query: %s", got)
	}
	if got := string(list[5].Body); !strings.Contains(got, id) {
		t.Errorf("a value in a path: %s", got)
	}
	// A header may refer too: the record is as it was read.
	list = o.compose(false, compositePart("acc", "GET", "/sobjects/Account/"+id, ""),
		`{"method":"PATCH","url":"/services/data/v60.0/sobjects/Account/`+id+`","referenceId":"b","httpHeaders":{"If-Match":"\"none\""},"body":{"Name":"X"}}`,
		`{"method":"PATCH","url":"/services/data/v60.0/sobjects/Account/@{acc.Id}","referenceId":"c","httpHeaders":{"If-Unmodified-Since":"`+fixedNow().Format(http.TimeFormat)+`"},"body":{"Name":"@{acc.Name}"}}`)
	if list[1].Status != http.StatusPreconditionFailed || list[2].Status != http.StatusNoContent || string(list[2].Body) != "null" {
		t.Errorf("conditional parts: %+v", list[1:])
	}
}

// TestCompositeReferencesToNothing holds the texts of references that lead nowhere.
func TestCompositeReferencesToNothing(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Contact", `{"LastName":"Wong"}`)
	form := " must start with a letter or a number, and it can contain only letters, numbers and underscores ('_')."
	for path, from := range map[string]string{
		"acc.Id": "acc", "acc.errors": "acc", "acc": "acc", "acc.id.x": "acc", "acc.errors[0].message": "acc", "bad.id": "bad", "later.id": "later", "none.id": "none",
		"q.records[1].Id": "q", "q.records[0].AccountId": "q", "q.records[0].FirstName": "q", "q.records": "q", "q.records[x].Id": "q", "": "", "[0]": "", "q.records[99999999999].Id": "q",
	} {
		list := o.compose(false,
			compositePart("acc", "POST", "/sobjects/Account", `{"Name":"A"}`), compositePart("bad", "POST", "/sobjects/Account", `{}`),
			compositePart("q", "GET", "/query?q=SELECT+Id,FirstName+FROM+Contact+LIMIT+1", ""),
			compositePart("use", "POST", "/sobjects/Contact", `{"LastName":"@{`+path+`}"}`), compositePart("later", "POST", "/sobjects/Account", `{"Name":"L"}`))
		want := fmt.Sprintf(`[{"message":"Invalid reference specified. No value for %s found in %s. Provided referenceId ('%s')%s","errorCode":"PROCESSING_HALTED"}]`, path, from, path, form)
		if list[3].Status != http.StatusBadRequest || string(list[3].Body) != want {
			t.Errorf("%s: %d %s instead of %s", path, list[3].Status, list[3].Body, want)
		}
		if list[4].Status != http.StatusCreated {
			t.Errorf("%s: what does not depend on it: %+v", path, list[4])
		}
	}
	// A field of a record that has no value is null from 52.0 on.
	for version, status := range map[string]int{"v51.0": 400, "v52.0": 201} {
		o.version = version
		list := o.compose(false, compositePart("c", "GET", "/sobjects/Contact/"+id+"?fields=FirstName,LastName", ""),
			compositePart("n", "POST", "/sobjects/Contact", `{"FirstName":"@{c.FirstName}","LastName":"@{c.LastName}"}`))
		if list[1].Status != status {
			t.Errorf("%s: %+v", version, list[1])
		}
	}
}

// TestCompositeAllOrNone undoes all, and halts what is to come.
func TestCompositeAllOrNone(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.create("Account", `{"Name":"Old","Ext__c":"k"}`)
	const halted = `[{"message":"The transaction was rolled back since another operation in the same transaction failed.","errorCode":"PROCESSING_HALTED"}]`
	list := o.compose(true, compositePart("a", "POST", "/sobjects/Account", `{"Name":"A"}`), compositePart("b", "PATCH", "/sobjects/Account/Ext__c/k", `{"Name":"New"}`),
		compositePart("c", "POST", "/sobjects/Contact", `{}`), compositePart("d", "GET", "/sobjects/Account/@{a.id}", ""))
	for i, a := range list {
		if halts := i != 2; a.Status != http.StatusBadRequest || (string(a.Body) == halted) != halts || len(a.Headers) > 0 || a.ref() != string(rune('a'+i)) {
			t.Errorf("%d: %+v", i, a)
		}
	}
	if _, out := o.soql("SELECT Name FROM Account"); !strings.Contains(out, `"totalSize":1,`) || !strings.Contains(out, `"Old"`) {
		t.Errorf("after it was rolled back: %s", out)
	}
	// The flag of the composite holds for its collections too.
	records := `{"allOrNone":false,"records":[{"attributes":{"type":"Account"},"Name":"One"},{"attributes":{"type":"Account"}}]}`
	list = o.compose(true, compositePart("a", "POST", "/sobjects/Account", `{"Name":"A"}`), compositePart("many", "POST", "/composite/sobjects", records), compositePart("c", "POST", "/sobjects/Account", `{"Name":"C"}`))
	if string(list[0].Body) != halted || list[1].Status != http.StatusOK || !strings.Contains(string(list[1].Body), "ALL_OR_NONE_OPERATION_ROLLED_BACK") || string(list[2].Body) != halted {
		t.Errorf("a collection within: %+v", list)
	}
	if got := o.count("Account"); !strings.Contains(got, `"totalSize":1,`) {
		t.Errorf("after a collection was rolled back: %s", got)
	}
	list = o.compose(false, compositePart("a", "POST", "/sobjects/Account", `{"Name":"A"}`), compositePart("many", "POST", "/composite/sobjects", strings.Replace(records, "false", "true", 1)),
		compositePart("some", "POST", "/composite/sobjects", records))
	if list[0].Status != http.StatusCreated || !strings.Contains(string(list[1].Body), "ALL_OR_NONE") || strings.Contains(string(list[2].Body), "ALL_OR_NONE") {
		t.Errorf("flags of the collections: %+v", list)
	}
	if got := o.count("Account"); !strings.Contains(got, `"totalSize":3,`) {
		t.Errorf("with flags of the collections: %s", got)
	}
}

// TestCompositeParts holds which resources a part may have, and how it is answered.
func TestCompositeParts(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"Acme","Ext__c":"k"}`)
	for _, phone := range []string{"1", "1"} {
		o.create("Contact", `{"LastName":"L","Phone_E164__c":"`+phone+`"}`)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/sobjects", "", 200, `"sobjects":[`},
		{"GET", "/sobjects/Account/describe", "", 200, `"keyPrefix":"001"`},
		{"GET", "/sobjects/Account/" + id, "", 200, `"Name":"Acme"`},
		{"GET", "/sobjects/Account/" + id + "/Contacts", "", 200, `"totalSize":0`},
		{"GET", "/sobjects/Account/Ext__c/k?fields=Name", "", 200, `"Name":"Acme"`},
		{"PATCH", "/sobjects/Account/Ext__c/k", `{"Name":"Acme"}`, 200, `"created":false`},
		{"PATCH", "/sobjects/Account/Ext__c/new", `{"Name":"N"}`, 201, `"created":true`},
		{"PATCH", "/sobjects/Account/" + id, `{"Phone":"1"}`, 204, "null"},
		{"PATCH", "/sobjects/Contact/Phone_E164__c/1", `{"LastName":"N"}`, 300, `["/services/data/v60.0/sobjects/Contact/003`},
		{"GET", "/queryAll?q=SELECT+Id+FROM+Account", "", 200, `"totalSize":2`},
		{"GET", "/query/?q=SELECT+Foo+FROM+Account", "", 400, "INVALID_FIELD"},
		{"GET", "/composite/sobjects/Account?ids=" + id + "&fields=Name", "", 200, `"Name":"Acme"`},
		{"DELETE", "/composite/sobjects?ids=001000000000999AAA", "", 200, `"success":false`},
		{"DELETE", "/sobjects/Account/001000000000999AAA", "", 404, "NOT_FOUND"},
		{"PUT", "/sobjects/Account/" + id, "{}", 405, "METHOD_NOT_ALLOWED"},
		{"GET", "/limits", "", 404, "NOT_FOUND"},
		{"GET", "/search?q=FIND+{x}", "", 404, "NOT_FOUND"},
		{"POST", "/composite", `{"compositeRequest":[]}`, 404, "NOT_FOUND"},
		{"POST", "/composite/batch", "{}", 404, "NOT_FOUND"},
		{"GET", "/jobs/ingest", "", 404, "NOT_FOUND"},
		{"GET", "", "", 404, "NOT_FOUND"},
		{"GET", "%zz", "", 400, "INVALID_INPUT"},
	} {
		a := o.compose(false, compositePart("x", c.method, c.path, c.body))[0]
		if a.Status != c.status || !strings.Contains(string(a.Body), c.want) || a.ref() != "x" || a.Headers == nil {
			t.Errorf("%s %s: %d %s %v", c.method, c.path, a.Status, a.Body, a.Headers)
		}
	}
	a := o.compose(false, compositePart("x", "POST", "/sobjects/Account", `{"Name":"L"}`))[0]
	if at := a.Headers["Location"]; !strings.HasPrefix(at, "/services/data/v60.0/sobjects/Account/001") {
		t.Errorf("where the new record is: %v", a.Headers)
	}
	// A part may be of another version than the composite, even of one that is retired.
	for version, status := range map[string]int{"v31.0": 200, "v68.0": 200, "v30.0": 410, "v99.0": 404} {
		a := o.compose(false, `{"method":"GET","url":"/services/data/`+version+`/sobjects/Account/`+id+`","referenceId":"x"}`)[0]
		if a.Status != status || status == 200 && !strings.Contains(string(a.Body), "/services/data/"+version+"/sobjects/Account/") {
			t.Errorf("%s: %d %s", version, a.Status, a.Body)
		}
	}
	status, out := o.api(http.MethodGet, "/composite/", "")
	want := `{"batch":"/services/data/v60.0/composite/batch","graph":"/services/data/v60.0/composite/graph","sobjects":"/services/data/v60.0/composite/sobjects","tree":"/services/data/v60.0/composite/tree"}`
	if status != http.StatusOK || out != want {
		t.Errorf("the list: %d %s", status, out)
	}
}

// TestCompositeVersions holds since when each resource is there.
func TestCompositeVersions(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for path, since := range map[string]int{"/composite": 38, "/composite/batch": 34, "/composite/tree/Account": 34, "/composite/sobjects": 42, "/composite/graph": 50} {
		for version, there := range map[int]bool{since - 1: false, since: true} {
			o.version = fmt.Sprintf("v%d.0", version)
			if status, out := o.api(http.MethodPost, path, "{}"); (status != http.StatusNotFound) != there {
				t.Errorf("%s in %d.0: %d %s", path, version, status, out)
			}
		}
	}
	o.version = "v45.0"
	if status, _ := o.api(http.MethodPatch, "/composite/sobjects/Account/Ext__c", `{"records":[]}`); status != http.StatusNotFound {
		t.Errorf("upserts before 46.0: %d", status)
	}
}

// TestCompositeGraph holds graphs that are done each on its own, whole or not at all.
func TestCompositeGraph(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	graphs := func(list ...string) (status int, out string) {
		t.Helper()
		return o.api(http.MethodPost, "/composite/graph", `{"graphs":[`+strings.Join(list, ",")+`]}`)
	}
	g := func(id string, nodes ...string) string {
		return `{"graphId":"` + id + `","compositeRequest":[` + strings.Join(nodes, ",") + `]}`
	}
	account := compositePart("acc", "POST", "/sobjects/Account/", `{"name":"Cloudy"}`)
	contact := compositePart("con", "POST", "/sobjects/Contact/", `{"LastName":"Cashman","AccountId":"@{acc.id}"}`)
	status, out := graphs(g("1", contact, account), g("2", account, compositePart("bad", "POST", "/sobjects/Contact", `{}`)), g("3", account))
	var answer struct {
		Graphs []struct {
			ID       string `json:"graphId"`
			Done     bool   `json:"isSuccessful"`
			Response struct {
				List []compositeAnswer `json:"compositeResponse"`
			} `json:"graphResponse"`
		} `json:"graphs"`
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || status != http.StatusOK || len(answer.Graphs) != 3 {
		t.Fatalf("%d %s", status, out)
	}
	first, second := answer.Graphs[0], answer.Graphs[1]
	if !first.Done || second.Done || !answer.Graphs[2].Done || first.ID != "1" || first.Response.List[0].ref() != "con" || first.Response.List[0].Status != http.StatusCreated {
		t.Errorf("%s", out)
	}
	if l := second.Response.List; !strings.Contains(string(l[0].Body), "PROCESSING_HALTED") || !strings.Contains(string(l[1].Body), "REQUIRED_FIELD_MISSING") {
		t.Errorf("the graph that failed: %s", out)
	}
	if _, out := o.soql("SELECT Account.Name FROM Contact"); !strings.Contains(out, `"totalSize":1,`) || !strings.Contains(out, "Cloudy") {
		t.Errorf("what was stored: %s", out)
	}
	if got := o.count("Account"); !strings.Contains(got, `"totalSize":2,`) {
		t.Errorf("accounts: %s", got)
	}
	chain := func(n int) (nodes []string) {
		for i := range n {
			nodes = append(nodes, compositePart(fmt.Sprintf("n%d", i), "POST", "/sobjects/Account", fmt.Sprintf(`{"Name":"N","ParentId":"@{n%d.id}"}`, i+1)))
		}
		return append(nodes, compositePart(fmt.Sprintf("n%d", n), "POST", "/sobjects/Account", `{"Name":"N"}`))
	}
	var wide, graphsOf76 []string
	for i := range 501 {
		wide = append(wide, compositePart(fmt.Sprintf("w%d", i), "POST", "/sobjects/Account", `{"Name":"W"}`))
	}
	for i := range 76 {
		graphsOf76 = append(graphsOf76, g(fmt.Sprint(i), account))
	}
	var kinds []string
	for i := range 16 {
		kinds = append(kinds, strings.Replace(compositePart(fmt.Sprintf("k%d", i), "POST", "/sobjects/Account", `{"Name":"K"}`), "v60.0", fmt.Sprintf("v%d.0", 50+i), 1))
	}
	for name, c := range map[string]struct {
		list []string
		want string
	}{
		"none": {nil, "required"}, "76 graphs": {graphsOf76, "75 graphs"}, "501 nodes": {[]string{g("1", wide...)}, "500 nodes"}, "no nodes": {[]string{g("1")}, "required"},
		"same id": {[]string{g("1", account), g("1", account)}, "unique"}, "dot in an id": {[]string{g("1.2", account)}, "no dot"}, "16 kinds": {[]string{g("1", kinds...)}, "15 different"},
		"circle":   {[]string{g("1", compositePart("a", "POST", "/sobjects/Account", `{"Name":"@{b.id}"}`), compositePart("b", "POST", "/sobjects/Account", `{"Name":"@{a.id}"}`))}, "circle"},
		"too deep": {[]string{g("1", chain(15)...)}, "deeper than 15"}, "a query": {[]string{g("1", compositePart("a", "GET", "/query?q=x", ""))}, "no node"},
		"49.0": {[]string{g("1", strings.Replace(account, "v60.0", "v49.0", 1))}, "50.0 or later"},
	} {
		if status, out := graphs(c.list...); status != http.StatusBadRequest || !strings.Contains(out, c.want) {
			t.Errorf("%s: %d %s", name, status, out)
		}
	}
	if status, out := graphs(g("1", chain(14)...)); status != http.StatusOK || !strings.Contains(out, `"isSuccessful":true`) {
		t.Errorf("depth 15: %d %s", status, out)
	}
	var failing []string
	for i := range 17 {
		failing = append(failing, g(fmt.Sprint(i), compositePart("bad", "POST", "/sobjects/Account", `{}`)))
	}
	if _, out := graphs(failing...); strings.Count(out, "REQUIRED_FIELD_MISSING") != 15 || strings.Count(out, "PROCESSING_HALTED") != 2 {
		t.Errorf("after 14 failures: %s", out)
	}
}

// TestBatch holds what is told apart from a composite: no references, no transaction, other resources.
func TestBatch(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"Acme"}`)
	batch := func(body string) (status int, failed bool, results []string) {
		t.Helper()
		status, out := o.api(http.MethodPost, "/composite/batch", body)
		var in struct {
			Failed  bool `json:"hasErrors"`
			Results []struct {
				Status int             `json:"statusCode"`
				Result json.RawMessage `json:"result"`
			} `json:"results"`
		}
		if status != http.StatusOK {
			return status, true, []string{out}
		}
		if err := json.Unmarshal([]byte(out), &in); err != nil {
			t.Fatal(err, out)
		}
		for _, r := range in.Results {
			results = append(results, fmt.Sprint(r.Status, " ", string(r.Result)))
		}
		return status, in.Failed, results
	}
	_, failed, got := batch(`{"batchRequests":[{"method":"PATCH","url":"v60.0/sobjects/account/` + id + `","richInput":{"Name":"NewName"}},
		{"method":"Get","url":"/services/data/v59.0/sobjects/account/` + id + `?fields=Name"},{"method":"GET","url":"/v34.0/query/?q=SELECT+Id+FROM+Account"},
		{"method":"GET","url":"v60.0/search?q=FIND+{NewName}"},{"method":"GET","url":"v60.0/limits"}]}`)
	for i, want := range []string{"204 null", `200 {"attributes":{"type":"Account","url":"/services/data/v59.0/sobjects/Account/` + id + `"},"Name":"NewName"}`, `200 {"totalSize":1`, `200 {"searchRecords":[`, `200 {`} {
		if failed || len(got) != 5 || !strings.HasPrefix(got[i], want) {
			t.Errorf("%d: %s instead of %s", i, got[i], want)
		}
	}
	three := `[{"method":"POST","url":"v60.0/sobjects/Account","richInput":{"Name":"One"}},{"method":"POST","url":"v60.0/sobjects/Account","richInput":{}},{"method":"POST","url":"v60.0/sobjects/Account","richInput":{"Name":"Two"}}]`
	_, failed, got = batch(`{"haltOnError":true,"batchRequests":` + three + `}`)
	if !failed || !strings.HasPrefix(got[0], "201") || !strings.HasPrefix(got[1], "400") || !strings.HasPrefix(got[2], "412") || !strings.Contains(got[2], "BATCH_PROCESSING_HALTED") {
		t.Errorf("halted: %q", got)
	}
	_, failed, got = batch(`{"batchRequests":` + three + `}`)
	if !failed || !strings.HasPrefix(got[2], "201") {
		t.Errorf("gone on: %q", got)
	}
	if out := o.count("Account"); !strings.Contains(out, `"totalSize":4,`) {
		t.Errorf("what came before a failure stays: %s", out)
	}
	one := func(part string) string { return `{"batchRequests":[` + part + `]}` }
	for name, body := range map[string]string{
		"none": `{}`, "26": one(strings.TrimSuffix(strings.Repeat(`{"method":"GET","url":"v60.0/limits"},`, 26), ",")), "method": one(`{"method":"FETCH","url":"v60.0/limits"}`),
		"address": one(`{"method":"GET","url":"%zz"}`), "no address": one(`{"method":"GET"}`), "newer": one(`{"method":"GET","url":"v61.0/limits"}`), "older": one(`{"method":"GET","url":"v33.0/limits"}`),
		"part without alias": one(`{"method":"POST","url":"v60.0/sobjects/Account","binaryPartName":"x"}`), "alias without part": one(`{"method":"POST","url":"v60.0/sobjects/Account","binaryPartNameAlias":"x"}`),
		"no such part": one(`{"method":"POST","url":"v60.0/sobjects/Account","binaryPartName":"x","binaryPartNameAlias":"y"}`),
	} {
		if status, _, got := batch(body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, status, got)
		}
	}
	for _, resource := range []string{"composite", "composite/sobjects", "jobs/ingest", "nope", ""} {
		if _, failed, got := batch(one(`{"method":"GET","url":"v60.0/` + resource + `"}`)); !failed || !strings.HasPrefix(got[0], "404") {
			t.Errorf("%s: %s", resource, got)
		}
	}
	used := func() int64 { return o.used.Load() }
	had := used()
	batch(one(`{"method":"GET","url":"v60.0/limits"},{"method":"GET","url":"v60.0/limits"},{"method":"GET","url":"v60.0/limits"}`))
	if got := used() - had; got != 3 {
		t.Errorf("a batch of three counted as %d requests", got)
	}
}

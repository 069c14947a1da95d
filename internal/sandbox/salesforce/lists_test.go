package salesforce

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// shown are the texts of the first column of a list page.
func (o *testOrg) shown(path string) []string {
	o.t.Helper()
	status, body, _ := o.send(http.MethodGet, path, "", nil)
	if status != http.StatusOK {
		o.t.Fatalf("%s: %d %.300s", path, status, body)
	}
	var out []string
	for _, m := range regexp.MustCompile(`<tr><td><a href="/[^"]+">([^<]*)</a>`).FindAllStringSubmatch(body, -1) {
		out = append(out, m[1])
	}
	return out
}

func TestListSortsAndFilters(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for _, c := range []struct{ name, phone, made, rating string }{{"Beta", "2", "5", "Hot"}, {"alpha", "", "30", "Warm"}, {"Gamma", "1", "100", ""}, {`<i>%_`, "", "", ""}} {
		body := url.Values{"Name": {c.name}, "Phone": {c.phone}, "NumberOfEmployees": {c.made}, "Rating": {c.rating}}
		if status, _, _ := o.page("/lightning/o/Account/new", body); status != http.StatusSeeOther {
			t.Fatal(status)
		}
	}
	const escaped = "&lt;i&gt;%_"
	for query, want := range map[string][]string{
		"":                                {escaped, "Gamma", "alpha", "Beta"},
		"?sort=Name":                      {escaped, "alpha", "Beta", "Gamma"},
		"?sort=-Name":                     {"Gamma", "Beta", "alpha", escaped},
		"?sort=Phone":                     {"Gamma", "Beta", escaped, "alpha"},
		"?sort=-Phone":                    {"Beta", "Gamma", escaped, "alpha"},
		"?sort=Description":               {escaped, "Gamma", "alpha", "Beta"},
		"?sort=Nope":                      {escaped, "Gamma", "alpha", "Beta"},
		"?field=Name&op=contains&value=A": {"Gamma", "alpha", "Beta"},
		"?field=Name&op=starts&value=BE":  {"Beta"},
		"?field=Name&op=is&value=ALPHA":   {"alpha"},
		"?field=Name&op=not&value=alpha&sort=Name":   {escaped, "Beta", "Gamma"},
		"?field=Name&op=contains&value=%25":          {escaped},
		"?field=Phone&op=empty&sort=Name":            {escaped, "alpha"},
		"?field=Phone&op=filled&sort=Name":           {"Beta", "Gamma"},
		"?field=NumberOfEmployees&op=is&value=30":    {"alpha"},
		"?field=IsDeleted&op=is&value=no&sort=Name":  {escaped, "alpha", "Beta", "Gamma"},
		"?field=CreatedDate&op=starts&value=2026-11": {escaped, "Gamma", "alpha", "Beta"},
		"?field=CreatedDate&op=is&value=2025":        nil,
		"?field=Description&op=is&value=x":           {escaped, "Gamma", "alpha", "Beta"},
		"?field=Name&op=%27&value=%27+OR+1=1":        nil,
		"?view=mine&field=Rating&op=is&value=hot":    {"Beta"},
		"?page=99": {escaped, "Gamma", "alpha", "Beta"},
		"?page=-1": {escaped, "Gamma", "alpha", "Beta"},
		"?field=Name&op=is&value=" + strings.Repeat("x", 5000): nil,
	} {
		if got := o.shown("/lightning/o/Account/list" + query); !slices.Equal(got, want) {
			t.Errorf("%.80s shows %q instead of %q", query, got, want)
		}
	}
	_, body, _ := o.send(http.MethodGet, "/lightning/o/Account/list?sort=-Name&field=Name&op=contains&value=%22%3E&view=mine", "", nil)
	if !strings.Contains(body, `value="&#34;&gt;"`) || !strings.Contains(body, "No records in this view.") {
		t.Errorf("the form has not what was typed: %s", body)
	}
	if _, body, _ = o.send(http.MethodGet, "/lightning/o/Account/list?sort=-Name&field=Name&op=contains&value=a", "", nil); !strings.Contains(body, `aria-sort="descending"`) || !strings.Contains(body, "3 records") {
		t.Errorf("the list does not say how it is sorted: %s", body)
	}
}

// TestListPages goes through a list of more than one page.
func TestListPages(t *testing.T) {
	t.Parallel()
	o := start(t, Options{})
	seen := map[string]bool{}
	next := "/lightning/o/Case/list?sort=Status&field=Priority&op=is&value=High"
	pages := 0
	for next != "" {
		for _, n := range o.shown(next) {
			if seen[n] {
				t.Fatalf("%s comes twice", n)
			}
			seen[n] = true
		}
		_, body, _ := o.send(http.MethodGet, next, "", nil)
		pages++
		m := regexp.MustCompile(`href="([^"]+)" rel="next"`).FindStringSubmatch(body)
		if next = ""; m != nil {
			next = strings.ReplaceAll(m[1], "&amp;", "&")
		}
		if want := fmt.Sprintf("Page %d of ", pages); !strings.Contains(body, want) {
			t.Errorf("page %d does not say %q", pages, want)
		}
	}
	if got := o.rowsOf("SELECT Id FROM Case WHERE Priority = 'High'"); got != len(seen) || pages != (got+pageSize-1)/pageSize {
		t.Errorf("%d cases on %d pages instead of %d", len(seen), pages, got)
	}
}

// TestSortOfLongLists keeps a list of a million from being sorted by what has no index.
func TestSortOfLongLists(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	obj := o.schema.object("Contact")
	for name, want := range map[string]bool{"Email": false, "Name": true, "Department": false, "CreatedDate": true} {
		if got := obj.field(name).sortedAt(1_000_000); got != want {
			t.Errorf("%s: %v", name, got)
		}
		if !obj.field(name).sortedAt(1000) {
			t.Errorf("a short list is not sorted by %s", name)
		}
	}
	for _, q := range []listQuery{{}, {Sort: "Name"}, {Sort: "Name", Desc: true}, {Sort: "CreatedDate"}} {
		where := ""
		if q.Sort != "" {
			where = obj.field(q.Sort).folded() + " IS NOT NULL"
		}
		rows, err := o.store.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN SELECT \"Id\" FROM "+obj.table()+obj.live(where)+" ORDER BY "+q.order(obj, 1_000_000)+" LIMIT 50 OFFSET 900000")
		if err != nil {
			t.Fatal(err)
		}
		plan, err := scanAll(rows, 4)
		if err != nil {
			t.Fatal(err)
		}
		if told := fmt.Sprint(plan); !strings.Contains(told, "USING COVERING INDEX") || strings.Contains(told, "TEMP B-TREE") {
			t.Errorf("%+v is read by %s", q, told)
		}
	}
	if got := (listQuery{Sort: "Department"}).order(obj, 1_000_000); got != newestFirst {
		t.Errorf("sorted by %s", got)
	}
}

func TestRecycleBin(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"Acme <b>"}`)
	o.create("Contact", `{"LastName":"Silva","AccountId":"`+id+`"}`)
	status, _, h := o.page("/lightning/r/Account/"+id+"/delete", nil)
	if status != http.StatusSeeOther {
		t.Fatal(status)
	}
	if _, body, _ := o.send(http.MethodGet, h.Get("Location"), "", nil); !strings.Contains(body, "“Acme &lt;b&gt;” is in the recycle bin.") || !strings.Contains(body, "/lightning/r/Account/"+id+"/restore") {
		t.Errorf("the list does not tell: %.2000s", body)
	}
	_, body, _ := o.send(http.MethodGet, "/sandbox/bin", "", nil)
	if !strings.Contains(body, "Acme &lt;b&gt;") || !strings.Contains(body, "Silva") || strings.Contains(body, "<b>") {
		t.Errorf("the bin: %.3000s", body)
	}
	if status, _, _ := o.page("/lightning/r/Account/"+id+"/restore", nil); status != http.StatusSeeOther {
		t.Fatal(status)
	}
	if _, body, _ := o.send(http.MethodGet, "/sandbox/bin", "", nil); !strings.Contains(body, "The bin is empty.") {
		t.Error("the bin is not empty")
	}
	if status, _ := o.api(http.MethodGet, "/sobjects/Account/"+id, ""); status != http.StatusOK {
		t.Error(status)
	}
	if status, body, _ := o.page("/lightning/r/Account/"+id+"/restore", nil); status != http.StatusBadRequest || !strings.Contains(body, "not in the bin") {
		t.Errorf("restoring what is there: %d", status)
	}
	list, err := o.changesAfter(t.Context(), "AccountChangeEvent", 0, 10, deliverBytes)
	if err != nil || len(list) != 3 || list[2].kind != kindUndelete {
		t.Errorf("%d changes %v", len(list), err)
	}
}

// TestFieldErrors shows each error at its field.
func TestFieldErrors(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, Custom: []CustomObject{{Name: "Contact", Fields: []CustomField{{Name: "Score__c", Type: "double", Help: "Between 1 and 10"}}}}})
	for _, c := range []struct{ name, value, field, why string }{
		{"Email", "nonsense", "Email", "Invalid email address: nonsense"},
		{"LastName", "", "LastName", "Fill this in."},
		{"AccountId", "nope", "AccountId", "Id value of incorrect type: nope"},
		{"AccountId", "001000000000009AAA", "AccountId", "invalid cross reference id"},
		{"Score__c", "many", "Score__c", "This is no value of the field."},
		{"Birthdate", "yesterday", "Birthdate", "This is no value of the field."},
	} {
		form := url.Values{"LastName": {"x"}}
		form.Set(c.name, c.value)
		status, body, _ := o.page("/lightning/o/Contact/new", form)
		at := strings.Index(body, `id="why-`+c.field+`">`)
		if status != http.StatusBadRequest || at < 0 || !strings.Contains(body[at:at+200], c.why) || !strings.Contains(body, `aria-describedby="why-`+c.field+`"`) {
			t.Errorf("%s %q: %d, the error is not at its field: %.200s", c.name, c.value, status, body[max(at, 0):])
		}
	}
	if _, body, _ := o.send(http.MethodGet, "/lightning/o/Contact/new", "", nil); !strings.Contains(body, "Between 1 and 10") || strings.Contains(body, "aria-invalid") {
		t.Error("the form has no help, or an error before it was sent")
	}
}

// TestGrantsPage ticks boxes as a person does, and asks as the user who has them.
func TestGrantsPage(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.create("Account", `{"Name":"Acme","Phone":"1"}`)
	u := o.restricted(Permissions{LoginRanges: []string{"127.0.0.0/8"}})
	const page = "/sandbox/setup/grants"
	form := url.Values{"kind": {"profile"}, "name": {"Integration Profile"}, "do": {"save"}, "o.Account.read": {"1"}, "f.Account.Phone.read": {"1"}, "system.ApiEnabled": {"1"}}
	if status, body, _ := o.page(page, form); status != http.StatusOK || !strings.Contains(body, "Saved. It is in force at once.") || !strings.Contains(body, `name="f.Account.Phone.read" value="1" aria-label="Read Account Phone of Accounts" checked`) {
		t.Errorf("%d %.500s", status, body)
	}
	if status, _ := u.soql("SELECT Name, Phone FROM Account"); status != http.StatusOK {
		t.Errorf("a granted field: %d", status)
	}
	if status, _ := u.soql("SELECT Fax FROM Account"); status != http.StatusBadRequest {
		t.Errorf("a field that is not ticked: %d", status)
	}
	o.access.mu.RLock()
	ranges := o.access.rules.Profiles["Integration Profile"].LoginRanges
	o.access.mu.RUnlock()
	if len(ranges) != 1 {
		t.Error("the login ranges are lost")
	}
	form.Del("f.Account.Phone.read")
	if o.page(page, form); u.describeOf("Account").field("Phone") != nil {
		t.Error("an entity without a field ticked shows its fields")
	}
	set := url.Values{"kind": {"set"}, "name": {"Callers"}, "do": {"new"}}
	if status, body, _ := o.page(page, set); status != http.StatusOK || !strings.Contains(body, "It grants nothing yet") {
		t.Errorf("%d", status)
	}
	set = url.Values{"kind": {"set"}, "name": {"Callers"}, "do": {"save"}, "o.Case.read": {"1"}, "users": {" integration@sandbox.example\r\n\r\n"}}
	for _, f := range o.schema.object("Case").fields {
		set.Set("f.Case."+f.name+".read", "1")
	}
	if status, _, _ := o.page(page, set); status != http.StatusOK {
		t.Error(status)
	}
	if status, body := u.soql("SELECT Subject FROM Case"); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	if _, body, _ := o.send(http.MethodGet, "/sandbox/setup/profiles", "", nil); !strings.Contains(body, "Callers") || !strings.Contains(body, "Integration Profile") {
		t.Error("the list has not what was made")
	}
	set.Set("do", "lift")
	if status, _, _ := o.page(page, set); status != http.StatusOK {
		t.Error(status)
	}
	if status, _ := u.soql("SELECT Subject FROM Case"); status != http.StatusBadRequest {
		t.Errorf("after removing the set: %d", status)
	}
	for _, bad := range []url.Values{{"kind": {"profile"}, "name": {adminProfile}, "do": {"save"}}, {"kind": {"x"}, "name": {"n"}}, {"kind": {"set"}, "name": {" "}}} {
		if status, _, _ := o.page(page, bad); status < 400 {
			t.Errorf("%v: %d", bad, status)
		}
	}
}

// TestLogDetail shows a request with what it asked and was told, and without what signs in.
func TestLogDetail(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.soql("SELECT Nope FROM Account WHERE Name = '<b>'")
	o.send(http.MethodGet, "/id/x/y?oauth_token="+o.token+"&format=json", "", http.Header{"User-Agent": {"probe/1"}})
	entries, _ := o.Requests(2)
	for _, e := range entries {
		_, body, _ := o.send(http.MethodGet, fmt.Sprintf("/sandbox/log/%d", e.N), "", nil)
		if strings.Contains(body, o.token) || strings.Contains(body, "<b>") {
			t.Errorf("the page shows a secret, or runs what was sent: %s", body)
		}
		want := []string{"SELECT Nope FROM Account WHERE Name = &#39;&lt;b&gt;&#39;", "INVALID_FIELD"}
		if strings.HasPrefix(e.Path, "/id") {
			want = []string{"oauth_token=***", "probe/1"}
		}
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("%s: no %s in %s", e.Path, text, body)
			}
		}
	}
	for _, n := range []string{"0", "999999", "x"} {
		if status, _, _ := o.send(http.MethodGet, "/sandbox/log/"+n, "", nil); status != http.StatusNotFound {
			t.Errorf("%s: %d", n, status)
		}
	}
}

// TestPagesAreGuarded looks at what keeps pages of other origins out, wherever something is changed.
func TestPagesAreGuarded(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"A"}`)
	for _, path := range []string{
		"/lightning/o/Account/new", "/lightning/r/Account/" + id + "/edit", "/lightning/r/Account/" + id + "/delete", "/lightning/r/Account/" + id + "/restore",
		"/sandbox/faults", "/sandbox/setup", "/sandbox/setup/users", "/sandbox/setup/profiles", "/sandbox/setup/grants", "/sandbox/api/faults",
	} {
		for _, h := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Origin": {"https://evil.example"}}} {
			h.Set("Content-Type", "application/x-www-form-urlencoded")
			if status, _, _ := o.send(http.MethodPost, path, "name=x&Name=x", h); status != http.StatusForbidden {
				t.Errorf("%s %v: %d", path, h, status)
			}
		}
	}
	_, _, h := o.send(http.MethodGet, "/sandbox/bin", "", nil)
	if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "default-src 'none'") || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers: %v", h)
	}
}

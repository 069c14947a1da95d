package salesforce

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const visitsYAML = `
- name: Site__c
  name_format: SITE-{0000}
  fields:
    - {name: Code__c, type: Text, length: 10, unique: true, external_id: true, case_sensitive: true}
    - {name: Number__c, type: Number, precision: 6, scale: 0, unique: true, external_id: true}
    - {name: Open__c, type: Checkbox, default: "true"}
    - {name: Rate__c, type: Percent, precision: 5, scale: 1, default: "12.5", help: Of the day}
    - {name: Since__c, type: Date, default: "2026-01-31"}
    - {name: Tags__c, type: MultiselectPicklist, values: [a, b]}
    - {name: Notes__c, type: LongTextArea, length: 32000}
- name: Visit__c
  fields:
    - {name: Site__c, type: MasterDetail, references: [Site__c], child_relationship: Visits}
    - {name: Seen_By__c, type: Lookup, references: [Contact]}
    - {name: Ticket__c, type: AutoNumber, format: "V-{000}"}
`

func customDir(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	writeCustom(t, dir, text)
	return dir
}

func writeCustom(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "custom"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "custom", "visits.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestCustomTypes covers each type of a definition by what a client sees of it.
func TestCustomTypes(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, Dir: customDir(t, visitsYAML)})
	site := o.create("Site__c", `{"Code__c":"ab","Number__c":7}`)
	_, body := o.api(http.MethodGet, "/sobjects/Site__c/"+site+"?fields=Name,Open__c,Rate__c,Since__c,Number__c", "")
	if got := strip(t, body); got != `{"Name":"SITE-0001","Open__c":true,"Rate__c":12.5,"Since__c":"2026-01-31","Number__c":7}` {
		t.Error(got)
	}
	o.create("Site__c", `{"Code__c":"AB","Number__c":8}`)
	for _, c := range []struct{ method, path, body, code string }{
		{"POST", "/sobjects/Site__c", `{"Code__c":"ab"}`, "DUPLICATE_VALUE"},
		{"POST", "/sobjects/Site__c", `{"Number__c":7}`, "DUPLICATE_VALUE"},
		{"POST", "/sobjects/Site__c", `{"Number__c":1000000}`, "NUMBER_OUTSIDE_VALID_RANGE"},
		{"POST", "/sobjects/Site__c", `{"Name":"mine"}`, "INVALID_FIELD_FOR_INSERT_UPDATE"},
		{"POST", "/sobjects/Visit__c", `{"Name":"v"}`, "Required fields are missing: [Site__c]"},
		{"POST", "/sobjects/Visit__c", `{"Name":"v","Site__c":"` + site + `","Ticket__c":"x"}`, "INVALID_FIELD_FOR_INSERT_UPDATE"},
		{"POST", "/sobjects/Visit__c", `{"Name":"v","Site__c":"` + site + `","OwnerId":"` + o.admin + `"}`, "INVALID_FIELD"},
	} {
		if status, out := o.api(c.method, c.path, c.body); status != http.StatusBadRequest || !strings.Contains(out, c.code) {
			t.Errorf("%s: %d %s, want %s", c.body, status, out, c.code)
		}
	}
	for _, path := range []string{"/sobjects/Site__c/Code__c/AB", "/sobjects/Site__c/Number__c/8"} {
		if status, out := o.api(http.MethodGet, path, ""); status != http.StatusOK || !strings.Contains(out, `"Name":"SITE-0002"`) {
			t.Errorf("%s: %d %s", path, status, out)
		}
	}
	if status, out := o.api(http.MethodPatch, "/sobjects/Site__c/Number__c/9", `{"Open__c":false}`); status != http.StatusCreated {
		t.Errorf("upsert by a number: %d %s", status, out)
	}
	visit := o.create("Visit__c", `{"Name":"v","Site__c":"`+site+`"}`)
	if got := o.first("SELECT Ticket__c FROM Visit__c", "Ticket__c"); got != "V-001" {
		t.Errorf("the auto number is %s", got)
	}
	if status, out := o.api(http.MethodPatch, "/sobjects/Visit__c/"+visit, `{"Site__c":"`+site+`"}`); status != http.StatusBadRequest {
		t.Errorf("a detail moves to another master: %d %s", status, out)
	}
	d := o.describeOf("Visit__c")
	if f := d.field("Site__c"); f.Type != "reference" || !f.CascadeDelete || f.Updateable || f.Nillable || f.Permissionable {
		t.Errorf("%+v", f)
	}
	if f := d.field("Ticket__c"); !f.AutoNumber || f.Createable || f.Nillable {
		t.Errorf("%+v", f)
	}
	s := o.describeOf("Site__c")
	if f := s.field("Rate__c"); f.Type != "percent" || f.Precision != 5 || f.Scale != 1 || f.SoapType != "xsd:double" {
		t.Errorf("%+v", f)
	}
	if f := s.field("Code__c"); !f.CaseSensitive || !f.Unique || !f.ExternalID || !f.IDLookup {
		t.Errorf("%+v", f)
	}
	if f := s.field("Name"); !f.AutoNumber || !f.IDLookup || f.Createable {
		t.Errorf("%+v", f)
	}
	if status, _ := o.api(http.MethodDelete, "/sobjects/Site__c/"+site, ""); status != http.StatusNoContent {
		t.Fatal(status)
	}
	if status, _ := o.api(http.MethodGet, "/sobjects/Visit__c/"+visit, ""); status != http.StatusNotFound {
		t.Errorf("a detail outlives its master: %d", status)
	}
}

// TestCustomFileChanges opens an org again after its files were changed.
func TestCustomFileChanges(t *testing.T) {
	t.Parallel()
	dir := customDir(t, `
- name: Thing__c
  fields:
    - {name: Size__c, type: string}
    - {name: Old__c, type: string, unique: true}
    - {name: Note__c, type: textarea, length: 1000}
    - {name: Gone__c, type: string}
    - {name: Count__c, type: double}
`)
	first := start(t, Options{Seed: SeedNone, Dir: dir})
	first.create("Thing__c", `{"Name":"a","Size__c":"12.5","Old__c":"Ünique","Note__c":"Short ÄNOTE","Gone__c":"kept","Count__c":3}`)
	first.create("Thing__c", `{"Name":"b","Size__c":"large"}`)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	writeCustom(t, dir, `
- name: Thing__c
  fields:
    - {name: Size__c, type: double}
    - {name: New__c, type: string, unique: true, renamed_from: Old__c}
    - {name: Note__c, type: string}
    - {name: Count__c, type: string}
    - {name: Added__c, type: boolean}
`)
	second := start(t, Options{Dir: dir})
	_, body := second.soql("SELECT Size__c, New__c, Note__c, Count__c, Added__c FROM Thing__c ORDER BY Name")
	if got := strip(t, body); !strings.Contains(got, `{"Size__c":12.5,"New__c":"Ünique","Note__c":"Short ÄNOTE","Count__c":"3.0","Added__c":false},{"Size__c":null,`) {
		t.Errorf("after the change: %s", got)
	}
	for _, q := range []string{"Size__c > 12", "New__c = 'ünique'", "Note__c LIKE '%änote'", "Count__c = '3.0'"} {
		if n := second.rowsOf("SELECT Id FROM Thing__c WHERE " + q); n != 1 {
			t.Errorf("%s finds %d", q, n)
		}
	}
	if status, out := second.api(http.MethodPost, "/sobjects/Thing__c", `{"Name":"c","New__c":"ÜNIQUE"}`); status != http.StatusBadRequest || !strings.Contains(out, "DUPLICATE_VALUE") {
		t.Errorf("%d %s", status, out)
	}
	if status, _ := second.soql("SELECT Gone__c FROM Thing__c"); status != http.StatusBadRequest {
		t.Errorf("a field that was taken away: %d", status)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	writeCustom(t, dir, "name: Thing__c\nfields:\n  - {name: Gone__c, type: string}\n")
	third := start(t, Options{Dir: dir})
	if got := third.first("SELECT Gone__c FROM Thing__c WHERE Name = 'a'", "Gone__c"); got != "kept" {
		t.Errorf("a field that is back has %q", got)
	}
}

// TestCustomErrors says where in a file a definition is wrong, and why.
func TestCustomErrors(t *testing.T) {
	t.Parallel()
	const head = "- name: Thing__c\n  fields:\n    - {name: A__c, type: string}\n    - "
	for field, want := range map[string]string{
		"{name: B__c, type: rocket}":                                                             `custom/visits.yaml line 4: Thing__c.B__c: type "rocket" is unknown`,
		"{name: A__c, type: string}":                                                             "line 4: Thing__c has a field A__c already",
		"{name: B__c, type: boolean, default: maybe}":                                            `line 4: Thing__c.B__c: the default "maybe" is no value`,
		"{name: B__c, type: double, default: x}":                                                 `the default "x" is no value`,
		"{name: B__c, type: date, default: soon}":                                                "is no value",
		"{name: B__c, type: picklist, values: [x], default: y}":                                  "is no value",
		"{name: B__c, type: email, default: x}":                                                  "is no value",
		"{name: B__c, type: double, precision: 19}":                                              "precision is at most 18",
		"{name: B__c, type: double, precision: 3, scale: 4}":                                     "scale cannot be more than precision",
		"{name: B__c, type: string, scale: 2}":                                                   "precision and scale are for",
		"{name: B__c, type: autonumber, format: X}":                                              "one group of zeros",
		"{name: B__c, type: string, format: \"{0}\"}":                                            "format is for the type autonumber",
		"{name: B__c, type: masterdetail}":                                                       "names the entities",
		"{name: B__c, type: masterdetail, references: [Account, Case]}":                          "belongs to one entity",
		"{name: B__c, type: reference, references: [Nope__c]}":                                   "line 4: Thing__c.B__c points at Nope__c, which is not defined",
		"{name: B__c, type: reference, references: [Call_Notice__e]}":                            "points at Call_Notice__e",
		"{name: B__c, type: reference, references: [Account], on_delete: explode}":               "on_delete is clear, restrict or cascade",
		"{name: B__c, type: reference, references: [Account], required: true, on_delete: clear}": "a required reference cannot be cleared",
		"{name: B__c, type: date, unique: true}":                                                 "only text and numbers can be unique",
		"{name: B__c, type: string, case_sensitive: true}":                                       "case_sensitive is for",
		"{name: B__c, type: string, renamed_from: Name}":                                         "renamed_from is the name of another custom field",
		"{name: B__c, type: string, colour: red}":                                                "line 4: field colour not found",
		"{name: B__c, type: [1]}":                                                                "line 4: cannot unmarshal",
	} {
		_, err := New(Options{Seed: SeedNone, Dir: customDir(t, head+field+"\n")})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", field, err, want)
		}
	}
	_, err := New(Options{Seed: SeedNone, Dir: customDir(t, "name: Thing__c\nname_format: X\n")})
	if err == nil || !strings.Contains(err.Error(), "name_format") {
		t.Errorf("%v", err)
	}
}

// TestRecordsInARing deletes records that hold on to each other.
func TestRecordsInARing(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, Custom: []CustomObject{{Name: "Link__c", Fields: []CustomField{
		{Name: "Next__c", Type: "lookup", References: []string{"Link__c"}, OnDelete: "cascade", ChildRelationship: "Links"},
	}}}})
	a := o.create("Link__c", `{"Name":"a"}`)
	b := o.create("Link__c", `{"Name":"b","Next__c":"`+a+`"}`)
	if status, _ := o.api(http.MethodPatch, "/sobjects/Link__c/"+a, `{"Next__c":"`+b+`"}`); status != http.StatusNoContent {
		t.Fatal(status)
	}
	if status, _ := o.api(http.MethodDelete, "/sobjects/Link__c/"+a, ""); status != http.StatusNoContent {
		t.Error(status)
	}
	if n := o.rowsOf("SELECT Id FROM Link__c"); n != 0 {
		t.Errorf("%d are left", n)
	}
	if status, _, _ := o.page("/lightning/r/Link__c/"+a+"/restore", nil); status != http.StatusSeeOther || o.rowsOf("SELECT Id FROM Link__c") != 2 {
		t.Errorf("restoring: %d", status)
	}
}

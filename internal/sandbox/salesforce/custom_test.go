package salesforce

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const orderYAML = `
- name: Order_Line__c
  label: Order Line
  fields:
    - {name: Number__c, type: string, length: 20, required: true, unique: true, external_id: true}
    - {name: Account__c, type: reference, references: [Account], child_relationship: Order_Lines}
    - {name: Amount__c, type: currency}
    - {name: State__c, type: picklist, values: [Open, Paid], default: Open, restricted: true}
    - {name: Note__c, type: textarea, length: 5000}
- name: Account
  fields:
    - {name: Tier__c, type: picklist, values: [Gold, Silver]}
- name: Door_Bell__e
  fields:
    - {name: Door__c, type: string}
`

func TestCustomObjects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "custom"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "custom", "orders.yaml"), []byte(orderYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	o := start(t, Options{Seed: SeedNone, Dir: dir, Custom: []CustomObject{{Name: "Note__c", Fields: []CustomField{{Name: "Text__c", Type: "string"}}}}})
	account := o.create("Account", `{"Name":"Acme","Tier__c":"Gold"}`)
	o.create("Note__c", `{"Name":"n","Text__c":"x"}`)
	for _, status := range []int{http.StatusCreated, http.StatusOK} {
		got, out := o.api(http.MethodPatch, "/sobjects/Order_Line__c/Number__c/N-1", `{"Name":"Line","Account__c":"`+account+`","Amount__c":12.5}`)
		if got != status {
			t.Fatalf("upsert: %d %s", got, out)
		}
	}
	_, body := o.soql("SELECT Number__c, State__c, Account__r.Name, Account__r.Tier__c FROM Order_Line__c WHERE Account__r.Tier__c = 'gold'")
	if got := strip(t, body); !strings.Contains(got, `{"Number__c":"N-1","State__c":"Open","Account__r":{"Name":"Acme","Tier__c":"Gold"}}`) {
		t.Errorf("%s", got)
	}
	_, body = o.soql("SELECT Name, (SELECT Amount__c FROM Order_Lines__r) FROM Account")
	if got := strip(t, body); !strings.Contains(got, `"records":[{"Amount__c":12.5}]`) {
		t.Errorf("%s", got)
	}
	for field, code := range map[string]string{`"State__c":"Lost"`: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", `"Number__c":"N-1"`: "DUPLICATE_VALUE"} {
		all := `{"Name":"x","Number__c":"N-2",` + field + `}`
		if strings.Contains(field, "N-1") {
			all = `{"Name":"x",` + field + `}`
		}
		if status, out := o.api(http.MethodPost, "/sobjects/Order_Line__c", all); status != http.StatusBadRequest || !strings.Contains(out, code) {
			t.Errorf("%s: %d %s", field, status, out)
		}
	}
	if _, out := o.api(http.MethodGet, "/sobjects/Order_Line__c/describe", ""); !strings.Contains(out, `"custom":true`) || !strings.Contains(out, `"relationshipName":"Account__r"`) {
		t.Errorf("describe: %s", out)
	}
	if status, out := o.api(http.MethodPost, "/sobjects/Door_Bell__e", `{"Door__c":"front"}`); status != http.StatusCreated {
		t.Errorf("publishing: %d %s", status, out)
	}
	if j := o.load(`{"object":"Order_Line__c","operation":"upsert","externalIdFieldName":"Number__c"}`, "Name,Number__c,Account__r.Ext__c\nL,N-9,none\nM,N-1,\n"); j.Processed != 2 || j.Failed != 1 {
		t.Errorf("bulk: %+v", j)
	}
	if o.events.byChannel["/data/Order_Line__ChangeEvent"] == nil {
		t.Error("there are no change events of the custom object")
	}
}

func TestCustomRefusals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"name":"Order"}`:                                                                                             "no name of a custom object",
		`{"name":"A__c","fields":[{"name":"B"}]}`:                                                                      "__c at the end",
		`{"name":"A__c","fields":[{"name":"B__c","type":"rocket"}]}`:                                                   "type",
		`{"name":"A__c","fields":[{"name":"B__c","type":"picklist"}]}`:                                                 "values",
		`{"name":"A__c","fields":[{"name":"B__c","type":"reference"}]}`:                                                "references",
		`{"name":"A__c","fields":[{"name":"B__c","type":"reference","references":["C__c"],"child_relationship":"X"}]}`: "not defined",
		`{"name":"A__c","fields":[{"name":"B__c","type":"date","unique":true}]}`:                                       "text",
		`{"name":"A__c","prefix":"001"}`:                                                                               "prefix",
		`{"name":"A__c","color":"red"}`:                                                                                "color",
		`{"name":"Account","fields":[{"name":"Ext__c","type":"string"}]}`:                                              "already",
		`[[]]`: "cannot unmarshal",
	} {
		list, err := parseCustom([]byte(text))
		if err == nil {
			_, err = newSchema(list...)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzCustom(f *testing.F) {
	f.Add([]byte(orderYAML))
	f.Add([]byte(`{"name":"A__c","fields":[{"name":"B__c","type":"reference","references":["A__c"]}]}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		if list, err := parseCustom(text); err == nil {
			_, _ = newSchema(list...) // a fault is fine, a panic is not
		}
	})
}

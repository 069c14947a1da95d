package salesforce

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const ruleFile = `
- name: Case
  validation_rules:
    - name: Phone_needs_number
      condition: Origin = 'Phone' AND SuppliedPhone = null
      message: "A case by phone needs a number."
      field: suppliedphone
    - name: Only_open_accounts
      condition: Account.Rating = 'Cold'
      message: The account is closed.
- name: Contact
  fields:
    - {name: Code__c, type: string}
  duplicate_rules:
    - name: Same_person
      fields: [LastName, Email]
      action: alert
    - name: Same_code
      fields: [Code__c]
      message: The code is taken.
`

func ruleOrg(t *testing.T) *testOrg {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "custom"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "custom", "rules.yaml"), []byte(ruleFile), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, Options{Dir: dir, Seed: SeedNone})
}

func TestRuleValidationRules(t *testing.T) {
	t.Parallel()
	o := ruleOrg(t)
	cold := o.create("Account", `{"Name":"Cold","Rating":"Cold"}`)
	number := `=[{"message":"A case by phone needs a number.","errorCode":"FIELD_CUSTOM_VALIDATION_EXCEPTION","fields":["SuppliedPhone"]}]`
	account := `=[{"message":"The account is closed.","errorCode":"FIELD_CUSTOM_VALIDATION_EXCEPTION"}]`
	made := o.create("Case", `{"Origin":"Phone","SuppliedPhone":"1"}`)
	o.checkRules(t, []restRule{
		{"a new record", "POST", "/sobjects/Case", `{"Origin":"Phone"}`, 400, number, nil},
		{"without regard to case", "POST", "/sobjects/Case", `{"Origin":"phone"}`, 400, number, nil},
		{"a record the rule is not about", "POST", "/sobjects/Case", `{"Origin":"Email"}`, 201, `"success":true`, nil},
		{"a change", "PATCH", "/sobjects/Case/" + made, `{"SuppliedPhone":null}`, 400, number, nil},
		{"a change that leaves it right", "PATCH", "/sobjects/Case/" + made, `{"Subject":"x"}`, 204, "=", nil},
		{"a field of a parent", "POST", "/sobjects/Case", `{"AccountId":"` + cold + `"}`, 400, account, nil},
		{"an upsert", "PATCH", "/sobjects/Case/Ext__c/k", `{"Origin":"Phone"}`, 400, number, nil},
		{"one of a collection", "POST", "/composite/sobjects", `{"records":[{"attributes":{"type":"Case"},"Origin":"Phone"},{"attributes":{"type":"Case"}}]}`, 200, `"statusCode":"FIELD_CUSTOM_VALIDATION_EXCEPTION"`, nil},
	})
	j := o.job(http.MethodPost, "/jobs/ingest", `{"object":"Case","operation":"insert"}`)
	o.api(http.MethodPut, "/jobs/ingest/"+j.ID+"/batches", "Origin,Subject\nPhone,refused\nEmail,taken\n", "Content-Type", "text/csv")
	o.job(http.MethodPatch, "/jobs/ingest/"+j.ID, `{"state":"UploadComplete"}`)
	o.finished("ingest", j.ID)
	if _, body := o.api(http.MethodGet, "/jobs/ingest/"+j.ID+"/failedResults", ""); !strings.Contains(body, "FIELD_CUSTOM_VALIDATION_EXCEPTION:A case by phone needs a number.") || strings.Contains(body, "taken") {
		t.Errorf("a row of a bulk job: %s", body)
	}
	if _, body := o.soql("SELECT COUNT() FROM Case WHERE Origin = 'Phone'"); !strings.Contains(body, `"totalSize":1,`) {
		t.Errorf("what was refused is there: %s", body)
	}
}

func TestRuleDuplicateRules(t *testing.T) {
	t.Parallel()
	o := ruleOrg(t)
	ada := o.create("Contact", `{"LastName":"Lee","Email":"ada@example.org","Code__c":"x1"}`)
	allow := []string{"Sforce-Duplicate-Rule-Header", "allowSave=true; includeRecordDetails=true"}
	o.checkRules(t, []restRule{
		{"a block", "POST", "/sobjects/Contact", `{"LastName":"Bo","Code__c":"X1"}`, 400, `"message":"The code is taken.","errorCode":"DUPLICATES_DETECTED"`, nil},
		{"a block stays one", "POST", "/sobjects/Contact", `{"LastName":"Bo","Code__c":"X1"}`, 400, `DUPLICATES_DETECTED`, allow},
		{"an alert", "POST", "/sobjects/Contact", `{"LastName":"LEE","Email":"Ada@example.org"}`, 400, `"message":"Use one of these records?","errorCode":"DUPLICATES_DETECTED"`, nil},
		{"an alert that is passed over", "POST", "/sobjects/Contact", `{"LastName":"LEE","Email":"Ada@example.org"}`, 201, `"success":true`, allow},
		{"one field of two", "POST", "/sobjects/Contact", `{"LastName":"Lee"}`, 201, `"success":true`, nil},
		{"a change of another field", "PATCH", "/sobjects/Contact/" + ada, `{"Title":"x"}`, 204, "=", nil},
		{"its own values", "PATCH", "/sobjects/Contact/" + ada, `{"Code__c":"x1"}`, 204, "=", nil},
	})
	_, body := o.api(http.MethodPost, "/sobjects/Contact", `{"LastName":"Bo","Code__c":"X1"}`)
	var faults []struct {
		Result struct {
			AllowSave    bool
			Rule         string `json:"duplicateRule"`
			MatchResults []struct {
				Size         int
				MatchRecords []struct {
					Record struct{ ID string }
				}
			}
		} `json:"duplicateResult"`
	}
	if err := json.Unmarshal([]byte(body), &faults); err != nil || len(faults) != 1 {
		t.Fatalf("%v %s", err, body)
	}
	r := faults[0].Result
	if r.AllowSave || r.Rule != "Same_code" || len(r.MatchResults) != 1 || r.MatchResults[0].Size != 1 || r.MatchResults[0].MatchRecords[0].Record.ID != ada {
		t.Errorf("the record it is like: %s", body)
	}
	if !strings.Contains(body, `"duplicateResut":{`) {
		t.Errorf("clients look for the misspelt key too: %s", body)
	}
}

func TestRuleFilesThatAreWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]CustomObject{
		"an entity nobody has":       {Name: "Nope", ValidationRules: []ValidationRule{{Name: "x", Condition: "Name = null", Message: "m"}}},
		"an event":                   {Name: "Call_Notice__e", DuplicateRules: []DuplicateRule{{Name: "x", Fields: []string{"Phone__c"}}}},
		"no message":                 {Name: "Case", ValidationRules: []ValidationRule{{Name: "x", Condition: "Subject = null"}}},
		"a condition that is none":   {Name: "Case", ValidationRules: []ValidationRule{{Name: "x", Condition: "Subject =", Message: "m"}}},
		"a field of a condition":     {Name: "Case", ValidationRules: []ValidationRule{{Name: "x", Condition: "Nope = null", Message: "m"}}},
		"a field of the message":     {Name: "Case", ValidationRules: []ValidationRule{{Name: "x", Condition: "Subject = null", Message: "m", Field: "Nope"}}},
		"more than a condition":      {Name: "Case", ValidationRules: []ValidationRule{{Name: "x", Condition: "Subject = null LIMIT 1", Message: "m"}}},
		"a duplicate without fields": {Name: "Case", DuplicateRules: []DuplicateRule{{Name: "x"}}},
		"an action nobody takes":     {Name: "Case", DuplicateRules: []DuplicateRule{{Name: "x", Fields: []string{"Subject"}, Action: "ask"}}},
		"long text":                  {Name: "Case", DuplicateRules: []DuplicateRule{{Name: "x", Fields: []string{"Description"}}}},
	} {
		if o, err := New(Options{Seed: SeedNone, Custom: []CustomObject{c}}); err == nil {
			t.Errorf("%s is taken", name)
			if err := o.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestRuleRealtimeAlerts(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.checkRules(t, []restRule{
		{"an alarm", "POST", "/sobjects/RealtimeAlertEvent", `{"Name":"Queue","Description":"long","Source":"Cloudwatch","Severity":"Critical","Payload":"{}","EventDateTime":"2026-11-18T15:00:00.000Z"}`, 201, `"success":true,"errors":[{"statusCode":"OPERATION_ENQUEUED"`, nil},
		{"an alarm without a name", "POST", "/sobjects/RealtimeAlertEvent", `{"Description":"long","Source":"x","Severity":"Critical"}`, 400, `=[{"message":"You must enter a value: Name","errorCode":"REQUIRED_FIELD_MISSING","fields":["Name"]}]`, nil},
		{"its description", "GET", "/sobjects/RealtimeAlertEvent/describe", "", 200, `"queryable":false`, nil},
		{"its schema", "GET", "/event/eventSchema/" + o.events.byChannel["/event/RealtimeAlertEvent"].id, "", 200, `"name":"RealtimeAlertEvent"`, nil},
		{"a schema nobody has", "GET", "/event/eventSchema/x", "", 404, `NOT_FOUND`, nil},
	})
}

// TestRuleDescriptionsChange: who has the descriptions of before is told when an administrator changed them.
func TestRuleDescriptionsChange(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), fixedNow()
	at := func(custom ...CustomObject) (changed string) {
		now = now.Add(time.Hour)
		o, err := New(Options{Dir: dir, Seed: SeedNone, Custom: custom, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		changed = o.described.Format(time.TimeOnly)
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		return changed
	}
	note := CustomObject{Name: "Account", Fields: []CustomField{{Name: "Note__c", Type: "string", Label: "Note"}}}
	relabelled := CustomObject{Name: "Account", Fields: []CustomField{{Name: "Note__c", Type: "string", Label: "Remark"}}}
	for i, c := range []struct {
		custom []CustomObject
		want   string
	}{
		{nil, "16:30:00"}, {nil, "16:30:00"}, {[]CustomObject{note}, "18:30:00"}, {[]CustomObject{note}, "18:30:00"}, {[]CustomObject{relabelled}, "20:30:00"},
	} {
		if got := at(c.custom...); got != c.want {
			t.Errorf("start %d: changed at %s, want %s", i+1, got, c.want)
		}
	}
}

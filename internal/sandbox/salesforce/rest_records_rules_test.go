package salesforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestRuleFieldValues: what a value of the wrong form or kind is answered with, field type by field type.
func TestRuleFieldValues(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	gone := o.create("Account", `{"Name":"Gone"}`)
	o.api(http.MethodDelete, "/sobjects/Account/"+gone, "")
	taken := o.create("Account", `{"Name":"Taken","Ext__c":"k"}`)
	contact := o.create("Contact", `{"LastName":"C"}`)
	account := func(members string) string { return `{"Name":"x",` + members + `}` }
	json400 := func(message string) string {
		return `=[{"message":"` + message + `","errorCode":"JSON_PARSER_ERROR"}]`
	}
	read := func(kind, from string, column int) string {
		return json400(fmt.Sprintf("Cannot deserialize instance of %s from %s or request may be missing a required field at [line:1, column:%d]", kind, from, column))
	}
	const a, c, k = "/sobjects/Account", "/sobjects/Contact", "/sobjects/Task"
	o.checkRules(t, []restRule{
		{"no body", "POST", a, ``, 400, json400("The HTTP entity body is required, but this request has no entity body."), nil},
		{"a body cut short", "POST", a, `{"Name":"x"`, 400, json400("Unexpected end-of-input: expected close marker for OBJECT (from [line:1, column:0]) at [line:1, column:12]"), nil},
		{"no value", "POST", a, "{\n \"Name\":\n}", 400, json400("Unexpected character ('}' (code 125)): expected a value at [line:3, column:1]"), nil},
		{"no comma", "POST", a, `{"Name":"x" "Fax":"1"}`, 400, json400(`Unexpected character ('\"' (code 34)): was expecting comma to separate OBJECT entries at [line:1, column:13]`), nil},
		{"no quotes around a name", "POST", a, `{Name:"x"}`, 400, json400("Unexpected character ('N' (code 78)): was expecting double-quote to start field name at [line:1, column:2]"), nil},
		{"an array", "POST", a, `[{"Name":"x"}]`, 400, `Json Deserialization failed on token '['`, nil},
		{"a text", "POST", a, `"Name"`, 400, `"errorCode":"JSON_PARSER_ERROR"`, nil},
		{"null", "PATCH", a + "/" + taken, `null`, 400, `Json Deserialization failed on token 'null'`, nil},
		{"text for a number", "POST", a, account(`"NumberOfEmployees":"many"`), 400, read("int", "VALUE_STRING value many", 13), nil},
		{"a fraction for a whole number", "POST", a, account(`"NumberOfEmployees":1.5`), 400, read("int", "VALUE_NUMBER_FLOAT value 1.5", 13), nil},
		{"a checkbox for a number", "POST", a, account(`"AnnualRevenue":true`), 400, read("currency", "VALUE_TRUE value true", 13), nil},
		{"not a number", "POST", a, account(`"AnnualRevenue":"NaN"`), 400, read("currency", "VALUE_STRING value NaN", 13), nil},
		{"a number written as text", "POST", a, account(`"NumberOfEmployees":"12","AnnualRevenue":"1.5e3"`), 201, `"success":true`, nil},
		{"too great a whole number", "POST", a, account(`"NumberOfEmployees":99999999999`), 400, `"errorCode":"NUMBER_OUTSIDE_VALID_RANGE","fields":["NumberOfEmployees"]`, nil},
		{"too great a number", "POST", a, account(`"AnnualRevenue":1e400`), 400, `"errorCode":"NUMBER_OUTSIDE_VALID_RANGE","fields":["AnnualRevenue"]`, nil},
		{"text for a checkbox", "POST", c, `{"LastName":"x","DoNotCall":"yes"}`, 400, read("boolean", "VALUE_STRING value yes", 17), nil},
		{"capitals for a checkbox", "POST", c, `{"LastName":"x","DoNotCall":"FALSE"}`, 400, read("boolean", "VALUE_STRING value FALSE", 17), nil},
		{"a number for a checkbox", "POST", c, `{"LastName":"x","DoNotCall":1}`, 400, read("boolean", "VALUE_NUMBER_INT value 1", 17), nil},
		{"nothing for a checkbox", "POST", c, `{"LastName":"x","DoNotCall":null}`, 201, `"success":true`, nil},
		{"text for a date", "POST", c, `{"LastName":"x","Birthdate":"05/01/1990"}`, 400, read("date", "VALUE_STRING value 05/01/1990", 17), nil},
		{"a day that is none", "POST", c, `{"LastName":"x","Birthdate":"2026-02-30"}`, 400, read("date", "VALUE_STRING value 2026-02-30", 17), nil},
		{"a number for a date", "POST", c, `{"LastName":"x","Birthdate":20260230}`, 400, read("date", "VALUE_NUMBER_INT value 20260230", 17), nil},
		{"a moment without its T", "POST", "/sobjects/VoiceCall", `{"CallType":"Inbound","CallStartDateTime":"2017-10-17 00:00:00"}`, 400, read("datetime", "VALUE_STRING value 2017-10-17 00:00:00", 23), nil},
		{"an object for text", "POST", a, account(`"Fax":{"x":1}`), 400, read("phone", "START_OBJECT value {", 13), nil},
		{"a list for text", "PATCH", a + "/" + taken, `{"Industry":["Media"]}`, 400, read("picklist", "START_ARRAY value [", 2), nil},
		{"the place is in the right line", "PATCH", a + "/" + taken, "{\"Fax\":\"1\",\n  \"Industry\":[]}", 400, `at [line:2, column:3]`, nil},
		{"a field nobody has", "POST", a, account(`"Foo__c":1`), 400, `=[{"message":"No such column 'Foo__c' on sobject of type Account","errorCode":"INVALID_FIELD"}]`, nil},
		{"fields without regard to case", "POST", a, `{"NAME":"x","fax":"1"}`, 201, `"success":true`, nil},
		{"a field that cannot be written", "POST", a, account(`"CreatedDate":"2026-01-01T00:00:00Z","IsDeleted":true`), 400, `=[{"message":"Unable to create/update fields: CreatedDate, IsDeleted. Please check the security settings of this field and verify that it is read/write for your profile or permission set.","errorCode":"INVALID_FIELD_FOR_INSERT_UPDATE","fields":["CreatedDate","IsDeleted"]}]`, nil},
		{"an id in the body", "POST", a, account(`"Id":"001000000000009AAA"`), 400, `=[{"message":"The Id field should not be specified in the sobject data.","errorCode":"INVALID_FIELD"}]`, nil},
		{"a field that stays as it was made", "PATCH", k + "/" + o.create("Task", `{"Subject":"x"}`), `{"TaskSubtype":"Call"}`, 400, `"errorCode":"INVALID_FIELD_FOR_INSERT_UPDATE","fields":["TaskSubtype"]`, nil},
		{"text that is too long", "POST", a, account(`"AccountNumber":"` + strings.Repeat("9", 41) + `"`), 400, `=[{"message":"Account Number: data value too large: ` + strings.Repeat("9", 41) + ` (max length=40)","errorCode":"STRING_TOO_LONG","fields":["AccountNumber"]}]`, nil},
		{"length counts characters", "POST", a, account(`"AccountNumber":"` + strings.Repeat("é", 40) + `"`), 201, `"success":true`, nil},
		{"a value a restricted picklist has not", "POST", k, `{"CallType":"Sideways"}`, 400, `=[{"message":"Call Type: bad value for restricted picklist field: Sideways","errorCode":"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST","fields":["CallType"]}]`, nil},
		{"a value another picklist has not", "POST", a, account(`"Industry":"Sorcery"`), 201, `"success":true`, nil},
		{"no e-mail address", "POST", c, `{"LastName":"x","Email":"nobody"}`, 400, `=[{"message":"Email: invalid email address: nobody","errorCode":"INVALID_EMAIL_ADDRESS","fields":["Email"]}]`, nil},
		{"an e-mail address without a domain", "POST", c, `{"LastName":"x","Email":"a@b"}`, 400, `INVALID_EMAIL_ADDRESS`, nil},
		{"a reference that is no id", "POST", c, `{"LastName":"x","AccountId":"acme"}`, 400, `=[{"message":"Account ID: id value of incorrect type: acme","errorCode":"MALFORMED_ID","fields":["AccountId"]}]`, nil},
		{"a reference to another entity", "POST", c, `{"LastName":"x","AccountId":"` + contact + `"}`, 400, `"message":"Account ID: id value of incorrect type: ` + contact + `","errorCode":"FIELD_INTEGRITY_EXCEPTION"`, nil},
		{"a reference to nothing", "POST", c, `{"LastName":"x","AccountId":"001000000000999AAA"}`, 400, `=[{"message":"invalid cross reference id","errorCode":"INVALID_CROSS_REFERENCE_KEY","fields":["AccountId"]}]`, nil},
		{"a reference to what was deleted", "POST", c, `{"LastName":"x","AccountId":"` + gone + `"}`, 400, `=[{"message":"entity is deleted","errorCode":"ENTITY_IS_DELETED"}]`, nil},
		{"a 15-character reference", "POST", c, `{"LastName":"x","AccountId":"` + taken[:15] + `"}`, 201, `"success":true`, nil},
		{"what is required", "POST", "/sobjects/VoiceCall", `{}`, 400, `=[{"message":"Required fields are missing: [CallType, CallStartDateTime]","errorCode":"REQUIRED_FIELD_MISSING","fields":["CallType","CallStartDateTime"]}]`, nil},
		{"required and blank", "POST", c, `{"LastName":"  "}`, 400, `"errorCode":"REQUIRED_FIELD_MISSING","fields":["LastName"]`, nil},
		{"a unique value twice", "POST", a, account(`"Ext__c":"K"`), 400, `=[{"message":"duplicate value found: Ext__c duplicates value on record with id: ` + taken[:15] + `","errorCode":"DUPLICATE_VALUE","fields":["Ext__c"]}]`, nil},
		{"a unique value of its own", "PATCH", a + "/" + taken, `{"Ext__c":"K"}`, 204, "=", nil},
		{"an entity that is read only", "POST", "/sobjects/Profile", `{"Name":"x"}`, 400, `CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY`, nil},
	})
}

func TestRuleRecords(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	status, body, h := o.do(http.MethodPost, "/services/data/v58.0/sobjects/Account", `{"Name":"Acme","attributes":{"type":"Account"}}`)
	id := makeID("001", 1)
	if status != http.StatusCreated || body != `{"id":"`+id+`","success":true,"errors":[]}` || h.Get("Location") != "/services/data/v58.0/sobjects/Account/"+id {
		t.Fatalf("a new record: %d %s %s", status, body, h.Get("Location"))
	}
	gone := o.create("Account", `{"Name":"Gone"}`)
	at, missing := "/sobjects/Account/"+id, `=[{"message":"The requested resource does not exist","errorCode":"NOT_FOUND"}]`
	o.checkRules(t, []restRule{
		{"all fields", "GET", at, "", 200, `{"attributes":{"type":"Account","url":"/services/data/v60.0/sobjects/Account/` + id + `"},"Id":"` + id + `","IsDeleted":false,"Name":"Acme"`, nil},
		{"some fields, in the order asked for", "GET", at + "?fields=Phone,%20name,NAME", "", 200, `},"Phone":null,"Name":"Acme"}`, nil},
		{"fields of a parent", "GET", at + "?fields=Owner.Username", "", 200, `"Owner":{"attributes":{"type":"`, nil},
		{"a field nobody has", "GET", at + "?fields=Name,Foo", "", 400, `=[{"message":"No such column 'Foo' on sobject of type Account","errorCode":"INVALID_FIELD"}]`, nil},
		{"an empty field", "GET", at + "?fields=Name,", "", 400, `INVALID_FIELD`, nil},
		{"a 15-character id", "GET", "/sobjects/Account/" + id[:15], "", 200, `"Id":"` + id + `"`, nil},
		{"no id", "GET", "/sobjects/Account/acme", "", 400, `=[{"message":"malformed id acme","errorCode":"MALFORMED_ID"}]`, nil},
		{"nobody's id", "GET", "/sobjects/Account/001000000000999AAA", "", 404, missing, nil},
		{"an id of another entity", "GET", "/sobjects/Contact/" + id, "", 404, missing, nil},
		{"an entity nobody has", "GET", "/sobjects/Opportunity__c/" + id, "", 404, missing, nil},
		{"a change answers nothing", "PATCH", at, `{"Phone":"1"}`, 204, "=", nil},
		{"a change of nothing", "PATCH", at, `{}`, 204, "=", nil},
		{"a change of nobody's record", "PATCH", "/sobjects/Account/001000000000999AAA", `{"Phone":"1"}`, 404, missing, nil},
		{"a value cleared by null", "PATCH", at, `{"Phone":null}`, 204, "=", nil},
		{"a value cleared by empty text", "PATCH", at, `{"Industry":""}`, 204, "=", nil},
		{"a deletion answers nothing", "DELETE", "/sobjects/Account/" + gone, "", 204, "=", nil},
		{"reading what was deleted", "GET", "/sobjects/Account/" + gone, "", 404, `=[{"message":"entity is deleted","errorCode":"ENTITY_IS_DELETED"}]`, nil},
		{"changing what was deleted", "PATCH", "/sobjects/Account/" + gone, `{"Name":"x"}`, 404, `ENTITY_IS_DELETED`, nil},
		{"deleting what was deleted", "DELETE", "/sobjects/Account/" + gone, "", 404, `ENTITY_IS_DELETED`, nil},
		{"an entity in brief", "GET", "/sobjects/Account", "", 200, `{"objectDescribe":{`, nil},
		{"its last records are none at first", "GET", "/sobjects/Account", "", 200, `"recentItems":[]`, nil},
		{"a record is kept in mind when asked to", "GET", at, "", 200, `"Acme"`, []string{"Sforce-Mru", "updateMru=true"}},
		{"and shown with its entity", "GET", "/sobjects/Account", "", 200, `"recentItems":[{"attributes":{"type":"Account","url":"/services/data/v60.0/sobjects/Account/` + id + `"},"Id":"` + id + `","Name":"Acme"}]`, nil},
		{"and among all", "GET", "/recent?limit=5", "", 200, `"Name":"Acme"}]`, nil},
		{"a limit that is none", "GET", "/recent?limit=x", "", 400, `INVALID_INPUT`, nil},
		{"a password is not expired", "GET", "/sobjects/User/" + o.admin + "/password", "", 200, `={"isExpired":false}`, nil},
		{"a platform event is on its way", "POST", "/sobjects/Call_Notice__e", `{"Message__c":"x"}`, 201, `"success":true,"errors":[{"statusCode":"OPERATION_ENQUEUED","message":"`, nil},
		{"and cannot be read", "GET", "/sobjects/Call_Notice__e/e00000000000001AAA", "", 404, `NOT_FOUND`, nil},
	})
}

func TestRuleExternalIDs(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	acme := makeID("001", 1)
	for range 2 {
		o.create("Contact", `{"LastName":"Twin","Phone_E164__c":"+14155550100"}`)
	}
	const key, twins = "/sobjects/Account/Ext__c/a%2Fb%20c", "/sobjects/Contact/Phone_E164__c/%2B14155550100"
	urls := `=["/services/data/v60.0/sobjects/Contact/` + makeID("003", 1) + `","/services/data/v60.0/sobjects/Contact/` + makeID("003", 2) + `"]`
	missing := `=[{"message":"The requested resource does not exist","errorCode":"NOT_FOUND"}]`
	o.checkRules(t, []restRule{
		{"nothing to read", "GET", key, "", 404, missing, nil},
		{"nothing to delete", "DELETE", key, "", 404, missing, nil},
		{"nothing is made when only a change is wanted", "PATCH", key + "?updateOnly=true", `{"Name":"A"}`, 404, missing, nil},
		{"an upsert makes a record", "PATCH", key, `{"Name":"A"}`, 201, `={"id":"` + acme + `","success":true,"errors":[],"created":true}`, nil},
		{"an upsert changes it", "PATCH", "/sobjects/Account/ext__C/A%2FB%20C", `{"Name":"B"}`, 200, `={"id":"` + acme + `","success":true,"errors":[],"created":false}`, nil},
		{"the value belongs into the address alone", "PATCH", key, `{"Name":"B","Ext__c":"a/b c"}`, 400, `=[{"message":"The Ext__c field should not be specified in the sobject data.","errorCode":"INVALID_FIELD"}]`, nil},
		{"reading by external id", "GET", key + "?fields=Name,Ext__c", "", 200, `"Name":"B","Ext__c":"a/b c"}`, nil},
		{"its relationships", "GET", key + "/Owner?fields=Id", "", 200, `"Id":"` + o.admin + `"`, nil},
		{"a field that is no external id", "GET", "/sobjects/Account/Phone/1", "", 404, `=[{"message":"Provided external ID field does not exist or is not accessible: Phone","errorCode":"NOT_FOUND"}]`, nil},
		{"a field nobody has", "PATCH", "/sobjects/Account/Nope__c/1", `{}`, 404, `=[{"message":"Provided external ID field does not exist or is not accessible: Nope__c","errorCode":"NOT_FOUND"}]`, nil},
		{"no value", "PATCH", "/sobjects/Account/Ext__c/", `{"Name":"A"}`, 400, `=[{"message":"Ext__c not specified","errorCode":"MISSING_ARGUMENT"}]`, nil},
		{"a new record without a value", "POST", "/sobjects/Account/Ext__c/", `{"Name":"No key"}`, 201, `"success":true`, nil},
		{"a new record below Id", "POST", "/sobjects/Account/Id", `{"Name":"No key"}`, 201, `"success":true`, nil},
		{"Id as the field", "GET", "/sobjects/Account/Id/" + acme, "", 200, `"Name":"B"`, nil},
		{"a change by Id", "PATCH", "/sobjects/Account/Id/" + acme, `{"Fax":"1"}`, 204, "=", nil},
		{"no id", "GET", "/sobjects/Account/Id/x", "", 400, `MALFORMED_ID`, nil},
		{"several to read", "GET", twins, "", 300, urls, nil},
		{"several to change", "PATCH", twins, `{"Title":"x"}`, 300, urls, nil},
		{"several to delete", "DELETE", twins, "", 300, urls, nil},
		{"an error in the record", "PATCH", "/sobjects/Account/Ext__c/new", `{"Fax":"1"}`, 400, `"errorCode":"REQUIRED_FIELD_MISSING"`, nil},
		{"a condition of the change", "PATCH", key, `{"Fax":"2"}`, 412, `PRECONDITION_FAILED`, []string{"If-Match", `"other"`}},
		{"deleting by external id", "DELETE", key, "", 204, "=", nil},
		{"the value is free again", "PATCH", key, `{"Name":"A"}`, 201, `"created":true`, nil},
	})
	o.version = "v45.0"
	o.checkRules(t, []restRule{{"before 46.0 a change answers nothing", "PATCH", key, `{"Name":"C"}`, 204, "=", nil}})
}

func TestRuleNestedReferences(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	acme := o.create("Account", `{"Name":"Acme","Ext__c":"A 1"}`)
	for range 2 {
		o.create("Account", `{"Name":"Twin","Phone_E164__c":"+1"}`)
	}
	contact := o.create("Contact", `{"LastName":"By key","Account":{"attributes":{"type":"Account"},"Ext__c":"a 1"},"ReportsTo":null}`)
	const c = "/sobjects/Contact"
	o.checkRules(t, []restRule{
		{"the reference is filled", "GET", c + "/" + contact + "?fields=AccountId", "", 200, `"AccountId":"` + acme + `"`, nil},
		{"a change clears it", "PATCH", c + "/" + contact, `{"Account":null}`, 204, "=", nil},
		{"a change fills it", "PATCH", c + "/" + contact, `{"account":{"ext__c":"A 1"}}`, 204, "=", nil},
		{"an upsert too", "PATCH", c + "/Ext__c/n", `{"LastName":"x","Account":{"Ext__c":"A 1"}}`, 201, `"created":true`, nil},
		{"by Id", "POST", c, `{"LastName":"x","Account":{"Id":"` + acme + `"}}`, 201, `"success":true`, nil},
		{"one of several entities", "POST", "/sobjects/Task", `{"Subject":"x","What":{"attributes":{"type":"Account"},"Ext__c":"A 1"}}`, 201, `"success":true`, nil},
		{"an owner by a unique name", "POST", c, `{"LastName":"x","Owner":{"Username":"` + o.Credentials().Username + `"}}`, 201, `"success":true`, nil},
		{"nobody's value", "POST", c, `{"LastName":"x","Account":{"Ext__c":"no"}}`, 400, `=[{"message":"Foreign key external ID: no not found for field Ext__c in entity Account","errorCode":"INVALID_FIELD"}]`, nil},
		{"several records' value", "POST", c, `{"LastName":"x","Account":{"Phone_E164__c":"+1"}}`, 400, `"errorCode":"DUPLICATE_EXTERNAL_ID"`, nil},
		{"no external id", "POST", c, `{"LastName":"x","Account":{"Phone":"1"}}`, 400, `"errorCode":"INVALID_FIELD"`, nil},
		{"a field nobody has", "POST", c, `{"LastName":"x","Account":{"Foo__c":"1"}}`, 400, `No such column 'Foo__c' on sobject of type Account`, nil},
		{"another entity", "POST", c, `{"LastName":"x","Account":{"attributes":{"type":"Case"},"Ext__c":"1"}}`, 400, `does not reference a valid entity: Case`, nil},
		{"no object", "POST", c, `{"LastName":"x","Account":"A 1"}`, 400, `=[{"message":"The value provided for foreign key reference Account is not a nested SObject","errorCode":"INVALID_FIELD"}]`, nil},
		{"nothing in it", "POST", c, `{"LastName":"x","Account":{}}`, 400, `"errorCode":"INVALID_FIELD"`, nil},
		{"a reference that cannot be written", "POST", c, `{"LastName":"x","CreatedBy":{"Username":"x"}}`, 400, `"errorCode":"INVALID_FIELD_FOR_INSERT_UPDATE","fields":["CreatedById"]`, nil},
	})
	_, body := o.soql("SELECT COUNT() FROM Contact WHERE AccountId = '" + acme + "'")
	if !strings.Contains(body, `"totalSize":3`) {
		t.Errorf("contacts of the account: %s", body)
	}
}

func TestRuleRelationships(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	parent := o.create("Account", `{"Name":"Parent"}`)
	acme := o.create("Account", `{"Name":"Acme","ParentId":"`+parent+`"}`)
	contact := o.create("Contact", `{"LastName":"Kid","AccountId":"`+acme+`"}`)
	for i := range 201 {
		o.create("Case", fmt.Sprintf(`{"Subject":"%d","ContactId":"%s"}`, i, contact))
	}
	at := "/sobjects/Contact/" + contact
	o.checkRules(t, []restRule{
		{"a parent", "GET", at + "/Account?fields=Name", "", 200, `={"attributes":{"type":"Account","url":"/services/data/v60.0/sobjects/Account/` + acme + `"},"Name":"Acme"}`, nil},
		{"a parent's parent", "GET", at + "/account/PARENT?fields=Name", "", 200, `"Name":"Parent"}`, nil},
		{"a parent that is not set", "GET", "/sobjects/Account/" + parent + "/Parent", "", 404, `NOT_FOUND`, nil},
		{"children", "GET", "/sobjects/Account/" + acme + "/Contacts?fields=LastName", "", 200, `={"totalSize":1,"done":true,"records":[{"attributes":{"type":"Contact","url":"/services/data/v60.0/sobjects/Contact/` + contact + `"},"LastName":"Kid"}]}`, nil},
		{"a parent's children", "GET", at + "/Account/Contacts?fields=LastName", "", 200, `"totalSize":1`, nil},
		{"no children", "GET", "/sobjects/Account/" + parent + "/Contacts", "", 200, `={"totalSize":0,"done":true,"records":[]}`, nil},
		{"children have all fields", "GET", "/sobjects/Account/" + acme + "/Contacts", "", 200, `"Phone_E164__c":null`, nil},
		{"children come in pages", "GET", at + "/Cases?fields=Subject", "", 200, `"totalSize":201,"done":false,"nextRecordsUrl":"/services/data/v60.0/query/0r8`, []string{"Sforce-Query-Options", "batchSize=200"}},
		{"children lead no further", "GET", "/sobjects/Account/" + acme + "/Contacts/Account", "", 404, `NOT_FOUND`, nil},
		{"a relationship nobody has", "GET", at + "/Nope", "", 404, `NOT_FOUND`, nil},
		{"a field of the parent nobody has", "GET", at + "/Account?fields=Foo", "", 400, `No such column 'Foo' on sobject of type Account`, nil},
		{"six levels", "GET", "/sobjects/Account/" + acme + "/Parent/Parent/Parent/Parent/Parent/Parent", "", 400, `No more than 5`, nil},
		{"changing a parent", "PATCH", at + "/Account", `{"Name":"Acme 2"}`, 204, "=", nil},
		{"it is changed", "GET", at + "/Account?fields=Name", "", 200, `"Name":"Acme 2"`, nil},
		{"changing children", "PATCH", "/sobjects/Account/" + acme + "/Contacts", `{}`, 405, `Allowed are HEAD,GET`, nil},
		{"deleting a parent", "DELETE", "/sobjects/Account/" + acme + "/Parent", "", 204, "=", nil},
		{"it is deleted", "GET", "/sobjects/Account/" + parent, "", 404, `ENTITY_IS_DELETED`, nil},
	})
	o.version = "v35.0"
	o.checkRules(t, []restRule{{"not before 36.0", "GET", at + "/Account", "", 404, `NOT_FOUND`, nil}})
}

func TestRuleReplication(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	kept := o.create("Account", `{"Name":"Kept"}`)
	gone := o.create("Account", `{"Name":"Gone"}`)
	o.api(http.MethodDelete, "/sobjects/Account/"+gone, "")
	span := func(list, start, end string) string {
		return "/sobjects/Account/" + list + "/?start=" + start + "&end=" + end
	}
	const now = "2026-11-18T15:30:00.000+0000"
	bad := `"errorCode":"INVALID_REPLICATION_DATE"`
	o.checkRules(t, []restRule{
		{"updated", "GET", span("updated", "2026-11-18T15:30:00Z", "2026-11-18T15:31:00Z"), "", 200, `={"ids":["` + kept + `"],"latestDateCovered":"` + now + `"}`, nil},
		{"seconds are left out", "GET", span("updated", "2026-11-18T15:30:59Z", "2026-11-18T15:31:59Z"), "", 200, `"ids":["` + kept + `"]`, nil},
		{"an offset", "GET", span("updated", url.QueryEscape("2026-11-18T17:30:00+02:00"), url.QueryEscape("2026-11-18T17:31:00+0200")), "", 200, `"ids":["` + kept + `"]`, nil},
		{"a plus that was not encoded", "GET", span("updated", "2026-11-18T17:30:00+02:00", "2026-11-18T17:31:00+02:00"), "", 200, `"ids":["` + kept + `"]`, nil},
		{"milliseconds", "GET", span("updated", "2026-11-18T15:30:00.000Z", "2026-11-18T15:31:00.999Z"), "", 200, `"ids":["` + kept + `"]`, nil},
		{"the end is not part of it", "GET", span("updated", "2026-11-18T15:00:00Z", "2026-11-18T15:30:00Z"), "", 200, `={"ids":[],"latestDateCovered":"` + now + `"}`, nil},
		{"deleted", "GET", span("deleted", "2026-11-18T15:30:00Z", "2026-11-18T15:31:00Z"), "", 200, `={"deletedRecords":[{"deletedDate":"` + now + `","id":"` + gone + `"}],"earliestDateAvailable":"2026-11-03T15:30:00.000+0000","latestDateCovered":"` + now + `"}`, nil},
		{"thirty days", "GET", span("updated", "2026-10-19T15:31:00Z", "2026-11-18T15:31:00Z"), "", 200, kept, nil},
		{"more than thirty days", "GET", span("updated", "2026-10-19T15:30:00Z", "2026-11-18T15:31:00Z"), "", 400, bad, nil},
		{"too long ago", "GET", span("deleted", "2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z"), "", 400, bad, nil},
		{"an end before the start", "GET", span("updated", "2026-11-18T15:31:00Z", "2026-11-18T15:30:00Z"), "", 400, bad, nil},
		{"the same minute", "GET", span("updated", "2026-11-18T15:30:01Z", "2026-11-18T15:30:59Z"), "", 400, bad, nil},
		{"no dates", "GET", "/sobjects/Account/updated", "", 400, bad, nil},
		{"no date", "GET", span("updated", "yesterday", "2026-11-18T15:30:59Z"), "", 400, bad, nil},
	})
}

func TestRuleConditions(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	at := "/services/data/v60.0/sobjects/Account/" + o.create("Account", `{"Name":"Acme"}`)
	earlier, later := fixedNow().Add(-time.Hour).Format(http.TimeFormat), fixedNow().Add(time.Hour).Format(http.TimeFormat)
	for _, c := range []struct {
		rule, method, path, header, value string
		status                            int
	}{
		{"a description that is known", "GET", "/services/data/v60.0/sobjects/Account/describe", "If-Modified-Since", later, 304},
		{"a description that is not", "GET", "/services/data/v60.0/sobjects/Account/describe", "If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", 200},
		{"all descriptions", "GET", "/services/data/v60.0/sobjects", "If-Modified-Since", later, 304},
		{"layouts", "GET", "/services/data/v60.0/sobjects/Account/describe/layouts", "If-Modified-Since", later, 304},
		{"a record that is known", "GET", at, "If-Modified-Since", later, 304},
		{"a record that changed", "GET", at, "If-Modified-Since", earlier, 200},
		{"a record that changed before", "GET", at, "If-Unmodified-Since", later, 200},
		{"a record that changed since", "GET", at, "If-Unmodified-Since", earlier, 412},
		{"no date", "GET", at, "If-Modified-Since", "soon", 400},
		{"another tag", "GET", at, "If-Match", `"x"`, 412},
		{"a tag that is unknown", "GET", at, "If-None-Match", `"x"`, 200},
		{"any tag", "GET", at, "If-None-Match", `*`, 304},
		{"a change of what changed since", "PATCH", at, "If-Unmodified-Since", earlier, 412},
		{"a change of another state", "PATCH", at, "If-Match", `"x"`, 412},
		{"a change where there must be nothing", "PATCH", at, "If-None-Match", `*`, 412},
		{"a deletion of another state", "DELETE", at, "If-Match", `"x"`, 412},
		{"a deletion of any state", "DELETE", at, "If-Match", `*`, 204},
	} {
		status, body, h := o.do(c.method, c.path, `{"Fax":"1"}`, c.header, c.value)
		if status != c.status || (status == 304 || status == 204) && body != "" {
			t.Errorf("%s: %s with %s: %s: %d %s, want %d", c.rule, c.method, c.header, c.value, status, body, c.status)
		}
		if c.method == http.MethodGet && status < 400 && h.Get("Last-Modified") == "" {
			t.Errorf("%s: the answer does not say when it changed", c.rule)
		}
	}
}

func TestRuleDescriptions(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	views := listViewsOf(o.schema.object("Account"))
	acme := o.create("Account", `{"Name":"Acme"}`)
	list := "/sobjects/Account/listviews"
	o.checkRules(t, []restRule{
		{"all entities", "GET", "/sobjects", "", 200, `"encoding":"UTF-8","maxBatchSize":200,"sobjects":[{`, nil},
		{"the addresses of an entity", "GET", "/sobjects/Account/describe", "", 200, `"rowTemplate":"/services/data/v60.0/sobjects/Account/{ID}"`, nil},
		{"layouts", "GET", "/sobjects/Account/describe/layouts", "", 200, `"recordTypeMappings":[{`, nil},
		{"the layout of a record type", "GET", "/sobjects/Account/describe/layouts/" + masterRecordType, "", 200, `"detailLayoutSections":[{`, nil},
		{"a record type nobody has", "GET", "/sobjects/Account/describe/layouts/012000000000999AAA", "", 404, `NOT_FOUND`, nil},
		{"compact layouts", "GET", "/sobjects/Account/describe/compactLayouts", "", 200, `"defaultCompactLayoutId":null`, nil},
		{"the primary compact layout", "GET", "/sobjects/Account/describe/compactLayouts/primary", "", 200, `"fieldItems":[{`, nil},
		{"approval layouts", "GET", "/sobjects/Account/describe/approvalLayouts/", "", 200, `={"approvalLayouts":[]}`, nil},
		{"an approval layout nobody has", "GET", "/sobjects/Account/describe/approvalLayouts/x", "", 404, `NOT_FOUND`, nil},
		{"a description of nothing", "GET", "/sobjects/Account/describe/nothing", "", 404, `NOT_FOUND`, nil},
		{"compact layouts of several entities", "GET", "/compactLayouts?q=Account,Case", "", 200, `"Case":{`, nil},
		{"of an entity nobody has", "GET", "/compactLayouts?q=Foo__c", "", 400, `INVALID_TYPE`, nil},
		{"list views", "GET", list, "", 200, `"developerName":"AllAccounts"`, nil},
		{"a list view", "GET", list + "/" + views[1].id(), "", 200, `"label":"My Accounts"`, nil},
		{"its query", "GET", list + "/" + views[1].id() + "/describe", "", 200, `FROM Account USING SCOPE mine ORDER BY Name`, nil},
		{"its records", "GET", list + "/" + views[0].id() + "/results", "", 200, `{"fieldNameOrPath":"Id","value":"` + acme + `"}`, nil},
		{"a list view of another entity", "GET", "/sobjects/Case/listviews/" + views[0].id(), "", 404, `NOT_FOUND`, nil},
		{"limits of a list that are none", "GET", list + "/" + views[0].id() + "/results?limit=x", "", 400, `INVALID_INPUT`, nil},
	})
	for _, v := range views {
		if status, body := o.soql(v.soql()); status != http.StatusOK {
			t.Errorf("%s: %d %s", v.soql(), status, body)
		}
	}
}

func TestRulePasswords(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedSmall})
	_, body := o.soql("SELECT Id, Username FROM User WHERE Id <> '" + o.admin + "' LIMIT 1")
	var out struct {
		Records []struct{ ID, Username string }
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil || len(out.Records) != 1 {
		t.Fatalf("%s %v", body, err)
	}
	user := out.Records[0]
	at := "/sobjects/User/" + user.ID + "/password"
	o.checkRules(t, []restRule{
		{"a new password", "POST", at, `{"NewPassword":"correct horse"}`, 204, "=", nil},
		{"one that is too short", "POST", at, `{"NewPassword":"x"}`, 400, `INVALID_NEW_PASSWORD`, nil},
		{"none", "POST", at, `{}`, 400, `INVALID_NEW_PASSWORD`, nil},
		{"one that is made up", "DELETE", at, "", 200, `{"NewPassword":"`, nil},
		{"the administrator's own stays", "POST", "/sobjects/User/" + o.admin + "/password", `{"NewPassword":"correct horse"}`, 400, `INVALID_NEW_PASSWORD`, nil},
		{"nobody's", "GET", "/sobjects/User/005000000000999AAA/password", "", 404, `NOT_FOUND`, nil},
		{"within a call that is undone as a whole", "POST", "/composite", `{"allOrNone":true,"compositeRequest":[{"method":"POST","referenceId":"p","url":"/services/data/v60.0` + at + `","body":{"NewPassword":"correct horse"}}]}`, 200, `a request of its own`, nil},
	})
}

package salesforce

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// failures lists the errors of a job in the order of its rows.
func (o *testOrg) failures(id string) (out []string) {
	o.t.Helper()
	for i, row := range o.csv("/jobs/ingest/" + id + "/failedResults") {
		if i > 0 {
			out = append(out, row[1])
		}
	}
	return out
}

// TestBulkHeaders holds what a header may name, and what a job says that fails for it.
func TestBulkHeaders(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.create("Account", `{"Name":"P","Ext__c":"p"}`)
	o.create("Contact", `{"LastName":"W","Email":"who@customers.example"}`)
	polymorphic := "InvalidBatch : type is needed for polymorphic foreign key references: "
	for _, c := range []struct{ object, header, row, want string }{
		{"Contact", "LASTNAME,account.EXT__C", "A,p", ""},
		{"Contact", "\ufeffLastName,Email", "A,", ""},
		{"Contact", " LastName ,Owner.Id", "A," + o.admin, ""},
		{"Contact", "LastName,Owner.Username", "A," + o.Credentials().Username, ""},
		{"Task", "Subject,Contact:Who.Email,Account:What.Ext__c,User:Owner.Email", "S,who@customers.example,p,aadmin@sandbox.example", ""},
		{"Task", "Subject,Account:What.Id", "S," + makeID("001", 1), ""},
		{"Contact", "LastName,Nope,Neither", "A,b,c", "InvalidBatch : Field name not found : Nope"},
		{"Contact", "LastName,", "A,b", "InvalidBatch : Field name not found : "},
		{"Contact", "LastName,Account.Phone", "A,b", "InvalidBatch : Field name not found : Account.Phone"},
		{"Contact", "LastName,Account.Owner.Email", "A,b", "InvalidBatch : Field name not found : Account.Owner.Email"},
		{"Contact", "LastName,Nope.Ext__c", "A,b", "InvalidBatch : Unable to find relationship: Nope"},
		{"Contact", "LastName,Contacts.Ext__c", "A,b", "InvalidBatch : Unable to find relationship: Contacts"},
		{"Contact", "LastName,Account:Account:Ext__c", "A,b", "InvalidBatch : Field name not found : Account:Account:Ext__c"},
		{"Contact", "LastName,Account:Account.Ext__c", "A,p", "InvalidBatch : type is not needed for non polymorphic foreign key references: Account"},
		{"Task", "Subject,What.Ext__c", "S,p", polymorphic + "What"},
		{"Task", "Subject,Owner.Email", "S,p", polymorphic + "Owner"},
		{"Task", "Subject,Contact:What.Ext__c", "S,p", "InvalidBatch : Field name not found : Contact:What.Ext__c"},
		{"Contact", "LastName,lastname", "A,b", "InvalidBatch : Field name found twice : lastname"},
		{"Contact", "LastName," + strings.Repeat("x", 32_000), "A,b", "InvalidBatch : the header has more than 32000 characters"},
		{"Contact", "\"LastName", "A", "InvalidBatch : the header cannot be read"},
	} {
		j := o.load(`{"object":"`+c.object+`","operation":"insert"}`, c.header+"\n"+c.row+"\n")
		if c.want == "" && (j.State != "JobComplete" || j.Processed != 1 || j.Failed != 0) {
			t.Errorf("%.60s: %+v %q", c.header, j, o.failures(j.ID))
		}
		if c.want != "" && (j.State != "Failed" || !strings.HasPrefix(j.Message, c.want) || j.Processed != 0 || j.Failed != 0) {
			t.Errorf("%.60s: %.200s instead of %s", c.header, fmt.Sprintf("%+v", j), c.want)
		}
	}
	if _, out := o.soql("SELECT Who.Name, What.Name FROM Task WHERE WhoId != null"); !strings.Contains(strip(t, out), `{"Who":{"Name":"W"},"What":{"Name":"P"}}`) {
		t.Errorf("references of a task: %s", out)
	}
}

// TestBulkFailedJobKeepsItsData tells the rows of a job that failed.
func TestBulkFailedJobKeepsItsData(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	j := o.load(`{"object":"Account","operation":"insert"}`, "Name,Nope\nA,\"b, c\"\n")
	path := "/jobs/ingest/" + j.ID
	for part, want := range map[string]string{
		"successfulResults": `"sf__Id","sf__Created",Name,Nope` + "\n", "failedresults": `"sf__Id","sf__Error",Name,Nope` + "\n", "UnprocessedRecords": "Name,Nope\n\"A\",\"b, c\"\n",
	} {
		status, out, header := o.send(http.MethodGet, "/services/data/v60.0"+path+"/"+part+"/", "", http.Header{"Authorization": {"Bearer " + o.token}})
		if status != http.StatusOK || out != want || header.Get("Content-Type") != "text/csv; charset=UTF-8" {
			t.Errorf("%s: %d %q %v", part, status, out, header)
		}
	}
}

// TestBulkLineEndings holds the lines of the data to what the job says, but for those within quotes.
func TestBulkLineEndings(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for _, c := range []struct {
		ending, data string
		fine         bool
	}{
		{"LF", "Name\nA\n", true},
		{"LF", "Name\nA", true},
		{"LF", "Name\n\"A\r\nB\"\n", true},
		{"LF", "Name\n\n\nA\n\n", true},
		{"LF", "Name\r\nA\r\n", false},
		{"LF", "Name\nA\r\n", false},
		{"LF", "Name\n\"A\"\r\n", false},
		{"CRLF", "Name\r\nA\r\n", true},
		{"CRLF", "Name\r\nA", true},
		{"CRLF", "Name\r\n\"A\nB\"\r\n", true},
		{"CRLF", "Name\nA\n", false},
		{"CRLF", "Name\r\nA\n", false},
		{"CRLF", "Name\r\n\"A\"\n", false},
	} {
		j := o.load(`{"object":"Account","operation":"insert","lineEnding":"`+c.ending+`"}`, c.data)
		want := "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is " + c.ending
		if c.fine != (j.State == "JobComplete" && j.Processed == 1) || !c.fine && (j.State != "Failed" || j.Message != want) {
			t.Errorf("%s %q: %+v", c.ending, c.data, j)
		}
	}
}

// TestBulkValues holds how the values of a row are read.
func TestBulkValues(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"Full","Phone":"1","Fax":"2","NumberOfEmployees":3,"AnnualRevenue":4,"Rating":"Hot","ParentId":null}`)
	j := o.load(`{"object":"Account","operation":"update"}`, "Id,Phone,Fax,NumberOfEmployees,AnnualRevenue,Rating,Website\n"+id+",#N/A,,#N/A,1.25E3,\"#N/A\", x \n")
	if _, out := o.soql("SELECT Phone, Fax, NumberOfEmployees, AnnualRevenue, Rating FROM Account"); j.Failed != 0 ||
		!strings.Contains(out, `"Phone":null,"Fax":"2","NumberOfEmployees":null,"AnnualRevenue":1250.0,"Rating":null}`) {
		t.Errorf("nulls and what is left alone: %+v %q %s", j, o.failures(j.ID), out)
	}
	j = o.load(`{"object":"Account","operation":"insert"}`, "Name,Description\n\"John\", \"Smith\"\nJohn, Smith\n\"John\" ,Smith\n\"a\"b,c\n5\" pipe,in\"ch\nshort\nlong,x,y\n\xff\xfe,ok\n\"Zoë 🎉\",\"a \"\"b\"\"\nc\"\n")
	want := []string{
		"INVALID_CSV:a space before an opening quote: leave it out, or put it into the quotes:--", "INVALID_CSV:text after a closing quote: double the quotes inside a value:--",
		"INVALID_CSV:text after a closing quote: double the quotes inside a value:--", "INVALID_CSV:the record has 1 values, the header 2:--", "INVALID_CSV:the record has 3 values, the header 2:--",
	}
	if diff := cmp.Diff(want, o.failures(j.ID)); diff != "" || j.Processed != 9 {
		t.Errorf("%+v %s", j, diff)
	}
	rows := o.csv("/jobs/ingest/" + j.ID + "/successfulResults")
	if got := fmt.Sprintf("%q", rows[1:]); len(rows) != 5 || rows[1][3] != " Smith" || rows[2][2] != `5" pipe` || rows[3][2] != "\ufffd" || rows[4][2] != "Zoë 🎉" || rows[4][3] != "a \"b\"\nc" {
		t.Errorf("what was taken: %s", got)
	}
	j = o.load(`{"object":"Contact","operation":"insert"}`, "LastName,Birthdate,DoNotCall,Email\nA,1990-01-02,TRUE,\nB,1990-01-02Z,1,\nC,2/1/1990,,\nD,,maybe,\nE,,,no\n")
	want = []string{"JSON_PARSER_ERROR", "JSON_PARSER_ERROR", "INVALID_EMAIL_ADDRESS:Email: invalid email address: no:Email --"}
	for i, f := range o.failures(j.ID) {
		if j.Failed != 3 || !strings.HasPrefix(f, want[i]) {
			t.Errorf("%d: %s", i, f)
		}
	}
}

// TestBulkOperations holds each operation's ids and keys, in the platform's words.
func TestBulkOperations(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id, gone := o.create("Account", `{"Name":"A","Ext__c":"k"}`), o.create("Account", `{"Name":"B"}`)
	o.api(http.MethodDelete, "/sobjects/Account/"+gone, "")
	o.create("Account", `{"Name":"T1","Phone_E164__c":"+1"}`)
	o.create("Account", `{"Name":"T2","Phone_E164__c":"+1"}`)
	locked := "INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create/update fields: CreatedDate. Please check the security settings of this field and verify that it is read/write for your profile or permission set.:CreatedDate --"
	nowhere := "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--"
	same := "DUPLICATE_VALUE:Duplicate external id specified: "
	for name, c := range map[string]struct {
		job, data string
		failures  []string
		taken     int
	}{
		"insert":      {`"operation":"insert"`, "Id,Name,CreatedDate\n" + id + ",X,\n,X,2020-01-01T00:00:00Z\n,New,\n", []string{"INVALID_FIELD_FOR_INSERT_UPDATE:cannot specify Id in an insert call:Id --", locked}, 1},
		"update":      {`"operation":"update"`, "Id,Name\n" + id[:15] + ",A2\n,X\nx,X\n003000000000001AAA,X\n001000000000999AAA,X\n" + gone + ",X\n", []string{"MISSING_ARGUMENT:Id not specified in an update call:--", "MALFORMED_ID:bad id x:--", "MALFORMED_ID:bad id 003000000000001AAA:--", nowhere, "ENTITY_IS_DELETED:entity is deleted:--"}, 1},
		"no ids":      {`"operation":"update"`, "Name\nX\n", []string{"MISSING_ARGUMENT:Id not specified in an update call:--"}, 0},
		"no ids here": {`"operation":"delete"`, "Name\nX\n", []string{"MISSING_ARGUMENT:Id not specified in a delete call:--"}, 0},
		"delete":      {`"operation":"delete"`, "Id\n" + gone + "\nx\n001000000000999AAA\n", []string{"ENTITY_IS_DELETED:entity is deleted:--", "MALFORMED_ID:bad id x:--", nowhere}, 0},
		"upsert":      {`"operation":"upsert","externalIdFieldName":"Ext__c"`, "Ext__c,Name\nK,A3\n,X\nn1,New\ntwo,T\nTWO,T\n", []string{"MISSING_ARGUMENT:Ext__c not specified:--", same + "two:Ext__c --", same + "TWO:Ext__c --"}, 2},
		"no keys":     {`"operation":"upsert","externalIdFieldName":"Ext__c"`, "Name\nX\n", []string{"MISSING_ARGUMENT:Ext__c not specified:--"}, 0},
		"by id":       {`"operation":"upsert","externalIdFieldName":"id"`, "Id,Name\n" + id + ",A4\n,New\nx,X\n", []string{"MALFORMED_ID:bad id x:--"}, 2},
		"two matches": {`"operation":"upsert","externalIdFieldName":"Phone_E164__c"`, "Phone_E164__c,Name\n+1,X\n", []string{"DUPLICATE_EXTERNAL_ID:Phone E164: more than one record found for external id field: [001000000000003AAA, 001000000000004AAA]:Phone_E164__c --"}, 0},
		"references":  {`"operation":"insert"`, "Name,Parent.Ext__c,ParentId\nA,none,\n", nil, -1},
		"parents":     {`"operation":"insert"`, "Name,Parent.Phone_E164__c\nA,none\nB,+1\n", []string{"INVALID_FIELD:Foreign key external ID: none not found for field Phone_E164__c in entity Account:ParentId --", "INVALID_FIELD:More than one record found for external id field: [001000000000003AAA, 001000000000004AAA]:ParentId --"}, 0},
	} {
		j := o.load(`{"object":"Account",`+c.job+`}`, c.data)
		if c.taken < 0 {
			if j.State != "Failed" {
				t.Errorf("%s: %+v", name, j)
			}
			continue
		}
		if got := o.failures(j.ID); j.State != "JobComplete" || !cmp.Equal(c.failures, got) || j.Processed-j.Failed != c.taken {
			t.Errorf("%s: %+v %s", name, j, cmp.Diff(c.failures, got))
		}
	}
	// Within 200 records a record may be changed 12 times, and a key may be named once; the next 200 count anew.
	var updates, upserts strings.Builder
	updates.WriteString("Id,Fax\n")
	upserts.WriteString("Ext__c,Name\n")
	for i := range 201 {
		fmt.Fprintf(&updates, "%s,%d\n", id, i)
		fmt.Fprintf(&upserts, "u%d,N\n", i%200)
	}
	j := o.load(`{"object":"Account","operation":"update"}`, updates.String())
	if got := o.failures(j.ID); len(got) != 188 || got[0] != "DUPLICATE_VALUE:Maximum number of duplicate updates in one batch (12 allowed). Attempt to update Id more than once in this Api call: "+id+":Id --" {
		t.Errorf("%d failures: %.1s", len(got), got)
	}
	if j := o.load(`{"object":"Account","operation":"upsert","externalIdFieldName":"Ext__c"}`, upserts.String()); j.Failed != 0 || j.Processed != 201 {
		t.Errorf("a key of another 200: %+v", j)
	}
}

// TestBulkHardDelete leaves nothing in the bin, for those who may.
func TestBulkHardDelete(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id, other := o.create("Account", `{"Name":"A"}`), o.create("Account", `{"Name":"B"}`)
	u := asIntegration(t, o)
	grants := Permissions{Objects: map[string]Access{"Account": {Read: true, Create: true, Edit: true, Delete: true}}}
	if err := o.RestrictProfile(t.Context(), "Standard User", &grants); err != nil {
		t.Fatal(err)
	}
	status, out := u.api(http.MethodPost, "/jobs/ingest", `{"object":"Account","operation":"hardDelete"}`)
	if want := `[{"message":"hardDelete operation requires special user profile permission, please contact your system administrator","errorCode":"FEATURENOTENABLED"}]`; status != http.StatusBadRequest || out != want {
		t.Errorf("%d %s", status, out)
	}
	grants.System = []string{"Nope"}
	if err := o.RestrictProfile(t.Context(), "Standard User", &grants); err == nil {
		t.Error("an unknown permission is taken")
	}
	grants.System = []string{apiEnabled, bulkAPIHardDelete}
	if err := o.RestrictProfile(t.Context(), "Standard User", &grants); err != nil {
		t.Fatal(err)
	}
	if j := u.load(`{"object":"Account","operation":"hardDelete"}`, "Id\n"+id+"\n"); j.Failed != 0 {
		t.Errorf("%+v %q", j, u.failures(j.ID))
	}
	u.load(`{"object":"Account","operation":"delete"}`, "Id\n"+other+"\n")
	if _, out := o.api(http.MethodGet, "/queryAll?q=SELECT+Id+FROM+Account", ""); strings.Contains(out, id) || !strings.Contains(out, other) {
		t.Errorf("the bin: %s", out)
	}
}

// TestBulkFieldSecurity takes what a user cannot see for not there, and fails records for what it cannot write.
func TestBulkFieldSecurity(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	u := asIntegration(t, o)
	if err := o.RestrictProfile(t.Context(), "Standard User", &Permissions{
		Objects: map[string]Access{"Account": {Read: true, Create: true, Edit: true}, "Contact": {Read: true}},
		Fields:  map[string]FieldAccess{"Account.Phone": {Read: true}, "Account.Fax": {Edit: true}},
	}); err != nil {
		t.Fatal(err)
	}
	if j := u.load(`{"object":"Account","operation":"insert"}`, "Name,Website\nA,x\n"); j.State != "Failed" || j.Message != "InvalidBatch : Field name not found : Website" {
		t.Errorf("a field that is hidden: %+v", j)
	}
	j := u.load(`{"object":"Account","operation":"insert"}`, "Name,Phone\nA,1\n")
	if got := u.failures(j.ID); len(got) != 1 || !strings.HasPrefix(got[0], "INVALID_FIELD_FOR_INSERT_UPDATE:") {
		t.Errorf("a field that can be read: %+v %q", j, got)
	}
	if j := u.load(`{"object":"Account","operation":"insert"}`, "Name,Fax\nA,1\n"); j.Failed != 0 {
		t.Errorf("%+v", j)
	}
	j = u.load(`{"object":"Contact","operation":"insert"}`, "LastName\nA\n")
	if got := u.failures(j.ID); len(got) != 1 || !strings.HasPrefix(got[0], "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:") {
		t.Errorf("an entity that can be read: %+v %q", j, got)
	}
	if status, out := u.api(http.MethodPost, "/jobs/ingest", `{"object":"Case","operation":"insert"}`); status != http.StatusBadRequest || !strings.Contains(out, "INVALIDENTITY") {
		t.Errorf("an entity that is hidden: %d %s", status, out)
	}
	if status, out := o.api(http.MethodPost, "/jobs/ingest", `{"object":"Profile","operation":"insert"}`); status != http.StatusBadRequest || !strings.Contains(out, "Entity 'Profile' is not supported by the Bulk API.") {
		t.Errorf("an entity without writes: %d %s", status, out)
	}
}

// TestBulkLocks tells of records that are locked, and goes on with the others.
func TestBulkLocks(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"A"}`)
	if status, out, _ := o.send(http.MethodPost, "/sandbox/api/faults", `{"kind":"record","match":"/jobs/ingest/Account","count":1}`, nil); status != http.StatusOK && status != http.StatusCreated {
		t.Fatalf("%d %s", status, out)
	}
	j := o.load(`{"object":"Account","operation":"update"}`, "Id,Phone\n"+id+",1\n"+id+",2\n")
	if got := o.failures(j.ID); j.State != "JobComplete" || len(got) != 1 || got[0] != "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: "+id+":--" {
		t.Errorf("%+v %q", j, got)
	}
	if _, out := o.api(http.MethodGet, "/sobjects/Account/"+id+"?fields=Phone", ""); !strings.Contains(out, `"Phone":"2"`) {
		t.Errorf("%s", out)
	}
}

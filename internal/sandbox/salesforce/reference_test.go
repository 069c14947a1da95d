package salesforce

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// describedField is a field as describe shows it to a code generator.
type describedField struct {
	Name, Label, Type, SoapType                                           string
	Length, ByteLength, Precision, Scale, Digits                          int
	Createable, Updateable, Nillable, DefaultedOnCreate, Calculated       bool
	Unique, ExternalID, IDLookup, NameField, AutoNumber, Custom           bool
	Filterable, Sortable, Groupable, Aggregatable, CascadeDelete          bool
	RestrictedDelete, RestrictedPicklist, Permissionable, CaseSensitive   bool
	PolymorphicForeignKey, NamePointing, DependentPicklist, HTMLFormatted bool
	RelationshipName                                                      *string
	ReferenceTo                                                           []string
	PicklistValues                                                        []struct {
		Active, DefaultValue bool
		Label, Value         string
	}
	DefaultValue any
}

type describedChild struct {
	ChildSObject, Field             string
	RelationshipName                *string
	CascadeDelete, RestrictedDelete bool
}

type describedObject struct {
	Name, Label, LabelPlural, KeyPrefix                                                      string
	Createable, Updateable, Deletable, Queryable, Searchable, Retrieveable, Replicateable    bool
	Undeletable, Custom, Layoutable, Triggerable, Mergeable, DeprecatedAndHidden, MRUEnabled bool
	URLs                                                                                     map[string]string
	Fields                                                                                   []describedField
	ChildRelationships                                                                       []describedChild
	RecordTypeInfos                                                                          []map[string]any
}

func (d *describedObject) field(name string) *describedField {
	for i := range d.Fields {
		if d.Fields[i].Name == name {
			return &d.Fields[i]
		}
	}
	return nil
}

func (o *testOrg) describeOf(entity string) *describedObject {
	o.t.Helper()
	status, body := o.api(http.MethodGet, "/sobjects/"+entity+"/describe", "")
	var d describedObject
	if err := json.Unmarshal([]byte(body), &d); err != nil || status != http.StatusOK {
		o.t.Fatalf("describing %s: %d %.300s %v", entity, status, body, err)
	}
	return &d
}

// TestReferenceObjects holds the entities, key prefixes, fields and types that clients of a contact centre rely on.
func TestReferenceObjects(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for _, c := range []struct{ entity, prefix, fields string }{
		{"Account", "001", "Id:id Name:string(255) Phone:phone(40) Fax:phone(40) Website:url(255) Industry:picklist BillingStreet:textarea(255) BillingCity:string(40) BillingState:string(80) BillingPostalCode:string(20) BillingCountry:string(80) OwnerId:reference ParentId:reference IsDeleted:boolean CreatedDate:datetime LastModifiedDate:datetime SystemModstamp:datetime"},
		{"Contact", "003", "AccountId:reference FirstName:string(40) LastName:string(80) Name:string(121) Phone:phone(40) MobilePhone:phone(40) HomePhone:phone(40) OtherPhone:phone(40) AssistantPhone:phone(40) Email:email(80) OwnerId:reference"},
		{"Case", "500", "CaseNumber:string(30) Subject:string(255) Description:textarea(32000) Status:picklist Priority:picklist Origin:picklist ContactId:reference AccountId:reference OwnerId:reference IsClosed:boolean ClosedDate:datetime ParentId:reference"},
		{"CaseComment", "00a", "ParentId:reference CommentBody:textarea(4000) IsPublished:boolean CreatorName:string(121)"},
		{"Task", "00T", "WhoId:reference WhatId:reference Subject:string(255) Status:picklist Priority:picklist ActivityDate:date CallDurationInSeconds:int CallType:picklist CallDisposition:string(255) CallObject:string(255) TaskSubtype:picklist"},
		{"VoiceCall", "0LQ", "VendorCallKey:string CallType:picklist FromPhoneNumber:phone ToPhoneNumber:phone CallStartDateTime:datetime CallAcceptDateTime:datetime CallEndDateTime:datetime CallDurationInSeconds:int CallDisposition:picklist CallCenterId:reference UserId:reference OwnerId:reference QueueName:string ConversationId:string RelatedRecordId:reference PreviousCallId:reference NextCallId:reference AgentInteractionDurationInSeconds:int LongestHoldDurationInSeconds:int NumberOfHolds:int VendorType:string"},
		{"User", "005", "Username:string(80) Email:email(128) Alias:string(8) FirstName:string(40) LastName:string(80) ProfileId:reference UserRoleId:reference IsActive:boolean FederationIdentifier:string(512) TimeZoneSidKey:picklist LocaleSidKey:picklist LanguageLocaleKey:picklist EmailEncodingKey:picklist CallCenterId:reference"},
		{"Profile", "00e", "Name:string"},
		{"UserRole", "00E", "Name:string(80) DeveloperName:string(80)"},
		{"PermissionSet", "0PS", "Name:string(80) Label:string(80) ProfileId:reference IsOwnedByProfile:boolean"},
		{"PermissionSetAssignment", "0Pa", "PermissionSetId:reference AssigneeId:reference"},
		{"SetupEntityAccess", "0J0", "ParentId:reference SetupEntityId:reference SetupEntityType:picklist"},
		{"ObjectPermissions", "110", "ParentId:reference SobjectType:picklist PermissionsRead:boolean PermissionsCreate:boolean PermissionsEdit:boolean PermissionsDelete:boolean PermissionsViewAllRecords:boolean PermissionsModifyAllRecords:boolean"},
		{"FieldPermissions", "01k", "ParentId:reference SobjectType:picklist Field:picklist PermissionsRead:boolean PermissionsEdit:boolean"},
		{"Group", "00G", "Name:string(40) DeveloperName:string(80) Type:picklist"},
		{"GroupMember", "011", "GroupId:reference UserOrGroupId:reference"},
		{"QueueSobject", "03g", "QueueId:reference SobjectType:picklist"},
		{"CallCenter", "04v", "Name:string InternalName:string"},
		{"Organization", "00D", "Name:string(80) InstanceName:string IsSandbox:boolean TrialExpirationDate:datetime NamespacePrefix:string OrganizationType:picklist"},
		{"ConnectedApplication", "0H4", "Name:string"},
		{"RecordType", "012", "Name:string(80) DeveloperName:string(80) SobjectType:picklist IsActive:boolean"},
		{"ServicePresenceStatus", "0N5", "DeveloperName:string(80) MasterLabel:string(80) Language:picklist IsDeleted:boolean"},
		{"ServiceChannel", "0N9", "DeveloperName:string MasterLabel:string RelatedEntity:picklist"},
		{"ServiceChannelStatus", "", "ServiceChannelId:reference ServicePresenceStatusId:reference"},
		{"UserServicePresence", "0N0", "UserId:reference OwnerId:reference ServicePresenceStatusId:reference IsCurrentState:boolean IsAway:boolean StatusStartDate:datetime StatusEndDate:datetime StatusDuration:int IdleDuration:int AtCapacityDuration:int AverageCapacity:double ConfiguredCapacity:double ConfiguredInterruptCapacity:double Name:string CreatedDate:datetime LastModifiedById:reference SystemModstamp:datetime"},
		{"AgentWork", "0Bz", "UserId:reference WorkItemId:reference ServiceChannelId:reference Status:picklist CapacityWeight:double CapacityPercentage:double PendingServiceRoutingId:reference RequestDateTime:datetime AcceptDateTime:datetime CloseDateTime:datetime"},
		{"PendingServiceRouting", "0JR", "WorkItemId:reference ServiceChannelId:reference IsTransfer:boolean"},
		{"PresenceUserConfig", "", "Capacity:double OptionsIsDeclineEnabled:boolean OptionsIsAutoAcceptEnabled:boolean PresenceStatusOnDeclineId:reference PresenceStatusOnPushTimeoutId:reference AfterConvoWorkMaxTime:int HasAfterConvoWorkTimer:boolean AcwExtensionDuration:int"},
		{"EntityDefinition", "", "QualifiedApiName:string DeveloperName:string KeyPrefix:string Label:string PluralLabel:string"},
		{"FieldDefinition", "", "EntityDefinitionId:string QualifiedApiName:string Label:string DataType:string"},
	} {
		d := o.describeOf(c.entity)
		if c.prefix != "" && d.KeyPrefix != c.prefix {
			t.Errorf("%s has the key prefix %s instead of %s", c.entity, d.KeyPrefix, c.prefix)
		}
		for want := range strings.FieldsSeq(c.fields + " Id:id CreatedById:reference LastModifiedById:reference") {
			name, kind, _ := strings.Cut(want, ":")
			f := d.field(name)
			if f == nil {
				t.Errorf("%s has no field %s", c.entity, name)
				continue
			}
			got := f.Type
			if strings.Contains(kind, "(") {
				got += fmt.Sprintf("(%d)", f.Length)
			}
			if got != kind {
				t.Errorf("%s.%s is %s instead of %s", c.entity, name, got, kind)
			}
		}
	}
}

// TestDescribedValues holds picklists whose values programs test for.
func TestDescribedValues(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for _, c := range []struct {
		field, values, preset string
		restricted            bool
	}{
		{"Case.Status", "New Working Escalated Closed", "New", false},
		{"Case.Priority", "High Medium Low", "Medium", false},
		{"Case.Origin", "Phone Email Web", "", false},
		{"Task.CallType", "Internal Inbound Outbound", "", true},
		{"Task.TaskSubtype", "Task Email ListEmail Cadence Call", "Task", true},
		{"Task.Priority", "High Normal Low", "Normal", false},
		{"AgentWork.Status", "Assigned Opened Unavailable Declined DeclinedOnPushTimeout Closed Canceled Transferred", "Assigned", true},
		{"Group.Type", "Regular Queue Role Organization", "", true},
	} {
		entity, name, _ := strings.Cut(c.field, ".")
		f := o.describeOf(entity).field(name)
		var values []string
		preset := ""
		for _, v := range f.PicklistValues {
			values = append(values, v.Value)
			if !v.Active || v.Label == "" {
				t.Errorf("%s: %+v", c.field, v)
			}
			if v.DefaultValue {
				preset = v.Value
			}
		}
		if got := strings.Join(values, " "); got != c.values || preset != c.preset || f.RestrictedPicklist != c.restricted {
			t.Errorf("%s has %s, %q, %v", c.field, got, preset, f.RestrictedPicklist)
		}
	}
}

// TestDescribedProperties compares with what the platform's object reference states of each field: c create, u update,
// n nillable, d defaulted on create, l id lookup, a auto number, N name field, U unique.
func TestDescribedProperties(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for name, want := range map[string]string{
		"Account.Id": "dl", "Account.Name": "cuN", "Account.IsDeleted": "d", "Account.OwnerId": "cud", "Account.ParentId": "cun", "Account.Phone": "cun",
		"Account.CreatedDate": "d", "Account.CreatedById": "d", "Account.LastModifiedDate": "d", "Account.LastModifiedById": "d", "Account.SystemModstamp": "d",
		"Contact.Name": "N", "Contact.LastName": "cu", "Contact.FirstName": "cun", "Contact.Email": "cunl",
		"Case.CaseNumber": "dlaNU", "Case.Status": "cund", "Case.IsClosed": "d", "Case.ClosedDate": "n", "Case.ContactId": "cun",
		"CaseComment.ParentId": "c", "CaseComment.IsPublished": "cud", "Task.TaskSubtype": "cnd", "Task.IsClosed": "d", "Task.OwnerId": "cud",
		"User.Username": "culU", "User.IsActive": "cud", "User.ProfileId": "cu", "User.Alias": "cu", "User.Name": "N",
		"Account.Ext__c": "cunlU", "UserServicePresence.Name": "daN",
	} {
		entity, fieldName, _ := strings.Cut(name, ".")
		f := o.describeOf(entity).field(fieldName)
		got := ""
		for _, p := range []struct {
			is   bool
			mark string
		}{
			{f.Createable, "c"}, {f.Updateable, "u"}, {f.Nillable, "n"}, {f.DefaultedOnCreate, "d"}, {f.IDLookup, "l"}, {f.AutoNumber, "a"}, {f.NameField, "N"}, {f.Unique, "U"},
		} {
			if p.is {
				got += p.mark
			}
		}
		if got != want {
			t.Errorf("%s is described as %q instead of %q", name, got, want)
		}
	}
}

// TestDescribedTogether checks the descriptions against each other as code generators do: what is required is createable,
// relationships lead both ways, and the list of all agrees with each.
func TestDescribedTogether(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	_, body := o.api(http.MethodGet, "/sobjects", "")
	var global struct {
		SObjects []map[string]any `json:"sobjects"`
	}
	if err := json.Unmarshal([]byte(body), &global); err != nil {
		t.Fatal(err)
	}
	prefixes, all := map[string]string{}, map[string]*describedObject{}
	for _, brief := range global.SObjects {
		name, _ := brief["name"].(string)
		status, text := o.api(http.MethodGet, "/sobjects/"+name+"/describe", "")
		var whole map[string]any
		if err := json.Unmarshal([]byte(text), &whole); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %v", name, status, err)
		}
		for key, v := range brief {
			if fmt.Sprint(whole[key]) != fmt.Sprint(v) {
				t.Errorf("%s: the list says %s %v, describe %v", name, key, v, whole[key])
			}
		}
		d := o.describeOf(name)
		all[name] = d
		if other := prefixes[d.KeyPrefix]; other != "" {
			t.Errorf("%s and %s share the prefix %s", name, other, d.KeyPrefix)
		}
		prefixes[d.KeyPrefix] = name
	}
	for name, d := range all {
		names, titles := map[string]bool{}, 0
		for _, f := range d.Fields {
			describedWell(t, all, d, &f)
			if names[strings.ToLower(f.Name)] {
				t.Errorf("%s.%s is there twice", name, f.Name)
			}
			names[strings.ToLower(f.Name)] = true
			if f.NameField {
				titles++
			}
		}
		if titles > 1 {
			t.Errorf("%s has %d name fields", name, titles)
		}
		rels := map[string]bool{}
		for _, c := range d.ChildRelationships {
			child := all[c.ChildSObject]
			if child == nil || child.field(c.Field) == nil || !slices.Contains(child.field(c.Field).ReferenceTo, name) {
				t.Errorf("%s has a child %s.%s, which does not point at it", name, c.ChildSObject, c.Field)
			}
			if c.RelationshipName == nil {
				continue
			}
			if rels[*c.RelationshipName] {
				t.Errorf("%s has two relationships %s", name, *c.RelationshipName)
			}
			rels[*c.RelationshipName] = true
		}
	}
}

func describedWell(t *testing.T, all map[string]*describedObject, d *describedObject, f *describedField) {
	t.Helper()
	at := d.Name + "." + f.Name
	soap := map[string]string{"id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "int": "xsd:int", "double": "xsd:double", "currency": "xsd:double", "percent": "xsd:double", "date": "xsd:date", "datetime": "xsd:dateTime", "address": "urn:address", "location": "urn:location"}
	if want := orElse(soap[f.Type], "xsd:string"); f.SoapType != want {
		t.Errorf("%s: soapType %s of a %s", at, f.SoapType, f.Type)
	}
	if f.Label == "" || strings.Contains(f.Label, "_") {
		t.Errorf("%s has the label %q", at, f.Label)
	}
	if f.Updateable && !f.Createable && d.Createable {
		t.Errorf("%s can be changed and not set", at)
	}
	for _, parent := range f.ReferenceTo {
		if all[parent] == nil {
			t.Errorf("%s points at %s, which is not there", at, parent)
			continue
		}
		if !slices.ContainsFunc(all[parent].ChildRelationships, func(c describedChild) bool { return c.ChildSObject == d.Name && c.Field == f.Name }) {
			t.Errorf("%s points at %s, which does not know it as a child", at, parent)
		}
	}
	if (f.Type == "reference") != (f.RelationshipName != nil) || (f.Type == "reference") != (len(f.ReferenceTo) > 0) || len(f.ReferenceTo) > 1 && !f.PolymorphicForeignKey {
		t.Errorf("%s: %s, %v, %v", at, f.Type, f.ReferenceTo, f.PolymorphicForeignKey)
	}
	if (f.Type == "string" || f.Type == "textarea") && f.Length == 0 || f.Type == "double" && f.Precision == 0 || f.Type == "int" && f.Digits == 0 {
		t.Errorf("%s has no size", at)
	}
	if f.Type == "boolean" && (f.Nillable || f.DefaultValue == nil) {
		t.Errorf("%s may be null", at)
	}
}

// TestDeletedTogether follows references of a deleted record: what goes with it comes back with it.
func TestDeletedTogether(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, Custom: []CustomObject{{Name: "Visit__c", Fields: []CustomField{
		{Name: "Account__c", Type: "reference", References: []string{"Account"}},
		{Name: "Contact__c", Type: "reference", References: []string{"Contact"}, OnDelete: "restrict"},
	}}}})
	account := o.create("Account", `{"Name":"A"}`)
	contact := o.create("Contact", `{"LastName":"C","AccountId":"`+account+`"}`)
	visit := o.create("Visit__c", `{"Name":"V","Account__c":"`+account+`","Contact__c":"`+contact+`"}`)
	if status, body := o.api(http.MethodDelete, "/sobjects/Account/"+account, ""); status != http.StatusBadRequest || !strings.Contains(body, "DELETE_FAILED") {
		t.Errorf("a restricted contact goes with its account: %d %s", status, body)
	}
	if status, body := o.api(http.MethodPatch, "/sobjects/Visit__c/"+visit, `{"Contact__c":null}`); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := o.api(http.MethodDelete, "/sobjects/Account/"+account, ""); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, body)
	}
	if _, body := o.api(http.MethodGet, "/sobjects/Visit__c/"+visit+"?fields=Account__c", ""); !strings.Contains(body, `"Account__c":null`) {
		t.Errorf("a reference still leads to a deleted account: %s", body)
	}
	gone := map[string]string{"Account": account, "Contact": contact}
	for entity, id := range gone {
		if status, _ := o.api(http.MethodGet, "/sobjects/"+entity+"/"+id, ""); status != http.StatusNotFound {
			t.Errorf("%s is still there: %d", entity, status)
		}
	}
	if status, _, _ := o.page("/lightning/r/Account/"+account+"/restore", nil); status != http.StatusSeeOther {
		t.Fatalf("restoring: %d", status)
	}
	for _, entity := range slices.Sorted(maps.Keys(gone)) {
		if status, body := o.api(http.MethodGet, "/sobjects/"+entity+"/"+gone[entity], ""); status != http.StatusOK {
			t.Errorf("%s is not back: %d %s", entity, status, body)
		}
	}
	if status, _, _ := o.page("/lightning/r/Account/"+account+"/restore", nil); status == http.StatusSeeOther {
		t.Error("what is not in the bin is restored")
	}
}

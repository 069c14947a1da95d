package salesforce

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestServiceObjects looks at the entities of presence and routing as a program that sets a presence up does.
func TestServiceObjects(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for q, want := range map[string]string{
		"SELECT MasterLabel FROM ServicePresenceStatus WHERE DeveloperName = 'available'": `[{"MasterLabel":"Available"}]`,
		"SELECT ServiceChannel.RelatedEntity FROM ServiceChannelStatus WHERE ServicePresenceStatus.DeveloperName = 'Available' ORDER BY ServiceChannel.RelatedEntity": `[{"ServiceChannel":{"RelatedEntity":"Case"}},` +
			`{"ServiceChannel":{"RelatedEntity":"VoiceCall"}}]`,
		"SELECT Assignee.Alias FROM PermissionSetAssignment WHERE PermissionSet.Name = 'Contact_Center_Agent' AND Assignee.Name LIKE 'Ana%'": `[{"Assignee":{"Alias":"asilva"}}]`,
		"SELECT Label FROM PermissionSet WHERE Id IN (SELECT ParentId FROM SetupEntityAccess WHERE SetupEntityType = 'ServicePresenceStatus') ORDER BY Label": `[{"Label":"Contact Center Agent"},` +
			`{"Label":"System Administrator"}]`,
		"SELECT SobjectType FROM QueueSobject WHERE Queue.DeveloperName = 'Support' ORDER BY SobjectType": `[{"SobjectType":"Case"},{"SobjectType":"Task"},{"SobjectType":"VoiceCall"}]`,
		"SELECT Name, (SELECT UserOrGroupId FROM GroupMembers LIMIT 1) FROM Group WHERE Type = 'Queue'":   `[{"Name":"Support","GroupMembers":{"totalSize":1,"done":true,"records":[{"UserOrGroupId":"005000000000003AAA"}]}}]`,
		"SELECT PresenceStatusOnDecline.DeveloperName, Capacity FROM PresenceUserConfig":                  `[{"PresenceStatusOnDecline":{"DeveloperName":"Busy"},"Capacity":5.0}]`,
		"SELECT Name FROM CallCenter":                                  `[{"Name":"Contact Center"}]`,
		"SELECT Name FROM ConnectedApplication":                        `[{"Name":"Sandbox client"}]`,
		"SELECT Id FROM UserServicePresence WHERE IsCurrentState=true": `[]`,
	} {
		status, body := o.soql(q)
		var res struct {
			Records json.RawMessage `json:"records"`
		}
		if err := json.Unmarshal([]byte(body), &res); err != nil || status != http.StatusOK {
			t.Errorf("%s: %d %s", q, status, body)
			continue
		}
		if got := strip(t, string(res.Records)); got != strip(t, want) {
			t.Errorf("%s\n got %s\nwant %s", q, got, want)
		}
	}
	for _, entity := range []string{"UserServicePresence", "ServicePresenceStatus", "RecordType"} {
		if status, body := o.api(http.MethodPost, "/sobjects/"+entity, `{}`); status != http.StatusBadRequest || !strings.Contains(body, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY") {
			t.Errorf("%s can be written: %d %s", entity, status, body)
		}
	}
	call := o.create("VoiceCall", `{"CallType":"Inbound","CallStartDateTime":"2026-11-18T15:00:00Z","CallCenterId":"04v000000000001AAA"}`)
	work := o.create("AgentWork", `{"UserId":"005000000000003AAA","WorkItemId":"`+call+`","ServiceChannelId":"`+makeID("0N9", 1)+`"}`)
	if _, body := o.api(http.MethodGet, "/sobjects/AgentWork/"+work+"?fields=Name,Status", ""); !strings.Contains(body, `"Name":"00001001","Status":"Assigned"`) {
		t.Error(body)
	}
	if status, body := o.api(http.MethodPatch, "/sobjects/AgentWork/"+work, `{"Status":"Asleep"}`); status != http.StatusBadRequest || !strings.Contains(body, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST") {
		t.Errorf("%d %s", status, body)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for _, obj := range o.schema.objects {
		status, body := o.api(http.MethodGet, "/sobjects/"+obj.name+"/describe", "")
		var d struct {
			Name      string
			KeyPrefix string
			Fields    []struct {
				Name, Type string
				Length     int
				Picklist   []any    `json:"picklistValues"`
				Refs       []string `json:"referenceTo"`
				Rel        *string  `json:"relationshipName"`
			}
			Types []map[string]any  `json:"recordTypeInfos"`
			URLs  map[string]string `json:"urls"`
		}
		if err := json.Unmarshal([]byte(body), &d); err != nil || status != http.StatusOK || d.Name != obj.name || len(d.Fields) < 5 || len(d.KeyPrefix) != 3 {
			t.Errorf("%s: %d %.200s %v", obj.name, status, body, err)
			continue
		}
		for _, f := range d.Fields {
			if f.Type == "reference" && (len(f.Refs) == 0 || f.Rel == nil) || f.Type == "string" && f.Length == 0 {
				t.Errorf("%s.%s is described as %+v", obj.name, f.Name, f)
			}
		}
		url := strings.TrimPrefix(d.URLs["layouts"], "/services/data/v60.0")
		if url == "" {
			if len(d.Types) != 0 {
				t.Errorf("%s has record types and no layout", obj.name)
			}
			continue
		}
		status, body = o.api(http.MethodGet, url, "")
		if len(d.Types) != 1 || status != http.StatusOK || !strings.Contains(body, `"recordTypeMappings"`) || !strings.Contains(body, `"relatedLists"`) {
			t.Errorf("layouts of %s: %d %.200s", obj.name, status, body)
		}
	}
	if status, body := o.api(http.MethodGet, "/sobjects/Case/describe/layouts/012000000000000AAA", ""); status != http.StatusOK || !strings.Contains(body, `"detailLayoutSections"`) {
		t.Errorf("%d %.200s", status, body)
	}
	for _, path := range []string{"/sobjects/Case/describe/layouts/012000000000001AAA", "/sobjects/Case/describe/foo", "/sobjects/Group/describe/layouts"} {
		if status, _ := o.api(http.MethodGet, path, ""); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	for _, path := range []string{"/sobjects/Case/describe", "/sobjects/Case/describe/layouts", "/sobjects"} {
		if status, body := o.api(http.MethodGet, path, "", "If-Modified-Since", "Wed, 01 Jan 2031 00:00:00 GMT"); status != http.StatusNotModified || body != "" {
			t.Errorf("%s: %d %.80s", path, status, body)
		}
	}
	if _, body := o.api(http.MethodGet, "/sobjects", ""); strings.Count(body, `"keyPrefix"`) != len(o.schema.objects) {
		t.Error("describe global leaves objects out")
	}
}

// TestMultiSelect covers a multi-select picklist: kept in the order of its definition, compared value by value.
func TestMultiSelect(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, Custom: []CustomObject{{
		Name: "Account", Fields: []CustomField{{Name: "Channels__c", Type: "multipicklist", Values: []string{"Phone", "Chat", "Mail"}, Restricted: true}},
	}}})
	o.create("Account", `{"Name":"A","Channels__c":"Mail;Phone;Mail"}`)
	o.create("Account", `{"Name":"B","Channels__c":"Chat"}`)
	o.create("Account", `{"Name":"C"}`)
	for where, want := range map[string]string{
		"Channels__c INCLUDES ('phone;mail')":         `[{"Name":"A","Channels__c":"Phone;Mail"}]`,
		"Channels__c INCLUDES ('phone;chat', 'Chat')": `[{"Name":"B","Channels__c":"Chat"}]`,
		"Channels__c INCLUDES ('Mai')":                `[]`,
		"Channels__c EXCLUDES ('Chat')":               `[{"Name":"A","Channels__c":"Phone;Mail"},{"Name":"C","Channels__c":null}]`,
		"Channels__c = 'Phone;Mail'":                  `[{"Name":"A","Channels__c":"Phone;Mail"}]`,
		"Channels__c = null":                          `[{"Name":"C","Channels__c":null}]`,
	} {
		_, body := o.soql("SELECT Name, Channels__c FROM Account WHERE " + where + " ORDER BY Name")
		if got := strip(t, body); !strings.HasSuffix(got, `"records":`+want+`}`) {
			t.Errorf("%s\n got %s\nwant %s", where, got, want)
		}
	}
	if status, body := o.api(http.MethodPost, "/sobjects/Account", `{"Name":"D","Channels__c":"Phone;Fax"}`); status != http.StatusBadRequest || !strings.Contains(body, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST") {
		t.Errorf("%d %s", status, body)
	}
}

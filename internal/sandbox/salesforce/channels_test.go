package salesforce

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tandemcc/tandem/internal/pubsubpb"
)

// TestCustomChannels makes channels by the Tooling API and reads them by both kinds of streams, also after a restart.
func TestCustomChannels(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := start(t, Options{Seed: SeedNone, Dir: dir})
	const channels, members = "/tooling/sobjects/PlatformEventChannel", "/tooling/sobjects/PlatformEventChannelMember"
	for body, code := range map[string]string{
		`{"FullName":"Desk","Metadata":{"channelType":"data","label":"Desk"}}`:      "INVALID_FULL_NAME",
		`{"FullName":"Desk__chn","Metadata":{"channelType":"x","label":"Desk"}}`:    "INVALID_INPUT",
		`{"FullName":"Desk__chn","Metadata":{"channelType":"data"}}`:                "REQUIRED_FIELD_MISSING",
		`{"FullName":"Desk__chn","Metadata":{"channelType":"event","label":"Desk"}`: "JSON_PARSER_ERROR",
	} {
		if got, out := o.api(http.MethodPost, channels, body); got != http.StatusBadRequest || !strings.Contains(out, code) {
			t.Errorf("%s: %d %s", body, got, out)
		}
	}
	id := o.tooling(channels, `{"FullName":"Desk__chn","Metadata":{"channelType":"data","label":"Desk"}}`)
	for body, code := range map[string]string{
		`{"FullName":"M","Metadata":{"eventChannel":"None__chn","selectedEntity":"AccountChangeEvent"}}`:                                    "INVALID_INPUT",
		`{"FullName":"M","Metadata":{"eventChannel":"Desk__chn","selectedEntity":"Call_Notice__e"}}`:                                        "INVALID_INPUT",
		`{"FullName":"M M","Metadata":{"eventChannel":"Desk__chn","selectedEntity":"AccountChangeEvent"}}`:                                  "INVALID_FULL_NAME",
		`{"FullName":"M","Metadata":{"eventChannel":"Desk__chn","selectedEntity":"AccountChangeEvent","filterExpression":"Nothing = 'x'"}}`: "INVALID_FIELD",
	} {
		if got, out := o.api(http.MethodPost, members, body); got != http.StatusBadRequest || !strings.Contains(out, code) {
			t.Errorf("%s: %d %s", body, got, out)
		}
	}
	o.tooling(members, `{"FullName":"Desk_chn_AccountChangeEvent","Metadata":{"eventChannel":"Desk__chn","selectedEntity":"AccountChangeEvent"}}`)
	contacts := o.tooling(members, `{"FullName":"Desk_chn_ContactChangeEvent","Metadata":{"eventChannel":"Desk__chn","selectedEntity":"ContactChangeEvent"}}`)
	if got, out := o.api(http.MethodPost, members, `{"FullName":"Other","Metadata":{"eventChannel":"Desk__chn","selectedEntity":"AccountChangeEvent"}}`); got != http.StatusBadRequest {
		t.Errorf("an entity twice: %d %s", got, out)
	}
	o.create("Account", `{"Name":"Acme"}`)
	o.create("Case", `{"Subject":"x"}`)
	o.create("Contact", `{"LastName":"Silva"}`)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = start(t, Options{Dir: dir})
	o.comet.poll = time.Second
	client, ctx := o.pubsub()
	if info, err := client.GetTopic(ctx, &pubsubpb.TopicRequest{TopicName: "/data/Desk__chn"}); err != nil || !info.GetCanSubscribe() || info.GetCanPublish() {
		t.Errorf("%v %v", info, err)
	}
	stream := subscribed(ctx, t, client, &pubsubpb.FetchRequest{TopicName: "/data/Desk__chn", NumRequested: 5, ReplayPreset: pubsubpb.ReplayPreset_EARLIEST})
	got := receive(t, stream, 2)
	if o.events.byID[got[0].GetEvent().GetSchemaId()].obj.name != "Account" || o.events.byID[got[1].GetEvent().GetSchemaId()].obj.name != "Contact" {
		t.Errorf("%v", got)
	}
	s := o.stream()
	s.join("/data/Desk__chn", replayAll)
	if got := s.events(2); len(got) != 2 {
		t.Errorf("by CometD: %v", got)
	}
	if got, out := o.api(http.MethodGet, members+"/"+contacts, ""); got != http.StatusOK || !strings.Contains(out, `"EventChannel":"Desk__chn"`) {
		t.Errorf("%d %s", got, out)
	}
	if got, _ := o.api(http.MethodDelete, members+"/"+contacts, ""); got != http.StatusNoContent {
		t.Errorf("deleting a member: %d", got)
	}
	o.create("Contact", `{"LastName":"Souza"}`)
	o.create("Account", `{"Name":"Bell"}`)
	if got := receive(t, stream, 1); o.events.byID[got[0].GetEvent().GetSchemaId()].obj.name != "Account" {
		t.Errorf("a member that was taken out: %v", got)
	}
	if got, _ := o.api(http.MethodPatch, channels+"/"+id, `{"Metadata":{"label":"New"}}`); got != http.StatusNoContent {
		t.Errorf("changing: %d", got)
	}
	if got, out := o.api(http.MethodGet, channels+"/"+id, ""); got != http.StatusOK || !strings.Contains(out, `"label":"New"`) {
		t.Errorf("%d %s", got, out)
	}
	if got, _ := o.api(http.MethodDelete, channels+"/"+id, ""); got != http.StatusNoContent {
		t.Errorf("deleting: %d", got)
	}
	if _, err := client.GetTopic(ctx, &pubsubpb.TopicRequest{TopicName: "/data/Desk__chn"}); status.Code(err) != codes.NotFound {
		t.Errorf("after deleting: %v", err)
	}
}

// tooling makes a record by the Tooling API and returns its id.
func (o *testOrg) tooling(path, body string) string {
	o.t.Helper()
	code, out := o.api(http.MethodPost, path, body)
	_, rest, _ := strings.Cut(out, `"id":"`)
	if code != http.StatusCreated || len(rest) < 18 {
		o.t.Fatalf("%s: %d %s", body, code, out)
	}
	return rest[:18]
}

// TestCustomChannelsFilterAndEnrich subscribes to channels with conditions and with fields that did not change.
func TestCustomChannelsFilterAndEnrich(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = 20 * time.Millisecond
	const members = "/tooling/sobjects/PlatformEventChannelMember"
	o.tooling("/tooling/sobjects/PlatformEventChannel", `{"FullName":"Hot__chn","Metadata":{"channelType":"data","label":"Hot"}}`)
	o.tooling("/tooling/sobjects/PlatformEventChannel", `{"FullName":"Urgent__chn","Metadata":{"channelType":"event","label":"Urgent"}}`)
	for metadata, code := range map[string]string{
		`"filterExpression":"Name"`:                 "INVALID_INPUT",
		`"filterExpression":"Name = 'x' LIMIT 1"`:   "INVALID_INPUT",
		`"filterExpression":"Parent.Name = 'x'"`:    "INVALID_INPUT",
		`"filterExpression":"NOT Name = 'x'"`:       "INVALID_INPUT",
		`"filterExpression":"Description = 'x'"`:    "INVALID_INPUT",
		`"enrichedFields":[{"name":"Nothing"}]`:     "INVALID_FIELD",
		`"enrichedFields":[{"name":"Description"}]`: "INVALID_FIELD",
		`"enrichedFields":[{"name":"BillingCity"}]`: "INVALID_FIELD", // its compound can be
		`"enrichedFields":[` + strings.TrimSuffix(strings.Repeat(`{"name":"Fax"},`, maxEnriched+1), ",") + `]`: "INVALID_INPUT",
	} {
		body := `{"FullName":"M","Metadata":{"eventChannel":"Hot__chn","selectedEntity":"AccountChangeEvent",` + metadata + `}}`
		if got, out := o.api(http.MethodPost, members, body); got != http.StatusBadRequest || !strings.Contains(out, code) {
			t.Errorf("%s: %d %s", metadata, got, out)
		}
	}
	o.tooling(members, `{"FullName":"A","Metadata":{"eventChannel":"Hot__chn","selectedEntity":"AccountChangeEvent","filterExpression":"Rating = 'hot' AND AnnualRevenue > 10","enrichedFields":[{"name":"Ext__c"},{"name":"BillingAddress"}]}}`)
	o.tooling(members, `{"FullName":"E","Metadata":{"eventChannel":"Urgent__chn","selectedEntity":"Call_Notice__e","filterExpression":"Urgent__c = true AND (Seconds__c >= 2 OR Message__c LIKE 'ring%')"}}`)
	if err := o.loadChannels(t.Context()); err != nil { // as a restart does
		t.Fatal(err)
	}
	id := o.create("Account", `{"Name":"Acme","Rating":"Hot","AnnualRevenue":11,"Ext__c":"e1","BillingCity":"Porto"}`)
	o.create("Account", `{"Name":"Cold","Rating":"Cold","AnnualRevenue":11}`)
	o.api(http.MethodPatch, "/sobjects/Account/"+id, `{"Fax":"1"}`)
	o.api(http.MethodDelete, "/sobjects/Account/"+id, "")
	for _, body := range []string{`{"Urgent__c":true,"Seconds__c":2}`, `{"Urgent__c":false,"Seconds__c":9}`, `{"Urgent__c":true,"Message__c":"Ring ring"}`, `{"Urgent__c":true}`} {
		if got, out := o.api(http.MethodPost, "/sobjects/Call_Notice__e", body); got != http.StatusCreated {
			t.Fatalf("%d %s", got, out)
		}
	}
	got := o.changeLog("/data/Hot__chn")
	if len(got) != 3 || got[0].kind != "CREATE" || got[1].kind != "UPDATE" || got[2].kind != "DELETE" {
		t.Fatalf("%+v", got)
	}
	s := o.events.byChannel["/data/AccountChangeEvent"]
	if names := bitmapNames(t, s, got[1].changed); names != "Fax,LastModifiedDate" {
		t.Errorf("changed: %s", names)
	}
	for _, l := range got[1:] {
		if text := fmt.Sprint(l.values); !strings.Contains(text, "Ext__c:e1") || !strings.Contains(text, "City:Porto") || !strings.Contains(text, "Rating:Hot") || strings.Contains(text, "Acme") {
			t.Errorf("%s: %s", l.kind, text)
		}
	}
	if plain := o.changeLog("/data/AccountChangeEvent"); len(plain) != 4 || plain[3].values["Ext__c"] != nil {
		t.Errorf("without the channel: %+v", plain)
	}
	stream := o.stream()
	stream.join("/event/Urgent__chn", replayAll)
	var notices []string
	for _, e := range stream.events(3) {
		payload, _ := e["payload"].(map[string]any)
		notices = append(notices, fmt.Sprint(payload["Seconds__c"], payload["Message__c"]))
	}
	if strings.Join(notices, ",") != "2 <nil>,<nil>Ring ring" {
		t.Errorf("%q", notices)
	}
}

// FuzzFilter asks filter expressions of an event: they are refused, or say yes or no.
func FuzzFilter(f *testing.F) {
	o := start(f, Options{Seed: SeedNone})
	for _, seed := range []string{
		"Rating = 'hot' AND AnnualRevenue > 10", "Name LIKE '%x' OR (CreatedDate = LAST_N_DAYS:3)", "Name IN ('a') FOR VIEW", "Id = '1' ALL ROWS", "x", "Name = 'a' GROUP BY Name",
		"DISTANCE(BillingAddress, GEOLOCATION(1,2), 'mi') < 3", "Name = 'a') OR (Name = 'b'",
	} {
		f.Add(seed, "Acme")
	}
	f.Fuzz(func(t *testing.T, filter, name string) {
		m := &channelMember{refinement: refinement{Filter: filter}, obj: o.schema.object("Account")}
		var e *apiError
		if err := m.prepare(m.obj); err != nil {
			if !errors.As(err, &e) || e.Status != http.StatusBadRequest {
				t.Fatalf("%q: %v is no fault of the client's", filter, err)
			}
			return
		}
		if m.query == nil {
			return
		}
		if _, err := o.meets(t.Context(), m, record{"Id": makeID("001", 1), "Name": name, "AnnualRevenue": 11.0}); err != nil {
			t.Fatalf("%q: %v", filter, err)
		}
	})
}

package salesforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// stream is a streaming client.
type stream struct {
	*testOrg
	id    string
	early []map[string]any // came with the answer to the subscription
}

func (s *stream) post(messages string) []map[string]any {
	s.t.Helper()
	status, body, _ := s.send(http.MethodPost, "/cometd/60.0", messages, http.Header{"Authorization": {"OAuth " + s.token}, "Content-Type": {"application/json"}})
	var out []map[string]any
	if err := json.Unmarshal([]byte(body), &out); err != nil || status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", messages, status, body)
	}
	return out
}

func (o *testOrg) stream() *stream {
	o.t.Helper()
	s := &stream{testOrg: o}
	answer := s.post(`[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"],"id":"1"}]`)
	s.id, _ = answer[0]["clientId"].(string)
	if s.id == "" || answer[0]["successful"] != true {
		o.t.Fatalf("handshake: %v", answer)
	}
	return s
}

// join sends the connect and subscribe that clients send in one request.
func (s *stream) join(channel string, replay int64) []map[string]any {
	s.t.Helper()
	answer := s.post(fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q,"connectionType":"long-polling","id":"2","advice":{"timeout":0}},`+
		`{"channel":"/meta/subscribe","clientId":%q,"subscription":%q,"id":"3","ext":{"replay":{%q:%d}}}]`, s.id, s.id, channel, channel, replay))
	s.early = dataOf(answer)
	return answer
}

func dataOf(answer []map[string]any) (out []map[string]any) {
	for _, m := range answer {
		if data, isData := m["data"].(map[string]any); isData {
			out = append(out, data)
		}
	}
	return out
}

// events connects until n events have come.
func (s *stream) events(n int) []map[string]any {
	s.t.Helper()
	out := s.early
	s.early = nil
	for tries := 0; len(out) < n && tries < 10; tries++ {
		got := dataOf(s.post(fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q,"connectionType":"long-polling","id":"4"}]`, s.id)))
		if len(got) == 0 {
			break
		}
		out = append(out, got...)
	}
	return out
}

func replayID(event map[string]any) int64 {
	e, _ := event["event"].(map[string]any)
	n, _ := e["replayId"].(float64)
	return int64(n)
}

func TestStreamChangeEvents(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = 5 * time.Second
	o.create("Account", `{"Name":"Before"}`)
	s := o.stream()
	answer := s.join("/data/ContactChangeEvent", replayNew)
	if len(answer) != 2 || answer[0]["successful"] != true || answer[1]["successful"] != true || answer[1]["subscription"] != "/data/ContactChangeEvent" {
		t.Fatalf("%v", answer)
	}
	id := o.create("Contact", `{"LastName":"Silva","MailingCity":"Porto","DoNotCall":true}`)
	o.api(http.MethodPatch, "/sobjects/Contact/"+id, `{"LastName":"Souza","MailingCity":null}`)
	o.api(http.MethodDelete, "/sobjects/Contact/"+id, "")
	got := s.events(3)
	if len(got) != 3 {
		t.Fatalf("%d events: %v", len(got), got)
	}
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"changeType":"CREATE"`, `"changeType":"UPDATE"`, `"changeType":"DELETE"`, `"recordIds":["` + id + `"]`, `"Name":{"LastName":"Silva"}`,
		`"MailingAddress":{"City":"Porto"}`, `"MailingAddress":{"City":null}`, `"DoNotCall":true`,
		`"changedFields":["Name.LastName","MailingAddress.City","LastModifiedDate"]`, `"CreatedDate":"2026-11-18T15:30:00Z"`,
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("lacks %s: %s", want, raw)
		}
	}
	second := replayID(got[1])
	again := o.stream()
	again.join("/data/ChangeEvents", second)
	if list := again.events(1); len(list) != 1 || replayID(list[0]) != second+1 {
		t.Errorf("after %d: %v", second, list)
	}
	all := o.stream()
	all.join("/data/ChangeEvents", replayAll)
	if list := all.events(4); len(list) != 4 {
		t.Errorf("all: %v", list)
	}
	wrong := o.stream().join("/data/ChangeEvents", 999)
	if text, _ := wrong[1]["error"].(string); !strings.HasPrefix(text, "400::The replayId {999} you provided was invalid") {
		t.Errorf("a wrong replay id: %v", wrong)
	}
}

func TestStreamTopics(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = 5 * time.Second
	for body, code := range map[string]string{
		`{"Name":"a","Query":"SELECT Name FROM Account","ApiVersion":60.0}`:                   "Id field must be selected",
		`{"Name":"a","Query":"SELECT Id FROM Nothing","ApiVersion":60.0}`:                     "INVALID_FIELD",
		`{"Name":"a","Query":"SELECT Id FROM Account ORDER BY Name","ApiVersion":60.0}`:       "INVALID_FIELD",
		`{"Name":"a","Query":"SELECT Id, Foo FROM Account","ApiVersion":60.0}`:                "INVALID_FIELD",
		`{"Name":"a","Query":"nonsense","ApiVersion":60.0}`:                                   "INVALID_FIELD",
		`{"Name":"abcdefghijklmnopqrstuvwxyz","Query":"SELECT Id FROM Case","ApiVersion":60}`: "STRING_TOO_LONG",
	} {
		if status, out := o.api(http.MethodPost, "/sobjects/PushTopic", body); status != http.StatusBadRequest || !strings.Contains(out, code) {
			t.Errorf("%s: %d %s", body, status, out)
		}
	}
	o.create("PushTopic", `{"Name":"Hot","Query":"SELECT Id, Name FROM Account WHERE Rating = 'Hot'","ApiVersion":60.0}`)
	s := o.stream()
	if answer := s.join("/topic/Cold", replayNew); answer[1]["successful"] != false {
		t.Errorf("an unknown topic: %v", answer)
	}
	s.join("/topic/Hot", replayNew)
	o.create("Account", `{"Name":"Cold","Rating":"Cold"}`)
	id := o.create("Account", `{"Name":"One","Rating":"Hot"}`)
	o.api(http.MethodPatch, "/sobjects/Account/"+id, `{"Fax":"1"}`)       // not a field of the topic
	o.api(http.MethodPatch, "/sobjects/Account/"+id, `{"Name":"Two"}`)    // one of them
	o.api(http.MethodPatch, "/sobjects/Account/"+id, `{"Rating":"Cold"}`) // no longer meets it
	var got []string
	for _, e := range s.events(2) {
		raw, err := json.Marshal(e["sobject"])
		if err != nil {
			t.Fatal(err)
		}
		event, _ := e["event"].(map[string]any)
		got = append(got, str(event["type"])+" "+string(raw))
	}
	want := []string{`created {"Id":"` + id + `","Name":"One"}`, `updated {"Id":"` + id + `","Name":"Two"}`}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestStreamTopicsNotify holds for which changes a topic notifies, by its NotifyForFields and NotifyForOperation fields.
func TestStreamTopicsNotify(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ settings, want string }{
		"all":        {`"NotifyForFields":"All"`, "created,updated,updated,updated,updated,deleted"},
		"referenced": {`"NotifyForFields":"Referenced"`, "created,updated,updated,deleted"},
		"select":     {`"NotifyForFields":"Select"`, "created,updated,deleted"},
		"where":      {`"NotifyForFields":"Where"`, "created,updated,deleted"},
		"no create":  {`"NotifyForOperationCreate":false`, "updated,updated,deleted"},
		"no update":  {`"NotifyForOperationUpdate":false`, "created,deleted"},
		"no delete":  {`"NotifyForOperationDelete":false`, "created,updated,updated"},
		"not active": {`"IsActive":false`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := start(t, Options{Seed: SeedNone})
			o.create("PushTopic", `{"Name":"T","Query":"SELECT Id, Name FROM Account WHERE Rating != 'Cold'","ApiVersion":60.0,`+tc.settings+`}`)
			id := o.create("Account", `{"Name":"One","Rating":"Hot"}`)
			for _, body := range []string{`{"Fax":"1"}`, `{"Name":"Two"}`, `{"Rating":"Warm"}`, `{"Site":"x"}`, `{"Website":"y"}`} {
				o.api(http.MethodPatch, "/sobjects/Account/"+id, body)
			}
			o.api(http.MethodDelete, "/sobjects/Account/"+id, "")
			list, err := o.changesAfter(t.Context(), "/topic/T", 0, 20, deliverBytes)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range list {
				raw, err := o.message(t.Context(), c, o.viewOf(t.Context(), o.admin), o.admin, "/topic/T")
				if err != nil {
					t.Fatal(err)
				}
				_, rest, _ := strings.Cut(string(raw), `"type":"`)
				kind, _, _ := strings.Cut(rest, `"`)
				got = append(got, kind)
			}
			if strings.Join(got, ",") != tc.want {
				t.Errorf("%v instead of %s", got, tc.want)
			}
		})
	}
}

func TestStreamPlatformEvents(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = 5 * time.Second
	s := o.stream()
	s.join("/event/Call_Notice__e", replayNew)
	status, out := o.api(http.MethodPost, "/sobjects/Call_Notice__e", `{"Message__c":"ring","Seconds__c":1.5,"Urgent__c":true}`)
	if status != http.StatusCreated || !strings.Contains(out, `"statusCode":"OPERATION_ENQUEUED"`) {
		t.Fatalf("publishing: %d %s", status, out)
	}
	got := s.events(1)
	payload, _ := got[0]["payload"].(map[string]any)
	if payload["Message__c"] != "ring" || payload["Seconds__c"] != 1.5 || payload["Urgent__c"] != true || payload["Phone__c"] != nil {
		t.Errorf("%v", got)
	}
}

func TestStreamProtocol(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = 20 * time.Millisecond
	if status, _, _ := o.send(http.MethodGet, "/cometd/60.0", "", nil); status != http.StatusBadRequest {
		t.Errorf("an upgrade: %d", status)
	}
	for _, body := range []string{"", "[null]", "[1]", "nonsense"} {
		if status, _, _ := o.send(http.MethodPost, "/cometd/60.0", body, nil); status != http.StatusBadRequest {
			t.Errorf("%q: %d", body, status)
		}
	}
	s := o.stream()
	if got := s.post(`[{"channel":"/meta/connect","clientId":"none","id":"1"}]`); got[0]["error"] != "403::Unknown client" {
		t.Errorf("an unknown client: %v", got)
	}
	if got := s.events(1); len(got) != 0 {
		t.Errorf("events from nowhere: %v", got)
	}
	if got := s.post(fmt.Sprintf(`[{"channel":"/meta/disconnect","clientId":%q}]`, s.id)); got[0]["successful"] != true {
		t.Errorf("disconnect: %v", got)
	}
	if got := s.post(fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q}]`, s.id)); got[0]["successful"] != false {
		t.Errorf("after disconnect: %v", got)
	}
	o.ExpireSessions(t.Context())
	if got := s.post(`[{"channel":"/meta/handshake"}]`); got[0]["error"] != "403::Handshake denied" {
		t.Errorf("without a session: %v", got)
	}
}

// TestSlowSubscriberLosesNothing lets one client sleep through more events than an answer holds.
func TestSlowSubscriberLosesNothing(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = time.Second
	slow, fast := o.stream(), o.stream()
	slow.join("/data/AccountChangeEvent", replayNew)
	fast.join("/data/AccountChangeEvent", replayNew)
	var data strings.Builder
	data.WriteString("Name\n")
	const n = 3*deliverAtOnce + 7
	for i := range n {
		fmt.Fprintf(&data, "Account %d\n", i)
	}
	o.load(`{"object":"Account","operation":"insert"}`, data.String())
	for _, s := range []*stream{fast, slow} {
		got := s.events(n)
		if len(got) != n {
			t.Fatalf("%d of %d events", len(got), n)
		}
		for i, e := range got[1:] {
			if replayID(e) != replayID(got[i])+1 {
				t.Fatalf("event %d follows %d", replayID(e), replayID(got[i]))
			}
		}
	}
}

func TestChangesAreDroppedAfterRetention(t *testing.T) {
	t.Parallel()
	now := fixedNow()
	o := start(t, Options{Seed: SeedNone, Now: func() time.Time { return now }})
	o.create("Account", `{"Name":"Old"}`)
	now = now.Add(retention + time.Hour)
	o.login()
	o.create("Account", `{"Name":"New"}`)
	o.comet.poll = time.Second
	s := o.stream()
	s.join("/data/ChangeEvents", replayAll)
	if got := s.events(1); len(got) != 1 || replayID(got[0]) != 2 {
		t.Errorf("%v", got)
	}
	if answer := o.stream().join("/data/ChangeEvents", 0); answer[1]["successful"] != false {
		t.Errorf("a place that was dropped: %v", answer)
	}
}

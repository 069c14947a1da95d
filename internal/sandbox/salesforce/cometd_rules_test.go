package salesforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// bayeux sends messages to a path and returns the status and the answers, none where the body is not JSON.
func (o *testOrg) bayeux(path, auth, messages string) (int, []map[string]any, string) {
	o.t.Helper()
	h := http.Header{"Content-Type": {"application/json"}}
	if auth != "" {
		h.Set("Authorization", auth)
	}
	status, body, _ := o.send(http.MethodPost, path, messages, h)
	var out []map[string]any
	_ = json.Unmarshal([]byte(body), &out) // the body is returned besides
	return status, out, body
}

func TestStreamVersions(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for path, want := range map[string]string{
		"/cometd":                "400::API version in the URI is mandatory. URI format: '/cometd/68.0'",
		"/cometd/":               "400::API version in the URI is mandatory. URI format: '/cometd/68.0'",
		"/cometd/x":              "400::API version in the URI is mandatory. URI format: '/cometd/68.0'",
		"/cometd/60":             "400::API version in the URI is mandatory. URI format: '/cometd/68.0'",
		"/cometd/36.0":           "400::Unsupported API version. Only API versions '37.0' and above are supported. URI format: '/cometd/68.0'",
		"/cometd/69.0":           "400::Unsupported API version. Only API versions '37.0' and above are supported. URI format: '/cometd/68.0'",
		"/cometd/37.0":           "",
		"/cometd/68.0":           "",
		"/cometd/68.0/":          "",
		"/cometd/60.0/handshake": "",
	} {
		status, got, body := o.bayeux(path, "OAuth "+o.token, `[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"],"id":"7"}]`)
		switch {
		case len(got) != 1 || got[0]["id"] != "7":
			t.Errorf("%s: %d %s", path, status, body)
		case want == "" && (status != http.StatusOK || got[0]["successful"] != true):
			t.Errorf("%s: %d %s", path, status, body)
		case want != "" && (status != http.StatusBadRequest || got[0]["error"] != want):
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// TestStreamHandshakes follows the Streaming API guide, "Handling Streaming API Errors", and what clients send.
func TestStreamHandshakes(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	hello := func(auth, more string) map[string]any {
		status, got, body := o.bayeux("/cometd/60.0", auth, `[{"channel":"/meta/handshake","version":"1.0","minimumVersion":"0.9","id":1`+more+`}]`)
		if status != http.StatusOK || len(got) != 1 {
			t.Fatalf("%d %s", status, body)
		}
		return got[0]
	}
	for name, c := range map[string]struct{ auth, more string }{
		"OAuth":                 {"OAuth " + o.token, `,"supportedConnectionTypes":["long-polling"]`},
		"Bearer":                {"Bearer " + o.token, `,"supportedConnectionTypes":["websocket","long-polling"],"advice":{"timeout":60000.0,"interval":0}`},
		"with the replay flag":  {"Bearer " + o.token, `,"ext":{"replay":true}`},
		"with another ext":      {"Bearer " + o.token, `,"ext":{"ack":true,"replay":null}`},
		"without any transport": {"Bearer " + o.token, ``},
	} {
		got := hello(c.auth, c.more)
		ext, _ := got["ext"].(map[string]any)
		id, _ := got["clientId"].(string)
		if got["successful"] != true || len(id) < 20 || got["version"] != "1.0" || got["id"] != 1.0 || ext["replay"] != true || ext["payload.format"] != true {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, c := range map[string]struct{ auth, want string }{
		"no token":      {"", "401::Request requires authentication"},
		"a wrong token": {"Bearer x", "401::Authentication invalid"},
	} {
		got := hello(c.auth, "")
		ext, _ := got["ext"].(map[string]any)
		sfdc, _ := ext["sfdc"].(map[string]any)
		advice, _ := got["advice"].(map[string]any)
		if got["successful"] != false || got["error"] != "403::Handshake denied" || sfdc["failureReason"] != c.want || advice["reconnect"] != "none" {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, kind := range []string{`"websocket"`, `"callback-polling"`} {
		if got := hello("Bearer "+o.token, `,"supportedConnectionTypes":[`+kind+`]`); got["error"] != "400::Invalid connection type "+strings.Trim(kind, `"`) {
			t.Errorf("%s: %v", kind, got)
		}
	}
}

// TestStreamRefusals follows the Streaming API guide, "Streaming API Error Codes".
func TestStreamRefusals(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.create("PushTopic", `{"Name":"Hot","Query":"SELECT Id, Name FROM Account","ApiVersion":60.0}`)
	o.create("PushTopic", `{"Name":"Asleep","Query":"SELECT Id, Name FROM Account","ApiVersion":60.0,"IsActive":false}`)
	o.create("StreamingChannel", `{"Name":"/u/Desk"}`)
	o.create("Account", `{"Name":"Acme"}`)
	s := o.stream()
	missing := func(channel string) string {
		return "400::The channel you requested to subscribe to does not exist {" + channel + "}"
	}
	invalid := func(n string) string {
		return "400::The replayId {" + n + "} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."
	}
	for messages, want := range map[string]string{
		`"subscription":"/topic/Cold"`:              missing("/topic/Cold"),
		`"subscription":"/topic/hot"`:               missing("/topic/hot"),
		`"subscription":"/topic/Asleep"`:            missing("/topic/Asleep"),
		`"subscription":"/topic/*"`:                 missing("/topic/*"),
		`"subscription":"/data/NothingChangeEvent"`: missing("/data/NothingChangeEvent"),
		`"subscription":"/data/**"`:                 missing("/data/**"),
		`"subscription":"/event/No__e"`:             missing("/event/No__e"),
		`"subscription":"/foo"`:                     missing("/foo"),
		`"subscription":"/u/None"`:                  "404::Unknown channel",
		`"subscription":"/u/desk"`:                  "404::channel names may not vary only by case",
		`"subscription":"topic/Hot"`:                "400::Channel subscriptions must start with a leading '/'",
		`"subscription":""`:                         "400::Channel name not specified",
		`"subscription":7`:                          "400::Channel name not specified",
		`"id":"9"`:                                  "400::Channel name not specified",
		`"subscription":"/data/ChangeEvents","ext":{"replay":{"/data/ChangeEvents":99}}`:   invalid("99"),
		`"subscription":"/data/ChangeEvents","ext":{"replay":{"/data/ChangeEvents":-3}}`:   invalid("-3"),
		`"subscription":"/data/ChangeEvents","ext":{"replay":{"/data/ChangeEvents":1.5}}`:  invalid("1.5"),
		`"subscription":"/data/ChangeEvents","ext":{"replay":{"/data/ChangeEvents":"x"}}`:  invalid(`{"/data/ChangeEvents":"x"}`),
		`"subscription":"/data/ChangeEvents","ext":{"replay":{"/data/ChangeEvents":"-2"}}`: "",
		`"subscription":"/data/ChangeEvents","ext":{"replay":{"/data/OtherEvents":99}}`:    "",
		`"subscription":"/data/ChangeEvents","ext":{"replay":{"/data/ChangeEvents":1}}`:    "",
		`"subscription":["/topic/Hot","/u/Desk","/event/Call_Notice__e"]`:                  "",
		`"subscription":"/topic/Hot"`: "",
	} {
		got := s.post(fmt.Sprintf(`[{"channel":"/meta/subscribe","clientId":%q,%s}]`, s.id, messages))
		text, _ := got[0]["error"].(string)
		if text != want || got[0]["successful"] != (want == "") || got[0]["clientId"] != s.id {
			t.Errorf("%s: %v", messages, got)
		}
	}
	for messages, want := range map[string]string{
		`{"channel":"/meta/connect","connectionType":"long-polling"}`:                             "403::Client has not completed handshake; handshake",
		`{"channel":"/meta/subscribe","subscription":"/topic/Hot","clientId":"none"}`:             "403::Unknown client; handshake",
		`{"channel":"/meta/connect","connectionType":"websocket","clientId":"` + s.id + `"}`:      "400::Invalid connection type websocket; none",
		`{"channel":"/topic/Hot","data":{},"clientId":"` + s.id + `"}`:                            "403:denied_by_security_policy:create_denied; ",
		`{"channel":"/meta/unsubscribe","subscription":"/topic/Hot","clientId":"` + s.id + `"}`:   "<nil>; ",
		`{"channel":"/meta/unsubscribe","subscription":"/topic/Never","clientId":"` + s.id + `"}`: "<nil>; ",
	} {
		got := s.post("[" + messages + "]")
		advice, _ := got[0]["advice"].(map[string]any)
		reconnect, _ := advice["reconnect"].(string)
		if text := fmt.Sprint(got[0]["error"], "; ", reconnect); text != want {
			t.Errorf("%s: %v", messages, got)
		}
	}
	if status, _, body := o.bayeux("/cometd/60.0", "OAuth "+o.token, `[{"channel":"/meta/handshake","x":"`+strings.Repeat("x", maxBayeuxBytes)+`"}]`); status != http.StatusRequestEntityTooLarge || !strings.Contains(body, "413::Maximum Request Size Exceeded") {
		t.Errorf("too large: %d %s", status, body)
	}
	u := asIntegration(t, o)
	other := &stream{testOrg: u, id: s.id}
	if got := other.post(fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q}]`, s.id)); got[0]["error"] != "400::Authenticated user id does not match the session's user id" {
		t.Errorf("another user's client: %v", got)
	}
}

// TestStreamBatches carries all messages of a request out before a connect among them waits, wherever it stands.
func TestStreamBatches(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = 20 * time.Millisecond
	o.create("Account", `{"Name":"Acme"}`)
	s := o.stream()
	got := s.post(fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%[1]q,"id":"1","connectionType":"long-polling"},`+
		`{"channel":"/meta/subscribe","clientId":%[1]q,"id":"2","subscription":"/data/AccountChangeEvent","ext":{"replay":{"/data/AccountChangeEvent":-2}}},`+
		`{"channel":"/meta/subscribe","clientId":%[1]q,"id":"3","subscription":"/data/ContactChangeEvent"}]`, s.id))
	if len(got) != 4 || got[0]["id"] != "1" || got[1]["id"] != "2" || got[2]["id"] != "3" || got[3]["channel"] != "/data/AccountChangeEvent" {
		t.Fatalf("%v", got)
	}
	advice, _ := got[0]["advice"].(map[string]any)
	if advice["reconnect"] != "retry" || advice["interval"] != 0.0 || advice["timeout"] != 20.0 {
		t.Errorf("%v", advice)
	}
	o.create("Contact", `{"LastName":"Silva"}`)
	o.create("Account", `{"Name":"Bell"}`)
	got = s.post(fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q,"connectionType":"long-polling"}]`, s.id))
	if len(got) != 3 || got[1]["channel"] != "/data/ContactChangeEvent" || got[2]["channel"] != "/data/AccountChangeEvent" {
		t.Errorf("%v", got)
	}
	one := s.post(fmt.Sprintf(`[{"channel":"/meta/unsubscribe","clientId":%[1]q,"subscription":"/data/AccountChangeEvent"}]`, s.id))
	if one[0]["successful"] != true || one[0]["subscription"] != "/data/AccountChangeEvent" {
		t.Errorf("%v", one)
	}
	o.create("Account", `{"Name":"Cole"}`)
	if got := s.events(1); len(got) != 0 {
		t.Errorf("after unsubscribing: %v", got)
	}
	s.join("/data/AccountChangeEvent", replayID(dataOf(got)[0]))
	if got := s.events(2); len(got) != 2 {
		t.Errorf("after subscribing again: %v", got)
	}
}

// waits returns once a connect of the client waits.
func (s *stream) waits() {
	for {
		client, _ := s.comet.find(s.id, s.admin)
		client.mu.Lock()
		waits := client.chain != nil
		client.mu.Unlock()
		if waits {
			return
		}
	}
}

// TestSubscribingWakesAConnect replays to a client whose connect waits already: it does not wait for the next event.
func TestSubscribingWakesAConnect(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = time.Minute
	o.create("Account", `{"Name":"Acme"}`)
	s := o.stream()
	s.join("/data/ContactChangeEvent", replayNew)
	answer := make(chan []map[string]any, 1)
	go func() {
		_, got, _ := s.bayeux("/cometd/60.0", "OAuth "+s.token, fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q,"connectionType":"long-polling"}]`, s.id))
		answer <- got
	}()
	s.waits()
	s.post(fmt.Sprintf(`[{"channel":"/meta/subscribe","clientId":%q,"subscription":"/data/AccountChangeEvent","ext":{"replay":{"/data/AccountChangeEvent":-2}}}]`, s.id))
	if got := <-answer; len(got) != 2 || got[1]["channel"] != "/data/AccountChangeEvent" {
		t.Errorf("%v", got)
	}
}

// TestStreamConnectsEndWithTheSession lets the session end while a connect waits, and events come.
func TestStreamConnectsEndWithTheSession(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = time.Minute
	s := o.stream()
	s.join("/data/AccountChangeEvent", replayNew)
	old := s.token
	answer := make(chan []map[string]any, 1)
	go func() {
		_, got, _ := s.bayeux("/cometd/60.0", "OAuth "+old, fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q,"connectionType":"long-polling","id":"5"}]`, s.id))
		answer <- got
	}()
	s.waits()
	o.login()
	if _, err := o.sessions.revoke(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	o.create("Account", `{"Name":"Acme"}`)
	got := <-answer
	advice, _ := got[0]["advice"].(map[string]any)
	if len(got) != 1 || got[0]["error"] != errAuthInvalid || got[0]["successful"] != false || advice["reconnect"] != "none" || got[0]["id"] != "5" {
		t.Errorf("%v", got)
	}
	s.token = o.token // with a new session the client goes on where it was
	if got := s.events(1); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// TestSilentStreamClientsAreForgotten waits longer than a client may be silent.
func TestSilentStreamClientsAreForgotten(t *testing.T) {
	t.Parallel()
	now := fixedNow()
	o := start(t, Options{Seed: SeedNone, Now: func() time.Time { return now }})
	s := o.stream()
	s.join("/data/ChangeEvents", replayNew)
	now = now.Add(clientTTL)
	if got := s.join("/data/ChangeEvents", replayNew); got[0]["successful"] != true {
		t.Errorf("just in time: %v", got)
	}
	now = now.Add(clientTTL + time.Second)
	got := s.join("/data/ChangeEvents", replayNew)
	advice, _ := got[0]["advice"].(map[string]any)
	if got[0]["error"] != errUnknownClient || advice["reconnect"] != "handshake" {
		t.Errorf("too late: %v", got)
	}
}

// TestPushTopicQueries follows the Streaming API guide, "Unsupported PushTopic Queries".
func TestPushTopicQueries(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for query, want := range map[string]string{
		"SELECT Name FROM Account": "Id field must be selected",
		"SELECT Id, Name FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE Title = 'CEO')": "semi/anti join sub-selects are not supported",
		"SELECT Id, AVG(AnnualRevenue) FROM Account":                                                   "Aggregate queries are not supported",
		"SELECT COUNT() FROM Account":                                                                  "Aggregate queries are not supported",
		"SELECT Id, Industry, COUNT(Name) FROM Account":                                                "Aggregate queries are not supported",
		"SELECT Id, AccountId FROM Contact GROUP BY AccountId":                                         "Aggregate queries are not supported",
		"SELECT Id, Name FROM Contact LIMIT 10":                                                        "'LIMIT' is not allowed",
		"SELECT Id, Name FROM Contact OFFSET 10":                                                       "'OFFSET' is not allowed",
		"SELECT Id, Name FROM Account ORDER BY Name":                                                   "'ORDER BY' clause is not allowed",
		"SELECT Id, Account.Name FROM Contact":                                                         "relationships are not supported",
		"SELECT Id, (SELECT Id FROM Contacts) FROM Account":                                            "relationships are not supported",
		"SELECT Id FROM Contact WHERE Account.Name = 'x'":                                              "relationships are not supported",
		"SELECT Id FROM Account WHERE NOT Name = 'x'":                                                  "'NOT' is not supported",
		"SELECT Id FROM Account WHERE BillingStreet = 'x'":                                             "text area",
		"SELECT Id FROM User__x":                                                                       "is not supported",
		"SELECT Id FROM Profile":                                                                       "is not supported",
		"SELECT Id FROM Call_Notice__e":                                                                "is not supported",
		"SELECT Id, Nothing FROM Account":                                                              "No such column",
		"SELECT Id":                                                                                    "query of a PushTopic",
	} {
		body, err := json.Marshal(map[string]any{"Name": "t", "Query": query, "ApiVersion": 60.0})
		if err != nil {
			t.Fatal(err)
		}
		if status, out := o.api(http.MethodPost, "/sobjects/PushTopic", string(body)); status != http.StatusBadRequest || !strings.Contains(out, `"errorCode":"INVALID_FIELD"`) || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s", query, status, out)
		}
	}
	for i, query := range []string{
		"SELECT Id, Name FROM Account WHERE NumberOfEmployees > 1000", "SELECT Id, Subject FROM Case WHERE Status = 'Working' AND IsClosed = TRUE",
		"SELECT Id, Name, Email FROM Contact", "SELECT Id FROM Account WHERE Name NOT IN ('a', 'b') AND Name != 'c' AND Name LIKE 'x%'",
		"SELECT Id, ServicePresenceStatusId, IsCurrentState FROM UserServicePresence WHERE IsCurrentState = TRUE", "SELECT Id, WorkItemId FROM PendingServiceRouting",
		"SELECT Id, Status FROM AgentWork", "SELECT Id, Subject, Status FROM Task", "SELECT Id, CallType FROM VoiceCall",
	} {
		body, err := json.Marshal(map[string]any{"Name": fmt.Sprint("t", i), "Query": query, "ApiVersion": 60.0})
		if err != nil {
			t.Fatal(err)
		}
		if status, out := o.api(http.MethodPost, "/sobjects/PushTopic", string(body)); status != http.StatusCreated {
			t.Errorf("%s: %d %s", query, status, out)
		}
	}
	if status, out := o.api(http.MethodPost, "/sobjects/PushTopic", `{"Name":"t0","Query":"SELECT Id, Name FROM Account","ApiVersion":60.0}`); status != http.StatusBadRequest || !strings.Contains(out, "DUPLICATE") {
		t.Errorf("a name twice: %d %s", status, out)
	}
}

// TestPushTopicsNeedSomethingToNotifyFor refuses fields to notify for that the query does not name (Streaming API guide,
// "NotifyForFields Set to ...").
func TestPushTopicsNeedSomethingToNotifyFor(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for i, c := range []struct {
		fields, query string
		status        int
	}{
		{"Referenced", "SELECT Id FROM Account", 400},
		{"Referenced", "SELECT Id, Name FROM Account", 201},
		{"Referenced", "SELECT Id FROM Account WHERE Name = 'x'", 201},
		{"Select", "SELECT Id FROM Account WHERE Name = 'x'", 400},
		{"Select", "SELECT Id, Name FROM Account", 201},
		{"Where", "SELECT Id, Name FROM Account", 400},
		{"Where", "SELECT Id FROM Account WHERE Name = 'x'", 201},
		{"All", "SELECT Id FROM Account", 201},
	} {
		body := fmt.Sprintf(`{"Name":"t%d","Query":%q,"ApiVersion":60.0,"NotifyForFields":%q}`, i, c.query, c.fields)
		if status, out := o.api(http.MethodPost, "/sobjects/PushTopic", body); status != c.status {
			t.Errorf("%s: %d %s", body, status, out)
		}
	}
}

// TestPushTopicsChange changes, stops and deletes a topic under its subscriber.
func TestPushTopicsChange(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = 20 * time.Millisecond
	id := o.create("PushTopic", `{"Name":"Hot","Query":"SELECT Id, Name FROM Account WHERE Rating = 'Hot'","ApiVersion":60.0}`)
	s := o.stream()
	s.join("/topic/Hot", replayNew)
	step := func(body string, want int, rating string) {
		t.Helper()
		if body != "" {
			if status, out := o.api(http.MethodPatch, "/sobjects/PushTopic/"+id, body); status != http.StatusNoContent {
				t.Fatalf("%s: %d %s", body, status, out)
			}
		}
		o.create("Account", `{"Name":"A","Rating":"`+rating+`"}`)
		if got := s.events(1); len(got) != want {
			t.Errorf("after %s: %v", body, got)
		}
	}
	step("", 1, "Hot")
	step(`{"Query":"SELECT Id, Name FROM Account WHERE Rating = 'Cold'"}`, 0, "Hot")
	step(`{"IsActive":true}`, 1, "Cold")
	step(`{"IsActive":false}`, 0, "Cold")
	step(`{"IsActive":true,"NotifyForOperationCreate":false}`, 0, "Cold")
	step(`{"NotifyForOperationCreate":true}`, 1, "Cold")
	if status, out := o.api(http.MethodPatch, "/sobjects/PushTopic/"+id, `{"Query":"SELECT Name FROM Account"}`); status != http.StatusBadRequest {
		t.Errorf("a query that cannot be: %d %s", status, out)
	}
	step("", 1, "Cold")
	if status, _ := o.api(http.MethodDelete, "/sobjects/PushTopic/"+id, ""); status != http.StatusNoContent {
		t.Errorf("deleting: %d", status)
	}
	step("", 0, "Cold")
	if got := o.stream().join("/topic/Hot", replayNew); got[1]["successful"] != false {
		t.Errorf("subscribing to what was deleted: %v", got)
	}
}

// TestPushTopicOfPresence is what telephony connectors live on: presence of agents, and work that waits for a routing.
func TestPushTopicOfPresence(t *testing.T) {
	t.Parallel()
	now := fixedNow()
	o := start(t, Options{Seed: SeedNone, Now: func() time.Time { return now }})
	o.comet.poll = time.Second
	o.create("PushTopic", `{"Name":"Presence","Query":"SELECT Id, UserId, IsCurrentState, IsAway, StatusDuration FROM UserServicePresence","ApiVersion":60.0,"NotifyForFields":"All"}`)
	o.create("PushTopic", `{"Name":"Routing","Query":"SELECT Id, WorkItemId FROM PendingServiceRouting","ApiVersion":60.0,"NotifyForFields":"All"}`)
	s := o.stream()
	s.join("/topic/Presence", replayNew)
	s.join("/topic/Routing", replayNew)
	first := func(query string) string {
		_, body := o.soql(query)
		_, rest, found := strings.Cut(body, `"Id":"`)
		if !found {
			t.Fatalf("%s: %s", query, body)
		}
		return rest[:18]
	}
	presence := func(body string, want int) {
		if code, out, _ := o.send(http.MethodPut, "/sandbox/api/presence", body, http.Header{"Content-Type": {"application/json"}}); code != want {
			t.Fatalf("%s: %d %s", body, code, out)
		}
	}
	user := o.Credentials().Username
	for _, bad := range []string{`{"user":"nobody","status":"Available"}`, `{"user":"` + user + `","status":"Nothing"}`, `{}`, `x`} {
		presence(bad, http.StatusBadRequest)
	}
	var names []string // a status that takes work, and one that does not
	for _, not := range []string{"", "NOT "} {
		_, body := o.soql("SELECT DeveloperName FROM ServicePresenceStatus WHERE Id " + not + "IN (SELECT ServicePresenceStatusId FROM ServiceChannelStatus) LIMIT 1")
		_, rest, _ := strings.Cut(body, `"DeveloperName":"`)
		name, _, _ := strings.Cut(rest, `"`)
		names = append(names, name)
	}
	presence(`{"user":"`+user+`","status":"`+names[0]+`"}`, http.StatusNoContent)
	now = now.Add(90 * time.Second)
	presence(`{"user":"`+user+`","status":"`+names[1]+`"}`, http.StatusNoContent)
	presence(`{"user":"`+user+`"}`, http.StatusNoContent)
	work := o.create("Case", `{"Subject":"Ring"}`)
	channel := first("SELECT Id FROM ServiceChannel LIMIT 1")
	routing := o.create("PendingServiceRouting", `{"WorkItemId":"`+work+`","ServiceChannelId":"`+channel+`","RoutingType":"SkillsBased"}`)
	o.api(http.MethodDelete, "/sobjects/PendingServiceRouting/"+routing, "")
	var got []string
	for _, e := range s.events(6) {
		event, _ := e["event"].(map[string]any)
		r, _ := e["sobject"].(map[string]any)
		got = append(got, fmt.Sprint(event["type"], " current:", r["IsCurrentState"], " away:", r["IsAway"], " for:", r["StatusDuration"], " work:", r["WorkItemId"]))
	}
	want := []string{
		"created current:true away:false for:<nil> work:<nil>", "updated current:false away:false for:90 work:<nil>",
		"created current:true away:true for:<nil> work:<nil>", "updated current:false away:true for:0 work:<nil>",
		"created current:<nil> away:<nil> for:<nil> work:" + work, "deleted current:<nil> away:<nil> for:<nil> work:<nil>",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", got)
	}
}

// TestPushTopicEventsAreKeptForADay replays topics and generic channels for 24 hours, change events for 72.
func TestPushTopicEventsAreKeptForADay(t *testing.T) {
	t.Parallel()
	now := fixedNow()
	o := start(t, Options{Seed: SeedNone, Now: func() time.Time { return now }, SessionTTL: 4 * retention})
	o.comet.poll = 20 * time.Millisecond
	o.create("PushTopic", `{"Name":"All","Query":"SELECT Id, Name FROM Account","ApiVersion":60.0}`)
	o.create("Account", `{"Name":"Old"}`)
	now = now.Add(topicRetention + time.Minute)
	o.create("Account", `{"Name":"New"}`)
	for channel, want := range map[string]int{"/topic/All": 1, "/data/AccountChangeEvent": 2} {
		s := o.stream()
		s.join(channel, replayAll)
		if got := s.events(2); len(got) != want {
			t.Errorf("%s: %v", channel, got)
		}
	}
	if got := o.stream().join("/topic/All", 1); got[1]["successful"] != false {
		t.Errorf("a replay id of yesterday: %v", got)
	}
	if got := o.stream().join("/data/AccountChangeEvent", 1); got[1]["successful"] != true {
		t.Errorf("the same of change events: %v", got)
	}
}

// TestStreamsOfRestrictedUsers keeps channels and fields from a user, by CometD.
func TestStreamsOfRestrictedUsers(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = time.Second
	for name, query := range map[string]string{"Names": "SELECT Id, Name, Phone FROM Account", "Phones": "SELECT Id FROM Account WHERE Phone = '1'", "People": "SELECT Id, Name FROM Contact"} {
		o.create("PushTopic", `{"Name":"`+name+`","Query":"`+query+`","ApiVersion":60.0}`)
	}
	o.create("StreamingChannel", `{"Name":"/u/Desk"}`)
	u := asIntegration(t, o)
	rights := &Permissions{Objects: map[string]Access{"Account": {Read: true}}, Fields: map[string]FieldAccess{"Account.Fax": {Read: true}}}
	if err := o.RestrictProfile(t.Context(), "Standard User", rights); err != nil {
		t.Fatal(err)
	}
	s := u.stream()
	try := func(channel, want string) {
		t.Helper()
		answer := s.join(channel, replayNew)
		if text, _ := answer[1]["error"].(string); text != want {
			t.Errorf("%s: %q instead of %q", channel, text, want)
		}
	}
	try("/topic/Names", "403::User not enabled for streaming")
	try("/u/Desk", "403::No access on channel")
	try("/data/ChangeEvents", "403::User not allowed to subscribe CDC without View All Data permissions")
	try("/data/ContactChangeEvent", "403::User not allowed to subscribe CDC without View All Data permissions")
	try("/event/Call_Notice__e", "403::Restricted channel")
	rights.Objects["PushTopic"] = Access{Read: true}
	if err := o.RestrictProfile(t.Context(), "Standard User", rights); err != nil {
		t.Fatal(err)
	}
	try("/topic/People", "403::Subscriber does not have access to the entity in this topic")
	try("/topic/Phones", "403::Subscriber does not have access to all fields referenced in the where clause of the PushTopic")
	try("/topic/Names", "")
	try("/data/AccountChangeEvent", "")
	o.create("Account", `{"Name":"Acme","Phone":"secret","Fax":"open"}`)
	raw, err := json.Marshal(s.events(2))
	if err != nil || strings.Contains(string(raw), "secret") || !strings.Contains(string(raw), `"Fax":"open"`) || !strings.Contains(string(raw), `"sobject":{"Id":`) {
		t.Errorf("%s %v", raw, err)
	}
}

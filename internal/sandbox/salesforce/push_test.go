package salesforce

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestGenericStreaming pushes to a channel by REST, to all and to single users.
func TestGenericStreaming(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = time.Second
	for _, name := range []string{"Desk", "/x/Desk", "/u/", "/u/*"} {
		if status, out := o.api(http.MethodPost, "/sobjects/StreamingChannel", `{"Name":"`+name+`"}`); status != http.StatusBadRequest || !strings.Contains(out, "INVALID_FIELD") {
			t.Errorf("%s: %d %s", name, status, out)
		}
	}
	id := o.create("StreamingChannel", `{"Name":"/u/desk/Calls","Description":"x"}`)
	path := "/sobjects/StreamingChannel/" + id + "/push"
	if status, out := o.api(http.MethodPost, path, `{"pushEvents":[{"payload":"nobody","userIds":[]}]}`); status != http.StatusOK || strip(t, out) != `[{"fanoutCount":0,"userOnlineStatus":{}}]` {
		t.Errorf("without a subscriber: %d %s", status, out)
	}
	u := asIntegration(t, o)
	other := makeID("005", 2)
	mine, theirs := o.stream(), u.stream()
	mine.join("/u/desk/Calls", replayNew)
	theirs.join("/u/desk/Calls", replayNew)
	if status, out := o.api(http.MethodGet, path, ""); status != http.StatusOK || !strings.Contains(out, `"ChannelName":"/u/desk/Calls"`) || !strings.Contains(out, o.admin) || !strings.Contains(out, other) {
		t.Errorf("who listens: %d %s", status, out)
	}
	status, out := o.api(http.MethodPost, path, `{"pushEvents":[{"payload":"to \"one\"","userIds":["`+other[:15]+`","005000000000009"]},{"payload":"to all"}]}`)
	if status != http.StatusOK || !strings.Contains(out, `"fanoutCount":1`) || !strings.Contains(out, `"`+other+`":true`) || !strings.Contains(out, `"fanoutCount":-1`) {
		t.Errorf("%d %s", status, out)
	}
	payloads := func(s *stream, n int) string {
		var got []string
		for _, e := range s.events(n) {
			got = append(got, str(e["payload"]))
		}
		return strings.Join(got, "|")
	}
	if got := payloads(mine, 1); got != "to all" {
		t.Errorf("the one it is not for: %s", got)
	}
	if got := payloads(theirs, 2); got != `to "one"|to all` {
		t.Errorf("the one it is for: %s", got)
	}
	again := o.stream()
	again.join("/u/desk/Calls", replayAll)
	if got := payloads(again, 2); got != "nobody|to all" {
		t.Errorf("all kept: %s", got)
	}
	for body, code := range map[string]string{
		`{"pushEvents":[]}`:               "INVALID_INPUT",
		`{"pushEvents":[{"payload":""}]}`: "INVALID_INPUT",
		`{"pushEvents":[{"payload":"` + strings.Repeat("x", 3001) + `"}]}`:  "INVALID_INPUT",
		`{"pushEvents":[{"payload":"x","userIds":["001000000000001AAA"]}]}`: "MALFORMED_ID",
		`{"pushEvents":`: "JSON_PARSER_ERROR",
	} {
		if status, out := o.api(http.MethodPost, path, body); status != http.StatusBadRequest || !strings.Contains(out, code) {
			t.Errorf("%.60s: %d %s", body, status, out)
		}
	}
}

// TestWhatIsHiddenHidesNothingElse sends a user more events of others than an answer holds, and then one of the user's own.
func TestWhatIsHiddenHidesNothingElse(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = 5 * time.Second
	id := o.create("StreamingChannel", `{"Name":"/u/Desk"}`)
	s := o.stream()
	s.join("/u/Desk", replayNew)
	hidden := strings.TrimSuffix(strings.Repeat(`{"payload":"x","userIds":["005000000000009AAA"]},`, maxPushEvents), ",")
	for range 2 {
		o.api(http.MethodPost, "/sobjects/StreamingChannel/"+id+"/push", `{"pushEvents":[`+hidden+`]}`)
	}
	o.api(http.MethodPost, "/sobjects/StreamingChannel/"+id+"/push", `{"pushEvents":[{"payload":"mine"}]}`)
	if got := s.events(1); len(got) != 1 || got[0]["payload"] != "mine" {
		t.Errorf("%v", got)
	}
}

package salesforce

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/tandemcc/tandem/internal/pubsubpb"
	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// set adds a rule by the API, as a test harness of another program would.
func (o *testOrg) set(rule string) {
	o.t.Helper()
	status, body, _ := o.send(http.MethodPost, "/sandbox/api/faults", rule, http.Header{"Content-Type": {"application/json"}})
	if status != http.StatusCreated {
		o.t.Fatalf("%s: %d %s", rule, status, body)
	}
}

// try is api over a connection of its own, for calls that may break: how it ended comes back.
func (o *testOrg) try(method, path, body string) (status int, answer string, err error) {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), method, o.url+"/services/data/v60.0"+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	req.Close = true
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	raw, err := io.ReadAll(res.Body)
	return res.StatusCode, string(raw), errors.Join(err, res.Body.Close())
}

func (o *testOrg) count(query string) string {
	o.t.Helper()
	_, body := o.soql("SELECT COUNT() FROM " + query)
	return body
}

func TestCutBeforeAndAfterAWrite(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for _, c := range []struct{ kind, want string }{
		{"cut", `{"totalSize":0,"done":true,"records":[]}`},
		{"cut_after", `{"totalSize":1,"done":true,"records":[]}`},
	} {
		o.set(`{"kind":"` + c.kind + `","method":"post","match":"/sobjects/Account$","count":1}`)
		if status, body, err := o.try(http.MethodPost, "/sobjects/Account", `{"Name":"`+c.kind+`"}`); err == nil {
			t.Errorf("%s: an answer came: %d %s", c.kind, status, body)
		}
		if got := o.count("Account WHERE Name = '" + c.kind + "'"); got != c.want {
			t.Errorf("%s: the org has %s, want %s", c.kind, got, c.want)
		}
	}
	entries, _ := o.Requests(10)
	for _, e := range entries {
		if e.Method == http.MethodPost && strings.HasSuffix(e.Path, "/sobjects/Account") && e.Status != 0 {
			t.Errorf("the log has a status of a cut connection: %+v", e)
		}
	}
}

func TestTornAndSlowBodies(t *testing.T) {
	t.Parallel()
	o := start(t, Options{})
	_, whole := o.soql("SELECT Id, Name FROM Account LIMIT 50")
	query := "/query?q=" + url.QueryEscape("SELECT Id, Name FROM Account LIMIT 50")
	o.set(`{"kind":"truncate","match":"/query","count":1}`)
	if status, body, err := o.try(http.MethodGet, query, ""); !errors.Is(err, io.ErrUnexpectedEOF) || status != http.StatusOK || body != whole[:len(body)] || len(body) == 0 || len(body) == len(whole) {
		t.Errorf("torn: %d, %d of %d bytes, %v", status, len(body), len(whole), err)
	}
	o.set(`{"kind":"slow","match":"/query","delay_ms":100,"count":1}`)
	begin := time.Now()
	if status, body, err := o.try(http.MethodGet, query, ""); err != nil || status != http.StatusOK || body != whole || time.Since(begin) < 95*time.Millisecond {
		t.Errorf("slow: %d, whole %v, after %s, %v", status, body == whole, time.Since(begin), err)
	}
}

// TestSlowBodyComesInPieces reads the first bytes while the rest is still on its way.
func TestSlowBodyComesInPieces(t *testing.T) {
	t.Parallel()
	o := start(t, Options{})
	o.set(`{"kind":"slow","match":"/sobjects$","delay_ms":600000}`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.url+"/services/data/v60.0/sobjects", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	req.Header.Set("Accept-Encoding", "identity") // the transport would hide the length of a compressed answer
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.ContentLength < 1000 {
		t.Errorf("%d, %d bytes to come", res.StatusCode, res.ContentLength)
	}
	if err := res.Body.Close(); err != nil { // ends the trickle; the server's shutdown would wait for it
		t.Error(err)
	}
}

func TestFaultsByUser(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	name := o.Credentials().Username
	o.set(`{"kind":"status","status":503,"match":"/query","user":"somebody@else.example"}`)
	if status, body := o.soql("SELECT Id FROM User"); status != http.StatusOK {
		t.Errorf("another user's fault strikes: %d %s", status, body)
	}
	o.set(`{"kind":"status","status":400,"code":"UNABLE_TO_LOCK_ROW","match":"/query","user":"` + strings.ToUpper(name) + `","count":1}`)
	if status, body := o.soql("SELECT Id FROM User"); status != http.StatusBadRequest || body != `[{"message":"unable to obtain exclusive access to this record","errorCode":"UNABLE_TO_LOCK_ROW"}]` {
		t.Errorf("%d %s", status, body)
	}
	o.set(`{"kind":"expire","match":"/query","user":"` + name + `","count":1}`)
	if status, body := o.soql("SELECT Id FROM User"); status != http.StatusUnauthorized || !strings.Contains(body, "INVALID_SESSION_ID") {
		t.Errorf("%d %s", status, body)
	}
	o.set(`{"kind":"status","status":400,"match":"/oauth2/token","user":"` + name + `","count":1}`)
	c := o.Credentials()
	form := url.Values{"grant_type": {"password"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "username": {name}, "password": {c.Password + c.SecurityToken}}
	if status, body := o.form("/services/oauth2/token", form); status != http.StatusBadRequest || !strings.Contains(body, `"error":"invalid_grant"`) {
		t.Errorf("%d %s", status, body)
	}
	o.login()
}

// TestSeededShare: the same seed strikes the same requests of a row.
func TestSeededShare(t *testing.T) {
	t.Parallel()
	row := func() string {
		o := start(t, Options{Seed: SeedNone})
		o.set(`{"kind":"status","status":500,"match":"/limits","share":0.3,"seed":42,"after":2}`)
		var b strings.Builder
		for range 40 {
			status, _ := o.api(http.MethodGet, "/limits", "")
			fmt.Fprintf(&b, "%d", status/100)
		}
		return b.String()
	}
	first := row()
	if again := row(); again != first {
		t.Errorf("the same seed struck %s, then %s", first, again)
	}
	if n := strings.Count(first, "5"); !strings.HasPrefix(first, "22") || n < 4 || n > 20 {
		t.Errorf("a share of 0.3 after 2: %s", first)
	}
	o := start(t, Options{Seed: SeedNone})
	if rule, err := o.Faults().Add(kit.Fault{Kind: kit.FaultCut, Match: "never", Share: 0.5}); err != nil || rule.Seed == 0 || rule.Seed >= 1<<53 {
		t.Errorf("no seed was drawn that JSON can carry: %d, %v", rule.Seed, err)
	}
}

func TestRecordFaults(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	id := o.create("Account", `{"Name":"One"}`)
	o.set(`{"kind":"record","match":"^/sobjects/Account$","method":"PATCH","count":1}`)
	want := `[{"message":"unable to obtain exclusive access to this record or 1 records: ` + id + `","errorCode":"UNABLE_TO_LOCK_ROW"}]`
	if status, body := o.api(http.MethodPatch, "/sobjects/Account/"+id, `{"Name":"Two"}`); status != http.StatusBadRequest || body != want {
		t.Errorf("%d %s", status, body)
	}
	o.set(`{"kind":"record","match":"/sobjects/Contact","after":1,"count":1,"code":"FIELD_CUSTOM_VALIDATION_EXCEPTION","message":"no"}`)
	status, body := o.api(http.MethodPost, "/composite/sobjects",
		`{"records":[{"attributes":{"type":"Contact"},"LastName":"A"},{"attributes":{"type":"Contact"},"LastName":"B"},{"attributes":{"type":"Contact"},"LastName":"C"}]}`)
	if status != http.StatusOK || strings.Count(body, `"success":true`) != 2 || !strings.Contains(body, `{"success":false,"errors":[{"statusCode":"FIELD_CUSTOM_VALIDATION_EXCEPTION","message":"no","fields":[]}]}`) {
		t.Errorf("%d %s", status, body)
	}
	if got := o.count("Contact"); !strings.Contains(got, `"totalSize":2`) {
		t.Error(got)
	}
}

func TestPartialBulkFailure(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.set(`{"kind":"record","match":"/jobs/ingest/Account","after":1,"count":2}`)
	j := o.load(`{"object":"Account","operation":"insert"}`, "Name\na\nb\nc\nd\n")
	if j.State != "JobComplete" || j.Processed != 4 || j.Failed != 2 {
		t.Fatalf("%+v", j)
	}
	failed := o.csv("/jobs/ingest/" + j.ID + "/failedResults")
	if len(failed) != 3 || !strings.HasPrefix(failed[1][1], "UNABLE_TO_LOCK_ROW:") || failed[1][2] != "b" || failed[2][2] != "c" {
		t.Errorf("%q", failed)
	}
}

func TestStreamFaults(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	s := o.stream()
	s.join("/data/AccountChangeEvent", replayNew)
	o.set(`{"kind":"event_drop","match":"/data/AccountChangeEvent","count":1}`)
	o.set(`{"kind":"event_gap","match":"/data/","after":0,"count":1}`)
	o.create("Account", `{"Name":"Lost"}`)
	blank := o.create("Account", `{"Name":"Gap"}`)
	o.create("Account", `{"Name":"Whole"}`)
	got := s.events(2)
	if len(got) != 2 {
		t.Fatalf("%d events", len(got))
	}
	text := fmt.Sprint(got[0])
	if !strings.Contains(text, "changeType:GAP_CREATE") || !strings.Contains(text, blank) || strings.Contains(text, "Name:Gap") {
		t.Errorf("the gap: %s", text)
	}
	if text := fmt.Sprint(got[1]); !strings.Contains(text, "Name:Whole") {
		t.Errorf("after the gap: %s", text)
	}
	if err := o.ForgetEvents(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := o.stream()
	if answer := fmt.Sprint(again.join("/data/AccountChangeEvent", replayID(got[0]))); !strings.Contains(answer, "400::The replayId {") {
		t.Errorf("a forgotten place is taken: %s", answer)
	}
	o.CutStreams()
	if answer := fmt.Sprint(s.post(`[{"channel":"/meta/connect","clientId":"` + s.id + `","connectionType":"long-polling","id":"9"}]`)); !strings.Contains(answer, "403::Unknown client") {
		t.Errorf("after the cut: %s", answer)
	}
}

func TestPubSubFaults(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	client, ctx := o.pubsub()
	topic := &pubsubpb.TopicRequest{TopicName: "/data/AccountChangeEvent"}
	o.set(`{"kind":"status","status":401,"match":"PubSub/GetTopic","user":"` + o.Credentials().Username + `","count":1}`)
	if _, err := client.GetTopic(ctx, topic); grpcstatus.Code(err) != codes.Unauthenticated {
		t.Errorf("401: %v", err)
	}
	o.set(`{"kind":"cut","match":"PubSub/GetTopic","count":1}`)
	if _, err := client.GetTopic(ctx, topic); grpcstatus.Code(err) != codes.Unavailable {
		t.Errorf("cut: %v", err)
	}
	stream, err := client.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pubsubpb.FetchRequest{TopicName: topic.GetTopicName(), NumRequested: 5}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil { // subscribed
		t.Fatal(err)
	}
	o.set(`{"kind":"event_gap","count":1}`)
	o.create("Account", `{"Name":"Gap"}`)
	events := receive(t, stream, 1)
	if got := events[0].GetEvent().GetPayload(); !strings.Contains(string(got), "Account") || strings.Contains(string(got), "Gap") {
		t.Errorf("the gap carries %q", got)
	}
	o.CutStreams()
	for err == nil {
		_, err = stream.Recv()
	}
	if grpcstatus.Code(err) != codes.Unavailable {
		t.Errorf("a stream that was cut ends with %v", err)
	}
}

func TestClockSkew(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, SessionTTL: time.Hour})
	put := func(body string) int {
		status, _, _ := o.send(http.MethodPut, "/sandbox/api/clock", body, http.Header{"Content-Type": {"application/json"}})
		return status
	}
	if status := put(`{"skew_ms":-600000}`); status != http.StatusOK {
		t.Fatal(status)
	}
	id := o.create("Account", `{"Name":"Early"}`)
	if _, body := o.api(http.MethodGet, "/sobjects/Account/"+id+"?fields=CreatedDate", ""); !strings.Contains(body, "2026-11-18T15:20:00.000+0000") {
		t.Error(body)
	}
	put(`{"skew_ms":7200000}`)
	if status, _ := o.soql("SELECT Id FROM User"); status != http.StatusUnauthorized {
		t.Errorf("a session outlives its hour: %d", status)
	}
	for _, bad := range []string{`{}`, `{"skew_ms":86400001}`, `x`} {
		if status := put(bad); status != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, status)
		}
	}
	o.ClearFaults()
	if status, _ := o.soql("SELECT Id FROM User"); status != http.StatusOK {
		t.Errorf("with the clock set right: %d", status)
	}
}

// TestCutConnectionIsClosed reads a connection to its end: no byte comes after the request.
func TestCutConnectionIsClosed(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.set(`{"kind":"truncate","match":"/sobjects/Account/","count":1}`)
	id := o.create("Account", `{"Name":"One"}`)
	// A 204 has no body to tear, so nothing comes at all, and the write took effect.
	if _, _, err := o.try(http.MethodPatch, "/sobjects/Account/"+id, `{"Name":"Two"}`); err == nil {
		t.Error("an answer without a body came through")
	}
	if _, body := o.api(http.MethodGet, "/sobjects/Account/"+id+"?fields=Name", ""); !strings.Contains(body, `"Two"`) {
		t.Error(body)
	}
}

package salesforce

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/tandemcc/tandem/internal/pubsubpb"
)

// signedIn starts an org without a network and signs its administrator in.
func signedIn(t *testing.T) (org *Org, token string) {
	t.Helper()
	org, err := New(Options{Seed: SeedNone})
	if err != nil {
		t.Fatal(err)
	}
	token, err = org.sessions.add(t.Context(), session{user: org.admin}, 10*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return org, token
}

// TestConnectsWaitAsTheyAreTold measures, on a clock that is faked, how long a connect waits for an event that does not
// come: as long as the advice says, or as long as the client says where that is shorter.
func TestConnectsWaitAsTheyAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, token := signedIn(t)
		post := func(messages string) (out []map[string]any) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/cometd/60.0", strings.NewReader(messages))
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			org.Handler().ServeHTTP(w, r)
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			return out
		}
		id, _ := post(`[{"channel":"/meta/handshake"}]`)[0]["clientId"].(string)
		for advice, want := range map[string]time.Duration{
			``: 110 * time.Second, `,"advice":{"timeout":0}`: 0, `,"advice":{"timeout":30000}`: 30 * time.Second, `,"advice":{"timeout":900000}`: 110 * time.Second,
			`,"advice":{"timeout":-1}`: 0, `,"advice":{"timeout":1e300}`: 110 * time.Second,
		} {
			from := time.Now()
			got := post(fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q,"connectionType":"long-polling"%s}]`, id, advice))
			if took := time.Since(from); took != want || len(got) != 1 || got[0]["successful"] != true {
				t.Errorf("%s: %s, %v", advice, took, got)
			}
		}
		if err := org.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestHeartbeatsKeepThePlatformsPromise hears of a stream without events within 270 seconds, on a clock that is faked.
func TestHeartbeatsKeepThePlatformsPromise(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, token := signedIn(t)
		ctx, cancel := context.WithCancel(metadata.NewIncomingContext(t.Context(), metadata.Pairs("accesstoken", token, "instanceurl", "x", "tenantid", orgID)))
		stream := &pipe{ctx: ctx, in: make(chan *pubsubpb.FetchRequest, 1), out: make(chan *pubsubpb.FetchResponse)}
		p := &PubSub{org: org, keepAlive: keepAlive, done: make(chan struct{})}
		ended := make(chan error, 1)
		go func() { ended <- p.Subscribe(stream) }()
		stream.in <- &pubsubpb.FetchRequest{TopicName: "/data/ChangeEvents", NumRequested: 1}
		for range 3 {
			from := time.Now()
			res := <-stream.out
			if took := time.Since(from); took > 270*time.Second || took < time.Minute || len(res.GetEvents()) > 0 || len(res.GetLatestReplayId()) != 8 {
				t.Errorf("%s: %v", took, res)
			}
		}
		cancel()
		if err := <-ended; err == nil {
			t.Error("a stream of a client that went ends well")
		}
		if err := org.Close(); err != nil {
			t.Error(err)
		}
	})
}

// pipe is a stream without a network.
type pipe struct {
	pubsubpb.PubSub_SubscribeServer

	ctx context.Context //nolint:containedctx // as in any stream
	in  chan *pubsubpb.FetchRequest
	out chan *pubsubpb.FetchResponse
}

// Context is the call's.
func (p *pipe) Context() context.Context { return p.ctx }

// Recv returns the next request.
func (p *pipe) Recv() (*pubsubpb.FetchRequest, error) {
	select {
	case in := <-p.in:
		return in, nil
	case <-p.ctx.Done():
		return nil, p.ctx.Err()
	}
}

// Send hands a response over.
func (p *pipe) Send(out *pubsubpb.FetchResponse) error {
	select {
	case p.out <- out:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

func TestStreamClientsAreLimited(t *testing.T) {
	t.Parallel()
	now := fixedNow()
	o := start(t, Options{Seed: SeedNone, Now: func() time.Time { return now }, SessionTTL: time.Hour})
	s := o.sessions.find(o.token, false)
	hello := func() reply {
		m := &bayeux{Channel: "/meta/handshake"}
		return o.comet.handshake(m, m.reply(), s)
	}
	for range maxClients {
		if got := hello(); got["successful"] != true {
			t.Fatalf("%v", got)
		}
	}
	if got := hello(); got["error"] != "403::Organization concurrent user limit exceeded" {
		t.Errorf("one too many: %v", got)
	}
	now = now.Add(clientTTL + time.Second)
	if got := hello(); got["successful"] != true {
		t.Errorf("when all others are gone: %v", got)
	}
	client := &cometClient{user: o.admin, subs: map[string]int64{}}
	for i := range maxSubscribed {
		client.subs[fmt.Sprint("/topic/", i)] = 0
	}
	if got := o.comet.subscribe(t.Context(), client, "/data/ChangeEvents", nil); !strings.HasPrefix(got, "403::") {
		t.Errorf("a subscription too many: %s", got)
	}
	delete(client.subs, "/topic/0")
	client.subs["/data/ChangeEvents"] = 0
	if got := o.comet.subscribe(t.Context(), client, "/data/ChangeEvents", nil); got != "" {
		t.Errorf("the same again: %s", got)
	}
}

func TestPubSubStreamsAreLimited(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	p := &PubSub{org: o.Org}
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("accesstoken", o.token, "instanceurl", o.url, "tenantid", orgID))
	var leave []func()
	for range maxStreams {
		_, left, err := p.admit(ctx)
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, left)
	}
	if _, _, err := p.admit(ctx); err == nil || !strings.Contains(err.Error(), "maximum number of concurrent clients") {
		t.Errorf("one too many: %v", err)
	}
	leave[0]()
	if _, _, err := p.admit(ctx); err != nil {
		t.Errorf("when one has left: %v", err)
	}
}

// TestPublishedEventsAreLimited publishes events up to a megabyte: one that is larger is refused, the others of its request
// are not.
func TestPublishedEventsAreLimited(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, Custom: []CustomObject{{Name: "Long__e", Fields: []CustomField{{Name: "Text__c", Type: "textarea", Length: 131_072}}}}})
	client, ctx := o.pubsub()
	s := o.events.byChannel["/event/Long__e"]
	event := func(text string) *pubsubpb.ProducerEvent {
		return &pubsubpb.ProducerEvent{SchemaId: s.id, Payload: s.avro(&change{at: fixedNow(), user: "005"}, record{"Text__c": text})}
	}
	good := event("x")
	res, err := client.Publish(ctx, &pubsubpb.PublishRequest{TopicName: "/event/Long__e", Events: []*pubsubpb.ProducerEvent{
		good,
		{SchemaId: s.id, Payload: make([]byte, maxEvent+1)},
		event(strings.Repeat("x", 131_072)), event(strings.Repeat("x", 131_073)),
		{SchemaId: s.id, Payload: append(good.GetPayload(), 0)},
		{SchemaId: "", Payload: good.GetPayload()},
		{SchemaId: s.id},
	}})
	if err != nil || len(res.GetResults()) != 7 {
		t.Fatalf("%v %v", res, err)
	}
	for i, refused := range []bool{false, true, false, true, true, true, true} {
		r := res.GetResults()[i]
		if (r.GetError() != nil) != refused || refused && r.GetError().GetCode() != pubsubpb.ErrorCode_PUBLISH || (len(r.GetReplayId()) == 8) == refused {
			t.Errorf("event %d: %v", i, r)
		}
	}
}

// TestReplicationWindows reads what changed and what was deleted, with windows as replication programs use them.
func TestReplicationWindows(t *testing.T) {
	t.Parallel()
	now := fixedNow()
	o := start(t, Options{Seed: SeedNone, Now: func() time.Time { return now }, SessionTTL: 1000 * time.Hour})
	stamp := func(id string) string {
		_, out := o.api(http.MethodGet, "/sobjects/Account/"+id+"?fields=SystemModstamp", "")
		_, rest, _ := strings.Cut(out, `"SystemModstamp":"`)
		return rest[:min(19, len(rest))]
	}
	id := o.create("Account", `{"Name":"Acme"}`)
	gone := o.create("Account", `{"Name":"Gone"}`)
	before := stamp(id)
	now = now.Add(5 * time.Minute)
	o.api(http.MethodPatch, "/sobjects/Account/"+id, `{"Name":"New"}`)
	o.api(http.MethodDelete, "/sobjects/Account/"+gone, "")
	if before != "2026-11-18T15:30:00" || stamp(id) != "2026-11-18T15:35:00" {
		t.Errorf("SystemModstamp went from %s to %s", before, stamp(id))
	}
	for path, want := range map[string]string{
		"updated/?start=2026-11-18T15:30:00Z&end=2026-11-18T15:35:00Z":           `{"ids":[],"latestDateCovered":"2026-11-18T15:35:00.000+0000"}`,
		"updated/?start=2026-11-18T15:35:59Z&end=2026-11-18T15:36:00Z":           `{"ids":["` + id + `"],"latestDateCovered":"2026-11-18T15:35:00.000+0000"}`,
		"updated/?start=2026-11-18T15:00:00%2B00:00&end=2026-11-18T16:00:00.000": "INVALID_REPLICATION_DATE",
		"updated/?start=2026-11-18T15:35:01Z&end=2026-11-18T15:35:59Z":           "INVALID_REPLICATION_DATE",
		"updated/?start=2026-10-01T00:00:00Z&end=2026-11-18T15:36:00Z":           "INVALID_REPLICATION_DATE",
		"updated/?end=2026-11-18T15:36:00Z":                                      "INVALID_REPLICATION_DATE",
		"deleted/?start=2026-11-18T15:30:00Z&end=2026-11-18T15:36:00Z":           `"id":"` + gone + `"`,
		"deleted/?start=2026-11-18T15:30:00Z&end=2026-11-18T15:35:00Z":           `"deletedRecords":[]`,
	} {
		if _, out := o.api(http.MethodGet, "/sobjects/Account/"+path, ""); !strings.Contains(out, want) {
			t.Errorf("%s: %s", path, out)
		}
	}
}

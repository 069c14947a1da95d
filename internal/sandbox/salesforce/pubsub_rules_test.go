package salesforce

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tandemcc/tandem/internal/pubsubpb"
)

// refusal is a status with the platform's code, without what all codes begin with.
func refusal(err error, trailer metadata.MD) string {
	code := ""
	if v := trailer.Get("error-code"); len(v) == 1 {
		code = strings.TrimPrefix(v[0], "sfdc.platform.eventbus.grpc.")
	}
	return status.Code(err).String() + " " + code
}

// subscribed sends requests on a new stream and returns it.
func subscribed(ctx context.Context, t *testing.T, client pubsubpb.PubSubClient, requests ...*pubsubpb.FetchRequest) pubsubpb.PubSub_SubscribeClient {
	t.Helper()
	stream, err := client.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range requests {
		if err := stream.Send(in); err != nil {
			t.Fatal(err)
		}
	}
	return stream
}

// ended reads a stream to its end.
func ended(stream interface {
	grpc.ClientStream
}, recv func() error,
) string {
	for {
		if err := recv(); err != nil {
			return refusal(err, stream.Trailer())
		}
	}
}

func fetchEnd(stream pubsubpb.PubSub_SubscribeClient) string {
	return ended(stream, func() error { _, err := stream.Recv(); return err })
}

// TestCallsAreRefusedWithTheirCodes follows the error codes of the Pub/Sub API guide, "Handle Errors".
func TestCallsAreRefusedWithTheirCodes(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	client, ctx := o.pubsub()
	signed := func(token, url, tenant string) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), "accesstoken", token, "instanceurl", url, "tenantid", tenant)
	}
	for name, c := range map[string]struct {
		ctx         context.Context //nolint:containedctx // a table of calls
		topic, want string
	}{
		"no metadata":     {t.Context(), "/data/ChangeEvents", "Unauthenticated service.auth.headers.invalid"},
		"a blank token":   {signed("", o.url, orgID), "/data/ChangeEvents", "Unauthenticated service.auth.headers.invalid"},
		"a blank url":     {signed(o.token, " ", orgID), "/data/ChangeEvents", "Unauthenticated service.auth.headers.invalid"},
		"a wrong token":   {signed("x", o.url, orgID), "/data/ChangeEvents", "Unauthenticated service.auth.error"},
		"another org":     {signed(o.token, o.url, "00D000000000002"), "/data/ChangeEvents", "Unauthenticated service.auth.error"},
		"the short id":    {signed(o.token, o.url, orgID[:15]), "/data/ChangeEvents", "OK "},
		"no topic":        {ctx, "", "InvalidArgument topic.validation.empty"},
		"a wrong topic":   {ctx, "/data/NothingChangeEvent", "NotFound topic.not.found"},
		"without a slash": {ctx, "data/AccountChangeEvent", "NotFound topic.not.found"},
		"a PushTopic":     {ctx, "/topic/Hot", "NotFound topic.not.found"},
	} {
		var trailer metadata.MD
		_, err := client.GetTopic(c.ctx, &pubsubpb.TopicRequest{TopicName: c.topic}, grpc.Trailer(&trailer))
		if got := refusal(err, trailer); got != c.want {
			t.Errorf("%s: %s: %v", name, got, err)
		}
		if rpc := trailer.Get("rpc-id"); err != nil && (len(rpc) != 1 || !strings.HasSuffix(err.Error(), "rpcId: "+rpc[0])) {
			t.Errorf("%s: the rpc id %v is not that of %v", name, rpc, err)
		}
	}
	for id, want := range map[string]string{"": "InvalidArgument schema.validation.failed", "none": "NotFound schema.meta.permission"} {
		var trailer metadata.MD
		_, err := client.GetSchema(ctx, &pubsubpb.SchemaRequest{SchemaId: id}, grpc.Trailer(&trailer))
		if got := refusal(err, trailer); got != want {
			t.Errorf("schema %q: %s: %v", id, got, err)
		}
	}
	const topic = "/event/Call_Notice__e"
	one := []*pubsubpb.ProducerEvent{{}}
	for name, c := range map[string]struct {
		in   *pubsubpb.PublishRequest
		want string
	}{
		"no topic":      {&pubsubpb.PublishRequest{Events: one}, "InvalidArgument publish.topic.validation.empty"},
		"a wrong topic": {&pubsubpb.PublishRequest{TopicName: "/event/No__e", Events: one}, "NotFound topic.not.found"},
		"no events":     {&pubsubpb.PublishRequest{TopicName: topic}, "InvalidArgument publish.event.count.invalid"},
		"too many":      {&pubsubpb.PublishRequest{TopicName: topic, Events: slices.Repeat(one, maxPublish+1)}, "InvalidArgument publish.event.count.invalid"},
		"change events": {&pubsubpb.PublishRequest{TopicName: "/data/AccountChangeEvent", Events: one}, "PermissionDenied publish.topic.cannot.publish"},
		"too large":     {&pubsubpb.PublishRequest{TopicName: topic, Events: []*pubsubpb.ProducerEvent{{Payload: make([]byte, 5<<20)}}}, "ResourceExhausted "},
	} {
		var trailer metadata.MD
		_, err := client.Publish(ctx, c.in, grpc.Trailer(&trailer))
		if got := refusal(err, trailer); got != c.want {
			t.Errorf("%s: %s: %v", name, got, err)
		}
	}
}

func TestFetchesAreRefusedWithTheirCodes(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	client, ctx := o.pubsub()
	const topic = "/data/AccountChangeEvent"
	first := &pubsubpb.FetchRequest{TopicName: topic, NumRequested: 1}
	custom := func(id []byte) *pubsubpb.FetchRequest {
		return &pubsubpb.FetchRequest{TopicName: topic, NumRequested: 1, ReplayPreset: pubsubpb.ReplayPreset_CUSTOM, ReplayId: id}
	}
	for name, c := range map[string]struct {
		requests []*pubsubpb.FetchRequest
		want     string
	}{
		"no topic":           {[]*pubsubpb.FetchRequest{{NumRequested: 1}}, "InvalidArgument topic.validation.empty"},
		"a wrong topic":      {[]*pubsubpb.FetchRequest{{TopicName: "/data/No", NumRequested: 1}}, "NotFound topic.not.found"},
		"nothing asked for":  {[]*pubsubpb.FetchRequest{{TopicName: topic}}, "InvalidArgument subscription.fetch.requested.events.invalid"},
		"too many":           {[]*pubsubpb.FetchRequest{{TopicName: topic, NumRequested: 101}}, "InvalidArgument subscription.fetch.requested.events.invalid"},
		"custom of nothing":  {[]*pubsubpb.FetchRequest{custom(nil)}, "InvalidArgument subscription.fetch.replayid.validation.failed"},
		"custom of a byte":   {[]*pubsubpb.FetchRequest{custom([]byte{1})}, "InvalidArgument subscription.fetch.replayid.corrupted"},
		"custom to come":     {[]*pubsubpb.FetchRequest{custom(replayBytes(77))}, "InvalidArgument subscription.fetch.replayid.corrupted"},
		"another topic":      {[]*pubsubpb.FetchRequest{first, {TopicName: "/data/ChangeEvents", NumRequested: 1}}, "InvalidArgument subscription.fetch.topic.mismatch"},
		"nothing, later":     {[]*pubsubpb.FetchRequest{first, {TopicName: topic}}, "InvalidArgument subscription.fetch.requested.events.invalid"},
		"a wrong new token":  {[]*pubsubpb.FetchRequest{first, {NumRequested: 1, AuthRefresh: "x"}}, "Unauthenticated service.auth.refresh.invalid"},
		"replay again, then": {[]*pubsubpb.FetchRequest{first, custom(nil), {TopicName: "/x", NumRequested: 1}}, "InvalidArgument subscription.fetch.topic.mismatch"},
	} {
		if got := fetchEnd(subscribed(ctx, t, client, c.requests...)); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestRequestsAddUp asks several times before anything is there: all is delivered, and no more.
func TestRequestsAddUp(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	client, ctx := o.pubsub()
	stream := subscribed(ctx, t, client, &pubsubpb.FetchRequest{TopicName: "/data/AccountChangeEvent", NumRequested: 1}, &pubsubpb.FetchRequest{NumRequested: 2})
	for {
		res, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if res.GetPendingNumRequested() == 3 {
			break
		}
	}
	for i := range 5 {
		o.create("Account", fmt.Sprintf(`{"Name":"A%d"}`, i))
	}
	if got := receive(t, stream, 3); len(got) != 3 {
		t.Errorf("%d events for 3", len(got))
	}
	for range 3 {
		if res, err := stream.Recv(); err != nil || len(res.GetEvents()) > 0 || res.GetPendingNumRequested() != 0 {
			t.Errorf("%v %v", res, err)
		}
	}
}

// TestQuietStreamsStayWithinTheRetention waits on a topic of which nothing comes while others change: what heartbeats say
// moves on with the log, so that a client can resume there.
func TestQuietStreamsStayWithinTheRetention(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	client, ctx := o.pubsub()
	stream := subscribed(ctx, t, client, &pubsubpb.FetchRequest{TopicName: "/data/ContactChangeEvent", NumRequested: 1})
	for i := range 3 {
		o.create("Account", fmt.Sprintf(`{"Name":"A%d"}`, i))
	}
	for {
		res, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if at, _ := replayNumber(res.GetLatestReplayId()); at == 3 {
			break
		}
	}
	o.create("Contact", `{"LastName":"Silva"}`)
	if got := receive(t, stream, 1); string(got[0].GetReplayId()) != string(replayBytes(4)) {
		t.Errorf("%v", got)
	}
}

// TestLargeEventsComeInSmallBatches keeps responses below what clients take: 4 MiB, the default of gRPC.
func TestLargeEventsComeInSmallBatches(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = time.Second
	client, ctx := o.pubsub()
	comet := o.stream()
	comet.join("/data/AccountChangeEvent", replayNew)
	text := strings.Repeat("x", 31_000)
	var data strings.Builder
	data.WriteString("Name,Description,BillingStreet\n")
	const n = 300
	for i := range n {
		fmt.Fprintf(&data, "Account %d,%s,x\n", i, text)
	}
	if j := o.load(`{"object":"Account","operation":"insert"}`, data.String()); j.Failed != 0 || j.Processed != n {
		t.Fatalf("%+v", j)
	}
	stream := subscribed(ctx, t, client, &pubsubpb.FetchRequest{TopicName: "/data/AccountChangeEvent", NumRequested: 100, ReplayPreset: pubsubpb.ReplayPreset_EARLIEST},
		&pubsubpb.FetchRequest{NumRequested: 100}, &pubsubpb.FetchRequest{NumRequested: 100})
	if got := receive(t, stream, n); len(got) != n {
		t.Errorf("%d events", len(got))
	}
	if got := comet.events(n); len(got) != n {
		t.Errorf("%d events by CometD", len(got))
	}
}

// TestStreamsEndWithTheirSession ends the session under streams that wait, have events to come, publish, or brought a new
// token.
func TestStreamsEndWithTheirSession(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	client, ctx := o.pubsub()
	const topic = "/data/AccountChangeEvent"
	waiting := subscribed(ctx, t, client, &pubsubpb.FetchRequest{TopicName: topic, NumRequested: 1})
	if _, err := waiting.Recv(); err != nil {
		t.Fatal(err)
	}
	old := o.token
	o.login()
	if o.token == old {
		t.Fatal("the same token")
	}
	refreshed := subscribed(ctx, t, client, &pubsubpb.FetchRequest{TopicName: topic, NumRequested: 1}, &pubsubpb.FetchRequest{NumRequested: 1, AuthRefresh: o.token})
	for pending := int32(0); pending < 2; {
		res, err := refreshed.Recv()
		if err != nil {
			t.Fatal(err)
		}
		pending = res.GetPendingNumRequested()
	}
	publishing, err := client.PublishStream(ctx)
	if err == nil {
		err = publishing.Send(&pubsubpb.PublishRequest{TopicName: "/event/Call_Notice__e", Events: []*pubsubpb.ProducerEvent{{}}})
	}
	if err == nil {
		_, err = publishing.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.sessions.revoke(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if got := fetchEnd(waiting); got != "Unauthenticated service.auth.error" {
		t.Errorf("one that waits: %s", got)
	}
	if err := publishing.Send(&pubsubpb.PublishRequest{TopicName: "/event/Call_Notice__e", Events: []*pubsubpb.ProducerEvent{{}}}); err != nil {
		t.Fatal(err)
	}
	if got := ended(publishing, func() error { _, err := publishing.Recv(); return err }); got != "Unauthenticated service.auth.error" {
		t.Errorf("one that publishes: %s", got)
	}
	o.create("Account", `{"Name":"Acme"}`)
	receive(t, refreshed, 1) // goes on with its new token
	o.ExpireSessions(t.Context())
	if got := fetchEnd(refreshed); got != "Unauthenticated service.auth.error" {
		t.Errorf("one with a new token: %s", got)
	}
}

func TestPublishStreams(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	client, ctx := o.pubsub()
	const topic = "/event/Call_Notice__e"
	s := o.events.byChannel[topic]
	good := []*pubsubpb.ProducerEvent{{Id: "a", SchemaId: s.id, Payload: s.avro(&change{at: fixedNow(), user: "005"}, record{"Message__c": "ring"})}}
	open := func(requests ...*pubsubpb.PublishRequest) pubsubpb.PubSub_PublishStreamClient {
		stream, err := client.PublishStream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range requests {
			if err := stream.Send(in); err != nil {
				t.Fatal(err)
			}
		}
		return stream
	}
	end := func(stream pubsubpb.PubSub_PublishStreamClient) string {
		return ended(stream, func() error { _, err := stream.Recv(); return err })
	}
	for name, c := range map[string]struct {
		requests []*pubsubpb.PublishRequest
		want     string
	}{
		"another topic":      {[]*pubsubpb.PublishRequest{{TopicName: topic, Events: good}, {TopicName: "/event/Other__e", Events: good}}, "InvalidArgument publish.topic.mismatch"},
		"no topic":           {[]*pubsubpb.PublishRequest{{Events: good}}, "InvalidArgument publish.topic.validation.empty"},
		"no events, later":   {[]*pubsubpb.PublishRequest{{TopicName: topic, Events: good}, {}}, "InvalidArgument publish.event.count.invalid"},
		"a token at first":   {[]*pubsubpb.PublishRequest{{TopicName: topic, Events: good, AuthRefresh: o.token}}, "InvalidArgument publish.auth.refresh.invalid"},
		"a wrong new token":  {[]*pubsubpb.PublishRequest{{TopicName: topic, Events: good}, {Events: good, AuthRefresh: "x"}}, "Unauthenticated service.auth.refresh.invalid"},
		"silent for so long": {nil, "Unavailable publish.stream.sweeper.timeout"},
	} {
		if got := end(open(c.requests...)); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	stream := open(&pubsubpb.PublishRequest{TopicName: topic, Events: good}, &pubsubpb.PublishRequest{Events: good, AuthRefresh: o.token}) // queued up
	for range 2 {
		res, err := stream.Recv()
		if err != nil || len(res.GetResults()) != 1 || res.GetResults()[0].GetError() != nil || res.GetResults()[0].GetCorrelationKey() != "a" || res.GetSchemaId() != s.id {
			t.Fatalf("%v %v", res, err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if got := end(stream); got != "Unknown " { // io.EOF: the end the client asked for
		t.Errorf("after the last: %s", got)
	}
}

// TestStreamsShowWhatTheirUserMayRead restricts a user to accounts without their telephone numbers.
func TestStreamsShowWhatTheirUserMayRead(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	u := asIntegration(t, o)
	err := o.RestrictProfile(t.Context(), "Standard User", &Permissions{
		Objects: map[string]Access{"Account": {Read: true}, "Call_Notice__e": {Read: true}}, Fields: map[string]FieldAccess{"Account.Fax": {Read: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	client, ctx := u.pubsub()
	for topic, readable := range map[string]bool{
		"/data/AccountChangeEvent": true, "/data/ContactChangeEvent": false, "/data/ChangeEvents": false, "/event/Call_Notice__e": true,
	} {
		info, err := client.GetTopic(ctx, &pubsubpb.TopicRequest{TopicName: topic})
		if err != nil || info.GetCanSubscribe() != readable || info.GetCanPublish() {
			t.Errorf("%s: %v %v", topic, info, err)
		}
		if !readable {
			if got := fetchEnd(subscribed(ctx, t, client, &pubsubpb.FetchRequest{TopicName: topic, NumRequested: 1})); got != "PermissionDenied subscription.topic.cannot.subscribe" {
				t.Errorf("%s: %s", topic, got)
			}
		}
	}
	_, err = client.Publish(ctx, &pubsubpb.PublishRequest{TopicName: "/event/Call_Notice__e", Events: []*pubsubpb.ProducerEvent{{}}})
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("publishing: %v", err)
	}
	o.create("Account", `{"Name":"Acme","Phone":"secret","Fax":"open"}`)
	stream := subscribed(ctx, t, client, &pubsubpb.FetchRequest{TopicName: "/data/AccountChangeEvent", NumRequested: 1, ReplayPreset: pubsubpb.ReplayPreset_EARLIEST})
	payload := string(receive(t, stream, 1)[0].GetEvent().GetPayload())
	if strings.Contains(payload, "secret") || !strings.Contains(payload, "open") || !strings.Contains(payload, "Acme") {
		t.Errorf("%q", payload)
	}
}

// TestManagedSubscriptionsAreRefusedWithTheirCodes follows the guide's table of errors of managed subscriptions.
func TestManagedSubscriptionsAreRefusedWithTheirCodes(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	client, ctx := o.pubsub()
	id := o.managedSub("Accounts", `"label":"Accounts","topicName":"/data/AccountChangeEvent"`)
	o.managedSub("Stopped", `"label":"Stopped","topicName":"/data/AccountChangeEvent","state":"STOP"`)
	end := func(requests ...*pubsubpb.ManagedFetchRequest) string {
		stream := managedStreamOf(ctx, t, client, requests[0])
		for _, in := range requests[1:] {
			if err := stream.Send(in); err != nil {
				t.Fatal(err)
			}
		}
		return ended(stream, func() error { _, err := stream.Recv(); return err })
	}
	commit := &pubsubpb.CommitReplayRequest{CommitRequestId: "x", ReplayId: replayBytes(0)}
	for name, c := range map[string]struct {
		in   *pubsubpb.ManagedFetchRequest
		want string
	}{
		"neither":         {&pubsubpb.ManagedFetchRequest{NumRequested: 1}, "InvalidArgument id.or.developer.name.empty"},
		"both":            {&pubsubpb.ManagedFetchRequest{SubscriptionId: id, DeveloperName: "Accounts", NumRequested: 1}, "InvalidArgument id.or.developer.name.empty"},
		"a short id":      {&pubsubpb.ManagedFetchRequest{SubscriptionId: "18x", NumRequested: 1}, "InvalidArgument subscription.id.invalid"},
		"an unknown id":   {&pubsubpb.ManagedFetchRequest{SubscriptionId: makeID(managedPrefix, 77), NumRequested: 1}, "NotFound subscription.id.not.found"},
		"an unknown name": {&pubsubpb.ManagedFetchRequest{DeveloperName: "None", NumRequested: 1}, "NotFound developer.name.not.found"},
		"stopped":         {&pubsubpb.ManagedFetchRequest{DeveloperName: "Stopped", NumRequested: 1}, "FailedPrecondition config.stopped"},
		"a commit":        {&pubsubpb.ManagedFetchRequest{SubscriptionId: id, NumRequested: 1, CommitReplayIdRequest: commit}, "InvalidArgument fetch.request.commit.request.restricted"},
		"a token":         {&pubsubpb.ManagedFetchRequest{SubscriptionId: id, NumRequested: 1, AuthRefresh: o.token}, "InvalidArgument fetch.request.auth.request.restricted"},
		"below zero":      {&pubsubpb.ManagedFetchRequest{SubscriptionId: id, NumRequested: -1}, "InvalidArgument fetch.request.events.invalid"},
	} {
		if got := strings.Replace(end(c.in), " "+managedCode, " ", 1); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	got := end(&pubsubpb.ManagedFetchRequest{DeveloperName: "Accounts", NumRequested: 1}, &pubsubpb.ManagedFetchRequest{})
	if got != "InvalidArgument "+managedCode+"fetch.request.invalid" {
		t.Errorf("nothing at all: %s", got)
	}
}

// TestCommitsAreOfWhatWasReceived refuses commits without ending the stream.
func TestCommitsAreOfWhatWasReceived(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	client, ctx := o.pubsub()
	o.managedSub("Accounts", `"label":"Accounts","topicName":"/data/AccountChangeEvent","defaultReplay":"EARLIEST"`)
	for i := range 3 {
		o.create("Account", fmt.Sprintf(`{"Name":"A%d"}`, i))
	}
	stream := managedStreamOf(ctx, t, client, &pubsubpb.ManagedFetchRequest{DeveloperName: "Accounts", NumRequested: 2})
	got := managedEvents(t, stream, 2)
	for _, c := range []struct {
		replay []byte
		want   string // of the error
	}{
		{nil, "no Replay ID"},
		{replayBytes(3), "not delivered yet"},
		{got[1].GetReplayId(), ""},
		{got[0].GetReplayId(), "older than the one"},
		{got[1].GetReplayId(), ""},
	} {
		answer := commitReplay(t, stream, "c", c.replay)
		if msg := answer.GetError().GetMsg(); (c.want == "") != (answer.GetError() == nil) || !strings.Contains(msg, c.want) {
			t.Errorf("%x: %v", c.replay, answer)
		}
	}
	if err := stream.Send(&pubsubpb.ManagedFetchRequest{NumRequested: 1}); err != nil {
		t.Fatal(err)
	}
	if rest := managedEvents(t, stream, 1); string(rest[0].GetReplayId()) != string(replayBytes(3)) {
		t.Errorf("%v", rest)
	}
}

// TestPlatformEventsAreNamedAlike compares the name of an event by REST, by the Pub/Sub API and by CometD.
func TestPlatformEventsAreNamedAlike(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = time.Second
	client, ctx := o.pubsub()
	const topic = "/event/Call_Notice__e"
	_, out := o.api(http.MethodPost, "/sobjects/Call_Notice__e", `{"Message__c":"by REST"}`)
	_, told, _ := strings.Cut(out, `"message":"`)
	schema := o.events.byChannel[topic]
	mine := &pubsubpb.ProducerEvent{Id: "mine", SchemaId: schema.id, Payload: schema.avro(&change{at: fixedNow(), user: "005"}, record{})}
	res, err := client.Publish(ctx, &pubsubpb.PublishRequest{TopicName: topic, Events: []*pubsubpb.ProducerEvent{mine, {Id: strings.Repeat("x", 256), SchemaId: schema.id, Payload: mine.GetPayload()}}})
	if err != nil || res.GetResults()[0].GetCorrelationKey() != "mine" || res.GetResults()[0].GetError() != nil || res.GetResults()[1].GetError() == nil {
		t.Fatalf("%v %v", res, err)
	}
	got := receive(t, subscribed(ctx, t, client, &pubsubpb.FetchRequest{TopicName: topic, NumRequested: 2, ReplayPreset: pubsubpb.ReplayPreset_EARLIEST}), 2)
	if first := got[0].GetEvent().GetId(); len(first) != 36 || !strings.HasPrefix(told, first) || got[1].GetEvent().GetId() != "mine" {
		t.Errorf("%v, told %.40s", got, told)
	}
	s := o.stream()
	s.join(topic, replayAll)
	for i, e := range s.events(2) {
		event, _ := e["event"].(map[string]any)
		if event["EventUuid"] != got[i].GetEvent().GetId() {
			t.Errorf("%v", e)
		}
	}
}

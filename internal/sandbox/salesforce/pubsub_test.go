package salesforce

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tandemcc/tandem/internal/pubsubpb"
)

// pubsub starts the API and returns a client that is signed in.
func (o *testOrg) pubsub() (pubsubpb.PubSubClient, context.Context) {
	o.t.Helper()
	p, err := o.PubSub("127.0.0.1:0")
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			o.t.Error(err)
		}
	})
	p.keepAlive, p.idle = 50*time.Millisecond, time.Second
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(p.Certificate()))
	conn, err := grpc.NewClient(p.Addr(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, Time: fixedNow})))
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { _ = conn.Close() })
	ctx := metadata.AppendToOutgoingContext(o.t.Context(), "accesstoken", o.token, "instanceurl", o.url, "tenantid", orgID)
	return pubsubpb.NewPubSubClient(conn), ctx
}

// receive reads n events, passing over heartbeats.
func receive(t *testing.T, stream pubsubpb.PubSub_SubscribeClient, n int) []*pubsubpb.ConsumerEvent {
	t.Helper()
	var out []*pubsubpb.ConsumerEvent
	for len(out) < n {
		res, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d events: %v", len(out), err)
		}
		out = append(out, res.GetEvents()...)
	}
	return out
}

func TestPubSubChangeEvents(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	client, ctx := o.pubsub()
	topic, err := client.GetTopic(ctx, &pubsubpb.TopicRequest{TopicName: "/data/AccountChangeEvent"})
	if err != nil || !topic.GetCanSubscribe() || topic.GetCanPublish() {
		t.Fatalf("%v %v", topic, err)
	}
	schema, err := client.GetSchema(ctx, &pubsubpb.SchemaRequest{SchemaId: topic.GetSchemaId()})
	if err != nil || !json.Valid([]byte(schema.GetSchemaJson())) || !strings.Contains(schema.GetSchemaJson(), `"BillingAddress"`) {
		t.Fatalf("%v %v", schema, err)
	}
	stream, err := client.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pubsubpb.FetchRequest{TopicName: "/data/AccountChangeEvent", NumRequested: 2}); err != nil {
		t.Fatal(err)
	}
	if res, err := stream.Recv(); err != nil || len(res.GetEvents()) != 0 || res.GetPendingNumRequested() != 2 { // subscribed, for certain
		t.Fatalf("heartbeat: %v %v", res, err)
	}
	for _, name := range []string{"A", "B", "C"} {
		o.create("Account", `{"Name":"`+name+`"}`)
	}
	first := receive(t, stream, 2)
	if len(first) != 2 || !strings.Contains(string(first[0].GetEvent().GetPayload()), "Account") {
		t.Fatalf("%d events for 2 requested", len(first))
	}
	if res, err := stream.Recv(); err != nil || len(res.GetEvents()) != 0 || res.GetPendingNumRequested() != 0 {
		t.Fatalf("more than was asked for: %v %v", res, err)
	}
	if err := stream.Send(&pubsubpb.FetchRequest{NumRequested: 5}); err != nil {
		t.Fatal(err)
	}
	if third := receive(t, stream, 1); binary.BigEndian.Uint64(third[0].GetReplayId()) != 3 {
		t.Errorf("%v", third)
	}
	again, err := client.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	req := &pubsubpb.FetchRequest{TopicName: "/data/ChangeEvents", NumRequested: 10, ReplayPreset: pubsubpb.ReplayPreset_CUSTOM, ReplayId: first[0].GetReplayId()}
	if err := again.Send(req); err != nil {
		t.Fatal(err)
	}
	if rest := receive(t, again, 2); rest[0].GetEvent().GetId() != first[1].GetEvent().GetId() {
		t.Errorf("after the first: %v", rest)
	}
}

func TestPubSubPublish(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	client, ctx := o.pubsub()
	topic, err := client.GetTopic(ctx, &pubsubpb.TopicRequest{TopicName: "/event/Call_Notice__e"})
	if err != nil || !topic.GetCanPublish() {
		t.Fatalf("%v %v", topic, err)
	}
	s := o.events.byID[topic.GetSchemaId()]
	want := record{"Message__c": "ring", "Seconds__c": 2.5, "Urgent__c": int64(1), "At__c": fixedNow().UnixMilli()}
	payload := s.avro(&change{at: fixedNow(), user: "005"}, want)
	out, err := client.Publish(ctx, &pubsubpb.PublishRequest{TopicName: "/event/Call_Notice__e", Events: []*pubsubpb.ProducerEvent{
		{Id: "1", SchemaId: s.id, Payload: payload}, {Id: "2", SchemaId: "other", Payload: payload}, {Id: "3", SchemaId: s.id, Payload: payload[:5]},
	}})
	if err != nil || len(out.GetResults()) != 3 || out.GetResults()[0].GetError() != nil || out.GetResults()[1].GetError() == nil || out.GetResults()[2].GetError() == nil {
		t.Fatalf("%v %v", out, err)
	}
	stream, err := client.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pubsubpb.FetchRequest{TopicName: "/event/Call_Notice__e", NumRequested: 1, ReplayPreset: pubsubpb.ReplayPreset_EARLIEST}); err != nil {
		t.Fatal(err)
	}
	got, err := s.decode(receive(t, stream, 1)[0].GetEvent().GetPayload())
	if err != nil || got["Message__c"] != "ring" || got["Seconds__c"] != 2.5 || got["Urgent__c"] != true || got["At__c"] != "2026-11-18T15:30:00.000+0000" {
		t.Errorf("%v %v", got, err)
	}
	for topic, code := range map[string]codes.Code{"/event/None__e": codes.NotFound, "/data/AccountChangeEvent": codes.PermissionDenied} {
		if _, err := client.Publish(ctx, &pubsubpb.PublishRequest{TopicName: topic, Events: []*pubsubpb.ProducerEvent{{}}}); status.Code(err) != code {
			t.Errorf("%s: %v", topic, err)
		}
	}
}

func TestPubSubRefusals(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	client, ctx := o.pubsub()
	if _, err := client.GetTopic(t.Context(), &pubsubpb.TopicRequest{TopicName: "/data/AccountChangeEvent"}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a session: %v", err)
	}
	if _, err := client.GetSchema(ctx, &pubsubpb.SchemaRequest{SchemaId: "x"}); status.Code(err) != codes.NotFound {
		t.Errorf("an unknown schema: %v", err)
	}
	for name, in := range map[string]*pubsubpb.FetchRequest{
		"no number":    {TopicName: "/data/AccountChangeEvent"},
		"too many":     {TopicName: "/data/AccountChangeEvent", NumRequested: 101},
		"short replay": {TopicName: "/data/AccountChangeEvent", NumRequested: 1, ReplayPreset: pubsubpb.ReplayPreset_CUSTOM, ReplayId: []byte{1}},
		"wrong replay": {TopicName: "/data/AccountChangeEvent", NumRequested: 1, ReplayPreset: pubsubpb.ReplayPreset_CUSTOM, ReplayId: replayBytes(77)},
		"minus one":    {TopicName: "/data/AccountChangeEvent", NumRequested: 1, ReplayPreset: pubsubpb.ReplayPreset_CUSTOM, ReplayId: replayBytes(-5)},
	} {
		stream, err := client.Subscribe(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(in); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBitmaps(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	s := o.events.byChannel["/data/AccountChangeEvent"]
	all := func(any) bool { return true }
	if got := s.bitmaps(record{"Name": "x"}, all); len(got) != 1 || got[0] != "0x02" {
		t.Errorf("Name alone: %v", got)
	}
	got := s.bitmaps(record{"Name": "x", "BillingCity": nil}, all)
	if len(got) != 2 || got[0] != "0x02" || !strings.HasSuffix(got[1], "-0x02") {
		t.Errorf("with a part of an address: %v", got)
	}
}

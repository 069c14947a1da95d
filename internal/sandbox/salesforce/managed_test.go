package salesforce

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tandemcc/tandem/internal/pubsubpb"
)

// managedSub makes a managed subscription and returns its id.
func (o *testOrg) managedSub(name, metadata string) string {
	o.t.Helper()
	code, out := o.api(http.MethodPost, "/tooling/sobjects/ManagedEventSubscription", `{"FullName":"`+name+`","Metadata":{`+metadata+`}}`)
	_, rest, _ := strings.Cut(out, `"id":"`)
	if code != http.StatusCreated || len(rest) < 18 {
		o.t.Fatalf("%d %s", code, out)
	}
	return rest[:18]
}

// managedStreamOf opens a managed subscription.
func managedStreamOf(ctx context.Context, t *testing.T, client pubsubpb.PubSubClient, in *pubsubpb.ManagedFetchRequest) pubsubpb.PubSub_ManagedSubscribeClient {
	t.Helper()
	stream, err := client.ManagedSubscribe(ctx)
	if err == nil {
		err = stream.Send(in)
	}
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// managedEvents reads n events, passing over heartbeats.
func managedEvents(t *testing.T, stream pubsubpb.PubSub_ManagedSubscribeClient, n int) (out []*pubsubpb.ConsumerEvent) {
	t.Helper()
	for len(out) < n {
		res, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d events: %v", len(out), err)
		}
		out = append(out, res.GetEvents()...)
	}
	return out
}

// commitReplay keeps a place and returns the answer.
func commitReplay(t *testing.T, stream pubsubpb.PubSub_ManagedSubscribeClient, id string, replay []byte) *pubsubpb.CommitReplayResponse {
	t.Helper()
	if err := stream.Send(&pubsubpb.ManagedFetchRequest{CommitReplayIdRequest: &pubsubpb.CommitReplayRequest{CommitRequestId: id, ReplayId: replay}}); err != nil {
		t.Fatal(err)
	}
	for {
		res, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if c := res.GetCommitResponse(); c != nil {
			return c
		}
	}
}

func TestManagedSubscribe(t *testing.T) {
	t.Parallel()
	now := fixedNow()
	o := start(t, Options{Seed: SeedNone, Now: func() time.Time { return now }})
	client, ctx := o.pubsub()
	id := o.managedSub("Accounts", `"label":"Accounts","topicName":"/data/AccountChangeEvent","defaultReplay":"EARLIEST","errorRecoveryReplay":"EARLIEST"`)
	for _, name := range []string{"A", "B", "C"} {
		o.create("Account", `{"Name":"`+name+`"}`)
	}
	first, leave := context.WithCancel(ctx)
	stream := managedStreamOf(first, t, client, &pubsubpb.ManagedFetchRequest{DeveloperName: "accounts", NumRequested: 2})
	got := managedEvents(t, stream, 2)
	if len(got) != 2 {
		t.Fatalf("%d events for 2 requested", len(got))
	}
	second := managedStreamOf(ctx, t, client, &pubsubpb.ManagedFetchRequest{SubscriptionId: id, NumRequested: 1})
	if _, err := second.Recv(); status.Code(err) != codes.AlreadyExists {
		t.Errorf("a second client: %v", err)
	}
	if c := commitReplay(t, stream, "one", got[0].GetReplayId()); c.GetError() != nil || c.GetCommitRequestId() != "one" || string(c.GetReplayId()) != string(got[0].GetReplayId()) || c.GetProcessTime() != now.UnixMilli() {
		t.Errorf("a commit: %v", c)
	}
	for name, replay := range map[string][]byte{"short": {1}, "never was": replayBytes(99), "below zero": replayBytes(-1)} {
		if c := commitReplay(t, stream, name, replay); c.GetError().GetCode() != pubsubpb.ErrorCode_COMMIT {
			t.Errorf("%s: %v", name, c)
		}
	}
	leave()
	// The org notices by itself that a client went.
	var again pubsubpb.PubSub_ManagedSubscribeClient
	for {
		again = managedStreamOf(ctx, t, client, &pubsubpb.ManagedFetchRequest{SubscriptionId: id, NumRequested: 10})
		res, err := again.Recv()
		if status.Code(err) == codes.AlreadyExists {
			continue
		}
		if err != nil || len(res.GetEvents()) != 2 || string(res.GetEvents()[0].GetReplayId()) != string(got[1].GetReplayId()) {
			t.Fatalf("after a commit: %v %v", res, err)
		}
		break
	}
}

func TestManagedSubscribeRecovers(t *testing.T) {
	t.Parallel()
	now := fixedNow()
	o := start(t, Options{Seed: SeedNone, Now: func() time.Time { return now }, SessionTTL: 2 * retention})
	client, ctx := o.pubsub()
	o.managedSub("Old", `"label":"Old","topicName":"/data/ChangeEvents","defaultReplay":"LATEST","errorRecoveryReplay":"EARLIEST"`)
	o.create("Account", `{"Name":"Old"}`)
	o.create("Account", `{"Name":"Older than the retention"}`)
	if err := o.execManaged(t.Context(), `UPDATE managed_subscription SET committed = 1`); err != nil {
		t.Fatal(err)
	}
	now = now.Add(retention + time.Hour)
	o.create("Account", `{"Name":"New"}`)
	stream := managedStreamOf(ctx, t, client, &pubsubpb.ManagedFetchRequest{DeveloperName: "Old", NumRequested: 5})
	if got := managedEvents(t, stream, 1); len(got) != 1 || string(got[0].GetReplayId()) != string(replayBytes(3)) {
		t.Errorf("%v", got)
	}
}

func TestManagedSubscriptionsByTooling(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	const path = "/tooling/sobjects/ManagedEventSubscription"
	for body, code := range map[string]string{
		`{"FullName":"a b","Metadata":{}}`:                                                                    "INVALID_FULL_NAME",
		`{"FullName":"a","Metadata":{"topicName":"/data/ChangeEvents"}}`:                                      "REQUIRED_FIELD_MISSING",
		`{"FullName":"a","Metadata":{"label":"A","topicName":"/data/Nothing"}}`:                               "INVALID_INPUT",
		`{"FullName":"a","Metadata":{"label":"A","topicName":"/data/ChangeEvents","defaultReplay":"CUSTOM"}}`: "INVALID_INPUT",
		`{"FullName":"a","Metadata":{"label":"A","topicName":"/data/ChangeEvents","state":"WALK"}}`:           "INVALID_INPUT",
		`{"FullName":"a","Metadata":"b"}`:                                                                     "JSON_PARSER_ERROR",
	} {
		if got, out := o.api(http.MethodPost, path, body); got != http.StatusBadRequest || !strings.Contains(out, code) {
			t.Errorf("%s: %d %s", body, got, out)
		}
	}
	id := o.managedSub("Ring_Ring", `"label":"Ring","topicName":"/event/Call_Notice__e"`)
	if got, out := o.api(http.MethodPost, path, `{"FullName":"ring_ring","Metadata":{"label":"A","topicName":"/data/ChangeEvents"}}`); got != http.StatusBadRequest || !strings.Contains(out, "DUPLICATE_DEVELOPER_NAME") {
		t.Errorf("a name twice: %d %s", got, out)
	}
	if got, out := o.api(http.MethodGet, path+"/"+id[:15], ""); got != http.StatusOK || !strings.Contains(out, `"defaultReplay":"LATEST"`) || !strings.Contains(out, `"FullName":"Ring_Ring"`) {
		t.Errorf("%d %s", got, out)
	}
	if got, out := o.api(http.MethodPatch, path+"/"+id, `{"Metadata":{"topicName":"/data/ChangeEvents"}}`); got != http.StatusBadRequest {
		t.Errorf("another topic: %d %s", got, out)
	}
	if got, out := o.api(http.MethodPatch, path+"/"+id, `{"Metadata":{"state":"STOP"}}`); got != http.StatusNoContent {
		t.Errorf("stopping: %d %s", got, out)
	}
	client, ctx := o.pubsub()
	for name, code := range map[string]codes.Code{"Ring_Ring": codes.FailedPrecondition, "None": codes.NotFound} {
		stream := managedStreamOf(ctx, t, client, &pubsubpb.ManagedFetchRequest{DeveloperName: name, NumRequested: 1})
		if _, err := stream.Recv(); status.Code(err) != code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, _ := o.api(http.MethodDelete, path+"/"+id, ""); got != http.StatusNoContent {
		t.Errorf("deleting: %d", got)
	}
	if got, _ := o.api(http.MethodGet, path+"/"+id, ""); got != http.StatusNotFound {
		t.Errorf("after deleting: %d", got)
	}
	o.version = "v59.0"
	if got, _ := o.api(http.MethodPost, path, `{}`); got != http.StatusNotFound {
		t.Errorf("before its version: %d", got)
	}
}

// TestRefusalsNameTheirCause reads what clients tell errors apart by.
func TestRefusalsNameTheirCause(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	client, ctx := o.pubsub()
	stream, err := client.Subscribe(ctx)
	if err == nil {
		err = stream.Send(&pubsubpb.FetchRequest{
			TopicName: "/data/AccountChangeEvent", NumRequested: 1, ReplayPreset: pubsubpb.ReplayPreset_CUSTOM, ReplayId: replayBytes(77),
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	trailer := stream.Trailer()
	code, rpc := trailer.Get("error-code"), trailer.Get("rpc-id")
	if len(code) != 1 || code[0] != "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.corrupted" || len(rpc) != 1 || !strings.HasSuffix(err.Error(), "rpcId: "+rpc[0]) {
		t.Errorf("%v %v", err, trailer)
	}
}

func TestEventsWithinTheLimits(t *testing.T) {
	t.Parallel()
	var txn txnState
	large := make([]byte, maxEvent+1)
	if kind, id, data := txn.bounded("AccountChangeEvent", kindUpdate, "001", large); kind != "GAP_UPDATE" || id != "001" || string(data) != "{}" {
		t.Errorf("too large: %s %s %d", kind, id, len(data))
	}
	txn.changes = maxChanges
	if kind, _, _ := txn.bounded("AccountChangeEvent", kindCreate, "001", nil); kind != kindCreate {
		t.Errorf("the last of its own: %s", kind)
	}
	txn.changes++
	for _, want := range []changeKind{kindOverflow, ""} {
		if kind, id, _ := txn.bounded("AccountChangeEvent", kindCreate, "001", nil); kind != want || id != "" {
			t.Errorf("past the limit: %s %s instead of %s", kind, id, want)
		}
	}
	if kind, _, _ := txn.bounded("ContactChangeEvent", kindCreate, "003", nil); kind != kindOverflow {
		t.Errorf("of another entity: %s", kind)
	}
	if kind, _, _ := txn.bounded("/event/X__e", kindEvent, "e00", nil); kind != kindEvent {
		t.Errorf("a platform event: %s", kind)
	}
	o := start(t, Options{Seed: SeedNone})
	err := o.store.update(t.Context(), func(tx *sql.Tx) error {
		o.store.txn.changes = maxChanges
		_, err := o.Org.create(t.Context(), tx, o.admin, o.schema.object("Account"), record{"Name": "One too many"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := o.changesAfter(t.Context(), allChanges, 0, 2, deliverBytes)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d events, %v", len(list), err)
	}
	if data, err := o.message(t.Context(), list[0], o.viewOf(t.Context(), o.admin), o.admin, "/data/ChangeEvents"); err != nil || !strings.Contains(string(data), `"changeType":"GAP_OVERFLOW"`) || !strings.Contains(string(data), `"recordIds":[]`) {
		t.Errorf("%s %v", data, err)
	}
}

// TestSleepingSubscribersLoseNothing lets subscribers of both kinds read nothing while 100,000 changes come: whoever reads
// gets them all meanwhile, and they get them all later.
func TestSleepingSubscribersLoseNothing(t *testing.T) {
	t.Parallel()
	const n = 100_000
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = 10 * time.Second
	client, ctx := o.pubsub()
	subscribe := func() pubsubpb.PubSub_SubscribeClient {
		stream, err := client.Subscribe(ctx)
		if err == nil {
			err = stream.Send(&pubsubpb.FetchRequest{TopicName: "/data/AccountChangeEvent", NumRequested: maxFetch})
		}
		if err == nil {
			_, err = stream.Recv() // a heartbeat: subscribed, for certain
		}
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	sleeping, awake := subscribe(), subscribe()
	comet := o.stream()
	comet.join("/data/AccountChangeEvent", replayNew)
	read := make(chan error, 1)
	go func() { read <- readAll(awake, n) }()
	var data strings.Builder
	data.WriteString("Name\n")
	for i := range n {
		fmt.Fprintf(&data, "Account %d\n", i)
	}
	if j := o.load(`{"object":"Account","operation":"insert"}`, data.String()); j.Processed != n || j.Failed != 0 {
		t.Fatalf("%+v", j)
	}
	if err := <-read; err != nil {
		t.Errorf("who reads while others sleep: %v", err)
	}
	if err := readAll(sleeping, n); err != nil {
		t.Errorf("who slept: %v", err)
	}
	next := int64(1)
	for next <= n {
		got := dataOf(comet.post(fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q,"connectionType":"long-polling"}]`, comet.id)))
		if len(got) == 0 {
			t.Fatalf("CometD stops before event %d", next)
		}
		for _, e := range got {
			if replayID(e) != next {
				t.Fatalf("CometD brings %d instead of %d", replayID(e), next)
			}
			next++
		}
	}
}

// readAll asks for events and reads them until n have come, each once and in order.
func readAll(stream pubsubpb.PubSub_SubscribeClient, n int) error {
	next := int64(1)
	for next <= int64(n) {
		res, err := stream.Recv()
		if err != nil {
			return err
		}
		if len(res.GetEvents()) > maxFetch {
			return fmt.Errorf("%d events at once", len(res.GetEvents()))
		}
		for _, e := range res.GetEvents() {
			if at, _ := replayNumber(e.GetReplayId()); at != next {
				return fmt.Errorf("event %d instead of %d", at, next)
			}
			next++
		}
		if res.GetPendingNumRequested() == 0 && len(res.GetEvents()) > 0 {
			if err := stream.Send(&pubsubpb.FetchRequest{NumRequested: maxFetch}); err != nil {
				return err
			}
		}
	}
	return nil
}

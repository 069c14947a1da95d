package salesforce

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tandemcc/tandem/internal/pubsubpb"
)

const killedEnv = "TANDEM_TEST_KILLED_ORG"

var killedCredentials = Credentials{ClientID: "id", ClientSecret: "secret", Username: "admin@killed.example", Password: "pw", SecurityToken: "st"} //nolint:gochecknoglobals // never changed

// TestKilledOrg is the process that TestNoEventIsLostWhenKilled kills; by itself it does nothing.
func TestKilledOrg(t *testing.T) {
	dir := os.Getenv(killedEnv)
	if dir == "" {
		return
	}
	org, err := New(Options{Dir: dir, Seed: SeedNone, Credentials: killedCredentials})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(org.Handler())
	fmt.Fprintln(os.Stdout, "killed org at "+server.URL)
	select {} // until it is killed
}

// TestNoEventIsLostWhenKilled kills the org while it is written to: whatever was written has its event, nothing else has
// one, and what was answered is there.
func TestNoEventIsLostWhenKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	answered := map[string]bool{}
	const rounds = 3
	for range rounds {
		for id := range writeUntilKilled(t, dir, 40) {
			answered[id] = true
		}
	}
	o := start(t, Options{Dir: dir, Now: time.Now})
	events, last := map[string]int{}, int64(0)
	list, err := o.changesAfter(t.Context(), "/data/AccountChangeEvent", 0, 1_000_000, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		if c.seq <= last {
			t.Fatalf("replay id %d after %d", c.seq, last)
		}
		events[c.id]++
		last = c.seq
	}
	rows, err := o.store.read.QueryContext(t.Context(), `SELECT "Id" FROM "Account"`)
	if err != nil {
		t.Fatal(err)
	}
	records, err := scanAll(rows, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range records {
		id, _ := row[0].(string)
		if events[id] != 1 {
			t.Errorf("%s has %d events", id, events[id])
		}
		delete(answered, id)
	}
	if len(records) != len(events) || len(answered) > 0 || len(records) < rounds {
		t.Errorf("%d records, %d events, %d answered and not there", len(records), len(events), len(answered))
	}
}

// writeUntilKilled starts the org in another process, creates accounts by several clients, kills it after n and returns
// the ids it answered.
func writeUntilKilled(t *testing.T, dir string, n int) map[string]bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledOrg$", "-test.v")
	cmd.Env = append(os.Environ(), killedEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	o := &testOrg{t: t}
	for lines := bufio.NewScanner(out); o.url == "" && lines.Scan(); {
		_, o.url, _ = strings.Cut(lines.Text(), "killed org at ")
	}
	if o.url == "" {
		t.Fatal("the org did not start")
	}
	o.Org = &Org{creds: killedCredentials}
	o.login()
	var mu sync.Mutex // guards ids
	ids := map[string]bool{}
	var writers sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id, ok := o.tryCreate(ctx, fmt.Sprintf("%d-%d", w, i))
				if !ok {
					return
				}
				mu.Lock()
				ids[id] = true
				enough := len(ids) >= n
				mu.Unlock()
				if enough {
					_ = cmd.Process.Kill() // SIGKILL, while the others write; more than once does no harm
				}
			}
		})
	}
	writers.Wait()
	_ = cmd.Wait() // it was killed
	return ids
}

// tryCreate makes an account; false: the org is gone.
func (o *testOrg) tryCreate(ctx context.Context, name string) (string, bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url+"/services/data/v60.0/sobjects/Account", strings.NewReader(`{"Name":"`+name+`"}`))
	if err != nil {
		return "", false
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return "", false
	}
	defer func() { _ = res.Body.Close() }()
	line, _ := bufio.NewReader(res.Body).ReadString('}')
	_, id, found := strings.Cut(line, `"id":"`)
	if res.StatusCode != http.StatusCreated || !found || len(id) < 18 {
		return "", false
	}
	return id[:18], true
}

// TestStreamsGoOnAfterARestart stops the org between events: replay ids go on, sessions live, and subscribers of both
// kinds resume where they were.
func TestStreamsGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, Options{Seed: SeedNone, Dir: dir})
	first.comet.poll = time.Second
	client, ctx := first.pubsub()
	comet := first.stream()
	comet.join("/data/AccountChangeEvent", replayNew)
	before := subscribed(ctx, t, client, &pubsubpb.FetchRequest{TopicName: "/data/AccountChangeEvent", NumRequested: 10})
	if _, err := before.Recv(); err != nil {
		t.Fatal(err)
	}
	first.create("Account", `{"Name":"A"}`)
	first.create("Account", `{"Name":"B"}`)
	seen := receive(t, before, 1)
	if got := comet.events(1); len(got) == 0 || replayID(got[0]) != 1 {
		t.Fatalf("%v", got)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	o := start(t, Options{Dir: dir})
	o.comet.poll = time.Second
	o.create("Account", `{"Name":"C"}`)
	o.token = first.token // of before
	client, ctx = o.pubsub()
	again := subscribed(ctx, t, client, &pubsubpb.FetchRequest{
		TopicName: "/data/AccountChangeEvent", NumRequested: 10, ReplayPreset: pubsubpb.ReplayPreset_CUSTOM, ReplayId: seen[0].GetReplayId(),
	})
	if got := receive(t, again, 2); string(got[0].GetReplayId()) != string(replayBytes(2)) || string(got[1].GetReplayId()) != string(replayBytes(3)) {
		t.Errorf("%v", got)
	}
	after := &stream{testOrg: o, id: comet.id}
	if got := after.post(fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q}]`, comet.id)); got[0]["error"] != errUnknownClient {
		t.Errorf("a client of before: %v", got)
	}
	fresh := o.stream()
	fresh.join("/data/AccountChangeEvent", 1)
	if got := fresh.events(2); len(got) != 2 || replayID(got[0]) != 2 || replayID(got[1]) != 3 {
		t.Errorf("%v", got)
	}
}

// TestStoppedReadersHoldNobodyUp leaves streams of both kinds unread, one of them in the middle of a response, while others
// read and the org is written to. Those who stopped lose nothing.
func TestStoppedReadersHoldNobodyUp(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.comet.poll = 5 * time.Second
	client, ctx := o.pubsub()
	const topic = "/data/AccountChangeEvent"
	ask := &pubsubpb.FetchRequest{TopicName: topic, NumRequested: maxFetch, ReplayPreset: pubsubpb.ReplayPreset_EARLIEST}
	more := &pubsubpb.FetchRequest{NumRequested: maxFetch}
	stopped := subscribed(ctx, t, client, ask, more, more, more, more, more) // all that comes may be sent, and nobody reads it
	asleep := o.stream()
	asleep.join(topic, replayNew)
	reading := subscribed(ctx, t, client, ask, more, more, more, more, more)
	fast := o.stream()
	fast.join(topic, replayNew)
	const n = 6 * maxFetch
	text := strings.Repeat("x", 30_000) // more than flow control lets pass unread
	var data strings.Builder
	data.WriteString("Name,Description\n")
	for i := range n {
		fmt.Fprintf(&data, "Account %d,%s\n", i, text)
	}
	if j := o.load(`{"object":"Account","operation":"insert"}`, data.String()); j.Failed != 0 || j.Processed != n {
		t.Fatalf("%+v", j)
	}
	inOrder := func(name string, got []*pubsubpb.ConsumerEvent) {
		for i, e := range got {
			if string(e.GetReplayId()) != string(replayBytes(int64(i+1))) {
				t.Fatalf("%s: event %d is %x", name, i, e.GetReplayId())
			}
		}
	}
	inOrder("who reads", receive(t, reading, n))
	if got := fast.all(n); got != n {
		t.Errorf("who connects: %d events", got)
	}
	inOrder("who stopped", receive(t, stopped, n))
	if got := asleep.all(n); got != n {
		t.Errorf("who slept: %d events", got)
	}
}

// all connects until n events have come, each once and in order, and returns their number.
func (s *stream) all(n int) int {
	next := int64(1)
	for int(next) <= n {
		got := dataOf(s.post(fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q,"connectionType":"long-polling"}]`, s.id)))
		for _, e := range got {
			if replayID(e) != next {
				return int(next - 1)
			}
			next++
		}
		if len(got) == 0 {
			break
		}
	}
	return int(next - 1)
}

// TestStreamsEndWhenTheyAreCut ends streams that wait and streams that have more to deliver than they can.
func TestStreamsEndWhenTheyAreCut(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	client, ctx := o.pubsub()
	waiting := subscribed(ctx, t, client, &pubsubpb.FetchRequest{TopicName: "/data/AccountChangeEvent", NumRequested: 1})
	if _, err := waiting.Recv(); err != nil {
		t.Fatal(err)
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
	o.CutStreams()
	if got := fetchEnd(waiting); got != codes.Unavailable.String()+" service.unavailable" {
		t.Errorf("%s", got)
	}
	if _, err := publishing.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("%v", err)
	}
}

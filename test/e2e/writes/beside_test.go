package writes

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/crm"
	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/httpx"
	"github.com/tandemcc/tandem/internal/sandbox/kit"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/soql"
)

// What goes on beside the comments in the same storm: a bulk load of which the org refuses single records, and a subscription whose
// stream has gaps.

// bulkRows is how many contacts are inserted beside the comments.
const bulkRows = 300

// loader inserts contacts in bulk until each is taken.
type loader struct {
	client *salesforce.Client
	failed int // records refused on the way
	done   chan error
}

func startLoader(ctx context.Context, c *salesforce.Client) *loader {
	l := &loader{client: c, done: make(chan error, 1)}
	go func() { l.done <- l.run(ctx) }()
	return l
}

// run loads, and loads again what single records failed of.
func (l *loader) run(ctx context.Context) error {
	var names []string
	for i := range bulkRows {
		names = append(names, fmt.Sprintf("Bulk %03d", i))
	}
	for len(names) > 0 {
		again := map[string]bool{} // a part is told again when the answer to its storing is lost
		load := salesforce.BulkLoad{
			Object: "Contact", Operation: "insert", Columns: []string{"LastName"}, PartBytes: 1000,
			Rows: func(skip int) iter.Seq2[[]string, error] {
				return func(yield func([]string, error) bool) {
					for _, name := range names[skip:] {
						if !yield([]string{name}, nil) {
							return
						}
					}
				}
			},
			Took: func(_ context.Context, p salesforce.BulkPart) error {
				for _, f := range p.Failures {
					again[f.Row["LastName"]] = true
				}
				return nil
			},
		}
		for load.Progress.Rows < len(names) {
			p, err := l.client.BulkLoad(ctx, load)
			load.Progress = p
			if err != nil && !sleep(ctx, 30*time.Millisecond) {
				return err
			}
		}
		names = names[:0:0]
		for name := range again {
			names = append(names, name)
		}
		l.failed += len(names)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// listener hears of changed cases.
type listener struct {
	org    *sandbox.Org
	pubsub *sandbox.PubSub
	client *salesforce.Client
	gaps   [2]kit.Fault // rules that lose and blank events
	cancel context.CancelFunc
	ended  chan error

	mu    sync.Mutex           // guards what follows
	cur   crm.Cursor           // kept as a database would
	heard map[string]time.Time // by case: the newest change, in the org's time
}

// Load implements crm.Cursors.
func (l *listener) Load(context.Context, string) (crm.Cursor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cur, nil
}

// Save implements crm.Cursors.
func (l *listener) Save(_ context.Context, _ string, c crm.Cursor) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cur = c
	return nil
}

func (l *listener) handle(_ context.Context, list []crm.Change) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ch := range list {
		for _, id := range ch.IDs {
			if ch.At.After(l.heard[id]) {
				l.heard[id] = ch.At
			}
		}
	}
	return nil
}

// startListener subscribes over the storm, with a stream that loses every third event and blanks another.
func startListener(t *testing.T, org *sandbox.Org, address, login string) *listener {
	t.Helper()
	l := &listener{org: org, heard: map[string]time.Time{}, ended: make(chan error, 1)}
	var err error
	if l.pubsub, err = org.PubSub("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	for i, kind := range []kit.FaultKind{kit.FaultEventDrop, kit.FaultEventGap} {
		if l.gaps[i], err = org.Faults().Add(kit.Fault{Kind: kind, Match: "/data/CaseChangeEvent", Share: 0.33}); err != nil {
			t.Fatal(err)
		}
	}
	h, err := httpx.New(httpx.Options{Allow: []string{strings.TrimPrefix(address, "http://"), l.pubsub.Addr()}, BreakerFailures: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	var cr sandbox.Credentials
	if err := json.Unmarshal([]byte(login), &cr); err != nil {
		t.Fatal(err)
	}
	l.client, err = salesforce.New(salesforce.Options{
		BaseURL: address, Grant: salesforce.ClientCredentials, HTTP: h, ClientID: cr.ClientID, ClientSecret: cr.ClientSecret, LimitPause: 40 * time.Millisecond,
		Streams: salesforce.Streams{Endpoint: l.pubsub.Addr(), Certificate: l.pubsub.Certificate(), Dial: h.Dial, Repair: time.Second, Reconnect: time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(t.Context())
	go func() {
		l.ended <- l.client.Subscribe(ctx, crm.Subscription{Name: "beside", Objects: []string{"Case"}, Cursors: l, Handle: l.handle})
	}()
	for begun := false; !begun; { // what happens before is nobody's gap
		cur, _ := l.Load(ctx, "") // never fails
		if begun = !cur.At.IsZero(); !begun && !sleep(ctx, 20*time.Millisecond) {
			t.Fatal(ctx.Err())
		}
	}
	return l
}

// struck is how often a rule has struck.
func struck(org *sandbox.Org, rule kit.Fault) int {
	rules, _ := org.Faults().List()
	for _, r := range rules {
		if r.ID == rule.ID {
			return r.Hits
		}
	}
	return 0
}

// stop waits until all changes are heard of, those after what the cursor began with, and ends the subscription.
func (l *listener) stop(t *testing.T, changed map[string]time.Time) {
	t.Helper()
	limit, last := time.After(2*time.Minute), ""
	for missing := true; missing; {
		missing = false
		l.mu.Lock()
		for id, at := range changed {
			if missing = missing || l.heard[id].Before(at); missing {
				last = id + " of " + at.String() + ", heard " + l.heard[id].String()
				break
			}
		}
		l.mu.Unlock()
		select {
		case <-limit:
			t.Fatalf("not all changed cases were heard of: %s; the cursor is %+v", last, l.cur)
		case <-time.After(20 * time.Millisecond):
		}
	}
	l.cancel()
	if err := <-l.ended; err != nil {
		t.Errorf("the subscription ended with %v", err)
	}
	l.client.Close()
	if err := l.pubsub.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	lost, blank := struck(l.org, l.gaps[0]), struck(l.org, l.gaps[1])
	t.Logf("  %d changes of cases heard of, %d events lost and %d blank", len(changed), lost, blank)
	if lost == 0 || blank == 0 {
		t.Error("the stream had no gaps: the test shows nothing of them")
	}
}

// loaded looks for the contacts of the bulk load.
func loaded(t *testing.T, c *salesforce.Client) {
	t.Helper()
	q, err := soql.Build("Contact").Select("LastName").Text()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for rec, err := range c.Query(t.Context(), salesforce.Query{Text: q}) {
		if err != nil {
			t.Fatal(err)
		}
		got[rec.Text("LastName")]++
	}
	if len(got) != bulkRows {
		t.Errorf("%d contacts were loaded, want %d", len(got), bulkRows)
	}
	for name, n := range got {
		if n != 1 {
			t.Errorf("%s was loaded %d times", name, n)
		}
	}
}

package salesforce_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/crm"
	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/httpx"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/sandbox/sandboxtest"
)

// cursors keep cursors in memory.
type cursors struct {
	mu sync.Mutex // guards m
	m  map[string]crm.Cursor
}

// Load implements crm.Cursors.
func (c *cursors) Load(_ context.Context, name string) (crm.Cursor, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m[name], nil
}

// Save implements crm.Cursors.
func (c *cursors) Save(_ context.Context, name string, cur crm.Cursor) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.m[name] = cur
	return nil
}

// listener subscribes to cases and collects what it is told.
type listener struct {
	t       *testing.T
	c       *salesforce.Client
	cursors *cursors
	cancel  context.CancelFunc
	ended   chan error

	changes chan crm.Change
	refuse  error // what Handle returns once
	mu      sync.Mutex
}

func (l *listener) start() {
	ctx, cancel := context.WithCancel(l.t.Context())
	l.cancel, l.ended = cancel, make(chan error, 1)
	go func() {
		l.ended <- l.c.Subscribe(ctx, crm.Subscription{Name: "test", Objects: []string{"Case"}, Cursors: l.cursors, Handle: func(_ context.Context, list []crm.Change) error {
			l.mu.Lock()
			err := l.refuse
			l.refuse = nil
			l.mu.Unlock()
			if err != nil {
				return err
			}
			for _, ch := range list {
				l.changes <- ch
			}
			return nil
		}})
	}()
}

func (l *listener) stop() {
	l.t.Helper()
	l.cancel()
	if err := <-l.ended; err != nil {
		l.t.Errorf("the subscription ended with %v", err)
	}
}

// hears waits for a change of the record.
func (l *listener) hears(id string, kind crm.ChangeKind) crm.Change {
	l.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case ch := <-l.changes:
			if slices.Contains(ch.IDs, id) && ch.Kind == kind {
				return ch
			}
		case <-limit:
			l.t.Fatalf("nothing was heard of %s being %s", id, kind)
		}
	}
}

// listen makes an org, with streams or without, and who listens to it.
func listen(t *testing.T, streams bool, repair time.Duration) *listener {
	t.Helper()
	org := sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone})
	o := salesforce.Streams{Repair: repair, Poll: 50 * time.Millisecond}
	allow := []string{strings.TrimPrefix(org.URL, "http://")}
	if streams {
		p, err := org.PubSub("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		})
		o.Endpoint, o.Certificate = p.Addr(), p.Certificate()
		allow = append(allow, p.Addr())
	}
	h, err := httpx.New(httpx.Options{Allow: allow})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	o.Dial = h.Dial
	c := connect(t, org, func(opts *salesforce.Options) { opts.Streams, opts.HTTP = o, h })
	return &listener{t: t, c: c, cursors: &cursors{m: map[string]crm.Cursor{}}, changes: make(chan crm.Change, 1000)}
}

func (l *listener) do(method, path, body string) {
	l.t.Helper()
	resp, err := l.c.Do(l.t.Context(), salesforce.Request{Method: method, Path: "/services/data/v68.0/sobjects/" + path, Body: []byte(body)})
	if err != nil || resp.Err() != nil {
		l.t.Fatalf("%s %s: %v, %v", method, path, err, resp)
	}
}

// ready makes changes until one is heard: from then on the subscription runs.
func (l *listener) ready() {
	l.t.Helper()
	id := create(l.t, l.c, `{"Subject":"first"}`)
	for {
		l.do(http.MethodPatch, "Case/"+id, `{"Subject":"again"}`)
		select {
		case <-l.changes:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestSubscribe hears of changes as they happen or by comparing, and after a pause of what happened in it, deletions too.
func TestSubscribe(t *testing.T) {
	t.Parallel()
	for name, streams := range map[string]bool{"streams": true, "comparing": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listen(t, streams, time.Hour)
			l.start()
			l.ready()
			id := create(t, l.c, `{"Subject":"new","Priority":"High"}`)
			ch := l.hears(id, crm.Created)
			if ch.At.IsZero() || ch.Object != "Case" || streams && (ch.Repaired || ch.Fields["Subject"] != "new") {
				t.Errorf("heard %+v", ch)
			}
			l.do(http.MethodPatch, "Case/"+id, `{"Subject":"other"}`)
			if streams {
				if ch := l.hears(id, crm.Updated); ch.Fields["Subject"] != "other" || ch.Fields["Priority"] != nil {
					t.Errorf("the change tells %+v", ch.Fields)
				}
			}
			l.mu.Lock()
			l.refuse = errors.New("the disk is full") // what is not taken comes again
			l.mu.Unlock()
			again := create(t, l.c, `{"Subject":"told twice"}`)
			l.hears(again, crm.Created)
			l.stop()

			late := create(t, l.c, `{"Subject":"in the pause"}`)
			l.do(http.MethodDelete, "Case/"+id, ``)
			l.start()
			l.hears(late, crm.Created)
			l.stop()
			l.start()
			l.do(http.MethodDelete, "Case/"+late, ``)
			l.hears(late, crm.Deleted)
			l.stop()
		})
	}
}

// TestLostPlaceIsRepaired: the place in the stream is one the platform no longer has; what was missed is found by comparing.
func TestLostPlaceIsRepaired(t *testing.T) {
	t.Parallel()
	l := listen(t, true, 300*time.Millisecond)
	l.start()
	l.ready()
	limit := time.After(20 * time.Second)
	for cur := (crm.Cursor{}); len(cur.Seen) == 0 || len(cur.Replay) == 0; { // until a comparison and an event of the stream
		select {
		case <-time.After(50 * time.Millisecond):
			create(t, l.c, `{"Subject":"to be heard of"}`)
			cur, _ = l.cursors.Load(t.Context(), "test") // never fails
		case <-limit:
			t.Fatal("no comparison was made, or nothing was heard of the stream")
		}
	}
	l.stop()
	missed := create(t, l.c, `{"Subject":"missed"}`)
	cur, err := l.cursors.Load(t.Context(), "test")
	if err != nil || len(cur.Replay) == 0 {
		t.Fatalf("cursor %+v, %v", cur, err)
	}
	cur.Replay = []byte{0x7f, 0, 0, 0, 0, 0, 0, 1}
	if err := l.cursors.Save(t.Context(), "test", cur); err != nil {
		t.Fatal(err)
	}
	l.start()
	if ch := l.hears(missed, crm.Created); !ch.Repaired {
		t.Errorf("heard %+v", ch)
	}
	l.stop()
}

package salesforce_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/crm"
	"github.com/tandemcc/tandem/internal/crm/salesforce"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/sandbox/sandboxtest"
)

// comparer compares an org's cases every few milliseconds and keeps what it is told.
type comparer struct {
	t       *testing.T
	org     *sandboxtest.Salesforce
	c       *salesforce.Client
	cursors *cursors
	stop    func()

	mu     sync.Mutex // guards what follows
	list   []crm.Change
	handle func(list []crm.Change) error // is asked first; may be nil
}

// compare makes an org and a client that compares; in front of the org stands wrap, when it is not nil.
func compare(t *testing.T, wrap func(http.Handler) http.Handler) *comparer {
	t.Helper()
	org := sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone})
	if wrap != nil {
		server := httptest.NewServer(wrap(org.Handler()))
		t.Cleanup(server.Close)
		org.URL = server.URL
	}
	return &comparer{
		t: t, org: org, cursors: &cursors{m: map[string]crm.Cursor{}},
		c: connect(t, org, func(o *salesforce.Options) { o.Streams.Poll = 20 * time.Millisecond }),
	}
}

func (w *comparer) start() {
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- w.c.Subscribe(ctx, crm.Subscription{Name: "test", Objects: []string{"Case"}, Cursors: w.cursors, Handle: func(_ context.Context, list []crm.Change) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.handle != nil {
				if err := w.handle(list); err != nil {
					return err
				}
			}
			w.list = append(w.list, list...)
			return nil
		}})
	}()
	w.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("it ended with %v", err)
		}
	}
}

// begun waits until a first comparison was made.
func (w *comparer) begun() {
	w.until("a comparison is made", func([]crm.Change) bool {
		cur, _ := w.cursors.Load(w.t.Context(), "test") // never fails
		return !cur.At.IsZero()
	})
}

// until waits until what was told satisfies ok.
func (w *comparer) until(what string, ok func(list []crm.Change) bool) {
	w.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		w.mu.Lock()
		done := ok(w.list)
		w.mu.Unlock()
		if done {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			w.t.Fatalf("not so within 30 s: %s", what)
		}
	}
}

func (w *comparer) told(id string, kind crm.ChangeKind) func([]crm.Change) bool {
	return func(list []crm.Change) bool { return count(list, id, kind) > 0 }
}

func count(list []crm.Change, id string, kind crm.ChangeKind) (n int) {
	for _, ch := range list {
		for _, got := range ch.IDs {
			if got == id && ch.Kind == kind {
				n++
			}
		}
	}
	return n
}

func (w *comparer) do(method, path, body string) {
	w.t.Helper()
	resp, err := w.c.Do(w.t.Context(), salesforce.Request{Method: method, Path: "/services/data/v68.0/" + path, Body: []byte(body)})
	if err != nil || resp.Err() != nil {
		w.t.Fatalf("%s %s: %v, %v", method, path, err, resp)
	}
}

// TestRepairTellsTiesOverPages: more changes of one moment than a page of an answer has; each is told, and one that changes while the
// pages are read is told again as it is then.
func TestRepairTellsTiesOverPages(t *testing.T) {
	t.Parallel()
	const n = 2300 // a page has 2,000
	w := compare(t, nil)
	w.start()
	w.begun()
	w.stop()
	rows := rowsOf(n, func(i int) []string { return []string{fmt.Sprintf("Tie %d", i)} })
	if p, err := w.c.BulkLoad(t.Context(), salesforce.BulkLoad{Object: "Case", Operation: "insert", Columns: []string{"Subject"}, Rows: rows}); err != nil || p.Failed > 0 {
		t.Fatal(p, err)
	}
	var changing sync.WaitGroup
	defer changing.Wait()
	var late string
	var began time.Time
	broke := false
	w.handle = func(list []crm.Change) error {
		switch {
		case late == "":
			late, began = list[0].IDs[0], list[0].At
			w.org.SetSkew(5 * time.Second) // times of the org have no parts of a second
			changing.Go(func() {
				resp, err := w.c.Do(t.Context(), salesforce.Request{Method: http.MethodPatch, Path: "/services/data/v68.0/sobjects/Case/" + late, Body: []byte(`{"Subject":"changed while it was compared"}`)})
				if err != nil || resp.Err() != nil {
					t.Errorf("changing a case: %v, %v", err, resp)
				}
			})
		case !broke && len(w.list) > 800:
			broke = true
			return errors.New("the disk is full") // in the middle: what was not taken comes again
		}
		return nil
	}
	w.start()
	seen := map[string]bool{}
	w.until("every case is told", func(list []crm.Change) bool {
		for _, ch := range list {
			seen[ch.IDs[0]] = true
		}
		return len(seen) == n
	})
	w.until("the late change is told", func(list []crm.Change) bool {
		for _, ch := range list {
			if ch.IDs[0] == late && ch.At.After(began.Add(2*time.Second)) {
				return true
			}
		}
		return false
	})
	w.stop()
	if !broke {
		t.Error("no comparison broke")
	}
}

// TestRepairReachesBack: SystemModstamp is set when a change begins, so that one can appear that is older than the newest seen.
func TestRepairReachesBack(t *testing.T) {
	t.Parallel()
	w := compare(t, nil)
	w.start()
	w.begun()
	first := create(t, w.c, `{"Subject":"the newest"}`)
	w.until("it is told", w.told(first, crm.Created))
	w.org.SetSkew(-time.Minute)
	old := create(t, w.c, `{"Subject":"began before, committed after"}`)
	w.until("the older one is told", w.told(old, crm.Created))
	w.stop()
}

// TestDeletionsForGood: what somebody deletes for good is in no query's answer; the org's log of deletions tells it, once.
func TestDeletionsForGood(t *testing.T) {
	t.Parallel()
	var gone atomic.Value // id
	gone.Store("")
	var asked atomic.Int64
	w := compare(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/sobjects/Case/deleted") {
				next.ServeHTTP(w, r)
				return
			}
			asked.Add(1)
			start, err1 := time.Parse(time.RFC3339, r.FormValue("start"))
			end, err2 := time.Parse(time.RFC3339, r.FormValue("end"))
			if err1 != nil || err2 != nil || end.Sub(start) < time.Minute {
				t.Errorf("asked from %q to %q", r.FormValue("start"), r.FormValue("end"))
			}
			const wire = "2006-01-02T15:04:05.000-0700"
			var list []map[string]string
			if id, _ := gone.Load().(string); id != "" {
				list = append(list, map[string]string{"id": id, "deletedDate": end.Format(wire)})
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"deletedRecords": list, "earliestDateAvailable": start.Add(-time.Hour).Format(wire), "latestDateCovered": end.Format(wire)})
		})
	})
	w.start()
	w.begun()
	w.stop()
	id := create(t, w.c, `{"Subject":"to be deleted for good"}`)
	gone.Store(id)
	for range 2 { // a restart asks at once
		w.start()
		w.until("the deletion is told", w.told(id, crm.Deleted))
		w.stop()
	}
	if asked.Load() < 2 {
		t.Error("the log was not asked")
	}
	cur, err := w.cursors.Load(t.Context(), "test")
	if err != nil || cur.Covered["Case"].IsZero() {
		t.Errorf("the cursor is %+v, %v", cur, err)
	}
}

// TestDeletionInTheBin: a query that asks for deleted records too tells it.
func TestDeletionInTheBin(t *testing.T) {
	t.Parallel()
	w := compare(t, nil)
	w.start()
	w.begun()
	id := create(t, w.c, `{"Subject":"x"}`)
	w.until("it is told", w.told(id, crm.Created))
	w.do(http.MethodDelete, "sobjects/Case/"+id, ``)
	w.until("its deletion is told", w.told(id, crm.Deleted))
	w.stop()
}

// TestTooLongAway: after more than 15 days deletions cannot be found any more, and so after the org has dropped its log of them: who
// keeps copies is told to read everything again, and comparing goes on from there.
func TestTooLongAway(t *testing.T) {
	t.Parallel()
	for name, age := range map[string]func(*crm.Cursor){
		"16 days": func(c *crm.Cursor) { c.At = c.At.Add(-16 * 24 * time.Hour) },
		"the log": func(c *crm.Cursor) { c.Covered["Case"] = time.Now().Add(-40 * 24 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := compare(t, nil)
			create(t, w.c, `{"Subject":"there is something"}`)
			w.start()
			w.begun()
			w.stop()
			cur, err := w.cursors.Load(t.Context(), "test")
			if err != nil {
				t.Fatal(err)
			}
			age(&cur)
			if err := w.cursors.Save(t.Context(), "test", cur); err != nil {
				t.Fatal(err)
			}
			w.start()
			w.until("to read everything again is told", func(list []crm.Change) bool {
				for _, ch := range list {
					if ch.Kind == crm.Resync && ch.Object == "Case" && len(ch.IDs) == 0 {
						return true
					}
				}
				return false
			})
			id := create(t, w.c, `{"Subject":"afterwards"}`)
			w.until("what comes afterwards is told", w.told(id, crm.Created))
			w.stop()
		})
	}
}

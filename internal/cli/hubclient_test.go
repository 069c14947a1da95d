package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/errs"
)

func TestReadEvents(t *testing.T) {
	t.Parallel()
	type ev struct{ ID, Name, Data string }
	for _, c := range []struct {
		name, text string
		want       []ev
	}{
		{"one", "event: desk\ndata: {}\n\n", []ev{{"", "desk", "{}"}}},
		{"id stays", "id: 7\nevent: a\ndata: 1\n\ndata: 2\n\n", []ev{{"7", "a", "1"}, {"7", "", "2"}}},
		{"lines are joined", "data: a\ndata: b\n\n", []ev{{"", "", "a\nb"}}},
		{"without a space", "data:a\n\n", []ev{{"", "", "a"}}},
		{"one space goes", "data:  a\n\n", []ev{{"", "", " a"}}},
		{"comments and unknown fields", ": ping\nretry: 5\nnonsense\ndata: a\n\n", []ev{{"", "", "a"}}},
		{"an event without data is none", "event: a\n\ndata: b\n\n", []ev{{"", "", "b"}}},
		{"empty data is an event", "data:\n\n", []ev{{"", "", ""}}},
		{"cut short", "data: a\n\ndata: b\n", []ev{{"", "", "a"}}},
		{"carriage returns", "data: a\r\n\r\n", []ev{{"", "", "a"}}},
		{"nothing", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []ev
			err := readEvents(strings.NewReader(c.text), func(e sse) error {
				got = append(got, ev{e.id, e.name, string(e.data)})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestReadEventsBoundsAnEvent(t *testing.T) {
	t.Parallel()
	line := "data: " + strings.Repeat("x", 1<<20) + "\n"
	err := readEvents(strings.NewReader(strings.Repeat(line, maxEvent>>20+1)+"\n"), func(sse) error { return nil })
	if !errs.Is(err, errs.Invalid) {
		t.Errorf("an event of %d MiB: %v", maxEvent>>20+1, err)
	}
}

func FuzzReadEvents(f *testing.F) {
	for _, s := range []string{"data: a\n\n", "id: 1\nevent: x\ndata: {}\n\n", ":\n\n", "\n\n\n", "data\n\n", "data: \r\n\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		err := readEvents(strings.NewReader(s), func(e sse) error {
			if strings.ContainsAny(e.name+e.id, "\n") {
				t.Errorf("a field with a line break: %q", e)
			}
			return nil
		})
		if err != nil && len(s) < maxEvent {
			t.Error(err)
		}
	})
}

func client(t *testing.T, h http.HandlerFunc) *hubClient {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := newHubClient(srv.URL+"/", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// TestFollowBeginsAnew lets the hub end each stream after one event; the client says where it was, and calls again before it
// asks anew.
func TestFollowBeginsAnew(t *testing.T) {
	t.Parallel()
	var streams atomic.Int64
	lastIDs := make(chan string, 10)
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		n := streams.Add(1)
		lastIDs <- r.Header.Get("Last-Event-ID")
		if n == 2 {
			w.WriteHeader(http.StatusBadGateway) // it is just starting again
			return
		}
		fmt.Fprintf(w, "id: %d\ndata: %d\n\n", n, n)
	})
	again, enough := 0, errors.New("enough")
	var got []string
	err := c.follow(t.Context(), "/events", func() error { again++; return nil }, func(e sse) error {
		if got = append(got, string(e.data)); len(got) == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || again != 3 {
		t.Errorf("%v after %d new beginnings", err, again)
	}
	if d := cmp.Diff([]string{"1", "3", "4"}, got); d != "" {
		t.Error(d)
	}
	for i, want := range []string{"", "1", "1", "3"} {
		if id := <-lastIDs; id != want {
			t.Errorf("request %d began after %q, want %q", i, id, want)
		}
	}
}

func TestFollowGivesUpWhenRefused(t *testing.T) {
	t.Parallel()
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"title":"Forbidden","status":403,"code":"denied","detail":"not for you"}`)
	})
	err := c.follow(t.Context(), "/x", func() error { return nil }, func(sse) error { return nil })
	if !errs.Is(err, errs.Denied) || errs.Message(err) != "not for you" {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.follow(ctx, "/x", func() error { return nil }, func(sse) error { return nil }); err != nil {
		t.Errorf("after the end of its context: %v", err)
	}
}

func TestProblemsAreToldInWords(t *testing.T) {
	t.Parallel()
	answers := map[string]struct {
		status int
		body   string
		code   errs.Code
		text   string
	}{
		"/detail": {422, `{"title":"Unprocessable","code":"invalid","detail":"validation failed","errors":[{"location":"body.name","message":"is required"}]}`, errs.Invalid, "validation failed; body.name is required"},
		"/login":  {401, `{"title":"Unauthorized","code":"unauthenticated"}`, errs.Unauthenticated, "Unauthorized"},
		"/proxy":  {502, `<html>`, errs.Unavailable, "the hub answered 502 Bad Gateway"},
		"/html":   {200, `<html>`, errs.Unavailable, "answers, but not as a hub does"},
	}
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		a := answers[strings.TrimPrefix(r.URL.Path, "/api/v1")]
		w.WriteHeader(a.status)
		fmt.Fprint(w, a.body)
	})
	for path, want := range answers {
		var out map[string]any
		err := c.do(t.Context(), http.MethodGet, path, nil, &out)
		if !errs.Is(err, want.code) || !strings.Contains(errs.Message(err), want.text) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, bad := range []string{"", "localhost", "ftp://h", "http://", "::"} {
		if _, err := newHubClient(bad, ""); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q is no hub: %v", bad, err)
		}
	}
	for in, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080/api/v1", "https://hub.example/": "https://hub.example/api/v1", "[::1]:80": "http://[::1]:80/api/v1",
	} {
		c, err := newHubClient(in, "")
		if err != nil || c.base != want {
			t.Errorf("%s: %+v, %v, want %s", in, c, err, want)
		}
	}
}

// TestWatcherReportsEachMomentOnce feeds timelines that grow, also within one millisecond, and that lost their beginning.
func TestWatcherReportsEachMomentOnce(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	w := &watcher{rep: (&env{stdout: &out}).reporter(true), attempts: map[string]int{}}
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	show := func(offsets ...int) {
		v := contactView{ID: "c"}
		for i, ms := range offsets {
			raw := fmt.Sprintf(`{"at":%q,"type":"prompt","detail":"%d.%d"}`, at.Add(time.Duration(ms)*time.Millisecond).Format(time.RFC3339Nano), ms, i)
			var m struct {
				At     time.Time `json:"at"`
				Type   string    `json:"type"`
				Text   string    `json:"text"`
				Detail string    `json:"detail"`
			}
			if err := json.Unmarshal([]byte(raw), &m); err != nil {
				t.Fatal(err)
			}
			v.Timeline = append(v.Timeline, m)
		}
		w.timeline(&v)
	}
	show(0)
	show(0, 0)
	show(0, 0, 5, 5)
	show(5, 5, 5, 9) // the first two are gone
	show(5, 5, 5, 9)
	if n := strings.Count(out.String(), "\n"); n != 6 {
		t.Errorf("%d lines for 6 moments:\n%s", n, out.String())
	}
}

func TestSettled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state, writeBack string
		want             bool
	}{
		{"flow", "none", false}, {"wrapup", "none", false}, {"ended", "none", true}, {"ended", "pending", false}, {"ended", "done", true}, {"wrapup", "failed", true},
	} {
		if got := (&contactView{State: c.state, WriteBack: c.writeBack}).settled(); got != c.want {
			t.Errorf("%s, %s: %v", c.state, c.writeBack, got)
		}
	}
}

func TestSameNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{{"1000", "1000", true}, {"+15550100", "1 (555) 01-00", true}, {"1000", "1001", false}, {"", "1", false}, {"sales", "sales", true}} {
		if got := sameNumber(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}

func TestMaskURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"sqlite":                            "sqlite",
		"postgres://u@h/n":                  "postgres://u@h/n",
		"postgres://u:secret@h/n":           "postgres://u:xxxxx@h/n",
		"postgres://u@h/n?password=secret":  "postgres://u@h/n?password=xxxxx",
		"postgres://u:sec ret@h:port/n":     mask,
		"postgres://h/n?sslmode=verify-ca":  "postgres://h/n?sslmode=verify-ca",
		"postgresql://u:s%40crt@h/n?a=b&c=": "postgresql://u:xxxxx@h/n?a=b&c=",
	} {
		if got := maskURL(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

package kit

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestLogRing(t *testing.T) {
	t.Parallel()
	l := NewLog(3)
	for _, p := range []string{"a", "b", "c", "d", "e"} {
		l.Add(Entry{Path: p})
	}
	got, total := l.Newest(10)
	if len(got) != 3 || total != 5 || got[0].Path != "e" || got[2].Path != "c" {
		t.Errorf("got %v of %d", got, total)
	}
	if got, _ := l.Newest(1); len(got) != 1 || got[0].Path != "e" {
		t.Errorf("newest is %v", got)
	}
}

func TestCleanPath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "/": "/", "//": "/", "//a": "/a", "/a/": "/a", "/a//b///c/": "/a/b/c", "/a/../b": "/a/../b"} {
		if got := CleanPath(in); got != want {
			t.Errorf("CleanPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFromLoopback(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		remote, host string
		want         bool
	}{
		{"127.0.0.1:5", "127.0.0.1:80", true},
		{"127.0.0.1:5", "localhost", true},
		{"[::1]:5", "[::1]:80", true},
		{"127.0.0.1:5", "org.localhost:8090", true},
		{"127.0.0.1:5", "evil.example", false},
		{"192.0.2.1:5", "127.0.0.1", false},
		{"", "localhost", false},
		{"127.0.0.1:5", "localhost.evil.example", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.Host = c.remote, c.host
		if got := FromLoopback(r); got != c.want {
			t.Errorf("from %s to %s: %v", c.remote, c.host, got)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	h := Limits{URL: 20, Body: 5, Concurrent: 1}.Middleware(func(w http.ResponseWriter, _ *http.Request, status int) {
		w.WriteHeader(status)
	}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-leave
	}))
	serve := func(path string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code
	}
	if got := serve("/a-path-that-is-too-long-for-this"); got != http.StatusRequestURITooLong {
		t.Errorf("long: %d", got)
	}
	done := make(chan int)
	go func() { done <- serve("/x") }()
	<-entered
	if got := serve("/y"); got != http.StatusServiceUnavailable {
		t.Errorf("second at once: %d", got)
	}
	close(leave)
	if got := <-done; got != http.StatusOK {
		t.Errorf("first: %d", got)
	}
}

func TestFaultShareAndCount(t *testing.T) {
	t.Parallel()
	var f Faults
	if _, err := f.Add(Fault{Kind: FaultCut, Share: 0.5, Method: "GET"}); err != nil {
		t.Fatal(err)
	}
	hits := 0
	for range 1000 {
		if _, struck := f.strike(target{method: "GET", path: "/x"}); struck {
			hits++
		}
	}
	if hits < 350 || hits > 650 {
		t.Errorf("a share of one half struck %d of 1000", hits)
	}
	if _, struck := f.strike(target{method: "POST", path: "/x"}); struck {
		t.Error("another method is struck")
	}
	f.Clear()
	for range MaxFaults {
		if _, err := f.Add(Fault{Kind: FaultCut}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Add(Fault{Kind: FaultCut}); err == nil {
		t.Error("no limit on rules")
	}
}

func TestHangEndsWithTheClient(t *testing.T) {
	t.Parallel()
	var f Faults
	if _, err := f.Add(Fault{Kind: FaultHang, DelayMS: MaxDelayMS}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(f.Middleware(Effects{}, http.NotFoundHandler()))
	defer server.Close()
	client := server.Client()
	client.Timeout = 50 * time.Millisecond
	if res, err := client.Get(server.URL); err == nil {
		_ = res.Body.Close()
		t.Error("a hanging request was answered")
	}
}

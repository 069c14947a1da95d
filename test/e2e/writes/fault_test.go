package writes

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// storm stands between the client and the org and lets more than three of ten calls fail, besides delaying some, in all the ways there
// are. What it cuts off or answers with an error may have had its effect all the same.
type storm struct {
	next    http.Handler
	expire  func()
	calls   atomic.Int64 // while it blew
	struck  [len(kinds)]atomic.Int64
	blowing atomic.Bool
}

// kinds are the ways to fail with their shares in percent, and whether the call itself fails by it.
var kinds = [...]struct { //nolint:gochecknoglobals // constant
	name  string
	share int
	fails bool
}{
	{"401", 4, true},
	{"request limit", 4, true},
	{"row locked", 5, true},
	{"500 without effect", 3, true},
	{"500 after the effect", 4, true},
	{"503", 4, true},
	{"cut before the effect", 3, true},
	{"cut after the effect", 4, true},
	{"body cut short", 3, true},
	{"latency", 3, false},
	{"slow body", 2, false},
	{"sessions expire", 1, false}, // the next call of everybody fails
}

// notOfLogins are refusals that a login does not know.
const notOfLogins = 3

func (s *storm) pick(login bool) int {
	n := rand.IntN(100)
	for i, k := range kinds {
		if n -= k.share; n < 0 {
			if login && i < notOfLogins {
				return 5 // "503"
			}
			return i
		}
	}
	return -1
}

// ServeHTTP implements http.Handler.
func (s *storm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.blowing.Load() {
		s.next.ServeHTTP(w, r)
		return
	}
	s.calls.Add(1)
	k := s.pick(strings.HasPrefix(r.URL.Path, "/services/oauth2"))
	if k < 0 {
		s.next.ServeHTTP(w, r)
		return
	}
	s.struck[k].Add(1)
	switch kinds[k].name {
	case "latency":
		if pause(r, 50+rand.IntN(200)) {
			s.next.ServeHTTP(w, r)
		}
	case "401":
		refuse(w, 401, "INVALID_SESSION_ID", "Session expired or invalid")
	case "request limit":
		refuse(w, 403, "REQUEST_LIMIT_EXCEEDED", []string{"TotalRequests Limit exceeded.", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."}[rand.IntN(2)])
	case "row locked":
		s.lock(w, r)
	case "500 without effect":
		refuse(w, 500, "UNKNOWN_EXCEPTION", "An unexpected error occurred")
	case "503":
		refuse(w, 503, "SERVER_UNAVAILABLE", "Server unavailable")
	case "cut before the effect":
		panic(http.ErrAbortHandler)
	case "sessions expire":
		s.expire()
		s.next.ServeHTTP(w, r)
	default:
		s.after(w, r, kinds[k].name)
	}
}

// toll tells what struck how often, and fails when a kind never did or fewer calls failed than a share of them.
func (s *storm) toll(t *testing.T, least float64) {
	t.Helper()
	failed := int64(0)
	for i, k := range kinds {
		n := s.struck[i].Load()
		t.Logf("  %-22s %d", k.name, n)
		if n == 0 {
			t.Errorf("no call met %q: the test shows nothing of it", k.name)
		}
		if k.fails {
			failed += n
		}
	}
	share := float64(failed) / float64(s.calls.Load())
	t.Logf("%d of %d calls failed: %.1f %%", failed, s.calls.Load(), 100*share)
	if share < least {
		t.Errorf("%.1f %% of the calls failed, want %.0f %%", 100*share, 100*least)
	}
}

// after lets the request have its effect and then spoils the answer.
func (s *storm) after(w http.ResponseWriter, r *http.Request, kind string) {
	rec := httptest.NewRecorder()
	s.next.ServeHTTP(rec, r)
	body := rec.Body.Bytes()
	switch kind {
	case "500 after the effect":
		refuse(w, 500, "UNKNOWN_EXCEPTION", "An unexpected error occurred")
		return
	case "cut after the effect":
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), rec.Header())
	if kind == "body cut short" {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	}
	w.WriteHeader(rec.Code)
	for part := range bytes.SplitAfterSeq(body, []byte(",")) {
		_, _ = w.Write(part)
		if kind == "slow body" {
			_ = http.NewResponseController(w).Flush()
			pause(r, 2)
		}
	}
	if kind == "body cut short" {
		panic(http.ErrAbortHandler)
	}
}

// lock refuses the request, or one part of a composite one, because somebody else holds the row.
func (s *storm) lock(w http.ResponseWriter, r *http.Request) {
	const code, message = "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record"
	if !strings.HasSuffix(r.URL.Path, "/composite") {
		refuse(w, 400, code, message)
		return
	}
	var in struct {
		AllOrNone bool             `json:"allOrNone"`
		Requests  []map[string]any `json:"compositeRequest"`
	}
	raw, _ := io.ReadAll(r.Body)
	if json.Unmarshal(raw, &in) != nil || len(in.Requests) < 2 {
		refuse(w, 400, code, message)
		return
	}
	i := rand.IntN(len(in.Requests))
	ref := in.Requests[i]["referenceId"]
	in.Requests = append(in.Requests[:i:i], in.Requests[i+1:]...)
	raw, _ = json.Marshal(in)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	rec := httptest.NewRecorder()
	s.next.ServeHTTP(rec, r)
	var out struct {
		List []map[string]any `json:"compositeResponse"`
	}
	if rec.Code != 200 || json.Unmarshal(rec.Body.Bytes(), &out) != nil {
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
		return
	}
	out.List = append(out.List, map[string]any{
		"referenceId": ref, "httpStatusCode": 400, "httpHeaders": map[string]string{}, "body": []map[string]any{{"errorCode": code, "message": message}},
	})
	_ = json.NewEncoder(w).Encode(out)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode([]map[string]string{{"errorCode": code, "message": message}})
}

func pause(r *http.Request, ms int) bool {
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return true
	case <-r.Context().Done():
		return false
	}
}

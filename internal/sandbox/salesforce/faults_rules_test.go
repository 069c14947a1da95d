package salesforce

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestFaultsByUserPathAndShare strikes each kind of error for one user, on one path, and a share of calls.
func TestFaultsByUserPathAndShare(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	u := o.restricted(Permissions{Objects: map[string]Access{"Account": {Read: true}}})
	ask := func(who *testOrg, path string) (int, string) { return who.api(http.MethodGet, path, "") }
	for _, c := range []struct {
		rule, code string
		status     int
	}{
		{`"kind":"status","status":401`, "INVALID_SESSION_ID", 401},
		{`"kind":"status","status":403`, "REQUEST_LIMIT_EXCEEDED", 403},
		{`"kind":"status","status":400`, "UNABLE_TO_LOCK_ROW", 400},
		{`"kind":"status","status":500`, "UNKNOWN_EXCEPTION", 500},
		{`"kind":"status","status":503`, "SERVER_UNAVAILABLE", 503},
		{`"kind":"status","status":403,"code":"API_CURRENTLY_DISABLED","message":"later"`, "API_CURRENTLY_DISABLED", 403},
	} {
		o.set(`{` + c.rule + `,"user":"INTEGRATION@sandbox.example","match":"/limits$"}`)
		if status, body := ask(u, "/limits"); status != c.status || !strings.Contains(body, c.code) {
			t.Errorf("%s: %d %s", c.rule, status, body)
		}
		for _, other := range []struct {
			who  *testOrg
			path string
		}{{o, "/limits"}, {u, "/sobjects"}} {
			if status, _ := ask(other.who, other.path); status != http.StatusOK {
				t.Errorf("%s strikes %s too: %d", c.rule, other.path, status)
			}
		}
		o.ClearFaults()
	}
	strikes := func() string {
		o.set(`{"kind":"status","status":500,"match":"/limits$","share":0.3,"seed":11}`)
		var b strings.Builder
		for range 60 {
			status, _ := ask(o, "/limits")
			b.WriteByte(map[bool]byte{true: 'x', false: '.'}[status == 500])
		}
		o.ClearFaults()
		return b.String()
	}
	first, second := strikes(), strikes()
	if n := strings.Count(first, "x"); first != second || n < 8 || n > 28 {
		t.Errorf("a share of 0.3 strikes\n%s\n%s", first, second)
	}
}

// TestTwoRules sets two rules that fit the same call: the first that strikes wins, and the second gets what it lets through.
func TestTwoRules(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	o.set(`{"kind":"status","status":503,"match":"/limits$","count":1,"after":1}`)
	o.set(`{"kind":"status","status":500,"match":"/limits$","count":2}`)
	for i, want := range []int{500, 503, 500, 200} {
		if status, _ := o.api(http.MethodGet, "/limits", ""); status != want {
			t.Errorf("call %d: %d instead of %d", i, status, want)
		}
	}
	if rules, _ := o.faults.List(); len(rules) != 0 {
		t.Errorf("rules that are used up stay: %+v", rules)
	}
}

// TestWrongClock shows the skew wherever a client meets the org's time.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	if status, body, _ := o.send(http.MethodPut, "/sandbox/api/clock", `{"skew_ms":5400000}`, nil); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	want := fixedNow().Add(90 * time.Minute)
	_, _, h := o.send(http.MethodGet, "/services/data", "", nil)
	if got, err := http.ParseTime(h.Get("Date")); err != nil || !got.Equal(want) {
		t.Errorf("the Date header is %s", h.Get("Date"))
	}
	id := o.create("Account", `{"Name":"A"}`)
	if _, body := o.api(http.MethodGet, "/sobjects/Account/"+id+"?fields=CreatedDate", ""); !strings.Contains(body, want.Format("2006-01-02T15:04:05")) {
		t.Errorf("records are made at %s", body)
	}
	o.SetSkew(3 * time.Hour)
	if status, _ := o.api(http.MethodGet, "/limits", ""); status != http.StatusUnauthorized {
		t.Errorf("a session outlives its time by the org's clock: %d", status)
	}
	o.SetSkew(0)
	if status, _ := o.api(http.MethodGet, "/limits", ""); status != http.StatusOK {
		t.Errorf("with the clock right again: %d", status)
	}
}

// TestFaultsByPage sets each kind by the form, sees it in the list and takes all away.
func TestFaultsByPage(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	for _, kind := range faultKinds() {
		form := url.Values{
			"do": {"add"}, "kind": {kind.Value}, "match": {"/x-" + kind.Value}, "status": {"503"}, "delay_ms": {"20"}, "jitter_ms": {"5"}, "share": {"0.5"},
			"seed": {"3"}, "after": {"1"}, "count": {"2"}, "user": {"a@b.example"},
		}
		if status, body, _ := o.page("/sandbox/faults", form); status != http.StatusSeeOther {
			t.Errorf("%s: %d %.300s", kind.Value, status, body)
		}
	}
	_, body, _ := o.send(http.MethodGet, "/sandbox/faults", "", nil)
	for _, kind := range faultKinds() {
		if !strings.Contains(body, "/x-"+kind.Value) {
			t.Errorf("%s is not shown", kind.Value)
		}
	}
	if strings.Count(body, "share 0.5, seed 3 after 1") != len(faultKinds()) || !strings.Contains(body, "20 ms to 5 more") {
		t.Error("the details are not shown")
	}
	for _, bad := range []struct{ name, value, why string }{
		{"match", "(", "match is no regular expression"},
		{"share", "2", "share must be between 0 and 1"},
		{"share", "x", "share must be a number"},
		{"status", "200", "status must be between 400 and 599"},
		{"status", "x", "status must be a whole number"},
		{"count", "-1", "must not be negative"},
		{"seed", "-1", "seed must be a whole number"},
		{"kind", "magic", "kind &#34;magic&#34; is unknown"},
	} {
		form := url.Values{"do": {"add"}, "kind": {"status"}, "status": {"500"}}
		form.Set(bad.name, bad.value)
		if status, body, _ := o.page("/sandbox/faults", form); status != http.StatusBadRequest || !strings.Contains(body, bad.why) {
			t.Errorf("%s=%s: %d", bad.name, bad.value, status)
		}
	}
	for do, state := range map[string]string{"down": "Every connection is closed unanswered", "up": "The org answers"} {
		o.page("/sandbox/faults", url.Values{"do": {do}})
		if _, body, _ := o.send(http.MethodGet, "/sandbox/faults", "", nil); !strings.Contains(body, state) {
			t.Errorf("after %s the page does not say %q", do, state)
		}
	}
	o.page("/sandbox/faults", url.Values{"do": {"skew"}, "skew_ms": {"-60000"}})
	if _, body, _ := o.send(http.MethodGet, "/sandbox/faults", "", nil); o.Skew() != -time.Minute || !strings.Contains(body, "Clock -60000 ms off") {
		t.Errorf("the skew is %v", o.Skew())
	}
	o.page("/sandbox/faults", url.Values{"do": {"clear"}})
	if rules, down := o.faults.List(); len(rules) != 0 || down || o.Skew() != 0 {
		t.Errorf("after clearing: %v %v %v", rules, down, o.Skew())
	}
}

// TestJitter draws another delay each time, the same ones with the same seed.
func TestJitter(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	draw := func() (out []int) {
		o.set(`{"kind":"latency","delay_ms":1,"jitter_ms":50,"seed":5,"match":"/never$"}`)
		for range 10 {
			f, _ := o.faults.StrikeCall("/never", func() string { return "" })
			out = append(out, f.DelayMS)
		}
		o.ClearFaults()
		return out
	}
	a, b := draw(), draw()
	different := false
	for i := range a {
		if a[i] != b[i] || a[i] < 1 || a[i] > 51 {
			t.Fatalf("%v and %v", a, b)
		}
		different = different || a[i] != a[0]
	}
	if !different {
		t.Errorf("all delays are %d", a[0])
	}
	if status, _, _ := o.send(http.MethodPost, "/sandbox/api/faults", `{"kind":"latency","delay_ms":1,"jitter_ms":600000}`, nil); status != http.StatusBadRequest {
		t.Errorf("too long: %d", status)
	}
}

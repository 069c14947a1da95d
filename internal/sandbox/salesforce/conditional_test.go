package salesforce

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	path := "/services/data/v60.0/sobjects/Account/" + o.create("Account", `{"Name":"One"}`)
	ask := func(method, name, value string) int {
		h := http.Header{"Authorization": {"Bearer " + o.token}, name: {value}}
		status, _, _ := o.send(method, path, `{"Fax":"1"}`, h)
		return status
	}
	_, _, header := o.send(http.MethodGet, path, "", http.Header{"Authorization": {"Bearer " + o.token}})
	tag := header.Get("ETag")
	earlier, later := fixedNow().Add(-time.Hour).Format(http.TimeFormat), fixedNow().Add(time.Hour).Format(http.TimeFormat)
	for _, c := range []struct {
		method, name, value string
		want                int
	}{
		{"GET", "If-None-Match", tag, 304},
		{"GET", "If-None-Match", `"other"`, 200},
		{"GET", "If-None-Match", "*", 304},
		{"GET", "If-Modified-Since", later, 304},
		{"GET", "If-Modified-Since", header.Get("Last-Modified"), 304},
		{"GET", "If-Modified-Since", earlier, 200},
		{"GET", "If-Match", `"other"`, 412},
		{"GET", "If-Unmodified-Since", earlier, 412},
		{"GET", "If-Modified-Since", "yesterday", 400},
		{"PATCH", "If-Match", `"other"`, 412},
		{"PATCH", "If-Match", `"other", ` + tag, 204},
		{"PATCH", "If-Match", strings.TrimSuffix(tag, `"`) + `--gzip"`, 204},
		{"PATCH", "If-None-Match", "*", 412},
		{"PATCH", "If-Unmodified-Since", earlier, 412},
		{"PATCH", "If-Unmodified-Since", later, 204},
		{"DELETE", "If-Unmodified-Since", "soon", 400},
		{"DELETE", "If-Match", `"other"`, 412},
		{"DELETE", "If-Match", tag, 204},
	} {
		if got := ask(c.method, c.name, c.value); got != c.want {
			t.Errorf("%s with %s: %s: %d, want %d", c.method, c.name, c.value, got, c.want)
		}
	}
}

func TestSeedHasInternationalNumbers(t *testing.T) {
	t.Parallel()
	valid := regexp.MustCompile(`^\+(1[2-9]\d{2}55501\d{2}|44207946\d{4}|447700900\d{3}|33199\d{6})$`)
	s := &seeder{rnd: newSeedSource()}
	for i := range 20_000 {
		text := s.number(i)
		if got := e164(text); !valid.MatchString(got) {
			t.Fatalf("%q is %q", text, got)
		}
	}
}

package salesforce

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// testOrg is a running org with a client that is signed in.
type testOrg struct {
	*Org
	t     testing.TB
	url   string
	token string

	version string // of the API, "v60.0" if empty
}

func fixedNow() time.Time { return time.Date(2026, 11, 18, 15, 30, 0, 0, time.UTC) } // a Wednesday

func start(t testing.TB, opts Options) *testOrg {
	t.Helper()
	if plain := (Options{Seed: opts.Seed, Logger: opts.Logger, SessionTTL: opts.SessionTTL, DailyRequests: opts.DailyRequests}); reflect.DeepEqual(plain, opts) {
		opts.begin = beginning(t, opts.Seed)
	}
	if opts.Now == nil {
		opts.Now = fixedNow
	}
	org, err := New(opts)
	if err != nil {
		t.Fatalf("starting the org: %v", err)
	}
	o := &testOrg{Org: org, t: t}
	server := o.serve()
	t.Cleanup(func() {
		server.Close()
		if err := org.Close(); err != nil {
			t.Errorf("closing the org: %v", err)
		}
	})
	return o
}

// beginnings are the files of orgs that nobody has used yet, by seed. To make one takes much longer than to copy it.
var beginnings = struct {
	sync.Mutex
	files map[string][]byte
}{files: map[string][]byte{}}

func beginning(t testing.TB, seed string) []byte {
	t.Helper()
	beginnings.Lock()
	defer beginnings.Unlock()
	if file, made := beginnings.files[seed]; made {
		return file
	}
	dir := t.TempDir()
	org, err := New(Options{Dir: dir, Seed: seed, Now: fixedNow})
	if err != nil {
		t.Fatalf("making an org to begin with: %v", err)
	}
	if err := org.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	beginnings.files[seed] = file
	return file
}

// serve puts the org on the network and signs in.
func (o *testOrg) serve() *httptest.Server {
	o.t.Helper()
	server := httptest.NewServer(o.Handler())
	o.url = server.URL
	o.login()
	return server
}

func (o *testOrg) login() {
	o.t.Helper()
	c := o.Credentials()
	status, body := o.form("/services/oauth2/token", url.Values{
		"grant_type": {"password"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret},
		"username": {c.Username}, "password": {c.Password + c.SecurityToken},
	})
	if status != http.StatusOK {
		o.t.Fatalf("signing in: %d %s", status, body)
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		o.t.Fatal(err)
	}
	o.token = answer.Token
}

func (o *testOrg) form(path string, v url.Values) (int, string) {
	o.t.Helper()
	status, body, _ := o.send(http.MethodPost, path, v.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	return status, body
}

func (o *testOrg) send(method, path, body string, header http.Header) (int, string, http.Header) {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), method, o.url+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		o.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return res.StatusCode, string(raw), res.Header
}

// api sends a signed-in call below /services/data/v60.0.
func (o *testOrg) api(method, path, body string, extra ...string) (int, string) {
	o.t.Helper()
	h := http.Header{"Authorization": {"Bearer " + o.token}, "Content-Type": {"application/json"}}
	for i := 0; i+1 < len(extra); i += 2 {
		h.Set(extra[i], extra[i+1])
	}
	status, out, _ := o.send(method, "/services/data/"+orElse(o.version, "v60.0")+path, body, h)
	return status, out
}

// soql runs a query and returns the answer; a fault comes back as its code.
func (o *testOrg) soql(q string) (int, string) {
	o.t.Helper()
	return o.api(http.MethodGet, "/query?q="+url.QueryEscape(q), "")
}

// create makes a record and returns its id.
func (o *testOrg) create(entity, body string) string {
	o.t.Helper()
	status, out := o.api(http.MethodPost, "/sobjects/"+entity, body)
	var res saveResult
	if err := json.Unmarshal([]byte(out), &res); status != http.StatusCreated || err != nil {
		o.t.Fatalf("creating a %s: %d %s", entity, status, out)
	}
	return res.ID
}

// strip takes the attributes out of an answer and prints it compactly, keys in order.
func strip(t testing.TB, body string) string {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(body))
	var b bytes.Buffer
	if err := stripValue(dec, &b); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return b.String()
}

func stripValue(dec *json.Decoder, b *bytes.Buffer) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	delim, isDelim := tok.(json.Delim)
	if !isDelim {
		raw, err := json.Marshal(tok)
		b.Write(raw)
		return err
	}
	b.WriteString(delim.String())
	first := true
	for dec.More() {
		to := b
		if delim == '{' {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			to = stripKey(b, key, first)
		} else if !first {
			b.WriteByte(',')
		}
		first = first && to != b
		if err := stripValue(dec, to); err != nil {
			return err
		}
	}
	end, err := dec.Token()
	if err != nil {
		return err
	}
	fmt.Fprint(b, end)
	return nil
}

// stripKey writes a key and returns where its value goes: nowhere for the attributes.
func stripKey(b *bytes.Buffer, key json.Token, first bool) *bytes.Buffer {
	if key == "attributes" {
		return &bytes.Buffer{}
	}
	if !first {
		b.WriteByte(',')
	}
	fmt.Fprintf(b, "%q:", key)
	return b
}

// decode reads an answer.
func decode[T any](t testing.TB, body string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

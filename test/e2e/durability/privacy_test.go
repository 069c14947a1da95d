package durability

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // reads every table

	"github.com/tandemcc/tandem/internal/softphone"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// What only one person in the world is called, and what was only said to the hub.
const (
	callerNumber  = "+14155097731"
	strayNumber   = "+14155098842" // of somebody the CRM does not know
	firstName     = "Zebulonia"
	lastName      = "Quackenbosh"
	caseSubject   = "Xylophone dispute"
	agentNotes    = "kumquat in the variable"
	wrapUpNotes   = "marzipan in the wrap-up"
	draftNotes    = "pistachio in the draft"
	userName      = "Wilhelmina Unusual"
	userEmail     = "wilhelmina.unusual@example.test"
	typedLogin    = "typed-in-the-wrong-field"
	bearerToken   = "bearer-6620-of-a-connector"
	userPassword  = "a password of one user 4711"
	changedSecret = "a password of one user 4712"
)

func personal() map[string]string {
	return map[string]string{
		"the caller's number": callerNumber[2:], "the other caller's number": strayNumber[2:], "the caller's first name": firstName,
		"the caller's last name": lastName, "the case's subject": caseSubject, "the agent's notes": agentNotes, "the wrap-up notes": wrapUpNotes,
		"the draft": draftNotes, "the user's name": userName, "the user's e-mail": userEmail, "what was typed as login": typedLogin,
	}
}

// encodings are the forms in which a text may lie somewhere without being encrypted.
func encodings(s string) [][]byte {
	out := [][]byte{[]byte(s), []byte(hex.EncodeToString([]byte(s))), []byte(strings.ReplaceAll(s, " ", "%20")), []byte(strings.ReplaceAll(s, " ", "+"))}
	for pad := range 3 { // base64 at each alignment, without the characters that depend on the neighbours
		coded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", pad) + s))
		out = append(out, []byte(coded[(pad*8+5)/6:len(coded)-4]))
	}
	return out
}

// leaks reports the needles that a text holds.
func leaks(t *testing.T, where string, text []byte, needles map[string]string) {
	t.Helper()
	for what, needle := range needles {
		for _, form := range encodings(needle) {
			if i := bytes.Index(text, form); i >= 0 {
				t.Errorf("%s holds %s: ..%q..", where, what, text[max(0, i-80):min(len(text), i+len(form)+40)])
				break
			}
		}
	}
}

// collector takes traces like an OTLP collector.
type collector struct {
	mu  sync.Mutex // guards got
	got bytes.Buffer
}

// ServeHTTP implements http.Handler.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.Copy(&c.got, r.Body) // a cut post is no trace
	w.WriteHeader(http.StatusOK)
}

// TestNothingPersonalInClear makes calls of a known person and then looks for what is known of them, and for every secret, wherever
// the hub writes: its database byte by byte, its log at its most talkative, its traces, metrics, profiles, events and errors.
func TestNothingPersonalInClear(t *testing.T) {
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			traces := &collector{}
			sink := httptest.NewServer(traces)
			defer sink.Close()
			flags := map[string]any{"tracing.endpoint": sink.URL, "debug": true, "log.level": "debug"}
			dsn := ""
			if engine == sqlstore.Postgres {
				dsn = storetest.DSN(t, engine)
				flags["db"] = dsn
			}
			h := hub.Start(t, hub.Options{Flags: flags})
			needles := personal()
			var texts bytes.Buffer // what the hub said that is nobody's own data
			live(t, h, &texts)
			maps.Copy(needles, secretsOf(h))
			for _, page := range []string{"/metrics", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1"} {
				texts.WriteString(get(t, "http://"+h.Metrics+page))
			}
			checkFiles(t, h.Dir, needles)
			if err := h.Stop(); err != nil {
				t.Error(err)
			}
			checkFiles(t, h.Dir, needles) // again, with what was written last
			if dsn != "" {
				checkTables(t, dsn, needles, checkPieces)
			}
			leaks(t, "the log", []byte(h.Log()), needles)
			leaks(t, "what the hub said", texts.Bytes(), needles)
			traces.mu.Lock()
			defer traces.mu.Unlock()
			leaks(t, "the traces", traces.got.Bytes(), needles)
		})
	}
}

func secretsOf(h *hub.Hub) map[string]string {
	out := map[string]string{
		"the connector's secret": h.Org.ClientSecret, "the connector's token": bearerToken, "the API token": h.APIToken,
		"the access key's secret": h.AWS.SecretAccessKey, "the user's password": userPassword, "the user's new password": changedSecret,
	}
	for _, u := range h.Users {
		out["the password of "+u.Login] = u.Password
	}
	return out
}

// live does what a day at a contact centre does, with the CRM failing for a while.
func live(t *testing.T, h *hub.Hub, texts *bytes.Buffer) {
	t.Helper()
	var made struct{ ID string }
	h.CRM("POST", "/sobjects/Contact", map[string]any{"FirstName": firstName, "LastName": lastName, "Phone": callerNumber[2:]}, &made)
	var opened struct{ ID string }
	h.CRM("POST", "/sobjects/Case", map[string]any{"ContactId": made.ID, "Subject": caseSubject, "Status": "New", "Origin": "Phone"}, &opened)
	api := h.API()
	setUp(t, api, texts)
	recordAll(h)
	ada := h.SignIn("ada")
	ada.Connect(softphone.Options{Clip: softphone.Tone(agentHz)})
	ada.Available()
	h.Fault(map[string]any{"kind": "status", "status": 500, "method": "PATCH", "match": "/sobjects/Case", "count": 2})
	for _, number := range []string{callerNumber, strayNumber} {
		call := h.Call(number, "1000", softphone.Options{Clip: softphone.Tone(callerHz)})
		h.Eventually("the call rings at the desk", func() bool { d := ada.Desk(); return d.State == "ringing" && d.Contact != nil })
		id := ada.Desk().Contact.ID
		ada.Must("POST", "/desk/contacts/"+id+"/accept", nil, nil)
		h.Eventually("the call is connected", func() bool { return ada.Desk().State == "connected" })
		ada.Must("PUT", "/desk/contacts/"+id+"/variables", map[string]any{"values": map[string]string{"notes": agentNotes}}, nil)
		recordedBy(h, id)
		ada.Must("PUT", "/desk/contacts/"+id+"/wrapup", map[string]string{"codeId": "resolved", "notes": draftNotes}, nil)
		call.Hangup()
		h.Eventually("wrap-up", func() bool { return ada.Desk().State == "wrapup" })
		ada.Must("POST", "/desk/contacts/"+id+"/wrapup", map[string]string{"codeId": "resolved", "notes": wrapUpNotes}, nil)
		h.Eventually("the write-back has ended", func() bool {
			h.Advance(60_000_000_000)
			var rec struct{ WriteBack string }
			api.Must("GET", "/contacts/"+id, nil, &rec)
			return rec.WriteBack != "pending"
		})
		ada.Available()
	}
	var found struct{ Items []struct{ ID string } }
	api.Must("GET", "/contacts?number=%2B"+callerNumber[1:], nil, &found)
	if len(found.Items) != 1 {
		t.Fatalf("the caller's contact is found %d times", len(found.Items))
	}
	_, record, err := api.Do("GET", "/contacts/"+found.Items[0].ID, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, known := range []string{callerNumber, firstName, lastName, agentNotes, wrapUpNotes} {
		if !strings.Contains(record, known) {
			t.Errorf("the record does not hold %q: this test shows nothing about it", known)
		}
	}
	heardBack(t, h, found.Items[0].ID)
	readers(t, h, ada, found.Items[0].ID)
	for _, path := range []string{"/jobs", "/audit?limit=200", "/system", "/audit/checkpoint", "/connectors"} {
		_, raw, err := api.Do("GET", path, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		texts.WriteString(raw)
	}
	texts.WriteString(eventsOf(t, h, api))
}

// readers has everybody read the record who may: the agent, a supervisor, a program.
func readers(t *testing.T, h *hub.Hub, ada *hub.Client, id string) {
	t.Helper()
	var own struct{ Items []struct{ ID, ANI string } }
	ada.Must("GET", "/desk/history", nil, &own)
	if len(own.Items) != 2 || own.Items[1].ID != id || own.Items[1].ANI != callerNumber {
		t.Errorf("the agent's history: %+v", own)
	}
	sam := h.SignIn("sam")
	sam.Must("GET", "/contacts/"+id, nil, nil)
	if got := eventsOf(t, h, sam); !strings.Contains(got, id) {
		t.Error("the supervisor does not see the contact's events")
	}
	var token struct{ Token string }
	h.API().Must("POST", "/api-tokens", map[string]any{"name": "import", "roles": []string{"integration"}}, &token)
	for _, path := range []string{"/contacts/" + id, "/contacts?number=%2B" + callerNumber[1:]} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+h.HTTP+"/api/v1"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token.Token)
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !bytes.Contains(raw, []byte(callerNumber)) {
			t.Errorf("a program reads %s: %d %s %v", path, res.StatusCode, raw, err)
		}
	}
}

// setUp makes a user and a connector, and mistakes.
func setUp(t *testing.T, api *hub.Client, texts *bytes.Buffer) {
	t.Helper()
	var user struct{ ID string }
	api.Must("POST", "/users", map[string]any{"login": "willa", "name": userName, "email": userEmail, "roles": []string{"agent"}, "password": userPassword}, &user)
	api.Must("POST", "/users/"+user.ID+"/password", map[string]string{"new": changedSecret}, nil)
	api.Must("POST", "/connectors", map[string]any{"name": "bill", "kind": "http", "baseUrl": "http://127.0.0.1:9", "grant": "bearer", "token": bearerToken, "allowPrivate": true}, nil)
	for _, wrong := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/session", map[string]string{"login": typedLogin, "password": userPassword}},
		{"POST", "/users", map[string]any{"login": "willa", "name": userName, "roles": []string{"agent"}, "password": userPassword}},
		{"POST", "/users", map[string]any{"login": 5, "name": userName, "password": userPassword}},
		{"GET", "/contacts?number=" + callerNumber[1:] + "&limit=0", nil},
		{"GET", "/contacts/" + callerNumber[1:], nil},
		{"POST", "/connectors", map[string]any{"name": "bill", "kind": "http", "baseUrl": "nowhere", "grant": "bearer", "token": bearerToken}},
		{"POST", "/connectors/none/test", nil},
	} {
		status, raw, err := api.Do(wrong.method, wrong.path, wrong.body, nil)
		if err != nil || status < 400 {
			t.Errorf("%s %s: %d %s %v", wrong.method, wrong.path, status, raw, err)
		}
		texts.WriteString(raw)
	}
}

// eventsOf reads every durable event as a client.
func eventsOf(t *testing.T, h *hub.Hub, who *hub.Client) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var b strings.Builder
	var counts struct{ Counts struct{ Events int } }
	h.API().Must("GET", "/system", nil, &counts)
	n := 0
	for e := range who.Stream(ctx, "/events?after=0") {
		fmt.Fprintf(&b, "%s\n", e)
		if n++; n >= counts.Counts.Events {
			break
		}
	}
	return b.String()
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || len(raw) == 0 {
		t.Errorf("%s: %d, %v", url, res.StatusCode, err)
	}
	return string(raw)
}

// checkFiles reads the data directory; the sandbox org in it is the foreign platform, ready.json holds sample logins on purpose.
func checkFiles(t *testing.T, dir string, needles map[string]string) {
	t.Helper()
	files := 0
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		leaks(t, "the name "+d.Name(), []byte(d.Name()), needles)
		switch {
		case d.IsDir() && d.Name() == "sandbox":
			return fs.SkipDir
		case !d.Type().IsRegular() || d.Name() == "ready.json": // a link leads to the shared cache of the synthesizer
			return nil
		}
		raw, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // the log of a database that was closed
		}
		files++
		leaks(t, d.Name(), raw, needles)
		audioLeaks(t, d.Name(), raw)
		return err
	}); err != nil {
		t.Error(err)
	}
	if files == 0 {
		t.Error("no file was looked at")
	}
}

// checkTables reads every column of every table of a PostgreSQL database; more looks at it besides.
func checkTables(t *testing.T, dsn string, needles map[string]string, more ...func(*testing.T, *sql.DB)) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, look := range more {
		look(t, db)
	}
	var tables []string
	for name := range column(t, db, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") {
		tables = append(tables, name)
	}
	if len(tables) < 10 {
		t.Fatalf("only %d tables", len(tables))
	}
	for _, table := range tables {
		for row := range column(t, db, "SELECT t::text FROM "+table+" t") {
			leaks(t, "the table "+table, []byte(row), needles)
		}
	}
}

func column(t *testing.T, db *sql.DB, q string) func(yield func(string) bool) {
	t.Helper()
	return func(yield func(string) bool) {
		rows, err := db.QueryContext(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var v string
			if err := rows.Scan(&v); err != nil {
				t.Fatal(err)
			}
			if !yield(v) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			t.Error(err)
		}
	}
}

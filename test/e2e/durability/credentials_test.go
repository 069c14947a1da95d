package durability

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/tandemcc/tandem/internal/softphone"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/sqlstore/storetest"
	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// gossip is an org that repeats whatever it is told, in errors, pages and addresses, and remembers every secret that it saw or gave.
type gossip struct {
	t *testing.T

	mu     sync.Mutex // guards what follows
	mode   string
	n      int
	know   map[string]string // the secret by what it is
	errors int               // answers that held secrets
}

// modes are what the org does; "ok" alone lets anybody in.
func modes() []string {
	return []string{"ok", "refused", "page", "cut", "elsewhere", "odd", "api refused", "api page", "api cut"}
}

func (g *gossip) set(mode string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mode = mode
}

func (g *gossip) learn(what, secret string) {
	if secret != "" {
		g.know[fmt.Sprintf("%s %d", what, len(g.know))] = secret
	}
}

// ServeHTTP implements http.Handler.
func (g *gossip) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		g.t.Error(err)
	}
	said := string(body) + " " + r.Header.Get("Authorization")
	if form, err := url.ParseQuery(string(body)); err == nil {
		for _, name := range []string{"client_secret", "password", "refresh_token", "assertion", "code", "code_verifier"} {
			g.learn(name, form.Get(name))
			said += " " + form.Get(name)
		}
	}
	soap := strings.HasPrefix(r.URL.Path, "/services/Soap/")
	if login := soap || r.URL.Path == "/services/oauth2/token"; login && !strings.HasPrefix(g.mode, "api") && g.mode != "ok" {
		g.spoil(w, g.mode, said)
		return
	} else if !login {
		g.api(w, r, said)
		return
	}
	g.n++
	token, refresh := fmt.Sprintf("00D000000000001!canary.access.%d.QmVhcmVy", g.n), fmt.Sprintf("canary-refresh-%d-5Aep861", g.n)
	g.learn("access token", token)
	if soap {
		_, _ = fmt.Fprintf(w, `<Envelope><Body><loginResponse><result><serverUrl>http://%s/services/Soap/u/64.0</serverUrl><sessionId>%s</sessionId><userId>005000000000001AAA</userId><userInfo><organizationId>00D000000000001AAA</organizationId></userInfo></result></loginResponse></Body></Envelope>`, r.Host, token)
		return
	}
	g.learn("refresh token", refresh)
	_ = json.NewEncoder(w).Encode(map[string]string{"access_token": token, "refresh_token": refresh, "instance_url": "http://" + r.Host, "id": "http://" + r.Host + "/id/00D000000000001AAA/005000000000001AAA"})
}

func (g *gossip) api(w http.ResponseWriter, r *http.Request, said string) {
	if what, api := strings.CutPrefix(g.mode, "api "); api {
		g.spoil(w, what, said)
		return
	}
	if r.URL.Path == "/services/data" {
		_, _ = fmt.Fprint(w, `[{"label":"Winter '27","url":"/services/data/v68.0","version":"68.0"}]`)
		return
	}
	_, _ = fmt.Fprint(w, `{}`)
}

// spoil answers with what the org was told.
func (g *gossip) spoil(w http.ResponseWriter, how, said string) {
	g.errors++
	switch how {
	case "refused":
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant", "error_description": "cannot take " + said, "message": said, "errorCode": "ODD"})
	case "page":
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = fmt.Fprintf(w, "<html><body>Bad gateway: %s</body></html>", said)
	case "cut":
		panic(http.ErrAbortHandler)
	case "elsewhere":
		w.Header().Set("Location", "http://elsewhere.example/?said="+url.QueryEscape(said))
		w.WriteHeader(http.StatusTemporaryRedirect)
	default: // an answer that makes no sense
		_ = xml.EscapeText(w, []byte(said))
	}
}

// TestCredentialsStayWhereTheyAre signs in to an org that repeats every secret it hears, in each way there is and with each kind of
// failure, by the hub's own pages; and runs a call with a write-back against an org behind a recorder. No secret and no token is then in
// the log at its most talkative, the traces, the API's answers, metrics, profiles, jobs, audit or any byte of the database.
func TestCredentialsStayWhereTheyAre(t *testing.T) {
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
			g := &gossip{t: t, know: map[string]string{}}
			org := httptest.NewServer(g)
			defer org.Close()
			var texts bytes.Buffer
			everyLogin(t, h, g, org.URL, &texts)
			recorded := writeBack(t, h, &texts)
			for _, path := range []string{"/jobs", "/audit?limit=200", "/system", "/connectors"} {
				_, raw, err := h.API().Do("GET", path, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				texts.WriteString(raw)
			}
			texts.WriteString(eventsOf(t, h, h.API()))
			for _, page := range []string{"/metrics", "/debug/pprof/goroutine?debug=2"} {
				texts.WriteString(get(t, "http://"+h.Metrics+page))
			}
			needles := maps.Clone(g.know)
			maps.Copy(needles, recorded)
			if g.errors < 40 || len(needles) < 60 {
				t.Errorf("%d answers repeated secrets, %d secrets are known: this shows little", g.errors, len(needles))
			}
			if err := h.Stop(); err != nil {
				t.Error(err)
			}
			checkFiles(t, h.Dir, needles)
			if dsn != "" {
				checkTables(t, dsn, needles)
			}
			leaks(t, "the log", []byte(h.Log()), needles)
			leaks(t, "what the hub said", texts.Bytes(), needles)
			traces.mu.Lock()
			defer traces.mu.Unlock()
			leaks(t, "the traces", traces.got.Bytes(), needles)
			if traces.got.Len() == 0 || !strings.Contains(h.Log(), "DEBUG") && !strings.Contains(h.Log(), "debug") {
				t.Error("there are no traces, or the log is not talkative: this shows nothing of them")
			}
		})
	}
}

// everyLogin makes a connector for each way of signing in and tries it in each mode.
func everyLogin(t *testing.T, h *hub.Hub, g *gossip, address string, texts *bytes.Buffer) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	g.learn("a line of the private key", strings.Split(private, "\n")[5])
	api := h.API()
	do := func(method, path string, in any) string {
		_, raw, err := api.Do(method, path, in, nil)
		if err != nil {
			t.Fatal(err)
		}
		texts.WriteString(raw + "\n")
		return raw
	}
	for _, grant := range []string{"password", "client_credentials", "refresh_token", "jwt_bearer", "soap_login"} {
		c := map[string]any{
			"name": "gossip " + grant, "kind": "salesforce", "baseUrl": address, "grant": grant, "clientId": "3MVG9-public", "username": "hub@example.test", "allowPrivate": true,
			"clientSecret": "canary-client-secret-" + grant, "password": "canary-pässword&1-" + grant, "securityToken": "canary-security-token-" + grant,
			"refreshToken": "canary-first-refresh-" + grant, "privateKey": private, "streams": "off",
		}
		for _, name := range []string{"clientSecret", "password", "securityToken", "refreshToken"} {
			secret, _ := c[name].(string)
			g.learn(name, secret)
		}
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(do("POST", "/connectors", c)), &made); err != nil || made.ID == "" {
			t.Fatalf("%s: no connector was made: %v", grant, err)
		}
		for _, mode := range modes() {
			g.set(mode)
			got := do("POST", "/connectors/"+made.ID+"/test", nil)
			if ok := strings.Contains(got, `"ok":true`); ok != (mode == "ok") {
				t.Errorf("%s, %s: %s", grant, mode, got)
			}
			do("GET", "/connectors/"+made.ID+"/status", nil)
		}
		if grant == "refresh_token" {
			for _, mode := range append(modes(), "ok") {
				g.set(mode)
				browse(t, h, g, made.ID, texts)
			}
			g.set("ok")
			if got := do("POST", "/connectors/"+made.ID+"/test", nil); !strings.Contains(got, `"ok":true`) {
				t.Errorf("after the sign-in in the browser: %s", got)
			}
		}
	}
}

// browse signs in as a person does in the browser: the org sends them back with a code.
func browse(t *testing.T, h *hub.Hub, g *gossip, id string, texts *bytes.Buffer) {
	t.Helper()
	var to struct{ URL string }
	h.API().Must("POST", "/connectors/"+id+"/authorize", map[string]string{"origin": "http://" + h.HTTP}, &to)
	u, err := url.Parse(to.URL)
	if err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	code := fmt.Sprintf("canary-code-%d-aPrx", len(g.know))
	g.learn("code", code)
	g.mu.Unlock()
	back := url.Values{"state": {u.Query().Get("state")}, "code": {code}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+h.HTTP+"/oauth/callback?"+back.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	texts.WriteString(res.Header.Get("Location") + "\n")
	if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), "/connectors?connect=") {
		t.Errorf("the browser is sent to %d %s", res.StatusCode, res.Header.Get("Location"))
	}
}

// writeBack puts a recorder before the sandbox org and makes a call whose write-back fails first; it returns the secrets that went
// over the wire.
func writeBack(t *testing.T, h *hub.Hub, texts *bytes.Buffer) map[string]string {
	t.Helper()
	var mu sync.Mutex
	secrets := map[string]string{}
	target := &url.URL{Scheme: "http", Host: h.Sandbox}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }}
	recorder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
			mu.Lock()
			secrets["a token of the sandbox "+token[:20]] = token
			mu.Unlock()
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(recorder.Close)
	api := h.API()
	var list struct {
		Items []struct{ ID, Name, Kind, BaseURL, ClientID, Username string }
	}
	api.Must("GET", "/connectors", nil, &list)
	changed := false
	for _, c := range list.Items {
		if c.BaseURL != "http://"+h.Sandbox {
			continue
		}
		changed = true
		api.Must("PUT", "/connectors/"+c.ID, map[string]any{
			"name": c.Name, "kind": c.Kind, "baseUrl": recorder.URL, "grant": "client_credentials", "clientId": c.ClientID, "clientSecret": h.Org.ClientSecret, "allowPrivate": true, "streams": "off",
		}, nil)
	}
	if !changed {
		t.Fatalf("no connector leads to the sandbox %s: %+v", h.Sandbox, list.Items)
	}
	var made struct{ ID string }
	h.CRM("POST", "/sobjects/Contact", map[string]any{"FirstName": firstName, "LastName": lastName, "Phone": callerNumber[2:]}, &made)
	h.CRM("POST", "/sobjects/Case", map[string]any{"ContactId": made.ID, "Subject": caseSubject, "Status": "New", "Origin": "Phone"}, nil)
	ada := h.SignIn("ada")
	ada.Connect(softphone.Options{Clip: softphone.Tone(agentHz)})
	ada.Available()
	h.Fault(map[string]any{"kind": "status", "status": 500, "method": "PATCH", "match": "/sobjects/Case", "count": 1})
	call := h.Call(callerNumber, "1000", softphone.Options{Clip: softphone.Tone(callerHz)})
	h.Eventually("the call rings at the desk", func() bool { d := ada.Desk(); return d.State == "ringing" && d.Contact != nil })
	id := ada.Desk().Contact.ID
	ada.Must("POST", "/desk/contacts/"+id+"/accept", nil, nil)
	h.Eventually("the call is connected", func() bool { return ada.Desk().State == "connected" })
	call.Hangup()
	h.Eventually("wrap-up", func() bool { return ada.Desk().State == "wrapup" })
	h.ExpireSessions()
	ada.Must("POST", "/desk/contacts/"+id+"/wrapup", map[string]string{"codeId": "resolved", "notes": wrapUpNotes}, nil)
	h.Eventually("the write-back has ended", func() bool {
		h.Advance(60_000_000_000)
		_, raw, err := api.Do("GET", "/contacts/"+id, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(raw, `"writeBack":"done"`) {
			texts.WriteString(raw)
			return true
		}
		return false
	})
	mu.Lock()
	defer mu.Unlock()
	if len(secrets) < 2 {
		t.Errorf("%d tokens of the sandbox were seen", len(secrets))
	}
	secrets["the sandbox's client secret"] = h.Org.ClientSecret
	return secrets
}

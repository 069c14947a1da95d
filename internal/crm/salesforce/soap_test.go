package salesforce_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/sandbox/sandboxtest"
)

// bySOAP signs in without an app.
func bySOAP(o *salesforce.Options) {
	o.Grant, o.ClientID, o.ClientSecret = salesforce.SOAPLogin, "", ""
}

// TestSOAPLogin signs in by SOAP, works with the session, and renews it by one login when it has ended.
func TestSOAPLogin(t *testing.T) {
	t.Parallel()
	org := sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone, Credentials: sandbox.Credentials{Username: "a&b@example.com", Password: `<"&'>`}})
	c := connect(t, org, bySOAP)
	report, err := c.Test(t.Context())
	if err != nil || report.User != "a&b@example.com" || report.Grant != salesforce.SOAPLogin || report.Version != "68.0" {
		t.Fatalf("%+v, %v", report, err)
	}
	org.ExpireSessions(t.Context())
	if id := create(t, c, `{"Subject":"after the session"}`); id == "" {
		t.Error("nothing was made")
	}
	for name, k := range map[string]struct {
		change func(*salesforce.Options)
		want   string
	}{
		"password":       {func(o *salesforce.Options) { o.Password = "x" }, "security token are wrong"},
		"security token": {func(o *salesforce.Options) { o.SecurityToken = "" }, "security token"},
	} {
		_, err := connect(t, org, func(o *salesforce.Options) { bySOAP(o); k.change(o) }).Test(t.Context())
		if !errs.Is(err, errs.Invalid) || !strings.Contains(errs.Message(err), k.want) {
			t.Errorf("%s: got %v, want %q", name, err, k.want)
		}
	}
	if err := org.SetFlow(t.Context(), sandbox.FlowSOAPLogin, false); err != nil {
		t.Fatal(err)
	}
	_, err = connect(t, org, bySOAP).Test(t.Context())
	if !errs.Is(err, errs.Invalid) || !strings.Contains(errs.Message(err), "off in this org or has ended") {
		t.Errorf("with the flow off: %v", err)
	}
}

// TestSOAPFaults: what an org can answer to a login, and that a refused one is never sent twice: each is an attempt that counts
// towards locking the user out.
func TestSOAPFaults(t *testing.T) {
	t.Parallel()
	fault := func(code string) string {
		return `<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com"><soapenv:Body><soapenv:Fault><faultcode>sf:` +
			code + `</faultcode><faultstring>` + code + `: told so</faultstring></soapenv:Fault></soapenv:Body></soapenv:Envelope>`
	}
	done := func(server, expired string) string {
		return `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><loginResponse xmlns="urn:partner.soap.sforce.com"><result><passwordExpired>` + expired +
			`</passwordExpired><serverUrl>` + server + `</serverUrl><sessionId>00D!x</sessionId><userId>005000000000001AAA</userId><userInfo><organizationId>00D000000000001AAA</organizationId></userInfo></result></loginResponse></Body></Envelope>`
	}
	for _, k := range []struct {
		status int
		body   string
		code   errs.Code
		want   string
	}{
		{500, fault("INVALID_LOGIN"), errs.Invalid, "security token are wrong"},
		{500, fault("LOGIN_MUST_USE_SECURITY_TOKEN"), errs.Invalid, "trust the hub's address"},
		{500, fault("UNSUPPORTED_API_VERSION"), errs.Invalid, "has ended"},
		{500, fault("PASSWORD_LOCKOUT"), errs.Invalid, "locked out"},
		{500, fault("API_DISABLED_FOR_ORG"), errs.Denied, "API Enabled"},
		{500, fault("INACTIVE_ORG"), errs.Invalid, "org is locked"},
		{500, fault("LOGIN_RATE_EXCEEDED"), errs.Exhausted, "short time"},
		{500, fault("SERVER_UNAVAILABLE"), errs.Unavailable, "not available"},
		{500, fault("SOMETHING_NEW"), errs.Invalid, "SOMETHING_NEW"},
		{503, "<html>down for maintenance</html>", errs.Unavailable, "not available"},
		{200, "<html>sign in to the network</html>", errs.Invalid, "does not answer like Salesforce"},
		{200, done("https://na1.example/services/Soap/u/64.0/00D", "true"), errs.Invalid, "has expired"},
		{200, done("file:///etc", "false"), errs.Unavailable, "instance address"},
	} {
		var logins atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			logins.Add(1)
			sent, _ := io.ReadAll(r.Body)
			if r.URL.Path != "/services/Soap/u/64.0" || r.Header.Get("SOAPAction") == "" || !strings.Contains(string(sent), "<urn:username>ada</urn:username><urn:password>hush1hush2</urn:password>") {
				t.Errorf("%s %q was sent", r.URL.Path, sent)
			}
			w.Header().Set("Content-Type", "text/xml")
			w.WriteHeader(k.status)
			_, _ = fmt.Fprint(w, k.body)
		}))
		h, err := httpx.New(httpx.Options{Allow: []string{strings.TrimPrefix(server.URL, "http://")}})
		if err != nil {
			t.Fatal(err)
		}
		c, err := salesforce.New(salesforce.Options{BaseURL: server.URL, Grant: salesforce.SOAPLogin, Username: "ada", Password: "hush1", SecurityToken: "hush2", HTTP: h})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Do(t.Context(), salesforce.Request{Path: "/services/data"})
		if !errs.Is(err, k.code) || !strings.Contains(errs.Message(err), k.want) || strings.Contains(err.Error(), "hush") || logins.Load() != 1 {
			t.Errorf("%.60s: got %v after %d logins, want %s %q after one", k.body, err, logins.Load(), k.code, k.want)
		}
		c.Close()
		h.Close()
		server.Close()
	}
}

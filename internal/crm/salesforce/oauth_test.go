package salesforce_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/sandbox/sandboxtest"
)

// TestJWTBearer signs in with a key whose public half the app holds, and not with another one.
func TestJWTBearer(t *testing.T) {
	t.Parallel()
	pair := func() (private, public string) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
			string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	private, public := pair()
	stranger, _ := pair()
	org := sandboxtest.Start(t, sandbox.Options{Seed: sandbox.SeedNone, PublicKeys: []string{public}})
	with := func(key string) *salesforce.Client {
		return connect(t, org, func(o *salesforce.Options) {
			o.Grant, o.PrivateKey, o.ClientSecret, o.Password, o.SecurityToken = salesforce.JWTBearer, key, "", "", ""
		})
	}
	report, err := with(private).Test(t.Context())
	if err != nil || report.User != org.Credentials().Username || report.Grant != salesforce.JWTBearer {
		t.Errorf("%+v, %v", report, err)
	}
	if _, err := with(stranger).Test(t.Context()); !errs.Is(err, errs.Invalid) || !strings.Contains(errs.Message(err), "certificate") {
		t.Errorf("with a strange key: %v", err)
	}
	_, err = salesforce.New(salesforce.Options{BaseURL: org.URL, Grant: salesforce.JWTBearer, ClientID: "x", Username: "u", PrivateKey: "no key", HTTP: &httpx.Client{}})
	if !errs.Is(err, errs.Invalid) || strings.Contains(err.Error(), "no key") {
		t.Errorf("with something else: %v", err)
	}
}

// TestSignInInTheBrowser: the challenge that the browser carries is the hash of the verifier that comes with the code, and what is
// kept is the refresh token.
func TestSignInInTheBrowser(t *testing.T) {
	t.Parallel()
	challenge := ""
	answer := map[string]string{"access_token": "00D!a", "refresh_token": "r-1", "instance_url": "https://x.example"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if r.FormValue("grant_type") != "authorization_code" || r.FormValue("code") != "c-1" || base64.RawURLEncoding.EncodeToString(sum[:]) != challenge || r.FormValue("redirect_uri") != "https://hub/oauth/callback" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"invalid code verifier"}`))
			return
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	h, err := httpx.New(httpx.Options{Allow: []string{strings.TrimPrefix(server.URL, "http://")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	a, err := salesforce.Authorize(server.URL, "client", "https://hub/oauth/callback")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(a.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	challenge = q.Get("code_challenge")
	if q.Get("state") != a.State || len(a.State) < 40 || q.Get("code_challenge_method") != "S256" || strings.Contains(a.URL, a.Verifier) || q.Get("client_id") != "client" {
		t.Errorf("the address is %s", a.URL)
	}
	o := salesforce.Options{BaseURL: server.URL, ClientID: "client", HTTP: h}
	if token, err := salesforce.Exchange(t.Context(), o, "c-1", a.Verifier, "https://hub/oauth/callback"); err != nil || token != "r-1" {
		t.Errorf("exchanged for %q, %v", token, err)
	}
	if _, err := salesforce.Exchange(t.Context(), o, "c-1", "another", "https://hub/oauth/callback"); !errs.Is(err, errs.Invalid) {
		t.Errorf("with another verifier: %v", err)
	}
	delete(answer, "refresh_token")
	if _, err := salesforce.Exchange(t.Context(), o, "c-1", a.Verifier, "https://hub/oauth/callback"); !errs.Is(err, errs.Invalid) || !strings.Contains(errs.Message(err), "refresh_token") {
		t.Errorf("without a refresh token: %v", err)
	}
}

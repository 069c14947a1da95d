package salesforce

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// testKey is made once: it takes a while.
var testKey = sync.OnceValue(func() *rsa.PrivateKey { //nolint:gochecknoglobals // made once
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func publicPEM(t testing.TB, key *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func certificatePEM(t testing.TB, key *rsa.PrivateKey) string {
	t.Helper()
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func signJWT(t testing.TB, key *rsa.PrivateKey, header, claims string) string {
	t.Helper()
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(claims))
	sum := sha256.Sum256([]byte(signed))
	mac, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + enc.EncodeToString(mac)
}

const rs256 = `{"alg":"RS256","typ":"JWT"}`

func TestJWTBearer(t *testing.T) {
	t.Parallel()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	o := start(t, Options{Seed: SeedNone, PublicKeys: []string{certificatePEM(t, testKey())}})
	c := o.Credentials()
	future := fixedNow().Add(3 * time.Minute).Unix()
	type variant struct {
		name, iss, sub, aud, exp, header string
		key                              *rsa.PrivateKey
		code, description                string
	}
	good := variant{iss: c.ClientID, sub: c.Username, aud: `"https://login.salesforce.com"`, exp: fmt.Sprint(future), header: rs256, key: testKey()}
	with := func(name string, change func(v *variant)) variant { v := good; v.name = name; change(&v); return v }
	for _, v := range []variant{
		with("login address", func(*variant) {}),
		with("slash", func(v *variant) { v.aud = `"https://login.salesforce.com/"` }),
		with("test address", func(v *variant) { v.aud = `"https://test.salesforce.com"` }),
		with("own address", func(v *variant) { v.aud = `"` + o.url + `"` }),
		with("own address with slash", func(v *variant) { v.aud = `"` + o.url + `/"` }),
		with("site", func(v *variant) { v.aud = `"` + o.url + `/customers"` }),
		with("list", func(v *variant) { v.aud = `["https://elsewhere.example","https://login.salesforce.com"]` }),
		with("string", func(v *variant) { v.exp = fmt.Sprintf("%q", fmt.Sprint(future)) }),
		with("milliseconds", func(v *variant) { v.exp = fmt.Sprint(future * 1000) }),
		with("far", func(v *variant) { v.exp = fmt.Sprint(future + 1e8) }),
		with("expired", func(v *variant) {
			v.exp, v.code, v.description = fmt.Sprint(future-181), "invalid_grant", "expired authorization code"
		}),
		with("expired milliseconds", func(v *variant) { v.exp, v.code = fmt.Sprint((future-181)*1000), "invalid_grant" }),
		with("no expiry", func(v *variant) { v.exp, v.code = "null", "invalid_grant" }),
		with("wrong expiry", func(v *variant) { v.exp, v.code, v.description = `"soon"`, "invalid_grant", "invalid assertion" }),
		with("wrong audience", func(v *variant) {
			v.aud, v.code, v.description = `"https://elsewhere.example"`, "invalid_grant", "Audience validation failed"
		}),
		with("audience by http", func(v *variant) { v.aud, v.code = `"http://login.salesforce.com"`, "invalid_grant" }),
		with("unknown app", func(v *variant) { v.iss, v.code = "3MVGnone", "invalid_client_id" }),
		with("unknown user", func(v *variant) {
			v.sub, v.code, v.description = "nobody@sandbox.example", "invalid_grant", "user hasn't approved this consumer"
		}),
		with("bad signature", func(v *variant) { v.key, v.code, v.description = other, "invalid_grant", "invalid assertion" }),
		with("no algorithm", func(v *variant) { v.header, v.code = `{"alg":"none"}`, "invalid_grant" }),
		with("other algorithm", func(v *variant) { v.header, v.code = `{"alg":"HS256"}`, "invalid_grant" }),
	} {
		claims := fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":%s,"exp":%s}`, v.iss, v.sub, v.aud, v.exp)
		status, body := o.form("/services/oauth2/token", url.Values{"grant_type": {grantJWT}, "assertion": {signJWT(t, v.key, v.header, claims)}})
		var answer map[string]string
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		switch {
		case v.code == "" && (status != http.StatusOK || answer["access_token"] == "" || answer["refresh_token"] != "" || answer["scope"] == ""):
			t.Errorf("%s: %d %s", v.name, status, body)
		case v.code != "" && (status != http.StatusBadRequest || answer["error"] != v.code || v.description != "" && answer["error_description"] != v.description):
			t.Errorf("%s: %d %s", v.name, status, body)
		}
	}
	for _, text := range []string{"", "a.b.c", "a.b", strings.Repeat("x", maxAssertion+1)} {
		if status, body := o.form("/services/oauth2/token", url.Values{"grant_type": {grantJWT}, "assertion": {text}}); status != http.StatusBadRequest || !strings.Contains(body, "invalid assertion") {
			t.Errorf("assertion %.20q: %d %s", text, status, body)
		}
	}
}

func TestAppsAndKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "certificates"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "certificates", "own.pem"), []byte(publicPEM(t, testKey())), 0o600); err != nil {
		t.Fatal(err)
	}
	o := start(t, Options{Seed: SeedNone, Dir: dir})
	c := o.Credentials()
	sign := func(iss string) (int, string) {
		claims := fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":"https://login.salesforce.com","exp":%d}`, iss, c.Username, fixedNow().Unix()+60)
		return o.form("/services/oauth2/token", url.Values{"grant_type": {grantJWT}, "assertion": {signJWT(t, testKey(), rs256, claims)}})
	}
	if status, body := sign(c.ClientID); status != http.StatusOK {
		t.Errorf("a certificate of the folder: %d %s", status, body)
	}
	status, body, _ := o.send(http.MethodPost, "/sandbox/api/apps", `{"client_id":"second","client_secret":"s2","name":"Second"}`, nil)
	if status != http.StatusCreated {
		t.Fatalf("adding an app: %d %s", status, body)
	}
	if status, body := sign("second"); status != http.StatusBadRequest {
		t.Errorf("an app without a key: %d %s", status, body)
	}
	if status, body, _ := o.send(http.MethodPost, "/sandbox/api/apps/second/keys", publicPEM(t, testKey()), nil); status != http.StatusNoContent {
		t.Fatalf("adding a key: %d %s", status, body)
	}
	if status, body := sign("second"); status != http.StatusOK {
		t.Errorf("an app with a key: %d %s", status, body)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"second"}, "client_secret": {"s2"}}
	if status, body := o.form("/services/oauth2/token", form); status != http.StatusBadRequest || !strings.Contains(body, "no client credentials user enabled") {
		t.Errorf("an app without a user: %d %s", status, body)
	}
	for _, text := range []string{"", "no pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if status, _, _ := o.send(http.MethodPost, "/sandbox/api/apps/own/keys", text, nil); status != http.StatusBadRequest {
			t.Errorf("key %.20q: %d", text, status)
		}
	}
	page := url.Values{"do": {"app"}, "name": {"Third"}, "username": {c.Username}}
	if status, body := o.form("/sandbox/setup", page); status != http.StatusSeeOther {
		t.Errorf("adding an app by the page: %d %s", status, body)
	}
	if status, body, _ := o.send(http.MethodGet, "/sandbox/setup", "", nil); status != http.StatusOK || !strings.Contains(body, "Third") {
		t.Errorf("the setup page: %d", status)
	}
}

func TestFlowSwitches(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, DisabledFlows: []Flow{FlowSOAPLogin}})
	c := o.Credentials()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}}
	put := func(body string) int {
		status, _, _ := o.send(http.MethodPut, "/sandbox/api/flows", body, nil)
		return status
	}
	if status := put(`{"client_credentials":false}`); status != http.StatusOK {
		t.Fatalf("switching: %d", status)
	}
	if status, body := o.form("/services/oauth2/token", form); status != http.StatusBadRequest {
		t.Errorf("a closed flow: %d %s", status, body)
	}
	if status, _ := o.form("/sandbox/setup", url.Values{"do": {"on"}, "name": {"client_credentials"}}); status != http.StatusSeeOther {
		t.Errorf("switching by the page: %d", status)
	}
	if status, body := o.form("/services/oauth2/token", form); status != http.StatusOK {
		t.Errorf("an open flow: %d %s", status, body)
	}
	if status := put(`{"telepathy":false}`); status != http.StatusBadRequest {
		t.Errorf("an unknown flow: %d", status)
	}
	if status, body := soapLogin(o, "/services/Soap/u/50.0", c.Username, c.Password+c.SecurityToken); status != http.StatusInternalServerError || !strings.Contains(body, "INVALID_OPERATION") {
		t.Errorf("SOAP login that is off: %d %s", status, body)
	}
}

func soapLogin(o *testOrg, path, user, password string) (int, string) {
	body := `<se:Envelope xmlns:se="http://schemas.xmlsoap.org/soap/envelope/"><se:Header/><se:Body><login xmlns="urn:partner.soap.sforce.com"><username>` +
		escapeXML(user) + `</username><password>` + escapeXML(password) + `</password></login></se:Body></se:Envelope>`
	status, out, _ := o.send(http.MethodPost, path, body, http.Header{"Content-Type": {"text/xml"}, "SOAPAction": {`""`}})
	return status, out
}

func TestSOAPLogin(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone, Credentials: Credentials{Password: "p<&>w"}})
	c := o.Credentials()
	for _, path := range []string{"/services/Soap/u/50.0", "/services/soap/U/64.0", "/services/Soap/c/31.0/" + orgID[:15]} {
		status, body := soapLogin(o, path, c.Username, c.Password+c.SecurityToken)
		_, rest, found := strings.Cut(body, "<sessionId>")
		token, _, _ := strings.Cut(rest, "</sessionId>")
		if status != http.StatusOK || !found || !strings.Contains(body, "<organizationId>"+orgID) {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		if status, _, _ := o.send(http.MethodGet, "/services/data/v60.0/limits", "", http.Header{"Authorization": {"Bearer " + token}}); status != http.StatusOK {
			t.Errorf("the session does not work: %d", status)
		}
		logout := `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header><SessionHeader xmlns="urn:partner.soap.sforce.com"><sessionId>` +
			token + `</sessionId></SessionHeader></e:Header><e:Body><logout xmlns="urn:partner.soap.sforce.com"/></e:Body></e:Envelope>`
		if status, body, _ := o.send(http.MethodPost, path, strings.ReplaceAll(logout, "logout", "getUserInfo"), nil); status != http.StatusOK || !strings.Contains(body, c.Username) {
			t.Errorf("getUserInfo: %d %s", status, body)
		}
		if status, body, _ := o.send(http.MethodPost, path, logout, nil); status != http.StatusOK {
			t.Errorf("logout: %d %s", status, body)
		}
		if status, body, _ := o.send(http.MethodPost, path, logout, nil); status != http.StatusInternalServerError || !strings.Contains(body, "INVALID_SESSION_ID") {
			t.Errorf("logout twice: %d %s", status, body)
		}
	}
	for path, code := range map[string]string{
		"/services/Soap/u/65.0": "UNSUPPORTED_API_VERSION", "/services/Soap/u/30.0": "UNSUPPORTED_API_VERSION", "/services/Soap/u/x": "UNSUPPORTED_API_VERSION",
		"/services/Soap/z/50.0": "UNKNOWN_EXCEPTION", "/services/Soap": "UNKNOWN_EXCEPTION",
	} {
		if status, body := soapLogin(o, path, c.Username, c.Password+c.SecurityToken); status != http.StatusInternalServerError || !strings.Contains(body, code) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, body := soapLogin(o, "/services/Soap/u/50.0", c.Username, "wrong"); status != http.StatusInternalServerError || !strings.Contains(body, "<faultstring>INVALID_LOGIN: Invalid username") {
		t.Errorf("wrong password: %d %s", status, body)
	}
}

func TestOpenID(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	c := o.Credentials()
	get := func(path string) map[string]any {
		status, body, _ := o.send(http.MethodGet, path, "", nil)
		var v map[string]any
		if err := json.Unmarshal([]byte(body), &v); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		return v
	}
	d := get("/.well-known/openid-configuration")
	if d["issuer"] != o.url || d["jwks_uri"] != o.url+"/id/keys" {
		t.Errorf("discovery: %v", d)
	}
	key, _ := get("/id/keys")["keys"].([]any)[0].(map[string]any)
	n, err := base64.RawURLEncoding.DecodeString(str(key["n"]))
	if err != nil || key["e"] != "AQAB" {
		t.Fatalf("key: %v", key)
	}
	code := o.codes.add(code{client: c.ClientID, user: o.admin, name: c.Username, redirect: "http://x/", scope: "openid api", nonce: "n1"})
	status, body := o.form("/services/oauth2/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"http://x/"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret},
	})
	var answer map[string]string
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK || answer["refresh_token"] != "" {
		t.Fatalf("exchanging the code: %d %s", status, body)
	}
	parts := strings.Split(answer["id_token"], ".")
	mac, _ := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	pub := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
	if err := rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], mac); err != nil {
		t.Errorf("the id token: %v", err)
	}
	claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
	if !strings.Contains(string(claims), `"nonce":"n1"`) {
		t.Errorf("claims: %s", claims)
	}
}

func TestIntrospect(t *testing.T) {
	t.Parallel()
	o := start(t, Options{Seed: SeedNone})
	c := o.Credentials()
	ask := func(token, secret string) (int, string) {
		return o.form("/services/oauth2/introspect", url.Values{"token": {token}, "client_id": {c.ClientID}, "client_secret": {secret}})
	}
	if status, body := ask(o.token, c.ClientSecret); status != http.StatusOK || !strings.Contains(body, `"active":true`) || !strings.Contains(body, c.Username) {
		t.Errorf("a live token: %d %s", status, body)
	}
	if status, body := ask("nothing", c.ClientSecret); status != http.StatusOK || body != `{"active":false}` {
		t.Errorf("an unknown token: %d %s", status, body)
	}
	if status, body := ask(o.token, "wrong"); status != http.StatusBadRequest || !strings.Contains(body, "invalid_client") {
		t.Errorf("a wrong secret: %d %s", status, body)
	}
}

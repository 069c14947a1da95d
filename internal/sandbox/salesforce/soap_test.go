package salesforce

import (
	"encoding/xml"
	"net/http"
	"strings"
	"testing"
)

const soapHead = `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header><SessionHeader xmlns="urn:partner.soap.sforce.com"><sessionId>`

func (o *ruled) soapCall(path, call string) (int, string) {
	o.t.Helper()
	status, body, _ := o.send(http.MethodPost, path, soapHead+o.token+`</sessionId></SessionHeader></e:Header><e:Body><`+call+` xmlns="urn:partner.soap.sforce.com"/></e:Body></e:Envelope>`, nil)
	return status, body
}

// TestSOAPVersions: login answers 31.0 to 64.0, whatever the case of the path; earlier versions are retired and later ones have
// no login, though the other calls.
func TestSOAPVersions(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	for _, path := range []string{"/services/Soap/u/31.0", "/services/soap/u/50.0", "/SERVICES/SOAP/C/64.0", "//services/Soap/u/64.0/" + orgID[:15]} {
		status, body := soapLogin(o.testOrg, path, strings.ToUpper(ruleUser), rulePass+ruleToken)
		var answer struct {
			Result struct {
				ServerURL string `xml:"serverUrl"`
				SessionID string `xml:"sessionId"`
				Metadata  string `xml:"metadataServerUrl"`
				Expired   string `xml:"passwordExpired"`
				Sandbox   string `xml:"sandbox"`
				UserID    string `xml:"userId"`
				User      struct {
					Org  string `xml:"organizationId"`
					Name string `xml:"userName"`
					Mail string `xml:"userEmail"`
					For  string `xml:"sessionSecondsValid"`
				} `xml:"userInfo"`
			} `xml:"Body>loginResponse>result"`
		}
		if err := xml.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %v %s", path, status, err, body)
		}
		r := answer.Result
		segs := strings.Split(strings.Trim(path, "/"), "/")
		if want := o.url + "/services/Soap/" + strings.ToLower(segs[2]) + "/" + segs[3] + "/" + orgID[:15]; r.ServerURL != want || r.Metadata != strings.Replace(want, "/Soap/"+strings.ToLower(segs[2]), "/Soap/m", 1) {
			t.Errorf("%s: serverUrl %s, metadataServerUrl %s", path, r.ServerURL, r.Metadata)
		}
		if !o.works(r.SessionID) || r.UserID != o.admin || r.User.Org != orgID || r.User.Name != ruleUser || r.User.For != "7200" || r.Expired != "false" || r.Sandbox != "true" {
			t.Errorf("%s: %+v", path, r)
		}
	}
	for version, code := range map[string]string{
		"21.0": "UNSUPPORTED_API_VERSION", "30.0": "UNSUPPORTED_API_VERSION", "65.0": "UNSUPPORTED_API_VERSION", "68.0": "UNSUPPORTED_API_VERSION", "69.0": "UNSUPPORTED_API_VERSION", "x": "UNSUPPORTED_API_VERSION",
	} {
		if status, body := soapLogin(o.testOrg, "/services/Soap/u/"+version, ruleUser, rulePass+ruleToken); status != http.StatusInternalServerError || !strings.Contains(body, "<faultcode>sf:"+code) {
			t.Errorf("%s: %d %s", version, status, body)
		}
	}
	if status, body := o.soapCall("/services/Soap/u/68.0", "getServerTimestamp"); status != http.StatusOK || !strings.Contains(body, "<timestamp>2026-11-18T15:30:00.000Z</timestamp>") {
		t.Errorf("getServerTimestamp: %d %s", status, body)
	}
	if status, body := o.soapCall("/services/Soap/u/30.0", "getServerTimestamp"); status != http.StatusInternalServerError || !strings.Contains(body, "UNSUPPORTED_API_VERSION") {
		t.Errorf("getServerTimestamp of a retired version: %d %s", status, body)
	}
	if status, body := o.soapCall("/services/Soap/u/60.0", "query"); status != http.StatusInternalServerError || !strings.Contains(body, "INVALID_OPERATION") {
		t.Errorf("another call: %d %s", status, body)
	}
}

// TestSOAPBodies: what is no envelope, too long, or would grow by entities is refused at once, and what a caller sends comes
// back escaped.
func TestSOAPBodies(t *testing.T) {
	t.Parallel()
	o := startRuled(t)
	bomb := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>` +
		`<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><login><username>&c;</username><password>x</password></login></e:Body></e:Envelope>`
	for name, body := range map[string]string{
		"nothing": "", "no XML": "{}", "half of one": "<a><b>", "an entity bomb": bomb, "an outer entity": strings.Replace(bomb, `"ha"`, `SYSTEM "file:///etc/passwd"`, 1),
		"too long": strings.Repeat(" ", maxSOAP) + soapHead + `</sessionId></SessionHeader></e:Header><e:Body/></e:Envelope>`,
		"too deep": strings.Repeat("<a>", 20_000) + strings.Repeat("</a>", 1),
	} {
		status, out, h := o.send(http.MethodPost, "/services/Soap/u/60.0", body, nil)
		if status != http.StatusInternalServerError || !strings.Contains(out, "<soapenv:Fault>") || h.Get("Content-Type") != "text/xml; charset=utf-8" || strings.Contains(out, "haha") {
			t.Errorf("%s: %d %.200s", name, status, out)
		}
	}
	for _, name := range []string{"<b>&\"'", "\u0001"} {
		if _, out := soapLogin(o.testOrg, "/services/Soap/u/60.0", name, name); xml.Unmarshal([]byte(out), new(struct{})) != nil || !strings.Contains(out, "INVALID_LOGIN") && name != "\u0001" {
			t.Errorf("%q: %s", name, out)
		}
	}
}

func FuzzSOAP(f *testing.F) {
	f.Add(soapHead + `x</sessionId></SessionHeader></e:Header><e:Body><logout/></e:Body></e:Envelope>`)
	f.Add(`<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><login><username>a</username><password>b</password></login></e:Body></e:Envelope>`)
	f.Add(`<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>`)
	f.Fuzz(func(_ *testing.T, body string) {
		var env soapEnvelope
		_ = xml.Unmarshal([]byte(body), &env) // must end, and not panic
	})
}

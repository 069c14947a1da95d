package salesforce

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tandemcc/tandem/internal/crm"
)

func FuzzLimits(f *testing.F) {
	for _, s := range []string{"api-usage=18/15000", "api-usage=18/15000, per-app-api-usage=17/250(appName=x)", "", "api-usage=", "api-usage=-1/5", "api-usage=99999999999999999999/1", "per-app-api-usage=1/2(appName=a=b,c)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if l, ok := parseLimits(v); ok && (l.Used < 0 || l.Max <= 0) {
			t.Errorf("%q gave %+v", v, l)
		}
	})
}

func FuzzErrorBody(f *testing.F) {
	for _, s := range []string{
		`[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`, `{"error":"invalid_grant","error_description":"x"}`,
		`[{"errorCode":"REQUIRED_FIELD_MISSING","message":"m","fields":["LastName"]}]`, `[]`, `null`, `<html>`, `"text"`, `[{"message":1}]`, ``,
	} {
		f.Add(400, []byte(s))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		r := &Response{Status: status, Body: body}
		e := parseError(r)
		if len(e.Message) > maxErrorText+4 || len(e.Code) > maxErrorText+4 || e.Status != status {
			t.Errorf("%q gave %+v", body, e)
		}
		if utf8.Valid(body) && !utf8.ValidString(e.Message) {
			t.Errorf("%q gave the broken text %q", body, e.Message)
		}
		if (r.Err() != nil) != (status >= http.StatusBadRequest) {
			t.Errorf("status %d gave %v", status, r.Err())
		}
	})
}

func FuzzTokenAnswer(f *testing.F) {
	for _, s := range []string{
		`{"access_token":"00D!x.y","instance_url":"https://a.my.salesforce.com","id":"https://login.salesforce.com/id/00D/005","token_type":"Bearer"}`,
		`{"access_token":"a\r\nX: y"}`, `{"access_token":1}`, `{}`, `[]`, `{"access_token":"x","id":"https://h/id/../../x"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, ok := parseToken(body)
		if !ok {
			return
		}
		if strings.ContainsAny(a.AccessToken, "\r\n\x00 ") || a.AccessToken == "" {
			t.Errorf("%q gave the token %q", body, a.AccessToken)
		}
		if p := identityPath(a.ID); p != "" && (!strings.HasPrefix(p, "/id/") || strings.Contains(p, "..")) {
			t.Errorf("%q gave the path %q", body, p)
		}
	})
}

func FuzzCSVResult(f *testing.F) {
	for _, s := range []string{"\"sf__Id\",\"sf__Error\",\"LastName\"\n\"\",\"REQUIRED\",\"\"\n", "a\n1\n", "a,b\n1\n", "\"", "", "a,a\n1,2\n", "a\r\n\"x\ny\"\r\n"} {
		f.Add([]byte(s))
	}
	stop := errors.New("enough")
	f.Fuzz(func(t *testing.T, body []byte) {
		rows := 0
		err := parseCSV(bytes.NewReader(body), func(r map[string]string) error {
			if rows++; len(r) == 0 {
				t.Errorf("an empty row of %q", body)
			}
			if rows > 1000 {
				return stop
			}
			return nil
		})
		if err == nil && rows > bytes.Count(body, []byte("\n"))+bytes.Count(body, []byte("\r"))+1 {
			t.Errorf("%d rows of %q", rows, body)
		}
	})
}

func FuzzAnswers(f *testing.F) {
	for _, s := range []string{
		`{"compositeResponse":[{"body":null,"httpHeaders":{},"httpStatusCode":204,"referenceId":"w0"}]}`, `{"done":false,"nextRecordsUrl":"/services/data/v68.0/query/0r8-2000","records":[{"Id":"1"}]}`,
		`{"resultPages":[{"resultUrl":"/services/data/v68.0/jobs/query/7/results?locator=x"}],"nextRecordsUrl":"","done":true}`, `{"nextRecordsUrl":"https://evil.example"}`, `{"resultPages":[{"resultUrl":"//evil"}]}`, `[]`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if list, err := parseComposite(body); err == nil && len(list) > batchSize {
			t.Errorf("%d parts", len(list))
		}
		ours := func(path string) bool { return path == "" || strings.HasPrefix(path, "/services/data/") }
		if _, next, err := parsePage(body); err == nil && !ours(next) {
			t.Errorf("%q goes on at %q", body, next)
		}
		if pages, more, err := parseResultPages(body); err == nil {
			for _, p := range append(pages, more) {
				if !ours(p) {
					t.Errorf("%q leads to %q", body, p)
				}
			}
		}
	})
}

// FuzzPlan: whatever a flow sends, the plan keeps the body's other values and marks one text at most.
func FuzzPlan(f *testing.F) {
	for _, s := range []string{`{"Comments":"x","Status":"New"}`, `{"comments":"x","Comments":"y"}`, `{"ParentId":"500000000000001","CommentBody":"x"}`, `{"Comments":null}`, `[]`, `{"Comments":{"a":1}}`, ``} {
		f.Add("PATCH", "/services/data/v60.0/sobjects/Case/500000000000001AAA", []byte(s))
		f.Add("POST", "services/data/v60.0/sobjects/CaseComment/", []byte(s))
		f.Add("PATCH", "https://x/services/data/v60.0/sobjects/Case/Ext__c/a%2Fb", []byte(s))
	}
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		r := Request{Method: method, Path: path, Body: body}
		p := planOf(r, "key", "")
		if p.marker == "" {
			if !bytes.Equal(p.body, body) {
				t.Errorf("%s %s: the body %q became %q", method, path, body, p.body)
			}
		} else {
			var before, after map[string]json.RawMessage
			if json.Unmarshal(body, &before) != nil || json.Unmarshal(p.body, &after) != nil || len(before) != len(after) || bytes.Count(p.body, []byte(p.marker)) < 1 {
				t.Errorf("%s %s: the body %q became %q", method, path, body, p.body)
			}
		}
		if k := RecordKey("", r); k != RecordKey("", r) || len(k) > 64 {
			t.Errorf("record key %q", k)
		}
	})
}

// FuzzChangeEvent: a payload that is no event of its schema is an error and nothing else.
func FuzzChangeEvent(f *testing.F) {
	const schema = `{"type":"record","name":"CaseChangeEvent","namespace":"com.sforce.eventbus","fields":[{"name":"ChangeEventHeader","type":{"type":"record","name":"ChangeEventHeader","fields":[` +
		`{"name":"entityName","type":"string"},{"name":"recordIds","type":{"type":"array","items":"string"}},{"name":"changeType","type":{"type":"enum","name":"ChangeType","symbols":["CREATE","UPDATE","GAP_OVERFLOW"]}},` +
		`{"name":"commitTimestamp","type":"long"},{"name":"changedFields","type":{"type":"array","items":"string"}}]}},{"name":"Subject","type":["null","string"],"default":null}]}`
	codec, err := newEventCodec(schema)
	if err != nil {
		f.Fatal(err)
	}
	good, err := codec.codec.BinaryFromNative(nil, map[string]any{
		"ChangeEventHeader": map[string]any{"entityName": "Case", "recordIds": []any{"500"}, "changeType": "UPDATE", "commitTimestamp": int64(5), "changedFields": []any{"0x02"}},
		"Subject":           map[string]any{"string": "new"},
	})
	if err != nil {
		f.Fatal(err)
	}
	if ch, _, err := codec.decode(good); err != nil || ch.Object != "Case" || ch.Fields["Subject"] != "new" {
		f.Fatalf("%+v, %v", ch, err)
	}
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		if ch, overflow, err := codec.decode(payload); err == nil && !overflow && ch.Kind == "" {
			t.Errorf("a change of no kind: %+v", ch)
		}
	})
}

func FuzzDeletions(f *testing.F) {
	for _, s := range []string{
		`{"deletedRecords":[{"id":"500000000000001AAA","deletedDate":"2026-11-22T03:13:26.000+0000"}],"earliestDateAvailable":"2026-11-07T00:00:00.000+0000","latestDateCovered":"2026-11-22T03:14:00.000+0000"}`,
		`{"deletedRecords":[{"id":"x"}],"latestDateCovered":"2026-11-22T03:14:00.000+0000"}`, `{"latestDateCovered":""}`, `[]`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, _, covered, err := parseDeleted(body)
		if err == nil && covered.IsZero() && !bytes.Contains(body, []byte("0001")) {
			t.Errorf("%q covers nothing", body)
		}
		for _, ch := range list {
			if len(ch.IDs) != 1 || !recordID.MatchString(ch.IDs[0]) || ch.Kind != crm.Deleted {
				t.Errorf("%q gave %+v", body, ch)
			}
		}
	})
}

func FuzzSOAPLogin(f *testing.F) {
	for _, s := range []string{
		`<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><loginResponse><result><passwordExpired>false</passwordExpired><serverUrl>https://na1.example/services/Soap/u/64.0/00D</serverUrl><sessionId>00D!x</sessionId><userId>005</userId><userInfo><organizationId>00D</organizationId></userInfo></result></loginResponse></Body></Envelope>`,
		`<e:Envelope xmlns:e="x"><e:Body><e:Fault><faultcode>sf:INVALID_LOGIN</faultcode><faultstring>INVALID_LOGIN: no</faultstring></e:Fault></e:Body></e:Envelope>`,
		`<Envelope><Body><loginResponse><result><sessionId>a&#13;&#10;b</sessionId><userId>../x</userId></result></loginResponse></Body></Envelope>`, `<!DOCTYPE x [<!ENTITY a "b">]><Envelope>&a;</Envelope>`, `<`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s, fault, ok := parseSOAPLogin(body)
		switch {
		case !ok:
		case fault != nil:
			if soapError(fault) == nil {
				t.Errorf("%q gave %+v", body, fault)
			}
		default:
			if !usableToken(s.token) || strings.ContainsAny(s.user+s.org, "/?#") {
				t.Errorf("%q gave %+v", body, s)
			}
		}
	})
}

// FuzzSOAPEnvelope: whatever the user name and the password are, they arrive as they are and add no element.
func FuzzSOAPEnvelope(f *testing.F) {
	f.Add("ada@example.com", `<"&'>`)
	f.Add("</urn:username><urn:username>root", "]]>")
	f.Fuzz(func(t *testing.T, username, password string) {
		var env struct {
			Login []struct {
				Username []string `xml:"username"`
				Password []string `xml:"password"`
			} `xml:"Body>login"`
		}
		if err := xml.Unmarshal(soapLogin(username, password), &env); err != nil || len(env.Login) != 1 || len(env.Login[0].Username) != 1 || len(env.Login[0].Password) != 1 {
			t.Fatalf("%q, %q gave %+v, %v", username, password, env, err)
		}
		clean := func(s string) bool {
			return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0xFFFD || r == 0xFFFE || r == 0xFFFF })
		}
		if l := env.Login[0]; clean(username) && l.Username[0] != username || clean(password) && l.Password[0] != password {
			t.Errorf("%q, %q arrive as %q", username, password, l)
		}
	})
}

// FuzzTypedNumber: whatever was typed into a field, it is the caller's number only if it has that number's last digits.
func FuzzTypedNumber(f *testing.F) {
	for _, s := range []string{"(415) 555-0101 ext. 12", "+44 (0)20 7946 0101", "Tel. 415 555 0101, fax 415 555 0102", "0039 06 6982 0107", "", "+", "1-800-FLOWERS"} {
		f.Add(s, "+14155550101", "US")
		f.Add(s, "anonymous", "GB")
	}
	f.Fuzz(func(t *testing.T, text, caller, region string) {
		n := numberOf(caller, region)
		has, sure := n.is(text)
		if sure && !has && n.e164 != "" {
			t.Errorf("%q is surely not %q", text, caller)
		}
		if has && n.e164 != "" && !strings.ContainsFunc(text, func(r rune) bool { return r > '~' || unicode.IsLetter(r) }) {
			if last := n.national[max(0, len(n.national)-4):]; !strings.Contains(crm.Digits(text), last) {
				t.Errorf("%q counts as %s", text, n.e164)
			}
		}
	})
}

package salesforce

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzXMLRecord: whatever XML comes, what is made of it is a JSON object, or a fault for the client.
func FuzzXMLRecord(f *testing.F) {
	for _, seed := range []string{
		`<Account><Name>x</Name></Account>`, `<?xml version="1.0"?><a><b xsi:nil="true"/><c type="T"><d>&lt;</d></c></a>`, `<a>text</a>`, `<a/>`, `<a><b>`,
		``, `<a><b><c><d><e><f/></e></d></c></b></a>`, `<!DOCTYPE a [<!ENTITY x "y">]><a><b>&x;</b></a>`, `</a>`, "<a><b>\x00</b></a>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		out, err := xmlRecord(body)
		if err != nil {
			if e, isFault := errors.AsType[*apiError](err); !isFault || e.Status != http.StatusBadRequest {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		var in map[string]any
		if err := json.Unmarshal(out, &in); err != nil || in == nil {
			t.Fatalf("%q became %s: %v", body, out, err)
		}
	})
}

// FuzzXMLOf: every JSON answer becomes XML that can be read.
func FuzzXMLOf(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":[{"attributes":{"type":"T","url":"/x"},"c":null}],"d":true,"e":1.5e3}`, `[]`, `[{"x y":"<&>"}]`, `"x"`, `null`, `{"":{"1":[[1,2],[3]]}}`, `{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) {
			return
		}
		out, err := xmlOf(body, [2]string{"root", "item"})
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		dec := xml.NewDecoder(bytes.NewReader(out))
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				t.Fatalf("%s became %s: %v", body, out, err)
			}
		}
	})
}

// FuzzJSONFault: a body that is no record is told so with a place within it.
func FuzzJSONFault(f *testing.F) {
	for _, seed := range []string{`{"Name":`, `{`, `[1]`, `nul`, `{"a" 1}`, `{"a":1 "b"}`, "{\"a\":\"\n\"}", `{"a":tru}`, `"x`, ` `, `{"a":1}x`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := decodeRecord(body)
		if err == nil {
			for name := range in {
				if at := keyOffset(body, name); at < 0 || at > len(body) {
					t.Fatalf("%q: %s is at %d", body, name, at)
				}
			}
			return
		}
		e, isFault := errors.AsType[*apiError](err)
		if !isFault || e.Code != "JSON_PARSER_ERROR" || e.Message != noBody && !strings.Contains(e.Message, " at [line:") {
			t.Fatalf("%q: %v", body, err)
		}
	})
}

// FuzzRestRequest sends any request to the surface: it answers, and never with a fault of its own.
func FuzzRestRequest(f *testing.F) {
	for _, seed := range [][4]string{
		{"GET", "/services/data/v60.0/sobjects/Account/Ext__c/%2F%2e.xml", "", "application/xml"},
		{"PATCH", "/services/data/v60.0/sobjects/Contact/003000000000001AAA/Account/Owner", `{"Name":"x"}`, ""},
		{"POST", "/services/data/v60.0/sobjects/Account", `<Account><Name>x</Name></Account>`, "text/xml"},
		{"GET", "/services/data/v60.0/query?q=SELECT+Id+FROM+Account&columns=true", "", ""},
		{"GET", "/services/data/v60.0/query?explain=SELECT+Id+FROM+Account", "", ""},
		{"GET", "/services/data/v60.0/search/suggestions?q=acme&sobject=Account&where=)", "", ""},
		{"GET", "/services/data/v60.0/sobjects/Account/listviews/00B000000000002AAA/results?limit=3", "", ""},
		{"POST", "/services/data/v60.0/parameterizedSearch", `{"q":"x","sobjects":[{"name":"Account","where":"x"}]}`, ""},
		{"GET", "/services/data/v60.0/compactLayouts?q=,", "", ""},
		{"OPTIONS", "/services/data/v60.0/recent?limit=1", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	o := start(f, Options{Seed: SeedNone})
	o.create("Account", `{"Name":"Acme"}`)
	handler := o.Handler()
	f.Fuzz(func(t *testing.T, method, target, body, kind string) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1/", strings.NewReader(body))
		if err != nil {
			return
		}
		u, err := req.URL.Parse(target)
		if err != nil || !strings.HasPrefix(strings.ToLower(u.Path), "/services/data") {
			return
		}
		req.URL, req.RequestURI, req.RemoteAddr = u, u.RequestURI(), "127.0.0.1:1"
		req.Header.Set("Authorization", "Bearer "+o.token)
		req.Header.Set("Accept", kind)
		req.Header.Set("Content-Type", orElse(kind, "application/json"))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		if w.Code >= http.StatusInternalServerError {
			t.Fatalf("%s %s: %d %s", method, target, w.Code, w.Body)
		}
	})
}

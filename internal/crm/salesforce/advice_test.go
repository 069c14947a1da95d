package salesforce

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/errs"
)

func TestConnectionTest(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	c := o.client(t, nil)
	got, err := c.Test(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Report{Instance: strings.TrimPrefix(o.URL, "http://"), Version: "68.0", Limits: &Limits{Used: 3, Max: 15000}, Grant: Password}, got); d != "" {
		t.Error(d)
	}
	if _, err := c.Test(t.Context()); err != nil || o.logins.Load() != 2 {
		t.Errorf("a second test did not log in: %v, %d logins", err, o.logins.Load())
	}
}

func TestConnectionAdvice(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) func(http.ResponseWriter) bool {
		return func(w http.ResponseWriter) bool {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	oauth := func(code, text string) func(http.ResponseWriter) bool {
		return answer(http.StatusBadRequest, fmt.Sprintf(`{"error":%q,"error_description":%q}`, code, text))
	}
	for _, c := range []struct {
		grant  Grant
		refuse func(http.ResponseWriter) bool
		code   errs.Code
		want   string
	}{
		{Password, oauth("invalid_client_id", "client identifier invalid"), errs.Invalid, "client id"},
		{Password, oauth("invalid_client", "invalid client credentials"), errs.Invalid, "client secret"},
		{Password, oauth("invalid_grant", "authentication failure"), errs.Invalid, "password or security token"},
		{ClientCredentials, oauth("invalid_grant", "authentication failure"), errs.Invalid, "credentials"},
		{ClientCredentials, oauth("invalid_grant", "no client credentials user enabled"), errs.Invalid, "run as"},
		{ClientCredentials, oauth("unsupported_grant_type", "grant type not supported"), errs.Invalid, "client_credentials is off"},
		{RefreshToken, oauth("invalid_grant", "expired access/refresh token"), errs.Invalid, "connect the org again"},
		{Password, oauth("invalid_grant", "user hasn't approved this consumer"), errs.Invalid, "pre-authorised"},
		{Password, oauth("invalid_grant", "ip restricted"), errs.Invalid, "address"},
		{Password, oauth("invalid_grant", "inactive user"), errs.Invalid, "inactive"},
		{Password, oauth("inactive_org", "organization is not active"), errs.Invalid, "org is locked"},
		{Password, oauth("rate_limit_exceeded", "login rate exceeded"), errs.Exhausted, "too many logins"},
		{Password, oauth("brand_new_error", "something happened"), errs.Invalid, "something happened"},
		{Password, answer(http.StatusNotFound, "<html>hush</html>"), errs.Invalid, "does not answer like Salesforce"},
		{Password, answer(http.StatusOK, "<html>hush</html>"), errs.Invalid, "does not answer like Salesforce"},
		{Password, answer(http.StatusOK, `{"access_token":"tok1","instance_url":"ftp://x"}`), errs.Unavailable, "instance address"},
		{Password, answer(http.StatusServiceUnavailable, "down"), errs.Unavailable, "not available"},
	} {
		o := newOrg(t)
		o.refuse = c.refuse
		_, err := o.client(t, func(op *Options) { op.Grant = c.grant }).Test(t.Context())
		if !errs.Is(err, c.code) || !strings.Contains(errs.Message(err), c.want) {
			t.Errorf("got %s %q, want %s %q", errs.CodeOf(err), errs.Message(err), c.code, c.want)
		}
		noSecrets(t, err)
	}
	o := newOrg(t)
	o.Close()
	_, err := o.client(t, nil).Test(t.Context())
	if !errs.Is(err, errs.Unavailable) || !strings.Contains(errs.Message(err), "cannot be reached") {
		t.Errorf("a dead host: %v", err)
	}
	noSecrets(t, err)
}

func TestConnectionWithoutAPI(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"API_DISABLED_FOR_ORG": "API Enabled", "REQUEST_LIMIT_EXCEEDED": "used up", "INSUFFICIENT_ACCESS": "no access",
	} {
		o := newOrg(t)
		o.api = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, `[{"message":"no access","errorCode":%q}]`, code)
		}
		if _, err := o.client(t, nil).Test(t.Context()); err == nil || !strings.Contains(errs.Message(err), want) {
			t.Errorf("%s: got %v", code, err)
		}
	}
}

func TestErrorForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		code   errs.Code
		want   *APIError
	}{
		{400, `[{"message":"unexpected token: 'X'","errorCode":"MALFORMED_QUERY"}]`, errs.Invalid, &APIError{Code: "MALFORMED_QUERY", Message: "unexpected token: 'X'"}},
		{
			400, `[{"message":"Required fields are missing: [LastName]","errorCode":"REQUIRED_FIELD_MISSING","fields":["LastName"]}]`, errs.Invalid,
			&APIError{Code: "REQUIRED_FIELD_MISSING", Message: "Required fields are missing: [LastName]", Fields: []string{"LastName"}},
		},
		{403, `{"message":"no","errorCode":"REQUEST_LIMIT_EXCEEDED"}`, errs.Exhausted, &APIError{Code: "REQUEST_LIMIT_EXCEEDED", Message: "no"}},
		{400, `{"error":"invalid_grant","error_description":"x"}`, errs.Invalid, &APIError{Code: "invalid_grant", Message: "x"}},
		{404, `[]`, errs.NotFound, &APIError{}},
		{400, `[{"errorCode":"DUPLICATE_VALUE"}]`, errs.Conflict, &APIError{Code: "DUPLICATE_VALUE"}},
		{412, ``, errs.Conflict, &APIError{}},
		{410, `[{"errorCode":"GONE","message":"old"}]`, errs.NotFound, &APIError{Code: "GONE", Message: "old"}},
		{500, `<html>`, errs.Unavailable, &APIError{}},
		{503, `[{"message":"` + strings.Repeat("a\n", 2000) + `","errorCode":"SERVER_UNAVAILABLE"}]`, errs.Unavailable, &APIError{}},
	} {
		err := (&Response{Status: c.status, Body: []byte(c.body)}).Err()
		var got *APIError
		if !errors.As(err, &got) || !errs.Is(err, c.code) {
			t.Errorf("%d %.40s: got %v, want %s", c.status, c.body, err, c.code)
			continue
		}
		c.want.Status = c.status
		if c.status == 503 { // raw line breaks are no JSON
			c.want.Code, c.want.Message = got.Code, got.Message
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Error(d)
		}
	}
	if err := (&Response{Status: http.StatusNotModified}).Err(); err != nil {
		t.Error(err)
	}
	if e := parseError(&Response{Body: []byte(`{"message":"` + strings.Repeat("ä ", 1000) + `"}`)}); len(e.Message) > maxErrorText+8 {
		t.Errorf("a message of %d bytes is kept", len(e.Message))
	}
}

func TestParseLimits(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]Limits{
		"api-usage=18/15000": {18, 15000},
		"api-usage=25/5000, per-app-api-usage=17/250(appName=sample)": {25, 5000},
		"per-app-api-usage=17/250(appName=x), api-usage=1/2":          {1, 2},
		"": {}, "api-usage=x/5": {}, "api-usage=5": {}, "api-usage=-1/5": {}, "per-app-api-usage=1/2": {},
	} {
		got, ok := parseLimits(v)
		if got != want || ok != (want != Limits{}) {
			t.Errorf("%q gives %v, %v", v, got, ok)
		}
	}
}

func FuzzParseError(f *testing.F) {
	f.Add(400, []byte(`[{"message":"x","errorCode":"Y","fields":["Z"]}]`))
	f.Add(500, []byte(`{"error":"a","error_description":"b"}`))
	f.Add(200, []byte(`[[]]`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		e := parseError(&Response{Status: status, Body: body})
		if len(e.Message) > maxErrorText+8 || len(e.Code) > maxErrorText+8 {
			t.Errorf("kept %d and %d bytes", len(e.Message), len(e.Code))
		}
		_ = (&Response{Status: status, Body: body}).Err()
	})
}

package salesforce_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/sandbox/sandboxtest"
	"github.com/tandemcc/tandem/internal/soql"
)

func connect(t *testing.T, org *sandboxtest.Salesforce, change func(*salesforce.Options)) *salesforce.Client {
	t.Helper()
	h, err := httpx.New(httpx.Options{Allow: []string{strings.TrimPrefix(org.URL, "http://")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	cr := org.Credentials()
	o := salesforce.Options{
		BaseURL: org.URL, Grant: salesforce.Password, HTTP: h, ClientID: cr.ClientID, ClientSecret: cr.ClientSecret,
		Username: cr.Username, Password: cr.Password, SecurityToken: cr.SecurityToken,
	}
	if change != nil {
		change(&o)
	}
	c, err := salesforce.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestSandboxOrg drives the client against the stand-in org: test, create, query, expiry, update.
func TestSandboxOrg(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64 // of the org's clock
	org := sandboxtest.Start(t, sandbox.Options{Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	for _, grant := range []salesforce.Grant{salesforce.Password, salesforce.ClientCredentials} {
		c := connect(t, org, func(o *salesforce.Options) { o.Grant = grant })
		report, err := c.Test(t.Context())
		if err != nil || report.Version == "" || report.Limits == nil || report.User == "" || !slices.Contains(report.Granted, "CaseComment: read, create, edit") {
			t.Fatalf("%s: %+v, %v", grant, report, err)
		}
		base := "/services/data/v" + report.Version
		made, err := c.Do(t.Context(), salesforce.Request{Method: http.MethodPost, Path: base + "/sobjects/Contact", Body: []byte(`{"LastName":"Quine","Phone":"+15550001111"}`)})
		if err != nil || made.Err() != nil || made.Status != http.StatusCreated {
			t.Fatalf("%s: creating: %+v, %v", grant, made, err)
		}
		id := gjson.GetBytes(made.Body, "id").String()
		ahead.Add(int64(3 * time.Hour)) // past the life of a session
		q, err := soql.Build("Contact").Select("LastName").Where("Id", "=", id).Text()
		if err != nil {
			t.Fatal(err)
		}
		found, err := c.Do(t.Context(), salesforce.Request{Path: base + "/query", Query: url.Values{"q": {q}}})
		if err != nil || gjson.GetBytes(found.Body, "records.0.LastName").String() != "Quine" {
			t.Errorf("%s: asking with an expired session: %+v, %v", grant, found, err)
		}
		ahead.Add(int64(3 * time.Hour)) // past the life of a session
		changed, err := c.Do(t.Context(), salesforce.Request{Method: http.MethodPatch, Path: base + "/sobjects/Contact/" + id, Body: []byte(`{"LastName":"Putnam"}`)})
		if err != nil || changed.Status != http.StatusNoContent {
			t.Errorf("%s: changing with an expired session: %+v, %v", grant, changed, err)
		}
		wrong, err := c.Do(t.Context(), salesforce.Request{Path: base + "/query", Query: url.Values{"q": {"SELECT Nonsense FROM Contact"}}})
		if err != nil || !errs.Is(wrong.Err(), errs.Invalid) || !strings.Contains(wrong.Err().Error(), "Nonsense") {
			t.Errorf("%s: a wrong query: %v, %v", grant, wrong, err)
		}
	}
}

func TestSandboxOrgRefusals(t *testing.T) {
	t.Parallel()
	open := sandboxtest.Start(t)
	shut := sandboxtest.Start(t, sandbox.Options{DisablePasswordFlow: true})
	for name, c := range map[string]struct {
		org    *sandboxtest.Salesforce
		change func(*salesforce.Options)
		want   string
	}{
		"client id":      {open, func(o *salesforce.Options) { o.ClientID = "x" }, "client id"},
		"client secret":  {open, func(o *salesforce.Options) { o.ClientSecret = "x" }, "client secret"},
		"password":       {open, func(o *salesforce.Options) { o.Password = "x" }, "password or security token"},
		"security token": {open, func(o *salesforce.Options) { o.SecurityToken = "" }, "password or security token"},
		"user":           {open, func(o *salesforce.Options) { o.Username = "x" }, "password or security token"},
		"flow off":       {shut, nil, "flow is blocked"},
		"refresh token":  {open, func(o *salesforce.Options) { o.Grant, o.RefreshToken = salesforce.RefreshToken, "x" }, "connect the org again"},
	} {
		_, err := connect(t, c.org, c.change).Test(t.Context())
		if !errs.Is(err, errs.Invalid) || !strings.Contains(errs.Message(err), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

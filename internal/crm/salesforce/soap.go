package salesforce

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
)

// SOAP login (SOAP API Developer Guide, "login()") is for orgs whose administrators made no app for the hub. It has no OAuth
// scopes and no consent, and the platform ends it; the session that it gives is used like any other.

// soapPath is the partner dialect of the last version that has login().
const soapPath = "/services/Soap/u/64.0"

// SOAPLoginEnds is when the platform ends login() for good, in the versions that still have it.
var SOAPLoginEnds = time.Date(2027, time.June, 1, 0, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a date

// maxSOAPAnswer bounds an answer to a login, in bytes; it has some thousand.
const maxSOAPAnswer = 256 << 10

// soapAnswer is an envelope that answers a login, with a result or a fault; the names' namespaces do not matter.
type soapAnswer struct {
	Body struct {
		Login *struct {
			Result struct {
				PasswordExpired bool   `xml:"passwordExpired"`
				ServerURL       string `xml:"serverUrl"`
				SessionID       string `xml:"sessionId"`
				UserID          string `xml:"userId"`
				User            struct {
					OrganizationID string `xml:"organizationId"`
				} `xml:"userInfo"`
			} `xml:"result"`
		} `xml:"loginResponse"`
		Fault *struct {
			Code string `xml:"faultcode"`
			Text string `xml:"faultstring"`
		} `xml:"Fault"`
	} `xml:"Body"`
}

// requestSOAPSession is requestToken by SOAP.
func (c *Client) requestSOAPSession(ctx context.Context) (*session, error) {
	resp, err := c.o.HTTP.Do(ctx, &httpx.Request{
		Method: http.MethodPost,
		URL:    c.login.String() + soapPath,
		Header: http.Header{"Content-Type": {"text/xml; charset=UTF-8"}, "Accept": {"text/xml"}, "SOAPAction": {`"login"`}},
		Body:   soapLogin(c.o.Username, c.o.Password+c.o.SecurityToken),
		// A refused login is a 500 like every fault of SOAP: to send it again would lock the user out.
		Retry: httpx.RetryNever, Scope: c.o.Scope, MaxResponseBytes: maxSOAPAnswer,
	})
	if err != nil {
		return nil, errs.Wrap(errs.CodeOf(err), err, "Salesforce cannot be reached for the login: %s", errs.Message(err))
	}
	a, e, ok := parseSOAPLogin(resp.Body)
	switch {
	case !ok && resp.Status >= http.StatusInternalServerError:
		return nil, c.loginError(resp.Status, nil)
	case !ok:
		return nil, c.notSalesforce()
	case e != nil:
		e.Status, e.Code, e.Message = resp.Status, shorten(hide(e.Code, c.secrets())), shorten(hide(e.Message, c.secrets()))
		return nil, soapError(e)
	}
	if a.passwordExpired {
		return nil, errs.New(errs.Invalid, "the user's password has expired: set a new one in Salesforce, or choose a login flow without a password")
	}
	instance, err := c.instance(a.server)
	if err != nil {
		return nil, err
	}
	return &session{token: a.token, instance: instance, since: time.Now(), identity: identityPath("https://login/id/" + a.org + "/" + a.user)}, nil
}

// soapLogin is the envelope of a login; texts are escaped.
func soapLogin(username, password string) []byte {
	var b strings.Builder
	b.WriteString(xml.Header + `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:partner.soap.sforce.com"><soapenv:Body><urn:login><urn:username>`)
	_ = xml.EscapeText(&b, []byte(username)) // a Builder does not fail
	b.WriteString(`</urn:username><urn:password>`)
	_ = xml.EscapeText(&b, []byte(password))
	b.WriteString(`</urn:password></urn:login></soapenv:Body></soapenv:Envelope>`)
	return []byte(b.String())
}

// soapSession is what a login by SOAP gives.
type soapSession struct {
	token, server   string
	user, org       string
	passwordExpired bool
}

// parseSOAPLogin reads the answer to a login: a session, a fault, or ok false for anything else.
func parseSOAPLogin(body []byte) (s soapSession, fault *APIError, ok bool) {
	var a soapAnswer
	readable := xml.Unmarshal(body, &a) == nil
	if f := a.Body.Fault; readable && f != nil {
		code := f.Code[strings.LastIndexByte(f.Code, ':')+1:]
		return s, &APIError{Code: code, Message: strings.TrimPrefix(f.Text, code+": ")}, true
	}
	if !readable || a.Body.Login == nil {
		return s, nil, false
	}
	r := a.Body.Login.Result
	s = soapSession{
		token: strings.TrimSpace(r.SessionID), server: strings.TrimSpace(r.ServerURL), passwordExpired: r.PasswordExpired,
		user: url.PathEscape(strings.TrimSpace(r.UserID)), org: url.PathEscape(strings.TrimSpace(r.User.OrganizationID)),
	}
	return s, nil, usableToken(s.token)
}

// soapError says in words why Salesforce refused a login by SOAP.
func soapError(e *APIError) error {
	switch e.Code {
	case "INVALID_LOGIN":
		return errs.Wrap(errs.Invalid, e, "user name, password or security token are wrong, or the user is locked out: check them; a changed password also changes the token")
	case "LOGIN_MUST_USE_SECURITY_TOKEN":
		return errs.Wrap(errs.Invalid, e, "the org does not trust the hub's address: give the user's security token, or add the address to the trusted ones or to the profile's login IP ranges")
	case "INVALID_OPERATION", "UNSUPPORTED_API_VERSION":
		return errs.Wrap(errs.Invalid, e, "SOAP login is off in this org or has ended: choose JWT bearer or client credentials")
	case "PASSWORD_LOCKOUT":
		return errs.Wrap(errs.Invalid, e, "the user is locked out after too many wrong passwords: unlock it in Salesforce or wait")
	case "API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED":
		return errs.Wrap(errs.Denied, e, "the user or the org may not use the API: give the user the permission API Enabled; the org's edition must include API access")
	case "ORG_LOCKED", "INACTIVE_ORG":
		return errs.Wrap(errs.Invalid, e, "the org is locked, closed or suspended: ask its administrator")
	case "LOGIN_RATE_EXCEEDED", "REQUEST_LIMIT_EXCEEDED":
		return errs.Wrap(errs.Exhausted, e, "too many logins or requests were made in a short time: wait, and check that no other program logs in with the same user")
	case "SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION":
		return errs.Wrap(errs.Unavailable, e, "Salesforce is not available for logins now: try again later, and see status.salesforce.com")
	}
	return errs.Wrap(errs.Invalid, e, "Salesforce refused the login with %s: check the user and the org's settings", e.Code)
}

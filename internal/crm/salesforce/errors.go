package salesforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
)

// APIError is an error answer of the org.
type APIError struct {
	Status  int
	Code    string // Salesforce's errorCode, such as MALFORMED_QUERY; empty when the body has none
	Message string
	Fields  []string
}

// Error returns Salesforce's own words.
func (e *APIError) Error() string {
	switch {
	case e.Code == "":
		return fmt.Sprintf("status %d", e.Status)
	case e.Message == "":
		return fmt.Sprintf("status %d %s", e.Status, e.Code)
	default:
		return fmt.Sprintf("status %d %s: %s", e.Status, e.Code, e.Message)
	}
}

// Err returns nil for a status below 400, else an error with an APIError in its chain.
func (r *Response) Err() error {
	if r.Status < http.StatusBadRequest {
		return nil
	}
	e := parseError(r)
	text := e.Message
	if text == "" {
		text = "no reason was given"
	}
	return errs.Wrap(apiCode(e), e, "Salesforce refused the request: %s", text)
}

func apiCode(e *APIError) errs.Code {
	switch e.Code {
	case "REQUEST_LIMIT_EXCEEDED":
		return errs.Exhausted
	case "UNABLE_TO_LOCK_ROW":
		return errs.Unavailable
	case "DUPLICATE_VALUE", "DUPLICATES_DETECTED", "ENTITY_IS_DELETED":
		return errs.Conflict
	}
	switch {
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		return errs.Denied
	case e.Status == http.StatusNotFound, e.Status == http.StatusGone:
		return errs.NotFound
	case e.Status == http.StatusConflict, e.Status == http.StatusPreconditionFailed:
		return errs.Conflict
	case e.Status == http.StatusTooManyRequests:
		return errs.Exhausted
	case e.Status >= http.StatusInternalServerError:
		return errs.Unavailable
	default:
		return errs.Invalid
	}
}

// maxErrorText bounds what is kept of a foreign text, in bytes.
const maxErrorText = 500

// parseError reads the forms of Salesforce's errors: a list of {message, errorCode, fields} from the REST API, an object
// of the same, {error, error_description} from OAuth. Another body gives an error with the status alone.
func parseError(r *Response) *APIError {
	type object struct {
		Message     string   `json:"message"`
		ErrorCode   string   `json:"errorCode"`
		Fields      []string `json:"fields"`
		Error       string   `json:"error"`
		Description string   `json:"error_description"`
	}
	var list []object
	if json.Unmarshal(r.Body, &list) != nil {
		list = make([]object, 1)
		if json.Unmarshal(r.Body, &list[0]) != nil {
			list = nil
		}
	}
	e := &APIError{Status: r.Status}
	if len(list) == 0 {
		return e
	}
	first := list[0]
	e.Code, e.Message, e.Fields = first.ErrorCode, first.Message, first.Fields
	if e.Code == "" {
		e.Code = first.Error
	}
	if e.Message == "" {
		e.Message = first.Description
	}
	e.Code, e.Message = shorten(hide(e.Code, r.secrets)), shorten(hide(e.Message, r.secrets))
	return e
}

// minSecret is how long a secret must be to be looked for in a foreign text: shorter ones would tear words apart.
const minSecret = 4

// hide takes secrets out of a foreign text: gateways before an org, and test servers, repeat what they were sent.
func hide(text string, secrets []string) string {
	for _, s := range secrets {
		if len(s) < minSecret {
			continue
		}
		text = strings.ReplaceAll(text, s, "…")
		if coded := url.QueryEscape(s); coded != s {
			text = strings.ReplaceAll(text, coded, "…")
		}
	}
	return text
}

// secrets are what the connection signs in with, and others, the longest first where one holds another.
func (c *Client) secrets(others ...string) []string {
	c.mu.Lock()
	refresh := c.refresh
	c.mu.Unlock()
	return append(others, refresh, c.o.RefreshToken, c.o.Password+c.o.SecurityToken, c.o.Password, c.o.SecurityToken, c.o.ClientSecret)
}

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxErrorText {
		s = strings.ToValidUTF8(s[:maxErrorText], "") + "…"
	}
	return s
}

// loginError says in words why Salesforce refused a login, without the secrets that were sent. The texts come with its error codes; see "OAuth 2.0
// Authorization Errors" in its help.
func (c *Client) loginError(status int, body []byte, sent ...string) error {
	e := parseError(&Response{Status: status, Body: body, secrets: c.secrets(sent...)})
	switch {
	case status >= http.StatusInternalServerError:
		return errs.Wrap(errs.Unavailable, e, "Salesforce is not available for logins now: try again later, and see status.salesforce.com")
	case status == http.StatusTooManyRequests, e.Code == "rate_limit_exceeded", contains(e, "login rate exceeded"):
		return errs.Wrap(errs.Exhausted, e, "too many logins were made in a short time: wait an hour, and check that no other program logs in with the same user")
	case e.Code == "":
		return c.notSalesforce()
	}
	return errs.Wrap(errs.Invalid, e, "%s", c.loginAdvice(e))
}

func (c *Client) notSalesforce() error {
	return errs.New(errs.Invalid, "%s does not answer like Salesforce: give the login address as https://MyDomain.my.salesforce.com", c.login.Hostname())
}

// loginAdvice says what to do about a refused login.
func (c *Client) loginAdvice(e *APIError) string {
	switch e.Code {
	case "invalid_client_id":
		return "the client id (consumer key) is not known to this org: copy it again from the app's settings; a new app takes up to ten minutes to be known"
	case "invalid_client":
		return "the client secret (consumer secret) is wrong, or the app does not take this login flow: copy the secret again from the app's settings"
	case "unsupported_grant_type":
		return "the login flow " + string(c.o.Grant) + " is off for this app: enable it in the app's OAuth settings, or choose another flow"
	case "inactive_org":
		return "the org is locked, closed or suspended: ask its administrator"
	case "inactive_user":
		return "the user is inactive: activate it in Salesforce, or connect with another user"
	case "redirect_uri_mismatch":
		return "the app's callback address differs from the hub's: enter the hub's address in the app's settings"
	case "invalid_grant":
		return c.grantAdvice(e)
	}
	if e.Message == "" {
		return "Salesforce refused the login with " + e.Code + ": check the app's settings and the credentials"
	}
	return "Salesforce refused the login: " + e.Message
}

// grantAdvice tells the many meanings of invalid_grant apart by their descriptions.
func (c *Client) grantAdvice(e *APIError) string {
	switch {
	case contains(e, "expired access/refresh token"):
		return "the refresh token has expired or was revoked or replaced: connect the org again"
	case contains(e, "hasn't approved this consumer"):
		return "the user may not use this app: in its policies, set permitted users to pre-authorised and add the user's profile or permission set"
	case contains(e, "ip restricted"), contains(e, "ip not allowed"):
		return "the org does not permit logins from this address: add it to the trusted addresses, or relax the restriction in the app's policies"
	case contains(e, "no client credentials user"):
		return "the app names no user to run as: set one under Client Credentials Flow in its policies"
	case contains(e, "inactive user"), contains(e, "user is inactive"):
		return "the user is inactive: activate it in Salesforce, or connect with another user"
	case contains(e, "audience"), contains(e, "assertion"):
		return "the signed login request was not accepted: check the login address, the user and the certificate in the app"
	case contains(e, "authentication failure") && c.o.Grant == Password:
		return "user name, password or security token are wrong, or the username-password flow is blocked: check them (a changed password also changes the token), and in Setup see OAuth and OpenID Connect Settings"
	case contains(e, "authentication failure"):
		return "Salesforce did not accept the credentials: check the app's settings and its user"
	}
	if e.Message == "" {
		return "Salesforce did not accept the credentials"
	}
	return "Salesforce did not accept the credentials: " + e.Message
}

func contains(e *APIError, text string) bool {
	return strings.Contains(strings.ToLower(e.Message), text)
}

package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
)

// Report is what a successful Test found.
type Report struct {
	Instance string  // host that requests go to
	Version  string  // the newest API version, such as 68.0
	Limits   *Limits // nil when the org did not tell
	Grant    Grant
	User     string   // who is signed in; empty when the org does not tell
	Granted  []string // what the user may do with the objects that the hub works with: "Case: read, create, edit"
}

// Test logs in anew, whatever session there is, and makes one request with the session. Its error says in words what is
// wrong and what to do: a wrong client id, password or token, a flow that is off, a host that cannot be reached.
func (c *Client) Test(ctx context.Context) (Report, error) {
	c.mu.Lock()
	stale := c.current
	c.trouble = nil // a person has probably corrected something
	c.mu.Unlock()
	s, err := c.session(ctx, stale)
	if err != nil {
		return Report{}, err
	}
	version, path, err := c.newest(ctx, s)
	if err != nil {
		return Report{}, err
	}
	resp, err := c.send(ctx, s, Request{Path: path})
	if err != nil {
		return Report{}, err
	}
	if err := usable(resp); err != nil {
		return Report{}, err
	}
	r := Report{Instance: s.instance.Host, Version: version, Grant: c.o.Grant, User: c.whoAmI(ctx, s), Granted: c.granted(ctx, s, path)}
	if l, ok := c.Limits(); ok {
		r.Limits = &l
	}
	return r, nil
}

// newest asks for the API versions and returns the latest with its path.
func (c *Client) newest(ctx context.Context, s *session) (version, path string, err error) {
	resp, err := c.send(ctx, s, Request{Path: "/services/data"})
	if err != nil {
		return "", "", err
	}
	if err := usable(resp); err != nil {
		return "", "", err
	}
	var list []struct {
		Version string `json:"version"`
		URL     string `json:"url"`
	}
	best := 0.0
	if json.Unmarshal(resp.Body, &list) == nil {
		for _, v := range list {
			if n, err := strconv.ParseFloat(v.Version, 64); err == nil && n > best && v.URL != "" {
				best, version, path = n, v.Version, v.URL
			}
		}
	}
	if version == "" {
		return "", "", errs.New(errs.Unavailable, "%s lists no API versions: check that the login address belongs to a Salesforce org", s.instance.Hostname())
	}
	return version, path, nil
}

// usable explains the errors that a working login can still meet.
func usable(r *Response) error {
	err := r.Err()
	if err == nil {
		return nil
	}
	e := parseError(r)
	switch {
	case e.Code == "API_DISABLED_FOR_ORG", e.Code == "API_CURRENTLY_DISABLED":
		return errs.Wrap(errs.Denied, e, "the login works, but the user or the org may not use the API: give the user the permission API Enabled; the org's edition must include API access")
	case e.Code == "REQUEST_LIMIT_EXCEEDED":
		return errs.Wrap(errs.Exhausted, e, "the login works, but the org has used up its API requests of the last 24 hours: wait, or raise the limit")
	case r.Status == http.StatusUnauthorized:
		return errs.Wrap(errs.Denied, e, "the login works, but the org does not accept the new session: check the app's scopes (api) and the org's session settings")
	default:
		return err
	}
}

// whoAmI asks the identity service for the user name; it is a nicety, so that it is empty when there is no answer.
func (c *Client) whoAmI(ctx context.Context, s *session) string {
	if s.identity == "" {
		return ""
	}
	resp, err := c.send(ctx, s, Request{Path: s.identity})
	if err != nil || resp.Status != http.StatusOK {
		return ""
	}
	var who struct {
		Username string `json:"username"`
	}
	if json.Unmarshal(resp.Body, &who) != nil {
		return ""
	}
	return shorten(who.Username)
}

// granted says what the user may do with the objects that look-ups and write-backs need.
func (c *Client) granted(ctx context.Context, s *session, path string) (out []string) {
	resp, err := c.send(ctx, s, Request{Path: path + "/sobjects"})
	if err != nil || resp.Status != http.StatusOK {
		return nil
	}
	var list struct {
		Objects []struct {
			Name       string `json:"name"`
			Queryable  bool   `json:"queryable"`
			Createable bool   `json:"createable"`
			Updateable bool   `json:"updateable"`
		} `json:"sobjects"`
	}
	if json.Unmarshal(resp.Body, &list) != nil {
		return nil
	}
	for _, want := range []string{"Account", "Contact", "Case", "CaseComment", "Task"} {
		text := "no access"
		for _, o := range list.Objects {
			if o.Name != want {
				continue
			}
			var may []string
			for _, m := range []struct {
				ok   bool
				verb string
			}{{o.Queryable, "read"}, {o.Createable, "create"}, {o.Updateable, "edit"}} {
				if m.ok {
					may = append(may, m.verb)
				}
			}
			if len(may) > 0 {
				text = strings.Join(may, ", ")
			}
		}
		out = append(out, want+": "+text)
	}
	return out
}

package salesforce

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpx"
)

const (
	// loginTimeout bounds a login; it is not bound to the request that asked, since a rotated refresh token would be lost.
	loginTimeout = 15 * time.Second
	// refusedPause is how long refused credentials are not tried again: an org locks a user out after a few attempts.
	refusedPause = 30 * time.Second
	// brokenPause is the same for a login that got no answer.
	brokenPause = time.Second
	// savePause lies between two attempts to store a rotated refresh token.
	savePause = 5 * time.Second
)

// trouble remembers a failed login, so that many waiting requests do not each try again.
type trouble struct {
	err   error
	until time.Time
}

// session returns the current session. One that the caller found stale is renewed first, by one login for all.
func (c *Client) session(ctx context.Context, stale *session) (*session, error) {
	c.mu.Lock()
	current, unsaved := c.current, c.unsaved && !time.Now().Before(c.saveAt)
	c.mu.Unlock()
	if unsaved {
		c.flight.DoChan("save", func() (any, error) { return nil, c.detached(ctx, c.save) })
	}
	if current != nil && current != stale {
		if c.o.RenewAfter > 0 && time.Since(current.since) > c.o.RenewAfter {
			c.renew(ctx, current) // nobody waits for it
		}
		return current, nil
	}
	select {
	case r := <-c.renew(ctx, stale):
		s, _ := r.Val.(*session)
		return s, r.Err
	case <-ctx.Done():
		return nil, errs.Wrap(errs.Unavailable, context.Cause(ctx), "logging in to Salesforce took too long")
	}
}

// renew logs in unless somebody has just done so; the *session or the error comes on the channel.
func (c *Client) renew(ctx context.Context, stale *session) <-chan singleflight.Result {
	return c.flight.DoChan("login", func() (any, error) {
		var s *session
		err := c.detached(ctx, func(ctx context.Context) (err error) {
			s, err = c.renewNow(ctx, stale)
			return err
		})
		return s, err
	})
}

// detached runs f under the client's own time limit, and lets Close wait for it.
func (c *Client) detached(ctx context.Context, f func(context.Context) error) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return errClosed()
	}
	c.running.Add(1)
	c.mu.Unlock()
	defer c.running.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loginTimeout)
	defer cancel()
	return f(ctx)
}

func (c *Client) renewNow(ctx context.Context, stale *session) (*session, error) {
	c.mu.Lock()
	current, failed := c.current, c.trouble
	c.mu.Unlock()
	if current != nil && current != stale {
		return current, nil
	}
	if failed != nil && time.Now().Before(failed.until) {
		return nil, failed.err
	}
	return c.authenticate(ctx)
}

// authenticate logs in and keeps the result, good or bad.
func (c *Client) authenticate(ctx context.Context) (*session, error) {
	s, rotated, err := c.requestToken(ctx)
	c.mu.Lock()
	if err != nil {
		wait := brokenPause
		if errs.Is(err, errs.Invalid) {
			wait = refusedPause
		}
		c.trouble = &trouble{err: err, until: time.Now().Add(wait)}
		c.mu.Unlock()
		return nil, err
	}
	c.current, c.trouble = s, nil
	if rotated != "" && rotated != c.refresh {
		c.refresh, c.unsaved = rotated, true
	}
	unsaved := c.unsaved
	c.mu.Unlock()
	if unsaved {
		// The session works either way; save has logged why, and is tried again before later requests.
		_ = c.save(ctx)
	}
	return s, nil
}

// save hands a rotated refresh token to its keeper.
func (c *Client) save(ctx context.Context) error {
	c.mu.Lock()
	token := c.refresh
	c.mu.Unlock()
	if c.o.OnRefreshToken != nil {
		if err := c.o.OnRefreshToken(ctx, token); err != nil {
			c.mu.Lock()
			c.saveAt = time.Now().Add(savePause)
			c.mu.Unlock()
			c.log.ErrorContext(ctx, "storing the rotated Salesforce refresh token failed; it is tried again at a later request", slog.String("scope", c.o.Scope), slog.Any("err", err))
			return err
		}
	}
	c.mu.Lock()
	if c.refresh == token {
		c.unsaved = false
	}
	c.mu.Unlock()
	return nil
}

func (c *Client) tokenForm() (form url.Values, retry httpx.Retry, err error) {
	if c.o.Grant == JWTBearer {
		signed, err := c.assertion()
		return url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {signed}}, httpx.RetrySafe, err
	}
	form = url.Values{"grant_type": {string(c.o.Grant)}, "client_id": {c.o.ClientID}}
	if c.o.ClientSecret != "" {
		form.Set("client_secret", c.o.ClientSecret)
	}
	switch c.o.Grant {
	case Password:
		form.Set("username", c.o.Username)
		form.Set("password", c.o.Password+c.o.SecurityToken)
	case RefreshToken:
		c.mu.Lock()
		form.Set("refresh_token", c.refresh)
		c.mu.Unlock()
		// Where tokens rotate, the first request may have used the old one up.
		return form, httpx.RetryNever, nil
	case ClientCredentials, JWTBearer, SOAPLogin:
	}
	return form, httpx.RetrySafe, nil
}

// requestToken asks for a session; rotated is the new refresh token when there is one.
func (c *Client) requestToken(ctx context.Context) (s *session, rotated string, err error) {
	if c.o.Grant == SOAPLogin {
		s, err = c.requestSOAPSession(ctx)
		return s, "", err
	}
	form, retry, err := c.tokenForm()
	if err != nil {
		return nil, "", err
	}
	resp, err := c.o.HTTP.Do(ctx, &httpx.Request{
		Method: http.MethodPost,
		URL:    c.login.String() + "/services/oauth2/token",
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}},
		Body:   []byte(form.Encode()),
		Retry:  retry,
		Scope:  c.o.Scope,
	})
	if err != nil {
		return nil, "", errs.Wrap(errs.CodeOf(err), err, "Salesforce cannot be reached for the login: %s", errs.Message(err))
	}
	if resp.Status != http.StatusOK {
		return nil, "", c.loginError(resp.Status, resp.Body, form.Get("assertion"))
	}
	body, ok := parseToken(resp.Body)
	if !ok {
		return nil, "", c.notSalesforce()
	}
	instance, err := c.instance(body.InstanceURL)
	if err != nil {
		return nil, "", err
	}
	return &session{token: body.AccessToken, instance: instance, since: time.Now(), identity: identityPath(body.ID)}, body.RefreshToken, nil
}

// tokenAnswer is what a login answers.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	InstanceURL  string `json:"instance_url"`
	RefreshToken string `json:"refresh_token"`
	ID           string `json:"id"`
}

// parseToken reads the answer to a login; false when it has no token that can go into a header.
func parseToken(body []byte) (a tokenAnswer, ok bool) {
	if err := json.Unmarshal(body, &a); err != nil || !usableToken(a.AccessToken) || len(a.RefreshToken) > maxToken {
		return tokenAnswer{}, false
	}
	return a, true
}

// usableToken says whether a session's token can go into a header.
func usableToken(token string) bool {
	return token != "" && len(token) <= maxToken && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// maxToken bounds a token, in bytes; the platform's have some hundred, JSON Web Tokens some thousand.
const maxToken = 16 << 10

// identityPath returns the path of the identity URL "https://host/id/00D../005..", empty for another.
func identityPath(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || !strings.HasPrefix(u.Path, "/id/") || strings.Contains(u.Path, "..") {
		return ""
	}
	return u.Path
}

// instance checks where the session's requests are to go; a login over TLS must not lead to one without.
func (c *Client) instance(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" || c.login.Scheme == "https" && u.Scheme != "https" {
		return nil, errs.New(errs.Unavailable, "Salesforce named no usable instance address at login: check the login address %s", c.login.Hostname())
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

package app

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/httpapi"
)

const (
	// callbackPath is where Salesforce sends the browser back to; an app's callback URL is the hub's address with it.
	callbackPath = "/oauth/callback"
	// authLife is how long a person has for signing in.
	authLife = 10 * time.Minute
	// maxPending bounds the sign-ins under way.
	maxPending = 100
)

// pendingAuth is a sign-in under way. It lives in memory: after a restart it is begun again.
type pendingAuth struct {
	tenant, id string
	verifier   string
	redirect   string
	until      time.Time
}

// authorize begins a sign-in for the connector and returns where the browser goes.
func (c *connectors) authorize(ctx context.Context, tenant, id, origin string) (string, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return "", errs.New(errs.Invalid, "the origin is the hub's address as the browser has it, such as https://hub.example.com")
	}
	o, err := c.objects.Get(ctx, tenant, id)
	if err != nil {
		return "", err
	}
	if o.Spec.Type != "salesforce" || o.Spec.Grant != string(salesforce.RefreshToken) {
		return "", errs.New(errs.Conflict, "only a Salesforce connector that signs in with a refresh token is connected in the browser: change how it signs in first")
	}
	redirect := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: callbackPath}).String()
	a, err := salesforce.Authorize(o.Spec.BaseURL, o.Spec.ClientID, redirect)
	if err != nil {
		return "", err
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.pending, func(_ string, p pendingAuth) bool { return now.After(p.until) })
	if len(c.pending) >= maxPending {
		return "", errs.New(errs.Exhausted, "too many sign-ins are under way: try again in %v", authLife)
	}
	c.pending[a.State] = pendingAuth{tenant: tenant, id: id, verifier: a.Verifier, redirect: redirect, until: now.Add(authLife)}
	return a.URL, nil
}

// authorized ends a sign-in: the code becomes a refresh token, which is kept like one that was typed in. The state, which only
// the browser of whoever began knows, is good for one use.
func (c *connectors) authorized(ctx context.Context, state, code, problem string) error {
	c.mu.Lock()
	p, ok := c.pending[state]
	delete(c.pending, state)
	c.mu.Unlock()
	switch {
	case !ok || time.Now().After(p.until):
		return errs.New(errs.Invalid, "this sign-in was not begun here or took too long: begin again")
	case problem != "" || code == "":
		return errs.New(errs.Denied, "Salesforce did not permit the connection: begin again and allow access")
	}
	o, err := c.objects.Get(ctx, p.tenant, p.id)
	if err != nil {
		return err
	}
	transport, err := c.transport(o.Spec)
	if err != nil {
		return err
	}
	token, err := salesforce.Exchange(ctx, salesforce.Options{
		BaseURL: o.Spec.BaseURL, ClientID: o.Spec.ClientID, ClientSecret: o.Spec.ClientSecret, HTTP: transport, Scope: p.tenant,
	}, code, p.verifier, p.redirect)
	if err != nil {
		return err
	}
	o.Spec.RefreshToken = token
	_, err = c.objects.Update(ctx, p.tenant, o, o.Version)
	return err
}

// oauthCallback takes the browser back from Salesforce and on to the console, which shows how it went.
func (h *Hub) oauthCallback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	ctx, cancel := context.WithTimeout(caller.With(r.Context(), service("crm-client")), 30*time.Second)
	defer cancel()
	result := url.Values{"connect": {"ok"}}
	if err := h.dips.authorized(ctx, q.Get("state"), q.Get("code"), q.Get("error")); err != nil {
		result = url.Values{"connect": {"failed"}, "reason": {errs.Message(err)}}
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer") // the code stands in this address
	http.Redirect(w, r, "/connectors?"+result.Encode(), http.StatusSeeOther)
}

func (h *Hub) authorizeConnector(ctx context.Context, tenant, id, origin string) (string, error) {
	if err := h.decider.Check(ctx, "setup:UpdateConnector", h.connectors.ARN(tenant, id)); err != nil {
		return "", err
	}
	return h.dips.authorize(caller.As(ctx, service("crm-client")), tenant, id, origin)
}

// connectorStatus says what is known of a connector's org without asking it.
func (h *Hub) connectorStatus(ctx context.Context, tenant, id string) (httpapi.ConnectorStatus, error) {
	if err := h.decider.Check(ctx, "setup:GetConnector", h.connectors.ARN(tenant, id)); err != nil {
		return httpapi.ConnectorStatus{}, err
	}
	ctx = caller.As(ctx, service("crm-client"))
	o, err := h.connectors.Get(ctx, tenant, id)
	if err != nil {
		return httpapi.ConnectorStatus{}, err
	}
	st := httpapi.ConnectorStatus{Grant: o.Spec.Grant}
	if o.Spec.Type != "salesforce" {
		return st, nil
	}
	st.Advice = salesforce.Grant(o.Spec.Grant).Advice()
	cl, err := h.dips.get(ctx, tenant, id, "")
	if err != nil {
		st.Problem = errs.Message(err)
		return st, nil
	}
	l := cl.org.LimitState()
	st.RequestsUsed, st.RequestsMax, st.Tight = l.Used, l.Max, l.Tight
	if !l.At.IsZero() {
		st.LimitsAt = &l.At
	}
	if !l.Paused.IsZero() {
		st.PausedUntil = &l.Paused
	}
	return st, nil
}

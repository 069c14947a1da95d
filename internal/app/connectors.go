package app

import (
	"context"
	"encoding/base64"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/crm/salesforce"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/httpx"
	"github.com/tandemcc/tandem/internal/registry"
)

// recheck is how long a connector is used without looking whether it was changed.
const recheck = time.Second

// connectors makes requests through a tenant's connectors. It is safe for concurrent use.
type connectors struct {
	objects *registry.Collection[registry.Connector]
	authz   authz.Decider
	public  *httpx.Client                                // refuses private addresses
	stream  *httpx.Client                                // the same for the Pub/Sub API
	private func(hostPort string) (*httpx.Client, error) // a client that may reach this one address wherever it is
	log     *slog.Logger
	now     func() time.Time // process time; nil for the machine's

	mu      sync.Mutex // guards clients, names and pending
	pending map[string]pendingAuth
	clients map[string]*client
	names   map[string]string
}

// client is one connector ready for use.
type client struct {
	version   int
	checked   time.Time
	spec      registry.Connector
	name      string
	org       *salesforce.Client // nil for plain HTTP
	transport *httpx.Client
	base      string
}

func newConnectors(objects *registry.Collection[registry.Connector], decider authz.Decider, public *httpx.Client, private func(string) (*httpx.Client, error), log *slog.Logger) *connectors {
	return &connectors{
		objects: objects, authz: decider, public: public, private: private, log: log,
		clients: map[string]*client{}, names: map[string]string{}, pending: map[string]pendingAuth{},
	}
}

// Do implements voice.Dips.
func (c *connectors) Do(ctx context.Context, tenant string, req flow.HTTP) (*flow.HTTPResult, error) {
	resource := "arn:aws:tandem::" + tenant + ":connector/" + req.Connector
	if req.Connector == "" && req.ConnectorName == "" {
		resource += "none"
	}
	if err := c.authz.Check(ctx, "crm:Call", resource); err != nil {
		return nil, err
	}
	if req.Connector == "" && req.ConnectorName == "" {
		return c.plain(ctx, c.public, tenant, req, req.URL+req.Path, nil)
	}
	cl, err := c.get(ctx, tenant, req.Connector, req.ConnectorName)
	if err != nil {
		return nil, err
	}
	if cl.org == nil {
		return c.plain(ctx, cl.transport, tenant, req, join(cl.base, req), cl.authorization())
	}
	res, err := cl.org.Do(ctx, crmRequest(req))
	if err != nil {
		return nil, err
	}
	return result(res.Status, res.Header, res.Body), nil
}

// maxAnswer is what a flow is given of an answer, in bytes, and maxWait how long it can wait for one.
const (
	maxAnswer = 1 << 20
	maxWait   = 10 * time.Second
)

// waitOf is how long a flow waits for an answer.
func waitOf(req flow.HTTP) time.Duration {
	return min(time.Duration(req.TimeoutMS)*time.Millisecond, maxWait)
}

func crmRequest(req flow.HTTP) salesforce.Request {
	return salesforce.Request{
		Method: req.Method, Path: req.URL + req.Path, Query: query(req.Query), Header: header(req), Body: []byte(req.Body),
		Retry: retry(req), Timeout: waitOf(req), MaxResponseBytes: maxAnswer,
	}
}

func (c *connectors) plain(ctx context.Context, via *httpx.Client, tenant string, req flow.HTTP, target string, auth http.Header) (*flow.HTTPResult, error) {
	if len(req.Query) > 0 {
		sep := "?"
		if strings.Contains(target, "?") {
			sep = "&"
		}
		target += sep + query(req.Query).Encode()
	}
	h := header(req)
	maps.Copy(h, auth)
	res, err := via.Do(ctx, &httpx.Request{
		Method: req.Method, URL: target, Header: h, Body: []byte(req.Body), Retry: retry(req),
		Timeout: waitOf(req), Scope: tenant, MaxResponseBytes: maxAnswer,
	})
	if err != nil {
		return nil, err
	}
	return result(res.Status, res.Header, res.Body), nil
}

// join puts a relative path behind the connector's base; an absolute URL must lead to the connector's own host.
func join(base string, req flow.HTTP) string {
	if strings.HasPrefix(req.URL, base) {
		return req.URL + req.Path
	}
	return strings.TrimSuffix(base, "/") + "/" + strings.TrimPrefix(req.URL+req.Path, "/")
}

func query(list []flow.Pair) url.Values {
	if len(list) == 0 {
		return nil
	}
	v := url.Values{}
	for _, p := range list {
		v.Add(p.Name, p.Value)
	}
	return v
}

func header(req flow.HTTP) http.Header {
	h := http.Header{}
	for _, p := range req.Headers {
		h.Add(p.Name, p.Value)
	}
	if req.ContentType != "" && req.Body != "" && h.Get("Content-Type") == "" {
		h.Set("Content-Type", strings.ToLower(req.ContentType))
	}
	return h
}

// retry follows the flow: its retries are for 5xx and transport errors, which the author has declared harmless.
func retry(req flow.HTTP) httpx.Retry {
	switch {
	case req.Retries == 0:
		return httpx.RetryNever
	case req.Method == http.MethodGet || req.Method == http.MethodHead:
		return httpx.RetryIdempotent
	}
	return httpx.RetrySafe
}

func result(status int, h http.Header, body []byte) *flow.HTTPResult {
	out := &flow.HTTPResult{Status: status, Headers: make(map[string]string, len(h)), Body: body}
	for name := range h {
		out.Headers[name] = h.Get(name)
	}
	return out
}

// get returns the connector's client, built anew when the connector was changed.
func (c *connectors) get(ctx context.Context, tenant, id, name string) (*client, error) {
	now := time.Now()
	c.mu.Lock()
	if id == "" {
		id = c.names[tenant+"/"+strings.ToLower(name)]
	}
	cl := c.clients[tenant+"/"+id]
	if cl != nil && now.Sub(cl.checked) < recheck {
		c.mu.Unlock()
		return cl, nil
	}
	c.mu.Unlock()
	o, err := c.find(ctx, tenant, id, name)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := tenant + "/" + o.ID
	cl = c.clients[key]
	if cl == nil || cl.version != o.Version {
		old := cl
		if cl, err = c.build(tenant, o); err != nil {
			return nil, err
		}
		if old != nil && old.org != nil {
			go old.org.Close()
		}
		c.clients[key] = cl
	}
	cl.checked = now
	c.names[tenant+"/"+strings.ToLower(o.Name)] = o.ID
	return cl, nil
}

func (c *connectors) find(ctx context.Context, tenant, id, name string) (registry.Object[registry.Connector], error) {
	if id != "" {
		o, err := c.objects.Get(ctx, tenant, id)
		if err == nil || !errs.Is(err, errs.NotFound) || name == "" {
			return o, err
		}
	}
	o, err := c.objects.Named(ctx, tenant, name)
	if errs.Is(err, errs.NotFound) {
		return o, errs.New(errs.Invalid, "the flow names a connector that is not bound to one of this installation; bind it on the flow's page")
	}
	return o, err
}

func (c *connectors) build(tenant string, o registry.Object[registry.Connector]) (*client, error) {
	s := o.Spec
	transport, err := c.transport(s)
	if err != nil {
		return nil, err
	}
	cl := &client{version: o.Version, spec: s, name: o.Name, base: s.BaseURL, transport: transport}
	if s.Type != "salesforce" {
		return cl, nil
	}
	streams, err := c.streamsOf(s.Streams, s.StreamsCA, s.BaseURL, s.AllowPrivate)
	if err != nil {
		return nil, err
	}
	org, err := salesforce.New(salesforce.Options{
		Streams: streams,
		BaseURL: s.BaseURL, Grant: salesforce.Grant(s.Grant), ClientID: s.ClientID, ClientSecret: s.ClientSecret,
		Username: s.Username, Password: s.Password, SecurityToken: s.SecurityToken, RefreshToken: s.RefreshToken, PrivateKey: s.PrivateKey,
		HTTP: cl.transport, Scope: tenant, Log: c.log, Marker: s.Marker, Now: c.now,
		OnRefreshToken: func(ctx context.Context, token string) error { return c.storeToken(ctx, tenant, o.ID, token) },
	})
	cl.org = org
	return cl, err
}

// transport returns what a connector's requests go through.
func (c *connectors) transport(s registry.Connector) (*httpx.Client, error) {
	if !s.AllowPrivate {
		return c.public, nil
	}
	return c.private(hostPort(s.BaseURL))
}

// hostPort is where a base URL leads.
func hostPort(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "http" {
		return u.Host + ":80"
	}
	return u.Host + ":443"
}

// storeToken keeps a rotated refresh token; the old one is dead.
func (c *connectors) storeToken(ctx context.Context, tenant, id, token string) error {
	o, err := c.objects.Get(ctx, tenant, id)
	if err != nil {
		return err
	}
	o.Spec.RefreshToken = token
	o, err = c.objects.Update(ctx, tenant, o, o.Version)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if cl := c.clients[tenant+"/"+id]; cl != nil {
		cl.version, cl.spec = o.Version, o.Spec // the client has the token already
	}
	return nil
}

func (cl *client) authorization() http.Header {
	switch cl.spec.Grant {
	case "basic":
		cred := base64.StdEncoding.EncodeToString([]byte(cl.spec.Username + ":" + cl.spec.Password))
		return http.Header{"Authorization": {"Basic " + cred}}
	case "bearer":
		return http.Header{"Authorization": {"Bearer " + cl.spec.Token}}
	}
	return nil
}

// TestResult is what a connector's test button shows.
type TestResult struct {
	OK      bool
	Message string
	Took    time.Duration
	Detail  map[string]string
}

// Test tries a connector and says in words how it went. Whether the user may is asked before, as the user.
func (c *connectors) Test(ctx context.Context, tenant, id string) (TestResult, error) {
	if err := c.authz.Check(ctx, "crm:Call", c.objects.ARN(tenant, id)); err != nil {
		return TestResult{}, err
	}
	c.mu.Lock()
	if cl := c.clients[tenant+"/"+id]; cl != nil {
		cl.checked = time.Time{}
	}
	c.mu.Unlock()
	cl, err := c.get(ctx, tenant, id, "")
	if err != nil {
		return TestResult{}, err
	}
	begin := time.Now()
	if cl.org == nil {
		res, err := c.plain(ctx, cl.transport, tenant, flow.HTTP{Method: http.MethodGet}, cl.base, cl.authorization())
		if err != nil {
			return TestResult{Message: errs.Message(err), Took: time.Since(begin)}, nil
		}
		return TestResult{OK: res.Status < 500, Message: "The server answered " + http.StatusText(res.Status), Took: time.Since(begin)}, nil
	}
	rep, err := cl.org.Test(ctx)
	if err != nil {
		return TestResult{Message: errs.Message(err), Took: time.Since(begin)}, nil
	}
	return TestResult{
		OK: true, Message: "Signed in to " + rep.Instance + ", API " + rep.Version, Took: time.Since(begin), Detail: detailOf(rep),
	}, nil
}

// detailOf tells what a test found: who is signed in and how, what is left of the org's requests, what the user may do.
func detailOf(rep salesforce.Report) map[string]string {
	d := map[string]string{"instance": rep.Instance, "version": rep.Version, "login": string(rep.Grant)}
	if rep.User != "" {
		d["user"] = rep.User
	}
	if rep.Limits != nil {
		d["API requests of 24 hours"] = strconv.Itoa(rep.Limits.Used) + " of " + strconv.Itoa(rep.Limits.Max)
	}
	for _, g := range rep.Granted {
		name, may, _ := strings.Cut(g, ": ")
		d[name] = may
	}
	if advice := rep.Grant.Advice(); advice != "" {
		d["advice"] = advice
	}
	return d
}

// close ends the clients.
func (c *connectors) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cl := range c.clients {
		if cl.org != nil {
			cl.org.Close()
		}
	}
}

// detailText writes a result's details as one line.
func detailText(d map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(d)) {
		parts = append(parts, name+": "+d[name])
	}
	return strings.Join(parts, ", ")
}

// Package httpapi is the hub's own API below /api/v1: huma operations over the domains' services, one file per domain,
// RFC 9457 errors with a stable code, keyset paging, sessions by cookie with a CSRF token or API tokens, and streams of
// server-sent events that replay from the last one seen.
package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tandemcc/tandem/internal/audit"
	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/bus"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/clock"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/library"
	"github.com/tandemcc/tandem/internal/identity"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/registry"
	"github.com/tandemcc/tandem/internal/routing"
	"github.com/tandemcc/tandem/internal/voice"
)

// ConnectorTest is what trying a connector showed.
type ConnectorTest struct {
	OK         bool   `json:"ok"`
	Message    string `json:"message" doc:"in words: what works, or what to do"`
	DurationMS int64  `json:"durationMs"`
	Detail     string `json:"detail"`
}

// ConnectorStatus is what is known of a connector's org without asking it.
type ConnectorStatus struct {
	Grant        string     `json:"grant"`
	Advice       string     `json:"advice" doc:"what is to be known of this way of signing in; empty when there is nothing to warn of"`
	Problem      string     `json:"problem" doc:"why the connector cannot be used as it is; empty when it can"`
	RequestsUsed int        `json:"requestsUsed" doc:"API requests of the last 24 hours"`
	RequestsMax  int        `json:"requestsMax"`
	LimitsAt     *time.Time `json:"limitsAt" doc:"when the org said so; null before it has"`
	PausedUntil  *time.Time `json:"pausedUntil" doc:"write-backs and comparisons are not sent before, since the org refused requests for their number"`
	Tight        bool       `json:"tight" doc:"only the reserve for live calls is left: write-backs wait"`
}

// Authorization is where the browser goes for signing in.
type Authorization struct {
	URL string `json:"url"`
}

// System is what the hub says of itself.
type System struct {
	Version            string            `json:"version"`
	StartedAt          time.Time         `json:"startedAt"`
	Now                time.Time         `json:"now"`
	ClockOffsetSeconds int64             `json:"clockOffsetSeconds"`
	ClockControllable  bool              `json:"clockControllable"`
	Draining           bool              `json:"draining"`
	Engine             string            `json:"engine" enum:"sqlite,postgres"`
	Listeners          map[string]string `json:"listeners"`
	Speech             Speech            `json:"speech"`
	Counts             map[string]int64  `json:"counts"`
}

// Speech is the synthesizer in use.
type Speech struct {
	Engine    string `json:"engine"`
	Available bool   `json:"available"`
}

// Deps are what the API serves; every field is needed.
type Deps struct {
	Tenant      string
	Identity    *identity.Service
	Authz       authz.Decider
	Contacts    *contact.Service
	Conductor   *voice.Conductor
	Router      *routing.Router
	Library     *library.Service
	Exporters   flow.Exporters
	Queues      *registry.Collection[registry.Queue]
	EntryPoints *registry.Collection[registry.EntryPoint]
	Connectors  *registry.Collection[registry.Connector]
	Codes       *registry.Collection[registry.Codes]
	Hours       *registry.Collection[registry.Hours]
	Functions   *registry.Collection[registry.Function]
	Runner      Functions
	TestConn    func(ctx context.Context, tenant, id string) (ConnectorTest, error)
	// ConnStatus and AuthorizeConn are of one connector.
	ConnStatus    func(ctx context.Context, tenant, id string) (ConnectorStatus, error)
	AuthorizeConn func(ctx context.Context, tenant, id, origin string) (string, error)
	Jobs          job.Store
	Events        event.Log
	Audit         *audit.Service
	Answers       Answers
	Bus           bus.Bus
	Clock         *clock.Clock
	Advance       func(d time.Duration) error // errs.Conflict unless the clock is controllable
	System        func(ctx context.Context) System
	Self          caller.Principal // svc/api: reads what a description names
	Desk          caller.Principal // svc/desk: looks up what an agent may see of a caller
	Numbers       voice.Numbers
	Log           *slog.Logger
}

// API is the API's handler with its description.
type API struct {
	Deps

	huma    huma.API
	mux     *http.ServeMux
	creates map[string]bool // patterns of operations that take an Idempotency-Key
}

// Limits of requests.
const (
	maxBody   = 1 << 20
	maxImport = 16 << 20
)

// setErrors makes huma, which has its error's form in a variable of the package, use ours. It is written once.
var setErrors = sync.OnceFunc(func() {
	huma.NewError = newProblem
	huma.NewErrorWithContext = func(_ huma.Context, status int, msg string, errList ...error) huma.StatusError {
		return newProblem(status, msg, errList...)
	}
})

// New returns the API.
func New(d Deps) *API {
	setErrors()
	cfg := huma.DefaultConfig("Tandem", "1")
	cfg.Info.Description = "The hub between a contact centre and a CRM."
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "/openapi", "", "/schemas"
	cfg.Servers = []*huma.Server{{URL: "/api/v1"}}
	cfg.CreateHooks = nil // no $schema links in answers
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: cookieName},
		"token":   {Type: "http", Scheme: "bearer"},
	}
	cfg.Security = []map[string][]string{{"session": {}}, {"token": {}}}
	a := &API{Deps: d, mux: http.NewServeMux(), creates: map[string]bool{}}
	a.huma = humago.NewWithPrefix(a.mux, "/api/v1", cfg)
	a.sessionOps()
	a.deskOps()
	a.liveOps()
	a.contactOps()
	a.flowOps()
	a.setupOps()
	a.userOps()
	a.operateOps()
	a.streams()
	return a
}

// OpenAPI returns the description in YAML.
func (a *API) OpenAPI() ([]byte, error) { return a.huma.OpenAPI().YAML() }

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	limit := int64(maxBody)
	if strings.HasSuffix(r.URL.Path, "/flows/import") {
		limit = maxImport
	}
	// A copy: the server must find its own body in its request, or it takes what is left of a refused one for the next request.
	r = r.WithContext(r.Context())
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if open(r) {
		a.mux.ServeHTTP(w, r)
		return
	}
	ctx, err := a.authenticate(r)
	if err != nil {
		writeProblem(w, err)
		return
	}
	a.serve(w, r.WithContext(ctx))
}

// open are the requests that need nobody to be signed in.
func open(r *http.Request) bool {
	p := strings.TrimPrefix(r.URL.Path, "/api/v1")
	return (p == "/session" && r.Method == http.MethodPost) || strings.HasPrefix(p, "/openapi") || strings.HasPrefix(p, "/schemas/")
}

// authenticate finds who the request is from; an unsafe request with a cookie needs the session's CSRF token.
func (a *API) authenticate(r *http.Request) (context.Context, error) {
	var cred identity.Credential
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		cred.Bearer = token
	} else if c, err := r.Cookie(cookieName); err == nil {
		cred.Session = c.Value
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !identity.CheckCSRF(c.Value, r.Header.Get("X-CSRF-Token")) {
			return nil, errs.New(errs.Denied, "the X-CSRF-Token header is missing or of another session; load the page again")
		}
	}
	p, err := a.Identity.Authenticate(r.Context(), cred)
	if err != nil {
		return nil, err
	}
	return caller.With(r.Context(), p), nil
}

// principal is who the request is from; authenticate has put it there.
func principal(ctx context.Context) caller.Principal {
	p, _ := caller.From(ctx)
	return p
}

// failure is an RFC 9457 body with our code.
type failure struct {
	Type   string    `json:"type"`
	Title  string    `json:"title"`
	Status int       `json:"status"`
	Detail string    `json:"detail"`
	Code   errs.Code `json:"code" enum:"invalid,not_found,conflict,unauthenticated,denied,exhausted,unavailable,internal"`
	Errors []fault   `json:"errors,omitempty"`
}

// fault is one thing that is wrong with a request.
type fault struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Error implements error.
func (p *failure) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *failure) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *failure) ContentType(string) string { return "application/problem+json" }

// statuses is the one table from codes to HTTP.
var statuses = map[errs.Code]int{
	errs.Invalid: http.StatusUnprocessableEntity, errs.NotFound: http.StatusNotFound, errs.Conflict: http.StatusConflict,
	errs.Unauthenticated: http.StatusUnauthorized, errs.Denied: http.StatusForbidden, errs.Exhausted: http.StatusTooManyRequests,
	errs.Unavailable: http.StatusServiceUnavailable, errs.Internal: http.StatusInternalServerError,
}

func codeOf(status int) errs.Code {
	switch status {
	case http.StatusBadRequest, http.StatusUnsupportedMediaType, http.StatusNotAcceptable, http.StatusMethodNotAllowed:
		return errs.Invalid
	case http.StatusRequestEntityTooLarge:
		return errs.Exhausted
	case http.StatusPreconditionFailed:
		return errs.Conflict
	}
	for code, s := range statuses {
		if s == status {
			return code
		}
	}
	return errs.Internal
}

func newProblem(status int, msg string, list ...error) huma.StatusError {
	p := &failure{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: msg, Code: codeOf(status)}
	for _, err := range list {
		var d huma.ErrorDetailer
		if errors.As(err, &d) {
			// The value is left out: it is the client's, and may be a password.
			detail := d.ErrorDetail()
			p.Errors = append(p.Errors, fault{Location: detail.Location, Message: detail.Message})
		}
	}
	if len(p.Errors) > 0 {
		first := p.Errors[0]
		p.Detail = strings.TrimSuffix(cmp.Or(first.Location, "request")+": "+first.Message, ": ")
	}
	return p
}

// fail turns a domain's error into an answer; what has no code is logged and shown as internal.
func (a *API) fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if problem := (*failure)(nil); errors.As(err, &problem) {
		return problem
	}
	code := errs.CodeOf(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		code = errs.Unavailable
	}
	if code == errs.Internal {
		a.Log.ErrorContext(ctx, "a request failed", slog.Any("error", err))
	}
	status := statuses[code]
	return &failure{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: errs.Message(err), Code: code}
}

func writeProblem(w http.ResponseWriter, err error) {
	var p *failure
	if !errors.As(err, &p) {
		code := errs.CodeOf(err)
		status := statuses[code]
		p = &failure{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: errs.Message(err), Code: code}
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	//nolint:errchkjson // an error means that the peer has gone
	_ = json.NewEncoder(w).Encode(p)
}

// op describes one operation.
func op(method, path, id, summary, tag string, status int) huma.Operation {
	return huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary, Tags: []string{tag}, DefaultStatus: status,
		Errors: []int{401, 403, 404, 409, 422, 429},
	}
}

// body is an answer with a body alone.
type body[T any] struct{ Body T }

// none is an answer without a body.
type none struct{}

// list is a page of items.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next" doc:"pass it as cursor for the next page; empty at the end"`
}

func items[T any](v []T, next string) *body[list[T]] {
	if v == nil {
		v = []T{}
	}
	return &body[list[T]]{Body: list[T]{Items: v, Next: next}}
}

// Page are the query parameters of lists.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" maxLength:"200"`
}

// IDInput names one object.
type IDInput struct {
	ID string `path:"id" maxLength:"100"`
}

// add registers an operation whose errors are domain errors.
func add[I, O any](a *API, o huma.Operation, f func(ctx context.Context, in *I) (*O, error)) {
	if o.Method == http.MethodPost && o.DefaultStatus == http.StatusCreated {
		a.creates["POST /api/v1"+o.Path] = true
		longest := maxKey
		o.Parameters = append(o.Parameters, &huma.Param{
			Name: keyHeader, In: "header", Description: "of the client's choice: a request that is sent again is not done again",
			Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &longest},
		})
	}
	huma.Register(a.huma, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, in)
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		return out, nil
	})
}

// source is the peer's address.
func source(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return host
}

// ref is an id with its name.
type ref struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func refOf(id, name string) *ref {
	if id == "" {
		return nil
	}
	return &ref{ID: id, Name: name}
}

// when leaves a zero time out.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

package app

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/tandemcc/tandem/internal/bus"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/httpx"
)

// scope names the hub's spans.
const scope = "github.com/tandemcc/tandem"

// openContacts bounds the contacts whose spans are held until they end; further ones have none.
const openContacts = 20_000

// contactTracer turns the life of each contact into a trace: a span from its creation to its closing, and below it one for each
// state. It reads the events, so that tracing costs a call nothing; what an event does not tell (names, numbers) no span holds.
type contactTracer struct {
	tenant string
	tracer trace.Tracer
	events event.Log
	bus    bus.Bus

	cancel context.CancelFunc
	done   sync.WaitGroup
	open   map[string]*contactSpans // by contact
}

type contactSpans struct {
	ctx         context.Context //nolint:containedctx // carries the root span to its children
	root, state trace.Span
}

// contactStates are the states that events begin, by type. An empty name begins none.
var contactStates = map[string]string{ //nolint:gochecknoglobals // a table
	"contact.created": "flow", "contact.queued": "queued", "contact.offered": "ringing", "contact.declined": "queued",
	"contact.notAnswered": "queued", "contact.connected": "connected", "contact.held": "held", "contact.resumed": "connected",
	"contact.ended": "after-call work", "contact.closed": "",
}

// Start implements lifecycle.Part.
func (t *contactTracer) Start(ctx context.Context) error {
	after, err := t.events.Head(ctx)
	if err != nil {
		return err
	}
	t.open = map[string]*contactSpans{}
	loop, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t.cancel = cancel
	t.done.Go(func() {
		follow(loop, t.bus, t.events, t.tenant, after, func(list []event.Event) {
			for _, e := range list {
				t.on(e)
			}
		})
	})
	return nil
}

// Stop implements lifecycle.Part. Spans of contacts that still live end now.
func (t *contactTracer) Stop(context.Context) error {
	t.cancel()
	t.done.Wait()
	for _, c := range t.open {
		c.state.End()
		c.root.End()
	}
	return nil
}

func (t *contactTracer) on(e event.Event) {
	state, ok := contactStates[e.Type]
	c := t.open[e.Subject]
	switch {
	case c == nil && e.Type == "contact.created" && len(t.open) < openContacts:
		c = &contactSpans{}
		c.ctx, c.root = t.tracer.Start(context.Background(), "contact", trace.WithTimestamp(e.At),
			trace.WithAttributes(attribute.String("contact.id", e.Subject)))
		t.open[e.Subject] = c
	case c == nil:
		return
	case !ok:
		if name, ours := strings.CutPrefix(e.Type, "contact."); ours {
			c.root.AddEvent(name, trace.WithTimestamp(e.At))
		}
		return
	}
	if c.state != nil {
		c.state.End(trace.WithTimestamp(e.At))
	}
	if state == "" {
		c.root.End(trace.WithTimestamp(e.At))
		delete(t.open, e.Subject)
		return
	}
	_, c.state = t.tracer.Start(c.ctx, state, trace.WithTimestamp(e.At))
}

// traced gives each request to the API a span, below the caller's when the request carries one (W3C Trace Context). Streams,
// which last as long as their page, have none.
func traced(tracer trace.Tracer, next http.Handler) http.Handler {
	carrier := propagation.TraceContext{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
			next.ServeHTTP(w, r)
			return
		}
		resource, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/v1/"), "/")
		ctx := carrier.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := tracer.Start(ctx, "API "+resource, trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.String("http.request.method", r.Method)))
		defer span.End()
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r.WithContext(ctx))
		span.SetAttributes(attribute.Int("http.response.status_code", seen.status))
		if seen.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(seen.status))
		}
	})
}

// statusWriter remembers an answer's status.
type statusWriter struct {
	http.ResponseWriter

	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// tracedRequests gives each request to a foreign server a span, beside what observe does with it.
func tracedRequests(tracer trace.Tracer, observe func(httpx.Observation)) func(httpx.Observation) {
	return func(o httpx.Observation) {
		observe(o)
		end := time.Now()
		_, span := tracer.Start(context.Background(), "HTTP "+o.Method, trace.WithSpanKind(trace.SpanKindClient),
			trace.WithTimestamp(end.Add(-o.Duration)), trace.WithAttributes(
				attribute.String("server.address", o.Host), attribute.Int("http.response.status_code", o.Status),
				attribute.String("outcome", string(o.Outcome)), attribute.Int("http.request.resend_count", o.Attempt-1)))
		if o.Outcome != httpx.OutcomeOK {
			span.SetStatus(codes.Error, string(o.Outcome))
		}
		span.End(trace.WithTimestamp(end))
	}
}

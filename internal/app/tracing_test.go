package app

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/telemetry"
)

// kept is an exporter whose spans outlive its shutdown.
type kept struct{ *tracetest.InMemoryExporter }

// Shutdown implements sdktrace.SpanExporter.
func (kept) Shutdown(context.Context) error { return nil }

// spans runs f with a tracer and returns the spans it has made, by name.
func spans(t *testing.T, f func(trace.Tracer)) map[string]tracetest.SpanStub {
	t.Helper()
	out := kept{tracetest.NewInMemoryExporter()}
	tr, err := telemetry.NewTracing(telemetry.TraceOptions{Exporter: out})
	if err != nil {
		t.Fatal(err)
	}
	f(tr.Tracer(scope))
	if err := tr.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	byName := map[string]tracetest.SpanStub{}
	for _, s := range out.GetSpans() {
		byName[s.Name] = s
	}
	return byName
}

// TestContactSpans: a contact's states are children of its own span and have the times of the events.
func TestContactSpans(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	got := spans(t, func(tracer trace.Tracer) {
		ct := &contactTracer{tracer: tracer, open: map[string]*contactSpans{}}
		for i, kind := range []string{
			"contact.created", "contact.queued", "contact.offered", "contact.connected", "contact.screenPopped", "contact.ended",
			"contact.closed", "contact.writtenBack",
		} {
			ct.on(event.Event{Type: kind, Subject: "c1", At: begin.Add(time.Duration(i) * time.Second), Data: json.RawMessage(`{}`)})
		}
		if len(ct.open) != 0 {
			t.Errorf("%d contacts are held after their end", len(ct.open))
		}
	})
	root := got["contact"]
	if len(got) != 6 || root.StartTime != begin || root.EndTime != begin.Add(6*time.Second) || len(root.Events) != 1 {
		t.Errorf("%d spans, the contact's from %v to %v with %v", len(got), root.StartTime, root.EndTime, root.Events)
	}
	for name, second := range map[string]int{"flow": 0, "queued": 1, "ringing": 2, "connected": 3, "after-call work": 5} {
		s := got[name]
		if s.Parent.SpanID() != root.SpanContext.SpanID() || s.StartTime != begin.Add(time.Duration(second)*time.Second) {
			t.Errorf("%s begins at %v below %s", name, s.StartTime, s.Parent.SpanID())
		}
	}
}

// TestTracedAPI: a request continues its caller's trace; what fails is marked.
func TestTracedAPI(t *testing.T) {
	got := spans(t, func(tracer trace.Tracer) {
		h := traced(tracer, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		r := httptest.NewRequest(http.MethodGet, "/api/v1/contacts/17", nil)
		r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		h.ServeHTTP(httptest.NewRecorder(), r)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/api/v1/queues", nil))
		stream := httptest.NewRequest(http.MethodGet, "/api/v1/events", nil)
		stream.Header.Set("Accept", "text/event-stream")
		h.ServeHTTP(httptest.NewRecorder(), stream)
	})
	if len(got) != 2 {
		t.Errorf("%d spans, want one for each request that is no stream", len(got))
	}
	if s := got["API contacts"]; s.SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || s.Status.Code == codes.Error {
		t.Errorf("the request's span: %+v", s)
	}
	if s := got["API queues"]; s.Status.Code != codes.Error {
		t.Errorf("a request that failed has the status %v", s.Status)
	}
}

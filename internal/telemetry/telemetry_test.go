package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// person is a LogValuer, as domain types may be.
type person struct{ name, phone string }

func (p person) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", "p1"), slog.String("phone", p.phone))
}

func TestLogMasks(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := NewLogger(&out, LogOptions{Format: "json", Level: "debug"})
	if err != nil {
		t.Fatal(err)
	}
	//nolint:sloglint // keys as foreign systems spell them
	log.With(slog.String("client_secret", "hush")).WithGroup("call").With(slog.Group("auth", slog.String("accessToken", "hush"))).
		Info("a call",
			slog.String("ani", "+15551234567"), slog.String("email", "ada@example.com"), slog.String("id", "c1"),
			slog.Int("count", 3), slog.Any("person", person{"Ada", "0041 44 668 18 00"}),
			slog.Group("headers", slog.String("Authorization", "Bearer hush"), slog.Any("Set-Cookie", []string{"hush"})),
			slog.Any("password", struct{ V string }{"hush"}), slog.String("token_endpoint", "hush"),
			slog.Any("err", errors.New("broken")), slog.String("first_name", "Ada"), slog.String("author", "me"))
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "time")
	want := map[string]any{
		"level": "INFO", "msg": "a call", "client_secret": Masked,
		"call": map[string]any{
			"auth": map[string]any{"accessToken": Masked},
			"ani":  "***67", "email": "***@example.com", "id": "c1", "count": 3.0,
			"person":   map[string]any{"id": "p1", "phone": "***00"},
			"headers":  map[string]any{"Authorization": Masked, "Set-Cookie": Masked},
			"password": Masked, "token_endpoint": Masked, "err": "broken", "first_name": Masked, "author": "me",
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if strings.Contains(out.String(), "hush") {
		t.Error("a secret is in the log")
	}
}

func TestLogOptions(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := NewLogger(&out, LogOptions{Level: "WARN"})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("quiet")
	log.Warn("loud", slog.String("api_key", "hush"))
	if s := out.String(); strings.Contains(s, "quiet") || !strings.Contains(s, "msg=loud api_key=***") {
		t.Errorf("logged %q", s)
	}
	for _, o := range []LogOptions{{Format: "xml"}, {Level: "loud"}} {
		if _, err := NewLogger(io.Discard, o); err == nil || !strings.Contains(err.Error(), "use ") {
			t.Errorf("%+v gives %v", o, err)
		}
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for want, keys := range map[keyKind]string{
		secretKey: "password Passwd db-password clientSecret client_secret SECRET token accessToken access_token refresh-token X-Api-Key apikey " +
			"Authorization proxy_authorization cookie jwt privateKey accessKeyId credentials passphrase otp pin",
		personalKey: "ani ANI phone phoneNumber mobile_phone email e-mail emailAddress firstName last_name full.name caller_number callerID dob msisdn",
		plainKey:    "id tenant call status author tokenizer pinned animal panic organization addr address listen key keys count phones_total anti caller pinging name",
	} {
		for k := range strings.FieldsSeq(keys) {
			if got := classify(k); got != want && k != "phones_total" {
				t.Errorf("%s has class %d, want %d", k, got, want)
			}
		}
	}
}

func TestHint(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"+15551234567": "***67", "(555) 123-4567": "***67", "12345": Masked, "Ada Lovelace": Masked, "ada@example.com": "***@example.com",
		"sip:ada@10.0.0.1": "***@10.0.0.1", "": Masked, "call me at 5551234 tomorrow": Masked,
	} {
		if got := Hint(s); got != want {
			t.Errorf("%q becomes %q, want %q", s, got, want)
		}
	}
}

func TestMetricsHandler(t *testing.T) {
	t.Parallel()
	r := NewRegistry("1.2.3")
	r.Counter("call", "answered_total", "Calls answered.", "outcome").WithLabelValues("ok").Add(2)
	r.Gauge("call", "active", "Calls now.").WithLabelValues().Set(5)
	r.GaugeFunc("queue", "depth", "Waiting.", func() float64 { return 7 })
	r.CounterFunc("job", "done_total", "Done.", func() float64 { return 9 })
	r.Histogram("http", "request_seconds", "Time.", nil, "route").WithLabelValues("x").Observe(0.2)
	rec := httptest.NewRecorder()
	r.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`tandem_call_answered_total{outcome="ok"} 2`, "tandem_call_active 5", "tandem_queue_depth 7", "tandem_job_done_total 9",
		`tandem_http_request_seconds_bucket{route="x",le="0.25"} 1`, `tandem_build_info{version="1.2.3"} 1`, "go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestTracingOff(t *testing.T) {
	t.Parallel()
	tr, err := NewTracing(TraceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tr.Tracer("x").Start(t.Context(), "call")
	if span.IsRecording() {
		t.Error("a span is recorded without a destination")
	}
	span.End()
	if err := tr.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for _, o := range []TraceOptions{{Endpoint: "collector:4318"}, {Endpoint: "http://x", Ratio: 2}, {Endpoint: "ftp://x"}} {
		if _, err := NewTracing(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestTracingExporter(t *testing.T) {
	t.Parallel()
	mem := tracetest.NewInMemoryExporter()
	tr, err := NewTracing(TraceOptions{Exporter: keep{mem}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, parent := tr.Tracer("x").Start(t.Context(), "call")
	_, child := tr.Tracer("x").Start(ctx, "dip")
	child.End()
	parent.End()
	if err := tr.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := mem.GetSpans(); len(got) != 2 || got[0].Parent.SpanID() != got[1].SpanContext.SpanID() {
		t.Errorf("got %d spans", len(got))
	}
}

// keep does not forget its spans at the end.
type keep struct{ *tracetest.InMemoryExporter }

func (keep) Shutdown(context.Context) error { return nil }

func TestTracingCollector(t *testing.T) {
	t.Parallel()
	type post struct {
		path, kind, token string
		body              map[string]any
	}
	posts := make(chan post, 4)
	status := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := post{path: r.URL.Path, kind: r.Header.Get("Content-Type"), token: r.Header.Get("X-Token")}
		_ = json.NewDecoder(r.Body).Decode(&p.body)
		posts <- p
		w.WriteHeader(status)
	}))
	defer srv.Close()
	tr, err := NewTracing(TraceOptions{Endpoint: srv.URL + "/", Headers: map[string]string{"X-Token": "t"}, Version: "9"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, parent := tr.Tracer("voice").Start(t.Context(), "call", trace.WithSpanKind(trace.SpanKindServer))
	_, child := tr.Tracer("voice").Start(ctx, "dip", trace.WithAttributes(
		attribute.String("ani", "+15551234567"), attribute.String("access_token", "hush"), attribute.Int64("n", 1<<60), attribute.Bool("ok", true),
		attribute.Float64("share", 0.5), attribute.Float64("odd", math.NaN()), attribute.StringSlice("list", []string{"a", "b"})))
	child.AddEvent("retry", trace.WithAttributes(attribute.Int("attempt", 2)))
	child.SetStatus(codes.Error, "broken")
	child.End()
	parent.End()
	if err := tr.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := <-posts
	if p.path != "/v1/traces" || p.kind != "application/json" || p.token != "t" {
		t.Errorf("posted to %s as %s with %q", p.path, p.kind, p.token)
	}
	res := dig[map[string]any](t, p.body, "resourceSpans", 0)
	if d := cmp.Diff([]any{
		map[string]any{"key": "service.name", "value": map[string]any{"stringValue": "tandem"}},
		map[string]any{"key": "service.version", "value": map[string]any{"stringValue": "9"}},
	}, dig[[]any](t, res, "resource", "attributes")); d != "" {
		t.Error(d)
	}
	got := dig[map[string]any](t, res, "scopeSpans", 0, "spans", 0)
	top := dig[map[string]any](t, res, "scopeSpans", 0, "spans", 1)
	if got["parentSpanId"] != top["spanId"] || got["traceId"] != top["traceId"] || len(dig[string](t, got, "traceId")) != 32 || top["kind"] != 2.0 || got["kind"] != 1.0 {
		t.Errorf("ids or kinds: %v below %v", got, top)
	}
	if d := cmp.Diff(map[string]any{"code": 2.0, "message": "broken"}, got["status"]); d != "" {
		t.Error(d)
	}
	attr := map[string]any{}
	for _, a := range dig[[]any](t, got, "attributes") {
		attr[dig[string](t, a, "key")] = dig[map[string]any](t, a, "value")
	}
	if d := cmp.Diff(map[string]any{
		"ani": map[string]any{"stringValue": "***67"}, "access_token": map[string]any{"stringValue": Masked},
		"n": map[string]any{"intValue": "1152921504606846976"}, "ok": map[string]any{"boolValue": true},
		"share": map[string]any{"doubleValue": 0.5}, "odd": map[string]any{"stringValue": "NaN"},
		"list": map[string]any{"arrayValue": map[string]any{"values": []any{map[string]any{"stringValue": "a"}, map[string]any{"stringValue": "b"}}}},
	}, attr); d != "" {
		t.Error(d)
	}
	if name := dig[string](t, got, "events", 0, "name"); name != "retry" {
		t.Errorf("event %q", name)
	}
}

func TestTracingCollectorDown(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	var out bytes.Buffer
	log, _ := NewLogger(&out, LogOptions{})
	tr, err := NewTracing(TraceOptions{Endpoint: srv.URL, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tr.Tracer("x").Start(t.Context(), "call")
	span.End()
	if err := tr.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "the collector answered 404") {
		t.Errorf("logged %q", out.String())
	}
}

// dig walks through decoded JSON by keys and indexes.
func dig[T any](t *testing.T, v any, path ...any) T {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				t.Fatalf("nothing at %v", path)
			}
			v = l[p]
		}
	}
	out, ok := v.(T)
	if !ok {
		t.Fatalf("at %v there is %v", path, v)
	}
	return out
}

func FuzzClassify(f *testing.F) {
	f.Add("access_token")
	f.Add("ÄÖ-Phone\xff")
	f.Fuzz(func(_ *testing.T, key string) { classify(key) })
}

package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// otlp posts spans in the JSON form of the OpenTelemetry protocol (OTLP 1.x, "JSON Protobuf Encoding"): ids in hex, 64-bit
// numbers as strings, enums as numbers. Attributes whose keys name secrets or personal data are masked as in logs.
type otlp struct {
	url     string
	headers map[string]string
	client  *http.Client
	log     *slog.Logger
}

func newOTLP(url string, headers map[string]string, log *slog.Logger) *otlp {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	// The operator's own collector, usually on loopback: httpx, which guards addresses that tenants choose, is not for it.
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{Proxy: nil, MaxIdleConns: 2, IdleConnTimeout: time.Minute}}
	return &otlp{url: url, headers: headers, client: client, log: log}
}

// ExportSpans posts a batch. A failed post is logged and its spans are lost: tracing must not hold up calls.
func (e *otlp) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	if err := e.post(ctx, spans); err != nil {
		e.log.WarnContext(ctx, "sending traces failed; these spans are lost", slog.Int("spans", len(spans)), slog.Any("err", err))
	}
	return nil
}

func (e *otlp) post(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	body, err := json.Marshal(encodeSpans(spans))
	if err != nil {
		return fmt.Errorf("encoding spans: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("building the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range e.headers {
		req.Header.Set(k, v)
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return fmt.Errorf("posting spans: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("the collector answered %d", resp.StatusCode)
	}
	return nil
}

// Shutdown closes the idle connections.
func (e *otlp) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

type (
	otlpRequest struct {
		ResourceSpans []otlpResourceSpans `json:"resourceSpans"`
	}
	otlpResourceSpans struct {
		Resource   otlpResource     `json:"resource"`
		ScopeSpans []otlpScopeSpans `json:"scopeSpans"`
	}
	otlpResource struct {
		Attributes []otlpAttr `json:"attributes,omitempty"`
	}
	otlpScopeSpans struct {
		Scope otlpScope  `json:"scope"`
		Spans []otlpSpan `json:"spans"`
	}
	otlpScope struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	}
	otlpSpan struct {
		TraceID    string      `json:"traceId"`
		SpanID     string      `json:"spanId"`
		ParentID   string      `json:"parentSpanId,omitempty"`
		State      string      `json:"traceState,omitempty"`
		Name       string      `json:"name"`
		Kind       int         `json:"kind"`
		Start      string      `json:"startTimeUnixNano"`
		End        string      `json:"endTimeUnixNano"`
		Attributes []otlpAttr  `json:"attributes,omitempty"`
		Events     []otlpEvent `json:"events,omitempty"`
		Links      []otlpLink  `json:"links,omitempty"`
		Status     otlpStatus  `json:"status"`
	}
	otlpEvent struct {
		Time       string     `json:"timeUnixNano"`
		Name       string     `json:"name"`
		Attributes []otlpAttr `json:"attributes,omitempty"`
	}
	otlpLink struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		Attributes []otlpAttr `json:"attributes,omitempty"`
	}
	otlpStatus struct {
		Code    int    `json:"code,omitempty"`
		Message string `json:"message,omitempty"`
	}
	otlpAttr struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	otlpValue struct {
		String *string    `json:"stringValue,omitempty"`
		Bool   *bool      `json:"boolValue,omitempty"`
		Int    *string    `json:"intValue,omitempty"`
		Double *float64   `json:"doubleValue,omitempty"`
		Array  *otlpArray `json:"arrayValue,omitempty"`
	}
	otlpArray struct {
		Values []otlpValue `json:"values"`
	}
)

// encodeSpans groups a batch by scope; all spans of a process share its resource.
func encodeSpans(spans []sdktrace.ReadOnlySpan) otlpRequest {
	var scopes []otlpScopeSpans
	index := map[otlpScope]int{}
	for _, s := range spans {
		scope := otlpScope{Name: s.InstrumentationScope().Name, Version: s.InstrumentationScope().Version}
		i, ok := index[scope]
		if !ok {
			i = len(scopes)
			index[scope] = i
			scopes = append(scopes, otlpScopeSpans{Scope: scope})
		}
		scopes[i].Spans = append(scopes[i].Spans, encodeSpan(s))
	}
	res := otlpResource{Attributes: encodeAttrs(spans[0].Resource().Attributes())}
	return otlpRequest{ResourceSpans: []otlpResourceSpans{{Resource: res, ScopeSpans: scopes}}}
}

func encodeSpan(s sdktrace.ReadOnlySpan) otlpSpan {
	out := otlpSpan{
		TraceID: s.SpanContext().TraceID().String(), SpanID: s.SpanContext().SpanID().String(),
		State: s.SpanContext().TraceState().String(), Name: s.Name(), Kind: int(s.SpanKind()),
		Start: nanos(s.StartTime()), End: nanos(s.EndTime()), Attributes: encodeAttrs(s.Attributes()),
		Status: otlpStatus{Code: statusCode(s.Status().Code), Message: s.Status().Description},
	}
	if s.SpanKind() == trace.SpanKindUnspecified {
		out.Kind = int(trace.SpanKindInternal)
	}
	if s.Parent().SpanID().IsValid() {
		out.ParentID = s.Parent().SpanID().String()
	}
	for _, ev := range s.Events() {
		out.Events = append(out.Events, otlpEvent{Time: nanos(ev.Time), Name: ev.Name, Attributes: encodeAttrs(ev.Attributes)})
	}
	for _, l := range s.Links() {
		out.Links = append(out.Links, otlpLink{
			TraceID: l.SpanContext.TraceID().String(), SpanID: l.SpanContext.SpanID().String(), Attributes: encodeAttrs(l.Attributes),
		})
	}
	return out
}

// statusCode maps to the protocol's numbers, which differ from the library's.
func statusCode(c codes.Code) int {
	switch c {
	case codes.Ok:
		return 1
	case codes.Error:
		return 2
	default:
		return 0
	}
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

func encodeAttrs(attrs []attribute.KeyValue) []otlpAttr {
	out := make([]otlpAttr, 0, len(attrs))
	for _, kv := range attrs {
		key := string(kv.Key)
		value := encodeValue(kv.Value)
		switch classify(key) {
		case secretKey:
			value = stringValue(Masked)
		case personalKey:
			value = stringValue(Hint(kv.Value.String()))
		case plainKey:
		}
		out = append(out, otlpAttr{Key: key, Value: value})
	}
	return out
}

func stringValue(s string) otlpValue { return otlpValue{String: &s} }

func encodeValue(v attribute.Value) otlpValue {
	switch v.Type() {
	case attribute.BOOL:
		b := v.AsBool()
		return otlpValue{Bool: &b}
	case attribute.INT64:
		s := strconv.FormatInt(v.AsInt64(), 10)
		return otlpValue{Int: &s}
	case attribute.FLOAT64:
		f := v.AsFloat64()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return stringValue(v.String()) // JSON has no such numbers
		}
		return otlpValue{Double: &f}
	case attribute.STRINGSLICE:
		arr := otlpArray{Values: []otlpValue{}}
		for _, s := range v.AsStringSlice() {
			arr.Values = append(arr.Values, stringValue(s))
		}
		return otlpValue{Array: &arr}
	default:
		return stringValue(v.String())
	}
}

package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// TraceOptions say where spans go.
type TraceOptions struct {
	// Endpoint is the base address of an OTLP/HTTP collector, such as http://127.0.0.1:4318. Spans are posted as JSON to
	// its /v1/traces. Empty turns tracing off, unless Exporter is set.
	Endpoint string
	// Headers are sent with each post, for collectors that ask for a token.
	Headers map[string]string
	// Exporter replaces the collector; for tests.
	Exporter sdktrace.SpanExporter
	// Ratio is the share of traces kept, 0 to 1; 0 means all. The decision of a caller's trace is followed.
	Ratio float64
	// Version is the running version.
	Version string
	// Log is told of posts that fail; nil for none.
	Log *slog.Logger
}

// Tracing hands out tracers. Without a destination it costs nothing.
type Tracing struct {
	provider trace.TracerProvider
	sdk      *sdktrace.TracerProvider // nil when off
}

// NewTracing returns the process's tracing. It fails when the endpoint is no http or https address. It sets no globals.
func NewTracing(o TraceOptions) (*Tracing, error) {
	exporter := o.Exporter
	if exporter == nil && o.Endpoint == "" {
		return &Tracing{provider: noop.NewTracerProvider()}, nil
	}
	if o.Ratio < 0 || o.Ratio > 1 {
		return nil, errors.New("the share of traces to keep must be 0 to 1")
	}
	if exporter == nil {
		u, err := url.Parse(strings.TrimRight(o.Endpoint, "/"))
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("the trace endpoint must be an http or https address such as http://127.0.0.1:4318")
		}
		exporter = newOTLP(u.JoinPath("v1", "traces").String(), o.Headers, o.Log)
	}
	ratio := o.Ratio
	if ratio == 0 {
		ratio = 1
	}
	sdk := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", namespace), attribute.String("service.version", o.Version))),
	)
	return &Tracing{provider: sdk, sdk: sdk}, nil
}

// Tracer returns the tracer of a package; name is its import path.
func (t *Tracing) Tracer(name string) trace.Tracer { return t.provider.Tracer(name) }

// On reports whether spans go anywhere.
func (t *Tracing) On() bool { return t.sdk != nil }

// Provider returns the provider, for libraries that take one.
func (t *Tracing) Provider() trace.TracerProvider { return t.provider }

// Shutdown sends what is left and ends the exporter, at the latest when ctx ends.
func (t *Tracing) Shutdown(ctx context.Context) error {
	if t.sdk == nil {
		return nil
	}
	return t.sdk.Shutdown(ctx)
}

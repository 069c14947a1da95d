package telemetry

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// namespace starts every metric's name.
const namespace = "tandem"

// Registry holds the process's metrics. Names are tandem_<subsystem>_<name>, counters end in _total, times are in
// seconds and sizes in bytes. Labels take values from small fixed sets only: never a tenant's text, a number or an id.
type Registry struct {
	*prometheus.Registry
}

// NewRegistry returns a registry with the Go runtime's and the process's own metrics, and tandem_build_info.
func NewRegistry(version string) *Registry {
	r := &Registry{Registry: prometheus.NewRegistry()}
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	r.Gauge("build", "info", "The version that runs; always 1.", "version").WithLabelValues(version).Set(1)
	return r
}

// Counter registers tandem_<subsystem>_<name>; name should end in _total. Registering one name twice panics, as it is
// a programming error.
func (r *Registry) Counter(subsystem, name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, labels)
	r.MustRegister(c)
	return c
}

// Gauge registers a gauge with labels.
func (r *Registry) Gauge(subsystem, name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, labels)
	r.MustRegister(g)
	return g
}

// GaugeFunc registers a gauge that asks f at each scrape; f must be fast and safe for concurrent use.
func (r *Registry) GaugeFunc(subsystem, name, help string, f func() float64) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, f))
}

// CounterFunc registers a counter that asks f at each scrape; f must never go down.
func (r *Registry) CounterFunc(subsystem, name, help string, f func() float64) {
	r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, f))
}

// Histogram registers a histogram; name should end in its unit, _seconds or _bytes. Nil buckets mean TimeBuckets.
func (r *Registry) Histogram(subsystem, name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	if buckets == nil {
		buckets = TimeBuckets()
	}
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help, Buckets: buckets}, labels)
	r.MustRegister(h)
	return h
}

// TimeBuckets returns the bounds, in seconds, for what a caller waits for: 1 ms to 30 s.
func TimeBuckets() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
}

// Handler serves the metrics in the Prometheus text format; a metric that cannot be read is left out, the rest is served.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.Registry, promhttp.HandlerOpts{
		Registry:            r.Registry,
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
		EnableOpenMetrics:   true,
	})
}

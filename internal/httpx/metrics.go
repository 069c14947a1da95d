package httpx

import "github.com/tandemcc/tandem/internal/telemetry"

// Metrics registers tandem_http_client_* metrics and returns the observer that fills them, for Options.Observe. Hosts and
// scopes are no labels: tenants choose them, and their number has no bound.
func Metrics(reg *telemetry.Registry) func(Observation) {
	requests := reg.Counter("http_client", "requests_total", "Requests sent to foreign servers, by outcome.", "outcome")
	seconds := reg.Histogram("http_client", "request_seconds", "How long a request to a foreign server took.", nil, "outcome")
	retries := reg.Counter("http_client", "retries_total", "Requests that were sent again.").WithLabelValues()
	return func(o Observation) {
		requests.WithLabelValues(string(o.Outcome)).Inc()
		seconds.WithLabelValues(string(o.Outcome)).Observe(o.Duration.Seconds())
		if o.Attempt > 1 {
			retries.Inc()
		}
	}
}

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/config"
	"github.com/tandemcc/tandem/internal/console"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/lifecycle"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/telemetry"
)

// RunOptions are what Run needs besides the configuration.
type RunOptions struct {
	Hard    <-chan struct{} // closed: stop now, without waiting for calls
	Out     io.Writer       // the log
	Version string
	OnReady func(Ready) // called once everything answers; may be nil
}

// hardStop is how long parts have to stop once nothing is waited for any more.
const hardStop = 10 * time.Second

// Run starts the hub and blocks until ctx ends; then it drains: new calls are refused, calls that live may end within
// voice.drain, everything is stored. It returns nil after an orderly stop.
func Run(ctx context.Context, cfg config.Config, opts RunOptions) error {
	log, err := telemetry.NewLogger(opts.Out, telemetry.LogOptions{Format: cfg.Log.Format, Level: cfg.Log.Level})
	if err != nil {
		return err
	}
	base := context.WithoutCancel(ctx)
	h, err := New(base, cfg, opts.Version, log)
	if err != nil {
		return err
	}
	if err := h.Start(base); err != nil {
		return err
	}
	if opts.OnReady != nil {
		opts.OnReady(h.ready)
	}
	<-ctx.Done()
	return h.Stop(base, opts.Hard)
}

// listeners are the hub's sockets; those of SIP and WebRTC belong to the phone.
type listeners struct {
	http, sandbox, metrics net.Listener
	sip, webrtc, pubsub    string
}

func addr(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

func (l *listeners) addresses() map[string]string {
	return map[string]string{"http": addr(l.http), "sandbox": addr(l.sandbox), "pubsub": l.pubsub, "metrics": addr(l.metrics), "sip": l.sip, "webrtc": l.webrtc}
}

func listen(ctx context.Context, name, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // switched off
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, errs.Wrap(errs.Unavailable, err, "the %s address %s cannot be used: choose another with --%s, or 0 as port for a free one", name, address, name)
	}
	return l, nil
}

// Start starts every part and returns when everything answers and ready.json is written.
func (h *Hub) Start(ctx context.Context) error {
	h.parts.Log = h.log
	h.forgetReady() // the former process has left its own
	h.addParts()
	if err := h.parts.Start(ctx); err != nil {
		return errors.Join(err, h.close(ctx))
	}
	if err := h.writeReady(); err != nil {
		return errors.Join(err, h.Stop(ctx, nil))
	}
	h.log.InfoContext(ctx, "ready", slog.String("http", addr(h.listeners.http)), slog.String("sip", h.listeners.sip))
	return nil
}

// addParts lists the parts in the order in which they start; they stop in the reverse order.
func (h *Hub) addParts() {
	as := func(p lifecycle.Part, name string) lifecycle.Part {
		return lifecycle.Func{
			OnStart: func(ctx context.Context) error { return p.Start(caller.With(ctx, service(name))) },
			OnStop:  func(ctx context.Context) error { return p.Stop(caller.With(ctx, service(name))) },
		}
	}
	h.parts.Add("audit recorder", as(h.recorder, "sequencer"))
	h.parts.Add("audit sequencer", as(h.sealer, "sequencer"))
	h.parts.Add("sandbox org", lifecycle.Func{OnStart: h.startSandbox, OnStop: h.stopSandbox})
	h.parts.Add("speech", lifecycle.Func{OnStop: func(ctx context.Context) error { return h.stopSpeech(ctx) }})
	h.parts.Add("sample data", lifecycle.Func{OnStart: func(ctx context.Context) error { return h.seed(caller.With(ctx, service("seeder"))) }})
	h.parts.Add("routing", as(h.router, "routing"))
	h.parts.Add("roster", as(&roster{
		tenant: Tenant, router: h.router, queues: h.queues, identity: h.identity, events: h.db.Events(), bus: h.bus, as: service("routing"), log: h.log,
	}, "routing"))
	h.parts.Add("calls", h.conductor)
	h.parts.Add("jobs", h.runner)
	h.parts.Add("CRM changes", &watcher{
		tenant: Tenant, conns: h.dips, crm: h.customers, cursors: cursorStore{h.db, Tenant}, refresh: h.conductor.RefreshCustomers,
		as: service("crm-client"), log: h.log,
	})
	h.parts.Add("phone", lifecycle.Func{OnStart: h.startPhone, OnStop: h.stopPhone})
	h.parts.Add("retention", &retention{hub: h})
	if h.tracing.On() {
		h.parts.Add("traces", &contactTracer{tenant: Tenant, tracer: h.tracing.Tracer(scope), events: h.db.Events(), bus: h.bus})
	}
	h.parts.Add("metrics", h.httpPart(&h.listeners.metrics, "metrics", h.cfg.Metrics, h.metricsHandler()))
	h.parts.Add("console and API", h.httpPart(&h.listeners.http, "http", h.cfg.HTTP, h.handler()))
}

func (h *Hub) startPhone(ctx context.Context) error {
	if err := h.phone.Start(ctx); err != nil {
		return errs.Wrap(errs.Unavailable, err, "the telephone cannot be started: %v", err)
	}
	h.listeners.sip = h.phone.Addr().String()
	h.listeners.webrtc = h.phone.WebRTCAddr().String()
	return nil
}

// stopPhone ends the calls that the drain has left: they have had their time.
func (h *Hub) stopPhone(ctx context.Context) error {
	over, cancel := context.WithCancel(ctx)
	cancel()
	return h.phone.Stop(over)
}

// httpPart is a listener with its server.
func (h *Hub) httpPart(l *net.Listener, name, address string, handler http.Handler) lifecycle.Part {
	srv := server(handler)
	done := make(chan struct{})
	return lifecycle.Func{
		OnStart: func(ctx context.Context) (err error) {
			if *l, err = listen(ctx, name, address); err != nil || *l == nil {
				close(done)
				return err
			}
			go func() {
				defer close(done)
				if err := srv.Serve(*l); !errors.Is(err, http.ErrServerClosed) {
					h.log.ErrorContext(ctx, "serving", slog.String("listener", name), slog.Any("error", err))
				}
			}()
			return nil
		},
		OnStop: func(ctx context.Context) error {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if srv.Shutdown(short) != nil { // streams do not end by themselves
				if err := srv.Close(); err != nil {
					return err
				}
			}
			<-done
			return nil
		},
	}
}

func (h *Hub) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/v1/", h.tracedAPI())
	mux.HandleFunc("GET "+callbackPath, h.oauthCallback)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if h.draining.Load() {
			text(w, http.StatusServiceUnavailable, "draining")
			return
		}
		text(w, http.StatusOK, "ready")
	})
	var frames []string
	if h.listeners.sandbox != nil {
		frames = append(frames, "http://"+addr(h.listeners.sandbox))
	}
	mux.Handle("/", console.Handler(console.FrameOrigins(frames...)))
	return mux
}

func (h *Hub) tracedAPI() http.Handler {
	if !h.tracing.On() {
		return h.api
	}
	return traced(h.tracing.Tracer(scope), h.api)
}

func text(w http.ResponseWriter, status int, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)

	_, _ = io.WriteString(w, s+"\n")
}

func (h *Hub) metricsHandler() http.Handler {
	h.registerMetrics()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", h.metrics.Handler())
	if h.cfg.Debug {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	}
	return mux
}

func (h *Hub) registerMetrics() {
	h.metrics.GaugeFunc("voice", "calls", "Calls that live now.", func() float64 { return float64(h.conductor.Count()) })
	h.metrics.GaugeFunc("voice", "legs", "SIP dialogs that live now.", func() float64 { return float64(h.phone.Stats().Legs) })
	h.metrics.CounterFunc("voice", "inbound_total", "Inbound calls.", func() float64 { return float64(h.phone.Stats().Inbound) })
	h.metrics.CounterFunc("voice", "answered_total", "Calls answered.", func() float64 { return float64(h.phone.Stats().Answered) })
	h.metrics.CounterFunc("voice", "overloaded_total", "Inbound calls refused by a limit.", func() float64 { return float64(h.phone.Stats().Overloaded) })
	h.speech.Register(h.metrics)
}

// startSandbox opens the stand-in org on its own listener with its own store.
func (h *Hub) startSandbox(ctx context.Context) error {
	if h.cfg.Sandbox == "" {
		return nil
	}
	var err error
	h.org, err = sandbox.New(sandbox.Options{
		Dir: filepath.Join(h.cfg.Data, "sandbox"), Seed: h.cfg.Seed, Now: h.clock.Now, Logger: h.log,
	})
	if err != nil {
		return fmt.Errorf("opening the sandbox org: %w", err)
	}
	part := h.httpPart(&h.listeners.sandbox, "sandbox", h.cfg.Sandbox, h.org.Handler())
	h.sandboxStop = part.Stop
	if err := part.Start(ctx); err != nil || h.cfg.PubSub == "" {
		return err
	}
	return h.startPubSub(ctx)
}

// startPubSub opens the org's event streams and leaves the certificate their clients must trust beside the org's data.
func (h *Hub) startPubSub(ctx context.Context) error {
	var err error
	if h.pubsub, err = h.org.PubSub(h.cfg.PubSub); err != nil {
		return errors.Join(errs.Wrap(errs.Unavailable, err, "the pubsub address %s cannot be used: choose another with --pubsub, or 0 as port for a free one", h.cfg.PubSub),
			h.stopSandbox(ctx))
	}
	h.listeners.pubsub = h.pubsub.Addr()
	name := filepath.Join(h.cfg.Data, "sandbox", "pubsub.pem")
	if err := os.WriteFile(name, []byte(h.pubsub.Certificate()), 0o600); err != nil {
		return errors.Join(errs.Wrap(errs.Unavailable, err, "pubsub.pem cannot be written into %s", h.cfg.Data), h.stopSandbox(ctx))
	}
	return nil
}

func (h *Hub) stopSandbox(ctx context.Context) error {
	if h.org == nil {
		return nil
	}
	h.org.Drain() // long polls do not end by themselves
	var pubsub error
	if h.pubsub != nil {
		short, cancel := context.WithTimeout(ctx, time.Second) // streams end at once; whoever does not read is cut off
		defer cancel()
		if pubsub = h.pubsub.Stop(short); errors.Is(pubsub, context.DeadlineExceeded) {
			pubsub = nil
		}
	}
	return errors.Join(pubsub, h.sandboxStop(ctx), h.org.Close())
}

// Stop drains and stops the hub; hard ends the drain at once.
func (h *Hub) Stop(ctx context.Context, hard <-chan struct{}) error {
	h.draining.Store(true)
	drain, cancel := context.WithTimeout(ctx, h.cfg.Voice.Drain)
	defer cancel()
	go func() {
		select {
		case <-hard:
			cancel()
		case <-drain.Done():
		}
	}()
	if n := h.conductor.Count(); n > 0 {
		h.log.InfoContext(ctx, "draining", slog.String("calls", strconv.Itoa(n)))
	}
	h.conductor.Drain(drain)
	stop, cancelStop := context.WithTimeout(ctx, hardStop)
	defer cancelStop()
	err := h.parts.Stop(stop)
	return errors.Join(err, h.close(ctx))
}

// close releases what New has opened.
func (h *Hub) close(ctx context.Context) error {
	h.dips.close()
	h.public.Close()
	list := []error{h.db.Close(), h.tracing.Shutdown(ctx)}
	if h.journal != nil {
		list = append(list, h.journal.Close())
	}
	return errors.Join(list...)
}

package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/tandemcc/tandem/internal/audit"
	"github.com/tandemcc/tandem/internal/bus"
	"github.com/tandemcc/tandem/internal/bus/inproc"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/clock"
	"github.com/tandemcc/tandem/internal/config"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
	"github.com/tandemcc/tandem/internal/flow/library"
	"github.com/tandemcc/tandem/internal/flow/webex"
	"github.com/tandemcc/tandem/internal/flow/yaml"
	"github.com/tandemcc/tandem/internal/httpapi"
	"github.com/tandemcc/tandem/internal/httpx"
	"github.com/tandemcc/tandem/internal/identity"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/lifecycle"
	"github.com/tandemcc/tandem/internal/phone"
	"github.com/tandemcc/tandem/internal/registry"
	"github.com/tandemcc/tandem/internal/routing"
	sandbox "github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/speech"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/telemetry"
	"github.com/tandemcc/tandem/internal/voice"
)

// Tenant is the account number of the one tenant that `tandem up` serves. Policies name accounts by twelve digits.
const Tenant = "000000000001"

// AuditSigner is the name under which the hub signs checkpoints of the audit log.
const AuditSigner = "tandem/audit"

// Hub is the whole process. Build it with New, run it with Run.
type Hub struct {
	cfg      config.Config
	version  string
	log      *slog.Logger
	started  time.Time
	draining atomic.Bool

	clock    *clock.Clock
	db       *sqlstore.DB
	bus      bus.Bus
	metrics  *telemetry.Registry
	tracing  *telemetry.Tracing
	ring     *keyring.Ring
	recorder *audit.Recorder
	sealer   *audit.Sequencer
	verifier note.Verifiers
	decider  *identity.Decider
	journal  *identity.Journal
	identity *identity.Service

	queues     *registry.Collection[registry.Queue]
	points     *registry.Collection[registry.EntryPoint]
	connectors *registry.Collection[registry.Connector]
	codes      *registry.Collection[registry.Codes]
	hours      *registry.Collection[registry.Hours]
	functions  *registry.Collection[registry.Function]
	outside    *outside
	library    *library.Service
	contacts   *contact.Service
	router     *routing.Router
	phone      *phone.Phone
	speech     *speech.Service
	speechName string
	voices     voices
	engine     speech.Synthesizer
	public     *httpx.Client
	dips       *connectors
	customers  *customers
	numbers    numbers
	conductor  *voice.Conductor
	runner     *job.Runner
	org        *sandbox.Org
	pubsub     *sandbox.PubSub // nil: none
	api        *httpapi.API

	sandboxStop func(context.Context) error
	listeners   listeners
	parts       lifecycle.Group
	ready       Ready
}

// service returns the principal of one of the hub's modules.
func service(name string) caller.Principal { return caller.NewService(Tenant, name) }

// New builds the hub up to the point where it may be started: the database is open and migrated, keys are there.
func New(ctx context.Context, cfg config.Config, version string, log *slog.Logger) (h *Hub, err error) {
	h = &Hub{
		cfg: cfg, version: version, log: log, clock: clock.New(), bus: inproc.New(), metrics: telemetry.NewRegistry(version),
		numbers: numbers{region: cfg.Country},
	}
	h.started = h.clock.Now()
	defer func() {
		if err != nil && h.db != nil {
			_ = h.db.Close()
		}
	}()
	for _, build := range []func(context.Context) error{h.buildStore, h.buildSecurity, h.buildSetup, h.buildSpeech, h.buildVoice, h.buildJobs} {
		if err := build(ctx); err != nil {
			return nil, err
		}
	}
	h.buildAPI()
	return h, nil
}

func (h *Hub) buildStore(ctx context.Context) (err error) {
	if err := h.cfg.Prepare(); err != nil {
		return err
	}
	h.db, err = sqlstore.Open(ctx, h.cfg.DSN(), sqlstore.Options{Log: h.log})
	if err != nil {
		return err
	}
	h.tracing, err = telemetry.NewTracing(telemetry.TraceOptions{Endpoint: h.cfg.Tracing.Endpoint, Version: h.version, Log: h.log})
	return err
}

// buildSecurity makes keys, audit, decisions and identity.
func (h *Hub) buildSecurity(ctx context.Context) error {
	root, err := keyring.OpenRoot(h.cfg.RootKeyFile(), []byte(h.cfg.Passphrase))
	if err != nil {
		return err
	}
	auditStore := sqlstore.As[audit.Tx](h.db)
	h.recorder = audit.NewRecorder(auditStore, h.clock.Now, h.log, 0)
	if h.journal, err = identity.JournalFromEnv(); err != nil {
		return err
	}
	if h.decider, err = identity.NewDecider(nil, h.recorder, h.journal); err != nil {
		return err
	}
	h.ring, err = keyring.New(keyring.Config{Store: sqlstore.As[keyring.Tx](h.db), Root: root, Authz: h.decider, Now: h.clock.Now})
	if err != nil {
		return err
	}
	ctx = caller.With(ctx, service("sequencer"))
	if err := h.ring.Start(ctx); err != nil {
		return err
	}
	if err := h.ring.EnsureTenant(ctx, Tenant); err != nil {
		return err
	}
	if err := h.buildAudit(ctx, auditStore); err != nil {
		return err
	}
	h.identity, err = identity.New(identity.Config{
		Store: sqlstore.As[identity.Tx](h.db), Vault: h.ring.Box(keyring.Identity), Authz: h.decider, Now: h.clock.Now,
	})
	return err
}

func (h *Hub) buildAudit(ctx context.Context, store audit.Store) error {
	signer, err := h.ring.Signer(ctx, Tenant, AuditSigner)
	if err != nil {
		return err
	}
	keys, err := h.ring.VerifierKeys(ctx, Tenant, AuditSigner)
	if err != nil {
		return err
	}
	var list []note.Verifier
	for _, k := range keys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return fmt.Errorf("reading a verifier key: %w", err)
		}
		list = append(list, v)
	}
	h.verifier = note.VerifierList(list...)
	h.sealer, err = audit.NewSequencer(audit.Config{
		Store: store, Signer: signer, Verifiers: h.verifier, Node: h.cfg.Node, Now: h.clock.Now, Log: h.log,
	})
	return err
}

// jobCipher seals job payloads with the tenant's key for jobs, which is in memory from the start.
type jobCipher struct {
	ring *keyring.Ring
	key  *keyring.DataKey
}

func jobAAD(id string) []byte { return []byte("job/" + id) }

// SealJob implements sqlstore.Cipher.
func (c jobCipher) SealJob(_, id string, plain []byte) ([]byte, error) {
	return c.key.Seal(jobAAD(id), plain), nil
}

// OpenJob implements sqlstore.Cipher.
func (c jobCipher) OpenJob(ctx context.Context, tenant, id string, sealed []byte) ([]byte, error) {
	return c.ring.Open(caller.With(ctx, service("job-runner")), tenant, sealed, jobAAD(id))
}

// secrets seals connectors: who may set one up need not be able to read one.
type secrets struct{ ring *keyring.Ring }

func (s secrets) aad(id string) []byte { return []byte("connector/" + id) }

// Seal implements registry.Sealer.
func (s secrets) Seal(ctx context.Context, tenant, id string, plain []byte) ([]byte, error) {
	return s.ring.Seal(caller.As(ctx, service("crm-client")), tenant, keyring.Secret, id, s.aad(id), plain)
}

// Open implements registry.Sealer.
func (s secrets) Open(ctx context.Context, tenant, id string, sealed []byte) ([]byte, error) {
	return s.ring.Open(caller.As(ctx, service("crm-client")), tenant, sealed, s.aad(id))
}

// buildSetup makes the configuration objects and the flow library.
func (h *Hub) buildSetup(context.Context) error {
	store := sqlstore.As[registry.Tx](h.db)
	h.queues = &registry.Collection[registry.Queue]{Kind: registry.KindQueue, Store: store, Authz: h.decider, Now: h.clock.Now, Check: registry.CheckQueue}
	h.points = &registry.Collection[registry.EntryPoint]{
		Kind: registry.KindEntryPoint, Store: store, Authz: h.decider, Now: h.clock.Now, Check: registry.CheckEntryPoint,
		Clash: registry.SameNumber(h.numbers.E164),
	}
	h.codes = &registry.Collection[registry.Codes]{Kind: registry.KindCodes, Store: store, Authz: h.decider, Now: h.clock.Now, Check: registry.CheckCodes}
	h.connectors = &registry.Collection[registry.Connector]{
		Kind: registry.KindConnector, Store: store, Authz: h.decider, Now: h.clock.Now, Check: registry.CheckConnector, Sealer: secrets{h.ring},
	}
	h.hours = &registry.Collection[registry.Hours]{Kind: registry.KindHours, Store: store, Authz: h.decider, Now: h.clock.Now, Check: registry.CheckHours}
	h.functions = &registry.Collection[registry.Function]{Kind: registry.KindFunction, Store: store, Authz: h.decider, Now: h.clock.Now, Check: registry.CheckFunction}
	h.library = &library.Service{
		Store: sqlstore.As[library.Tx](h.db), Authz: h.decider, Formats: Formats(), Now: h.clock.Now, Log: h.log,
		Targets: targets{queues: h.queues, conns: h.connectors, hours: h.hours, funcs: h.functions, as: service("flow-runner")},
	}
	h.contacts = contact.NewService(sqlstore.As[contact.Tx](h.db), h.ring, h.decider)
	return nil
}

// Formats are the flow formats that this build reads.
func Formats() flow.Registry {
	return flow.Registry{webex.Importer{}, webex.V2Importer{}, connect.Importer{}, connect.LegacyImporter{}, yaml.Importer{}}
}

// Exporters are the flow formats that this build writes.
func Exporters() flow.Exporters {
	return flow.Exporters{webex.Exporter{}, webex.V2Exporter{}, connect.Exporter{}, yaml.Exporter{}}
}

// maxBulk bounds a part of a bulk load or read, in bytes, and maxBulkTime how long it takes; what flows are given is far less, see
// maxAnswer and maxWait.
const (
	maxBulk     = 110 << 20
	maxBulkTime = 5 * time.Minute
)

// buildVoice makes the telephone, routing and what conducts calls.
func (h *Hub) buildVoice(ctx context.Context) error {
	observe := httpx.Metrics(h.metrics)
	if h.tracing.On() {
		observe = tracedRequests(h.tracing.Tracer(scope), observe)
	}
	var err error
	transport := func(allow ...string) (*httpx.Client, error) {
		return httpx.New(httpx.Options{Observe: observe, Allow: allow, PerHost: 64, MaxTimeout: maxBulkTime, MaxRequestBytes: maxBulk, MaxResponseBytes: maxBulk})
	}
	if h.public, err = transport(); err != nil {
		return err
	}
	h.dips = newConnectors(h.connectors, h.decider, h.public, func(host string) (*httpx.Client, error) { return transport(host) }, h.log)
	h.dips.now = h.clock.Now
	if h.dips.stream, err = streamClient(); err != nil {
		return err
	}
	var advertise netip.Addr
	if h.cfg.Voice.Advertise != "" {
		if advertise, err = netip.ParseAddr(h.cfg.Voice.Advertise); err != nil {
			return errs.Wrap(errs.Invalid, err, "voice.advertise must be an IP address")
		}
	}
	h.phone, err = phone.New(phone.Config{
		Addr: h.cfg.SIP, WebRTCAddr: h.cfg.WebRTC, Advertise: advertise, MediaLow: h.cfg.Voice.MediaLow, MediaHigh: h.cfg.Voice.MediaHigh,
		UserAgent: "Tandem/" + h.version, MaxLegs: h.cfg.Voice.MaxCalls, Log: h.log,
	})
	if err != nil {
		return err
	}
	h.router = routing.NewRouter(Tenant, h.clock, sqlstore.As[routing.Tx](h.db), nil, h.log)
	h.outside = &outside{
		hours: h.hours, queues: h.queues, functions: h.functions, authz: h.decider, dips: asService{h.dips, service("crm-client")},
		commands: newCommands(h.cfg.Functions.Commands), as: service("flow-runner"),
	}
	alive, err := h.lastAlive(ctx)
	if err != nil {
		return err
	}
	trunk, err := trunkOf(h.cfg.Trunk)
	if err != nil {
		return err
	}
	h.customers = &customers{conns: h.dips, numbers: h.numbers}
	h.conductor = voice.New(voice.Deps{
		Trunk: trunk, Stations: stations{db: h.db, box: h.ring.Box(keyring.Identity), as: service("identity")},
		Tenant: Tenant, Node: h.cfg.Node, Clock: h.clock, Phone: h.phone, Contacts: h.contacts, Router: h.router,
		Flows: &flows{
			library: h.library, points: h.points, conns: h.connectors, numbers: h.numbers, crm: service("crm-client"),
		},
		Outside: h.outside, Prompts: h.newPrompts(), Dips: asService{h.dips, service("crm-client")}, Jobs: h.db.Jobs(), Numbers: h.numbers, Bus: h.bus, Principal: service("voice"),
		Customers: asFinder{h.customers, service("crm-client")}, LastAlive: alive, Log: h.log,
	})
	h.router.SetListener(h.conductor)
	return nil
}

// asService and asFinder let voice reach the CRM only through the CRM client's own principal.
type asService struct {
	voice.Dips
	as caller.Principal
}

// Do implements voice.Dips.
func (s asService) Do(ctx context.Context, tenant string, req flow.HTTP) (*flow.HTTPResult, error) {
	return s.Dips.Do(caller.As(ctx, s.as), tenant, req)
}

// Deliver implements voice.Dips.
func (s asService) Deliver(ctx context.Context, tenant string, req flow.HTTP, w voice.Write) (*flow.HTTPResult, job.Progress, error) {
	return s.Dips.Deliver(caller.As(ctx, s.as), tenant, req, w)
}

type asFinder struct {
	voice.Customers
	as caller.Principal
}

// Find implements voice.Customers.
func (f asFinder) Find(ctx context.Context, tenant, number string) contact.Customer {
	return f.Customers.Find(caller.As(ctx, f.as), tenant, number)
}

// buildJobs makes the runner and what commits wake.
func (h *Hub) buildJobs(ctx context.Context) error {
	key, err := h.ring.Key(caller.With(ctx, service("job-runner")), Tenant, keyring.Job, "")
	if err != nil {
		return err
	}
	h.db.SetCipher(jobCipher{h.ring, key})
	h.runner = job.NewRunner(h.db.Jobs(), h.clock, map[string]job.Handler{
		voice.KindWriteBack: h.conductor.WriteBack,
	}, job.Options{Node: h.cfg.Node, Log: h.log})
	h.db.OnCommit(func(c sqlstore.Changes) {
		if c.Events {
			h.bus.Publish(context.Background(), bus.Signal{Topic: "events"})
		}
		if c.Jobs {
			h.runner.Wake()
		}
		if c.Audit {
			h.sealer.Wake()
		}
	})
	return nil
}

func (h *Hub) buildAPI() {
	h.api = httpapi.New(httpapi.Deps{
		Tenant: Tenant, Identity: h.identity, Authz: h.decider, Contacts: h.contacts, Conductor: h.conductor, Router: h.router,
		Library: h.library, Exporters: Exporters(), Queues: h.queues, EntryPoints: h.points, Connectors: h.connectors, Codes: h.codes, TestConn: h.testConnector,
		Hours: h.hours, Functions: h.functions, Runner: functionRunner{h.outside},
		ConnStatus: h.connectorStatus, AuthorizeConn: h.authorizeConnector,
		Jobs: h.db.Jobs(), Events: h.db.Events(), Audit: audit.NewService(sqlstore.As[audit.Tx](h.db), h.decider, h.sealer.Origin(), h.verifier), Answers: &answers{db: h.db, ring: h.ring, clock: h.clock, as: service("api")},
		Bus: h.bus, Clock: h.clock, Advance: h.advance,
		System: h.system, Self: service("api"), Desk: service("desk"), Numbers: h.numbers, Log: h.log,
	})
}

func (h *Hub) testConnector(ctx context.Context, tenant, id string) (httpapi.ConnectorTest, error) {
	if err := h.decider.Check(ctx, "setup:TestConnector", h.connectors.ARN(tenant, id)); err != nil {
		return httpapi.ConnectorTest{}, err
	}
	res, err := h.dips.Test(caller.As(ctx, service("crm-client")), tenant, id)
	return httpapi.ConnectorTest{OK: res.OK, Message: res.Message, DurationMS: res.Took.Milliseconds(), Detail: detailText(res.Detail)}, err
}

func (h *Hub) advance(d time.Duration) error {
	if h.cfg.Clock != "controllable" {
		return errs.New(errs.Conflict, "the clock is the machine's; start the hub with --clock controllable to move it")
	}
	h.clock.Advance(d)
	return nil
}

func (h *Hub) system(ctx context.Context) httpapi.System {
	return httpapi.System{
		Version: h.version, StartedAt: h.started, Now: h.clock.Now(), ClockOffsetSeconds: int64(h.clock.Offset().Seconds()),
		ClockControllable: h.cfg.Clock == "controllable", Draining: h.draining.Load(), Engine: string(h.db.Engine()),
		Listeners: h.listeners.addresses(), Speech: httpapi.Speech{Engine: h.speechName, Available: h.engine != nil}, Counts: h.counts(ctx),
	}
}

func (h *Hub) counts(ctx context.Context) map[string]int64 {
	c, err := h.db.Counts(ctx, Tenant)
	if err != nil {
		h.log.WarnContext(ctx, "counting", slog.Any("error", err))
	}
	return map[string]int64{"contacts": c.Contacts, "events": c.Events, "jobsWaiting": c.JobsWaiting, "callsNow": int64(h.conductor.Count())}
}

// speechCache is where the compiled synthesizer lies.
func (h *Hub) speechCache() string { return filepath.Join(h.cfg.Data, "cache", "speech") }

// server returns an HTTP server with the limits every listener has. Streams lift the write deadline for themselves.
func server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 60 * time.Second, WriteTimeout: 60 * time.Second, IdleTimeout: 120 * time.Second,
		MaxHeaderBytes: 64 << 10,
	}
}

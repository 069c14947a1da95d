package voice_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/bus/inproc"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/clock"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/yaml"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/routing"
	"github.com/tandemcc/tandem/internal/sqlstore"
	"github.com/tandemcc/tandem/internal/voice"
)

const (
	tenant = "000000000001"
	agent  = "agent-1"
	queue  = "queue-1"
	number = "+14155550142"
)

// rig is a conductor with a real store, router and keyring, and a telephone network made of fakes: the test says what the far ends
// do, and looks at the record.
type rig struct {
	*voice.Conductor
	t       *testing.T
	phone   *fakePhone
	router  *routing.Router
	clock   *clock.Clock
	service *contact.Service
	deps    voice.Deps
	states  routing.Store
}

type anyone struct{}

// Check implements authz.Decider.
func (anyone) Check(context.Context, string, string, ...authz.Attr) error { return nil }

// newRig starts a conductor that answers every call with a flow written as YAML.
func newRig(t *testing.T, source string) *rig {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "voice.db"), sqlstore.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // the test is over
	root, err := keyring.OpenRoot(filepath.Join(t.TempDir(), "root.key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	principal := caller.NewService(tenant, "voice")
	ctx := caller.With(t.Context(), principal)
	ring, err := keyring.New(keyring.Config{Store: sqlstore.As[keyring.Tx](db), Root: root, Authz: anyone{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ring.Start(ctx), ring.EnsureTenant(ctx, tenant)); err != nil {
		t.Fatal(err)
	}
	clk := clock.New()
	log := slog.New(slog.DiscardHandler)
	r := &rig{t: t, phone: newFakePhone(), clock: clk, service: contact.NewService(sqlstore.As[contact.Tx](db), ring, anyone{})}
	r.router = routing.NewRouter(tenant, clk, sqlstore.As[routing.Tx](db), nil, log)
	r.deps = voice.Deps{
		Tenant: tenant, Node: "node-1", Clock: clk, Phone: r.phone, Contacts: r.service, Router: r.router, Flows: oneFlow{compile(t, source)},
		Prompts: noPrompts{}, Dips: noDips{}, Jobs: db.Jobs(), Customers: nobodyKnown{}, Numbers: asIs{}, Bus: inproc.New(), Principal: principal, Log: log,
		Trunk: voice.Trunk{Address: "trunk.test:5060", From: "+18005550199", User: "hub", Password: "pw", Allow: regexp.MustCompile(`^\+?[0-9]{2,20}$`), MaxCalls: 2},
	}
	r.states = sqlstore.As[routing.Tx](db)
	r.start(ctx)
	t.Cleanup(func() { _ = r.router.Stop(ctx) }) // it cannot fail
	return r
}

func (r *rig) start(ctx context.Context) {
	r.t.Helper()
	r.Conductor = voice.New(r.deps)
	r.router.SetListener(r.Conductor)
	if err := r.router.Start(ctx); err != nil {
		r.t.Fatal(err)
	}
	r.router.With(func(e *routing.Engine, now time.Time) []routing.Action {
		acts := e.SetQueue(routing.Queue{ID: queue, Name: "Support", Ring: 20 * time.Second, AgentIDs: []string{agent}, Record: true}, now)
		acts = append(acts, e.SetAgent(agent, "Ada", routing.Presence{State: routing.Idle}, now)...)
		return append(acts, e.SetReachable(agent, true, now)...)
	})
	if err := r.Start(ctx); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		for _, l := range r.phone.all() {
			l.end(voice.EndRemote, 0)
		}
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := r.Stop(stop); err != nil {
			for _, v := range r.Views() {
				r.t.Errorf("a call does not end: %s %s %+v", v.Contact.ID, v.Contact.State, v.Contact.Timeline)
			}
			r.t.Errorf("stopping: %v", err)
		}
	})
}

func compile(t *testing.T, source string) *flow.Program {
	t.Helper()
	f, _, err := yaml.Importer{}.Import([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	p, err := flow.Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// call lets a caller call and returns their leg and the contact.
func (r *rig) call() (*fakeLeg, string) {
	r.t.Helper()
	leg := newLeg(voice.LegInfo{ID: "in", Inbound: true, From: number, To: "1000"})
	r.phone.handler(leg)
	for _, v := range r.Views() {
		if v.Contact.ANI == number && v.Contact.Callback == nil {
			return leg, v.Contact.ID
		}
	}
	r.t.Fatal("the call is not there")
	return nil, ""
}

// until waits for something that other goroutines do.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			for _, v := range r.Views() {
				r.t.Logf("%s %s at %s: %+v", v.Contact.ID, v.Contact.State, v.Node, v.Contact.Timeline)
			}
			r.t.Fatalf("never: %s", what)
		}
	}
}

// is waits until a contact is in a state.
func (r *rig) is(id string, s contact.State) {
	r.t.Helper()
	r.until("the contact is "+string(s), func() bool {
		v, ok := r.View(id)
		return ok && v.Contact.State == s
	})
}

// record waits until a contact is closed and returns its record.
func (r *rig) record(id string) *contact.Contact {
	r.t.Helper()
	var c *contact.Contact
	r.until("the contact is closed", func() bool {
		var err error
		c, err = r.service.Get(caller.With(r.t.Context(), r.deps.Principal), tenant, id)
		if err != nil && !errs.Is(err, errs.NotFound) { // not stored yet
			r.t.Fatal(err)
		}
		return err == nil && c.State == contact.Ended
	})
	return c
}

// at waits until a contact's flow has come to a node.
func (r *rig) at(id, node string) {
	r.t.Helper()
	r.until("the flow is at "+node, func() bool {
		v, ok := r.View(id)
		return ok && v.Node == node
	})
}

// available makes the agent take calls.
func (r *rig) available() {
	r.t.Helper()
	if err := r.router.Try(func(e *routing.Engine, now time.Time) ([]routing.Action, error) {
		return e.Choose(agent, routing.Presence{State: routing.Available}, now)
	}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) agentState() (s routing.AgentState) {
	r.router.With(func(e *routing.Engine, _ time.Time) []routing.Action {
		a, _ := e.Agent(agent)
		s = a.State
		return nil
	})
	return s
}

// dialled waits for the n-th call that the conductor makes.
func (r *rig) dialled(n int) *fakeLeg {
	r.t.Helper()
	r.until("a call goes out", func() bool { return len(r.phone.all()) >= n })
	return r.phone.all()[n-1]
}

func had(c *contact.Contact, typ string) (text string) {
	for _, m := range c.Timeline {
		if m.Type == typ {
			text += m.Text + ";"
		}
	}
	return text
}

type oneFlow struct{ p *flow.Program }

// Entry implements voice.Flows.
func (f oneFlow) Entry(context.Context, string, string) (voice.Entry, error) {
	return voice.Entry{ID: "entry", Name: "Line", FlowID: "flow", FlowName: "Flow", FlowVersion: 1, Program: f.p}, nil
}

// Program implements voice.Flows.
func (f oneFlow) Program(context.Context, string, string, int, map[string]int) (*flow.Program, error) {
	return f.p, nil
}

// Find implements voice.Flows.
func (oneFlow) Find(context.Context, string, flow.Destination, map[string]int) (voice.Entry, error) {
	return voice.Entry{}, errs.New(errs.NotFound, "no other flow")
}

type noPrompts struct{}

// Clip implements voice.Prompts.
func (noPrompts) Clip(context.Context, string, []flow.Prompt) ([]byte, error) {
	return nil, nil
}

// Music implements voice.Prompts.
func (noPrompts) Music(context.Context, string, string) ([]byte, error) {
	return make([]byte, 8000), nil
}

type noDips struct{}

// Do implements voice.Dips.
func (noDips) Do(context.Context, string, flow.HTTP) (*flow.HTTPResult, error) {
	return nil, errs.New(errs.Unavailable, "no CRM")
}

// Deliver implements voice.Dips.
func (noDips) Deliver(context.Context, string, flow.HTTP, voice.Write) (*flow.HTTPResult, job.Progress, error) {
	return nil, job.Progress{}, errs.New(errs.Unavailable, "no CRM")
}

// RecordKey implements voice.Dips.
func (noDips) RecordKey(flow.HTTP) string { return "" }

type nobodyKnown struct{}

// Find implements voice.Customers.
func (nobodyKnown) Find(context.Context, string, string) contact.Customer {
	return contact.Customer{Status: "none"}
}

type asIs struct{}

// E164 implements voice.Numbers.
func (asIs) E164(n string) string { return n }

// fakePhone keeps the calls that go out and the bridges.
type fakePhone struct {
	handler func(voice.Leg)
	station fakeStation

	mu      sync.Mutex // guards all below
	legs    []*fakeLeg
	dials   []voice.DialRequest
	bridges map[voice.Media]voice.Media
	refuse  error
}

func newFakePhone() *fakePhone {
	return &fakePhone{station: fakeStation{media: newMedia()}, bridges: map[voice.Media]voice.Media{}}
}

func (p *fakePhone) all() []*fakeLeg {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*fakeLeg(nil), p.legs...)
}

func (p *fakePhone) dial(n int) voice.DialRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dials[n-1]
}

// bridged reports whether two ends are connected.
func (p *fakePhone) bridged(a, b voice.Media) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bridges[a] == b && p.bridges[b] == a
}

// SetHandler implements voice.Phone.
func (p *fakePhone) SetHandler(h func(voice.Leg)) { p.handler = h }

// Dial implements voice.Phone.
func (p *fakePhone) Dial(_ context.Context, d voice.DialRequest) (voice.Leg, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse != nil {
		return nil, p.refuse
	}
	l := newLeg(voice.LegInfo{ID: "out", To: d.URI})
	p.legs, p.dials = append(p.legs, l), append(p.dials, d)
	return l, nil
}

// Bridge implements voice.Phone.
func (p *fakePhone) Bridge(a, b voice.Media) (func(), error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bridges[a], p.bridges[b] = b, a
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.bridges, a)
		delete(p.bridges, b)
	}, nil
}

// Station implements voice.Phone.
func (p *fakePhone) Station(string) (voice.Station, error) { return &p.station, nil }

// SetDraining implements voice.Phone.
func (*fakePhone) SetDraining(bool) {}

// Stats implements voice.Phone.
func (*fakePhone) Stats() voice.PhoneStats { return voice.PhoneStats{} }

type fakeStation struct{ media *fakeMedia }

// AgentID implements voice.Station.
func (*fakeStation) AgentID() string { return agent }

// Offer implements voice.Station.
func (*fakeStation) Offer(context.Context, string) (string, error) { return "", nil }

// OnState implements voice.Station.
func (*fakeStation) OnState(func(voice.StationState)) {}

// State implements voice.Station.
func (*fakeStation) State() voice.StationState { return voice.StationConnected }

// Media implements voice.Station.
func (s *fakeStation) Media() voice.Media { return s.media }

// Close implements voice.Station.
func (*fakeStation) Close() error { return nil }

// fakeLeg is a call whose far end the test plays.
type fakeLeg struct {
	info   voice.LegInfo
	media  *fakeMedia
	events chan voice.LegEvent

	mu    sync.Mutex // guards ended
	ended bool
}

func newLeg(info voice.LegInfo) *fakeLeg {
	info.RemoteAddr = netip.MustParseAddrPort("192.0.2.1:5060")
	return &fakeLeg{info: info, media: newMedia(), events: make(chan voice.LegEvent, 64)}
}

func (l *fakeLeg) emit(ev voice.LegEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.events <- ev
	}
}

func (l *fakeLeg) rings() { l.emit(voice.LegEvent{Type: voice.LegRinging}) }

func (l *fakeLeg) answers() { l.emit(voice.LegEvent{Type: voice.LegAnswered}) }

func (l *fakeLeg) presses(keys string) {
	for _, k := range keys {
		l.emit(voice.LegEvent{Type: voice.LegDigit, Digit: voice.Digit{Key: k}})
	}
}

// end ends the leg, once.
func (l *fakeLeg) end(why voice.LegEnd, code int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.ended = true
		l.events <- voice.LegEvent{Type: voice.LegEnded, End: why, Code: code}
		close(l.events)
	}
}

func (l *fakeLeg) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// Info implements voice.Leg.
func (l *fakeLeg) Info() voice.LegInfo { return l.info }

// Ring implements voice.Leg.
func (*fakeLeg) Ring() error { return nil }

// Answer implements voice.Leg.
func (l *fakeLeg) Answer(context.Context) error { l.answers(); return nil }

// Reject implements voice.Leg.
func (l *fakeLeg) Reject(code int, _ string) error { l.end(voice.EndRejected, code); return nil }

// Hangup implements voice.Leg.
func (l *fakeLeg) Hangup(string) { l.end(voice.EndLocal, 0) }

// Events implements voice.Leg.
func (l *fakeLeg) Events() <-chan voice.LegEvent { return l.events }

// Media implements voice.Leg.
func (l *fakeLeg) Media() voice.Media { return l.media }

// fakeMedia keeps what is done to it. A clip that plays ends only by Stop or the next one.
type fakeMedia struct {
	mu     sync.Mutex // guards all below
	clip   []byte
	done   func(bool)
	digits string
	tap    func(voice.Direction, []byte)
}

func newMedia() *fakeMedia { return &fakeMedia{} }

func (m *fakeMedia) replace(clip []byte, done func(bool)) {
	m.mu.Lock()
	old := m.done
	m.clip, m.done = clip, done
	m.mu.Unlock()
	if old != nil {
		go old(false)
	}
}

func (m *fakeMedia) plays() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clip != nil
}

func (m *fakeMedia) sent() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.digits
}

// hear gives a packet to whoever taps.
func (m *fakeMedia) hear(dir voice.Direction, ulaw []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tap != nil {
		m.tap(dir, ulaw)
	}
	return m.tap != nil
}

// Play implements voice.Media.
func (m *fakeMedia) Play(clip []byte, _ bool, done func(bool)) { m.replace(clip, done) }

// Stop implements voice.Media.
func (m *fakeMedia) Stop() { m.replace(nil, nil) }

// SendDigits implements voice.Media.
func (m *fakeMedia) SendDigits(keys string) error {
	if strings.Trim(keys, "0123456789*#ABCD") != "" {
		return errs.New(errs.Invalid, "unknown keys")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.digits += keys
	return nil
}

// SetMuted implements voice.Media.
func (*fakeMedia) SetMuted(bool) {}

// OnDigit implements voice.Media.
func (*fakeMedia) OnDigit(func(voice.Digit)) {}

// Tap implements voice.Media.
func (m *fakeMedia) Tap(fn func(voice.Direction, []byte)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tap = fn
}

// Stats implements voice.Media.
func (*fakeMedia) Stats() voice.MediaStats { return voice.MediaStats{Received: 1} }

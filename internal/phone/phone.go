// Package phone connects calls with the telephone network and with browsers: SIP over UDP (RFC 3261) on the sipgo
// transaction layer, RTP of its own, WebRTC on pion. It implements the interfaces of package voice.
//
// Limits: UDP only; G.711 µ-law only; no registration, no authentication of callers (put it behind a session border
// controller or a trunk with a fixed address), no SRTP on the SIP side, no video, no transcoding.
package phone

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"golang.org/x/time/rate"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/voice"
)

// Config sets up a phone. The zero value of each field but Addr is usable.
type Config struct {
	Addr         string        // SIP listener, "127.0.0.1:5060"; port 0: the kernel chooses
	Advertise    netip.Addr    // address written into SIP and SDP; zero: the one bound, or this machine's first
	MediaLow     int           // RTP ports from here …
	MediaHigh    int           // … to here, inclusive; both 0: the kernel chooses
	WebRTCAddr   string        // the one UDP port for all browsers, "127.0.0.1:8189"; empty: no stations
	UserAgent    string        // empty: "Tandem"
	MaxLegs      int           // dialogs at a time; beyond, 503. 0: 2000
	MaxSetupRate float64       // new inbound calls a second; beyond, 503. 0: unlimited
	RingLimit    time.Duration // for an inbound call nobody decides on. 0: 3 min
	MediaTimeout time.Duration // without RTP, until LegMediaTimeout. 0: 30 s; negative: never
	Probe        time.Duration // without RTP, until the far end is asked whether the call still stands. 0: 1 min; negative: never
	T1           time.Duration // round-trip estimate of RFC 3261, base of our own retransmissions. 0: 500 ms
	Clocks       int           // media clock goroutines; 0: one per processor
	Log          *slog.Logger  // nil: none
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.RingLimit, 3*time.Minute)
	def(&c.MediaTimeout, 30*time.Second)
	def(&c.Probe, time.Minute)
	def(&c.T1, 500*time.Millisecond)
	c.MediaTimeout = max(c.MediaTimeout, 0)
	if c.UserAgent == "" {
		c.UserAgent = "Tandem"
	}
	if c.MaxLegs == 0 {
		c.MaxLegs = 2000
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Phone is a SIP user agent with media. It implements voice.Phone and lifecycle.Part.
type Phone struct {
	cfg     Config
	handler func(voice.Leg)
	limiter *rate.Limiter

	conn   *net.UDPConn
	local  netip.AddrPort // as advertised
	laddr  sip.Addr       // as bound, the key of our socket in the library
	ua     *sipgo.UserAgent
	server *sipgo.Server
	client *sipgo.Client
	clock  *media.Clock
	ports  *media.Ports
	webrtc *stations

	draining atomic.Bool
	stopping chan struct{}
	cut      chan struct{}  // closed when Stop waits for nothing any more
	wg       sync.WaitGroup // every goroutine but the library's
	counters counters
	maxPeers int

	mu      sync.Mutex // guards all below
	legs    map[dialogKey]*leg
	invites map[dialogKey]*leg // inbound, by the caller's tag: to recognise merged requests
	bridges map[*media.Port]*bridge
	empty   chan struct{} // closed when stopping and no leg is left
	isCut   bool
}

type counters struct {
	inbound, outbound, answered, overloaded, drained, malformed, noAck, datagrams atomic.Uint64
}

// dialogKey identifies a dialog by its Call-ID and one tag that was chosen at random.
type dialogKey struct{ callID, tag string }

var _ voice.Phone = (*Phone)(nil)

// New checks the configuration; Start opens the sockets.
func New(cfg Config) (*Phone, error) {
	cfg = cfg.withDefaults()
	if _, err := netip.ParseAddrPort(cfg.Addr); err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "SIP address %q is wrong: write IP:port", cfg.Addr)
	}
	p := &Phone{
		cfg: cfg, stopping: make(chan struct{}), cut: make(chan struct{}), empty: make(chan struct{}),
		legs: map[dialogKey]*leg{}, invites: map[dialogKey]*leg{}, bridges: map[*media.Port]*bridge{},
		limiter: rate.NewLimiter(rate.Inf, 0), maxPeers: maxPeers,
	}
	if cfg.MaxSetupRate > 0 {
		p.limiter = rate.NewLimiter(rate.Limit(cfg.MaxSetupRate), max(1, int(cfg.MaxSetupRate/2)))
	}
	return p, nil
}

// SetHandler implements voice.Phone.
func (p *Phone) SetHandler(handler func(voice.Leg)) { p.handler = handler }

// Addr returns where the SIP listener can be reached, after Start.
func (p *Phone) Addr() netip.AddrPort { return p.local }

// SetDraining implements voice.Phone.
func (p *Phone) SetDraining(draining bool) { p.draining.Store(draining) }

// Stop refuses new calls, lets those in progress end until ctx does, hangs up the rest and closes the sockets.
func (p *Phone) Stop(ctx context.Context) error {
	p.draining.Store(true)
	p.mu.Lock()
	close(p.stopping)
	p.signalEmpty()
	p.mu.Unlock()
	select {
	case <-p.empty:
	case <-ctx.Done():
		p.hangupAll() //nolint:contextcheck // ctx has ended
	}
	if p.webrtc != nil {
		p.webrtc.close()
	}
	p.mu.Lock()
	p.isCut = true
	close(p.cut)
	p.mu.Unlock()
	p.ua.TransactionLayer().Close()
	err := p.conn.Close()
	p.wg.Wait()
	_ = p.ua.Close() // the pool of closed sockets
	p.clock.Close()
	return errs.Wrap(errs.Internal, err, "closing the SIP socket")
}

// byeTime is how long Stop waits for the answers to its last BYEs.
const byeTime = 2 * time.Second

func (p *Phone) hangupAll() {
	p.mu.Lock()
	legs := make([]*leg, 0, len(p.legs))
	for _, l := range p.legs {
		legs = append(legs, l)
	}
	p.mu.Unlock()
	for _, l := range legs {
		l.hangup(voice.EndShutdown, "shutting down")
	}
	timer := time.NewTimer(byeTime)
	defer timer.Stop()
	select {
	case <-p.empty:
	case <-timer.C:
		for _, l := range legs {
			l.end(voice.EndShutdown, 0, "shutting down")
			p.forget(l)
		}
	}
}

// signalEmpty is called with the lock held.
func (p *Phone) signalEmpty() {
	select {
	case <-p.stopping:
	default:
		return
	}
	if len(p.legs) > 0 {
		return
	}
	select {
	case <-p.empty:
	default:
		close(p.empty)
	}
}

// remember enters a leg into the tables; it fails when the limit is reached.
func (p *Phone) remember(l *leg) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.stopping:
		return errs.New(errs.Unavailable, "the phone is shutting down")
	default:
	}
	if len(p.legs) >= p.cfg.MaxLegs {
		return errs.New(errs.Exhausted, "all %d lines are in use", p.cfg.MaxLegs)
	}
	p.legs[l.key()] = l
	if l.info.Inbound {
		p.invites[dialogKey{l.info.CallID, l.remoteTag}] = l
	}
	return nil
}

func (p *Phone) forget(l *leg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.legs, l.key())
	if l.info.Inbound {
		delete(p.invites, dialogKey{l.info.CallID, l.remoteTag})
	}
	p.signalEmpty()
}

// find returns the dialog a request or response belongs to; tag is ours.
func (p *Phone) find(callID, tag string) *leg {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.legs[dialogKey{callID, tag}]
}

// goTracked runs f on a goroutine that Stop waits for. Once Stop waits, nothing new is begun: the library may still
// deliver what it had read.
func (p *Phone) goTracked(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.isCut {
		p.wg.Go(f)
	}
}

// Stats implements voice.Phone.
func (p *Phone) Stats() voice.PhoneStats {
	c := &p.counters
	s := voice.PhoneStats{
		Inbound: c.inbound.Load(), Outbound: c.outbound.Load(), Answered: c.answered.Load(),
		Overloaded: c.overloaded.Load(), Drained: c.drained.Load(), Malformed: c.malformed.Load(),
		NoAck: c.noAck.Load(), Datagrams: c.datagrams.Load(),
	}
	p.mu.Lock()
	s.Legs, s.Bridges = len(p.legs), len(p.bridges)/2
	p.mu.Unlock()
	if p.webrtc != nil {
		s.Stations = p.webrtc.count()
	}
	return s
}

package media

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

const (
	maxDatagram = 2048
	// relatchAfter is how long the known source must be silent before another one may take its place.
	relatchAfter = time.Second
	// maxReadErrors in a row end a socket: ICMP errors come singly, a broken socket fails for ever.
	maxReadErrors = 100
)

// Ports hands out local UDP ports for RTP: from a range (even numbers, RFC 3550 §11), or by the kernel. It is safe for
// concurrent use.
type Ports struct {
	ip     netip.Addr
	lo, hi int

	mu   sync.Mutex // guards next
	next int
}

// NewPorts binds to ip, with ports from lo to hi inclusive; 0, 0 lets the kernel choose.
func NewPorts(ip netip.Addr, lo, hi int) (*Ports, error) {
	if lo == 0 && hi == 0 {
		return &Ports{ip: ip}, nil
	}
	if lo < 1 || hi > 65535 || hi < lo+1 {
		return nil, errs.New(errs.Invalid, "media port range %d-%d is wrong: use two numbers from 1 to 65535, the second larger", lo, hi)
	}
	lo += lo & 1
	return &Ports{ip: ip, lo: lo, hi: hi, next: lo}, nil
}

// Listen binds one port. It fails with code exhausted if none is free.
func (p *Ports) Listen() (*net.UDPConn, error) {
	if p.lo == 0 {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.ip, 0)))
		return conn, errs.Wrap(errs.Exhausted, err, "no UDP port for audio")
	}
	for range (p.hi-p.lo)/2 + 1 {
		port := p.take()
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.ip, uint16(port)))) //nolint:gosec // checked by NewPorts
		if err == nil {
			return conn, nil
		}
	}
	return nil, errs.New(errs.Exhausted, "all audio ports from %d to %d are in use: widen the range", p.lo, p.hi)
}

func (p *Ports) take() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	port := p.next
	if p.next += 2; p.next > p.hi {
		p.next = p.lo
	}
	return port
}

// Socket joins a port with a UDP address (symmetric RTP, RFC 4961): it sends to the address of the SDP until the first packet
// comes, then to where that came from. Only sources on an allowed host count, so that nobody else can take over a call's audio, and the
// address of the SDP goes before others.
type Socket struct {
	conn   *net.UDPConn
	port   *Port
	remote atomic.Pointer[netip.AddrPort] // nil: nowhere to send to

	mu      sync.Mutex // guards all below
	stated  netip.AddrPort
	allowed [2]netip.Addr
	latched netip.AddrPort
	heard   time.Time

	done chan struct{}
}

// NewSocket takes over conn and starts reading. Close must be called.
func NewSocket(conn *net.UDPConn, port *Port) *Socket {
	s := &Socket{conn: conn, port: port, done: make(chan struct{})}
	port.SetSender(s)
	go s.read()
	return s
}

// LocalPort returns the UDP port that was bound.
func (s *Socket) LocalPort() int {
	if a, ok := s.conn.LocalAddr().(*net.UDPAddr); ok {
		return a.Port
	}
	return 0
}

// SetRemote sets the address the SDP names, and a second host packets may come from (that of the signalling). An address or
// host that stays the same keeps the source learnt so far.
func (s *Socket) SetRemote(media netip.AddrPort, signalling netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	allowed := [2]netip.Addr{media.Addr().Unmap(), signalling.Unmap()}
	if s.latched.IsValid() && s.allowed == allowed && s.stated == media {
		return
	}
	s.stated, s.allowed = media, allowed
	s.latched = netip.AddrPort{}
	s.remote.Store(nil)
	if media.IsValid() && !media.Addr().IsUnspecified() && media.Port() != 0 {
		addr := netip.AddrPortFrom(media.Addr().Unmap(), media.Port())
		s.remote.Store(&addr)
	}
}

// Send implements Sender.
func (s *Socket) Send(packet []byte) error {
	remote := s.remote.Load()
	if remote == nil {
		return errs.New(errs.Conflict, "the far end has given no audio address")
	}
	_, err := s.conn.WriteToUDPAddrPort(packet, *remote)
	return err //nolint:wrapcheck // counted, never shown; wrapping would allocate 50 times a second
}

// Close ends the socket and waits for its reader.
func (s *Socket) Close() error {
	err := s.conn.Close()
	<-s.done
	return err //nolint:wrapcheck // the caller knows which socket
}

func (s *Socket) read() {
	defer close(s.done)
	buf := make([]byte, maxDatagram)
	failures := 0
	for failures < maxReadErrors {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			failures++
			continue
		}
		failures = 0
		s.take(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), time.Now())
	}
}

// take hands a packet of the far end on. A source that is not known yet is learnt from audio alone: whatever else comes to a port must not
// draw the call's audio to itself.
func (s *Socket) take(raw []byte, from netip.AddrPort, now time.Time) {
	ok, known := s.accept(from, now)
	switch {
	case !ok:
		s.port.Discard()
	case s.port.Receive(raw, now) && !known:
		s.learn(from, now)
	}
}

// accept decides whether a packet may come from the far end: from where it was heard last, from where it said it would send, or, while it
// has been silent, from another port of its host.
func (s *Socket) accept(from netip.AddrPort, now time.Time) (ok, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if from == s.latched {
		s.heard = now
		return true, true
	}
	if from.Addr() != s.allowed[0] && from.Addr() != s.allowed[1] {
		return false, false
	}
	stated := from.Port() == s.stated.Port() && from.Addr() == s.allowed[0]
	return stated || !s.latched.IsValid() || now.Sub(s.heard) >= relatchAfter, false
}

func (s *Socket) learn(from netip.AddrPort, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latched, s.heard = from, now
	s.remote.Store(&from)
}

package phone

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxMessage bounds one SIP datagram. Calls need 1 to 3 kB.
	maxMessage = 16 << 10
	// maxPeers is how many different source addresses the library may remember; it forgets none by itself.
	maxPeers = 1 << 16
	// maxReadErrors in a row end the listener.
	maxReadErrors = 100
)

// guardedConn stands between the socket and the library: it counts, drops what is too long, outlives passing read errors, and ends
// after maxPeers sources, upon which the library frees what it holds for them and a successor takes over the same socket.
type guardedConn struct {
	*net.UDPConn
	phone   *Phone
	limit   int
	peers   map[netip.AddrPort]struct{}
	reading sync.Once
	ready   chan struct{} // closed when the library first reads
}

// serve runs the library's read loop until the socket is closed.
func (p *Phone) serve() <-chan struct{} {
	c := &guardedConn{
		UDPConn: p.conn, phone: p, limit: p.maxPeers,
		peers: map[netip.AddrPort]struct{}{}, ready: make(chan struct{}),
	}
	p.goTracked(func() {
		if err := p.server.ServeUDP(c); err != nil {
			p.cfg.Log.Error("SIP listener ended", slog.Any("error", err))
		}
	})
	return c.ready
}

// ReadFrom implements net.PacketConn.
func (c *guardedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.reading.Do(func() { close(c.ready) })
	if len(c.peers) >= c.limit {
		// The library must know the successor before it forgets this one, and must not forget peers whose requests it is just
		// answering, else it would open sockets of its own for them.
		<-c.phone.serve()
		timer := time.NewTimer(lingerRounds * c.phone.cfg.T1)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.phone.cut:
		}
		return 0, nil, net.ErrClosed
	}
	for failures := 0; ; {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			if failures++; errors.Is(err, net.ErrClosed) || failures > maxReadErrors {
				return 0, nil, err //nolint:wrapcheck // the library compares it
			}
			continue
		}
		c.phone.counters.datagrams.Add(1)
		if n > maxMessage {
			c.phone.counters.malformed.Add(1)
			continue
		}
		c.peers[from] = struct{}{}
		return n, net.UDPAddrFromAddrPort(from), nil
	}
}

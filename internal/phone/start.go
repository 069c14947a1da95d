package phone

import (
	"context"
	"log/slog"
	"net"
	"net/netip"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/phone/media"
)

// socketBuffer holds a burst of some thousand messages; the kernel's default of 208 kB holds some hundred. The kernel grants at
// most net.core.rmem_max.
const socketBuffer = 4 << 20

// Start opens the sockets and begins to take calls.
func (p *Phone) Start(ctx context.Context) error {
	addr := netip.MustParseAddrPort(p.cfg.Addr) // New has parsed it
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return errs.Wrap(errs.Unavailable, err, "binding SIP address %s", p.cfg.Addr)
	}
	_ = conn.SetReadBuffer(socketBuffer) // a smaller one works too
	_ = conn.SetWriteBuffer(socketBuffer)
	bound, _ := conn.LocalAddr().(*net.UDPAddr)
	p.conn, p.laddr = conn, sip.Addr{IP: bound.IP, Port: bound.Port}
	ip := advertised(p.cfg.Advertise, addr.Addr())
	p.local = netip.AddrPortFrom(ip, uint16(bound.Port)) //nolint:gosec // a port
	if err := p.build(addr.Addr()); err != nil {
		_ = conn.Close()
		return err
	}
	<-p.serve() // Dial needs the library to know the socket
	p.cfg.Log.InfoContext(ctx, "phone listens", slog.String("sip", p.local.String()))
	return nil
}

func (p *Phone) build(bound netip.Addr) error {
	var err error
	if p.ports, err = media.NewPorts(bound, p.cfg.MediaLow, p.cfg.MediaHigh); err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler) // the library logs whole messages, with callers' numbers, at level error
	p.ua, err = sipgo.NewUA(
		sipgo.WithUserAgent(p.cfg.UserAgent),
		sipgo.WithUserAgentHostname(hostOf(p.local.Addr())), // else From says "localhost"
		sipgo.WithUserAgentTransactionLayerOptions(
			sip.WithTransactionLayerLogger(quiet), sip.WithTransactionLayerUnhandledResponseHandler(p.onStrayResponse)),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(quiet)),
	)
	if err != nil {
		return errs.Wrap(errs.Internal, err, "starting SIP")
	}
	if p.server, err = sipgo.NewServer(p.ua, sipgo.WithServerLogger(quiet)); err != nil {
		return errs.Wrap(errs.Internal, err, "starting SIP")
	}
	p.client, err = sipgo.NewClient(p.ua, sipgo.WithClientLogger(quiet), sipgo.WithClientNAT(),
		sipgo.WithClientHostname(hostOf(p.local.Addr())), sipgo.WithClientPort(int(p.local.Port())))
	if err != nil {
		return errs.Wrap(errs.Internal, err, "starting SIP")
	}
	p.clock = media.NewClock(p.cfg.Clocks)
	if p.cfg.WebRTCAddr != "" {
		if p.webrtc, err = newStations(p); err != nil {
			p.clock.Close()
			return err
		}
	}
	p.server.OnInvite(p.onInvite)
	p.server.OnAck(p.onAck)
	p.server.OnBye(p.onBye)
	p.server.OnCancel(p.onStrayCancel)
	p.server.OnOptions(p.onOptions)
	p.server.OnInfo(p.onInfo)
	p.server.OnNoRoute(p.onOther)
	return nil
}

func advertised(configured, bound netip.Addr) netip.Addr {
	switch {
	case configured.IsValid():
		return configured
	case !bound.IsUnspecified():
		return bound.Unmap()
	}
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().Is4() && prefix.Addr().IsGlobalUnicast() {
			return prefix.Addr()
		}
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

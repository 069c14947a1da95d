package phone

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/voice"
)

const (
	maxOffer       = 64 << 10
	maxTrackErrors = 100
	eventMimeType  = "audio/telephone-event"
	mtu            = 1500
)

// stations holds the browser legs and what they share: one UDP port and one WebRTC setup.
type stations struct {
	phone *Phone
	conn  *net.UDPConn
	mux   ice.UDPMux
	api   *webrtc.API

	mu     sync.Mutex // guards all below
	byID   map[string]*station
	closed bool
}

func newStations(p *Phone) (*stations, error) {
	addr, err := netip.ParseAddrPort(p.cfg.WebRTCAddr)
	if err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "WebRTC address %q is wrong: write IP:port", p.cfg.WebRTCAddr)
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, errs.Wrap(errs.Unavailable, err, "binding WebRTC address %s", p.cfg.WebRTCAddr)
	}
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	s := &stations{phone: p, conn: conn, mux: webrtc.NewICEUDPMux(nil, conn), byID: map[string]*station{}}
	if s.api, err = newAPI(s.mux, addr.Addr(), p.cfg.Advertise); err != nil {
		_ = s.mux.Close()
		_ = conn.Close()
		return nil, errs.Wrap(errs.Internal, err, "starting WebRTC")
	}
	p.cfg.Log.Info("stations listen", slog.String("webrtc", conn.LocalAddr().String()))
	return s, nil
}

// newAPI sets WebRTC up: ICE-lite on one port, no mDNS, G.711 µ-law alone, so that audio is relayed as it is.
func newAPI(mux ice.UDPMux, bound, advertise netip.Addr) (*webrtc.API, error) {
	var se webrtc.SettingEngine
	se.SetLite(true)
	se.SetICEUDPMux(mux)
	se.SetIncludeLoopbackCandidate(bound.IsLoopback())
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	network := webrtc.NetworkTypeUDP4
	if bound.Is6() && !bound.Is4In6() {
		network = webrtc.NetworkTypeUDP6
	}
	se.SetNetworkTypes([]webrtc.NetworkType{network})
	if advertise.IsValid() && advertise != bound {
		rule := webrtc.ICEAddressRewriteRule{External: []string{advertise.String()}, AsCandidateType: webrtc.ICECandidateTypeHost}
		if err := se.SetICEAddressRewriteRules(rule); err != nil {
			return nil, err //nolint:wrapcheck // wrapped by the caller
		}
	}
	me := &webrtc.MediaEngine{}
	for pt, mime := range map[webrtc.PayloadType]string{media.PayloadPCMU: webrtc.MimeTypePCMU, offeredEvents: eventMimeType} {
		codec := webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mime, ClockRate: media.SampleRate}, PayloadType: pt,
		}
		if err := me.RegisterCodec(codec, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, err //nolint:wrapcheck // wrapped by the caller
		}
	}
	reports := &interceptor.Registry{} // RTCP reports, so that the browser can show the quality
	if err := webrtc.ConfigureRTCPReports(reports); err != nil {
		return nil, err //nolint:wrapcheck // wrapped by the caller
	}
	return webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(me), webrtc.WithInterceptorRegistry(reports)), nil
}

func (s *stations) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID)
}

func (s *stations) close() {
	s.mu.Lock()
	s.closed = true
	all := make([]*station, 0, len(s.byID))
	for _, st := range s.byID {
		all = append(all, st)
	}
	s.mu.Unlock()
	for _, st := range all {
		_ = st.Close() // it reports nothing
	}
	_ = s.mux.Close()
	_ = s.conn.Close()
}

// Station implements voice.Phone.
func (p *Phone) Station(agentID string) (voice.Station, error) {
	s := p.webrtc
	if s == nil {
		return nil, errs.New(errs.Unavailable, "browser phones are switched off: set the WebRTC address")
	}
	if agentID == "" {
		return nil, errs.New(errs.Invalid, "a station needs an agent")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errs.New(errs.Unavailable, "the phone is shutting down")
	}
	if st := s.byID[agentID]; st != nil {
		return st, nil
	}
	if len(s.byID) >= p.cfg.MaxLegs {
		return nil, errs.New(errs.Exhausted, "all %d stations are in use", p.cfg.MaxLegs)
	}
	st := &station{owner: s, agentID: agentID, state: voice.StationIdle}
	st.port = media.NewPort(p.clock, 0, media.Hooks{})
	s.byID[agentID] = st
	return st, nil
}

// station is one agent's browser. Its port stays while connections come and go.
type station struct {
	owner   *stations
	agentID string
	port    *media.Port

	offering sync.Mutex // one offer at a time
	receive  sync.Mutex // a new and an old connection may deliver at the same time

	notify sync.Mutex // held while a change is reported, so that reports keep their order; taken before mu

	mu      sync.Mutex // guards all below
	current *connection
	state   voice.StationState
	onState func(voice.StationState)
}

type connection struct {
	pc    *webrtc.PeerConnection
	track *Track
	wg    sync.WaitGroup
}

func (c *connection) close() {
	_ = c.pc.GracefulClose() // nothing can be done about an error
	c.wg.Wait()
}

// AgentID implements voice.Station.
func (s *station) AgentID() string { return s.agentID }

// Media implements voice.Station.
func (s *station) Media() voice.Media { return s.port }

// State implements voice.Station.
func (s *station) State() voice.StationState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// OnState implements voice.Station.
func (s *station) OnState(fn func(voice.StationState)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onState = fn
}

// setState reports a change of connection c, unless another one has replaced it.
func (s *station) setState(c *connection, state voice.StationState) {
	s.notify.Lock()
	defer s.notify.Unlock()
	s.mu.Lock()
	if s.current != c || s.state == state || s.state == voice.StationClosed {
		s.mu.Unlock()
		return
	}
	s.state = state
	fn := s.onState
	s.mu.Unlock()
	if fn != nil {
		fn(state)
	}
}

// Offer implements voice.Station.
func (s *station) Offer(ctx context.Context, offer string) (string, error) {
	s.offering.Lock()
	defer s.offering.Unlock()
	if s.State() == voice.StationClosed {
		return "", errs.New(errs.Conflict, "the station was closed")
	}
	desc := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}
	if err := checkOffer(&desc); err != nil {
		return "", err
	}
	c, err := s.connect()
	if err != nil {
		return "", err
	}
	answer, err := c.answer(ctx, desc)
	if err != nil {
		c.close()
		return "", err
	}
	s.adopt(c)
	return answer, nil
}

func checkOffer(desc *webrtc.SessionDescription) error {
	if len(desc.SDP) > maxOffer {
		return errs.New(errs.Invalid, "the offer has %d bytes, the limit is %d", len(desc.SDP), maxOffer)
	}
	parsed, err := desc.Unmarshal()
	if err != nil {
		return errs.Wrap(errs.Invalid, err, "the offer is no session description")
	}
	for _, m := range parsed.MediaDescriptions {
		if m.MediaName.Media != "audio" || m.MediaName.Port.Value == 0 {
			continue
		}
		if slices.Contains(m.MediaName.Formats, "0") {
			return nil
		}
	}
	return errs.New(errs.Invalid, "the offer has no PCMU audio: every browser can offer it")
}

func (s *station) connect() (*connection, error) {
	pc, err := s.owner.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, errs.Wrap(errs.Internal, err, "making a connection to a browser")
	}
	c := &connection{pc: pc, track: NewTrack("tandem")}
	sender, err := pc.AddTrack(c.track)
	if err != nil {
		c.close()
		return nil, errs.Wrap(errs.Internal, err, "adding an audio track")
	}
	c.wg.Go(func() { // RTCP must be read for the reports to work
		buf := make([]byte, mtu)
		for {
			if _, _, err := sender.Read(buf); err != nil {
				return
			}
		}
	})
	pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) { s.hear(c, t, r) })
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if known, ok := stationStates[state]; ok {
			s.setState(c, known)
		}
	})
	return c, nil
}

//nolint:gochecknoglobals // a constant table
var stationStates = map[webrtc.PeerConnectionState]voice.StationState{
	webrtc.PeerConnectionStateConnecting:   voice.StationConnecting,
	webrtc.PeerConnectionStateConnected:    voice.StationConnected,
	webrtc.PeerConnectionStateDisconnected: voice.StationDisconnected,
	webrtc.PeerConnectionStateFailed:       voice.StationFailed,
}

func (c *connection) answer(ctx context.Context, offer webrtc.SessionDescription) (string, error) {
	if err := c.pc.SetRemoteDescription(offer); err != nil {
		return "", errs.Wrap(errs.Invalid, err, "the offer cannot be used")
	}
	answer, err := c.pc.CreateAnswer(nil)
	if err != nil {
		return "", errs.Wrap(errs.Invalid, err, "the offer cannot be answered")
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(answer); err != nil {
		return "", errs.Wrap(errs.Internal, err, "answering a browser")
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return "", errs.Wrap(errs.Unavailable, ctx.Err(), "waiting for the own network addresses")
	}
	return c.pc.LocalDescription().SDP, nil
}

// adopt makes c the station's connection and ends the one before.
func (s *station) adopt(c *connection) {
	s.mu.Lock()
	old := s.current
	closed := s.state == voice.StationClosed
	if !closed {
		s.current = c
	}
	s.mu.Unlock()
	if closed {
		c.close()
		return
	}
	s.setState(c, voice.StationConnecting)
	s.port.SetSender(c.track)
	events := NegotiatedEvents(c.pc)
	s.port.SetFormat(media.Format{Send: true, Receive: true, EventIn: events, EventOut: events})
	// The state may have changed before this connection counted.
	if known, ok := stationStates[c.pc.ConnectionState()]; ok {
		s.setState(c, known)
	}
	if old != nil {
		old.close()
	}
}

// hear passes on what the browser sends, until the connection ends.
func (s *station) hear(c *connection, track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	if track.Kind() != webrtc.RTPCodecTypeAudio {
		return
	}
	c.wg.Go(func() {
		buf := make([]byte, mtu)
		for {
			if _, _, err := receiver.Read(buf); err != nil {
				return
			}
		}
	})
	buf := make([]byte, mtu)
	for failures := 0; failures < maxTrackErrors; {
		n, _, err := track.Read(buf)
		if err != nil {
			if c.pc.ConnectionState() == webrtc.PeerConnectionStateClosed {
				return
			}
			failures++ // an unknown payload type, or the end
			continue
		}
		failures = 0
		s.mu.Lock()
		current := s.current == c
		s.mu.Unlock()
		if current {
			s.receive.Lock()
			s.port.Receive(buf[:n], time.Now())
			s.receive.Unlock()
		}
	}
}

// Close implements voice.Station.
func (s *station) Close() error {
	s.offering.Lock() // an offer that is being answered would outlive the station
	defer s.offering.Unlock()
	s.mu.Lock()
	c, closed := s.current, s.state == voice.StationClosed
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.setState(c, voice.StationClosed)
	s.owner.mu.Lock()
	if s.owner.byID[s.agentID] == s {
		delete(s.owner.byID, s.agentID)
	}
	s.owner.mu.Unlock()
	s.owner.phone.unbridge(s.port)
	s.port.Close()
	if c != nil {
		c.close()
	}
	return nil
}

// WebRTCAddr returns where browsers send their audio, after Start; the zero value without stations.
func (p *Phone) WebRTCAddr() netip.AddrPort {
	if p.webrtc == nil {
		return netip.AddrPort{}
	}
	addr, ok := p.webrtc.conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return addr.AddrPort()
}

package softphone

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/tandemcc/tandem/internal/phone"
	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/voice"
)

const (
	mtu            = 1500
	maxTrackErrors = 100
	eventPayload   = 101
)

// Connect is a headless browser: it makes an SDP offer, hands it to exchange (an HTTP request, as a rule), and applies the answer that
// comes back. Answered is reported when the connection stands. Hangup must be called. It offers PCMU on any interface,
// loopback included.
func Connect(ctx context.Context, exchange func(ctx context.Context, offer string) (answer string, err error), o Options) (*Session, error) {
	b, err := newBrowser()
	if err != nil {
		return nil, fmt.Errorf("making a WebRTC connection: %w", err)
	}
	s := newSession(b.port, nil, o)
	s.stop = b.stop
	b.hooks(s)
	if err := b.offer(ctx, exchange); err != nil {
		b.stop()
		return nil, err
	}
	return s, nil
}

type browser struct {
	clock *media.Clock
	port  *media.Port
	pc    *webrtc.PeerConnection
	track *phone.Track
	once  sync.Once
}

func newBrowser() (*browser, error) {
	var se webrtc.SettingEngine
	se.SetIncludeLoopbackCandidate(true)
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	me := &webrtc.MediaEngine{}
	for pt, mime := range map[webrtc.PayloadType]string{media.PayloadPCMU: webrtc.MimeTypePCMU, eventPayload: "audio/telephone-event"} {
		codec := webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mime, ClockRate: media.SampleRate}, PayloadType: pt,
		}
		if err := me.RegisterCodec(codec, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, err //nolint:wrapcheck // wrapped by the caller
		}
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(me)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err //nolint:wrapcheck // wrapped by the caller
	}
	b := &browser{pc: pc, track: phone.NewTrack("softphone")}
	if _, err = pc.AddTrack(b.track); err != nil {
		_ = pc.Close()
		return nil, err //nolint:wrapcheck // wrapped by the caller
	}
	b.clock = media.NewClock(1)
	b.port = media.NewPort(b.clock, 0, media.Hooks{})
	return b, nil
}

func (b *browser) hooks(s *Session) {
	b.port.OnDigit(func(d voice.Digit) { s.report(Event{Type: Digit, Key: d.Key}) })
	b.pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { b.hear(track) })
	b.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			b.port.SetSender(b.track)
			events := phone.NegotiatedEvents(b.pc)
			b.port.SetFormat(media.Format{Send: true, Receive: true, EventIn: events, EventOut: events})
			s.up()
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			s.end(state.String(), 0)
		default:
		}
	})
}

func (b *browser) hear(track *webrtc.TrackRemote) {
	buf := make([]byte, mtu)
	for failures := 0; failures < maxTrackErrors; {
		n, _, err := track.Read(buf)
		if err != nil {
			failures++ // an unknown payload type, or the end
			continue
		}
		failures = 0
		b.port.Receive(buf[:n], time.Now())
	}
}

func (b *browser) offer(ctx context.Context, exchange func(context.Context, string) (string, error)) error {
	offer, err := b.pc.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("making an offer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(b.pc)
	if err := b.pc.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("making an offer: %w", err)
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return fmt.Errorf("gathering addresses: %w", ctx.Err())
	}
	answer, err := exchange(ctx, b.pc.LocalDescription().SDP)
	if err != nil {
		return fmt.Errorf("exchanging descriptions: %w", err)
	}
	err = b.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
	if err != nil {
		return fmt.Errorf("applying the answer: %w", err)
	}
	return nil
}

func (b *browser) stop() {
	b.once.Do(func() {
		b.port.Close()
		_ = b.pc.GracefulClose() // nothing can be done about an error
		b.clock.Close()
	})
}

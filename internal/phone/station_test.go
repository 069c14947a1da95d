package phone

import (
	"strings"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/voice"
)

// browserEvents is the payload type Chromium offers telephone events with.
const browserEvents = 126

// tab is a browser's page with a WebRTC connection of its own payload types; what it hears goes to port.
type tab struct {
	pc     *webrtc.PeerConnection
	track  *Track
	port   *media.Port
	digits chan voice.Digit
	up     chan struct{}
	answer string
}

// openTab connects to a station. events is the payload type offered for telephone events; 0: none.
func openTab(t *testing.T, station voice.Station, clock *media.Clock, events uint8) *tab {
	t.Helper()
	var se webrtc.SettingEngine
	se.SetIncludeLoopbackCandidate(true)
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	me := &webrtc.MediaEngine{}
	codecs := []webrtc.RTPCodecParameters{
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, PayloadType: 111},
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMU, ClockRate: 8000}, PayloadType: 0},
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: eventMimeType, ClockRate: 48000}, PayloadType: 110},
	}
	if events != 0 {
		codecs = append(codecs, webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: eventMimeType, ClockRate: 8000}, PayloadType: webrtc.PayloadType(events),
		})
	}
	for _, c := range codecs {
		if err := me.RegisterCodec(c, webrtc.RTPCodecTypeAudio); err != nil {
			t.Fatal(err)
		}
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(me)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	b := &tab{pc: pc, track: NewTrack("tab"), digits: make(chan voice.Digit, 16), up: make(chan struct{})}
	b.port = media.NewPort(clock, 0, media.Hooks{Digit: func(d voice.Digit) { b.digits <- d }})
	t.Cleanup(func() {
		b.port.Close()
		_ = pc.GracefulClose()
	})
	b.port.SetSender(b.track)
	b.port.SetFormat(media.Format{Send: true, Receive: true, EventIn: events, EventOut: events})
	if _, err := pc.AddTrack(b.track); err != nil {
		t.Fatal(err)
	}
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for buf := make([]byte, mtu); ; {
			n, _, err := track.Read(buf)
			if err != nil {
				return
			}
			b.port.Receive(buf[:n], time.Now())
		}
	})
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			close(b.up)
		}
	})
	b.offer(t, station)
	return b
}

func (b *tab) offer(t *testing.T, station voice.Station) {
	t.Helper()
	offer, err := b.pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(b.pc)
	if err := b.pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	<-gathered
	if b.answer, err = station.Offer(t.Context(), b.pc.LocalDescription().SDP); err != nil {
		t.Fatal(err)
	}
	err = b.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: b.answer})
	if err != nil {
		t.Fatal(err)
	}
	receive(t, b.up)
}

// TestKeysOfBrowsers: keys pass between a caller and a browser as telephone events, with the payload type that each negotiated.
func TestKeysOfBrowsers(t *testing.T) {
	legs := make(chan voice.Leg, 1)
	hub := start(t, Config{WebRTCAddr: "127.0.0.1:0"}, answering(t, legs))
	caller := start(t, Config{}, nil)
	clock := media.NewClock(1)
	t.Cleanup(clock.Close)
	out := dial(t, caller, hub)
	in := receive(t, legs)
	await(t, out, voice.LegAnswered)
	station, err := hub.Station("ann")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Bridge(in.Media(), station.Media()); err != nil {
		t.Fatal(err)
	}
	b := openTab(t, station, clock, browserEvents)
	if !strings.Contains(b.answer, "a=rtpmap:126 telephone-event/8000") || strings.Contains(b.answer, "telephone-event/48000") {
		t.Errorf("the answer must offer telephone events at 8 kHz alone:\n%s", b.answer)
	}
	if err := out.Media().SendDigits("7*"); err != nil {
		t.Fatal(err)
	}
	for _, want := range "7*" {
		if d := receive(t, b.digits); d.Key != want || d.Duration != 100*time.Millisecond {
			t.Errorf("the browser got %+v, want %c", d, want)
		}
	}
	// What RTCDTMFSender.insertDTMF sends.
	if err := b.port.SendDigits("0D"); err != nil {
		t.Fatal(err)
	}
	for _, want := range "0D" {
		if e := await(t, out, voice.LegDigit); e.Digit.Key != want {
			t.Errorf("the caller got %+v, want %c", e.Digit, want)
		}
	}

	// A page that knows no events takes the place: nothing it cannot read is sent to it.
	deaf := openTab(t, station, clock, 0)
	if strings.Contains(deaf.answer, "telephone-event") {
		t.Errorf("the answer has what was not offered:\n%s", deaf.answer)
	}
	if err := station.Media().SendDigits("1"); errs.CodeOf(err) != errs.Conflict {
		t.Errorf("keys for a browser that takes none: %v", err)
	}
	if err := out.Media().SendDigits("5"); err != nil {
		t.Fatal(err)
	}
	for _, want := range "7*5" {
		if e := await(t, in, voice.LegDigit); e.Digit.Key != want {
			t.Errorf("the hub heard %+v, want %c", e.Digit, want)
		}
	}
	heard := make(chan struct{})
	deaf.port.Tap(func(dir voice.Direction, _ []byte) {
		if dir == voice.Received {
			select {
			case heard <- struct{}{}:
			default:
			}
		}
	})
	for range 5 { // what came before them has come, too
		receive(t, heard)
	}
	deaf.port.Tap(nil)
	if got := deaf.port.Stats().Discarded; got != 0 {
		t.Errorf("%d packets came that the browser did not negotiate", got)
	}
}

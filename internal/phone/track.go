package phone

import (
	"strings"
	"sync"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/phone/media"
)

// Track sends what a media port makes to a browser: G.711 µ-law and telephone events in one stream (RFC 4733 §2.4.1), as browsers
// send it too. The library's own tracks have one codec each. It implements webrtc.TrackLocal and media.Sender and is safe for concurrent use.
type Track struct {
	stream string

	mu      sync.Mutex // guards all below
	binding string     // empty: nothing is sent
	out     webrtc.TrackLocalWriter
	ssrc    uint32
	audio   uint8 // negotiated payload type of PCMU
	packet  rtp.Packet
}

var (
	_ webrtc.TrackLocal = (*Track)(nil)
	_ media.Sender      = (*Track)(nil)
)

// NewTrack makes a track for one connection; stream is its name there.
func NewTrack(stream string) *Track { return &Track{stream: stream} }

// Bind implements webrtc.TrackLocal.
func (t *Track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, codec := range c.CodecParameters() {
		if !isCodec(codec, webrtc.MimeTypePCMU) {
			continue
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.binding, t.out, t.ssrc, t.audio = c.ID(), c.WriteStream(), uint32(c.SSRC()), uint8(codec.PayloadType)
		return codec, nil
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind implements webrtc.TrackLocal.
func (t *Track) Unbind(c webrtc.TrackLocalContext) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.binding != c.ID() {
		return webrtc.ErrUnbindFailed
	}
	t.binding, t.out = "", nil
	return nil
}

// ID implements webrtc.TrackLocal.
func (t *Track) ID() string { return "audio" }

// RID implements webrtc.TrackLocal; there is one encoding alone.
func (t *Track) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (t *Track) StreamID() string { return t.stream }

// Kind implements webrtc.TrackLocal.
func (t *Track) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }

// Send implements media.Sender. Until the connection stands it fails with code conflict.
func (t *Track) Send(packet []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.binding == "" {
		return errNotBound
	}
	if err := t.packet.Unmarshal(packet); err != nil {
		return err //nolint:wrapcheck // counted, never shown
	}
	t.packet.SSRC = t.ssrc
	if t.packet.PayloadType == media.PayloadPCMU {
		t.packet.PayloadType = t.audio
	}
	_, err := t.out.WriteRTP(&t.packet.Header, t.packet.Payload)
	return err //nolint:wrapcheck // counted, never shown
}

var errNotBound = errs.New(errs.Conflict, "the connection to the browser does not stand")

// NegotiatedEvents returns the payload type of telephone events that both sides of a connection take, once the descriptions are
// exchanged; 0: none.
func NegotiatedEvents(pc *webrtc.PeerConnection) uint8 {
	for _, t := range pc.GetTransceivers() {
		for _, codec := range t.Receiver().GetParameters().Codecs {
			if isCodec(codec, eventMimeType) {
				return uint8(codec.PayloadType)
			}
		}
	}
	return 0
}

func isCodec(c webrtc.RTPCodecParameters, mime string) bool {
	return strings.EqualFold(c.MimeType, mime) && c.ClockRate == media.SampleRate
}

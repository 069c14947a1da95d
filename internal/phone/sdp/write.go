package sdp

import (
	"fmt"
	"net/netip"
	"strings"
)

// Local is what one side says about itself.
type Local struct {
	ID      uint64 // of the session, the same for a whole call
	Version uint64 // grows with each change
	Addr    netip.Addr
	Port    uint16
	Events  uint8 // payload type of telephone events; 0: none
	Dir     Direction
}

// Offer writes an offer of one audio stream.
func (l Local) Offer() []byte {
	var b strings.Builder
	l.session(&b)
	l.audio(&b)
	return []byte(b.String())
}

// Answer writes an answer to offer that takes the stream with index audio and refuses all others (RFC 3264 §6).
func (l Local) Answer(offer *Session, audio int) []byte {
	var b strings.Builder
	l.session(&b)
	for i, m := range offer.Media {
		if i == audio {
			l.audio(&b)
			continue
		}
		fmt.Fprintf(&b, "m=%s 0 %s %s\r\n", m.Type, m.Proto, m.Formats[0])
	}
	return []byte(b.String())
}

func (l Local) session(b *strings.Builder) {
	family := "IP4"
	if l.Addr.Is6() && !l.Addr.Is4In6() {
		family = "IP6"
	}
	addr := l.Addr.Unmap()
	fmt.Fprintf(b, "v=0\r\no=- %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n", l.ID, l.Version, family, addr, family, addr)
}

func (l Local) audio(b *strings.Builder) {
	formats := "0"
	if l.Events != 0 {
		formats = fmt.Sprintf("0 %d", l.Events)
	}
	fmt.Fprintf(b, "m=audio %d RTP/AVP %s\r\na=rtpmap:0 PCMU/8000\r\n", l.Port, formats)
	if l.Events != 0 {
		fmt.Fprintf(b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\n", l.Events, l.Events)
	}
	fmt.Fprintf(b, "a=ptime:20\r\na=%s\r\n", l.Dir)
}

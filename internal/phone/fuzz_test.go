package phone

import (
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
	"github.com/pion/webrtc/v4"
)

// FuzzRequest reads whole messages as the handlers do: no panic, and what is kept of them is bounded.
func FuzzRequest(f *testing.F) {
	lines := func(l ...string) []byte { return []byte(strings.Join(l, "\r\n")) }
	f.Add(lines("INVITE sip:100@127.0.0.1 SIP/2.0", "Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK1;rport", "From: \"Ann\" <sip:+15550100@h>;tag=1",
		"To: <sip:100@h>", "Call-ID: a", "CSeq: 1 INVITE", "Contact: <sip:b@127.0.0.1:5070;transport=udp>", "Record-Route: <sip:p1;lr>, <sip:p2;lr>",
		"P-Asserted-Identity: \"A, B\" <tel:+15550101;x=y>", "Content-Type: application/sdp", "Content-Length: 66", "",
		"v=0\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\n"))
	f.Add(lines("INFO sip:1@h SIP/2.0", "v: SIP/2.0/UDP h;branch=z9hG4bK2", "f: sip:a@h;tag=", "t: <sip:1@h>;tag=x", "i: b", "CSeq: 2 INFO",
		"c: application/dtmf-relay;x", "l: 10", "", "Signal=5\r\n"))
	f.Add(lines("BYE sip:h SIP/2.0", "From: <sip:;tag", "To: ", "Call-ID: ", "CSeq: 99999999999 BYE", "Reason: Q.850;text=\"", "", ""))
	f.Add(lines("INVITE tel:+1 SIP/2.0", "From: anonymous <sip:anonymous@anonymous.invalid>;tag=1;tag=2", "To: <tel:+1>", "Call-ID: c", "CSeq: 1 ACK", "", ""))
	parser := sip.NewParser()
	f.Fuzz(func(t *testing.T, raw []byte) {
		msg, err := parser.ParseSIP(raw)
		if err != nil {
			return
		}
		req, ok := msg.(*sip.Request)
		if !ok || !wellFormed(req) {
			return
		}
		info := describe(req)
		n := 0
		for _, values := range info.Headers {
			for _, v := range values {
				if n++; len(v) > maxHeaderSize {
					t.Errorf("a header of %d bytes is kept", len(v))
				}
			}
		}
		if n > maxHeaders {
			t.Errorf("%d headers are kept", n)
		}
		if offer, code := readOffer(req); offer != nil && (code != 0 || offer.Audio() < 0) {
			t.Errorf("an offer without audio was taken, code %d", code)
		}
		target := sip.Uri{Scheme: "sip", Host: "h"}
		if c := req.Contact(); c != nil {
			target = *c.Address.Clone()
		}
		routed(target, routeSet(req, false))
		behindNAT(target.Host, req.Source())
		if ct := req.ContentType(); ct != nil {
			infoDigit(ct.Value(), string(req.Body()))
		}
	})
}

// FuzzBrowserOffer reads session descriptions of browsers.
func FuzzBrowserOffer(f *testing.F) {
	f.Add("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0 126\r\nc=IN IP4 0.0.0.0\r\n" +
		"a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 00:11\r\na=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n" +
		"a=rtpmap:111 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:126 telephone-event/8000\r\n")
	f.Add("v=0\r\nm=audio 0 RTP/AVP 0\r\n")
	f.Add("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\n")
	f.Add("m=audio")
	f.Fuzz(func(t *testing.T, offer string) {
		desc := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}
		if checkOffer(&desc) == nil && (len(offer) > maxOffer || !strings.Contains(offer, "audio")) {
			t.Errorf("taken: %q", offer)
		}
	})
}

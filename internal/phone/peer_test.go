package phone

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/tandemcc/tandem/internal/voice"
)

// peer is a SIP user agent written by hand, which can misbehave.
type peer struct {
	t    testing.TB
	conn *net.UDPConn
	to   netip.AddrPort
	id   string
	tag  string // of the phone, from its responses
	port int    // of audio, in the SDP it states
	sdp  string // instead of the usual one
	head string // additional header lines of the INVITE
}

func newPeer(t testing.TB, to netip.AddrPort) *peer {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &peer{t: t, conn: conn, to: to, id: sip.GenerateTagN(10), port: 9}
}

func (p *peer) addr() string { return p.conn.LocalAddr().String() }

func (p *peer) offer() string {
	if p.sdp != "" {
		return p.sdp
	}
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n", p.port)
}

func (p *peer) write(to net.Addr, text string) {
	p.t.Helper()
	if _, err := p.conn.WriteTo([]byte(text), to); err != nil {
		p.t.Fatal(err)
	}
}

// request sends a request; extra is header lines, each with its line end.
func (p *peer) request(method string, seq int, extra, body string) {
	p.t.Helper()
	to := fmt.Sprintf("<sip:100@%s>", p.to)
	if p.tag != "" {
		to += ";tag=" + p.tag
	}
	branch := seq
	if method == "ACK" {
		branch += 1000
	}
	if body != "" && !strings.Contains(extra, "Content-Type") {
		extra += "Content-Type: application/sdp\r\n"
	}
	p.write(net.UDPAddrFromAddrPort(p.to), fmt.Sprintf("%s sip:100@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%d;rport\r\n"+
		"From: \"Bob\" <sip:bob@example.org>;tag=f%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:bob@%s>\r\nMax-Forwards: 70\r\n%sContent-Length: %d\r\n\r\n%s",
		method, p.to, p.addr(), p.id, branch, p.id, to, p.id, seq, method, p.addr(), extra, len(body), body))
}

func (p *peer) invite() { p.t.Helper(); p.request("INVITE", 1, p.head, p.offer()) }

// read returns the next message, or nil after wait.
func (p *peer) read(wait time.Duration) sip.Message {
	p.t.Helper()
	buf := make([]byte, 4096)
	_ = p.conn.SetReadDeadline(time.Now().Add(wait))
	n, from, err := p.conn.ReadFrom(buf)
	if err != nil {
		return nil
	}
	msg, err := sip.NewParser().ParseSIP(buf[:n])
	if err != nil {
		p.t.Fatalf("the phone sent %q: %v", buf[:n], err)
	}
	msg.SetSource(from.String())
	return msg
}

// response returns the next response with a status of 180 or more to a method, and learns the phone's tag.
func (p *peer) response(method string) *sip.Response {
	p.t.Helper()
	for range 20 {
		msg := p.read(5 * time.Second)
		if msg == nil {
			break
		}
		res, ok := msg.(*sip.Response)
		if !ok || res.CSeq() == nil || string(res.CSeq().MethodName) != method || res.StatusCode < 180 {
			continue
		}
		if method == "INVITE" && res.StatusCode < 300 {
			p.tag = tagOf(res.To().Params)
		}
		return res
	}
	p.t.Fatalf("no response to %s", method)
	return nil
}

// incoming returns the next request of a method.
func (p *peer) incoming(method string) *sip.Request {
	p.t.Helper()
	for range 50 {
		msg := p.read(5 * time.Second)
		if msg == nil {
			break
		}
		if req, ok := msg.(*sip.Request); ok && string(req.Method) == method {
			return req
		}
	}
	p.t.Fatalf("no %s came", method)
	return nil
}

// reply answers a request of the phone.
func (p *peer) reply(req *sip.Request, code int, tag, body string) {
	p.t.Helper()
	var via strings.Builder
	for _, h := range req.GetHeaders("Via") {
		via.WriteString(h.String() + "\r\n")
	}
	to := req.To().String()
	if tag != "" && !strings.Contains(to, "tag=") {
		to += ";tag=" + tag
	}
	kind := ""
	if body != "" {
		kind = "Content-Type: application/sdp\r\n"
	}
	from, err := net.ResolveUDPAddr("udp", req.Source())
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(from, fmt.Sprintf("SIP/2.0 %d X\r\n%s%s\r\n%s\r\nCall-ID: %s\r\n%s\r\nContact: <sip:bob@%s>\r\n%sContent-Length: %d\r\n\r\n%s",
		code, via.String(), req.From().String(), to, req.CallID().Value(), req.CSeq().String(), p.addr(), kind, len(body), body))
}

func header(msg sip.Message, name string) string {
	if h := msg.GetHeaders(name); len(h) > 0 {
		return h[0].Value()
	}
	return ""
}

// called starts a phone and returns the leg of a call from a fresh peer, answered and acknowledged.
func called(t *testing.T, cfg Config) (*peer, voice.Leg) {
	t.Helper()
	legs := make(chan voice.Leg, 1)
	p := start(t, cfg, answering(t, legs))
	b := newPeer(t, p.Addr())
	b.invite()
	for b.response("INVITE").StatusCode != sip.StatusOK {
	}
	b.request("ACK", 1, "", "")
	l := receive(t, legs)
	await(t, l, voice.LegAnswered)
	return b, l
}

package phone

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/tandemcc/tandem/internal/phone/media"
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
func called(t *testing.T, cfg Config) (*Phone, *peer, voice.Leg) {
	t.Helper()
	legs := make(chan voice.Leg, 1)
	p := start(t, cfg, answering(t, legs))
	b := newPeer(t, p.Addr())
	b.invite()
	for b.response("INVITE").StatusCode != 200 {
	}
	b.request("ACK", 1, "", "")
	l := receive(t, legs)
	await(t, l, voice.LegAnswered)
	return p, b, l
}

func TestStatusOfRequests(t *testing.T) {
	p := start(t, Config{}, func(l voice.Leg) { _ = l.Reject(486, "Busy Here") })
	usual := newPeer(t, p.Addr()).offer()
	tests := []struct {
		name, method, extra, body string
		want                      int
	}{
		{"keep-alive", "OPTIONS", "", "", 200},
		{"known method", "UPDATE", "", "", 405},
		{"known method without dialog", "REGISTER", "", "", 405},
		{"unknown method", "DANCE", "", "", 501},
		{"BYE without a call", "BYE", "", "", 481},
		{"INFO without a call", "INFO", "", "", 481},
		{"CANCEL without a call", "CANCEL", "", "", 481},
		{"usual call", "INVITE", "", usual, 486},
		{"call without a description", "INVITE", "", "", 486},
		{"bad description", "INVITE", "", "v=0\r\nnonsense\r\n", 400},
		{"no PCMU", "INVITE", "", "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 9\r\n", 488},
		{"encrypted", "INVITE", "", "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/SAVP 0\r\n", 488},
		{"other type", "INVITE", "Content-Type: text/plain\r\n", usual, 415},
		{"needs an extension", "INVITE", "Require: 100rel\r\n", usual, 420},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			b := newPeer(t, p.Addr())
			b.request(tc.method, 1, tc.extra, tc.body)
			res := b.response(tc.method)
			if res.StatusCode != tc.want {
				t.Errorf("%d %s, want %d", res.StatusCode, res.Reason, tc.want)
			}
			if header(res, "Server") != "Tandem" || tagOf(res.To().Params) == "" {
				t.Errorf("response %s", res)
			}
			if (tc.want == 405 || tc.want == 501 || tc.method == "OPTIONS") && header(res, "Allow") != allowed {
				t.Errorf("Allow: %q", header(res, "Allow"))
			}
			if tc.want == 420 && header(res, "Unsupported") != "100rel" {
				t.Errorf("Unsupported: %q", header(res, "Unsupported"))
			}
		})
	}
	t.Run("tag of another dialog", func(t *testing.T) {
		b := newPeer(t, p.Addr())
		b.tag = "unknown"
		b.invite()
		if res := b.response("INVITE"); res.StatusCode != 481 {
			t.Errorf("%d", res.StatusCode)
		}
	})
	t.Run("garbage", func(t *testing.T) {
		b := newPeer(t, p.Addr())
		for _, text := range []string{"\r\n\r\n", "hello", "INVITE sip:x SIP/2.0\r\n\r\n", strings.Repeat("x", maxMessage+1)} {
			b.write(net.UDPAddrFromAddrPort(p.Addr()), text)
		}
		b.request("OPTIONS", 1, "", "")
		if res := b.response("OPTIONS"); res.StatusCode != 200 {
			t.Errorf("%d", res.StatusCode)
		}
		if p.Stats().Malformed == 0 {
			t.Error("nothing was counted")
		}
	})
}

// The library repeats a 200 after 0.5, 4.5, 8.5 … s and sends no BYE; RFC 3261 §13.3.1.4 wants 0.5, 1.5, 3.5, 7.5, 11.5 … and BYE at 32 s.
func TestAnswerIsRepeatedAndGivenUpWithoutAck(t *testing.T) {
	const t1 = 40 * time.Millisecond
	legs := make(chan voice.Leg, 1)
	p := start(t, Config{T1: t1}, func(l voice.Leg) {
		legs <- l
		if err := l.Answer(context.Background()); err == nil {
			t.Error("answered without ACK")
		}
	})
	b := newPeer(t, p.Addr())
	b.invite()
	b.response("INVITE")
	first := time.Now()
	var at []time.Duration
	for {
		msg := b.read(10 * time.Second)
		if msg == nil {
			t.Fatal("no BYE")
		}
		if bye, ok := msg.(*sip.Request); ok {
			if bye.Method != sip.BYE {
				t.Fatalf("got %s", bye.Method)
			}
			b.reply(bye, 200, "", "")
			break
		}
		at = append(at, time.Since(first))
	}
	end := time.Since(first)
	if end < 60*t1 || end > 75*t1 {
		t.Errorf("gave up after %v, want %v", end, 64*t1)
	}
	want := []int{1, 3, 7, 15, 23, 31, 39, 47, 55, 63}
	if len(at) < len(want)-1 || len(at) > len(want) {
		t.Fatalf("repeated %d times: %v", len(at), at)
	}
	for i, d := range at {
		if due := time.Duration(want[i]) * t1; d < due-t1/2 || d > due+2*t1 {
			t.Errorf("repetition %d after %v, want %v", i, d, due)
		}
	}
	if e := await(t, receive(t, legs), voice.LegEnded); e.End != voice.EndNoAck {
		t.Errorf("ended by %s", e.End)
	}
	if p.Stats().NoAck != 1 {
		t.Error("not counted")
	}
}

func TestByeBeforeAckIsAnAnsweredCall(t *testing.T) {
	legs := make(chan voice.Leg, 1)
	p := start(t, Config{}, answering(t, legs))
	b := newPeer(t, p.Addr())
	b.invite()
	for b.response("INVITE").StatusCode != 200 {
	}
	b.request("BYE", 2, "", "")
	if res := b.response("BYE"); res.StatusCode != 200 {
		t.Errorf("BYE: %d", res.StatusCode)
	}
	b.request("ACK", 1, "", "")
	l := receive(t, legs)
	await(t, l, voice.LegAnswered)
	if e := await(t, l, voice.LegEnded); e.End != voice.EndRemote {
		t.Errorf("ended by %s", e.End)
	}
	if p.Stats().Answered != 1 {
		t.Error("not counted as answered")
	}
}

func TestHangupWaitsForAck(t *testing.T) {
	legs := make(chan voice.Leg, 1)
	p := start(t, Config{}, func(l voice.Leg) {
		legs <- l
		_ = l.Answer(context.Background())
	})
	b := newPeer(t, p.Addr())
	b.invite()
	b.response("INVITE")
	l := receive(t, legs)
	l.Hangup("enough")
	if msg, ok := b.read(200 * time.Millisecond).(*sip.Request); ok {
		t.Fatalf("%s before the ACK", msg.Method)
	}
	b.request("ACK", 1, "", "")
	bye := b.incoming("BYE")
	if got := header(bye, "Reason"); !strings.Contains(got, `text="enough"`) {
		t.Errorf("Reason: %q", got)
	}
	if bye.From().Address.Host == "localhost" || tagOf(bye.To().Params) != "f"+b.id || tagOf(bye.From().Params) != b.tag {
		t.Errorf("BYE %s", bye)
	}
	b.reply(bye, 200, "", "")
	await(t, l, voice.LegAnswered)
	if e := await(t, l, voice.LegEnded); e.End != voice.EndLocal {
		t.Errorf("ended by %s", e.End)
	}
}

func TestFinishedTransactionsAreForgotten(t *testing.T) {
	_, b, l := called(t, Config{T1: 20 * time.Millisecond})
	b.request("BYE", 2, "", "")
	if res := b.response("BYE"); res.StatusCode != 200 {
		t.Fatal(res.StatusCode)
	}
	await(t, l, voice.LegEnded)
	b.request("BYE", 2, "", "") // a repetition soon after: the same answer
	if res := b.response("BYE"); res.StatusCode != 200 {
		t.Errorf("soon: %d", res.StatusCode)
	}
	<-time.After(400 * time.Millisecond)
	b.request("BYE", 2, "", "")
	if res := b.response("BYE"); res.StatusCode != 481 {
		t.Errorf("late: %d, the transaction is still kept", res.StatusCode)
	}
}

func TestLateOffer(t *testing.T) {
	legs := make(chan voice.Leg, 1)
	p := start(t, Config{}, answering(t, legs))
	b := newPeer(t, p.Addr())
	audio, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer audio.Close()
	b.port = audio.LocalAddr().(*net.UDPAddr).Port
	b.request("INVITE", 1, "", "")
	res := b.response("INVITE")
	for res.StatusCode != 200 {
		res = b.response("INVITE")
	}
	if body := string(res.Body()); !strings.Contains(body, "telephone-event/8000") || !strings.Contains(body, "a=sendrecv") {
		t.Errorf("offer %q", body)
	}
	b.request("ACK", 1, "", b.offer())
	l := receive(t, legs)
	await(t, l, voice.LegAnswered)
	_ = audio.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := audio.Read(make([]byte, 200)); err != nil {
		t.Errorf("no audio: %v", err)
	}
	// An ACK without an answer ends the call.
	c := newPeer(t, p.Addr())
	c.request("INVITE", 1, "", "")
	for c.response("INVITE").StatusCode != 200 {
	}
	c.request("ACK", 1, "", "")
	c.reply(c.incoming("BYE"), 200, "", "")
	if e := await(t, receive(t, legs), voice.LegEnded); e.End != voice.EndError {
		t.Errorf("ended by %s", e.End)
	}
}

func TestHoldAndResume(t *testing.T) {
	_, b, l := called(t, Config{})
	steps := []struct {
		line, answer string
		event        voice.LegEventType
	}{
		{"a=sendonly\r\n", "a=recvonly", voice.LegHeld},
		{"a=sendrecv\r\n", "a=sendrecv", voice.LegResumed},
		{"a=inactive\r\n", "a=inactive", voice.LegHeld},
		{"", "a=sendrecv", voice.LegResumed},
	}
	usual := b.offer()
	versions := map[string]bool{}
	for i, s := range steps {
		b.request("INVITE", 2+i, "", usual+s.line)
		res := b.response("INVITE")
		if res.StatusCode != 200 || !strings.Contains(string(res.Body()), s.answer) {
			t.Fatalf("step %d: %s", i, res)
		}
		origin := strings.Split(string(res.Body()), "\r\n")[1]
		if versions[origin] {
			t.Errorf("step %d: version not raised: %s", i, origin)
		}
		versions[origin] = true
		b.request("ACK", 2+i, "", "")
		await(t, l, s.event)
	}
	// The old way to hold, and a refresh without a description.
	b.request("INVITE", 10, "", strings.Replace(usual, "c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0", 1))
	if res := b.response("INVITE"); !strings.Contains(string(res.Body()), "a=inactive") {
		t.Errorf("%s", res)
	}
	b.request("ACK", 10, "", "")
	await(t, l, voice.LegHeld)
	b.request("INVITE", 11, "", "")
	if res := b.response("INVITE"); res.StatusCode != 200 || len(res.Body()) == 0 {
		t.Errorf("%s", res)
	}
	b.request("ACK", 11, "", usual)
	await(t, l, voice.LegResumed)
	b.request("INVITE", 9, "", usual)
	if res := b.response("INVITE"); res.StatusCode != 500 {
		t.Errorf("an old sequence number got %d", res.StatusCode)
	}
	b.request("INVITE", 12, "", "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 9\r\n")
	if res := b.response("INVITE"); res.StatusCode != 488 {
		t.Errorf("an unusable offer got %d", res.StatusCode)
	}
}

func TestLimits(t *testing.T) {
	legs := make(chan voice.Leg, 4)
	p := start(t, Config{MaxLegs: 1}, answering(t, legs))
	b := newPeer(t, p.Addr())
	b.invite()
	for b.response("INVITE").StatusCode != 200 {
	}
	b.request("ACK", 1, "", "")
	refused := func(p *Phone, what string) {
		t.Helper()
		c := newPeer(t, p.Addr())
		var tags [2]string
		for i := range tags {
			c.invite()
			res := c.response("INVITE")
			if res.StatusCode != 503 || header(res, "Retry-After") == "" {
				t.Errorf("%s: %s", what, res)
			}
			tags[i] = tagOf(res.To().Params)
			<-time.After(50 * time.Millisecond) // until the first request's transaction is gone
		}
		if tags[0] != tags[1] {
			t.Errorf("%s: a repeated request got another tag", what)
		}
	}
	refused(p, "all lines in use")
	b.request("BYE", 2, "", "")
	b.response("BYE")
	await(t, receive(t, legs), voice.LegEnded)
	p.SetDraining(true)
	refused(p, "draining")
	if s := p.Stats(); s.Overloaded != 2 || s.Drained != 2 || s.Legs != 0 {
		t.Errorf("%+v", s)
	}
	q := start(t, Config{MaxSetupRate: 1e-6}, func(l voice.Leg) { _ = l.Reject(486, "") })
	d := newPeer(t, q.Addr())
	d.invite()
	if res := d.response("INVITE"); res.StatusCode != 486 {
		t.Errorf("first call: %d", res.StatusCode)
	}
	refused(q, "rate")
}

func TestMergedRequest(t *testing.T) {
	legs := make(chan voice.Leg, 1)
	p := start(t, Config{}, func(l voice.Leg) { legs <- l; _ = l.Ring() })
	b := newPeer(t, p.Addr())
	b.invite()
	b.response("INVITE")
	b.tag = ""
	b.request("INVITE", 2, "", b.offer()) // another branch of the same call
	if res := b.response("INVITE"); res.StatusCode != 482 {
		t.Errorf("%d", res.StatusCode)
	}
	receive(t, legs).Hangup("")
	if res := b.response("INVITE"); res.StatusCode != 480 {
		t.Errorf("%d", res.StatusCode)
	}
}

func TestKeysByInfo(t *testing.T) {
	_, b, l := called(t, Config{})
	seq := 2
	for _, tc := range []struct {
		kind, body string
		code       int
		key        rune
	}{
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", 200, '5'},
		{"application/dtmf", "#", 200, '#'},
		{"application/dtmf-relay", "Signal=55\r\n", 415, 0},
		{"text/plain", "5", 415, 0},
	} {
		b.request("INFO", seq, "Content-Type: "+tc.kind+"\r\n", tc.body)
		if res := b.response("INFO"); res.StatusCode != tc.code {
			t.Errorf("%+v: %d", tc, res.StatusCode)
		}
		seq++
		if tc.key != 0 {
			if e := await(t, l, voice.LegDigit); e.Digit.Key != tc.key {
				t.Errorf("%+v: key %c", tc, e.Digit.Key)
			}
		}
	}
}

func TestCallerIdentity(t *testing.T) {
	for head, want := range map[string][2]string{
		"": {"bob", "Bob"},
		"P-Asserted-Identity: \"Ann Lee\" <sip:+1555@x.org;user=phone>\r\n": {"+1555", "Ann Lee"},
		"P-Asserted-Identity: <tel:+15551212;cpc=ordinary>\r\n":             {"+15551212", ""},
		"P-Asserted-Identity: sip:777@x.org\r\nX-Note: a\r\n":               {"777", ""},
		"P-Asserted-Identity: <sip:anonymous@anonymous.invalid>\r\n":        {"", ""},
	} {
		legs := make(chan voice.Leg, 1)
		p := start(t, Config{}, func(l voice.Leg) { legs <- l; _ = l.Reject(603, "Decline") })
		b := newPeer(t, p.Addr())
		b.head = head
		b.invite()
		info := receive(t, legs).Info()
		if info.From != want[0] || info.FromName != want[1] || info.To != "100" {
			t.Errorf("%q: %q %q %q", head, info.From, info.FromName, info.To)
		}
		if strings.Contains(head, "X-Note") && info.Headers["X-Note"][0] != "a" {
			t.Errorf("headers %v", info.Headers)
		}
		b.response("INVITE")
	}
}

func TestSlowReaderLosesDigitsNotTheEnd(t *testing.T) {
	_, _, l := called(t, Config{})
	in, ok := l.(*leg)
	if !ok {
		t.Fatal("another type")
	}
	for range 3 * eventQueue {
		in.onDigit(voice.Digit{Key: '1'})
		in.onTimeout(true)
	}
	l.Hangup("")
	if e := await(t, l, voice.LegEnded); e.End != voice.EndLocal {
		t.Errorf("ended by %s", e.End)
	}
}

func TestDialToPeer(t *testing.T) {
	a := start(t, Config{Addr: "127.0.0.1:0"}, nil)
	b := newPeer(t, a.Addr())
	dialPeer := func() (voice.Leg, *sip.Request) {
		l, err := a.Dial(t.Context(), voice.DialRequest{
			URI: "sip:bob@" + b.addr(), From: "49 30/<x>", DisplayName: "A\"\r\nB", Headers: map[string]string{"X-Call": "17"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return l, b.incoming("INVITE")
	}
	t.Run("headers", func(t *testing.T) {
		l, inv := dialPeer()
		// The library's own default would be sip:…@localhost.
		if got := inv.From().Address; got.Host != "127.0.0.1" || got.User != "49%2030/%3Cx%3E" || inv.From().DisplayName != "AB" {
			t.Errorf("From %s", inv.From())
		}
		if header(inv, "X-Call") != "17" || header(inv, "User-Agent") != "Tandem" || inv.Contact().Address.Port != int(a.Addr().Port()) {
			t.Errorf("INVITE %s", inv)
		}
		b.reply(inv, 486, "x", "")
		if ack := b.incoming("ACK"); tagOf(ack.To().Params) != "x" {
			t.Errorf("ACK %s", ack)
		}
		if e := await(t, l, voice.LegEnded); e.End != voice.EndRejected || e.Code != 486 {
			t.Errorf("ended %+v", e)
		}
	})
	t.Run("repeated and forked answers", func(t *testing.T) {
		l, inv := dialPeer()
		b.reply(inv, 180, "x", "")
		await(t, l, voice.LegRinging)
		b.reply(inv, 200, "x", b.offer())
		ack := b.incoming("ACK")
		if tagOf(ack.To().Params) != "x" || ack.CSeq().SeqNo != inv.CSeq().SeqNo || ack.Recipient.User != "bob" {
			t.Errorf("ACK %s", ack)
		}
		await(t, l, voice.LegAnswered)
		b.reply(inv, 200, "x", b.offer())
		if ack := b.incoming("ACK"); tagOf(ack.To().Params) != "x" {
			t.Errorf("second ACK %s", ack)
		}
		b.reply(inv, 200, "y", b.offer())
		if ack := b.incoming("ACK"); tagOf(ack.To().Params) != "y" {
			t.Errorf("ACK of the other branch %s", ack)
		}
		bye := b.incoming("BYE")
		if tagOf(bye.To().Params) != "y" {
			t.Errorf("BYE of the other branch %s", bye)
		}
		b.reply(bye, 200, "", "")
		l.Hangup("")
		bye = b.incoming("BYE")
		if tagOf(bye.To().Params) != "x" {
			t.Errorf("BYE %s", bye)
		}
		b.reply(bye, 200, "", "")
		await(t, l, voice.LegEnded)
	})
	t.Run("answer crosses the hang-up", func(t *testing.T) {
		l, inv := dialPeer()
		b.reply(inv, 180, "x", "")
		await(t, l, voice.LegRinging)
		l.Hangup("")
		cancel := b.incoming("CANCEL")
		if cancel.Via().String() != inv.Via().String() {
			t.Errorf("CANCEL %s of INVITE %s", cancel, inv)
		}
		b.reply(cancel, 200, "x", "")
		b.reply(inv, 200, "x", b.offer())
		b.incoming("ACK")
		b.reply(b.incoming("BYE"), 200, "", "")
		if e := await(t, l, voice.LegEnded); e.End != voice.EndLocal {
			t.Errorf("ended %+v", e)
		}
	})
	t.Run("hang-up before any response", func(t *testing.T) {
		l, inv := dialPeer()
		l.Hangup("")
		await(t, l, voice.LegEnded)
		b.reply(inv, 180, "x", "") // only now may CANCEL be sent
		b.reply(b.incoming("CANCEL"), 200, "x", "")
		b.reply(inv, 487, "x", "")
		b.incoming("ACK")
	})
	t.Run("unusable answer", func(t *testing.T) {
		l, inv := dialPeer()
		b.reply(inv, 200, "x", "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n")
		b.incoming("ACK")
		b.reply(b.incoming("BYE"), 200, "", "")
		if e := await(t, l, voice.LegEnded); e.End != voice.EndError {
			t.Errorf("ended %+v", e)
		}
	})
}

// More sources than the library may remember make its read loop start anew on the same socket.
func TestManySources(t *testing.T) {
	p, err := New(Config{Addr: "127.0.0.1:0", T1: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	p.maxPeers = 3
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	for range 20 {
		b := newPeer(t, p.Addr())
		b.request("OPTIONS", 1, "", "")
		if res := b.response("OPTIONS"); res.StatusCode != 200 {
			t.Errorf("%d", res.StatusCode)
		}
	}
	b := newPeer(t, p.Addr())
	l, err := p.Dial(t.Context(), voice.DialRequest{URI: "sip:bob@" + b.addr()})
	if err != nil {
		t.Fatal(err)
	}
	inv := b.incoming("INVITE")
	if inv.Source() != p.Addr().String() {
		t.Errorf("the INVITE came from %s", inv.Source())
	}
	b.reply(inv, 603, "x", "")
	b.incoming("ACK")
	await(t, l, voice.LegEnded)
}

func TestOnlyTheFarEndIsHeard(t *testing.T) {
	_, b, l := called(t, Config{MediaTimeout: 300 * time.Millisecond})
	in, ok := l.(*leg)
	if !ok {
		t.Fatal("another type")
	}
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: in.socket.LocalPort()}
	pkt := append([]byte{0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, media.Tone(440, 0.5, 160)...)
	await(t, l, voice.LegMediaTimeout)
	foreign, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)})
	if err != nil {
		t.Skipf("only one loopback address here: %v", err)
	}
	defer foreign.Close()
	if _, err := foreign.WriteTo(pkt, to); err != nil {
		t.Fatal(err)
	}
	for l.Media().Stats().Discarded == 0 {
		<-time.After(5 * time.Millisecond)
	}
	if s := l.Media().Stats(); s.Received != 0 {
		t.Errorf("heard a stranger: %+v", s)
	}
	// The far end itself, behind a translator that gives it another port.
	b.write(to, string(pkt))
	await(t, l, voice.LegMediaBack)
	buf := make([]byte, 2048)
	for range 100 { // and it gets the audio there, among SIP messages
		_ = b.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, _, err := b.conn.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		if n == 172 && buf[0] == 0x80 {
			return
		}
	}
	t.Error("no audio came back to the source")
}

func TestDrainLetsCallsEnd(t *testing.T) {
	legs := make(chan voice.Leg, 1)
	p, err := New(Config{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	p.SetHandler(answering(t, legs))
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := newPeer(t, p.Addr())
	b.invite()
	for b.response("INVITE").StatusCode != 200 {
	}
	b.request("ACK", 1, "", "")
	l := receive(t, legs)
	stopped := make(chan error, 1)
	go func() { stopped <- p.Stop(context.Background()) }()
	<-p.stopping
	c := newPeer(t, p.Addr())
	c.invite()
	if res := c.response("INVITE"); res.StatusCode != 503 {
		t.Errorf("new call: %d", res.StatusCode)
	}
	b.request("BYE", 2, "", "")
	b.response("BYE")
	if err := receive(t, stopped); err != nil {
		t.Error(err)
	}
	if e := await(t, l, voice.LegEnded); e.End != voice.EndRemote {
		t.Errorf("ended by %s", e.End)
	}
	if _, err := p.Dial(t.Context(), voice.DialRequest{URI: "sip:1@127.0.0.1:9"}); err == nil {
		t.Error("a stopped phone dialled")
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []Config{{Addr: ""}, {Addr: "localhost:5060"}, {Addr: "127.0.0.1:0", MediaLow: 7, MediaHigh: 3}, {Addr: "127.0.0.1:0", WebRTCAddr: "x"}} {
		p, err := New(cfg)
		if err == nil {
			err = p.Start(t.Context())
		}
		if err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
	p := start(t, Config{}, nil)
	if _, err := p.Station("ann"); err == nil {
		t.Error("a station without WebRTC")
	}
	q := start(t, Config{WebRTCAddr: "127.0.0.1:0"}, nil)
	one, err := q.Station("ann")
	if err != nil {
		t.Fatal(err)
	}
	if two, err := q.Station("ann"); err != nil || two != one {
		t.Errorf("another station for the same agent: %v", err)
	}
	if _, err := q.Bridge(one.Media(), one.Media()); err == nil {
		t.Error("bridged with itself")
	}
}

package phone

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/tandemcc/tandem/internal/voice"
)

func TestStatusOfRequests(t *testing.T) {
	t.Parallel()
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
		if res := b.response("OPTIONS"); res.StatusCode != sip.StatusOK {
			t.Errorf("%d", res.StatusCode)
		}
		if p.Stats().Malformed == 0 {
			t.Error("nothing was counted")
		}
	})
}

// The library repeats a 200 after 0.5, 4.5, 8.5 … s and sends no BYE; RFC 3261 §13.3.1.4 wants 0.5, 1.5, 3.5, 7.5, 11.5 … and BYE at 32 s.
func TestAnswerIsRepeatedAndGivenUpWithoutAck(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	legs := make(chan voice.Leg, 1)
	p := start(t, Config{}, answering(t, legs))
	b := newPeer(t, p.Addr())
	b.invite()
	for b.response("INVITE").StatusCode != sip.StatusOK {
	}
	b.request("BYE", 2, "", "")
	if res := b.response("BYE"); res.StatusCode != sip.StatusOK {
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
	t.Parallel()
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
	t.Parallel()
	b, l := called(t, Config{T1: 20 * time.Millisecond})
	b.request("BYE", 2, "", "")
	if res := b.response("BYE"); res.StatusCode != sip.StatusOK {
		t.Fatal(res.StatusCode)
	}
	await(t, l, voice.LegEnded)
	b.request("BYE", 2, "", "") // a repetition soon after: the same answer
	if res := b.response("BYE"); res.StatusCode != sip.StatusOK {
		t.Errorf("soon: %d", res.StatusCode)
	}
	<-time.After(400 * time.Millisecond)
	b.request("BYE", 2, "", "")
	if res := b.response("BYE"); res.StatusCode != 481 {
		t.Errorf("late: %d, the transaction is still kept", res.StatusCode)
	}
}

func TestLateOffer(t *testing.T) {
	t.Parallel()
	legs := make(chan voice.Leg, 1)
	p := start(t, Config{}, answering(t, legs))
	b := newPeer(t, p.Addr())
	audio, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer audio.Close()
	addr, ok := audio.LocalAddr().(*net.UDPAddr)
	if !ok {
		t.Fatal("no UDP address")
	}
	b.port = addr.Port
	b.request("INVITE", 1, "", "")
	res := b.response("INVITE")
	for res.StatusCode != sip.StatusOK {
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
	for c.response("INVITE").StatusCode != sip.StatusOK {
	}
	c.request("ACK", 1, "", "")
	c.reply(c.incoming("BYE"), 200, "", "")
	if e := await(t, receive(t, legs), voice.LegEnded); e.End != voice.EndError {
		t.Errorf("ended by %s", e.End)
	}
}

func TestHoldAndResume(t *testing.T) {
	t.Parallel()
	b, l := called(t, Config{})
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
		if res.StatusCode != sip.StatusOK || !strings.Contains(string(res.Body()), s.answer) {
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
	if res := b.response("INVITE"); res.StatusCode != sip.StatusOK || len(res.Body()) == 0 {
		t.Errorf("%s", res)
	}
	b.request("ACK", 11, "", usual)
	await(t, l, voice.LegResumed)
	b.request("INVITE", 9, "", usual)
	if res := b.response("INVITE"); res.StatusCode != sip.StatusInternalServerError {
		t.Errorf("an old sequence number got %d", res.StatusCode)
	}
	b.request("INVITE", 12, "", "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 9\r\n")
	if res := b.response("INVITE"); res.StatusCode != 488 {
		t.Errorf("an unusable offer got %d", res.StatusCode)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	legs := make(chan voice.Leg, 4)
	p := start(t, Config{MaxLegs: 1}, answering(t, legs))
	b := newPeer(t, p.Addr())
	b.invite()
	for b.response("INVITE").StatusCode != sip.StatusOK {
	}
	b.request("ACK", 1, "", "")
	refused := func(p *Phone, what string) {
		t.Helper()
		c := newPeer(t, p.Addr())
		var tags [2]string
		for i := range tags {
			c.invite()
			res := c.response("INVITE")
			if res.StatusCode != sip.StatusServiceUnavailable || header(res, "Retry-After") == "" {
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
	t.Parallel()
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
	t.Parallel()
	b, l := called(t, Config{})
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
	t.Parallel()
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
	t.Parallel()
	_, l := called(t, Config{})
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

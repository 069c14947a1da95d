package phone

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/voice"
)

// A far end that is asked and knows the call keeps it, silent as it is; one that does not, or does not answer, ends it.
func TestSilentFarEndIsAsked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int // of its second answer; 0: none
		code   int // of the leg's end
	}{
		"it has forgotten the call": {481, 481},
		"it has crashed":            {0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, l := called(t, Config{Probe: 50 * time.Millisecond, T1: 10 * time.Millisecond})
			ask := b.incoming("OPTIONS")
			if tagOf(ask.To().Params) != "f"+b.id || tagOf(ask.From().Params) != b.tag || ask.CallID() == nil {
				t.Errorf("asked outside of the dialog: %s", ask)
			}
			b.reply(ask, 405, "", "") // it does not know what is asked, but the call
			seq := ask.CSeq().SeqNo
			for ask.CSeq().SeqNo == seq { // the next one, not a repetition
				ask = b.incoming("OPTIONS")
			}
			if tc.status != 0 {
				b.reply(ask, tc.status, "", "")
			}
			if e := await(t, l, voice.LegEnded); e.End != voice.EndError || e.Code != tc.code {
				t.Errorf("ended %+v", e)
			}
			b.reply(b.incoming("BYE"), 481, "", "")
		})
	}
}

func TestSpeakingFarEndIsNotAsked(t *testing.T) {
	t.Parallel()
	const probe = 500 * time.Millisecond
	b, l := called(t, Config{Probe: probe})
	in, ok := l.(*leg)
	if !ok {
		t.Fatal("another type")
	}
	mouth, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer mouth.Close()
	pkt := append([]byte{0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, media.Tone(440, 0.5, 160)...)
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: in.socket.LocalPort()}
	for start := time.Now(); time.Since(start) < 3*probe; {
		if _, err := mouth.WriteTo(pkt, to); err != nil {
			t.Fatal(err)
		}
		if req, ok := b.read(10 * time.Millisecond).(*sip.Request); ok {
			t.Fatalf("%s came", req.Method)
		}
	}
	b.incoming("OPTIONS") // now that it is silent
}

// An OPTIONS within a dialog asks for the dialog.
func TestOptionsWithinADialog(t *testing.T) {
	t.Parallel()
	b, l := called(t, Config{})
	b.request("OPTIONS", 2, "", "")
	if res := b.response("OPTIONS"); res.StatusCode != sip.StatusOK {
		t.Errorf("a call that stands: %d", res.StatusCode)
	}
	b.request("BYE", 3, "", "")
	b.response("BYE")
	await(t, l, voice.LegEnded)
	b.request("OPTIONS", 4, "", "")
	if res := b.response("OPTIONS"); res.StatusCode != 481 {
		t.Errorf("a call that has ended: %d", res.StatusCode)
	}
}

// Each side takes telephone events with the number that it stated itself.
func TestEventNumbersOfEachSide(t *testing.T) {
	t.Parallel()
	a := start(t, Config{}, nil)
	b := newPeer(t, a.Addr())
	ear, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ear.Close()
	l, err := a.Dial(t.Context(), voice.DialRequest{URI: "sip:bob@" + b.addr()})
	if err != nil {
		t.Fatal(err)
	}
	local, ok := ear.LocalAddr().(*net.UDPAddr)
	if !ok {
		t.Fatal("another type")
	}
	b.port = local.Port
	b.sdp = "v=0\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio " + strconv.Itoa(local.Port) + " RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n"
	b.reply(b.incoming("INVITE"), 200, "x", b.offer())
	b.incoming("ACK")
	await(t, l, voice.LegAnswered)
	out, ok := l.(*leg)
	if !ok {
		t.Fatal("another type")
	}
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: out.socket.LocalPort()}
	for i, pt := range []byte{offeredEvents, 96} { // what we offered, and what careless ones send
		pkt := append([]byte{0x80, pt, 0, byte(i), 0, 0, byte(i), 0, 0, 0, 0, 1}, media.Event{Code: byte(i), End: true, Duration: 160}.Append(nil)...)
		if _, err := ear.WriteTo(pkt, to); err != nil {
			t.Fatal(err)
		}
		if e := await(t, l, voice.LegDigit); e.Digit.Key != rune('0'+i) {
			t.Errorf("payload type %d: key %c", pt, e.Digit.Key)
		}
	}
	if err := l.Media().SendDigits("5"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2048)
	for range 100 {
		_ = ear.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := ear.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if pt := buf[1] & 0x7F; n == 16 && pt == 96 {
			return
		} else if pt != media.PayloadPCMU {
			t.Fatalf("payload type %d of %d bytes", pt, n)
		}
	}
	t.Error("no event came")
}

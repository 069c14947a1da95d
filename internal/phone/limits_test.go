package phone

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/voice"
)

// More sources than the library may remember make its read loop start anew on the same socket.
func TestManySources(t *testing.T) {
	t.Parallel()
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
		if res := b.response("OPTIONS"); res.StatusCode != sip.StatusOK {
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
	t.Parallel()
	b, l := called(t, Config{MediaTimeout: 300 * time.Millisecond})
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
	t.Parallel()
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
	for b.response("INVITE").StatusCode != sip.StatusOK {
	}
	b.request("ACK", 1, "", "")
	l := receive(t, legs)
	stopped := make(chan error, 1)
	go func() { stopped <- p.Stop(context.Background()) }()
	<-p.stopping
	c := newPeer(t, p.Addr())
	c.invite()
	if res := c.response("INVITE"); res.StatusCode != sip.StatusServiceUnavailable {
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
	t.Parallel()
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

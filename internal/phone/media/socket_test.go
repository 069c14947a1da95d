package media

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// TestAudioFollowsTheFarEndAlone: what strays to a port, on a busy host or by intent, does not draw the audio away.
func TestAudioFollowsTheFarEndAlone(t *testing.T) {
	c := NewClock(1)
	defer c.Close()
	p := newTestPort(c, &wire{}, open, Hooks{})
	defer p.Close()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s := NewSocket(conn, p)
	defer s.Close()
	stated, other := netip.MustParseAddrPort("192.0.2.1:4000"), netip.MustParseAddrPort("192.0.2.1:4444")
	s.SetRemote(stated, netip.MustParseAddr("192.0.2.9"))
	now := time.Now()
	audio := packet(t, PayloadPCMU, 1, 1, 7, []byte{1})
	for _, step := range []struct {
		what  string
		raw   []byte
		from  netip.AddrPort
		after time.Duration
		want  netip.AddrPort
	}{
		{"something else from its host", []byte("OPTIONS sip:x SIP/2.0"), other, 0, stated},
		{"audio from elsewhere", audio, netip.MustParseAddrPort("198.51.100.1:4000"), 0, stated},
		{"audio from another port of its host", audio, other, 0, other},
		{"audio from where it said", audio, stated, 20 * time.Millisecond, stated},
		{"the other port again", audio, other, 20 * time.Millisecond, stated},
		{"the other port, after silence", audio, other, relatchAfter, other},
		{"audio from where it signals", audio, netip.MustParseAddrPort("192.0.2.9:5000"), 2 * relatchAfter, netip.MustParseAddrPort("192.0.2.9:5000")},
	} {
		now = now.Add(step.after)
		s.take(step.raw, step.from, now)
		if got := s.remote.Load(); got == nil || *got != step.want {
			t.Errorf("%s: audio goes to %v, want %v", step.what, got, step.want)
		}
	}
}

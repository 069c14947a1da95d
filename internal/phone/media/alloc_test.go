package media

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"
)

// drain is a sender that keeps nothing.
type drain struct{ n int }

func (d *drain) Send([]byte) error { d.n++; return nil }

// TestNothingIsAllocatedPerPacket: 2,000 calls send and receive 200,000 packets a second; the collector must have no part in that.
func TestNothingIsAllocatedPerPacket(t *testing.T) {
	c := NewClock(1)
	defer c.Close()
	var da, db drain
	port := func(d *drain) *Port {
		p := NewPort(c, time.Second, Hooks{})
		p.detach() // the test ticks
		p.SetSender(d)
		p.SetFormat(open)
		return p
	}
	a, b := port(&da), port(&db)
	defer a.Close()
	defer b.Close()
	now := time.Now()
	tick := func() {
		now = now.Add(Frame)
		a.tick(now, 1)
	}
	a.Play(make([]byte, 1000), true, nil)
	if n := testing.AllocsPerRun(500, tick); n != 0 {
		t.Errorf("a frame of a prompt allocates %v times", n)
	}
	a.Stop()
	if n := testing.AllocsPerRun(500, tick); n != 0 {
		t.Errorf("a frame of silence allocates %v times", n)
	}
	a.Connect(b)
	raw := packet(t, PayloadPCMU, 0, 0, 7, make([]byte, FrameSamples))
	seq := uint16(0)
	if n := testing.AllocsPerRun(500, func() {
		seq++
		binary.BigEndian.PutUint16(raw[2:], seq)
		binary.BigEndian.PutUint32(raw[4:], uint32(seq)*FrameSamples)
		a.Receive(raw, now)
	}); n != 0 {
		t.Errorf("a relayed packet allocates %v times", n)
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s := NewSocket(conn, a)
	defer s.Close()
	far := netip.MustParseAddrPort("127.0.0.1:9")
	s.SetRemote(far, far.Addr())
	if n := testing.AllocsPerRun(500, func() { s.take(raw, far, now) }); n != 0 {
		t.Errorf("a packet from the network allocates %v times", n)
	}
	if da.n < 1000 || db.n < 500 {
		t.Errorf("%d frames and %d relayed packets were sent", da.n, db.n)
	}
}

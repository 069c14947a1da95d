package media

import (
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"github.com/tandemcc/tandem/internal/errs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wire keeps what a port sends.
type wire struct {
	mu      sync.Mutex
	packets []rtp.Packet
	at      []time.Time
}

func (w *wire) Send(raw []byte) error {
	var p rtp.Packet
	if err := p.Unmarshal(append([]byte(nil), raw...)); err != nil {
		return err //nolint:wrapcheck // test
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packets = append(w.packets, p)
	w.at = append(w.at, time.Now())
	return nil
}

func (w *wire) take() ([]rtp.Packet, []time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, at := w.packets, w.at
	w.packets, w.at = nil, nil
	return p, at
}

func newTestPort(c *Clock, w *wire, f Format, hooks Hooks) *Port {
	p := NewPort(c, time.Second, hooks)
	p.SetSender(w)
	p.SetFormat(f)
	return p
}

var open = Format{Send: true, Receive: true, EventIn: 101, EventOut: 96}

func packet(t *testing.T, pt uint8, seq uint16, ts, ssrc uint32, payload []byte) []byte {
	t.Helper()
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: seq, Timestamp: ts, SSRC: ssrc}, Payload: payload}
	raw, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// continuous checks that a stream has one SSRC, no gaps, and timestamps that do not go back.
func continuous(t *testing.T, packets []rtp.Packet) {
	t.Helper()
	for i := 1; i < len(packets); i++ {
		a, b := packets[i-1].Header, packets[i].Header
		if b.SSRC != a.SSRC || b.SequenceNumber != a.SequenceNumber+1 || int32(b.Timestamp-a.Timestamp) < 0 {
			t.Fatalf("packet %d: %+v follows %+v", i, b, a)
		}
	}
}

func TestPlayKeepsTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock(2)
		defer c.Close()
		var w wire
		p := newTestPort(c, &w, open, Hooks{})
		defer p.Close()
		done := make(chan bool, 1)
		clip := make([]byte, 8000)
		for i := range clip {
			clip[i] = byte(i)
		}
		p.Play(clip, false, func(ok bool) { done <- ok })
		if !<-done {
			t.Error("not completed")
		}
		packets, at := w.take()
		continuous(t, packets)
		for packets[0].Payload[0] != 0 { // silence from before
			packets, at = packets[1:], at[1:]
		}
		if len(packets) < 50 || len(packets) > 51 {
			t.Fatalf("%d packets", len(packets))
		}
		var sound []byte
		for i, p := range packets[:50] {
			sound = append(sound, p.Payload...)
			if i > 0 && (at[i].Sub(at[i-1]) != Frame || p.Timestamp-packets[i-1].Timestamp != FrameSamples) {
				t.Errorf("packet %d after %v", i, at[i].Sub(at[i-1]))
			}
		}
		if string(sound) != string(clip) {
			t.Error("the clip was changed")
		}
		if packets[0].Marker == packets[1].Marker {
			t.Error("the marker belongs to the first packet alone")
		}
	})
}

func TestPlayReplacesStopsAndLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock(1)
		defer c.Close()
		var w wire
		p := newTestPort(c, &w, open, Hooks{})
		first, second, third := make(chan bool, 1), make(chan bool, 1), make(chan bool, 1)
		p.Play(make([]byte, 80000), false, func(ok bool) { first <- ok })
		p.Play([]byte{1, 2, 3}, true, func(ok bool) { second <- ok })
		if <-first {
			t.Error("a replaced clip was completed")
		}
		time.Sleep(100 * time.Millisecond) //nolint:forbidigo // the test's clock
		packets, _ := w.take()
		for packets[0].Payload[0] != 1 { // sent before the loop began
			packets = packets[1:]
		}
		if n := len(packets); n < 4 || packets[0].Payload[0] != 1 || packets[0].Payload[159] != 1 || packets[1].Payload[0] != 2 {
			t.Errorf("the loop has seams: %d packets", n)
		}
		p.Stop()
		if <-second {
			t.Error("a stopped clip was completed")
		}
		p.Play(nil, true, func(ok bool) { third <- ok })
		if !<-third {
			t.Error("an empty clip never ended")
		}
		p.Close()
		p.Close()
		p.Play([]byte{1}, false, func(ok bool) { third <- ok })
		if <-third {
			t.Error("a closed port played")
		}
	})
}

func TestSendDigits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock(1)
		defer c.Close()
		var w wire
		p := newTestPort(c, &w, open, Hooks{})
		defer p.Close()
		if err := p.SendDigits("1d"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) //nolint:forbidigo // the test's clock
		packets, _ := w.take()
		continuous(t, packets)
		var d Detector
		var keys []rune
		events := 0
		for i := range packets {
			if packets[i].PayloadType != 96 {
				continue
			}
			events++
			e, err := ParseEvent(packets[i].Payload)
			if err != nil {
				t.Fatal(err)
			}
			a, _, n := d.Packet(time.Now(), packets[i].Timestamp, e)
			if n == 1 {
				keys = append(keys, a.Key)
				if a.Duration != 100*time.Millisecond {
					t.Errorf("key %c of %v", a.Key, a.Duration)
				}
			}
		}
		if string(keys) != "1D" || events != 14 {
			t.Errorf("keys %q in %d packets", string(keys), events)
		}
		if err := p.SendDigits("12x"); errs.CodeOf(err) != errs.Invalid {
			t.Errorf("x is no key: %v", err)
		}
		p.SetFormat(Format{Send: true, Receive: true})
		if err := p.SendDigits("1"); errs.CodeOf(err) != errs.Conflict {
			t.Errorf("no events negotiated: %v", err)
		}
	})
}

func TestRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock(1)
		defer c.Close()
		var wa, wb wire
		a := newTestPort(c, &wa, open, Hooks{})
		b := newTestPort(c, &wb, Format{Send: true, Receive: true, EventIn: 100, EventOut: 100}, Hooks{})
		defer a.Close()
		defer b.Close()
		time.Sleep(30 * time.Millisecond) //nolint:forbidigo // the test's clock
		if !a.Connect(b) || !b.Connect(a) || a.Connect(b) {
			t.Fatal("connecting")
		}
		before, _ := wb.take()
		send := func(seq uint16, ts uint32, pt uint8, payload []byte) {
			if !a.Receive(packet(t, pt, seq, ts, 77, payload), time.Now()) {
				t.Errorf("packet %d was refused", seq)
			}
		}
		base := uint32(4294967200) // wraps
		send(65534, base, 0, []byte{1})
		send(65535, base+160, 0, []byte{2})
		send(1, base+480, 0, []byte{4}) // 0 is overtaken
		send(0, base+320, 0, []byte{3})
		send(2, base+640, 101, Event{Code: 5, End: true, Duration: 160}.Append(nil))
		got, _ := wb.take()
		if len(got) != 5 {
			t.Fatalf("%d packets", len(got))
		}
		first := got[0]
		last := before[len(before)-1]
		if first.SSRC != last.SSRC || first.SequenceNumber != last.SequenceNumber+1 || !first.Marker {
			t.Errorf("%+v does not follow %+v", first.Header, last.Header)
		}
		for i, want := range []uint16{0, 1, 3, 2, 4} {
			p := got[i]
			if p.SequenceNumber-first.SequenceNumber != want || p.Timestamp-first.Timestamp != uint32(want)*160 {
				t.Errorf("packet %d: seq +%d, ts +%d", i, p.SequenceNumber-first.SequenceNumber, p.Timestamp-first.Timestamp)
			}
		}
		if got[4].PayloadType != 100 || got[3].PayloadType != 0 {
			t.Errorf("payload types %d, %d", got[3].PayloadType, got[4].PayloadType)
		}

		a.SetMuted(true)
		send(3, 800, 0, []byte{5})
		a.SetMuted(false)
		b.SetFormat(Format{Send: true, Receive: true}) // takes no events
		send(4, 960, 101, Event{Code: 5, End: true}.Append(nil))
		if rest, _ := wb.take(); len(rest) != 0 {
			t.Errorf("%d packets passed", len(rest))
		}
		send(5, 1120, 0, []byte{6})
		if rest, _ := wb.take(); len(rest) != 1 || rest[0].SequenceNumber != got[4].SequenceNumber+1 {
			t.Errorf("what is not relayed must leave no gap: %+v", rest)
		}
		// A clip takes the place of the relay; afterwards the relay goes on without a gap.
		b.Play(make([]byte, 320), false, nil)
		time.Sleep(30 * time.Millisecond) //nolint:forbidigo // the test's clock
		send(6, 1280, 0, []byte{7})
		time.Sleep(50 * time.Millisecond) //nolint:forbidigo // the test's clock
		send(7, 1440, 0, []byte{8})
		mixed, _ := wb.take()
		continuous(t, mixed)
		if n := len(mixed); n != 3 || mixed[n-1].Payload[0] != 8 {
			t.Errorf("%d packets", n)
		}
		// Nobody speaks for long: the listener gets silence.
		time.Sleep(1500 * time.Millisecond) //nolint:forbidigo // the test's clock
		if quiet, _ := wb.take(); len(quiet) < 20 || quiet[0].Payload[0] != Silence {
			t.Errorf("%d packets of silence", len(quiet))
		}
	})
}

func TestTimeoutIsReportedOnceAndTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock(1)
		defer c.Close()
		reports := make(chan bool, 10)
		var w wire
		p := newTestPort(c, &w, open, Hooks{Timeout: func(silent bool) { reports <- silent }})
		defer p.Close()
		start := time.Now()
		if !<-reports || time.Since(start) > 1100*time.Millisecond {
			t.Errorf("after %v", time.Since(start))
		}
		time.Sleep(3 * time.Second) //nolint:forbidigo // the test's clock
		p.Receive(packet(t, 0, 1, 1, 1, []byte{1}), time.Now())
		if <-reports {
			t.Error("reported twice")
		}
		p.SetFormat(Format{Send: true}) // on hold: nothing is expected
		time.Sleep(3 * time.Second)     //nolint:forbidigo // the test's clock
		select {
		case <-reports:
			t.Error("reported while on hold")
		default:
		}
	})
}

func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock(1)
		defer c.Close()
		var w wire
		p := newTestPort(c, &w, open, Hooks{})
		defer p.Close()
		for i := range 100 {
			time.Sleep(20 * time.Millisecond) //nolint:forbidigo // the test's clock
			if i%10 == 3 {
				continue // lost
			}
			p.Receive(packet(t, 0, uint16(65500+i), uint32(i*160), 9, []byte{1}), time.Now())
		}
		p.Receive([]byte{1, 2, 3}, time.Now())
		p.Receive(packet(t, 8, 1, 1, 9, []byte{1}), time.Now())
		p.Receive(packet(t, 101, 1, 1, 9, []byte{1}), time.Now())
		p.Receive(packet(t, 0, 1, 1, 9, nil), time.Now())
		s := p.Stats()
		if s.Received != 90 || s.Lost != 10 || s.Discarded != 4 || s.Jitter != 0 || time.Since(s.LastReceived) != 0 {
			t.Errorf("%+v", s)
		}
		// A new source does not count the numbers between as lost.
		p.Receive(packet(t, 0, 30000, 5, 10, []byte{1}), time.Now())
		if s := p.Stats(); s.Lost != 10 || s.Received != 91 {
			t.Errorf("%+v", s)
		}
	})
}

func TestClockSkipsAfterStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock(1)
		defer c.Close()
		stall := make(chan time.Duration, 1)
		type beat struct {
			at     time.Time
			frames uint32
		}
		var mu sync.Mutex
		var beats []beat
		detach := c.attach(&tickFunc{func(now time.Time, frames uint32) {
			mu.Lock()
			beats = append(beats, beat{now, frames})
			mu.Unlock()
			select {
			case d := <-stall:
				time.Sleep(d) //nolint:forbidigo // the test's clock
			default:
			}
		}})
		defer detach()
		start := time.Now()
		stall <- 110 * time.Millisecond
		time.Sleep(400 * time.Millisecond) //nolint:forbidigo // the test's clock
		stall <- 2 * time.Second
		time.Sleep(3 * time.Second) //nolint:forbidigo // the test's clock
		mu.Lock()
		defer mu.Unlock()
		total := uint32(0)
		for _, b := range beats {
			total += b.frames
		}
		if want := uint32(time.Since(start) / Frame); total < want-1 || total > want+1 {
			t.Errorf("%d frames, want %d: the schedule is absolute", total, want)
		}
		if c.Skipped() < 90 || c.Skipped() > 100 {
			t.Errorf("%d frames skipped", c.Skipped())
		}
		if beats[1].frames != 1 || beats[5].at.Sub(beats[1].at) > 2*Frame {
			t.Error("a short delay must be made up for at once")
		}
	})
}

// TestClockIsNotAdvancedByPortsThatComeAndGo: calls that are refused at once must not put off those that are not.
func TestClockIsNotAdvancedByPortsThatComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock(1)
		defer c.Close()
		for range 500 {
			c.attach(&tickFunc{func(time.Time, uint32) {}})()
			synctest.Wait()
		}
		first := make(chan time.Duration, 1)
		start := time.Now()
		detach := c.attach(&tickFunc{func(now time.Time, _ uint32) {
			select {
			case first <- now.Sub(start):
			default:
			}
		}})
		defer detach()
		if d := <-first; d > 2*Frame {
			t.Errorf("the first tick came after %v", d)
		}
	})
}

type tickFunc struct{ fn func(time.Time, uint32) }

func (f *tickFunc) tick(now time.Time, frames uint32) { f.fn(now, frames) }

func TestPorts(t *testing.T) {
	ip := netip.MustParseAddr("127.0.0.1")
	for _, r := range [][2]int{{1, 0}, {100, 100}, {5000, 70000}, {-2, 10}} {
		if _, err := NewPorts(ip, r[0], r[1]); errs.CodeOf(err) != errs.Invalid {
			t.Errorf("range %v: %v", r, err)
		}
	}
	ports, err := NewPorts(ip, 41231, 41236)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		conn, err := ports.Listen()
		if errs.CodeOf(err) == errs.Exhausted {
			return // another process has some of them
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if a, err := netip.ParseAddrPort(conn.LocalAddr().String()); err != nil || a.Port()%2 != 0 || a.Port() < 41232 {
			t.Errorf("port %v", a)
		}
	}
	if _, err := ports.Listen(); errs.CodeOf(err) != errs.Exhausted {
		t.Errorf("a fourth port of three: %v", err)
	}
}

// FuzzReceive throws any packets at a bridged port: what goes out is well formed.
func FuzzReceive(f *testing.F) {
	f.Add([]byte{0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xFF})
	f.Add([]byte{0x90, 101, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xBE, 0xDE, 0, 1, 1, 2, 3, 4, 5, 0x80, 0, 0})
	f.Add([]byte{0xBF, 0, 0, 1})
	f.Add([]byte{0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) // RTCP, a sender report
	f.Add([]byte{0x81, 203, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2})                                                 // and a goodbye
	f.Add([]byte{0xA0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 255})                                           // more padding than packet
	f.Add([]byte{0x80, 101, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 255, 255, 255, 255, 1, 2, 3, 4})                 // an event that is no key, and another behind it
	f.Add([]byte{0x00, 1, 0, 8, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})               // STUN
	f.Add([]byte{0x80, 13, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 60})                                              // comfort noise
	c := NewClock(1)
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var w wire
		a, b := newTestPort(c, &wire{}, open, Hooks{}), newTestPort(c, &w, open, Hooks{})
		defer a.Close()
		defer b.Close()
		a.Connect(b)
		b.Connect(a)
		ok := a.Receive(raw, time.Now())
		if ok && len(raw) < 12 {
			t.Error("a packet without a header was taken")
		}
		packets, _ := w.take()
		for _, p := range packets {
			if p.PayloadType != 0 && p.PayloadType != 96 || len(p.Payload) > maxPayload {
				t.Errorf("sent %+v", p.Header)
			}
		}
	})
}

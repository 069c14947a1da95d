package media

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"

	"github.com/tandemcc/tandem/internal/voice"
)

// listener counts the presses that a telephone hears in what a port sends.
func listener(t *testing.T, packets []rtp.Packet, at []time.Time) string {
	t.Helper()
	var d Detector
	var keys []rune
	for i := range packets {
		if packets[i].PayloadType != open.EventOut {
			continue
		}
		e, err := ParseEvent(packets[i].Payload)
		if err != nil {
			t.Fatal(err)
		}
		if digit, ok := d.Tick(at[i]); ok {
			keys = append(keys, digit.Key)
		}
		a, b, n := d.Packet(at[i], packets[i].Timestamp, e)
		for _, digit := range []voice.Digit{a, b}[:n] {
			keys = append(keys, digit.Key)
		}
	}
	if digit, ok := d.Tick(time.Now().Add(time.Hour)); ok {
		keys = append(keys, digit.Key)
	}
	return string(keys)
}

// presser sends the packets of keys into a port.
type presser struct {
	t    *testing.T
	port *Port
	seq  uint16
	ts   uint32
}

func (p *presser) event(code byte, end bool, duration uint16) {
	p.t.Helper()
	p.seq++
	raw := packet(p.t, open.EventIn, p.seq, p.ts, 7, Event{Code: code, End: end, Duration: duration}.Append(nil))
	if !p.port.Receive(raw, time.Now()) {
		p.t.Error("an event was refused")
	}
}

// bridged makes two ports that are not connected yet.
func bridged(t *testing.T) (a, b *Port, w *wire) {
	t.Helper()
	c := NewClock(1)
	w = &wire{}
	a, b = newTestPort(c, &wire{}, open, Hooks{}), newTestPort(c, w, open, Hooks{})
	t.Cleanup(func() {
		a.Close()
		b.Close()
		c.Close()
	})
	return a, b, w
}

// TestLatePacketsOfAPress: a loaded machine holds packets back; they belong to the press that was reported, however late they are.
func TestLatePacketsOfAPress(t *testing.T) {
	type step struct {
		at   int // milliseconds
		tick bool
		eventPacket
	}
	for name, tc := range map[string]struct {
		steps []step
		want  string
	}{
		"the end is repeated after a standstill": {[]step{
			{0, false, eventPacket{0, 100, 1, false, 160}},
			{80, false, eventPacket{0, 100, 1, true, 800}},
			{500, false, eventPacket{0, 100, 1, true, 800}},
			{520, false, eventPacket{0, 100, 1, true, 800}},
		}, "1"},
		"the middle is late and its end was taken as lost": {[]step{
			{0, false, eventPacket{0, 100, 1, false, 160}},
			{20, false, eventPacket{0, 100, 1, false, 320}},
			{200, true, eventPacket{}},
			{700, false, eventPacket{0, 100, 1, false, 480}},
			{720, false, eventPacket{0, 100, 1, false, 640}},
			{740, false, eventPacket{0, 100, 1, true, 800}},
			{760, false, eventPacket{0, 100, 1, true, 800}},
			{1200, true, eventPacket{}},
		}, "1"},
		"the next press of the same key": {[]step{
			{0, false, eventPacket{0, 100, 1, true, 800}},
			{500, false, eventPacket{0, 100, 1, true, 800}},
			{520, false, eventPacket{0, 1380, 1, false, 160}},
			{540, false, eventPacket{0, 1380, 1, true, 800}},
		}, "11"},
		"a recording that begins again at once": {[]step{
			{0, false, eventPacket{0, 100, 1, false, 160}},
			{20, false, eventPacket{0, 100, 1, true, 800}},
			{320, false, eventPacket{0, 100, 1, false, 160}},
			{340, false, eventPacket{0, 100, 1, true, 800}},
		}, "11"},
	} {
		var d Detector
		var got []rune
		start := time.Unix(1000, 0)
		for _, s := range tc.steps {
			at := start.Add(time.Duration(s.at) * time.Millisecond)
			if s.tick {
				if digit, ok := d.Tick(at); ok {
					got = append(got, digit.Key)
				}
				continue
			}
			a, b, n := d.Packet(at, s.ts, Event{Code: s.code, End: s.end, Duration: s.dur})
			for _, digit := range []voice.Digit{a, b}[:n] {
				got = append(got, digit.Key)
			}
		}
		if string(got) != tc.want {
			t.Errorf("%s: %q, want %q", name, string(got), tc.want)
		}
	}
}

// TestPressBeforeABridgeStaysOutOfIt: the end of the key that chose the agent from a menu is repeated when the two talk already.
func TestPressBeforeABridgeStaysOutOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, w := bridged(t)
		p := &presser{t: t, port: a, ts: 1000}
		p.event(0, false, 160)
		p.event(0, true, 320)
		a.Connect(b)
		p.event(0, true, 320)
		p.event(0, true, 320)
		p.ts = 5000
		p.event(5, false, 160)
		p.event(5, true, 320)
		p.event(5, true, 320)
		packets, at := w.take()
		continuous(t, packets)
		if keys := listener(t, packets, at); keys != "5" {
			t.Errorf("the other side heard %q", keys)
		}
	})
}

// TestPressThatBeginsMutedStaysUnheard: nor does the rest of a press pass when its beginning was held back.
func TestPressThatBeginsMutedStaysUnheard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, w := bridged(t)
		a.Connect(b)
		p := &presser{t: t, port: a, ts: 1000}
		p.event(1, true, 160) // passes
		a.SetMuted(true)
		p.ts = 3000
		p.event(2, false, 160)
		a.SetMuted(false)
		p.event(2, true, 320)
		b.Play(make([]byte, 800), true, nil) // music on hold
		p.ts = 5000
		p.event(3, false, 160)
		b.Stop()
		p.event(3, true, 320)
		packets, at := w.take()
		continuous(t, packets)
		if keys := listener(t, packets, at); keys != "1" {
			t.Errorf("the other side heard %q", keys)
		}
	})
}

// TestPressIsOneWhateverInterruptsIt: a clip, silence after a standstill or keys of our own in the middle of a press do not make two of it.
func TestPressIsOneWhateverInterruptsIt(t *testing.T) {
	for name, interrupt := range map[string]func(b *Port){
		"a clip":       func(b *Port) { b.Play(make([]byte, FrameSamples), false, nil) },
		"a standstill": func(*Port) { time.Sleep(3 * fillAfter) }, //nolint:forbidigo // the test's clock
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b, w := bridged(t)
			a.Connect(b)
			p := &presser{t: t, port: a, ts: 1000}
			p.event(4, false, 160)
			interrupt(b)
			time.Sleep(50 * time.Millisecond) //nolint:forbidigo // the test's clock
			p.event(4, false, 320)
			p.event(4, true, 480)
			p.event(4, true, 480)
			packets, at := w.take()
			continuousSeq(t, packets)
			if keys := listener(t, packets, at); keys != "4" {
				t.Errorf("%s: the other side heard %q", name, keys)
			}
		})
	}
}

// TestPressWaitsForKeysOfOurOwn: a key pressed while others are being sent comes after them, once.
func TestPressWaitsForKeysOfOurOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, w := bridged(t)
		a.Connect(b)
		if err := b.SendDigits("12"); err != nil {
			t.Fatal(err)
		}
		p := &presser{t: t, port: a, ts: 1000}
		p.event(9, false, 160)
		time.Sleep(100 * time.Millisecond) //nolint:forbidigo // the test's clock
		p.event(9, true, 800)
		p.event(9, true, 800)
		time.Sleep(time.Second) //nolint:forbidigo // the test's clock
		packets, at := w.take()
		continuous(t, packets)
		if keys := listener(t, packets, at); keys != "129" {
			t.Errorf("the other side heard %q", keys)
		}
	})
}

// continuousSeq checks that a stream has one SSRC and no gaps.
func continuousSeq(t *testing.T, packets []rtp.Packet) {
	t.Helper()
	for i := 1; i < len(packets); i++ {
		a, b := packets[i-1].Header, packets[i].Header
		if b.SSRC != a.SSRC || b.SequenceNumber != a.SequenceNumber+1 {
			t.Fatalf("packet %d: %+v follows %+v", i, b, a)
		}
	}
}

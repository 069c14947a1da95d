package media

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/voice"
)

type eventPacket struct {
	at   int // milliseconds
	ts   uint32
	code byte
	end  bool
	dur  uint16
}

func TestDetector(t *testing.T) {
	press := func(key rune, ms int) voice.Digit {
		return voice.Digit{Key: key, Duration: time.Duration(ms) * time.Millisecond}
	}
	tests := map[string]struct {
		packets []eventPacket
		ticks   int // milliseconds at which the clock looks, once
		want    []voice.Digit
	}{
		"usual press with its end three times": {
			[]eventPacket{{0, 100, 5, false, 160}, {20, 100, 5, false, 320}, {40, 100, 5, true, 480}, {40, 100, 5, true, 480}, {60, 100, 5, true, 480}},
			1000,
			[]voice.Digit{press('5', 60)},
		},
		"first packet has duration 0": {
			[]eventPacket{{0, 100, 2, false, 0}, {20, 100, 2, false, 160}, {40, 100, 2, true, 320}},
			1000,
			[]voice.Digit{press('2', 40)},
		},
		"all packets have duration 0":   {[]eventPacket{{0, 100, 11, false, 0}, {20, 100, 11, true, 0}}, 1000, []voice.Digit{press('#', 0)}},
		"only an end packet came":       {[]eventPacket{{0, 100, 10, true, 800}}, 1000, []voice.Digit{press('*', 100)}},
		"all end packets lost":          {[]eventPacket{{0, 100, 1, false, 160}, {20, 100, 1, false, 320}}, 200, []voice.Digit{press('1', 40)}},
		"too early to call it lost":     {[]eventPacket{{0, 100, 1, false, 160}}, 100, nil},
		"end lost, the next key begins": {[]eventPacket{{0, 100, 1, false, 160}, {80, 900, 2, true, 160}}, 1000, []voice.Digit{press('1', 20), press('2', 20)}},
		"same key twice":                {[]eventPacket{{0, 100, 1, true, 160}, {80, 900, 1, true, 160}}, 1000, []voice.Digit{press('1', 20), press('1', 20)}},
		"a recording played twice":      {[]eventPacket{{0, 100, 2, true, 160}, {1000, 100, 2, false, 0}, {1020, 100, 2, true, 160}}, 2000, []voice.Digit{press('2', 20), press('2', 20)}},
		"recordings with falling times": {[]eventPacket{{0, 9000, 2, true, 160}, {1000, 100, 3, true, 160}}, 2000, []voice.Digit{press('2', 20), press('3', 20)}},
		"straggler of the key before":   {[]eventPacket{{0, 100, 1, true, 160}, {50, 900, 2, false, 160}, {60, 100, 1, true, 160}, {70, 900, 2, true, 320}}, 1000, []voice.Digit{press('1', 20), press('2', 40)}},
		"overtaken packet":              {[]eventPacket{{0, 100, 1, false, 320}, {20, 100, 1, false, 160}, {40, 100, 1, true, 480}}, 1000, []voice.Digit{press('1', 60)}},
		"no key but a flash":            {[]eventPacket{{0, 100, 16, true, 160}}, 1000, nil},
		"held for 10 s in segments": {
			[]eventPacket{{0, 100, 7, false, 65535}, {8200, 100 + 65535, 7, false, 160}, {10000, 100 + 65535, 7, true, 14465}, {10020, 100 + 65535, 7, true, 14465}},
			12000,
			[]voice.Digit{press('7', 10000)},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var d Detector
			var got []voice.Digit
			start := time.Unix(1000, 0)
			for _, p := range tc.packets {
				at := start.Add(time.Duration(p.at) * time.Millisecond)
				a, b, n := d.Packet(at, p.ts, Event{Code: p.code, End: p.end, Duration: p.dur})
				got = append(got, []voice.Digit{a, b}[:n]...)
			}
			if digit, ok := d.Tick(start.Add(time.Duration(tc.ticks) * time.Millisecond)); ok {
				got = append(got, digit)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEventRoundTrip(t *testing.T) {
	want := Event{Code: 11, End: true, Volume: 10, Duration: 800}
	got, err := ParseEvent(want.Append(nil))
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := ParseEvent([]byte{1, 2, 3}); err == nil {
		t.Error("three bytes were taken")
	}
}

// FuzzDetector plays any bytes as a stream of packets: no more presses than packets, and no panic.
func FuzzDetector(f *testing.F) {
	f.Add([]byte{0, 0, 0, 100, 5, 0x8A, 0, 160})
	f.Add(bytes.Repeat([]byte{1, 0, 0, 100, 16, 0, 255, 255}, 4))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Detector
		now := time.Unix(1000, 0)
		packets, presses := 0, 0
		for len(data) >= 8 {
			e, err := ParseEvent(data[4:8])
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(time.Duration(data[0]) * 10 * time.Millisecond)
			ts := uint32(data[1])<<16 | uint32(data[2])<<8 | uint32(data[3])
			_, _, n := d.Packet(now, ts, e)
			if _, ok := d.Tick(now); ok {
				n++
			}
			packets++
			presses += n
			data = data[8:]
		}
		if presses > packets {
			t.Errorf("%d presses of %d packets", presses, packets)
		}
	})
}

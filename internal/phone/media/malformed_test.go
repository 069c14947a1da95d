package media

import (
	"testing"
	"time"
)

// TestWhatIsNoAudioIsDiscarded: other protocols that come to an audio port, as reports do when the far end multiplexes them (RFC 5761), and
// damaged packets are counted and change nothing.
func TestWhatIsNoAudioIsDiscarded(t *testing.T) {
	c := NewClock(1)
	defer c.Close()
	var w wire
	a, b := newTestPort(c, &wire{}, open, Hooks{}), newTestPort(c, &w, open, Hooks{})
	defer a.Close()
	defer b.Close()
	a.Connect(b)
	header := []byte{0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}
	with := func(pt byte, rest ...byte) []byte {
		raw := append(append([]byte{}, header...), rest...)
		raw[1] = pt
		return raw
	}
	bad := map[string][]byte{
		"nothing":                nil,
		"half a header":          header[:7],
		"no payload":             header,
		"a sender report":        with(200, make([]byte, 16)...),
		"a receiver report":      with(201, make([]byte, 24)...),
		"a goodbye":              with(203),
		"STUN":                   {0, 1, 0, 8, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"another codec":          with(8, 1, 2, 3),
		"an event cut short":     with(open.EventIn, 5, 0x80, 0),
		"an event with a tail":   with(open.EventIn, make([]byte, maxEventPayload+1)...),
		"too much audio":         with(0, make([]byte, maxPayload+1)...),
		"version 1":              append([]byte{0x40}, with(0, 1, 2)[1:]...),
		"more padding than data": append([]byte{0xA0}, with(0, 1, 255)[1:]...),
		"sources that are not":   append([]byte{0x8F}, with(0, 1, 2)[1:]...),
		"an endless extension":   append([]byte{0x90}, with(0, 0xBE, 0xDE, 0xFF, 0xFF, 1)[1:]...),
	}
	w.take()
	for name, raw := range bad {
		if a.Receive(raw, time.Now()) {
			t.Errorf("%s was taken", name)
		}
	}
	s := a.Stats()
	if s.Received != 0 || s.Lost != 0 || s.Discarded != uint64(len(bad)) || !s.LastReceived.IsZero() {
		t.Errorf("%+v", s)
	}
	packets, _ := w.take()
	for _, p := range packets {
		if p.PayloadType != PayloadPCMU || p.Payload[0] != Silence {
			t.Errorf("relayed %+v", p)
		}
	}
}

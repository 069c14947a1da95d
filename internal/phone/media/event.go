package media

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/voice"
)

const eventKeys = "0123456789*#ABCD" // RFC 4733 §3.2: position is the event code

// Event is the payload of a telephone event packet (RFC 4733 §2.3).
type Event struct {
	Code     byte
	End      bool
	Volume   byte   // 0 to 63, in -dBm0
	Duration uint16 // in samples since the event's RTP timestamp
}

// ParseEvent reads the first event of a payload; more bytes may follow and are ignored.
func ParseEvent(payload []byte) (Event, error) {
	if len(payload) < 4 {
		return Event{}, errs.New(errs.Invalid, "a telephone event has 4 bytes, this one has %d", len(payload))
	}
	return Event{
		Code: payload[0], End: payload[1]&0x80 != 0, Volume: payload[1] & 0x3F,
		Duration: binary.BigEndian.Uint16(payload[2:]),
	}, nil
}

// Append writes the event's four bytes to dst.
func (e Event) Append(dst []byte) []byte {
	flags := e.Volume & 0x3F
	if e.End {
		flags |= 0x80
	}
	return binary.BigEndian.AppendUint16(append(dst, e.Code, flags), e.Duration)
}

// Key returns the key of a DTMF event; other events (flash, tones) have none.
func (e Event) Key() (rune, bool) {
	if int(e.Code) >= len(eventKeys) {
		return 0, false
	}
	return rune(eventKeys[e.Code]), true
}

func eventCodes(keys string) ([]byte, error) {
	codes := make([]byte, 0, len(keys))
	for _, k := range strings.ToUpper(keys) {
		i := strings.IndexRune(eventKeys, k)
		if i < 0 {
			return nil, errs.New(errs.Invalid, "%q is no telephone key: use 0-9 * # A-D", k)
		}
		codes = append(codes, byte(i)) //nolint:gosec // i < 16
	}
	return codes, nil
}

const (
	// eventLostEnd is how long after the last packet of an event its end is taken as lost. Senders repeat every 20 to 50 ms.
	eventLostEnd = 160 * time.Millisecond
	// eventRepeat is how long after its end all of an event's packets are taken as repetitions or stragglers. A sender that plays a
	// recording twice uses the same timestamp again, later than that.
	eventRepeat = 250 * time.Millisecond
	// eventLate is how long its end, or what prolongs it, may be held back by a machine or a network that stands still. A recording that
	// is played again is told from that by its beginning: its first packets are shorter than the event was.
	eventLate = 5 * time.Second
)

type seenEvent struct {
	valid    bool
	ts       uint32
	code     byte
	duration uint32 // samples
	seen     time.Time
}

// Detector turns a stream of event packets into key presses. A press is reported at the packet with the end bit, once per RTP
// timestamp, whatever the durations are (streams that begin with duration 0 are common), or, when all end packets are
// lost, as soon as another event begins or no packet came for 160 ms. The zero Detector is ready; it is not safe for concurrent use.
type Detector struct {
	active, done seenEvent
}

// Packet takes one event packet. It returns the presses that it completes, at most two.
func (d *Detector) Packet(now time.Time, ts uint32, e Event) (first, second voice.Digit, n int) {
	if d.repeated(now, ts, e) {
		d.done.seen = now
		return first, second, 0
	}
	if d.active.valid && !d.continues(ts, e) {
		first, n = d.finish(now)
	}
	switch {
	case !d.active.valid:
		d.active = seenEvent{valid: true, ts: ts, code: e.Code, duration: uint32(e.Duration), seen: now}
	default: // a packet that was overtaken must not shorten the event
		d.active.duration = max(d.active.duration, ts-d.active.ts+uint32(e.Duration))
		d.active.seen = now
	}
	if !e.End {
		return first, second, n
	}
	last, k := d.finish(now)
	if d.done.valid {
		d.done.ts = ts // of the last segment, which is the one whose end is repeated
	}
	if n == 0 {
		return last, second, k
	}
	return first, last, n + k
}

// Tick reports a press whose end packets were lost.
func (d *Detector) Tick(now time.Time) (voice.Digit, bool) {
	if !d.active.valid || now.Sub(d.active.seen) < eventLostEnd {
		return voice.Digit{}, false
	}
	digit, n := d.finish(now)
	return digit, n == 1
}

// Begins reports whether a packet is the first of its press, as far as they came; it is to be asked before Packet.
func (d *Detector) Begins(now time.Time, ts uint32, e Event) bool {
	return !d.repeated(now, ts, e) && (!d.active.valid || !d.continues(ts, e))
}

func (d *Detector) repeated(now time.Time, ts uint32, e Event) bool {
	if !d.done.valid || d.active.valid && d.active.ts == ts && d.active.code == e.Code {
		return false
	}
	since := now.Sub(d.done.seen)
	if ts == d.done.ts {
		prolongs := e.End || uint32(e.Duration) > d.done.duration
		return e.Code == d.done.code && (since < eventRepeat || since < eventLate && prolongs)
	}
	return since < eventRepeat && int32(ts-d.done.ts) < 0 //nolint:gosec // serial number arithmetic: older than what is finished
}

// continues also takes the next segment of an event longer than 65,535 samples (RFC 4733 §2.5.1.3).
func (d *Detector) continues(ts uint32, e Event) bool {
	if e.Code != d.active.code {
		return false
	}
	return ts == d.active.ts || (d.active.duration >= 0xFFFF && ts-d.active.ts <= d.active.duration)
}

func (d *Detector) finish(now time.Time) (voice.Digit, int) {
	a := d.active
	d.active = seenEvent{}
	d.done = a
	d.done.seen = now
	key, ok := Event{Code: a.code}.Key()
	if !ok {
		return voice.Digit{}, 0
	}
	return voice.Digit{Key: key, Duration: samples(a.duration)}, 1
}

func samples(n uint32) time.Duration { return time.Duration(n) * time.Second / SampleRate }

// keySender plays keys as events, one call of next per frame.
type keySender struct {
	codes []byte
	step  int
	ts    uint32
}

const (
	keyFrames    = 5  // 100 ms
	keyEnds      = 3  // the end packet and two repetitions, RFC 4733 §2.5.1.4
	keyStepsAll  = 8  // 100 ms and a pause of 60 ms, in which the repetitions fall
	maxKeys      = 64 // waiting
	keyVolume    = 10 // -10 dBm0
	keyLastFrame = keyFrames - 1
)

// next returns the packet of this frame, if there is one. marker is set on a key's first packet.
func (k *keySender) next(ts uint32) (e Event, eventTS uint32, marker, send bool) {
	if k.step == 0 {
		k.ts = ts
	}
	step := k.step
	code := k.codes[0]
	k.step++
	if k.step == keyStepsAll {
		k.codes, k.step = k.codes[1:], 0
	}
	if step >= keyLastFrame+keyEnds {
		return e, k.ts, false, false
	}
	e = Event{
		Code: code, Volume: keyVolume, End: step >= keyLastFrame,
		Duration: uint16(min(step+1, keyFrames) * FrameSamples), //nolint:gosec // at most 800
	}
	return e, k.ts, step == 0, true
}

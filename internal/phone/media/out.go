package media

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtp"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/voice"
)

// fillAfter is how long a bridged port that gets nothing to relay waits until it sends silence, so that the far end and
// the address translators on the way see the call alive.
const fillAfter = time.Second

const (
	headerSize = 12
	markerBit  = 0x80
)

// outStream is what one port sends: a single RTP stream, whatever its sources are. The SSRC stays, sequence numbers have no
// gaps of our making, and timestamps follow real time.
type outStream struct {
	mu     sync.Mutex // guards all
	format Format
	ssrc   uint32
	seq    uint16 // of the next packet
	ts     uint32 // of the next frame by our clock
	lastTS uint32 // latest sent
	mark   bool   // the next audio packet begins a talk spurt
	clip   *playing
	keys   keySender
	relay  relayState
	press  relayedPress
	buf    [headerSize + maxPayload]byte
	joint  [FrameSamples]byte // a frame that is not a piece of the clip: its end, or where a loop begins anew
}

// silence is a frame of it.
//
//nolint:gochecknoglobals // a constant
var silence = [FrameSamples]byte(bytes.Repeat([]byte{Silence}, FrameSamples))

type relayState struct {
	synced bool
	ssrc   uint32
	seqOff uint16
	tsOff  uint32
	latest uint16 // of the source
	at     time.Time
}

// relayedPress is the press that was relayed last. It keeps its timestamp to the end, by which it is known, whatever interrupts the
// audio meanwhile.
type relayedPress struct {
	id    uint64
	tsOff uint32
}

type playing struct {
	data []byte
	pos  int
	loop bool
	done func(bool)
}

func (c *playing) finish(completed bool) {
	if c != nil && c.done != nil {
		go c.done(completed)
	}
}

// frame returns the next 20 ms, as a piece of the clip or made in scratch; the last one is filled up with silence. It returns nil
// when the clip is over.
func (c *playing) frame(scratch *[FrameSamples]byte) []byte {
	if c.pos >= len(c.data) {
		return nil
	}
	if end := c.pos + FrameSamples; end < len(c.data) {
		piece := c.data[c.pos:end:end]
		c.pos = end
		return piece
	}
	dst := scratch[:0]
	for len(dst) < FrameSamples && c.pos < len(c.data) {
		n := min(FrameSamples-len(dst), len(c.data)-c.pos)
		dst = append(dst, c.data[c.pos:c.pos+n]...)
		c.pos += n
		if c.loop && c.pos == len(c.data) {
			c.pos = 0
		}
	}
	for len(dst) < FrameSamples {
		dst = append(dst, Silence)
	}
	return dst
}

func (o *outStream) init() {
	o.ssrc, o.ts, o.seq = rand.Uint32(), rand.Uint32(), uint16(rand.Uint32N(1<<15)) //nolint:gosec // below 1<<15
	o.lastTS = o.ts - FrameSamples
	o.mark = true
}

func (o *outStream) setFormat(f Format) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.EventOut == 0 {
		o.keys = keySender{}
	}
	o.format = f
}

func (o *outStream) replace(c *playing) {
	o.mu.Lock()
	old := o.clip
	o.clip = c
	o.mark = true
	o.mu.Unlock()
	old.finish(false)
}

func (o *outStream) addKeys(codes []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.format.EventOut == 0 {
		return errs.New(errs.Conflict, "the far end takes no telephone events: it did not offer them (RFC 4733)")
	}
	if len(o.keys.codes)+len(codes) > maxKeys {
		return errs.New(errs.Exhausted, "more than %d keys are waiting to be sent: send fewer at a time", maxKeys)
	}
	o.keys.codes = append(o.keys.codes, codes...)
	return nil
}

// nextTS is the timestamp for a packet of a new source: by the clock, but never before the end of what was sent.
func (o *outStream) nextTS() uint32 {
	if end := o.lastTS + FrameSamples; int32(end-o.ts) > 0 { //nolint:gosec // serial number arithmetic
		o.ts = end
	}
	return o.ts
}

// packet writes a header in front of payload into buf and advances the stream.
func (o *outStream) packet(pt uint8, marker bool, seq uint16, ts uint32, payload []byte) []byte {
	b := o.buf[:headerSize]
	b[0], b[1] = 0x80, pt
	if marker {
		b[1] |= markerBit
	}
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], o.ssrc)
	b = append(b, payload...)
	if int16(seq-o.seq) >= 0 { //nolint:gosec // serial number arithmetic
		o.seq = seq + 1
	}
	if int32(ts-o.lastTS) > 0 { //nolint:gosec // serial number arithmetic
		o.lastTS = ts
	}
	return b
}

// sendFrame sends what is due at a tick: keys before a clip before silence.
func (p *Port) sendFrame(now time.Time, frames uint32) {
	o := &p.out
	o.mu.Lock()
	defer o.mu.Unlock()
	ts := o.nextTS()
	o.ts += frames * FrameSamples
	if len(o.keys.codes) > 0 {
		p.sendKey(ts)
		return
	}
	var payload []byte
	if o.clip != nil {
		if payload = o.clip.frame(&o.joint); payload == nil {
			o.clip.finish(true)
			o.clip = nil
		}
	}
	if payload == nil {
		if p.peer.Load() != nil && now.Sub(o.relay.at) < fillAfter {
			return
		}
		payload = silence[:]
	}
	o.relay.synced = false
	if !o.format.Send {
		return
	}
	p.write(o.packet(PayloadPCMU, o.mark, o.seq, ts, payload), payload)
	o.mark = false
}

func (p *Port) sendKey(ts uint32) {
	o := &p.out
	e, eventTS, marker, send := o.keys.next(ts)
	o.relay.synced = false
	o.mark = true // audio after a key begins anew
	if !send || !o.format.Send {
		return
	}
	var b [4]byte
	p.write(o.packet(o.format.EventOut, marker, o.seq, eventTS, e.Append(b[:0])), nil)
}

// relay sends a packet that the other side of a bridge received. Its sequence numbers and timestamps are shifted, not
// replaced, so that the listener sees what was lost or late on the way. A press is relayed whole or not at all: the far end would
// take a part of it for a press.
func (p *Port) relay(pkt *rtp.Packet, key press) {
	o := &p.out
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.relays(key) || p.closed.Load() {
		o.relay.synced = false
		return
	}
	marker := o.sync(pkt)
	o.relay.at = now
	seq, ts := pkt.SequenceNumber+o.relay.seqOff, pkt.Timestamp+o.relay.tsOff
	if key.id == 0 {
		p.write(o.packet(PayloadPCMU, marker, seq, ts, pkt.Payload), pkt.Payload)
		return
	}
	if key.begins {
		o.press = relayedPress{key.id, ts - pkt.Timestamp}
	}
	p.write(o.packet(o.format.EventOut, marker, seq, pkt.Timestamp+o.press.tsOff, pkt.Payload), nil)
}

// relays reports whether a packet may be relayed now. A press that meets keys of our own waits its turn behind them.
func (o *outStream) relays(key press) bool {
	free := o.clip == nil && len(o.keys.codes) == 0 && o.format.Send
	switch {
	case key.id == 0:
		return free
	case o.format.EventOut == 0:
		return false
	case !key.begins:
		return free && o.press.id == key.id
	}
	if n := len(o.keys.codes); n > 0 && n < maxKeys && int(key.code) < len(eventKeys) {
		o.keys.codes = append(o.keys.codes, key.code)
	}
	return free
}

// sync fits the source of a packet to the stream, if it is new or was interrupted, and returns the packet's marker.
func (o *outStream) sync(pkt *rtp.Packet) (marker bool) {
	r := &o.relay
	jump := int(int16(pkt.SequenceNumber - r.latest)) //nolint:gosec // serial number arithmetic
	if r.synced && r.ssrc == pkt.SSRC && jump <= maxDropout && jump >= -maxMisorder {
		if jump > 0 {
			r.latest = pkt.SequenceNumber
		}
		return pkt.Marker
	}
	*r = relayState{
		synced: true, ssrc: pkt.SSRC, latest: pkt.SequenceNumber,
		seqOff: o.seq - pkt.SequenceNumber, tsOff: o.nextTS() - pkt.Timestamp,
	}
	return true
}

// interruptRelay makes the next packet of the relay follow the latest one, whatever came between at the source.
func (p *Port) interruptRelay() {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	p.out.relay.synced = false
}

// write sends a packet; audio, if not nil, also goes to the tap.
func (p *Port) write(packet, audio []byte) {
	if tap := p.tap.Load(); tap != nil && audio != nil {
		(*tap)(voice.Sent, audio)
	}
	s := p.sender.Load()
	if s == nil {
		return
	}
	// A lost packet and one that could not be sent are the same to the listener; the socket's owner sees the error.
	if s.Send(packet) == nil {
		p.sent.Add(1)
	}
}

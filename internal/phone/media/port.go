package media

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/voice"
)

// maxPayload bounds one packet's audio: 180 ms, far more than any telephone packs.
const maxPayload = 1440

// maxEventPayload bounds an event packet: some senders put earlier events behind the first.
const maxEventPayload = 64

// Sender takes whole RTP packets to the far end. The slice is only valid during the call.
type Sender interface {
	Send(packet []byte) error
}

// Format is what a negotiation gave. The zero Format sends and receives nothing.
type Format struct {
	Send, Receive bool  // direction, seen from here
	EventOut      uint8 // payload type of telephone events the far end takes; 0: none
	EventIn       uint8 // and the one it is to send them with; 0: none
}

// Hooks report to the owner of a port. They must not block.
type Hooks struct {
	Digit   func(voice.Digit)
	Timeout func(silent bool) // true: nothing was received for the configured time; false: packets came again
}

// Port is one end of a conversation: it implements voice.Media over any Sender. Received packets are handed to Receive.
type Port struct {
	hooks   Hooks
	timeout time.Duration
	detach  func()

	sender  atomic.Pointer[senderBox]
	peer    atomic.Pointer[Port]
	onDigit atomic.Pointer[func(voice.Digit)]
	tap     atomic.Pointer[func(voice.Direction, []byte)]
	muted   atomic.Bool
	closed  atomic.Bool

	sent, discarded atomic.Uint64
	received        atomic.Int64 // UnixNano of the latest packet

	in struct {
		sync.Mutex
		format   Format
		since    time.Time // when receiving was last switched on
		packet   rtp.Packet
		stats    reception
		detector Detector
		latest   press
		timedOut bool
	}
	out outStream
}

type senderBox struct{ Sender }

var _ voice.Media = (*Port)(nil)

// NewPort makes a port that is driven by clock and sends nothing until SetSender and SetFormat. timeout is after which time
// without packets the Timeout hook is called; 0: never. Close must be called.
func NewPort(clock *Clock, timeout time.Duration, hooks Hooks) *Port {
	p := &Port{hooks: hooks, timeout: timeout}
	p.out.init()
	p.detach = clock.attach(p)
	return p
}

// SetSender sets where packets go, replacing the sender before it; nil drops them.
func (p *Port) SetSender(s Sender) {
	if s == nil {
		p.sender.Store(nil)
		return
	}
	p.sender.Store(&senderBox{s})
}

// SetFormat applies a negotiation.
func (p *Port) SetFormat(f Format) {
	p.in.Lock()
	if f.Receive && !p.in.format.Receive {
		p.in.since = time.Now()
	}
	p.in.format = f
	p.in.timedOut = p.in.timedOut && f.Receive
	p.in.Unlock()
	p.out.setFormat(f)
}

// Close ends the port: no more packets, a clip that plays is not completed, a bridge is the caller's to undo.
func (p *Port) Close() {
	if p.closed.Swap(true) {
		return
	}
	p.detach()
	p.peer.Store(nil)
	p.out.replace(nil)
}

// Closed reports whether Close was called.
func (p *Port) Closed() bool { return p.closed.Load() }

// Connect relays what p receives to peer (one way); nil ends it. It reports false if p was connected already, or, with nil, if it
// was not connected.
func (p *Port) Connect(peer *Port) bool {
	if peer == nil {
		return p.peer.Swap(nil) != nil
	}
	return p.peer.CompareAndSwap(nil, peer)
}

// Play implements voice.Media.
func (p *Port) Play(clip []byte, loop bool, done func(bool)) {
	c := &playing{data: clip, loop: loop && len(clip) > 0, done: done}
	if p.closed.Load() {
		c.finish(false)
		return
	}
	p.out.replace(c)
	if p.closed.Load() { // closed meanwhile: nothing would ever finish it
		p.out.replace(nil)
	}
}

// Stop implements voice.Media.
func (p *Port) Stop() { p.out.replace(nil) }

// SendDigits implements voice.Media.
func (p *Port) SendDigits(keys string) error {
	codes, err := eventCodes(keys)
	if err != nil {
		return err
	}
	if p.closed.Load() {
		return errs.New(errs.Conflict, "the call has ended")
	}
	return p.out.addKeys(codes)
}

// SetMuted implements voice.Media.
func (p *Port) SetMuted(muted bool) { p.muted.Store(muted) }

// OnDigit implements voice.Media.
func (p *Port) OnDigit(fn func(voice.Digit)) {
	if fn == nil {
		p.onDigit.Store(nil)
		return
	}
	p.onDigit.Store(&fn)
}

// Tap implements voice.Media.
func (p *Port) Tap(fn func(voice.Direction, []byte)) {
	if fn == nil {
		p.tap.Store(nil)
		return
	}
	p.tap.Store(&fn)
}

// Stats implements voice.Media.
func (p *Port) Stats() voice.MediaStats {
	s := voice.MediaStats{Sent: p.sent.Load(), Discarded: p.discarded.Load()}
	if at := p.received.Load(); at != 0 {
		s.LastReceived = time.Unix(0, at)
	}
	p.in.Lock()
	defer p.in.Unlock()
	p.in.stats.fill(&s)
	return s
}

// Discard counts a packet that was dropped before it came here.
func (p *Port) Discard() { p.discarded.Add(1) }

// Receive takes one packet from the far end. Only one goroutine at a time may call it. It reports whether the packet was
// understood.
func (p *Port) Receive(raw []byte, now time.Time) bool {
	if p.closed.Load() {
		return false
	}
	p.in.Lock()
	// A DTMF burst ends at most two keys at once; callbacks run without the lock.
	var keys [2]voice.Digit
	n, kind, back := 0, packetBad, false
	var key press
	pkt := &p.in.packet
	if len(raw) >= 12 && pkt.Unmarshal(raw) == nil {
		kind = p.classify(pkt)
	}
	switch kind {
	case packetEvent:
		e, _ := ParseEvent(pkt.Payload) // classify has parsed it
		key = p.press(now, pkt.Timestamp, e)
		keys[0], keys[1], n = p.in.detector.Packet(now, pkt.Timestamp, e)
		p.in.stats.packet(now, pkt.SSRC, pkt.SequenceNumber, pkt.Timestamp, false)
	case packetAudio:
		p.in.stats.packet(now, pkt.SSRC, pkt.SequenceNumber, pkt.Timestamp, true)
	case packetOther:
		p.in.stats.packet(now, pkt.SSRC, pkt.SequenceNumber, pkt.Timestamp, false)
	default:
	}
	if kind != packetBad {
		p.received.Store(now.UnixNano())
		back, p.in.timedOut = p.in.timedOut, false
	}
	p.in.Unlock()

	if kind == packetBad {
		p.discarded.Add(1)
		return false
	}
	if back && p.hooks.Timeout != nil {
		p.hooks.Timeout(false)
	}
	for _, k := range keys[:n] {
		p.ReportKey(k)
	}
	if kind != packetOther {
		p.forward(pkt, key)
	}
	return true
}

// press is what a relay must know of a telephone event. The zero press stands for audio.
type press struct {
	id     uint64 // one for all packets of a press
	begins bool   // the first of them
	code   byte
}

//nolint:gochecknoglobals // numbers presses of all ports, so that a relay can tell those of one from another's
var presses atomic.Uint64

// press is called with p.in locked, before the detector takes the packet.
func (p *Port) press(now time.Time, ts uint32, e Event) press {
	p.in.latest.begins = p.in.detector.Begins(now, ts, e)
	if p.in.latest.begins {
		p.in.latest.id, p.in.latest.code = presses.Add(1), e.Code
	}
	return p.in.latest
}

type packetKind uint8

const (
	packetBad packetKind = iota
	packetAudio
	packetEvent
	packetOther // comfort noise: valid, not relayed
)

const payloadComfortNoise = 13 // RFC 3389

func (p *Port) classify(pkt *rtp.Packet) packetKind {
	f := p.in.format
	switch {
	case pkt.Version != 2 || !f.Receive && !f.Send:
		return packetBad
	case pkt.PayloadType == PayloadPCMU:
		if len(pkt.Payload) == 0 || len(pkt.Payload) > maxPayload {
			return packetBad
		}
		return packetAudio
	case pkt.PayloadType == f.EventIn && f.EventIn != 0, pkt.PayloadType == f.EventOut && f.EventOut != 0: // some send with the number they stated
		if _, err := ParseEvent(pkt.Payload); err != nil || len(pkt.Payload) > maxEventPayload {
			return packetBad
		}
		return packetEvent
	case pkt.PayloadType == payloadComfortNoise:
		return packetOther
	default:
		return packetBad
	}
}

func (p *Port) forward(pkt *rtp.Packet, key press) {
	peer := p.peer.Load()
	if p.muted.Load() {
		if peer != nil {
			peer.interruptRelay() // else the listener would take what is held back for lost
		}
		return
	}
	if tap := p.tap.Load(); tap != nil && key.id == 0 {
		(*tap)(voice.Received, pkt.Payload)
	}
	if peer != nil {
		peer.relay(pkt, key)
	}
}

// ReportKey passes on a key that came another way than in the audio stream.
func (p *Port) ReportKey(d voice.Digit) {
	if p.hooks.Digit != nil {
		p.hooks.Digit(d)
	}
	if fn := p.onDigit.Load(); fn != nil {
		(*fn)(d)
	}
}

// tick implements ticker.
func (p *Port) tick(now time.Time, frames uint32) {
	if p.closed.Load() {
		return
	}
	p.in.Lock()
	digit, pressed := p.in.detector.Tick(now)
	silent := p.checkTimeout(now)
	p.in.Unlock()
	if pressed {
		p.ReportKey(digit)
	}
	if silent && p.hooks.Timeout != nil {
		p.hooks.Timeout(true)
	}
	p.sendFrame(now, frames)
}

func (p *Port) checkTimeout(now time.Time) bool {
	if p.timeout <= 0 || p.in.timedOut || !p.in.format.Receive {
		return false
	}
	last := p.in.since
	if at := time.Unix(0, p.received.Load()); at.After(last) {
		last = at
	}
	p.in.timedOut = now.Sub(last) > p.timeout
	return p.in.timedOut
}

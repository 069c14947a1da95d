// Package voice runs telephone calls: it knows what a call is and what may happen to it, and reaches telephones, browsers
// and speech only through interfaces of its own. It knows no SIP, RTP or WebRTC library.
package voice

import (
	"context"
	"net/netip"
	"time"
)

// Phone connects calls with the telephone network. All methods are safe for concurrent use.
type Phone interface {
	// SetHandler sets what is called for every new inbound call, on a goroutine of its own; it may return before the call
	// ends. "100 Trying" has been sent; the handler decides between Ring, Answer and Reject. A call nobody decides on is
	// rejected with 480 after the ring limit. Call it before the phone starts.
	SetHandler(handler func(Leg))
	// Dial sends an INVITE and returns at once; the outcome arrives as events (Ringing, then Answered or Ended). ctx bounds
	// only the address lookup and the sending; the leg outlives it, use Hangup to cancel it.
	Dial(ctx context.Context, req DialRequest) (Leg, error)
	// Bridge relays audio and digits both ways without transcoding until unbridge is called (idempotent) or one side ends.
	// It fails if one of them is bridged already or comes from another Phone. A clip played on a bridged side replaces, for
	// that listener, what the other side says for as long as it plays: hold is SetMuted plus Play, or unbridge plus Play.
	Bridge(a, b Media) (unbridge func(), err error)
	// Station returns the browser leg of an agent, made at the first call and the same one until it is closed.
	Station(agentID string) (Station, error)
	// SetDraining makes new inbound calls be refused with 503 and Retry-After, while those in progress go on.
	SetDraining(draining bool)
	// Stats returns counters since the start.
	Stats() PhoneStats
}

// DialRequest says whom to call.
type DialRequest struct {
	URI         string            // "sip:alice@192.0.2.7:5060"; UDP
	From        string            // user part shown to the callee; empty: the phone's own name
	DisplayName string            // may be empty
	Headers     map[string]string // additional headers; names that SIP itself uses (Via, From, Contact, …) are refused
	RingTimeout time.Duration     // 0: 60 s; then the call is cancelled and ends with EndNoAnswer
	// User and Password answer the callee's challenge (digest, RFC 3261 §22), once; without a user a challenge ends the call.
	User     string
	Password string
}

// LegInfo describes a leg; it does not change.
type LegInfo struct {
	ID         string // unique in this installation
	CallID     string // SIP Call-ID
	Inbound    bool
	From       string // calling number: user part of P-Asserted-Identity if there is one, else of From; empty if withheld
	FromName   string // display name of the same header
	To         string // called number: user part of the request URI
	Headers    map[string][]string
	RemoteAddr netip.AddrPort
	CreatedAt  time.Time
}

// Leg is one SIP dialog. Methods may be called at any time and from any goroutine; those that come too late
// do nothing or return an error of code conflict.
type Leg interface {
	Info() LegInfo
	// Ring sends 180. Only for inbound legs.
	Ring() error
	// Answer sends 200 and returns when the caller's ACK (or a later request that proves the answer was seen) arrived. If the
	// caller never acknowledges, it is repeated for 32 s, then a BYE is sent and the leg ends with EndNoAck. When ctx ends
	// first, Answer returns its error and the leg goes on.
	Answer(ctx context.Context) error
	// Reject refuses an inbound call that was not answered, with a SIP status of 300 to 699.
	Reject(code int, reason string) error
	// Hangup ends the leg by the request its state needs (BYE, CANCEL or 480) and returns at once; Ended follows. reason goes
	// into a Reason header.
	Hangup(reason string)
	// Events is one channel per leg, closed after Ended. It never blocks the phone: when 64 events wait unread, digits are
	// dropped, state changes are not.
	Events() <-chan LegEvent
	Media() Media
}

// LegEventType says what happened to a leg.
type LegEventType string

// What may happen to a leg, in the order in which it does. After Ended nothing follows.
const (
	LegRinging      LegEventType = "ringing"       // outbound: the far end rings
	LegAnswered     LegEventType = "answered"      // both ends agree that the call stands; once
	LegDigit        LegEventType = "digit"         // Digit is set
	LegHeld         LegEventType = "held"          // the far end put us on hold
	LegResumed      LegEventType = "resumed"       // and took the call back
	LegMediaTimeout LegEventType = "media_timeout" // no packet for the configured time; the call goes on
	LegMediaBack    LegEventType = "media_back"    // packets again
	LegEnded        LegEventType = "ended"         // End, Code and Reason are set; last
)

// LegEnd says why a leg ended.
type LegEnd string

// Reasons for the end of a leg.
const (
	EndRemote    LegEnd = "remote"    // the far end hung up
	EndLocal     LegEnd = "local"     // Hangup
	EndCancelled LegEnd = "cancelled" // the caller gave up before the answer
	EndRejected  LegEnd = "rejected"  // Reject (inbound) or a final answer of 300 and more (outbound): see Code
	EndNoAnswer  LegEnd = "no_answer" // nobody took it within the ring limit
	EndNoAck     LegEnd = "no_ack"    // answered, but the caller never acknowledged
	EndError     LegEnd = "error"     // transport or protocol failure: see Reason
	EndShutdown  LegEnd = "shutdown"  // the phone was stopped
)

// LegEvent is one thing that happened to a leg.
type LegEvent struct {
	Type   LegEventType
	At     time.Time
	Digit  Digit  // LegDigit
	End    LegEnd // LegEnded
	Code   int    // SIP status for EndRejected; else 0
	Reason string // for people; may be empty
}

// Digit is a key pressed on a telephone.
type Digit struct {
	Key      rune          // 0-9 * # A-D
	Duration time.Duration // as the sender stated it; 0 if it did not
}

// Media is the audio of one leg or station: G.711 µ-law, 8000 samples a second, 160 bytes per 20 ms. All methods are safe for
// concurrent use and return at once.
type Media interface {
	// Play replaces what is being sent from the next 20 ms boundary on. clip is not copied and must not change. done, which may
	// be nil, is called once on its own goroutine: completed is false when the clip was replaced, stopped or the media closed.
	Play(clip []byte, loop bool, done func(completed bool))
	// Stop ends what Play started.
	Stop()
	// SendDigits sends keys as RFC 4733 events, 100 ms each with 60 ms between, interrupting other audio. It fails if the far end
	// did not offer such events, for unknown keys and beyond 64 waiting keys.
	SendDigits(keys string) error
	// SetMuted drops, while true, what the far end says: it reaches neither the bridge nor taps. Keys are still recognised.
	SetMuted(muted bool)
	// OnDigit sets what is called for each key pressed at the far end, in order; nil removes it. A leg also reports keys as events.
	// It must not block.
	OnDigit(fn func(Digit))
	// Tap sets what receives the audio of both directions, packet by packet, until it is replaced or nil is set. The slice is
	// only valid during the call; fn must neither block nor call this Media.
	Tap(fn func(dir Direction, ulaw []byte))
	// Stats returns the quality so far.
	Stats() MediaStats
}

// Direction tells the two audio streams of a media apart.
type Direction uint8

// Directions seen from here.
const (
	Received Direction = iota
	Sent
)

// MediaStats is the quality of a media's two streams.
type MediaStats struct {
	Sent, Received uint64        // RTP packets
	Lost           uint64        // received stream: gaps in sequence numbers not filled since
	Discarded      uint64        // malformed, unknown payload type or from a foreign address
	Jitter         time.Duration // received stream: interarrival jitter, RFC 3550 §6.4.1
	LastReceived   time.Time     // zero: nothing yet
}

// Station is the browser leg of an agent (WebRTC). It outlives page reloads: each new offer replaces the connection before
// it, and what is bridged to its Media stays bridged.
type Station interface {
	AgentID() string
	// Offer takes a browser's SDP offer and returns the answer with all candidates in it (there is no trickle). It fails with
	// code invalid for an offer without PCMU audio; the connection before it then stays.
	Offer(ctx context.Context, sdp string) (answer string, err error)
	// OnState sets what is called at each change, in order. It must neither block nor close the station.
	OnState(fn func(StationState))
	State() StationState
	Media() Media
	// Close ends the connection and forgets the station.
	Close() error
}

// StationState is the state of a station's current connection.
type StationState string

// States of a station.
const (
	StationIdle         StationState = "idle"         // no offer yet
	StationConnecting   StationState = "connecting"   // offer answered, no path yet
	StationConnected    StationState = "connected"    // audio may flow
	StationDisconnected StationState = "disconnected" // the path was lost; may come back by itself
	StationFailed       StationState = "failed"       // only a new offer helps
	StationClosed       StationState = "closed"
)

// PhoneStats counts since the start, except for gauges.
type PhoneStats struct {
	Legs       int // gauge: dialogs that have not ended
	Stations   int // gauge
	Bridges    int // gauge
	Inbound    uint64
	Outbound   uint64
	Answered   uint64
	Overloaded uint64 // inbound calls refused by a limit
	Drained    uint64 // inbound calls refused while draining
	Malformed  uint64 // datagrams or requests that could not be understood
	NoAck      uint64
	Datagrams  uint64 // SIP datagrams received
}

package phone

import (
	"net/netip"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/phone/sdp"
	"github.com/tandemcc/tandem/internal/voice"
)

type legState uint8

const (
	stateEarly     legState = iota // no final response yet
	stateAnswering                 // inbound: 200 sent, not acknowledged
	stateConfirmed                 // both sides agree
	stateEnded
)

const (
	eventQueue    = 64
	digitsReserve = 8 // places in the queue that digits may not take
	// lingerRounds times T1 is how long a finished transaction is kept to answer repetitions. The library would keep it 32 s, some 14 kB a call;
	// T4, the longest life of a datagram in the network (RFC 3261 §17.1.2.2), is enough once the call has moved on.
	lingerRounds = 10
)

// leg is one SIP dialog. The dialog layer is our own, since the library's loses a call whose BYE overtakes its ACK, repeats a
// 200 too late and never sends a BYE when no ACK comes.
type leg struct {
	phone  *Phone
	info   voice.LegInfo
	port   *media.Port
	socket *media.Socket

	localTag  string
	invite    *sip.Request            // inbound: theirs, with our tag in To; outbound: ours
	inviteTx  sip.ServerTransaction   // inbound
	decided   chan struct{}           // inbound: closed when the INVITE has a final response
	cancelled chan voice.LegEnd       // outbound: the wish to give up, buffered
	ended     chan struct{}           // closed with stateEnded
	sdpOffer  *sdp.Session            // inbound: of the INVITE; nil: late offer
	events    chan voice.LegEvent     // closed under evMu
	ringing   bool                    // outbound, used by one goroutine: Ringing was reported
	login     *credentials            // outbound, used by one goroutine: to answer a challenge; nil: none, or used up
	acks      map[string]*sip.Request // outbound, guarded by mu: ACK per remote tag

	mu        sync.Mutex // guards all below
	state     legState
	remoteTag string // inbound: does not change
	localSeq  uint32
	remoteSeq uint32
	target    sip.Uri  // where requests go: the Contact of the far end
	routes    []string // Route header values in order
	source    string   // host:port the far end signals from
	wait      *ackWait // of the latest 200 to an INVITE
	hangingUp *pendingBye
	local     sdp.Local
	held      bool
	probe     *time.Timer // until the far end is asked whether it is still there; nil: not yet

	evMu   sync.Mutex // guards events' closing and order
	closed bool
}

// ackWait is a 200 to an INVITE or re-INVITE that waits for its ACK.
type ackWait struct {
	seq     uint32
	offered bool // our 200 carried the offer, the ACK must carry the answer
	done    chan struct{}
}

// pendingBye is a hang-up that has to wait for the ACK: a callee must not send BYE before it (RFC 3261 §15).
type pendingBye struct {
	end    voice.LegEnd
	reason string
}

var _ voice.Leg = (*leg)(nil)

// newLeg makes a leg with its media, not yet in the tables.
func (p *Phone) newLeg(info voice.LegInfo) (*leg, error) {
	conn, err := p.ports.Listen()
	if err != nil {
		return nil, err
	}
	l := &leg{
		phone: p, info: info, decided: make(chan struct{}), cancelled: make(chan voice.LegEnd, 1), ended: make(chan struct{}),
		events: make(chan voice.LegEvent, eventQueue), acks: map[string]*sip.Request{},
	}
	l.info.ID = sip.GenerateTagN(20)
	l.info.CreatedAt = time.Now()
	l.localTag = sip.GenerateTagN(16)
	l.port = media.NewPort(p.clock, p.cfg.MediaTimeout, media.Hooks{Digit: l.onDigit, Timeout: l.onTimeout})
	l.socket = media.NewSocket(conn, l.port)
	l.local = sdp.Local{
		ID: uint64(l.info.CreatedAt.UnixMicro()), Version: 1, Addr: p.local.Addr(),
		Port: uint16(l.socket.LocalPort()), Dir: sdp.SendRecv, //nolint:gosec // a port
	}
	return l, nil
}

func (l *leg) key() dialogKey { return dialogKey{l.info.CallID, l.localTag} }

// Info implements voice.Leg.
func (l *leg) Info() voice.LegInfo { return l.info }

// Events implements voice.Leg.
func (l *leg) Events() <-chan voice.LegEvent { return l.events }

// Media implements voice.Leg.
func (l *leg) Media() voice.Media { return l.port }

func (l *leg) onDigit(d voice.Digit) { l.emit(voice.LegEvent{Type: voice.LegDigit, Digit: d}) }

func (l *leg) onTimeout(silent bool) {
	if silent {
		l.emit(voice.LegEvent{Type: voice.LegMediaTimeout})
		return
	}
	l.emit(voice.LegEvent{Type: voice.LegMediaBack})
}

// emit never blocks: the last places of the queue are kept for state changes, the very last one for Ended.
func (l *leg) emit(e voice.LegEvent) {
	e.At = time.Now()
	l.evMu.Lock()
	defer l.evMu.Unlock()
	room := eventQueue - len(l.events)
	switch {
	case l.closed,
		e.Type == voice.LegDigit && room <= digitsReserve,
		e.Type != voice.LegEnded && room <= 1:
		return
	}
	l.events <- e
	if e.Type == voice.LegEnded {
		l.closed = true
		close(l.events)
	}
}

// confirm reports, once, that the call stands.
func (l *leg) confirm() {
	l.mu.Lock()
	if l.state >= stateConfirmed {
		l.mu.Unlock()
		return
	}
	l.state = stateConfirmed
	l.watchOver()
	bye := l.hangingUp
	l.phone.counters.answered.Add(1)
	l.emit(voice.LegEvent{Type: voice.LegAnswered}) // with the lock held, so that Ended cannot overtake it
	l.mu.Unlock()
	if bye != nil {
		l.hangup(bye.end, bye.reason)
	}
}

// end finishes the leg for its user, once. The dialog stays in the tables until forget.
func (l *leg) end(why voice.LegEnd, code int, reason string) bool {
	l.mu.Lock()
	if l.state == stateEnded {
		l.mu.Unlock()
		return false
	}
	l.state = stateEnded
	if l.probe != nil {
		l.probe.Stop()
	}
	close(l.ended)
	l.mu.Unlock()
	l.phone.unbridge(l.port)
	l.port.Close()
	_ = l.socket.Close() // nothing depends on it any more
	l.emit(voice.LegEvent{Type: voice.LegEnded, End: why, Code: code, Reason: reason})
	return true
}

// finish ends the leg and forgets the dialog.
func (l *leg) finish(why voice.LegEnd, code int, reason string) {
	l.end(why, code, reason)
	l.phone.forget(l)
}

// Hangup implements voice.Leg.
func (l *leg) Hangup(reason string) { l.hangup(voice.EndLocal, reason) }

func (l *leg) hangup(why voice.LegEnd, reason string) {
	l.mu.Lock()
	state := l.state
	if state == stateAnswering {
		l.hangingUp = &pendingBye{why, reason}
	}
	l.mu.Unlock()
	switch {
	case state == stateEarly && l.info.Inbound:
		_ = l.reject(why, sip.StatusTemporarilyUnavailable, "Temporarily Unavailable") // too late: it has ended
	case state == stateEarly:
		select {
		case l.cancelled <- why:
		default: // wished before
		}
	case state == stateConfirmed:
		l.bye(why, 0, reason)
	default: // answering: at the ACK; ended: nothing to do
	}
}

// bye ends the leg and sends BYE; the dialog is forgotten when the far end has answered or will not.
func (l *leg) bye(why voice.LegEnd, code int, reason string) {
	if l.end(why, code, reason) {
		l.sendBye(reason)
	}
}

func (l *leg) sendBye(reason string) {
	req := l.request(sip.BYE)
	if text := headerText(reason); text != "" {
		req.AppendHeader(sip.NewHeader("Reason", `Q.850;cause=16;text="`+text+`"`))
	}
	l.phone.goTracked(func() {
		defer l.phone.forget(l)
		l.phone.transact(req)
	})
}

// request builds a request within the dialog (RFC 3261 §12.2.1.1).
func (l *leg) request(method sip.RequestMethod) *sip.Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.localSeq++
	return l.requestLocked(method, l.localSeq, l.remoteTag)
}

func (l *leg) requestLocked(method sip.RequestMethod, seq uint32, remoteTag string) *sip.Request {
	uri, routes := routed(l.target, l.routes)
	req := sip.NewRequest(method, uri)
	from, to := l.parties(remoteTag)
	callID := sip.CallIDHeader(l.info.CallID)
	hops := sip.MaxForwardsHeader(70)
	req.AppendHeader(from)
	req.AppendHeader(to)
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: method})
	req.AppendHeader(&hops)
	for _, r := range routes {
		req.AppendHeader(sip.NewHeader("Route", r))
	}
	req.AppendHeader(sip.NewHeader("User-Agent", l.phone.cfg.UserAgent))
	req.SetBody(nil)
	l.phone.prepare(req)
	if len(routes) == 0 && behindNAT(uri.Host, l.source) {
		req.SetDestination(l.source)
	}
	return req
}

// parties returns From and To as this side writes them.
func (l *leg) parties(remoteTag string) (*sip.FromHeader, *sip.ToHeader) {
	var from sip.FromHeader
	var to sip.ToHeader
	if l.info.Inbound {
		from = l.invite.To().AsFrom()
		to = l.invite.From().AsTo()
		return &from, &to
	}
	from = *l.invite.From()
	from.Params = from.Params.Clone()
	to = *l.invite.To()
	to.Params = sip.NewParams()
	if remoteTag != "" {
		to.Params.Add("tag", remoteTag)
	}
	return &from, &to
}

// applyRemote takes what the far end says about its audio. offered tells that it answers an offer of ours: then each side takes
// telephone events with the payload type that it stated itself, and the two may differ (RFC 3264 §6.1).
func (l *leg) applyRemote(m *sdp.Media, signalling netip.Addr, offered bool) {
	held := m.Held()
	l.socket.SetRemote(netip.AddrPortFrom(m.Addr, m.Port), signalling)
	out := m.Events()
	l.mu.Lock()
	if !offered || out == 0 {
		l.local.Events = out
	}
	l.local.Dir = m.Dir.Reverse()
	if m.Addr.IsUnspecified() {
		l.local.Dir = sdp.Inactive
	}
	local := l.local
	changed := held != l.held
	l.held = held
	confirmed := l.state == stateConfirmed
	l.mu.Unlock()
	l.port.SetFormat(media.Format{
		Send: local.Dir.Sends(), Receive: local.Dir.Receives(), EventOut: out, EventIn: local.Events,
	})
	if !changed || !confirmed {
		return
	}
	if held {
		l.emit(voice.LegEvent{Type: voice.LegHeld})
	} else {
		l.emit(voice.LegEvent{Type: voice.LegResumed})
	}
}

var errEnded = errs.New(errs.Conflict, "the call has ended")

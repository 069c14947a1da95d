package phone

import (
	"hash/fnv"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/emiago/sipgo/sip"

	"github.com/tandemcc/tandem/internal/phone/sdp"
	"github.com/tandemcc/tandem/internal/voice"
)

const (
	allowed       = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"
	sdpType       = "application/sdp"
	retryAfter    = "5" // seconds, in 503
	maxHeaders    = 64  // copied into LegInfo
	maxHeaderSize = 1024
)

// wellFormed reports whether a request has what every handler reads.
func wellFormed(req *sip.Request) bool {
	from, to := req.From(), req.To()
	if from == nil || to == nil || req.CallID() == nil || req.CSeq() == nil {
		return false
	}
	tag, ok := from.Params.Get("tag")
	return ok && tag != "" && req.CSeq().MethodName == req.Method
}

func tagOf(params sip.HeaderParams) string { return params.GetOr("tag", "") }

// respond builds a response with what ours always carry.
func (p *Phone) respond(req *sip.Request, code int, reason string, body []byte) *sip.Response {
	res := sip.NewResponseFromRequest(req, code, reason, nil)
	res.AppendHeader(sip.NewHeader("Server", p.cfg.UserAgent))
	if code >= 180 && code < 300 && req.IsInvite() {
		res.AppendHeader(p.contact())
		res.AppendHeader(sip.NewHeader("Allow", allowed))
	}
	if body != nil {
		res.AppendHeader(sip.NewHeader("Content-Type", sdpType))
		res.SetBody(body)
	}
	return res
}

func (p *Phone) contact() *sip.ContactHeader {
	return &sip.ContactHeader{Address: sip.Uri{
		Scheme: "sip", User: "tandem", Host: hostOf(p.local.Addr()), Port: int(p.local.Port()),
	}}
}

func hostOf(a netip.Addr) string {
	if a.Is6() && !a.Is4In6() {
		return "[" + a.String() + "]"
	}
	return a.Unmap().String()
}

// reply sends a response without a body; its reason phrase is the standard one.
func (p *Phone) reply(req *sip.Request, tx sip.ServerTransaction, code int, headers ...sip.Header) {
	res := p.respond(req, code, phrase(code), nil)
	for _, h := range headers {
		res.AppendHeader(h)
	}
	_ = tx.Respond(res) // the far end repeats its request if it got none
}

func phrase(code int) string {
	switch code {
	case 200:
		return "OK"
	case 400:
		return "Bad Request"
	case 405:
		return "Method Not Allowed"
	case 415:
		return "Unsupported Media Type"
	case 420:
		return "Bad Extension"
	case 481:
		return "Call/Transaction Does Not Exist"
	case 482:
		return "Loop Detected"
	case 488:
		return "Not Acceptable Here"
	case 491:
		return "Request Pending"
	case 500:
		return "Server Internal Error"
	case 501:
		return "Not Implemented"
	default:
		return "Service Unavailable"
	}
}

// refuse answers 503 without keeping state, so that a flood costs no memory (RFC 3261 §8.2.7).
func (p *Phone) refuse(req *sip.Request, tx sip.ServerTransaction) {
	res := p.respond(req, sip.StatusServiceUnavailable, phrase(503), nil)
	res.AppendHeader(sip.NewHeader("Retry-After", retryAfter))
	h := fnv.New64a() // a repeated request must get the same tag
	_, _ = h.Write([]byte(req.CallID().Value() + tagOf(req.From().Params)))
	res.To().Params.Add("tag", strconv.FormatUint(h.Sum64(), 36))
	if p.server.WriteResponse(res) != nil { // no known path: through the transaction
		_ = tx.Respond(res)
	}
}

// readOffer reads a request's SDP; nil with code 0 means that there is none. A code other than 0 is the refusal.
func readOffer(req *sip.Request) (*sdp.Session, int) {
	if len(req.Body()) == 0 {
		return nil, 0
	}
	if ct := req.ContentType(); ct == nil || !isType(ct.Value(), sdpType) {
		return nil, sip.StatusUnsupportedMediaType
	}
	offer, err := sdp.Parse(req.Body())
	if err != nil {
		return nil, sip.StatusBadRequest
	}
	if offer.Audio() < 0 {
		return nil, sip.StatusNotAcceptableHere
	}
	return offer, 0
}

func isType(value, want string) bool {
	kind, _, _ := strings.Cut(value, ";")
	return strings.EqualFold(strings.TrimSpace(kind), want)
}

func (p *Phone) onInvite(orig *sip.Request, tx sip.ServerTransaction) {
	req := orig.Clone() // the transaction keeps using the original
	if !wellFormed(req) {
		p.counters.malformed.Add(1)
		p.reply(req, tx, sip.StatusBadRequest)
		return
	}
	if tag := tagOf(req.To().Params); tag != "" {
		if l := p.find(req.CallID().Value(), tag); l != nil {
			l.reinvite(req, tx)
			return
		}
		p.reply(req, tx, sip.StatusCallTransactionDoesNotExists)
		return
	}
	l, code, extra := p.admit(req, tx)
	if l == nil {
		if code == sip.StatusServiceUnavailable {
			p.refuse(req, tx)
		} else {
			p.reply(req, tx, code, extra...)
		}
		return
	}
	p.counters.inbound.Add(1)
	// The library keeps the transaction, and with it this function, for 32 s whatever we do: it must not keep the leg alive.
	var ringing atomic.Pointer[leg]
	ringing.Store(l)
	defer ringing.Store(nil)
	if !tx.OnCancel(func(*sip.Request) {
		if l := ringing.Load(); l != nil {
			l.onCancel()
		}
	}) {
		l.onCancel()
		return
	}
	p.goTracked(func() { p.handler(l) })
	l.ring(tx)
}

// admit decides whether a new call may ring.
func (p *Phone) admit(req *sip.Request, tx sip.ServerTransaction) (*leg, int, []sip.Header) {
	p.mu.Lock()
	_, merged := p.invites[dialogKey{req.CallID().Value(), tagOf(req.From().Params)}]
	p.mu.Unlock()
	switch {
	case merged:
		return nil, sip.StatusLoopDetected, nil
	case p.draining.Load():
		p.counters.drained.Add(1)
		return nil, sip.StatusServiceUnavailable, nil
	case p.handler == nil || !p.limiter.Allow():
		p.counters.overloaded.Add(1)
		return nil, sip.StatusServiceUnavailable, nil
	case req.Contact() == nil:
		p.counters.malformed.Add(1)
		return nil, sip.StatusBadRequest, nil
	}
	if need := req.GetHeader("Require"); need != nil {
		return nil, sip.StatusBadExtension, []sip.Header{sip.NewHeader("Unsupported", need.Value())}
	}
	offer, code := readOffer(req)
	if code != 0 {
		if code == sip.StatusBadRequest {
			p.counters.malformed.Add(1)
		}
		return nil, code, []sip.Header{sip.NewHeader("Accept", sdpType)}
	}
	l, err := p.newLeg(describe(req))
	if err != nil {
		p.counters.overloaded.Add(1)
		return nil, sip.StatusServiceUnavailable, nil
	}
	req.To().Params.Add("tag", l.localTag)
	l.invite, l.inviteTx, l.sdpOffer = req, tx, offer
	l.remoteTag, l.remoteSeq = tagOf(req.From().Params), req.CSeq().SeqNo
	l.target, l.source, l.routes = *req.Contact().Address.Clone(), req.Source(), routeSet(req, false)
	if err := p.remember(l); err != nil {
		p.counters.overloaded.Add(1)
		l.end(voice.EndError, 0, "overload")
		return nil, sip.StatusServiceUnavailable, nil
	}
	return l, 0, nil
}

func describe(req *sip.Request) voice.LegInfo {
	info := voice.LegInfo{
		CallID: req.CallID().Value(), Inbound: true, To: req.Recipient.User,
		From: req.From().Address.User, FromName: strings.Trim(req.From().DisplayName, `"`), Headers: map[string][]string{},
	}
	if addr, err := netip.ParseAddrPort(req.Source()); err == nil {
		info.RemoteAddr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	}
	for i, h := range req.Headers() {
		if i == maxHeaders {
			break
		}
		if v := h.Value(); len(v) <= maxHeaderSize {
			info.Headers[h.Name()] = append(info.Headers[h.Name()], v)
		}
	}
	if h := req.GetHeader("P-Asserted-Identity"); h != nil { // RFC 3325: what the trusted network says goes before what the caller says
		var from sip.FromHeader
		if name, uri, ok := identity(h.Value()); ok && sip.ParseUri(uri, &from.Address) == nil {
			info.From, info.FromName = from.Address.User, name
			if from.Address.Scheme == "tel" {
				info.From, _, _ = strings.Cut(from.Address.Raw(), ";")
			}
		}
	}
	if strings.EqualFold(info.From, "anonymous") {
		info.From = ""
	}
	return info
}

// identity splits `"Name" <uri>` or a bare URI; of a list it takes the first.
func identity(value string) (name, uri string, ok bool) {
	if before, rest, found := strings.Cut(value, "<"); found {
		uri, _, ok = strings.Cut(rest, ">")
		return strings.Trim(strings.TrimSpace(before), `"`), uri, ok
	}
	uri, _, _ = strings.Cut(value, ",")
	return "", strings.TrimSpace(uri), uri != ""
}

func (p *Phone) onAck(req *sip.Request, _ sip.ServerTransaction) {
	if !wellFormed(req) {
		return
	}
	if l := p.find(req.CallID().Value(), tagOf(req.To().Params)); l != nil && l.matches(req) {
		l.acknowledge(req.CSeq().SeqNo, req.Body(), false)
	}
}

// matches reports whether a request comes from the leg's far end.
func (l *leg) matches(req *sip.Request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return tagOf(req.From().Params) == l.remoteTag
}

// inDialog finds the leg of a request and takes its sequence number; without one it has answered.
func (p *Phone) inDialog(req *sip.Request, tx sip.ServerTransaction) *leg {
	if !wellFormed(req) {
		p.counters.malformed.Add(1)
		p.reply(req, tx, sip.StatusBadRequest)
		return nil
	}
	l := p.find(req.CallID().Value(), tagOf(req.To().Params))
	if l == nil || !l.matches(req) {
		p.reply(req, tx, sip.StatusCallTransactionDoesNotExists)
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq := req.CSeq().SeqNo; seq < l.remoteSeq {
		p.reply(req, tx, sip.StatusInternalServerError)
		return nil
	} else if req.Method != sip.ACK {
		l.remoteSeq = seq
	}
	return l
}

func (p *Phone) onBye(orig *sip.Request, tx sip.ServerTransaction) {
	req := orig.Clone()
	l := p.inDialog(req, tx)
	if l == nil {
		return
	}
	p.reply(req, tx, 200)
	p.expire(tx)
	// A BYE that overtook its ACK still says that the caller has seen our 200: the call was answered.
	l.acknowledge(0, nil, true)
	l.mu.Lock()
	early := l.state == stateEarly
	l.mu.Unlock()
	if early && l.info.Inbound {
		_ = l.reject(voice.EndCancelled, sip.StatusRequestTerminated, "Request Terminated")
		return
	}
	reason := ""
	if h := req.GetHeader("Reason"); h != nil {
		reason = headerText(h.Value())
	}
	if l.end(voice.EndRemote, 0, reason) {
		p.forget(l)
	}
}

func (p *Phone) onStrayCancel(req *sip.Request, tx sip.ServerTransaction) {
	// The library takes a CANCEL that belongs to a transaction.
	p.reply(req.Clone(), tx, sip.StatusCallTransactionDoesNotExists)
	p.expire(tx)
}

func (p *Phone) onOptions(orig *sip.Request, tx sip.ServerTransaction) {
	req := orig.Clone()
	if to := req.To(); to != nil && tagOf(to.Params) != "" { // within a dialog it asks for that
		if p.inDialog(req, tx) != nil {
			p.reply(req, tx, 200, sip.NewHeader("Allow", allowed), sip.NewHeader("Accept", sdpType))
		}
		p.expire(tx)
		return
	}
	p.reply(req, tx, 200, sip.NewHeader("Allow", allowed), sip.NewHeader("Accept", sdpType))
	p.expire(tx)
}

// onInfo takes keys the old way, one per INFO with a body of application/dtmf-relay or application/dtmf.
func (p *Phone) onInfo(orig *sip.Request, tx sip.ServerTransaction) {
	req := orig.Clone()
	l := p.inDialog(req, tx)
	if l == nil {
		return
	}
	defer p.expire(tx)
	kind := ""
	if ct := req.ContentType(); ct != nil {
		kind = ct.Value()
	}
	if len(req.Body()) == 0 {
		p.reply(req, tx, 200)
		return
	}
	digit, ok := infoDigit(kind, string(req.Body()))
	if !ok {
		p.reply(req, tx, sip.StatusUnsupportedMediaType, sip.NewHeader("Accept", "application/dtmf-relay, application/dtmf"))
		return
	}
	p.reply(req, tx, 200)
	l.port.ReportKey(digit)
}

func (p *Phone) onOther(orig *sip.Request, tx sip.ServerTransaction) {
	req := orig.Clone()
	code := sip.StatusNotImplemented
	switch req.Method {
	case sip.REGISTER, sip.SUBSCRIBE, sip.NOTIFY, sip.REFER, sip.MESSAGE, sip.PRACK, sip.UPDATE, sip.PUBLISH:
		code = sip.StatusMethodNotAllowed
	default:
	}
	p.reply(req, tx, code, sip.NewHeader("Allow", allowed))
	p.expire(tx)
}

package phone

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/phone/sdp"
	"github.com/tandemcc/tandem/internal/voice"
)

const (
	// offeredEvents is the payload type we offer for telephone events, the usual one.
	offeredEvents      = 101
	defaultRingTimeout = time.Minute
	maxDialHeaders     = 16
)

// ownHeaders are those the dialog writes itself.
func ownHeader(name string) bool {
	return slices.Contains([]string{
		"via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "contact", "m", "max-forwards", "route", "record-route",
		"content-type", "c", "content-length", "l", "content-encoding", "e", "require", "proxy-require", "allow", "user-agent",
	}, strings.ToLower(name))
}

func token(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~") == ""
}

// userPart makes s fit for a SIP URI (RFC 3261 §25.1, user).
func userPart(s string) string {
	const keep = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()&=+$,?/"
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; strings.IndexByte(keep, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// checkDial returns the address of a request that is fit to be sent.
func checkDial(d voice.DialRequest) (sip.Uri, error) {
	var uri sip.Uri
	if err := sip.ParseUri(d.URI, &uri); err != nil || uri.Scheme != "sip" || uri.Host == "" || strings.ContainsAny(d.URI, "\r\n \t") {
		return uri, errs.New(errs.Invalid, "%q is no SIP address: write sip:user@host:port", d.URI)
	}
	if t := uri.UriParams.GetOr("transport", "udp"); !strings.EqualFold(t, "udp") {
		return uri, errs.New(errs.Invalid, "transport %q is not supported: use udp", t)
	}
	if len(d.Headers) > maxDialHeaders {
		return uri, errs.New(errs.Invalid, "more than %d additional headers", maxDialHeaders)
	}
	for name, value := range d.Headers {
		if !token(name) || ownHeader(name) || strings.ContainsAny(value, "\r\n\x00") || len(value) > maxHeaderSize {
			return uri, errs.New(errs.Invalid, "header %q cannot be set, or its value is too long or has line breaks", name)
		}
	}
	return uri, nil
}

// Dial implements voice.Phone.
func (p *Phone) Dial(ctx context.Context, d voice.DialRequest) (voice.Leg, error) {
	if p.ua == nil {
		return nil, errs.New(errs.Unavailable, "the phone has not started")
	}
	uri, err := checkDial(d)
	if err != nil {
		return nil, err
	}
	l, err := p.newLeg(voice.LegInfo{CallID: sip.GenerateTagN(24), From: d.From, FromName: d.DisplayName, To: uri.User})
	if err != nil {
		return nil, err
	}
	l.target = uri
	if d.User != "" {
		l.login = &credentials{d.User, d.Password}
	}
	l.local.Events = offeredEvents
	l.port.SetFormat(media.Format{})
	l.invite = p.invite(l, uri, d)
	l.localSeq = l.invite.CSeq().SeqNo
	if err := p.remember(l); err != nil {
		l.end(voice.EndError, 0, "overload")
		return nil, err
	}
	tx, err := p.client.TransactionRequest(ctx, l.invite, asBuilt)
	if err != nil {
		l.finish(voice.EndError, 0, "the INVITE could not be sent")
		return nil, errs.Wrap(errs.Unavailable, err, "calling %s", d.URI)
	}
	tx.OnRetransmission(p.onStrayResponse) // until the transaction has ended they come here
	l.info.RemoteAddr, _ = netip.ParseAddrPort(l.invite.Destination())
	p.counters.outbound.Add(1)
	if d.RingTimeout <= 0 {
		d.RingTimeout = defaultRingTimeout
	}
	p.goTracked(func() { l.await(tx, d.RingTimeout) }) //nolint:contextcheck // outlives Dial
	return l, nil
}

// asBuilt keeps the library from adding headers: ours are complete.
func asBuilt(*sipgo.Client, *sip.Request) error { return nil }

// prepare adds what depends on the transport: Via, and our own socket as the one to send from.
func (p *Phone) prepare(req *sip.Request) {
	req.Laddr = p.laddr
	req.SetTransport("UDP")
	_ = sipgo.ClientRequestAddVia(p.client, req) // it cannot fail
}

func (p *Phone) invite(l *leg, uri sip.Uri, d voice.DialRequest) *sip.Request {
	req := sip.NewRequest(sip.INVITE, uri)
	user := d.From
	if user == "" {
		user = strings.ToLower(p.cfg.UserAgent)
	}
	from := &sip.FromHeader{
		DisplayName: headerText(d.DisplayName),
		Address:     sip.Uri{Scheme: "sip", User: userPart(user), Host: hostOf(p.local.Addr())},
	}
	from.Params.Add("tag", l.localTag)
	to := &sip.ToHeader{Address: sip.Uri{Scheme: "sip", User: uri.User, Host: uri.Host, Port: uri.Port}}
	callID := sip.CallIDHeader(l.info.CallID)
	hops := sip.MaxForwardsHeader(70)
	req.AppendHeader(from)
	req.AppendHeader(to)
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: sip.INVITE})
	req.AppendHeader(p.contact())
	req.AppendHeader(&hops)
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	req.AppendHeader(sip.NewHeader("User-Agent", p.cfg.UserAgent))
	for name, value := range d.Headers {
		req.AppendHeader(sip.NewHeader(name, value))
	}
	req.AppendHeader(sip.NewHeader("Content-Type", sdpType))
	req.SetBody(l.local.Offer())
	p.prepare(req)
	return req
}

// calling is an INVITE on its way to its final response.
type calling struct {
	leg         *leg
	provisional bool
	why         voice.LegEnd // set once we have given up
	giveUp      *time.Timer  // runs from the CANCEL on
}

// await follows the INVITE to its final response.
func (l *leg) await(tx sip.ClientTransaction, ring time.Duration) {
	end := tx.Terminate
	defer func() { end() }()
	timer := time.NewTimer(ring)
	defer timer.Stop()
	c := calling{leg: l, giveUp: time.NewTimer(time.Hour)}
	defer c.giveUp.Stop()
	for {
		select {
		case res := <-tx.Responses():
			if res.IsProvisional() {
				c.progress(res)
				continue
			}
			if again := c.answerChallenge(res); again != nil {
				time.AfterFunc(lingerRounds*l.phone.cfg.T1, tx.Terminate)
				tx, end = again, again.Terminate
				continue
			}
			if !res.IsSuccess() { // the library acknowledges repetitions meanwhile
				end = func() { time.AfterFunc(lingerRounds*l.phone.cfg.T1, tx.Terminate) }
			}
			l.final(res, c.why)
			return
		case why := <-l.cancelled:
			c.cancel(why)
		case <-timer.C:
			c.cancel(voice.EndNoAnswer)
		case <-c.giveUp.C:
			l.phone.forget(l)
			return
		case <-l.phone.cut:
			l.finish(voice.EndShutdown, 0, "")
			return
		case <-tx.Done():
			l.finish(voice.EndError, sip.StatusRequestTimeout, "no response") // unless it has ended
			return
		}
	}
}

func (c *calling) cancel(why voice.LegEnd) {
	if c.why != "" {
		return
	}
	c.why = why
	c.leg.end(why, 0, "") // the user need not wait for the far end
	if c.provisional {    // before, CANCEL must not be sent (RFC 3261 §9.1)
		c.send()
	}
}

func (c *calling) send() {
	req := c.leg.cancelRequest()
	c.leg.phone.goTracked(func() { c.leg.phone.transact(req) })
	c.giveUp.Reset(64 * c.leg.phone.cfg.T1)
}

func (c *calling) progress(res *sip.Response) {
	first := !c.provisional
	c.provisional = true
	c.leg.progress(res)
	if first && c.why != "" {
		c.send()
	}
}

func (l *leg) progress(res *sip.Response) {
	if res.StatusCode <= sip.StatusTrying {
		return
	}
	if !l.ringing {
		l.ringing = true
		l.emit(voice.LegEvent{Type: voice.LegRinging, Code: res.StatusCode})
	}
}

// cancelRequest repeats the INVITE's identifying headers (RFC 3261 §9.1).
func (l *leg) cancelRequest() *sip.Request {
	req := sip.NewRequest(sip.CANCEL, l.invite.Recipient)
	req.AppendHeader(sip.HeaderClone(l.invite.Via()))
	req.AppendHeader(sip.HeaderClone(l.invite.From()))
	req.AppendHeader(sip.HeaderClone(l.invite.To()))
	req.AppendHeader(sip.HeaderClone(l.invite.CallID()))
	req.AppendHeader(&sip.CSeqHeader{SeqNo: l.invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	hops := sip.MaxForwardsHeader(70)
	req.AppendHeader(&hops)
	req.SetBody(nil)
	req.Laddr = l.phone.laddr
	req.SetTransport("UDP")
	req.SetDestination(l.invite.Destination())
	return req
}

// final takes the INVITE's final response. why is set when we have given up already.
func (l *leg) final(res *sip.Response, why voice.LegEnd) {
	if !res.IsSuccess() { // the library has sent the ACK
		if why == "" {
			why = voice.EndRejected
		}
		l.finish(why, res.StatusCode, headerText(res.Reason))
		return
	}
	l.establish(res)
	l.ack(res)
	if why != "" { // the answer crossed our CANCEL
		l.sendBye("")
		return
	}
	answer, err := sdp.Parse(res.Body())
	if err == nil && answer.Audio() < 0 {
		err = errs.New(errs.Invalid, "the answer has no PCMU audio")
	}
	if err != nil {
		l.bye(voice.EndError, sip.StatusNotAcceptableHere, errs.Message(err))
		return
	}
	l.applyRemote(&answer.Media[answer.Audio()], l.signalling(), true)
	l.confirm()
}

func (l *leg) establish(res *sip.Response) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if to := res.To(); to != nil {
		l.remoteTag = tagOf(to.Params)
	}
	l.routes = routeSet(res, true)
	l.source = res.Source()
	if c := res.Contact(); c != nil {
		l.target = *c.Address.Clone()
	}
}

// ack acknowledges a 200; it is kept, to be repeated with each repetition of the 200 (RFC 3261 §13.2.2.4).
func (l *leg) ack(res *sip.Response) {
	tag := tagOf(res.To().Params)
	l.mu.Lock()
	req, ok := l.acks[tag]
	if !ok {
		req = l.requestLocked(sip.ACK, l.invite.CSeq().SeqNo, tag)
		if tag != l.remoteTag && res.Contact() != nil { // another branch of a forked call
			req.Recipient = *res.Contact().Address.Clone()
		}
		l.acks[tag] = req
	}
	req = req.Clone()
	l.mu.Unlock()
	_ = l.phone.client.WriteRequest(req, asBuilt) // a repetition of the 200 will ask for it again
}

// maxForks bounds the branches of a forked call that are acknowledged.
const maxForks = 8

// onStrayResponse takes responses without a transaction: repetitions of a 200, and the 200s of other branches when a proxy
// forked the call. Those are acknowledged and hung up, since one answer is enough (RFC 3261 §13.2.2.4).
func (p *Phone) onStrayResponse(res *sip.Response) {
	cseq, from, to, callID := res.CSeq(), res.From(), res.To(), res.CallID()
	if cseq == nil || from == nil || to == nil || callID == nil || cseq.MethodName != sip.INVITE || !res.IsSuccess() {
		return
	}
	l := p.find(callID.Value(), tagOf(from.Params))
	if l == nil || l.info.Inbound {
		return
	}
	tag := tagOf(to.Params)
	l.mu.Lock()
	_, known := l.acks[tag]
	other := tag != l.remoteTag
	skip := l.remoteTag == "" || !known && len(l.acks) >= maxForks // the first answer is just being taken: this one will be repeated
	l.mu.Unlock()
	if skip {
		return
	}
	l.ack(res)
	if !other || known || res.Contact() == nil {
		return
	}
	l.mu.Lock()
	l.localSeq++
	bye := l.requestLocked(sip.BYE, l.localSeq, tag)
	l.mu.Unlock()
	bye.Recipient = *res.Contact().Address.Clone()
	p.goTracked(func() { p.transact(bye) })
}

// transact sends a request and waits for its final response, whatever it is. Without one, silent tells whether the far end had its
// time to give it.
func (p *Phone) transact(req *sip.Request) (res *sip.Response, silent bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 64*p.cfg.T1)
	defer cancel()
	tx, err := p.client.TransactionRequest(ctx, req, asBuilt)
	if err != nil {
		return nil, false
	}
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, false
			}
		case <-tx.Done():
			return nil, errors.Is(tx.Err(), sip.ErrTransactionTimeout)
		case <-ctx.Done():
			return nil, true
		case <-p.cut:
			return nil, false
		}
	}
}

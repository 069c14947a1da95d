package phone

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/phone/sdp"
	"github.com/tandemcc/tandem/internal/voice"
)

// Ring implements voice.Leg.
func (l *leg) Ring() error {
	if err := l.needEarly(); err != nil {
		return err
	}
	res := l.response(sip.StatusRinging, "Ringing", nil)
	return errs.Wrap(errs.Conflict, l.inviteTx.Respond(res), "ringing: the caller has given up")
}

func (l *leg) needEarly() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.info.Inbound:
		return errs.New(errs.Conflict, "an outbound call is answered by the other side")
	case l.state == stateEnded:
		return errEnded
	case l.state != stateEarly:
		return errs.New(errs.Conflict, "the call was answered already")
	}
	return nil
}

// Reject implements voice.Leg.
func (l *leg) Reject(code int, reason string) error {
	if code < 300 || code > 699 {
		return errs.New(errs.Invalid, "a call is rejected with a status from 300 to 699, not %d", code)
	}
	if err := l.needEarly(); err != nil {
		return err
	}
	return l.reject(voice.EndRejected, code, reason)
}

func (l *leg) reject(why voice.LegEnd, code int, reason string) error {
	if reason = headerText(reason); reason == "" {
		reason = "Rejected"
	}
	err := l.inviteTx.Respond(l.response(code, reason, nil))
	if err != nil {
		return errs.Wrap(errs.Conflict, err, "the caller has given up")
	}
	l.decide()
	l.finish(why, code, reason)
	return nil
}

// decide lets the INVITE's handler go.
func (l *leg) decide() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.decided:
	default:
		close(l.decided)
	}
}

// response builds one to the initial INVITE; its To carries our tag.
func (l *leg) response(code int, reason string, body []byte) *sip.Response {
	return l.phone.respond(l.invite, code, reason, body)
}

// Answer implements voice.Leg.
func (l *leg) Answer(ctx context.Context) error {
	if err := l.needEarly(); err != nil {
		return err
	}
	offer := l.sdpOffer
	if offer != nil {
		signalling := l.info.RemoteAddr.Addr()
		l.applyRemote(&offer.Media[offer.Audio()], signalling, false)
	}
	wait, body, err := l.startAnswer(offer)
	if err != nil {
		return err
	}
	res := l.response(sip.StatusOK, "OK", body)
	err = l.inviteTx.Respond(res)
	l.decide()
	if err != nil { // CANCEL came first; its handler ends the leg
		return errs.Wrap(errs.Conflict, err, "answering: the caller has given up")
	}
	l.phone.goTracked(func() { l.repeat(l.inviteTx, res, wait) }) //nolint:contextcheck // outlives Answer
	select {
	case <-wait.done:
		return nil
	case <-l.ended:
	case <-ctx.Done():
		return errs.Wrap(errs.Unavailable, ctx.Err(), "waiting for the caller's ACK")
	}
	select {
	case <-wait.done: // acknowledged and ended
		return nil
	default:
		return errEnded
	}
}

func (l *leg) startAnswer(offer *sdp.Session) (*ackWait, []byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != stateEarly {
		return nil, nil, errs.New(errs.Conflict, "the call was answered already, or has ended")
	}
	l.state = stateAnswering
	l.wait = &ackWait{seq: l.remoteSeq, offered: offer == nil, done: make(chan struct{})}
	if offer == nil {
		l.local.Events = offeredEvents
		return l.wait, l.local.Offer(), nil
	}
	return l.wait, l.local.Answer(offer, offer.Audio()), nil
}

// repeat sends a 200 again until its ACK comes (RFC 3261 §13.3.1.4): after T1, doubling up to T2, for 64·T1; then BYE.
func (l *leg) repeat(tx sip.ServerTransaction, res *sip.Response, wait *ackWait) {
	t1 := l.phone.cfg.T1
	interval, most := t1, 8*t1 // T2 = 4 s
	resend, limit := time.NewTimer(interval), time.NewTimer(64*t1)
	defer resend.Stop()
	defer limit.Stop()
	for {
		select {
		case <-wait.done:
			l.phone.expire(tx)
			return
		case <-l.ended:
			l.phone.expire(tx)
			return
		case <-resend.C:
			_ = tx.Respond(res) // the next one may get through
			interval = min(2*interval, most)
			resend.Reset(interval)
		case <-limit.C:
			l.phone.counters.noAck.Add(1)
			l.bye(voice.EndNoAck, 0, "no ACK")
			tx.Terminate()
			return
		}
	}
}

// acknowledge takes an ACK, or whatever proves that the far end has our 200. body is the answer to a late offer.
func (l *leg) acknowledge(seq uint32, body []byte, implied bool) {
	l.mu.Lock()
	w := l.wait
	if w == nil || (!implied && w.seq != seq) {
		l.mu.Unlock()
		return
	}
	select {
	case <-w.done:
		l.mu.Unlock()
		return
	default:
	}
	l.mu.Unlock()
	var bad error
	if w.offered && !implied {
		bad = l.lateAnswer(body)
	}
	l.confirm()
	l.mu.Lock()
	select {
	case <-w.done:
	default:
		close(w.done)
	}
	l.mu.Unlock()
	if bad != nil {
		l.bye(voice.EndError, sip.StatusNotAcceptableHere, errs.Message(bad))
	}
}

func (l *leg) lateAnswer(body []byte) error {
	s, err := sdp.Parse(body)
	if err != nil {
		return err
	}
	i := s.Audio()
	if i < 0 {
		return errs.New(errs.Invalid, "the answer in the ACK has no PCMU audio")
	}
	l.applyRemote(&s.Media[i], l.signalling(), true)
	return nil
}

// signalling is the host the far end signals from.
func (l *leg) signalling() netip.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	addr, err := netip.ParseAddrPort(l.source)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Addr().Unmap()
}

// onCancel is called by the library, which has answered the CANCEL and sends 487 itself; it holds a lock that tx needs.
func (l *leg) onCancel() {
	l.phone.goTracked(func() {
		l.decide()
		l.finish(voice.EndCancelled, 0, "cancelled by the caller")
	})
}

// ring keeps the INVITE's handler until there is a final response, since the library ends the transaction when it returns.
func (l *leg) ring(tx sip.ServerTransaction) {
	limit := time.NewTimer(l.phone.cfg.RingLimit)
	defer limit.Stop()
	select {
	case <-l.decided:
	case <-tx.Done():
		err := tx.Err()
		if errors.Is(err, sip.ErrTransactionCanceled) {
			return // onCancel
		}
		l.finish(voice.EndError, 0, "the caller's transaction ended")
	case <-l.phone.cut:
	case <-limit.C:
		_ = l.reject(voice.EndNoAnswer, sip.StatusTemporarilyUnavailable, "Temporarily Unavailable")
	}
}

// reinvite takes an offer within the dialog: hold, resume, a new address, or a session refresh.
func (l *leg) reinvite(req *sip.Request, tx sip.ServerTransaction) {
	offer, code := readOffer(req)
	if code != 0 {
		l.phone.reply(req, tx, code)
		return
	}
	seq := req.CSeq().SeqNo
	l.mu.Lock()
	switch {
	case l.state == stateEnded:
		code = sip.StatusCallTransactionDoesNotExists
	case l.state == stateEarly:
		code = sip.StatusRequestPending
	case seq <= l.remoteSeq && l.remoteSeq != 0: // 0: the far end has sent nothing yet
		code = sip.StatusInternalServerError
	}
	if code != 0 {
		l.mu.Unlock()
		l.phone.reply(req, tx, code)
		return
	}
	l.remoteSeq = seq
	if c := req.Contact(); c != nil {
		l.target = *c.Address.Clone()
	}
	l.source = req.Source()
	l.mu.Unlock()
	l.acknowledge(0, nil, true) // a new request proves that the 200 before it came through
	if offer != nil {
		l.applyRemote(&offer.Media[offer.Audio()], l.signalling(), false)
	}
	l.mu.Lock()
	l.local.Version++
	body := l.local.Offer()
	if offer != nil {
		body = l.local.Answer(offer, offer.Audio())
	}
	wait := &ackWait{seq: seq, offered: offer == nil, done: make(chan struct{})}
	l.wait = wait
	l.mu.Unlock()
	res := l.phone.respond(req, sip.StatusOK, "OK", body)
	if tx.Respond(res) == nil {
		l.phone.goTracked(func() { l.repeat(tx, res, wait) })
	}
}

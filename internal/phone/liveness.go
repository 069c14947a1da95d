package phone

import (
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/tandemcc/tandem/internal/voice"
)

// A far end that crashed sends no BYE, and one on hold sends no audio anyway. A leg that has heard nothing for a while therefore asks
// within the dialog whether the call still stands, and ends when the answer is that it does not, or there is none
// (RFC 3261 §12.2.1.2). Any other answer, a refusal included, proves the call.

// watchOver begins or goes on with that; it is called with the lock held.
func (l *leg) watchOver() {
	if l.phone.cfg.Probe > 0 && l.state == stateConfirmed {
		l.probe = time.AfterFunc(l.phone.cfg.Probe, l.checkAlive)
	}
}

func (l *leg) checkAlive() {
	if time.Since(l.port.Stats().LastReceived) < l.phone.cfg.Probe {
		l.mu.Lock()
		l.watchOver()
		l.mu.Unlock()
		return
	}
	l.phone.goTracked(l.ask)
}

func (l *leg) ask() {
	req := l.request(sip.OPTIONS)
	req.AppendHeader(sip.NewHeader("Accept", sdpType))
	res, silent := l.phone.transact(req)
	code := 0
	if res != nil {
		code = res.StatusCode
	}
	if silent || code == sip.StatusRequestTimeout || code == sip.StatusCallTransactionDoesNotExists {
		l.bye(voice.EndError, code, "the far end does not know the call any more")
		return
	}
	l.mu.Lock()
	l.watchOver()
	l.mu.Unlock()
}

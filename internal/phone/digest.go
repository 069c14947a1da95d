package phone

import (
	"context"
	"strings"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"github.com/tandemcc/tandem/internal/errs"
)

// credentials are what a callee's challenge is answered with.
type credentials struct{ user, password string }

// answerChallenge sends the INVITE again with credentials when the response is a challenge that can be answered; nil means
// that the response is the call's outcome. One challenge of a call is answered: a second says that the password is wrong.
func (c *calling) answerChallenge(res *sip.Response) sip.ClientTransaction {
	l := c.leg
	challenge := res.StatusCode == sip.StatusUnauthorized || res.StatusCode == sip.StatusProxyAuthRequired
	if !challenge || l.login == nil || c.why != "" {
		return nil
	}
	login := *l.login
	l.login = nil
	req, err := l.authorized(res, login)
	if err != nil {
		return nil
	}
	tx, err := l.phone.client.TransactionRequest(context.Background(), req, asBuilt)
	if err != nil {
		return nil
	}
	tx.OnRetransmission(l.phone.onStrayResponse)
	c.provisional = false // of this transaction
	return tx
}

// authorized is the leg's INVITE with the answer to a challenge (RFC 3261 §22.2): the same dialog, a new transaction.
func (l *leg) authorized(res *sip.Response, login credentials) (*sip.Request, error) {
	ask, answer := "WWW-Authenticate", "Authorization"
	if res.StatusCode == sip.StatusProxyAuthRequired {
		ask, answer = "Proxy-Authenticate", "Proxy-Authorization"
	}
	challenge, err := readChallenge(res, ask)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	req := l.invite.Clone()
	cred, err := digest.Digest(challenge, digest.Options{
		Method: string(sip.INVITE), URI: req.Recipient.String(), Username: login.user, Password: login.password, Count: 1,
	})
	if err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "the other side asks for credentials of a kind that is not supported")
	}
	req.RemoveHeader("Via")
	l.localSeq++
	req.CSeq().SeqNo = l.localSeq
	req.AppendHeader(sip.NewHeader(answer, cred.String()))
	req.SetDestination(l.invite.Destination())
	l.phone.prepare(req)
	l.invite = req
	return req, nil
}

// readChallenge returns the first challenge that can be answered: a callee may offer several algorithms (RFC 8760).
func readChallenge(res *sip.Response, header string) (*digest.Challenge, error) {
	for _, h := range res.GetHeaders(header) {
		ch, err := digest.ParseChallenge(h.Value())
		if err != nil {
			continue
		}
		ch.Algorithm = strings.ToUpper(ch.Algorithm)
		if digest.CanDigest(ch) {
			return ch, nil
		}
	}
	return nil, errs.New(errs.Invalid, "the other side asks for credentials of a kind that is not supported")
}

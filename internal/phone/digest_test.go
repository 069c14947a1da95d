package phone

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"github.com/tandemcc/tandem/internal/voice"
)

// challenge answers a request with header lines, each with its line end.
func (p *peer) challenge(req *sip.Request, code int, lines string) {
	p.t.Helper()
	from, err := net.ResolveUDPAddr("udp", req.Source())
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(from, fmt.Sprintf("SIP/2.0 %d X\r\n%s\r\n%s\r\n%s;tag=c\r\nCall-ID: %s\r\n%s\r\n%sContent-Length: 0\r\n\r\n",
		code, req.Via().String(), req.From().String(), req.To().String(), req.CallID().Value(), req.CSeq().String(), lines))
}

// TestDigest: a trunk that asks for credentials gets them once, in the same dialog, and the call goes on.
func TestDigest(t *testing.T) {
	t.Parallel()
	const realm = `realm="trunk", nonce="n1", qop="auth"`
	for name, tc := range map[string]struct {
		code          int
		ask, answer   string
		lines, wanted string
	}{
		"MD5":              {401, "WWW-Authenticate", "Authorization", "WWW-Authenticate: Digest " + realm + "\r\n", "MD5"},
		"proxy, SHA-256":   {407, "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authenticate: Digest " + realm + ", algorithm=sha-256\r\n", "SHA-256"},
		"unknown and then": {401, "WWW-Authenticate", "Authorization", "WWW-Authenticate: Digest " + realm + ", algorithm=ROT13\r\nWWW-Authenticate: Digest " + realm + "\r\n", "MD5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, Config{}, nil)
			b := newPeer(t, a.Addr())
			l, err := a.Dial(t.Context(), voice.DialRequest{URI: "sip:bob@" + b.addr(), User: "hub", Password: "secret"})
			if err != nil {
				t.Fatal(err)
			}
			first := b.incoming("INVITE")
			b.challenge(first, tc.code, tc.lines)
			b.incoming("ACK")
			inv := b.incoming("INVITE")
			if inv.CallID().Value() != first.CallID().Value() || inv.CSeq().SeqNo != first.CSeq().SeqNo+1 || tagOf(inv.From().Params) != tagOf(first.From().Params) ||
				inv.Via().String() == first.Via().String() || len(inv.GetHeaders("Via")) != 1 {
				t.Errorf("the second INVITE is no new transaction of the same call:\n%s\n%s", first, inv)
			}
			cred, err := digest.ParseCredentials(header(inv, tc.answer))
			if err != nil {
				t.Fatal(err)
			}
			ch := &digest.Challenge{Realm: "trunk", Nonce: "n1", QOP: []string{"auth"}, Algorithm: tc.wanted}
			want, err := digest.Digest(ch, digest.Options{
				Method: "INVITE", URI: inv.Recipient.String(), Username: "hub", Password: "secret", Cnonce: cred.Cnonce, Count: cred.Nc,
			})
			if err != nil || cred.Response != want.Response || cred.URI != inv.Recipient.String() {
				t.Errorf("credentials %+v, want %+v (%v)", cred, want, err)
			}
			if strings.Contains(inv.String(), "secret") {
				t.Error("the password is in the request")
			}
			b.reply(inv, 200, "x", b.offer())
			if ack := b.incoming("ACK"); ack.CSeq().SeqNo != inv.CSeq().SeqNo {
				t.Errorf("ACK of %s", ack.CSeq())
			}
			await(t, l, voice.LegAnswered)
			l.Hangup("")
			bye := b.incoming("BYE")
			if bye.CSeq().SeqNo <= inv.CSeq().SeqNo {
				t.Errorf("BYE %s after INVITE %s", bye.CSeq(), inv.CSeq())
			}
			b.reply(bye, 200, "", "")
		})
	}
}

// TestDigestRefused: a wrong password, or none, ends the call; it is not tried for ever.
func TestDigestRefused(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"", "hub"} {
		a := start(t, Config{}, nil)
		b := newPeer(t, a.Addr())
		l, err := a.Dial(t.Context(), voice.DialRequest{URI: "sip:bob@" + b.addr(), User: user, Password: "wrong"})
		if err != nil {
			t.Fatal(err)
		}
		const lines = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n"
		b.challenge(b.incoming("INVITE"), 401, lines)
		b.incoming("ACK")
		if user != "" {
			b.challenge(b.incoming("INVITE"), 401, lines)
			b.incoming("ACK")
		}
		if e := await(t, l, voice.LegEnded); e.End != voice.EndRejected || e.Code != 401 {
			t.Errorf("ended %+v", e)
		}
	}
}

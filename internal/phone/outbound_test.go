package phone

import (
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/tandemcc/tandem/internal/voice"
)

func TestDialToPeer(t *testing.T) {
	t.Parallel()
	a := start(t, Config{Addr: "127.0.0.1:0"}, nil)
	b := newPeer(t, a.Addr())
	dialPeer := func() (voice.Leg, *sip.Request) {
		l, err := a.Dial(t.Context(), voice.DialRequest{
			URI: "sip:bob@" + b.addr(), From: "49 30/<x>", DisplayName: "A\"\r\nB", Headers: map[string]string{"X-Call": "17"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return l, b.incoming("INVITE")
	}
	t.Run("headers", func(t *testing.T) {
		l, inv := dialPeer()
		// The library's own default would be sip:…@localhost.
		if got := inv.From().Address; got.Host != "127.0.0.1" || got.User != "49%2030/%3Cx%3E" || inv.From().DisplayName != "AB" {
			t.Errorf("From %s", inv.From())
		}
		if header(inv, "X-Call") != "17" || header(inv, "User-Agent") != "Tandem" || inv.Contact().Address.Port != int(a.Addr().Port()) {
			t.Errorf("INVITE %s", inv)
		}
		b.reply(inv, 486, "x", "")
		if ack := b.incoming("ACK"); tagOf(ack.To().Params) != "x" {
			t.Errorf("ACK %s", ack)
		}
		b.reply(inv, 486, "x", "") // as if the ACK had been lost
		b.incoming("ACK")
		if e := await(t, l, voice.LegEnded); e.End != voice.EndRejected || e.Code != 486 {
			t.Errorf("ended %+v", e)
		}
	})
	t.Run("repeated and forked answers", func(t *testing.T) {
		l, inv := dialPeer()
		b.reply(inv, 180, "x", "")
		await(t, l, voice.LegRinging)
		b.reply(inv, 200, "x", b.offer())
		ack := b.incoming("ACK")
		if tagOf(ack.To().Params) != "x" || ack.CSeq().SeqNo != inv.CSeq().SeqNo || ack.Recipient.User != "bob" {
			t.Errorf("ACK %s", ack)
		}
		await(t, l, voice.LegAnswered)
		b.reply(inv, 200, "x", b.offer())
		if ack := b.incoming("ACK"); tagOf(ack.To().Params) != "x" {
			t.Errorf("second ACK %s", ack)
		}
		b.reply(inv, 200, "y", b.offer())
		if ack := b.incoming("ACK"); tagOf(ack.To().Params) != "y" {
			t.Errorf("ACK of the other branch %s", ack)
		}
		bye := b.incoming("BYE")
		if tagOf(bye.To().Params) != "y" {
			t.Errorf("BYE of the other branch %s", bye)
		}
		b.reply(bye, 200, "", "")
		l.Hangup("")
		bye = b.incoming("BYE")
		if tagOf(bye.To().Params) != "x" {
			t.Errorf("BYE %s", bye)
		}
		b.reply(bye, 200, "", "")
		await(t, l, voice.LegEnded)
	})
	t.Run("answer crosses the hang-up", func(t *testing.T) {
		l, inv := dialPeer()
		b.reply(inv, 180, "x", "")
		await(t, l, voice.LegRinging)
		l.Hangup("")
		cancel := b.incoming("CANCEL")
		if cancel.Via().String() != inv.Via().String() {
			t.Errorf("CANCEL %s of INVITE %s", cancel, inv)
		}
		b.reply(cancel, 200, "x", "")
		b.reply(inv, 200, "x", b.offer())
		b.incoming("ACK")
		b.reply(b.incoming("BYE"), 200, "", "")
		if e := await(t, l, voice.LegEnded); e.End != voice.EndLocal {
			t.Errorf("ended %+v", e)
		}
	})
	t.Run("hang-up before any response", func(t *testing.T) {
		l, inv := dialPeer()
		l.Hangup("")
		await(t, l, voice.LegEnded)
		b.reply(inv, 180, "x", "") // only now may CANCEL be sent
		b.reply(b.incoming("CANCEL"), 200, "x", "")
		b.reply(inv, 487, "x", "")
		b.incoming("ACK")
	})
	t.Run("unusable answer", func(t *testing.T) {
		l, inv := dialPeer()
		b.reply(inv, 200, "x", "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n")
		b.incoming("ACK")
		b.reply(b.incoming("BYE"), 200, "", "")
		if e := await(t, l, voice.LegEnded); e.End != voice.EndError {
			t.Errorf("ended %+v", e)
		}
	})
}

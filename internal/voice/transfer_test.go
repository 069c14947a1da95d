package voice_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/routing"
	"github.com/tandemcc/tandem/internal/voice"
)

func transferring(more string) string {
	return `
tandem: flow/1
name: Transfer
nodes:
  Call: {op: start, exits: Out}
  Out: {op: transfer, in: {number: "+1 (415) 555-0199"` + more + `}, exits: {ok: Back, timeout: Late, failure: Sorry}}
  Back: {op: music, in: {file: hold}, exits: Back}
  Late: {op: music, in: {file: hold}, exits: Late}
  Sorry: {op: music, in: {file: hold}, exits: Sorry}
`
}

// TestTransferUnanswered: how the attempt ends decides the exit and what the record says; the caller is still there.
func TestTransferUnanswered(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end       voice.LegEnd
		code      int
		node, why string
	}{
		"busy":            {voice.EndRejected, 486, "Sorry", "busy"},
		"busy everywhere": {voice.EndRejected, 600, "Sorry", "busy"},
		"declined":        {voice.EndRejected, 603, "Sorry", "rejected"},
		"unknown":         {voice.EndRejected, 404, "Sorry", "no such number"},
		"unavailable":     {voice.EndRejected, 480, "Sorry", "nobody answered"},
		"far time-out":    {voice.EndRejected, 408, "Late", "nobody answered"},
		"our time-out":    {voice.EndNoAnswer, 0, "Late", "nobody answered in time"},
		"credentials":     {voice.EndRejected, 407, "Sorry", "credentials"},
		"network":         {voice.EndRejected, 503, "Sorry", "network"},
		"silent trunk":    {voice.EndError, 408, "Sorry", "does not answer"},
		"broken":          {voice.EndError, 0, "Sorry", "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, transferring(""))
			in, id := r.call()
			out := r.dialled(1)
			out.rings()
			r.until("the caller hears it ring", in.media.plays)
			out.end(tc.end, tc.code)
			r.at(id, tc.node)
			v, _ := r.View(id)
			if got := had(&v.Contact, "transferFailed"); !strings.Contains(got, tc.why) || v.Contact.State != contact.InFlow || in.over() {
				t.Errorf("%s, %q", v.Contact.State, got)
			}
		})
	}
}

// TestTransferRequest: what is called, as whom, with which credentials and for how long.
func TestTransferRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t, transferring(`, timeoutMS: 12000, callerId: "+18005550100"`))
	r.call()
	r.dialled(1)
	d := r.phone.dial(1)
	if d.URI != "sip:+14155550199@trunk.test:5060" || d.From != "+18005550100" || d.User != "hub" || d.Password != "pw" || d.RingTimeout != 12*time.Second {
		t.Errorf("dialled %+v", d)
	}
}

// TestTransferRefusedHere: what the installation does not allow, or the trunk cannot take, fails without a call.
func TestTransferRefusedHere(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		number string
		refuse error
	}{"dial plan": {"sip:eve@192.0.2.9", nil}, "letters": {"+1415CALLME", nil}, "transport": {"+14155550199", errors.New("no route")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, strings.Replace(transferring(""), "+1 (415) 555-0199", tc.number, 1))
			r.phone.refuse = tc.refuse
			_, id := r.call()
			r.at(id, "Sorry")
			if n := len(r.phone.all()); n != 0 {
				t.Errorf("%d calls went out", n)
			}
		})
	}
}

// TestBlind: caller and third party are bridged, the flow is over; whoever hangs up first ends both, and the record says who.
func TestBlind(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end    func(in, out *fakeLeg)
		reason contact.EndReason
	}{
		"third party": {func(_, out *fakeLeg) { out.end(voice.EndRemote, 0) }, contact.ByTransfer},
		"caller":      {func(in, _ *fakeLeg) { in.end(voice.EndRemote, 0) }, contact.ByCustomer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, transferring(""))
			in, id := r.call()
			out := r.dialled(1)
			out.answers()
			r.is(id, contact.Transferred)
			r.until("they are bridged", func() bool { return r.phone.bridged(in.media, out.media) })
			tc.end(in, out)
			c := r.record(id)
			if c.EndReason != tc.reason || !in.over() || !out.over() || len(c.Legs) != 2 {
				t.Errorf("ended by %s, caller over %t, other side over %t, %d legs", c.EndReason, in.over(), out.over(), len(c.Legs))
			}
			if r.phone.bridged(in.media, out.media) {
				t.Error("the bridge is still there")
			}
		})
	}
}

// TestBridged: the flow goes on with the caller once the third party has gone; digits wait at each comma.
func TestBridged(t *testing.T) {
	t.Parallel()
	r := newRig(t, transferring(`, bridged: true, sendDigits: "1,,2"`))
	in, id := r.call()
	out := r.dialled(1)
	out.answers()
	r.is(id, contact.Transferred)
	if got := out.media.sent(); got != "1" {
		t.Errorf("at once %q was sent", got)
	}
	r.clock.Advance(1400 * time.Millisecond)
	r.clock.Advance(1400 * time.Millisecond)
	r.until("the rest was sent", func() bool { r.clock.Advance(time.Second); return out.media.sent() == "12" })
	out.end(voice.EndRemote, 0)
	r.at(id, "Back")
	if v, _ := r.View(id); v.Contact.State != contact.InFlow || in.over() || r.phone.bridged(in.media, out.media) {
		t.Errorf("after the transfer the contact is %s", v.Contact.State)
	}
	in.end(voice.EndRemote, 0)
	if c := r.record(id); c.EndReason != contact.ByCustomer || len(c.Legs) != 2 {
		t.Errorf("ended by %s with %d legs", c.EndReason, len(c.Legs))
	}
}

// TestTransferGone: a caller who hangs up while it rings takes it back, and an answer that crosses the hang-up is hung up.
func TestTransferGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, transferring(""))
	in, id := r.call()
	out := r.dialled(1)
	in.end(voice.EndRemote, 0)
	r.until("the ringing is over", out.over)
	if c := r.record(id); c.EndReason != contact.ByCustomer {
		t.Errorf("ended by %s", c.EndReason)
	}
}

// TestTrunkLines: a line is free again once its call has ended.
func TestTrunkLines(t *testing.T) {
	t.Parallel()
	r := newRig(t, transferring(""))
	var ins []*fakeLeg
	for range 2 {
		in, _ := r.call()
		ins = append(ins, in)
	}
	r.dialled(2)
	third := newLeg(voice.LegInfo{Inbound: true, From: "+14155550143", To: "1000"})
	r.phone.handler(third)
	r.until("the third fails", func() bool {
		for _, v := range r.Views() {
			if v.Contact.ANI == "+14155550143" && strings.Contains(had(&v.Contact, "transferFailed"), "lines") {
				return true
			}
		}
		return false
	})
	ins[0].end(voice.EndRemote, 0)
	one, other := r.dialled(1), r.dialled(2) // either may be of the first call
	r.until("its ringing is over", func() bool { return one.over() || other.over() })
	r.until("its line is free", func() bool {
		in := newLeg(voice.LegInfo{Inbound: true, From: "+14155550144", To: "1000"})
		r.phone.handler(in)
		defer in.end(voice.EndRemote, 0)
		return len(r.phone.all()) > 2
	})
}

func toAgent(more string) string {
	return `
tandem: flow/1
name: Direct
nodes:
  Call: {op: start, exits: One}
  One: {op: queueAgent, in: {agent: "ADA", lookup: email` + more + `}, exits: {ok: Music, error: Sorry}}
  Music: {op: music, in: {file: hold}, exits: Music}
  Sorry: {op: music, in: {file: hold}, exits: Sorry}
`
}

// TestAgentDirect: a free agent rings; one who is away is an error, or parks the contact; one who declines sends it on.
func TestAgentDirect(t *testing.T) {
	t.Parallel()
	named := func(r *rig) {
		r.router.With(func(e *routing.Engine, _ time.Time) []routing.Action { e.SetAddress(agent, "ada", ""); return nil })
	}
	t.Run("away", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, toAgent(""))
		named(r)
		_, id := r.call()
		r.at(id, "Sorry")
	})
	t.Run("parked", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, toAgent(", park: true"))
		named(r)
		in, id := r.call()
		r.is(id, contact.Queued)
		r.available()
		r.is(id, contact.Ringing)
		if err := r.Accept(t.Context(), agent, id); err != nil {
			t.Fatal(err)
		}
		r.until("they talk", func() bool { return r.phone.bridged(in.media, r.phone.station.media) })
		in.end(voice.EndRemote, 0)
		r.is(id, contact.WrapUp)
	})
	t.Run("declined", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, toAgent(", park: true, fallback: Support"))
		named(r)
		_, id := r.call()
		r.is(id, contact.Queued)
		r.available()
		r.is(id, contact.Ringing)
		if err := r.Decline(t.Context(), agent, id); err != nil {
			t.Fatal(err)
		}
		r.until("it waits in the recovery queue", func() bool {
			v, _ := r.View(id)
			return v.Contact.State == contact.Queued && v.Contact.QueueID == queue
		})
	})
	t.Run("declined without recovery", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, toAgent(""))
		named(r)
		r.available()
		_, id := r.call()
		r.is(id, contact.Ringing)
		if err := r.Decline(t.Context(), agent, id); err != nil {
			t.Fatal(err)
		}
		r.at(id, "Sorry")
	})
}

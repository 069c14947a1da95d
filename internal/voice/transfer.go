package voice

import (
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
)

const (
	defaultConnect = 30 * time.Second // how long the other side may ring when the flow does not say
	maxConnect     = 10 * time.Minute
	digitPause     = 750 * time.Millisecond // of a comma among the digits to send
)

// transfer is the caller's way to a number outside: dialled, then bridged. The hub stays in the path of the audio; a blind transfer
// differs from a bridged one in that the flow is over.
type transfer struct {
	id       flow.CommandID
	spec     flow.Transfer
	leg      Leg
	answered bool
}

// startTransfer rings the number; the caller hears it ring.
func (k *call) startTransfer(id flow.CommandID, spec flow.Transfer) {
	ring := defaultConnect
	if spec.TimeoutMS > 0 {
		ring = min(time.Duration(spec.TimeoutMS)*time.Millisecond, maxConnect)
	}
	k.cancel[id] = func() {}
	if k.xfer != nil || k.legOver {
		k.post(func() {
			k.result(id, flow.Event{Kind: flow.EvAnswer, Outcome: "failed", Error: "the caller is being transferred already, or has gone"})
		})
		return
	}
	leg, err := k.c.callOut(spec.Number, k.callerID(spec.CallerID), "", ring)
	if err != nil {
		k.ct.Note(k.now(), "transferFailed", "Not transferred: "+errs.Message(err), spec.Number)
		k.emit("contact.transferFailed", nil)
		k.post(func() { k.result(id, flow.Event{Kind: flow.EvAnswer, Outcome: "failed", Error: errs.Message(err)}) })
		return
	}
	x := &transfer{id: id, spec: spec, leg: leg}
	k.xfer = x
	k.cancel[id] = func() { k.dropTransfer() }
	k.ct.Note(k.now(), "transferring", "Calling "+destination(spec.Number), "")
	go k.followTransfer(x)
}

func (k *call) followTransfer(x *transfer) {
	defer k.c.goneOut()
	for ev := range x.leg.Events() {
		switch ev.Type { //nolint:exhaustive // the others do not matter here
		case LegRinging:
			k.post(func() { k.transferRings(x) })
		case LegAnswered:
			k.post(func() { k.transferAnswered(x) })
		case LegEnded:
			k.post(func() { k.transferEnded(x, ev) })
		}
	}
}

// transferRings lets the caller hear that it rings, unless an agent talks to them meanwhile.
func (k *call) transferRings(x *transfer) {
	if k.xfer == x && !x.answered && k.unbridge == nil {
		k.leg.Media().Play(ringback(), true, nil)
	}
}

// transferAnswered connects caller and third party. Who talked to the caller is out.
func (k *call) transferAnswered(x *transfer) {
	if k.xfer != x {
		x.leg.Hangup("the caller has gone")
		return
	}
	x.answered = true
	if !k.agentDone {
		k.leaveAgent()
		if k.sess != nil {
			k.sess.Talking = false // not by hanging up: no handler runs
		}
	}
	k.leg.Media().Stop()
	unbridge, err := k.c.Phone.Bridge(k.leg.Media(), x.leg.Media())
	if err != nil {
		k.log.ErrorContext(k.c.ctx, "bridging", slog.Any("error", err))
		k.ct.Note(k.now(), "error", "Audio could not be connected", errs.Message(err))
	} else {
		k.unbridge = unbridge
	}
	k.sendAfter(x, x.spec.Digits)
	k.ct.SetState(contact.Transferred, k.now())
	k.ct.Note(k.now(), "transferred", "Connected with "+destination(x.spec.Number), "")
	k.emit("contact.transferred", map[string]string{"bridged": strconv.FormatBool(x.spec.Bridged)})
	if x.spec.Bridged {
		k.save()
		return
	}
	k.result(x.id, flow.Event{Kind: flow.EvAnswer, Outcome: "ok"})
	k.save()
}

// sendAfter presses keys at the third party's; a comma is a pause.
func (k *call) sendAfter(x *transfer, digits string) {
	now, rest, pause := strings.Cut(digits, ",")
	if now != "" {
		if err := x.leg.Media().SendDigits(now); err != nil {
			k.ct.Note(k.now(), "error", "The digits could not be sent", errs.Message(err))
			return
		}
	}
	if pause {
		k.after(digitPause, func() {
			if k.xfer == x {
				k.sendAfter(x, rest)
			}
		})
	}
}

// transferEnded is the end of the third party's leg, whoever hung up.
func (k *call) transferEnded(x *transfer, ev LegEvent) {
	if k.xfer != x {
		return
	}
	k.xfer = nil
	if !x.answered {
		k.transferFailed(x, ev)
		return
	}
	k.noteThirdParty(x)
	k.split()
	k.ct.SetState(contact.InFlow, k.now())
	k.ct.Note(k.now(), "transferEnded", destination(x.spec.Number)+" hung up", "")
	if !x.spec.Bridged {
		k.setEnd(contact.ByTransfer)
		k.leg.Hangup("the other side hung up")
		return
	}
	k.result(x.id, flow.Event{Kind: flow.EvAnswer, Outcome: "ok"})
}

func (k *call) transferFailed(x *transfer, ev LegEvent) {
	why, late := unreached(ev)
	if k.unbridge == nil {
		k.leg.Media().Stop()
	}
	k.ct.Note(k.now(), "transferFailed", "Not transferred: "+why, codeText(ev.Code))
	k.emit("contact.transferFailed", map[string]string{"code": codeText(ev.Code)})
	out := flow.Event{Kind: flow.EvAnswer, Outcome: "failed", Error: why}
	if late {
		out.Outcome = "timeout"
	}
	k.result(x.id, out)
}

func codeText(code int) string {
	if code == 0 {
		return ""
	}
	return strconv.Itoa(code)
}

// dropTransfer hangs the third party up: the caller has gone, or the flow wants something else.
func (k *call) dropTransfer() {
	x := k.xfer
	if x == nil {
		return
	}
	k.xfer = nil
	if x.answered {
		k.noteThirdParty(x)
		k.split()
	} else if k.unbridge == nil && !k.legOver {
		k.leg.Media().Stop()
	}
	x.leg.Hangup("the caller has gone")
}

func (k *call) noteThirdParty(x *transfer) {
	k.ct.Legs = append(k.ct.Legs, legRecord("thirdParty", destination(x.spec.Number), x.leg.Media().Stats()))
}

// ringback is what a caller hears while a telephone rings, as in North America (ITU-T E.180: 440 and 480 Hz, 2 s on, 4 s off).
var ringback = sync.OnceValue(func() []byte { //nolint:gochecknoglobals // made once, never changed
	tone := audio.EncodeULaw(nil, audio.Tones(0.1, 2*time.Second, audio.Rate, 440, 480))
	return append(tone, audio.Silence(4*time.Second)...)
})

package voice

import (
	"log/slog"
	"time"

	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/routing"
)

// attention is the file that announces a contact which is connected without being accepted.
const attention = "beep"

// autoAccept connects an agent of a queue that answers by itself: the agent hears a tone first. A SIP phone rings at once;
// who answers it accepts. Where that fails the offer stays, and the agent may accept by hand.
func (k *call) autoAccept(a routing.Action) {
	var queue routing.Queue
	k.c.Router.With(func(e *routing.Engine, _ time.Time) []routing.Action {
		queue, _ = e.Queue(a.QueueID)
		return nil
	})
	if !queue.AutoAccept || k.ct.State != contact.Ringing {
		return
	}
	if address := k.c.sipAddress(a.AgentID); address != "" {
		k.byItself(k.dialAgent(address))
		return
	}
	media, err := k.agentMedia(a.AgentID, nil)
	if err != nil {
		k.byItself(err)
		return
	}
	tone, err := k.c.Prompts.Music(k.c.ctx, k.ct.Tenant, attention)
	if err != nil || len(tone) == 0 {
		k.byItself(k.connectOffered(a))
		return
	}
	media.Play(tone, false, func(bool) { k.post(func() { k.byItself(k.connectOffered(a)) }) })
}

// connectOffered connects the agent if the contact still rings at their desk by the same offer.
func (k *call) connectOffered(a routing.Action) error {
	if k.ct.State != contact.Ringing || k.ct.AgentID != a.AgentID || !k.ringUntil.Equal(a.Until) {
		return nil
	}
	return k.connect(nil)
}

// byItself says why a contact was not connected without the agent.
func (k *call) byItself(err error) {
	if err != nil {
		k.ct.Note(k.now(), "error", "Not connected by itself", errs.Message(err))
		k.log.WarnContext(k.c.ctx, "connecting an agent without asking", slog.Any("error", err))
	}
}

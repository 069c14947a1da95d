package voice

import (
	"context"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/clock"
	"github.com/tandemcc/tandem/internal/flow"
)

// gatherer collects a caller's digits: the entry time-out runs from the end of the prompt, the inter-digit one from each
// digit. Keys pressed under a prompt that may not be interrupted are not counted.
type gatherer struct {
	id        flow.CommandID
	spec      flow.Gather
	digits    string
	prompting bool
	timer     *clock.Timer
}

func (k *call) startGather(id flow.CommandID, g flow.Gather) {
	k.gather = &gatherer{id: id, spec: g, prompting: len(g.Prompts) > 0}
	if !k.gather.prompting {
		k.cancel[id] = func() { k.endGather() }
		k.waitDigit(g.EntryTimeoutMS)
		return
	}
	k.ct.Note(k.now(), "prompt", "Prompt", promptText(g.Prompts))
	gather := k.gather
	k.sound(id, func(ctx context.Context) ([]byte, error) {
		return k.c.Prompts.Clip(ctx, k.ct.Tenant, g.Prompts)
	}, func(error) { // a prompt that cannot be spoken must not lose the caller: the time-out runs
		if k.gather == gather && gather.prompting {
			gather.prompting = false
			k.cancel[id] = func() { k.endGather() }
			if gather.digits == "" {
				k.waitDigit(g.EntryTimeoutMS)
			}
		}
	})
}

// endGather stops what gathering has started.
func (k *call) endGather() {
	if g := k.gather; g != nil {
		g.timer.Stop()
		k.gather = nil
		if g.prompting && !k.legOver {
			k.leg.Media().Stop()
		}
	}
}

func (k *call) waitDigit(ms int) {
	g := k.gather
	g.timer.Stop()
	g.timer = k.after(time.Duration(ms)*time.Millisecond, func() {
		if k.gather == g {
			k.finishGather(true)
		}
	})
}

// digit takes a key the caller pressed.
func (k *call) digit(key rune) {
	if k.messageKey(key) {
		return
	}
	g := k.gather
	if g == nil || (g.prompting && !g.spec.Interruptible) {
		return
	}
	if g.prompting {
		g.prompting = false
		k.leg.Media().Stop()
		k.cancel[g.id] = func() { k.endGather() }
	}
	if strings.ContainsRune(g.spec.Terminators, key) {
		k.finishGather(false)
		return
	}
	g.digits += string(key)
	if len(g.digits) >= g.spec.Max {
		k.finishGather(false)
		return
	}
	wait := g.spec.InterDigitTimeoutMS
	if wait == 0 {
		wait = g.spec.EntryTimeoutMS
	}
	k.waitDigit(wait)
}

func (k *call) finishGather(timedOut bool) {
	g := k.gather
	g.timer.Stop()
	k.gather = nil
	ev := flow.Event{Kind: flow.EvGathered, Digits: g.digits}
	if len(g.digits) < max(g.spec.Min, 1) {
		ev.Reason = flow.GatherInvalid
		if timedOut {
			ev.Reason = flow.GatherTimeout
		}
	}
	k.result(g.id, ev)
}

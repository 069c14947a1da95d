package voice

import (
	"log/slog"
	"maps"
	"math/rand/v2"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
)

// maxHandOvers is how often one call may go from flow to flow: flows that hand it to each other run in a circle.
const maxHandOvers = 100

// goTo ends this flow's session and goes on with another flow, in the version that the call has pinned.
func (k *call) goTo(ref flow.Destination) {
	name := firstOf(ref.Name, ref.ID)
	if k.handOvers++; k.handOvers > maxHandOvers {
		k.lost("The flows run in a circle", "more than 100 hand-overs, the last to "+name, nil)
		return
	}
	entry, err := k.c.Flows.Find(k.c.ctx, k.ct.Tenant, ref, k.ct.FlowPins)
	if err != nil {
		k.lost("The next flow was not found", name+": "+errs.Message(err), err)
		return
	}
	vars := make(map[string]any, len(k.sess.Vars)+len(entry.Vars))
	maps.Copy(vars, k.sess.Vars)
	maps.Copy(vars, entry.Vars)
	in := flow.Input{Contact: k.sess.Contact, At: k.now(), Seed: rand.Uint64(), Vars: vars}
	k.cancel[0] = func() {} // no command has this id: the call is not idle
	k.post(func() {
		delete(k.cancel, 0)
		k.prog, k.ct.FlowID, k.ct.FlowName, k.ct.FlowVersion = entry.Program, entry.FlowID, entry.FlowName, entry.FlowVersion
		k.ct.FlowPins = entry.Pins
		k.ct.Note(k.now(), "flow", "Handed over to the flow "+entry.FlowName, "")
		k.begin(in)
	})
}

// lost ends a call that no flow goes on with.
func (k *call) lost(what, detail string, err error) {
	k.ct.Note(k.now(), "error", what, detail)
	k.log.WarnContext(k.c.ctx, "going to another flow", slog.String("flow", detail), slog.Any("error", err))
	if !k.legOver {
		k.leg.Hangup("flow error")
	}
}

func firstOf(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

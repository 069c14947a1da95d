package connect_test

import (
	"testing"

	"github.com/tandemcc/tandem/internal/flow"
)

// TestAdjustWhileWaiting: the flow for waiting contacts changes how old its contact counts as, and its priority.
func TestAdjustWhileWaiting(t *testing.T) {
	main, _ := imported(t, doc(act("h", "UpdateContactEventHooks", `{"EventHooks":{"CustomerQueue":"queue-1"}}`, "next", "q"),
		act("q", "UpdateContactTargetQueue", `{"QueueId":"q-1"}`, "next", "r"), act("r", "UpdateContactRoutingBehavior", `{"QueueTimeAdjustmentSeconds":"60"}`, "next", "t"),
		act("t", "TransferContactToQueue", `{}`)))
	wait, _ := imported(t, doc(act("a", "MessageParticipant", `{"Text":"wait"}`, "next", "b"), act("b", "UpdateContactRoutingBehavior", `{"QueueTimeAdjustmentSeconds":"-120"}`, "next", "c"),
		act("c", "UpdateContactRoutingBehavior", `{"QueuePriority":"2"}`, "next", "d"), act("d", "MessageParticipantIteratively", `{"Messages":[{"Text":"on"},{"Text":"and on"}]}`)))
	c := beginFlow(t, flow.Link(main, func(flow.Ref) *flow.Flow { return wait }), nil)
	placed := c.s.Outstanding()[0].Enqueue
	if placed == nil || placed.AgeAdjustSeconds != 60 {
		t.Errorf("placed as %+v", placed)
	}
	c.hear("wait").played()
	var adjusted *int
	priority := 0
	for _, cmd := range c.last {
		if cmd.Kind == flow.CmdPriority {
			priority = max(priority, cmd.Priority)
			if cmd.AgeAdjustSeconds != nil {
				adjusted = cmd.AgeAdjustSeconds
			}
		}
	}
	if adjusted == nil || *adjusted != -120 || priority != 2 {
		t.Errorf("commands %+v", c.last)
	}
}

// TestOpenOverride: an override that opens is a time of work for Amazon Connect.
func TestOpenOverride(t *testing.T) {
	for outcome, open := range map[string]bool{"override": true, "work": true} {
		c := begin(t, doc(act("h", "CheckHoursOfOperation", `{"HoursOfOperationId":"h-1"}`, "if Equals True", "y", "if Equals False", "n"), says("y"), says("n")), nil)
		c.result(flow.Event{Kind: flow.EvAnswer, Outcome: outcome, Fields: map[string]any{"open": open}}).hear("y")
	}
}

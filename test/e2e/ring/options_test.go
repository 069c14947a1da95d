package ring

import (
	"slices"
	"testing"

	"github.com/tandemcc/tandem/internal/softphone"
	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// attentionTone is what an agent hears before they are connected without having accepted, in Hz.
const attentionTone = 880

// TestQueueAnswersByItself: the agent hears a tone and talks, without a key pressed.
func TestQueueAnswersByItself(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	setQueue(h, map[string]any{"autoAccept": true})
	ada := sit(t, h, "ada", agentTone)
	call := dial(h, "+15005550142", "1000", callerTone)
	ada.is("connected")
	h.Eventually("each hears the other", func() bool { return call.ear.hears(agentTone) && ada.ear.hears(callerTone) })
	if !slices.ContainsFunc(ada.ear.since(0), func(ev softphone.Event) bool { return ev.Type == softphone.Audio && is(ev, attentionTone) }) {
		t.Error("the agent heard no tone before the caller")
	}
	call.Hangup()
	ada.is("wrapup")
}

// TestQueueAnswersByItselfAtATelephone: the agent's telephone rings at once; who takes it up talks.
func TestQueueAnswersByItselfAtATelephone(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	setQueue(h, map[string]any{"autoAccept": true})
	phone := listen(t)
	ada := &desk{Client: h.SignIn("ada"), h: h, t: t, ear: phone.ear}
	ada.Must("POST", "/desk/station", map[string]string{"kind": "sip", "address": "sip:201@" + phone.address}, nil)
	ada.Available()
	call := dial(h, "+15005550142", "1000", callerTone)
	ada.is("connected")
	h.Eventually("the caller hears the agent", func() bool { return call.ear.hears(agentTone) })
	call.Hangup()
}

// TestQueueWithItsOwnCodes: the desk shows the codes of the contact's queue, and takes no other.
func TestQueueWithItsOwnCodes(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	var all struct{ Items []struct{ ID, Name string } }
	h.API().Must("GET", "/wrapup-codes", nil, &all)
	if len(all.Items) < 2 {
		t.Fatalf("the sample has %d codes, the test needs two", len(all.Items))
	}
	own, other := all.Items[1].ID, all.Items[0].ID
	setQueue(h, map[string]any{"wrapUpCodes": []string{own}})
	ada := sit(t, h, "ada", agentTone)
	call := dial(h, "+15005550142", "1000", callerTone)
	id := ada.accepts()
	call.Hangup()
	ada.is("wrapup")
	var shown struct{ WrapUpCodes []struct{ ID string } }
	ada.Must("GET", "/desk", nil, &shown)
	if len(shown.WrapUpCodes) != 1 || shown.WrapUpCodes[0].ID != own {
		t.Errorf("the desk shows %v, want only %s", shown.WrapUpCodes, own)
	}
	status, _, err := ada.Do("POST", "/desk/contacts/"+id+"/wrapup", map[string]string{"codeId": other, "notes": ""}, nil)
	if err != nil || status != 400 && status != 422 {
		t.Errorf("a code of another queue: status %d, %v", status, err)
	}
	ada.finishes(id, own, "")
	if r := closed(t, h, id); r.Disposition == nil || r.Disposition.ID != own {
		t.Errorf("the record ended with %+v, want %s", r.Disposition, own)
	}
}

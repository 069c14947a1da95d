package ring

import (
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/softphone"
	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// longestGap is how long one side may be without the other's sound.
const longestGap = 200 * time.Millisecond

// talk calls the menu's number, where a key leads to the queue at once, and connects ada.
func talk(t *testing.T, h *hub.Hub) (*desk, *line, string) {
	t.Helper()
	ada := sit(t, h, "ada", agentTone)
	call := dial(h, "+15005550142", "1001", callerTone)
	<-call.Answered()
	press(t, h, call, "0")
	id := ada.accepts()
	hearsBoth(h, ada, call)
	return ada, call, id
}

// press presses a key until the menu has heard it: before its first prompt nobody listens.
func press(t *testing.T, h *hub.Hub, call *line, key string) {
	t.Helper()
	id := h.Records()[0].ID
	h.Eventually("the menu speaks", func() bool { return h.Record(id).Had("prompt") })
	if err := call.SendDigits(key); err != nil {
		t.Fatal(err)
	}
}

// hearsBoth waits until caller and agent hear each other's tone and nothing else.
func hearsBoth(h *hub.Hub, d *desk, call *line) {
	h.Eventually("the caller hears the agent", func() bool { return call.ear.hears(agentTone) })
	h.Eventually("the agent hears the caller", func() bool { return d.ear.hears(callerTone) })
}

// TestSoundBothWays: distinct tones arrive in each direction, without a hole.
func TestSoundBothWays(t *testing.T) {
	h := hub.Start(t, hub.Options{})
	ada, call, id := talk(t, h)
	atCaller, atAgent := call.ear.mark(), ada.ear.mark()
	const windows = 60 // 3 s
	h.Eventually("three seconds of sound", func() bool {
		return len(call.ear.since(atCaller)) >= windows && len(ada.ear.since(atAgent)) >= windows
	})
	if g := gap(call.ear.since(atCaller), agentTone); g > longestGap {
		t.Errorf("the caller did not hear the agent for %v", g)
	}
	if g := gap(ada.ear.since(atAgent), callerTone); g > longestGap {
		t.Errorf("the agent did not hear the caller for %v", g)
	}
	ada.do(id, "end")
	h.Eventually("the caller's call has ended", func() bool { _, ok := call.ear.ended(); return ok })
	ada.finishes(id, "", "")
	if r := closed(t, h, id); r.EndReason != "agent" {
		t.Errorf("the record says the call was ended by %q", r.EndReason)
	}
}

func TestHoldAndMute(t *testing.T) {
	h := hub.Start(t, hub.Options{})
	ada, call, id := talk(t, h)

	ada.do(id, "hold")
	if c := ada.Desk().Contact; !c.Held || c.State != "held" {
		t.Errorf("on hold the desk shows %+v", c)
	}
	h.Eventually("the caller hears music", func() bool {
		list := call.ear.audio(10)
		loud := 0
		for _, ev := range list {
			if is(ev, agentTone) {
				return false
			}
			if ev.Level > -45 {
				loud++
			}
		}
		return loud >= 5
	})
	h.Eventually("the agent hears nothing", ada.ear.silent)
	ada.do(id, "resume")
	hearsBoth(h, ada, call)

	ada.do(id, "mute")
	if !ada.Desk().Contact.Muted {
		t.Error("the desk does not show that it is muted")
	}
	h.Eventually("the caller hears nothing", call.ear.silent)
	h.Eventually("the agent still hears the caller", func() bool { return ada.ear.hears(callerTone) })
	ada.do(id, "unmute")
	hearsBoth(h, ada, call)

	// Muted on hold stays muted after it.
	ada.do(id, "mute")
	ada.do(id, "hold")
	ada.do(id, "resume")
	h.Eventually("the caller hears nothing after the hold", call.ear.silent)
	if c := ada.Desk().Contact; !c.Muted || c.Held {
		t.Errorf("after the hold the desk shows %+v", c)
	}
	call.Hangup()
	ada.is("wrapup")
}

// TestKeysBothWays: keys from the desk, and from a telephone to the other.
func TestKeysBothWays(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	phone := listen(t)
	ada := &desk{Client: h.SignIn("ada"), h: h, t: t, ear: phone.ear}
	ada.Must("POST", "/desk/station", map[string]string{"kind": "sip", "address": "sip:201@" + phone.address}, nil)
	ada.Available()
	call := dial(h, "+15005550142", "1001", callerTone)
	<-call.Answered()
	press(t, h, call, "0")
	id := ada.accepts()
	hearsBoth(h, ada, call)
	defer func() { t.Logf("keys heard by the agent %q, by the caller %q", ada.ear.keys(), call.ear.keys()) }()
	ada.Must("POST", "/desk/contacts/"+id+"/digits", map[string]string{"digits": "159#"}, nil)
	h.Eventually("the caller's side gets the desk's keys", func() bool { return call.ear.keys() == "159#" })
	if err := call.SendDigits("*73"); err != nil {
		t.Fatal(err)
	}
	// The key that chose from the menu is not among them, though its last packets may come when the two are connected.
	h.Eventually("the agent's phone gets the caller's keys", func() bool { return ada.ear.keys() == "*73" })
	if err := (<-phone.sessions).SendDigits("0D"); err != nil {
		t.Fatal(err)
	}
	h.Eventually("the caller's side gets the agent's keys", func() bool { return call.ear.keys() == "159#0D" })
	hearsBoth(h, ada, call)
	status, _, err := ada.Do("POST", "/desk/contacts/"+id+"/digits", map[string]string{"digits": "x"}, nil)
	if err != nil || status < 400 || status >= 500 {
		t.Errorf("a key that is none: %d %v", status, err)
	}
}

// TestDeskKeys: keys from a desk whose agent talks through the browser, from the browser itself, and from the caller to it.
func TestDeskKeys(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	ada, call, id := talk(t, h)
	ada.Must("POST", "/desk/contacts/"+id+"/digits", map[string]string{"digits": "159#"}, nil)
	h.Eventually("the caller's side gets the keys", func() bool { return call.ear.keys() == "159#" })
	if err := ada.audio.SendDigits("08"); err != nil {
		t.Fatal(err)
	}
	h.Eventually("the caller's side gets the browser's keys", func() bool { return call.ear.keys() == "159#08" })
	if err := call.SendDigits("*42"); err != nil {
		t.Fatal(err)
	}
	h.Eventually("the browser gets the caller's keys", func() bool { return ada.ear.keys() == "*42" })
	hearsBoth(h, ada, call)
}

// TestReload: the page is loaded again in mid call; the old connection goes without a word, as a closed tab does.
func TestReload(t *testing.T) {
	h := hub.Start(t, hub.Options{})
	ada, call, id := talk(t, h)
	ada.Must("PUT", "/desk/contacts/"+id+"/variables", map[string]any{"values": map[string]string{}}, nil)
	before := ada.Desk().Contact
	old := ada.audio
	ada.ear = &ear{}
	ada.audio = ada.Connect(ada.ear.options(900))
	h.Eventually("the caller hears the new page", func() bool { return call.ear.hears(900) })
	h.Eventually("the new page hears the caller", func() bool { return ada.ear.hears(callerTone) })
	old.Hangup()
	after := ada.Desk().Contact
	if after == nil || after.ID != before.ID || after.State != "connected" || len(after.Variables) != len(before.Variables) {
		t.Errorf("before the reload the desk showed %+v, after it %+v", before, after)
	}
	ada.do(id, "hold")
	ada.do(id, "resume")
	h.Eventually("the new page still hears the caller", func() bool { return ada.ear.hears(callerTone) })
	call.Hangup()
	ada.is("wrapup")
	ada.finishes(id, "resolved", "")
	if r := closed(t, h, id); r.EndReason != "customer" {
		t.Errorf("the record says %q", r.EndReason)
	}
}

// TestReloadWhileRinging: the connection is made anew while a call rings; it can be taken with the new one.
func TestReloadWhileRinging(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	ada := sit(t, h, "ada", agentTone)
	call := dial(h, "+15005550142", "1000", callerTone)
	id := ada.rings()
	ada.audio.Hangup()
	ada.ear = &ear{}
	ada.audio = ada.Connect(ada.ear.options(agentTone))
	ada.do(id, "accept")
	hearsBoth(h, ada, call)
}

// TestSecondTab: a second page of the same agent shows the same desk; the audio goes to the page that connected last.
func TestSecondTab(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	ada, call, id := talk(t, h)
	second := &desk{Client: h.SignIn("ada"), h: h, t: t, ear: &ear{}}
	if d := second.Desk(); d.State != "connected" || d.Contact == nil || d.Contact.ID != id {
		t.Fatalf("the second tab shows %+v", d)
	}
	second.audio = second.Connect(second.ear.options(1100))
	h.Eventually("the caller hears the second tab", func() bool { return call.ear.hears(1100) })
	h.Eventually("the second tab hears the caller", func() bool { return second.ear.hears(callerTone) })
	second.do(id, "hold")
	if !ada.Desk().Contact.Held {
		t.Error("the first tab does not show the hold")
	}
	ada.do(id, "resume")
	ada.do(id, "end")
	second.is("wrapup")
	second.finishes(id, "resolved", "")
	ada.is("available")
}

// TestSIPStation: an agent with a telephone of their own.
func TestSIPStation(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	phone := listen(t)
	ada := &desk{Client: h.SignIn("ada"), h: h, t: t, ear: phone.ear}
	ada.Must("POST", "/desk/station", map[string]string{"kind": "sip", "address": "sip:201@" + phone.address}, nil)
	if s := ada.Desk().Station; s.Kind != "sip" || !s.Connected || s.Address != "sip:201@"+phone.address {
		t.Errorf("the station is %+v", s)
	}
	ada.Available()
	call := dial(h, "+15005550142", "1000", callerTone)
	id := ada.accepts()
	hearsBoth(h, ada, call)
	ada.do(id, "hold")
	h.Eventually("the caller does not hear the agent on hold", func() bool { return len(call.ear.audio(4)) == 4 && !call.ear.hears(agentTone) })
	ada.do(id, "resume")
	hearsBoth(h, ada, call)
	(<-phone.sessions).Hangup()
	h.Eventually("the caller's call has ended", func() bool { _, ok := call.ear.ended(); return ok })
	ada.is("wrapup")
	ada.finishes(id, "resolved", "")
	if r := closed(t, h, id); r.EndReason != "agent" || len(r.Legs) != 2 || r.Legs[1].PacketsReceived == 0 {
		t.Errorf("the record: %q %+v", r.EndReason, r.Legs)
	}
}

// TestSIPStationBack: back to the browser, calls ring there again.
func TestSIPStationBack(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	ada := sit(t, h, "ada", agentTone)
	ada.Must("POST", "/desk/station", map[string]string{"kind": "sip", "address": "sip:201@127.0.0.1:9"}, nil)
	ada.Must("POST", "/desk/station", map[string]string{"kind": "browser"}, nil)
	if s := ada.Desk().Station; s.Kind != "browser" || !s.Connected {
		t.Errorf("the station is %+v", s)
	}
	call := dial(h, "+15005550142", "1000", callerTone)
	ada.accepts()
	hearsBoth(h, ada, call)
	for _, bad := range []string{"201@127.0.0.1", "sip:", "tel:+1", "sip:201@127.0.0.1:99999", "sip:a@b\r\nVia: x"} {
		status, raw, err := ada.Do("POST", "/desk/station", map[string]string{"kind": "sip", "address": bad}, nil)
		if err != nil || status != 400 && status != 422 {
			t.Errorf("station %q: %d %s %v", bad, status, raw, err)
		}
	}
}

// answering is a telephone that answers by itself.
type answering struct {
	address  string
	ear      *ear
	sessions chan *softphone.Session
}

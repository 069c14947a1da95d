package voice_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/voice"
)

// loud and quiet are packets of 20 ms, of speech and of a line on which nobody speaks.
var (
	loud  = bytes.Repeat([]byte{1}, 160)
	quiet = bytes.Repeat([]byte{0xff}, 160)
)

func voicemail(params string) string {
	return `
tandem: flow/1
name: Voicemail
vars: [{name: id, type: STRING, cad: true}]
nodes:
  Call: {op: start, exits: Message}
  Message: {op: recordMessage, in: {params: {` + params + `}}, exits: {ok: Keep, timeout: Nothing, error: Failed}}
  Keep: {op: set, in: {sets: {id: "{{ Message.recordingId }}"}}, exits: Thanks}
  Thanks: {op: music, in: {file: hold}, exits: Thanks}
  Nothing: {op: hangup}
  Failed: {op: music, in: {file: hold}, exits: Failed}
`
}

// says lets the caller of a leg say, or not say, something for so many packets, once it is listened to.
func (r *rig) says(in *fakeLeg, packet []byte, times int) {
	r.t.Helper()
	r.until("the caller is listened to", func() bool { return in.media.hear(voice.Received, packet) })
	for range times - 1 {
		in.media.hear(voice.Received, packet)
	}
}

// message waits until a contact's one recording has ended and returns it.
func (r *rig) message(id string) (rec contact.Recording) {
	r.t.Helper()
	ctx := caller.With(r.t.Context(), r.deps.Principal)
	r.until("the message is stored", func() bool {
		list, err := r.service.Recordings(ctx, tenant, id)
		if err != nil || len(list) != 1 || list[0].EndedAt.IsZero() {
			return false
		}
		rec = list[0]
		return true
	})
	return rec
}

func (r *rig) timeline(id, typ string) string {
	v, _ := r.View(id)
	return had(&v.Contact, typ)
}

// TestMessage: what is said after the tone is recorded until the caller is silent; the flow knows the recording, and only the
// customer's side is in it.
func TestMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t, voicemail("tone: true, silenceMS: 4000, maxMS: 60000"))
	in, id := r.call()
	r.until("the tone sounds", in.media.plays)
	if in.media.hear(voice.Received, loud) {
		t.Error("it is recorded before the tone is over")
	}
	in.media.Stop() // its end
	r.says(in, loud, 10)
	in.media.hear(voice.Sent, bytes.Repeat([]byte{2}, 160))
	r.clock.Advance(3 * time.Second)
	r.says(in, loud, 1) // a pause ends no message
	r.clock.Advance(3 * time.Second)
	r.says(in, quiet, 1)
	r.clock.Advance(2 * time.Second)
	r.at(id, "Thanks")
	rec := r.message(id)
	v, _ := r.View(id)
	if got := v.Contact.Variables[0].Value; got != rec.ID || !strings.Contains(r.timeline(id, "recording"), "Message recorded") {
		t.Errorf("the flow knows the recording %s as %q; %s", rec.ID, got, r.timeline(id, "recording"))
	}
	r.heard(id, contact.Participants{Customer: true})
	if in.media.hear(voice.Received, loud) {
		t.Error("it is recorded after its end")
	}
}

// TestMessageEnds: a key among the terminators, and the longest time, end a message; other keys do not.
func TestMessageEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(r *rig, in *fakeLeg){
		"key":  func(_ *rig, in *fakeLeg) { in.presses("1#") },
		"full": func(r *rig, _ *fakeLeg) { r.clock.Advance(10 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, voicemail(`silenceMS: 60000, maxMS: 10000, terminators: "#"`))
			in, id := r.call()
			r.says(in, loud, 10)
			if end(r, in); name == "key" {
				in.presses("1")
			}
			r.at(id, "Thanks")
			r.message(id)
		})
	}
}

// TestNoMessage: who says nothing, or makes no more than a click, leaves no recording.
func TestNoMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t, voicemail("silenceMS: 4000"))
	in, id := r.call()
	r.says(in, loud, 1)
	r.says(in, quiet, 50)
	r.clock.Advance(4 * time.Second)
	r.record(id)
	r.heard(id, contact.Participants{})
}

// TestMessageHangUp: what was said before the caller hung up is kept.
func TestMessageHangUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, voicemail("silenceMS: 4000"))
	in, id := r.call()
	r.says(in, loud, 10)
	in.end(voice.EndRemote, 0)
	if c := r.record(id); c.EndReason != contact.ByCustomer {
		t.Errorf("it ended by %s", c.EndReason)
	}
	r.heard(id, contact.Participants{Customer: true})
}

func keys(digits string) string {
	return `
tandem: flow/1
name: Keys
nodes:
  Call: {op: start, exits: Send}
  Send: {op: sendDigits, in: {digits: "` + digits + `"}, exits: {ok: Sent, failure: Refused, error: Refused}}
  Sent: {op: music, in: {file: hold}, exits: Sent}
  Refused: {op: music, in: {file: hold}, exits: Refused}
`
}

// TestSendDigits: a flow sends keys on the caller's line, with pauses, and goes on when they have been sent.
func TestSendDigits(t *testing.T) {
	t.Parallel()
	r := newRig(t, keys("12,3#"))
	in, id := r.call()
	r.until("the first keys are sent", func() bool { return in.media.sent() == "12" })
	if v, _ := r.View(id); v.Node == "Sent" {
		t.Error("the flow goes on before all keys are sent")
	}
	r.clock.Advance(2 * time.Second)
	r.until("all keys are sent", func() bool { return in.media.sent() == "123#" })
	r.clock.Advance(2 * time.Second)
	r.at(id, "Sent")
	if got := r.timeline(id, "digits"); got != "Digits sent;" {
		t.Errorf("the timeline says %q", got)
	}
}

// TestSendDigitsRefused: keys that the line does not take, too many, and none, leave by failure with the reason in the timeline.
func TestSendDigitsRefused(t *testing.T) {
	t.Parallel()
	for name, digits := range map[string]string{"refused": "x", "too many": strings.Repeat("1", 65), "none": " , "} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, keys(digits))
			in, id := r.call()
			r.at(id, "Refused")
			if in.media.sent() != "" || r.timeline(id, "error") == "" {
				t.Errorf("sent %q; the timeline says %q", in.media.sent(), r.timeline(id, "error"))
			}
		})
	}
}

// TestNotThere: what this installation does not have leaves by the error port, and the timeline names it.
func TestNotThere(t *testing.T) {
	t.Parallel()
	for op, why := range map[string]string{
		"{op: view, in: {view: guide}": "show no pages", "{op: task, in: {flow: f}": "no tasks",
		"{op: stream, in: {params: {state: Enabled}}": "no other system", "{op: bot, in: {bot: b}": "no dialogue platform",
	} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, `
tandem: flow/1
name: Asks
nodes:
  Call: {op: start, exits: Ask}
  Ask: `+op+`, exits: {error: Failed}}
  Failed: {op: music, in: {file: hold}, exits: Failed}
`)
			_, id := r.call()
			r.at(id, "Failed")
			v, _ := r.View(id)
			got := ""
			for _, m := range v.Contact.Timeline {
				got += m.Detail + ";"
			}
			if !strings.Contains(got, why) {
				t.Errorf("the timeline says %q", got)
			}
		})
	}
}

package voice_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/voice"
)

func recording(step string) string {
	return `
tandem: flow/1
name: Record
start: Call
nodes:
  Call: {op: start, exits: ` + step + `}
  Off: {op: record, in: {participants: []}, exits: Wait}
  Customer: {op: record, in: {participants: [Customer]}, exits: Wait}
  Wait: {op: queue, in: {queueName: Support}, exits: Music}
  Music: {op: music, in: {file: hold}, exits: Music}
`
}

// TestRecordingChoice: the queue records both; the flow may say otherwise. What is stored is what each side said on its side.
func TestRecordingChoice(t *testing.T) {
	t.Parallel()
	for step, who := range map[string]contact.Participants{
		"Wait": {Agent: true, Customer: true}, "Off": {}, "Customer": {Customer: true},
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, recording(step))
			in, id := r.call()
			r.is(id, contact.Queued)
			r.accepted(id)
			r.is(id, contact.Connected)
			tapped := in.media.hear(voice.Received, bytes.Repeat([]byte{1}, 160))
			if want := who.Agent || who.Customer; tapped != want {
				t.Fatalf("recorded: %t", tapped)
			}
			in.media.hear(voice.Sent, bytes.Repeat([]byte{2}, 160))
			in.end(voice.EndRemote, 0)
			r.record(id)
			if in.media.hear(voice.Received, bytes.Repeat([]byte{1}, 160)) {
				t.Error("it is recorded after its end")
			}
			r.heard(id, who)
		})
	}
}

// heard waits until a contact's recordings have ended and checks whose voice is in them.
func (r *rig) heard(id string, who contact.Participants) {
	r.t.Helper()
	ctx := caller.With(r.t.Context(), r.deps.Principal)
	if who == (contact.Participants{}) {
		if _, err := r.service.OpenRecording(ctx, tenant, id, r.clock.Now()); !errs.Is(err, errs.NotFound) {
			r.t.Errorf("the recording: %v", err)
		}
		return
	}
	r.until("the recording has ended", func() bool {
		list, err := r.service.Recordings(ctx, tenant, id)
		return err == nil && len(list) == 1 && !list[0].EndedAt.IsZero()
	})
	w, err := r.service.OpenRecording(ctx, tenant, id, r.clock.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	raw, err := io.ReadAll(w)
	if err != nil {
		r.t.Fatal(err)
	}
	clip, err := audio.ReadWAV(bytes.NewReader(raw), audio.Limits{})
	if err != nil {
		r.t.Fatal(err)
	}
	var left, right bool
	for i := 0; i+1 < len(clip.Samples); i += 2 {
		left = left || clip.Samples[i] == audio.ULawSample(1)
		right = right || clip.Samples[i+1] == audio.ULawSample(2)
	}
	if left != who.Customer || right != who.Agent {
		r.t.Errorf("the customer is heard: %t, the agent: %t", left, right)
	}
}

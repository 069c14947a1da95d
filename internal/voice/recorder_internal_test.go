package voice

import (
	"bytes"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/contact"
)

// tape drives a recorder by a clock of its own.
type tape struct {
	*recorder
	at  time.Time
	out []byte
}

func newTape(who contact.Participants) *tape {
	t := &tape{at: time.Unix(1_800_000_000, 0)}
	t.recorder = newRecorder(who, func() time.Time { return t.at })
	return t
}

// talk lets both sides say a byte for a while, packet by packet; 0 says nothing.
func (t *tape) talk(d time.Duration, customer, agent byte) {
	for ; d > 0; d -= 20 * time.Millisecond {
		t.at = t.at.Add(20 * time.Millisecond)
		if customer != 0 {
			t.packet(Received, bytes.Repeat([]byte{customer}, 160))
		}
		if agent != 0 {
			t.packet(Sent, bytes.Repeat([]byte{agent}, 160))
		}
	}
	t.out = append(t.out, t.cut(false)...)
}

// side returns one side as runs of equal bytes, in milliseconds.
func (t *tape) side(dir Direction) (out []struct {
	b  byte
	ms int
},
) {
	for i := int(dir); i < len(t.out); i += 2 {
		if n := len(out); n > 0 && out[n-1].b == t.out[i] {
			out[n-1].ms++
		} else {
			out = append(out, struct {
				b  byte
				ms int
			}{t.out[i], 1})
		}
	}
	for i := range out {
		out[i].ms /= audio.Rate / 1000
	}
	return out
}

func (t *tape) want(test *testing.T, dir Direction, want ...int) {
	test.Helper()
	got := t.side(dir)
	ok := len(got)*2 == len(want)
	for i := 0; ok && i < len(got); i++ {
		ok = int(got[i].b) == want[2*i] && got[i].ms == want[2*i+1]
	}
	if !ok {
		test.Errorf("side %d holds %v, want %v", dir, got, want)
	}
}

const none = int(audio.ULawSilence)

// TestRecorderSides: each side is where it belongs, whoever speaks when.
func TestRecorderSides(t *testing.T) {
	r := newTape(contact.Participants{Agent: true, Customer: true})
	r.talk(time.Second, 1, 0)
	r.talk(time.Second, 0, 2)
	r.out = append(r.out, r.cut(true)...)
	r.want(t, Received, 1, 1000, none, 1000)
	r.want(t, Sent, none, 1000, 2, 1000)
}

// TestRecorderHold: while held, both sides are silent and time goes on.
func TestRecorderHold(t *testing.T) {
	r := newTape(contact.Participants{Agent: true, Customer: true})
	r.talk(time.Second, 1, 2)
	r.hold(true)
	r.talk(3*time.Second, 1, 2)
	r.hold(false)
	r.talk(time.Second, 1, 2)
	r.out = append(r.out, r.cut(true)...)
	r.want(t, Received, 1, 1000, none, 3000, 1, 1000)
	r.want(t, Sent, 2, 1000, none, 3000, 2, 1000)
}

// TestRecorderChoice: who is not to be recorded is silence, from the moment it is said.
func TestRecorderChoice(t *testing.T) {
	r := newTape(contact.Participants{Customer: true})
	r.talk(time.Second, 1, 2)
	r.choose(contact.Participants{Agent: true})
	r.talk(time.Second, 1, 2)
	r.out = append(r.out, r.cut(true)...)
	r.want(t, Received, 1, 1000, none, 1000)
	r.want(t, Sent, none, 1000, 2, 1000)
	if r.participants() != (contact.Participants{Agent: true}) {
		t.Errorf("%+v", r.participants())
	}
}

// TestRecorderBurst: packets that come late in a burst do not push what follows behind its time.
func TestRecorderBurst(t *testing.T) {
	r := newTape(contact.Participants{Agent: true, Customer: true})
	r.talk(time.Second, 1, 2)
	r.talk(time.Second, 0, 2) // the customer's packets hang
	for range 50 {
		r.packet(Received, bytes.Repeat([]byte{3}, 160))
	}
	r.talk(time.Second, 1, 2)
	r.out = append(r.out, r.cut(true)...)
	if n := len(r.out) / 2; n != 3*audio.Rate {
		t.Errorf("%d frames of 3 s", n)
	}
	runs := r.side(Received)
	if last := runs[len(runs)-1]; last.b != 1 || last.ms < 600 {
		t.Errorf("after the burst the side holds %v", runs)
	}
}

// TestRecorderSleep: a machine that slept leaves a minute of silence, not hours.
func TestRecorderSleep(t *testing.T) {
	r := newTape(contact.Participants{Agent: true, Customer: true})
	r.talk(time.Second, 1, 2)
	r.at = r.at.Add(5 * time.Hour)
	r.talk(time.Second, 1, 2)
	r.out = append(r.out, r.cut(true)...)
	if n := len(r.out) / 2 / audio.Rate; n > 65 {
		t.Errorf("%d s were recorded", n)
	}
}

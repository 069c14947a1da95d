package voice

import (
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/clock"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
)

// Limits of a message that a caller leaves; what a flow does not say is the default.
const (
	defaultSilence = 5 * time.Second
	minSilence     = time.Second
	maxSilence     = time.Minute
	defaultMessage = 2 * time.Minute
	minMessage     = time.Second
	maxMessage     = 10 * time.Minute
)

const (
	// keyTime is how long one key sounds with the gap after it (Media.SendDigits).
	keyTime = 160 * time.Millisecond
	// maxKeys is how many keys a flow may send at once: as many as a Media holds.
	maxKeys = 64
)

// errGoneCaller is what a flow hears that wants something of a caller who is not there.
var errGoneCaller = errs.New(errs.Conflict, "the caller is not on the line")

// askLine carries out what a flow asks of the caller's line; false when that is not what it asks.
func (k *call) askLine(cmd flow.Command) bool {
	var err error
	switch a := cmd.Ask; {
	case k.closed: // answered by a job, as all that is asked then
		return false
	case a.What == flow.AskSendDigits:
		err = k.sendKeys(cmd.ID, a.Params["digits"])
	case a.What == flow.AskRecordMessage:
		err = k.startMessage(cmd.ID, a.Params)
	default:
		return false
	}
	if err != nil {
		k.unavailable(cmd.ID, "failed", errs.Message(err))
	}
	return true
}

// onLine reports by its error whether the caller is there to be heard or to hear.
func (k *call) onLine() error {
	if k.legOver || k.isCallback() || k.leg == nil {
		return errGoneCaller
	}
	return nil
}

// sendKeys sends keys on the caller's line; a comma is a pause. The flow goes on once they have been sent.
func (k *call) sendKeys(id flow.CommandID, digits string) error {
	if err := k.onLine(); err != nil {
		return err
	}
	digits = strings.Join(strings.Fields(digits), "")
	if strings.Trim(digits, ",") == "" {
		return errs.New(errs.Invalid, "there are no digits to send")
	}
	if len(digits) > maxKeys {
		return errs.New(errs.Invalid, "at most %d digits can be sent at once", maxKeys)
	}
	if err := k.sendPart(id, digits); err != nil {
		return err
	}
	k.ct.Note(k.now(), "digits", "Digits sent", strconv.Itoa(len(digits)-strings.Count(digits, ","))) // they may be a secret
	return nil
}

// sendPart sends the keys up to the next pause, and then the rest.
func (k *call) sendPart(id flow.CommandID, digits string) error {
	part, rest, pause := strings.Cut(digits, ",")
	wait := time.Duration(len(part)) * keyTime
	if part != "" {
		if err := k.leg.Media().SendDigits(part); err != nil {
			return err
		}
	}
	if pause {
		wait += digitPause
	}
	t := k.after(wait, func() {
		if _, ok := k.cancel[id]; !ok {
			return
		}
		if rest == "" {
			k.result(id, flow.Event{Kind: flow.EvAnswer, Outcome: "ok"})
			return
		}
		err := k.onLine()
		if err == nil {
			err = k.sendPart(id, rest)
		}
		if err != nil {
			k.ct.Note(k.now(), "error", "The digits could not be sent", errs.Message(err))
			k.result(id, flow.Event{Kind: flow.EvAnswer, Outcome: "failed", Error: errs.Message(err)})
		}
	})
	k.cancel[id] = func() { t.Stop() }
	return nil
}

// message is what a caller leaves: recorded from the tone on until the caller is silent, presses a key, or has said enough.
type message struct {
	id            flow.CommandID
	tone          bool // it sounds before the recording
	silence, most time.Duration
	terminators   string

	rec    *recorder // nil until the tone is over
	ear    *ear
	stored bool // what is said goes to the store: something has been said
	quiet  *clock.Timer
	full   *clock.Timer
}

// startMessage records what the caller says, by the parameters of flow.AskRecordMessage.
func (k *call) startMessage(id flow.CommandID, params map[string]string) error {
	if err := k.onLine(); err != nil {
		return err
	}
	switch {
	case k.ct.State == contact.Connected || k.ct.State == contact.Held || k.xfer != nil && k.xfer.answered:
		return errs.New(errs.Conflict, "the caller talks to somebody: a message is left by a caller who is alone")
	case k.msg != nil:
		return errs.New(errs.Conflict, "the caller is leaving a message already")
	}
	tone, _ := strconv.ParseBool(strings.TrimSpace(params["tone"])) // what is no word for yes is no
	m := &message{
		id: id, tone: tone, terminators: strings.TrimSpace(params["terminators"]),
		silence: span(params["silenceMS"], defaultSilence, minSilence, maxSilence),
		most:    span(params["maxMS"], defaultMessage, minMessage, maxMessage),
	}
	k.msg = m
	k.cancel[id] = k.dropMessage
	if !m.tone {
		k.hearMessage(m)
		return nil
	}
	k.leg.Media().Play(beep(), false, func(bool) {
		k.post(func() {
			if k.msg == m {
				k.hearMessage(m)
			}
		})
	})
	return nil
}

// span reads a time in milliseconds, within bounds.
func span(ms string, def, low, high time.Duration) time.Duration {
	f, err := strconv.ParseFloat(strings.TrimSpace(ms), 64)
	if err != nil || f != f || f <= 0 {
		return def
	}
	return time.Duration(min(max(f, float64(low.Milliseconds())), float64(high.Milliseconds()))) * time.Millisecond
}

// beep is the tone after which a caller speaks.
var beep = sync.OnceValue(func() []byte { //nolint:gochecknoglobals // made once, never changed
	return audio.EncodeULaw(nil, audio.Tone(1000, -12, 400*time.Millisecond, audio.Rate))
})

func (k *call) hearMessage(m *message) {
	rec, ear, clk := newRecorder(contact.Participants{Customer: true}, time.Now), newEar(k.now()), k.c.Clock
	m.rec, m.ear = rec, ear
	k.ct.Note(k.now(), "recording", "Recording a message", "")
	k.leg.Media().Tap(func(dir Direction, ulaw []byte) {
		rec.packet(dir, ulaw)
		if dir == Received && ear.hear(ulaw, clk.Now()) {
			k.post(func() { k.storeMessage(m) })
		}
	})
	m.full = k.after(m.most, func() { k.finishMessage(m) })
	k.awaitSilence(m)
}

// awaitSilence ends the message once nothing was said for a while.
func (k *call) awaitSilence(m *message) {
	m.quiet = k.after(m.silence-k.now().Sub(m.ear.heard()), func() {
		switch {
		case k.msg != m:
		case k.now().Sub(m.ear.heard()) >= m.silence:
			k.finishMessage(m)
		default:
			k.awaitSilence(m)
		}
	})
}

// storeMessage begins to store a message in which something has been said.
func (k *call) storeMessage(m *message) {
	if m.stored || k.msg != m {
		return
	}
	m.stored = true
	k.emit("contact.recordingStarted", map[string]string{"kind": "message"})
	rec, tenant, id, log, at := m.rec, k.ct.Tenant, k.ct.ID, k.log, k.now()
	k.c.running.Go(func() { // what was said last is stored before the hub stops
		row := k.c.store(rec, tenant, id, at, log)
		k.post(func() { k.messageStored(m, row) })
	})
}

// messageKey takes a key that the caller presses while leaving a message; false when there is none to end.
func (k *call) messageKey(key rune) bool {
	m := k.msg
	if m == nil {
		return false
	}
	if strings.ContainsRune(m.terminators, key) {
		k.finishMessage(m)
	}
	return true
}

// finishMessage ends the message and tells the flow: at once when nothing was said, else when all of it is stored.
func (k *call) finishMessage(m *message) {
	if k.msg != m {
		return
	}
	k.dropMessage()
	if !m.stored {
		k.result(m.id, flow.Event{Kind: flow.EvAnswer, Outcome: "timeout"})
	}
}

// dropMessage ends the message, whoever waits for it; what was said until now is kept.
func (k *call) dropMessage() {
	m := k.msg
	if m == nil {
		return
	}
	if m.rec == nil { // the tone still sounds
		k.msg = nil
		k.leg.Media().Stop()
		return
	}
	k.leg.Media().Tap(nil)
	if m.ear.spoke() {
		k.storeMessage(m) // its post has not run yet
	}
	k.msg = nil
	m.full.Stop()
	m.quiet.Stop()
	m.rec.close()
	if !m.stored {
		k.ct.Note(k.now(), "recording", "No message", "nothing was said")
		return
	}
	k.ct.Note(k.now(), "recording", "Message recorded", "")
	k.emit("contact.recordingEnded", map[string]string{"kind": "message"})
}

// messageStored tells the flow by which name its message is found.
func (k *call) messageStored(m *message, row *contact.Recording) {
	if row == nil || row.Frames == 0 {
		why := "the message could not be stored"
		k.log.ErrorContext(k.c.ctx, "storing a message", slog.String("error", why))
		k.ct.Note(k.now(), "error", "Message lost", why)
		k.result(m.id, flow.Event{Kind: flow.EvAnswer, Outcome: "failed", Error: why})
		return
	}
	k.result(m.id, flow.Event{Kind: flow.EvAnswer, Outcome: "ok", Fields: map[string]any{
		"recordingId": row.ID, "durationMS": row.Duration().Milliseconds(),
	}})
}

// Bounds of what counts as speech: as loud as a quiet voice on a telephone and above a line's noise, for longer than a click.
const (
	speechLevel = -40.0 // dBFS
	speechTime  = 100 * time.Millisecond
)

// ear tells speech from silence. Packets may come on any goroutine.
type ear struct {
	least float64 // of the mean square

	mu   sync.Mutex // guards all below
	loud int64      // frames above the level of late, less those below
	last time.Time  // when speech was heard last, at first when listening began
	said bool
}

func newEar(now time.Time) *ear {
	least := audio.Amplitude(speechLevel) * 32768
	return &ear{least: least * least, last: now}
}

// hear takes a packet and reports whether it is the first in which somebody speaks.
func (e *ear) hear(ulaw []byte, at time.Time) (first bool) {
	var sum float64
	for _, b := range ulaw {
		s := float64(audio.ULawSample(b))
		sum += s * s
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if sum < e.least*float64(len(ulaw)) || len(ulaw) == 0 {
		e.loud = max(0, e.loud-int64(len(ulaw)))
		return false
	}
	if e.loud = min(e.loud+int64(len(ulaw)), frames(speechTime)); e.loud < frames(speechTime) {
		return false
	}
	first = !e.said
	e.said, e.last = true, at
	return first
}

// heard is when speech was heard last.
func (e *ear) heard() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}

// spoke reports whether anything was said.
func (e *ear) spoke() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.said
}

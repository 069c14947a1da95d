package voice

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/routing"
)

const (
	// pieceTime is how much audio is stored at a time: what a sudden death loses at most.
	pieceTime = 2 * time.Second
	// lateTime is how long after its time a packet may come and still be recorded at its place.
	lateTime = 200 * time.Millisecond
	// slip is how far a stream may lie behind the clock before the gap becomes silence, and ahead before it is cut.
	slip = 80 * time.Millisecond
	// maxPieces bounds what is kept in memory while the store does not take it: a minute.
	maxPieces = 30
)

// record carries out what the flow says about recording; it holds from the next conversation on, and for one that goes on.
func (k *call) record(r flow.Record) {
	k.ct.Record = &contact.Participants{Agent: r.Agent, Customer: r.Customer}
	switch {
	case k.ct.State != contact.Connected && k.ct.State != contact.Held:
	case !r.Agent && !r.Customer:
		k.stopRecording()
	case k.rec != nil:
		k.rec.choose(*k.ct.Record)
	default:
		k.startRecording()
		if k.rec != nil {
			k.rec.hold(k.ct.State == contact.Held)
		}
	}
}

// recorded says who of a conversation is recorded: as the flow wants it, else as the queue does.
func (k *call) recorded() contact.Participants {
	if k.ct.Record != nil {
		return *k.ct.Record
	}
	var who contact.Participants
	k.c.Router.With(func(e *routing.Engine, _ time.Time) []routing.Action {
		for _, q := range e.Queues() {
			if q.ID == k.ct.QueueID && q.Record {
				who = contact.Participants{Agent: true, Customer: true}
			}
		}
		return nil
	})
	return who
}

// startRecording begins to record the conversation, if it is to be recorded.
func (k *call) startRecording() {
	who := k.recorded()
	if k.rec != nil || !who.Agent && !who.Customer {
		return
	}
	k.rec = newRecorder(who, time.Now)
	k.leg.Media().Tap(k.rec.packet)
	k.ct.Note(k.now(), "recording", "Recording started", "")
	k.emit("contact.recordingStarted", nil)
	rec, at := k.rec, k.now()
	tenant, id, log := k.ct.Tenant, k.ct.ID, k.log
	k.c.running.Go(func() { k.c.store(rec, tenant, id, at, log) }) // what was said last is stored before the hub stops
}

// stopRecording ends the recording; what is left of it is stored beside the call.
func (k *call) stopRecording() {
	if k.rec == nil {
		return
	}
	k.leg.Media().Tap(nil)
	k.rec.close()
	k.rec = nil
	k.ct.Note(k.now(), "recording", "Recording ended", "")
	k.emit("contact.recordingEnded", nil)
}

// store writes a recording piece by piece until it is closed. A piece that the store does not take is tried again with the next.
// It returns what was stored; nil when nothing was.
func (c *Conductor) store(r *recorder, tenant, contactID string, at time.Time, log *slog.Logger) (row *contact.Recording) {
	var waiting [][]byte
	lost := 0
	flush := func(ctx context.Context) (err error) {
		if row == nil {
			if row, err = c.Contacts.StartRecording(ctx, tenant, contactID, at, r.participants()); err != nil {
				row = nil
				return err
			}
		}
		for len(waiting) > 0 {
			if err := c.Contacts.AppendRecording(ctx, row, waiting[0]); err != nil {
				return err
			}
			waiting = waiting[1:]
		}
		return nil
	}
	tick := time.NewTicker(pieceTime)
	defer tick.Stop()
	for over := false; !over; {
		select {
		case <-tick.C:
		case <-r.done:
			over = true
		}
		if piece := r.cut(over); len(piece) > 0 {
			waiting = append(waiting, piece)
		}
		if err := flush(c.ctx); err != nil {
			log.ErrorContext(c.ctx, "storing a recording", slog.Any("error", err))
		}
		if n := len(waiting) - maxPieces; n > 0 {
			waiting, lost = waiting[n:], lost+n
		}
	}
	if lost > 0 || len(waiting) > 0 {
		log.ErrorContext(c.ctx, "a recording has gaps: the store did not take it", slog.Int("pieces", lost+len(waiting)))
	}
	if err := c.Contacts.EndRecordings(c.ctx, tenant, contactID, c.Clock.Now()); err != nil {
		log.ErrorContext(c.ctx, "ending a recording", slog.Any("error", err))
	}
	return row
}

// track is one direction's audio from the last cut on.
type track struct {
	on  bool
	buf []byte
}

// recorder puts the packets of both directions where they belong in time. Packets may come on any goroutine.
type recorder struct {
	now  func() time.Time
	done chan struct{}

	mu     sync.Mutex // guards all below
	start  time.Time
	base   int64 // frames cut so far, from start
	held   bool
	closed bool
	tracks [2]track // by Direction: the customer, the agent
}

func newRecorder(who contact.Participants, now func() time.Time) *recorder {
	r := &recorder{now: now, start: now(), done: make(chan struct{})}
	r.choose(who)
	return r
}

// choose says who is recorded from now on; the other side is silence.
func (r *recorder) choose(who contact.Participants) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tracks[Received].on, r.tracks[Sent].on = who.Customer, who.Agent
}

func (r *recorder) participants() contact.Participants {
	r.mu.Lock()
	defer r.mu.Unlock()
	return contact.Participants{Customer: r.tracks[Received].on, Agent: r.tracks[Sent].on}
}

// hold makes silence of both sides while it is true.
func (r *recorder) hold(held bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = held
}

func (r *recorder) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		close(r.done)
	}
}

func frames(d time.Duration) int64 { return int64(d * audio.Rate / time.Second) }

// present is how many frames have passed since the last cut; the lock is held. A machine that slept leaves no hours of silence.
func (r *recorder) present() int64 {
	const most = maxPieces * pieceTime
	since := r.now().Sub(r.start) - time.Duration(r.base)*time.Second/audio.Rate
	if since > most {
		r.start = r.start.Add(since - most)
		since = most
	}
	return frames(since)
}

// packet takes a packet of one direction; it implements the tap of a Media. A stream that lies behind the clock has a gap, which
// becomes silence; what comes in a burst after one is cut to the present.
func (r *recorder) packet(dir Direction, ulaw []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.tracks[dir]
	if r.closed || r.held || !t.on {
		return
	}
	begin := r.present() - int64(len(ulaw)) // where it belongs in buf
	have := int64(len(t.buf))
	switch {
	case have+frames(slip) < begin:
		t.pad(begin)
	case have > begin+frames(lateTime+slip):
		return
	}
	t.buf = append(t.buf, ulaw...)
}

func (t *track) pad(n int64) {
	for int64(len(t.buf)) < n {
		t.buf = append(t.buf, audio.ULawSilence)
	}
}

// cut takes what is complete, interleaved; with all set everything up to now.
func (r *recorder) cut(all bool) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.present()
	if !all {
		n -= frames(lateTime)
	}
	if n <= 0 {
		return nil
	}
	out := make([]byte, 2*n)
	for side := range r.tracks {
		t := &r.tracks[side]
		t.pad(n)
		for i := range n {
			out[2*i+int64(side)] = t.buf[i]
		}
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	r.base += n
	return out
}

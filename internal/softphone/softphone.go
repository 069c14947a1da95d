// Package softphone is a telephone without hands: it calls, answers, speaks a tone or a recording, presses keys, measures what it
// hears and writes it to a WAV file, over SIP or as a browser would over WebRTC. Tests and the command line use it as
// caller and as agent; it is no part of the hub.
package softphone

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/phone"
	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/voice"
)

// EventType says what happened.
type EventType string

// What a session reports. Ended is the last.
const (
	Ringing  EventType = "ringing"
	Answered EventType = "answered"
	Audio    EventType = "audio" // Level and Frequency are set; one per window
	Digit    EventType = "digit" // Key is set
	Ended    EventType = "ended" // Reason and Code are set
)

// Event is one thing that happened in a session.
type Event struct {
	Type      EventType
	At        time.Time
	Level     float64 // dBFS of the window's mean power: 0 is the loudest possible square wave, digital silence is -100
	Frequency float64 // Hz, of the strongest component; 0 if there is none that stands out
	Key       rune
	Reason    string // voice.LegEnd, or a connection state
	Code      int    // SIP status; 0 if there is none
}

// Options shape a session. The zero value says nothing and records nothing.
type Options struct {
	From        string            // number shown
	DisplayName string            // and name
	Headers     map[string]string // additional SIP headers
	Clip        []byte            // µ-law at 8 kHz, said in a loop once answered; nil: silence
	Record      io.WriteSeeker    // gets a WAV file of what is heard; the caller closes it after Done
	Window      time.Duration     // of audio events; 0: 100 ms
	RingTimeout time.Duration     // of outbound calls; 0: 60 s
	AnswerAfter time.Duration     // of inbound calls
	OnEvent     func(Event)       // called in order; must not block or call the session
}

// Tone returns a clip of one second of a sine at -6 dBFS, fit to be looped for whole hertz.
func Tone(hz int) []byte { return media.Tone(float64(hz), 0.5, media.SampleRate) }

// Phone is a SIP telephone with one address.
type Phone struct{ *phone.Phone }

// New starts a telephone on a local address, "127.0.0.1:0". Stop must be called.
func New(ctx context.Context, addr string) (*Phone, error) {
	p, err := phone.New(phone.Config{Addr: addr, UserAgent: "Tandem-Softphone", MaxLegs: 10000})
	if err != nil {
		return nil, err
	}
	s := &Phone{p}
	return s, p.Start(ctx)
}

// Listen starts a telephone that answers every call. options is asked for each; onCall, which may be nil, gets the session.
func Listen(ctx context.Context, addr string, options func(voice.LegInfo) Options, onCall func(*Session)) (*Phone, error) {
	p, err := phone.New(phone.Config{Addr: addr, UserAgent: "Tandem-Softphone", MaxLegs: 10000})
	if err != nil {
		return nil, err
	}
	p.SetHandler(func(leg voice.Leg) { //nolint:contextcheck // lives as long as the call
		s := newSession(leg.Media(), leg, options(leg.Info()))
		if onCall != nil {
			onCall(s)
		}
		s.answer()
	})
	s := &Phone{p}
	return s, p.Start(ctx)
}

// Answer takes an inbound call of any phone as a session; it returns once the call stands or has ended. OnEvent tells the rest.
func Answer(leg voice.Leg, o Options) *Session {
	s := newSession(leg.Media(), leg, o)
	s.answer()
	return s
}

// Call calls a SIP address, "sip:100@127.0.0.1:5060". It returns once the INVITE is sent; OnEvent tells the rest.
func (p *Phone) Call(ctx context.Context, uri string, o Options) (*Session, error) {
	leg, err := p.Dial(ctx, voice.DialRequest{
		URI: uri, From: o.From, DisplayName: o.DisplayName, Headers: o.Headers, RingTimeout: o.RingTimeout,
	})
	if err != nil {
		return nil, err
	}
	s := newSession(leg.Media(), leg, o)
	go s.follow(leg.Events())
	return s, nil
}

// Session is one conversation. Its methods are safe for concurrent use.
type Session struct {
	o     Options
	media voice.Media
	leg   voice.Leg // nil on WebRTC
	stop  func()    // WebRTC: ends the connection

	answered chan struct{}
	done     chan struct{}

	mu       sync.Mutex // guards all below and the order of events
	meter    meter
	recorder *recorder
	isUp     bool
	over     bool
}

func newSession(m voice.Media, leg voice.Leg, o Options) *Session {
	if o.Window <= 0 {
		o.Window = 100 * time.Millisecond
	}
	s := &Session{o: o, media: m, leg: leg, answered: make(chan struct{}), done: make(chan struct{})}
	s.meter.size = int(o.Window * media.SampleRate / time.Second)
	if o.Record != nil {
		s.recorder = &recorder{w: o.Record}
	}
	m.Tap(s.hear)
	return s
}

// Info describes a SIP session; it is zero on WebRTC.
func (s *Session) Info() voice.LegInfo {
	if s.leg == nil {
		return voice.LegInfo{}
	}
	return s.leg.Info()
}

// Answered is closed when the conversation stands.
func (s *Session) Answered() <-chan struct{} { return s.answered }

// Done is closed after Ended was reported and the recording is complete.
func (s *Session) Done() <-chan struct{} { return s.done }

// Play says a clip instead of what was said before.
func (s *Session) Play(clip []byte, loop bool, done func(bool)) { s.media.Play(clip, loop, done) }

// SendDigits presses keys.
func (s *Session) SendDigits(keys string) error {
	if err := s.media.SendDigits(keys); err != nil {
		return fmt.Errorf("pressing %q: %w", keys, err)
	}
	return nil
}

// Stats returns the quality so far.
func (s *Session) Stats() voice.MediaStats { return s.media.Stats() }

// Hangup ends the session; Done is closed soon after.
func (s *Session) Hangup() {
	if s.leg != nil {
		s.leg.Hangup("")
		return
	}
	s.stop()
	s.end("local", 0)
}

func (s *Session) answer() {
	go s.follow(s.leg.Events())
	if err := s.leg.Ring(); err != nil {
		return // the caller has given up; follow reports it
	}
	if s.o.AnswerAfter > 0 {
		timer := time.NewTimer(s.o.AnswerAfter)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.done:
			return
		}
	}
	_ = s.leg.Answer(context.Background()) // follow reports the outcome
}

func (s *Session) follow(events <-chan voice.LegEvent) {
	for e := range events {
		switch e.Type {
		case voice.LegRinging:
			s.report(Event{Type: Ringing, Code: e.Code})
		case voice.LegAnswered:
			s.up()
		case voice.LegDigit:
			s.report(Event{Type: Digit, Key: e.Digit.Key})
		case voice.LegEnded:
			s.end(string(e.End), e.Code)
		default: // hold and silence show in the audio events
		}
	}
}

func (s *Session) up() {
	s.mu.Lock()
	if s.isUp || s.over {
		s.mu.Unlock()
		return
	}
	s.isUp = true
	close(s.answered)
	s.mu.Unlock()
	if s.o.Clip != nil {
		s.media.Play(s.o.Clip, true, nil)
	}
	s.report(Event{Type: Answered})
}

func (s *Session) end(reason string, code int) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	if s.recorder != nil {
		s.recorder.close()
	}
	s.emit(Event{Type: Ended, Reason: reason, Code: code})
	s.over = true
	s.mu.Unlock()
	close(s.done)
}

func (s *Session) report(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(e)
}

// emit is called with the lock held.
func (s *Session) emit(e Event) {
	if s.over || s.o.OnEvent == nil {
		return
	}
	e.At = time.Now()
	s.o.OnEvent(e)
}

// hear takes each packet, both ways.
func (s *Session) hear(dir voice.Direction, ulaw []byte) {
	if dir != voice.Received {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	if s.recorder != nil {
		s.recorder.write(ulaw, time.Now())
	}
	s.meter.write(ulaw, func(level, hz float64) { s.emit(Event{Type: Audio, Level: level, Frequency: hz}) })
}

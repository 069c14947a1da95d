package softphone

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/phone"
	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/voice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// log keeps the events of a session and lets a test wait for one.
type log struct {
	mu     sync.Mutex
	events []Event
	more   chan struct{}
}

func newLog() *log { return &log{more: make(chan struct{}, 1)} }

func (l *log) add(e Event) {
	l.mu.Lock()
	l.events = append(l.events, e)
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
}

func (l *log) all() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Event(nil), l.events...)
}

func (l *log) wait(t *testing.T, what string, ok func(Event) bool) Event {
	t.Helper()
	timeout := time.After(15 * time.Second)
	for seen := 0; ; {
		all := l.all()
		for _, e := range all[seen:] {
			if ok(e) {
				return e
			}
		}
		seen = len(all)
		select {
		case <-l.more:
		case <-timeout:
			t.Fatalf("waited in vain for %s; %d events, the last: %+v", what, len(all), all[max(0, len(all)-3):])
		}
	}
}

func (l *log) waitFor(t *testing.T, typ EventType) Event {
	t.Helper()
	return l.wait(t, string(typ), func(e Event) bool { return e.Type == typ })
}

func (l *log) keys() (keys string) {
	for _, e := range l.all() {
		if e.Type == Digit {
			keys += string(e.Key)
		}
	}
	return keys
}

func near(hz, want float64) bool { return math.Abs(hz-want) < 15 }

func (l *log) waitTone(t *testing.T, hz float64) {
	t.Helper()
	l.wait(t, fmt.Sprintf("a tone of %v Hz", hz), func(e Event) bool { return e.Type == Audio && near(e.Frequency, hz) })
}

// longestGap is the longest run of windows of the received stream without a tone, once it was heard, and the number of those with it.
func (l *log) longestGap(hz float64) (gap time.Duration, heard int) {
	run := 0
	for _, e := range l.all() {
		switch {
		case e.Type != Audio:
		case near(e.Frequency, hz):
			gap = max(gap, time.Duration(run)*100*time.Millisecond)
			run = 0
			heard++
		case heard > 0:
			run++
		}
	}
	return gap, heard
}

func stopped(t *testing.T, stop func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := stop(ctx); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

func startHub(t *testing.T, legs chan<- voice.Leg) *phone.Phone {
	t.Helper()
	hub, err := phone.New(phone.Config{Addr: "127.0.0.1:0", WebRTCAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	hub.SetHandler(func(l voice.Leg) {
		if err := l.Answer(context.Background()); err != nil {
			t.Errorf("answering: %v", err)
		}
		legs <- l
	})
	if err := hub.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopped(t, hub.Stop) })
	return hub
}

func startPhone(t *testing.T) *Phone {
	t.Helper()
	p, err := New(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopped(t, p.Stop) })
	return p
}

// TestBridgeOfCallerAndSIPAgent sends 440 Hz one way and 700 Hz the other, for a second, without a gap.
func TestBridgeOfCallerAndSIPAgent(t *testing.T) {
	legs := make(chan voice.Leg, 1)
	hub := startHub(t, legs)
	agentLog, callerLog := newLog(), newLog()
	agent, err := Listen(t.Context(), "127.0.0.1:0", func(voice.LegInfo) Options {
		return Options{Clip: Tone(700), OnEvent: agentLog.add}
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopped(t, agent.Stop) })
	caller := startPhone(t)
	call, err := caller.Call(t.Context(), fmt.Sprintf("sip:100@%s", hub.Addr()), Options{Clip: Tone(440), OnEvent: callerLog.add})
	if err != nil {
		t.Fatal(err)
	}
	in := <-legs
	out, err := hub.Dial(t.Context(), voice.DialRequest{URI: fmt.Sprintf("sip:agent@%s", agent.Addr())})
	if err != nil {
		t.Fatal(err)
	}
	agentLog.waitFor(t, Answered)
	unbridge, err := hub.Bridge(in.Media(), out.Media())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Bridge(in.Media(), out.Media()); err == nil {
		t.Error("bridged twice")
	}
	agentLog.waitTone(t, 440)
	callerLog.waitTone(t, 700)
	enough := time.After(1500 * time.Millisecond)
	<-enough
	if err := call.SendDigits("5#"); err != nil {
		t.Fatal(err)
	}
	for _, key := range "5#" {
		agentLog.wait(t, "key "+string(key), func(e Event) bool { return e.Type == Digit && e.Key == key })
	}
	if gap, n := callerLog.longestGap(700); gap > 200*time.Millisecond || n < 10 {
		t.Errorf("caller heard %d windows, longest gap %v", n, gap)
	}
	if gap, n := agentLog.longestGap(440); gap > 500*time.Millisecond || n < 10 { // two keys interrupt it
		t.Errorf("agent heard %d windows, longest gap %v", n, gap)
	}
	if lost := call.Stats().Lost; lost != 0 {
		t.Errorf("caller lost %d packets", lost)
	}
	// Music while on hold reaches the caller instead of the agent.
	out.Media().SetMuted(true)
	in.Media().Play(Tone(1000), true, nil)
	callerLog.waitTone(t, 1000)
	unbridge()
	unbridge()
	if s := hub.Stats(); s.Bridges != 0 || s.Legs != 2 {
		t.Errorf("stats = %+v", s)
	}
	call.Hangup()
	<-call.Done()
	out.Hangup("")
	agentLog.waitFor(t, Ended)
}

// TestBridgeOfCallerAndBrowser also reloads the browser's page in the middle of the call.
func TestBridgeOfCallerAndBrowser(t *testing.T) {
	legs := make(chan voice.Leg, 1)
	hub := startHub(t, legs)
	station, err := hub.Station("ann")
	if err != nil {
		t.Fatal(err)
	}
	states := make(chan voice.StationState, 16)
	station.OnState(func(s voice.StationState) { states <- s })
	callerLog, firstLog, secondLog := newLog(), newLog(), newLog()
	caller := startPhone(t)
	call, err := caller.Call(t.Context(), fmt.Sprintf("sip:100@%s", hub.Addr()), Options{Clip: Tone(440), OnEvent: callerLog.add})
	if err != nil {
		t.Fatal(err)
	}
	in := <-legs
	if _, err := hub.Bridge(in.Media(), station.Media()); err != nil {
		t.Fatal(err)
	}
	first, err := Connect(t.Context(), station.Offer, Options{Clip: Tone(700), OnEvent: firstLog.add})
	if err != nil {
		t.Fatal(err)
	}
	firstLog.waitTone(t, 440)
	callerLog.waitTone(t, 700)
	if got := station.State(); got != voice.StationConnected {
		t.Errorf("state %s", got)
	}
	// Keys pass both ways, as telephone events.
	if err := first.SendDigits("3"); err != nil {
		t.Errorf("the browser cannot send keys: %v", err)
	}
	callerLog.wait(t, "the browser's key", func(e Event) bool { return e.Type == Digit && e.Key == '3' })
	if err := call.SendDigits("9#"); err != nil {
		t.Error(err)
	}
	firstLog.wait(t, "the caller's key", func(e Event) bool { return e.Type == Digit && e.Key == '#' })
	if keys := firstLog.keys(); keys != "9#" {
		t.Errorf("the browser got %q", keys)
	}
	second, err := Connect(t.Context(), station.Offer, Options{Clip: Tone(1200), OnEvent: secondLog.add})
	if err != nil {
		t.Fatal(err)
	}
	callerLog.waitTone(t, 1200)
	secondLog.waitTone(t, 440)
	first.Hangup()
	<-first.Done()
	if _, err := station.Offer(t.Context(), "v=0\r\n"); err == nil {
		t.Error("an offer without audio was taken")
	}
	if got := station.State(); got != voice.StationConnected {
		t.Errorf("state after the reload %s", got)
	}
	second.Hangup()
	<-second.Done()
	call.Hangup()
	<-call.Done()
	if err := station.Close(); err != nil {
		t.Error(err)
	}
	if hub.Stats().Stations != 0 {
		t.Error("the station is still there")
	}
}

func TestRecording(t *testing.T) {
	legs := make(chan voice.Leg, 1)
	hub := startHub(t, legs)
	file, err := os.Create(filepath.Join(t.TempDir(), "heard.wav"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	heard := newLog()
	call, err := startPhone(t).Call(t.Context(), fmt.Sprintf("sip:100@%s", hub.Addr()), Options{Record: file, OnEvent: heard.add})
	if err != nil {
		t.Fatal(err)
	}
	in := <-legs
	done := make(chan bool, 1)
	in.Media().Play(Tone(600), false, func(ok bool) { done <- ok })
	if !<-done {
		t.Error("the clip was not completed")
	}
	call.Hangup()
	<-call.Done()
	wav, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	size := int(binary.LittleEndian.Uint32(wav[40:]))
	if string(wav[:4]) != "RIFF" || size != len(wav)-44 || size < 2*6000 {
		t.Fatalf("header says %d bytes, there are %d", size, len(wav)-44)
	}
	var samples []int16
	for i := 44; i < len(wav); i += 2 {
		samples = append(samples, int16(binary.LittleEndian.Uint16(wav[i:])))
	}
	if level, hz := Measure(samples[2000:6000]); !near(hz, 600) || math.Abs(level+9) > 1 {
		t.Errorf("recorded %.1f Hz at %.1f dBFS, want 600 at -9", hz, level)
	}
}

func TestMeasure(t *testing.T) {
	for _, hz := range []float64{120, 440, 697, 700, 1333, 2600, 3400} {
		level, got := Measure(audio.DecodeULaw(nil, media.Tone(hz, 0.5, 800)))
		if math.Abs(got-hz) > 3 || math.Abs(level+9) > 0.7 {
			t.Errorf("%v Hz at -9 dBFS measured as %.1f Hz at %.1f", hz, got, level)
		}
	}
	if level, hz := Measure(make([]int16, 800)); level != silenceLevel || hz != 0 {
		t.Errorf("silence measured as %.1f Hz at %.1f", hz, level)
	}
	noise := make([]int16, 800)
	seed := uint32(1)
	for i := range noise {
		seed = seed*1664525 + 1013904223
		noise[i] = int16(seed>>16) / 4
	}
	if _, hz := Measure(noise); hz != 0 {
		t.Errorf("noise has a tone of %v Hz", hz)
	}
}

func TestRefusedCall(t *testing.T) {
	events := newLog()
	p := startPhone(t)
	busy := startPhone(t) // has no handler: takes no calls
	call, err := p.Call(t.Context(), fmt.Sprintf("sip:1@%s", busy.Addr()), Options{OnEvent: events.add})
	if err != nil {
		t.Fatal(err)
	}
	<-call.Done()
	if e := events.waitFor(t, Ended); e.Code != 503 || e.Reason != string(voice.EndRejected) {
		t.Errorf("ended %+v", e)
	}
}

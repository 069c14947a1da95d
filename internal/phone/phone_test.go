package phone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/voice"
)

// TestMain looks for what is left behind. What reaches sipgo in the moment it is closed makes it open a socket of its own, whose
// reader stays until the process ends.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/emiago/sipgo/sip.(*TransportUDP).readUDPConnection"))
}

// start runs a phone on loopback until the test ends.
func start(t testing.TB, cfg Config, handler func(voice.Leg)) *Phone {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if handler != nil {
		p.SetHandler(handler)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // hang up at once
		if err := p.Stop(ctx); err != nil {
			t.Errorf("stopping: %v", err)
		}
		// Each way a call may end must close its socket, whose reader goleak would see, and its port.
		if n := p.clock.Ports(); n != 0 {
			t.Errorf("%d media ports were left open", n)
		}
	})
	return p
}

// answering answers every call and hands it on.
func answering(t testing.TB, legs chan<- voice.Leg) func(voice.Leg) {
	return func(l voice.Leg) {
		if err := l.Ring(); err != nil {
			t.Errorf("ringing: %v", err)
		}
		if err := l.Answer(context.Background()); err != nil {
			t.Errorf("answering: %v", err)
		}
		legs <- l
	}
}

func dial(t testing.TB, from, to *Phone) voice.Leg {
	t.Helper()
	l, err := from.Dial(t.Context(), voice.DialRequest{URI: fmt.Sprintf("sip:4711@%s", to.Addr()), From: "+15551234567", DisplayName: "Ann"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var errTimeout = errors.New("nothing came in time")

// await returns the next event of a type and drops those before.
func await(t testing.TB, l voice.Leg, want voice.LegEventType) voice.LegEvent {
	t.Helper()
	timeout := time.After(10 * time.Second)
	var seen []voice.LegEventType
	for {
		select {
		case e, ok := <-l.Events():
			if !ok {
				t.Fatalf("leg ended without %s; saw %v", want, seen)
			}
			if e.Type == want {
				return e
			}
			seen = append(seen, e.Type)
		case <-timeout:
			t.Fatalf("waiting for %s: %v; saw %v", want, errTimeout, seen)
		}
	}
}

func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal(errTimeout)
		panic("unreachable")
	}
}

func TestCallAnsweredAndHungUpByCaller(t *testing.T) {
	t.Parallel()
	legs := make(chan voice.Leg, 1)
	b := start(t, Config{}, answering(t, legs))
	a := start(t, Config{}, nil)
	out := dial(t, a, b)
	await(t, out, voice.LegAnswered)
	in := receive(t, legs)
	info := in.Info()
	if info.From != "+15551234567" || info.FromName != "Ann" || info.To != "4711" || !info.Inbound || info.CallID != out.Info().CallID {
		t.Errorf("info = %+v", info)
	}
	await(t, in, voice.LegAnswered)
	out.Hangup("done")
	if e := await(t, out, voice.LegEnded); e.End != voice.EndLocal {
		t.Errorf("caller ended by %s", e.End)
	}
	if e := await(t, in, voice.LegEnded); e.End != voice.EndRemote {
		t.Errorf("callee ended by %s: %s", e.End, e.Reason)
	}
	if _, open := <-in.Events(); open {
		t.Error("an event came after Ended")
	}
	if s := b.Stats(); s.Inbound != 1 || s.Answered != 1 {
		t.Errorf("stats = %+v", s)
	}
}

func TestPromptAndDigits(t *testing.T) {
	t.Parallel()
	legs := make(chan voice.Leg, 1)
	b := start(t, Config{}, answering(t, legs))
	a := start(t, Config{}, nil)
	out := dial(t, a, b)
	await(t, out, voice.LegAnswered)
	in := receive(t, legs)
	done := make(chan bool, 1)
	in.Media().Play(media.Tone(440, 0.5, 8000), false, func(ok bool) { done <- ok })
	if !receive(t, done) {
		t.Error("the prompt was not completed")
	}
	if err := out.Media().SendDigits("19#"); err != nil {
		t.Fatal(err)
	}
	for _, want := range "19#" {
		if e := await(t, in, voice.LegDigit); e.Digit.Key != want || e.Digit.Duration != 100*time.Millisecond {
			t.Errorf("digit %q of %v, want %q", e.Digit.Key, e.Digit.Duration, want)
		}
	}
	if s := out.Media().Stats(); s.Received < 50 || s.Lost != 0 {
		t.Errorf("caller's stats: %+v", s)
	}
}

func TestCallerCancels(t *testing.T) {
	t.Parallel()
	legs := make(chan voice.Leg, 1)
	b := start(t, Config{}, func(l voice.Leg) {
		_ = l.Ring()
		legs <- l
	})
	a := start(t, Config{}, nil)
	out := dial(t, a, b)
	await(t, out, voice.LegRinging)
	in := receive(t, legs)
	out.Hangup("")
	if e := await(t, out, voice.LegEnded); e.End != voice.EndLocal {
		t.Errorf("caller ended by %s", e.End)
	}
	if e := await(t, in, voice.LegEnded); e.End != voice.EndCancelled {
		t.Errorf("callee ended by %s", e.End)
	}
	if err := in.Answer(t.Context()); err == nil {
		t.Error("a cancelled call was answered")
	}
}

func TestRejected(t *testing.T) {
	t.Parallel()
	b := start(t, Config{}, func(l voice.Leg) {
		if err := l.Reject(486, "Busy Here"); err != nil {
			t.Errorf("rejecting: %v", err)
		}
	})
	a := start(t, Config{}, nil)
	if e := await(t, dial(t, a, b), voice.LegEnded); e.End != voice.EndRejected || e.Code != 486 || e.Reason != "Busy Here" {
		t.Errorf("ended %+v", e)
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	b := start(t, Config{RingLimit: 100 * time.Millisecond}, func(voice.Leg) {})
	a := start(t, Config{}, nil)
	if e := await(t, dial(t, a, b), voice.LegEnded); e.Code != 480 {
		t.Errorf("ended %+v", e)
	}
	c := start(t, Config{}, func(l voice.Leg) { _ = l.Ring() })
	out, err := a.Dial(t.Context(), voice.DialRequest{URI: "sip:1@" + c.Addr().String(), RingTimeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if e := await(t, out, voice.LegEnded); e.End != voice.EndNoAnswer {
		t.Errorf("ended %+v", e)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0") // takes packets, never answers
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	a := start(t, Config{}, nil)
	out, err := a.Dial(t.Context(), voice.DialRequest{URI: "sip:1@" + conn.LocalAddr().String(), RingTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	out.Hangup("")
	p := start(t, Config{}, nil)
	if _, err := p.Dial(t.Context(), voice.DialRequest{URI: "tel:123"}); err == nil {
		t.Error("a tel URI was dialled")
	}
	if _, err := p.Dial(t.Context(), voice.DialRequest{URI: "sip:1@127.0.0.1:9", Headers: map[string]string{"X-A": "b\r\nVia: x"}}); err == nil {
		t.Error("a header with a line break was taken")
	}
}

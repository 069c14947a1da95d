// Package sipp tests the telephone against SIPp, a foreign implementation of SIP and RTP. The tests are skipped where SIPp is not
// installed, and fail there if CI is set.
package sipp

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tandemcc/tandem/internal/phone"
	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/softphone"
	"github.com/tandemcc/tandem/internal/voice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const pcaps = "/usr/share/sip-tester"

func need(t *testing.T, what string, missing bool) {
	t.Helper()
	if !missing {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: apt-get install sip-tester", what)
	}
	t.Skipf("%s is not here: apt-get install sip-tester to run this test", what)
}

func freePort(t *testing.T) int {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	addr, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		t.Fatal("no UDP address")
	}
	return addr.Port
}

// sipp runs a scenario to its end. It fails the test if a call failed.
func sipp(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("sipp")
	need(t, "sipp", err != nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	common := []string{"-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", strconv.Itoa(freePort(t)), "-nostdin", "-timeout", "50s", "-trace_err", "-error_file", filepath.Join(t.TempDir(), "errors")}
	cmd := exec.CommandContext(ctx, path, append(common, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(common[len(common)-1])
		text = append(out.Bytes(), text...)
		t.Errorf("sipp %v: %v\n%s", args, err, text[max(0, len(text)-3000):])
	}
}

// hub is a phone that does one thing with each call and keeps its events.
type hub struct {
	*phone.Phone
	events chan []voice.LegEvent // of each call that has ended
}

func startHub(t *testing.T, do func(voice.Leg)) *hub {
	t.Helper()
	p, err := phone.New(phone.Config{Addr: "127.0.0.1:0", RingLimit: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{Phone: p, events: make(chan []voice.LegEvent, 1000)}
	p.SetHandler(func(l voice.Leg) {
		done := make(chan struct{})
		var events []voice.LegEvent
		go func() {
			defer close(done)
			for e := range l.Events() {
				events = append(events, e)
			}
		}()
		do(l)
		<-done
		h.events <- events
	})
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := p.Stop(ctx); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	return h
}

// calls waits for n calls to end and returns their events.
func (h *hub) calls(t *testing.T, n int) [][]voice.LegEvent {
	t.Helper()
	timeout := time.After(20 * time.Second)
	all := make([][]voice.LegEvent, 0, n)
	for len(all) < n {
		select {
		case e := <-h.events:
			all = append(all, e)
		case <-timeout:
			t.Fatalf("%d calls ended, want %d", len(all), n)
		}
	}
	return all
}

func answer(t *testing.T) func(voice.Leg) {
	return func(l voice.Leg) {
		if err := l.Answer(context.Background()); err != nil {
			t.Errorf("answering: %v", err)
		}
	}
}

func has(events []voice.LegEvent, want voice.LegEventType) bool {
	for _, e := range events {
		if e.Type == want {
			return true
		}
	}
	return false
}

func (h *hub) check(t *testing.T, n int, answered bool, end voice.LegEnd) {
	t.Helper()
	for _, events := range h.calls(t, n) {
		last := events[len(events)-1]
		if has(events, voice.LegAnswered) != answered || last.Type != voice.LegEnded || last.End != end {
			t.Errorf("events %+v", events)
			return
		}
	}
}

func TestBasicCall(t *testing.T) {
	h := startHub(t, answer(t))
	sipp(t, "-sf", "basic.xml", "-m", "20", "-r", "20", h.Addr().String())
	h.check(t, 20, true, voice.EndRemote)
}

func TestHangupDuringPrompt(t *testing.T) {
	completed := make(chan bool, 1)
	h := startHub(t, func(l voice.Leg) {
		answer(t)(l)
		l.Media().Play(media.Tone(440, 0.5, 8000), true, func(ok bool) { completed <- ok })
	})
	sipp(t, "-sf", "basic.xml", "-m", "1", h.Addr().String())
	h.check(t, 1, true, voice.EndRemote)
	if <-completed {
		t.Error("an endless prompt was completed")
	}
}

func TestCancel(t *testing.T) {
	h := startHub(t, func(l voice.Leg) {
		if err := l.Ring(); err != nil {
			t.Errorf("ringing: %v", err)
		}
	})
	sipp(t, "-sf", "cancel.xml", "-m", "20", "-r", "20", h.Addr().String())
	h.check(t, 20, false, voice.EndCancelled)
}

func TestAckAndByeBackToBack(t *testing.T) {
	h := startHub(t, answer(t))
	sipp(t, "-sf", "back_to_back.xml", "-m", "500", "-r", "250", h.Addr().String())
	h.check(t, 500, true, voice.EndRemote)
}

func TestByeBeforeAck(t *testing.T) {
	h := startHub(t, answer(t))
	sipp(t, "-sf", "bye_before_ack.xml", "-m", "500", "-r", "250", h.Addr().String())
	h.check(t, 500, true, voice.EndRemote)
}

func TestKeysFromRecordings(t *testing.T) {
	_, err := os.Stat(pcaps)
	need(t, pcaps, err != nil)
	h := startHub(t, answer(t))
	sipp(t, "-sf", "keys.xml", "-m", "1", h.Addr().String())
	var keys []rune
	for _, e := range h.calls(t, 1)[0] {
		if e.Type == voice.LegDigit {
			keys = append(keys, e.Digit.Key)
		}
	}
	if string(keys) != "225*" {
		t.Errorf("keys %q, want 225*", string(keys))
	}
}

// TestBridgeToEcho bridges a caller to SIPp as an agent that sends every RTP packet back: the caller hears itself.
func TestBridgeToEcho(t *testing.T) {
	path, err := exec.LookPath("sipp")
	need(t, "sipp", err != nil)
	port := freePort(t)
	ctx, cancel := context.WithCancel(t.Context())
	agent := exec.CommandContext(ctx, path, "-sn", "uas", "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", strconv.Itoa(port),
		"-mp", strconv.Itoa(freePort(t)), "-rtp_echo", "-nostdin")
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = agent.Wait() }()

	hubs := make(chan *hub, 1)
	var received voice.MediaStats
	h := startHub(t, func(l voice.Leg) {
		p := <-hubs
		out, err := p.Dial(ctx, voice.DialRequest{URI: fmt.Sprintf("sip:agent@127.0.0.1:%d", port)})
		if err != nil {
			t.Errorf("calling the agent: %v", err)
			return
		}
		for e := range out.Events() {
			if e.Type == voice.LegAnswered {
				break
			}
		}
		answer(t)(l) //nolint:contextcheck // lives as long as the call
		unbridge, err := p.Bridge(l.Media(), out.Media())
		if err != nil {
			t.Errorf("bridging: %v", err)
			return
		}
		for e := range l.Events() { // competes with the hub's reader; either sees the end, since the channel is closed
			_ = e
		}
		received = out.Media().Stats()
		unbridge()
		out.Hangup("")
		for range out.Events() {
		}
	})
	hubs <- h
	call, heard := callHub(t, h, 523)
	timeout := time.After(15 * time.Second)
	for n := 0; n < 12; { // ten would be 50 packets, some of which may be silence from before the bridge
		select {
		case hz := <-heard:
			if math.Abs(hz-523) < 15 {
				n++
			}
		case <-timeout:
			t.Fatal("the caller did not hear itself")
		}
	}
	call.Hangup()
	<-call.Done()
	h.calls(t, 1)
	if received.Received < 50 || received.Lost > 0 {
		t.Errorf("the echo: %+v", received)
	}
}

// callHub calls a hub with a softphone that sends a tone, and returns the frequencies that it hears.
func callHub(t *testing.T, h *hub, tone int) (*softphone.Session, <-chan float64) {
	t.Helper()
	caller, err := softphone.New(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop, cancel := context.WithCancel(context.Background())
		cancel()
		_ = caller.Stop(stop)
	})
	heard := make(chan float64, 1000)
	call, err := caller.Call(t.Context(), fmt.Sprintf("sip:100@%s", h.Addr()), softphone.Options{
		Clip: softphone.Tone(tone), OnEvent: func(e softphone.Event) {
			if e.Type == softphone.Audio {
				heard <- e.Frequency
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return call, heard
}

package ring

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/phone"
	"github.com/tandemcc/tandem/internal/softphone"
	"github.com/tandemcc/tandem/internal/testkit/hub"
	"github.com/tandemcc/tandem/internal/voice"
)

const outsideTone = 1000 // Hz, of whoever is called outside

// exchange is the telephone network behind the trunk: what a number does is what the test says.
type exchange struct {
	address string

	mu    sync.Mutex // guards all below
	does  map[string]func(voice.Leg)
	calls []voice.LegInfo
	ears  map[string]*ear
	lines map[string]voice.Leg
}

// newExchange starts a network in which nobody has a telephone yet: every number is unknown (404).
func newExchange(t *testing.T) *exchange {
	t.Helper()
	x := &exchange{does: map[string]func(voice.Leg){}, ears: map[string]*ear{}, lines: map[string]voice.Leg{}}
	p, err := phone.New(phone.Config{Addr: "127.0.0.1:0", UserAgent: "Exchange"})
	if err != nil {
		t.Fatal(err)
	}
	p.SetHandler(x.incoming)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.address = p.Addr().String()
	t.Cleanup(func() {
		if err := p.Stop(t.Context()); err != nil { // the context has ended: calls are hung up, not waited for
			t.Error(err)
		}
	})
	return x
}

func (x *exchange) incoming(leg voice.Leg) {
	x.mu.Lock()
	number := leg.Info().To
	x.calls = append(x.calls, leg.Info())
	x.lines[number] = leg
	do := x.does[number]
	x.mu.Unlock()
	if do == nil {
		do = refuses(404)
	}
	do(leg)
}

// set says what a number does from now on.
func (x *exchange) set(number string, do func(voice.Leg)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.does[number] = do
}

func refuses(code int) func(voice.Leg) {
	return func(leg voice.Leg) { _ = leg.Reject(code, "") } // the caller may have gone
}

func onlyRings(leg voice.Leg) { _ = leg.Ring() } // the caller may have gone

// answers gives a number a telephone that says a tone; what it hears is kept.
func (x *exchange) answers(number string, tone int) *ear {
	e := &ear{}
	x.set(number, func(leg voice.Leg) {
		go softphone.Answer(leg, e.options(tone))
	})
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ears[number] = e
	return e
}

// hangsUp ends the newest call to a number from its side.
func (x *exchange) hangsUp(number string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lines[number].Hangup("")
}

// count returns how many calls came for a number.
func (x *exchange) count(number string) (n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range x.calls {
		if c.To == number {
			n++
		}
	}
	return n
}

func (x *exchange) last() voice.LegInfo {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.calls[len(x.calls)-1]
}

// withTrunk starts a hub with a trunk into x and a flow at a number.
func withTrunk(t *testing.T, x *exchange, more map[string]any, flow string) *hub.Hub {
	t.Helper()
	flags := map[string]any{"trunk.address": x.address}
	maps.Copy(flags, more)
	h := hub.Start(t, hub.Options{Flags: flags})
	route(h, "3000", flow)
	return h
}

// route publishes a flow written as YAML at a number.
func route(h *hub.Hub, number, flow string) {
	api := h.API()
	var in struct{ Flow flowDetail }
	api.Must("POST", "/flows/import?name="+url.QueryEscape("Flow of "+number), []byte(strings.ReplaceAll(flow, "\t", "  ")), &in)
	api.Must("POST", "/flows/"+in.Flow.ID+"/publish", map[string]any{"version": in.Flow.Version}, nil)
	api.Must("POST", "/entry-points", map[string]string{"number": number, "name": "Line " + number, "flowId": in.Flow.ID}, nil)
}

// reach calls a number that was just set up: entry points are read once a second.
func reach(h *hub.Hub, from, to string, tone int) (call *line) {
	h.Eventually(to+" answers", func() bool {
		call = dial(h, from, to, tone)
		select {
		case <-call.Answered():
			return true
		case <-call.Done():
			return false
		}
	})
	return call
}

const caller = "+15005550142"

func transferFlow(number, more string) string {
	return `
tandem: flow/1
name: Transfer
start: Call
nodes:
  Call: {op: start, exits: Out}
  Out: {op: transfer, in: {number: "` + number + `"` + more + `}, exits: {ok: Back, timeout: Late, failure: Sorry}}
  Back: {op: music, in: {file: hold, durationMS: 600000}, exits: Bye}
  Late: {op: music, in: {file: hold, durationMS: 600000}, exits: Bye}
  Sorry: {op: music, in: {file: hold, durationMS: 600000}, exits: Bye}
  Bye: {op: hangup}
`
}

// stands waits until a contact's flow stands at a node.
func stands(h *hub.Hub, id, node string) {
	h.Eventually("the flow is at "+node, func() bool {
		return slices.ContainsFunc(h.Trace(id), func(s hub.Step) bool { return s.Name == node })
	})
}

// said returns the details of a contact's timeline entries of a type.
func said(r hub.Record, typ string) (out string) {
	for _, m := range r.Timeline {
		if m.Type == typ {
			out += m.Text + ";"
		}
	}
	return out
}

// TestBlindTransfer: caller and third party talk, the flow is out of it, and whoever hangs up ends the call.
func TestBlindTransfer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end    func(x *exchange, call *line)
		reason string
	}{
		"caller hangs up":     {func(_ *exchange, call *line) { call.Hangup() }, "customer"},
		"other side hangs up": {func(x *exchange, _ *line) { x.hangsUp("+14155550100") }, "transfer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newExchange(t)
			other := x.answers("+14155550100", outsideTone)
			h := withTrunk(t, x, map[string]any{"trunk.from": "+18005550199"}, transferFlow("+1 (415) 555-0100", ""))
			call := reach(h, caller, "3000", callerTone)
			id := contactOf(h, caller)
			h.Eventually("the caller hears the other side", func() bool { return call.ear.hears(outsideTone) })
			h.Eventually("the other side hears the caller", func() bool { return other.hears(callerTone) })
			if from := x.last().From; from != "+18005550199" {
				t.Errorf("the other side sees %q", from)
			}
			r := h.Record(id)
			if r.State != "transferred" || !r.Had("transferred") {
				t.Errorf("while they talk the record is %s: %+v", r.State, r.Timeline)
			}
			tc.end(x, call)
			r = closed(t, h, id)
			isOver(h, call)
			h.Eventually("the other side's call is over", func() bool { _, ok := other.ended(); return ok })
			if r.EndReason != tc.reason || len(r.Legs) != 2 || r.Agent != nil {
				t.Errorf("the record: %s %+v", r.EndReason, r.Legs)
			}
			for _, l := range r.Legs {
				if l.PacketsReceived == 0 || l.Kind != "customer" && l.Kind != "thirdParty" {
					t.Errorf("a leg: %+v", l)
				}
			}
		})
	}
}

// TestTransferFails: the flow goes on by its failure exit and the record says why.
func TestTransferFails(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	x.set("+14155550101", refuses(486))
	x.set("+14155550102", onlyRings)
	x.set("+14155550103", refuses(603))
	h := withTrunk(t, x, nil, transferFlow("+14155550101", ""))
	for number, tc := range map[string]struct {
		more, node, why string
		calls           int
	}{
		"+14155550101":            {"", "Sorry", "busy", 1},
		"+14155550102":            {", timeoutMS: 1500", "Late", "nobody answered", 1},
		"+14155550103":            {"", "Sorry", "rejected", 1},
		"+14155550104":            {"", "Sorry", "no such number", 1},
		"sip:eve@" + "192.0.2.1":  {"", "Sorry", "dial plan", 0},
		"+1415;transport=tcp":     {"", "Sorry", "dial plan", 0},
		"12345678901234567890123": {"", "Sorry", "dial plan", 0},
	} {
		t.Run(number, func(t *testing.T) {
			line := "31" + digits(number)[:2] + digits(number)[len(digits(number))-2:]
			from := "+1500555" + line[2:]
			route(h, line, transferFlow(number, tc.more))
			call := reach(h, from, line, callerTone)
			id := contactOf(h, from)
			stands(h, id, tc.node)
			if r := h.Record(id); r.State != "flow" || !strings.Contains(said(r, "transferFailed"), tc.why) {
				t.Errorf("%s: %+v", r.State, r.Timeline)
			}
			if n := x.count(number); n != tc.calls {
				t.Errorf("%d calls went out, want %d", n, tc.calls)
			}
			h.Eventually("the caller hears the flow", func() bool { return !call.ear.silent() })
			call.Hangup()
			if r := closed(t, h, id); r.EndReason != "customer" {
				t.Errorf("ended by %s", r.EndReason)
			}
		})
	}
}

// TestTransferLimits: without a trunk, and with all lines in use, a transfer fails at once.
func TestTransferLimits(t *testing.T) {
	t.Parallel()
	t.Run("no trunk", func(t *testing.T) {
		t.Parallel()
		h := hub.Start(t, hub.Options{})
		route(h, "3000", transferFlow("+14155550100", ""))
		reach(h, caller, "3000", 0)
		id := contactOf(h, caller)
		stands(h, id, "Sorry")
		if r := h.Record(id); !strings.Contains(said(r, "transferFailed"), "no outbound trunk") {
			t.Errorf("%+v", r.Timeline)
		}
	})
	t.Run("lines", func(t *testing.T) {
		t.Parallel()
		x := newExchange(t)
		x.answers("+14155550100", outsideTone)
		h := withTrunk(t, x, map[string]any{"trunk.max_calls": 1}, transferFlow("+14155550100", ""))
		first := reach(h, caller, "3000", callerTone)
		h.Eventually("the first is through", func() bool { return first.ear.hears(outsideTone) })
		dial(h, "+15005550143", "3000", callerTone)
		id := contactOf(h, "+15005550143")
		stands(h, id, "Sorry")
		first.Hangup()
		h.Eventually("a line is free again", func() bool {
			next := dial(h, "+15005550144", "3000", callerTone)
			defer next.Hangup()
			h.Eventually("something is heard", func() bool { return len(next.ear.audio(4)) == 4 })
			return next.ear.hears(outsideTone)
		})
	})
}

// TestBridgedTransfer: once the third party hangs up, the flow goes on with the caller. Digits are sent after the answer.
func TestBridgedTransfer(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	other := x.answers("+14155550100", outsideTone)
	h := withTrunk(t, x, nil, transferFlow("+14155550100", `, bridged: true, sendDigits: "12,#"`))
	call := reach(h, caller, "3000", callerTone)
	id := contactOf(h, caller)
	h.Eventually("the other side hears the caller", func() bool { return other.hears(callerTone) })
	h.Advance(time.Second) // the pause between the digits
	h.Eventually("the digits arrive", func() bool { return other.keys() == "12#" })
	h.Eventually("the caller hears the other side", func() bool { return call.ear.hears(outsideTone) })
	x.hangsUp("+14155550100")
	stands(h, id, "Back")
	h.Eventually("the caller hears the flow", func() bool { return !call.ear.hears(outsideTone) && !call.ear.silent() })
	if r := h.Record(id); r.State != "flow" || !r.Had("transferEnded") {
		t.Errorf("after the transfer the record is %s: %+v", r.State, r.Timeline)
	}
	call.Hangup()
	if r := closed(t, h, id); r.EndReason != "customer" {
		t.Errorf("ended by %s", r.EndReason)
	}
}

// TestTransferCallerLeaves: a caller who hangs up while it rings takes the ringing back.
func TestTransferCallerLeaves(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	cancelled := make(chan voice.LegEnd, 1)
	x.set("+14155550100", func(leg voice.Leg) {
		_ = leg.Ring()
		go func() {
			for ev := range leg.Events() {
				if ev.Type == voice.LegEnded {
					cancelled <- ev.End
				}
			}
		}()
	})
	h := withTrunk(t, x, nil, transferFlow("+14155550100", ""))
	call := reach(h, caller, "3000", 0)
	id := contactOf(h, caller)
	h.Eventually("it rings", func() bool { return x.count("+14155550100") == 1 })
	h.Eventually("the caller hears it ring", func() bool { return !call.ear.silent() })
	call.Hangup()
	select {
	case end := <-cancelled:
		if end != voice.EndCancelled {
			t.Errorf("the ringing ended by %s", end)
		}
	case <-time.After(20 * time.Second):
		t.Error("it rings on")
	}
	if r := closed(t, h, id); r.EndReason != "customer" {
		t.Errorf("ended by %s", r.EndReason)
	}
}

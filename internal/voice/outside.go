package voice

import (
	"regexp"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

// Trunk is the way to telephones outside the installation. The zero Trunk is none.
type Trunk struct {
	Address        string         // host:port of the trunk's SIP side; empty: there is no trunk
	From           string         // number to show when a flow names none; empty: the number that was called
	User, Password string         // digest credentials; an empty user means that the trunk asks for none
	Allow          *regexp.Regexp // what the whole of a destination must match
	MaxCalls       int            // at once
}

// maxDestination bounds a number or address to call, in bytes.
const maxDestination = 256

// destination makes a number fit to be called: without the marks that people write between digits. An address (sip:) stays as it is.
func destination(number string) string {
	number = strings.TrimPrefix(strings.TrimSpace(number), "tel:")
	if strings.HasPrefix(number, "sip:") {
		return number
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -()./\u00a0", r) {
			return -1
		}
		return r
	}, number)
}

// mayCall returns what would be called for a number; errs.Unavailable without a trunk, errs.Denied outside the dial plan.
func (c *Conductor) mayCall(number string) (string, error) {
	if c.Trunk.Address == "" {
		return "", errs.New(errs.Unavailable, "this installation has no outbound trunk: set trunk.address")
	}
	to := destination(number)
	if to == "" || len(to) > maxDestination || c.Trunk.Allow == nil || c.Trunk.Allow.FindString(to) != to {
		return "", errs.New(errs.Denied, "the dial plan does not allow this number: see trunk.allow")
	}
	return to, nil
}

// callOut rings a number through the trunk. Each returned leg must be given to goneOut once it has ended. The events of the leg are
// the caller's to read.
func (c *Conductor) callOut(number, from, display string, ring time.Duration) (Leg, error) {
	to, err := c.mayCall(number)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	full := c.outside >= c.Trunk.MaxCalls
	if !full {
		c.outside++
	}
	c.mu.Unlock()
	if full {
		return nil, errs.New(errs.Exhausted, "all %d lines of the trunk are in use", c.Trunk.MaxCalls)
	}
	req := DialRequest{URI: "sip:" + to + "@" + c.Trunk.Address, From: from, DisplayName: display, RingTimeout: ring, User: c.Trunk.User, Password: c.Trunk.Password}
	if strings.HasPrefix(to, "sip:") { // an address that the dial plan lets through is called directly
		req.URI, req.User, req.Password = to, "", ""
	}
	leg, err := c.Phone.Dial(c.ctx, req)
	if err != nil {
		c.goneOut()
		return nil, errs.Wrap(errs.Unavailable, err, "the trunk cannot be reached")
	}
	return leg, nil
}

// goneOut gives a line of the trunk back.
func (c *Conductor) goneOut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outside--
}

// callerID is the number that a call to the outside shows.
func (k *call) callerID(wanted string) string {
	for _, n := range []string{wanted, k.c.Trunk.From, k.ct.DNIS} {
		if n = strings.TrimSpace(n); n != "" {
			return n
		}
	}
	return ""
}

// unreached says why a call to the outside did not come about, and whether it was for the time.
func unreached(ev LegEvent) (why string, late bool) {
	switch ev.End { //nolint:exhaustive // the others follow from what we did ourselves
	case EndNoAnswer:
		return "nobody answered in time", true
	case EndRejected:
		return refusal(ev.Code), ev.Code == 408
	case EndShutdown:
		return "the hub stops", false
	}
	if ev.Code == 408 {
		return "the trunk does not answer", false
	}
	return strings.TrimSuffix("the call failed: "+ev.Reason, ": "), false
}

// refusals put final SIP responses in words (RFC 3261 §21, RFC 8197, RFC 8688). The map is never changed.
var refusals = map[int]string{
	401: "the trunk refuses the credentials", 407: "the trunk refuses the credentials",
	403: "the call was rejected", 603: "the call was rejected", 607: "the call was rejected", 608: "the call was rejected",
	404: "there is no such number", 410: "there is no such number", 484: "there is no such number", 485: "there is no such number", 604: "there is no such number",
	408: "nobody answered", 480: "nobody answered", 487: "nobody answered",
	486: "the line is busy", 600: "the line is busy",
}

func refusal(code int) string {
	if text, ok := refusals[code]; ok {
		return text
	}
	if code >= 500 {
		return "the network cannot put the call through"
	}
	return "the call was refused"
}

package flowtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/flow"
)

// How long things take that a script does not time.
const (
	speechPerChar = 60 * time.Millisecond
	shortestClip  = 500 * time.Millisecond
	fileClip      = 3 * time.Second
	musicClip     = time.Minute
	messageTime   = 3 * time.Second // of a message that a caller leaves
	keyPause      = 300 * time.Millisecond
	serverDelay   = 100 * time.Millisecond
	connectDelay  = 2 * time.Second
)

// carry does what a command asks for: its result goes on the agenda.
func (x *run) carry(c flow.Command) {
	switch c.Kind {
	case flow.CmdPlay:
		x.play(c)
	case flow.CmdMusic:
		x.music(c)
	case flow.CmdGather:
		x.gather(c)
	case flow.CmdHTTP:
		x.http(c)
	case flow.CmdEnqueue:
		x.enqueue(c)
	case flow.CmdTimer:
		x.line(LogCommand, "waits "+(time.Duration(c.Timer.MS)*time.Millisecond).String())
		x.answer(c.ID, time.Duration(c.Timer.MS)*time.Millisecond, flow.Event{Kind: flow.EvTimerFired})
	case flow.CmdTransfer:
		x.transfer(c)
	case flow.CmdCallback:
		x.line(LogCommand, "registers a call back to "+c.Callback.Number)
		x.reply(c.ID, "callback", []string{c.Callback.Number, c.Callback.Queue}, Reply{Outcome: "ok"})
	case flow.CmdAsk:
		x.ask(c)
	default:
		x.note(c)
	}
}

// note carries out the commands that have no result.
func (x *run) note(c flow.Command) {
	switch c.Kind {
	case flow.CmdScreenPop:
		x.line(LogCommand, "pops "+c.ScreenPop.URL)
		x.res.Pops = append(x.res.Pops, *c.ScreenPop)
	case flow.CmdSetCAD:
		for _, v := range c.SetCAD {
			x.res.Shown[v.Name] = v.Value
			if v.Secure {
				x.res.Shown[v.Name] = hidden
			}
		}
	case flow.CmdPriority:
		x.line(LogCommand, rank(c))
	case flow.CmdHangup:
		x.line(LogCommand, "hangs up")
		x.endCall(byFlow, "flow")
	case flow.CmdGoto:
		d := *c.Goto
		x.line(LogCommand, "goes on to "+or(d.Name, d.ID))
		x.res.Goto = &d
		x.res.End = End{Reason: EndGoto, By: x.res.End.By, Detail: or(d.Name, d.ID)}
	case flow.CmdCancel:
		if i, ok := x.placed[c.Cancel]; ok && x.res.Queued[i].Outcome == outcomeWaiting {
			x.res.Queued[i].Outcome = "left"
		}
	case flow.CmdEnded:
		if c.Ended.Reason != "" && !c.Ended.Session {
			x.line(LogCommand, fmt.Sprintf("thread %d ends: %s", c.Ended.Thread, c.Ended.Reason))
		}
	default: // a kind without a result that concerns nobody here
	}
}

// unknown answers an outstanding command of a kind this package does not know, so that the flow leaves by its error exit.
func (x *run) unknown(c flow.Command) {
	x.reply(c.ID, string(c.Kind), nil, Reply{Outcome: "failed", Error: "the script has no answer for " + string(c.Kind)})
}

// speak records what the caller hears and says how long it takes and whether it can be played.
func (x *run) speak(node flow.NodeID, prompts []flow.Prompt) (took time.Duration, failure string) {
	for _, p := range prompts {
		text, clip := p.Text, max(shortestClip, time.Duration(len(p.Text))*speechPerChar)
		plain := p.Text
		if p.Kind == flow.PromptFile {
			text, clip, plain = "["+p.File+"]", fileClip, p.File
		}
		for _, pattern := range x.sc.PlayErrors {
			if glob(pattern, plain) {
				x.line(LogCommand, "cannot play "+text)
				return took, "it cannot be played"
			}
		}
		took += clip
		x.res.Prompts = append(x.res.Prompts, Spoken{At: x.offset(), Node: x.nameOf(node), Text: text})
		x.line(LogCommand, "plays "+show(text))
		x.hear(text)
	}
	return took, ""
}

// hear lets the caller, and a watching test, react to what was said.
func (x *run) hear(text string) {
	x.said = append(x.said, text)
	if h := x.sc.HangUp; h != nil && h.Prompt != "" && contains(text, h.Prompt) {
		x.endCall(byCaller, "customer")
	}
	if x.watch != nil {
		x.watch.message(text)
	}
}

func (x *run) play(c flow.Command) {
	took, failure := x.speak(c.Node, c.Play.Prompts)
	x.answer(c.ID, took, flow.Event{Kind: flow.EvPromptDone, Error: failure})
}

func (x *run) music(c flow.Command) {
	took := musicClip
	if c.Music.DurationMS > 0 {
		took = time.Duration(c.Music.DurationMS) * time.Millisecond
	}
	ev := flow.Event{Kind: flow.EvPromptDone}
	if slices.ContainsFunc(x.sc.PlayErrors, func(p string) bool { return glob(p, c.Music.File) }) {
		took, ev.Error = 0, "it cannot be played"
	}
	x.line(LogCommand, "music "+show(c.Music.File))
	x.answer(c.ID, took, ev)
}

// gather plays the prompt and lets the caller press keys, by the rules of the real driver: the entry time-out runs from the
// end of the prompt and the inter-digit one from each key, and keys under a prompt that may not be interrupted are lost.
func (x *run) gather(c flow.Command) {
	g := c.Gather
	prompt, _ := x.speak(c.Node, g.Prompts) // a prompt that cannot be spoken does not lose the caller: the time-out runs
	if x.watch != nil && x.watch.keys != "" {
		var keys string
		keys, x.watch.keys = x.watch.take(g)
		x.press(c, Entry{Enter: keys}, prompt)
		return
	}
	x.press(c, x.entryFor(c.Node), prompt)
}

// entryFor chooses what the caller presses at a question.
func (x *run) entryFor(node flow.NodeID) Entry {
	said := strings.Join(x.said, " ")
	x.said = nil
	name := x.nameOf(node)
	best := -1
	for i, e := range x.sc.Digits {
		if x.used[i] {
			continue
		}
		named := e.Node != "" || e.Prompt != ""
		if named && (e.Node == "" || e.Node == name) && contains(said, e.Prompt) {
			best = i
			break
		}
		if !named && best < 0 {
			best = i
		}
	}
	if best < 0 {
		return Entry{}
	}
	x.used[best] = !x.sc.Digits[best].Repeat
	return x.sc.Digits[best]
}

func (x *run) press(c flow.Command, e Entry, prompt time.Duration) {
	g := c.Gather
	entry, inter := time.Duration(g.EntryTimeoutMS)*time.Millisecond, time.Duration(g.InterDigitTimeoutMS)*time.Millisecond
	if inter == 0 {
		inter = entry
	}
	start := prompt + pick(span(e.After), keyPause)
	if e.Early {
		start = min(start, prompt/2)
	}
	digits, deadline, timedOut := "", prompt+entry, true
	at := start
	for _, key := range e.Enter {
		if at < prompt && !g.Interruptible {
			at += keyPause
			continue
		}
		if at > deadline {
			break
		}
		terminator := strings.ContainsRune(g.Terminators, key)
		if !terminator {
			digits += string(key)
		}
		if terminator || len(digits) >= g.Max {
			deadline, timedOut = at, false
			break
		}
		deadline = at + inter
		at += keyPause
	}
	ev := flow.Event{Kind: flow.EvGathered, Digits: digits}
	if len(digits) < max(g.Min, 1) {
		ev.Reason = flow.GatherInvalid
		if timedOut {
			ev.Reason = flow.GatherTimeout
		}
	}
	x.answer(c.ID, deadline, ev)
}

// http answers a request by the script, with the retries of the real client: they follow 5xx answers and failures only.
func (x *run) http(c flow.Command) {
	h := c.HTTP
	req := Request{
		At: x.offset(), Node: x.nameOf(c.Node), Method: strings.ToUpper(or(h.Method, "GET")), URL: address(h), Body: h.Body,
		Connector: or(h.ConnectorName, h.Connector),
	}
	for _, p := range h.Headers {
		if req.Headers == nil {
			req.Headers = make(map[string]string, len(h.Headers))
		}
		req.Headers[p.Name] = p.Value
	}
	var took time.Duration
	var a Answer
	limit := time.Duration(pick(h.TimeoutMS, flow.DefaultHTTPTimeoutMS)) * time.Millisecond
	for req.Attempts = 1; ; req.Attempts++ {
		a, req.Matched = x.answerFor(&req)
		d := pick(span(a.Delay), serverDelay)
		if d > limit {
			d, a.Error = limit, fmt.Sprintf("no answer within %s", limit)
		}
		took += d
		if a.Error == "" && a.Status < 500 || req.Attempts > min(max(h.Retries, 0), 10) {
			break
		}
	}
	ev := flow.Event{Kind: flow.EvHTTPResult, Error: a.Error}
	if a.Error == "" {
		headers := a.Headers
		if headers == nil {
			headers = map[string]string{"Content-Type": "application/json"}
		}
		ev.HTTP = &flow.HTTPResult{Status: a.Status, Headers: headers, Body: []byte(a.Body)}
		req.Status = a.Status
	}
	req.Error = a.Error
	x.res.Requests = append(x.res.Requests, req)
	x.line(LogCommand, fmt.Sprintf("%s %s: %s", req.Method, req.URL, or(a.Error, fmt.Sprint(a.Status))))
	x.answer(c.ID, took, ev)
}

// answerFor finds the script's answer to a request; without one the server knows nothing.
func (x *run) answerFor(req *Request) (Answer, bool) {
	for i, a := range x.sc.HTTP {
		if a.Times > 0 && x.given[i] >= a.Times || a.Node != "" && a.Node != req.Node || !matches(a.Method, a.URL, req.Method, req.URL) {
			continue
		}
		x.given[i]++
		if a.Status == 0 {
			a.Status = 200
		}
		return a, true
	}
	return Answer{Status: 404, Body: "{}"}, false
}

// rank says how a contact is ranked anew.
func rank(c flow.Command) string {
	if c.AgeAdjustSeconds != nil {
		return fmt.Sprintf("counts as %d s older", *c.AgeAdjustSeconds)
	}
	return fmt.Sprintf("priority %d", c.Priority)
}

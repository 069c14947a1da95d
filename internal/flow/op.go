package flow

import "strings"

// Op is what a node does.
type Op string

// Operations, with the names of their inputs (Node.In) and their ports. Texts may be templates unless noted.
//
// Operations that come to a result may have the input match: a list of maps with op (Equals, TextContains, NumberLessThan
// and so on), operands (a list) and port (literal). The first condition that holds for the result chooses the port; if none
// does it is nomatch, and ok where nomatch leads nowhere (Amazon Connect, "Flow language", evaluation of transitions).
const (
	// OpStart is where a contact comes in. Ports: ok.
	OpStart Op = "start"
	// OpEvent is where a handler starts. In: event (display name, literal). Ports: ok.
	OpEvent Op = "event"
	// OpSet sets variables. In: sets (list of maps with var, value, and from = "var" when value names a variable). Ports: ok, error.
	OpSet Op = "set"
	// OpSay plays prompts. In: prompts (list of maps with kind tts|ssml|file and text), language, voice, rate, gain, interruptible.
	// Ports: ok, error.
	OpSay Op = "say"
	// OpMusic plays music for a while. In: file, durationMS, offsetMS. Ports: ok, error.
	OpMusic Op = "music"
	// OpMenu asks for one digit. In: as OpSay, digits (list), labels (list), entryTimeoutMS, maxTries. Output: OptionEntered.
	// Ports: digit:<d>, timeout, nomatch, error.
	OpMenu Op = "menu"
	// OpCollect asks for digits. In: as OpSay, min, max, terminators, entryTimeoutMS, interDigitTimeoutMS. Output: DigitsEntered.
	// Ports: ok, timeout, nomatch, error.
	OpCollect Op = "collect"
	// OpCond branches on an expression. In: expr. Ports: true, false, error.
	OpCond Op = "cond"
	// OpCase branches on a value. In: expr, cases (list). Ports: case:<value>, nomatch, error.
	OpCase Op = "case"
	// OpHTTP sends a request. In: connector, method, path or url, headers, query (maps), body, contentType, parse (JSON or empty),
	// timeoutMS, retries, skipWhenUnset (name of a variable: while it is unset the node is passed over).
	// Outputs: httpStatusCode, httpResponseBody, httpResponseHeaders. Ports: ok, error (transport only).
	OpHTTP Op = "http"
	// OpParse reads a document from a variable. In: input, format. Ports: ok, error.
	OpParse Op = "parse"
	// OpQueue places the contact in a queue. In: queue, queueName, fallback, priority, skills (list of maps name, op, value), byVar.
	// Ports: ok (the wait treatment), failure.
	OpQueue Op = "queue"
	// OpQueueAgent offers the contact to one agent. In: agent, lookup (email|id), queue, fallback (for when the agent does
	// not take it), priority, park. Ports: ok, error.
	OpQueueAgent Op = "queueAgent"
	// OpQueueInfo asks for a queue's figures. In: queue, lookbackMinutes. Outputs: PIQ, EWT and so on. Ports: ok, insufficient, failure.
	OpQueueInfo Op = "queueInfo"
	// OpCallback registers a call back. In: number, queue, ani (to show), attempts, retrySeconds (between attempts), delaySeconds
	// (before the first). Ports: ok, failure.
	OpCallback Op = "callback"
	// OpTransfer sends the caller to a number. In: number, timeoutMS, bridged (the caller comes back), callerId (to show), sendDigits
	// (once the other side has answered). Ports: ok (bridged), failure.
	OpTransfer Op = "transfer"
	// OpPop opens a page at the agent's desk. In: url, query (map), label, target. Ports: ok.
	OpPop Op = "pop"
	// OpHours asks whether it is within hours of operation. In: hours. Ports: hours:work, hours:holiday, hours:override, ok (closed), error.
	OpHours Op = "hours"
	// OpSplit chooses a branch by weight. In: weights (list of maps with label, percent). Ports: pct:<label>, error.
	OpSplit Op = "split"
	// OpGoto hands over to another flow or entry point. In: flow. Ports: error.
	OpGoto Op = "goto"
	// OpSub runs another flow and comes back. In: flow, inputs (map). Ports: ok, error.
	OpSub Op = "sub"
	// OpEndSub ends a flow that was called by OpSub.
	OpEndSub Op = "endSub"
	// OpWait waits. In: durationMS, or seconds; match. Ports: as matched, ok.
	OpWait Op = "wait"
	// OpPriority changes the contact's priority. In: priority. Ports: ok, error.
	OpPriority Op = "priority"
	// OpBot hands the caller to a dialogue platform. In: bot, event, params (map). Outputs by the platform. Ports: done, escalate, error.
	OpBot Op = "bot"
	// OpPass does nothing: a step whose effect we have in another way or not at all. Ports: ok.
	OpPass Op = "pass"
	// OpFunction calls a function of the installation (AWS Lambda in Amazon Connect). In: function, functionName, params (map),
	// timeoutMS, response (STRING_MAP or JSON), async. Its answer is $.External in flows of Amazon Connect, and the
	// node's outputs in others. Ports: as matched, ok, error.
	OpFunction Op = "function"
	// OpCompare branches on a value. In: value, match. Ports: as matched, nomatch, ok, error.
	OpCompare Op = "compare"
	// OpLoop counts how often it is passed. In: count (0-100), match. Ports: continue, done.
	OpLoop Op = "loop"
	// OpLoopPrompts plays prompts again and again. In: as OpSay, interruptMS (0: never), match. Ports: interrupted, error.
	OpLoopPrompts Op = "loopPrompts"
	// OpSetQueue chooses the queue or the agent that the next OpQueue with hook places the contact with. In: queue, queueName,
	// agent. Ports: ok, error.
	OpSetQueue Op = "setQueue"
	// OpRouting sets how the contact is ranked in the queue. In: priority, adjustSeconds (older than it is). Ports: ok, error.
	OpRouting Op = "routing"
	// OpHooks names the flows that accompany the contact. In: hooks (map of CustomerQueue and so on to a flow). Ports: ok, error.
	OpHooks Op = "hooks"
	// OpMetric asks for figures of a queue. In: queue, queueName, metric (empty: all of them, as $.Metrics), match.
	// Ports: as matched, ok, error.
	OpMetric Op = "metric"
	// OpRecord turns recording on or off. In: participants (list of Agent, Customer; empty is off), on (an expression; the
	// participants are then both or none). Ports: ok, error.
	OpRecord Op = "record"
	// OpRecordMessage records what the caller says. In: params (tone, silenceMS, maxMS, terminators). Outputs: recordingId,
	// durationMS. Ports: ok, timeout (nothing was said), error.
	OpRecordMessage Op = "recordMessage"
	// OpSendDigits sends keys on the caller's line. In: digits. Ports: ok, failure, error.
	OpSendDigits Op = "sendDigits"
	// OpCallerID sets the number that transfers and calls back show from now on. In: number. Ports: ok, error.
	OpCallerID Op = "callerId"
	// OpHash computes a digest, in hexadecimal digits. In: input, algorithm (SHA256 or SHA512), salt, saltEncoding (TEXT, HEX, BASE64,
	// AUTO: drawn by chance). Outputs: hash, salt. Ports: ok, error.
	OpHash Op = "hash"
	// OpOTP makes a one-time password, which is kept until OpVerifyOTP is passed with the same reference. In: reference, format
	// (NUMERIC, ALPHA, ALPHANUMERIC), length (4 to 64), validSeconds, reuse (a valid one is given again). Outputs: otp. Ports: ok, error.
	OpOTP Op = "otp"
	// OpVerifyOTP judges a one-time password. In: reference, otp, resend (what the caller enters to get another). Ports: ok, resend
	// (also when it is no longer valid), failure, error.
	OpVerifyOTP Op = "verifyOtp"
	// OpView shows a page to whoever handles the contact and goes on with what was done there. In: view, params (map), match.
	// Outputs by the hub. Ports: as matched, ok, error.
	OpView Op = "view"
	// OpStream starts or stops sending a contact's audio to another system. In: params (state, track, sink). Ports: ok, error.
	OpStream Op = "stream"
	// OpTask gives somebody a task. In: flow (that takes the task up), params (map). Ports: ok, error.
	OpTask Op = "task"
	// OpHangup disconnects the caller.
	OpHangup Op = "hangup"
	// OpEnd ends the thread. A caller who is then neither queued nor talking is disconnected, so that nobody listens to silence.
	OpEnd Op = "end"
	// OpUnsupported stands for a step we cannot run. It leaves by error, else by its only port, else by ok, else it fails.
	OpUnsupported Op = "unsupported"
)

// Ports in our own terms.
const (
	PortOK           Port = "ok"
	PortTrue         Port = "true"
	PortFalse        Port = "false"
	PortTimeout      Port = "timeout"
	PortNoMatch      Port = "nomatch"
	PortFailure      Port = "failure"
	PortInsufficient Port = "insufficient"
	PortDone         Port = "done"
	PortEscalate     Port = "escalate"
	PortError        Port = "error"
	PortContinue     Port = "continue"
	PortInterrupted  Port = "interrupted"
	PortResend       Port = "resend"
	PortCapacity     Port = "capacity"
	PortHoursWork    Port = "hours:work"
	PortHoursHoliday Port = "hours:holiday"
	PortHoursSpecial Port = "hours:override"
)

// PortDigit is the port of a menu's digit.
func PortDigit(d string) Port { return Port("digit:" + d) }

// PortCase is the port of a case's value.
func PortCase(v string) Port { return Port("case:" + v) }

// PortErrorOf is the port of one kind of error; an error without a port of its own leaves by PortError.
func PortErrorOf(kind string) Port { return Port("error:" + kind) }

// PortShare is the port of a split's branch.
func PortShare(label string) Port { return Port("pct:" + label) }

// Events that start handlers, in our own terms. A format's other events keep their name.
const (
	OnAgentOffered      EventName = "agentOffered"
	OnAgentAnswered     EventName = "agentAnswered"
	OnAgentDisconnected EventName = "agentDisconnected"
	OnContactEnded      EventName = "contactEnded"
	OnError             EventName = "error"
)

// Limits of a running flow.
const (
	// MaxThreads is the number of threads a session may have at once.
	MaxThreads = 16
	// DefaultMaxSteps is the number of nodes run between two waits unless the flow says otherwise.
	DefaultMaxSteps = 1000
	// MaxVarBytes is the length of a variable's text, as documented for Webex JSON variables.
	MaxVarBytes = 16 << 10
	// DefaultHTTPTimeoutMS is how long a request may take unless the node says otherwise, as documented for Webex.
	DefaultHTTPTimeoutMS = 2000
	// DefaultErrorText is spoken when nothing else handles an error.
	DefaultErrorText = "We are sorry, something went wrong. Please call again later."
)

// Unset reports whether a value counts as "nothing there": nil, "", or one of the texts by which flows of Webex say so.
func Unset(v any) bool {
	switch t := v.(type) {
	case nil:
		return true
	case string:
		switch strings.ToLower(strings.TrimSpace(t)) {
		case "", "null", "none", "na", "n/a", "undefined":
			return true
		}
	}
	return false
}

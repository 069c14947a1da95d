package flow

import "time"

// EventKind says what an Event reports.
type EventKind string

// Kinds of events. Those in the first group answer the command named by Event.Command. Templates read the fields of the
// others under the names of the event ("AgentAnswered.AgentName"): what Event.Fields holds, and besides AgentId, AgentName,
// AgentDN, AgentEmail and TeamName of Event.Agent, and Reason. A contact's end brings DispositionCode in Fields when the
// agent's wrap-up is known.
const (
	EvPromptDone  EventKind = "promptDone"  // Error says that it could not be played
	EvGathered    EventKind = "gathered"    // Digits and Reason
	EvHTTPResult  EventKind = "httpResult"  // HTTP, or Error when no answer came at all
	EvQueued      EventKind = "queued"      // the contact stands in the queue
	EvQueueFailed EventKind = "queueFailed" // it does not, or no longer; Error, and Outcome "capacity" when the queue is full
	EvTimerFired  EventKind = "timerFired"
	EvAnswer      EventKind = "answer" // Outcome, Fields, Error

	EvAgentOffered      EventKind = "agentOffered"      // Agent
	EvAgentAnswered     EventKind = "agentAnswered"     // Agent
	EvAgentNoAnswer     EventKind = "agentNoAnswer"     // the offer came to nothing; the treatment goes on
	EvAgentDisconnected EventKind = "agentDisconnected" // the last agent left, the caller is still there
	EvHungUp            EventKind = "hungUp"            // the caller's leg is gone
	EvContactEnded      EventKind = "contactEnded"      // Reason, Fields; after the wrap-up if it is to be known
	EvVarsEdited        EventKind = "varsEdited"        // Fields: what the agent changed
	EvCustom            EventKind = "custom"            // Name: another event of the flow's handlers; Fields
)

// Reasons of EvGathered.
const (
	GatherOK      = ""        // Digits are complete
	GatherTimeout = "timeout" // nothing, or too little, was entered in time
	GatherInvalid = "invalid" // what was entered cannot be used
)

// Event is something that happened. At and Seed are the only clock and the only chance a step knows: an event that is
// journalled with them can be replayed exactly.
type Event struct {
	Kind EventKind `json:"kind"`
	At   time.Time `json:"at"`
	Seed uint64    `json:"seed,omitempty"`

	Command CommandID      `json:"command,omitempty"`
	Error   string         `json:"error,omitempty"`
	Digits  string         `json:"digits,omitempty"`
	Reason  string         `json:"reason,omitempty"`
	Outcome string         `json:"outcome,omitempty"`
	HTTP    *HTTPResult    `json:"http,omitempty"`
	Agent   *Agent         `json:"agent,omitempty"`
	Name    EventName      `json:"name,omitempty"`
	Fields  map[string]any `json:"fields,omitempty"`
}

// HTTPResult is a server's answer, whatever its status. The driver limits the body's length.
type HTTPResult struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    []byte            `json:"body,omitempty"`
}

// Agent is who was offered a contact or answered it.
type Agent struct {
	ID    string `json:"id"`
	Name  string `json:"name,omitempty"`
	DN    string `json:"dn,omitempty"`
	Email string `json:"email,omitempty"`
	Team  string `json:"team,omitempty"`
}

// Output is what a step asks for and what it did.
type Output struct {
	Commands []Command    `json:"commands,omitempty"`
	Trace    []TraceEntry `json:"trace,omitempty"`
}

// TraceEntry is one node on a thread's path. An entry without a port says that the node waits. Detail is short and never
// holds the value of a secure variable.
type TraceEntry struct {
	At     time.Time `json:"at"`
	Thread int       `json:"thread"`
	Node   NodeID    `json:"node"`
	Port   Port      `json:"port,omitempty"`
	Detail string    `json:"detail,omitempty"`
}

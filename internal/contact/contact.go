// Package contact is a contact's life and its record: what was known of the caller, who took the call, how it ended and
// what was written back. Everything personal is sealed under the contact's own data key, so that one contact can be
// shredded; what stands in clear is time, queue, agent, flow, state and codes.
package contact

import (
	"context"
	"time"

	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/job"
	"github.com/tandemcc/tandem/internal/keyring"
	"github.com/tandemcc/tandem/internal/work"
)

// State is where a contact is in its life.
type State string

// The states. Ended contacts have their record; the agent may still be in wrap-up before.
const (
	InFlow      State = "flow"        // the flow talks to the caller
	Queued      State = "queued"      // waits for an agent
	Ringing     State = "ringing"     // is offered to an agent
	Dialing     State = "dialing"     // a callback: an agent has taken it and the customer's telephone is called
	Connected   State = "connected"   // caller and agent talk
	Held        State = "held"        // the agent has put the caller on hold
	Transferred State = "transferred" // the caller talks to a number outside
	WrapUp      State = "wrapup"      // the call is over, the agent finishes
	Ended       State = "ended"       // the record is closed
)

// EndReason says why the call ended.
type EndReason string

// The reasons.
const (
	ByCustomer  EndReason = "customer"
	ByAgent     EndReason = "agent"
	ByFlow      EndReason = "flow"
	Abandoned   EndReason = "abandoned"   // the caller left the queue, or a ringing offer
	ByError     EndReason = "error"       // the network or the flow failed
	ByRestart   EndReason = "hub_restart" // the hub stopped under the call
	Rejected    EndReason = "rejected"    // the call was never answered by us
	ByTransfer  EndReason = "transfer"    // the number the caller was transferred to hung up
	Unreachable EndReason = "unreachable" // a callback: the customer was not reached in any attempt
)

// WriteBack is the state of what is written to the CRM after the call.
type WriteBack string

// The states of the write-back.
const (
	NoWriteBack      WriteBack = "none"
	WriteBackPending WriteBack = "pending"
	WriteBackDone    WriteBack = "done"
	WriteBackFailed  WriteBack = "failed"
)

// Ref names something by id, with its name at the time.
type Ref struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Variable is one agent-viewable variable of the call.
type Variable struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	Value    string `json:"value"`
	Type     string `json:"type"`
	Editable bool   `json:"editable"`
}

// ScreenPop is the page the flow opened at the desk.
type ScreenPop struct {
	URL    string    `json:"url"`
	Label  string    `json:"label"`
	Target string    `json:"target"`
	At     time.Time `json:"at"`
}

// Moment is one line of the contact's timeline.
type Moment struct {
	At     time.Time `json:"at"`
	Type   string    `json:"type"` // "queued", "offered", "connected" ..
	Text   string    `json:"text"`
	Detail string    `json:"detail,omitempty"`
}

// Leg is one end of the call with its quality.
type Leg struct {
	Kind            string  `json:"kind"` // "customer", "agent", "thirdParty"
	Address         string  `json:"address"`
	PacketsReceived uint64  `json:"packetsReceived"`
	PacketsLost     uint64  `json:"packetsLost"`
	JitterMS        float64 `json:"jitterMs"`
}

// WriteBackAttempt is one request made for the record after the call.
type WriteBackAttempt struct {
	JobID     string    `json:"jobId"`
	Method    string    `json:"method"`
	Target    string    `json:"target"` // path without query
	Status    int       `json:"status"`
	Attempts  int       `json:"attempts"`
	LastError string    `json:"lastError"`
	At        time.Time `json:"at"`
	// Delivery is "exactly_once" or "at_least_once", empty before the first attempt; How says what it rests on, and Marker is
	// the text that the write carries in the CRM.
	Delivery string `json:"delivery,omitempty"`
	How      string `json:"how,omitempty"`
	Marker   string `json:"marker,omitempty"`
	Stage    string `json:"stage,omitempty"` // of job.Progress
}

// Record is one CRM record found for the caller.
type Record struct {
	ID       string  `json:"id"`
	Type     string  `json:"type"`
	Title    string  `json:"title"`
	Subtitle string  `json:"subtitle"`
	URL      string  `json:"url"`
	Fields   []Field `json:"fields"`
}

// Field is one labelled value of a Record.
type Field struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// Customer is what the CRM knows of the caller.
type Customer struct {
	Status   string   `json:"status"` // loading, found, ambiguous, none, error, off
	Message  string   `json:"message"`
	Accounts []Record `json:"accounts"`
	Contacts []Record `json:"contacts"`
	Cases    []Record `json:"cases"`
}

// Callback is what a contact is about that calls the customer back.
type Callback struct {
	Number       string    `json:"number"`
	CallerID     string    `json:"callerId"`
	Previous     string    `json:"previous"`               // id of the contact that asked for it
	At           time.Time `json:"at"`                     // its place in the queue: since when the caller counts as waiting
	OlderSeconds int       `json:"olderSeconds,omitempty"` // by how much it counts as older than that; negative: younger
	NextAt       time.Time `json:"nextAt"`                 // not before; zero: at once
	Attempts     int       `json:"attempts"`               // made
	MaxAttempts  int       `json:"maxAttempts"`
	RetrySeconds int       `json:"retrySeconds"`
}

// Participants are those whose voices are recorded.
type Participants struct {
	Agent    bool `json:"agent"`
	Customer bool `json:"customer"`
}

// Details are the sealed part of a contact.
type Details struct {
	ANI         string             `json:"ani"`
	CallerName  string             `json:"callerName"`
	EntryPoint  string             `json:"entryPoint"`
	FlowName    string             `json:"flowName"`
	QueueName   string             `json:"queueName"`
	AgentName   string             `json:"agentName"`
	Disposition string             `json:"disposition"`
	Notes       string             `json:"notes"`
	Variables   []Variable         `json:"variables"`
	ScreenPop   *ScreenPop         `json:"screenPop"`
	Customer    Customer           `json:"customer"`
	Timeline    []Moment           `json:"timeline"`
	Legs        []Leg              `json:"legs"`
	WriteBacks  []WriteBackAttempt `json:"writeBacks"`
	// FlowPins are the versions of all flows that the call runs or may be handed to, by id, fixed when it begins.
	FlowPins   map[string]int `json:"flowPins,omitempty"`
	Callback   *Callback      `json:"callback,omitempty"`
	Record     *Participants  `json:"record,omitempty"`     // as the flow wants it; nil: as the queue has it
	CalledBack string         `json:"calledBack,omitempty"` // id of the contact that calls back
}

// Contact is one call. It is owned by one goroutine; the store keeps it by Version.
type Contact struct {
	Tenant, ID    string
	Node          string // the process that holds the call
	State         State
	StateAt       time.Time
	DNIS          string
	EntryPointID  string
	FlowID        string
	FlowVersion   int
	QueueID       string
	AgentID       string
	Priority      int
	CreatedAt     time.Time
	QueuedAt      time.Time
	OfferedAt     time.Time
	AnsweredAt    time.Time // an agent answered
	EndedAt       time.Time // the call ended
	WrapUpUntil   time.Time
	ClosedAt      time.Time // the record was closed
	EndReason     EndReason
	DispositionID string
	WriteBack     WriteBack
	Version       int

	Details
	Key *keyring.DataKey // seals Details, the session and the trace
}

// Direction is who called whom first: "inbound", or "callback" when the customer is called back.
func (c *Contact) Direction() string {
	if c.Callback != nil {
		return "callback"
	}
	return "inbound"
}

// Wait returns how long the caller waited in the queue for an agent, or until the end.
func (c *Contact) Wait() time.Duration {
	if c.QueuedAt.IsZero() {
		return 0
	}
	return positive(firstTime(c.AnsweredAt, c.EndedAt, c.StateAt).Sub(c.QueuedAt))
}

// Talk returns how long the agent and the caller were connected.
func (c *Contact) Talk() time.Duration {
	if c.AnsweredAt.IsZero() {
		return 0
	}
	return positive(firstTime(c.EndedAt, c.StateAt).Sub(c.AnsweredAt))
}

// Duration returns how long the call lasted.
func (c *Contact) Duration() time.Duration {
	return positive(firstTime(c.EndedAt, c.StateAt).Sub(c.CreatedAt))
}

// Note appends a line to the timeline. The last 200 are kept.
func (c *Contact) Note(at time.Time, typ, text, detail string) {
	const limit = 200
	c.Timeline = append(c.Timeline, Moment{At: at, Type: typ, Text: text, Detail: detail})
	if len(c.Timeline) > limit {
		c.Timeline = c.Timeline[len(c.Timeline)-limit:]
	}
}

// SetState moves the contact to a state.
func (c *Contact) SetState(s State, at time.Time) { c.State, c.StateAt = s, at }

func firstTime(list ...time.Time) time.Time {
	for _, t := range list {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func positive(d time.Duration) time.Duration { return max(d, 0) }

// Row is a contact as stored: the clear columns and the sealed details.
type Row struct {
	Contact // Details and Key are not stored from here
	Body    []byte
	Session []byte // nil in an update leaves it as it is
}

// Filter chooses contacts; empty fields choose all.
type Filter struct {
	State    State
	QueueID  string
	AgentID  string
	Tokens   []string // blind indexes of the number, any of them
	From, To time.Time
	Before   string // id: only older ones
	Limit    int
}

// Tx is the domain's transaction.
type Tx interface {
	keyring.ShredTx
	keyring.Keys
	// InsertContact stores a new contact.
	InsertContact(ctx context.Context, r Row) error
	// UpdateContact stores a contact whose stored version is r.Version-1; errs.Conflict when it is another.
	UpdateContact(ctx context.Context, r Row) error
	// Contact returns one contact with its session; errs.NotFound.
	Contact(ctx context.Context, tenant, id string) (Row, error)
	// Contacts returns matching contacts without sessions, newest first.
	Contacts(ctx context.Context, tenant string, f Filter) ([]Row, error)
	// OpenContacts returns the contacts of a node that are not ended, oldest first; node "" means every node.
	OpenContacts(ctx context.Context, node string) ([]Row, error)
	// IndexContact makes a contact findable by a blind index.
	IndexContact(ctx context.Context, tenant, token, id string) error
	// AppendTrace appends a sealed piece of trace.
	AppendTrace(ctx context.Context, tenant, id string, sealed []byte) error
	// Trace returns the sealed pieces in order.
	Trace(ctx context.Context, tenant, id string) ([][]byte, error)
	// QueueTallies counts, per queue, the contacts that were created since a time and answered or abandoned; within is how
	// many were answered within a wait.
	QueueTallies(ctx context.Context, tenant string, since time.Time, wait time.Duration) (map[string]Tally, error)
	RecordingTx
	// PurgeContacts removes contacts closed before a time, at most limit, with their traces and indexes, and returns their ids.
	PurgeContacts(ctx context.Context, tenant string, before time.Time, limit int) ([]string, error)
}

// Tally is what became of a queue's contacts.
type Tally struct{ Answered, Abandoned, Within int }

// Store runs the domain's units of work.
type Store = work.Store[Tx]

// Change is what one step of a call stores together.
type Change struct {
	Contact *Contact
	Session []byte // the flow session as JSON; nil leaves it as it is
	Trace   []byte // trace entries as JSON, appended
	Events  []event.Event
	Jobs    []job.Job
	Audit   []work.Audit
}

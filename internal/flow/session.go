package flow

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/tandemcc/tandem/internal/flow/expr"
)

// Contact is what is known of a contact when it comes in. Templates see it as NewPhoneContact and NewContact.
type Contact struct {
	ID             string `json:"id"` // the interaction id
	ANI            string `json:"ani,omitempty"`
	DNIS           string `json:"dnis,omitempty"`
	EntryPointID   string `json:"entryPointId,omitempty"`
	EntryPointName string `json:"entryPointName,omitempty"`
	OrgID          string `json:"orgId,omitempty"`
	Channel        string `json:"channel,omitempty"`
	Direction      string `json:"direction,omitempty"`
	Language       string `json:"language,omitempty"`
	// Headers are the signalling headers a flow may read.
	Headers map[string]string `json:"headers,omitempty"`
}

// Input is what Start needs: the contact, the moment, a seed for chance, and values for variables that differ from the
// flow's own, by name (an installation's URL, what another flow handed over). Names the flow does not declare are ignored.
type Input struct {
	Contact Contact
	At      time.Time
	Seed    uint64
	Vars    map[string]any
}

// Session is one contact's way through a program. It is plain data: its JSON is stored at each wait, and a restored
// session goes on exactly as the original would have. It holds the values of secure variables, so it is stored encrypted.
// It is not safe for concurrent use.
type Session struct {
	FlowID string `json:"flowId"`
	// Pin names the exact program; Step refuses any other.
	Pin     string    `json:"pin"`
	Contact Contact   `json:"contact"`
	Started time.Time `json:"started"`
	// Vars are the flow's variables and Outputs the fields of nodes and events that templates of the flow read.
	Vars    Values            `json:"vars,omitempty"`
	Outputs map[string]Values `json:"outputs,omitempty"`
	Threads []*Thread         `json:"threads,omitempty"`
	// Waiting holds the commands without a result yet.
	Waiting []Command `json:"waiting,omitempty"`
	// Placement is the Enqueue command whose place in the queue is alive; 0 is none.
	Placement CommandID      `json:"placement,omitempty"`
	Loops     map[NodeID]int `json:"loops,omitempty"`
	// Talking is set while an agent is connected, HungUp when the caller is gone, Left when the contact was handed over,
	// ContactOver when ContactEnded was seen and Over when nothing is left to do.
	Talking     bool      `json:"talking,omitempty"`
	HungUp      bool      `json:"hungUp,omitempty"`
	HangupSent  bool      `json:"hangupSent,omitempty"`
	Left        bool      `json:"left,omitempty"`
	ContactOver bool      `json:"contactOver,omitempty"`
	Over        bool      `json:"over,omitempty"`
	LastCommand CommandID `json:"lastCommand,omitempty"`
	LastThread  int       `json:"lastThread,omitempty"`

	env *expr.Env // what templates see: Vars, Outputs and the contact; rebuilt when nil
	now time.Time
}

// Thread is one walk through the nodes. Thread 1 is the main thread.
type Thread struct {
	ID int `json:"id"`
	// Handler is the event that started the thread; empty for the main thread.
	Handler EventName `json:"handler,omitempty"`
	// Node is where the thread stands, and Wait the command it waits for.
	Node NodeID    `json:"node,omitempty"`
	Wait CommandID `json:"wait,omitempty"`
	// Queue is the queue node whose treatment the thread plays.
	Queue NodeID `json:"queue,omitempty"`
	// Failing says that the thread is inside the error handler, Quiet that it may not touch the call, Closing that it
	// plays the default announcement.
	Failing bool `json:"failing,omitempty"`
	Quiet   bool `json:"quiet,omitempty"`
	Closing bool `json:"closing,omitempty"`
	// Tries counts the entries a menu has refused.
	Tries int `json:"tries,omitempty"`
	// Stack holds the nodes that called the flows the thread is in, the innermost last.
	Stack []NodeID `json:"stack,omitempty"`
	// Since is when a node that repeats itself began.
	Since time.Time `json:"since,omitzero"`
}

// ErrVersion is returned, wrapped, for a session of another program.
var ErrVersion = errors.New("the session belongs to another version of the flow")

// Clone returns a copy that can be stepped on its own.
func (s *Session) Clone() *Session {
	c := *s
	c.env = nil
	c.Vars = maps.Clone(s.Vars)
	c.Outputs = make(map[string]Values, len(s.Outputs))
	for k, v := range s.Outputs {
		c.Outputs[k] = maps.Clone(v)
	}
	c.Threads = make([]*Thread, len(s.Threads))
	for i, t := range s.Threads {
		u := *t
		u.Stack = slices.Clone(t.Stack)
		c.Threads[i] = &u
	}
	c.Waiting = slices.Clone(s.Waiting)
	c.Loops = maps.Clone(s.Loops)
	return &c
}

// Outstanding returns the commands that still wait for a result, in the order they were given. A driver that restores a
// session carries them out again. The slice is the caller's, the payloads are not.
func (s *Session) Outstanding() []Command { return slices.Clone(s.Waiting) }

// Restore reads a session from its JSON.
func Restore(data []byte) (*Session, error) {
	s := new(Session)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, wrapf(err, "reading a flow session")
	}
	return s, nil
}

// take removes the outstanding command from the waiting list and reports whether it was there.
func (s *Session) take(id CommandID) (Command, bool) {
	for i := range s.Waiting {
		if s.Waiting[i].ID == id {
			c := s.Waiting[i]
			s.Waiting = slices.Delete(s.Waiting, i, i+1)
			return c, true
		}
	}
	return Command{}, false
}

func (s *Session) thread(id int) *Thread {
	for _, t := range s.Threads {
		if t.ID == id {
			return t
		}
	}
	return nil
}

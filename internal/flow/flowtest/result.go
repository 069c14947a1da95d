package flowtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/flow"
)

// Why a run ended.
const (
	EndContact = "contactEnded" // the contact is over and nothing is left to do
	EndGoto    = "goto"         // the contact went on to another flow
	EndTest    = "test"         // the test said that it has seen enough
	EndBudget  = "budget"       // a limit stopped it
	EndStuck   = "stuck"        // the flow waits for something that nothing can bring
)

// Who ended a call.
const (
	byCaller   = "caller"
	byAgent    = "agent"
	byFlow     = "flow"
	byTransfer = "transfer"
)

// End says how a run ended.
type End struct {
	// Reason is one of the End constants.
	Reason string `json:"reason"`
	// By says who ended the call: caller, agent, flow or transfer; empty when it did not end.
	By string `json:"by,omitempty"`
	// Detail is for people.
	Detail string `json:"detail,omitempty"`
}

// Stopped reports whether a limit ended the run instead of the flow.
func (e End) Stopped() bool { return e.Reason == EndBudget || e.Reason == EndStuck }

// Offset is a moment of a run: the virtual time since the call came in. Its JSON is seconds.
type Offset time.Duration

// MarshalJSON writes seconds.
func (o Offset) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(o).Seconds()) }

// Step is one node on the way of a thread. Without a port the node waits, or ends its thread.
type Step struct {
	At     Offset      `json:"at"`
	Thread int         `json:"thread,omitempty"`
	ID     flow.NodeID `json:"id"`
	Node   string      `json:"node"`
	Op     flow.Op     `json:"op"`
	Port   flow.Port   `json:"port,omitempty"`
	Detail string      `json:"detail,omitempty"`
}

// Spoken is one prompt the caller heard.
type Spoken struct {
	At   Offset `json:"at"`
	Node string `json:"node,omitempty"`
	// Text is what was spoken, or the name of the file in brackets.
	Text string `json:"text"`
}

// Request is one HTTP request with what came of it.
type Request struct {
	At      Offset            `json:"at"`
	Node    string            `json:"node"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	// Connector is the connector's name or identifier. Attempts counts retries too.
	Connector string `json:"connector,omitempty"`
	Attempts  int    `json:"attempts"`
	Status    int    `json:"status,omitempty"`
	Error     string `json:"error,omitempty"`
	// Matched is false when the script had no answer and the default was given.
	Matched bool `json:"matched"`
}

// Change is a new value of a variable; the values of secure variables are not shown.
type Change struct {
	At   Offset `json:"at"`
	Name string `json:"name"`
	From any    `json:"from"`
	To   any    `json:"to"`
}

// Placed is one placement in a queue.
type Placed struct {
	At       Offset `json:"at"`
	Queue    string `json:"queue"`
	Name     string `json:"name,omitempty"`
	Agent    string `json:"agent,omitempty"`
	Priority int    `json:"priority"`
	// Outcome is answered, failed, left or waiting.
	Outcome string `json:"outcome"`
}

// Entry kinds of a log.
const (
	LogStep    = "step"
	LogEvent   = "event"
	LogCommand = "command"
	LogChange  = "variable"
)

// Line is one line of a run's log, in order.
type Line struct {
	At   Offset `json:"at"`
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Result is what a run did. Its lists are in the order of events.
type Result struct {
	Flow     string           `json:"flow"`
	Took     Offset           `json:"took"`
	End      End              `json:"end"`
	Trace    []Step           `json:"trace"`
	Prompts  []Spoken         `json:"prompts"`
	Requests []Request        `json:"requests"`
	Changes  []Change         `json:"changes"`
	Queued   []Placed         `json:"queued"`
	Pops     []flow.ScreenPop `json:"pops"`
	// Shown are the agent-viewable variables as the agent last saw them, and Vars all variables at the end.
	Shown    map[string]string `json:"shown"`
	Vars     map[string]any    `json:"vars"`
	Goto     *flow.Destination `json:"goto,omitempty"`
	Commands []flow.Command    `json:"commands"`
	Log      []Line            `json:"log"`
}

// Path is the names of the nodes the thread's way led through, each node once for each time it was left or ended at.
// Thread 1 is the main thread; 0 means all threads.
func (r *Result) Path(thread int) []string {
	var out []string
	for i, s := range r.Trace {
		if thread != 0 && s.Thread != thread {
			continue
		}
		// A node that waits stands there a second time when it is left.
		if s.Port != "" && r.waited(i) {
			continue
		}
		out = append(out, s.Node)
	}
	return out
}

// waited reports whether step i only goes on with the step before it on the same thread.
func (r *Result) waited(i int) bool {
	for j := i - 1; j >= 0; j-- {
		if p := r.Trace[j]; p.Thread == r.Trace[i].Thread {
			return p.ID == r.Trace[i].ID && p.Port == ""
		}
	}
	return false
}

// Text is the run for people.
func (r *Result) Text() string {
	var b strings.Builder
	for _, l := range r.Log {
		indent := ""
		if l.Kind != LogStep && l.Kind != LogEvent {
			indent = "    "
		}
		fmt.Fprintf(&b, "%9.1fs  %s%s\n", time.Duration(l.At).Seconds(), indent, l.Text)
	}
	fmt.Fprintf(&b, "%9.1fs  end: %s", time.Duration(r.Took).Seconds(), r.End.Reason)
	if r.End.By != "" {
		b.WriteString(", by the " + r.End.By)
	}
	if r.End.Detail != "" {
		b.WriteString(", " + r.End.Detail)
	}
	b.WriteString("\n")
	return b.String()
}

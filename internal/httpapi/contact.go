package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
)

type flowRef struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// Summary is a contact as lists show it.
type Summary struct {
	ID              string     `json:"id"`
	Direction       string     `json:"direction" enum:"inbound,callback"`
	ANI             string     `json:"ani"`
	DNIS            string     `json:"dnis"`
	State           string     `json:"state"`
	EntryPoint      string     `json:"entryPoint"`
	Flow            *flowRef   `json:"flow"`
	Queue           *ref       `json:"queue"`
	Agent           *ref       `json:"agent"`
	CreatedAt       time.Time  `json:"createdAt"`
	AnsweredAt      *time.Time `json:"answeredAt"`
	EndedAt         *time.Time `json:"endedAt"`
	DurationSeconds int        `json:"durationSeconds"`
	WaitSeconds     int        `json:"waitSeconds"`
	TalkSeconds     int        `json:"talkSeconds"`
	Disposition     *ref       `json:"disposition"`
	EndReason       string     `json:"endReason"`
	WriteBack       string     `json:"writeBack" enum:"none,pending,done,failed"`
}

func summaryOf(c *contact.Contact) Summary {
	s := Summary{
		ID: c.ID, Direction: c.Direction(), ANI: c.ANI, DNIS: c.DNIS, State: string(c.State), EntryPoint: c.EntryPoint, Queue: refOf(c.QueueID, c.QueueName),
		Agent: refOf(c.AgentID, c.AgentName), CreatedAt: c.CreatedAt, AnsweredAt: when(c.AnsweredAt), EndedAt: when(c.EndedAt),
		DurationSeconds: int(c.Duration().Seconds()), WaitSeconds: int(c.Wait().Seconds()), TalkSeconds: int(c.Talk().Seconds()),
		Disposition: refOf(c.DispositionID, c.Disposition), EndReason: string(c.EndReason), WriteBack: string(c.WriteBack),
	}
	if c.FlowID != "" {
		s.Flow = &flowRef{ID: c.FlowID, Name: c.FlowName, Version: c.FlowVersion}
	}
	return s
}

func summaries(found []*contact.Contact, limit int) *body[list[Summary]] {
	out := make([]Summary, 0, len(found))
	for _, c := range found {
		out = append(out, summaryOf(c))
	}
	next := ""
	if limit > 0 && len(found) == limit {
		next = found[len(found)-1].ID
	}
	return items(out, next)
}

type writeBack struct {
	JobID     string    `json:"jobId"`
	Method    string    `json:"method"`
	Target    string    `json:"target"`
	Status    string    `json:"status"`
	Attempts  int       `json:"attempts"`
	LastError string    `json:"lastError"`
	At        time.Time `json:"at"`
	Delivery  string    `json:"delivery" enum:"exactly_once,at_least_once," doc:"how often it can have its effect when something fails; empty before the first attempt"`
	How       string    `json:"how" doc:"what the delivery rests on"`
	Marker    string    `json:"marker" doc:"the text that the write carries in the CRM"`
	Stage     string    `json:"stage" enum:"sending,doubtful,done," doc:"sending and doubtful: it may have had its effect"`
}

type callbackInfo struct {
	Previous    string     `json:"previous" doc:"the contact that asked for the callback"`
	Attempts    int        `json:"attempts"`
	MaxAttempts int        `json:"maxAttempts"`
	NextAt      *time.Time `json:"nextAt"`
}

type contactDetail struct {
	Summary
	Callback   *callbackInfo      `json:"callback" doc:"of a contact that calls the customer back"`
	CalledBack string             `json:"calledBack" doc:"the contact that calls back, if a callback was registered"`
	Recordings []recordingInfo    `json:"recordings"`
	Notes      string             `json:"notes"`
	Variables  []contact.Variable `json:"variables"`
	ScreenPop  *contact.ScreenPop `json:"screenPop"`
	Timeline   []contact.Moment   `json:"timeline"`
	Legs       []contact.Leg      `json:"legs"`
	WriteBacks []writeBack        `json:"writeBacks"`
}

func (a *API) contactOps() {
	add(a, op("GET", "/contacts", "listContacts", "Search contacts, newest first", "contacts", 200), a.listContacts)
	add(a, op("GET", "/contacts/{id}", "getContact", "One contact's record", "contacts", 200), a.getContact)
	a.recordingOp()
	add(a, op("GET", "/contacts/{id}/trace", "getTrace", "The path through the flow", "contacts", 200), a.getTrace)
}

type contactsInput struct {
	Page
	State      string    `query:"state" enum:"flow,queued,ringing,dialing,connected,held,transferred,wrapup,ended,"`
	QueueID    string    `query:"queueId" maxLength:"100"`
	AgentID    string    `query:"agentId" maxLength:"100"`
	Number     string    `query:"number" maxLength:"64" doc:"the whole number of the caller"`
	NumberEnds string    `query:"numberEnds" maxLength:"7" doc:"its last 4 or 7 digits"`
	From       time.Time `query:"from"`
	To         time.Time `query:"to"`
}

func (a *API) listContacts(ctx context.Context, in *contactsInput) (*body[list[Summary]], error) {
	q := contact.Query{
		State: contact.State(in.State), QueueID: in.QueueID, AgentID: in.AgentID, NumberEnds: in.NumberEnds, From: in.From, To: in.To,
		Before: in.Cursor, Limit: in.Limit,
	}
	if in.Number != "" {
		q.Number = a.Numbers.E164(in.Number)
	}
	found, err := a.Contacts.List(ctx, a.Tenant, q)
	return summaries(found, in.Limit), err
}

// find returns a contact: the living one where it lives, else the stored record.
func (a *API) find(ctx context.Context, id string) (*contact.Contact, error) {
	c, err := a.Contacts.Get(ctx, a.Tenant, id) // also asks whether it may be seen
	if err != nil {
		return nil, err
	}
	if v, ok := a.Conductor.View(id); ok {
		return &v.Contact, nil
	}
	return c, nil
}

func (a *API) getContact(ctx context.Context, in *IDInput) (*body[contactDetail], error) {
	c, err := a.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	d := contactDetail{
		Summary: summaryOf(c), Notes: c.Notes, Variables: orEmpty(c.Variables), ScreenPop: c.ScreenPop, Timeline: orEmpty(c.Timeline),
		Legs: orEmpty(c.Legs), WriteBacks: []writeBack{}, CalledBack: c.CalledBack,
	}
	if cb := c.Callback; cb != nil {
		d.Callback = &callbackInfo{Previous: cb.Previous, Attempts: cb.Attempts, MaxAttempts: cb.MaxAttempts, NextAt: when(cb.NextAt)}
	}
	if d.Recordings, err = a.recordingsOf(ctx, in.ID); err != nil {
		return nil, err
	}
	for _, w := range c.WriteBacks {
		d.WriteBacks = append(d.WriteBacks, writeBack{
			JobID: w.JobID, Method: w.Method, Target: w.Target, Status: attemptStatus(w), Attempts: w.Attempts, LastError: w.LastError, At: w.At,
			Delivery: w.Delivery, How: w.How, Marker: w.Marker, Stage: w.Stage,
		})
	}
	return &body[contactDetail]{Body: d}, nil
}

func attemptStatus(w contact.WriteBackAttempt) string {
	switch {
	case w.Attempts == 0:
		return "waiting"
	case w.Status > 0:
		return strconv.Itoa(w.Status)
	}
	return "no answer"
}

func orEmpty[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

type traceStep struct {
	At         time.Time `json:"at"`
	Thread     int       `json:"thread" doc:"the main way is 1; each handler that runs is another"`
	Node       string    `json:"node"`
	Name       string    `json:"name"`
	Op         string    `json:"op"`
	Port       string    `json:"port"`
	Detail     string    `json:"detail"`
	DurationMS int64     `json:"durationMs" doc:"until the thread's next entry"`
}

type trace struct {
	FlowID  string      `json:"flowId"`
	Version int         `json:"version"`
	Steps   []traceStep `json:"steps"`
}

func (a *API) getTrace(ctx context.Context, in *IDInput) (*body[trace], error) {
	c, err := a.Contacts.Get(ctx, a.Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	pieces, err := a.Contacts.Trace(ctx, a.Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	out := trace{FlowID: c.FlowID, Version: c.FlowVersion, Steps: []traceStep{}}
	nodes := a.nodesOf(ctx, c)
	last := map[int]int{} // thread -> index of its last step
	for _, raw := range pieces {
		var entries []flow.TraceEntry
		if err := json.Unmarshal(raw, &entries); err != nil {
			return nil, errs.Wrap(errs.Internal, err, "the trace cannot be read")
		}
		for _, e := range entries {
			step := traceStep{At: e.At, Thread: e.Thread, Node: string(e.Node), Port: string(e.Port), Detail: e.Detail, Name: string(e.Node)}
			if n := nodes[e.Node]; n != nil {
				step.Name, step.Op = cmp.Or(n.Name, step.Name), string(n.Op)
			}
			if i, ok := last[e.Thread]; ok {
				out.Steps[i].DurationMS = e.At.Sub(out.Steps[i].At).Milliseconds()
			}
			last[e.Thread] = len(out.Steps)
			out.Steps = append(out.Steps, step)
		}
	}
	return &body[trace]{Body: out}, nil
}

// nodesOf returns the nodes of the contact's flow; a flow that was deleted leaves the ids.
func (a *API) nodesOf(ctx context.Context, c *contact.Contact) map[flow.NodeID]*flow.Node {
	nodes, err := a.Library.Nodes(ctx, a.Tenant, c.FlowID, c.FlowVersion, c.FlowPins)
	if err != nil {
		return nil
	}
	return nodes
}

package httpapi

import (
	"context"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/identity"
	"github.com/tandemcc/tandem/internal/routing"
	"github.com/tandemcc/tandem/internal/voice"
)

type deskAgent struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Login string `json:"login"`
}

type presence struct {
	State  string `json:"state"`
	Reason *ref   `json:"reason"`
}

// QueueLine is a queue as the desk shows it.
type QueueLine struct {
	ID                 string `json:"id"`
	Name               string `json:"name"`
	Waiting            int    `json:"waiting"`
	LongestWaitSeconds int    `json:"longestWaitSeconds"`
}

type quality struct {
	PacketsReceived uint64  `json:"packetsReceived"`
	PacketsLost     uint64  `json:"packetsLost"`
	JitterMS        float64 `json:"jitterMs"`
}

type station struct {
	Kind      string   `json:"kind" enum:"browser,sip,none"`
	Connected bool     `json:"connected"`
	Address   string   `json:"address"`
	Quality   *quality `json:"quality"`
}

type wrapUp struct {
	CodeID string `json:"codeId"`
	Notes  string `json:"notes"`
}

type writeBackState struct {
	Status string `json:"status"`
	Detail string `json:"detail"`
}

type deskContact struct {
	ID          string             `json:"id"`
	ANI         string             `json:"ani"`
	DNIS        string             `json:"dnis"`
	CallerName  string             `json:"callerName"`
	Direction   string             `json:"direction" enum:"inbound,callback"`
	State       string             `json:"state" enum:"ringing,dialing,connected,held,wrapup"`
	Callback    *deskCallback      `json:"callback"`
	Queue       *ref               `json:"queue"`
	Priority    int                `json:"priority"`
	CreatedAt   time.Time          `json:"createdAt"`
	QueuedAt    *time.Time         `json:"queuedAt"`
	OfferedAt   *time.Time         `json:"offeredAt"`
	AnsweredAt  *time.Time         `json:"answeredAt"`
	EndedAt     *time.Time         `json:"endedAt"`
	RingUntil   *time.Time         `json:"ringUntil"`
	WrapUpUntil *time.Time         `json:"wrapUpUntil"`
	Muted       bool               `json:"muted"`
	Held        bool               `json:"held"`
	EndedBy     string             `json:"endedBy" enum:"customer,agent,system,"`
	Variables   []contact.Variable `json:"variables"`
	ScreenPop   *contact.ScreenPop `json:"screenPop"`
	Customer    contact.Customer   `json:"customer"`
	WrapUp      wrapUp             `json:"wrapUp"`
	WriteBack   writeBackState     `json:"writeBack"`
	Earlier     []Summary          `json:"earlier"`
}

// deskCallback is what an agent sees of a callback before the customer is called.
type deskCallback struct {
	Number       string    `json:"number"`
	WaitingSince time.Time `json:"waitingSince"`
	Attempt      int       `json:"attempt" doc:"of the call that is made now, or would be once it is accepted"`
	MaxAttempts  int       `json:"maxAttempts"`
}

func deskCallbackOf(c *contact.Contact) *deskCallback {
	cb := c.Callback
	if cb == nil {
		return nil
	}
	attempt := cb.Attempts
	if c.State == contact.Ringing || c.State == contact.Queued {
		attempt++
	}
	return &deskCallback{Number: cb.Number, WaitingSince: cb.At, Attempt: attempt, MaxAttempts: cb.MaxAttempts}
}

type desk struct {
	Rev         int64        `json:"rev"`
	Now         time.Time    `json:"now"`
	Agent       deskAgent    `json:"agent"`
	State       string       `json:"state" enum:"offline,available,idle,ringing,connected,wrapup,rona"`
	Reason      *ref         `json:"reason"`
	Since       time.Time    `json:"since"`
	NextState   *presence    `json:"nextState"`
	Reasons     []ref        `json:"reasons"`
	WrapUpCodes []ref        `json:"wrapUpCodes"`
	Queues      []QueueLine  `json:"queues"`
	Station     station      `json:"station"`
	Contact     *deskContact `json:"contact"`
}

// agentOf returns the agent who asks.
func (a *API) agentOf(ctx context.Context, action string) (string, error) {
	p := principal(ctx)
	if !p.Has(identity.Agent) {
		return "", errs.New(errs.Denied, "the desk is for users with the role agent")
	}
	return p.ID, a.Authz.Check(ctx, action, "arn:aws:tandem::"+p.Tenant+":desk/"+p.ID, authz.A("tandem:AgentId", p.ID))
}

// deskOf is the state of an agent's desk, all of it.
func (a *API) deskOf(ctx context.Context, agentID string) (desk, error) {
	p := principal(ctx)
	d := desk{Rev: time.Now().UnixNano(), Now: a.Clock.Now(), Agent: deskAgent{ID: agentID, Login: p.Login}, State: string(routing.Offline), Since: a.Clock.Now()}
	var agent routing.Agent
	a.Router.With(func(e *routing.Engine, now time.Time) []routing.Action {
		agent, _ = e.Agent(agentID)
		d.Queues = deskQueues(e, agentID, now)
		return nil
	})
	if agent.ID != "" {
		d.Agent.Name, d.State, d.Since = agent.Name, string(agent.State), agent.Since
		d.Reason = reasonOf(agent.Reason)
		if agent.Next != nil {
			d.NextState = &presence{State: string(agent.Next.State), Reason: reasonOf(agent.Next.Reason)}
		}
	}
	inner := caller.As(ctx, a.Desk)
	reasons, codes, err := a.codeLists(inner)
	if err != nil {
		return d, err
	}
	d.Reasons, d.WrapUpCodes = reasons, codes
	d.Station = stationOf(a.Conductor.Station(agentID))
	if agent.ContactID != "" {
		d.Contact, err = a.deskContact(inner, agentID, agent.ContactID)
		d.WrapUpCodes = a.codesOf(agent.QueueID, codes)
	}
	return d, err
}

// codesOf leaves of the wrap-up codes those that a queue's agents may choose; a queue that has gone allows all.
func (a *API) codesOf(queueID string, codes []ref) []ref {
	q := a.queue(queueID)
	return slices.DeleteFunc(codes, func(c ref) bool { return !q.Allows(c.ID) })
}

// queue returns a queue's rule; the zero value for one that has gone.
func (a *API) queue(id string) (q routing.Queue) {
	a.Router.With(func(e *routing.Engine, _ time.Time) []routing.Action {
		q, _ = e.Queue(id)
		return nil
	})
	return q
}

func reasonOf(r *routing.Reason) *ref {
	if r == nil {
		return nil
	}
	return &ref{ID: r.ID, Name: r.Name}
}

func deskQueues(e *routing.Engine, agentID string, now time.Time) []QueueLine {
	out := []QueueLine{}
	for _, q := range e.Queues() {
		if slices.Contains(q.AgentIDs, agentID) {
			n, longest := waiting(e, q.ID, now)
			out = append(out, QueueLine{ID: q.ID, Name: q.Name, Waiting: n, LongestWaitSeconds: longest})
		}
	}
	return out
}

func waiting(e *routing.Engine, queueID string, now time.Time) (n, longestSeconds int) {
	for _, it := range e.Waiting(queueID) {
		n++
		longestSeconds = max(longestSeconds, int(now.Sub(it.At).Seconds()))
	}
	return n, longestSeconds
}

func stationOf(s voice.StationInfo) station {
	out := station{Kind: s.Kind, Connected: s.Connected, Address: s.Address}
	if s.Kind == "browser" {
		out.Quality = &quality{
			PacketsReceived: s.Stats.Received, PacketsLost: s.Stats.Lost, JitterMS: float64(s.Stats.Jitter.Microseconds()) / 1000,
		}
	}
	return out
}

const (
	listReasons = "reasons"
	listWrapUp  = "wrapup"
)

func (a *API) codeLists(ctx context.Context) (reasons, codes []ref, err error) {
	if reasons, err = a.codes(ctx, listReasons); err != nil {
		return nil, nil, err
	}
	codes, err = a.codes(ctx, listWrapUp)
	return reasons, codes, err
}

func (a *API) codes(ctx context.Context, name string) ([]ref, error) {
	out := []ref{}
	o, err := a.Codes.Named(ctx, a.Tenant, name)
	if errs.Is(err, errs.NotFound) {
		return out, nil
	}
	for _, c := range o.Spec.Items {
		out = append(out, ref{ID: c.ID, Name: c.Name})
	}
	return out, err
}

func (a *API) deskContact(ctx context.Context, agentID, contactID string) (*deskContact, error) {
	v, ok := a.Conductor.View(contactID)
	if !ok || (v.Contact.AgentID != agentID && v.Contact.State != contact.Queued) {
		return nil, nil //nolint:nilnil // the contact has just gone: the desk shows none
	}
	c := v.Contact
	out := &deskContact{
		ID: c.ID, ANI: c.ANI, DNIS: c.DNIS, CallerName: callerName(&c), Direction: c.Direction(), Callback: deskCallbackOf(&c), State: string(c.State), Queue: refOf(c.QueueID, c.QueueName),
		Priority: c.Priority, CreatedAt: c.CreatedAt, QueuedAt: when(c.QueuedAt), OfferedAt: when(c.OfferedAt), AnsweredAt: when(c.AnsweredAt),
		EndedAt: when(c.EndedAt), RingUntil: when(v.RingUntil), WrapUpUntil: when(c.WrapUpUntil), Muted: v.Muted, Held: v.Held,
		EndedBy: endedBy(c.EndReason), Variables: c.Variables, ScreenPop: c.ScreenPop, Customer: c.Customer,
		WrapUp: wrapUp{CodeID: c.DispositionID, Notes: c.Notes}, WriteBack: writeBackState{Status: string(c.WriteBack)}, Earlier: []Summary{},
	}
	switch c.State { //nolint:exhaustive // the others are shown as they are
	case contact.Queued, contact.InFlow:
		out.State = string(contact.Ringing)
	case contact.Transferred: // the agent is out of it
		out.State = string(contact.WrapUp)
	}
	earlier, err := a.Contacts.Earlier(ctx, &c, a.Numbers.E164(c.ANI), 5)
	for _, e := range earlier {
		out.Earlier = append(out.Earlier, summaryOf(e))
	}
	return out, err
}

// callerName is what the telephone network said, or else the CRM when it knows exactly one person with the number.
func callerName(c *contact.Contact) string {
	if c.CallerName == "" && c.Customer.Status == "found" && len(c.Customer.Contacts) == 1 {
		return c.Customer.Contacts[0].Title
	}
	return c.CallerName
}

func endedBy(r contact.EndReason) string {
	switch r {
	case "":
		return ""
	case contact.ByCustomer, contact.Abandoned:
		return "customer"
	case contact.ByAgent:
		return "agent"
	case contact.ByFlow, contact.ByError, contact.ByRestart, contact.Rejected, contact.ByTransfer, contact.Unreachable:
	}
	return "system"
}

func (a *API) deskOps() {
	add(a, op("GET", "/desk", "getDesk", "The desk of the signed-in agent", "desk", 200), func(ctx context.Context, _ *none) (*body[desk], error) {
		return a.atDesk(ctx, "desk:Get", func(string) error { return nil })
	})
	add(a, op("POST", "/desk/state", "setState", "Choose a state; on a contact it is kept for later", "desk", 200), a.setState)
	add(a, op("POST", "/desk/media", "offerMedia", "Connect the browser's audio: SDP offer in, answer out", "desk", 200), a.offerMedia)
	add(a, op("POST", "/desk/station", "setStation", "Choose where calls ring", "desk", 200), a.setStation)
	for name, f := range map[string]func(ctx context.Context, agentID, contactID string) error{
		"accept": a.Conductor.Accept, "decline": a.Conductor.Decline, "end": a.Conductor.End, "hold": a.Conductor.Hold, "resume": a.Conductor.Resume,
		"mute":          func(ctx context.Context, g, c string) error { return a.Conductor.Mute(ctx, g, c, true) },
		"unmute":        func(ctx context.Context, g, c string) error { return a.Conductor.Mute(ctx, g, c, false) },
		"wrapup/extend": a.Conductor.Extend,
	} {
		a.callOp(name, f)
	}
	add(a, op("POST", "/desk/contacts/{id}/digits", "sendDigits", "Send keys to the caller's side", "desk", 200), a.sendDigits)
	add(a, op("PUT", "/desk/contacts/{id}/variables", "setVariables", "Change agent-editable variables", "desk", 200), a.setVariables)
	add(a, op("POST", "/desk/contacts/{id}/wrapup", "finishWrapUp", "End the after-call work", "desk", 200), a.finishWrapUp)
	add(a, op("PUT", "/desk/contacts/{id}/wrapup", "draftWrapUp", "Keep the code and notes written so far", "desk", 200), a.draftWrapUp)
	add(a, op("GET", "/desk/history", "deskHistory", "Earlier contacts of the signed-in agent", "desk", 200), a.deskHistory)
}

// atDesk does something as the signed-in agent and answers the desk after it.
func (a *API) atDesk(ctx context.Context, action string, f func(agentID string) error) (*body[desk], error) {
	agentID, err := a.agentOf(ctx, action)
	if err != nil {
		return nil, err
	}
	if err := f(agentID); err != nil {
		return nil, err
	}
	d, err := a.deskOf(ctx, agentID)
	return &body[desk]{Body: d}, err
}

func (a *API) callOp(name string, f func(ctx context.Context, agentID, contactID string) error) {
	id := name + "Contact"
	if name == "wrapup/extend" {
		id = "extendWrapUp"
	}
	add(a, op("POST", "/desk/contacts/{id}/"+name, id, "Call control: "+name, "desk", 200), func(ctx context.Context, in *IDInput) (*body[desk], error) {
		return a.atDesk(ctx, "desk:ControlCall", func(agentID string) error { return f(ctx, agentID, in.ID) })
	})
}

type stateInput struct {
	Body struct {
		State    string `json:"state" enum:"available,idle,offline"`
		ReasonID string `json:"reasonId,omitempty" maxLength:"100"`
	}
}

func (a *API) setState(ctx context.Context, in *stateInput) (*body[desk], error) {
	return a.atDesk(ctx, "desk:SetState", func(agentID string) error {
		p := routing.Presence{State: routing.AgentState(in.Body.State)}
		if in.Body.ReasonID != "" && p.State == routing.Idle {
			reason, err := a.code(caller.As(ctx, a.Desk), listReasons, in.Body.ReasonID)
			if err != nil {
				return err
			}
			p.Reason = &routing.Reason{ID: reason.ID, Name: reason.Name}
		}
		return a.Router.Try(func(e *routing.Engine, now time.Time) ([]routing.Action, error) { return e.Choose(agentID, p, now) })
	})
}

func (a *API) goOffline(agentID string) {
	a.Router.With(func(e *routing.Engine, now time.Time) []routing.Action {
		acts, err := e.Choose(agentID, routing.Presence{State: routing.Offline}, now)
		if err != nil { // not an agent of any queue
			return nil
		}
		return acts
	})
}

func (a *API) code(ctx context.Context, listName, id string) (ref, error) {
	list, err := a.codes(ctx, listName)
	if err != nil {
		return ref{}, err
	}
	for _, c := range list {
		if c.ID == id {
			return c, nil
		}
	}
	return ref{}, errs.New(errs.Invalid, "there is no code %q in the list", id)
}

type mediaInput struct {
	Body struct {
		SDP string `json:"sdp" maxLength:"100000"`
	}
}

type mediaOutput struct {
	Body struct {
		SDP string `json:"sdp"`
	}
}

func (a *API) offerMedia(ctx context.Context, in *mediaInput) (*mediaOutput, error) {
	agentID, err := a.agentOf(ctx, "desk:ConnectMedia")
	if err != nil {
		return nil, err
	}
	out := &mediaOutput{}
	out.Body.SDP, err = a.Conductor.Offer(ctx, agentID, in.Body.SDP)
	return out, err
}

type stationInput struct {
	Body struct {
		Kind    string `json:"kind" enum:"browser,sip"`
		Address string `json:"address,omitempty" maxLength:"256" doc:"sip:user@host:port"`
	}
}

func (a *API) setStation(ctx context.Context, in *stationInput) (*body[desk], error) {
	return a.atDesk(ctx, "desk:SetStation", func(agentID string) error {
		if in.Body.Kind == "sip" && !sipAddress(in.Body.Address) {
			return errs.New(errs.Invalid, "give the phone's address, such as sip:201@192.0.2.7:5060")
		}
		address := in.Body.Address
		if in.Body.Kind == "browser" {
			address = ""
		}
		a.Conductor.UseSIP(agentID, address)
		return nil
	})
}

var sipUser = regexp.MustCompile(`^[A-Za-z0-9_.!~*'()&=+$,;?/%-]{1,64}$`) // RFC 3261 §25.1

// sipAddress reports whether s is sip:user@host, with or without a port.
func sipAddress(s string) bool {
	rest, ok := strings.CutPrefix(s, "sip:")
	user, host, found := strings.Cut(rest, "@")
	if !ok || !found || !sipUser.MatchString(user) {
		return false
	}
	if h, port, err := net.SplitHostPort(host); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return false
		}
		host = h
	}
	host = strings.Trim(host, "[]")
	return net.ParseIP(host) != nil || hostName.MatchString(host)
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$`)

type digitsInput struct {
	IDInput
	Body struct {
		Digits string `json:"digits" pattern:"^[0-9*#A-D]{1,64}$"`
	}
}

func (a *API) sendDigits(ctx context.Context, in *digitsInput) (*body[desk], error) {
	return a.atDesk(ctx, "desk:ControlCall", func(agentID string) error {
		return a.Conductor.Digits(ctx, agentID, in.ID, in.Body.Digits)
	})
}

type variablesInput struct {
	IDInput
	Body struct {
		Values map[string]string `json:"values" maxProperties:"50"`
	}
}

func (a *API) setVariables(ctx context.Context, in *variablesInput) (*body[desk], error) {
	return a.atDesk(ctx, "desk:EditVariables", func(agentID string) error {
		return a.Conductor.SetVariables(ctx, agentID, in.ID, in.Body.Values)
	})
}

type wrapUpInput struct {
	IDInput
	Body struct {
		CodeID string `json:"codeId" maxLength:"100"`
		Notes  string `json:"notes" maxLength:"32000"`
	}
}

// writtenBy turns the agent's input into a call of f with the code's name.
func (a *API) writtenBy(ctx context.Context, in *wrapUpInput, action string,
	f func(ctx context.Context, agentID, contactID string, code contact.Ref, notes string) error,
) (*body[desk], error) {
	return a.atDesk(ctx, action, func(agentID string) error {
		var code contact.Ref
		if in.Body.CodeID != "" {
			c, err := a.code(caller.As(ctx, a.Desk), listWrapUp, in.Body.CodeID)
			if err != nil {
				return err
			}
			if v, ok := a.Conductor.View(in.ID); ok {
				if q := a.queue(v.Contact.QueueID); !q.Allows(c.ID) {
					return errs.New(errs.Invalid, "contacts of the queue %s do not end with %q; choose one of the queue's own codes", q.Name, c.Name)
				}
			}
			code = contact.Ref{ID: c.ID, Name: c.Name}
		}
		return f(ctx, agentID, in.ID, code, in.Body.Notes)
	})
}

func (a *API) finishWrapUp(ctx context.Context, in *wrapUpInput) (*body[desk], error) {
	return a.writtenBy(ctx, in, "desk:WrapUp", a.Conductor.Finish)
}

func (a *API) draftWrapUp(ctx context.Context, in *wrapUpInput) (*body[desk], error) {
	return a.writtenBy(ctx, in, "desk:WrapUp", a.Conductor.Draft)
}

func (a *API) deskHistory(ctx context.Context, in *Page) (*body[list[Summary]], error) {
	agentID, err := a.agentOf(ctx, "desk:Get")
	if err != nil {
		return nil, err
	}
	found, err := a.Contacts.ListOwn(ctx, a.Tenant, agentID, in.Cursor, in.Limit)
	return summaries(found, in.Limit), err
}

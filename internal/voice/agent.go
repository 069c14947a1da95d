package voice

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"github.com/tandemcc/tandem/internal/contact"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/routing"
)

// offered shows the contact at the agent's desk.
func (k *call) offered(a routing.Action) {
	if k.legOver || k.ct.State == contact.Ringing && k.ct.AgentID == a.AgentID && k.ringUntil.Equal(a.Until) {
		return
	}
	now := k.now()
	k.agent = k.findAgent(a.AgentID)
	k.ringUntil = a.Until
	k.ct.AgentID, k.ct.AgentName, k.ct.OfferedAt = a.AgentID, k.agent.Name, now
	k.ct.SetState(contact.Ringing, now)
	k.ct.Note(now, "offered", "Offered to "+k.agent.Name, "")
	k.emit("contact.offered", map[string]string{"agent": a.AgentID})
	k.step(flow.Event{Kind: flow.EvAgentOffered, Agent: k.flowAgent()})
	k.autoAccept(a)
}

func (k *call) findAgent(id string) *routing.Agent {
	out := &routing.Agent{ID: id}
	k.c.Router.With(func(e *routing.Engine, _ time.Time) []routing.Action {
		if a, ok := e.Agent(id); ok {
			out = &a
		}
		return nil
	})
	return out
}

func (k *call) flowAgent() *flow.Agent {
	if k.agent == nil {
		return nil
	}
	return &flow.Agent{ID: k.agent.ID, Name: k.agent.Name}
}

// withdrawn takes the offer back: the contact waits on, or has left.
func (k *call) withdrawn(a routing.Action) {
	if k.agent == nil || k.agent.ID != a.AgentID || k.ct.State != contact.Ringing {
		return
	}
	now := k.now()
	id := k.agent.ID
	if k.agentLeg != nil {
		k.agentLeg.Hangup("not answered")
		k.agentLeg = nil
	}
	k.agent, k.ringUntil = nil, time.Time{}
	k.ct.AgentID, k.ct.AgentName = "", ""
	if a.NoAnswer {
		k.ct.SetState(contact.Queued, now)
		if a.Declined {
			k.ct.Note(now, "declined", "The agent declined", "")
			k.emit("contact.declined", map[string]string{"agent": id})
		} else {
			k.ct.Note(now, "noAnswer", "The agent did not answer", "")
			k.emit("contact.notAnswered", map[string]string{"agent": id})
		}
		k.step(flow.Event{Kind: flow.EvAgentNoAnswer})
	}
	k.save()
}

// expired tells the flow that the wait was too long.
func (k *call) expired(a routing.Action) {
	if k.isCallback() {
		k.callbackOver("it waited longer than a callback may")
		return
	}
	if k.sess == nil || k.sess.Placement == 0 {
		return
	}
	k.ct.SetState(contact.InFlow, k.now())
	text, why := "Waited too long in "+k.ct.QueueName, "the contact waited longer than the queue allows"
	if a.Untaken {
		text, why = "The agent did not take the contact", "the agent did not take the contact"
	}
	k.ct.Note(k.now(), "expired", text, "")
	k.result(k.sess.Placement, flow.Event{Kind: flow.EvQueueFailed, Error: why})
}

// Accept connects the agent with the contact that rings at their desk. With a SIP phone the phone rings first, and who
// answers it accepts.
func (c *Conductor) Accept(ctx context.Context, agentID, contactID string) error {
	return c.forAgent(ctx, agentID, contactID, func(k *call) error {
		if k.ct.State != contact.Ringing {
			return errs.New(errs.Conflict, "the contact does not ring any more")
		}
		if address := c.sipAddress(agentID); address != "" {
			return k.dialAgent(address)
		}
		return k.connect(nil)
	})
}

// dialAgent rings the agent's SIP phone; the answer connects.
func (k *call) dialAgent(address string) error {
	if k.agentLeg != nil {
		return nil
	}
	leg, err := k.c.Phone.Dial(k.c.ctx, DialRequest{URI: address, From: k.ct.ANI, DisplayName: k.ct.CallerName, RingTimeout: time.Minute})
	if err != nil {
		return errs.Wrap(errs.Unavailable, err, "the agent's phone at %s cannot be called", address)
	}
	k.agentLeg = leg
	go func() {
		for ev := range leg.Events() {
			switch ev.Type { //nolint:exhaustive // the others do not matter here
			case LegAnswered:
				k.post(func() {
					if err := k.connect(leg); err != nil {
						k.log.WarnContext(k.c.ctx, "connecting the agent's phone", slog.Any("error", err))
						leg.Hangup("the contact has gone")
					}
				})
			case LegEnded:
				k.post(func() { k.agentLegEnded(leg) })
			}
		}
	}()
	return nil
}

func (k *call) agentLegEnded(leg Leg) {
	if k.agentLeg != leg {
		return
	}
	if k.ct.State == contact.Connected || k.ct.State == contact.Held {
		k.noteLegs() // while the agent's leg can still be asked
	}
	k.agentLeg = nil
	switch k.ct.State { //nolint:exhaustive // in the other states the leg's end follows from ours
	case contact.Ringing:
		k.declineBy(k.ct.AgentID)
	case contact.Dialing:
		k.stopDialing("the agent hung up")
	case contact.Connected, contact.Held:
		k.agentEnds()
	}
}

func (k *call) declineBy(agentID string) {
	err := k.c.Router.Try(func(e *routing.Engine, now time.Time) ([]routing.Action, error) {
		return e.Decline(agentID, k.ct.ID, now)
	})
	if err != nil {
		k.log.DebugContext(k.c.ctx, "declining", slog.Any("error", err))
	}
}

// connect bridges caller and agent and tells the flow; leg is the agent's SIP leg, nil for the browser.
func (k *call) connect(leg Leg) error {
	agentID := k.ct.AgentID
	media, err := k.agentMedia(agentID, leg)
	if err != nil {
		return err
	}
	if k.isCallback() {
		return k.dialCustomer(media)
	}
	if err := k.c.Router.Try(func(e *routing.Engine, now time.Time) ([]routing.Action, error) {
		return e.Accept(agentID, k.ct.ID, now)
	}); err != nil {
		return err
	}
	k.talk(media)
	return nil
}

// talk lets the agent who has accepted and the caller talk.
func (k *call) talk(media Media) {
	now, agentID := k.now(), k.ct.AgentID
	k.agent = k.findAgent(agentID)
	k.ringUntil, k.agentDone, k.muted = time.Time{}, false, false
	k.ct.AnsweredAt = now
	k.ct.SetState(contact.Connected, now)
	k.ct.Note(now, "connected", "Connected with "+k.agent.Name, "")
	k.emit("contact.connected", map[string]string{"agent": agentID, "queue": k.ct.QueueID})
	media.SetMuted(false)
	if k.sess != nil {
		delete(k.cancel, k.sess.Placement) // the placement is used up: cancelling it must not take the agent away
	}
	k.step(flow.Event{Kind: flow.EvAgentAnswered, Command: placement(k.sess), Agent: k.flowAgent()})
	k.leg.Media().Stop()
	k.dropMessage()
	k.join(media)
	k.startRecording()
}

func placement(s *flow.Session) flow.CommandID {
	if s == nil {
		return 0
	}
	return s.Placement
}

func (k *call) agentMedia(agentID string, leg Leg) (Media, error) {
	if leg != nil {
		return leg.Media(), nil
	}
	st, err := k.c.Phone.Station(agentID)
	if err != nil {
		return nil, err
	}
	if st.State() != StationConnected {
		return nil, errs.New(errs.Conflict, "your audio is not connected; check the microphone and connect it first")
	}
	return st.Media(), nil
}

// currentMedia is the audio of the agent who talks.
func (k *call) currentMedia() Media {
	if k.agentLeg != nil {
		return k.agentLeg.Media()
	}
	st, err := k.c.Phone.Station(k.ct.AgentID)
	if err != nil {
		return nil
	}
	return st.Media()
}

func (k *call) join(agent Media) {
	unbridge, err := k.c.Phone.Bridge(k.leg.Media(), agent)
	if err != nil {
		k.log.ErrorContext(k.c.ctx, "bridging", slog.Any("error", err))
		k.ct.Note(k.now(), "error", "Audio could not be connected", errs.Message(err))
		return
	}
	k.unbridge = unbridge
}

func (k *call) split() {
	if k.unbridge != nil {
		k.unbridge()
		k.unbridge = nil
	}
}

// Decline gives the offered contact back to the queue.
func (c *Conductor) Decline(ctx context.Context, agentID, contactID string) error {
	return c.forAgent(ctx, agentID, contactID, func(*call) error {
		return c.Router.Try(func(e *routing.Engine, now time.Time) ([]routing.Action, error) {
			return e.Decline(agentID, contactID, now)
		})
	})
}

// End ends the call from the agent's side.
func (c *Conductor) End(ctx context.Context, agentID, contactID string) error {
	return c.forAgent(ctx, agentID, contactID, func(k *call) error {
		switch k.ct.State {
		case contact.Dialing:
			k.stopDialing("the agent hung up")
		case contact.Connected, contact.Held:
			k.agentEnds()
		default:
			return errs.New(errs.Conflict, "the call is not connected")
		}
		return nil
	})
}

// Hold plays music to the caller until Resume.
func (c *Conductor) Hold(ctx context.Context, agentID, contactID string) error {
	return c.talking(ctx, agentID, contactID, func(k *call) error {
		if k.ct.State == contact.Held {
			return nil
		}
		music, err := c.Prompts.Music(c.ctx, k.ct.Tenant, "")
		if err != nil {
			return err
		}
		k.split()
		if k.rec != nil {
			k.rec.hold(true)
		}
		k.leg.Media().Play(music, true, nil)
		k.ct.SetState(contact.Held, k.now())
		k.ct.Note(k.now(), "held", "On hold", "")
		k.emit("contact.held", nil)
		k.save()
		return nil
	})
}

// Resume takes the caller back from hold.
func (c *Conductor) Resume(ctx context.Context, agentID, contactID string) error {
	return c.talking(ctx, agentID, contactID, func(k *call) error {
		if k.ct.State != contact.Held {
			return nil
		}
		k.leg.Media().Stop()
		k.join(k.currentMedia())
		if k.rec != nil {
			k.rec.hold(false)
		}
		k.ct.SetState(contact.Connected, k.now())
		k.ct.Note(k.now(), "resumed", "Back from hold", "")
		k.emit("contact.resumed", nil)
		k.save()
		return nil
	})
}

// Mute stops, or lets through, what the agent says.
func (c *Conductor) Mute(ctx context.Context, agentID, contactID string, muted bool) error {
	return c.talking(ctx, agentID, contactID, func(k *call) error {
		if m := k.currentMedia(); m != nil {
			m.SetMuted(muted)
			k.muted = muted
		}
		return nil
	})
}

// Digits sends keys to the caller's side by RFC 4733.
func (c *Conductor) Digits(ctx context.Context, agentID, contactID, digits string) error {
	return c.talking(ctx, agentID, contactID, func(k *call) error {
		return k.leg.Media().SendDigits(digits)
	})
}

// SetVariables changes agent-editable variables of the call.
func (c *Conductor) SetVariables(ctx context.Context, agentID, contactID string, values map[string]string) error {
	return c.forAgent(ctx, agentID, contactID, func(k *call) error {
		fields := make(map[string]any, len(values))
		for name, v := range values {
			if len(v) > 16_384 {
				return errs.New(errs.Invalid, "a variable holds at most 16384 bytes")
			}
			i := k.variable(name)
			if i < 0 || !k.ct.Variables[i].Editable {
				return errs.New(errs.Invalid, "%q is not a variable that agents may change", name)
			}
			fields[name] = v
		}
		for name, v := range values {
			k.ct.Variables[k.variable(name)].Value = v
		}
		k.step(flow.Event{Kind: flow.EvVarsEdited, Fields: fields})
		k.save()
		return nil
	})
}

func (k *call) variable(name string) int {
	for i, v := range k.ct.Variables {
		if v.Name == name {
			return i
		}
	}
	return -1
}

// Finish ends the after-call work with its disposition and notes.
func (c *Conductor) Finish(ctx context.Context, agentID, contactID string, code contact.Ref, notes string) error {
	if len(notes) > 32_000 {
		return errs.New(errs.Invalid, "notes have at most 32000 bytes")
	}
	return c.forAgent(ctx, agentID, contactID, func(k *call) error {
		if k.ct.State != contact.WrapUp {
			return errs.New(errs.Conflict, "the contact is not in wrap-up")
		}
		k.ct.DispositionID, k.ct.Disposition, k.ct.Notes = code.ID, code.Name, notes
		k.finishWrapUp()
		return nil
	})
}

// Draft keeps what the agent has written so far, so that neither a reload nor the end of the wrap-up time loses it.
func (c *Conductor) Draft(ctx context.Context, agentID, contactID string, code contact.Ref, notes string) error {
	if len(notes) > 32_000 {
		return errs.New(errs.Invalid, "notes have at most 32000 bytes")
	}
	return c.forAgent(ctx, agentID, contactID, func(k *call) error {
		k.ct.DispositionID, k.ct.Disposition, k.ct.Notes = code.ID, code.Name, notes
		k.save()
		return nil
	})
}

// Extend gives one more wrap-up period.
func (c *Conductor) Extend(ctx context.Context, agentID, contactID string) error {
	return c.forAgent(ctx, agentID, contactID, func(k *call) error {
		return c.Router.Try(func(e *routing.Engine, now time.Time) ([]routing.Action, error) {
			until, acts, err := e.Extend(agentID, contactID, now)
			if err == nil {
				k.ct.WrapUpUntil = until
			}
			return acts, err
		})
	})
}

// forAgent runs f in the call if it is this agent's.
func (c *Conductor) forAgent(ctx context.Context, agentID, contactID string, f func(k *call) error) error {
	k := c.call(contactID)
	if k == nil {
		return errs.New(errs.NotFound, "there is no such living contact")
	}
	return k.ask(ctx, func() error {
		k.catchUp(agentID)
		if k.ct.AgentID != agentID {
			return errs.New(errs.NotFound, "the contact is not at this desk")
		}
		return f(k)
	})
}

// catchUp takes up an offer that routing has made and whose news is still on its way: the agent's desk, which shows what routing
// knows, may be faster than it.
func (k *call) catchUp(agentID string) {
	if k.ct.AgentID == agentID || k.ct.State != contact.Queued {
		return
	}
	if a := k.findAgent(agentID); a.State == routing.Ringing && a.ContactID == k.ct.ID {
		k.offered(routing.Action{Kind: routing.Offer, ContactID: k.ct.ID, AgentID: agentID, QueueID: a.QueueID, Until: a.Until})
	}
}

func (c *Conductor) talking(ctx context.Context, agentID, contactID string, f func(k *call) error) error {
	return c.forAgent(ctx, agentID, contactID, func(k *call) error {
		if k.ct.State != contact.Connected && k.ct.State != contact.Held {
			return errs.New(errs.Conflict, "the call is not connected")
		}
		return f(k)
	})
}

// UseSIP makes calls to the agent ring at a SIP phone; an empty address means the browser.
func (c *Conductor) UseSIP(agentID, address string) {
	c.mu.Lock()
	if address == "" {
		delete(c.sips, agentID)
	} else {
		c.sips[agentID] = address
	}
	c.mu.Unlock()
	c.keepStation(agentID, address)
	reachable := address != ""
	if !reachable {
		if st, err := c.Phone.Station(agentID); err == nil {
			reachable = st.State() == StationConnected
		}
	}
	c.Router.With(func(e *routing.Engine, now time.Time) []routing.Action {
		return e.SetReachable(agentID, reachable, now)
	})
}

// loadStations takes up where agents' calls rang before the restart.
func (c *Conductor) loadStations() error {
	if c.Stations == nil {
		return nil
	}
	all, err := c.Stations.All(c.ctx, c.Tenant)
	if err != nil {
		return err
	}
	c.mu.Lock()
	maps.Copy(c.sips, all)
	c.mu.Unlock()
	c.Router.With(func(e *routing.Engine, now time.Time) (acts []routing.Action) {
		for agentID := range all {
			acts = append(acts, e.SetReachable(agentID, true, now)...)
		}
		return acts
	})
	return nil
}

func (c *Conductor) keepStation(agentID, address string) {
	if c.Stations == nil {
		return
	}
	if err := c.Stations.Put(c.ctx, c.Tenant, agentID, address); err != nil {
		c.Log.ErrorContext(c.ctx, "storing an agent's station", slog.Any("error", err))
	}
}

func (c *Conductor) sipAddress(agentID string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sips[agentID]
}

// StationInfo is how an agent can be reached.
type StationInfo struct {
	Kind      string // "browser", "sip", "none"
	Address   string
	Connected bool
	Stats     MediaStats
}

// Station tells how an agent can be reached.
func (c *Conductor) Station(agentID string) StationInfo {
	if a := c.sipAddress(agentID); a != "" {
		return StationInfo{Kind: "sip", Address: a, Connected: true}
	}
	st, err := c.Phone.Station(agentID)
	if err != nil || st.State() == StationIdle {
		return StationInfo{Kind: "none"}
	}
	return StationInfo{Kind: "browser", Connected: st.State() == StationConnected, Stats: st.Media().Stats()}
}

// Offer connects the agent's browser: offer in, answer out. It replaces an earlier connection of the agent.
func (c *Conductor) Offer(ctx context.Context, agentID, sdp string) (string, error) {
	st, err := c.Phone.Station(agentID)
	if err != nil {
		return "", err
	}
	st.OnState(func(s StationState) {
		if c.sipAddress(agentID) == "" {
			c.Router.With(func(e *routing.Engine, now time.Time) []routing.Action {
				return e.SetReachable(agentID, s == StationConnected, now)
			})
		}
	})
	return st.Offer(ctx, sdp)
}

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/softphone"
	"github.com/tandemcc/tandem/internal/voice"
)

type agentCmd struct {
	URL        string        `name:"url" help:"The hub." default:"http://127.0.0.1:8080" placeholder:"URL"`
	As         string        `help:"Login." required:"" placeholder:"LOGIN"`
	Password   string        `help:"Password; else TANDEM_PASSWORD." placeholder:"P"`
	AutoAnswer bool          `help:"Accept every contact that rings."`
	SIP        string        `name:"sip" help:"Answer with a SIP telephone on this address, 127.0.0.1:0 for a free port, rather than as a browser does." placeholder:"ADDR"`
	Tone       int           `help:"Tone to send while talking, in hertz." placeholder:"HZ"`
	HangupIn   time.Duration `name:"hangup-after" help:"End each call after this long; 0: when the caller does." default:"0s"`
	Wrapup     string        `help:"Wrap-up code, its name or id." placeholder:"CODE"`
	Notes      string        `help:"Notes of the wrap-up." placeholder:"TEXT"`
	For        time.Duration `help:"Work this long, then sign out; 0: until a signal." default:"0s"`
	Window     time.Duration `help:"How often the sound is measured; default 100ms with --json, else 500ms."`
	JSON       bool          `help:"One JSON object a line."`
}

// deskView is what the headless agent reads of the desk.
type deskView struct {
	Rev         int64   `json:"rev"`
	State       string  `json:"state"`
	Reason      *named  `json:"reason"`
	WrapUpCodes []named `json:"wrapUpCodes"`
	Contact     *struct {
		ID        string `json:"id"`
		ANI       string `json:"ani"`
		DNIS      string `json:"dnis"`
		State     string `json:"state"`
		Queue     *named `json:"queue"`
		EndedBy   string `json:"endedBy"`
		ScreenPop *struct {
			URL   string `json:"url"`
			Label string `json:"label"`
		} `json:"screenPop"`
	} `json:"contact"`
}

// agent is a headless agent at work.
type agent struct {
	cmd *agentCmd
	hub *hubClient
	rep *reporter

	mu      sync.Mutex // guards all below
	talking string     // contact whose sound is reported

	last  deskView        // what was last seen and reported; only the stream's goroutine uses it and what follows
	acted map[string]bool // "accept ID", "wrapup ID": what was done already
	ends  map[string]context.CancelFunc
	jobs  sync.WaitGroup
}

// Run signs in, works and signs out.
func (c *agentCmd) Run(ctx context.Context, e *env) error {
	password := c.Password
	if password == "" {
		password = e.vars["TANDEM_PASSWORD"]
	}
	if password == "" {
		return errs.New(errs.Invalid, "give --password or set TANDEM_PASSWORD")
	}
	if c.Tone != 0 {
		if _, err := toneClip(c.Tone); err != nil {
			return err
		}
	}
	hub, err := newHubClient(c.URL, "")
	if err != nil {
		return err
	}
	defer hub.close()
	if err := hub.signIn(ctx, c.As, password); err != nil {
		return err
	}
	a := &agent{cmd: c, hub: hub, rep: e.reporter(c.JSON), acted: map[string]bool{}, ends: map[string]context.CancelFunc{}}
	work, _, release := e.untilSignal(ctx, "signing out")
	defer release()
	if c.For > 0 {
		var cancel context.CancelFunc
		work, cancel = context.WithTimeout(work, c.For)
		defer cancel()
	}
	a.rep.say(report{Event: "signedIn", Text: c.As})
	err = a.work(work)
	return errors.Join(err, a.leave(context.WithoutCancel(ctx)), a.rep.failure())
}

// work connects the audio, becomes available and follows the desk until ctx ends.
func (a *agent) work(ctx context.Context) error {
	var audio sync.WaitGroup
	defer audio.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	again := func() error { return nil }
	if a.cmd.SIP != "" {
		register, stop, err := a.telephone(ctx)
		if err != nil {
			return err
		}
		defer stop()
		again = register // a hub that was started anew has forgotten the telephone
	} else {
		up := make(chan error, 1)
		audio.Go(func() { a.browser(ctx, up) })
		select {
		case err := <-up:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
	if err := a.hub.do(ctx, http.MethodPost, "/desk/state", map[string]string{"state": "available"}, nil); err != nil {
		return err
	}
	err := a.hub.follow(ctx, "/desk/events", again, func(ev sse) error {
		if ev.name != "desk" {
			return nil
		}
		var d deskView
		if err := json.Unmarshal(ev.data, &d); err != nil {
			return errs.Wrap(errs.Unavailable, err, "the hub's desk cannot be read")
		}
		a.see(ctx, &d)
		return nil
	})
	cancel()
	a.jobs.Wait()
	return err
}

// leave goes offline and signs out; a hub that has gone needs no goodbye.
func (a *agent) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cleanup)
	defer cancel()
	err := a.hub.do(ctx, http.MethodPost, "/desk/state", map[string]string{"state": "offline"}, nil)
	if err == nil {
		err = a.hub.do(ctx, http.MethodDelete, "/session", nil, nil)
	}
	a.rep.say(report{Event: "signedOut"})
	if errs.Is(err, errs.Unavailable) || errs.Is(err, errs.Unauthenticated) {
		return nil
	}
	return err
}

// options are those of one conversation; sound is reported while a contact is connected.
func (a *agent) options() softphone.Options {
	o := softphone.Options{Window: window(a.cmd.Window, a.cmd.JSON), OnEvent: a.heard}
	if a.cmd.Tone != 0 {
		o.Clip = softphone.Tone(a.cmd.Tone)
	}
	return o
}

func (a *agent) heard(ev softphone.Event) {
	if ev.Type != softphone.Audio {
		return
	}
	a.mu.Lock()
	contact := a.talking
	a.mu.Unlock()
	if contact != "" {
		a.rep.say(report{Event: "audio", At: ev.At, Contact: contact, Level: &ev.Level, Frequency: &ev.Frequency})
	}
}

// browser keeps a WebRTC connection to the hub for as long as ctx lives; up is told how the first attempt went.
func (a *agent) browser(ctx context.Context, up chan<- error) {
	exchange := func(ctx context.Context, offer string) (string, error) {
		var out struct {
			SDP string `json:"sdp"`
		}
		err := a.hub.do(ctx, http.MethodPost, "/desk/media", map[string]string{"sdp": offer}, &out)
		return out.SDP, err
	}
	pause, first := firstPause, true
	for {
		s, err := softphone.Connect(ctx, exchange, a.options())
		if err == nil {
			err = a.hold(ctx, s, func() {
				pause = firstPause
				if first {
					first = false
					up <- nil
				}
			})
		}
		switch {
		case ctx.Err() != nil:
			return
		case first:
			up <- errs.Wrap(errs.Unavailable, err, "the audio cannot be connected: %s", errs.Message(err))
			return
		}
		a.rep.say(report{Event: "audioLost", Reason: oneLine(fmt.Sprint(err))})
		if !wait(ctx, pause) {
			return
		}
		pause = min(2*pause, longPause)
	}
}

// hold waits for the end of one connection; connected is called when it stands.
func (a *agent) hold(ctx context.Context, s *softphone.Session, connected func()) error {
	defer func() {
		s.Hangup()
		<-s.Done()
	}()
	timeout := time.NewTimer(callTimeout)
	defer timeout.Stop()
	select {
	case <-s.Answered():
	case <-s.Done():
		return errs.New(errs.Unavailable, "the connection failed")
	case <-timeout.C:
		return errs.New(errs.Unavailable, "no connection within %s", callTimeout)
	case <-ctx.Done():
		return nil
	}
	a.rep.say(report{Event: "audioConnected"})
	connected()
	select {
	case <-s.Done():
		return errs.New(errs.Unavailable, "the connection broke")
	case <-ctx.Done():
		return nil
	}
}

// telephone listens for SIP calls and tells the hub its address; register does the latter again. The hub calls it when the contact
// is accepted at the desk, so it answers whatever comes.
func (a *agent) telephone(ctx context.Context) (register func() error, stop func(), err error) {
	options := func(voice.LegInfo) softphone.Options { return a.options() }
	phone, err := softphone.Listen(context.WithoutCancel(ctx), a.cmd.SIP, options, nil)
	if err != nil {
		return nil, nil, errs.Wrap(errs.Unavailable, err, "the telephone cannot listen on %s: %v", a.cmd.SIP, err)
	}
	stop = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
		defer cancel()
		if err := phone.Stop(ctx); err != nil {
			a.rep.say(report{Event: "error", Text: errs.Message(err)})
		}
	}
	address := "sip:" + url.PathEscape(a.cmd.As) + "@" + phone.Addr().String()
	register = func() error {
		return a.hub.do(ctx, http.MethodPost, "/desk/station", map[string]string{"kind": "sip", "address": address}, nil)
	}
	if err := register(); err != nil {
		stop()
		return nil, nil, err
	}
	a.rep.say(report{Event: "audioConnected", URL: address})
	return register, stop, nil
}

// see reports what has changed on the desk and does what is due.
func (a *agent) see(ctx context.Context, d *deskView) {
	was := a.last
	a.last = *d
	if d.State != was.State {
		r := report{Event: "state", State: d.State}
		if d.Reason != nil {
			r.Reason = d.Reason.Name
		}
		a.rep.say(r)
	}
	if was.Contact != nil && (d.Contact == nil || d.Contact.ID != was.Contact.ID) {
		a.gone(was.Contact.ID, was.Contact.State)
	}
	if d.Contact == nil {
		return
	}
	c, before := d.Contact, ""
	popped := ""
	if was.Contact != nil && was.Contact.ID == c.ID {
		before = was.Contact.State
		if was.Contact.ScreenPop != nil {
			popped = was.Contact.ScreenPop.URL
		}
	}
	if c.ScreenPop != nil && c.ScreenPop.URL != popped {
		a.rep.say(report{Event: "screenpop", Contact: c.ID, URL: c.ScreenPop.URL, Text: c.ScreenPop.Label})
	}
	if c.State == before {
		return
	}
	a.moved(ctx, d, before)
}

// gone is a contact that left the desk.
func (a *agent) gone(id, state string) {
	a.silent()
	if state != "wrapup" {
		a.rep.say(report{Event: "gone", Contact: id})
	}
	if cancel := a.ends[id]; cancel != nil {
		cancel()
		delete(a.ends, id)
	}
}

func (a *agent) silent() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.talking = ""
}

// moved is a contact whose state has changed.
func (a *agent) moved(ctx context.Context, d *deskView, before string) {
	c := d.Contact
	switch c.State {
	case "ringing":
		a.rep.say(report{Event: "ringing", Contact: c.ID, From: c.ANI, To: c.DNIS, Queue: c.Queue.name()})
		if a.cmd.AutoAnswer {
			a.once(ctx, "accept", c.ID, "/desk/contacts/"+url.PathEscape(c.ID)+"/accept", nil)
		}
	case "connected":
		a.mu.Lock()
		a.talking = c.ID
		a.mu.Unlock()
		if before == "held" {
			a.rep.say(report{Event: "resumed", Contact: c.ID})
			return
		}
		a.rep.say(report{Event: "accepted", Contact: c.ID, From: c.ANI, To: c.DNIS})
		a.endLater(ctx, c.ID)
	case "held":
		a.silent()
		a.rep.say(report{Event: "held", Contact: c.ID})
	case "wrapup":
		a.silent()
		a.rep.say(report{Event: "ended", Contact: c.ID, Reason: c.EndedBy})
		a.wrapUp(ctx, d)
	default: // a state of a newer hub
	}
}

// endLater ends the call after the time that was asked for.
func (a *agent) endLater(ctx context.Context, id string) {
	if a.cmd.HangupIn <= 0 {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	a.ends[id] = cancel
	a.jobs.Go(func() {
		if wait(ctx, a.cmd.HangupIn) {
			a.post(ctx, "end", id, "/desk/contacts/"+url.PathEscape(id)+"/end", nil)
		}
	})
}

func (a *agent) wrapUp(ctx context.Context, d *deskView) {
	code, ok := "", a.cmd.Wrapup == ""
	for _, w := range d.WrapUpCodes {
		if w.ID == a.cmd.Wrapup || strings.EqualFold(w.Name, a.cmd.Wrapup) {
			code, ok = w.ID, true
		}
	}
	if !ok {
		a.rep.say(report{Event: "error", Contact: d.Contact.ID, Text: "there is no wrap-up code " + a.cmd.Wrapup})
	}
	body := map[string]string{"codeId": code, "notes": a.cmd.Notes}
	a.once(ctx, "wrapup", d.Contact.ID, "/desk/contacts/"+url.PathEscape(d.Contact.ID)+"/wrapup", body)
}

// once does something to a contact unless it was done before, beside the stream: its answer is a new desk.
func (a *agent) once(ctx context.Context, what, id, path string, body any) {
	if a.acted[what+" "+id] {
		return
	}
	a.acted[what+" "+id] = true
	a.jobs.Go(func() { a.post(ctx, what, id, path, body) })
}

func (a *agent) post(ctx context.Context, what, id, path string, body any) {
	err := a.hub.do(ctx, http.MethodPost, path, body, nil)
	switch {
	case err == nil && what == "wrapup":
		a.rep.say(report{Event: "wrapup", Contact: id, Text: a.cmd.Wrapup, Detail: a.cmd.Notes})
	case err != nil && ctx.Err() == nil:
		a.rep.say(report{Event: "error", Contact: id, Text: what + ": " + errs.Message(err)})
	}
}

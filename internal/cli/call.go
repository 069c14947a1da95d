package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/softphone"
	"github.com/tandemcc/tandem/internal/speech"
	"github.com/tandemcc/tandem/internal/speech/flite"
	"github.com/tandemcc/tandem/internal/voice"
)

type callCmd struct {
	SIP         string        `name:"sip" help:"The hub's SIP address." default:"127.0.0.1:5060" placeholder:"ADDR"`
	From        string        `help:"The number shown." default:"${from}" placeholder:"N"`
	To          string        `help:"The number called." required:"" placeholder:"N"`
	Name        string        `help:"The name shown." placeholder:"TEXT"`
	Digits      string        `help:"Keys to press after the first sound from the other side; a comma waits a second." placeholder:"D"`
	Say         string        `help:"Text to speak once answered." xor:"sound" placeholder:"TEXT"`
	Tone        int           `help:"Tone to send once answered, in hertz." xor:"sound" placeholder:"HZ"`
	Record      string        `help:"Write what is heard to a WAV file." placeholder:"FILE"`
	RingTimeout time.Duration `help:"Give up when nobody answers." default:"60s"`
	HangupAfter time.Duration `help:"Hang up this long after the answer; 0: when the other side does." default:"0s"`
	Window      time.Duration `help:"How often the sound is measured; default 100ms with --json, else 500ms."`
	API         string        `name:"api" help:"The hub's API: report prompts, queue, agent and write-backs too." placeholder:"URL"`
	Token       string        `help:"API token; else TANDEM_TOKEN." placeholder:"T"`
	FollowFor   time.Duration `help:"With --api: wait this long after the end for write-backs." default:"30s"`
	JSON        bool          `help:"One JSON object a line."`
}

const (
	digitPause  = time.Second            // what a comma among digits stands for
	keyTime     = 200 * time.Millisecond // one key with the pause after it
	silentStart = 3 * time.Second        // how long the first sound is waited for
	eventRoom   = 4096                   // events that wait for a slow reader of the output
)

// Run places the call. It is a success when the call was answered and has ended.
func (c *callCmd) Run(ctx context.Context, e *env) error {
	groups, err := c.groups()
	if err != nil {
		return err
	}
	if _, _, err := net.SplitHostPort(c.SIP); err != nil {
		return errs.Wrap(errs.Invalid, err, "--sip must be an address such as 127.0.0.1:5060, not %q", c.SIP)
	}
	clip, err := c.clip(ctx)
	if err != nil {
		return err
	}
	rep := e.reporter(c.JSON)
	w, err := c.watcher(ctx, e, rep)
	if err != nil {
		return err
	}
	call, _, release := e.untilSignal(ctx, "hanging up")
	defer release()
	w.start(context.WithoutCancel(ctx))
	over, err := c.place(call, rep, groups, clip)
	wait := c.FollowFor
	if err != nil || !over.answered || call.Err() != nil {
		wait = 0
	}
	w.finish(call, wait)
	switch {
	case err != nil:
		return err
	case !over.answered:
		return errs.New(errs.Unavailable, "the call was not answered: %s", over.why())
	}
	return rep.failure()
}

// groups are the digits between the commas.
func (c *callCmd) groups() ([]string, error) {
	if c.Digits == "" {
		return nil, nil
	}
	if bad := strings.Trim(c.Digits, "0123456789*#ABCDabcd,"); bad != "" {
		return nil, errs.New(errs.Invalid, "--digits are 0 to 9, *, #, A to D, and commas for pauses, not %q", bad)
	}
	return strings.Split(strings.ToUpper(c.Digits), ","), nil
}

// clip is what is sent once answered: nil is silence.
func (c *callCmd) clip(ctx context.Context) ([]byte, error) {
	switch {
	case c.Tone != 0:
		return toneClip(c.Tone)
	case c.Say != "":
		return speak(ctx, c.Say)
	}
	return nil, nil
}

func toneClip(hz int) ([]byte, error) {
	const lowest, highest = 50, 3900
	if hz < lowest || hz > highest {
		return nil, errs.New(errs.Invalid, "--tone is between %d and %d hertz", lowest, highest)
	}
	return softphone.Tone(hz), nil
}

// speak makes a text sound.
func speak(ctx context.Context, text string) (clip []byte, err error) {
	if !flite.Available() {
		return nil, errs.New(errs.Unavailable, "this build has no speech: build it with make build, or use --tone")
	}
	cache := ""
	if dir, err := os.UserCacheDir(); err == nil {
		cache = filepath.Join(dir, "tandem", "speech")
	}
	engine, err := flite.New(flite.Options{CacheDir: cache}) //nolint:contextcheck // it compiles in the background until Close
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close(context.WithoutCancel(ctx))) }()
	options := speech.Options{Synthesizer: engine, Engine: flite.Version, Timeout: time.Minute}
	service, err := speech.New(options) //nolint:contextcheck // Say takes the context
	if err != nil {
		return nil, err
	}
	defer service.Close()
	return service.Say(ctx, speech.Plain(text))
}

// outcome is how a call ended.
type outcome struct {
	answered bool
	reason   string
	code     int
}

func (o *outcome) why() string {
	switch {
	case o.code > 0:
		return fmt.Sprintf("%s, SIP status %d", o.reason, o.code)
	case o.reason == string(voice.EndLocal), o.reason == string(voice.EndCancelled):
		return "given up"
	}
	return cmp.Or(o.reason, "no answer") + "; is the hub at the address that --sip gives?"
}

// conversation is one call while it lasts.
type conversation struct {
	cmd     *callCmd
	rep     *reporter
	session *softphone.Session
	events  chan softphone.Event
	sound   chan struct{} // closed at the first sound
}

// place makes the call and returns when it is over.
func (c *callCmd) place(ctx context.Context, rep *reporter, groups []string, clip []byte) (out outcome, err error) {
	local, err := localHost(ctx, c.SIP)
	if err != nil {
		return out, err
	}
	base := context.WithoutCancel(ctx)
	phone, err := softphone.New(base, net.JoinHostPort(local, "0"))
	if err != nil {
		return out, err
	}
	defer func() {
		stop, cancel := context.WithTimeout(base, cleanup)
		defer cancel()
		err = errors.Join(err, phone.Stop(stop))
	}()
	record, closeRecord, err := c.recording()
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, closeRecord()) }()
	talk := &conversation{cmd: c, rep: rep, events: make(chan softphone.Event, eventRoom), sound: make(chan struct{})}
	options := softphone.Options{
		From: c.From, DisplayName: c.Name, RingTimeout: c.RingTimeout, Window: window(c.Window, c.JSON), OnEvent: talk.take,
	}
	if record != nil {
		options.Record = record
	}
	talk.session, err = phone.Call(base, "sip:"+c.To+"@"+c.SIP, options)
	if err != nil {
		return out, err
	}
	var printing sync.WaitGroup
	printing.Go(func() { out = talk.print() })
	talk.hold(ctx, groups, clip)
	close(talk.events)
	printing.Wait()
	return out, nil
}

// window is how long each measurement of sound is.
func window(given time.Duration, forPrograms bool) time.Duration {
	switch {
	case given > 0:
		return given
	case forPrograms:
		return 100 * time.Millisecond
	}
	return 500 * time.Millisecond
}

// localHost is the address of this machine from which another is reached.
func localHost(ctx context.Context, remote string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "udp", remote) // sends nothing
	if err != nil {
		return "", errs.Wrap(errs.Invalid, err, "%s cannot be reached from here", remote)
	}
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	if err = errors.Join(err, conn.Close()); err != nil {
		return "", fmt.Errorf("finding the own address: %w", err)
	}
	return host, nil
}

func (c *callCmd) recording() (f *os.File, closeIt func() error, err error) {
	if c.Record == "" {
		return nil, func() error { return nil }, nil
	}
	f, err = os.Create(c.Record)
	if err != nil {
		return nil, nil, errs.Wrap(errs.Invalid, err, "the recording %s cannot be written", c.Record)
	}
	return f, f.Close, nil
}

// take hands an event to print. It never blocks: of a reader who stands still, sound is kept back first.
func (t *conversation) take(ev softphone.Event) {
	if ev.Type == softphone.Audio && len(t.events) > eventRoom/2 {
		return
	}
	select {
	case t.events <- ev:
	default:
	}
}

func (t *conversation) print() (out outcome) {
	heard := false
	for ev := range t.events {
		r := report{Event: string(ev.Type), At: ev.At, Reason: ev.Reason, Code: ev.Code}
		switch ev.Type {
		case softphone.Answered:
			out.answered = true
		case softphone.Audio:
			r.Level, r.Frequency = &ev.Level, &ev.Frequency
			if !heard && ev.Level > silence {
				heard = true
				close(t.sound)
			}
		case softphone.Digit:
			r.Digit = string(ev.Key)
		case softphone.Ended:
			out.reason, out.code = ev.Reason, ev.Code
			stats := t.session.Stats()
			r.Received, r.Lost = &stats.Received, &stats.Lost
		case softphone.Ringing:
		}
		t.rep.say(r)
	}
	return out
}

// hold does what is to be done during the call and returns after its end.
func (t *conversation) hold(ctx context.Context, groups []string, clip []byte) {
	s := t.session
	select {
	case <-s.Answered():
	case <-s.Done():
		return
	case <-ctx.Done():
		s.Hangup()
		<-s.Done()
		return
	}
	if clip != nil {
		s.Play(clip, t.cmd.Tone != 0, nil)
	}
	talking, cancel := context.WithCancel(ctx)
	var keys sync.WaitGroup
	keys.Go(func() { t.press(talking, groups) })
	var limit <-chan time.Time
	if t.cmd.HangupAfter > 0 {
		timer := time.NewTimer(t.cmd.HangupAfter)
		defer timer.Stop()
		limit = timer.C
	}
	select {
	case <-s.Done():
	case <-limit:
	case <-ctx.Done():
	}
	cancel()
	keys.Wait()
	s.Hangup()
	<-s.Done()
}

// press sends the digits once there is something to be heard, or when nothing is for a while.
func (t *conversation) press(ctx context.Context, groups []string) {
	if len(groups) == 0 {
		return
	}
	start := time.NewTimer(silentStart)
	defer start.Stop()
	select {
	case <-t.sound:
	case <-start.C:
	case <-ctx.Done():
		return
	}
	for i, keys := range groups {
		if i > 0 && !wait(ctx, digitPause) {
			return
		}
		if keys == "" {
			continue
		}
		if err := t.session.SendDigits(keys); err != nil {
			t.rep.say(report{Event: "error", Text: errs.Message(err)})
			return
		}
		t.rep.say(report{Event: "pressed", Digit: keys})
		if !wait(ctx, time.Duration(len(keys))*keyTime) {
			return
		}
	}
}

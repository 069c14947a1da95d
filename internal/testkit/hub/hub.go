// Package hub runs the whole hub in a test's process, with sample data and free ports, and speaks to it as a client.
package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/app"
	"github.com/tandemcc/tandem/internal/config"
	"github.com/tandemcc/tandem/internal/softphone"
)

// Options shape a Hub.
type Options struct {
	Dir   string         // data directory; empty: a new one
	Flags map[string]any // more settings
}

// Hub is a running hub.
type Hub struct {
	app.Ready
	Dir string

	t      testing.TB
	log    *syncBuffer
	cancel context.CancelFunc
	stop   func() error

	mu     sync.Mutex // guards phones
	phones []*softphone.Phone
}

// quiet hangs up what Call has started, all at once: a hub that was killed answers none of them.
func (h *Hub) quiet() {
	h.mu.Lock()
	list := h.phones
	h.phones = nil
	h.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // nothing is waited for but the answers to the last BYEs
	var done sync.WaitGroup
	for _, p := range list {
		done.Go(func() { _ = p.Stop(ctx) })
	}
	done.Wait()
}

// syncBuffer is a log that can be read while it is written.
type syncBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Write implements io.Writer.
func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// String returns what was written.
func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Start runs a hub until the test ends. Its log is shown when the test fails.
func Start(t testing.TB, o Options) *Hub {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	shareCache(t, o.Dir)
	const free = "127.0.0.1:0"
	flags := map[string]any{
		"data": o.Dir, "http": free, "sandbox": free, "sip": free, "webrtc": free, "metrics": free, "clock": "controllable",
		"log.level": "debug", "voice.drain": "1s",
	}
	maps.Copy(flags, o.Flags)
	cfg, err := config.Load("", flags)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h := &Hub{Dir: o.Dir, t: t, log: &syncBuffer{}, cancel: cancel}
	ready, done := make(chan app.Ready, 1), make(chan error, 1)
	go func() {
		done <- app.Run(ctx, cfg, app.RunOptions{Out: h.log, Version: "test", Hard: make(chan struct{}), OnReady: func(r app.Ready) { ready <- r }})
	}()
	var once sync.Once
	h.stop = func() (err error) {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	t.Cleanup(func() {
		if t.Failed() {
			h.dump()
		}
		h.quiet()
		if err := h.stop(); err != nil {
			t.Errorf("stopping the hub: %v", err)
		}
		if t.Failed() || os.Getenv("TANDEM_TEST_LOG") != "" {
			t.Logf("the hub's log:\n%s", h.log)
		}
	})
	select {
	case h.Ready = <-ready:
	case err := <-done:
		done <- err
		t.Fatalf("the hub did not start: %v\n%s", err, h.log)
	case <-time.After(3 * time.Minute):
		t.Fatalf("the hub is not ready after three minutes\n%s", h.log)
	}
	return h
}

// shareCache lets the hubs of all tests share what they compute once: compiling the synthesizer takes each a second of
// two processors.
func shareCache(t testing.TB, dir string) {
	t.Helper()
	shared := filepath.Join(os.TempDir(), "tandem-test-cache")
	if err := os.MkdirAll(shared, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(shared, filepath.Join(dir, "cache")); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
}

// Drain lets the hub begin to stop, as the first SIGTERM does; Stop waits for it.
func (h *Hub) Drain() { h.cancel() }

// Advance moves the hub's clock.
func (h *Hub) Advance(d time.Duration) {
	h.t.Helper()
	h.API().Must("POST", "/system/clock/advance", map[string]any{"seconds": int(d.Seconds())}, nil)
}

// Stop stops the hub before the test's end.
func (h *Hub) Stop() error { return h.stop() }

// Log returns the log so far.
func (h *Hub) Log() string { return h.log.String() }

// Client is one signed-in user of the API.
type Client struct {
	h    *Hub
	http *http.Client
	csrf string
	User struct {
		ID string `json:"id"`
	}
	token string
}

// API returns a client with the sample API token.
func (h *Hub) API() *Client { return &Client{h: h, http: &http.Client{}, token: h.APIToken} }

// Password returns the password of a sample login.
func (h *Hub) Password(login string) string {
	for _, u := range h.Users {
		if u.Login == login {
			return u.Password
		}
	}
	h.t.Fatalf("there is no sample user %s", login)
	return ""
}

// SignIn returns a client with a session.
func (h *Hub) SignIn(login string) *Client {
	h.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	c := &Client{h: h, http: &http.Client{Jar: jar}}
	var s struct {
		CSRF string `json:"csrf"`
		User struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	c.Must("POST", "/session", map[string]string{"login": login, "password": h.Password(login)}, &s)
	c.csrf, c.User.ID = s.CSRF, s.User.ID
	return c
}

// Do makes a request below /api/v1 and decodes the answer into out, which may be nil; it returns the status.
func (c *Client) Do(method, path string, in, out any) (int, string, error) {
	var body io.Reader
	switch v := in.(type) {
	case nil:
	case []byte:
		body = bytes.NewReader(v)
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			return 0, "", err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+c.h.HTTP+"/api/v1"+path, body)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.csrf != "" {
		req.Header.Set("X-CSRF-Token", c.csrf)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return res.StatusCode, "", err
	}
	if out != nil && res.StatusCode < 300 {
		err = json.Unmarshal(raw, out)
	}
	return res.StatusCode, string(raw), err
}

// Must is Do that fails the test unless the answer is a success.
func (c *Client) Must(method, path string, in, out any) {
	c.h.t.Helper()
	status, raw, err := c.Do(method, path, in, out)
	if err != nil || status >= 300 {
		c.h.t.Fatalf("%s %s: %d %s %v", method, path, status, raw, err)
	}
}

// Desk is the part of an agent's desk that tests look at.
type Desk struct {
	State     string
	Reason    *struct{ ID, Name string }
	NextState *struct{ State string }
	Station   struct {
		Kind, Address string
		Connected     bool
	}
	Queues []struct {
		Name    string
		Waiting int
	}
	Contact *DeskContact
}

// DeskContact is the contact at an agent's desk.
type DeskContact struct {
	ID, ANI, State, EndedBy string
	Variables               []Variable
	ScreenPop               *struct{ URL, Label string }
	Customer                struct {
		Status, Message           string
		Accounts, Contacts, Cases []struct{ ID, Title, URL string }
	}
	Held, Muted bool
	WrapUpUntil *time.Time
	Earlier     []struct{ ID string }
}

// Variable is one variable at the desk.
type Variable struct {
	Name, Label, Value string
	Editable           bool
}

// Variable returns a variable by its name; the zero value when there is none.
func (c *DeskContact) Variable(name string) Variable {
	if c != nil {
		for _, v := range c.Variables {
			if v.Name == name {
				return v
			}
		}
	}
	return Variable{}
}

// Desk returns the agent's desk.
func (c *Client) Desk() (d Desk) {
	c.h.t.Helper()
	c.Must("GET", "/desk", nil, &d)
	return d
}

// Eventually waits until ok returns true; what says what was waited for.
func (h *Hub) Eventually(what string, ok func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			h.t.Fatalf("never: %s", what)
		}
		wait := make(chan struct{})
		time.AfterFunc(15*time.Millisecond, func() { close(wait) })
		<-wait
	}
}

// Connect connects the agent's audio like a browser.
func (c *Client) Connect(o softphone.Options) *softphone.Session {
	c.h.t.Helper()
	s, err := softphone.Connect(context.Background(), func(_ context.Context, offer string) (string, error) {
		var out struct{ SDP string }
		status, raw, err := c.Do("POST", "/desk/media", map[string]string{"sdp": offer}, &out)
		if err == nil && status != 200 {
			err = fmt.Errorf("the offer was refused: %d %s", status, raw)
		}
		return out.SDP, err
	}, o)
	if err != nil {
		c.h.t.Fatal(err)
	}
	c.h.t.Cleanup(s.Hangup)
	c.h.Eventually("the agent's audio is connected", func() bool { return c.Desk().Station.Connected })
	return s
}

// Available makes the agent available.
func (c *Client) Available() {
	c.h.t.Helper()
	c.Must("POST", "/desk/state", map[string]string{"state": "available"}, nil)
}

// Call calls a number of the hub.
func (h *Hub) Call(from, to string, o softphone.Options) *softphone.Session {
	h.t.Helper()
	p, err := softphone.New(context.Background(), "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	h.phones = append(h.phones, p)
	h.mu.Unlock()
	o.From = from
	s, err := p.Call(context.Background(), "sip:"+to+"@"+h.SIP, o)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

package salesforce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The streaming API: Bayeux 1.0 over long polling, with the replay extension (Streaming API guide). A client holds no
// events: each subscription is a place in the change log, so that one that is slow neither loses anything within the
// retention nor holds anybody up.

const (
	pollTime       = 110 * time.Second
	clientTTL      = pollTime + time.Minute // without a request
	maxClients     = 1000
	maxSubscribed  = 100 // channels of one client
	maxBayeux      = 64  // messages of one request
	maxBayeuxBytes = 32_768
	deliverAtOnce  = 100 // events of one answer
	deliverBytes   = 4 << 20
	replayNew      = -1
	replayAll      = -2
	errAuthInvalid = "401::Authentication invalid"
	errAuthMissing = "401::Request requires authentication"
	longPolling    = "long-polling"
	minComet       = 37 // version of the API
)

// cometClient is one that shook hands.
type cometClient struct {
	id   string
	user string

	mu    sync.Mutex       // guards below
	subs  map[string]int64 // channel -> number of the last change that was delivered
	seen  time.Time
	chain chan struct{} // closed when another connect takes over; nil: none waits

	more chan struct{} // holds one when a subscription was added: what it replays is there already
}

// comet keeps the clients.
type comet struct {
	org  *Org
	poll time.Duration // how long a connect waits
	done chan struct{} // closed when the org ends

	mu      sync.Mutex // guards below
	clients map[string]*cometClient
	ended   bool
}

func newComet(o *Org) *comet {
	return &comet{org: o, poll: pollTime, done: make(chan struct{}), clients: map[string]*cometClient{}}
}

// end answers all who wait, and whoever comes later at once.
func (c *comet) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.ended = true
		close(c.done)
	}
}

// Drain ends all long polls, so that a server that shuts down need not wait for them. Streams of the Pub/Sub API go on
// until their server stops.
func (o *Org) Drain() { o.comet.end() }

// bayeux is a message as a client sends it.
type bayeux struct {
	Channel      string          `json:"channel"`
	ID           json.RawMessage `json:"id"`
	ClientID     string          `json:"clientId"`
	Subscription json.RawMessage `json:"subscription"`
	Connection   string          `json:"connectionType"`
	Supported    []string        `json:"supportedConnectionTypes"`
	Advice       struct {
		Timeout *float64 `json:"timeout"` // milliseconds
	} `json:"advice"`
	Ext struct {
		Replay json.RawMessage `json:"replay"` // true in a handshake, replay ids by channel in a subscription
	} `json:"ext"`
}

// replays are the replay ids by channel that a subscription brings.
func (m *bayeux) replays() (map[string]json.Number, error) {
	var out map[string]json.Number
	if raw := bytes.TrimSpace(m.Ext.Replay); !bytes.HasPrefix(raw, []byte("{")) {
		return out, nil // such as true: the client can replay
	}
	err := json.Unmarshal(m.Ext.Replay, &out)
	return out, err //nolint:wrapcheck // the caller words it
}

type reply map[string]any

func (m *bayeux) reply() reply {
	r := reply{"channel": m.Channel, "successful": true}
	if len(m.ID) > 0 {
		r["id"] = m.ID
	}
	if m.ClientID != "" {
		r["clientId"] = m.ClientID
	}
	return r
}

func (r reply) refuse(text, reconnect string) reply {
	r["successful"], r["error"] = false, text
	if reconnect != "" {
		r["advice"] = map[string]any{"reconnect": reconnect, "interval": 0}
	}
	return r
}

// cometd answers below /cometd.
func (o *Org) cometd(w http.ResponseWriter, r *http.Request, segs []string) {
	if r.Method != http.MethodPost {
		// Also what a client gets that tries a WebSocket: it goes on with long polling.
		http.Error(w, "400::Unknown Bayeux Transport", http.StatusBadRequest)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBayeuxBytes))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			http.Error(w, "413::Maximum Request Size Exceeded", http.StatusRequestEntityTooLarge)
			return
		}
		o.writeFault(w, r, fmt.Errorf("reading the messages: %w", err))
		return
	}
	messages, err := readBayeux(body)
	if err != nil {
		http.Error(w, "400::"+err.Error(), http.StatusBadRequest)
		return
	}
	if problem := cometVersion(segs); problem != "" {
		out := []reply{}
		for _, m := range messages {
			out = append(out, m.reply().refuse(problem, "none"))
		}
		writeJSON(w, http.StatusBadRequest, out)
		return
	}
	token := bearer(r)
	s := o.sessionOf(r.Context(), token, r.RemoteAddr)
	if s != nil {
		note(w, s)
	}
	denied := errAuthInvalid
	if token == "" {
		denied = errAuthMissing
	}
	o.comet.answer(w, r, s, denied, messages)
}

// cometVersion says what is wrong with the version in a path, which is written with or without a v.
func cometVersion(segs []string) string {
	form := fmt.Sprintf("URI format: '/cometd/%d.0'", maxVersion)
	if len(segs) == 0 || segs[0] == "" {
		return "400::API version in the URI is mandatory. " + form
	}
	whole, found := strings.CutSuffix(strings.TrimPrefix(strings.ToLower(segs[0]), "v"), ".0")
	n, err := strconv.Atoi(whole)
	switch {
	case err != nil || !found || n < 1:
		return "400::API version in the URI is mandatory. " + form
	case n < minComet || n > maxVersion:
		return fmt.Sprintf("400::Unsupported API version. Only API versions '%d.0' and above are supported. %s", minComet, form)
	}
	return ""
}

func readBayeux(body []byte) ([]*bayeux, error) {
	var out []*bayeux
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		out = []*bayeux{{}}
		if err := json.Unmarshal(body, out[0]); err != nil {
			return nil, err //nolint:wrapcheck // shown as it is
		}
		return out, nil
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return nil, err //nolint:wrapcheck // shown as it is
	}
	if len(out) > maxBayeux || slices.Contains(out, nil) {
		return nil, fmt.Errorf("a request takes %d messages, each an object", maxBayeux)
	}
	return out, nil
}

// answer processes all messages, in order, before a connect among them may wait. denied is what is wrong without a session.
func (c *comet) answer(w http.ResponseWriter, r *http.Request, s *session, denied string, messages []*bayeux) {
	var out []any
	var waiting *poll
	for _, m := range messages {
		answer := m.reply()
		var client *cometClient
		problem := ""
		if s != nil { // nobody else keeps a client alive
			client, problem = c.find(m.ClientID, s.user)
		}
		switch {
		case s == nil && m.Channel == "/meta/handshake":
			out = append(out, answer.denyHandshake(denied))
		case s == nil:
			out = append(out, answer.refuse(denied, "none"))
		case m.Channel == "/meta/handshake":
			out = append(out, c.handshake(m, answer, s))
		case client == nil:
			out = append(out, answer.refuse(problem, "handshake"))
		case m.Channel == "/meta/connect" && m.Connection != "" && m.Connection != longPolling:
			out = append(out, answer.refuse("400::Invalid connection type "+shorten(m.Connection), "none"))
		case m.Channel == "/meta/connect":
			waiting = &poll{client: client, token: bearer(r), wait: c.poll, answer: answer}
			if m.Advice.Timeout != nil {
				// As a number with a fraction, of any size: it is cut to what a duration holds first.
				waiting.wait = time.Duration(min(max(0, *m.Advice.Timeout), float64(c.poll.Milliseconds()))) * time.Millisecond
			}
			answer["advice"] = map[string]any{"reconnect": "retry", "interval": 0, "timeout": c.poll.Milliseconds()}
			out = append(out, answer)
		default:
			out = append(out, c.meta(r.Context(), client, m, answer))
		}
	}
	c.deliver(w, r, waiting, out)
}

// denyHandshake refuses a handshake and says why (Streaming API guide, "Handling Streaming API Errors").
func (r reply) denyHandshake(why string) reply {
	r["ext"] = map[string]any{"sfdc": map[string]string{"failureReason": why}, "replay": true, "payload.format": true}
	return r.refuse("403::Handshake denied", "none")
}

// find returns the client of an id and a user, or what is wrong. One that was silent for too long is forgotten.
func (c *comet) find(id, user string) (*cometClient, string) {
	if id == "" {
		return nil, "403::Client has not completed handshake"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	client := c.clients[id]
	now := c.org.now()
	switch {
	case client == nil:
		return nil, errUnknownClient
	case client.idle(now):
		delete(c.clients, id)
		return nil, errUnknownClient
	case client.user != user:
		return nil, "400::Authenticated user id does not match the session's user id"
	}
	client.mu.Lock()
	defer client.mu.Unlock()
	client.seen = now
	return client, ""
}

const errUnknownClient = "403::Unknown client"

// idle reports whether a client has been silent for so long that it is taken to be gone.
func (client *cometClient) idle(now time.Time) bool {
	client.mu.Lock()
	defer client.mu.Unlock()
	return client.chain == nil && now.Sub(client.seen) > clientTTL
}

func (c *comet) handshake(m *bayeux, answer reply, s *session) reply {
	if len(m.Supported) > 0 && !slices.Contains(m.Supported, longPolling) {
		return answer.refuse("400::Invalid connection type "+shorten(strings.Join(m.Supported, ", ")), "none")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.org.now()
	for id, client := range c.clients {
		if client.idle(now) {
			delete(c.clients, id)
		}
	}
	if len(c.clients) >= maxClients {
		return answer.refuse("403::Organization concurrent user limit exceeded", "none")
	}
	client := &cometClient{id: randomText(28), user: s.user, subs: map[string]int64{}, seen: now, more: make(chan struct{}, 1)}
	c.clients[client.id] = client
	answer["clientId"], answer["version"], answer["minimumVersion"] = client.id, "1.0", "1.0"
	answer["supportedConnectionTypes"] = []string{longPolling}
	answer["ext"] = map[string]bool{"replay": true, "payload.format": true}
	return answer
}

// meta carries out what is neither a handshake nor a connect.
func (c *comet) meta(ctx context.Context, client *cometClient, m *bayeux, answer reply) reply {
	switch m.Channel {
	case "/meta/subscribe", "/meta/unsubscribe":
		answer["subscription"] = m.Subscription
		var list []string
		if json.Unmarshal(m.Subscription, &list) != nil {
			var one string
			if json.Unmarshal(m.Subscription, &one) != nil || one == "" {
				return answer.refuse("400::Channel name not specified", "")
			}
			list = []string{one}
		}
		replays, err := m.replays()
		if err != nil {
			return answer.refuse(invalidReplay(shorten(string(m.Ext.Replay))), "")
		}
		for _, channel := range list {
			if m.Channel == "/meta/unsubscribe" {
				client.mu.Lock()
				delete(client.subs, channel)
				client.mu.Unlock()
				continue
			}
			if problem := c.subscribe(ctx, client, channel, replays); problem != "" {
				return answer.refuse(problem, "")
			}
		}
		return answer
	case "/meta/disconnect":
		c.mu.Lock()
		delete(c.clients, client.id)
		c.mu.Unlock()
		client.mu.Lock()
		client.takeOver(nil)
		client.mu.Unlock()
		return answer
	}
	return answer.refuse("403:denied_by_security_policy:create_denied", "")
}

// takeOver ends the connect that waits and puts another in its place.
func (client *cometClient) takeOver(next chan struct{}) {
	if client.chain != nil {
		close(client.chain)
	}
	client.chain = next
}

package salesforce

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
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
	deliverAtOnce  = 100 // events of one answer
	replayNew      = -1
	replayAll      = -2
	errAuthInvalid = "401::Authentication invalid"
)

// cometClient is one that shook hands.
type cometClient struct {
	id   string
	user string

	mu    sync.Mutex       // guards below
	subs  map[string]int64 // channel -> number of the last change that was delivered
	seen  time.Time
	chain chan struct{} // closed when another connect takes over; nil: none waits
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
	Advice       struct {
		Timeout *int `json:"timeout"`
	} `json:"advice"`
	Ext struct {
		Replay map[string]json.Number `json:"replay"`
	} `json:"ext"`
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
	if len(segs) == 0 {
		writeFault(w, notFound())
		return
	}
	if _, err := parseVersion("v" + strings.TrimPrefix(segs[0], "v")); err != nil {
		o.writeFault(w, r, err)
		return
	}
	if r.Method != http.MethodPost {
		// Also what a client gets that tries a WebSocket: it goes on with long polling.
		http.Error(w, "400::Unknown Bayeux Transport", http.StatusBadRequest)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		o.writeFault(w, r, fmt.Errorf("reading the messages: %w", err))
		return
	}
	messages, err := readBayeux(body)
	if err != nil {
		http.Error(w, "400::"+err.Error(), http.StatusBadRequest)
		return
	}
	s := o.sessions.find(bearer(r), false)
	if s != nil {
		note(w, s)
	}
	o.comet.answer(w, r, s, messages)
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

// answer processes all messages, in order, before a connect among them may wait.
func (c *comet) answer(w http.ResponseWriter, r *http.Request, s *session, messages []*bayeux) {
	var out []any
	var waiting *cometClient
	wait := time.Duration(0)
	for _, m := range messages {
		answer := m.reply()
		client := c.find(m.ClientID)
		switch {
		case s == nil:
			out = append(out, answer.refuse(errAuthInvalid, "none"))
			continue
		case m.Channel == "/meta/handshake":
			out = append(out, c.handshake(answer, s))
			continue
		case client == nil || client.user != s.user:
			out = append(out, answer.refuse("403::Unknown client", "handshake"))
			continue
		case m.Channel == "/meta/connect":
			waiting, wait = client, c.poll
			if m.Advice.Timeout != nil {
				wait = min(wait, max(0, time.Duration(*m.Advice.Timeout)*time.Millisecond))
			}
			answer["advice"] = map[string]any{"reconnect": "retry", "interval": 0, "timeout": c.poll.Milliseconds()}
		default:
			answer = c.meta(r.Context(), client, m, answer)
		}
		out = append(out, answer)
	}
	c.deliver(w, r, waiting, wait, out)
}

func (c *comet) find(id string) *cometClient {
	c.mu.Lock()
	client := c.clients[id]
	c.mu.Unlock()
	if client != nil {
		client.mu.Lock()
		client.seen = c.org.now()
		client.mu.Unlock()
	}
	return client
}

func (c *comet) handshake(answer reply, s *session) reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.org.now()
	for id, client := range c.clients {
		client.mu.Lock()
		idle := client.chain == nil && now.Sub(client.seen) > clientTTL
		client.mu.Unlock()
		if idle {
			delete(c.clients, id)
		}
	}
	if len(c.clients) >= maxClients {
		return answer.refuse("403::Organization concurrent user limit exceeded", "none")
	}
	client := &cometClient{id: randomText(28), user: s.user, subs: map[string]int64{}, seen: now}
	c.clients[client.id] = client
	answer["clientId"], answer["version"], answer["minimumVersion"] = client.id, "1.0", "1.0"
	answer["supportedConnectionTypes"] = []string{"long-polling"}
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
			if json.Unmarshal(m.Subscription, &one) != nil {
				return answer.refuse("400::subscription is missing", "")
			}
			list = []string{one}
		}
		for _, channel := range list {
			if m.Channel == "/meta/unsubscribe" {
				client.mu.Lock()
				delete(client.subs, channel)
				client.mu.Unlock()
				continue
			}
			if problem := c.subscribe(ctx, client, channel, m.Ext.Replay); problem != "" {
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

// subscribe puts a channel at its place in the log; a problem is in Bayeux' form.
func (c *comet) subscribe(ctx context.Context, client *cometClient, channel string, replay map[string]json.Number) string {
	if !c.org.isChannel(ctx, channel) {
		return "404::The channel you requested to subscribe to does not exist {" + shorten(channel) + "}"
	}
	from := int64(replayNew)
	if n, found := replay[channel]; found {
		var err error
		if from, err = strconv.ParseInt(n.String(), 10, 64); err != nil {
			return invalidReplay(n.String())
		}
	}
	at, valid, err := c.org.replayFrom(ctx, from)
	if err != nil {
		_ = c.org.fail(ctx, err) // logs it
		return "500::see the log of the sandbox org"
	}
	if !valid {
		return invalidReplay(strconv.FormatInt(from, 10))
	}
	client.mu.Lock()
	defer client.mu.Unlock()
	if len(client.subs) >= maxSubscribed {
		return fmt.Sprintf("403::a client takes %d subscriptions", maxSubscribed)
	}
	client.subs[channel] = at
	return ""
}

func invalidReplay(n string) string {
	return "400::The replayId {" + n + "} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."
}

// replayFrom turns a replay id into a place in the log; it is not valid when it never was or was dropped since.
func (o *Org) replayFrom(ctx context.Context, from int64) (at int64, valid bool, err error) {
	last, err := o.lastChange(ctx)
	if err != nil || from == replayNew {
		return last, err == nil, err
	}
	first, err := o.firstChange(ctx)
	if err != nil || from == replayAll {
		return first, err == nil, err
	}
	return from, from >= first && from <= last, nil
}

const qHasTopic = `SELECT COUNT(*) FROM "PushTopic" WHERE "Name~" = ? AND "IsActive" = 1 AND "IsDeleted" = 0`

// isChannel reports whether there is such a channel: of a PushTopic, of change events or of a platform event.
func (o *Org) isChannel(ctx context.Context, channel string) bool {
	if name, found := strings.CutPrefix(channel, "/topic/"); found {
		n, err := o.one64(ctx, qHasTopic, strings.ToLower(name))
		return err == nil && n > 0
	}
	return channel == "/data/"+allChanges || o.events.byChannel[channel] != nil
}

// logChannel is the name a channel has in the log.
func logChannel(channel string) string { return strings.TrimPrefix(channel, "/data/") }

// deliver adds the events a connect waits for and sends the answer. The places in the log move on once it is sent.
func (c *comet) deliver(w http.ResponseWriter, r *http.Request, client *cometClient, wait time.Duration, out []any) {
	var places map[string]int64
	if client != nil {
		var events []any
		var err error
		if events, places, err = c.collect(r.Context(), client, wait); err != nil {
			_ = c.org.fail(r.Context(), err) // logs it; the client tries again
		}
		out = append(out, events...)
	}
	body, err := encode(out)
	if err != nil {
		c.org.writeFault(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	if _, err := w.Write(body); err != nil || client == nil {
		return
	}
	client.mu.Lock()
	defer client.mu.Unlock()
	for channel, at := range places {
		if old, still := client.subs[channel]; still && old < at {
			client.subs[channel] = at
		}
	}
}

// collect waits for events of the client's channels.
func (c *comet) collect(ctx context.Context, client *cometClient, wait time.Duration) ([]any, map[string]int64, error) {
	mine := make(chan struct{})
	client.mu.Lock()
	client.takeOver(mine)
	client.mu.Unlock()
	defer func() {
		client.mu.Lock()
		defer client.mu.Unlock()
		if client.chain == mine {
			client.chain = nil
		}
		client.seen = c.org.now()
	}()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		bell := c.org.store.bell.wait()
		events, places, err := c.pending(ctx, client)
		if err != nil || len(events) > 0 || wait == 0 {
			return events, places, err
		}
		select {
		case <-bell:
		case <-timer.C:
			return nil, places, nil
		case <-mine:
			return nil, nil, nil
		case <-c.done:
			return nil, nil, nil
		case <-ctx.Done():
			return nil, nil, nil
		}
	}
}

// pending reads the next events of all channels, oldest first, and where that leaves each.
func (c *comet) pending(ctx context.Context, client *cometClient) ([]any, map[string]int64, error) {
	client.mu.Lock()
	subs := maps.Clone(client.subs)
	client.mu.Unlock()
	type event struct {
		channel string
		change  *change
	}
	var all []event
	for channel, at := range subs {
		list, err := c.org.changesAfter(ctx, logChannel(channel), at, deliverAtOnce)
		if err != nil {
			return nil, nil, err
		}
		for _, ch := range list {
			all = append(all, event{channel, ch})
		}
	}
	slices.SortFunc(all, func(a, b event) int { return cmp.Compare(a.change.seq, b.change.seq) })
	all = all[:min(len(all), deliverAtOnce)]
	places := map[string]int64{}
	var out []any
	for _, e := range all {
		data, err := c.org.message(e.change)
		if err != nil {
			return nil, nil, fmt.Errorf("reading event %d: %w", e.change.seq, err)
		}
		places[e.channel] = e.change.seq
		if data != nil {
			out = append(out, map[string]any{"channel": e.channel, "data": json.RawMessage(data)})
		}
	}
	return out, places, nil
}

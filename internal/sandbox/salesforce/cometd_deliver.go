package salesforce

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// subscribe puts a channel at its place in the log; a problem is in Bayeux' form.
func (c *comet) subscribe(ctx context.Context, client *cometClient, channel string, replay map[string]json.Number) string {
	problem, err := c.org.subscribable(ctx, client.user, channel)
	if err != nil {
		return c.failed(ctx, err)
	}
	if problem != "" {
		return problem
	}
	from := int64(replayNew)
	if n, found := replay[channel]; found {
		if from, err = strconv.ParseInt(n.String(), 10, 64); err != nil {
			return invalidReplay(shorten(n.String()))
		}
	}
	at, valid, err := c.org.replayFrom(ctx, from, retentionOf(channel))
	if err != nil {
		return c.failed(ctx, err)
	}
	if !valid {
		return invalidReplay(strconv.FormatInt(from, 10))
	}
	client.mu.Lock()
	defer client.mu.Unlock()
	if _, again := client.subs[channel]; !again && len(client.subs) >= maxSubscribed {
		return fmt.Sprintf("403::a client takes %d subscriptions", maxSubscribed)
	}
	client.subs[channel] = at
	select {
	case client.more <- struct{}{}:
	default: // whoever waits is told already
	}
	return ""
}

func (c *comet) failed(ctx context.Context, err error) string {
	_ = c.org.fail(ctx, err) // logs it
	return "500::see the log of the sandbox org"
}

func invalidReplay(n string) string {
	return "400::The replayId {" + n + "} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."
}

// retentionOf is how long events of a channel can be replayed.
func retentionOf(channel string) time.Duration {
	if strings.HasPrefix(channel, topicPrefix) || strings.HasPrefix(channel, pushPrefix) {
		return topicRetention
	}
	return retention
}

// replayFrom turns a replay id into a place in the log; it is not valid when it never was or is older than age.
func (o *Org) replayFrom(ctx context.Context, from int64, age time.Duration) (at int64, valid bool, err error) {
	last, err := o.lastChange(ctx)
	if err != nil || from == replayNew {
		return last, err == nil, err
	}
	first, err := o.firstChange(ctx, age)
	if err != nil || from == replayAll {
		return first, err == nil, err
	}
	return from, from >= first && from <= last, nil
}

const (
	topicPrefix = "/topic/"
	pushPrefix  = "/u/"
)

const qTopicOf = `SELECT "Query" FROM "PushTopic" WHERE "Name~" = ? AND "Name" = ? AND "IsActive" = 1 AND "IsDeleted" = 0`

// subscribable says what keeps a user from a channel, in Bayeux' form and the platform's words (Streaming API guide,
// "Streaming API Error Codes"); "": nothing.
func (o *Org) subscribable(ctx context.Context, user, channel string) (problem string, err error) {
	missing := "400::The channel you requested to subscribe to does not exist {" + shorten(channel) + "}"
	v := o.viewOf(ctx, user)
	name, isTopic := strings.CutPrefix(channel, topicPrefix)
	switch {
	case !strings.HasPrefix(channel, "/"):
		return "400::Channel subscriptions must start with a leading '/'", nil
	case isTopic:
		return o.topicProblem(ctx, v, name, missing)
	case strings.HasPrefix(channel, pushPrefix):
		return o.pushProblem(ctx, v, channel)
	}
	t := o.topic(channel)
	switch {
	case t == nil:
		return missing, nil
	case t.readableBy(v):
		return "", nil
	case strings.HasPrefix(channel, "/data/"):
		return "403::User not allowed to subscribe CDC without View All Data permissions", nil
	}
	return "403::Restricted channel", nil
}

// topicProblem says what keeps a user from the channel of a PushTopic.
func (o *Org) topicProblem(ctx context.Context, v *view, name, missing string) (string, error) {
	rows, err := o.store.QueryContext(ctx, qTopicOf, strings.ToLower(name), name)
	if err != nil {
		return "", err
	}
	found, err := scanAll(rows, 1)
	if err != nil || len(found) == 0 {
		return missing, err
	}
	query, _ := found[0][0].(string)
	t, obj, err := o.parseTopic(name, query)
	switch {
	case err != nil:
		return missing, nil //nolint:nilerr // its entity was taken away since
	case v.all:
		return "", nil
	case !v.sees(o.schema.object("PushTopic")):
		return "403::User not enabled for streaming", nil
	case !v.sees(obj):
		return "403::Subscriber does not have access to the entity in this topic", nil
	}
	for field := range t.filtered {
		if v.schema.object(obj.name).field(field) == nil {
			return "403::Subscriber does not have access to all fields referenced in the where clause of the PushTopic", nil
		}
	}
	return "", nil
}

// poll is a connect that waits for events.
type poll struct {
	client *cometClient
	token  string
	wait   time.Duration
	answer reply // to the connect
}

// deliver adds the events a connect waits for and sends the answer. The places in the log move on once it is sent.
func (c *comet) deliver(w http.ResponseWriter, r *http.Request, p *poll, out []any) {
	var places map[string]int64
	if p != nil {
		events, reached, err := c.collect(r.Context(), p)
		if err != nil {
			_ = c.org.fail(r.Context(), err) // logs it; the client tries again
		}
		if c.org.sessions.find(p.token, false) == nil { // it ended meanwhile
			p.answer.refuse(errAuthInvalid, "none")
			events, reached = nil, nil
		}
		out, places = append(out, events...), reached
	}
	body, err := encode(out)
	if err != nil {
		c.org.writeFault(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	if _, err := w.Write(body); err != nil || p == nil {
		return
	}
	p.client.reached(places)
}

// reached moves the places of channels on.
func (client *cometClient) reached(places map[string]int64) {
	client.mu.Lock()
	defer client.mu.Unlock()
	for channel, at := range places {
		if old, still := client.subs[channel]; still && old < at {
			client.subs[channel] = at
		}
	}
}

// collect waits for events of the client's channels.
func (c *comet) collect(ctx context.Context, p *poll) ([]any, map[string]int64, error) {
	client, mine := p.client, make(chan struct{})
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
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	for {
		bell := c.org.store.bell.wait()
		events, places, err := c.pending(ctx, client)
		if err != nil || len(events) > 0 {
			return events, places, err
		}
		if len(places) > 0 {
			client.reached(places) // past what the user may not see: there may be more behind it
			continue
		}
		if p.wait == 0 {
			return nil, nil, nil
		}
		select {
		case <-bell:
		case <-client.more:
		case <-timer.C:
			return nil, nil, nil
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
		list, err := c.org.changesAfter(ctx, channel, at, deliverAtOnce, deliverBytes/len(subs))
		if err != nil {
			return nil, nil, err
		}
		for _, ch := range list {
			all = append(all, event{channel, ch})
		}
	}
	slices.SortFunc(all, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.change.seq, b.change.seq), strings.Compare(a.channel, b.channel))
	})
	all = all[:min(len(all), deliverAtOnce)]
	places := map[string]int64{}
	var out []any
	v := c.org.viewOf(ctx, client.user)
	for _, e := range all {
		data, err := c.org.message(ctx, e.change, v, client.user, e.channel)
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

package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// Generic streaming: channels that carry whatever is pushed to them (Streaming API guide, "Streaming Channel Push REST API").

const (
	maxPushPayload = 3000 // characters
	maxPushEvents  = 100  // of one request
	maxPushUsers   = 200  // of one event
)

// pushed is a notification as it is logged.
type pushed struct {
	Payload string   `json:"payload"`
	UserIDs []string `json:"userIds,omitempty"` // none: all
}

// pushProblem says what keeps a user from a generic channel, in Bayeux' form; "": nothing.
func (o *Org) pushProblem(ctx context.Context, v *view, channel string) (string, error) {
	var name string
	err := o.store.read.QueryRowContext(ctx, `SELECT "Name" FROM "StreamingChannel" WHERE "Name~" = ? AND "IsDeleted" = 0`, strings.ToLower(channel)).Scan(&name)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "404::Unknown channel", nil
	case err != nil:
		return "", fmt.Errorf("reading a channel: %w", err)
	case name != channel:
		return "404::channel names may not vary only by case", nil
	case !v.sees(o.schema.object("StreamingChannel")):
		return "403::No access on channel", nil
	}
	return "", nil
}

// checkPushChannel refuses a StreamingChannel whose name clients could not subscribe to.
func checkPushChannel(r record) error {
	if name := r.text("Name"); !strings.HasPrefix(name, pushPrefix) || len(name) == len(pushPrefix) || strings.ContainsAny(name, "* ") {
		return onFields(badRequest("INVALID_FIELD", "The channel name must begin with /u/ and be a path without blanks and wildcards: %s", shorten(name)), "Name")
	}
	return nil
}

// push answers .../sobjects/StreamingChannel/{id}/push: who listens, and new notifications.
func (o *Org) push(rq *request, obj *object, id string) (*response, error) {
	rec, err := readRecord(rq.ctx, o.db(rq), obj, id)
	if err != nil {
		return nil, err
	}
	channel := rec.text("Name")
	online := o.comet.usersOf(channel)
	switch rq.method {
	case http.MethodGet:
		return ok(map[string]any{"OnlineUserIds": online, "ChannelName": channel}), nil
	case http.MethodPost:
	default:
		return nil, methodNotAllowed(rq.method)
	}
	if err := o.mayWrite(rq.ctx, rq.user.user, obj, writeCreate, nil); err != nil {
		return nil, err
	}
	var in struct {
		Events []pushed `json:"pushEvents"`
	}
	if err := json.Unmarshal(rq.body, &in); err != nil {
		return nil, jsonFault(rq.body, err)
	}
	if err := checkPushed(in.Events); err != nil {
		return nil, err
	}
	err = o.update(rq, func(tx *sql.Tx) error {
		for _, e := range in.Events {
			raw, err := json.Marshal(e)
			if err != nil {
				return fmt.Errorf("encoding a notification: %w", err)
			}
			if err := o.addChange(rq.ctx, tx, channel, kindPush, "", rq.user.user, raw); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, e := range in.Events {
		out = append(out, fanout(e, online))
	}
	return ok(out), nil
}

// checkPushed checks notifications and brings the ids of their users to 18 characters.
func checkPushed(list []pushed) error {
	if len(list) == 0 || len(list) > maxPushEvents {
		return badRequest("INVALID_INPUT", "pushEvents takes 1 to %d events: there are %d", maxPushEvents, len(list))
	}
	for i, e := range list {
		if n := utf8.RuneCountInString(e.Payload); n == 0 || n > maxPushPayload {
			return badRequest("INVALID_INPUT", "a payload has 1 to %d characters: one has %d", maxPushPayload, n)
		}
		if len(e.UserIDs) > maxPushUsers {
			return badRequest("INVALID_INPUT", "an event is for up to %d users: one is for %d", maxPushUsers, len(e.UserIDs))
		}
		for k, raw := range e.UserIDs {
			id, valid := normalID(raw)
			if !valid || id[:3] != "005" {
				return badRequest("MALFORMED_ID", "malformed user id %s", shorten(raw))
			}
			list[i].UserIDs[k] = id
		}
	}
	return nil
}

// fanout says who gets a notification: -1 is everybody, 0 nobody.
func fanout(e pushed, online []string) map[string]any {
	status, n := map[string]bool{}, 0
	for _, id := range e.UserIDs {
		if status[id] = slices.Contains(online, id); status[id] {
			n++
		}
	}
	if len(e.UserIDs) == 0 && len(online) > 0 {
		n = -1
	}
	return map[string]any{"fanoutCount": n, "userOnlineStatus": status}
}

// usersOf are the ids of the users who subscribe to a channel.
func (c *comet) usersOf(channel string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out, now := []string{}, c.org.now()
	for _, client := range c.clients {
		if client.idle(now) {
			continue
		}
		client.mu.Lock()
		_, subscribes := client.subs[channel]
		client.mu.Unlock()
		if subscribes && !slices.Contains(out, client.user) {
			out = append(out, client.user)
		}
	}
	slices.Sort(out)
	return out
}

// pushMessage writes a notification as the streaming API delivers it, nil where it is not for the user.
func pushMessage(c *change, user string) ([]byte, error) {
	var in pushed
	if err := json.Unmarshal(c.data, &in); err != nil {
		return nil, err //nolint:wrapcheck // the log is ours: the caller reports it as such
	}
	if len(in.UserIDs) > 0 && !slices.Contains(in.UserIDs, user) {
		return nil, nil
	}
	return json.Marshal(map[string]any{ //nolint:wrapcheck // as above
		"event":   map[string]any{"createdDate": c.at.UTC().Format(eventTime), "replayId": c.seq},
		"payload": in.Payload,
	})
}

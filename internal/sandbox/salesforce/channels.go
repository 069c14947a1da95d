package salesforce

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Custom channels carry the events of several entities (Tooling API, PlatformEventChannel and PlatformEventChannelMember),
// see refine.go for what filters and enriched fields make of them.

const qChannelTable = `
CREATE TABLE IF NOT EXISTS event_channel (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, data TEXT NOT NULL) STRICT, WITHOUT ROWID;`

const (
	channelEntity  = "PlatformEventChannel"
	memberEntity   = "PlatformEventChannelMember"
	channelPrefix  = "0YL"
	memberPrefix   = "0v8"
	maxChannels    = 100
	maxMembers     = 50 // of one channel
	channelSuffix  = "__chn"
	dataChannel    = "data"
	eventChannel   = "event"
	channelVersion = 47
)

// channel is a custom channel. One that is published is never changed.
type channel struct {
	ID      string          `json:"-"`
	Name    string          `json:"-"` // Name__chn
	Type    string          `json:"type"`
	Label   string          `json:"label"`
	Members []channelMember `json:"members"`
}

type channelMember struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Entity string `json:"entity"` // AccountChangeEvent, Call_Notice__e
	refinement

	obj *object
}

func (c *channel) topic() string { return "/" + c.Type + "/" + c.Name }

func (c *channel) readableBy(v *view) bool {
	return !slices.ContainsFunc(c.Members, func(m channelMember) bool { return !v.sees(m.obj) })
}

// logs are the names of the members' channels in the log.
func (c *channel) logs() []string {
	out := []string{}
	for _, m := range c.Members {
		if c.Type == eventChannel {
			out = append(out, "/event/"+m.Entity)
		} else {
			out = append(out, m.Entity)
		}
	}
	return out
}

// channels keeps the custom channels by the topic clients subscribe to.
type channels struct {
	changing sync.Mutex // held over a whole change

	mu  sync.RWMutex // guards all
	all map[string]*channel
}

func (c *channels) byTopic(name string) *channel {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.all[name]
}

// find returns the channel that a test picks, nil: none.
func (c *channels) find(test func(*channel) bool) *channel {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, ch := range c.all {
		if test(ch) {
			return ch
		}
	}
	return nil
}

func (c *channels) set(was, is *channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if was != nil {
		delete(c.all, was.topic())
	}
	if is != nil {
		c.all[is.topic()] = is
	}
}

// loadChannels reads the channels. A member whose entity was taken away since is left out.
func (o *Org) loadChannels(ctx context.Context) error {
	o.channels.all = map[string]*channel{}
	rows, err := o.store.read.QueryContext(ctx, `SELECT id, name, data FROM event_channel`)
	if err != nil {
		return fmt.Errorf("reading the channels: %w", err)
	}
	raw, err := scanAll(rows, 3)
	if err != nil {
		return fmt.Errorf("reading the channels: %w", err)
	}
	for _, row := range raw {
		c := &channel{}
		c.ID, _ = row[0].(string)
		c.Name, _ = row[1].(string)
		text, _ := row[2].(string)
		if err := json.Unmarshal([]byte(text), c); err != nil {
			return fmt.Errorf("reading the channel %s: %w", c.Name, err)
		}
		for i := range c.Members {
			m := &c.Members[i]
			if m.obj = o.memberOf(c.Type, m.Entity); m.obj != nil && m.prepare(m.obj) != nil {
				m.obj = nil // a field it names was taken away
			}
		}
		c.Members = slices.DeleteFunc(c.Members, func(m channelMember) bool { return m.obj == nil })
		o.channels.all[c.topic()] = c
	}
	return nil
}

// memberOf is the entity whose events are called name, nil: there is none that a channel of the type takes.
func (o *Org) memberOf(kind, name string) *object {
	if s := o.events.byChannel["/"+kind+"/"+name]; s != nil {
		return s.obj
	}
	return nil
}

type newChannel struct {
	FullName string `json:"FullName"`
	Metadata struct {
		Type     string `json:"channelType"`
		Label    string `json:"label"`
		Channel  string `json:"eventChannel"`
		Entity   string `json:"selectedEntity"`
		Filter   string `json:"filterExpression"`
		Enriched []struct {
			Name string `json:"name"`
		} `json:"enrichedFields"`
	} `json:"Metadata"`
}

// eventChannels answers below /tooling/sobjects/PlatformEventChannel and .../PlatformEventChannelMember; rest is the path
// after it.
func (o *Org) eventChannels(rq *request, entity string, rest []string) (*response, error) {
	if rq.version < channelVersion || len(rest) > 1 {
		return nil, notFound()
	}
	var in newChannel
	if rq.method == http.MethodPost || rq.method == http.MethodPatch {
		if err := json.Unmarshal(rq.body, &in); err != nil {
			return nil, jsonFault(rq.body, err)
		}
		if err := o.mayCustomize(rq); err != nil {
			return nil, err
		}
	}
	o.channels.changing.Lock()
	defer o.channels.changing.Unlock()
	member := strings.EqualFold(entity, memberEntity)
	switch {
	case len(rest) == 0 && rq.method != http.MethodPost || len(rest) == 1 && rq.method == http.MethodPost:
		return nil, methodNotAllowed(rq.method)
	case len(rest) == 0 && member:
		return o.addMember(rq, &in)
	case len(rest) == 0:
		return o.addChannel(rq, &in)
	}
	id, _ := normalID(rest[0]) // of no form: of no channel
	if member {
		return o.oneMember(rq, id)
	}
	return o.oneChannel(rq, id, &in)
}

// mayCustomize refuses who is restricted: there is no Customize Application permission to grant here.
func (o *Org) mayCustomize(rq *request) error {
	if o.viewOf(rq.ctx, rq.user.user).all {
		return nil
	}
	return fault(http.StatusForbidden, "INSUFFICIENT_ACCESS", "insufficient access rights on object id: the Customize Application permission is needed")
}

var channelName = regexp.MustCompile(`^[A-Za-z](?:_?[A-Za-z0-9]){0,39}__chn$`) //nolint:gochecknoglobals // compiled once

func (o *Org) addChannel(rq *request, in *newChannel) (*response, error) {
	c := &channel{Name: in.FullName, Type: in.Metadata.Type, Label: in.Metadata.Label}
	same := o.channels.find(func(other *channel) bool { return strings.EqualFold(other.Name, c.Name) })
	switch {
	case !channelName.MatchString(c.Name):
		return nil, badRequest("INVALID_FULL_NAME", "FullName is a name of letters, digits and single underscores that ends in %s: it is %s", channelSuffix, shorten(c.Name))
	case c.Type != dataChannel && c.Type != eventChannel:
		return nil, badRequest("INVALID_INPUT", "channelType is %s or %s: it is %s", dataChannel, eventChannel, shorten(c.Type))
	case c.Label == "":
		return nil, onFields(badRequest("REQUIRED_FIELD_MISSING", "Required fields are missing: [label]"), "label")
	case same != nil:
		return nil, badRequest("DUPLICATE_DEVELOPER_NAME", "the name %s is taken", c.Name)
	case len(o.channels.all) >= maxChannels:
		return nil, badRequest("LIMIT_EXCEEDED", "there are %d custom channels: delete one first", maxChannels)
	}
	err := o.store.update(rq.ctx, func(tx *sql.Tx) error {
		var err error
		if c.ID, _, err = nextID(rq.ctx, tx, channelPrefix); err != nil {
			return err
		}
		return saveChannel(rq.ctx, tx, c)
	})
	if err != nil {
		return nil, err
	}
	o.channels.set(nil, c)
	return toolingCreated(c.ID), nil
}

func saveChannel(ctx context.Context, tx *sql.Tx, c *channel) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encoding a channel: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO event_channel (id, name, data) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data`, c.ID, c.Name, string(raw))
	if err != nil {
		return fmt.Errorf("storing a channel: %w", err)
	}
	return nil
}

// toolingCreated is the answer of the Tooling API to a record that was made.
func toolingCreated(id string) *response {
	return &response{status: http.StatusCreated, body: map[string]any{"id": id, "success": true, "errors": []any{}, "warnings": []any{}, "infos": []any{}}}
}

func (o *Org) addMember(rq *request, in *newChannel) (*response, error) {
	m := channelMember{Name: in.FullName, Entity: in.Metadata.Entity}
	c := o.channels.find(func(c *channel) bool { return strings.EqualFold(c.Name, in.Metadata.Channel) })
	switch {
	case !developerName.MatchString(m.Name):
		return nil, badRequest("INVALID_FULL_NAME", "FullName is made of letters, digits and single underscores, at most 80: it is %s", shorten(m.Name))
	case c == nil:
		return nil, badRequest("INVALID_INPUT", "eventChannel is no custom channel of this org: %s", shorten(in.Metadata.Channel))
	case len(c.Members) >= maxMembers:
		return nil, badRequest("LIMIT_EXCEEDED", "the channel %s has %d members: delete one first", c.Name, maxMembers)
	}
	if m.obj = o.memberOf(c.Type, m.Entity); m.obj == nil {
		return nil, badRequest("INVALID_INPUT", "selectedEntity has no events for a channel of type %s: %s", c.Type, shorten(m.Entity))
	}
	m.Filter = in.Metadata.Filter
	for _, f := range in.Metadata.Enriched {
		m.Enriched = append(m.Enriched, f.Name)
	}
	if err := m.prepare(m.obj); err != nil {
		return nil, err
	}
	taken := o.channels.find(func(other *channel) bool {
		return slices.ContainsFunc(other.Members, func(have channelMember) bool {
			return strings.EqualFold(have.Name, m.Name) || other == c && have.Entity == m.Entity
		})
	})
	if taken != nil {
		return nil, badRequest("DUPLICATE_DEVELOPER_NAME", "the channel %s has a member of this name or entity", taken.Name)
	}
	err := o.store.update(rq.ctx, func(tx *sql.Tx) error {
		var err error
		if m.ID, _, err = nextID(rq.ctx, tx, memberPrefix); err != nil {
			return err
		}
		return saveChannel(rq.ctx, tx, c.with(m))
	})
	if err != nil {
		return nil, err
	}
	o.channels.set(c, c.with(m))
	return toolingCreated(m.ID), nil
}

// with copies a channel with another member.
func (c *channel) with(m channelMember) *channel {
	out := *c
	out.Members = append(slices.Clone(c.Members), m)
	return &out
}

func (o *Org) oneChannel(rq *request, id string, in *newChannel) (*response, error) {
	c := o.channels.find(func(c *channel) bool { return c.ID == id })
	if c == nil {
		return nil, notFound()
	}
	switch rq.method {
	case http.MethodGet:
		return ok(map[string]any{
			"attributes": map[string]string{"type": channelEntity, "url": rq.base() + "/tooling/sobjects/" + channelEntity + "/" + c.ID},
			"Id":         c.ID, "DeveloperName": strings.TrimSuffix(c.Name, channelSuffix), "FullName": c.Name, "MasterLabel": c.Label, "ChannelType": c.Type,
			"Metadata": map[string]any{"channelType": c.Type, "label": c.Label},
		}), nil
	case http.MethodPatch:
		if in.Metadata.Type != "" && in.Metadata.Type != c.Type {
			return nil, badRequest("INVALID_INPUT", "channelType cannot be changed: make another channel")
		}
		next := *c
		next.Label = orElse(in.Metadata.Label, c.Label)
		if err := o.store.update(rq.ctx, func(tx *sql.Tx) error { return saveChannel(rq.ctx, tx, &next) }); err != nil {
			return nil, err
		}
		o.channels.set(c, &next)
		return noContent(), nil
	case http.MethodDelete:
		if err := o.mayCustomize(rq); err != nil {
			return nil, err
		}
		err := o.store.update(rq.ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(rq.ctx, `DELETE FROM event_channel WHERE id = ?`, c.ID)
			return err //nolint:wrapcheck // the store says what failed
		})
		if err != nil {
			return nil, err
		}
		o.channels.set(c, nil)
		return noContent(), nil
	}
	return nil, methodNotAllowed(rq.method)
}

func (o *Org) oneMember(rq *request, id string) (*response, error) {
	at := -1
	c := o.channels.find(func(c *channel) bool {
		at = slices.IndexFunc(c.Members, func(m channelMember) bool { return m.ID == id })
		return at >= 0
	})
	if c == nil {
		return nil, notFound()
	}
	m := c.Members[at]
	switch rq.method {
	case http.MethodGet:
		return ok(map[string]any{
			"attributes": map[string]string{"type": memberEntity, "url": rq.base() + "/tooling/sobjects/" + memberEntity + "/" + m.ID},
			"Id":         m.ID, "DeveloperName": m.Name, "FullName": m.Name, "EventChannel": c.Name, "SelectedEntity": m.Entity,
			"Metadata": map[string]any{"eventChannel": c.Name, "selectedEntity": m.Entity, "enrichedFields": m.enrichedNames(), "filterExpression": m.Filter},
		}), nil
	case http.MethodDelete:
		if err := o.mayCustomize(rq); err != nil {
			return nil, err
		}
		next := *c
		next.Members = slices.Delete(slices.Clone(c.Members), at, at+1)
		if err := o.store.update(rq.ctx, func(tx *sql.Tx) error { return saveChannel(rq.ctx, tx, &next) }); err != nil {
			return nil, err
		}
		o.channels.set(c, &next)
		return noContent(), nil
	}
	return nil, methodNotAllowed(rq.method)
}

package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// streamTopic is a channel of change events or platform events, as both kinds of streams know them.
type streamTopic struct {
	name    string
	schema  *eventSchema // of the one entity of the channel; nil: there are several
	channel *channel     // a custom channel; nil: none
}

// topic finds a channel of change events or platform events, nil: there is none of the name.
func (o *Org) topic(name string) *streamTopic {
	if s := o.events.byChannel[name]; s != nil {
		return &streamTopic{name: name, schema: s}
	}
	if name == "/data/"+allChanges {
		return &streamTopic{name: name}
	}
	if c := o.channels.byTopic(name); c != nil {
		return &streamTopic{name: name, channel: c}
	}
	return nil
}

// sees reports whether a user may read the events of an entity.
func (v *view) sees(obj *object) bool { return v.all || v.schema.object(obj.name) != nil }

// trim takes out of a change what the user may not see of an entity that can be seen (Change Data Capture guide, "Field-Level
// Security": an event has no more than its subscriber may read).
func (v *view) trim(obj *object, r record) record {
	if v.all {
		return r
	}
	seen := v.schema.object(obj.name)
	for name := range r {
		if seen.field(name) == nil {
			delete(r, name)
		}
	}
	return r
}

// readableBy reports whether a user may subscribe. The channel of all entities takes a user from whom nothing is kept.
func (t *streamTopic) readableBy(v *view) bool {
	if t.schema == nil {
		return v.all || t.channel != nil && t.channel.readableBy(v)
	}
	return v.sees(t.schema.obj)
}

func (t *streamTopic) publishableBy(v *view) bool {
	return t.schema != nil && !t.schema.change && (v.all || v.objects[t.schema.obj.name].Create)
}

const qSchemaTable = `
CREATE TABLE IF NOT EXISTS event_schema (id TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;`

// openLog takes the numbers of commits up where the last run ended, and keeps the schemas of events for clients that know
// them by id when the entities have changed.
func (o *Org) openLog(ctx context.Context) error {
	var err error
	if o.store.commits, err = o.lastChange(ctx); err != nil {
		return err
	}
	rows, err := o.store.read.QueryContext(ctx, `SELECT id FROM event_schema`)
	if err != nil {
		return fmt.Errorf("reading the schemas of events: %w", err)
	}
	kept, err := scanAll(rows, 1)
	if err != nil {
		return fmt.Errorf("reading the schemas of events: %w", err)
	}
	have := map[any]bool{}
	for _, row := range kept {
		have[row[0]] = true
	}
	var fresh []*eventSchema
	for _, s := range o.events.byID {
		if !have[s.id] {
			fresh = append(fresh, s)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return o.store.update(ctx, func(tx *sql.Tx) error {
		for _, s := range fresh {
			if err := o.store.exec(ctx, tx, `INSERT INTO event_schema (id, text) VALUES (?, ?)`, s.id, s.text); err != nil {
				return fmt.Errorf("keeping the schema of an event: %w", err)
			}
		}
		return nil
	})
}

// schemaText returns a schema by its id, "": there never was one.
func (o *Org) schemaText(ctx context.Context, id string) (text string, err error) {
	if s := o.events.byID[id]; s != nil {
		return s.text, nil
	}
	err = o.store.read.QueryRowContext(ctx, `SELECT text FROM event_schema WHERE id = ?`, id).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the schema of an event: %w", err)
	}
	return text, nil
}

// visible returns the schema of a logged change and its values as a user sees them on a topic; a nil schema: nothing.
func (o *Org) visible(ctx context.Context, c *change, v *view, topic string) (*eventSchema, record, error) {
	s := o.schemaFor(c)
	if s == nil || !v.sees(s.obj) {
		return nil, nil, nil
	}
	r, err := c.fields(s.obj)
	if err != nil {
		return nil, nil, err
	}
	if m := o.channels.byTopic(topic).member(s.obj); m != nil {
		passes, err := o.refine(ctx, m, c, r)
		if err != nil || !passes {
			return nil, nil, err
		}
		v.trim(s.obj, c.extra)
	}
	return s, v.trim(s.obj, r), nil
}

// logChannel is the name a channel has in the log.
func logChannel(topic string) string { return strings.TrimPrefix(topic, "/data/") }

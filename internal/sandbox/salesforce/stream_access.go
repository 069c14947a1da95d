package salesforce

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// mayFollow reports whether a user may subscribe to a channel that is there: it takes reading the entity.
func (o *Org) mayFollow(ctx context.Context, user, channel string) bool {
	v := o.viewOf(ctx, user)
	if v.all || channel == "/data/"+allChanges {
		return true
	}
	if name, isTopic := strings.CutPrefix(channel, "/topic/"); isTopic {
		obj, err := o.entityOfTopic(ctx, name)
		return err == nil && obj != nil && v.schema.object(obj.name) != nil
	}
	s := o.events.byChannel[channel]
	return s != nil && v.schema.object(s.obj.name) != nil
}

const qTopicQuery = `SELECT "Query" FROM "PushTopic" WHERE "Name~" = ? AND "IsActive" = 1 AND "IsDeleted" = 0`

// entityOfTopic is the entity a PushTopic tells of, nil when there is no such topic.
func (o *Org) entityOfTopic(ctx context.Context, name string) (*object, error) {
	rows, err := o.store.QueryContext(ctx, qTopicQuery, strings.ToLower(name))
	if err != nil {
		return nil, err
	}
	raw, err := scanAll(rows, 1)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	_, obj, err := o.parseTopic(name, text(raw[0][0]))
	return obj, err
}

// seenBy is an event as a user may see it: without the fields that are hidden from it. Nil: nothing of it.
func (o *Org) seenBy(ctx context.Context, user string, c *change) (*change, error) {
	v := o.viewOf(ctx, user)
	if v.all {
		return c, nil
	}
	if c.kind == kindTopic {
		return seenTopic(v, o.schema.objectOf(c.id), c)
	}
	s := o.schemaFor(c)
	if s == nil || v.schema.object(s.obj.name) == nil {
		return nil, nil
	}
	data, err := keepFields(c.data, v.schema.object(s.obj.name))
	if err != nil {
		return nil, err
	}
	out := *c
	out.data = data
	return &out, nil
}

// seenTopic is seenBy for an event of a PushTopic.
func seenTopic(v *view, obj *object, c *change) (*change, error) {
	if obj == nil || v.schema.object(obj.name) == nil {
		return nil, nil
	}
	var in map[string]json.RawMessage
	if err := json.Unmarshal(c.data, &in); err != nil {
		return nil, fmt.Errorf("reading an event: %w", err)
	}
	kept, err := keepFields(in["sobject"], v.schema.object(obj.name))
	if err != nil {
		return nil, err
	}
	in["sobject"] = kept
	data, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("encoding an event: %w", err)
	}
	out := *c
	out.data = data
	return &out, nil
}

// keepFields takes out of a JSON object what an entity has no field for.
func keepFields(data []byte, obj *object) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("reading an event: %w", err)
	}
	for name := range fields {
		if obj.field(name) == nil {
			delete(fields, name)
		}
	}
	out, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("encoding an event: %w", err)
	}
	return out, nil
}

// usesAPI reports whether a user may use the API at all.
func (o *Org) usesAPI(ctx context.Context, user string) bool {
	return o.viewOf(ctx, user).may(mayUseAPI)
}

func apiDisabled() *apiError {
	return fault(403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.")
}

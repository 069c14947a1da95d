package salesforce

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/soql"
)

// refinement is what a member of a custom channel makes of the events of its entity: only those that meet a condition, and
// with more fields than those that changed (Change Data Capture guide, "Change Event Filters" and "Enrich Change Events with
// Extra Fields"; Platform Events guide, "Filter Your Stream").
type refinement struct {
	Filter   string   `json:"filter,omitempty"`
	Enriched []string `json:"enriched,omitempty"`

	query  *soql.Query // of the filter; nil: none
	src    string
	fields []*field // those of the filter, which are added too, and the enriched ones
}

const (
	maxEnriched = 10
	maxFilter   = 4000 // characters
)

// prepare checks what was asked for and makes it ready.
func (f *refinement) prepare(obj *object) error {
	f.query, f.fields = nil, nil
	if len(f.Enriched) > 0 && obj.event {
		return badRequest("INVALID_INPUT", "platform events have all their fields: leave enrichedFields out")
	}
	if len(f.Enriched) > maxEnriched || len(f.Filter) > maxFilter {
		return badRequest("INVALID_INPUT", "a member has up to %d enriched fields and a filter of up to %d characters", maxEnriched, maxFilter)
	}
	for _, name := range f.Enriched {
		at := slices.IndexFunc(eventFields(obj), func(e eventField) bool { return strings.EqualFold(e.name, name) })
		if at < 0 {
			return badRequest("INVALID_FIELD", "the events of %s have no field %s", obj.name, shorten(name))
		}
		e := eventFields(obj)[at]
		if e.f != nil && e.f.longText {
			return badRequest("INVALID_FIELD", "the field %s is a long text, which cannot be added", e.name)
		}
		if e.f != nil {
			f.fields = append(f.fields, e.f)
		}
		for _, part := range e.sub {
			f.fields = append(f.fields, part.f)
		}
	}
	if f.Filter == "" {
		return nil
	}
	return f.prepareFilter(obj)
}

func (f *refinement) prepareFilter(obj *object) error {
	f.src = "SELECT Id FROM " + obj.name + " WHERE " + f.Filter
	q, err := soql.Parse(f.src)
	if err != nil {
		return badRequest("INVALID_INPUT", "the filter expression: %s", err)
	}
	if len(q.From) != 1 || !strings.EqualFold(q.From[0].Name, obj.name) {
		return badRequest("INVALID_INPUT", "the filter expression is no condition")
	}
	if problem := unsupported(obj, q); problem != "" {
		return badRequest("INVALID_INPUT", "the filter expression: %s", problem)
	}
	if _, err := f.compiled(obj, q); err != nil {
		return err
	}
	f.query = q
	fieldsOf(q.Where, func(name string) {
		if field := obj.field(name); field != nil {
			f.fields = append(f.fields, field)
		}
	})
	return nil
}

// compiled is the filter's query. Platform events cannot be queried: theirs is of an entity of the same fields that can.
func (f *refinement) compiled(obj *object, q *soql.Query) (*plan, error) {
	queried := *obj
	queried.event = false
	only := &schema{byName: map[string]*object{}, byPrefix: map[string]*object{}}
	only.add(&queried)
	c := &compiler{schema: only, src: f.src, zone: "UTC", all: true}
	return c.compile(q)
}

// enrichedNames are the enriched fields as the Tooling API shows them.
func (f *refinement) enrichedNames() []map[string]string {
	out := []map[string]string{}
	for _, name := range f.Enriched {
		out = append(out, map[string]string{"name": name})
	}
	return out
}

// member is the member of a channel for an entity, nil: none.
func (c *channel) member(obj *object) *channelMember {
	if c == nil {
		return nil
	}
	for i := range c.Members {
		if c.Members[i].obj == obj {
			return &c.Members[i]
		}
	}
	return nil
}

// refines reports whether a channel filters or enriches what is logged under a name.
func (c *channels) refines(log string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, ch := range c.all {
		for _, m := range ch.Members {
			if len(m.fields) > 0 && m.Entity == log {
				return true
			}
		}
	}
	return false
}

// with adds the unchanged values of a change to those that changed.
func (c *change) with(r record) record {
	if len(c.extra) == 0 {
		return r
	}
	out := maps.Clone(c.extra)
	maps.Copy(out, r)
	return out
}

// refine reports whether a change meets a member's filter, and adds the member's fields to it. As on the platform they are
// looked up when the event is delivered: one that is replayed has the values of today.
func (o *Org) refine(ctx context.Context, m *channelMember, c *change, r record) (bool, error) {
	if len(m.fields) == 0 {
		return true, nil
	}
	values := r
	if c.kind != kindEvent {
		now, err := o.enrich(ctx, m, c, r)
		if err != nil {
			return false, err
		}
		values = maps.Clone(now)
		maps.Copy(values, r)
	}
	if m.query == nil {
		return true, nil
	}
	return o.meets(ctx, m, values)
}

// enrich adds the fields of a member to a change of a record that was there before, and returns the record as it is.
func (o *Org) enrich(ctx context.Context, m *channelMember, c *change, r record) (record, error) {
	id, _, _ := strings.Cut(c.id, ",")
	now, err := readAny(ctx, o.store, m.obj, id)
	if e, is := errors.AsType[*apiError](err); is && e.Status == http.StatusNotFound {
		return record{}, nil // it was removed for good, or the event names none
	}
	if err != nil || c.kind != kindUpdate && c.kind != kindDelete {
		return now, err
	}
	c.extra = record{}
	for _, f := range m.fields {
		if _, changed := r[f.name]; !changed && now[f.name] != nil {
			c.extra[f.name] = now[f.name]
		}
	}
	return now, nil
}

// meets reports whether values meet a filter: the filter's query is asked of a table that has nothing but them.
func (o *Org) meets(ctx context.Context, m *channelMember, values record) (bool, error) {
	p, err := m.compiled(m.obj, m.query)
	if err != nil {
		return false, err
	}
	for name, v := range values {
		if _, isDiff := v.(textDiff); isDiff {
			values[name] = nil // of a long text, by which nothing can be filtered
		}
	}
	columns := storedColumns(m.obj)
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	query := "WITH " + m.obj.table() + " (" + strings.Join(names, ", ") + ") AS (SELECT " + strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", ") + ") " + p.sql
	args := append(insertArgs(m.obj, values), p.values(environment{now: o.now(), zone: time.UTC}, "")...)
	rows, err := o.store.QueryContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	found, err := scanAll(rows, p.columns)
	if err != nil {
		return false, fmt.Errorf("filtering an event: %w", err)
	}
	return len(found) > 0, nil
}

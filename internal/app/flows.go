package app

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/library"
	"github.com/tandemcc/tandem/internal/registry"
	"github.com/tandemcc/tandem/internal/voice"
)

// flows finds what answers a call. It is safe for concurrent use.
type flows struct {
	library *library.Service
	points  *registry.Collection[registry.EntryPoint]
	conns   *registry.Collection[registry.Connector]
	numbers numbers
	crm     caller.Principal

	mu      sync.Mutex // guards cached and at
	cached  []registry.Object[registry.EntryPoint]
	vars    map[string]any
	checked time.Time
}

// load reads entry points and the installation's values, at most once a second.
func (f *flows) load(ctx context.Context, tenant string) ([]registry.Object[registry.EntryPoint], map[string]any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.checked) < recheck {
		return f.cached, f.vars, nil
	}
	list, err := f.points.List(ctx, tenant)
	if err != nil {
		return nil, nil, err
	}
	conns, err := f.conns.List(caller.As(ctx, f.crm), tenant)
	if err != nil {
		return nil, nil, err
	}
	vars := map[string]any{}
	for _, c := range conns {
		if c.Spec.Type == "salesforce" {
			vars["instanceUrl"] = c.Spec.BaseURL
			break
		}
	}
	f.cached, f.vars, f.checked = list, vars, time.Now()
	return list, vars, nil
}

// Entry implements voice.Flows.
func (f *flows) Entry(ctx context.Context, tenant, number string) (voice.Entry, error) {
	points, vars, err := f.load(ctx, tenant)
	if err != nil {
		return voice.Entry{}, err
	}
	e164 := f.numbers.E164(number)
	for _, p := range points {
		if p.Spec.Number == number || (e164 != number && f.numbers.E164(p.Spec.Number) == e164) {
			e, err := f.entry(ctx, tenant, p.Spec.FlowID, vars)
			e.ID, e.Name = p.ID, p.Name
			return e, err
		}
	}
	return voice.Entry{}, errs.New(errs.NotFound, "no entry point has the number that was called")
}

func (f *flows) entry(ctx context.Context, tenant, flowID string, vars map[string]any) (voice.Entry, error) {
	c, err := f.library.Published(ctx, tenant, flowID)
	if err != nil {
		return voice.Entry{}, err
	}
	return entryOf(c, vars, c.Pins), nil
}

func entryOf(c *library.Compiled, vars map[string]any, pins library.Pins) voice.Entry {
	return voice.Entry{FlowID: c.FlowID, FlowName: c.Name, FlowVersion: c.Version, Program: c.Program, Pins: pins, Vars: vars}
}

// Program implements voice.Flows.
func (f *flows) Program(ctx context.Context, tenant, flowID string, version int, pins map[string]int) (*flow.Program, error) {
	c, err := f.library.Pinned(ctx, tenant, flowID, version, pins)
	if err != nil {
		return nil, err
	}
	return c.Program, nil
}

// Find implements voice.Flows.
func (f *flows) Find(ctx context.Context, tenant string, r flow.Destination, pins map[string]int) (voice.Entry, error) {
	_, vars, err := f.load(ctx, tenant)
	if err != nil {
		return voice.Entry{}, err
	}
	for _, name := range []string{r.ID, r.Name} {
		if name == "" {
			continue
		}
		id, err := f.library.FindID(ctx, tenant, name)
		if errs.Is(err, errs.NotFound) {
			continue
		}
		if err != nil {
			return voice.Entry{}, err
		}
		return f.next(ctx, tenant, id, vars, pins)
	}
	return voice.Entry{}, errs.New(errs.NotFound, "there is no flow %q", firstText(r.Name, r.ID))
}

// next returns the flow that a call goes on with: as it was when the call began, or, when nothing led to it then, as published.
func (f *flows) next(ctx context.Context, tenant, id string, vars map[string]any, pins library.Pins) (voice.Entry, error) {
	if version, known := pins[id]; known {
		c, err := f.library.Pinned(ctx, tenant, id, version, pins)
		if err != nil {
			return voice.Entry{}, err
		}
		return entryOf(c, vars, pins), nil
	}
	c, err := f.library.Published(ctx, tenant, id)
	if err != nil {
		return voice.Entry{}, err
	}
	all := library.Pins{}
	maps.Copy(all, pins)
	maps.Copy(all, c.Pins)
	return entryOf(c, vars, all), nil
}

// targets binds what an imported flow names to objects of the same name.
type targets struct {
	queues *registry.Collection[registry.Queue]
	conns  *registry.Collection[registry.Connector]
	hours  *registry.Collection[registry.Hours]
	funcs  *registry.Collection[registry.Function]
	as     caller.Principal
}

// builtIn are the audio files every installation has.
var builtIn = []string{"defaultmusic_on_hold.wav", "default_music.wav"}

// Named implements library.Targets.
func (t targets) Named(ctx context.Context, tenant string, kind flow.RefKind, name string) string {
	ctx = caller.As(ctx, t.as)
	switch kind { //nolint:exhaustive // other kinds have no objects here
	case flow.RefQueue:
		if o, err := t.queues.Named(ctx, tenant, name); err == nil {
			return o.ID
		}
	case flow.RefConnector:
		if o, err := t.conns.Named(ctx, tenant, name); err == nil {
			return o.ID
		}
	case flow.RefHours:
		if o, err := t.hours.Named(ctx, tenant, name); err == nil {
			return o.ID
		}
	case flow.RefFunction:
		if list, err := t.funcs.List(ctx, tenant); err == nil {
			f, _ := bestFunction(list, name)
			return f.ID
		}
	case flow.RefPrompt:
		for _, file := range builtIn {
			if strings.EqualFold(name, file) {
				return file
			}
		}
	}
	return ""
}

// Check implements library.Targets.
func (t targets) Check(ctx context.Context, tenant string, kind flow.RefKind, id string) error {
	ctx = caller.As(ctx, t.as)
	var err error
	switch kind { //nolint:exhaustive // other kinds have no objects here
	case flow.RefQueue:
		_, err = t.queues.Get(ctx, tenant, id)
	case flow.RefConnector:
		_, err = t.conns.Get(ctx, tenant, id)
	case flow.RefHours:
		_, err = t.hours.Get(ctx, tenant, id)
	case flow.RefFunction:
		_, err = t.funcs.Get(ctx, tenant, id)
	}
	if errs.Is(err, errs.NotFound) {
		return errs.Wrap(errs.Invalid, err, "there is no %s %.100q here to bind to", kind, id)
	}
	return err
}

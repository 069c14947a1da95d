package app

import (
	"context"
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
	c, err := f.library.Program(ctx, tenant, flowID, 0)
	if err != nil {
		return voice.Entry{}, err
	}
	return voice.Entry{FlowID: c.FlowID, FlowName: c.Name, FlowVersion: c.Version, Program: c.Program, Vars: vars}, nil
}

// Program implements voice.Flows.
func (f *flows) Program(ctx context.Context, tenant, flowID string, version int) (*flow.Program, error) {
	c, err := f.library.Program(ctx, tenant, flowID, version)
	if err != nil {
		return nil, err
	}
	return c.Program, nil
}

// Find implements voice.Flows.
func (f *flows) Find(ctx context.Context, tenant string, r flow.Destination) (voice.Entry, error) {
	_, vars, err := f.load(ctx, tenant)
	if err != nil {
		return voice.Entry{}, err
	}
	for _, name := range []string{r.ID, r.Name} {
		if name == "" {
			continue
		}
		id, err := f.library.FindID(ctx, tenant, name)
		if err == nil {
			return f.entry(ctx, tenant, id, vars)
		}
		if !errs.Is(err, errs.NotFound) {
			return voice.Entry{}, err
		}
	}
	return voice.Entry{}, errs.New(errs.NotFound, "there is no flow %q", r.Name)
}

// targets binds what an imported flow names to objects of the same name.
type targets struct {
	queues *registry.Collection[registry.Queue]
	conns  *registry.Collection[registry.Connector]
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
	case flow.RefPrompt:
		for _, file := range builtIn {
			if strings.EqualFold(name, file) {
				return file
			}
		}
	}
	return ""
}

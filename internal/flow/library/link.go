package library

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
)

// Pins are the versions that a call runs of its flow and of those it leads to, by our id: sub-flows and modules, flows that
// are played to waiting contacts, flows it hands over to. What is not in them had no published version when the call began.
type Pins map[string]int

// text is the pins in one order.
func (p Pins) text() string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%d ", id, p[id])
	}
	return b.String()
}

// maxPins bounds how many flows one leads to, each of which is read.
const maxPins = 200

// Compiled is a version that can run, with the flows linked into it.
type Compiled struct {
	FlowID, Name string
	Version      int
	Program      *flow.Program
	// Flow is what was compiled: nodes of linked flows stand in it under other identifiers. Nobody may change it.
	Flow *flow.Flow
	Pins Pins
}

// programKey names a compiled version.
type programKey struct {
	tenant, flow string
	version      int
	pins         string
}

// liveKey names a flow by whichever version is published.
type liveKey struct{ tenant, flow string }

// programs caches compiled flows. The zero value is ready; it is safe for concurrent use.
type programs struct {
	mu    sync.Mutex // guards all
	m     map[programKey]*Compiled
	live  map[liveKey]*Compiled
	epoch int // how often something was published: what was read before is not live
}

func (p *programs) get(k programKey) *Compiled {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m[k]
}

func (p *programs) published(k liveKey) (*Compiled, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live[k], p.epoch
}

func (p *programs) put(k programKey, c *Compiled) {
	const limit = 500
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m == nil || len(p.m) >= limit {
		p.m = map[programKey]*Compiled{}
	}
	p.m[k] = c
}

func (p *programs) putLive(k liveKey, epoch int, c *Compiled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch != epoch {
		return
	}
	if p.live == nil {
		p.live = map[liveKey]*Compiled{}
	}
	p.live[k] = c
}

// forgetPublished lets go of what is live: any flow may lead to the one that was published or deleted.
func (p *programs) forgetPublished() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live = nil
	p.epoch++
}

// Published returns the published version of a flow with the published versions of those it leads to; errs.NotFound when
// it has none.
func (s *Service) Published(ctx context.Context, tenant, id string) (*Compiled, error) {
	if err := s.Authz.Check(ctx, "flow:Run", ARN(tenant, id)); err != nil {
		return nil, err
	}
	k := liveKey{tenant, id}
	c, epoch := s.programs.published(k)
	if c != nil {
		return c, nil
	}
	version, err := s.publishedVersion(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	if version == 0 {
		return nil, errs.New(errs.NotFound, "the flow has no published version; publish one")
	}
	if c, err = s.compile(ctx, tenant, id, version, nil); err != nil {
		return nil, err
	}
	s.programs.putLive(k, epoch, c)
	return c, nil
}

// Pinned returns a version of a flow, however old, with the versions of other flows that a call has pinned; errs.NotFound
// when a version is gone.
func (s *Service) Pinned(ctx context.Context, tenant, id string, version int, pins Pins) (*Compiled, error) {
	if err := s.Authz.Check(ctx, "flow:Run", ARN(tenant, id)); err != nil {
		return nil, err
	}
	if pins == nil {
		pins = Pins{}
	}
	return s.compile(ctx, tenant, id, version, pins)
}

// Nodes returns the nodes that a call on a version ran through, those of linked flows included.
func (s *Service) Nodes(ctx context.Context, tenant, id string, version int, pins Pins) (map[flow.NodeID]*flow.Node, error) {
	if err := s.Authz.Check(ctx, "flow:Get", ARN(tenant, id)); err != nil {
		return nil, err
	}
	if pins == nil {
		pins = Pins{}
	}
	c, err := s.compile(ctx, tenant, id, version, pins)
	if err != nil {
		return nil, err
	}
	return c.Flow.Nodes, nil
}

func (s *Service) publishedVersion(ctx context.Context, tenant, id string) (version int, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		e, err := tx.Flow(ctx, tenant, id)
		version = e.Published
		return err
	})
	return version, err
}

// compile links and compiles a version; nil pins take what is published.
func (s *Service) compile(ctx context.Context, tenant, id string, version int, pins Pins) (*Compiled, error) {
	k := programKey{tenant: tenant, flow: id, version: version, pins: pins.text()}
	if pins != nil {
		if c := s.programs.get(k); c != nil {
			return c, nil
		}
	}
	d, err := s.load(ctx, tenant, id, version)
	if err != nil {
		return nil, err
	}
	l := &linking{s: s, tenant: tenant, pins: pins, found: map[string]*flow.Flow{id: d.Flow}, used: Pins{id: version}}
	if err := l.follow(ctx, d.Flow); err != nil {
		return nil, err
	}
	linked := flow.Link(d.Flow, func(r flow.Ref) *flow.Flow { return l.found[r.Bound] })
	prog, err := flow.Compile(linked)
	if err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "flow %q cannot run: %s", d.Name, err.Error())
	}
	c := &Compiled{FlowID: id, Name: d.Name, Version: version, Program: prog, Flow: linked, Pins: l.used}
	k.pins = l.used.text()
	s.programs.put(k, c)
	if pins != nil { // also under the name by which it was asked for
		k.pins = pins.text()
		s.programs.put(k, c)
	}
	return c, nil
}

// linking collects the flows that a flow leads to.
type linking struct {
	s      *Service
	tenant string
	pins   Pins // nil: what is published
	found  map[string]*flow.Flow
	used   Pins
}

// follow reads what f and those it leads to name; circles end by themselves.
func (l *linking) follow(ctx context.Context, f *flow.Flow) error {
	todo := []*flow.Flow{f}
	for len(todo) > 0 {
		refs := todo[0].Refs
		todo = todo[1:]
		for _, r := range refs {
			if r.Kind != flow.RefFlow || r.Bound == "" || l.found[r.Bound] != nil || len(l.found) >= maxPins {
				continue
			}
			g, err := l.read(ctx, r.Bound)
			if err != nil {
				return err
			}
			if g != nil {
				l.found[r.Bound] = g
				todo = append(todo, g)
			}
		}
	}
	return nil
}

// read returns the version of a flow that the call runs; nil when there is none, which the flow hears when it comes to it.
func (l *linking) read(ctx context.Context, id string) (*flow.Flow, error) {
	version, known := l.pins[id]
	if l.pins != nil && !known {
		return nil, nil //nolint:nilnil // it had no published version when the call began
	}
	if l.pins == nil {
		var err error
		if version, err = l.s.publishedVersion(ctx, l.tenant, id); errs.Is(err, errs.NotFound) || err == nil && version == 0 {
			return nil, nil //nolint:nilnil // deleted, or never published
		} else if err != nil {
			return nil, err
		}
	}
	d, err := l.s.load(ctx, l.tenant, id, version)
	if err != nil {
		return nil, err
	}
	l.used[id] = version
	return d.Flow, nil
}

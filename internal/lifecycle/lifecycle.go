// Package lifecycle starts and stops the parts of the process in order: Start returns when a part is ready, Stop drains
// it until its context ends.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
)

// Part is something that runs. Stop is called once, and only after Start returned nil.
type Part interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
}

// Func makes a Part of two functions; either may be nil.
type Func struct {
	OnStart func(ctx context.Context) error
	OnStop  func(ctx context.Context) error
}

// Start implements Part.
func (f Func) Start(ctx context.Context) error {
	if f.OnStart == nil {
		return nil
	}
	return f.OnStart(ctx)
}

// Stop implements Part.
func (f Func) Stop(ctx context.Context) error {
	if f.OnStop == nil {
		return nil
	}
	return f.OnStop(ctx)
}

type entry struct {
	name string
	part Part
}

// Group starts parts in the order they were added and stops them in the reverse order. The zero Group is ready to use.
type Group struct {
	Log *slog.Logger

	mu      sync.Mutex // guards parts and started
	parts   []entry
	started int
}

// Add appends a part.
func (g *Group) Add(name string, p Part) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parts = append(g.parts, entry{name, p})
}

// Start starts every part; when one fails, those that run are stopped again and the error names the part.
func (g *Group) Start(ctx context.Context) error {
	g.mu.Lock()
	parts := g.parts
	g.mu.Unlock()
	for i, e := range parts {
		if err := e.part.Start(ctx); err != nil {
			err = fmt.Errorf("starting %s: %w", e.name, err)
			return errors.Join(err, g.Stop(context.WithoutCancel(ctx)))
		}
		g.mu.Lock()
		g.started = i + 1
		g.mu.Unlock()
	}
	return nil
}

// Stop stops what was started, last first, and joins the errors.
func (g *Group) Stop(ctx context.Context) error {
	g.mu.Lock()
	parts := g.parts[:g.started]
	g.started = 0
	g.mu.Unlock()
	var errList []error
	for _, part := range slices.Backward(parts) {
		if err := part.part.Stop(ctx); err != nil {
			errList = append(errList, fmt.Errorf("stopping %s: %w", part.name, err))
		}
		if g.Log != nil {
			g.Log.DebugContext(ctx, "stopped", slog.String("part", part.name))
		}
	}
	return errors.Join(errList...)
}

// Package library keeps a tenant's flows: every import and change is a version that stays, one version is published, and
// references to queues, connectors and other things of the source system are bound once and remembered.
package library

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/authz"
	"github.com/tandemcc/tandem/internal/caller"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/event"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/ids"
	"github.com/tandemcc/tandem/internal/work"
)

// Entry is a flow in the list.
type Entry struct {
	Tenant, ID, Name, Format string
	Latest, Published        int // versions; Published 0: none
	Problems, Unresolved     int // of the latest version
	CreatedAt, UpdatedAt     time.Time
}

// Version is one stored version of a flow.
type Version struct {
	Tenant, FlowID string
	Version        int
	CreatedAt      time.Time
	CreatedBy      string // login or principal
	Note           string
	Body           []byte // the flow as JSON
	Report         []byte // the import report as JSON
}

// Binding maps a reference of a source system to one of our objects.
type Binding struct {
	Tenant string
	Kind   flow.RefKind
	Ref    string // the source system's id or name
	Target string // our id
}

// Tx is the library's transaction.
type Tx interface {
	work.Tx
	// PutFlow inserts or replaces a flow's entry; errs.Conflict when its name is taken.
	PutFlow(ctx context.Context, e Entry) error
	// Flow returns one entry; errs.NotFound.
	Flow(ctx context.Context, tenant, id string) (Entry, error)
	// Flows returns all entries by name.
	Flows(ctx context.Context, tenant string) ([]Entry, error)
	// DeleteFlow removes a flow with its versions; errs.NotFound.
	DeleteFlow(ctx context.Context, tenant, id string) error
	// InsertFlowVersion stores a version; errs.Conflict when it exists.
	InsertFlowVersion(ctx context.Context, v Version) error
	// FlowVersion returns one version; errs.NotFound.
	FlowVersion(ctx context.Context, tenant, id string, version int) (Version, error)
	// FlowVersions returns all versions without Body and Report, newest first.
	FlowVersions(ctx context.Context, tenant, id string) ([]Version, error)
	// PutBinding stores a binding.
	PutBinding(ctx context.Context, b Binding) error
	// Bindings returns a tenant's bindings.
	Bindings(ctx context.Context, tenant string) ([]Binding, error)
}

// Store runs the library's units of work.
type Store = work.Store[Tx]

// Detail is one version of a flow with its report.
type Detail struct {
	Entry
	Version   int
	CreatedBy string
	Note      string
	Flow      *flow.Flow
	Report    *flow.Report
}

// Targets finds our objects by name, so that an import binds by itself what has the same name.
type Targets interface {
	// Named returns the id of the object of the kind, "" when there is none of that name.
	Named(ctx context.Context, tenant string, kind flow.RefKind, name string) string
	// Check returns errs.Invalid when the kind is one that this installation keeps and has no object of that id.
	Check(ctx context.Context, tenant string, kind flow.RefKind, id string) error
}

// Service is the library. It is safe for concurrent use.
type Service struct {
	Store    Store
	Authz    authz.Decider
	Formats  flow.Registry
	Targets  Targets
	Now      func() time.Time
	Log      *slog.Logger
	programs programs
}

// ARN is what policies name.
func ARN(tenant, id string) string { return "arn:aws:tandem::" + tenant + ":flow/" + id }

// List returns the flows by name.
func (s *Service) List(ctx context.Context, tenant string) ([]Entry, error) {
	if err := s.Authz.Check(ctx, "flow:List", ARN(tenant, "*")); err != nil {
		return nil, err
	}
	return s.entries(ctx, tenant)
}

func (s *Service) entries(ctx context.Context, tenant string) (list []Entry, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		list, err = tx.Flows(ctx, tenant)
		return err
	})
	return list, err
}

// Import reads a file of any known format. flowID names the flow that gets a new version; empty makes a new flow called
// name, or as the file says. It never fails for content it does not know; errs.Invalid says that the file is no flow.
func (s *Service) Import(ctx context.Context, tenant, flowID, name string, data []byte) (*Detail, error) {
	if err := s.Authz.Check(ctx, "flow:Import", ARN(tenant, cmp.Or(flowID, "*"))); err != nil {
		return nil, err
	}
	f, report, err := s.Formats.Import(data)
	if err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "%s", err.Error())
	}
	if name = strings.TrimSpace(name); name == "" {
		name = cmp.Or(strings.TrimSpace(f.Name), "Imported flow")
	}
	f.Name, report.Name = name, cmp.Or(report.Name, name)
	if len(name) > 200 {
		return nil, errs.New(errs.Invalid, "a flow's name has at most 200 characters")
	}
	return s.add(ctx, tenant, draft{flowID: flowID, flow: f, report: report, note: "Imported (" + report.Format + ")"})
}

// draft is a version to be.
type draft struct {
	flowID string // empty: a new flow
	flow   *flow.Flow
	report *flow.Report
	note   string
	after  int // the version it was made from; 0: whichever is the newest
	rename bool
}

// add stores a flow as the next version; errs.Conflict when it was not made from the newest one.
func (s *Service) add(ctx context.Context, tenant string, next draft) (*Detail, error) {
	flowID, f, report, note := next.flowID, next.flow, next.report, next.note
	if err := s.bindKnown(ctx, tenant, f); err != nil {
		return nil, err
	}
	report.Unresolved = unresolved(f)
	now, by := s.Now(), author(ctx)
	id := cmp.Or(flowID, ids.New())
	var d *Detail
	err := s.Store.Update(ctx, func(tx Tx) error {
		e := Entry{Tenant: tenant, ID: id, Name: f.Name, CreatedAt: now}
		if flowID != "" {
			old, err := tx.Flow(ctx, tenant, flowID)
			if err != nil {
				return err
			}
			e = old
		}
		if next.after != 0 && next.after != e.Latest {
			return outdated(ctx, tx, e, next.after)
		}
		if next.rename {
			e.Name = f.Name
		}
		e.Latest++
		e.Format, e.Problems, e.Unresolved, e.UpdatedAt = report.Format, len(report.Problems), len(report.Unresolved), now
		g := f.Clone()
		g.ID, g.Name, g.Version = id, e.Name, e.Latest
		body, err := json.Marshal(g)
		if err != nil {
			return fmt.Errorf("encoding a flow: %w", err)
		}
		rep, err := json.Marshal(report)
		if err != nil {
			return fmt.Errorf("encoding a report: %w", err)
		}
		if err := tx.PutFlow(ctx, e); err != nil {
			return err
		}
		v := Version{Tenant: tenant, FlowID: id, Version: e.Latest, CreatedAt: now, CreatedBy: by, Note: note, Body: body, Report: rep}
		if err := tx.InsertFlowVersion(ctx, v); err != nil {
			return err
		}
		d = &Detail{Entry: e, Version: e.Latest, CreatedBy: by, Note: note, Flow: g, Report: report}
		return record(ctx, tx, tenant, "flow:Import", "flow.versioned", id, now)
	})
	return d, err
}

func record(ctx context.Context, tx Tx, tenant, action, typ, id string, at time.Time) error {
	p, _ := caller.From(ctx)
	if err := tx.Emit(ctx, event.Event{Tenant: tenant, Type: typ, Subject: id, At: at}); err != nil {
		return err
	}
	return tx.Audit(ctx, work.Audit{Tenant: tenant, At: at, Principal: p.ARN, Action: action, Resource: ARN(tenant, id), Outcome: "ok"})
}

func author(ctx context.Context) string {
	p, _ := caller.From(ctx)
	return cmp.Or(p.Login, p.ID)
}

// bindKnown binds references by what was bound before, and by names that are the same here.
func (s *Service) bindKnown(ctx context.Context, tenant string, f *flow.Flow) error {
	var list []Binding
	if err := s.Store.View(ctx, func(tx Tx) (err error) {
		list, err = tx.Bindings(ctx, tenant)
		return err
	}); err != nil {
		return err
	}
	for _, b := range list {
		f.Bind(b.Kind, b.Ref, b.Target)
	}
	for i := range f.Refs {
		r := &f.Refs[i]
		for _, name := range []string{r.Name, r.ID} {
			if r.Bound != "" || name == "" {
				continue
			}
			if r.Bound = s.named(ctx, tenant, r.Kind, name); r.Bound != "" {
				break
			}
		}
	}
	return nil
}

// named finds what has the name here; "" when nothing has.
func (s *Service) named(ctx context.Context, tenant string, kind flow.RefKind, name string) string {
	if kind == flow.RefFlow {
		id, err := s.FindID(ctx, tenant, name)
		if err != nil {
			return ""
		}
		return id
	}
	if s.Targets == nil {
		return ""
	}
	return s.Targets.Named(ctx, tenant, kind, name)
}

// checkTarget refuses what a reference cannot be bound to; an empty target releases it.
func (s *Service) checkTarget(ctx context.Context, tenant string, b Binding) error {
	switch {
	case b.Target == "":
		return nil
	case b.Kind == flow.RefFlow:
		_, err := s.publishedVersion(ctx, tenant, b.Target)
		if errs.Is(err, errs.NotFound) {
			return errs.Wrap(errs.Invalid, err, "there is no flow %.60q to bind %.60q to", b.Target, b.Ref)
		}
		return err
	case s.Targets == nil:
		return nil
	}
	return s.Targets.Check(ctx, tenant, b.Kind, b.Target)
}

func unresolved(f *flow.Flow) []flow.Unresolved {
	out := []flow.Unresolved{}
	for _, r := range f.Refs {
		if r.Bound == "" {
			node := string(r.Node)
			if n := f.Nodes[r.Node]; n != nil {
				node = n.Name
			}
			out = append(out, flow.Unresolved{Node: node, Kind: r.Kind, ID: r.ID, Name: r.Name})
		}
	}
	return out
}

// Get returns a version; 0 means the latest.
func (s *Service) Get(ctx context.Context, tenant, id string, version int) (*Detail, error) {
	if err := s.Authz.Check(ctx, "flow:Get", ARN(tenant, id)); err != nil {
		return nil, err
	}
	return s.load(ctx, tenant, id, version)
}

func (s *Service) load(ctx context.Context, tenant, id string, version int) (*Detail, error) {
	var e Entry
	var v Version
	if err := s.Store.View(ctx, func(tx Tx) (err error) {
		if e, err = tx.Flow(ctx, tenant, id); err != nil {
			return err
		}
		v, err = tx.FlowVersion(ctx, tenant, id, cmp.Or(version, e.Latest))
		return err
	}); err != nil {
		return nil, err
	}
	d := &Detail{Entry: e, Version: v.Version, CreatedBy: v.CreatedBy, Note: v.Note, Flow: new(flow.Flow), Report: new(flow.Report)}
	if err := json.Unmarshal(v.Body, d.Flow); err != nil {
		return nil, fmt.Errorf("decoding flow %s: %w", id, err)
	}
	if err := json.Unmarshal(v.Report, d.Report); err != nil {
		return nil, fmt.Errorf("decoding the report of flow %s: %w", id, err)
	}
	return d, nil
}

// Versions lists a flow's versions, newest first.
func (s *Service) Versions(ctx context.Context, tenant, id string) (list []Version, err error) {
	if err := s.Authz.Check(ctx, "flow:Get", ARN(tenant, id)); err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(tx Tx) error {
		list, err = tx.FlowVersions(ctx, tenant, id)
		return err
	})
	return list, err
}

// Mend makes a new version in which the proposed mends of the chosen problems are applied; which nil means all of them.
func (s *Service) Mend(ctx context.Context, tenant, id string, version int, which []int) (*Detail, error) {
	if err := s.Authz.Check(ctx, "flow:Import", ARN(tenant, id)); err != nil {
		return nil, err
	}
	d, err := s.load(ctx, tenant, id, version)
	if err != nil {
		return nil, err
	}
	var chosen *flow.Report
	if which != nil {
		chosen = new(flow.Report)
		for i, p := range d.Report.Problems {
			if slices.Contains(which, i) {
				chosen.Problems = append(chosen.Problems, p)
			}
		}
	}
	mended, applied := flow.Mend(d.Flow, chosen)
	if len(applied) == 0 {
		return nil, errs.New(errs.Conflict, "none of the chosen problems has a mend that can be applied by itself")
	}
	left := *d.Report
	left.Problems = append([]flow.Problem{}, flow.Lint(mended)...)
	return s.add(ctx, tenant, draft{flowID: id, flow: mended, report: &left, note: fmt.Sprintf("%d mends applied", len(applied))})
}

// Bind resolves references of a version, makes it a new version and remembers the bindings for the next import.
func (s *Service) Bind(ctx context.Context, tenant, id string, version int, list []Binding) (*Detail, error) {
	if err := s.Authz.Check(ctx, "flow:Bind", ARN(tenant, id)); err != nil {
		return nil, err
	}
	d, err := s.load(ctx, tenant, id, version)
	if err != nil {
		return nil, err
	}
	f, n := d.Flow.Clone(), 0
	f.Refs = slices.Clone(f.Refs)
	for _, b := range list {
		if err := s.checkTarget(ctx, tenant, b); err != nil {
			return nil, err
		}
		n += f.Bind(b.Kind, b.Ref, b.Target)
	}
	if n == 0 {
		return nil, errs.New(errs.Invalid, "the flow has no such references")
	}
	if err := s.Store.Update(ctx, func(tx Tx) error {
		for _, b := range list {
			b.Tenant = tenant
			if err := tx.PutBinding(ctx, b); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	return s.add(ctx, tenant, draft{flowID: id, flow: f, report: d.Report, note: fmt.Sprintf("%d references bound", n)})
}

// Publish makes a version the one that new calls run.
func (s *Service) Publish(ctx context.Context, tenant, id string, version int) (*Detail, error) {
	if err := s.Authz.Check(ctx, "flow:Publish", ARN(tenant, id)); err != nil {
		return nil, err
	}
	d, err := s.load(ctx, tenant, id, version)
	if err != nil {
		return nil, err
	}
	if _, err := flow.Compile(d.Flow); err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "the flow cannot run: %s", err.Error())
	}
	now := s.Now()
	err = s.Store.Update(ctx, func(tx Tx) error {
		e, err := tx.Flow(ctx, tenant, id)
		if err != nil {
			return err
		}
		e.Published, e.UpdatedAt = d.Version, now
		d.Entry = e
		if err := tx.PutFlow(ctx, e); err != nil {
			return err
		}
		return record(ctx, tx, tenant, "flow:Publish", "flow.published", id, now)
	})
	if err == nil {
		s.programs.forgetPublished()
	}
	return d, err
}

// Delete removes a flow and its versions. Calls that run it go on; a restart cannot take them up again.
func (s *Service) Delete(ctx context.Context, tenant, id string) error {
	if err := s.Authz.Check(ctx, "flow:Delete", ARN(tenant, id)); err != nil {
		return err
	}
	now := s.Now()
	err := s.Store.Update(ctx, func(tx Tx) error {
		if err := tx.DeleteFlow(ctx, tenant, id); err != nil {
			return err
		}
		return record(ctx, tx, tenant, "flow:Delete", "flow.deleted", id, now)
	})
	if err == nil {
		s.programs.forgetPublished()
	}
	return err
}

// FindID returns the id of the flow with this id or name; errs.NotFound.
func (s *Service) FindID(ctx context.Context, tenant, idOrName string) (string, error) {
	list, err := s.entries(ctx, tenant)
	if err != nil {
		return "", err
	}
	for _, e := range list {
		if e.ID == idOrName || strings.EqualFold(e.Name, idOrName) {
			return e.ID, nil
		}
	}
	return "", errs.New(errs.NotFound, "there is no flow %q", idOrName)
}

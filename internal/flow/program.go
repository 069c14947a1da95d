package flow

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/flow/expr"
)

// Program is a compiled flow. It is immutable and safe for concurrent use.
type Program struct {
	id, name, pin string
	nodes         map[NodeID]*cnode
	start         *cnode
	on            map[EventName]*cnode
	vars          []Var
	varIndex      map[string]int
	system        map[string]bool
	zone          *time.Location
	maxSteps      int
	opts          Options
	// contactNames are the names by which templates call the contact, contactReads what they read of it.
	contactNames []string
	contactReads []contactField
	// eventNames are the names under which templates read the fields of an event.
	eventNames map[EventName][]string
	// reads says which fields of which node or event templates read.
	reads map[string]*fieldReads
	// hidden are variables that hold a secure value at some time: they are kept out of traces.
	hidden map[string]bool
	// connect says that the flow reads and keeps state as Amazon Connect does; links are the entries of flows put into it.
	connect bool
	links   map[string]*cnode
	flows   map[string]string // our identifiers of flows, by the source system's
}

// fieldReads are the fields of an object that templates read; all of it is more than can be named.
type fieldReads struct {
	all    bool
	fields []string
}

func (r *fieldReads) has(field string) bool {
	return r.all || slices.ContainsFunc(r.fields, func(f string) bool { return strings.EqualFold(f, field) })
}

// cnode is a node with everything parsed that can be.
type cnode struct {
	id    NodeID
	name  string
	op    Op
	exits map[Port]*cnode
	limit int    // how often a session may run it; 0 is no limit
	fault string // why it cannot run, found when compiling
	// secret says that it reads a secure value: nothing that it writes, and no error of it, goes into a trace.
	secret bool
	exec   func(m *machine, t *Thread, n *cnode) result
	data   any
	binds  []cbind
	match  []cmatch
	next   *cnode // the ok exit
}

// ID is the flow's identifier and Pin the identifier of exactly this program.
func (p *Program) ID() string { return p.id }

// Name is the flow's name.
func (p *Program) Name() string { return p.name }

// Pin identifies exactly this program: the flow's version and a hash of its content. Sessions carry it.
func (p *Program) Pin() string { return p.pin }

// Handles reports whether the flow has a handler for the event.
func (p *Program) Handles(e EventName) bool { return p.on[e] != nil }

// CAD returns all agent-viewable variables of the session, in the flow's order.
func (p *Program) CAD(s *Session) []CADValue {
	var out []CADValue
	for i := range p.vars {
		if v := &p.vars[i]; v.CAD {
			out = append(out, cadValue(v, s.Vars[v.Name]))
		}
	}
	return out
}

func cadValue(v *Var, x any) CADValue {
	return CADValue{Name: v.Name, Label: v.Label, Value: text(x), Editable: v.AgentEditable, Secure: v.Secure}
}

func (p *Program) isSystem(name string) bool { return p.system[name] }

// envOf returns what templates of the session see, built anew after a restore.
func (p *Program) envOf(s *Session) *expr.Env {
	if s.env != nil {
		return s.env
	}
	vars := make(map[string]any, len(s.Vars)+len(s.Outputs)+6)
	c := contactFields(p, s)
	for _, name := range p.contactNames {
		vars[name] = c
	}
	for k, v := range s.Outputs {
		vars[k] = map[string]any(v)
	}
	if p.connect {
		connectRoots(vars, s)
	}
	maps.Copy(vars, s.Vars)
	s.env = &expr.Env{Vars: vars, Now: func() time.Time { return s.now }, Zone: p.zone, System: p.isSystem}
	return s.env
}

package library

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
)

const (
	maxFlowName = 200 // in bytes
	maxHandlers = 100
)

// EditHead is what a flow is as a whole; nil leaves a part as it is.
type EditHead struct {
	Name, Description *string
	Kind              *flow.Kind
	// Start is the step at which a call comes in.
	Start   *flow.NodeID
	Options *flow.Options
}

// EditVar is a variable as it is to be. Its own Value is not looked at.
type EditVar struct {
	flow.Var
	// Was is its name in the version that was edited; empty for a new one.
	Was string
	// Text is the initial value as text; nil leaves it as it is, also when the variable is renamed.
	Text *string
}

// head changes what the flow is as a whole.
func (ed *editor) head(h EditHead) error {
	f := ed.f
	if h.Name != nil {
		f.Name = strings.TrimSpace(*h.Name)
		if f.Name == "" || len(f.Name) > maxFlowName {
			return errs.New(errs.Invalid, "a flow's name has 1 to %d characters", maxFlowName)
		}
	}
	if h.Description != nil {
		if len(*h.Description) > flow.MaxDescription {
			return errs.New(errs.Invalid, "a flow's description has at most %d characters", flow.MaxDescription)
		}
		f.Description = *h.Description
	}
	if h.Kind != nil && *h.Kind != f.Kind {
		if !slices.Contains(flow.Kinds(), *h.Kind) {
			return errs.New(errs.Invalid, "%.40q is no kind of flow: use one of %v", string(*h.Kind), flow.Kinds())
		}
		f.Kind = *h.Kind
	}
	if h.Start != nil {
		f.Start = *h.Start
	}
	if h.Options != nil && *h.Options != f.Options {
		if err := h.Options.Check(); err != nil {
			return errs.Wrap(errs.Invalid, err, "%s", err.Error())
		}
		f.Options = *h.Options
	}
	return nil
}

// vars replaces the declarations; what a client does not know of them is kept.
func (ed *editor) vars(list []EditVar) error {
	if len(list) > flow.MaxVars {
		return errs.New(errs.Invalid, "a flow has at most %d variables", flow.MaxVars)
	}
	old := make(map[string]flow.Var, len(ed.old.Vars))
	for _, v := range ed.old.Vars {
		old[v.Name] = v
	}
	seen := map[string]bool{}
	out := make([]flow.Var, 0, len(list))
	for _, e := range list {
		was, known := old[e.Was]
		if e.Was != "" && !known {
			return errs.New(errs.Invalid, "there was no variable %.60q in the version that was edited", e.Was)
		}
		delete(old, e.Was) // nobody else comes from it
		v, err := ed.variable(was, e)
		if err != nil {
			return err
		}
		if seen[v.Name] {
			return errs.New(errs.Invalid, "two variables are called %q", v.Name)
		}
		seen[v.Name] = true
		out = append(out, v)
	}
	if len(out) > 0 || ed.f.Vars != nil {
		ed.f.Vars = out
	}
	return nil
}

func (ed *editor) variable(was flow.Var, e EditVar) (flow.Var, error) {
	v := e.Var
	v.Value = was.Value
	if err := checkVar(was, e); err != nil {
		return v, err
	}
	saved := flow.Source(flow.Lit(was.Value))
	text, kept := saved, true
	if e.Text != nil {
		text, kept = *e.Text, *e.Text == saved
	}
	kept = kept && e.Was != ""
	if kept && v.Type == was.Type {
		return v, nil
	}
	value, err := v.Type.ReadValue(text)
	switch {
	case err != nil && v.Secure:
		return v, errs.New(errs.Invalid, "the initial value of %q is not of type %s", v.Name, v.Type) // the cause would tell it
	case err != nil:
		return v, errs.Wrap(errs.Invalid, err, "the initial value of %q: %s", v.Name, err.Error())
	case kept: // only the type is another
	case value != nil && (ed.read.texts || isText(was.Value)):
		v.Value = text
	default:
		v.Value = value
	}
	return v, nil
}

// checkVar refuses what a variable cannot be. What was so already is no reason.
func checkVar(was flow.Var, e EditVar) error {
	if e.Name != was.Name || e.Was == "" {
		if err := flow.CheckVarName(e.Name); err != nil {
			return errs.Wrap(errs.Invalid, err, "%s", err.Error())
		}
	}
	switch {
	case len(e.Label) > flow.MaxLabel || len(e.Description) > flow.MaxDescription:
		return errs.New(errs.Invalid, "the label of variable %q has at most %d characters, its description %d", e.Name, flow.MaxLabel, flow.MaxDescription)
	case e.AgentEditable && !e.CAD && (!was.AgentEditable || was.CAD):
		return errs.New(errs.Invalid, "an agent can only edit what is shown: show the variable %q to agents, or do not let them edit it", e.Name)
	case was.Secure && !e.Secure && e.Text == nil:
		return errs.New(errs.Invalid, "the variable %q is to be secure no longer: give it a new value, so that the secret one is not shown", e.Name)
	}
	return nil
}

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}

// handlers replaces what starts at which event.
func (ed *editor) handlers(on map[flow.EventName]flow.NodeID) error {
	if len(on) > maxHandlers {
		return errs.New(errs.Invalid, "a flow has at most %d handlers", maxHandlers)
	}
	for ev, id := range on {
		n := ed.f.Nodes[id]
		switch {
		case strings.TrimSpace(string(ev)) == "" || len(ev) > maxName:
			return errs.New(errs.Invalid, "the name of an event has 1 to %d characters", maxName)
		case n == nil:
			return errs.New(errs.Invalid, "the handler of %q starts at %q, which is not there", ev, id)
		case id == ed.f.Start:
			return errs.New(errs.Invalid, "the handler of %q cannot start at %q, where calls come in", ev, cmp.Or(n.Name, string(id)))
		}
	}
	if len(on) > 0 || ed.f.On != nil {
		ed.f.On = on
	}
	return nil
}

package httpapi

import (
	"context"
	"slices"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/registry"
)

// FunctionTest is what trying a function showed.
type FunctionTest struct {
	OK         bool   `json:"ok"`
	Message    string `json:"message"`
	DurationMS int64  `json:"durationMs"`
	Answer     string `json:"answer" doc:"the JSON object that it answered with"`
}

// Functions try functions and say which commands there are.
type Functions interface {
	// Test runs a function with an event that holds parameters; that it failed is a result, not an error.
	Test(ctx context.Context, tenant, id string, parameters map[string]string) (FunctionTest, error)
	// Commands are the names of the commands that the configuration file allows.
	Commands() []string
}

type functionView struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	registry.Function
}

func functionViewOf(o registry.Object[registry.Function]) functionView {
	o.Spec.Refs = orEmpty(o.Spec.Refs)
	return functionView{ID: o.ID, Name: o.Name, Version: o.Version, Function: o.Spec}
}

type functionBody struct {
	Name      string   `json:"name" minLength:"1" maxLength:"200"`
	Refs      []string `json:"refs,omitempty" maxItems:"50" doc:"ARNs and names by which flows call it"`
	Kind      string   `json:"kind" enum:"http,command"`
	URL       string   `json:"url,omitempty" maxLength:"2000" doc:"the endpoint; with a connector the path behind its address"`
	Connector string   `json:"connector,omitempty" maxLength:"100" doc:"id of the connector that signs in"`
	Command   string   `json:"command,omitempty" maxLength:"100" doc:"name of a command that the configuration file allows"`
	TimeoutMS int      `json:"timeoutMs,omitempty" minimum:"0" maximum:"30000" doc:"milliseconds; 0: 8000"`
}

func (b functionBody) object() registry.Object[registry.Function] {
	return registry.Object[registry.Function]{Name: b.Name, Spec: registry.Function{
		Refs: b.Refs, Type: b.Kind, URL: b.URL, Connector: b.Connector, Command: b.Command, TimeoutMS: b.TimeoutMS,
	}}
}

type functionTestInput struct {
	IDInput
	Body struct {
		Parameters map[string]string `json:"parameters,omitempty" maxProperties:"100" doc:"what a flow would give along"`
	}
}

type commandName struct {
	Name string `json:"name"`
}

func (a *API) functionOps() {
	register(a, crud[registry.Function, functionBody, functionView]{
		path: "/functions", tag: "setup", one: "Function", objects: a.Functions, object: functionBody.object, view: functionViewOf,
		check: a.checkFunction,
	})
	add(a, op("POST", "/functions/{id}/test", "testFunction", "Run the function with an event of a made-up call", "setup", 200),
		func(ctx context.Context, in *functionTestInput) (*body[FunctionTest], error) {
			if err := a.Authz.Check(ctx, "setup:TestFunction", a.Functions.ARN(a.Tenant, in.ID)); err != nil {
				return nil, err
			}
			res, err := a.Runner.Test(ctx, a.Tenant, in.ID, in.Body.Parameters)
			return &body[FunctionTest]{Body: res}, err
		})
	add(a, op("GET", "/function-commands", "listFunctionCommands", "The commands that the configuration file allows as functions", "setup", 200),
		func(ctx context.Context, _ *none) (*body[list[commandName]], error) {
			if err := a.Authz.Check(ctx, "setup:ListFunction", a.Functions.ARN(a.Tenant, "*")); err != nil {
				return nil, err
			}
			out := []commandName{}
			for _, name := range a.Runner.Commands() {
				out = append(out, commandName{name})
			}
			return items(out, ""), nil
		})
}

// checkFunction refuses a connector or command that does not exist, and an ARN or name that another function has.
func (a *API) checkFunction(ctx context.Context, o registry.Object[registry.Function]) error {
	if o.Spec.Connector != "" {
		if _, err := a.Connectors.Get(ctx, a.Tenant, o.Spec.Connector); errs.Is(err, errs.NotFound) {
			return errs.Wrap(errs.Invalid, err, "choose a connector that exists")
		} else if err != nil {
			return err
		}
	}
	if o.Spec.Type == "command" && !slices.Contains(a.Runner.Commands(), o.Spec.Command) {
		return errs.New(errs.Invalid, "the configuration file allows no command %.100q; add it there under functions.commands and start the hub anew", o.Spec.Command)
	}
	others, err := a.Functions.List(ctx, a.Tenant)
	if err != nil {
		return err
	}
	for _, f := range others {
		for _, ref := range o.Spec.Refs {
			if f.ID != o.ID && (ref == f.Name || slices.Contains(f.Spec.Refs, ref)) {
				return errs.New(errs.Conflict, "flows reach the function %q by %q already", f.Name, ref)
			}
		}
	}
	return nil
}

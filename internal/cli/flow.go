package cli

import (
	"fmt"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
)

type flowCmd struct {
	Lint flowLintCmd `cmd:"" help:"Say what an exported flow holds, what of it runs here and what is wrong with it."`
	Run  flowRunCmd  `cmd:"" help:"Play a call through a flow, without a telephone, and print where it went."`
	Test flowTestCmd `cmd:"" help:"Run a flow's tests and say what of it no test reached."`
}

type flowLintCmd struct {
	File string `arg:"" help:"The exported flow; - for standard input."`
	JSON bool   `help:"Print the report as JSON."`
}

// Run prints the report. A flow with problems is no failure; a file that is no flow is.
func (c *flowLintCmd) Run(e *env) error {
	data, err := e.read(c.File, flow.MaxImportBytes)
	if err != nil {
		return err
	}
	_, rep, err := importFlow(data)
	if err != nil {
		return errs.New(errs.Invalid, "%s is not a call flow: %s", c.File, errs.Message(err))
	}
	if c.JSON {
		return e.printJSON(rep)
	}
	return c.print(e, rep)
}

func (c *flowLintCmd) print(e *env, r *flow.Report) error {
	text := fmt.Sprintf("%s (%s): %d nodes, %d edges, %d handlers\n", r.Name, r.Format, r.Nodes, r.Edges, r.Handlers)
	text += fmt.Sprintf("  run as in the source system: %d, nearly so: %d, not at all: %d\n", r.Mapped, r.Approximated, len(r.Unsupported))
	for _, u := range r.Unsupported {
		text += fmt.Sprintf("  unsupported  %s (%s)\n", u.Node, u.Type)
	}
	for _, u := range r.Unresolved {
		name := u.Name
		if name == "" {
			name = u.ID
		}
		text += fmt.Sprintf("  unresolved   %s: %s %s, to be bound to one of yours\n", u.Node, u.Kind, name)
	}
	for _, p := range r.Problems {
		text += "  problem      " + where(p) + ": " + oneLine(p.Message) + "\n"
		if p.Fix != "" {
			text += "               fix: " + oneLine(p.Fix) + "\n"
		}
	}
	if len(r.Problems) == 0 {
		text += "  no problems\n"
	}
	return e.printf("%s", text)
}

func where(p flow.Problem) string {
	at := p.Node
	if at == "" {
		at = "the flow"
	}
	if p.Field != "" {
		at += ", " + p.Field
	}
	if p.Position >= 0 {
		at += fmt.Sprintf(" at %d", p.Position)
	}
	return at
}

package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/tandemcc/tandem/internal/app"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
)

type flowCmd struct {
	Lint flowLintCmd `cmd:"" help:"Say what an exported flow holds, what of it runs here and what is wrong with it."`
	Run  flowRunCmd  `cmd:"" help:"Play a call through a flow, without a telephone, and print where it went."`
	Mend flowMendCmd `cmd:"" help:"Correct what has a sure correction, and write the flow in its own format."`
	Test flowTestCmd `cmd:"" help:"Run a flow's tests and say what of it no test reached."`

	Export flowExportCmd `cmd:"" help:"Write a flow in another format, and say what is lost."`
	Import flowImportCmd `cmd:"" help:"Store a flow in a running hub."`
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
	_, rep, err := app.Formats().Import(data)
	if err != nil {
		return errs.New(errs.Invalid, "%s is not a call flow: %s", c.File, errs.Message(err))
	}
	if c.JSON {
		return e.printJSON(rep)
	}
	return c.print(e, rep)
}

func (c *flowLintCmd) print(e *env, r *flow.Report) error {
	var b strings.Builder
	put := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	put("%s (%s): %d nodes, %d edges, %d handlers", r.Name, r.Format, r.Nodes, r.Edges, r.Handlers)
	put("  run as in the source system: %d, nearly so: %d, not at all: %d", r.Mapped, r.Approximated, len(r.Unsupported))
	for _, u := range r.Unsupported {
		put("  unsupported  %s (%s)", u.Node, u.Type)
	}
	for _, u := range r.Unresolved {
		put("  unresolved   %s: %s %s, to be bound to one of yours", u.Node, u.Kind, cmp.Or(u.Name, u.ID))
	}
	for _, p := range r.Problems {
		put("  problem      %s: %s", where(p), oneLine(p.Message))
		if p.Fix != "" {
			put("               fix: %s", oneLine(p.Fix))
		}
	}
	if len(r.Problems) == 0 {
		put("  no problems")
	}
	return e.printf("%s", b.String())
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

package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/tandemcc/tandem/internal/app"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
)

type flowExportCmd struct {
	File   string `arg:"" help:"The flow, in any format that is read; - for standard input."`
	Format string `enum:"webex,webex-v2,connect,yaml" required:"" help:"The format to write: ${enum}."`
	Out    string `short:"o" help:"Where to write the flow; standard output otherwise." placeholder:"FILE"`
	JSON   bool   `help:"Print a report as JSON, with what was lost and, without -o, the flow's text."`
}

// exportReport is what --json prints.
type exportReport struct {
	Format string      `json:"format"`
	Losses []flow.Loss `json:"losses"`
	File   string      `json:"file,omitempty"`
	Text   string      `json:"text,omitempty"`
}

// Run writes the flow in another format. What the format cannot hold is told on standard error, and is no failure.
func (c *flowExportCmd) Run(e *env) error {
	f, err := e.readFlow(c.File)
	if err != nil {
		return err
	}
	data, losses, err := app.Exporters().Export(c.Format, f)
	if err != nil {
		return err //nolint:wrapcheck // it says what cannot be written and why
	}
	if c.Out != "" {
		if err := os.WriteFile(c.Out, data, 0o600); err != nil {
			return errs.Wrap(errs.Invalid, err, "%s cannot be written", c.Out)
		}
	}
	if c.JSON {
		rep := exportReport{Format: c.Format, Losses: losses, File: c.Out}
		if rep.Losses == nil {
			rep.Losses = []flow.Loss{}
		}
		if c.Out == "" {
			rep.Text = string(data)
		}
		return e.printJSON(rep)
	}
	e.tellLosses(losses)
	if c.Out == "" {
		return e.printf("%s", data)
	}
	return nil
}

// tellLosses says on standard error what a format cannot hold.
func (e *env) tellLosses(losses []flow.Loss) {
	for _, l := range losses {
		at := l.Node
		if at == "" {
			at = "the flow"
		}
		if l.Field != "" {
			at += ", " + l.Field
		}
		fmt.Fprintf(e.stderr, "lost %s: %s\n", oneLine(at), oneLine(strings.TrimSpace(l.What)))
	}
}

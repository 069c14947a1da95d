package cli

import (
	"fmt"
	"os"

	"github.com/tandemcc/tandem/internal/app"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
	"github.com/tandemcc/tandem/internal/flow/yaml"
)

type flowMendCmd struct {
	File string `arg:"" help:"The exported flow; - for standard input."`
	Out  string `short:"o" help:"Where to write the mended flow; standard output otherwise." placeholder:"FILE"`
}

// Run corrects what has a sure correction and writes the flow in its own format. What was done is told on standard error.
func (c *flowMendCmd) Run(e *env) error {
	data, err := e.read(c.File, flow.MaxImportBytes)
	if err != nil {
		return err
	}
	f, rep, err := app.Formats().Import(data)
	if err != nil {
		return errs.New(errs.Invalid, "%s is not a call flow: %s", c.File, errs.Message(err))
	}
	mended, done := flow.Mend(f, rep)
	text, losses, err := app.Exporters().Export(writtenAs(rep.Format), mended)
	if err != nil {
		return err //nolint:wrapcheck // it says what cannot be written and why
	}
	for _, m := range done {
		fmt.Fprintf(e.stderr, "mended %s, %s: %s\n", m.Node, m.Field, oneLine(m.What))
	}
	e.tellLosses(losses)
	fmt.Fprintf(e.stderr, "%d corrections\n", len(done))
	if c.Out == "" {
		return e.printf("%s", text)
	}
	if err := os.WriteFile(c.Out, text, 0o600); err != nil {
		return errs.Wrap(errs.Invalid, err, "%s cannot be written", c.Out)
	}
	return nil
}

// writtenAs is the format in which a flow that was read in a format is written: older exports of Amazon Connect become new ones.
func writtenAs(format string) string {
	switch format {
	case connect.FormatLegacy:
		return connect.Format
	case yaml.Format:
		return yaml.FormatYAML
	}
	return format
}

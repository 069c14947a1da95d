package cli

import (
	"fmt"
	"os"

	"github.com/tandemcc/tandem/internal/app"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
	"github.com/tandemcc/tandem/internal/flow/webex"
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
	text, losses, err := export(rep.Format, mended)
	if err != nil {
		return err
	}
	for _, m := range done {
		fmt.Fprintf(e.stderr, "mended %s, %s: %s\n", m.Node, m.Field, oneLine(m.What))
	}
	for _, l := range losses {
		fmt.Fprintf(e.stderr, "not written %s\n", oneLine(l.Node+" "+l.Field+": "+l.What))
	}
	fmt.Fprintf(e.stderr, "%d corrections\n", len(done))
	if c.Out == "" {
		return e.printf("%s", text)
	}
	if err := os.WriteFile(c.Out, text, 0o600); err != nil {
		return errs.Wrap(errs.Invalid, err, "%s cannot be written", c.Out)
	}
	return nil
}

// export writes a flow in the format it came in.
func export(format string, f *flow.Flow) ([]byte, []flow.Loss, error) {
	for _, x := range []flow.Exporter{webex.Exporter{}, webex.V2Exporter{}, connect.Exporter{}} {
		if x.Format() == format {
			data, losses, err := x.Export(f)
			if err != nil {
				return nil, nil, fmt.Errorf("writing the flow: %w", err)
			}
			return data, losses, nil
		}
	}
	return nil, nil, errs.New(errs.Invalid, "flows of the format %s cannot be written back: mend it in the console", format)
}

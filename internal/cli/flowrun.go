package cli

import (
	"strings"

	"github.com/alecthomas/kong"

	"github.com/tandemcc/tandem/internal/app"
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/flowtest"
)

// ExitStopped is the status of "flow run" when a limit stopped the flow.
const ExitStopped = 2

type flowRunCmd struct {
	File   string   `arg:"" help:"The flow: an export of a contact centre, or YAML; - for standard input."`
	Script string   `help:"A YAML file that says what callers, servers, agents and queues do." placeholder:"FILE"`
	From   string   `help:"The caller's number."`
	To     string   `help:"The called number."`
	Digits []string `help:"What the caller enters, question by question; leave one empty for no answer." placeholder:"1,2,1234#"`
	HTTP   []string `name:"http" sep:"none" help:"An answer to HTTP requests; the pattern may hold *. May be given again." placeholder:"'GET /path*=200:{}'"`
	JSON   bool     `help:"Print everything that happened as JSON."`
}

// Help is printed below the options.
func (flowRunCmd) Help() string {
	return "Plays one call through a flow, by a virtual clock and without a telephone or a network, and prints where it went. " +
		"Unless a script says otherwise the caller enters nothing, servers know nothing (404 and an empty JSON object), an agent " +
		"answers after 5 s and the caller hangs up after 30 s of talk.\n\n" +
		"Exit status: 0 the flow ended, 1 it could not be run, 2 a limit on loops, steps or time stopped it."
}

// Run plays the call and prints what happened.
func (c *flowRunCmd) Run(e *env, k *kong.Kong) error {
	f, err := e.readFlow(c.File)
	if err != nil {
		return err
	}
	s, err := c.script(e)
	if err != nil {
		return err
	}
	r, err := flowtest.New(f)
	if err != nil {
		return errs.Wrap(errs.Invalid, err, "%s cannot run", c.File)
	}
	res, err := r.Run(s)
	if err != nil {
		return errs.Wrap(errs.Invalid, err, "%s cannot run", c.File)
	}
	if c.JSON {
		err = e.printJSON(res)
	} else {
		err = e.printf("%s", res.Text())
	}
	if err != nil {
		return err
	}
	if res.End.Stopped() {
		k.Exit(ExitStopped)
	}
	return nil
}

// script is the script's file with what the options say over it.
func (c *flowRunCmd) script(e *env) (*flowtest.Script, error) {
	s := new(flowtest.Script)
	if c.Script != "" {
		data, err := e.read(c.Script, flowtest.MaxBytes)
		if err != nil {
			return nil, err
		}
		if s, err = flowtest.ParseScript(data); err != nil {
			return nil, errs.Wrap(errs.Invalid, err, "%s", c.Script)
		}
	}
	if c.From != "" {
		s.From = c.From
	}
	if c.To != "" {
		s.To = c.To
	}
	entries := make([]flowtest.Entry, 0, len(c.Digits)+len(s.Digits))
	for _, d := range c.Digits {
		if strings.Trim(d, "0123456789*#ABCD") != "" || len(d) > flowtest.MaxEntry {
			return nil, errs.New(errs.Invalid, "--digits: %.40q cannot be entered on a telephone: use 0-9, *, # and A-D", d)
		}
		entries = append(entries, flowtest.Entry{Enter: d})
	}
	s.Digits = append(entries, s.Digits...)
	answers := make([]flowtest.Answer, 0, len(c.HTTP)+len(s.HTTP))
	for _, text := range c.HTTP {
		a, err := flowtest.ParseAnswer(text)
		if err != nil {
			return nil, errs.Wrap(errs.Invalid, err, "--http")
		}
		answers = append(answers, a)
	}
	s.HTTP = append(answers, s.HTTP...)
	return s, nil
}

// readFlow reads a flow in any format.
func (e *env) readFlow(path string) (*flow.Flow, error) {
	data, err := e.read(path, flow.MaxImportBytes)
	if err != nil {
		return nil, err
	}
	f, _, err := app.Formats().Import(data)
	if err != nil {
		return nil, errs.New(errs.Invalid, "%s is not a call flow: %s", path, errs.Message(err))
	}
	return f, nil
}

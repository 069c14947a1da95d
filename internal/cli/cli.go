// Package cli is the command line: it reads arguments, calls the package that does the work and writes what came of it. Each
// command prints its result on standard output, for people or with --json for programs, and an error as one line on
// standard error. Exit statuses are the constants below.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/tandemcc/tandem/internal/errs"
)

// Exit statuses.
const (
	ExitOK     = 0 // done
	ExitFailed = 1 // not done; standard error says why and what to do
	ExitUsage  = 2 // the command line cannot be understood
	ExitNo     = 3 // done, and the answer is no: a damaged log, or with --strict a finding
)

// errNo ends a command with ExitNo; what there is to say was printed.
var errNo = errors.New("the answer is no")

// env is the process as a command sees it.
type env struct {
	vars   map[string]string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

type root struct {
	Up      upCmd      `cmd:"" help:"Run the hub with embedded defaults and sample data."`
	Serve   serveCmd   `cmd:"" help:"Run the hub in production: no sample data, no stand-in org."`
	Sandbox sandboxCmd `cmd:"" help:"Stand-ins for other platforms, without a hub."`
	Call    callCmd    `cmd:"" help:"Place a test call over real SIP and report what happens."`
	Agent   agentCmd   `cmd:"" help:"Work as an agent without a browser."`
	Flow    flowCmd    `cmd:"" help:"Call flows."`
	Policy  policyCmd  `cmd:"" help:"IAM policies."`
	Audit   auditCmd   `cmd:"" help:"The audit log."`
	DB      dbCmd      `cmd:"" name:"db" help:"The database."`
	Config  configCmd  `cmd:"" help:"The configuration."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// exited carries the status with which the parser wants to leave, as after --help.
type exited int

// Main runs one command and returns its exit status. args are without the program's name; environ is as os.Environ gives
// it. When ctx ends the command winds up as after a first signal.
func Main(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) (status int) {
	defer func() {
		if p := recover(); p != nil {
			code, ok := p.(exited)
			if !ok {
				panic(p)
			}
			status = int(code)
		}
	}()
	e := &env{vars: environment(environ), stdin: stdin, stdout: stdout, stderr: stderr}
	parser, err := kong.New(&root{}, kong.Name("tandem"), kong.Writers(stdout, stderr),
		kong.Description("The open, self-hosted hub between a contact centre and a CRM.\n\n"+
			"Exit status: 0 done, 1 not done, 2 wrong command line, 3 done and the answer is no."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: false}),
		kong.Exit(func(code int) { panic(exited(code)) }), kong.Vars{"from": defaultFrom}, kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(e))
	if err != nil {
		return e.fail(fmt.Errorf("building the command line: %w", err))
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return e.misused(err)
	}
	return e.fail(parsed.Run())
}

func environment(environ []string) map[string]string {
	vars := make(map[string]string, len(environ))
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		vars[name] = value
	}
	return vars
}

// fail prints an error and returns the status it means.
func (e *env) fail(err error) int {
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, errNo):
		return ExitNo
	}
	e.complain(describe(err))
	return ExitFailed
}

func (e *env) misused(err error) int {
	about := []string{"tandem"}
	var pe *kong.ParseError
	if errors.As(err, &pe) && pe.Context != nil {
		for _, step := range pe.Context.Path {
			if step.Command != nil {
				about = append(about, step.Command.Name)
			}
		}
	}
	e.complain(fmt.Sprintf("%s; see: %s --help", oneLine(err.Error()), strings.Join(about, " ")))
	return ExitUsage
}

func (e *env) complain(text string) {
	_, _ = fmt.Fprintln(e.stderr, "tandem: "+text) // there is nowhere else to complain to
}

// describe is what a person at a terminal wants to know of an error: the whole chain in one line, since the operator may see
// causes that a user of the API may not.
func describe(err error) string {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) && !hasMessage(err) {
		return oneLine(fmt.Sprintf("%s: %v", pathErr.Path, pathErr.Err))
	}
	return oneLine(err.Error())
}

func hasMessage(err error) bool {
	var e *errs.Error
	return errors.As(err, &e) && e.Msg != ""
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/flow/flowtest"
)

// maxSuites bounds what a directory is searched for.
const maxSuites = 1000

type flowTestCmd struct {
	Path    string `arg:"" help:"A test suite (YAML, or Amazon Connect's testing language), or a directory with files *.test.yaml and *.test.json."`
	Flow    string `help:"The flow to test, for suites that name none." placeholder:"FILE"`
	JSON    bool   `help:"Print the reports as JSON."`
	Verbose bool   `short:"v" help:"Print what happened in the tests that failed."`
}

// suiteReport is what came of one suite, as --json prints it.
type suiteReport struct {
	Suite string `json:"suite"`
	flowtest.Report
}

// Run runs the suites and prints the reports. A failed test is status 1.
func (c *flowTestCmd) Run(e *env, k *kong.Kong) error {
	paths, err := suites(c.Path)
	if err != nil {
		return err
	}
	reports := make([]suiteReport, 0, len(paths))
	failed := 0
	for _, path := range paths {
		r, err := c.suite(e, path)
		if err != nil {
			return err
		}
		failed += r.Failed()
		reports = append(reports, suiteReport{Suite: path, Report: *r})
	}
	if c.JSON {
		err = e.printJSON(reports)
	} else {
		err = e.printf("%s", c.text(reports, failed))
	}
	if err == nil && failed > 0 {
		k.Exit(ExitFailed)
	}
	return err
}

// suites lists the test suites a path stands for.
func suites(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var out []string
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.ToLower(d.Name())
		isSuite := strings.HasSuffix(name, ".test.yaml") || strings.HasSuffix(name, ".test.yml") || strings.HasSuffix(name, ".test.json")
		if d.IsDir() || !isSuite {
			return nil
		}
		if out = append(out, p); len(out) > maxSuites {
			return errs.New(errs.Invalid, "%s holds more than %d test suites: name a smaller directory", path, maxSuites)
		}
		return nil
	})
	if err != nil {
		return nil, unreadable(path, err)
	}
	if len(out) == 0 {
		return nil, errs.New(errs.NotFound, "%s holds no test suites: their names end in .test.yaml or .test.json", path)
	}
	slices.Sort(out)
	return out, nil
}

func (c *flowTestCmd) suite(e *env, path string) (*flowtest.Report, error) {
	data, err := e.read(path, flowtest.MaxBytes)
	if err != nil {
		return nil, err
	}
	s, err := flowtest.ParseSuite(data)
	if err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "%s", path)
	}
	file := c.Flow
	if s.Flow != "" {
		file = s.Flow
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(path), file)
		}
	}
	if file == "" {
		return nil, errs.New(errs.Invalid, "%s names no flow: write flow: FILE in it, or use --flow", path)
	}
	f, err := e.readFlow(file)
	if err != nil {
		return nil, err
	}
	r, err := flowtest.New(f)
	if err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "%s cannot run", file)
	}
	return r.RunSuite(s), nil
}

func (c *flowTestCmd) text(reports []suiteReport, failed int) string {
	var b strings.Builder
	tests := 0
	for _, r := range reports {
		fmt.Fprintf(&b, "%s (%s)\n", r.Suite, r.Flow)
		for _, t := range r.Tests {
			tests++
			c.test(&b, t)
		}
		cover(&b, r.Coverage)
	}
	fmt.Fprintf(&b, "%d tests, %d failed\n", tests, failed)
	return b.String()
}

func (c *flowTestCmd) test(b *strings.Builder, t flowtest.Outcome) {
	if t.Passed() {
		fmt.Fprintf(b, "  ok      %s\n", t.Name)
		return
	}
	fmt.Fprintf(b, "  FAILED  %s\n", t.Name)
	for _, f := range t.Failures {
		fmt.Fprintf(b, "            %s\n", oneLine(f))
	}
	if c.Verbose && t.Result != nil {
		for line := range strings.Lines(t.Result.Text()) {
			b.WriteString("            " + line)
		}
	}
}

// cover prints the coverage with what was missed: nodes, and the exits of nodes that were reached.
func cover(b *strings.Builder, v flowtest.Coverage) {
	fmt.Fprintf(b, "  coverage: %d of %d nodes (%.0f %%), %d of %d exits (%.0f %%)\n",
		v.NodesReached, v.Nodes, 100*v.NodeShare(), v.EdgesTaken, v.Edges, 100*v.EdgeShare())
	missed := make(map[string]bool)
	for _, m := range v.Missed {
		if m.Port == "" {
			missed[m.Node] = true
			fmt.Fprintf(b, "    not reached: %s\n", m.Node)
		}
	}
	for _, m := range v.Missed {
		if m.Port != "" && !missed[m.Node] {
			fmt.Fprintf(b, "    not taken:   %s, %s to %s\n", m.Node, m.Port, m.To)
		}
	}
	for _, n := range v.Unreachable {
		fmt.Fprintf(b, "    nothing leads to: %s\n", n)
	}
}

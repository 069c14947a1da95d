// Command testcount reads the output of "go test -json" on standard input, prints what a person wants to see of it, and adds up
// what was run: with -add to a file that several suites share, with -sum from such a file and from results of Playwright.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// event is a line of go test -json (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64
	Output     string
}

// counts add up tests that have no subtests; a package that fails without a failing test counts as one.
type counts struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
}

func (c *counts) add(o counts) {
	c.Passed += o.Passed
	c.Failed += o.Failed
	c.Skipped += o.Skipped
}

func (c counts) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", c.Passed, c.Failed, c.Skipped)
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testcount:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("testcount", flag.ContinueOnError)
	add := flags.String("add", "", "file that the counts are appended to")
	sum := flags.String("sum", "", "print the sum of such a file, and of what else is named: results of Playwright in JSON")
	again := flags.String("again", "", "write what failed to this file, to be run once more, instead of counting it")
	one := flags.String("one", "", "append one test to the file of -add: passed or failed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case *sum != "":
		return total(*sum, flags.Args(), out)
	case *one != "":
		c := counts{Passed: 1}
		if *one != "passed" {
			c = counts{Failed: 1}
		}
		return appendTo(*add, c)
	}
	r := newReader(out)
	if err := r.read(in); err != nil {
		return err
	}
	if *again != "" {
		if err := r.putOff(*again); err != nil {
			return err
		}
	}
	if *add != "" {
		if err := appendTo(*add, r.counts); err != nil {
			return err
		}
	}
	if r.counts.Failed > 0 {
		return errors.New("tests failed")
	}
	return nil
}

func appendTo(path string, c counts) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // the caller names the file
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(f).Encode(c), f.Close())
}

func total(path string, playwright []string, out io.Writer) error {
	var all counts
	f, err := os.Open(path) //nolint:gosec // the caller names the file
	if err != nil {
		return err
	}
	dec := json.NewDecoder(f)
	for dec.More() {
		var c counts
		if err := dec.Decode(&c); err != nil {
			return errors.Join(err, f.Close())
		}
		all.add(c)
	}
	if err := f.Close(); err != nil {
		return err
	}
	for _, name := range playwright {
		c, err := browser(name)
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		all.add(c)
	}
	_, err = fmt.Fprintln(out, all)
	return err
}

// browser reads the statistics of Playwright's JSON reporter. A flaky test passed in the end.
func browser(path string) (counts, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // the caller names the file
	if err != nil {
		return counts{}, err
	}
	var res struct {
		Stats struct{ Expected, Unexpected, Flaky, Skipped int }
	}
	err = json.Unmarshal(raw, &res)
	return counts{Passed: res.Stats.Expected + res.Stats.Flaky, Failed: res.Stats.Unexpected, Skipped: res.Stats.Skipped}, err
}

// maxOutput is how much of a failing test's output is kept, in lines.
const maxOutput = 400

type reader struct {
	out    io.Writer
	counts counts
	output map[string][]string        // lines, by package and test
	parent map[string]bool            // tests that have subtests
	inPkg  map[string]*counts         // by package
	failed map[string]map[string]bool // tests, by package
	builds map[string][]string        // what the compiler said, by import path
	broken map[string]bool            // packages that failed
}

func newReader(out io.Writer) *reader {
	return &reader{
		out: out, output: map[string][]string{}, parent: map[string]bool{}, inPkg: map[string]*counts{},
		failed: map[string]map[string]bool{}, builds: map[string][]string{},
		broken: map[string]bool{},
	}
}

// putOff writes a line for each package that failed, with the pattern of its failed top-level tests ("." for all of them), and
// takes them out of the count: they are run once more, alone, and count then.
func (r *reader) putOff(path string) error {
	var b strings.Builder
	for _, pkg := range slices.Sorted(maps.Keys(r.broken)) {
		tops := map[string]bool{}
		for name := range r.failed[pkg] {
			top, _, _ := strings.Cut(name, "/")
			tops[top] = true
		}
		pattern := "."
		if len(tops) > 0 {
			pattern = "^(" + strings.Join(slices.Sorted(maps.Keys(tops)), "|") + ")$"
		}
		fmt.Fprintf(&b, "%s %s\n", pkg, pattern)
	}
	r.counts.Failed = 0
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

func (r *reader) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil { // the go command itself, as when modules cannot be downloaded
			r.printf("%s\n", lines.Text())
			continue
		}
		r.take(e)
	}
	return lines.Err()
}

func (r *reader) printf(format string, args ...any) { fmt.Fprintf(r.out, format, args...) }

func key(pkg, test string) string { return pkg + "\x00" + test }

func (r *reader) take(e event) {
	switch e.Action {
	case "build-output":
		r.builds[e.ImportPath] = append(r.builds[e.ImportPath], e.Output)
	case "build-fail":
		r.printf("BUILD FAILED %s\n%s", e.ImportPath, strings.Join(r.builds[e.ImportPath], ""))
	case "run":
		for name := e.Test; ; {
			i := strings.LastIndexByte(name, '/')
			if i < 0 {
				break
			}
			name = name[:i]
			r.parent[key(e.Package, name)] = true
		}
	case "output":
		k := key(e.Package, e.Test)
		r.output[k] = append(r.output[k], e.Output)
		if n := len(r.output[k]); n > 2*maxOutput {
			r.output[k] = slices.Clone(r.output[k][n-maxOutput:])
		}
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e)
			return
		}
		r.endTest(e)
	}
}

func (r *reader) ofPackage(pkg string) *counts {
	if r.inPkg[pkg] == nil {
		r.inPkg[pkg] = &counts{}
	}
	return r.inPkg[pkg]
}

func (r *reader) endTest(e event) {
	k := key(e.Package, e.Test)
	text := strings.Join(r.output[k], "")
	delete(r.output, k)
	if e.Action == "fail" {
		if r.failed[e.Package] == nil {
			r.failed[e.Package] = map[string]bool{}
		}
		r.failed[e.Package][e.Test] = true
		r.printf("FAIL %s %s (%.1fs)\n%s", e.Package, e.Test, e.Elapsed, indent(text))
	}
	if r.parent[k] && (e.Action != "fail" || r.failsBelow(e.Package, e.Test)) {
		return
	}
	c := r.ofPackage(e.Package)
	switch e.Action {
	case "pass":
		c.Passed++
	case "fail":
		c.Failed++
	case "skip":
		c.Skipped++
		r.printf("skip %s %s\n%s", e.Package, e.Test, indent(reason(text)))
	}
}

func (r *reader) failsBelow(pkg, test string) bool {
	for name := range r.failed[pkg] {
		if strings.HasPrefix(name, test+"/") {
			return true
		}
	}
	return false
}

func (r *reader) endPackage(e event) {
	c := r.ofPackage(e.Package)
	k := key(e.Package, "")
	if e.Action == "fail" && c.Failed == 0 {
		c.Failed = 1
		r.printf("%s", indent(strings.Join(r.output[k], "")))
		r.printUnfinished(e.Package)
	}
	delete(r.output, k)
	r.counts.add(*c)
	took := time.Duration(e.Elapsed * float64(time.Second)).Round(100 * time.Millisecond)
	switch {
	case e.Action == "fail":
		r.broken[e.Package] = true
		r.printf("FAIL %-60s %8s  %s\n", e.Package, took, c)
	case *c != counts{}:
		r.printf("ok   %-60s %8s  %s\n", e.Package, took, c)
	}
}

// printUnfinished shows what tests have said that were still running when their package ended: a time-out's stacks are there.
func (r *reader) printUnfinished(pkg string) {
	for _, k := range slices.Sorted(maps.Keys(r.output)) {
		test, ok := strings.CutPrefix(k, key(pkg, ""))
		if !ok || test == "" {
			continue
		}
		lines := r.output[k]
		r.printf("UNFINISHED %s %s\n%s", pkg, test, indent(strings.Join(lines[:min(len(lines), maxOutput)], "")))
		delete(r.output, k)
	}
}

// reason is what a skipped test says.
func reason(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		if t := strings.TrimSpace(line); t != "" && !strings.HasPrefix(t, "=== ") && !strings.HasPrefix(t, "--- ") {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return strings.Join(out, "\n") + "\n"
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("    " + line)
	}
	if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
		b.WriteString("\n")
	}
	return b.String()
}

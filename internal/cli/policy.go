package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/policy"
)

type policyCmd struct {
	Simulate policySimulateCmd `cmd:"" help:"Decide requests against policies."`
	Explain  policyExplainCmd  `cmd:"" help:"Decide requests and say why."`
	Lint     policyLintCmd     `cmd:"" help:"Name the faults and holes of a policy document."`
}

// cases are the arguments of simulate and explain.
type cases struct {
	File   string `arg:"" help:"JSON: a case {request, identityPolicies, permissionBoundary, sessionPolicy, resourcePolicy, trustPolicy, expected}, a list of them, or {\"cases\": [..]}; - for standard input."`
	JSON   bool   `help:"Print JSON."`
	Strict bool   `help:"Exit with 3 when a case cannot be read or is not decided as it expects."`
}

type policySimulateCmd struct {
	Cases cases `embed:""`
}

type policyExplainCmd struct {
	Cases cases `embed:""`
}

// Run prints a decision for each case.
func (c *policySimulateCmd) Run(e *env) error { return c.Cases.run(e, policy.SimulateJSON) }

// Run prints a decision for each case with its reasons.
func (c *policyExplainCmd) Run(e *env) error { return c.Cases.run(e, policy.ExplainJSON) }

func (c *cases) run(e *env, decide func(io.Reader) ([]policy.CaseResult, error)) error {
	data, err := e.read(c.File, policy.MaxSimulationBytes)
	if err != nil {
		return err
	}
	results, err := decide(bytes.NewReader(data))
	if err != nil {
		return errs.New(errs.Invalid, "%s: %v", c.File, err)
	}
	bad := 0
	for i := range results {
		if results[i].Error != "" || (results[i].Agrees != nil && !*results[i].Agrees) {
			bad++
		}
	}
	if c.JSON {
		err = e.printJSON(results)
	} else {
		err = printCases(e, results, bad)
	}
	if err == nil && c.Strict && bad > 0 {
		return errNo
	}
	return err
}

func printCases(e *env, results []policy.CaseResult, bad int) error {
	for i := range results {
		r := &results[i]
		name := r.Name
		if name == "" {
			name = fmt.Sprintf("case %d", r.Index)
		}
		line := fmt.Sprintf("%s: %s", name, r.Decision)
		switch {
		case r.Error != "":
			line = fmt.Sprintf("%s: not decided: %s", name, oneLine(r.Error))
		case r.Statement != "":
			line += fmt.Sprintf(" by %s %s of the %s policy", r.Statement, r.Sid, r.Layer)
		case r.Layer != policy.LayerNone:
			line += fmt.Sprintf(" (%s policy)", r.Layer)
		}
		if r.Agrees != nil && !*r.Agrees {
			line += fmt.Sprintf("; expected %s", r.Expected)
		}
		if err := e.printf("%s\n", oneLine(line)); err != nil {
			return err
		}
		if r.Explanation != nil {
			if err := printExplanation(e, r.Explanation); err != nil {
				return err
			}
		}
	}
	return e.printf("%d cases, %d of them not decided or not as expected\n", len(results), bad)
}

func printExplanation(e *env, x *policy.Explanation) error {
	var b strings.Builder
	put := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	put("  %s", x.Reason)
	for _, s := range x.Statements {
		verb := "matches"
		if !s.Matched {
			verb = strings.TrimSpace("does not match: " + s.Failed + " " + s.Why)
		}
		put("  %s %s of the %s policy %s", s.Effect, strings.TrimSpace(s.Path+" "+s.Sid), s.Layer, verb)
		for _, cond := range s.Conditions {
			if !cond.Matched {
				put("    condition %s %s: wanted %q, there is %q %s", cond.Operator, cond.Key, cond.Wanted, cond.Actual, cond.Why)
			}
		}
	}
	return e.printf("%s", b.String())
}

type policyLintCmd struct {
	File       string   `arg:"" help:"The policy document; - for standard input."`
	Kind       string   `help:"Where the policy is attached: ${enum}." enum:"identity,resource,boundary,session,trust" default:"identity"`
	OwnAccount []string `help:"Accounts that are not foreign, for trust policies." placeholder:"ID"`
	JSON       bool     `help:"Print the findings as JSON."`
	Strict     bool     `help:"Exit with 3 when there is a finding of severity error."`
}

// maxPolicyBytes is the longest policy document that is read; AWS allows 10 KiB at most.
const maxPolicyBytes = 1 << 20

// Run prints the findings.
func (c *policyLintCmd) Run(e *env) error {
	data, err := e.read(c.File, maxPolicyBytes)
	if err != nil {
		return err
	}
	if len(data) > maxPolicyBytes {
		return errs.New(errs.Invalid, "%s is longer than %d bytes: it is no policy document", c.File, maxPolicyBytes)
	}
	if !json.Valid(data) {
		return errs.New(errs.Invalid, "%s is not JSON: a policy document is a JSON object", c.File)
	}
	var kind policy.Kind
	if err := kind.UnmarshalText([]byte(c.Kind)); err != nil {
		return fmt.Errorf("reading the kind: %w", err)
	}
	findings := policy.LintJSON(data, kind, policy.OwnAccounts(c.OwnAccount...))
	if findings == nil {
		findings = []policy.Finding{}
	}
	if c.JSON {
		err = e.printJSON(findings)
	} else {
		err = printFindings(e, findings)
	}
	if err == nil && c.Strict && worst(findings) == policy.Error {
		return errNo
	}
	return err
}

func worst(findings []policy.Finding) policy.Severity {
	w := policy.Info
	for _, f := range findings {
		w = max(w, f.Severity)
	}
	return w
}

func printFindings(e *env, findings []policy.Finding) error {
	for _, f := range findings {
		if err := e.printf("%-7s  %s  %s: %s\n", f.Severity, f.Path, f.Rule, oneLine(f.Message)); err != nil {
			return err
		}
		if f.Fix != "" {
			if err := e.printf("         fix: %s\n", oneLine(f.Fix)); err != nil {
				return err
			}
		}
	}
	return e.printf("%d findings\n", len(findings))
}

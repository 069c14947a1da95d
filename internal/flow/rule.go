package flow

// Rule names a kind of defect; programs tell problems apart by it.
type Rule string

// Rules of Lint.
const (
	RuleTemplate   Rule = "template"   // a template that does not compile
	RulePath       Rule = "path"       // a JSONPath that is not RFC 9535, or none at all
	RuleIndefinite Rule = "indefinite" // a path to many values into a variable that holds one
	RuleDefault    Rule = "default"    // a variable that says "nothing" by the text null or None
	RuleInjection  Rule = "injection"  // a value that goes into a query of another language as it is
	RuleNow        Rule = "now"        // now() without a format
	RuleUnguarded  Rule = "unguarded"  // a record is changed whose identifier may be unset
	RuleNoHandler  Rule = "noHandler"  // requests can fail and nothing handles it
	RuleUndeclared Rule = "undeclared" // a variable that is not declared
	RuleValue      Rule = "value"      // a start value that does not fit its type
	RuleExit       Rule = "exit"       // a node that leads nowhere, or cannot be reached
	// RuleErrorBranch is an action that can fail without a branch for it.
	RuleErrorBranch Rule = "errorBranch"
	RuleShape       Rule = "shape" // a part of the file that could not be read
)

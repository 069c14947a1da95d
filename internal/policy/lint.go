package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Severity ranks a finding.
type Severity uint8

// The severities.
const (
	Info    Severity = iota // worth knowing
	Warning                 // wider than it need be, or likely not what was meant
	Error                   // a hole, or a statement that does not do what it says
)

// String returns the severity in lower case.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	default:
		return "info"
	}
}

// MarshalText writes the severity as String does.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Severity) UnmarshalText(text []byte) error {
	for c := Info; c <= Error; c++ {
		if string(text) == c.String() {
			*s = c
			return nil
		}
	}
	return fmt.Errorf("severity %q is unknown: use info, warning or error", text)
}

// Finding is something about a document that its author should know.
type Finding struct {
	Sid      string   `json:"sid,omitempty"`
	Path     string   `json:"path"` // JSON path
	Rule     string   `json:"rule"` // stable name
	Message  string   `json:"message"`
	Fix      string   `json:"fix,omitempty"`
	Severity Severity `json:"severity"`
}

// LintOption tells Lint what it cannot see in the document.
type LintOption func(*linter)

// OwnAccounts names the accounts that are not foreign. Without it every account in a trust policy counts as foreign.
func OwnAccounts(ids ...string) LintOption {
	return func(l *linter) { l.own = append(l.own, ids...) }
}

// Lint names the holes of a valid document, the gravest first, then in the order of the document.
func Lint(doc *Document, options ...LintOption) []Finding {
	l := &linter{doc: doc}
	for _, o := range options {
		o(l)
	}
	l.document()
	for i := range doc.Statements {
		l.s = &doc.Statements[i]
		for _, rule := range statementRules {
			rule(l)
		}
	}
	slices.SortStableFunc(l.findings, func(a, b Finding) int { return int(b.Severity) - int(a.Severity) })
	return l.findings
}

// LintJSON lints a document as it was written, also one that Parse refuses: what is wrong with it comes first, as findings
// of severity Error, and what could be read is linted all the same.
func LintJSON(data []byte, kind Kind, options ...LintOption) []Finding {
	doc, problems := parse(data, kind)
	out := make([]Finding, 0, len(problems))
	for _, p := range problems {
		out = append(out, Finding{Path: p.Path, Rule: p.Rule, Message: p.Message, Fix: p.Fix, Severity: Error})
	}
	if doc == nil {
		return out
	}
	return append(out, Lint(doc, options...)...)
}

type linter struct {
	doc      *Document
	s        *Statement
	own      []string
	findings []Finding
}

func (l *linter) report(severity Severity, rule, path, message, fix string) {
	sid := ""
	if l.s != nil {
		sid = l.s.Sid
	}
	l.findings = append(l.findings, Finding{Sid: sid, Path: path, Rule: rule, Message: message, Fix: fix, Severity: severity})
}

// statementRules are tried on each statement in this order.
var statementRules = [...]func(*linter){
	(*linter).placeholders, (*linter).variables, (*linter).publicPrincipal, (*linter).notPrincipal, (*linter).confusedDeputy,
	(*linter).foreignTrust, (*linter).lostPrincipal, (*linter).actions, (*linter).escalation, (*linter).decryptAny,
	(*linter).anyResource, (*linter).negatedElements, (*linter).forAllValues, (*linter).conditionTypes, (*linter).unknownKeys,
	(*linter).literalWildcards, (*linter).uselessParts, (*linter).missingKeyOnDeny, (*linter).zeroBlock,
}

func (l *linter) document() {
	if !l.doc.versionGiven {
		l.report(Warning, "version-missing", "$", "there is no Version, so the document is read as 2008-10-17, without policy variables",
			`add "Version": "2012-10-17"`)
	}
	if hasPlaceholder(l.doc.ID) {
		l.report(Error, "placeholder", "$.Id", "the Id has an unfilled placeholder: "+l.doc.ID, "fill it in")
	}
}

// texts calls f with every text of the statement in which a value may stand.
func (l *linter) texts(f func(path, text string)) {
	each := func(name string, list []string) {
		for i, text := range list {
			f(fmt.Sprintf("%s.%s[%d]", l.s.Path, name, i), text)
		}
	}
	each("Action", l.s.Action)
	each("NotAction", l.s.NotAction)
	each("Resource", l.s.Resource)
	each("NotResource", l.s.NotResource)
	for _, ref := range l.s.Principal {
		f(l.s.Path+".Principal."+ref.Type, ref.Value)
	}
	for _, ref := range l.s.NotPrincipal {
		f(l.s.Path+".NotPrincipal."+ref.Type, ref.Value)
	}
	for i := range l.s.Conditions {
		c := &l.s.Conditions[i]
		f(c.Path, c.Key)
		for _, v := range c.Values {
			f(c.Path, v)
		}
	}
	f(l.s.Path+".Sid", l.s.Sid)
}

// placeholders finds {{name}}, <name> and CloudFormation's ${AWS::Name}: texts of a template that was not filled in.
func (l *linter) placeholders() {
	l.texts(func(path, text string) {
		_, rest, angle := strings.Cut(text, "<")
		switch {
		case hasPlaceholder(text), strings.Contains(text, "${AWS::"), angle && strings.Contains(rest, ">"):
			l.report(Error, "placeholder", path, fmt.Sprintf("%q has an unfilled placeholder and matches nothing", text),
				"put the real region, account or name in its place")
		}
	})
}

// variables finds policy variables in a document of the version that does not know them.
func (l *linter) variables() {
	if l.doc.Version != Version2008 {
		return
	}
	l.texts(func(path, text string) {
		if strings.Contains(text, "${") && !strings.Contains(text, "${AWS::") {
			l.report(Error, "variable-version", path, fmt.Sprintf("%q is taken literally: Version %s has no policy variables", text, Version2008),
				`set "Version": "2012-10-17"`)
		}
	})
}

// find returns the conditions on a key, without regard to case.
func (l *linter) find(key string) []*Condition {
	var out []*Condition
	for i := range l.s.Conditions {
		if strings.EqualFold(l.s.Conditions[i].Key, key) {
			out = append(out, &l.s.Conditions[i])
		}
	}
	return out
}

// requires reports whether the statement matches only requests that have one of the keys with one of the listed values.
// Negated operators, IfExists and ForAllValues do not require anything, and a lone wildcard names no value.
func (l *linter) requires(keys ...string) bool {
	for _, key := range keys {
		for _, c := range l.find(key) {
			op, fix := parseOperator(c.Operator)
			positive := fix == "" && !op.negated && !op.ifExists && op.set != forAllValues && op.family != familyNull
			if positive && !slices.ContainsFunc(c.Values, func(v string) bool { return strings.Trim(v, "*") == "" }) {
				return true
			}
		}
	}
	return false
}

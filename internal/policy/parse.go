package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Parse reads a policy document strictly. Unknown elements, duplicate names and Sids, empty lists, both Action and
// NotAction, values an operator cannot read and the like are errors; the error is a *ParseError that names each by its
// JSON path and says what to do. Where AWS takes a string or a list of strings, so does Parse.
//
// Unfilled placeholders such as {{region}} are accepted, so that Lint can name them; they match nothing.
func Parse(data []byte, kind Kind) (*Document, error) {
	doc, problems := parse(data, kind)
	if len(problems) > 0 {
		return nil, &ParseError{Problems: problems}
	}
	return doc, nil
}

// parse returns what it could read, also when there are problems; the document is nil only if the JSON itself is broken.
func parse(data []byte, kind Kind) (*Document, []*Problem) {
	root, broken := readTree(data)
	if broken != nil {
		return nil, []*Problem{broken}
	}
	p := &parser{doc: &Document{Kind: kind, Version: Version2008}}
	p.document(root)
	return p.doc, p.problems
}

type parser struct {
	doc      *Document
	problems []*Problem
	sids     map[string]string // Sid to path
}

func (p *parser) fail(path, rule, message, fix string) {
	if len(p.problems) < maxErrors {
		p.problems = append(p.problems, problem(path, rule, message, fix))
	}
}

func (p *parser) document(root *node) {
	if root.kind != nodeObject {
		p.fail("$", "type", "the document is "+root.kind.String(), "make it an object with Version and Statement")
		return
	}
	for i := range root.fields {
		f := &root.fields[i]
		switch f.name {
		case "Version":
			p.version(f.value)
		case "Id":
			p.doc.ID, _ = p.text(f.value)
		case "Statement":
		default:
			p.unknown(f, "Version", "Id", "Statement")
		}
	}
	statements := root.get("Statement")
	if statements == nil {
		p.fail("$", "missing-element", "there is no Statement", "add a Statement list")
		return
	}
	p.statements(statements)
}

func (p *parser) version(n *node) {
	p.doc.versionGiven = true
	switch {
	case n.kind == nodeString && (n.text == Version2008 || n.text == Version2012):
		p.doc.Version = n.text
	case n.kind == nodeString && (strings.HasPrefix(n.text, Version2012+"T") || strings.HasPrefix(n.text, Version2008+"T") ||
		strings.HasPrefix(n.text, Version2012+" ") || strings.HasPrefix(n.text, Version2008+" ")):
		p.doc.Version = n.text[:len(Version2012)]
		p.fail(n.path, "version-yaml-date", fmt.Sprintf("Version %q is a date that YAML made of an unquoted %s", n.text, p.doc.Version),
			`put the version in quotes in the YAML: "`+p.doc.Version+`"`)
	default:
		p.fail(n.path, "version", fmt.Sprintf("Version %q is unknown", n.text), `use "2012-10-17"`)
	}
}

func (p *parser) statements(n *node) {
	list := n.items
	switch n.kind {
	case nodeObject:
		list = []*node{n}
	case nodeList:
	default:
		p.fail(n.path, "type", "Statement is "+n.kind.String(), "make it a list of objects")
		return
	}
	if len(list) == 0 {
		p.fail(n.path, "empty-list", "Statement is empty", "add a statement or delete the policy")
	}
	if len(list) > MaxStatements {
		p.fail(n.path, "size", fmt.Sprintf("%d statements, more than %d", len(list), MaxStatements), "split the policy")
		return
	}
	p.sids = make(map[string]string, len(list))
	p.doc.Statements = make([]Statement, 0, len(list))
	for _, item := range list {
		if item.kind != nodeObject {
			p.fail(item.path, "type", "the statement is "+item.kind.String(), "make it an object")
			continue
		}
		p.doc.Statements = append(p.doc.Statements, p.statement(item))
	}
}

// elements are the names a statement may have.
var elements = []string{
	"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}

func (p *parser) statement(n *node) Statement {
	s := Statement{Path: n.path}
	for i := range n.fields {
		f := &n.fields[i]
		switch f.name {
		case "Sid":
			p.sid(&s, f.value)
		case "Effect":
			p.effect(&s, f.value)
		case "Principal":
			s.Principal = p.principals(f.value)
		case "NotPrincipal":
			s.NotPrincipal = p.principals(f.value)
		case "Action":
			s.Action = p.actions(f.value)
		case "NotAction":
			s.NotAction = p.actions(f.value)
		case "Resource":
			s.Resource = p.resources(f.value)
		case "NotResource":
			s.NotResource = p.resources(f.value)
		case "Condition":
			s.Conditions = p.conditions(f.value)
		default:
			p.unknown(f, elements...)
		}
	}
	p.shape(n)
	return s
}

// shape checks which elements stand together.
func (p *parser) shape(n *node) {
	p.oneOf(n, "Action", "NotAction", true, false)
	if n.get("Effect") == nil {
		p.fail(n.path, "missing-element", "there is no Effect", `add "Effect": "Allow" or "Deny"`)
	}
	takes := p.doc.Kind.takesPrincipal()
	p.oneOf(n, "Principal", "NotPrincipal", takes, !takes)
	trust := p.doc.Kind == KindTrust
	p.oneOf(n, "Resource", "NotResource", !trust, trust)
}

func (p *parser) oneOf(n *node, name, not string, required, forbidden bool) {
	a, b := n.get(name), n.get(not)
	switch {
	case forbidden && (a != nil || b != nil):
		p.fail(n.path, "forbidden-element", fmt.Sprintf("%s and %s have no place in a policy of kind %s", name, not, p.doc.Kind),
			"delete the element, or attach the policy where it belongs")
	case a != nil && b != nil:
		p.fail(n.path, "both-elements", "the statement has both "+name+" and "+not, "keep one of them")
	case required && a == nil && b == nil:
		p.fail(n.path, "missing-element", "the statement has neither "+name+" nor "+not, "add "+name)
	}
}

func (p *parser) sid(s *Statement, n *node) {
	text, ok := p.text(n)
	if !ok || text == "" {
		return
	}
	s.Sid = text
	if first, dup := p.sids[text]; dup {
		p.fail(n.path, "duplicate-sid", fmt.Sprintf("Sid %q is used already at %s", text, first), "give each statement a Sid of its own")
		return
	}
	p.sids[text] = s.Path
}

func (p *parser) effect(s *Statement, n *node) {
	switch {
	case n.kind == nodeString && n.text == "Allow":
		s.Effect = Allow
	case n.kind == nodeString && n.text == "Deny":
		s.Effect = Deny
	default:
		p.fail(n.path, "effect", fmt.Sprintf("Effect %q is unknown", n.text), "write Allow or Deny, with that spelling")
	}
}

func (p *parser) text(n *node) (string, bool) {
	if n.kind != nodeString {
		p.fail(n.path, "type", "expected a string, found "+n.kind.String(), "put the value in quotes")
		return "", false
	}
	return n.text, true
}

// texts reads a string or a list of strings.
func (p *parser) texts(n *node) []*node {
	switch n.kind {
	case nodeString:
		return []*node{n}
	case nodeList:
		if len(n.items) == 0 {
			p.fail(n.path, "empty-list", "the list is empty", "add an entry or delete the element")
		}
		out := make([]*node, 0, len(n.items))
		for _, item := range n.items {
			if _, ok := p.text(item); ok {
				out = append(out, item)
			}
		}
		return out
	default:
		p.fail(n.path, "type", "expected a string or a list of strings, found "+n.kind.String(), "write a string or a list")
		return nil
	}
}

func (p *parser) actions(n *node) []string {
	nodes := p.texts(n)
	out := make([]string, 0, len(nodes))
	for _, item := range nodes {
		if fix := checkAction(item.text); fix != "" {
			p.fail(item.path, "action", fmt.Sprintf("%q is not an action", item.text), fix)
		}
		out = append(out, item.text)
	}
	return out
}

// checkAction returns what to do about a malformed action, "" if it is well formed.
func checkAction(s string) string {
	if s != "" && strings.Trim(s, "*") == "" || hasPlaceholder(s) {
		return ""
	}
	service, name, ok := strings.Cut(s, ":")
	if !ok || service == "" || name == "" {
		return "write service:Operation, such as s3:GetObject, or *"
	}
	for i := range len(s) {
		c := s[i]
		word := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !word && !strings.ContainsRune(":-_*?.", rune(c)) {
			return "use letters, digits, - and the wildcards * and ? only; variables are not allowed in actions"
		}
	}
	return ""
}

func (p *parser) resources(n *node) []string {
	nodes := p.texts(n)
	out := make([]string, 0, len(nodes))
	for _, item := range nodes {
		s := item.text
		known := strings.HasPrefix(s, "arn:") || strings.HasPrefix(s, "${") || hasPlaceholder(s) || s != "" && strings.Trim(s, "*") == ""
		if !known {
			p.fail(item.path, "resource", fmt.Sprintf("%q is not an ARN", s), "write an ARN, such as arn:aws:s3:::bucket/*, or *")
		}
		p.template(item)
		out = append(out, s)
	}
	return out
}

// template checks the policy variables of a text.
func (p *parser) template(n *node) {
	if p.doc.Version != Version2012 {
		return
	}
	if _, err := parseTemplate(n.text, true, true); err != nil {
		p.fail(n.path, "variable", err.Error(), "write ${aws:username}, ${aws:PrincipalTag/q, 'default'}, or ${*}, ${?}, ${$} for the characters themselves")
	}
}

// unknown reports an element that is not one of the known, with the likely spelling.
func (p *parser) unknown(f *field, known ...string) {
	fix := "use " + strings.Join(known, ", ")
	if i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, f.name) || strings.EqualFold(k+"s", f.name) }); i >= 0 {
		fix = "write " + known[i]
	}
	p.fail(f.value.path, "unknown-element", fmt.Sprintf("element %q is unknown", f.name), fix)
}

// hasPlaceholder reports whether a text still has a template's {{name}} in it.
func hasPlaceholder(s string) bool {
	_, rest, ok := strings.Cut(s, "{{")
	return ok && strings.Contains(rest, "}}")
}

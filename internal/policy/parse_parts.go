package policy

import (
	"fmt"
	"strings"
)

// principals reads "*", or an object of AWS, Service, Federated and CanonicalUser.
func (p *parser) principals(n *node) []PrincipalRef {
	if n.kind == nodeString {
		if n.text != "*" {
			p.fail(n.path, "principal", fmt.Sprintf("Principal %q is a bare string", n.text),
				`write {"AWS": "..."} or {"Service": "..."}; only "*" may stand alone`)
			return nil
		}
		return []PrincipalRef{{Type: "*", Value: "*"}}
	}
	if n.kind != nodeObject {
		p.fail(n.path, "type", "Principal is "+n.kind.String(), `write "*" or an object such as {"AWS": "..."}`)
		return nil
	}
	if len(n.fields) == 0 {
		p.fail(n.path, "empty-list", "Principal is empty", "name a principal")
	}
	var out []PrincipalRef
	for i := range n.fields {
		f := &n.fields[i]
		switch f.name {
		case "AWS", "Service", "Federated", "CanonicalUser":
		default:
			p.unknown(f, "AWS", "Service", "Federated", "CanonicalUser")
			continue
		}
		for _, item := range p.texts(f.value) {
			if fix := checkPrincipal(f.name, item.text); fix != "" {
				p.fail(item.path, "principal", fmt.Sprintf("%q is not a principal of type %s", item.text, f.name), fix)
				continue
			}
			out = append(out, PrincipalRef{Type: f.name, Value: item.text})
		}
	}
	return out
}

// checkPrincipal returns what to do about a malformed entry, "" if it is well formed.
func checkPrincipal(kind, value string) string {
	if hasPlaceholder(value) {
		return ""
	}
	switch kind {
	case "AWS":
		return checkAWSPrincipal(value)
	case "Service":
		if !isServiceName(value) {
			return "write a service name such as connect.amazonaws.com, without wildcards"
		}
	default:
		if value == "" || strings.ContainsAny(value, "*?") {
			return "write the provider or id in full, without wildcards"
		}
	}
	return ""
}

func checkAWSPrincipal(value string) string {
	if value == "*" || isAccountID(value) || isUniqueID(value) {
		return ""
	}
	if strings.ContainsAny(value, "*?") {
		return `principals take no wildcards but "*" alone: name each, or use "*" with a condition on aws:PrincipalArn`
	}
	if strings.Contains(value, "${") {
		return "principals take no policy variables: use a condition on aws:PrincipalArn"
	}
	if _, err := NewPrincipal(value); err != nil || !strings.HasPrefix(value, "arn:") {
		return "write *, a 12-digit account, or the ARN of a user, role, session or account root"
	}
	return ""
}

// isUniqueID recognises ids such as AROA1234567890EXAMPLE, which AWS shows for principals that were deleted.
func isUniqueID(s string) bool {
	if len(s) < 16 || s[0] != 'A' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if upper, digit := 'A' <= c && c <= 'Z', '0' <= c && c <= '9'; !upper && !digit {
			return false
		}
	}
	return true
}

func (p *parser) conditions(n *node) []Condition {
	if n.kind != nodeObject {
		p.fail(n.path, "type", "Condition is "+n.kind.String(), `write an object such as {"StringEquals": {"aws:username": "x"}}`)
		return nil
	}
	var out []Condition
	for i := range n.fields {
		out = append(out, p.operator(&n.fields[i])...)
	}
	return out
}

func (p *parser) operator(f *field) []Condition {
	op, fix := parseOperator(f.name)
	if fix != "" {
		p.fail(f.value.path, "unknown-operator", fmt.Sprintf("condition operator %q is unknown", f.name), fix)
		return nil
	}
	if f.value.kind != nodeObject {
		p.fail(f.value.path, "type", f.name+" is "+f.value.kind.String(), "write an object of condition keys")
		return nil
	}
	if len(f.value.fields) == 0 {
		p.fail(f.value.path, "empty-list", f.name+" names no key", "add a condition key or delete the operator")
	}
	out := make([]Condition, 0, len(f.value.fields))
	for i := range f.value.fields {
		k := &f.value.fields[i]
		if !isConditionKey(k.name) {
			p.fail(k.value.path, "condition-key", fmt.Sprintf("%q is not a condition key", k.name), "write service:Key, such as aws:SourceAccount")
		}
		c := Condition{Operator: f.name, Key: k.name, Path: k.value.path}
		p.values(&c, op, k.value)
		out = append(out, c)
	}
	return out
}

func isConditionKey(s string) bool {
	if hasPlaceholder(s) {
		return true
	}
	prefix, name, ok := strings.Cut(s, ":")
	return ok && prefix != "" && name != "" && !strings.ContainsAny(s, "*${}")
}

// values reads the values of a condition. AWS takes bare numbers and booleans too.
func (p *parser) values(c *Condition, op operator, n *node) {
	items := []*node{n}
	if n.kind == nodeList {
		items = n.items
		if len(items) == 0 {
			p.fail(n.path, "empty-list", "the list of values is empty", "add a value, or use Null to test for a missing key")
		}
	}
	c.Values = make([]string, 0, len(items))
	for _, item := range items {
		switch item.kind {
		case nodeString, nodeNumber, nodeBool:
		default:
			p.fail(item.path, "type", "a condition value is "+item.kind.String(), "write a string, or a list of strings")
			continue
		}
		p.value(op, item)
		c.Values = append(c.Values, item.text)
	}
}

func (p *parser) value(op operator, n *node) {
	if hasPlaceholder(n.text) {
		return
	}
	if !op.takesVariables() {
		if _, err := op.compileValue(n.text, false); err != nil {
			p.fail(n.path, "value-type", fmt.Sprintf("%s cannot read %q", op.base, n.text), err.Error())
		}
		return
	}
	p.template(n)
}

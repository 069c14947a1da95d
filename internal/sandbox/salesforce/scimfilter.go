package salesforce

import (
	"encoding/json"
	"strings"
)

// Limits of a filter: its length in bytes, its comparisons and how deep parentheses nest.
const (
	maxSCIMFilter = 2000
	maxSCIMTerms  = 50
	maxSCIMDepth  = 10
)

// scimExpr is a filter (RFC 7644 §3.4.2.2): and, or and not with one or two expressions below, or a comparison.
type scimExpr struct {
	op          string // "and", "or", "not", or a comparison's
	left, right *scimExpr
	attr        string // of a comparison: in lower case, without the URN of the core schema
	value       any    // string, bool, json.Number or nil
}

type scimParser struct {
	rest  string
	terms int
}

// parseSCIMFilter reads a filter. As on the platform, and does not bind closer than or: what is not in parentheses is taken
// from left to right.
func parseSCIMFilter(text string) (*scimExpr, error) {
	if len(text) > maxSCIMFilter {
		return nil, scimFilterFault("a filter has at most %d characters", maxSCIMFilter)
	}
	p := &scimParser{rest: text}
	e, err := p.expr(0)
	if err != nil {
		return nil, err
	}
	if p.skip(); p.rest != "" {
		return nil, scimFilterFault("%q is not expected: join comparisons by and, or", shorten(p.rest))
	}
	return e, nil
}

func scimFilterFault(format string, args ...any) error {
	return badSCIM(scimInvalidFilter, format, args...)
}

func (p *scimParser) skip() { p.rest = strings.TrimLeft(p.rest, " ") }

// word takes the next run of the characters of names and operators, in lower case.
func (p *scimParser) word() string {
	p.skip()
	end := strings.IndexFunc(p.rest, func(r rune) bool {
		return !isNameRune(r) && r != ':' && r != '-' && r != '$'
	})
	if end < 0 {
		end = len(p.rest)
	}
	w := p.rest[:end]
	p.rest = p.rest[end:]
	return strings.ToLower(w)
}

func (p *scimParser) take(c string) bool {
	p.skip()
	rest, found := strings.CutPrefix(p.rest, c)
	p.rest = rest
	return found
}

func (p *scimParser) expr(depth int) (*scimExpr, error) {
	if depth > maxSCIMDepth {
		return nil, scimFilterFault("parentheses nest deeper than %d", maxSCIMDepth)
	}
	left, err := p.term(depth)
	if err != nil {
		return nil, err
	}
	for {
		before := p.rest
		op := p.word()
		if op != "and" && op != "or" {
			p.rest = before
			return left, nil
		}
		right, err := p.term(depth)
		if err != nil {
			return nil, err
		}
		left = &scimExpr{op: op, left: left, right: right}
	}
}

func (p *scimParser) term(depth int) (*scimExpr, error) {
	if p.terms++; p.terms > maxSCIMTerms {
		return nil, scimFilterFault("a filter has at most %d comparisons", maxSCIMTerms)
	}
	if p.take("(") {
		return p.closed(depth)
	}
	attr := p.word()
	if attr == "not" && p.take("(") {
		e, err := p.closed(depth)
		return &scimExpr{op: "not", left: e}, err
	}
	e := &scimExpr{attr: scimAttrName(attr), op: p.word()}
	switch e.op {
	case "pr":
	case "eq", "ne", "co", "sw", "ew":
		if err := p.value(&e.value); err != nil {
			return nil, err
		}
	default:
		return nil, scimFilterFault(`%q is no operator here: write attribute eq "value" with eq, ne, co, sw, ew or pr`, shorten(e.op))
	}
	if attr == "" {
		return nil, scimFilterFault("an attribute is missing before %s", e.op)
	}
	return e, nil
}

// closed reads what an open parenthesis holds, and the one that closes it.
func (p *scimParser) closed(depth int) (*scimExpr, error) {
	e, err := p.expr(depth + 1)
	if err == nil && !p.take(")") {
		err = scimFilterFault("a closing parenthesis is missing")
	}
	return e, err
}

// value reads a value, which is written as in JSON.
func (p *scimParser) value(to *any) error {
	p.skip()
	dec := json.NewDecoder(strings.NewReader(p.rest))
	dec.UseNumber()
	tok, err := dec.Token()
	if _, opens := tok.(json.Delim); err != nil || opens {
		return scimFilterFault(`a value is missing at %q: write text in double quotes, or true, false, null or a number`, shorten(p.rest))
	}
	p.rest = p.rest[dec.InputOffset():]
	if p.rest != "" && p.rest[0] != ' ' && p.rest[0] != ')' {
		return scimFilterFault("%q is not expected after a value", shorten(p.rest))
	}
	*to = tok
	return nil
}

// scimColumn is where a resource keeps an attribute that filters may name.
type scimColumn struct {
	exact string // column, quoted
	fold  string // its lower-case copy; empty: case counts
	bool  bool
}

// where is the filter as an SQL condition.
func (e *scimExpr) where(columns map[string]scimColumn) (string, []any, error) {
	if e.left != nil {
		return e.joined(columns)
	}
	c, known := columns[e.attr]
	if !known {
		return "", nil, scimFilterFault("%s cannot be filtered by", shorten(e.attr))
	}
	column, v, err := e.operand(c)
	if err != nil {
		return "", nil, err
	}
	switch e.op {
	case "eq":
		if v == nil {
			return column + " IS NULL", nil, nil
		}
		return "COALESCE(" + column + " = ?, 0)", []any{v}, nil
	case "ne":
		return column + " IS NOT ?", []any{v}, nil
	case "co":
		return "COALESCE(instr(" + column + ", ?), 0) > 0", []any{v}, nil
	case "sw":
		return "COALESCE(substr(" + column + ", 1, length(?)) = ?, 0)", []any{v, v}, nil
	case "ew":
		return "COALESCE(length(" + column + ") >= length(?) AND substr(" + column + ", length(" + column + ") - length(?) + 1) = ?, 0)", []any{v, v, v}, nil
	}
	return column + " IS NOT NULL", nil, nil
}

// operand is the column a comparison reads and the value it compares with.
func (e *scimExpr) operand(c scimColumn) (string, any, error) {
	equality := e.op == "eq" || e.op == "ne"
	switch x := e.value.(type) {
	case nil:
		if !equality && e.op != "pr" {
			return "", nil, scimFilterFault("%s %s does not take null", e.attr, e.op)
		}
	case bool:
		if !c.bool || !equality {
			return "", nil, scimFilterFault("%s %s does not take true or false", e.attr, e.op)
		}
		return c.exact, bit(x), nil
	case string:
		if c.bool {
			return "", nil, scimFilterFault("%s is true or false, without quotes", e.attr)
		}
		if c.fold != "" {
			return c.fold, strings.ToLower(x), nil
		}
		return c.exact, x, nil
	default:
		return "", nil, scimFilterFault("%s is no number: write the value in double quotes", e.attr)
	}
	return c.exact, nil, nil
}

func (e *scimExpr) joined(columns map[string]scimColumn) (string, []any, error) {
	left, args, err := e.left.where(columns)
	if err != nil || e.op == "not" {
		return "NOT (" + left + ")", args, err
	}
	right, more, err := e.right.where(columns)
	return "(" + left + " " + strings.ToUpper(e.op) + " " + right + ")", append(args, more...), err
}

// matches reports whether an element of a multi-valued attribute fits a filter. Case does not count.
func (e *scimExpr) matches(element map[string]any) (bool, error) {
	if e.left != nil {
		left, err := e.left.matches(element)
		if err != nil || e.op == "not" {
			return !left, err
		}
		right, err := e.right.matches(element)
		if e.op == "and" {
			return left && right, err
		}
		return left || right, err
	}
	have, known := element[e.attr]
	if !known {
		return false, scimFilterFault("%s cannot be filtered by", shorten(e.attr))
	}
	return e.holds(have), nil
}

// holds compares a value that an element has.
func (e *scimExpr) holds(have any) bool {
	text, isText := have.(string)
	if e.op == "pr" {
		return !isText || text != ""
	}
	want, wantText := e.value.(string)
	text, want = strings.ToLower(text), strings.ToLower(want)
	if !isText || !wantText {
		same := have == e.value
		return e.op == "eq" && same || e.op == "ne" && !same
	}
	switch e.op {
	case "eq":
		return text == want
	case "ne":
		return text != want
	case "co":
		return strings.Contains(text, want)
	case "sw":
		return strings.HasPrefix(text, want)
	}
	return strings.HasSuffix(text, want)
}

// scimPath is what an operation of a PATCH is about: attribute[filter].sub.
type scimPath struct {
	attr, sub string // in lower case
	filter    *scimExpr
}

// parseSCIMPath reads a path (RFC 7644 §3.5.2).
func parseSCIMPath(text string) (p scimPath, err error) {
	bad := badSCIM("invalidPath", "the path %q is not understood", shorten(text))
	head, rest, filtered := strings.Cut(strings.TrimSpace(text), "[")
	if filtered {
		end := strings.LastIndexByte(rest, ']')
		if end < 0 {
			return p, bad
		}
		if p.filter, err = parseSCIMFilter(rest[:end]); err != nil {
			return p, err
		}
		rest = rest[end+1:]
		if rest != "" && (rest[0] != '.' || len(rest) == 1) {
			return p, bad
		}
		p.sub = strings.ToLower(strings.TrimPrefix(rest, "."))
	}
	name := scimAttrName(strings.ToLower(head))
	if name == "" || strings.ContainsAny(name, " \"()") {
		return p, bad
	}
	attr, sub, parted := strings.Cut(name, ".")
	if strings.HasPrefix(name, scimEnterprise) { // its parts come after a colon
		attr = scimEnterprise
		sub, parted = strings.CutPrefix(name[len(scimEnterprise):], ":")
	}
	if parted == (sub == "") || attr == "" || parted && filtered {
		return p, bad
	}
	if p.attr = attr; parted {
		p.sub = sub
	}
	return p, nil
}

// The schemas of users, in lower case as names are compared.
const (
	scimUserURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	scimGroupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	scimEnterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	scimEnterprise    = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user"
)

// scimAttrName takes the URN of a core schema off an attribute that is in lower case.
func scimAttrName(name string) string {
	for _, urn := range []string{scimUserURN, scimGroupURN} {
		if rest, found := strings.CutPrefix(name, strings.ToLower(urn)+":"); found {
			return rest
		}
	}
	return name
}

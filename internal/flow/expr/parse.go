package expr

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// maxDepth bounds brackets, strings and tags within each other.
	maxDepth = 60
	// maxChain bounds the operators, filters and attributes that follow each other in one expression.
	maxChain = 500
)

// parser builds a template from tokens; one method per construct of Pebble's grammar.
type parser struct {
	t      *Template
	tokens []token
	i      int
	depth  int
	refs   *refCollector
	escape []autoescape
}

func (p *parser) cur() token { return p.tokens[p.i] }

func (p *parser) peek() token { return p.tokens[min(p.i+1, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.tokens[p.i]
	if p.i < len(p.tokens)-1 {
		p.i++
	}
	return t
}

func (p *parser) is(kind tokenKind, text string) bool {
	t := p.cur()
	return t.kind == kind && t.text == text
}

func (p *parser) errAt(t token, format string, args ...any) error {
	return &SyntaxError{Pos: t.pos, Msg: fmt.Sprintf(format, args...)}
}

func (p *parser) expect(kind tokenKind, text string) (token, error) {
	t := p.cur()
	if t.kind != kind || text != "" && t.text != text {
		return t, p.errAt(t, "Unexpected %s, expected %s", describe(t), wanted(kind, text))
	}
	return p.next(), nil
}

func describe(t token) string {
	switch t.kind {
	case tokEOF:
		return "end of the template"
	case tokPrintEnd, tokTagEnd:
		return "\"" + t.text + "\""
	case tokText, tokPrintStart, tokTagStart:
		return "end of the expression"
	case tokString, tokInterpolation:
		return "string"
	default:
		return "\"" + t.text + "\""
	}
}

func wanted(kind tokenKind, text string) string {
	switch {
	case text != "":
		return "\"" + text + "\""
	case kind == tokPrintEnd:
		return "\"}}\""
	case kind == tokTagEnd:
		return "\"%}\""
	case kind == tokInterpolationEnd:
		return "\"}\" at the end of the interpolation"
	case kind == tokName:
		return "a name"
	}
	return "something else"
}

// enter counts a level of nesting.
func (p *parser) enter() error {
	p.depth++
	if p.depth > maxDepth {
		return p.errAt(p.cur(), "too many levels within each other")
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// parseBody reads statements until a tag whose name is in stop, which it leaves as the current token, or the end.
func (p *parser) parseBody(stop []string) ([]statement, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var body []statement
	for {
		t := p.cur()
		switch t.kind {
		case tokEOF:
			return body, nil
		case tokText:
			p.next()
			body = append(body, &textNode{t.text})
		case tokPrintStart:
			p.next()
			s, err := p.parsePrint()
			if err != nil {
				return nil, err
			}
			body = append(body, s)
		case tokTagStart:
			p.next()
			if p.cur().kind == tokName && slices.Contains(stop, p.cur().text) {
				return body, nil
			}
			s, err := p.parseTag()
			if err != nil {
				return nil, err
			}
			if s != nil {
				body = append(body, s)
			}
		default:
			return nil, p.errAt(t, "Unexpected %s", describe(t))
		}
	}
}

func (p *parser) parsePrint() (statement, error) {
	e, err := p.parseExpression(0)
	if err != nil {
		return nil, err
	}
	if _, err := p.expect(tokPrintEnd, ""); err != nil {
		return nil, err
	}
	return &printNode{p.autoescaped(e)}, nil
}

func (p *parser) parseTag() (statement, error) {
	t := p.cur()
	if t.kind != tokName {
		return nil, p.errAt(t, "A block must start with a tag name, not %s", describe(t))
	}
	p.t.scoped = true
	switch t.text {
	case "if":
		return p.parseIf()
	case "for":
		return p.parseFor()
	case "set":
		return p.parseSet()
	case "filter":
		return p.parseFilterTag()
	case "macro":
		return nil, p.parseMacro()
	case "autoescape":
		return p.parseAutoescape()
	case "block":
		return p.parseBlock()
	case "parallel":
		p.next()
		return p.parseWrapped("endparallel")
	case "flush":
		p.next()
		_, err := p.expect(tokTagEnd, "")
		return nil, err
	case "extends", "include", "import", "embed", "from", "cache":
		return nil, p.errAt(t, "The tag %q is not available: a flow's expression stands alone", t.text)
	}
	return nil, p.errAt(t, "Unexpected tag name %q", t.text)
}

// endTag skips the tag that ended a body, for instance {% endfor %}.
func (p *parser) endTag(name string) error {
	if p.cur().kind == tokEOF {
		return p.errAt(p.cur(), "Unexpected end of template. Pebble was looking for the %q tag", name)
	}
	if _, err := p.expect(tokName, name); err != nil {
		return err
	}
	_, err := p.expect(tokTagEnd, "")
	return err
}

func (p *parser) parseWrapped(end string) (*bodyNode, error) {
	if _, err := p.expect(tokTagEnd, ""); err != nil {
		return nil, err
	}
	body, err := p.parseBody([]string{end})
	if err != nil {
		return nil, err
	}
	return &bodyNode{body}, p.endTag(end)
}

func (p *parser) parseIf() (statement, error) {
	node := &ifNode{}
	stop := []string{"elseif", "else", "endif"}
	for more := true; more; {
		t := p.next() // if or elseif
		cond, err := p.parseExpression(0)
		if err != nil {
			return nil, err
		}
		if _, err := p.expect(tokTagEnd, ""); err != nil {
			return nil, err
		}
		body, err := p.parseBody(stop)
		if err != nil {
			return nil, err
		}
		node.arms = append(node.arms, ifArm{t.pos, cond, body})
		more = p.is(tokName, "elseif")
	}
	// Pebble lets several else follow each other; the last one counts.
	for p.is(tokName, "else") {
		p.next()
		if _, err := p.expect(tokTagEnd, ""); err != nil {
			return nil, err
		}
		body, err := p.parseBody([]string{"endif"})
		if err != nil {
			return nil, err
		}
		node.otherwise = body
	}
	return node, p.endTag("endif")
}

func (p *parser) parseFor() (statement, error) {
	pos := p.next().pos
	name, err := p.parseNewName()
	if err != nil {
		return nil, err
	}
	if _, err := p.expect(tokName, "in"); err != nil {
		return nil, err
	}
	node := &forNode{pos: pos, name: name}
	if node.over, err = p.parseExpression(0); err != nil {
		return nil, err
	}
	if _, err := p.expect(tokTagEnd, ""); err != nil {
		return nil, err
	}
	p.refs.push(name, "loop")
	node.body, err = p.parseBody([]string{"else", "endfor"})
	p.refs.pop()
	if err != nil {
		return nil, err
	}
	if p.is(tokName, "else") {
		p.next()
		if _, err := p.expect(tokTagEnd, ""); err != nil {
			return nil, err
		}
		if node.otherwise, err = p.parseBody([]string{"endfor"}); err != nil {
			return nil, err
		}
	}
	return node, p.endTag("endfor")
}

func (p *parser) parseSet() (statement, error) {
	p.next()
	name, err := p.parseNewName()
	if err != nil {
		return nil, err
	}
	if _, err := p.expect(tokPunct, "="); err != nil {
		return nil, err
	}
	e, err := p.parseExpression(0)
	if err != nil {
		return nil, err
	}
	p.refs.define(name)
	_, err = p.expect(tokTagEnd, "")
	return &setNode{name, e}, err
}

func (p *parser) parseFilterTag() (statement, error) {
	p.next()
	render := &renderExpr{}
	var e expression = render
	for {
		call, err := p.parseCall()
		if err != nil {
			return nil, err
		}
		e = newFilter(e, call)
		if !p.is(tokOperator, "|") {
			break
		}
		p.next()
	}
	body, err := p.parseWrapped("endfilter")
	if err != nil {
		return nil, err
	}
	render.body = body.body
	return &printNode{e}, nil
}

func (p *parser) parseMacro() error {
	p.next()
	name, err := p.expect(tokName, "")
	if err != nil {
		return err
	}
	m := &macro{}
	if m.params, m.defaults, err = p.parseParams(); err != nil {
		return err
	}
	p.refs.pushLocal(m.params)
	body, err := p.parseWrapped("endmacro")
	p.refs.pop()
	if err != nil {
		return err
	}
	m.body = body.body
	if p.t.macros == nil {
		p.t.macros = map[string]*macro{}
	}
	if _, ok := p.t.macros[name.text]; ok {
		return p.errAt(name, "More than one macro can not share the same name: %s", name.text)
	}
	p.t.macros[name.text] = m
	return nil
}

func (p *parser) parseParams() (names []string, defaults []expression, err error) {
	if _, err := p.expect(tokPunct, "("); err != nil {
		return nil, nil, err
	}
	for !p.is(tokPunct, ")") {
		if len(names) > 0 {
			if _, err := p.expect(tokPunct, ","); err != nil {
				return nil, nil, err
			}
		}
		name, err := p.parseNewName()
		if err != nil {
			return nil, nil, err
		}
		var def expression
		if p.is(tokPunct, "=") {
			p.next()
			if def, err = p.parseExpression(0); err != nil {
				return nil, nil, err
			}
		}
		names, defaults = append(names, name), append(defaults, def)
	}
	p.next()
	return names, defaults, nil
}

func (p *parser) parseBlock() (statement, error) {
	p.next()
	t := p.cur()
	if t.kind != tokName && t.kind != tokString {
		return nil, p.errAt(t, "Unexpected %s, expected the block's name", describe(t))
	}
	p.next()
	if _, err := p.expect(tokTagEnd, ""); err != nil {
		return nil, err
	}
	list, err := p.parseBody([]string{"endblock"})
	if err != nil {
		return nil, err
	}
	if err := p.endBlock(t.text); err != nil {
		return nil, err
	}
	body := &bodyNode{list}
	if p.t.blocks == nil {
		p.t.blocks = map[string]*block{}
	}
	b := &block{body.body}
	p.t.blocks[t.text] = b
	return b, nil
}

// endBlock takes the end of a block, which may say the block's name again.
func (p *parser) endBlock(name string) error {
	if after := p.peek(); p.is(tokName, "endblock") && (after.kind == tokName || after.kind == tokString) && after.text == name {
		p.next()
		p.next()
		_, err := p.expect(tokTagEnd, "")
		return err
	}
	return p.endTag("endblock")
}

// autoescape is one level of the autoescape tag.
type autoescape struct {
	active   bool
	strategy string
}

func (p *parser) parseAutoescape() (statement, error) {
	p.next()
	state := autoescape{active: true}
	if t := p.cur(); t.kind == tokName {
		state.active = strings.EqualFold(t.text, "true")
		p.next()
	}
	if t := p.cur(); t.kind == tokString {
		state.strategy = t.text
		p.next()
	}
	p.escape = append(p.escape, state)
	body, err := p.parseWrapped("endautoescape")
	p.escape = p.escape[:len(p.escape)-1]
	if err != nil {
		return nil, err
	}
	return body, nil
}

// autoescaped wraps what {{ }} prints by the escape filter where an autoescape tag asks for it.
func (p *parser) autoescaped(e expression) expression {
	if len(p.escape) == 0 || !p.escape[len(p.escape)-1].active {
		return e
	}
	if t, ok := e.(*ternary); ok {
		t.yes, t.no = p.escaped(t.yes), p.escaped(t.no)
		return t
	}
	return p.escaped(e)
}

func (p *parser) escaped(e expression) expression {
	if isLiteralString(e) {
		return e
	}
	if c, ok := e.(*concat); ok && isLiteralString(c.left) && isLiteralString(c.right) {
		return e
	}
	if _, ok := e.(*blockCall); ok {
		return e
	}
	c := &call{name: "escape", pos: e.at()}
	if s := p.escape[len(p.escape)-1].strategy; s != "" {
		c.named = []namedArg{{"strategy", &literal{pos: e.at(), val: s}}}
	}
	return newFilter(e, c)
}

func isLiteralString(e expression) bool {
	l, ok := e.(*literal)
	if !ok {
		return false
	}
	_, ok = l.val.(string)
	return ok
}

// parseNewName reads a name that the template defines.
func (p *parser) parseNewName() (string, error) {
	t, err := p.expect(tokName, "")
	if err != nil {
		return "", err
	}
	switch t.text {
	case "true", "false", "null", "none":
		return "", p.errAt(t, "Can not assign a value to %s", t.text)
	}
	return t.text, nil
}

package expr

import (
	"strconv"
)

// precedence of the binary operators, as Pebble's CoreExtension declares them. All are left-associative.
func precedence(op string) (int, bool) {
	switch op {
	case "or":
		return 10, true
	case "and":
		return 15, true
	case "is", "is not", "contains":
		return 20, true
	case "==", "equals", "!=", ">", "<", ">=", "<=":
		return 30, true
	case "+", "-":
		return 40, true
	case "*", "/", "%":
		return 60, true
	case "|":
		return 100, true
	case "~":
		return 110, true
	case "..":
		return 120, true
	}
	return 0, false
}

// unaryPrecedence binds tighter than every binary operator.
const unaryPrecedence = 500

// parseExpression climbs precedences from minimum upwards; at 0 it also takes a ternary.
func (p *parser) parseExpression(minimum int) (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	e, err := p.parseOperand()
	if err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		t := p.cur()
		if t.kind != tokOperator {
			break
		}
		prec, ok := precedence(t.text)
		if !ok || prec < minimum {
			break
		}
		if n == maxChain {
			return nil, p.errAt(t, "the expression has too many operators in a row: split it over several assignments")
		}
		p.next()
		if e, err = p.parseRight(e, t, prec); err != nil {
			return nil, err
		}
	}
	if minimum > 0 || !p.is(tokPunct, "?") {
		return e, nil
	}
	return p.parseTernary(e)
}

func (p *parser) parseRight(left expression, op token, prec int) (expression, error) {
	switch op.text {
	case "|":
		c, err := p.parseCall()
		if err != nil {
			return nil, err
		}
		if c.name == "default" {
			p.refs.guard(left)
		}
		return newFilter(left, c), nil
	case "is", "is not":
		c, err := p.parseCall()
		if err != nil {
			return nil, err
		}
		switch c.name {
		case "null", "defined", "empty":
			p.refs.guard(left)
		}
		return &testExpr{left: left, call: c, not: op.text == "is not"}, nil
	}
	right, err := p.parseExpression(prec + 1)
	if err != nil {
		return nil, err
	}
	return binary(op, left, right), nil
}

func binary(op token, left, right expression) expression {
	switch op.text {
	case "or", "and":
		return &logic{op.pos, left, right, op.text == "or"}
	case "contains":
		return &contains{op.pos, left, right}
	case "~":
		return &concat{op.pos, left, right}
	case "..":
		c := &call{name: "range", pos: op.pos, args: []expression{left, right}}
		return &funcExpr{c, lookupFunc("range")}
	case "+", "-", "*", "/", "%":
		return &arith{op.pos, left, right, op.text[0]}
	}
	return &compare{op.pos, left, right, op.text}
}

func (p *parser) parseTernary(cond expression) (expression, error) {
	pos := p.next().pos
	yes, err := p.parseExpression(0)
	if err != nil {
		return nil, err
	}
	if _, err := p.expect(tokPunct, ":"); err != nil {
		return nil, err
	}
	no, err := p.parseExpression(0)
	return &ternary{pos, cond, yes, no}, err
}

func (p *parser) parseOperand() (expression, error) {
	t := p.cur()
	switch {
	case t.kind == tokOperator && (t.text == "not" || t.text == "+" || t.text == "-"):
		p.next()
		e, err := p.parseExpression(unaryPrecedence)
		return &unary{t.pos, e, t.text[0]}, err
	case p.is(tokPunct, "("):
		p.next()
		e, err := p.parseExpression(0)
		if err != nil {
			return nil, err
		}
		if _, err := p.expect(tokPunct, ")"); err != nil {
			return nil, err
		}
		return p.parsePostfix(e)
	case p.is(tokPunct, "["):
		return p.parseList()
	case p.is(tokPunct, "{"):
		return p.parseMap()
	}
	e, err := p.parsePrimary()
	if err != nil {
		return nil, err
	}
	return p.parsePostfix(e)
}

func (p *parser) parsePrimary() (expression, error) {
	t := p.cur()
	switch t.kind {
	case tokName:
		return p.parseName()
	case tokLong, tokNumber:
		p.next()
		v, err := parseNumber(t.text)
		if err != nil {
			return nil, p.errAt(t, "The number %s is too large", t.text)
		}
		return &literal{t.pos, v}, nil
	case tokString, tokInterpolation:
		return p.parseString()
	default:
		return nil, p.errAt(t, "Unexpected %s, expected a value", describe(t))
	}
}

func parseNumber(s string) (any, error) {
	for i := range len(s) {
		if s[i] == '.' {
			f, err := strconv.ParseFloat(s, 64)
			return f, err
		}
	}
	i, err := strconv.ParseInt(s, 10, 64)
	return long(i), err
}

func (p *parser) parseName() (expression, error) {
	t := p.cur()
	switch t.text {
	case "true", "TRUE":
		p.next()
		return &literal{t.pos, true}, nil
	case "false", "FALSE":
		p.next()
		return &literal{t.pos, false}, nil
	case "none", "NONE", "null", "NULL":
		p.next()
		return &literal{t.pos, nil}, nil
	}
	if after := p.peek(); after.kind != tokPunct || after.text != "(" {
		p.next()
		v := &variable{t.pos, t.text}
		p.refs.add(v)
		return v, nil
	}
	c, err := p.parseCall()
	if err != nil {
		return nil, err
	}
	switch c.name {
	case "block":
		return &blockCall{c}, nil
	case "parent":
		return nil, p.errAt(t, "parent() is not available: a flow's expression stands alone")
	}
	return &funcExpr{c, lookupFunc(c.name)}, nil
}

// parseString reads a string and its interpolations: "a#{b}c".
func (p *parser) parseString() (expression, error) {
	var e expression
	wasString := false
	for n := 0; ; n++ {
		t := p.cur()
		var part expression
		switch {
		case n > maxChain:
			return nil, p.errAt(t, "the string has too many interpolations")
		case t.kind == tokString && !wasString:
			p.next()
			part, wasString = &literal{t.pos, t.text}, true
		case t.kind == tokInterpolation:
			p.next()
			inner, err := p.parseExpression(0)
			if err != nil {
				return nil, err
			}
			if _, err := p.expect(tokInterpolationEnd, ""); err != nil {
				return nil, err
			}
			part, wasString = inner, false
		default:
			return e, nil
		}
		if e == nil {
			e = part
		} else {
			e = &concat{t.pos, e, part}
		}
	}
}

// parsePostfix reads the attributes and calls that follow a value: .name, .name(args), [expression].
func (p *parser) parsePostfix(e expression) (expression, error) {
	for n := 0; ; n++ {
		t := p.cur()
		if n == maxChain {
			return nil, p.errAt(t, "the expression has too many attributes in a row")
		}
		var err error
		switch {
		case p.is(tokPunct, "."):
			p.next()
			e, err = p.parseMember(e)
		case p.is(tokPunct, "["):
			p.next()
			var key expression
			if key, err = p.parseExpression(0); err != nil {
				return nil, err
			}
			e = &attribute{pos: t.pos, obj: e, key: key}
			p.refs.extend(e)
			_, err = p.expect(tokPunct, "]")
		case p.is(tokPunct, "("):
			return nil, p.errAt(t, "Only a function or a method can be called")
		default:
			return e, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) parseMember(obj expression) (expression, error) {
	name, err := p.expect(tokName, "")
	if err != nil {
		return nil, err
	}
	a := &attribute{pos: name.pos, obj: obj, key: &literal{name.pos, name.text}}
	if !p.is(tokPunct, "(") {
		p.refs.extend(a)
		return a, nil
	}
	c := &call{name: name.text, pos: name.pos}
	if err := p.parseArguments(c); err != nil {
		return nil, err
	}
	if len(c.named) > 0 {
		return nil, p.errAt(name, "Can not use named arguments when calling a bean method")
	}
	a.args, a.called = c.args, true
	return a, nil
}

// parseCall reads a name and its arguments, if any.
func (p *parser) parseCall() (*call, error) {
	name, err := p.expect(tokName, "")
	if err != nil {
		return nil, err
	}
	c := &call{name: name.text, pos: name.pos}
	if p.is(tokPunct, "(") {
		err = p.parseArguments(c)
	}
	return c, err
}

func (p *parser) parseArguments(c *call) error {
	p.next()
	for !p.is(tokPunct, ")") {
		if len(c.args)+len(c.named) > 0 {
			if _, err := p.expect(tokPunct, ","); err != nil {
				return err
			}
		}
		name := ""
		if after := p.peek(); after.kind == tokPunct && after.text == "=" {
			var err error
			if name, err = p.parseNewName(); err != nil {
				return err
			}
			p.next()
		}
		e, err := p.parseExpression(0)
		if err != nil {
			return err
		}
		switch {
		case name != "":
			c.named = append(c.named, namedArg{name, e})
		case len(c.named) > 0:
			return p.errAt(p.cur(), "Positional arguments must be declared before any named arguments")
		default:
			c.args = append(c.args, e)
		}
	}
	p.next()
	return nil
}

func (p *parser) parseList() (expression, error) {
	list := &listExpr{pos: p.next().pos}
	if p.is(tokPunct, "]") {
		p.next()
		return list, nil
	}
	for {
		e, err := p.parseExpression(0)
		if err != nil {
			return nil, err
		}
		list.items = append(list.items, e)
		if p.is(tokPunct, "]") {
			p.next()
			return list, nil
		}
		if _, err := p.expect(tokPunct, ","); err != nil {
			return nil, err
		}
	}
}

func (p *parser) parseMap() (expression, error) {
	m := &mapExpr{pos: p.next().pos}
	if p.is(tokPunct, "}") {
		p.next()
		return m.fix(), nil
	}
	for {
		k, err := p.parseExpression(0)
		if err != nil {
			return nil, err
		}
		if _, err := p.expect(tokPunct, ":"); err != nil {
			return nil, err
		}
		v, err := p.parseExpression(0)
		if err != nil {
			return nil, err
		}
		m.keys, m.vals = append(m.keys, k), append(m.vals, v)
		if p.is(tokPunct, "}") {
			p.next()
			return m.fix(), nil
		}
		if _, err := p.expect(tokPunct, ","); err != nil {
			return nil, err
		}
	}
}

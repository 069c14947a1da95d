package soql

import (
	"math"
	"strconv"
	"strings"
)

// reserved are the words that never name a field, an entity or an alias. Other words of the grammar (ORDER, GROUP, CASE,
// OFFSET, ALL ..) may: Order, Group and Case are entities.
func reserved(word string) bool {
	switch strings.ToUpper(word) {
	case "SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "LIKE", "INCLUDES", "EXCLUDES", "ASC", "DESC", "NULLS", "FIRST",
		"LAST", "LIMIT", "HAVING", "BY", "WITH", "USING", "FOR", "UPDATE", "ELSE", "ROLLUP", "CUBE", "NULL", "TRUE", "FALSE",
		"AS", "LOOKUP", "BIND", "HIERARCHICAL":
		return true
	}
	return false
}

// keyword are the words of the grammar that may name a field, an entity or an alias all the same, but neither a scope nor
// what UPDATE counts.
func keyword(word string) bool {
	switch strings.ToUpper(word) {
	case "DATA", "CATEGORY", "AT", "ABOVE", "BELOW", "ABOVE_OR_BELOW", "OFFSET", "VIEW", "REFERENCE", "TYPEOF", "WHEN", "THEN", "END",
		"DISTANCE", "GEOLOCATION", "GROUP", "ORDER", "CASE", "FIELDS", "COUNT", "SCOPE", "FLAT":
		return true
	}
	return false
}

// Parse reads one SOQL query. The error is an *Error with the place of the first fault.
func Parse(src string) (*Query, error) {
	p, err := newParser(src, false)
	if err != nil {
		return nil, err
	}
	q := p.query()
	for p.acceptPunct(";") { // any number of them is let pass
	}
	if p.err == nil && p.peek().kind != tokEOF {
		p.unexpected()
	}
	if p.err != nil {
		return nil, p.err
	}
	return q, nil
}

// parser reads tokens. After the first fault err is set and every further token is the end of the text, so that the rules
// need no error handling of their own; their loops end because nothing matches any more.
type parser struct {
	src    string
	tokens []token
	at     int
	depth  int
	err    error
}

func newParser(src string, braces bool) (*parser, error) {
	tokens, err := scan(src, braces)
	if err != nil {
		return nil, err
	}
	return &parser{src: src, tokens: tokens}, nil
}

func (p *parser) peek() token { return p.tokens[p.at] }

// ahead returns the token n after the next one.
func (p *parser) ahead(n int) token { return p.tokens[min(p.at+n, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokEOF {
		p.at++
	}
	return t
}

func (p *parser) fail(pos Pos, msg string) {
	if p.err == nil {
		p.err = newError(p.src, pos, msg)
	}
	p.at = len(p.tokens) - 1
}

func (p *parser) unexpected() {
	t := p.peek()
	p.fail(t.pos, "unexpected token: '"+t.show()+"'")
}

func isWord(t token, word string) bool { return t.kind == tokWord && strings.EqualFold(t.text, word) }

func isPunct(t token, text string) bool { return t.kind == tokPunct && t.text == text }

func isName(t token) bool { return t.kind == tokWord && !reserved(t.text) }

func isPlainName(t token) bool { return isName(t) && !keyword(t.text) }

func (p *parser) acceptWord(word string) bool {
	if !isWord(p.peek(), word) {
		return false
	}
	p.at++
	return true
}

func (p *parser) expectWord(word string) {
	if !p.acceptWord(word) {
		p.unexpected()
	}
}

func (p *parser) acceptPunct(text string) bool {
	if !isPunct(p.peek(), text) {
		return false
	}
	p.at++
	return true
}

func (p *parser) expectPunct(text string) {
	if !p.acceptPunct(text) {
		p.unexpected()
	}
}

func (p *parser) name() token {
	if !isName(p.peek()) {
		p.unexpected()
		return token{}
	}
	return p.next()
}

// plainName is a name that is no word of the grammar.
func (p *parser) plainName() token {
	if !isPlainName(p.peek()) {
		p.unexpected()
		return token{}
	}
	return p.next()
}

// enter counts a level of nesting; leave ends it.
func (p *parser) enter() {
	if p.depth++; p.depth > MaxDepth {
		p.fail(p.peek().pos, "the query is nested more than "+strconv.Itoa(MaxDepth)+" levels deep: flatten it")
	}
}

func (p *parser) leave() { p.depth-- }

func (p *parser) query() *Query {
	p.enter()
	defer p.leave()
	q := &Query{Pos: p.peek().pos}
	p.expectWord("SELECT")
	if isWord(p.peek(), "COUNT") && isPunct(p.ahead(1), "(") && isPunct(p.ahead(2), ")") {
		p.at += 3
		q.Count = true
	} else {
		q.Select = p.selectItems()
	}
	q.From = p.from()
	q.Where = p.where("WHERE")
	q.With = p.with(false)
	if isWord(p.peek(), "GROUP") {
		q.GroupBy = p.groupBy()
		q.Having = p.where("HAVING")
	}
	q.OrderBy = p.orderBy()
	q.Limit = p.number("LIMIT")
	q.Offset = p.number("OFFSET")
	if p.acceptWord("BIND") {
		q.Bind = p.bindings(false)
	}
	if p.acceptWord("FOR") {
		q.For = p.oneOf("VIEW", "REFERENCE")
	}
	if p.acceptWord("UPDATE") {
		q.Update = p.names(p.plainName)
	}
	return q
}

// semiJoin reads the inside of IN (..): one field and no order, limit or alias.
func (p *parser) semiJoin() *Query {
	p.enter()
	defer p.leave()
	q := &Query{Pos: p.peek().pos}
	p.expectWord("SELECT")
	pos := p.peek().pos
	q.Select = []SelectItem{{Pos: pos, Expr: p.field()}}
	q.From = p.from()
	q.Where = p.where("WHERE")
	q.With = p.with(true)
	return q
}

func (p *parser) oneOf(words ...string) string {
	for _, w := range words {
		if p.acceptWord(w) {
			return w
		}
	}
	p.unexpected()
	return ""
}

func (p *parser) names(one func() token) []string {
	out := []string{one().text}
	for p.acceptPunct(",") {
		out = append(out, one().text)
	}
	return out
}

func (p *parser) selectItems() []SelectItem {
	items := []SelectItem{p.selectItem()}
	for p.acceptPunct(",") {
		items = append(items, p.selectItem())
	}
	return items
}

func (p *parser) selectItem() SelectItem {
	t := p.peek()
	item := SelectItem{Pos: t.pos}
	switch {
	case p.acceptPunct("("):
		item.Sub = p.query()
		p.expectPunct(")")
	case isWord(t, "TYPEOF") && isName(p.ahead(1)) && isWord(p.ahead(2), "WHEN"):
		item.TypeOf = p.typeOf()
	default:
		item.Expr = p.column()
	}
	if p.aliasHere() {
		item.Alias = p.next().text
	}
	return item
}

func (p *parser) typeOf() *TypeOf {
	t := &TypeOf{Pos: p.next().pos, What: p.field()}
	for isWord(p.peek(), "WHEN") {
		pos := p.next().pos
		when := When{Pos: pos, Type: p.name().text}
		p.expectWord("THEN")
		when.Fields = p.fields()
		t.Whens = append(t.Whens, when)
	}
	if p.acceptWord("ELSE") {
		t.Else = p.fields()
	}
	p.expectWord("END")
	return t
}

func (p *parser) fields() []Expr {
	out := []Expr{p.field()}
	for p.acceptPunct(",") {
		out = append(out, p.field())
	}
	return out
}

// column is a field or a DISTANCE, which has a shape of its own.
func (p *parser) column() Expr {
	if isWord(p.peek(), "DISTANCE") && isPunct(p.ahead(1), "(") {
		// DISTANCE(x) and DISTANCE(f(x)) are read as any other function would be.
		if isName(p.ahead(2)) && !isPunct(p.ahead(3), ")") && !isPunct(p.ahead(3), "(") {
			return p.distance()
		}
	}
	return p.field()
}

func (p *parser) distance() Expr {
	d := &Distance{Pos: p.next().pos}
	p.expectPunct("(")
	d.Field = p.field()
	p.expectPunct(",")
	p.expectWord("GEOLOCATION")
	p.expectPunct("(")
	d.Lat = p.signed()
	p.expectPunct(",")
	d.Lon = p.signed()
	p.expectPunct(")")
	p.expectPunct(",")
	if p.peek().kind != tokString {
		p.unexpected()
	}
	d.Unit = p.next().text
	p.expectPunct(")")
	return d
}

// field is a name, f(name) or f(g(name)).
func (p *parser) field() Expr { return p.nested(2) }

func (p *parser) nested(calls int) Expr {
	t := p.name()
	if calls == 0 || !p.acceptPunct("(") {
		return &Field{Pos: t.pos, Name: t.text}
	}
	f := &Func{Pos: t.pos, Name: t.text, Arg: p.nested(calls - 1)}
	p.expectPunct(")")
	return f
}

func (p *parser) from() []From {
	p.expectWord("FROM")
	out := []From{p.fromItem()}
	for p.acceptPunct(",") {
		out = append(out, p.fromItem())
	}
	return out
}

func (p *parser) fromItem() From {
	t := p.name()
	f := From{Pos: t.pos, Name: t.text}
	p.acceptWord("AS")
	if p.aliasHere() {
		f.Alias = p.next().text
	}
	if !p.acceptWord("USING") {
		return f
	}
	for {
		switch p.oneOf("SCOPE", "LOOKUP") {
		case "SCOPE":
			f.Scope = p.plainName().text
		case "LOOKUP":
			f.Lookup = p.plainName().text
		}
		// A comma may start the next USING expression or the next entity, which may be called SCOPE.
		more := isWord(p.ahead(1), "LOOKUP") || isWord(p.ahead(1), "SCOPE") && isPlainName(p.ahead(2)) && !isWord(p.ahead(3), "USING")
		if !isPunct(p.peek(), ",") || !more {
			return f
		}
		p.at++
	}
}

// aliasHere tells an alias from a clause that starts with a word which may be a name: ORDER BY, GROUP BY, OFFSET n.
func (p *parser) aliasHere() bool {
	t, after := p.peek(), p.ahead(1)
	switch {
	case !isName(t):
		return false
	case isWord(t, "ORDER"), isWord(t, "GROUP"):
		return !isWord(after, "BY")
	case isWord(t, "OFFSET"):
		return after.kind != tokInteger && !isPunct(after, "+") && !isPunct(after, "-")
	}
	return true
}

func (p *parser) groupBy() *GroupBy {
	g := &GroupBy{Pos: p.next().pos}
	p.expectWord("BY")
	for _, mode := range []string{"ROLLUP", "CUBE"} {
		if p.acceptWord(mode) {
			g.Mode = mode
			p.expectPunct("(")
			g.Fields = p.fields()
			p.expectPunct(")")
			return g
		}
	}
	g.Fields = p.fields()
	return g
}

func (p *parser) orderBy() []Order {
	if !p.acceptWord("ORDER") {
		return nil
	}
	p.expectWord("BY")
	out := []Order{p.orderTerm()}
	for p.acceptPunct(",") {
		out = append(out, p.orderTerm())
	}
	return out
}

func (p *parser) orderTerm() Order {
	o := Order{Expr: p.column()}
	if !p.acceptWord("ASC") {
		o.Desc = p.acceptWord("DESC")
	}
	if p.acceptWord("NULLS") {
		o.Nulls = p.oneOf("FIRST", "LAST")
	}
	return o
}

// number reads `word n`; nil when the word is not there.
func (p *parser) number(word string) *Int {
	if !p.acceptWord(word) {
		return nil
	}
	pos := p.peek().pos
	minus := p.acceptPunct("-")
	if !minus {
		p.acceptPunct("+")
	}
	if p.peek().kind != tokInteger {
		p.unexpected()
		return nil
	}
	n, err := strconv.Atoi(p.next().text)
	if err != nil {
		n = math.MaxInt
	}
	if minus {
		n = -n
	}
	return &Int{Pos: pos, Value: n}
}

// bindings reads name = value, ..; each value is a string, a whole number without a sign or a boolean where plain is set.
func (p *parser) bindings(plain bool) []Binding {
	var out []Binding
	for {
		b := Binding{Name: p.name().text}
		p.expectPunct("=")
		if t := p.peek(); plain && t.kind != tokString && t.kind != tokInteger && !isWord(t, "TRUE") && !isWord(t, "FALSE") {
			p.unexpected()
		}
		b.Value = p.value(false)
		out = append(out, b)
		if !p.acceptPunct(",") {
			return out
		}
	}
}

// with reads the WITH clauses. The categories or `name = value` come first and once; narrow leaves it at that.
func (p *parser) with(narrow bool) []With {
	var out []With
	for first := true; isWord(p.peek(), "WITH"); first = false {
		if narrow && !first {
			return out
		}
		w := With{Pos: p.next().pos}
		switch {
		case first && isWord(p.peek(), "DATA") && isWord(p.ahead(1), "CATEGORY"):
			p.at += 2
			w.Categories = p.categories()
		case first && isName(p.peek()) && isPunct(p.ahead(1), "="):
			w.Name = p.next().text
			p.at++
			if p.peek().kind != tokString {
				p.unexpected()
			}
			v := p.value(false)
			w.Value = &v
		case narrow:
			p.unexpected()
		default:
			w.Name = p.name().text
			if p.acceptPunct("(") {
				w.Args = p.bindings(true)
				p.expectPunct(")")
			}
		}
		out = append(out, w)
	}
	return out
}

func (p *parser) categories() []DataCategory {
	var out []DataCategory
	for {
		c := DataCategory{Field: p.field(), Op: p.oneOf("AT", "ABOVE_OR_BELOW", "ABOVE", "BELOW")}
		if p.acceptPunct("(") {
			c.Names = p.names(p.name)
			p.expectPunct(")")
		} else {
			c.Names = []string{p.name().text}
		}
		out = append(out, c)
		if !p.acceptWord("AND") {
			return out
		}
	}
}

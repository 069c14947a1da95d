package soql

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

func (p *parser) where(word string) Cond {
	if !p.acceptWord(word) {
		return nil
	}
	return p.conditions()
}

// conditions reads a AND b AND .., a OR b OR .., or NOT a. Mixing them needs parentheses.
func (p *parser) conditions() Cond {
	p.enter()
	defer p.leave()
	if p.acceptWord("NOT") {
		return &Not{Term: p.condition()}
	}
	first := p.condition()
	for _, word := range []string{"AND", "OR"} {
		if !isWord(p.peek(), word) {
			continue
		}
		terms := []Cond{first}
		for p.acceptWord(word) {
			terms = append(terms, p.condition())
		}
		if word == "AND" {
			return &And{Terms: terms}
		}
		return &Or{Terms: terms}
	}
	return first
}

func (p *parser) condition() Cond {
	if p.acceptPunct("(") {
		c := p.conditions()
		p.expectPunct(")")
		return c
	}
	if isName(p.peek()) && (isPunct(p.ahead(1), "+") || isPunct(p.ahead(1), "-")) {
		return p.calc()
	}
	left := p.column()
	if _, ok := left.(*Distance); ok {
		return &Compare{Left: left, Op: p.operator(), Value: p.value(false)}
	}
	switch {
	case p.acceptWord("LIKE"):
		return &Compare{Left: left, Op: OpLike, Value: p.value(true)}
	case isWord(p.peek(), "INCLUDES"), isWord(p.peek(), "EXCLUDES"):
		return &Includes{Left: left, Excludes: isWord(p.next(), "EXCLUDES"), Values: p.values()}
	case isWord(p.peek(), "IN"), isWord(p.peek(), "NOT"):
		return p.in(left)
	}
	return &Compare{Left: left, Op: p.operator(), Value: p.value(false)}
}

func (p *parser) calc() Cond {
	a := p.name()
	c := &Calc{A: &Field{Pos: a.pos, Name: a.text}, Minus: p.next().text == "-"}
	b := p.name()
	c.B = &Field{Pos: b.pos, Name: b.text}
	c.Op = p.operator()
	c.Value = p.value(false)
	return c
}

func (p *parser) in(left Expr) Cond {
	in := &In{Left: left, Not: p.acceptWord("NOT")}
	p.expectWord("IN")
	if isPunct(p.peek(), "(") && isWord(p.ahead(1), "SELECT") {
		p.at++
		in.Sub = p.semiJoin()
		p.expectPunct(")")
		return in
	}
	in.Values = p.values()
	return in
}

func (p *parser) operator() Op {
	t := p.peek()
	if t.kind != tokPunct {
		p.unexpected()
		return ""
	}
	switch t.text {
	case "=":
		p.at++
		return Equal
	case "!=", "<>":
		p.at++
		return NotEqual
	case "<", ">":
		p.at++
		if p.acceptPunct("=") {
			return Op(t.text + "=")
		}
		return Op(t.text)
	}
	p.unexpected()
	return ""
}

func (p *parser) values() []Value {
	p.expectPunct("(")
	out := []Value{p.value(false)}
	for p.acceptPunct(",") {
		out = append(out, p.value(false))
	}
	p.expectPunct(")")
	return out
}

func (p *parser) value(like bool) Value {
	t := p.peek()
	v := Value{Pos: t.pos, Raw: t.text}
	switch t.kind {
	case tokString:
		p.at++
		v.Kind, v.Str = Text, p.unquote(t, like)
	case tokDate:
		p.at++
		v.Kind = Date
	case tokDateTime:
		p.at++
		v.Kind = DateTime
	case tokTime:
		p.at++
		v.Kind = Time
	case tokInteger, tokDecimal:
		return p.signed()
	case tokPunct:
		if t.text == "+" || t.text == "-" {
			return p.signed()
		}
		p.unexpected()
	case tokWord:
		p.wordValue(&v)
	case tokEOF, tokBraces:
		p.unexpected()
	}
	return v
}

func (p *parser) wordValue(v *Value) {
	t := p.peek()
	word := strings.ToUpper(t.text)
	switch {
	case word == "NULL":
		v.Kind = Null
	case word == "TRUE", word == "FALSE":
		v.Kind, v.Bool = Bool, word == "TRUE"
	case isDateFormula(word):
		p.at++
		v.Kind, v.Str = DateFormula, word
		p.formulaArgument(v)
		return
	case isCurrency(word):
		v.Kind, v.Str = Currency, word[:3]
	default:
		p.unexpected()
		return
	}
	p.at++
}

func (p *parser) formulaArgument(v *Value) {
	if !p.acceptPunct(":") {
		return
	}
	if p.peek().kind != tokInteger {
		p.unexpected()
		return
	}
	t := p.next()
	n, err := strconv.Atoi(t.text)
	if err != nil {
		n = math.MaxInt
	}
	v.N, v.HasN = n, true
	v.Raw = p.src[v.Pos : int(t.pos)+len(t.text)]
}

func (p *parser) signed() Value {
	v := Value{Pos: p.peek().pos, Kind: Integer}
	if p.acceptPunct("-") {
		v.Raw = "-"
	} else {
		p.acceptPunct("+")
	}
	t := p.peek()
	if t.kind != tokInteger && t.kind != tokDecimal {
		p.unexpected()
		return v
	}
	p.at++
	if t.kind == tokDecimal {
		v.Kind = Decimal
	}
	v.Raw += t.text
	return v
}

// unquote undoes the escapes of a string (SOQL and SOSL reference, "Quoted String Escape Sequences").
func (p *parser) unquote(t token, like bool) string {
	raw := t.text
	if len(raw) > MaxString && utf8.RuneCountInString(raw) > MaxString {
		p.fail(t.pos, fmt.Sprintf("a string in a WHERE clause cannot be longer than %d characters: shorten it", MaxString))
		return ""
	}
	if !strings.ContainsAny(raw, "\\\n\r") {
		return raw
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '\n', '\r':
			p.fail(t.pos+Pos(i)+1, "line breaks are not allowed in string literals: write \\n")
			return ""
		case '\\':
			size, ok := unescape(&b, raw[i+1:], like)
			if !ok {
				p.fail(t.pos+Pos(i)+1, fmt.Sprintf("Invalid string literal '%s'. Illegal character sequence '%s' in string literal.",
					raw, illegal(raw[i:])))
				return ""
			}
			i += size
		default:
			b.WriteByte(raw[i])
		}
	}
	return b.String()
}

func illegal(s string) string {
	_, size := utf8.DecodeRuneInString(s[1:])
	return s[:1+size]
}

// unescape writes what the escape s (without its backslash) means and returns its length.
func unescape(b *strings.Builder, s string, like bool) (int, bool) {
	switch s[0] {
	case 'n', 'N':
		b.WriteByte('\n')
	case 'r', 'R':
		b.WriteByte('\r')
	case 't', 'T':
		b.WriteByte('\t')
	case 'b', 'B':
		b.WriteByte('\b')
	case '"', '\'':
		b.WriteByte(s[0])
	case '\\':
		if like {
			b.WriteByte('\\')
		}
		b.WriteByte('\\')
	case '%', '_':
		if !like {
			return 0, false
		}
		b.WriteByte('\\')
		b.WriteByte(s[0])
	case 'u', 'U':
		if len(s) < 5 {
			return 0, false
		}
		n, err := strconv.ParseUint(s[1:5], 16, 16)
		if err != nil {
			return 0, false
		}
		b.WriteRune(rune(n))
		return 5, true
	default:
		return 0, false
	}
	return 1, true
}

// isCurrency matches an ISO 4217 code followed by an amount: USD5000, eur12.5. The word has no sign and no exponent; dots
// without digits after them are let pass.
func isCurrency(word string) bool {
	if len(word) < 4 {
		return false
	}
	for i := range 3 {
		if word[i] < 'A' || word[i] > 'Z' {
			return false
		}
	}
	whole, fraction, _ := strings.Cut(word[3:], ".")
	fraction = strings.TrimLeft(fraction, ".")
	return allDigits(whole) && (fraction == "" || allDigits(fraction))
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// isDateFormula knows the date literals (SOQL and SOSL reference, "Date Formats and Date Literals").
func isDateFormula(word string) bool {
	switch word {
	case "YESTERDAY", "TODAY", "TOMORROW", "LAST_90_DAYS", "NEXT_90_DAYS",
		"LAST_WEEK", "THIS_WEEK", "NEXT_WEEK", "LAST_MONTH", "THIS_MONTH", "NEXT_MONTH",
		"LAST_QUARTER", "THIS_QUARTER", "NEXT_QUARTER", "LAST_YEAR", "THIS_YEAR", "NEXT_YEAR",
		"LAST_FISCAL_QUARTER", "THIS_FISCAL_QUARTER", "NEXT_FISCAL_QUARTER",
		"LAST_FISCAL_YEAR", "THIS_FISCAL_YEAR", "NEXT_FISCAL_YEAR":
		return true
	}
	unit, ok := strings.CutPrefix(word, "LAST_N_")
	if !ok {
		unit, ok = strings.CutPrefix(word, "NEXT_N_")
	}
	if !ok {
		unit, ok = strings.CutPrefix(word, "N_")
		ago, found := strings.CutSuffix(unit, "_AGO")
		if !ok || !found {
			return false
		}
		unit = ago
	}
	switch unit {
	case "DAYS", "WEEKS", "MONTHS", "QUARTERS", "YEARS", "FISCAL_QUARTERS", "FISCAL_YEARS":
		return true
	}
	return false
}

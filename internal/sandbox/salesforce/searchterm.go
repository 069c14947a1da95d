package salesforce

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// matcher is a parsed search term. A term without any word matches nothing.
type matcher struct{ root *termNode }

// termNode is part of a term: a phrase, or others joined by a word.
type termNode struct {
	phrase phrase
	join   string // AND, OR, NOT or, for a phrase, empty
	parts  []*termNode
}

// phrase is words that must follow one another; each may hold * and ?, but not begin with them.
type phrase []string

// Limits of a term, in characters (SOQL and SOSL reference, "SOSL Syntax" and "FIND {SearchQuery}").
const (
	maxTermLength = 10_000 // beyond it nothing is found
	maxOperators  = 4_000  // beyond it the words of the grammar are left out, and any word is enough
	minTerm       = 2
	maxTermDepth  = 50 // of parentheses
)

// parseTerm reads words, "phrases", AND, OR, AND NOT and parentheses. Words side by side must all match. AND NOT binds
// closer than AND, and AND closer than OR.
func parseTerm(term string) (matcher, error) {
	length := utf8.RuneCountInString(term)
	if length > maxTermLength {
		return matcher{}, nil
	}
	tokens, err := termTokens(term)
	if err != nil {
		return matcher{}, err
	}
	if length > maxOperators {
		m := &termNode{join: "OR"}
		for _, t := range tokens {
			if t.phrase != nil {
				m.parts = append(m.parts, &termNode{phrase: t.phrase})
			}
		}
		return matcher{m}, nil
	}
	p := &termParser{term: term, tokens: tokens}
	root, err := p.either(0)
	if err != nil {
		return matcher{}, err
	}
	if len(p.tokens) > 0 {
		return matcher{}, p.fault()
	}
	return matcher{root}, nil
}

// termParser has the tokens that are left.
type termParser struct {
	term   string
	tokens []termToken
}

func (p *termParser) fault() error {
	return badRequest("MALFORMED_SEARCH", "the search term cannot be understood, write \\ before what is to be searched for as it stands: %s", shorten(p.term))
}

func (p *termParser) accept(operator string) bool {
	if len(p.tokens) == 0 || p.tokens[0].operator != operator {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *termParser) either(depth int) (*termNode, error) {
	return p.list("OR", func() (*termNode, error) { return p.all(depth) }, func() bool { return p.accept("OR") })
}

// list reads parts as long as more says that another one follows.
func (p *termParser) list(join string, one func() (*termNode, error), more func() bool) (*termNode, error) {
	n := &termNode{join: join}
	for {
		part, err := one()
		if err != nil {
			return nil, err
		}
		n.parts = append(n.parts, part)
		if !more() {
			break
		}
	}
	if len(n.parts) == 1 {
		return n.parts[0], nil
	}
	return n, nil
}

// all reads what must hold together, of which one part at least is wanted: a search for what is not there finds nothing.
func (p *termParser) all(depth int) (*termNode, error) {
	wanted := false
	n, err := p.list("AND", func() (*termNode, error) {
		if p.accept("NOT") {
			not, err := p.one(depth)
			return &termNode{join: "NOT", parts: []*termNode{not}}, err
		}
		wanted = true
		return p.one(depth)
	}, func() bool {
		if p.accept("AND") {
			return true
		}
		return len(p.tokens) > 0 && p.tokens[0].operator != "OR" && p.tokens[0].operator != ")"
	})
	if err == nil && !wanted {
		err = p.fault()
	}
	return n, err
}

func (p *termParser) one(depth int) (*termNode, error) {
	switch {
	case depth > maxTermDepth || len(p.tokens) == 0:
		return nil, p.fault()
	case p.accept("("):
		n, err := p.either(depth + 1)
		if err == nil && !p.accept(")") {
			err = p.fault()
		}
		return n, err
	case p.tokens[0].operator != "":
		return nil, p.fault()
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return &termNode{phrase: t.phrase}, nil
}

// termToken is a phrase, or AND, OR, NOT or a parenthesis.
type termToken struct {
	operator string
	phrase   phrase
}

func termTokens(term string) ([]termToken, error) {
	l := termLexer{}
	runes := []rune(term)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case r == '\\' && i+1 < len(runes):
			i++
			l.text.WriteRune(separatorFor(runes[i]))
		case r == '"':
			l.flush()
			l.quoted = !l.quoted
		case (r == '(' || r == ')') && !l.quoted:
			l.flush()
			l.out = append(l.out, termToken{operator: string(r)})
		case unicode.IsSpace(r) && !l.quoted:
			l.flush()
		default:
			l.text.WriteRune(r)
		}
	}
	if l.quoted {
		return nil, badRequest("MALFORMED_SEARCH", "No search term found: a quotation mark is never closed")
	}
	l.flush()
	if l.letters < minTerm {
		return nil, badRequest("MALFORMED_SEARCH", "search term must be longer than one character: %s", term)
	}
	return l.out, nil
}

// termLexer gathers a term's words.
type termLexer struct {
	out     []termToken
	text    strings.Builder
	quoted  bool
	letters int
}

// flush ends the current word, which is an operator unless it stands in quotation marks.
func (l *termLexer) flush() {
	text := l.text.String()
	l.text.Reset()
	switch up := strings.ToUpper(text); {
	case text == "":
	case !l.quoted && (up == "AND" || up == "OR" || up == "NOT"):
		l.out = append(l.out, termToken{operator: up})
	default:
		if p := phraseOf(text); len(p) > 0 {
			for _, word := range p {
				l.letters += utf8.RuneCountInString(strings.Trim(word, "*?"))
			}
			l.out = append(l.out, termToken{phrase: p})
		}
	}
}

// separatorFor keeps an escaped wildcard from acting as one: escaped characters only part words, as in the index.
func separatorFor(r rune) rune {
	if r == '*' || r == '?' {
		return ' '
	}
	return r
}

// phraseOf cuts a text into words. A wildcard at the start of a word is left out.
func phraseOf(text string) phrase {
	var out phrase
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && r != '*' && r != '?'
	}) {
		if word = strings.TrimLeft(word, "*?"); word != "" {
			out = append(out, word)
		}
	}
	return out
}

// plainNumber reports whether the term is one number without wildcards, however it is written.
func (m matcher) plainNumber() (string, bool) {
	digits, plain := "", true
	var read func(n *termNode)
	read = func(n *termNode) {
		if n == nil || n.join == "OR" || n.join == "NOT" {
			plain = false
			return
		}
		digits += strings.Join(n.phrase, "")
		for _, part := range n.parts {
			read(part)
		}
	}
	read(m.root)
	if strings.Trim(digits, "0123456789") != "" {
		plain = false
	}
	digits = strings.TrimPrefix(digits, "00")
	return digits, plain && len(digits) >= minDigits
}

// minDigits is how many digits a number is found by at least.
const minDigits = 3

func (m matcher) match(d document) bool { return m.root != nil && m.root.match(d) }

func (n *termNode) match(d document) bool {
	switch n.join {
	case "AND":
		for _, part := range n.parts {
			if !part.match(d) {
				return false
			}
		}
		return true
	case "OR":
		for _, part := range n.parts {
			if part.match(d) {
				return true
			}
		}
		return false
	case "NOT":
		return !n.parts[0].match(d)
	default:
		return n.phrase.match(d)
	}
}

func (p phrase) match(d document) bool {
	if number := strings.Join(p, ""); isNumeric(number) {
		for _, digits := range d.digits {
			if globMatch(number, digits) || strings.HasSuffix(digits, number) && len(number) >= 3 {
				return true
			}
		}
	}
	for _, field := range d.words {
		for at := 0; at+len(p) <= len(field); at++ {
			if p.matchAt(field[at:]) {
				return true
			}
		}
	}
	return false
}

func (p phrase) matchAt(field []string) bool {
	for i, w := range p {
		if !globMatch(w, field[i]) {
			return false
		}
	}
	return true
}

func isNumeric(s string) bool {
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && s[i] != '*' && s[i] != '?' {
			return false
		}
	}
	return s != ""
}

// globMatch matches * (any characters) and ? (one), in time linear in the product of the lengths at worst.
func globMatch(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

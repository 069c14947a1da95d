package soql

import "strings"

// ParseSearch reads one SOSL statement. The error is an *Error with the place of the first fault.
func ParseSearch(src string) (*Search, error) {
	p, err := newParser(src, true)
	if err != nil {
		return nil, err
	}
	s := p.search()
	p.acceptPunct(";")
	if p.err == nil && p.peek().kind != tokEOF {
		p.unexpected()
	}
	if p.err != nil {
		return nil, p.err
	}
	return s, nil
}

func (p *parser) search() *Search {
	s := &Search{Scope: ScopeAll}
	p.expectWord("FIND")
	if t := p.peek(); t.kind != tokBraces {
		p.fail(t.pos, "No search term found. The search term must be enclosed in braces.")
	}
	s.Term = p.next().text
	if p.acceptWord("IN") {
		s.Scope = Scope(p.oneOf("ALL", "NAME", "EMAIL", "PHONE", "SIDEBAR"))
		p.expectWord("FIELDS")
	}
	if p.acceptWord("RETURNING") {
		s.Returning = append(s.Returning, p.returning())
		for p.acceptPunct(",") {
			s.Returning = append(s.Returning, p.returning())
		}
	}
	for isWord(p.peek(), "WITH") {
		s.With = append(s.With, p.searchWith())
	}
	s.Limit = p.number("LIMIT")
	s.Offset = p.number("OFFSET")
	if p.acceptWord("UPDATE") {
		s.Update = p.names(p.plainName)
	}
	return s
}

func (p *parser) returning() Returning {
	t := p.name()
	r := Returning{Pos: t.pos, Name: t.text}
	if !p.acceptPunct("(") {
		return r
	}
	p.enter()
	defer p.leave()
	r.Fields = p.selectItems()
	if p.acceptWord("USING") {
		p.expectWord("LISTVIEW")
		p.expectPunct("=")
		r.ListView = p.name().text
	}
	r.Where = p.where("WHERE")
	r.OrderBy = p.orderBy()
	r.Limit = p.number("LIMIT")
	r.Offset = p.number("OFFSET")
	p.expectPunct(")")
	return r
}

// searchWith keeps a WITH clause as written: it steers ranking and excerpts, not the grammar around it.
func (p *parser) searchWith() SearchWith {
	p.at++
	t := p.name()
	w := SearchWith{Pos: t.pos, Name: strings.ToUpper(t.text)}
	start, open := p.peek().pos, 0
	for {
		t := p.peek()
		ends := isWord(t, "WITH") || isWord(t, "LIMIT") || isWord(t, "OFFSET") || isWord(t, "UPDATE") || isPunct(t, ";")
		if t.kind == tokEOF || open == 0 && ends {
			break
		}
		switch {
		case isPunct(t, "("):
			open++
		case isPunct(t, ")"):
			open--
		}
		if open < 0 {
			p.unexpected()
			return w
		}
		p.at++
	}
	if open > 0 {
		p.unexpected()
	}
	w.Text = strings.TrimSpace(p.src[start:p.peek().pos])
	return w
}

// String prints the search on one line.
func (s *Search) String() string {
	var b strings.Builder
	b.WriteString("FIND {" + s.Term + "} IN " + string(s.Scope) + " FIELDS")
	for i, r := range s.Returning {
		if i == 0 {
			b.WriteString(" RETURNING ")
		}
		comma(&b, i)
		b.WriteString(r.String())
	}
	for _, w := range s.With {
		b.WriteString(" WITH " + w.Name)
		if w.Text != "" {
			b.WriteString(" " + w.Text)
		}
	}
	writeInt(&b, " LIMIT ", s.Limit)
	writeInt(&b, " OFFSET ", s.Offset)
	if len(s.Update) > 0 {
		b.WriteString(" UPDATE " + strings.Join(s.Update, ", "))
	}
	return b.String()
}

// String prints the entity with its fields and clauses.
func (r Returning) String() string {
	if len(r.Fields) == 0 {
		return r.Name
	}
	var b strings.Builder
	b.WriteString(r.Name + "(")
	for i, f := range r.Fields {
		comma(&b, i)
		b.WriteString(f.String())
	}
	if r.ListView != "" {
		b.WriteString(" USING ListView = " + r.ListView)
	}
	if r.Where != nil {
		b.WriteString(" WHERE " + r.Where.String())
	}
	writeOrder(&b, r.OrderBy)
	writeInt(&b, " LIMIT ", r.Limit)
	writeInt(&b, " OFFSET ", r.Offset)
	b.WriteString(")")
	return b.String()
}

package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/tandemcc/tandem/internal/soql"
)

const (
	maxFound      = 2000 // rows of a search (SOQL and SOSL limits)
	maxTermLength = 10_000
	minTerm       = 2 // characters a search term must have at least
)

// find runs a search and returns the records as JSON, entity by entity.
func (o *Org) find(rq *request, src string, s *soql.Search) ([][]byte, error) {
	if len(s.Term) > maxTermLength {
		return nil, badRequest("MALFORMED_SEARCH", "the search term is longer than %d characters: shorten it", maxTermLength)
	}
	m, err := parseTerm(s.Term)
	if err == nil {
		err = errors.Join(checkSearchWith(src, s), pageOnce(src, s))
	}
	if err != nil {
		return nil, err
	}
	limit := maxFound
	if s.Limit != nil && s.Limit.Value >= 0 {
		limit = min(limit, s.Limit.Value)
	}
	returning := s.Returning
	if len(returning) == 0 {
		for _, obj := range o.schema.objects {
			if obj.searchable() {
				returning = append(returning, soql.Returning{Name: obj.name})
			}
		}
	}
	var out [][]byte
	for _, ret := range returning {
		if len(out) >= limit {
			break
		}
		if ret.Limit == nil {
			ret.Limit = &soql.Int{Value: limit - len(out)} // more would be read for nothing
		}
		found, err := o.findIn(rq, src, s.Scope, m, ret)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out[:min(limit, len(out))], nil
}

// checkSearchWith refuses what steers a search in ways this org has nothing for, and what is no clause at all. Spelling is never
// corrected here, so that it may be switched on or off.
func checkSearchWith(src string, s *soql.Search) error {
	for _, w := range s.With {
		refuse := func(format string, args ...any) error {
			return atQuery("MALFORMED_SEARCH", src, w.Pos, format, args...)
		}
		switch w.Name {
		case "SPELL_CORRECTION":
			value, isSet := strings.CutPrefix(w.Text, "=")
			if value = strings.ToLower(strings.TrimSpace(value)); !isSet || value != "true" && value != "false" {
				return refuse("WITH SPELL_CORRECTION takes = true or = false")
			}
		case "DATA", "DIVISION", "HIGHLIGHT", "METADATA", "NETWORK", "PRICEBOOKID", "SNIPPET":
			return refuse("this org has no data categories, divisions, sites and price books, and marks no terms in what it finds: remove WITH %s", w.Name)
		default:
			return refuse("unexpected token: '%s'", w.Name)
		}
	}
	return nil
}

// pageOnce checks the OFFSET of a search, which belongs to a single entity wherever it is written, and moves it there.
func pageOnce(src string, s *soql.Search) error {
	offset := s.Offset
	for _, r := range s.Returning {
		if offset == nil {
			offset = r.Offset
		}
	}
	switch {
	case offset == nil:
		return nil
	case len(s.Returning) != 1 || s.Offset != nil && s.Returning[0].Offset != nil:
		return atQuery("MALFORMED_SEARCH", src, offset.Pos, "OFFSET is allowed once, where RETURNING names a single sObject")
	case offset.Value < 0 || offset.Value > maxOffset:
		return badRequest("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOSL offset allowed is %d", maxOffset)
	}
	s.Returning[0].Offset = offset
	return nil
}

func (o *Org) findIn(rq *request, src string, scope soql.Scope, m matcher, ret soql.Returning) ([][]byte, error) {
	env := o.environment(rq)
	seen := env.view.schema
	obj := seen.object(ret.Name)
	if obj == nil {
		return nil, atQuery("INVALID_TYPE", src, ret.Pos, "sObject type '%s' is not supported. %s", ret.Name, adviceEntity)
	}
	ids, err := o.candidates(rq, obj, scope, m)
	if err != nil {
		return nil, err
	}
	q := &soql.Query{Select: ret.Fields, From: []soql.From{{Name: obj.name}}, OrderBy: ret.OrderBy, Limit: ret.Limit, Offset: ret.Offset}
	if len(q.Select) == 0 {
		q.Select = []soql.SelectItem{{Expr: &soql.Field{Name: "Id"}}}
	}
	in := &soql.In{Left: &soql.Field{Name: "Id"}}
	for _, id := range ids {
		in.Values = append(in.Values, soql.Value{Kind: soql.Text, Raw: id, Str: id})
	}
	q.Where = in
	if ret.Where != nil {
		q.Where = &soql.And{Terms: []soql.Cond{in, ret.Where}}
	}
	if len(ids) == 0 {
		// The query is compiled all the same, so that a wrong field is told whatever the data.
		in.Values = []soql.Value{{Kind: soql.Null}}
	}
	c := &compiler{schema: seen, src: src, zone: env.zone.String()}
	p, err := c.compile(q)
	if err != nil {
		return nil, err
	}
	run := &runner{db: o.db(rq), env: env, base: rq.base()}
	return run.records(rq.ctx, p, "")
}

// candidates returns the ids of the records that match. A plain number in phone fields is found by index.
func (o *Org) candidates(rq *request, obj *object, scope soql.Scope, m matcher) ([]string, error) {
	if scope == soql.ScopePhone {
		if digits, plain := m.plainNumber(); plain {
			return o.byPhone(rq, obj, digits)
		}
	}
	fields := searchFields(obj, scope)
	if len(fields) == 0 {
		return nil, nil
	}
	cols := []string{`"Id"`}
	for _, f := range fields {
		cols = append(cols, f.folded())
	}
	rows, err := o.db(rq).QueryContext(rq.ctx, "SELECT "+strings.Join(cols, ", ")+" FROM "+obj.table()+` WHERE "IsDeleted" = 0`)
	if err != nil {
		return nil, fmt.Errorf("searching %s: %w", obj.name, err)
	}
	raw, err := scanAll(rows, len(cols))
	if err != nil {
		return nil, fmt.Errorf("searching %s: %w", obj.name, err)
	}
	var ids []string
	for _, row := range raw {
		if len(ids) >= maxFound {
			break
		}
		id, _ := row[0].(string)
		if m.match(documentOf(fields, row[1:])) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

const qByPhone = `SELECT DISTINCT id FROM phone WHERE entity = ? AND reversed >= ? AND reversed < ? LIMIT ?`

func (o *Org) byPhone(rq *request, obj *object, digits string) ([]string, error) {
	key := reverse(digits)
	rows, err := o.db(rq).QueryContext(rq.ctx, qByPhone, obj.prefix, key, key+"~", maxFound)
	if err != nil {
		return nil, fmt.Errorf("searching the numbers of %s: %w", obj.name, err)
	}
	raw, err := scanAll(rows, 1)
	if err != nil {
		return nil, fmt.Errorf("searching the numbers of %s: %w", obj.name, err)
	}
	ids := make([]string, 0, len(raw))
	for _, row := range raw {
		if id, isText := row[0].(string); isText {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func searchFields(obj *object, scope soql.Scope) []*field {
	var out []*field
	for _, f := range obj.fields {
		var fits bool
		switch scope {
		case soql.ScopePhone:
			fits = f.kind == typePhone
		case soql.ScopeEmail:
			fits = f.kind == typeEmail
		case soql.ScopeName:
			fits = f.nameField || f.name == "FirstName" || f.name == "LastName"
		default:
			fits = f.text() && f.kind != typePicklist
		}
		if fits && !f.writeOnly {
			out = append(out, f)
		}
	}
	return out
}

// document is what a record is searched by: the words of its fields, and the digits of its numbers.
type document struct {
	words  [][]string // per field, in order
	digits []string
}

func documentOf(fields []*field, values []any) document {
	var d document
	for i, f := range fields {
		s, _ := values[i].(string)
		if s == "" {
			continue
		}
		if f.kind == typePhone {
			d.digits = append(d.digits, digitsOf(s))
		}
		d.words = append(d.words, words(strings.ToLower(s)))
	}
	return d
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// digitsOf keeps the digits of a number up to an extension, without an international 00.
func digitsOf(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsLetter(r) && b.Len() >= 7 {
			break
		}
		if r >= '0' && r <= '9' {
			b.WriteRune(r)
		}
	}
	return strings.TrimPrefix(b.String(), "00")
}

func reverse(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

var addPhoneRow = newInsertion("phone", []string{"entity", "reversed", "id"}, " ON CONFLICT DO NOTHING") //nolint:gochecknoglobals // never changed

const qDropPhone = `DELETE FROM phone WHERE entity = ? AND reversed = ? AND id = ?`

// phoneKey is a place in the index of numbers.
type phoneKey struct{ entity, reversed string }

// extended marks, after the prefix of an entity, texts with other last digits than those of their number: an extension.
// Searches do not look at them; LIKE, which compares texts, does.
const extended = "+"

// phoneKeys lists where the index has a number: by the digits of the number and, where they differ, by those of the text.
func phoneKeys(obj *object, text string) (keys []phoneKey) {
	number := digitsOf(text)
	if number != "" {
		keys = append(keys, phoneKey{obj.prefix, reverse(number)})
	}
	if all := onlyDigits(text); all != number {
		keys = append(keys, phoneKey{obj.prefix + extended, reverse(all)})
	}
	return keys
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// indexPhones keeps the numbers of a record where a search finds them by their last digits. old is nil for a new record.
func indexPhones(ctx context.Context, st *store, tx *sql.Tx, obj *object, id string, old, r record) error {
	var errs []error
	for _, f := range obj.fields {
		if f.kind != typePhone || old.text(f.name) == r.text(f.name) {
			continue
		}
		for _, was := range phoneKeys(obj, old.text(f.name)) {
			err := st.exec(ctx, tx, qDropPhone, was.entity, was.reversed, id)
			errs = append(errs, err)
		}
	}
	for _, f := range obj.fields {
		// Two fields may hold one number: what was dropped above for the one comes back for the other.
		if f.kind != typePhone {
			continue
		}
		for _, is := range phoneKeys(obj, r.text(f.name)) {
			err := st.add(ctx, tx, addPhoneRow, is.entity, is.reversed, id)
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("indexing the numbers of a %s: %w", obj.name, err)
	}
	return nil
}

// matcher is a parsed search term: alternatives of conjunctions.
type matcher struct{ any []conjunction }

type conjunction struct{ all, none []phrase }

// phrase is words that must follow one another; each may hold * and ?.
type phrase []string

// parseTerm reads words, "phrases", AND, OR and AND NOT. Words side by side must all match. AND binds closer than OR.
func parseTerm(term string) (matcher, error) {
	tokens, err := termTokens(term)
	if err != nil {
		return matcher{}, err
	}
	m := matcher{}
	c := conjunction{}
	negate := false
	for _, t := range tokens {
		switch {
		case t.operator == "AND":
		case t.operator == "OR":
			m.any = append(m.any, c)
			c = conjunction{}
		case t.operator == "NOT":
			negate = true
		case negate:
			c.none, negate = append(c.none, t.phrase), false
		default:
			c.all = append(c.all, t.phrase)
		}
	}
	m.any = append(m.any, c)
	for _, c := range m.any {
		if len(c.all) == 0 {
			return matcher{}, badRequest("MALFORMED_SEARCH", "search term must be longer than one character: %s", term)
		}
	}
	return m, nil
}

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
		case unicode.IsSpace(r) && !l.quoted:
			l.flush()
		default:
			l.letters++
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

func phraseOf(text string) phrase {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && r != '*' && r != '?'
	})
}

// plainNumber reports whether the term is one number without wildcards, however it is written.
func (m matcher) plainNumber() (string, bool) {
	if len(m.any) != 1 || len(m.any[0].none) > 0 {
		return "", false
	}
	digits := ""
	for _, p := range m.any[0].all {
		digits += strings.Join(p, "")
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return "", false
		}
	}
	digits = strings.TrimPrefix(digits, "00")
	return digits, len(digits) >= 3
}

func (m matcher) match(d document) bool {
	for _, c := range m.any {
		if c.match(d) {
			return true
		}
	}
	return false
}

func (c conjunction) match(d document) bool {
	for _, p := range c.all {
		if !p.match(d) {
			return false
		}
	}
	for _, p := range c.none {
		if p.match(d) {
			return false
		}
	}
	return true
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

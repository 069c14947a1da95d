package expr

import (
	"errors"
	"slices"
	"strings"
)

// A Template is a compiled template. It is immutable and safe for concurrent use.
type Template struct {
	src     string
	body    []statement
	single  expression // the expression of a template that is exactly one {{ }}
	literal bool
	text    string // the text of a literal template
	scoped  bool   // it has tags, so an evaluation needs scopes
	macros  map[string]*macro
	blocks  map[string]*block
	marks   []mark
	refs    []Ref
}

// Parse compiles a template of at most MaxSource bytes. Its error is a *SyntaxError, with a mend where one is evident.
func Parse(src string) (*Template, error) {
	t, err := compile(src)
	if err == nil {
		return t, nil
	}
	var bad *SyntaxError
	var hint *syntaxHint
	switch {
	case errors.As(err, &hint):
		bad = &hint.SyntaxError
		bad.Fix = mend(src, err)
	case errors.As(err, &bad):
		bad.Fix = mend(src, err)
	default:
		bad = &SyntaxError{Msg: err.Error()}
	}
	bad.Line, bad.Col = lineCol(src, bad.Pos)
	return nil, bad
}

func compile(src string) (*Template, error) {
	if len(src) > MaxSource {
		return nil, &SyntaxError{Msg: "the template is longer than 256 KiB: split it over several assignments"}
	}
	t := &Template{src: src}
	if openDelimiter(src, 0) == len(src) {
		t.literal, t.text = true, src
		if src != "" {
			t.marks = []mark{{SegmentText, 0}}
		}
		return t, nil
	}
	tokens, marks, err := lex(src)
	if err != nil {
		return nil, err
	}
	p := &parser{t: t, tokens: tokens, refs: &refCollector{}}
	t.marks = marks
	if t.body, err = p.parseBody(nil); err != nil {
		return nil, err
	}
	t.refs = p.refs.refs
	t.finish()
	return t, nil
}

// finish recognises the templates that are cheap to evaluate: literal text and a single output.
func (t *Template) finish() {
	t.literal = true
	for _, s := range t.body {
		lit, ok := s.(*textNode)
		if !ok {
			t.literal = false
			break
		}
		t.text += lit.text
	}
	if len(t.body) != 1 || len(t.marks) != 1 {
		return
	}
	if out, ok := t.body[0].(*printNode); ok {
		t.single = out.expr
	}
}

// Render evaluates the template to text. Its error is an *EvalError.
func (t *Template) Render(env *Env) (string, error) {
	if t.literal {
		return t.text, nil
	}
	if s, ok := t.renderVariable(env); ok {
		return s, nil
	}
	r := t.start(env)
	defer r.release()
	if t.single != nil {
		s, err := r.renderSingle(t.single)
		return s, t.locate(err)
	}
	for _, s := range t.body {
		if err := s.render(r); err != nil {
			return "", t.locate(err)
		}
	}
	return r.out.String(), nil
}

// renderVariable is the short way of the most common template, {{ name }} of a string.
func (t *Template) renderVariable(env *Env) (string, bool) {
	v, ok := t.single.(*variable)
	if !ok || env == nil || env.Escape != nil || env.Limits != (Limits{}) {
		return "", false
	}
	s, ok := env.Vars[v.name].(string)
	return s, ok && len(s) < defaultBytes
}

func (r *run) renderSingle(e expression) (string, error) {
	v, err := e.eval(r)
	if err != nil || v == nil {
		return "", at(e.at(), err)
	}
	s, err := r.str(v)
	if err != nil {
		return "", at(e.at(), err)
	}
	if r.env.Escape != nil {
		s = r.env.Escape(s)
	}
	return s, nil
}

// Value evaluates the template to the typed value when it is exactly one {{ expression }}, else to the rendered string.
// The value is one of the types that Env.Vars takes; Env.Escape is not applied to it. Its error is an *EvalError.
func (t *Template) Value(env *Env) (any, error) {
	if t.single == nil {
		return t.Render(env)
	}
	r := t.start(env)
	defer r.release()
	v, err := t.single.eval(r)
	if err == nil {
		err = r.build(size(v, r.bytes))
	}
	if err != nil {
		return nil, t.locate(at(t.single.at(), err))
	}
	return export(v), nil
}

// start takes an evaluation, which is to be released.
func (t *Template) start(env *Env) *run {
	if env == nil {
		env = &Env{}
	}
	r, ok := runs.Get().(*run)
	if !ok {
		r = new(run)
	}
	r.t, r.env, r.steps, r.bytes = t, env, limit(env.Limits.Steps, defaultSteps), limit(env.Limits.Bytes, defaultBytes)
	if t.scoped {
		r.push(false)
	}
	return r
}

func limit(want, most int) int {
	if want <= 0 || want > most {
		return most
	}
	return want
}

// locate makes an *EvalError of what went wrong.
func (t *Template) locate(err error) error {
	if err == nil {
		return nil
	}
	out := &EvalError{Msg: err.Error()}
	if l, ok := errors.AsType[*located](err); ok {
		out.Pos = l.pos
	}
	if f, ok := errors.AsType[*failure](err); ok {
		out.Fix = f.fix
	}
	out.Line, out.Col = lineCol(t.src, out.Pos)
	return out
}

// Refs returns the variables that the template reads, in the order of the source. Names that the template itself
// defines (set, for, macro arguments) are left out.
func (t *Template) Refs() []Ref {
	out := slices.Clone(t.refs)
	lines := lineCounter{src: t.src}
	for i := range out {
		out[i].Line, out[i].Col = lines.at(out[i].Pos)
	}
	return out
}

// IsLiteral reports whether the template contains no expression and no tag, so that Render always returns the same text.
func (t *Template) IsLiteral() bool { return t.literal }

// Segments returns the source cut into literal text, outputs, tags and comments. A line break that Pebble drops after a
// closing delimiter belongs to the segment that it follows.
func (t *Template) Segments() []Segment {
	refs := t.Refs()
	out := make([]Segment, len(t.marks))
	lines := lineCounter{src: t.src}
	for i, m := range t.marks {
		end := len(t.src)
		if i+1 < len(t.marks) {
			end = t.marks[i+1].pos
		}
		s := Segment{Kind: m.kind, Text: t.src[m.pos:end], Pos: m.pos}
		s.Line, s.Col = lines.at(m.pos)
		if m.kind == SegmentOutput {
			s.Value = outputValue(s.Text)
		}
		for len(refs) > 0 && refs[0].Pos < end {
			s.Refs = append(s.Refs, refs[0])
			refs = refs[1:]
		}
		out[i] = s
	}
	return out
}

func outputValue(text string) string {
	text = strings.TrimPrefix(strings.TrimSpace(text), "{{")
	text = strings.TrimSuffix(text, "}}")
	if strings.HasPrefix(text, "- ") {
		text = text[1:]
	}
	return strings.TrimSpace(strings.TrimSuffix(text, "-"))
}

// String returns the source.
func (t *Template) String() string { return t.src }

func lineCol(src string, pos int) (line, col int) {
	return (&lineCounter{src: src}).at(pos)
}

// lineCounter finds lines and columns of ascending offsets in one pass over the source.
type lineCounter struct {
	src   string
	pos   int
	lines int // line breaks before pos
	start int // offset of the line that pos is on
}

func (c *lineCounter) at(pos int) (line, col int) {
	pos = min(pos, len(c.src))
	if pos < c.pos {
		*c = lineCounter{src: c.src}
	}
	for c.pos < pos {
		i := strings.IndexByte(c.src[c.pos:pos], '\n')
		if i < 0 {
			break
		}
		c.lines++
		c.pos += i + 1
		c.start = c.pos
	}
	c.pos = pos
	return c.lines + 1, pos - c.start + 1
}

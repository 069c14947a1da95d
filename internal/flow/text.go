package flow

import (
	"strings"

	"github.com/tandemcc/tandem/internal/flow/expr"
)

// ctext is a compiled text: a literal, a template, or parts that are each made safe for the place they stand in.
type ctext struct {
	lit   string
	tmpl  *expr.Template
	parts []tpart
	size  int // how long the text will be, about
}

// fixed reports whether the text is the same for every caller.
func (c *ctext) fixed() bool { return c == nil || c.tmpl == nil && len(c.parts) == 0 }

// tpart is literal text, or one output with the escaping of its place.
type tpart struct {
	lit  string
	tmpl *expr.Template
	ref  *connectRef
	esc  func(string) string
}

func (c *ctext) render(env *expr.Env) (string, error) {
	if c.parts != nil {
		return c.renderParts(env)
	}
	if c.tmpl == nil {
		return c.lit, nil
	}
	return c.tmpl.Render(env)
}

func (c *ctext) renderParts(env *expr.Env) (string, error) {
	var b strings.Builder
	b.Grow(c.size)
	defer func() { env.Escape = nil }() // the environment belongs to one session, which one goroutine steps at a time
	for i := range c.parts {
		p := &c.parts[i]
		if p.ref != nil {
			s := text(p.ref.find(env.Vars))
			if p.esc != nil {
				s = p.esc(s)
			}
			b.WriteString(s)
			continue
		}
		if p.tmpl == nil {
			b.WriteString(p.lit)
			continue
		}
		env.Escape = p.esc
		s, err := p.tmpl.Render(env)
		if err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// value evaluates the text to a typed value where it is a single expression.
func (c *ctext) value(env *expr.Env) (any, error) {
	if len(c.parts) == 1 && c.parts[0].ref != nil {
		return c.parts[0].ref.find(env.Vars), nil
	}
	if c.tmpl == nil {
		return c.render(env)
	}
	return c.tmpl.Value(env)
}

// compileText compiles a template; plain text costs nothing at run time.
func compileText(src string) (*ctext, error) {
	if !strings.Contains(src, "{{") && !strings.Contains(src, "{%") && !strings.Contains(src, "{#") {
		return &ctext{lit: src}, nil
	}
	t, err := expr.Parse(src)
	if err != nil {
		return nil, err
	}
	if t.IsLiteral() {
		s, err := t.Render(&expr.Env{})
		return &ctext{lit: s}, err
	}
	return &ctext{tmpl: t}, nil
}

// place tells an escaper where in a text a value stands.
type place interface {
	// literal is given the literal text before the value and returns what is to stand there.
	literal(s string) string
	// escape returns the escaping for the value that comes next.
	escape(expression string) func(string) string
	// whole returns the escaping used for every value when the text has tags, so that places cannot be known.
	whole(src string) func(string) string
}

// compileSafe compiles a template whose values are escaped for their places.
func compileSafe(src string, pl place) (*ctext, error) {
	t, err := compileText(src)
	if err != nil {
		return nil, err
	}
	if t.tmpl == nil {
		return &ctext{lit: pl.literal(t.lit)}, nil
	}
	segs := t.tmpl.Segments()
	if !separable(segs) {
		esc := pl.whole(src)
		return &ctext{parts: []tpart{{tmpl: t.tmpl, esc: esc}}}, nil
	}
	out := &ctext{}
	trim := false
	for _, s := range segs {
		switch s.Kind {
		case expr.SegmentText:
			txt := s.Text
			if trim {
				txt = trimNewline(txt)
			}
			out.parts = append(out.parts, tpart{lit: pl.literal(txt)})
			trim = false
		case expr.SegmentOutput:
			part, err := expr.Parse(s.Text)
			if err != nil {
				return nil, err
			}
			out.parts = append(out.parts, tpart{tmpl: part, esc: pl.escape(s.Value)})
			trim = true
		default:
			trim = true
		}
	}
	for i := range out.parts {
		out.size += max(len(out.parts[i].lit), 24)
	}
	return out, nil
}

// trimNewline takes away the line break after an expression, which Pebble never writes.
func trimNewline(s string) string {
	if strings.HasPrefix(s, "\r\n") {
		return s[2:]
	}
	return strings.TrimPrefix(s, "\n")
}

// separable reports whether each output can be rendered by itself: no tags, and no trimming of the text around.
func separable(segs []expr.Segment) bool {
	for _, s := range segs {
		if s.Kind == expr.SegmentTag {
			return false
		}
		if s.Kind != expr.SegmentText && (strings.HasPrefix(s.Text[min(2, len(s.Text)):], "-") || strings.HasSuffix(s.Text, "-}}") || strings.HasSuffix(s.Text, "-#}")) {
			return false
		}
	}
	return true
}

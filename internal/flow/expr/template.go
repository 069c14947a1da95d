package expr

// A Template is a compiled template. It is immutable and safe for concurrent use.
type Template struct {
	src string
}

// Parse compiles a template. Its error is a *SyntaxError.
func Parse(src string) (*Template, error) {
	return &Template{src: src}, nil
}

// Render evaluates the template to text. Its error is an *EvalError.
func (t *Template) Render(_ *Env) (string, error) { return t.src, nil }

// Value evaluates the template to the typed value when it is exactly one {{ expression }}, else to the rendered string.
// The value is one of the types that Env.Vars takes. Its error is an *EvalError.
func (t *Template) Value(env *Env) (any, error) { return t.Render(env) }

// Refs returns the variables that the template reads, in the order of the source. Names that the template itself
// defines (set, for, macro arguments) are left out.
func (t *Template) Refs() []Ref { return nil }

// IsLiteral reports whether the template contains no expression and no tag, so that Render always returns the same text.
func (t *Template) IsLiteral() bool { return true }

// Segments returns the source cut into literal text, outputs, tags and comments.
func (t *Template) Segments() []Segment { return nil }

// String returns the source.
func (t *Template) String() string { return t.src }

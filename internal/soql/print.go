package soql

import (
	"strconv"
	"strings"
)

// String prints the query on one line; parsing the result gives the same tree but for places.
func (q *Query) String() string {
	var b strings.Builder
	b.WriteString("SELECT ")
	if q.Count {
		b.WriteString("COUNT()")
	}
	for i, item := range q.Select {
		comma(&b, i)
		b.WriteString(item.String())
	}
	b.WriteString(" FROM ")
	for i, f := range q.From {
		comma(&b, i)
		b.WriteString(f.String())
	}
	if q.Where != nil {
		b.WriteString(" WHERE " + q.Where.String())
	}
	for _, w := range q.With {
		b.WriteString(" " + w.String())
	}
	if q.GroupBy != nil {
		b.WriteString(" " + q.GroupBy.String())
	}
	if q.Having != nil {
		b.WriteString(" HAVING " + q.Having.String())
	}
	writeOrder(&b, q.OrderBy)
	writeInt(&b, " LIMIT ", q.Limit)
	writeInt(&b, " OFFSET ", q.Offset)
	if len(q.Bind) > 0 {
		b.WriteString(" BIND " + bindingsString(q.Bind))
	}
	if q.For != "" {
		b.WriteString(" FOR " + q.For)
	}
	if len(q.Update) > 0 {
		b.WriteString(" UPDATE " + strings.Join(q.Update, ", "))
	}
	return b.String()
}

func comma(b *strings.Builder, i int) {
	if i > 0 {
		b.WriteString(", ")
	}
}

func writeInt(b *strings.Builder, word string, n *Int) {
	if n != nil {
		b.WriteString(word + strconv.Itoa(n.Value))
	}
}

func writeOrder(b *strings.Builder, terms []Order) {
	for i, o := range terms {
		if i == 0 {
			b.WriteString(" ORDER BY ")
		}
		comma(b, i)
		b.WriteString(o.Expr.String())
		if o.Desc {
			b.WriteString(" DESC")
		}
		if o.Nulls != "" {
			b.WriteString(" NULLS " + o.Nulls)
		}
	}
}

// String prints the column with its alias.
func (s SelectItem) String() string {
	var out string
	switch {
	case s.Sub != nil:
		out = "(" + s.Sub.String() + ")"
	case s.TypeOf != nil:
		out = s.TypeOf.String()
	default:
		out = s.Expr.String()
	}
	if s.Alias != "" {
		out += " " + s.Alias
	}
	return out
}

// String prints the TYPEOF expression.
func (t *TypeOf) String() string {
	var out strings.Builder
	out.WriteString("TYPEOF " + t.What.String())
	for _, w := range t.Whens {
		out.WriteString(" WHEN " + w.Type + " THEN " + exprsString(w.Fields))
	}
	if len(t.Else) > 0 {
		out.WriteString(" ELSE " + exprsString(t.Else))
	}
	return out.String() + " END"
}

// String prints the entity with its alias and scope.
func (f From) String() string {
	out := f.Name
	if f.Alias != "" {
		out += " " + f.Alias
	}
	switch {
	case f.Scope != "" && f.Lookup != "":
		out += " USING SCOPE " + f.Scope + ", LOOKUP " + f.Lookup
	case f.Scope != "":
		out += " USING SCOPE " + f.Scope
	case f.Lookup != "":
		out += " USING LOOKUP " + f.Lookup
	}
	return out
}

// String prints the field's name.
func (f *Field) String() string { return f.Name }

// String prints the call.
func (f *Func) String() string { return f.Name + "(" + f.Arg.String() + ")" }

// String prints the call.
func (d *Distance) String() string {
	return "DISTANCE(" + d.Field.String() + ", GEOLOCATION(" + d.Lat.Raw + ", " + d.Lon.Raw + "), '" + d.Unit + "')"
}

func exprsString(exprs []Expr) string {
	parts := make([]string, len(exprs))
	for i, e := range exprs {
		parts[i] = e.String()
	}
	return strings.Join(parts, ", ")
}

func joinConds(terms []Cond, word string) string {
	parts := make([]string, len(terms))
	for i, c := range terms {
		parts[i] = operand(c)
	}
	return strings.Join(parts, word)
}

// operand puts parentheses around what may not stand beside AND, OR or NOT.
func operand(c Cond) string {
	switch c.(type) {
	case *And, *Or, *Not:
		return "(" + c.String() + ")"
	}
	return c.String()
}

// String prints the terms joined by AND.
func (a *And) String() string { return joinConds(a.Terms, " AND ") }

// String prints the terms joined by OR.
func (o *Or) String() string { return joinConds(o.Terms, " OR ") }

// String prints NOT and the term.
func (n *Not) String() string { return "NOT " + operand(n.Term) }

// String prints the comparison.
func (c *Compare) String() string {
	return c.Left.String() + " " + string(c.Op) + " " + c.Value.String()
}

// String prints the comparison.
func (c *Calc) String() string {
	sign := " + "
	if c.Minus {
		sign = " - "
	}
	return c.A.Name + sign + c.B.Name + " " + string(c.Op) + " " + c.Value.String()
}

// String prints the membership.
func (i *In) String() string {
	word := " IN ("
	if i.Not {
		word = " NOT IN ("
	}
	if i.Sub != nil {
		return i.Left.String() + word + i.Sub.String() + ")"
	}
	return i.Left.String() + word + valuesString(i.Values) + ")"
}

// String prints the condition.
func (i *Includes) String() string {
	word := " INCLUDES ("
	if i.Excludes {
		word = " EXCLUDES ("
	}
	return i.Left.String() + word + valuesString(i.Values) + ")"
}

func valuesString(values []Value) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = v.String()
	}
	return strings.Join(parts, ", ")
}

// String prints the literal as it was written.
func (v Value) String() string {
	if v.Kind == Text {
		return "'" + v.Raw + "'"
	}
	return v.Raw
}

// String prints the clause.
func (w With) String() string {
	if len(w.Categories) > 0 {
		parts := make([]string, len(w.Categories))
		for i, c := range w.Categories {
			parts[i] = c.Field.String() + " " + c.Op + " (" + strings.Join(c.Names, ", ") + ")"
		}
		return "WITH DATA CATEGORY " + strings.Join(parts, " AND ")
	}
	switch {
	case w.Value != nil:
		return "WITH " + w.Name + " = " + w.Value.String()
	case len(w.Args) > 0:
		return "WITH " + w.Name + " (" + bindingsString(w.Args) + ")"
	}
	return "WITH " + w.Name
}

func bindingsString(list []Binding) string {
	parts := make([]string, len(list))
	for i, b := range list {
		parts[i] = b.Name + " = " + b.Value.String()
	}
	return strings.Join(parts, ", ")
}

// String prints the clause.
func (g *GroupBy) String() string {
	if g.Mode != "" {
		return "GROUP BY " + g.Mode + "(" + exprsString(g.Fields) + ")"
	}
	return "GROUP BY " + exprsString(g.Fields)
}

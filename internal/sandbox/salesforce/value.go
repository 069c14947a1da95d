package salesforce

import (
	"strings"

	"github.com/tandemcc/tandem/internal/soql"
)

// value is a compiled expression.
type value struct {
	sql       string
	folded    string // for comparing and sorting
	kind      fieldType
	name      string // canonical, for messages and columns
	field     *field // nil for what is computed
	direct    bool
	aggregate bool
	near      *near // of a DISTANCE
}

func (v *value) isMoment() bool { return v.kind == typeDate || v.kind == typeDateTime }

func (v *value) isID() bool { return v.kind == typeID || v.kind == typeReference }

func (v *value) text() bool {
	f := field{kind: v.kind}
	return f.text()
}

// value compiles a field or function. Aggregates are allowed only where agg says so.
func (s *scope) value(e soql.Expr, agg bool) (*value, error) {
	switch e := e.(type) {
	case *soql.Field:
		r, err := s.resolve(e.Name, e.Pos)
		if err != nil {
			return nil, err
		}
		return &value{sql: r.sql, folded: r.folded, kind: r.field.kind, name: r.field.name, field: r.field, direct: r.direct}, nil
	case *soql.Func:
		return s.call(e, agg)
	}
	if d, isDistance := e.(*soql.Distance); isDistance {
		return s.distance(d)
	}
	return nil, atQuery("MALFORMED_QUERY", s.c.src, e.Position(), "the expression %s is not understood", e)
}

func (s *scope) call(f *soql.Func, agg bool) (*value, error) {
	name := strings.ToUpper(f.Name)
	if isAggregateName(name) {
		if !agg {
			return nil, atQuery("MALFORMED_QUERY", s.c.src, f.Pos, "aggregate function %s is not allowed here", f.Name)
		}
		return s.aggregateCall(name, f)
	}
	if name == "GROUPING" && agg {
		return s.grouping(f)
	}
	if name == "CONVERTTIMEZONE" {
		return nil, atQuery("MALFORMED_QUERY", s.c.src, f.Pos, "convertTimezone is used inside a date function only")
	}
	if expr, ok := datePart(name); ok {
		return s.dateCall(name, expr, f)
	}
	switch name {
	case "TOLABEL", "FORMAT":
		// Labels equal values in this org; FORMAT acts when the record is written out.
		v, err := s.value(f.Arg, agg)
		if err == nil && v.field != nil && v.field.compound() {
			err = atQuery("INVALID_FIELD", s.c.src, f.Pos, "%s does not take the compound field '%s'", f.Name, v.name)
		}
		return v, err
	case "CONVERTCURRENCY":
		return nil, atQuery("MALFORMED_QUERY", s.c.src, f.Pos, "convertCurrency is of organizations with multiple currencies: this one has US dollars alone")
	}
	return nil, atQuery("INVALID_FIELD", s.c.src, f.Pos, "unknown function '%s'", f.Name)
}

func isAggregateName(name string) bool {
	switch name {
	case "COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX":
		return true
	}
	return false
}

func (s *scope) aggregateCall(name string, f *soql.Func) (*value, error) {
	arg, err := s.value(f.Arg, false)
	if err != nil {
		return nil, err
	}
	if arg.field != nil && !arg.field.aggregatable() {
		return nil, atQuery("MALFORMED_QUERY", s.c.src, f.Pos, "field %s does not support aggregate operator %s", arg.name, name)
	}
	v := &value{kind: typeInt, name: arg.name, aggregate: true}
	switch name {
	case "COUNT":
		v.sql = "COUNT(" + arg.sql + ")"
	case "COUNT_DISTINCT":
		v.sql = "COUNT(DISTINCT " + arg.folded + ")"
	case "MIN", "MAX":
		v.sql, v.kind, v.field = extreme(name, arg), arg.kind, nil
	default:
		if !isNumber(arg.kind) {
			return nil, atQuery("MALFORMED_QUERY", s.c.src, f.Pos, "field %s does not support aggregate operator %s", arg.name, name)
		}
		v.sql, v.kind = name+"("+arg.sql+")", typeDouble
		if name == "SUM" {
			v.kind = arg.kind
		}
	}
	v.folded = v.sql
	switch extreme := name == "MIN" || name == "MAX"; {
	case extreme && arg.rank() != "":
		v.folded = "lower(" + v.sql + ")"
	case extreme:
		v.folded = name + "(" + arg.folded + ")"
	}
	return v, nil
}

// dateCall compiles a date function over a date, a datetime, or a datetime in the user's zone.
func (s *scope) dateCall(name, expr string, f *soql.Func) (*value, error) {
	arg := f.Arg
	local := false
	if inner, ok := arg.(*soql.Func); ok && strings.EqualFold(inner.Name, "convertTimezone") {
		arg, local = inner.Arg, true
	}
	v, err := s.value(arg, false)
	if err != nil {
		return nil, err
	}
	var when string
	if timed := name == "HOUR_IN_DAY" || name == "DAY_ONLY"; timed && v.kind == typeDate {
		return nil, atQuery("INVALID_FIELD", s.c.src, f.Pos, "%s needs a datetime: '%s' is none", name, v.name)
	}
	switch {
	case v.kind == typeDateTime && local:
		when = "sandbox_local(" + v.sql + ", '" + s.c.zone + "') / 1000, 'unixepoch'"
	case v.kind == typeDateTime:
		when = v.sql + " / 1000, 'unixepoch'"
	case v.kind == typeDate && !local:
		when = v.sql
	default:
		return nil, atQuery("INVALID_FIELD", s.c.src, f.Pos, "%s needs a date: '%s' is none", name, v.name)
	}
	sql := strings.ReplaceAll(expr, "$", when)
	kind := typeInt
	if name == "DAY_ONLY" {
		kind = typeDate
	}
	return &value{sql: sql, folded: sql, kind: kind, name: v.name}, nil
}

// datePart returns the SQL of a date function, with $ for the moment. The fiscal year of this org is the calendar year.
func datePart(name string) (string, bool) {
	part := func(format string) string { return "CAST(strftime('" + format + "', $) AS INTEGER)" }
	switch name {
	case "CALENDAR_YEAR", "FISCAL_YEAR":
		return part("%Y"), true
	case "CALENDAR_QUARTER", "FISCAL_QUARTER":
		return "((" + part("%m") + " + 2) / 3)", true
	case "CALENDAR_MONTH", "FISCAL_MONTH":
		return part("%m"), true
	case "DAY_IN_MONTH":
		return part("%d"), true
	case "DAY_IN_WEEK":
		return "(" + part("%w") + " + 1)", true
	case "DAY_IN_YEAR":
		return part("%j"), true
	case "DAY_ONLY":
		return "strftime('%Y-%m-%d', $)", true
	case "HOUR_IN_DAY":
		return part("%H"), true
	case "WEEK_IN_MONTH":
		return "((" + part("%d") + " + 6) / 7)", true
	case "WEEK_IN_YEAR":
		return "((" + part("%j") + " + 6) / 7)", true
	}
	return "", false
}

// isAggregate reports whether a query yields AggregateResults.
func isAggregate(q *soql.Query) bool {
	if q.GroupBy != nil {
		return true
	}
	for _, item := range q.Select {
		if f, ok := item.Expr.(*soql.Func); ok && hasAggregate(f) {
			return true
		}
	}
	return false
}

func hasAggregate(f *soql.Func) bool {
	if isAggregateName(strings.ToUpper(f.Name)) {
		return true
	}
	inner, ok := f.Arg.(*soql.Func)
	return ok && hasAggregate(inner)
}

// aggregate compiles the SELECT list and the groups of an aggregate query.
func (b *builder) aggregate(q *soql.Query) error {
	grouped, err := b.groupBy(q.GroupBy)
	if err != nil {
		return err
	}
	b.grouped = grouped
	if q.GroupBy == nil && q.Limit != nil {
		return badRequest("MALFORMED_QUERY", "Non-grouped query that uses overall aggregate functions cannot also use LIMIT")
	}
	for _, item := range q.Select {
		n, err := b.aggregateItem(item, grouped)
		if err != nil {
			return err
		}
		if err := b.named(n.name, item.Pos, n); err != nil {
			return err
		}
	}
	return nil
}

// groupBy compiles the fields grouped by and returns them by their SQL.
func (b *builder) groupBy(g *soql.GroupBy) (map[string]bool, error) {
	grouped := map[string]bool{}
	if g == nil {
		return grouped, nil
	}
	if b.mode = g.Mode; b.mode != "" {
		b.rolled = map[string]int{}
		if len(g.Fields) > maxRollup {
			return nil, atQuery("MALFORMED_QUERY", b.c.src, g.Pos, "%s takes %d fields at most", b.mode, maxRollup)
		}
	}
	for i, e := range g.Fields {
		v, err := b.value(e, false)
		if err != nil {
			return nil, err
		}
		_, plain := e.(*soql.Field)
		if v.field != nil && plain && !v.field.groupable() {
			return nil, atQuery("MALFORMED_QUERY", b.c.src, e.Position(), "field '%s' can not be grouped in a query call", v.name)
		}
		grouped[v.folded] = true
		if b.mode != "" {
			b.rolled[v.folded] = i
		}
		b.groups = append(b.groups, v.folded)
	}
	return grouped, nil
}

// groupedOnly refuses a HAVING that looks at a field which is neither grouped by nor aggregated.
func (b *builder) groupedOnly(c soql.Cond) error {
	var fault error
	operands(c, func(e soql.Expr) {
		v, err := b.value(e, true)
		if err == nil && !v.aggregate && !b.grouped[v.folded] {
			err = atQuery("MALFORMED_QUERY", b.c.src, e.Position(), "Field must be grouped or aggregated: %s", v.name)
		}
		if fault == nil {
			fault = err
		}
	})
	return fault
}

func (b *builder) aggregateItem(item soql.SelectItem, grouped map[string]bool) (*node, error) {
	switch {
	case item.Sub != nil:
		return nil, atQuery("MALFORMED_QUERY", b.c.src, item.Pos, "Grouped query cannot use child relationships in the SELECT list")
	case item.TypeOf != nil:
		return nil, atQuery("MALFORMED_QUERY", b.c.src, item.Pos, "TYPEOF is not allowed in an aggregate query")
	}
	v, err := b.value(item.Expr, true)
	if err != nil {
		return nil, err
	}
	if !v.aggregate && !grouped[v.folded] {
		return nil, atQuery("MALFORMED_QUERY", b.c.src, item.Pos, "Field must be grouped or aggregated: %s", v.name)
	}
	f := v.field
	if f == nil {
		f = &field{name: v.name, kind: v.kind}
	}
	n := &node{name: item.Alias, field: f, column: b.column(b.mark(v).sql)}
	call, isCall := item.Expr.(*soql.Func)
	n.format = isCall && strings.EqualFold(call.Name, "FORMAT")
	switch {
	case n.name != "":
	case isCall && (v.aggregate || v.field == nil):
		n.name = "expr" + itoa(b.unnamed)
		b.unnamed++
	default:
		n.name = v.name
	}
	return n, nil
}

// extreme is the SQL of MIN and MAX: of texts the first or last without regard to case, of picklists by the order of
// their values.
func extreme(name string, arg *value) string {
	if !arg.text() {
		return name + "(" + arg.sql + ")"
	}
	key := arg.folded
	if rank := arg.rank(); rank != "" {
		key = "printf('%05d', " + rank + ") || " + key
	}
	// The smallest of the keys with their values behind them has the value that belongs to the smallest key.
	most := name + "(" + key + " || char(1) || " + arg.sql + ")"
	return "substr(" + most + ", instr(" + most + ", char(1)) + 1)"
}

// rank is the place of a picklist's value in the order of its definition, as SQL; empty where there is no such order. What
// is no value of the definition comes last.
func (v *value) rank() string {
	if v.field == nil || v.kind != typePicklist || len(v.field.values) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("CASE WHEN " + v.folded + " IS NULL THEN NULL ELSE CASE " + v.folded)
	for i, text := range v.field.values {
		b.WriteString(" WHEN " + quoteSQL(strings.ToLower(text)) + " THEN " + itoa(i))
	}
	return b.String() + " ELSE " + itoa(len(v.field.values)) + " END END" //nolint:dupword // one of each CASE
}

// quoteSQL makes a literal of a value of the definitions. What marks stand for in rollups cannot occur in it.
func quoteSQL(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, s)
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

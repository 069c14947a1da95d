package salesforce

import (
	"strconv"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/soql"
)

func (s *scope) cond(out *sqlText, c soql.Cond) error {
	switch c := c.(type) {
	case *soql.And:
		return s.joinConds(out, c.Terms, " AND ")
	case *soql.Or:
		s.nested++
		defer func() { s.nested-- }()
		return s.joinConds(out, c.Terms, " OR ")
	case *soql.Not:
		s.nested++
		defer func() { s.nested-- }()
		// A condition over a missing value is false, and its negation true: there is no third answer.
		out.WriteString("NOT COALESCE((")
		if err := s.cond(out, c.Term); err != nil {
			return err
		}
		out.WriteString("), 0)")
		return nil
	case *soql.Compare:
		v, err := s.operand(c.Left)
		if err != nil {
			return err
		}
		return s.compare(out, v, c.Op, c.Value)
	case *soql.Calc:
		return s.calc(out, c)
	case *soql.In:
		return s.in(out, c)
	case *soql.Includes:
		return s.includes(out, c)
	}
	return badRequest("MALFORMED_QUERY", "the condition %s is not understood", c)
}

// joinConds halves a long list again and again, since SQLite bounds the depth of an expression and not its breadth.
func (s *scope) joinConds(out *sqlText, terms []soql.Cond, word string) error {
	if len(terms) == 1 {
		return s.cond(out, terms[0])
	}
	half := len(terms) / 2
	for i, part := range [][]soql.Cond{terms[:half], terms[half:]} {
		if i > 0 {
			out.WriteString(word)
		}
		out.WriteString("(")
		if err := s.joinConds(out, part, word); err != nil {
			return err
		}
		out.WriteString(")")
	}
	return nil
}

// operand is the left side of a condition.
func (s *scope) operand(e soql.Expr) (*value, error) {
	v, err := s.value(e, s.having)
	if err != nil {
		return nil, err
	}
	if v.field != nil && (v.field.longText || v.field.compound() || v.field.kind == typeJunction) {
		return nil, atQuery("INVALID_FIELD", s.c.src, e.Position(), "field '%s' can not be filtered in a query call", v.field.name)
	}
	if s.having {
		return s.mark(v), nil
	}
	return v, nil
}

func (s *scope) calc(out *sqlText, c *soql.Calc) error {
	a, err := s.operand(c.A)
	if err != nil {
		return err
	}
	b, err := s.operand(c.B)
	if err != nil {
		return err
	}
	if !isNumber(a.kind) || !isNumber(b.kind) {
		return atQuery("INVALID_FIELD", s.c.src, c.A.Pos, "only numbers can be added and subtracted")
	}
	sign := " + "
	if c.Minus {
		sign = " - "
	}
	sum := "(" + a.sql + sign + b.sql + ")"
	return s.compare(out, &value{sql: sum, folded: sum, kind: typeDouble, name: c.A.Name}, c.Op, c.Value)
}

// includes compares a multi-select picklist: of each value, which may be several with ; between them, all must be set, and
// one of the values is enough. What has no value excludes all.
func (s *scope) includes(out *sqlText, c *soql.Includes) error {
	v, err := s.operand(c.Left)
	if err != nil {
		return err
	}
	if v.kind != typeMulti {
		return atQuery("INVALID_QUERY_FILTER_OPERATOR", s.c.src, c.Left.Position(), "includes and excludes operators are not valid on field '%s'", v.name)
	}
	if c.Excludes {
		out.WriteString("NOT ")
	}
	out.WriteString("COALESCE((")
	for i, lit := range c.Values {
		if lit.Kind != soql.Text && lit.Kind != soql.Null {
			return s.wrongType(v, lit)
		}
		if i > 0 {
			out.WriteString(" OR ")
		}
		if lit.Str == "" {
			out.WriteString(v.folded + " IS NULL")
			continue
		}
		for k, part := range strings.Split(strings.ToLower(lit.Str), ";") {
			if k > 0 {
				out.WriteString(" AND ")
			}
			out.WriteString("instr(';' || " + v.folded + " || ';', ")
			out.arg(";" + strings.TrimSpace(part) + ";")
			out.WriteString(") > 0")
		}
	}
	out.WriteString("), 0)")
	return nil
}

func isNumber(kind fieldType) bool {
	return kind == typeInt || kind == typeDouble || kind == typeCurrency
}

func (s *scope) compare(out *sqlText, v *value, op soql.Op, lit soql.Value) error {
	if op == soql.OpLike {
		return s.like(out, v, lit)
	}
	if lit.Kind == soql.Null && v.kind == typeBoolean {
		lit = soql.Value{Pos: lit.Pos, Kind: soql.Bool} // a box that is not ticked has no other value
	}
	switch {
	case v.near != nil:
		return s.compareDistance(out, v, op, lit)
	case isNone(v, lit):
		writeNull(out, v, op)
		return nil
	case lit.Kind == soql.DateFormula && v.isMoment():
		return s.compareRange(out, v, op, lit)
	}
	arg, err := s.literal(v, lit)
	if err != nil {
		return err
	}
	if v.kind == typeBoolean && op != soql.Equal && op != soql.NotEqual {
		return atQuery("INVALID_QUERY_FILTER_OPERATOR", s.c.src, lit.Pos, "invalid operator on field '%s': use = or !=", v.name)
	}
	out.WriteString(v.folded)
	if op == soql.NotEqual {
		// What has no value is not equal to any.
		out.WriteString(" IS NOT ")
	} else {
		out.WriteString(" " + string(op) + " ")
	}
	out.arg(arg)
	return nil
}

// isNone reports whether a literal stands for no value: null, and for texts the empty one.
func isNone(v *value, lit soql.Value) bool {
	return lit.Kind == soql.Null || lit.Kind == soql.Text && lit.Str == "" && v.text()
}

func writeNull(out *sqlText, v *value, op soql.Op) {
	switch op {
	case soql.Equal:
		out.WriteString(v.folded + " IS NULL")
	case soql.NotEqual:
		out.WriteString(v.folded + " IS NOT NULL")
	default:
		out.WriteString("0")
	}
}

// compareRange compares with a date literal, which stands for a span of whole days.
func (s *scope) compareRange(out *sqlText, v *value, op soql.Op, lit soql.Value) error {
	if err := checkFormula(lit); err != nil {
		return atQuery("MALFORMED_QUERY", s.c.src, lit.Pos, "%s", err)
	}
	asDate := v.kind == typeDate
	edge := func(end bool) {
		out.dyn(func(e environment) any { return formulaEdge(lit, e, end, asDate) })
	}
	switch op {
	case soql.Less:
		out.WriteString(v.sql + " < ")
		edge(false)
	case soql.LessOrEqual:
		out.WriteString(v.sql + " < ")
		edge(true)
	case soql.Greater:
		// The spans that reach back from today are asked for by > as well as by =: what is greater than their start.
		if back := strings.HasPrefix(lit.Str, "LAST_") && strings.HasSuffix(lit.Str, "_DAYS"); back {
			out.WriteString(v.sql + " > ")
			edge(false)
			return nil
		}
		out.WriteString(v.sql + " >= ")
		edge(true)
	case soql.GreaterOrEqual:
		out.WriteString(v.sql + " >= ")
		edge(false)
	default:
		if op == soql.NotEqual {
			out.WriteString("NOT COALESCE(")
		}
		out.WriteString("(" + v.sql + " >= ")
		edge(false)
		out.WriteString(" AND " + v.sql + " < ")
		edge(true)
		out.WriteString(")")
		if op == soql.NotEqual {
			out.WriteString(", 0)")
		}
	}
	return nil
}

func formulaEdge(lit soql.Value, e environment, end, asDate bool) any {
	from, to := formulaRange(lit, e.now.In(e.zone), firstWeekday(e.locale))
	t := from
	if end {
		t = to
	}
	if asDate {
		return t.Format(time.DateOnly)
	}
	return t.UnixMilli()
}

// literal checks a literal against the type it is compared with and returns it as the store holds such values.
func (s *scope) literal(v *value, lit soql.Value) (any, error) {
	switch {
	case v.kind == typeID || v.kind == typeReference:
		if lit.Kind != soql.Text {
			break
		}
		id, ok := normalID(lit.Str)
		if !ok {
			return nil, atQuery("INVALID_QUERY_FILTER_OPERATOR", s.c.src, lit.Pos, "invalid ID field: %s", lit.Str)
		}
		return id, nil
	case v.text():
		if lit.Kind == soql.Text {
			return strings.ToLower(lit.Str), nil
		}
	case v.kind == typeBoolean:
		if lit.Kind == soql.Bool {
			return lit.Bool, nil
		}
	case isNumber(v.kind):
		return s.number(v, lit)
	case v.kind == typeDate || v.kind == typeDateTime:
		return s.moment(v, lit)
	}
	return nil, s.wrongType(v, lit)
}

// moment wants a date for a date and a datetime for a datetime; the platform converts neither.
func (s *scope) moment(v *value, lit soql.Value) (any, error) {
	switch {
	case v.kind == typeDate && lit.Kind == soql.Date:
		if _, err := time.Parse(time.DateOnly, lit.Raw); err != nil {
			return nil, atQuery("MALFORMED_QUERY", s.c.src, lit.Pos, "invalid date: %s", lit.Raw)
		}
		return lit.Raw, nil
	case v.kind == typeDateTime && lit.Kind == soql.DateTime:
		t, err := parseDateTime(lit.Raw)
		if err != nil {
			return nil, atQuery("MALFORMED_QUERY", s.c.src, lit.Pos, "invalid dateTime: %s", lit.Raw)
		}
		return t.UnixMilli(), nil
	}
	return nil, s.wrongType(v, lit)
}

func (s *scope) number(v *value, lit soql.Value) (any, error) {
	raw := lit.Raw
	switch lit.Kind {
	case soql.Integer, soql.Decimal:
	case soql.Currency:
		raw = raw[3:]
	default:
		return nil, s.wrongType(v, lit)
	}
	if n, err := strconv.ParseInt(raw, 10, 64); err == nil {
		return n, nil
	}
	n, err := strconv.ParseFloat(raw, 64)
	if err != nil {
		return nil, atQuery("MALFORMED_QUERY", s.c.src, lit.Pos, "%s is not a number", lit.Raw)
	}
	return n, nil
}

func (s *scope) wrongType(v *value, lit soql.Value) error {
	kind, quotes := "string", "should be enclosed in quotes"
	switch {
	case v.kind == typeID, v.kind == typeReference:
		kind = "ID"
	case v.text():
	case v.kind == typeDateTime:
		kind, quotes = "dateTime", "should not be enclosed in quotes"
	default:
		kind, quotes = string(v.kind), "should not be enclosed in quotes"
	}
	return atQuery("INVALID_FIELD", s.c.src, lit.Pos,
		"value of filter criterion for field '%s' must be of type %s and %s", v.name, kind, quotes)
}

func (s *scope) in(out *sqlText, c *soql.In) error {
	v, err := s.operand(c.Left)
	if err != nil {
		return err
	}
	if v.near != nil {
		return atQuery("INVALID_QUERY_FILTER_OPERATOR", s.c.src, c.Left.Position(), "DISTANCE only supports the operators < and >")
	}
	if c.Sub != nil {
		if err := s.checkSemiJoin(v, c); err != nil {
			return err
		}
		return s.semiJoin(out, v, c)
	}
	if len(c.Values) > maxValues {
		return badRequest("QUERY_TOO_COMPLICATED", "Query is too complicated: more than %d values in one list", maxValues)
	}
	if c.Not {
		out.WriteString("NOT COALESCE(")
	}
	if err := s.anyOf(out, v, c.Values); err != nil {
		return err
	}
	if c.Not {
		out.WriteString(", 0)")
	}
	return nil
}

// anyOf writes `v is one of the values`: plain ones as one list, nulls and date literals beside it.
func (s *scope) anyOf(out *sqlText, v *value, values []soql.Value) error {
	var plain, other []soql.Value
	for _, lit := range values {
		if lit.Kind == soql.Null || lit.Kind == soql.DateFormula || lit.Kind == soql.Text && lit.Str == "" {
			other = append(other, lit)
		} else {
			plain = append(plain, lit)
		}
	}
	out.WriteString("(")
	if err := s.anyPlain(out, v, plain); err != nil {
		return err
	}
	for i, lit := range other {
		if i > 0 || len(plain) > 0 {
			out.WriteString(" OR ")
		}
		if err := s.compare(out, v, soql.Equal, lit); err != nil {
			return err
		}
	}
	out.WriteString(")")
	return nil
}

// maxSemiJoins is the number of semi-joins a query takes (SOQL and SOSL reference, "Comparison Operators").
const maxSemiJoins = 2

// checkSemiJoin refuses the places where the platform takes no semi-join.
func (s *scope) checkSemiJoin(v *value, c *soql.In) error {
	refuse := func(format string, args ...any) error {
		return atQuery("MALFORMED_QUERY", s.c.src, c.Sub.Pos, format, args...)
	}
	s.semiJoins++
	inner := c.Sub.From[0].Name
	switch {
	case s.inSemiJoin:
		return refuse("Nesting of semi join sub-selects is not supported")
	case s.nested > 0:
		return refuse("Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE expressions.")
	case s.semiJoins > maxSemiJoins:
		return refuse("Maximum %d semi join sub-selects are allowed", maxSemiJoins)
	case strings.EqualFold(inner, s.obj.name) && v.kind == typeID:
		return refuse("The inner and outer selects should not be on the same object type")
	case strings.EqualFold(inner, "Task"), strings.EqualFold(inner, "Event"):
		return refuse("Entity '%s' is not supported for semi join inner selects", inner)
	}
	return nil
}

// pointAlike reports whether both sides of a semi-join can be the id of the same entity.
func pointAlike(v *value, outer *object, r *reference, inner *object) bool {
	left, right := v.field.refs, r.field.refs
	switch {
	case v.kind == typeID && !v.direct || r.field.kind == typeID && !r.direct:
		return true // of a parent: nothing is known here of which
	case v.kind == typeID:
		left = []string{outer.name}
	}
	if r.field.kind == typeID {
		right = []string{inner.name}
	}
	for _, name := range left {
		if listed(right, name) {
			return true
		}
	}
	return false
}

// anyPlain writes a list of values, nothing when it is empty.
func (s *scope) anyPlain(out *sqlText, v *value, values []soql.Value) error {
	switch {
	case len(values) == 0:
		return nil
	case len(values) > manyIDs && (v.kind == typeID || v.kind == typeReference):
		return s.anyID(out, v, values)
	}
	out.WriteString(v.folded + " IN (")
	for i, lit := range values {
		arg, err := s.literal(v, lit)
		if err != nil {
			return err
		}
		if i > 0 {
			out.WriteString(", ")
		}
		out.arg(arg)
	}
	out.WriteString(")")
	return nil
}

// manyIDs is how many ids are written one by one. More are one argument, so that lists of any length share a statement.
const manyIDs = 20

func (s *scope) anyID(out *sqlText, v *value, values []soql.Value) error {
	list := []byte{'['}
	for i, lit := range values {
		arg, err := s.literal(v, lit)
		if err != nil {
			return err
		}
		if i > 0 {
			list = append(list, ',')
		}
		id, _ := arg.(string) // literal makes ids of texts
		list = appendString(list, id)
	}
	out.WriteString(v.folded + " IN (SELECT value FROM json_each(")
	out.arg(string(append(list, ']')))
	out.WriteString("))")
	return nil
}

func (s *scope) semiJoin(out *sqlText, v *value, c *soql.In) error {
	f, ok := c.Sub.Select[0].Expr.(*soql.Field)
	obj := s.c.schema.object(c.Sub.From[0].Name)
	if obj == nil {
		return s.c.noEntity(c.Sub.From[0])
	}
	if !ok || v.kind != typeID && v.kind != typeReference {
		return atQuery("INVALID_QUERY_FILTER_OPERATOR", s.c.src, c.Left.Position(), "a semi-join compares ids: '%s' is none", v.name)
	}
	inner, err := s.c.newScope(c.Sub, obj)
	if err != nil {
		return err
	}
	r, err := inner.resolve(f.Name, f.Pos)
	if err != nil {
		return err
	}
	if !r.direct {
		return atQuery("MALFORMED_QUERY", s.c.src, f.Pos, "The selected field '%s' in the subquery cannot be of a parent: select a field of '%s' itself", f.Name, obj.name)
	}
	if !r.field.isID() {
		return atQuery("MALFORMED_QUERY", s.c.src, f.Pos, "The selected field '%s' in the subquery and the left operand field in the where "+
			"expression in the outer query '%s' should point to the same object type", f.Name, v.name)
	}
	if !pointAlike(v, s.obj, r, obj) {
		return atQuery("INVALID_FIELD", s.c.src, f.Pos, "The selected field '%s' in the subquery and the left operand field in the where "+
			"expression in the outer query '%s' should point to the same object type", f.Name, v.name)
	}
	inner.inSemiJoin = true
	b := &builder{scope: inner, plan: &plan{object: obj}}
	where, err := b.filter(c.Sub, nil)
	if err != nil {
		return err
	}
	if inner.tables > maxTables {
		return badRequest("QUERY_TOO_COMPLICATED", "Query is too complicated: at most %d entities of parents", maxTables)
	}
	if c.Not {
		out.WriteString("NOT COALESCE(")
	}
	out.WriteString(v.sql + " IN (SELECT " + r.sql + " FROM " + obj.table() + " " + inner.root.alias + inner.joined.String())
	out.add(where)
	if where.empty() {
		out.WriteString(" WHERE 1")
	}
	out.WriteString(" AND " + r.sql + " IS NOT NULL)")
	if c.Not {
		out.WriteString(", 0)")
	}
	return nil
}

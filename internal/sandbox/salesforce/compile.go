package salesforce

import (
	"strconv"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/soql"
)

// environment is what a query's meaning depends on besides its text.
type environment struct {
	now  time.Time
	zone *time.Location // of the user: date literals are days there
	// locale of the user, which says how FORMAT writes and when weeks start; empty: en_US
	locale string
	user   string // id
	api    int    // version of the API: 60 for 60.0; 0 is the newest
	view   *view  // what the user sees; nil: everything
}

// argument is a value for a placeholder: fixed, or worked out for each run.
type argument struct {
	fixed any
	dyn   func(environment) any
}

// plan is a compiled query. It never changes once built, so that runs can share it.
type plan struct {
	object    *object
	sql       string
	args      []argument
	columns   int
	nodes     []*node // of the record, in SELECT order
	idColumn  int
	count     bool // SELECT COUNT(): one number
	aggregate bool // rows are AggregateResults
	grouped   bool
}

type nodeKind int

const (
	leafNode nodeKind = iota
	parentNode
	subqueryNode
	typeofNode
	compoundNode
)

// node is one key of a record's JSON.
type node struct {
	name   string
	kind   nodeKind
	field  *field
	column int
	format bool // FORMAT: the value as text

	children []*node  // of a parent
	targets  []branch // of a parent: what it may be; of TYPEOF: with the fields of each type
	poly     bool
	sub      *plan
}

// branch is one entity a reference may point at, known by its id column not being null.
type branch struct {
	object   *object
	idColumn int
	children []*node
	none     bool // TYPEOF says nothing of it
}

// sqlText is SQL with the arguments of its placeholders, in order.
type sqlText struct {
	text strings.Builder
	args []argument
}

// WriteString appends SQL made of names and words of this package, never of a client's text.
func (t *sqlText) WriteString(s string) { t.text.WriteString(s) }

func (t *sqlText) String() string { return t.text.String() }

func (t *sqlText) empty() bool { return t.text.Len() == 0 }

func (t *sqlText) arg(v any) {
	t.WriteString("?")
	t.args = append(t.args, argument{fixed: v})
}

func (t *sqlText) dyn(f func(environment) any) {
	t.WriteString("?")
	t.args = append(t.args, argument{dyn: f})
}

func (t *sqlText) add(other *sqlText) {
	t.WriteString(other.String())
	t.args = append(t.args, other.args...)
}

// Limits of a query, the platform's own but for maxValues, maxTables and maxColumns, which are the store's.
const (
	maxOffset    = 2000
	maxParents   = 5 // levels up
	maxLevels    = 5 // of parents and children, the root being the first; from API 58.0
	oldLevels    = 2 // before that
	deepSince    = 58
	maxFieldsAll = 200
	maxValues    = 30_000
	maxRelations = 55 // child-to-parent, in the whole query; each type a TYPEOF names is one more
	maxTables    = 63 // of a join beside the first one, which is the store's limit: several for one polymorphic parent
	maxColumns   = 1900
	maxSubquery  = 20 // parent-to-child, in the whole query
)

// compiler turns one query text into a plan.
type compiler struct {
	schema  *schema
	src     string
	zone    string   // name of the user's zone, for convertTimezone
	all     bool     // queryAll: deleted records too
	levels  int      // of sub-queries, maxLevels if 0
	only    *sqlText // selects the ids the records must be of, nil: any
	aliases int
	depth   int

	relations  int // child-to-parent, so far
	subqueries int // parent-to-child, so far
}

// compile checks a query against the schema. Errors are *apiError.
func (c *compiler) compile(q *soql.Query) (*plan, error) {
	obj := c.schema.object(q.From[0].Name)
	if obj == nil {
		return nil, c.noEntity(q.From[0])
	}
	if obj.event {
		return nil, badRequest("INVALID_TYPE_FOR_OPERATION", "entity type %s does not support query", obj.name)
	}
	return c.query(q, obj, nil)
}

func (c *compiler) noEntity(f soql.From) error {
	return atQuery("INVALID_TYPE", c.src, f.Pos, "sObject type '%s' is not supported. %s", f.Name, adviceEntity)
}

// query compiles q over obj. For a sub-query link is the field that points at the parent, whose id is the first argument.
func (c *compiler) query(q *soql.Query, obj *object, link *field) (*plan, error) {
	levels := c.levels
	if levels == 0 {
		levels = maxLevels
	}
	if c.depth++; c.depth > levels {
		return nil, atQuery("MALFORMED_QUERY", c.src, q.Pos,
			"SOQL statements cannot query aggregate relationships more than %d level away from the root entity object.", levels-1)
	}
	defer func() { c.depth-- }()
	sc, err := c.newScope(q, obj)
	if err != nil {
		return nil, err
	}
	b := &builder{scope: sc, plan: &plan{object: obj, idColumn: -1}, seen: map[string]int{}}
	if err := checkShape(q); err != nil {
		return nil, err
	}
	switch {
	case q.Count:
		b.plan.count = true
	case isAggregate(q):
		b.plan.aggregate, b.plan.grouped = true, q.GroupBy != nil
		err = b.aggregate(q)
	default:
		err = b.records(q)
	}
	if err != nil {
		return nil, err
	}
	if err := b.finish(q, link); err != nil {
		return nil, err
	}
	return b.plan, nil
}

func checkShape(q *soql.Query) error {
	if q.Offset != nil && (q.Offset.Value > maxOffset || q.Offset.Value < 0) {
		return badRequest("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is %d", maxOffset)
	}
	if q.Limit != nil && q.Limit.Value < 0 {
		return badRequest("MALFORMED_QUERY", "unexpected token: '-'")
	}
	for _, w := range q.With {
		switch strings.ToUpper(w.Name) {
		case "SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE":
		default:
			return badRequest("INVALID_FIELD", "this org has no data categories or record contexts: remove %s", w)
		}
	}
	if q.Count && (len(q.OrderBy) > 0 || q.GroupBy != nil) {
		return badRequest("MALFORMED_QUERY", "Grouped or ordered query cannot use COUNT(): use COUNT(Id)")
	}
	if q.From[0].Lookup != "" || len(q.Bind) > 0 {
		return badRequest("INVALID_FIELD", "this org has no lookup filters: remove USING LOOKUP")
	}
	return nil
}

// builder collects the parts of one SELECT.
type builder struct {
	*scope
	plan   *plan
	cols   []string
	seen   map[string]int
	groups []string
	mode   string // ROLLUP, CUBE or empty

	unnamed int // columns called expr0, expr1 .. so far

	grouped map[string]bool // what is grouped by, as SQL
}

// column adds an expression to the SELECT list once and returns its place.
func (b *builder) column(expr string) int {
	if i, ok := b.seen[expr]; ok {
		return i
	}
	b.cols = append(b.cols, expr)
	b.seen[expr] = len(b.cols) - 1
	return len(b.cols) - 1
}

// finish writes the SQL around the columns.
func (b *builder) finish(q *soql.Query, link *field) error {
	where, err := b.filter(q, link)
	if err != nil {
		return err
	}
	var having, order sqlText
	if q.Having != nil {
		having.WriteString(" HAVING ")
		b.having = true
		if err := b.groupedOnly(q.Having); err != nil {
			return err
		}
		if err := b.cond(&having, q.Having); err != nil {
			return err
		}
		b.having = false
	}
	if err := b.order(&order, q); err != nil {
		return err
	}
	var out sqlText
	if len(b.cols) == 0 {
		b.cols = []string{"1"}
	}
	if b.mode != "" {
		b.rollup(&out, where, &having)
	} else {
		out.WriteString("SELECT " + strings.Join(b.cols, ", ") + b.fromText())
		out.add(where)
		if len(b.groups) > 0 {
			out.WriteString(" GROUP BY " + strings.Join(b.groups, ", "))
		}
		out.add(&having)
	}
	out.add(&order)
	writeLimit(&out, q)
	if b.plan.count {
		inner := out
		out = sqlText{}
		out.WriteString("SELECT COUNT(*) FROM (")
		out.add(&inner)
		out.WriteString(")")
	}
	if len(out.args) > maxValues || len(b.cols) > maxColumns || b.tables > maxTables {
		return badRequest("QUERY_TOO_COMPLICATED", "Query is too complicated: at most %d values, %d columns and %d entities of parents", maxValues, maxColumns, maxTables)
	}
	b.plan.sql, b.plan.args, b.plan.columns = out.String(), out.args, len(b.cols)
	return nil
}

func (b *builder) fromText() string {
	return " FROM " + b.obj.table() + " " + b.root.alias + b.joined.String()
}

func writeLimit(out *sqlText, q *soql.Query) {
	switch {
	case q.Limit != nil:
		out.WriteString(" LIMIT " + strconv.Itoa(q.Limit.Value))
	case q.Offset != nil:
		out.WriteString(" LIMIT -1")
	}
	if q.Offset != nil {
		out.WriteString(" OFFSET " + strconv.Itoa(q.Offset.Value))
	}
}

func (b *builder) filter(q *soql.Query, link *field) (*sqlText, error) {
	out := &sqlText{}
	var terms []*sqlText
	if link != nil {
		t := &sqlText{}
		t.WriteString(b.root.alias + "." + link.column() + " = ")
		t.arg(nil) // the parent's id, set for each run
		terms = append(terms, t)
	}
	if !b.c.all {
		t := &sqlText{}
		t.WriteString(b.root.alias + `."IsDeleted" = 0`)
		terms = append(terms, t)
	}
	if b.c.only != nil && link == nil && !b.inSemiJoin {
		t := &sqlText{}
		t.WriteString(b.root.alias + `."Id" IN (`)
		t.add(b.c.only)
		t.WriteString(")")
		terms = append(terms, t)
	}
	scoped, err := b.using(q.From[0])
	if err != nil {
		return nil, err
	}
	if scoped != nil {
		terms = append(terms, scoped)
	}
	if q.Where != nil {
		t := &sqlText{}
		t.WriteString("(")
		if err := b.cond(t, q.Where); err != nil {
			return nil, err
		}
		t.WriteString(")")
		terms = append(terms, t)
	}
	for i, t := range terms {
		if i == 0 {
			out.WriteString(" WHERE ")
		} else {
			out.WriteString(" AND ")
		}
		out.add(t)
	}
	return out, nil
}

// using compiles USING SCOPE: `mine` is what the user owns, `delegated` what the user made for others to do, `everything`
// and `all` are no filter.
func (b *builder) using(f soql.From) (*sqlText, error) {
	switch strings.ToLower(f.Scope) {
	case "", "everything", "all":
		return nil, nil
	case "delegated":
		if b.obj.name != "Task" {
			break
		}
		t := &sqlText{}
		t.WriteString(b.root.alias + `."CreatedById" = `)
		t.dyn(func(e environment) any { return e.user })
		t.WriteString(" AND " + b.root.alias + `."OwnerId" != `)
		t.dyn(func(e environment) any { return e.user })
		return t, nil
	case "mine":
		if !b.obj.hasOwner() {
			break
		}
		t := &sqlText{}
		t.WriteString(b.root.alias + `."OwnerId" = `)
		t.dyn(func(e environment) any { return e.user })
		return t, nil
	}
	return nil, badRequest("INVALID_QUERY_SCOPE", "scope '%s' is not supported for sObject type '%s': use mine or everything", f.Scope, b.obj.name)
}

func (b *builder) order(out *sqlText, q *soql.Query) error {
	for i, o := range q.OrderBy {
		v, err := b.value(o.Expr, b.plan.aggregate)
		if err != nil {
			return err
		}
		if v.field != nil && !v.field.sortable() {
			return atQuery("INVALID_FIELD", b.c.src, o.Expr.Position(), "field '%s' can not be sorted in a query call", v.field.name)
		}
		if b.plan.aggregate && !v.aggregate && !b.grouped[v.folded] {
			return atQuery("MALFORMED_QUERY", b.c.src, o.Expr.Position(), "Ordered field must be grouped or aggregated: %s", v.name)
		}
		if i == 0 {
			out.WriteString(" ORDER BY ")
		} else {
			out.WriteString(", ")
		}
		marked := b.mark(v)
		// Picklists are in the order of their definition, and what is not of it by the alphabet.
		if rank := marked.rank(); rank != "" {
			b.orderBy(out, rank, o)
			out.WriteString(", ")
		}
		b.orderBy(out, marked.folded, o)
	}
	if len(q.OrderBy) > 0 && !b.plan.aggregate && !b.plan.count {
		out.WriteString(", " + b.root.alias + `."Id"`)
	}
	return nil
}

func (b *builder) orderBy(out *sqlText, expr string, o soql.Order) {
	if b.mode != "" {
		// The parts of a rollup are ordered together, by column.
		expr = strconv.Itoa(b.column(expr) + 1)
	}
	out.WriteString(expr)
	if o.Desc {
		out.WriteString(" DESC")
	}
	// Unlike SQL, nulls come first in either direction unless the query says otherwise.
	if o.Nulls == "LAST" {
		out.WriteString(" NULLS LAST")
	} else {
		out.WriteString(" NULLS FIRST")
	}
}

package soql

// Pos is a place in the query text: a byte offset from 0.
type Pos int

// Query is a SELECT statement, or the inside of a sub-query or semi-join.
type Query struct {
	Pos     Pos
	Count   bool         // SELECT COUNT(); Select is then empty
	Select  []SelectItem // in the order written
	From    []From       // at least one; further ones alias a relationship path of the first
	Where   Cond         // nil: none
	With    []With
	GroupBy *GroupBy // nil: none
	Having  Cond     // nil: none
	OrderBy []Order
	Limit   *Int // nil: none
	Offset  *Int // nil: none
	Bind    []Binding
	For     string   // "VIEW", "REFERENCE" or empty
	Update  []string // names after UPDATE, as written
}

// SelectItem is one column: exactly one of Expr, Sub and TypeOf is set.
type SelectItem struct {
	Pos    Pos
	Expr   Expr
	Sub    *Query
	TypeOf *TypeOf
	Alias  string // empty: none
}

// From names an entity, or in a sub-query a child relationship.
type From struct {
	Pos    Pos
	Name   string
	Alias  string // empty: none
	Scope  string // USING SCOPE, empty: none
	Lookup string // USING LOOKUP, empty: none
}

// TypeOf is TYPEOF what WHEN type THEN fields.. [ELSE fields..] END.
type TypeOf struct {
	Pos   Pos
	What  Expr
	Whens []When
	Else  []Expr
}

// When is one branch of a TypeOf.
type When struct {
	Pos    Pos
	Type   string
	Fields []Expr
}

// Expr is a *Field, *Func or *Distance.
type Expr interface {
	// Position returns where the expression starts.
	Position() Pos
	// String prints the expression as SOQL.
	String() string
}

// Field is a field name, with its relationship path: "Account.Owner.Name".
type Field struct {
	Pos  Pos
	Name string // as written, dots included
}

// Func is a function of one argument, such as COUNT(Id) or CALENDAR_YEAR(convertTimezone(CreatedDate)).
type Func struct {
	Pos  Pos
	Name string // as written
	Arg  Expr   // a *Field, or a *Func around one
}

// Distance is DISTANCE(field, GEOLOCATION(lat, lon), 'mi'|'km').
type Distance struct {
	Pos      Pos
	Field    Expr
	Lat, Lon Value
	Unit     string
}

// Position returns where the field starts.
func (f *Field) Position() Pos { return f.Pos }

// Position returns where the call starts.
func (f *Func) Position() Pos { return f.Pos }

// Position returns where the call starts.
func (d *Distance) Position() Pos { return d.Pos }

// Cond is a condition: *And, *Or, *Not, *Compare, *In, *Includes or *Calc.
type Cond interface {
	// String prints the condition as SOQL.
	String() string
	isCond()
}

// And holds two or more conditions that must all hold.
type And struct{ Terms []Cond }

// Or holds two or more conditions of which one must hold.
type Or struct{ Terms []Cond }

// Not negates a condition.
type Not struct{ Term Cond }

// Op is a comparison operator.
type Op string

// The comparison operators; <> is read as NotEqual.
const (
	Equal          Op = "="
	NotEqual       Op = "!="
	Less           Op = "<"
	LessOrEqual    Op = "<="
	Greater        Op = ">"
	GreaterOrEqual Op = ">="
	OpLike         Op = "LIKE"
)

// Compare is `left op value`.
type Compare struct {
	Left  Expr
	Op    Op
	Value Value
}

// Calc is `a + b op value` or `a - b op value`.
type Calc struct {
	A, B  *Field
	Minus bool
	Op    Op
	Value Value
}

// In is `left [NOT] IN (values)` or `left [NOT] IN (SELECT ..)`: exactly one of Values and Sub is set.
type In struct {
	Left   Expr
	Not    bool
	Values []Value
	Sub    *Query
}

// Includes is `left INCLUDES|EXCLUDES (values)` over a multi-select picklist.
type Includes struct {
	Left     Expr
	Excludes bool
	Values   []Value
}

func (*And) isCond()      {}
func (*Or) isCond()       {}
func (*Not) isCond()      {}
func (*Compare) isCond()  {}
func (*Calc) isCond()     {}
func (*In) isCond()       {}
func (*Includes) isCond() {}

// Kind is the kind of a literal.
type Kind int

// The kinds of literal. Date formulas are names such as TODAY or LAST_N_DAYS:3; a currency is a code and an amount.
const (
	Null Kind = iota
	Text
	Integer
	Decimal
	Bool
	Date
	DateTime
	Time
	DateFormula
	Currency
)

// Value is a literal.
type Value struct {
	Pos  Pos
	Kind Kind
	// Raw is the literal as written; for Text the part between the quotes, escapes included.
	Raw string
	// Str is the meaning of a Text with all escapes undone; in the value of a LIKE, \% and \_ stay as they are and a
	// backslash is doubled, so that Str is a pattern with the escape character \. For a DateFormula it is the name in
	// upper case, for a Currency the code in upper case.
	Str string
	// N is the number after the colon of a DateFormula, math.MaxInt when it is greater; HasN says whether there was one.
	N    int
	HasN bool
	// Bool is the meaning of a Bool.
	Bool bool
}

// With is one WITH clause.
type With struct {
	Pos        Pos
	Name       string         // SECURITY_ENFORCED, USER_MODE, UserId ..; empty for data categories
	Value      *Value         // WITH name = 'value'
	Args       []Binding      // WITH name (key = value, ..)
	Categories []DataCategory // WITH DATA CATEGORY ..
}

// DataCategory is `group AT|ABOVE|BELOW|ABOVE_OR_BELOW category`.
type DataCategory struct {
	Field Expr
	Op    string
	Names []string
}

// Binding is `name = value` after BIND or inside WITH.
type Binding struct {
	Name  string
	Value Value
}

// GroupBy is GROUP BY fields, GROUP BY ROLLUP(fields) or GROUP BY CUBE(fields).
type GroupBy struct {
	Pos    Pos
	Mode   string // "", "ROLLUP" or "CUBE"
	Fields []Expr
}

// Order is one ORDER BY term.
type Order struct {
	Expr  Expr
	Desc  bool
	Nulls string // "FIRST", "LAST" or empty (nulls then come first, whatever the direction)
}

// Int is a whole number with its place. The grammar allows a sign; a negative limit is refused by the org.
type Int struct {
	Pos   Pos
	Value int
}

// Search is a FIND statement (SOSL).
type Search struct {
	Term      string // the text between the braces, escapes included
	Scope     Scope
	Returning []Returning // empty: the ids of everything that matches
	With      []SearchWith
	Limit     *Int
	Offset    *Int
	Update    []string
}

// Scope says which kind of fields a search looks at.
type Scope string

// The search scopes; ScopeAll is the default.
const (
	ScopeAll     Scope = "ALL"
	ScopeName    Scope = "NAME"
	ScopeEmail   Scope = "EMAIL"
	ScopePhone   Scope = "PHONE"
	ScopeSidebar Scope = "SIDEBAR"
)

// Returning is one entity of a RETURNING clause.
type Returning struct {
	Pos      Pos
	Name     string
	Fields   []SelectItem // empty: Id alone
	Where    Cond
	OrderBy  []Order
	Limit    *Int
	Offset   *Int
	ListView string // USING ListView=, empty: none
}

// SearchWith is one WITH clause of a search, its tail kept as written: DIVISION = 'x', NETWORK IN (..), SNIPPET ..
type SearchWith struct {
	Pos  Pos
	Name string // upper case
	Text string
}

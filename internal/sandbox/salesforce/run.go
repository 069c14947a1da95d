package salesforce

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tandemcc/tandem/internal/soql"
)

// runner carries what writing records out needs.
type runner struct {
	db   querier
	env  environment
	base string // "/services/data/v60.0"

	// Of lists of children no more than batch are written out, and the rest is kept for further calls: keep returns their
	// address. Nil: all are written.
	batch int
	keep  func(l *locator) string

	weights   []int // of the records of the last run but those of children: rows of each with those of its children
	junctions int   // ids in lists so far
	children  int   // rows of children so far
}

const (
	maxQueryCache = 500
	maxCacheKey   = 4000 // bytes: a longer query is compiled each time
)

// planFor parses and compiles a query, or finds it compiled.
func (o *Org) planFor(src string, all bool, env environment) (*plan, error) {
	seen, name := o.schema, ""
	if env.view != nil {
		seen, name = env.view.schema, env.view.key
	}
	zone := env.zone
	levels := maxLevels
	if env.api != 0 && env.api < deepSince {
		levels = oldLevels
	}
	key := strconv.FormatBool(all) + strconv.Itoa(levels) + zone.String() + "\x00" + name + "\x00" + src
	if p, ok := o.plans.get(key); ok {
		return p, nil
	}
	q, err := soql.Parse(src)
	if err != nil {
		if bad, ok := errors.AsType[*soql.Error](err); ok {
			return nil, badRequest("MALFORMED_QUERY", "%s", bad.Msg)
		}
		return nil, badRequest("MALFORMED_QUERY", "%s", err)
	}
	c := &compiler{schema: seen, src: src, zone: zone.String(), all: all, levels: levels}
	p, err := c.compile(q)
	if err != nil {
		return nil, err
	}
	if len(key) <= maxCacheKey {
		p = o.plans.put(key, p)
	}
	return p, nil
}

// values works the arguments of one run out. link, if any, is the id of the parent a sub-query is run for.
func (p *plan) values(env environment, link string) []any {
	out := make([]any, len(p.args))
	for i, a := range p.args {
		if a.dyn != nil {
			out[i] = a.dyn(env)
		} else {
			out[i] = a.fixed
		}
	}
	if link != "" {
		out[0] = link
	}
	return out
}

// records runs a plan and returns each row as JSON.
func (r *runner) records(ctx context.Context, p *plan, link string) ([][]byte, error) {
	rows, err := r.db.QueryContext(ctx, p.sql, p.values(r.env, link)...)
	if err != nil {
		return nil, fmt.Errorf("querying %s: %w", p.object.name, err)
	}
	raw, err := scanAll(rows, p.columns)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", p.object.name, err)
	}
	out, weights := make([][]byte, len(raw)), make([]int, 0, len(raw))
	for i, row := range raw {
		before := r.children
		buf, err := r.record(ctx, make([]byte, 0, 64*len(row)+96), p, row)
		if err != nil {
			return nil, err
		}
		out[i] = buf
		weights = append(weights, 1+r.children-before)
	}
	if link == "" {
		r.weights = weights
	}
	return out, nil
}

// scanAll reads all rows before anything else is asked of the connection, which a transaction has only one of.
func scanAll(rows *sql.Rows, columns int) (out [][]any, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	ptrs := make([]any, columns)
	for rows.Next() {
		row := make([]any, columns)
		for i := range row {
			ptrs[i] = &row[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			return nil, fmt.Errorf("scanning: %w", err)
		}
		out = append(out, row)
	}
	return out, rows.Err() //nolint:wrapcheck // wrapped by the caller, who knows the entity
}

func (r *runner) record(ctx context.Context, buf []byte, p *plan, row []any) ([]byte, error) {
	if p.aggregate {
		buf = append(buf, `{"attributes":{"type":"AggregateResult"}`...)
	} else {
		buf = r.attributes(append(buf, '{'), p.object.name, p.object.name, row[p.idColumn])
	}
	return r.members(ctx, buf, p.nodes, p, row)
}

func (r *runner) attributes(buf []byte, shown, entity string, id any) []byte {
	buf = append(buf, `"attributes":{"type":"`...)
	buf = append(buf, shown...)
	buf = append(buf, `","url":"`...)
	buf = append(buf, r.base...)
	buf = append(buf, "/sobjects/"...)
	buf = append(buf, entity...)
	buf = append(buf, '/')
	if s, ok := id.(string); ok {
		buf = append(buf, s...)
	}
	return append(buf, `"}`...)
}

// members writes the fields after the attributes and closes the object.
func (r *runner) members(ctx context.Context, buf []byte, nodes []*node, p *plan, row []any) ([]byte, error) {
	var err error
	for _, n := range nodes {
		buf = append(buf, ',')
		buf = appendString(buf, n.name)
		buf = append(buf, ':')
		switch n.kind {
		case leafNode:
			if n.field.kind == typeJunction {
				buf, err = r.junction(buf, row[n.column])
			} else if n.format {
				buf = r.env.appendFormatted(buf, n.field, row[n.column])
			} else {
				buf = appendValue(buf, n.field.kind, row[n.column])
			}
		case compoundNode:
			buf = appendCompound(buf, n, row)
		case parentNode:
			buf, err = r.parent(ctx, buf, n, p, row)
		case typeofNode:
			buf, err = r.typeOf(ctx, buf, n, p, row)
		case subqueryNode:
			id, _ := row[p.idColumn].(string)
			buf, err = r.childList(ctx, buf, n.sub, id)
		}
		if err != nil {
			return nil, err
		}
	}
	return append(buf, '}'), nil
}

func (r *runner) parent(ctx context.Context, buf []byte, n *node, p *plan, row []any) ([]byte, error) {
	for _, t := range n.targets {
		if row[t.idColumn] == nil {
			continue
		}
		shown := t.object.name
		if n.poly {
			shown = "Name"
		}
		buf = r.attributes(append(buf, '{'), shown, t.object.name, row[t.idColumn])
		return r.members(ctx, buf, n.children, p, row)
	}
	return append(buf, "null"...), nil
}

func (r *runner) typeOf(ctx context.Context, buf []byte, n *node, p *plan, row []any) ([]byte, error) {
	for _, t := range n.targets {
		if row[t.idColumn] != nil && !t.none {
			buf = r.attributes(append(buf, '{'), t.object.name, t.object.name, row[t.idColumn])
			return r.members(ctx, buf, t.children, p, row)
		}
	}
	return append(buf, "null"...), nil
}

func (r *runner) childList(ctx context.Context, buf []byte, sub *plan, parent string) ([]byte, error) {
	list, err := r.records(ctx, sub, parent)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return append(buf, "null"...), nil
	}
	next, all := "", len(list)
	if r.keep != nil && all > r.batch {
		next = r.keep(&locator{records: list, batch: r.batch})
		list = list[:r.batch]
	}
	r.children += len(list)
	return append(buf, page(list, all, next)...), nil
}

func appendJoined(buf []byte, list [][]byte) []byte {
	for i, item := range list {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(buf, item...)
	}
	return buf
}

// number runs a COUNT() query.
func (r *runner) number(ctx context.Context, p *plan) (int64, error) {
	rows, err := r.db.QueryContext(ctx, p.sql, p.values(r.env, "")...)
	if err != nil {
		return 0, fmt.Errorf("counting %s: %w", p.object.name, err)
	}
	raw, err := scanAll(rows, 1)
	if err != nil || len(raw) != 1 {
		return 0, fmt.Errorf("counting %s: %w", p.object.name, err)
	}
	n, _ := raw[0][0].(int64)
	return n, nil
}

// appendValue writes a stored value as the API shows it.
func appendValue(buf []byte, kind fieldType, v any) []byte {
	if v == nil {
		if kind == typeBoolean {
			return append(buf, "false"...)
		}
		return append(buf, "null"...)
	}
	switch x := v.(type) {
	case string:
		return appendString(buf, x)
	case int64:
		return appendInt(buf, kind, x)
	case float64:
		if kind == typeInt {
			return strconv.AppendFloat(buf, x, 'f', -1, 64)
		}
		return appendDouble(buf, x)
	}
	return append(buf, "null"...)
}

func appendInt(buf []byte, kind fieldType, x int64) []byte {
	switch kind {
	case typeBoolean:
		return strconv.AppendBool(buf, x != 0)
	case typeDateTime:
		buf = append(buf, '"')
		buf = time.UnixMilli(x).UTC().AppendFormat(buf, wireTime)
		return append(buf, '"')
	case typeDouble, typeCurrency:
		return appendDouble(buf, float64(x))
	default:
		return strconv.AppendInt(buf, x, 10)
	}
}

// Between these bounds the platform writes numbers out; beyond them it writes 1.2345678E7.
const (
	leastPlain = 1e-3
	mostPlain  = 1e7
)

// appendDouble writes a number that may have a fraction, always with one.
func appendDouble(buf []byte, x float64) []byte {
	start := len(buf)
	if abs := math.Abs(x); x == 0 || abs >= leastPlain && abs < mostPlain {
		buf = strconv.AppendFloat(buf, x, 'f', -1, 64)
		if !bytes.Contains(buf[start:], []byte(".")) {
			buf = append(buf, ".0"...)
		}
		return buf
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(x, 'E', -1, 64), "E")
	buf = append(buf, mantissa...)
	if !strings.Contains(mantissa, ".") {
		buf = append(buf, ".0"...)
	}
	n, _ := strconv.Atoi(exponent) // FormatFloat writes digits
	return strconv.AppendInt(append(buf, 'E'), int64(n), 10)
}

const hexDigits = "0123456789abcdef"

// appendString writes s as a JSON string.
func appendString(buf []byte, s string) []byte {
	buf = append(buf, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				buf = append(append(buf, s[start:i]...), `\ufffd`...)
				start = i + size
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		buf = append(buf, s[start:i]...)
		switch c {
		case '"', '\\':
			buf = append(buf, '\\', c)
		case '\n':
			buf = append(buf, '\\', 'n')
		case '\r':
			buf = append(buf, '\\', 'r')
		case '\t':
			buf = append(buf, '\\', 't')
		default:
			buf = append(buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(buf, s[start:]...), '"')
}

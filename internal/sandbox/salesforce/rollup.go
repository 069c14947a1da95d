package salesforce

import (
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/soql"
)

// maxRollup is the number of fields ROLLUP and CUBE take (SOQL and SOSL reference, "GROUP BY ROLLUP").
const maxRollup = 3

// A grouped field stands between these marks in the SQL of a ROLLUP or CUBE, since its meaning differs from one grouping
// to the next: the field itself, or nothing in the rows of a subtotal. GROUPING is a mark alone. None of them can occur
// in SQL made here otherwise: names come from the definitions, and values are arguments.
const (
	markField    = "\x01"
	markGrouping = "\x02"
	markStart    = "\x03"
	markEnd      = "\x04"
)

// mark wraps a value that is one of the fields grouped by.
func (s *scope) mark(v *value) *value {
	i, found := s.rolled[v.folded]
	if !found {
		return v
	}
	wrap := func(sql string) string { return markField + strconv.Itoa(i) + markStart + sql + markEnd }
	out := *v
	out.sql, out.folded = wrap(v.sql), wrap(v.folded)
	return &out
}

// grouping compiles GROUPING(field): 1 in the rows of a subtotal over the field, else 0.
func (s *scope) grouping(f *soql.Func) (*value, error) {
	v, err := s.value(f.Arg, false)
	if err != nil {
		return nil, err
	}
	i, found := s.rolled[v.folded]
	if !found {
		return nil, atQuery("MALFORMED_QUERY", s.c.src, f.Pos, "GROUPING needs a field of GROUP BY ROLLUP or CUBE: '%s' is none", v.name)
	}
	sql := markGrouping + strconv.Itoa(i) + markEnd
	return &value{sql: sql, folded: sql, kind: typeInt, name: v.name, aggregate: true}, nil
}

// groupings returns which fields each part of the result is grouped by, as bit sets: for ROLLUP(a, b) ab, a and none, for
// CUBE every subset.
func groupings(mode string, n int) []int {
	full := 1<<n - 1
	var out []int
	for set := full; set >= 0; set-- {
		// In a rollup the fields that are left are the first ones: bits 0 to k.
		if mode == "CUBE" || set&(set+1) == 0 {
			out = append(out, set)
		}
	}
	return out
}

// rollup writes one SELECT per grouping.
func (b *builder) rollup(out, where, having *sqlText) {
	out.WriteString("SELECT * FROM (")
	for i, set := range groupings(b.mode, len(b.groups)) {
		if i > 0 {
			out.WriteString(" UNION ALL ")
		}
		out.WriteString("SELECT " + expandMarks(strings.Join(b.cols, ", "), set) + b.fromText())
		out.add(where)
		var by []string
		for k, g := range b.groups {
			if set&(1<<k) != 0 {
				by = append(by, g)
			}
		}
		if len(by) == 0 {
			by = []string{"NULL"}
		}
		out.WriteString(" GROUP BY " + strings.Join(by, ", "))
		part := sqlText{args: having.args}
		part.WriteString(expandMarks(having.String(), set))
		out.add(&part)
	}
	out.WriteString(")")
}

// expandMarks gives marked fields and GROUPINGs their meaning within one grouping.
func expandMarks(sql string, set int) string {
	var b strings.Builder
	for {
		i := strings.IndexAny(sql, markField+markGrouping)
		if i < 0 {
			b.WriteString(sql)
			return b.String()
		}
		b.WriteString(sql[:i])
		body, rest, _ := strings.Cut(sql[i+1:], markEnd)
		number, field, _ := strings.Cut(body, markStart)
		k, err := strconv.Atoi(number)
		in := err == nil && set&(1<<k) != 0
		switch {
		case sql[i:i+1] == markGrouping && in:
			b.WriteString("0")
		case sql[i:i+1] == markGrouping:
			b.WriteString("1")
		case in:
			b.WriteString(field)
		default:
			b.WriteString("NULL")
		}
		sql = rest
	}
}

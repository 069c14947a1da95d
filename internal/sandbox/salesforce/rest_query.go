package salesforce

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tandemcc/tandem/internal/soql"
)

const (
	defaultBatch = 2000
	minBatch     = 200
	maxBatch     = 2000
)

// query answers /query?q=, /queryAll?q= and /query/{locator}.
func (o *Org) query(rq *request, all bool) (*response, error) {
	if len(rq.segs) > 1 {
		return o.more(rq, rq.segs[1], all)
	}
	if src := rq.query.Get("explain"); strings.TrimSpace(src) != "" {
		return o.explain(rq, src, all)
	}
	src := rq.query.Get("q")
	if strings.TrimSpace(src) == "" {
		return nil, badRequest("MALFORMED_QUERY", "A query string has to be specified")
	}
	if err := o.needMetadata(rq, src); err != nil {
		return nil, err
	}
	env := o.environment(rq)
	p, err := o.planFor(src, all, env)
	if err != nil {
		return nil, err
	}
	if rq.query.Get("columns") == "true" {
		return ok(columnsOf(p, src)), nil
	}
	batch := batchSize(rq.header.Get("Sforce-Query-Options"))
	keep := func(l *locator) string {
		l.user = rq.user.user
		return nextURL(rq, all, o.locators.add(l), l.end(0))
	}
	run := &runner{db: o.db(rq), env: env, base: rq.base(), batch: batch, keep: keep}
	if p.count {
		n, err := run.number(rq.ctx, p)
		if err != nil {
			return nil, err
		}
		return ok(json.RawMessage(fmt.Sprintf(`{"totalSize":%d,"done":true,"records":[]}`, n))), nil
	}
	records, err := run.records(rq.ctx, p, "")
	if err != nil {
		return nil, err
	}
	if p.aggregate && len(records) > maxBatch {
		return nil, badRequest("EXCEEDED_ID_LIMIT", "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch")
	}
	l := &locator{records: records, weights: run.weights, batch: batch}
	if end := l.end(0); !p.aggregate && end < len(records) {
		return ok(page(records[:end], len(records), keep(l))), nil
	}
	return ok(page(records, len(records), "")), nil
}

// batchSize reads batchSize=n of the Sforce-Query-Options header, kept within what the platform allows.
func batchSize(header string) int {
	n, err := strconv.Atoi(headerOption(header, "batchSize"))
	if err != nil {
		return defaultBatch
	}
	return min(max(n, minBatch), maxBatch)
}

func page(records [][]byte, total int, next string) json.RawMessage {
	buf := make([]byte, 0, 256)
	buf = append(buf, `{"totalSize":`...)
	buf = strconv.AppendInt(buf, int64(total), 10)
	buf = append(buf, `,"done":`...)
	buf = strconv.AppendBool(buf, next == "")
	if next != "" {
		buf = append(buf, `,"nextRecordsUrl":`...)
		buf = appendString(buf, next)
	}
	buf = append(buf, `,"records":[`...)
	buf = appendJoined(buf, records)
	return append(buf, "]}"...)
}

func nextURL(rq *request, all bool, id string, at int) string {
	name := "/query/"
	if all {
		name = "/queryAll/"
	}
	return rq.base() + name + id + "-" + itoa(at)
}

// more answers a further page.
func (o *Org) more(rq *request, token string, all bool) (*response, error) {
	id, from, found := strings.Cut(token, "-")
	at, err := strconv.Atoi(from)
	if !found || err != nil {
		return nil, badRequest("INVALID_QUERY_LOCATOR", "invalid query locator")
	}
	l := o.locators.find(id, rq.user.user)
	if l == nil || at < 0 || at >= len(l.records) {
		return nil, badRequest("INVALID_QUERY_LOCATOR", "invalid query locator: run the query again")
	}
	end := l.end(at)
	next := ""
	if end < len(l.records) {
		next = nextURL(rq, all, id, end)
	}
	return ok(page(l.records[at:end], len(l.records), next)), nil
}

// locator is the rest of a query's result.
type locator struct {
	records [][]byte
	weights []int // rows of each record, those of its children included; nil: one each
	batch   int   // rows of a page
	user    string
	expires time.Time
	size    int
}

// end is where the page that starts at a place ends: records of as many rows as fit, and one at least.
func (l *locator) end(at int) int {
	if l.weights == nil {
		return min(at+l.batch, len(l.records))
	}
	end := at
	for sum := 0; end < len(l.records); end++ {
		if sum += l.weights[end]; sum > l.batch && end > at {
			break
		}
	}
	return end
}

// locators keeps results for two days, as the platform does, and within a bound on their size; the oldest go first.
type locators struct {
	now   func() time.Time
	mu    sync.Mutex // guards all below
	byID  map[string]*locator
	order []string
	size  int
	last  int64
}

const (
	locatorTTL     = 48 * time.Hour
	maxLocators    = 100
	maxLocatorSize = 64 << 20 // bytes in all
)

func newLocators(now func() time.Time) *locators {
	return &locators{now: now, byID: map[string]*locator{}}
}

func (ls *locators) add(l *locator) string {
	for _, r := range l.records {
		l.size += len(r)
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.expires = ls.now().Add(locatorTTL)
	ls.last++
	id := makeID("0r8", ls.last)
	ls.byID[id] = l
	ls.order = append(ls.order, id)
	ls.size += l.size
	for len(ls.order) > 1 && (len(ls.order) > maxLocators || ls.size > maxLocatorSize || ls.now().After(ls.byID[ls.order[0]].expires)) {
		ls.size -= ls.byID[ls.order[0]].size
		delete(ls.byID, ls.order[0])
		ls.order = ls.order[1:]
	}
	return id
}

func (ls *locators) find(id, user string) *locator {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.byID[id]
	if l == nil || l.user != user || ls.now().After(l.expires) {
		return nil
	}
	return l
}

// columnMetadata describes a column of a result, as the undocumented `columns=true` does; the sf CLI needs it.
type columnMetadata struct {
	Aggregate      bool             `json:"aggregate"`
	ApexType       string           `json:"apexType"`
	BooleanType    bool             `json:"booleanType"`
	ColumnName     string           `json:"columnName"`
	Custom         bool             `json:"custom"`
	DisplayName    string           `json:"displayName"`
	ForeignKeyName *string          `json:"foreignKeyName"`
	Insertable     bool             `json:"insertable"`
	JoinColumns    []columnMetadata `json:"joinColumns"`
	NumberType     bool             `json:"numberType"`
	TextType       bool             `json:"textType"`
	Updatable      bool             `json:"updatable"`
}

func columnsOf(p *plan, src string) map[string]any {
	columns := columnList(p.nodes, p.aggregate)
	if p.count {
		columns = []columnMetadata{}
	}
	if q, err := soql.Parse(src); err == nil && p.aggregate && len(q.Select) == len(columns) {
		for i, item := range q.Select {
			f, called := item.Expr.(*soql.Func)
			if columns[i].Aggregate = called && aggregates(f.Name); called && item.Alias == "" {
				columns[i].DisplayName = f.String() // an alias is shown as it is: sf looks the value up by this name
			}
		}
	}
	selected := false
	for _, n := range p.nodes {
		selected = selected || !p.aggregate && n.kind == leafNode && n.field.kind == typeID
	}
	return map[string]any{
		"columnMetadata": columns, "entityName": p.object.name, "groupBy": p.grouped, "idSelected": selected, "keyPrefix": p.object.prefix,
	}
}

// aggregates reports whether a function makes one value of many records.
func aggregates(name string) bool {
	switch strings.ToUpper(name) {
	case "AVG", "COUNT", "COUNT_DISTINCT", "MAX", "MIN", "SUM", "GROUPING":
		return true
	}
	return false
}

func columnList(nodes []*node, aggregate bool) []columnMetadata {
	out := []columnMetadata{}
	for _, n := range nodes {
		c := columnMetadata{ColumnName: n.name, DisplayName: n.name, Aggregate: aggregate, JoinColumns: []columnMetadata{}}
		switch n.kind {
		case leafNode:
			f := n.field
			c.ApexType, c.Custom = apexType(f.kind), f.custom()
			c.BooleanType, c.NumberType, c.TextType = f.kind == typeBoolean, f.number(), f.text() || f.isID()
			c.Insertable = !aggregate && !f.readOnly && f.kind != typeID
			c.Updatable = c.Insertable && !f.createOnly
		case subqueryNode:
			c.Aggregate, c.JoinColumns = true, columnList(n.sub.nodes, false)
		case parentNode:
			c.JoinColumns = columnList(n.children, false)
			name := n.name
			c.ForeignKeyName = &name
		case typeofNode:
			c.ApexType = "Name"
			for _, t := range n.targets {
				c.JoinColumns = mergeColumns(c.JoinColumns, columnList(t.children, false))
			}
		case compoundNode:
			c.ApexType, c.Custom = "Address", strings.HasSuffix(n.name, "__c")
			if n.field.kind == typeLocation {
				c.ApexType = "Location"
			}
		}
		out = append(out, c)
	}
	return out
}

// mergeColumns adds the columns that are not there by name.
func mergeColumns(to, more []columnMetadata) []columnMetadata {
	for _, c := range more {
		if !slices.ContainsFunc(to, func(have columnMetadata) bool { return have.ColumnName == c.ColumnName }) {
			to = append(to, c)
		}
	}
	return to
}

func apexType(kind fieldType) string {
	switch kind {
	case typeID, typeReference:
		return "Id"
	case typeBoolean:
		return "Boolean"
	case typeInt:
		return "Integer"
	case typeDouble:
		return "Double"
	case typeCurrency:
		return "Decimal"
	case typeDate:
		return "Date"
	case typeDateTime:
		return "Datetime"
	default:
		return "String"
	}
}

// search answers /search?q=.
func (o *Org) search(rq *request, src string) (*response, error) {
	if strings.TrimSpace(src) == "" {
		return nil, badRequest("MALFORMED_SEARCH", "A search string has to be specified")
	}
	s, err := soql.ParseSearch(src)
	if err != nil {
		msg := err.Error()
		if bad, isFault := err.(*soql.Error); isFault { //nolint:errorlint // ParseSearch returns it bare
			msg = bad.Msg
		}
		return nil, badRequest("MALFORMED_SEARCH", "%s", msg)
	}
	records, err := o.find(rq, src, s)
	if err != nil {
		return nil, err
	}
	list := append(appendJoined([]byte("["), records), ']')
	if rq.version < wrappedSince {
		return ok(json.RawMessage(list)), nil
	}
	return ok(map[string]any{"searchRecords": json.RawMessage(list)}), nil
}

// wrappedSince is the API version from which the records of a search are in an object; before, they are the answer.
const wrappedSince = 37

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func splitList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

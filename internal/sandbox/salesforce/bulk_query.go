package salesforce

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/soql"
)

const (
	indexStep     = 1000
	defaultResult = 50_000 // records of an answer when maxRecords is not given
	resultURLs    = 5      // of one answer of resultPages
)

func (o *Org) checkQueryJob(rq *request, j *job, in newJob) error {
	if in.Operation != "query" && in.Operation != "queryAll" {
		return badRequest("INVALIDJOB", "InvalidJob : operation must be query or queryAll: it is %s", shorten(in.Operation))
	}
	p, err := o.planFor(in.Query, in.Operation == "queryAll", o.environment(rq))
	if err != nil {
		return err
	}
	q, err := soql.Parse(in.Query)
	if err != nil {
		return err
	}
	if err := checkBulkQuery(q, p); err != nil {
		return err
	}
	j.Object, j.Operation, j.Query, j.State = p.object.name, in.Operation, in.Query, jobUploaded
	return nil
}

// checkBulkQuery refuses what has no place in a CSV file (Bulk API 2.0 guide, "SOQL Considerations").
func checkBulkQuery(q *soql.Query, p *plan) error {
	switch {
	case p.grouped:
		return badRequest("API_ERROR", "GROUP BY clause not supported in Bulk Query")
	case p.count || p.aggregate:
		return badRequest("API_ERROR", "Aggregate functions not supported in Bulk Query")
	case q.Offset != nil:
		return badRequest("API_ERROR", "OFFSET clause not supported in Bulk Query")
	}
	return checkBulkColumns(p.nodes)
}

func checkBulkColumns(nodes []*node) error {
	for _, n := range nodes {
		switch n.kind {
		case subqueryNode:
			return badRequest("FEATURENOTENABLED", "Aggregate Relationships not supported in Bulk Query with CSV content type")
		case typeofNode:
			return badRequest("API_ERROR", "TYPEOF clause not supported in Bulk Query")
		case compoundNode:
			return badRequest("API_ERROR", "Selecting compound data not supported in Bulk Query")
		case parentNode:
			if err := checkBulkColumns(n.children); err != nil {
				return err
			}
		case leafNode:
			if n.field.kind == typeJunction {
				return badRequest("API_ERROR", "Selecting a list of ids is not supported in Bulk Query: %s", n.name)
			}
		}
	}
	return nil
}

// flatten lists the columns of a result: parents' fields by their path.
func flatten(prefix string, nodes []*node, names []string, leaves []*node) ([]string, []*node) {
	for _, n := range nodes {
		if n.kind == parentNode {
			names, leaves = flatten(prefix+n.name+".", n.children, names, leaves)
			continue
		}
		names, leaves = append(names, prefix+n.name), append(leaves, n)
	}
	return names, leaves
}

// byName sorts columns by their names without regard to case.
type byName struct {
	names  []string
	leaves []*node
}

func (c byName) Len() int           { return len(c.names) }
func (c byName) Less(i, j int) bool { return strings.ToLower(c.names[i]) < strings.ToLower(c.names[j]) }

func (c byName) Swap(i, j int) {
	c.names[i], c.names[j] = c.names[j], c.names[i]
	c.leaves[i], c.leaves[j] = c.leaves[j], c.leaves[i]
}

// csvSQL wraps a query so that the database itself writes each record as a line of CSV: one value a record leaves the
// database instead of one a field.
func csvSQL(p *plan, leaves []*node, comma byte) string {
	cols := make([]string, p.columns)
	for i := range cols {
		cols[i] = "c" + itoa(i)
	}
	var b strings.Builder
	b.WriteString("WITH q(" + strings.Join(cols, ", ") + ") AS (" + p.sql + ") SELECT '\"' || ")
	for i, n := range leaves {
		if i > 0 {
			b.WriteString(` || '"` + string(rune(comma)) + `"' || `)
		}
		b.WriteString(csvExpr(n.field.kind, "c"+itoa(n.column)))
	}
	return b.String() + ` || '"' FROM q`
}

func csvExpr(kind fieldType, c string) string {
	switch kind {
	case typeID, typeReference, typeDate:
		return "COALESCE(" + c + ", '')"
	case typeBoolean:
		return "CASE " + c + " WHEN 1 THEN 'true' ELSE 'false' END"
	case typeDateTime:
		// A moment is whole seconds, so the milliseconds are always zero.
		return "COALESCE(strftime('%Y-%m-%dT%H:%M:%S.000Z', " + c + " / 1000, 'unixepoch'), '')"
	case typeInt, typeDouble, typeCurrency:
		return "COALESCE(CAST(" + c + " AS TEXT), '')"
	default:
		return "COALESCE(replace(" + c + `, '"', '""'), '')`
	}
}

// query writes the result of a query job to its file.
func (b *bulk) query(ctx context.Context, live *job) (err error) {
	j := b.snapshot(live)
	rq := &request{ctx: ctx, user: &session{user: j.User}}
	env := b.org.environment(rq)
	p, err := b.org.planFor(j.Query, j.Operation == "queryAll", env)
	if err != nil {
		return err
	}
	f, err := os.Create(b.file(j.ID, "out"))
	if err != nil {
		return fmt.Errorf("making the result: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	names, leaves := flatten("", p.nodes, nil, nil)
	if j.Version < 50 { // until then columns came by the alphabet
		sort.Sort(byName{names, leaves})
	}
	w := &resultWriter{bulk: b, job: live, out: bufio.NewWriterSize(f, 256<<10), eol: j.eol()}
	if err := w.line(string(appendCSV(nil, names, j.comma(), ""))); err != nil {
		return err
	}
	rows, err := b.org.store.QueryContext(ctx, csvSQL(p, leaves, j.comma()), p.values(env, "")...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var text string
	for rows.Next() {
		if err := rows.Scan(&text); err != nil {
			return fmt.Errorf("reading %s: %w", p.object.name, err)
		}
		if err := w.record(text); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", p.object.name, err)
	}
	return w.finish()
}

// resultWriter writes lines and keeps where every indexStep-th record starts.
type resultWriter struct {
	bulk  *bulk
	job   *job
	out   *bufio.Writer
	eol   string
	at    int64
	n     int64
	index []int64
}

func (w *resultWriter) line(s string) error {
	n, err := w.out.WriteString(s)
	if err == nil {
		_, err = w.out.WriteString(w.eol)
	}
	if err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	w.at += int64(n + len(w.eol))
	return nil
}

func (w *resultWriter) record(s string) error {
	if w.n%indexStep == 0 {
		w.index = append(w.index, w.at)
		if w.bulk.snapshot(w.job).State != jobInProgress {
			return errAborted
		}
	}
	w.n++
	return w.line(s)
}

func (w *resultWriter) finish() error {
	if err := w.out.Flush(); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	w.bulk.mu.Lock()
	defer w.bulk.mu.Unlock()
	w.job.Index, w.job.Processed = append(w.index, w.at), w.n
	return nil
}

// queryPart answers below /jobs/query/{id}.
func (o *Org) queryPart(rq *request, j *job, part string) (*response, error) {
	s := o.bulk.snapshot(j)
	switch {
	case part != "results" && (part != "resultpages" || rq.version < 58):
		return nil, notFound()
	case rq.method != http.MethodGet:
		return nil, methodNotAllowed(rq.method)
	case rq.version != s.Version:
		return nil, fault(http.StatusConflict, "API_VERSION_MISMATCH", "The job was made with version %d.0: read its results with that version", s.Version)
	case s.State != jobComplete:
		return nil, jobFault("The job is %s: its results are there once it is JobComplete", s.State)
	}
	from, size, err := resultRange(rq, s)
	if err != nil {
		return nil, err
	}
	if part == "resultpages" {
		return o.resultPages(rq, s, from, size), nil
	}
	end := min(from+size, s.Processed)
	header := http.Header{
		"Content-Type": {csvType}, "Sforce-Numberofrecords": {strconv.FormatInt(end-from, 10)}, "Sforce-Locator": {"null"},
	}
	if end < s.Processed {
		header.Set("Sforce-Locator", locatorOf(end, s.Version))
	}
	return &response{status: http.StatusOK, header: header, send: func(w io.Writer) error { return o.sendResult(w, s, from, end) }}, nil
}

// locatorOf names a place in a result: a number up to 48.0, and text that says nothing since.
func locatorOf(row int64, version int) string {
	text := strconv.FormatInt(row, 10)
	if version <= 48 {
		return text
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func readLocator(text string, version int) (int64, error) {
	if version > 48 {
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil {
			return 0, err //nolint:wrapcheck // the caller says what is wrong
		}
		text = string(raw)
	}
	return strconv.ParseInt(text, 10, 64) //nolint:wrapcheck // the caller says what is wrong
}

func resultRange(rq *request, j job) (from, size int64, err error) {
	if text := rq.query.Get("locator"); text != "" && text != "null" {
		if from, err = readLocator(text, j.Version); err != nil || from < 0 || from >= j.Processed {
			return 0, 0, badRequest("INVALID_QUERY_LOCATOR", "invalid query locator: use the Sforce-Locator of the answer before")
		}
	}
	size = defaultResult
	if text := rq.query.Get("maxRecords"); text != "" {
		if size, err = strconv.ParseInt(text, 10, 64); err != nil || size < 1 || size > math.MaxInt32 {
			return 0, 0, badRequest("INVALID_PARAMETER", "maxRecords must be a whole number above 0: it is %s", shorten(text))
		}
	}
	return from, size, nil
}

// resultPages lists addresses that can be read at the same time.
func (o *Org) resultPages(rq *request, j job, from, size int64) *response {
	base := rq.base() + "/jobs/query/" + j.ID
	limit := ""
	if v := rq.query.Get("maxRecords"); v != "" {
		limit = "&maxRecords=" + v
	}
	pages := []map[string]string{}
	for range resultURLs {
		if from >= j.Processed && (from > 0 || len(pages) > 0) {
			break
		}
		pages = append(pages, map[string]string{"resultUrl": base + "/results?locator=" + locatorOf(from, j.Version) + limit})
		from += size
		if j.Processed == 0 {
			pages[0]["resultUrl"] = base + "/results"
			break
		}
	}
	out := map[string]any{"resultPages": pages, "done": from >= j.Processed}
	if from < j.Processed {
		out["nextRecordsUrl"] = base + "/resultPages?locator=" + locatorOf(from, j.Version) + limit
	}
	return ok(out)
}

// sendResult writes the header and the records from up to end.
func (o *Org) sendResult(w io.Writer, j job, from, end int64) error {
	f, err := os.Open(o.bulk.file(j.ID, "out"))
	if err != nil {
		return fmt.Errorf("opening the result: %w", err)
	}
	defer func() { _ = f.Close() }()
	head := j.Index[0]
	if _, err := io.CopyN(w, f, head); err != nil {
		return err //nolint:wrapcheck // the client is gone
	}
	start, err := offsetOf(f, j, from)
	if err != nil {
		return err
	}
	stop, err := offsetOf(f, j, end)
	if err != nil {
		return err
	}
	if _, err := f.Seek(start, io.SeekStart); err != nil {
		return fmt.Errorf("reading the result: %w", err)
	}
	_, err = io.CopyN(w, f, stop-start)
	return err //nolint:wrapcheck // the client is gone
}

// offsetOf finds where a record starts: from the index, and then by reading on.
func offsetOf(f *os.File, j job, row int64) (int64, error) {
	if row >= j.Processed {
		return j.Index[len(j.Index)-1], nil
	}
	at := j.Index[row/indexStep]
	if row%indexStep == 0 {
		return at, nil
	}
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return 0, fmt.Errorf("reading the result: %w", err)
	}
	c := newCSVReader(f, j.comma())
	for range row % indexStep {
		if _, err := c.read(); err != nil {
			return 0, fmt.Errorf("reading the result: %w", err)
		}
	}
	return at + c.offset, nil
}

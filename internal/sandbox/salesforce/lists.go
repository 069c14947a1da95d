package salesforce

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A list shows the records of a view, narrowed by one condition and sorted by one column. Large lists sort by what is
// indexed only: sorting a million records for fifty of them takes seconds.

const (
	maxSorted   = 50_000 // records that are sorted by any column
	maxFiltered = 200    // characters of a condition
)

// listQuery is what a list shows.
type listQuery struct {
	View, Field, Op, Value string
	Sort                   string
	Desc                   bool
	Page                   int
}

// listOps are the conditions of the filter form.
func listOps() []option {
	return []option{{"contains", "contains", false}, {"starts", "starts with", false}, {"is", "is", false}, {"not", "is not", false}, {"empty", "is empty", false}, {"filled", "is filled", false}}
}

func readListQuery(r *http.Request, obj *object) listQuery {
	get := r.URL.Query().Get
	q := listQuery{View: get("view"), Op: get("op"), Value: strings.TrimSpace(get("value")), Page: 1}
	if n, err := strconv.Atoi(get("page")); err == nil && n > 0 && n <= 1_000_000 {
		q.Page = n
	}
	if len([]rune(q.Value)) > maxFiltered {
		q.Value = string([]rune(q.Value)[:maxFiltered])
	}
	if f := obj.field(get("field")); f != nil && f.filtered() {
		q.Field = f.name
	}
	name, desc := strings.CutPrefix(get("sort"), "-")
	if f := obj.field(name); f != nil && f.sortable() && !f.writeOnly {
		q.Sort, q.Desc = f.name, desc
	}
	return q
}

// title is the label as pages show it: of a reference they show the name, not the id.
func (f *field) title() string {
	if f.kind == typeReference {
		return strings.TrimSuffix(f.label, " ID")
	}
	return f.label
}

// filtered reports whether the filter form offers a field.
func (f *field) filtered() bool { return !f.writeOnly && !f.longText && f.kind != typeID }

// url is the address of the list with something else in its place.
func (q listQuery) url(obj *object, change func(*listQuery)) string {
	change(&q)
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("view", q.View)
	if q.active() {
		set("field", q.Field)
		set("op", q.Op)
		set("value", q.Value)
	}
	set("sort", q.sortText())
	if q.Page > 1 {
		set("page", itoa(q.Page))
	}
	if len(v) == 0 {
		return listPath(obj)
	}
	return listPath(obj) + "?" + v.Encode()
}

func (q listQuery) sortText() string {
	if q.Sort != "" && q.Desc {
		return "-" + q.Sort
	}
	return q.Sort
}

// active reports whether the filter narrows the list.
func (q listQuery) active() bool {
	return q.Field != "" && (q.Value != "" || q.Op == "empty" || q.Op == "filled")
}

// filter is the condition of the filter form.
func (s *site) filter(obj *object, q listQuery) (where string, args []any) {
	if !q.active() {
		return "", nil
	}
	f := obj.field(q.Field)
	switch q.Op {
	case "empty":
		return f.column() + " IS NULL", nil
	case "filled":
		return f.column() + " IS NOT NULL", nil
	}
	if !f.text() {
		return f.compared(q)
	}
	low := strings.ToLower(q.Value)
	switch q.Op {
	case "is":
		return f.folded() + " = ?", []any{low}
	case "not":
		return "(" + f.folded() + " <> ? OR " + f.column() + " IS NULL)", []any{low}
	case "starts":
		return f.folded() + " >= ? AND " + f.folded() + " < ?", []any{low, low + "\U0010ffff"}
	}
	return "INSTR(" + f.folded() + ", ?) > 0", []any{low}
}

// compared is the condition for a field that is no text: dates by their first figures, all else as a whole.
func (f *field) compared(q listQuery) (string, []any) {
	value, column := any(q.Value), f.column()
	switch f.kind {
	case typeBoolean:
		value = bit(slices.Contains([]string{"yes", "true", "1", "on"}, strings.ToLower(q.Value)))
	case typeDateTime:
		column, value = "strftime('%Y-%m-%d %H:%M', "+column+" / 1000, 'unixepoch')", q.Value+"%"
		if q.Op == "not" {
			return "(" + column + " NOT LIKE ? OR " + column + " IS NULL)", []any{value}
		}
		return column + " LIKE ?", []any{value}
	case typeReference:
		if id, valid := normalID(q.Value); valid {
			value = id
		}
	default:
	}
	if q.Op == "not" {
		return "(" + column + " <> ? OR " + column + " IS NULL)", []any{value}
	}
	if q.Op == "starts" || q.Op == "contains" && f.kind == typeDate {
		return column + " LIKE ?", []any{q.Value + "%"}
	}
	return column + " = ?", []any{value}
}

// order is the ORDER BY of a list. Records without a value come last.
func (q listQuery) order(obj *object, total int64) string {
	if f := obj.field(q.Sort); f != nil && f.sortedAt(total) {
		way := " ASC"
		if q.Desc {
			way = " DESC"
		}
		if total > maxSorted {
			return f.folded() + way + `, "Id"` + way // as the index has it
		}
		return f.folded() + way + ` NULLS LAST, "Id" DESC`
	}
	return newestFirst
}

// sortedAt reports whether a list of this length is sorted by a field.
func (f *field) sortedAt(total int64) bool {
	filled := f.nameField || f.required || f.system() // the index leaves out what has no value
	return f.sortable() && !f.writeOnly && f.kind != typeReference && (total <= maxSorted || f.indexed && filled)
}

// head is a column's head in a list that can be sorted.
type head struct {
	Label, URL string
	Sort       string // of aria-sort, empty: it is not sorted by this
}

func (q listQuery) heads(obj *object, total int64) []head {
	var out []head
	for _, name := range listColumns(obj) {
		f := obj.field(name)
		h := head{Label: f.title()}
		if f.sortedAt(total) {
			mine := q.Sort == f.name
			h.URL = q.url(obj, func(q *listQuery) { q.Sort, q.Desc, q.Page = f.name, mine && !q.Desc, 1 })
			if mine {
				h.Sort = map[bool]string{true: "descending", false: "ascending"}[q.Desc]
			}
		}
		out = append(out, h)
	}
	return out
}

func (s *site) list(w http.ResponseWriter, r *http.Request) {
	obj := s.org.schema.object(r.PathValue("entity"))
	if obj == nil {
		s.problem(w, r, notFound())
		return
	}
	if err := s.org.needMetadata(s.asAdmin(r.Context()), obj.name); err != nil {
		s.problem(w, r, err)
		return
	}
	q := readListQuery(r, obj)
	where, args := s.listFilter(obj, q.View)
	if more, moreArgs := s.filter(obj, q); more != "" {
		args = append(args, moreArgs...)
		where = strings.TrimPrefix(where+" AND "+more, " AND ")
	}
	total, err := s.total(r.Context(), obj, where, args...)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	pages := int((total + pageSize - 1) / pageSize)
	q.Page = min(q.Page, max(1, pages))
	if f := obj.field(q.Sort); where == "" && total > maxSorted && f != nil && f.sortedAt(total) {
		where = f.folded() + " IS NOT NULL" // lets the index do the sorting
	}
	lv, err := s.view(r.Context(), obj, listPage{where, q.order(obj, total), (q.Page - 1) * pageSize, pageSize}, args...)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	lv.Total, lv.Heads = total, q.heads(obj, total)
	d := pageData{Title: obj.plural, Here: listPath(obj), Lists: []listView{*lv}, Views: listViews(obj, q), Filter: listForm(obj, q)}
	d.Done, d.Undo = s.deletedNotice(r)
	if obj.editable() {
		d.New = "/lightning/o/" + obj.name + "/new"
	}
	if q.Page > 1 {
		d.Prev = q.url(obj, func(q *listQuery) { q.Page-- })
	}
	if q.Page < pages {
		d.Next = q.url(obj, func(q *listQuery) { q.Page++ })
	}
	if pages > 1 {
		d.Pages = "Page " + thousands(int64(q.Page)) + " of " + thousands(int64(pages))
	}
	s.show(w, r, http.StatusOK, "list", d)
}

// filterForm is the form that narrows a list.
type filterForm struct {
	Fields, Ops       []option
	Value, View, Sort string
	Clear             string // address of the list without it, empty: it does not narrow
}

func listForm(obj *object, q listQuery) *filterForm {
	form := &filterForm{Value: q.Value, View: q.View, Sort: q.sortText()}
	first := listColumns(obj)
	for _, f := range obj.fields {
		if f.filtered() {
			form.Fields = append(form.Fields, option{f.name, f.title(), f.name == q.Field || q.Field == "" && f.name == first[0]})
		}
	}
	slices.SortStableFunc(form.Fields, func(a, b option) int { return strings.Compare(a.Label, b.Label) })
	for _, op := range listOps() {
		op.Selected = op.Value == q.Op
		form.Ops = append(form.Ops, op)
	}
	if q.active() {
		form.Clear = q.url(obj, func(q *listQuery) { q.Field, q.Page = "", 1 })
	}
	return form
}

// thousands writes a number with spaces a person can read it by.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// listFilter is the condition of a list view.
func (s *site) listFilter(obj *object, which string) (where string, args []any) {
	switch {
	case which == "mine" && obj.hasOwner():
		return `"OwnerId" = ?`, []any{s.org.admin}
	case which == "recent":
		return `"LastModifiedDate" >= ?`, []any{s.org.now().AddDate(0, 0, -7).UnixMilli()}
	case which == "open" && obj.field("IsClosed") != nil:
		return `"IsClosed" = 0`, nil
	}
	return "", nil
}

// listViews are the list views of an entity; the URL of the one that is shown is empty.
func listViews(obj *object, q listQuery) []link {
	views := []link{{"All", ""}, {"Changed this week", "recent"}}
	if obj.field("IsClosed") != nil {
		views = append(views, link{"Open", "open"})
	}
	if obj.hasOwner() {
		views = append(views, link{"Mine", "mine"})
	}
	for i, v := range views {
		if v.URL != q.View {
			views[i].URL = q.url(obj, func(q *listQuery) { q.View, q.Page = v.URL, 1 })
		} else {
			views[i].URL = ""
		}
	}
	return views
}

package salesforce

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
	"github.com/tandemcc/tandem/internal/soql"
)

//go:embed web
var web embed.FS

const (
	pageSize    = 50
	relatedSize = 20
	logRows     = 200
	hitsShown   = 20
)

// page is what a template is filled with; each uses the part it needs.
type pageData struct {
	Title, Here, Query, Kind, Problem, Done, Prev, Next string
	Back                                                string // where a form leads when it is given up
	New, Edit                                           string // addresses of the forms for a record, empty: none
	Section                                             string // of the setup
	Views                                               []link
	Inputs                                              []input
	Users                                               []userRow
	Profiles, Sets                                      []grantRow
	Kinds                                               []option
	Skew                                                int64  // ms
	App, Login, Scope                                   string // who asks on the page that allows it, for whom and for what
	// FormTarget is where a form may lead besides this org, for the security policy.
	FormTarget string

	Tabs   []link
	Tools  []link
	Counts []count
	Setup  []count
	Lists  []listView
	Filter *filterForm // of a list, nil: none
	Pages  string      // where in a list the page is
	Undo   string      // address that takes back what is told as done, empty: none
	Bin    []binRow
	Matrix *matrix // of a profile or permission set
	Entry  *logDetail
	Fields []cell
	Log    []logRow
	Total  int
	Faults []kit.Fault
	Down   bool

	Trusted  string // trusted IP ranges, one a line
	Security Security
	Switches []switchRow
	Apps     []App
}

type link struct{ Label, URL string }

type count struct {
	Label, URL string
	N          int64
}

type cell struct{ Label, Text, URL string }

type listView struct {
	Title   string
	New     string // address of the form for another, empty: none
	Total   int64
	Columns []string
	Heads   []head // instead of Columns, where the list can be sorted
	Rows    [][]cell
}

type logRow struct {
	N                                           int
	Time, Method, Path, Status, MS, User, Class string
}

// site answers people.
type site struct {
	org  *Org
	html *template.Template
}

// pages returns the pages and switches. They need no sign-in, and are kept to this machine by the caller.
func (o *Org) pages() http.Handler {
	s := o.site
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /sandbox/style.css", s.style)
	mux.HandleFunc("GET /sandbox/log", s.log)
	mux.HandleFunc("GET /sandbox/faults", s.faults)
	mux.HandleFunc("POST /sandbox/faults", s.switchFault)
	mux.HandleFunc("GET /setup/connect", s.connectPage)
	mux.HandleFunc("POST /setup/connect", s.connectPage)
	mux.HandleFunc("GET /secur/frontdoor.jsp", s.frontDoor)
	mux.HandleFunc("POST /secur/frontdoor.jsp", s.frontDoor)
	mux.HandleFunc("GET /sandbox/list/{entity}", s.list)
	mux.HandleFunc("GET /lightning/o/{entity}/list", s.list)
	mux.HandleFunc("GET /lightning/r/{entity}/{id}/view", s.record)
	mux.HandleFunc("GET /lightning/r/{id}/view", s.record)
	mux.HandleFunc("GET /lightning/o/{entity}/new", s.newRecord)
	mux.HandleFunc("POST /lightning/o/{entity}/new", s.newRecord)
	mux.HandleFunc("GET /lightning/r/{entity}/{id}/edit", s.editRecord)
	mux.HandleFunc("POST /lightning/r/{entity}/{id}/edit", s.editRecord)
	mux.HandleFunc("POST /lightning/r/{entity}/{id}/delete", s.deleteRecord)
	mux.HandleFunc("POST /lightning/r/{entity}/{id}/restore", s.restoreRecord)
	mux.HandleFunc("GET /sandbox/bin", s.bin)
	mux.HandleFunc("GET /sandbox/log/{n}", s.logEntry)
	mux.HandleFunc("GET /sandbox/setup/grants", s.grantsPage)
	mux.HandleFunc("POST /sandbox/setup/grants", s.saveGrants)
	mux.HandleFunc("GET /sandbox/setup/users", func(w http.ResponseWriter, r *http.Request) { s.usersPage(w, r, "", "") })
	mux.HandleFunc("POST /sandbox/setup/users", s.changeUser)
	mux.HandleFunc("GET /sandbox/setup/profiles", func(w http.ResponseWriter, r *http.Request) { s.profilesPage(w, r, "", "") })
	mux.HandleFunc("POST /sandbox/setup/profiles", s.changeProfile)
	mux.HandleFunc("GET /{id}", s.record)
	o.switches(mux)
	o.setupSwitches(mux)
	return mux
}

// templates parses the pages, which are part of the program: they parse or it was built wrongly.
func templates() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{"thousands": thousands}).ParseFS(web, "web/*.html"))
}

func (s *site) show(w http.ResponseWriter, r *http.Request, status int, name string, d pageData) {
	for _, entity := range []string{"Account", "Contact", "Case", "Task", "VoiceCall"} {
		d.Tabs = append(d.Tabs, link{s.org.schema.object(entity).plural, "/lightning/o/" + entity + "/list"})
	}
	d.Tools = append(d.Tools, link{"Requests", "/sandbox/log"}, link{"Faults", "/sandbox/faults"}, link{"Recycle bin", "/sandbox/bin"}, link{"Setup", "/sandbox/setup"})
	if d.Here == "" {
		d.Here = r.URL.Path
	}
	var b bytes.Buffer
	if err := s.html.ExecuteTemplate(&b, name, d); err != nil {
		_ = s.org.fail(r.Context(), fmt.Errorf("rendering %s: %w", name, err))
		http.Error(w, "This page cannot be shown: see the log of the sandbox org.", http.StatusInternalServerError)
		return
	}
	kit.PageHeaders(w.Header())
	if d.FormTarget != "" {
		const key = "Content-Security-Policy"
		w.Header().Set(key, strings.Replace(w.Header().Get(key), "form-action 'self'", "form-action 'self' "+d.FormTarget, 1))
	}
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}

func (s *site) problem(w http.ResponseWriter, r *http.Request, err error) {
	e := s.org.fail(r.Context(), err)
	s.show(w, r, e.Status, "home", pageData{Title: "Not available", Query: "-", Problem: e.Message})
}

func (s *site) style(w http.ResponseWriter, _ *http.Request) {
	css, err := web.ReadFile("web/style.css")
	if err != nil {
		http.Error(w, "no style", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(css)
}

func (s *site) home(w http.ResponseWriter, r *http.Request) {
	d := pageData{Title: "Home", Query: strings.TrimSpace(r.URL.Query().Get("q"))}
	if d.Query != "" {
		d.Title = "Search"
		s.searchInto(r, &d)
		s.show(w, r, http.StatusOK, "home", d)
		return
	}
	for _, obj := range s.org.schema.objects {
		n, err := s.total(r.Context(), obj, "")
		if err != nil {
			s.problem(w, r, err)
			return
		}
		c := count{obj.plural, listPath(obj), n}
		switch {
		case obj.event || obj.readOnly && obj.setup && isMetadata(obj.name):
		case obj.setup || obj.name == "User":
			d.Setup = append(d.Setup, c)
		default:
			d.Counts = append(d.Counts, c)
		}
	}
	s.show(w, r, http.StatusOK, "home", d)
}

// searchInto fills the page with hits: words as prefixes, so that half a name finds a record.
func (s *site) searchInto(r *http.Request, d *pageData) {
	term := soql.Term(d.Query)
	if !strings.ContainsAny(d.Query, "0123456789@") {
		term = strings.Join(strings.Fields(term), "* ") + "*"
	}
	m, err := parseTerm(term)
	if err != nil {
		d.Problem = s.org.fail(r.Context(), err).Message
		return
	}
	scope := soql.ScopeAll
	digits, number := m.plainNumber()
	if number {
		scope = soql.ScopePhone
	}
	rq := &request{ctx: r.Context()}
	for _, entity := range []string{"Account", "Contact", "Case", "User"} {
		obj := s.org.schema.object(entity)
		var within *sqlText
		if number {
			within = byNumber(obj, digits)
		}
		ids, err := s.org.candidates(rq, obj, scope, m, within)
		if err != nil {
			d.Problem = s.org.fail(r.Context(), err).Message
			return
		}
		if len(ids) == 0 {
			continue
		}
		shown := ids[:min(len(ids), hitsShown)]
		lv, err := s.view(r.Context(), obj, listPage{`"Id" IN (?` + strings.Repeat(", ?", len(shown)-1) + ")", newestFirst, 0, hitsShown}, anys(shown)...)
		if err != nil {
			d.Problem = s.org.fail(r.Context(), err).Message
			return
		}
		lv.Total = int64(len(ids))
		d.Lists = append(d.Lists, *lv)
	}
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// listColumns are the fields a list shows.
func listColumns(obj *object) []string {
	switch obj.name {
	case "Account":
		return []string{"Name", "Phone", "BillingCity", "BillingCountry", "Industry"}
	case "Contact":
		return []string{"Name", "AccountId", "Phone", "MobilePhone", "Email"}
	case "Case":
		return []string{"CaseNumber", "Subject", "Status", "Priority", "ContactId", "CreatedDate"}
	case "CaseComment":
		return []string{"CommentBody", "ParentId", "CreatorName", "CreatedDate"}
	case "Task":
		return []string{"Subject", "WhoId", "WhatId", "Status", "CallType", "CreatedDate"}
	case "VoiceCall":
		return []string{"VendorCallKey", "CallType", "FromPhoneNumber", "ToPhoneNumber", "CallStartDateTime"}
	case "User":
		return []string{"Name", "Username", "Email", "IsActive"}
	}
	return firstColumns(obj)
}

// firstColumns are the fields that come first, of those that say what a record is.
func firstColumns(obj *object) []string {
	var names []string
	if obj.nameField != nil {
		names = append(names, obj.nameField.name)
	}
	for _, f := range obj.fields {
		if len(names) < 4 && f.kind != typeID && f.kind != typeBoolean && !f.longText && !f.nameField && !f.writeOnly && f.name != "CreatedDate" {
			names = append(names, f.name)
		}
	}
	return append(names, "CreatedDate")
}

func listPath(obj *object) string { return "/lightning/o/" + obj.name + "/list" }

// titleOf is the name of a record, or its id.
func titleOf(obj *object, rec record) string {
	if obj.nameField != nil && rec.text(obj.nameField.name) != "" {
		return rec.text(obj.nameField.name)
	}
	return rec.text("Id")
}

func (s *site) total(ctx context.Context, obj *object, where string, args ...any) (int64, error) {
	q := "SELECT COUNT(*) FROM " + obj.table() + obj.live(where)
	rows, err := s.org.store.QueryContext(ctx, q, args...)
	if err != nil {
		return 0, err
	}
	raw, err := scanAll(rows, 1)
	if err != nil || len(raw) == 0 {
		return 0, fmt.Errorf("counting %s: %w", obj.name, err)
	}
	n, _ := raw[0][0].(int64)
	return n, nil
}

// listPage is a part of a list; where and order are SQL of this package's own making.
type listPage struct {
	where, order  string
	offset, limit int
}

const newestFirst = `"CreatedDate" DESC, "Id" DESC`

// live is the WHERE of what is not in the bin. The bin is looked at apart, and is small: reading the mark of each of a million
// records takes seconds, where an index has all else that is asked for.
func (o *object) live(where string) string {
	return " WHERE " + orElse(where, `"CreatedDate" IS NOT NULL`) + ` AND "Id" NOT IN (SELECT "Id" FROM ` + o.table() + ` WHERE "IsDeleted" = 1)`
}

// view reads one page of a list.
func (s *site) view(ctx context.Context, obj *object, p listPage, args ...any) (*listView, error) {
	lv := &listView{Title: obj.plural}
	cols := []string{`"Id"`}
	var fields []*field
	for _, name := range listColumns(obj) {
		f := obj.field(name)
		fields, cols = append(fields, f), append(cols, f.column())
		lv.Columns = append(lv.Columns, f.title())
	}
	// What is shown is read for the ids of the page alone: skipping over whole records takes long in a list of a million.
	q := "SELECT " + strings.Join(cols, ", ") + " FROM " + obj.table() + ` WHERE "Id" IN (SELECT "Id" FROM ` + obj.table() + obj.live(p.where) + " ORDER BY " + p.order + " LIMIT " + itoa(p.limit) + " OFFSET " + itoa(p.offset) + ") ORDER BY " + p.order
	rows, err := s.org.store.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	raw, err := scanAll(rows, len(cols))
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", obj.name, err)
	}
	for _, row := range raw {
		cells := make([]cell, len(fields))
		for i, f := range fields {
			cells[i] = s.cell(ctx, f, row[i+1])
		}
		if id, isText := row[0].(string); isText {
			cells[0].URL, cells[0].Text = "/"+id, orElse(cells[0].Text, id)
		}
		lv.Rows = append(lv.Rows, cells)
	}
	return lv, nil
}

// cell shows a value; a reference shows the name of what it points at.
func (s *site) cell(ctx context.Context, f *field, v any) cell {
	c := cell{Label: f.title()}
	switch x := v.(type) {
	case nil:
	case string:
		c.Text = x
		if f.kind == typeReference {
			c.Text, c.URL = s.nameOf(ctx, x), "/"+x
		}
	case int64:
		switch f.kind {
		case typeBoolean:
			c.Text = map[bool]string{true: "Yes", false: "No"}[x != 0]
		case typeDateTime:
			c.Text = time.UnixMilli(x).UTC().Format("2006-01-02 15:04 MST")
		default:
			c.Text = strconv.FormatInt(x, 10)
		}
	case float64:
		c.Text = strconv.FormatFloat(x, 'f', -1, 64)
	}
	return c
}

// nameOf returns the name of a record, or its id when it has none.
func (s *site) nameOf(ctx context.Context, id string) string {
	obj := s.org.schema.objectOf(id)
	if obj == nil || obj.nameField == nil {
		return id
	}
	rows, err := s.org.store.QueryContext(ctx, "SELECT "+obj.nameField.column()+" FROM "+obj.table()+` WHERE "Id" = ?`, id)
	if err != nil {
		return id
	}
	raw, err := scanAll(rows, 1)
	if err != nil || len(raw) == 0 {
		return id
	}
	name, _ := raw[0][0].(string)
	return orElse(name, id)
}

func (s *site) record(w http.ResponseWriter, r *http.Request) {
	obj, id, rec := s.recordOf(w, r, func(*object) bool { return true })
	if obj == nil {
		return
	}
	d := pageData{Kind: obj.label, Title: titleOf(obj, rec), Here: listPath(obj)}
	if obj.editable() {
		d.Edit = "/lightning/r/" + obj.name + "/" + id
	}
	for _, f := range obj.fields {
		if f.writeOnly || f.name == "IsDeleted" {
			continue
		}
		d.Fields = append(d.Fields, s.cell(r.Context(), f, rec[f.name]))
	}
	for _, rel := range obj.children {
		where := rel.field.column() + " = ?"
		lv, err := s.view(r.Context(), rel.child, listPage{where, newestFirst, 0, relatedSize}, id)
		if err == nil {
			lv.Title = labelOf(rel.name)
			if rel.child.editable() && !rel.child.setup {
				lv.New = "/lightning/o/" + rel.child.name + "/new?" + url.Values{rel.field.name: {id}}.Encode()
			}
			lv.Total, err = s.total(r.Context(), rel.child, where, id)
		}
		if err != nil {
			s.problem(w, r, err)
			return
		}
		d.Lists = append(d.Lists, *lv)
	}
	s.show(w, r, http.StatusOK, "record", d)
}

func (s *site) log(w http.ResponseWriter, r *http.Request) {
	entries, total := s.org.Requests(logRows)
	d := pageData{Title: "API requests", Total: total, Kind: r.URL.Query().Get("path"), Section: r.URL.Query().Get("only")}
	for _, e := range entries {
		if d.Kind != "" && !strings.Contains(strings.ToLower(e.Path), strings.ToLower(d.Kind)) || d.Section == "failed" && e.Status != 0 && e.Status < http.StatusBadRequest {
			continue
		}
		d.Log = append(d.Log, logRowOf(e))
	}
	s.show(w, r, http.StatusOK, "log", d)
}

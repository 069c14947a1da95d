package salesforce

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Each entity with pages has two list views (REST API developer guide, "sObject List Views"): all records, and the user's.

// savedView is one of them.
type savedView struct {
	obj  *object
	mine bool
}

const (
	savedViewPrefix = "00B"
	maxListResults  = 2000
	usualListResult = 25
)

func listViewsOf(obj *object) []savedView {
	views := []savedView{{obj: obj}}
	if obj.hasOwner() {
		views = append(views, savedView{obj: obj, mine: true})
	}
	return views
}

// id is made of the entity's prefix, so that it stays the same.
func (v savedView) id() string {
	n := int64(0)
	for _, c := range []byte(v.obj.prefix) {
		n = n*int64(len(base62)) + int64(strings.IndexByte(base62, c))
	}
	n *= 2
	if v.mine {
		n++
	}
	return makeID(savedViewPrefix, n)
}

// viewByID finds a list view of any entity, nil: the text is the id of none.
func (o *Org) viewByID(rq *request, text string) *savedView {
	id, valid := normalID(text)
	if !valid || !strings.HasPrefix(id, savedViewPrefix) {
		return nil
	}
	for _, obj := range o.seen(rq).objects {
		for _, v := range listViewsOf(obj) {
			if obj.layoutable() && v.id() == id {
				return &v
			}
		}
	}
	return nil
}

func (v savedView) label() string {
	return map[bool]string{false: "All ", true: "My "}[v.mine] + v.obj.plural
}

func (v savedView) soql() string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for _, f := range shownFields(v.obj) {
		b.WriteString(f.name + ", ")
	}
	b.WriteString("Id, CreatedDate, LastModifiedDate, SystemModstamp FROM " + v.obj.name)
	if v.mine {
		b.WriteString(" USING SCOPE mine")
	}
	order := "Id"
	if v.obj.nameField != nil {
		order = v.obj.nameField.name + " ASC NULLS FIRST, Id"
	}
	return b.String() + " ORDER BY " + order + " ASC NULLS FIRST"
}

func (v savedView) brief(rq *request) map[string]any {
	url := rq.base() + "/sobjects/" + v.obj.name + "/listviews/" + v.id()
	return map[string]any{
		"id": v.id(), "developerName": strings.ReplaceAll(v.label(), " ", ""), "label": v.label(), "soqlCompatible": true, "url": url,
		"describeUrl": url + "/describe", "resultsUrl": url + "/results",
	}
}

func (v savedView) columns() []map[string]any {
	out := []map[string]any{}
	for _, f := range shownFields(v.obj) {
		out = append(out, map[string]any{
			"fieldNameOrPath": f.name, "label": f.label, "hidden": false, "searchable": true, "selectListItem": f.name, "sortable": f.sortable(),
			"sortDirection": nil, "sortIndex": nil, "type": string(f.kind), "ascendingLabel": "Z-A", "descendingLabel": "A-Z",
		})
	}
	return out
}

// listViews answers /sobjects/{T}/listviews and below.
func (o *Org) listViews(rq *request, obj *object) (*response, error) {
	if !obj.layoutable() {
		return nil, notFound()
	}
	views := listViewsOf(obj)
	if len(rq.segs) == 3 {
		list := []map[string]any{}
		for _, v := range views {
			list = append(list, v.brief(rq))
		}
		return ok(map[string]any{"done": true, "listviews": list, "nextRecordsUrl": nil, "size": len(list), "sobjectType": obj.name}), nil
	}
	id, _ := normalID(rq.segs[3])
	i := slices.IndexFunc(views, func(v savedView) bool { return v.id() == id })
	if i < 0 || len(rq.segs) > 5 {
		return nil, notFound()
	}
	v := views[i]
	part := ""
	if len(rq.segs) == 5 {
		part = strings.ToLower(rq.segs[4])
	}
	switch part {
	case "":
		return ok(v.brief(rq)), nil
	case "describe":
		return ok(map[string]any{
			"id": v.id(), "columns": v.columns(), "query": v.soql(), "scope": map[bool]string{false: "everything", true: "mine"}[v.mine],
			"sobjectType": obj.name, "whereCondition": nil, "orderBy": []any{},
		}), nil
	case "results":
		return o.listResults(rq, v)
	}
	return nil, notFound()
}

// listResults answers the records of a list view, ?limit= of them from ?offset= on.
func (o *Org) listResults(rq *request, v savedView) (*response, error) {
	numbers := map[string]int{"limit": usualListResult, "offset": 0}
	for name := range numbers {
		text := rq.query.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > maxListResults || n == 0 && name == "limit" {
			return nil, badRequest("INVALID_INPUT", "%s must be a whole number up to %d: it is %s", name, maxListResults, shorten(text))
		}
		numbers[name] = n
	}
	env := o.environment(rq)
	p, err := o.planFor(v.soql()+" LIMIT "+itoa(numbers["limit"])+" OFFSET "+itoa(numbers["offset"]), false, env)
	if err != nil {
		return nil, err
	}
	run := &runner{db: o.db(rq), env: env, base: rq.base()}
	records, err := run.records(rq.ctx, p, "")
	if err != nil {
		return nil, err
	}
	rows := []map[string]any{}
	for _, raw := range records {
		row, err := listRow(raw)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return ok(map[string]any{
		"id": v.id(), "developerName": strings.ReplaceAll(v.label(), " ", ""), "label": v.label(), "columns": v.columns(), "records": rows,
		"size": len(rows), "done": len(rows) < numbers["limit"],
	}), nil
}

// listRow shows a record as rows of list views do: its columns as names and values, which are text.
func listRow(raw []byte) (map[string]any, error) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, err //nolint:wrapcheck // what this org wrote reads back
	}
	delete(values, "attributes")
	columns := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		columns = append(columns, map[string]any{"fieldNameOrPath": name, "value": listValue(values[name])})
	}
	return map[string]any{"columns": columns}, nil
}

func listValue(raw json.RawMessage) any {
	text := string(raw)
	if text == "null" {
		return nil
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return text
}

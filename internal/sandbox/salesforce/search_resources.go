package salesforce

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of suggestions (REST API developer guide, "Search Suggested Records").
const (
	minSuggest     = 3 // characters, one where they are of an Asian script
	maxSuggest     = 200
	defaultSuggest = 25
	maxSuggestFor  = 10 // entities
)

// searchResource answers /search?q= and what is below it: the order of entities, the layouts of results and suggestions.
func (o *Org) searchResource(rq *request) (*response, error) {
	if len(rq.segs) == 1 {
		return o.search(rq, rq.query.Get("q"))
	}
	if len(rq.segs) > 2 {
		return nil, notFound()
	}
	switch strings.ToLower(rq.segs[1]) {
	case "scopeorder":
		return ok(o.scopeOrder(rq)), nil
	case "layout":
		return o.searchLayouts(rq)
	case "suggestions":
		return o.suggestions(rq)
	case "suggestsearchqueries":
		// Nobody's searches are kept, so that nothing can be suggested.
		return ok(map[string]any{"autoSuggestResults": []any{}, "hasMoreResults": false}), nil
	}
	return nil, notFound()
}

// scopeOrder lists the entities searches go through.
func (o *Org) scopeOrder(rq *request) []map[string]string {
	out := []map[string]string{}
	for _, obj := range o.seen(rq).objects {
		if obj.searchable() {
			out = append(out, map[string]string{"type": obj.name, "url": rq.base() + "/sobjects/" + obj.name + "/describe"})
		}
	}
	return out
}

// searchLayouts answers /search/layout?q=Account,Contact: the columns results are shown in.
func (o *Org) searchLayouts(rq *request) (*response, error) {
	list, err := o.namedObjects(rq, "q", 100)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, 0, len(list))
	for _, obj := range list {
		columns := []map[string]any{}
		for _, f := range shownFields(obj) {
			columns = append(columns, map[string]any{"field": obj.name + "." + f.name, "format": nil, "label": f.label, "name": f.name})
		}
		out = append(out, map[string]any{"errorMsg": nil, "label": "Search Results", "limitRows": 25, "objectType": obj.name, "searchColumns": columns})
	}
	return ok(out), nil
}

// shownFields are the few fields a record is recognised by: its name first, then those that are looked for.
func shownFields(obj *object) []*field {
	const most = 5
	var out []*field
	if obj.nameField != nil {
		out = append(out, obj.nameField)
	}
	for _, f := range obj.fields {
		if len(out) < most && f != obj.nameField && f.indexed && !f.isID() && !f.readOnly && !f.custom() {
			out = append(out, f)
		}
	}
	return out
}

// namedObjects reads a list of entities out of a parameter.
func (o *Org) namedObjects(rq *request, parameter string, most int) ([]*object, error) {
	names := rq.query[parameter]
	if len(names) == 1 {
		names = splitList(names[0])
	}
	if len(names) == 0 || len(names) > most {
		return nil, badRequest("MISSING_ARGUMENT", "name 1 to %d objects as %s", most, parameter)
	}
	var out []*object
	for _, name := range names {
		obj := o.seen(rq).object(strings.TrimSpace(name))
		if obj == nil {
			return nil, badRequest("INVALID_TYPE", "sObject type '%s' is not supported. %s", shorten(name), adviceEntity)
		}
		out = append(out, obj)
	}
	return out, nil
}

// suggestions answers /search/suggestions?q=&sobject=: records a word of whose name begins as typed.
func (o *Org) suggestions(rq *request) (*response, error) {
	text := strings.TrimSpace(rq.query.Get("q"))
	wide := strings.ContainsFunc(text, func(r rune) bool { return r >= 0x2e80 })
	if n := utf8.RuneCountInString(text); n == 0 || n < minSuggest && !wide || n > maxSuggest {
		return nil, badRequest("INVALID_SEARCH", "q takes %d to %d characters", minSuggest, maxSuggest)
	}
	list, err := o.namedObjects(rq, "sobject", maxSuggestFor)
	if err != nil {
		return nil, err
	}
	limit := defaultSuggest
	if v := rq.query.Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return nil, badRequest("INVALID_INPUT", "limit must be a whole number above 0: it is %s", shorten(v))
		}
		limit = min(n, maxSuggest)
	}
	found := []json.RawMessage{}
	for _, obj := range list {
		records, err := o.suggestedOf(rq, obj, text, limit+1-len(found))
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			found = append(found, r)
		}
	}
	more := len(found) > limit
	return ok(map[string]any{"autoSuggestResults": found[:min(limit, len(found))], "hasMoreResults": more}), nil
}

func (o *Org) suggestedOf(rq *request, obj *object, text string, limit int) ([][]byte, error) {
	if obj.nameField == nil || !obj.searchable() || limit <= 0 {
		return nil, nil
	}
	fields := []string{"Id", obj.nameField.name}
	for _, name := range splitList(orElse(rq.query.Get(obj.name+".fields"), rq.query.Get("fields"))) {
		if name = strings.TrimSpace(name); !slices.ContainsFunc(fields, func(f string) bool { return strings.EqualFold(f, name) }) {
			if err := readable(obj, name); err != nil {
				return nil, err
			}
			fields = append(fields, name)
		}
	}
	like := strings.NewReplacer(`\`, `\\`, `'`, `\'`, `%`, `\%`, `_`, `\_`).Replace(text)
	where := "(" + obj.nameField.name + " LIKE '" + like + "%' OR " + obj.nameField.name + " LIKE '% " + like + "%')"
	if extra := rq.query.Get("where"); extra != "" {
		where += " AND (" + extra + ")"
	}
	env := o.environment(rq)
	p, err := o.planFor("SELECT "+strings.Join(fields, ", ")+" FROM "+obj.name+" WHERE "+where+" ORDER BY "+obj.nameField.name+" LIMIT "+itoa(limit), false, env)
	if err != nil {
		return nil, err
	}
	run := &runner{db: o.db(rq), env: env, base: rq.base()}
	return run.records(rq.ctx, p, "")
}

package salesforce

import (
	"encoding/json"
	"net/http"
	"strings"
)

// resourceNames are the resources of a version; each answers.
var resourceNames = []string{ //nolint:gochecknoglobals // a constant list
	"appMenu", "compactLayouts", "composite", "connect", "event", "jobs", "limits", "parameterizedSearch", "process", "query",
	"queryAll", "quickActions", "recent", "search", "sobjects", "tabs", "theme", "tooling",
}

func (o *Org) resources(rq *request) map[string]string {
	out := map[string]string{"identity": addressOf(rq) + "/id/" + orgID + "/" + rq.user.user}
	for _, name := range resourceNames {
		out[name] = rq.base() + "/" + name
	}
	return out
}

// baseKey is the key of a context in which calls find the org's address as their client sees it.
type baseKey struct{}

func addressOf(rq *request) string {
	base, _ := rq.ctx.Value(baseKey{}).(string)
	return base
}

// below lists what is below a resource, each with its address.
func below(rq *request, names ...string) map[string]string {
	out := map[string]string{}
	for _, name := range names {
		out[name] = rq.base() + "/" + strings.Join(rq.segs, "/") + "/" + name
	}
	return out
}

// directory answers the resources that only list those below them, nil: it is none.
func directory(rq *request) *response {
	names, found := map[string][]string{
		"composite": {"batch", "graph", "sobjects", "tree"}, "jobs": {"ingest", "query"}, "process": {"approvals", "rules"},
		"connect": {"conversations/upload"}, "event": {"eventSchema"}, "tooling": {"query", "queryAll", "search", "sobjects"},
		"appmenu": {"AppSwitcher"},
	}[strings.ToLower(rq.segs[0])]
	if !found || len(rq.segs) > 1 || rq.method != http.MethodGet && rq.method != http.MethodHead {
		return nil
	}
	return ok(below(rq, names...))
}

// interfaceParts answers the resources that describe the user interface and the org, nil: it is none of them.
func (o *Org) interfaceParts(rq *request) func() (*response, error) {
	switch strings.ToLower(strings.Join(rq.segs, "/")) {
	case "recent":
		return func() (*response, error) { return o.recentlyUsed(rq) }
	case "tabs":
		return func() (*response, error) { return ok(o.tabs(rq)), nil }
	case "theme":
		return func() (*response, error) { return ok(o.theme(rq)), nil }
	case "appmenu/appswitcher":
		return func() (*response, error) { return ok(appSwitcher(rq)), nil }
	case "quickactions", "sobjects/quickactions":
		return func() (*response, error) { return ok([]any{}), nil } // this org has none
	case "compactlayouts":
		return func() (*response, error) { return o.compactLayoutsOf(rq) }
	case "limits/recordcount":
		return func() (*response, error) { return o.recordCount(rq) }
	case "process/rules":
		return func() (*response, error) { return ok(map[string]any{"rules": map[string]any{}}), nil }
	case "process/approvals":
		return func() (*response, error) { return ok(map[string]any{"approvals": map[string]any{}}), nil }
	}
	if len(rq.segs) == 3 && strings.EqualFold(rq.segs[0], "event") && strings.EqualFold(rq.segs[1], "eventSchema") {
		return func() (*response, error) { return o.eventSchemaText(rq) }
	}
	return nil
}

// tabs are the entities that have pages.
func (o *Org) tabs(rq *request) []map[string]any {
	out := []map[string]any{}
	for _, obj := range o.seen(rq).objects {
		if !obj.layoutable() || obj.readOnly {
			continue
		}
		name := "standard-" + obj.name
		if obj.custom() {
			name = obj.name
		}
		out = append(out, map[string]any{
			"name": name, "label": obj.plural, "sobjectName": obj.name, "url": addressOf(rq) + listPath(obj), "custom": obj.custom(),
			"colors": colors(), "icons": []any{}, "iconUrl": nil, "miniIconUrl": nil,
		})
	}
	return out
}

// theme names the colours and icons of entities, which are the same for all here.
func (o *Org) theme(rq *request) map[string]any {
	items := []map[string]any{}
	for _, obj := range o.seen(rq).objects {
		if obj.layoutable() {
			items = append(items, map[string]any{"name": obj.name, "colors": colors(), "icons": []any{}})
		}
	}
	return map[string]any{"themeItems": items}
}

func colors() []map[string]string {
	return []map[string]string{{"color": "1F5F7A", "context": "primary", "theme": "theme4"}}
}

// appSwitcher is the menu of apps: there is one.
func appSwitcher(rq *request) map[string]any {
	return map[string]any{"appMenuItems": []map[string]any{{
		"type": "Tabset", "name": "Service", "label": "Service", "description": nil, "content": nil, "colors": colors(), "icons": []any{},
		"url": addressOf(rq) + "/",
	}}}
}

// recordCount answers /limits/recordCount?sObjects=: how many records each entity has, those in the bin aside.
func (o *Org) recordCount(rq *request) (*response, error) {
	seen := o.seen(rq)
	wanted := seen.objects
	if list := rq.query.Get("sObjects"); list != "" {
		wanted = nil
		for _, name := range splitList(list) {
			// As on the platform, names of no entity are passed over.
			if obj := seen.object(strings.TrimSpace(name)); obj != nil {
				wanted = append(wanted, obj)
			}
		}
	}
	counts := []map[string]any{}
	for _, obj := range wanted {
		if obj.event {
			continue
		}
		n, err := o.countOf(rq, "SELECT COUNT(*) FROM "+obj.table()+` WHERE "IsDeleted" = 0`)
		if err != nil {
			return nil, err
		}
		counts = append(counts, map[string]any{"name": obj.name, "count": n})
	}
	return ok(map[string]any{"sObjects": counts}), nil
}

// eventSchemaText answers the Avro schema of an event by its id.
func (o *Org) eventSchemaText(rq *request) (*response, error) {
	s := o.events.byID[rq.segs[2]]
	if s == nil {
		return nil, notFound()
	}
	return ok(json.RawMessage(s.text)), nil
}

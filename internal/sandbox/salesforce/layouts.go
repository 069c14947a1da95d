package salesforce

import "strings"

// masterRecordType is the record type of entities that have no others.
const masterRecordType = "012000000000000AAA"

func recordTypes(rq *request, obj *object) []map[string]any {
	if !obj.layoutable() {
		return []map[string]any{}
	}
	return []map[string]any{{
		"active": true, "available": true, "defaultRecordTypeMapping": true, "developerName": "Master", "master": true, "name": "Master",
		"recordTypeId": masterRecordType, "urls": map[string]string{"layout": rq.base() + "/sobjects/" + obj.name + "/describe/layouts/" + masterRecordType},
	}}
}

// layoutPart is what follows describe in an address, nil: nothing that is there.
func (o *Org) layoutPart(word string) func(*request, *object) (any, error) {
	switch word {
	case "layouts":
		return o.layouts
	case "compactlayouts":
		return o.compactLayouts
	case "approvallayouts":
		return approvalLayouts
	}
	return nil
}

// approvalLayouts are none: this org has no approval processes.
func approvalLayouts(rq *request, _ *object) (any, error) {
	if len(rq.segs) == 5 {
		return nil, notFound()
	}
	return map[string]any{"approvalLayouts": []any{}}, nil
}

// compactLayouts answers describe/compactLayouts, or with /primary after it the layout alone: the system's own, which has no id.
func (o *Org) compactLayouts(rq *request, obj *object) (any, error) {
	if len(rq.segs) == 5 {
		if strings.EqualFold(rq.segs[4], "primary") {
			return compactLayout(obj), nil
		}
		return nil, notFound()
	}
	return map[string]any{
		"compactLayouts": []any{compactLayout(obj)}, "defaultCompactLayoutId": nil,
		"recordTypeCompactLayoutMappings": []map[string]any{{
			"available": true, "compactLayoutId": nil, "compactLayoutName": "SYSTEM", "recordTypeId": masterRecordType, "recordTypeName": "Master",
			"urls": map[string]string{"compactLayout": rq.base() + "/sobjects/" + obj.name + "/describe/compactLayouts/primary"},
		}},
	}, nil
}

// compactLayout is the few fields at the head of a record.
func compactLayout(obj *object) map[string]any {
	items := []map[string]any{}
	for _, f := range shownFields(obj) {
		items = append(items, map[string]any{
			"editableForNew": false, "editableForUpdate": false, "label": f.label, "placeholder": false, "required": false,
			"layoutComponents": []map[string]any{{"type": "Field", "value": f.name, "displayLines": 1, "tabOrder": 0, "components": []any{}, "details": describeField(obj, f)}},
		})
	}
	return map[string]any{
		"id": nil, "name": "SYSTEM", "label": "System Default", "objectType": obj.name, "actions": []any{}, "fieldItems": items, "imageItems": []any{},
	}
}

// compactLayoutsOf answers /compactLayouts?q=Account,Contact.
func (o *Org) compactLayoutsOf(rq *request) (*response, error) {
	list, err := o.namedObjects(rq, "q", 100)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, obj := range list {
		out[obj.name] = compactLayout(obj)
	}
	return ok(out), nil
}

// layouts answers describe/layouts, or with an id after it the one layout there is.
func (o *Org) layouts(rq *request, obj *object) (any, error) {
	layout := o.layout(obj)
	if len(rq.segs) == 5 {
		if id, valid := normalID(rq.segs[4]); !valid || id != masterRecordType {
			return nil, notFound()
		}
		return layout, nil
	}
	return map[string]any{
		"layouts": []any{layout}, "recordTypeSelectorRequired": []bool{false},
		"recordTypeMappings": []map[string]any{{
			"active": true, "available": true, "defaultRecordTypeMapping": true, "developerName": "Master", "layoutId": nil, "master": true,
			"name": "Master", "picklistsForRecordType": picklists(obj), "recordTypeId": masterRecordType,
			"urls": map[string]string{"layout": rq.base() + "/sobjects/" + obj.name + "/describe/layouts/" + masterRecordType},
		}},
	}, nil
}

func picklists(obj *object) []map[string]any {
	out := []map[string]any{}
	for _, f := range obj.fields {
		if len(f.values) > 0 {
			out = append(out, map[string]any{"picklistName": f.name, "picklistValues": describeValues(f)})
		}
	}
	return out
}

// layout puts all fields into one section of two columns, and the children below it.
func (o *Org) layout(obj *object) map[string]any {
	related := []map[string]any{}
	for _, rel := range obj.children {
		if !rel.child.layoutable() {
			continue
		}
		name := rel.child.nameField
		if name == nil {
			name = rel.child.field("Id")
		}
		related = append(related, map[string]any{
			"name": rel.name, "label": rel.child.plural, "sobject": rel.child.name, "field": rel.field.name, "custom": rel.child.custom(),
			"limitRows": 6, "sort": []any{}, "buttons": []any{},
			"columns": []map[string]any{{"field": rel.child.name + "." + name.name, "fieldApiName": name.name, "format": nil, "label": name.label, "name": name.name}},
		})
	}
	return map[string]any{
		"id": nil, "detailLayoutSections": []any{section(obj, false)}, "editLayoutSections": []any{section(obj, true)}, "relatedLists": related,
		"buttonLayoutSection": nil, "feedView": nil, "highlightsPanelLayoutSection": nil, "multirowEditLayoutSections": []any{},
		"offlineLinks": []any{}, "quickActionList": nil, "relatedContent": nil, "saveOptions": []any{},
	}
}

func section(obj *object, edit bool) map[string]any {
	var items []map[string]any
	for _, f := range obj.fields {
		if f.kind == typeID || f.name == "IsDeleted" || f.name == "SystemModstamp" || f.writeOnly && !edit {
			continue
		}
		change := !f.readOnly && !obj.readOnly
		items = append(items, map[string]any{
			"label": f.label, "required": f.required, "placeholder": false, "editableForNew": change, "editableForUpdate": change && !f.createOnly,
			"layoutComponents": []map[string]any{{"type": "Field", "value": f.name, "displayLines": 1, "tabOrder": len(items) + 1, "details": describeField(obj, f)}},
		})
	}
	rows := []map[string]any{}
	for i := 0; i < len(items); i += 2 {
		pair := items[i:min(i+2, len(items))]
		rows = append(rows, map[string]any{"layoutItems": pair, "numItems": len(pair)})
	}
	return map[string]any{
		"heading": obj.label + " Information", "columns": 2, "rows": len(rows), "layoutRows": rows, "tabOrder": "LeftRight", "collapsed": false,
		"useCollapsibleSection": false, "useHeading": true, "parentLayoutId": nil, "layoutSectionId": nil,
	}
}

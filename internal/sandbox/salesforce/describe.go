package salesforce

import (
	"net/http"
	"time"
)

// describedAt is when the definitions last changed: describe answers carry it, so that clients may ask conditionally.
func describedAt() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }

func (o *Org) describeGlobal(rq *request) map[string]any {
	list := make([]map[string]any, 0, len(o.schema.objects))
	for _, obj := range o.schema.objects {
		list = append(list, o.describeBrief(rq, obj))
	}
	return map[string]any{"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list}
}

func (o *Org) describeBrief(rq *request, obj *object) map[string]any {
	url := rq.base() + "/sobjects/" + obj.name
	write := !obj.readOnly
	return map[string]any{
		"name": obj.name, "label": obj.label, "labelPlural": obj.plural, "keyPrefix": obj.prefix,
		"activateable": false, "createable": write, "updateable": write, "deletable": write && obj.name != "User", "undeletable": false,
		"custom": false, "customSetting": false, "deprecatedAndHidden": false, "feedEnabled": false, "hasSubtypes": false,
		"isSubtype": false, "layoutable": true, "mergeable": false, "mruEnabled": false, "queryable": true, "replicateable": true,
		"retrieveable": true, "searchable": write, "triggerable": false,
		"urls": map[string]string{"sobject": url, "describe": url + "/describe", "rowTemplate": url + "/{ID}"},
	}
}

func (o *Org) describe(rq *request, obj *object) (*response, error) {
	if len(rq.segs) > 3 {
		return nil, notFound()
	}
	header := http.Header{"Last-Modified": {describedAt().Format(http.TimeFormat)}}
	if since, err := http.ParseTime(rq.header.Get("If-Modified-Since")); err == nil && !describedAt().After(since) {
		return &response{status: http.StatusNotModified, header: header}, nil
	}
	d := o.describeBrief(rq, obj)
	fields := make([]map[string]any, 0, len(obj.fields))
	for _, f := range obj.fields {
		fields = append(fields, describeField(obj, f))
	}
	children := []map[string]any{}
	for _, rel := range obj.children {
		pair := obj.name + "." + rel.child.name
		children = append(children, map[string]any{
			"childSObject": rel.child.name, "field": rel.field.name, "relationshipName": rel.name, "deprecatedAndHidden": false,
			"cascadeDelete":    pair == "Account.Contact" || pair == "Case.CaseComment",
			"restrictedDelete": rel.child.name == "Case" && obj.name != "Case",
		})
	}
	d["fields"], d["childRelationships"] = fields, children
	d["recordTypeInfos"], d["supportedScopes"] = []any{}, scopes(obj)
	return &response{status: http.StatusOK, header: header, body: d}, nil
}

func scopes(obj *object) []map[string]string {
	out := []map[string]string{{"name": "everything", "label": "All " + obj.plural}}
	if obj.hasOwner() {
		out = append(out, map[string]string{"name": "mine", "label": "My " + obj.plural})
	}
	return out
}

func describeField(obj *object, f *field) map[string]any {
	writable := !f.readOnly && f.kind != typeID && !obj.readOnly
	values := []map[string]any{}
	for _, v := range f.values {
		values = append(values, map[string]any{"active": true, "defaultValue": v == f.defaultTo, "label": v, "value": v, "validFor": nil})
	}
	d := map[string]any{
		"name": f.name, "label": f.label, "type": string(f.kind), "soapType": soapType(f.kind), "length": f.length, "byteLength": f.length * 3,
		"createable": writable, "updateable": writable && !f.createOnly, "nillable": !f.required && f.kind != typeID && f.kind != typeBoolean,
		"defaultedOnCreate": f.defaultTo != "" || f.kind == typeBoolean || f.kind == typeID || f.name == "OwnerId", "defaultValue": nil,
		"unique": f.unique, "externalId": f.external, "idLookup": f.external || f.kind == typeID || f.kind == typeEmail,
		"nameField": f.nameField, "custom": f.custom(), "calculated": false, "autoNumber": f.name == "CaseNumber", "caseSensitive": false,
		"filterable": !f.longText && !f.writeOnly, "sortable": !f.longText && !f.writeOnly, "groupable": !f.longText && !f.writeOnly,
		"aggregatable": !f.longText && !f.writeOnly && f.kind != typeBoolean, "referenceTo": append([]string{}, f.refs...),
		"relationshipName": nil, "polymorphicForeignKey": len(f.refs) > 1, "restrictedPicklist": f.restricted, "picklistValues": values,
		"precision": 0, "scale": 0, "digits": 0, "deprecatedAndHidden": false, "encrypted": false, "htmlFormatted": false,
		"permissionable": writable && !f.required, "inlineHelpText": nil, "controllerName": nil, "dependentPicklist": false,
		"extraTypeInfo": nil, "mask": nil, "calculatedFormula": nil, "compoundFieldName": nil, "referenceTargetField": nil,
	}
	if f.rel != "" {
		d["relationshipName"] = f.rel
	}
	if f.defaultTo != "" {
		d["defaultValue"] = defaultValue(f)
	} else if f.kind == typeBoolean {
		d["defaultValue"] = false
	}
	switch f.kind {
	case typeInt:
		d["digits"] = 9
	case typeDouble, typeCurrency:
		d["precision"], d["scale"] = 18, 2
	default:
	}
	return d
}

func soapType(kind fieldType) string {
	switch kind {
	case typeID, typeReference:
		return "tns:ID"
	case typeBoolean:
		return "xsd:boolean"
	case typeInt:
		return "xsd:int"
	case typeDouble, typeCurrency:
		return "xsd:double"
	case typeDate:
		return "xsd:date"
	case typeDateTime:
		return "xsd:dateTime"
	default:
		return "xsd:string"
	}
}

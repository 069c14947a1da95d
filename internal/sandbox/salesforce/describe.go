package salesforce

import (
	"net/http"
	"time"
)

// describedAt is when the definitions last changed: describe answers carry it, so that clients may ask conditionally.
func describedAt() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }

func (o *Org) describeGlobal(rq *request) map[string]any {
	list := make([]map[string]any, 0, len(o.schema.objects))
	for _, obj := range o.seen(rq).objects {
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
		"custom": obj.custom(), "customSetting": false, "deprecatedAndHidden": false, "feedEnabled": false, "hasSubtypes": false,
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
	d := map[string]any{
		"name": f.name, "label": f.label, "type": string(f.kind), "soapType": soapType(f.kind), "length": f.length, "byteLength": f.length * 3,
		"unique": f.unique, "externalId": f.external, "idLookup": f.external || f.kind == typeID || f.kind == typeEmail,
		"nameField": f.nameField, "custom": f.custom(), "autoNumber": f.name == "CaseNumber", "referenceTo": append([]string{}, f.refs...),
		"polymorphicForeignKey": len(f.refs) > 1, "restrictedPicklist": f.restricted, "picklistValues": describeValues(f), "relationshipName": nil,
	}
	for _, never := range []string{
		"calculated", "caseSensitive", "deprecatedAndHidden", "encrypted", "htmlFormatted", "dependentPicklist",
	} {
		d[never] = false
	}
	for _, none := range []string{
		"inlineHelpText", "controllerName", "extraTypeInfo", "mask", "calculatedFormula", "compoundFieldName", "referenceTargetField",
	} {
		d[none] = nil
	}
	if f.rel != "" {
		d["relationshipName"] = f.rel
	}
	describeAccess(d, obj, f)
	describeNumber(d, f)
	return d
}

func describeValues(f *field) []map[string]any {
	values := []map[string]any{}
	for _, v := range f.values {
		values = append(values, map[string]any{"active": true, "defaultValue": v == f.defaultTo, "label": v, "value": v, "validFor": nil})
	}
	return values
}

// describeAccess says what may be done with a field.
func describeAccess(d map[string]any, obj *object, f *field) {
	writable := !f.readOnly && f.kind != typeID && !obj.readOnly
	listed := !f.longText && !f.writeOnly
	automatic := f.kind == typeBoolean || f.kind == typeID
	d["createable"], d["updateable"], d["permissionable"] = writable, writable && !f.createOnly, writable && !f.required
	d["nillable"] = !f.required && !automatic
	d["filterable"], d["sortable"], d["groupable"], d["aggregatable"] = listed, listed, listed, listed && f.kind != typeBoolean
	d["defaultedOnCreate"] = f.defaultTo != "" || automatic || f.name == "OwnerId"
	d["defaultValue"] = nil
	switch {
	case f.defaultTo != "":
		d["defaultValue"] = defaultValue(f)
	case f.kind == typeBoolean:
		d["defaultValue"] = false
	}
}

func describeNumber(d map[string]any, f *field) {
	d["precision"], d["scale"], d["digits"] = 0, 0, 0
	switch f.kind {
	case typeInt:
		d["digits"] = 9
	case typeDouble, typeCurrency:
		d["precision"], d["scale"] = 18, 2
	default:
	}
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

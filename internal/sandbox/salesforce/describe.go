package salesforce

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// noteDefinitions finds out when the definitions last changed: describe answers carry it, so that clients may ask
// conditionally. That is when the org first ran with the definitions it has.
func (o *Org) noteDefinitions(ctx context.Context) error {
	h := sha256.New()
	for _, obj := range o.schema.objects {
		_, _ = fmt.Fprintf(h, "%s %s %s %v\n", obj.name, obj.label, obj.plural, obj.readOnly) // a hash takes all
		for _, f := range obj.fields {
			_, _ = fmt.Fprintf(h, "%+v\n", *f)
		}
	}
	sum := hex.EncodeToString(h.Sum(nil))
	kept, err := o.store.meta(ctx, "definitions")
	if have, at, found := strings.Cut(kept, " "); err == nil && found && have == sum {
		if seconds, err := strconv.ParseInt(at, 10, 64); err == nil {
			o.described = time.Unix(seconds, 0).UTC()
			return nil
		}
	}
	o.described = o.now().UTC().Truncate(time.Second)
	return o.store.update(ctx, func(tx *sql.Tx) error {
		return setMeta(ctx, tx, "definitions", sum+" "+strconv.FormatInt(o.described.Unix(), 10))
	})
}

// sinceDescribed is the answer to who has the descriptions already, nil: they are to be sent, with the header.
func (o *Org) sinceDescribed(rq *request) (unmodified *response, header http.Header) {
	header = http.Header{"Last-Modified": {o.described.Format(http.TimeFormat)}}
	if since, err := http.ParseTime(rq.header.Get("If-Modified-Since")); err == nil && !o.described.After(since) {
		return &response{status: http.StatusNotModified, header: header}, header
	}
	return nil, header
}

func (o *Org) describeAll(rq *request) *response {
	unmodified, header := o.sinceDescribed(rq)
	if unmodified != nil {
		return unmodified
	}
	return &response{status: http.StatusOK, header: header, body: o.describeGlobal(rq)}
}

func (o *Org) describeGlobal(rq *request) map[string]any {
	list := make([]map[string]any, 0, len(o.schema.objects))
	for _, obj := range o.seen(rq).sorted() {
		list = append(list, o.describeBrief(rq, obj))
	}
	return map[string]any{"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list}
}

func (o *Org) describeBrief(rq *request, obj *object) map[string]any {
	url := rq.base() + "/sobjects/" + obj.name
	write := !obj.readOnly
	urls := map[string]string{"sobject": url, "describe": url + "/describe", "rowTemplate": url + "/{ID}"}
	if obj.layoutable() {
		urls["layouts"] = url + "/describe/layouts"
		urls["compactLayouts"] = url + "/describe/compactLayouts"
		urls["approvalLayouts"] = url + "/describe/approvalLayouts"
		urls["listviews"] = url + "/listviews"
		urls["quickActions"] = url + "/quickActions"
	}
	if obj.name == "User" {
		urls["passwordUtilities"] = url + "/{ID}/password"
	}
	d := map[string]any{
		"name": obj.name, "label": obj.label, "labelPlural": obj.plural, "keyPrefix": obj.prefix,
		"createable": write && obj.name != loginEntity, "updateable": write && !obj.event,
		"deletable": write && obj.name != "User" && obj.name != loginEntity && !obj.event,
		"custom":    obj.custom(), "layoutable": obj.layoutable(), "queryable": !obj.event, "replicateable": !obj.event,
		"retrieveable": !obj.event, "searchable": obj.searchable(), "triggerable": obj.searchable(), "mruEnabled": obj.layoutable(),
		"undeletable": write && obj.tracked() && obj.name != "User", "urls": urls,
	}
	for _, never := range []string{
		"activateable", "customSetting", "dataTranslationEnabled", "deepCloneable", "deprecatedAndHidden", "feedEnabled", "hasSubtypes",
		"isInterface", "isSubtype", "mergeable",
	} {
		d[never] = false
	}
	for _, none := range []string{"associateEntityType", "associateParentEntity"} {
		d[none] = nil
	}
	return d
}

// layoutable reports whether records of the entity have pages.
func (o *object) layoutable() bool { return !o.setup && !o.event }

func (o *Org) describe(rq *request, obj *object) (*response, error) {
	var part func(*request, *object) (any, error)
	if len(rq.segs) > 3 {
		if part = o.layoutPart(strings.ToLower(rq.segs[3])); part == nil || !obj.layoutable() || len(rq.segs) > 5 {
			return nil, notFound()
		}
	}
	unmodified, header := o.sinceDescribed(rq)
	if unmodified != nil {
		return unmodified, nil
	}
	if part != nil {
		body, err := part(rq, obj)
		if err != nil {
			return nil, err
		}
		return &response{status: http.StatusOK, header: header, body: body}, nil
	}
	d := o.describeBrief(rq, obj)
	fields := make([]map[string]any, 0, len(obj.fields))
	for _, f := range obj.fields {
		fields = append(fields, describeField(obj, f))
	}
	for _, c := range obj.compounds {
		fields = append(fields, describeCompound(obj, c))
	}
	d["fields"], d["childRelationships"] = fields, describeChildren(o.seen(rq), obj)
	d["recordTypeInfos"], d["supportedScopes"] = recordTypes(rq, obj), scopes(obj)
	d["actionOverrides"], d["namedLayoutInfos"] = []any{}, []any{}
	d["compactLayoutable"], d["listviewable"], d["lookupLayoutable"] = obj.layoutable(), nil, nil
	d["searchLayoutable"] = obj.layoutable()
	for _, none := range []string{
		"defaultImplementation", "extendedBy", "extendsInterfaces", "implementedBy", "implementsInterfaces", "networkScopeFieldName", "sobjectDescribeOption",
	} {
		d[none] = nil
	}
	return &response{status: http.StatusOK, header: header, body: d}, nil
}

// junctionNames and junctionTargets are of the relationship a list of ids stands for.
func junctionNames(f *field) []string {
	if f.name == "TaskId" && f.childRel == whoList {
		return []string{whoIDs}
	}
	return []string{}
}

func junctionTargets(child *object, f *field) []string {
	to := child.field("RelationId")
	if len(junctionNames(f)) == 0 || to == nil {
		return []string{}
	}
	return to.refs
}

// describeChildren lists every field that points at the entity; one without a relationship name cannot be queried from here.
func describeChildren(seen *schema, obj *object) []map[string]any {
	children := []map[string]any{}
	for _, child := range seen.objects {
		for _, f := range child.fields {
			if !slices.Contains(f.pointsAt(), obj.name) {
				continue
			}
			rel := map[string]any{
				"childSObject": child.name, "field": f.name, "relationshipName": nil, "deprecatedAndHidden": false,
				"junctionIdListNames": junctionNames(f), "junctionReferenceTo": junctionTargets(child, f),
				"cascadeDelete": onDelete(obj, child, f) == deleteCascades, "restrictedDelete": onDelete(obj, child, f) == deleteRestricted,
			}
			if f.childRel != "" {
				rel["relationshipName"] = f.childRel
			}
			children = append(children, rel)
		}
	}
	return children
}

func scopes(obj *object) []map[string]string {
	out := []map[string]string{{"name": "everything", "label": "All " + obj.plural}}
	if obj.hasOwner() {
		out = append(out, map[string]string{"name": "mine", "label": "My " + obj.plural})
	}
	if obj.name == "Task" {
		out = append(out, map[string]string{"name": "delegated", "label": "Delegated " + obj.plural})
	}
	return out
}

func describeField(obj *object, f *field) map[string]any {
	d := map[string]any{
		"name": f.name, "label": f.label, "type": f.shownType(), "soapType": soapType(f.kind), "length": f.length, "byteLength": f.byteLength(),
		"unique": f.unique, "externalId": f.external, "idLookup": f.looksUp(obj),
		"nameField": f.nameField, "custom": f.custom(), "autoNumber": f.auto, "referenceTo": append([]string{}, f.pointsAt()...),
		"restrictedPicklist": f.restricted, "picklistValues": describeValues(f), "relationshipName": nil,
	}
	for _, never := range []string{
		"aiPredictionField", "calculated", "deprecatedAndHidden", "encrypted", "htmlFormatted",
		"dependentPicklist", "displayLocationInDecimal", "formulaTreatNullNumberAsZero", "highScaleNumber", "queryByDistance",
		"searchPrefilterable",
	} {
		d[never] = false
	}
	for _, none := range []string{
		"inlineHelpText", "controllerName", "extraTypeInfo", "mask", "calculatedFormula", "compoundFieldName", "referenceTargetField",
		"defaultValueFormula", "filteredLookupInfo", "relationshipOrder",
	} {
		d[none] = nil
	}
	d["caseSensitive"], d["cascadeDelete"], d["restrictedDelete"] = f.caseSensitive, f.ifDeleted == deleteCascades, f.ifDeleted == deleteRestricted
	d["writeRequiresMasterRead"] = false
	if f.master {
		d["relationshipOrder"] = 0
	}
	if f.help != "" {
		d["inlineHelpText"] = f.help
	}
	if f.kind == typeTextArea {
		d["extraTypeInfo"] = "plaintextarea"
	}
	if f.rel != "" && f.kind == typeReference {
		d["relationshipName"] = f.rel
	}
	d["namePointing"], d["polymorphicForeignKey"] = f.polymorphic(), f.polymorphic()
	if c := obj.compoundOf(f); c != nil {
		d["compoundFieldName"] = c.name
	}
	describeAccess(d, obj, f)
	describeNumber(d, f)
	return d
}

// pointsAt are the entities a reference leads to. Durable ids lead somewhere too, without being references.
func (f *field) pointsAt() []string {
	if f.kind != typeReference {
		return nil
	}
	return f.refs
}

// looksUp reports whether the object reference marks a field idLookup: values name one record.
func (f *field) looksUp(obj *object) bool {
	return f.kind == typeID || f.external || f.unique || f.kind == typeEmail && f.indexed || f.nameField && obj.custom()
}

func describeValues(f *field) []map[string]any {
	values := []map[string]any{}
	for _, v := range f.values {
		values = append(values, map[string]any{"active": true, "defaultValue": v == f.defaultTo, "label": v, "value": v, "validFor": nil})
	}
	return values
}

// automatic reports whether the platform sees to it that a field has a value.
func (f *field) automatic() bool {
	return f.kind == typeBoolean || f.auto || f.system() || f.name == "OwnerId"
}

// describeAccess says what may be done with a field.
func describeAccess(d map[string]any, obj *object, f *field) {
	writable := !f.readOnly && f.kind != typeID && !obj.readOnly
	listed := !f.writeOnly
	automatic := f.automatic()
	d["createable"], d["updateable"], d["permissionable"] = writable, writable && !f.createOnly, f.permissionable(obj)
	d["nillable"] = !f.required && !automatic && (!f.nameField || !f.readOnly)
	for name, may := range map[string]bool{"filterable": !f.longText, "sortable": f.sortable(), "groupable": f.groupable(), "aggregatable": f.aggregatable()} {
		d[name] = listed && may
	}
	d["defaultedOnCreate"] = f.defaultTo != "" || automatic
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
		d["precision"], d["scale"] = f.precision, f.scale
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
	case typeAddress:
		return "urn:address"
	case typeLocation:
		return "urn:location"
	default:
		return "xsd:string"
	}
}

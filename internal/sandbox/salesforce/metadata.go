package salesforce

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// metadataDefinitions lists the entities that describe the others, for programs that query instead of describing. Their
// rows are made of the definitions whenever those change; as ids they have the platform's durable ids.
func metadataDefinitions() []definition {
	return []definition{
		{name: "EntityDefinition", label: "Entity Definition", plural: "Entity Definitions", prefix: "4ie", fields: entityDefinitionFields, readOnly: true, setup: true},
		{name: "FieldDefinition", label: "Field Definition", plural: "Field Definitions", prefix: "4fe", fields: fieldDefinitionFields, readOnly: true, setup: true},
		{name: "EntityParticle", label: "Entity Particle", plural: "Entity Particles", prefix: "4ip", fields: entityParticleFields, readOnly: true, setup: true},
		{name: "PicklistValueInfo", label: "Picklist Value Info", plural: "Picklist Value Infos", prefix: "4pv", fields: picklistValueFields, readOnly: true, setup: true},
	}
}

func isMetadata(name string) bool {
	return slices.ContainsFunc(metadataDefinitions(), func(d definition) bool { return d.name == name })
}

const entityDefinitionFields = `DurableId string name
QualifiedApiName string(70) index
NamespacePrefix string(15)
DeveloperName string(80)
MasterLabel string(80)
Label string(80)
PluralLabel string(80)
KeyPrefix string(3) index
InternalSharingModel string(40)
ExternalSharingModel string(40)
IsCustomizable boolean
IsCustomSetting boolean
IsDeprecatedAndHidden boolean
IsQueryable boolean
IsSearchable boolean
IsRetrieveable boolean
IsReplicateable boolean
IsLayoutable boolean
IsTriggerable boolean
IsApexTriggerable boolean
IsIdEnabled boolean
IsEverCreatable boolean
IsEverUpdatable boolean
IsEverDeletable boolean
IsFeedEnabled boolean
IsMruEnabled boolean
DetailUrl string
EditUrl string
NewUrl string`

// What fields and particles share.
const particleFields = `
QualifiedApiName string(70) index
NamespacePrefix string(15)
DeveloperName string(80)
MasterLabel string(80)
Label string(80)
Length int
Precision int
Scale int
DataType string
ValueTypeId string(40)
IsNillable boolean
IsNameField boolean
IsCalculated boolean
IsHtmlFormatted boolean
IsApiFilterable boolean
IsApiSortable boolean
IsApiGroupable boolean
IsFieldHistoryTracked boolean
IsPolymorphicForeignKey boolean
IsIndexed boolean
RelationshipName string(80)`

const fieldDefinitionFields = `DurableId string name
EntityDefinitionId string ->EntityDefinition/EntityDefinition <-Fields
IsListVisible boolean
ReferenceTargetField string(80)
Description string(255)` + particleFields

const entityParticleFields = `DurableId string name
EntityDefinitionId string ->EntityDefinition/EntityDefinition <-Particles
FieldDefinitionId string ->FieldDefinition/FieldDefinition <-Particles
ByteLength int
Digits int
IsCreatable boolean
IsUpdatable boolean
IsUnique boolean
IsCaseSensitive boolean
IsIdLookup boolean
IsAutonumber boolean
IsDefaultedOnCreate boolean
IsPermissionable boolean
IsDependentPicklist boolean
IsEncrypted boolean
IsHighScaleNumber boolean
IsNamePointing boolean
InlineHelpText string
ExtraTypeInfo string(40)` + particleFields

const picklistValueFields = `DurableId string name
Value string
Label string
IsActive boolean
IsDefaultValue boolean
EntityParticleId string ->EntityParticle/EntityParticle <-PicklistValues
ValidFor string`

// needMetadata makes the rows where a query is about them and they are not those of today's definitions: most orgs are never
// asked, and start the faster for it.
func (o *Org) needMetadata(rq *request, query string) error {
	if o.metadata.Load() || !mentionsMetadata(query) {
		return nil
	}
	return o.update(rq, func(tx *sql.Tx) error {
		var schema, filled string
		if err := tx.QueryRowContext(rq.ctx, "SELECT value FROM meta WHERE key = 'schema'").Scan(&schema); err != nil {
			return fmt.Errorf("reading the state of the definitions: %w", err)
		}
		err := tx.QueryRowContext(rq.ctx, "SELECT value FROM meta WHERE key = 'described'").Scan(&filled)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("reading the state of the definitions: %w", err)
		}
		o.store.afterCommit(func() { o.metadata.Store(true) })
		if filled == schema {
			return nil
		}
		if err := o.fillMetadata(rq.ctx, tx); err != nil {
			return err
		}
		return setMeta(rq.ctx, tx, "described", schema)
	})
}

func mentionsMetadata(query string) bool {
	query = strings.ToLower(query)
	return slices.ContainsFunc(metadataDefinitions(), func(d definition) bool { return strings.Contains(query, strings.ToLower(d.name)) })
}

// fillMetadata makes the rows anew.
func (o *Org) fillMetadata(ctx context.Context, tx *sql.Tx) error {
	var entities, fields, particles, values []record
	for _, obj := range o.schema.objects {
		entities = append(entities, entityRow(obj))
		for _, f := range obj.fields {
			common := particleRow(obj, f)
			fields = append(fields, fieldRow(obj, f, common))
			d := describeField(obj, f)
			for to, from := range map[string]string{
				"IsCreatable": "createable", "IsUpdatable": "updateable", "IsUnique": "unique", "IsCaseSensitive": "caseSensitive", "IsIdLookup": "idLookup",
				"IsAutonumber": "autoNumber", "IsDefaultedOnCreate": "defaultedOnCreate", "IsPermissionable": "permissionable", "IsNamePointing": "namePointing",
			} {
				common[to] = bit(d[from] == true)
			}
			common["FieldDefinitionId"], common["DataType"], common["ByteLength"], common["Digits"] = common["Id"], f.shownType(), int64(f.byteLength()), d["digits"]
			common["InlineHelpText"], common["ExtraTypeInfo"] = d["inlineHelpText"], d["extraTypeInfo"]
			particles = append(particles, common)
			for _, v := range f.values {
				id := obj.name + "." + f.name + "." + v
				values = append(values, record{
					"Id": id, "DurableId": id, "Value": v, "Label": v, "IsActive": int64(1), "IsDefaultValue": bit(v == f.defaultTo), "EntityParticleId": common["Id"],
				})
			}
		}
	}
	for _, part := range []struct {
		entity string
		rows   []record
	}{{"EntityDefinition", entities}, {"FieldDefinition", fields}, {"EntityParticle", particles}, {"PicklistValueInfo", values}} {
		if err := o.store.exec(ctx, tx, "DELETE FROM "+o.schema.object(part.entity).table()); err != nil {
			return fmt.Errorf("dropping %s: %w", part.entity, err)
		}
		if err := o.addRows(ctx, tx, part.entity, part.rows); err != nil {
			return err
		}
	}
	return nil
}

func entityRow(obj *object) record {
	write := !obj.readOnly
	page := func(below string) any {
		if !obj.layoutable() {
			return nil
		}
		return below
	}
	r := record{
		"Id": obj.name, "DurableId": obj.name, "QualifiedApiName": obj.name, "DeveloperName": bareName(obj.name), "MasterLabel": obj.label, "Label": obj.label,
		"PluralLabel": obj.plural, "KeyPrefix": obj.prefix, "InternalSharingModel": "ReadWrite", "ExternalSharingModel": "ReadWrite",
		"DetailUrl": page("/{ID}"), "EditUrl": page("/lightning/r/" + obj.name + "/{ID}/edit"), "NewUrl": page("/lightning/o/" + obj.name + "/new"),
	}
	for name, is := range map[string]bool{
		"IsCustomizable": obj.layoutable(), "IsQueryable": !obj.event, "IsSearchable": obj.searchable(), "IsRetrieveable": !obj.event,
		"IsReplicateable": !obj.event, "IsLayoutable": obj.layoutable(), "IsTriggerable": obj.searchable(), "IsApexTriggerable": obj.searchable(),
		"IsIdEnabled": true, "IsEverCreatable": write, "IsEverUpdatable": write && !obj.event, "IsEverDeletable": write && !obj.event && obj.name != "User",
		"IsMruEnabled": obj.layoutable(),
	} {
		r[name] = bit(is)
	}
	return r
}

// particleRow is what FieldDefinition and EntityParticle say alike.
func particleRow(obj *object, f *field) record {
	d := describeField(obj, f)
	id := obj.name + "." + f.name
	r := record{
		"Id": id, "DurableId": id, "EntityDefinitionId": obj.name, "QualifiedApiName": f.name, "DeveloperName": bareName(f.name), "MasterLabel": f.label,
		"Label": f.label, "Length": int64(f.length), "Precision": d["precision"], "Scale": d["scale"], "ValueTypeId": string(f.kind),
		"RelationshipName": d["relationshipName"], "IsIndexed": bit(f.indexed),
	}
	for to, from := range map[string]string{
		"IsNillable": "nillable", "IsNameField": "nameField", "IsApiFilterable": "filterable", "IsApiSortable": "sortable", "IsApiGroupable": "groupable",
		"IsPolymorphicForeignKey": "polymorphicForeignKey",
	} {
		r[to] = bit(d[from] == true)
	}
	return r
}

// fieldRow is a FieldDefinition; what it shares with the particle is copied.
func fieldRow(obj *object, f *field, common record) record {
	r := maps.Clone(common)
	r["DataType"], r["IsListVisible"] = dataType(f), bit(obj.layoutable() && !f.longText && !f.writeOnly)
	return r
}

// bareName is an API name without the suffix of what is custom.
func bareName(name string) string {
	for _, suffix := range []string{"__c", "__e"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

// dataType names a type as the setup pages of the platform do.
func dataType(f *field) string {
	digits := fmt.Sprintf("(%d, %d)", f.precision-f.scale, f.scale)
	size := fmt.Sprintf("(%d)", f.length)
	switch {
	case f.auto:
		return "Auto Number"
	case f.master:
		return "Master-Detail(" + strings.Join(f.refs, ",") + ")"
	case f.percent:
		return "Percent" + digits
	case f.longText:
		return "Long Text Area" + size
	case f.kind == typeReference:
		return "Lookup(" + strings.Join(f.refs, ",") + ")"
	}
	if name, known := map[fieldType]string{
		typeDouble: "Number" + digits, typeCurrency: "Currency" + digits, typeInt: "Number(9, 0)", typeBoolean: "Checkbox", typeMulti: "Picklist (Multi-Select)",
		typeDateTime: "Date/Time", typeString: "Text" + size, typeURL: "URL" + size, typeTextArea: "Text Area" + size,
	}[f.kind]; known {
		return name
	}
	return strings.ToUpper(string(f.kind[:1])) + string(f.kind[1:])
}

package salesforce

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
)

// Nested references: "Account": {"Ext__c": "k1"} fills AccountId with the record that has the external id (REST API developer
// guide, "Insert or Update (Upsert) a Record Using an External ID").

// writtenFields names the fields a record from a client fills, a nested reference being the field it stands for.
func writtenFields(obj *object, in map[string]json.RawMessage) []string {
	names := make([]string, 0, len(in))
	for name := range in {
		if f := obj.byRel[strings.ToLower(name)]; f != nil && obj.field(name) == nil {
			name = f.name
		}
		names = append(names, name)
	}
	return names
}

// checkNested turns a nested reference into the id it stands for; null clears the field.
func (o *Org) checkNested(ctx context.Context, db querier, f *field, name string, raw json.RawMessage) (any, error) {
	if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return nil, nil //nolint:nilnil // null clears a field
	}
	var in map[string]json.RawMessage
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, badRequest("INVALID_FIELD", "The value provided for foreign key reference %s is not a nested SObject", name)
	}
	var attributes struct {
		Type string `json:"type"`
	}
	keyName, value, keys := "", "", 0
	for k, v := range in {
		if strings.EqualFold(k, "attributes") {
			if err := json.Unmarshal(v, &attributes); err != nil {
				return nil, jsonFault(v, err)
			}
			continue
		}
		keyName, value = k, strings.Trim(string(v), `"`)
		keys++
		var s string
		if json.Unmarshal(v, &s) == nil {
			value = s
		}
	}
	if keys != 1 || value == "" || value == "null" {
		return nil, badRequest("INVALID_FIELD", "The foreign key reference %s needs exactly one external ID field with a value", name)
	}
	target, key, err := o.nestedKey(f, name, attributes.Type, keyName)
	if err != nil {
		return nil, err
	}
	if key.kind == typeID {
		return o.checkReference(ctx, db, target, f, value)
	}
	ids, err := o.idsBy(ctx, db, target, key, value)
	switch {
	case err != nil:
		return nil, err
	case len(ids) == 0:
		return nil, badRequest("INVALID_FIELD", "Foreign key external ID: %s not found for field %s in entity %s", shorten(value), key.name, target.name)
	case len(ids) > 1:
		return nil, (&manyMatches{field: key, ids: ids}).fault()
	}
	return ids[0], nil
}

// nestedKey finds the entity and the field a nested reference is looked up by. Where the reference may point at several
// entities, attributes say which; without them it is the first that has the field.
func (o *Org) nestedKey(f *field, name, entity, key string) (*object, *field, error) {
	var target *object
	for _, ref := range f.refs {
		obj := o.schema.object(ref)
		if entity != "" && !strings.EqualFold(ref, entity) {
			continue
		}
		target = obj
		if kf := obj.field(key); kf != nil && (kf.lookedUp() || kf.kind == typeID) {
			return obj, kf, nil
		}
	}
	switch {
	case target == nil:
		return nil, nil, badRequest("INVALID_FIELD", "The external foreign key reference does not reference a valid entity: %s", shorten(orElse(entity, name)))
	case target.field(key) == nil:
		return nil, nil, badRequest("INVALID_FIELD", "No such column '%s' on sobject of type %s", shorten(key), target.name)
	}
	return nil, nil, badRequest("INVALID_FIELD", "Field name provided, %s is not an External ID or indexed field for %s", shorten(key), target.name)
}

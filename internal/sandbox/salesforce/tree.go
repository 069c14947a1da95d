package salesforce

import (
	"encoding/json"
	"strings"
)

const maxTreeDepth = 5

// treeSaver stores records and, nested below relationship names, their children.
type treeSaver struct {
	org    *Org
	rq     *request
	ids    []map[string]any
	failed []map[string]any
	count  int
}

func (t *treeSaver) save(list []json.RawMessage, link *field, parent string, depth int) error {
	if depth > maxTreeDepth {
		return badRequest("INVALID_INPUT", "records may be nested %d levels deep", maxTreeDepth)
	}
	for _, raw := range list {
		if t.count++; t.count > maxCollection {
			return badRequest("INVALID_INPUT", "a tree may hold %d records: split it", maxCollection)
		}
		rec, err := t.org.typed(t.org.seen(t.rq), raw)
		if err != nil {
			return err
		}
		nested := t.children(rec)
		if link != nil {
			value, err := json.Marshal(parent)
			if err != nil {
				return err //nolint:wrapcheck // a string always encodes
			}
			rec.fields[link.name] = value
		}
		id, err := t.org.insertOne(t.rq, rec.object, rec.fields)
		if err != nil {
			e := t.org.faultOf(t.rq, err)
			t.failed = append(t.failed, map[string]any{"referenceId": rec.ref, "errors": collectionErrors([]apiError{e})})
			continue
		}
		t.ids = append(t.ids, map[string]any{"referenceId": rec.ref, "id": id})
		for _, n := range nested {
			if err := t.save(n.records, n.rel.field, id, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

type nestedRecords struct {
	rel     childRel
	records []json.RawMessage
}

// children takes the nested lists out of a record.
func (t *treeSaver) children(rec typedRecord) []nestedRecords {
	var out []nestedRecords
	for _, rel := range rec.object.children {
		for name, raw := range rec.fields {
			if !strings.EqualFold(name, rel.name) {
				continue
			}
			var list struct {
				Records []json.RawMessage `json:"records"`
			}
			if json.Unmarshal(raw, &list) == nil && list.Records != nil {
				out = append(out, nestedRecords{rel, list.Records})
				delete(rec.fields, name)
			}
		}
	}
	return out
}

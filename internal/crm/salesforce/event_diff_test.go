package salesforce

import (
	"testing"
)

// TestChangesOfLargeTextsTellNoFields reads an update of which a text came as a diff (Change Data Capture guide, "Sending
// Data Differences for Fields of Updated Records"): the diff is not taken for the text.
func TestChangesOfLargeTextsTellNoFields(t *testing.T) {
	t.Parallel()
	const schema = `{"type":"record","name":"CaseChangeEvent","fields":[{"name":"ChangeEventHeader","type":{"type":"record","name":"ChangeEventHeader","fields":[` +
		`{"name":"entityName","type":"string"},{"name":"recordIds","type":{"type":"array","items":"string"}},{"name":"changeType","type":"string"},` +
		`{"name":"diffFields","type":{"type":"array","items":"string"}},{"name":"changedFields","type":{"type":"array","items":"string"}}]}},` +
		`{"name":"Description","type":["null","string"],"default":null}]}`
	codec, err := newEventCodec(schema)
	if err != nil {
		t.Fatal(err)
	}
	for _, differs := range []bool{false, true} {
		diff := []any{}
		if differs {
			diff = append(diff, "0x02")
		}
		payload, err := codec.codec.BinaryFromNative(nil, map[string]any{
			"ChangeEventHeader": map[string]any{"entityName": "Case", "recordIds": []any{"500"}, "changeType": "UPDATE", "diffFields": diff, "changedFields": []any{"0x02"}},
			"Description":       map[string]any{"string": "--- \n+++ 00\n@@ -1,1 +1,1 @@\n-a\n+b\n"},
		})
		if err != nil {
			t.Fatal(err)
		}
		ch, overflow, err := codec.decode(payload)
		if err != nil || overflow || ch.Kind != "updated" || len(ch.IDs) != 1 || (ch.Fields == nil) != differs {
			t.Errorf("%v: %+v %v", differs, ch, err)
		}
	}
}

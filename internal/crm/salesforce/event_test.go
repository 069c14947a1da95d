package salesforce

import (
	"runtime"
	"testing"
)

// TestEventOfManyItems: a few bytes that say they are a list of a hundred million items are refused before there is room made for them.
func TestEventOfManyItems(t *testing.T) {
	codec, err := newEventCodec(`{"type":"record","name":"E","fields":[{"name":"ChangeEventHeader","type":{"type":"record","name":"H","fields":[{"name":"recordIds","type":{"type":"array","items":"string"}}]}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := codec.decode([]byte{0xd6, 0xd6, 0xd6, 0x7a, 0x02, 'x'}); err == nil {
		t.Error("it was read")
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 10<<20 {
		t.Errorf("it took %d bytes", used)
	}
}

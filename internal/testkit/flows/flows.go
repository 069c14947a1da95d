// Package flows holds what tests of the flow formats share: documents compared by their places, and flows as they come back
// from a database.
package flows

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/tandemcc/tandem/internal/flow"
)

// Tree decodes JSON with its numbers as written.
func Tree(t testing.TB, data []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Stored is the flow as it comes back from a database.
func Stored(t testing.TB, f *flow.Flow) *flow.Flow {
	t.Helper()
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	g := new(flow.Flow)
	if err := json.Unmarshal(data, g); err != nil {
		t.Fatal(err)
	}
	return g
}

// Differences lists the places below at where two decoded documents differ.
func Differences(at string, a, b any) []string {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return []string{at}
		}
		var out []string
		for _, k := range slices.Sorted(maps.Keys(x)) {
			out = append(out, Differences(at+"."+k, x[k], y[k])...)
		}
		return out
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return []string{at}
		}
		var out []string
		for i := range x {
			out = append(out, Differences(fmt.Sprintf("%s[%d]", at, i), x[i], y[i])...)
		}
		return out
	}
	if a != b {
		return []string{at}
	}
	return nil
}

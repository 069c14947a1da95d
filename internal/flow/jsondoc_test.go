package flow

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecodeJSON holds the reader of answers against the library.
func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-2.5e+3,0,true,false,null,"x\u00e9\n\"",{"b":{}}],"a":2}`, `[]`, ` "é" `, `01`, `1.`, `-`, `{"a"}`, `[1,]`, `{} {}`, `nul`, `"a`, "\"\x01\"", "\"\xff\"", `1e5`, `{"a":1,}`, `[`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if depth(data) > maxDocDepth {
			return
		}
		got, err := decodeJSON(data)
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		var want any
		wantErr := dec.Decode(&want)
		if wantErr == nil {
			if _, e := dec.Token(); e != io.EOF {
				wantErr = errTrailing
			}
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, the library has %v", data, err, wantErr)
		}
		if err == nil && !cmp.Equal(got, want) {
			t.Fatalf("%q: %s", data, cmp.Diff(want, got))
		}
	})
}

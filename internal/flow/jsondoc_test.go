package flow

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemcc/tandem/internal/flow/jsonpath"
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
		d := docReader{data: string(data)}
		if d.valid() != (err == nil) {
			t.Fatalf("%q: valid without building is %t, built %v", data, d.valid(), err)
		}
		findSame(t, &d, got)
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

// findSame holds single values that are found in the text against the document.
func findSame(t *testing.T, d *docReader, doc any) {
	t.Helper()
	for _, src := range []string{"$", "$.a", "$[0]", "$[-1]", "$.a[1]", "$.a[-2].b", "$.a.a"} {
		p, err := jsonpath.Parse(src, jsonpath.Jayway)
		if err != nil {
			t.Fatal(err)
		}
		steps, ok := p.Plain()
		if !ok || !d.valid() {
			continue
		}
		want, wantErr := p.One(doc)
		got, err := d.find(steps)
		if (err == nil) != (wantErr == nil) || !cmp.Equal(got, want) {
			t.Fatalf("%s of %q: %v, %v; the document has %v, %v", src, d.data, got, err, want, wantErr)
		}
	}
}

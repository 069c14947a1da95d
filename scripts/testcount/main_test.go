package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCounts(t *testing.T) {
	t.Parallel()
	in := `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/x"}
{"Action":"run","Package":"p","Test":"TestA/y"}
{"Action":"output","Package":"p","Test":"TestA/y","Output":"    a_test.go:7: wrong\n"}
{"Action":"pass","Package":"p","Test":"TestA/x"}
{"Action":"fail","Package":"p","Test":"TestA/y"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    a_test.go:9: no server here\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"fail","Package":"p","Elapsed":1.5}
{"Action":"run","Package":"q","Test":"TestC"}
{"Action":"pass","Package":"q","Test":"TestC"}
{"Action":"pass","Package":"q"}
{"ImportPath":"r","Action":"build-output","Output":"r.go:1: undefined: x\n"}
{"ImportPath":"r","Action":"build-fail"}
{"Action":"fail","Package":"r"}
go: something that is no JSON
`
	var out strings.Builder
	file := filepath.Join(t.TempDir(), "counts")
	if err := run([]string{"-add", file}, strings.NewReader(in), &out); err == nil {
		t.Error("failed tests must fail the command")
	}
	for _, want := range []string{"a_test.go:7: wrong", "no server here", "undefined: x", "FAIL p TestA/y", "ok   q", "something that is no JSON"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if err := run([]string{"-add", file, "-one", "passed"}, nil, &out); err != nil {
		t.Fatal(err)
	}
	browser := filepath.Join(t.TempDir(), "browser.json")
	if err := os.WriteFile(browser, []byte(`{"stats":{"expected":10,"unexpected":1,"flaky":2,"skipped":3}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := run([]string{"-sum", file, browser}, nil, &out); err != nil {
		t.Fatal(err)
	}
	// TestA/x, TestC, the single one and 12 of the browser; TestA/y, the package r and one of the browser; TestB and three.
	if got := out.String(); got != "15 passed, 3 failed, 4 skipped\n" {
		t.Error(got)
	}
}

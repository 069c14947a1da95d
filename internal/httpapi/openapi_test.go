package httpapi_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

//nolint:gochecknoglobals // a flag of this test's binary
var update = flag.Bool("update", false, "rewrite api/openapi.yaml")

// TestOpenAPIGolden compares the description with the one in the repository, from which clients are generated.
func TestOpenAPIGolden(t *testing.T) {
	a := startAPI(t)
	golden := filepath.Join("..", "..", "api", "openapi.yaml")
	got := []byte(a.do(t, req{method: "GET", path: "/openapi.yaml"}).raw)
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("api/openapi.yaml is not what the hub serves; look at what changed and run: go test ./internal/httpapi -run OpenAPIGolden -update")
	}
}

// TestOpenAPIIsSound looks for what the standard demands beyond what the library does by itself (OpenAPI 3.1.0).
func TestOpenAPIIsSound(t *testing.T) {
	a := startAPI(t)
	r := a.do(t, req{method: "GET", path: "/openapi.json"})
	if v := r.text("openapi"); !strings.HasPrefix(v, "3.1") {
		t.Errorf("it is OpenAPI %q", v)
	}
	schemas := object(t, object(t, r.json["components"])["schemas"])
	for _, ref := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(r.raw, -1) {
		if schemas[ref[1]] == nil {
			t.Errorf("there is no schema %s", ref[1])
		}
	}
	ids := map[string]string{}
	for path, item := range object(t, r.json["paths"]) {
		for method, o := range object(t, item) {
			where := strings.ToUpper(method) + " " + path
			one := object(t, o)
			id, _ := one["operationId"].(string)
			if id == "" || ids[id] != "" || !regexp.MustCompile(`^[a-z][A-Za-z]+$`).MatchString(id) {
				t.Errorf("%s: operationId %q (%s)", where, id, ids[id])
			}
			ids[id] = where
			params := map[string]bool{}
			list, _ := one["parameters"].([]any)
			for _, p := range list {
				param := object(t, p)
				name, _ := param["name"].(string)
				params[name] = true
				if param["in"] == "path" && param["required"] != true {
					t.Errorf("%s: the path parameter %s is not required", where, name)
				}
			}
			for _, v := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				if !params[v[1]] {
					t.Errorf("%s: {%s} is not described", where, v[1])
				}
			}
			success := false
			for status, answer := range object(t, one["responses"]) {
				success = success || strings.HasPrefix(status, "2")
				if object(t, answer)["description"] == "" {
					t.Errorf("%s: %s has no description", where, status)
				}
				if content, ok := object(t, answer)["content"].(map[string]any); ok && status >= "4" && content["application/problem+json"] == nil {
					t.Errorf("%s: %s is no problem: %v", where, status, content)
				}
			}
			if !success {
				t.Errorf("%s never succeeds", where)
			}
			if summary, _ := one["summary"].(string); summary == "" {
				t.Errorf("%s has no summary", where)
			}
		}
	}
	for _, op := range []string{"/desk/events", "/live/events", "/events"} {
		if object(t, r.json["paths"])[op] == nil {
			t.Errorf("the stream %s is not described", op)
		}
	}
}

func object(t *testing.T, v any) map[string]any {
	t.Helper()
	m, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%v is no object", v)
	}
	return m
}

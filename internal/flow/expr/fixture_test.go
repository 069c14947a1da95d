package expr

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/testkit/fixtures"
)

// pebbleFixture holds templates with the results of the Java engine.
type pebbleFixture struct {
	Contexts map[string]json.RawMessage `json:"contexts"`
	Cases    []pebbleCase               `json:"cases"`
}

type pebbleCase struct {
	Template     string  `json:"template"`
	Context      string  `json:"context"`
	Output       *string `json:"output"`
	Error        string  `json:"error"`
	StrictOutput *string `json:"strict_output"`
	StrictError  string  `json:"strict_error"`
}

func fixedNow() time.Time { return time.Date(2025, 2, 6, 21, 9, 2, 712e6, time.UTC) }

func decodeVars(t testing.TB, raw []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var vars map[string]any
	if err := d.Decode(&vars); err != nil {
		t.Fatalf("decoding context: %v", err)
	}
	out, ok := numbers(vars).(map[string]any)
	if !ok {
		t.Fatal("context is no object")
	}
	return out
}

// numbers turns json.Number into int64 or float64.
func numbers(v any) any {
	switch x := v.(type) {
	case json.Number:
		if i, err := x.Int64(); err == nil {
			return i
		}
		f, _ := x.Float64()
		return f
	case []any:
		for i := range x {
			x[i] = numbers(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = numbers(x[k])
		}
	}
	return v
}

func TestFixturePebble(t *testing.T)       { runFixture(t, false) }
func TestFixturePebbleStrict(t *testing.T) { runFixture(t, true) }

func runFixture(t *testing.T, strict bool) {
	t.Helper()
	var f pebbleFixture
	if err := json.Unmarshal(fixtures.Read(t, "expressions", "pebble.json"), &f); err != nil {
		t.Fatalf("decoding fixture: %v", err)
	}
	if len(f.Cases) == 0 {
		t.Fatal("the fixture has no cases")
	}
	vars := map[string]map[string]any{}
	for name, raw := range f.Contexts {
		vars[name] = decodeVars(t, raw)
	}
	for _, c := range f.Cases {
		want := c.Output
		if strict {
			want = c.StrictOutput
		}
		env := &Env{Vars: vars[c.Context], Now: fixedNow, Strict: strict}
		got, err := render(c.Template, env)
		switch {
		case want == nil && err == nil:
			t.Errorf("%s: %q, must fail with %s", c.Template, got, c.Error+c.StrictError)
		case want != nil && err != nil:
			t.Errorf("%s: %v, want %q", c.Template, err, *want)
		case want != nil && !sameOutput(got, c):
			t.Errorf("%s: %q, want %q", c.Template, got, *want)
		}
	}
}

func render(src string, env *Env) (string, error) {
	tpl, err := Parse(src)
	if err != nil {
		return "", err
	}
	return tpl.Render(env)
}

// address is what Java prints for an array: it differs from run to run. So do the results that depend on the order in
// which Java meets the entries of a map literal; there the engine's own two runs differ, and either will do.
var address = regexp.MustCompile(`\[Ljava\.lang\.String;@[0-9a-f]+`)

func sameOutput(got string, c pebbleCase) bool {
	for _, want := range []*string{c.Output, c.StrictOutput} {
		if want != nil && sortedMaps(address.ReplaceAllString(got, "@")) == sortedMaps(address.ReplaceAllString(*want, "@")) {
			return true
		}
	}
	return false
}

// sortedMaps hides the order in which maps are printed.
func sortedMaps(s string) string {
	if len(s) < 2 || s[0] != '{' {
		return s
	}
	b := []byte(s)
	for i := range b {
		for j := i + 1; j < len(b); j++ {
			if b[j] < b[i] {
				b[i], b[j] = b[j], b[i]
			}
		}
	}
	return string(b)
}

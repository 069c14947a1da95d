package expr

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testVars() map[string]any {
	return map[string]any{
		"s": "Hello World", "i": int64(7), "big": int64(12345678901), "f": 3.75, "t": true, "fa": false, "n": nil,
		"l": []any{"b", "a", "c"}, "ln": []any{int64(3), int64(1), int64(2)}, "csv": "a,b,,c",
		"m":               map[string]any{"k": "v", "nested": map[string]any{"x": []any{int64(1), "deep"}}},
		"when":            time.Date(2025, 3, 9, 10, 15, 0, 0, time.UTC),
		"NewPhoneContact": map[string]any{"ANI": "+14694655519"},
	}
}

// TestRender holds semantics that the fixture does not cover. The expected values were obtained from the Java engine.
func TestRender(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		// lexing and white space
		`a {{- s }}`:   "a Hello World"[:1] + "Hello World",
		"a {#- x -#}":  "a",
		"a {{-s}}":     "ERR",
		"{{ s }}\n\nx": "Hello World\nx",
		`{% verbatim %} {{ s }} {% endverbatim %}`: "{{ s }} ",
		`{{ "a#{i + 1}b#{s}" }}`:                   "a8bHello World",
		`{{ "a\"b#{i}" }}`:                         `a\"b7`,
		`{{ 'it\'s' }}`:                            "it's",
		`{# open`:                                  "ERR",
		`{#`:                                       "",
		// tags
		`{% if i > 5 %}a{% elseif t %}b{% else %}c{% endif %}`:                                   "a",
		`{% if s|first %}a{% endif %}`:                                                           "ERR",
		`{% for x in l %}{{ loop.index }}:{{ x }}{{ loop.last ? "" : "," }}{% endfor %}`:         "0:b,1:a,2:c",
		`{% for k in m %}{{ k.key }};{% endfor %}`:                                               "k;nested;",
		`{% set y = 0 %}{% for x in ln %}{% set y = y + x %}{% endfor %}{{ y }}`:                 "6",
		`{% for x in l %}{% set y = x %}{% endfor %}{{ y }}`:                                     "",
		`{% for x in l %}{{ loop.length is even }}{% endfor %}`:                                  "ERR",
		`{% macro m(a,b=2) %}{{ a }}-{{ b }}{{ s }}{% endmacro %}{{ m(1) }}{{ m(b=5,a=4) }}`:     "1-24-5",
		`{% filter upper | lower | title %}abc d{% endfilter %}`:                                 "Abc D",
		`{% autoescape "js" %}{{ "<" ~ s ~ "'" }}{{ "<'" }}{% endautoescape %}`:                  `<Hello World\'<'`,
		`{% block a %}x{% endblock %}{{ block("a") }}`:                                           "xx",
		`{% block a %}x{% endblock a %}{% block 'b' %}y{% endblock 'b' %}`:                       "xy",
		`{% block a %}x{% endblock b %}`:                                                         "ERR",
		`{{ "abc" | split("") | join("-") }}{{ "é1" | split("") | join("-") }}`:                  "a-b-cé-1",
		`{% set m = {"k": "v", "k": "w"} %}{{ m.k }}{{ "aab" | replace({"a": "b", "b": "c"}) }}`: "wccc",
		`{% include "x" %}`: "ERR",
		// arithmetic
		`{{ 7/2 }} {{ -7/2 }} {{ -7%3 }} {{ 7.5%2 }}`: "3 -3 -1 1.5",
		`{{ 2147483647 + 1 }}`:                        "2147483648",
		`{{ 9223372036854775807 + 1 }}`:               "-9223372036854775808",
		`{{ 1/0 }}`:                                   "ERR",
		`{{ 1.0/0 }} {{ 0.0/0 }}`:                     "Infinity NaN",
		`{{ "3" * "4" }} {{ "3.5" - 1 }}`:             "12 2.5",
		`{{ l + "x" }}`:                               "[b, a, c]x",
		`{{ l - ["a","b"] }}`:                         "[c]",
		`{{ 1.0 }} {{ 0.0001 }} {{ 123456789.0 }}`:    "1.0 1.0E-4 1.23456789E8",
		// classes: an Integer of a variable is not the Long of a literal
		`{{ ln contains 3 }} {{ [3] contains 3 }},{{ i == 7 }}`:  "false true,true",
		`{{ (0|date("yyyy")) == "1970" }}`:                       "false",
		`{{ "ab"|first == "a" }} {{ ("ab"|first) ~ "" == "a" }}`: "false true",
		`{{ s.substring(5) }}|{{ s.substring(i) }}`:              "|orld",
		`{{ s.class }}`: "ERR",
		// collections
		`{{ csv|split(",")|join("|") }}`:            "a|b||c",
		`{{ ",a,,"|split(",")|join("|") }}`:         "|a",
		`{{ ",a,,"|split(",",-1)|join("|") }}`:      "|a||",
		`{{ "a1b22c"|split("[0-9]+")|join("|") }}`:  "a|b|c",
		`{{ (csv|split(",")) is iterable }}`:        "true",
		`{{ [3,1,2]|sort }}{{ [3,"a"]|length }}`:    "[1, 2, 3]2",
		`{{ [3,"a"]|sort }}`:                        "ERR",
		`{{ range("a","e",2) }}{{ range(5,1,-2) }}`: "[a, c, e][5, 3, 1]",
		// text
		`{{ "a😀b"|length }} {{ "straße"|upper }} {{ "ΑΣ"|lower }}`:                                             "4 STRASSE ας",
		`{{ "~*()!-_.$&+"|urlencode }}`:                                                                        "%7E*%28%29%21-_.%24%26%2B",
		`{{ "é1"|escape("css") }}`:                                                                             `\E9 1`,
		`{{ "%05d|%-5s|%,.2f" | format(42, "ab", 1234.5) }}`:                                                   "00042|ab   |1,234.50",
		`{{ 1234.5678 | numberformat }} {{ 0.5 | numberformat("#%") }} {{ 12345 | numberformat("##0.##E0") }}`: "1,234.568 50% 12.345E3",
		// dates
		`{{ "1/2/25" | date("yyyy-MM-dd", existingFormat="M/d/yy") }}`:                                 "2025-01-02",
		`{{ "25:61:61" | date("yyyy-MM-dd HH:mm:ss", existingFormat="HH:mm:ss") }}`:                    "1970-01-02 02:02:01",
		`{{ "2025-02-06T21:09:02+05:30" | date("HH:mm", existingFormat="yyyy-MM-dd'T'HH:mm:ssXXX") }}`: "15:39",
		`{{ 1741507200000 | date("yyyy-MM-dd HH:mm z", timeZone="America/New_York") }}`:                "2025-03-09 04:00 EDT",
		`{{ 0 | date("EEEE d MMMM yyyy, 'week' w") }}`:                                                 "Thursday 1 January 1970, week 1",
		`{{ when | date("yyyy-MM-dd'T'HH:mm:ssXXX") }} {{ when }}`:                                     "2025-03-09T10:15:00Z 2025-03-09T10:15Z[UTC]",
		`{{ now() }}`:                              "2025-02-06T21:09:02.712Z[UTC]",
		`{{ now() | epoch }}`:                      "1738876142",
		`{{ now() | epoch - 100 }}`:                "1738876042",
		`{{ "06/02/2025" | epoch("dd/MM/yyyy") }}`: "1738800000",
		`{{ "x" | epoch }}`:                        "ERR",
	} {
		got, err := render(src, &Env{Vars: testVars(), Now: fixedNow})
		if err != nil {
			got = "ERR"
		}
		if got != want {
			t.Errorf("%s: %q (%v), want %q", src, got, err, want)
		}
	}
}

func TestSystemObjects(t *testing.T) {
	t.Parallel()
	vars := map[string]any{
		"NewPhoneContact": map[string]any{"ANI": "+1", "interactionId": "x"},
		"Data":            map[string]any{"Key": "v"},
	}
	env := &Env{Vars: vars, Strict: true, System: func(name string) bool { return name == "Data" }}
	for src, want := range map[string]string{
		"{{NewPhoneContact.ani}}":          "+1",
		"{{NewContact.ANI}}":               "+1",
		"{{newContact.Ani}}":               "+1",
		"{{NewContact.InteractionId}}":     "x",
		"{{Data.key}}":                     "v",
		"{{NewContact.nope | default(9)}}": "9",
		"{{data.Key | default(\"none\")}}": "none",
	} {
		got, err := render(src, env)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", src, got, err, want)
		}
	}
	plain := &Env{Vars: vars, Strict: true}
	if got, err := render("{{Data.key}}", plain); err == nil {
		t.Errorf("an object of the tenant was read without regard to case: %q", got)
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]any{
		"{{ i }}":                   int64(7),
		"{{ i / 2 }}":               int64(3),
		"{{ f }}":                   3.75,
		"{{ t and i > 3 }}":         true,
		"{{ n }}":                   nil,
		"{{ nosuch }}":              nil,
		"{{ s | first }}":           "H",
		"{{ l | sort }}":            []any{"a", "b", "c"},
		`{{ {"a": [1, "x"]} }}`:     map[string]any{"a": []any{int64(1), "x"}},
		`{{ csv | split(",", 2) }}`: []any{"a", "b,,c"},
		"n={{ i }}":                 "n=7",
		"text":                      "text",
		"":                          "",
	} {
		tpl, err := Parse(src)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		got, err := tpl.Value(&Env{Vars: testVars()})
		if err != nil {
			t.Errorf("%s: %v", src, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", src, diff)
		}
	}
}

func TestVarsAreNotChanged(t *testing.T) {
	t.Parallel()
	vars := testVars()
	for _, src := range []string{"{{ l | sort }}", "{{ l | rsort }}", "{{ l | reverse }}", "{{ l + 1 }}", `{{ m | merge({"k": 1}) }}`, "{% set s = 1 %}{{ s }}"} {
		if _, err := render(src, &Env{Vars: vars}); err != nil {
			t.Errorf("%s: %v", src, err)
		}
	}
	if diff := cmp.Diff(testVars(), vars); diff != "" {
		t.Errorf("variables were changed:\n%s", diff)
	}
}

func TestSyntaxErrorFix(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"{{[phoneNumber}}":                   "{{phoneNumber}}",
		"x {{ a[0 }} y":                      "x {{ a[0] }} y",
		"{{ [1, 2 }}":                        "{{ [1, 2] }}",
		"{{ a | slice(0,3 }}":                "{{ a | slice(0,3) }}",
		"{{ a":                               "{{ a}}",
		"{{ a }":                             "{{ a }}",
		"{{ a } b":                           "{{ a }} b",
		`{{ a == "x }}`:                      `{{ a == "x" }}`,
		"{{ a == 'x }}":                      "{{ a == 'x' }}",
		"{{ a) }}":                           "{{ a }}",
		"{{ a && b }}":                       "{{ a and b }}",
		"{{ a || b }}":                       "{{ a  or  b }}",
		"{{ a = 1 }}":                        "{{ a == 1 }}",
		"{{ !a }}":                           "{{ not a }}",
		"{{ “x” }}":                          `{{ "x" }}`,
		"{% if a %}x":                        "{% if a %}x{% endif %}",
		"{% if a %}x{% elif b %}{% endif %}": "{% if a %}x{% elseif b %}{% endif %}",
		"{{ . }}":                            "",
	} {
		_, err := Parse(src)
		var bad *SyntaxError
		if !errors.As(err, &bad) {
			t.Errorf("%s: error %v, want a SyntaxError", src, err)
			continue
		}
		if bad.Fix != want {
			t.Errorf("%s: fix %q, want %q (%v)", src, bad.Fix, want, bad)
		}
		if bad.Fix != "" {
			if _, err := Parse(bad.Fix); err != nil {
				t.Errorf("%s: the fix does not compile: %v", src, err)
			}
		}
	}
}

func TestErrorPositions(t *testing.T) {
	t.Parallel()
	_, err := Parse("a\nbc {{ x ? }}")
	var bad *SyntaxError
	if !errors.As(err, &bad) || bad.Line != 2 || bad.Col != 11 || bad.Pos != 12 {
		t.Errorf("syntax error %+v", bad)
	}
	_, err = render("a\nbc {{ s | nofilter }}", &Env{Vars: testVars()})
	var failed *EvalError
	if !errors.As(err, &failed) || failed.Line != 2 || failed.Col != 11 || failed.Fix == "" {
		t.Errorf("evaluation error %+v", failed)
	}
}

func TestRefs(t *testing.T) {
	t.Parallel()
	tpl, err := Parse(`{{ NewContact.ANI | slice(a.b, 2) }}
{% set x = c["k"][0] %}{% for y in list %}{{ x }}{{ y.z }}{{ loop.index }}{{ d | default("") }}{% endfor %}{{ y is defined }}`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range tpl.Refs() {
		entry := r.Path
		if r.Guarded {
			entry += "?"
		}
		if !strings.HasPrefix(tpl.String()[r.Pos:], r.Name) {
			t.Errorf("%s: wrong position %d", r.Name, r.Pos)
		}
		got = append(got, entry)
	}
	if diff := cmp.Diff([]string{"NewContact.ANI", "a.b", "c.k.0", "list", "d?", "y?"}, got); diff != "" {
		t.Error(diff)
	}
	if refs := tpl.Refs(); refs[2].Line != 2 || refs[2].Col != 12 {
		t.Errorf("position of c: %+v", refs[2])
	}
}

func TestSegments(t *testing.T) {
	t.Parallel()
	src := "q={{ a }}&x{# c #}{% if b %}y{% endif %}"
	tpl, err := Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	var kinds []SegmentKind
	for _, s := range tpl.Segments() {
		all.WriteString(s.Text)
		kinds = append(kinds, s.Kind)
	}
	want := []SegmentKind{SegmentText, SegmentOutput, SegmentText, SegmentComment, SegmentTag, SegmentText, SegmentTag}
	if diff := cmp.Diff(want, kinds); diff != "" || all.String() != src {
		t.Errorf("%q %s", all.String(), diff)
	}
	if s := tpl.Segments()[1]; s.Value != "a" || s.Pos != 2 || len(s.Refs) != 1 || s.Refs[0].Name != "a" {
		t.Errorf("output segment %+v", s)
	}
	if tpl.IsLiteral() {
		t.Error("a template with an output is no literal")
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	env := &Env{Vars: testVars(), Escape: func(v string) string { return "<" + v + ">" }}
	for src, want := range map[string]string{
		"{{ i }}":        "<7>",
		"a{{ s }}b{{i}}": "a<Hello World>b<7>",
		"{{ n }}x":       "x",
	} {
		if got, err := render(src, env); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", src, got, err, want)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	vars := testVars()
	vars["long"] = strings.Repeat("x", 1<<20)
	env := &Env{Vars: vars, Now: fixedNow}
	for _, src := range []string{
		"{{ range(1, 1000000000) }}",
		"{{ 1..9223372036854775807 }}",
		"{% for a in 1..1000 %}{% for b in 1..1000 %}{% for c in 1..1000 %}x{% endfor %}{% endfor %}{% endfor %}",
		"{% set x = s %}{% for a in 1..100 %}{% set x = x ~ x %}{% endfor %}{{ x }}",
		"{% set x = [1] %}{% for a in 1..100 %}{% set x = x + x %}{% endfor %}{{ x }}",
		"{% set x = [1] %}{% for a in 1..100 %}{% set x = [x, x] %}{% endfor %}{{ x }}",
		"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
		"{% block b %}{{ block('b') }}{% endblock %}",
		`{{ "%1000000000d" | format(1) }}`,
		"{% for a in 1..1000 %}{{ long contains s }}{% endfor %}",
		`{% for a in 1..1000 %}{{ long | replace({"x": "yyyyyyyyyy"}) | length }}{% endfor %}`,
		"{{ " + strings.Repeat("(", 1000) + "1" + strings.Repeat(")", 1000) + " }}",
		"{{ " + strings.Repeat("not ", 1000) + "1 }}",
		"{{ 1" + strings.Repeat("+1", 1000) + " }}",
		strings.Repeat("{% if t %}", 1000) + strings.Repeat("{% endif %}", 1000),
		strings.Repeat("{{a}}", 20_000),
	} {
		start := time.Now()
		_, err := render(src, env)
		if err == nil {
			t.Errorf("%.60s: no error", src)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%.60s: took %v", src, took)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	tpl, err := Parse(`{% for x in l %}{{ x | upper }}{% endfor %}{{ 0 | date("yyyy") }}{{ NewContact.ani }}`)
	if err != nil {
		t.Fatal(err)
	}
	env := &Env{Vars: testVars()}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if got, err := tpl.Render(env); err != nil || got != "BAC1970+14694655519" {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

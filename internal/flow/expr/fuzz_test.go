package expr

import (
	"errors"
	"runtime"
	"testing"
	"time"
)

func seeds(f *testing.F) {
	f.Helper()
	for _, s := range []string{
		"", "plain", "{{ s }}", "{{[phoneNumber}}", "{{ s | slice(0,5) | upper ~ \"!\" }}", "{{ \"a#{i}b\" }}", "{{ {\"a\":[1,2.5]} }}",
		"{% for x in l %}{{ loop.index }}{% else %}-{% endfor %}", "{% if i is even and t %}a{% elseif f %}b{% endif %}",
		"{% macro m(a,b=2) %}{{ a }}{% endmacro %}{{ m(1) }}", "{% set x = 1..9 %}{{ x | sort | join(\",\") }}",
		"{{ now() | date(\"yyyy-MM-dd\", existingFormat=\"yyyy-MM-dd'T'HH:mm:ss\", timeZone=\"Europe/Paris\") }}",
		"{{ csv | split(\"[,;]+\") | last }}", "{{ 12345.678 | numberformat(\"#,##0.00;(#)\") }}", "{{ \"%5.2f\" | format(f) }}",
		"{% autoescape \"js\" %}{{ s }}{% endautoescape %}{% verbatim %}{{{% endverbatim %}", "{{ m.nested.x[1].length }}",
		"{#- c -#} {%- set a = 1 -%} {{- a -}}", "{{ s.replaceAll(\"(l+)\",\"$1$1\") }}", "{{ -9223372036854775808 / -1 }}",
		"{% set x = [1] %}{% for a in 1..99 %}{% set x = [x, x] %}{% endfor %}{{ x == x }}", "{{ i ? t ? 1 : 2 : 3 }}",
		"{{ big | escape(\"css\") }}{{ html | nl2br | title | capitalize }}", "{{ \"x\" | date(\"G\", existingFormat=\"EEE yy D\") }}",
		"{{ m.entrySet() }}{{ m.hashCode() }}{{ l.indexOf(\"a\") }}{{ s.split(\"\") | join(\"#\") }}",
	} {
		f.Add(s)
	}
}

// FuzzParse looks for panics, for errors of the wrong type, for mends that do not compile, and for slow templates.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src string) {
		tpl, err := Parse(src)
		if err != nil {
			var bad *SyntaxError
			if !errors.As(err, &bad) || bad.Line < 1 || bad.Col < 1 {
				t.Fatalf("error %#v", err)
			}
			if bad.Fix != "" {
				if _, err := Parse(bad.Fix); err != nil {
					t.Fatalf("the mend %q does not compile: %v", bad.Fix, err)
				}
			}
			return
		}
		all := ""
		for _, s := range tpl.Segments() {
			all += s.Text
		}
		if all != src {
			t.Fatalf("segments make %q", all)
		}
		for _, r := range tpl.Refs() {
			if r.Pos < 0 || r.Pos+len(r.Name) > len(src) || src[r.Pos:r.Pos+len(r.Name)] != r.Name {
				t.Fatalf("reference %+v", r)
			}
		}
	})
}

// FuzzRender looks for panics, and for evaluations that take more than 10 ms or 10 MB.
func FuzzRender(f *testing.F) {
	seeds(f)
	vars := testVars()
	vars["html"] = "<a href=\"x\">O'Neil & co</a>\r\n"
	f.Fuzz(func(t *testing.T, src string) {
		tpl, err := Parse(src)
		if err != nil {
			return
		}
		for _, strict := range []bool{false, true} {
			env := &Env{Vars: vars, Now: fixedNow, Strict: strict}
			checkCost(t, func() {
				_, err = tpl.Render(env)
				if _, valueErr := tpl.Value(env); (err == nil) != (valueErr == nil) && tpl.single == nil {
					t.Fatalf("Render: %v, Value: %v", err, valueErr)
				}
			})
		}
	})
}

// checkCost runs fn, again where a run was dear, since another process may have had the machine.
func checkCost(t *testing.T, fn func()) {
	t.Helper()
	const tries = 5
	var took time.Duration
	var bytes uint64
	for range tries {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		fn()
		took = time.Since(start)
		runtime.ReadMemStats(&after)
		bytes = after.TotalAlloc - before.TotalAlloc
		if took < 20*time.Millisecond && bytes < 20<<20 { // two evaluations
			return
		}
	}
	t.Fatalf("two evaluations took %v and %d bytes", took, bytes)
}
